/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hist.h - how often which values came, closely enough for quantiles, exactly enough to be added up.
 *
 * Values are integers from 0 to 2^63 - 1 (durations in ns). A bucket is a 32nd of a doubling: bucket (o, k) has
 * the values v with 2^(o + k/32) <= v < 2^(o + (k+1)/32); zero has a bucket of its own. Which bucket a value is in is
 * decided in integers, by a table of 2^(63 + k/32), rounded up: the same on every machine.
 *
 * Merging adds counts. So the histogram of all values does not depend on how they were split and in which order
 * the parts were merged, and neither does anything that is derived from it.
 *
 * Quantiles. Nearest rank on buckets: of n values, the bucket of the ceil(q * n)th smallest (at least the first), and of it
 * the middle, (lower + upper) / 2, but no less than the smallest and no more than the largest value there was. It is at
 * most 1.1 % away from the value of that rank: HIST_ERROR, half a bucket's width at its lower end.
 *
 * Memory. Eight buckets have 64 bytes when one of them is used: up to 16 KiB, as a rule 1 to 3. Threading: one owner.
 * A zeroed struct is an empty histogram.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include "base/pack.h"

#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 hist_u128;

#define HIST_ERROR 0.011
enum {
	HIST_BUCKETS = 1 + 63 * 32,
	HIST_CHUNK = 8, /* buckets that get their memory together */
	HIST_CHUNKS = (HIST_BUCKETS + HIST_CHUNK - 1) / HIST_CHUNK,
};

struct hist {
	uint64_t
	    count; /* of values; it stays at the largest number there is, should it come to that */
	uint64_t min, max; /* of them; 0 when there are none */
	hist_u128 sum;
	uint64_t *counts; /* HIST_CHUNK for each chunk that is used, in order */
	uint64_t used[(HIST_CHUNKS + 63) / 64]; /* chunks, a bit each */
	unsigned chunks, chunk_cap;
};

void hist_fini(struct hist *h);
void hist_add(struct hist *h, uint64_t value); /* value < 2^63 */
void hist_merge(struct hist *to, const struct hist *from);
/* In thousandths: 950 is the 95th percentile. 0 when there are no values. */
double hist_quantile(const struct hist *h, unsigned thousandths);
double hist_mean(const struct hist *h); /* exact; 0 when there are none */
/* Memory beside the struct. */
size_t hist_bytes(const struct hist *h);

/* Which bucket a value is in, 0 <= .. < HIST_BUCKETS, ascending with the value. */
unsigned hist_bucket(uint64_t value);
double hist_bucket_middle(unsigned bucket);

/* The same values give the same bytes. */
void hist_pack(const struct hist *h, struct buf *out);
/* Add what was packed; false: these are no such bytes, and h is of no more use but to be freed. */
bool hist_unpack(struct hist *to, struct pack_reader *r);

#endif
