/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ident/ident_priv.h - one cuckoo table of the filter's chain, and how keys are spread.
 *
 * Whoever sends spans chooses their ids, and can try ids until their hashes crowd one place of a
 * table. So what a table goes by is the hash mixed with a secret of that table, made from its
 * address: nobody outside knows it, and no two tables share it.
 */
#ifndef IDENT_IDENT_PRIV_H
#define IDENT_IDENT_PRIV_H

#include "ident/ident.h"

/* Both halves of the product of two 64-bit numbers, folded: every bit of the result depends on
 * every bit of the key. */
static inline uint64_t
ident_mix(struct hash128 key, uint64_t secret)
{
	__extension__ unsigned __int128 p =
	    (unsigned __int128)(key.hi ^ secret) * (key.lo ^ UINT64_C(0x9E3779B97F4A7C15));
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t
ident_secret(const void *address)
{
	struct hash128 of = {
	    .hi = (uint64_t)(uintptr_t)address, .lo = UINT64_C(0xD6E8FEB86659FD93)};
	return ident_mix(of, UINT64_C(0xA0761D6478BD642F));
}

/* ---- one cuckoo table */

enum { IDENT_SLOTS = 4 }; /* tags in a bucket of eight bytes */

struct ident_cuckoo {
	uint64_t *buckets; /* four tags of 16 bits each; 0: empty */
	uint64_t mask; /* number of buckets - 1 */
	uint64_t secret;
	uint64_t steps; /* of the generator that says who is kicked out */
	uint64_t used, used_max; /* slots */
	uint64_t count; /* keys, those included that another's tag stands for */
	/* Who was left without a slot when the table turned out to be full. */
	uint16_t victim_tag; /* 0: none */
	uint64_t victim_bucket;
	bool full;
};

/* bucket_count is a power of two. */
void ident_cuckoo_init(struct ident_cuckoo *t, uint64_t bucket_count);
void ident_cuckoo_fini(struct ident_cuckoo *t);
/* Not when it is full. Afterwards the key is in it, and it may be full. */
void ident_cuckoo_add(struct ident_cuckoo *t, struct hash128 key);
bool ident_cuckoo_has(const struct ident_cuckoo *t, struct hash128 key);
/* Ask for the memory an add or has will look at. */
void ident_cuckoo_prefetch(const struct ident_cuckoo *t, struct hash128 key);

static inline uint64_t
ident_cuckoo_bytes(const struct ident_cuckoo *t)
{
	return (t->mask + 1) * sizeof(*t->buckets);
}

#endif
