/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/loop.c - see loop.h.
 *
 * Timers stand in a binary heap of pointers. Setting one to a later time, which is what a
 * time-out that starts anew with every byte does, only writes due_ns; the heap learns of it when
 * the old time comes, and the timer moves down instead of firing.
 *
 * Tasks are pushed onto a list whose head is swapped atomically; the loop takes the whole list
 * and turns it around. The eventfd is written only by whoever finds the list empty, and not at
 * all by the loop's own thread, which looks at the list before it waits. `closed` is a head that
 * means: nobody will look here again.
 */
#include "sys/loop.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 128, HEAP_FIRST = 64 };

struct loop {
	int epoll_fd;
	int wake_fd;
	void (*after)(void *ctx);
	void *ctx;
	uint64_t now_ns;
	bool stopping;

	struct epoll_event events[EVENTS_MAX]; /* of this turn */
	int event_count;
	int event_at;

	struct loop_timer **heap;
	size_t heap_count;
	size_t heap_cap;

	_Atomic(struct loop_task *) posted;
	struct loop_task closed;
	_Atomic(uintptr_t) owner; /* pthread_self() of the thread that runs it */
};

enum err_code
loop_new(void (*after)(void *ctx), void *ctx, struct loop **out, struct err *err)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	struct epoll_event wake = {.events = EPOLLIN};
	*out = NULL;
	l->after = after;
	l->ctx = ctx;
	l->now_ns = clock_mono_ns();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->epoll_fd < 0 || l->wake_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &wake) != 0) {
		int why = errno;
		loop_free(l);
		return err_set_errno(err, ERR_UNAVAILABLE, why, "cannot make an event loop");
	}
	*out = l;
	return ERR_OK;
}

void
loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	free(l->heap);
	free(l);
}

uint64_t
loop_now_ns(const struct loop *l)
{
	return l->now_ns;
}

void
loop_stop(struct loop *l)
{
	l->stopping = true;
}

/* ---- tasks */

static void
wake(struct loop *l)
{
	const uint64_t one = 1;
	/* EAGAIN: the counter is full, so it is awake already. */
	ssize_t n = write(l->wake_fd, &one, sizeof(one));
	CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

bool
loop_post(struct loop *l, struct loop_task *t)
{
	struct loop_task *head = atomic_load_explicit(&l->posted, memory_order_acquire);
	do {
		if (head == &l->closed)
			return false;
		t->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&l->posted, &head, t, memory_order_acq_rel,
	    memory_order_acquire));
	/* From here on t may be gone. */
	if (!head &&
	    atomic_load_explicit(&l->owner, memory_order_relaxed) != (uintptr_t)pthread_self())
		wake(l);
	return true;
}

static void
run_posted(struct loop *l, struct loop_task *new_head)
{
	struct loop_task *list = NULL;
	struct loop_task *taken =
	    atomic_exchange_explicit(&l->posted, new_head, memory_order_acq_rel);
	CHECK(taken != &l->closed);
	while (taken) {
		struct loop_task *t = taken;
		taken = t->next;
		t->next = list;
		list = t;
	}
	while (list) {
		struct loop_task *t = list;
		list = t->next;
		t->run(t->ctx);
	}
}

/* ---- watches */

static uint32_t
epoll_mask(unsigned wanted)
{
	return (wanted & LOOP_READ ? EPOLLIN : 0u) | (wanted & LOOP_WRITE ? EPOLLOUT : 0u);
}

enum err_code
loop_add(struct loop *l, struct loop_watch *w, unsigned wanted, struct err *err)
{
	struct epoll_event e = {.events = epoll_mask(wanted), .data.ptr = w};
	CHECK(!w->added);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) != 0)
		return err_set_errno(err, ERR_UNAVAILABLE, errno, "cannot watch a descriptor");
	w->wanted = wanted;
	w->added = true;
	return ERR_OK;
}

void
loop_want(struct loop *l, struct loop_watch *w, unsigned wanted)
{
	struct epoll_event e = {.events = epoll_mask(wanted), .data.ptr = w};
	CHECK(w->added);
	if (w->wanted == wanted)
		return;
	CHECK(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &e) == 0);
	w->wanted = wanted;
}

