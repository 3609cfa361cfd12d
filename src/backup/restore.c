/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup/restore.c - verifying a backup, and putting it back.
 *
 * A file `restoring` stands in the data folder until all is there and synced: weir does not start on it. Until then the
 * folder is locked, too.
 */
#include "backup/backup_priv.h"

#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>

struct restoring {
	struct str from, to;
	char to_path[FILE_PATH_BYTES];
	struct backup_files files;
	struct file lock;
	bool made; /* the folder was not there */
};

static bool
same_hash(struct hash128 a, struct hash128 b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static enum err_code
is_damaged(const char *path, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "%s is damaged: it is not what the backup's manifest says",
	    path);
}

/* to NULL: it is only read. */
static enum err_code
take_file(struct str dir, const struct backup_file *f, const char *to, struct err *err)
{
	char path[FILE_PATH_BYTES];
	struct file from = {0};
	struct hash128 hash = {0};
	uint64_t size = 0;
	enum err_code code = file_join(dir, str_from(f->path), path, err);
	if (code == ERR_OK)
		code = file_open(path, FILE_READ, &from, err);
	if (code == ERR_NOT_FOUND)
		code = err_set(err, ERR_CORRUPT, "%s is missing from the backup", path);
	if (code == ERR_OK)
		code = file_size(&from, &size, err);
	if (code == ERR_OK && size != f->bytes)
		code = is_damaged(path, err);
	if (code == ERR_OK)
		code = to ? backup_copy(&from, size, to, NULL, &hash, err)
		          : backup_hash(&from, size, NULL, &hash, err);
	if (code == ERR_OK && !same_hash(hash, f->hash))
		code = is_damaged(path, err);
	file_close(&from);
	return code;
}

static enum err_code
read_backup(struct str path, uint64_t schema_max, struct backup_info *out,
    struct backup_files *files, struct err *err)
{
	*out = (struct backup_info){0};
	if (path.len == 0 || path.len >= sizeof(out->path))
		return err_set(err, ERR_INVALID, "the path of the backup is empty or too long");
	snprintf(out->path, sizeof(out->path), "%.*s", STR_ARG(path));
	enum err_code code = backup_manifest_read(out->path, out, files, err);
	if (code == ERR_OK && out->schema_version > schema_max)
		code = err_set(err, ERR_UNAVAILABLE,
		    "%s has a database of version %" PRIu64 ", and this weir knows %" PRIu64
		    ": use the weir that made it, %s, or a newer one",
		    out->path, out->schema_version, schema_max, out->version);
	for (size_t i = 0; i < files->count && code == ERR_OK; i++)
		code = take_file(path, &files->items[i], NULL, err);
	return code;
}

enum err_code
backup_verify(struct str path, uint64_t schema_max, struct backup_info *out, struct err *err)
{
	struct backup_files files = {0};
	enum err_code code = read_backup(path, schema_max, out, &files, err);
	backup_files_fini(&files);
	return code;
}

/* ---- putting back */

static void
count_entry(void *ctx, const char *name)
{
	(void)name;
	++*(size_t *)ctx;
}

/* At most `allowed` things are in it. */
static enum err_code
check_empty(const struct restoring *r, size_t allowed, struct err *err)
{
	size_t entries = 0;
	enum err_code code = file_list(r->to_path, count_entry, &entries, err);
	if (code == ERR_OK && entries > allowed)
		return err_set(err, ERR_EXISTS,
		    "%s is not empty: restore into a folder that is not there, or is empty",
		    r->to_path);
	return code;
}

static enum err_code
take_folder(struct restoring *r, struct err *err)
{
	char lock[FILE_PATH_BYTES];
	snprintf(r->to_path, sizeof(r->to_path), "%.*s", STR_ARG(r->to));
	enum err_code code = file_join(r->to, STR("LOCK"), lock, err);
	if (code == ERR_OK)
		code = file_mkdir(r->to_path, &r->made, err);
	if (code == ERR_OK && !r->made)
		code = check_empty(r, 0, err);
	if (code == ERR_OK)
		code = file_lock(lock, &r->lock, err);
	/* A weir may have been there and gone since it was looked at. */
	return code == ERR_OK ? check_empty(r, 1, err) : code;
}

