/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/fault.h - a store that fails when it is told to, around any other, for tests.
 *
 * A plan says which operation fails, at which of its calls, how often and how. A failing append
 * does not reach the store inside, or, `after`, does and is then said to have failed: that is
 * what a caller sees of a crash between the commit and the answer.
 *
 * Threading: as the store inside; a plan may be changed while other threads call.
 */
#ifndef STORE_FAULT_H
#define STORE_FAULT_H

#include "store/store.h"

enum store_fault_op { STORE_FAULT_APPEND, STORE_FAULT_QUERY, STORE_FAULT_OPS };

struct store_fault_plan {
	uint64_t first; /* the first call that fails, counted from 1; 0: none */
	uint64_t count; /* how many in a row; 0: all from there on */
	enum err_code code;
	bool after;
};

/* Takes the store inside: closing the new one closes both. */
struct store *store_fault_new(struct store *inside);
/* Counting begins anew. */
void store_fault_plan(struct store *s, enum store_fault_op op, struct store_fault_plan plan);
/* Calls since the plan was set, failed ones included. */
uint64_t store_fault_calls(struct store *s, enum store_fault_op op);
struct store *store_fault_inside(struct store *s);

#endif
