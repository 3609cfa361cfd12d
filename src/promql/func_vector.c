/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of vectors that are more than a number of a number. */
#include "promql/eval.h"

#include <math.h>
#include <stdlib.h>

/* ---- numbers, and scalars beside them */

struct clamping {
	const double *a, *b; /* arguments a step; NULL: there is none */
};

typedef double (*clamp_fn)(const struct clamping *c, size_t step, double v, bool *keep);

/* Apply to each number; histograms go, and so does the name. */
static enum err_code
each_number(struct eval *e, const struct promql_node *call, const struct clamping *c, clamp_fn f,
    struct vec *out)
{
	struct vec in;
	enum err_code code = promql_eval(e, call->args[0], &in);
	for (size_t i = 0; i < in.count && code == ERR_OK; i++) {
		struct promql_series *s = &in.items[i];
		for (size_t k = 0; k < e->steps; k++) {
			bool keep = true;
			if (!promql_has(s, k))
				continue;
			double v =
			    promql_hist_at(s, k) ? promql_stale() : f(c, k, s->value[k], &keep);
			s->value[k] = keep ? v : promql_stale();
		}
		s->hist = NULL;
		code = promql_vec_add(e, out, s);
	}
	if (code == ERR_OK)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

static double
clamp_low(const struct clamping *c, size_t step, double v, bool *keep)
{
	(void)keep;
	return isnan(c->a[step]) || isnan(v) ? NAN : fmax(v, c->a[step]);
}

static double
clamp_high(const struct clamping *c, size_t step, double v, bool *keep)
{
	(void)keep;
	return isnan(c->b[step]) || isnan(v) ? NAN : fmin(v, c->b[step]);
}

/* Nothing is between bounds that are the wrong way round. */
static double
clamp_both(const struct clamping *c, size_t step, double v, bool *keep)
{
	*keep = !(c->a[step] > c->b[step]);
	return clamp_high(c, step, clamp_low(c, step, v, keep), keep);
}

static double
round_to(const struct clamping *c, size_t step, double v, bool *keep)
{
	(void)keep;
	double inverse = 1 / (c->a ? c->a[step] : 1);
	return floor(v * inverse + 0.5) / inverse;
}

static enum err_code
clamp(struct eval *e, const struct promql_node *call, int a, int b, clamp_fn f, struct vec *out)
{
	struct clamping c = {0};
	enum err_code code = ERR_OK;
	if (a > 0 && (size_t)a < call->arg_count)
		code = promql_eval_scalar(e, call->args[a], &c.a);
	if (code == ERR_OK && b > 0)
		code = promql_eval_scalar(e, call->args[b], &c.b);
	return code == ERR_OK ? each_number(e, call, &c, f, out) : code;
}

enum err_code
promql_fn_clamp(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return clamp(e, call, 1, 2, clamp_both, out);
}

enum err_code
promql_fn_clamp_min(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return clamp(e, call, 1, 0, clamp_low, out);
}

enum err_code
promql_fn_clamp_max(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return clamp(e, call, 0, 1, clamp_high, out);
}

enum err_code
promql_fn_round(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return clamp(e, call, 1, 0, round_to, out);
}

/* ---- scalars */

static enum err_code
new_scalar(struct eval *e, struct vec *out, double **values_out)
{
	struct promql_series s = {.count = e->steps, .value = promql_new_values(e)};
	*values_out = s.value;
	return s.value ? promql_vec_add(e, out, &s) : promql_spent(e);
}

enum err_code
promql_fn_pi(struct eval *e, const struct promql_node *call, struct vec *out)
{
	double *values;
	enum err_code code = new_scalar(e, out, &values);
	(void)call;
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++)
		values[k] = M_PI;
	return code;
}

enum err_code
promql_fn_time(struct eval *e, const struct promql_node *call, struct vec *out)
{
	double *values;
	enum err_code code = new_scalar(e, out, &values);
	(void)call;
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++)
		values[k] = (double)promql_step_time(e, k) / 1000;
	return code;
}

enum err_code
promql_fn_vector(struct eval *e, const struct promql_node *call, struct vec *out)
{
	enum err_code code = promql_eval(e, call->args[0], out);
	out->type = PROMQL_VECTOR;
	return code;
}

