/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/workflow.h - runs of agents (workflow/workflow.h): rows of ops_table that list them, show one, compare two, and what
 * their files share.
 */
#ifndef OPS_WORKFLOW_H
#define OPS_WORKFLOW_H

#include "ops/ops_priv.h"
#include "workflow/workflow.h"

extern const struct op_param ops_workflows_params[];
extern const struct op_param ops_workflow_params[];
extern const struct op_param ops_workflow_span_params[];
extern const struct op_param ops_workflow_compare_params[];

enum err_code ops_workflows(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_workflow(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);
enum err_code ops_workflow_compare(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err);

/* A run and the spans it is made of; the caller ends it, also after an error. */
struct ops_run {
	struct store_result r; /* of the whole trace, as far as `cut` says */
	bool cut; /* the trace has more spans than are read */
	struct workflow w;
};

/* The run of this span; span_id 0: the first of the trace that is one, a workflow before an agent before a subflow.
 * ERR_NOT_FOUND says what is not there. */
MUST_CHECK enum err_code ops_run_read(const struct op_context *ctx, uint64_t trace_hi,
    uint64_t trace_lo, uint64_t span_id, struct ops_run *out, struct err *err);
/* What a list needs: a trace, and then of each of its runs the same but for states and verdict. */
MUST_CHECK enum err_code ops_run_read_trace(const struct op_context *ctx, uint64_t trace_hi,
    uint64_t trace_lo, struct ops_run *out, struct err *err);
MUST_CHECK enum err_code ops_run_read_counts(const struct op_context *ctx, uint64_t span_id,
    struct ops_run *run, struct err *err);
void ops_run_end(struct ops_run *run);
/* ERR_DEADLINE: the time of the query is over, or nobody waits for it any more. Reading a run asks by itself; who makes something
 * of one asks between its pieces. */
MUST_CHECK enum err_code ops_run_look(const struct op_context *ctx, struct err *err);

/* Sums over the calls of models: { calls, errors, input_tokens .. }; null where there is nothing to sum. */
void ops_write_llm_sums(struct json_writer *w, const char *key, const struct op_context *ctx,
    const struct table *spans, const struct llm_call *llm_of, const size_t *rows, size_t count);

/* "completed" "failed" "cancelled" "running" */
const char *ops_run_outcome(const struct table *spans, size_t row, const struct junjo_span *junjo);
const char *ops_run_type(const struct junjo_span *junjo, const struct llm_call *llm);
const char *ops_verdict_name(enum replay_verdict v);
/* The members of a run's head: from trace_id to outcome. */
void ops_run_write_head(struct json_writer *w, const struct table *spans, size_t row,
    const struct junjo_span *junjo, const struct llm_call *llm);
/* verdict, verdict_step, verdict_reason, verdict_pointer, verdict_store_id */
void ops_write_verdict(struct json_writer *w, const struct workflow *run);

/* workflow_graph.c: "graph", and "graph_error", why there is one that cannot be read. */
void ops_write_graph(struct json_writer *w, const struct ops_run *run, struct arena *arena);

#define OPS_WORKFLOW_ROWS                                                                          \
	{.name = "workflows",                                                                      \
	    .section = OP_ASK,                                                                     \
	    .path = "/api/v1/workflows",                                                           \
	    .help = "list runs of agents and workflows, newest first",                             \
	    .example = "weir workflows --service planner --last 1d",                               \
	    .list = "workflows",                                                                   \
	    .answer = "WorkflowList",                                                              \
	    .params = ops_workflows_params,                                                        \
	    .handle = ops_workflows},                                                              \
	    {.name = "compare",                                                                    \
	        .section = OP_ANALYSE,                                                             \
	        .path = "/api/v1/workflows/compare",                                               \
	        .help = "compare two runs of a workflow, step by step",                            \
	        .example = "weir compare 4bf92f3577b34da6a3ce929d0e0e4736 "                        \
	                   "0af7651916cd43dd8448eb211c80319c",                                     \
	        .answer = "WorkflowComparison",                                                    \
	        .errors = "404",                                                                   \
	        .params = ops_workflow_compare_params,                                             \
	        .handle = ops_workflow_compare},                                                   \
	    {.name = "workflow",                                                                   \
	        .section = OP_ASK,                                                                 \
	        .path = "/api/v1/workflows/{trace_id}",                                            \
	        .help = "show a run step by step, with its state and its graph",                   \
	        .example = "weir workflow 4bf92f3577b34da6a3ce929d0e0e4736",                       \
	        .answer = "Workflow",                                                              \
	        .params = ops_workflow_params,                                                     \
	        .handle = ops_workflow},                                                           \
	{                                                                                          \
		.name = "workflow_span", .no_command = true,                                       \
		.path = "/api/v1/workflows/{trace_id}/{span_id}",                                  \
		.help = "show the run of one span, step by step", .answer = "Workflow",            \
		.params = ops_workflow_span_params, .handle = ops_workflow                         \
	}

#endif
