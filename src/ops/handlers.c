/* SPDX-License-Identifier: Apache-2.0 */
/* The operations: parameters to a query, its rows to JSON. */
#include "ops/ops_priv.h"

#include "otlp/from_rows.h"

/* The rows as an export request; the cursor beside it. */
static enum err_code
write_otlp(const struct op_context *ctx, const struct store_result *r,
    const struct ops_cursor_base *base, struct buf *out, struct err *err)
{
	struct buf cursor = {0};
	const struct otlp_rows rows = {&r->rows, &r->resources, &r->scopes};
	enum err_code code = otlp_from_rows(&rows, out, err);
	if (code == ERR_BUSY && out->bytes_max > 0)
		code = err_set(err, ERR_TOO_LARGE,
		    "the answer has more than %zu bytes: ask for less, with limit", out->bytes_max);
	if (r->more)
		ops_cursor_write(&cursor, base, &r->next);
	CHECK(cursor.len < OPS_CURSOR_BYTES);
	if (cursor.len > 0)
		memcpy(ctx->otlp->next_cursor, cursor.ptr, cursor.len);
	ctx->otlp->next_cursor[cursor.len] = '\0';
	ctx->otlp->written = code == ERR_OK;
	buf_fini(&cursor);
	return code;
}

/* How many items meet the conditions, over time, whatever the page. */
static enum err_code
write_histogram(const struct op_context *ctx, struct json_writer *w, const struct store_query *list,
    struct err *err)
{
	struct store_query q = *list;
	struct store_result r;
	q.kind = STORE_COUNTS;
	q.counted = list->kind;
	q.after = (struct store_cursor){0};
	enum err_code code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (!code)
		ops_histogram_write(w, "histogram", &r.rows);
	return code;
}

/* {"<list>":[...],"count":n,"next_cursor":"..","histogram":{..}} */
static enum err_code
run_list(const struct op_context *ctx, const struct op *op, enum store_query_kind kind,
    ops_row_writer *write, const struct op_value *values, size_t value_count, struct buf *json_out,
    struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	enum err_code code = ops_build_query(ctx, op, kind, values, value_count, &q, &base, err);
	bool otlp = ctx->otlp && kind != STORE_TRACES;
	if (!code && otlp && q.bucket_count > 0)
		code = err_set(err, ERR_INVALID, "parameter histogram: only in JSON");
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	if (otlp)
		return write_otlp(ctx, &r, &base, json_out, err);
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	code = ops_write_rows(&w, op->list, &r, write, err);
	ops_write_u64(&w, "count", r.rows.row_count);
	if (r.more) {
		struct buf cursor;
		buf_init(&cursor, 0);
		ops_cursor_write(&cursor, &base, &r.next);
		ops_write_text(&w, "next_cursor", buf_view(&cursor));
		buf_fini(&cursor);
	}
	if (!code && q.bucket_count > 0)
		code = write_histogram(ctx, &w, &q, err);
	jsonw_object_end(&w);
	return code;
}

enum err_code
ops_write_item(enum store_query_kind kind, const struct store_result *r, size_t row,
    struct buf *json_out, struct err *err)
{
	struct json_writer w;
	CHECK(kind == STORE_SPANS || kind == STORE_LOGS);
	json_writer_init(&w, json_out);
	return (kind == STORE_SPANS ? ops_span_write : ops_log_write)(&w, r, row, err);
}

enum err_code
ops_search(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return run_list(ctx, op, STORE_TRACES, ops_trace_row_write, values, value_count, json_out,
	    err);
}

enum err_code
ops_traces(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return run_list(ctx, op, STORE_SPANS, ops_span_write, values, value_count, json_out, err);
}

enum err_code
ops_logs(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return run_list(ctx, op, STORE_LOGS, ops_log_write, values, value_count, json_out, err);
}

enum err_code
ops_metrics(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	return run_list(ctx, op, STORE_POINTS, ops_point_write, values, value_count, json_out, err);
}

static enum err_code
service_row(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	(void)err;
	ops_service_write(w, r, row);
	return ERR_OK;
}

enum err_code
ops_services(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SERVICES, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	code = ops_write_rows(&w, op->list, &r, service_row, err);
	ops_write_u64(&w, "count", r.rows.row_count);
	jsonw_key(&w, "truncated");
	jsonw_bool(&w, r.more);
	jsonw_object_end(&w);
	return code;
}

/* ---- one trace */

static enum err_code
write_trace(struct json_writer *w, const struct op *op, const struct store_query *q,
    const struct store_result *r, const struct ops_trace_head *head, struct err *err)
{
	jsonw_object(w);
	ops_trace_head_write(w, q->trace_hi, q->trace_lo, head);
	jsonw_key(w, "truncated");
	jsonw_bool(w, r->more);
	enum err_code code = ops_write_rows(w, op->list, r, ops_span_write, err);
	jsonw_object_end(w);
	return code;
}

enum err_code
ops_trace(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_TRACE, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	if (r.rows.row_count == 0)
		return err_set(err, ERR_NOT_FOUND, "no trace with id %016llx%016llx",
		    (unsigned long long)q.trace_hi, (unsigned long long)q.trace_lo);
	if (ctx->otlp)
		return write_otlp(ctx, &r, &base, json_out, err);
	struct ops_trace_head head;
	code = ops_trace_head(&r.rows, ctx->arena, &head, err);
	if (code)
		return code;
	struct json_writer w;
	json_writer_init(&w, json_out);
	return write_trace(&w, op, &q, &r, &head, err);
}
