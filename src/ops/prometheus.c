/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers of Prometheus' API: the same answers as promql.c, in its shapes. */
#include "ops/prometheus.h"

#include "ops/ops_priv.h"

#include "base/timefmt.h"
#include "promql/promql.h"
#include "series/series.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The version of Prometheus whose API and semantics these are; clients choose by it what to ask for. */
#define PROMETHEUS_VERSION "3.5.0"

enum { MATCHES_MAX = 64, METADATA_SECONDS = 86400 };

/* ---- parameters */

#define PARAM(n, t, h) {.name = n, .type = t, .help = h}
#define PARAM_END {.name = NULL}
#define PARAM_QUERY                                                                                \
	{.name = "query",                                                                          \
	    .type = OP_TEXT,                                                                       \
	    .required = true,                                                                      \
	    .sample = "rate(requests_total[5m])",                                                  \
	    .help = "the query, in PromQL"}
#define PARAM_TIMEOUT PARAM("timeout", OP_PROM_SPAN, "end it after this time, if not sooner")
#define PARAM_LOOKBACK                                                                             \
	{.name = "lookback_delta",                                                                 \
	    .type = OP_PROM_SPAN,                                                                  \
	    .help = "how old a sample may be that stands for now",                                 \
	    .fallback = "5m"}
#define PARAM_STATS PARAM("stats", OP_TEXT, "say how much was read (any text)")
#define PARAM_LIMIT                                                                                \
	{.name = "limit",                                                                          \
	    .type = OP_INT,                                                                        \
	    .max = INT32_MAX,                                                                      \
	    .help = "at most so many; 0: all",                                                     \
	    .fallback = "0"}
#define PARAM_START PARAM("start", OP_UNIX_TIME, "of series with samples at or after this time")
#define PARAM_STOP PARAM("end", OP_UNIX_TIME, "of series with samples at or before this time")
#define PARAM_MATCH(need)                                                                          \
	{.name = "match[]",                                                                        \
	    .type = OP_TEXT,                                                                       \
	    .repeat = true,                                                                        \
	    .repeat_max = MATCHES_MAX,                                                             \
	    .required = need,                                                                      \
	    .sample = "{job=\"checkout\"}",                                                        \
	    .help = "of series that this selector, or one of several, matches"}

const struct op_param ops_prom_query_params[] = {
    PARAM_QUERY,
    PARAM("time", OP_UNIX_TIME, "the moment asked about (now)"),
    PARAM_TIMEOUT,
    PARAM_LOOKBACK,
    PARAM_LIMIT,
    PARAM_STATS,
    PARAM_END,
};

const struct op_param ops_prom_range_params[] = {
    PARAM_QUERY,
    {.name = "start",
        .type = OP_UNIX_TIME,
        .required = true,
        .sample = "1795190400",
        .help = "the first moment"},
    {.name = "end",
        .type = OP_UNIX_TIME,
        .required = true,
        .sample = "1795194000",
        .help = "the last moment"},
    {.name = "step",
        .type = OP_PROM_SPAN,
        .required = true,
        .sample = "30s",
        .help = "from one moment to the next"},
    PARAM_TIMEOUT,
    PARAM_LOOKBACK,
    PARAM_LIMIT,
    PARAM_STATS,
    PARAM_END,
};

const struct op_param ops_prom_labels_params[] = {
    PARAM_MATCH(false), PARAM_START, PARAM_STOP, PARAM_LIMIT, PARAM_END};

const struct op_param ops_prom_series_params[] = {
    PARAM_MATCH(true), PARAM_START, PARAM_STOP, PARAM_LIMIT, PARAM_END};

const struct op_param ops_prom_values_params[] = {
    {.name = "name", .type = OP_TEXT, .in_path = true, .help = "the label"},
    PARAM_MATCH(false),
    PARAM_START,
    PARAM_STOP,
    PARAM_LIMIT,
    PARAM_END,
};

const struct op_param ops_prom_metadata_params[] = {
    PARAM("metric", OP_TEXT, "of the metric with exactly this name"),
    PARAM_LIMIT,
    {.name = "limit_per_metric",
        .type = OP_INT,
        .max = INT32_MAX,
        .help = "at most so many of one name; 0: all",
        .fallback = "0"},
    PARAM_END,
};

const struct op_param ops_prom_format_params[] = {PARAM_QUERY, PARAM_END};
const struct op_param ops_prom_no_params[] = {PARAM_END};

/* ---- the frame */

static void
begin_answer(struct json_writer *w, struct buf *out)
{
	json_writer_init(w, out);
	jsonw_object(w);
	ops_write_text(w, "status", STR("success"));
	jsonw_key(w, "data");
}

