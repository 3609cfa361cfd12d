/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/signal.h"

#include "base/check.h"
#include "sys/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

_Static_assert(SIGNAL_HANG_UP == SIGHUP, "the header has its number");

static void
stop_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void
signal_block_stop(void)
{
	sigset_t set;
	stop_set(&set);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

int
signal_wait_stop(uint64_t deadline_mono_ns)
{
	sigset_t set;
	stop_set(&set);
	for (;;) {
		uint64_t now = clock_mono_ns();
		uint64_t left = deadline_mono_ns > now ? deadline_mono_ns - now : 0;
		uint64_t seconds = left / UINT64_C(1000000000);
		struct timespec ts = {.tv_sec = (time_t)(seconds < 86400 ? seconds : 86400),
		    .tv_nsec = (long)(left % UINT64_C(1000000000))};
		int number = sigtimedwait(&set, NULL, &ts);
		if (number > 0)
			return number;
		CHECK(errno == EAGAIN || errno == EINTR);
		if (left == 0)
			return 0;
	}
}

void
signal_stop_now(void)
{
	sigset_t set;
	stop_set(&set);
	struct sigaction dflt = {.sa_handler = SIG_DFL};
	CHECK(sigaction(SIGINT, &dflt, NULL) == 0);
	CHECK(sigaction(SIGTERM, &dflt, NULL) == 0);
	CHECK(sigaction(SIGHUP, &dflt, NULL) == 0);
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

void
signal_ignore_hang_up(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	CHECK(sigaction(SIGHUP, &ignore, NULL) == 0);
}

const char *
signal_text(int number)
{
	const char *name = sigabbrev_np(number);
	return name ? name : "?";
}
