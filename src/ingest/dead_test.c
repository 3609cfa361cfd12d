/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong in a request is found, put aside before the rest is seen, and brought back: to the
 * same end wherever it was interrupted, and to what a first success would have given.
 */
#include "ingest/kit_test.h"
#include "ingest/record.h"
#include "sys/file_fault.h"

#include <errno.h>

#include "tests/test.h"

static struct ingest_test t;

static const uint64_t some_bad[] = {3, 10, 11, 40};

/* Spans 101 .. 164 in one request, of which those at some_bad are poison. */
static void
submit_poisoned(void)
{
	struct err err;
	struct buf b = ingest_test_poisoned(101, 164, some_bad, ARRAY_LEN(some_bad));
	assert_int_equal(ingest_test_submit_body(&t, SIGNAL_TRACES, STR("acme"), &b, &err), ERR_OK);
}

static void
submit_all(uint64_t first, uint64_t last)
{
	struct err err;
	uint64_t before = t.answers[ERR_OK];
	for (uint64_t k = first; k <= last; k++)
		assert_int_equal(ingest_test_submit(&t, k, k, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], before + last - first + 1));
}

/* All that is good, and nothing else, once. */
static bool
only_good_is_seen(void)
{
	bool all = true;
	for (uint64_t i = 0; i < 64; i++) {
		bool bad = false;
		for (size_t k = 0; k < ARRAY_LEN(some_bad); k++)
			bad |= some_bad[k] == i;
		all &= ingest_test_seen(&t, 101 + i, 101 + i, !bad);
	}
	return all;
}

static void
assert_letters(uint64_t seq)
{
	struct dlq_letter all[8];
	struct dlq_query every = {0};
	size_t n;
	bool more;
	assert_int_equal(dlq_list(t.dlq, &every, all, ARRAY_LEN(all), &n, &more, NULL), ERR_OK);
	assert_int_equal(n, ARRAY_LEN(some_bad));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(all[i].seq, seq);
		assert_int_equal(all[i].item_first, some_bad[i]);
		assert_int_equal(all[i].item_count, 1);
		assert_string_equal(all[i].tenant, "acme");
		assert_string_equal(all[i].error, "this is poison");
	}
}

TEST(ingest, smallest_parts_that_fail_are_put_aside_and_the_rest_is_seen_at_once)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	submit_all(1, 5);
	submit_poisoned();
	assert_true(ingest_test_wait_loaded(&t, 6));
	assert_letters(6);
	assert_true(only_good_is_seen());
	uint64_t checks = t.store.checks, batches = t.store.batches;
	submit_all(6, 9);
	assert_true(ingest_test_wait_loaded(&t, 10));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 9, 1));
	assert_true(ingest_test_heard(&t, 1, 9, 1));
	assert_int_equal(t.heard_rows, 9 + 60);
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), 9 + 60);
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), ARRAY_LEN(some_bad));
	assert_in_range(checks, 10, 100);
	assert_in_range(batches, 2, 6); /* the request itself was one append */
	ingest_test_fini(&t);
}

