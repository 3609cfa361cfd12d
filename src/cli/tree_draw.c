/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace as a tree:
 *
 *     trace 5b8aa5a2d2c872e8321cf37308d69df2
 *     4 spans of 3 services in 1.25s, 1 error, began 2026-11-20 15:12:11.042 UTC (12s ago)
 *
 *     shop POST /cart                1.25s  ████████████████████
 *     ├─ cart GET /items             400ms    ██████
 *     │  └─ db SELECT                350ms    █████
 *     └─ ✗ pay charge               12.5ms           █
 *           ✗ card declined
 *
 * Each line is name, duration and a bar on the time scale of the whole trace. A span
 * that did not end, or ended before it started, has only a mark at its start. Below a span stands what
 * tree_detail.c has to say. Depth is drawn as
 * far as the width allows; deeper spans stand at the last level with "+n" for the n levels not drawn.
 */
#include "cli/tree_draw.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum {
	WIDTH_DEFAULT = 100,
	WIDTH_FOR_BARS = 60,
	BAR_MIN = 12,
	BAR_MAX = 60,
	DURATION_WIDTH = 8, /* "-16.7ms" */
	DURATION_WIDTH_OPEN = 9, /* "not ended" */
	NAME_MIN = 20, /* of the name column, what indentation leaves */
	TEXT_BYTES_MAX = 1024,
};

const char *
tree_glyph(const struct tree_drawing *d, const char *utf8, const char *ascii)
{
	return d->style->utf8 ? utf8 : ascii;
}

void
tree_put(struct tree_line *l, struct str clean, enum text_color color)
{
	if (l->room == 0 || clean.len == 0)
		return;
	text_color_on(l->d->out, l->d->style, color);
	l->room -= text_fit(l->d->out, clean, l->room, l->d->style->utf8);
	text_color_off(l->d->out, l->d->style, color);
}

void
tree_put_raw(struct tree_line *l, struct str raw, enum text_color color)
{
	raw.len = text_head(raw, TEXT_BYTES_MAX);
	buf_reset(&l->d->scratch);
	text_clean(&l->d->scratch, raw, l->d->style->utf8);
	tree_put(l, buf_view(&l->d->scratch), color);
}

void
tree_end_line(struct buf *out)
{
	while (out->len > 0 && out->ptr[out->len - 1] == ' ')
		out->len--;
	buf_char(out, '\n');
}

/* ---- the branches left of a name */

void
tree_put_passing(struct tree_line *l, size_t depth)
{
	for (size_t i = 1; i <= depth; i++)
		tree_put(l, str_from(l->d->last[i] ? "   " : tree_glyph(l->d, "│  ", "|  ")),
		    COLOR_DIM);
}

static void
put_branch(struct tree_line *l, size_t depth)
{
	struct tree_drawing *d = l->d;
	if (depth > d->levels) {
		char more[24];
		tree_put_passing(l, d->levels);
		int n = snprintf(more, sizeof more, "+%zu ", depth - d->levels);
		tree_put(l, str_of(more, (size_t)n), COLOR_DIM);
	} else if (depth > 0) {
		tree_put_passing(l, depth - 1);
		tree_put(l,
		    str_from(d->last[depth] ? tree_glyph(d, "└─ ", "`- ")
		                            : tree_glyph(d, "├─ ", "|- ")),
		    COLOR_DIM);
	}
}

/* ---- one span */

/* The name column: branches, mark, service, operation. */
static void
put_name(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	struct tree_line l = {d, d->name_width};
	bool error = cli_item_is(s->item, "status", "error");
	struct str service = cli_item_str(s->item, "service");
	struct str operation = cli_item_str(s->item, "operation");
	put_branch(&l, depth);
	if (error)
		tree_put(&l, str_from(tree_glyph(d, "✗ ", "x ")), COLOR_RED);
	tree_put_raw(&l, service, COLOR_CYAN);
	if (service.len > 0)
		tree_put(&l, STR(" "), COLOR_NONE);
	tree_put_raw(&l, operation.len > 0 ? operation : STR("(no name)"),
	    error ? COLOR_RED : COLOR_NONE);
	text_spaces(d->out, l.room);
}

