/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables show: for each kind of item its columns, and how a cell is made. */
#include "cli/cli_priv.h"

#include "base/timefmt.h"

#include <jansson.h>
#include <math.h>

/* Longer cells are never seen whole; a log body can be a megabyte. */
enum { CELL_BYTES_MAX = 4096 };

/* ---- cells of any item */

static void
text_cell(struct table_text *t, const json_t *item, const char *key, enum text_color color)
{
	struct str s = cli_item_str(item, key);
	s.len = text_head(s, CELL_BYTES_MAX);
	table_cell(t, s, color);
}

static void
buf_cell(struct table_text *t, struct buf *b, enum text_color color)
{
	table_cell(t, buf_view(b), color);
	buf_fini(b);
}

static void
age_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	text_age(&b, cli_item_u64(item, key), t->style->now_unix_ns);
	buf_cell(t, &b, COLOR_DIM);
}

static void
time_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	uint64_t time_ns = cli_item_u64(item, key);
	text_time(&b, time_ns, t->style->now_unix_ns);
	buf_cell(t, &b, COLOR_NONE);
	t->old = t->old || time_ns + NS_PER_DAY < t->style->now_unix_ns;
}

static void
count_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	buf_u64(&b, cli_item_u64(item, key));
	buf_cell(t, &b, COLOR_NONE);
}

static void
service_cell(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "service", COLOR_CYAN);
}

static void
name_cell(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "name", COLOR_NONE);
}

static void
trace_id_cell(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "trace_id", COLOR_DIM);
}

/* ---- spans */

static void
span_age(struct table_text *t, const json_t *item)
{
	age_cell(t, item, "start_time_unix_nano");
}

static void
span_time(struct table_text *t, const json_t *item)
{
	time_cell(t, item, "start_time_unix_nano");
}

/* An error is marked here too, for the column of the status is among the first to go. */
static void
span_operation(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	bool error = cli_item_is(item, "status", "error");
	struct str name = cli_item_str(item, "operation");
	if (error)
		buf_str(&b, t->style->utf8 ? STR("✗ ") : STR("x "));
	buf_append(&b, name.ptr, text_head(name, CELL_BYTES_MAX));
	buf_cell(t, &b, error ? COLOR_RED : COLOR_NONE);
}

static void
span_kind(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "kind", COLOR_DIM);
}

static void
span_duration(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	cli_item_duration(&b, item);
	buf_cell(t, &b, COLOR_NONE);
}

static void
span_status(struct table_text *t, const json_t *item)
{
	if (cli_item_is(item, "status", "unset"))
		table_cell(t, STR("-"), COLOR_DIM);
	else
		text_cell(t, item, "status",
		    cli_item_is(item, "status", "error") ? COLOR_RED : COLOR_GREEN);
}

static const struct table_column span_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = span_age},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = span_time},
    {.title = "SERVICE", .keep = 60, .want = 8, .param = "service", .cell = service_cell},
    {.title = "OPERATION", .keep = 80, .want = 16, .width_min = 12, .cell = span_operation},
    {.title = "KIND", .keep = 10, .param = "kind", .cell = span_kind},
    {.title = "DURATION", .keep = 70, .right = true, .cell = span_duration},
    {.title = "STATUS", .keep = 15, .param = "status", .cell = span_status},
    {.title = "TRACE",
        .keep = 40,
        .below = BELOW_ALWAYS,
        .param = "trace_id",
        .cell = trace_id_cell},
    {.title = NULL},
};

/* ---- logs */

static void
log_age(struct table_text *t, const json_t *item)
{
	age_cell(t, item, "event_time_unix_nano");
}

static void
log_time(struct table_text *t, const json_t *item)
{
	time_cell(t, item, "event_time_unix_nano");
}

static void
log_severity(struct table_text *t, const json_t *item)
{
	enum text_color color = cli_item_severity_color(item);
	if (cli_item_is(item, "severity", "unspecified"))
		table_cell(t, STR("-"), color);
	else
		text_cell(t, item, "severity", color);
}

static void
log_body(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	cli_item_log_text(&b, item);
	buf_cell(t, &b, COLOR_NONE);
}

static const struct table_column log_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = log_age},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = log_time},
    {.title = "SEV", .keep = 50, .param = "severity", .cell = log_severity},
    {.title = "SERVICE", .keep = 47, .want = 8, .param = "service", .cell = service_cell},
    {.title = "BODY", .keep = 80, .want = 32, .width_min = 20, .cell = log_body},
    {.title = "TRACE",
        .keep = 40,
        .below = BELOW_ALWAYS,
        .param = "trace_id",
        .cell = trace_id_cell},
    {.title = NULL},
};

/* ---- metrics */

static void
point_age(struct table_text *t, const json_t *item)
{
	age_cell(t, item, "time_unix_nano");
}

static void
point_time(struct table_text *t, const json_t *item)
{
	time_cell(t, item, "time_unix_nano");
}

static void
point_type(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "metric_type", COLOR_DIM);
}

/* Four digits, or all before the point. */
static void
real_text(struct buf *b, double v)
{
	bool whole = fabs(v) >= 1000 && fabs(v) < 1e15;
	buf_printf(b, whole ? "%.0f" : "%.4g", v);
}