TEST(ingest, store_that_cannot_be_asked_gets_a_request_whole_or_not_at_all)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_no_check(&t);
	ingest_test_up(&t);
	submit_poisoned();
	assert_true(ingest_test_wait_loaded(&t, 1));
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 1);
	assert_true(dlq_covers(t.dlq, 1, 0) && dlq_covers(t.dlq, 1, 63));
	assert_true(ingest_test_seen(&t, 101, 164, 0));
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, request_with_more_bad_items_than_letters_keeps_what_is_good_or_puts_it_aside)
{
	struct err err;
	uint64_t bad[100], seen = 0, aside = 0;
	for (uint64_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = 3 * i;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	struct buf b = ingest_test_poisoned(1, 300, bad, ARRAY_LEN(bad));
	assert_int_equal(ingest_test_submit_body(&t, SIGNAL_TRACES, STR("acme"), &b, &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 1));
	uint64_t letters = ingest_test_letters(&t, DLQ_WAITING);
	for (uint32_t i = 0; i < 300; i++) {
		bool covered = dlq_covers(t.dlq, 1, i);
		assert_int_equal(t.store.seen[i + 1], !covered); /* one or the other */
		assert_true(covered || i % 3 != 0);
		seen += !covered;
		aside += covered;
	}
	assert_in_range(letters, 2, 32);
	assert_true(seen > 30);
	assert_true(aside >= 100);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

/* ---- interrupted */

TEST(ingest, search_that_is_cut_off_at_any_step_ends_the_same)
{
	uint64_t steps = 1;
	for (uint64_t at = 1; at <= steps; at++) {
		ingest_test_init(&t, test_tmp_dir());
		t.store.hot = true;
		t.store.steps_max = at;
		ingest_test_up(&t);
		submit_all(1, 2);
		submit_poisoned();
		assert_true(ingest_test_wait(&t.answers[ERR_OK], 3));
		assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 1));
		uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
		while (ingest_test_applied(&t) < 3 && t.store.steps < at && clock_mono_ns() < end)
			clock_sleep_ns(100000);
		/* Nothing of it is seen that is not complete. */
		if (ingest_test_applied(&t) >= 3)
			assert_true(only_good_is_seen());
		else
			assert_true(ingest_test_seen(&t, 101, 164, 0));
		steps = t.store.steps >= at ? at + 1 : at;
		ingest_test_down(&t, 0);
		ingest_test_forget(&t);
		t.store.steps_max = 0;
		ingest_test_up(&t);
		assert_true(ingest_test_wait_loaded(&t, 3));
		assert_letters(3);
		assert_true(only_good_is_seen());
		assert_true(ingest_test_seen(&t, 1, 2, 1));
		ingest_test_down(&t, 10000);
		assert_int_equal(t.heard_rows, 2 + 60);
		ingest_test_fini(&t);
		assert_true(at < 200);
	}
	assert_true(steps > 20); /* there was something to cut off */
}

/* Letters that fail at the N-th operation of their files, and then a new start. */
static uint64_t
letters_cut_off(enum file_op op)
{
	uint64_t nth = 0;
	for (bool hit = true; hit;) {
		nth++;
		ingest_test_init(&t, test_tmp_dir());
		t.store.hot = true;
		ingest_test_fail_next(&t, UINT64_MAX, ERR_UNAVAILABLE, false);
		ingest_test_up(&t);
		submit_poisoned();
		assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
		file_fault_begin(&(struct file_fault_plan){
		    .op = op, .nth = nth, .os_errno = EIO, .stays = true});
		ingest_test_fail_next(&t, 0, ERR_OK, false);
		uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
		while (ingest_test_applied(&t) < 1 && !file_fault_hit() && clock_mono_ns() < end)
			clock_sleep_ns(100000);
		hit = ingest_test_applied(&t) < 1;
		assert_true(!hit || file_fault_hit());
		assert_true(hit ? ingest_test_seen(&t, 101, 164, 0) : only_good_is_seen());
		ingest_test_down(&t, 0);
		file_fault_end();
		ingest_test_forget(&t);
		ingest_test_up(&t);
		assert_true(ingest_test_wait_loaded(&t, 1));
		assert_letters(1);
		assert_true(only_good_is_seen());
		ingest_test_down(&t, 10000);
		ingest_test_fini(&t);
		assert_true(nth < 50);
	}
	return nth - 1;
}

TEST(ingest, letters_that_cannot_be_renamed_end_the_same_after_a_new_start)
{
	assert_int_equal(letters_cut_off(FILE_OP_RENAME), ARRAY_LEN(some_bad));
}

TEST(ingest, letters_whose_folder_cannot_be_synced_end_the_same_after_a_new_start)
{
	assert_true(letters_cut_off(FILE_OP_SYNC_DIR) >= ARRAY_LEN(some_bad));
}

TEST(ingest, errors_that_can_pass_never_make_a_letter_even_in_the_search)
{
	static const enum err_code codes[] = {ERR_BUSY, ERR_IO, ERR_UNAVAILABLE, ERR_DEADLINE};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		ingest_test_init(&t, test_tmp_dir());
		t.store.steps_max = 8; /* then it is unavailable, in the middle of the search */
		ingest_test_up(&t);
		submit_poisoned();
		assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 6));
		assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
		assert_false(ingest_test_check(&t, "loader")->ok);
		mutex_lock(&t.store.lock);
		t.store.steps_max = 0;
		mutex_unlock(&t.store.lock);
		ingest_test_fail_next(&t, 3, codes[i], false);
		assert_true(ingest_test_wait_loaded(&t, 1));
		assert_letters(1);
		assert_true(only_good_is_seen());
		ingest_test_down(&t, 10000);
		ingest_test_fini(&t);
	}
}

