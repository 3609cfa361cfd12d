/* SPDX-License-Identifier: Apache-2.0 */
/* What promql_run() asks for: the series of a selector with their samples. */
#include "series/series_priv.h"

#include "base/timefmt.h"

#include <math.h>
#include <stdlib.h>

/* How often target_info has a sample: well within any lookback that makes sense. */
enum { INFO_EVERY_MS = 120000 };

struct selecting {
	struct series_reader *r;
	struct series_match match;
	int64_t from_ms, to_ms;
	promql_take_fn take;
	void *take_ctx;
};

/* ---- samples of one series, as they grow */

struct samples {
	size_t count;
	int64_t *t_ms, *start_ms;
	double *value;
	const struct promql_hist **hist; /* NULL: only numbers */
};

static enum err_code
spent(const struct series_reader *r, struct err *err)
{
	(void)err_set(err, ERR_TOO_LARGE,
	    "one series needs more than %zu bytes of memory (--max-result-bytes): ask for a shorter "
	    "time",
	    r->scratch.bytes_max);
	return ERR_TOO_LARGE;
}

static bool
new_samples(struct arena *a, size_t n, bool hist, struct samples *s)
{
	*s = (struct samples){.t_ms = arena_array(a, n, sizeof(int64_t)),
	    .start_ms = arena_array(a, n, sizeof(int64_t)),
	    .value = arena_array(a, n, sizeof(double)),
	    .hist = hist ? arena_array(a, n, sizeof(*s->hist)) : NULL};
	return s->t_ms && s->start_ms && s->value && (s->hist || !hist);
}

/* A delta point among cumulative ones is a counter that began behind the sample before it. */
static void
add_sample(struct samples *s, const struct group *g, const struct entry *e, double value,
    const struct promql_hist *h)
{
	size_t n = s->count++;
	bool anew =
	    g->mixed && g->members[e->member].delta && n > 0 && s->t_ms[n - 1] + 1 < e->t_ms;
	s->t_ms[n] = e->t_ms;
	s->start_ms[n] = anew ? s->t_ms[n - 1] + 1 : e->start_ms;
	s->value[n] = e->stale ? promql_stale() : value;
	if (s->hist)
		s->hist[n] = e->stale ? NULL : h;
}

static enum err_code
give(struct selecting *s, const struct group *g, const struct promql_labels *labels,
    const struct samples *from, struct err *err)
{
	struct promql_samples samples = {.count = from->count,
	    .t_ms = from->t_ms,
	    .value = from->value,
	    .hist = from->hist,
	    .start_ms = from->start_ms,
	    .delta = g->members[0].delta && !g->mixed};
	return from->count > 0 ? s->take(s->take_ctx, labels, &samples, err) : ERR_OK;
}

/* ---- numbers and native histograms */

static bool
read_buckets(struct arena *a, const struct table *t, size_t row, int offset_col, int counts_col,
    struct promql_buckets *out)
{
	*out = (struct promql_buckets){0};
	if (table_is_null(t, row, counts_col))
		return true;
	struct u64s counts = table_u64s(t, row, counts_col);
	out->items = arena_array(a, counts.len + 1, sizeof(double));
	out->count = counts.len;
	out->offset = table_is_null(t, row, offset_col) ? 0 : table_i32(t, row, offset_col);
	for (size_t i = 0; out->items && i < counts.len; i++)
		out->items[i] = (double)counts.ptr[i];
	return out->items != NULL;
}

static const struct promql_hist *
read_native(struct arena *a, const struct table *t, size_t row)
{
	struct promql_hist *h = arena_alloc(a, sizeof(*h));
	if (!h || !read_buckets(a, t, row, DIST_POS_OFFSET, DIST_POS_COUNTS, &h->pos) ||
	    !read_buckets(a, t, row, DIST_NEG_OFFSET, DIST_NEG_COUNTS, &h->neg))
		return NULL;
	h->scale = table_is_null(t, row, DIST_SCALE) ? 0 : table_i32(t, row, DIST_SCALE);
	h->count = table_is_null(t, row, DIST_COUNT) ? 0 : (double)table_u64(t, row, DIST_COUNT);
	h->sum = table_is_null(t, row, DIST_SUM) ? (double)NAN : table_f64(t, row, DIST_SUM);
	if (!table_is_null(t, row, DIST_ZERO_COUNT))
		h->zero_count = (double)table_u64(t, row, DIST_ZERO_COUNT);
	if (!table_is_null(t, row, DIST_ZERO_THRESHOLD))
		h->zero_threshold = table_f64(t, row, DIST_ZERO_THRESHOLD);
	return h;
}

