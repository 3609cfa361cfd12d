/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking requests: what is refused and how, when a yes is said, what stopping does.
 */
#include "ingest/ingest.h"

#include "ingest/ingest_priv.h"
#include "ingest/kit_test.h"
#include "sys/file_fault.h"

#include <errno.h>

#include "tests/test.h"

static struct ingest_test t;

TEST(ingest, acknowledged_request_is_durable_and_becomes_visible)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	for (uint64_t k = 1; k <= 50; k++) {
		assert_int_equal(ingest_test_submit(&t, k * 2 - 1, k * 2, "op", &err), ERR_OK);
		assert_true(ingest_test_wait(&t.answers[ERR_OK], k));
		assert_true(wal_durable_seq(t.wal) >= k);
	}
	assert_int_equal(t.accepted, 100);
	assert_true(ingest_test_wait_loaded(&t, 50));
	assert_true(ingest_test_seen(&t, 1, 100, 1));
	for (int i = 0; i < INGEST_CHECKS; i++)
		assert_true(ingest_test_check(&t,
		    (const char *[]){"wal", "loader", "disk", "store", "dlq"}[i])
		        ->ok);
	ingest_test_down(&t, 10000);
	assert_int_equal(stats_get(&t.stats, STATS_SPANS_ACKED), 100);
	assert_int_equal(stats_get(&t.stats, STATS_REQUESTS_ACKED), 50);
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), 100);
	assert_int_equal(stats_get(&t.stats, STATS_LAG_BYTES), 0);
	assert_int_equal(stats_get(&t.stats, STATS_WAL_RECORDS), 50);
	ingest_test_fini(&t);
}

TEST(ingest, R10_failed_fdatasync_is_answered_unavailable_and_nothing_is_visible)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 1, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	assert_true(ingest_test_wait_loaded(&t, 1));
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_SYNC, .nth = 1, .os_errno = EIO});
	assert_int_equal(ingest_test_submit(&t, 2, 2, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_UNAVAILABLE], 1));
	file_fault_end();
	assert_non_null(strstr(t.message, "cannot be written"));
	assert_null(strchr(strstr(t.message, "/readyz") + 1, '/')); /* no path of ours */
	assert_int_equal(ingest_test_submit(&t, 3, 3, "op", &err), ERR_UNAVAILABLE);
	assert_false(ingest_test_check(&t, "wal")->ok);
	assert_non_null(strstr(ingest_test_check(&t, "wal")->text, "cannot sync"));
	assert_true(ingest_retry_after_ms(t.in, ERR_UNAVAILABLE) >= 1000);
	ingest_test_down(&t, 1000);
	assert_true(ingest_test_seen(&t, 1, 1, 1));
	assert_true(ingest_test_seen(&t, 2, 3, 0));
	ingest_test_up(&t); /* and after a new start all is well */
	assert_int_equal(ingest_test_submit(&t, 4, 4, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 2));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 4, 4, 1));
	ingest_test_fini(&t);
}

TEST(ingest, log_without_room_is_busy_and_recovers)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.segment_bytes = 4096;
	ingest_test_up(&t);
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_WRITE, .nth = 1, .os_errno = ENOSPC, .stays = true});
	assert_int_equal(ingest_test_submit(&t, 1, 1000, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_BUSY], 1));
	assert_false(ingest_test_check(&t, "wal")->ok);
	assert_non_null(strstr(t.message, "the disk is full ("));
	assert_null(strchr(t.message, '/'));
	file_fault_end();
	enum err_code code;
	while ((code = ingest_test_submit(&t, 1, 1000, "op", &err)) == ERR_BUSY) {
		assert_non_null(strstr(err.message, "the disk is full ("));
		clock_sleep_ns(1000000);
	}
	assert_int_equal(code, ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	assert_true(ingest_test_check(&t, "wal")->ok);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 1000, 1));
	ingest_test_fini(&t);
}

TEST(ingest, refused_items_are_counted_and_the_rest_is_kept)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 0, 3, "op", &err), ERR_OK); /* 0 has no id */
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	assert_int_equal(t.accepted, 3);
	assert_int_equal(t.rejected, 1);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 3, 1));
	assert_int_equal(stats_get(&t.stats, STATS_SPANS_REJECTED), 1);
	ingest_test_fini(&t);
}

TEST(ingest, R7_request_with_nothing_to_keep_is_a_yes_and_not_logged)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 0, 0, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	assert_int_equal(t.rejected, 1);
	struct ingest_request req = {
	    .signal = SIGNAL_METRICS, .tenant = STR("acme"), .done = ingest_test_done, .ctx = &t};
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 2));
	assert_int_equal(t.accepted, 0);
	assert_int_equal(wal_durable_seq(t.wal), 0);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, bad_request_is_refused_and_stays_the_callers)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.limits.body_bytes_max = 100;
	ingest_test_up(&t);
	struct ingest_request req = {
	    .signal = SIGNAL_TRACES, .tenant = STR("acme"), .done = ingest_test_done, .ctx = &t};
	buf_str(&req.body, STR("\x0a\xff garbage"));
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_INVALID);
	assert_int_equal(req.body.len, 10);
	req.json = true;
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_INVALID);
	assert_int_equal(req.body.len, 10);
	req.json = false;
	req.tenant = STR("a/b");
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "tenant"));
	req.tenant = STR("acme");
	while (req.body.len <= 100)
		buf_char(&req.body, 'x');
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_TOO_LARGE);
	assert_int_equal(req.body.len, 101);
	buf_fini(&req.body);
	ingest_test_down(&t, 10000);
	for (int code = 0; code < ERR_COUNT; code++)
		assert_int_equal(t.answers[code], 0);
	ingest_test_fini(&t);
}

