/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph.h"

#include "base/buf.h"

#include "tests/test.h"

static void
assert_str(struct str have, const char *want)
{
	assert_int_equal(have.ptr == NULL, want == NULL);
	assert_int_equal(have.len, want ? strlen(want) : 0);
	if (want)
		assert_memory_equal(have.ptr, want, have.len);
}

static const char version_1[] =
    "{\"v\":1,\"nodes\":[{\"id\":\"a\",\"type\":\"Start\",\"label\":\"A \\\"1\\\"\"},"
    "{\"id\":\"rc\",\"type\":\"RunConcurrent\",\"label\":\"RC\",\"isSubgraph\":true,"
    "\"children\":[\"c1\",\"c2\",7]},{\"id\":\"sf\",\"type\":\"Sub\",\"label\":\"S\","
    "\"isSubflow\":true,\"subflowSourceId\":\"x\",\"subflowSinkId\":\"y\"}],"
    "\"edges\":[{\"id\":\"edge_a_rc_0\",\"source\":\"a\",\"target\":\"rc\",\"condition\":null,"
    "\"type\":\"explicit\",\"subflowId\":null},{\"id\":\"e2\",\"source\":\"x\",\"target\":\"y\","
    "\"condition\":\"n > 1\",\"type\":\"subflow\",\"subflowId\":\"sf\"}]}";

/* The same graph, as the next version says it. */
static const char version_2[] =
    "{\"nodes\":[{\"nodeLabel\":\"A \\\"1\\\"\",\"nodeRuntimeId\":\"a\",\"nodeStructuralId\":\"sa\","
    "\"nodeType\":\"Start\"},{\"nodeRuntimeId\":\"rc\",\"nodeStructuralId\":\"sr\","
    "\"nodeType\":\"RunConcurrent\",\"nodeLabel\":\"RC\",\"isConcurrentSubgraph\":true,"
    "\"childNodeRuntimeIds\":[\"c1\",\"c2\"]},{\"nodeRuntimeId\":\"sf\",\"nodeStructuralId\":\"ss\","
    "\"nodeType\":\"Sub\",\"nodeLabel\":\"S\",\"isSubflow\":true,"
    "\"subflowGraphStructuralId\":\"gs\",\"subflowSourceNodeRuntimeId\":\"x\","
    "\"subflowSourceNodeStructuralId\":\"sx\",\"subflowSinkNodeRuntimeIds\":[\"y\"],"
    "\"subflowSinkNodeStructuralIds\":[\"sy\"]}],\"edges\":[{\"edgeStructuralId\":\"edge_a_rc_0\","
    "\"tailNodeRuntimeId\":\"a\",\"headNodeRuntimeId\":\"rc\",\"edgeConditionLabel\":null,"
    "\"edgeScope\":\"explicit\",\"parentSubflowRuntimeId\":null},{\"edgeStructuralId\":\"e2\","
    "\"tailNodeRuntimeId\":\"x\",\"headNodeRuntimeId\":\"y\",\"edgeConditionLabel\":\"n > 1\","
    "\"edgeScope\":\"subflow\",\"parentSubflowRuntimeId\":\"sf\"}],"
    "\"graphStructuralId\":\"g\",\"v\":2,\"later\":{\"x\":[1]}}";

static void
assert_same_graph(const struct junjo_graph *g)
{
	assert_int_equal(g->node_count, 3);
	assert_str(g->nodes[0].id, "a");
	assert_str(g->nodes[0].type, "Start");
	assert_str(g->nodes[0].label, "A \"1\"");
	assert_false(g->nodes[0].is_concurrent || g->nodes[0].is_subflow);
	assert_true(g->nodes[1].is_concurrent);
	assert_int_equal(g->nodes[1].child_count, 2);
	assert_str(g->nodes[1].children[0], "c1");
	assert_str(g->nodes[1].children[1], "c2");
	assert_true(g->nodes[2].is_subflow);
	assert_str(g->nodes[2].subflow_source, "x");
	assert_int_equal(g->nodes[2].sink_count, 1);
	assert_str(g->nodes[2].sinks[0], "y");
	assert_int_equal(g->edge_count, 2);
	assert_str(g->edges[0].id, "edge_a_rc_0");
	assert_str(g->edges[0].source, "a");
	assert_str(g->edges[0].target, "rc");
	assert_str(g->edges[0].condition, NULL);
	assert_false(g->edges[0].of_subflow);
	assert_str(g->edges[0].subflow_id, NULL);
	assert_str(g->edges[1].condition, "n > 1");
	assert_true(g->edges[1].of_subflow);
	assert_str(g->edges[1].subflow_id, "sf");
}

