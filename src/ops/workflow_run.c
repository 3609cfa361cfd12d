/* SPDX-License-Identifier: Apache-2.0 */
/* What the questions about runs share: finding a run, its head, sums over its calls, its verdict. */
#include "ops/workflow.h"

#include "agent/prices.h"
#include "base/limits.h"

/* Of one run. A row costs some hundred bytes here, its texts apart. */
enum { RUN_SPANS_MAX = 100000, STATE_BYTES_MAX = 256 << 20, PATCH_OPS_MAX = 100000 };
enum { LOOK_EVERY = 256 }; /* rows */

enum err_code
ops_run_look(const struct op_context *ctx, struct err *err)
{
	struct ops_stop stop = {ctx, ctx->deadline_mono_ns};
	if (!ops_should_stop(&stop))
		return ERR_OK;
	return err_set(err, ERR_DEADLINE,
	    "the query did not end in its time: ask for less of the run");
}

/* Row of the run that a trace is best known by; SIZE_MAX: it has none. */
static enum err_code
choose_root(const struct op_context *ctx, const struct table *t, size_t *row_out,
    enum workflow_kind *kind_out, struct err *err)
{
	enum workflow_kind best = WORKFLOW_KIND_NONE;
	enum err_code code = ERR_OK;
	*row_out = SIZE_MAX;
	for (size_t i = 0; i < t->row_count && best < WORKFLOW_WORKFLOW && !code; i++) {
		struct arena_mark mark = arena_mark(ctx->arena);
		enum workflow_kind kind = WORKFLOW_KIND_NONE;
		if (i % LOOK_EVERY == 0)
			code = ops_run_look(ctx, err);
		if (!code)
			code = workflow_kind_of(t, i, ctx->arena, &kind, err);
		if (!code && kind > best) {
			best = kind;
			*row_out = i;
		}
		arena_rewind(ctx->arena, mark);
	}
	*kind_out = best;
	return code;
}

/* What is above all others comes last, for it ends last. */
static enum err_code
no_run(unsigned long long hi, unsigned long long lo, const struct table *t, struct err *err)
{
	bool has_top = false;
	for (size_t i = 0; i < t->row_count && !has_top; i++)
		has_top = table_u64(t, i, SPAN_PARENT_ID) == 0;
	return err_set(err, ERR_NOT_FOUND,
	    "trace %016llx%016llx has no workflow and no agent among its %zu span%s%s", hi, lo,
	    t->row_count, t->row_count == 1 ? "" : "s",
	    has_top ? "" : "; they have no root yet: the run may be going on");
}

static enum err_code
span_is_none(uint64_t span_id, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "span %016llx is no workflow, subflow or agent",
	    (unsigned long long)span_id);
}

static enum err_code
find_root(const struct op_context *ctx, uint64_t trace_hi, uint64_t trace_lo, const struct table *t,
    uint64_t span_id, size_t *row_out, enum workflow_kind *kind_out, struct err *err)
{
	unsigned long long hi = trace_hi, lo = trace_lo;
	if (t->row_count == 0)
		return err_set(err, ERR_NOT_FOUND, "no trace with id %016llx%016llx", hi, lo);
	if (span_id == 0) {
		enum err_code code = choose_root(ctx, t, row_out, kind_out, err);
		if (!code && *row_out == SIZE_MAX)
			return no_run(hi, lo, t, err);
		return code;
	}
	for (size_t i = 0; i < t->row_count; i++) {
		if (table_u64(t, i, SPAN_SPAN_ID) != span_id)
			continue;
		*row_out = i;
		enum err_code code = workflow_kind_of(t, i, ctx->arena, kind_out, err);
		return !code && *kind_out == WORKFLOW_KIND_NONE ? span_is_none(span_id, err) : code;
	}
	return err_set(err, ERR_NOT_FOUND, "no span %016llx in trace %016llx%016llx",
	    (unsigned long long)span_id, hi, lo);
}

enum err_code
ops_run_read_trace(const struct op_context *ctx, uint64_t trace_hi, uint64_t trace_lo,
    struct ops_run *out, struct err *err)
{
	struct store_query q = {.kind = STORE_TRACE,
	    .tenant = ctx->tenant,
	    .to_ns = UINT64_MAX,
	    .row_max = RUN_SPANS_MAX,
	    .has_trace_id = true,
	    .trace_hi = trace_hi,
	    .trace_lo = trace_lo,
	    .deadline_mono_ns = ctx->deadline_mono_ns};
	*out = (struct ops_run){0};
	enum err_code code = store_query(ctx->store, &q, ctx->arena, &out->r, err);
	out->cut = !code && out->r.more;
	return code;
}

