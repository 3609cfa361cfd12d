/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "base/bits.h"
#include "base/utf8.h"

#include <stdlib.h>

static duckdb_logical_type
logical_type(enum col_kind kind)
{
	duckdb_type list_of = DUCKDB_TYPE_INVALID;
	switch (kind) {
	case COL_U64: return duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT);
	case COL_I64: return duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
	case COL_U32: return duckdb_create_logical_type(DUCKDB_TYPE_UINTEGER);
	case COL_I32: return duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
	case COL_F64: return duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE);
	case COL_BOOL: return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	case COL_STR: return duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
	case COL_U64S: list_of = DUCKDB_TYPE_UBIGINT; break;
	case COL_F64S: list_of = DUCKDB_TYPE_DOUBLE; break;
	}
	duckdb_logical_type item = duckdb_create_logical_type(list_of);
	duckdb_logical_type list = duckdb_create_list_type(item);
	duckdb_destroy_logical_type(&item);
	return list;
}

duckdb_data_chunk
duck_fill_chunk_new(const struct table_def *def)
{
	CHECK(duckdb_vector_size() == DUCK_CHUNK_ROWS);
	duckdb_logical_type *types = xcalloc(def->col_count, sizeof(*types));
	for (size_t i = 0; i < def->col_count; i++)
		types[i] = logical_type(def->cols[i].kind);
	duckdb_data_chunk chunk = duckdb_create_data_chunk(types, def->col_count);
	CHECK(chunk);
	for (size_t i = 0; i < def->col_count; i++)
		duckdb_destroy_logical_type(&types[i]);
	free(types);
	return chunk;
}

int
duck_fill_resource_col(enum table_id id)
{
	static const int cols[TABLE_STORED_COUNT] = {
	    [TABLE_SPANS] = SPAN_RESOURCE_ID,
	    [TABLE_LOGS] = LOG_RESOURCE_ID,
	    [TABLE_POINTS] = POINT_RESOURCE_ID,
	    [TABLE_RESOURCES] = RESOURCE_ID,
	    [TABLE_SCOPES] = -1,
	};
	CHECK(id < TABLE_STORED_COUNT);
	return cols[id];
}

int
duck_fill_scope_col(enum table_id id)
{
	static const int cols[TABLE_STORED_COUNT] = {
	    [TABLE_SPANS] = SPAN_SCOPE_ID,
	    [TABLE_LOGS] = LOG_SCOPE_ID,
	    [TABLE_POINTS] = POINT_SCOPE_ID,
	    [TABLE_RESOURCES] = -1,
	    [TABLE_SCOPES] = SCOPE_ID,
	};
	CHECK(id < TABLE_STORED_COUNT);
	return cols[id];
}

/* One column of one chunk. */
struct part {
	const struct duck_fill *fill;
	const struct column *col;
	int col_idx;
	size_t first, count;
	duckdb_vector vector;
	uint64_t *validity; /* NULL until something is NULL */
	uint64_t *bytes;
};

static size_t
row_at(const struct part *p, size_t i)
{
	return p->fill->rows ? p->fill->rows[p->first + i] : p->first + i;
}

static void
set_null(struct part *p, size_t i)
{
	if (!p->validity) {
		duckdb_vector_ensure_validity_writable(p->vector);
		p->validity = duckdb_vector_get_validity(p->vector);
	}
	duckdb_validity_set_row_invalid(p->validity, i);
}

/* Bad bytes become U+FFFD, each of them three bytes. */
static struct str
repaired(struct arena *arena, struct str s)
{
	size_t bytes;
	CHECK(s.ptr);
	if (!size_mul(s.len, 3, &bytes))
		return STR_EMPTY;
	char *out = arena_alloc(arena, bytes + 1);
	size_t n = 0;
	while (out && s.len > 0) {
		size_t good = utf8_valid_len(s);
		if (good > 0)
			memcpy(out + n, s.ptr, good);
		n += good;
		s = str_skip(s, good);
		if (s.len == 0)
			break;
		n += utf8_put(0xFFFD, out + n);
		s = str_skip(s, 1);
	}
	return (struct str){out, n};
}

static bool
fill_strings(struct part *p, bool nullable)
{
	const struct str *values = p->col->str;
	for (size_t i = 0; i < p->count; i++) {
		struct str s = values[row_at(p, i)];
		if (!s.ptr && nullable) {
			set_null(p, i);
			continue;
		}
		if (p->fill->repair && !utf8_valid(s)) {
			s = repaired(p->fill->repair, s);
			if (!s.ptr)
				return false;
		}
		duckdb_unsafe_vector_assign_string_element_len(p->vector, i, s.ptr ? s.ptr : "",
		    s.len);
		*p->bytes += s.len;
	}
	return true;
}

