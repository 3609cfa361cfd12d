/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/junjo.h"

#include "agent/agent_priv.h"

/* What junjo_span has no member for, or several of which one counts. */
struct reading {
	struct junjo_span s;
	bool has_version, has_start, has_end;
	int64_t version;
	struct str old_id, old_parent_id, old_definition_id, old_parent_definition_id;
	struct str graph_structure;
	struct str agent_store_id, agent_start, agent_end;
	enum junjo_mode agent_start_mode, agent_end_mode;
	struct str agent_start_reference, agent_end_reference;
};

#define FIELD(key, type, member)                                                                   \
	{STR_INIT(key), type, offsetof(struct reading, member), AGENT_NO_HAS}
#define TEXT(key, member) FIELD(key, AGENT_TEXT, member)
#define MODE(key, member) FIELD(key, AGENT_MODE, member)
#define HAS(key, type, member, has)                                                                \
	{STR_INIT(key), type, offsetof(struct reading, member), offsetof(struct reading, has)}

static const struct agent_field fields[] = {
    HAS("junjo.telemetry.contract_version", AGENT_I64, version, has_version),
    TEXT("junjo.span_type", s.type_text),
    TEXT("junjo.id", old_id),
    TEXT("junjo.parent_id", old_parent_id),
    TEXT("junjo.definition_id", old_definition_id),
    TEXT("junjo.parent_definition_id", old_parent_definition_id),
    TEXT("junjo.executable_runtime_id", s.id),
    TEXT("junjo.executable_definition_id", s.definition_id),
    TEXT("junjo.executable_structural_id", s.structural_id),
    TEXT("junjo.parent_executable_runtime_id", s.parent_id),
    TEXT("junjo.parent_executable_definition_id", s.parent_definition_id),
    TEXT("junjo.parent_executable_structural_id", s.parent_structural_id),
    TEXT("junjo.parent_executable_type", s.parent_type),
    TEXT("junjo.enclosing_graph_structural_id", s.enclosing_graph_id),
    TEXT("junjo.workflow.store.id", s.store_id),
    TEXT("junjo.workflow.parent_store.id", s.parent_store_id),
    TEXT("junjo.workflow.state.start", s.state_start),
    MODE("junjo.workflow.state.start.mode", s.state_start_mode),
    TEXT("junjo.workflow.state.start.reference", s.state_start_reference),
    TEXT("junjo.workflow.state.end", s.state_end),
    MODE("junjo.workflow.state.end.mode", s.state_end_mode),
    TEXT("junjo.workflow.state.end.reference", s.state_end_reference),
    TEXT("junjo.workflow.execution_graph_snapshot", s.graph),
    TEXT("junjo.workflow.graph_structure", graph_structure),
    HAS("junjo.workflow.node.count", AGENT_I64, s.node_count, s.has_node_count),
    HAS("junjo.store.revision.start", AGENT_I64, s.revision_start, has_start),
    HAS("junjo.store.revision.end", AGENT_I64, s.revision_end, has_end),
    HAS("junjo.store.transition.count", AGENT_I64, s.transition_count, s.has_transition_count),
    HAS("junjo.store.reconstructable", AGENT_BOOL, s.reconstructable, s.has_reconstructable),
    TEXT("error.type", s.error_type),
    FIELD("junjo.cancelled", AGENT_BOOL, s.cancelled),
    TEXT("junjo.cancelled_reason", s.cancelled_reason),
    TEXT("junjo.correlation.type", s.correlation_type),
    TEXT("junjo.correlation.id", s.correlation_id),
    TEXT("junjo.agent.key", s.agent_key),
    TEXT("junjo.agent.name", s.agent_name),
    TEXT("junjo.agent.runtime_id", s.agent_runtime_id),
    TEXT("junjo.agent.outcome", s.outcome),
    TEXT("junjo.agent.termination_reason", s.termination_reason),
    TEXT("junjo.agent.operation_type", s.operation_type),
    HAS("junjo.agent.operation.sequence", AGENT_I64, s.operation_sequence,
        s.has_operation_sequence),
    TEXT("junjo.agent.store.id", agent_store_id),
    TEXT("junjo.agent.state.start", agent_start),
    MODE("junjo.agent.state.start.mode", agent_start_mode),
    TEXT("junjo.agent.state.start.reference", agent_start_reference),
    TEXT("junjo.agent.state.end", agent_end),
    MODE("junjo.agent.state.end.mode", agent_end_mode),
    TEXT("junjo.agent.state.end.reference", agent_end_reference),
    TEXT("junjo.workflow_id", s.legacy_workflow_id),
    TEXT("node.id", s.legacy_node_id),
};

