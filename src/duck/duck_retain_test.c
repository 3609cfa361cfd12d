/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW CONFORMANCE_NOW_NS
#define HOUR (NS_PER_DAY / 24)

enum { DAYS = 10, ACME_ROWS = 200, BETA_ROWS = 120 };

/* Ten days that end with today's noon, 200 spans of acme's and 120 of beta's each, a minute apart. */
static void
put_days(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t day = 0; day < DAYS; day++) {
		uint64_t start = NOW - day * NS_PER_DAY - ACME_ROWS * 60 * NS_PER_S;
		duck_kit_begin(&b, store_applied(s) + 1);
		for (uint32_t i = 0; i < ACME_ROWS + BETA_ROWS; i++) {
			uint64_t at = start + i % ACME_ROWS * 60 * NS_PER_S;
			size_t row = duck_kit_span(&b, b.last_seq, i, day << 32 | (i + 1), at);
			if (i >= ACME_ROWS)
				table_set_str(&b.tables[TABLE_SPANS], row, SPAN_TENANT,
				    STR("beta"));
		}
		store_conformance_put(s, &b);
		duck_kit_wait_quiet(s);
	}
	batch_fini(&b);
	duck_kit_flush(s);
}

static struct store *
open_with(const char *dir, const char *all, const char *tenants, struct arena *arena,
    struct duck_options *opt)
{
	struct retain r;
	struct err err;
	if (retain_parse(str_from(all), str_from(tenants), arena, &r, &err) != ERR_OK)
		fail_msg("%s", err.message);
	opt->data_dir = str_from(dir);
	opt->retain = &r;
	opt->retain_look_ms = 1;
	return duck_kit_open(opt);
}

static struct duck_options
options(const char *dir)
{
	struct duck_options opt = duck_kit_options(dir);
	opt.seal_rows = 64;
	opt.log_bytes_max = 4 * KIT_REQUEST_BYTES;
	return opt;
}

/* The sealer's thread has looked for what is to be removed, and found nothing more. */
static void
wait_removed(struct store *s)
{
	duck_kit_wait_quiet(s);
	clock_sleep_ns(5 * NS_PER_MS);
	duck_kit_wait_quiet(s);
}

/* The folder gets ten days; then it is opened with rules, which are followed. */
static struct store *
ten_days_with(const char *dir, const char *all, const char *tenants, struct arena *arena)
{
	struct duck_options opt = options(dir);
	struct store *s = duck_kit_open(&opt);
	put_days(s);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), DAYS * ACME_ROWS);
	store_close(s);
	opt = options(dir);
	s = open_with(dir, all, tenants, arena, &opt);
	wait_removed(s);
	return s;
}

/* Services count what is there, in the file as in memory. */
static void
same_in_services(struct store *s, const char *tenant, uint64_t rows)
{
	struct store_query q = store_conformance_question(STORE_SERVICES, tenant);
	struct arena arena = {0};
	struct store_result r;
	store_conformance_ask(s, &q, &arena, &r);
	uint64_t spans = 0;
	for (size_t i = 0; i < r.rows.row_count; i++)
		spans += table_u64(&r.rows, i, SERVICE_SPANS);
	assert_int_equal(spans, rows);
	arena_fini(&arena);
}

static void
has(struct store *s, uint64_t acme, uint64_t beta)
{
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), acme);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "beta"), beta);
	same_in_services(s, "acme", acme);
	same_in_services(s, "beta", beta);
}

/* What the seals say of themselves is what is there. */
static void
is_consistent(struct store *s)
{
	assert_int_equal(
	    duck_kit_number(s,
	        "SELECT count(*)::UBIGINT FROM (SELECT gen, rows FROM seals WHERE day >= 0"
	        " EXCEPT SELECT gen, sum(rows) FROM seal_services GROUP BY gen)"),
	    0);
	assert_int_equal(
	    duck_kit_number(s,
	        "SELECT count(*)::UBIGINT FROM seal_services WHERE gen NOT IN (SELECT gen FROM seals)"),
	    0);
	assert_int_equal(
	    duck_kit_number(s,
	        "SELECT count(*)::UBIGINT FROM (SELECT gen FROM seal_parts UNION ALL SELECT gen FROM"
	        " seal_words UNION ALL SELECT gen FROM seal_hashes) WHERE gen NOT IN (SELECT gen FROM seals)"),
	    0);
	assert_int_equal(duck_kit_number(s,
	                     "SELECT count(*)::UBIGINT FROM seals WHERE base = ''") <= 1,
	    true);
}

