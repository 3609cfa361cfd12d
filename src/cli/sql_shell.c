/* SPDX-License-Identifier: Apache-2.0 */
/* The shell of `weir sql`: statements of several lines, and words that begin with a dot. */
#include "cli/sql.h"

#include "base/arena.h"
#include "sys/edit.h"

#include <stdlib.h>

enum { LINE_BYTES = 65536, STATEMENT_BYTES_MAX = 1 << 20 };

static const char shell_help[] =
    "A statement may have several lines and ends with a semicolon.\n"
    "\n"
    "  .schema [VIEW]    the views, or the columns of one\n"
    "  .output FORMAT    table, json, ndjson or csv\n"
    "  .help             this text\n"
    "  .quit             leave (as Ctrl-D does)\n"
    "\n"
    "At a terminal the arrows go back and forth, in the line and to what was typed\n"
    "before; Ctrl-R looks for it, Ctrl-C gives up what is typed.\n";

struct shell {
	const struct cli_io *io;
	struct cli_request *req;
	struct buf statement; /* what has been typed of it and has not been run */
	struct buf entry; /* the same with what has been run of it, which is remembered as one */
	struct edit *edit; /* NULL: whoever types cannot go back */
	char history[FILE_PATH_BYTES]; /* empty: it is not kept */
	bool over;
};

/* ---- what was typed before */

static void
take_entry(void *ctx, const char *entry)
{
	struct edit *edit = ctx;
	if (entry[0] != '\0')
		edit_remember(edit, entry);
}

static void
begin_history(struct shell *s)
{
	struct err e;
	if (!cli_sql_history_find(s->io, s->history)) {
		s->history[0] = '\0';
	} else if (cli_sql_history_read(s->history, take_entry, s->edit, &e) != ERR_OK) {
		err_wrap(&e, "what was typed before is not there");
		(void)cli_fail(s->io, CLI_ERROR, &e);
		s->history[0] = '\0';
	}
}

/* Before it is run: then it is there even when that takes too long for whoever typed it. */
static void
remember(struct shell *s)
{
	struct err e;
	struct str entry = str_trim(buf_view(&s->entry));
	if (!s->edit || s->entry.failed || entry.len == 0)
		return;
	char *text = xcalloc(entry.len + 1, 1);
	memcpy(text, entry.ptr, entry.len);
	edit_remember(s->edit, text);
	free(text);
	if (s->history[0] == '\0' || cli_sql_history_add(s->history, entry, &e) == ERR_OK)
		return;
	err_wrap(&e, "what is typed is not kept");
	(void)cli_fail(s->io, CLI_ERROR, &e);
	s->history[0] = '\0';
}

/* ---- words and statements */

static void
set_format(struct shell *s, struct str word)
{
	struct err e = {0};
	enum cli_format format = FORMAT_AUTO;
	enum err_code code = cli_sql_format(word, &format, &e);
	if (code == ERR_OK && format == FORMAT_PARQUET)
		code = err_set(&e, ERR_INVALID, "parquet is not for a terminal");
	if (code == ERR_OK)
		s->req->format = format;
	else
		(void)cli_fail(s->io, CLI_USAGE, &e);
}

static void
run_word(struct shell *s, struct str line)
{
	struct err e = {0};
	struct str word = str_of(line.ptr, str_find(line, ' '));
	struct str rest = str_trim(str_skip(line, word.len));
	while (rest.len > 0 && rest.ptr[rest.len - 1] == ';')
		rest.len--;
	if (str_eq(word, STR(".quit")) || str_eq(word, STR(".exit"))) {
		s->over = true;
	} else if (str_eq(word, STR(".help"))) {
		fputs(shell_help, s->io->out);
	} else if (str_eq(word, STR(".schema"))) {
		(void)cli_sql_schema(s->io, s->req, rest);
	} else if (str_eq(word, STR(".output"))) {
		set_format(s, rest);
	} else {
		err_set(&e, ERR_INVALID, "no word \"%.*s\"; .help lists them",
		    word.len < 40 ? (int)word.len : 40, word.ptr);
		(void)cli_fail(s->io, CLI_USAGE, &e);
	}
}

