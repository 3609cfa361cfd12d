/* SPDX-License-Identifier: Apache-2.0 */
/* The Span of docs/api.md. */
#include "ops/ops_priv.h"

void
ops_write_kind(struct json_writer *w, const char *key, int32_t kind)
{
	static const char *const names[] = {
	    "unspecified", "internal", "server", "client", "producer", "consumer"};
	ops_write_named(w, key, kind, names, ARRAY_LEN(names));
}

void
ops_write_status(struct json_writer *w, const char *key, int32_t code)
{
	static const char *const names[] = {"unset", "ok", "error"};
	ops_write_named(w, key, code, names, ARRAY_LEN(names));
}

static void
write_head(struct json_writer *w, const struct table *t, size_t row)
{
	uint64_t start_ns = table_u64(t, row, SPAN_START_NS);
	int64_t duration_ns = table_i64(t, row, SPAN_DURATION_NS);
	ops_write_trace_id(w, "trace_id", table_u64(t, row, SPAN_TRACE_HI),
	    table_u64(t, row, SPAN_TRACE_LO));
	ops_write_span_id(w, "span_id", table_u64(t, row, SPAN_SPAN_ID));
	ops_write_span_id(w, "parent_span_id", table_u64(t, row, SPAN_PARENT_ID));
	ops_write_text(w, "service", table_str(t, row, SPAN_SERVICE));
	ops_write_text(w, "operation", table_str(t, row, SPAN_NAME));
	ops_write_kind(w, "kind", table_i32(t, row, SPAN_KIND));
	ops_write_time(w, "start_time", "start_time_unix_nano", start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", start_ns + (uint64_t)duration_ns);
	ops_write_duration_ms(w, "duration_ms", (double)duration_ns);
	jsonw_key(w, "duration_nano");
	jsonw_i64(w, duration_ns);
	ops_write_status(w, "status", table_i32(t, row, SPAN_STATUS_CODE));
	ops_write_text(w, "status_message", table_str(t, row, SPAN_STATUS_MESSAGE));
	ops_write_text(w, "trace_state", table_str(t, row, SPAN_TRACE_STATE));
	ops_write_u64(w, "flags", table_u32(t, row, SPAN_FLAGS));
}

static enum err_code
write_lists(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	const struct table *t = &r->rows;
	enum err_code code =
	    ops_write_typed(w, "attributes", table_str(t, row, SPAN_ATTRIBUTES), err);
	if (code)
		return code;
	ops_write_u64(w, "dropped_attributes_count", table_u32(t, row, SPAN_DROPPED_ATTRIBUTES));
	code = ops_write_events(w, table_str(t, row, SPAN_EVENTS), r->arena, err);
	if (code)
		return code;
	ops_write_u64(w, "dropped_events_count", table_u32(t, row, SPAN_DROPPED_EVENTS));
	code = ops_write_links(w, table_str(t, row, SPAN_LINKS), r->arena, err);
	ops_write_u64(w, "dropped_links_count", table_u32(t, row, SPAN_DROPPED_LINKS));
	return code;
}

enum err_code
ops_span_write(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	const struct table *t = &r->rows;
	jsonw_object(w);
	write_head(w, t, row);
	enum err_code code = write_lists(w, r, row, err);
	if (!code)
		code = ops_write_resource(w, r, table_u64(t, row, SPAN_RESOURCE_ID), err);
	if (!code)
		code = ops_write_scope(w, r, table_u64(t, row, SPAN_SCOPE_ID), err);
	jsonw_object_end(w);
	if (code)
		return err_wrap(err, "span %016llx",
		    (unsigned long long)table_u64(t, row, SPAN_SPAN_ID));
	return ERR_OK;
}
