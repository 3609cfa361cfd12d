/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of SQL on a screen. Columns are as wide as their widest cell; where that is more than the screen has the widest
 * give, down to CUT_WIDTH; where that is not enough each row becomes a block of "column | value" lines.
 */
#include "cli/sql.h"

#include "wire/json_read.h"

#include <stdlib.h>

enum {
	CELL_BYTES_MAX = 4096,
	CUT_WIDTH = 12, /* a column is not cut below it */
	CELL_WIDTH_MAX = 200, /* without a screen that says how much there is */
	COLUMNS_MAX = 10000,
	GAP = 2,
};

struct cell {
	size_t off, len, width;
	bool null;
};

struct drawn {
	struct str name, type; /* decoded, in the arena */
	size_t width; /* of the widest cell, later as drawn */
	size_t name_off, name_len;
	bool right;
};

struct answer {
	const struct cli_style *style;
	struct arena arena;
	struct buf text; /* of all cells, cleaned */
	struct drawn *columns;
	size_t column_count, column_cap;
	struct cell *cells; /* row by row */
	size_t cell_count, cell_cap;
	bool truncated;
};

/* ---- reading */

static enum err_code
another_shape(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the server's answer is not the JSON it should be");
}

static bool
is_number(struct str type)
{
	static const char *const begins[] = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
	    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE",
	    "DECIMAL"};
	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (str_starts(type, str_from(begins[i])) &&
		    memchr(type.ptr, '[', type.len) == NULL)
			return true;
	return false;
}

static struct drawn *
add_column(struct answer *a)
{
	if (a->column_count == a->column_cap) {
		a->column_cap = a->column_cap ? a->column_cap * 2 : 16;
		a->columns = xrealloc(a->columns, a->column_cap * sizeof(*a->columns));
	}
	struct drawn *c = &a->columns[a->column_count++];
	*c = (struct drawn){.name = STR(""), .type = STR("")};
	return c;
}

static bool
read_column(struct answer *a, struct json_reader *r)
{
	enum json_token t;
	struct drawn *c = add_column(a);
	while ((t = jsonr_next(r)) == JSON_KEY) {
		struct str *to = str_eq(r->raw, STR("name")) ? &c->name
		    : str_eq(r->raw, STR("type"))            ? &c->type
		                                             : NULL;
		t = jsonr_next(r);
		if (to && t == JSON_STRING)
			*to = jsonr_string(r, &a->arena);
		else if (!jsonr_skip(r, t))
			return false;
	}
	c->right = is_number(c->type);
	c->name_off = a->text.len;
	text_clean(&a->text, c->name, a->style->utf8);
	c->name_len = a->text.len - c->name_off;
	c->width = text_width(str_of(a->text.ptr + c->name_off, c->name_len));
	return t == JSON_OBJECT_END;
}

static bool
read_columns(struct answer *a, struct json_reader *r)
{
	enum json_token t;
	if (jsonr_next(r) != JSON_ARRAY)
		return false;
	while ((t = jsonr_next(r)) == JSON_OBJECT)
		if (a->column_count == COLUMNS_MAX || !read_column(a, r))
			return false;
	return t == JSON_ARRAY_END;
}

/* What a value is on the screen: texts as they are, the rest as JSON has it. */
static struct str
value_text(struct answer *a, struct json_reader *r, enum json_token t, bool *null)
{
	const char *from = r->at;
	*null = t == JSON_NULL;
	switch (t) {
	case JSON_STRING: return jsonr_string(r, &a->arena);
	case JSON_NUMBER: return r->raw;
	case JSON_TRUE: return STR("true");
	case JSON_FALSE: return STR("false");
	case JSON_NULL: return STR("NULL");
	case JSON_OBJECT:
	case JSON_ARRAY:
		/* From its bracket, which has been read. */
		return jsonr_skip(r, t) ? str_of(from - 1, (size_t)(r->at - from) + 1) : STR_EMPTY;
	case JSON_KEY:
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
	case JSON_END:
	case JSON_ERROR: break;
	}
	return STR_EMPTY;
}

static void
add_cell(struct answer *a, struct drawn *c, struct str text, bool null)
{
	if (a->cell_count == a->cell_cap) {
		a->cell_cap = a->cell_cap ? a->cell_cap * 2 : 256;
		a->cells = xrealloc(a->cells, a->cell_cap * sizeof(*a->cells));
	}
	struct cell *cell = &a->cells[a->cell_count++];
	*cell = (struct cell){.off = a->text.len, .null = null};
	text.len = text_head(text, CELL_BYTES_MAX);
	text_clean(&a->text, text, a->style->utf8);
	cell->len = a->text.len - cell->off;
	cell->width = text_width(str_of(a->text.ptr + cell->off, cell->len));
	c->width = cell->width > c->width ? cell->width : c->width;
}

