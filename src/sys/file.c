/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/file_priv.h"

enum { PARTS_MAX = 8, ONE_CALL_BYTES_MAX = 1 << 30 };

/* Set by tests only: the one seam through which they reach what is below every module. */
static const struct file_hook *_Atomic test_hook;

void
file_hook_set(const struct file_hook *hook)
{
	atomic_store_explicit(&test_hook, hook, memory_order_release);
}

int
file_before(enum file_op op, const char *path, size_t *len)
{
	size_t unused = 0;
	const struct file_hook *hook = atomic_load_explicit(&test_hook, memory_order_acquire);
	if (__builtin_expect(hook == NULL, 1))
		return 0;
	return hook->before(hook->ctx, op, path, len ? len : &unused);
}

enum err_code
file_fail(struct err *err, int os_errno, const char *doing, const char *path)
{
	enum err_code code = ERR_IO;
	if (os_errno == ENOENT)
		code = ERR_NOT_FOUND;
	else if (os_errno == EEXIST)
		code = ERR_EXISTS;
	return err_set_errno(err, code, os_errno, "cannot %s %s", doing, path);
}

int
file_open_retrying(const char *path, int flags)
{
	int fd;
	do
		fd = open(path, flags | O_CLOEXEC, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

enum err_code
file_open(const char *path, enum file_mode mode, struct file *out, struct err *err)
{
	static const int flags[] = {[FILE_READ] = O_RDONLY,
	    [FILE_WRITE] = O_RDWR,
	    [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
	    [FILE_REPLACE] = O_RDWR | O_CREAT | O_TRUNC};
	*out = (struct file){0};
	int bad = file_before(FILE_OP_OPEN, path, NULL);
	int fd = bad ? -1 : file_open_retrying(path, flags[mode]);
	if (fd < 0)
		return file_fail(err, bad ? bad : errno, "open", path);
	char *copy = strdup(path);
	CHECK(copy != NULL);
	*out = (struct file){.path = copy, .fd = fd};
	return ERR_OK;
}

void
file_close(struct file *f)
{
	if (!f || !f->path)
		return;
	close(f->fd); /* what had to be durable was synced: nothing to learn here */
	free(f->path);
	*f = (struct file){0};
}

enum err_code
file_pread(const struct file *f, uint64_t off, void *buf, size_t n, size_t *got_out,
    struct err *err)
{
	CHECK(f->path != NULL);
	*got_out = 0;
	while (*got_out < n) {
		size_t want = n - *got_out < ONE_CALL_BYTES_MAX ? n - *got_out : ONE_CALL_BYTES_MAX;
		int bad = file_before(FILE_OP_READ, f->path, &want);
		ssize_t got =
		    bad ? -1 : pread(f->fd, (char *)buf + *got_out, want, (off_t)(off + *got_out));
		if (got == 0)
			break;
		if (got > 0)
			*got_out += (size_t)got;
		else if (bad || errno != EINTR)
			return file_fail(err, bad ? bad : errno, "read", f->path);
	}
	return ERR_OK;
}

/* Forget `done` bytes at the front, and what is beyond `want` bytes of the rest. */
static int
trim_parts(const struct iovec *from, int count, size_t done, size_t want, struct iovec *to)
{
	int n = 0;
	for (int i = 0; i < count && want > 0; i++) {
		size_t skip = done < from[i].iov_len ? done : from[i].iov_len;
		size_t len = from[i].iov_len - skip < want ? from[i].iov_len - skip : want;
		done -= skip;
		want -= len;
		if (len > 0)
			to[n++] = (struct iovec){(char *)from[i].iov_base + skip, len};
	}
	return n;
}

enum err_code
file_pwritev(const struct file *f, uint64_t off, const struct str *parts, size_t count,
    struct err *err)
{
	CHECK(f->path != NULL);
	CHECK(count <= PARTS_MAX);
	struct iovec all[PARTS_MAX], rest[PARTS_MAX];
	size_t total = 0, done = 0;
	for (size_t i = 0; i < count; i++) {
		/* writev only reads through it */
		all[i] = (struct iovec){(void *)(uintptr_t)parts[i].ptr, parts[i].len};
		total += parts[i].len;
	}
	while (done < total) {
		size_t want = total - done < ONE_CALL_BYTES_MAX ? total - done : ONE_CALL_BYTES_MAX;
		int bad = file_before(FILE_OP_WRITE, f->path, &want);
		int n = trim_parts(all, (int)count, done, want, rest);
		ssize_t put = bad ? -1 : pwritev(f->fd, rest, n, (off_t)(off + done));
		if (put > 0)
			done += (size_t)put;
		else if (bad || put == 0 || errno != EINTR)
			return file_fail(err,
			    bad            ? bad
			        : put == 0 ? ENOSPC
			                   : errno,
			    "write", f->path);
	}
	return ERR_OK;
}

enum err_code
file_pwrite(const struct file *f, uint64_t off, const void *bytes, size_t n, struct err *err)
{
	struct str part = str_of(bytes, n);
	return file_pwritev(f, off, &part, 1, err);
}

bool
file_direct(const struct file *f, bool on)
{
	CHECK(f->path != NULL);
	int flags = fcntl(f->fd, F_GETFL);
	if (flags < 0)
		return false;
	flags = on ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(f->fd, F_SETFL, flags) == 0 && on;
}

enum err_code
file_sync(const struct file *f, struct err *err)
{
	CHECK(f->path != NULL);
	int bad = file_before(FILE_OP_SYNC, f->path, NULL);
	/* Not even after EINTR is it called again: see the header. */
	if (bad || fdatasync(f->fd) != 0)
		return file_fail(err, bad ? bad : errno, "sync", f->path);
	return ERR_OK;
}

enum err_code
file_size(const struct file *f, uint64_t *out, struct err *err)
{
	CHECK(f->path != NULL);
	struct stat st;
	if (fstat(f->fd, &st) != 0)
		return file_fail(err, errno, "get the size of", f->path);
	*out = (uint64_t)st.st_size;
	return ERR_OK;
}

enum err_code
file_punch(const struct file *f, uint64_t off, uint64_t n, struct err *err)
{
	CHECK(f->path != NULL);
	int bad = file_before(FILE_OP_TRUNCATE, f->path, NULL);
	if (!bad &&
	    fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)n) == 0)
		return ERR_OK;
	int why = bad ? bad : errno;
	if (why == EOPNOTSUPP || why == ENOSYS)
		return err_set(err, ERR_UNAVAILABLE, "the file system of %s makes no holes",
		    f->path);
	return file_fail(err, why, "give room back of", f->path);
}

enum err_code
file_truncate(const struct file *f, uint64_t size, struct err *err)
{
	CHECK(f->path != NULL);
	int bad = file_before(FILE_OP_TRUNCATE, f->path, NULL);
	if (bad || ftruncate(f->fd, (off_t)size) != 0)
		return file_fail(err, bad ? bad : errno, "truncate", f->path);
	return ERR_OK;
}