enum err_code
ops_run_read(const struct op_context *ctx, uint64_t trace_hi, uint64_t trace_lo, uint64_t span_id,
    struct ops_run *out, struct err *err)
{
	static const struct patch_limits limits = {.bytes_max = STATE_BYTES_MAX,
	    .depth_max = LIMIT_MESSAGE_DEPTH,
	    .ops_max = PATCH_OPS_MAX};
	struct ops_stop late = {ctx, ctx->deadline_mono_ns};
	const struct replay_stop stop = {ops_should_stop, &late};
	size_t root = 0;
	enum workflow_kind kind = WORKFLOW_KIND_NONE;
	enum err_code code = ops_run_read_trace(ctx, trace_hi, trace_lo, out, err);
	if (!code)
		code = find_root(ctx, trace_hi, trace_lo, &out->r.rows, span_id, &root, &kind, err);
	if (!code)
		code = workflow_read(&out->r.rows, root, &limits, &stop, ctx->arena, &out->w, err);
	if (!code && kind == WORKFLOW_CHAIN && out->w.call_count == 0)
		code = span_id ? span_is_none(span_id, err)
		               : no_run(trace_hi, trace_lo, &out->r.rows, err);
	return code;
}

enum err_code
ops_run_read_counts(const struct op_context *ctx, uint64_t span_id, struct ops_run *run,
    struct err *err)
{
	const struct table *t = &run->r.rows;
	struct ops_stop late = {ctx, ctx->deadline_mono_ns};
	const struct replay_stop stop = {ops_should_stop, &late};
	for (size_t i = 0; i < t->row_count; i++)
		if (table_u64(t, i, SPAN_SPAN_ID) == span_id)
			return workflow_read(t, i, NULL, &stop, ctx->arena, &run->w, err);
	return err_set(err, ERR_NOT_FOUND, "the span is not there any more");
}

void
ops_run_end(struct ops_run *run)
{
	workflow_fini(&run->w);
}

/* ---- pieces */

const char *
ops_run_type(const struct junjo_span *junjo, const struct llm_call *llm)
{
	switch (junjo->type) {
	case JUNJO_WORKFLOW: return "workflow";
	case JUNJO_SUBFLOW: return "subflow";
	case JUNJO_NODE: return "node";
	case JUNJO_RUN_CONCURRENT: return "run_concurrent";
	case JUNJO_AGENT: return "agent";
	case JUNJO_NONE:
	case JUNJO_OTHER: break;
	}
	if (junjo->operation_type.len > 0)
		return str_eq(junjo->operation_type, STR("tool")) ? "tool" : "model_request";
	if (llm->run == LLM_RUN_WORKFLOW || llm->run == LLM_RUN_AGENT)
		return llm->run == LLM_RUN_WORKFLOW ? "workflow" : "agent";
	return llm_kind_name(llm->kind);
}

const char *
ops_run_outcome(const struct table *spans, size_t row, const struct junjo_span *junjo)
{
	if (junjo->cancelled || str_eq(junjo->outcome, STR("cancelled")))
		return "cancelled";
	if (table_i32(spans, row, SPAN_STATUS_CODE) == 2 || str_eq(junjo->outcome, STR("failed")))
		return "failed";
	return table_i64(spans, row, SPAN_DURATION_NS) < 0 ? "running" : "completed";
}

