/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/thread.h - threads, mutexes, condition variables.
 *
 * Mutexes live in sys/queue and in a few leaf objects: no callback, I/O or allocation under a
 * lock. Waits are on the monotonic clock. Failures of these calls are broken invariants (CHECK),
 * except that a thread may not start.
 */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

struct thread {
	pthread_t id;
	bool started;
};

struct mutex {
	pthread_mutex_t m;
};

struct cond {
	pthread_cond_t c;
};

/* `name` is at most 15 characters (what ps and gdb show). All signals are blocked in it. */
MUST_CHECK enum err_code thread_start(struct thread *t, const char *name, void (*fn)(void *ctx),
    void *ctx, struct err *err);
/* From now on the calling thread, not its process, gives way to threads that want a processor too: to take what one leaves
 * idle, and about a third of one that nobody leaves. It cannot be taken back. */
void thread_give_way(void);
/* Wait for its end. A thread that was never started is fine. */
void thread_join(struct thread *t);

void mutex_init(struct mutex *m);
void mutex_fini(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct mutex *m);
/* False when the deadline (clock_mono_ns) passed first. */
bool cond_wait_until(struct cond *c, struct mutex *m, uint64_t deadline_mono_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

unsigned thread_cpu_count(void); /* processors this process may run on; at least 1 */

#endif
