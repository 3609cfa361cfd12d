/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to a store whose rows are everywhere at once: in the hot tail, in days' tables (in seals so
 * small that there are many), in the catch-all. The answers are those of the store in memory.
 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "model/typed.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>

#define NOW CONFORMANCE_NOW_NS

static struct store *
open_small(uint64_t seal_rows, uint64_t hot_bytes_max)
{
	return duck_kit_open_small(test_tmp_dir(), seal_rows, hot_bytes_max);
}

/* Until every part with a whole row group has been sealed. */
static void
wait_sealed(struct store *s)
{
	for (;;) {
		struct duck *d = duck_of(s);
		struct hot_info info;
		bool waits = false;
		hot_info(d->hot, &info);
		for (size_t i = 0; i < info.part_count; i++)
			waits = waits ||
			    (info.parts[i].table < SIGNAL_TABLES &&
			        info.parts[i].rows >= d->opt.seal_rows);
		if (!waits)
			return;
		clock_sleep_ns(NS_PER_MS);
	}
}

static size_t
seal_count(struct store *s, enum table_id id)
{
	struct duck_catalog *c = &duck_of(s)->catalog;
	size_t count = 0;
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		count += c->tables[i]->id == id ? c->tables[i]->seal_count : 0;
	mutex_unlock(&c->lock);
	return count;
}

#define X(claim)                                                                                   \
	TEST(duck_query, claim##_in_tiny_seals)                                                    \
	{                                                                                          \
		struct store *s = open_small(2, 0);                                                \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}
STORE_CONFORMANCE(X)
STORE_CONFORMANCE_IDENTITY(X)
#undef X

TEST(duck_query, random_questions_are_answered_as_in_memory_wherever_rows_are)
{
	static const struct {
		uint64_t seal_rows, hot_bytes_max;
	} sizes[] = {{3, 0}, {16, 0}, {64, 0}, {100, UINT64_C(150) << 10}};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store *s = open_small(sizes[i].seal_rows, sizes[i].hot_bytes_max);
		struct store *reference = store_mem_new();
		store_conformance_same_identity(s, reference, 100 + i, 12,
		    test_is_thorough() ? 240 : 120);
		store_close(s);
		store_close(reference);
	}
}

/* ---- attributes in columns */

enum { COLUMN_ROWS = 640, COLUMN_SEAL = 64 };

static struct str
attributes_of(struct arena *arena, uint32_t i)
{
	static const char *const doubles[] = {
	    "0.0", "-0.0", "1.5", "-2.25", "1e+300", "{\"$double\":\"NaN\"}", "5e-324", "12"};
	static const char *const ints[] = {"0", "-1", "9223372036854775807", "-9223372036854775808",
	    "200", "\"200\"", "9007199254740993", "200.0"};
	static const char *const texts[] = {"\"GET\"", "\"a'b\"", "\"\\\"q\\\"\"", "\"\"", "7",
	    "\"\\u0000\"", "[\"GET\"]", "\"\xC3\xA9\""};
	static const char *const shared[] = {
	    "share", "shar'e", "$$share", "share\\\"", "share\\\\", "share5", "share6", "share7"};
	static const char *const values[] = {"\"GET\"", "1.5", "200", "\"200\"", "true", "null",
	    "{\"$double\":\"NaN\"}", "{\"$bytes\":\"AQID\"}", "\"AQID\"", "[\"GET\"]", "\"a'b\"",
	    "\"\"", "{\"$bytes\":\"\"}", "\"{\\\"$bytes\\\":\\\"\\\"}\"", "-0.0",
	    "9223372036854775807", "\"\\u0000\"", "\"\xC3\xA9\""};
	static const char *const rare[] = {"1", "\"one\"", "null", "true"};
	struct buf text = {0};
	buf_str(&text, STR("{"));
	if (i % 3 != 0)
		buf_printf(&text, "\"double\":%s,", doubles[i / 3 % ARRAY_LEN(doubles)]);
	if (i % 4 != 0)
		buf_printf(&text, "\"int\":%s,", ints[i / 4 % ARRAY_LEN(ints)]);
	if (i % 5 != 0)
		buf_printf(&text, "\"te'xt\":%s,", texts[i / 5 % ARRAY_LEN(texts)]);
	if (i % 7 != 0)
		buf_printf(&text, "\"$$bool\":%s,", i % 2 ? "true" : "false");
	/* Hardly ever two of these in a row: they share columns. */
	buf_printf(&text, "\"%s\":%s,", shared[i % ARRAY_LEN(shared)],
	    values[i / ARRAY_LEN(shared) % ARRAY_LEN(values)]);
	if (i % 37 == 0)
		buf_printf(&text, "\"%s\":%s,", shared[i / 37 % ARRAY_LEN(shared)],
		    values[i % ARRAY_LEN(values)]);
	if (i % 61 == 0)
		buf_printf(&text, "\"rare\":%s,", rare[i / 61 % ARRAY_LEN(rare)]);
	if (i % 11 == 0) /* the first one counts */
		buf_str(&text, STR("\"int\":5,\"te'xt\":\"second\","));
	buf_printf(&text, "\"own\":%" PRIu32 "}", i);
	struct str copy = arena_str(arena, buf_view(&text));
	assert_non_null(copy.ptr);
	buf_fini(&text);
	return copy;
}