static uint64_t
leftovers(struct store *s)
{
	return duck_kit_number(s,
	    "SELECT count(*)::UBIGINT FROM seal_services WHERE gen NOT IN (SELECT gen FROM seals)");
}

static uint64_t
tables(struct store *s)
{
	return duck_kit_number(s, "SELECT count(*)::UBIGINT FROM partitions WHERE day >= 0");
}

TEST(duck_retain, days_that_are_too_old_are_dropped_whole)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct store_status status;
	struct store *s = ten_days_with(dir, "traces=3d", "", &arena);
	/* Three days and what has passed of today. */
	has(s, 4 * ACME_ROWS, 4 * BETA_ROWS);
	assert_int_equal(tables(s), 4);
	is_consistent(s);
	store_status(s, &status);
	assert_int_equal(status.removed_days[TABLE_SPANS], 6);
	assert_int_equal(status.removed_rows[TABLE_SPANS], 6 * (ACME_ROWS + BETA_ROWS));
	assert_int_equal(status.row_count, 4 * (ACME_ROWS + BETA_ROWS));
	assert_true(status.retain_longest_day_ns > 0);
	store_close(s);
	/* It stays so, and the log has nothing to give again. */
	struct duck_options opt = options(dir);
	s = duck_kit_open(&opt);
	has(s, 4 * ACME_ROWS, 4 * BETA_ROWS);
	store_status(s, &status);
	assert_int_equal(status.row_count, 4 * (ACME_ROWS + BETA_ROWS));
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, time_passes_and_the_next_day_goes)
{
	struct arena arena = {0};
	struct store *s = ten_days_with(test_tmp_dir(), "traces=3d", "", &arena);
	duck_kit_set_now(NOW + NS_PER_DAY);
	wait_removed(s);
	has(s, 3 * ACME_ROWS, 3 * BETA_ROWS);
	/* Of a day that has gone something comes late: it is taken, and goes again. */
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = store_applied(s) + 1;
	for (uint32_t i = 0; i < 64; i++)
		(void)duck_kit_span(&b, b.last_seq, i, 1000 + i, NOW - 8 * NS_PER_DAY);
	store_conformance_put(s, &b);
	batch_fini(&b);
	wait_removed(s);
	has(s, 3 * ACME_ROWS, 3 * BETA_ROWS);
	assert_int_equal(tables(s), 3);
	is_consistent(s);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, a_tenants_rows_go_and_the_others_stay)
{
	struct arena arena = {0};
	struct store *s = ten_days_with(test_tmp_dir(), "", "acme:traces=3d", &arena);
	has(s, 4 * ACME_ROWS, DAYS * BETA_ROWS);
	assert_int_equal(tables(s), DAYS);
	is_consistent(s);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, a_tenant_that_keeps_longer_keeps_the_day)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct store *s = ten_days_with(dir, "traces=3d", "beta:traces=5d", &arena);
	has(s, 4 * ACME_ROWS, 6 * BETA_ROWS);
	assert_int_equal(tables(s), 6);
	is_consistent(s);
	store_close(s);
	struct duck_options opt = options(dir);
	s = open_with(dir, "traces=3d", "beta:traces=0", &arena, &opt);
	wait_removed(s);
	has(s, 4 * ACME_ROWS, 6 * BETA_ROWS);
	store_close(s);
	arena_fini(&arena);
}