static void
end_answer(struct json_writer *w, bool cut)
{
	if (cut) {
		jsonw_key(w, "warnings");
		jsonw_array(w);
		jsonw_str(w, STR("results truncated due to limit"));
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
	buf_char(w->out, '\n');
}

/* ---- values */

/* 1435781451.781 */
static void
put_seconds(struct json_writer *w, int64_t t_ms)
{
	char text[32];
	bool negative = t_ms < 0;
	uint64_t ms = negative ? (uint64_t)-t_ms : (uint64_t)t_ms;
	int n = snprintf(text, sizeof(text), "%s%" PRIu64, negative ? "-" : "", ms / 1000);
	if (ms % 1000 != 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%03u", (unsigned)(ms % 1000));
	jsonw_raw(w, str_of(text, (size_t)n));
}

static void
put_number(struct json_writer *w, double v)
{
	char text[PROMQL_NUMBER_BYTES];
	jsonw_str(w, str_of(text, promql_number_text(v, text)));
}

static void
put_bucket(struct json_writer *w, const struct ops_bucket *b)
{
	jsonw_array(w);
	jsonw_i64(w, b->open);
	put_number(w, b->lower);
	put_number(w, b->upper);
	put_number(w, b->count);
	jsonw_array_end(w);
}

static void
put_point(struct json_writer *w, int64_t t_ms, double v, const struct promql_hist *h)
{
	jsonw_array(w);
	put_seconds(w, t_ms);
	if (!h) {
		put_number(w, v);
		jsonw_array_end(w);
		return;
	}
	jsonw_object(w);
	jsonw_key(w, "count");
	put_number(w, h->count);
	jsonw_key(w, "sum");
	put_number(w, h->sum);
	jsonw_key(w, "buckets");
	jsonw_array(w);
	ops_each_bucket(w, h, put_bucket);
	jsonw_array_end(w);
	jsonw_object_end(w);
	jsonw_array_end(w);
}

static int64_t
time_at(const struct promql_answer *a, const struct promql_series *s, size_t i)
{
	return s->t_ms ? s->t_ms[i] : a->start_ms + (int64_t)i * a->step_ms;
}

/* "value" or "histogram" of an instant. */
static void
put_instant(struct json_writer *w, const struct promql_answer *a, const struct promql_series *s)
{
	const struct promql_hist *h = s->hist ? s->hist[0] : NULL;
	jsonw_key(w, h ? "histogram" : "value");
	put_point(w, time_at(a, s, 0), s->value[0], h);
}

static void
put_points(struct json_writer *w, const struct promql_answer *a, const struct promql_series *s,
    const char *key, bool hists)
{
	bool any = false;
	for (size_t i = 0; i < s->count && !w->out->failed; i++) {
		const struct promql_hist *h = s->hist ? s->hist[i] : NULL;
		if (promql_is_stale(s->value[i]) || (h != NULL) != hists)
			continue;
		if (!any) {
			jsonw_key(w, key);
			jsonw_array(w);
		}
		any = true;
		put_point(w, time_at(a, s, i), s->value[i], h);
	}
	if (any)
		jsonw_array_end(w);
}

static void
put_series(struct json_writer *w, const struct promql_answer *a, const struct promql_series *s)
{
	jsonw_object(w);
	jsonw_key(w, "metric");
	ops_write_labels(w, &s->labels);
	if (a->type == PROMQL_VECTOR) {
		put_instant(w, a, s);
	} else {
		put_points(w, a, s, "values", false);
		put_points(w, a, s, "histograms", true);
	}
	jsonw_object_end(w);
}

static void
put_scalar(struct json_writer *w, const struct promql_answer *a, bool range)
{
	if (!range) {
		put_point(w, a->start_ms, a->scalar[0], NULL);
		return;
	}
	jsonw_array(w);
	jsonw_object(w);
	jsonw_key(w, "metric");
	jsonw_object(w);
	jsonw_object_end(w);
	jsonw_key(w, "values");
	jsonw_array(w);
	for (size_t i = 0; i < a->steps; i++)
		put_point(w, a->start_ms + (int64_t)i * a->step_ms, a->scalar[i], NULL);
	jsonw_array_end(w);
	jsonw_object_end(w);
	jsonw_array_end(w);
}

static void
put_result(struct json_writer *w, const struct promql_answer *a, bool range, size_t limit)
{
	static const char *const types[] = {[PROMQL_SCALAR] = "scalar",
	    [PROMQL_VECTOR] = "vector",
	    [PROMQL_MATRIX] = "matrix",
	    [PROMQL_STRING] = "string"};
	jsonw_object(w);
	ops_write_text(w, "resultType", str_from(range ? "matrix" : types[a->type]));
	jsonw_key(w, "result");
	if (a->type == PROMQL_SCALAR) {
		put_scalar(w, a, range);
	} else if (a->type == PROMQL_STRING) {
		jsonw_array(w);
		put_seconds(w, a->start_ms);
		jsonw_str(w, a->text);
		jsonw_array_end(w);
	} else {
		jsonw_array(w);
		for (size_t i = 0; i < a->series_count && i < limit && !w->out->failed; i++)
			put_series(w, a, &a->series[i]);
		jsonw_array_end(w);
	}
}

static void
put_stats(struct json_writer *w, const struct promql_answer *a)
{
	jsonw_key(w, "stats");
	jsonw_object(w);
	jsonw_key(w, "samples");
	jsonw_object(w);
	ops_write_u64(w, "totalQueryableSamples", a->samples_read);
	jsonw_object_end(w);
	jsonw_object_end(w);
}

/* ---- query, query_range */

struct asking {
	const struct op_context *ctx;
	const struct op *op;
	const struct op_value *values;
	size_t value_count;
};

static bool
given(const struct asking *q, const char *name, struct ops_parsed *out)
{
	return ops_find_value(q->op, q->values, q->value_count, name, out);
}

static size_t
limit_of(const struct asking *q)
{
	struct ops_parsed v;
	return given(q, "limit", &v) && v.i64 > 0 ? (size_t)v.i64 : SIZE_MAX;
}

static enum err_code
run(const struct asking *q, struct promql_params *params, bool range, struct buf *out,
    struct err *err)
{
	struct ops_parsed text = {0}, v;
	struct promql_answer answer = {0};
	struct json_writer w;
	uint64_t deadline = q->ctx->deadline_mono_ns, start = q->ctx->start_mono_ns;
	(void)given(q, "query", &text);
	if (given(q, "lookback_delta", &v))
		params->lookback_ms = v.i64;
	bool timed = given(q, "timeout", &v) && start > 0 && deadline > start;
	if (timed && (deadline - start) / NS_PER_MS > (uint64_t)v.i64)
		deadline = start + (uint64_t)v.i64 * NS_PER_MS;
	enum err_code code =
	    ops_run_promql(q->ctx, deadline, text.text, params, range, &answer, err);
	if (code != ERR_OK)
		return code;
	if (range && answer.type == PROMQL_VECTOR)
		answer.type = PROMQL_MATRIX;
	size_t limit = limit_of(q);
	begin_answer(&w, out);
	put_result(&w, &answer, range, limit);
	if (given(q, "stats", &v))
		put_stats(&w, &answer);
	jsonw_object_end(&w);
	end_answer(&w, answer.type != PROMQL_SCALAR && answer.series_count > limit);
	return ERR_OK;
}

enum err_code
ops_prom_query(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct promql_params params = {0};
	struct ops_parsed time;
	params.start_ms =
	    given(&q, "time", &time) ? time.i64 : (int64_t)(ctx->now_unix_ns / NS_PER_MS);
	params.end_ms = params.start_ms;
	return run(&q, &params, false, json_out, err);
}

enum err_code
ops_prom_query_range(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct ops_parsed start = {0}, end = {0}, step = {0};
	(void)given(&q, "start", &start);
	(void)given(&q, "end", &end);
	(void)given(&q, "step", &step);
	struct promql_params params = {
	    .start_ms = start.i64, .end_ms = end.i64, .step_ms = step.i64};
	if (end.i64 < start.i64)
		return err_set(err, ERR_INVALID,
		    "parameters start and end: the end is before the start");
	return run(&q, &params, true, json_out, err);
}

enum err_code
ops_prom_format_query(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct ops_parsed text = {0};
	struct promql_query query;
	struct buf printed = {0};
	struct json_writer w;
	(void)given(&q, "query", &text);
	enum err_code code = promql_parse(text.text, NULL, ctx->arena, &query, err);
	if (code != ERR_OK)
		return err_wrap(err, "parameter query");
	promql_print(&printed, &query);
	begin_answer(&w, json_out);
	jsonw_str(&w, buf_view(&printed));
	end_answer(&w, false);
	buf_fini(&printed);
	return ERR_OK;
}

/* ---- what there is */

struct window {
	uint64_t from_ns, to_ns;
};

static enum err_code
read_window(const struct asking *q, struct window *out, struct err *err)
{
	struct ops_parsed start = {0}, end = {0};
	bool has_start = given(q, "start", &start), has_end = given(q, "end", &end);
	const int64_t last_ms = (int64_t)(UINT64_MAX / NS_PER_MS) - 1;
	if (has_start && has_end && end.i64 < start.i64)
		return err_set(err, ERR_INVALID,
		    "parameters start and end: the end is before the start");
	out->from_ns = has_start && start.i64 > 0
	    ? (start.i64 < last_ms ? (uint64_t)start.i64 * NS_PER_MS : UINT64_MAX - 1)
	    : 0;
	out->to_ns = !has_end || end.i64 >= last_ms ? UINT64_MAX
	    : end.i64 < 0                           ? 0
	                                            : (uint64_t)(end.i64 + 1) * NS_PER_MS;
	return ERR_OK;
}

static enum err_code
read_matches(const struct asking *q, struct series_match *lists, size_t *count_out, struct err *err)
{
	enum err_code code = ERR_OK;
	*count_out = 0;
	for (size_t i = 0; i < q->value_count && code == ERR_OK; i++) {
		if (!str_eq(q->values[i].name, STR("match[]")))
			continue;
		if (*count_out == MATCHES_MAX)
			return err_set(err, ERR_INVALID,
			    "parameter match[]: given more than %d times", MATCHES_MAX);
		struct series_match *m = &lists[(*count_out)++];
		code = promql_parse_selector(q->values[i].value, series_query_label, q->ctx->arena,
		    &m->items, &m->count, err);
	}
	return code == ERR_OK ? ERR_OK : err_wrap(err, "parameter match[]");
}

/* Label sets of the question's series. The caller ends the reader. */
static enum err_code
find_series(const struct asking *q, bool buckets, struct series_reader *reader,
    struct promql_labels **out, size_t *count_out, struct err *err)
{
	struct series_match lists[MATCHES_MAX];
	struct window window = {0};
	size_t list_count;
	*count_out = 0;
	enum err_code code = read_matches(q, lists, &list_count, err);
	if (code == ERR_OK)
		code = read_window(q, &window, err);
	if (code == ERR_OK && window.to_ns > window.from_ns)
		code = series_list(reader, lists, list_count, window.from_ns, window.to_ns, buckets,
		    out, count_out, err);
	return code;
}

static int
compare_strs(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Each once, in order. */
static void
put_texts(struct buf *out, struct str *texts, size_t count, size_t limit)
{
	struct json_writer w;
	size_t shown = 0;
	bool cut = false;
	if (count > 1)
		qsort(texts, count, sizeof(*texts), compare_strs);
	begin_answer(&w, out);
	jsonw_array(&w);
	for (size_t i = 0; i < count && !out->failed; i++) {
		if (i > 0 && str_eq(texts[i - 1], texts[i]))
			continue;
		cut = shown == limit;
		if (cut)
			break;
		jsonw_str(&w, texts[i]);
		shown++;
	}
	jsonw_array_end(&w);
	end_answer(&w, cut);
}

static enum err_code
spent(const struct op_context *ctx, struct err *err)
{
	(void)err_set(err, ERR_TOO_LARGE,
	    "the answer needs more than %zu bytes of memory (--max-result-bytes): add matchers",
	    ctx->arena->bytes_max);
	return ERR_TOO_LARGE;
}

enum err_code
ops_prom_series(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct series_reader reader;
	struct promql_labels *series = NULL;
	struct json_writer w;
	size_t count, limit = limit_of(&q);
	ops_begin_series(ctx, &reader);
	enum err_code code = find_series(&q, true, &reader, &series, &count, err);
	series_end(&reader);
	if (code != ERR_OK)
		return code;
	begin_answer(&w, json_out);
	jsonw_array(&w);
	for (size_t i = 0; i < count && i < limit && !json_out->failed; i++)
		ops_write_labels(&w, &series[i]);
	jsonw_array_end(&w);
	end_answer(&w, count > limit);
	return ERR_OK;
}

/* Of many series few texts: not their number is the limit, but the memory for them. */
enum err_code
ops_prom_labels(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct series_reader reader;
	struct promql_labels *series = NULL;
	struct str *names = NULL;
	size_t count, total = 0, n = 0;
	ops_begin_series(ctx, &reader);
	reader.series_max = UINT64_MAX;
	enum err_code code = find_series(&q, true, &reader, &series, &count, err);
	series_end(&reader);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < count; i++)
		total += series[i].count;
	names = arena_array(ctx->arena, total + 1, sizeof(*names));
	if (!names)
		return spent(ctx, err);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < series[i].count; k++)
			names[n++] = series[i].items[k].name;
	put_texts(json_out, names, n, limit_of(&q));
	return ERR_OK;
}

enum err_code
ops_prom_label_values(const struct op_context *ctx, const struct op *op,
    const struct op_value *values, size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct series_reader reader;
	struct promql_labels *series = NULL;
	struct ops_parsed label = {0};
	size_t count, n = 0;
	(void)given(&q, "name", &label);
	bool bounds = str_eq(label.text, STR("le")) || str_eq(label.text, STR("quantile"));
	ops_begin_series(ctx, &reader);
	reader.series_max = UINT64_MAX;
	enum err_code code = find_series(&q, bounds, &reader, &series, &count, err);
	series_end(&reader);
	struct str *texts = arena_array(ctx->arena, count + 1, sizeof(*texts));
	if (code == ERR_OK && !texts)
		code = spent(ctx, err);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < count; i++) {
		struct str value = promql_label_get(&series[i], label.text);
		if (value.len > 0)
			texts[n++] = value;
	}
	put_texts(json_out, texts, n, limit_of(&q));
	return ERR_OK;
}

