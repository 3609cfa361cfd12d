/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/thread.h"

#include "base/arena.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

struct start_args {
	void (*fn)(void *ctx);
	void *ctx;
};

static void *
thread_main(void *arg)
{
	struct start_args args = *(struct start_args *)arg;
	free(arg);
	args.fn(args.ctx);
	return NULL;
}

enum err_code
thread_start(struct thread *t, const char *name, void (*fn)(void *ctx), void *ctx, struct err *err)
{
	CHECK(!t->started);
	sigset_t all, before;
	struct start_args *args = xcalloc(1, sizeof(*args));
	*args = (struct start_args){.fn = fn, .ctx = ctx};
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int rc = pthread_create(&t->id, NULL, thread_main, args);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (rc != 0) {
		free(args);
		return err_set_errno(err, ERR_UNAVAILABLE, rc, "cannot start thread %s", name);
	}
	t->started = true;
	pthread_setname_np(t->id, name);
	return ERR_OK;
}

/* setpriority(2), under BUGS: in Linux the nice value is the thread's, whatever POSIX says. 5 is a weight of 335 beside 1,024. */
void
thread_give_way(void)
{
	(void)setpriority(PRIO_PROCESS, 0, 5);
}

void
thread_join(struct thread *t)
{
	if (!t || !t->started)
		return;
	CHECK(pthread_join(t->id, NULL) == 0);
	t->started = false;
}

void
mutex_init(struct mutex *m)
{
	CHECK(pthread_mutex_init(&m->m, NULL) == 0);
}

void
mutex_fini(struct mutex *m)
{
	CHECK(pthread_mutex_destroy(&m->m) == 0);
}

void
mutex_lock(struct mutex *m)
{
	CHECK(pthread_mutex_lock(&m->m) == 0);
}

void
mutex_unlock(struct mutex *m)
{
	CHECK(pthread_mutex_unlock(&m->m) == 0);
}

void
cond_init(struct cond *c)
{
	pthread_condattr_t attr;
	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(&c->c, &attr) == 0);
	CHECK(pthread_condattr_destroy(&attr) == 0);
}

void
cond_fini(struct cond *c)
{
	CHECK(pthread_cond_destroy(&c->c) == 0);
}

void
cond_wait(struct cond *c, struct mutex *m)
{
	CHECK(pthread_cond_wait(&c->c, &m->m) == 0);
}

bool
cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(deadline_mono_ns / UINT64_C(1000000000)),
	    .tv_nsec = (long)(deadline_mono_ns % UINT64_C(1000000000))};
	int rc = pthread_cond_timedwait(&c->c, &m->m, &ts);
	CHECK(rc == 0 || rc == ETIMEDOUT);
	return rc == 0;
}

void
cond_signal(struct cond *c)
{
	CHECK(pthread_cond_signal(&c->c) == 0);
}

void
cond_broadcast(struct cond *c)
{
	CHECK(pthread_cond_broadcast(&c->c) == 0);
}

unsigned
thread_cpu_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	int n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}
