/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys are frequent, in bounded memory: "space saving" (Metwally, Agrawal, El Abbadi,
 * "Efficient Computation of Frequent and Top-k Elements in Data Streams", 2005).
 *
 * There are SHRED_WINDOW_KEYS counters. A key that has none takes that of the least counted key
 * with its count: it may have come that often before without having had a counter. So `seen` is
 * how often a key came since it has its counter, and `before` how often it came earlier at most; a
 * key is never counted as fewer than it has come. The sum of all counters is the number of
 * keys that came, so the least is at most a 4,096th of it: of rows with up to 64 keys each, what
 * comes in 1.6 % of the rows or more is never the least, and stays.
 *
 * Rows may have more keys. Such a row brings at most 64 keys that have no counter, from a member
 * on that is another one for each row; keys that have one always count. A wide flood of random keys thus
 * takes no more counters than a narrow one.
 *
 * The counters are a heap, least count first, and an open-addressing table from a seeded hash to
 * them, for keys are chosen by others.
 */
#include "duck/duck_shred_priv.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "duck/duck_json.h"
#include "sys/rand.h"

#include <stdlib.h>

enum { SLOTS = 4 * SHRED_WINDOW_KEYS, ADMIT_MAX = 64, NONE = UINT16_MAX };

_Static_assert((int)SHRED_WINDOW_KEYS < (int)NONE, "places are 16 bits");

struct counter {
	uint64_t hash;
	uint64_t row; /* the last one it came in */
	uint32_t before, seen;
	uint32_t types[SHRED_TYPES]; /* of `seen`; what is missing are arrays, maps and nulls */
	uint16_t heap_at, key_len;
	char key[SHRED_KEY_BYTES_MAX];
};

struct shred_window {
	struct counter counters[SHRED_WINDOW_KEYS];
	uint16_t heap[SHRED_WINDOW_KEYS]; /* places in counters */
	uint16_t slots[SLOTS]; /* places in counters, or NONE */
	size_t count;
	uint64_t seed;
	uint64_t row; /* number of the row that is counted, from 1 */
	uint64_t rows; /* halved by age as the counters are */
};

struct shred_window *
shred_window_new(void)
{
	struct shred_window *w = xcalloc(1, sizeof(*w));
	memset(w->slots, 0xFF, sizeof(w->slots));
	w->seed = rand_u64();
	return w;
}

void
shred_window_free(struct shred_window *w)
{
	free(w);
}

/* ---- the heap */

static uint64_t
weight(const struct shred_window *w, size_t heap_at)
{
	const struct counter *c = &w->counters[w->heap[heap_at]];
	return (uint64_t)c->before + c->seen;
}

static void
put_in_heap(struct shred_window *w, size_t heap_at, uint16_t place)
{
	w->heap[heap_at] = place;
	w->counters[place].heap_at = (uint16_t)heap_at;
}

/* The counter at this place of the heap has grown: move it down. */
static void
sift_down(struct shred_window *w, size_t at)
{
	uint16_t place = w->heap[at];
	uint64_t mine = weight(w, at);
	for (size_t child; (child = 2 * at + 1) < w->count; at = child) {
		if (child + 1 < w->count && weight(w, child + 1) < weight(w, child))
			child++;
		if (mine <= weight(w, child))
			break;
		put_in_heap(w, at, w->heap[child]);
	}
	put_in_heap(w, at, place);
}

/* The counter at this place of the heap is new: move it up. */
static void
sift_up(struct shred_window *w, size_t at)
{
	uint16_t place = w->heap[at];
	uint64_t mine = weight(w, at);
	for (; at > 0 && weight(w, (at - 1) / 2) > mine; at = (at - 1) / 2)
		put_in_heap(w, at, w->heap[(at - 1) / 2]);
	put_in_heap(w, at, place);
}

/* ---- the table */

static struct str
key_of(const struct counter *c)
{
	return str_of(c->key, c->key_len);
}

/* The slot of this key, or a free one where it would be. */
static size_t
find_slot(const struct shred_window *w, uint64_t hash, struct str key)
{
	size_t at = (size_t)hash % SLOTS;
	for (; w->slots[at] != NONE; at = (at + 1) % SLOTS) {
		const struct counter *c = &w->counters[w->slots[at]];
		if (c->hash == hash && str_eq(key_of(c), key))
			break;
	}
	return at;
}

/* Free a slot and move up what stands behind it because of it. */
static void
free_slot(struct shred_window *w, size_t hole)
{
	for (size_t at = (hole + 1) % SLOTS; w->slots[at] != NONE; at = (at + 1) % SLOTS) {
		size_t home = (size_t)w->counters[w->slots[at]].hash % SLOTS;
		if ((at - home) % SLOTS < (at - hole) % SLOTS)
			continue; /* it would stand before its home */
		w->slots[hole] = w->slots[at];
		hole = at;
	}
	w->slots[hole] = NONE;
}

/* ---- counting */

static void
count_value(struct shred_window *w, struct counter *c, struct str value)
{
	if (c->row == w->row)
		return; /* the second of equal keys never goes to a column */
	c->row = w->row;
	if ((uint64_t)c->before + c->seen >= UINT32_MAX)
		return;
	enum shred_type type = shred_value_type(value);
	if (type != SHRED_TYPES)
		c->types[type]++;
	c->seen++;
	sift_down(w, c->heap_at);
}

