/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/llm.h"

enum { STATUS_OK = 1, STATUS_ERROR = 2 };

static struct str
text_value(const struct op *op, const struct op_value *values, size_t count, const char *name)
{
	struct ops_parsed v;
	return ops_find_value(op, values, count, name, &v) ? v.text : STR_EMPTY;
}

void
ops_llm_filter(const struct op *op, const struct op_value *values, size_t value_count,
    struct ops_llm_walk *w)
{
	w->model = text_value(op, values, value_count, "model");
	w->provider = text_value(op, values, value_count, "provider");
	w->agent = text_value(op, values, value_count, "agent");
	w->conversation = text_value(op, values, value_count, "conversation");
}

static bool
is_asked_for(const struct ops_llm_walk *w, const struct llm_call *c)
{
	if (!c->is_llm)
		return false;
	if (w->model.len && !str_eq(w->model, c->request_model) &&
	    !str_eq(w->model, c->response_model))
		return false;
	if (w->provider.len && !str_eq_nocase(w->provider, c->provider))
		return false;
	if (w->agent.len && !str_eq(w->agent, c->agent))
		return false;
	return w->conversation.len == 0 || str_eq(w->conversation, c->conversation);
}

static void
move_to(struct ops_llm_walk *w, const struct table *t, size_t row)
{
	w->at = (struct store_cursor){.time_ns = table_u64(t, row, SPAN_START_NS),
	    .seq = table_u64(t, row, SPAN_SEQ),
	    .ord = table_u32(t, row, SPAN_ORD),
	    .set = true};
}

static enum err_code
walk_page(struct ops_llm_walk *w, const struct store_result *r, ops_llm_fn *each, void *each_ctx,
    bool *enough, struct err *err)
{
	const struct table *t = &r->rows;
	for (size_t row = 0; row < t->row_count && !*enough; row++) {
		struct llm_call call;
		enum err_code code = llm_read(table_str(t, row, SPAN_ATTRIBUTES),
		    table_str(t, row, SPAN_EVENTS), r->arena, &call, err);
		if (!code && w->above && call.is_llm && call.agent.len == 0)
			code = ops_llm_above_agent(w->above, t, row, &call.agent, err);
		if (!code && is_asked_for(w, &call))
			code = each(each_ctx, r, row, &call, enough, err);
		if (code)
			return code == ERR_CORRUPT
			    ? err_wrap(err, "span %016llx",
			          (unsigned long long)table_u64(t, row, SPAN_SPAN_ID))
			    : code;
		w->spans_read++;
		move_to(w, t, row);
		w->more = row + 1 < t->row_count || r->more;
	}
	return ERR_OK;
}

bool
ops_llm_late(const struct op_context *ctx)
{
	uint64_t whole = ctx->deadline_mono_ns > ctx->start_mono_ns
	    ? ctx->deadline_mono_ns - ctx->start_mono_ns
	    : 0;
	return ctx->stop && ctx->stop(ctx, ctx->start_mono_ns + whole / 4 * 3);
}

static enum err_code
walk(const struct op_context *ctx, struct ops_llm_walk *w, ops_llm_fn *each, void *each_ctx,
    struct err *err)
{
	struct store_query *q = &w->q;
	bool enough = false;
	size_t page = LLM_PAGE_ROWS;
	q->kind = STORE_SPANS;
	ops_ask_for_llm(q);
	w->at = q->after;
	for (w->more = true; w->more && !enough;) {
		struct store_result r;
		struct arena_mark mark = arena_mark(ctx->arena);
		q->row_max = page;
		q->after = w->at;
		enum err_code code = store_query(ctx->store, q, ctx->arena, &r, err);
		if (!code) {
			w->more = r.rows.row_count > 0 && r.more;
			code = walk_page(w, &r, each, each_ctx, &enough, err);
		}
		arena_rewind(ctx->arena, mark);
		/* Fewer spans with long messages fit; those of this page that were looked at are behind w->at. */
		if (code == ERR_TOO_LARGE && page > 1) {
			page = page > 4 ? page / 4 : 1;
			w->more = true;
			continue;
		}
		page = page * 2 < LLM_PAGE_ROWS ? page * 2 : LLM_PAGE_ROWS;
		if (code == ERR_DEADLINE && w->spans_read > 0) {
			w->partial = "the time of a query is over: ask for less";
			return ERR_OK;
		}
		if (code)
			return code;
		if (w->more && !enough && w->spans_read >= LLM_SPANS_MAX) {
			w->partial = "there are more spans than one question reads: ask for less";
			return ERR_OK;
		}
		if (w->more && !enough && ops_llm_late(ctx)) {
			w->partial = "most of the time of a query is over: ask for less";
			return ERR_OK;
		}
	}
	return ERR_OK;
}

enum err_code
ops_llm_walk(const struct op_context *ctx, struct ops_llm_walk *w, ops_llm_fn *each, void *each_ctx,
    struct err *err)
{
	if (w->wants_agents || w->agent.len > 0)
		w->above = ops_llm_above_new(ctx, &w->q);
	enum err_code code = walk(ctx, w, each, each_ctx, err);
	if (!w->partial && w->above)
		w->partial = ops_llm_above_partial(w->above);
	ops_llm_above_free(w->above);
	w->above = NULL;
	return code;
}

bool
ops_llm_failed(const struct store_result *r, size_t row, const struct llm_call *call)
{
	int32_t status = table_i32(&r->rows, row, SPAN_STATUS_CODE);
	return status == STATUS_ERROR || (status != STATUS_OK && call->error_type.len > 0);
}

bool
ops_llm_first_token(const struct store_result *r, size_t row, const struct llm_call *call,
    uint64_t *ns_out)
{
	uint64_t start_ns = table_u64(&r->rows, row, SPAN_START_NS);
	*ns_out = call->first_token_ns;
	if (call->has_first_token)
		return true;
	if (call->first_token_unix_ns < start_ns || call->first_token_unix_ns == 0)
		return false;
	*ns_out = call->first_token_unix_ns - start_ns;
	return *ns_out <= INT64_MAX;
}

void
ops_llm_write_partial(struct json_writer *w, const char *partial)
{
	jsonw_key(w, "partial");
	jsonw_bool(w, partial != NULL);
	jsonw_key(w, "partial_reason");
	if (partial)
		jsonw_str(w, str_from(partial));
	else
		jsonw_null(w);
}
