/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_shred_priv.h - what taking apart and putting together share: a list of members and how
 * it is sorted by key; and numbers and types as typed JSON writes them.
 */
#ifndef DUCK_DUCK_SHRED_PRIV_H
#define DUCK_DUCK_SHRED_PRIV_H

#include "duck/duck_shred.h"

#include "base/check.h"

/* A map with more members is not taken apart: it stays in the rest. */
enum { SHRED_MEMBERS_MAX = 4096, SHRED_MEMBERS_NEAR = 64, SHRED_NOT_A_COLUMN = -1 };

/* The character that stands for place 0 in an order. */
enum { SHRED_ORDER_FIRST = 0x21 };

struct shred_member {
	uint64_t head; /* shred_key_head(key) */
	struct str key, value; /* as they stand in the JSON */
	int column; /* place in the plan or in the values, or SHRED_NOT_A_COLUMN */
	bool plain; /* see struct duck_json_member */
	bool taken; /* by the order that is being checked */
};

/* The first eight bytes of a key, so that where they differ they compare as the keys do. */
uint64_t shred_key_head(struct str key);
/* Put the places 0 .. count - 1 into `sorted`, by key, equal keys as they are; `scratch` has as
 * many places. False when that changed nothing: they were sorted. */
bool shred_sort(const struct shred_member *m, uint32_t *sorted, uint32_t *scratch, size_t count);

/* The type of a value by its first bytes; SHRED_TYPES for an array, a map or null. */
enum shred_type shred_value_type(struct str value);
/* Read a value of this type; false when writing it again would not give the same bytes, or when it
 * has another type. Text with escapes goes to *unescaped, which has value.len bytes; it may be NULL
 * when there is no backslash in the value. */
bool shred_value_read(struct str value, enum shred_type type, char *unescaped,
    struct shred_value *out);

/* ---- the window: duck_shred_window.c counts, duck_shred_choose.c chooses */

enum {
	SHRED_WINDOW_SLOTS = 4 * SHRED_WINDOW_KEYS,
	SHRED_NO_COUNTER = UINT16_MAX,
	SHRED_SAMPLE_ROWS = 512,
	SHRED_SAMPLE_KEYS = 64, /* of a row */
	SHRED_BITS = 512,
};

struct shred_counter {
	uint64_t hash;
	uint64_t row; /* the last one it came in */
	uint64_t born; /* the row for which the key got its counter */
	uint32_t before, seen;
	uint32_t types[SHRED_TYPES]; /* of `seen`; what is missing are arrays, maps and nulls */
	uint32_t fits; /* of `seen`: values that a shared column takes */
	uint32_t looked_at; /* values that are in `bits`, with repeats */
	uint64_t bits[SHRED_BITS / 64];
	uint16_t heap_at, key_len;
	char key[SHRED_KEY_BYTES_MAX];
};

/* A row of the sample. Where a place's counter was born later, its key was another one. */
struct shred_sampled {
	uint64_t row, number;
	uint16_t count;
	uint16_t places[SHRED_SAMPLE_KEYS]; /* each once */
};

struct shred_window {
	struct shred_counter counters[SHRED_WINDOW_KEYS];
	uint16_t heap[SHRED_WINDOW_KEYS]; /* places in counters */
	uint16_t slots[SHRED_WINDOW_SLOTS]; /* places in counters, or SHRED_NO_COUNTER */
	size_t count;
	uint64_t row; /* number of the row that is counted, from 1 */
	uint64_t rows; /* halved by age as the counters are */
	struct shred_sampled sample[SHRED_SAMPLE_ROWS]; /* one in sample_stride of the seal's */
	struct shred_sampled *sampling; /* the row that is counted, if it is one of them */
	size_t sample_count;
	uint64_t sample_seen, sample_stride;
};

static inline struct str
shred_counter_key(const struct shred_counter *c)
{
	return str_of(c->key, c->key_len);
}

/* Place of the key's counter, or SHRED_NO_COUNTER. */
size_t shred_window_find(const struct shred_window *w, struct str key);
/* In how many of the rows counted a key was seen, at least. For tests. */
uint64_t shred_window_seen(const struct shred_window *w, struct str key);

#endif
