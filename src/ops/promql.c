/* SPDX-License-Identifier: Apache-2.0 */
/* PromQL over the store's points, in weir's own shape: /api/v1/query, /api/v1/query_range, /api/v1/metric_names. */
#include "ops/ops_priv.h"

#include "base/timefmt.h"
#include "promql/promql.h"
#include "series/series.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS_DEFAULT = 120 };

/* ---- running one */

void
ops_begin_series(const struct op_context *ctx, struct series_reader *out)
{
	*out = (struct series_reader){.store = ctx->store,
	    .tenant = ctx->tenant,
	    .deadline_mono_ns = ctx->deadline_mono_ns,
	    .arena = ctx->arena,
	    .series_max = ctx->limits->query_series_max,
	    .samples_max = ctx->limits->query_samples_max};
	series_begin(out, ctx->limits->result_bytes_max / 2);
}

enum err_code
ops_run_promql(const struct op_context *ctx, uint64_t deadline_mono_ns, struct str text,
    struct promql_params *params, bool range, struct promql_answer *out, struct err *err)
{
	struct promql_query query;
	struct series_reader reader;
	struct ops_stop stop = {ctx, deadline_mono_ns};
	enum err_code code = promql_parse(text, series_query_label, ctx->arena, &query, err);
	if (code != ERR_OK)
		return err_wrap(err, "parameter query");
	if (range && query.type != PROMQL_SCALAR && query.type != PROMQL_VECTOR)
		return err_set(err, ERR_INVALID,
		    "parameter query: over a range of time it is a scalar or an instant vector, this "
		    "is %s",
		    promql_type_phrase(query.type));
	params->series_max = ctx->limits->query_series_max;
	params->samples_max = ctx->limits->query_samples_max;
	params->steps_max = ctx->limits->query_steps_max;
	params->stop = ops_should_stop;
	params->stop_ctx = &stop;
	ops_begin_series(ctx, &reader);
	reader.deadline_mono_ns = deadline_mono_ns;
	struct promql_source source = series_source(&reader);
	code = promql_run(&query, params, &source, ctx->arena, out, err);
	series_end(&reader);
	return code;
}

/* ---- its answer */

static void
put_bound_side(struct json_writer *w, const struct promql_hist *h,
    const struct promql_buckets *side, size_t i, bool negative, ops_bucket_fn fn)
{
	int64_t index = (int64_t)side->offset + (int64_t)i;
	double lower = promql_bucket_lower(h->scale, index);
	double upper = promql_bucket_upper(h->scale, index);
	struct ops_bucket b = {lower, upper, side->items[i], 0};
	if (negative)
		b = (struct ops_bucket){-upper, -lower, side->items[i], 1};
	if (b.count != 0)
		fn(w, &b);
}

void
ops_each_bucket(struct json_writer *w, const struct promql_hist *h, ops_bucket_fn fn)
{
	struct ops_bucket zero = {-h->zero_threshold, h->zero_threshold, h->zero_count, 3};
	for (size_t i = h->neg.count; i > 0; i--)
		put_bound_side(w, h, &h->neg, i - 1, true, fn);
	if (zero.count != 0)
		fn(w, &zero);
	for (size_t i = 0; i < h->pos.count; i++)
		put_bound_side(w, h, &h->pos, i, false, fn);
}

static void
put_number(struct json_writer *w, const char *key, double v)
{
	jsonw_key(w, key);
	jsonw_f64(w, v);
}

static void
put_bucket(struct json_writer *w, const struct ops_bucket *b)
{
	jsonw_object(w);
	put_number(w, "lower", b->lower);
	put_number(w, "upper", b->upper);
	put_number(w, "count", b->count);
	jsonw_object_end(w);
}

