/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup/letters.c - dead letters and keys, as they are at one moment, without stopping those that change them.
 *
 * Such a file is never written to: it is replaced, renamed or deleted. So they are listed with their stamps, what is new is
 * copied, what has gone is deleted from the copy, until a list is the same as the one before: between the two
 * nothing has changed, and that is the moment.
 */
#include "backup/backup_priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 1000 };

static const char *const folders[] = {"dlq", "quarantine"};

struct listing {
	struct backup_files files;
	struct str data_dir;
	const char *folder;
	uint64_t bytes;
};

/* Half written, or none of ours. */
static bool
is_ours(const char *name)
{
	size_t n = strlen(name), end = strlen(".tmp");
	return backup_is_plain(str_from(name)) && (n < end || strcmp(name + n - end, ".tmp") != 0);
}

static void
note(void *ctx, const char *name)
{
	struct listing *l = ctx;
	char relative[BACKUP_FILE_BYTES], path[FILE_PATH_BYTES];
	struct file_stamp stamp;
	int n = snprintf(relative, sizeof(relative), "%s%s%s", l->folder ? l->folder : "",
	    l->folder ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(relative) || !is_ours(name) ||
	    file_join(l->data_dir, str_from(relative), path, NULL) != ERR_OK || file_is_dir(path) ||
	    file_stamp(path, &stamp, NULL) != ERR_OK)
		return; /* or it has gone already */
	backup_files_add(&l->files, relative)->stamp = stamp;
	l->bytes += stamp.size;
}

static int
by_path(const void *a, const void *b)
{
	const struct backup_file *x = a, *y = b;
	return strcmp(x->path, y->path);
}

static enum err_code
list_now(struct listing *l, struct str data_dir, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum err_code code = ERR_OK;
	*l = (struct listing){.data_dir = data_dir};
	note(l, BACKUP_KEYS);
	for (size_t i = 0; i < ARRAY_LEN(folders) && code == ERR_OK; i++) {
		l->folder = folders[i];
		code = file_join(data_dir, str_from(folders[i]), path, err);
		if (code == ERR_OK && file_is_dir(path))
			code = file_list(path, note, l, err);
	}
	if (l->files.count > 0)
		qsort(l->files.items, l->files.count, sizeof(*l->files.items), by_path);
	return code;
}

static bool
same_stamp(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed_ns == b->changed_ns;
}

static const struct backup_file *
find(const struct backup_files *f, const struct backup_file *like)
{
	return f->count == 0 ? NULL : bsearch(like, f->items, f->count, sizeof(*f->items), by_path);
}

/* One that has gone, or another one that stands there now, is met again by the next list. */
static enum err_code
copy_one(struct str data_dir, struct str to, const struct backup_guard *guard,
    struct backup_file *f, struct err *err)
{
	char from_path[FILE_PATH_BYTES], to_path[FILE_PATH_BYTES];
	struct file from = {0};
	enum err_code code = file_join(data_dir, str_from(f->path), from_path, err);
	if (code == ERR_OK)
		code = file_join(to, str_from(f->path), to_path, err);
	if (code == ERR_OK && file_exists(to_path))
		code = file_unlink(to_path, err);
	if (code != ERR_OK)
		return code;
	code = file_open(from_path, FILE_READ, &from, err);
	if (code == ERR_NOT_FOUND) {
		f->stamp = (struct file_stamp){0};
		return ERR_OK;
	}
	if (code == ERR_OK)
		code = file_size(&from, &f->bytes, err);
	if (code == ERR_OK)
		code = backup_copy(&from, f->bytes, to_path, guard, &f->hash, err);
	file_close(&from);
	return code;
}

static enum err_code
remove_copy(struct str to, const struct backup_file *f, struct err *err)
{
	char path[FILE_PATH_BYTES];
	enum err_code code = file_join(to, str_from(f->path), path, err);
	if (code == ERR_OK && file_exists(path))
		code = file_unlink(path, err);
	return code;
}

/* Makes the copies, of which there are those in `have`, what `now` says. */
static enum err_code
follow(struct str to, const struct backup_guard *guard, const struct backup_files *have,
    struct listing *now, bool *changed_out, struct err *err)
{
	enum err_code code = ERR_OK;
	*changed_out = false;
	for (size_t i = 0; i < have->count && code == ERR_OK; i++) {
		if (find(&now->files, &have->items[i]))
			continue;
		*changed_out = true;
		code = remove_copy(to, &have->items[i], err);
	}
	for (size_t i = 0; i < now->files.count && code == ERR_OK; i++) {
		struct backup_file *f = &now->files.items[i];
		const struct backup_file *old = find(have, f);
		if (old && same_stamp(&old->stamp, &f->stamp)) {
			*f = *old;
			continue;
		}
		*changed_out = true;
		code = copy_one(now->data_dir, to, guard, f, err);
	}
	return code;
}

enum err_code
backup_copy_letters(struct str data_dir, struct str to, const struct backup_guard *guard,
    struct backup_files *files, struct err *err)
{
	struct backup_files have = {0};
	enum err_code code = ERR_OK;
	bool changed = true;
	for (int round = 0; changed && code == ERR_OK; round++) {
		struct listing now;
		if (round == ROUNDS_MAX)
			code = err_set(err, ERR_BUSY,
			    "dead letters change all the time: try again when they have come to rest");
		if (code == ERR_OK)
			code = list_now(&now, data_dir, err);
		else
			break;
		if (code == ERR_OK)
			code = follow(to, guard, &have, &now, &changed, err);
		changed = changed || round == 0; /* one list alone is no moment, be it empty */
		backup_files_fini(&have);
		have = now.files;
	}
	for (size_t i = 0; i < have.count && code == ERR_OK; i++)
		*backup_files_add(files, have.items[i].path) = have.items[i];
	backup_files_fini(&have);
	return code;
}

enum err_code
backup_letters_bytes(struct str data_dir, uint64_t *out, struct err *err)
{
	struct listing l;
	enum err_code code = list_now(&l, data_dir, err);
	*out = l.bytes;
	backup_files_fini(&l.files);
	return code;
}