static void
put_rows_with_attributes(struct store *s, struct store *reference)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= COLUMN_ROWS / 32; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		bool added;
		size_t res = batch_resource(&b, STR("acme"), 99, &added);
		table_set_str(&b.tables[TABLE_RESOURCES], res, RESOURCE_ATTRIBUTES,
		    STR("{\"int\":200,\"te'xt\":\"GET\",\"$$bool\":true,\"double\":1.5,\"host\":1,"
		        "\"share\":\"GET\",\"$$share\":200}"));
		for (uint32_t i = 0; i < 32; i++) {
			struct table *t = &b.tables[TABLE_SPANS];
			uint32_t n = (uint32_t)(seq - 1) * 32 + i;
			size_t row = duck_kit_span(&b, seq, i, n + 1, NOW + n % 97 * NS_PER_S);
			table_set_u64(t, row, SPAN_TRACE_HI, n / 8 * 977);
			table_set_u64(t, row, SPAN_TRACE_LO, 1);
			table_set_str(t, row, SPAN_SERVICE, n % 3 ? STR("a") : STR("b"));
			table_set_str(t, row, SPAN_ATTRIBUTES, attributes_of(&b.arena, n));
			table_set_u64(t, row, SPAN_RESOURCE_ID, n % 2 ? 99 : 0);
		}
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
	}
	batch_fini(&b);
}

static void
assert_same(struct store *s, struct store *reference, const struct store_query *q)
{
	struct arena a = {0}, b = {0};
	struct store_result x, y;
	store_conformance_ask(s, q, &a, &x);
	store_conformance_ask(reference, q, &b, &y);
	if (x.rows.row_count != y.rows.row_count)
		fail_msg("%.*s %d %.*s: %zu rows, not %zu", STR_ARG(q->attrs[0].key),
		    (int)q->attrs[0].op, STR_ARG(q->attrs[0].value), x.rows.row_count,
		    y.rows.row_count);
	store_conformance_same_table(&x.rows, &y.rows);
	assert_int_equal(x.resources.row_count, y.resources.row_count);
	assert_int_equal(x.more, y.more);
	arena_fini(&a);
	arena_fini(&b);
}

static unsigned
column_count(struct store *s)
{
	struct duck_catalog *c = &duck_of(s)->catalog;
	unsigned count = 0;
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		count += c->tables[i]->plan.count;
	mutex_unlock(&c->lock);
	return count;
}

static unsigned
shared_key_count(struct store *s)
{
	struct duck_catalog *c = &duck_of(s)->catalog;
	unsigned count = 0;
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count; i++)
		for (unsigned k = 0; k < c->tables[i]->plan.count; k++)
			count += c->tables[i]->plan.columns[k].key_count;
	mutex_unlock(&c->lock);
	return count;
}

