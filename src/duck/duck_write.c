/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows into the file: INSERT .. SELECT * FROM weir_seal(number), a table function of our own that hands out
 * the rows in their order, 2,048 at a time, strings by reference. Measured against an appender it is a
 * tenth cheaper, and keeps the order, which an appender with two threads does not.
 *
 * One statement at a time runs so (the sealer's); the function knows it by a number that is drawn anew
 * for each, so that SQL from users cannot read what is being sealed. It runs on one thread at a time.
 */
#include "duck/duck_priv.h"

#include "sys/rand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The columns behind those of the model: seal, attribute_order, a0 .. */
enum { EXTRA_SEAL, EXTRA_ORDER, EXTRA_FIRST_ATTRIBUTE };

struct duck_writing {
	uint64_t number;
	const struct table_def *def;
	enum table_id id;
	const struct seal_row *rows;
	size_t count, next;
	bool is_signal; /* has a seal */
	const struct duck_table *table; /* NULL: attributes stay whole */
	const struct shred_column
	    *columns[SHRED_COLUMNS]; /* of the table, those that are written */
	unsigned column_count;
	uint32_t live; /* their bits */
	int attributes; /* its column, -1: none */
	uint64_t gen;
	struct seal_filters *filters;
	struct arena arena; /* what attributes became: lives until the statement has ended */
	struct shred_row *split; /* SPLIT_ROWS */
	bool failed; /* no memory */
};

/* ---- one chunk */

static void
put_text(duckdb_string_t *out, struct str s)
{
	*out = (duckdb_string_t){0}; /* what is behind a short text must be zero */
	CHECK(s.len <= UINT32_MAX);
	out->value.inlined.length = (uint32_t)s.len;
	if (s.len <= sizeof(out->value.inlined.inlined)) {
		if (s.len > 0)
			memcpy(out->value.inlined.inlined, s.ptr, s.len);
		return;
	}
	memcpy(out->value.pointer.prefix, s.ptr, sizeof(out->value.pointer.prefix));
	out->value.pointer.ptr = (char *)(uintptr_t)s.ptr;
}

static void
put_null(duckdb_vector v, idx_t i)
{
	duckdb_vector_ensure_validity_writable(v);
	duckdb_validity_set_row_invalid(duckdb_vector_get_validity(v), i);
}

#define PUT_FIXED(type, member)                                                                    \
	do {                                                                                       \
		type *out = duckdb_vector_get_data(v);                                             \
		for (size_t i = 0; i < n; i++)                                                     \
			out[i] = rows[i].rows->cols[c].member[rows[i].row];                        \
	} while (0)

static bool
put_lists(const struct seal_row *rows, size_t n, size_t c, enum col_kind kind, duckdb_vector v)
{
	duckdb_list_entry *entries = duckdb_vector_get_data(v);
	size_t total = 0;
	for (size_t i = 0; i < n; i++) {
		const struct column *col = &rows[i].rows->cols[c];
		bool null =
		    kind == COL_U64S ? !col->u64s[rows[i].row].ptr : !col->f64s[rows[i].row].ptr;
		size_t len =
		    kind == COL_U64S ? col->u64s[rows[i].row].len : col->f64s[rows[i].row].len;
		entries[i] = (duckdb_list_entry){total, null ? 0 : len};
		total += entries[i].length;
		if (null)
			put_null(v, i);
	}
	if (duckdb_list_vector_reserve(v, total) != DuckDBSuccess ||
	    duckdb_list_vector_set_size(v, total) != DuckDBSuccess)
		return false;
	/* Reserving may have moved it: get the data only now. */
	char *items = duckdb_vector_get_data(duckdb_list_vector_get_child(v));
	for (size_t i = 0; i < n; i++) {
		const struct column *col = &rows[i].rows->cols[c];
		const void *from = kind == COL_U64S ? (const void *)col->u64s[rows[i].row].ptr
		                                    : (const void *)col->f64s[rows[i].row].ptr;
		if (entries[i].length > 0)
			memcpy(items + entries[i].offset * 8, from, entries[i].length * 8);
	}
	return true;
}

static bool
put_column(const struct duck_writing *w, const struct seal_row *rows, size_t n, size_t c,
    duckdb_vector v)
{
	const struct column_def *def = &w->def->cols[c];
	duckdb_string_t *texts = duckdb_vector_get_data(v);
	switch (def->kind) {
	case COL_U64: PUT_FIXED(uint64_t, u64); break;
	case COL_I64: PUT_FIXED(int64_t, i64); break;
	case COL_U32: PUT_FIXED(uint32_t, u32); break;
	case COL_I32: PUT_FIXED(int32_t, i32); break;
	case COL_F64: PUT_FIXED(double, f64); break;
	case COL_BOOL: PUT_FIXED(bool, boolean); break;
	case COL_STR:
		for (size_t i = 0; i < n; i++) {
			struct str s = rows[i].rows->cols[c].str[rows[i].row];
			put_text(&texts[i], s.ptr ? s : STR(""));
			if (!s.ptr && def->nullable)
				put_null(v, i);
		}
		return true;
	case COL_U64S:
	case COL_F64S: return put_lists(rows, n, c, def->kind, v);
	}
	for (size_t i = 0; def->nullable && i < n; i++)
		if (table_is_null(rows[i].rows, rows[i].row, (int)c))
			put_null(v, i);
	return true;
}

static void
note_left(void *ctx, struct str key, struct str value)
{
	struct bloom_builder *attrs = ctx;
	bloom_add(attrs, duck_attr_key_hash(key));
	bloom_add(attrs, duck_attr_pair_hash(key, value));
}

/* Split rows are a kilobyte each: so many are written before the next ones are, while they are in the
 * cache. */
enum { SPLIT_ROWS = 64 };

static bool
split_attributes(struct duck_writing *w, const struct seal_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str json = rows[i].rows->cols[w->attributes].str[rows[i].row];
		if (!shred_split(&w->table->plan, w->live, json, &w->arena, &w->split[i], note_left,
		        &w->filters->attrs))
			return false;
	}
	return true;
}

