/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ident/ident.h - what has been seen before: spans, comments and requests, in bounded memory.
 *
 * Spans. Every span's identity goes into a filter, which may say "perhaps" of one it never saw (1 in
 * 1,000 with ten million in it) and never "no" of one it did; so "no" is certain, and cheap. Spans of the hot tail are
 * also in an exact set (128-bit hashes of tenant, trace id and span id), so that "perhaps" is
 * decided without looking at rows for what is not in the files. What only the filter knows is
 * looked up in the files by the caller.
 *
 * The filter is a chain of cuckoo filters (Fan, Andersen, Kaminsky, Mitzenmacher, "Cuckoo Filter:
 * Practically Better Than Bloom", CoNEXT 2014), four 16-bit tags a bucket: the first of 64 KiB, each
 * twice the size of the one before it, because such a filter cannot grow in place, but none larger
 * than a quarter of the memory there is. When that is used up the oldest of the chain are forgotten
 * and counted: their spans are then no longer recognised by this. A full one is wrong about 1 in
 * 9,000 keys, so the chain about as many times that as it has filters. Two to four bytes a key.
 *
 * Requests. The 128-bit identities of the newest requests with the seq each was applied under, up to a
 * number and an age; the oldest are forgotten first.
 *
 * Threading: one owner, the loader; the gauges may be read by any thread.
 */
#ifndef IDENT_IDENT_H
#define IDENT_IDENT_H

#include "base/err.h"
#include "base/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash128 ident_span(struct str tenant, uint64_t trace_hi, uint64_t trace_lo,
    uint64_t span_id);

struct hash128 ident_comment(struct str tenant, struct str id);

/* ---- the filter */

struct ident_filter;

struct ident_filter *ident_filter_new(uint64_t bytes_max); /* at least 64 KiB */
void ident_filter_free(struct ident_filter *f);
/* Add keys that are not known to be in it; adding one twice only costs room. */
void ident_filter_add(struct ident_filter *f, const struct hash128 *keys, size_t count);
/* perhaps[i] is whether keys[i] may have been added. Many at once are much cheaper than one by
 * one, because memory is waited for together. */
void ident_filter_test(const struct ident_filter *f, const struct hash128 *keys, size_t count,
    bool *perhaps);
uint64_t ident_filter_bytes(const struct ident_filter *f);
uint64_t ident_filter_count(const struct ident_filter *f); /* keys in it */
uint64_t ident_filter_forgotten(const struct ident_filter *f); /* keys that were in it */

/* ---- the exact set of the hot tail */

struct ident_set; /* grows as needed; what bounds it is the hot tail's own limit */

struct ident_set *ident_set_new(void);
void ident_set_free(struct ident_set *s);
bool ident_set_has(const struct ident_set *s, struct hash128 key);
/* Ask for the memory that the next call with this key will look at: worth it some keys ahead. */
void ident_set_prefetch(const struct ident_set *s, struct hash128 key);
/* False when it is there already, and stays as it was. */
bool ident_set_add(struct ident_set *s, struct hash128 key, uint64_t seq, uint32_t ord);
/* Take back what an append that failed has added. */
void ident_set_remove(struct ident_set *s, struct hash128 key);
/* Forget those for which `gone` says so (they are in the files now); it may be asked twice of one.
 * Looks at everything, 25 ns a key: call it when about half are gone. Halves the memory when
 * little is left in it. */
void ident_set_sweep(struct ident_set *s, bool (*gone)(void *ctx, uint64_t seq, uint32_t ord),
    void *ctx);
size_t ident_set_count(const struct ident_set *s);
uint64_t ident_set_bytes(const struct ident_set *s);

/* ---- requests */

struct ident_request {
	struct hash128 identity;
	uint64_t seq;
	uint64_t received_ns; /* unix time */
};

struct ident_requests;

struct ident_requests *ident_requests_new(size_t count_max, uint64_t age_max_ns);
void ident_requests_free(struct ident_requests *r);
/* The seq it was applied under; 0: not known. */
uint64_t ident_requests_find(const struct ident_requests *r, struct hash128 identity);
/* By ascending seq, equal ones too. Of one that is known the first seq stays, whatever the new one. */
void ident_requests_add(struct ident_requests *r, const struct ident_request *request);
/* Forget what was received more than age_max_ns before now, in the order of seq: what stands behind
 * a younger one (the clock was put back) stays as long as that. */
void ident_requests_expire(struct ident_requests *r, uint64_t now_unix_ns);
/* Those with a seq beyond `after_seq`, by ascending seq, until `each` says false. */
void ident_requests_since(const struct ident_requests *r, uint64_t after_seq,
    bool (*each)(void *ctx, const struct ident_request *request), void *ctx);
/* Any thread: those of smaller seqs are forgotten; 0: there is none. */
uint64_t ident_requests_oldest(const struct ident_requests *r);
size_t ident_requests_count(const struct ident_requests *r);
uint64_t ident_requests_bytes(const struct ident_requests *r);
uint64_t ident_requests_forgotten(const struct ident_requests
        *r); /* for their number, not their age */

#endif
