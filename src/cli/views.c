/* SPDX-License-Identifier: Apache-2.0 */
/* What the tables show: for each kind of item its columns, and how a cell is made. */
#include "cli/cli_priv.h"

#include "cli/analysis.h"
#include "cli/cell.h"

#include "base/timefmt.h"

#include <jansson.h>
#include <math.h>

/* ---- cells of any item */

static void
time_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	uint64_t time_ns = cli_item_u64(item, key);
	text_time(&b, time_ns, t->style->now_unix_ns);
	cell_buf(t, &b, COLOR_NONE);
	t->old = t->old || time_ns + NS_PER_DAY < t->style->now_unix_ns;
}

static void
spans_cell(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "span_count");
}

static void
name_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "name", COLOR_NONE);
}

/* ---- spans */

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
	cell_buf(t, &b, error ? COLOR_RED : COLOR_NONE);
}

static void
span_kind(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "kind", COLOR_DIM);
}

static void
span_status(struct table_text *t, const json_t *item)
{
	if (cli_item_is(item, "status", "unset"))
		table_cell(t, STR("-"), COLOR_DIM);
	else
		cell_text(t, item, "status",
		    cli_item_is(item, "status", "error") ? COLOR_RED : COLOR_GREEN);
}

static const struct table_column span_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = cell_started},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = span_time},
    {.title = "SERVICE", .keep = 60, .want = 8, .param = "service", .cell = cell_service},
    {.title = "OPERATION", .keep = 80, .want = 16, .width_min = 12, .cell = span_operation},
    {.title = "KIND", .keep = 10, .param = "kind", .cell = span_kind},
    {.title = "DURATION", .keep = 70, .right = true, .cell = cell_took},
    {.title = "STATUS", .keep = 15, .param = "status", .cell = span_status},
    {.title = "TRACE", .keep = 40, .below = BELOW_ALWAYS, .param = "trace_id", .cell = cell_trace},
    {.title = NULL},
};

/* ---- traces */

static const json_t *
root_of(const json_t *item)
{
	return json_object_get(item, "root");
}

static void
trace_service(struct table_text *t, const json_t *item)
{
	cell_text(t, root_of(item), "service", COLOR_CYAN);
}

/* Of the root; in brackets when the root is missing and this is the earliest span. */
static void
trace_operation(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	bool error = cli_item_u64(item, "error_count") > 0;
	bool missing = json_is_true(json_object_get(item, "root_missing"));
	struct str name = cli_item_str(root_of(item), "operation");
	if (error)
		buf_str(&b, t->style->utf8 ? STR("✗ ") : STR("x "));
	if (missing)
		buf_char(&b, '(');
	buf_append(&b, name.ptr, text_head(name, CELL_BYTES_MAX));
	if (missing)
		buf_char(&b, ')');
	cell_buf(t, &b, error ? COLOR_RED : COLOR_NONE);
}

static void
trace_errors(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	uint64_t errors = cli_item_u64(item, "error_count");
	if (errors > 0)
		buf_u64(&b, errors);
	else
		buf_char(&b, '-');
	cell_buf(t, &b, errors > 0 ? COLOR_RED : COLOR_DIM);
}

static void
trace_matched(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "matched_spans");
}

/* The most spans first would hide those that are there once; by name, as they come. */
static void
trace_services(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	const json_t *services = json_object_get(item, "services");
	for (size_t i = 0; i < json_array_size(services) && b.len < CELL_BYTES_MAX; i++) {
		if (i > 0)
			buf_str(&b, STR(", "));
		buf_str(&b, cli_item_str(json_array_get(services, i), "name"));
	}
	b.len = text_head(buf_view(&b), CELL_BYTES_MAX);
	cell_buf(t, &b, COLOR_DIM);
}

static const struct table_column trace_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = cell_started},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = span_time},
    {.title = "SERVICE", .keep = 60, .want = 8, .cell = trace_service},
    {.title = "OPERATION", .keep = 80, .want = 16, .width_min = 12, .cell = trace_operation},
    {.title = "DURATION", .keep = 70, .right = true, .cell = cell_took},
    {.title = "SPANS", .keep = 50, .right = true, .cell = spans_cell},
    {.title = "ERRORS", .keep = 55, .right = true, .cell = trace_errors},
    {.title = "MATCHED", .keep = 10, .right = true, .cell = trace_matched},
    {.title = "SERVICES", .keep = 15, .want = 24, .cell = trace_services},
    {.title = "TRACE", .keep = 40, .below = BELOW_ALWAYS, .param = "trace_id", .cell = cell_trace},
    {.title = NULL},
};

