/* SPDX-License-Identifier: Apache-2.0 */
/* The exact set: open addressing with linear probing; a removal moves what follows back into the
 * gap, so that there are no tombstones and a search ends at the first empty entry. */
#include "ident/ident_priv.h"

#include "base/arena.h"

#include <stdlib.h>

enum { CAP_MIN = 1024 };

struct entry {
	struct hash128 key;
	uint64_t seq;
	uint32_t ord;
	bool used;
};

struct ident_set {
	struct entry *entries;
	size_t mask; /* number of entries - 1 */
	uint64_t secret;
	_Atomic size_t count, cap;
};

static size_t
count_of(const struct ident_set *s)
{
	return atomic_load_explicit(&s->count, memory_order_relaxed);
}

static void
set_count(struct ident_set *s, size_t count)
{
	atomic_store_explicit(&s->count, count, memory_order_relaxed);
}

static void
set_cap(struct ident_set *s, size_t cap)
{
	s->entries = xcalloc(cap, sizeof(*s->entries));
	s->mask = cap - 1;
	atomic_store_explicit(&s->cap, cap, memory_order_relaxed);
}

struct ident_set *
ident_set_new(void)
{
	struct ident_set *s = xcalloc(1, sizeof(*s));
	s->secret = ident_secret(s);
	set_cap(s, CAP_MIN);
	return s;
}

void
ident_set_free(struct ident_set *s)
{
	if (!s)
		return;
	free(s->entries);
	free(s);
}

static size_t
home_of(const struct ident_set *s, struct hash128 key)
{
	return (size_t)ident_mix(key, s->secret) & s->mask;
}

/* Where the key is, or else the empty entry where it would go. */
static size_t
find(const struct ident_set *s, struct hash128 key)
{
	size_t i = home_of(s, key);
	while (s->entries[i].used &&
	    (s->entries[i].key.hi != key.hi || s->entries[i].key.lo != key.lo))
		i = (i + 1) & s->mask;
	return i;
}

static void
resize(struct ident_set *s, size_t cap)
{
	struct entry *old = s->entries;
	size_t old_cap = s->mask + 1;
	CHECK(count_of(s) < cap);
	set_cap(s, cap);
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].used)
			s->entries[find(s, old[i].key)] = old[i];
	free(old);
}

bool
ident_set_has(const struct ident_set *s, struct hash128 key)
{
	return s->entries[find(s, key)].used;
}

void
ident_set_prefetch(const struct ident_set *s, struct hash128 key)
{
	__builtin_prefetch(&s->entries[home_of(s, key)], 1);
}

bool
ident_set_add(struct ident_set *s, struct hash128 key, uint64_t seq, uint32_t ord)
{
	size_t cap = s->mask + 1, i = find(s, key);
	if (s->entries[i].used)
		return false;
	if (count_of(s) >= cap / 4 * 3) {
		resize(s, 2 * cap);
		i = find(s, key);
	}
	s->entries[i] = (struct entry){.key = key, .seq = seq, .ord = ord, .used = true};
	set_count(s, count_of(s) + 1);
	return true;
}

/* Each of those behind the gap, up to the next empty entry, moves into it unless its home lies
 * between the gap and where it stands: a search for it would not reach it then. */
static void
remove_at(struct ident_set *s, size_t gap)
{
	for (size_t i = (gap + 1) & s->mask; s->entries[i].used; i = (i + 1) & s->mask) {
		size_t home = home_of(s, s->entries[i].key);
		if (((i - home) & s->mask) >= ((i - gap) & s->mask)) {
			s->entries[gap] = s->entries[i];
			gap = i;
		}
	}
	s->entries[gap] = (struct entry){0};
	set_count(s, count_of(s) - 1);
}

void
ident_set_remove(struct ident_set *s, struct hash128 key)
{
	size_t i = find(s, key);
	if (s->entries[i].used)
		remove_at(s, i);
}

void
ident_set_sweep(struct ident_set *s, bool (*gone)(void *ctx, uint64_t seq, uint32_t ord), void *ctx)
{
	/* What moves into a gap comes from behind it, and is looked at next; what comes around the end
	 * of the table has been looked at and is now once more. */
	for (size_t i = 0; i <= s->mask; i++)
		while (s->entries[i].used && gone(ctx, s->entries[i].seq, s->entries[i].ord))
			remove_at(s, i);
	/* One step at a time: what is swept is filled again soon, unless nothing comes any more. */
	size_t cap = s->mask + 1;
	if (cap > CAP_MIN && count_of(s) < cap / 8)
		resize(s, cap / 2);
}

size_t
ident_set_count(const struct ident_set *s)
{
	return count_of(s);
}

uint64_t
ident_set_bytes(const struct ident_set *s)
{
	return atomic_load_explicit(&s->cap, memory_order_relaxed) * sizeof(struct entry);
}
