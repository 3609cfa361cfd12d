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

uint64_t
latency_quantile(struct latency *l, double share)
{
	CHECK(l->count > 0);
	CHECK(share >= 0 && share <= 1);
	if (!l->sorted)
		qsort(l->ns, l->count, sizeof(*l->ns), by_value);
	l->sorted = true;
	size_t rank = (size_t)ceil(share * (double)l->count);
	if (rank == 0)
		rank = 1;
	return l->ns[(rank < l->count ? rank : l->count) - 1];
}
