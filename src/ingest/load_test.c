/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: from where it was, each request once, whatever the store does; and what cannot be
 * loaded at all is put aside alone.
 */
#include "ingest/record.h"
#include "ingest/kit_test.h"
#include "sys/file.h"

#include <errno.h>

#include "sys/file_fault.h"
#include "tests/test.h"

static struct ingest_test t;

static void
submit_all(uint64_t first, uint64_t last)
{
	struct err err;
	uint64_t before = t.answers[ERR_OK];
	for (uint64_t k = first; k <= last; k++)
		assert_int_equal(ingest_test_submit(&t, k, k, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], before + last - first + 1));
}

TEST(ingest, start_goes_on_exactly_where_the_store_is)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	submit_all(1, 20);
	assert_true(ingest_test_wait_loaded(&t, 20));
	ingest_test_fail_next(&t, UINT64_MAX, ERR_UNAVAILABLE, false);
	submit_all(21, 40);
	ingest_test_down(&t, 0); /* at once: 21 to 40 are only in the log */
	assert_true(ingest_test_seen(&t, 21, 40, 0));
	for (int i = 0; i < 3; i++) {
		ingest_test_up(&t);
		ingest_test_down(&t, 0);
	}
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	ingest_test_up(&t);
	submit_all(41, 45);
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 45, 1));
	ingest_test_fini(&t);
}

TEST(ingest, store_that_fails_for_a_while_gets_everything_once)
{
	static const enum err_code codes[] = {ERR_BUSY, ERR_IO, ERR_UNAVAILABLE, ERR_DEADLINE};
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	uint64_t k = 0;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		ingest_test_fail_next(&t, 2, codes[i], false);
		submit_all(k + 1, k + 30);
		k += 30;
		assert_true(ingest_test_wait_loaded(&t, k));
	}
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, k, 1));
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ERRORS), 8);
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
	ingest_test_fini(&t);
}

TEST(ingest, store_that_kept_a_batch_and_said_no_does_not_get_it_twice)
{
	static const enum err_code codes[] = {ERR_IO, ERR_INTERNAL};
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	uint64_t k = 0;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		ingest_test_fail_next(&t, 1, codes[i], true);
		submit_all(k + 1, k + 30);
		k += 30;
		assert_true(ingest_test_wait_loaded(&t, k));
	}
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, k, 1));
	ingest_test_fini(&t);
}

/* The letter of all of record seq, which holds these spans. */
static void
assert_letter(uint64_t seq, uint64_t first, uint64_t last, const char *name)
{
	struct dlq_letter all[8], shown;
	struct buf b = {0}, want = ingest_test_spans(first, last, name);
	struct record rec;
	struct dlq_query every = {0};
	size_t n, i = 0;
	bool more;
	assert_int_equal(dlq_list(t.dlq, &every, all, ARRAY_LEN(all), &n, &more, NULL), ERR_OK);
	while (i < n && all[i].seq != seq)
		i++;
	assert_true(i < n);
	assert_int_equal(dlq_show(t.dlq, all[i].id, &shown, &b, NULL), ERR_OK);
	assert_int_equal(record_read(buf_view(&b), &rec, NULL), ERR_OK);
	assert_true(str_eq(rec.tenant, STR("acme")));
	assert_string_equal(all[i].tenant, "acme");
	assert_string_equal(all[i].signal, "traces");
	assert_string_equal(all[i].error, "this is poison");
	struct hash128 id = record_part_identity(rec.hash, all[i].item_first, all[i].item_count);
	assert_int_equal(all[i].identity.hi, id.hi);
	assert_int_equal(all[i].identity.lo, id.lo);
	assert_true(str_eq(rec.body, buf_view(&want)));
	buf_fini(&b);
	buf_fini(&want);
}

TEST(ingest, requests_that_cannot_be_loaded_are_put_aside_alone)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.load_delay_ms = 200; /* many in one batch */
	ingest_test_up(&t);
	for (uint64_t k = 1; k <= 40; k++)
		assert_int_equal(ingest_test_submit(&t, k, k, k == 11 || k == 12 ? "poison" : "op",
		                     &err),
		    ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 40));
	assert_true(ingest_test_seen(&t, 1, 10, 1));
	assert_true(ingest_test_seen(&t, 11, 12, 0));
	assert_true(ingest_test_seen(&t, 13, 40, 1));
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 2);
	assert_letter(11, 11, 11, "poison");
	assert_letter(12, 12, 12, "poison");
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 2);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, batch_too_large_for_the_memory_is_loaded_in_parts_without_waiting)
{
	ingest_test_init(&t, test_tmp_dir());
	t.load_delay_ms = 200; /* many in one batch */
	t.store.rows_max = 3;
	ingest_test_up(&t);
	submit_all(1, 64);
	assert_true(ingest_test_wait_loaded(&t, 64));
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 64, 1));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
	assert_in_range(t.store.too_large, 1, 64);
	ingest_test_fini(&t);
}

