/* SPDX-License-Identifier: Apache-2.0 */
/* Traces, found by their spans and summed up whole, and counts over time. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "tests/test.h"

#include <string.h>

#define NOW CONFORMANCE_NOW_NS

/* ---- traces */

struct plain_span {
	uint64_t trace, id, parent;
	int64_t start_s, end_s; /* after NOW; an end of 0: none */
	const char *service, *name;
	int32_t status;
};

static const struct plain_span plain_spans[] = {
    {1, 1, 0, 10, 20, "shop", "GET /", 0},
    {1, 2, 1, 11, 15, "db", "query", 2},
    {1, 3, 1, 12, 25, "db", "query", 0}, /* longer than its root */
    {2, 4, 9, 14, 16, "cart", "add", 0}, /* its root is missing */
    {2, 5, 9, 13, 14, "cart", "look", 1},
    {3, 6, 0, 30, 0, "shop", "GET /x", 0}, /* has not ended */
    {4, 7, 0, 5, 6, "shop", "second", 0},
    {4, 8, 0, 5, 7, "pay", "first", 2},
    {4, 9, 7, 2, 3, "pay", "early", 0},
    {5, 10, 0, 12, 13, "shop", "query", 0},
};

/* Each span is a batch: its seq is its place + 1. */
static void
put_plain_spans(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t i = 0; i < ARRAY_LEN(plain_spans); i++) {
		const struct plain_span *p = &plain_spans[i];
		batch_reset(&b);
		b.last_seq = i + 1;
		struct table *t = &b.tables[TABLE_SPANS];
		uint64_t start_ns = NOW + (uint64_t)p->start_s * NS_PER_S;
		size_t row = store_conformance_row(&b, TABLE_SPANS, "acme", 0, start_ns);
		uint64_t end_ns = p->end_s ? NOW + (uint64_t)p->end_s * NS_PER_S : 0;
		table_set_u64(t, row, SPAN_TRACE_HI, 7);
		table_set_u64(t, row, SPAN_TRACE_LO, p->trace);
		table_set_u64(t, row, SPAN_SPAN_ID, p->id);
		table_set_u64(t, row, SPAN_PARENT_ID, p->parent);
		table_set_i64(t, row, SPAN_DURATION_NS, (int64_t)(end_ns - start_ns));
		table_set_str(t, row, SPAN_SERVICE, str_from(p->service));
		table_set_str(t, row, SPAN_NAME, str_from(p->name));
		table_set_i32(t, row, SPAN_STATUS_CODE, p->status);
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
}

/* The ids of the traces in the answer as digits, in its order; a page of row_max after the other. */
static void
check_traces(struct store *s, struct store_query q, const char *want)
{
	for (size_t page = 1; page <= 6; page++) {
		char ids[16] = "";
		size_t count = 0;
		q.row_max = page;
		q.after = (struct store_cursor){0};
		for (bool more = true; more;) {
			struct arena arena = {0};
			struct store_result r;
			store_conformance_ask(s, &q, &arena, &r);
			assert_true(r.rows.row_count <= page);
			assert_true(!r.more || r.rows.row_count == page);
			for (size_t i = 0; i < r.rows.row_count; i++) {
				assert_int_equal(table_u64(&r.rows, i, TRACE_HI), 7);
				assert_true(count < sizeof(ids) - 1);
				ids[count++] = (char)('0' + table_u64(&r.rows, i, TRACE_LO));
			}
			more = r.more;
			q.after = r.next;
			arena_fini(&arena);
		}
		if (strcmp(ids, want) != 0)
			fail_msg("pages of %zu: \"%s\", not \"%s\"", page, ids, want);
	}
}

struct traces_case {
	struct store_query q; /* its kind, tenant and deadline are filled in; to_ns 0: no end */
	const char *ids;
};

static void
check_cases(struct store *s, const struct traces_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct store_query q = cases[i].q,
		                   common = store_conformance_question(STORE_TRACES, "acme");
		q.kind = STORE_TRACES;
		q.tenant = common.tenant;
		q.to_ns = q.to_ns ? q.to_ns : UINT64_MAX;
		q.deadline_mono_ns = common.deadline_mono_ns;
		check_traces(s, q, cases[i].ids);
	}
}

