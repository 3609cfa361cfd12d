/* SPDX-License-Identifier: Apache-2.0 */
/* Points as metrics, series and samples: random ones are sent, and what the store says of them is counted again from the list
 * of what was sent. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "tests/random.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define NOW CONFORMANCE_NOW_NS

enum { DEFINITIONS = 24, BATCHES = 10, ROWS = 60, SENT_MAX = BATCHES * ROWS, QUESTIONS = 60 };

/* What a series is; number k of them. */
struct definition {
	struct str tenant, name, unit, service, attributes;
	int32_t type, temporality;
	bool monotonic;
	uint64_t resource, scope, id;
};

struct sent {
	size_t series;
	uint64_t time_ns, start_ns, seq;
	uint32_t ord, flags;
	bool has_int, has_double, has_sum;
	int64_t i64;
	double f64;
	uint64_t count;
};

struct world {
	struct rng rng;
	struct definition series[DEFINITIONS];
	struct sent sent[SENT_MAX];
	size_t count;
};

static void
define(struct world *w)
{
	static const char *const names[] = {"http.server.duration", "queue", "it's \"x\""};
	static const char *const maps[] = {
	    "{\"http.route\":\"/a\",\"code\":200}", "{\"code\":500}", NULL, "{\"a\\nb\":1.5}"};
	for (size_t k = 0; k < DEFINITIONS; k++) {
		struct definition *d = &w->series[k];
		bool other = k % 6 == 5;
		*d = (struct definition){.tenant = other ? STR("globex") : STR("acme"),
		    .name = str_from(names[k % 3]),
		    .unit = k % 4 == 1 ? STR("ms") : STR(""),
		    .service = k % 2 ? STR("cart") : STR("checkout"),
		    .attributes = str_from(maps[k % 4]),
		    .type = (int32_t)(k % 5) + 1,
		    .temporality = (int32_t)(k % 3),
		    .monotonic = k % 5 == 1 && k % 2 == 0,
		    .resource = 1000 + k % 7 * 2 + k % 2 + (other ? 100 : 0),
		    .scope = 2000 + k % 3 + (other ? 100 : 0),
		    .id = UINT64_C(0xF000000000000000) + k * 7919};
	}
}

static void
add_dictionaries(struct batch *b, const struct definition *d)
{
	bool added;
	size_t row = batch_resource(b, d->tenant, d->resource, &added);
	if (added)
		table_set_str(&b->tables[TABLE_RESOURCES], row, RESOURCE_SERVICE, d->service);
	row = batch_scope(b, d->tenant, d->scope, &added);
	if (added)
		table_set_str(&b->tables[TABLE_SCOPES], row, SCOPE_NAME, STR("scope"));
}

static void
put_value(struct table *t, size_t row, const struct sent *p)
{
	static const double bounds[] = {0.5, 1.5};
	uint64_t *counts = arena_array(t->arena, 3, sizeof(*counts));
	if (p->has_int)
		table_set_i64(t, row, POINT_VALUE_INT, p->i64);
	if (p->has_double)
		table_set_f64(t, row, POINT_VALUE, p->f64);
	if (p->has_int || p->has_double)
		return;
	table_set_u64(t, row, POINT_COUNT, p->count);
	if (p->has_sum)
		table_set_f64(t, row, POINT_SUM, p->f64);
	for (size_t i = 0; i < 3; i++)
		counts[i] = p->count + i;
	table_set_f64s(t, row, POINT_BOUNDS, (struct f64s){bounds, 2});
	table_set_u64s(t, row, POINT_BUCKETS, (struct u64s){counts, 3});
	table_set_i32(t, row, POINT_SCALE, (int32_t)p->count - 3);
}

