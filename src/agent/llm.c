/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/llm.h"

#include "agent/agent_priv.h"
#include "agent/junjo.h"

#include <math.h>

/* Dollars: what is more is no cost, and a million of them have a sum. */
#define COST_MAX 1e12

const struct llm_condition llm_conditions[LLM_CONDITIONS] = {
    {"openinference.span.kind", "LLM"},
    {"openinference.span.kind", "EMBEDDING"},
    {"gen_ai.operation.name", NULL},
    {"gen_ai.provider.name", NULL},
    {"gen_ai.system", NULL},
    {"llm.request.type", NULL},
    {"llm.model_name", NULL},
};

/* What a key tells of. */
enum fact {
	OI_KIND,
	OPERATION,
	REQUEST_TYPE,
	TRACELOOP_KIND,
	ENTITY,
	PROVIDER,
	REQUEST_MODEL,
	RESPONSE_MODEL,
	INPUT_TOKENS,
	OUTPUT_TOKENS,
	TOTAL_TOKENS,
	CACHED_TOKENS,
	CACHE_WRITE_TOKENS,
	REASONING_TOKENS,
	COST,
	INPUT_COST,
	OUTPUT_COST,
	FIRST_TOKEN,
	FINISH_REASON,
	TEMPERATURE,
	PARAMETERS,
	AGENT,
	CONVERSATION,
	TOOL,
	TOOL_CALL,
	ERROR_TYPE,
	FACTS
};

/* Of several keys that tell of one fact the first in the table counts. */
static const struct {
	struct str key;
	enum fact fact;
} sources[] = {
    {STR_INIT("openinference.span.kind"), OI_KIND},
    {STR_INIT("gen_ai.operation.name"), OPERATION},
    {STR_INIT("llm.request.type"), REQUEST_TYPE},
    {STR_INIT("traceloop.span.kind"), TRACELOOP_KIND},
    {STR_INIT("traceloop.entity.name"), ENTITY},
    {STR_INIT("gen_ai.provider.name"), PROVIDER},
    {STR_INIT("gen_ai.system"), PROVIDER},
    {STR_INIT("llm.provider"), PROVIDER},
    {STR_INIT("llm.system"), PROVIDER},
    {STR_INIT("gen_ai.request.model"), REQUEST_MODEL},
    {STR_INIT("llm.request.model_name"), REQUEST_MODEL},
    {STR_INIT("llm.model_name"), REQUEST_MODEL},
    {STR_INIT("embedding.model_name"), REQUEST_MODEL},
    {STR_INIT("gen_ai.response.model"), RESPONSE_MODEL},
    {STR_INIT("llm.response.model_name"), RESPONSE_MODEL},
    {STR_INIT("gen_ai.usage.input_tokens"), INPUT_TOKENS},
    {STR_INIT("gen_ai.usage.prompt_tokens"), INPUT_TOKENS},
    {STR_INIT("llm.token_count.prompt"), INPUT_TOKENS},
    {STR_INIT("llm.usage.prompt_tokens"), INPUT_TOKENS},
    {STR_INIT("gen_ai.usage.output_tokens"), OUTPUT_TOKENS},
    {STR_INIT("gen_ai.usage.completion_tokens"), OUTPUT_TOKENS},
    {STR_INIT("llm.token_count.completion"), OUTPUT_TOKENS},
    {STR_INIT("llm.usage.completion_tokens"), OUTPUT_TOKENS},
    {STR_INIT("gen_ai.usage.total_tokens"), TOTAL_TOKENS},
    {STR_INIT("llm.usage.total_tokens"), TOTAL_TOKENS},
    {STR_INIT("llm.token_count.total"), TOTAL_TOKENS},
    {STR_INIT("gen_ai.usage.cache_read.input_tokens"), CACHED_TOKENS},
    {STR_INIT("gen_ai.usage.cache_read_input_tokens"), CACHED_TOKENS},
    {STR_INIT("llm.token_count.prompt_details.cache_read"), CACHED_TOKENS},
    {STR_INIT("gen_ai.usage.cache_creation.input_tokens"), CACHE_WRITE_TOKENS},
    {STR_INIT("gen_ai.usage.cache_creation_input_tokens"), CACHE_WRITE_TOKENS},
    {STR_INIT("llm.token_count.prompt_details.cache_write"), CACHE_WRITE_TOKENS},
    {STR_INIT("gen_ai.usage.reasoning.output_tokens"), REASONING_TOKENS},
    {STR_INIT("gen_ai.usage.reasoning_tokens"), REASONING_TOKENS},
    {STR_INIT("llm.usage.reasoning_tokens"), REASONING_TOKENS},
    {STR_INIT("llm.token_count.completion_details.reasoning"), REASONING_TOKENS},
    {STR_INIT("llm.cost.total"), COST},
    {STR_INIT("gen_ai.usage.cost"), COST},
    {STR_INIT("llm.cost.prompt"), INPUT_COST},
    {STR_INIT("gen_ai.usage.input_cost"), INPUT_COST},
    {STR_INIT("llm.cost.completion"), OUTPUT_COST},
    {STR_INIT("gen_ai.usage.output_cost"), OUTPUT_COST},
    {STR_INIT("gen_ai.response.time_to_first_chunk"), FIRST_TOKEN},
    {STR_INIT("gen_ai.server.time_to_first_token"), FIRST_TOKEN},
    {STR_INIT("gen_ai.response.finish_reasons"), FINISH_REASON},
    {STR_INIT("llm.response.finish_reason"), FINISH_REASON},
    {STR_INIT("llm.response.stop_reason"), FINISH_REASON},
    {STR_INIT("llm.finish_reason"), FINISH_REASON},
    {STR_INIT("gen_ai.completion.0.finish_reason"), FINISH_REASON},
    {STR_INIT("gen_ai.request.temperature"), TEMPERATURE},
    {STR_INIT("llm.request.temperature"), TEMPERATURE},
    {STR_INIT("llm.invocation_parameters"), PARAMETERS},
    {STR_INIT("gen_ai.agent.name"), AGENT},
    {STR_INIT("agent.name"), AGENT},
    {STR_INIT("gen_ai.agent.id"), AGENT},
    {STR_INIT("gen_ai.conversation.id"), CONVERSATION},
    {STR_INIT("session.id"), CONVERSATION},
    {STR_INIT("traceloop.association.properties.session_id"), CONVERSATION},
    {STR_INIT("traceloop.association.properties.conversation_id"), CONVERSATION},
    {STR_INIT("traceloop.association.properties.chat_id"), CONVERSATION},
    {STR_INIT("gen_ai.tool.name"), TOOL},
    {STR_INIT("tool.name"), TOOL},
    {STR_INIT("gen_ai.tool.call.id"), TOOL_CALL},
    {STR_INIT("tool_call.id"), TOOL_CALL},
    {STR_INIT("error.type"), ERROR_TYPE},
};

