/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the samples in a window. Those that extrapolate do it as Prometheus' extrapolatedRate(): the samples stand for
 * what is between the first and the last of them; what is between the window's ends and them is added in proportion, up to
 * the end when that is near (1.1 of the average distance of samples), else half that distance, and never further back
 * than where a counter would have been 0.
 */
#include "promql/eval.h"

#include <math.h>
#include <stdlib.h>

static const struct point nothing;

static struct point
number(double v)
{
	return (struct point){.set = true, .v = v};
}

static struct point
histogram(const struct promql_hist *h)
{
	return (struct point){.set = h != NULL, .h = h, .spent = h == NULL};
}

static size_t
count_of(const struct window *w)
{
	return w->end - w->first;
}

static const struct promql_hist *
hist_at(const struct window *w, size_t i)
{
	return w->s->hist ? w->s->hist[i] : NULL;
}

static size_t
hist_count(const struct window *w)
{
	size_t n = 0;
	for (size_t i = w->first; w->s->hist && i < w->end; i++)
		n += w->s->hist[i] != NULL;
	return n;
}

/* The counter of sample i began after the sample before. */
static bool
began_anew(const struct window *w, size_t i)
{
	const struct promql_samples *s = w->s;
	return s->start_ms && s->start_ms[i] > s->t_ms[i - 1] && s->start_ms[i] < s->t_ms[i];
}

/* ---- rate, increase, delta */

static double
number_increase(const struct window *w, bool counter)
{
	const double *v = w->s->value;
	double sum = v[w->end - 1] - v[w->first];
	for (size_t i = w->first + 1; counter && i < w->end; i++)
		if (v[i] < v[i - 1] || began_anew(w, i))
			sum += v[i - 1];
	return sum;
}

static bool
hist_reset(const struct window *w, size_t i)
{
	return began_anew(w, i) ||
	    promql_hist_was_reset(w->arena, hist_at(w, i - 1), hist_at(w, i));
}

/* The scale that all of them have, from `first` on; of a gauge only the ends count. */
static int32_t
lowest_scale(const struct window *w, size_t first, bool counter)
{
	int32_t scale = hist_at(w, w->end - 1)->scale;
	for (size_t i = first; i < w->end; i++)
		if ((counter || i == first) && hist_at(w, i)->scale < scale)
			scale = hist_at(w, i)->scale;
	return scale;
}

/* NULL: the arena is spent. A first sample before a reset adds nothing, so its buckets do not count. */
static const struct promql_hist *
hist_increase(const struct window *w, bool counter)
{
	size_t first = w->first;
	bool alone = counter && hist_reset(w, first + 1);
	first += alone;
	const struct promql_hist *sum =
	    promql_hist_to_scale(w->arena, hist_at(w, w->end - 1), lowest_scale(w, first, counter));
	if (sum && !alone)
		sum = promql_hist_add(w->arena, sum, hist_at(w, first), -1);
	for (size_t i = first + 1; counter && sum && i < w->end; i++)
		if (hist_reset(w, i))
			sum = promql_hist_add(w->arena, sum, hist_at(w, i - 1), 1);
	return sum;
}

/* By what an increase between the first and the last sample is multiplied. `first`: the first sample's value or count. */
static double
extrapolation(const struct window *w, bool counter, double first, double increase)
{
	const int64_t *t = w->s->t_ms;
	double to_start = (double)(t[w->first] - w->from_ms) / 1000;
	double to_end = (double)(w->to_ms - t[w->end - 1]) / 1000;
	double sampled = (double)(t[w->end - 1] - t[w->first]) / 1000;
	double distance = sampled / (double)(count_of(w) - 1);
	double threshold = distance * 1.1;
	if (to_start >= threshold)
		to_start = distance / 2;
	if (counter && increase > 0 && first >= 0) {
		double to_zero = sampled * (first / increase);
		to_start = to_zero < to_start ? to_zero : to_start;
	}
	if (to_end >= threshold)
		to_end = distance / 2;
	return (sampled + to_start + to_end) / sampled;
}

static struct point
extrapolated(const struct window *w, bool counter, bool rate)
{
	size_t hists = hist_count(w);
	if (count_of(w) < 2 || (hists > 0 && hists < count_of(w)))
		return nothing;
	double seconds = rate ? (double)w->range_ms / 1000 : 1;
	if (hists == 0) {
		double increase = number_increase(w, counter);
		double factor = extrapolation(w, counter, w->s->value[w->first], increase);
		return number(increase * (factor / seconds));
	}
	const struct promql_hist *h = hist_increase(w, counter);
	if (!h)
		return histogram(NULL);
	double factor = extrapolation(w, counter, hist_at(w, w->first)->count, h->count);
	return histogram(promql_hist_scale(w->arena, h, factor / seconds));
}

