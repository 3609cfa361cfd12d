/* SPDX-License-Identifier: Apache-2.0 */
/* Files of earlier schemas, opened by this one: of version 1, as weir 0.1 wrote it, and of the last one before. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OLD_REQUESTS = 40, REQUESTS = 100 };

#define SPANS_1                                                                                            \
	"tenant VARCHAR NOT NULL, seq UBIGINT NOT NULL, ord UINTEGER NOT NULL, trace_hi UBIGINT NOT NULL," \
	" trace_lo UBIGINT NOT NULL, span_id UBIGINT NOT NULL, parent_id UBIGINT NOT NULL,"                \
	" start_ns UBIGINT NOT NULL, duration_ns BIGINT NOT NULL, service VARCHAR NOT NULL,"               \
	" name VARCHAR NOT NULL, kind INTEGER NOT NULL, status_code INTEGER NOT NULL,"                     \
	" status_message VARCHAR NOT NULL, trace_state VARCHAR NOT NULL, flags UINTEGER NOT NULL,"         \
	" attributes VARCHAR, dropped_attributes UINTEGER NOT NULL, events VARCHAR,"                       \
	" dropped_events UINTEGER NOT NULL, links VARCHAR, dropped_links UINTEGER NOT NULL,"               \
	" resource_id UBIGINT NOT NULL, scope_id UBIGINT NOT NULL"
#define LOGS_1                                                                                             \
	"tenant VARCHAR NOT NULL, seq UBIGINT NOT NULL, ord UINTEGER NOT NULL, event_ns UBIGINT NOT NULL," \
	" time_ns UBIGINT NOT NULL, observed_ns UBIGINT NOT NULL, trace_hi UBIGINT NOT NULL,"              \
	" trace_lo UBIGINT NOT NULL, span_id UBIGINT NOT NULL, service VARCHAR NOT NULL,"                  \
	" severity_number INTEGER NOT NULL, severity_text VARCHAR NOT NULL, body VARCHAR,"                 \
	" body_kind INTEGER NOT NULL, event_name VARCHAR NOT NULL, flags UINTEGER NOT NULL,"               \
	" attributes VARCHAR, dropped_attributes UINTEGER NOT NULL, resource_id UBIGINT NOT NULL,"         \
	" scope_id UBIGINT NOT NULL"
#define POINTS_1                                                                                          \
	"tenant VARCHAR NOT NULL, seq UBIGINT NOT NULL, ord UINTEGER NOT NULL, time_ns UBIGINT NOT NULL," \
	" start_ns UBIGINT NOT NULL, service VARCHAR NOT NULL, name VARCHAR NOT NULL,"                    \
	" description VARCHAR NOT NULL, unit VARCHAR NOT NULL, metadata VARCHAR,"                         \
	" type INTEGER NOT NULL, temporality INTEGER NOT NULL, is_monotonic BOOLEAN NOT NULL,"            \
	" series_id UBIGINT NOT NULL, attributes VARCHAR, flags UINTEGER NOT NULL, value DOUBLE,"         \
	" value_int BIGINT, count UBIGINT, sum DOUBLE, min DOUBLE, max DOUBLE,"                           \
	" explicit_bounds DOUBLE[], bucket_counts UBIGINT[], scale INTEGER, zero_count UBIGINT,"          \
	" zero_threshold DOUBLE, positive_offset INTEGER, positive_counts UBIGINT[],"                     \
	" negative_offset INTEGER, negative_counts UBIGINT[], quantiles DOUBLE[],"                        \
	" quantile_values DOUBLE[], exemplars VARCHAR, resource_id UBIGINT NOT NULL,"                     \
	" scope_id UBIGINT NOT NULL"
#define FIRST_TABLES                                                                                    \
	"CREATE TABLE meta(name VARCHAR NOT NULL, value UBIGINT NOT NULL, written TIMESTAMP NOT NULL);" \
	"CREATE TABLE positions(seq UBIGINT NOT NULL);"                                                 \
	"CREATE TABLE partitions(base VARCHAR NOT NULL, day BIGINT NOT NULL);"                          \
	"CREATE TABLE resources(id UBIGINT NOT NULL, tenant VARCHAR NOT NULL,"                          \
	" service VARCHAR NOT NULL, attributes VARCHAR, dropped_attributes UINTEGER NOT NULL,"          \
	" schema_url VARCHAR NOT NULL, entity_refs VARCHAR);"                                           \
	"CREATE TABLE scopes(id UBIGINT NOT NULL, tenant VARCHAR NOT NULL, name VARCHAR NOT NULL,"      \
	" version VARCHAR NOT NULL, attributes VARCHAR, dropped_attributes UINTEGER NOT NULL,"          \
	" schema_url VARCHAR NOT NULL);"                                                                \
	"INSERT INTO meta SELECT 'schema_version', 1, now()::TIMESTAMP;"

static void
put_text(struct buf *out, struct str s)
{
	buf_char(out, '\'');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\'')
			buf_char(out, '\'');
		buf_char(out, s.ptr[i]);
	}
	buf_char(out, '\'');
}

static void
put_list(struct buf *out, const struct table *t, size_t row, int col)
{
	bool ints = t->def->cols[col].kind == COL_U64S;
	size_t len = ints ? table_u64s(t, row, col).len : table_f64s(t, row, col).len;
	buf_char(out, '[');
	for (size_t i = 0; i < len && ints; i++)
		buf_printf(out, "%s%" PRIu64, i > 0 ? ", " : "", table_u64s(t, row, col).ptr[i]);
	for (size_t i = 0; i < len && !ints; i++)
		buf_printf(out, "%s%.17g", i > 0 ? ", " : "", table_f64s(t, row, col).ptr[i]);
	buf_char(out, ']');
}

static void
put_value(struct buf *out, const struct table *t, size_t row, int col)
{
	if (t->def->cols[col].nullable && table_is_null(t, row, col)) {
		buf_str(out, STR("NULL"));
		return;
	}
	switch (t->def->cols[col].kind) {
	case COL_U64: buf_printf(out, "%" PRIu64, table_u64(t, row, col)); break;
	case COL_I64: buf_printf(out, "%" PRId64, table_i64(t, row, col)); break;
	case COL_U32: buf_printf(out, "%" PRIu32, table_u32(t, row, col)); break;
	case COL_I32: buf_printf(out, "%" PRId32, table_i32(t, row, col)); break;
	case COL_F64: buf_printf(out, "%.17g::DOUBLE", table_f64(t, row, col)); break;
	case COL_BOOL: buf_str(out, table_bool(t, row, col) ? STR("true") : STR("false")); break;
	case COL_STR: put_text(out, table_str(t, row, col)); break;
	case COL_U64S:
	case COL_F64S: put_list(out, t, row, col); break;
	}
}

static void
put_row(struct buf *out, const char *table, const struct table *t, size_t row)
{
	buf_printf(out, "INSERT INTO %s VALUES (", table);
	for (size_t c = 0; c < t->def->col_count; c++) {
		if (c > 0)
			buf_str(out, STR(", "));
		put_value(out, t, row, (int)c);
	}
	buf_str(out, STR(");"));
}

/* Today and yesterday have tables, everything else is in the catch-alls: far days, and near ones too, as
 * version 1 did with days of few rows. */
