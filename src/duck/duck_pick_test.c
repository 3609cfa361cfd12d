/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/random.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW CONFORMANCE_NOW_NS

TEST(duck_pick, it_has_what_was_added_and_nothing_else)
{
	struct duck_handles all;
	struct rng r = {7};
	duck_handles_init(&all);
	for (int round = 0; round < 200; round++) {
		size_t count = rng_below(&r, 40);
		struct duck_pick *p = duck_pick_begin(&all, DUCK_PICK_ROWS, count);
		bool pairs[64] = {false}, hints[16] = {false}; /* of 8 x 8, and of 0 .. 15 */
		for (size_t i = 0; i < count; i++) {
			/* high bits too, and what is the same but for them */
			uint64_t a = rng_below(&r, 8), b = rng_below(&r, 8),
			         hint = rng_below(&r, 16);
			duck_pick_add(p, a << 61, b, hint);
			pairs[a * 8 + b] = true;
			hints[hint] = true;
		}
		for (uint64_t i = 0; i < 64; i++) {
			assert_int_equal(duck_pick_has(p, (i / 8) << 61, i % 8), pairs[i]);
			assert_false(duck_pick_has(p, (i / 8) << 61 | 1, i % 8));
		}
		for (uint64_t i = 0; i < 16; i++) {
			assert_int_equal(duck_pick_has_hint(p, i), hints[i]);
			assert_false(duck_pick_has_hint(p, i | UINT64_C(1) << 63));
		}
		duck_pick_end(p);
	}
	duck_handles_fini(&all);
}

/* ---- as SQL */

static bool
ask(duckdb_connection con, const char *sql, uint64_t *number)
{
	duckdb_result result;
	bool ok = duckdb_query(con, sql, &result) == DuckDBSuccess;
	if (ok)
		*number = duckdb_value_uint64(&result, 0, 0);
	duckdb_destroy_result(&result);
	return ok;
}

/* Ten seals of 64 spans each, and 40 in memory; span i is the only one of its trace and its time. A connection, and the name of
 * the table of the seals. */
static void
put_spans(struct store *s, duckdb_connection *con, char table[DUCK_TABLE_NAME_BYTES])
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 17; seq++) {
		duck_kit_begin(&b, seq);
		for (uint32_t ord = 0; ord < 40; ord++) {
			uint64_t i = seq * 40 + ord;
			size_t row = duck_kit_span(&b, seq, ord, i, NOW + i * NS_PER_MS);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_HI, i / 40);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_LO, i);
		}
		store_conformance_put(s, &b);
		batch_reset(&b);
	}
	batch_fini(&b);
	duck_kit_wait_quiet(s);
	assert_int_equal(duckdb_connect(duck_of(s)->db, con), DuckDBSuccess);
	duck_schema_table_name(&table_defs[TABLE_SPANS], (int64_t)(NOW / NS_PER_DAY), table);
}

TEST(duck_pick, sql_finds_what_was_picked_until_it_ends)
{
	struct store *s = duck_kit_open_small(test_tmp_dir(), 64, 0);
	struct duck *d = duck_of(s);
	duckdb_connection con;
	char table[DUCK_TABLE_NAME_BYTES], sql[400];
	uint64_t number = 0;
	put_spans(s, &con, table);
	struct duck_pick *p = duck_pick_begin(&d->picks, DUCK_PICK_ROWS, 100);
	for (uint64_t seq = 2; seq < 12; seq++)
		duck_pick_add(p, seq, seq + 3, NOW + (seq * 40 + seq + 3) * NS_PER_MS);
	duck_pick_add(p, 9999, 1, NOW);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*)::UBIGINT FROM %s WHERE weir_picked(%" PRIu64
	    ", start_ns) AND weir_picked_pair(%" PRIu64 ", seq, ord::UBIGINT)",
	    table, duck_pick_number(p), duck_pick_number(p));
	assert_true(ask(con, sql, &number));
	assert_int_equal(number, 10);
	duck_pick_end(p);
	assert_false(ask(con, sql, &number));
	assert_int_equal(d->picks.count, 0);
	duckdb_disconnect(&con);
	store_close(s);
}