/* The vectors of one column, from a row on. */
struct place {
	void *data;
	uint64_t *validity;
	size_t first;
};

static struct place
place_of(duckdb_data_chunk chunk, idx_t col, size_t first)
{
	duckdb_vector v = duckdb_data_chunk_get_vector(chunk, col);
	duckdb_vector_ensure_validity_writable(v);
	return (struct place){duckdb_vector_get_data(v), duckdb_vector_get_validity(v), first};
}

static void
put_text_or_null(const struct place *p, size_t i, struct str s)
{
	size_t row = p->first + i;
	put_text(&((duckdb_string_t *)p->data)[row], s.ptr ? s : STR(""));
	if (!s.ptr)
		p->validity[row / 64] &= ~(UINT64_C(1) << row % 64);
}

static void
put_attribute(const struct duck_writing *w, size_t n, const struct shred_column *col,
    const struct place *p)
{
	for (size_t i = 0; i < n; i++) {
		const struct shred_value *value = &w->split[i].values[col->number];
		size_t row = p->first + i;
		if (col->type == SHRED_TEXT || col->type == SHRED_SHARED) {
			put_text_or_null(p, i, value->set ? value->text : STR_EMPTY);
			continue;
		}
		if (!value->set) {
			p->validity[row / 64] &= ~(UINT64_C(1) << row % 64);
			continue;
		}
		switch (col->type) {
		case SHRED_INT: ((int64_t *)p->data)[row] = value->i64; break;
		case SHRED_DOUBLE: ((double *)p->data)[row] = value->f64; break;
		case SHRED_BOOL: ((bool *)p->data)[row] = value->boolean; break;
		case SHRED_TEXT:
		case SHRED_SHARED:
		case SHRED_TYPES: CHECK(false);
		}
	}
}

