/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h - the hashes weir uses: XXH3 (xxhash, for identity) and CRC32C (Castagnoli
 * polynomial 0x1EDC6F41, RFC 3720 appendix B.4, for the log).
 *
 * XXH3 is not cryptographic: whoever can choose content can choose a collision. What is keyed
 * by it is keyed by the tenant too.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

struct hash128 {
	uint64_t hi, lo;
};

uint64_t hash_u64(struct str s);
uint64_t hash_u64_seed(struct str s, uint64_t seed);
struct hash128 hash_u128(struct str s);
/* The same of bytes that come in pieces. Ending it frees it. */
struct hash_stream;
struct hash_stream *hash_stream_new(void);
void hash_stream_add(struct hash_stream *h, const void *bytes, size_t n);
struct hash128 hash_stream_end(struct hash_stream *h);
/* Of (tenant, signal, body): the identity of a request. */
struct hash128 hash_request(struct str tenant, uint8_t signal, struct str body);

/* crc is 0 to start, or an earlier result to go on. Uses the CPU's instruction where it is. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
