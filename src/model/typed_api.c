/* SPDX-License-Identifier: Apache-2.0 */
/*
 * typed_write_api(): typed JSON to the JSON of the API, in one pass and without recursion.
 *
 * The text comes from our own tables, but from a disk: each byte is checked against the grammar
 * that typed.h states (compact RFC 8259 JSON with two reserved objects), nesting is bounded, and
 * whatever does not fit is ERR_CORRUPT. As everywhere in the API the characters <, >, &, U+2028,
 * U+2029 and the control characters U+007F to U+009F leave as escapes (wire/json_write.h).
 */
#include "model/typed.h"

#include "base/base64.h"
#include "base/bits.h"
#include "base/limits.h"
#include "base/utf8.h"

#define SAFE_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

enum expect { EXPECT_VALUE, EXPECT_VALUE_OR_END, EXPECT_KEY, EXPECT_KEY_OR_END, EXPECT_SEPARATOR };

struct scanner {
	const char *start, *at, *end;
	struct buf *out;
	enum expect expect;
	unsigned depth;
	bool object[LIMIT_MESSAGE_DEPTH]; /* per open level: object or array */
};

static inline bool
next_is(const struct scanner *s, char c)
{
	return s->at < s->end && *s->at == c;
}

/* Move behind the text if it comes next. */
static bool
take(struct scanner *s, struct str text)
{
	if (!str_starts(str_of(s->at, (size_t)(s->end - s->at)), text))
		return false;
	s->at += text.len;
	return true;
}

/* Behind a backslash, at the letter: copy the escape. */
static bool
copy_escape(struct scanner *s)
{
	if (s->at == s->end)
		return false;
	const char *from = s->at - 1;
	char letter = *s->at++;
	unsigned char pair[2];
	if (letter == 'u') {
		if (s->end - s->at < 4 || !hex_decode(s->at, 2, pair))
			return false;
		if (pair[0] >= 0xd8 && pair[0] <= 0xdf)
			return false; /* a surrogate: never written */
		s->at += 4;
	} else if (letter == '\0' || !strchr("\"\\/bfnrt", letter)) {
		return false;
	}
	buf_append(s->out, from, (size_t)(s->at - from));
	return true;
}

static size_t
put_u00(struct buf *out, unsigned char c, size_t len)
{
	buf_printf(out, "\\u%04x", c);
	return len;
}

/* Writes the character that starts here if it leaves as an escape, and returns its length; or 0. */
static size_t
put_unsafe(struct buf *out, struct str rest)
{
	unsigned char next = rest.len > 1 ? (unsigned char)rest.ptr[1] : 0;
	switch (rest.ptr[0]) {
	case '<':
	case '>':
	case '&':
	case '\x7f': return put_u00(out, (unsigned char)rest.ptr[0], 1);
	case '\xc2': return next >= 0x80 && next < 0xa0 ? put_u00(out, next, 2) : 0;
	default: break;
	}
	if (str_starts(rest, STR("\xe2\x80\xa8")))
		buf_str(out, STR("\\u2028"));
	else if (str_starts(rest, STR("\xe2\x80\xa9")))
		buf_str(out, STR("\\u2029"));
	else
		return 0;
	return 3;
}

static inline bool
maybe_unsafe(char c)
{
	return c == '<' || c == '>' || c == '&' || c == '\x7f' || c == '\xc2' || c == '\xe2';
}

static void
copy_run(struct buf *out, struct str run)
{
	size_t from = 0, at = 0;
	while (at < run.len) {
		if (!maybe_unsafe(run.ptr[at])) {
			at++;
			continue;
		}
		buf_append(out, run.ptr + from, at - from);
		from = at;
		size_t n = put_unsafe(out, str_skip(run, at));
		at += n ? n : 1;
		from += n;
	}
	if (at > from)
		buf_append(out, run.ptr + from, at - from);
}

/* Behind the opening quote: copy up to and with the closing one. */
static bool
copy_string_tail(struct scanner *s)
{
	for (;;) {
		const char *from = s->at;
		while (s->at < s->end && *s->at != '"' && *s->at != '\\' &&
		    (unsigned char)*s->at >= 0x20)
			s->at++;
		struct str run = str_of(from, (size_t)(s->at - from));
		if (s->at == s->end || !utf8_valid(run))
			return false;
		copy_run(s->out, run);
		char stop = *s->at++;
		if (stop == '"') {
			buf_char(s->out, '"');
			return true;
		}
		if (stop != '\\' || !copy_escape(s))
			return false;
	}
}

static bool
copy_string(struct scanner *s)
{
	s->at++;
	buf_char(s->out, '"');
	return copy_string_tail(s);
}

/* A key and its colon, without the first '$' of "$$..": no other key begins with one. */
static bool
copy_key(struct scanner *s)
{
	if (!next_is(s, '"'))
		return false;
	s->at++;
	if (next_is(s, '$')) {
		s->at++;
		if (!next_is(s, '$'))
			return false;
	}
	buf_char(s->out, '"');
	if (!copy_string_tail(s) || !take(s, STR(":")))
		return false;
	buf_char(s->out, ':');
	return true;
}