struct reading {
	struct agent_value facts[FACTS]; /* token JSON_ERROR: nothing was said */
	size_t ranks[FACTS];
	bool has_model_name; /* llm.model_name */
	struct arena *arena;
	struct llm_call *call;
};

static void
take(struct reading *r, const struct agent_value *v)
{
	if (v->token == JSON_STRING && str_eq(v->key, STR("llm.model_name")))
		r->has_model_name = v->raw.len > 0;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		enum fact f = sources[i].fact;
		if (!str_eq(sources[i].key, v->key))
			continue;
		if (r->facts[f].token == JSON_ERROR || i <= r->ranks[f]) {
			r->facts[f] = *v;
			r->ranks[f] = i;
		}
		return;
	}
}

static bool
has(const struct reading *r, enum fact f)
{
	const struct agent_value *v = &r->facts[f];
	return v->token != JSON_ERROR && !(v->token == JSON_STRING && v->raw.len == 0);
}

static bool
is_text(const struct reading *r, enum fact f, const char *text)
{
	const struct agent_value *v = &r->facts[f];
	return v->token == JSON_STRING && str_eq(v->raw, str_from(text));
}

static bool
is_one_of(const struct reading *r, enum fact f, const char *const *names)
{
	for (; *names; names++)
		if (is_text(r, f, *names))
			return true;
	return false;
}

/* ---- what the span is about */

static void
decide(struct llm_call *c, enum llm_kind kind, bool is_llm)
{
	c->kind = kind;
	c->is_llm = is_llm;
}

static bool
decide_by_openinference(const struct reading *r, struct llm_call *c)
{
	if (is_text(r, OI_KIND, "LLM"))
		decide(c, LLM_CHAT, true);
	else if (is_text(r, OI_KIND, "EMBEDDING"))
		decide(c, LLM_EMBEDDINGS, true);
	else if (is_text(r, OI_KIND, "TOOL"))
		decide(c, LLM_TOOL, false);
	else if (is_text(r, OI_KIND, "AGENT"))
		decide(c, LLM_AGENT, false);
	else
		return false;
	return true;
}

