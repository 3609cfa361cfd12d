/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include "sys/file_fault.h"
#include "sys/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

static const char *
in_dir(const char *dir, const char *name, char out[FILE_PATH_BYTES])
{
	assert_int_equal(file_join(str_from(dir), str_from(name), out, NULL), ERR_OK);
	return out;
}

static void
assert_holds(const char *path, struct str want)
{
	struct buf b = {0};
	struct err err;
	assert_int_equal(file_read_all(path, 1 << 20, &b, &err), ERR_OK);
	assert_true(str_eq(buf_view(&b), want));
	buf_fini(&b);
}

TEST(sys, file_writes_all_parts_through_short_writes)
{
	char path[FILE_PATH_BYTES], back[16];
	struct file f;
	struct err err;
	size_t got;
	in_dir(test_tmp_dir(), "f", path);
	assert_int_equal(file_open(path, FILE_CREATE, &f, &err), ERR_OK);
	const struct str parts[] = {STR("abc"), STR(""), STR("defg"), STR("hi")};
	for (size_t cut = 1; cut <= 9; cut++) {
		file_fault_begin(&(struct file_fault_plan){
		    .op = FILE_OP_WRITE, .nth = 1, .short_bytes = cut});
		assert_int_equal(file_pwritev(&f, 100 * cut, parts, 4, &err), ERR_OK);
		assert_int_equal(file_fault_count(FILE_OP_WRITE), cut < 9 ? 2 : 1);
		file_fault_plan(&(struct file_fault_plan){
		    .op = FILE_OP_READ, .nth = 1, .short_bytes = cut});
		assert_int_equal(file_pread(&f, 100 * cut, back, 9, &got, &err), ERR_OK);
		file_fault_end();
		assert_int_equal(got, 9);
		assert_memory_equal(back, "abcdefghi", 9);
	}
	assert_int_equal(file_pread(&f, 905, back, sizeof(back), &got, &err), ERR_OK);
	assert_int_equal(got, 4);
	file_close(&f);
	file_close(&f);
	file_close(NULL);
}

TEST(sys, file_fault_fails_the_nth_call_and_says_which_file)
{
	char path[FILE_PATH_BYTES];
	struct file f;
	struct err err;
	in_dir(test_tmp_dir(), "f", path);
	assert_int_equal(file_open(path, FILE_CREATE, &f, &err), ERR_OK);
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_SYNC, .nth = 2, .os_errno = EIO});
	assert_int_equal(file_sync(&f, &err), ERR_OK);
	assert_false(file_fault_hit());
	assert_int_equal(file_sync(&f, &err), ERR_IO);
	assert_true(file_fault_hit());
	assert_int_equal(err.os_errno, EIO);
	assert_non_null(strstr(err.message, "/f: "));
	assert_int_equal(file_sync(&f, &err), ERR_OK);
	file_fault_plan(&(struct file_fault_plan){
	    .op = FILE_OP_WRITE, .nth = 1, .os_errno = ENOSPC, .short_bytes = 2, .stays = true});
	assert_int_equal(file_pwrite(&f, 0, "abcd", 4, &err), ERR_IO);
	assert_int_equal(file_pwrite(&f, 2, "abcd", 4, &err), ERR_IO);
	file_fault_end();
	file_close(&f);
	assert_holds(path, STR("ab"));
}

TEST(sys, file_open_tells_missing_and_existing_apart)
{
	char path[FILE_PATH_BYTES];
	struct file f;
	struct err err;
	in_dir(test_tmp_dir(), "f", path);
	assert_int_equal(file_open(path, FILE_READ, &f, &err), ERR_NOT_FOUND);
	assert_null(f.path);
	assert_false(file_exists(path));
	assert_int_equal(file_open(path, FILE_CREATE, &f, &err), ERR_OK);
	file_close(&f);
	assert_true(file_exists(path));
	assert_int_equal(file_open(path, FILE_CREATE, &f, &err), ERR_EXISTS);
	assert_int_equal(file_unlink(path, &err), ERR_OK);
	assert_int_equal(file_unlink(path, &err), ERR_NOT_FOUND);
}

static void
count_entry(void *ctx, const char *name)
{
	size_t *n = ctx;
	assert_true(strcmp(name, "a") == 0 || strcmp(name, "b") == 0);
	(*n)++;
}