/* ---- logs */

static void
log_age(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "event_time_unix_nano");
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
		cell_text(t, item, "severity", color);
}

static void
log_body(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	cli_item_log_text(&b, item);
	cell_buf(t, &b, COLOR_NONE);
}

static const struct table_column log_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = log_age},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = log_time},
    {.title = "SEV", .keep = 50, .param = "severity", .cell = log_severity},
    {.title = "SERVICE", .keep = 47, .want = 8, .param = "service", .cell = cell_service},
    {.title = "BODY", .keep = 80, .want = 32, .width_min = 20, .cell = log_body},
    {.title = "TRACE", .keep = 40, .below = BELOW_ALWAYS, .param = "trace_id", .cell = cell_trace},
    {.title = NULL},
};

/* ---- metrics */

static void
point_age(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "time_unix_nano");
}

static void
point_time(struct table_text *t, const json_t *item)
{
	time_cell(t, item, "time_unix_nano");
}

static void
point_type(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "metric_type", COLOR_DIM);
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
		cell_buf(t, &b, COLOR_NONE);
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
	cell_buf(t, &b, COLOR_NONE);
}

static void
point_unit(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "unit", COLOR_DIM);
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
	cell_buf(t, &b, COLOR_NONE);
}

static const struct table_column point_columns[] = {
    {.title = "AGE", .keep = 30, .keep_old = 12, .right = true, .cell = point_age},
    {.title = "TIME (UTC)", .keep = 20, .keep_old = 45, .below = BELOW_IF_OLD, .cell = point_time},
    {.title = "SERVICE",
        .keep = 57,
        .want = 8,
        .below = BELOW_ALWAYS,
        .param = "service",
        .cell = cell_service},
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
	cell_text(t, item, "name", COLOR_CYAN);
}

static void
service_traces(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "trace_count");
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
	cell_buf(t, &b, errors > 0 ? COLOR_RED : COLOR_NONE);
}

static void
service_avg(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	if (json_is_number(json_object_get(item, "avg_duration_ms")))
		text_duration(&b, cli_item_f64(item, "avg_duration_ms") * 1e6);
	else
		buf_char(&b, '-');
	cell_buf(t, &b, COLOR_NONE);
}

static void
service_logs(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "log_count");
}

static void
service_points(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "point_count");
}

static void
service_last(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "last_seen_unix_nano");
}

static const struct table_column service_columns[] = {
    {.title = "SERVICE", .keep = 90, .want = 24, .width_min = 12, .cell = service_name},
    {.title = "SPANS", .keep = 80, .right = true, .cell = spans_cell},
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
	    {"search", "traces", trace_columns, NULL},
	    {"traces", "spans", span_columns, NULL},
	    {"logs", "log records", log_columns, NULL},
	    {"metrics", "points", point_columns, NULL},
	    {"services", "services", service_columns, NULL},
	    {"anomalies", "anomalies", cli_anomaly_columns, NULL},
	    {"workflows", "runs", cli_workflow_columns, cli_note_prices},
	    {"llm", "calls in the window (--last; an hour without)", cli_llm_columns,
	        cli_note_prices},
	    {"calls", "calls", cli_call_columns, cli_below_calls},
	    {"comments", "comments", cli_comment_columns, NULL},
	    {"trace_comments", "comments", cli_comment_columns, NULL},
	    {"query", "series", cli_query_columns, NULL},
	    {"range", "series", cli_range_columns, NULL},
	    {"names", "metrics", cli_names_columns, NULL},
	    {"dlq list", "dead letters", cli_dlq_columns, NULL},
	    {"keys list", "keys", cli_keys_columns, NULL},
	    {"backup list", "backups", cli_backup_columns, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strcmp(views[i].op, op) == 0)
			return &views[i];
	return NULL;
}