/* The value of the only series; NaN when there is none, or several. */
enum err_code
promql_fn_scalar(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct vec in;
	double *values;
	enum err_code code = promql_eval(e, call->args[0], &in);
	if (code == ERR_OK)
		code = new_scalar(e, out, &values);
	for (size_t k = 0; k < e->steps && code == ERR_OK; k++) {
		size_t n = 0;
		values[k] = NAN;
		for (size_t i = 0; i < in.count; i++)
			if (promql_has(&in.items[i], k) && !promql_hist_at(&in.items[i], k)) {
				values[k] = in.items[i].value[k];
				n++;
			}
		if (n != 1)
			values[k] = NAN;
	}
	return code;
}

/* ---- time */

enum err_code
promql_fn_timestamp(struct eval *e, const struct promql_node *call, struct vec *out)
{
	const struct promql_node *arg = call->args[0];
	enum err_code code = arg->kind == NODE_SELECTOR ? promql_eval_selector(e, arg, true, out)
	                                                : promql_eval(e, arg, out);
	for (size_t i = 0; i < out->count && code == ERR_OK && arg->kind != NODE_SELECTOR; i++) {
		struct promql_series *s = &out->items[i];
		s->hist = NULL;
		for (size_t k = 0; k < e->steps; k++)
			if (promql_has(s, k))
				s->value[k] = (double)promql_step_time(e, k) / 1000;
	}
	if (code == ERR_OK)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

struct date {
	int64_t year, month, day, weekday, yearday, days_in_month, hour, minute;
};

static bool
is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Proleptic Gregorian, from days since 1970-01-01. Source: howardhinnant.github.io/date_algorithms.html */
static struct date
date_of(double unix_s)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t s = (int64_t)unix_s, days = s / 86400, rest = s % 86400;
	if (rest < 0) {
		days--;
		rest += 86400;
	}
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	struct date d = {.day = doy - (153 * mp + 2) / 5 + 1,
	    .month = mp < 10 ? mp + 3 : mp - 9,
	    .hour = rest / 3600,
	    .minute = rest % 3600 / 60,
	    .weekday = ((days % 7) + 11) % 7};
	d.year = yoe + era * 400 + (d.month <= 2);
	d.days_in_month = lengths[d.month - 1] + (d.month == 2 && is_leap(d.year));
	d.yearday = d.day;
	for (int64_t m = 1; m < d.month; m++)
		d.yearday += lengths[m - 1] + (m == 2 && is_leap(d.year));
	return d;
}

static double
part_of(const char *name, double unix_s)
{
	if (!(fabs(unix_s) < 1e15))
		return NAN;
	struct date d = date_of(unix_s);
	const struct {
		const char *name;
		int64_t v;
	} parts[] = {{"day_of_month", d.day}, {"day_of_week", d.weekday},
	    {"day_of_year", d.yearday}, {"days_in_month", d.days_in_month}, {"hour", d.hour},
	    {"minute", d.minute}, {"month", d.month}, {"year", d.year}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strcmp(parts[i].name, name) == 0)
			return (double)parts[i].v;
	return NAN;
}

