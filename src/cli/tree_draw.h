/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/tree_draw.h - what the drawing of a trace (tree_draw.c) and of what stands below its spans
 * (tree_detail.c) share.
 */
#ifndef CLI_TREE_DRAW_H
#define CLI_TREE_DRAW_H

#include "cli/cli_priv.h"
#include "cli/tree.h"

#include "base/map.h"

enum { TREE_LEVELS_MAX = 24, TREE_LEVEL_WIDTH = 3 };

/* The log records of a trace, by span; each is drawn once. */
struct tree_logs {
	const json_t *items; /* newest first, as the server gives them; NULL: none asked for */
	struct map by_span; /* span id: index of its oldest one; 0 for those of no span */
	size_t *next; /* the next newer one of the same span, or SIZE_MAX */
	size_t count, drawn_count;
};

/* The comments on a trace, likewise. */
struct tree_comments {
	const json_t *items; /* oldest first; NULL: there are none */
	bool *drawn;
	size_t count;
};

struct tree_drawing {
	struct buf *out;
	const struct cli_style *style;
	const struct tree *tree;
	struct tree_logs logs;
	struct tree_comments comments;
	size_t width, name_width, duration_width, bar_width, levels;
	bool verbose;
	bool last[TREE_LEVELS_MAX + 1]; /* per level: the branch ends with this span */
	struct buf scratch;
};

/* A line being filled up to its width. */
struct tree_line {
	struct tree_drawing *d;
	size_t room;
};

const char *tree_glyph(const struct tree_drawing *d, const char *utf8, const char *ascii);
void tree_put(struct tree_line *l, struct str clean, enum text_color color);
/* Cleans; only the head of a long text is looked at. */
void tree_put_raw(struct tree_line *l, struct str raw, enum text_color color);
/* The lines of levels 1 to `depth` that run past. */
void tree_put_passing(struct tree_line *l, size_t depth);
/* Ends the line, without blanks at its end. */
void tree_end_line(struct buf *out);

void tree_logs_init(struct tree_logs *logs, const json_t *items);
void tree_logs_fini(struct tree_logs *logs);
/* All that stands below the line of a span: what its status says, exceptions, attributes and other
 * events (when verbose), log records. */
void tree_put_details(struct tree_drawing *d, const struct tree_span *s, size_t depth);
void tree_comments_init(struct tree_comments *comments, const json_t *items);
void tree_comments_fini(struct tree_comments *comments);
/* Those on the trace itself, or on spans that are not shown. */
void tree_put_other_comments(struct tree_drawing *d);
/* The log records that no tree_put_details() has drawn. */
void tree_put_other_logs(struct tree_drawing *d);

/* The answer to "trace" as a tree; with the answers to "logs" and "trace_comments" (NULL: none) below its spans;
 * verbose: with attributes and events. */
void cli_draw_tree(struct buf *out, const json_t *answer, const json_t *logs,
    const json_t *comments, bool verbose, const struct cli_style *style);
/* One span, whole. */
void cli_draw_span(struct buf *out, const json_t *span, const struct cli_style *style);

#endif
