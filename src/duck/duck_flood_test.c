/* SPDX-License-Identifier: Apache-2.0 */
/* Ids and names that were chosen to crowd one place of a table, or to be another tenant's. */
#include "tests/flood.h"

#include "base/hash.h"
#include "duck/duck_kit_test.h"
#include "duck/duck_services.h"
#include "duck/duck_traces.h"
#include "store/conformance.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>

#define NOW CONFORMANCE_NOW_NS

/* ---- tables */

TEST(duck, sets_of_traces_spread_ids_that_were_chosen_to_crowd_them)
{
	struct duck_traces traces;
	struct duck_pair_set pairs = {0};
	uint64_t hi, lo;
	duck_traces_init(&traces, 0);
	for (uint64_t i = 1; i <= FLOOD_KEYS; i++) {
		bool is_new;
		flood_trace(i << 32, &hi, &lo);
		assert_non_null(duck_traces_add(&traces, hi, lo, &is_new));
		assert_true(is_new);
		duck_pair_reserve(&pairs, 1);
		assert_true(duck_pair_add(&pairs, flood_folded(i)));
	}
	assert_true(flood_longest_run(traces.slots, traces.slot_mask + 1, sizeof(*traces.slots)) <
	    FLOOD_RUN_MAX);
	/* It is three quarters full. */
	assert_true(flood_longest_run(pairs.slots, pairs.mask + 1, sizeof(*pairs.slots)) <
	    10 * FLOOD_RUN_MAX);
	flood_trace(FLOOD_KEYS / 2 * (UINT64_C(1) << 32), &hi, &lo);
	assert_non_null(duck_traces_get(&traces, hi, lo));
	assert_null(duck_traces_get(&traces, hi, lo + 1));
	duck_traces_fini(&traces);
	duck_pair_fini(&pairs);
}

/* A name for each tenant so that all have the same hash, as far as hashes have no secret. */
TEST(duck, services_whose_hashes_were_made_equal_do_not_queue_up)
{
	enum { SERVICES = 100 };
	struct duck_service_list l = {0};
	char tenants[SERVICES][16], names[SERVICES][8];
	size_t found = 0;
	for (unsigned i = 0; found < SERVICES; i++) {
		int n = snprintf(tenants[found], sizeof(tenants[found]), "tenant-%u", i);
		uint64_t seed = hash_u64(str_of(tenants[found], (size_t)n));
		if (flood_text(UINT64_C(0x1234567890ABCDEF), seed, names[found]))
			found++;
	}
	for (size_t i = 0; i < SERVICES; i++)
		assert_int_equal(duck_service_find(&l, str_from(tenants[i]), str_of(names[i], 8)),
		    i);
	for (size_t i = 0; i < SERVICES; i++)
		assert_int_equal(duck_service_find(&l, str_from(tenants[i]), str_of(names[i], 8)),
		    i);
	for (size_t i = 0; i < l.by_hash.cap; i++)
		assert_false(l.by_hash.used[i] &&
		    map_get(&l.by_hash, l.by_hash.entries[i].key + 1));
	duck_service_list_fini(&l);
}

/* ---- questions */

enum { TRACES = 60000, TRACES_AT_ONCE = 6000 };

static void
put_traces(struct store *s, bool chosen)
{
	for (uint64_t seq = 1, n = 1; n <= TRACES; seq++) {
		struct batch b;
		batch_init(&b, 0);
		duck_kit_begin(&b, seq);
		for (uint32_t i = 0; i < TRACES_AT_ONCE; i++, n++) {
			uint64_t hi = duck_kit_random(1, n, 0), lo = duck_kit_random(2, n, 0);
			if (chosen)
				flood_trace(n << 32, &hi, &lo);
			size_t row = duck_kit_span(&b, seq, i, n, NOW + n);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_HI, hi);
			table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_LO, lo);
		}
		store_conformance_put(s, &b);
		batch_fini(&b);
	}
}

static uint64_t
count_all(const struct table *buckets)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < buckets->row_count; i++)
		sum += table_u64(buckets, i, BUCKET_COUNT);
	return sum;
}

