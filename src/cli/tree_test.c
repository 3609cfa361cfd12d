/* SPDX-License-Identifier: Apache-2.0 */
/* Forests of random spans: whatever the parents are, each span has one place. */
#include "base/arena.h"
#include "cli/cli_priv.h"
#include "cli/tree.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdlib.h>

static uint32_t
next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* Ids and parents from a small set, so that there are loops, orphans and repeats; few starts. */
static json_t *
random_spans(unsigned count, uint64_t *state)
{
	json_t *spans = json_array();
	for (unsigned i = 0; i < count; i++) {
		char id[17], parent[17], start[12];
		snprintf(id, sizeof id, "%016x", next(state) % (count + 1));
		snprintf(parent, sizeof parent, "%016x", next(state) % (count + 3));
		snprintf(start, sizeof start, "%u", next(state) % 8);
		json_array_append_new(spans,
		    json_pack("{s:s,s:s,s:s,s:s}", "span_id", id, "parent_span_id", parent,
		        "start_time_unix_nano", start, "end_time_unix_nano", "5"));
	}
	return spans;
}

struct walk {
	const struct tree *t;
	unsigned *seen;
	size_t total;
};

static void
visit(struct walk *w, size_t idx, unsigned depth)
{
	assert_true(depth <= w->t->count);
	w->seen[idx]++;
	w->total++;
	assert_true(w->total <= w->t->count);
	uint64_t before_ns = 0;
	for (size_t c = w->t->spans[idx].first_child; c != SIZE_MAX;
	    c = w->t->spans[c].next_sibling) {
		const struct tree_span *child = &w->t->spans[c];
		assert_true(child->start_ns >= before_ns);
		before_ns = child->start_ns;
		assert_true(str_eq(cli_item_str(child->item, "parent_span_id"),
		    cli_item_str(w->t->spans[idx].item, "span_id")));
		visit(w, c, depth + 1);
	}
}

static void
check_forest(const json_t *spans)
{
	struct tree t;
	tree_init(&t, spans);
	struct walk w = {.t = &t, .seen = xcalloc(t.count + 1, sizeof *w.seen)};
	for (size_t i = 0; i < t.root_count; i++)
		visit(&w, t.roots[i], 1);
	for (size_t i = 0; i < t.count; i++)
		assert_int_equal(w.seen[i], 1);
	free(w.seen);
	tree_fini(&t);
}

TEST(cli, every_list_of_spans_is_a_forest_with_each_span_once)
{
	uint64_t state = 7;
	for (int round = 0; round < 400; round++) {
		json_t *spans = random_spans(next(&state) % 24, &state);
		check_forest(spans);
		json_decref(spans);
	}
}

TEST(cli, items_that_are_no_spans_make_a_forest_too)
{
	json_t *spans = json_loads("[1,null,{},[],{\"span_id\":5},{\"span_id\":\"0\"}]", 0, NULL);
	check_forest(spans);
	json_decref(spans);
}
