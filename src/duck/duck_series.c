/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points as metrics, series and samples (store.h). Rows of a series stand together in a seal, 10 minutes of them at a time
 * (duck_sort.c), and their names, units and kinds next to one another are as good as nothing to read; what is dear are
 * attributes, which are compressed for size. So series are found in two steps:
 *
 *     1  ids, with their counts and times, from all of the window: three columns
 *     2  names, attributes and the rest, from the last 10 minutes in which a series was seen; series that were not
 *        seen then, from their last 10 minutes, and so on; after STEPS_MAX such steps those that are left at once
 */
#include "duck/duck_query_priv.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STEPS_MAX = 8, DEFINITION_WINDOW_S = SEAL_SORT_BUCKET_S };

/* ---- statements */

static void
sample_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	static const char *const values[] = {
	    [STORE_NUMBER] = "coalesce(\"value\", value_int::DOUBLE)",
	    [STORE_COUNT] = "\"count\"::DOUBLE",
	    [STORE_SUM] = "\"sum\"",
	};
	(void)source;
	(void)unit;
	(void)place;
	buf_printf(&ask->sql.text, "series_id, time_ns, start_ns, seq, ord, flags, %s AS \"value\"",
	    values[ask->q->sample]);
}

static void
distribution_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	(void)unit;
	(void)place;
	duck_read_columns(&ask->sql, &table_defs[TABLE_DISTRIBUTIONS]);
}

static void
metric_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text,
	    STR("name, unit, type, temporality, is_monotonic, description, series_id, time_ns"));
}

static void
id_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text, STR("series_id, time_ns"));
}

static void
definition_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text,
	    STR("series_id, name, unit, type, temporality, is_monotonic, service, "));
	duck_query_column(ask, source, &table_defs[TABLE_POINTS], POINT_ATTRIBUTES);
	buf_str(&ask->sql.text, STR(", resource_id, scope_id"));
}

typedef void (*columns_fn)(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place);

/* "SELECT .. UNION ALL SELECT .." over all that has rows in the window of q; false: nothing has. */
static bool
put_points(struct duck_question *ask, const struct store_query *q, columns_fn columns)
{
	struct duck_units u;
	if (q->to_ns == 0)
		return false;
	duck_units_find(ask, TABLE_POINTS, q->from_ns,
	    q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	memset(chosen, 1, u.count);
	bool any = duck_units_put(ask, q, &u, chosen, columns);
	free(chosen);
	duck_units_fini(&u);
	return any;
}

/* Take the row too many off. */
static void
cut(struct duck_question *ask)
{
	struct store_result *r = ask->result;
	r->more = r->rows.row_count > ask->q->row_max;
	if (r->more)
		table_truncate(&r->rows, ask->q->row_max);
}

static enum err_code
read_rows(struct duck_question *ask, struct table *out, struct err *err)
{
	return duck_read(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns, out, err);
}

/* ---- samples, metrics */

static enum err_code
answer_samples(struct duck_question *ask, struct err *err)
{
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT * FROM ("));
	if (!put_points(ask, ask->q,
	        ask->q->kind == STORE_SAMPLES ? sample_columns : distribution_columns))
		return ERR_OK;
	buf_printf(&ask->sql.text, ") LIMIT %zu", ask->q->row_max + 1);
	enum err_code code = read_rows(ask, &ask->result->rows, err);
	if (code == ERR_OK)
		cut(ask);
	return code;
}

static enum err_code
answer_metrics(struct duck_question *ask, struct err *err)
{
	struct buf *text = &ask->sql.text;
	duck_sql_reset(&ask->sql);
	/* By series first: distinct ids of each metric are then rows to be counted. */
	buf_str(text,
	    STR("SELECT name, unit, type, temporality, is_monotonic, arg_max(d, b), count(*)::UBIGINT,"
	        " sum(n)::UBIGINT, min(a), max(b) FROM (SELECT name, unit, type, temporality,"
	        " is_monotonic, arg_max(description, time_ns) AS d, count(*) AS n, min(time_ns) AS a,"
	        " max(time_ns) AS b FROM ("));
	if (!put_points(ask, ask->q, metric_columns))
		return ERR_OK;
	buf_printf(text,
	    ") GROUP BY name, unit, type, temporality, is_monotonic, series_id)"
	    " GROUP BY name, unit, type, temporality, is_monotonic"
	    " ORDER BY name, unit, type, temporality, is_monotonic LIMIT %zu",
	    ask->q->row_max + 1);
	enum err_code code = read_rows(ask, &ask->result->rows, err);
	if (code == ERR_OK)
		cut(ask);
	return code;
}

/* ---- series */

struct found {
	uint64_t id, points, first_ns, last_ns;
};

struct finding {
	struct duck_question *ask;
	struct buf ids; /* of struct found, by id */
	unsigned char *defined; /* an id has its row */
	size_t missing;
};

static struct found *
found_of(const struct finding *f)
{
	void *bytes = f->ids.ptr;
	return bytes;
}

static size_t
found_count(const struct finding *f)
{
	return f->ids.len / sizeof(struct found);
}

static int
by_id(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return (x->id > y->id) - (x->id < y->id);
}

static enum err_code
find_ids(struct finding *f, struct err *err)
{
	struct duck_question *ask = f->ask;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text,
	    STR("SELECT series_id, count(*)::UBIGINT, min(time_ns), max(time_ns) FROM ("));
	if (!put_points(ask, ask->q, id_columns))
		return ERR_OK;
	buf_str(&ask->sql.text, STR(") GROUP BY series_id"));
	enum err_code code = duck_read_words(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, &f->ids, err);
	if (code != ERR_OK || f->ids.len == 0)
		return code;
	qsort(f->ids.ptr, found_count(f), sizeof(struct found), by_id);
	ask->result->more = found_count(f) > ask->q->row_max;
	if (ask->result->more)
		f->ids.len = ask->q->row_max * sizeof(struct found);
	f->missing = found_count(f);
	return ERR_OK;
}

/* The window that the definitions are read from next. */
static struct store_query
next_window(const struct finding *f, bool all)
{
	struct store_query q = *f->ask->q;
	uint64_t last = 0, length = (uint64_t)DEFINITION_WINDOW_S * NS_PER_S;
	for (size_t i = 0; i < found_count(f); i++)
		if (!f->defined[i] && found_of(f)[i].last_ns > last)
			last = found_of(f)[i].last_ns;
	q.to_ns = last == UINT64_MAX ? UINT64_MAX : last + 1;
	uint64_t from = last - last % length; /* where a seal's rows of these 10 minutes begin */
	if (!all && from > q.from_ns)
		q.from_ns = from;
	return q;
}

/* Rows of series that are asked for and have none yet stay, with their counts. */
static void
keep_wanted(struct finding *f, size_t before)
{
	struct table *rows = &f->ask->result->rows;
	size_t kept = before;
	uint32_t *order = xcalloc(rows->row_count + 1, sizeof(*order));
	size_t left = rows->row_count;
	for (size_t row = 0; row < rows->row_count; row++) {
		struct found key = {.id = table_u64(rows, row, SERIES_ID)};
		const struct found *at = row < before
		    ? NULL
		    : bsearch(&key, f->ids.ptr, found_count(f), sizeof(key), by_id);
		size_t place = at ? (size_t)(at - found_of(f)) : 0;
		if (row < before) {
			order[row] = (uint32_t)row;
			continue;
		}
		if (!at || f->defined[place]) {
			order[--left] = (uint32_t)row;
			continue;
		}
		f->defined[place] = 1;
		f->missing--;
		table_set_u64(rows, row, SERIES_POINTS, at->points);
		table_set_u64(rows, row, SERIES_FIRST_NS, at->first_ns);
		table_set_u64(rows, row, SERIES_LAST_NS, at->last_ns);
		order[kept++] = (uint32_t)row;
	}
	CHECK(kept == left);
	table_reorder(rows, order);
	table_truncate(rows, kept);
	free(order);
}

static enum err_code
read_definitions(struct finding *f, bool all, struct err *err)
{
	struct duck_question *ask = f->ask;
	struct store_query q = next_window(f, all);
	size_t before = ask->result->rows.row_count;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text,
	    STR("SELECT series_id, any_value(name), any_value(unit), any_value(type),"
	        " any_value(temporality), any_value(is_monotonic), any_value(service),"
	        " any_value(attributes), any_value(resource_id), any_value(scope_id), 0::UBIGINT,"
	        " 0::UBIGINT, 0::UBIGINT FROM ("));
	if (!put_points(ask, &q, definition_columns))
		return ERR_OK;
	buf_str(&ask->sql.text, STR(") GROUP BY series_id"));
	enum err_code code = read_rows(ask, &ask->result->rows, err);
	if (code == ERR_OK)
		keep_wanted(f, before);
	return code;
}

