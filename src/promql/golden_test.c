/* SPDX-License-Identifier: Apache-2.0 */
/* What a real Prometheus answered (tests/golden/promql, made by tools/promql-golden.mjs), of the same series. */
#include "promql/promql.h"
#include "tests/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES_MAX = 256, SAMPLES_MAX = 400, LABELS_MAX = 8 };

struct made {
	struct promql_label labels[LABELS_MAX];
	size_t label_count;
	int64_t t_ms[SAMPLES_MAX];
	double value[SAMPLES_MAX];
	size_t count;
};

struct world {
	json_t *data, *answers;
	struct made series[SERIES_MAX];
	size_t count;
	struct arena arena;
};

static double
number_of(const json_t *v)
{
	const char *s = json_string_value(v);
	if (!s)
		return json_number_value(v);
	if (strcmp(s, "NaN") == 0)
		return (double)NAN;
	if (strcmp(s + 1, "Inf") == 0)
		return s[0] == '-' ? -(double)INFINITY : (double)INFINITY;
	return strtod(s, NULL);
}

static struct made *
add_series(struct world *w, const json_t *labels, const char *name, const char *le)
{
	struct made *m = &w->series[w->count++];
	const char *key;
	json_t *value;
	assert_true(w->count <= SERIES_MAX);
	json_object_foreach((json_t *)labels, key, value) m->labels[m->label_count++] =
	    (struct promql_label){str_from(key), str_from(json_string_value(value))};
	m->labels[m->label_count++] = (struct promql_label){STR("__name__"), str_from(name)};
	if (le)
		m->labels[m->label_count++] = (struct promql_label){STR("le"), str_from(le)};
	assert_true(m->label_count <= LABELS_MAX);
	return m;
}

static void
add_sample(struct made *m, const json_t *sample, double value)
{
	assert_true(m->count < SAMPLES_MAX);
	m->t_ms[m->count] = json_integer_value(json_array_get(sample, 0));
	m->value[m->count++] = value;
}

static const char *
text(struct world *w, const char *fmt, const char *a, const char *b)
{
	char line[128];
	snprintf(line, sizeof(line), fmt, a, b);
	return arena_str(&w->arena, str_from(line)).ptr;
}

static void
add_histogram(struct world *w, const json_t *series, const char *name, const json_t *bounds)
{
	const json_t *labels = json_object_get(series, "labels");
	const json_t *samples = json_object_get(series, "samples");
	size_t n = json_array_size(bounds);
	for (size_t le = 0; le <= n + 2; le++) {
		char bound[32] = "+Inf";
		if (le < n)
			snprintf(bound, sizeof(bound), "%g",
			    json_number_value(json_array_get(bounds, le)));
		const char *suffix = le <= n ? "_bucket" : le == n + 1 ? "_sum" : "_count";
		struct made *m = add_series(w, labels, text(w, "%s%s", name, suffix),
		    le <= n ? text(w, "%s%s", bound, "") : NULL);
		for (size_t i = 0; i < json_array_size(samples); i++) {
			const json_t *s = json_array_get(samples, i);
			double sum = 0;
			for (size_t k = 0; k <= n && (k <= le || le > n); k++)
				sum += json_number_value(json_array_get(json_array_get(s, 1), k));
			add_sample(m, s, le == n + 1 ? number_of(json_array_get(s, 2)) : sum);
		}
	}
}

static void
add_family(struct world *w, const json_t *family, const json_t *bounds)
{
	const char *type = json_string_value(json_object_get(family, "type"));
	const char *unit = json_string_value(json_object_get(family, "unit"));
	const char *name = text(w, "%s%s", json_string_value(json_object_get(family, "name")),
	    strcmp(unit, "s") == 0             ? "_seconds"
	        : strcmp(unit, "Cel") == 0     ? "_celsius"
	        : strcmp(type, "counter") == 0 ? "_total"
	                                       : "");
	const json_t *all = json_object_get(family, "series");
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *one = json_array_get(all, i);
		const json_t *samples = json_object_get(one, "samples");
		if (strcmp(type, "histogram") == 0) {
			add_histogram(w, one, name, bounds);
			continue;
		}
		struct made *m = add_series(w, json_object_get(one, "labels"), name, NULL);
		for (size_t k = 0; k < json_array_size(samples); k++)
			add_sample(m, json_array_get(samples, k),
			    number_of(json_array_get(json_array_get(samples, k), 1)));
	}
}