static enum err_code
give_plain(struct selecting *s, const struct group *g, const struct entry *entries, size_t count,
    struct err *err)
{
	struct arena *a = &s->r->scratch;
	struct samples out;
	bool hist = false;
	for (size_t i = 0; i < g->count; i++)
		hist = hist || g->members[i].part == PART_NATIVE;
	if (!new_samples(a, count, hist, &out))
		return spent(s->r, err);
	for (size_t i = 0; i < count; i++) {
		const struct entry *e = &entries[i];
		bool native = g->members[e->member].part == PART_NATIVE;
		const struct promql_hist *h =
		    native && !e->stale ? read_native(a, e->rows, e->row) : NULL;
		if (native && !e->stale && !h)
			return spent(s->r, err);
		double value = native || e->stale ? 0 : table_f64(e->rows, e->row, SAMPLE_VALUE);
		add_sample(&out, g, e, value, h);
	}
	return give(s, g, &g->members[0].labels, &out, err);
}

/* ---- buckets and quantiles: one series for each bound */

struct bounded { /* of one point, its bounds ascending as they came, and a value each */
	const double *bounds;
	size_t count;
	double *values;
	double last; /* of a histogram: all of it, le="+Inf" */
	bool has_last;
};

static bool
read_bucketed(struct arena *a, const struct entry *e, struct bounded *b)
{
	const struct table *t = e->rows;
	*b = (struct bounded){0};
	struct f64s bounds = {0};
	struct u64s counts = {0};
	if (!table_is_null(t, e->row, DIST_BOUNDS))
		bounds = table_f64s(t, e->row, DIST_BOUNDS);
	if (!table_is_null(t, e->row, DIST_BUCKETS))
		counts = table_u64s(t, e->row, DIST_BUCKETS);
	double sum = 0;
	b->bounds = bounds.ptr;
	b->count = counts.len < bounds.len ? counts.len : bounds.len;
	b->values = arena_array(a, b->count + 1, sizeof(double));
	for (size_t i = 0; b->values && i < b->count; i++)
		b->values[i] = sum += (double)counts.ptr[i];
	for (size_t i = b->count; i < counts.len; i++)
		sum += (double)counts.ptr[i];
	b->has_last = true;
	b->last =
	    table_is_null(t, e->row, DIST_COUNT) ? sum : (double)table_u64(t, e->row, DIST_COUNT);
	return b->values != NULL;
}