/* ---- brought back */

TEST(ingest, letters_are_tried_until_the_fault_clears_and_give_what_a_first_success_had_given)
{
	ingest_test_init(&t, test_tmp_dir());
	t.backoff_ms = 2;
	t.attempts_max = 1000;
	ingest_test_up(&t);
	submit_all(1, 3);
	submit_poisoned();
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 10));
	submit_all(4, 20); /* nobody waits for them */
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, ARRAY_LEN(some_bad)));
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	assert_true(ingest_test_seen(&t, 1, 20, 1));
	assert_true(ingest_test_seen(&t, 101, 164, 1));
	assert_int_equal(ingest_test_metric(&t, "weir_dead_letters{state=\"waiting\"}"), 0);
	assert_int_equal(ingest_test_metric(&t,
	                     "weir_duplicates_total{tenant=\"acme\",kind=\"span\"}"),
	    -1);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_heard(&t, 1, 20, 1));
	assert_true(ingest_test_heard(&t, 101, 164, 1));
	assert_int_equal(t.heard_rows, 20 + 64);
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), 20 + 64);
	/* A retry is no client's request. */
	assert_int_equal(stats_get(&t.stats, STATS_REQUESTS_ACKED), 21);
	assert_int_equal(stats_get(&t.stats, STATS_SPANS_ACKED), 20 + 64);
	ingest_test_fini(&t);
}

TEST(ingest, letter_that_fails_to_the_end_is_in_quarantine_and_comes_back_when_told)
{
	struct dlq_letter letter;
	struct dlq_query every = {0};
	struct err err;
	size_t n;
	bool more;
	ingest_test_init(&t, test_tmp_dir());
	t.backoff_ms = 2;
	t.attempts_max = 3;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 7, 7, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_letters(&t, DLQ_QUARANTINED, 1));
	assert_true(ingest_test_check(&t, "dlq")->ok);
	assert_non_null(strstr(ingest_test_check(&t, "dlq")->text, "1 in quarantine"));
	ingest_test_heal(&t, true);
	assert_int_equal(dlq_list(t.dlq, &every, &letter, 1, &n, &more, &err), ERR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(letter.attempts, 3);
	assert_true(ingest_test_seen(&t, 7, 7, 0));
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_letters(&t, DLQ_QUARANTINED, 0));
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 7, 7, 1));
	ingest_test_fini(&t);
}

/* Whatever of a retry is lost in a crash, its rows are there once. `hot`: the store forgets. */
static void
retry_cut_off(bool hot, uint64_t steps)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = hot;
	t.backoff_ms = 2;
	t.attempts_max = 1000;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 7, 7, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_DEAD_LETTERS, 1));
	mutex_lock(&t.store.lock);
	t.store.healed = true;
	t.store.steps = 0;
	t.store.steps_max = steps;
	mutex_unlock(&t.store.lock);
	uint64_t end = clock_mono_ns() + UINT64_C(100000000);
	while (t.store.steps < steps && clock_mono_ns() < end)
		clock_sleep_ns(100000);
	ingest_test_down(&t, 0);
	if (hot)
		ingest_test_forget(&t);
	t.store.steps_max = 0;
	ingest_test_up(&t);
	assert_true(ingest_test_wait_letters(&t, DLQ_RUNNING, 0));
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 7, 7, 1));
	ingest_test_fini(&t);
}

TEST(ingest, retry_that_a_crash_cuts_off_is_there_once)
{
	for (uint64_t steps = 1; steps <= 3; steps++) {
		retry_cut_off(false, steps);
		retry_cut_off(true, steps);
	}
}

TEST(ingest, failed_retry_that_is_read_again_from_the_log_after_a_later_one_worked_adds_nothing)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	t.backoff_ms = 2;
	t.attempts_max = 1000;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 7, 7, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 3));
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	assert_true(ingest_test_wait_letters(&t, DLQ_RUNNING, 0));
	for (int i = 0; i < 2; i++) { /* all of it again, every record taken now */
		ingest_test_down(&t, 10000);
		ingest_test_forget(&t);
		assert_true(ingest_test_seen(&t, 7, 7, 0));
		ingest_test_up(&t);
		assert_true(ingest_test_wait_level(&t));
		assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 0);
		assert_true(ingest_test_seen(&t, 7, 7, 1));
	}
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_heard(&t, 7, 7, 1));
	ingest_test_fini(&t);
}