TEST(duck_query, attributes_are_found_by_value_in_columns_and_beside_them)
{
	static const char *const keys[] = {"double", "int", "te'xt", "$bool", "rare", "own", "host",
	    "missing", "share", "shar'e", "$share", "$$share", "share\"", "share\\", "share7"};
	static const struct str values[] = {{"0.0", 3}, {"-0.0", 4}, {"1.5", 3}, {"1.50", 4},
	    {"NaN", 3}, {"5e-324", 6}, {"12", 2}, {"0", 1}, {"-0", 2}, {"00", 2},
	    {"9223372036854775807", 19}, {"9223372036854775808", 19}, {"-9223372036854775808", 20},
	    {"200", 3}, {"200.0", 5}, {"GET", 3}, {"a'b", 3}, {"\"q\"", 3}, {"", 0}, {"7", 1},
	    {"\0", 1}, {"[\"GET\"]", 7}, {"\xC3\xA9", 2}, {"true", 4}, {"false", 5}, {"null", 4},
	    {"one", 3}, {"1", 1}, {"5", 1}, {"second", 6}, {"500", 3}, {"AQID", 4},
	    {"{\"$bytes\":\"AQID\"}", 17}, {"{\"$bytes\":\"\"}", 13}, {"{\"$double\":\"NaN\"}", 17},
	    {"\"GET\"", 5}, {"[\"GET\"", 6}};
	struct store *s = open_small(COLUMN_SEAL, 0), *reference = store_mem_new();
	put_rows_with_attributes(s, reference);
	wait_sealed(s);
	assert_true(seal_count(s, TABLE_SPANS) >= COLUMN_ROWS / COLUMN_SEAL - 1);
	assert_true(column_count(s) >= 4);
	assert_true(shared_key_count(s) >= 8);
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			struct store_query q = store_conformance_question(STORE_SPANS, "acme");
			q.attr_count = 1;
			q.attrs[0] =
			    (struct store_attr){.key = str_from(keys[k]), .value = values[v]};
			assert_same(s, reference, &q);
			q.row_max = 3;
			if (v % 4 == 0)
				assert_same(s, reference, &q);
		}
	store_close(s);
	store_close(reference);
}

TEST(duck_query, attributes_are_found_by_range_in_columns_and_beside_them)
{
	static const char *const keys[] = {
	    "double", "int", "te'xt", "own", "host", "missing", "$share", "share\""};
	static const char *const values[] = {"0", "-0.0", "1.5", "-2.25", "199.5", "200", "200.5",
	    "-200.5", "9223372036854775807", "9223372036854775807.5", "9223372036854775808",
	    "-9223372036854775808", "-9223372036854775808.5", "1e300", "1e400", "-1e400",
	    "9007199254740992.5", "5e-324", "300", "1.50000000000000000001",
	    "1.49999999999999999999", "-2.25000000000000000001"};
	struct store *s = open_small(COLUMN_SEAL, 0), *reference = store_mem_new();
	put_rows_with_attributes(s, reference);
	wait_sealed(s);
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++)
			for (int op = STORE_ATTR_GE; op <= STORE_ATTR_LT; op++) {
				struct store_query q =
				    store_conformance_question(STORE_SPANS, "acme");
				q.attr_count = 1;
				q.attrs[0] = (struct store_attr){.key = str_from(keys[k]),
				    .value = str_from(values[v]),
				    .op = (enum store_attr_op)op};
				assert_same(s, reference, &q);
			}
	store_close(s);
	store_close(reference);
}

/* ---- more tables than one statement asks */

enum { MANY_DAYS = 45, DAY_ROWS = 6 };

static size_t
table_count(struct store *s)
{
	struct duck_catalog *c = &duck_of(s)->catalog;
	mutex_lock(&c->lock);
	size_t count = c->count;
	mutex_unlock(&c->lock);
	return count;
}

TEST(duck_query, rows_of_more_tables_than_fit_one_statement_come_in_order)
{
	struct store *s = open_small(2, 0), *reference = store_mem_new();
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t day = 0; day < MANY_DAYS; day++) {
		batch_reset(&b);
		b.last_seq = day + 1;
		for (uint32_t i = 0; i < DAY_ROWS; i++) {
			size_t row = duck_kit_span(&b, day + 1, i, day * DAY_ROWS + i + 1,
			    NOW - day * 7 % MANY_DAYS * NS_PER_DAY + i / 2);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_LO, i % 2);
		}
		store_conformance_put(s, &b);
		store_conformance_put(reference, &b);
	}
	while (table_count(s) < MANY_DAYS)
		clock_sleep_ns(NS_PER_MS);
	for (size_t limit = 1; limit <= MANY_DAYS * DAY_ROWS + 1; limit += 17) {
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		q.row_max = limit;
		assert_same(s, reference, &q);
		q.kind = STORE_TRACE;
		q.has_trace_id = true;
		q.trace_lo = 1;
		assert_same(s, reference, &q);
	}
	store_close(s);
	store_close(reference);
	batch_fini(&b);
}

/* ---- columns, opened again */