static size_t
skip_digits(struct scanner *s)
{
	const char *from = s->at;
	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - from);
}

/* Behind the integer part: the fraction and the exponent, if any. */
static bool
skip_fraction(struct scanner *s)
{
	if (take(s, STR(".")) && skip_digits(s) == 0)
		return false;
	if (!next_is(s, 'e') && !next_is(s, 'E'))
		return true;
	s->at++;
	if (next_is(s, '+') || next_is(s, '-'))
		s->at++;
	return skip_digits(s) > 0;
}

static bool
copy_number(struct scanner *s)
{
	const char *from = s->at;
	if (*s->at == '-')
		s->at++;
	const char *digits = s->at;
	size_t n = skip_digits(s);
	if (n == 0 || (n > 1 && *digits == '0'))
		return false;
	const char *integer_end = s->at;
	if (!skip_fraction(s))
		return false;
	uint64_t magnitude;
	bool integer = s->at == integer_end;
	bool safe = str_to_u64(str_of(digits, n), &magnitude) && magnitude <= SAFE_INTEGER_MAX;
	struct str quote = integer && !safe ? STR("\"") : STR("");
	buf_str(s->out, quote);
	buf_append(s->out, from, (size_t)(s->at - from));
	buf_str(s->out, quote);
	return true;
}

static bool
copy_word(struct scanner *s, struct str word)
{
	if (!take(s, word))
		return false;
	buf_str(s->out, word);
	return true;
}

/* Behind {"$double": */
static bool
copy_double(struct scanner *s)
{
	static const struct str names[] = {
	    STR_INIT("\"NaN\""), STR_INIT("\"Infinity\""), STR_INIT("\"-Infinity\"")};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (copy_word(s, names[i]))
			return take(s, STR("}"));
	return false;
}

/* Behind {"$bytes": */
static bool
copy_bytes(struct scanner *s)
{
	if (!take(s, STR("\"")))
		return false;
	struct str text = str_of(s->at, (size_t)(s->end - s->at));
	text.len = str_find(text, '"');
	struct buf bytes = {0};
	bool valid = base64_read(text, &bytes);
	buf_fini(&bytes);
	if (!valid)
		return false;
	s->at += text.len;
	buf_str(s->out, STR("{\"$bytes\":\""));
	buf_str(s->out, text);
	buf_str(s->out, STR("\"}"));
	return take(s, STR("\"}"));
}

static bool
open_level(struct scanner *s, bool object)
{
	if (s->depth == LIMIT_MESSAGE_DEPTH)
		return false;
	buf_char(s->out, *s->at++);
	s->object[s->depth++] = object;
	s->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
	return true;
}

static bool
close_level(struct scanner *s)
{
	buf_char(s->out, *s->at++);
	s->depth--;
	s->expect = EXPECT_SEPARATOR;
	return true;
}

static bool
copy_value(struct scanner *s)
{
	s->expect = EXPECT_SEPARATOR;
	if (s->at == s->end)
		return false;
	switch (*s->at) {
	case '"': return copy_string(s);
	case 't': return copy_word(s, STR("true"));
	case 'f': return copy_word(s, STR("false"));
	case 'n': return copy_word(s, STR("null"));
	case '[': return open_level(s, false);
	case '{':
		if (take(s, STR("{\"$double\":")))
			return copy_double(s);
		return take(s, STR("{\"$bytes\":")) ? copy_bytes(s) : open_level(s, true);
	default: return copy_number(s);
	}
}

/* Behind a value inside an array or object. */
static bool
copy_separator(struct scanner *s)
{
	bool object = s->object[s->depth - 1];
	if (next_is(s, object ? '}' : ']'))
		return close_level(s);
	s->expect = object ? EXPECT_KEY : EXPECT_VALUE;
	return copy_word(s, STR(","));
}

static bool
step(struct scanner *s)
{
	switch (s->expect) {
	case EXPECT_VALUE_OR_END:
		if (next_is(s, ']'))
			return close_level(s);
		return copy_value(s);
	case EXPECT_VALUE: return copy_value(s);
	case EXPECT_KEY_OR_END:
		if (next_is(s, '}'))
			return close_level(s);
		return copy_key(s) && copy_value(s);
	case EXPECT_KEY: return copy_key(s) && copy_value(s);
	case EXPECT_SEPARATOR: return copy_separator(s);
	}
	return false;
}

enum err_code
typed_write_api(struct str typed, struct buf *out, struct err *err)
{
	struct scanner s = {.start = typed.ptr, .at = typed.ptr, .out = out};
	s.end = typed.len ? typed.ptr + typed.len : typed.ptr;
	bool good = copy_value(&s);
	while (good && s.depth > 0)
		good = step(&s);
	if (!good || s.at != s.end)
		return err_set(err, ERR_CORRUPT, "stored JSON is damaged at byte %zu of %zu",
		    (size_t)(s.at - s.start), typed.len);
	return ERR_OK;
}
