/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_keep.h - the sealer's thread, the connections of readers, and opening the database.
 */
#ifndef DUCK_DUCK_KEEP_H
#define DUCK_DUCK_KEEP_H

#include "duck/duck_catalog.h"
#include "duck/duck_sql.h"

#include "ident/ident.h"
#include "store/store.h"
#include "sys/thread.h"

/* From the loader to the sealer: requests whose identities are not in the file yet. */
struct duck_outbox {
	struct mutex lock; /* leaf */
	struct buf requests; /* of struct ident_request, by seq */
	uint64_t sealing; /* so many bytes of it are in the seal under way */
	uint64_t persisted_seq; /* the file had them up to there when it was opened */
};

struct duck_pool {
	struct mutex lock;
	struct cond given;
	duckdb_connection free[DUCK_READERS_MAX];
	unsigned free_count;
	unsigned made; /* connections that exist */
	unsigned max;
};

/* Take a connection, waiting for one; give it back, with `broken` if it is not to be used again. */
MUST_CHECK enum err_code duck_pool_take(struct duck *d, uint64_t deadline_mono_ns,
    duckdb_connection *con_out, struct err *err);
void duck_pool_give(struct duck *d, duckdb_connection con, bool broken);
void duck_pool_init(struct duck_pool *p, unsigned max);
void duck_pool_fini(struct duck_pool *p);
/* Close all connections, if none is in use. While the store is broken none is taken. */
bool duck_pool_empty(struct duck_pool *p);

/* What is kept how long: duck_retain.c. */
struct duck_retainer {
	uint64_t next_ns; /* clock_mono_ns: when it looks again */
	uint64_t mixed_next_ns[SIGNAL_TABLES]; /* and when late rows leave memory for it */
	uint64_t retry_ns; /* after a failure not before */
	bool failing; /* said once per spell */
	bool trim; /* much may be free in the file, when the last piece has gone */
	bool leftovers; /* sums of seals that are no longer there may be in the file */
};

/* Whether checkpoints are held: duck_hold.c. The holder takes it from NONE to WANTED and from any to NONE, the sealer's
 * thread from WANTED to ON. */
enum duck_hold_state { DUCK_HOLD_NONE, DUCK_HOLD_WANTED, DUCK_HOLD_ON };

/* The sealer's thread. */
struct duck_keeper {
	struct thread thread;
	struct mutex lock; /* of the next five, and of hold */
	struct cond wake; /* of the thread */
	struct cond room; /* a seal has ended: an append that waits for memory looks again */
	bool stop;
	bool rung; /* something has come since the thread looked */
	bool ready; /* identities are rebuilt: appends may begin */
	duckdb_connection con; /* the thread's from here on */
	struct shred_window *windows[SIGNAL_TABLES];
	uint64_t floor; /* that the file has; d->position once that is checkpointed */
	uint64_t floor_ns; /* clock_mono_ns: when it was written */
	uint64_t floor_log_bytes; /* of the log then */
	uint64_t retry_ns; /* no seal before */
	uint64_t failures; /* in a row */
	uint64_t prefix; /* bisection: rows to try next; 0: none is under way */
	bool in_doubt; /* the database failed during a seal */
	uint64_t reopen_from; /* the generation before it failed; 0: it has not */
	bool dirty; /* committed since the last checkpoint */
	uint64_t requests_from; /* older ones were deleted, up to this seq */
	uint64_t removed_gen; /* removed rows since the last checkpoint; 0: nothing was */
	struct duck_retainer retainer;
	uint64_t resum_retry_ns; /* clock_mono_ns: no sums for seals of before until then */
	bool resum_failing; /* said once per spell */
	bool trim; /* after the next checkpoint */
	unsigned trim_tries;
	enum duck_hold_state hold; /* under the lock */
	uint64_t checkpoint_retry_ns;
	store_poison_fn poison;
	void *poison_ctx;
};

/* duck_seal.c, and for what ends a seal after a reopen. */
void duck_seal_committed(struct duck *d, uint64_t generation, uint64_t floor);
void duck_outbox_settle(struct duck_outbox *o, bool done);
void duck_roll_back(struct duck *d, duckdb_connection *con);
/* duck_write.c: rows of `requests` and `seals`. */
MUST_CHECK enum err_code duck_write_requests(struct duck *d, duckdb_connection con,
    const struct ident_request *requests, size_t count, struct err *err);
MUST_CHECK enum err_code duck_write_seal(struct duck *d, duckdb_connection con, const char *base,
    int64_t day, const struct duck_seal_info *info, uint64_t floor, const struct buf *traces,
    const struct buf *attrs, struct err *err);