/* Else all columns of all rows are read, which is what it is for to avoid. */
TEST(duck_pick, the_scan_itself_drops_what_was_not_picked)
{
	struct store *s = duck_kit_open_small(test_tmp_dir(), 64, 0);
	struct duck *d = duck_of(s);
	duckdb_connection con;
	duckdb_result result;
	char table[DUCK_TABLE_NAME_BYTES], sql[400];
	put_spans(s, &con, table);
	struct duck_pick *p = duck_pick_begin(&d->picks, DUCK_PICK_ROWS, 1);
	duck_pick_add(p, 2, 3, NOW + 83 * NS_PER_MS);
	snprintf(sql, sizeof(sql),
	    "EXPLAIN SELECT name, attributes FROM %s WHERE weir_picked(%" PRIu64 ", start_ns)",
	    table, duck_pick_number(p));
	assert_int_equal(duckdb_query(con, sql, &result), DuckDBSuccess);
	char *plan = duckdb_value_varchar(&result, 1, 0);
	assert_non_null(strstr(plan, "SEQ_SCAN"));
	assert_non_null(strstr(plan, "Filters:"));
	assert_null(strstr(plan, "FILTER"));
	duckdb_free(plan);
	duckdb_destroy_result(&result);
	duck_pick_end(p);
	duckdb_disconnect(&con);
	store_close(s);
}

/* ---- what is found by it */

/* More roots in one step than whose traces are looked at, and few of them that stay: then all such traces are found first. */
TEST(duck_pick, traces_with_another_span_are_found_among_any_number_of_others)
{
	enum { ROOTS = 70000, EVERY = 1000, AT_ONCE = 10000 };
	struct store *s = duck_kit_open_small(test_tmp_dir(), 20000, 0);
	struct batch b;
	uint64_t id = 1;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= ROOTS / AT_ONCE; seq++) {
		duck_kit_begin(&b, seq);
		struct table *t = &b.tables[TABLE_SPANS];
		for (uint32_t ord = 0; ord < AT_ONCE; ord++, id++) {
			uint64_t trace = (seq - 1) * AT_ONCE + ord;
			size_t row = duck_kit_span(&b, seq, ord, id, NOW + id * NS_PER_US);
			table_set_u64(t, row, SPAN_TRACE_HI, 1);
			table_set_u64(t, row, SPAN_TRACE_LO, trace);
			table_set_u64(t, row, SPAN_PARENT_ID, 0);
			if (trace % EVERY != 0)
				continue;
			row = duck_kit_span(&b, seq, AT_ONCE + ord, UINT64_C(1) << 40 | id,
			    NOW + id * NS_PER_US);
			table_set_u64(t, row, SPAN_TRACE_HI, 1);
			table_set_u64(t, row, SPAN_TRACE_LO, trace);
			table_set_u64(t, row, SPAN_PARENT_ID, id);
			table_set_str(t, row, SPAN_ATTRIBUTES, STR("{\"model\":\"m\"}"));
		}
		store_conformance_put(s, &b);
		batch_reset(&b);
	}
	batch_fini(&b);
	struct store_query beside = store_conformance_question(STORE_SPANS, "");
	beside.attrs[beside.attr_count++] = (struct store_attr){
	    .key = STR("model"), .op = STORE_ATTR_HAS, .of = STORE_ATTR_OF_ITEM};
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	q.roots_only = true;
	q.beside = &beside;
	q.row_max = 7;
	uint64_t expected = ROOTS - EVERY;
	for (bool more = true; more;) {
		struct arena arena = {0};
		struct store_result r;
		store_conformance_ask(s, &q, &arena, &r);
		for (size_t i = 0; i < r.rows.row_count; i++, expected -= EVERY) {
			assert_int_equal(table_u64(&r.rows, i, SPAN_TRACE_LO), expected);
			assert_int_equal(table_u64(&r.rows, i, SPAN_PARENT_ID), 0);
		}
		more = r.more;
		q.after = r.next;
		arena_fini(&arena);
	}
	assert_int_equal(expected, UINT64_MAX - EVERY + 1);
	store_close(s);
}
