/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential histograms as values: added, subtracted, scaled, brought to one scale.
 *
 * Two histograms are first given the same zero bucket, the wider of the two (one that ends inside a bucket with something in
 * it is widened to that bucket's end), then the lower of their scales: buckets 2i and 2i + 1 of a scale are bucket i of the
 * scale below. Counts are kept as a dense array from the first bucket to the last; so that two far ends from hostile
 * input do not make an array of all that is between, the scale is lowered until it fits.
 */
#include "promql/eval.h"

#include <float.h>
#include <math.h>

enum { BUCKETS_MAX = 131072, SHIFT_MAX = 62 };

/* ---- bounds */

/* base^index, between the smallest and the largest double. */
static double
bound_of(int32_t scale, int64_t index)
{
	double v;
	if (scale > 0 && scale <= 30) {
		int64_t whole = index >> scale, part = index - whole * (INT64_C(1) << scale);
		int exponent = whole > 2000 ? 2000 : whole < -2000 ? -2000 : (int)whole;
		v = ldexp(exp2((double)part / (double)(INT64_C(1) << scale)), exponent);
	} else {
		v = exp2((double)index * exp2(-(double)scale));
	}
	return v > DBL_MAX ? DBL_MAX : v < DBL_TRUE_MIN ? DBL_TRUE_MIN : v;
}

double
promql_bucket_lower(int32_t scale, int64_t index)
{
	return bound_of(scale, index);
}

double
promql_bucket_upper(int32_t scale, int64_t index)
{
	return bound_of(scale, index + 1);
}

/* ---- copies at other scales */

static bool
copy_buckets(struct arena *arena, const struct promql_buckets *b, int shift,
    struct promql_buckets *out)
{
	*out = (struct promql_buckets){0};
	if (b->count == 0)
		return true;
	int64_t first = (int64_t)b->offset >> shift;
	int64_t last = ((int64_t)b->offset + (int64_t)b->count - 1) >> shift;
	out->offset = (int32_t)first;
	out->count = (size_t)(last - first) + 1;
	out->items = arena_array(arena, out->count, sizeof(double));
	if (!out->items)
		return false;
	for (size_t i = 0; i < b->count; i++)
		out->items[(((int64_t)b->offset + (int64_t)i) >> shift) - first] += b->items[i];
	return true;
}

struct promql_hist *
promql_hist_to_scale(struct arena *arena, const struct promql_hist *h, int32_t scale)
{
	struct promql_hist *out = arena_alloc(arena, sizeof(*out));
	int64_t shift = (int64_t)h->scale - scale;
	if (!out)
		return NULL;
	CHECK(shift >= 0);
	shift = shift > SHIFT_MAX ? SHIFT_MAX : shift;
	*out = *h;
	out->scale = scale;
	if (!copy_buckets(arena, &h->pos, (int)shift, &out->pos) ||
	    !copy_buckets(arena, &h->neg, (int)shift, &out->neg))
		return NULL;
	return out;
}

struct promql_hist *
promql_hist_copy(struct arena *arena, const struct promql_hist *h)
{
	return promql_hist_to_scale(arena, h, h->scale);
}

/* ---- the zero bucket */

/* Where a zero bucket that wide really ends. */
static double
widened(const struct promql_hist *h, double threshold)
{
	const struct promql_buckets *sides[] = {&h->pos, &h->neg};
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t side = 0; side < 2; side++)
			for (size_t i = 0; i < sides[side]->count; i++) {
				int64_t index = (int64_t)sides[side]->offset + (int64_t)i;
				if (promql_bucket_lower(h->scale, index) >= threshold)
					break;
				double upper = promql_bucket_upper(h->scale, index);
				if (sides[side]->items[i] == 0 || upper <= threshold)
					continue;
				threshold = upper;
				changed = true;
			}
	}
	return threshold;
}

/* Buckets that end at or below the threshold become part of the zero bucket. */
static void
absorb(struct promql_hist *h, double threshold)
{
	struct promql_buckets *sides[] = {&h->pos, &h->neg};
	for (size_t side = 0; side < 2; side++) {
		struct promql_buckets *b = sides[side];
		size_t n = 0;
		while (n < b->count &&
		    promql_bucket_upper(h->scale, (int64_t)b->offset + (int64_t)n) <= threshold)
			h->zero_count += b->items[n++];
		b->items += n;
		b->offset = b->count > n ? b->offset + (int32_t)n : 0;
		b->count -= n;
	}
	h->zero_threshold = threshold;
}

/* Both are copies of their own. */
static void
same_zero(struct promql_hist *a, struct promql_hist *b)
{
	double threshold =
	    a->zero_threshold > b->zero_threshold ? a->zero_threshold : b->zero_threshold;
	if (a->zero_threshold == b->zero_threshold)
		return;
	for (double before = -1; before != threshold;) {
		before = threshold;
		if (a->zero_threshold < threshold)
			threshold = widened(a, threshold);
		if (b->zero_threshold < threshold)
			threshold = widened(b, threshold);
	}
	absorb(a, threshold);
	absorb(b, threshold);
}