/* All statements that are whole; the rest waits for more lines. */
static void
run_whole(struct shell *s)
{
	bool whole = true;
	while (s->statement.len > 0) {
		struct str text = buf_view(&s->statement);
		size_t end = cli_sql_end(text, &whole);
		if (!whole)
			break;
		struct str statement = str_trim(str_of(text.ptr, end));
		if (!cli_sql_is_empty(statement))
			(void)cli_sql_run(s->io, s->req, statement);
		memmove(s->statement.ptr, s->statement.ptr + end, s->statement.len - end);
		s->statement.len -= end;
	}
	if (cli_sql_is_empty(buf_view(&s->statement)))
		buf_reset(&s->statement);
}

/* Does nothing wait for another line? */
static bool
is_whole(struct str text)
{
	bool whole = true;
	while (text.len > 0 && whole) {
		size_t end = cli_sql_end(text, &whole);
		text = str_skip(text, whole ? end : 0);
	}
	return cli_sql_is_empty(text);
}

static void
give_up(struct shell *s)
{
	buf_reset(&s->statement);
	buf_reset(&s->entry);
}

static void
take_statement(struct shell *s, struct str line)
{
	struct err e = {0};
	buf_str(&s->statement, line);
	buf_char(&s->statement, '\n');
	if (s->statement.failed) {
		err_set(&e, ERR_TOO_LARGE, "the statement is too long");
		(void)cli_fail(s->io, CLI_USAGE, &e);
		give_up(s);
	}
	bool whole = is_whole(buf_view(&s->statement));
	if (whole)
		remember(s);
	run_whole(s);
	if (whole)
		buf_reset(&s->entry);
}

static void
take_line(struct shell *s, struct str line)
{
	struct str word = str_trim(line);
	bool first = s->statement.len == 0;
	bool leaves = str_eq_nocase(word, STR("quit")) || str_eq_nocase(word, STR("exit")) ||
	    str_eq_nocase(word, STR("quit;")) || str_eq_nocase(word, STR("exit;"));
	buf_str(&s->entry, line);
	buf_char(&s->entry, '\n');
	if (first && leaves) {
		s->over = true;
	} else if (first && str_starts(word, STR("."))) {
		remember(s);
		buf_reset(&s->entry);
		run_word(s, word);
	} else {
		take_statement(s, line);
	}
}

/* ---- the shell */

/* False: the input has ended. *out: a line, or NULL when there is none. */
static bool
read_line(struct shell *s, char *plain, struct str *out)
{
	const char *prompt = s->statement.len > 0 ? "   > " : "sql> ";
	*out = STR_EMPTY;
	fflush(s->io->out);
	if (s->edit) {
		enum edit_what what = edit_line(s->edit, prompt, out);
		if (what == EDIT_GIVEN_UP)
			give_up(s);
		return what != EDIT_END;
	}
	fputs(prompt, s->io->out);
	fflush(s->io->out);
	if (!s->io->read_line(s->io->ctx, plain, LINE_BYTES))
		return false;
	*out = str_from(plain);
	return true;
}

int
cli_sql_shell(const struct cli_io *io, struct cli_request *req)
{
	struct shell s = {.io = io, .req = req};
	FILE *screen = io->screen ? io->screen : io->out;
	char *plain = xcalloc(LINE_BYTES, 1);
	struct str line;
	buf_init(&s.statement, STATEMENT_BYTES_MAX);
	buf_init(&s.entry, STATEMENT_BYTES_MAX);
	fprintf(screen, "weir sql at %.*s: .help says what there is, Ctrl-D leaves\n",
	    STR_ARG(req->server.url));
	if (io->screen)
		s.edit = edit_new(io->screen, SQL_HISTORY_LINES_MAX);
	if (s.edit)
		begin_history(&s);
	while (!s.over && read_line(&s, plain, &line))
		if (line.ptr)
			take_line(&s, line);
	if (!s.over)
		fputc('\n', screen);
	edit_free(s.edit);
	buf_fini(&s.entry);
	buf_fini(&s.statement);
	free(plain);
	return CLI_OK;
}
