/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What opening a log makes of files that were cut, changed, left half made or never ours.
 */
#include "base/hash.h"
#include "sys/file_fault.h"
#include "wal/testing_priv.h"
#include "wal/wal_priv.h"

#include <errno.h>
#include <unistd.h>

#include "tests/test.h"

#define SEGMENT_1 "0000000000000001.wal"

enum { SMALL = 4096 };

static enum err_code
try_open(const char *dir, uint64_t applied, struct wal **w, struct wal_report *report,
    struct err *err)
{
	struct wal_options opt = {
	    .dir = str_from(dir), .segment_bytes_max = SMALL, .applied_seq = applied};
	*err = (struct err){0};
	return wal_open(&opt, w, report, err);
}

/* How many requests a log has that must open; closes it. */
static uint64_t
open_and_count(const char *dir, struct wal_report *report)
{
	struct wal *w;
	struct err err;
	enum err_code code = try_open(dir, 0, &w, report, &err);
	if (code != ERR_OK)
		fail_msg("%s", err.message);
	uint64_t n = wal_test_read_all(w, 0, 1);
	wal_close(w);
	return n;
}

/* 5 requests in commits of 2, 1 and 2. ends[k] is where request k ends. Without the mark of closing
 * when `crashed`. Returns the segment's bytes. */
static struct buf
small_log(const char *dir, bool crashed, uint64_t ends[6])
{
	char bytes[WAL_TEST_PAYLOAD_MAX];
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	wal_test_append(w, 1, 2);
	wal_test_commit(w);
	wal_test_append(w, 3, 3);
	wal_test_commit(w);
	wal_test_append(w, 4, 5);
	wal_test_commit(w);
	ends[0] = WAL_SEGMENT_HEAD_BYTES;
	for (uint64_t k = 1; k <= 5; k++)
		ends[k] = ends[k - 1] + wal_record_bytes(wal_test_payload(k, bytes).len);
	struct buf b = {0};
	if (crashed)
		b = wal_test_load(dir, SEGMENT_1);
	wal_close(w);
	if (!crashed)
		b = wal_test_load(dir, SEGMENT_1);
	wal_test_empty_dir(dir);
	return b;
}

static uint64_t
records_before(const uint64_t ends[6], uint64_t off)
{
	uint64_t k = 0;
	while (k < 5 && ends[k + 1] <= off)
		k++;
	return k;
}

TEST(wal, log_truncated_at_every_byte_gives_the_records_before_the_cut)
{
	char dir_bytes[64];
	const char *dir = wal_test_fast_dir(dir_bytes);
	uint64_t ends[6];
	struct wal_report report;
	struct buf b = small_log(dir, false, ends);
	for (size_t len = WAL_SEGMENT_HEAD_BYTES; len <= ends[5] + WAL_RECORD_HEAD_BYTES + 1;
	    len++) {
		wal_test_save(dir, SEGMENT_1, str_of(b.ptr, len));
		assert_int_equal(open_and_count(dir, &report), records_before(ends, len));
		/* and it is a log again */
		struct wal *w = wal_test_open(dir, SMALL, 0, &report);
		assert_int_equal(report.cut_bytes, 0);
		uint64_t n = records_before(ends, len);
		wal_test_append(w, n + 1, n + 9);
		wal_test_commit(w);
		assert_int_equal(wal_test_read_all(w, 0, 1), n + 9);
		wal_close(w);
		wal_test_empty_dir(dir);
	}
	for (size_t len = 0; len < WAL_SEGMENT_HEAD_BYTES; len++) {
		struct wal *w;
		struct err err;
		wal_test_save(dir, SEGMENT_1, str_of(b.ptr, len));
		assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
		assert_null(w);
		assert_non_null(strstr(err.message, SEGMENT_1));
	}
	buf_fini(&b);
	wal_test_fast_dir_end(dir);
}