/* ---- sums */

static bool
fits(const struct promql_buckets *a, int a_shift, const struct promql_buckets *b, int b_shift)
{
	if (a->count == 0 || b->count == 0)
		return true;
	int64_t a_first = (int64_t)a->offset >> a_shift, b_first = (int64_t)b->offset >> b_shift;
	int64_t a_last = ((int64_t)a->offset + (int64_t)a->count - 1) >> a_shift;
	int64_t b_last = ((int64_t)b->offset + (int64_t)b->count - 1) >> b_shift;
	int64_t first = a_first < b_first ? a_first : b_first;
	int64_t last = a_last > b_last ? a_last : b_last;
	return last - first < BUCKETS_MAX;
}

/* The highest scale that both have and at which their buckets fit one array. */
static int32_t
common_scale(const struct promql_hist *a, const struct promql_hist *b)
{
	int32_t scale = a->scale < b->scale ? a->scale : b->scale;
	for (;; scale--) {
		int64_t a_shift = (int64_t)a->scale - scale, b_shift = (int64_t)b->scale - scale;
		int as = a_shift > SHIFT_MAX ? SHIFT_MAX : (int)a_shift;
		int bs = b_shift > SHIFT_MAX ? SHIFT_MAX : (int)b_shift;
		if (scale == INT32_MIN ||
		    (fits(&a->pos, as, &b->pos, bs) && fits(&a->neg, as, &b->neg, bs)))
			return scale;
	}
}

static bool
add_buckets(struct arena *arena, struct promql_buckets *a, const struct promql_buckets *b,
    double sign)
{
	if (b->count == 0)
		return true;
	int64_t first = a->count > 0 && a->offset < b->offset ? a->offset : b->offset;
	int64_t a_end = (int64_t)a->offset + (int64_t)a->count;
	int64_t b_end = (int64_t)b->offset + (int64_t)b->count;
	int64_t end = a->count > 0 && a_end > b_end ? a_end : b_end;
	double *items = arena_array(arena, (size_t)(end - first), sizeof(*items));
	if (!items)
		return false;
	for (size_t i = 0; i < a->count; i++)
		items[(int64_t)a->offset - first + (int64_t)i] = a->items[i];
	for (size_t i = 0; i < b->count; i++)
		items[(int64_t)b->offset - first + (int64_t)i] += sign * b->items[i];
	*a = (struct promql_buckets){(int32_t)first, (size_t)(end - first), items};
	return true;
}

struct promql_hist *
promql_hist_add(struct arena *arena, const struct promql_hist *a, const struct promql_hist *b,
    double sign)
{
	int32_t scale = common_scale(a, b);
	struct promql_hist *x = promql_hist_to_scale(arena, a, scale);
	struct promql_hist *y = promql_hist_to_scale(arena, b, scale);
	if (!x || !y)
		return NULL;
	same_zero(x, y);
	x->zero_count += sign * y->zero_count;
	x->count += sign * y->count;
	x->sum += sign * y->sum;
	if (!add_buckets(arena, &x->pos, &y->pos, sign) ||
	    !add_buckets(arena, &x->neg, &y->neg, sign))
		return NULL;
	return x;
}

struct promql_hist *
promql_hist_scale(struct arena *arena, const struct promql_hist *h, double factor)
{
	struct promql_hist *x = promql_hist_copy(arena, h);
	if (!x)
		return NULL;
	x->zero_count *= factor;
	x->count *= factor;
	x->sum *= factor;
	for (size_t i = 0; i < x->pos.count; i++)
		x->pos.items[i] *= factor;
	for (size_t i = 0; i < x->neg.count; i++)
		x->neg.items[i] *= factor;
	return x;
}

/* ---- comparisons */

static double
bucket_at(const struct promql_buckets *b, int64_t index)
{
	int64_t i = index - b->offset;
	return b->count > 0 && i >= 0 && i < (int64_t)b->count ? b->items[i] : 0;
}

static bool
any_less(const struct promql_buckets *now, const struct promql_buckets *before)
{
	for (size_t i = 0; i < before->count; i++)
		if (bucket_at(now, (int64_t)before->offset + (int64_t)i) < before->items[i])
			return true;
	return false;
}

bool
promql_hist_was_reset(struct arena *arena, const struct promql_hist *prev,
    const struct promql_hist *h)
{
	if (h->count < prev->count || h->scale > prev->scale ||
	    h->zero_threshold < prev->zero_threshold)
		return true;
	struct promql_hist *before = promql_hist_to_scale(arena, prev, h->scale);
	if (!before)
		return false; /* whoever adds next finds out that the arena is spent */
	if (h->zero_threshold > before->zero_threshold) {
		if (widened(before, h->zero_threshold) != h->zero_threshold)
			return true;
		absorb(before, h->zero_threshold);
	}
	return h->zero_count < before->zero_count || any_less(&h->pos, &before->pos) ||
	    any_less(&h->neg, &before->neg);
}