static void
run_sql(struct store *s, const char *sql)
{
	duckdb_result result;
	if (duckdb_query(duck_of(s)->writer.con, sql, &result) != DuckDBSuccess)
		fail_msg("%s: %s", sql, duckdb_result_error(&result));
	duckdb_destroy_result(&result);
}

TEST(duck_query, shared_columns_are_the_same_when_the_store_is_opened_again)
{
	const char *dir = test_tmp_dir();
	struct store *s = duck_kit_open_small(dir, COLUMN_SEAL, 0), *reference = store_mem_new();
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	put_rows_with_attributes(s, reference);
	wait_sealed(s);
	unsigned columns = column_count(s), keys = shared_key_count(s);
	store_close(s);
	s = duck_kit_open_small(dir, COLUMN_SEAL, 0);
	assert_int_equal(column_count(s), columns);
	assert_int_equal(shared_key_count(s), keys);
	assert_same(s, reference, &q);
	q.attr_count = 1;
	q.attrs[0] = (struct store_attr){.key = STR("share7"), .value = STR("GET")};
	assert_same(s, reference, &q);
	store_close(s);
	store_close(reference);
}

TEST(duck_query, a_store_that_does_not_know_its_columns_is_not_opened)
{
	static const char *const damages[] = {
	    "UPDATE shreds SET code = code + 1 WHERE type = 4",
	    "UPDATE shreds SET number = number + 1",
	    "UPDATE shreds SET number = -1 WHERE number = 0",
	    "UPDATE shreds SET type = 5 WHERE type = 4",
	    "UPDATE shreds SET type = 0 WHERE type = 4",
	    "DELETE FROM shreds WHERE number = 0",
	    "UPDATE shreds SET key = 'the same'",
	};
	const char *dir = test_tmp_dir();
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct store *s = duck_kit_open_small(dir, COLUMN_SEAL, 0),
		             *reference = store_mem_new();
		struct duck_options opt = {.data_dir = str_from(dir), .threads = 1};
		struct err err = {0};
		if (i == 0) {
			put_rows_with_attributes(s, reference);
			wait_sealed(s);
			run_sql(s, "CREATE TABLE good AS FROM shreds");
		}
		run_sql(s, "DELETE FROM shreds; INSERT INTO shreds FROM good");
		run_sql(s, damages[i]);
		store_close(s);
		if (duck_open(&opt, &s, &err) != ERR_CORRUPT)
			fail_msg("%s: %s", damages[i], err.message);
		/* Put it right for the next one, by the back door. */
		char path[512];
		duckdb_database db;
		duckdb_connection con;
		duckdb_result result;
		snprintf(path, sizeof(path), "%s/%s", dir, DUCK_FILE);
		assert_int_equal(duckdb_open(path, &db), DuckDBSuccess);
		assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
		assert_int_equal(duckdb_query(con,
		                     "DELETE FROM shreds; INSERT INTO shreds FROM good", &result),
		    DuckDBSuccess);
		duckdb_destroy_result(&result);
		duckdb_disconnect(&con);
		duckdb_close(&db);
		store_close(reference);
	}
}

static void
put_plain_rows(struct store *s, uint64_t seq, uint32_t rows, const char *attributes)
{
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = seq;
	for (uint32_t i = 0; i < rows; i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row = duck_kit_span(&b, seq, i, i + 1, NOW + i);
		table_set_u64(t, row, SPAN_TRACE_LO, seq * 1000 + i);
		table_set_str(t, row, SPAN_ATTRIBUTES, str_from(attributes));
	}
	store_conformance_put(s, &b);
	batch_fini(&b);
}

/* Of what is in the file of the day's spans. */
static uint64_t
segments(struct store *s, const char *where)
{
	char sql[300], name[DUCK_TABLE_NAME_BYTES];
	uint64_t n = 0;
	struct err err;
	duck_schema_table_name(&table_defs[TABLE_SPANS], (int64_t)(NOW / NS_PER_DAY), name);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*)::UBIGINT FROM pragma_storage_info('%s') WHERE segment_type = 'VARCHAR'"
	    " AND persistent AND %s",
	    name, where);
	assert_int_equal(duck_number(duck_of(s), duck_of(s)->writer.con, sql, &n, &err), ERR_OK);
	return n;
}

