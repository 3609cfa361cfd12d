/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cell.h - cells of a table (cli/table.h) that many views have: a member of an item, as text, as a number, as an age.
 *
 * Of a text no more than CELL_BYTES_MAX bytes become a cell: more is never seen, and a log body can be a megabyte. What is missing is an empty one, unless it says otherwise.
 */
#ifndef CLI_CELL_H
#define CLI_CELL_H

#include "base/buf.h"
#include "cli/table.h"

enum { CELL_BYTES_MAX = 4096 };

/* Takes the buffer. */
void cell_buf(struct table_text *t, struct buf *b, enum text_color color);
void cell_text(struct table_text *t, const json_t *item, const char *key, enum text_color color);
/* "-" when there is none. */
void cell_text_or_dash(struct table_text *t, const json_t *item, const char *key,
    enum text_color color);
void cell_count(struct table_text *t, const json_t *item, const char *key);
/* How long ago a time in ns was. */
void cell_age(struct table_text *t, const json_t *item, const char *key);
/* Dollars of "cost_usd": "$1.2345", smaller ones with six digits; "?" when nobody knows. With "+" some of its calls have no price
 * ("calls_without_price") and are not in it. */
void cell_cost(struct table_text *t, const json_t *item);

/* Whole cells, of what begins, takes time and is of a service and a trace. */
void cell_started(struct table_text *t, const json_t *item);
void cell_took(struct table_text *t, const json_t *item);
void cell_service(struct table_text *t, const json_t *item);
void cell_trace(struct table_text *t, const json_t *item);

#endif
