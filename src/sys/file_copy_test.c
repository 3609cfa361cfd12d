/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 1 << 20 };

TEST(file, a_copy_has_the_same_bytes_and_keeps_what_are_holes_empty)
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
	assert_int_equal(file_pwrite(&f, 5 * PIECE - 1, "xy", 2, &err), ERR_OK);
	assert_int_equal(file_truncate(&f, 9 * PIECE + 7, &err), ERR_OK);
	file_close(&f);
	assert_int_equal(file_copy(from, to, &err), ERR_OK);
	assert_int_equal(file_read_all(from, 64 * PIECE, &a, &err), ERR_OK);
	assert_int_equal(file_read_all(to, 64 * PIECE, &b, &err), ERR_OK);
	assert_int_equal(b.len, 9 * PIECE + 7);
	assert_true(str_eq(buf_view(&a), buf_view(&b)));
	assert_int_equal(file_disk_bytes(to, &disk, &err), ERR_OK);
	assert_true(disk < PIECE);
	/* Nothing is written over. */
	assert_int_equal(file_copy(from, to, &err), ERR_EXISTS);
	assert_true(file_exists(to));
	buf_fini(&a);
	buf_fini(&b);
}