/* Two blocks of a file for each row group are much where hardly anything is left. */
TEST(duck_query, what_is_left_of_attributes_is_compressed_as_text_where_there_is_any)
{
	char long_text[SHRED_SHARED_BYTES_MAX + 20];
	const struct {
		const char *attributes;
		bool zstd;
	} cases[] = {{"{\"a\":1}", false}, {long_text, true}, {NULL, false}};
	snprintf(long_text, sizeof(long_text), "{\"a\":[\"%0*d\"]}", SHRED_SHARED_BYTES_MAX, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store *s = open_small(COLUMN_SEAL, 0);
		put_plain_rows(s, 2 * i + 1, COLUMN_SEAL, cases[i].attributes);
		wait_sealed(s);
		while (segments(s, "column_name = 'attributes'") == 0) /* the store's checkpoint */
			clock_sleep_ns(NS_PER_MS);
		uint64_t zstd = segments(s, "column_name = 'attributes' AND compression = 'ZSTD'");
		if ((zstd > 0) != cases[i].zstd)
			fail_msg("%s: %d", cases[i].attributes, (int)zstd);
		store_close(s);
	}
}

/* ---- services */

TEST(duck_query, services_are_counted_the_same_whatever_seals_a_window_cuts)
{
	struct store *s = open_small(COLUMN_SEAL, 0), *reference = store_mem_new();
	put_rows_with_attributes(s, reference);
	wait_sealed(s);
	for (uint64_t from = 0; from < 97; from += 8)
		for (uint64_t length = 1; length <= 97; length += 12) {
			struct store_query q = store_conformance_question(STORE_SERVICES, "acme");
			q.from_ns = NOW + from * NS_PER_S;
			q.to_ns = q.from_ns + length * NS_PER_S;
			assert_same(s, reference, &q);
			q.service = STR("b");
			assert_same(s, reference, &q);
			q.from_ns = 0;
			assert_same(s, reference, &q);
		}
	struct store_query all = store_conformance_question(STORE_SERVICES, "acme");
	assert_same(s, reference, &all);
	store_close(s);
	store_close(reference);
}

/* ---- the hot tail as a table */

static bool
runs(duckdb_connection con, const char *sql)
{
	duckdb_result result;
	bool ok = duckdb_query(con, sql, &result) == DuckDBSuccess;
	duckdb_destroy_result(&result);
	return ok;
}

TEST(duck_query, a_view_is_refused_by_its_number_when_it_has_ended)
{
	struct store *s = open_small(0, 0);
	struct duck *d = duck_of(s);
	struct batch b;
	struct err err;
	duckdb_connection con, other;
	struct duck_view view;
	char sql[160];
	batch_init(&b, 0);
	store_conformance_batch(&b, 1, 1, 500);
	store_conformance_put(s, &b);
	assert_int_equal(duck_pool_take(d, UINT64_MAX, &con, &err), ERR_OK);
	assert_int_equal(duckdb_connect(d->db, &other), DuckDBSuccess);
	assert_int_equal(duck_view_begin(d, con, true, &view, &err), ERR_OK);
	snprintf(sql, sizeof(sql),
	    "SELECT * FROM weir_hot(%" PRIu64 ", 0, 0::UBIGINT, %" PRIu64
	    "::UBIGINT, 0::UBIGINT, 0::UBIGINT, 0::UBIGINT)",
	    view.handle, UINT64_MAX);
	assert_true(runs(other, sql));
	/* A statement that is bound outlives it. */
	duckdb_prepared_statement st;
	duckdb_result result;
	assert_int_equal(duckdb_prepare(other, sql, &st), DuckDBSuccess);
	assert_true(duck_view_end(d, &view));
	(void)duckdb_execute_prepared(st, &result);
	duckdb_destroy_result(&result);
	duckdb_destroy_prepare(&st);
	assert_false(runs(other, sql));
	assert_false(runs(other,
	    "SELECT * FROM weir_hot(1, 0, 0::UBIGINT, 1::UBIGINT, 0::UBIGINT, 0::UBIGINT, 0::UBIGINT)"));
	assert_false(runs(other,
	    "SELECT * FROM weir_hot(NULL, 0, 0::UBIGINT, 1::UBIGINT, 0::UBIGINT, 0::UBIGINT, 0::UBIGINT)"));
	assert_false(runs(other,
	    "SELECT * FROM weir_hot(-1, -1, 0::UBIGINT, 1::UBIGINT, 0::UBIGINT, 0::UBIGINT, 0::UBIGINT)"));
	assert_int_equal(d->views.count, 0);
	duckdb_disconnect(&other);
	duck_pool_give(d, con, false);
	store_close(s);
	batch_fini(&b);
}
