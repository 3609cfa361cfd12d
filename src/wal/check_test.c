/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A check says of a log what opening it would say, whatever is wrong with it, and changes nothing; of one that is written
 * to and trimmed meanwhile it finds nothing.
 */
#include "wal/testing_priv.h"
#include "wal/wal_priv.h"

#include "base/finding.h"
#include "sys/thread.h"
#include "tests/test.h"

enum { SMALL = 2048, ROUNDS = 300, LOOKS_MIN = 30 };

#define SEGMENT_1 "0000000000000001.wal"

struct found {
	uint64_t count[FINDING_KINDS], damages, all;
	struct buf text;
};

static void
note(void *ctx, const struct finding *f)
{
	struct found *found = ctx;
	found->count[f->kind]++;
	found->all++;
	found->damages += finding_severity(f->kind) == FINDING_DAMAGE;
	buf_printf(&found->text, "%s  %s: %s\n", finding_word(f->kind), f->place, f->text);
	buf_char(&found->text, '\0');
	found->text.len--;
}

static void
check(const char *dir, uint64_t applied, struct wal *live, struct found *found,
    struct wal_checked *out)
{
	struct finding_sink sink = {note, found};
	struct wal_check what = {
	    .dir = str_from(dir), .applied_seq = applied, .live = live, .sink = &sink};
	struct err err = {0};
	*found = (struct found){0};
	if (wal_check(&what, out, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

/* Five requests, of which later ones vouch for the first ones. */
static struct buf
small_log(const char *dir)
{
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	for (uint64_t k = 1; k <= 5; k++) {
		wal_test_append(w, k, k);
		wal_test_commit(w);
	}
	struct buf b = wal_test_load(dir, SEGMENT_1);
	wal_close(w);
	wal_test_empty_dir(dir);
	return b;
}

/* What wal_open() says of the same folder, which it may change. */
static void
agree(const char *dir, uint64_t applied, const struct found *found, const char *what)
{
	struct wal_report report = {0};
	struct wal *w = NULL;
	struct err err = {0};
	struct wal_options opt = {
	    .dir = str_from(dir), .segment_bytes_max = SMALL, .applied_seq = applied};
	enum err_code code = wal_open(&opt, &w, &report, &err);
	bool damaged = code != ERR_OK || report.damaged_below_applied || report.missing_records;
	const char *text = found->text.ptr ? found->text.ptr : "nothing";
	if (damaged != (found->damages > 0))
		fail_msg("%s: opening: %s; the check: %s", what, err.message, text);
	if (!damaged && (report.cut_bytes > 0) != (found->count[FINDING_LOG_TAIL] > 0))
		fail_msg("%s: %llu bytes are cut; the check: %s", what,
		    (unsigned long long)report.cut_bytes, text);
	wal_close(w);
}

TEST(wal, a_check_says_what_opening_says_for_every_flipped_bit_and_every_cut)
{
	char dir_bytes[64], what[64];
	const char *dir = wal_test_fast_dir(dir_bytes);
	struct buf whole = small_log(dir);
	size_t used = whole.len;
	while (used > 0 && whole.ptr[used - 1] == 0)
		used--;
	for (uint64_t applied = 0; applied <= 3; applied += 3)
		for (size_t at = 0; at < 2 * used; at++) {
			bool flip = at < used;
			struct found found;
			struct wal_checked out;
			struct buf b = {0}, after;
			buf_append(&b, whole.ptr, flip ? whole.len : at - used);
			if (flip)
				b.ptr[at] = (char)(b.ptr[at] ^ (1 << at % 8));
			wal_test_save(dir, SEGMENT_1, buf_view(&b));
			check(dir, applied, NULL, &found, &out);
			after = wal_test_load(dir, SEGMENT_1);
			assert_true(str_eq(buf_view(&after), buf_view(&b)));
			snprintf(what, sizeof(what), "%s at byte %zu, applied %llu",
			    flip ? "a flipped bit" : "cut", flip ? at : at - used,
			    (unsigned long long)applied);
			agree(dir, applied, &found, what);
			wal_test_empty_dir(dir);
			buf_fini(&found.text);
			buf_fini(&after);
			buf_fini(&b);
		}
	wal_test_fast_dir_end(dir);
	buf_fini(&whole);
}

TEST(wal, a_check_counts_a_whole_log_and_finds_nothing)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, SMALL, 0, NULL);
	struct found found;
	struct wal_checked out;
	for (uint64_t k = 1; k <= 40; k++) {
		wal_test_append(w, k, k);
		wal_test_commit(w);
	}
	uint64_t bytes = wal_durable_bytes(w), segments = wal_segment_count(w);
	check(dir, 0, w, &found, &out);
	assert_int_equal(found.all, 0);
	assert_int_equal(out.records, 40);
	assert_int_equal(out.bytes, bytes);
	assert_int_equal(out.segments, segments);
	assert_int_equal(out.first_seq, 1);
	assert_int_equal(out.last_seq, 40);
	wal_close(w);
	check(dir, 0, NULL, &found, &out);
	assert_int_equal(found.all, 0);
	assert_int_equal(out.records, 40);
	check(dir, 40, NULL, &found, &out);
	assert_int_equal(found.all, 0);
	/* The store is ahead of it. */
	check(dir, 1000, NULL, &found, &out);
	assert_int_equal(found.count[FINDING_LOG_ENDS_EARLY], 1);
	buf_fini(&found.text);
}

struct writing {
	struct wal *w;
	_Atomic uint64_t trimmed; /* up to here at most */
	_Atomic bool done;
};

static void
write_and_trim(void *ctx)
{
	struct writing *t = ctx;
	uint64_t deleted;
	for (uint64_t k = 1; k <= ROUNDS; k++) {
		wal_test_append(t->w, k, k);
		wal_test_commit(t->w);
		if (k <= 20)
			continue;
		atomic_store(&t->trimmed, k - 20);
		assert_int_equal(wal_trim(t->w, k - 20, &deleted, NULL), ERR_OK);
	}
	atomic_store(&t->done, true);
}

TEST(wal, a_check_beside_a_writer_that_trims_finds_nothing)
{
	const char *dir = test_tmp_dir();
	struct writing t = {.w = wal_test_open(dir, SMALL, 0, NULL)};
	struct thread thread = {0};
	struct err err = {0};
	assert_int_equal(thread_start(&thread, "writer", write_and_trim, &t, &err), ERR_OK);
	for (int i = 0; i < LOOKS_MIN || !atomic_load(&t.done); i++) {
		struct found found;
		struct wal_checked out;
		uint64_t durable = wal_durable_seq(t.w);
		check(dir, 0, t.w, &found, &out);
		if (found.all > 0)
			fail_msg("%s", found.text.ptr);
		/* Unless all that it set out to read has been trimmed under it. */
		assert_true(out.last_seq >= durable || atomic_load(&t.trimmed) >= durable);
	}
	thread_join(&thread);
	wal_close(t.w);
}
