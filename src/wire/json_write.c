/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_write.h"

#include "base/number.h"
#include "base/utf8.h"

#include <math.h>

/* The largest integer below which JavaScript's numbers hold every integer. */
#define SAFE_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

/* How a byte of a valid string is written: as it is, behind a backslash, as \u00xx, or (0xe2)
 * perhaps as the first of U+2028 or U+2029, or (0xc2) of a control character beyond ASCII. */
enum { PLAIN = 0, AS_U = 1, MAYBE_LINE = 2, MAYBE_C1 = 3 };
static const unsigned char how[256] = {
    [0x00] = AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    [0x08] = 'b',
    't',
    'n',
    AS_U,
    'f',
    'r',
    AS_U,
    AS_U,
    [0x10] = AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    [0x18] = AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    AS_U,
    ['"'] = '"',
    ['\\'] = '\\',
    ['<'] = AS_U,
    ['>'] = AS_U,
    ['&'] = AS_U,
    [0x7f] = AS_U,
    [0xc2] = MAYBE_C1,
    [0xe2] = MAYBE_LINE,
};

void
json_writer_init(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){.out = out};
}

static inline void
before_value(struct json_writer *w)
{
	if (w->comma)
		buf_char(w->out, ',');
	w->comma = true;
}

static void
open_level(struct json_writer *w, char bracket)
{
	before_value(w);
	buf_char(w->out, bracket);
	w->comma = false;
}

static void
close_level(struct json_writer *w, char bracket)
{
	buf_char(w->out, bracket);
	w->comma = true;
}

void
jsonw_object(struct json_writer *w)
{
	open_level(w, '{');
}

void
jsonw_object_end(struct json_writer *w)
{
	close_level(w, '}');
}

void
jsonw_array(struct json_writer *w)
{
	open_level(w, '[');
}

void
jsonw_array_end(struct json_writer *w)
{
	close_level(w, ']');
}

static void
put_u00(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	buf_append(out, text, sizeof(text));
}

/* Writes the character at s.ptr[at], which is not PLAIN, escaped if need be; returns its length.
 * The string is valid: the bytes that follow a first one are there. */
static size_t
put_escape(struct buf *out, struct str s, size_t at)
{
	unsigned char c = (unsigned char)s.ptr[at];
	unsigned char next = 0;
	switch (how[c]) {
	case AS_U: put_u00(out, c); return 1;
	case MAYBE_C1:
		/* U+0080 to U+009F are c2 80 to c2 9f; the second byte is the number itself. */
		next = (unsigned char)s.ptr[at + 1];
		if (next < 0xa0)
			put_u00(out, next);
		else
			buf_append(out, s.ptr + at, 2);
		return 2;
	case MAYBE_LINE:
		/* U+2028 is e2 80 a8, U+2029 e2 80 a9. */
		if (s.ptr[at + 1] == '\x80' && (s.ptr[at + 2] & ~1) == (char)0xa8)
			buf_str(out, s.ptr[at + 2] == (char)0xa8 ? STR("\\u2028") : STR("\\u2029"));
		else
			buf_append(out, s.ptr + at, 3);
		return 3;
	default: break;
	}
	char text[2] = {'\\', (char)how[c]};
	buf_append(out, text, sizeof(text));
	return 1;
}

static void
put_valid(struct buf *out, struct str s)
{
	size_t from = 0, at = 0;
	while (at < s.len) {
		if (how[(unsigned char)s.ptr[at]] == PLAIN) {
			at++;
			continue;
		}
		buf_append(out, s.ptr + from, at - from);
		at += put_escape(out, s, at);
		from = at;
	}
	if (at > from)
		buf_append(out, s.ptr + from, at - from);
}

static void
put_quoted(struct buf *out, struct str s)
{
	buf_char(out, '"');
	for (;;) {
		size_t valid = utf8_valid_len(s);
		put_valid(out, str_of(s.ptr, valid));
		if (valid == s.len)
			break;
		buf_str(out, STR("\xef\xbf\xbd"));
		s = str_skip(s, valid + 1);
	}
	buf_char(out, '"');
}

void
jsonw_key(struct json_writer *w, const char *key)
{
	before_value(w);
	buf_char(w->out, '"');
	buf_str(w->out, str_from(key));
	buf_str(w->out, STR("\":"));
	w->comma = false;
}

void
jsonw_key_str(struct json_writer *w, struct str key)
{
	before_value(w);
	put_quoted(w->out, key);
	buf_char(w->out, ':');
	w->comma = false;
}

void
jsonw_str(struct json_writer *w, struct str s)
{
	before_value(w);
	put_quoted(w->out, s);
}

void
jsonw_i64(struct json_writer *w, int64_t v)
{
	uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	bool quoted = magnitude > SAFE_INTEGER_MAX;
	before_value(w);
	if (quoted)
		buf_char(w->out, '"');
	buf_i64(w->out, v);
	if (quoted)
		buf_char(w->out, '"');
}

void
jsonw_u64(struct json_writer *w, uint64_t v)
{
	if (v > SAFE_INTEGER_MAX) {
		jsonw_u64_string(w, v);
		return;
	}
	before_value(w);
	buf_u64(w->out, v);
}

void
jsonw_u64_string(struct json_writer *w, uint64_t v)
{
	before_value(w);
	buf_char(w->out, '"');
	buf_u64(w->out, v);
	buf_char(w->out, '"');
}

void
jsonw_f64(struct json_writer *w, double v)
{
	char text[32];
	size_t n = json_double_text(v, text);
	before_value(w);
	if (isfinite(v)) {
		buf_append(w->out, text, n);
		return;
	}
	buf_char(w->out, '"');
	buf_append(w->out, text, n);
	buf_char(w->out, '"');
}

void
jsonw_bool(struct json_writer *w, bool v)
{
	before_value(w);
	buf_str(w->out, v ? STR("true") : STR("false"));
}

void
jsonw_null(struct json_writer *w)
{
	before_value(w);
	buf_str(w->out, STR("null"));
}

void
jsonw_raw(struct json_writer *w, struct str json)
{
	before_value(w);
	buf_str(w->out, json);
}

size_t
json_double_text(double v, char out[32])
{
	_Static_assert(NUMBER_DOUBLE_BYTES <= 32, "the promise of json_write.h");
	return number_double_text(v, out);
}