/* U64S and F64S are both a pointer and a count of 8-byte items. */
static struct str
list_bytes(const struct part *p, enum col_kind kind, size_t row)
{
	if (kind == COL_U64S) {
		struct u64s v = p->col->u64s[row];
		return str_of(v.ptr, v.len * sizeof(uint64_t));
	}
	struct f64s v = p->col->f64s[row];
	return str_of(v.ptr, v.len * sizeof(double));
}

static bool
fill_lists(struct part *p, enum col_kind kind)
{
	duckdb_list_entry *entries = duckdb_vector_get_data(p->vector);
	size_t total = 0;
	for (size_t i = 0; i < p->count; i++) {
		struct str item = list_bytes(p, kind, row_at(p, i));
		entries[i] = (duckdb_list_entry){total, item.ptr ? item.len / 8 : 0};
		total += entries[i].length;
		if (!item.ptr)
			set_null(p, i);
	}
	if (duckdb_list_vector_reserve(p->vector, total) != DuckDBSuccess ||
	    duckdb_list_vector_set_size(p->vector, total) != DuckDBSuccess)
		return false;
	/* Reserving may have moved it: get the data only now. */
	char *items = duckdb_vector_get_data(duckdb_list_vector_get_child(p->vector));
	for (size_t i = 0; i < p->count; i++)
		if (entries[i].length > 0)
			memcpy(items + entries[i].offset * 8, list_bytes(p, kind, row_at(p, i)).ptr,
			    entries[i].length * 8);
	*p->bytes += total * 8;
	return true;
}

#define FILL_FIXED(type, member)                                                                   \
	do {                                                                                       \
		type *out = duckdb_vector_get_data(p->vector);                                     \
		for (size_t i = 0; i < p->count; i++)                                              \
			out[i] = p->col->member[row_at(p, i)];                                     \
		*p->bytes += p->count * sizeof(type);                                              \
	} while (0)

static bool
fill_column(struct part *p, const struct column_def *def)
{
	switch (def->kind) {
	case COL_U64: FILL_FIXED(uint64_t, u64); break;
	case COL_I64: FILL_FIXED(int64_t, i64); break;
	case COL_U32: FILL_FIXED(uint32_t, u32); break;
	case COL_I32: FILL_FIXED(int32_t, i32); break;
	case COL_F64: FILL_FIXED(double, f64); break;
	case COL_BOOL: FILL_FIXED(bool, boolean); break;
	case COL_STR: return fill_strings(p, def->nullable);
	case COL_U64S:
	case COL_F64S: return fill_lists(p, def->kind);
	}
	for (size_t i = 0; def->nullable && i < p->count; i++)
		if (table_is_null(p->fill->table, row_at(p, i), p->col_idx))
			set_null(p, i);
	return true;
}

static void
replace_ids(duckdb_data_chunk chunk, int col, size_t count, const struct map *ids)
{
	if (col < 0 || !ids || ids->count == 0)
		return;
	uint64_t *values = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, (idx_t)col));
	for (size_t i = 0; i < count; i++) {
		const uint64_t *other = map_get(ids, values[i]);
		if (other)
			values[i] = *other;
	}
}

enum err_code
duck_fill_chunk(const struct duck_fill *f, size_t first, size_t count, duckdb_data_chunk chunk,
    uint64_t *bytes, struct err *err)
{
	const struct table_def *def = f->table->def;
	CHECK(count <= DUCK_CHUNK_ROWS);
	duckdb_data_chunk_reset(chunk);
	for (size_t c = 0; c < def->col_count; c++) {
		struct part p = {
		    .fill = f,
		    .col = &f->table->cols[c],
		    .col_idx = (int)c,
		    .first = first,
		    .count = count,
		    .vector = duckdb_data_chunk_get_vector(chunk, c),
		    .bytes = bytes,
		};
		if (!fill_column(&p, &def->cols[c]))
			return err_set(err, ERR_TOO_LARGE, "no memory for column %s of %s",
			    def->cols[c].name, def->name);
	}
	enum table_id id = (enum table_id)(def - table_defs);
	replace_ids(chunk, duck_fill_resource_col(id), count, f->resource_ids);
	replace_ids(chunk, duck_fill_scope_col(id), count, f->scope_ids);
	duckdb_data_chunk_set_size(chunk, count);
	return ERR_OK;
}