static json_t *
load(const char *name)
{
	size_t len;
	json_error_t e;
	const char *bytes = test_golden_read(name, &len);
	json_t *v = json_loadb(bytes, len, 0, &e);
	assert_non_null(v);
	return v;
}

static struct world *
new_world(void)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->data = load("promql/data.json");
	w->answers = load("promql/answers.json");
	const json_t *families = json_object_get(w->data, "families");
	for (size_t i = 0; i < json_array_size(families); i++)
		add_family(w, json_array_get(families, i), json_object_get(w->data, "bounds"));
	return w;
}

/* ---- the source */

static enum err_code
select_made(void *ctx, const struct promql_select *want, promql_take_fn take, void *take_ctx,
    struct err *err)
{
	struct world *w = ctx;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < w->count && code == ERR_OK; i++) {
		struct made *m = &w->series[i];
		struct promql_labels labels = promql_labels_make(m->labels, m->label_count);
		bool matches = true;
		for (size_t k = 0; k < want->matcher_count && matches && code == ERR_OK; k++)
			code = promql_matches(&want->matchers[k],
			    promql_label_get(&labels, want->matchers[k].name), &matches, err);
		size_t first = 0, end = m->count;
		while (first < end && m->t_ms[first] <= want->from_ms)
			first++;
		while (end > first && m->t_ms[end - 1] > want->to_ms)
			end--;
		struct promql_samples s = {
		    .count = end - first, .t_ms = m->t_ms + first, .value = m->value + first};
		if (code == ERR_OK && matches && s.count > 0)
			code = take(take_ctx, &labels, &s, err);
	}
	return code;
}

/* ---- comparing */

static bool
is_near(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b);
	return a == b || fabs(a - b) <= 1e-9 * fmax(fmax(fabs(a), fabs(b)), 1e-3);
}

static void
compare_point(const char *query, const json_t *wanted, int64_t t_ms, double v)
{
	double t = json_number_value(json_array_get(wanted, 0));
	double value = number_of(json_array_get(wanted, 1));
	if (llround(t * 1000) != t_ms || !is_near(value, v))
		fail_msg("%s: %.17g at %lld, not %.17g at %.3f", query, v, (long long)t_ms, value,
		    t);
}

static bool
same_labels(const json_t *metric, const struct promql_labels *l)
{
	const char *key;
	json_t *value;
	if (json_object_size(metric) != l->count)
		return false;
	json_object_foreach((json_t *)metric, key,
	    value) if (!str_eq(promql_label_get(l, str_from(key)),
	                   str_from(json_string_value(value)))) return false;
	return true;
}

static void
compare_series(const char *query, const json_t *wanted, const struct promql_answer *a,
    const struct promql_series *s)
{
	const json_t *points = json_object_get(wanted, "values");
	size_t n = 0;
	for (size_t i = 0; i < s->count; i++) {
		if (promql_is_stale(s->value[i]))
			continue;
		const json_t *point =
		    points ? json_array_get(points, n) : json_object_get(wanted, "value");
		n++;
		if (!point)
			fail_msg("%s: too many points", query);
		compare_point(query, point,
		    s->t_ms ? s->t_ms[i] : a->start_ms + (int64_t)i * a->step_ms, s->value[i]);
	}
	assert_int_equal(n, points ? json_array_size(points) : 1);
}