/* Its members are those of the columns, in their order. */
static bool
read_row(struct answer *a, struct json_reader *r)
{
	enum json_token t;
	size_t n = 0;
	bool null;
	while ((t = jsonr_next(r)) == JSON_KEY && n < a->column_count) {
		struct arena_mark mark = arena_mark(&a->arena);
		struct str text = value_text(a, r, jsonr_next(r), &null);
		if (!text.ptr)
			return false;
		add_cell(a, &a->columns[n++], text, null);
		arena_rewind(&a->arena, mark);
	}
	return t == JSON_OBJECT_END && n == a->column_count;
}

static bool
read_rows(struct answer *a, struct json_reader *r)
{
	enum json_token t;
	if (jsonr_next(r) != JSON_ARRAY)
		return false;
	while ((t = jsonr_next(r)) == JSON_OBJECT)
		if (!read_row(a, r))
			return false;
	return t == JSON_ARRAY_END;
}

static bool
read_answer(struct answer *a, struct str json)
{
	struct json_reader r;
	enum json_token t;
	jsonr_begin(&r, json);
	if (jsonr_next(&r) != JSON_OBJECT)
		return false;
	while ((t = jsonr_next(&r)) == JSON_KEY) {
		struct str key = r.raw;
		bool good = str_eq(key, STR("columns")) ? read_columns(a, &r)
		    : str_eq(key, STR("rows"))          ? read_rows(a, &r)
		                                        : jsonr_skip(&r, t = jsonr_next(&r));
		if (!good)
			return false;
		if (str_eq(key, STR("truncated")))
			a->truncated = t == JSON_TRUE;
	}
	return t == JSON_OBJECT_END && a->column_count > 0 && !a->text.failed;
}

/* ---- drawing */

static size_t
row_count(const struct answer *a)
{
	CHECK(a->column_count > 0);
	return a->cell_count / a->column_count;
}

static size_t
whole_width(const struct answer *a)
{
	size_t sum = (a->column_count - 1) * GAP;
	for (size_t i = 0; i < a->column_count; i++)
		sum += a->columns[i].width;
	return sum;
}

/* The widest gives, a column of the screen at a time; false: it does not fit even so. */
static bool
make_fit(struct answer *a)
{
	size_t most = a->style->width;
	for (size_t i = 0; i < a->column_count && most == 0; i++)
		if (a->columns[i].width > CELL_WIDTH_MAX)
			a->columns[i].width = CELL_WIDTH_MAX;
	for (size_t sum = whole_width(a); most > 0 && sum > most; sum--) {
		struct drawn *widest = &a->columns[0];
		for (size_t i = 1; i < a->column_count; i++)
			if (a->columns[i].width > widest->width)
				widest = &a->columns[i];
		if (widest->width <= CUT_WIDTH)
			return false;
		widest->width--;
	}
	return true;
}

static void
put_fitted(struct answer *a, struct buf *out, struct str clean, size_t width, size_t column,
    bool last)
{
	const struct drawn *c = &a->columns[column];
	size_t room = c->width > width ? c->width - width : 0;
	if (c->right)
		text_spaces(out, room);
	text_fit(out, clean, c->width, a->style->utf8);
	if (!c->right && !last)
		text_spaces(out, room);
	if (!last)
		text_spaces(out, GAP);
}

static void
draw_table(struct answer *a, struct buf *out)
{
	CHECK(a->column_count > 0);
	text_color_on(out, a->style, COLOR_BOLD);
	for (size_t c = 0; c < a->column_count; c++) {
		struct str name =
		    str_of(a->text.ptr + a->columns[c].name_off, a->columns[c].name_len);
		put_fitted(a, out, name, text_width(name), c, c + 1 == a->column_count);
	}
	text_color_off(out, a->style, COLOR_BOLD);
	buf_char(out, '\n');
	for (size_t i = 0; i < a->cell_count; i++) {
		const struct cell *cell = &a->cells[i];
		size_t column = i % a->column_count;
		bool last = column + 1 == a->column_count;
		enum text_color color = cell->null ? COLOR_DIM : COLOR_NONE;
		text_color_on(out, a->style, color);
		put_fitted(a, out, str_of(a->text.ptr + cell->off, cell->len), cell->width, column,
		    last);
		text_color_off(out, a->style, color);
		if (last)
			buf_char(out, '\n');
	}
}

static void
draw_records(struct answer *a, struct buf *out)
{
	size_t widest = 0, screen = a->style->width;
	CHECK(a->column_count > 0);
	for (size_t c = 0; c < a->column_count; c++) {
		size_t width = text_width(str_of(a->text.ptr + a->columns[c].name_off,
		    a->columns[c].name_len));
		widest = width > widest ? width : widest;
	}
	widest = widest > screen / 2 ? screen / 2 : widest;
	for (size_t i = 0; i < a->cell_count; i++) {
		size_t column = i % a->column_count;
		const struct drawn *c = &a->columns[column];
		if (column == 0)
			buf_printf(out, "%s-- row %zu\n", i > 0 ? "\n" : "",
			    i / a->column_count + 1);
		size_t n = text_fit(out, str_of(a->text.ptr + c->name_off, c->name_len), widest,
		    a->style->utf8);
		text_spaces(out, widest - n + GAP);
		text_fit(out, str_of(a->text.ptr + a->cells[i].off, a->cells[i].len),
		    screen - widest - GAP, a->style->utf8);
		buf_char(out, '\n');
	}
}

