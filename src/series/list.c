/* SPDX-License-Identifier: Apache-2.0 */
/* Which series there are. */
#include "series/series_priv.h"

#include <math.h>
#include <stdlib.h>

struct listing {
	struct series_reader *r;
	const struct series_match *lists;
	size_t list_count;
	struct promql_labels *out;
	size_t count, cap;
};

static enum err_code
put(struct listing *l, const struct promql_labels *labels, struct err *err)
{
	if (l->count >= l->r->series_max)
		return err_set(err, ERR_EXECUTION,
		    "there are more than %llu series (--max-query-series): add matchers, or ask for a "
		    "shorter time",
		    (unsigned long long)l->r->series_max);
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct promql_labels *more = arena_array(l->r->arena, cap, sizeof(*more));
		if (!more)
			return series_spent(l->r, err);
		if (l->count > 0)
			memcpy(more, l->out, l->count * sizeof(*more));
		l->out = more;
		l->cap = cap;
	}
	l->out[l->count++] = *labels;
	return ERR_OK;
}

static enum err_code
put_bound(struct listing *l, const struct member *m, double bound, struct err *err)
{
	char text[PROMQL_NUMBER_BYTES];
	struct promql_labels labels;
	size_t n = m->labels.count;
	bool wanted;
	struct promql_label *items = arena_array(l->r->arena, n + 1, sizeof(*items));
	struct str value =
	    arena_str(l->r->arena, str_of(text, promql_label_number_text(bound, text)));
	if (!items || !value.ptr)
		return series_spent(l->r, err);
	if (n > 0)
		memcpy(items, m->labels.items, n * sizeof(*items));
	items[n] = (struct promql_label){series_own_label(m->part), value};
	labels = promql_labels_make(items, n + 1);
	enum err_code code =
	    series_satisfies(l->lists, l->list_count, m, &labels, true, &wanted, err);
	return code == ERR_OK && wanted ? put(l, &labels, err) : code;
}

/* The bounds of points that differ from those of the one before. */
static enum err_code
take_entries(void *ctx, const struct group *g, const struct entry *entries, size_t count,
    struct err *err)
{
	struct listing *l = ctx;
	const struct member *m = &g->members[0];
	int col = m->part == PART_BUCKET ? DIST_BOUNDS : DIST_QUANTILES;
	enum err_code code =
	    m->part == PART_BUCKET ? put_bound(l, m, (double)INFINITY, err) : ERR_OK;
	struct f64s before = {0};
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		struct f64s bounds = {0};
		if (entries[i].stale || table_is_null(entries[i].rows, entries[i].row, col))
			continue;
		bounds = table_f64s(entries[i].rows, entries[i].row, col);
		bool same = bounds.len == before.len &&
		    (bounds.len == 0 ||
		        memcmp(bounds.ptr, before.ptr, bounds.len * sizeof(double)) == 0);
		for (size_t k = 0; !same && k < bounds.len && code == ERR_OK; k++)
			if (!isnan(bounds.ptr[k]))
				code = put_bound(l, m, bounds.ptr[k], err);
		before = bounds;
	}
	return code;
}

static int
by_labels(const void *a, const void *b)
{
	return promql_labels_compare(a, b);
}

static void
sort(struct listing *l)
{
	size_t n = 0;
	if (l->count > 1)
		qsort(l->out, l->count, sizeof(*l->out), by_labels);
	for (size_t i = 0; i < l->count; i++)
		if (n == 0 || promql_labels_compare(&l->out[n - 1], &l->out[i]) != 0)
			l->out[n++] = l->out[i];
	l->count = n;
}

static bool
asks_for_bounds(const struct series_match *lists, size_t list_count)
{
	for (size_t i = 0; i < list_count; i++)
		for (size_t k = 0; k < lists[i].count; k++)
			if (str_eq(lists[i].items[k].name, STR("le")) ||
			    str_eq(lists[i].items[k].name, STR("quantile")))
				return true;
	return false;
}

enum err_code
series_list(struct series_reader *r, const struct series_match *lists, size_t list_count,
    uint64_t from_ns, uint64_t to_ns, bool buckets, struct promql_labels **out, size_t *count_out,
    struct err *err)
{
	struct listing l = {.r = r, .lists = lists, .list_count = list_count};
	struct members members;
	struct group *groups;
	size_t count = 0, bounded = 0;
	buckets = buckets || asks_for_bounds(lists, list_count);
	enum err_code code = series_find(r, lists, list_count, from_ns, to_ns, &members, err);
	if (code == ERR_OK)
		code = series_group(r, &members, &groups, &count, err);
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		if (buckets && series_own_label(groups[i].members[0].part).len > 0)
			groups[bounded++] = groups[i];
		else
			code = put(&l, &groups[i].members[0].labels, err);
	}
	if (code == ERR_OK)
		code =
		    series_read_points(r, groups, bounded, from_ns, to_ns, take_entries, &l, err);
	if (code == ERR_OK)
		sort(&l);
	*out = l.out;
	*count_out = l.count;
	return code;
}
