/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as it works when nothing goes wrong: order, segments, marks, readers, trim.
 */
#include "wal/wal.h"

#include "base/hash.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "wal/testing_priv.h"
#include "wal/wal_priv.h"

#include <stdatomic.h>
#include <unistd.h>

#include <errno.h>

#include "tests/test.h"

TEST(wal, new_log_is_empty_and_stays_so_over_reopening)
{
	const char *dir = test_tmp_dir();
	struct wal_report report;
	for (int i = 0; i < 3; i++) {
		struct wal *w = wal_test_open(dir, 8192, 0, &report);
		assert_int_equal(report.segment_count, 1);
		assert_int_equal(report.last_seq, 0);
		assert_int_equal(report.cut_bytes, 0);
		assert_int_equal(wal_test_read_all(w, 0, 1), 0);
		wal_close(w);
	}
}

TEST(wal, records_come_back_in_order_over_many_segments)
{
	const char *dir = test_tmp_dir();
	struct wal_report report;
	struct wal *w = wal_test_open(dir, 8192, 0, NULL);
	for (uint64_t k = 1; k <= 600; k += 3) {
		assert_int_equal(wal_test_append(w, k, k + 2), k + 2);
		assert_true(wal_pending_bytes(w) > 0);
		wal_test_commit(w);
		assert_int_equal(wal_pending_bytes(w), 0);
		assert_int_equal(wal_durable_seq(w), k + 2);
	}
	assert_true(wal_segment_count(w) > 5);
	assert_int_equal(wal_test_read_all(w, 0, 1), 600);
	wal_close(w);
	w = wal_test_open(dir, 8192, 0, &report);
	assert_int_equal(report.record_count, 600);
	assert_int_equal(report.last_seq, 601); /* with the mark of the end */
	assert_int_equal(report.segment_count, wal_segment_count(w));
	for (uint64_t after = 0; after <= 600; after += 7)
		assert_int_equal(wal_test_read_all(w, after, after + 1), 600);
	wal_close(w);
}

TEST(wal, one_commit_may_fill_many_segments)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	wal_test_append(w, 1, 300);
	wal_test_commit(w);
	assert_int_equal(wal_durable_seq(w), 300);
	assert_true(wal_segment_count(w) > 10);
	wal_close(w);
	w = wal_test_open(dir, 4096, 0, NULL);
	assert_int_equal(wal_test_read_all(w, 0, 1), 300);
	wal_close(w);
}

TEST(wal, record_on_disk_is_as_the_header_says)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 4096, 41, NULL);
	uint64_t seq;
	assert_int_equal(wal_append(w, WAL_REQUEST, STR("he"), STR("llo"), &seq, NULL), ERR_OK);
	assert_int_equal(seq, 42);
	wal_test_commit(w);
	wal_close(w);
	struct buf b = wal_test_load(dir, "000000000000002a.wal");
	const unsigned char *p = (const unsigned char *)b.ptr;
	assert_int_equal(b.len, 4096);
	assert_memory_equal(p, "WEIRWAL1", 8);
	assert_int_equal(get_u64le(p + 8), 42);
	uint32_t salt = get_u32le(p + 16);
	assert_int_equal(get_u32le(p + 20), hash_crc32c(0, p, 20));
	assert_int_equal(get_u32le(p + 24), 5);
	assert_int_equal(get_u32le(p + 28), hash_crc32c(hash_crc32c(salt, p + 24, 4), p + 32, 24));
	assert_int_equal(get_u64le(p + 32), 42);
	assert_int_equal(get_u64le(p + 40), 41);
	assert_int_equal(get_u32le(p + 48), hash_crc32c(salt, p + 56, 8));
	assert_int_equal(get_u32le(p + 52), WAL_REQUEST);
	assert_memory_equal(p + 56, "hello\0\0\0", 8);
	assert_int_equal(get_u64le(p + 64 + 8), 43); /* the mark vouches for it */
	assert_int_equal(get_u64le(p + 64 + 16), 42);
	for (size_t i = 96; i < b.len; i++)
		assert_int_equal(p[i], 0);
	buf_fini(&b);
}

TEST(wal, mark_is_written_once_and_never_read)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 8192, 0, NULL);
	assert_int_equal(wal_mark_idle(w, NULL), ERR_OK);
	assert_int_equal(wal_durable_seq(w), 0); /* nothing to vouch for */
	wal_test_append(w, 1, 1);
	wal_test_commit(w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wal_mark_idle(w, NULL), ERR_OK);
	assert_int_equal(wal_durable_seq(w), 2);
	assert_int_equal(wal_test_append(w, 2, 2), 3);
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 0, 1), 2);
	for (int i = 0; i < 3; i++) {
		wal_close(w);
		w = wal_test_open(dir, 8192, 0, NULL);
		assert_int_equal(wal_durable_seq(w), 4);
	}
	wal_close(w);
}