struct point
promql_rate(const struct window *w)
{
	return extrapolated(w, true, true);
}

struct point
promql_increase(const struct window *w)
{
	return extrapolated(w, true, false);
}

struct point
promql_delta(const struct window *w)
{
	return extrapolated(w, false, false);
}

/* ---- the last two samples */

static struct point
last_two(const struct window *w, bool rate)
{
	if (count_of(w) < 2)
		return nothing;
	size_t i = w->end - 1;
	double seconds = (double)(w->s->t_ms[i] - w->s->t_ms[i - 1]) / 1000;
	const struct promql_hist *h = hist_at(w, i), *prev = hist_at(w, i - 1);
	if (!h != !prev)
		return nothing;
	bool reset = rate && began_anew(w, i);
	if (!h) {
		double v = w->s->value[i], before = w->s->value[i - 1];
		reset = reset || (rate && v < before);
		double difference = reset ? v : v - before;
		return number(rate ? difference / seconds : difference);
	}
	reset = rate && hist_reset(w, i);
	const struct promql_hist *d = reset ? h : promql_hist_add(w->arena, h, prev, -1);
	return histogram(d ? promql_hist_scale(w->arena, d, rate ? 1 / seconds : 1) : NULL);
}

struct point
promql_irate(const struct window *w)
{
	return last_two(w, true);
}

struct point
promql_idelta(const struct window *w)
{
	return last_two(w, false);
}

/* ---- a line through the samples */

static bool
regression(const struct window *w, int64_t zero_ms, double *slope_out, double *at_zero_out)
{
	struct kahan x = {0}, y = {0}, xy = {0}, xx = {0};
	double n = 0, first = NAN;
	bool constant = true;
	for (size_t i = w->first; i < w->end; i++) {
		if (hist_at(w, i))
			continue;
		double v = w->s->value[i], t = (double)(w->s->t_ms[i] - zero_ms) / 1000;
		first = n == 0 ? v : first;
		constant = constant && v == first;
		n++;
		promql_kahan_add(&x, t);
		promql_kahan_add(&y, v);
		promql_kahan_add(&xy, t * v);
		promql_kahan_add(&xx, t * t);
	}
	if (n < 2)
		return false;
	if (constant) {
		*slope_out = isinf(first) ? NAN : 0;
		*at_zero_out = isinf(first) ? NAN : first;
		return true;
	}
	double sx = promql_kahan(&x), sy = promql_kahan(&y);
	double covariance = promql_kahan(&xy) - sx * sy / n;
	double variance = promql_kahan(&xx) - sx * sx / n;
	*slope_out = covariance / variance;
	*at_zero_out = sy / n - *slope_out * sx / n;
	return true;
}

struct point
promql_deriv(const struct window *w)
{
	double slope, at_zero;
	/* Around the first sample: with unix time products would lose their small parts. */
	if (!regression(w, w->s->t_ms[w->first], &slope, &at_zero))
		return nothing;
	return number(slope);
}

struct point
promql_predict_linear(const struct window *w)
{
	double slope, at_zero;
	if (!regression(w, w->now_ms, &slope, &at_zero))
		return nothing;
	return number(slope * w->arg[0] + at_zero);
}

/* ---- what happened between them */

struct point
promql_resets(const struct window *w)
{
	double n = 0;
	for (size_t i = w->first + 1; i < w->end; i++) {
		const struct promql_hist *h = hist_at(w, i), *prev = hist_at(w, i - 1);
		if (!h != !prev || began_anew(w, i))
			n++;
		else if (h)
			n += promql_hist_was_reset(w->arena, prev, h);
		else
			n += w->s->value[i] < w->s->value[i - 1];
	}
	return number(n);
}

struct point
promql_changes(const struct window *w)
{
	double n = 0;
	for (size_t i = w->first + 1; i < w->end; i++) {
		const struct promql_hist *h = hist_at(w, i), *prev = hist_at(w, i - 1);
		double v = w->s->value[i], before = w->s->value[i - 1];
		if (!h != !prev)
			n++;
		else if (h)
			n += !promql_hist_equal(prev, h);
		else
			n += v != before && !(isnan(v) && isnan(before));
	}
	return number(n);
}

