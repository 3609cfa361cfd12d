/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/bits.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

uint64_t
hash_u64(struct str s)
{
	return XXH3_64bits(s.ptr, s.len);
}

uint64_t
hash_u64_seed(struct str s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.ptr, s.len, seed);
}

struct hash128
hash_u128(struct str s)
{
	XXH128_hash_t h = XXH3_128bits(s.ptr, s.len);
	return (struct hash128){.hi = h.high64, .lo = h.low64};
}

struct hash128
hash_request(struct str tenant, uint8_t signal, struct str body)
{
	/* The tenant and the signal seed the body's hash: one pass, and no two (tenant, signal)
	 * share a seed by concatenation. */
	uint64_t seed = XXH3_64bits_withSeed(tenant.ptr, tenant.len, signal);
	XXH128_hash_t h = XXH3_128bits_withSeed(body.ptr, body.len, seed);
	return (struct hash128){.hi = h.high64, .lo = h.low64};
}

/* The one secret of the process. Digits of pi, until it is set. */
static uint64_t secret[HASH_SECRET_WORDS] = {UINT64_C(0x243F6A8885A308D3),
    UINT64_C(0x13198A2E03707345), UINT64_C(0xA4093822299F31D0), UINT64_C(0x082EFA98EC4E6C89)};

void
hash_secret_set(const uint64_t words[HASH_SECRET_WORDS])
{
	for (int i = 0; i < HASH_SECRET_WORDS; i++)
		secret[i] = words[i];
	/* The factors: an even one would lose bits. */
	secret[1] |= 1;
	secret[3] |= 1;
}

/* Both halves of the product, folded. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 p = (unsigned __int128)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Twice: after the first, who knows two keys that differ little may hope that their low bits do not differ. */
uint64_t
hash_keyed_u64(uint64_t key)
{
	return fold(fold(key ^ secret[0], secret[1]) ^ secret[2], secret[3]);
}

uint64_t
hash_keyed_u128(uint64_t hi, uint64_t lo)
{
	return fold(fold(hi ^ secret[0], lo ^ secret[1]) ^ secret[2], secret[3]);
}

uint64_t
hash_keyed_str(struct str s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.ptr, s.len, hash_keyed_u64(seed));
}

static uint32_t
crc32c_table(uint32_t crc, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc;
	for (; n >= 8; p += 8, n -= 8)
		c = _mm_crc32_u64(c, get_u64le(p));
	crc = (uint32_t)c;
	for (; n; p++, n--)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}
#endif

uint32_t
hash_crc32c(uint32_t crc, const void *bytes, size_t n)
{
	crc = ~crc;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(crc, bytes, n);
#endif
	return ~crc32c_table(crc, bytes, n);
}
