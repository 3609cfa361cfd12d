/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workflow/workflow.h - what an agent's run did, step by step, from the spans of its trace.
 *
 * A run is a span that says it is a workflow, a subflow or an agent: Junjo's (agent/junjo.h), or that of another framework
 * (agent/llm.h: `run`), or OpenInference's CHAIN that is above all others of its trace and has a call of a model below it: the
 * whole of what a program with that did, where nothing else names it. Its steps are the spans below it that are executions of their own:
 * of Junjo's runs nodes, concurrent groups, subflows, agents and their operations; of others the calls of models and tools,
 * and agents. Everything else below it (a database call) belongs to the nearest step above.
 *
 * State. A Junjo store belongs to the span that names it (workflow, subflow, agent); the others change it by set_state
 * events, each of which is one patch. All patches of a store in the trace, also those of spans that have lost the one above them, are put in order - by sequence where the SDK
 * sends one, else by time, then as their spans and events came - and applied to the state that the owner began with
 * (patch/replay.h). A step's state is that of its store: for a node the store of the nearest owner above it, for a subflow
 * the store of the flow around it, which is what its last hook writes to. Before: with all patches in it that come before the step's
 * start and before its own; after: with all that come before its end, and its own. Steps that ran at the same time see each
 * other's patches so, as they did.
 *
 * Bounds. All stores of a run share the limits: what one takes of memory and steps the next ones have not got. Of a store
 * for which nothing is left the verdict says so. limits->steps_max 0: REPLAY_STEPS_MAX. Who has less time says so with
 * `stop`, which is asked every few hundred rows and patches.
 *
 * Ownership. workflow_read() borrows the table and its texts, and allocates in the arena; the states are the caller's to give
 * back, by workflow_fini(). Threads. Any; nothing is kept.
 */
#ifndef WORKFLOW_WORKFLOW_H
#define WORKFLOW_WORKFLOW_H

#include "agent/junjo.h"
#include "agent/llm.h"
#include "model/table.h"
#include "patch/replay.h"

enum { WORKFLOW_NONE = -1 };

struct workflow_patch {
	struct junjo_patch of;
	size_t row; /* the span that it is an event of */
	int step; /* the step that it belongs to; WORKFLOW_NONE: the run itself */
	int store; /* place in stores; WORKFLOW_NONE: nobody in this trace owns its store */
	size_t place; /* in its store's order, from 1; 0: it has none */
	bool applied;
	bool noop;
	const char *why; /* it could not be applied; NULL */
};

struct workflow_store {
	struct str id, name; /* name: as the first patch has it */
	size_t owner; /* row of the span */
	const struct junjo_span *junjo; /* of that: its start, its end */
	size_t *patches; /* places in workflow.patches, in order */
	size_t patch_count;
	struct replay_result result;
};

struct workflow_step {
	size_t row;
	struct junjo_span junjo;
	struct llm_call llm; /* kind LLM_NONE: it calls no model and is no tool */
	int parent; /* the step that it is in; WORKFLOW_NONE: the run itself */
	unsigned depth; /* 0: directly below the run */
	int store; /* place in stores; WORKFLOW_NONE: it has no state */
	const struct patch_doc *before, *after; /* NULL: not known */
	size_t *patches; /* places in workflow.patches, as their events came */
	size_t patch_count;
	size_t *calls; /* rows of spans that call a model and belong to it, its own among them */
	size_t call_count;
};

struct workflow {
	size_t root; /* row */
	struct junjo_span junjo;
	struct llm_call llm;
	struct workflow_step *steps; /* in the order that they began */
	size_t step_count;
	/* Of the run and all below it, and of the rest of the trace those of its stores, in the order of their spans and
	 * events. */
	struct workflow_patch *patches;
	size_t patch_count;
	struct workflow_store *stores; /* the run's own first, if it has one */
	size_t store_count;
	size_t *own_patches; /* those that belong to no step */
	size_t own_patch_count;
	size_t *calls; /* all of them */
	size_t call_count;
	/* Of every row of the table; kind LLM_NONE: none, or not of this run. The agent of a call that names none is that of the nearest
	 * span above it that does. */
	struct llm_call *llm_of;
	/* Of all stores the worst: the first failure of any, else the first that cannot be judged. */
	enum replay_verdict verdict;
	int verdict_store; /* WORKFLOW_NONE: there is none */
	int verdict_step; /* step that the failing patch belongs to; WORKFLOW_NONE: the end, the start, the run itself */
	/* What was made for the states. */
	struct patch_doc **kept;
	size_t kept_count;
};

/* What kind of run the span of this row is, NONE: workflow_read() is not for it. A trace is best known by the greatest. CHAIN: it is
 * none after all when struct workflow has no calls; when it is one, it counts as a workflow. */
enum workflow_kind {
	WORKFLOW_KIND_NONE,
	WORKFLOW_CHAIN,
	WORKFLOW_SUBFLOW,
	WORKFLOW_AGENT,
	WORKFLOW_WORKFLOW
};
MUST_CHECK enum err_code workflow_kind_of(const struct table *spans, size_t row,
    struct arena *arena, enum workflow_kind *out, struct err *err);
/* spans: all of one trace, by ascending time; root: a row of it. limits NULL: without stores, states and verdict. stop NULL: never.
 * ERR_TOO_LARGE: the arena is spent. ERR_DEADLINE: it was to stop. */
MUST_CHECK enum err_code workflow_read(const struct table *spans, size_t root,
    const struct patch_limits *limits, const struct replay_stop *stop, struct arena *arena,
    struct workflow *out, struct err *err);
void workflow_fini(struct workflow *w);

#endif
