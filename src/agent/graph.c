/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph.h"

#include "agent/agent_priv.h"

/* A list of ids in the text, and where it goes. */
struct id_list {
	struct str key;
	size_t list_offset, count_offset;
};

/* The text is one that somebody sent: what is wrong with it is said to a person who looks at a workflow. */
struct reading {
	struct arena *arena;
	struct junjo_graph *g;
	size_t node_cap, edge_cap;
	size_t ids; /* in lists, all together */
	struct str error, detail; /* of a graph that could not be made */
};

static const struct agent_field node_fields[] = {
#define TEXT(key, member)                                                                          \
	{STR_INIT(key), AGENT_TEXT, offsetof(struct junjo_node, member), AGENT_NO_HAS}
#define FLAG(key, member)                                                                          \
	{STR_INIT(key), AGENT_BOOL, offsetof(struct junjo_node, member), AGENT_NO_HAS}
    TEXT("id", id),
    TEXT("nodeRuntimeId", id),
    TEXT("nodeStructuralId", structural_id),
    TEXT("type", type),
    TEXT("nodeType", type),
    TEXT("label", label),
    TEXT("nodeLabel", label),
    FLAG("isSubgraph", is_concurrent),
    FLAG("isConcurrentSubgraph", is_concurrent),
    FLAG("isSubflow", is_subflow),
    TEXT("subflowGraphStructuralId", subflow_structural_id),
    TEXT("subflowSourceId", subflow_source),
    TEXT("subflowSourceNodeRuntimeId", subflow_source),
#undef TEXT
#undef FLAG
};

static const struct id_list node_lists[] = {
#define LIST(key, list, count)                                                                     \
	{STR_INIT(key), offsetof(struct junjo_node, list), offsetof(struct junjo_node, count)}
    LIST("children", children, child_count),
    LIST("childNodeRuntimeIds", children, child_count),
    LIST("subflowSinkId", sinks, sink_count), /* one id, not a list */
    LIST("subflowSinkIds", sinks, sink_count),
    LIST("subflowSinkNodeRuntimeIds", sinks, sink_count),
#undef LIST
};

struct edge_reading {
	struct junjo_edge edge;
	struct str scope;
};

static const struct agent_field edge_fields[] = {
#define TEXT(key, member)                                                                          \
	{STR_INIT(key), AGENT_TEXT, offsetof(struct edge_reading, member), AGENT_NO_HAS}
    TEXT("id", edge.id),
    TEXT("edgeStructuralId", edge.id),
    TEXT("source", edge.source),
    TEXT("tailNodeRuntimeId", edge.source),
    TEXT("target", edge.target),
    TEXT("headNodeRuntimeId", edge.target),
    TEXT("condition", edge.condition),
    TEXT("edgeConditionLabel", edge.condition),
    TEXT("type", scope),
    TEXT("edgeScope", scope),
    TEXT("subflowId", edge.subflow_id),
    TEXT("parentSubflowRuntimeId", edge.subflow_id),
#undef TEXT
};

static enum err_code
no_json(const struct json_reader *r, struct err *err)
{
	return err_set(err, ERR_INVALID,
	    "the graph is no JSON at byte %zu: %s; a limit on the length of attribute values may have cut it",
	    r->error_at, r->error ? r->error : "a member is not of its type");
}

static enum err_code
too_many(const char *what, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "the graph has more than %d %s", JUNJO_GRAPH_ITEMS_MAX,
	    what);
}

static enum err_code
add_id(struct reading *s, const struct agent_value *v, struct str **list, size_t *count,
    size_t *cap, struct err *err)
{
	struct str id;
	void *items = *list;
	if (v->token != JSON_STRING)
		return ERR_OK;
	if (++s->ids > JUNJO_GRAPH_ITEMS_MAX)
		return too_many("ids in lists", err);
	if (agent_text(v, s->arena, &id, err))
		return ERR_TOO_LARGE;
	if (!agent_grow(s->arena, &items, cap, *count, sizeof(id)))
		return agent_too_large(err);
	*list = items;
	(*list)[(*count)++] = id;
	return ERR_OK;
}

/* The text of a value has been checked already. */
static enum err_code
read_ids(struct reading *s, const struct agent_value *v, const struct id_list *l,
    struct junjo_node *node, struct err *err)
{
	struct str *list = NULL;
	size_t count = 0, cap = 0;
	enum err_code code = ERR_OK;
	if (v->token == JSON_ARRAY) {
		struct json_reader r;
		enum json_token tok;
		jsonr_begin(&r, v->raw);
		CHECK(jsonr_next(&r) == JSON_ARRAY);
		while (!code && (tok = jsonr_next(&r)) != JSON_ARRAY_END) {
			struct agent_value item = {
			    .token = tok, .raw = r.raw, .escaped = r.escaped};
			code = add_id(s, &item, &list, &count, &cap, err);
			if (!code && !jsonr_skip(&r, tok))
				return no_json(&r, err);
		}
	} else {
		code = add_id(s, v, &list, &count, &cap, err);
	}
	if (code || count == 0)
		return code;
	*(struct str **)((char *)node + l->list_offset) = list;
	*(size_t *)((char *)node + l->count_offset) = count;
	return ERR_OK;
}

