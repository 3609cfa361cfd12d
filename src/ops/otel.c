/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The six questions of Junjo's server under /otel/, in its names: arrays of spans with 22 columns (docs/api.md), newest
 * first. What that server lost is there beside them: nanoseconds, what two older SDKs said, nesting, links, kinds as OTLP
 * numbers them.
 */
#include "ops/otel.h"

#include "ops/op_params.h"
#include "ops/ops_priv.h"

#include "agent/junjo.h"

#include <stdlib.h>

/* Rows that are skipped are read: a cursor is for what lies deeper. */
enum { OFFSET_MAX = 10000 };

#define PARAM_OFFSET                                                                               \
	{.name = "offset",                                                                         \
	    .type = OP_INT,                                                                        \
	    .max = OFFSET_MAX,                                                                     \
	    .help = "leave out so many; a cursor does not read them",                              \
	    .fallback = "0"}

const struct op_param ops_otel_no_params[] = {PARAM_END};

const struct op_param ops_otel_service_params[] = {
    {.name = "service", .type = OP_TEXT, .in_path = true, .help = "its name, slashes and all"},
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_OFFSET,
    PARAM_LIMIT_OR("500"),
    PARAM_CURSOR,
    PARAM_END,
};

#define PARAM_PATH_TRACE                                                                           \
	{.name = "trace_id", .type = OP_TRACE_ID, .in_path = true, .help = "32 hex digits"}

const struct op_param ops_otel_trace_params[] = {
    PARAM_PATH_TRACE,
    PARAM_OFFSET,
    PARAM_LIMIT_MAX,
    PARAM_CURSOR,
    PARAM_END,
};

const struct op_param ops_otel_span_params[] = {
    PARAM_PATH_TRACE,
    {.name = "span_id", .type = OP_SPAN_ID, .in_path = true, .help = "16 hex digits"},
    PARAM_END,
};

/* JSON as the SDK sent it, or {} when it sent none; the text itself when it is none. */
static bool
put_json(struct json_writer *w, const char *key, struct str text, struct arena *arena)
{
	if (text.ptr)
		return ops_write_json_text(w, key, text, arena);
	jsonw_key(w, key);
	jsonw_object(w);
	jsonw_object_end(w);
	return true;
}

