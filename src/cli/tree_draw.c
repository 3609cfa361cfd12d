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
 * Each line is name, duration and a bar on the time scale of the whole trace. Below a span stand
 * what its status says when that is an error, and the exceptions among its events. Depth is drawn as
 * far as the width allows; deeper spans stand at the last level with "+n" for the n levels not drawn.
 */
#include "cli/cli_priv.h"
#include "cli/tree.h"

#include "base/timefmt.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum {
	WIDTH_DEFAULT = 100,
	WIDTH_FOR_BARS = 60,
	BAR_MIN = 12,
	BAR_MAX = 60,
	DURATION_WIDTH = 8,
	NAME_MIN = 20, /* of the name column, what indentation leaves */
	LEVELS_MAX = 24,
	LEVEL_WIDTH = 3,
	EXCEPTIONS_MAX = 3,
	TEXT_BYTES_MAX = 1024,
};

struct drawing {
	struct buf *out;
	const struct cli_style *style;
	const struct tree *tree;
	size_t width, name_width, bar_width, levels;
	bool last[LEVELS_MAX + 1]; /* per level: the branch ends with this span */
	struct buf scratch;
};

/* A line being filled up to its width. */
struct line {
	struct drawing *d;
	size_t room;
};

static const char *
glyph(const struct drawing *d, const char *utf8, const char *ascii)
{
	return d->style->utf8 ? utf8 : ascii;
}

static void
put(struct line *l, struct str clean, enum text_color color)
{
	if (l->room == 0 || clean.len == 0)
		return;
	text_color_on(l->d->out, l->d->style, color);
	l->room -= text_fit(l->d->out, clean, l->room, l->d->style->utf8);
	text_color_off(l->d->out, l->d->style, color);
}

static void
put_raw_text(struct line *l, struct str raw, enum text_color color)
{
	raw.len = text_head(raw, TEXT_BYTES_MAX);
	buf_reset(&l->d->scratch);
	text_clean(&l->d->scratch, raw, l->d->style->utf8);
	put(l, buf_view(&l->d->scratch), color);
}

static void
end_line(struct buf *out)
{
	while (out->len > 0 && out->ptr[out->len - 1] == ' ')
		out->len--;
	buf_char(out, '\n');
}

/* ---- the branches left of a name */

/* The lines of levels 1 to `depth` that run past. */
static void
put_passing(struct line *l, size_t depth)
{
	for (size_t i = 1; i <= depth; i++)
		put(l, str_from(l->d->last[i] ? "   " : glyph(l->d, "│  ", "|  ")), COLOR_DIM);
}

static void
put_branch(struct line *l, size_t depth)
{
	struct drawing *d = l->d;
	if (depth > d->levels) {
		char more[24];
		put_passing(l, d->levels);
		int n = snprintf(more, sizeof more, "+%zu ", depth - d->levels);
		put(l, str_of(more, (size_t)n), COLOR_DIM);
	} else if (depth > 0) {
		put_passing(l, depth - 1);
		put(l, str_from(d->last[depth] ? glyph(d, "└─ ", "`- ") : glyph(d, "├─ ", "|- ")),
		    COLOR_DIM);
	}
}

/* ---- one span */

/* The name column: branches, mark, service, operation. */
static void
put_name(struct drawing *d, const struct tree_span *s, size_t depth)
{
	struct line l = {d, d->name_width};
	bool error = cli_item_is(s->item, "status", "error");
	struct str service = cli_item_str(s->item, "service");
	struct str operation = cli_item_str(s->item, "operation");
	put_branch(&l, depth);
	if (error)
		put(&l, str_from(glyph(d, "✗ ", "x ")), COLOR_RED);
	put_raw_text(&l, service, COLOR_CYAN);
	if (service.len > 0)
		put(&l, STR(" "), COLOR_NONE);
	put_raw_text(&l, operation.len > 0 ? operation : STR("(no name)"),
	    error ? COLOR_RED : COLOR_NONE);
	text_spaces(d->out, l.room);
}

static void
put_duration(struct drawing *d, const struct tree_span *s)
{
	buf_reset(&d->scratch);
	text_duration(&d->scratch, cli_item_f64(s->item, "duration_ms") * 1e6);
	size_t width = text_width(buf_view(&d->scratch));
	text_spaces(d->out, 1 + (width < DURATION_WIDTH ? DURATION_WIDTH - width : 0));
	buf_str(d->out, buf_view(&d->scratch));
}

