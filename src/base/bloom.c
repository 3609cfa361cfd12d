/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split block Bloom filter.
 *
 *     filter = u8 version = 1, u8 zero[3], u32 block_count, blocks
 *     block  = u32 words[8]                                          (little endian)
 *
 * The high half of a hash chooses the block, by multiplication and without a division; its low half,
 * times an odd number for each word, one bit of each word. block_count 0 is the filter that
 * says "perhaps" to everything.
 */
#include "base/bloom.h"

#include "base/arena.h"
#include "base/bits.h"
#include "base/hash.h"

#include <stdlib.h>

enum {
	VERSION = 1,
	HEAD_BYTES = 8,
	WORDS = 8,
	BLOCK_BYTES = WORDS * 4,
	BLOCK_BITS = BLOCK_BYTES * 8,
	CAP_MIN = 64,
};

/* The odd numbers of Parquet's specification. */
static const uint32_t salts[WORDS] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
    0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

void
bloom_init(struct bloom_builder *b, size_t count_max)
{
	CHECK(count_max > 0);
	*b = (struct bloom_builder){.count_max = count_max};
}

void
bloom_fini(struct bloom_builder *b)
{
	if (!b)
		return;
	free(b->hashes);
	*b = (struct bloom_builder){.count_max = b->count_max};
}

void
bloom_reset(struct bloom_builder *b)
{
	if (b->hashes)
		memset(b->hashes, 0, b->cap * sizeof(*b->hashes));
	b->count = 0;
	b->overflow = false;
}

/* Where the hash is, or else the empty place where it goes. */
static size_t
find(const struct bloom_builder *b, uint64_t hash)
{
	size_t i = (size_t)hash_keyed_u64(hash) & (b->cap - 1);
	while (b->hashes[i] != 0 && b->hashes[i] != hash)
		i = (i + 1) & (b->cap - 1);
	return i;
}

static void
grow(struct bloom_builder *b)
{
	uint64_t *old = b->hashes;
	size_t old_cap = b->cap;
	b->cap = old_cap > 0 ? 2 * old_cap : CAP_MIN;
	b->hashes = xcalloc(b->cap, sizeof(*b->hashes));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i] != 0)
			b->hashes[find(b, old[i])] = old[i];
	free(old);
}

void
bloom_add(struct bloom_builder *b, uint64_t hash)
{
	if (b->overflow)
		return;
	hash = hash > 0 ? hash : 1;
	if (b->count >= b->cap / 2)
		grow(b);
	size_t i = find(b, hash);
	if (b->hashes[i] != 0)
		return;
	if (b->count == b->count_max) {
		b->overflow = true;
		return;
	}
	b->hashes[i] = hash;
	b->count++;
}

size_t
bloom_count(const struct bloom_builder *b)
{
	return b->count;
}

static size_t
block_of(uint64_t hash, size_t block_count)
{
	return (size_t)((hash >> 32) * block_count >> 32);
}

static uint32_t
bit_of(uint64_t hash, int word)
{
	return 1U << (((uint32_t)hash * salts[word]) >> 27);
}

static void
set_bits(char *block, uint64_t hash)
{
	for (int word = 0; word < WORDS; word++) {
		char *at = block + 4 * word;
		put_u32le(at, get_u32le(at) | bit_of(hash, word));
	}
}

static size_t
blocks_for(const struct bloom_builder *b, unsigned bits_per_hash, size_t bytes_max)
{
	size_t room = (bytes_max - HEAD_BYTES) / BLOCK_BYTES;
	size_t want = b->count / BLOCK_BITS * bits_per_hash +
	    (b->count % BLOCK_BITS * bits_per_hash + BLOCK_BITS - 1) / BLOCK_BITS;
	room = room < UINT32_MAX ? room : UINT32_MAX;
	return b->overflow ? 0 : want < room ? want : room;
}

void
bloom_finish(const struct bloom_builder *b, unsigned bits_per_hash, size_t bytes_max,
    struct buf *out)
{
	CHECK(bytes_max >= HEAD_BYTES);
	if (b->count == 0 && !b->overflow)
		return;
	size_t block_count = blocks_for(b, bits_per_hash, bytes_max);
	size_t bytes = HEAD_BYTES + block_count * BLOCK_BYTES;
	char *filter = buf_reserve(out, bytes);
	if (!filter)
		return;
	memset(filter, 0, bytes);
	filter[0] = VERSION;
	put_u32le(filter + 4, (uint32_t)block_count);
	for (size_t i = 0; i < b->cap && block_count > 0; i++)
		if (b->hashes[i] != 0)
			set_bits(filter + HEAD_BYTES +
			        block_of(b->hashes[i], block_count) * BLOCK_BYTES,
			    b->hashes[i]);
	out->len += bytes;
}

bool
bloom_maybe(struct str filter, uint64_t hash)
{
	static const char zeros[3];
	if (filter.len == 0)
		return false;
	if (filter.len < HEAD_BYTES + BLOCK_BYTES || filter.ptr[0] != VERSION ||
	    memcmp(filter.ptr + 1, zeros, sizeof(zeros)) != 0)
		return true;
	size_t block_count = get_u32le(filter.ptr + 4);
	if (block_count != (filter.len - HEAD_BYTES) / BLOCK_BYTES ||
	    (filter.len - HEAD_BYTES) % BLOCK_BYTES != 0)
		return true;
	hash = hash > 0 ? hash : 1;
	const char *block = filter.ptr + HEAD_BYTES + block_of(hash, block_count) * BLOCK_BYTES;
	uint32_t missing = 0;
	for (int word = 0; word < WORDS; word++)
		missing |= bit_of(hash, word) & ~get_u32le(block + 4 * word);
	return missing == 0;
}
