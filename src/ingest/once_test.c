/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Once is once: what is sent again, or read again from the log, adds nothing and counts nothing; and what
 * an observer counts is what sending once would have given.
 */
#include "ingest/ingest_priv.h"
#include "ingest/kit_test.h"
#include "otlp/encode.h"
#include "store/fault.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <stdio.h>

#include "tests/test.h"

static struct ingest_test t;

static void
submit_all(uint64_t first, uint64_t last)
{
	struct err err;
	for (uint64_t k = first; k <= last; k++)
		assert_int_equal(ingest_test_submit(&t, k, k, "op", &err), ERR_OK);
}

/* ---- every request there is in the tree */

struct corpus {
	struct ingest_test *t;
	const char *dir;
	uint64_t sent;
};

static void
send_file(void *ctx, const char *name)
{
	struct corpus *c = ctx;
	char path[FILE_PATH_BYTES];
	struct buf body = {0};
	struct err err;
	static const enum signal_kind signals[] = {SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS};
	if (file_join(str_from(c->dir), str_from(name), path, &err) != ERR_OK ||
	    file_read_all(path, 1 << 20, &body, &err) != ERR_OK) {
		buf_fini(&body);
		return; /* a folder */
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct buf copy = {0};
		buf_str(&copy, buf_view(&body));
		enum err_code code;
		/* What one of the three refuses, or keeps nothing of, is no part of it. */
		code = ingest_test_submit_body(c->t, signals[i], STR("acme"), &copy, &err);
		c->sent += code == ERR_OK;
	}
	buf_fini(&body);
}

static uint64_t
send_corpus(void)
{
	struct err err;
	struct corpus c = {.t = &t};
	uint64_t before = t.answers[ERR_OK];
	static const char *const dirs[] = {"tests/golden/otlp", "fuzz/corpus/otlp"};
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		c.dir = dirs[i];
		assert_int_equal(file_list(dirs[i], send_file, &c, &err), ERR_OK);
	}
	/* Spans of known ids in several requests, some in two of them; and equal log lines. */
	for (uint64_t k = 1; k <= 20; k++)
		assert_int_equal(ingest_test_submit(&t, 5 * k, 5 * k + 6, "op", &err), ERR_OK);
	struct otlp_encoder e;
	struct buf logs = {0};
	struct otlp_value line = otlp_value_str(STR("the same line"));
	otlp_encode_begin(&e, SIGNAL_LOGS, &logs);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR("lib"), STR("1"), STR_EMPTY);
	for (int i = 0; i < 2; i++)
		otlp_encode_log(&e, &(struct otlp_log){.time_ns = 5, .body = &line});
	otlp_encode_end(&e);
	assert_int_equal(ingest_test_submit_body(&t, SIGNAL_LOGS, STR("acme"), &logs, &err),
	    ERR_OK);
	c.sent += 21;
	assert_true(ingest_test_wait(&t.answers[ERR_OK], before + c.sent));
	return c.sent;
}

struct sums {
	uint64_t rows, logs, heard, load_rows;
	uint64_t hash; /* of all rows, in any order */
};

static struct sums
sum(void)
{
	struct sums s = {.rows = t.store.row_count,
	    .heard = t.heard_rows,
	    .load_rows = (uint64_t)stats_get(&t.stats, STATS_LOAD_ROWS)};
	for (size_t i = 0; i < t.store.row_count; i++) {
		const struct test_row *r = &t.store.rows[i];
		uint64_t of[] = {(uint64_t)r->table, r->key, r->ord};
		s.hash += hash_u64(str_of((const char *)of, sizeof(of)));
		s.logs += r->table == TABLE_LOGS && r->key == hash_u64(STR("the same line"));
	}
	return s;
}