static enum junjo_type
type_of(struct str text)
{
	static const struct {
		struct str name;
		enum junjo_type type;
	} types[] = {
	    {STR_INIT("workflow"), JUNJO_WORKFLOW},
	    {STR_INIT("subflow"), JUNJO_SUBFLOW},
	    {STR_INIT("node"), JUNJO_NODE},
	    {STR_INIT("run_concurrent"), JUNJO_RUN_CONCURRENT},
	    {STR_INIT("agent"), JUNJO_AGENT},
	};
	if (text.len == 0)
		return JUNJO_NONE;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq(text, types[i].name))
			return types[i].type;
	return JUNJO_OTHER;
}

static void
take_other(struct str *into, struct str other)
{
	if (!into->ptr)
		*into = other;
}

/* An agent owns a store as a workflow does, under names of its own. */
static void
take_agent(struct reading *r)
{
	struct junjo_span *s = &r->s;
	take_other(&s->store_id, r->agent_store_id);
	if (!s->state_start.ptr && !s->state_start_reference.ptr && s->type == JUNJO_AGENT) {
		s->state_start = r->agent_start;
		s->state_start_mode = r->agent_start_mode;
		s->state_start_reference = r->agent_start_reference;
	}
	if (!s->state_end.ptr && !s->state_end_reference.ptr && s->type == JUNJO_AGENT) {
		s->state_end = r->agent_end;
		s->state_end_mode = r->agent_end_mode;
		s->state_end_reference = r->agent_end_reference;
	}
}

static void
settle(struct reading *r)
{
	struct junjo_span *s = &r->s;
	if (r->has_version)
		s->generation = r->version >= 2 ? 3 : 2;
	else
		s->generation = s->id.ptr || s->definition_id.ptr || s->structural_id.ptr ? 2 : 1;
	s->type = type_of(s->type_text);
	s->has_revisions = r->has_start && r->has_end;
	take_other(&s->id, r->old_id);
	take_other(&s->parent_id, r->old_parent_id);
	take_other(&s->definition_id, r->old_definition_id);
	take_other(&s->parent_definition_id, r->old_parent_definition_id);
	take_other(&s->graph, r->graph_structure);
	take_agent(r);
}

enum err_code
junjo_read(struct str typed_attributes, struct arena *arena, struct junjo_span *out,
    struct err *err)
{
	static const struct str mark = STR_INIT("junjo.");
	struct reading r = {0};
	struct agent_map map;
	struct agent_value v;
	bool is_junjo = false;
	*out = (struct junjo_span){0};
	if (!agent_mentions(typed_attributes, STR("\"junjo.")))
		return ERR_OK;
	enum err_code code = agent_map_begin(&map, typed_attributes, err);
	while (!code && agent_map_next(&map, &v, &code, err)) {
		is_junjo = is_junjo || str_starts(v.key, mark);
		code = agent_fill(fields, ARRAY_LEN(fields), &v, &r, arena, err);
	}
	if (code || !is_junjo)
		return code;
	r.s.is_junjo = true;
	settle(&r);
	*out = r.s;
	return ERR_OK;
}

/* ---- events */

struct patch_reading {
	struct junjo_patch p;
	bool has_before, has_after;
};

#undef FIELD
#undef HAS
#define FIELD(key, type, member)                                                                   \
	{STR_INIT(key), type, offsetof(struct patch_reading, member), AGENT_NO_HAS}
#define HAS(key, type, member, has)                                                                \
	{STR_INIT(key), type, offsetof(struct patch_reading, member),                              \
	    offsetof(struct patch_reading, has)}

