/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing is on the path of every attribute of every span: a string that needs no escape, which
 * is nearly all of them, is one check of eight bytes at a time and one copy.
 */
#include "model/typed.h"

#include "base/base64.h"
#include "base/number.h"

#include <math.h>

#define BYTES_OF(c) (UINT64_C(0x0101010101010101) * (c))

/* Has w a byte that is a control character, '"' or '\\'? May say yes for a word that has none,
 * never no for one that has. */
static inline bool
word_needs_escape(uint64_t w)
{
	uint64_t quote = w ^ BYTES_OF('"');
	uint64_t slash = w ^ BYTES_OF('\\');
	uint64_t hit = (w - BYTES_OF(0x20)) & ~w;
	hit |= (quote - BYTES_OF(1)) & ~quote;
	hit |= (slash - BYTES_OF(1)) & ~slash;
	return (hit & BYTES_OF(0x80)) != 0;
}

static inline bool
byte_needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

static bool
needs_escape(struct str s)
{
	size_t i = 0;
	for (; s.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
		uint64_t w;
		memcpy(&w, s.ptr + i, sizeof(w));
		if (word_needs_escape(w))
			return true;
	}
	for (; i < s.len; i++)
		if (byte_needs_escape((unsigned char)s.ptr[i]))
			return true;
	return false;
}

static void
put_escaped_byte(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char shorts[0x20] = {
	    ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
	char letter = c < 0x20 ? shorts[c] : (char)c;
	if (letter) {
		char text[2] = {'\\', letter};
		buf_append(b, text, sizeof(text));
		return;
	}
	char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	buf_append(b, text, sizeof(text));
}

static void
put_escaped(struct buf *b, struct str s)
{
	size_t from = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (!byte_needs_escape(c))
			continue;
		buf_append(b, s.ptr + from, i - from);
		put_escaped_byte(b, c);
		from = i + 1;
	}
	buf_append(b, s.ptr + from, s.len - from);
}

size_t
typed_escape_bytes(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		n += c < 0x20 ? 5 : c == '"' || c == '\\';
	}
	return n;
}

/* head, the text, tail: each of head and tail at most three characters. */
static inline void
put_between(struct buf *b, struct str head, struct str s, struct str tail)
{
	if (needs_escape(s)) {
		buf_str(b, head);
		put_escaped(b, s);
		buf_str(b, tail);
		return;
	}
	char *p = buf_reserve(b, head.len + s.len + tail.len);
	if (!p)
		return;
	memcpy(p, head.ptr, head.len);
	if (s.len)
		memcpy(p + head.len, s.ptr, s.len);
	memcpy(p + head.len + s.len, tail.ptr, tail.len);
	b->len += head.len + s.len + tail.len;
}

void
typed_put_string(struct buf *b, struct str s)
{
	put_between(b, STR("\""), s, STR("\""));
}

void
typed_put_key(struct buf *b, struct str key)
{
	bool dollar = key.len > 0 && key.ptr[0] == '$';
	put_between(b, dollar ? STR("\"$") : STR("\""), key, STR("\":"));
}

void
typed_put_double(struct buf *b, double v)
{
	char text[NUMBER_DOUBLE_BYTES];
	size_t n = number_double_text(v, text);
	if (isfinite(v)) {
		buf_append(b, text, n);
		return;
	}
	buf_str(b, STR("{\"$double\":\""));
	buf_append(b, text, n);
	buf_str(b, STR("\"}"));
}

void
typed_put_bytes(struct buf *b, struct str bytes)
{
	buf_str(b, STR("{\"$bytes\":\""));
	base64_write(b, bytes);
	buf_str(b, STR("\"}"));
}
