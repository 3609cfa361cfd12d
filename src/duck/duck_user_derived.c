/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views of users' SQL that say more of a span than its columns do: what Junjo's SDK and callers of language models put
 * into attributes and events. What the attributes mean is agent/junjo.h's and agent/llm.h's to say; the SQL here says the
 * same, and tests/scenario/24-sql-agents.test.mjs compares.
 *
 * Each list of keys is one call of ->>, for each call reads the JSON anew.
 */
#include "duck/duck_user_priv.h"

#define DESCRIBED(name, type, probe, help) {name, type, help},
#define PROBED(name, type, probe, help) probe " AS " name ", "

/* Of a column that no bounds are about: something of its type that no plan can know before there are rows. */
#define SOME_TEXT(a, b) a " || " b
#define SOME_JSON(a, b) "(" a " || " b ")::JSON"
#define SOME_COUNT(a, b) "length(" a " || " b ")"

/* ---- spans of Junjo's SDK */

/* X(name, type, what a plan sees, help) */
#define JUNJO_SPANS(X)                                                                               \
	X("trace_id", "VARCHAR", "trace_id", "32 hex digits")                                        \
	X("span_id", "VARCHAR", "span_id", "16 hex digits")                                          \
	X("parent_span_id", "VARCHAR", "parent_span_id", "NULL: it is a root")                       \
	X("service_name", "VARCHAR", "service", "service.name of the resource, or unknown")          \
	X("name", "VARCHAR", "name", "of the span")                                                  \
	X("kind", "VARCHAR", "kind", "as in spans")                                                  \
	X("start_time", "TIMESTAMP_NS", "start_time", "UTC; bounds on it make a query fast")         \
	X("end_time", "TIMESTAMP_NS", "end_time", "UTC; 1970: it came without an end")               \
	X("start_unix_nano", "UBIGINT", "start_unix_nano", "exact")                                  \
	X("end_unix_nano", "UBIGINT", "end_unix_nano", "exact")                                      \
	X("duration_ms", "DOUBLE", "duration_ms", "end minus start")                                 \
	X("status_code", "VARCHAR", "status", "ok, error, unset")                                    \
	X("status_message", "VARCHAR", "status_message", "")                                         \
	X("attributes_json", "JSON", SOME_JSON("name", "span_id"),                                   \
	    "attributes without those that the columns below have")                                  \
	X("events_json", "JSON", "events", "as in spans")                                            \
	X("links_json", "JSON", "links", "as in spans")                                              \
	X("trace_flags", "UINTEGER", "flags", "")                                                    \
	X("trace_state", "VARCHAR", "trace_state", "")                                               \
	X("junjo_id", "VARCHAR", SOME_TEXT("span_id", "name"),                                       \
	    "junjo.executable_runtime_id, or junjo.id")                                              \
	X("junjo_parent_id", "VARCHAR", SOME_TEXT("span_id", "kind"),                                \
	    "junjo.parent_executable_runtime_id, or junjo.parent_id")                                \
	X("junjo_span_type", "VARCHAR", SOME_TEXT("span_id", "status"),                              \
	    "workflow, subflow, node, run_concurrent, agent; NULL: an operation of an agent")        \
	X("junjo_wf_state_start", "JSON", SOME_JSON("span_id", "scope_name"),                        \
	    "junjo.workflow.state.start; NULL: none, or no JSON, and then it is in attributes_json") \
	X("junjo_wf_state_end", "JSON", SOME_JSON("span_id", "scope_version"),                       \
	    "junjo.workflow.state.end, likewise")                                                    \
	X("junjo_wf_graph_structure", "JSON", SOME_JSON("span_id", "trace_state"),                   \
	    "junjo.workflow.execution_graph_snapshot, or .graph_structure, likewise")                \
	X("junjo_wf_store_id", "VARCHAR", SOME_TEXT("span_id", "status_message"),                    \
	    "junjo.workflow.store.id")                                                               \
	X("legacy_workflow_id", "VARCHAR", SOME_TEXT("name", "kind"), "junjo.workflow_id")           \
	X("legacy_node_id", "VARCHAR", SOME_TEXT("name", "status"), "node.id")