static void
put_status(struct json_writer *w, int32_t code)
{
	static const char *const names[] = {
	    "STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
	bool known = code >= 0 && (size_t)code < ARRAY_LEN(names);
	ops_write_text(w, "status_code", str_from(names[known ? code : 0]));
}

static void
put_kind(struct json_writer *w, int32_t kind)
{
	static const char *const names[] = {
	    "UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
	bool known = kind >= 0 && (size_t)kind < ARRAY_LEN(names);
	ops_write_text(w, "kind", str_from(names[known ? kind : 0]));
}

static void
put_head(struct json_writer *w, const struct table *t, size_t row)
{
	uint64_t start_ns = table_u64(t, row, SPAN_START_NS);
	uint64_t end_ns = start_ns + (uint64_t)table_i64(t, row, SPAN_DURATION_NS);
	struct str state = table_str(t, row, SPAN_TRACE_STATE);
	ops_write_trace_id(w, "trace_id", table_u64(t, row, SPAN_TRACE_HI),
	    table_u64(t, row, SPAN_TRACE_LO));
	ops_write_span_id(w, "span_id", table_u64(t, row, SPAN_SPAN_ID));
	ops_write_span_id(w, "parent_span_id", table_u64(t, row, SPAN_PARENT_ID));
	ops_write_text(w, "service_name", table_str(t, row, SPAN_SERVICE));
	ops_write_text(w, "name", table_str(t, row, SPAN_NAME));
	put_kind(w, table_i32(t, row, SPAN_KIND));
	ops_write_time(w, "start_time", "start_time_unix_nano", start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", end_ns);
	put_status(w, table_i32(t, row, SPAN_STATUS_CODE));
	ops_write_text(w, "status_message", table_str(t, row, SPAN_STATUS_MESSAGE));
	ops_write_u64(w, "trace_flags", table_u32(t, row, SPAN_FLAGS));
	ops_put_text_or_null(w, "trace_state", state.len > 0 ? state : STR_EMPTY);
}

/* Names of the columns whose text is no JSON. */
struct marks {
	const char *names[3];
	size_t count;
};

static void
put_state(struct json_writer *w, const char *key, struct str text, struct arena *arena,
    struct marks *marks)
{
	if (!put_json(w, key, text, arena))
		marks->names[marks->count++] = key;
}

/* A workflow's or a subflow's own; of other spans they are empty. */
static void
put_junjo(struct json_writer *w, const struct junjo_span *j, struct arena *arena)
{
	bool owner = j->type == JUNJO_WORKFLOW || j->type == JUNJO_SUBFLOW;
	struct marks marks = {0};
	ops_write_text(w, "junjo_id", j->id);
	ops_write_text(w, "junjo_parent_id", j->parent_id);
	ops_write_text(w, "junjo_span_type", j->type_text);
	put_state(w, "junjo_wf_state_start", owner ? j->state_start : STR_EMPTY, arena, &marks);
	put_state(w, "junjo_wf_state_end", owner ? j->state_end : STR_EMPTY, arena, &marks);
	put_state(w, "junjo_wf_graph_structure", owner ? j->graph : STR_EMPTY, arena, &marks);
	ops_write_text(w, "junjo_wf_store_id", owner ? j->store_id : STR_EMPTY);
	ops_put_text_or_null(w, "legacy_workflow_id", j->legacy_workflow_id);
	ops_put_text_or_null(w, "legacy_node_id", j->legacy_node_id);
	jsonw_key(w, "invalid_json");
	jsonw_array(w);
	for (size_t i = 0; i < marks.count; i++)
		jsonw_str(w, str_from(marks.names[i]));
	jsonw_array_end(w);
}

static enum err_code
put_span(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	const struct table *t = &r->rows;
	struct junjo_span j;
	struct str attributes = table_str(t, row, SPAN_ATTRIBUTES);
	struct arena_mark mark = arena_mark(r->arena);
	jsonw_object(w);
	put_head(w, t, row);
	enum err_code code = junjo_read(attributes, r->arena, &j, err);
	/* node.id may be anybody's: it is Junjo's in a span of Junjo's. */
	if (!code)
		code = ops_write_plain(w, "attributes_json", attributes,
		    j.is_junjo ? junjo_is_own_key : NULL, r->arena, err);
	if (!code)
		code = ops_write_otel_events(w, table_str(t, row, SPAN_EVENTS), r->arena, err);
	if (!code)
		code = ops_write_otel_links(w, table_str(t, row, SPAN_LINKS), r->arena, err);
	if (!code) {
		put_junjo(w, &j, r->arena);
		ops_write_u64(w, "dropped_attributes_count",
		    table_u32(t, row, SPAN_DROPPED_ATTRIBUTES));
		ops_write_u64(w, "dropped_events_count", table_u32(t, row, SPAN_DROPPED_EVENTS));
		ops_write_u64(w, "dropped_links_count", table_u32(t, row, SPAN_DROPPED_LINKS));
	}
	jsonw_object_end(w);
	arena_rewind(r->arena, mark);
	return code
	    ? err_wrap(err, "span %016llx", (unsigned long long)table_u64(t, row, SPAN_SPAN_ID))
	    : ERR_OK;
}

/* ---- lists */

struct listing {
	struct store_query q, beside;
	struct ops_cursor_base base;
	size_t offset;
};

static enum err_code
begin_list(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct listing *l, struct err *err)
{
	struct ops_parsed offset;
	*l = (struct listing){0};
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SPANS, values, value_count, &l->q, &l->base, err);
	if (!code && ops_find_value(op, values, value_count, "offset", &offset))
		l->offset = (size_t)offset.i64;
	if (!code && l->offset > 0 && l->q.after.set)
		return err_set(err, ERR_INVALID,
		    "parameter offset: not together with cursor, which is behind what it left out");
	return code;
}

/* The rows that are skipped are read for nothing, as many at a time as an answer may have. */
static enum err_code
skip_rows(const struct op_context *ctx, struct listing *l, bool *end, struct err *err)
{
	struct store_query q = l->q;
	enum err_code code = ERR_OK;
	*end = false;
	while (l->offset > 0 && !*end && !code) {
		struct arena_mark mark = arena_mark(ctx->arena);
		struct store_result r;
		q.row_max =
		    l->offset < ctx->limits->results_max ? l->offset : ctx->limits->results_max;
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
		if (code)
			break;
		*end = !r.more;
		l->offset -= r.rows.row_count < l->offset ? r.rows.row_count : l->offset;
		q.after = r.next;
		arena_rewind(ctx->arena, mark);
	}
	l->q.after = q.after;
	return code;
}

static enum err_code
run_list(const struct op_context *ctx, struct listing *l, struct buf *json_out, struct err *err)
{
	struct store_result r = {0};
	struct json_writer w;
	bool end;
	enum err_code code = skip_rows(ctx, l, &end, err);
	if (!code && !end)
		code = store_query(ctx->store, &l->q, ctx->arena, &r, err);
	json_writer_init(&w, json_out);
	jsonw_array(&w);
	for (size_t i = 0; !code && !end && i < r.rows.row_count; i++)
		code = put_span(&w, &r, i, err);
	jsonw_array_end(&w);
	if (!code && r.more && ctx->reply) {
		struct buf cursor = {0};
		ops_cursor_write(&cursor, &l->base, &r.next);
		CHECK(cursor.len < OPS_CURSOR_BYTES);
		memcpy(ctx->reply->next_cursor, cursor.ptr, cursor.len);
		ctx->reply->next_cursor[cursor.len] = '\0';
		buf_fini(&cursor);
	}
	return code;
}

enum err_code
ops_otel_roots(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct listing l;
	enum err_code code = begin_list(ctx, op, values, value_count, &l, err);
	l.q.roots_only = true;
	return code ? code : run_list(ctx, &l, json_out, err);
}

enum err_code
ops_otel_llm_roots(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct listing l;
	enum err_code code = begin_list(ctx, op, values, value_count, &l, err);
	l.q.roots_only = true;
	l.beside = (struct store_query){.kind = STORE_SPANS, .to_ns = UINT64_MAX};
	ops_ask_for_llm(&l.beside);
	l.q.beside = &l.beside;
	return code ? code : run_list(ctx, &l, json_out, err);
}

enum err_code
ops_otel_workflows(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct listing l;
	enum err_code code = begin_list(ctx, op, values, value_count, &l, err);
	l.q.attrs[l.q.attr_count++] = (struct store_attr){.key = STR("junjo.span_type"),
	    .value = STR("workflow"),
	    .op = STORE_ATTR_EQ,
	    .of = STORE_ATTR_OF_ITEM};
	return code ? code : run_list(ctx, &l, json_out, err);
}

enum err_code
ops_otel_trace(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct listing l;
	enum err_code code = begin_list(ctx, op, values, value_count, &l, err);
	return code ? code : run_list(ctx, &l, json_out, err);
}

/* ---- one span, names */

enum err_code
ops_otel_span(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	struct json_writer w;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SPANS, values, value_count, &q, &base, err);
	q.row_max = 1;
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (code)
		return code;
	if (r.rows.row_count == 0)
		return err_set(err, ERR_NOT_FOUND, "no span %016llx in trace %016llx%016llx",
		    (unsigned long long)q.span_id, (unsigned long long)q.trace_hi,
		    (unsigned long long)q.trace_lo);
	json_writer_init(&w, json_out);
	return put_span(&w, &r, 0, err);
}

static int
compare_strs(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The names of services that sent spans, sorted. */
static enum err_code
names_of(const struct table *services, struct arena *arena, struct str **names_out,
    size_t *count_out, struct err *err)
{
	struct str *names = arena_array(arena, services->row_count + 1, sizeof(*names));
	size_t count = 0;
	if (!names)
		return err_set(err, ERR_TOO_LARGE,
		    "the services' names do not fit the memory of one query");
	for (size_t i = 0; i < services->row_count; i++)
		if (table_u64(services, i, SERVICE_SPANS) > 0)
			names[count++] = table_str(services, i, SERVICE_NAME);
	qsort(names, count, sizeof(*names), compare_strs);
	*names_out = names;
	*count_out = count;
	return ERR_OK;
}

enum err_code
ops_otel_services(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct store_result r;
	struct json_writer w;
	struct str *names = NULL;
	size_t count = 0;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_SERVICES, values, value_count, &q, &base, err);
	if (!code)
		code = store_query(ctx->store, &q, ctx->arena, &r, err);
	if (!code)
		code = names_of(&r.rows, ctx->arena, &names, &count, err);
	if (code)
		return code;
	json_writer_init(&w, json_out);
	jsonw_array(&w);
	for (size_t i = 0; i < count; i++)
		jsonw_str(&w, names[i]);
	jsonw_array_end(&w);
	if (ctx->reply)
		ctx->reply->truncated = r.more;
	return ERR_OK;
}
