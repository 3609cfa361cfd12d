/* SPDX-License-Identifier: Apache-2.0 */
/* What a terminal gets to see of the answers to summary, anomalies and correlate. */
#include "cli/analysis.h"

#include "cli/cell.h"
#include "cli/tree_draw.h"

#include "base/timefmt.h"

#include <jansson.h>

enum { LABEL_WIDTH = 10 };

/* ---- cells */

static void
put_ms(struct buf *b, const json_t *item, const char *key)
{
	if (json_is_number(json_object_get(item, key)))
		text_duration(b, cli_item_f64(item, key) * (double)NS_PER_MS);
	else
		buf_char(b, '-');
}

/* "12 (0.4%)" */
static void
put_errors(struct buf *b, const json_t *item)
{
	uint64_t errors = cli_item_u64(item, "error_count");
	buf_u64(b, errors);
	if (errors > 0)
		buf_printf(b, " (%.2g%%)", cli_item_f64(item, "error_rate") * 100.0);
}

static void
service_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "service", COLOR_CYAN);
}

static void
operation_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "operation", COLOR_NONE);
}

static void
spans_cell(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "span_count");
}

static void
errors_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	put_errors(&b, item);
	cell_buf(t, &b, cli_item_u64(item, "error_count") > 0 ? COLOR_RED : COLOR_NONE);
}

static void
p50_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	put_ms(&b, item, "p50_ms");
	cell_buf(t, &b, COLOR_NONE);
}

static void
p95_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	put_ms(&b, item, "p95_ms");
	cell_buf(t, &b, COLOR_NONE);
}

static const struct table_column summary_services[] = {
    {.title = "SERVICE", .keep = 90, .want = 24, .width_min = 12, .cell = service_cell},
    {.title = "SPANS", .keep = 80, .right = true, .cell = spans_cell},
    {.title = "ERRORS", .keep = 70, .right = true, .cell = errors_cell},
    {.title = "P50", .keep = 40, .right = true, .cell = p50_cell},
    {.title = "P95", .keep = 60, .right = true, .cell = p95_cell},
    {.title = NULL},
};

static const struct table_column summary_operations[] = {
    {.title = "SERVICE", .keep = 60, .want = 12, .width_min = 8, .cell = service_cell},
    {.title = "OPERATION", .keep = 90, .want = 20, .width_min = 12, .cell = operation_cell},
    {.title = "SPANS", .keep = 50, .right = true, .cell = spans_cell},
    {.title = "ERRORS", .keep = 80, .right = true, .cell = errors_cell},
    {.title = "P50", .keep = 40, .right = true, .cell = p50_cell},
    {.title = "P95", .keep = 70, .right = true, .cell = p95_cell},
    {.title = NULL},
};

/* ---- anomalies */

static void
severity_cell(struct table_text *t, const json_t *item)
{
	enum text_color color = cli_item_is(item, "severity", "critical") ? COLOR_RED
	    : cli_item_is(item, "severity", "warning")                    ? COLOR_YELLOW
	                                                                  : COLOR_DIM;
	cell_text(t, item, "severity", color);
}

static void
kind_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "kind", COLOR_NONE);
}

static void
size_cell(struct table_text *t, const json_t *item, const char *key)
{
	struct buf b = {0};
	double v = cli_item_f64(item, key);
	if (cli_item_is(item, "kind", "error_rate"))
		buf_printf(&b, "%.3g%%", v * 100.0);
	else if (cli_item_is(item, "kind", "latency_p95"))
		text_duration(&b, v * (double)NS_PER_MS);
	else
		buf_printf(&b, "%.0f spans", v);
	cell_buf(t, &b, COLOR_NONE);
}

static void
baseline_cell(struct table_text *t, const json_t *item)
{
	size_cell(t, item, "baseline");
}

static void
current_cell(struct table_text *t, const json_t *item)
{
	size_cell(t, item, "current");
}

static void
description_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "description", COLOR_DIM);
}

const struct table_column cli_anomaly_columns[] = {
    {.title = "SEVERITY", .keep = 85, .cell = severity_cell},
    {.title = "SERVICE",
        .keep = 90,
        .want = 16,
        .width_min = 8,
        .param = "service",
        .cell = service_cell},
    {.title = "KIND", .keep = 80, .cell = kind_cell},
    {.title = "BASELINE", .keep = 65, .right = true, .cell = baseline_cell},
    {.title = "NOW", .keep = 70, .right = true, .cell = current_cell},
    {.title = "DESCRIPTION", .keep = 30, .want = 30, .cell = description_cell},
    {.title = NULL},
};

/* ---- lines */

