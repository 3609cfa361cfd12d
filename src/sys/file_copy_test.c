/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of files: byte for byte, holes included, and what happens when a step fails. */
#include "sys/file.h"
#include "sys/file_fault.h"

#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1 << 20, SIZE = 5 * MIB + 77 };

static void
path_in(const char *dir, const char *name, char out[FILE_PATH_BYTES])
{
	assert_int_equal(file_join(str_from(dir), str_from(name), out, NULL), ERR_OK);
}

/* Data in the second MiB and at the end, holes elsewhere. */
static void
make_sparse(const char *path, struct file *f)
{
	char *bytes = malloc(MIB);
	assert_non_null(bytes);
	for (size_t i = 0; i < MIB; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	assert_int_equal(file_open(path, FILE_CREATE, f, NULL), ERR_OK);
	assert_int_equal(file_truncate(f, SIZE, NULL), ERR_OK);
	assert_int_equal(file_pwrite(f, MIB, bytes, MIB, NULL), ERR_OK);
	assert_int_equal(file_pwrite(f, SIZE - 77, bytes, 77, NULL), ERR_OK);
	free(bytes);
}

static void
same_bytes(const char *a, const char *b)
{
	struct buf x = {0}, y = {0};
	assert_int_equal(file_read_all(a, SIZE, &x, NULL), ERR_OK);
	assert_int_equal(file_read_all(b, SIZE, &y, NULL), ERR_OK);
	assert_int_equal(x.len, SIZE);
	assert_true(str_eq(buf_view(&x), buf_view(&y)));
	buf_fini(&x);
	buf_fini(&y);
}

TEST(file, copy_has_the_same_bytes_and_keeps_holes)
{
	char from_path[FILE_PATH_BYTES], to_path[FILE_PATH_BYTES];
	const char *dir = test_tmp_dir();
	struct file from, to;
	uint64_t copied = 0, data, end, disk;
	path_in(dir, "from", from_path);
	path_in(dir, "to", to_path);
	make_sparse(from_path, &from);
	assert_int_equal(file_open(to_path, FILE_CREATE, &to, NULL), ERR_OK);
	assert_int_equal(file_truncate(&to, SIZE, NULL), ERR_OK);
	for (uint64_t off = 0; off < SIZE; off = end) {
		assert_int_equal(file_find_data(&from, off, SIZE, &data, &end, NULL), ERR_OK);
		assert_true(data >= off && end >= data && end <= SIZE);
		if (end > data)
			assert_int_equal(file_copy(&from, &to, data, end - data, NULL), ERR_OK);
		copied += end - data;
	}
	same_bytes(from_path, to_path);
	assert_in_range(copied, MIB + 77, SIZE);
	assert_int_equal(file_disk_bytes(from_path, &disk, NULL), ERR_OK);
	if (disk < 3 * MIB) { /* else this file system has no holes to keep */
		assert_int_equal(file_disk_bytes(to_path, &disk, NULL), ERR_OK);
		assert_in_range(disk, 1, 3 * MIB);
	}
	file_close(&from);
	file_close(&to);
}

TEST(file, data_is_looked_for_up_to_where_is_asked_only)
{
	char path[FILE_PATH_BYTES];
	struct file f;
	uint64_t data, end;
	path_in(test_tmp_dir(), "f", path);
	make_sparse(path, &f);
	assert_int_equal(file_find_data(&f, MIB + 10, MIB + 20, &data, &end, NULL), ERR_OK);
	assert_int_equal(data, MIB + 10);
	assert_int_equal(end, MIB + 20);
	assert_int_equal(file_find_data(&f, SIZE, SIZE, &data, &end, NULL), ERR_OK);
	assert_int_equal(data, SIZE);
	assert_int_equal(end, SIZE);
	file_close(&f);
}

TEST(file, copy_that_fails_says_so)
{
	char from_path[FILE_PATH_BYTES], to_path[FILE_PATH_BYTES];
	static const enum file_op ops[] = {FILE_OP_READ, FILE_OP_WRITE};
	const char *dir = test_tmp_dir();
	struct file from, to;
	struct err err;
	path_in(dir, "from", from_path);
	path_in(dir, "to", to_path);
	make_sparse(from_path, &from);
	assert_int_equal(file_open(to_path, FILE_CREATE, &to, NULL), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		file_fault_begin(&(struct file_fault_plan){
		    .op = ops[i], .nth = 2, .os_errno = i == 0 ? EIO : ENOSPC});
		assert_int_equal(file_copy(&from, &to, 0, 3 * MIB, &err), ERR_IO);
		assert_true(file_fault_hit());
		file_fault_end();
		assert_non_null(strstr(err.message, i == 0 ? from_path : to_path));
	}
	/* A short step goes on. */
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_WRITE, .nth = 1, .short_bytes = 1000});
	assert_int_equal(file_copy(&from, &to, 0, SIZE, &err), ERR_OK);
	file_fault_end();
	same_bytes(from_path, to_path);
	file_close(&from);
	file_close(&to);
}

