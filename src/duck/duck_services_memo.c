/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_services.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* ---- sets of pairs: open addressing, at most three quarters full */

enum { SLOTS_MIN = 1024 };

static inline size_t
slot_of(const struct duck_pair_set *s, uint64_t pair)
{
	return (size_t)hash_keyed_u64(pair) & s->mask;
}

static inline size_t
find(const struct duck_pair_set *s, uint64_t pair)
{
	size_t at = slot_of(s, pair);
	while (s->slots[at] != 0 && s->slots[at] != pair)
		at = (at + 1) & s->mask;
	return at;
}

void
duck_pair_reserve(struct duck_pair_set *s, size_t more)
{
	size_t old = s->slots ? s->mask + 1 : 0, slots = old ? old : SLOTS_MIN;
	while (slots / 4 * 3 < s->count + more)
		slots *= 2;
	if (slots == old)
		return;
	uint64_t *from = s->slots;
	s->slots = xcalloc(slots, sizeof(*s->slots));
	s->mask = slots - 1;
	for (size_t i = 0; i < old; i++)
		if (from[i] != 0)
			s->slots[find(s, from[i])] = from[i];
	free(from);
}

void
duck_pair_add_soon(const struct duck_pair_set *s, uint64_t pair)
{
	__builtin_prefetch(&s->slots[slot_of(s, pair)], 1);
}

bool
duck_pair_add(struct duck_pair_set *s, uint64_t pair)
{
	size_t at = find(s, pair);
	if (s->slots[at] != 0)
		return false;
	s->slots[at] = pair;
	s->count++;
	return true;
}

bool
duck_pair_has(const struct duck_pair_set *s, uint64_t pair)
{
	return s->slots && s->slots[find(s, pair)] != 0;
}

void
duck_pair_clear(struct duck_pair_set *s)
{
	if (s->count > 0)
		memset(s->slots, 0, (s->mask + 1) * sizeof(*s->slots));
	s->count = 0;
}

void
duck_pair_fini(struct duck_pair_set *s)
{
	free(s->slots);
	*s = (struct duck_pair_set){0};
}

/* ---- what was counted before */

void
duck_memo_init(struct duck_memo_slot *slot)
{
	*slot = (struct duck_memo_slot){0};
	mutex_init(&slot->lock);
}

void
duck_memo_fini(struct duck_memo_slot *slot)
{
	duck_memo_free(slot->memo);
	mutex_fini(&slot->lock);
}

void
duck_memo_free(struct duck_services_memo *memo)
{
	if (!memo)
		return;
	duck_pair_fini(&memo->pairs);
	duck_service_list_fini(&memo->services);
	buf_fini(&memo->gens);
	arena_fini(&memo->names);
	free(memo);
}

static struct duck_services_memo *
swap(struct duck_memo_slot *slot, struct duck_services_memo *memo)
{
	mutex_lock(&slot->lock);
	struct duck_services_memo *old = slot->memo;
	slot->memo = memo;
	mutex_unlock(&slot->lock);
	return old;
}

static bool
serves(const struct duck_services_memo *m, struct str tenant, const uint64_t *gens, size_t count)
{
	return m && str_eq(m->tenant, tenant) && m->gens.len <= count * sizeof(*gens) &&
	    memcmp(m->gens.ptr, gens, m->gens.len) == 0;
}

struct duck_services_memo *
duck_memo_take(struct duck_memo_slot *slot, struct str tenant, const uint64_t *gens,
    size_t gen_count)
{
	struct duck_services_memo *memo = swap(slot, NULL);
	if (serves(memo, tenant, gens, gen_count))
		return memo;
	duck_memo_free(memo);
	memo = xcalloc(1, sizeof(*memo));
	memo->tenant = arena_str(&memo->names, tenant);
	return memo;
}

void
duck_memo_give(struct duck_memo_slot *slot, struct duck_services_memo *memo, uint64_t now_ns)
{
	memo->used_ns = now_ns;
	if (memo->pairs.count > DUCK_MEMO_PAIRS_MAX)
		duck_memo_free(memo);
	else
		duck_memo_free(swap(slot, memo));
}

void
duck_memo_drop(struct duck_memo_slot *slot)
{
	duck_memo_free(swap(slot, NULL));
}

void
duck_memo_tidy(struct duck_memo_slot *slot, uint64_t now_ns)
{
	struct duck_services_memo *idle = NULL;
	mutex_lock(&slot->lock);
	if (slot->memo && now_ns > slot->memo->used_ns &&
	    now_ns - slot->memo->used_ns > DUCK_MEMO_IDLE_NS) {
		idle = slot->memo;
		slot->memo = NULL;
	}
	mutex_unlock(&slot->lock);
	duck_memo_free(idle);
}
