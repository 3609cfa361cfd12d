/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most of the bytes are those of strings without escapes: they are passed eight at a time.
 */
#include "duck/duck_json.h"

#include "base/bits.h"
#include "base/utf8.h"

#define BYTES_OF(c) (UINT64_C(0x0101010101010101) * (c))
#define HIGH_BITS BYTES_OF(0x80)

/* The high bit of each byte of w that is zero; above the first one it may be wrong. */
static inline uint64_t
zero_bytes(uint64_t w)
{
	return (w - BYTES_OF(1)) & ~w & HIGH_BITS;
}

static inline bool
is_special(char c)
{
	return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The first '"', '\\' or control character, or the end. */
static inline const char *
find_special(const char *p, const char *end)
{
	for (; end - p >= 8; p += 8) {
		uint64_t w = get_u64le(p);
		uint64_t hit = zero_bytes(w ^ BYTES_OF('"')) | zero_bytes(w ^ BYTES_OF('\\')) |
		    ((w - BYTES_OF(0x20)) & ~w & HIGH_BITS);
		if (hit)
			return p + __builtin_ctzll(hit) / 8;
	}
	while (p < end && !is_special(*p))
		p++;
	return p;
}

static inline bool
take(struct duck_json *j, char c)
{
	if (j->ptr == j->end || *j->ptr != c)
		return false;
	j->ptr++;
	return true;
}

/* Over a string whose opening quote was taken, with the closing one; its inside goes to *out. */
static inline bool
take_string(struct duck_json *j, struct str *out)
{
	const char *start = j->ptr;
	while ((j->ptr = find_special(j->ptr, j->end)) < j->end && *j->ptr != '"')
		j->ptr += *j->ptr == '\\' && j->end - j->ptr > 1 ? 2 : 1;
	*out = str_of(start, (size_t)(j->ptr - start));
	return take(j, '"');
}

/* Over one value of any kind; its text goes to *out. */
static bool
take_value(struct duck_json *j, struct str *out)
{
	const char *start = j->ptr;
	struct str ignored;
	size_t depth = 0;
	while (j->ptr < j->end) {
		char c = *j->ptr;
		if (depth == 0 && (c == ',' || c == '}'))
			break;
		j->ptr++;
		if (c == '"' && !take_string(j, &ignored))
			return false;
		if (c == '{' || c == '[')
			depth++;
		if (c == '}' || c == ']')
			depth--; /* not 0: such a c ended the loop, or is an ']' too many */
		if (depth == SIZE_MAX)
			return false;
	}
	*out = str_of(start, (size_t)(j->ptr - start));
	return out->len > 0 && depth == 0;
}

/* What most values are: a string without escapes. False: nothing was taken. */
static inline bool
take_plain(struct duck_json *j, struct str *out)
{
	const char *start = j->ptr;
	if (start == j->end || *start != '"')
		return false;
	const char *quote = find_special(start + 1, j->end);
	if (j->end - quote < 2 || *quote != '"' || (quote[1] != ',' && quote[1] != '}'))
		return false;
	j->ptr = quote + 1;
	*out = str_of(start, (size_t)(j->ptr - start));
	return true;
}

struct duck_json
duck_json_begin(struct str text)
{
	struct duck_json j = {text.ptr, text.ptr, false};
	if (text.len == 0)
		return j;
	j.end += text.len;
	j.more = take(&j, '{') && !(j.ptr < j.end && *j.ptr == '}');
	return j;
}

static inline bool
take_member(struct duck_json *j, struct duck_json_member *out)
{
	if (!take(j, '"') || !take_string(j, &out->key) || !take(j, ':'))
		return false;
	out->plain = take_plain(j, &out->value);
	return out->plain || take_value(j, &out->value);
}

bool
duck_json_member(struct duck_json *j, struct duck_json_member *out)
{
	if (!j->more)
		return false;
	if (!take_member(j, out)) {
		j->ptr = j->end; /* nothing more comes of it, and it was no map */
		return false;
	}
	j->more = take(j, ',');
	return true;
}

bool
duck_json_end(const struct duck_json *j)
{
	return !j->more && j->end - j->ptr == 1 && *j->ptr == '}';
}

/* ---- strings */

static bool
hex4(const char *p, const char *end, uint32_t *out)
{
	*out = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
		    : c >= 'a' && c <= 'f'            ? (uint32_t)(c - 'a' + 10)
		    : c >= 'A' && c <= 'F'            ? (uint32_t)(c - 'A' + 10)
		                                      : 16;
		if (digit > 15)
			return false;
		*out = *out << 4 | digit;
	}
	return true;
}

