/* SPDX-License-Identifier: Apache-2.0 */
#include "model/batch.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

static bool
is_new(const struct table *t, size_t row, int col)
{
	const struct column_def *def = &t->def->cols[col];
	if (def->nullable)
		return table_is_null(t, row, col);
	switch (def->kind) {
	case COL_U64: return table_u64(t, row, col) == 0;
	case COL_I64: return table_i64(t, row, col) == 0;
	case COL_U32: return table_u32(t, row, col) == 0;
	case COL_I32: return table_i32(t, row, col) == 0;
	case COL_F64: return table_f64(t, row, col) == 0;
	case COL_BOOL: return !table_bool(t, row, col);
	case COL_STR: return table_str(t, row, col).len == 0;
	case COL_U64S: return table_u64s(t, row, col).len == 0;
	case COL_F64S: return table_f64s(t, row, col).len == 0;
	}
	return false;
}

static const uint64_t some_u64s[] = {1, 2, 3};
static const double some_f64s[] = {1.5, 2.5};

/* A value that follows from the row, in every column. */
static void
fill(struct table *t, size_t row)
{
	for (int col = 0; col < (int)t->def->col_count; col++) {
		switch (t->def->cols[col].kind) {
		case COL_U64: table_set_u64(t, row, col, row + 1); break;
		case COL_I64: table_set_i64(t, row, col, -(int64_t)row - 1); break;
		case COL_U32: table_set_u32(t, row, col, (uint32_t)row + 2); break;
		case COL_I32: table_set_i32(t, row, col, -(int32_t)row - 2); break;
		case COL_F64: table_set_f64(t, row, col, (double)row + 0.5); break;
		case COL_BOOL: table_set_bool(t, row, col, true); break;
		case COL_STR: table_set_str(t, row, col, STR("text")); break;
		case COL_U64S:
			table_set_u64s(t, row, col, (struct u64s){some_u64s, row % 4});
			break;
		case COL_F64S:
			table_set_f64s(t, row, col, (struct f64s){some_f64s, row % 3});
			break;
		}
	}
}

static bool
is_filled(const struct table *t, size_t row, int col)
{
	if (table_is_null(t, row, col))
		return false;
	switch (t->def->cols[col].kind) {
	case COL_U64: return table_u64(t, row, col) == row + 1;
	case COL_I64: return table_i64(t, row, col) == -(int64_t)row - 1;
	case COL_U32: return table_u32(t, row, col) == row + 2;
	case COL_I32: return table_i32(t, row, col) == -(int32_t)row - 2;
	case COL_F64: return table_f64(t, row, col) == (double)row + 0.5;
	case COL_BOOL: return table_bool(t, row, col);
	case COL_STR: return str_eq(table_str(t, row, col), STR("text"));
	case COL_U64S:
		return table_u64s(t, row, col).ptr == some_u64s &&
		    table_u64s(t, row, col).len == row % 4;
	case COL_F64S:
		return table_f64s(t, row, col).ptr == some_f64s &&
		    table_f64s(t, row, col).len == row % 3;
	}
	return false;
}

static void
assert_rows(const struct table *t, size_t from, size_t to,
    bool (*is)(const struct table *, size_t, int))
{
	for (size_t row = from; row < to; row++)
		for (int col = 0; col < (int)t->def->col_count; col++)
			if (!is(t, row, col))
				fail_msg("%s row %zu column %s", t->def->name, row,
				    t->def->cols[col].name);
}

TEST(model, rows_of_every_table_begin_empty_and_keep_what_is_set_while_it_grows)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		struct arena arena = {0};
		struct table t;
		table_init(&t, (enum table_id)id, &arena);
		for (size_t row = 0; row < 1000; row++) {
			assert_int_equal(table_add_row(&t), row);
			assert_rows(&t, row, row + 1, is_new);
			if (row % 2 == 0)
				fill(&t, row);
		}
		for (size_t row = 0; row < 1000; row++)
			assert_rows(&t, row, row + 1, row % 2 == 0 ? is_filled : is_new);
		arena_fini(&arena);
	}
}

TEST(model, truncated_rows_come_back_empty)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		struct arena arena = {0};
		struct table t;
		table_init(&t, (enum table_id)id, &arena);
		for (size_t row = 0; row < 100; row++) {
			assert_int_equal(table_add_row(&t), row);
			fill(&t, row);
		}
		table_truncate(&t, 10);
		assert_int_equal(t.row_count, 10);
		assert_rows(&t, 0, 10, is_filled);
		while (t.row_count < 300)
			assert_true(table_add_row(&t) < 300);
		assert_rows(&t, 10, 300, is_new);
		arena_fini(&arena);
	}
}

