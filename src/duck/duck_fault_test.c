/* SPDX-License-Identifier: Apache-2.0 */
/* Every step of an append and of a seal fails, and nobody can see that it did. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>

enum { REQUESTS = 120 };

static bool
is_of_append(enum duck_step step)
{
	return step == DUCK_STEP_IDENTITY || step == DUCK_STEP_HOT;
}

/* ---- appends: called on the thread that appends */

struct append_fault {
	uint64_t calls, fail_at;
};

static enum err_code
fail_append(void *ctx, enum duck_step step, struct err *err)
{
	struct append_fault *f = ctx;
	if (!is_of_append(step) || ++f->calls != f->fail_at)
		return ERR_OK;
	return err_set(err, ERR_IO, "step %d fails because a test wants it to", (int)step);
}

TEST(duck, append_that_fails_at_any_step_leaves_no_trace)
{
	struct append_fault fault = {0};
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	opt.fault = fail_append;
	opt.fault_ctx = &fault;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct err err = {0};
	struct batch b;
	batch_init(&b, 0);
	uint64_t failures = 0;
	for (uint64_t first = 1; first <= REQUESTS; first += 3) {
		duck_kit_batch(&b, first, first + 2);
		/* All steps of this batch in turn, until it passes. */
		for (uint64_t at = 1;; at++) {
			fault = (struct append_fault){.fail_at = at};
			if (store_append(s, &b, &err) == ERR_OK)
				break;
			assert_int_equal(err.code, ERR_IO);
			assert_int_equal(store_applied(s), first - 1);
			assert_int_equal(store_knows(s, duck_kit_identity(first + 1)),
			    (first + 1) % KIT_REPEAT_EVERY == 0 && first > KIT_REPEAT_OF
			        ? first + 1 - KIT_REPEAT_OF
			        : 0);
			if (first % 10 == 1)
				duck_kit_same(s, reference);
			failures++;
		}
		store_conformance_put(reference, &b);
	}
	fault = (struct append_fault){0};
	assert_true(failures > REQUESTS / 3); /* some batches are asked for in the file too */
	duck_kit_same(s, reference);
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
	batch_fini(&b);
}

/* ---- seals: called on the sealer's thread */

struct seal_fault {
	uint64_t calls, fail_at; /* of this attempt */
	enum err_code code;
	_Atomic uint64_t failures, by_step[DUCK_STEP_CHECKPOINT + 1];
	_Atomic bool off;
};

/* The first attempt at a seal fails at its first step, the next one at its second, until one passes. */
static enum err_code
fail_in_turn(void *ctx, enum duck_step step, struct err *err)
{
	struct seal_fault *f = ctx;
	if (is_of_append(step) || step == DUCK_STEP_CHECKPOINT || atomic_load(&f->off))
		return ERR_OK;
	if (step == DUCK_STEP_BEGIN)
		f->calls = 0;
	if (++f->calls < f->fail_at) {
		if (step == DUCK_STEP_COMMIT)
			f->fail_at = 1;
		return ERR_OK;
	}
	f->fail_at++;
	atomic_fetch_add(&f->failures, 1);
	atomic_fetch_add(&f->by_step[step], 1);
	return err_set(err, f->code, "step %d fails because a test wants it to", (int)step);
}

struct reader {
	struct thread thread;
	struct store *s;
	uint64_t spans_of[REQUESTS + 1]; /* of acme, by request, as the store in memory has them */
	_Atomic bool stop;
	_Atomic uint64_t looks;
	char what[200]; /* went wrong */
};

/* All of the first n requests, and each row once. */
static bool
is_prefix(const struct reader *r, const struct table *rows, uint64_t from, uint64_t to)
{
	uint64_t seen[REQUESTS + 1] = {0};
	uint64_t n = to < REQUESTS ? to : REQUESTS; /* the flush is beyond them */
	for (size_t i = 0; i < rows->row_count; i++)
		if (table_u64(rows, i, SPAN_SEQ) <= REQUESTS)
			seen[table_u64(rows, i, SPAN_SEQ)]++;
	while (n > from && seen[n] == 0)
		n--;
	for (uint64_t seq = 1; seq <= n; seq++)
		if (seen[seq] != r->spans_of[seq])
			return false;
	for (uint64_t seq = n + 1; seq <= REQUESTS; seq++)
		if (seen[seq] != 0)
			return false;
	return true;
}

/* Assertions are the test thread's: what is wrong is noted. */
static void
read_all(void *ctx)
{
	struct reader *r = ctx;
	while (!atomic_load(&r->stop) && !r->what[0]) {
		struct arena arena = {0};
		struct store_result result;
		struct err err = {0};
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		uint64_t from = store_applied(r->s);
		enum err_code code = store_query(r->s, &q, &arena, &result, &err);
		uint64_t to = store_applied(r->s);
		if (code != ERR_OK)
			snprintf(r->what, sizeof(r->what), "%s", err.message);
		else if (!is_prefix(r, &result.rows, from, to))
			snprintf(r->what, sizeof(r->what), "%zu rows are no prefix in %llu .. %llu",
			    result.rows.row_count, (unsigned long long)from,
			    (unsigned long long)to);
		arena_fini(&arena);
		atomic_fetch_add(&r->looks, 1);
	}
}