/* Behind a backslash: the character it stands for, as UTF-8; 0 when it is no escape. No character is taken in part. */
static size_t
take_escape(const char **at, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t cp, low;
	const char *p = *at;
	char c = p < end ? *p++ : '\0';
	const char *known = c != '\0' ? strchr(from, c) : NULL;
	if ((unsigned char)c >= 0x80)
		return 0;
	*at = p;
	if (known) {
		out[0] = to[known - from];
		return 1;
	}
	if (c != 'u' || !hex4(p, end, &cp))
		return 0;
	p += 4;
	if (cp >= 0xD800 && cp < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
	    hex4(p + 2, end, &low) && low >= 0xDC00 && low < 0xE000) {
		cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
		p += 6;
	}
	*at = p;
	return cp >= 0xD800 && cp < 0xE000 ? 0 : utf8_put(cp, out);
}

bool
duck_json_raw_is(struct str raw, struct str want)
{
	if (raw.len < want.len)
		return false; /* an escape is never shorter than what it stands for */
	if (raw.len == 0 || !memchr(raw.ptr, '\\', raw.len))
		return str_eq(raw, want);
	for (const char *p = raw.ptr, *end = p + raw.len; p < end;) {
		char bytes[4] = {*p++};
		size_t n = bytes[0] == '\\' ? take_escape(&p, end, bytes) : 1;
		if (n == 0 || !str_starts(want, str_of(bytes, n)))
			return false;
		want = str_skip(want, n);
	}
	return want.len == 0;
}

/* Length of the escape at p, a backslash, when it is one that typed_put_string() writes and not
 * that of NUL; or 0. */
static size_t
our_escape(const char *p, const char *end)
{
	uint32_t cp;
	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] != '\0' && strchr("\"\\bfnrt", p[1]) ? 2 : 0;
	if (!hex4(p + 2, end, &cp) || cp == 0 || cp >= 0x20 || strchr("\b\f\n\r\t", (int)cp))
		return 0;
	return p[5] >= 'A' && p[5] <= 'F' ? 0 : 6;
}

bool
duck_json_raw_is_ours(struct str raw)
{
	if (raw.len == 0)
		return true;
	const char *end = raw.ptr + raw.len;
	for (const char *p = raw.ptr; (p = find_special(p, end)) < end;) {
		size_t n = *p == '\\' ? our_escape(p, end) : 0;
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

size_t
duck_json_raw_undo(struct str raw, char *out)
{
	char *to = out;
	for (const char *p = raw.ptr, *end = p + raw.len; p < end;) {
		char bytes[4] = {*p++};
		size_t n = bytes[0] == '\\' ? take_escape(&p, end, bytes) : 1;
		CHECK(n == 1);
		*to++ = bytes[0];
	}
	return (size_t)(to - out);
}

bool
duck_json_is_value(struct str text)
{
	struct duck_json j = {text.ptr, text.ptr + text.len, true};
	struct str value;
	return take_value(&j, &value) && j.ptr == j.end;
}

void
duck_json_raw_put(struct buf *out, struct str raw)
{
	const char *p = raw.ptr, *end = p + raw.len;
	while (p < end) {
		const char *next = memchr(p, '\\', (size_t)(end - p));
		char bytes[4];
		next = next ? next : end;
		buf_append(out, p, (size_t)(next - p));
		p = next;
		if (p == end)
			return;
		p++;
		buf_append(out, bytes, take_escape(&p, end, bytes));
	}
}

void
duck_json_text_put(struct buf *out, struct str value)
{
	static const struct str wrappers[] = {
	    STR_INIT("{\"$double\":\""), STR_INIT("{\"$bytes\":\"")};
	if (value.len >= 2 && value.ptr[0] == '"') {
		duck_json_raw_put(out, str_of(value.ptr + 1, value.len - 2));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
		if (str_starts(value, wrappers[i]) && value.len >= wrappers[i].len + 2) {
			size_t len = value.len - wrappers[i].len - 2;
			buf_append(out, value.ptr + wrappers[i].len, len);
			return;
		}
	buf_str(out, value);
}