TEST(ingest, corpus_sent_three_times_and_replayed_counts_as_once)
{
	struct sums once = {0};
	int64_t once_logged = 0;
	for (int times = 1; times <= 3; times += 2) {
		ingest_test_init(&t, test_tmp_dir());
		t.store.hot = t.store.dedupe = true;
		ingest_test_up(&t);
		uint64_t sent = 0;
		for (int i = 0; i < times; i++)
			sent = send_corpus();
		assert_true(sent > 30);
		assert_true(ingest_test_wait_level(&t));
		int64_t repeats = ingest_test_metric(&t,
		    "weir_duplicates_total{tenant=\"acme\",kind=\"request\"}");
		ingest_test_down(&t, 10000);
		struct sums now = sum();
		if (times == 1)
			once = now;
		assert_memory_equal(&now, &once, sizeof(now));
		assert_int_equal(now.heard, now.rows);
		assert_int_equal(now.load_rows, now.rows);
		assert_int_equal(now.logs, 2);
		assert_true(now.rows > 100);
		if (times == 1)
			once_logged = stats_get(&t.stats, STATS_WAL_RECORDS);
		else
			assert_int_equal(repeats, 2 * once_logged);
		/* Killed: some of it is in the files, the rest is read again from the log. */
		for (uint64_t seq = 0; seq < 60; seq += 13) {
			t.store.position = seq;
			ingest_test_forget(&t);
			stats_set(&t.stats, STATS_LOAD_ROWS, 0);
			uint64_t kept = t.store.row_count;
			ingest_test_up(&t);
			assert_true(ingest_test_wait_level(&t));
			ingest_test_down(&t, 10000);
			now = sum();
			assert_int_equal(now.heard + kept, now.rows);
			assert_int_equal(now.load_rows + kept, now.rows);
			now.heard = now.load_rows = now.rows;
			assert_memory_equal(&now, &once, sizeof(now));
		}
		ingest_test_fini(&t);
	}
}

/* Into another store, with or without faults; how many rows there are in the end. */
static uint64_t
corpus_into(struct store *s, int times, const struct store_fault_plan *plans, size_t count)
{
	struct store_status status;
	ingest_test_init(&t, test_tmp_dir());
	t.use = s;
	t.backoff_ms = 2;
	ingest_test_up(&t);
	for (int i = 0; i < times; i++) {
		if (count > 0)
			store_fault_plan(s, STORE_FAULT_APPEND, plans[(size_t)i % count]);
		send_corpus();
		assert_true(ingest_test_wait_level(&t));
	}
	assert_true(ingest_test_wait_level(&t));
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	assert_true(ingest_test_wait_letters(&t, DLQ_RUNNING, 0));
	ingest_test_down(&t, 10000);
	store_status(s, &status);
	/* What an observer counts is what there is. */
	assert_int_equal(t.heard_rows, status.row_count);
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), status.row_count);
	ingest_test_up(&t); /* and a new start adds nothing */
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 10000);
	assert_int_equal(t.heard_rows, 0);
	ingest_test_fini(&t);
	store_close(s);
	return status.row_count;
}

TEST(ingest, corpus_into_a_store_that_fails_is_what_it_is_in_one_that_does_not)
{
	static const struct store_fault_plan plans[] = {
	    {.first = 1, .count = 40, .code = ERR_INTERNAL}, /* letters, and all is tried again */
	    {.first = 1, .count = 12, .code = ERR_INTERNAL}, /* of repeats no letters are made */
	    {.first = 1, .count = 2, .code = ERR_IO},
	    {.first = 2, .count = 3, .code = ERR_BUSY, .after = true},
	};
	uint64_t once = corpus_into(store_mem_new(), 1, NULL, 0);
	assert_true(once > 100);
	assert_int_equal(corpus_into(store_fault_new(store_mem_new()), 4, plans, ARRAY_LEN(plans)),
	    once);
	static const struct store_fault_plan kept[] = {
	    {.first = 1, .count = 3, .code = ERR_INTERNAL, .after = true}};
	assert_true(stats_get(&t.stats, STATS_LOAD_ERRORS) > 20);
	assert_true(stats_get(&t.stats, STATS_DEAD_LETTERS) > 0);
	assert_int_equal(corpus_into(store_fault_new(store_mem_new()), 2, kept, 1), once);
	assert_int_equal(stats_get(&t.stats, STATS_DEAD_LETTERS), 0);
}

TEST(ingest, replay_of_rows_that_the_store_has_already_adds_and_counts_none)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 10, "op", &err), ERR_OK);
	assert_int_equal(ingest_test_submit(&t, 11, 20, "op", &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 2));
	ingest_test_down(&t, 10000);
	/* A seal had cut the second request: position 1, and half of its rows are in files. */
	t.store.position = 2;
	ingest_test_forget(&t);
	t.store.row_count -= 5;
	for (uint64_t k = 16; k <= 20; k++)
		t.store.seen[k] = 0;
	t.store.position = t.store.applied = 1;
	stats_set(&t.stats, STATS_LOAD_ROWS, 0);
	ingest_test_up(&t);
	assert_true(ingest_test_wait_loaded(&t, 2));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 20, 1));
	assert_true(ingest_test_heard(&t, 11, 15, 0));
	assert_true(ingest_test_heard(&t, 16, 20, 1));
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), 5);
	ingest_test_fini(&t);
}