const struct store_sql_column user_junjo_columns[] = {JUNJO_SPANS(DESCRIBED){0}};
const char user_junjo_probe_sql[] = "SELECT " JUNJO_SPANS(PROBED);

/* clang-format off: a line of SQL is a line here */
const char user_junjo_sql[] =
    "SELECT trace_id, span_id, parent_span_id, service AS service_name, name, kind, start_time, end_time,"
    " start_unix_nano, end_unix_nano, duration_ms, status AS status_code, status_message,"
    /* As a merge patch a member that is null takes the key away. */
    " json_merge_patch(attributes, '{\"junjo.id\":null,\"junjo.parent_id\":null,\"junjo.span_type\":null,"
    "\"junjo.workflow.store.id\":null,\"junjo.workflow_id\":null,\"node.id\":null}',"
    " CASE WHEN json_valid(t[6]) THEN '{\"junjo.workflow.state.start\":null}' ELSE '{}' END,"
    " CASE WHEN json_valid(t[7]) THEN '{\"junjo.workflow.state.end\":null}' ELSE '{}' END,"
    " CASE WHEN json_valid(t[9]) THEN '{\"junjo.workflow.graph_structure\":null}' ELSE '{}' END) AS attributes_json,"
    " events AS events_json, links AS links_json, flags AS trace_flags, trace_state,"
    " coalesce(t[1], t[2]) AS junjo_id, coalesce(t[3], t[4]) AS junjo_parent_id, t[5] AS junjo_span_type,"
    " CASE WHEN json_valid(t[6]) THEN t[6]::JSON END AS junjo_wf_state_start,"
    " CASE WHEN json_valid(t[7]) THEN t[7]::JSON END AS junjo_wf_state_end,"
    " coalesce(CASE WHEN json_valid(t[8]) THEN t[8]::JSON END, CASE WHEN json_valid(t[9]) THEN t[9]::JSON END)"
    " AS junjo_wf_graph_structure,"
    " t[10] AS junjo_wf_store_id, t[11] AS legacy_workflow_id, t[12] AS legacy_node_id"
    " FROM (SELECT *, attributes->>['$.\"junjo.executable_runtime_id\"', '$.\"junjo.id\"',"
    " '$.\"junjo.parent_executable_runtime_id\"', '$.\"junjo.parent_id\"', '$.\"junjo.span_type\"',"
    " '$.\"junjo.workflow.state.start\"', '$.\"junjo.workflow.state.end\"',"
    " '$.\"junjo.workflow.execution_graph_snapshot\"', '$.\"junjo.workflow.graph_structure\"',"
    " '$.\"junjo.workflow.store.id\"', '$.\"junjo.workflow_id\"', '$.\"node.id\"'] AS t"
    " FROM weir_junjo_spans())";
/* clang-format on */

/* ---- changes of state */

#define STATE_PATCHES(X)                                                                            \
	X("patch_id", "VARCHAR", SOME_TEXT("span_id", "name"),                                      \
	    "trace_id-span_id-ordinal: the same whenever it is asked for")                          \
	X("service_name", "VARCHAR", "service", "of the span")                                      \
	X("trace_id", "VARCHAR", "trace_id", "32 hex digits")                                       \
	X("span_id", "VARCHAR", "span_id", "of the span that has the event")                        \
	X("workflow_id", "VARCHAR", SOME_TEXT("span_id", "kind"),                                   \
	    "junjo_id of the workflow or subflow that has the store; empty: it is not there (yet)") \
	X("node_id", "VARCHAR", SOME_TEXT("span_id", "status"),                                     \
	    "junjo_id of the node or run_concurrent that the event is in; empty: in none")          \
	X("event_time", "TIMESTAMP_NS", "end_time", "UTC")                                          \
	X("event_unix_nano", "UBIGINT", "end_unix_nano", "exact")                                   \
	X("ordinal", "BIGINT", SOME_COUNT("span_id", "name"),                                       \
	    "among the events of the span, from 0")                                                 \
	X("sequence", "BIGINT", SOME_COUNT("span_id", "kind"),                                      \
	    "of the store's transitions, from 1: the order, where it is sent")                      \
	X("patch_store_id", "VARCHAR", SOME_TEXT("span_id", "scope_name"), "junjo.store.id")        \
	X("store_name", "VARCHAR", SOME_TEXT("span_id", "scope_version"), "junjo.store.name")       \
	X("action", "VARCHAR", SOME_TEXT("span_id", "trace_state"), "junjo.store.action")           \
	X("patch_json", "JSON", SOME_JSON("span_id", "status_message"),                             \
	    "RFC 6902, {} for no change; NULL: not sent, or no JSON")                               \
	X("patch_text", "VARCHAR", SOME_TEXT("name", "kind"), "as sent")                            \
	X("event_id", "VARCHAR", SOME_TEXT("name", "status"), "id, as the SDK gave it")             \
	X("start_time", "TIMESTAMP_NS", "start_time",                                               \
	    "of the span, UTC; bounds on it make a query fast")

