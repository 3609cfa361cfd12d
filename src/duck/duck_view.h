/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_view.h - one moment of the store: hot tail and file, each row in exactly one of them.
 *
 * duck_view_begin() opens a read transaction on the connection, reads the newest generation the
 * transaction sees, and takes the hot tail's view that goes with it (hot/hot.h); should seals have
 * overtaken it, it begins again. What is read is only true when no commit ran meanwhile: duck_gate.h. Who
 * will look at that needs no transaction, and the newest generation is known: that saves 0.5 ms.
 * SQL sees the hot rows of a view through a table function,
 *
 *     weir_hot(view BIGINT, part INTEGER, from_ns UBIGINT, to_ns UBIGINT, trace_hi UBIGINT, trace_lo UBIGINT, pick UBIGINT)
 *
 * whose columns are those of the part's table in model/columns.h; rows outside of [from_ns, to_ns) may
 * be left out, and are when whole slices are; to_ns 2^64 - 1 is no end. Of spans and logs only those of the
 * trace are there, unless its id is 0, 0; and only what was picked (duck_pick.h), unless that is 0. `view` is a random number that this
 * process gave out and that is refused once the view has ended; SQL from users may name any number
 * and gets an error. A statement that has been bound keeps what it reads alive by itself, so that it
 * may even outlive the view.
 *
 * Text is not copied: the strings that SQL sees point into the view's memory.
 *
 * Threading: a view has one owner; the scans of its statement may run on several threads of DuckDB.
 */
#ifndef DUCK_DUCK_VIEW_H
#define DUCK_DUCK_VIEW_H

#include "duck/duck_handle.h"
#include "hot/hot.h"

#include "base/err.h"
#include "sys/thread.h"

#include <duckdb.h>

struct duck;
struct duck_live_view;
struct duck_pick;
struct duck_sql;
struct store_query;

struct duck_view {
	duckdb_connection con; /* borrowed */
	bool transaction; /* it is in one */
	bool left; /* the owner's to set: a statement may not have come to its end */
	uint64_t gen;
	const struct hot_view *hot;
	uint64_t handle; /* for weir_hot() */
	struct duck_live_view *live;
};

/* Without a transaction: what is read is thrown away if a commit has begun since the gate was looked at. */
MUST_CHECK enum err_code duck_view_begin(struct duck *d, duckdb_connection con, bool transaction,
    struct duck_view *out, struct err *err);
/* Ends the transaction, if there is one, and a statement that was left before its end; false: the connection is not to
 * be used again. */
bool duck_view_end(struct duck *d, struct duck_view *v);
/* The part of a table's day (or HOT_MIXED); NULL: it has no rows. */
const struct hot_view_part *duck_view_part(const struct duck_view *v, enum table_id id,
    int64_t day);

/* Whether a part of spans or logs has a row of the trace. */
bool duck_view_has_trace(const struct hot_view_part *part, uint64_t trace_hi, uint64_t trace_lo);

/* Rows of a slice into the first vectors of a chunk, a column of the table each; false: no memory. Text is not copied. */
bool duck_view_give(duckdb_data_chunk chunk, const struct hot_slice *slice, const idx_t *cols,
    idx_t count);

/* The oldest generation that a view is of; UINT64_MAX: there is none. */
uint64_t duck_views_oldest(struct duck_handles *all);

/* Append a call of weir_hot() for a part: what q's bounds in time and its trace, and a pick, leave of it; NULL: all. */
void duck_view_put(struct duck_sql *sql, const struct duck_view *v, uint32_t part,
    const struct store_query *q, const struct duck_pick *pick);

/* Once per database. */
MUST_CHECK enum err_code duck_view_register(struct duck *d, duckdb_connection con, struct err *err);

#endif
