/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in columns that fit the terminal. Each column is as wide as its widest cell. When that is
 * too wide all together, columns that may be cut shrink, down to what they want at least; when even
 * that does not fit, whole columns go, the least important first. Only when the essential ones alone
 * do not fit, they are cut further, and go too; the last one left is cut. What went and belongs
 * below its row is written there, indented, as many cells on a line as fit.
 */
#include "cli/table.h"

#include "base/arena.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 16, GAP = 2, INDENT = 2 };

struct layout {
	const struct table_column *columns;
	size_t count;
	size_t natural[COLUMNS_MAX]; /* widest cell or title */
	size_t width[COLUMNS_MAX];
	bool wanted[COLUMNS_MAX]; /* it says something */
	bool shown[COLUMNS_MAX];
	bool old;
};

void
table_cell(struct table_text *t, struct str raw, enum text_color color)
{
	if (t->cell_count == t->cell_cap) {
		t->cell_cap = t->cell_cap ? t->cell_cap * 2 : 256;
		t->cells = xrealloc(t->cells, t->cell_cap * sizeof *t->cells);
	}
	size_t off = t->text.len;
	text_clean(&t->text, raw, t->style->utf8);
	struct str clean = {t->text.ptr + off, t->text.len - off};
	t->cells[t->cell_count++] = (struct table_cell){.off = off,
	    .len = clean.len,
	    .width = clean.len > 0 ? text_width(clean) : 0,
	    .color = color};
}

/* ---- widths */

/* 0 means none. */
static size_t
at_most(size_t width, unsigned max)
{
	return max > 0 && max < width ? max : width;
}

static size_t
width_wanted(const struct layout *l, size_t col)
{
	return at_most(l->natural[col], l->columns[col].want);
}

static size_t
width_least(const struct layout *l, size_t col)
{
	return at_most(width_wanted(l, col), l->columns[col].width_min);
}

static size_t
width_now(const struct layout *l, size_t col)
{
	return l->width[col];
}

static size_t
total_of(const struct layout *l, size_t (*width_of)(const struct layout *l, size_t col))
{
	size_t total = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->shown[i])
			total += (total > 0 ? GAP : 0) + width_of(l, i);
	return total;
}

static unsigned
keep_of(const struct layout *l, size_t col)
{
	const struct table_column *c = &l->columns[col];
	return l->old && c->keep_old > 0 ? c->keep_old : c->keep;
}

/* The one with the lowest (or highest) keep among those shown (or not, but could be). */
static size_t
find_column(const struct layout *l, bool shown, const bool *tried)
{
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < l->count; i++) {
		if (l->shown[i] != shown || !l->wanted[i] || (tried && tried[i]))
			continue;
		if (best == SIZE_MAX ||
		    (shown ? keep_of(l, i) < keep_of(l, best) : keep_of(l, i) > keep_of(l, best)))
			best = i;
	}
	return best;
}

static size_t
shown_count(const struct layout *l)
{
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++)
		n += l->shown[i];
	return n;
}

/* Drop columns of less than `keep` until the rest fits or there is none, or one is left. */
static void
drop_below(struct layout *l, unsigned keep, size_t width,
    size_t (*width_of)(const struct layout *l, size_t col))
{
	while (total_of(l, width_of) > width && shown_count(l) > 1) {
		size_t worst = find_column(l, true, NULL);
		if (keep_of(l, worst) >= keep)
			return;
		l->shown[worst] = false;
	}
}

/* A wide column that went may have left room for narrow ones that went before it. */
static void
take_back(struct layout *l, size_t width)
{
	bool tried[COLUMNS_MAX] = {false};
	for (size_t col; (col = find_column(l, false, tried)) != SIZE_MAX;) {
		tried[col] = true;
		l->shown[col] = true;
		l->shown[col] = total_of(l, width_wanted) <= width;
	}
}

/* Hand out the columns that are left over, one each in turn, to those that want more. */
static void
grow(struct layout *l, size_t room)
{
	bool grown = true;
	while (room > 0 && grown) {
		grown = false;
		for (size_t i = 0; i < l->count && room > 0; i++) {
			if (!l->shown[i] || l->width[i] >= l->natural[i])
				continue;
			l->width[i]++;
			room--;
			grown = true;
		}
	}
}

static void
fit(struct layout *l, size_t width)
{
	size_t (*width_of)(const struct layout *l, size_t col) = width_wanted;
	drop_below(l, TABLE_KEEP_ESSENTIAL, width, width_of);
	if (total_of(l, width_of) <= width) {
		take_back(l, width);
	} else {
		width_of = width_least;
		drop_below(l, UINT_MAX, width, width_of);
	}
	for (size_t i = 0; i < l->count; i++)
		l->width[i] = width_of(l, i);
	size_t total = total_of(l, width_now);
	if (total <= width) {
		grow(l, width - total);
		return;
	}
	for (size_t i = 0; i < l->count; i++)
		l->width[i] = l->shown[i] ? width : 0;
}

