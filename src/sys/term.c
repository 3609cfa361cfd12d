/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/term.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool
term_is_tty(int fd)
{
	return isatty(fd) == 1;
}

unsigned
term_width(int fd)
{
	struct winsize size = {0};
	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void
term_die_quietly_on_closed_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
}
