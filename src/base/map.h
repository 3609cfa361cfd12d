/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/map.h - u64 -> u64 hash map (open addressing, linear probing, load <= 0.5).
 *
 * Any key is good, also one that somebody outside has chosen (hash_keyed_u64()); 0 is allowed. But two texts of one hash
 * are one key: the hash of a text from outside is hash_keyed_str(). Grows by doubling up to `count_max` entries (0 = no
 * limit). Threading: one owner. A zeroed struct is an empty map.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
	uint64_t key;
	uint64_t value;
};

struct map {
	struct map_entry *entries;
	unsigned char *used; /* one byte per entry */
	size_t cap; /* a power of two, or 0 */
	size_t count;
	size_t count_max;
};

void map_fini(struct map *m);
void map_clear(struct map *m); /* forget all, keep the memory */
/* The value of key, or NULL. Valid until the next map_put(). */
uint64_t *map_get(const struct map *m, uint64_t key);
/* Insert or overwrite; false when the map is full. */
bool map_put(struct map *m, uint64_t key, uint64_t value);
/* Bytes it takes. */
size_t map_bytes(const struct map *m);

#endif
