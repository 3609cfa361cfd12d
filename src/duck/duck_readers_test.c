/* SPDX-License-Identifier: Apache-2.0 */
/* Questions while the store changes: beside commits, and while rows move from the hot tail to the file. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>

#define NOW CONFORMANCE_NOW_NS

enum { READERS_MAX = 3 };

struct reader {
	struct store *s;
	struct thread thread;
	_Atomic uint64_t *appended;
	_Atomic bool *stop;
	size_t reads;
	char message[300]; /* what it found wrong */
};

struct readers {
	struct reader all[READERS_MAX];
	size_t count;
	_Atomic uint64_t appended; /* batches that are there */
	_Atomic bool stop;
};

static bool
goes_on(const struct reader *me)
{
	return !atomic_load(me->stop) && !me->message[0];
}

static void
start_readers(struct readers *r, struct store *s, size_t count, void (*main)(void *reader))
{
	struct err err;
	*r = (struct readers){.count = count};
	for (size_t i = 0; i < count; i++) {
		r->all[i] = (struct reader){.s = s, .appended = &r->appended, .stop = &r->stop};
		assert_int_equal(thread_start(&r->all[i].thread, "reader", main, &r->all[i], &err),
		    ERR_OK);
	}
}

static void
join_readers(struct readers *r)
{
	atomic_store(&r->stop, true);
	for (size_t i = 0; i < r->count; i++) {
		thread_join(&r->all[i].thread);
		if (r->all[i].message[0])
			fail_msg("%s", r->all[i].message);
		assert_true(r->all[i].reads > 0);
	}
}

/* ---- beside commits */

enum { COMMIT_ROWS = 160, COMMIT_READERS = 3, COMMIT_RESOURCES = 8 };

/* All rows are there before the first question: whatever it meets, the answer is the same. */
static void
beside_main(void *ctx)
{
	struct reader *me = ctx;
	while (goes_on(me)) {
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		struct arena arena = {0};
		struct store_result r;
		struct err err;
		q.attr_count = me->reads % 2;
		q.attrs[0] =
		    (struct store_attr){.key = STR("n"), .value = STR("0"), .op = STORE_ATTR_GE};
		if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK)
			snprintf(me->message, sizeof(me->message), "%s", err.message);
		else if (r.rows.row_count != COMMIT_ROWS ||
		    r.resources.row_count != COMMIT_RESOURCES)
			snprintf(me->message, sizeof(me->message),
			    "%zu rows, %zu resources, question %zu", r.rows.row_count,
			    r.resources.row_count, me->reads);
		arena_fini(&arena);
		me->reads++;
	}
}

static void
put_commit_rows(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = 1;
	for (uint64_t i = 1; i <= COMMIT_RESOURCES; i++) {
		bool added;
		assert_true(batch_resource(&b, STR("acme"), i, &added) != SIZE_MAX);
	}
	for (uint32_t i = 0; i < COMMIT_ROWS; i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row = duck_kit_span(&b, 1, i, i + 1, NOW);
		table_set_u64(t, row, SPAN_TRACE_LO, 1);
		table_set_u64(t, row, SPAN_RESOURCE_ID, i % COMMIT_RESOURCES + 1);
		table_set_str(t, row, SPAN_ATTRIBUTES, STR("{\"n\":1}"));
	}
	store_conformance_put(s, &b);
	batch_fini(&b);
}

/* A commit into a row group that a checkpoint has just written hides it for a moment: duck_gate.h. */
TEST(duck_query, nothing_is_missing_beside_commits_that_follow_checkpoints)
{
	struct store *s = duck_kit_open_small(test_tmp_dir(), 2, 0);
	struct readers r;
	put_commit_rows(s);
	start_readers(&r, s, COMMIT_READERS, beside_main);
	duck_kit_wait_quiet(s);
	join_readers(&r);
	assert_true(atomic_load(&duck_of(s)->asked_again) > 0);
	store_close(s);
}

/* ---- while rows move */

enum { STRESS_BATCHES = 400, STRESS_ROWS = 24, STRESS_READERS = 2 };

/* Rows 0 .. STRESS_ROWS - 1 of every batch up to the newest, each once. */
static void
check_answer(struct reader *me, const struct store_result *r, uint64_t before, uint64_t after)
{
	uint64_t per_seq[STRESS_BATCHES + 1] = {0}, newest = 0;
	for (size_t row = 0; row < r->rows.row_count; row++) {
		uint64_t seq = table_u64(&r->rows, row, SPAN_SEQ);
		per_seq[seq] += 1 + ((uint64_t)table_u32(&r->rows, row, SPAN_ORD) << 32);
		newest = seq > newest ? seq : newest;
	}
	uint64_t whole = STRESS_ROWS + ((uint64_t)STRESS_ROWS * (STRESS_ROWS - 1) / 2 << 32);
	for (uint64_t seq = 1; seq <= newest; seq++)
		if (per_seq[seq] != whole)
			snprintf(me->message, sizeof(me->message),
			    "batch %" PRIu64 " of %" PRIu64 " has %" PRIu64 " rows", seq, newest,
			    per_seq[seq] & UINT32_MAX);
	if (newest < before || newest > after + 1)
		snprintf(me->message, sizeof(me->message),
		    "newest %" PRIu64 ", but %" PRIu64 " to %" PRIu64 " were appended", newest,
		    before, after);
}

