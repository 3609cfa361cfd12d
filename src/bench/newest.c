/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/newest.h"

#include <string.h>

bool
newest_wants(const struct newest *n, uint64_t time_ns)
{
	return n->count < NEWEST_MAX || time_ns > n->items[NEWEST_MAX - 1].time_ns;
}

void
newest_offer(struct newest *n, struct newest_item item)
{
	size_t at = n->count;
	n->total++;
	if (!newest_wants(n, item.time_ns))
		return;
	while (at > 0 && n->items[at - 1].time_ns < item.time_ns)
		at--;
	if (n->count < NEWEST_MAX)
		n->count++;
	memmove(&n->items[at + 1], &n->items[at], (n->count - at - 1) * sizeof(n->items[0]));
	n->items[at] = item;
}
