/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/measure.h - what other processes, files and the machine say about themselves: for the bench.
 *
 * CPU time is that of the scheduler's own clocks, in nanoseconds, user and system together; not the
 * ticks of /proc/PID/stat. Any thread; nothing here is fast.
 */
#ifndef SYS_MEASURE_H
#define SYS_MEASURE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct measure_process {
	uint64_t cpu_ns; /* all threads, ended ones included */
	uint64_t resident_bytes;
	uint64_t resident_peak_bytes; /* since it started */
};

/* ERR_NOT_FOUND: there is no such process (any more). */
MUST_CHECK enum err_code measure_process(uint64_t pid, struct measure_process *out,
    struct err *err);

enum { MEASURE_NAME_BYTES = 16 };

struct measure_thread {
	uint64_t id;
	char name[MEASURE_NAME_BYTES];
	uint64_t cpu_ns;
};

/* The threads that live now, up to max; returns how many. A process that is gone has none. */
size_t measure_threads(uint64_t pid, struct measure_thread *out, size_t max);

/* Bytes in the files below a folder, by their sizes (not the blocks they take; links are not
 * followed). Files that come and go meanwhile may be counted or not. */
MUST_CHECK enum err_code measure_tree(const char *path, uint64_t *bytes_out, struct err *err);

struct measure_machine { /* empty or 0: not known */
	char cpu[96]; /* its model */
	char kernel[96]; /* "Linux 6.1.0 x86_64" */
	unsigned cpus; /* that this process may run on */
	uint64_t memory_bytes;
};

void measure_machine(struct measure_machine *out);
/* The kind of file system that path is on: "ext4", or its number where it is an unusual one. */
void measure_filesystem(const char *path, char out[MEASURE_NAME_BYTES]);

#endif
