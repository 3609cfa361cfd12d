/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/term.h - what a program has to ask the system before it writes to a terminal or a pipe.
 * Main thread; never fails.
 */
#ifndef SYS_TERM_H
#define SYS_TERM_H

#include <stdbool.h>

enum { TERM_STDIN = 0, TERM_STDOUT = 1, TERM_STDERR = 2 };

bool term_is_tty(int fd);
/* Columns of the terminal behind fd; 0 when it has none or does not say. */
unsigned term_width(int fd);
/* A reader that went away ends this process quietly, as it does every filter, also when the
 * signal was ignored by whoever started us. */
void term_die_quietly_on_closed_pipe(void);

#endif
