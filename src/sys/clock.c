/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include "base/check.h"

#include <errno.h>
#include <time.h>

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts;
	CHECK(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t
clock_unix_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t
clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
clock_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void
clock_sleep_ns(uint64_t ns)
{
	struct timespec left = {.tv_sec = (time_t)(ns / UINT64_C(1000000000)),
	    .tv_nsec = (long)(ns % UINT64_C(1000000000))};
	while (nanosleep(&left, &left) != 0)
		CHECK(errno == EINTR);
}