static void
put_point(struct world *w, struct batch *b, uint32_t ord)
{
	struct sent *p = &w->sent[w->count++];
	struct table *t = &b->tables[TABLE_POINTS];
	size_t row = table_add_row(t);
	*p = (struct sent){.series = rng_below(&w->rng, DEFINITIONS),
	    .time_ns =
	        NOW - rng_below(&w->rng, 3) * NS_PER_DAY - rng_below(&w->rng, 40) * 500 * NS_PER_S,
	    .start_ns = rng_below(&w->rng, 3),
	    .seq = b->last_seq,
	    .ord = ord,
	    .flags = rng_below(&w->rng, 9) == 0,
	    .i64 = (int64_t)rng_below(&w->rng, 1000) - 500,
	    .f64 = (double)rng_below(&w->rng, 1000) / 8,
	    .count = rng_below(&w->rng, 9)};
	const struct definition *d = &w->series[p->series];
	bool number = d->type <= POINT_SUM_TYPE;
	p->has_int = number && rng_below(&w->rng, 3) == 0;
	p->has_double = number && !p->has_int && p->flags == 0;
	p->has_sum = !number && rng_below(&w->rng, 4) > 0;
	add_dictionaries(b, d);
	table_set_str(t, row, POINT_TENANT, d->tenant);
	table_set_u64(t, row, POINT_SEQ, p->seq);
	table_set_u32(t, row, POINT_ORD, p->ord);
	table_set_u64(t, row, POINT_TIME_NS, p->time_ns);
	table_set_u64(t, row, POINT_START_NS, p->start_ns);
	table_set_str(t, row, POINT_SERVICE, d->service);
	table_set_str(t, row, POINT_NAME, d->name);
	table_set_str(t, row, POINT_DESCRIPTION, STR("about it"));
	table_set_str(t, row, POINT_UNIT, d->unit);
	table_set_i32(t, row, POINT_TYPE, d->type);
	table_set_i32(t, row, POINT_TEMPORALITY, d->temporality);
	table_set_bool(t, row, POINT_MONOTONIC, d->monotonic);
	table_set_u64(t, row, POINT_SERIES_ID, d->id);
	if (d->attributes.ptr)
		table_set_str(t, row, POINT_ATTRIBUTES, d->attributes);
	table_set_u32(t, row, POINT_FLAGS, p->flags);
	table_set_u64(t, row, POINT_RESOURCE_ID, d->resource);
	table_set_u64(t, row, POINT_SCOPE_ID, d->scope);
	put_value(t, row, p);
}

static struct world *
send_points(struct store *s)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct batch b;
	w->rng.state = 42;
	define(w);
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= BATCHES; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		for (uint32_t i = 0; i < ROWS; i++)
			put_point(w, &b, i);
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
	return w;
}

/* ---- questions */

struct question {
	struct store_query q;
	struct str names[2];
	uint64_t series[3];
};

static void
random_question(struct world *w, enum store_query_kind kind, struct question *out)
{
	struct store_query *q = &out->q;
	*q = store_conformance_question(kind, rng_below(&w->rng, 4) ? "acme" : "globex");
	for (size_t i = 0; i < 2; i++)
		out->names[i] = w->series[rng_below(&w->rng, DEFINITIONS)].name;
	for (size_t i = 0; i < 3; i++)
		out->series[i] = w->series[rng_below(&w->rng, DEFINITIONS)].id;
	q->names = out->names;
	q->name_count = rng_below(&w->rng, 3);
	if (rng_below(&w->rng, 4) == 0)
		q->service = rng_below(&w->rng, 3) ? STR("cart") : STR("none");
	if (rng_below(&w->rng, 2))
		q->from_ns = NOW - rng_below(&w->rng, 3) * NS_PER_DAY -
		    rng_below(&w->rng, 40) * 500 * NS_PER_S;
	if (rng_below(&w->rng, 2))
		q->to_ns = NOW - rng_below(&w->rng, 2) * NS_PER_DAY -
		    rng_below(&w->rng, 40) * 500 * NS_PER_S;
	if (kind == STORE_SAMPLES || kind == STORE_DISTRIBUTIONS) {
		q->series = out->series;
		q->series_count = rng_below(&w->rng, 4);
		q->sample = (enum store_sample)rng_below(&w->rng, 3);
	}
}

static bool
is_asked_for(const struct world *w, const struct question *ask, const struct sent *p)
{
	const struct definition *d = &w->series[p->series];
	const struct store_query *q = &ask->q;
	bool named = q->name_count == 0, listed = q->series_count == 0;
	for (size_t i = 0; i < q->name_count; i++)
		named = named || str_eq(q->names[i], d->name);
	for (size_t i = 0; i < q->series_count; i++)
		listed = listed || q->series[i] == d->id;
	return named && listed && str_eq(d->tenant, q->tenant) && p->time_ns >= q->from_ns &&
	    (q->to_ns == UINT64_MAX || p->time_ns < q->to_ns) &&
	    (q->service.len == 0 || str_eq(q->service, d->service));
}

/* Of an answer of so many rows all but one. */
static void
ask_for_fewer(struct store *s, struct store_query *q, size_t rows, struct arena *arena)
{
	struct store_result r;
	if (rows < 2)
		return;
	q->row_max = rows - 1;
	store_conformance_ask(s, q, arena, &r);
	assert_true(r.more);
	assert_int_equal(r.rows.row_count, rows - 1);
}

/* ---- metrics */

static bool
same_metric(const struct definition *a, const struct definition *b)
{
	return str_eq(a->name, b->name) && str_eq(a->unit, b->unit) && a->type == b->type &&
	    a->temporality == b->temporality && a->monotonic == b->monotonic;
}

