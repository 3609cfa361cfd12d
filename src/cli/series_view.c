/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of what PromQL answers: series with a value, series over time, and the names there are. */
#include "cli/cli_priv.h"

#include "cli/cell.h"

#include <jansson.h>
#include <math.h>

enum { CHART_COLUMNS = 24 };

/* ---- labels */

static void
put_label_value(struct buf *b, const json_t *value)
{
	struct str s = str_of(json_string_value(value), json_string_length(value));
	buf_char(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '"' || s.ptr[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, s.ptr[i]);
	}
	buf_char(b, '"');
}

/* name{job="checkout",code="200"} */
static void
series_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	const json_t *labels = json_object_get(item, "labels");
	const char *key;
	json_t *value;
	bool any = false;
	struct str name = cli_item_str(labels, "__name__");
	buf_str(&b, name);
	json_object_foreach((json_t *)labels, key, value)
	{
		if (strcmp(key, "__name__") == 0 || b.len > CELL_BYTES_MAX)
			continue;
		buf_printf(&b, "%s%s=", any ? "," : "{", key);
		put_label_value(&b, value);
		any = true;
	}
	if (any)
		buf_char(&b, '}');
	if (b.len == 0)
		buf_str(&b, STR("{}"));
	cell_buf(t, &b, COLOR_CYAN);
}

/* ---- values */

/* Of a point: its number, or false: it is a histogram. */
static bool
number_of(const json_t *point, double *out)
{
	const json_t *v = json_array_get(point, 1);
	const char *text = json_string_value(v);
	if (json_is_object(v))
		return false;
	if (text)
		*out = strcmp(text, "NaN") == 0 ? (double)NAN
		    : text[0] == '-'            ? -(double)INFINITY
		                                : (double)INFINITY;
	else
		*out = json_number_value(v);
	return true;
}

static void
put_number(struct buf *b, double v)
{
	bool whole = fabs(v) >= 1000 && fabs(v) < 1e15;
	if (isnan(v))
		buf_str(b, STR("NaN"));
	else
		buf_printf(b, whole ? "%.0f" : "%.6g", v);
}

static void
put_point(struct buf *b, const json_t *point)
{
	double v;
	const json_t *h = json_array_get(point, 1);
	if (number_of(point, &v)) {
		put_number(b, v);
		return;
	}
	buf_str(b, STR("n "));
	put_number(b, cli_item_f64(h, "count"));
	buf_str(b, STR(" sum "));
	put_number(b, cli_item_f64(h, "sum"));
}

static const json_t *
last_point(const json_t *item)
{
	const json_t *points = json_object_get(item, "points");
	size_t n = json_array_size(points);
	return n > 0 ? json_array_get(points, n - 1) : NULL;
}

static void
value_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	const json_t *point = last_point(item);
	if (point)
		put_point(&b, point);
	cell_buf(t, &b, COLOR_NONE);
}

static void
extreme_cell(struct table_text *t, const json_t *item, double sign)
{
	struct buf b = {0};
	const json_t *points = json_object_get(item, "points");
	double best = NAN, v;
	for (size_t i = 0; i < json_array_size(points); i++)
		if (number_of(json_array_get(points, i), &v) &&
		    (isnan(best) || sign * v > sign * best))
			best = v;
	if (!isnan(best))
		put_number(&b, best);
	cell_buf(t, &b, COLOR_NONE);
}

static void
min_cell(struct table_text *t, const json_t *item)
{
	extreme_cell(t, item, -1);
}

static void
max_cell(struct table_text *t, const json_t *item)
{
	extreme_cell(t, item, 1);
}

static void
points_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	buf_u64(&b, json_array_size(json_object_get(item, "points")));
	cell_buf(t, &b, COLOR_DIM);
}

/* ---- a small chart: as many columns as CHART_COLUMNS, each the mean of its points */

struct chart {
	double sums[CHART_COLUMNS];
	size_t counts[CHART_COLUMNS], columns;
	double low, high;
};

