/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_write(struct buf *out, struct str bytes)
{
	const unsigned char *in = (const unsigned char *)bytes.ptr;
	CHECK(bytes.len <= SIZE_MAX / 2);
	size_t text_len = (bytes.len + 2) / 3 * 4;
	char *p = buf_reserve(out, text_len);
	if (!p)
		return;
	for (size_t i = 0; i < bytes.len; i += 3, p += 4) {
		size_t left = bytes.len - i;
		uint32_t v = (uint32_t)in[i] << 16;
		v |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		v |= left > 2 ? in[i + 2] : 0;
		p[0] = alphabet[v >> 18];
		p[1] = alphabet[v >> 12 & 63];
		p[2] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		p[3] = left > 2 ? alphabet[v & 63] : '=';
	}
	out->len += text_len;
}

/* 0 to 63, or 64 for a character of neither alphabet. */
static uint32_t
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : 64;
}

/* Takes the padding off; false when there is the wrong amount. */
static bool
strip_padding(struct str *text)
{
	size_t len = text->len;
	while (len > 0 && text->len - len < 2 && text->ptr[len - 1] == '=')
		len--;
	bool padded = len < text->len;
	if (padded && text->len % 4 != 0)
		return false;
	text->len = len;
	return len % 4 != 1;
}

bool
base64_read(struct str text, struct buf *out)
{
	if (!strip_padding(&text))
		return false;
	size_t bytes_len = text.len / 4 * 3 + (text.len % 4 * 3) / 4;
	char *p = buf_reserve(out, bytes_len);
	if (!p)
		return true;
	uint32_t bits = 0;
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint32_t v = digit_value(text.ptr[i]);
		if (v > 63)
			return false;
		bits = bits << 6 | v;
		/* The second, third and fourth digit of a group complete a byte each. */
		if (i % 4 != 0)
			p[n++] = (char)(bits >> (6 - 2 * (i % 4)));
	}
	CHECK(n == bytes_len);
	out->len += n;
	return true;
}
