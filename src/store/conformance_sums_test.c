/* SPDX-License-Identifier: Apache-2.0 */
/* Sums that stores give for analyses: against their own rows, and against one another. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "tests/random.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define NOW CONFORMANCE_NOW_NS

enum { PARTS_MAX = 8, DISTINCT_TEST_MAX = 5000 };

void
store_conformance_analyse(struct store *s, const char *tenant, struct partial *p)
{
	struct err err = {0};
	uint64_t deadline = clock_mono_ns() + 50 * NS_PER_S;
	if (store_analyse(s, str_from(tenant), deadline, p, &err) != ERR_OK)
		fail_msg("analyse: %s", err.message);
}

/* ---- against the rows that the store itself gives */

struct different { /* a plain list */
	uint64_t items[DISTINCT_TEST_MAX];
	size_t count;
};

static void
note(struct different *d, uint64_t item)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i] == item)
			return;
	assert_true(d->count < DISTINCT_TEST_MAX);
	d->items[d->count++] = item;
}

static void
ask_rows(struct store *s, enum store_query_kind kind, const char *tenant,
    const struct partial_scope *scope, unsigned window, struct arena *arena, struct store_result *r)
{
	struct store_query q = store_conformance_question(kind, tenant);
	q.from_ns = scope->windows[window].from_ns;
	q.to_ns = scope->windows[window].to_ns;
	q.service = scope->service;
	store_conformance_ask(s, &q, arena, r);
	assert_false(r->more);
}

static void
check_tally(const struct table *t, const char *which, struct str service, struct str operation,
    const struct partial_tally *got)
{
	uint64_t spans = 0, errors = 0, ended = 0, min = UINT64_MAX, max = 0;
	hist_u128 sum = 0;
	for (size_t i = 0; i < t->row_count; i++) {
		int64_t duration = table_i64(t, i, SPAN_DURATION_NS);
		if (!str_eq(table_str(t, i, SPAN_SERVICE), service) ||
		    (operation.ptr && !str_eq(table_str(t, i, SPAN_NAME), operation)))
			continue;
		spans++;
		errors += table_i32(t, i, SPAN_STATUS_CODE) == 2;
		if (duration < 0)
			continue;
		ended++;
		sum += (uint64_t)duration;
		min = (uint64_t)duration < min ? (uint64_t)duration : min;
		max = (uint64_t)duration > max ? (uint64_t)duration : max;
	}
	if (got->spans != spans || got->errors != errors || got->durations.count != ended)
		fail_msg("%s %.*s: %d spans, not %d", which, STR_ARG(service), (int)got->spans,
		    (int)spans);
	assert_true(got->durations.sum == sum);
	if (ended > 0)
		assert_true(got->durations.min == min && got->durations.max == max);
}

static void
check_spans(struct store *s, const char *tenant, const struct partial *p, unsigned window)
{
	struct arena arena = {0};
	struct store_result r;
	struct different *traces = xcalloc(1, sizeof(*traces));
	const struct partial_window *w = &p->windows[window];
	uint64_t in_services = 0, in_operations = 0;
	ask_rows(s, STORE_SPANS, tenant, &p->scope, window, &arena, &r);
	for (size_t i = 0; i < w->services.count; i++) {
		const struct partial_entry *e = &w->services.entries[i];
		check_tally(&r.rows, "service", e->service, STR_EMPTY, &e->tally);
		in_services += e->tally.spans;
		struct different *own = xcalloc(1, sizeof(*own));
		for (size_t k = 0; k < r.rows.row_count; k++)
			if (str_eq(table_str(&r.rows, k, SPAN_SERVICE), e->service))
				note(own,
				    table_u64(&r.rows, k, SPAN_TRACE_HI) * 1000 +
				        table_u64(&r.rows, k, SPAN_TRACE_LO));
		assert_int_equal(e->tally.traces, own->count);
		free(own);
	}
	for (size_t i = 0; i < w->operations.count; i++) {
		const struct partial_entry *e = &w->operations.entries[i];
		check_tally(&r.rows, "operation of", e->service, e->operation, &e->tally);
		in_operations += e->tally.spans;
	}
	assert_int_equal(in_services, r.rows.row_count);
	assert_int_equal(in_operations, r.rows.row_count);
	for (size_t i = 0; i < r.rows.row_count; i++)
		note(traces,
		    table_u64(&r.rows, i, SPAN_TRACE_HI) * 1000 +
		        table_u64(&r.rows, i, SPAN_TRACE_LO));
	assert_int_equal(distinct_count(&w->traces), traces->count);
	free(traces);
	arena_fini(&arena);
}

