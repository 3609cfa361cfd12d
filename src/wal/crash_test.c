/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promise: what was acknowledged is there after whatever happened, and what is there is a
 * prefix of what was appended. Failing system calls, kill -9, and power cuts that keep any
 * choice of the pages that were not synced.
 */
#include "sys/clock.h"
#include "sys/file_fault.h"
#include "wal/testing_priv.h"
#include "wal/wal_priv.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { SEGMENT = 4096, LAST = 60 };

/* Appends up to request LAST in commits of 1 to 4, marks now and then. Returns the number of the
 * last acknowledged one; goes on after a lack of space, stops at a failed log. */
static uint64_t
run_workload(const char *dir, bool read_back)
{
	struct wal *w;
	struct err err = {0};
	uint64_t acked = 0;
	struct wal_options opt = {.dir = str_from(dir), .segment_bytes_max = SEGMENT};
	if (wal_open(&opt, &w, NULL, &err) != ERR_OK) {
		assert_int_not_equal(err.code, ERR_CORRUPT);
		assert_true(err.message[0] != '\0');
		return acked;
	}
	if (read_back)
		acked = wal_test_read_all(w, 0, 1);
	for (int tries = 0; acked < LAST && !wal_failed(w) && tries < 200; tries++) {
		uint64_t n = acked % 4 + 1 < LAST - acked ? acked % 4 + 1 : LAST - acked, durable;
		uint64_t last_seq = wal_test_append(w, acked + 1, acked + n);
		uint64_t first_seq = last_seq - n + 1;
		enum err_code code = wal_commit(w, &durable, &err);
		assert_true(code == ERR_OK || code == ERR_BUSY || code == ERR_IO);
		assert_int_equal(wal_failed(w), code == ERR_IO);
		assert_true(code != ERR_OK || durable == last_seq);
		acked += durable >= first_seq ? durable - first_seq + 1 : 0;
		if (acked % 3 == 0 && !wal_failed(w) && wal_mark_idle(w, &err) != ERR_OK)
			assert_true(err.code == ERR_BUSY || wal_failed(w));
	}
	if (wal_failed(w)) { /* for ever */
		uint64_t seq;
		assert_int_equal(wal_append(w, WAL_REQUEST, STR("x"), STR("y"), &seq, &err),
		    ERR_IO);
		assert_int_equal(wal_commit(w, &seq, &err), ERR_IO);
		assert_int_equal(wal_mark_idle(w, &err), ERR_IO);
		if (read_back)
			assert_int_equal(wal_test_read_all(w, 0, 1), acked); /* reading goes on */
	}
	wal_close(w);
	return acked;
}

static void
fail_every(enum file_op op, int os_errno, size_t short_bytes, bool stays)
{
	bool hit = true;
	for (uint64_t nth = 1; hit; nth++) {
		char dir_bytes[64];
		const char *dir = wal_test_fast_dir(dir_bytes);
		file_fault_begin(&(struct file_fault_plan){.op = op,
		    .nth = nth,
		    .os_errno = os_errno,
		    .short_bytes = short_bytes,
		    .stays = stays});
		/* Reading needs to open files as well. */
		uint64_t acked = run_workload(dir, op != FILE_OP_OPEN);
		hit = file_fault_hit();
		file_fault_end();
		struct wal *w = wal_test_open(dir, SEGMENT, 0, NULL);
		uint64_t there = wal_test_read_all(w, 0, 1);
		assert_true(there >= acked);
		assert_true(there <= acked + 4);
		wal_close(w);
		assert_int_equal(run_workload(dir, true), LAST);
		wal_test_fast_dir_end(dir);
		nth += nth / 8; /* dense where openings and rotations are new */
	}
}

TEST(wal, failing_write_loses_nothing_acknowledged)
{
	fail_every(FILE_OP_WRITE, EIO, 0, true);
}

TEST(wal, failing_write_after_a_part_loses_nothing_acknowledged)
{
	fail_every(FILE_OP_WRITE, EIO, 70, false);
}

TEST(wal, failing_sync_loses_nothing_acknowledged)
{
	fail_every(FILE_OP_SYNC, EIO, 0, true);
}

TEST(wal, sync_that_fails_once_stops_the_log_all_the_same)
{
	fail_every(FILE_OP_SYNC, EIO, 0, false);
}

