/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process dies, at every step of a seal and at any moment, and the log is read again from the store's
 * position on, in other batches than the first time: everything is there, nothing twice.
 */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUESTS = 120, COPIES_MAX = 64, CRASHED_AT = 80 };

/* ---- at every step: the folder is copied while the sealer stands still there */

struct copy {
	const char *dir;
	enum duck_step step;
	uint64_t position; /* the log was no longer needed up to here */
};

struct copies {
	struct store *s; /* NULL: it is not open yet */
	const char *dir;
	uint64_t calls, every, first;
	_Atomic size_t count;
	struct copy list[COPIES_MAX];
};

/* On the sealer's thread, the only one that writes to the file. */
static enum err_code
copy_now(void *ctx, enum duck_step step, struct err *err)
{
	struct copies *c = ctx;
	(void)err;
	size_t n = atomic_load(&c->count);
	if (step == DUCK_STEP_IDENTITY || step == DUCK_STEP_HOT || !c->s)
		return ERR_OK;
	if (c->calls++ % c->every != c->first || n == COPIES_MAX)
		return ERR_OK;
	c->list[n] = (struct copy){duck_kit_copy(c->dir), step, store_position(c->s)};
	atomic_store(&c->count, n + 1);
	return ERR_OK;
}

static struct duck_options
options(const char *dir)
{
	struct duck_options opt = duck_kit_eager(dir);
	opt.request_age_ns = 10 * 365 * NS_PER_DAY;
	return opt;
}

/* Opens it as a start after a crash does, and reads the log again. */
static void
come_back(const char *dir, uint64_t position, uint64_t seed, struct store *reference)
{
	struct duck_options opt = options(dir);
	/* Other parts than before are sealed. */
	opt.seal_rows = seed % 3 == 0 ? 2048 : 64;
	duck_kit_whole(dir);
	struct store *s = duck_kit_open(&opt);
	assert_in_range(store_position(s), position, REQUESTS);
	duck_kit_catch_up(s, REQUESTS, seed, reference);
	store_close(s);
	duck_kit_whole(dir);
}

static void
crash_at_steps(uint64_t every, uint64_t first, uint64_t later_ns)
{
	static struct copies copies;
	const char *dir = test_tmp_dir();
	struct duck_options opt = options(dir);
	copies = (struct copies){.dir = dir, .every = every, .first = first};
	opt.fault = copy_now;
	opt.fault_ctx = &copies;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	duck_kit_wait_quiet(s);
	copies.s = s;
	duck_kit_load(s, CRASHED_AT, 1);
	duck_kit_wait_quiet(s);
	store_close(s);
	duck_kit_set_now(duck_kit_now() + later_ns);
	duck_kit_load(reference, REQUESTS, 1);
	size_t count = atomic_load(&copies.count);
	assert_true(count >= 3);
	for (size_t i = 0; i < count; i += test_is_thorough() ? 1 : 3) {
		print_message("copy %zu, step %d, position %llu\n", i, (int)copies.list[i].step,
		    (unsigned long long)copies.list[i].position);
		come_back(copies.list[i].dir, copies.list[i].position, i, reference);
	}
	store_close(reference);
}

TEST(duck, crash_at_any_step_loses_nothing_and_doubles_nothing)
{
	crash_at_steps(25, 0, 0);
}

TEST(duck, crash_at_other_steps_loses_nothing_and_doubles_nothing)
{
	crash_at_steps(25, 8, 0);
}

TEST(duck, crash_at_any_step_then_a_year_passes_and_still_nothing_is_doubled)
{
	crash_at_steps(25, 17, 365 * NS_PER_DAY);
}

TEST(duck, crash_at_any_step_and_the_clock_is_put_back)
{
	crash_at_steps(61, 2, (uint64_t)0 - 40 * NS_PER_DAY);
}

/* ---- at any moment */

static _Noreturn void
load_until_killed(const char *dir, int ready_fd)
{
	struct duck_options opt = options(dir);
	struct store *s;
	struct err err;
	if (duck_open(&opt, &s, &err) != ERR_OK)
		_exit(3);
	uint64_t position = store_position(s);
	for (uint64_t to = store_applied(s) + 1; to <= REQUESTS; to++) {
		duck_kit_load(s, to, to);
		position = store_position(s);
		if (write(ready_fd, &position, sizeof(position)) != sizeof(position))
			_exit(5);
	}
	for (;;)
		clock_sleep_ns(NS_PER_S);
}

/* The position that was seen last. */
static uint64_t
run_and_kill(const char *dir, uint64_t delay_ns)
{
	int fds[2], how;
	uint64_t position = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		load_until_killed(dir, fds[1]);
	}
	close(fds[1]);
	if (read(fds[0], &position, sizeof(position)) != sizeof(position))
		fail_msg("the child died");
	clock_sleep_ns(delay_ns);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how));
	while (read(fds[0], &position, sizeof(position)) == sizeof(position))
		;
	close(fds[0]);
	return position;
}

static void
kill_again_and_again(uint64_t first, uint64_t end)
{
#ifdef __SANITIZE_THREAD__
	test_skip("the thread sanitizer does not follow threads of a forked process");
#endif
	const char *dir = test_tmp_dir();
	struct store *reference = store_mem_new();
	duck_kit_load(reference, REQUESTS, 1);
	for (uint64_t round = first; round < end; round += test_is_thorough() ? 1 : 2) {
		uint64_t delay_ns = duck_kit_random(round, 0, 0) % 400 * NS_PER_MS;
		uint64_t position = run_and_kill(dir, delay_ns);
		print_message("round %llu: position %llu\n", (unsigned long long)round,
		    (unsigned long long)position);
		come_back(duck_kit_copy(dir), position, round, reference);
	}
	store_close(reference);
}

/* Two, for each has a test's time. */
TEST(duck, killed_again_and_again_at_any_moment_it_has_everything_once)
{
	kill_again_and_again(0, 6);
}

TEST(duck, killed_at_other_moments_it_has_everything_once)
{
	kill_again_and_again(6, 12);
}
