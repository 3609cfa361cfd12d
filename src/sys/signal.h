/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/signal.h - the signals that end weir. The main thread blocks them before any other thread
 * starts and then waits for one; no handler ever runs.
 */
#ifndef SYS_SIGNAL_H
#define SYS_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

enum { SIGNAL_HANG_UP = 1 }; /* SIGHUP, which is 1 wherever there is POSIX */

/* Block SIGINT, SIGTERM and SIGHUP in this thread and those it will start; ignore SIGPIPE. */
void signal_block_stop(void);
/* Wait for one of them: its number, or 0 when the deadline (clock_mono_ns; UINT64_MAX: none)
 * passes first. Main thread. */
int signal_wait_stop(uint64_t deadline_mono_ns);
/* From now on the next one ends the process at once, whatever it is doing. */
void signal_stop_now(void);
/* SIGHUP does nothing any more: to a service that is ending it says nothing. After signal_stop_now(). */
void signal_ignore_hang_up(void);
const char *signal_text(int number);

#endif