TEST(agent, graphs_of_both_versions_become_the_same)
{
	struct arena arena = {0};
	struct junjo_graph g;
	struct err err = {0};
	assert_int_equal(junjo_graph_read(str_from(version_1), &arena, &g, &err), ERR_OK);
	assert_int_equal(g.version, 1);
	assert_str(g.structural_id, NULL);
	assert_same_graph(&g);
	assert_int_equal(junjo_graph_read(str_from(version_2), &arena, &g, &err), ERR_OK);
	assert_int_equal(g.version, 2);
	assert_str(g.structural_id, "g");
	assert_str(g.nodes[1].structural_id, "sr");
	assert_str(g.nodes[2].subflow_structural_id, "gs");
	assert_same_graph(&g);
	arena_fini(&arena);
}

TEST(agent, what_is_no_graph_is_refused_with_a_sentence)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
	    {"", "no JSON"},
	    {"{\"v\":1,\"nodes\":[{\"id\":\"a", "may have cut it"},
	    {"{\"v\":1} x", "no JSON"},
	    {"[]", "no JSON object"},
	    {"{}", "does not say its version"},
	    {"{\"v\":3}", "version"},
	    {"{\"v\":\"1\"}", "version"},
	    {"{\"v\":1,\"nodes\":{}}", "nodes are no list"},
	    {"{\"v\":1,\"nodes\":[1]}", "node 1 of the graph is no object"},
	    {"{\"v\":1,\"nodes\":[{\"id\":\"a\"},{\"id\":\"\"}]}", "node 2 of the graph has no id"},
	    {"{\"v\":1,\"edges\":[{\"source\":\"a\"}]}", "edge 1"},
	    {"{\"error\":\"TypeError\",\"detail\":\"no sink\"}", "TypeError: no sink"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = {0};
		struct junjo_graph g;
		struct err err = {0};
		assert_int_equal(junjo_graph_read(str_from(cases[i].json), &arena, &g, &err),
		    ERR_INVALID);
		if (!strstr(err.message, cases[i].says))
			fail_msg("%s: %s", cases[i].json, err.message);
		arena_fini(&arena);
	}
}

/* `count` times the item, with commas between. */
static void
repeat(struct buf *b, const char *head, const char *item, size_t count, const char *tail)
{
	buf_reset(b);
	buf_str(b, str_from(head));
	for (size_t i = 0; i < count; i++) {
		buf_str(b, i ? STR(",") : STR(""));
		buf_str(b, str_from(item));
	}
	buf_str(b, str_from(tail));
}

TEST(agent, graphs_have_as_many_items_as_the_limit_says_and_no_more)
{
	static const char *const parts[][3] = {
	    {"{\"v\":1,\"nodes\":[", "{\"id\":\"n\"}", "]}"},
	    {"{\"v\":1,\"edges\":[", "{\"source\":\"n\",\"target\":\"m\"}", "]}"},
	    {"{\"v\":1,\"nodes\":[{\"id\":\"n\",\"children\":[", "\"c\"", "]}]}"},
	    {"{\"v\":1,\"nodes\":[", "{\"id\":\"n\",\"subflowSinkId\":\"c\"}", "]}"},
	};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		for (size_t extra = 0; extra < 2; extra++) {
			struct arena arena = {0};
			struct junjo_graph g;
			struct err err = {0};
			repeat(&b, parts[i][0], parts[i][1], JUNJO_GRAPH_ITEMS_MAX + extra,
			    parts[i][2]);
			assert_int_equal(junjo_graph_read(buf_view(&b), &arena, &g, &err),
			    extra ? ERR_TOO_LARGE : ERR_OK);
			arena_fini(&arena);
		}
	buf_fini(&b);
}

TEST(agent, graphs_of_any_depth_are_read_without_recursion)
{
	struct arena arena = {0};
	struct junjo_graph g;
	struct err err = {0};
	struct buf b = {0};
	buf_str(&b, STR("{\"v\":1,\"x\":"));
	for (size_t i = 0; i < 100000; i++)
		buf_char(&b, '[');
	assert_int_equal(junjo_graph_read(buf_view(&b), &arena, &g, &err), ERR_INVALID);
	buf_fini(&b);
	arena_fini(&arena);
}
