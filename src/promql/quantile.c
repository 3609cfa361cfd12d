/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms to numbers. Classic ones are series of cumulative counts that differ in their label `le`: those that agree in
 * all other labels are one histogram; within a bucket observations are taken to be spread evenly. Counts that fall from one bucket to
 * the next (they are of different scrapes) are lifted to the one before.
 */
#include "promql/eval.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const struct str le_label = STR_INIT("le");

struct bound {
	double upper, count;
};

static int
by_upper(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;
	return (x->upper > y->upper) - (x->upper < y->upper);
}

/* Equal but for what rounding does to sums: a part in 10^12. */
static bool
nearly_equal(double a, double b)
{
	const double tolerance = 1e-12;
	if (a == b)
		return true;
	double sum = fabs(a) + fabs(b), difference = fabs(a - b);
	if (a == 0 || b == 0 || sum < DBL_MIN)
		return difference < tolerance * DBL_MIN;
	return difference / fmin(sum, DBL_MAX) < tolerance;
}

/* Sort, add up buckets of the same bound, make counts rise. */
static size_t
settle_bounds(struct bound *b, size_t n)
{
	size_t count = 0;
	qsort(b, n, sizeof(*b), by_upper);
	for (size_t i = 0; i < n; i++) {
		if (count > 0 && b[count - 1].upper == b[i].upper)
			b[count - 1].count += b[i].count;
		else
			b[count++] = b[i];
	}
	double before = b[0].count;
	for (size_t i = 1; i < count; i++) {
		if (nearly_equal(before, b[i].count) || b[i].count < before)
			b[i].count = before;
		else
			before = b[i].count;
	}
	return count;
}