static bool
decide_by_operation(const struct reading *r, struct llm_call *c)
{
	static const char *const chat[] = {"chat", "text_completion", "generate_content", NULL};
	static const char *const agent[] = {
	    "invoke_agent", "create_agent", "invoke_workflow", NULL};
	bool of_model = has(r, REQUEST_MODEL) || has(r, RESPONSE_MODEL) || has(r, INPUT_TOKENS) ||
	    has(r, OUTPUT_TOKENS);
	if (!has(r, OPERATION) || r->facts[OPERATION].token != JSON_STRING)
		return false;
	if (is_one_of(r, OPERATION, chat))
		decide(c, LLM_CHAT, true);
	else if (is_text(r, OPERATION, "embeddings"))
		decide(c, LLM_EMBEDDINGS, true);
	else if (is_text(r, OPERATION, "execute_tool"))
		decide(c, LLM_TOOL, false);
	else if (is_one_of(r, OPERATION, agent))
		decide(c, LLM_AGENT, false);
	else
		decide(c, of_model ? LLM_CHAT : LLM_OTHER, of_model);
	return true;
}

static bool
decide_by_request_type(const struct reading *r, struct llm_call *c)
{
	if (r->facts[REQUEST_TYPE].token != JSON_STRING)
		return false;
	enum llm_kind kind = LLM_CHAT;
	if (is_text(r, REQUEST_TYPE, "embedding"))
		kind = LLM_EMBEDDINGS;
	else if (is_text(r, REQUEST_TYPE, "rerank"))
		kind = LLM_OTHER;
	decide(c, kind, true);
	return true;
}

/* The names of OpenInference's providers alone do not make a call: they are read for such spans only. */
static bool
decide_by_provider(const struct reading *r, struct llm_call *c)
{
	const struct agent_value *v = &r->facts[PROVIDER];
	bool of_model = has(r, REQUEST_MODEL) || has(r, RESPONSE_MODEL);
	if (v->token != JSON_STRING || v->raw.len == 0 || !str_starts(v->key, STR("gen_ai.")))
		return false;
	if (has(r, TOOL) && !of_model)
		decide(c, LLM_TOOL, false);
	else if (has(r, AGENT) && !of_model)
		decide(c, LLM_AGENT, false);
	else
		decide(c, LLM_CHAT, true);
	return true;
}

static void
decide_kind(const struct reading *r, struct llm_call *c)
{
	if (decide_by_openinference(r, c) || decide_by_operation(r, c) ||
	    decide_by_request_type(r, c) || decide_by_provider(r, c))
		return;
	if (is_text(r, TRACELOOP_KIND, "tool"))
		decide(c, LLM_TOOL, false);
	else if (is_text(r, TRACELOOP_KIND, "agent"))
		decide(c, LLM_AGENT, false);
	else if (has(r, TRACELOOP_KIND) || has(r, OI_KIND))
		decide(c, LLM_OTHER, false);
	else if (r->has_model_name)
		decide(c, LLM_CHAT, true);
}

static enum llm_run
run_of(const struct reading *r, enum llm_kind kind)
{
	if (is_text(r, OPERATION, "invoke_workflow") || is_text(r, TRACELOOP_KIND, "workflow"))
		return LLM_RUN_WORKFLOW;
	if (is_text(r, OPERATION, "invoke_agent") || is_text(r, OI_KIND, "AGENT") ||
	    is_text(r, TRACELOOP_KIND, "agent"))
		return LLM_RUN_AGENT;
	if (kind == LLM_AGENT && !is_text(r, OPERATION, "create_agent"))
		return LLM_RUN_AGENT;
	return is_text(r, OI_KIND, "CHAIN") ? LLM_RUN_CHAIN : LLM_NO_RUN;
}

/* ---- its facts */

static enum err_code
text_of(const struct reading *r, enum fact f, struct str *out, struct err *err)
{
	if (r->facts[f].token != JSON_STRING)
		return ERR_OK;
	return agent_text(&r->facts[f], r->arena, out, err);
}

/* Programs in JavaScript send whole numbers as doubles. */
static bool
count_of(const struct reading *r, enum fact f, uint64_t *out)
{
	const struct agent_value *v = &r->facts[f];
	double d;
	if (v->token != JSON_NUMBER)
		return false;
	if (str_to_u64(v->raw, out))
		return *out <= INT64_MAX;
	if (!str_to_f64(v->raw, &d) || !(d >= 0 && d <= 9007199254740992.0) || d != floor(d))
		return false;
	*out = (uint64_t)d;
	return true;
}