static void
put_signal(struct buf *out, struct map *seen, const struct table *t, const unsigned char *hidden,
    const char *columns)
{
	enum table_id id = (enum table_id)(t->def - table_defs);
	for (size_t row = 0; row < t->row_count; row++) {
		char name[DUCK_TABLE_NAME_BYTES];
		uint64_t day = duck_row_day(t, row), today = CONFORMANCE_NOW_NS / NS_PER_DAY;
		int64_t table_day =
		    day == today || day == today - 1 ? (int64_t)day : DUCK_DAY_OTHER;
		uint64_t key = (uint64_t)table_day * 8 + id;
		if (hidden && hidden[row])
			continue;
		duck_schema_table_name(t->def, table_day, name);
		if (!map_get(seen, key)) {
			bool put = map_put(seen, key, 1);
			assert_true(put);
			buf_printf(out,
			    "CREATE TABLE %s(%s); INSERT INTO partitions VALUES ('%s', %" PRId64
			    ");",
			    name, columns, t->def->name, table_day);
		}
		put_row(out, name, t, row);
	}
}

static void
put_dict(struct buf *out, struct map *seen, const struct table *t, uint64_t salt)
{
	for (size_t row = 0; row < t->row_count; row++) {
		uint64_t key = table_u64(t, row, 0) * 2 + salt;
		bool known = map_get(seen, key);
		bool put = map_put(seen, key, 1);
		assert_true(put);
		if (!known)
			put_row(out, t->def->name, t, row);
	}
}

