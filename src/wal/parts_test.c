/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy of the log needs is named by wal_parts_init(), whatever is written meanwhile. */
#include "wal/testing_priv.h"
#include "wal/wal_priv.h"

#include "tests/test.h"

/* As a backup does it: of each file the first bytes. */
static const char *
copy_parts(const char *dir, const struct wal_parts *p)
{
	const char *to = test_tmp_dir();
	for (size_t i = 0; i < p->count; i++) {
		char from_path[FILE_PATH_BYTES], to_path[FILE_PATH_BYTES];
		struct file from, file;
		struct str name = str_from(p->parts[i].name);
		assert_int_equal(file_join(str_from(dir), name, from_path, NULL), ERR_OK);
		assert_int_equal(file_join(str_from(to), name, to_path, NULL), ERR_OK);
		assert_int_equal(file_open(from_path, FILE_READ, &from, NULL), ERR_OK);
		assert_int_equal(file_open(to_path, FILE_CREATE, &file, NULL), ERR_OK);
		assert_int_equal(file_copy(&from, &file, 0, p->parts[i].bytes, NULL), ERR_OK);
		file_close(&from);
		file_close(&file);
	}
	return to;
}

static void
expect_copy(const char *dir, uint64_t after_seq, uint64_t last_seq)
{
	struct wal_report report;
	struct wal *w = wal_test_open(dir, 4096, after_seq, &report);
	assert_int_equal(report.last_seq, last_seq);
	assert_int_equal(report.cut_bytes, 0);
	assert_int_equal(report.missing_records, 0);
	assert_int_equal(report.damaged_below_applied, 0);
	assert_int_equal(wal_test_read_all(w, after_seq, after_seq + 1), last_seq);
	/* And it goes on. */
	wal_test_append(w, last_seq + 1, last_seq + 20);
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, after_seq, after_seq + 1), last_seq + 20);
	wal_close(w);
}

TEST(wal, parts_are_the_log_as_it_was_and_no_more)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	uint64_t next = 1;
	for (uint64_t n = 1; n <= 12; n++) {
		struct wal_parts p;
		uint64_t durable = next + 3 * n;
		wal_test_append(w, next, durable);
		wal_test_commit(w);
		wal_parts_init(&p, w, durable / 2);
		assert_int_equal(p.durable_seq, durable);
		/* What comes then is not in it, be it in the same file. */
		next = durable + 1 + n % 4;
		if (next > durable + 1) {
			wal_test_append(w, durable + 1, next - 1);
			wal_test_commit(w);
		}
		expect_copy(copy_parts(dir, &p), durable / 2, durable);
		wal_parts_fini(&p);
	}
	wal_close(w);
}

TEST(wal, parts_leave_out_what_is_not_needed_and_keep_the_newest)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, 4096, 0, NULL);
	struct wal_parts p;
	uint64_t deleted;
	wal_parts_init(&p, w, 0);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.durable_seq, 0);
	expect_copy(copy_parts(dir, &p), 0, 0);
	wal_parts_fini(&p);
	wal_test_append(w, 1, 900);
	wal_test_commit(w);
	size_t all = wal_segment_count(w);
	assert_true(all > 32); /* more than is made room for at first */
	wal_parts_init(&p, w, 0);
	assert_int_equal(p.count, all);
	wal_parts_fini(&p);
	wal_parts_init(&p, w, 450);
	assert_in_range(p.count, 2, all - 2);
	/* None of them goes, however far the log is deleted to there. */
	assert_int_equal(wal_trim(w, 450, &deleted, NULL), ERR_OK);
	assert_true(deleted > 0);
	assert_int_equal(wal_segment_count(w), p.count);
	expect_copy(copy_parts(dir, &p), 450, 900);
	wal_parts_fini(&p);
	wal_parts_init(&p, w, 900);
	assert_int_equal(p.count, 1);
	wal_parts_fini(&p);
	wal_close(w);
}
