/* SPDX-License-Identifier: Apache-2.0 */
/* The TraceSummary and the Histogram of docs/api.md. */
#include "ops/ops_priv.h"

static void
write_root(struct json_writer *w, const struct table *t, size_t row)
{
	jsonw_key(w, "root");
	jsonw_object(w);
	ops_write_text(w, "service", table_str(t, row, TRACE_ROOT_SERVICE));
	ops_write_text(w, "operation", table_str(t, row, TRACE_ROOT_NAME));
	ops_write_span_id(w, "span_id", table_u64(t, row, TRACE_ROOT_ID));
	ops_write_kind(w, "kind", table_i32(t, row, TRACE_ROOT_KIND));
	ops_write_status(w, "status", table_i32(t, row, TRACE_ROOT_STATUS));
	jsonw_object_end(w);
	jsonw_key(w, "root_missing");
	jsonw_bool(w, table_bool(t, row, TRACE_ROOT_MISSING));
}

enum err_code
ops_trace_row_write(struct json_writer *w, const struct store_result *r, size_t row,
    struct err *err)
{
	const struct table *t = &r->rows;
	uint64_t start_ns = table_u64(t, row, TRACE_START_NS),
	         end_ns = table_u64(t, row, TRACE_END_NS);
	jsonw_object(w);
	ops_write_trace_id(w, "trace_id", table_u64(t, row, TRACE_HI), table_u64(t, row, TRACE_LO));
	write_root(w, t, row);
	ops_write_time(w, "start_time", "start_time_unix_nano", start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", end_ns);
	ops_write_duration_ms(w, "duration_ms", (double)(end_ns - start_ns));
	ops_write_u64(w, "span_count", table_u64(t, row, TRACE_SPAN_COUNT));
	ops_write_u64(w, "error_count", table_u64(t, row, TRACE_ERROR_COUNT));
	ops_write_u64(w, "matched_spans", table_u64(t, row, TRACE_MATCHED));
	enum err_code code = ops_write_typed(w, "services", table_str(t, row, TRACE_SERVICES), err);
	jsonw_object_end(w);
	return code;
}

void
ops_histogram_write(struct json_writer *w, const char *key, const struct table *buckets)
{
	uint64_t total = 0;
	size_t n = buckets->row_count;
	jsonw_key(w, key);
	if (n == 0) {
		jsonw_null(w);
		return;
	}
	uint64_t from_ns = table_u64(buckets, 0, BUCKET_FROM_NS);
	for (size_t i = 0; i < n; i++)
		total += table_u64(buckets, i, BUCKET_COUNT);
	jsonw_object(w);
	ops_write_time(w, "from", "from_unix_nano", from_ns);
	ops_write_time(w, "to", "to_unix_nano", table_u64(buckets, n - 1, BUCKET_TO_NS));
	ops_write_u64(w, "interval_ns", table_u64(buckets, 0, BUCKET_TO_NS) - from_ns);
	ops_write_u64(w, "total", total);
	jsonw_key(w, "buckets");
	jsonw_array(w);
	for (size_t i = 0; i < n; i++)
		jsonw_u64(w, table_u64(buckets, i, BUCKET_COUNT));
	jsonw_array_end(w);
	jsonw_object_end(w);
}