static void
compare_answer(const char *query, const json_t *wanted, const struct promql_answer *a, bool range)
{
	const json_t *result = json_object_get(wanted, "result");
	if (a->type == PROMQL_STRING) {
		assert_true(str_eq(a->text,
		    str_from(json_string_value(json_array_get(result, 1)))));
		return;
	}
	if (a->type == PROMQL_SCALAR) {
		const json_t *points = json_object_get(json_array_get(result, 0), "values");
		for (size_t i = 0; i < a->steps; i++)
			compare_point(query, range ? json_array_get(points, i) : result,
			    a->start_ms + (int64_t)i * a->step_ms, a->scalar[i]);
		return;
	}
	if (json_array_size(result) != a->series_count)
		fail_msg("%s: %zu series, not %zu", query, a->series_count,
		    json_array_size(result));
	for (size_t i = 0; i < a->series_count; i++) {
		size_t k = 0;
		while (k < json_array_size(result) &&
		    !same_labels(json_object_get(json_array_get(result, k), "metric"),
		        &a->series[i].labels))
			k++;
		if (k == json_array_size(result))
			fail_msg("%s: a series too many", query);
		compare_series(query, json_array_get(result, k), a, &a->series[i]);
	}
}

static void
ask(struct world *w, const json_t *wanted)
{
	const char *query = json_string_value(json_object_get(wanted, "query"));
	const json_t *start = json_object_get(wanted, "start"),
	             *time = json_object_get(wanted, "time");
	struct promql_source source = {select_made, w};
	struct promql_params params = {
	    .series_max = 10000, .samples_max = 10000000, .steps_max = 11000};
	struct promql_query parsed;
	struct promql_answer answer;
	struct arena arena = {0};
	struct err err = {0};
	params.start_ms = params.end_ms = llround(json_number_value(start ? start : time) * 1000);
	if (start) {
		params.end_ms = llround(json_number_value(json_object_get(wanted, "end")) * 1000);
		params.step_ms = llround(json_number_value(json_object_get(wanted, "step")) * 1000);
	}
	enum err_code code = promql_parse(str_from(query), NULL, &arena, &parsed, &err);
	if (code == ERR_OK)
		code = promql_run(&parsed, &params, &source, &arena, &answer, &err);
	const char *error = json_string_value(json_object_get(wanted, "error"));
	enum err_code expected = !error       ? ERR_OK
	    : strcmp(error, "execution") == 0 ? ERR_EXECUTION
	                                      : ERR_INVALID;
	if (code != expected)
		fail_msg("%s: %s: %s", query, err_name(code), err.message);
	if (!error)
		compare_answer(query, wanted, &answer, start != NULL);
	arena_fini(&arena);
}

TEST(promql, answers_are_those_of_prometheus)
{
	struct world *w = new_world();
	const json_t *answers = json_object_get(w->answers, "answers");
	assert_true(json_array_size(answers) > 600);
	for (size_t i = 0; i < json_array_size(answers); i++)
		ask(w, json_array_get(answers, i));
	json_decref(w->data);
	json_decref(w->answers);
	arena_fini(&w->arena);
	free(w);
}

/* ---- what is printed is the same query */

TEST(promql, a_query_that_is_printed_is_the_same_query)
{
	json_t *all = load("promql/answers.json");
	const json_t *answers = json_object_get(all, "answers");
	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *one = json_array_get(answers, i);
		const char *query = json_string_value(json_object_get(one, "query"));
		struct promql_query first, second;
		struct arena arena = {0};
		struct buf text1 = {0}, text2 = {0};
		struct err err = {0};
		if (promql_parse(str_from(query), NULL, &arena, &first, &err) == ERR_OK) {
			promql_print(&text1, &first);
			if (promql_parse(buf_view(&text1), NULL, &arena, &second, &err) != ERR_OK)
				fail_msg("%s: printed as %.*s: %s", query,
				    STR_ARG(buf_view(&text1)), err.message);
			promql_print(&text2, &second);
			assert_true(str_eq(buf_view(&text1), buf_view(&text2)));
			assert_int_equal(first.type, second.type);
		}
		buf_fini(&text1);
		buf_fini(&text2);
		arena_fini(&arena);
	}
	json_decref(all);
}