TEST(wal, record_larger_than_a_segment_gets_room)
{
	const char *dir = test_tmp_dir();
	static char big[100000];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + (i >> 8));
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	uint64_t seq;
	struct str body = str_of(big, sizeof(big));
	for (int i = 0; i < 3; i++) { /* into an empty segment, behind another, and behind itself */
		assert_int_equal(wal_append(w, WAL_REQUEST, STR_EMPTY, body, &seq, NULL), ERR_OK);
		wal_test_commit(w);
	}
	for (int pass = 0; pass < 2; pass++) {
		struct wal_reader *r;
		struct wal_record rec;
		struct arena arena;
		arena_init(&arena, 0, 0);
		assert_int_equal(wal_reader_open(w, 0, &r, NULL), ERR_OK);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(wal_reader_next(r, &arena, &rec, NULL), ERR_OK);
			assert_true(str_eq(rec.payload, body));
		}
		assert_int_equal(wal_reader_next(r, &arena, &rec, NULL), ERR_NOT_FOUND);
		wal_reader_close(r);
		arena_fini(&arena);
		wal_close(w);
		w = wal_test_open(dir, 4096, 0, NULL);
	}
	wal_close(w);
}

TEST(wal, record_over_the_maximum_is_refused)
{
	struct wal *w = wal_test_open(test_tmp_dir(), 4096, 0, NULL);
	uint64_t seq;
	struct err err;
	struct str body = {.ptr = "", .len = WAL_PAYLOAD_BYTES_MAX};
	assert_int_equal(wal_append(w, WAL_REQUEST, STR("x"), body, &seq, &err), ERR_TOO_LARGE);
	body.len = SIZE_MAX;
	assert_int_equal(wal_append(w, WAL_REQUEST, STR("x"), body, &seq, &err), ERR_TOO_LARGE);
	assert_int_equal(wal_pending_bytes(w), 0);
	wal_close(w);
}

TEST(wal, uncommitted_records_are_not_kept_by_closing)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 8192, 0, NULL);
	wal_test_append(w, 1, 2);
	wal_test_commit(w);
	wal_test_append(w, 3, 4);
	assert_int_equal(wal_test_read_all(w, 0, 1), 2);
	wal_close(w);
	w = wal_test_open(dir, 8192, 0, NULL);
	assert_int_equal(wal_test_read_all(w, 0, 1), 2);
	wal_close(w);
}

TEST(wal, reader_gives_the_same_record_again_when_the_arena_was_spent)
{
	struct wal *w = wal_test_open(test_tmp_dir(), 8192, 0, NULL);
	struct wal_reader *r;
	struct wal_record rec;
	struct arena arena;
	char bytes[WAL_TEST_PAYLOAD_MAX];
	wal_test_append(w, 1, 4);
	wal_test_commit(w);
	arena_init(&arena, 16, 0);
	assert_int_equal(wal_reader_open(w, 3, &r, NULL), ERR_OK);
	assert_true(wal_test_payload(4, bytes).len > 16);
	assert_int_equal(wal_reader_next(r, &arena, &rec, NULL), ERR_TOO_LARGE);
	arena_fini(&arena);
	arena_init(&arena, 0, 0);
	assert_int_equal(wal_reader_next(r, &arena, &rec, NULL), ERR_OK);
	assert_int_equal(rec.seq, 4);
	assert_true(str_eq(rec.payload, wal_test_payload(4, bytes)));
	assert_int_equal(rec.end_bytes, wal_durable_bytes(w));
	arena_fini(&arena);
	wal_reader_close(r);
	wal_close(w);
}

TEST(wal, reader_refuses_what_is_beyond_the_log)
{
	struct wal *w = wal_test_open(test_tmp_dir(), 8192, 0, NULL);
	struct wal_reader *r;
	struct err err;
	wal_test_append(w, 1, 1);
	wal_test_commit(w);
	assert_int_equal(wal_reader_open(w, 2, &r, &err), ERR_INVALID);
	assert_null(r);
	assert_int_equal(wal_reader_open(w, 1, &r, &err), ERR_OK);
	wal_reader_close(r);
	wal_reader_close(NULL);
	wal_close(w);
	wal_close(NULL);
}

TEST(wal, trim_deletes_only_what_is_applied_and_never_the_newest)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	struct wal_reader *r;
	struct err err;
	uint64_t deleted, count;
	wal_test_append(w, 1, 200);
	wal_test_commit(w);
	count = wal_segment_count(w);
	assert_int_equal(wal_trim(w, 0, &deleted, &err), ERR_OK);
	assert_int_equal(deleted, 0);
	assert_int_equal(wal_trim(w, 100, &deleted, &err), ERR_OK);
	assert_in_range(deleted, 2, count - 2);
	assert_int_equal(wal_segment_count(w), count - deleted);
	assert_int_equal(wal_test_read_all(w, 100, 101), 200);
	assert_int_equal(wal_reader_open(w, 0, &r, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.message, "record 1 is no longer in the log"));
	assert_int_equal(wal_trim(w, UINT64_MAX, &deleted, &err), ERR_OK);
	assert_int_equal(wal_segment_count(w), 1);
	wal_close(w);
	w = wal_test_open(dir, 4096, 200, NULL);
	assert_int_equal(wal_test_read_all(w, 200, 201), 200);
	assert_int_equal(wal_test_append(w, 201, 201), 202); /* a mark took 201 */
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 200, 201), 201);
	wal_close(w);
}