TEST(wal, failing_rename_open_or_folder_sync_loses_nothing_acknowledged)
{
	fail_every(FILE_OP_RENAME, EIO, 0, true);
	fail_every(FILE_OP_OPEN, EMFILE, 0, true);
	fail_every(FILE_OP_OPEN, EACCES, 0, true);
	fail_every(FILE_OP_SYNC_DIR, EIO, 0, true);
	fail_every(FILE_OP_UNLINK, EPERM, 0, true);
	fail_every(FILE_OP_MKDIR, EACCES, 0, true);
}

TEST(wal, failing_read_loses_nothing_acknowledged)
{
	const char *dir = test_tmp_dir();
	struct wal *w;
	struct err err;
	struct wal_options opt = {.dir = str_from(dir), .segment_bytes_max = SEGMENT};
	bool hit = true;
	assert_int_equal(run_workload(dir, true), LAST);
	for (uint64_t nth = 1; hit; nth++) {
		file_fault_begin(&(struct file_fault_plan){
		    .op = FILE_OP_READ, .nth = nth, .os_errno = EIO});
		enum err_code code = wal_open(&opt, &w, NULL, &err);
		hit = file_fault_hit();
		file_fault_end();
		assert_int_equal(code, hit ? ERR_IO : ERR_OK);
		wal_close(w);
	}
}

TEST(wal, no_space_for_a_segment_is_no_failure_of_the_log)
{
	const char *dir = test_tmp_dir();
	struct wal *w = wal_test_open(dir, SEGMENT, 0, NULL);
	struct err err;
	uint64_t durable, seq;
	wal_test_append(w, 1, 3);
	wal_test_commit(w);
	static char big[2 * SEGMENT];
	for (int round = 0; round < 3; round++) {
		file_fault_begin(&(struct file_fault_plan){
		    .op = FILE_OP_WRITE, .nth = 1, .os_errno = ENOSPC, .stays = true});
		assert_int_equal(wal_append(w, WAL_REQUEST, STR_EMPTY, str_of(big, sizeof(big)),
		                     &seq, &err),
		    ERR_OK);
		assert_int_equal(seq, 4);
		assert_int_equal(wal_commit(w, &durable, &err), ERR_BUSY);
		assert_int_equal(err.os_errno, ENOSPC);
		file_fault_end();
		assert_int_equal(durable, 3);
		assert_false(wal_failed(w));
	}
	assert_int_equal(wal_test_append(w, 4, 60), 60);
	wal_test_commit(w);
	assert_int_equal(wal_test_read_all(w, 0, 1), 60);
	wal_close(w);
	w = wal_test_open(dir, SEGMENT, 0, NULL);
	assert_int_equal(wal_test_read_all(w, 0, 1), 60);
	wal_close(w);
}

/* ---- power cuts */

enum { IMAGE_FILES = 64, PAGE = 512 };

struct image { /* of a folder: what is on the disk if the power goes now */
	char names[IMAGE_FILES][WAL_NAME_BYTES];
	struct buf bytes[IMAGE_FILES];
	size_t count;
};

static void
image_take(struct image *m, const char *dir)
{
	for (size_t i = 0; i < m->count; i++)
		buf_fini(&m->bytes[i]);
	m->count = 0;
	DIR *d = opendir(dir);
	const struct dirent *e;
	while ((e = readdir(d)) != NULL) {
		uint64_t seq;
		if (!wal_segment_name_parse(e->d_name, &seq))
			continue;
		assert_true(m->count < IMAGE_FILES);
		wal_segment_name(seq, m->names[m->count]);
		m->bytes[m->count++] = wal_test_load(dir, e->d_name);
	}
	closedir(d);
}

static uint32_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* A folder that holds of each file the synced pages, and of the pages written since some. */
static void
image_mix(const struct image *synced, const struct image *now, const char *dir, uint64_t *rnd)
{
	for (size_t i = 0; i < now->count; i++) {
		struct buf mixed = {0};
		const struct buf *old = NULL;
		for (size_t k = 0; k < synced->count; k++)
			if (strcmp(synced->names[k], now->names[i]) == 0)
				old = &synced->bytes[k];
		buf_str(&mixed, buf_view(&now->bytes[i]));
		for (size_t off = 0; old && off < old->len && off < mixed.len; off += PAGE)
			if (next_random(rnd) % 2)
				memcpy(mixed.ptr + off, old->ptr + off, PAGE);
		wal_test_save(dir, now->names[i], buf_view(&mixed));
		buf_fini(&mixed);
	}
}

