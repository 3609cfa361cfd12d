/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/loop.h - an event loop for one thread: descriptors (epoll), timers, tasks from other
 * threads (a lock-free list and an eventfd).
 *
 * One turn of the loop: wait; call what is ready; run the tasks that were posted, oldest first;
 * fire the timers that are due; call `after` once. What many events touch (an output buffer, say)
 * is best flushed there.
 *
 * The structs below are embedded in their owner's object and stay at one address while they are
 * in use; the loop never allocates for them. `ctx` is handed to the callback.
 *
 * Threading: loop_post() from any thread. All else from the thread that runs the loop, or before
 * it runs. Callbacks may add, change and remove anything, also themselves.
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_watch {
	int fd; /* borrowed */
	/* events: LOOP_READ, LOOP_WRITE or both; an error or hang-up is all that was wanted, or
	 * LOOP_READ when nothing was: try it and see. */
	void (*ready)(void *ctx, unsigned events);
	void *ctx;
	unsigned wanted; /* the loop's; 0: only errors and hang-ups */
	bool added; /* the loop's */
};

struct loop_timer {
	void (*fire)(void *ctx, uint64_t now_mono_ns); /* once; it may set itself again */
	void *ctx;
	uint64_t due_ns; /* the loop's: when it shall fire; UINT64_MAX: not set */
	uint64_t queued_ns; /* the loop's: its key in the heap, at most due_ns */
	size_t slot; /* the loop's: position in the heap + 1; 0: not in it */
};

struct loop_task {
	void (*run)(void *ctx);
	void *ctx;
	struct loop_task *next; /* the loop's */
};

/* after may be NULL. */
MUST_CHECK enum err_code loop_new(void (*after)(void *ctx), void *ctx, struct loop **out,
    struct err *err);
/* NULL allowed. Must not be running. */
void loop_free(struct loop *l);

/* Run until loop_stop(); then run the tasks that are left and close the list for good. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* at the end of this turn */
/* The monotonic clock as of this turn: cheap. */
uint64_t loop_now_ns(const struct loop *l);

/* Run the task on the loop's thread. Any thread. False when the loop has ended: the task is the
 * caller's again, and everything the loop did happened before this. */
MUST_CHECK bool loop_post(struct loop *l, struct loop_task *t);

MUST_CHECK enum err_code loop_add(struct loop *l, struct loop_watch *w, unsigned wanted,
    struct err *err);
void loop_want(struct loop *l, struct loop_watch *w, unsigned wanted);
/* Its callback is not called again. Before the descriptor is closed. Not added: fine. */
void loop_remove(struct loop *l, struct loop_watch *w);

/* Fire at due_mono_ns (not before; some milliseconds late). Replaces an earlier setting. Making
 * it later costs nothing. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_mono_ns);
void loop_timer_clear(struct loop *l, struct loop_timer *t); /* not set: fine */

#endif