static uint64_t
ask_all(struct store *s)
{
	const struct store_query any = {.kind = STORE_SPANS, .to_ns = UINT64_MAX, .row_max = 10};
	struct store_query questions[] = {
	    /* how many, over time */
	    {.kind = STORE_COUNTS, .counted = STORE_TRACES, .bucket_count = 10, .row_max = 10},
	    /* those with two spans, of which there is none */
	    {.kind = STORE_TRACES, .row_max = 10, .trace_spans_min = 2},
	    {.kind = STORE_SPANS, .row_max = 10, .beside = &any},
	};
	uint64_t before = clock_cpu_ns();
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		struct arena arena;
		struct store_result r;
		arena_init(&arena, 64 << 20, 0);
		questions[i].tenant = STR("acme");
		questions[i].to_ns = questions[i].deadline_mono_ns = UINT64_MAX;
		store_conformance_ask(s, &questions[i], &arena, &r);
		if (i == 0)
			assert_int_equal(count_all(&r.rows), TRACES);
		else
			assert_int_equal(r.rows.row_count, i == 1 ? 0 : 10);
		arena_fini(&arena);
	}
	return clock_cpu_ns() - before;
}

/* Without a secret in the tables the factor is several dozens. */
TEST(duck, traces_whose_ids_were_chosen_are_counted_as_fast_as_others)
{
	uint64_t cpu_ns[2];
	for (int chosen = 0; chosen < 2; chosen++) {
		struct duck_options opt = duck_kit_options(test_tmp_dir());
		struct store *s = duck_kit_open(&opt);
		put_traces(s, chosen);
		(void)ask_all(s);
		cpu_ns[chosen] = ask_all(s);
		store_close(s);
	}
	printf("%.3f s of CPU, chosen %.3f s\n", (double)cpu_ns[0] / 1e9, (double)cpu_ns[1] / 1e9);
	assert_true(cpu_ns[1] < 6 * cpu_ns[0]);
}

/* ---- another tenant's ids */

static void
put_span(struct batch *b, const char *tenant, uint32_t ord, const char *host)
{
	bool added;
	char json[64];
	snprintf(json, sizeof(json), "{\"host\":\"%s\"}", host);
	struct str text = arena_str(&b->arena, str_from(json));
	size_t resource = batch_resource(b, str_from(tenant), 77, &added);
	if (added)
		table_set_str(&b->tables[TABLE_RESOURCES], resource, RESOURCE_ATTRIBUTES, text);
	size_t row = duck_kit_span(b, b->last_seq, ord, b->last_seq * 10 + ord, NOW);
	table_set_str(&b->tables[TABLE_SPANS], row, SPAN_TENANT, str_from(tenant));
	table_set_str(&b->tables[TABLE_SPANS], row, SPAN_NAME, text);
	table_set_u64(&b->tables[TABLE_SPANS], row, SPAN_RESOURCE_ID, 77);
}

static void
names_its_own(struct store *s, const char *tenant, size_t count)
{
	struct arena arena = {0};
	struct store_result r;
	store_conformance_all(s, STORE_SPANS, str_from(tenant), &arena, &r);
	assert_int_equal(r.rows.row_count, count);
	for (size_t row = 0; row < count; row++) {
		size_t at = store_find_id(&r.resources, table_u64(&r.rows, row, SPAN_RESOURCE_ID));
		assert_true(at != SIZE_MAX);
		assert_true(str_eq(table_str(&r.resources, at, RESOURCE_ATTRIBUTES),
		    table_str(&r.rows, row, SPAN_NAME)));
	}
	arena_fini(&arena);
}

/* Ids are hashes without a secret: who wants one of another tenant's can make a resource for it. */
TEST(duck, a_resource_with_the_id_of_another_tenants_changes_nothing_for_that_one)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct batch b;
		batch_init(&b, 0);
		duck_kit_begin(&b, seq);
		/* From the second on the first one's id has two contents, and gets another id. */
		put_span(&b, "acme", 0, seq == 1 ? "one" : "two");
		put_span(&b, "globex", 1, "victim");
		store_conformance_put(s, &b);
		batch_fini(&b);
		names_its_own(s, "acme", seq);
		names_its_own(s, "globex", seq);
	}
	duck_kit_flush(s);
	names_its_own(s, "acme", 3);
	names_its_own(s, "globex", 3);
	store_close(s);
}
