/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/edit.h - lines that somebody types at a terminal, with keys to change them and to get earlier ones back.
 *
 * The keys are those of Emacs and of most shells: arrows, Home, End, Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-K, Ctrl-R to look for an
 * earlier line; ~/.editrc may say otherwise. Ctrl-C gives the line up, Ctrl-D on an empty one is the end of the input. The
 * terminal is as it was whenever edit_line() is not running, also when a signal ends the program meanwhile.
 *
 * What is typed once the prompt can be seen is read as keys. What was typed before that, the terminal has taken as it takes
 * any line: there Ctrl-D is no key.
 *
 * An earlier line may have line feeds in it. They are shown as they are, and come back so.
 *
 * Threading: the main thread, one at a time. The library behind it is libedit; nothing else knows it.
 */
#ifndef SYS_EDIT_H
#define SYS_EDIT_H

#include "base/str.h"

#include <stdio.h>

enum edit_what {
	EDIT_LINE,
	EDIT_GIVEN_UP, /* Ctrl-C */
	EDIT_END, /* Ctrl-D, or the terminal has gone */
};

struct edit;

/* Reads standard input and draws on `screen`, both a terminal; knows so many earlier lines, no more. Text is UTF-8. NULL:
 * this terminal cannot. */
struct edit *edit_new(FILE *screen, int lines_max);
void edit_free(struct edit *e); /* NULL allowed */

/* Wait for a line; *line_out is without its end and good until the next call. */
enum edit_what edit_line(struct edit *e, const char *prompt, struct str *line_out);

/* It is the newest of the earlier lines from now on. */
void edit_remember(struct edit *e, const char *line);

#endif
