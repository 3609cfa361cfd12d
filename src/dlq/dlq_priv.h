/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/dlq_priv.h - shared by the files of the dead-letter store.
 *
 * format.c knows the bytes of a file, index.c what is in memory, scan.c reads the folders at the
 * start, dlq.c is what the loader calls, operate.c what operators call, check.c reads all and changes nothing.
 *
 * Locks. `io` is held by whoever works on files or changes the index, one at a time; `lock` inside
 * it, shortly, around each change of the index. So who holds io may read the index without lock,
 * and dlq_covers() never waits for a disk.
 */
#ifndef DLQ_DLQ_PRIV_H
#define DLQ_DLQ_PRIV_H

#include "dlq/dlq.h"

#include "base/str.h"
#include "sys/file.h"
#include "sys/thread.h"

/* ---- a file */

enum { DLQ_HEAD_BYTES = 432, DLQ_NAME_BYTES = 64 };

enum dlq_kind { DLQ_KIND_LETTER = 1, DLQ_KIND_MARK = 2 };

struct dlq_head {
	struct dlq_letter letter; /* all but id and state */
	enum dlq_kind kind;
	uint32_t revision; /* of two files of one letter the higher one counts */
	uint32_t payload_crc;
};

void dlq_head_write(const struct dlq_head *h, unsigned char out[DLQ_HEAD_BYTES]);
/* Read and check the head, and that the file is as long as it says. ERR_CORRUPT: *why_out (a literal)
 * says what is wrong. ERR_NOT_FOUND; ERR_IO: it could not be read now. */
MUST_CHECK enum err_code dlq_head_read(const char *path, struct dlq_head *out, const char **why_out,
    struct err *err);
/* The same with the payload, checked, appended. */
MUST_CHECK enum err_code dlq_file_read(const char *path, struct dlq_head *out, struct buf *payload,
    const char **why_out, struct err *err);
/* Cut to size, without control characters and broken UTF-8. */
void dlq_text_clean(char *out, size_t size, struct str text);

/* ---- names */

struct dlq_key { /* of a letter, and its order */
	uint64_t seq;
	uint32_t first;
};

void dlq_id_write(struct dlq_key key, char out[DLQ_ID_BYTES]);
bool dlq_id_read(struct str id, struct dlq_key *out);
int dlq_key_cmp(struct dlq_key a, struct dlq_key b);

/* ---- the index */

enum dlq_place { DLQ_IN_WAITING, DLQ_IN_QUARANTINE, DLQ_IN_OLD }; /* the last: <seq>.rec */

enum { DLQ_DONE = DLQ_UNREADABLE + 1, DLQ_GONE }; /* an entry's states that are no letter's */

struct dlq_entry {
	uint64_t seq;
	uint64_t next_ns;
	uint64_t tenant_hash; /* a filter; the file says it exactly */
	uint32_t first, count;
	uint32_t reach; /* the highest end of all of this seq up to here that cover something */
	uint32_t revision;
	uint32_t attempts;
	uint8_t state; /* enum dlq_state, DLQ_DONE, DLQ_GONE */
	uint8_t place; /* enum dlq_place */
};

struct dlq_due_at { /* in a heap; of no use when the entry has changed since */
	uint64_t next_ns;
	struct dlq_key key;
};

struct dlq_foreign { /* a file that is no letter */
	uint64_t hash; /* of folder and name: its order and its id */
	char *name; /* owned */
	char *why; /* owned */
	enum dlq_place place;
};

struct dlq {
	char data_dir[FILE_PATH_BYTES];
	char dirs[2][FILE_PATH_BYTES]; /* by place */
	struct dlq_options opt;
	struct mutex io, lock;
	struct dlq_entry *entries; /* by key */
	size_t count, cap, gone;
	struct dlq_due_at *heap;
	size_t heap_count, heap_cap;
	struct dlq_foreign *foreign; /* by hash */
	size_t foreign_count, foreign_cap;
	uint64_t counts[DLQ_GONE + 1];
	uint64_t floor_seq; /* the log has nothing up to here */
	uint64_t done_seq_min; /* no mark is below it */
	uint64_t said_ns; /* when dlq_due() was told to come again */
	void (*bell)(void *ctx);
	void *bell_ctx;
};

static inline struct dlq_key
dlq_key_of(const struct dlq_entry *e)
{
	return (struct dlq_key){e->seq, e->first};
}

/* All of these with io held, lock not; an entry's address is good until the next insert or trim. */
struct dlq_entry *dlq_find(struct dlq *d, struct dlq_key key); /* NULL: none, or gone */
struct dlq_entry *dlq_insert(struct dlq *d, const struct dlq_entry *e);
/* A new state; WAITING is due at next_ns. */
void dlq_set_state(struct dlq *d, struct dlq_entry *e, unsigned state, uint64_t next_ns);
/* Sort what scan.c has appended, call `loser` for those that another of the same key replaces. */
void dlq_index_settle(struct dlq *d,
    void (*loser)(void *ctx, const struct dlq_entry *winner, const struct dlq_entry *e), void *ctx);
void dlq_index_append(struct dlq *d, const struct dlq_entry *e);
/* Forget entries that are gone when they are many. */
void dlq_index_compact(struct dlq *d);
/* The waiting entry that is next, or NULL; *next_ns_out is its time. */
struct dlq_entry *dlq_next(struct dlq *d, uint64_t *next_ns_out);
/* Place of the first entry behind key. */
size_t dlq_upper(const struct dlq *d, struct dlq_key key);
void dlq_index_fini(struct dlq *d);

void dlq_foreign_add(struct dlq *d, enum dlq_place place, const char *name, const char *why);
void dlq_foreign_remove(struct dlq *d, size_t at);
/* Place of the first with a hash of at least this. */
size_t dlq_foreign_find(const struct dlq *d, uint64_t hash);
uint64_t dlq_foreign_hash(enum dlq_place place, const char *name);

/* ---- files of entries (dlq.c), with io held */

const char *dlq_dir(const struct dlq *d, enum dlq_place place);
MUST_CHECK enum err_code dlq_path(const struct dlq *d, enum dlq_place place, struct dlq_key key,
    const char *ending, char out[FILE_PATH_BYTES], struct err *err);
/* Head and (unless NULL) payload of an entry's file. ERR_CORRUPT, ERR_NOT_FOUND: it has been made
 * unreadable or gone. */
MUST_CHECK enum err_code dlq_entry_read(struct dlq *d, struct dlq_entry *e, struct dlq_head *out,
    struct buf *payload, struct err *err);
MUST_CHECK enum err_code dlq_write(struct dlq *d, enum dlq_place place, const struct dlq_head *h,
    struct str payload, struct err *err);
/* Delete all files of a letter, and mark it as done when the log may give its record again. */
MUST_CHECK enum err_code dlq_end(struct dlq *d, struct dlq_entry *e, struct err *err);
MUST_CHECK enum err_code dlq_remove_copies(const struct dlq *d, struct dlq_key key, uint32_t count,
    struct err *err);
/* After a change, without locks. */
void dlq_ring(struct dlq *d);

/* ---- scan.c */

/* What a name in one of the folders says. */
enum dlq_name { DLQ_NAME_LETTER, DLQ_NAME_MARK, DLQ_NAME_OLD, DLQ_NAME_LEFTOVER, DLQ_NAME_FOREIGN };
enum dlq_name dlq_name_read(enum dlq_place place, const char *name, struct dlq_key *key_out);
MUST_CHECK enum err_code dlq_scan(struct dlq *d, struct err *err);

#endif
