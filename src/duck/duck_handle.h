/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_handle.h - things that SQL names by a number: views (duck_view.h) and picks (duck_pick.h).
 *
 * The number is random, so that nobody finds one by chance, and is refused once the thing has ended. A statement that has
 * found it may keep it beyond that. A handle is the first member of what it is of.
 *
 * Threading: a handle has one owner, who begins and ends it; ref() and unref() are any thread's.
 */
#ifndef DUCK_DUCK_HANDLE_H
#define DUCK_DUCK_HANDLE_H

#include "sys/thread.h"

#include <stddef.h>
#include <stdint.h>

struct duck_handle {
	struct duck_handles *all;
	uint64_t number; /* of a BIGINT, and not 0 */
	unsigned refs; /* its owner's until it ends, and what ref() gave */
	void (*free)(struct duck_handle *h); /* when the last one is gone */
};

/* Those there are. Part of struct duck; it outlives the database. */
struct duck_handles {
	struct mutex lock; /* leaf; of the references too */
	struct duck_handle **live;
	size_t count, cap;
};

void duck_handles_init(struct duck_handles *all);
void duck_handles_fini(struct duck_handles *all); /* all have ended */

void duck_handle_begin(struct duck_handles *all, struct duck_handle *h,
    void (*free)(struct duck_handle *h));
void duck_handle_end(struct duck_handle *h);
/* NULL: there is none of that number. */
struct duck_handle *duck_handle_ref(struct duck_handles *all, uint64_t number);
void duck_handle_unref(struct duck_handle *h);

#endif
