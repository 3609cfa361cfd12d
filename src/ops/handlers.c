/* SPDX-License-Identifier: Apache-2.0 */
/* The operations: parameters to a query, its rows to JSON. */
#include "ops/ops_priv.h"

#include "otlp/from_rows.h"

#include <stdlib.h>

enum { LIMIT_DEFAULT = 100 };

typedef enum err_code row_writer(struct json_writer *w, const struct store_result *r, size_t row,
    struct err *err);

static enum err_code
write_rows(struct json_writer *w, const char *key, const struct store_result *r, row_writer *write,
    struct err *err)
{
	jsonw_key(w, key);
	jsonw_array(w);
	enum err_code code = ERR_OK;
	for (size_t row = 0; row < r->rows.row_count && !code && !w->out->failed; row++)
		code = write(w, r, row, err);
	jsonw_array_end(w);
	return code;
}

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

/* {"<list>":[...],"count":n,"next_cursor":".."} */
static enum err_code
run_list(const struct op_context *ctx, const struct op *op, enum store_query_kind kind,
    row_writer *write, const struct op_value *values, size_t value_count, struct buf *json_out,
    struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	enum err_code code =
	    ops_build_query(ctx, op, kind, LIMIT_DEFAULT, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	if (ctx->otlp)
		return write_otlp(ctx, &r, &base, json_out, err);
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	code = write_rows(&w, op->list, &r, write, err);
	ops_write_u64(&w, "count", r.rows.row_count);
	if (r.more) {
		struct buf cursor;
		buf_init(&cursor, 0);
		ops_cursor_write(&cursor, &base, &r.next);
		ops_write_text(&w, "next_cursor", buf_view(&cursor));
		buf_fini(&cursor);
	}
	jsonw_object_end(&w);
	return code;
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
	    ops_build_query(ctx, op, STORE_SERVICES, 0, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	struct json_writer w;
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	code = write_rows(&w, op->list, &r, service_row, err);
	ops_write_u64(&w, "count", r.rows.row_count);
	jsonw_key(&w, "truncated");
	jsonw_bool(&w, r.more);
	jsonw_object_end(&w);
	return code;
}

/* ---- one trace */

struct trace_summary {
	uint64_t start_ns, end_ns, error_count;
	struct str *services; /* each once, sorted */
	size_t service_count;
};

static int
compare_strs(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* False when the arena is spent. A span that ends before it starts (a clock was set back) does not
 * make the trace end before it starts. */
static bool
summarize(const struct table *t, struct arena *arena, struct trace_summary *s)
{
	*s = (struct trace_summary){.start_ns = UINT64_MAX};
	struct str *names = arena_array(arena, t->row_count, sizeof *names);
	if (!names)
		return false;
	for (size_t row = 0; row < t->row_count; row++) {
		uint64_t start_ns = table_u64(t, row, SPAN_START_NS);
		uint64_t end_ns = start_ns + (uint64_t)table_i64(t, row, SPAN_DURATION_NS);
		s->start_ns = start_ns < s->start_ns ? start_ns : s->start_ns;
		s->end_ns = start_ns > s->end_ns ? start_ns : s->end_ns;
		s->end_ns = end_ns > s->end_ns ? end_ns : s->end_ns;
		s->error_count += table_i32(t, row, SPAN_STATUS_CODE) == 2;
		names[row] = table_str(t, row, SPAN_SERVICE);
	}
	qsort(names, t->row_count, sizeof *names, compare_strs);
	for (size_t i = 0; i < t->row_count; i++)
		if (s->service_count == 0 || !str_eq(names[i], names[s->service_count - 1]))
			names[s->service_count++] = names[i];
	s->services = names;
	return true;
}

static enum err_code
write_trace(struct json_writer *w, const struct op *op, const struct store_query *q,
    const struct store_result *r, const struct trace_summary *s, struct err *err)
{
	jsonw_object(w);
	ops_write_trace_id(w, "trace_id", q->trace_hi, q->trace_lo);
	ops_write_u64(w, "span_count", r->rows.row_count);
	jsonw_key(w, "services");
	jsonw_array(w);
	for (size_t i = 0; i < s->service_count; i++)
		jsonw_str(w, s->services[i]);
	jsonw_array_end(w);
	ops_write_time(w, "start_time", "start_time_unix_nano", s->start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", s->end_ns);
	ops_write_duration_ms(w, "duration_ms", (double)(s->end_ns - s->start_ns));
	ops_write_u64(w, "error_count", s->error_count);
	jsonw_key(w, "truncated");
	jsonw_bool(w, r->more);
	enum err_code code = write_rows(w, op->list, r, ops_span_write, err);
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
	    ops_build_query(ctx, op, STORE_TRACE, 0, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	if (r.rows.row_count == 0)
		return err_set(err, ERR_NOT_FOUND, "no trace with id %016llx%016llx",
		    (unsigned long long)q.trace_hi, (unsigned long long)q.trace_lo);
	if (ctx->otlp)
		return write_otlp(ctx, &r, &base, json_out, err);
	struct trace_summary summary;
	if (!summarize(&r.rows, ctx->arena, &summary))
		return err_set(err, ERR_TOO_LARGE,
		    "the trace does not fit the memory of one query; ask for less with limit");
	struct json_writer w;
	json_writer_init(&w, json_out);
	return write_trace(&w, op, &q, &r, &summary, err);
}
