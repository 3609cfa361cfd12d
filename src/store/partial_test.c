/* SPDX-License-Identifier: Apache-2.0 */
/* Partials: what they count, that parts add up to the whole byte for byte, that bytes are not trusted. */
#include "store/partial.h"

#include "base/hash.h"
#include "tests/flood.h"
#include "tests/random.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4000, PARTS_MAX = 8 };

enum kind { SPAN, LOG, POINT };

struct item {
	enum kind kind;
	struct partial_row row;
	char service[40], name[40];
};

static void
draw(struct rng *r, struct item *it, size_t services, size_t names)
{
	*it = (struct item){.kind = (enum kind)(rng_next(r) % 3)};
	snprintf(it->service, sizeof(it->service), "service-%zu", (size_t)(rng_next(r) % services));
	snprintf(it->name, sizeof(it->name), "%s/%zu",
	    rng_next(r) % 2 ? "GET /items" : "POST /items", (size_t)(rng_next(r) % names));
	it->row = (struct partial_row){
	    .service = str_from(it->service),
	    .name = str_from(it->name),
	    .time_ns = rng_next(r) % 3000,
	    .duration_ns =
	        rng_next(r) % 20 ? (int64_t)(rng_next(r) >> (10 + rng_next(r) % 50)) : -1,
	    .code = it->kind == SPAN ? (int32_t)(rng_next(r) % 3) : (int32_t)(rng_next(r) % 30) - 2,
	    .hash = partial_trace_hash(rng_next(r) % 3, rng_next(r) % 200),
	};
}

static void
count(struct partial *p, const struct item *it)
{
	int window = partial_window_of(p, it->row.time_ns);
	if (window < 0 || (p->scope.service.len > 0 && !str_eq(p->scope.service, it->row.service)))
		return;
	if (it->kind == SPAN)
		partial_add_span(p, (unsigned)window, &it->row);
	else if (it->kind == LOG)
		partial_add_log(p, (unsigned)window, &it->row);
	else
		partial_add_point(p, (unsigned)window, &it->row);
}

static struct partial_scope
draw_scope(struct rng *r)
{
	static const unsigned wants[] = {PARTIAL_SPANS, PARTIAL_OPERATIONS, PARTIAL_LOGS,
	    PARTIAL_POINTS, PARTIAL_TRACES, PARTIAL_SPANS | PARTIAL_LOGS,
	    PARTIAL_ALL & ~PARTIAL_TRACES_BY_SERVICE};
	struct partial_scope s = {.window_count = 1 + (unsigned)(rng_next(r) % 2)};
	s.want = wants[rng_next(r) % 7];
	s.windows[0] = (struct partial_span){1000, rng_next(r) % 4 ? 2000 : UINT64_MAX};
	if (s.window_count == 2)
		s.windows[1] = (struct partial_span){rng_next(r) % 500, 1000};
	if (rng_next(r) % 4 == 0)
		s.service = STR("service-1");
	if (rng_next(r) % 2) {
		s.services_max = 1 + rng_next(r) % 6;
		s.operations_max = 1 + rng_next(r) % 10;
		s.exact_max = 1 + rng_next(r) % 100;
	}
	return s;
}

static void
pack(struct partial *p, struct buf *out)
{
	buf_reset(out);
	partial_pack(p, out);
	assert_false(out->failed);
}