static void
check_logs_and_points(struct store *s, const char *tenant, const struct partial *p, unsigned window)
{
	struct arena arena = {0};
	struct store_result r;
	const struct partial_window *w = &p->windows[window];
	struct partial_tally total;
	uint64_t logs[PARTIAL_SEVERITIES] = {0};
	struct different *names = xcalloc(1, sizeof(*names));
	partial_total(&w->services, &total);
	ask_rows(s, STORE_LOGS, tenant, &p->scope, window, &arena, &r);
	for (size_t i = 0; i < r.rows.row_count; i++)
		logs[partial_severity_of(table_i32(&r.rows, i, LOG_SEVERITY_NUMBER))]++;
	assert_memory_equal(logs, total.logs, sizeof(logs));
	ask_rows(s, STORE_POINTS, tenant, &p->scope, window, &arena, &r);
	for (size_t i = 0; i < r.rows.row_count; i++)
		note(names, partial_name_hash(table_str(&r.rows, i, POINT_NAME)));
	assert_int_equal(total.points, r.rows.row_count);
	assert_int_equal(distinct_count(&w->names), names->count);
	partial_tally_fini(&total);
	free(names);
	arena_fini(&arena);
}

void
store_conformance_sums_are_those_of_the_rows(struct store *s)
{
	static const struct partial_span windows[][2] = {
	    {{0, UINT64_MAX}},
	    {{NOW - 2 * NS_PER_DAY, NOW - NS_PER_DAY},
	        {NOW - 4 * NS_PER_DAY, NOW - 2 * NS_PER_DAY}},
	    {{NOW - 7000 * NS_PER_S, NOW + 1}, {NOW - NS_PER_DAY, NOW - 7000 * NS_PER_S}},
	    {{NOW - NS_PER_DAY + 17, NOW - NS_PER_DAY / 2}},
	};
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 20; seq++) {
		store_conformance_batch(&b, seq * 77, seq, 60);
		store_conformance_put(s, &b);
	}
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		struct partial_scope scope = {.want = PARTIAL_ALL, .window_count = 1};
		struct partial p;
		memcpy(scope.windows, windows[i], sizeof(windows[i]));
		scope.window_count += windows[i][1].to_ns > 0;
		partial_init(&p, &scope, 0);
		store_conformance_analyse(s, "acme", &p);
		partial_settle(&p);
		for (unsigned w = 0; w < scope.window_count; w++) {
			check_spans(s, "acme", &p, w);
			check_logs_and_points(s, "acme", &p, w);
		}
		partial_fini(&p);
	}
	batch_fini(&b);
}

void
store_conformance_sums_of_nothing_are_empty(struct store *s)
{
	struct partial_scope scope = {
	    .want = PARTIAL_ALL, .windows = {{0, UINT64_MAX}}, .window_count = 1};
	struct partial p, none;
	struct buf a = {0}, b = {0};
	struct batch batch;
	partial_init(&p, &scope, 0);
	partial_init(&none, &scope, 0);
	store_conformance_analyse(s, "acme", &p);
	partial_pack(&p, &a);
	partial_pack(&none, &b);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	batch_init(&batch, 0);
	store_conformance_batch(&batch, 5, 1, 100);
	store_conformance_put(s, &batch);
	store_conformance_analyse(s, "nobody", &p);
	buf_reset(&a);
	partial_pack(&p, &a);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	partial_fini(&p);
	partial_fini(&none);
	batch_fini(&batch);
	buf_fini(&a);
	buf_fini(&b);
}

void
store_conformance_sums_are_of_one_tenant_and_service(struct store *s)
{
	static const char *const services[] = {"cart", "'; DROP TABLE meta; --", "no such service"};
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 10; seq++) {
		store_conformance_batch(&b, seq * 13, seq, 60);
		store_conformance_put(s, &b);
	}
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		for (int tenant = 0; tenant < 2; tenant++) {
			const char *name = tenant ? "globex" : "acme";
			struct partial_scope scope = {.want = PARTIAL_ALL,
			    .service = str_from(services[i]),
			    .windows = {{NOW - 3 * NS_PER_DAY, UINT64_MAX}},
			    .window_count = 1};
			struct partial p;
			partial_init(&p, &scope, 0);
			store_conformance_analyse(s, name, &p);
			partial_settle(&p);
			assert_int_equal(p.windows[0].services.count, i < 2);
			check_spans(s, name, &p, 0);
			check_logs_and_points(s, name, &p, 0);
			partial_fini(&p);
		}
	batch_fini(&b);
}

/* ---- against one another */

