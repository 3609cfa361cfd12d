/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/confine.h - a process gives up what it will not need, for good: files, the network, other programs and processes.
 *
 * For a process that does what strangers ask of it (sys/child.h). Two walls of the kernel's: Landlock says which files can be
 * opened, a filter of system calls (seccomp) answers EPERM to what opens sockets, starts programs or processes, or reaches
 * into others. Threads can still be started, and what is open already stays so. Both hold for threads that are started
 * afterwards: call it while there is only one.
 */
#ifndef SYS_CONFINE_H
#define SYS_CONFINE_H

#include <stdbool.h>

struct confined {
	bool files, calls; /* which walls the system has */
};

/* Only below `dir` can files be made, written, read and removed; read can also be what the kernel says of this process
 * (/proc/self), of the processors and the control groups. Needs PR_SET_NO_NEW_PRIVS. What the kernel does not have is left out. */
struct confined confine_process(const char *dir);

#endif
