/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ident/ident_priv.h - one cuckoo table of the filter's chain, and how keys are spread.
 *
 * Whoever sends spans chooses their ids, and can try ids until their hashes crowd one place of a
 * table. So what a table goes by is the hash with two secrets worked in: that of the process, and one of the table, made
 * from its address, for what crowds one table of the chain is not to crowd the next.
 */
#ifndef IDENT_IDENT_PRIV_H
#define IDENT_IDENT_PRIV_H

#include "ident/ident.h"

static inline uint64_t
ident_mix(struct hash128 key, uint64_t secret)
{
	return hash_keyed_u128(key.hi ^ secret, key.lo);
}

static inline uint64_t
ident_secret(const void *address)
{
	return hash_keyed_u64((uint64_t)(uintptr_t)address);
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