/* Text, which is made harmless and cut to the width. */
static void
put_line(struct buf *out, struct buf *text, enum text_color color, const struct cli_style *style)
{
	struct buf clean = {0};
	text_clean(&clean, buf_view(text), style->utf8);
	text_color_on(out, style, color);
	text_fit(out, buf_view(&clean), style->width > 0 ? style->width : SIZE_MAX, style->utf8);
	text_color_off(out, style, color);
	buf_char(out, '\n');
	buf_fini(&clean);
	buf_reset(text);
}

/* One that begins with a label; too long, it goes on behind a comma on the next line. */
static void
put_labelled(struct buf *out, struct buf *text, enum text_color color,
    const struct cli_style *style)
{
	struct buf line = {0};
	size_t max = style->width > 0 ? style->width : SIZE_MAX;
	struct str rest = buf_view(text);
	while (rest.len > 0) {
		const char *comma = memmem(rest.ptr, rest.len, ", ", 2);
		struct str part = {rest.ptr, comma ? (size_t)(comma - rest.ptr) + 1 : rest.len};
		if (line.len + 1 + part.len > max && line.len > LABEL_WIDTH) {
			put_line(out, &line, color, style);
			text_spaces(&line, LABEL_WIDTH - 1);
		}
		if (line.len > 0)
			buf_char(&line, ' ');
		buf_str(&line, part);
		rest = str_skip(rest, part.len + (comma ? 1 : 0));
	}
	put_line(out, &line, color, style);
	buf_fini(&line);
	buf_reset(text);
}

static void
begin_line(struct buf *line, const char *label)
{
	buf_printf(line, "%-*s", LABEL_WIDTH, label);
}

static void
put_number(struct buf *line, const json_t *of, const char *key, const char *what)
{
	buf_printf(line, "%llu%s", (unsigned long long)cli_item_u64(of, key), what);
}

static void
put_title(struct buf *out, const char *title, const struct cli_style *style)
{
	struct buf line = {0};
	buf_char(out, '\n');
	buf_str(&line, str_from(title));
	put_line(out, &line, COLOR_BOLD, style);
	buf_fini(&line);
}

static void
put_table(struct buf *out, const char *title, const struct table_view *view, const json_t *items,
    const struct cli_style *style)
{
	if (json_array_size(items) == 0)
		return;
	put_title(out, title, style);
	table_draw(out, view, items, style, NULL, NULL);
}

/* "12:00:03 to 13:00:03 UTC" */
static void
put_times(struct buf *line, const json_t *of, const char *from, const char *to,
    const struct cli_style *style)
{
	text_time(line, cli_item_u64(of, from), style->now_unix_ns);
	buf_str(line, STR(" to "));
	text_time(line, cli_item_u64(of, to), style->now_unix_ns);
	buf_str(line, STR(" UTC"));
}

/* ---- the summary */

static void
put_spans(struct buf *out, const json_t *traces, const struct cli_style *style)
{
	static const char *const quantiles[][2] = {{"avg_ms", "avg "}, {"p50_ms", ", p50 "},
	    {"p95_ms", ", p95 "}, {"p99_ms", ", p99 "}, {"max_ms", ", max "}};
	struct buf line = {0};
	bool exact = !json_is_false(json_object_get(traces, "trace_count_exact"));
	begin_line(&line, "spans");
	put_number(&line, traces, "span_count", exact ? " in " : " in about ");
	put_number(&line, traces, "trace_count", " traces, ");
	put_errors(&line, traces);
	buf_str(&line, STR(" errors"));
	bool errors = cli_item_u64(traces, "error_count") > 0;
	put_labelled(out, &line, errors ? COLOR_RED : COLOR_NONE, style);
	begin_line(&line, "durations");
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		buf_str(&line, str_from(quantiles[i][1]));
		put_ms(&line, traces, quantiles[i][0]);
	}
	put_labelled(out, &line, COLOR_NONE, style);
	buf_fini(&line);
}

static void
put_logs(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	const json_t *logs = json_object_get(answer, "logs");
	const json_t *metrics = json_object_get(answer, "metrics");
	struct buf line = {0};
	begin_line(&line, "logs");
	put_number(&line, logs, "total", ": ");
	put_number(&line, logs, "error", " error, ");
	put_number(&line, logs, "warn", " warn, ");
	put_number(&line, logs, "info", " info, ");
	put_number(&line, logs, "debug", " debug, ");
	put_number(&line, logs, "unspecified", " other");
	put_labelled(out, &line, COLOR_NONE, style);
	begin_line(&line, "metrics");
	put_number(&line, metrics, "point_count", " points of ");
	put_number(&line, metrics, "unique_names", " metrics");
	put_labelled(out, &line, COLOR_NONE, style);
	buf_fini(&line);
}

