/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash_stream.c - the part of base/hash.h for bytes that come in pieces. */
#include "base/hash.h"

#include "base/check.h"

#include <stdlib.h>

/* Without optimisation gcc does not inline all that it says must be. */
#define XXH_NO_INLINE_HINTS 1
#define XXH_INLINE_ALL
#include <xxhash.h>

struct hash_stream {
	XXH3_state_t state;
};

struct hash_stream *
hash_stream_new(void)
{
	struct hash_stream *h = aligned_alloc(_Alignof(struct hash_stream), sizeof(*h));
	CHECK(h != NULL);
	XXH_errorcode bad = XXH3_128bits_reset(&h->state);
	CHECK(bad == XXH_OK);
	return h;
}

void
hash_stream_add(struct hash_stream *h, const void *bytes, size_t n)
{
	XXH_errorcode bad = XXH3_128bits_update(&h->state, bytes, n);
	CHECK(bad == XXH_OK);
}

struct hash128
hash_stream_end(struct hash_stream *h)
{
	XXH128_hash_t v = XXH3_128bits_digest(&h->state);
	free(h);
	return (struct hash128){.hi = v.high64, .lo = v.low64};
}
