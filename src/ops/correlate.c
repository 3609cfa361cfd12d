/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `correlate`: all that there is about one trace, in one answer. Its spans; its log records; the points of the services
 * it touches, while it went on and one interval of collecting before and after; and the traces that it is linked to,
 * by links of its spans or of theirs. Links of others are looked for in spans that start within an hour of it, or as
 * link_window says, for what is older than all that was kept would have to be read.
 *
 * Each list has its own limit, and `truncated_parts` names those that were cut. Every part is a question of a store, so
 * that many stores answer it as one does.
 */
#include "ops/ops_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"

#include <stdlib.h>

enum { PADDING_S = 60, LINK_WINDOW_S = 3600, LINKED_MAX = 100 };

struct linked { /* another trace */
	uint64_t hi, lo;
	uint64_t to, from; /* links from here to it, and from it to here */
	struct store_result first; /* its first span; no row: it is not there */
};

struct correlating {
	const struct op_context *ctx;
	uint64_t hi, lo;
	size_t limit;
	struct ops_trace_head head;
	struct store_result spans, logs, points, linking;
	uint64_t points_from_ns, points_to_ns;
	bool some_services; /* there are too many to ask for all */
	struct linked *linked;
	size_t linked_count;
	bool more_linked;
};

static uint64_t
add_ns(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - 1 - b ? UINT64_MAX - 1 : a + b;
}

static uint64_t
sub_ns(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* A question in the trace's time, this much wider. */
static struct store_query
question(const struct correlating *c, enum store_query_kind kind, uint64_t padding_ns)
{
	return (struct store_query){.kind = kind,
	    .tenant = c->ctx->tenant,
	    .from_ns = sub_ns(c->head.start_ns, padding_ns),
	    .to_ns = add_ns(add_ns(c->head.end_ns, padding_ns), 1),
	    .row_max = c->limit,
	    .deadline_mono_ns = c->ctx->deadline_mono_ns};
}

static enum err_code
ask(const struct correlating *c, const struct store_query *q, struct store_result *out,
    struct err *err)
{
	return store_query(c->ctx->store, q, c->ctx->arena, out, err);
}

/* ---- parts */

static enum err_code
read_logs(struct correlating *c, struct err *err)
{
	struct store_query q = question(c, STORE_LOGS, 0);
	q.from_ns = 0;
	q.to_ns = UINT64_MAX;
	q.has_trace_id = true;
	q.trace_hi = c->hi;
	q.trace_lo = c->lo;
	return ask(c, &q, &c->logs, err);
}

static enum err_code
read_points(struct correlating *c, uint64_t padding_ns, struct err *err)
{
	struct store_query q = question(c, STORE_POINTS, padding_ns);
	c->points_from_ns = q.from_ns;
	c->points_to_ns = q.to_ns;
	q.services = c->head.services;
	q.service_count = c->head.service_count;
	c->some_services = q.service_count > STORE_SERVICES_MAX;
	if (c->some_services)
		q.service_count = STORE_SERVICES_MAX;
	return ask(c, &q, &c->points, err);
}

static enum err_code
read_linking(struct correlating *c, uint64_t window_ns, struct err *err)
{
	struct store_query q = question(c, STORE_SPANS, window_ns);
	q.has_link = true;
	q.link_hi = c->hi;
	q.link_lo = c->lo;
	return ask(c, &q, &c->linking, err);
}

/* ---- linked traces */

static struct linked *
linked_of(struct correlating *c, uint64_t hi, uint64_t lo)
{
	if ((hi == c->hi && lo == c->lo) || (hi == 0 && lo == 0))
		return NULL;
	for (size_t i = 0; i < c->linked_count; i++)
		if (c->linked[i].hi == hi && c->linked[i].lo == lo)
			return &c->linked[i];
	if (c->linked_count == LINKED_MAX) {
		c->more_linked = true;
		return NULL;
	}
	struct linked *l = &c->linked[c->linked_count++];
	*l = (struct linked){.hi = hi, .lo = lo};
	return l;
}

static bool
id_of(struct str hex, uint64_t *hi, uint64_t *lo)
{
	return hex.len == 32 && hex_to_u64(hex.ptr, 16, hi) && hex_to_u64(hex.ptr + 16, 16, lo);
}

static bool
link_to(void *ctx, struct str trace_id, struct str span_id)
{
	struct correlating *c = ctx;
	uint64_t hi, lo;
	(void)span_id;
	struct linked *l = id_of(trace_id, &hi, &lo) ? linked_of(c, hi, lo) : NULL;
	if (l)
		l->to++;
	return true;
}

struct link_count {
	uint64_t hi, lo, count;
};

static bool
count_link(void *ctx, struct str trace_id, struct str span_id)
{
	struct link_count *n = ctx;
	uint64_t hi, lo;
	(void)span_id;
	n->count += id_of(trace_id, &hi, &lo) && hi == n->hi && lo == n->lo;
	return true;
}

/* Whose links are to this trace; a span may only look as if it had one. */
static enum err_code
link_from(struct correlating *c, size_t row, struct err *err)
{
	const struct table *t = &c->linking.rows;
	struct link_count n = {c->hi, c->lo, 0};
	enum err_code code =
	    ops_each_link(table_str(t, row, SPAN_LINKS), c->ctx->arena, count_link, &n, err);
	struct linked *l = code == ERR_OK && n.count > 0
	    ? linked_of(c, table_u64(t, row, SPAN_TRACE_HI), table_u64(t, row, SPAN_TRACE_LO))
	    : NULL;
	if (l)
		l->from += n.count;
	return code;
}

static enum err_code
find_linked(struct correlating *c, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < c->spans.rows.row_count && !code; i++)
		code = ops_each_link(table_str(&c->spans.rows, i, SPAN_LINKS), c->ctx->arena,
		    link_to, c, err);
	for (size_t i = 0; i < c->linking.rows.row_count && !code; i++)
		code = link_from(c, i, err);
	for (size_t i = 0; i < c->linked_count && !code; i++) {
		struct store_query q = {.kind = STORE_TRACE,
		    .tenant = c->ctx->tenant,
		    .to_ns = UINT64_MAX,
		    .row_max = 1,
		    .has_trace_id = true,
		    .trace_hi = c->linked[i].hi,
		    .trace_lo = c->linked[i].lo,
		    .deadline_mono_ns = c->ctx->deadline_mono_ns};
		code = ask(c, &q, &c->linked[i].first, err);
	}
	return code;
}