TEST(ingest, json_and_protobuf_become_the_same)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	struct ingest_request req = {.signal = SIGNAL_TRACES,
	    .json = true,
	    .tenant = STR("acme"),
	    .done = ingest_test_done,
	    .ctx = &t};
	buf_str(&req.body,
	    STR("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
	        "\"00000000000000010000000000000001\",\"spanId\":\"0000000000000007\",\"name\":"
	        "\"op\"}]}]}]}"));
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_OK);
	assert_null(req.body.ptr);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 1));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 7, 7, 1));
	ingest_test_fini(&t);
}

/* Its share of the lag is its own: the others go on, and it does when it is loaded. */
TEST(ingest, lag_of_one_tenant_is_not_that_of_another)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.limits.lag_bytes_max = 20000;
	t.limits.tenant_lag_percent = 50;
	ingest_test_fail_next(&t, UINT64_MAX, ERR_UNAVAILABLE, false);
	ingest_test_up(&t);
	uint64_t k = 0;
	while (ingest_test_submit(&t, k + 1, k + 1, "op", &err) == ERR_OK) {
		k++;
		assert_true(ingest_test_wait(&t.answers[ERR_OK], k));
		assert_true(k < 1000);
	}
	assert_non_null(strstr(err.message, "--tenant-lag-percent"));
	assert_int_equal(ingest_admits(t.in, STR("another"), &err), ERR_OK);
	assert_true(ingest_test_check(&t, "loader")->text[0]);
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	assert_true(ingest_test_wait_loaded(&t, k));
	while (ingest_test_submit(&t, k + 1, k + 1, "op", &err) != ERR_OK)
		clock_sleep_ns(1000000);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, too_much_lag_is_busy_until_it_is_loaded)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.limits.lag_bytes_max = 2000;
	t.limits.tenant_lag_percent = 100;
	ingest_test_fail_next(&t, UINT64_MAX, ERR_UNAVAILABLE, false);
	ingest_test_up(&t);
	uint64_t k = 0;
	enum err_code code;
	while ((code = ingest_test_submit(&t, k + 1, k + 1, "op", &err)) == ERR_OK) {
		k++;
		assert_true(ingest_test_wait(&t.answers[ERR_OK], k));
		assert_true(k < 100);
	}
	assert_int_equal(code, ERR_BUSY);
	assert_non_null(strstr(err.message, "waiting to be loaded"));
	assert_true(k > 5);
	assert_false(ingest_test_check(&t, "loader")->ok);
	assert_true(ingest_retry_after_ms(t.in, ERR_BUSY) >= 1000);
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	assert_true(ingest_test_wait_loaded(&t, k));
	while (ingest_test_submit(&t, k + 1, k + 1, "op", &err) != ERR_OK)
		clock_sleep_ns(1000000); /* the position moves a moment before the lag does */
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, k + 1, 1));
	ingest_test_fini(&t);
}

TEST(ingest, log_without_room_is_said_once_and_clients_are_told_to_wait)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.segment_bytes = 4096;
	t.limits.segment_bytes_max = UINT64_MAX; /* so that it is not tried again by itself */
	ingest_test_up(&t);
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_WRITE, .nth = 1, .os_errno = ENOSPC, .stays = true});
	assert_int_equal(ingest_test_submit(&t, 1, 1000, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_BUSY], 1));
	for (int i = 0; i < 100; i++)
		assert_int_equal(ingest_test_submit(&t, 1, 1000, "op", &err), ERR_BUSY);
	assert_true(ingest_retry_after_ms(t.in, ERR_BUSY) >= 5000);
	/* None of them came as far as the log. */
	assert_int_equal(stats_get(&t.stats, STATS_WAL_COMMITS), 1);
	file_fault_end();
	ingest_test_down(&t, 1000);
	ingest_test_fini(&t);
}

TEST(ingest, floor_of_free_space_holds_between_two_looks)
{
	struct err err;
	uint64_t free_bytes;
	ingest_test_init(&t, test_tmp_dir());
	assert_int_equal(file_free_bytes(t.dir, &free_bytes, &err), ERR_OK);
	t.limits.free_bytes_min = free_bytes / 2;
	ingest_test_up(&t);
	assert_false(ingest_disk_refuses(t.in, 0));
	assert_true(ingest_disk_refuses(t.in, free_bytes / 3)); /* for all is stored twice */
	assert_false(ingest_disk_refuses(t.in, free_bytes / 8));
	assert_true(ingest_disk_refuses(t.in, free_bytes / 2));
	ingest_test_down(&t, 1000);
	ingest_test_fini(&t);
}

