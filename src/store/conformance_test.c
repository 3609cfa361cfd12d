/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define NOW CONFORMANCE_NOW_NS

void
store_conformance_empty_store_answers_with_nothing(struct store *s)
{
	assert_int_equal(store_position(s), 0);
	for (int kind = STORE_SPANS; kind <= STORE_TRACES; kind++) {
		struct store_query q =
		    store_conformance_question((enum store_query_kind)kind, "acme");
		struct arena arena = {0};
		struct store_result r;
		q.has_trace_id = true;
		store_conformance_ask(s, &q, &arena, &r);
		assert_int_equal(r.rows.row_count, 0);
		assert_non_null(r.rows.def);
		assert_int_equal(r.resources.row_count + r.scopes.row_count, 0);
		assert_false(r.more);
		arena_fini(&arena);
	}
	struct store_status status;
	store_status(s, &status);
	assert_true(status.ok);
	assert_int_equal(status.row_count, 0);
}

/* Every column of a row gets the smallest, a middling or the largest value of its kind. */
static void
set_extreme(struct table *t, size_t row, int col, int which, struct arena *arena)
{
	static const uint64_t u64s[] = {0, 1, UINT64_MAX};
	static const int64_t i64s[] = {INT64_MIN, -1, INT64_MAX};
	static const double f64s[] = {-0.0, 5e-324, 1.7976931348623157e308};
	static const struct str texts[] = {
	    {"", 0}, {"a\0b\xF0\x9F\x98\x80'\"\\\n", 12}, {NULL, 1 << 20}};
	struct str big = texts[which];
	switch (t->def->cols[col].kind) {
	case COL_U64: table_set_u64(t, row, col, u64s[which]); break;
	case COL_I64: table_set_i64(t, row, col, i64s[which]); break;
	case COL_U32: table_set_u32(t, row, col, (uint32_t)u64s[which]); break;
	case COL_I32:
		table_set_i32(t, row, col, (int32_t[]){INT32_MIN, 0, INT32_MAX}[which]);
		break;
	case COL_F64: table_set_f64(t, row, col, f64s[which]); break;
	case COL_BOOL: table_set_bool(t, row, col, which > 0); break;
	case COL_STR:
		if (!big.ptr) {
			char *text = arena_alloc(arena, big.len);
			assert_non_null(text);
			memset(text, 'x', big.len);
			big.ptr = text;
		}
		table_set_str(t, row, col, big);
		break;
	case COL_U64S:
		table_set_u64s(t, row, col, (struct u64s){u64s, (size_t)which + (which > 0)});
		break;
	case COL_F64S:
		table_set_f64s(t, row, col, (struct f64s){f64s, (size_t)which + (which > 0)});
		break;
	}
}

/* Rows 0 to 2 are extremes, row 3 is all NULL or zero but for its id, row 4 has NaN and the infinities. */
static void
fill_extremes(struct batch *b, enum table_id id, int tenant, int seq, int ord)
{
	struct table *t = &b->tables[id];
	for (int which = 0; which < 5; which++) {
		size_t row = table_add_row(t);
		assert_true(row != SIZE_MAX);
		for (size_t c = 0; c < t->def->col_count && which < 3; c++)
			set_extreme(t, row, (int)c, which, &b->arena);
		table_set_str(t, row, tenant, STR("acme"));
		table_set_u64(t, row, seq, 1);
		table_set_u32(t, row, ord, (uint32_t)which);
		if (id == TABLE_SPANS && which >= 3) /* the same ids would be the same span */
			table_set_u64(t, row, SPAN_SPAN_ID, (uint64_t)which);
	}
	for (int which = 0; which < 5 && id == TABLE_COMMENTS; which++)
		table_set_str(t, (size_t)which, COMMENT_ID, str_of(&"abcde"[which], 1));
	if (id != TABLE_POINTS)
		return;
	static const double specials[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
	table_set_f64(t, 4, POINT_VALUE, specials[0]);
	table_set_f64(t, 4, POINT_MIN, specials[2]);
	table_set_f64(t, 4, POINT_MAX, specials[1]);
	table_set_f64s(t, 4, POINT_BOUNDS, (struct f64s){specials, 3});
}

void
store_conformance_every_kind_of_value_comes_back(struct store *s)
{
	static const struct {
		enum store_query_kind kind;
		enum table_id id;
		int tenant, seq, ord;
	} signals[] = {
	    {STORE_SPANS, TABLE_SPANS, SPAN_TENANT, SPAN_SEQ, SPAN_ORD},
	    {STORE_LOGS, TABLE_LOGS, LOG_TENANT, LOG_SEQ, LOG_ORD},
	    {STORE_POINTS, TABLE_POINTS, POINT_TENANT, POINT_SEQ, POINT_ORD},
	    {STORE_COMMENTS, TABLE_COMMENTS, COMMENT_TENANT, COMMENT_SEQ, COMMENT_ORD},
	};
	struct batch b;
	batch_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		fill_extremes(&b, signals[i].id, signals[i].tenant, signals[i].seq, signals[i].ord);
	b.last_seq = 1;
	store_conformance_put(s, &b);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct arena arena = {0};
		struct store_result r;
		const struct table *sent = &b.tables[signals[i].id];
		store_conformance_all(s, signals[i].kind, STR("acme"), &arena, &r);
		assert_int_equal(r.rows.row_count, 5);
		for (size_t row = 0; row < 5; row++)
			store_conformance_same_row(&r.rows, row, sent,
			    table_u32(&r.rows, row, signals[i].ord));
		arena_fini(&arena);
	}
	batch_fini(&b);
}