/* `vouched` requests have a later record that says they were durable: a flip in them, or in the head
 * of the segment, must be refused by name and place. Others may be cut, never changed. */
static void
flip_every_bit(struct buf *b, const uint64_t ends[6], uint64_t vouched, const char *dir)
{
	struct wal *w;
	struct wal_report report;
	struct err err;
	char where[64];
	for (size_t bit = 0; bit < 8 * (ends[5] + 3 * WAL_RECORD_HEAD_BYTES); bit++) {
		size_t off = bit / 8;
		b->ptr[off] = (char)(b->ptr[off] ^ (1 << bit % 8));
		wal_test_save(dir, SEGMENT_1, buf_view(b));
		b->ptr[off] = (char)(b->ptr[off] ^ (1 << bit % 8));
		enum err_code code = try_open(dir, 0, &w, &report, &err);
		uint64_t hit = records_before(ends, off);
		if (off < ends[0] || hit < vouched) {
			assert_int_equal(code, ERR_CORRUPT);
			snprintf(where, sizeof(where), "offset %llu",
			    off < ends[0] ? 0ull : (unsigned long long)ends[hit]);
			assert_non_null(strstr(err.message, SEGMENT_1));
			assert_non_null(strstr(err.message, where));
			struct buf now = wal_test_load(dir, SEGMENT_1); /* nothing was changed */
			assert_int_equal(now.ptr[off], (char)(b->ptr[off] ^ (1 << bit % 8)));
			buf_fini(&now);
			continue;
		}
		assert_int_equal(code, ERR_OK);
		assert_int_equal(wal_test_read_all(w, 0, 1), hit < 5 ? hit : 5);
		assert_true(report.cut_bytes > 0);
		wal_close(w);
	}
}

TEST(wal, flipped_bit_in_a_vouched_record_is_refused)
{
	char dir_bytes[64];
	const char *dir = wal_test_fast_dir(dir_bytes);
	uint64_t ends[6];
	struct buf b = small_log(dir, false, ends);
	flip_every_bit(&b, ends, 5, dir);
	buf_fini(&b);
	wal_test_fast_dir_end(dir);
}

TEST(wal, flipped_bit_in_the_last_commit_shortens_the_log_or_is_refused)
{
	char dir_bytes[64];
	const char *dir = wal_test_fast_dir(dir_bytes);
	uint64_t ends[6];
	struct buf b = small_log(dir, true, ends);
	flip_every_bit(&b, ends, 3, dir);
	buf_fini(&b);
	wal_test_fast_dir_end(dir);
}

TEST(wal, damage_at_or_below_applied_is_reported_and_passed_over)
{
	char dir_bytes[64];
	const char *dir = wal_test_fast_dir(dir_bytes);
	uint64_t ends[6];
	struct wal *w;
	struct wal_report report;
	struct wal_reader *r;
	struct err err;
	struct buf b = small_log(dir, false, ends);
	for (uint64_t k = 1; k <= 5; k++) {
		for (size_t off = ends[k - 1]; off < ends[k]; off++) {
			b.ptr[off] ^= 0x10;
			wal_test_save(dir, SEGMENT_1, buf_view(&b));
			b.ptr[off] ^= 0x10;
			assert_int_equal(try_open(dir, k - 1, &w, &report, &err), ERR_CORRUPT);
			assert_int_equal(try_open(dir, k, &w, &report, &err), ERR_OK);
			assert_int_equal(report.damaged_below_applied, 1);
			assert_non_null(strstr(report.damage, SEGMENT_1));
			assert_int_equal(wal_test_read_all(w, k, k + 1), 5);
			if (k > 1)
				assert_int_equal(wal_reader_open(w, k - 2, &r, &err), ERR_OK);
			if (k > 1) {
				enum err_code code;
				assert_int_equal(wal_test_read(r, k - 2, &code), k - 1);
				assert_int_equal(code, ERR_CORRUPT);
				wal_reader_close(r);
			}
			wal_close(w);
		}
	}
	buf_fini(&b);
	wal_test_fast_dir_end(dir);
}

