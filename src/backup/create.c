/* SPDX-License-Identifier: Apache-2.0 */
/* backup/create.c - making backups, listing and deleting them. */
#include "backup/backup_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "store/hold.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "wal/wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool
backup_name_valid(struct str name)
{
	static const struct str partial = STR_INIT(BACKUP_PARTIAL);
	if (!backup_is_plain(name) || name.len >= BACKUP_NAME_BYTES)
		return false;
	bool ends_so =
	    name.len >= partial.len && str_eq(str_skip(name, name.len - partial.len), partial);
	return !ends_so && !str_starts(name, STR("-")) && !str_starts(name, STR("_"));
}

/* "2026-11-29T03:15:00.." -> "20261129T031500Z" */
static void
name_of_time(uint64_t unix_ns, char out[BACKUP_NAME_BYTES])
{
	char text[TIME_RFC3339_BYTES];
	size_t n = 0;
	time_rfc3339(unix_ns, text);
	for (size_t i = 0; text[i] != '.'; i++)
		if (text[i] != '-' && text[i] != ':')
			out[n++] = text[i];
	out[n++] = 'Z';
	out[n] = '\0';
}

static enum err_code
path_of(struct str dir, struct str name, char out[BACKUP_PATH_BYTES], struct err *err)
{
	if (!backup_name_valid(name))
		return err_set(err, ERR_INVALID,
		    "\"%.*s\" is no name of a backup: at most %d letters, digits, dots, dashes and "
		    "underscores, the first a letter or digit",
		    (int)(name.len < 70 ? name.len : 70), name.ptr ? name.ptr : "",
		    BACKUP_NAME_BYTES - 1);
	return file_join(dir, name, out, err);
}

static enum err_code
partial_of(struct str dir, struct str name, char out[FILE_PATH_BYTES], struct err *err)
{
	char partial[BACKUP_NAME_BYTES + sizeof(BACKUP_PARTIAL)];
	int n = snprintf(partial, sizeof(partial), "%.*s" BACKUP_PARTIAL, STR_ARG(name));
	CHECK(n > 0 && (size_t)n < sizeof(partial));
	return file_join(dir, str_from(partial), out, err);
}

/* ---- while checkpoints are held */

struct making {
	const struct backup_source *src;
	struct backup_info *info;
	struct backup_files files;
	char partial[FILE_PATH_BYTES];
	const struct store_files *held;
	struct wal_parts log;
	struct file lock; /* of the folder: another weir may make its backups there */
	bool renamed; /* the backup has its name, and is ours */
};

static enum err_code
go_on(void *ctx, struct err *err)
{
	struct making *m = ctx;
	const struct backup_source *src = m->src;
	uint64_t free_bytes;
	enum err_code code = m->held->go_on(m->held->store, err);
	if (code == ERR_OK)
		code = file_free_bytes(m->partial, &free_bytes, err);
	if (code == ERR_OK && free_bytes < src->free_bytes_min)
		code = err_set(err, ERR_BUSY,
		    "the disk of %s is full: %" PRIu64 " MiB are free, and %" PRIu64 " must stay",
		    m->partial, free_bytes >> 20, src->free_bytes_min >> 20);
	return code;
}

/* Before anything is written, so that a backup that does not fit costs nothing. */
static enum err_code
check_space(struct making *m, struct err *err)
{
	const struct backup_source *src = m->src;
	char database[FILE_PATH_BYTES];
	uint64_t need = 0, letters = 0, free_bytes = 0;
	enum err_code code = file_join(src->data_dir, str_from(m->held->name), database, err);
	if (code == ERR_OK)
		code = file_disk_bytes(database, &need, err);
	if (code == ERR_OK)
		code = backup_letters_bytes(src->data_dir, &letters, err);
	if (code == ERR_OK)
		code = file_free_bytes(m->partial, &free_bytes, err);
	struct wal_parts log;
	wal_parts_init(&log, src->wal, m->held->position);
	for (size_t i = 0; i < log.count; i++)
		need += log.parts[i].bytes;
	wal_parts_fini(&log);
	need += letters + src->free_bytes_min;
	if (code != ERR_OK || need <= free_bytes)
		return code;
	return err_set(err, ERR_BUSY,
	    "the backup needs %" PRIu64 " MiB, of which %" PRIu64 " must stay free, but %" PRIu64
	    " MiB are free in %.*s",
	    (need >> 20) + 1, src->free_bytes_min >> 20, free_bytes >> 20,
	    STR_ARG(src->backup_dir));
}

static enum err_code
copy_one(struct making *m, const struct file *from, uint64_t bytes, const char *relative,
    struct err *err)
{
	const struct backup_guard guard = {go_on, m};
	char to[FILE_PATH_BYTES];
	struct backup_file *f = backup_files_add(&m->files, relative);
	f->bytes = bytes;
	enum err_code code = file_join(str_from(m->partial), str_from(relative), to, err);
	return code == ERR_OK ? backup_copy(from, bytes, to, &guard, &f->hash, err) : code;
}

