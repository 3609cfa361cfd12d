/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/thread.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *
new_loop(void (*after)(void *), void *ctx)
{
	struct loop *l;
	struct err err = {0};
	if (loop_new(after, ctx, &l, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return l;
}

/* ---- timers */

enum { TIMERS = 5000 };

struct clockwork {
	struct loop *loop;
	struct loop_timer timers[TIMERS];
	uint64_t due[TIMERS];
	size_t fired;
	uint64_t now, now_before; /* of this turn and of the one before */
};

struct tick {
	struct clockwork *c;
	size_t i;
};

static void
tick(void *ctx, uint64_t now_ns)
{
	struct tick *t = ctx;
	struct clockwork *c = t->c;
	if (now_ns != c->now) {
		c->now_before = c->now;
		c->now = now_ns;
	}
	assert_true(c->due[t->i] <= now_ns);
	assert_true(c->due[t->i] > c->now_before); /* or it was due in the turn before */
	if (++c->fired == TIMERS / 2)
		loop_stop(c->loop);
}

TEST(sys, timers_fire_in_their_turn_and_not_when_cleared)
{
	struct clockwork *c = calloc(1, sizeof(*c));
	struct tick *ticks = calloc(TIMERS, sizeof(*ticks));
	uint32_t random = 12345;
	c->loop = new_loop(NULL, NULL);
	uint64_t now = loop_now_ns(c->loop);
	for (size_t i = 0; i < TIMERS; i++) {
		random = random * 1664525u + 1013904223u;
		ticks[i] = (struct tick){c, i};
		c->timers[i] =
		    (struct loop_timer){.fire = tick, .ctx = &ticks[i], .due_ns = UINT64_MAX};
		/* First at one time, then moved: half of them later, half of them earlier. */
		loop_timer_set(c->loop, &c->timers[i], now + 30 * NS_PER_MS);
		c->due[i] = now + (random * (60 * NS_PER_MS) >> 32);
		loop_timer_set(c->loop, &c->timers[i], c->due[i]);
	}
	for (size_t i = 0; i < TIMERS; i += 2)
		loop_timer_clear(c->loop, &c->timers[i]);
	loop_timer_clear(c->loop, &c->timers[0]); /* again: fine */
	loop_run(c->loop);
	assert_int_equal(c->fired, TIMERS / 2);
	for (size_t i = 0; i < TIMERS; i++)
		assert_int_equal(c->timers[i].slot, 0);
	loop_free(c->loop);
	free(ticks);
	free(c);
}

struct repeat {
	struct loop *loop;
	struct loop_timer timer;
	int fired;
};

static void
fire_again(void *ctx, uint64_t now_ns)
{
	struct repeat *r = ctx;
	if (++r->fired == 3)
		loop_stop(r->loop);
	else
		loop_timer_set(r->loop, &r->timer, now_ns + NS_PER_MS);
}

TEST(sys, a_timer_may_set_itself_again)
{
	struct repeat r = {.timer = {.fire = fire_again, .ctx = &r}};
	r.loop = new_loop(NULL, NULL);
	loop_timer_set(r.loop, &r.timer, 0);
	loop_run(r.loop);
	assert_int_equal(r.fired, 3);
	loop_free(r.loop);
}

/* ---- tasks */

enum { POSTERS = 4, POSTS = 20000 };

struct job {
	struct loop_task task;
	struct poster *poster;
	size_t n;
};

struct poster {
	struct thread thread;
	struct loop *loop;
	struct job *jobs;
	size_t next; /* the loop's: which must come next */
	_Atomic(size_t) *left;
};

static void
run_job(void *ctx)
{
	struct job *j = ctx;
	assert_int_equal(j->n, j->poster->next);
	j->poster->next++;
	if (atomic_fetch_sub(j->poster->left, 1) == 1)
		loop_stop(j->poster->loop);
}

static void
post_all(void *ctx)
{
	struct poster *p = ctx;
	for (size_t i = 0; i < POSTS; i++) {
		p->jobs[i] =
		    (struct job){.task = {.run = run_job, .ctx = &p->jobs[i]}, .poster = p, .n = i};
		assert_true(loop_post(p->loop, &p->jobs[i].task));
	}
}

TEST(sys, tasks_of_each_thread_run_once_and_in_order)
{
	_Atomic(size_t) left = POSTERS * POSTS;
	struct poster posters[POSTERS] = {{.next = 0}};
	struct loop *l = new_loop(NULL, NULL);
	for (size_t i = 0; i < POSTERS; i++) {
		posters[i].loop = l;
		posters[i].left = &left;
		posters[i].jobs = calloc(POSTS, sizeof(struct job));
		assert_int_equal(thread_start(&posters[i].thread, "post", post_all, &posters[i],
		                     NULL),
		    ERR_OK);
	}
	loop_run(l);
	for (size_t i = 0; i < POSTERS; i++) {
		thread_join(&posters[i].thread);
		assert_int_equal(posters[i].next, POSTS);
		free(posters[i].jobs);
	}
	loop_free(l);
}

struct chain {
	struct loop *loop;
	struct loop_task task;
	int runs, afters;
};

static void
link_on(void *ctx)
{
	struct chain *c = ctx;
	if (++c->runs == 5)
		loop_stop(c->loop);
	/* From the loop's own thread; the last one is run although the loop has been stopped. */
	if (c->runs <= 5)
		assert_true(loop_post(c->loop, &c->task));
}

static void
count_after(void *ctx)
{
	struct chain *c = ctx;
	c->afters++;
}

TEST(sys, a_task_may_post_itself_and_what_is_posted_before_the_end_runs)
{
	struct chain c = {.task = {.run = link_on, .ctx = &c}};
	c.loop = new_loop(count_after, &c);
	assert_true(loop_post(c.loop, &c.task));
	loop_run(c.loop);
	assert_int_equal(c.runs, 6);
	assert_true(c.afters >= 5);
	assert_false(loop_post(c.loop, &c.task)); /* nobody will look */
	loop_free(c.loop);
}

/* ---- watches */

struct pipes {
	struct loop *loop;
	int fd[2][2];
	struct loop_watch watch[2];
	int calls;
};

static void
remove_both(void *ctx, unsigned events)
{
	struct pipes *p = ctx;
	assert_int_equal(events, LOOP_READ);
	p->calls++;
	loop_remove(p->loop, &p->watch[0]);
	loop_remove(p->loop, &p->watch[1]);
	loop_stop(p->loop);
}

TEST(sys, a_watch_that_is_removed_in_a_turn_is_not_called_in_it)
{
	struct pipes p = {.calls = 0};
	struct err err = {0};
	p.loop = new_loop(NULL, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(p.fd[i]), 0);
		p.watch[i] = (struct loop_watch){.fd = p.fd[i][0], .ready = remove_both, .ctx = &p};
		assert_int_equal(loop_add(p.loop, &p.watch[i], LOOP_READ, &err), ERR_OK);
		assert_int_equal(write(p.fd[i][1], "x", 1), 1);
	}
	loop_run(p.loop);
	assert_int_equal(p.calls, 1);
	for (int i = 0; i < 4; i++)
		close(p.fd[i / 2][i % 2]);
	loop_free(p.loop);
}

struct phases {
	struct loop *loop;
	struct loop_watch watch;
	unsigned seen[3];
	int count;
	int peer;
};

static void
next_phase(void *ctx, unsigned events)
{
	struct phases *p = ctx;
	p->seen[p->count++] = events;
	if (p->count == 1) {
		loop_want(p->loop, &p->watch, 0);
		close(p->peer); /* hang-up is told although nothing is wanted */
	} else {
		loop_stop(p->loop);
	}
}

TEST(sys, what_is_wanted_can_change_and_a_hangup_is_always_told)
{
	int fd[2];
	struct phases p = {.count = 0};
	struct err err = {0};
	assert_int_equal(pipe(fd), 0);
	p.loop = new_loop(NULL, NULL);
	p.peer = fd[0];
	p.watch = (struct loop_watch){.fd = fd[1], .ready = next_phase, .ctx = &p};
	assert_int_equal(loop_add(p.loop, &p.watch, LOOP_WRITE, &err), ERR_OK);
	loop_run(p.loop);
	assert_int_equal(p.seen[0], LOOP_WRITE);
	assert_int_equal(p.seen[1], LOOP_READ);
	loop_remove(p.loop, &p.watch);
	loop_remove(p.loop, &p.watch); /* again: fine */
	close(fd[1]);
	loop_free(p.loop);
}

TEST(sys, a_bad_descriptor_cannot_be_watched)
{
	struct loop *l = new_loop(NULL, NULL);
	struct loop_watch w = {.fd = -1};
	struct err err = {0};
	assert_int_equal(loop_add(l, &w, LOOP_READ, &err), ERR_UNAVAILABLE);
	loop_remove(l, &w);
	loop_free(l);
	loop_free(NULL);
}
