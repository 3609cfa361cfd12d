/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_catalog.h - what memory knows of the tables in the file: which there are, which columns
 * their attributes have, what each seal brought.
 *
 * The sealer's thread (and, before it runs, the open) changes it, about the time that a transaction is
 * committed; readers look at it under the lock. Every entry says since which generation it is there, and until which:
 * a reader whose snapshot of the file is of generation g uses what has since <= g < until, and so sees tables,
 * columns and seals as they were then. What has gone is forgotten when no reader is so old any more.
 *
 * In the file (all written by the sealer, in the transaction of a seal, or deleted in one when its rows are no longer
 * kept, duck_remove.c):
 *
 *     seals(gen, base, day, rows, time_min, time_max, floor, traces, attrs)
 *         one row per seal. base '' : it brought no rows of a signal. day -1: the catch-all. floor: the
 *         log is not needed up to it. traces, attrs: filters (base/bloom.h), NULL: none, look everywhere
 *     positions(gen, base, day, seq, ord)     of each event day in it, the last row that is in the files
 *     partitions(base, day)                   the tables there are
 *     shreds(base, day, number, key, type, code)   keys of their attribute columns "a<number>"; code: its
 *         place among the keys of a shared column
 *     requests(hi, lo, seq, received_ns)      identities of requests
 *     pulls(gen, tenant, source, position, seq, received_ns, spans)   duck_pulls.h
 *     resources, scopes                       the dictionaries
 *
 * A day's table has the columns of model/columns.h, then "seal" (the generation that wrote the row: constant
 * in a row group, so that naming seals prunes), "attribute_order", and a0, a1 .. (duck_shred.h).
 * The catch-all has the first two of these, always with NULL order and whole attributes.
 */
#ifndef DUCK_DUCK_CATALOG_H
#define DUCK_DUCK_CATALOG_H

#include "duck/duck_shred.h"

#include "base/map.h"
#include "model/columns.h"
#include "sys/thread.h"

#include <duckdb.h>

struct duck;

struct duck_seal_info {
	uint64_t gen;
	uint64_t until; /* its rows were deleted by this generation; UINT64_MAX: they are there */
	uint64_t
	    summed_since; /* the generation that wrote down its sums (duck_parts.h); UINT64_MAX: none did */
	uint64_t rows;
	uint64_t time_min, time_max;
	/* Between these are the seqs of its rows; seq_max 0: not known. duck_arrivals.c finds out, and is any thread's; under the
	 * lock. */
	uint64_t seq_min, seq_max;
	struct str traces; /* owned; NULL ptr: not in memory, the seal may hold any trace */
};

/* For duck_retain.c, the sealer's. */
struct duck_table_size {
	uint64_t bytes, rows; /* what it takes in the file, measured when it had so many rows */
	uint64_t looked; /* nothing of it is too old as long as rules and table look like this */
};

struct duck_table {
	enum table_id id;
	int64_t day; /* or DUCK_DAY_OTHER */
	uint64_t since;
	uint64_t until; /* it was dropped by this generation; UINT64_MAX: it is there */
	struct shred_plan plan;
	uint64_t column_since[SHRED_COLUMNS];
	/* Keys of shared columns have no generation: a row of before has none of their values there. */
	struct duck_seal_info *seals; /* by gen; of the catch-all none */
	size_t seal_count, seal_cap;
	/* It may have rows that no seal names: the catch-all, and what was there before seals. */
	bool loose;
	uint64_t loose_rows; /* how many, about */
	uint64_t counted_rows; /* loose_rows when its days were last counted; the sealer's */
	uint64_t changes; /* of its rows and seals, counted */
	struct duck_table_size size; /* the sealer's: duck_retain.c */
};

/* Are the rows of the seal at this place still there? Under the lock, or the sealer. */
static inline bool
duck_catalog_has_seal(const struct duck_table *t, size_t place)
{
	return t->seals[place].until == UINT64_MAX;
}

struct duck_catalog {
	struct mutex lock; /* leaf */
	struct duck_table **tables;
	size_t count, cap;
	uint64_t filter_bytes; /* of trace filters in memory */
	uint64_t filter_bytes_max;
	bool damaged; /* what the file says of columns makes no sense */
};

void duck_catalog_init(struct duck_catalog *c, uint64_t filter_bytes_max);
void duck_catalog_fini(struct duck_catalog *c);
/* Read all of it from the file. */
MUST_CHECK enum err_code duck_catalog_load(struct duck *d, duckdb_connection con, struct err *err);

/* NULL: there is no such table now. The sealer may call it without the lock. */
struct duck_table *duck_catalog_find(const struct duck_catalog *c, enum table_id id, int64_t day);

/* ---- the sealer, after a commit; each takes the lock */

struct duck_table *duck_catalog_add_table(struct duck_catalog *c, enum table_id id, int64_t day,
    uint64_t since);
/* A key of column `number`, which may be a new one; false: it does not fit. */
MUST_CHECK bool duck_catalog_add_key(struct duck_catalog *c, struct duck_table *t, unsigned number,
    struct str key, enum shred_type type, uint64_t since);
/* traces is copied when there is room for it. */
void duck_catalog_add_seal(struct duck_catalog *c, struct duck_table *t,
    const struct duck_seal_info *info);

/* So many rows more, or fewer, without a seal. */
void duck_catalog_count_loose(struct duck_catalog *c, struct duck_table *t, int64_t rows);
/* The transaction of this generation removes a table, or one of its seals (its place in the list), or rows of it:
 * before it is committed. */
void duck_catalog_drop_table(struct duck_catalog *c, struct duck_table *t, uint64_t gen);
void duck_catalog_drop_seal(struct duck_catalog *c, struct duck_table *t, size_t place,
    uint64_t gen);
void duck_catalog_shrink_seal(struct duck_catalog *c, struct duck_table *t, size_t place,
    uint64_t rows);
/* The transaction of this generation writes down the sums of a seal: before it is committed. */
void duck_catalog_sum_seal(struct duck_catalog *c, struct duck_table *t, size_t place,
    uint64_t gen);
/* The seal of this generation has not come about: forget what was added for it, what it removed is there. */
void duck_catalog_forget(struct duck_catalog *c, uint64_t gen);
/* Nobody looks at the file as it was before this generation: give the memory of what has gone free. */
void duck_catalog_tidy(struct duck_catalog *c, uint64_t oldest_gen);
/* Rows there are now: of seals, and loose ones. Under the lock, or the sealer. */
uint64_t duck_catalog_rows(const struct duck_table *t);

/* ---- readers */

/* Which seals of a table a row of this trace may be in; only those up to generation gen. False: it is
 * not known, look at all of the table. The list is malloc'd. */
MUST_CHECK bool duck_catalog_seals_of_trace(struct duck_catalog *c, const struct duck_table *t,
    uint64_t gen, uint64_t trace_hi, uint64_t trace_lo, uint64_t **gens_out, size_t *count_out);

#endif
