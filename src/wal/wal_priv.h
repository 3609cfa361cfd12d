/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wal/wal_priv.h - what the files of the log share.
 *
 *     format.c   heads of segments and records; a view that reads a file through a small window
 *     recover.c  wal_open(): verify, cut, decide between torn tail and damage
 *     segment.c  creating segments ahead, the list of them
 *     wal.c      append, commit, marks, close
 *     reader.c   reading beside the writer;  trim.c  deleting what is applied, naming what is not
 *     check.c    is it whole? changes nothing
 */
#ifndef WAL_WAL_PRIV_H
#define WAL_WAL_PRIV_H

#include "wal/wal.h"

#include "base/buf.h"
#include "sys/file.h"
#include "sys/thread.h"

#include <stdatomic.h>

enum {
	WAL_SEGMENT_HEAD_BYTES = 24,
	WAL_RECORD_HEAD_BYTES = 32,
	WAL_NAME_BYTES = 21, /* 16 hex digits, ".wal", NUL */
	WAL_VIEW_BYTES = 128 * 1024
};

/* The next segment before it has a first seq. Deleted when the log opens or closes. */
#define WAL_NEXT_NAME "next.tmp"

/* ---- format.c */

struct wal_head {
	uint32_t len;
	uint32_t body_crc;
	uint64_t seq;
	uint64_t durable;
	enum wal_kind kind;
};

/* Bytes of a whole record with a payload of len bytes. */
uint64_t wal_record_bytes(uint64_t len);
void wal_segment_head_write(uint64_t first_seq, uint32_t salt,
    unsigned char out[WAL_SEGMENT_HEAD_BYTES]);
/* False when it is no head of a segment that begins with first_seq. */
bool wal_segment_head_read(const unsigned char in[WAL_SEGMENT_HEAD_BYTES], uint64_t first_seq,
    uint32_t *salt_out);
void wal_head_write(const struct wal_head *h, uint32_t salt,
    unsigned char out[WAL_RECORD_HEAD_BYTES]);
/* False when the head is not intact. */
bool wal_head_read(const unsigned char in[WAL_RECORD_HEAD_BYTES], uint32_t salt,
    struct wal_head *out);
void wal_segment_name(uint64_t first_seq, char out[WAL_NAME_BYTES]);
bool wal_segment_name_parse(const char *name, uint64_t *first_seq_out);

/* Reads a file up to `end` through one window; bytes it has seen may be taken as unchanging. */
struct wal_view {
	const struct file *file; /* borrowed */
	uint64_t end; /* nothing at or beyond it is read; may grow */
	uint64_t off; /* of the window in the file */
	size_t len; /* of what is in the window */
	unsigned char *window; /* WAL_VIEW_BYTES */
};

void wal_view_init(struct wal_view *v, const struct file *file, uint64_t end);
void wal_view_fini(struct wal_view *v);
/* n bytes at off (n <= WAL_VIEW_BYTES), valid until the next call; *out is NULL when they would
 * pass the end. */
MUST_CHECK enum err_code wal_view_get(struct wal_view *v, uint64_t off, size_t n,
    const unsigned char **out, struct err *err);
/* Go on with a crc over [off, off + n). */
MUST_CHECK enum err_code wal_view_crc(struct wal_view *v, uint64_t off, uint64_t n, uint32_t *crc,
    struct err *err);
enum wal_found { WAL_FOUND_NONE, WAL_FOUND_HEAD, WAL_FOUND_RECORD };
/* What is at off: record `seq`, its head alone with a damaged payload, or neither. */
MUST_CHECK enum err_code wal_view_record(struct wal_view *v, uint64_t off, uint32_t salt,
    uint64_t seq, enum wal_found *found_out, struct wal_head *head_out, struct err *err);
/* The first intact head with a seq beyond `seq` at or behind `off` (8-byte steps): *found_out is
 * its place, or UINT64_MAX. */
MUST_CHECK enum err_code wal_view_find(struct wal_view *v, uint64_t off, uint32_t salt,
    uint64_t seq, uint64_t *found_out, struct wal_head *head_out, struct err *err);

/* ---- segment.c */

struct wal_segment {
	uint64_t first_seq;
	uint64_t base_bytes; /* bytes of records in the segments before it */
	uint64_t end_off; /* where its durable records end */
	uint32_t salt;
};

enum wal_next_state { WAL_NEXT_NONE, WAL_NEXT_WANTED, WAL_NEXT_READY, WAL_NEXT_FAILED };

struct wal {
	char dir[FILE_PATH_BYTES];
	uint64_t segment_bytes_max;
	uint64_t free_bytes_min; /* 0 while it is being opened */

	/* The writer's. */
	struct file folder; /* kept open: to sync it must not need a descriptor */
	struct file active; /* the newest segment */
	uint64_t active_cap; /* its zero-written size */
	uint64_t write_off;
	uint32_t active_salt;
	uint64_t next_seq; /* of the next record to be appended */
	bool last_is_mark; /* nothing needs to be vouched for */
	struct buf pending; /* whole records */

	_Atomic uint64_t durable_seq;
	_Atomic uint64_t durable_bytes;
	_Atomic uint64_t segment_count_now;
	_Atomic bool failed;

	struct mutex lock; /* leaf; guards what follows */
	struct cond next_changed;
	struct wal_segment *segments; /* oldest first; never empty once open */
	size_t segment_count;
	size_t segment_cap;
	enum wal_next_state next_state;
	bool stopping;

	struct thread helper;
};

void wal_segment_path(const struct wal *w, uint64_t first_seq, char out[FILE_PATH_BYTES]);
/* Make a new segment the active one. Everything before it must be durable. size: at least so many
 * bytes. ERR_BUSY when there is no space, and nothing has changed then. */
MUST_CHECK enum err_code wal_segment_start(struct wal *w, uint64_t first_seq, uint64_t size,
    struct err *err);
/* Zero-write the active segment up to size bytes; ERR_BUSY as above. */
MUST_CHECK enum err_code wal_segment_extend(struct wal *w, uint64_t size, struct err *err);
/* Let the helper prepare the next segment when the active one is a quarter full. */
void wal_segment_plan(struct wal *w);
void wal_segment_add(struct wal *w, const struct wal_segment *s);
MUST_CHECK enum err_code wal_segment_helper_start(struct wal *w, struct err *err);
void wal_segment_helper_stop(struct wal *w);
/* Write zeros over [from, to). */
MUST_CHECK enum err_code wal_zero(const struct file *f, uint64_t from, uint64_t to,
    struct err *err);

/* ---- recover.c */

MUST_CHECK enum err_code wal_recover(struct wal *w, uint64_t applied_seq, struct wal_report *report,
    struct err *err);

#endif
