/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys get which columns. First the typed ones, by frequency. Then the keys that are left are shared out:
 * two keys that come in one row do not go to one column. That is colouring a graph, of which the nodes
 * are keys, those of the table's shared columns among them, and an edge says that two come together in the
 * sample. Fewest colours are what costs least, for a column costs nearly the same however full it is.
 *
 * Column after column is filled, first those there are, then new ones: a new one begins with the most
 * frequent key that is left; then comes, again and again, of the keys that go with all that are in it,
 * the one that can not be with the most keys that are shut out already, so that it shuts out few
 * others ("recursive largest first"; Leighton, "A Graph Coloring Algorithm for Large Scheduling Problems",
 * 1979). Of keys that come in a ring, some in each row, it finds the densest packing, where to
 * go by frequency alone takes half as many columns more.
 *
 * Keys may come together in TOGETHER_PERCENT of the rows of either: the second one is then left in the rest.
 */
#include "duck/duck_shred_priv.h"

#include <math.h>
#include <stdlib.h>

enum {
	NODES = SHRED_SHARED_KEYS,
	NODE_WORDS = NODES / 64,
	TOGETHER_PERCENT = 2,
	FILL_PERCENT = 5, /* of the rows must have a value in a new shared column */
	/* More different values among 100 of a sample, and a dictionary costs more than it saves: with one row
	 * in SHRED_SAMPLE_EVERY looked at, it is where half of all rows' values are different. */
	DIFFERENT_PERCENT = 90,
	DIFFERENT_LOOKED_AT = 32, /* fewer say nothing */
};

/* As often as it may have come; but half of that must have been seen. */
static bool
is_frequent(const struct shred_window *w, const struct shred_counter *c, uint32_t count,
    unsigned percent)
{
	uint64_t perhaps = (uint64_t)count + c->before;
	uint64_t enough = w->rows * percent;
	return count > 0 && perhaps * 100 >= enough && (uint64_t)count * 200 >= enough;
}

struct choice {
	const struct shred_counter *counter;
	enum shred_type type;
	uint32_t count; /* of values of this type */
};

static int
compare_choices(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return str_cmp(shred_counter_key(x->counter), shred_counter_key(y->counter));
}

/* ---- typed columns */

static struct choice
typed_choice(const struct shred_counter *c)
{
	struct choice best = {c, SHRED_TEXT, c->types[SHRED_TEXT]};
	for (int t = SHRED_TEXT + 1; t < SHRED_SHARED; t++)
		if (c->types[t] > best.count)
			best = (struct choice){c, (enum shred_type)t, c->types[t]};
	return best;
}

static void
choose_typed(const struct shred_window *w, struct choice *choices, struct shred_plan *p)
{
	size_t count = 0;
	for (size_t i = 0; i < w->count; i++) {
		choices[count] = typed_choice(&w->counters[i]);
		count += is_frequent(w, choices[count].counter, choices[count].count,
		    SHRED_TYPED_PERCENT);
	}
	if (count > 0)
		qsort(choices, count, sizeof(*choices), compare_choices);
	for (size_t i = 0; i < count && p->count < SHRED_COLUMNS; i++) {
		if (p->count - p->shared_count == SHRED_TYPED_COLUMNS)
			break;
		(void)shred_plan_add(p, shred_counter_key(choices[i].counter), choices[i].type);
	}
}

/* ---- shared columns */

struct node {
	size_t
	    counter; /* place, or SHRED_NO_COUNTER: a key of the table that does not come any more */
	unsigned column; /* SHRED_COLUMNS: none yet */
	uint32_t rows; /* of the sample that have it */
};

typedef uint64_t node_set[NODE_WORDS];

struct graph {
	const struct shred_window *w;
	struct shred_plan *p;
	struct node nodes[NODES]; /* those with a column, then the others, most frequent first */
	size_t count;
	uint16_t together[NODES][NODES]; /* rows of the sample that have both */
	node_set apart[NODES]; /* with which it may not be in a column */
};

static bool
has(const node_set s, size_t i)
{
	return s[i / 64] >> i % 64 & 1;
}

static void
set(node_set s, size_t i)
{
	s[i / 64] |= UINT64_C(1) << i % 64;
}

/* Are nearly all its values different? */
static bool
is_varied(const struct shred_counter *c)
{
	unsigned zeros = 0;
	for (size_t i = 0; i < ARRAY_LEN(c->bits); i++)
		zeros += (unsigned)__builtin_popcountll(~c->bits[i]);
	if (c->looked_at < DIFFERENT_LOOKED_AT)
		return false;
	double different = (double)SHRED_BITS * log((double)SHRED_BITS / (zeros > 0 ? zeros : 1));
	return different * 100 > (double)c->looked_at * (double)DIFFERENT_PERCENT;
}

static size_t
choose_candidates(const struct shred_window *w, const struct shred_plan *p, struct choice *choices)
{
	size_t count = 0;
	for (size_t i = 0; i < w->count; i++) {
		const struct shred_counter *c = &w->counters[i];
		if (!is_frequent(w, c, c->fits, SHRED_SHARED_PERCENT) || is_varied(c) ||
		    shred_plan_find(p, shred_counter_key(c)))
			continue;
		choices[count++] = (struct choice){c, SHRED_SHARED, c->fits};
	}
	if (count > 0)
		qsort(choices, count, sizeof(*choices), compare_choices);
	return count;
}

