/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_priv.h - the parts of the DuckDB store and who owns what.
 *
 *     duck_open.c    configuration, open, close, status      duck_schema.c  versions, migrations
 *     duck_reopen.c  a database that has failed              duck_repair.c  damaged files of DuckDB
 *     duck_sql.c     statements: text and parameters, running them until a deadline, error codes
 *     duck_pool.c    connections for readers                duck_gate.c    reading beside commits
 *
 *     duck_append.c  a batch to the hot tail                 duck_ident.c   what is there already
 *     duck_dict.c    resources, scopes    duck_pulls.c  positions of sources    duck_recall.c  those that answers named lately
 *
 *     duck_keep.c    the sealer's thread: when to seal, checkpoints
 *     duck_seal.c    one seal          duck_sort.c   its order       duck_write.c  its rows
 *     duck_retain.c  what is kept no longer     duck_remove.c  removing it     duck_trim.c  giving its disk back
 *     duck_hold.c    the file stands still to be copied      duck_stage.c   from the catch-all to the days
 *     duck_shred.c   attributes as columns, and back         duck_catalog.c what is in the file
 *
 *     duck_query.c   questions    duck_search.c  rows, in order    duck_where.c  conditions    duck_help.c  threads
 *     duck_parts.c   sums of a seal    duck_analyse.c  what analyses make of them    duck_read.c  data chunks -> rows
 *     duck_view.c    one moment of hot tail and file         duck_pick.c    rows by name   duck_handle.c
 *     duck_attr.c, duck_text.c, duck_merge.c   SQL functions     duck_user*.c   SQL of users
 *     duck_traces.c  the list of traces    duck_counts.c  how many, over time    duck_check.c  is the file whole? duck_check_priv.h
 *
 * `struct duck_writer` belongs to the thread that appends, `struct duck_keeper` to the sealer's. Everything else that threads
 * share is atomic, or inside hot/, duck_{pool,gate,catalog,pulls}.c. Whoever reads the file, but for the sealer, has to go by duck_gate.h.
 */
#ifndef DUCK_DUCK_PRIV_H
#define DUCK_DUCK_PRIV_H

#include "duck/duck.h"

#include "duck/duck_catalog.h"
#include "duck/duck_gate.h"
#include "duck/duck_help.h"
#include "duck/duck_keep.h"
#include "duck/duck_pick.h"
#include "duck/duck_pulls.h"
#include "duck/duck_recall.h"
#include "duck/duck_seal.h"
#include "duck/duck_services.h"
#include "duck/duck_sql.h"
#include "duck/duck_user.h"
#include "duck/duck_view.h"

#include "base/buf.h"
#include "base/map.h"
#include "hot/hot.h"
#include "ident/ident.h"
#include "sys/file.h"
#include "sys/thread.h"

#include <duckdb.h>
#include <stdatomic.h>

/* ---- schema */

/* Bring the file to the version of this program, refuse a newer one. */
MUST_CHECK enum err_code duck_schema_migrate(struct duck *d, duckdb_connection con,
    struct err *err);
void duck_schema_table_name(const struct table_def *def, int64_t day,
    char out[DUCK_TABLE_NAME_BYTES]);
/* CREATE TABLE text for a dictionary, for a day or the catch-all. */
void duck_schema_create(struct buf *out, const char *name, const struct table_def *def);
/* sparse: bits of columns in which there is little text. */
void duck_schema_create_day(struct buf *out, const char *name, const struct table_def *def,
    const struct shred_plan *plan, uint64_t sparse);
bool duck_schema_is_long_text(const char *name);
enum { DUCK_SCHEMA_VERSION = 4 };
const char *duck_schema_type(enum col_kind kind);
const char *duck_schema_shred_type(enum shred_type type);

/* ---- dictionaries */

