/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_priv.h - the parts of the DuckDB store and who owns what.
 *
 *     duck_open.c    configuration, open, close, status
 *     duck_schema.c  schema version, migrations, names of tables
 *     duck_sql.c     statements: text and parameters, running them until a deadline, error codes
 *     duck_append.c  the transaction of a batch         duck_fill.c   rows -> data chunks
 *     duck_dict.c    resources and scopes
 *     duck_query.c   questions                          duck_read.c   data chunks -> rows
 *     duck_where.c   the conditions of a question
 *     duck_attr.c    the SQL functions weir_attr_is and weir_attr_cmp
 *     duck_merge.c   the SQL function weir_attributes
 *     duck_pool.c    connections for readers            duck_keep.c   checkpoints
 *
 * `struct writer` belongs to the thread that appends. Everything else that threads share is
 * atomic or inside duck_pool.c and duck_keep.c.
 */
#ifndef DUCK_DUCK_PRIV_H
#define DUCK_DUCK_PRIV_H

#include "duck/duck.h"

#include "base/buf.h"
#include "base/map.h"
#include "sys/thread.h"

#include <duckdb.h>
#include <stdatomic.h>

/* Exported by the library; the header is of a release before it. Does not look at the bytes. */
void duckdb_unsafe_vector_assign_string_element_len(duckdb_vector vector, idx_t index,
    const char *str, idx_t str_len);

enum {
	DUCK_CHUNK_ROWS = 2048, /* what DuckDB calls its vector size */
	DUCK_READERS_MAX = 64,
	DUCK_PARAMS_MAX = 80, /* of one statement: all of struct store_query fits */
	DUCK_TABLE_NAME_BYTES = 32,
	DUCK_DAY_OTHER = -1,
};

/* ---- statements */

struct duck_sql {
	struct buf text; /* NUL-terminated by duck_run() */
	struct str params[DUCK_PARAMS_MAX]; /* $1 ..: text that came from outside */
	size_t param_count;
	bool failed; /* too many parameters, or one that is no UTF-8 */
};

void duck_sql_init(struct duck_sql *q);
void duck_sql_fini(struct duck_sql *q);
void duck_sql_reset(struct duck_sql *q);
/* Append `$n::VARCHAR`, a parameter that has this value; the same value is the same parameter. */
void duck_sql_text(struct duck_sql *q, struct str value);
void duck_sql_u64(struct duck_sql *q, uint64_t v); /* literal of the column's own type */
void duck_sql_i64(struct duck_sql *q, int64_t v);

struct duck;