static enum err_code
read_node(struct reading *s, struct str object, struct err *err)
{
	struct junjo_graph *g = s->g;
	struct junjo_node node = {0};
	struct agent_map map;
	struct agent_value v;
	void *list = g->nodes;
	enum err_code code = agent_map_begin(&map, object, err);
	while (!code && agent_map_next(&map, &v, &code, err)) {
		code = agent_fill(node_fields, ARRAY_LEN(node_fields), &v, &node, s->arena, err);
		for (size_t i = 0; !code && i < ARRAY_LEN(node_lists); i++)
			if (str_eq(v.key, node_lists[i].key))
				code = read_ids(s, &v, &node_lists[i], &node, err);
	}
	if (code)
		return code;
	if (node.id.len == 0)
		return err_set(err, ERR_INVALID, "node %zu of the graph has no id",
		    g->node_count + 1);
	if (g->node_count == JUNJO_GRAPH_ITEMS_MAX)
		return too_many("nodes", err);
	if (!agent_grow(s->arena, &list, &s->node_cap, g->node_count, sizeof(node)))
		return agent_too_large(err);
	g->nodes = list;
	g->nodes[g->node_count++] = node;
	return ERR_OK;
}

static enum err_code
read_edge(struct reading *s, struct str object, struct err *err)
{
	struct junjo_graph *g = s->g;
	struct edge_reading e = {0};
	void *list = g->edges;
	enum err_code code =
	    agent_fill_all(edge_fields, ARRAY_LEN(edge_fields), object, &e, s->arena, err);
	if (code)
		return code;
	if (e.edge.source.len == 0 || e.edge.target.len == 0)
		return err_set(err, ERR_INVALID, "edge %zu of the graph does not say its two ends",
		    g->edge_count + 1);
	if (g->edge_count == JUNJO_GRAPH_ITEMS_MAX)
		return too_many("edges", err);
	if (!agent_grow(s->arena, &list, &s->edge_cap, g->edge_count, sizeof(e.edge)))
		return agent_too_large(err);
	e.edge.of_subflow = str_eq(e.scope, STR("subflow"));
	g->edges = list;
	g->edges[g->edge_count++] = e.edge;
	return ERR_OK;
}

static enum err_code
read_list(struct reading *s, const struct agent_value *v, const char *what,
    enum err_code (*read)(struct reading *, struct str, struct err *), struct err *err)
{
	struct json_reader r;
	enum json_token tok;
	if (v->token != JSON_ARRAY)
		return err_set(err, ERR_INVALID, "the graph's %ss are no list", what);
	jsonr_begin(&r, v->raw);
	CHECK(jsonr_next(&r) == JSON_ARRAY);
	for (size_t i = 1; (tok = jsonr_next(&r)) != JSON_ARRAY_END; i++) {
		const char *start = r.at - 1;
		if (!jsonr_skip(&r, tok))
			return no_json(&r, err);
		if (tok != JSON_OBJECT)
			return err_set(err, ERR_INVALID, "%s %zu of the graph is no object", what,
			    i);
		enum err_code code = read(s, str_of(start, (size_t)(r.at - start)), err);
		if (code)
			return code;
	}
	return ERR_OK;
}

static enum err_code
read_member(struct reading *s, const struct agent_value *v, struct err *err)
{
	int64_t version = 0;
	if (str_eq(v->key, STR("nodes")))
		return read_list(s, v, "node", read_node, err);
	if (str_eq(v->key, STR("edges")))
		return read_list(s, v, "edge", read_edge, err);
	if (str_eq(v->key, STR("v"))) {
		if (v->token != JSON_NUMBER || !str_to_i64(v->raw, &version) || version < 1 ||
		    version > 2)
			return err_set(err, ERR_INVALID,
			    "the graph's version is not 1 or 2, the ones that are known here");
		s->g->version = (int)version;
	}
	if (v->token != JSON_STRING)
		return ERR_OK;
	if (str_eq(v->key, STR("graphStructuralId")))
		return agent_text(v, s->arena, &s->g->structural_id, err);
	if (str_eq(v->key, STR("error")))
		return agent_text(v, s->arena, &s->error, err);
	return str_eq(v->key, STR("detail")) ? agent_text(v, s->arena, &s->detail, err) : ERR_OK;
}

enum err_code
junjo_graph_read(struct str json, struct arena *arena, struct junjo_graph *out, struct err *err)
{
	struct reading s = {.arena = arena, .g = out};
	struct json_reader whole;
	struct agent_map map;
	struct agent_value v;
	enum err_code code = ERR_OK;
	*out = (struct junjo_graph){0};
	/* Once over all of it, so that what is read piece by piece is known to be well-formed. */
	jsonr_begin(&whole, json);
	enum json_token tok = jsonr_next(&whole);
	if (!jsonr_skip(&whole, tok) || jsonr_next(&whole) != JSON_END)
		return no_json(&whole, err);
	if (tok != JSON_OBJECT)
		return err_set(err, ERR_INVALID, "the graph is no JSON object");
	code = agent_map_begin(&map, json, err);
	while (!code && agent_map_next(&map, &v, &code, err))
		code = read_member(&s, &v, err);
	if (code)
		return code;
	if (s.error.ptr)
		return err_set(err, ERR_INVALID,
		    "the program could not describe its graph: %.*s%s%.*s", STR_ARG(s.error),
		    s.detail.len ? ": " : "", STR_ARG(s.detail));
	if (out->version == 0)
		return err_set(err, ERR_INVALID, "the graph does not say its version (\"v\")");
	return ERR_OK;
}
