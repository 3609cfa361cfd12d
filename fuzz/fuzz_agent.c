/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AI programs say of themselves: the input is, up to its first byte 0, the attributes of a span as typed JSON, and
 * behind it its events; also a graph, and a file of prices. Whatever it is, each reader says so or gives what points into
 * the input or the arena, within its bounds, and a call of a model meets one of the conditions that the store is asked for.
 */
#include "agent/graph.h"
#include "agent/junjo.h"
#include "agent/llm.h"
#include "agent/prices.h"
#include "base/utf8.h"
#include "wire/json_read.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES_MAX = 64 << 20 };

/* Touches every byte, and sees that it is text. */
static void
look_at(struct str s)
{
	CHECK(s.ptr || s.len == 0);
	CHECK(utf8_valid(s));
}

static void
check_code(enum err_code code, const struct err *err)
{
	CHECK(code == ERR_OK || code == ERR_CORRUPT || code == ERR_TOO_LARGE ||
	    code == ERR_INVALID);
	CHECK(code == ERR_OK || err->message[0]);
}

static void
read_junjo(struct str attributes, struct str events, struct arena *arena)
{
	struct err err = {0};
	struct junjo_span s;
	struct junjo_patches p;
	struct junjo_exceptions e;
	enum err_code code = junjo_read(attributes, arena, &s, &err);
	check_code(code, &err);
	if (code == ERR_OK) {
		CHECK(s.is_junjo == (s.generation != 0));
		look_at(s.id);
		look_at(s.state_start);
		look_at(s.graph);
	}
	code = junjo_patches(events, arena, &p, &err);
	check_code(code, &err);
	for (size_t i = 0; code == ERR_OK && i < p.count; i++) {
		CHECK(i == 0 || p.list[i].ordinal > p.list[i - 1].ordinal);
		look_at(p.list[i].patch);
	}
	code = junjo_exceptions(events, arena, &e, &err);
	check_code(code, &err);
	for (size_t i = 0; code == ERR_OK && i < e.count; i++)
		look_at(e.list[i].message);
}

static void
read_graph(struct str text, struct arena *arena)
{
	struct err err = {0};
	struct junjo_graph g;
	enum err_code code = junjo_graph_read(text, arena, &g, &err);
	check_code(code, &err);
	CHECK(code != ERR_CORRUPT);
	if (code != ERR_OK)
		return;
	CHECK(g.node_count <= JUNJO_GRAPH_ITEMS_MAX && g.edge_count <= JUNJO_GRAPH_ITEMS_MAX);
	for (size_t i = 0; i < g.node_count; i++) {
		CHECK(g.nodes[i].id.len > 0);
		look_at(g.nodes[i].label);
		for (size_t k = 0; k < g.nodes[i].child_count; k++)
			look_at(g.nodes[i].children[k]);
	}
	for (size_t i = 0; i < g.edge_count; i++)
		CHECK(g.edges[i].source.len > 0 && g.edges[i].target.len > 0);
}

/* At the top level, by a reader of its own. */
static bool
meets_a_condition(struct str attributes)
{
	struct json_reader r;
	bool met = false;
	jsonr_begin(&r, attributes);
	if (jsonr_next(&r) != JSON_OBJECT)
		return false;
	while (jsonr_next(&r) == JSON_KEY) {
		struct str key = r.raw;
		enum json_token tok = jsonr_next(&r);
		for (size_t i = 0; i < LLM_CONDITIONS; i++) {
			const char *value = llm_conditions[i].value;
			met = met ||
			    (str_eq(key, str_from(llm_conditions[i].key)) &&
			        (!value || (tok == JSON_STRING && str_eq(r.raw, str_from(value)))));
		}
		if (!jsonr_skip(&r, tok))
			break;
	}
	return met;
}

static void
check_messages(const struct llm_message *list, size_t count)
{
	CHECK(count <= LLM_MESSAGES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct json_reader r;
		look_at(list[i].role);
		look_at(list[i].content);
		if (!list[i].tool_calls.ptr)
			continue;
		jsonr_begin(&r, list[i].tool_calls);
		CHECK(jsonr_next(&r) == JSON_ARRAY);
		CHECK(jsonr_skip(&r, JSON_ARRAY));
		CHECK(jsonr_next(&r) == JSON_END);
	}
}

static void
read_llm(struct str attributes, struct str events, struct arena *arena, const struct prices *prices)
{
	struct err err = {0};
	struct llm_call c;
	struct llm_messages m;
	double cost;
	enum err_code code = llm_read(attributes, events, arena, &c, &err);
	check_code(code, &err);
	if (code == ERR_OK) {
		CHECK(!c.is_llm || c.kind != LLM_NONE);
		CHECK(!c.is_llm || meets_a_condition(attributes));
		look_at(c.provider);
		look_at(c.finish_reason);
		CHECK(!prices_cost(prices, &c, &cost) || cost >= 0);
	}
	code = llm_read_messages(attributes, events, arena, &m, &err);
	check_code(code, &err);
	if (code != ERR_OK)
		return;
	check_messages(m.in, m.in_count);
	check_messages(m.out, m.out_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct prices *built_in;
	struct arena arena;
	struct err err = {0};
	struct prices *prices = NULL;
	struct str all = str_of(data, size), attributes = all, events = {0};
	if (!built_in)
		CHECK(prices_new(STR_EMPTY, &built_in, &err) == ERR_OK);
	size_t end = str_find(all, '\0');
	if (end < all.len) {
		attributes = str_of(all.ptr, end);
		events = str_skip(all, end + 1);
	}
	arena_init(&arena, ARENA_BYTES_MAX, 0);
	read_junjo(attributes, events, &arena);
	read_graph(all, &arena);
	read_llm(attributes, events, &arena, built_in);
	enum err_code code = prices_new(all, &prices, &err);
	check_code(code, &err);
	CHECK((code == ERR_OK) == (prices != NULL));
	prices_free(prices);
	arena_fini(&arena);
	return 0;
}
