/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/llm.h - what a span says of a call of a model, a tool or an agent, in three dialects, as one struct.
 *
 *     OpenTelemetry   gen_ai.*; both the present names (gen_ai.provider.name, gen_ai.usage.input_tokens, messages as
 *                     attributes) and those up to 1.36 (gen_ai.system, gen_ai.usage.prompt_tokens, messages as events)
 *                     github.com/open-telemetry/semantic-conventions, docs/gen-ai/gen-ai-spans.md, gen-ai-events.md
 *     OpenInference   openinference.span.kind, llm.*, input.value, output.value, session.id, tool.name
 *                     arize-ai.github.io/openinference/spec/attributes/semantic-conventions.html
 *     OpenLLMetry     llm.request.type, gen_ai.prompt.N.*, gen_ai.completion.N.*, traceloop.*
 *                     github.com/traceloop/openllmetry, opentelemetry-semantic-conventions-ai
 *     Costs that are sent: llm.cost.* of OpenInference, gen_ai.usage.cost (openlit.io), gen_ai.usage.input_cost and
 *     .output_cost (github.com/mozilla-ai/any-agent); all of them in US dollars.
 *
 * What is what. `kind` says what the span is about; `is_llm` that a model was called, which tools and agents are not,
 * though they have gen_ai.operation.name (execute_tool, invoke_agent) too: only is_llm spans count in sums of tokens and
 * cost, or those of an agent would count again what its calls have counted. What decides, in this order:
 *     openinference.span.kind   LLM: chat, is_llm. EMBEDDING: embeddings, is_llm. TOOL, AGENT: those.
 *     gen_ai.operation.name     chat, text_completion, generate_content: chat, is_llm. embeddings: is_llm. execute_tool:
 *                               tool. invoke_agent, create_agent, invoke_workflow: agent. Any other name: is_llm when
 *                               there are a model or tokens, else other.
 *     llm.request.type          embedding: embeddings, rerank: other, anything else: chat; all is_llm.
 *     gen_ai.provider.name, gen_ai.system   chat, is_llm, unless it names a tool or an agent and no model
 *     llm.model_name            chat, is_llm, unless there is another openinference.span.kind
 *     any other openinference.span.kind, traceloop.span.kind   tool, agent, other
 *
 * `run` says that the span is the whole of what an agent or a workflow did, whatever its kind is: invoke_agent, AGENT,
 * traceloop's agent; invoke_workflow, traceloop's workflow. create_agent runs nothing.
 *
 * Whose a call is. One that names no agent was made by the one that the spans above it name, the nearest first
 * (llm_names_agent()): SDKs name it on invoke_agent, AGENT and the like, and not again on each call.
 *
 * llm_conditions: of a span that is_llm at least one of them holds. They let in more: spans of tools and agents that have
 * gen_ai.operation.name or gen_ai.provider.name, as "has an LLM span" has always counted them in Junjo's servers; whoever
 * wants calls of models alone asks llm_read() for is_llm.
 *
 * Input is typed JSON as rows keep it (model/typed.h): SPAN_ATTRIBUTES, SPAN_EVENTS; a NULL ptr is none. Attributes of
 * a wrong type are not there; so are numbers of tokens below 0 and costs that are no amount, or above 1e12 dollars. Where several names say the
 * same, the present name of OpenTelemetry counts. Tokens read from or written to a cache are among the input tokens, those
 * of reasoning among the output tokens, as the conventions have it. JSON within texts is hostile: what cannot be read as
 * messages is one message, the text itself.
 *
 * Ownership. Texts point into the input or into the arena: both have to live on. Threads. Any; nothing is kept.
 * Errors. ERR_CORRUPT: not typed JSON, the store is damaged. ERR_TOO_LARGE: the arena is spent.
 */
#ifndef AGENT_LLM_H
#define AGENT_LLM_H

#include "base/arena.h"
#include "base/err.h"

enum llm_kind { LLM_NONE, LLM_CHAT, LLM_EMBEDDINGS, LLM_TOOL, LLM_AGENT, LLM_OTHER };

/* CHAIN: a link between steps, of which a program makes many; one above all others may be the whole run (workflow/workflow.h). */
enum llm_run { LLM_NO_RUN, LLM_RUN_CHAIN, LLM_RUN_AGENT, LLM_RUN_WORKFLOW };

const char *llm_kind_name(enum llm_kind kind); /* "chat", "embeddings" ...; "none" */

struct llm_call {
	enum llm_kind kind; /* NONE: nothing of all this; then nothing below is set */
	bool is_llm;
	enum llm_run run;
	struct str provider; /* in small letters: "openai", "aws.bedrock" */
	struct str
	    operation; /* as sent; else of what the dialect has instead of it: "LLM", "chat", "workflow" */
	struct str request_model, response_model;
	bool has_input_tokens, has_output_tokens, has_total_tokens, has_cached_tokens,
	    has_cache_write_tokens, has_reasoning_tokens;
	uint64_t input_tokens, output_tokens;
	uint64_t total_tokens; /* as sent, or the sum of the two */
	uint64_t cached_tokens; /* read from a cache */
	uint64_t cache_write_tokens, reasoning_tokens;
	bool has_cost;
	double cost; /* US dollars, as sent */
	bool has_first_token;
	uint64_t first_token_ns; /* from the request to the first piece of the answer */
	uint64_t first_token_unix_ns; /* 0: no event says when it came */
	struct str finish_reason; /* the first one */
	bool has_temperature;
	double temperature;
	struct str agent, conversation, tool_name, tool_call_id, error_type;
};

MUST_CHECK enum err_code llm_read(struct str typed_attributes, struct str typed_events,
    struct arena *arena, struct llm_call *out, struct err *err);

/* The model's name: what answered, or else what was asked for; may be empty. */
struct str llm_model(const struct llm_call *call);

struct junjo_span;
/* Does this span, with that name, say whose calls those below it are that name no agent? *out is the agent's name; it is empty where an
 * agent has none, and then nobody knows. False: ask the span above it. */
bool llm_names_agent(const struct llm_call *c, const struct junjo_span *j, struct str span_name,
    struct str *out);

/* An attribute of the span itself; value NULL: there is one. */
struct llm_condition {
	const char *key;
	const char *value;
};

enum { LLM_CONDITIONS = 7 };
extern const struct llm_condition llm_conditions[LLM_CONDITIONS];

/* ---- messages (llm_messages.c) */

enum { LLM_MESSAGES_MAX = 1000, LLM_TOOL_CALLS_MAX = 64 /* of one message */ };

struct llm_message {
	struct str role; /* "system", "user", "assistant", "tool"; ptr NULL: not said */
	struct str content; /* texts of several parts with a line end between */
	struct str tool_calls; /* JSON: a list of what the model asked for; ptr NULL: nothing */
};

struct llm_messages {
	struct llm_message *in, *out;
	size_t in_count, out_count;
	size_t left_out; /* pieces of messages beyond the bounds */
};

MUST_CHECK enum err_code llm_read_messages(struct str typed_attributes, struct str typed_events,
    struct arena *arena, struct llm_messages *out, struct err *err);

#endif
