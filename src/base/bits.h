/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/bits.h - little-endian fields, overflow-checked sizes, hex.
 *
 * Everything on wire or disk goes through get_/put_: no struct casts, no alignment rules.
 */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t
get_u32le(const void *p)
{
	const unsigned char *b = p;
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t
get_u64le(const void *p)
{
	const unsigned char *b = p;
	return (uint64_t)get_u32le(b) | (uint64_t)get_u32le(b + 4) << 32;
}

static inline uint32_t
get_u32be(const void *p)
{
	const unsigned char *b = p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static inline uint64_t
get_u64be(const void *p)
{
	const unsigned char *b = p;
	return (uint64_t)get_u32be(b) << 32 | (uint64_t)get_u32be(b + 4);
}

static inline void
put_u32le(void *p, uint32_t v)
{
	unsigned char *b = p;
	for (int i = 0; i < 4; i++)
		b[i] = (unsigned char)(v >> (8 * i));
}

static inline void
put_u64le(void *p, uint64_t v)
{
	put_u32le(p, (uint32_t)v);
	put_u32le((unsigned char *)p + 4, (uint32_t)(v >> 32));
}

static inline void
put_u32be(void *p, uint32_t v)
{
	unsigned char *b = p;
	for (int i = 0; i < 4; i++)
		b[i] = (unsigned char)(v >> (24 - 8 * i));
}

static inline void
put_u64be(void *p, uint64_t v)
{
	put_u32be(p, (uint32_t)(v >> 32));
	put_u32be((unsigned char *)p + 4, (uint32_t)v);
}

/* False on overflow; *out is then undefined. */
static inline bool
size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool
size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* Lower-case hex of n bytes: writes 2n characters, no NUL. */
void hex_encode(const void *bytes, size_t n, char *out);
/* 2n hex characters (either case) to n bytes; false when one is no hex digit. */
bool hex_decode(const char *text, size_t n, void *out);
/* 16 hex characters of a u64, most significant digit first; no NUL. */
void hex_u64(uint64_t v, char out[16]);
/* Exactly 16 hex characters; false otherwise. */
bool hex_to_u64(const char *text, size_t len, uint64_t *out);

#endif
