/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/file_dir.c - the part of sys/file.h that works on names and folders, and the lock file.
 */
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/file_priv.h"

enum err_code
file_join(struct str dir, struct str name, char out[FILE_PATH_BYTES], struct err *err)
{
	if (memchr(dir.ptr ? dir.ptr : "", 0, dir.len) || memchr(name.ptr, 0, name.len))
		return err_set(err, ERR_INVALID, "a path has a NUL byte in it");
	int n = snprintf(out, FILE_PATH_BYTES, "%.*s/%.*s", STR_ARG(dir), STR_ARG(name));
	if (n < 0 || n >= FILE_PATH_BYTES)
		return err_set(err, ERR_TOO_LARGE, "a path is longer than %d bytes",
		    FILE_PATH_BYTES - 1);
	return ERR_OK;
}

enum err_code
file_rename(const char *from, const char *to, struct err *err)
{
	int bad = file_before(FILE_OP_RENAME, from, NULL);
	const char *name = strrchr(to, '/');
	if (bad || rename(from, to) != 0)
		return err_set_errno(err, ERR_IO, bad ? bad : errno, "cannot rename %s to %s", from,
		    name ? name + 1 : to);
	return ERR_OK;
}

enum err_code
file_unlink(const char *path, struct err *err)
{
	int bad = file_before(FILE_OP_UNLINK, path, NULL);
	if (bad || unlink(path) != 0)
		return file_fail(err, bad ? bad : errno, "delete", path);
	return ERR_OK;
}

