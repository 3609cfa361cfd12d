/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_read.h"

#include "base/utf8.h"

/* What may come next, blanks aside. */
enum state {
	STATE_VALUE,
	STATE_VALUE_OR_END, /* behind '[' */
	STATE_KEY, /* behind ',' in an object */
	STATE_KEY_OR_END, /* behind '{' */
	STATE_AFTER, /* behind a value */
	STATE_ERROR,
};

/* Bytes that end a plain run of a string: '"', '\\', control characters and, for the check of UTF-8
 * that they make necessary, all that are not ASCII. */
static inline bool
is_special(char c)
{
	return c == '"' || c == '\\' || (unsigned char)c < 0x20 || (unsigned char)c >= 0x80;
}

void
jsonr_begin(struct json_reader *r, struct str text)
{
	*r = (struct json_reader){.start = text.ptr, .at = text.ptr, .state = STATE_VALUE};
	r->end = text.len ? text.ptr + text.len : text.ptr;
}

/* Returns JSON_ERROR, which is also false. */
static enum json_token
fail_at(struct json_reader *r, const char *at, const char *why)
{
	r->error = why;
	r->error_at = (size_t)(at - r->start);
	r->state = STATE_ERROR;
	return JSON_ERROR;
}

static enum json_token
fail(struct json_reader *r, const char *why)
{
	return fail_at(r, r->at, r->at == r->end ? "the text ends too early" : why);
}

