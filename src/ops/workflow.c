/* SPDX-License-Identifier: Apache-2.0 */
/* `workflow`: a run step by step (docs/api.md, Workflow). */
#include "ops/workflow.h"

#include "ops/llm.h"
#include "ops/op_params.h"

/* States of one answer: those beyond it are left out, and counted. */
enum { STATES_BYTES_MAX = 32 << 20 };
enum { LOOK_EVERY = 16 }; /* steps */

#define PARAMS_VIEW                                                                                \
	{.name = "states",                                                                         \
	    .type = OP_BOOL,                                                                       \
	    .help = "the state before and after each step (states=false: without)",                \
	    .fallback = "true"},                                                                   \
	    {.name = "step",                                                                       \
	        .type = OP_INT,                                                                    \
	        .min = 1,                                                                          \
	        .max = INT32_MAX,                                                                  \
	        .help = "steps from this one on; a terminal shows the states of one alone",        \
	        .fallback = "1"},                                                                  \
	    PARAM_LIMIT_MAX

#define PARAM_PATH_TRACE                                                                           \
	{.name = "trace_id", .type = OP_TRACE_ID, .in_path = true, .help = "32 hex digits"}

const struct op_param ops_workflow_params[] = {
    PARAM_PATH_TRACE,
    {.name = "span_id",
        .type = OP_SPAN_ID,
        .argument = true,
        .help = "the run of this span; else the trace's first workflow, or agent"},
    PARAMS_VIEW,
    PARAM_END,
};

const struct op_param ops_workflow_span_params[] = {
    PARAM_PATH_TRACE,
    {.name = "span_id", .type = OP_SPAN_ID, .in_path = true, .help = "16 hex digits"},
    PARAMS_VIEW,
    PARAM_END,
};

struct view {
	const struct op_context *ctx;
	const struct ops_run *run;
	struct json_writer w;
	bool states;
	size_t first, count; /* steps */
	size_t states_bytes, states_left_out;
};

/* ---- patches */

static bool
is_noop(struct str patch)
{
	patch = str_trim(patch);
	return str_eq(patch, STR("{}")) || str_eq(patch, STR("[]"));
}

static const char *
mode_name(enum junjo_mode mode)
{
	static const char *const names[] = {[JUNJO_FULL] = "full",
	    [JUNJO_REDACTED] = "redacted",
	    [JUNJO_EXCLUDED] = "excluded",
	    [JUNJO_REFERENCE] = "reference"};
	return names[mode];
}

static void
put_patch(struct view *v, size_t i)
{
	struct json_writer *w = &v->w;
	const struct workflow_patch *p = &v->run->w.patches[i];
	const struct table *t = &v->run->r.rows;
	bool valid = false;
	jsonw_object(w);
	ops_write_span_id(w, "span_id", table_u64(t, p->row, SPAN_SPAN_ID));
	ops_write_u64(w, "ordinal", p->of.ordinal);
	jsonw_key(w, "place");
	if (p->place > 0)
		jsonw_u64(w, p->place);
	else
		jsonw_null(w);
	ops_put_text_or_null(w, "event_id", p->of.id);
	ops_write_time(w, "time", "time_unix_nano", p->of.time_ns);
	ops_put_text_or_null(w, "store_id", p->of.store_id);
	ops_put_text_or_null(w, "store_name", p->of.store_name);
	ops_put_text_or_null(w, "action", p->of.action);
	jsonw_key(w, "sequence");
	if (p->of.has_sequence)
		jsonw_i64(w, p->of.sequence);
	else
		jsonw_null(w);
	ops_write_text(w, "mode", str_from(mode_name(p->of.mode)));
	if (p->of.patch.ptr) {
		valid = ops_write_json_text(w, "patch", p->of.patch, v->ctx->arena);
	} else {
		jsonw_key(w, "patch");
		jsonw_null(w);
	}
	jsonw_key(w, "valid");
	jsonw_bool(w, valid);
	jsonw_key(w, "no_change");
	jsonw_bool(w, is_noop(p->of.patch));
	jsonw_key(w, "applied");
	jsonw_bool(w, p->applied);
	ops_put_text_or_null(w, "error", p->why ? str_from(p->why) : STR_EMPTY);
	jsonw_object_end(w);
}

static void
put_patches(struct view *v, const char *key, const size_t *list, size_t count)
{
	jsonw_key(&v->w, key);
	jsonw_array(&v->w);
	for (size_t i = 0; i < count && !v->w.out->failed; i++)
		put_patch(v, list[i]);
	jsonw_array_end(&v->w);
}

/* ---- steps */

static void
put_state(struct view *v, const char *key, const struct patch_doc *doc)
{
	struct json_writer *w = &v->w;
	jsonw_key(w, key);
	if (!v->states || !doc || v->states_bytes > STATES_BYTES_MAX) {
		v->states_left_out += v->states && doc;
		jsonw_null(w);
		return;
	}
	size_t before = w->out->len;
	jsonw_raw(w, STR_EMPTY);
	patch_doc_write(doc, w->out);
	v->states_bytes += w->out->len - before;
}