static bool
amount_of(const struct reading *r, enum fact f, double *out)
{
	const struct agent_value *v = &r->facts[f];
	double d;
	if (v->token != JSON_NUMBER || !str_to_f64(v->raw, &d) || !isfinite(d) || d < 0)
		return false;
	*out = d;
	return true;
}

static bool
cost_of(const struct reading *r, enum fact f, double *out)
{
	return amount_of(r, f, out) && *out <= COST_MAX;
}

static void
read_numbers(const struct reading *r, struct llm_call *c)
{
	double in, out, seconds;
	c->has_input_tokens = count_of(r, INPUT_TOKENS, &c->input_tokens);
	c->has_output_tokens = count_of(r, OUTPUT_TOKENS, &c->output_tokens);
	c->has_cached_tokens = count_of(r, CACHED_TOKENS, &c->cached_tokens);
	c->has_cache_write_tokens = count_of(r, CACHE_WRITE_TOKENS, &c->cache_write_tokens);
	c->has_reasoning_tokens = count_of(r, REASONING_TOKENS, &c->reasoning_tokens);
	c->has_total_tokens = count_of(r, TOTAL_TOKENS, &c->total_tokens);
	if (!c->has_total_tokens && c->has_input_tokens && c->has_output_tokens) {
		c->has_total_tokens = true;
		c->total_tokens = c->input_tokens + c->output_tokens; /* each below 2^63 */
	}
	c->has_cost = cost_of(r, COST, &c->cost);
	if (!c->has_cost && cost_of(r, INPUT_COST, &in) && cost_of(r, OUTPUT_COST, &out)) {
		c->has_cost = true;
		c->cost = in + out;
	}
	c->has_first_token = amount_of(r, FIRST_TOKEN, &seconds) && seconds < 1e9;
	if (c->has_first_token)
		c->first_token_ns = (uint64_t)(seconds * 1e9 + 0.5);
	c->has_temperature = amount_of(r, TEMPERATURE, &c->temperature);
}

/* A list of reasons, one for each answer; some send the list as its JSON text, some one reason. */
static enum err_code
read_finish_reason(const struct reading *r, struct llm_call *c, struct err *err)
{
	const struct agent_value *v = &r->facts[FINISH_REASON];
	struct json_reader list;
	struct str text = v->raw;
	if (v->token == JSON_STRING) {
		if (agent_text(v, r->arena, &text, err))
			return ERR_TOO_LARGE;
		c->finish_reason = text;
		if (!str_starts(text, STR("[")))
			return ERR_OK;
	} else if (v->token != JSON_ARRAY) {
		return ERR_OK;
	}
	jsonr_begin(&list, text);
	if (jsonr_next(&list) != JSON_ARRAY)
		return ERR_OK;
	if (jsonr_next(&list) != JSON_STRING)
		return ERR_OK;
	c->finish_reason = jsonr_string(&list, r->arena);
	return c->finish_reason.ptr ? ERR_OK : agent_too_large(err);
}

/* OpenInference keeps the request's parameters as JSON text, which may be anything. */
static enum err_code
read_parameters(const struct reading *r, struct llm_call *c, struct err *err)
{
	struct str text = {0};
	struct agent_map map;
	struct agent_value v;
	enum err_code ignored;
	if (c->has_temperature)
		return ERR_OK;
	enum err_code code = text_of(r, PARAMETERS, &text, err);
	if (code || !text.ptr || agent_map_begin(&map, text, NULL))
		return code;
	while (agent_map_next(&map, &v, &ignored, NULL))
		if (str_eq(v.key, STR("temperature")) && v.token == JSON_NUMBER)
			c->has_temperature =
			    str_to_f64(v.raw, &c->temperature) && isfinite(c->temperature);
	return ERR_OK;
}

static enum err_code
read_provider(const struct reading *r, struct llm_call *c, struct err *err)
{
	enum err_code code = text_of(r, PROVIDER, &c->provider, err);
	if (code || c->provider.len == 0)
		return code;
	char *small = arena_alloc(r->arena, c->provider.len);
	if (!small)
		return agent_too_large(err);
	for (size_t i = 0; i < c->provider.len; i++) {
		char ch = c->provider.ptr[i];
		small[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch);
	}
	c->provider.ptr = small;
	return ERR_OK;
}

