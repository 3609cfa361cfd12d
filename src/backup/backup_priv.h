/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup/backup_priv.h - what the files of the module share.
 *
 *     create.c   making, listing, deleting      restore.c   verifying, putting back
 *     letters.c  dead letters and keys of one moment
 *     manifest.c backup.json                    copy.c      one file; removing folders
 */
#ifndef BACKUP_BACKUP_PRIV_H
#define BACKUP_BACKUP_PRIV_H

#include "backup/backup.h"

#include "base/buf.h"
#include "base/hash.h"
#include "sys/file.h"

#define BACKUP_MANIFEST "backup.json"
#define BACKUP_PARTIAL ".partial"
#define BACKUP_KEYS "keys"

enum { BACKUP_FILE_BYTES = 280 }; /* a folder, a slash, the longest name */

struct backup_file {
	char path[BACKUP_FILE_BYTES]; /* "wal/0000000000000001.wal" */
	uint64_t bytes;
	struct hash128 hash;
	/* letters.c, while it copies: which file it was */
	struct file_stamp stamp;
};

struct backup_files {
	struct backup_file *items;
	size_t count, cap;
};

struct backup_file *backup_files_add(struct backup_files *f, const char *path);
void backup_files_fini(struct backup_files *f);
/* The folders of a backup. */
enum { BACKUP_FOLDERS = 3 };
extern const char *const backup_folders[BACKUP_FOLDERS];
/* [A-Za-z0-9._-]+, not beginning with a dot. */
bool backup_is_plain(struct str name);

/* ---- copy.c */

/* Asked every few MiB, between one sync and the next. NULL: go on. */
struct backup_guard {
	enum err_code (*go_on)(void *ctx, struct err *err);
	void *ctx;
};

/* The first `bytes` of a file become all of a new one, holes stay holes, and are synced. *hash_out: of what was written. */
MUST_CHECK enum err_code backup_copy(const struct file *from, uint64_t bytes, const char *to,
    const struct backup_guard *guard, struct hash128 *hash_out, struct err *err);
MUST_CHECK enum err_code backup_hash(const struct file *from, uint64_t bytes,
    const struct backup_guard *guard, struct hash128 *hash_out, struct err *err);
/* A folder and all in it, the manifest first. What is not there is fine. */
MUST_CHECK enum err_code backup_remove(const char *path, struct err *err);

/* ---- letters.c */

/* Dead letters and keys, copied to `to`, as they were at one moment: added to *files. */
MUST_CHECK enum err_code backup_copy_letters(struct str data_dir, struct str to,
    const struct backup_guard *guard, struct backup_files *files, struct err *err);
/* What they take now. */
MUST_CHECK enum err_code backup_letters_bytes(struct str data_dir, uint64_t *out, struct err *err);

/* ---- manifest.c */

MUST_CHECK enum err_code backup_manifest_write(const char *dir, const struct backup_info *info,
    const struct backup_files *files, struct err *err);
/* Name and path of *info are not touched. files may be NULL. */
MUST_CHECK enum err_code backup_manifest_read(const char *dir, struct backup_info *info,
    struct backup_files *files, struct err *err);

#endif
