/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `summary`: what happened in a window, on one page. A store gives sums (store/partial.h), here they become the answer; so
 * it does not depend on how many stores there are. Lists have a total order: what is equal goes by its name.
 */
#include "ops/ops_priv.h"

#include <stdlib.h>

enum { SLOW_SPANS_MIN = 5, P50 = 500, P95 = 950, P99 = 990 };

typedef int entry_order(const void *a, const void *b);

static int
by_key(const struct partial_entry *a, const struct partial_entry *b)
{
	int order = str_cmp(a->service, b->service);
	return order != 0 ? order : str_cmp(a->operation, b->operation);
}

static const struct partial_entry *
entry_at(const void *place)
{
	return *(const struct partial_entry *const *)place;
}

static int
most_spans_first(const void *a, const void *b)
{
	const struct partial_entry *x = entry_at(a), *y = entry_at(b);
	if (x->tally.spans != y->tally.spans)
		return x->tally.spans > y->tally.spans ? -1 : 1;
	return by_key(x, y);
}

static int
most_errors_first(const void *a, const void *b)
{
	const struct partial_entry *x = entry_at(a), *y = entry_at(b);
	if (x->tally.errors != y->tally.errors)
		return x->tally.errors > y->tally.errors ? -1 : 1;
	return by_key(x, y);
}

static int
slowest_first(const void *a, const void *b)
{
	const struct partial_entry *x = entry_at(a), *y = entry_at(b);
	double p = hist_quantile(&x->tally.durations, P95);
	double q = hist_quantile(&y->tally.durations, P95);
	if (p != q)
		return p > q ? -1 : 1;
	return by_key(x, y);
}

static bool
has_spans(const struct partial_entry *e)
{
	return e->tally.spans > 0;
}

static bool
has_errors(const struct partial_entry *e)
{
	return e->tally.errors > 0;
}

/* A quantile of fewer says little. */
static bool
has_durations(const struct partial_entry *e)
{
	return e->tally.durations.count >= SLOW_SPANS_MIN;
}

/* ---- members */

static void
write_duration_or_null(struct json_writer *w, const char *key, bool there, double ns)
{
	if (there) {
		ops_write_duration_ms(w, key, ns);
		return;
	}
	jsonw_key(w, key);
	jsonw_null(w);
}

static void
write_rate(struct json_writer *w, const struct partial_tally *t)
{
	jsonw_key(w, "error_rate");
	jsonw_f64(w, ops_rate(t->errors, t->spans));
}

static void
write_entry(struct json_writer *w, const struct partial_entry *e, bool operation)
{
	jsonw_object(w);
	ops_write_text(w, "service", e->service);
	if (operation)
		ops_write_text(w, "operation", e->operation);
	ops_write_u64(w, "span_count", e->tally.spans);
	ops_write_u64(w, "error_count", e->tally.errors);
	write_rate(w, &e->tally);
	ops_write_quantile(w, "p50_ms", &e->tally.durations, P50);
	ops_write_quantile(w, "p95_ms", &e->tally.durations, P95);
	jsonw_object_end(w);
}

/* The first of those that count. */
static void
write_top(struct json_writer *w, const char *key, const struct partial_map *m,
    bool (*counts)(const struct partial_entry *e), entry_order *order, size_t max)
{
	const struct partial_entry **list = xcalloc(m->count + 1, sizeof(*list));
	size_t count = 0;
	for (size_t i = 0; i < m->count; i++)
		if (counts(&m->entries[i]))
			list[count++] = &m->entries[i];
	qsort(list, count, sizeof(*list), order);
	jsonw_key(w, key);
	jsonw_array(w);
	for (size_t i = 0; i < count && i < max; i++)
		write_entry(w, list[i], m->has_operations);
	jsonw_array_end(w);
	free(list);
}

