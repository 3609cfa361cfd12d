/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comments: asked for, and added.
 *
 * One that is added goes into the log and, through the loader, into the store. What is answered is what the store has
 * then: with an id of the client's choice, that may be what somebody said before under it. When it is the same, it was a
 * repeat, and all is well; else the client is told. A loader that is behind is not waited for long: then what is
 * answered is what was logged.
 */
#include "ops/ops_priv.h"

#include "base/bits.h"
#include "comment/comment.h"

enum { ID_TEXT_BYTES = 36 };

static enum err_code
write_list(const struct op *op, const struct store_result *r, const struct ops_cursor_base *base,
    struct buf *json_out)
{
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	jsonw_key(&w, op->list);
	jsonw_array(&w);
	for (size_t row = 0; row < r->rows.row_count && !json_out->failed; row++) {
		struct comment c = comment_of_row(&r->rows, row);
		comment_write_json(&w, &c);
	}
	jsonw_array_end(&w);
	ops_write_u64(&w, "count", r->rows.row_count);
	if (r->more) {
		struct buf cursor = {0};
		ops_cursor_write(&cursor, base, &r->next);
		ops_write_text(&w, "next_cursor", buf_view(&cursor));
		buf_fini(&cursor);
	}
	jsonw_object_end(&w);
	return ERR_OK;
}

static enum err_code
list(const struct op_context *ctx, const struct op *op, bool oldest_first,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_COMMENTS, values, value_count, &q, &base, err);
	q.oldest_first = oldest_first;
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	return code ? code : write_list(op, &r, &base, json_out);
}

enum err_code
ops_comments(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return list(ctx, op, false, values, value_count, json_out, err);
}

enum err_code
ops_trace_comments(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return list(ctx, op, true, values, value_count, json_out, err);
}

/* ---- adding one */

/* A random UUID, version 4: RFC 9562. */
static struct str
new_id(const struct op_context *ctx, char out[ID_TEXT_BYTES])
{
	static const unsigned char dashes[] = {8, 13, 18, 23};
	char hex[32];
	hex_u64((ctx->random[0] & ~UINT64_C(0xF000)) | UINT64_C(0x4000), hex);
	hex_u64((ctx->random[1] & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62, hex + 16);
	for (size_t i = 0, from = 0, dash = 0; i < ID_TEXT_BYTES; i++) {
		bool is_dash = dash < sizeof(dashes) && i == dashes[dash];
		dash += is_dash;
		out[i] = is_dash ? '-' : hex[from++];
	}
	return str_of(out, ID_TEXT_BYTES);
}

static enum err_code
take_values(const struct op *op, const struct op_value *values, size_t value_count,
    struct comment *c, struct err *err)
{
	for (size_t i = 0; i < value_count; i++) {
		const struct op_param *p = ops_find_param(op, values[i].name);
		struct ops_parsed v;
		CHECK(p);
		if (ops_parse(p, values[i].value, &v, err))
			return err_wrap(err, "parameter %s", p->name);
		if (strcmp(p->name, "trace_id") == 0) {
			c->trace_hi = v.hi;
			c->trace_lo = v.lo;
		} else if (strcmp(p->name, "span_id") == 0) {
			c->span_id = v.lo;
		} else if (strcmp(p->name, "created") == 0) {
			c->created_ns = v.lo;
		} else if (strcmp(p->name, "id") == 0) {
			c->id = v.text;
		} else if (strcmp(p->name, "author") == 0) {
			c->author = v.text;
		} else {
			CHECK(strcmp(p->name, "body") == 0);
			c->body = v.text;
		}
	}
	return ERR_OK;
}

/* What the store has under the id; *found_out false: nothing. */
static enum err_code
look_up(const struct op_context *ctx, struct str id, struct comment *out, bool *found_out,
    struct err *err)
{
	struct store_result r;
	struct store_query q = {.kind = STORE_COMMENTS,
	    .tenant = ctx->tenant,
	    .to_ns = UINT64_MAX,
	    .row_max = 1,
	    .deadline_mono_ns = ctx->deadline_mono_ns,
	    .comment_id = id};
	enum err_code code = store_query(ctx->store, &q, ctx->arena, &r, err);
	*found_out = code == ERR_OK && r.rows.row_count > 0;
	if (*found_out)
		*out = comment_of_row(&r.rows, 0);
	return code;
}

/* Whoever tries again does not know when it was made. */
static enum err_code
check_same(const struct comment *wanted, const struct comment *there, struct err *err)
{
	if (str_eq(wanted->body, there->body) && str_eq(wanted->author, there->author) &&
	    wanted->trace_hi == there->trace_hi && wanted->trace_lo == there->trace_lo &&
	    wanted->span_id == there->span_id)
		return ERR_OK;
	return err_set(err, ERR_EXISTS,
	    "there is another comment with the id %.*s: give this one an id of its own, or none",
	    STR_ARG(wanted->id));
}

/* Into the log, unless it is there. *c becomes what the store has. */
static enum err_code
add(const struct op_context *ctx, struct comment *c, bool own_id, struct err *err)
{
	struct comment there;
	struct buf request = {0};
	bool found = false, visible = false;
	enum err_code code = own_id ? look_up(ctx, c->id, &there, &found, err) : ERR_OK;
	if (code == ERR_OK && !found) {
		comment_put(c, &request);
		if (request.failed)
			code = err_set(err, ERR_BUSY, "no memory for the comment, try again");
		else
			code = ctx->writer->comments(ctx->writer->ctx, ctx->tenant,
			    buf_view(&request), ctx->deadline_mono_ns, &visible, err);
		/* It is durable: that it cannot be read now is no failure. */
		if (code == ERR_OK && visible &&
		    look_up(ctx, c->id, &there, &found, NULL) != ERR_OK)
			found = false;
	}
	buf_fini(&request);
	if (code == ERR_OK && found)
		code = check_same(c, &there, err);
	if (code == ERR_OK && found)
		*c = there;
	return code;
}

enum err_code
ops_comment_add(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	char id[ID_TEXT_BYTES];
	struct comment c = {.created_ns = ctx->now_unix_ns,
	    .author = ctx->key_name.len > 0 ? ctx->key_name : STR("anonymous")};
	if (!ctx->writer)
		return err_set(err, ERR_UNAVAILABLE, "no comments are taken here");
	enum err_code code = take_values(op, values, value_count, &c, err);
	bool own_id = c.id.len > 0;
	if (!own_id)
		c.id = new_id(ctx, id);
	if (!code)
		code = comment_check(&c, ctx->limits, err);
	if (!code)
		code = add(ctx, &c, own_id, err);
	if (code)
		return code;
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	jsonw_key(&w, "comment");
	comment_write_json(&w, &c);
	jsonw_object_end(&w);
	return ERR_OK;
}
