/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `workflows`: runs, newest first, each with what it did in numbers. These need all spans of its trace: traces are read
 * one after the other, once for runs that follow each other, and memory is that of the largest.
 */
#include "ops/workflow.h"

#include "ops/op_params.h"

/* Conditions of who asks: the others are those of ask_for_runs(). */
enum { RUN_ATTRS_MAX = STORE_ATTRS_MAX / 2 };

enum run_choice { RUN_WORKFLOW, RUN_AGENT, RUN_SUBFLOW, RUN_ANY };
#define RUN_CHOICES "workflow|agent|subflow|any"

const struct op_param ops_workflows_params[] = {
    PARAM_SERVICE,
    PARAM("name", OP_TEXT, "the run's span has exactly this name"),
    PARAM_ENUM("type", RUN_CHOICES,
        "workflow, agent or subflow, in whatever dialect; any: all three (else workflows and agents)"),
    PARAM_ENUM("status", "ok|error|unset", "has this status"),
    PARAM("min_duration_ms", OP_DURATION_MS,
        "took at least so long (250ms, 1.5s; digits alone: ms)"),
    PARAM("max_duration_ms", OP_DURATION_MS, "took at most so long"),
    {.name = "attribute",
        .type = OP_ATTR,
        .repeat = true,
        .repeat_max = RUN_ATTRS_MAX,
        .help = "its attribute, or else its resource's: k=v k!=v k>1.5 k~regex k!~regex k !k"},
    PARAM("trace_id", OP_TRACE_ID, "of this trace"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT_OR("50"),
    PARAM_CURSOR,
    PARAM_END,
};

static void
ask_for(struct store_query *q, const char *key, const char *value)
{
	CHECK(q->attr_count < STORE_ATTRS_MAX);
	q->attrs[q->attr_count++] = (struct store_attr){.key = str_from(key),
	    .value = str_from(value),
	    .op = STORE_ATTR_EQ,
	    .of = STORE_ATTR_OF_ITEM};
	q->any_count++;
}

/* What workflow_kind_of() looks at (agent/junjo.h, agent/llm.h), as conditions. They let in what is none after all. An agent that
 * only its name and its provider tell of is not found so. */
static void
ask_for_runs(struct store_query *q, bool has_type, enum run_choice type)
{
	bool any = has_type && type == RUN_ANY;
	if (any || !has_type || type == RUN_WORKFLOW) {
		ask_for(q, "junjo.span_type", "workflow");
		ask_for(q, "gen_ai.operation.name", "invoke_workflow");
		ask_for(q, "traceloop.span.kind", "workflow");
	}
	if (any || !has_type || type == RUN_AGENT) {
		ask_for(q, "junjo.span_type", "agent");
		ask_for(q, "gen_ai.operation.name", "invoke_agent");
		ask_for(q, "openinference.span.kind", "AGENT");
		ask_for(q, "traceloop.span.kind", "agent");
	}
	if (any || (has_type && type == RUN_SUBFLOW))
		ask_for(q, "junjo.span_type", "subflow");
}

/* A run that is behind what is read of its trace: what its own span says. */
static enum err_code
put_alone(const struct op_context *ctx, struct json_writer *w, const struct table *t, size_t row,
    struct err *err)
{
	struct junjo_span junjo;
	struct llm_call llm;
	struct str attributes = table_str(t, row, SPAN_ATTRIBUTES);
	enum err_code code = junjo_read(attributes, ctx->arena, &junjo, err);
	if (!code)
		code = llm_read(attributes, table_str(t, row, SPAN_EVENTS), ctx->arena, &llm, err);
	if (code)
		return code;
	jsonw_object(w);
	ops_run_write_head(w, t, row, &junjo, &llm);
	ops_write_u64(w, "step_count", 0);
	ops_write_u64(w, "patch_count", 0);
	ops_write_llm_sums(w, "llm", ctx, t, NULL, NULL, 0);
	jsonw_key(w, "truncated");
	jsonw_bool(w, true);
	jsonw_object_end(w);
	return ERR_OK;
}

/* The list, and the trace that was read last: runs of one trace mostly stand beside each other. */
struct run_list {
	const struct op_context *ctx;
	struct json_writer w;
	uint64_t count;
	struct ops_run trace;
	uint64_t trace_hi, trace_lo; /* both 0: none was read */
	struct arena_mark before_trace;
};

static enum err_code
read_trace(struct run_list *l, uint64_t hi, uint64_t lo, struct err *err)
{
	if ((hi | lo) != 0 && hi == l->trace_hi && lo == l->trace_lo)
		return ERR_OK;
	arena_rewind(l->ctx->arena, l->before_trace);
	l->trace_hi = l->trace_lo = 0;
	enum err_code code = ops_run_read_trace(l->ctx, hi, lo, &l->trace, err);
	if (!code) {
		l->trace_hi = hi;
		l->trace_lo = lo;
	}
	return code;
}

static void
write_run(struct run_list *l, const struct ops_run *run)
{
	const struct workflow *r = &run->w;
	struct json_writer *w = &l->w;
	jsonw_object(w);
	ops_run_write_head(w, &run->r.rows, r->root, &r->junjo, &r->llm);
	ops_write_u64(w, "step_count", r->step_count);
	ops_write_u64(w, "patch_count", r->patch_count);
	ops_write_llm_sums(w, "llm", l->ctx, &run->r.rows, r->llm_of, r->calls, r->call_count);
	jsonw_key(w, "truncated");
	jsonw_bool(w, run->cut);
	jsonw_object_end(w);
}

static enum err_code
put_run(struct run_list *l, const struct table *t, size_t row, struct err *err)
{
	struct arena *arena = l->ctx->arena;
	enum workflow_kind kind = WORKFLOW_KIND_NONE;
	struct arena_mark mark = arena_mark(arena);
	enum err_code code = ops_run_look(l->ctx, err);
	if (!code)
		code = workflow_kind_of(t, row, arena, &kind, err);
	arena_rewind(arena, mark);
	if (!code && kind != WORKFLOW_KIND_NONE)
		code = read_trace(l, table_u64(t, row, SPAN_TRACE_HI),
		    table_u64(t, row, SPAN_TRACE_LO), err);
	if (code || kind == WORKFLOW_KIND_NONE)
		return code;
	mark = arena_mark(arena);
	struct ops_run run = l->trace;
	code = ops_run_read_counts(l->ctx, table_u64(t, row, SPAN_SPAN_ID), &run, err);
	if (!code)
		write_run(l, &run);
	ops_run_end(&run);
	if (code == ERR_NOT_FOUND && run.cut)
		code = put_alone(l->ctx, &l->w, t, row, err);
	arena_rewind(arena, mark);
	l->count += !code;
	/* What retention has removed meanwhile is no longer in the list. */
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code
ops_workflows(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	struct ops_parsed type;
	struct run_list l = {.ctx = ctx};
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SPANS, values, value_count, &q, &base, err);
	if (code)
		return code;
	if (q.attr_count > RUN_ATTRS_MAX)
		return err_set(err, ERR_INVALID, "parameter attribute: given more than %d times",
		    RUN_ATTRS_MAX);
	bool has_type = ops_find_value(op, values, value_count, "type", &type);
	ask_for_runs(&q, has_type, has_type ? (enum run_choice)type.i64 : RUN_ANY);
	code = store_query(ctx->store, &q, ctx->arena, &r, err);
	l.before_trace = arena_mark(ctx->arena);
	json_writer_init(&l.w, json_out);
	jsonw_object(&l.w);
	jsonw_key(&l.w, op->list);
	jsonw_array(&l.w);
	for (size_t i = 0; !code && i < r.rows.row_count && !json_out->failed; i++)
		code = put_run(&l, &r.rows, i, err);
	jsonw_array_end(&l.w);
	if (!code) {
		ops_write_u64(&l.w, "count", l.count);
		if (r.more) {
			struct buf cursor = {0};
			ops_cursor_write(&cursor, &base, &r.next);
			ops_write_text(&l.w, "next_cursor", buf_view(&cursor));
			buf_fini(&cursor);
		}
	}
	jsonw_object_end(&l.w);
	return code;
}
