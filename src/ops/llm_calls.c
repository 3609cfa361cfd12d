/* SPDX-License-Identifier: Apache-2.0 */
/* `calls`: spans that call a model, newest first, each as what its dialect says, in one form. */
#include "ops/llm.h"

struct listing {
	const struct op_context *ctx;
	struct json_writer w;
	bool messages;
	size_t count, max;
};

static void
write_message_list(struct json_writer *w, const char *key, const struct llm_message *list,
    size_t count)
{
	jsonw_key(w, key);
	jsonw_array(w);
	for (size_t i = 0; i < count; i++) {
		jsonw_object(w);
		ops_put_text_or_null(w, "role", list[i].role);
		ops_write_text(w, "content", list[i].content);
		ops_put_text_or_null(w, "tool_calls", list[i].tool_calls);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static enum err_code
write_messages(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	struct llm_messages m;
	enum err_code code = llm_read_messages(table_str(&r->rows, row, SPAN_ATTRIBUTES),
	    table_str(&r->rows, row, SPAN_EVENTS), r->arena, &m, err);
	if (code)
		return code;
	write_message_list(w, "input_messages", m.in, m.in_count);
	write_message_list(w, "output_messages", m.out, m.out_count);
	ops_write_u64(w, "messages_left_out", m.left_out);
	return ERR_OK;
}

/* A call whose messages do not fit once is written again with a smaller page: nothing of it may stand there already. */
static enum err_code
list_call(void *ctx, const struct store_result *r, size_t row, const struct llm_call *call,
    bool *enough_out, struct err *err)
{
	struct listing *s = ctx;
	struct json_writer before = s->w;
	size_t len = s->w.out->len;
	enum err_code code = ERR_OK;
	jsonw_object(&s->w);
	ops_llm_write_call(&s->w, s->ctx, r, row, call);
	if (s->messages)
		code = write_messages(&s->w, r, row, err);
	jsonw_object_end(&s->w);
	if (code) {
		s->w = before;
		s->w.out->len = len;
		return code;
	}
	*enough_out = ++s->count == s->max || s->w.out->failed;
	return ERR_OK;
}

enum err_code
ops_llm_calls(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_cursor_base base;
	struct ops_llm_walk walk = {0};
	struct listing s = {.ctx = ctx};
	struct ops_parsed v;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SPANS, values, value_count, &walk.q, &base, err);
	if (code)
		return code;
	s.messages = ops_find_value(op, values, value_count, "messages", &v) && v.i64;
	s.max = walk.q.row_max;
	walk.wants_agents = walk.q.has_trace_id;
	ops_llm_filter(op, values, value_count, &walk);
	json_writer_init(&s.w, json_out);
	jsonw_object(&s.w);
	jsonw_key(&s.w, op->list);
	jsonw_array(&s.w);
	code = ops_llm_walk(ctx, &walk, list_call, &s, err);
	jsonw_array_end(&s.w);
	ops_write_u64(&s.w, "count", s.count);
	if (walk.more && walk.at.set) {
		struct buf cursor = {0};
		ops_cursor_write(&cursor, &base, &walk.at);
		ops_write_text(&s.w, "next_cursor", buf_view(&cursor));
		buf_fini(&cursor);
	}
	ops_llm_write_partial(&s.w, walk.partial);
	jsonw_object_end(&s.w);
	return code;
}
