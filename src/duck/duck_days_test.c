/* SPDX-License-Identifier: Apache-2.0 */
/* Appends whose rows are of very many days: few tables, and answers as ever. */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

#include <stdlib.h>

enum { DAYS = 400, OWN_DAYS = 8 };

static uint64_t
now_ns(void)
{
	return CONFORMANCE_NOW_NS;
}

static struct store *
open_small(const char *dir, uint64_t memory_bytes_max)
{
	struct store *s;
	struct err err = {0};
	struct duck_options opt = {.data_dir = str_from(dir),
	    .threads = 2,
	    .memory_bytes_max = memory_bytes_max,
	    .now_unix_ns = now_ns};
	if (duck_open(&opt, &s, &err) != ERR_OK)
		fail_msg("open: %s", err.message);
	return s;
}

static void
put_row(struct batch *b, enum table_id id, uint64_t seq, uint32_t ord, uint64_t time_ns)
{
	static const struct {
		int tenant, seq, ord, time, service, resource, scope;
	} cols[] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SEQ, SPAN_ORD, SPAN_START_NS, SPAN_SERVICE,
	        SPAN_RESOURCE_ID, SPAN_SCOPE_ID},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_SEQ, LOG_ORD, LOG_EVENT_NS, LOG_SERVICE,
	        LOG_RESOURCE_ID, LOG_SCOPE_ID},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_SEQ, POINT_ORD, POINT_TIME_NS, POINT_SERVICE,
	        POINT_RESOURCE_ID, POINT_SCOPE_ID},
	};
	struct table *t = &b->tables[id];
	size_t row = table_add_row(t);
	table_set_str(t, row, cols[id].tenant, STR("acme"));
	table_set_u64(t, row, cols[id].seq, seq);
	table_set_u32(t, row, cols[id].ord, ord);
	table_set_u64(t, row, cols[id].time, time_ns);
	table_set_str(t, row, cols[id].service, ord % 3 ? STR("shop") : STR("cart"));
	table_set_u64(t, row, cols[id].resource, 1);
	table_set_u64(t, row, cols[id].scope, 1);
	if (id == TABLE_SPANS) {
		table_set_u64(t, row, SPAN_TRACE_LO, 1 + ord % 5);
		table_set_u64(t, row, SPAN_SPAN_ID, seq << 32 | ord);
	}
}

static void
put_dicts(struct batch *b)
{
	bool added;
	size_t row = batch_resource(b, 1, &added);
	table_set_str(&b->tables[TABLE_RESOURCES], row, RESOURCE_TENANT, STR("acme"));
	row = batch_scope(b, 1, &added);
	table_set_str(&b->tables[TABLE_SCOPES], row, SCOPE_TENANT, STR("acme"));
}

/* Rows of three signals over all days; every 50th day has one row more than the others. */
static void
put_days(struct batch *b, uint64_t seq)
{
	batch_reset(b);
	put_dicts(b);
	for (int id = 0; id < TABLE_RESOURCES; id++) {
		uint32_t ord = 0;
		for (uint64_t day = 0; day < DAYS; day++)
			for (uint64_t n = 0; n < (day % 50 == 7 ? 2 : 1); n++)
				put_row(b, (enum table_id)id, seq, ord++,
				    CONFORMANCE_NOW_NS - day * NS_PER_DAY - n * 1000 - seq);
	}
	b->last_seq = seq;
}

static void
same_page(struct store *s, struct store *reference, struct store_query *q)
{
	struct arena arena = {0};
	struct store_result got, want;
	struct err err = {0};
	q->after = (struct store_cursor){0};
	do {
		if (store_query(s, q, &arena, &got, &err) != ERR_OK)
			fail_msg("query: %s", err.message);
		assert_int_equal(store_query(reference, q, &arena, &want, &err), ERR_OK);
		store_conformance_same_table(&got.rows, &want.rows);
		assert_int_equal(got.resources.row_count, want.resources.row_count);
		assert_int_equal(got.more, want.more);
		assert_true(!got.more || got.next.time_ns == want.next.time_ns);
		q->after = got.next;
	} while (got.more);
	arena_fini(&arena);
}

