/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/file.h - files, folders, and what makes them durable.
 *
 * Every call goes on after EINTR and after a short read or write until all is done or an error
 * stops it. An error is ERR_IO unless said otherwise, with the errno and the path in it; a file
 * that is not there is ERR_NOT_FOUND, one that is there already ERR_EXISTS.
 *
 * Durable means: file_sync() after writing, and file_sync_dir() of the folder after creating,
 * renaming or deleting an entry in it. A failed file_sync() is never to be tried again: the kernel
 * may have dropped the dirty pages, and the next call would say yes to data that is gone.
 *
 * Threading: a struct file has one owner; reading it at offsets from several threads is fine.
 * Paths are NUL-terminated. Files are created 0600 and folders 0700, closed on exec.
 *
 * For tests, a hook sees every operation before it happens and may make it fail: see
 * sys/file_fault.h for a ready one. Off, it costs one load.
 */
#ifndef SYS_FILE_H
#define SYS_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_PATH_BYTES 4096 /* longest path, with its NUL */

struct file { /* a zeroed one is closed */
	char *path; /* owned; NULL when closed */
	int fd;
};

enum file_mode {
	FILE_READ, /* must be there */
	FILE_WRITE, /* must be there; read and write */
	FILE_CREATE, /* must not be there; read and write */
	FILE_REPLACE /* created or emptied; read and write */
};

MUST_CHECK enum err_code file_open(const char *path, enum file_mode mode, struct file *out,
    struct err *err);
void file_close(struct file *f); /* NULL and closed ones allowed; syncs nothing */

/* Up to n bytes at off; *got_out < n only at the end of the file. */
MUST_CHECK enum err_code file_pread(const struct file *f, uint64_t off, void *buf, size_t n,
    size_t *got_out, struct err *err);
/* All parts, one behind the other. On an error any part of it may have been written. */
MUST_CHECK enum err_code file_pwritev(const struct file *f, uint64_t off, const struct str *parts,
    size_t count, struct err *err);
MUST_CHECK enum err_code file_pwrite(const struct file *f, uint64_t off, const void *bytes,
    size_t n, struct err *err);
/* Writes go past the page cache, which saves copying what nobody reads soon; where, how much and from where is
 * written are then multiples of FILE_DIRECT_BYTES, or EINVAL. False: it is not to be had here. */
#define FILE_DIRECT_BYTES 4096
bool file_direct(const struct file *f, bool on);
/* fdatasync: the bytes, and the size where it changed. */
MUST_CHECK enum err_code file_sync(const struct file *f, struct err *err);
MUST_CHECK enum err_code file_size(const struct file *f, uint64_t *out, struct err *err);
MUST_CHECK enum err_code file_truncate(const struct file *f, uint64_t size, struct err *err);

/* Give the disk back what these bytes take; they read as zeros, the size stays. ERR_UNAVAILABLE: the file system
 * cannot do it. */
MUST_CHECK enum err_code file_punch(const struct file *f, uint64_t off, uint64_t n,
    struct err *err);

/* The first bytes at or behind off, and before end, that are no hole: from *from_out up to *to_out, or both are `end`.
 * Where the file system does not tell, nothing is a hole. */
MUST_CHECK enum err_code file_find_data(const struct file *f, uint64_t off, uint64_t end,
    uint64_t *from_out, uint64_t *to_out, struct err *err);
/* n bytes that are there, from one file to the same place of another: by the kernel, which shares the blocks where the
 * file system can, or else through memory. */
MUST_CHECK enum err_code file_copy(const struct file *from, const struct file *to, uint64_t off,
    uint64_t n, struct err *err);

/* dir "/" name. ERR_TOO_LARGE when it does not fit. */
MUST_CHECK enum err_code file_join(struct str dir, struct str name, char out[FILE_PATH_BYTES],
    struct err *err);
