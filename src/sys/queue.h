/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/queue.h - bounded queue of pointers between threads; a push moves ownership.
 *
 * Any number of producers and consumers. Order is that of the pushes. A full queue refuses
 * (ERR_BUSY); a closed one refuses pushes (ERR_UNAVAILABLE) and still gives out what is in it.
 */
#ifndef SYS_QUEUE_H
#define SYS_QUEUE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue *queue_new(size_t capacity);
void queue_free(struct queue *q); /* must be empty, or its items are the caller's to find */
MUST_CHECK enum err_code queue_push(struct queue *q, void *item);
/* The oldest item; waits for one. NULL when closed and empty, or when the deadline
 * (clock_mono_ns; UINT64_MAX = none) passes. */
void *queue_pop(struct queue *q, uint64_t deadline_mono_ns);
/* Up to `max` items at once, waiting for the first as queue_pop() does. Returns how many. */
size_t queue_pop_many(struct queue *q, void **items, size_t max, uint64_t deadline_mono_ns);
void queue_close(struct queue *q);
size_t queue_len(struct queue *q);

#endif