static void
same_answers(struct store *s, struct store *reference)
{
	static const enum store_query_kind kinds[] = {
	    STORE_SPANS, STORE_TRACE, STORE_LOGS, STORE_POINTS, STORE_SERVICES};
	static const uint64_t from_days[] = {1000, 390, 57, 8, 0};
	for (size_t i = 0; i < ARRAY_LEN(kinds) * ARRAY_LEN(from_days); i++) {
		uint64_t from = from_days[i / ARRAY_LEN(kinds)];
		struct store_query q = {.kind = kinds[i % ARRAY_LEN(kinds)],
		    .tenant = STR("acme"),
		    .from_ns = CONFORMANCE_NOW_NS - from * NS_PER_DAY - 500,
		    .to_ns = i % 2 ? UINT64_MAX : CONFORMANCE_NOW_NS - 3 * NS_PER_DAY,
		    .row_max = from == 390 ? 37 : 2000,
		    .deadline_mono_ns = UINT64_MAX};
		if (q.kind == STORE_TRACE) {
			q.trace_lo = 3;
			q.has_trace_id = true;
		}
		if (q.kind == STORE_SERVICES)
			q.row_max = 2000; /* there is no next page of them */
		if (q.from_ns < q.to_ns)
			same_page(s, reference, &q);
	}
}

static uint64_t
day_tables(struct store *s)
{
	uint64_t n;
	struct err err = {0};
	struct duck *d = duck_of(s);
	assert_int_equal(duck_number(d, d->writer.con,
	                     "SELECT count(*)::UBIGINT FROM partitions WHERE day >= 0", &n, &err),
	    ERR_OK);
	return n;
}

TEST(duck, rows_of_400_days_in_one_append_make_few_tables_and_are_all_found_in_order)
{
	struct store *s = open_small(test_tmp_dir(), 0), *reference = store_mem_new();
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		put_days(&b, seq);
		/* Between them one of a few days that have no table, or have one by now. */
		if (seq == 2) {
			batch_reset(&b);
			put_dicts(&b);
			for (uint32_t i = 0; i < 40; i++)
				put_row(&b, (enum table_id)(i % 3), seq, i,
				    CONFORMANCE_NOW_NS - (i % 4) * 3 * NS_PER_DAY);
			b.last_seq = seq;
		}
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
		assert_true(day_tables(s) <= 3 * (OWN_DAYS + (seq > 1 ? 4 : 0)));
		same_answers(s, reference);
	}
	assert_true(day_tables(s) >= 3 * OWN_DAYS); /* the days with two rows have theirs */
	store_close(s);
	store_close(reference);
	batch_fini(&b);
}

TEST(duck, appends_of_ever_other_days_do_not_use_up_the_memory)
{
	struct store *s = open_small(test_tmp_dir(), 512 << 20);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 50; seq++) {
		batch_reset(&b);
		put_dicts(&b);
		for (uint32_t i = 0; i < 24; i++)
			put_row(&b, (enum table_id)(i % 3), seq, i,
			    CONFORMANCE_NOW_NS - (seq * 8 - 8 + i / 3) * NS_PER_DAY);
		b.last_seq = seq;
		store_conformance_put(s, &b);
	}
	assert_int_equal(day_tables(s), 1200);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, append_that_does_not_fit_in_memory_is_too_large_and_leaves_the_store_well)
{
	enum { LEN = 8 << 20, COUNT = 24 };
	struct store *s = open_small(test_tmp_dir(), 64 << 20);
	struct store_status status;
	struct err err = {0};
	struct batch b;
	batch_init(&b, 0);
	char *text = malloc(LEN);
	assert_non_null(text);
	for (size_t i = 0; i < LEN; i++)
		text[i] = (char)('a' + i * 7 % 23);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		batch_reset(&b);
		put_dicts(&b);
		for (uint32_t i = 0; i < (seq == 2 ? COUNT : 1); i++) {
			put_row(&b, TABLE_SPANS, seq, i, CONFORMANCE_NOW_NS);
			table_set_str(&b.tables[TABLE_SPANS], i, SPAN_EVENTS,
			    str_of(text, seq == 2 ? LEN : 1));
		}
		b.last_seq = seq;
		assert_int_equal(store_append(s, &b, &err), seq == 2 ? ERR_TOO_LARGE : ERR_OK);
	}
	store_status(s, &status);
	assert_true(status.ok);
	assert_int_equal(store_position(s), 3);
	assert_int_equal(status.row_count, 2);
	free(text);
	store_close(s);
	batch_fini(&b);
}