/* Ages of less than two days: seals that are wholly older. */
TEST(duck_retain, hours_are_kept_by_the_seal)
{
	struct arena arena = {0};
	struct store *s = ten_days_with(test_tmp_dir(), "traces=2h", "", &arena);
	uint64_t young = duck_kit_count(s, STORE_SPANS, "acme");
	/* 120 of 200 rows are younger; a seal has 64, of both tenants, sorted by ten minutes. */
	assert_in_range(young, 120, 120 + 2 * 64);
	assert_int_equal(tables(s), 1);
	is_consistent(s);
	duck_kit_set_now(NOW + 3 * HOUR);
	wait_removed(s);
	has(s, 0, 0);
	/* Today's table may get rows yet; tomorrow it goes. */
	duck_kit_set_now(NOW + NS_PER_DAY);
	clock_sleep_ns(5 * NS_PER_MS);
	duck_kit_wait_quiet(s);
	assert_int_equal(tables(s), 0);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, late_rows_in_the_catch_all_are_not_kept_longer)
{
	struct arena arena = {0};
	struct duck_options opt = options(NULL);
	opt.log_bytes_max = KIT_REQUEST_BYTES;
	struct store *s = open_with(test_tmp_dir(), "traces=30d", "beta:traces=0", &arena, &opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 4; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		b.last_bytes = seq * KIT_REQUEST_BYTES * 2;
		for (uint32_t i = 0; i < 6; i++) {
			uint64_t days = i < 2 ? 10 + i : 1000 + seq * 10 + i;
			size_t row =
			    duck_kit_span(&b, seq, i, seq << 32 | (i + 1), NOW - days * NS_PER_DAY);
			if (i == 5)
				table_set_str(&b.tables[TABLE_SPANS], row, SPAN_TENANT,
				    STR("beta"));
		}
		store_conformance_put(s, &b);
		duck_kit_wait_quiet(s);
	}
	batch_fini(&b);
	duck_kit_flush(s);
	wait_removed(s);
	has(s, 4 * 2, 4);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, rows_that_never_left_memory_are_not_kept_longer)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct duck_options opt = duck_kit_options(dir);
	struct store *s = open_with(dir, "traces=3d", "", &arena, &opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		batch_reset(&b);
		b.last_seq = seq;
		(void)duck_kit_span(&b, seq, 0, seq, NOW);
		(void)duck_kit_span(&b, seq, 1, seq + 10, NOW - 2 * NS_PER_DAY);
		(void)duck_kit_span(&b, seq, 2, seq + 20, NOW - 9 * NS_PER_DAY); /* is too late */
		store_conformance_put(s, &b);
	}
	for (int i = 0; i < 400 && duck_kit_count(s, STORE_SPANS, "acme") != 6; i++)
		clock_sleep_ns(5 * NS_PER_MS);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), 6);
	duck_kit_set_now(NOW + 2 * NS_PER_DAY);
	for (int i = 0; i < 400 && duck_kit_count(s, STORE_SPANS, "acme") != 3; i++)
		clock_sleep_ns(5 * NS_PER_MS);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), 3);
	duck_kit_set_now(NOW + 9 * NS_PER_DAY);
	for (int i = 0; i < 400 && duck_kit_count(s, STORE_SPANS, "acme") != 0; i++)
		clock_sleep_ns(5 * NS_PER_MS);
	assert_int_equal(duck_kit_count(s, STORE_SPANS, "acme"), 0);
	batch_fini(&b);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, of_too_many_bytes_the_oldest_go)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct store *s = ten_days_with(dir, "traces-bytes=1000g", "", &arena);
	struct store_status status;
	has(s, DAYS * ACME_ROWS, DAYS * BETA_ROWS);
	store_status(s, &status);
	uint64_t bytes = status.signal_bytes[TABLE_SPANS];
	assert_true(bytes > 0);
	store_close(s);
	char rule[64];
	snprintf(rule, sizeof(rule), "traces-bytes=%" PRIu64, bytes / 2);
	struct duck_options opt = options(dir);
	s = open_with(dir, rule, "", &arena, &opt);
	wait_removed(s);
	uint64_t acme = duck_kit_count(s, STORE_SPANS, "acme");
	assert_in_range(acme, DAYS * ACME_ROWS / 4, DAYS * ACME_ROWS * 3 / 5);
	store_status(s, &status);
	assert_in_range(status.signal_bytes[TABLE_SPANS], 1, bytes / 2);
	/* The newest are there. */
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct store_result r;
	q.from_ns = NOW - NS_PER_DAY;
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, ACME_ROWS);
	is_consistent(s);
	store_close(s);
	arena_fini(&arena);
}