static void
add_up(struct rng *r, struct partial *to, struct partial *part, size_t parts)
{
	struct err err = {0};
	struct buf bytes = {0};
	size_t order[PARTS_MAX];
	for (size_t i = 0; i < parts; i++) {
		size_t k = rng_next(r) % (i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (size_t i = 0; i < parts; i++) {
		struct partial *from = &part[order[i]];
		enum err_code code;
		if (rng_next(r) % 2) {
			if (rng_next(r) % 2)
				partial_settle(from);
			code = partial_merge(to, from, &err);
		} else {
			pack(from, &bytes);
			code = partial_unpack(to, buf_view(&bytes), &err);
		}
		if (code != ERR_OK)
			fail_msg("%s", err.message);
	}
	buf_fini(&bytes);
}

TEST(partial, any_split_merged_in_any_order_has_the_bytes_of_the_whole)
{
	struct rng r = {1};
	struct item *items = xcalloc(ROWS_MAX, sizeof(*items));
	struct buf a = {0}, b = {0};
	for (int round = 0; round < 300; round++) {
		size_t n = rng_next(&r) % (round % 10 ? 300 : ROWS_MAX),
		       parts = 1 + rng_next(&r) % PARTS_MAX;
		size_t services = 1 + rng_next(&r) % 12, names = 1 + rng_next(&r) % 30;
		struct partial_scope scope = draw_scope(&r);
		struct partial whole, merged, part[PARTS_MAX];
		partial_init(&whole, &scope, 0);
		partial_init(&merged, &scope, 0);
		for (size_t i = 0; i < parts; i++)
			partial_init(&part[i], &scope, 0);
		for (size_t i = 0; i < n; i++) {
			draw(&r, &items[i], services, names);
			items[i].row.service = str_from(items[i].service);
			items[i].row.name = str_from(items[i].name);
			count(&whole, &items[i]);
			count(&part[rng_next(&r) % parts], &items[i]);
		}
		add_up(&r, &merged, part, parts);
		pack(&whole, &a);
		pack(&merged, &b);
		assert_true(str_eq(buf_view(&a), buf_view(&b)));
		pack(&merged, &b); /* reading it out does not change it */
		assert_true(str_eq(buf_view(&a), buf_view(&b)));
		partial_fini(&whole);
		partial_fini(&merged);
		for (size_t i = 0; i < parts; i++)
			partial_fini(&part[i]);
	}
	buf_fini(&a);
	buf_fini(&b);
	free(items);
}

/* ---- what is counted */

static bool
in_window(const struct partial_span *s, uint64_t t)
{
	return t >= s->from_ns && (s->to_ns == UINT64_MAX || t < s->to_ns);
}

static void
check_service(const struct item *items, size_t n, const struct partial_span *window,
    const struct partial_entry *e)
{
	uint64_t spans = 0, errors = 0, ended = 0, points = 0, logs[PARTIAL_SEVERITIES] = {0};
	uint64_t first = UINT64_MAX, last = 0;
	hist_u128 sum = 0;
	for (size_t i = 0; i < n; i++) {
		const struct partial_row *row = &items[i].row;
		if (!in_window(window, row->time_ns) || !str_eq(row->service, e->service))
			continue;
		first = row->time_ns < first ? row->time_ns : first;
		last = row->time_ns > last ? row->time_ns : last;
		if (items[i].kind == POINT)
			points++;
		if (items[i].kind == LOG) {
			int32_t c = row->code;
			logs[c < 1 || c > 24 ? 0
			        : c <= 4     ? 1
			        : c <= 8     ? 2
			        : c <= 12    ? 3
			        : c <= 16    ? 4
			        : c <= 20    ? 5
			                     : 6]++;
		}
		if (items[i].kind != SPAN)
			continue;
		spans++;
		errors += row->code == 2;
		ended += row->duration_ns >= 0;
		sum += row->duration_ns >= 0 ? (uint64_t)row->duration_ns : 0;
	}
	assert_int_equal(e->tally.spans, spans);
	assert_int_equal(e->tally.errors, errors);
	assert_int_equal(e->tally.durations.count, ended);
	assert_true(e->tally.durations.sum == sum);
	assert_int_equal(e->tally.points, points);
	assert_memory_equal(e->tally.logs, logs, sizeof(logs));
	assert_true(e->tally.first_ns == first && e->tally.last_ns == last);
}

TEST(partial, counts_are_those_of_the_rows_in_the_window)
{
	struct rng r = {2};
	enum { N = 2000 };
	struct item *items = xcalloc(N, sizeof(*items));
	struct partial_scope scope = {.want = PARTIAL_ALL & ~PARTIAL_TRACES_BY_SERVICE,
	    .windows = {{2000, 3000}, {500, 2000}},
	    .window_count = 2};
	struct partial p;
	partial_init(&p, &scope, 0);
	for (size_t i = 0; i < N; i++) {
		draw(&r, &items[i], 5, 4);
		items[i].row.service = str_from(items[i].service);
		items[i].row.name = str_from(items[i].name);
		count(&p, &items[i]);
	}
	partial_settle(&p);
	for (unsigned w = 0; w < 2; w++) {
		const struct partial_window *win = &p.windows[w];
		unsigned char traces[3 * 200] = {0};
		size_t distinct = 0, spans = 0;
		assert_int_equal(win->services.count, 5);
		for (size_t i = 0; i < 5; i++)
			check_service(items, N, &scope.windows[w], &win->services.entries[i]);
		for (size_t i = 0; i < N; i++) {
			if (items[i].kind != SPAN ||
			    !in_window(&scope.windows[w], items[i].row.time_ns))
				continue;
			spans++;
			for (uint64_t t = 0; t < 600; t++)
				if (items[i].row.hash == partial_trace_hash(t / 200, t % 200)) {
					distinct += !traces[t];
					traces[t] = 1;
				}
		}
		assert_int_equal(distinct_count(&win->traces), distinct);
		struct partial_tally total;
		partial_total(&win->operations, &total);
		assert_int_equal(total.spans, spans);
		partial_tally_fini(&total);
		assert_int_equal(distinct_count(&win->names), 8);
	}
	partial_fini(&p);
	free(items);
}

TEST(partial, what_is_too_many_is_in_the_rest_and_totals_are_whole)
{
	struct partial_scope scope = {.want = PARTIAL_OPERATIONS,
	    .windows = {{0, UINT64_MAX}},
	    .window_count = 1,
	    .operations_max = 10};
	struct partial p;
	struct partial_tally total;
	char name[24];
	partial_init(&p, &scope, 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "GET /users/%d", i % 1000);
		struct partial_row row = {.service = STR("api"),
		    .name = str_from(name),
		    .duration_ns = i,
		    .code = i % 1000 < 10 ? 2 : 0};
		partial_add_span(&p, 0, &row);
	}
	partial_settle(&p);
	const struct partial_map *m = &p.windows[0].operations;
	assert_true(m->truncated && m->count == 10);
	for (size_t i = 0; i < m->count; i++) /* whole, or not at all */
		assert_int_equal(m->entries[i].tally.spans, 5);
	partial_total(m, &total);
	assert_int_equal(total.spans, 5000);
	assert_int_equal(total.errors, 50);
	assert_int_equal(total.durations.count, 5000);
	assert_int_equal(m->other.spans, 4950);
	partial_tally_fini(&total);
	partial_fini(&p);
}

TEST(partial, parts_of_something_else_do_not_add_up)
{
	struct partial_scope a = {.want = PARTIAL_SPANS, .windows = {{0, 10}}, .window_count = 1};
	struct partial_scope others[5] = {a, a, a, a, a};
	others[0].want = PARTIAL_LOGS;
	others[1].windows[0].to_ns = 11;
	others[2].service = STR("x");
	others[3].window_count = 2;
	others[4].exact_max = 7;
	struct partial p;
	struct buf bytes = {0};
	struct err err = {0};
	partial_init(&p, &a, 0);
	for (int i = 0; i < 5; i++) {
		struct partial other;
		partial_init(&other, &others[i], 0);
		assert_int_equal(partial_merge(&p, &other, &err), ERR_INVALID);
		pack(&other, &bytes);
		assert_int_equal(partial_unpack(&p, buf_view(&bytes), &err), ERR_INVALID);
		partial_fini(&other);
	}
	buf_fini(&bytes);
	partial_fini(&p);
}

TEST(partial, more_than_the_budget_is_too_large)
{
	struct partial_scope scope = {
	    .want = PARTIAL_OPERATIONS, .windows = {{0, UINT64_MAX}}, .window_count = 1};
	struct partial p, again;
	struct err err = {0};
	struct buf bytes = {0};
	char name[24];
	partial_init(&p, &scope, 1 << 20);
	assert_int_equal(partial_fits(&p, &err), ERR_OK);
	for (int i = 0; i < 9000; i++) {
		snprintf(name, sizeof(name), "operation %d", i);
		struct partial_row row = {.service = STR("api"), .name = str_from(name)};
		partial_add_span(&p, 0, &row);
	}
	assert_int_equal(partial_fits(&p, &err), ERR_TOO_LARGE);
	pack(&p, &bytes);
	partial_init(&again, &scope, 1 << 20);
	assert_int_equal(partial_unpack(&again, buf_view(&bytes), &err), ERR_TOO_LARGE);
	partial_fini(&again);
	partial_init(&again, &scope, 0);
	assert_int_equal(partial_unpack(&again, buf_view(&bytes), &err), ERR_OK);
	partial_fini(&again);
	partial_fini(&p);
	buf_fini(&bytes);
}

/* ---- bytes */

static struct partial_scope
all_scope(void)
{
	return (struct partial_scope){.want = PARTIAL_ALL & ~PARTIAL_TRACES_BY_SERVICE,
	    .windows = {{1500, 3000}, {0, 1500}},
	    .window_count = 2,
	    .services_max = 3,
	    .operations_max = 5,
	    .exact_max = 40};
}

/* What is taken is written back as it was read. */
static enum err_code
take(struct str bytes)
{
	struct partial_scope scope = all_scope();
	struct partial p;
	struct buf again = {0};
	struct err err = {0};
	partial_init(&p, &scope, 0);
	enum err_code code = partial_unpack(&p, bytes, &err);
	if (code == ERR_OK) {
		pack(&p, &again);
		assert_true(str_eq(buf_view(&again), bytes));
	}
	buf_fini(&again);
	partial_fini(&p);
	return code;
}

TEST(partial, damaged_bytes_are_refused_or_mean_something)
{
	struct rng r = {7};
	struct partial_scope scope = all_scope();
	struct partial p;
	struct buf bytes = {0};
	struct item it;
	partial_init(&p, &scope, 0);
	for (int i = 0; i < 60; i++) {
		draw(&r, &it, 5, 3);
		it.row.service = str_from(it.service);
		it.row.name = str_from(it.name);
		count(&p, &it);
	}
	pack(&p, &bytes);
	assert_int_equal(take(buf_view(&bytes)), ERR_OK);
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_int_not_equal(take((struct str){bytes.ptr, cut}), ERR_OK);
	size_t refused = 0;
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
		refused += take(buf_view(&bytes)) != ERR_OK;
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
	}
	assert_true(refused > bytes.len);
	buf_char(&bytes, 0);
	assert_int_equal(take(buf_view(&bytes)), ERR_CORRUPT);
	buf_fini(&bytes);
	partial_fini(&p);
}

