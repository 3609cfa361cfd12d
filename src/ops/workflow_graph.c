/* SPDX-License-Identifier: Apache-2.0 */
/* The graph that a run was given, and which of its nodes ran. */
#include "ops/workflow.h"

#include "agent/graph.h"
#include "base/bits.h"
#include "base/hash.h"
#include "base/map.h"

enum { NODE_SPANS_MAX = 100 };

/*
 * Which node of the graph a step is a run of. Nodes have the ids of their steps, subflows of newer SDKs that of their
 * definition. But the SDK makes a subflow's graph anew when it runs, for the one that was sent with the run: what is in
 * a subflow is known by its structural id, or, where an older SDK sends none, by its label, among the nodes of that
 * subflow. What cannot be told apart takes turns.
 */
struct runs {
	const struct workflow *w;
	const struct junjo_graph *g;
	struct map by_id; /* hash of an id -> node + 1 */
	struct map
	    by_kind; /* hash of what it is and where -> node + 1: the first of those whose turn it is */
	int *ring,
	    *ring_last; /* of a node: the next of its kind, + 1; of the first of a kind: the last */
	int *subflow; /* of each node: the node that it is in, + 1; 0: in none */
	int *above; /* of each step: the nearest subflow above it, + 2; 1: none; 0: not known yet */
	int *node; /* of each step: + 1; 0: none */
	int *first, *last; /* of each node: steps, + 1, chained by next */
	int *next;
};

static int
node_of_id(const struct runs *runs, struct str id)
{
	const uint64_t *known = id.len > 0 ? map_get(&runs->by_id, hash_keyed_str(id, 0)) : NULL;
	return known && str_eq(runs->g->nodes[*known - 1].id, id) ? (int)*known : 0;
}

static void
put_inside(struct runs *runs, struct str id, int subflow)
{
	int node = node_of_id(runs, id);
	if (node && node != subflow && !runs->subflow[node - 1])
		runs->subflow[node - 1] = subflow;
}

/* By the subflow's edges, its ends, and what its groups run in parallel. */
static void
find_subflows(struct runs *runs)
{
	const struct junjo_graph *g = runs->g;
	for (size_t i = 0; i < g->edge_count; i++) {
		const struct junjo_edge *e = &g->edges[i];
		int subflow = e->of_subflow ? node_of_id(runs, e->subflow_id) : 0;
		if (!subflow)
			continue;
		put_inside(runs, e->source, subflow);
		put_inside(runs, e->target, subflow);
	}
	for (size_t i = 0; i < g->node_count; i++) {
		put_inside(runs, g->nodes[i].subflow_source, (int)i + 1);
		for (size_t k = 0; k < g->nodes[i].sink_count; k++)
			put_inside(runs, g->nodes[i].sinks[k], (int)i + 1);
	}
	for (size_t i = 0; i < g->node_count; i++)
		for (size_t k = 0; runs->subflow[i] && k < g->nodes[i].child_count; k++)
			put_inside(runs, g->nodes[i].children[k], runs->subflow[i]);
}

/* What a node of the graph, or a step, is. A subflow's span has the structural id of its graph. */
struct kind {
	struct str text;
	enum junjo_type type;
	int subflow; /* node + 1 */
};

static struct kind
kind_of_node(const struct runs *runs, size_t node)
{
	const struct junjo_node *n = &runs->g->nodes[node];
	return (struct kind){
	    .text = runs->g->version == 1 ? n->label
	        : n->is_subflow           ? n->subflow_structural_id
	                                  : n->structural_id,
	    .type = n->is_subflow  ? JUNJO_SUBFLOW
	        : n->is_concurrent ? JUNJO_RUN_CONCURRENT
	                           : JUNJO_NODE,
	    .subflow = runs->subflow[node],
	};
}

static uint64_t *
find_kind(const struct runs *runs, const struct kind *k, uint64_t *hash_out)
{
	*hash_out = hash_keyed_str(k->text, (uint64_t)k->subflow << 8 | (uint64_t)k->type);
	return map_get(&runs->by_kind, *hash_out);
}

static bool
same_kind(const struct kind *a, const struct kind *b)
{
	return a->type == b->type && a->subflow == b->subflow && str_eq(a->text, b->text);
}

