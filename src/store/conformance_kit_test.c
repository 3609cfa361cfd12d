/* SPDX-License-Identifier: Apache-2.0 */
/* Asking stores and comparing what they say. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <string.h>

struct store_query
store_conformance_question(enum store_query_kind kind, const char *tenant)
{
	return (struct store_query){
	    .kind = kind,
	    .tenant = str_from(tenant),
	    .to_ns = UINT64_MAX,
	    .row_max = 1000000,
	    .deadline_mono_ns = clock_mono_ns() + 50 * NS_PER_S,
	};
}

void
store_conformance_ask(struct store *s, const struct store_query *q, struct arena *arena,
    struct store_result *out)
{
	struct err err = {0};
	if (store_query(s, q, arena, out, &err) != ERR_OK)
		fail_msg("query: %s", err.message);
}

void
store_conformance_put(struct store *s, struct batch *b)
{
	struct err err = {0};
	enum err_code code;
	/* Busy is no failure, it asks for patience; a store that stays so is ended by the test's limit. */
	while ((code = store_append(s, b, &err)) == ERR_BUSY)
		;
	if (code != ERR_OK)
		fail_msg("append: %s", err.message);
}

size_t
store_conformance_row(struct batch *b, enum table_id id, const char *tenant, size_t ord,
    uint64_t time_ns)
{
	static const struct {
		int tenant, seq, ord;
	} cols[] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SEQ, SPAN_ORD},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_SEQ, LOG_ORD},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_SEQ, POINT_ORD},
	    [TABLE_COMMENTS] = {COMMENT_TENANT, COMMENT_SEQ, COMMENT_ORD},
	};
	struct table *t = &b->tables[id];
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, cols[id].tenant, str_from(tenant));
	table_set_u64(t, row, cols[id].seq, b->last_seq);
	table_set_u32(t, row, cols[id].ord, (uint32_t)ord);
	table_set_u64(t, row, t->def->time_col, time_ns);
	return row;
}

void
store_conformance_dict(struct batch *b, enum table_id id, uint64_t key, const char *tenant,
    const char *json)
{
	bool added;
	size_t row = id == TABLE_RESOURCES ? batch_resource(b, str_from(tenant), key, &added)
	                                   : batch_scope(b, str_from(tenant), key, &added);
	struct table *t = &b->tables[id];
	if (json)
		table_set_str(t, row,
		    id == TABLE_RESOURCES ? (int)RESOURCE_ATTRIBUTES : (int)SCOPE_ATTRIBUTES,
		    str_from(json));
}

void
store_conformance_all(struct store *s, enum store_query_kind kind, struct str tenant,
    struct arena *arena, struct store_result *out)
{
	struct store_query q = store_conformance_question(kind, "x");
	q.tenant = tenant;
	store_conformance_ask(s, &q, arena, out);
	assert_false(out->more);
}

static bool
same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool
same_value(const struct table *a, const struct table *b, size_t row, size_t b_row, int col)
{
	if (a->def->cols[col].nullable &&
	    table_is_null(a, row, col) != table_is_null(b, b_row, col))
		return false;
	if (a->def->cols[col].nullable && table_is_null(a, row, col))
		return true;
	double x, y;
	uint64_t x_bits, y_bits;
	struct u64s us, vs;
	struct f64s fs, gs;
	switch (a->def->cols[col].kind) {
	case COL_U64: return table_u64(a, row, col) == table_u64(b, b_row, col);
	case COL_I64: return table_i64(a, row, col) == table_i64(b, b_row, col);
	case COL_U32: return table_u32(a, row, col) == table_u32(b, b_row, col);
	case COL_I32: return table_i32(a, row, col) == table_i32(b, b_row, col);
	case COL_F64:
		x = table_f64(a, row, col);
		y = table_f64(b, b_row, col);
		memcpy(&x_bits, &x, sizeof(x));
		memcpy(&y_bits, &y, sizeof(y));
		return x_bits == y_bits; /* -0.0 and NaNs too */
	case COL_BOOL: return table_bool(a, row, col) == table_bool(b, b_row, col);
	case COL_STR: return str_eq(table_str(a, row, col), table_str(b, b_row, col));
	case COL_U64S:
		us = table_u64s(a, row, col);
		vs = table_u64s(b, b_row, col);
		return same_bytes(us.ptr, us.len * 8, vs.ptr, vs.len * 8);
	case COL_F64S:
		fs = table_f64s(a, row, col);
		gs = table_f64s(b, b_row, col);
		return same_bytes(fs.ptr, fs.len * 8, gs.ptr, gs.len * 8);
	}
	return false;
}

void
store_conformance_same_row(const struct table *a, size_t row, const struct table *b, size_t b_row)
{
	for (size_t c = 0; c < a->def->col_count; c++)
		if (!same_value(a, b, row, b_row, (int)c))
			fail_msg("%s: column %s of row %zu differs", a->def->name,
			    a->def->cols[c].name, row);
}

void
store_conformance_same_table(const struct table *a, const struct table *b)
{
	assert_ptr_equal(a->def, b->def);
	assert_int_equal(a->row_count, b->row_count);
	for (size_t row = 0; row < a->row_count; row++)
		store_conformance_same_row(a, row, b, row);
}

unsigned
store_conformance_mask(struct store *s, const struct store_query *q)
{
	struct arena arena = {0};
	struct store_result r;
	unsigned mask = 0;
	int col = q->kind == STORE_LOGS ? (int)LOG_ORD
	    : q->kind == STORE_POINTS   ? (int)POINT_ORD
	    : q->kind == STORE_COMMENTS ? (int)COMMENT_ORD
	                                : (int)SPAN_ORD;
	store_conformance_ask(s, q, &arena, &r);
	for (size_t row = 0; row < r.rows.row_count; row++) {
		unsigned bit = 1U << table_u32(&r.rows, row, col);
		assert_int_equal(mask & bit, 0);
		mask |= bit;
	}
	arena_fini(&arena);
	return mask;
}