static void
number_text(struct buf *b, const json_t *value)
{
	if (json_is_real(value))
		real_text(b, json_real_value(value));
	else if (json_is_null(value) || !value)
		buf_char(b, '-');
	else
		cli_value_text(b, value);
}

static void
quantiles_text(struct buf *b, const json_t *quantiles)
{
	for (size_t i = 0; i < json_array_size(quantiles); i++) {
		const json_t *q = json_array_get(quantiles, i);
		buf_printf(b, " p%.6g ", cli_item_f64(q, "quantile") * 100.0);
		number_text(b, json_object_get(q, "value"));
	}
}

/* A number, or of a distribution how many, their average and what else it has. */
static void
point_value(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	const json_t *sum = json_object_get(item, "sum");
	uint64_t count = cli_item_u64(item, "count");
	if (!sum) {
		number_text(&b, json_object_get(item, "value"));
		buf_cell(t, &b, COLOR_NONE);
		return;
	}
	buf_printf(&b, "n %llu", (unsigned long long)count);
	if (json_is_number(sum) && count > 0) {
		buf_str(&b, STR(" avg "));
		real_text(&b, json_number_value(sum) / (double)count);
	}
	if (json_is_number(json_object_get(item, "max"))) {
		buf_str(&b, STR(" max "));
		real_text(&b, cli_item_f64(item, "max"));
	}
	quantiles_text(&b, json_object_get(item, "quantile_values"));
	buf_cell(t, &b, COLOR_NONE);
}

static void
point_unit(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "unit", COLOR_DIM);
}

static void
point_attributes(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(item, "attributes"), key, value)
	{
		if (b.len > CELL_BYTES_MAX)
			break;
		buf_printf(&b, "%s%s=", b.len > 0 ? " " : "", key);
		cli_value_text(&b, value);
	}
	b.len = text_head(buf_view(&b), CELL_BYTES_MAX);
	buf_cell(t, &b, COLOR_NONE);
}

static const struct table_column point_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = point_age},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = point_time},
    {.title = "SERVICE",
        .keep = 57,
        .want = 8,
        .below = BELOW_ALWAYS,
        .param = "service",
        .cell = service_cell},
    {.title = "NAME", .keep = 80, .want = 40, .width_min = 12, .param = "name", .cell = name_cell},
    {.title = "TYPE", .keep = 15, .param = "metric_type", .cell = point_type},
    {.title = "VALUE",
        .keep = 58,
        .want = 32,
        .right = true,
        .below = BELOW_ALWAYS,
        .cell = point_value},
    {.title = "UNIT", .keep = 25, .want = 8, .cell = point_unit},
    {.title = "ATTRIBUTES",
        .keep = 55,
        .want = 40,
        .below = BELOW_ALWAYS,
        .cell = point_attributes},
    {.title = NULL},
};

/* ---- services */

static void
service_name(struct table_text *t, const json_t *item)
{
	text_cell(t, item, "name", COLOR_CYAN);
}

static void
service_spans(struct table_text *t, const json_t *item)
{
	count_cell(t, item, "span_count");
}

static void
service_traces(struct table_text *t, const json_t *item)
{
	count_cell(t, item, "trace_count");
}

/* "12 (0.4%)" */
static void
service_errors(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	uint64_t errors = cli_item_u64(item, "error_count");
	buf_u64(&b, errors);
	if (errors > 0)
		buf_printf(&b, " (%.2g%%)", cli_item_f64(item, "error_rate") * 100.0);
	buf_cell(t, &b, errors > 0 ? COLOR_RED : COLOR_NONE);
}

static void
service_avg(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (json_is_number(json_object_get(item, "avg_duration_ms")))
		text_duration(&b, cli_item_f64(item, "avg_duration_ms") * 1e6);
	else
		buf_char(&b, '-');
	buf_cell(t, &b, COLOR_NONE);
}

static void
service_logs(struct table_text *t, const json_t *item)
{
	count_cell(t, item, "log_count");
}

static void
service_points(struct table_text *t, const json_t *item)
{
	count_cell(t, item, "point_count");
}

static void
service_last(struct table_text *t, const json_t *item)
{
	age_cell(t, item, "last_seen_unix_nano");
}

static const struct table_column service_columns[] = {
    {.title = "SERVICE", .keep = 90, .want = 24, .width_min = 12, .cell = service_name},
    {.title = "SPANS", .keep = 80, .right = true, .cell = service_spans},
    {.title = "TRACES", .keep = 20, .right = true, .cell = service_traces},
    {.title = "ERRORS", .keep = 70, .right = true, .cell = service_errors},
    {.title = "AVG", .keep = 60, .right = true, .cell = service_avg},
    {.title = "LOGS", .keep = 40, .right = true, .cell = service_logs},
    {.title = "POINTS", .keep = 30, .right = true, .cell = service_points},
    {.title = "LAST SEEN", .keep = 50, .right = true, .cell = service_last},
    {.title = NULL},
};

const struct table_view *
cli_view_of(const char *op)
{
	static const struct table_view views[] = {
	    {"traces", "spans", span_columns},
	    {"logs", "log records", log_columns},
	    {"metrics", "points", point_columns},
	    {"services", "services", service_columns},
	    {"dlq list", "dead letters", cli_dlq_columns},
	    {"keys list", "keys", cli_keys_columns},
	    {"backup list", "backups", cli_backup_columns},
	};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strcmp(views[i].op, op) == 0)
			return &views[i];
	return NULL;
}
