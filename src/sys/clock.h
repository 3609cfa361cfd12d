/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/clock.h - the clocks. Below app/ and the servers time is an argument (`now_ns`), so that
 * tests choose it; only owners of threads read a clock. Any thread; never fails.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

uint64_t clock_unix_ns(void); /* wall clock: for people and records, may jump */
uint64_t clock_mono_ns(void); /* for deadlines and durations, never jumps back */
uint64_t clock_cpu_ns(void); /* CPU time of this process, user and system, all threads */
void clock_sleep_ns(uint64_t ns);

#endif