static double
classic_quantile(double q, struct bound *b, size_t n)
{
	if (isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (n == 0)
		return NAN;
	n = settle_bounds(b, n);
	if (!(isinf(b[n - 1].upper) && b[n - 1].upper > 0) || n < 2 || b[n - 1].count == 0)
		return NAN;
	double rank = q * b[n - 1].count;
	size_t i = 0;
	while (i < n - 1 && !(b[i].count >= rank))
		i++;
	if (i == n - 1)
		return b[n - 2].upper;
	if (i == 0 && b[0].upper <= 0)
		return b[0].upper;
	double start = i > 0 ? b[i - 1].upper : 0, count = b[i].count;
	if (i > 0) {
		count -= b[i - 1].count;
		rank -= b[i - 1].count;
	}
	return start + (b[i].upper - start) * (rank / count);
}

/* ---- histogram_quantile() */

struct collecting {
	struct eval *e;
	struct vec in;
	double *upper; /* of each series its le; NaN: it is none */
	size_t *of; /* a series' histogram */
	struct label_set sets;
	struct bound *bounds;
};

static bool
parse_le(struct str text, double *out)
{
	return text.len > 0 && str_to_f64(text, out);
}

static enum err_code
collect(struct collecting *c)
{
	struct eval *e = c->e;
	struct str only_le = le_label;
	const struct names le = {&only_le, 1};
	c->upper = arena_array(e->arena, c->in.count + 1, sizeof(double));
	c->of = arena_array(e->arena, c->in.count + 1, sizeof(size_t));
	c->bounds = arena_array(e->arena, c->in.count + 1, sizeof(*c->bounds));
	c->sets = (struct label_set){.arena = e->arena};
	if (!c->upper || !c->of || !c->bounds)
		return promql_spent(e);
	for (size_t i = 0; i < c->in.count; i++) {
		const struct promql_labels *l = &c->in.items[i].labels;
		struct promql_labels rest;
		bool added;
		if (!parse_le(promql_label_get(l, le_label), &c->upper[i]))
			c->upper[i] = NAN;
		if (!promql_labels_pick(e->arena, l, &le, true, &rest))
			return promql_spent(e);
		c->of[i] = promql_set_add(&c->sets, &rest, &added);
		if (c->of[i] == SIZE_MAX)
			return promql_spent(e);
	}
	return ERR_OK;
}

/* Members of each histogram stand together: series by the number of theirs. */
struct member {
	size_t set, series;
};

static int
by_set(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	if (x->set != y->set)
		return x->set < y->set ? -1 : 1;
	return (x->series > y->series) - (x->series < y->series);
}

/* Of one histogram at one step. Not set: there is nothing, or both kinds at once, of which neither is known to be meant. */
static struct point
quantile_at(struct collecting *c, const struct member *m, size_t count, double q, size_t step)
{
	size_t n = 0, hists = 0;
	struct point p = {0};
	for (size_t i = 0; i < count; i++) {
		const struct promql_series *s = &c->in.items[m[i].series];
		const struct promql_hist *h = promql_hist_at(s, step);
		if (!promql_has(s, step))
			continue;
		if (h) {
			hists++;
			p = (struct point){.set = true, .v = promql_hist_quantile(q, h)};
		} else if (!isnan(c->upper[m[i].series])) {
			c->bounds[n++] = (struct bound){c->upper[m[i].series], s->value[step]};
		}
	}
	if (hists > 0 && n > 0)
		return (struct point){0};
	if (n > 0)
		p = (struct point){.set = true, .v = classic_quantile(q, c->bounds, n)};
	return p;
}

enum err_code
promql_fn_histogram_quantile(struct eval *e, const struct promql_node *call, struct vec *out)
{
	struct collecting c = {.e = e};
	const double *q;
	enum err_code code = promql_eval_scalar(e, call->args[0], &q);
	if (code == ERR_OK)
		code = promql_eval(e, call->args[1], &c.in);
	if (code == ERR_OK)
		code = collect(&c);
	struct member *m =
	    code == ERR_OK ? arena_array(e->arena, c.in.count + 1, sizeof(*m)) : NULL;
	if (code != ERR_OK || !m)
		return code == ERR_OK ? promql_spent(e) : code;
	for (size_t i = 0; i < c.in.count; i++)
		m[i] = (struct member){c.of[i], i};
	if (c.in.count > 1)
		qsort(m, c.in.count, sizeof(*m), by_set);
	for (size_t i = 0, end; i < c.in.count && code == ERR_OK; i = end) {
		struct promql_series s = {.labels = c.sets.items[m[i].set],
		    .count = e->steps,
		    .value = promql_new_values(e)};
		for (end = i; end < c.in.count && m[end].set == m[i].set; end++)
			;
		if (!s.value)
			return promql_spent(e);
		for (size_t k = 0; k < e->steps && code == ERR_OK; k++)
			code = promql_put(e, &s, k, quantile_at(&c, m + i, end - i, q[k], k));
		if (code == ERR_OK)
			code = promql_vec_add(e, out, &s);
		if (code == ERR_OK)
			code = promql_check_stop(e);
	}
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

/* ---- of native histograms only */

static enum err_code
each_hist(struct eval *e, const struct promql_node *call, size_t vector,
    double (*f)(const struct promql_hist *h, double a, double b), const double *a, const double *b,
    struct vec *out)
{
	enum err_code code = promql_eval(e, call->args[vector], out);
	for (size_t i = 0; i < out->count && code == ERR_OK; i++) {
		struct promql_series *s = &out->items[i];
		for (size_t k = 0; k < e->steps; k++) {
			const struct promql_hist *h = promql_hist_at(s, k);
			if (promql_has(s, k))
				s->value[k] = h ? f(h, a ? a[k] : 0, b ? b[k] : 0) : promql_stale();
		}
		s->hist = NULL;
	}
	if (code == ERR_OK)
		code = promql_vec_drop_names(e, out);
	return code == ERR_OK ? promql_vec_settle(e, out, false, call->at) : code;
}

static double
count_of(const struct promql_hist *h, double a, double b)
{
	(void)a;
	(void)b;
	return h->count;
}

static double
sum_of(const struct promql_hist *h, double a, double b)
{
	(void)a;
	(void)b;
	return h->sum;
}

static double
average_of(const struct promql_hist *h, double a, double b)
{
	(void)a;
	(void)b;
	return h->sum / h->count;
}

static double
fraction_of(const struct promql_hist *h, double a, double b)
{
	return promql_hist_fraction(a, b, h);
}

enum err_code
promql_fn_histogram_count(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return each_hist(e, call, 0, count_of, NULL, NULL, out);
}

enum err_code
promql_fn_histogram_sum(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return each_hist(e, call, 0, sum_of, NULL, NULL, out);
}

enum err_code
promql_fn_histogram_avg(struct eval *e, const struct promql_node *call, struct vec *out)
{
	return each_hist(e, call, 0, average_of, NULL, NULL, out);
}

enum err_code
promql_fn_histogram_fraction(struct eval *e, const struct promql_node *call, struct vec *out)
{
	const double *a, *b;
	enum err_code code = promql_eval_scalar(e, call->args[0], &a);
	if (code == ERR_OK)
		code = promql_eval_scalar(e, call->args[1], &b);
	return code == ERR_OK ? each_hist(e, call, 2, fraction_of, a, b, out) : code;
}