/* The rest, the order and the columns of rows that are split. */
static void
put_split(const struct duck_writing *w, size_t first, size_t n, duckdb_data_chunk chunk)
{
	idx_t extras = w->def->col_count;
	struct place rest = place_of(chunk, (idx_t)w->attributes, first);
	struct place order = place_of(chunk, extras + EXTRA_ORDER, first);
	for (size_t i = 0; i < n; i++) {
		put_text_or_null(&rest, i, w->split[i].rest);
		put_text_or_null(&order, i, w->split[i].order);
	}
	for (unsigned i = 0; i < w->column_count; i++) {
		struct place p = place_of(chunk, extras + EXTRA_FIRST_ATTRIBUTE + i, first);
		put_attribute(w, n, w->columns[i], &p);
	}
}

static bool
put_attributes(struct duck_writing *w, const struct seal_row *rows, size_t n,
    duckdb_data_chunk chunk)
{
	for (size_t at = 0; at < n; at += SPLIT_ROWS) {
		size_t some = n - at < SPLIT_ROWS ? n - at : SPLIT_ROWS;
		if (!split_attributes(w, rows + at, some))
			return false;
		put_split(w, at, some, chunk);
	}
	return true;
}

static void
put_seal(const struct duck_writing *w, size_t n, duckdb_data_chunk chunk)
{
	idx_t extras = w->def->col_count;
	uint64_t *gens =
	    duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, extras + EXTRA_SEAL));
	struct place order = place_of(chunk, extras + EXTRA_ORDER, 0);
	for (size_t i = 0; i < n; i++)
		gens[i] = w->gen;
	for (size_t i = 0; i < n && !w->table; i++)
		put_text_or_null(&order, i, STR_EMPTY);
}

static bool
put_chunk(struct duck_writing *w, size_t n, duckdb_data_chunk chunk)
{
	const struct seal_row *rows = w->rows + w->next;
	bool fits = true;
	for (size_t c = 0; c < w->def->col_count && fits; c++) {
		duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
		if (!w->table || (int)c != w->attributes)
			fits = put_column(w, rows, n, c, v);
	}
	if (fits && w->is_signal)
		put_seal(w, n, chunk);
	return fits && (!w->table || put_attributes(w, rows, n, chunk));
}

/* ---- the function */

static void
add_column(duckdb_bind_info info, const char *name, duckdb_logical_type type)
{
	duckdb_bind_add_result_column(info, name, type);
	duckdb_destroy_logical_type(&type);
}

static void
add_extra_columns(duckdb_bind_info info, const struct duck_writing *w)
{
	static const duckdb_type types[] = {
	    [SHRED_TEXT] = DUCKDB_TYPE_VARCHAR,
	    [SHRED_INT] = DUCKDB_TYPE_BIGINT,
	    [SHRED_DOUBLE] = DUCKDB_TYPE_DOUBLE,
	    [SHRED_BOOL] = DUCKDB_TYPE_BOOLEAN,
	    [SHRED_SHARED] = DUCKDB_TYPE_VARCHAR,
	};
	add_column(info, "seal", duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT));
	add_column(info, "attribute_order", duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR));
	for (unsigned i = 0; i < w->column_count; i++) {
		char name[16];
		snprintf(name, sizeof(name), "a%u", w->columns[i]->number);
		add_column(info, name, duckdb_create_logical_type(types[w->columns[i]->type]));
	}
}

static void
bind_rows(duckdb_bind_info info)
{
	struct duck *d = duckdb_bind_get_extra_info(info);
	const struct duck_writing *w = d->writing;
	duckdb_value value = duckdb_bind_get_parameter(info, 0);
	uint64_t number = (uint64_t)duckdb_get_int64(value);
	duckdb_destroy_value(&value);
	if (!w || w->number != number) {
		duckdb_bind_set_error(info, "weir_seal() is weir's own");
		return;
	}
	for (size_t c = 0; c < w->def->col_count; c++)
		add_column(info, w->def->cols[c].name, duck_logical_type(w->def->cols[c].kind));
	if (w->is_signal)
		add_extra_columns(info, w);
	duckdb_bind_set_cardinality(info, w->count, true);
}