static void
sort_series(struct duck_question *ask)
{
	struct table *rows = &ask->result->rows;
	struct found *keys = xcalloc(rows->row_count + 1, sizeof(*keys));
	uint32_t *order = xcalloc(rows->row_count + 1, sizeof(*order));
	for (size_t i = 0; i < rows->row_count; i++)
		keys[i] = (struct found){.id = table_u64(rows, i, SERIES_ID), .points = i};
	qsort(keys, rows->row_count, sizeof(*keys), by_id);
	for (size_t i = 0; i < rows->row_count; i++)
		order[i] = (uint32_t)keys[i].points;
	table_reorder(rows, order);
	free(keys);
	free(order);
}

static enum err_code
answer_series(struct duck_question *ask, struct err *err)
{
	struct finding f = {.ask = ask};
	enum err_code code = find_ids(&f, err);
	f.defined = xcalloc(found_count(&f) + 1, 1);
	for (int step = 0; f.missing > 0 && code == ERR_OK; step++) {
		size_t before = f.missing;
		code = read_definitions(&f, step >= STEPS_MAX, err);
		if (code == ERR_OK && f.missing == before)
			code = err_set(err, ERR_INTERNAL,
			    "%zu series were found, but not what they are", before);
	}
	if (code == ERR_OK)
		sort_series(ask);
	if (code == ERR_OK)
		code = duck_read_dict(ask, SERIES_RESOURCE_ID, &ask->result->resources, err);
	if (code == ERR_OK)
		code = duck_read_dict(ask, SERIES_SCOPE_ID, &ask->result->scopes, err);
	free(f.defined);
	buf_fini(&f.ids);
	return code;
}

enum err_code
duck_series_answer(struct duck_question *ask, struct err *err)
{
	switch ((int)ask->q->kind) {
	case STORE_METRICS: return answer_metrics(ask, err);
	case STORE_SERIES: return answer_series(ask, err);
	default: return answer_samples(ask, err);
	}
}
