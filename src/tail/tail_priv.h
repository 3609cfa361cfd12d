/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail/tail_priv.h - what the files of tail/ share.
 *
 *     tail.c     the queue, the thread, start and stop
 *     reader.c   one reader: its buffer and what is put into it
 *     ring.h     bytes in a circle, up to a maximum
 *
 * Two kinds of locks: tail.lock guards the list of readers and the queue, each reader's own, which may be taken inside of
 * it, what waits in it. The tail thread works on a copy of the list, whose readers it holds references of.
 */
#ifndef TAIL_TAIL_PRIV_H
#define TAIL_TAIL_PRIV_H

#include "tail/tail.h"

#include "tail/ring.h"
#include "store/store.h"
#include "sys/thread.h"

#include <stdatomic.h>

struct tail_reader {
	struct tail *tail;
	struct tail_reader *prev, *next; /* tail.lock */
	_Atomic int refs; /* the list's, and one of the tail thread's while it is at work */
	struct tail_reader_options opt;
	struct store_query query;
	struct regex *regexes[STORE_ATTRS_MAX]; /* of its conditions, or NULL */
	enum table_id table;
	bool dirty; /* the tail thread's: it is to be woken */
	_Atomic bool left;

	struct mutex lock;
	struct ring ring; /* lock; what waits for its client */
	uint64_t missed; /* lock; not told yet */
	bool missed_exact; /* lock */
	bool ending, end_told; /* lock */
	struct err end; /* lock; why */
	uint64_t last_ns; /* lock; when something was put into it */
};

/* Items that became visible together. */
struct tail_chunk {
	struct tail_chunk *next;
	struct arena arena;
	struct store_result result[2]; /* spans, logs: with all resources and scopes of the batch */
	size_t bytes; /* counted against the queue */
};

struct tail {
	struct limits limits;
	struct stats *stats;
	uint64_t seen_seq;
	_Atomic uint32_t reader_count;
	struct buf wanted; /* the loader's: a byte for each request of a batch */
	struct thread thread;
	bool stopped; /* owner */

	struct mutex lock;
	struct cond news;
	struct tail_reader *readers; /* lock */
	struct tail_chunk *first, *last; /* lock; the queue */
	size_t queue_bytes; /* lock */
	bool stopping; /* lock */
	/* The tail thread's. */
	struct tail_reader **at_work;
	struct buf event;
};

/* ---- reader.c */

MUST_CHECK enum err_code tail_reader_new(struct tail *t, const struct tail_reader_options *opt,
    struct tail_reader **out, struct err *err);
void tail_reader_unref(struct tail_reader *r);
/* Does it follow this? */
bool tail_reader_follows(const struct tail_reader *r, struct str tenant, enum table_id table);
/* One event for it, whole, or it is missed. */
void tail_reader_put(struct tail_reader *r, struct str event, uint64_t now_ns);
/* So many more it will not get. Any thread. */
void tail_reader_miss(struct tail_reader *r, uint64_t count, bool exact);
/* A sign of life, if it is time for one: whether there is something to read. */
bool tail_reader_beat(struct tail_reader *r, uint64_t now_ns);
/* Nothing more is put into it but this. */
void tail_reader_end(struct tail_reader *r, const struct err *why);

#endif