TEST(partial, kept_maps_count_for_whoever_wants_them)
{
	struct rng r = {8};
	struct partial_scope one = {.want = PARTIAL_SPANS | PARTIAL_OPERATIONS,
	    .windows = {{0, UINT64_MAX}},
	    .window_count = 1};
	struct partial_scope both = all_scope();
	struct partial kept, direct, from_kept;
	struct buf services = {0}, operations = {0}, a = {0}, b = {0};
	struct err err = {0};
	both.want = PARTIAL_SPANS | PARTIAL_OPERATIONS;
	both.service = STR("service-2");
	partial_init(&kept, &one, 0);
	partial_init(&direct, &both, 0);
	partial_init(&from_kept, &both, 0);
	for (int i = 0; i < 500; i++) {
		struct item it;
		draw(&r, &it, 4, 4);
		it.row.service = str_from(it.service);
		it.row.name = str_from(it.name);
		it.row.time_ns = 2000;
		it.kind = SPAN;
		count(&kept, &it);
		count(&direct, &it);
	}
	partial_pack_map(&kept, PARTIAL_SPANS, &services);
	partial_pack_map(&kept, PARTIAL_OPERATIONS, &operations);
	assert_int_equal(partial_unpack_map(&from_kept, 0, buf_view(&services), &err), ERR_OK);
	assert_int_equal(partial_unpack_map(&from_kept, 0, buf_view(&operations), &err), ERR_OK);
	pack(&direct, &a);
	pack(&from_kept, &b);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	for (size_t cut = 0; cut < operations.len; cut++)
		assert_int_equal(partial_unpack_map(&from_kept, 0,
		                     (struct str){operations.ptr, cut}, &err),
		    ERR_CORRUPT);
	buf_fini(&services);
	buf_fini(&operations);
	buf_fini(&a);
	buf_fini(&b);
	partial_fini(&kept);
	partial_fini(&direct);
	partial_fini(&from_kept);
}