TEST(model, a_spent_arena_leaves_the_table_as_it_was)
{
	struct arena arena;
	struct table t;
	arena_init(&arena, 128 * 1024, 0);
	table_init(&t, TABLE_SPANS, &arena);
	size_t rows = 0;
	while (table_add_row(&t) != SIZE_MAX)
		fill(&t, rows++);
	assert_true(rows > 0);
	assert_int_equal(t.row_count, rows);
	assert_rows(&t, 0, rows, is_filled);
	assert_int_equal(table_add_row(&t), SIZE_MAX);
	arena_fini(&arena);
}

TEST(model, a_null_value_and_an_empty_list_are_told_apart)
{
	struct arena arena = {0};
	struct table t;
	table_init(&t, TABLE_POINTS, &arena);
	assert_int_equal(table_add_row(&t), 0);
	assert_true(table_is_null(&t, 0, POINT_BUCKETS));
	assert_true(table_is_null(&t, 0, POINT_SUM));
	assert_false(table_is_null(&t, 0, POINT_NAME));
	table_set_u64s(&t, 0, POINT_BUCKETS, (struct u64s){some_u64s, 0});
	table_set_f64(&t, 0, POINT_SUM, 0.0);
	assert_false(table_is_null(&t, 0, POINT_BUCKETS));
	assert_false(table_is_null(&t, 0, POINT_SUM));
	arena_fini(&arena);
}

TEST(model, a_table_of_fixed_size_keeps_to_its_memory_and_does_not_grow)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		enum { ROWS = 77, GUARD = 64 };
		static struct column cols[64];
		struct table t;
		size_t bytes = table_fixed_bytes((enum table_id)id, ROWS);
		unsigned char *memory = xcalloc(1, bytes + GUARD);
		memset(memory, 0xee, bytes + GUARD);
		table_init_fixed(&t, (enum table_id)id, ROWS, cols, memory);
		assert_true(t.def->col_count <= ARRAY_LEN(cols));
		for (size_t row = 0; row < ROWS; row++) {
			assert_int_equal(table_add_row(&t), row);
			fill(&t, row);
		}
		assert_int_equal(table_add_row(&t), SIZE_MAX);
		assert_rows(&t, 0, ROWS, is_filled);
		for (size_t i = 0; i < t.def->col_count; i++)
			assert_int_equal((uintptr_t)cols[i].any % 16, 0);
		for (size_t i = 0; i < GUARD; i++)
			assert_int_equal(memory[bytes + i], 0xee);
		free(memory);
	}
}

static void
set_wrong_kind(void *ctx)
{
	table_set_u64(ctx, 0, SPAN_NAME, 1);
}

static void
get_wrong_row(void *ctx)
{
	printf("%llu", (unsigned long long)table_u64(ctx, 1, SPAN_SEQ));
}

static void
get_wrong_column(void *ctx)
{
	printf("%llu", (unsigned long long)table_u64(ctx, 0, SPAN_COL_COUNT));
}

TEST(model, a_wrong_kind_row_or_column_is_a_failed_check)
{
	struct arena arena = {0};
	struct table t;
	table_init(&t, TABLE_SPANS, &arena);
	assert_int_equal(table_add_row(&t), 0);
	test_dies(set_wrong_kind, &t);
	test_dies(get_wrong_row, &t);
	test_dies(get_wrong_column, &t);
	arena_fini(&arena);
}

TEST(model, columns_have_names_of_their_own_and_tables_a_time_column_of_u64)
{
	for (int id = 0; id < TABLE_COUNT; id++) {
		const struct table_def *def = &table_defs[id];
		for (size_t i = 0; i < def->col_count; i++)
			for (size_t j = 0; j < i; j++)
				assert_string_not_equal(def->cols[i].name, def->cols[j].name);
		if (def->time_col >= 0)
			assert_int_equal(def->cols[def->time_col].kind, COL_U64);
	}
}

/* ---- batches */

TEST(model, a_batch_rewinds_to_its_mark_and_forgets_later_resources)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	assert_int_equal(batch_resource(&b, STR("t"), 11, &added), 0);
	assert_true(added);
	assert_int_equal(table_add_row(&b.tables[TABLE_SPANS]), 0);
	struct batch_mark mark = batch_mark(&b);

	assert_int_equal(batch_resource(&b, STR("t"), 22, &added), 1);
	assert_int_equal(batch_scope(&b, STR("t"), 22, &added), 0);
	assert_int_equal(table_add_row(&b.tables[TABLE_SPANS]), 1);
	assert_int_equal(table_add_row(&b.tables[TABLE_LOGS]), 0);
	assert_int_equal(batch_row_count(&b), 3);
	batch_rewind(&b, mark);

	assert_int_equal(batch_row_count(&b), 1);
	assert_int_equal(b.tables[TABLE_RESOURCES].row_count, 1);
	assert_int_equal(b.tables[TABLE_SCOPES].row_count, 0);
	assert_int_equal(batch_resource(&b, STR("t"), 11, &added), 0);
	assert_false(added);
	assert_int_equal(batch_resource(&b, STR("t"), 33, &added), 1);
	assert_true(added);
	assert_int_equal(batch_resource(&b, STR("t"), 22, &added), 2);
	assert_true(added);
	assert_int_equal(batch_scope(&b, STR("t"), 22, &added), 0);
	assert_true(added);
	batch_fini(&b);
}

