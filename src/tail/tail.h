/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail/tail.h - spans and log records as they become visible, to whoever follows them.
 *
 * The loader hands over each batch after the store has it (tail_publish()): what is durable, first seen and of a tenant that
 * somebody follows is copied into a bounded queue; without a reader that is one load of a counter. One thread takes it from
 * there: it compares each row with what each reader asks for (store/match.h, as a store would), writes those that are wanted
 * as server-sent events, an item's JSON once for all readers, and puts them into the readers' buffers. A reader is an HTTP
 * connection, which takes from its buffer as fast as its client reads.
 *
 *     loader ── copies ──► queue, live_queue_bytes_max ── tail thread ──► a buffer each, live_bytes_max ──► connection
 *
 * Nothing waits for a reader. What finds no room is left out and counted; the reader is told how many, at the place where
 * they are missing. What finds no room in the queue was not compared with any conditions: then the number is of all items of
 * the reader's tenant and signal, and says so.
 *
 * A stream, by https://html.spec.whatwg.org/multipage/server-sent-events.html:
 *     event: span             data: the item as lists have it, one line of JSON (or `log`)
 *     event: missed           data: {"count":12,"exact":true}
 *     event: end              data: {"code":"unavailable","message":"..."}, and nothing after it
 *     : a comment             at the beginning, and after live_heartbeat_ms of silence
 * There are no ids: who comes back is not given what came in meanwhile, which is the store's to say.
 *
 * Threading. tail_publish(): the loader. tail_read(), tail_leave(): one thread at a time for each reader. The rest: any
 * thread; nothing here waits but tail_stop(). Callbacks run on the tail thread, without a lock.
 */
#ifndef TAIL_TAIL_H
#define TAIL_TAIL_H

#include "base/limits.h"
#include "base/stats.h"
#include "model/batch.h"
#include "store/query.h"

#include <stddef.h>

struct tail;
struct tail_reader;

struct tail_options {
	const struct limits *limits; /* borrowed */
	struct stats *stats; /* borrowed, NULL allowed */
	/* The log's last record at the start: what it and those before it have is nobody's news, though it is loaded
	 * again. */
	uint64_t seen_seq;
};

MUST_CHECK enum err_code tail_start(const struct tail_options *opt, struct tail **out,
    struct err *err);
void tail_publish(struct tail *t, const struct batch *batch);
/* What has been published is given out, then every stream is told that the server stops; there are no new readers. */
void tail_stop(struct tail *t); /* NULL allowed */
/* After the last tail_leave(). */
void tail_free(struct tail *t); /* NULL allowed; stops it when that is not done */

struct tail_reader_options {
	/* STORE_SPANS or STORE_LOGS with its conditions: copied, what it points to is borrowed until freed(). */
	const struct store_query *query;
	struct str comment; /* one line that it begins with; copied */
	/* There is something to read. Must not block. */
	void (*wake)(void *ctx);
	/* Asked again and again: may it go on? An error is what its stream ends with. NULL: it may. */
	enum err_code (*allowed)(void *ctx, struct err *err);
	/* Once, after tail_leave(): nothing of it is used any more. Any thread. */
	void (*freed)(void *ctx);
	void *ctx;
};

/* ERR_BUSY beyond live_readers_max, ERR_UNAVAILABLE when it stops: then no callback is called. What becomes visible from
 * now on is for this reader. */
MUST_CHECK enum err_code tail_join(struct tail *t, const struct tail_reader_options *opt,
    struct tail_reader **out, struct err *err);
enum { TAIL_END = -1 };
/* How many bytes of the stream it has put into out: 0 for now, or TAIL_END for ever. */
ptrdiff_t tail_read(struct tail_reader *r, char *out, size_t max);
void tail_leave(struct tail_reader *r);

#endif
