/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_pick.h - rows, or traces, that are known by name, for SQL to find.
 *
 * A list of five hundred in SQL costs more to parse and plan than the rows cost to read, and the database joins with it
 * above the scan, when every column of every row has been read. So the names stay here, and SQL asks
 *
 *     weir_picked(pick BIGINT, hint UBIGINT)               has one of them this hint?
 *     weir_picked_pair(pick BIGINT, a UBIGINT, b UBIGINT)  is it one of them?
 *
 * The first one is of one column: the scan itself drops what it refuses, and reads of the other columns only where something
 * is left. The second one makes it exact. `pick` is a random number that this process gave out and that is refused
 * once the pick has ended, as with weir_hot() (duck_view.h).
 *
 *              a         b         hint
 *     rows     seq       ord       time (of arrivals: seq)
 *     traces   trace_hi  trace_lo  trace_lo
 *
 * Threading: a pick has one owner; any thread of the database may ask.
 */
#ifndef DUCK_DUCK_PICK_H
#define DUCK_DUCK_PICK_H

#include "duck/duck_handle.h"

#include "base/err.h"

#include <duckdb.h>
#include <stddef.h>

struct duck;
struct duck_pick;

enum duck_pick_of { DUCK_PICK_ROWS, DUCK_PICK_TRACES };

/* An empty one, for at most `max` names. */
struct duck_pick *duck_pick_begin(struct duck_handles *all, enum duck_pick_of of, size_t max);
/* Not once a statement names it. */
void duck_pick_add(struct duck_pick *p, uint64_t a, uint64_t b, uint64_t hint);
uint64_t duck_pick_number(const struct duck_pick *p);
enum duck_pick_of duck_pick_is_of(const struct duck_pick *p);
size_t duck_pick_count(const struct duck_pick *p);
/* duck_trace_hash() of the i-th trace, for the filters of seals. */
uint64_t duck_pick_trace_hash(const struct duck_pick *p, size_t i);
/* Statements that name it fail from now on. */
void duck_pick_end(struct duck_pick *p); /* NULL allowed */

bool duck_pick_has_hint(const struct duck_pick *p, uint64_t hint);
bool duck_pick_has(const struct duck_pick *p, uint64_t a, uint64_t b);

/* One of a number, which stays until it is given back; NULL: there is none. */
struct duck_pick *duck_pick_ref(struct duck_handles *all, uint64_t number);
void duck_pick_unref(struct duck_pick *p);

/* Once per database. */
MUST_CHECK enum err_code duck_pick_register(struct duck *d, duckdb_connection con, struct err *err);

#endif