static void
init_rows(duckdb_init_info info)
{
	duckdb_init_set_max_threads(info, 1); /* or the order is lost */
}

static void
give_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
	struct duck *d = duckdb_function_get_extra_info(info);
	struct duck_writing *w = d->writing;
	CHECK(w); /* bind_rows() has seen it, and it stays until the statement has ended */
	size_t n = w->count - w->next < DUCK_CHUNK_ROWS ? w->count - w->next : DUCK_CHUNK_ROWS;
	if (n > 0 && !put_chunk(w, n, chunk)) {
		w->failed = true;
		duckdb_function_set_error(info, "no memory for rows of a seal");
		n = 0;
	}
	w->next += n;
	duckdb_data_chunk_set_size(chunk, n);
}

enum err_code
duck_write_register(struct duck *d, duckdb_connection con, struct err *err)
{
	duckdb_table_function f = duckdb_create_table_function();
	duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
	duckdb_table_function_set_name(f, "weir_seal");
	duckdb_table_function_add_parameter(f, number);
	duckdb_table_function_set_extra_info(f, d, NULL);
	duckdb_table_function_set_bind(f, bind_rows);
	duckdb_table_function_set_init(f, init_rows);
	duckdb_table_function_set_function(f, give_rows);
	enum err_code code = ERR_OK;
	if (duckdb_register_table_function(con, f) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_CATALOG, "weir_seal cannot be registered", err);
	duckdb_destroy_logical_type(&number);
	duckdb_destroy_table_function(&f);
	return code;
}

/* ---- statements */

/* Not duck_exec(): while another thread of DuckDB does the work, that spins. */
static enum err_code
insert(struct duck *d, duckdb_connection con, const char *name, struct duck_writing *w,
    struct err *err)
{
	struct duck_sql sql;
	duckdb_result result;
	duck_sql_init(&sql);
	w->number = rand_u64() >> 1;
	buf_printf(&sql.text, "INSERT INTO %s (", name);
	for (size_t c = 0; c < w->def->col_count; c++)
		buf_printf(&sql.text, "%s\"%s\"", c > 0 ? ", " : "", w->def->cols[c].name);
	if (w->is_signal)
		buf_str(&sql.text, STR(", seal, attribute_order"));
	for (unsigned i = 0; i < w->column_count; i++)
		buf_printf(&sql.text, ", a%u", w->columns[i]->number);
	buf_printf(&sql.text, ") SELECT * FROM weir_seal(%" PRIu64 ")", w->number);
	d->writing = w;
	enum err_code code = duck_run(d, con, &sql, UINT64_MAX, &result, err);
	if (code == ERR_OK)
		duckdb_destroy_result(&result);
	d->writing = NULL;
	if (code != ERR_OK && w->failed)
		code = err_set(err, ERR_TOO_LARGE, "no memory for the rows of a seal");
	CHECK(code != ERR_OK || w->next == w->count);
	duck_sql_fini(&sql);
	return code;
}

enum err_code
duck_write_rows(struct duck *d, duckdb_connection con, const char *name,
    const struct duck_table *table, uint32_t live, enum table_id id, uint64_t gen,
    const struct seal_row *rows, size_t count, struct seal_filters *filters, struct err *err)
{
	struct duck_writing w = {
	    .def = &table_defs[id],
	    .id = id,
	    .rows = rows,
	    .count = count,
	    .is_signal = true,
	    .table = duck_attributes_col(id) >= 0 ? table : NULL,
	    .attributes = duck_attributes_col(id),
	    .gen = gen,
	    .filters = filters,
	    .live = live,
	};
	for (unsigned i = 0; table && i < table->plan.count; i++)
		if (live & UINT32_C(1) << i)
			w.columns[w.column_count++] = &table->plan.columns[i];
	if (w.table)
		w.split = xcalloc(SPLIT_ROWS, sizeof(*w.split));
	enum err_code code = insert(d, con, name, &w, err);
	int col = duck_trace_col(id);
	for (size_t i = 0; i < count && code == ERR_OK && table && col >= 0; i++) {
		uint64_t hi = table_u64(rows[i].rows, rows[i].row, col);
		uint64_t lo = table_u64(rows[i].rows, rows[i].row, col + 1);
		if (hi != 0 || lo != 0)
			bloom_add(&filters->traces, duck_trace_hash(hi, lo));
	}
	arena_fini(&w.arena);
	free(w.split);
	return code;
}

