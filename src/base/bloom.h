/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/bloom.h - a set that may say "perhaps" of what it does not hold, and never "no" of what it does.
 *
 * Split block Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom
 * Filters", 2007; the layout of Apache Parquet's: blocks of 256 bits, eight words, one bit in
 * each) as bytes that can be stored: little endian on every machine, a head with a version and the
 * number of blocks. Its size follows from how many distinct hashes it got, so many bits each (10 are wrong
 * about 1.3 % of what is asked, 20 about 0.03 %), up to bytes_max; beyond that it says "perhaps" more often.
 * Bytes that are no filter say "perhaps" to everything; empty bytes say "no" to everything.
 *
 * Hashes must spread well (XXH3). Threading: a builder has one owner; finished bytes are read by any.
 */
#ifndef BASE_BLOOM_H
#define BASE_BLOOM_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct bloom_builder {
	uint64_t *hashes; /* distinct ones, open addressing; 0 is kept as 1 */
	size_t count, cap;
	size_t count_max;
	/* More than count_max came: the finished filter says "perhaps" to everything. */
	bool overflow;
};

void bloom_init(struct bloom_builder *b, size_t count_max);
void bloom_fini(struct bloom_builder *b);
void bloom_reset(struct bloom_builder *b); /* forget all, keep the memory */
void bloom_add(struct bloom_builder *b, uint64_t hash);
size_t bloom_count(const struct bloom_builder *b); /* distinct ones */
/* Append the filter's bytes: none when there were no hashes, else at least 8 and at most
 * bytes_max. */
void bloom_finish(const struct bloom_builder *b, unsigned bits_per_hash, size_t bytes_max,
    struct buf *out);

bool bloom_maybe(struct str filter, uint64_t hash);

#endif