void
store_conformance_traces_are_in_the_order_of_their_newest_match(struct store *s)
{
	static const struct traces_case cases[] = {
	    {{.from_ns = 0}, "32514"}, /* newest starts: 30 14 12 12 5 */
	    {{.service = {"shop", 4}}, "3514"},
	    {{.service = {"db", 2}}, "1"},
	    {{.name = {"query", 5}}, "51"},
	    {{.operation = {"e", 1}}, "514"},
	    {{.roots_only = true}, "3514"},
	    {{.has_status = true, .status_code = 2}, "14"},
	    {{.from_ns = NOW + 11 * NS_PER_S, .to_ns = NOW + 13 * NS_PER_S}, "51"},
	    {{.from_ns = NOW, .to_ns = NOW + 3 * NS_PER_S}, "4"},
	    {{.has_trace_duration_min = true, .trace_duration_min_ns = 3 * NS_PER_S}, "214"},
	    {{.has_trace_duration_min = true, .trace_duration_min_ns = 3 * NS_PER_S + 1}, "14"},
	    {{.has_trace_duration_max = true, .trace_duration_max_ns = NS_PER_S}, "35"},
	    {{.has_trace_duration_max = true, .trace_duration_max_ns = 0}, "3"},
	    {{.trace_spans_min = 2}, "214"},
	    {{.trace_spans_min = 3}, "14"},
	    {{.trace_spans_min = 4}, ""},
	    {{.has_trace_errors = true, .trace_errors = true}, "14"},
	    {{.has_trace_errors = true}, "325"},
	    {{.service = {"shop", 4}, .has_trace_errors = true, .trace_errors = true}, "14"},
	    {{.has_trace_id = true, .trace_hi = 7, .trace_lo = 2}, "2"},
	    {{.has_trace_id = true, .trace_hi = 7, .trace_lo = 9}, ""},
	};
	put_plain_spans(s);
	check_cases(s, cases, ARRAY_LEN(cases));
	struct store_query foreign = store_conformance_question(STORE_TRACES, "other");
	check_traces(s, foreign, "");
}

enum { MANY_TRACES = 2100, RARE_EACH = 700 };

static void
put_many_span(struct batch *b, uint64_t trace, uint64_t start_ns, const char *name, int32_t status)
{
	struct table *t = &b->tables[TABLE_SPANS];
	size_t row = store_conformance_row(b, TABLE_SPANS, "acme", t->row_count, start_ns);
	table_set_u64(t, row, SPAN_TRACE_HI, 7);
	table_set_u64(t, row, SPAN_TRACE_LO, trace);
	table_set_u64(t, row, SPAN_SPAN_ID, b->last_seq << 20 | (row + 1));
	table_set_i64(t, row, SPAN_DURATION_NS, (int64_t)NS_PER_S);
	table_set_str(t, row, SPAN_SERVICE, STR("shop"));
	table_set_str(t, row, SPAN_NAME, str_from(name));
	table_set_i32(t, row, SPAN_STATUS_CODE, status);
}

/* Traces of one span, a second after the other; each RARE_EACH-th, which are called 1, 2 ..., gets another one, an
 * error that is newer, in a batch at the end. */
static void
put_many_traces(struct store *s)
{
	struct batch b;
	uint64_t seq = 0;
	batch_init(&b, 0);
	for (uint64_t i = 1; i <= MANY_TRACES;) {
		batch_reset(&b);
		b.last_seq = ++seq;
		for (int n = 0; n < 500 && i <= MANY_TRACES; n++, i++)
			put_many_span(&b, i % RARE_EACH ? 10 + i : i / RARE_EACH,
			    NOW + i * NS_PER_S, "one", 0);
		store_conformance_put(s, &b);
	}
	batch_reset(&b);
	b.last_seq = ++seq;
	for (uint64_t r = 1; r <= MANY_TRACES / RARE_EACH; r++)
		put_many_span(&b, r, NOW + (r * RARE_EACH + 2) * NS_PER_S, "two", 2);
	store_conformance_put(s, &b);
	batch_fini(&b);
}