MUST_CHECK enum err_code duck_write_register(struct duck *d, duckdb_connection con,
    struct err *err);

/* duck_check.c: weir_is_typed(text, kind): is it typed JSON, or NULL; kind '{', '[' or 'v' (any value). */
MUST_CHECK enum err_code duck_check_register(struct duck *d, duckdb_connection con,
    struct err *err);

/* duck_trim.c, after a checkpoint: give the disk back what blocks take that nothing is in. False: not all that was freed
 * is free yet, try again after the next one. */
bool duck_trim(struct duck *d);

/* duck_retain.c: one bounded piece of what is to be removed, if there is any. */
MUST_CHECK enum err_code duck_retain(struct duck *d, bool *done_out, struct err *err);

/* duck_hold.c: store/hold.h. On the sealer's thread: how it stands, and, after a checkpoint, that it is on. */
MUST_CHECK enum err_code duck_hold(struct store *s, store_files_fn fn, void *ctx, struct err *err);
enum duck_hold_state duck_hold_state(struct duck *d);
void duck_hold_begin(struct duck *d);

/* duck_keep.c */
MUST_CHECK enum err_code duck_keep_start(struct duck *d, struct err *err);
void duck_keep_stop(struct duck *d);
void duck_keep_ring(struct duck *d); /* something may be to do */
/* Until the thread says that appends may begin, or there is room in the hot tail again, or it is
 * time: false. */
bool duck_keep_wait_ready(struct duck *d, uint64_t deadline_mono_ns);
bool duck_keep_wait_room(struct duck *d, uint64_t deadline_mono_ns);
/* duck_reopen.c: close and open again. The sealer's thread. */
MUST_CHECK enum err_code duck_reopen(struct duck *d, struct err *err);
/* duck_repair.c. Cut a damaged DuckDB log at `byte`, keeping a copy; then opening can be tried again. */
MUST_CHECK enum err_code duck_repair_log(struct duck *d, uint64_t byte, struct err *err);
/* Before the file is opened: put a head right that a crash has left half written, keeping a copy. */
enum {
	DUCK_HEAD_BYTES = 4096,
	DUCK_HEADS = 2, /* behind a block of the same size that names the format */
	DUCK_BLOCK_BYTES = 256 << 10, /* DuckDB's default, and weir makes no others */
	DUCK_BLOCKS_AT = (1 + DUCK_HEADS) * DUCK_HEAD_BYTES,
};
struct duck_torn_head {
	bool mended;
	bool equal; /* the two are the same: one was mended, and no checkpoint has come since */
	size_t place;
	unsigned char bytes[DUCK_HEAD_BYTES]; /* as they were */
};
MUST_CHECK enum err_code duck_repair_head(struct duck *d, struct duck_torn_head *torn,
    struct err *err);
/* Around what makes a checkpoint. What it finds half written at a start is put right only if the mark is there:
 * otherwise it is another damage. */
MUST_CHECK enum err_code duck_mark_checkpoint(struct duck *d, struct err *err);
void duck_unmark_checkpoint(struct duck *d);
/* Does DuckDB say so when it refuses to open a file? The log is not needed then. */
bool duck_log_is_of_before(const char *why);
/* The database is closed: whether that has made a checkpoint, only DuckDB's log tells, which is then gone. */
void duck_unmark_closed(struct duck *d);
bool duck_died_in_checkpoint(struct duck *d);
/* The block at this byte of the file, which is closed. ERR_CORRUPT: it was whole, or is none. */
MUST_CHECK enum err_code duck_repair_block(struct duck *d, uint64_t at, struct err *err);
/* d->beside: the file, open beside DuckDB; it stays so, for to close it would end DuckDB's lock. */
MUST_CHECK enum err_code duck_open_beside(struct duck *d, struct err *err);
/* All blocks of metadata, when the file is open. */
MUST_CHECK enum err_code duck_repair_metadata(struct duck *d, duckdb_connection con,
    struct err *err);
/* DuckDB's log does not go with what was mended: put it back. ERR_CORRUPT, which says so. */
MUST_CHECK enum err_code duck_unrepair_head(struct duck *d, const struct duck_torn_head *torn,
    struct err *err);
/* duck_open.c */
#define DUCK_FIX_SETTINGS "SET lock_configuration = true"
struct duck_options;
MUST_CHECK enum err_code duck_configure(duckdb_config config, const struct duck_options *o,
    const char *temp_dir, struct err *err);
MUST_CHECK enum err_code duck_open_database(struct duck *d, struct err *err);
void duck_close_database(struct duck *d);
/* Schema, catalog, generation, floor, positions: what memory knows of the file. */
MUST_CHECK enum err_code duck_open_state(struct duck *d, struct err *err);

#endif
