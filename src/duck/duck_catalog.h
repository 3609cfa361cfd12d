/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_catalog.h - what memory knows of the tables in the file: which there are, which columns
 * their attributes have, what each seal brought.
 *
 * The sealer's thread (and, before it runs, the open) changes it, after a transaction has been
 * committed; readers look at it under the lock. All of it only grows while the store is open, and every
 * entry says since which generation it is there: a reader whose snapshot of the file is of
 * generation g uses what has since <= g, and so sees tables, columns and seals as they were then.
 *
 * In the file (all written by the sealer, in the transaction of a seal, INSERT only):
 *
 *     seals(gen, base, day, rows, time_min, time_max, floor, traces, attrs)
 *         one row per seal. base '' : it brought no rows of a signal. day -1: the catch-all. floor: the
 *         log is not needed up to it. traces, attrs: filters (base/bloom.h), NULL: none, look everywhere
 *     positions(gen, base, day, seq, ord)     of each event day in it, the last row that is in the files
 *     partitions(base, day)                   the tables there are
 *     shreds(base, day, number, key, type, code)   keys of their attribute columns "a<number>"; code: its
 *         place among the keys of a shared column
 *     requests(hi, lo, seq, received_ns)      identities of requests
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
	uint64_t rows;
	uint64_t time_min, time_max;
	struct str traces; /* owned; NULL ptr: not in memory, the seal may hold any trace */
};

struct duck_table {
	enum table_id id;
	int64_t day; /* or DUCK_DAY_OTHER */
	uint64_t since;
	struct shred_plan plan;
	uint64_t column_since[SHRED_COLUMNS];
	/* Keys of shared columns have no generation: a row of before has none of their values there. */
	struct duck_seal_info *seals; /* by gen; of the catch-all none */
	size_t seal_count, seal_cap;
	/* It may have rows that no seal names: the catch-all, and what was there before seals. */
	bool loose;
	uint64_t loose_rows; /* how many, about */
	uint64_t counted_rows; /* loose_rows when its days were last counted; the sealer's */
};

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

/* NULL: there is no such table. The sealer may call it without the lock. */
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
/* The seal of this generation has not come about: forget what was added for it. */
void duck_catalog_forget(struct duck_catalog *c, uint64_t gen);

/* ---- readers */

/* Which seals of a table a row of this trace may be in; only those up to generation gen. False: it is
 * not known, look at all of the table. The list is malloc'd. */
MUST_CHECK bool duck_catalog_seals_of_trace(struct duck_catalog *c, const struct duck_table *t,
    uint64_t gen, uint64_t trace_hi, uint64_t trace_lo, uint64_t **gens_out, size_t *count_out);

#endif