/* Little traffic: everything is in the catch-all, in less than a row group. */
TEST(duck_retain, of_too_many_bytes_in_the_catch_all_only_so_many_go)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct duck_options opt = duck_kit_options(dir);
	struct store_status status;
	opt.log_bytes_max = 2 * KIT_REQUEST_BYTES;
	opt.seal_rows = 100000;
	struct store *s = duck_kit_open(&opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 50; seq++) {
		duck_kit_begin(&b, seq);
		for (uint32_t i = 0; i < 20; i++)
			(void)duck_kit_span(&b, seq, i, seq << 32 | (i + 1),
			    NOW - 20 * NS_PER_DAY + seq * HOUR);
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
	duck_kit_flush(s);
	store_close(s);
	/* While rows come in, their size is inferred from that of the first; a folder that is opened is measured. */
	opt = duck_kit_options(dir);
	s = open_with(dir, "traces-bytes=1000g", "", &arena, &opt);
	wait_removed(s);
	store_status(s, &status);
	uint64_t bytes = status.signal_bytes[TABLE_SPANS];
	assert_true(bytes > 0);
	store_close(s);
	char rule[64];
	snprintf(rule, sizeof(rule), "traces-bytes=%" PRIu64, bytes - bytes / 10);
	opt = duck_kit_options(dir);
	s = open_with(dir, rule, "", &arena, &opt);
	wait_removed(s);
	uint64_t rows = duck_kit_count(s, STORE_SPANS, "acme");
	assert_in_range(rows, 700, 900);
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct store_result r;
	q.from_ns = NOW - 20 * NS_PER_DAY + 40 * HOUR;
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, 11 * 20);
	store_close(s);
	arena_fini(&arena);
}

TEST(duck_retain, of_too_many_bytes_of_a_tenant_its_oldest_go)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct store *s = ten_days_with(dir, "traces-bytes=1000g", "", &arena);
	struct store_status status;
	store_status(s, &status);
	/* acme has five eighths of all. */
	uint64_t acme = status.signal_bytes[TABLE_SPANS] * ACME_ROWS / (ACME_ROWS + BETA_ROWS);
	store_close(s);
	char rule[64];
	snprintf(rule, sizeof(rule), "acme:traces-bytes=%" PRIu64, acme / 2);
	struct duck_options opt = options(dir);
	s = open_with(dir, "", rule, &arena, &opt);
	wait_removed(s);
	uint64_t rows = duck_kit_count(s, STORE_SPANS, "acme");
	assert_in_range(rows, DAYS * ACME_ROWS / 4, DAYS * ACME_ROWS * 3 / 5);
	has(s, rows, DAYS * BETA_ROWS);
	is_consistent(s);
	store_close(s);
	arena_fini(&arena);
}

/* ---- when it fails, and beside others */

struct failing {
	_Atomic uint64_t commits, failures;
};

static enum err_code
fail_commits(void *ctx, enum duck_step step, struct err *err)
{
	struct failing *f = ctx;
	if (step != DUCK_STEP_COMMIT || atomic_fetch_add(&f->commits, 1) % 2 == 1)
		return ERR_OK;
	atomic_fetch_add(&f->failures, 1);
	return err_set(err, ERR_IO, "a test wants it to fail");
}

TEST(duck_retain, a_removal_that_fails_has_not_happened_and_comes_again)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct failing failing = {0};
	struct duck_options opt = options(dir);
	struct store *s = duck_kit_open(&opt);
	put_days(s);
	store_close(s);
	opt = options(dir);
	opt.fault = fail_commits;
	opt.fault_ctx = &failing;
	s = open_with(dir, "traces=3d", "beta:traces=5d", &arena, &opt);
	for (int i = 0; i < 400 &&
	    (tables(s) != 6 || duck_kit_count(s, STORE_SPANS, "acme") != (size_t)4 * ACME_ROWS);
	    i++)
		clock_sleep_ns(10 * NS_PER_MS);
	for (int i = 0; i < 400 && leftovers(s) > 0; i++)
		clock_sleep_ns(10 * NS_PER_MS);
	wait_removed(s);
	has(s, 4 * ACME_ROWS, 6 * BETA_ROWS);
	is_consistent(s);
	assert_true(atomic_load(&failing.failures) > 4);
	store_close(s);
	arena_fini(&arena);
}