static bool
is_row_of(const struct table *t, size_t row, const struct definition *d)
{
	return str_eq(table_str(t, row, METRIC_NAME), d->name) &&
	    str_eq(table_str(t, row, METRIC_UNIT), d->unit) &&
	    table_i32(t, row, METRIC_TYPE) == d->type &&
	    table_i32(t, row, METRIC_TEMPORALITY) == d->temporality &&
	    table_bool(t, row, METRIC_MONOTONIC) == d->monotonic;
}

/* Counts of what is like series k, from the list. */
static void
count_again(const struct world *w, const struct question *ask, size_t k, bool metric,
    uint64_t *series, uint64_t *points, uint64_t *first, uint64_t *last)
{
	bool seen[DEFINITIONS] = {false};
	*series = *points = *last = 0;
	*first = UINT64_MAX;
	for (size_t i = 0; i < w->count; i++) {
		const struct sent *p = &w->sent[i];
		bool same =
		    metric ? same_metric(&w->series[p->series], &w->series[k]) : p->series == k;
		if (!same || !is_asked_for(w, ask, p))
			continue;
		*series += !seen[p->series];
		seen[p->series] = true;
		++*points;
		*first = p->time_ns < *first ? p->time_ns : *first;
		*last = p->time_ns > *last ? p->time_ns : *last;
	}
}

static size_t
check_metric(const struct world *w, const struct question *ask, const struct table *t, size_t k)
{
	uint64_t series, points, first, last;
	size_t row = 0;
	for (size_t i = 0; i < k; i++)
		if (same_metric(&w->series[i], &w->series[k]))
			return 0; /* has been looked at */
	count_again(w, ask, k, true, &series, &points, &first, &last);
	while (row < t->row_count && !is_row_of(t, row, &w->series[k]))
		row++;
	assert_int_equal(row < t->row_count, points > 0);
	if (points == 0)
		return 0;
	assert_true(table_u64(t, row, METRIC_SERIES) == series);
	assert_true(table_u64(t, row, METRIC_POINTS) == points);
	assert_true(table_u64(t, row, METRIC_FIRST_NS) == first);
	assert_true(table_u64(t, row, METRIC_LAST_NS) == last);
	assert_true(str_eq(table_str(t, row, METRIC_DESCRIPTION), STR("about it")));
	return 1;
}

