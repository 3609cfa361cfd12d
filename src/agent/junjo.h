/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/junjo.h - what a span says of a Junjo workflow, in any of the three ways in which Junjo's SDK has said it.
 *
 *     generation 1  SDK to 0.62   junjo.id, junjo.parent_id, junjo.workflow.graph_structure (v1)
 *     generation 2  0.63, 0.64    junjo.executable_{definition,runtime,structural}_id, junjo.parent_executable_*,
 *                                 junjo.workflow.execution_graph_snapshot (v2); junjo.telemetry.contract_version 1
 *     generation 3  from 0.65     contract_version 2: payloads have .mode, .policy, .reference; revisions and sequences of
 *                                 a store's transitions; agents and their operations
 *
 * junjo.telemetry.contract_version decides when it is there; else an executable_* id means 2, and any other junjo.*
 * attribute 1. Names are those of the SDK's documentation and of the contract beside it
 * (github.com/mdrideout/junjo: sdks/python docs "OpenTelemetry Integration", contracts/telemetry).
 *
 * Input is typed JSON as rows keep it (model/typed.h): SPAN_ATTRIBUTES, SPAN_EVENTS; a NULL ptr is none. An attribute of
 * another type than it should have is not there. Values that are JSON themselves stay the text that was sent: nobody has
 * looked whether it is any (agent/graph.h reads graphs). Members whose ptr is NULL are not there.
 *
 * Ownership. Texts point into the input, or, where it has escapes, into the arena: both have to live on.
 * Threads. Any; nothing is kept. Cost. A text without "junjo." (or the name of the event) is looked through once.
 * Errors. ERR_CORRUPT: not typed JSON, the store is damaged. ERR_TOO_LARGE: the arena is spent.
 */
#ifndef AGENT_JUNJO_H
#define AGENT_JUNJO_H

#include "base/arena.h"
#include "base/err.h"

enum junjo_type {
	JUNJO_NONE, /* no junjo.span_type: not Junjo, or an operation of an agent */
	JUNJO_WORKFLOW,
	JUNJO_SUBFLOW,
	JUNJO_NODE,
	JUNJO_RUN_CONCURRENT,
	JUNJO_AGENT,
	JUNJO_OTHER /* a type that is not known here: see type_text */
};

/* What a payload is: the value itself (also where nothing is said), something in its place, nothing, or the name of a
 * place where it is. A mode that is not known counts as REDACTED: then the text is not the value. */
enum junjo_mode { JUNJO_FULL, JUNJO_REDACTED, JUNJO_EXCLUDED, JUNJO_REFERENCE };

struct junjo_span {
	bool is_junjo; /* it has an attribute junjo.*; without one nothing below is set */
	enum junjo_type type;
	struct str type_text; /* junjo.span_type as it came */
	int generation; /* 1, 2, 3; 0: not Junjo */

	struct str id; /* junjo.executable_runtime_id; of generation 1 junjo.id */
	struct str definition_id, structural_id;
	struct str parent_id, parent_definition_id, parent_structural_id;
	struct str parent_type; /* "workflow", "node", "agent" ... */
	struct str enclosing_graph_id;

	struct str store_id, parent_store_id; /* of an agent: junjo.agent.store.id */
	struct str state_start, state_end; /* JSON as sent; of an agent junjo.agent.state.* */
	enum junjo_mode state_start_mode, state_end_mode;
	struct str state_start_reference, state_end_reference;
	struct str graph; /* the JSON of junjo_graph_read() */
	bool has_node_count;
	int64_t node_count; /* nodes that ran */

	/* Of the span that owns a store. */
	bool has_revisions; /* both */
	int64_t revision_start, revision_end;
	bool has_transition_count;
	int64_t transition_count;
	bool has_reconstructable, reconstructable;

	struct str error_type, cancelled_reason;
	bool cancelled;
	struct str correlation_type, correlation_id;

	struct str agent_key, agent_name, outcome, termination_reason;
	struct str operation_type; /* "model_request", "tool": such a span has no span_type */
	bool has_operation_sequence;
	int64_t operation_sequence; /* from 1, of the agent with this key and runtime id */
	struct str agent_runtime_id; /* an operation: of the agent that it belongs to */

	struct str legacy_workflow_id, legacy_node_id; /* junjo.workflow_id, node.id */
};

MUST_CHECK enum err_code junjo_read(struct str typed_attributes, struct arena *arena,
    struct junjo_span *out, struct err *err);

/* A change of a store: an event named set_state. */
struct junjo_patch {
	uint32_t ordinal; /* among all events of the span, from 0 */
	uint64_t time_ns;
	struct str id, store_id, store_name, action;
	struct str patch; /* RFC 6902 as sent; "{}" of generations 1 and 2: nothing changed */
	enum junjo_mode mode;
	struct str reference;
	bool has_sequence; /* generation 3: sequences say the order, not times */
	int64_t sequence;
	bool has_revisions; /* both */
	int64_t revision_before, revision_after;
};

struct junjo_patches {
	struct junjo_patch *list; /* in the order of the events */
	size_t count;
};

MUST_CHECK enum err_code junjo_patches(struct str typed_events, struct arena *arena,
    struct junjo_patches *out, struct err *err);

struct junjo_exception { /* an event named exception */
	uint32_t ordinal;
	uint64_t time_ns;
	struct str type, message, stacktrace;
};

struct junjo_exceptions {
	struct junjo_exception *list;
	size_t count;
};

MUST_CHECK enum err_code junjo_exceptions(struct str typed_events, struct arena *arena,
    struct junjo_exceptions *out, struct err *err);

/* One of the nine keys that Junjo's first server took out of a span's attributes, into columns of their own. */
bool junjo_is_own_key(struct str key);

#endif