TEST(ingest, request_that_does_not_fit_in_the_memory_is_loaded_in_parts_by_letters)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.load_delay_ms = 200;
	t.store.rows_max = 20;
	t.backoff_ms = 5;
	ingest_test_up(&t);
	for (uint64_t k = 1; k <= 40; k++)
		assert_int_equal(ingest_test_submit(&t, k == 7 ? 100 : k, k == 7 ? 150 : k, "op",
		                     &err),
		    ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 40));
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 3));
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 6, 1));
	assert_true(ingest_test_seen(&t, 8, 40, 1));
	assert_true(ingest_test_seen(&t, 100, 150, 1));
	assert_true(ingest_test_heard(&t, 100, 150, 1));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 3);
	assert_in_range(t.store.too_large, 7, 30); /* so often it was tried */
	ingest_test_fini(&t);
}

TEST(ingest, request_waits_a_while_for_memory_that_comes_back)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	ingest_test_fail_next(&t, 6, ERR_TOO_LARGE, false);
	assert_int_equal(ingest_test_submit(&t, 1, 1, "op", &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 1));
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 1, 1));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
	ingest_test_fini(&t);
}

TEST(ingest, last_request_that_was_put_aside_moves_the_position_and_is_not_met_again)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 1, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 1));
	uint64_t appends = t.store.appends;
	ingest_test_down(&t, 10000);
	ingest_test_up(&t);
	submit_all(2, 3);
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 1);
	ingest_test_down(&t, 10000);
	assert_true(t.store.appends <= appends + 2);
	assert_true(ingest_test_seen(&t, 2, 3, 1));
	ingest_test_fini(&t);
}

TEST(ingest, letter_that_cannot_be_written_loses_nothing)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_RENAME, .nth = 1, .os_errno = EIO, .stays = true});
	assert_int_equal(ingest_test_submit(&t, 1, 1, "poison", &err), ERR_OK);
	uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
	while (!file_fault_hit() && clock_mono_ns() < end)
		clock_sleep_ns(1000000);
	assert_true(file_fault_hit());
	assert_int_equal(ingest_test_applied(&t), 0);
	ingest_test_down(&t, 0);
	file_fault_end();
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 1));
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 1);
	assert_letter(1, 1, 1, "poison");
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, store_that_refuses_all_for_ever_keeps_everything_in_the_log)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_fail_next(&t, UINT64_MAX, ERR_INTERNAL, false);
	ingest_test_up(&t);
	submit_all(1, 8);
	/* It refuses a request without any item too: no request is to blame. */
	assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 8));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
	assert_int_equal(ingest_test_applied(&t), 0);
	assert_non_null(strstr(ingest_test_check(&t, "loader")->text, "told to fail"));
	ingest_test_down(&t, 0);
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 8));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 8, 1));
	ingest_test_fini(&t);
}

TEST(ingest, store_that_cannot_be_asked_and_refuses_all_keeps_everything_but_one_in_the_log)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_no_check(&t);
	t.backoff_ms = 5;
	ingest_test_fail_next(&t, UINT64_MAX, ERR_INTERNAL, false);
	ingest_test_up(&t);
	submit_all(1, 8);
	assert_true(ingest_test_wait_stat(&t, STATS_DEAD_LETTERS, 1));
	/* One is put aside; that its place cannot be passed shows that it is not to blame. */
	assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 12));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 1);
	assert_int_equal(ingest_test_applied(&t), 0);
	ingest_test_down(&t, 0);
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 9)); /* the letter's record too */
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	assert_true(ingest_test_wait_letters(&t, DLQ_RUNNING, 0));
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 0);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 8, 1));
	ingest_test_fini(&t);
}