static void
fill_chart(struct chart *c, const json_t *points)
{
	size_t n = json_array_size(points);
	double v;
	*c = (struct chart){.columns = n < CHART_COLUMNS ? n : CHART_COLUMNS};
	for (size_t i = 0; i < n; i++) {
		size_t column = i * c->columns / n;
		if (!number_of(json_array_get(points, i), &v) || !isfinite(v))
			continue;
		c->sums[column] += v;
		c->counts[column]++;
	}
	c->low = INFINITY;
	c->high = -INFINITY;
	for (size_t i = 0; i < c->columns; i++) {
		if (c->counts[i] == 0)
			continue;
		c->sums[i] /= (double)c->counts[i];
		c->low = fmin(c->low, c->sums[i]);
		c->high = fmax(c->high, c->sums[i]);
	}
}

static void
chart_cell(struct table_text *t, const json_t *item)
{
	static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const plain[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	struct buf b = {0};
	struct chart c;
	fill_chart(&c, json_object_get(item, "points"));
	for (size_t i = 0; i < c.columns; i++) {
		double range = c.high - c.low;
		size_t level = range > 0 ? (size_t)((c.sums[i] - c.low) / range * 7.999) : 0;
		if (c.counts[i] == 0)
			buf_char(&b, ' ');
		else
			buf_str(&b, str_from((t->style->utf8 ? bars : plain)[level]));
	}
	cell_buf(t, &b, COLOR_GREEN);
}

/* ---- names */

/* What a query would say: the first of them, and the suffixes of the others. */
static void
name_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "name", COLOR_CYAN);
}

static void
suffixes_cell(struct table_text *t, const json_t *item)
{
	struct buf b = {0};
	size_t name = cli_item_str(item, "name").len;
	const json_t *names = json_object_get(item, "names");
	for (size_t i = 0; json_array_size(names) > 1 && i < json_array_size(names); i++) {
		const json_t *one = json_array_get(names, i);
		struct str s = str_of(json_string_value(one), json_string_length(one));
		buf_printf(&b, "%s%.*s", i > 0 ? " " : "", STR_ARG(str_skip(s, name)));
	}
	cell_buf(t, &b, COLOR_DIM);
}

static void
type_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "type", COLOR_NONE);
}

static void
unit_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "unit", COLOR_DIM);
}

static void
otlp_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "otlp_name", COLOR_DIM);
}

static void
description_cell(struct table_text *t, const json_t *item)
{
	cell_text(t, item, "description", COLOR_DIM);
}

static void
count_cell(struct table_text *t, const json_t *item)
{
	cell_count(t, item, "series_count");
}

static void
seen_cell(struct table_text *t, const json_t *item)
{
	cell_age(t, item, "last_seen_unix_nano");
}

const struct table_column cli_query_columns[] = {
    {.title = "SERIES", .keep = 90, .want = 32, .width_min = 12, .cell = series_cell},
    {.title = "VALUE", .keep = 80, .right = true, .cell = value_cell},
    {.title = NULL},
};

const struct table_column cli_range_columns[] = {
    {.title = "SERIES", .keep = 90, .want = 32, .width_min = 12, .cell = series_cell},
    {.title = "OVER TIME", .keep = 50, .cell = chart_cell},
    {.title = "MIN", .keep = 40, .right = true, .cell = min_cell},
    {.title = "MAX", .keep = 45, .right = true, .cell = max_cell},
    {.title = "LAST", .keep = 80, .right = true, .cell = value_cell},
    {.title = "POINTS", .keep = 10, .right = true, .cell = points_cell},
    {.title = NULL},
};

const struct table_column cli_names_columns[] = {
    {.title = "NAME", .keep = 90, .want = 32, .width_min = 12, .cell = name_cell},
    {.title = "WITH", .keep = 35, .cell = suffixes_cell},
    {.title = "TYPE", .keep = 70, .cell = type_cell},
    {.title = "UNIT", .keep = 30, .want = 8, .cell = unit_cell},
    {.title = "SERIES", .keep = 60, .right = true, .cell = count_cell},
    {.title = "LAST SEEN", .keep = 50, .right = true, .cell = seen_cell},
    {.title = "IN OTLP", .keep = 40, .want = 20, .below = BELOW_ALWAYS, .cell = otlp_cell},
    {.title = "DESCRIPTION", .keep = 20, .want = 20, .cell = description_cell},
    {.title = NULL},
};
