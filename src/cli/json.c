/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from the server to the user without taking it apart: numbers and escapes stay as they
 * are, so that nothing is rounded or reordered on the way. What is written to a terminal has
 * those characters escaped (which JSON allows anywhere in a string) that text_clean() would
 * have made visible.
 */
#include "cli/cli_priv.h"

#include "base/utf8.h"
#include "wire/json_read.h"

struct printer {
	struct buf *out;
	struct cli_json_style style;
	unsigned depth;
	bool empty; /* nothing stands in this object or array yet */
	bool after_key;
};

static void
put_safe(struct buf *out, struct str raw)
{
	struct buf clean;
	buf_init(&clean, 0);
	while (raw.len > 0) {
		uint32_t cp;
		size_t n = utf8_get(raw, &cp);
		struct str one = {raw.ptr, n};
		raw = str_skip(raw, n);
		buf_reset(&clean);
		text_clean(&clean, one, true);
		if (str_eq(buf_view(&clean), one))
			buf_str(out, one);
		else if (cp < 0x10000)
			buf_printf(out, "\\u%04x", (unsigned)cp);
		else
			buf_printf(out, "\\u%04x\\u%04x",
			    0xd800u + ((unsigned)cp - 0x10000) / 0x400,
			    0xdc00u + (unsigned)cp % 0x400);
	}
	buf_fini(&clean);
}

static void
newline(struct printer *p)
{
	if (!p->style.pretty)
		return;
	buf_char(p->out, '\n');
	text_spaces(p->out, (size_t)p->depth * 2);
}

static void
before_value(struct printer *p)
{
	if (p->after_key) {
		p->after_key = false;
		return;
	}
	if (!p->empty)
		buf_char(p->out, ',');
	if (p->depth > 0)
		newline(p);
	p->empty = false;
}

static void
put_scalar(struct printer *p, struct str text, bool quoted, enum text_color color)
{
	struct cli_style style = {.color = p->style.color};
	text_color_on(p->out, &style, color);
	if (quoted)
		buf_char(p->out, '"');
	if (quoted && p->style.safe)
		put_safe(p->out, text);
	else
		buf_str(p->out, text);
	if (quoted)
		buf_char(p->out, '"');
	text_color_off(p->out, &style, color);
}

static void
put_key(struct printer *p, struct str key)
{
	before_value(p);
	put_scalar(p, key, true, COLOR_CYAN);
	buf_str(p->out, p->style.pretty ? STR(": ") : STR(":"));
	p->after_key = true;
}

static void
put_open(struct printer *p, char bracket)
{
	before_value(p);
	buf_char(p->out, bracket);
	p->depth++;
	p->empty = true;
}

static void
put_close(struct printer *p, char bracket)
{
	CHECK(p->depth > 0);
	p->depth--;
	if (!p->empty)
		newline(p);
	buf_char(p->out, bracket);
	p->empty = false;
}

/* Write the value that `tok` begins. False when the JSON is bad. */
static bool
put_value(struct printer *p, struct json_reader *r, enum json_token tok)
{
	unsigned depth = p->depth;
	for (;; tok = jsonr_next(r)) {
		switch (tok) {
		case JSON_ERROR:
		case JSON_END: return false;
		case JSON_OBJECT: put_open(p, '{'); break;
		case JSON_ARRAY: put_open(p, '['); break;
		case JSON_OBJECT_END: put_close(p, '}'); break;
		case JSON_ARRAY_END: put_close(p, ']'); break;
		case JSON_KEY: put_key(p, r->raw); continue;
		case JSON_STRING:
			before_value(p);
			put_scalar(p, r->raw, true, COLOR_GREEN);
			break;
		case JSON_NUMBER:
			before_value(p);
			put_scalar(p, r->raw, false, COLOR_YELLOW);
			break;
		case JSON_TRUE:
		case JSON_FALSE:
		case JSON_NULL:
			before_value(p);
			put_scalar(p,
			    tok == JSON_TRUE        ? STR("true")
			        : tok == JSON_FALSE ? STR("false")
			                            : STR("null"),
			    false, COLOR_YELLOW);
			break;
		}
		if (p->depth == depth)
			return true;
	}
}

static enum err_code
bad_json(const struct json_reader *r, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the server's answer is not the JSON it should be: %s",
	    r->error ? r->error : "another shape");
}

enum err_code
cli_json_print(struct buf *out, struct str json, struct cli_json_style style, struct err *err)
{
	struct json_reader r;
	struct printer p = {.out = out, .style = style, .empty = true};
	jsonr_begin(&r, json);
	if (!put_value(&p, &r, jsonr_next(&r)) || jsonr_next(&r) != JSON_END)
		return bad_json(&r, err);
	buf_char(out, '\n');
	return ERR_OK;
}

static bool
put_items(struct buf *out, struct json_reader *r, struct cli_json_style style)
{
	enum json_token tok;
	if (jsonr_next(r) != JSON_ARRAY)
		return false;
	while ((tok = jsonr_next(r)) != JSON_ARRAY_END) {
		struct printer p = {.out = out, .style = style, .empty = true};
		if (!put_value(&p, r, tok))
			return false;
		buf_char(out, '\n');
	}
	return true;
}

enum err_code
cli_json_lines(struct buf *out, struct str json, const char *list, struct cli_json_style style,
    struct buf *cursor_out, struct err *err)
{
	struct json_reader r;
	style.pretty = false;
	jsonr_begin(&r, json);
	enum json_token tok = jsonr_next(&r);
	if (tok != JSON_OBJECT)
		return bad_json(&r, err);
	while ((tok = jsonr_next(&r)) == JSON_KEY) {
		bool ok;
		if (str_eq(r.raw, str_from(list))) {
			ok = put_items(out, &r, style);
		} else if (cursor_out && str_eq(r.raw, STR("next_cursor"))) {
			ok = jsonr_next(&r) == JSON_STRING;
			if (ok)
				buf_str(cursor_out, r.raw); /* base64url: nothing escaped */
		} else {
			ok = jsonr_skip(&r, jsonr_next(&r));
		}
		if (!ok)
			return bad_json(&r, err);
	}
	return tok == JSON_OBJECT_END ? ERR_OK : bad_json(&r, err);
}