void
loop_remove(struct loop *l, struct loop_watch *w)
{
	if (!w->added)
		return;
	CHECK(epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL) == 0);
	w->added = false;
	for (int i = l->event_at; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].events = 0;
}

static void
drain_wake(struct loop *l)
{
	uint64_t count;
	ssize_t n = read(l->wake_fd, &count, sizeof(count));
	CHECK(n == (ssize_t)sizeof(count) || errno == EAGAIN || errno == EINTR);
}

static void
dispatch(struct loop *l)
{
	for (l->event_at = 0; l->event_at < l->event_count;) {
		const struct epoll_event *e = &l->events[l->event_at++];
		struct loop_watch *w = e->data.ptr;
		unsigned events = 0;
		if (e->events == 0)
			continue;
		if (!w) {
			drain_wake(l);
			continue;
		}
		if (e->events & EPOLLIN)
			events |= LOOP_READ;
		if (e->events & EPOLLOUT)
			events |= LOOP_WRITE;
		if (e->events & (EPOLLERR | EPOLLHUP))
			events |= w->wanted ? w->wanted : LOOP_READ;
		if (events)
			w->ready(w->ctx, events);
	}
	l->event_count = 0;
	l->event_at = 0;
}

/* ---- timers */

static void
heap_put(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void
heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	while (i > 0 && l->heap[(i - 1) / 2]->queued_ns > t->queued_ns) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void
heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < l->heap_count &&
		    l->heap[child + 1]->queued_ns < l->heap[child]->queued_ns)
			child++;
		if (child >= l->heap_count || l->heap[child]->queued_ns >= t->queued_ns)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

static void
heap_insert(struct loop *l, struct loop_timer *t)
{
	if (l->heap_count == l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : HEAP_FIRST;
		l->heap = xrealloc(l->heap, l->heap_cap * sizeof(struct loop_timer *));
	}
	heap_put(l, l->heap_count++, t);
	heap_up(l, t->slot - 1);
}

static void
heap_remove(struct loop *l, struct loop_timer *t)
{
	size_t i = t->slot - 1;
	CHECK(i < l->heap_count);
	CHECK(l->heap[i] == t);
	struct loop_timer *last = l->heap[--l->heap_count];
	t->slot = 0;
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->slot - 1);
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_mono_ns)
{
	t->due_ns = due_mono_ns;
	if (t->slot && due_mono_ns >= t->queued_ns)
		return;
	t->queued_ns = due_mono_ns;
	if (t->slot)
		heap_up(l, t->slot - 1);
	else
		heap_insert(l, t);
}

void
loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	t->due_ns = UINT64_MAX;
	if (t->slot)
		heap_remove(l, t);
}

static void
fire_timers(struct loop *l)
{
	while (l->heap_count && l->heap[0]->queued_ns <= l->now_ns) {
		struct loop_timer *t = l->heap[0];
		if (t->due_ns > l->now_ns) {
			t->queued_ns = t->due_ns;
			heap_down(l, 0);
			continue;
		}
		heap_remove(l, t);
		t->due_ns = UINT64_MAX;
		t->fire(t->ctx, l->now_ns);
	}
}

/* Milliseconds to wait, rounded up so that a timer is never early; -1: for ever. */
static int
wait_ms(const struct loop *l)
{
	if (l->stopping || atomic_load_explicit(&l->posted, memory_order_acquire))
		return 0;
	if (!l->heap_count)
		return -1;
	uint64_t due = l->heap[0]->queued_ns, now = clock_mono_ns();
	if (due <= now)
		return 0;
	uint64_t ms = (due - now) / NS_PER_MS + 1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static void
turn(struct loop *l)
{
	int n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, wait_ms(l));
	CHECK(n >= 0 || errno == EINTR);
	l->now_ns = clock_mono_ns();
	l->event_count = n > 0 ? n : 0;
	dispatch(l);
	run_posted(l, NULL);
	fire_timers(l);
	if (l->after)
		l->after(l->ctx);
}

void
loop_run(struct loop *l)
{
	atomic_store_explicit(&l->owner, (uintptr_t)pthread_self(), memory_order_relaxed);
	while (!l->stopping)
		turn(l);
	run_posted(l, &l->closed);
	if (l->after)
		l->after(l->ctx);
}
