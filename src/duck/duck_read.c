/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_query_priv.h"

#include "sys/clock.h"

/* One column of a result chunk on its way to a column of a table. */
struct source {
	const struct column_def *def;
	int col;
	const void *data;
	uint64_t *validity;
	const void *items; /* of a list: its child's data */
};

void
duck_read_columns(struct duck_sql *q, const struct table_def *def)
{
	for (size_t i = 0; i < def->col_count; i++)
		buf_printf(&q->text, "%s\"%s\"", i > 0 ? ", " : "", def->cols[i].name);
}

static struct source
source_of(duckdb_data_chunk chunk, idx_t at, const struct table_def *def, size_t col)
{
	duckdb_vector v = duckdb_data_chunk_get_vector(chunk, at);
	struct source s = {
	    .def = &def->cols[col],
	    .col = (int)col,
	    .data = duckdb_vector_get_data(v),
	    .validity = duckdb_vector_get_validity(v),
	};
	if (s.def->kind == COL_U64S || s.def->kind == COL_F64S)
		s.items = duckdb_vector_get_data(duckdb_list_vector_get_child(v));
	return s;
}

/* arena_str(), but an empty text is not NULL either. */
static bool
copy_text(struct table *t, size_t row, const struct source *s, size_t i)
{
	struct str copy = arena_str(t->arena, duck_text_at(s->data, i));
	if (copy.ptr)
		table_set_str(t, row, s->col, copy);
	return copy.ptr != NULL;
}

static bool
copy_list(struct table *t, size_t row, const struct source *s, size_t i)
{
	duckdb_list_entry e = ((const duckdb_list_entry *)s->data)[i];
	void *copy = arena_array(t->arena, e.length > 0 ? e.length : 1, 8);
	if (!copy)
		return false;
	if (e.length > 0)
		memcpy(copy, (const char *)s->items + e.offset * 8, e.length * 8);
	if (s->def->kind == COL_U64S)
		table_set_u64s(t, row, s->col, (struct u64s){copy, e.length});
	else
		table_set_f64s(t, row, s->col, (struct f64s){copy, e.length});
	return true;
}

static bool
copy_value(struct table *t, size_t row, const struct source *s, size_t i)
{
	if (!duckdb_validity_row_is_valid(s->validity, i)) {
		CHECK(s->def->nullable);
		return true;
	}
	switch (s->def->kind) {
	case COL_U64: table_set_u64(t, row, s->col, ((const uint64_t *)s->data)[i]); return true;
	case COL_I64: table_set_i64(t, row, s->col, ((const int64_t *)s->data)[i]); return true;
	case COL_U32: table_set_u32(t, row, s->col, ((const uint32_t *)s->data)[i]); return true;
	case COL_I32: table_set_i32(t, row, s->col, ((const int32_t *)s->data)[i]); return true;
	case COL_F64: table_set_f64(t, row, s->col, ((const double *)s->data)[i]); return true;
	case COL_BOOL: table_set_bool(t, row, s->col, ((const bool *)s->data)[i]); return true;
	case COL_STR: return copy_text(t, row, s, i);
	case COL_U64S:
	case COL_F64S: return copy_list(t, row, s, i);
	}
	return false;
}

enum err_code
duck_answer_too_large(const struct arena *arena, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
	    "the answer is larger than %zu bytes: ask for less, with a limit, a filter or a "
	    "shorter time",
	    arena->bytes_max);
}

enum err_code
duck_copy_chunk(duckdb_data_chunk chunk, idx_t from, struct table *out, struct err *err)
{
	idx_t rows = duckdb_data_chunk_get_size(chunk);
	size_t first = out->row_count;
	bool fits = true;
	for (idx_t i = 0; i < rows && fits; i++)
		fits = table_add_row(out) != SIZE_MAX;
	for (size_t c = 0; c < out->def->col_count && fits; c++) {
		struct source s = source_of(chunk, from + c, out->def, c);
		for (idx_t i = 0; i < rows && fits; i++)
			fits = copy_value(out, first + i, &s, i);
	}
	if (fits)
		return ERR_OK;
	return duck_answer_too_large(out->arena, err);
}

enum err_code
duck_check_types(duckdb_result *result, idx_t from, const struct table_def *def, struct err *err)
{
	static const duckdb_type types[] = {
	    [COL_U64] = DUCKDB_TYPE_UBIGINT,
	    [COL_I64] = DUCKDB_TYPE_BIGINT,
	    [COL_U32] = DUCKDB_TYPE_UINTEGER,
	    [COL_I32] = DUCKDB_TYPE_INTEGER,
	    [COL_F64] = DUCKDB_TYPE_DOUBLE,
	    [COL_BOOL] = DUCKDB_TYPE_BOOLEAN,
	    [COL_STR] = DUCKDB_TYPE_VARCHAR,
	    [COL_U64S] = DUCKDB_TYPE_LIST,
	    [COL_F64S] = DUCKDB_TYPE_LIST,
	};
	CHECK(duckdb_column_count(result) >= from + def->col_count);
	for (size_t i = 0; i < def->col_count; i++)
		if (duckdb_column_type(result, from + i) != types[def->cols[i].kind])
			return err_set(err, ERR_CORRUPT,
			    "column %s of %s has another type in the database", def->cols[i].name,
			    def->name);
	return ERR_OK;
}

