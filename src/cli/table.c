/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in columns that fit the terminal. Each column is as wide as its widest cell. When that is
 * too wide all together, columns that may be cut shrink, down to their minimum; when even the
 * minima do not fit, whole columns go, the least important first; the last one left is cut.
 */
#include "cli/table.h"

#include "base/arena.h"

#include <jansson.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 16, GAP = 2 };

struct layout {
	const struct table_column *columns;
	size_t count;
	size_t natural[COLUMNS_MAX]; /* widest cell or title */
	size_t width[COLUMNS_MAX];
	bool shown[COLUMNS_MAX];
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

static size_t
least_width(const struct layout *l, size_t col)
{
	unsigned min = l->columns[col].width_min;
	return min > 0 && min < l->natural[col] ? min : l->natural[col];
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

static size_t
width_now(const struct layout *l, size_t col)
{
	return l->width[col];
}

/* False when only one column is left. */
static bool
drop_one(struct layout *l)
{
	size_t worst = SIZE_MAX, left = 0;
	for (size_t i = 0; i < l->count; i++) {
		if (!l->shown[i])
			continue;
		left++;
		if (worst == SIZE_MAX || l->columns[i].keep < l->columns[worst].keep)
			worst = i;
	}
	if (left <= 1)
		return false;
	l->shown[worst] = false;
	return true;
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
	while (total_of(l, least_width) > width && drop_one(l))
		;
	for (size_t i = 0; i < l->count; i++)
		l->width[i] = least_width(l, i);
	size_t total = total_of(l, width_now);
	if (total <= width) {
		grow(l, width - total);
		return;
	}
	for (size_t i = 0; i < l->count; i++)
		l->width[i] = l->shown[i] ? width : 0;
}

static void
lay_out(struct layout *l, const struct table_view *view, const struct table_text *t, size_t width)
{
	*l = (struct layout){.columns = view->columns};
	while (view->columns[l->count].title)
		l->count++;
	CHECK(l->count <= COLUMNS_MAX);
	for (size_t i = 0; i < l->count; i++) {
		l->shown[i] = true;
		l->natural[i] = strlen(view->columns[i].title);
	}
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t *natural = &l->natural[i % l->count];
		*natural = t->cells[i].width > *natural ? t->cells[i].width : *natural;
	}
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

void
table_draw(struct buf *out, const struct table_view *view, const json_t *items,
    const struct cli_style *style)
{
	struct table_text t = {.style = style};
	size_t rows = json_array_size(items);
	for (size_t row = 0; row < rows; row++)
		for (const struct table_column *c = view->columns; c->title; c++)
			c->cell(&t, json_array_get(items, row));
	struct layout l;
	lay_out(&l, view, &t, style->width);
	CHECK(t.cell_count == rows * l.count); /* each column's function makes one cell */
	put_titles(out, &l, style);
	for (size_t row = 0; row < rows; row++)
		put_row(out, &l, &t, row);
	buf_fini(&t.text);
	free(t.cells);
}
