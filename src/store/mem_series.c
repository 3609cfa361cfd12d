/* SPDX-License-Identifier: Apache-2.0 */
/* Points as metrics, series and samples, the plainest way. */
#include "store/mem_priv.h"

#include <stdlib.h>

/* A metric or a series: what its points have in common, and one of the newest of them. */
struct kind {
	const struct table *t;
	size_t row;
	uint64_t points, series_count, first_ns, last_ns;
	uint64_t *series; /* each once */
};

struct kinds {
	struct kind *items;
	size_t count, cap;
};

static bool
matches(const struct store_query *q, const struct table *t, size_t row)
{
	uint64_t time_ns = table_u64(t, row, POINT_TIME_NS);
	bool named = q->name_count == 0, listed = q->series_count == 0;
	for (size_t i = 0; i < q->name_count && !named; i++)
		named = str_eq(q->names[i], table_str(t, row, POINT_NAME));
	for (size_t i = 0; i < q->series_count && !listed; i++)
		listed = q->series[i] == table_u64(t, row, POINT_SERIES_ID);
	return named && listed && str_eq(table_str(t, row, POINT_TENANT), q->tenant) &&
	    time_ns >= q->from_ns && (q->to_ns == UINT64_MAX || time_ns < q->to_ns) &&
	    (q->service.len == 0 || str_eq(q->service, table_str(t, row, POINT_SERVICE)));
}

/* ---- metrics and series */

static int
compare_metrics(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;
	int order =
	    str_cmp(table_str(x->t, x->row, POINT_NAME), table_str(y->t, y->row, POINT_NAME));
	if (order == 0)
		order = str_cmp(table_str(x->t, x->row, POINT_UNIT),
		    table_str(y->t, y->row, POINT_UNIT));
	for (int col = POINT_TYPE; col <= POINT_TEMPORALITY && order == 0; col++) {
		int32_t v = table_i32(x->t, x->row, col), w = table_i32(y->t, y->row, col);
		order = (v > w) - (v < w);
	}
	if (order != 0)
		return order;
	return (int)table_bool(x->t, x->row, POINT_MONOTONIC) -
	    (int)table_bool(y->t, y->row, POINT_MONOTONIC);
}

static int
compare_series(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;
	uint64_t v = table_u64(x->t, x->row, POINT_SERIES_ID);
	uint64_t w = table_u64(y->t, y->row, POINT_SERIES_ID);
	return (v > w) - (v < w);
}

static struct kind *
kind_of(struct kinds *all, const struct table *t, size_t row,
    int (*compare)(const void *a, const void *b))
{
	struct kind wanted = {.t = t, .row = row, .first_ns = UINT64_MAX};
	for (size_t i = 0; i < all->count; i++)
		if (compare(&all->items[i], &wanted) == 0)
			return &all->items[i];
	if (all->count == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 16;
		all->items = xrealloc(all->items, all->cap * sizeof(*all->items));
	}
	all->items[all->count] = wanted;
	return &all->items[all->count++];
}

static void
count_series(struct kind *k, uint64_t id)
{
	for (size_t i = 0; i < k->series_count; i++)
		if (k->series[i] == id)
			return;
	k->series = xrealloc(k->series, (k->series_count + 1) * sizeof(*k->series));
	k->series[k->series_count++] = id;
}

static void
count_point(struct kind *k, const struct table *t, size_t row)
{
	uint64_t time_ns = table_u64(t, row, POINT_TIME_NS);
	k->points++;
	k->first_ns = time_ns < k->first_ns ? time_ns : k->first_ns;
	if (time_ns >= k->last_ns) {
		k->last_ns = time_ns;
		k->t = t;
		k->row = row;
	}
	count_series(k, table_u64(t, row, POINT_SERIES_ID));
}