static uint64_t
random_time(struct rng *r)
{
	static const uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, NS_PER_DAY,
	    NOW + 300 * NS_PER_DAY, NOW - 500 * NS_PER_DAY};
	uint64_t t = NOW - rng_next(r) % 5 * NS_PER_DAY - rng_next(r) % 40 * 2160 * NS_PER_S;
	if (rng_next(r) % 8 == 0)
		return odd[rng_next(r) % ARRAY_LEN(odd)];
	return rng_next(r) % 2 ? t : t + rng_next(r) % (7200 * NS_PER_S);
}

static struct partial_scope
random_scope(struct rng *r, bool traces_by_service)
{
	static const char *const services[] = {"cart", "checkout", "'; DROP TABLE meta; --"};
	struct partial_scope s = {.window_count = 1 + (unsigned)(rng_next(r) % 2)};
	uint64_t t[3];
	for (int i = 0; i < 3; i++) {
		t[i] = random_time(r);
		for (int k = i; k > 0 && t[k] < t[k - 1]; k--) {
			uint64_t swap = t[k];
			t[k] = t[k - 1];
			t[k - 1] = swap;
		}
	}
	s.windows[0] = (struct partial_span){t[1], rng_next(r) % 4 ? t[2] : UINT64_MAX};
	if (s.window_count == 2)
		s.windows[1] = (struct partial_span){t[0], t[1]};
	s.want = 1 + (unsigned)(rng_next(r) % PARTIAL_ALL);
	if (rng_next(r) % 2)
		s.want = PARTIAL_ALL;
	if (!traces_by_service || !(s.want & PARTIAL_SPANS))
		s.want &= ~(unsigned)PARTIAL_TRACES_BY_SERVICE;
	if (rng_next(r) % 3 == 0)
		s.service = str_from(services[rng_next(r) % ARRAY_LEN(services)]);
	if (rng_next(r) % 3 == 0) {
		s.services_max = 1 + rng_next(r) % 4;
		s.operations_max = 1 + rng_next(r) % 10;
		s.exact_max = 1 + rng_next(r) % 10;
	}
	return s;
}

static void
merge_in_any_order(struct rng *r, struct store **parts, size_t count, const char *tenant,
    struct partial *out)
{
	size_t order[PARTS_MAX];
	struct err err = {0};
	for (size_t i = 0; i < count; i++) {
		size_t k = rng_next(r) % (i + 1);
		order[i] = order[k];
		order[k] = i;
	}
	for (size_t i = 0; i < count; i++) {
		struct partial p;
		struct buf bytes = {0};
		partial_init(&p, &out->scope, 0);
		store_conformance_analyse(parts[order[i]], tenant, &p);
		partial_pack(&p, &bytes);
		if (partial_unpack(out, buf_view(&bytes), &err) != ERR_OK)
			fail_msg("%s", err.message);
		partial_fini(&p);
		buf_fini(&bytes);
	}
}

static void
compare(struct rng *r, struct store **parts, size_t count, struct store *whole)
{
	const char *tenant = rng_next(r) % 2 ? "acme" : "globex";
	struct partial_scope scope = random_scope(r, count == 1);
	struct partial a, b;
	struct buf x = {0}, y = {0};
	partial_init(&a, &scope, 0);
	partial_init(&b, &scope, 0);
	merge_in_any_order(r, parts, count, tenant, &a);
	store_conformance_analyse(whole, tenant, &b);
	partial_pack(&a, &x);
	partial_pack(&b, &y);
	if (!str_eq(buf_view(&x), buf_view(&y)))
		fail_msg("want %u of [%llu, %llu) service %.*s: %zu bytes, not %zu", scope.want,
		    (unsigned long long)scope.windows[0].from_ns,
		    (unsigned long long)scope.windows[0].to_ns, STR_ARG(scope.service), x.len,
		    y.len);
	partial_fini(&a);
	partial_fini(&b);
	buf_fini(&x);
	buf_fini(&y);
}

void
store_conformance_same_sums(struct store **parts, size_t count, struct store *whole, uint64_t seed,
    size_t batches, size_t questions)
{
	struct rng r = {seed};
	struct batch b;
	assert_true(count >= 1 && count <= PARTS_MAX);
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= batches; seq++) {
		store_conformance_batch(&b, rng_next(&r), seq, 1 + rng_next(&r) % 80);
		store_conformance_put(whole, &b);
		store_conformance_put(parts[rng_next(&r) % count], &b);
		for (size_t i = 0; i < questions / batches; i++)
			compare(&r, parts, count, whole);
	}
	batch_fini(&b);
}