TEST(wal, prepared_segment_is_used_and_none_is_left_behind)
{
	const char *dir = test_tmp_dir();
	char tmp[4096];
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	wal_test_path(dir, WAL_NEXT_NAME, tmp);
	uint64_t k = 0;
	while (w->write_off < 1024) {
		k++;
		wal_test_append(w, k, k);
		wal_test_commit(w);
	}
	mutex_lock(&w->lock);
	while (w->next_state == WAL_NEXT_WANTED)
		cond_wait(&w->next_changed, &w->lock);
	assert_int_equal(w->next_state, WAL_NEXT_READY);
	mutex_unlock(&w->lock);
	assert_int_equal(access(tmp, F_OK), 0);
	while (wal_segment_count(w) < 2) {
		k++;
		wal_test_append(w, k, k);
		wal_test_commit(w);
	}
	assert_int_equal(wal_test_read_all(w, 0, 1), k);
	wal_close(w);
	assert_int_not_equal(access(tmp, F_OK), 0);
}

struct tail {
	struct wal *w;
	uint64_t want;
	_Atomic uint64_t seen;
};

/* Reads behind the writer to the last record; deletes what it has read when it is the trimmer. */
static void
tail_main(void *ctx)
{
	struct tail *t = ctx;
	struct wal_reader *r;
	enum err_code code;
	CHECK(wal_reader_open(t->w, 0, &r, NULL) == ERR_OK);
	while (t->seen < t->want) {
		uint64_t last = wal_test_read(r, t->seen, &code);
		CHECK(code == ERR_NOT_FOUND);
		CHECK(last <= wal_durable_seq(t->w));
		CHECK(wal_reader_bytes(r) <= wal_durable_bytes(t->w));
		if (last == t->seen)
			clock_sleep_ns(100000);
		atomic_store(&t->seen, last);
	}
	wal_reader_close(r);
}

TEST(wal, readers_tail_while_the_writer_writes_and_segments_are_trimmed)
{
	enum { RECORDS = 3000, READERS = 3 };
	struct wal *w = wal_test_open(test_tmp_dir(), 16384, 0, NULL);
	struct tail tails[READERS] = {0};
	struct thread threads[READERS] = {0};
	uint64_t deleted;
	for (int i = 0; i < READERS; i++) {
		tails[i] = (struct tail){.w = w, .want = RECORDS};
		assert_int_equal(thread_start(&threads[i], "tail", tail_main, &tails[i], NULL),
		    ERR_OK);
	}
	for (uint64_t k = 1; k <= RECORDS;) {
		uint64_t last = k + k % 17 < RECORDS ? k + k % 17 : RECORDS;
		wal_test_append(w, k, last);
		wal_test_commit(w);
		k = last + 1;
		uint64_t slowest = UINT64_MAX;
		for (int i = 0; i < READERS; i++)
			slowest = tails[i].seen < slowest ? tails[i].seen : slowest;
		assert_int_equal(wal_trim(w, slowest, &deleted, NULL), ERR_OK);
	}
	for (int i = 0; i < READERS; i++) {
		thread_join(&threads[i]);
		assert_int_equal(tails[i].seen, RECORDS);
	}
	wal_close(w);
}

TEST(wal, segment_that_leaves_too_little_space_is_not_begun)
{
	const char *dir = test_tmp_dir();
	uint64_t durable, seq = 0, last = 0;
	struct wal *w;
	struct err err;
	struct wal_options opt = {
	    .dir = str_from(dir), .segment_bytes_max = 4096, .free_bytes_min = UINT64_MAX};
	assert_int_equal(wal_open(&opt, &w, NULL, &err), ERR_OK);
	enum err_code code = ERR_OK;
	while (code == ERR_OK && seq < 1000) {
		last = seq;
		seq = wal_test_append(w, seq + 1, seq + 1);
		code = wal_commit(w, &durable, &err);
	}
	assert_int_equal(code, ERR_BUSY);
	assert_int_equal(err.os_errno, ENOSPC);
	assert_int_equal(durable, last);
	assert_false(wal_failed(w));
	assert_int_equal(wal_segment_count(w), 1);
	assert_int_equal(wal_test_read_all(w, 0, 1), last);
	wal_close(w); /* there is room for the mark */
	assert_int_equal(wal_open(&opt, &w, NULL, &err), ERR_OK);
	assert_int_equal(wal_test_read_all(w, 0, 1), last);
	wal_close(w);
}