static struct {
	const char *dir;
	struct image synced;
	_Atomic bool broken; /* from here on nothing is synced any more */
} power;

static int
power_before(void *ctx, enum file_op op, const char *path, size_t *len)
{
	(void)ctx;
	(void)path;
	(void)len;
	return power.broken && op == FILE_OP_SYNC ? EIO : 0;
}

TEST(wal, power_cut_keeps_what_was_acknowledged_whatever_pages_were_written)
{
	static const struct file_hook hook = {.before = power_before};
	static struct image now;
	uint64_t rnd = 7, torn = 0;
	for (uint64_t acked = 1; acked < 24; acked++) {
		const char *dir = test_tmp_dir();
		power.dir = dir;
		power.broken = false;
		file_hook_set(&hook);
		struct wal *w = wal_test_open(dir, 8192, 0, NULL);
		for (uint64_t k = 1; k <= acked; k++) {
			wal_test_append(w, k, k);
			wal_test_commit(w);
		}
		image_take(&power.synced, dir);
		/* The next commit is written, and the power goes before its sync is done. */
		uint64_t durable;
		wal_test_append(w, acked + 1, acked + 6);
		power.broken = true;
		assert_int_equal(wal_commit(w, &durable, NULL), ERR_IO);
		image_take(&now, dir);
		wal_close(w);
		file_hook_set(NULL);
		for (int choice = 0; choice < 8; choice++) {
			const char *cut = test_tmp_dir();
			struct wal_report report;
			image_mix(&power.synced, &now, cut, &rnd);
			w = wal_test_open(cut, 8192, 0, &report);
			uint64_t there = wal_test_read_all(w, 0, 1);
			assert_in_range(there, acked, acked + 6);
			torn += report.cut_bytes > 0;
			wal_test_append(w, there + 1, there + 3);
			wal_test_commit(w);
			wal_close(w);
			w = wal_test_open(cut, 8192, 0, &report);
			assert_int_equal(wal_test_read_all(w, 0, 1), there + 3);
			wal_close(w);
		}
	}
	assert_true(torn > 10); /* else the test does not test */
}

/* ---- kill -9 */

/* Appends for ever and tells each acknowledged number through the pipe. */
static _Noreturn void
child_main(const char *dir, int pipe_fd)
{
	struct wal *w = wal_test_open(dir, 16384, 0, NULL);
	uint64_t k = wal_test_read_all(w, 0, 1), round = 0;
	for (;;) {
		uint64_t n = ++round % 5 + 1;
		wal_test_append(w, k + 1, k + n);
		wal_test_commit(w);
		k += n;
		if (write(pipe_fd, &k, sizeof(k)) != sizeof(k))
			_exit(1);
		if (round % 16 == 0 && wal_mark_idle(w, NULL) != ERR_OK)
			_exit(1);
	}
}

TEST(wal, kill_nine_at_any_moment_loses_nothing_acknowledged)
{
	const char *dir = test_tmp_dir();
	uint64_t acked = 0, rnd = 11;
	for (int round = 0; round < 20; round++) {
		int fds[2], status;
		assert_int_equal(pipe(fds), 0);
		fflush(NULL);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			child_main(dir, fds[1]);
		}
		close(fds[1]);
		uint64_t k, enough = next_random(&rnd) % 40;
		for (uint64_t got = 0; got < enough; got++) {
			assert_int_equal(read(fds[0], &k, sizeof(k)), sizeof(k));
			acked = k;
		}
		clock_sleep_ns(next_random(&rnd) % 3000000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &k, sizeof(k)) == sizeof(k))
			acked = k; /* written to the pipe before it died */
		close(fds[0]);
		struct wal *w = wal_test_open(dir, 16384, 0, NULL);
		uint64_t there = wal_test_read_all(w, 0, 1);
		assert_in_range(there, acked, acked + 5);
		acked = there;
		wal_close(w);
	}
	assert_true(acked > 200);
}