/* Translate an error of DuckDB; marks the store as broken when it was fatal. */
enum err_code duck_fail(struct duck *d, duckdb_error_type type, const char *text, struct err *err);
/* The same for a query: one that lacks memory is ERR_TOO_LARGE and says what to do. */
enum err_code duck_fail_query(struct duck *d, duckdb_error_type type, const char *text,
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

/* ---- rows */

/* Add the rows of q, whose columns must be those of `out`, in order. */
MUST_CHECK enum err_code duck_read(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, struct table *out, struct err *err);
/* Append the values of the one column of q, which must be of 8 bytes, as they are in memory. */
MUST_CHECK enum err_code duck_read_words(struct duck *d, duckdb_connection con, struct duck_sql *q,
    uint64_t deadline_mono_ns, struct buf *out, struct err *err);
/* The column list of a table, comma separated. */
void duck_read_columns(struct duck_sql *q, const struct table_def *def);

struct duck_fill {
	const struct table *table;
	const uint32_t *rows; /* NULL: rows in order */
	const struct map *resource_ids; /* old -> new where they differ; may be empty */
	const struct map *scope_ids;
	struct arena *repair; /* not NULL: make text valid UTF-8, copies go here */
};

/* Put `count` rows from place `first` into an empty chunk; adds their size to *bytes. ERR_TOO_LARGE
 * only for lists that DuckDB has no memory for, or repaired text that the arena has none for. */
MUST_CHECK enum err_code duck_fill_chunk(const struct duck_fill *f, size_t first, size_t count,
    duckdb_data_chunk chunk, uint64_t *bytes, struct err *err);
duckdb_data_chunk duck_fill_chunk_new(const struct table_def *def);
/* Column that holds resource or scope ids of each table, -1: none. */
int duck_fill_resource_col(enum table_id id);
int duck_fill_scope_col(enum table_id id);

/* ---- schema */

/* Bring the file to the version of this program, refuse a newer one. */
MUST_CHECK enum err_code duck_schema_migrate(struct duck *d, duckdb_connection con,
    struct err *err);
void duck_schema_table_name(const struct table_def *def, int64_t day,
    char out[DUCK_TABLE_NAME_BYTES]);
/* CREATE TABLE text for a table of this shape. */
void duck_schema_create(struct buf *out, const char *name, const struct table_def *def);

/* ---- dictionaries */

struct duck_dict {
	enum table_id id;
	struct map known; /* (tenant, id) -> hash of the content, committed rows only; a cache */
	/* The plan of the running append. */
	struct map ids; /* id in the batch -> id in the store, where they differ */
	uint32_t *new_rows;
	size_t new_count;
	struct map_entry *learn; /* to be known after the commit */
	size_t learn_count;
};

void duck_dict_fini(struct duck_dict *dict);
/* Which rows of t are new, inside the transaction of con. Memory comes from scratch. */
MUST_CHECK enum err_code duck_dict_plan(struct duck *d, duckdb_connection con,
    struct duck_dict *dict, const struct table *t, struct arena *scratch, struct err *err);
void duck_dict_committed(struct duck_dict *dict);

/* ---- the store */

struct duck_writer {
	duckdb_connection con;
	duckdb_data_chunk chunks[TABLE_STORED_COUNT];
	struct duck_dict resources, scopes;
	/* Committed day tables: day -> 2 + d->checkpoints when rows came last, or 1. */
	struct map days[TABLE_RESOURCES];
	struct arena scratch; /* of one append */
	uint64_t bytes; /* of the running append */
	uint64_t position_rows; /* in the table `positions` */
};

struct duck_pool {
	struct mutex lock;
	struct cond given;
	duckdb_connection free[DUCK_READERS_MAX];
	unsigned free_count;
	unsigned made; /* connections that exist */
	unsigned max;
};

/* Take a connection, waiting for one; give it back, with `broken` if it is not to be used again. */
MUST_CHECK enum err_code duck_pool_take(struct duck *d, uint64_t deadline_mono_ns,
    duckdb_connection *con_out, struct err *err);
void duck_pool_give(struct duck *d, duckdb_connection con, bool broken);
void duck_pool_init(struct duck_pool *p, unsigned max);
void duck_pool_fini(struct duck_pool *p);

struct duck_keeper {
	struct thread thread;
	struct mutex lock; /* of all below */
	struct cond wake;
	bool stop;
	bool running; /* a checkpoint is under way */
	uint64_t dirty_bytes; /* appended since the last checkpoint */
	uint64_t last_append_ns, last_checkpoint_ns, retry_ns; /* clock_mono_ns */
};

MUST_CHECK enum err_code duck_keep_start(struct duck *d, struct err *err);
void duck_keep_stop(struct duck *d);
/* After a commit: remember that there is something to checkpoint; does so when it is much. */
void duck_keep_appended(struct duck *d, uint64_t bytes);
/* After an append that found no memory: checkpoint at once what is there. */
void duck_keep_short(struct duck *d);

struct duck {
	struct store store;
	struct duck_options opt; /* defaults filled in; data_dir is not kept */
	char *dir;
	duckdb_database db;
	struct duck_writer writer;
	struct duck_pool pool;
	struct duck_keeper keeper;
	_Atomic uint64_t position;
	_Atomic uint64_t row_count;
	_Atomic uint64_t disk_bytes;
	_Atomic uint64_t checkpoints; /* that have succeeded */
	_Atomic bool broken;
	_Atomic bool cancelled; /* queries end as if their time were over */
	struct mutex text_lock;
	char text[160]; /* why broken */
};

static inline struct duck *
duck_of(struct store *s)
{
	return (struct duck *)s;
}

/* Must a query stop here? */
bool duck_time_is_up(const struct duck *d, uint64_t deadline_mono_ns);
MUST_CHECK enum err_code duck_append(struct store *s, struct batch *batch, struct err *err);
MUST_CHECK enum err_code duck_query(struct store *s, const struct store_query *q,
    struct store_result *result, struct err *err);
MUST_CHECK enum err_code duck_fault(struct duck *d, enum duck_step step, struct err *err);

/* ---- conditions */

/* The resources that have an attribute: a list of ids, or too many for one. */
struct duck_ids {
	struct buf list; /* "id, id, .." */
	bool many;
};

/* " AND .." for every condition of q that applies to the table, time bounds included, but not
 * the tenant. `ids` are the resource lists of duck_where_resources(), one per attribute. */
void duck_where(struct duck_sql *sql, const struct store_query *q, enum table_id id,
    const struct duck_ids *ids);
MUST_CHECK enum err_code duck_where_resources(struct duck *d, duckdb_connection con,
    const struct store_query *q, const struct store_attr *a, struct duck_ids *out, struct err *err);

/* ---- the SQL functions */

/* weir_attr_is(attributes, key, value): NULL when there is no such key, else whether its value is
 * equal as text. `key` is as stored (the '$' rule applied).
 * weir_attr_cmp(attributes, key, op, value): NULL when there is no such key, false when its value is
 * neither int nor double or `value` is no decimal, else the comparison (duck/duck_number.h); op is
 * one of >=, >, <=, <. */
MUST_CHECK enum err_code duck_attr_register(struct duck *d, duckdb_connection con, struct err *err);
enum duck_attr_match { DUCK_ATTR_ABSENT, DUCK_ATTR_DIFFERENT, DUCK_ATTR_EQUAL };
enum duck_attr_match duck_attr_is(struct str json, struct str key, struct str value);

/* weir_attributes(columns, rest, attribute_order, value...): shred_merge() of a row. `columns` names
 * the columns of the values, in their order: for each the letter of its type (SHRED_LETTERS), then
 * its key as it stands in the JSON, joined by newlines. A value is a VARCHAR, BIGINT, DOUBLE or BOOLEAN
 * as its letter says, or NULL. The result is NULL when all of a row is NULL. */
MUST_CHECK enum err_code duck_merge_register(struct duck *d, duckdb_connection con,
    struct err *err);

#endif
