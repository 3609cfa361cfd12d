/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed: u64 count (0: nothing follows), min, max - min, sum (high, low half), number of used buckets, then for each
 * in ascending order its distance from the one before (the first: from -1, so never 0) and its count.
 */
#include "base/hist.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 32, OCTAVES = 63 }; /* of a doubling; doublings */

/* 2^(63 + k/32), rounded up. */
static const uint64_t bounds[PARTS] = {
    UINT64_C(0x8000000000000000),
    UINT64_C(0x82cd8698ac2ba1d8),
    UINT64_C(0x85aac367cc487b15),
    UINT64_C(0x88980e8092da8528),
    UINT64_C(0x8b95c1e3ea8bd6e7),
    UINT64_C(0x8ea4398b45cd53c1),
    UINT64_C(0x91c3d373ab11c337),
    UINT64_C(0x94f4efa8fef70962),
    UINT64_C(0x9837f0518db8a970),
    UINT64_C(0x9b8d39b9d54e5539),
    UINT64_C(0x9ef5326091a111ae),
    UINT64_C(0xa27043030c496819),
    UINT64_C(0xa5fed6a9b15138eb),
    UINT64_C(0xa9a15ab4ea7c0ef9),
    UINT64_C(0xad583eea42a14ac7),
    UINT64_C(0xb123f581d2ac2590),
    UINT64_C(0xb504f333f9de6485),
    UINT64_C(0xb8fbaf4762fb9eea),
    UINT64_C(0xbd08a39f580c36bf),
    UINT64_C(0xc12c4cca66709457),
    UINT64_C(0xc5672a115506dade),
    UINT64_C(0xc9b9bd866e2f27a3),
    UINT64_C(0xce248c151f8480e4),
    UINT64_C(0xd2a81d91f12ae45b),
    UINT64_C(0xd744fccad69d6af5),
    UINT64_C(0xdbfbb797daf23756),
    UINT64_C(0xe0ccdeec2a94e112),
    UINT64_C(0xe5b906e77c8348a9),
    UINT64_C(0xeac0c6e7dd24392f),
    UINT64_C(0xefe4b99bdcdaf5cc),
    UINT64_C(0xf5257d152486cc2d),
    UINT64_C(0xfa83b2db722a033b),
};

/* Of each 64th of a doubling the part that its beginning is in; it has at most one bound inside. */
static const unsigned char parts[64] = {0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9, 9, 10, 10, 11,
    12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 21, 22, 22, 23,
    23, 24, 24, 25, 25, 25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30, 30, 30, 31, 31};

unsigned
hist_bucket(uint64_t value)
{
	if (value == 0)
		return 0;
	CHECK(value <= INT64_MAX);
	unsigned zeros = (unsigned)__builtin_clzll(value);
	uint64_t mantissa = value << zeros;
	unsigned part = parts[mantissa >> 57 & 63];
	if (part + 1 < PARTS && mantissa >= bounds[part + 1])
		part++;
	return 1 + (63 - zeros) * PARTS + part;
}

double
hist_bucket_middle(unsigned bucket)
{
	if (bucket == 0)
		return 0;
	unsigned octave = (bucket - 1) / PARTS, part = (bucket - 1) % PARTS;
	double low = (double)bounds[part];
	double high = part + 1 < PARTS ? (double)bounds[part + 1] : 0x1p64;
	return ldexp((low + high) / 2, (int)octave - 63);
}

/* ---- memory */

void
hist_fini(struct hist *h)
{
	free(h->counts);
	*h = (struct hist){0};
}

static unsigned
chunks_before(const struct hist *h, unsigned chunk)
{
	unsigned n = 0;
	for (unsigned i = 0; i < chunk / 64; i++)
		n += (unsigned)__builtin_popcountll(h->used[i]);
	uint64_t below = (UINT64_C(1) << chunk % 64) - 1;
	return n + (unsigned)__builtin_popcountll(h->used[chunk / 64] & below);
}

static bool
has_chunk(const struct hist *h, unsigned chunk)
{
	return h->used[chunk / 64] >> chunk % 64 & 1;
}

static uint64_t *
add_chunk(struct hist *h, unsigned chunk, unsigned place)
{
	const size_t bytes = HIST_CHUNK * sizeof(*h->counts);
	if (h->chunks == h->chunk_cap) {
		h->chunk_cap = h->chunk_cap ? h->chunk_cap * 2 : 1;
		h->counts = xrealloc(h->counts, h->chunk_cap * bytes);
	}
	uint64_t *at = h->counts + (size_t)place * HIST_CHUNK;
	memmove(at + HIST_CHUNK, at, (h->chunks - place) * bytes);
	memset(at, 0, bytes);
	h->chunks++;
	h->used[chunk / 64] |= UINT64_C(1) << chunk % 64;
	return at;
}

static uint64_t *
counts_of(struct hist *h, unsigned chunk)
{
	unsigned place = chunks_before(h, chunk);
	if (!has_chunk(h, chunk))
		return add_chunk(h, chunk, place);
	return h->counts + (size_t)place * HIST_CHUNK;
}

size_t
hist_bytes(const struct hist *h)
{
	return (size_t)h->chunk_cap * HIST_CHUNK * sizeof(*h->counts);
}

/* ---- adding */