TEST(wal, log_that_ends_before_the_store_goes_on_behind_it)
{
	const char *dir = test_tmp_dir();
	uint64_t ends[6];
	struct wal_report report;
	struct buf b = small_log(dir, true, ends);
	b.ptr[ends[3]] ^= 1; /* 4 and 5 are lost, nobody vouches, the store has them */
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	struct wal *w = wal_test_open(dir, SMALL, 9, &report);
	assert_int_equal(report.damaged_below_applied, 2); /* 4; and 6 to 9 are missing */
	assert_int_equal(report.last_seq, 9);
	assert_int_equal(wal_segment_count(w), 2);
	assert_int_equal(wal_test_append(w, 10, 12), 12);
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 9, 10), 12);
	wal_close(w);
	w = wal_test_open(dir, SMALL, 9, &report);
	assert_int_equal(wal_test_read_all(w, 9, 10), 12);
	wal_close(w);
	wal_test_empty_dir(dir);
	w = wal_test_open(dir, SMALL, 7, &report); /* the folder was emptied by hand */
	assert_int_equal(wal_test_append(w, 8, 8), 8);
	wal_test_commit(w);
	wal_close(w);
	buf_fini(&b);
}

TEST(wal, store_that_is_behind_the_oldest_segment_is_told_so)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, SMALL, 100, NULL);
	struct wal_report report;
	struct err err;
	wal_close(w);
	assert_int_equal(try_open(dir, 99, &w, &report, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.message,
	    "begins at record 101, but the store ends at record 99"));
	assert_int_equal(try_open(dir, 100, &w, &report, &err), ERR_OK);
	wal_close(w);
}

TEST(wal, torn_tail_is_cut_and_does_not_come_back_behind_new_records)
{
	const char *dir = test_tmp_dir();
	uint64_t ends[6];
	struct wal_report report;
	struct buf b = small_log(dir, true, ends);
	/* Of a commit of 4 and 5, the head of 4 did not reach the disk; 5 did, whole. */
	memset(b.ptr + ends[3], 0, WAL_RECORD_HEAD_BYTES);
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	struct wal *w = wal_test_open(dir, SMALL, 0, &report);
	assert_in_range(report.cut_bytes, ends[5] - ends[3] - 7,
	    ends[5] - ends[3]); /* pad is zero */
	assert_int_equal(report.last_seq, 3);
	/* A new record 4 as long as the old one: old 5 would stand right behind it. */
	wal_test_append(w, 4, 4);
	wal_test_commit(w);
	struct buf now = wal_test_load(dir, SEGMENT_1);
	for (size_t i = ends[4]; i < now.len; i++)
		assert_int_equal(now.ptr[i], 0);
	wal_test_save(dir, "copy", buf_view(&now));
	wal_close(w);
	wal_test_save(dir, SEGMENT_1, buf_view(&now)); /* as if it had not been closed */
	assert_int_equal(open_and_count(dir, &report), 4);
	buf_fini(&now);
	buf_fini(&b);
}

TEST(wal, record_in_a_payload_is_no_witness)
{
	const char *dir = test_tmp_dir();
	unsigned char forged[WAL_RECORD_HEAD_BYTES + 8] = {0};
	struct wal_report report;
	uint64_t seq;
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	/* Says that record 900 was durable, at an offset that recovery looks at, for any salt it can
	 * guess: the one of nothing. */
	struct wal_head h = {.seq = 901, .durable = 900, .kind = WAL_MARK};
	wal_head_write(&h, 0, forged);
	assert_int_equal(wal_append(w, WAL_REQUEST, STR_EMPTY, str_of(forged, sizeof(forged)), &seq,
	                     NULL),
	    ERR_OK);
	wal_test_commit(w);
	struct buf b = wal_test_load(dir, SEGMENT_1);
	wal_close(w);
	memset(b.ptr + WAL_SEGMENT_HEAD_BYTES, 0, WAL_RECORD_HEAD_BYTES); /* torn */
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	assert_int_equal(open_and_count(dir, &report), 0);
	assert_true(report.cut_bytes > 0);
	/* With the segment's salt it would have been one. */
	wal_head_write(&h, get_u32le(b.ptr + 16), forged);
	memcpy(b.ptr + WAL_SEGMENT_HEAD_BYTES + WAL_RECORD_HEAD_BYTES, forged, sizeof(forged));
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	struct err err;
	assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
	buf_fini(&b);
}