static void
put_histogram(struct json_writer *w, const struct promql_hist *h)
{
	jsonw_object(w);
	put_number(w, "count", h->count);
	put_number(w, "sum", h->sum);
	jsonw_key(w, "buckets");
	jsonw_array(w);
	ops_each_bucket(w, h, put_bucket);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void
put_time(struct json_writer *w, int64_t t_ms)
{
	char text[TIME_RFC3339_BYTES];
	uint64_t ns = t_ms < 0 ? 0 : (uint64_t)t_ms * NS_PER_MS;
	time_rfc3339(ns, text);
	jsonw_str(w, str_of(text, sizeof(text)));
}

static void
put_point(struct json_writer *w, int64_t t_ms, double v, const struct promql_hist *h)
{
	jsonw_array(w);
	put_time(w, t_ms);
	if (h)
		put_histogram(w, h);
	else
		jsonw_f64(w, v);
	jsonw_array_end(w);
}

void
ops_write_labels(struct json_writer *w, const struct promql_labels *l)
{
	jsonw_object(w);
	for (size_t i = 0; i < l->count; i++) {
		jsonw_key_str(w, l->items[i].name);
		jsonw_str(w, l->items[i].value);
	}
	jsonw_object_end(w);
}

static void
put_series(struct json_writer *w, const struct promql_answer *a, const struct promql_series *s)
{
	jsonw_object(w);
	jsonw_key(w, "labels");
	ops_write_labels(w, &s->labels);
	jsonw_key(w, "points");
	jsonw_array(w);
	for (size_t i = 0; i < s->count && !w->out->failed; i++)
		if (!promql_is_stale(s->value[i]))
			put_point(w, s->t_ms ? s->t_ms[i] : a->start_ms + (int64_t)i * a->step_ms,
			    s->value[i], s->hist ? s->hist[i] : NULL);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void
put_scalar(struct json_writer *w, const struct promql_answer *a)
{
	jsonw_object(w);
	jsonw_key(w, "labels");
	jsonw_object(w);
	jsonw_object_end(w);
	jsonw_key(w, "points");
	jsonw_array(w);
	for (size_t i = 0; i < a->steps; i++)
		put_point(w, a->start_ms + (int64_t)i * a->step_ms, a->scalar[i], NULL);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static const char *
type_word(const struct promql_answer *a)
{
	switch (a->type) {
	case PROMQL_SCALAR: return "scalar";
	case PROMQL_VECTOR: return "vector";
	case PROMQL_MATRIX: return "matrix";
	case PROMQL_STRING: return "string";
	}
	return "";
}

static void
put_answer(struct buf *out, const struct promql_answer *a)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	ops_write_text(&w, "type", str_from(type_word(a)));
	jsonw_key(&w, "series");
	jsonw_array(&w);
	if (a->type == PROMQL_SCALAR)
		put_scalar(&w, a);
	for (size_t i = 0; i < a->series_count && !out->failed; i++)
		put_series(&w, a, &a->series[i]);
	jsonw_array_end(&w);
	ops_write_u64(&w, "count", a->type == PROMQL_SCALAR ? 1 : a->series_count);
	if (a->type == PROMQL_STRING)
		ops_write_text(&w, "text", a->text);
	ops_write_u64(&w, "series_read", a->series_read);
	ops_write_u64(&w, "samples_read", a->samples_read);
	jsonw_object_end(&w);
	buf_char(out, '\n');
}

/* ---- parameters */

/* PromQL counts in milliseconds: what is shorter is one. */
static int64_t
to_ms(uint64_t ns)
{
	return ns < NS_PER_MS ? 1 : (int64_t)(ns / NS_PER_MS);
}

static void
read_lookback(const struct op *op, const struct op_value *values, size_t value_count,
    struct promql_params *params)
{
	struct ops_parsed v;
	if (ops_find_value(op, values, value_count, "lookback", &v))
		params->lookback_ms = to_ms(v.lo);
}

enum err_code
ops_query(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_parsed query, time;
	struct promql_params params = {0};
	struct promql_answer answer = {0};
	bool given = ops_find_value(op, values, value_count, "query", &query);
	CHECK(given);
	uint64_t ns =
	    ops_find_value(op, values, value_count, "time", &time) ? time.lo : ctx->now_unix_ns;
	params.start_ms = params.end_ms = (int64_t)(ns / NS_PER_MS);
	read_lookback(op, values, value_count, &params);
	enum err_code code =
	    ops_run_promql(ctx, ctx->deadline_mono_ns, query.text, &params, false, &answer, err);
	if (code == ERR_OK)
		put_answer(json_out, &answer);
	return code;
}

/* A round number of seconds, so that there are about STEPS_DEFAULT steps. */
static int64_t
default_step_ms(int64_t range_ms)
{
	static const int64_t seconds[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
	    7200, 14400, 21600, 43200, 86400};
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
		if (range_ms / STEPS_DEFAULT <= seconds[i] * 1000)
			return seconds[i] * 1000;
	int64_t days = range_ms / STEPS_DEFAULT / 86400000 + 1;
	return days * 86400000;
}

static enum err_code
read_range(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct promql_params *params, struct err *err)
{
	struct ops_parsed from, to, last, step;
	bool has_from = ops_find_value(op, values, value_count, "from", &from);
	bool has_to = ops_find_value(op, values, value_count, "to", &to);
	bool has_last = ops_find_value(op, values, value_count, "last", &last);
	if (has_last && has_from)
		return err_set(err, ERR_INVALID, "parameter last: not together with from");
	uint64_t end = has_to ? to.lo : ctx->now_unix_ns;
	uint64_t length = has_last ? last.lo : 3600 * NS_PER_S;
	uint64_t start = has_from ? from.lo : end > length ? end - length : 0;
	if (start > end)
		return err_set(err, ERR_INVALID, "parameter to: must not be earlier than from%s",
		    has_to ? "" : " (it is now)");
	params->start_ms = (int64_t)(start / NS_PER_MS);
	params->end_ms = (int64_t)(end / NS_PER_MS);
	params->step_ms = ops_find_value(op, values, value_count, "step", &step)
	    ? to_ms(step.lo)
	    : default_step_ms(params->end_ms - params->start_ms);
	read_lookback(op, values, value_count, params);
	return ERR_OK;
}

enum err_code
ops_query_range(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct ops_parsed query;
	struct promql_params params = {0};
	struct promql_answer answer = {0};
	bool given = ops_find_value(op, values, value_count, "query", &query);
	CHECK(given);
	enum err_code code = read_range(ctx, op, values, value_count, &params, err);
	if (code == ERR_OK)
		code = ops_run_promql(ctx, ctx->deadline_mono_ns, query.text, &params, true,
		    &answer, err);
	if (code != ERR_OK)
		return code;
	if (answer.type == PROMQL_VECTOR)
		answer.type = PROMQL_MATRIX;
	put_answer(json_out, &answer);
	return ERR_OK;
}

/* ---- metric names */

static void
put_family(struct json_writer *w, const struct series_family *f, const struct str *names,
    size_t name_count)
{
	static const char *const types[] = {
	    "", "gauge", "sum", "histogram", "exponential_histogram", "summary"};
	static const char *const temporalities[] = {"unspecified", "delta", "cumulative"};
	bool has_temporality = f->type != POINT_GAUGE && f->type != POINT_SUMMARY;
	jsonw_object(w);
	ops_write_text(w, "name", f->name);
	jsonw_key(w, "names");
	jsonw_array(w);
	for (size_t i = 0; i < name_count; i++)
		jsonw_str(w, names[i]);
	jsonw_array_end(w);
	ops_write_text(w, "type", str_from(series_family_type(f)));
	ops_write_text(w, "description", f->help);
	ops_write_text(w, "otlp_name", f->otlp_name);
	ops_write_text(w, "unit", f->unit);
	ops_write_named(w, "metric_type", f->type, types, ARRAY_LEN(types));
	if (has_temporality) {
		ops_write_named(w, "temporality", f->temporality, temporalities,
		    ARRAY_LEN(temporalities));
	} else {
		jsonw_key(w, "temporality");
		jsonw_null(w);
	}
	ops_write_u64(w, "series_count", f->series_count);
	ops_write_u64(w, "point_count", f->point_count);
	ops_write_time(w, "first_seen", "first_seen_unix_nano", f->first_ns);
	ops_write_time(w, "last_seen", "last_seen_unix_nano", f->last_ns);
	jsonw_object_end(w);
}

static bool
contains(struct str text, struct str part)
{
	return part.len == 0 ||
	    (text.len >= part.len && memmem(text.ptr, text.len, part.ptr, part.len) != NULL);
}

static enum err_code
put_families(struct series_reader *r, const struct series_family *families, size_t count,
    struct str part, size_t limit, struct buf *out, struct err *err)
{
	struct json_writer w;
	struct str names[SERIES_PARTS_MAX];
	size_t shown = 0, name_count;
	bool more = false;
	enum err_code code = ERR_OK;
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "metrics");
	jsonw_array(&w);
	for (size_t i = 0; i < count && code == ERR_OK && !more; i++) {
		bool wanted = contains(families[i].otlp_name, part);
		code = series_family_names(r, &families[i], names, &name_count, err);
		for (size_t k = 0; code == ERR_OK && k < name_count; k++)
			wanted = wanted || contains(names[k], part);
		more = code == ERR_OK && wanted && shown == limit;
		if (code == ERR_OK && wanted && !more && ++shown)
			put_family(&w, &families[i], names, name_count);
	}
	jsonw_array_end(&w);
	ops_write_u64(&w, "count", shown);
	jsonw_key(&w, "truncated");
	jsonw_bool(&w, more);
	jsonw_object_end(&w);
	buf_char(out, '\n');
	return code;
}

enum err_code
ops_metric_names(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct store_query q;
	struct ops_cursor_base base;
	struct series_reader reader;
	const struct series_family *families;
	struct ops_parsed part = {0};
	size_t count;
	enum err_code code =
	    ops_build_query(ctx, op, STORE_METRICS, values, value_count, &q, &base, err);
	if (code != ERR_OK)
		return code;
	(void)ops_find_value(op, values, value_count, "contains", &part);
	ops_begin_series(ctx, &reader);
	code = series_families(&reader, q.from_ns, q.to_ns, &families, &count, err);
	if (code == ERR_OK)
		code = put_families(&reader, families, count, part.text, q.row_max, json_out, err);
	series_end(&reader);
	return code;
}