static void
answer_fini(struct answer *a)
{
	arena_fini(&a->arena);
	buf_fini(&a->text);
	free(a->columns);
	free(a->cells);
}

enum err_code
cli_sql_draw(struct buf *out, struct str json, const struct cli_style *style, size_t *rows_out,
    bool *truncated_out, struct err *err)
{
	struct answer a = {.style = style};
	enum err_code code = read_answer(&a, json) ? ERR_OK : another_shape(err);
	if (code == ERR_OK) {
		*rows_out = row_count(&a);
		*truncated_out = a.truncated;
		if (make_fit(&a) || a.cell_count == 0)
			draw_table(&a, out);
		else
			draw_records(&a, out);
	}
	answer_fini(&a);
	return code;
}

/* ---- views */

struct view {
	struct str name, help;
	struct str columns; /* JSON */
};

static bool
read_view(struct json_reader *r, struct arena *arena, struct view *v)
{
	enum json_token t;
	*v = (struct view){.name = STR(""), .help = STR("")};
	while ((t = jsonr_next(r)) == JSON_KEY) {
		struct str key = r->raw;
		t = jsonr_next(r);
		const char *from = r->at;
		if (str_eq(key, STR("name")) && t == JSON_STRING)
			v->name = jsonr_string(r, arena);
		else if (str_eq(key, STR("description")) && t == JSON_STRING)
			v->help = jsonr_string(r, arena);
		else if (!jsonr_skip(r, t))
			return false;
		else if (str_eq(key, STR("columns")) && t == JSON_ARRAY)
			v->columns = str_of(from - 1, (size_t)(r->at - from) + 1);
	}
	return t == JSON_OBJECT_END;
}

/* A list of objects as a table, by way of the answer of a statement. */
static enum err_code
draw_columns(struct buf *out, struct str columns, const struct cli_style *style, struct err *err)
{
	static const char head[] =
	    "{\"columns\":[{\"name\":\"name\",\"type\":\"\"},{\"name\":\"type\",\"type\":\"\"},"
	    "{\"name\":\"description\",\"type\":\"\"}],\"rows\":";
	struct buf json = {0};
	size_t rows;
	bool truncated;
	buf_str(&json, str_from(head));
	buf_str(&json, columns);
	buf_char(&json, '}');
	enum err_code code = cli_sql_draw(out, buf_view(&json), style, &rows, &truncated, err);
	buf_fini(&json);
	return code;
}

static void
draw_name(struct buf *out, const struct view *v, const struct cli_style *style)
{
	struct buf clean = {0};
	text_clean(&clean, v->name, style->utf8);
	buf_printf(out, "%-*.*s", 12, STR_ARG(buf_view(&clean)));
	buf_reset(&clean);
	text_clean(&clean, v->help, style->utf8);
	buf_printf(out, "  %.*s\n", STR_ARG(buf_view(&clean)));
	buf_fini(&clean);
}

/* {"views":[ */
static bool
views_begin(struct json_reader *r)
{
	enum json_token t = jsonr_next(r);
	if (t == JSON_OBJECT)
		t = jsonr_next(r);
	if (t != JSON_KEY || !str_eq(r->raw, STR("views")))
		return false;
	return jsonr_next(r) == JSON_ARRAY;
}

enum err_code
cli_sql_draw_schema(struct buf *out, struct str answer, struct str view,
    const struct cli_style *style, struct err *err)
{
	struct json_reader r;
	struct arena arena = {0};
	struct view v;
	enum json_token t;
	enum err_code code = ERR_OK;
	bool found = view.len == 0;
	jsonr_begin(&r, answer);
	bool good = views_begin(&r);
	while (good && code == ERR_OK && (t = jsonr_next(&r)) != JSON_ARRAY_END) {
		good = t == JSON_OBJECT && read_view(&r, &arena, &v);
		if (good && view.len == 0) {
			draw_name(out, &v, style);
		} else if (good && str_eq_nocase(view, v.name)) {
			found = true;
			code = draw_columns(out, v.columns, style, err);
		}
	}
	arena_fini(&arena);
	if (!good)
		return another_shape(err);
	if (code == ERR_OK && !found)
		return err_set(err, ERR_INVALID, "there is no view \"%.*s\"; .schema lists them",
		    view.len < 40 ? (int)view.len : 40, view.ptr);
	return code;
}