/* Several segments with 120 requests; their number. */
static size_t
many_segments(const char *dir, uint64_t first_seqs[64])
{
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	wal_test_append(w, 1, 120);
	wal_test_commit(w);
	size_t n = w->segment_count;
	assert_in_range(n, 3, 63);
	for (size_t i = 0; i < n; i++)
		first_seqs[i] = w->segments[i].first_seq;
	wal_close(w);
	return n;
}

TEST(wal, gap_or_damage_before_a_later_segment_is_refused)
{
	const char *dir = test_tmp_dir();
	uint64_t first[64];
	char name[WAL_NAME_BYTES];
	struct wal *w;
	struct wal_report report;
	struct err err;
	size_t n = many_segments(dir, first);
	for (size_t i = 0; i + 1 < n; i++) {
		wal_segment_name(first[i], name);
		struct buf b = wal_test_load(dir, name);
		char path[4096];
		wal_test_path(dir, name, path);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
		assert_int_equal(try_open(dir, first[i + 1] - 2, &w, &report, &err), ERR_CORRUPT);
		wal_test_save(dir, name, STR(""));
		assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
		wal_test_save(dir, name, str_of(b.ptr, WAL_SEGMENT_HEAD_BYTES));
		assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.message, name));
		assert_non_null(strstr(err.message, "offset 24"));
		/* with all of it in the store it does not matter */
		assert_int_equal(try_open(dir, first[i + 1] - 1, &w, &report, &err), ERR_OK);
		assert_int_equal(wal_test_read_all(w, first[i + 1] - 1, first[i + 1]), 120);
		wal_close(w);
		wal_test_save(dir, name, buf_view(&b));
		buf_fini(&b);
	}
	assert_int_equal(open_and_count(dir, &report), 120);
}

TEST(wal, damaged_head_of_a_segment_that_the_store_has_is_passed_over)
{
	const char *dir = test_tmp_dir();
	uint64_t first[64];
	char name[WAL_NAME_BYTES];
	struct wal *w;
	struct wal_report report;
	struct err err;
	size_t n = many_segments(dir, first);
	for (size_t i = 0; i < n; i++) {
		bool newest = i + 1 == n;
		uint64_t end = newest ? 120 : first[i + 1] - 1; /* of what is in it */
		wal_segment_name(first[i], name);
		struct buf b = wal_test_load(dir, name);
		b.ptr[i % WAL_SEGMENT_HEAD_BYTES] ^= 4;
		wal_test_save(dir, name, buf_view(&b));
		assert_int_equal(try_open(dir, end - 1, &w, &report, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.message, name));
		assert_int_equal(try_open(dir, end, &w, &report, &err),
		    newest ? ERR_CORRUPT : ERR_OK);
		if (!newest) {
			assert_int_equal(report.damaged_below_applied, 1);
			assert_int_equal(report.missing_records, 0);
			assert_non_null(strstr(report.damage, name));
			assert_int_equal(wal_test_read_all(w, end, end + 1), 120);
			wal_close(w);
		}
		b.ptr[i % WAL_SEGMENT_HEAD_BYTES] ^= 4;
		wal_test_save(dir, name, buf_view(&b));
		buf_fini(&b);
	}
	assert_int_equal(open_and_count(dir, &report), 120);
}

