/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>

enum { MAP_FIRST_CAP = 64 };

void
map_fini(struct map *m)
{
	if (!m)
		return;
	free(m->entries);
	free(m->used);
	*m = (struct map){.count_max = m->count_max};
}

void
map_clear(struct map *m)
{
	if (m->used)
		memset(m->used, 0, m->cap);
	m->count = 0;
}

/* Index of the key's entry, or of the free one where it would go. */
static size_t
find_slot(const struct map *m, uint64_t key)
{
	CHECK(m->entries != NULL);
	CHECK(m->used != NULL);
	size_t i = (size_t)hash_keyed_u64(key) & (m->cap - 1);
	while (m->used[i] && m->entries[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

uint64_t *
map_get(const struct map *m, uint64_t key)
{
	if (m->cap == 0)
		return NULL;
	size_t i = find_slot(m, key);
	return m->used[i] ? &m->entries[i].value : NULL;
}

static void
grow(struct map *m)
{
	struct map old = *m;
	CHECK(old.cap == 0 || (old.entries != NULL && old.used != NULL));
	m->cap = old.cap ? old.cap * 2 : MAP_FIRST_CAP;
	m->entries = xcalloc(m->cap, sizeof(*m->entries));
	m->used = xcalloc(m->cap, 1);
	for (size_t i = 0; i < old.cap; i++) {
		if (!old.used[i])
			continue;
		size_t to = find_slot(m, old.entries[i].key);
		m->entries[to] = old.entries[i];
		m->used[to] = 1;
	}
	free(old.entries);
	free(old.used);
}

bool
map_put(struct map *m, uint64_t key, uint64_t value)
{
	uint64_t *there = map_get(m, key);
	if (there) {
		*there = value;
		return true;
	}
	if (m->count_max && m->count >= m->count_max)
		return false;
	if ((m->count + 1) * 2 > m->cap)
		grow(m);
	CHECK(m->entries != NULL);
	size_t i = find_slot(m, key);
	CHECK(!m->used[i]);
	m->entries[i] = (struct map_entry){key, value};
	m->used[i] = 1;
	m->count++;
	return true;
}

size_t
map_bytes(const struct map *m)
{
	return m->cap * (sizeof(*m->entries) + 1);
}