enum { ASKERS = 2 };

struct asker {
	struct store *s;
	struct thread thread;
	_Atomic bool stop;
	char wrong[100];
	uint64_t answers;
};

/* Each day is there as a whole or not at all, and nobody gets an error. */
static void
ask_days(void *ctx)
{
	struct asker *me = ctx;
	while (!atomic_load(&me->stop) && !me->wrong[0]) {
		struct store_query q = store_conformance_question(STORE_SPANS, "acme");
		struct arena arena = {0};
		struct store_result r;
		struct err err;
		uint64_t days[DAYS] = {0};
		q.row_max = DAYS * ACME_ROWS;
		if (store_query(me->s, &q, &arena, &r, &err) != ERR_OK)
			snprintf(me->wrong, sizeof(me->wrong), "%.90s", err.message);
		for (size_t i = 0; i < r.rows.row_count && !me->wrong[0]; i++)
			days[(NOW - table_u64(&r.rows, i, SPAN_START_NS)) / NS_PER_DAY]++;
		for (size_t i = 0; i < DAYS && !me->wrong[0]; i++)
			if (days[i] != ACME_ROWS && (days[i] != 0 || i < 4))
				snprintf(me->wrong, sizeof(me->wrong),
				    "%" PRIu64 " rows of day %zu", days[i], i);
		arena_fini(&arena);
		me->answers++;
	}
}

TEST(duck_retain, who_asks_meanwhile_sees_whole_days)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct asker askers[ASKERS] = {0};
	struct err err;
	struct duck_options opt = options(dir);
	struct store *s = duck_kit_open(&opt);
	put_days(s);
	store_close(s);
	opt = options(dir);
	duck_kit_set_now(NOW - 10 * NS_PER_DAY);
	s = open_with(dir, "traces=3d", "", &arena, &opt);
	for (size_t i = 0; i < ASKERS; i++) {
		askers[i].s = s;
		assert_int_equal(thread_start(&askers[i].thread, "asker", ask_days, &askers[i],
		                     &err),
		    ERR_OK);
	}
	for (uint64_t day = 0; day <= 10; day++) {
		duck_kit_set_now(NOW - (10 - day) * NS_PER_DAY);
		clock_sleep_ns(10 * NS_PER_MS);
	}
	duck_kit_wait_quiet(s);
	for (size_t i = 0; i < ASKERS; i++) {
		atomic_store(&askers[i].stop, true);
		thread_join(&askers[i].thread);
		if (askers[i].wrong[0])
			fail_msg("%s", askers[i].wrong);
		assert_true(askers[i].answers > 0);
	}
	has(s, 4 * ACME_ROWS, 4 * BETA_ROWS);
	store_close(s);
	arena_fini(&arena);
}

/* ---- the disk */

enum { BIG_ROWS = 640, BIG_BYTES = 16000, BIG_DAYS = 4 };

static uint64_t
disk_bytes(const char *dir)
{
	char path[FILE_PATH_BYTES];
	uint64_t bytes = 0;
	struct err err;
	assert_int_equal(file_join(str_from(dir), STR(DUCK_FILE), path, &err), ERR_OK);
	assert_int_equal(file_disk_bytes(path, &bytes, &err), ERR_OK);
	return bytes;
}

/* Text that does not compress. */
static struct str
noise(char *out, uint64_t seed)
{
	uint64_t x = seed * 2 + 1;
	for (size_t i = 0; i < BIG_BYTES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[i] = (char)(' ' + x % 64);
	}
	return str_of(out, BIG_BYTES);
}