enum err_code
file_mkdir(const char *path, bool *created_out, struct err *err)
{
	struct stat st;
	int bad = file_before(FILE_OP_MKDIR, path, NULL);
	if (!bad && mkdir(path, 0700) != 0)
		bad = errno;
	if (created_out)
		*created_out = !bad;
	if (!bad || (bad == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return ERR_OK;
	if (bad == EEXIST)
		return err_set(err, ERR_EXISTS, "%s is a file, not a folder", path);
	return file_fail(err, bad, "create folder", path);
}

enum err_code
file_remove_dir(const char *path, struct err *err)
{
	int bad = file_before(FILE_OP_UNLINK, path, NULL);
	if (bad || rmdir(path) != 0)
		return file_fail(err, bad ? bad : errno, "delete folder", path);
	return ERR_OK;
}

bool
file_is_dir(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum err_code
file_sync_entries(const struct file *dir, struct err *err)
{
	CHECK(dir->path != NULL);
	int bad = file_before(FILE_OP_SYNC_DIR, dir->path, NULL);
	if (bad || fsync(dir->fd) != 0)
		return file_fail(err, bad ? bad : errno, "sync folder", dir->path);
	return ERR_OK;
}

enum err_code
file_sync_dir(const char *path, struct err *err)
{
	struct file dir;
	enum err_code code = file_open(path, FILE_READ, &dir, err);
	if (code == ERR_OK)
		code = file_sync_entries(&dir, err);
	file_close(&dir);
	return code;
}

enum err_code
file_stamp(const char *path, struct file_stamp *out, struct err *err)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return file_fail(err, errno, "look at", path);
	*out = (struct file_stamp){st.st_ino, (uint64_t)st.st_size,
	    (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec};
	return ERR_OK;
}

bool
file_exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

bool
file_is_plain(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

enum err_code
file_list(const char *path, void (*entry)(void *ctx, const char *name), void *ctx, struct err *err)
{
	DIR *dir = opendir(path);
	if (!dir)
		return file_fail(err, errno, "list folder", path);
	const struct dirent *e;
	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			entry(ctx, e->d_name);
	}
	int bad = errno;
	closedir(dir);
	return bad ? file_fail(err, bad, "list folder", path) : ERR_OK;
}

bool
file_is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool
file_real_path(const char *path, char out[FILE_PATH_BYTES])
{
	_Static_assert(FILE_PATH_BYTES >= PATH_MAX, "realpath() fits");
	return realpath(path, out) != NULL;
}

enum err_code
file_disk_bytes(const char *path, uint64_t *out, struct err *err)
{
	enum { BLOCK = 512 }; /* what st_blocks counts in, whatever the file system's are */
	struct stat st;
	if (stat(path, &st) != 0)
		return file_fail(err, errno, "look at", path);
	*out = (uint64_t)st.st_blocks * BLOCK;
	return ERR_OK;
}

enum err_code
file_free_bytes(const char *path, uint64_t *out, struct err *err)
{
	struct statvfs st;
	if (statvfs(path, &st) != 0)
		return file_fail(err, errno, "get the free space of", path);
	*out = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
	return ERR_OK;
}

enum err_code
file_read_all(const char *path, size_t bytes_max, struct buf *out, struct err *err)
{
	enum { STEP = 64 * 1024 };
	struct file f;
	size_t total = 0, got = STEP;
	enum err_code code = file_open(path, FILE_READ, &f, err);
	while (code == ERR_OK && got == STEP) {
		char *to = buf_reserve(out, STEP);
		if (!to) {
			code = err_set(err, ERR_TOO_LARGE, "%s is too large", path);
			break;
		}
		code = file_pread(&f, total, to, STEP, &got, err);
		out->len += code == ERR_OK ? got : 0;
		total += got;
		if (code == ERR_OK && total > bytes_max)
			code = err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path,
			    bytes_max);
	}
	file_close(&f);
	return code;
}

enum err_code
file_write_whole(struct str dir, struct str name, const struct str *parts, size_t count,
    struct err *err)
{
	char folder[FILE_PATH_BYTES], to[FILE_PATH_BYTES], tmp[FILE_PATH_BYTES];
	struct file f;
	enum err_code code = file_join(dir, name, to, err);
	if (code == ERR_OK && snprintf(tmp, sizeof(tmp), "%s.tmp", to) >= FILE_PATH_BYTES)
		code = err_set(err, ERR_TOO_LARGE, "the path %.64s... is too long", to);
	if (code != ERR_OK)
		return code;
	snprintf(folder, sizeof(folder), "%.*s", STR_ARG(dir));
	code = file_open(tmp, FILE_REPLACE, &f, err);
	if (code == ERR_OK)
		code = file_pwritev(&f, 0, parts, count, err);
	if (code == ERR_OK)
		code = file_sync(&f, err);
	file_close(&f);
	if (code == ERR_OK)
		code = file_rename(tmp, to, err);
	if (code != ERR_OK) {
		(void)!unlink(tmp); /* the error that counts is in *err already */
		return code;
	}
	return file_sync_dir(folder, err);
}

bool
file_state_dir(const char *state_home, const char *home, const char *below,
    char out[FILE_PATH_BYTES])
{
	bool said = state_home && state_home[0] == '/';
	const char *base = said ? state_home : home;
	const char *parts[] = {said ? NULL : ".local", said ? NULL : "state", "weir", below};
	struct err err;
	if (!base || base[0] != '/' || strlen(base) >= FILE_PATH_BYTES)
		return false;
	snprintf(out, FILE_PATH_BYTES, "%s", base);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char next[FILE_PATH_BYTES];
		if (!parts[i])
			continue;
		if (file_join(str_from(out), str_from(parts[i]), next, &err) != ERR_OK ||
		    file_mkdir(next, NULL, &err) != ERR_OK)
			return false;
		memcpy(out, next, sizeof(next));
	}
	return true;
}

/* Who wrote the lock file, for the message: 0 when it does not say. */
static uint64_t
lock_holder(int fd)
{
	char text[24];
	uint64_t pid = 0;
	ssize_t n = pread(fd, text, sizeof(text), 0);
	if (n > 0 && !str_to_u64(str_trim(str_of(text, (size_t)n)), &pid))
		pid = 0;
	return pid;
}

enum err_code
file_lock(const char *path, struct file *out, struct err *err)
{
	*out = (struct file){0};
	int fd = file_open_retrying(path, O_RDWR | O_CREAT);
	if (fd < 0)
		return file_fail(err, errno, "open", path);
	/* A lock of the open file, not of the process: closing another descriptor keeps it. */
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
		int bad = errno;
		uint64_t pid = lock_holder(fd);
		close(fd);
		if (bad != EAGAIN && bad != EACCES)
			return file_fail(err, bad, "lock", path);
		if (pid == 0)
			return err_set(err, ERR_BUSY, "%s is held by another process", path);
		return err_set(err, ERR_BUSY, "%s is held by process %llu", path,
		    (unsigned long long)pid);
	}
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	CHECK(n > 0);
	*out = (struct file){.path = strdup(path), .fd = fd};
	CHECK(out->path != NULL);
	enum err_code code = file_truncate(out, 0, err);
	if (code == ERR_OK)
		code = file_pwrite(out, 0, text, (size_t)n, err);
	if (code != ERR_OK)
		file_close(out);
	return code;
}