void
ops_run_write_head(struct json_writer *w, const struct table *spans, size_t row,
    const struct junjo_span *junjo, const struct llm_call *llm)
{
	uint64_t start_ns = table_u64(spans, row, SPAN_START_NS);
	int64_t duration_ns = table_i64(spans, row, SPAN_DURATION_NS);
	struct str agent = junjo->agent_name.ptr ? junjo->agent_name : llm->agent;
	ops_write_trace_id(w, "trace_id", table_u64(spans, row, SPAN_TRACE_HI),
	    table_u64(spans, row, SPAN_TRACE_LO));
	ops_write_span_id(w, "span_id", table_u64(spans, row, SPAN_SPAN_ID));
	ops_write_text(w, "service", table_str(spans, row, SPAN_SERVICE));
	ops_write_text(w, "name", table_str(spans, row, SPAN_NAME));
	ops_write_text(w, "type", str_from(ops_run_type(junjo, llm)));
	ops_write_u64(w, "junjo_generation", (uint64_t)junjo->generation);
	ops_put_text_or_null(w, "junjo_id", junjo->id);
	ops_put_text_or_null(w, "structural_id", junjo->structural_id);
	ops_put_text_or_null(w, "agent", agent);
	ops_put_text_or_null(w, "conversation", llm->conversation);
	ops_write_time(w, "start_time", "start_time_unix_nano", start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", start_ns + (uint64_t)duration_ns);
	ops_write_duration_ms(w, "duration_ms", (double)duration_ns);
	ops_write_status(w, "status", table_i32(spans, row, SPAN_STATUS_CODE));
	ops_write_text(w, "status_message", table_str(spans, row, SPAN_STATUS_MESSAGE));
	ops_write_text(w, "outcome", str_from(ops_run_outcome(spans, row, junjo)));
}

const char *
ops_verdict_name(enum replay_verdict v)
{
	switch (v) {
	case REPLAY_VERIFIED: return "verified";
	case REPLAY_MISMATCH: return "mismatch";
	case REPLAY_IMPOSSIBLE: return "not_reconstructable";
	case REPLAY_NOTHING: return "nothing_to_verify";
	}
	return "nothing_to_verify";
}

void
ops_write_verdict(struct json_writer *w, const struct workflow *run)
{
	const struct workflow_store *s =
	    run->verdict_store == WORKFLOW_NONE ? NULL : &run->stores[run->verdict_store];
	ops_write_text(w, "verdict", str_from(ops_verdict_name(run->verdict)));
	jsonw_key(w, "verdict_step");
	if (run->verdict_step == WORKFLOW_NONE || run->verdict == REPLAY_VERIFIED)
		jsonw_null(w);
	else
		jsonw_u64(w, (uint64_t)run->verdict_step + 1);
	bool why = s && s->result.why[0] != '\0', place = s && run->verdict == REPLAY_MISMATCH;
	ops_put_text_or_null(w, "verdict_reason", why ? str_from(s->result.why) : STR_EMPTY);
	ops_put_text_or_null(w, "verdict_pointer", place ? str_from(s->result.pointer) : STR_EMPTY);
	ops_put_text_or_null(w, "verdict_store_id", s ? s->id : STR_EMPTY);
}

/* ---- sums */

struct sum {
	uint64_t value;
	bool any;
};

static void
add(struct sum *sum, bool has, uint64_t value)
{
	sum->any = sum->any || has;
	if (has)
		sum->value = value > UINT64_MAX - sum->value ? UINT64_MAX : sum->value + value;
}

static void
put_sum(struct json_writer *w, const char *key, const struct sum *sum)
{
	jsonw_key(w, key);
	if (sum->any)
		jsonw_u64(w, sum->value);
	else
		jsonw_null(w);
}

void
ops_write_llm_sums(struct json_writer *w, const char *key, const struct op_context *ctx,
    const struct table *spans, const struct llm_call *llm_of, const size_t *rows, size_t count)
{
	struct sum input = {0}, output = {0}, total = {0};
	double cost = 0;
	uint64_t errors = 0, unpriced = 0;
	for (size_t i = 0; i < count; i++) {
		const struct llm_call *c = &llm_of[rows[i]];
		double one;
		add(&input, c->has_input_tokens, c->input_tokens);
		add(&output, c->has_output_tokens, c->output_tokens);
		add(&total, c->has_total_tokens, c->total_tokens);
		errors += table_i32(spans, rows[i], SPAN_STATUS_CODE) == 2;
		if (prices_cost(ctx->prices, c, &one))
			cost += one;
		else
			unpriced++;
	}
	jsonw_key(w, key);
	jsonw_object(w);
	ops_write_u64(w, "calls", count);
	ops_write_u64(w, "errors", errors);
	put_sum(w, "input_tokens", &input);
	put_sum(w, "output_tokens", &output);
	put_sum(w, "total_tokens", &total);
	jsonw_key(w, "cost_usd");
	if (unpriced < count)
		jsonw_f64(w, cost);
	else
		jsonw_null(w);
	ops_write_u64(w, "calls_without_price", unpriced);
	jsonw_object_end(w);
}