/* ---- over time */

static struct point
hist_total(const struct window *w, double factor)
{
	const struct promql_hist *sum = promql_hist_copy(w->arena, hist_at(w, w->first));
	for (size_t i = w->first + 1; i < w->end && sum; i++)
		sum = promql_hist_add(w->arena, sum, hist_at(w, i), 1);
	return histogram(sum ? promql_hist_scale(w->arena, sum, factor) : NULL);
}

static double
sum_of(const struct window *w)
{
	struct kahan k = {0};
	for (size_t i = w->first; i < w->end; i++)
		promql_kahan_add(&k, w->s->value[i]);
	return promql_kahan(&k);
}

/* Where the sum is too large, of numbers that are not. */
static double
mean_of(const struct window *w)
{
	double n = (double)count_of(w), sum = sum_of(w), mean = 0;
	if (!isinf(sum))
		return sum / n;
	for (size_t i = w->first; i < w->end; i++) {
		if (isinf(w->s->value[i]))
			return sum;
		mean += w->s->value[i] / n;
	}
	return mean;
}

struct point
promql_avg_over_time(const struct window *w)
{
	size_t hists = hist_count(w);
	if (hists > 0 && hists < count_of(w))
		return nothing;
	return hists > 0 ? hist_total(w, 1 / (double)count_of(w)) : number(mean_of(w));
}

struct point
promql_sum_over_time(const struct window *w)
{
	size_t hists = hist_count(w);
	if (hists > 0 && hists < count_of(w))
		return nothing;
	return hists > 0 ? hist_total(w, 1) : number(sum_of(w));
}

static struct point
extreme(const struct window *w, double sign)
{
	struct point p = nothing;
	for (size_t i = w->first; i < w->end; i++) {
		double v = w->s->value[i];
		if (hist_at(w, i))
			continue;
		if (!p.set || isnan(p.v) || sign * v > sign * p.v)
			p = number(v);
	}
	return p;
}

struct point
promql_min_over_time(const struct window *w)
{
	return extreme(w, -1);
}

struct point
promql_max_over_time(const struct window *w)
{
	return extreme(w, 1);
}

struct point
promql_count_over_time(const struct window *w)
{
	return number((double)count_of(w));
}

struct point
promql_last_over_time(const struct window *w)
{
	const struct promql_hist *h = hist_at(w, w->end - 1);
	if (h)
		return histogram(promql_hist_copy(w->arena, h));
	return number(w->s->value[w->end - 1]);
}

struct point
promql_present_over_time(const struct window *w)
{
	(void)w;
	return number(1);
}

static int
compare_numbers(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	if (isnan(x) || isnan(y))
		return isnan(y) - isnan(x);
	return (x > y) - (x < y);
}

double
promql_quantile(double q, double *values, size_t count)
{
	if (count == 0 || isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	qsort(values, count, sizeof(*values), compare_numbers);
	double rank = q * (double)(count - 1);
	size_t low = (size_t)floor(rank), high = low + 1 < count ? low + 1 : count - 1;
	double weight = rank - floor(rank);
	if (weight == 0) /* an infinite neighbour does not count */
		return values[low];
	return values[low] * (1 - weight) + values[high] * weight;
}

struct point
promql_quantile_over_time(const struct window *w)
{
	struct arena_mark mark = arena_mark(w->arena);
	double *values = arena_array(w->arena, count_of(w), sizeof(*values));
	size_t n = 0;
	if (!values)
		return (struct point){.spent = true};
	for (size_t i = w->first; i < w->end; i++)
		if (!hist_at(w, i))
			values[n++] = w->s->value[i];
	struct point p = n > 0 ? number(promql_quantile(w->arg[0], values, n)) : nothing;
	arena_rewind(w->arena, mark);
	return p;
}

/* Welford. */
struct point
promql_stdvar_over_time(const struct window *w)
{
	double n = 0, mean = 0, squares = 0;
	for (size_t i = w->first; i < w->end; i++) {
		if (hist_at(w, i))
			continue;
		double v = w->s->value[i], delta = v - mean;
		n++;
		mean += delta / n;
		squares += delta * (v - mean);
	}
	return n > 0 ? number(squares / n) : nothing;
}

struct point
promql_stddev_over_time(const struct window *w)
{
	struct point p = promql_stdvar_over_time(w);
	p.v = sqrt(p.v);
	return p;
}