static void
write_traces(struct json_writer *w, const struct partial_window *v, const struct partial_tally *t)
{
	const struct hist *h = &t->durations;
	jsonw_key(w, "traces");
	jsonw_object(w);
	ops_write_u64(w, "span_count", t->spans);
	ops_write_u64(w, "trace_count", distinct_count(&v->traces));
	jsonw_key(w, "trace_count_exact");
	jsonw_bool(w, distinct_is_exact(&v->traces));
	ops_write_u64(w, "error_count", t->errors);
	write_rate(w, t);
	write_duration_or_null(w, "avg_ms", h->count > 0, hist_mean(h));
	write_duration_or_null(w, "max_ms", h->count > 0, (double)h->max);
	ops_write_quantile(w, "p50_ms", h, P50);
	ops_write_quantile(w, "p95_ms", h, P95);
	ops_write_quantile(w, "p99_ms", h, P99);
	jsonw_object_end(w);
}

static void
write_logs(struct json_writer *w, const struct partial_tally *t)
{
	uint64_t total = 0;
	for (int i = 0; i < PARTIAL_SEVERITIES; i++)
		total += t->logs[i];
	jsonw_key(w, "logs");
	jsonw_object(w);
	ops_write_u64(w, "total", total);
	ops_write_u64(w, "error", t->logs[PARTIAL_ERROR] + t->logs[PARTIAL_FATAL]);
	ops_write_u64(w, "warn", t->logs[PARTIAL_WARN]);
	ops_write_u64(w, "info", t->logs[PARTIAL_INFO]);
	ops_write_u64(w, "debug", t->logs[PARTIAL_DEBUG] + t->logs[PARTIAL_TRACE]);
	ops_write_u64(w, "unspecified", t->logs[PARTIAL_UNSPECIFIED]);
	jsonw_object_end(w);
}

static void
write_metrics(struct json_writer *w, const struct partial_window *v, const struct partial_tally *t)
{
	jsonw_key(w, "metrics");
	jsonw_object(w);
	ops_write_u64(w, "point_count", t->points);
	ops_write_u64(w, "unique_names", distinct_count(&v->names));
	jsonw_key(w, "unique_names_exact");
	jsonw_bool(w, distinct_is_exact(&v->names));
	jsonw_object_end(w);
}

static void
write_summary(struct json_writer *w, const struct ops_window *win, const struct partial *p)
{
	const struct partial_window *v = &p->windows[0];
	size_t max = win->q.row_max;
	struct partial_tally total;
	partial_total(&v->services, &total);
	jsonw_object(w);
	ops_write_seconds(w, "window_seconds", win->until_ns - win->q.from_ns);
	ops_window_write(w, win);
	write_traces(w, v, &total);
	ops_write_u64(w, "service_count", v->services.count);
	write_top(w, "top_services", &v->services, has_spans, most_spans_first, max);
	write_top(w, "top_error_operations", &v->operations, has_errors, most_errors_first, max);
	write_top(w, "slowest_operations", &v->operations, has_durations, slowest_first, max);
	write_logs(w, &total);
	write_metrics(w, v, &total);
	jsonw_key(w, "truncated");
	jsonw_bool(w, v->services.truncated || v->operations.truncated);
	jsonw_object_end(w);
	partial_tally_fini(&total);
}

enum err_code
ops_summary(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_window win;
	struct partial p;
	enum err_code code = ops_build_window(ctx, op, values, value_count, &win, err);
	if (code)
		return code;
	struct partial_scope scope = {
	    .want =
	        PARTIAL_SPANS | PARTIAL_OPERATIONS | PARTIAL_TRACES | PARTIAL_LOGS | PARTIAL_POINTS,
	    .service = win.q.service,
	    .windows = {{win.q.from_ns, win.q.to_ns}},
	    .window_count = 1,
	};
	partial_init(&p, &scope, ctx->limits->result_bytes_max);
	code = store_analyse(ctx->store, ctx->tenant, ctx->deadline_mono_ns, &p, err);
	if (code == ERR_OK) {
		struct json_writer w;
		json_writer_init(&w, json_out);
		partial_settle(&p);
		write_summary(&w, &win, &p);
	}
	partial_fini(&p);
	return code;
}