static enum err_code
copy_log(struct making *m, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < m->log.count && code == ERR_OK; i++) {
		const struct wal_part *part = &m->log.parts[i];
		char relative[BACKUP_FILE_BYTES], path[FILE_PATH_BYTES];
		struct file from = {0};
		snprintf(relative, sizeof(relative), "wal/%s", part->name);
		code = file_join(m->src->data_dir, str_from(relative), path, err);
		if (code == ERR_OK)
			code = file_open(path, FILE_READ, &from, err);
		if (code == ERR_OK)
			code = copy_one(m, &from, part->bytes, relative, err);
		file_close(&from);
	}
	return code;
}

static enum err_code
copy_database(struct making *m, struct err *err)
{
	uint64_t size = 0;
	enum err_code code = file_size(m->held->file, &size, err);
	return code == ERR_OK ? copy_one(m, m->held->file, size, m->held->name, err) : code;
}

/* For the order of it see backup.h. */
static enum err_code
copy_all(void *ctx, const struct store_files *held, struct err *err)
{
	struct making *m = ctx;
	const struct backup_guard guard = {go_on, m};
	m->held = held;
	m->info->schema_version = held->schema_version;
	enum err_code code = check_space(m, err);
	if (code == ERR_OK)
		code = backup_copy_letters(m->src->data_dir, str_from(m->partial), &guard,
		    &m->files, err);
	if (code != ERR_OK)
		return code;
	wal_parts_init(&m->log, m->src->wal, held->position);
	m->info->position = m->log.durable_seq;
	code = copy_log(m, err);
	wal_parts_fini(&m->log);
	return code == ERR_OK ? copy_database(m, err) : code;
}

/* ---- around it */

static enum err_code
make_folders(struct making *m, struct err *err)
{
	enum err_code code = file_mkdir(m->partial, NULL, err);
	for (size_t i = 0; i < BACKUP_FOLDERS && code == ERR_OK; i++) {
		char path[FILE_PATH_BYTES];
		code = file_join(str_from(m->partial), str_from(backup_folders[i]), path, err);
		if (code == ERR_OK)
			code = file_mkdir(path, NULL, err);
	}
	return code;
}

static enum err_code
sync_folders(struct making *m, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < BACKUP_FOLDERS && code == ERR_OK; i++) {
		char path[FILE_PATH_BYTES];
		code = file_join(str_from(m->partial), str_from(backup_folders[i]), path, err);
		if (code == ERR_OK)
			code = file_sync_dir(path, err);
	}
	return code;
}

static enum err_code
make(struct making *m, uint64_t start_ns, struct err *err)
{
	struct backup_info *info = m->info;
	const struct backup_source *src = m->src;
	char dir[FILE_PATH_BYTES];
	enum err_code code = make_folders(m, err);
	if (code == ERR_OK)
		code = store_hold(src->store, copy_all, m, err);
	if (code == ERR_OK)
		code = sync_folders(m, err);
	if (code != ERR_OK)
		return code;
	for (size_t i = 0; i < m->files.count; i++)
		info->bytes += m->files.items[i].bytes;
	info->files = m->files.count;
	info->took_ns = clock_mono_ns() - start_ns;
	code = backup_manifest_write(m->partial, info, &m->files, err);
	if (code == ERR_OK)
		code = file_rename(m->partial, info->path, err);
	if (code != ERR_OK)
		return code;
	m->renamed = true;
	snprintf(dir, sizeof(dir), "%.*s", STR_ARG(src->backup_dir));
	return file_sync_dir(dir, err);
}

struct sweep {
	struct str dir;
};

/* Of a backup that was interrupted. What cannot be deleted now is tried again by the next one. */
static void
remove_leftover(void *ctx, const char *name)
{
	struct sweep *s = ctx;
	char path[FILE_PATH_BYTES];
	struct err err;
	size_t n = strlen(name), end = sizeof(BACKUP_PARTIAL) - 1;
	if (n <= end || strcmp(name + n - end, BACKUP_PARTIAL) != 0 ||
	    !backup_name_valid(str_of(name, n - end)))
		return;
	if (file_join(s->dir, str_from(name), path, &err) != ERR_OK ||
	    backup_remove(path, &err) != ERR_OK)
		log_warn("backup", "what is left of an interrupted backup stays: %s", err.message);
}

