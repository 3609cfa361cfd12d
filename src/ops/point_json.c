/* SPDX-License-Identifier: Apache-2.0 */
/* The Point of docs/api.md. */
#include "ops/ops_priv.h"

static const char *const type_names[] = {
    "unspecified", "gauge", "sum", "histogram", "exponential_histogram", "summary"};
static const char *const temporality_names[] = {"unspecified", "delta", "cumulative"};

static void
write_f64_or_null(struct json_writer *w, const char *key, const struct table *t, size_t row,
    int col)
{
	jsonw_key(w, key);
	if (table_is_null(t, row, col))
		jsonw_null(w);
	else
		jsonw_f64(w, table_f64(t, row, col));
}

static void
write_u64_or_null(struct json_writer *w, const char *key, const struct table *t, size_t row,
    int col)
{
	jsonw_key(w, key);
	if (table_is_null(t, row, col))
		jsonw_null(w);
	else
		jsonw_u64(w, table_u64(t, row, col));
}

static void
write_u64s(struct json_writer *w, const char *key, struct u64s list)
{
	jsonw_key(w, key);
	jsonw_array(w);
	for (size_t i = 0; i < list.len; i++)
		jsonw_u64(w, list.ptr[i]);
	jsonw_array_end(w);
}

static void
write_f64s(struct json_writer *w, const char *key, struct f64s list)
{
	jsonw_key(w, key);
	jsonw_array(w);
	for (size_t i = 0; i < list.len; i++)
		jsonw_f64(w, list.ptr[i]);
	jsonw_array_end(w);
}

static void
write_number(struct json_writer *w, const struct table *t, size_t row)
{
	bool is_int = !table_is_null(t, row, POINT_VALUE_INT);
	bool is_double = !table_is_null(t, row, POINT_VALUE);
	jsonw_key(w, "value_type");
	if (is_int || is_double)
		jsonw_str(w, is_int ? STR("int") : STR("double"));
	else
		jsonw_null(w);
	jsonw_key(w, "value");
	if (is_int)
		jsonw_i64(w, table_i64(t, row, POINT_VALUE_INT));
	else if (is_double)
		jsonw_f64(w, table_f64(t, row, POINT_VALUE));
	else
		jsonw_null(w);
}

static void
write_distribution(struct json_writer *w, const struct table *t, size_t row)
{
	write_f64_or_null(w, "value", t, row, POINT_SUM);
	write_u64_or_null(w, "count", t, row, POINT_COUNT);
	write_f64_or_null(w, "sum", t, row, POINT_SUM);
}

static void
write_histogram(struct json_writer *w, const struct table *t, size_t row)
{
	write_distribution(w, t, row);
	write_f64_or_null(w, "min", t, row, POINT_MIN);
	write_f64_or_null(w, "max", t, row, POINT_MAX);
	write_f64s(w, "explicit_bounds", table_f64s(t, row, POINT_BOUNDS));
	write_u64s(w, "bucket_counts", table_u64s(t, row, POINT_BUCKETS));
}

static void
write_buckets(struct json_writer *w, const char *key, const struct table *t, size_t row,
    int offset_col, int counts_col)
{
	jsonw_key(w, key);
	if (table_is_null(t, row, offset_col) && table_is_null(t, row, counts_col)) {
		jsonw_null(w);
		return;
	}
	jsonw_object(w);
	jsonw_key(w, "offset");
	jsonw_i64(w, table_is_null(t, row, offset_col) ? 0 : table_i32(t, row, offset_col));
	write_u64s(w, "bucket_counts", table_u64s(t, row, counts_col));
	jsonw_object_end(w);
}

static void
write_exp_histogram(struct json_writer *w, const struct table *t, size_t row)
{
	write_distribution(w, t, row);
	write_f64_or_null(w, "min", t, row, POINT_MIN);
	write_f64_or_null(w, "max", t, row, POINT_MAX);
	jsonw_key(w, "scale");
	if (table_is_null(t, row, POINT_SCALE))
		jsonw_null(w);
	else
		jsonw_i64(w, table_i32(t, row, POINT_SCALE));
	write_u64_or_null(w, "zero_count", t, row, POINT_ZERO_COUNT);
	write_f64_or_null(w, "zero_threshold", t, row, POINT_ZERO_THRESHOLD);
	write_buckets(w, "positive", t, row, POINT_POS_OFFSET, POINT_POS_COUNTS);
	write_buckets(w, "negative", t, row, POINT_NEG_OFFSET, POINT_NEG_COUNTS);
}

