/* SPDX-License-Identifier: Apache-2.0 */
/* Traces the plainest way: all spans sorted by trace, each trace looked at by itself. */
#include "store/mem.h"

#include "model/typed.h"

#include <stdlib.h>

struct trace {
	size_t first, count; /* of the sorted spans */
	uint64_t start_ns, end_ns, errors, matched;
	const struct store_mem_span *root, *newest; /* newest: of those that match */
	bool root_missing;
};

static uint64_t
u64_of(const struct store_mem_span *s, int col)
{
	return table_u64(s->table, s->row, col);
}

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
by_trace_and_start(const void *a, const void *b)
{
	static const int cols[] = {SPAN_TRACE_HI, SPAN_TRACE_LO, SPAN_START_NS, SPAN_SPAN_ID};
	int order = 0;
	for (size_t i = 0; i < ARRAY_LEN(cols) && order == 0; i++)
		order = compare(u64_of(a, cols[i]), u64_of(b, cols[i]));
	return order;
}

static int
by_place(const struct store_mem_span *a, const struct store_mem_span *b)
{
	int order = compare(u64_of(a, SPAN_START_NS), u64_of(b, SPAN_START_NS));
	if (order == 0)
		order = compare(u64_of(a, SPAN_SEQ), u64_of(b, SPAN_SEQ));
	if (order == 0)
		order = compare(table_u32(a->table, a->row, SPAN_ORD),
		    table_u32(b->table, b->row, SPAN_ORD));
	return order;
}

static int
newest_first(const void *a, const void *b)
{
	const struct trace *x = a, *y = b;
	return by_place(y->newest, x->newest);
}

static bool
is_error(const struct store_mem_span *s)
{
	return table_i32(s->table, s->row, SPAN_STATUS_CODE) == 2;
}

/* Its spans stand in order of their start. */
static void
look_at(struct trace *t, const struct store_mem_span *spans)
{
	t->start_ns = u64_of(&spans[t->first], SPAN_START_NS);
	for (size_t i = t->first; i < t->first + t->count; i++) {
		const struct store_mem_span *s = &spans[i];
		uint64_t start = u64_of(s, SPAN_START_NS);
		uint64_t end = start + (uint64_t)table_i64(s->table, s->row, SPAN_DURATION_NS);
		t->end_ns = start > t->end_ns ? start : t->end_ns;
		t->end_ns = end > t->end_ns ? end : t->end_ns;
		t->errors += is_error(s);
		if (!t->root && u64_of(s, SPAN_PARENT_ID) == 0)
			t->root = s;
		if (!s->matches)
			continue;
		t->matched++;
		if (!t->newest || by_place(s, t->newest) > 0)
			t->newest = s;
	}
	t->root_missing = !t->root;
	if (!t->root)
		t->root = &spans[t->first];
}

static bool
is_wanted(const struct trace *t, const struct store_query *q)
{
	uint64_t duration = t->end_ns - t->start_ns;
	if (t->count < q->trace_spans_min)
		return false;
	if (q->has_trace_duration_min && duration < q->trace_duration_min_ns)
		return false;
	if (q->has_trace_duration_max && duration > q->trace_duration_max_ns)
		return false;
	return !q->has_trace_errors || q->trace_errors == (t->errors > 0);
}

/* Does it come behind the cursor? */
static bool
is_after(const struct trace *t, const struct store_cursor *c)
{
	uint64_t time_ns = u64_of(t->newest, SPAN_START_NS), seq = u64_of(t->newest, SPAN_SEQ);
	if (!c->set || time_ns != c->time_ns)
		return !c->set || time_ns < c->time_ns;
	if (seq != c->seq)
		return seq < c->seq;
	return table_u32(t->newest->table, t->newest->row, SPAN_ORD) < c->ord;
}