static enum err_code
prepare(struct making *m, struct str name, struct err *err)
{
	struct sweep sweep = {m->src->backup_dir};
	char dir[FILE_PATH_BYTES], path[FILE_PATH_BYTES];
	bool made = false;
	enum err_code code = path_of(m->src->backup_dir, name, m->info->path, err);
	if (code == ERR_OK)
		code = partial_of(m->src->backup_dir, name, m->partial, err);
	if (code != ERR_OK)
		return code;
	snprintf(dir, sizeof(dir), "%.*s", STR_ARG(m->src->backup_dir));
	code = file_mkdir(dir, &made, err);
	if (code == ERR_OK && made)
		code = file_join(m->src->backup_dir, STR(".."), path, err);
	if (code == ERR_OK && made)
		code = file_sync_dir(path, err);
	if (code == ERR_OK)
		code = file_join(m->src->backup_dir, STR(".lock"), path, err);
	if (code == ERR_OK)
		code = file_lock(path, &m->lock, err);
	if (code == ERR_OK)
		code = file_list(dir, remove_leftover, &sweep, err);
	if (code == ERR_OK && file_exists(m->info->path))
		code = err_set(err, ERR_EXISTS, "there is a backup %.*s already", STR_ARG(name));
	return code;
}

/* As if nothing had been. */
static void
give_up(struct making *m)
{
	struct err err;
	if (backup_remove(m->partial, &err) != ERR_OK ||
	    (m->renamed && backup_remove(m->info->path, &err) != ERR_OK))
		log_warn("backup", "what is left of a backup that failed stays: %s", err.message);
}

enum err_code
backup_create(const struct backup_source *src, struct str name, uint64_t now_unix_ns,
    struct backup_info *out, struct err *err)
{
	struct making m = {.src = src, .info = out};
	uint64_t start_ns = clock_mono_ns();
	*out = (struct backup_info){.created_ns = now_unix_ns};
	if (name.len == 0)
		name_of_time(now_unix_ns, out->name);
	else
		snprintf(out->name, sizeof(out->name), "%.*s", STR_ARG(name));
	snprintf(out->version, sizeof(out->version), "%s", src->version);
	enum err_code code = prepare(&m, name.len > 0 ? name : str_from(out->name), err);
	if (code != ERR_OK) {
		file_close(&m.lock);
		return code;
	}
	code = make(&m, start_ns, err);
	backup_files_fini(&m.files);
	if (code == ERR_OK) {
		file_close(&m.lock);
		log_info("backup", "%s: %" PRIu64 " MiB in %" PRIu64 " ms, up to record %" PRIu64,
		    out->path, out->bytes >> 20, out->took_ns / NS_PER_MS, out->position);
		return ERR_OK;
	}
	give_up(&m);
	file_close(&m.lock);
	return code;
}

/* ---- what there is */

struct listing {
	struct str dir;
	struct backup_info *items;
	size_t count, cap;
};

static void
note(void *ctx, const char *name)
{
	struct listing *l = ctx;
	struct backup_info info = {0};
	struct err err;
	if (!backup_name_valid(str_from(name)) ||
	    file_join(l->dir, str_from(name), info.path, &err) != ERR_OK)
		return;
	enum err_code code = backup_manifest_read(info.path, &info, NULL, &err);
	if (code == ERR_NOT_FOUND || !file_is_dir(info.path))
		return;
	if (code != ERR_OK) /* to be seen, so that it can be deleted */
		info.version[0] = '\0';
	snprintf(info.name, sizeof(info.name), "%s", name);
	if (l->count == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 16;
		l->items = xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->count++] = info;
}

static int
by_name(const void *a, const void *b)
{
	const struct backup_info *x = a, *y = b;
	return strcmp(x->name, y->name);
}

enum err_code
backup_list(struct str backup_dir, struct backup_info **out, size_t *count_out, struct err *err)
{
	struct listing l = {.dir = backup_dir};
	char dir[FILE_PATH_BYTES];
	enum err_code code = ERR_OK;
	snprintf(dir, sizeof(dir), "%.*s", STR_ARG(backup_dir));
	if (file_is_dir(dir)) /* it is made with the first backup */
		code = file_list(dir, note, &l, err);
	if (l.count > 0)
		qsort(l.items, l.count, sizeof(*l.items), by_name);
	*out = l.items;
	*count_out = l.count;
	if (code != ERR_OK) {
		free(l.items);
		*out = NULL;
	}
	return code;
}

enum err_code
backup_delete(struct str backup_dir, struct str name, struct err *err)
{
	char path[BACKUP_PATH_BYTES], manifest[FILE_PATH_BYTES], partial[FILE_PATH_BYTES];
	char dir[FILE_PATH_BYTES];
	enum err_code code = path_of(backup_dir, name, path, err);
	if (code == ERR_OK)
		code = file_join(str_from(path), STR(BACKUP_MANIFEST), manifest, err);
	if (code == ERR_OK)
		code = partial_of(backup_dir, name, partial, err);
	if (code != ERR_OK)
		return code;
	if (!file_is_dir(path) || !file_exists(manifest))
		return err_set(err, ERR_NOT_FOUND, "there is no backup %.*s", STR_ARG(name));
	snprintf(dir, sizeof(dir), "%.*s", STR_ARG(backup_dir));
	/* Half deleted it is no backup any more. */
	code = file_rename(path, partial, err);
	if (code == ERR_OK)
		code = file_sync_dir(dir, err);
	return code == ERR_OK ? backup_remove(partial, err) : code;
}