TEST(wal, damage_before_an_empty_newest_segment_leaves_that_one_in_use)
{
	const char *dir = test_tmp_dir();
	unsigned char head[SMALL] = {0};
	uint64_t deleted, ends[6];
	struct wal_report report;
	struct err err;
	struct buf b = small_log(dir, false, ends); /* 6 is the mark */
	b.ptr[3] ^= 1;
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	wal_segment_head_write(7, 0x1234, head);
	wal_test_save(dir, "0000000000000007.wal", str_of(head, sizeof(head)));
	struct wal *w = wal_test_open(dir, SMALL, 6, &report);
	assert_int_equal(report.damaged_below_applied, 1);
	assert_int_equal(wal_segment_count(w), 2);
	assert_int_equal(wal_test_append(w, 7, 9), 9);
	wal_test_commit(w);
	assert_int_equal(wal_trim(w, 6, &deleted, &err), ERR_OK);
	assert_int_equal(deleted, 1);
	wal_close(w);
	w = wal_test_open(dir, SMALL, 6, &report);
	assert_int_equal(wal_test_read_all(w, 6, 7), 9);
	wal_close(w);
	buf_fini(&b);
}

TEST(wal, removed_end_of_the_log_is_noticed_by_what_the_store_has)
{
	const char *dir = test_tmp_dir();
	uint64_t first[64];
	char name[WAL_NAME_BYTES], path[4096];
	struct wal_report report;
	size_t n = many_segments(dir, first);
	wal_segment_name(first[n - 1], name);
	wal_test_path(dir, name, path);
	assert_int_equal(unlink(path), 0);
	struct wal *w = wal_test_open(dir, SMALL, 120, &report);
	assert_int_equal(report.missing_records, 120 - (first[n - 1] - 1));
	assert_int_equal(report.last_seq, 120);
	assert_int_equal(wal_test_append(w, 121, 122), 122); /* no number twice */
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 120, 121), 122);
	wal_close(w);
	w = wal_test_open(dir, SMALL, 122, &report);
	assert_int_equal(report.missing_records, 0); /* it is said once */
	wal_close(w);
	wal_test_empty_dir(dir);
	w = wal_test_open(dir, SMALL, 122, &report); /* all of it */
	assert_int_equal(report.missing_records, 122);
	assert_int_equal(wal_test_append(w, 123, 123), 123);
	wal_close(w);
	wal_test_empty_dir(dir);
	w = wal_test_open(dir, SMALL, 0, &report); /* a new one */
	assert_int_equal(report.missing_records, 0);
	wal_close(w);
}

TEST(wal, crash_between_creating_a_segment_and_its_first_record_is_harmless)
{
	const char *dir = test_tmp_dir();
	unsigned char head[SMALL] = {0};
	struct wal_report report;
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	wal_test_append(w, 1, 3);
	wal_test_commit(w);
	wal_close(w); /* the mark is 4 */
	wal_segment_head_write(5, 0x1234, head);
	wal_test_save(dir, "0000000000000005.wal", str_of(head, sizeof(head)));
	wal_test_save(dir, WAL_NEXT_NAME, STR("half a segment"));
	w = wal_test_open(dir, SMALL, 0, &report);
	assert_int_equal(report.segment_count, 2);
	assert_int_equal(report.last_seq, 4);
	wal_test_append(w, 4, 30);
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 0, 1), 30);
	wal_close(w);
	assert_int_equal(open_and_count(dir, &report), 30);
}