static void
check_services(struct reader *me, uint64_t before)
{
	struct store_query q = store_conformance_question(STORE_SERVICES, "acme");
	struct arena arena = {0};
	struct store_result r;
	struct err err;
	if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK)
		snprintf(me->message, sizeof(me->message), "services: %s", err.message);
	else if (before > 0) {
		uint64_t n = table_u64(&r.rows, 0, SERVICE_SPANS);
		uint64_t traces = table_u64(&r.rows, 0, SERVICE_TRACES);
		if (n % STRESS_ROWS != 0 || n < before * STRESS_ROWS || traces != n / STRESS_ROWS)
			snprintf(me->message, sizeof(me->message),
			    "%" PRIu64 " spans in %" PRIu64 " traces, %" PRIu64 " batches", n,
			    traces, before);
	}
	arena_fini(&arena);
}

/* A page: which rows they are is found first, and they are fetched from the seals they are in. */
static void
check_page(struct reader *me, uint64_t before)
{
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct arena arena = {0};
	struct store_result r;
	struct err err;
	uint64_t there = before * STRESS_ROWS;
	q.row_max = 7;
	if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK)
		snprintf(me->message, sizeof(me->message), "a page: %s", err.message);
	else if (r.rows.row_count < (there < q.row_max ? there : q.row_max))
		snprintf(me->message, sizeof(me->message), "a page has %zu rows", r.rows.row_count);
	arena_fini(&arena);
}

static void
reader_main(void *ctx)
{
	struct reader *me = ctx;
	while (goes_on(me)) {
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		struct arena arena = {0};
		struct store_result r;
		struct err err;
		uint64_t before = atomic_load(me->appended);
		if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK)
			snprintf(me->message, sizeof(me->message), "%s", err.message);
		else
			check_answer(me, &r, before, atomic_load(me->appended));
		arena_fini(&arena);
		check_services(me, before);
		for (int i = 0; i < 5 && !me->message[0]; i++)
			check_page(me, before);
		me->reads++;
	}
}

static void
pages_main(void *ctx)
{
	struct reader *me = ctx;
	while (goes_on(me)) {
		check_page(me, atomic_load(me->appended));
		me->reads++;
	}
}

/* A statement beside a commit may answer with rows of a seal that it did not ask for. */
TEST(duck_query, pages_are_whole_while_small_seals_come)
{
	struct store *s = duck_kit_open_small(test_tmp_dir(), 4, UINT64_C(1) << 20);
	struct readers r;
	struct batch b;
	batch_init(&b, 0);
	start_readers(&r, s, STRESS_READERS, pages_main);
	for (uint64_t seq = 1; seq <= (test_is_thorough() ? 50 : 20); seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		for (uint32_t i = 0; i < STRESS_ROWS; i++)
			duck_kit_span(&b, seq, i, seq << 8 | i, NOW + seq * STRESS_ROWS + i);
		store_conformance_put(s, &b);
		atomic_store(&r.appended, seq);
		if (seq % 10 == 0)
			duck_kit_wait_quiet(s);
	}
	join_readers(&r);
	store_close(s);
	batch_fini(&b);
}

TEST(duck_query, readers_see_every_row_once_while_seals_move_them)
{
	struct store *s = duck_kit_open_small(test_tmp_dir(), 200, UINT64_C(1) << 20);
	struct readers r;
	struct batch b;
	batch_init(&b, 0);
	start_readers(&r, s, STRESS_READERS, reader_main);
	for (uint64_t seq = 1; seq <= STRESS_BATCHES; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		for (uint32_t i = 0; i < STRESS_ROWS; i++) {
			struct table *t = &b.tables[TABLE_SPANS];
			size_t row = duck_kit_span(&b, seq, i, i + 1,
			    NOW - i % 5 * NS_PER_DAY * (i % 7 == 0 ? 90 : 1) + seq);
			table_set_u64(t, row, SPAN_TRACE_LO, seq);
			table_set_str(t, row, SPAN_SERVICE, STR("one"));
			table_set_str(t, row, SPAN_ATTRIBUTES,
			    i % 2 ? STR("{\"a\":1,\"b\":\"x\"}") : STR("{\"c\":true}"));
		}
		store_conformance_put(s, &b);
		atomic_store(&r.appended, seq);
	}
	duck_kit_wait_quiet(s);
	join_readers(&r);
	assert_true(duck_kit_number(s,
	                "SELECT count(*)::UBIGINT FROM seals WHERE base = 'spans' AND day >= 0") >
	    10);
	store_close(s);
	batch_fini(&b);
}