void
store_conformance_position_follows_batches_without_rows_too(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	store_conformance_batch(&b, 1, 7, 5);
	store_conformance_put(s, &b);
	assert_int_equal(store_applied(s), 7);
	assert_true(store_position(s) <= 7);
	batch_reset(&b);
	b.last_seq = UINT64_MAX - 1;
	store_conformance_put(s, &b);
	assert_true(store_applied(s) == UINT64_MAX - 1);
	assert_true(store_position(s) <= UINT64_MAX - 1);
	struct store_status status;
	store_status(s, &status);
	assert_int_equal(status.row_count, 5);
	batch_fini(&b);
}

void
store_conformance_time_bounds_are_half_open(struct store *s)
{
	static const uint64_t times[] = {0, NOW - 401 * NS_PER_DAY, NOW - NS_PER_DAY,
	    NOW / NS_PER_DAY * NS_PER_DAY - 1, NOW / NS_PER_DAY * NS_PER_DAY, NOW,
	    NOW + 5 * NS_PER_DAY, UINT64_MAX};
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = 1;
	for (uint32_t i = 0; i < ARRAY_LEN(times); i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row = store_conformance_row(&b, TABLE_SPANS, "acme", i, times[i]);
		table_set_u64(t, row, SPAN_SPAN_ID, i + 1);
	}
	store_conformance_put(s, &b);
	for (size_t from = 0; from < ARRAY_LEN(times); from++)
		for (size_t to = 0; to <= ARRAY_LEN(times); to++) {
			struct store_query q = store_conformance_question(STORE_SPANS, "acme");
			q.from_ns = times[from];
			q.to_ns = to < ARRAY_LEN(times) ? times[to] : UINT64_MAX;
			unsigned want = 0;
			for (size_t i = from; i < ARRAY_LEN(times); i++)
				if (q.to_ns == UINT64_MAX || times[i] < q.to_ns)
					want |= 1U << i;
			assert_int_equal(store_conformance_mask(s, &q), want);
		}
	batch_fini(&b);
}

static void
fill_random(struct store *s, struct batch *b, uint64_t seed, size_t batches)
{
	for (uint64_t i = 1; i <= batches; i++) {
		store_conformance_batch(b, seed + i, i, 40);
		store_conformance_put(s, b);
	}
}

/* Pages of `size` joined are the answer without a limit. */
static void
walk(struct store *s, struct store_query q, size_t size)
{
	struct arena all_arena = {0};
	struct store_result all;
	store_conformance_ask(s, &q, &all_arena, &all);
	size_t seen = 0;
	q.row_max = size;
	for (bool more = true; more;) {
		struct arena arena = {0};
		struct store_result page;
		store_conformance_ask(s, &q, &arena, &page);
		assert_true(page.rows.row_count <= size);
		assert_true(!page.more || page.rows.row_count == size);
		for (size_t row = 0; row < page.rows.row_count; row++) {
			assert_true(seen < all.rows.row_count);
			store_conformance_same_row(&page.rows, row, &all.rows, seen++);
		}
		more = page.more;
		q.after = page.next;
		assert_int_equal(page.next.set, more);
		arena_fini(&arena);
	}
	assert_int_equal(seen, all.rows.row_count);
	arena_fini(&all_arena);
}

