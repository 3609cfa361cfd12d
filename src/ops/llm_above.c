/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/llm.h"

#include "agent/junjo.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/timefmt.h"

#include <stdlib.h>

enum {
	NAMES_MAX = 5000,
	ASK_ABOVE = 0, /* as a name: the span says nothing, the one above it may */
	NAMELESS, /* an agent without one */
	FIRST_NAME, /* names[0] */
	WAYS_UP_MAX = 1000, /* spans may be above each other in a circle */
};

struct above {
	uint64_t trace_hi, trace_lo, id, parent;
	uint32_t name;
};

struct ops_llm_above {
	const struct op_context *ctx;
	struct store_query q;
	size_t page;
	uint64_t read_ns; /* all that began then or later is here */
	const char *partial; /* no more is read */
	struct above *list;
	size_t count, cap;
	struct map index; /* hash of the ids -> place in list */
	struct str *names; /* owned */
	size_t name_count;
	struct map name_index;
};

/* What a span between a call and its agent says, whatever the dialect: it has one of these. */
static void
ask_for_any(struct store_query *q)
{
	static const char *const keys[] = {"openinference.span.kind", "traceloop.span.kind",
	    "gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.agent.id", "agent.name",
	    "junjo.span_type", "junjo.agent.operation_type"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		q->attrs[q->attr_count++] = (struct store_attr){
		    .key = str_from(keys[i]), .op = STORE_ATTR_HAS, .of = STORE_ATTR_OF_ITEM};
	q->any_count = ARRAY_LEN(keys);
}

static uint64_t
hour_before(uint64_t ns)
{
	const uint64_t back_ns = LLM_ABOVE_HOURS * UINT64_C(3600) * NS_PER_S;
	return ns > back_ns ? ns - back_ns : 0;
}

struct ops_llm_above *
ops_llm_above_new(const struct op_context *ctx, const struct store_query *q)
{
	struct ops_llm_above *a = xcalloc(1, sizeof(*a));
	a->ctx = ctx;
	a->page = LLM_PAGE_ROWS;
	a->read_ns = UINT64_MAX;
	a->q = (struct store_query){.kind = STORE_SPANS,
	    .tenant = q->tenant,
	    .from_ns = hour_before(q->from_ns),
	    .to_ns = q->to_ns,
	    .has_trace_id = q->has_trace_id,
	    .trace_hi = q->trace_hi,
	    .trace_lo = q->trace_lo,
	    .deadline_mono_ns = q->deadline_mono_ns};
	/* On a later page: what began behind its first call is above none of them. */
	if (q->after.set && q->after.time_ns < a->q.to_ns)
		a->q.to_ns = q->after.time_ns + 1;
	ask_for_any(&a->q);
	return a;
}

void
ops_llm_above_free(struct ops_llm_above *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->name_count; i++)
		free((char *)a->names[i].ptr);
	free(a->names);
	free(a->list);
	map_fini(&a->index);
	map_fini(&a->name_index);
	free(a);
}

const char *
ops_llm_above_partial(const struct ops_llm_above *a)
{
	return a->partial;
}

/* ---- what is kept */

static uint64_t
hash_ids(const struct ops_llm_above *a, uint64_t hi, uint64_t lo, uint64_t id)
{
	const uint64_t ids[] = {hi, lo, id};
	return hash_u64_seed(str_of((const char *)ids, sizeof(ids)), a->ctx->random[0]);
}

/* Those with the same hash stand behind one another; *key_out: where the next one goes. */
static const struct above *
find(const struct ops_llm_above *a, uint64_t hi, uint64_t lo, uint64_t id, uint64_t *key_out)
{
	uint64_t key = hash_ids(a, hi, lo, id), *at;
	for (; (at = map_get(&a->index, key)) != NULL; key++) {
		const struct above *s = &a->list[*at];
		if (s->trace_hi == hi && s->trace_lo == lo && s->id == id)
			return s;
	}
	*key_out = key;
	return NULL;
}

static uint32_t
number_of_name(struct ops_llm_above *a, struct str name)
{
	uint64_t key = hash_u64_seed(name, a->ctx->random[0]), *at;
	for (; (at = map_get(&a->name_index, key)) != NULL; key++)
		if (str_eq(a->names[*at], name))
			return (uint32_t)*at + FIRST_NAME;
	if (a->name_count == NAMES_MAX) {
		a->partial = "there are too many agents: of older calls they are not known";
		return NAMELESS;
	}
	if (!a->names)
		a->names = xcalloc(NAMES_MAX, sizeof(*a->names));
	char *copy = xcalloc(1, name.len + 1);
	memcpy(copy, name.ptr, name.len);
	CHECK(map_put(&a->name_index, key, a->name_count));
	a->names[a->name_count] = str_of(copy, name.len);
	return (uint32_t)a->name_count++ + FIRST_NAME;
}

