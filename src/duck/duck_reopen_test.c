/* SPDX-License-Identifier: Apache-2.0 */
/* A database that has failed is opened again under way, and everything is there once. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum { REQUESTS = 120 };

struct breaking {
	struct duck *d;
	enum duck_step step;
	bool committed; /* the commit itself works, and nobody learns of it */
	_Atomic uint64_t left; /* times */
	_Atomic uint64_t done;
};

/* On the sealer's thread. */
static enum err_code
break_at(void *ctx, enum duck_step step, struct err *err)
{
	struct breaking *b = ctx;
	if (step != b->step || atomic_load(&b->left) == 0)
		return ERR_OK;
	atomic_fetch_sub(&b->left, 1);
	atomic_fetch_add(&b->done, 1);
	if (b->committed)
		CHECK(duck_exec(b->d, b->d->keeper.con, "COMMIT", err) == ERR_OK);
	return duck_fail(b->d, DUCKDB_ERROR_FATAL, "FATAL Error: a test wants it\nmore", err);
}

/* As the loader does: what is refused for now comes again. */
static void
load_patiently(struct store *s, uint64_t to)
{
	struct batch b;
	struct err err = {0};
	batch_init(&b, 0);
	for (uint64_t seq = store_applied(s) + 1; seq <= to; seq++) {
		duck_kit_batch(&b, seq, seq);
		while (store_append(s, &b, &err) != ERR_OK) {
			assert_true(err_retryable(err.code));
			clock_sleep_ns(NS_PER_MS);
		}
	}
	batch_fini(&b);
}

static void
wait_reopened(struct store *s, uint64_t times)
{
	struct store_status status;
	do {
		clock_sleep_ns(NS_PER_MS);
		store_status(s, &status);
	} while (status.reopened < times || !status.ok);
}

static void
break_during(enum duck_step step, bool committed)
{
	static struct breaking breaking;
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	breaking = (struct breaking){.step = step, .committed = committed};
	opt.fault = break_at;
	opt.fault_ctx = &breaking;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct store_status status;
	duck_kit_wait_quiet(s);
	breaking.d = duck_of(s);
	duck_kit_load(reference, REQUESTS, 1);
	for (uint64_t to = 30; to <= REQUESTS; to += 30) {
		atomic_store(&breaking.left, 2);
		load_patiently(s, to);
		while (atomic_load(&breaking.left) > 0)
			clock_sleep_ns(NS_PER_MS);
		wait_reopened(s, atomic_load(&breaking.done));
	}
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	store_status(s, &status);
	assert_int_equal(status.reopened, 8);
	while (store_position(s) < REQUESTS + 1)
		clock_sleep_ns(NS_PER_MS); /* the next checkpoint */
	duck_kit_same_reopened(s, &opt, reference);
}

TEST(duck, database_that_fails_before_the_rows_of_a_seal_is_opened_again)
{
	break_during(DUCK_STEP_TABLE, false);
}

TEST(duck, database_that_fails_after_the_rows_of_a_seal_is_opened_again)
{
	break_during(DUCK_STEP_FLUSH, false);
}

TEST(duck, database_that_fails_before_a_commit_is_opened_again)
{
	break_during(DUCK_STEP_COMMIT, false);
}

TEST(duck, seal_whose_commit_nobody_learnt_of_is_in_the_file_once)
{
	break_during(DUCK_STEP_COMMIT, true);
}

TEST(duck, database_that_fails_in_a_checkpoint_is_opened_again)
{
	break_during(DUCK_STEP_CHECKPOINT, false);
}

TEST(duck, idle_database_that_fails_says_why_and_is_opened_again)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct store_status status;
	struct err err = {0};
	duck_kit_load(s, REQUESTS, 1);
	duck_kit_load(reference, REQUESTS, 1);
	duck_kit_wait_quiet(s);
	store_status(s, &status);
	uint64_t rows = status.row_count;
	/* The sealer may be at it as soon as it is said: what a status says is looked at before. */
	mutex_lock(&duck_of(s)->writer.lock);
	assert_int_equal(duck_fail(duck_of(s), DUCKDB_ERROR_FATAL, "FATAL Error: it broke\nmore",
	                     &err),
	    ERR_UNAVAILABLE);
	store_status(s, &status);
	assert_false(status.ok);
	assert_non_null(strstr(status.text, "it broke"));
	assert_null(strchr(status.text, '\n'));
	struct arena arena = {0};
	struct store_result r;
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	assert_int_equal(store_query(s, &q, &arena, &r, &err), ERR_UNAVAILABLE);
	arena_fini(&arena);
	mutex_unlock(&duck_of(s)->writer.lock);
	wait_reopened(s, 1);
	duck_kit_same(s, reference);
	store_status(s, &status);
	assert_int_equal(status.row_count, rows);
	load_patiently(s, 2 * REQUESTS);
	load_patiently(reference, 2 * REQUESTS);
	duck_kit_same(s, reference);
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
}

/* ---- for real */

static void
limit_file_size(uint64_t bytes)
{
	struct rlimit limit;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint64_t
file_bytes(const char *dir, const char *name)
{
	char path[FILE_PATH_BYTES];
	struct file f = {0};
	struct err err = {0};
	uint64_t size = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_open(path, FILE_READ, &f, &err) == ERR_OK)
		assert_int_equal(file_size(&f, &size, &err), ERR_OK);
	file_close(&f);
	return size;
}

/* No file may grow beyond `bytes` more than weir.duckdb has now, while requests come. */
static void
run_against_a_wall(uint64_t more_bytes)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	struct store_status status;
	duck_kit_load(s, 60, 1);
	duck_kit_load(reference, 2 * REQUESTS, 1);
	duck_kit_wait_quiet(s);
	limit_file_size(file_bytes(dir, DUCK_FILE) + more_bytes);
	bool hit = false;
	for (uint64_t to = 61; to <= 2 * REQUESTS; to++) {
		load_patiently(s, to);
		store_status(s, &status);
		hit = hit || !status.ok || status.reopened > 0; /* it may have passed meanwhile */
	}
	for (int i = 0; i < 1000 && !hit; i++) {
		clock_sleep_ns(NS_PER_MS);
		store_status(s, &status);
		hit = !status.ok || status.reopened > 0;
	}
	print_message("at the wall: %s, position %llu\n", status.text,
	    (unsigned long long)store_position(s));
	limit_file_size(RLIM_INFINITY);
	do {
		clock_sleep_ns(NS_PER_MS);
		store_status(s, &status);
	} while (!status.ok);
	duck_kit_same(s, reference);
	duck_kit_flush(s);
	duck_kit_same(s, reference);
	assert_true(hit);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(store_position(s), 2 * REQUESTS + 1);
	duck_kit_same(s, reference);
	store_close(s);
	store_close(reference);
}

TEST(duck, files_that_cannot_grow_at_all_hold_everything_up_and_lose_nothing)
{
	run_against_a_wall(0);
}

TEST(duck, files_that_can_grow_a_little_hold_everything_up_and_lose_nothing)
{
	run_against_a_wall(270000);
}