static void
put_kind(struct runs *runs, size_t node)
{
	struct kind k = kind_of_node(runs, node), of_first;
	uint64_t hash;
	const uint64_t *known = find_kind(runs, &k, &hash);
	size_t first = known ? *known - 1 : node;
	if (!k.subflow || k.text.len == 0)
		return;
	of_first = kind_of_node(runs, first);
	if (!same_kind(&k, &of_first)) /* the same hash by chance */
		return;
	if (known) {
		runs->ring[runs->ring_last[first]] = (int)node + 1;
	} else {
		bool put = map_put(&runs->by_kind, hash, node + 1);
		CHECK(put);
	}
	runs->ring[node] = (int)first + 1;
	runs->ring_last[first] = (int)node;
}

static int
node_of_kind(const struct runs *runs, const struct kind *k)
{
	uint64_t hash;
	uint64_t *known = find_kind(runs, k, &hash);
	int node = known ? (int)*known : 0;
	if (!node)
		return 0;
	struct kind found = kind_of_node(runs, (size_t)node - 1);
	if (!same_kind(k, &found))
		return 0;
	*known = (uint64_t)runs->ring[node - 1];
	return node;
}

/* Each way up is gone once. */
static void
find_above(struct runs *runs)
{
	const struct workflow_step *steps = runs->w->steps;
	for (size_t i = 0; i < runs->w->step_count; i++) {
		int at = (int)i, found = 0;
		for (; !runs->above[at]; at = steps[at].parent) {
			int up = steps[at].parent;
			if (up == WORKFLOW_NONE)
				found = 1;
			else if (steps[up].junjo.type == JUNJO_SUBFLOW)
				found = up + 2;
			if (found)
				break;
		}
		found = found ? found : runs->above[at];
		int last = at;
		for (at = (int)i; !runs->above[at]; at = steps[at].parent) {
			runs->above[at] = found;
			if (at == last)
				break;
		}
	}
}

static int
node_of_step(const struct runs *runs, const struct table *spans, const struct workflow_step *s)
{
	int node = node_of_id(runs, s->junjo.id);
	if (!node)
		node = node_of_id(runs, s->junjo.definition_id);
	if (node)
		return node;
	/* The subflow began before what is in it; should clocks say otherwise, it has no node yet. */
	int above = runs->above[s - runs->w->steps];
	int subflow = above > 1 ? runs->node[above - 2] : 0;
	struct kind k = {
	    .text = runs->g->version == 1 ? table_str(spans, s->row, SPAN_NAME)
	                                  : s->junjo.structural_id,
	    .type = s->junjo.type,
	    .subflow = subflow,
	};
	return subflow ? node_of_kind(runs, &k) : 0;
}

static bool
find_runs(struct runs *runs, const struct junjo_graph *g, const struct workflow *w,
    const struct table *spans, struct arena *arena)
{
	*runs = (struct runs){.w = w, .g = g};
	runs->subflow = arena_array(arena, g->node_count + 1, sizeof(int));
	runs->first = arena_array(arena, g->node_count + 1, sizeof(int));
	runs->last = arena_array(arena, g->node_count + 1, sizeof(int));
	runs->node = arena_array(arena, w->step_count + 1, sizeof(int));
	runs->above = arena_array(arena, w->step_count + 1, sizeof(int));
	runs->next = arena_array(arena, w->step_count + 1, sizeof(int));
	runs->ring = arena_array(arena, g->node_count + 1, sizeof(int));
	runs->ring_last = arena_array(arena, g->node_count + 1, sizeof(int));
	if (!runs->ring || !runs->ring_last || !runs->subflow || !runs->first || !runs->last ||
	    !runs->node || !runs->above || !runs->next)
		return false;
	for (size_t i = g->node_count; i-- > 0;) {
		bool put = map_put(&runs->by_id, hash_keyed_str(g->nodes[i].id, 0), i + 1);
		CHECK(put);
	}
	find_subflows(runs);
	for (size_t i = 0; i < g->node_count; i++)
		put_kind(runs, i);
	find_above(runs);
	for (size_t i = 0; i < w->step_count; i++) {
		int node = node_of_step(runs, spans, &w->steps[i]), step = (int)i + 1;
		runs->node[i] = node;
		if (node && runs->last[node - 1])
			runs->next[runs->last[node - 1] - 1] = step;
		else if (node)
			runs->first[node - 1] = step;
		if (node)
			runs->last[node - 1] = step;
	}
	return true;
}