static void
count_spans(struct reader *r, struct store *reference)
{
	struct arena arena = {0};
	struct store_result all;
	store_conformance_all(reference, STORE_SPANS, STR("acme"), &arena, &all);
	for (size_t i = 0; i < all.rows.row_count; i++)
		r->spans_of[table_u64(&all.rows, i, SPAN_SEQ)]++;
	arena_fini(&arena);
}

static void
fail_all_seals(enum err_code code)
{
	static struct seal_fault fault;
	static struct reader reader;
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct err err = {0};
	fault.fail_at = 1;
	fault.code = code;
	opt.fault = fail_in_turn;
	opt.fault_ctx = &fault;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	duck_kit_load(reference, REQUESTS, 1);
	count_spans(&reader, reference);
	reader.s = s;
	assert_int_equal(thread_start(&reader.thread, "reader", read_all, &reader, &err), ERR_OK);
	duck_kit_load(s, REQUESTS, 1);
	while (atomic_load(&fault.failures) < 12)
		clock_sleep_ns(NS_PER_MS);
	atomic_store(&fault.off, true);
	duck_kit_flush(s);
	atomic_store(&reader.stop, true);
	thread_join(&reader.thread);
	if (reader.what[0])
		fail_msg("%s", reader.what);
	assert_true(atomic_load(&reader.looks) > 0);
	for (int step = DUCK_STEP_BEGIN; step <= DUCK_STEP_COMMIT; step++)
		assert_true(atomic_load(&fault.by_step[step]) > 0);
	duck_kit_same(s, reference);
	struct store_status status;
	store_status(s, &status);
	assert_true(status.ok);
	assert_true(status.seal_failures > 0);
	while (store_position(s) < REQUESTS + 1)
		clock_sleep_ns(NS_PER_MS); /* the next checkpoint */
	duck_kit_same_reopened(s, &opt, reference);
}

TEST(duck, seal_that_fails_at_any_step_is_seen_by_nobody_and_tried_again)
{
	fail_all_seals(ERR_IO);
}

/* What cannot pass by itself is tried in smaller and smaller parts: nobody may see that either. */
TEST(duck, seal_that_is_bisected_for_nothing_loses_nothing)
{
	fail_all_seals(ERR_INTERNAL);
}

/* ---- checkpoints */

struct checkpoint_fault {
	_Atomic uint64_t calls;
	_Atomic bool off;
};

static enum err_code
fail_checkpoint(void *ctx, enum duck_step step, struct err *err)
{
	struct checkpoint_fault *f = ctx;
	if (step != DUCK_STEP_CHECKPOINT || atomic_load(&f->off))
		return ERR_OK;
	atomic_fetch_add(&f->calls, 1);
	return err_set(err, ERR_IO, "a test wants it");
}

TEST(duck, checkpoint_that_fails_is_tried_again_and_frees_no_log_meanwhile)
{
	struct checkpoint_fault fault = {0};
	struct store_status status;
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	opt.fault = fail_checkpoint;
	opt.fault_ctx = &fault;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	duck_kit_load(s, REQUESTS, 2);
	duck_kit_load(reference, REQUESTS, 2);
	duck_kit_flush(s);
	while (atomic_load(&fault.calls) < 2)
		clock_sleep_ns(NS_PER_MS);
	store_status(s, &status);
	assert_true(status.ok); /* nothing is wrong with the rows */
	assert_true(status.seals > 0);
	assert_int_equal(status.checkpoints, 0);
	assert_int_equal(store_position(s), 0);
	duck_kit_same(s, reference);
	atomic_store(&fault.off, true);
	while (store_position(s) < REQUESTS + 1)
		clock_sleep_ns(NS_PER_MS);
	duck_kit_wait_quiet(s);
	store_status(s, &status);
	assert_true(status.checkpoints > 0 && status.disk_bytes > 0);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
}

TEST(duck, checkpoints_happen_however_many_read)
{
	static struct reader readers[4];
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct err err = {0};
	duck_kit_load(reference, REQUESTS, 1);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		count_spans(&readers[i], reference);
		readers[i].s = s;
		assert_int_equal(thread_start(&readers[i].thread, "reader", read_all, &readers[i],
		                     &err),
		    ERR_OK);
	}
	duck_kit_load(s, REQUESTS, 1);
	while (store_position(s) < REQUESTS / 2)
		clock_sleep_ns(NS_PER_MS);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		atomic_store(&readers[i].stop, true);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		thread_join(&readers[i].thread);
		if (readers[i].what[0])
			fail_msg("%s", readers[i].what);
	}
	store_close(s);
	store_close(reference);
}