static bool
put_metric(struct table *out, const struct kind *k)
{
	size_t row = table_add_row(out);
	if (row == SIZE_MAX)
		return false;
	table_set_i32(out, row, METRIC_TYPE, table_i32(k->t, k->row, POINT_TYPE));
	table_set_i32(out, row, METRIC_TEMPORALITY, table_i32(k->t, k->row, POINT_TEMPORALITY));
	table_set_bool(out, row, METRIC_MONOTONIC, table_bool(k->t, k->row, POINT_MONOTONIC));
	table_set_u64(out, row, METRIC_SERIES, k->series_count);
	table_set_u64(out, row, METRIC_POINTS, k->points);
	table_set_u64(out, row, METRIC_FIRST_NS, k->first_ns);
	table_set_u64(out, row, METRIC_LAST_NS, k->last_ns);
	return table_copy_text(out, row, METRIC_NAME, table_str(k->t, k->row, POINT_NAME)) &&
	    table_copy_text(out, row, METRIC_UNIT, table_str(k->t, k->row, POINT_UNIT)) &&
	    table_copy_text(out, row, METRIC_DESCRIPTION,
	        table_str(k->t, k->row, POINT_DESCRIPTION));
}

static bool
put_series(struct table *out, const struct kind *k)
{
	static const int texts[][2] = {{SERIES_NAME, POINT_NAME}, {SERIES_UNIT, POINT_UNIT},
	    {SERIES_SERVICE, POINT_SERVICE}, {SERIES_ATTRIBUTES, POINT_ATTRIBUTES}};
	size_t row = table_add_row(out);
	bool fits = row != SIZE_MAX;
	for (size_t i = 0; i < ARRAY_LEN(texts) && fits; i++)
		if (texts[i][0] != SERIES_ATTRIBUTES ||
		    !table_is_null(k->t, k->row, POINT_ATTRIBUTES))
			fits = table_copy_text(out, row, texts[i][0],
			    table_str(k->t, k->row, texts[i][1]));
	if (!fits)
		return false;
	table_set_u64(out, row, SERIES_ID, table_u64(k->t, k->row, POINT_SERIES_ID));
	table_set_i32(out, row, SERIES_TYPE, table_i32(k->t, k->row, POINT_TYPE));
	table_set_i32(out, row, SERIES_TEMPORALITY, table_i32(k->t, k->row, POINT_TEMPORALITY));
	table_set_bool(out, row, SERIES_MONOTONIC, table_bool(k->t, k->row, POINT_MONOTONIC));
	table_set_u64(out, row, SERIES_RESOURCE_ID, table_u64(k->t, k->row, POINT_RESOURCE_ID));
	table_set_u64(out, row, SERIES_SCOPE_ID, table_u64(k->t, k->row, POINT_SCOPE_ID));
	table_set_u64(out, row, SERIES_POINTS, k->points);
	table_set_u64(out, row, SERIES_FIRST_NS, k->first_ns);
	table_set_u64(out, row, SERIES_LAST_NS, k->last_ns);
	return true;
}

static bool
answer_kinds(const struct node *newest, const struct store_query *q, struct store_result *r)
{
	bool metrics = q->kind == STORE_METRICS, fits = true;
	int (*compare)(const void *a, const void *b) = metrics ? compare_metrics : compare_series;
	struct kinds all = {0};
	for (const struct node *n = newest; n; n = n->older)
		for (size_t row = 0; row < n->tables[TABLE_POINTS].row_count; row++) {
			const struct table *t = &n->tables[TABLE_POINTS];
			if (matches(q, t, row))
				count_point(kind_of(&all, t, row, compare), t, row);
		}
	if (all.count > 1)
		qsort(all.items, all.count, sizeof(*all.items), compare);
	r->more = all.count > q->row_max;
	for (size_t i = 0; i < all.count && i < q->row_max && fits; i++)
		fits = metrics ? put_metric(&r->rows, &all.items[i])
		               : put_series(&r->rows, &all.items[i]);
	for (size_t i = 0; i < all.count; i++)
		free(all.items[i].series);
	free(all.items);
	return fits;
}

/* ---- samples */