void
store_conformance_rare_traces_are_found_among_many(struct store *s)
{
	static const struct traces_case cases[] = {
	    {{.has_trace_errors = true, .trace_errors = true}, "321"},
	    {{.has_trace_errors = true, .trace_errors = true, .name = {"one", 3}}, "321"},
	    {{.trace_spans_min = 2, .to_ns = NOW + 2 * RARE_EACH * NS_PER_S}, "1"},
	    {{.trace_spans_min = 2, .to_ns = NOW + 2 * RARE_EACH * NS_PER_S + 1}, "21"},
	    {{.has_trace_duration_min = true, .trace_duration_min_ns = 3 * NS_PER_S}, "321"},
	    {{.trace_spans_min = 3}, ""},
	};
	put_many_traces(s);
	check_cases(s, cases, ARRAY_LEN(cases));
}

void
store_conformance_traces_are_summed_up_whole(struct store *s)
{
	static const struct {
		uint64_t lo, start_s, end_s, spans, errors, matched, root, place_s;
		const char *root_service, *root_name, *services;
		bool missing;
	} want[] = {
	    {5, 12, 13, 1, 0, 1, 10, 12, "shop", "query",
	        "[{\"name\":\"shop\",\"span_count\":1,\"error_count\":0}]", false},
	    {1, 10, 25, 3, 1, 2, 1, 12, "shop", "GET /",
	        "[{\"name\":\"db\",\"span_count\":2,\"error_count\":1},{\"name\":\"shop\",\"span_count\":1,\"error_count\":0}]",
	        false},
	    {2, 13, 16, 2, 0, 1, 5, 13, "cart", "look",
	        "[{\"name\":\"cart\",\"span_count\":2,\"error_count\":0}]", true},
	    {4, 2, 7, 3, 1, 3, 7, 5, "shop", "second",
	        "[{\"name\":\"pay\",\"span_count\":2,\"error_count\":1},{\"name\":\"shop\",\"span_count\":1,\"error_count\":0}]",
	        false},
	};
	struct arena arena = {0};
	struct store_result r;
	put_plain_spans(s);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct store_query q = store_conformance_question(STORE_TRACES, "acme");
		q.has_trace_id = true;
		q.trace_hi = 7;
		q.trace_lo = want[i].lo;
		q.to_ns = NOW + 14 * NS_PER_S;
		q.from_ns = want[i].lo == 1 ? NOW + 11 * NS_PER_S
		                            : 0; /* the rest is the trace's all the same */
		store_conformance_ask(s, &q, &arena, &r);
		assert_int_equal(r.rows.row_count, 1);
		const struct table *t = &r.rows;
		assert_true(table_u64(t, 0, TRACE_START_NS) == NOW + want[i].start_s * NS_PER_S);
		assert_true(table_u64(t, 0, TRACE_END_NS) == NOW + want[i].end_s * NS_PER_S);
		assert_int_equal(table_u64(t, 0, TRACE_SPAN_COUNT), want[i].spans);
		assert_int_equal(table_u64(t, 0, TRACE_ERROR_COUNT), want[i].errors);
		assert_int_equal(table_u64(t, 0, TRACE_MATCHED), want[i].matched);
		assert_int_equal(table_u64(t, 0, TRACE_ROOT_ID), want[i].root);
		assert_int_equal(table_bool(t, 0, TRACE_ROOT_MISSING), want[i].missing);
		assert_true(table_u64(t, 0, TRACE_PLACE_NS) == NOW + want[i].place_s * NS_PER_S);
		assert_true(str_eq(table_str(t, 0, TRACE_ROOT_SERVICE),
		    str_from(want[i].root_service)));
		assert_true(str_eq(table_str(t, 0, TRACE_ROOT_NAME), str_from(want[i].root_name)));
		assert_true(str_eq(table_str(t, 0, TRACE_SERVICES), str_from(want[i].services)));
		assert_int_equal(r.resources.row_count + r.scopes.row_count, 0);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

/* ---- counts */

static void
check_counts(struct store *s, struct store_query q, uint64_t first_s, uint64_t width_ns,
    const uint64_t *counts, size_t count)
{
	struct arena arena = {0};
	struct store_result r;
	struct store_query common = store_conformance_question(STORE_COUNTS, "acme");
	q.kind = STORE_COUNTS;
	q.tenant = common.tenant;
	q.row_max = 0;
	q.to_ns = q.to_ns ? q.to_ns : UINT64_MAX;
	q.deadline_mono_ns = common.deadline_mono_ns;
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t from = NOW + first_s * NS_PER_S + i * width_ns;
		assert_true(table_u64(&r.rows, i, BUCKET_FROM_NS) == from);
		assert_true(table_u64(&r.rows, i, BUCKET_TO_NS) == from + width_ns);
		if (table_u64(&r.rows, i, BUCKET_COUNT) != counts[i])
			fail_msg("bucket %zu has %d, not %d", i,
			    (int)table_u64(&r.rows, i, BUCKET_COUNT), (int)counts[i]);
	}
	arena_fini(&arena);
}