static enum err_code
put_exceptions(struct view *v, size_t row, struct err *err)
{
	struct json_writer *w = &v->w;
	struct junjo_exceptions all;
	enum err_code code = junjo_exceptions(table_str(&v->run->r.rows, row, SPAN_EVENTS),
	    v->ctx->arena, &all, err);
	jsonw_key(w, "exceptions");
	jsonw_array(w);
	for (size_t i = 0; !code && i < all.count; i++) {
		const struct junjo_exception *e = &all.list[i];
		jsonw_object(w);
		ops_write_time(w, "time", "time_unix_nano", e->time_ns);
		ops_put_text_or_null(w, "type", e->type);
		ops_put_text_or_null(w, "message", e->message);
		ops_put_text_or_null(w, "stacktrace", e->stacktrace);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	return code;
}

static void
put_call(struct view *v, size_t row)
{
	jsonw_object(&v->w);
	ops_llm_write_call(&v->w, v->ctx, &v->run->r, row, &v->run->w.llm_of[row]);
	jsonw_object_end(&v->w);
}

static void
put_calls(struct view *v, const size_t *rows, size_t count)
{
	jsonw_key(&v->w, "llm_calls");
	jsonw_array(&v->w);
	for (size_t i = 0; i < count; i++)
		put_call(v, rows[i]);
	jsonw_array_end(&v->w);
}

static void
put_node(struct view *v, const struct workflow_step *s)
{
	struct json_writer *w = &v->w;
	const struct table *t = &v->run->r.rows;
	struct str id = s->junjo.id.ptr ? s->junjo.id
	    : s->llm.tool_call_id.ptr   ? s->llm.tool_call_id
	                                : STR_EMPTY;
	jsonw_key(w, "node");
	jsonw_object(w);
	ops_put_text_or_null(w, "id", id);
	ops_put_text_or_null(w, "structural_id", s->junjo.structural_id);
	ops_write_text(w, "name", table_str(t, s->row, SPAN_NAME));
	ops_write_text(w, "type", str_from(ops_run_type(&s->junjo, &s->llm)));
	jsonw_object_end(w);
}

static void
put_step_head(struct view *v, size_t i)
{
	struct json_writer *w = &v->w;
	const struct workflow_step *s = &v->run->w.steps[i];
	const struct table *t = &v->run->r.rows;
	uint64_t start_ns = table_u64(t, s->row, SPAN_START_NS);
	int64_t duration_ns = table_i64(t, s->row, SPAN_DURATION_NS);
	ops_write_u64(w, "step", i + 1);
	jsonw_key(w, "parent_step");
	if (s->parent == WORKFLOW_NONE)
		jsonw_null(w);
	else
		jsonw_u64(w, (uint64_t)s->parent + 1);
	ops_write_u64(w, "depth", s->depth);
	put_node(v, s);
	ops_write_span_id(w, "span_id", table_u64(t, s->row, SPAN_SPAN_ID));
	ops_write_text(w, "service", table_str(t, s->row, SPAN_SERVICE));
	ops_write_time(w, "start_time", "start_time_unix_nano", start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", start_ns + (uint64_t)duration_ns);
	ops_write_duration_ms(w, "duration_ms", (double)duration_ns);
	ops_write_status(w, "status", table_i32(t, s->row, SPAN_STATUS_CODE));
	ops_write_text(w, "status_message", table_str(t, s->row, SPAN_STATUS_MESSAGE));
	ops_write_text(w, "outcome", str_from(ops_run_outcome(t, s->row, &s->junjo)));
	ops_put_text_or_null(w, "error_type",
	    s->junjo.error_type.ptr ? s->junjo.error_type : s->llm.error_type);
}

static enum err_code
put_step(struct view *v, size_t i, struct err *err)
{
	struct json_writer *w = &v->w;
	const struct workflow_step *s = &v->run->w.steps[i];
	jsonw_object(w);
	put_step_head(v, i);
	ops_put_text_or_null(w, "store_id",
	    s->store == WORKFLOW_NONE ? STR_EMPTY : v->run->w.stores[s->store].id);
	put_state(v, "state_before", s->before);
	put_state(v, "state_after", s->after);
	put_patches(v, "patches", s->patches, s->patch_count);
	enum err_code code = put_exceptions(v, s->row, err);
	put_calls(v, s->calls, s->call_count);
	jsonw_object_end(w);
	return code;
}

static enum err_code
put_steps(struct view *v, struct err *err)
{
	size_t total = v->run->w.step_count, first = v->first < total ? v->first : total;
	size_t end = total - first < v->count ? total : first + v->count;
	enum err_code code = ERR_OK;
	ops_write_u64(&v->w, "step_count", total);
	jsonw_key(&v->w, "steps");
	jsonw_array(&v->w);
	for (size_t i = first; i < end && !code && !v->w.out->failed; i++) {
		if ((i - first) % LOOK_EVERY == 0)
			code = ops_run_look(v->ctx, err);
		if (!code)
			code = put_step(v, i, err);
	}
	jsonw_array_end(&v->w);
	jsonw_key(&v->w, "next_step");
	if (end < total)
		jsonw_u64(&v->w, end + 1);
	else
		jsonw_null(&v->w);
	return code;
}

/* ---- the whole */

static void
put_json_or_null(struct view *v, const char *key, struct str text)
{
	if (text.ptr && v->states) {
		(void)ops_write_json_text(&v->w, key, text, v->ctx->arena);
		return;
	}
	jsonw_key(&v->w, key);
	jsonw_null(&v->w);
}

static void
put_store(struct view *v, const struct workflow_store *s)
{
	struct json_writer *w = &v->w;
	const struct replay_result *r = &s->result;
	jsonw_object(w);
	ops_write_text(w, "store_id", s->id);
	ops_put_text_or_null(w, "name", s->name);
	ops_write_span_id(w, "owner_span_id", table_u64(&v->run->r.rows, s->owner, SPAN_SPAN_ID));
	ops_write_text(w, "owner_type", str_from(ops_run_type(s->junjo, &(struct llm_call){0})));
	ops_write_u64(w, "patch_count", s->patch_count);
	ops_write_text(w, "verdict", str_from(ops_verdict_name(r->verdict)));
	jsonw_key(w, "verdict_place");
	if (r->at > 0)
		jsonw_u64(w, r->at);
	else
		jsonw_null(w);
	ops_put_text_or_null(w, "verdict_reason", r->why[0] ? str_from(r->why) : STR_EMPTY);
	ops_put_text_or_null(w, "verdict_pointer",
	    r->verdict == REPLAY_MISMATCH ? str_from(r->pointer) : STR_EMPTY);
	put_json_or_null(v, "state_start", s->junjo->state_start);
	put_json_or_null(v, "state_end", s->junjo->state_end);
	put_state(v, "state_replayed", r->state);
	jsonw_object_end(w);
}

static void
put_parent(struct view *v)
{
	const struct table *t = &v->run->r.rows;
	ops_write_span_id(&v->w, "parent_span_id", table_u64(t, v->run->w.root, SPAN_PARENT_ID));
	jsonw_key(&v->w, "node_count");
	if (v->run->w.junjo.has_node_count)
		jsonw_i64(&v->w, v->run->w.junjo.node_count);
	else
		jsonw_null(&v->w);
	ops_put_text_or_null(&v->w, "error_type",
	    v->run->w.junjo.error_type.ptr ? v->run->w.junjo.error_type : v->run->w.llm.error_type);
	ops_put_text_or_null(&v->w, "termination_reason", v->run->w.junjo.termination_reason);
	ops_put_text_or_null(&v->w, "cancelled_reason", v->run->w.junjo.cancelled_reason);
}

static enum err_code
put_view(struct view *v, struct err *err)
{
	const struct workflow *run = &v->run->w;
	const struct table *t = &v->run->r.rows;
	struct json_writer *w = &v->w;
	jsonw_object(w);
	ops_run_write_head(w, t, run->root, &run->junjo, &run->llm);
	put_parent(v);
	ops_write_verdict(w, run);
	ops_write_llm_sums(w, "llm", v->ctx, t, run->llm_of, run->calls, run->call_count);
	ops_write_graph(w, v->run, v->ctx->arena);
	enum err_code code = put_steps(v, err);
	put_patches(v, "patches", run->own_patches, run->own_patch_count);
	ops_write_u64(w, "patch_count", run->patch_count);
	if (!code)
		code = put_exceptions(v, run->root, err);
	jsonw_key(w, "stores");
	jsonw_array(w);
	for (size_t i = 0; i < run->store_count; i++)
		put_store(v, &run->stores[i]);
	jsonw_array_end(w);
	ops_write_u64(w, "states_left_out", v->states_left_out);
	jsonw_key(w, "truncated");
	jsonw_bool(w, v->run->cut);
	jsonw_object_end(w);
	return code;
}

enum err_code
ops_workflow(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_run run;
	struct ops_parsed trace, span = {0}, p;
	bool has_trace = ops_find_value(op, values, value_count, "trace_id", &trace);
	CHECK(has_trace);
	(void)ops_find_value(op, values, value_count, "span_id", &span);
	struct view v = {
	    .ctx = ctx, .run = &run, .states = true, .count = ctx->limits->results_max};
	if (ops_find_value(op, values, value_count, "states", &p))
		v.states = p.i64 != 0;
	if (ops_find_value(op, values, value_count, "step", &p))
		v.first = (size_t)p.i64 - 1;
	if (ops_find_value(op, values, value_count, "limit", &p))
		v.count = (size_t)p.i64;
	enum err_code code = ops_run_read(ctx, trace.hi, trace.lo, span.lo, &run, err);
	json_writer_init(&v.w, json_out);
	if (!code)
		code = put_view(&v, err);
	ops_run_end(&run);
	return code;
}