const struct store_sql_column user_state_columns[] = {STATE_PATCHES(DESCRIBED){0}};
const char user_state_probe_sql[] = "SELECT " STATE_PATCHES(PROBED);

/* What is in reach of a span is said twice: here, and as bounds (USER_REACH_BACK_NS). In nanoseconds, which have no end that
 * a TIMESTAMP has. */
#define IN_REACH(above, below)                                                                     \
	above ".ns >= " below ".ns - least(" below ".ns, 86400000000000::UBIGINT)"                 \
	      " AND " above ".ns - least(" above ".ns, 60000000000::UBIGINT) <= " below ".ns"

/* clang-format off */
const char user_state_sql[] =
    "WITH RECURSIVE own AS MATERIALIZED (SELECT trace_id, span_id, parent_span_id, service, start_time, start_unix_nano AS ns,"
    " t[1] AS type, coalesce(t[2], t[3]) AS id, events"
    " FROM (SELECT *, attributes->>['$.\"junjo.span_type\"', '$.\"junjo.executable_runtime_id\"', '$.\"junjo.id\"'] AS t"
    " FROM weir_state_patches())),"
    " patches AS (SELECT trace_id, span_id, service, start_time, ns, type, id, ordinal,"
    " (e->>'time_unix_nano')::UBIGINT AS event_ns,"
    " (e->'attributes')->>['$.\"junjo.state_json_patch\"', '$.\"junjo.store.id\"', '$.\"junjo.store.name\"',"
    " '$.\"junjo.store.action\"', '$.\"junjo.store.transition.sequence\"', '$.\"id\"'] AS t"
    " FROM (SELECT * EXCLUDE (list), unnest(list) AS e, generate_subscripts(list, 1) - 1 AS ordinal"
    " FROM (SELECT * EXCLUDE (events), events::JSON[] AS list FROM own))"
    " WHERE e->>'name' = 'set_state'),"
    " owners AS MATERIALIZED (SELECT trace_id, span_id, start_unix_nano AS ns,"
    " t[1] AS type, coalesce(t[2], t[3]) AS id, t[4] AS store_id"
    " FROM (SELECT *, attributes->>['$.\"junjo.span_type\"', '$.\"junjo.executable_runtime_id\"', '$.\"junjo.id\"',"
    " '$.\"junjo.workflow.store.id\"'] AS t FROM weir_state_patches_owners())),"
    /* A store has one owner; should two spans say that they are, it is the earlier one. */
    " stores AS (SELECT trace_id, store_id, arg_min(id, {'t': ns, 's': span_id}) AS id,"
    " min(ns) AS ns FROM owners"
    " WHERE type IN ('workflow', 'subflow') AND store_id IS NOT NULL GROUP BY trace_id, store_id),"
    /* Spans that are no node go up until there is one. */
    " wanting AS MATERIALIZED (SELECT trace_id, span_id, parent_span_id, ns FROM own"
    " WHERE parent_span_id IS NOT NULL AND type IS DISTINCT FROM 'node' AND type IS DISTINCT FROM 'run_concurrent'),"
    " chain AS MATERIALIZED (SELECT c.trace_id, c.span_id, c.parent_span_id, c.start_unix_nano AS ns, o.id,"
    " o.type IS NOT NULL AND o.type IN ('node', 'run_concurrent') AS is_node"
    " FROM weir_state_patches_chain() c LEFT JOIN owners o ON o.trace_id = c.trace_id AND o.span_id = c.span_id"
    " WHERE c.trace_id IN (SELECT trace_id FROM wanting)),"
    /* Without ALL a row comes once, so that spans that are their own ancestors end. */
    " climb AS (SELECT trace_id, span_id, ns, parent_span_id AS at, false AS found, NULL::VARCHAR AS id FROM wanting"
    " UNION SELECT b.trace_id, b.span_id, b.ns, c.parent_span_id, c.is_node, CASE WHEN c.is_node THEN c.id END"
    " FROM climb b JOIN chain c ON c.trace_id = b.trace_id AND c.span_id = b.at AND " IN_REACH("c", "b")
    " WHERE NOT b.found),"
    " nodes AS (SELECT trace_id, span_id, any_value(id) AS id FROM climb WHERE found GROUP BY trace_id, span_id)"
    " SELECT concat(p.trace_id, '-', p.span_id, '-', p.ordinal) AS patch_id, p.service AS service_name, p.trace_id, p.span_id,"
    " coalesce(s.id, '') AS workflow_id,"
    " CASE WHEN p.type IN ('node', 'run_concurrent') THEN coalesce(p.id, '') ELSE coalesce(n.id, '') END AS node_id,"
    " make_timestamp_ns(least(p.event_ns, 9223372036854775806)::BIGINT) AS event_time, p.event_ns AS event_unix_nano, p.ordinal,"
    " TRY_CAST(p.t[5] AS BIGINT) AS sequence, p.t[2] AS patch_store_id, p.t[3] AS store_name, p.t[4] AS action,"
    " CASE WHEN json_valid(p.t[1]) THEN p.t[1]::JSON END AS patch_json, p.t[1] AS patch_text, p.t[6] AS event_id,"
    " p.start_time FROM patches p"
    " LEFT JOIN stores s ON s.trace_id = p.trace_id AND s.store_id = p.t[2] AND " IN_REACH("s", "p")
    " LEFT JOIN nodes n ON n.trace_id = p.trace_id AND n.span_id = p.span_id";