/* hour() and its like: of the time itself when there is no argument. */
enum err_code
promql_fn_date(struct eval *e, const struct promql_node *call, struct vec *out)
{
	enum err_code code =
	    call->arg_count > 0 ? promql_eval(e, call->args[0], out) : promql_fn_time(e, call, out);
	out->type = PROMQL_VECTOR;
	for (size_t i = 0; i < out->count && code == ERR_OK; i++) {
		struct promql_series *s = &out->items[i];
		for (size_t k = 0; k < e->steps; k++)
			if (promql_has(s, k))
				s->value[k] = promql_hist_at(s, k)
				    ? promql_stale()
				    : part_of(call->fn->name, s->value[k]);
		s->hist = NULL;
	}
	if (code == ERR_OK)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

/* ---- order */

static int
compare_first(const void *a, const void *b)
{
	const struct promql_series *x = a, *y = b;
	double v = x->value[0], w = y->value[0];
	if (isnan(v) || isnan(w)) /* at the end, in both orders */
		return isnan(v) - isnan(w);
	if (v != w)
		return v < w ? -1 : 1;
	return promql_labels_compare(&x->labels, &y->labels);
}

static int
compare_first_down(const void *a, const void *b)
{
	const struct promql_series *x = a, *y = b;
	if (isnan(x->value[0]) || isnan(y->value[0]) || x->value[0] == y->value[0])
		return compare_first(a, b);
	return compare_first(b, a);
}

/* Only of an instant; over a range of time an answer is in the order of labels. */
enum err_code
promql_fn_sort(struct eval *e, const struct promql_node *call, struct vec *out)
{
	enum err_code code = promql_eval(e, call->args[0], out);
	size_t n = 0;
	for (size_t i = 0; i < out->count && code == ERR_OK && e->steps == 1; i++)
		if (!promql_hist_at(&out->items[i], 0))
			out->items[n++] = out->items[i];
	if (code == ERR_OK && e->steps == 1)
		out->count = n;
	if (code == ERR_OK && e->steps == 1 && n > 1)
		qsort(out->items, n, sizeof(*out->items),
		    strcmp(call->fn->name, "sort") == 0 ? compare_first : compare_first_down);
	return code;
}

/* ---- absence */

/* Labels that the selector says the absent series would have had. */
static enum err_code
absent_labels(struct eval *e, const struct promql_node *n, struct promql_labels *out)
{
	*out = promql_labels_make(NULL, 0);
	for (size_t i = 0; n->kind == NODE_SELECTOR && i < n->matcher_count; i++) {
		const struct promql_matcher *m = &n->matchers[i];
		size_t same = 0;
		for (size_t k = 0; k < n->matcher_count; k++)
			same += str_eq(n->matchers[k].name, m->name);
		if (str_eq(m->name, STR("__name__")) || m->op != PROMQL_EQ || same > 1)
			continue;
		if (!promql_labels_set(e->arena, out, m->name, m->value, out))
			return promql_spent(e);
	}
	return ERR_OK;
}

static enum err_code
put_absent(struct eval *e, const struct promql_node *of, const unsigned char *there,
    struct vec *out)
{
	struct promql_series s = {.count = e->steps, .value = promql_new_values(e)};
	if (!s.value)
		return promql_spent(e);
	enum err_code code = absent_labels(e, of, &s.labels);
	for (size_t k = 0; k < e->steps; k++)
		if (!there[k])
			s.value[k] = 1;
	if (code == ERR_OK)
		code = promql_vec_add(e, out, &s);
	return code == ERR_OK ? promql_vec_settle(e, out, false, of->at) : code;
}

enum err_code
promql_fn_absent(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct vec in;
	enum err_code code = promql_eval(e, call->args[0], &in);
	unsigned char *there = code == ERR_OK ? arena_alloc(e->arena, e->steps) : NULL;
	if (code != ERR_OK || !there)
		return code == ERR_OK ? promql_spent(e) : code;
	for (size_t i = 0; i < in.count; i++)
		for (size_t k = 0; k < e->steps; k++)
			there[k] |= promql_has(&in.items[i], k);
	return put_absent(e, call->args[0], there, out);
}

struct absence {
	struct eval *e;
	const struct promql_node *matrix;
	unsigned char *there;
};

static enum err_code
take_present(void *ctx, const struct promql_labels *labels, const struct promql_samples *s,
    struct err *err)
{
	struct absence *a = ctx;
	(void)labels;
	(void)err;
	size_t i = 0;
	for (size_t k = 0; k < a->e->steps; k++) {
		int64_t to = promql_node_time(a->e, a->matrix, k), from = to - a->matrix->range_ms;
		while (i < s->count && (s->t_ms[i] <= from || promql_is_stale(s->value[i])))
			i++;
		if (i < s->count && s->t_ms[i] <= to)
			a->there[k] = 1;
	}
	return ERR_OK;
}

enum err_code
promql_fn_absent_over_time(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct absence a = {e, call->args[0], arena_alloc(e->arena, e->steps)};
	if (!a.there)
		return promql_spent(e);
	enum err_code code = promql_each_of_range(e, a.matrix, take_present, &a);
	return code == ERR_OK ? put_absent(e, a.matrix, a.there, out) : code;
}
