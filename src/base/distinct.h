/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/distinct.h - how many different things there were.
 *
 * Things are 64-bit hashes that spread well (XXH3). As long as there are at most `exact_max` different ones they are
 * kept, and the count is exact but for two things that have one hash by chance. Beyond that, and from then on, only
 * a HyperLogLog of them is kept (Flajolet et al. 2007; estimated as in Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017): 2^16 registers, 64 KiB, and the count has a standard error of DISTINCT_ERROR.
 *
 * What is kept does not depend on the order in which hashes came, nor on how they were split and merged: it is exact if
 * and only if all of them together are at most exact_max.
 *
 * Threading: one owner. Begin with distinct_init(); a zeroed struct may be freed.
 */
#ifndef BASE_DISTINCT_H
#define BASE_DISTINCT_H

#include "base/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISTINCT_ERROR 0.0041
enum { DISTINCT_BITS = 16, DISTINCT_REGISTERS = 1 << DISTINCT_BITS };

struct distinct {
	uint64_t *slots; /* open addressing; 0: empty, and so the hash 0 is kept as 1 */
	size_t mask, count, exact_max;
	unsigned char *registers; /* not NULL: no longer exact, and there are no slots */
};

void distinct_init(struct distinct *d, size_t exact_max);
void distinct_fini(struct distinct *d);
void distinct_add(struct distinct *d, uint64_t hash);
/* Both of the same exact_max. */
void distinct_merge(struct distinct *to, const struct distinct *from);
bool distinct_is_exact(const struct distinct *d);
uint64_t distinct_count(const struct distinct *d);
size_t distinct_bytes(const struct distinct *d); /* memory beside the struct */

/* The same things give the same bytes. */
void distinct_pack(const struct distinct *d, struct buf *out);
/* Add what was packed; false: these are no such bytes. */
bool distinct_unpack(struct distinct *to, struct pack_reader *r);

#endif