/* From the cell its start falls into to the one its end falls into, at least one. */
static void
put_bar(struct drawing *d, const struct tree_span *s)
{
	if (d->bar_width == 0)
		return;
	double total = (double)(d->tree->end_ns - d->tree->start_ns);
	double cells = (double)d->bar_width;
	size_t from = 0, to = d->bar_width;
	if (total > 0) {
		from = (size_t)(cells * ((double)(s->start_ns - d->tree->start_ns) / total));
		to = (size_t)ceil(cells * ((double)(s->end_ns - d->tree->start_ns) / total));
	}
	from = from < d->bar_width ? from : d->bar_width - 1;
	to = to > from ? to : from + 1;
	to = to < d->bar_width ? to : d->bar_width;
	enum text_color color = cli_item_is(s->item, "status", "error") ? COLOR_RED : COLOR_CYAN;
	text_spaces(d->out, 2 + from);
	text_color_on(d->out, d->style, color);
	for (; from < to; from++)
		buf_str(d->out, str_from(glyph(d, "█", "#")));
	text_color_off(d->out, d->style, color);
}

/* ---- what stands below a span */

static struct line
detail_line(struct drawing *d, const struct tree_span *s, size_t depth)
{
	struct line l = {d, d->width};
	put_passing(&l, depth < d->levels ? depth : d->levels);
	bool goes_on = s->first_child != SIZE_MAX && depth < d->levels;
	put(&l, str_from(goes_on ? glyph(d, "│  ", "|  ") : "   "), COLOR_DIM);
	return l;
}

static void
put_status_message(struct drawing *d, const struct tree_span *s, size_t depth)
{
	struct str message = cli_item_str(s->item, "status_message");
	if (message.len == 0 || !cli_item_is(s->item, "status", "error"))
		return;
	struct line l = detail_line(d, s, depth);
	put(&l, str_from(glyph(d, "✗ ", "x ")), COLOR_RED);
	put_raw_text(&l, message, COLOR_RED);
	end_line(d->out);
}

static void
put_exception(struct drawing *d, const struct tree_span *s, size_t depth, const json_t *event)
{
	const json_t *attributes = json_object_get(event, "attributes");
	struct str type = cli_item_str(attributes, "exception.type");
	struct str message = cli_item_str(attributes, "exception.message");
	uint64_t at_ns = cli_item_u64(event, "time_unix_nano");
	double offset_ns =
	    at_ns >= s->start_ns ? (double)(at_ns - s->start_ns) : -(double)(s->start_ns - at_ns);
	struct buf offset = {0};
	buf_str(&offset, STR(" (at "));
	text_duration(&offset, offset_ns);
	buf_char(&offset, ')');

	struct line l = detail_line(d, s, depth);
	put(&l, STR("! "), COLOR_YELLOW);
	size_t kept = l.room > offset.len + 10 ? offset.len : 0; /* the moment is not cut off */
	l.room -= kept;
	put_raw_text(&l, type.len > 0 ? type : STR("exception"), COLOR_YELLOW);
	if (message.len > 0)
		put(&l, STR(": "), COLOR_YELLOW);
	put_raw_text(&l, message, COLOR_NONE);
	l.room += kept;
	put(&l, buf_view(&offset), COLOR_DIM);
	buf_fini(&offset);
	end_line(d->out);
}

static void
put_exceptions(struct drawing *d, const struct tree_span *s, size_t depth)
{
	const json_t *events = json_object_get(s->item, "events");
	size_t found = 0;
	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		if (!cli_item_is(event, "name", "exception"))
			continue;
		if (++found <= EXCEPTIONS_MAX)
			put_exception(d, s, depth, event);
	}
	if (found > EXCEPTIONS_MAX) {
		char more[48];
		int n = snprintf(more, sizeof more, "! and %zu more exceptions",
		    found - EXCEPTIONS_MAX);
		struct line l = detail_line(d, s, depth);
		put(&l, str_of(more, (size_t)n), COLOR_YELLOW);
		end_line(d->out);
	}
}

static void
put_span(struct drawing *d, const struct tree_span *s, size_t depth)
{
	put_name(d, s, depth);
	put_duration(d, s);
	put_bar(d, s);
	end_line(d->out);
	put_status_message(d, s, depth);
	put_exceptions(d, s, depth);
}

