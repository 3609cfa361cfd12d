/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/table.h - items of a JSON list as rows and columns that fit the terminal.
 *
 * A view is a list of columns; each has a function that makes one cell (no more, no less) from an
 * item. Order of the columns is that on the screen; `keep` says which go first when room is short.
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
};

struct table_column {
	const char *title;
	unsigned keep; /* when the terminal is too narrow the column with the lowest goes first */
	unsigned width_min; /* may be cut down to this; 0: never cut (unless alone) */
	bool right; /* aligned */
	void (*cell)(struct table_text *t, const json_t *item);
};

struct table_view {
	const char *op; /* name of the operation */
	const char *noun; /* "spans" */
	const struct table_column *columns; /* ends with a NULL title */
};

/* Append a cell; raw text is cleaned here. */
void table_cell(struct table_text *t, struct str raw, enum text_color color);
/* Draw the items (a JSON array). */
void table_draw(struct buf *out, const struct table_view *view, const json_t *items,
    const struct cli_style *style);

#endif
