/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/text.h - text for a terminal: harmless, of known width, perhaps coloured.
 *
 * Text from telemetry goes through text_clean() once, and is "clean" from then on; the other
 * functions take clean text. Widths are columns of a terminal, lengths are bytes.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/buf.h"

struct cli_style { /* how to draw */
	bool color;
	bool utf8;
	unsigned width; /* 0: no limit */
	uint64_t now_unix_ns;
};

/* Columns a character takes: 0, 1 or 2. */
unsigned cli_char_width(uint32_t cp);
/* Append s in a form that is harmless on a terminal: control, bidirectional and invisible
 * characters as escapes (\n, \x1b, \u202e), bytes that are not UTF-8 as \xff, no more than a
 * few marks on one character; without utf8, '?' for what is not ASCII. */
void text_clean(struct buf *out, struct str s, bool utf8);
/* Columns of cleaned text. */
size_t text_width(struct str clean);
/* Append cleaned text, cut to `width` columns with an ellipsis when it is wider; returns the columns
 * written. */
size_t text_fit(struct buf *out, struct str clean, size_t width, bool utf8);
void text_spaces(struct buf *out, size_t n);

enum text_color {
	COLOR_NONE,
	COLOR_BOLD,
	COLOR_DIM,
	COLOR_RED,
	COLOR_GREEN,
	COLOR_YELLOW,
	COLOR_CYAN
};

void text_color_on(struct buf *out, const struct cli_style *style, enum text_color color);
void text_color_off(struct buf *out, const struct cli_style *style, enum text_color color);

/* Append cleaned text as lines no wider than the terminal, broken between words; the first begins at column `indent`, the
 * others `hang` further in. Only a word that is wider than a line goes beyond. */
void text_wrap(struct buf *out, struct str clean, const struct cli_style *style, size_t indent,
    size_t hang, enum text_color color);

/* "12s ago", "3h ago", "in 5s". At most 24 bytes. */
void text_age(struct buf *out, uint64_t unix_ns, uint64_t now_ns);
/* "1.25ms", "-3s"; a duration in nanoseconds. */
void text_duration(struct buf *out, double ns);
/* Length of the longest head of s that is at most len and does not end inside a character. */
size_t text_head(struct str s, size_t len);
/* UTC, as short as the distance to now allows: "15:12:11.042" on the same day, else
 * "11-20 15:12:11", in another year "2025-11-20 15:12:11". */
void text_time(struct buf *out, uint64_t unix_ns, uint64_t now_ns);

#endif
