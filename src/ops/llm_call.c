/* SPDX-License-Identifier: Apache-2.0 */
/* The members of docs/api.md's LlmCall. */
#include "ops/llm.h"

#include "agent/prices.h"

static void
write_u64_or_null(struct json_writer *w, const char *key, bool has, uint64_t v)
{
	jsonw_key(w, key);
	if (has)
		jsonw_u64(w, v);
	else
		jsonw_null(w);
}

static void
write_f64_or_null(struct json_writer *w, const char *key, bool has, double v)
{
	jsonw_key(w, key);
	if (has)
		jsonw_f64(w, v);
	else
		jsonw_null(w);
}

static void
write_place(struct json_writer *w, const struct table *t, size_t row)
{
	ops_write_trace_id(w, "trace_id", table_u64(t, row, SPAN_TRACE_HI),
	    table_u64(t, row, SPAN_TRACE_LO));
	ops_write_span_id(w, "span_id", table_u64(t, row, SPAN_SPAN_ID));
	ops_write_text(w, "service", table_str(t, row, SPAN_SERVICE));
	ops_write_text(w, "span_name", table_str(t, row, SPAN_NAME));
	ops_write_time(w, "start_time", "start_time_unix_nano", table_u64(t, row, SPAN_START_NS));
	ops_write_duration_ms(w, "duration_ms", (double)table_i64(t, row, SPAN_DURATION_NS));
	ops_write_status(w, "status", table_i32(t, row, SPAN_STATUS_CODE));
}

static void
write_facts(const struct op_context *ctx, struct json_writer *w, const struct store_result *r,
    size_t row, const struct llm_call *c)
{
	uint64_t first_ns = 0;
	double cost = 0;
	bool has_first = ops_llm_first_token(r, row, c, &first_ns);
	bool has_cost = prices_cost(ctx->prices, c, &cost);
	ops_write_text(w, "kind", str_from(llm_kind_name(c->kind)));
	ops_put_text_or_null(w, "provider", c->provider);
	ops_put_text_or_null(w, "operation", c->operation);
	ops_put_text_or_null(w, "model", llm_model(c));
	ops_put_text_or_null(w, "request_model", c->request_model);
	ops_put_text_or_null(w, "response_model", c->response_model);
	write_u64_or_null(w, "input_tokens", c->has_input_tokens, c->input_tokens);
	write_u64_or_null(w, "output_tokens", c->has_output_tokens, c->output_tokens);
	write_u64_or_null(w, "total_tokens", c->has_total_tokens, c->total_tokens);
	write_u64_or_null(w, "cached_tokens", c->has_cached_tokens, c->cached_tokens);
	write_u64_or_null(w, "cache_write_tokens", c->has_cache_write_tokens,
	    c->cache_write_tokens);
	write_u64_or_null(w, "reasoning_tokens", c->has_reasoning_tokens, c->reasoning_tokens);
	write_f64_or_null(w, "cost_usd", has_cost, cost);
	jsonw_key(w, "cost_sent");
	jsonw_bool(w, c->has_cost);
	write_f64_or_null(w, "first_token_ms", has_first, (double)first_ns / 1e6);
	ops_put_text_or_null(w, "finish_reason", c->finish_reason);
	write_f64_or_null(w, "temperature", c->has_temperature, c->temperature);
	ops_put_text_or_null(w, "agent", c->agent);
	ops_put_text_or_null(w, "conversation", c->conversation);
	ops_put_text_or_null(w, "error_type", c->error_type);
}

void
ops_llm_write_call(struct json_writer *w, const struct op_context *ctx,
    const struct store_result *r, size_t row, const struct llm_call *call)
{
	write_place(w, &r->rows, row);
	write_facts(ctx, w, r, row, call);
}