static bool
read_quantiles(struct arena *a, const struct entry *e, struct bounded *b)
{
	const struct table *t = e->rows;
	struct f64s quantiles = {0}, values = {0};
	if (!table_is_null(t, e->row, DIST_QUANTILES))
		quantiles = table_f64s(t, e->row, DIST_QUANTILES);
	if (!table_is_null(t, e->row, DIST_QUANTILE_VALUES))
		values = table_f64s(t, e->row, DIST_QUANTILE_VALUES);
	*b = (struct bounded){.bounds = quantiles.ptr,
	    .count = quantiles.len < values.len ? quantiles.len : values.len};
	b->values = arena_array(a, b->count + 1, sizeof(double));
	if (b->values && b->count > 0)
		memcpy(b->values, values.ptr, b->count * sizeof(double));
	return b->values != NULL;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static bool
same_bounds(const struct bounded *a, const struct bounded *b)
{
	if (a->count != b->count || !a->bounds || !b->bounds)
		return a->count == b->count;
	return memcmp(a->bounds, b->bounds, a->count * sizeof(double)) == 0;
}

/* All bounds that any of the points has, each once; NaN is none. */
static double *
all_bounds(struct arena *a, const struct bounded *points, size_t count, bool infinite,
    size_t *count_out)
{
	size_t total = 1, n = 0, last = SIZE_MAX;
	for (size_t i = 0; i < count; i++)
		total += points[i].count;
	double *all = arena_array(a, total, sizeof(*all));
	for (size_t i = 0; all && i < count; i++) {
		/* Mostly all points have the bounds of the one before. */
		bool same = last != SIZE_MAX && same_bounds(&points[last], &points[i]);
		for (size_t k = 0; !same && k < points[i].count; k++)
			if (!isnan(points[i].bounds[k]) &&
			    !(infinite && isinf(points[i].bounds[k])))
				all[n++] = points[i].bounds[k];
		last = i;
	}
	if (all && infinite)
		all[n++] = INFINITY;
	if (all && n > 1)
		qsort(all, n, sizeof(*all), by_value);
	*count_out = 0;
	for (size_t i = 0; all && i < n; i++)
		if (*count_out == 0 || all[*count_out - 1] != all[i])
			all[(*count_out)++] = all[i];
	return all;
}

/* The place of a bound in a point, mostly where it is in the list of all; SIZE_MAX: the point has it not. */
static size_t
place_of(const struct bounded *b, double bound, size_t hint)
{
	if (hint < b->count && b->bounds[hint] == bound)
		return hint;
	for (size_t i = 0; i < b->count; i++)
		if (b->bounds[i] == bound)
			return i;
	return SIZE_MAX;
}

static enum err_code
labels_of_bound(struct selecting *s, const struct member *m, double bound,
    struct promql_labels *out, bool *wanted_out, struct err *err)
{
	char text[PROMQL_NUMBER_BYTES];
	size_t n = m->labels.count;
	struct promql_label *items = arena_array(s->r->arena, n + 1, sizeof(*items));
	struct str value =
	    arena_str(s->r->arena, str_of(text, promql_label_number_text(bound, text)));
	if (!items || !value.ptr)
		return series_spent(s->r, err);
	if (n > 0)
		memcpy(items, m->labels.items, n * sizeof(*items));
	items[n] = (struct promql_label){series_own_label(m->part), value};
	*out = promql_labels_make(items, n + 1);
	return series_satisfies(&s->match, 1, m, out, true, wanted_out, err);
}

static enum err_code
give_bound(struct selecting *s, const struct group *g, const struct entry *entries,
    const struct bounded *points, size_t count, double bound, size_t hint, struct err *err)
{
	struct samples out;
	struct promql_labels labels = {0};
	bool wanted = false;
	struct arena_mark before = arena_mark(s->r->arena);
	enum err_code code = labels_of_bound(s, &g->members[0], bound, &labels, &wanted, err);
	if (code == ERR_OK && !wanted)
		arena_rewind(s->r->arena, before);
	if (code != ERR_OK || !wanted)
		return code;
	struct arena_mark mark = arena_mark(&s->r->scratch);
	if (!new_samples(&s->r->scratch, count, false, &out))
		return spent(s->r, err);
	for (size_t i = 0; i < count; i++) {
		bool last = points[i].has_last && isinf(bound) && bound > 0;
		size_t place = last || entries[i].stale ? 0 : place_of(&points[i], bound, hint);
		if (place == SIZE_MAX)
			continue;
		double value = entries[i].stale ? 0
		    : last                      ? points[i].last
		                                : points[i].values[place];
		add_sample(&out, g, &entries[i], value, NULL);
	}
	code = give(s, g, &labels, &out, err);
	arena_rewind(&s->r->scratch, mark);
	return code;
}

static enum err_code
give_bounded(struct selecting *s, const struct group *g, const struct entry *entries, size_t count,
    struct err *err)
{
	struct arena *a = &s->r->scratch;
	struct bounded *points = arena_array(a, count, sizeof(*points));
	bool buckets = g->members[0].part == PART_BUCKET;
	size_t bound_count;
	enum err_code code = ERR_OK;
	if (!points)
		return spent(s->r, err);
	for (size_t i = 0; i < count; i++)
		if (!entries[i].stale &&
		    !(buckets ? read_bucketed : read_quantiles)(a, &entries[i], &points[i]))
			return spent(s->r, err);
	double *bounds = all_bounds(a, points, count, buckets, &bound_count);
	if (!bounds)
		return spent(s->r, err);
	for (size_t i = 0; i < bound_count && code == ERR_OK; i++)
		code = give_bound(s, g, entries, points, count, bounds[i], i, err);
	return code;
}

static enum err_code
take_entries(void *ctx, const struct group *g, const struct entry *entries, size_t count,
    struct err *err)
{
	struct selecting *s = ctx;
	struct arena_mark mark = arena_mark(&s->r->scratch);
	bool bounded = series_own_label(g->members[0].part).len > 0;
	enum err_code code = (bounded ? give_bounded : give_plain)(s, g, entries, count, err);
	arena_rewind(&s->r->scratch, mark);
	return code;
}

/* ---- target_info */

static int
by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* From the first to the last sample that a resource's series have. */
static enum err_code
give_info(struct selecting *s, const struct group *g, struct err *err)
{
	struct samples out;
	size_t total = 0, n = 0;
	int64_t ms = (int64_t)NS_PER_MS;
	for (size_t i = 0; i < g->count; i++)
		total += (size_t)((g->members[i].last_ns - g->members[i].first_ns) / NS_PER_MS /
		             INFO_EVERY_MS) +
		    2;
	if (total > s->r->samples_max)
		return err_set(err, ERR_EXECUTION,
		    "target_info has more samples in this time than are left of %llu "
		    "(--max-query-samples): ask for a shorter time",
		    (unsigned long long)s->r->samples_max);
	arena_reset(&s->r->scratch);
	if (!new_samples(&s->r->scratch, total, false, &out))
		return spent(s->r, err);
	for (size_t i = 0; i < g->count; i++) {
		int64_t last = (int64_t)g->members[i].last_ns / ms;
		for (int64_t t = (int64_t)g->members[i].first_ns / ms; t < last; t += INFO_EVERY_MS)
			out.t_ms[n++] = t;
		out.t_ms[n++] = last;
	}
	CHECK(n <= total);
	if (n > 1)
		qsort(out.t_ms, n, sizeof(*out.t_ms), by_time);
	for (size_t i = 0; i < n; i++)
		if (out.count == 0 || out.t_ms[out.count - 1] != out.t_ms[i]) {
			out.value[out.count] = 1;
			out.t_ms[out.count++] = out.t_ms[i];
		}
	return give(s, g, &g->members[0].labels, &out, err);
}

/* ---- all of it */

static bool
window_ns(int64_t from_ms, int64_t to_ms, uint64_t *from_out, uint64_t *to_out)
{
	/* Nothing is before 1970, nor behind what nanoseconds can say. */
	const int64_t last_ms = (int64_t)(UINT64_MAX / NS_PER_MS) - 1;
	if (to_ms < 0 || from_ms >= to_ms || from_ms >= last_ms)
		return false;
	*from_out = from_ms < 0 ? 0 : (uint64_t)(from_ms + 1) * NS_PER_MS;
	*to_out = to_ms >= last_ms ? UINT64_MAX : (uint64_t)(to_ms + 1) * NS_PER_MS;
	return true;
}

static enum err_code
select_series(void *ctx, const struct promql_select *want, promql_take_fn take, void *take_ctx,
    struct err *err)
{
	struct series_reader *r = ctx;
	struct selecting s = {.r = r,
	    .match = {want->matchers, want->matcher_count},
	    .take = take,
	    .take_ctx = take_ctx};
	struct members members;
	struct group *groups;
	size_t count = 0, plain = 0;
	uint64_t from_ns, to_ns;
	if (!window_ns(want->from_ms, want->to_ms, &from_ns, &to_ns))
		return ERR_OK;
	r->series_max = want->series_max;
	r->samples_max = want->samples_max;
	enum err_code code = series_find(r, &s.match, 1, from_ns, to_ns, &members, err);
	if (code == ERR_OK)
		code = series_group(r, &members, &groups, &count, err);
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		if (groups[i].members[0].part == PART_INFO)
			code = give_info(&s, &groups[i], err);
		else
			groups[plain++] = groups[i];
	}
	return code == ERR_OK
	    ? series_read_points(r, groups, plain, from_ns, to_ns, take_entries, &s, err)
	    : code;
}

struct promql_source
series_source(struct series_reader *r)
{
	return (struct promql_source){.select = select_series, .ctx = r};
}