TEST(wal, garbage_segment_is_refused_by_name_and_foreign_files_are_left_alone)
{
	static const char *const foreign[] = {"README", "0000000000000001.wal.bak",
	    "000000000000000A.wal", "1.wal", ".hidden", "0000000000000002.WAL",
	    "00000000000000zz.wal"};
	const char *dir = test_tmp_dir();
	struct wal *w;
	struct wal_report report;
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		wal_test_save(dir, foreign[i], STR("mine"));
	w = wal_test_open(dir, SMALL, 0, NULL);
	wal_test_append(w, 1, 3);
	wal_test_commit(w);
	wal_close(w);
	assert_int_equal(open_and_count(dir, &report), 3);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		struct buf b = wal_test_load(dir, foreign[i]);
		assert_true(str_eq(buf_view(&b), STR("mine")));
		buf_fini(&b);
	}
	static char garbage[SMALL];
	for (int kind = 0; kind < 3; kind++) {
		memset(garbage, kind * 0x55, sizeof(garbage));
		wal_test_save(dir, "0000000000000005.wal",
		    str_of(garbage, kind == 2 ? 0 : sizeof(garbage)));
		assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.message, "0000000000000005.wal"));
	}
	char path[4096];
	wal_test_path(dir, "0000000000000005.wal", path);
	assert_int_equal(unlink(path), 0);
	/* a segment under a name that is not its own */
	struct buf b = wal_test_load(dir, SEGMENT_1);
	wal_test_save(dir, "0000000000000005.wal", buf_view(&b));
	assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
	wal_test_save(dir, "0000000000000000.wal", buf_view(&b));
	assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_CORRUPT);
	buf_fini(&b);
}

TEST(wal, end_that_nobody_vouches_for_is_written_again_before_it_is_believed)
{
	const char *dir = test_tmp_dir();
	uint64_t ends[6];
	struct wal *w;
	struct wal_report report;
	struct err err;
	struct buf b = small_log(dir, true, ends);
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_WRITE, .nth = 1, .os_errno = EIO});
	assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_IO);
	file_fault_plan(&(struct file_fault_plan){.op = FILE_OP_SYNC, .nth = 1, .os_errno = EIO});
	assert_int_equal(try_open(dir, 0, &w, &report, &err), ERR_IO);
	file_fault_end();
	struct buf now = wal_test_load(dir, SEGMENT_1);
	assert_true(str_eq(buf_view(&now), buf_view(&b)));
	assert_int_equal(open_and_count(dir, &report), 5);
	buf_fini(&now);
	buf_fini(&b);
}

TEST(wal, reader_refuses_a_record_that_is_not_the_next_one)
{
	const char *dir = test_tmp_dir();
	unsigned char head[WAL_RECORD_HEAD_BYTES];
	struct wal_reader *r;
	enum err_code code;
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	wal_test_append(w, 1, 3);
	wal_test_commit(w);
	struct buf b = wal_test_load(dir, SEGMENT_1);
	uint32_t salt = get_u32le(b.ptr + 16);
	/* Record 1 with another number, and intact. */
	struct wal_head h = {.len = get_u32le(b.ptr + 24),
	    .body_crc = get_u32le(b.ptr + 48),
	    .seq = 9,
	    .durable = 8,
	    .kind = WAL_REQUEST};
	wal_head_write(&h, salt, head);
	memcpy(b.ptr + WAL_SEGMENT_HEAD_BYTES, head, sizeof(head));
	assert_int_equal(wal_reader_open(w, 0, &r, NULL), ERR_OK);
	wal_test_save(dir, SEGMENT_1, buf_view(&b));
	assert_int_equal(wal_test_read(r, 0, &code), 0);
	assert_int_equal(code, ERR_CORRUPT);
	wal_reader_close(r);
	wal_close(w);
	buf_fini(&b);
}

TEST(wal, folder_that_cannot_be_is_an_error)
{
	struct wal *w;
	struct wal_report report;
	struct err err;
	char path[4096];
	const char *dir = test_tmp_dir();
	wal_test_path(dir, "no/wal", path);
	assert_int_equal(try_open(path, 0, &w, &report, &err), ERR_NOT_FOUND);
	wal_test_save(dir, "file", STR("x"));
	wal_test_path(dir, "file", path);
	assert_int_equal(try_open(path, 0, &w, &report, &err), ERR_EXISTS);
	assert_int_equal(try_open("", 0, &w, &report, &err), ERR_INVALID);
	assert_null(w);
}