static void
put_duration(struct tree_drawing *d, const struct tree_span *s)
{
	struct tree_line l = {d, 1 + d->duration_width};
	buf_reset(&d->scratch);
	cli_item_duration(&d->scratch, s->item);
	size_t width = text_width(buf_view(&d->scratch));
	size_t blanks = 1 + (width < d->duration_width ? d->duration_width - width : 0);
	text_spaces(d->out, blanks);
	l.room -= blanks;
	tree_put(&l, buf_view(&d->scratch), s->ended ? COLOR_NONE : COLOR_YELLOW);
}

/* From the cell its start falls into to the one its end falls into, at least one. */
static void
put_bar(struct tree_drawing *d, const struct tree_span *s)
{
	if (d->bar_width == 0)
		return;
	double total = (double)(d->tree->end_ns - d->tree->start_ns);
	double cells = (double)d->bar_width;
	size_t from = 0, to = d->bar_width;
	const char *mark = s->ended ? tree_glyph(d, "█", "#") : tree_glyph(d, "▏", "|");
	if (total > 0) {
		from = (size_t)(cells * ((double)(s->start_ns - d->tree->start_ns) / total));
		to = (size_t)ceil(cells * ((double)(s->end_ns - d->tree->start_ns) / total));
	}
	from = from < d->bar_width ? from : d->bar_width - 1;
	to = s->ended && to > from ? to : from + 1;
	to = to < d->bar_width ? to : d->bar_width;
	enum text_color color = cli_item_is(s->item, "status", "error") ? COLOR_RED : COLOR_CYAN;
	text_spaces(d->out, 2 + from);
	text_color_on(d->out, d->style, color);
	for (; from < to; from++)
		buf_str(d->out, str_from(mark));
	text_color_off(d->out, d->style, color);
}

static void
put_span(struct tree_drawing *d, const struct tree_span *s, size_t depth)
{
	put_name(d, s, depth);
	put_duration(d, s);
	put_bar(d, s);
	tree_end_line(d->out);
	tree_put_details(d, s, depth);
}

/* ---- all of it */

/* Depth first, without recursion: path[k] is the span of level k that the walk is in. */
static void
put_tree(struct tree_drawing *d, size_t root, size_t *path)
{
	const struct tree_span *spans = d->tree->spans;
	size_t depth = 0;
	path[0] = root;
	for (;;) {
		const struct tree_span *s = &spans[path[depth]];
		if (depth > 0 && depth <= TREE_LEVELS_MAX)
			d->last[depth] = s->next_sibling == SIZE_MAX;
		put_span(d, s, depth);
		if (s->first_child != SIZE_MAX) {
			CHECK(depth + 1 < d->tree->count);
			path[++depth] = s->first_child;
			continue;
		}
		while (depth > 0 && spans[path[depth]].next_sibling == SIZE_MAX)
			depth--;
		if (depth == 0)
			return;
		path[depth] = spans[path[depth]].next_sibling;
	}
}

static void
put_note(struct tree_drawing *d, enum tree_root kind, bool truncated)
{
	static const char *const notes[] = {
	    [TREE_ORPHAN] = "spans whose parent is not here:",
	    [TREE_LOOP] = "spans whose parents form a loop:",
	};
	if (kind != TREE_ORPHAN && kind != TREE_LOOP)
		return;
	struct tree_line l = {d, d->width};
	buf_char(d->out, '\n');
	bool beyond = kind == TREE_ORPHAN && truncated;
	tree_put(&l,
	    beyond ? STR("spans whose parent is not among those shown:") : str_from(notes[kind]),
	    COLOR_YELLOW);
	tree_end_line(d->out);
}

static void
put_head(struct tree_drawing *d, const json_t *answer)
{
	struct buf b = {0};
	uint64_t errors = cli_item_u64(answer, "error_count");
	size_t services = json_array_size(json_object_get(answer, "services"));
	struct tree_line l = {d, SIZE_MAX}; /* an id is never cut: it is there to be copied */
	tree_put(&l, STR("trace "), COLOR_DIM);
	tree_put_raw(&l, cli_item_str(answer, "trace_id"), COLOR_BOLD);
	tree_end_line(d->out);

	l.room = d->width;
	buf_printf(&b, "%zu span%s of %zu service%s in ", d->tree->count,
	    d->tree->count == 1 ? "" : "s", services, services == 1 ? "" : "s");
	text_duration(&b, (double)(d->tree->end_ns - d->tree->start_ns));
	tree_put(&l, buf_view(&b), COLOR_NONE);
	buf_reset(&b);
	buf_printf(&b, ", %llu error%s", (unsigned long long)errors, errors == 1 ? "" : "s");
	tree_put(&l, buf_view(&b), errors > 0 ? COLOR_RED : COLOR_NONE);
	buf_reset(&b);
	if (d->tree->open_count > 0)
		buf_printf(&b, ", %zu not ended", d->tree->open_count);
	tree_put(&l, buf_view(&b), COLOR_YELLOW);
	buf_reset(&b);
	buf_str(&b, STR(", began "));
	text_time(&b, d->tree->start_ns, d->style->now_unix_ns);
	buf_str(&b, STR(" UTC ("));
	text_age(&b, d->tree->start_ns, d->style->now_unix_ns);
	buf_char(&b, ')');
	tree_put(&l, buf_view(&b), COLOR_NONE);
	tree_end_line(d->out);
	buf_fini(&b);
}