MUST_CHECK enum err_code file_rename(const char *from, const char *to, struct err *err);
MUST_CHECK enum err_code file_unlink(const char *path, struct err *err);
/* Whether it was made: a folder that is there already is fine. created_out may be NULL. */
MUST_CHECK enum err_code file_mkdir(const char *path, bool *created_out, struct err *err);
/* An empty one. */
MUST_CHECK enum err_code file_remove_dir(const char *path, struct err *err);
bool file_is_dir(const char *path); /* a folder itself, no link to one */
MUST_CHECK enum err_code file_sync_dir(const char *path, struct err *err);
/* The same for a folder that is open (FILE_READ): needs no descriptor. fsync, for fdatasync may
 * leave out the entries. */
MUST_CHECK enum err_code file_sync_entries(const struct file *dir, struct err *err);
bool file_exists(const char *path);
bool file_is_folder(const char *path);
bool file_is_plain(const char *path); /* neither a folder nor a device nor anything of that kind */
/* The path without links and dots; false: there is no such file. */
bool file_real_path(const char *path, char out[FILE_PATH_BYTES]);
/* Which file stands under this name: another one, or one that was written to, has another stamp. */
struct file_stamp {
	uint64_t inode, size, changed_ns;
};
MUST_CHECK enum err_code file_stamp(const char *path, struct file_stamp *out, struct err *err);
/* Each entry's name, in no order, without "." and "..". The callback may add and delete entries. */
MUST_CHECK enum err_code file_list(const char *path, void (*entry)(void *ctx, const char *name),
    void *ctx, struct err *err);
/* Bytes that this user may still write on the file system that holds path. */
MUST_CHECK enum err_code file_free_bytes(const char *path, uint64_t *out, struct err *err);
/* What a file takes on the disk, which is less than its size where it has holes. */
MUST_CHECK enum err_code file_disk_bytes(const char *path, uint64_t *out, struct err *err);
/* Append the whole file to *out; ERR_TOO_LARGE beyond bytes_max. */
MUST_CHECK enum err_code file_read_all(const char *path, size_t bytes_max, struct buf *out,
    struct err *err);
/* A new file with the same bytes and the same holes, synced. On an error nothing is left of it. The folder is the
 * caller's to sync. */
MUST_CHECK enum err_code file_copy_whole(const char *from, const char *to, struct err *err);
/* Put a file there whole or not at all: written beside it, synced, renamed, folder synced. */
MUST_CHECK enum err_code file_write_whole(struct str dir, struct str name, const struct str *parts,
    size_t count, struct err *err);

/* Where programs keep what is no configuration and no cache: $XDG_STATE_HOME/weir, or ~/.local/state/weir, and `below` in it
 * unless that is NULL; made. The values of XDG_STATE_HOME and HOME are given, what is no absolute path counts as none.
 * False: there is no such place. */
bool file_state_dir(const char *state_home, const char *home, const char *below,
    char out[FILE_PATH_BYTES]);

/* Lock the file (created when missing) for this process and write its id into it. The lock ends
 * with file_close() or with the process, however it ends; the file stays. ERR_BUSY, naming the
 * process, when another one holds it. */
MUST_CHECK enum err_code file_lock(const char *path, struct file *out, struct err *err);

enum file_op {
	FILE_OP_OPEN,
	FILE_OP_READ,
	FILE_OP_WRITE,
	FILE_OP_SYNC,
	FILE_OP_TRUNCATE,
	FILE_OP_RENAME,
	FILE_OP_UNLINK,
	FILE_OP_MKDIR,
	FILE_OP_SYNC_DIR,
	FILE_OP_COUNT
};

/* Called on the thread that does the operation, before each system call of it. Returns 0 to go
 * on or the errno it fails with. *len: bytes of a read or write, which it may make fewer (not 0). */
struct file_hook {
	int (*before)(void *ctx, enum file_op op, const char *path, size_t *len);
	void *ctx;
};
/* NULL: off. Only while no other thread works on files; the hook is borrowed. */
void file_hook_set(const struct file_hook *hook);

#endif
