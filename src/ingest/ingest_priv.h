/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/ingest_priv.h - what submit, commit thread and loader share.
 *
 *     ingest.c  start, submit, checks, stop      commit.c  the commit thread
 *     load.c    the loader thread                record.c  a request as a log record
 */
#ifndef INGEST_INGEST_PRIV_H
#define INGEST_INGEST_PRIV_H

#include "ingest/ingest.h"
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
	uint64_t seq; /* 0: nothing of it is logged */
	enum err_code code; /* why the log did not take it */
};

struct ingest {
	struct wal *wal;
	struct store *store;
	const struct limits *limits;
	struct stats *stats;
	char data_dir[FILE_PATH_BYTES];
	uint64_t load_rows_max;
	uint64_t load_delay_ns;
	uint64_t load_retry_ms;

	struct queue *queue; /* of struct pending * */
	_Atomic uint64_t queue_bytes;
	_Atomic bool stopping; /* submit refuses */
	_Atomic bool queue_closed; /* nothing is pushed any more */
	_Atomic uint64_t loaded_bytes; /* comparable with wal_durable_bytes() */
	_Atomic uint64_t loaded_seq;
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

	/* The commit thread's. */
	uint64_t taken_bytes; /* log bytes since the disk was looked at */
	uint64_t no_room_count; /* commits that found none since that was last said */
	uint64_t no_room_said_ns; /* 0: never */

	struct wal_reader *reader; /* the loader's */
	struct thread commit_thread;
	struct thread load_thread;
};

/* One of the texts above; NULL clears it. */
void ingest_set_text(struct ingest *in, char text[INGEST_TEXT_BYTES], const char *why);
/* Log bytes that are durable and not loaded; sets the gauge. */
uint64_t ingest_lag_bytes(const struct ingest *in);
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

#endif
