/* SPDX-License-Identifier: Apache-2.0 */
#include "hot/kit_test.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

uint64_t
kit_mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * UINT64_C(0x9e3779b97f4a7c15) + b;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t
kit_rand(uint64_t *state)
{
	return kit_mix(*state += 1, 77);
}

uint64_t
kit_key(enum table_id table, uint64_t seq, uint32_t ord)
{
	return (uint64_t)table << 60 | seq << 20 | ord;
}

struct str
kit_tenant(uint64_t seq, char buf[16])
{
	int n = snprintf(buf, 16, "tenant-%u", (unsigned)(seq % 3));
	return str_of(buf, (size_t)n);
}

/* What a column of a table is for. */
static bool
is_col(const struct table_def *def, size_t col, const char *name)
{
	return strcmp(def->cols[col].name, name) == 0;
}

enum { TEXT_MAX = 40 };

/* 0: NULL where that is allowed. */
static size_t
text_of(uint64_t key, size_t col, char buf[TEXT_MAX])
{
	uint64_t x = kit_mix(key, col);
	size_t len = x % 5 == 0 ? 0 : (x >> 8) % TEXT_MAX;
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)('a' + kit_mix(x, i) % 26);
	return len;
}

static bool
is_null(uint64_t key, size_t col)
{
	return kit_mix(key, col) % 7 == 0;
}

static void
set_list(struct batch *b, struct table *t, size_t row, int col, uint64_t x)
{
	size_t len = x % 6;
	uint64_t *u = arena_array(&b->arena, len + 1, sizeof(*u));
	double *f = arena_array(&b->arena, len + 1, sizeof(*f));
	assert_non_null(u);
	assert_non_null(f);
	for (size_t i = 0; i < len; i++) {
		u[i] = kit_mix(x, i);
		f[i] = (double)(u[i] >> 20);
	}
	if (t->def->cols[col].kind == COL_U64S)
		table_set_u64s(t, row, col, (struct u64s){u, len});
	else
		table_set_f64s(t, row, col, (struct f64s){f, len});
}

static void
set_value(struct batch *b, struct table *t, size_t row, int col, uint64_t key)
{
	const struct column_def *def = &t->def->cols[col];
	char buf[TEXT_MAX];
	uint64_t x = kit_mix(key, (size_t)col);
	if (def->nullable && is_null(key, (size_t)col))
		return;
	switch (def->kind) {
	case COL_U64: table_set_u64(t, row, col, x); break;
	case COL_I64: table_set_i64(t, row, col, (int64_t)x); break;
	case COL_U32: table_set_u32(t, row, col, (uint32_t)x); break;
	case COL_I32: table_set_i32(t, row, col, (int32_t)x); break;
	case COL_F64: table_set_f64(t, row, col, (double)(x >> 12)); break;
	case COL_BOOL: table_set_bool(t, row, col, x & 1); break;
	case COL_STR:
		table_set_str(t, row, col,
		    arena_str(&b->arena, str_of(buf, text_of(key, (size_t)col, buf))));
		break;
	case COL_U64S:
	case COL_F64S: set_list(b, t, row, col, x); break;
	}
}

static void
assert_list(const struct table *t, size_t row, int col, uint64_t x)
{
	size_t len = x % 6;
	bool u = t->def->cols[col].kind == COL_U64S;
	assert_int_equal(u ? table_u64s(t, row, col).len : table_f64s(t, row, col).len, len);
	for (size_t i = 0; i < len; i++) {
		if (u)
			assert_true(table_u64s(t, row, col).ptr[i] == kit_mix(x, i));
		else
			assert_true(table_f64s(t, row, col).ptr[i] ==
			    (double)(kit_mix(x, i) >> 20));
	}
}

static void
assert_value(const struct table *t, size_t row, int col, uint64_t key)
{
	const struct column_def *def = &t->def->cols[col];
	char buf[TEXT_MAX];
	uint64_t x = kit_mix(key, (size_t)col);
	bool null = def->nullable && is_null(key, (size_t)col);
	assert_int_equal(table_is_null(t, row, col), null);
	if (null)
		return;
	switch (def->kind) {
	case COL_U64: assert_true(table_u64(t, row, col) == x); break;
	case COL_I64: assert_true(table_i64(t, row, col) == (int64_t)x); break;
	case COL_U32: assert_true(table_u32(t, row, col) == (uint32_t)x); break;
	case COL_I32: assert_true(table_i32(t, row, col) == (int32_t)x); break;
	case COL_F64: assert_true(table_f64(t, row, col) == (double)(x >> 12)); break;
	case COL_BOOL: assert_true(table_bool(t, row, col) == (x & 1)); break;
	case COL_STR:
		assert_true(str_eq(table_str(t, row, col),
		    str_of(buf, text_of(key, (size_t)col, buf))));
		break;
	case COL_U64S:
	case COL_F64S: assert_list(t, row, col, x); break;
	}
}

