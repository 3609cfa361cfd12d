/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching. What is looked for in ASCII is found without folding the text: sixteen places at a time, those are looked
 * at more closely where the first and the last byte are right (in either case: a letter's two cases differ in one bit,
 * and no other byte becomes a letter by setting it). Anything else is looked for in the folded text, a piece at a time.
 */
#include "base/fold.h"

#include "base/check.h"
#include "base/utf8.h"

enum { CASE_BIT = 0x20, VECTOR_BYTES = 16, PIECE_BYTES = 4096 };

typedef unsigned char fold_vector __attribute__((vector_size(VECTOR_BYTES)));

/* Every `step`-th character from first to last has its other case `delta` away. */
static const struct {
	uint16_t first, last;
	int16_t step, delta;
} cases[] = {
    {0x41, 0x5A, 1, 32}, /* A */
    {0xC0, 0xD6, 1, 32}, /* À */
    {0xD8, 0xDE, 1, 32}, {0x100, 0x12E, 2, 1}, /* Ā */
    {0x132, 0x136, 2, 1}, {0x139, 0x147, 2, 1}, {0x14A, 0x176, 2, 1},
    {0x178, 0x178, 1, -121}, /* Ÿ */
    {0x179, 0x17D, 2, 1}, {0x1A0, 0x1A4, 2, 1}, /* Ơ */
    {0x1AF, 0x1AF, 1, 1}, /* Ư */
    {0x1CD, 0x1DB, 2, 1}, {0x1DE, 0x1EE, 2, 1}, {0x1F8, 0x21E, 2, 1}, {0x222, 0x232, 2, 1},
    {0x370, 0x372, 2, 1}, {0x376, 0x376, 1, 1}, {0x386, 0x386, 1, 38}, /* Ά */
    {0x388, 0x38A, 1, 37}, {0x38C, 0x38C, 1, 64}, {0x38E, 0x38F, 1, 63},
    {0x391, 0x3A1, 1, 32}, /* Α */
    {0x3A3, 0x3AB, 1, 32}, {0x3C2, 0x3C2, 1, 1}, /* ς */
    {0x3D8, 0x3EE, 2, 1}, {0x400, 0x40F, 1, 80}, /* Ѐ */
    {0x410, 0x42F, 1, 32}, /* А */
    {0x460, 0x480, 2, 1}, {0x48A, 0x4BE, 2, 1}, {0x4C0, 0x4C0, 1, 15}, {0x4C1, 0x4CD, 2, 1},
    {0x4D0, 0x52E, 2, 1}, {0x531, 0x556, 1, 48}, /* Ա */
    {0x1E00, 0x1E94, 2, 1}, /* Ḁ */
    {0x1EA0, 0x1EFE, 2, 1}, /* Ạ */
    {0xFF21, 0xFF3A, 1, 32}, /* full width A */
};

uint32_t
fold_char(uint32_t cp)
{
	size_t low = 0, high = ARRAY_LEN(cases);
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (cp < cases[mid].first)
			high = mid;
		else if (cp > cases[mid].last)
			low = mid + 1;
		else if ((int)(cp - cases[mid].first) % cases[mid].step == 0)
			return (uint32_t)((int)cp + cases[mid].delta);
		else
			return cp;
	}
	return cp;
}

uint32_t
fold_other(uint32_t cp)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int other = (int)cp - cases[i].delta;
		if (other >= cases[i].first && other <= cases[i].last &&
		    (other - cases[i].first) % cases[i].step == 0)
			return (uint32_t)other;
	}
	return cp;
}

static inline unsigned char
fold_byte(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | CASE_BIT : c;
}

void
fold_text(struct str s, char *out)
{
	for (size_t i = 0, n; i < s.len; i += n) {
		uint32_t cp;
		n = 1;
		if ((unsigned char)s.ptr[i] < 0x80) {
			out[i] = (char)fold_byte((unsigned char)s.ptr[i]);
			continue;
		}
		n = utf8_get(str_skip(s, i), &cp);
		size_t put = utf8_put(fold_char(cp), out + i);
		CHECK(put == n);
	}
}

static bool
is_ascii(struct str s)
{
	size_t i = 0;
	for (uint64_t word; s.len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.ptr + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			return false;
	}
	for (; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 0x80)
			return false;
	return true;
}

static inline bool
is_at(const char *text, struct str folded)
{
	for (size_t i = 0; i < folded.len; i++)
		if (fold_byte((unsigned char)text[i]) != (unsigned char)folded.ptr[i])
			return false;
	return true;
}

static inline unsigned char
case_bit_of(char folded)
{
	return folded >= 'a' && folded <= 'z' ? CASE_BIT : 0;
}

static inline fold_vector
vector_of(unsigned char c)
{
	return (fold_vector){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c};
}

static inline bool
any_at(const char *text, struct str folded, fold_vector hits)
{
	uint64_t words[2];
	memcpy(words, &hits, sizeof(words));
	if ((words[0] | words[1]) == 0)
		return false;
	for (size_t i = 0; i < VECTOR_BYTES; i++)
		if (hits[i] && is_at(text + i, folded))
			return true;
	return false;
}

/* Bytes outside of ASCII are equal to themselves only, in the text and in what is looked for. */
static bool
find_bytes(struct str text, struct str folded)
{
	if (folded.len > text.len)
		return false;
	size_t places = text.len - folded.len + 1, i = 0;
	char first = folded.ptr[0], last = folded.ptr[folded.len - 1];
	fold_vector first_bit = vector_of(case_bit_of(first)),
	            last_bit = vector_of(case_bit_of(last));
	fold_vector firsts = vector_of((unsigned char)first),
	            lasts = vector_of((unsigned char)last);
	for (; i + VECTOR_BYTES <= places; i += VECTOR_BYTES) {
		fold_vector a, b;
		memcpy(&a, text.ptr + i, sizeof(a));
		memcpy(&b, text.ptr + i + folded.len - 1, sizeof(b));
		fold_vector hits =
		    (fold_vector)(((a | first_bit) == firsts) & ((b | last_bit) == lasts));
		if (any_at(text.ptr + i, folded, hits))
			return true;
	}
	for (; i < places; i++)
		if (is_at(text.ptr + i, folded))
			return true;
	return false;
}

/* The most bytes that end with a whole character. */
static size_t
whole_characters(struct str s, size_t bytes)
{
	if (bytes >= s.len)
		return s.len;
	while (bytes > 0 && ((unsigned char)s.ptr[bytes] & 0xC0) == 0x80)
		bytes--;
	return bytes;
}

static bool
find_folded(struct str text, struct str folded)
{
	char piece[FOLD_NEEDLE_BYTES_MAX + PIECE_BYTES];
	size_t kept = 0;
	while (text.len > 0) {
		size_t n = whole_characters(text, PIECE_BYTES);
		CHECK(n > 0);
		fold_text(str_of(text.ptr, n), piece + kept);
		if (find_bytes(str_of(piece, kept + n), folded))
			return true;
		/* What may be the head of it. */
		size_t all = kept + n;
		kept = all < folded.len - 1 ? all : folded.len - 1;
		memmove(piece, piece + all - kept, kept);
		text = str_skip(text, n);
	}
	return false;
}

bool
fold_contains(struct str text, struct str folded)
{
	CHECK(folded.len <= FOLD_NEEDLE_BYTES_MAX);
	if (folded.len == 0)
		return true;
	if (is_ascii(folded))
		return find_bytes(text, folded);
	return !is_ascii(text) && find_folded(text, folded);
}