#define COUNTS(...)                                                                                \
	(const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

void
store_conformance_counts_over_time_add_up(struct store *s)
{
	put_plain_spans(s);
	struct store_query q = {.counted = STORE_SPANS, .bucket_count = 3};
	q.from_ns = NOW;
	q.to_ns = NOW + 30 * NS_PER_S;
	check_counts(s, q, 0, 10 * NS_PER_S, COUNTS(3, 6, 0));
	q.to_ns++;
	check_counts(s, q, 0, 10 * NS_PER_S + 1, COUNTS(4, 5, 1));
	/* From the first hit to the last one. */
	q = (struct store_query){.counted = STORE_SPANS, .bucket_count = 4};
	check_counts(s, q, 2, 7 * NS_PER_S + 1, COUNTS(3, 6, 0, 1));
	q.service = STR("db");
	check_counts(s, q, 11, NS_PER_S / 4 + 1, COUNTS(1, 0, 0, 1));
	q.bucket_count = 1;
	check_counts(s, q, 11, NS_PER_S + 1, COUNTS(2));
	q.until_ns = NOW + 15 * NS_PER_S; /* later than the last hit */
	check_counts(s, q, 11, 4 * NS_PER_S, COUNTS(2));
	q.until_ns = NOW + 11 * NS_PER_S; /* earlier */
	check_counts(s, q, 11, NS_PER_S + 1, COUNTS(2));
	/* One hit: one bucket, a nanosecond long. */
	q = (struct store_query){.counted = STORE_SPANS, .bucket_count = 100, .name = STR("early")};
	check_counts(s, q, 2, 1, COUNTS(1));
	/* Nothing. */
	q = (struct store_query){.counted = STORE_SPANS, .bucket_count = 5, .service = STR("none")};
	check_counts(s, q, 0, 0, NULL, 0);
	q.until_ns = NOW;
	check_counts(s, q, 0, 0, NULL, 0);
	q.from_ns = NOW;
	q.until_ns = NOW + 10 * NS_PER_S;
	check_counts(s, q, 0, 2 * NS_PER_S, COUNTS(0, 0, 0, 0, 0));
	q.to_ns = NOW + 5 * NS_PER_S;
	check_counts(s, q, 0, NS_PER_S, COUNTS(0, 0, 0, 0, 0));
	/* No such rows at all. */
	q = (struct store_query){.counted = STORE_LOGS, .bucket_count = 5};
	check_counts(s, q, 0, 0, NULL, 0);
	/* Traces, at their newest span that matches: 12, 14, 30, 5, 12. */
	q = (struct store_query){.counted = STORE_TRACES, .bucket_count = 3, .from_ns = NOW};
	q.to_ns = NOW + 30 * NS_PER_S + 3;
	check_counts(s, q, 0, 10 * NS_PER_S + 1, COUNTS(1, 3, 1));
	q = (struct store_query){
	    .counted = STORE_TRACES, .bucket_count = 1, .has_trace_errors = true};
	check_counts(s, q, 12, 18 * NS_PER_S + 1, COUNTS(3));
	q.trace_spans_min = 2;
	check_counts(s, q, 14, 1, COUNTS(1));
	q.trace_spans_min = 4;
	check_counts(s, q, 0, 0, NULL, 0);
}