/* Columns that have text, but not those that is_set() knows to be the same everywhere. */
static void
choose(struct layout *l, const struct table_text *t, bool (*is_set)(const void *, const char *),
    const void *ctx)
{
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t col = i % l->count;
		l->wanted[col] = l->wanted[col] || t->cells[i].width > 0;
		if (t->cells[i].width > l->natural[col])
			l->natural[col] = t->cells[i].width;
	}
	for (size_t i = 0; i < l->count; i++)
		if (is_set && l->columns[i].param && is_set(ctx, l->columns[i].param))
			l->wanted[i] = false;
	size_t any = 0;
	for (size_t i = 0; i < l->count; i++)
		any += l->wanted[i];
	l->wanted[0] = l->wanted[0] || any == 0;
	memcpy(l->shown, l->wanted, sizeof l->shown);
}

static void
lay_out(struct layout *l, const struct table_view *view, const struct table_text *t,
    bool (*is_set)(const void *, const char *), const void *ctx)
{
	size_t width = t->style->width;
	*l = (struct layout){.columns = view->columns, .old = t->old};
	while (view->columns[l->count].title)
		l->count++;
	CHECK(l->count <= COLUMNS_MAX);
	for (size_t i = 0; i < l->count; i++)
		l->natural[i] = strlen(view->columns[i].title);
	choose(l, t, is_set, ctx);
	if (width > 0)
		fit(l, width);
	else
		memcpy(l->width, l->natural, sizeof l->width);
}

/* ---- lines */

static void
put_cell(struct buf *out, const struct layout *l, size_t col, struct str text, size_t text_wide,
    enum text_color color, const struct cli_style *style)
{
	size_t width = l->width[col];
	size_t pad = text_wide < width ? width - text_wide : 0;
	if (l->columns[col].right)
		text_spaces(out, pad);
	text_color_on(out, style, color);
	size_t used = text_fit(out, text, width, style->utf8);
	text_color_off(out, style, color);
	if (!l->columns[col].right && used < width)
		text_spaces(out, width - used);
}

/* Blanks at the end of a line are only a nuisance for who copies it. */
static void
end_line(struct buf *out)
{
	while (out->len > 0 && out->ptr[out->len - 1] == ' ')
		out->len--;
	buf_char(out, '\n');
}

static void
put_titles(struct buf *out, const struct layout *l, const struct cli_style *style)
{
	bool first = true;
	for (size_t i = 0; i < l->count; i++) {
		if (!l->shown[i])
			continue;
		text_spaces(out, first ? 0 : GAP);
		first = false;
		struct str title = str_from(l->columns[i].title);
		put_cell(out, l, i, title, title.len, COLOR_DIM, style);
	}
	end_line(out);
}

static void
put_row(struct buf *out, const struct layout *l, const struct table_text *t, size_t row)
{
	bool first = true;
	for (size_t i = 0; i < l->count; i++) {
		if (!l->shown[i])
			continue;
		const struct table_cell *cell = &t->cells[row * l->count + i];
		struct str text = {t->text.ptr + cell->off, cell->len};
		text_spaces(out, first ? 0 : GAP);
		first = false;
		put_cell(out, l, i, text, cell->width, cell->color, t->style);
	}
	end_line(out);
}

static bool
is_below(const struct layout *l, size_t col)
{
	enum table_below below = l->columns[col].below;
	return l->wanted[col] && !l->shown[col] &&
	    (below == BELOW_ALWAYS || (below == BELOW_IF_OLD && l->old));
}

/* What must not be cut and is wider than the whole terminal is left out. */
static void
put_below(struct buf *out, const struct layout *l, const struct table_text *t, size_t row)
{
	size_t width = t->style->width, at = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct table_cell *cell = &t->cells[row * l->count + i];
		struct str text = {t->text.ptr + cell->off, cell->len};
		bool fits = INDENT + cell->width <= width;
		if (!is_below(l, i) || cell->width == 0 || (!fits && l->columns[i].want == 0) ||
		    width <= INDENT)
			continue;
		if (at > 0 && at + GAP + cell->width > width) {
			end_line(out);
			at = 0;
		}
		size_t indent = at > 0 ? GAP : INDENT;
		text_spaces(out, indent);
		text_color_on(out, t->style, cell->color);
		at += indent + text_fit(out, text, width - at - indent, t->style->utf8);
		text_color_off(out, t->style, cell->color);
	}
	if (at > 0)
		end_line(out);
}

void
table_draw(struct buf *out, const struct table_view *view, const json_t *items,
    const struct cli_style *style, bool (*is_set)(const void *ctx, const char *param),
    const void *ctx)
{
	struct table_text t = {.style = style};
	size_t rows = json_array_size(items);
	for (size_t row = 0; row < rows; row++)
		for (const struct table_column *c = view->columns; c->title; c++)
			c->cell(&t, json_array_get(items, row));
	struct layout l;
	lay_out(&l, view, &t, is_set, ctx);
	CHECK(t.cell_count == rows * l.count); /* each column's function makes one cell */
	put_titles(out, &l, style);
	for (size_t row = 0; row < rows; row++) {
		put_row(out, &l, &t, row);
		put_below(out, &l, &t, row);
	}
	buf_fini(&t.text);
	free(t.cells);
}