/* ---- the observer */

TEST(ingest, observer_hears_of_each_row_once_whatever_fails)
{
	static const struct {
		enum err_code code;
		bool after;
	} faults[] = {{ERR_BUSY, false}, {ERR_IO, true}, {ERR_INTERNAL, false},
	    {ERR_INTERNAL, true}, {ERR_UNAVAILABLE, false}, {ERR_TOO_LARGE, false}};
	uint64_t k = 0;
	ingest_test_init(&t, test_tmp_dir());
	t.backoff_ms = 2;
	t.attempts_max = 1000;
	ingest_test_up(&t);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		ingest_test_fail_next(&t, 2, faults[i].code, faults[i].after);
		submit_all(k + 1, k + 30);
		submit_all(k + 1, k + 30); /* and again */
		k += 30;
		assert_true(ingest_test_wait(&t.answers[ERR_OK], 2 * k));
		assert_true(ingest_test_wait_level(&t));
	}
	struct err err;
	assert_int_equal(ingest_test_submit(&t, k + 1, k + 1, "poison", &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 2));
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, k + 1, 1));
	assert_true(ingest_test_heard(&t, 1, k + 1, 1));
	assert_int_equal(t.heard_rows, k + 1);
	assert_int_equal(t.heard_batches, t.store.batches);
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), k + 1);
	ingest_test_fini(&t);
}

/* ---- duplicates */

TEST(ingest, duplicates_are_counted_by_tenant_and_kind)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.dedupe = true;
	ingest_test_up(&t);
	assert_int_equal(ingest_test_submit(&t, 1, 10, "op", &err), ERR_OK);
	assert_int_equal(ingest_test_submit(&t, 1, 10, "op", &err), ERR_OK);
	assert_int_equal(ingest_test_submit(&t, 1, 10, "op", &err), ERR_OK);
	assert_int_equal(ingest_test_submit(&t, 8, 14, "op", &err), ERR_OK);
	struct buf b = ingest_test_spans(21, 22, "op");
	assert_int_equal(ingest_test_submit_body(&t, SIGNAL_TRACES, STR("other.one"), &b, &err),
	    ERR_OK);
	b = ingest_test_spans(1, 10, "op"); /* the same bytes, another tenant's: no repeat */
	assert_int_equal(ingest_test_submit_body(&t, SIGNAL_TRACES, STR("third"), &b, &err),
	    ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 6));
	assert_true(ingest_test_wait_level(&t));
	static const char acme[] = "weir_duplicates_total{tenant=\"acme\",kind=\"";
	char line[100];
	snprintf(line, sizeof(line), "%srequest\"}", acme);
	assert_int_equal(ingest_test_metric(&t, line), 2);
	snprintf(line, sizeof(line), "%sspan\"}", acme);
	assert_int_equal(ingest_test_metric(&t, line), 3);
	assert_int_equal(ingest_test_metric(&t,
	                     "weir_duplicates_total{tenant=\"other.one\",kind=\"request\"}"),
	    -1);
	/* This store for tests goes by the span's id alone. */
	assert_int_equal(ingest_test_metric(&t,
	                     "weir_duplicates_total{tenant=\"third\",kind=\"request\"}"),
	    0);
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 14, 1));
	assert_int_equal(stats_get(&t.stats, STATS_LOAD_ROWS), 16);
	ingest_test_fini(&t);
}

