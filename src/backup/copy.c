/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup/copy.c - one file, whole and synced; and folders that go.
 *
 * The hash is of the copy, read back from memory: what is copied may be written to meanwhile, in places that do not
 * count. It is synced in steps, to leave the disk to the commits in between (as wal/segment.c does with its zeros).
 */
#include "backup/backup_priv.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

_Static_assert((int)BACKUP_PATH_BYTES == FILE_PATH_BYTES, "a path is a path");

enum { STEP_BYTES = 8 << 20, BUFFER_BYTES = 256 << 10, DEPTH_MAX = 2 };

static enum err_code
ask(const struct backup_guard *guard, struct err *err)
{
	return guard ? guard->go_on(guard->ctx, err) : ERR_OK;
}

static enum err_code
hash_data(struct hash_stream *h, const struct file *f, uint64_t off, uint64_t end, char *buffer,
    struct err *err)
{
	enum err_code code = ERR_OK;
	while (off < end && code == ERR_OK) {
		size_t want = end - off < BUFFER_BYTES ? (size_t)(end - off) : BUFFER_BYTES, got;
		code = file_pread(f, off, buffer, want, &got, err);
		if (code == ERR_OK && got < want)
			code = err_set(err, ERR_IO, "%s has become shorter", f->path);
		if (code == ERR_OK)
			hash_stream_add(h, buffer, want);
		off += want;
	}
	return code;
}

static void
hash_hole(struct hash_stream *h, uint64_t bytes)
{
	static const char zeros[BUFFER_BYTES];
	while (bytes > 0) {
		size_t n = bytes < sizeof(zeros) ? (size_t)bytes : sizeof(zeros);
		hash_stream_add(h, zeros, n);
		bytes -= n;
	}
}

/* to NULL: nothing is copied, `from` itself is hashed. */
static enum err_code
walk(const struct file *from, uint64_t bytes, const struct file *to,
    const struct backup_guard *guard, struct hash_stream *h, struct err *err)
{
	char *buffer = xcalloc(1, BUFFER_BYTES);
	enum err_code code = ERR_OK;
	for (uint64_t off = 0; off < bytes && code == ERR_OK;) {
		uint64_t data, end;
		code = ask(guard, err);
		if (code == ERR_OK)
			code = file_find_data(from, off, bytes, &data, &end, err);
		if (code != ERR_OK)
			break;
		if (end - data > STEP_BYTES)
			end = data + STEP_BYTES;
		hash_hole(h, data - off);
		if (to)
			code = file_copy(from, to, data, end - data, err);
		if (code == ERR_OK && to)
			code = file_sync(to, err);
		if (code == ERR_OK)
			code = hash_data(h, to ? to : from, data, end, buffer, err);
		off = end;
	}
	free(buffer);
	return code;
}

enum err_code
backup_hash(const struct file *from, uint64_t bytes, const struct backup_guard *guard,
    struct hash128 *hash_out, struct err *err)
{
	struct hash_stream *h = hash_stream_new();
	enum err_code code = walk(from, bytes, NULL, guard, h, err);
	*hash_out = hash_stream_end(h);
	return code;
}

enum err_code
backup_copy(const struct file *from, uint64_t bytes, const char *to,
    const struct backup_guard *guard, struct hash128 *hash_out, struct err *err)
{
	struct file file = {0};
	struct hash_stream *h = hash_stream_new();
	enum err_code code = file_open(to, FILE_CREATE, &file, err);
	if (code == ERR_OK)
		code = file_truncate(&file, bytes, err);
	if (code == ERR_OK)
		code = walk(from, bytes, &file, guard, h, err);
	if (code == ERR_OK)
		code = file_sync(&file, err); /* the size, when it ends with a hole */
	file_close(&file);
	*hash_out = hash_stream_end(h);
	return code;
}

/* ---- folders that go */

struct removal {
	const char *path;
	int depth;
	struct err *err;
	enum err_code code; /* of the first that could not be deleted */
};

static enum err_code remove_folder(const char *path, int depth, struct err *err);

static void
remove_entry(void *ctx, const char *name)
{
	struct removal *r = ctx;
	char path[FILE_PATH_BYTES];
	struct err err;
	enum err_code code = file_join(str_from(r->path), str_from(name), path, &err);
	if (code == ERR_OK && file_is_dir(path) && r->depth < DEPTH_MAX)
		code = remove_folder(path, r->depth + 1, &err);
	else if (code == ERR_OK)
		code = file_unlink(path, &err);
	if (code == ERR_OK || code == ERR_NOT_FOUND || r->code != ERR_OK)
		return;
	r->code = code;
	if (r->err)
		*r->err = err;
}

static enum err_code
remove_folder(const char *path, int depth, struct err *err)
{
	struct removal r = {.path = path, .depth = depth, .err = err};
	enum err_code code = file_list(path, remove_entry, &r, err);
	if (code == ERR_OK)
		code = r.code;
	return code == ERR_OK ? file_remove_dir(path, err) : code;
}

enum err_code
backup_remove(const char *path, struct err *err)
{
	char manifest[FILE_PATH_BYTES];
	if (!file_is_dir(path))
		return ERR_OK;
	enum err_code code = file_join(str_from(path), STR(BACKUP_MANIFEST), manifest, err);
	if (code == ERR_OK && file_exists(manifest))
		code = file_unlink(manifest, err);
	return code == ERR_OK ? remove_folder(path, 0, err) : code;
}