/* The tenant is one string for neighbours, as a decoder makes it. */
static struct str
shared_tenant(struct batch *b, struct table *t, size_t row, int col, uint64_t seq)
{
	char buf[16];
	struct str tenant = kit_tenant(seq, buf);
	if (row > 0 && str_eq(table_str(t, row - 1, col), tenant))
		return table_str(t, row - 1, col);
	return arena_str(&b->arena, tenant);
}

void
kit_add_row(struct batch *b, enum table_id table, uint64_t seq, uint32_t ord, int64_t day)
{
	struct table *t = &b->tables[table];
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	uint64_t key = kit_key(table, seq, ord);
	for (size_t c = 0; c < t->def->col_count; c++) {
		int col = (int)c;
		if (is_col(t->def, c, "tenant"))
			table_set_str(t, row, col, shared_tenant(b, t, row, col, seq));
		else if (is_col(t->def, c, "seq"))
			table_set_u64(t, row, col, seq);
		else if (is_col(t->def, c, "ord"))
			table_set_u32(t, row, col, ord);
		else if (col == t->def->time_col)
			table_set_u64(t, row, col,
			    (uint64_t)day * HOT_DAY_NS + kit_mix(key, c) % HOT_DAY_NS);
		else
			set_value(b, t, row, col, key);
	}
}

uint32_t
kit_add_dict(struct batch *b, enum table_id table, uint64_t id)
{
	struct table *t = &b->tables[table];
	size_t row = table_add_row(t);
	char buf[16];
	assert_true(row != SIZE_MAX);
	uint64_t key = kit_key(table, id, 0);
	for (size_t c = 0; c < t->def->col_count; c++) {
		if (is_col(t->def, c, "tenant"))
			table_set_str(t, row, (int)c, arena_str(&b->arena, kit_tenant(id, buf)));
		else if (is_col(t->def, c, "id"))
			table_set_u64(t, row, (int)c, id);
		else
			set_value(b, t, row, (int)c, key);
	}
	return (uint32_t)row;
}

static uint64_t
key_of(const struct table *t, size_t row)
{
	enum table_id table = (enum table_id)(t->def - table_defs);
	switch (table) {
	case TABLE_SPANS:
		return kit_key(table, table_u64(t, row, SPAN_SEQ), table_u32(t, row, SPAN_ORD));
	case TABLE_LOGS:
		return kit_key(table, table_u64(t, row, LOG_SEQ), table_u32(t, row, LOG_ORD));
	case TABLE_POINTS:
		return kit_key(table, table_u64(t, row, POINT_SEQ), table_u32(t, row, POINT_ORD));
	case TABLE_COMMENTS:
		return kit_key(table, table_u64(t, row, COMMENT_SEQ),
		    table_u32(t, row, COMMENT_ORD));
	case TABLE_RESOURCES: return kit_key(table, table_u64(t, row, RESOURCE_ID), 0);
	case TABLE_SCOPES: return kit_key(table, table_u64(t, row, SCOPE_ID), 0);
	case TABLE_SERVICES:
	case TABLE_TRACES:
	case TABLE_BUCKETS:
	case TABLE_METRICS:
	case TABLE_SERIES:
	case TABLE_SAMPLES:
	case TABLE_DISTRIBUTIONS:
	case TABLE_COUNT: break;
	}
	fail();
	return 0;
}

uint64_t
kit_check_row(const struct table *t, size_t row)
{
	uint64_t key = key_of(t, row);
	char buf[16];
	for (size_t c = 0; c < t->def->col_count; c++) {
		int col = (int)c;
		if (is_col(t->def, c, "tenant"))
			assert_true(str_eq(table_str(t, row, col),
			    kit_tenant(key >> 20 & 0xffffffffff, buf)));
		else if (col == t->def->time_col)
			assert_true(table_u64(t, row, col) % HOT_DAY_NS ==
			    kit_mix(key, c) % HOT_DAY_NS);
		else if (!is_col(t->def, c, "seq") && !is_col(t->def, c, "ord") &&
		    (!is_col(t->def, c, "id") || t->def->cols[c].kind == COL_STR))
			assert_value(t, row, col, key);
	}
	return key;
}