/* Give each chunk of a query to `take`. A query that is left early is interrupted, see drive(). */
static enum err_code
each_chunk(struct duck *d, duckdb_connection con, duckdb_result *result, uint64_t deadline_mono_ns,
    enum err_code (*take)(void *ctx, duckdb_data_chunk chunk, struct err *err), void *ctx,
    struct err *err)
{
	enum err_code code = ERR_OK;
	while (code == ERR_OK) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
		if (!chunk)
			break;
		code = take(ctx, chunk, err);
		duckdb_destroy_data_chunk(&chunk);
		if (code == ERR_OK && duck_time_is_up(d, deadline_mono_ns))
			code = err_set(err, ERR_DEADLINE, "the query did not end in its time");
	}
	if (code != ERR_OK)
		duckdb_interrupt(con);
	/* The end and a failure look the same. */
	const char *text = code == ERR_OK ? duckdb_result_error(result) : NULL;
	if (text && *text)
		code = duck_fail_query(d, duckdb_result_error_type(result), text, err);
	return code;
}

static enum err_code
run(struct duck *d, duckdb_connection con, struct duck_sql *q, uint64_t deadline_mono_ns,
    duckdb_result *result, struct err *err)
{
	if (q->gate && !duck_gate_hold(q->gate, deadline_mono_ns))
		return err_set(err, ERR_DEADLINE, "the query did not end in its time");
	enum err_code code = duck_run(d, con, q, deadline_mono_ns, result, err);
	if (code != ERR_OK && q->gate)
		duck_gate_release(q->gate);
	return code;
}

static void
finish(struct duck_sql *q, duckdb_result *result)
{
	duckdb_destroy_result(result);
	if (q->gate)
		duck_gate_release(q->gate);
}

enum err_code
duck_read_chunks(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns,
    enum err_code (*take)(void *ctx, duckdb_data_chunk chunk, struct err *err), void *ctx,
    struct err *err)
{
	duckdb_result result;
	enum err_code code = run(d, con, q, deadline_mono_ns, &result, err);
	if (code != ERR_OK)
		return code;
	code = each_chunk(d, con, &result, deadline_mono_ns, take, ctx, err);
	finish(q, &result);
	return code;
}

struct taking {
	struct table *out;
	size_t row_max; /* of out */
	bool more;
};

static enum err_code
take_rows(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct taking *t = ctx;
	t->more = duckdb_data_chunk_get_size(chunk) > t->row_max - t->out->row_count;
	if (t->more)
		return err_set(err, ERR_TOO_LARGE, "more rows than %zu", t->row_max);
	return duck_copy_chunk(chunk, 0, t->out, err);
}

static enum err_code
read_rows(struct duck *d, duckdb_connection con, struct duck_sql *q, uint64_t deadline_mono_ns,
    struct taking *t, struct err *err)
{
	duckdb_result result;
	enum err_code code = run(d, con, q, deadline_mono_ns, &result, err);
	if (code != ERR_OK)
		return code;
	CHECK(duckdb_column_count(&result) == t->out->def->col_count);
	code = duck_check_types(&result, 0, t->out->def, err);
	if (code == ERR_OK)
		code = each_chunk(d, con, &result, deadline_mono_ns, take_rows, t, err);
	finish(q, &result);
	return code;
}

enum err_code
duck_read(struct duck *d, duckdb_connection con, struct duck_sql *q, uint64_t deadline_mono_ns,
    struct table *out, struct err *err)
{
	struct taking t = {.out = out, .row_max = SIZE_MAX};
	return read_rows(d, con, q, deadline_mono_ns, &t, err);
}

enum err_code
duck_read_few(struct duck *d, duckdb_connection con, struct duck_sql *q, uint64_t deadline_mono_ns,
    size_t row_max, struct table *out, bool *more_out, struct err *err)
{
	size_t before = out->row_count;
	struct taking t = {.out = out, .row_max = before + row_max};
	enum err_code code = read_rows(d, con, q, deadline_mono_ns, &t, err);
	*more_out = t.more;
	if (!t.more)
		return code;
	table_truncate(out, before);
	return ERR_OK;
}

enum { WORD_COLUMNS_MAX = 4 };

static enum err_code
take_words(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct buf *out = ctx;
	idx_t count = duckdb_data_chunk_get_column_count(chunk);
	const uint64_t *cols[WORD_COLUMNS_MAX];
	for (idx_t c = 0; c < count; c++)
		cols[c] = duck_chunk_column(chunk, c);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
		for (idx_t c = 0; c < count; c++)
			buf_append(out, &cols[c][i], sizeof(cols[c][i]));
	return out->failed ? err_set(err, ERR_TOO_LARGE, "too many numbers in a list") : ERR_OK;
}

enum err_code
duck_read_words(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, struct buf *out, struct err *err)
{
	duckdb_result result;
	enum err_code code = run(d, con, q, deadline_mono_ns, &result, err);
	if (code != ERR_OK)
		return code;
	CHECK(duckdb_column_count(&result) <= WORD_COLUMNS_MAX);
	for (idx_t c = 0; c < duckdb_column_count(&result); c++) {
		duckdb_type type = duckdb_column_type(&result, c);
		CHECK(type == DUCKDB_TYPE_UBIGINT || type == DUCKDB_TYPE_BIGINT);
	}
	code = each_chunk(d, con, &result, deadline_mono_ns, take_words, out, err);
	finish(q, &result);
	return code;
}