/* clang-format on */

struct user_bounds
user_part_bounds(const struct user_bounds *own, enum user_part part)
{
	struct user_bounds b = *own;
	if (part == PART_OWN)
		return b;
	b.from_ns = b.from_ns > USER_REACH_BACK_NS ? b.from_ns - USER_REACH_BACK_NS : 0;
	b.to_ns = b.to_ns < UINT64_MAX - USER_REACH_ON_NS ? b.to_ns + USER_REACH_ON_NS : UINT64_MAX;
	b.service = b.name = STR_EMPTY;
	b.has_status = b.has_kind = false;
	b.need = part == PART_OWNERS ? NEED_JUNJO : NEED_ALL;
	return b;
}

/* ---- calls of language models */

#define LLM_CALLS(X)                                                                               \
	X("trace_id", "VARCHAR", "trace_id", "32 hex digits")                                      \
	X("span_id", "VARCHAR", "span_id", "16 hex digits")                                        \
	X("service", "VARCHAR", "service", "service.name of the resource, or unknown")             \
	X("name", "VARCHAR", "name", "of the span")                                                \
	X("start_time", "TIMESTAMP_NS", "start_time", "UTC; bounds on it make a query fast")       \
	X("duration_ms", "DOUBLE", "duration_ms", "end minus start")                               \
	X("status", "VARCHAR", "status", "ok, error, unset")                                       \
	X("provider", "VARCHAR", SOME_TEXT("span_id", "name"),                                     \
	    "in small letters: openai, anthropic")                                                 \
	X("model", "VARCHAR", SOME_TEXT("span_id", "kind"),                                        \
	    "what answered, or else what was asked for")                                           \
	X("request_model", "VARCHAR", SOME_TEXT("span_id", "status"), "what was asked for")        \
	X("operation", "VARCHAR", SOME_TEXT("span_id", "scope_name"),                              \
	    "as sent: chat, embeddings, LLM ...")                                                  \
	X("input_tokens", "BIGINT", SOME_COUNT("span_id", "name"),                                 \
	    "those read from a cache among them; NULL: not sent")                                  \
	X("output_tokens", "BIGINT", SOME_COUNT("span_id", "kind"),                                \
	    "those of reasoning among them; NULL: not sent")                                       \
	X("total_tokens", "BIGINT", SOME_COUNT("span_id", "status"),                               \
	    "as sent, or the sum of both")                                                         \
	X("cost_usd", "DOUBLE", SOME_COUNT("span_id", "scope_name") "::DOUBLE",                    \
	    "as sent; NULL: it was not")                                                           \
	X("finish_reason", "VARCHAR", SOME_TEXT("span_id", "scope_version"), "the first one")      \
	X("temperature", "DOUBLE", SOME_COUNT("span_id", "trace_state") "::DOUBLE",                \
	    "that was asked for")                                                                  \
	X("agent", "VARCHAR", SOME_TEXT("span_id", "trace_state"), "its name")                     \
	X("conversation", "VARCHAR", SOME_TEXT("span_id", "status_message"),                       \
	    "its id, or the session's")