static void
add_nodes(struct graph *g, struct choice *choices)
{
	for (unsigned i = 0; i < g->p->key_count; i++) {
		const struct shred_key *k = &g->p->keys[i];
		if (g->p->columns[k->column].type == SHRED_SHARED)
			g->nodes[g->count++] =
			    (struct node){shred_window_find(g->w, k->key), k->column, 0};
	}
	size_t count = choose_candidates(g->w, g->p, choices);
	for (size_t i = 0; i < count && g->count < NODES; i++) {
		size_t place = (size_t)(choices[i].counter - g->w->counters);
		g->nodes[g->count++] = (struct node){place, SHRED_COLUMNS, 0};
	}
}

static void
count_together(struct graph *g)
{
	uint16_t *node_of = xcalloc(SHRED_WINDOW_KEYS, sizeof(*node_of)); /* 1 + place in nodes */
	for (size_t n = 0; n < g->count; n++)
		if (g->nodes[n].counter != SHRED_NO_COUNTER)
			node_of[g->nodes[n].counter] = (uint16_t)(n + 1);
	for (size_t i = 0; i < g->w->sample_count; i++) {
		const struct shred_sampled *s = &g->w->sample[i];
		size_t here[SHRED_SAMPLE_KEYS], count = 0;
		for (size_t k = 0; k < s->count; k++)
			if (node_of[s->places[k]] && g->w->counters[s->places[k]].born <= s->row)
				here[count++] = node_of[s->places[k]] - 1u;
		for (size_t a = 0; a < count; a++) {
			g->nodes[here[a]].rows++;
			for (size_t b = 0; b < count; b++)
				g->together[here[a]][here[b]]++;
		}
	}
	free(node_of);
}

static void
find_edges(struct graph *g)
{
	for (size_t a = 0; a < g->count; a++)
		for (size_t b = 0; b < g->count; b++) {
			uint32_t rows = g->nodes[a].rows < g->nodes[b].rows ? g->nodes[a].rows
			                                                    : g->nodes[b].rows;
			if (a != b && g->together[a][b] * 100u > rows * TOGETHER_PERCENT)
				set(g->apart[a], b);
		}
}

/* How many nodes without a column are shut out, and can not be with this one. */
static unsigned
shared_enemies(const struct graph *g, const node_set out, size_t n)
{
	unsigned count = 0;
	for (size_t i = 0; i < NODE_WORDS; i++)
		count += (unsigned)__builtin_popcountll(out[i] & g->apart[n][i]);
	return count;
}

/* The node that goes into a column next, or SIZE_MAX. `out`: nodes that are shut out. */
static size_t
next_node(const struct graph *g, const node_set out)
{
	size_t best = SIZE_MAX;
	unsigned most = 0;
	for (size_t n = 0; n < g->count; n++) {
		if (g->nodes[n].column != SHRED_COLUMNS || has(out, n))
			continue;
		unsigned enemies = shared_enemies(g, out, n);
		if (best == SIZE_MAX || enemies > most) {
			best = n;
			most = enemies;
		}
	}
	return best;
}

/* A node is in the column: those it can not be with are shut out. */
static void
shut_out(const struct graph *g, size_t n, node_set out)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->nodes[i].column == SHRED_COLUMNS && has(g->apart[n], i))
			set(out, i);
}

static void
fill_column(struct graph *g, unsigned column, unsigned keys)
{
	node_set out = {0};
	for (size_t i = 0; i < g->count; i++)
		if (g->nodes[i].column == column)
			shut_out(g, i, out);
	for (size_t n; keys < SHRED_CODES && (n = next_node(g, out)) != SIZE_MAX; keys++) {
		g->nodes[n].column = column;
		shut_out(g, n, out);
	}
}

static uint32_t
filled_rows(const struct graph *g, unsigned column)
{
	uint32_t rows = 0;
	for (size_t i = 0; i < g->count; i++)
		rows += g->nodes[i].column == column ? g->nodes[i].rows : 0;
	return rows;
}

/* The keys that are new in a column, most frequent first. */
static void
add_to_plan(struct graph *g, unsigned column, size_t first)
{
	for (size_t i = first; i < g->count; i++)
		if (g->nodes[i].column == column)
			(void)shred_plan_add_shared(g->p, column,
			    shred_counter_key(&g->w->counters[g->nodes[i].counter]));
}

static void
share_out(struct graph *g)
{
	size_t first = 0;
	while (first < g->count && g->nodes[first].column != SHRED_COLUMNS)
		first++;
	unsigned there = g->p->count;
	for (unsigned c = 0; c < there; c++) {
		if (g->p->columns[c].type != SHRED_SHARED)
			continue;
		fill_column(g, c, g->p->columns[c].key_count);
		add_to_plan(g, c, first);
	}
	for (unsigned c = there; c < SHRED_COLUMNS; c++) {
		if (g->p->shared_count == SHRED_SHARED_COLUMNS)
			break;
		fill_column(g, c, 0);
		if (filled_rows(g, c) * 100 < g->w->sample_count * FILL_PERCENT ||
		    filled_rows(g, c) == 0)
			break;
		add_to_plan(g, c, first);
	}
}

unsigned
shred_window_choose(const struct shred_window *w, struct shred_plan *p)
{
	unsigned before = p->key_count;
	struct choice *choices = xcalloc(SHRED_WINDOW_KEYS, sizeof(*choices));
	struct graph *g = xcalloc(1, sizeof(*g));
	choose_typed(w, choices, p);
	g->w = w;
	g->p = p;
	add_nodes(g, choices);
	count_together(g);
	find_edges(g);
	share_out(g);
	free(g);
	free(choices);
	return p->key_count - before;
}