static inline void
skip_blanks(struct json_reader *r)
{
	while (r->at < r->end &&
	    (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
		r->at++;
}

/* Moves over the bytes of a string that need no look, eight at a time while that goes. */
static inline const char *
skip_plain(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	while (end - p >= 8) {
		uint64_t w;
		memcpy(&w, p, sizeof(w));
		uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
		/* The high bit of a byte is set if it is below 0x20, '"', '\\' or not ASCII; borrows
		 * can set too many of them, above such a byte: the loop below has the last word. */
		uint64_t stop = (w - ones * 0x20) | (quote - ones) | (backslash - ones) | w;
		if (stop & highs)
			break;
		p += 8;
	}
	while (p < end && !is_special(*p))
		p++;
	return p;
}

static bool
get_hex4(const char *p, const char *end, uint32_t *value_out)
{
	uint32_t value = 0;
	if (end - p < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a') + 10;
		else
			return false;
		value = value << 4 | digit;
	}
	*value_out = value;
	return true;
}

/* Reads the escape at p, which is a backslash; its length, or 0 when it is malformed. A pair of
 * surrogates is one escape; either of them alone is malformed. */
static size_t
get_escape(const char *p, const char *end, uint32_t *cp_out)
{
	static const char plain[256] = {['"'] = '"',
	    ['\\'] = '\\',
	    ['/'] = '/',
	    ['b'] = '\b',
	    ['f'] = '\f',
	    ['n'] = '\n',
	    ['r'] = '\r',
	    ['t'] = '\t'};
	uint32_t low;
	if (end - p < 2)
		return 0;
	*cp_out = (unsigned char)plain[(unsigned char)p[1]];
	if (*cp_out)
		return 2;
	if (p[1] != 'u' || !get_hex4(p + 2, end, cp_out))
		return 0;
	if (*cp_out < 0xd800 || *cp_out > 0xdfff)
		return 6;
	bool pair = *cp_out < 0xdc00 && end - p >= 8 && p[6] == '\\' && p[7] == 'u' &&
	    get_hex4(p + 8, end, &low) && low >= 0xdc00 && low <= 0xdfff;
	if (!pair)
		return 0;
	*cp_out = 0x10000 + ((*cp_out - 0xd800) << 10) + (low - 0xdc00);
	return 12;
}

/* At the opening quote: moves behind the closing one, sets raw and escaped. */
static bool
get_string(struct json_reader *r)
{
	const char *from = r->at + 1, *p = from;
	bool ascii = true;
	r->escaped = false;
	for (;;) {
		uint32_t cp;
		p = skip_plain(p, r->end);
		if (p == r->end)
			return fail_at(r, p, "a string has no end");
		if (*p == '"')
			break;
		if ((unsigned char)*p >= 0x80) {
			ascii = false;
			while (p < r->end && (unsigned char)*p >= 0x80)
				p++;
			continue;
		}
		if (*p != '\\')
			return fail_at(r, p, "a control character stands in a string");
		size_t n = get_escape(p, r->end, &cp);
		if (n == 0)
			return fail_at(r, p, "an escape is malformed");
		r->escaped = true;
		p += n;
	}
	r->raw = str_of(from, (size_t)(p - from));
	r->at = p + 1;
	if (ascii)
		return true;
	size_t valid = utf8_valid_len(r->raw);
	return valid == r->raw.len || fail_at(r, from + valid, "a string is not UTF-8");
}

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* At '-' or a digit. RFC 8259 section 6. */
static enum json_token
get_number(struct json_reader *r)
{
	const char *from = r->at, *p = from, *digits;
	p += *p == '-';
	digits = p;
	p = p < r->end && *p == '0' ? p + 1 : skip_digits(p, r->end);
	if (p == digits)
		return fail_at(r, p, "a number has no digits");
	if (p < r->end && *p == '.') {
		digits = ++p;
		p = skip_digits(p, r->end);
		if (p == digits)
			return fail_at(r, p, "a number has no digits behind its point");
	}
	if (p < r->end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < r->end && (*p == '+' || *p == '-');
		digits = p;
		p = skip_digits(p, r->end);
		if (p == digits)
			return fail_at(r, p, "a number has no digits in its exponent");
	}
	r->raw = str_of(from, (size_t)(p - from));
	r->at = p;
	r->state = STATE_AFTER;
	return JSON_NUMBER;
}

static enum json_token
get_word(struct json_reader *r, const char *word, enum json_token token)
{
	size_t n = strlen(word);
	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return fail(r, "a value is expected here");
	r->at += n;
	r->state = STATE_AFTER;
	return token;
}

static enum json_token
open_level(struct json_reader *r, bool object)
{
	if (r->depth == LIMIT_MESSAGE_DEPTH)
		return fail(r, "values are nested too deeply");
	uint64_t bit = UINT64_C(1) << (r->depth % 64);
	if (object)
		r->object_bits[r->depth / 64] |= bit;
	else
		r->object_bits[r->depth / 64] &= ~bit;
	r->depth++;
	r->at++;
	r->state = object ? STATE_KEY_OR_END : STATE_VALUE_OR_END;
	return object ? JSON_OBJECT : JSON_ARRAY;
}

static inline bool
inside_object(const struct json_reader *r)
{
	return r->object_bits[(r->depth - 1) / 64] >> ((r->depth - 1) % 64) & 1;
}

static enum json_token
close_level(struct json_reader *r)
{
	bool object = inside_object(r);
	CHECK(r->depth > 0);
	r->depth--;
	r->at++;
	r->state = STATE_AFTER;
	return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_token
get_value(struct json_reader *r)
{
	switch (r->at < r->end ? *r->at : '\0') {
	case '{': return open_level(r, true);
	case '[': return open_level(r, false);
	case '"':
		if (!get_string(r))
			return JSON_ERROR;
		r->state = STATE_AFTER;
		return JSON_STRING;
	case 't': return get_word(r, "true", JSON_TRUE);
	case 'f': return get_word(r, "false", JSON_FALSE);
	case 'n': return get_word(r, "null", JSON_NULL);
	case '-': return get_number(r);
	default: break;
	}
	if (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		return get_number(r);
	return fail(r, "a value is expected here");
}

static enum json_token
get_key(struct json_reader *r)
{
	if (r->at == r->end || *r->at != '"')
		return fail(r, "a member's name is expected here");
	if (!get_string(r))
		return JSON_ERROR;
	skip_blanks(r);
	if (r->at == r->end || *r->at != ':')
		return fail(r, "a colon is expected here");
	r->at++;
	r->state = STATE_VALUE;
	return JSON_KEY;
}

/* Behind a value: the end, a comma and what follows it, or a closing bracket. */
static enum json_token
get_next(struct json_reader *r)
{
	if (r->depth == 0)
		return r->at == r->end ? JSON_END
		                       : fail(r, "something stands behind the end of the value");
	bool object = inside_object(r);
	char c = r->at < r->end ? *r->at : '\0';
	if (c == (object ? '}' : ']'))
		return close_level(r);
	if (c != ',')
		return fail(r,
		    object ? "a comma or } is expected here" : "a comma or ] is expected here");
	r->at++;
	skip_blanks(r);
	return object ? get_key(r) : get_value(r);
}

enum json_token
jsonr_next(struct json_reader *r)
{
	skip_blanks(r);
	char c = r->at < r->end ? *r->at : '\0';
	switch ((enum state)r->state) {
	case STATE_AFTER: return get_next(r);
	case STATE_VALUE: return get_value(r);
	case STATE_VALUE_OR_END: return c == ']' ? close_level(r) : get_value(r);
	case STATE_KEY: return get_key(r);
	case STATE_KEY_OR_END: return c == '}' ? close_level(r) : get_key(r);
	case STATE_ERROR: break;
	}
	return JSON_ERROR;
}

bool
jsonr_skip(struct json_reader *r, enum json_token first)
{
	if (first == JSON_ERROR)
		return false;
	if (first != JSON_OBJECT && first != JSON_ARRAY)
		return true;
	CHECK(r->depth > 0);
	for (uint32_t outside = r->depth - 1; r->depth > outside;)
		if (jsonr_next(r) == JSON_ERROR)
			return false;
	return true;
}

struct str
jsonr_string(struct json_reader *r, struct arena *arena)
{
	if (!r->escaped)
		return r->raw;
	/* No escape is shorter than what it stands for. */
	char *text = arena_alloc(arena, r->raw.len);
	if (!text)
		return STR_EMPTY;
	const char *p = r->raw.ptr, *end = p + r->raw.len;
	size_t len = 0;
	while (p < end) {
		uint32_t cp;
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((escape ? escape : end) - p);
		memcpy(text + len, p, plain);
		len += plain;
		if (!escape)
			break;
		size_t n = get_escape(escape, end, &cp);
		CHECK(n > 0);
		char utf8[4];
		size_t bytes = utf8_put(cp, utf8);
		memcpy(text + len, utf8, bytes);
		len += bytes;
		p = escape + n;
	}
	return str_of(text, len);
}
