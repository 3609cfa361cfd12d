/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup/backup.h - copies of a data folder, made while weir runs on it, and put back.
 *
 * Shape on disk. <backup-dir>/<name>/ has what the data folder has:
 *     weir.duckdb              as its last checkpoint left it (store/hold.h)
 *     wal/<first seq>.wal      the log from there on, up to the record `position`
 *     dlq/  quarantine/  keys  dead letters; who may
 *     backup.json              the manifest, written last: what it is, and each file's size and XXH3-128; it ends with the
 *                              XXH3-128 of itself up to there
 * It is written as <name>.partial, every file and folder synced, then renamed: what has no manifest is no backup. Left-overs
 * <name>.partial go with the next backup.
 *
 * Promise. All that was acknowledged before backup_create() was called is in it, whole requests only, each once; and
 * what was acknowledged while it ran, up to `position`. A start on the files reads the log from the store's
 * position on, as after a crash. The order in which things are copied matters: checkpoints are held first; then
 * letters, of one moment; then it is read how far the log is durable. So a letter that was put aside before the checkpoint
 * is there, and what has become of a letter that is not there any more is in the log.
 *
 * A backup is as secret as the data folder: folders are 0700, files 0600. What is in the manifest is not trusted when it is
 * put back: paths are of the shapes above only.
 *
 * Threading: one backup_create() or backup_delete() of a folder at a time, any thread; they block for long.
 * Errors. ERR_BUSY: no space, or the store is busy; ERR_CORRUPT: it is damaged, the message names the file.
 */
#ifndef BACKUP_BACKUP_H
#define BACKUP_BACKUP_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct buf;
struct store;
struct wal;

enum { BACKUP_NAME_BYTES = 65, BACKUP_PATH_BYTES = 4096, BACKUP_VERSION_BYTES = 32 };

/* In a data folder: a restore into it is under way, or has not ended. weir does not start on it. */
#define BACKUP_RESTORING "restoring"

struct backup_info {
	char name[BACKUP_NAME_BYTES];
	char path[BACKUP_PATH_BYTES];
	char version[BACKUP_VERSION_BYTES]; /* of the weir that made it */
	uint64_t created_ns; /* unix */
	uint64_t position; /* the last record of the log in it */
	uint64_t schema_version;
	uint64_t bytes, files; /* sizes, holes included */
	uint64_t took_ns;
};

struct backup_source { /* a weir that runs; all borrowed */
	struct store *store;
	struct wal *wal;
	struct str data_dir;
	struct str backup_dir; /* made when missing (its parent must be there) */
	const char *version;
	uint64_t free_bytes_min; /* so much of the disk stays free */
};

/* [A-Za-z0-9._-], at most 64, and beginning with a letter or digit, so that it is neither hidden nor an option; not
 * ending in .partial. */
bool backup_name_valid(struct str name);
/* An empty name: the time, 20261129T031500Z. ERR_INVALID, ERR_EXISTS. After an error nothing of it is left, unless it
 * cannot be deleted. */
MUST_CHECK enum err_code backup_create(const struct backup_source *src, struct str name,
    uint64_t now_unix_ns, struct backup_info *out, struct err *err);
/* By name; *out is malloc'd. What is no backup is left out, and one whose manifest is damaged has only a name and a path. */
MUST_CHECK enum err_code backup_list(struct str backup_dir, struct backup_info **out,
    size_t *count_out, struct err *err);
MUST_CHECK enum err_code backup_delete(struct str backup_dir, struct str name, struct err *err);

/* Reads all of it. ERR_CORRUPT: the message names the file; ERR_UNAVAILABLE: a newer weir made it. */
MUST_CHECK enum err_code backup_verify(struct str path, uint64_t schema_max,
    struct backup_info *out, struct err *err);
/* Into a folder that is not there, or is empty. Verifies first, and again what it writes. After an error what was written
 * is removed. ERR_EXISTS: the folder is not empty. */
MUST_CHECK enum err_code backup_restore(struct str path, struct str data_dir, uint64_t schema_max,
    struct backup_info *out, struct err *err);

/* As JSON: {"name":..}, {"backups":[..],"count":N}. */
void backup_write_one(const struct backup_info *info, struct buf *json);
void backup_write_list(const struct backup_info *list, size_t count, struct buf *json);

#endif
