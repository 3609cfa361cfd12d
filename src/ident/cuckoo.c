/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cuckoo table: buckets of four 16-bit tags. A key has a tag and two buckets it may stand in; each of
 * them follows from the other and the tag, so that a tag can be moved without its key. When both
 * are full a tag in one of them makes room by going to its other bucket, and so on; when that has
 * gone on for KICKS_MAX steps the table is full, and the last one without a place stays beside it.
 *
 * A key whose tag stands in one of its buckets already is not entered again: has() says yes of it
 * all the same, and nothing is ever taken out. So equal keys cannot fill the table either.
 */
#include "ident/ident_priv.h"

#include "base/arena.h"

#include <stdlib.h>

enum { KICKS_MAX = 500, TAG_BITS = 16 };

#define LOW_BITS UINT64_C(0x0001000100010001)
#define HIGH_BITS UINT64_C(0x8000800080008000)

struct place {
	uint64_t first, second; /* buckets */
	uint16_t tag;
};

/* Odd, so that a tag's two buckets differ. */
static uint64_t
other_bucket(const struct ident_cuckoo *t, uint64_t bucket, uint16_t tag)
{
	return (bucket ^ (tag * UINT64_C(0xC6A4A7935BD1E995) >> TAG_BITS | 1)) & t->mask;
}

static struct place
place_of(const struct ident_cuckoo *t, struct hash128 key)
{
	uint64_t mixed = ident_mix(key, t->secret);
	uint16_t tag = (uint16_t)(mixed >> (64 - TAG_BITS));
	struct place p = {.first = mixed & t->mask, .tag = tag > 0 ? tag : 1};
	p.second = other_bucket(t, p.first, p.tag);
	return p;
}

/* Not zero when one of the four is `tag`. */
static uint64_t
find_tag(uint64_t bucket, uint16_t tag)
{
	uint64_t x = bucket ^ tag * LOW_BITS;
	return (x - LOW_BITS) & ~x & HIGH_BITS;
}

static uint16_t
slot_get(uint64_t bucket, unsigned slot)
{
	return (uint16_t)(bucket >> (slot * TAG_BITS));
}

static uint64_t
slot_set(uint64_t bucket, unsigned slot, uint16_t tag)
{
	return (bucket & ~(UINT64_C(0xFFFF) << (slot * TAG_BITS))) |
	    (uint64_t)tag << (slot * TAG_BITS);
}

void
ident_cuckoo_init(struct ident_cuckoo *t, uint64_t bucket_count)
{
	CHECK(bucket_count > 1 && (bucket_count & (bucket_count - 1)) == 0);
	CHECK(bucket_count <= UINT64_C(1) << (64 - TAG_BITS)); /* a bucket's bits are not a tag's */
	*t = (struct ident_cuckoo){
	    .buckets = xcalloc(bucket_count, sizeof(*t->buckets)), .mask = bucket_count - 1};
	t->secret = t->steps = ident_secret(t->buckets);
	/* Beyond 15/16 an add costs many kicks. */
	t->used_max = bucket_count * IDENT_SLOTS / 16 * 15;
}

void
ident_cuckoo_fini(struct ident_cuckoo *t)
{
	if (!t)
		return;
	free(t->buckets);
	*t = (struct ident_cuckoo){0};
}

void
ident_cuckoo_prefetch(const struct ident_cuckoo *t, struct hash128 key)
{
	struct place p = place_of(t, key);
	__builtin_prefetch(&t->buckets[p.first]);
	__builtin_prefetch(&t->buckets[p.second]);
}

static bool
has_place(const struct ident_cuckoo *t, const struct place *p)
{
	if (find_tag(t->buckets[p->first], p->tag) | find_tag(t->buckets[p->second], p->tag))
		return true;
	return t->victim_tag == p->tag &&
	    (t->victim_bucket == p->first || t->victim_bucket == p->second);
}

bool
ident_cuckoo_has(const struct ident_cuckoo *t, struct hash128 key)
{
	struct place p = place_of(t, key);
	return has_place(t, &p);
}

static bool
put_tag(struct ident_cuckoo *t, uint64_t bucket, uint16_t tag)
{
	for (unsigned slot = 0; slot < IDENT_SLOTS; slot++) {
		if (slot_get(t->buckets[bucket], slot) == 0) {
			t->buckets[bucket] = slot_set(t->buckets[bucket], slot, tag);
			return true;
		}
	}
	return false;
}

static unsigned
next_step(struct ident_cuckoo *t)
{
	t->steps = t->steps * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(t->steps >> 61);
}

static void
put_place(struct ident_cuckoo *t, const struct place *p)
{
	uint16_t tag = p->tag;
	if (put_tag(t, p->first, tag) || put_tag(t, p->second, tag))
		return;
	uint64_t bucket = next_step(t) & 1 ? p->first : p->second;
	for (int kick = 0; kick < KICKS_MAX; kick++) {
		unsigned slot = next_step(t) % IDENT_SLOTS;
		uint16_t out = slot_get(t->buckets[bucket], slot);
		t->buckets[bucket] = slot_set(t->buckets[bucket], slot, tag);
		tag = out;
		bucket = other_bucket(t, bucket, tag);
		if (put_tag(t, bucket, tag))
			return;
	}
	t->victim_tag = tag;
	t->victim_bucket = bucket;
	t->full = true;
}

void
ident_cuckoo_add(struct ident_cuckoo *t, struct hash128 key)
{
	CHECK(!t->full);
	struct place p = place_of(t, key);
	t->count++;
	if (has_place(t, &p))
		return;
	put_place(t, &p);
	t->used++;
	if (t->used >= t->used_max)
		t->full = true;
}
