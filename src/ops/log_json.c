/* SPDX-License-Identifier: Apache-2.0 */
/* The Log of docs/api.md. */
#include "ops/ops_priv.h"

static struct str
severity_name(int32_t number)
{
	static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal"};
	if (number < 1 || number > 24)
		return STR("unspecified");
	return str_from(names[(number - 1) / 4]);
}

static void
write_observed(struct json_writer *w, uint64_t observed_ns)
{
	if (observed_ns > 0) {
		ops_write_time(w, "observed_timestamp", "observed_time_unix_nano", observed_ns);
		return;
	}
	jsonw_key(w, "observed_timestamp");
	jsonw_null(w);
	ops_write_text(w, "observed_time_unix_nano", STR("0"));
}

static void
write_head(struct json_writer *w, const struct table *t, size_t row)
{
	ops_write_time(w, "timestamp", "event_time_unix_nano", table_u64(t, row, LOG_EVENT_NS));
	jsonw_key(w, "time_unix_nano");
	jsonw_u64_string(w, table_u64(t, row, LOG_TIME_NS));
	write_observed(w, table_u64(t, row, LOG_OBSERVED_NS));
	ops_write_trace_id(w, "trace_id", table_u64(t, row, LOG_TRACE_HI),
	    table_u64(t, row, LOG_TRACE_LO));
	ops_write_span_id(w, "span_id", table_u64(t, row, LOG_SPAN_ID));
	int32_t severity = table_i32(t, row, LOG_SEVERITY_NUMBER);
	ops_write_text(w, "severity", severity_name(severity));
	jsonw_key(w, "severity_number");
	jsonw_i64(w, severity);
	ops_write_text(w, "severity_text", table_str(t, row, LOG_SEVERITY_TEXT));
}

static enum err_code
write_body(struct json_writer *w, const struct table *t, size_t row, struct err *err)
{
	struct str body = table_str(t, row, LOG_BODY);
	switch (table_i32(t, row, LOG_BODY_KIND)) {
	case LOG_BODY_STRING: ops_write_text(w, "body", body); return ERR_OK;
	case LOG_BODY_TYPED:
		if (body.ptr)
			return ops_write_typed(w, "body", body, err);
		return err_set(err, ERR_CORRUPT, "body is missing");
	case LOG_BODY_NONE:
		jsonw_key(w, "body");
		jsonw_null(w);
		return ERR_OK;
	}
	return err_set(err, ERR_CORRUPT, "body kind %d is unknown",
	    table_i32(t, row, LOG_BODY_KIND));
}

enum err_code
ops_log_write(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	const struct table *t = &r->rows;
	jsonw_object(w);
	write_head(w, t, row);
	enum err_code code = write_body(w, t, row, err);
	ops_write_text(w, "event_name", table_str(t, row, LOG_EVENT_NAME));
	ops_write_text(w, "service", table_str(t, row, LOG_SERVICE));
	if (!code)
		code = ops_write_typed(w, "attributes", table_str(t, row, LOG_ATTRIBUTES), err);
	ops_write_u64(w, "dropped_attributes_count", table_u32(t, row, LOG_DROPPED_ATTRIBUTES));
	ops_write_u64(w, "flags", table_u32(t, row, LOG_FLAGS));
	if (!code)
		code = ops_write_resource(w, r, table_u64(t, row, LOG_RESOURCE_ID), err);
	if (!code)
		code = ops_write_scope(w, r, table_u64(t, row, LOG_SCOPE_ID), err);
	jsonw_object_end(w);
	if (code)
		return err_wrap(err, "log record %llu/%u",
		    (unsigned long long)table_u64(t, row, LOG_SEQ), table_u32(t, row, LOG_ORD));
	return ERR_OK;
}