static void
draw_summary(struct buf *out, json_t *answer, const struct cli_style *style)
{
	static const struct table_view services = {"summary", "services", summary_services, NULL};
	static const struct table_view operations = {
	    "summary", "operations", summary_operations, NULL};
	struct buf line = {0};
	begin_line(&line, "window");
	put_times(&line, answer, "from_unix_nano", "to_unix_nano", style);
	buf_str(&line, STR(", "));
	put_number(&line, answer, "service_count",
	    cli_item_u64(answer, "service_count") == 1 ? " service" : " services");
	put_labelled(out, &line, COLOR_NONE, style);
	put_spans(out, json_object_get(answer, "traces"), style);
	put_logs(out, answer, style);
	put_table(out, "Busiest services", &services, json_object_get(answer, "top_services"),
	    style);
	put_table(out, "Most errors", &operations, json_object_get(answer, "top_error_operations"),
	    style);
	put_table(out, "Slowest", &operations, json_object_get(answer, "slowest_operations"),
	    style);
	if (json_is_true(json_object_get(answer, "truncated"))) {
		buf_str(&line,
		    STR("too many services or operations to count each: some are in the totals only"));
		put_line(out, &line, COLOR_YELLOW, style);
	}
	buf_fini(&line);
}

/* ---- all about a trace */

static bool
is_cut(const json_t *answer, const char *part)
{
	const json_t *parts = json_object_get(answer, "truncated_parts");
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const char *name = json_string_value(json_array_get(parts, i));
		if (name && strcmp(name, part) == 0)
			return true;
	}
	return false;
}

static void
put_linked(struct buf *out, const json_t *l, const struct cli_style *style)
{
	struct buf line = {0};
	uint64_t to = cli_item_u64(l, "links_to"), from = cli_item_u64(l, "links_from");
	const json_t *first = json_object_get(l, "first_span");
	buf_printf(&line, "%s ", to > 0 && from > 0 ? "to and from" : to > 0 ? "to" : "from");
	buf_str(&line, cli_item_str(l, "trace_id"));
	if (json_is_object(first)) {
		struct str operation = cli_item_str(first, "operation");
		operation.len = text_head(operation, CELL_BYTES_MAX);
		buf_str(&line, STR("  "));
		buf_str(&line, cli_item_str(first, "service"));
		buf_str(&line, STR(": "));
		buf_str(&line, operation);
		buf_str(&line, STR(", "));
		text_age(&line, cli_item_u64(first, "start_time_unix_nano"), style->now_unix_ns);
	} else {
		buf_str(&line, STR("  (not here)"));
	}
	put_line(out, &line, COLOR_NONE, style);
	buf_fini(&line);
}

static void
put_cut(struct buf *out, const json_t *answer, const char *part, const char *what,
    const struct cli_style *style)
{
	struct buf line = {0};
	if (!is_cut(answer, part))
		return;
	buf_printf(&line, "there are more %s: raise -n", what);
	put_line(out, &line, COLOR_YELLOW, style);
	buf_fini(&line);
}

static void
draw_correlation(struct buf *out, json_t *answer, const struct cli_style *style)
{
	const json_t *points = json_object_get(answer, "metrics");
	const json_t *linked = json_object_get(answer, "linked_traces");
	struct buf title = {0};
	/* The tree knows of its spans only. */
	json_object_set_new(answer, "truncated", json_boolean(is_cut(answer, "spans")));
	cli_draw_tree(out, answer, answer, NULL, false, style);
	put_cut(out, answer, "logs", "log records", style);
	buf_str(&title, STR("Metrics of its services, "));
	put_times(&title, answer, "metrics_from_unix_nano", "metrics_to_unix_nano", style);
	buf_char(&title, '\0');
	put_table(out, title.ptr, cli_view_of("metrics"), points, style);
	put_cut(out, answer, "metrics", "points", style);
	if (json_array_size(linked) > 0)
		put_title(out, "Linked traces", style);
	for (size_t i = 0; i < json_array_size(linked); i++)
		put_linked(out, json_array_get(linked, i), style);
	put_cut(out, answer, "linked_traces", "linked traces", style);
	buf_fini(&title);
}

static const struct {
	const char *op, *member; /* which such an answer has */
	void (*draw)(struct buf *out, json_t *answer, const struct cli_style *style);
} drawers[] = {
    {"summary", "traces", draw_summary},
    {"correlate", "spans", draw_correlation},
    {"workflow", "steps", cli_draw_workflow},
    {"compare", "steps", cli_draw_comparison},
};

enum err_code
cli_draw_whole(struct buf *out, const struct op *op, json_t *answer, const struct cli_style *style,
    struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(drawers); i++) {
		if (strcmp(drawers[i].op, op->name) != 0)
			continue;
		if (!json_object_get(answer, drawers[i].member))
			break;
		drawers[i].draw(out, answer, style);
		return ERR_OK;
	}
	return err_set(err, ERR_CORRUPT, "the server's answer is none of %s", op->name);
}
