/* SPDX-License-Identifier: Apache-2.0 */
/* The Service of docs/api.md. */
#include "ops/ops_priv.h"

void
ops_service_write(struct json_writer *w, const struct store_result *r, size_t row)
{
	const struct table *t = &r->rows;
	uint64_t spans = table_u64(t, row, SERVICE_SPANS);
	uint64_t ended = table_u64(t, row, SERVICE_ENDED);
	uint64_t errors = table_u64(t, row, SERVICE_ERRORS);
	jsonw_object(w);
	ops_write_text(w, "name", table_str(t, row, SERVICE_NAME));
	ops_write_u64(w, "span_count", spans);
	ops_write_u64(w, "trace_count", table_u64(t, row, SERVICE_TRACES));
	ops_write_u64(w, "error_count", errors);
	jsonw_key(w, "error_rate");
	jsonw_f64(w, spans > 0 ? (double)errors / (double)spans : 0.0);
	if (ended > 0) {
		ops_write_duration_ms(w, "avg_duration_ms",
		    table_f64(t, row, SERVICE_DURATION_SUM_NS) / (double)ended);
	} else {
		jsonw_key(w, "avg_duration_ms");
		jsonw_null(w);
	}
	ops_write_u64(w, "log_count", table_u64(t, row, SERVICE_LOGS));
	ops_write_u64(w, "point_count", table_u64(t, row, SERVICE_POINTS));
	ops_write_time(w, "first_seen", "first_seen_unix_nano",
	    table_u64(t, row, SERVICE_FIRST_NS));
	ops_write_time(w, "last_seen", "last_seen_unix_nano", table_u64(t, row, SERVICE_LAST_NS));
	jsonw_object_end(w);
}