static void
set_value(struct table *out, size_t to, const struct table *t, size_t row, enum store_sample sample)
{
	if (sample == STORE_NUMBER && !table_is_null(t, row, POINT_VALUE))
		table_set_f64(out, to, SAMPLE_VALUE, table_f64(t, row, POINT_VALUE));
	else if (sample == STORE_NUMBER && !table_is_null(t, row, POINT_VALUE_INT))
		table_set_f64(out, to, SAMPLE_VALUE, (double)table_i64(t, row, POINT_VALUE_INT));
	else if (sample == STORE_COUNT && !table_is_null(t, row, POINT_COUNT))
		table_set_f64(out, to, SAMPLE_VALUE, (double)table_u64(t, row, POINT_COUNT));
	else if (sample == STORE_SUM && !table_is_null(t, row, POINT_SUM))
		table_set_f64(out, to, SAMPLE_VALUE, table_f64(t, row, POINT_SUM));
}

/* The columns of a distribution behind its flags are those of points, by name. */
static int
point_col(const char *name)
{
	const struct table_def *def = &table_defs[TABLE_POINTS];
	for (size_t i = 0; i < def->col_count; i++)
		if (strcmp(def->cols[i].name, name) == 0)
			return (int)i;
	CHECK(false);
	return -1;
}

static bool
copy_distribution(struct table *out, size_t to, const struct table *t, size_t row)
{
	bool fits = true;
	for (int col = DIST_COUNT; col < DIST_COL_COUNT && fits; col++) {
		int from = point_col(out->def->cols[col].name);
		enum col_kind kind = out->def->cols[col].kind;
		if (table_is_null(t, row, from))
			continue;
		if (kind == COL_U64)
			table_set_u64(out, to, col, table_u64(t, row, from));
		else if (kind == COL_F64)
			table_set_f64(out, to, col, table_f64(t, row, from));
		else if (kind == COL_I32)
			table_set_i32(out, to, col, table_i32(t, row, from));
		else if (kind == COL_U64S)
			fits = table_copy_list(out, to, col, table_u64s(t, row, from).ptr,
			    table_u64s(t, row, from).len);
		else
			fits = table_copy_list(out, to, col, table_f64s(t, row, from).ptr,
			    table_f64s(t, row, from).len);
	}
	return fits;
}

_Static_assert((int)SAMPLE_FLAGS == (int)DIST_FLAGS, "the first columns are the same");

static bool
put_sample(struct table *out, const struct store_query *q, const struct table *t, size_t row)
{
	size_t to = table_add_row(out);
	if (to == SIZE_MAX)
		return false;
	table_set_u64(out, to, SAMPLE_SERIES_ID, table_u64(t, row, POINT_SERIES_ID));
	table_set_u64(out, to, SAMPLE_TIME_NS, table_u64(t, row, POINT_TIME_NS));
	table_set_u64(out, to, SAMPLE_START_NS, table_u64(t, row, POINT_START_NS));
	table_set_u64(out, to, SAMPLE_SEQ, table_u64(t, row, POINT_SEQ));
	table_set_u32(out, to, SAMPLE_ORD, table_u32(t, row, POINT_ORD));
	table_set_u32(out, to, SAMPLE_FLAGS, table_u32(t, row, POINT_FLAGS));
	if (q->kind == STORE_DISTRIBUTIONS)
		return copy_distribution(out, to, t, row);
	set_value(out, to, t, row, q->sample);
	return true;
}

static bool
answer_samples(const struct node *newest, const struct store_query *q, struct store_result *r)
{
	bool fits = true;
	for (const struct node *n = newest; n && fits; n = n->older)
		for (size_t row = 0; row < n->tables[TABLE_POINTS].row_count && fits; row++) {
			if (!matches(q, &n->tables[TABLE_POINTS], row))
				continue;
			r->more = r->rows.row_count == q->row_max;
			if (r->more)
				return true;
			fits = put_sample(&r->rows, q, &n->tables[TABLE_POINTS], row);
		}
	return fits;
}

bool
store_mem_series(const struct node *newest, const struct store_query *q, struct store_result *r)
{
	if (q->kind == STORE_METRICS || q->kind == STORE_SERIES)
		return answer_kinds(newest, q, r);
	return answer_samples(newest, q, r);
}