const struct store_sql_column user_llm_columns[] = {LLM_CALLS(DESCRIBED){0}};
const char user_llm_probe_sql[] = "SELECT " LLM_CALLS(PROBED);

#define COUNT(number)                                                                              \
	"CASE WHEN " number " <= 9007199254740992 AND " number " = floor(" number ") THEN " number \
	"::BIGINT END"

/* clang-format off */
const char user_llm_sql[] =
    "SELECT trace_id, span_id, service, name, start_time, duration_ms, status, provider,"
    " coalesce(response_model, request_model) AS model, request_model, operation, input_tokens, output_tokens,"
    " coalesce(total_tokens, input_tokens + output_tokens) AS total_tokens, cost_usd, finish_reason, temperature,"
    " agent, conversation"
    " FROM (SELECT *,"
    /* Decided as agent/llm.h says, in its order. */
    " CASE WHEN oi_kind IN ('LLM', 'EMBEDDING') THEN true"
    " WHEN oi_kind IN ('TOOL', 'AGENT') THEN false"
    " WHEN gen_ai_operation IN ('chat', 'text_completion', 'generate_content', 'embeddings') THEN true"
    " WHEN gen_ai_operation IN ('execute_tool', 'invoke_agent', 'create_agent', 'invoke_workflow') THEN false"
    " WHEN gen_ai_operation IS NOT NULL THEN coalesce(request_model, response_model) IS NOT NULL"
    " OR input_tokens IS NOT NULL OR output_tokens IS NOT NULL"
    " WHEN request_type IS NOT NULL THEN true"
    " WHEN gen_ai_provider IS NOT NULL THEN coalesce(request_model, response_model) IS NOT NULL"
    " OR coalesce(tool, agent) IS NULL"
    " ELSE false END AS is_llm"
    " FROM (SELECT * EXCLUDE (t, n, events),"
    " nullif(t[1], '') AS oi_kind, nullif(t[2], '') AS gen_ai_operation, nullif(t[3], '') AS request_type,"
    " coalesce(nullif(t[2], ''), nullif(t[3], ''), nullif(t[1], '')) AS operation,"
    " coalesce(nullif(t[4], ''), nullif(t[5], '')) AS gen_ai_provider,"
    " lower(coalesce(nullif(t[4], ''), nullif(t[5], ''), nullif(t[6], ''), nullif(t[7], ''))) AS provider,"
    " coalesce(nullif(t[8], ''), nullif(t[9], ''), nullif(t[10], ''), nullif(t[11], '')) AS request_model,"
    " coalesce(nullif(t[12], ''), nullif(t[13], '')) AS response_model,"
    " coalesce(nullif(t[14], ''), nullif(t[15], ''), nullif(t[16], ''),"
    " CASE WHEN t[17] = 'agent' THEN nullif(t[18], '') END) AS agent,"
    " coalesce(nullif(t[19], ''), nullif(t[20], ''), nullif(t[21], ''), nullif(t[22], ''), nullif(t[23], '')) AS conversation,"
    " coalesce(nullif(t[24], ''), nullif(t[25], '')) AS tool,"
    " coalesce(CASE WHEN t[26] LIKE '[%' THEN json_extract_string(CASE WHEN json_valid(t[26]) THEN t[26] END, '$[0]')"
    " ELSE nullif(t[26], '') END, nullif(t[27], ''), nullif(t[28], ''), nullif(t[29], ''),"
    " CASE WHEN contains(events, 'gen_ai.choice') THEN list_filter(events::JSON[], lambda e: e->>'name' = 'gen_ai.choice')[1]"
    "->>'$.attributes.finish_reason' END) AS finish_reason,"
    " " COUNT("coalesce(n[1], n[2], n[3], n[4])") " AS input_tokens,"
    " " COUNT("coalesce(n[5], n[6], n[7], n[8])") " AS output_tokens,"
    " " COUNT("coalesce(n[9], n[10], n[11])") " AS total_tokens,"
    " coalesce(n[12], n[13], coalesce(n[14], n[15]) + coalesce(n[16], n[17])) AS cost_usd, coalesce(n[18], n[19],"
    " TRY_CAST((CASE WHEN json_valid(t[30]) THEN t[30] END::JSON->'temperature')::VARCHAR AS DOUBLE)) AS temperature"
    " FROM (SELECT trace_id, span_id, service, name, start_time, duration_ms, status, events, attributes->>[";