/* ---- metadata, buildinfo */

static int
compare_families(const void *a, const void *b)
{
	const struct series_family *x = *(const struct series_family *const *)a;
	const struct series_family *y = *(const struct series_family *const *)b;
	int order = str_cmp(x->name, y->name);
	if (order == 0)
		order = strcmp(series_family_type(x), series_family_type(y));
	if (order == 0)
		order = str_cmp(x->help, y->help);
	return order ? order : str_cmp(x->unit, y->unit);
}

static void
put_family(struct json_writer *w, const struct series_family *f)
{
	jsonw_object(w);
	ops_write_text(w, "type", str_from(series_family_type(f)));
	ops_write_text(w, "help", f->help);
	ops_write_text(w, "unit", f->unit);
	jsonw_object_end(w);
}

static void
put_metadata(struct json_writer *w, const struct series_family *const *families, size_t count,
    size_t limit, size_t limit_each)
{
	size_t names = 0;
	jsonw_object(w);
	for (size_t i = 0, end; i < count && names < limit; i = end, names++) {
		size_t shown = 0;
		jsonw_key_str(w, families[i]->name);
		jsonw_array(w);
		for (end = i; end < count && str_eq(families[end]->name, families[i]->name);
		    end++) {
			bool again =
			    end > i && compare_families(&families[end - 1], &families[end]) == 0;
			if (!again && shown++ < limit_each)
				put_family(w, families[end]);
		}
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

/* Prometheus' has no time; this is of what came on the last day. */
enum err_code
ops_prom_metadata(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	struct asking q = {ctx, op, values, value_count};
	struct series_reader reader;
	const struct series_family *families;
	struct ops_parsed metric = {0}, each = {0};
	struct json_writer w;
	size_t count, n = 0;
	uint64_t length = METADATA_SECONDS * NS_PER_S;
	uint64_t from_ns = ctx->now_unix_ns > length ? ctx->now_unix_ns - length : 0;
	(void)given(&q, "metric", &metric);
	bool has_each = given(&q, "limit_per_metric", &each) && each.i64 > 0;
	ops_begin_series(ctx, &reader);
	enum err_code code = series_families(&reader, from_ns, UINT64_MAX, &families, &count, err);
	series_end(&reader);
	if (code != ERR_OK)
		return code;
	const struct series_family **chosen = arena_array(ctx->arena, count + 1, sizeof(*chosen));
	if (!chosen)
		return spent(ctx, err);
	for (size_t i = 0; i < count; i++)
		if (metric.text.len == 0 || str_eq(metric.text, families[i].name))
			chosen[n++] = &families[i];
	if (n > 1)
		qsort(chosen, n, sizeof(*chosen), compare_families);
	begin_answer(&w, json_out);
	put_metadata(&w, chosen, n, limit_of(&q), has_each ? (size_t)each.i64 : SIZE_MAX);
	end_answer(&w, false);
	return ERR_OK;
}

enum err_code
ops_prom_buildinfo(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	static const char *const nothing[] = {"branch", "buildUser", "buildDate", "goVersion"};
	struct json_writer w;
	(void)ctx;
	(void)op;
	(void)values;
	(void)value_count;
	(void)err;
	begin_answer(&w, json_out);
	jsonw_object(&w);
	ops_write_text(&w, "version", STR(PROMETHEUS_VERSION));
	ops_write_text(&w, "revision", STR("weir " WEIR_VERSION));
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
		ops_write_text(&w, nothing[i], STR(""));
	jsonw_object_end(&w);
	end_answer(&w, false);
	return ERR_OK;
}
