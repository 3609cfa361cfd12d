/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: a ring in order of seq, and open addressing from identities to places in it. */
#include "ident/ident_priv.h"

#include "base/arena.h"

#include <stdlib.h>

enum { RING_MIN = 256, INDEX_FACTOR = 2 };

struct ident_requests {
	struct ident_request *ring;
	size_t ring_mask; /* places - 1 */
	size_t oldest; /* place of the first one */
	uint32_t *index; /* place + 1; 0: empty */
	size_t index_mask;
	uint64_t secret;
	size_t count_max;
	uint64_t age_max_ns;
	uint64_t last_seq;
	_Atomic size_t count, ring_cap;
	_Atomic uint64_t forgotten, oldest_seq;
};

static size_t
count_of(const struct ident_requests *r)
{
	return atomic_load_explicit(&r->count, memory_order_relaxed);
}

static void
set_count(struct ident_requests *r, size_t count)
{
	atomic_store_explicit(&r->count, count, memory_order_relaxed);
}

static void
set_cap(struct ident_requests *r, size_t cap)
{
	r->ring = xcalloc(cap, sizeof(*r->ring));
	r->ring_mask = cap - 1;
	r->index = xcalloc(INDEX_FACTOR * cap, sizeof(*r->index));
	r->index_mask = INDEX_FACTOR * cap - 1;
	atomic_store_explicit(&r->ring_cap, cap, memory_order_relaxed);
}

struct ident_requests *
ident_requests_new(size_t count_max, uint64_t age_max_ns)
{
	CHECK(count_max > 0);
	CHECK(count_max <= UINT32_MAX / 2);
	struct ident_requests *r = xcalloc(1, sizeof(*r));
	r->count_max = count_max;
	r->age_max_ns = age_max_ns;
	r->secret = ident_secret(r);
	set_cap(r, RING_MIN);
	return r;
}

void
ident_requests_free(struct ident_requests *r)
{
	if (!r)
		return;
	free(r->ring);
	free(r->index);
	free(r);
}

static const struct ident_request *
nth(const struct ident_requests *r, size_t n)
{
	return &r->ring[(r->oldest + n) & r->ring_mask];
}

static size_t
home_of(const struct ident_requests *r, struct hash128 identity)
{
	return (size_t)ident_mix(identity, r->secret) & r->index_mask;
}

/* Where in the index the identity is, or else the empty place where it would go. */
static size_t
find(const struct ident_requests *r, struct hash128 identity)
{
	size_t i = home_of(r, identity);
	for (; r->index[i] != 0; i = (i + 1) & r->index_mask) {
		const struct hash128 *at = &r->ring[r->index[i] - 1].identity;
		if (at->hi == identity.hi && at->lo == identity.lo)
			break;
	}
	return i;
}

uint64_t
ident_requests_find(const struct ident_requests *r, struct hash128 identity)
{
	uint32_t place = r->index[find(r, identity)];
	return place == 0 ? 0 : r->ring[place - 1].seq;
}

/* As in the set: what follows moves back, so that a search ends at the first empty place. */
static void
unindex(struct ident_requests *r, struct hash128 identity)
{
	size_t gap = find(r, identity);
	CHECK(r->index[gap] != 0);
	for (size_t i = (gap + 1) & r->index_mask; r->index[i] != 0; i = (i + 1) & r->index_mask) {
		size_t home = home_of(r, r->ring[r->index[i] - 1].identity);
		if (((i - home) & r->index_mask) >= ((i - gap) & r->index_mask)) {
			r->index[gap] = r->index[i];
			gap = i;
		}
	}
	r->index[gap] = 0;
}

static void
note_oldest(struct ident_requests *r)
{
	atomic_store_explicit(&r->oldest_seq, count_of(r) > 0 ? nth(r, 0)->seq : 0,
	    memory_order_relaxed);
}

static void
forget_oldest(struct ident_requests *r)
{
	unindex(r, nth(r, 0)->identity);
	r->oldest = (r->oldest + 1) & r->ring_mask;
	set_count(r, count_of(r) - 1);
	note_oldest(r);
}

static void
put(struct ident_requests *r, const struct ident_request *request)
{
	size_t place = (r->oldest + count_of(r)) & r->ring_mask;
	r->ring[place] = *request;
	r->index[find(r, request->identity)] = (uint32_t)place + 1;
	set_count(r, count_of(r) + 1);
	note_oldest(r);
}

static void
grow(struct ident_requests *r)
{
	struct ident_requests old = {
	    .ring = r->ring, .ring_mask = r->ring_mask, .oldest = r->oldest};
	size_t count = count_of(r);
	free(r->index);
	set_cap(r, 2 * (old.ring_mask + 1));
	r->oldest = 0;
	set_count(r, 0);
	for (size_t n = 0; n < count; n++)
		put(r, nth(&old, n));
	free(old.ring);
}

void
ident_requests_add(struct ident_requests *r, const struct ident_request *request)
{
	CHECK(request->seq > 0);
	if (ident_requests_find(r, request->identity) != 0)
		return;
	CHECK(request->seq >= r->last_seq);
	r->last_seq = request->seq;
	if (count_of(r) == r->count_max) {
		forget_oldest(r);
		atomic_fetch_add_explicit(&r->forgotten, 1, memory_order_relaxed);
	}
	if (count_of(r) > r->ring_mask)
		grow(r);
	put(r, request);
}

void
ident_requests_expire(struct ident_requests *r, uint64_t now_unix_ns)
{
	if (now_unix_ns < r->age_max_ns)
		return;
	while (count_of(r) > 0 && nth(r, 0)->received_ns < now_unix_ns - r->age_max_ns)
		forget_oldest(r);
}

void
ident_requests_since(const struct ident_requests *r, uint64_t after_seq,
    bool (*each)(void *ctx, const struct ident_request *request), void *ctx)
{
	size_t count = count_of(r), from = 0, to = count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (nth(r, middle)->seq > after_seq)
			to = middle;
		else
			from = middle + 1;
	}
	for (size_t n = from; n < count && each(ctx, nth(r, n)); n++)
		;
}

uint64_t
ident_requests_oldest(const struct ident_requests *r)
{
	return atomic_load_explicit(&r->oldest_seq, memory_order_relaxed);
}

size_t
ident_requests_count(const struct ident_requests *r)
{
	return count_of(r);
}

uint64_t
ident_requests_bytes(const struct ident_requests *r)
{
	return atomic_load_explicit(&r->ring_cap, memory_order_relaxed) *
	    (sizeof(*r->ring) + INDEX_FACTOR * sizeof(*r->index));
}

uint64_t
ident_requests_forgotten(const struct ident_requests *r)
{
	return atomic_load_explicit(&r->forgotten, memory_order_relaxed);
}