TEST(ingest, failed_retry_read_again_adds_nothing_when_the_files_have_a_later_one)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	t.backoff_ms = 2;
	t.attempts_max = 1000;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 7, 7, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 3));
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	assert_true(ingest_test_wait_letters(&t, DLQ_RUNNING, 0));
	ingest_test_down(&t, 10000);
	/* Its row and its identity are in the files, the position is before all tries of it. */
	t.store.position = t.store.applied = 1;
	ingest_test_up(&t);
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 7, 7, 1));
	assert_true(ingest_test_heard(&t, 7, 7, 0));
	ingest_test_fini(&t);
}

TEST(ingest, repeat_that_the_store_refuses_is_waited_for_and_never_a_letter)
{
	struct err err;
	for (int can_check = 0; can_check < 2; can_check++) {
		ingest_test_init(&t, test_tmp_dir());
		if (!can_check)
			ingest_test_no_check(&t);
		ingest_test_up(&t);
		submit_all(7, 7);
		assert_true(ingest_test_wait_loaded(&t, 1));
		ingest_test_fail_next(&t, 8, ERR_INTERNAL, false);
		assert_int_equal(ingest_test_submit(&t, 7, 7, "op", &err), ERR_OK);
		assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 8));
		assert_true(ingest_test_wait_loaded(&t, 2));
		assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
		ingest_test_down(&t, 10000);
		assert_true(ingest_test_seen(&t, 7, 7, 1));
		ingest_test_fini(&t);
	}
}

TEST(ingest, retries_are_put_back_while_the_log_takes_nothing)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.backoff_ms = 2;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 7, 7, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 1));
	ingest_test_down(&t, 10000);
	t.limits.free_bytes_min = UINT64_MAX; /* the disk is full */
	stats_set(&t.stats, STATS_LETTERS_FAILED, 0);
	ingest_test_heal(&t, true);
	ingest_test_up(&t);
	uint64_t seq = wal_durable_seq(t.wal);
	clock_sleep_ns(50000000);
	assert_int_equal(wal_durable_seq(t.wal), seq);
	assert_int_equal(stats_get(&t.stats, STATS_LETTERS_FAILED), 0);
	ingest_test_down(&t, 10000);
	t.limits.free_bytes_min = 0;
	ingest_test_up(&t);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 7, 7, 1));
	ingest_test_fini(&t);
}

TEST(ingest, row_that_the_store_cannot_keep_is_put_aside_from_the_log)
{
	struct err err, why = {.code = ERR_INVALID, .message = "no file takes this"};
	struct dlq_letter letter;
	struct dlq_query every = {0};
	size_t n;
	bool more;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	ingest_test_up(&t);
	submit_all(1, 3);
	assert_int_equal(ingest_test_submit(&t, 10, 19, "op", &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 4));
	for (int i = 0; i < 2; i++) /* asked twice, it is put aside once */
		assert_int_equal(t.store.poison(t.store.poison_ctx, TABLE_SPANS, 4, 5, &why, &err),
		    ERR_OK);
	assert_int_equal(dlq_list(t.dlq, &every, &letter, 1, &n, &more, &err), ERR_OK);
	assert_int_equal(n, 1);
	assert_false(more);
	assert_int_equal(letter.seq, 4);
	assert_int_equal(letter.item_first, 5);
	assert_int_equal(letter.item_count, 1);
	assert_string_equal(letter.tenant, "acme");
	assert_string_equal(letter.error, "no file takes this");
	assert_int_equal(t.store.poison(t.store.poison_ctx, TABLE_SPANS, 99, 0, &why, &err),
	    ERR_INVALID);
	ingest_test_down(&t, 10000);
	ingest_test_forget(&t);
	ingest_test_up(&t); /* from the log, without it */
	assert_true(ingest_test_wait_loaded(&t, 4));
	assert_true(ingest_test_seen(&t, 10, 14, 1));
	assert_true(ingest_test_seen(&t, 15, 15, 0));
	assert_true(ingest_test_seen(&t, 16, 19, 1));
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 10, 19, 1));
	ingest_test_fini(&t);
}
