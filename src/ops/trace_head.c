/* SPDX-License-Identifier: Apache-2.0 */
/* What the answers about one trace say of it before its spans; and lists of rows. */
#include "ops/ops_priv.h"

#include <stdlib.h>

enum { STATUS_ERROR = 2 };

static int
compare_strs(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* A span that ends before it starts (a clock was set back) does not make the trace end before it starts. */
enum err_code
ops_trace_head(const struct table *spans, struct arena *arena, struct ops_trace_head *out,
    struct err *err)
{
	*out = (struct ops_trace_head){.start_ns = UINT64_MAX, .span_count = spans->row_count};
	struct str *names = arena_array(arena, spans->row_count + 1, sizeof *names);
	if (!names)
		return err_set(err, ERR_TOO_LARGE,
		    "the trace does not fit the memory of one query; ask for less with limit");
	for (size_t row = 0; row < spans->row_count; row++) {
		uint64_t start_ns = table_u64(spans, row, SPAN_START_NS);
		uint64_t end_ns = start_ns + (uint64_t)table_i64(spans, row, SPAN_DURATION_NS);
		out->start_ns = start_ns < out->start_ns ? start_ns : out->start_ns;
		out->end_ns = start_ns > out->end_ns ? start_ns : out->end_ns;
		out->end_ns = end_ns > out->end_ns ? end_ns : out->end_ns;
		out->error_count += table_i32(spans, row, SPAN_STATUS_CODE) == STATUS_ERROR;
		names[row] = table_str(spans, row, SPAN_SERVICE);
	}
	qsort(names, spans->row_count, sizeof *names, compare_strs);
	for (size_t i = 0; i < spans->row_count; i++)
		if (out->service_count == 0 || !str_eq(names[i], names[out->service_count - 1]))
			names[out->service_count++] = names[i];
	out->services = names;
	return ERR_OK;
}

void
ops_trace_head_write(struct json_writer *w, uint64_t trace_hi, uint64_t trace_lo,
    const struct ops_trace_head *head)
{
	ops_write_trace_id(w, "trace_id", trace_hi, trace_lo);
	ops_write_u64(w, "span_count", head->span_count);
	jsonw_key(w, "services");
	jsonw_array(w);
	for (size_t i = 0; i < head->service_count; i++)
		jsonw_str(w, head->services[i]);
	jsonw_array_end(w);
	ops_write_time(w, "start_time", "start_time_unix_nano", head->start_ns);
	ops_write_time(w, "end_time", "end_time_unix_nano", head->end_ns);
	ops_write_duration_ms(w, "duration_ms", (double)(head->end_ns - head->start_ns));
	ops_write_u64(w, "error_count", head->error_count);
}

enum err_code
ops_write_rows(struct json_writer *w, const char *key, const struct store_result *r,
    ops_row_writer *write, struct err *err)
{
	jsonw_key(w, key);
	jsonw_array(w);
	enum err_code code = ERR_OK;
	for (size_t row = 0; row < r->rows.row_count && !code && !w->out->failed; row++)
		code = write(w, r, row, err);
	jsonw_array_end(w);
	return code;
}
