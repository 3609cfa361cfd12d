/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fold.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "tests/test.h"

#include <stdlib.h>

TEST(fold, cases_of_a_letter_are_one_and_lengths_stay)
{
	static const char *const pairs[][2] = {
	    {"ABCXYZ", "abcxyz"},
	    {"@[`{09 -_", "@[`{09 -_"},
	    {"ÄÖÜÉÑØÞ", "äöüéñøþ"},
	    {"ß×÷", "ß×÷"},
	    {"ĀŁŸŻŐ", "āłÿżő"},
	    {"İıſ", "İıſ"},
	    {"ΑΒΓΣΏΌΆ", "αβγσώόά"},
	    {"ς", "σ"},
	    {"ЁЂАЯҐӀԮ", "ёђаяґӏԯ"},
	    {"ԱՖ", "աֆ"},
	    {"ẠỘỮ", "ạộữ"},
	    {"ＡＺ", "ａｚ"},
	    {"\xE2\x84\xAA", "\xE2\x84\xAA"}, /* Kelvin */
	    {"日本😀", "日本😀"},
	};
	char out[64];
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct str from = str_from(pairs[i][0]), want = str_from(pairs[i][1]);
		fold_text(from, out);
		assert_true(str_eq(str_of(out, from.len), want));
		fold_text(want, out); /* what is folded stays */
		assert_true(str_eq(str_of(out, want.len), want));
	}
}

TEST(fold, no_character_changes_its_length_or_becomes_ascii)
{
	char a[4], b[4];
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		if (cp >= 0xD800 && cp < 0xE000)
			continue;
		uint32_t folded = fold_char(cp);
		assert_int_equal(utf8_put(cp, a), utf8_put(folded, b));
		assert_int_equal(fold_char(folded), folded);
		assert_true((cp < 0x80) == (folded < 0x80));
	}
}

/* The plainest way: fold all, compare at each place. */
static bool
plain_contains(struct str text, struct str folded)
{
	char *all = xcalloc(text.len + 1, 1);
	bool found = false;
	fold_text(text, all);
	for (size_t i = 0; i + folded.len <= text.len && !found; i++)
		found = folded.len == 0 || memcmp(all + i, folded.ptr, folded.len) == 0;
	free(all);
	return found;
}

static uint64_t
next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

static struct str
random_text(uint64_t *r, char *out, size_t count)
{
	static const char *const letters[] = {"a", "A", "b", "B", "z", "@", "[", "`", "{", " ", "ä",
	    "Ä", "Я", "я", "日", "😀", "!", "\0"};
	size_t len = 0;
	for (size_t i = 0; i < count; i++) {
		/* Few letters, so that parts repeat. */
		uint64_t choice = next(r) % 4 == 0 ? ARRAY_LEN(letters) : 4;
		const char *s = letters[next(r) % choice];
		size_t n = *s ? strlen(s) : 1;
		memcpy(out + len, s, n);
		len += n;
	}
	return str_of(out, len);
}

TEST(fold, random_parts_are_found_where_the_plain_way_finds_them)
{
	uint64_t r = 7;
	char text[8000], part[64], folded[64];
	size_t found = 0;
	for (int i = 0; i < 30000; i++) {
		struct str t = random_text(&r, text, next(&r) % (i % 100 == 0 ? 1800 : 60));
		struct str p = random_text(&r, part, next(&r) % 8);
		fold_text(p, folded);
		struct str needle = str_of(folded, p.len);
		bool want = plain_contains(t, needle);
		found += want;
		if (fold_contains(t, needle) != want)
			fail_msg("round %d: \"%.*s\" in \"%.*s\"", i, STR_ARG(needle), STR_ARG(t));
	}
	assert_in_range(found, 3000, 27000);
}

/* Beyond one piece of the folded text, and across where two meet. */
TEST(fold, long_texts_are_searched_to_their_end)
{
	enum { BYTES = 20000 };
	char *text = xcalloc(BYTES, 1);
	memset(text, 'x', BYTES);
	for (size_t at = 0; at + 6 <= BYTES; at += at > 4000 && at < 4200 ? 1 : 97) {
		memcpy(text + at, "ÄBÖ", 5);
		assert_true(fold_contains(str_of(text, BYTES), STR("äbö")));
		assert_true(fold_contains(str_of(text, BYTES), STR("äb")));
		assert_false(fold_contains(str_of(text, BYTES), STR("äbä")));
		assert_false(fold_contains(str_of(text, at + 3), STR("äbö")));
		memset(text + at, 'x', 5);
	}
	free(text);
}