enum err_code
duck_write_dict(struct duck *d, duckdb_connection con, enum table_id id,
    const struct hot_slice *slices, size_t slice_count, struct err *err)
{
	struct duck_writing w = {.def = &table_defs[id], .id = id, .attributes = -1};
	for (size_t i = 0; i < slice_count; i++)
		w.count += slices[i].count;
	struct seal_row *rows = xcalloc(w.count > 0 ? w.count : 1, sizeof(*rows));
	size_t n = 0;
	for (size_t i = 0; i < slice_count; i++)
		for (uint32_t k = 0; k < slices[i].count; k++)
			rows[n++] = (struct seal_row){slices[i].rows, slices[i].first + k};
	w.rows = rows;
	enum err_code code = ERR_OK;
	if (w.count > 0)
		code = insert(d, con, w.def->name, &w, err);
	free(rows);
	return code;
}

static bool
append_request(duckdb_appender app, const void *ctx, size_t i)
{
	const struct ident_request *r = (const struct ident_request *)ctx + i;
	return duckdb_append_uint64(app, r->identity.hi) == DuckDBSuccess &&
	    duckdb_append_uint64(app, r->identity.lo) == DuckDBSuccess &&
	    duckdb_append_uint64(app, r->seq) == DuckDBSuccess &&
	    duckdb_append_uint64(app, r->received_ns) == DuckDBSuccess &&
	    duckdb_appender_end_row(app) == DuckDBSuccess;
}

enum err_code
duck_write_requests(struct duck *d, duckdb_connection con, const struct ident_request *requests,
    size_t count, struct err *err)
{
	return duck_append_each(d, con, "requests", count, append_request, requests, err);
}

enum err_code
duck_write_seal(struct duck *d, duckdb_connection con, const char *base, int64_t day,
    const struct duck_seal_info *info, uint64_t floor, const struct buf *traces,
    const struct buf *attrs, struct err *err)
{
	char sql[256];
	duckdb_prepared_statement st = NULL;
	duckdb_result result = {0};
	const struct buf *blobs[] = {traces, attrs};
	snprintf(sql, sizeof(sql),
	    "INSERT INTO seals VALUES (%" PRIu64 "::UBIGINT, '%s', %" PRId64 ", %" PRIu64
	    "::UBIGINT, %" PRIu64 "::UBIGINT, %" PRIu64 "::UBIGINT, %" PRIu64
	    "::UBIGINT, $1::BLOB, $2::BLOB)",
	    info->gen, base, day, info->rows, info->time_min, info->time_max, floor);
	enum err_code code = ERR_OK;
	if (duckdb_prepare(con, sql, &st) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_INVALID, duckdb_prepare_error(st), err);
	for (idx_t i = 0; i < ARRAY_LEN(blobs) && code == ERR_OK; i++) {
		duckdb_state bound = blobs[i]
		    ? duckdb_bind_blob(st, i + 1, blobs[i]->ptr ? blobs[i]->ptr : "", blobs[i]->len)
		    : duckdb_bind_null(st, i + 1);
		if (bound != DuckDBSuccess)
			code = duck_fail(d, DUCKDB_ERROR_INVALID, duckdb_prepare_error(st), err);
	}
	if (code == ERR_OK && duckdb_execute_prepared(st, &result) != DuckDBSuccess)
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_destroy_result(&result);
	duckdb_destroy_prepare(&st);
	return code;
}
