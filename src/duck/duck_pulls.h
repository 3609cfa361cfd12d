/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_pulls.h - how far sources have been pulled: the newest position of each (tenant, source).
 *
 * In memory stand the newest of all, which readers are told, and those that are not in the file yet. Before an append
 * its positions are put among the latter, before the hot tail says that it has the rows: so a seal that says "the log is
 * not needed up to here" finds all positions up to there, and writes them in its transaction. Of a position that is not in
 * the file the log has the record. When many wait, older ones of a source may go: the newest is enough, wherever
 * the log is read again from.
 *
 * In the file: pulls(gen, tenant, source, position, seq, received_ns, spans), one row for each source and seal that moved it; the one
 * with the largest seq counts. Rows that are of no use any more are deleted when they are many.
 *
 * Threads: the loader appends, the sealer's writes, any thread reads; one short lock.
 */
#ifndef DUCK_DUCK_PULLS_H
#define DUCK_DUCK_PULLS_H

#include "base/buf.h"
#include "store/store.h"
#include "sys/thread.h"

#include <duckdb.h>

struct duck;
struct duck_pull;

struct duck_pulls {
	struct mutex lock; /* leaf; of all that follows */
	struct duck_pull *newest; /* by tenant, then source */
	size_t count, cap;
	struct duck_pull *pending; /* not in the file, by seq */
	size_t pending_count, pending_cap;
	uint64_t file_rows; /* of the table */
	uint64_t sealing_rows; /* the same once the seal under way has been committed */
};

#define DUCK_PULLS_TABLE                                                                           \
	"CREATE TABLE pulls(gen UBIGINT NOT NULL, tenant VARCHAR NOT NULL, source VARCHAR NOT"     \
	" NULL, position BLOB NOT NULL, seq UBIGINT NOT NULL, received_ns UBIGINT NOT NULL, spans" \
	" UBIGINT NOT NULL)"

void duck_pulls_init(struct duck_pulls *p);
void duck_pulls_fini(struct duck_pulls *p);
/* What the file has, at the open and after a reopen: what memory has besides stays. */
MUST_CHECK enum err_code duck_pulls_load(struct duck *d, duckdb_connection con, struct err *err);

/* The loader, around an append: before, and after one that succeeded or failed. */
void duck_pulls_plan(struct duck *d, const struct batch *batch);
void duck_pulls_keep(struct duck *d, const struct batch *batch);
void duck_pulls_take_back(struct duck *d);

/* In the transaction of a seal with this generation and floor, and when that has been committed. */
MUST_CHECK enum err_code duck_pulls_write(struct duck *d, duckdb_connection con, uint64_t gen,
    uint64_t floor, struct err *err);
void duck_pulls_settle(struct duck *d, uint64_t floor);

size_t duck_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out,
    size_t max);
uint64_t duck_pulls_count(struct duck *d);

#endif
