/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h - the hashes weir uses: XXH3 (xxhash, for identity) and CRC32C (Castagnoli
 * polynomial 0x1EDC6F41, RFC 3720 appendix B.4, for the log); and hashes with a secret in them.
 *
 * Without a secret a hash is the same in every process. Those below are in files, or are compared with what is:
 * they must stay what they are.
 *     hash_request(), hash_u128()   identities of requests, spans and comments (log, seals, letters); manifests of backups
 *     hash_u64(), hash_u64_seed()   ids of resources, scopes and series (otlp/resource.c, otlp/point.c, duck/duck_dict.c);
 *                                   filters of seals (duck_trace_hash(), duck_attr_key_hash(), base/bloom.h); sums of seals
 *                                   (partial_trace_hash(), partial_name_hash(), base/distinct.h), and which keys of a sum stay
 *                                   when there are too many (store/partial.c); the order of rows in a seal (duck_sort.c);
 *                                   cursors (ops/cursor.c, ops/query.c); states of an import (transfer/state.c)
 *     hash_crc32c()                 the log, letters
 * XXH3 is not cryptographic: whoever can choose content can choose a collision. What is keyed
 * by it is keyed by the tenant too. A filter of chosen hashes only says "perhaps" more often.
 *
 * Where something stands in a table in memory is another matter. Clients choose names and ids, and could choose them
 * so that all begin at one place: 100,000 that do take 5,000,000,000 steps to put in. So tables go by hash_keyed_*(),
 * which nobody outside can compute. Such a hash is another in the next process: it is not stored, nor sent, and nothing is
 * sorted by it. Nor does an answer depend on the order in which a table is walked through. (The names of a JSON document in
 * patch/node.c go without a secret: what they cost is counted and bounded, and the same document costs the same each time.)
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

/* ---- of tables in memory */

enum { HASH_SECRET_WORDS = 4 };

/* Random words, from a source that cannot be guessed: once, before there is a second thread or any table. Until then
 * they are constants, so that tests and fuzzers do the same each time. */
void hash_secret_set(const uint64_t words[HASH_SECRET_WORDS]);

/* Any bits of these say where the key stands: each depends on all of the key. */
uint64_t hash_keyed_u64(uint64_t key);
uint64_t hash_keyed_u128(uint64_t hi, uint64_t lo);
/* Different seeds are different hashes; that of one text may be the seed for the next. */
uint64_t hash_keyed_str(struct str s, uint64_t seed);

/* ---- of the log */

/* crc is 0 to start, or an earlier result to go on. Uses the CPU's instruction where it is. */
uint32_t hash_crc32c(uint32_t crc, const void *bytes, size_t n);

#endif