/* A line of its own; the text is gone behind it. */
static void
put_bound(struct tree_drawing *d, struct buf *text)
{
	struct tree_line l = {d, d->width};
	tree_put(&l, buf_view(text), COLOR_YELLOW);
	tree_end_line(d->out);
	buf_fini(text);
}

/* What is missing, for the reader to know before looking. */
static void
put_bounds(struct tree_drawing *d, bool truncated, bool more_logs, bool more_comments)
{
	struct buf b = {0};
	if (truncated) {
		buf_printf(&b, "only the first %zu span%s shown; parents may be missing: raise -n",
		    d->tree->count, d->tree->count == 1 ? " is" : "s are");
		put_bound(d, &b);
	}
	if (more_logs) {
		buf_printf(&b, "only the newest %zu log records are shown", d->logs.count);
		put_bound(d, &b);
	}
	if (more_comments) {
		buf_printf(&b, "only the oldest %zu comments are shown", d->comments.count);
		put_bound(d, &b);
	}
}

static void
measure(struct tree_drawing *d)
{
	d->width = d->style->width > 0 ? d->style->width : WIDTH_DEFAULT;
	if (d->width >= WIDTH_FOR_BARS) {
		d->bar_width = d->width * 3 / 10;
		d->bar_width = d->bar_width < BAR_MAX ? d->bar_width : BAR_MAX;
		d->bar_width = d->bar_width > BAR_MIN ? d->bar_width : BAR_MIN;
	}
	d->duration_width = d->tree->open_count > 0 ? DURATION_WIDTH_OPEN : DURATION_WIDTH;
	size_t right = 1 + d->duration_width + (d->bar_width > 0 ? 2 + d->bar_width : 0);
	d->name_width = d->width > right ? d->width - right : 1;
	if (d->name_width > NAME_MIN)
		d->levels = (d->name_width - NAME_MIN) / TREE_LEVEL_WIDTH;
	d->levels = d->levels < TREE_LEVELS_MAX ? d->levels : TREE_LEVELS_MAX;
}

void
cli_draw_tree(struct buf *out, const json_t *answer, const json_t *logs, const json_t *comments,
    bool verbose, const struct cli_style *style)
{
	struct tree tree;
	bool truncated = json_is_true(json_object_get(answer, "truncated"));
	tree_init(&tree, json_object_get(answer, "spans"));
	struct tree_drawing d = {.out = out, .style = style, .tree = &tree, .verbose = verbose};
	tree_logs_init(&d.logs, json_object_get(logs, "logs"));
	tree_comments_init(&d.comments, json_object_get(comments, "comments"));
	measure(&d);
	put_head(&d, answer);
	put_bounds(&d, truncated, json_object_get(logs, "next_cursor") != NULL,
	    json_object_get(comments, "next_cursor") != NULL);
	buf_char(out, '\n');
	size_t *path = xcalloc(tree.count + 1, sizeof *path);
	enum tree_root kind = TREE_ROOT;
	for (size_t i = 0; i < tree.root_count; i++) {
		if (tree.spans[tree.roots[i]].root != kind) {
			kind = tree.spans[tree.roots[i]].root;
			put_note(&d, kind, truncated);
		}
		put_tree(&d, tree.roots[i], path);
	}
	tree_put_other_logs(&d);
	tree_put_other_comments(&d);
	free(path);
	buf_fini(&d.scratch);
	tree_logs_fini(&d.logs);
	tree_comments_fini(&d.comments);
	tree_fini(&tree);
}
