/* SPDX-License-Identifier: Apache-2.0 */
/* See undo.h. Only system calls: the library functions are those of preload.c. */
#include "undo.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES_MAX = 4096 };

struct entry {
	struct entry *older;
	int file; /* index in files */
	off_t off, size_before;
	size_t len; /* of the old bytes */
	unsigned char old[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	dev_t dev;
	ino_t ino;
	int fd;
} files[FILES_MAX];
static int file_count;
static struct entry *newest;

void
undo_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void
undo_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

/* -1: no regular file, or not seen before and `add` is false. */
static int
find_file(int fd, bool add)
{
	char link[64];
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	for (int i = 0; i < file_count; i++)
		if (files[i].dev == st.st_dev && files[i].ino == st.st_ino)
			return i;
	if (!add || file_count == FILES_MAX)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	int own = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDWR | O_CLOEXEC);
	if (own < 0)
		return -1;
	files[file_count].dev = st.st_dev;
	files[file_count].ino = st.st_ino;
	files[file_count].fd = own;
	return file_count++;
}

void
undo_note(int fd, off_t off, size_t len)
{
	struct stat st;
	int saved = errno, file = find_file(fd, true);
	if (file < 0 || fstat(fd, &st) != 0) {
		errno = saved;
		return;
	}
	if (off < 0)
		off = syscall(SYS_fcntl, fd, F_GETFL, 0) & O_APPEND
		    ? st.st_size
		    : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
	size_t old = off < st.st_size ? (size_t)(st.st_size - off) : 0;
	if (len > 0 && len < old)
		old = len;
	struct entry *e = malloc(sizeof(*e) + old);
	if (!e)
		abort();
	*e = (struct entry){newest, file, off, st.st_size, old};
	if (old > 0 && syscall(SYS_pread64, files[file].fd, e->old, old, off) != (long)old)
		abort();
	newest = e;
	errno = saved;
}

void
undo_forget(int fd)
{
	int file = find_file(fd, false);
	for (struct entry **at = &newest; file >= 0 && *at;) {
		struct entry *e = *at;
		if (e->file != file) {
			at = &e->older;
			continue;
		}
		*at = e->older;
		free(e);
	}
}

static bool
coin(uint64_t seed, uint64_t n)
{
	uint64_t x = (seed + n) * UINT64_C(0x9e3779b97f4a7c15);
	return ((x ^ x >> 29) * UINT64_C(0xbf58476d1ce4e5b9)) >> 63;
}

void
undo_revert(int fd, uint64_t seed)
{
	uint64_t n = 0;
	int file = fd < 0 ? -1 : find_file(fd, false);
	if (fd >= 0 && file < 0)
		return;
	for (struct entry *e = newest; e; e = e->older, n++) {
		if ((file >= 0 && e->file != file) || (seed != 0 && coin(seed, n)))
			continue;
		int own = files[e->file].fd;
		if (e->len > 0)
			(void)syscall(SYS_pwrite64, own, e->old, e->len, e->off);
		(void)syscall(SYS_ftruncate, own, e->size_before);
	}
	if (fd >= 0)
		undo_forget(fd);
}