void
store_conformance_pages_cover_all_rows_once_in_order(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	fill_random(s, &b, 42, 6);
	for (int kind = STORE_SPANS; kind <= STORE_COMMENTS; kind++) {
		struct store_query q =
		    store_conformance_question((enum store_query_kind)kind, "acme");
		if (kind == STORE_SERVICES)
			continue;
		q.has_trace_id = kind == STORE_TRACE;
		q.trace_hi = 1;
		q.trace_lo = 1;
		walk(s, q, 7);
		walk(s, q, 50);
		walk(s, q, 1);
	}
	batch_fini(&b);
}

void
store_conformance_tenants_do_not_see_each_other(struct store *s)
{
	static const char *const tenants[] = {"acme", "globex"};
	struct batch b;
	struct arena arena = {0};
	size_t rows = 0;
	batch_init(&b, 0);
	fill_random(s, &b, 7, 4);
	for (size_t i = 0; i < ARRAY_LEN(tenants); i++)
		for (int kind = STORE_SPANS; kind <= STORE_COMMENTS; kind++) {
			struct store_result r;
			struct str tenant = str_from(tenants[i]);
			if (kind == STORE_TRACE || kind == STORE_SERVICES)
				continue;
			store_conformance_all(s, (enum store_query_kind)kind, tenant, &arena, &r);
			rows += r.rows.row_count;
			for (size_t row = 0; row < r.rows.row_count; row++)
				assert_true(str_eq(table_str(&r.rows, row, 0), tenant));
			for (size_t row = 0; row < r.resources.row_count; row++)
				assert_true(str_eq(table_str(&r.resources, row, RESOURCE_TENANT),
				    tenant));
			for (size_t row = 0; row < r.scopes.row_count; row++)
				assert_true(str_eq(table_str(&r.scopes, row, SCOPE_TENANT),
				    tenant));
		}
	assert_int_equal(rows, 4 * 40);
	struct store_result none;
	store_conformance_all(s, STORE_SPANS, STR("acm"), &arena, &none);
	assert_int_equal(none.rows.row_count, 0);
	arena_fini(&arena);
	batch_fini(&b);
}

void
store_conformance_result_has_only_the_dictionary_rows_it_names(struct store *s)
{
	struct batch b;
	struct arena arena = {0};
	batch_init(&b, 0);
	fill_random(s, &b, 9, 4);
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct store_result r;
	q.row_max = 3;
	store_conformance_ask(s, &q, &arena, &r);
	for (size_t row = 0; row < r.rows.row_count; row++) {
		assert_true(store_find_id(&r.resources,
		                table_u64(&r.rows, row, SPAN_RESOURCE_ID)) != SIZE_MAX);
		assert_true(store_find_id(&r.scopes, table_u64(&r.rows, row, SPAN_SCOPE_ID)) !=
		    SIZE_MAX);
	}
	for (size_t i = 0; i < r.resources.row_count; i++) {
		uint64_t id = table_u64(&r.resources, i, RESOURCE_ID);
		bool named = false;
		for (size_t row = 0; row < r.rows.row_count; row++)
			named = named || table_u64(&r.rows, row, SPAN_RESOURCE_ID) == id;
		assert_true(named);
		assert_int_equal(store_find_id(&r.resources, id), i); /* once */
	}
	assert_true(r.scopes.row_count <= 3);
	arena_fini(&arena);
	batch_fini(&b);
}