TEST(file, only_a_folder_itself_is_one_and_only_an_empty_one_goes)
{
	char dir[FILE_PATH_BYTES], inside[FILE_PATH_BYTES];
	const char *tmp = test_tmp_dir();
	struct file f;
	path_in(tmp, "d", dir);
	path_in(dir, "f", inside);
	assert_false(file_is_dir(dir));
	assert_int_equal(file_mkdir(dir, NULL, NULL), ERR_OK);
	assert_true(file_is_dir(dir));
	assert_int_equal(file_open(inside, FILE_CREATE, &f, NULL), ERR_OK);
	file_close(&f);
	assert_false(file_is_dir(inside));
	assert_int_equal(file_remove_dir(dir, NULL), ERR_IO);
	assert_int_equal(file_unlink(inside, NULL), ERR_OK);
	assert_int_equal(file_remove_dir(dir, NULL), ERR_OK);
	assert_int_equal(file_remove_dir(dir, NULL), ERR_NOT_FOUND);
}

/* ---- a whole file */

enum { WHOLE_PIECE = 1 << 20 };

TEST(file, a_whole_copy_has_the_same_bytes_and_keeps_what_are_holes_empty)
{
	char from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
	struct file f = {0};
	struct err err = {0};
	struct buf a = {0}, b = {0};
	uint64_t disk;
	const char *dir = test_tmp_dir();
	snprintf(from, sizeof(from), "%s/from", dir);
	snprintf(to, sizeof(to), "%s/to", dir);
	assert_int_equal(file_open(from, FILE_CREATE, &f, &err), ERR_OK);
	assert_int_equal(file_pwrite(&f, 100, "begin", 5, &err), ERR_OK);
	assert_int_equal(file_pwrite(&f, 5 * WHOLE_PIECE - 1, "xy", 2, &err), ERR_OK);
	assert_int_equal(file_truncate(&f, 9 * WHOLE_PIECE + 7, &err), ERR_OK);
	file_close(&f);
	assert_int_equal(file_copy_whole(from, to, &err), ERR_OK);
	assert_int_equal(file_read_all(from, 64 * WHOLE_PIECE, &a, &err), ERR_OK);
	assert_int_equal(file_read_all(to, 64 * WHOLE_PIECE, &b, &err), ERR_OK);
	assert_int_equal(b.len, 9 * WHOLE_PIECE + 7);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	assert_int_equal(file_disk_bytes(to, &disk, &err), ERR_OK);
	assert_true(disk < WHOLE_PIECE);
	/* Nothing is written over. */
	assert_int_equal(file_copy_whole(from, to, &err), ERR_EXISTS);
	assert_true(file_exists(to));
	buf_fini(&a);
	buf_fini(&b);
}
