/* SPDX-License-Identifier: Apache-2.0 */
#include "promql/eval.h"

#include "base/hash.h"

#include <stdlib.h>

static const struct str name_label = STR_INIT("__name__");

static uint64_t
hash_labels(const struct promql_label *items, size_t count)
{
	uint64_t h = 0;
	for (size_t i = 0; i < count; i++)
		h = hash_keyed_str(items[i].value, hash_keyed_str(items[i].name, h));
	return h;
}

struct str
promql_label_get(const struct promql_labels *l, struct str name)
{
	for (size_t i = 0; i < l->count; i++)
		if (str_eq(l->items[i].name, name))
			return l->items[i].value;
	return STR("");
}

/* Stable: of equal names the later one stays behind. */
static void
sort_labels(struct promql_label *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct promql_label l = items[i];
		size_t k = i;
		for (; k > 0 && str_cmp(items[k - 1].name, l.name) > 0; k--)
			items[k] = items[k - 1];
		items[k] = l;
	}
}

struct promql_labels
promql_labels_make(struct promql_label *items, size_t count)
{
	size_t n = 0;
	sort_labels(items, count);
	for (size_t i = 0; i < count; i++) {
		bool again = i + 1 < count && str_eq(items[i].name, items[i + 1].name);
		if (!again && items[i].value.len > 0)
			items[n++] = items[i];
	}
	return (struct promql_labels){items, n, hash_labels(items, n)};
}

int
promql_labels_compare(const struct promql_labels *a, const struct promql_labels *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		int order = str_cmp(a->items[i].name, b->items[i].name);
		if (order == 0)
			order = str_cmp(a->items[i].value, b->items[i].value);
		if (order != 0)
			return order;
	}
	return (a->count > b->count) - (a->count < b->count);
}

bool
promql_labels_equal(const struct promql_labels *a, const struct promql_labels *b)
{
	return a->hash == b->hash && promql_labels_compare(a, b) == 0;
}

static int
compare_names(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void
promql_names_sort(struct names *n)
{
	size_t count = 0;
	if (n->count > 0)
		qsort(n->items, n->count, sizeof(*n->items), compare_names);
	for (size_t i = 0; i < n->count; i++)
		if (count == 0 || !str_eq(n->items[count - 1], n->items[i]))
			n->items[count++] = n->items[i];
	n->count = count;
}

bool
promql_names_have(const struct names *n, struct str name)
{
	for (size_t i = 0; i < n->count; i++)
		if (str_eq(n->items[i], name))
			return true;
	return false;
}

bool
promql_labels_pick(struct arena *arena, const struct promql_labels *l, const struct names *names,
    bool without, struct promql_labels *out)
{
	struct promql_label *items = arena_array(arena, l->count + 1, sizeof(*items));
	size_t n = 0;
	if (!items)
		return false;
	for (size_t i = 0; i < l->count; i++) {
		bool named = promql_names_have(names, l->items[i].name);
		bool keep = without ? !named && !str_eq(l->items[i].name, name_label) : named;
		if (keep)
			items[n++] = l->items[i];
	}
	*out = (struct promql_labels){items, n, hash_labels(items, n)};
	return true;
}

bool
promql_labels_drop_name(struct arena *arena, const struct promql_labels *l,
    struct promql_labels *out)
{
	static const struct names none;
	return promql_labels_pick(arena, l, &none, true, out);
}

bool
promql_labels_set(struct arena *arena, const struct promql_labels *l, struct str name,
    struct str value, struct promql_labels *out)
{
	struct promql_label *items = arena_array(arena, l->count + 1, sizeof(*items));
	if (!items)
		return false;
	if (l->count > 0)
		memcpy(items, l->items, l->count * sizeof(*items));
	items[l->count] = (struct promql_label){name, value};
	*out = promql_labels_make(items, l->count + 1);
	return true;
}

/* ---- sets of them */

static bool
grow(struct label_set *s)
{
	size_t cap = s->cap ? s->cap * 2 : 32, slots = cap * 2;
	struct promql_labels *items = arena_array(s->arena, cap, sizeof(*items));
	uint32_t *table = arena_array(s->arena, slots, sizeof(*table));
	if (!items || !table)
		return false;
	if (s->count > 0)
		memcpy(items, s->items, s->count * sizeof(*items));
	s->items = items;
	s->slots = table;
	s->cap = cap;
	s->mask = slots - 1;
	for (size_t i = 0; i < s->count; i++) {
		size_t at = items[i].hash & s->mask;
		while (table[at])
			at = (at + 1) & s->mask;
		table[at] = (uint32_t)i + 1;
	}
	return true;
}

size_t
promql_set_find(const struct label_set *s, const struct promql_labels *l)
{
	if (s->count == 0)
		return SIZE_MAX;
	for (size_t at = l->hash & s->mask; s->slots[at]; at = (at + 1) & s->mask)
		if (promql_labels_equal(&s->items[s->slots[at] - 1], l))
			return s->slots[at] - 1;
	return SIZE_MAX;
}

size_t
promql_set_add(struct label_set *s, const struct promql_labels *l, bool *added_out)
{
	size_t found = promql_set_find(s, l);
	*added_out = found == SIZE_MAX;
	if (found != SIZE_MAX)
		return found;
	if (s->count == s->cap && !grow(s))
		return SIZE_MAX;
	size_t at = l->hash & s->mask;
	while (s->slots[at])
		at = (at + 1) & s->mask;
	s->items[s->count] = *l;
	s->slots[at] = (uint32_t)s->count + 1;
	return s->count++;
}