TEST(duck_retain, the_disk_is_given_back_and_what_is_left_is_whole)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct duck_options opt = options(NULL);
	char *text = calloc(1, BIG_BYTES);
	opt.seal_rows = BIG_ROWS;
	duck_kit_set_now(NOW - 30 * NS_PER_DAY);
	struct store *s = open_with(dir, "traces=3d", "", &arena, &opt);
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t day = 0; day < BIG_DAYS; day++) {
		batch_reset(&b);
		b.last_seq = store_applied(s) + 1;
		for (uint32_t i = 0; i < BIG_ROWS; i++) {
			size_t row = duck_kit_span(&b, b.last_seq, i, day << 32 | (i + 1),
			    NOW - (30 + day) * NS_PER_DAY);
			table_set_str(&b.tables[TABLE_SPANS], row, SPAN_STATUS_MESSAGE,
			    arena_str(&b.arena, noise(text, day << 32 | i)));
		}
		store_conformance_put(s, &b);
		duck_kit_wait_quiet(s);
	}
	duck_kit_flush(s);
	uint64_t before = disk_bytes(dir);
	assert_in_range(before, (uint64_t)BIG_DAYS * BIG_ROWS * BIG_BYTES / 2, UINT64_MAX);
	/* The newest day was written first: it is in front of those that go. */
	duck_kit_set_now(NOW - 28 * NS_PER_DAY);
	for (int i = 0; i < 400 && disk_bytes(dir) > before / 2; i++) {
		clock_sleep_ns(5 * NS_PER_MS);
		duck_kit_wait_quiet(s);
	}
	assert_in_range(disk_bytes(dir), 1, before * 5 / 8);
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct store_result r;
	q.row_max = BIG_ROWS * BIG_DAYS;
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, 2 * BIG_ROWS);
	store_close(s);
	/* As it is on the disk, too. */
	opt = options(dir);
	s = duck_kit_open(&opt);
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, 2 * BIG_ROWS);
	for (size_t i = 0; i < r.rows.row_count; i++) {
		uint64_t id = table_u64(&r.rows, i, SPAN_SPAN_ID);
		struct str wanted = noise(text, id - 1);
		struct str message = table_str(&r.rows, i, SPAN_STATUS_MESSAGE);
		assert_int_equal(message.len, wanted.len);
		assert_memory_equal(message.ptr, wanted.ptr, wanted.len);
	}
	store_close(s);
	batch_fini(&b);
	free(text);
	arena_fini(&arena);
}

/* ---- comments */

static void
put_comments(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t day = 0; day < DAYS; day++) {
		duck_kit_begin(&b, store_applied(s) + 1);
		struct table *t = &b.tables[TABLE_COMMENTS];
		for (uint32_t i = 0; i < 80; i++) {
			char id[32];
			snprintf(id, sizeof(id), "%llu-%u", (unsigned long long)day, i);
			size_t row =
			    duck_kit_comment(&b, b.last_seq, i, id, NOW - day * NS_PER_DAY - i);
			if (i >= 70)
				table_set_str(t, row, COMMENT_TENANT, STR("beta"));
			table_set_u64(t, row, COMMENT_TRACE_LO, 1);
			table_set_str(t, row, COMMENT_AUTHOR, STR("ada"));
			table_set_str(t, row, COMMENT_BODY, STR("x"));
		}
		store_conformance_put(s, &b);
		duck_kit_wait_quiet(s);
	}
	batch_fini(&b);
	duck_kit_flush(s);
}

TEST(duck_retain, comments_go_by_an_age_of_their_own)
{
	const char *dir = test_tmp_dir();
	struct arena arena = {0};
	struct duck_options opt = options(dir);
	struct store *s = duck_kit_open(&opt);
	put_comments(s);
	assert_int_equal(duck_kit_count(s, STORE_COMMENTS, "acme"), DAYS * 70);
	store_close(s);
	opt = options(dir);
	s = open_with(dir, "traces=2d", "", &arena, &opt); /* not by that of their traces */
	wait_removed(s);
	assert_int_equal(duck_kit_count(s, STORE_COMMENTS, "acme"), DAYS * 70);
	store_close(s);
	opt = options(dir);
	s = open_with(dir, "comments=5d", "beta:comments=2d", &arena, &opt);
	wait_removed(s);
	/* From the beginning of the day that was so long ago, today among them. */
	assert_int_equal(duck_kit_count(s, STORE_COMMENTS, "acme"), 6 * 70);
	assert_int_equal(duck_kit_count(s, STORE_COMMENTS, "beta"), 3 * 10);
	store_close(s);
	duck_kit_whole(dir);
	arena_fini(&arena);
}