static enum err_code
read_texts(const struct reading *r, struct llm_call *c, struct err *err)
{
	const struct {
		enum fact fact;
		struct str *to;
	} texts[] = {
	    {OI_KIND, &c->operation},
	    {REQUEST_TYPE, &c->operation},
	    {OPERATION, &c->operation}, /* the last one that is there */
	    {REQUEST_MODEL, &c->request_model},
	    {RESPONSE_MODEL, &c->response_model},
	    {AGENT, &c->agent},
	    {CONVERSATION, &c->conversation},
	    {TOOL, &c->tool_name},
	    {TOOL_CALL, &c->tool_call_id},
	    {ERROR_TYPE, &c->error_type},
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (text_of(r, texts[i].fact, texts[i].to, err))
			return ERR_TOO_LARGE;
	if (c->agent.len == 0 && is_text(r, TRACELOOP_KIND, "agent") &&
	    text_of(r, ENTITY, &c->agent, err))
		return ERR_TOO_LARGE;
	if (!c->is_llm && c->operation.len == 0 && text_of(r, TRACELOOP_KIND, &c->operation, err))
		return ERR_TOO_LARGE;
	if (c->tool_name.len == 0 && is_text(r, TRACELOOP_KIND, "tool") &&
	    text_of(r, ENTITY, &c->tool_name, err))
		return ERR_TOO_LARGE;
	return read_provider(r, c, err);
}

/* ---- events */

static enum err_code
see_event(void *ctx, const struct agent_event *event, struct err *err)
{
	static const struct agent_field type = {
	    STR_INIT("exception.type"), AGENT_TEXT, 0, AGENT_NO_HAS};
	static const struct agent_field reason = {
	    STR_INIT("finish_reason"), AGENT_TEXT, 0, AGENT_NO_HAS};
	struct reading *r = ctx;
	struct llm_call *c = r->call;
	if (c->error_type.len == 0 && str_eq(event->name, STR("exception")))
		return agent_fill_all(&type, 1, event->attributes, &c->error_type, r->arena, err);
	if (c->finish_reason.len == 0 && str_eq(event->name, STR("gen_ai.choice")))
		return agent_fill_all(&reason, 1, event->attributes, &c->finish_reason, r->arena,
		    err);
	if (c->first_token_unix_ns == 0 &&
	    (str_eq(event->name, STR("llm.content.completion.chunk")) ||
	        str_eq(event->name, STR("First Token Stream Event"))))
		c->first_token_unix_ns = event->time_ns;
	return ERR_OK;
}

enum err_code
llm_read(struct str typed_attributes, struct str typed_events, struct arena *arena,
    struct llm_call *out, struct err *err)
{
	struct reading r = {.arena = arena, .call = out};
	struct agent_map map;
	struct agent_value v;
	*out = (struct llm_call){0};
	if (!agent_mentions(typed_attributes, STR("\"gen_ai.")) &&
	    !agent_mentions(typed_attributes, STR("\"openinference.span.kind\"")) &&
	    !agent_mentions(typed_attributes, STR("\"llm.")) &&
	    !agent_mentions(typed_attributes, STR("\"traceloop.")))
		return ERR_OK;
	enum err_code code = agent_map_begin(&map, typed_attributes, err);
	while (!code && agent_map_next(&map, &v, &code, err))
		take(&r, &v);
	if (code)
		return code;
	decide_kind(&r, out);
	out->run = run_of(&r, out->kind);
	if (out->kind == LLM_NONE)
		return ERR_OK;
	read_numbers(&r, out);
	code = read_texts(&r, out, err);
	if (!code)
		code = read_finish_reason(&r, out, err);
	if (!code)
		code = read_parameters(&r, out, err);
	return code ? code : agent_each_event(typed_events, arena, see_event, &r, err);
}

struct str
llm_model(const struct llm_call *call)
{
	return call->response_model.len ? call->response_model : call->request_model;
}

bool
llm_names_agent(const struct llm_call *c, const struct junjo_span *j, struct str span_name,
    struct str *out)
{
	*out = j->agent_name.len > 0 ? j->agent_name : c->agent;
	if (out->len > 0)
		return true;
	/* OpenInference calls the span what the agent is called; "invoke_agent" is nobody's name. */
	if (c->run == LLM_RUN_AGENT && str_eq(c->operation, STR("AGENT")))
		*out = span_name;
	return c->run == LLM_RUN_AGENT || j->type == JUNJO_AGENT;
}

const char *
llm_kind_name(enum llm_kind kind)
{
	switch (kind) {
	case LLM_NONE: return "none";
	case LLM_CHAT: return "chat";
	case LLM_EMBEDDINGS: return "embeddings";
	case LLM_TOOL: return "tool";
	case LLM_AGENT: return "agent";
	case LLM_OTHER: return "other";
	}
	return "none";
}
