/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/file_copy.c - the part of sys/file.h that copies files and finds the holes in them.
 *
 * copy_file_range() tries to share blocks first, where the file system can (XFS, Btrfs), and copies inside the kernel
 * elsewhere. It refuses some pairs of file systems, and some systems have not got it: then it is done here.
 */
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "sys/file_priv.h"

enum { COPY_STEP_BYTES = 1 << 20 };

enum err_code
file_find_data(const struct file *f, uint64_t off, uint64_t end, uint64_t *from_out,
    uint64_t *to_out, struct err *err)
{
	CHECK(f->path != NULL);
	CHECK(off <= end);
	*from_out = *to_out = end;
	off_t from = lseek(f->fd, (off_t)off, SEEK_DATA);
	if (from < 0 && errno == ENXIO)
		return ERR_OK; /* holes up to the end of the file */
	bool told = from >= 0 || errno != EINVAL;
	if (from < 0 && told)
		return file_fail(err, errno, "look for holes in", f->path);
	if (!told)
		from = (off_t)off;
	if ((uint64_t)from >= end)
		return ERR_OK;
	*from_out = (uint64_t)from;
	off_t to = told ? lseek(f->fd, from, SEEK_HOLE) : (off_t)end;
	if (to < 0)
		return file_fail(err, errno, "look for holes in", f->path);
	*to_out = (uint64_t)to < end ? (uint64_t)to : end;
	return ERR_OK;
}

/* A part of [off, off + n): *done_out 0 when the kernel does not do it for these two. */
static enum err_code
copy_in_kernel(const struct file *from, const struct file *to, uint64_t off, uint64_t n,
    uint64_t *done_out, struct err *err)
{
	size_t want = n < COPY_STEP_BYTES ? (size_t)n : COPY_STEP_BYTES;
	off_t at = (off_t)off, there = (off_t)off;
	*done_out = 0;
	int bad = file_before(FILE_OP_READ, from->path, &want);
	if (bad)
		return file_fail(err, bad, "read", from->path);
	bad = file_before(FILE_OP_WRITE, to->path, &want);
	if (bad)
		return file_fail(err, bad, "write", to->path);
	ssize_t got = copy_file_range(from->fd, &at, to->fd, &there, want, 0);
	if (got >= 0) {
		*done_out = (uint64_t)got;
		return ERR_OK;
	}
	if (errno == EINTR || errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
	    errno == EOPNOTSUPP || errno == EPERM)
		return ERR_OK;
	return file_fail(err, errno, "write", to->path);
}

static enum err_code
copy_through_memory(const struct file *from, const struct file *to, uint64_t off, uint64_t n,
    uint64_t *done_out, struct err *err)
{
	size_t got = 0, want = n < COPY_STEP_BYTES ? (size_t)n : COPY_STEP_BYTES;
	char *bytes = xcalloc(1, want);
	enum err_code code = file_pread(from, off, bytes, want, &got, err);
	if (code == ERR_OK && got == 0)
		code = err_set(err, ERR_IO, "%s has become shorter", from->path);
	if (code == ERR_OK)
		code = file_pwrite(to, off, bytes, got, err);
	free(bytes);
	*done_out = got;
	return code;
}

enum err_code
file_copy(const struct file *from, const struct file *to, uint64_t off, uint64_t n, struct err *err)
{
	enum err_code code = ERR_OK;
	bool in_kernel = true;
	CHECK(from->path != NULL && to->path != NULL);
	for (uint64_t end = off + n, done; off < end && code == ERR_OK; off += done) {
		done = 0;
		if (in_kernel)
			code = copy_in_kernel(from, to, off, end - off, &done, err);
		in_kernel = in_kernel && done > 0;
		if (code == ERR_OK && done == 0)
			code = copy_through_memory(from, to, off, end - off, &done, err);
	}
	return code;
}

/* What is not a hole, piece by piece. */
static enum err_code
copy_data(const struct file *from, const struct file *to, struct err *err)
{
	uint64_t size, data, end;
	enum err_code code = file_size(from, &size, err);
	for (uint64_t off = 0; off < size && code == ERR_OK; off = end) {
		code = file_find_data(from, off, size, &data, &end, err);
		if (code == ERR_OK && end > data)
			code = file_copy(from, to, data, end - data, err);
	}
	if (code == ERR_OK)
		code = file_truncate(to, size, err);
	return code == ERR_OK ? file_sync(to, err) : code;
}

enum err_code
file_copy_whole(const char *from, const char *to, struct err *err)
{
	struct file in = {0}, out = {0};
	enum err_code code = file_open(from, FILE_READ, &in, err);
	if (code == ERR_OK)
		code = file_open(to, FILE_CREATE, &out, err);
	bool made = code == ERR_OK;
	if (code == ERR_OK)
		code = copy_data(&in, &out, err);
	file_close(&in);
	file_close(&out);
	if (code != ERR_OK && made)
		(void)!file_unlink(to, NULL);
	return code;
}