static int
compare_strs(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Each service's name once, sorted; then how many spans have it. */
static bool
put_services(const struct trace *t, const struct store_mem_span *spans, struct table *out,
    size_t row)
{
	struct str *names = xcalloc(t->count, sizeof(*names));
	struct buf json = {0};
	for (size_t i = 0; i < t->count; i++)
		names[i] =
		    table_str(spans[t->first + i].table, spans[t->first + i].row, SPAN_SERVICE);
	qsort(names, t->count, sizeof(*names), compare_strs);
	for (size_t i = 0; i < t->count; i++) {
		unsigned count = 0, errors = 0;
		if (i > 0 && str_eq(names[i], names[i - 1]))
			continue;
		for (size_t k = t->first; k < t->first + t->count; k++) {
			bool same =
			    str_eq(table_str(spans[k].table, spans[k].row, SPAN_SERVICE), names[i]);
			count += same;
			errors += same && is_error(&spans[k]);
		}
		buf_str(&json, i == 0 ? STR("[{\"name\":") : STR(",{\"name\":"));
		typed_put_string(&json, names[i]);
		buf_printf(&json, ",\"span_count\":%u,\"error_count\":%u}", count, errors);
	}
	buf_char(&json, ']');
	bool fits = table_copy_text(out, row, TRACE_SERVICES, buf_view(&json));
	buf_fini(&json);
	free(names);
	return fits;
}

static bool
put_trace(const struct trace *t, const struct store_mem_span *spans, struct table *out)
{
	size_t row = table_add_row(out);
	const struct store_mem_span *r = t->root;
	if (row == SIZE_MAX)
		return false;
	table_set_u64(out, row, TRACE_HI, u64_of(r, SPAN_TRACE_HI));
	table_set_u64(out, row, TRACE_LO, u64_of(r, SPAN_TRACE_LO));
	table_set_u64(out, row, TRACE_START_NS, t->start_ns);
	table_set_u64(out, row, TRACE_END_NS, t->end_ns);
	table_set_u64(out, row, TRACE_SPAN_COUNT, t->count);
	table_set_u64(out, row, TRACE_ERROR_COUNT, t->errors);
	table_set_u64(out, row, TRACE_MATCHED, t->matched);
	table_set_bool(out, row, TRACE_ROOT_MISSING, t->root_missing);
	table_set_u64(out, row, TRACE_ROOT_ID, u64_of(r, SPAN_SPAN_ID));
	table_set_i32(out, row, TRACE_ROOT_KIND, table_i32(r->table, r->row, SPAN_KIND));
	table_set_i32(out, row, TRACE_ROOT_STATUS, table_i32(r->table, r->row, SPAN_STATUS_CODE));
	table_set_u64(out, row, TRACE_PLACE_NS, u64_of(t->newest, SPAN_START_NS));
	table_set_u64(out, row, TRACE_PLACE_SEQ, u64_of(t->newest, SPAN_SEQ));
	table_set_u32(out, row, TRACE_PLACE_ORD,
	    table_u32(t->newest->table, t->newest->row, SPAN_ORD));
	return table_copy_text(out, row, TRACE_ROOT_SERVICE,
	           table_str(r->table, r->row, SPAN_SERVICE)) &&
	    table_copy_text(out, row, TRACE_ROOT_NAME, table_str(r->table, r->row, SPAN_NAME)) &&
	    put_services(t, spans, out, row);
}

bool
store_mem_traces(struct store_mem_span *spans, size_t count, const struct store_query *q,
    struct store_result *r)
{
	struct trace *traces = xcalloc(count + 1, sizeof(*traces));
	size_t n = 0;
	bool fits = true;
	if (count > 0)
		qsort(spans, count, sizeof(*spans), by_trace_and_start);
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first + 1; end < count &&
		    u64_of(&spans[end], SPAN_TRACE_HI) == u64_of(&spans[first], SPAN_TRACE_HI) &&
		    u64_of(&spans[end], SPAN_TRACE_LO) == u64_of(&spans[first], SPAN_TRACE_LO);)
			end++;
		traces[n] = (struct trace){.first = first, .count = end - first};
		look_at(&traces[n], spans);
		n +=
		    traces[n].newest && is_wanted(&traces[n], q) && is_after(&traces[n], &q->after);
	}
	if (n > 0)
		qsort(traces, n, sizeof(*traces), newest_first);
	r->more = n > q->row_max;
	n = r->more ? q->row_max : n;
	for (size_t i = 0; i < n && fits; i++)
		fits = put_trace(&traces[i], spans, &r->rows);
	if (r->more && fits)
		r->next = (struct store_cursor){u64_of(traces[n - 1].newest, SPAN_START_NS),
		    u64_of(traces[n - 1].newest, SPAN_SEQ),
		    table_u32(traces[n - 1].newest->table, traces[n - 1].newest->row, SPAN_ORD),
		    true};
	free(traces);
	return fits;
}