const char user_llm_sql_end[] =
    "'$.\"openinference.span.kind\"', '$.\"gen_ai.operation.name\"', '$.\"llm.request.type\"',"
    " '$.\"gen_ai.provider.name\"', '$.\"gen_ai.system\"', '$.\"llm.provider\"', '$.\"llm.system\"',"
    " '$.\"gen_ai.request.model\"', '$.\"llm.request.model_name\"', '$.\"llm.model_name\"', '$.\"embedding.model_name\"',"
    " '$.\"gen_ai.response.model\"', '$.\"llm.response.model_name\"',"
    " '$.\"gen_ai.agent.name\"', '$.\"agent.name\"', '$.\"gen_ai.agent.id\"',"
    " '$.\"traceloop.span.kind\"', '$.\"traceloop.entity.name\"',"
    " '$.\"gen_ai.conversation.id\"', '$.\"session.id\"', '$.\"traceloop.association.properties.session_id\"',"
    " '$.\"traceloop.association.properties.conversation_id\"', '$.\"traceloop.association.properties.chat_id\"',"
    " '$.\"gen_ai.tool.name\"', '$.\"tool.name\"',"
    " '$.\"gen_ai.response.finish_reasons\"', '$.\"llm.response.finish_reason\"', '$.\"llm.response.stop_reason\"',"
    " '$.\"llm.finish_reason\"', '$.\"llm.invocation_parameters\"'] AS t, list_transform(json_extract(attributes, ["
    "'$.\"gen_ai.usage.input_tokens\"', '$.\"gen_ai.usage.prompt_tokens\"', '$.\"llm.token_count.prompt\"',"
    " '$.\"llm.usage.prompt_tokens\"',"
    " '$.\"gen_ai.usage.output_tokens\"', '$.\"gen_ai.usage.completion_tokens\"', '$.\"llm.token_count.completion\"',"
    " '$.\"llm.usage.completion_tokens\"',"
    " '$.\"gen_ai.usage.total_tokens\"', '$.\"llm.usage.total_tokens\"', '$.\"llm.token_count.total\"',"
    " '$.\"llm.cost.total\"', '$.\"gen_ai.usage.cost\"', '$.\"llm.cost.prompt\"', '$.\"gen_ai.usage.input_cost\"',"
    " '$.\"llm.cost.completion\"', '$.\"gen_ai.usage.output_cost\"',"
    " '$.\"gen_ai.request.temperature\"', '$.\"llm.request.temperature\"']),"
    /* A number that was sent as one, and is no less than 0. */
    " lambda x: CASE WHEN TRY_CAST(x::VARCHAR AS DOUBLE) >= 0 THEN TRY_CAST(x::VARCHAR AS DOUBLE) END) AS n"
    " FROM weir_llm_calls()))) WHERE is_llm";
/* clang-format on */