/* The two columns are as long as each other; if they are not, what has a partner is shown. */
static void
write_summary(struct json_writer *w, const struct table *t, size_t row)
{
	struct f64s quantiles = table_f64s(t, row, POINT_QUANTILES);
	struct f64s values = table_f64s(t, row, POINT_QUANTILE_VALUES);
	write_distribution(w, t, row);
	jsonw_key(w, "quantile_values");
	jsonw_array(w);
	for (size_t i = 0; i < quantiles.len && i < values.len; i++) {
		jsonw_object(w);
		jsonw_key(w, "quantile");
		jsonw_f64(w, quantiles.ptr[i]);
		jsonw_key(w, "value");
		jsonw_f64(w, values.ptr[i]);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}

static void
write_data(struct json_writer *w, const struct table *t, size_t row, int32_t type)
{
	switch (type) {
	case POINT_HISTOGRAM: write_histogram(w, t, row); return;
	case POINT_EXP_HISTOGRAM: write_exp_histogram(w, t, row); return;
	case POINT_SUMMARY: write_summary(w, t, row); return;
	}
	write_number(w, t, row); /* gauge, sum */
}

static void
write_temporality(struct json_writer *w, const struct table *t, size_t row, int32_t type)
{
	if (type == POINT_GAUGE || type == POINT_SUMMARY) {
		jsonw_key(w, "temporality");
		jsonw_null(w);
		return;
	}
	ops_write_named(w, "temporality", table_i32(t, row, POINT_TEMPORALITY), temporality_names,
	    ARRAY_LEN(temporality_names));
}

static void
write_head(struct json_writer *w, const struct table *t, size_t row, int32_t type)
{
	ops_write_time(w, "timestamp", "time_unix_nano", table_u64(t, row, POINT_TIME_NS));
	jsonw_key(w, "start_time_unix_nano");
	jsonw_u64_string(w, table_u64(t, row, POINT_START_NS));
	ops_write_text(w, "service", table_str(t, row, POINT_SERVICE));
	ops_write_text(w, "name", table_str(t, row, POINT_NAME));
	ops_write_text(w, "description", table_str(t, row, POINT_DESCRIPTION));
	ops_write_text(w, "unit", table_str(t, row, POINT_UNIT));
	ops_write_named(w, "metric_type", type, type_names, ARRAY_LEN(type_names));
	write_temporality(w, t, row, type);
	jsonw_key(w, "is_monotonic");
	jsonw_bool(w, table_bool(t, row, POINT_MONOTONIC));
	ops_write_u64(w, "flags", table_u32(t, row, POINT_FLAGS));
}

enum err_code
ops_point_write(struct json_writer *w, const struct store_result *r, size_t row, struct err *err)
{
	const struct table *t = &r->rows;
	int32_t type = table_i32(t, row, POINT_TYPE);
	jsonw_object(w);
	write_head(w, t, row, type);
	write_data(w, t, row, type);
	enum err_code code =
	    ops_write_typed(w, "attributes", table_str(t, row, POINT_ATTRIBUTES), err);
	if (!code)
		code = ops_write_typed(w, "metadata", table_str(t, row, POINT_METADATA), err);
	if (!code)
		code = ops_write_exemplars(w, table_str(t, row, POINT_EXEMPLARS), r->arena, err);
	if (!code)
		code = ops_write_resource(w, r, table_u64(t, row, POINT_RESOURCE_ID), err);
	if (!code)
		code = ops_write_scope(w, r, table_u64(t, row, POINT_SCOPE_ID), err);
	jsonw_object_end(w);
	if (code)
		return err_wrap(err, "point %llu/%u",
		    (unsigned long long)table_u64(t, row, POINT_SEQ), table_u32(t, row, POINT_ORD));
	return ERR_OK;
}