TEST(ingest, request_that_would_go_below_the_floor_is_refused_before_the_log)
{
	struct err err;
	uint64_t free_bytes;
	ingest_test_init(&t, test_tmp_dir());
	assert_int_equal(file_free_bytes(t.dir, &free_bytes, &err), ERR_OK);
	/* So that submit says yes, unless somebody else takes the space meanwhile. The request has
	 * more than 32 MiB, which is to be there twice. */
	t.limits.free_bytes_min = free_bytes - 8 * LIMIT_MIB;
	char name[1024] = {0};
	memset(name, 'n', sizeof(name) - 1);
	ingest_test_up(&t);
	enum err_code code = ingest_test_submit(&t, 1, 33000, name, &err);
	if (code == ERR_OK)
		assert_true(ingest_test_wait(&t.answers[ERR_BUSY], 1));
	else
		assert_int_equal(code, ERR_BUSY);
	assert_int_equal(wal_durable_seq(t.wal), 0);
	ingest_test_down(&t, 1000);
	ingest_test_fini(&t);
}

TEST(ingest, full_disk_is_busy_and_said)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.limits.free_bytes_min = UINT64_MAX;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 1, "op", &err), ERR_BUSY);
	assert_non_null(strstr(err.message, "disk is full"));
	assert_false(ingest_test_check(&t, "disk")->ok);
	assert_true(ingest_test_check(&t, "wal")->ok);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

static struct mutex gate;

static void
blocking_done(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	atomic_fetch_add(&t.rejected, 1000); /* it is in here now */
	mutex_lock(&gate);
	mutex_unlock(&gate);
	ingest_test_done(ctx, code, counts, message);
}

TEST(ingest, bodies_waiting_for_the_log_are_bounded)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.limits.inflight_bytes_max = 500;
	ingest_test_up(&t);
	mutex_init(&gate);
	mutex_lock(&gate);
	struct ingest_request req = {.signal = SIGNAL_TRACES,
	    .tenant = STR("acme"),
	    .body = ingest_test_spans(1, 1, "op"),
	    .done = blocking_done,
	    .ctx = &t};
	assert_int_equal(ingest_submit(t.in, &req, &err), ERR_OK);
	assert_true(ingest_test_wait(&t.rejected, 1000)); /* the commit thread is held */
	uint64_t k = 1;
	while (ingest_test_submit(&t, k + 1, k + 1, "op", &err) == ERR_OK)
		k++;
	assert_int_equal(err.code, ERR_BUSY);
	assert_in_range(k, 3, 12);
	assert_true(ingest_retry_after_ms(t.in, ERR_BUSY) < 1000);
	mutex_unlock(&gate);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], k));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, k, 1));
	mutex_fini(&gate);
	ingest_test_fini(&t);
}

TEST(ingest, stopping_answers_and_loads_everything_that_was_taken)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.load_delay_ms = 10000; /* far beyond: stopping does not wait for it */
	ingest_test_up(&t);
	for (uint64_t k = 1; k <= 300; k++)
		assert_int_equal(ingest_test_submit(&t, k, k, "op", &err), ERR_OK);
	ingest_stop(t.in, clock_mono_ns() + UINT64_C(30000000000));
	assert_int_equal(t.answers[ERR_OK], 300);
	assert_true(ingest_test_seen(&t, 1, 300, 1));
	assert_int_equal(ingest_test_submit(&t, 1, 1, "op", &err), ERR_UNAVAILABLE);
	ingest_free(t.in);
	wal_close(t.wal);
	ingest_test_fini(&t);
}

enum { CLIENTS = 6, EACH = 150 };

static void
client_main(void *ctx)
{
	uint64_t first = *(uint64_t *)ctx;
	for (uint64_t k = first; k < first + EACH; k++) {
		struct err err;
		enum err_code code;
		while ((code = ingest_test_submit(&t, k, k, "op", &err)) == ERR_BUSY)
			clock_sleep_ns(1000000);
		CHECK(code == ERR_OK);
	}
}

TEST(ingest, many_clients_are_each_answered_once)
{
	struct thread threads[CLIENTS] = {0};
	uint64_t first[CLIENTS];
	ingest_test_init(&t, test_tmp_dir());
	t.limits.inflight_bytes_max = 4000; /* so that some are refused and come again */
	ingest_test_up(&t);
	for (uint64_t i = 0; i < CLIENTS; i++) {
		first[i] = 1 + i * EACH;
		assert_int_equal(thread_start(&threads[i], "client", client_main, &first[i], NULL),
		    ERR_OK);
	}
	for (int i = 0; i < CLIENTS; i++)
		thread_join(&threads[i]);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], CLIENTS * EACH));
	assert_true(ingest_retry_after_ms(t.in, ERR_INVALID) == 0);
	ingest_test_down(&t, 20000);
	assert_int_equal(t.answers[ERR_OK], CLIENTS * EACH);
	assert_true(ingest_test_seen(&t, 1, CLIENTS * EACH, 1));
	ingest_test_fini(&t);
}
