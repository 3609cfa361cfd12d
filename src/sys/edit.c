/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/edit.h"

#include "base/arena.h"

#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct edit {
	EditLine *lines;
	History *history;
	FILE *screen;
	const char *prompt;
	bool given_up;
};

/* libedit makes keys of what is typed only after the prompt is on the screen. Who types as soon as it is there, a program or
 * a paste, would have Ctrl-D taken by the terminal, which keeps a NUL of it. So it happens here: before the prompt, and
 * after libedit has begun to look after signals. */
static char *
prompt_of(EditLine *lines)
{
	struct edit *e = NULL;
	el_set(lines, EL_PREP_TERM, 1);
	el_get(lines, EL_CLIENTDATA, &e);
	return (char *)(uintptr_t)e->prompt;
}

static unsigned char
give_up(EditLine *lines, int key)
{
	struct edit *e = NULL;
	const LineInfo *info = el_line(lines);
	(void)key;
	el_get(lines, EL_CLIENTDATA, &e);
	e->given_up = true;
	/* It stays to be seen, and what comes next comes below all of it. */
	el_cursor(lines, (int)(info->lastchar - info->cursor));
	el_insertstr(lines, "^C");
	el_push(lines, "\n");
	return CC_REFRESH;
}

/* libedit's handler leaves the terminal as it was, and comes back to the line. */
static unsigned char
suspend(EditLine *lines, int key)
{
	(void)lines;
	(void)key;
	(void)raise(SIGTSTP);
	return CC_REDISPLAY;
}

/* In both modes of vi, too. */
static void
bind_key(EditLine *lines, const char *key, const char *command)
{
	el_set(lines, EL_BIND, key, command, NULL);
	el_set(lines, EL_BIND, "-a", key, command, NULL);
}

static void
bind_keys(EditLine *lines)
{
	static const char *const keys[][2] = {{"\\e[3~", "ed-delete-next-char"},
	    {"\\e[1~", "ed-move-to-beg"}, {"\\e[4~", "ed-move-to-end"}, {"\\e[H", "ed-move-to-beg"},
	    {"\\e[F", "ed-move-to-end"}, {"\\eOH", "ed-move-to-beg"}, {"\\eOF", "ed-move-to-end"},
	    {"\\e[1;5D", "ed-prev-word"}, {"\\e[1;5C", "em-next-word"},
	    {"^R", "em-inc-search-prev"}, {"^I", "ed-insert"}};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		el_set(lines, EL_BIND, keys[i][0], keys[i][1], NULL);
}

struct edit *
edit_new(FILE *screen, int lines_max)
{
	HistEvent event;
	/* Where the environment says nothing, or nothing that has more than bytes. */
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
	struct edit *e = xcalloc(1, sizeof(*e));
	e->screen = screen;
	e->history = history_init();
	e->lines = el_init("weir", stdin, screen, stderr);
	if (!e->lines || !e->history) {
		edit_free(e);
		return NULL;
	}
	history(e->history, &event, H_SETSIZE, lines_max);
	history(e->history, &event, H_SETUNIQUE, 1);
	el_set(e->lines, EL_CLIENTDATA, e);
	el_set(e->lines, EL_PROMPT, prompt_of);
	el_set(e->lines, EL_SIGNAL, 1);
	el_set(e->lines, EL_HIST, history, e->history);
	el_set(e->lines, EL_EDITOR, "emacs");
	bind_keys(e->lines);
	(void)el_source(e->lines, NULL); /* there need not be one */
	/* While a line is typed Ctrl-C and Ctrl-Z are keys and no signals. */
	el_set(e->lines, EL_SETTY, "-d", "-isig", NULL);
	el_set(e->lines, EL_ADDFN, "weir-give-up", "Give the line up", give_up);
	el_set(e->lines, EL_ADDFN, "weir-suspend", "Suspend the program", suspend);
	bind_key(e->lines, "^C", "weir-give-up");
	bind_key(e->lines, "^Z", "weir-suspend");
	return e;
}

void
edit_free(struct edit *e)
{
	if (!e)
		return;
	if (e->lines)
		el_end(e->lines);
	if (e->history)
		history_end(e->history);
	free(e);
}

enum edit_what
edit_line(struct edit *e, const char *prompt, struct str *line_out)
{
	int length = 0;
	e->prompt = prompt;
	e->given_up = false;
	fflush(e->screen);
	const char *line = el_gets(e->lines, &length);
	if (e->given_up)
		return EDIT_GIVEN_UP;
	if (!line)
		return EDIT_END;
	*line_out = str_of(line, (size_t)length);
	if (length > 0 && line[length - 1] == '\n')
		line_out->len--;
	return EDIT_LINE;
}

void
edit_remember(struct edit *e, const char *line)
{
	HistEvent event;
	history(e->history, &event, H_ENTER, line);
}
