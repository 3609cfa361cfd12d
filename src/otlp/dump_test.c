/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/dump_test.h"

#include "model/typed.h"
#include "tests/test.h"

#include <math.h>

static void
dump_f64(struct buf *out, double v)
{
	if (isnan(v))
		buf_str(out, STR("nan"));
	else
		buf_printf(out, "%.17g", v);
}

static void
dump_lists(const struct table *t, size_t row, int col, struct buf *out)
{
	buf_char(out, '[');
	if (t->def->cols[col].kind == COL_U64S) {
		struct u64s list = table_u64s(t, row, col);
		for (size_t i = 0; i < list.len; i++)
			buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)list.ptr[i]);
	} else {
		struct f64s list = table_f64s(t, row, col);
		for (size_t i = 0; i < list.len; i++) {
			buf_str(out, i ? STR(",") : STR(""));
			dump_f64(out, list.ptr[i]);
		}
	}
	buf_char(out, ']');
}

void
dump_value(const struct table *t, size_t row, int col, struct buf *out)
{
	if (table_is_null(t, row, col)) {
		buf_str(out, STR("NULL"));
		return;
	}
	switch (t->def->cols[col].kind) {
	case COL_U64: buf_u64(out, table_u64(t, row, col)); return;
	case COL_I64: buf_i64(out, table_i64(t, row, col)); return;
	case COL_U32: buf_u64(out, table_u32(t, row, col)); return;
	case COL_I32: buf_i64(out, table_i32(t, row, col)); return;
	case COL_F64: dump_f64(out, table_f64(t, row, col)); return;
	case COL_BOOL: buf_str(out, table_bool(t, row, col) ? STR("true") : STR("false")); return;
	case COL_STR: buf_str(out, table_str(t, row, col)); return;
	case COL_U64S:
	case COL_F64S: dump_lists(t, row, col, out); return;
	}
}

static bool
is_hash(const char *name)
{
	static const char *const hashes[] = {"id", "resource_id", "scope_id", "series_id"};
	for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
		if (strcmp(name, hashes[i]) == 0)
			return true;
	return false;
}

static void
dump_row(const struct table *t, size_t row, struct buf *out)
{
	buf_printf(out, "%s\n", t->def->name);
	for (size_t col = 0; col < t->def->col_count; col++) {
		if (is_hash(t->def->cols[col].name))
			continue;
		buf_printf(out, "\t%s=", t->def->cols[col].name);
		dump_value(t, row, (int)col, out);
		buf_char(out, '\n');
	}
}

void
dump_batch(const struct batch *b, struct buf *out)
{
	for (size_t i = 0; i < TABLE_STORED_COUNT; i++)
		for (size_t row = 0; row < b->tables[i].row_count; row++)
			dump_row(&b->tables[i], row, out);
}

struct otlp_counts
dump_decode(enum signal_kind signal, struct str body, const struct limits *limits, struct batch *b)
{
	struct err err = {0};
	struct otlp_counts counts;
	struct otlp_origin origin = {STR("acme"), 77, UINT64_C(1795187531000000999)};
	batch_reset(b);
	if (otlp_scan(signal, body, limits, &counts, &err) != ERR_OK)
		fail_msg("scan: %s", err.message);
	if (otlp_decode(signal, body, limits, &origin, b, &err) != ERR_OK)
		fail_msg("decode: %s", err.message);
	assert_int_equal(batch_row_count(b), counts.accepted);
	assert_true(b->arena.used_bytes <= counts.decoded_bytes);
	return counts;
}

static bool
is_json(const char *name)
{
	static const char *const columns[] = {
	    "attributes", "events", "links", "exemplars", "metadata", "entity_refs"};
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (strcmp(name, columns[i]) == 0)
			return true;
	return false;
}

static void
assert_json(const struct table *t, size_t row, int col)
{
	struct buf out = {0};
	struct err err = {0};
	if (table_is_null(t, row, col))
		return;
	if (typed_write_api(table_str(t, row, col), &out, &err) != ERR_OK)
		fail_msg("%s: %s: %.*s", t->def->cols[col].name, err.message,
		    STR_ARG(table_str(t, row, col)));
	buf_fini(&out);
}

static void
assert_row_json(const struct table *t, size_t row)
{
	for (size_t col = 0; col < t->def->col_count; col++)
		if (is_json(t->def->cols[col].name))
			assert_json(t, row, (int)col);
	if (t->def == &table_defs[TABLE_LOGS] && table_i32(t, row, LOG_BODY_KIND) == LOG_BODY_TYPED)
		assert_json(t, row, LOG_BODY);
}

void
dump_agree(enum signal_kind signal, struct str body, const struct limits *limits, struct batch *b)
{
	struct otlp_counts counts;
	struct otlp_origin origin = {STR("acme"), 1, 1};
	batch_reset(b);
	enum err_code scanned = otlp_scan(signal, body, limits, &counts, NULL);
	enum err_code decoded = otlp_decode(signal, body, limits, &origin, b, NULL);
	assert_int_equal(scanned, decoded);
	if (scanned != ERR_OK)
		return;
	assert_int_equal(batch_row_count(b), counts.accepted);
	assert_true(b->arena.used_bytes <= counts.decoded_bytes);
	assert_int_equal(counts.reason[0] != '\0', counts.rejected > 0);
	for (size_t i = 0; i < TABLE_STORED_COUNT; i++)
		for (size_t row = 0; row < b->tables[i].row_count; row++)
			assert_row_json(&b->tables[i], row);
}
