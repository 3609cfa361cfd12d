/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/process.h - what this process takes from the machine, for /metrics. Any thread.
 */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H

#include "base/err.h"

#include <stdint.h>

/* A value that the system does not tell is 0. */
struct process_usage {
	double cpu_seconds; /* user and system, all threads */
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
	uint64_t threads;
	uint64_t start_unix_ns;
};

void process_usage(struct process_usage *out);

/* From now on nobody but this user can read what this process creates, libraries of ours included.
 * Before other threads start. */
void process_keep_private(void);

/* Run by root on a folder of somebody else: be that one from now on, so that what is made there is theirs, and what they
 * could do there is all that can be done. Others, and a folder that is not there: nothing. Before other threads start. */
MUST_CHECK enum err_code process_become_owner(const char *dir, struct err *err);

/* Give memory that was freed back to the system: malloc() keeps what lies between blocks that are in use. Takes
 * milliseconds; any thread. */
void process_trim_memory(void);

#endif