static void
put_spans(struct json_writer *w, const struct runs *runs, const struct table *spans, size_t node)
{
	uint64_t count = 0;
	bool failed = false;
	char hex[16];
	jsonw_key(w, "span_ids");
	jsonw_array(w);
	for (int i = runs->first[node]; i > 0; i = runs->next[i - 1]) {
		size_t row = runs->w->steps[i - 1].row;
		failed = failed || table_i32(spans, row, SPAN_STATUS_CODE) == 2;
		if (count++ >= NODE_SPANS_MAX)
			continue;
		hex_u64(table_u64(spans, row, SPAN_SPAN_ID), hex);
		jsonw_str(w, str_of(hex, sizeof hex));
	}
	jsonw_array_end(w);
	ops_write_u64(w, "runs", count);
	ops_write_text(w, "status",
	    failed          ? STR("failed")
	        : count > 0 ? STR("completed")
	                    : STR("not_run"));
}

static void
put_ids(struct json_writer *w, const char *key, const struct str *ids, size_t count)
{
	jsonw_key(w, key);
	jsonw_array(w);
	for (size_t i = 0; i < count; i++)
		jsonw_str(w, ids[i]);
	jsonw_array_end(w);
}

static void
put_node(struct json_writer *w, const struct runs *runs, const struct table *spans, size_t node)
{
	const struct junjo_node *n = &runs->g->nodes[node];
	jsonw_object(w);
	ops_write_text(w, "id", n->id);
	ops_put_text_or_null(w, "structural_id", n->structural_id);
	ops_put_text_or_null(w, "type", n->type);
	ops_put_text_or_null(w, "label", n->label);
	ops_write_text(w, "kind",
	    n->is_subflow          ? STR("subflow")
	        : n->is_concurrent ? STR("run_concurrent")
	                           : STR("node"));
	put_ids(w, "children", n->children, n->child_count);
	ops_put_text_or_null(w, "subflow_source", n->subflow_source);
	put_ids(w, "subflow_sinks", n->sinks, n->sink_count);
	put_spans(w, runs, spans, node);
	jsonw_object_end(w);
}

static void
put_edge(struct json_writer *w, const struct junjo_edge *e)
{
	jsonw_object(w);
	ops_put_text_or_null(w, "id", e->id);
	ops_write_text(w, "source", e->source);
	ops_write_text(w, "target", e->target);
	ops_put_text_or_null(w, "condition", e->condition);
	ops_put_text_or_null(w, "subflow_id", e->of_subflow ? e->subflow_id : STR_EMPTY);
	jsonw_object_end(w);
}

static void
put_graph(struct json_writer *w, const struct runs *runs, const struct table *spans)
{
	const struct junjo_graph *g = runs->g;
	jsonw_object(w);
	ops_write_u64(w, "version", (uint64_t)g->version);
	ops_put_text_or_null(w, "structural_id", g->structural_id);
	jsonw_key(w, "nodes");
	jsonw_array(w);
	for (size_t i = 0; i < g->node_count; i++)
		put_node(w, runs, spans, i);
	jsonw_array_end(w);
	jsonw_key(w, "edges");
	jsonw_array(w);
	for (size_t i = 0; i < g->edge_count; i++)
		put_edge(w, &g->edges[i]);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

void
ops_write_graph(struct json_writer *w, const struct ops_run *run, struct arena *arena)
{
	struct junjo_graph graph;
	struct runs runs = {0};
	struct err why = {0};
	enum err_code code = ERR_OK;
	bool there = run->w.junjo.graph.ptr != NULL;
	if (there)
		code = junjo_graph_read(run->w.junjo.graph, arena, &graph, &why);
	jsonw_key(w, "graph");
	if (!there || code) {
		jsonw_null(w);
	} else if (find_runs(&runs, &graph, &run->w, &run->r.rows, arena)) {
		put_graph(w, &runs, &run->r.rows);
	} else {
		jsonw_null(w);
		code =
		    err_set(&why, ERR_TOO_LARGE, "the graph does not fit the memory of one query");
	}
	map_fini(&runs.by_id);
	map_fini(&runs.by_kind);
	ops_put_text_or_null(w, "graph_error", code ? str_from(why.message) : STR_EMPTY);
}
