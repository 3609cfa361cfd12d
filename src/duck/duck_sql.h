/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_sql.h - statements of DuckDB, and rows to and from its data chunks.
 */
#ifndef DUCK_DUCK_SQL_H
#define DUCK_DUCK_SQL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "model/table.h"

#include <duckdb.h>

/* Exported by the library; the header is of a release before it. Does not look at the bytes. */
void duckdb_unsafe_vector_assign_string_element_len(duckdb_vector vector, idx_t index,
    const char *str, idx_t str_len);

struct duck;
struct duck_gate;

enum {
	DUCK_CHUNK_ROWS = 2048, /* what DuckDB calls its vector size */
	DUCK_READERS_MAX =
	    83, /* --readers, the threads of ReadSpans, a check of the file, --sql-queries */
	DUCK_PARAMS_MAX = 176, /* of one statement: all of struct store_query fits */
	DUCK_TABLE_NAME_BYTES = 32,
	DUCK_DAY_OTHER = -1,
};

/* ---- statements */

struct duck_sql {
	struct buf text; /* NUL-terminated by duck_run() */
	struct str params[DUCK_PARAMS_MAX]; /* $1 ..: text that came from outside */
	size_t param_count;
	bool failed; /* too many parameters, or one that is no UTF-8 */
	/* Held while rows of it are read with the functions below; NULL: none. A reset keeps it. */
	struct duck_gate *gate;
};

void duck_sql_init(struct duck_sql *q);
void duck_sql_fini(struct duck_sql *q);
void duck_sql_reset(struct duck_sql *q);
/* Append a VARCHAR of this value: a quoted literal when it is short, else a parameter. */
void duck_sql_text(struct duck_sql *q, struct str value);
/* Append what stands between the quotes of a literal; there must be no NUL in it. */
void duck_sql_quoted(struct buf *out, struct str s);
void duck_sql_u64(struct duck_sql *q, uint64_t v); /* literal of the column's own type */
void duck_sql_i64(struct duck_sql *q, int64_t v);
/* Append "gen >= .. AND gen <= ..". */
void duck_sql_gens(struct duck_sql *q, uint64_t min, uint64_t max);

/* Translate an error of DuckDB; marks the store as broken when it was fatal. */
enum err_code duck_fail(struct duck *d, duckdb_error_type type, const char *text, struct err *err);
/* The same for a query: one that lacks memory is ERR_TOO_LARGE and says what to do. */
enum err_code duck_fail_query(struct duck *d, duckdb_error_type type, const char *text,
    struct err *err);
/* The same for what an appender says; the caller destroys it. */
enum err_code duck_fail_append(struct duck *d, duckdb_appender app, struct err *err);
/* Append rows to a table of the file: for each of 0 .. count - 1 `append` is called, and says whether it took the row. */
MUST_CHECK enum err_code duck_append_each(struct duck *d, duckdb_connection con, const char *table,
    size_t count, bool (*append)(duckdb_appender app, const void *ctx, size_t i), const void *ctx,
    struct err *err);
/* A statement without parameters or result. */
MUST_CHECK enum err_code duck_exec(struct duck *d, duckdb_connection con, const char *sql,
    struct err *err);
/* Run to the point where rows can be fetched; the caller destroys *result when it is ERR_OK. */
MUST_CHECK enum err_code duck_run(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, duckdb_result *result, struct err *err);
/* The single number a statement gives; 0 when it gives NULL or no row. */
MUST_CHECK enum err_code duck_number(struct duck *d, duckdb_connection con, const char *sql,
    uint64_t *out, struct err *err);

/* ---- a chunk of an answer: what its columns are the statement says */

static inline const void *
duck_chunk_column(duckdb_data_chunk chunk, idx_t col)
{
	return duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, col));
}

static inline const uint64_t *
duck_chunk_words(duckdb_data_chunk chunk, idx_t col)
{
	return duck_chunk_column(chunk, col);
}

static inline bool
duck_chunk_is_null(duckdb_data_chunk chunk, idx_t col, idx_t row)
{
	duckdb_vector v = duckdb_data_chunk_get_vector(chunk, col);
	return !duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), row);
}

/* A value of a column of VARCHAR or BLOB that is not NULL; it stays where it is. */
static inline struct str
duck_text_at(const void *column, idx_t row)
{
	const duckdb_string_t *s = (const duckdb_string_t *)column + row;
	if (duckdb_string_is_inlined(*s))
		return str_of(s->value.inlined.inlined, s->value.inlined.length);
	return str_of(s->value.pointer.ptr, s->value.pointer.length);
}

static inline struct str
duck_chunk_text(duckdb_data_chunk chunk, idx_t col, idx_t row)
{
	return duck_text_at(duck_chunk_column(chunk, col), row);
}

/* ---- rows */

/* Add the rows of q, whose columns must be those of `out`, in order. */
MUST_CHECK enum err_code duck_read(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, struct table *out, struct err *err);
/* The same unless there are more than row_max: then *more_out, and `out` is as it was. */
MUST_CHECK enum err_code duck_read_few(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, size_t row_max, struct table *out, bool *more_out, struct err *err);
/* Append the values of each row of q, whose columns must be integers of 8 bytes, as they are in memory. */
MUST_CHECK enum err_code duck_read_words(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, struct buf *out, struct err *err);
/* Give each chunk of the answer to `take`. */
MUST_CHECK enum err_code duck_read_chunks(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns,
    enum err_code (*take)(void *ctx, duckdb_data_chunk chunk, struct err *err), void *ctx,
    struct err *err);
/* Columns `from` and on of an answer must be of the types of a table's, else memory would be misread: this holds unless
 * our own SQL is wrong, or the file was made by hand. */
MUST_CHECK enum err_code duck_check_types(duckdb_result *result, idx_t from,
    const struct table_def *def, struct err *err);
/* Add their rows to the table. */
MUST_CHECK enum err_code duck_copy_chunk(duckdb_data_chunk chunk, idx_t from, struct table *out,
    struct err *err);
/* There is no room for more rows of an answer, which is in this arena. */
enum err_code duck_answer_too_large(const struct arena *arena, struct err *err);
/* The column list of a table, comma separated. */
void duck_read_columns(struct duck_sql *q, const struct table_def *def);

duckdb_logical_type duck_logical_type(enum col_kind kind); /* the caller destroys it */
/* Column that holds resource or scope ids of each table, -1: none. */
int duck_fill_resource_col(enum table_id id);
int duck_fill_scope_col(enum table_id id);

#endif
