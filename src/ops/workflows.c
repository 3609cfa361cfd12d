/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `workflows`: runs, newest first, each with what it did in numbers. These need all spans of its trace: traces are read
 * one after the other, once for runs that follow each other, and memory is that of the largest. So whether a chain at the top of its
 * trace calls models is known without a search for that: of those that do not a page has fewer runs.
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

/* Which come after which: as the store has them. */
static struct store_cursor
place_of(const struct table *t, size_t row)
{
	return (struct store_cursor){.time_ns = table_u64(t, row, SPAN_START_NS),
	    .seq = table_u64(t, row, SPAN_SEQ),
	    .ord = table_u32(t, row, SPAN_ORD),
	    .set = true};
}

/* Greater: x comes first. */
static int
compare_places(const struct store_cursor *x, const struct store_cursor *y)
{
	if (x->time_ns != y->time_ns)
		return x->time_ns > y->time_ns ? 1 : -1;
	if (x->seq != y->seq)
		return x->seq > y->seq ? 1 : -1;
	return (x->ord > y->ord) - (x->ord < y->ord);
}

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

/* Chains that are above all others of their trace: a search of its own, for of those below there are many, and a question's alternatives
 * are attributes. */
static void
ask_for_chains(struct store_query *q, bool has_type, enum run_choice type)
{
	if (has_type && type != RUN_WORKFLOW && type != RUN_ANY)
		return;
	ask_for(q, "openinference.span.kind", "CHAIN");
	q->roots_only = true;
}

/* What may be runs, newest first, out of both searches: of more than row_max rows of either nobody gets to see the rest. */
struct candidates {
	struct store_result found[2];
	size_t at[2];
	struct store_cursor last; /* of those that were given out */
};

static enum err_code
find_candidates(const struct op_context *ctx, struct store_query *runs, struct store_query *chains,
    struct candidates *c, struct err *err)
{
	enum err_code code = store_query(ctx->store, runs, ctx->arena, &c->found[0], err);
	if (code || chains->any_count == 0)
		return code;
	/* Those behind the last run are of the next page. */
	const struct table *t = &c->found[0].rows;
	if (c->found[0].more && t->row_count > 0)
		chains->from_ns = table_u64(t, t->row_count - 1, SPAN_START_NS);
	return store_query(ctx->store, chains, ctx->arena, &c->found[1], err);
}

/* False: there are no more. One that both have found is given out once. */
static bool
next_candidate(struct candidates *c, const struct table **t_out, size_t *row_out)
{
	struct store_cursor place[2] = {0};
	for (int i = 0; i < 2; i++)
		if (c->at[i] < c->found[i].rows.row_count)
			place[i] = place_of(&c->found[i].rows, c->at[i]);
	int first = !place[0].set || (place[1].set && compare_places(&place[1], &place[0]) > 0);
	if (!place[first].set)
		return false;
	*t_out = &c->found[first].rows;
	*row_out = c->at[first]++;
	c->last = place[first];
	if (place[!first].set && compare_places(&place[0], &place[1]) == 0)
		c->at[!first]++;
	return true;
}

static bool
has_more(const struct candidates *c)
{
	bool left = false;
	for (int i = 0; i < 2; i++)
		left = left || c->found[i].more || c->at[i] < c->found[i].rows.row_count;
	return left && c->last.set;
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
	bool is_run = kind != WORKFLOW_CHAIN || (!code && run.w.call_count > 0);
	if (!code && is_run)
		write_run(l, &run);
	ops_run_end(&run);
	if (code == ERR_NOT_FOUND && run.cut && is_run)
		code = put_alone(l->ctx, &l->w, t, row, err);
	arena_rewind(arena, mark);
	l->count += !code && is_run;
	/* What retention has removed meanwhile is no longer in the list. */
	return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code
put_candidates(struct run_list *l, struct candidates *c, size_t max, struct err *err)
{
	enum err_code code = ERR_OK;
	const struct table *t;
	size_t row;
	l->before_trace = arena_mark(l->ctx->arena);
	for (size_t i = 0; i < max && !code && !l->w.out->failed && next_candidate(c, &t, &row);
	    i++)
		code = put_run(l, t, row, err);
	return code;
}

static void
put_end(struct run_list *l, const struct candidates *c, const struct ops_cursor_base *base)
{
	struct buf cursor = {0};
	ops_write_u64(&l->w, "count", l->count);
	if (!has_more(c))
		return;
	ops_cursor_write(&cursor, base, &c->last);
	ops_write_text(&l->w, "next_cursor", buf_view(&cursor));
	buf_fini(&cursor);
}

enum err_code
ops_workflows(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q, chains;
	struct ops_cursor_base base;
	struct candidates c = {.at = {0, 0}};
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
	chains = q;
	ask_for_runs(&q, has_type, has_type ? (enum run_choice)type.i64 : RUN_ANY);
	ask_for_chains(&chains, has_type, has_type ? (enum run_choice)type.i64 : RUN_ANY);
	code = find_candidates(ctx, &q, &chains, &c, err);
	json_writer_init(&l.w, json_out);
	jsonw_object(&l.w);
	jsonw_key(&l.w, op->list);
	jsonw_array(&l.w);
	if (!code)
		code = put_candidates(&l, &c, q.row_max, err);
	jsonw_array_end(&l.w);
	if (!code)
		put_end(&l, &c, &base);
	jsonw_object_end(&l.w);
	return code;
}