TEST(sys, file_folders_are_made_listed_and_synced)
{
	char path[FILE_PATH_BYTES], sub[FILE_PATH_BYTES];
	struct err err;
	bool created;
	size_t n = 0;
	in_dir(test_tmp_dir(), "d", path);
	assert_int_equal(file_mkdir(path, &created, &err), ERR_OK);
	assert_true(created);
	assert_int_equal(file_mkdir(path, &created, &err), ERR_OK);
	assert_false(created);
	assert_int_equal(file_mkdir(in_dir(path, "a", sub), NULL, &err), ERR_OK);
	assert_int_equal(file_write_whole(str_from(path), STR("b"), &STR("x"), 1, &err), ERR_OK);
	assert_int_equal(file_mkdir(in_dir(path, "b", sub), NULL, &err), ERR_EXISTS);
	assert_non_null(strstr(err.message, "b is a file, not a folder"));
	assert_int_equal(file_list(path, count_entry, &n, &err), ERR_OK);
	assert_int_equal(n, 2);
	assert_int_equal(file_sync_dir(path, &err), ERR_OK);
	uint64_t free_bytes;
	assert_int_equal(file_free_bytes(path, &free_bytes, &err), ERR_OK);
	assert_true(free_bytes > 0);
	assert_int_equal(file_list(in_dir(path, "no", sub), count_entry, &n, &err), ERR_NOT_FOUND);
}

TEST(sys, file_write_whole_leaves_the_old_file_when_any_step_fails)
{
	static const enum file_op steps[] = {
	    FILE_OP_OPEN, FILE_OP_WRITE, FILE_OP_SYNC, FILE_OP_RENAME};
	const char *dir = test_tmp_dir();
	char path[FILE_PATH_BYTES], tmp[FILE_PATH_BYTES];
	struct err err;
	in_dir(dir, "f", path);
	in_dir(dir, "f.tmp", tmp);
	assert_int_equal(file_write_whole(str_from(dir), STR("f"), &STR("old"), 1, &err), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		file_fault_begin(&(struct file_fault_plan){
		    .op = steps[i], .nth = 1, .os_errno = EIO});
		assert_int_equal(file_write_whole(str_from(dir), STR("f"), &STR("new"), 1, &err),
		    ERR_IO);
		file_fault_end();
		assert_holds(path, STR("old"));
		assert_false(file_exists(tmp));
	}
	assert_int_equal(file_write_whole(str_from(dir), STR("f"), &STR("new"), 1, &err), ERR_OK);
	assert_holds(path, STR("new"));
}

TEST(sys, file_read_all_has_a_limit)
{
	const char *dir = test_tmp_dir();
	char path[FILE_PATH_BYTES];
	struct err err;
	struct buf b = {0};
	static char big[200000];
	rand_bytes(big, sizeof(big));
	struct str all = str_of(big, sizeof(big));
	assert_int_equal(file_write_whole(str_from(dir), STR("f"), &all, 1, &err), ERR_OK);
	in_dir(dir, "f", path);
	assert_int_equal(file_read_all(path, sizeof(big) - 1, &b, &err), ERR_TOO_LARGE);
	buf_reset(&b);
	assert_int_equal(file_read_all(path, sizeof(big), &b, &err), ERR_OK);
	assert_true(str_eq(buf_view(&b), all));
	buf_fini(&b);
}

TEST(sys, file_join_refuses_what_no_path_can_be)
{
	char out[FILE_PATH_BYTES];
	static char longer[FILE_PATH_BYTES];
	memset(longer, 'a', sizeof(longer));
	assert_int_equal(file_join(STR("a"), STR("b"), out, NULL), ERR_OK);
	assert_string_equal(out, "a/b");
	assert_int_equal(file_join(STR("a\0b"), STR("c"), out, NULL), ERR_INVALID);
	assert_int_equal(file_join(str_of(longer, sizeof(longer) - 3), STR("b"), out, NULL),
	    ERR_OK);
	assert_int_equal(file_join(str_of(longer, sizeof(longer) - 2), STR("b"), out, NULL),
	    ERR_TOO_LARGE);
}

TEST(sys, file_lock_is_held_once_and_names_its_process)
{
	char path[FILE_PATH_BYTES], who[64];
	struct file lock, second;
	struct err err;
	in_dir(test_tmp_dir(), "LOCK", path);
	assert_int_equal(file_lock(path, &lock, &err), ERR_OK);
	snprintf(who, sizeof(who), "process %ld", (long)getpid());
	pid_t pid = fork();
	if (pid == 0) {
		bool good = file_lock(path, &second, &err) == ERR_BUSY && !second.path &&
		    strstr(err.message, who) && strstr(err.message, "LOCK");
		_exit(good ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	file_close(&lock);
	assert_int_equal(file_lock(path, &second, &err), ERR_OK);
	file_close(&second);
}