/* A folder with what version 1 made of the first requests; `reference` has them too. */
static const char *
make_old(struct store *reference)
{
	static const char *const columns[] = {SPANS_1, LOGS_1, POINTS_1};
	const char *dir = test_tmp_dir();
	struct buf sql = {0};
	struct map tables = {0}, entries = {0};
	struct batch b;
	batch_init(&b, 0);
	buf_str(&sql, STR(FIRST_TABLES));
	for (uint64_t seq = 1; seq <= OLD_REQUESTS; seq += 8) {
		duck_kit_batch(&b, seq, seq + 7);
		table_truncate(&b.tables[TABLE_COMMENTS], 0); /* there were none then */
		for (size_t i = 0; i < b.request_count; i++)
			b.requests[i].source = STR_EMPTY; /* nor were they pulled */
		store_conformance_put(reference, &b);
		for (size_t id = 0; id < ARRAY_LEN(columns); id++)
			put_signal(&sql, &tables, &b.tables[id], b.hidden[id], columns[id]);
		put_dict(&sql, &entries, &b.tables[TABLE_RESOURCES], 0);
		put_dict(&sql, &entries, &b.tables[TABLE_SCOPES], 1);
		buf_printf(&sql, "INSERT INTO positions VALUES (%" PRIu64 ");", seq + 7);
	}
	buf_char(&sql, '\0');
	assert_false(sql.failed);
	duck_kit_sql_on_file(dir, sql.ptr);
	buf_fini(&sql);
	map_fini(&tables);
	map_fini(&entries);
	batch_fini(&b);
	return dir;
}

/* Requests were not remembered by version 1. */
static void
load(struct store *s, uint64_t to)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = store_applied(s) + 1; seq <= to; seq++) {
		duck_kit_batch(&b, seq, seq);
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
}

static void
go_on_with_old(uint64_t seal_rows)
{
	struct store *reference = store_mem_new();
	const char *dir = make_old(reference);
	struct duck_options opt = duck_kit_eager(dir);
	opt.seal_rows = seal_rows;
	struct store *s = duck_kit_open(&opt);
	assert_int_equal(store_position(s), OLD_REQUESTS);
	duck_kit_same(s, reference);
	store_close(s);
	s = duck_kit_open(&opt); /* migrated already */
	assert_int_equal(store_position(s), OLD_REQUESTS);
	/* Beside the old ones, which also are repeated, and moved from the catch-alls to their days. */
	for (uint64_t to = OLD_REQUESTS + 20; to <= REQUESTS; to += 20) {
		load(s, to);
		load(reference, to);
		duck_kit_same(s, reference);
	}
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	struct store_status status;
	store_status(s, &status);
	uint64_t rows = status.row_count;
	store_close(s);
	s = duck_kit_open(&opt);
	duck_kit_same(s, reference);
	store_status(s, &status);
	assert_int_equal(status.row_count, rows);
	store_close(s);
	duck_kit_whole(dir);
	store_close(reference);
}

TEST(duck, file_of_schema_version_1_is_gone_on_with)
{
	go_on_with_old(64);
}

TEST(duck, rows_of_schema_version_1_are_moved_out_of_the_catch_alls)
{
	go_on_with_old(16);
}

TEST(duck, empty_file_of_schema_version_1_is_gone_on_with)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *reference = store_mem_new();
	duck_kit_sql_on_file(dir, FIRST_TABLES);
	struct store *s = duck_kit_open(&opt);
	assert_int_equal(store_position(s), 0);
	duck_kit_load(s, 30, 1);
	duck_kit_load(reference, 30, 1);
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
}

/* Version 4 only adds a table. */
TEST(duck, file_of_schema_version_3_is_gone_on_with)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *reference = store_mem_new(), *s = duck_kit_open(&opt);
	struct store_pull pull;
	duck_kit_load(s, 60, 1);
	duck_kit_load(reference, 60, 1);
	duck_kit_flush(s);
	uint64_t position = store_position(s);
	store_close(s);
	duck_kit_sql_on_file(dir,
	    "DROP TABLE pulls; DELETE FROM meta WHERE name = 'schema_version' AND value > 3");
	s = duck_kit_open(&opt);
	assert_int_equal(store_position(s), position);
	assert_int_equal(store_pulls(s, STR("acme"), STR_EMPTY, &pull, 1), 0);
	duck_kit_load(s, REQUESTS, 2); /* each source again */
	duck_kit_flush(s);
	assert_int_equal(store_pulls(s, STR("acme"), STR_EMPTY, &pull, 1), 1);
	store_close(s);
	duck_kit_whole(dir);
	store_close(reference);
}