TEST(ingest, tenants_beyond_the_bound_are_counted_as_other)
{
	struct duplicates *d = ingest_duplicates_new();
	struct buf out = {0};
	char name[32];
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < DUPLICATE_TENANTS_MAX + 50; i++) {
			snprintf(name, sizeof(name), "tenant-%d", i);
			ingest_duplicates_add(d, str_from(name), 1, 2);
		}
	ingest_duplicates_add(d, STR("other"), 5, 7);
	ingest_duplicates_print(d, &out);
	buf_char(&out, '\0');
	size_t lines = 0;
	for (size_t i = 0; i < out.len; i++)
		lines += out.ptr[i] == '\n';
	assert_int_equal(lines, 2 + 2 * (DUPLICATE_TENANTS_MAX + 1));
	assert_non_null(strstr(out.ptr, "{tenant=\"tenant-0\",kind=\"request\"} 2\n"));
	assert_non_null(strstr(out.ptr, "{tenant=\"tenant-999\",kind=\"span\"} 4\n"));
	assert_null(strstr(out.ptr, "tenant-1000"));
	assert_non_null(strstr(out.ptr, "{tenant=\"other\",kind=\"request\"} 105\n"));
	assert_non_null(strstr(out.ptr, "{tenant=\"other\",kind=\"span\"} 207\n"));
	buf_fini(&out);
	ingest_duplicates_free(d);
}

/* ---- where the log and the store stand */

TEST(ingest, log_is_kept_until_the_store_keeps_it_by_itself)
{
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	t.segment_bytes = 4096;
	ingest_test_up(&t);
	submit_all(1, 300);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 300));
	assert_true(ingest_test_wait_level(&t));
	uint64_t segments = wal_segment_count(t.wal);
	assert_true(segments > 5);
	assert_int_equal(stats_get(&t.stats, STATS_LAG_BYTES), 0);
	assert_true(stats_get(&t.stats, STATS_KEPT_BYTES) > 5 * 4096);
	assert_int_equal(stats_get(&t.stats, STATS_KEPT_SEQ), 0);
	ingest_test_seal(&t, ingest_test_applied(&t));
	/* Also when nothing comes in. */
	assert_true(ingest_test_wait_stat(&t, STATS_KEPT_SEQ, (int64_t)ingest_test_applied(&t)));
	uint64_t end = clock_mono_ns() + UINT64_C(20000000000);
	while (stats_get(&t.stats, STATS_KEPT_BYTES) > 0 && clock_mono_ns() < end)
		clock_sleep_ns(1000000);
	assert_int_equal(stats_get(&t.stats, STATS_KEPT_BYTES), 0);
	assert_true(wal_segment_count(t.wal) <= 2);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, start_serves_at_once_and_says_how_far_it_has_caught_up)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	ingest_test_up(&t);
	submit_all(1, 100);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 100));
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 10000);
	ingest_test_forget(&t);
	t.store.steps_max = 1; /* one batch, and then it waits */
	t.store.steps = 1;
	ingest_test_up(&t);
	assert_false(ingest_test_check(&t, "loader")->ok);
	assert_int_equal(ingest_test_submit(&t, 101, 101, "op", &err), ERR_OK);
	assert_true(ingest_test_wait(&t.answers[ERR_OK], 101));
	assert_true(ingest_test_wait_stat(&t, STATS_LOAD_ERRORS, 1));
	assert_non_null(strstr(ingest_test_check(&t, "loader")->text, "stopped at a step"));
	char how_far[LIMIT_CHECK_TEXT_BYTES];
	assert_true(ingest_catches_up(t.in, how_far));
	assert_non_null(strstr(how_far, "catching up: 0 of "));
	/* What is stuck is not waited for. */
	assert_true(t.in->failing_since_ns > 0);
	t.in->failing_since_ns = clock_mono_ns() - INGEST_STUCK_MS * UINT64_C(1000000);
	assert_false(ingest_catches_up(t.in, how_far));
	ingest_set_text(t.in, t.in->load_text, NULL);
	assert_false(ingest_test_check(&t, "loader")->ok);
	const char *text = ingest_test_check(&t, "loader")->text;
	assert_non_null(strstr(text, "catching up: 0 of "));
	assert_non_null(strstr(text, " KiB of the log are loaded"));
	mutex_lock(&t.store.lock);
	t.store.steps_max = 0;
	mutex_unlock(&t.store.lock);
	assert_true(ingest_test_wait_level(&t));
	assert_false(ingest_catches_up(t.in, how_far));
	ingest_test_down(&t, 10000);
	assert_true(ingest_test_seen(&t, 1, 101, 1));
	ingest_test_up(&t);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}

TEST(ingest, record_that_comes_alone_is_loaded_without_waiting)
{
	struct err err;
	ingest_test_init(&t, test_tmp_dir());
	t.load_delay_ms = 3600000;
	ingest_test_up(&t);
	/* Were the delay counted from its arrival this would time out. */
	assert_int_equal(ingest_test_submit(&t, 1, 1, "op", &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 1));
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}
