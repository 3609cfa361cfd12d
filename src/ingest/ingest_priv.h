/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/ingest_priv.h - what submit, commit thread and loader share.
 *
 *     ingest.c  start, submit, stop              commit.c      the commit thread
 *     load*.c   the loader thread (load_priv.h)  retry.c       the thread of the dead letters
 *     check.c   what /readyz says                duplicates.c  counted by tenant; metrics
 *     record.c  a request as a log record        wait.c        submit, and wait for the answer
 *     pull.c    batches that somebody pulls (pull.h)
 */
#ifndef INGEST_INGEST_PRIV_H
#define INGEST_INGEST_PRIV_H

#include "ingest/ingest.h"
#include "ingest/quota.h"
#include "ingest/record.h"

#include "sys/file.h"
#include "sys/queue.h"
#include "sys/thread.h"

enum { INGEST_TEXT_BYTES = 160 };

/* A request on its way to the log. Owned by whoever took it from the queue. */
struct pending {
	struct ingest_request req; /* body is what goes into the log: protobuf */
	struct otlp_counts counts;
	char head[RECORD_HEAD_BYTES_MAX];
	size_t head_len;
	bool pulled; /* it brings a position, and is logged for that alone */
	bool letter; /* a dead letter that is tried again, and no client's */
	uint64_t seq; /* 0: nothing of it is logged */
	enum err_code code; /* why the log did not take it */
};

/* What has become of the letter that is on its way. */
enum retry_state { RETRY_IDLE, RETRY_UNDER_WAY, RETRY_APPLIED, RETRY_FAILED, RETRY_REFUSED };

struct retry {
	char letter[DLQ_ID_BYTES];
	enum retry_state state;
	char why[DLQ_ERROR_BYTES];
	bool bell; /* a letter is due sooner than was said */
	bool stop;
};

struct duplicates;
struct pulls;

struct ingest {
	struct wal *wal;
	struct store *store;
	struct dlq *dlq;
	void (*on_visible)(void *ctx, const struct batch *batch);
	void *visible_ctx;
	const struct limits *limits;
	struct stats *stats;
	char data_dir[FILE_PATH_BYTES];
	struct str own_tenant;
	uint64_t load_rows_max;
	uint64_t load_delay_ns;
	uint64_t load_retry_ms;

	struct queue *queue; /* of struct pending * */
	_Atomic uint64_t queue_bytes;
	_Atomic bool stopping; /* submit refuses */
	_Atomic bool queue_closed; /* nothing is pushed any more */
	_Atomic uint64_t loaded_bytes; /* comparable with wal_durable_bytes() */
	_Atomic uint64_t loaded_seq;
	_Atomic uint64_t position_bytes; /* the same of what the store keeps by itself */
	/* What was durable at the start is visible. Until then: from start_bytes to start_bytes_end. */
	_Atomic bool caught_up;
	_Atomic uint64_t
	    failing_since_ns; /* clock_mono_ns: loading has failed ever since; 0: it goes on */
	/* clock_mono_ns: when the two threads were last seen at the top of their loops. */
	_Atomic uint64_t commit_seen_ns, load_seen_ns;
	uint64_t start_bytes, start_bytes_end, start_seq_end;
	_Atomic uint64_t free_bytes; /* of the disk, when last looked at */
	_Atomic bool disk_low; /* the floor is reached */
	_Atomic bool log_full; /* the last commit found no room; the commit thread's to change */

	struct mutex lock; /* leaf; guards what follows */
	struct cond progress; /* any of it has changed */
	uint64_t durable_seq;
	bool load_stop;
	uint64_t load_deadline_ns;
	char log_text[INGEST_TEXT_BYTES]; /* why the log is not well; empty: it is */
	char load_text[INGEST_TEXT_BYTES]; /* why loading is not; empty: it is */
	char disk_text[INGEST_TEXT_BYTES]; /* why the disk cannot be looked at */
	struct retry retry;
	struct cond retry_news; /* any of that has changed */

	/* The commit thread's. */
	uint64_t taken_bytes; /* log bytes since the disk was looked at */
	uint64_t no_room_count; /* commits that found none since that was last said */
	uint64_t no_room_said_ns; /* 0: never */

	struct wal_reader *reader; /* the loader's */
	struct duplicates *duplicates; /* the loader's to add to */
	struct quota *quota;
	struct pulls *pulls;
	struct thread commit_thread;
	struct thread load_thread;
	struct thread retry_thread;
};

/* One of the texts above; NULL clears it. */
void ingest_set_text(struct ingest *in, char text[INGEST_TEXT_BYTES], const char *why);
/* Log bytes that are durable and not loaded; sets the gauge. */
uint64_t ingest_lag_bytes(const struct ingest *in);
/* Log bytes that are durable and not in the store's own keeping: lag and more. Sets the gauge. */
uint64_t ingest_kept_bytes(const struct ingest *in);
/* ERR_BUSY or ERR_UNAVAILABLE: nothing new may come in now. */
MUST_CHECK enum err_code ingest_check_open(struct ingest *in, struct err *err);
/* To the commit thread, which owns p from then on. */
MUST_CHECK enum err_code ingest_push(struct ingest *in, struct pending *p, struct err *err);
/* Look at the free space. Commit thread, or before it runs. */
void ingest_check_disk(struct ingest *in);
/* Whether `bytes` more of the log, and the store's copy of them and of what waits to be loaded,
 * would leave less than the floor. */
bool ingest_disk_refuses(const struct ingest *in, uint64_t bytes);
/* ERR_BUSY: the disk is full, in words for a client. */
enum err_code ingest_say_full(const struct ingest *in, struct err *err);

void ingest_commit_main(void *ctx);
void ingest_pending_free(struct pending *p);
void ingest_load_main(void *ctx);

/* As ingest_submit_and_wait(), without the wait for queries; `hear` is told the answer, once, also when that comes after the deadline
 * or at once: on the commit thread, or before the return. */
MUST_CHECK enum err_code ingest_submit_and_hear(struct ingest *in, struct ingest_request *req,
    uint64_t deadline_mono_ns, void (*hear)(void *ctx, enum err_code code), void *ctx,
    struct err *err);

/* ---- dead letters: retry.c */

/* Part of a request, as `record` reads the payload of log record `seq`. A record that cannot be read is
 * given with an empty tenant. Blocks on disk; any thread. */
MUST_CHECK enum err_code ingest_put_aside(struct ingest *in, uint64_t seq, struct str payload,
    uint32_t first, uint32_t count, const char *why, struct err *err);
/* A store_poison_fn. */
enum err_code ingest_on_poison(void *ctx, enum table_id table, uint64_t seq, uint32_t ord,
    const struct err *why, struct err *err);
/* A record that came from this letter was applied, or (why not NULL) cannot be. */
void ingest_letter_ended(struct ingest *in, struct str letter, const char *why);
void ingest_retry_main(void *ctx);
void ingest_retry_bell(void *ctx);

/* ---- duplicates.c */

enum { DUPLICATE_TENANTS_MAX = 1000 }; /* then they are "other" */

struct duplicates *ingest_duplicates_new(void);
void ingest_duplicates_free(struct duplicates *d);
void ingest_duplicates_add(struct duplicates *d, struct str tenant, uint64_t requests,
    uint64_t spans);
void ingest_duplicates_print(struct duplicates *d, struct buf *out);

#endif