TEST(model, resources_of_two_tenants_with_one_id_are_two_rows)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	struct batch_mark mark = batch_mark(&b);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(batch_resource(&b, STR("a"), 11, &added), 0);
		assert_true(added);
		assert_int_equal(batch_resource(&b, STR("b"), 11, &added), 1);
		assert_true(added);
		assert_int_equal(batch_resource(&b, STR("a"), 11, &added), 0);
		assert_false(added);
		assert_true(str_eq(table_str(&b.tables[TABLE_RESOURCES], 1, RESOURCE_TENANT),
		    STR("b")));
		batch_rewind(&b, mark);
	}
	batch_fini(&b);
}

TEST(model, a_batch_is_empty_after_a_reset_and_may_be_finished_twice)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	for (int round = 0; round < 3; round++) {
		for (uint64_t id = 0; id < 500; id++)
			assert_int_equal(batch_scope(&b, STR("t"), id * 7, &added), id);
		b.last_seq = 9;
		batch_reset(&b);
		assert_int_equal(b.tables[TABLE_SCOPES].row_count, 0);
		assert_int_equal(b.last_seq, 0);
	}
	batch_fini(&b);
	batch_fini(&b);
	batch_fini(NULL);
}

TEST(model, a_batch_with_a_limit_refuses_beyond_it)
{
	struct batch b;
	bool added;
	batch_init(&b, 64 * 1024);
	uint64_t id = 0;
	while (batch_resource(&b, STR("t"), id, &added) != SIZE_MAX)
		id++;
	assert_true(id > 10);
	batch_reset(&b);
	assert_int_equal(batch_resource(&b, STR("t"), id, &added), 0);
	batch_fini(&b);
}

TEST(model, table_reorder_moves_whole_rows)
{
	enum { ROWS = 300 };
	struct arena arena = {0};
	struct table t;
	uint32_t order[ROWS];
	table_init(&t, TABLE_POINTS, &arena);
	for (uint32_t i = 0; i < ROWS; i++) {
		size_t row = table_add_row(&t);
		assert_int_equal(row, i);
		table_set_str(&t, row, POINT_NAME, arena_printf(&arena, "name %u", i));
		table_set_u64(&t, row, POINT_SEQ, i);
		table_set_bool(&t, row, POINT_MONOTONIC, i % 2);
		if (i % 3 == 0)
			table_set_f64(&t, row, POINT_VALUE, i);
		order[(i * 7) % ROWS] = i; /* 7 and 300 have no divisor in common */
	}
	table_reorder(&t, order);
	for (size_t i = 0; i < ROWS; i++) {
		uint32_t was = order[i];
		char name[32];
		snprintf(name, sizeof(name), "name %u", was);
		assert_true(str_eq(table_str(&t, i, POINT_NAME), str_from(name)));
		assert_int_equal(table_u64(&t, i, POINT_SEQ), was);
		assert_int_equal(table_bool(&t, i, POINT_MONOTONIC), was % 2);
		assert_int_equal(table_is_null(&t, i, POINT_VALUE), was % 3 != 0);
		if (was % 3 == 0)
			assert_true(table_f64(&t, i, POINT_VALUE) == was);
	}
	struct table empty;
	table_init(&empty, TABLE_SPANS, &arena);
	table_reorder(&empty, order);
	assert_int_equal(empty.row_count, 0);
	arena_fini(&arena);
}

TEST(model, a_reserved_table_takes_memory_for_its_rows_only_and_copies_are_whole)
{
	struct arena a = {0}, b = {0};
	struct table from, to;
	table_init(&from, TABLE_SPANS, &a);
	table_init(&to, TABLE_SPANS, &b);
	for (size_t i = 0; i < 3; i++) {
		size_t row = table_add_row(&from);
		table_set_str(&from, row, SPAN_NAME, STR("a name"));
		table_set_u64(&from, row, SPAN_SEQ, i);
		if (i == 1)
			table_set_str(&from, row, SPAN_LINKS, STR("[]"));
	}
	assert_true(table_reserve(&to, 3));
	size_t reserved = b.used_bytes;
	assert_true(reserved < a.used_bytes / 4);
	for (size_t i = 0; i < 3; i++)
		assert_true(table_copy_row(&to, &from, i));
	assert_int_equal(to.row_cap, 3);
	arena_fini(&a); /* nothing of the copy was its */
	for (size_t i = 0; i < 3; i++) {
		assert_true(str_eq(table_str(&to, i, SPAN_NAME), STR("a name")));
		assert_int_equal(table_u64(&to, i, SPAN_SEQ), i);
		assert_int_equal(table_is_null(&to, i, SPAN_LINKS), i != 1);
	}
	/* It still grows when it must. */
	assert_true(table_add_row(&to) == 3);
	assert_true(table_reserve(&to, 2));
	arena_fini(&b);
}