void
store_conformance_metrics_are_counted_exactly(struct store *s)
{
	struct world *w = send_points(s);
	struct arena arena = {0};
	for (int n = 0; n < QUESTIONS; n++) {
		struct question ask;
		struct store_result r;
		size_t rows = 0;
		random_question(w, STORE_METRICS, &ask);
		store_conformance_ask(s, &ask.q, &arena, &r);
		assert_false(r.more);
		for (size_t k = 0; k < DEFINITIONS; k++)
			rows += check_metric(w, &ask, &r.rows, k);
		assert_int_equal(rows, r.rows.row_count);
		for (size_t i = 1; i < rows; i++)
			assert_true(str_cmp(table_str(&r.rows, i - 1, METRIC_NAME),
			                table_str(&r.rows, i, METRIC_NAME)) <= 0);
		ask_for_fewer(s, &ask.q, rows, &arena);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	free(w);
}

/* ---- series */

static void
check_series(const struct world *w, const struct question *ask, const struct store_result *r,
    size_t row, size_t k)
{
	const struct definition *d = &w->series[k];
	const struct table *t = &r->rows;
	uint64_t series, points, first, last;
	count_again(w, ask, k, false, &series, &points, &first, &last);
	assert_true(table_u64(t, row, SERIES_ID) == d->id);
	assert_true(table_u64(t, row, SERIES_POINTS) == points);
	assert_true(table_u64(t, row, SERIES_FIRST_NS) == first);
	assert_true(table_u64(t, row, SERIES_LAST_NS) == last);
	assert_true(str_eq(table_str(t, row, SERIES_NAME), d->name));
	assert_true(str_eq(table_str(t, row, SERIES_UNIT), d->unit));
	assert_true(str_eq(table_str(t, row, SERIES_SERVICE), d->service));
	assert_int_equal(table_i32(t, row, SERIES_TYPE), d->type);
	assert_int_equal(table_i32(t, row, SERIES_TEMPORALITY), d->temporality);
	assert_int_equal(table_bool(t, row, SERIES_MONOTONIC), d->monotonic);
	assert_int_equal(table_is_null(t, row, SERIES_ATTRIBUTES), d->attributes.ptr == NULL);
	if (d->attributes.ptr)
		assert_true(str_eq(table_str(t, row, SERIES_ATTRIBUTES), d->attributes));
	assert_true(table_u64(t, row, SERIES_RESOURCE_ID) == d->resource);
	assert_true(store_find_id(&r->resources, d->resource) != SIZE_MAX);
	assert_true(store_find_id(&r->scopes, d->scope) != SIZE_MAX);
}

void
store_conformance_series_are_what_their_points_are(struct store *s)
{
	struct world *w = send_points(s);
	struct arena arena = {0};
	for (int n = 0; n < QUESTIONS; n++) {
		struct question ask;
		struct store_result r;
		size_t row = 0;
		random_question(w, STORE_SERIES, &ask);
		store_conformance_ask(s, &ask.q, &arena, &r);
		assert_false(r.more);
		for (size_t k = 0; k < DEFINITIONS; k++) { /* their ids ascend */
			uint64_t series, points, first, last;
			count_again(w, &ask, k, false, &series, &points, &first, &last);
			if (points == 0)
				continue;
			assert_true(row < r.rows.row_count);
			check_series(w, &ask, &r, row++, k);
		}
		assert_int_equal(row, r.rows.row_count);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	free(w);
}

/* ---- samples */

static size_t
find_sent(const struct world *w, uint64_t seq, uint32_t ord)
{
	size_t place = (size_t)(seq - 1) * ROWS + ord;
	assert_true(place < w->count && w->sent[place].seq == seq && w->sent[place].ord == ord);
	return place;
}

static void
check_value(const struct sent *p, enum store_sample sample, const struct table *t, size_t row)
{
	bool number = p->has_int || p->has_double, set = !table_is_null(t, row, SAMPLE_VALUE);
	double v = set ? table_f64(t, row, SAMPLE_VALUE) : 0;
	bool wanted = sample == STORE_NUMBER ? number : false;
	double expected = p->has_int ? (double)p->i64 : p->f64;
	if (sample == STORE_COUNT && !number) {
		wanted = true;
		expected = (double)p->count;
	} else if (sample == STORE_SUM && !number) {
		wanted = p->has_sum;
		expected = p->f64;
	}
	/* A gauge without a value has neither; it was made with the columns of a histogram. */
	assert_int_equal(set, wanted);
	if (set)
		assert_true(v == expected);
}

static void
check_distribution(const struct sent *p, const struct table *t, size_t row)
{
	bool number = p->has_int || p->has_double;
	assert_int_equal(table_is_null(t, row, DIST_COUNT), number);
	if (number)
		return;
	struct u64s counts = table_u64s(t, row, DIST_BUCKETS);
	struct f64s bounds = table_f64s(t, row, DIST_BOUNDS);
	assert_true(table_u64(t, row, DIST_COUNT) == p->count);
	assert_int_equal(table_is_null(t, row, DIST_SUM), !p->has_sum);
	assert_int_equal(counts.len, 3);
	assert_true(counts.ptr[2] == p->count + 2);
	assert_int_equal(bounds.len, 2);
	assert_true(bounds.ptr[1] == 1.5);
	assert_int_equal(table_i32(t, row, DIST_SCALE), (int32_t)p->count - 3);
	assert_true(table_is_null(t, row, DIST_QUANTILES));
}

static void
check_samples(const struct world *w, const struct question *ask, const struct store_result *r)
{
	unsigned char seen[SENT_MAX] = {0};
	const struct table *t = &r->rows;
	size_t expected = 0;
	for (size_t i = 0; i < w->count; i++)
		expected += is_asked_for(w, ask, &w->sent[i]);
	assert_int_equal(t->row_count, expected);
	for (size_t row = 0; row < t->row_count; row++) {
		size_t place =
		    find_sent(w, table_u64(t, row, SAMPLE_SEQ), table_u32(t, row, SAMPLE_ORD));
		const struct sent *p = &w->sent[place];
		assert_true(is_asked_for(w, ask, p));
		assert_int_equal(seen[place], 0);
		seen[place] = 1;
		assert_true(table_u64(t, row, SAMPLE_SERIES_ID) == w->series[p->series].id);
		assert_true(table_u64(t, row, SAMPLE_TIME_NS) == p->time_ns);
		assert_true(table_u64(t, row, SAMPLE_START_NS) == p->start_ns);
		assert_int_equal(table_u32(t, row, SAMPLE_FLAGS), p->flags);
		if (ask->q.kind == STORE_SAMPLES)
			check_value(p, ask->q.sample, t, row);
		else
			check_distribution(p, t, row);
	}
}

void
store_conformance_samples_are_what_their_points_are(struct store *s)
{
	struct world *w = send_points(s);
	struct arena arena = {0};
	for (int n = 0; n < QUESTIONS; n++) {
		struct question ask;
		struct store_result r;
		random_question(w, n % 2 ? STORE_SAMPLES : STORE_DISTRIBUTIONS, &ask);
		store_conformance_ask(s, &ask.q, &arena, &r);
		assert_false(r.more);
		check_samples(w, &ask, &r);
		ask_for_fewer(s, &ask.q, r.rows.row_count, &arena);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	free(w);
}