struct duck_dict {
	enum table_id id;
	struct map known; /* (tenant, id) -> hash of the content, hot ones too; a cache */
	/* The plan of the running append. new_rows are those that are neither in the file nor hot. */
	struct map ids; /* (tenant, id in the batch) -> id in the store, where they differ */
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

/* Where a day's rows were sealed up to when the store was opened. */
struct duck_place {
	uint64_t seq;
	uint32_t ord;
};

struct duck_writer {
	struct mutex lock; /* of con: the reopen takes it away from the loader */
	duckdb_connection con;
	struct duck_dict resources, scopes;
	struct arena scratch; /* of one append */
	/* Rows at or below the place of their day are in the file: day -> index into places. */
	struct map place_of[SIGNAL_TABLES];
	struct buf places; /* of struct duck_place */
	uint64_t places_until; /* seqs beyond it need not be looked up */
	/* Identity. */
	struct ident_filter *filter;
	struct ident_set *hot_spans; /* and comments */
	struct ident_requests *requests;
	int64_t covered_from; /* spans of days from there on are in the filter */
	struct hash128 *keys; /* of the running append, in scratch */
	struct hash128 *comment_keys;
	size_t sweep_at; /* when hot_spans has so many it forgets those that are in the file */
};

/* For status(). */
struct duck_removed {
	_Atomic uint64_t days[SIGNAL_TABLES], rows[SIGNAL_TABLES], bytes[SIGNAL_TABLES];
	_Atomic uint64_t ns, longest_day_ns;
};

struct duck {
	struct store store;
	struct duck_options opt; /* defaults filled in; data_dir is not kept */
	char *dir;
	struct retain retain;
	duckdb_database db;
	struct file beside; /* the same file, see duck_repair_metadata(); closed as a rule */
	struct hot *hot;
	struct duck_handles views, picks; /* by the numbers that SQL knows them by */
	struct duck_catalog catalog;
	struct duck_writer writer;
	struct duck_outbox outbox;
	struct duck_pulls pulls;
	struct duck_pool pool;
	struct duck_gate gate;
	struct duck_help help; /* stopped while the database is shut */
	struct duck_recall recall;
	struct duck_memo_slot services_memo;
	struct duck_user_pool users;
	struct duck_keeper keeper;
	struct duck_writing *writing; /* the statement that weir_seal() serves: duck_write.c */
	_Atomic uint64_t position;
	_Atomic uint64_t generation; /* of the last committed seal */
	_Atomic uint64_t removed_gen; /* of the last one that removed rows */
	_Atomic uint64_t check_gen; /* what a check of the file sees; UINT64_MAX: none */
	struct duck_removed removed;
	_Atomic uint64_t row_count;
	_Atomic uint64_t disk_bytes;
	_Atomic uint64_t seals, seal_rows, seal_ns, seal_failures;
	_Atomic uint64_t checkpoints, checkpoint_ns, reopened;
	_Atomic uint64_t asked_again; /* questions that a commit fell into */
	_Atomic bool broken;
	_Atomic bool cancelled; /* queries end as if their time were over */
	struct mutex text_lock;
	char text[LIMIT_CHECK_TEXT_BYTES]; /* why broken, or what is under way */
};

static inline struct duck *
duck_of(struct store *s)
{
	return (struct duck *)s;
}

/* What status() says while all is not well; NULL: it is. */
void duck_say(struct duck *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Must a query stop here? */
bool duck_time_is_up(const struct duck *d, uint64_t deadline_mono_ns);
MUST_CHECK enum err_code duck_append(struct store *s, struct batch *batch, struct err *err);
/* The event day of each row: what positions are kept by. */
uint64_t duck_row_day(const struct table *t, size_t row);
/* The day whose table a row belongs to: one near enough to today, or DUCK_DAY_OTHER. */
int64_t duck_table_day(const struct duck *d, uint64_t day);

MUST_CHECK uint64_t duck_knows(struct store *s, struct hash128 identity);
/* Of a signal's table; -1: it has none. Behind trace_hi stands trace_lo. */
int duck_attributes_col(enum table_id id);
int duck_trace_col(enum table_id id);
bool duck_has_services(enum table_id id); /* and resources and scopes */
/* Columns seq and, behind it, ord of a signal's table. */
int duck_seq_col(enum table_id id);

/* ---- identities: duck_ident.c, the loader's */

/* Which rows of the batch are there already: sets batch->hidden[], and duplicates of its requests. */
MUST_CHECK enum err_code duck_ident_mark(struct duck *d, struct batch *batch, struct err *err);
/* The append has happened, or not: what the marking has noted is kept or taken back. */
void duck_ident_keep(struct duck *d, const struct batch *batch);
void duck_ident_take_back(struct duck *d, const struct batch *batch);
/* A repeat: hidden, and counted for its request. False: no memory. */
MUST_CHECK bool duck_ident_drop(struct batch *batch, enum table_id id, size_t row);
/* The same three for the comments of a batch, which the three above call. */
MUST_CHECK enum err_code duck_ident_mark_comments(struct duck *d, struct batch *batch,
    struct err *err);
void duck_ident_keep_comments(struct duck *d, const struct batch *batch);
void duck_ident_take_back_comments(struct duck *d, const struct batch *batch);
/* The sealer's thread, before appends begin: read what the file has. */
MUST_CHECK enum err_code duck_ident_read_comments(struct duck *d, duckdb_connection con,
    struct err *err);
MUST_CHECK enum err_code duck_ident_read(struct duck *d, duckdb_connection con,
    struct duck_sql *sql, struct ident_set *set, struct ident_filter *filter, struct err *err);
MUST_CHECK enum err_code duck_ident_rebuild(struct duck *d, duckdb_connection con, struct err *err);

/* What the filters of a seal hold: traces, attribute keys, keys with their value. Key and value are raw
 * text of the JSON. */
uint64_t duck_trace_hash(uint64_t hi, uint64_t lo);
uint64_t duck_attr_key_hash(struct str key);
uint64_t duck_attr_pair_hash(struct str key, struct str value);
MUST_CHECK enum err_code duck_query(struct store *s, const struct store_query *q,
    struct store_result *result, struct err *err);
MUST_CHECK enum err_code duck_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns,
    struct partial *p, struct err *err);
MUST_CHECK enum err_code duck_fault(struct duck *d, enum duck_step step, struct err *err);

/* ---- the SQL functions */

/* weir_attr_is(attributes, key, value): NULL when there is no such key, else whether its value is
 * equal as text. `key` is as stored (the '$' rule applied).
 * weir_attr_cmp(attributes, key, op, value): NULL when there is no such key, false when its value is
 * neither int nor double or `value` is no decimal, else the comparison (duck/duck_number.h); op is one of >=, >, <=, <. */
MUST_CHECK enum err_code duck_attr_register(struct duck *d, duckdb_connection con, struct err *err);
/* weir_has(text, folded): base/fold.h; weir_json_has(typed JSON, folded), weir_code_has(value of a shared column, folded):
 * is it in a string that is no key? false for NULL. duck_text.c */
MUST_CHECK enum err_code duck_text_register(struct duck *d, duckdb_connection con, struct err *err);

/* Those that have args of one type. Registered once per database. */
struct duck_function {
	const char *name;
	duckdb_type arg_type;
	int arg_count;
	duckdb_type result_type;
	duckdb_scalar_function_t run;
};
MUST_CHECK enum err_code duck_functions_register(struct duck *d, duckdb_connection con,
    const struct duck_function *defs, size_t count, struct err *err);
enum duck_attr_match { DUCK_ATTR_ABSENT, DUCK_ATTR_DIFFERENT, DUCK_ATTR_EQUAL };
enum duck_attr_match duck_attr_is(struct str json, struct str key, struct str value);

/* weir_attributes(columns, rest, attribute_order, value...): shred_merge() of a row. `columns` names
 * the columns of the values, in their order: for each the letter of its type (SHRED_LETTERS), then
 * its key as it stands in the JSON (of a shared one all keys by code, joined by tabs), joined by newlines. A
 * value is a VARCHAR, BIGINT, DOUBLE or BOOLEAN as its letter says, or NULL. The result is NULL when all of a row is NULL. */
MUST_CHECK enum err_code duck_merge_register(struct duck *d, duckdb_connection con,
    struct err *err);

#endif
