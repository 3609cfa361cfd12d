/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/flood.h - keys that a client could choose so that all of them begin at one place of a table: each for a hash that
 * has no secret. A table that goes by base/hash.h's hash_keyed_*() spreads them as well as any others.
 *
 * How well is asked of the table, not of the clock: flood_longest_run() is how many places are taken one after the other, which
 * is what a search walks through. In a table half full of 100,000 keys it is some dozens.
 */
#ifndef TESTS_FLOOD_H
#define TESTS_FLOOD_H

#include "base/bits.h"
#include "base/check.h"
#include "base/str.h"

#include <stdbool.h>

enum { FLOOD_KEYS = 100000, FLOOD_RUN_MAX = 500 };

/* n is odd: n times it is 1. Newton's iteration doubles the bits that are right. */
static inline uint64_t
flood_inverse(uint64_t n)
{
	uint64_t x = n;
	for (int i = 0; i < 6; i++)
		x *= 2 - n * x;
	return x;
}

/* For Fibonacci hashing, key * 2^64/phi: only the upper 20 bits of the product are not zero. */
static inline uint64_t
flood_multiplied(uint64_t i)
{
	return flood_inverse(UINT64_C(0x9E3779B97F4A7C15)) * (i << 44);
}

/* For key ^ key >> 32: the lower half is zero. */
static inline uint64_t
flood_folded(uint64_t i)
{
	return i << 32 | i;
}

/* For XXH3 of the 16 bytes of a trace's id: the hash is `hash`. Its first half makes a factor zero, so that the second comes
 * into the end of the computation as it is, and that can be done backwards. */
static inline void
flood_trace(uint64_t hash, uint64_t *hi, uint64_t *lo)
{
	/* Of XXH3's constant secret, words 3 ^ 4 and 5 ^ 6. */
	const uint64_t flip_hi = UINT64_C(0x1F67B3B7A4A44072) ^ UINT64_C(0x78E5C0CC4EE679CB);
	const uint64_t flip_lo = UINT64_C(0x2172FFCC7DD05A82) ^ UINT64_C(0x8E2443F7744608B8);
	hash ^= hash >> 32;
	hash *= flood_inverse(UINT64_C(0x165667919E3779F9));
	hash ^= hash >> 37;
	*hi = flip_hi;
	*lo = flip_lo ^ (hash - 16);
}

static inline uint64_t
flood_rotated(uint64_t x, unsigned by)
{
	by &= 63;
	return by ? x << by | x >> (64 - by) : x;
}

/* For XXH3 of eight bytes: those whose hash with this seed is `hash`, if they are printable and need no escape. */
static inline bool
flood_text(uint64_t hash, uint64_t seed, char out[8])
{
	const uint64_t factor = flood_inverse(UINT64_C(0x9FB21C651E98DF25));
	/* Of the secret, words 1 ^ 2. */
	const uint64_t flip = UINT64_C(0x1CAD21F72C81017C) ^ UINT64_C(0xDB979083E96DD4DE);
	uint64_t x = (hash ^ hash >> 28 ^ hash >> 56) * factor, product = x;
	for (int i = 0; i < 3; i++)
		x = product ^ ((x >> 35) + 8);
	x *= factor;
	/* 64 times x ^ rotated by 49 ^ rotated by 24 is x itself: 63 times is backwards. */
	for (unsigned i = 0; i < 6; i++)
		x = x ^ flood_rotated(x, 49u << i) ^ flood_rotated(x, 24u << i);
	seed ^= (uint64_t)__builtin_bswap32((uint32_t)seed) << 32;
	x ^= flip - seed;
	put_u32le(out, (uint32_t)(x >> 32));
	put_u32le(out + 4, (uint32_t)x);
	for (int i = 0; i < 8; i++)
		if (out[i] <= ' ' || out[i] > '~' || out[i] == '"' || out[i] == '\\')
			return false;
	return true;
}

/* Places are `bytes` long each, and one of zeros is free. */
static inline size_t
flood_longest_run(const void *places, size_t count, size_t bytes)
{
	static const char zeros[64];
	size_t run = 0, longest = 0;
	CHECK(bytes <= sizeof(zeros));
	for (size_t i = 0; i < count; i++) {
		bool taken = memcmp((const char *)places + i * bytes, zeros, bytes) != 0;
		run = taken ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

#endif