static int
by_id(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;
	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void
write_linked(struct json_writer *w, const struct linked *l)
{
	const struct table *t = &l->first.rows;
	jsonw_object(w);
	ops_write_trace_id(w, "trace_id", l->hi, l->lo);
	ops_write_u64(w, "links_to", l->to);
	ops_write_u64(w, "links_from", l->from);
	jsonw_key(w, "first_span");
	if (t->row_count == 0) {
		jsonw_null(w);
	} else {
		jsonw_object(w);
		ops_write_text(w, "service", table_str(t, 0, SPAN_SERVICE));
		ops_write_text(w, "operation", table_str(t, 0, SPAN_NAME));
		ops_write_time(w, "start_time", "start_time_unix_nano",
		    table_u64(t, 0, SPAN_START_NS));
		jsonw_object_end(w);
	}
	jsonw_object_end(w);
}

/* ---- the answer */

static void
write_truncated(struct json_writer *w, const struct correlating *c)
{
	const struct {
		const char *name;
		bool cut;
	} parts[] = {
	    {"spans", c->spans.more},
	    {"logs", c->logs.more},
	    {"metrics", c->points.more || c->some_services},
	    {"linked_traces", c->linking.more || c->more_linked},
	};
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		any = any || parts[i].cut;
	jsonw_key(w, "truncated");
	jsonw_bool(w, any);
	jsonw_key(w, "truncated_parts");
	jsonw_array(w);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].cut)
			jsonw_str(w, str_from(parts[i].name));
	jsonw_array_end(w);
}

static enum err_code
write_report(struct json_writer *w, struct correlating *c, struct err *err)
{
	jsonw_object(w);
	ops_trace_head_write(w, c->hi, c->lo, &c->head);
	ops_write_time(w, "metrics_from", "metrics_from_unix_nano", c->points_from_ns);
	ops_write_time(w, "metrics_to", "metrics_to_unix_nano", c->points_to_ns);
	write_truncated(w, c);
	enum err_code code = ops_write_rows(w, "spans", &c->spans, ops_span_write, err);
	if (!code)
		code = ops_write_rows(w, "logs", &c->logs, ops_log_write, err);
	if (!code)
		code = ops_write_rows(w, "metrics", &c->points, ops_point_write, err);
	jsonw_key(w, "linked_traces");
	jsonw_array(w);
	if (c->linked_count > 0)
		qsort(c->linked, c->linked_count, sizeof(*c->linked), by_id);
	for (size_t i = 0; i < c->linked_count && !code; i++)
		write_linked(w, &c->linked[i]);
	jsonw_array_end(w);
	jsonw_object_end(w);
	return code;
}

static enum err_code
read_spans(struct correlating *c, const struct op *op, const struct op_value *values,
    size_t value_count, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base ignored;
	enum err_code code =
	    ops_build_query(c->ctx, op, STORE_TRACE, values, value_count, &q, &ignored, err);
	if (code)
		return code;
	c->limit = q.row_max;
	c->hi = q.trace_hi;
	c->lo = q.trace_lo;
	/* When and where it went on is known from all spans only. */
	q.row_max = c->ctx->limits->results_max;
	code = ask(c, &q, &c->spans, err);
	if (!code && c->spans.rows.row_count == 0)
		code = err_set(err, ERR_NOT_FOUND, "no trace with id %016llx%016llx",
		    (unsigned long long)c->hi, (unsigned long long)c->lo);
	return code ? code : ops_trace_head(&c->spans.rows, c->ctx->arena, &c->head, err);
}

static uint64_t
span_of(const struct op *op, const struct op_value *values, size_t value_count, const char *name,
    uint64_t fallback_s)
{
	struct ops_parsed v;
	return ops_find_value(op, values, value_count, name, &v) ? v.lo : fallback_s * NS_PER_S;
}

enum err_code
ops_correlate(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct correlating c = {.ctx = ctx};
	enum err_code code = read_spans(&c, op, values, value_count, err);
	if (!code)
		code = read_logs(&c, err);
	if (!code)
		code = read_points(&c, span_of(op, values, value_count, "padding", PADDING_S), err);
	if (!code)
		code = read_linking(&c,
		    span_of(op, values, value_count, "link_window", LINK_WINDOW_S), err);
	if (code)
		return code;
	c.linked = xcalloc(LINKED_MAX, sizeof(*c.linked));
	code = find_linked(&c, err);
	if (!code) {
		struct json_writer w;
		json_writer_init(&w, json_out);
		code = write_report(&w, &c, err);
	}
	free(c.linked);
	return code;
}