static bool
same_buckets(const struct promql_buckets *a, const struct promql_buckets *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i] != bucket_at(b, (int64_t)a->offset + (int64_t)i))
			return false;
	for (size_t i = 0; i < b->count; i++)
		if (b->items[i] != bucket_at(a, (int64_t)b->offset + (int64_t)i))
			return false;
	return true;
}

bool
promql_hist_equal(const struct promql_hist *a, const struct promql_hist *b)
{
	return a->scale == b->scale && a->zero_threshold == b->zero_threshold &&
	    a->zero_count == b->zero_count && a->count == b->count &&
	    (a->sum == b->sum || (isnan(a->sum) && isnan(b->sum))) &&
	    same_buckets(&a->pos, &b->pos) && same_buckets(&a->neg, &b->neg);
}

/* ---- quantiles */

struct bucket {
	double lower, upper, count;
};

/* The k-th from below: negative ones, the zero bucket, positive ones. */
static struct bucket
bucket_of(const struct promql_hist *h, size_t k)
{
	if (k < h->neg.count) {
		size_t i = h->neg.count - 1 - k;
		int64_t index = (int64_t)h->neg.offset + (int64_t)i;
		return (struct bucket){-promql_bucket_upper(h->scale, index),
		    -promql_bucket_lower(h->scale, index), h->neg.items[i]};
	}
	k -= h->neg.count;
	if (k == 0)
		return (struct bucket){-h->zero_threshold, h->zero_threshold, h->zero_count};
	int64_t index = (int64_t)h->pos.offset + (int64_t)k - 1;
	return (struct bucket){promql_bucket_lower(h->scale, index),
	    promql_bucket_upper(h->scale, index), h->pos.items[k - 1]};
}

static bool
has_any(const struct promql_buckets *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->items[i] != 0)
			return true;
	return false;
}

/* A zero bucket has nothing on a side where there are no buckets. */
static void
narrow_zero(const struct promql_hist *h, struct bucket *b)
{
	if (!(b->lower <= 0 && b->upper >= 0))
		return;
	bool neg = has_any(&h->neg), pos = has_any(&h->pos);
	if (!neg && pos)
		b->lower = 0;
	if (neg && !pos)
		b->upper = 0;
}

/* A place in a bucket: by its logarithm, and in the zero bucket by its value. */
static double
inside(const struct bucket *b, double fraction)
{
	if (b->lower <= 0 && b->upper >= 0)
		return b->lower + (b->upper - b->lower) * fraction;
	double low = log2(fabs(b->lower)), high = log2(fabs(b->upper));
	if (b->lower > 0)
		return exp2(low + (high - low) * fraction);
	return -exp2(high + (low - high) * (1 - fraction));
}

double
promql_hist_quantile(double q, const struct promql_hist *h)
{
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (h->count == 0 || isnan(q))
		return NAN;
	size_t total = h->neg.count + 1 + h->pos.count;
	/* Observations that are NaN are in no bucket: then only counting from below is right. */
	bool upwards = isnan(h->sum) || q < 0.5;
	double rank = upwards ? q * h->count : (1 - q) * h->count, count = 0;
	struct bucket b = {0, 0, 0};
	for (size_t i = 0; i < total; i++) {
		struct bucket next = bucket_of(h, upwards ? i : total - 1 - i);
		if (next.count == 0)
			continue;
		b = next;
		count += b.count;
		if (count >= rank)
			break;
	}
	narrow_zero(h, &b);
	if (count > h->count)
		count = h->count;
	if (count < rank)
		return b.upper;
	rank = upwards ? rank - (count - b.count) : count - rank;
	return inside(&b, rank / b.count);
}

/* How many of the observations of a bucket are below v, which is in it. */
static double
below(const struct bucket *b, double v)
{
	if (b->lower <= 0 && b->upper >= 0)
		return b->count * (v - b->lower) / (b->upper - b->lower);
	double low = log2(fabs(b->lower)), high = log2(fabs(b->upper)), at = log2(fabs(v));
	double fraction = v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
	return b->count * fraction;
}

static double
rank_of(const struct promql_hist *h, double v)
{
	size_t total = h->neg.count + 1 + h->pos.count;
	double rank = 0;
	for (size_t i = 0; i < total; i++) {
		struct bucket b = bucket_of(h, i);
		if (b.count == 0)
			continue;
		narrow_zero(h, &b);
		if (b.lower >= v)
			return rank;
		if (b.upper > v) {
			rank += below(&b, v);
			break;
		}
		rank += b.count;
	}
	return rank > h->count ? h->count : rank;
}

double
promql_hist_fraction(double lower, double upper, const struct promql_hist *h)
{
	if (h->count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	return (rank_of(h, upper) - rank_of(h, lower)) / h->count;
}