static struct counter *
new_counter(struct shred_window *w, uint64_t hash, struct str key)
{
	uint16_t place = (uint16_t)w->count;
	uint32_t before = 0;
	if (w->count == SHRED_WINDOW_KEYS) {
		const struct counter *least = &w->counters[w->heap[0]];
		place = w->heap[0];
		before = least->before + least->seen;
		free_slot(w, find_slot(w, least->hash, key_of(least)));
	} else {
		w->heap[w->count++] = place;
		w->counters[place].heap_at = place;
	}
	struct counter *c = &w->counters[place];
	size_t slot = find_slot(w, hash, key);
	CHECK(w->slots[slot] == NONE);
	w->slots[slot] = place;
	c->hash = hash;
	c->row = 0;
	c->before = before;
	c->seen = 0;
	memset(c->types, 0, sizeof(c->types));
	c->key_len = (uint16_t)key.len;
	memcpy(c->key, key.ptr, key.len);
	sift_up(w, c->heap_at);
	return c;
}

/* Count a member; *admit is how many keys without a counter may still get one. */
static void
count_member(struct shred_window *w, const struct duck_json_member *m, unsigned *admit)
{
	if (m->key.len > SHRED_KEY_BYTES_MAX)
		return;
	uint64_t hash = hash_u64_seed(m->key, w->seed);
	size_t slot = find_slot(w, hash, m->key);
	if (w->slots[slot] != NONE) {
		count_value(w, &w->counters[w->slots[slot]], m->value);
		return;
	}
	if (*admit == 0 || !duck_json_raw_is_ours(m->key) || !utf8_valid(m->key))
		return;
	--*admit;
	count_value(w, new_counter(w, hash, m->key), m->value);
}

/* More members than are admitted: begin at another one for each row. */
static void
count_wide(struct shred_window *w, struct str json, size_t members)
{
	size_t first = (size_t)(w->row * 2654435761u % members);
	unsigned admit = ADMIT_MAX;
	for (int turn = 0; turn < 2; turn++) {
		struct duck_json j = duck_json_begin(json);
		struct duck_json_member m;
		for (size_t i = 0; duck_json_member(&j, &m); i++)
			if ((i >= first) == (turn == 0))
				count_member(w, &m, &admit);
	}
}

void
shred_window_count(struct shred_window *w, struct str json)
{
	struct duck_json j = duck_json_begin(json);
	struct duck_json_member m[ADMIT_MAX], more;
	size_t members = 0;
	unsigned admit = ADMIT_MAX;
	w->row++;
	w->rows++;
	while (members < ADMIT_MAX && duck_json_member(&j, &m[members]))
		members++;
	while (members >= ADMIT_MAX && duck_json_member(&j, &more))
		members++;
	if (members > ADMIT_MAX) {
		count_wide(w, json, members);
		return;
	}
	for (size_t i = 0; i < members; i++)
		count_member(w, &m[i], &admit);
}

void
shred_window_age(struct shred_window *w)
{
	w->rows /= 2;
	for (size_t i = 0; i < w->count; i++) {
		struct counter *c = &w->counters[i];
		c->before /= 2;
		c->seen /= 2;
		for (int t = 0; t < SHRED_TYPES; t++)
			c->types[t] /= 2;
	}
	/* Halves are rounded, which may change who has less. */
	for (size_t at = w->count / 2; at > 0; at--)
		sift_down(w, at - 1);
}

uint64_t
shred_window_seen(const struct shred_window *w, struct str key)
{
	uint16_t place = w->slots[find_slot(w, hash_u64_seed(key, w->seed), key)];
	return place == NONE ? 0 : w->counters[place].seen;
}

/* ---- choosing */

struct choice {
	const struct counter *counter;
	enum shred_type type;
	uint32_t count; /* of values of this type */
};

static struct choice
choice_of(const struct counter *c)
{
	struct choice best = {c, SHRED_TEXT, c->types[SHRED_TEXT]};
	for (int t = SHRED_TEXT + 1; t < SHRED_TYPES; t++)
		if (c->types[t] > best.count)
			best = (struct choice){c, (enum shred_type)t, c->types[t]};
	return best;
}

/* As often as it may have come; but half of that must have been seen. */
static bool
is_frequent(const struct shred_window *w, const struct choice *c)
{
	uint64_t perhaps = (uint64_t)c->count + c->counter->before;
	uint64_t enough = w->rows * SHRED_PERCENT;
	return c->count > 0 && perhaps * 100 >= enough && (uint64_t)c->count * 200 >= enough;
}

static int
compare_choices(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return str_cmp(key_of(x->counter), key_of(y->counter));
}

unsigned
shred_window_choose(const struct shred_window *w, struct shred_plan *p)
{
	unsigned before = p->count;
	size_t count = 0;
	struct choice *choices = xcalloc(SHRED_WINDOW_KEYS, sizeof(*choices));
	for (size_t i = 0; i < w->count; i++) {
		choices[count] = choice_of(&w->counters[i]);
		count += is_frequent(w, &choices[count]);
	}
	qsort(choices, count, sizeof(*choices), compare_choices);
	for (size_t i = 0; i < count && p->count < SHRED_COLUMNS; i++)
		(void)shred_plan_add(p, key_of(choices[i].counter), choices[i].type);
	free(choices);
	return p->count - before;
}