void
store_conformance_services_are_counted_exactly(struct store *s)
{
	struct batch b;
	struct arena arena = {0};
	batch_init(&b, 0);
	for (uint64_t day = 0; day < 3; day++) {
		batch_reset(&b);
		b.last_seq = day + 1;
		for (uint32_t i = 0; i < 10; i++) {
			struct table *t = &b.tables[TABLE_SPANS];
			size_t row = table_add_row(t);
			table_set_str(t, row, SPAN_TENANT, STR("acme"));
			table_set_u64(t, row, SPAN_SEQ, day + 1);
			table_set_u32(t, row, SPAN_ORD, i);
			table_set_u64(t, row, SPAN_TRACE_LO, i % 5); /* the same five on each day */
			table_set_u64(t, row, SPAN_SPAN_ID, day * 10 + i + 1);
			table_set_u64(t, row, SPAN_START_NS, NOW - day * NS_PER_DAY + i);
			/* One has no end, one ends before it starts. */
			table_set_i64(t, row, SPAN_DURATION_NS,
			    i == 6       ? -(int64_t)NOW
			        : i == 7 ? -1
			                 : (int64_t)i);
			table_set_i32(t, row, SPAN_STATUS_CODE, i == 3 ? 2 : 1);
			table_set_str(t, row, SPAN_SERVICE, i < 8 ? STR("big") : STR("a"));
		}
		struct table *t = &b.tables[TABLE_LOGS];
		size_t row = table_add_row(t);
		table_set_str(t, row, LOG_TENANT, STR("acme"));
		table_set_u64(t, row, LOG_EVENT_NS, NOW + NS_PER_S);
		table_set_str(t, row, LOG_SERVICE, STR("big"));
		for (uint32_t i = 0; i < 20; i++) {
			t = &b.tables[TABLE_POINTS];
			row = table_add_row(t);
			table_set_str(t, row, POINT_TENANT, STR("acme"));
			table_set_u32(t, row, POINT_ORD, i);
			table_set_u64(t, row, POINT_TIME_NS, NOW + i);
			table_set_str(t, row, POINT_SERVICE, i < 19 ? STR("busy") : STR("Z"));
		}
		store_conformance_put(s, &b);
	}
	struct store_query q = store_conformance_question(STORE_SERVICES, "acme");
	struct store_result r;
	store_conformance_ask(s, &q, &arena, &r);
	/* The most spans first, then the most of the rest. */
	assert_int_equal(r.rows.row_count, 4);
	assert_true(str_eq(table_str(&r.rows, 0, SERVICE_NAME), STR("big")));
	assert_true(str_eq(table_str(&r.rows, 1, SERVICE_NAME), STR("a")));
	assert_true(str_eq(table_str(&r.rows, 2, SERVICE_NAME), STR("busy")));
	assert_true(str_eq(table_str(&r.rows, 3, SERVICE_NAME), STR("Z")));
	assert_int_equal(table_u64(&r.rows, 2, SERVICE_POINTS), 57);
	assert_int_equal(table_u64(&r.rows, 2, SERVICE_ENDED), 0);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_SPANS), 24);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_TRACES), 5);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_ERRORS), 3);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_ENDED), 3 * 6);
	assert_int_equal((int)table_f64(&r.rows, 0, SERVICE_DURATION_SUM_NS), 3 * 15);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_LOGS), 3);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_POINTS), 0);
	assert_true(table_u64(&r.rows, 0, SERVICE_FIRST_NS) == NOW - 2 * NS_PER_DAY);
	assert_true(table_u64(&r.rows, 0, SERVICE_LAST_NS) == NOW + NS_PER_S);
	assert_int_equal(table_u64(&r.rows, 1, SERVICE_SPANS), 6);
	assert_int_equal(table_u64(&r.rows, 1, SERVICE_TRACES), 2);
	q.from_ns = NOW;
	q.row_max = 1;
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, 1);
	assert_true(r.more);
	assert_int_equal(table_u64(&r.rows, 0, SERVICE_SPANS), 8);
	arena_fini(&arena);
	batch_fini(&b);
}

void
store_conformance_hostile_text_is_only_text(struct store *s)
{
	static const char *const texts[] = {
	    "'; DROP TABLE meta; --", "\" OR \"\"=\"", "$1", "?", "\\", "%"};
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = 1;
	for (uint32_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row = table_add_row(t);
		table_set_str(t, row, SPAN_TENANT, str_from(texts[i]));
		table_set_u64(t, row, SPAN_SEQ, 1);
		table_set_u32(t, row, SPAN_ORD, i);
		table_set_u64(t, row, SPAN_SPAN_ID, i + 1);
		table_set_u64(t, row, SPAN_START_NS, NOW);
		table_set_str(t, row, SPAN_SERVICE, str_from(texts[i]));
		table_set_str(t, row, SPAN_NAME, str_from(texts[i]));
	}
	store_conformance_put(s, &b);
	for (uint32_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct store_query q = store_conformance_question(STORE_SPANS, texts[i]);
		q.service = q.operation = q.tenant;
		assert_int_equal(store_conformance_mask(s, &q), 1U << i);
		q.attr_count = 2;
		q.attrs[0] = (struct store_attr){.key = q.tenant, .value = q.tenant};
		q.attrs[1] = q.attrs[0];
		assert_int_equal(store_conformance_mask(s, &q), 0);
	}
	batch_fini(&b);
}

