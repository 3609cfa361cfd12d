/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency.h"

#include "base/arena.h"

#include <math.h>
#include <stdlib.h>

static void
make_room(struct latency *l, size_t more)
{
	size_t cap = l->cap ? l->cap : 1024;
	while (cap - l->count < more)
		cap *= 2;
	if (cap != l->cap)
		l->ns = xrealloc(l->ns, cap * sizeof(*l->ns));
	l->cap = cap;
}

void
latency_add(struct latency *l, uint64_t ns)
{
	make_room(l, 1);
	l->ns[l->count++] = ns;
	l->sorted = false;
}

void
latency_merge(struct latency *into, const struct latency *from)
{
	if (from->count == 0)
		return;
	make_room(into, from->count);
	memcpy(into->ns + into->count, from->ns, from->count * sizeof(*from->ns));
	into->count += from->count;
	into->sorted = false;
}

void
latency_clear(struct latency *l)
{
	l->count = 0;
}

void
latency_fini(struct latency *l)
{
	free(l->ns);
	*l = (struct latency){0};
}

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

bool
latency_quantile_with(struct latency *l, uint64_t missing, double share, uint64_t *ns_out)
{
	CHECK(share >= 0 && share <= 1);
	if (l->count == 0)
		return false;
	if (!l->sorted)
		qsort(l->ns, l->count, sizeof(*l->ns), by_value);
	l->sorted = true;
	uint64_t all = l->count + missing;
	uint64_t rank = (uint64_t)ceil(share * (double)all);
	if (rank == 0)
		rank = 1;
	if (rank > all)
		rank = all;
	if (rank > l->count)
		return false;
	*ns_out = l->ns[rank - 1];
	return true;
}

uint64_t
latency_quantile(struct latency *l, double share)
{
	uint64_t ns = 0;
	CHECK(l->count > 0);
	CHECK(latency_quantile_with(l, 0, share, &ns));
	return ns;
}
