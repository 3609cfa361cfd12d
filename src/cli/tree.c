/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans to a forest, whatever the spans say.
 *
 * A span's parent is the span with its parent id; of several with the same id the first one. A
 * span without a parent id is a root; one whose parent is not here is an orphan and begins a tree
 * too. What then cannot be reached from any of these has parents that form a loop: the earliest
 * such span becomes a root, its link to its parent is cut, and so on until every span has its
 * place. Siblings and roots stand in order of their start, equal ones in the order they came.
 * No recursion: a trace may be one chain of any length.
 */
#include "cli/tree.h"

#include "cli/cli_priv.h"

#include "base/bits.h"
#include "base/map.h"

#include <jansson.h>
#include <stdlib.h>

static bool
item_span_id(const json_t *item, const char *key, uint64_t *id_out)
{
	struct str hex = cli_item_str(item, key);
	return hex_to_u64(hex.ptr, hex.len, id_out) && *id_out != 0;
}

static void
read_spans(struct tree *t, const json_t *spans)
{
	t->start_ns = UINT64_MAX;
	for (size_t i = 0; i < t->count; i++) {
		struct tree_span *s = &t->spans[i];
		s->item = json_array_get(spans, i);
		s->start_ns = cli_item_u64(s->item, "start_time_unix_nano");
		s->end_ns = cli_item_u64(s->item, "end_time_unix_nano");
		s->ended = s->end_ns >= s->start_ns;
		t->open_count += cli_item_has_no_end(s->item);
		s->end_ns = s->end_ns > s->start_ns ? s->end_ns : s->start_ns;
		s->first_child = s->next_sibling = SIZE_MAX;
		t->start_ns = s->start_ns < t->start_ns ? s->start_ns : t->start_ns;
		t->end_ns = s->end_ns > t->end_ns ? s->end_ns : t->end_ns;
	}
}

struct by_start {
	uint64_t start_ns;
	size_t idx;
};

static int
compare_starts(const void *a, const void *b)
{
	const struct by_start *x = a, *y = b;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->idx < y->idx ? -1 : x->idx > y->idx;
}

static struct by_start *
sorted(const struct tree *t)
{
	struct by_start *order = xcalloc(t->count, sizeof *order);
	for (size_t i = 0; i < t->count; i++)
		order[i] = (struct by_start){t->spans[i].start_ns, i};
	qsort(order, t->count, sizeof *order, compare_starts);
	return order;
}

/* Hang each span under its parent; the last by start first, so that lists end up in order. */
static void
link_children(struct tree *t, const struct by_start *order)
{
	struct map by_id = {0};
	uint64_t id;
	for (size_t i = 0; i < t->count; i++)
		if (item_span_id(t->spans[i].item, "span_id", &id) && !map_get(&by_id, id))
			map_put(&by_id, id, i);
	for (size_t n = t->count; n-- > 0;) {
		struct tree_span *s = &t->spans[order[n].idx];
		if (!item_span_id(s->item, "parent_span_id", &id)) {
			s->root = TREE_ROOT;
			continue;
		}
		const uint64_t *parent = map_get(&by_id, id);
		if (!parent) {
			s->root = TREE_ORPHAN;
			continue;
		}
		s->next_sibling = t->spans[*parent].first_child;
		t->spans[*parent].first_child = order[n].idx;
	}
	map_fini(&by_id);
}

/* Mark all below `top` as placed; a link to a span that is placed already closes a loop and is
 * cut. The stack holds each span at most once. */
static void
place(struct tree *t, size_t top, size_t *stack)
{
	size_t depth = 0;
	t->spans[top].placed = true;
	stack[depth++] = top;
	while (depth > 0) {
		size_t *link = &t->spans[stack[--depth]].first_child;
		while (*link != SIZE_MAX) {
			struct tree_span *child = &t->spans[*link];
			if (child->placed) {
				size_t after = child->next_sibling;
				child->next_sibling = SIZE_MAX;
				*link = after;
				continue;
			}
			child->placed = true;
			stack[depth++] = *link;
			link = &child->next_sibling;
		}
	}
}

static void
add_roots(struct tree *t, const struct by_start *order, enum tree_root kind, size_t *stack)
{
	for (size_t n = 0; n < t->count; n++) {
		struct tree_span *s = &t->spans[order[n].idx];
		if (kind == TREE_LOOP ? s->placed : s->root != kind)
			continue;
		s->root = kind;
		t->roots[t->root_count++] = order[n].idx;
		place(t, order[n].idx, stack);
	}
}

void
tree_init(struct tree *t, const json_t *spans)
{
	*t = (struct tree){.count = json_array_size(spans)};
	if (t->count == 0)
		return;
	t->spans = xcalloc(t->count, sizeof *t->spans);
	t->roots = xcalloc(t->count, sizeof *t->roots);
	size_t *stack = xcalloc(t->count, sizeof *stack);
	read_spans(t, spans);
	struct by_start *order = sorted(t);
	link_children(t, order);
	add_roots(t, order, TREE_ROOT, stack);
	add_roots(t, order, TREE_ORPHAN, stack);
	add_roots(t, order, TREE_LOOP, stack);
	free(order);
	free(stack);
}

void
tree_fini(struct tree *t)
{
	free(t->spans);
	free(t->roots);
	*t = (struct tree){0};
}