void
store_conformance_answer_beyond_the_budget_is_too_large(struct store *s)
{
	struct batch b;
	struct arena arena;
	struct err err = {0};
	struct store_result r;
	batch_init(&b, 0);
	fill_random(s, &b, 3, 4);
	arena_init(&arena, 4096, 0);
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_TOO_LARGE);
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_true(strlen(err.message) > 0);
	arena_fini(&arena);
	/* The store is as good as before. */
	struct arena enough = {0};
	store_conformance_ask(s, &q, &enough, &r);
	assert_true(r.rows.row_count > 0);
	arena_fini(&enough);
	batch_fini(&b);
}

/* Each batch has as many rows of every signal as its seq says, at different days. */
enum { WHOLE_ROWS = 30, WHOLE_BATCHES = 60 };

struct reader {
	struct store *s;
	struct thread thread;
	_Atomic bool *stop;
	enum store_query_kind kind;
	int seq_col;
	size_t reads, torn;
	char message[200];
};

static void
reader_main(void *ctx)
{
	struct reader *me = ctx;
	while (!atomic_load(me->stop)) {
		struct store_query q = store_conformance_question(me->kind, "acme");
		struct arena arena = {0};
		struct store_result r;
		struct err err = {0};
		size_t per_seq[WHOLE_BATCHES + 2] = {0};
		if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK) {
			snprintf(me->message, sizeof(me->message), "%s", err.message);
			arena_fini(&arena);
			return;
		}
		bool ended = false;
		for (size_t row = 0; row < r.rows.row_count; row++)
			per_seq[table_u64(&r.rows, row, me->seq_col)]++;
		for (size_t seq = 1; seq <= WHOLE_BATCHES; seq++) {
			me->torn += per_seq[seq] != 0 && per_seq[seq] != WHOLE_ROWS;
			me->torn += ended && per_seq[seq] != 0;
			ended = ended || per_seq[seq] == 0;
		}
		me->reads++;
		arena_fini(&arena);
	}
}

static void
whole_batch(struct batch *b, uint64_t seq)
{
	batch_reset(b);
	b->last_seq = seq;
	for (uint32_t i = 0; i < WHOLE_ROWS; i++) {
		uint64_t time_ns = NOW - i % 6 * NS_PER_DAY * (1 + 80 * (seq % 3)) + seq;
		struct table *t = &b->tables[TABLE_SPANS];
		size_t row = store_conformance_row(b, TABLE_SPANS, "acme", i, time_ns);
		table_set_u64(t, row, SPAN_SPAN_ID, seq * WHOLE_ROWS + i);
		(void)store_conformance_row(b, TABLE_LOGS, "acme", i, time_ns);
	}
}

void
store_conformance_readers_see_whole_batches(struct store *s)
{
	_Atomic bool stop = false;
	struct reader readers[2] = {
	    {.s = s, .stop = &stop, .kind = STORE_SPANS, .seq_col = SPAN_SEQ},
	    {.s = s, .stop = &stop, .kind = STORE_LOGS, .seq_col = LOG_SEQ},
	};
	struct batch b;
	struct err err;
	batch_init(&b, 0);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		assert_int_equal(thread_start(&readers[i].thread, "reader", reader_main,
		                     &readers[i], &err),
		    ERR_OK);
	for (uint64_t seq = 1; seq <= WHOLE_BATCHES; seq++) {
		whole_batch(&b, seq);
		store_conformance_put(s, &b);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		thread_join(&readers[i].thread);
		if (readers[i].message[0])
			fail_msg("%s", readers[i].message);
		assert_int_equal(readers[i].torn, 0);
	}
	batch_fini(&b);
}
