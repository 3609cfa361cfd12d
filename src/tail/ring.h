/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail/ring.h - bytes in a circle: put at one end, taken at the other, up to a maximum.
 *
 * Memory grows by doubling with what waits in it and goes back when it is empty. Threading: one owner.
 */
#ifndef TAIL_RING_H
#define TAIL_RING_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct ring {
	char *ptr;
	size_t cap, at, len; /* at: of the oldest byte */
	size_t bytes_max;
};

size_t ring_room(const struct ring *r);
/* Whole; there must be room. */
void ring_put(struct ring *r, struct str bytes);
/* The oldest, at most max; how many. */
size_t ring_take(struct ring *r, char *out, size_t max);
void ring_fini(struct ring *r);

#endif
