/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/queue.h"

#include "base/arena.h"
#include "sys/thread.h"

#include <stdlib.h>

struct queue {
	struct mutex lock;
	struct cond not_empty;
	void **ring; /* lock */
	size_t cap;
	size_t head; /* lock: next to pop */
	size_t count; /* lock */
	bool closed; /* lock */
};

struct queue *
queue_new(size_t capacity)
{
	CHECK(capacity > 0);
	struct queue *q = xcalloc(1, sizeof(*q));
	q->ring = xcalloc(capacity, sizeof(*q->ring));
	q->cap = capacity;
	mutex_init(&q->lock);
	cond_init(&q->not_empty);
	return q;
}

void
queue_free(struct queue *q)
{
	if (!q)
		return;
	cond_fini(&q->not_empty);
	mutex_fini(&q->lock);
	free(q->ring);
	free(q);
}

enum err_code
queue_push(struct queue *q, void *item)
{
	enum err_code code = ERR_OK;
	mutex_lock(&q->lock);
	if (q->closed)
		code = ERR_UNAVAILABLE;
	else if (q->count == q->cap)
		code = ERR_BUSY;
	else
		q->ring[(q->head + q->count++) % q->cap] = item;
	mutex_unlock(&q->lock);
	if (code == ERR_OK)
		cond_signal(&q->not_empty);
	return code;
}

size_t
queue_pop_many(struct queue *q, void **items, size_t max, uint64_t deadline_mono_ns)
{
	size_t n = 0;
	mutex_lock(&q->lock);
	while (q->count == 0 && !q->closed) {
		if (deadline_mono_ns == UINT64_MAX)
			cond_wait(&q->not_empty, &q->lock);
		else if (!cond_wait_until(&q->not_empty, &q->lock, deadline_mono_ns))
			break;
	}
	for (; n < max && q->count; n++) {
		items[n] = q->ring[q->head];
		q->head = (q->head + 1) % q->cap;
		q->count--;
	}
	mutex_unlock(&q->lock);
	return n;
}

void *
queue_pop(struct queue *q, uint64_t deadline_mono_ns)
{
	void *item = NULL;
	return queue_pop_many(q, &item, 1, deadline_mono_ns) ? item : NULL;
}

void
queue_close(struct queue *q)
{
	mutex_lock(&q->lock);
	q->closed = true;
	mutex_unlock(&q->lock);
	cond_broadcast(&q->not_empty);
}

size_t
queue_len(struct queue *q)
{
	mutex_lock(&q->lock);
	size_t n = q->count;
	mutex_unlock(&q->lock);
	return n;
}
