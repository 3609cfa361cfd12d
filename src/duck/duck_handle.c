/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_handle.h"

#include "base/arena.h"
#include "base/check.h"
#include "sys/rand.h"

#include <stdlib.h>

enum { CAP_FIRST = 16 };

void
duck_handles_init(struct duck_handles *all)
{
	*all = (struct duck_handles){0};
	mutex_init(&all->lock);
}

void
duck_handles_fini(struct duck_handles *all)
{
	CHECK(all->count == 0);
	free(all->live);
	mutex_fini(&all->lock);
	*all = (struct duck_handles){0};
}

void
duck_handle_begin(struct duck_handles *all, struct duck_handle *h,
    void (*free)(struct duck_handle *h))
{
	*h = (struct duck_handle){
	    .all = all, .number = (rand_u64() >> 1) | 1, .refs = 1, .free = free};
	mutex_lock(&all->lock);
	if (all->count == all->cap) {
		all->cap = all->cap ? all->cap * 2 : CAP_FIRST;
		all->live = xrealloc(all->live, all->cap * sizeof(struct duck_handle *));
	}
	all->live[all->count++] = h;
	mutex_unlock(&all->lock);
}

struct duck_handle *
duck_handle_ref(struct duck_handles *all, uint64_t number)
{
	struct duck_handle *found = NULL;
	mutex_lock(&all->lock);
	for (size_t i = 0; i < all->count && !found; i++)
		if (all->live[i]->number == number)
			found = all->live[i];
	if (found)
		found->refs++;
	mutex_unlock(&all->lock);
	return found;
}

void
duck_handle_unref(struct duck_handle *h)
{
	mutex_lock(&h->all->lock);
	bool last = --h->refs == 0;
	mutex_unlock(&h->all->lock);
	if (last)
		h->free(h);
}

void
duck_handle_end(struct duck_handle *h)
{
	struct duck_handles *all = h->all;
	mutex_lock(&all->lock);
	for (size_t i = 0; i < all->count; i++)
		if (all->live[i] == h) {
			all->live[i] = all->live[--all->count];
			break;
		}
	mutex_unlock(&all->lock);
	duck_handle_unref(h);
}
