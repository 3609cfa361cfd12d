/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_gate.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdatomic.h>

/* A call that may have to wait, in a thread of its own. */
struct waiter {
	struct duck_gate *gate;
	void (*call)(struct duck_gate *g);
	struct thread thread;
	_Atomic bool through;
};

static void
waiter_main(void *ctx)
{
	struct waiter *w = ctx;
	w->call(w->gate);
	atomic_store(&w->through, true);
}

static void
start(struct waiter *w, struct duck_gate *g, void (*call)(struct duck_gate *g))
{
	struct err err;
	*w = (struct waiter){.gate = g, .call = call};
	assert_int_equal(thread_start(&w->thread, "waiter", waiter_main, w, &err), ERR_OK);
}

static void
close_at_once(struct duck_gate *g)
{
	duck_gate_close(g, 0);
}

static void
close_patiently(struct duck_gate *g)
{
	duck_gate_close(g, UINT64_C(3600) * NS_PER_S);
}

static bool
is_wanted(struct duck_gate *g)
{
	mutex_lock(&g->lock);
	bool wanted = g->wanted;
	mutex_unlock(&g->lock);
	return wanted;
}

static void
hold(struct duck_gate *g)
{
	bool held = duck_gate_hold(g, UINT64_MAX);
	CHECK(held);
}

static void
start_closing(struct waiter *w, struct duck_gate *g)
{
	start(w, g, close_at_once);
	while (!is_wanted(g))
		clock_sleep_ns(NS_PER_MS / 10);
}

TEST(duck_gate, a_look_tells_whether_a_commit_has_begun_since)
{
	struct duck_gate g;
	uint64_t commits;
	duck_gate_init(&g);
	assert_true(duck_gate_look(&g, 0, &commits));
	assert_true(duck_gate_same(&g, commits));
	duck_gate_close(&g, 0);
	assert_false(duck_gate_same(&g, commits));
	assert_false(duck_gate_look(&g, clock_mono_ns() + NS_PER_MS, &commits));
	duck_gate_open(&g);
	assert_true(duck_gate_look(&g, 0, &commits));
	assert_true(duck_gate_same(&g, commits));
	duck_gate_fini(&g);
}

TEST(duck_gate, a_commit_waits_for_those_inside_and_goes_before_those_who_come)
{
	struct duck_gate g;
	struct waiter commit, question;
	uint64_t commits;
	duck_gate_init(&g);
	hold(&g);
	hold(&g);
	start_closing(&commit, &g);
	/* Looking is not in its way, nor is an append while it waits all the same. */
	assert_true(duck_gate_look(&g, 0, &commits));
	duck_gate_pass(&g);
	assert_false(duck_gate_hold(&g, clock_mono_ns() + NS_PER_MS));
	start(&question, &g, hold);
	duck_gate_release(&g);
	duck_gate_release(&g);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&commit.through));
	assert_true(duck_gate_same(&g, commits));
	duck_gate_passed(&g);
	thread_join(&commit.thread);
	assert_false(duck_gate_same(&g, commits));
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&question.through));
	duck_gate_open(&g);
	thread_join(&question.thread);
	duck_gate_release(&g);
	duck_gate_fini(&g);
}

TEST(duck_gate, an_append_waits_while_a_commit_runs)
{
	struct duck_gate g;
	struct waiter append;
	duck_gate_init(&g);
	duck_gate_close(&g, 0);
	start(&append, &g, duck_gate_pass);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&append.through));
	duck_gate_open(&g);
	thread_join(&append.thread);
	duck_gate_passed(&g);
	duck_gate_fini(&g);
}

/* An append that comes again and again must not keep a commit away for ever. */
TEST(duck_gate, a_commit_that_waits_for_an_append_alone_is_next)
{
	struct duck_gate g;
	struct waiter commit, append;
	duck_gate_init(&g);
	duck_gate_pass(&g);
	start_closing(&commit, &g);
	start(&append, &g, duck_gate_pass);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&append.through));
	duck_gate_passed(&g);
	thread_join(&commit.thread);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&append.through));
	duck_gate_open(&g);
	thread_join(&append.thread);
	duck_gate_passed(&g);
	duck_gate_fini(&g);
}

static bool
has_turned(struct duck_gate *g, unsigned side)
{
	mutex_lock(&g->lock);
	bool turned = g->side != side;
	mutex_unlock(&g->lock);
	return turned;
}

TEST(duck_gate, a_patient_commit_waits_for_questions_under_way_and_not_for_later_ones)
{
	struct duck_gate g;
	struct waiter commit;
	duck_gate_init(&g);
	unsigned first = duck_gate_enter(&g), second = duck_gate_enter(&g);
	start(&commit, &g, close_patiently);
	while (!has_turned(&g, first))
		clock_sleep_ns(NS_PER_MS / 10);
	/* Nobody is kept away meanwhile. */
	hold(&g);
	duck_gate_release(&g);
	unsigned later = duck_gate_enter(&g);
	duck_gate_leave(&g, first);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&commit.through));
	duck_gate_leave(&g, second);
	thread_join(&commit.thread);
	duck_gate_open(&g);
	/* The next one waits for the one that came later. */
	start(&commit, &g, close_patiently);
	clock_sleep_ns(5 * NS_PER_MS);
	assert_false(atomic_load(&commit.through));
	duck_gate_leave(&g, later);
	thread_join(&commit.thread);
	duck_gate_open(&g);
	duck_gate_fini(&g);
}

TEST(duck_gate, the_patience_of_a_commit_ends)
{
	struct duck_gate g;
	duck_gate_init(&g);
	unsigned side = duck_gate_enter(&g);
	for (int i = 0; i < 3; i++) {
		duck_gate_close(&g, NS_PER_MS);
		duck_gate_open(&g);
	}
	duck_gate_leave(&g, side);
	duck_gate_fini(&g);
}
