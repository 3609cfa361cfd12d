/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bits.h"

static const char hex_digits[] = "0123456789abcdef";

void
hex_encode(const void *bytes, size_t n, char *out)
{
	const unsigned char *b = bytes;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex_digits[b[i] >> 4];
		out[2 * i + 1] = hex_digits[b[i] & 15];
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(const char *text, size_t n, void *out)
{
	unsigned char *b = out;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_value(text[2 * i]);
		int lo = hex_value(text[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		b[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

void
hex_u64(uint64_t v, char out[16])
{
	unsigned char b[8];
	put_u64be(b, v);
	hex_encode(b, sizeof(b), out);
}

bool
hex_to_u64(const char *text, size_t len, uint64_t *out)
{
	unsigned char b[8];
	if (len != 16 || !hex_decode(text, sizeof(b), b))
		return false;
	*out = get_u64be(b);
	return true;
}
