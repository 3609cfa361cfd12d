/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"

#include <string.h>

bool
table_copy_list(struct table *to, size_t row, int col, const void *items, size_t len)
{
	if (!items)
		return true;
	void *copy = arena_array(to->arena, len > 0 ? len : 1, 8);
	if (copy && len > 0)
		memcpy(copy, items, len * 8);
	if (copy && to->def->cols[col].kind == COL_U64S)
		table_set_u64s(to, row, col, (struct u64s){copy, len});
	else if (copy)
		table_set_f64s(to, row, col, (struct f64s){copy, len});
	return copy != NULL;
}

bool
table_copy_text(struct table *to, size_t row, int col, struct str s)
{
	struct str copy = arena_str(to->arena, s.ptr ? s : STR(""));
	if (copy.ptr)
		table_set_str(to, row, col, copy);
	return copy.ptr != NULL;
}

static bool
copy_value(struct table *to, size_t to_row, const struct table *from, size_t row, int col)
{
	if (from->def->cols[col].nullable && table_is_null(from, row, col))
		return true;
	struct u64s u64s;
	struct f64s f64s;
	switch (from->def->cols[col].kind) {
	case COL_U64: table_set_u64(to, to_row, col, table_u64(from, row, col)); return true;
	case COL_I64: table_set_i64(to, to_row, col, table_i64(from, row, col)); return true;
	case COL_U32: table_set_u32(to, to_row, col, table_u32(from, row, col)); return true;
	case COL_I32: table_set_i32(to, to_row, col, table_i32(from, row, col)); return true;
	case COL_F64: table_set_f64(to, to_row, col, table_f64(from, row, col)); return true;
	case COL_BOOL: table_set_bool(to, to_row, col, table_bool(from, row, col)); return true;
	case COL_STR: return table_copy_text(to, to_row, col, table_str(from, row, col));
	case COL_U64S:
		u64s = table_u64s(from, row, col);
		return table_copy_list(to, to_row, col, u64s.ptr, u64s.len);
	case COL_F64S:
		f64s = table_f64s(from, row, col);
		return table_copy_list(to, to_row, col, f64s.ptr, f64s.len);
	}
	return false;
}

bool
table_copy_row(struct table *to, const struct table *from, size_t row)
{
	size_t to_row = table_add_row(to);
	bool fits = to_row != SIZE_MAX;
	for (size_t c = 0; c < from->def->col_count && fits; c++)
		fits = copy_value(to, to_row, from, row, (int)c);
	return fits;
}
