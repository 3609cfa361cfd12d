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
 * Of the seal under way the window also has, for duck_shred_choose.c: a sample of its rows, as the
 * counters of their keys; and for each key about how many different values it has. For that a
 * quarter of all values is looked at, by their hash: how often one came, and how many of SHRED_BITS bits they
 * have set ("linear counting").
 *
 * The counters are a heap, least count first, and an open-addressing table from a keyed hash to
 * them, for keys are chosen by others.
 */
#include "duck/duck_shred_priv.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "duck/duck_json.h"

#include <stdlib.h>

#define VALUE_SEED UINT64_C(0x76616C7565) /* of no consequence to anybody: it may be known */

enum { SLOTS = SHRED_WINDOW_SLOTS, ADMIT_MAX = 64, NONE = SHRED_NO_COUNTER, VALUES_LOOKED_AT = 4 };

_Static_assert((int)SHRED_WINDOW_KEYS < (int)NONE, "places are 16 bits");
_Static_assert((int)ADMIT_MAX <= (int)SHRED_SAMPLE_KEYS, "a row that is not wide fits");

struct shred_window *
shred_window_new(void)
{
	struct shred_window *w = xcalloc(1, sizeof(*w));
	memset(w->slots, 0xFF, sizeof(w->slots));
	w->sample_stride = 1;
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
	const struct shred_counter *c = &w->counters[w->heap[heap_at]];
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

/* The slot of this key, or a free one where it would be. */
static size_t
find_slot(const struct shred_window *w, uint64_t hash, struct str key)
{
	size_t at = (size_t)hash % SLOTS;
	for (; w->slots[at] != NONE; at = (at + 1) % SLOTS) {
		const struct shred_counter *c = &w->counters[w->slots[at]];
		if (c->hash == hash && str_eq(shred_counter_key(c), key))
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
count_different(struct shred_counter *c, struct str value)
{
	uint64_t hash = hash_u64_seed(value, VALUE_SEED);
	if (hash % VALUES_LOOKED_AT != 0)
		return;
	size_t bit = (size_t)(hash >> 32) % SHRED_BITS;
	c->looked_at++;
	c->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void
count_value(struct shred_window *w, struct shred_counter *c, struct str value)
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
	if (value.len <= SHRED_SHARED_BYTES_MAX)
		c->fits++;
	count_different(c, value);
	sift_down(w, c->heap_at);
}

static struct shred_counter *
new_counter(struct shred_window *w, uint64_t hash, struct str key)
{
	uint16_t place = (uint16_t)w->count;
	uint32_t before = 0;
	if (w->count == SHRED_WINDOW_KEYS) {
		const struct shred_counter *least = &w->counters[w->heap[0]];
		place = w->heap[0];
		before = least->before + least->seen;
		free_slot(w, find_slot(w, least->hash, shred_counter_key(least)));
	} else {
		w->heap[w->count++] = place;
		w->counters[place].heap_at = place;
	}
	struct shred_counter *c = &w->counters[place];
	size_t slot = find_slot(w, hash, key);
	CHECK(w->slots[slot] == NONE);
	w->slots[slot] = place;
	c->hash = hash;
	c->row = 0;
	c->born = w->row;
	c->before = before;
	c->seen = 0;
	c->fits = 0;
	c->looked_at = 0;
	memset(c->types, 0, sizeof(c->types));
	memset(c->bits, 0, sizeof(c->bits));
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
	uint64_t hash = hash_keyed_str(m->key, 0);
	size_t slot = find_slot(w, hash, m->key);
	struct shred_counter *c = w->slots[slot] != NONE ? &w->counters[w->slots[slot]] : NULL;
	if (!c) {
		if (*admit == 0 || !duck_json_raw_is_ours(m->key) || !utf8_valid(m->key))
			return;
		--*admit;
		c = new_counter(w, hash, m->key);
	}
	bool again = c->row == w->row;
	count_value(w, c, m->value);
	struct shred_sampled *s = w->sampling;
	if (s && !again && s->count < SHRED_SAMPLE_KEYS)
		s->places[s->count++] = (uint16_t)(c - w->counters);
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

/* Rows with a number in which so many low bits are zero are in the sample: scattered, for what comes in the same
 * order again and again, as the spans of a trace do, must not be met at the same place. */
static bool
is_sampled(const struct shred_window *w, uint64_t number)
{
	return (number & (w->sample_stride - 1)) == 0;
}

/* About half of the rows that are in the sample make room. */
static void
thin_out(struct shred_window *w)
{
	size_t count = 0;
	w->sample_stride *= 2;
	for (size_t i = 0; i < w->sample_count; i++)
		if (is_sampled(w, w->sample[i].number))
			w->sample[count++] = w->sample[i];
	w->sample_count = count;
}

static void
begin_sampling(struct shred_window *w)
{
	uint64_t number = ++w->sample_seen * UINT64_C(0x9E3779B97F4A7C15);
	number ^= number >> 32;
	w->sampling = NULL;
	while (is_sampled(w, number) && w->sample_count == SHRED_SAMPLE_ROWS)
		thin_out(w);
	if (!is_sampled(w, number))
		return;
	w->sampling = &w->sample[w->sample_count++];
	w->sampling->row = w->row;
	w->sampling->number = number;
	w->sampling->count = 0;
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
	begin_sampling(w);
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
		struct shred_counter *c = &w->counters[i];
		c->before /= 2;
		c->seen /= 2;
		c->fits /= 2;
		c->looked_at = 0;
		memset(c->bits, 0, sizeof(c->bits));
		for (int t = 0; t < SHRED_TYPES; t++)
			c->types[t] /= 2;
	}
	w->sample_count = 0;
	w->sample_seen = 0;
	w->sample_stride = 1;
	/* Halves are rounded, which may change who has less. */
	for (size_t at = w->count / 2; at > 0; at--)
		sift_down(w, at - 1);
}

size_t
shred_window_find(const struct shred_window *w, struct str key)
{
	return w->slots[find_slot(w, hash_keyed_str(key, 0), key)];
}

uint64_t
shred_window_seen(const struct shred_window *w, struct str key)
{
	size_t place = shred_window_find(w, key);
	return place == NONE ? 0 : w->counters[place].seen;
}