static void
add_count(uint64_t *to, uint64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = UINT64_MAX;
}

static void
add_sum(hist_u128 *to, hist_u128 n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = ~(hist_u128)0;
}

static void
widen(struct hist *h, uint64_t min, uint64_t max)
{
	if (h->count == 0 || min < h->min)
		h->min = min;
	if (max > h->max)
		h->max = max;
}

void
hist_add(struct hist *h, uint64_t value)
{
	unsigned bucket = hist_bucket(value);
	widen(h, value, value);
	add_count(&h->count, 1);
	add_count(&counts_of(h, bucket / HIST_CHUNK)[bucket % HIST_CHUNK], 1);
	add_sum(&h->sum, value);
}

void
hist_merge(struct hist *to, const struct hist *from)
{
	const uint64_t *in = from->counts;
	if (from->count == 0)
		return;
	CHECK(to != from);
	widen(to, from->min, from->max);
	add_count(&to->count, from->count);
	add_sum(&to->sum, from->sum);
	for (unsigned word = 0; word < sizeof(from->used) / sizeof(from->used[0]); word++)
		for (uint64_t bits = from->used[word]; bits; bits &= bits - 1) {
			unsigned chunk = word * 64 + (unsigned)__builtin_ctzll(bits);
			uint64_t *out = counts_of(to, chunk);
			for (unsigned i = 0; i < HIST_CHUNK; i++)
				add_count(&out[i], *in++);
		}
}

/* ---- asking */

double
hist_quantile(const struct hist *h, unsigned thousandths)
{
	CHECK(thousandths <= 1000);
	hist_u128 product = (hist_u128)h->count * thousandths + 999;
	uint64_t rank = (uint64_t)(product / 1000), seen = 0;
	const uint64_t *counts = h->counts;
	rank = rank > 0 ? rank : 1;
	for (unsigned chunk = 0; chunk < HIST_CHUNKS && h->count > 0; chunk++) {
		if (!has_chunk(h, chunk))
			continue;
		for (unsigned i = 0; i < HIST_CHUNK; i++) {
			add_count(&seen, *counts++);
			if (seen < rank)
				continue;
			double middle = hist_bucket_middle(chunk * HIST_CHUNK + i);
			double min = (double)h->min, max = (double)h->max;
			return middle < min ? min : middle > max ? max : middle;
		}
	}
	return 0;
}

double
hist_mean(const struct hist *h)
{
	return h->count > 0 ? (double)h->sum / (double)h->count : 0;
}

/* ---- bytes */

void
hist_pack(const struct hist *h, struct buf *out)
{
	const uint64_t *counts = h->counts;
	unsigned buckets = 0, last = UINT32_MAX;
	pack_u64(out, h->count);
	if (h->count == 0)
		return;
	pack_u64(out, h->min);
	pack_u64(out, h->max - h->min);
	pack_u64(out, (uint64_t)(h->sum >> 64));
	pack_u64(out, (uint64_t)h->sum);
	for (size_t i = 0; i < (size_t)h->chunks * HIST_CHUNK; i++)
		buckets += h->counts[i] > 0;
	pack_u64(out, buckets);
	for (unsigned chunk = 0; chunk < HIST_CHUNKS; chunk++) {
		for (unsigned i = 0; has_chunk(h, chunk) && i < HIST_CHUNK; i++, counts++) {
			unsigned bucket = chunk * HIST_CHUNK + i;
			if (*counts == 0)
				continue;
			pack_u64(out, bucket - last);
			pack_u64(out, *counts);
			last = bucket;
		}
	}
}

/* That count, extremes and buckets belong together, but for what saturated. */
static bool
unpack_buckets(struct hist *to, uint64_t count, uint64_t min, uint64_t max, struct pack_reader *r)
{
	uint64_t buckets = pack_read_max(r, HIST_BUCKETS), seen = 0;
	unsigned bucket = UINT32_MAX;
	if (buckets == 0)
		return false;
	for (uint64_t i = 0; i < buckets; i++) {
		uint64_t step = pack_read_max(r, HIST_BUCKETS), n = pack_read_u64(r);
		bucket += (unsigned)step;
		if (r->failed || step == 0 || n == 0 || bucket >= HIST_BUCKETS)
			return false;
		if ((i == 0 && bucket != hist_bucket(min)) ||
		    (i + 1 == buckets && bucket != hist_bucket(max)))
			return false;
		add_count(&seen, n);
		add_count(&counts_of(to, bucket / HIST_CHUNK)[bucket % HIST_CHUNK], n);
	}
	return seen == count;
}

bool
hist_unpack(struct hist *to, struct pack_reader *r)
{
	uint64_t count = pack_read_u64(r);
	if (count == 0)
		return !r->failed;
	uint64_t min = pack_read_max(r, INT64_MAX), max = min + pack_read_max(r, INT64_MAX);
	hist_u128 sum = (hist_u128)pack_read_u64(r) << 64;
	sum |= pack_read_u64(r);
	if (r->failed || max > INT64_MAX || !unpack_buckets(to, count, min, max, r))
		return false;
	if (count < UINT64_MAX && (sum < (hist_u128)count * min || sum > (hist_u128)count * max))
		return false;
	widen(to, min, max);
	add_count(&to->count, count);
	add_sum(&to->sum, sum);
	return true;
}
