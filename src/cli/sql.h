/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/sql.h - `weir sql`: one statement, those of a file, or a shell.
 *
 * sql.c runs it, sql_shell.c reads what is typed, sql_history.c keeps that, sql_text.c finds where statements end,
 * sql_table.c draws an answer. Of the answer's JSON the numbers stay as they came: no digit of 64 bits is lost on the way to the screen.
 */
#ifndef CLI_SQL_H
#define CLI_SQL_H

#include "cli/cli_priv.h"
#include "sys/file.h"

/* ---- sql_text.c */

/* Length of the first statement of a text, with its semicolon, which is looked for outside of quotes and comments.
 * *whole_out: there is one. */
size_t cli_sql_end(struct str text, bool *whole_out);
/* Is there anything but blanks, comments and semicolons? */
bool cli_sql_is_empty(struct str text);

/* ---- sql_table.c */

/* The answer of POST /api/v1/sql as a table; wider than the screen even when columns are cut: a record a block.
 * *truncated_out: the server has more rows. */
MUST_CHECK enum err_code cli_sql_draw(struct buf *out, struct str answer,
    const struct cli_style *style, size_t *rows_out, bool *truncated_out, struct err *err);
/* The answer of GET /api/v1/sql/schema: all views, or the one of this name with its columns. */
MUST_CHECK enum err_code cli_sql_draw_schema(struct buf *out, struct str answer, struct str view,
    const struct cli_style *style, struct err *err);

/* ---- sql.c */

/* The words of -o. */
MUST_CHECK enum err_code cli_sql_format(struct str word, enum cli_format *out, struct err *err);

/* Run one statement and write what it answers; an exit code. */
int cli_sql_run(const struct cli_io *io, const struct cli_request *req, struct str statement);
int cli_sql_schema(const struct cli_io *io, const struct cli_request *req, struct str view);

/* ---- sql_history.c */

enum { SQL_HISTORY_LINES_MAX = 1000 };

/* Where it is kept: $WEIR_SQL_HISTORY, or in the folder of state. False: nowhere, for WEIR_SQL_HISTORY is empty or there is
 * no such place. */
bool cli_sql_history_find(const struct cli_io *io, char out[FILE_PATH_BYTES]);
/* Each entry, the oldest first; none when there is no file. */
MUST_CHECK enum err_code cli_sql_history_read(const char *path,
    void (*each)(void *ctx, const char *entry), void *ctx, struct err *err);
/* Behind the others, unless it is the same as the last one. The oldest go when there are too many. */
MUST_CHECK enum err_code cli_sql_history_add(const char *path, struct str entry, struct err *err);

/* ---- sql_shell.c */

int cli_sql_shell(const struct cli_io *io, struct cli_request *req);

#endif