void
kit_append(struct hot *h, struct batch *b, uint64_t seq)
{
	struct hot_append a = {.batch = b, .today = KIT_DAY};
	uint32_t *rows[2];
	b->last_seq = seq;
	b->last_bytes = seq * 100;
	for (int d = 0; d < 2; d++) {
		a.new_count[d] = b->tables[TABLE_RESOURCES + d].row_count;
		a.new_rows[d] = rows[d] = xcalloc(a.new_count[d] + 1, sizeof(uint32_t));
		for (uint32_t i = 0; i < a.new_count[d]; i++)
			rows[d][i] = i;
	}
	struct err err;
	assert_int_equal(hot_append(h, &a, &err), ERR_OK);
	free(rows[0]);
	free(rows[1]);
	batch_reset(b);
}

/* ---- sets of keys */

void
kit_keys_add(struct kit_keys *k, uint64_t key)
{
	if (k->count == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 256;
		k->keys = xrealloc(k->keys, k->cap * sizeof(*k->keys));
	}
	k->keys[k->count++] = key;
}

static int
by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

void
kit_keys_sort(struct kit_keys *k)
{
	if (k->count > 0)
		qsort(k->keys, k->count, sizeof(*k->keys), by_key);
}

void
kit_keys_fini(struct kit_keys *k)
{
	free(k->keys);
	*k = (struct kit_keys){0};
}

void
kit_read_slices(const struct hot_slice *slices, size_t count, struct kit_keys *out)
{
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++) {
		const struct table *t = slices[i].rows;
		bool timed = t->def->time_col >= 0;
		uint64_t min = timed ? UINT64_MAX : 0, max = timed ? 0 : UINT64_MAX;
		assert_true(slices[i].count > 0);
		for (size_t r = slices[i].first; r < slices[i].first + slices[i].count; r++) {
			uint64_t key = kit_check_row(t, r);
			assert_true(key > last);
			last = key;
			kit_keys_add(out, key);
			uint64_t time = timed ? table_u64(t, r, t->def->time_col) : 0;
			min = time < min ? time : min;
			max = time > max ? time : max;
		}
		assert_true(slices[i].time_min == min);
		assert_true(slices[i].time_max == max);
	}
}

static void
assert_days(const struct hot_view_part *part)
{
	if (part->day == HOT_MIXED || hot_is_dict(part->table))
		return;
	for (size_t i = 0; i < part->slice_count; i++) {
		assert_true((int64_t)(part->slices[i].time_min / HOT_DAY_NS) == part->day);
		assert_true((int64_t)(part->slices[i].time_max / HOT_DAY_NS) == part->day);
	}
}

bool
kit_read_view(struct hot *h, uint64_t generation, struct kit_keys *out)
{
	struct hot_view *v;
	struct err err;
	enum err_code code = hot_view_take(h, generation, &v, &err);
	if (code == ERR_BUSY)
		return false;
	assert_int_equal(code, ERR_OK);
	assert_true(v->generation == generation);
	for (size_t i = 0; i < v->part_count; i++) {
		size_t before = out->count;
		kit_read_slices(v->parts[i].slices, v->parts[i].slice_count, out);
		assert_int_equal(out->count - before, v->parts[i].rows);
		assert_days(&v->parts[i]);
	}
	hot_view_free(v);
	kit_keys_sort(out);
	return true;
}

void
kit_assert_same(struct kit_keys *got, struct kit_keys *want)
{
	kit_keys_sort(got);
	kit_keys_sort(want);
	assert_int_equal(got->count, want->count);
	for (size_t i = 0; i < want->count; i++)
		assert_true(got->keys[i] == want->keys[i]);
}

uint64_t
kit_part_rows(struct hot *h, enum table_id table, int64_t day)
{
	struct hot_info info;
	hot_info(h, &info);
	for (size_t i = 0; i < info.part_count; i++)
		if (info.parts[i].table == table && info.parts[i].day == day)
			return info.parts[i].rows;
	return 0;
}
