/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/table.h - items of a JSON list as rows and columns that fit the terminal.
 *
 * A view is a list of columns; each has a function that makes one cell (no more, no less) from an
 * item. Order of the columns is that on the screen. When room is short, `keep` says which go first;
 * some that go are still shown, on lines of their own below their row. A column without any text is
 * not shown, nor one that the command line made the same for all rows.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/text.h"

/* jansson's; its header is only in files that do not see wire/json_read.h, whose names are alike. */
typedef struct json_t json_t;

struct table_cell {
	size_t off, len; /* cleaned, in text */
	size_t width;
	enum text_color color;
};

struct table_text { /* where a view puts the cells, row by row */
	const struct cli_style *style;
	struct buf text;
	struct table_cell *cells;
	size_t cell_count, cell_cap;
	bool old; /* a view found a row of another day: the age alone does not tell when */
};

/* When a column that does not fit is shown below its row. */
enum table_below { BELOW_NEVER, BELOW_ALWAYS, BELOW_IF_OLD };

/* A column of at least this `keep` is only cut or dropped when all below it have gone. */
enum { TABLE_KEEP_ESSENTIAL = 60 };

struct table_column {
	const char *title;
	unsigned keep; /* when the terminal is too narrow the column with the lowest goes first */
	unsigned keep_old; /* instead, in a table of old rows; 0: the same */
	unsigned want; /* is cut down to this before a column goes; 0: never cut (unless alone) */
	unsigned
	    width_min; /* an essential one down to this when nothing else helps; 0: as `want` */
	bool right; /* aligned */
	enum table_below below;
	const char *param; /* NULL, or the parameter that makes all its cells the same */
	void (*cell)(struct table_text *t, const json_t *item);
};

struct table_view {
	const char *op; /* name of the operation */
	const char *noun; /* "spans" */
	const struct table_column *columns; /* ends with a NULL title */
	/* NULL, or what stands below the table. */
	void (*below)(struct buf *out, const json_t *items, const struct cli_style *style);
};

/* Append a cell; raw text is cleaned here. */
void table_cell(struct table_text *t, struct str raw, enum text_color color);
/* Draw the items (a JSON array). is_set (NULL: none is) says which parameters were given. */
void table_draw(struct buf *out, const struct table_view *view, const json_t *items,
    const struct cli_style *style, bool (*is_set)(const void *ctx, const char *param),
    const void *ctx);
/* Counts over time in one line of bars with two of words, or nothing when it is NULL or null (histogram.c). */
void cli_draw_histogram(struct buf *out, const json_t *histogram, const struct cli_style *style);

#endif