/* Pairs of service and operation so that all have the same hash, as far as it has no secret. */
TEST(partial, operations_whose_hashes_were_made_equal_do_not_queue_up)
{
	enum { PAIRS = 100 };
	const struct partial_scope scope = {
	    .want = PARTIAL_OPERATIONS, .windows = {{0, UINT64_MAX}}, .window_count = 1};
	struct partial p;
	char services[PAIRS][16], names[PAIRS][8];
	size_t found = 0;
	partial_init(&p, &scope, 0);
	for (unsigned i = 0; found < PAIRS; i++) {
		int n = snprintf(services[found], sizeof(services[found]), "service-%u", i);
		uint64_t seed = hash_u64(str_of(services[found], (size_t)n));
		if (flood_text(UINT64_C(0x1234567890ABCDEF), seed, names[found]))
			found++;
	}
	for (size_t i = 0; i < 2 * PAIRS; i++) {
		struct partial_row row = {.service = str_from(services[i % PAIRS]),
		    .name = str_of(names[i % PAIRS], 8),
		    .time_ns = 1};
		partial_add_span(&p, 0, &row);
	}
	const struct partial_map *m = &p.windows[0].operations;
	assert_int_equal(m->count, PAIRS);
	for (size_t i = 0; i < m->count; i++) {
		assert_true(m->entries[i].hash == UINT64_C(0x1234567890ABCDEF));
		assert_int_equal(m->entries[i].tally.spans, 2);
	}
	for (size_t i = 0; i < m->places.cap; i++)
		assert_false(m->places.used[i] &&
		    map_get(&m->places, m->places.entries[i].key + 1));
	partial_fini(&p);
}