static const struct agent_field patch_fields[] = {
    TEXT("id", p.id),
    TEXT("junjo.store.id", p.store_id),
    TEXT("junjo.store.name", p.store_name),
    TEXT("junjo.store.action", p.action),
    TEXT("junjo.state_json_patch", p.patch),
    MODE("junjo.state_json_patch.mode", p.mode),
    TEXT("junjo.state_json_patch.reference", p.reference),
    HAS("junjo.store.transition.sequence", AGENT_I64, p.sequence, p.has_sequence),
    HAS("junjo.store.revision.before", AGENT_I64, p.revision_before, has_before),
    HAS("junjo.store.revision.after", AGENT_I64, p.revision_after, has_after),
};

#undef FIELD
#define FIELD(key, type, member)                                                                   \
	{STR_INIT(key), type, offsetof(struct junjo_exception, member), AGENT_NO_HAS}

static const struct agent_field exception_fields[] = {
    TEXT("exception.type", type),
    TEXT("exception.message", message),
    TEXT("exception.stacktrace", stacktrace),
};

struct collecting {
	struct arena *arena;
	struct junjo_patches *patches;
	struct junjo_exceptions *exceptions;
	size_t cap;
};

static enum err_code
collect_patch(void *ctx, const struct agent_event *event, struct err *err)
{
	struct collecting *c = ctx;
	struct patch_reading r = {.p = {.ordinal = event->ordinal, .time_ns = event->time_ns}};
	void *list = c->patches->list;
	if (!str_eq(event->name, STR("set_state")))
		return ERR_OK;
	enum err_code code = agent_fill_all(patch_fields, ARRAY_LEN(patch_fields),
	    event->attributes, &r, c->arena, err);
	if (code)
		return code;
	if (!agent_grow(c->arena, &list, &c->cap, c->patches->count, sizeof(r.p)))
		return agent_too_large(err);
	r.p.has_revisions = r.has_before && r.has_after;
	c->patches->list = list;
	c->patches->list[c->patches->count++] = r.p;
	return ERR_OK;
}

enum err_code
junjo_patches(struct str typed_events, struct arena *arena, struct junjo_patches *out,
    struct err *err)
{
	struct collecting c = {.arena = arena, .patches = out};
	*out = (struct junjo_patches){0};
	if (!agent_mentions(typed_events, STR("\"set_state\"")))
		return ERR_OK;
	return agent_each_event(typed_events, arena, collect_patch, &c, err);
}

static enum err_code
collect_exception(void *ctx, const struct agent_event *event, struct err *err)
{
	struct collecting *c = ctx;
	struct junjo_exception e = {.ordinal = event->ordinal, .time_ns = event->time_ns};
	void *list = c->exceptions->list;
	if (!str_eq(event->name, STR("exception")))
		return ERR_OK;
	enum err_code code = agent_fill_all(exception_fields, ARRAY_LEN(exception_fields),
	    event->attributes, &e, c->arena, err);
	if (code)
		return code;
	if (!agent_grow(c->arena, &list, &c->cap, c->exceptions->count, sizeof(e)))
		return agent_too_large(err);
	c->exceptions->list = list;
	c->exceptions->list[c->exceptions->count++] = e;
	return ERR_OK;
}

enum err_code
junjo_exceptions(struct str typed_events, struct arena *arena, struct junjo_exceptions *out,
    struct err *err)
{
	struct collecting c = {.arena = arena, .exceptions = out};
	*out = (struct junjo_exceptions){0};
	if (!agent_mentions(typed_events, STR("\"exception\"")))
		return ERR_OK;
	return agent_each_event(typed_events, arena, collect_exception, &c, err);
}

bool
junjo_is_own_key(struct str key)
{
	static const struct str keys[] = {
	    STR_INIT("junjo.workflow_id"),
	    STR_INIT("node.id"),
	    STR_INIT("junjo.id"),
	    STR_INIT("junjo.parent_id"),
	    STR_INIT("junjo.span_type"),
	    STR_INIT("junjo.workflow.state.start"),
	    STR_INIT("junjo.workflow.state.end"),
	    STR_INIT("junjo.workflow.graph_structure"),
	    STR_INIT("junjo.workflow.store.id"),
	};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
}
