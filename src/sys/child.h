/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/child.h - a second process of this very program, for work that this one must survive.
 *
 * child_start() runs /proc/self/exe with other arguments. The two are joined by a pair of sockets (sys/tcp.h);
 * of everything else the child gets nothing: no other descriptor, no standard error, no signal that is blocked or ignored, of
 * the environment only what the loader of libraries, the locale and sanitizers need. It is killed when the thread that
 * started it ends.
 *
 * In the child, child_confine() gives up what it will not need, for good.
 *
 * Threading: a child has one user at a time.
 */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include "base/err.h"

#include <stdint.h>

enum { CHILD_FD = 3 }; /* where the child finds its end of the pair */

struct child {
	int pid; /* 0: none */
	int fd; /* our end: non-blocking */
};

/* argv[0] is the name it shows, the list ends with NULL. ERR_BUSY: the system has no room for it. */
MUST_CHECK enum err_code child_start(const char *const *argv, struct child *out, struct err *err);
/* Kill it, wait until it is gone, close our end. Returns the number of the signal that ended it, 0 when it ended by
 * itself. None: fine. */
int child_end(struct child *c);

/* Memory of its own that it has, for whoever does not trust its limits; 0: not known. */
uint64_t child_memory(const struct child *c);

/* ---- in the child */

struct child_limits {
	uint64_t memory_bytes; /* more than it has now; 0: any */
	uint64_t file_bytes; /* of one file it writes */
	const char *
	    dir; /* where it may have files, which is there; else it has what it has open: sys/confine.h */
};

/* It dies with its parent, leaves no core, is the first that a system without memory kills, is nicer than others; it may
 * start no programs and no processes, and has no network and no files but those of `dir`. A writing that passes file_bytes
 * fails. While there is one thread only. What the system does not know is left out. */
void child_confine(const struct child_limits *l);
/* A file in memory that has no name; -1: none. */
int child_memory_file(void);
/* Read what it has, from the start; false: it cannot be read. */
bool child_read_file(int fd, bool (*take)(void *ctx, const void *bytes, size_t n), void *ctx);
void child_empty_file(int fd);
/* The end of this process, at once: no cleaning up. */
_Noreturn void child_exit(int code);

#endif
