/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed: u64 number of hashes + 1 and the hashes as words, ascending; or u64 0 and a byte for each register.
 */
#include "base/distinct.h"

#include "base/arena.h"
#include "base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, RANK_MAX = 64 - DISTINCT_BITS + 1 };

void
distinct_init(struct distinct *d, size_t exact_max)
{
	*d = (struct distinct){.exact_max = exact_max};
}

void
distinct_fini(struct distinct *d)
{
	free(d->slots);
	free(d->registers);
	*d = (struct distinct){0};
}

bool
distinct_is_exact(const struct distinct *d)
{
	return !d->registers;
}

size_t
distinct_bytes(const struct distinct *d)
{
	return (d->slots ? (d->mask + 1) * sizeof(*d->slots) : 0) +
	    (d->registers ? DISTINCT_REGISTERS : 0);
}

/* ---- registers */

static void
note(struct distinct *d, uint64_t hash)
{
	uint64_t rest = hash << DISTINCT_BITS;
	unsigned rank = rest ? (unsigned)__builtin_clzll(rest) + 1 : RANK_MAX;
	unsigned char *at = &d->registers[hash >> (64 - DISTINCT_BITS)];
	if (*at < rank)
		*at = (unsigned char)rank;
}

static void
give_up_exactness(struct distinct *d)
{
	uint64_t *slots = d->slots;
	size_t count = slots ? d->mask + 1 : 0;
	d->registers = xcalloc(DISTINCT_REGISTERS, 1);
	for (size_t i = 0; i < count; i++)
		if (slots[i] != 0)
			note(d, slots[i]);
	free(slots);
	d->slots = NULL;
	d->mask = d->count = 0;
}

/* ---- the set */

static size_t
find(const struct distinct *d, uint64_t hash)
{
	size_t at = (size_t)hash_keyed_u64(hash) & d->mask;
	while (d->slots[at] != 0 && d->slots[at] != hash)
		at = (at + 1) & d->mask;
	return at;
}

static void
grow(struct distinct *d)
{
	uint64_t *old = d->slots;
	size_t count = old ? d->mask + 1 : 0, slots = count ? count * 2 : SLOTS_MIN;
	d->slots = xcalloc(slots, sizeof(*d->slots));
	d->mask = slots - 1;
	for (size_t i = 0; i < count; i++)
		if (old[i] != 0)
			d->slots[find(d, old[i])] = old[i];
	free(old);
}

void
distinct_add(struct distinct *d, uint64_t hash)
{
	hash = hash ? hash : 1;
	if (d->registers) {
		note(d, hash);
		return;
	}
	if (!d->slots || d->count + 1 > (d->mask + 1) / 2)
		grow(d);
	size_t at = find(d, hash);
	if (d->slots[at] != 0)
		return;
	if (d->count == d->exact_max) {
		give_up_exactness(d);
		note(d, hash);
		return;
	}
	d->slots[at] = hash;
	d->count++;
}

static void
merge_registers(struct distinct *to, const unsigned char *registers)
{
	if (!to->registers)
		give_up_exactness(to);
	for (size_t i = 0; i < DISTINCT_REGISTERS; i++)
		if (registers[i] > to->registers[i])
			to->registers[i] = registers[i];
}

void
distinct_merge(struct distinct *to, const struct distinct *from)
{
	CHECK(to != from);
	CHECK(to->exact_max == from->exact_max);
	if (from->registers) {
		merge_registers(to, from->registers);
		return;
	}
	for (size_t i = 0; from->slots && i <= from->mask; i++)
		if (from->slots[i] != 0)
			distinct_add(to, from->slots[i]);
}

/* ---- counting: Ertl's algorithm 6 */

/* 1 - x + .. for the registers that have reached their end. */
static double
tau(double x)
{
	double y = 1, z = 1 - x, before;
	if (x <= 0 || x >= 1)
		return 0;
	do {
		x = sqrt(x);
		before = z;
		y /= 2;
		z -= (1 - x) * (1 - x) * y;
	} while (z != before);
	return z / 3;
}

/* x + .. for those that are empty. */
static double
sigma(double x)
{
	double y = 1, z = x, before;
	if (x >= 1)
		return INFINITY;
	do {
		x *= x;
		before = z;
		z += x * y;
		y *= 2;
	} while (z != before);
	return z;
}

uint64_t
distinct_count(const struct distinct *d)
{
	double counts[RANK_MAX + 1] = {0}, m = DISTINCT_REGISTERS;
	if (!d->registers)
		return d->count;
	for (size_t i = 0; i < DISTINCT_REGISTERS; i++)
		counts[d->registers[i]]++;
	double z = m * tau(1 - counts[RANK_MAX] / m);
	for (int rank = RANK_MAX - 1; rank >= 1; rank--)
		z = (z + counts[rank]) / 2;
	z += m * sigma(counts[0] / m);
	double estimate = m * m / (2 * log(2) * z);
	return estimate < 0x1p63 ? (uint64_t)llround(estimate) : UINT64_MAX;
}

/* ---- bytes */

static int
ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

void
distinct_pack(const struct distinct *d, struct buf *out)
{
	if (d->registers) {
		pack_u64(out, 0);
		buf_append(out, d->registers, DISTINCT_REGISTERS);
		return;
	}
	size_t n = 0;
	uint64_t *sorted = xcalloc(d->count + 1, sizeof(*sorted));
	for (size_t i = 0; d->slots && i <= d->mask; i++)
		if (d->slots[i] != 0)
			sorted[n++] = d->slots[i];
	CHECK(n == d->count);
	qsort(sorted, n, sizeof(*sorted), ascending);
	pack_u64(out, n + 1);
	for (size_t i = 0; i < n; i++)
		pack_word(out, sorted[i]);
	free(sorted);
}

static bool
unpack_registers(struct distinct *to, struct pack_reader *r)
{
	struct str bytes = pack_read_bytes(r, DISTINCT_REGISTERS);
	if (r->failed)
		return false;
	for (size_t i = 0; i < bytes.len; i++)
		if ((unsigned char)bytes.ptr[i] > RANK_MAX)
			return false;
	const void *registers = bytes.ptr;
	merge_registers(to, registers);
	return true;
}

bool
distinct_unpack(struct distinct *to, struct pack_reader *r)
{
	uint64_t n = pack_read_max(r, (uint64_t)to->exact_max + 1), before = 0;
	if (r->failed)
		return false;
	if (n == 0)
		return unpack_registers(to, r);
	for (uint64_t i = 1; i < n; i++) {
		uint64_t hash = pack_read_word(r);
		if (r->failed || hash <= before)
			return false;
		distinct_add(to, hash);
		before = hash;
	}
	return true;
}