static void
keep(struct ops_llm_above *a, const struct table *t, size_t row, uint32_t name)
{
	uint64_t hi = table_u64(t, row, SPAN_TRACE_HI), lo = table_u64(t, row, SPAN_TRACE_LO);
	uint64_t id = table_u64(t, row, SPAN_SPAN_ID), key;
	if (find(a, hi, lo, id, &key))
		return;
	if (a->count == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 256;
		a->list = xrealloc(a->list, a->cap * sizeof(*a->list));
	}
	CHECK(map_put(&a->index, key, a->count));
	a->list[a->count++] = (struct above){hi, lo, id, table_u64(t, row, SPAN_PARENT_ID), name};
}

static enum err_code
keep_row(struct ops_llm_above *a, const struct table *t, size_t row, struct arena *arena,
    struct err *err)
{
	struct str attributes = table_str(t, row, SPAN_ATTRIBUTES), name;
	struct junjo_span junjo;
	struct llm_call call;
	enum err_code code = junjo_read(attributes, arena, &junjo, err);
	if (!code)
		code = llm_read(attributes, STR_EMPTY, arena, &call, err);
	if (code)
		return code;
	uint32_t number = ASK_ABOVE;
	if (llm_names_agent(&call, &junjo, table_str(t, row, SPAN_NAME), &name))
		number = name.len > 0 ? number_of_name(a, name) : NAMELESS;
	keep(a, t, row, number);
	return ERR_OK;
}

/* ---- reading */

static enum err_code
keep_page(struct ops_llm_above *a, const struct store_result *r, struct err *err)
{
	const struct table *t = &r->rows;
	for (size_t row = 0; row < t->row_count; row++) {
		struct arena_mark mark = arena_mark(r->arena);
		enum err_code code = keep_row(a, t, row, r->arena, err);
		arena_rewind(r->arena, mark);
		if (code)
			return code;
		a->read_ns = table_u64(t, row, SPAN_START_NS);
		a->q.after = (struct store_cursor){.time_ns = a->read_ns,
		    .seq = table_u64(t, row, SPAN_SEQ),
		    .ord = table_u32(t, row, SPAN_ORD),
		    .set = true};
	}
	if (!r->more)
		a->read_ns = 0;
	return ERR_OK;
}

/* A page more. What stands in its way is no error: calls without an agent are known all the same. */
static enum err_code
read_page(struct ops_llm_above *a, struct err *err)
{
	struct arena *arena = a->ctx->arena;
	struct arena_mark mark = arena_mark(arena);
	struct store_result r;
	a->q.row_max = a->page;
	enum err_code code = store_query(a->ctx->store, &a->q, arena, &r, err);
	if (!code)
		code = keep_page(a, &r, err);
	arena_rewind(arena, mark);
	if (code == ERR_TOO_LARGE && a->page > 1) {
		a->page = a->page > 4 ? a->page / 4 : 1;
		return ERR_OK;
	}
	a->page = a->page * 2 < LLM_PAGE_ROWS ? a->page * 2 : LLM_PAGE_ROWS;
	if (code == ERR_TOO_LARGE)
		a->partial =
		    "a span above calls is too large: of older calls the agents are not known";
	else if (code == ERR_DEADLINE)
		a->partial = "the time of a query is over: the agents of older calls are not known";
	return code == ERR_TOO_LARGE || code == ERR_DEADLINE ? ERR_OK : code;
}

/* All that began at this time or later. */
static enum err_code
read_down_to(struct ops_llm_above *a, uint64_t ns, struct err *err)
{
	enum err_code code = ERR_OK;
	while (!code && !a->partial && a->read_ns > 0 && a->read_ns >= ns) {
		if (a->count >= LLM_ABOVE_MAX)
			a->partial =
			    "there are too many spans above calls: the agents of older calls are "
			    "not known";
		else if (ops_llm_late(a->ctx))
			a->partial =
			    "most of the time of a query is over: the agents of older calls are not known";
		else
			code = read_page(a, err);
	}
	return code;
}

enum err_code
ops_llm_above_agent(struct ops_llm_above *a, const struct table *page, size_t row, struct str *out,
    struct err *err)
{
	uint64_t hi = table_u64(page, row, SPAN_TRACE_HI);
	uint64_t lo = table_u64(page, row, SPAN_TRACE_LO);
	uint64_t id = table_u64(page, row, SPAN_PARENT_ID), key;
	uint64_t oldest_ns = table_u64(page, page->row_count - 1, SPAN_START_NS);
	*out = STR_EMPTY;
	if (id == 0)
		return ERR_OK;
	enum err_code code = read_down_to(a, hour_before(oldest_ns), err);
	for (int i = 0; !code && i < WAYS_UP_MAX && id != 0; i++) {
		const struct above *s = find(a, hi, lo, id, &key);
		if (!s || s->name == NAMELESS)
			break;
		if (s->name != ASK_ABOVE) {
			*out = a->names[s->name - FIRST_NAME];
			break;
		}
		id = s->parent;
	}
	return code;
}