/* ---- all of it */

/* Depth first, without recursion: path[k] is the span of level k that the walk is in. */
static void
put_tree(struct drawing *d, size_t root, size_t *path)
{
	const struct tree_span *spans = d->tree->spans;
	size_t depth = 0;
	path[0] = root;
	for (;;) {
		const struct tree_span *s = &spans[path[depth]];
		if (depth > 0 && depth <= LEVELS_MAX)
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
put_note(struct drawing *d, enum tree_root kind)
{
	static const char *const notes[] = {
	    [TREE_ORPHAN] = "spans whose parent is not here:",
	    [TREE_LOOP] = "spans whose parents form a loop:",
	};
	if (kind != TREE_ORPHAN && kind != TREE_LOOP)
		return;
	struct line l = {d, d->width};
	buf_char(d->out, '\n');
	put(&l, str_from(notes[kind]), COLOR_YELLOW);
	end_line(d->out);
}

static void
put_head(struct drawing *d, const json_t *answer)
{
	struct buf b = {0};
	uint64_t errors = cli_item_u64(answer, "error_count");
	size_t services = json_array_size(json_object_get(answer, "services"));
	struct line l = {d, SIZE_MAX}; /* an id is never cut: it is there to be copied */
	put(&l, STR("trace "), COLOR_DIM);
	put_raw_text(&l, cli_item_str(answer, "trace_id"), COLOR_BOLD);
	end_line(d->out);

	l.room = d->width;
	buf_printf(&b, "%zu span%s of %zu service%s in ", d->tree->count,
	    d->tree->count == 1 ? "" : "s", services, services == 1 ? "" : "s");
	text_duration(&b, (double)(d->tree->end_ns - d->tree->start_ns));
	put(&l, buf_view(&b), COLOR_NONE);
	buf_reset(&b);
	buf_printf(&b, ", %llu error%s", (unsigned long long)errors, errors == 1 ? "" : "s");
	put(&l, buf_view(&b), errors > 0 ? COLOR_RED : COLOR_NONE);
	buf_reset(&b);
	buf_str(&b, STR(", began "));
	text_time(&b, d->tree->start_ns, d->style->now_unix_ns);
	buf_str(&b, STR(" UTC ("));
	text_age(&b, d->tree->start_ns, d->style->now_unix_ns);
	buf_char(&b, ')');
	put(&l, buf_view(&b), COLOR_NONE);
	end_line(d->out);
	if (json_is_true(json_object_get(answer, "truncated"))) {
		l.room = d->width;
		put(&l, STR("not all of its spans: raise --limit"), COLOR_YELLOW);
		end_line(d->out);
	}
	buf_fini(&b);
}

static void
measure(struct drawing *d)
{
	d->width = d->style->width > 0 ? d->style->width : WIDTH_DEFAULT;
	if (d->width >= WIDTH_FOR_BARS) {
		d->bar_width = d->width * 3 / 10;
		d->bar_width = d->bar_width < BAR_MAX ? d->bar_width : BAR_MAX;
		d->bar_width = d->bar_width > BAR_MIN ? d->bar_width : BAR_MIN;
	}
	size_t right = 1 + DURATION_WIDTH + (d->bar_width > 0 ? 2 + d->bar_width : 0);
	d->name_width = d->width > right ? d->width - right : 1;
	if (d->name_width > NAME_MIN)
		d->levels = (d->name_width - NAME_MIN) / LEVEL_WIDTH;
	d->levels = d->levels < LEVELS_MAX ? d->levels : LEVELS_MAX;
}

void
cli_draw_tree(struct buf *out, const json_t *answer, const struct cli_style *style)
{
	struct tree tree;
	tree_init(&tree, json_object_get(answer, "spans"));
	struct drawing d = {.out = out, .style = style, .tree = &tree};
	measure(&d);
	put_head(&d, answer);
	buf_char(out, '\n');
	size_t *path = xcalloc(tree.count + 1, sizeof *path);
	enum tree_root kind = TREE_ROOT;
	for (size_t i = 0; i < tree.root_count; i++) {
		if (tree.spans[tree.roots[i]].root != kind) {
			kind = tree.spans[tree.roots[i]].root;
			put_note(&d, kind);
		}
		put_tree(&d, tree.roots[i], path);
	}
	free(path);
	buf_fini(&d.scratch);
	tree_fini(&tree);
}