TEST(ingest, without_a_store_of_letters_a_bad_request_is_waited_for)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.no_dlq = true;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 1, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 5));
	assert_int_equal(ingest_test_applied(&t), 0);
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_loaded(&t, 1));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 1, 1));
	ingest_test_fini(&t);
}

TEST(ingest, request_is_never_put_aside_for_an_error_of_the_disk)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	ingest_test_fail_next(&t, 8, ERR_IO, false);
	submit_all(1, 1);
	assert_true(ingest_test_wait_loaded(&t, 1));
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 1, 1));
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
	ingest_test_fini(&t);
}

/* As a weir of another version, or a bug, might have left it. */
static void
log_record(struct wal *w, const struct record *rec, struct str body)
{
	char head[RECORD_HEAD_BYTES_MAX];
	uint64_t seq;
	size_t n = rec ? record_write_head(rec, head) : 0;
	assert_int_equal(wal_append(w, WAL_REQUEST, str_of(head, n), body, &seq, NULL), ERR_OK);
}

TEST(ingest, record_that_cannot_be_decoded_leaves_no_rows_and_stops_nobody)
{
	char dir[FILE_PATH_BYTES];
	struct wal *w;
	uint64_t durable;
	struct record rec = {.signal = SIGNAL_TRACES,
	    .item_count = 2,
	    .received_ns = 1,
	    .part_count = RECORD_ALL,
	    .tenant = STR("acme"),
	    .limits = limits_default()};
	ingest_test_init(&t, test_tmp_dir());
	assert_int_equal(file_join(str_from(t.dir), STR("wal"), dir, NULL), ERR_OK);
	struct wal_options opt = {.dir = str_from(dir), .segment_bytes_max = 65536};
	assert_int_equal(wal_open(&opt, &w, NULL, NULL), ERR_OK);
	struct buf good = ingest_test_spans(1, 2, "op"), half = ingest_test_spans(3, 4, "op"),
	           last = ingest_test_spans(5, 6, "op");
	buf_str(&half, STR("\x0a\xff")); /* two spans, then framing that breaks */
	log_record(w, &rec, buf_view(&good));
	rec.hash.lo = 1;
	log_record(w, &rec, buf_view(&half));
	log_record(w, NULL, STR("no record at all"));
	rec.hash.lo = 2;
	log_record(w, &rec, buf_view(&last));
	assert_int_equal(wal_commit(w, &durable, NULL), ERR_OK);
	wal_close(w);
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 4));
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 2);
	ingest_test_down(&t, 20000);
	assert_true(ingest_test_seen(&t, 1, 2, 1));
	assert_true(ingest_test_seen(&t, 3, 4, 0));
	assert_true(ingest_test_seen(&t, 5, 6, 1));
	buf_fini(&good);
	buf_fini(&half);
	buf_fini(&last);
	ingest_test_fini(&t);
}

TEST(ingest, loaded_log_is_trimmed)
{
	ingest_test_init(&t, test_tmp_dir());
	t.segment_bytes = 4096;
	ingest_test_up(&t);
	for (uint64_t k = 0; k < 5; k++) {
		submit_all(k * 100 + 1, k * 100 + 100);
		assert_true(ingest_test_wait_loaded(&t, k * 100 + 100));
	}
	assert_true(wal_durable_bytes(t.wal) > 10 * 4096);
	ingest_test_down(&t, 10000);
	ingest_test_up(&t);
	assert_true(wal_segment_count(t.wal) <= 3);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 500, 1));
	ingest_test_fini(&t);
}

TEST(ingest, reading_errors_of_the_log_are_waited_out)
{
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	submit_all(1, 5);
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_READ, .nth = 1, .os_errno = EIO});
	submit_all(6, 10);
	assert_true(ingest_test_wait_loaded(&t, 10));
	assert_true(file_fault_hit());
	file_fault_end();
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 10, 1));
	ingest_test_fini(&t);
}

TEST(ingest, limits_lowered_since_a_request_was_taken_do_not_touch_it)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.failures = UINT64_MAX;
	t.store.code = ERR_UNAVAILABLE;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 50, "a name of some length", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	ingest_test_down(&t, 0);
	t.store.failures = 0;
	t.limits.items_max = 1;
	t.limits.name_bytes_max = 16;
	t.limits.body_bytes_max = 1024;
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 1));
	assert_true(ingest_test_seen(&t, 1, 50, 1));
	ingest_test_down(&t, 20000);
	ingest_test_fini(&t);
}