static enum err_code
mark(struct restoring *r, struct err *err)
{
	struct str text = STR("weir restore is under way, or was interrupted\n");
	return file_write_whole(r->to, STR(BACKUP_RESTORING), &text, 1, err);
}

static enum err_code
for_folders(struct restoring *r, enum err_code (*act)(const char *path, struct err *err),
    struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < BACKUP_FOLDERS && code == ERR_OK; i++) {
		char path[FILE_PATH_BYTES];
		code = file_join(r->to, str_from(backup_folders[i]), path, err);
		if (code == ERR_OK)
			code = act(path, err);
	}
	return code;
}

static enum err_code
make_folder(const char *path, struct err *err)
{
	return file_mkdir(path, NULL, err);
}

static enum err_code
put_back(struct restoring *r, struct err *err)
{
	char parent[FILE_PATH_BYTES + 4], path[FILE_PATH_BYTES];
	enum err_code code = mark(r, err);
	if (code == ERR_OK)
		code = for_folders(r, make_folder, err);
	for (size_t i = 0; i < r->files.count && code == ERR_OK; i++) {
		code = file_join(r->to, str_from(r->files.items[i].path), path, err);
		if (code == ERR_OK)
			code = take_file(r->from, &r->files.items[i], path, err);
	}
	if (code == ERR_OK)
		code = for_folders(r, file_sync_dir, err);
	if (code == ERR_OK)
		code = file_sync_dir(r->to_path, err);
	snprintf(parent, sizeof(parent), "%s/..", r->to_path);
	if (code == ERR_OK)
		code = file_sync_dir(parent, err);
	if (code == ERR_OK)
		code = file_join(r->to, STR(BACKUP_RESTORING), path, err);
	if (code == ERR_OK)
		code = file_unlink(path, err);
	return code == ERR_OK ? file_sync_dir(r->to_path, err) : code;
}

/* All but the mark, then that, then the folder if it is ours. */
static void
take_back(struct restoring *r)
{
	char path[FILE_PATH_BYTES];
	struct err err = {0};
	enum err_code code = for_folders(r, backup_remove, &err);
	for (size_t i = 0; i < r->files.count && code == ERR_OK; i++) {
		code = file_join(r->to, str_from(r->files.items[i].path), path, &err);
		if (code == ERR_OK && file_exists(path))
			code = file_unlink(path, &err);
	}
	static const char *const last[] = {"LOCK", BACKUP_RESTORING};
	for (size_t i = 0; i < ARRAY_LEN(last) && code == ERR_OK; i++) {
		code = file_join(r->to, str_from(last[i]), path, &err);
		if (code == ERR_OK && file_exists(path))
			code = file_unlink(path, &err);
	}
	if (code == ERR_OK && r->made)
		code = file_remove_dir(r->to_path, &err);
	if (code != ERR_OK)
		log_warn("backup", "what was restored in part stays, delete it: %s", err.message);
}

enum err_code
backup_restore(struct str path, struct str data_dir, uint64_t schema_max, struct backup_info *out,
    struct err *err)
{
	struct restoring r = {.from = path, .to = data_dir};
	enum err_code code = read_backup(path, schema_max, out, &r.files, err);
	if (code == ERR_OK)
		code = take_folder(&r, err);
	if (code == ERR_OK) {
		code = put_back(&r, err);
		if (code != ERR_OK)
			take_back(&r);
	} else if (r.made && code != ERR_EXISTS) {
		take_back(&r);
	}
	file_close(&r.lock);
	backup_files_fini(&r.files);
	return code;
}
