/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_priv.h"

#include "base/timefmt.h"
#include "tests/test.h"

static void
expect_clean(struct str raw, const char *want, bool utf8)
{
	struct buf b = {0};
	text_clean(&b, raw, utf8);
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, want);
	buf_fini(&b);
}

TEST(cli, text_is_cleaned_of_all_that_moves_hides_or_reorders)
{
	expect_clean(STR("plain text"), "plain text", true);
	expect_clean(STR(""), "", true);
	expect_clean(STR("a\x1b[31mb"), "a\\x1b[31mb", true);
	expect_clean(STR("a\nb\rc\td"), "a\\nb\\rc\\td", true);
	expect_clean(STR("\0\x07\x7f"), "\\x00\\x07\\x7f", true);
	expect_clean(STR("\xc2\x9b"), "\\x9b", true); /* C1 CSI */
	expect_clean(STR("\xe2\x80\xae"), "\\u202e", true); /* right-to-left override */
	expect_clean(STR("\xe2\x81\xa6"), "\\u2066", true); /* isolate */
	expect_clean(STR("\xef\xbb\xbf"), "\\ufeff", true);
	expect_clean(STR("\xf3\xa0\x81\x81"), "\\ue0041", true); /* tag */
	expect_clean(STR("a\xff\xc3"), "a\\xff\\xc3", true); /* not UTF-8 */
	expect_clean(STR("\xed\xa0\x80z"), "\\xed\\xa0\\x80z", true); /* surrogate */
	expect_clean(STR("e\xcc\x81 caf\xc3\xa9"), "e\xcc\x81 caf\xc3\xa9", true);
	expect_clean(STR("e\xcc\x81 caf\xc3\xa9 \xe6\x97\xa5"), "e caf? ?", false);
}

TEST(cli, marks_on_one_character_are_bounded)
{
	struct buf raw = {0}, clean = {0};
	buf_char(&raw, 'a');
	for (int i = 0; i < 1000; i++)
		buf_str(&raw, STR("\xcc\x81"));
	buf_str(&raw, STR("b\xcc\x81"));
	text_clean(&clean, buf_view(&raw), true);
	assert_int_equal(clean.len, 1 + 4 * 2 + 1 + 2);
	assert_int_equal(text_width(buf_view(&clean)), 2);
	buf_fini(&raw);
	buf_fini(&clean);
}

TEST(cli, characters_have_the_width_of_the_unicode_standard)
{
	static const struct {
		uint32_t cp;
		unsigned width;
	} rows[] = {
	    {'a', 1},
	    {0xe9, 1},
	    {0x301, 0},
	    {0x20dd, 0},
	    {0x200d, 0},
	    {0xfe0f, 0},
	    {0x1100, 2},
	    {0x1161, 0},
	    {0x3042, 2},
	    {0x4e2d, 2},
	    {0xac00, 2},
	    {0xff21, 2},
	    {0xff71, 1},
	    {0x1f600, 2},
	    {0x1f4b3, 2},
	    {0x2588, 1},
	    {0x2500, 1},
	    {0x20000, 2},
	    {0x2764, 1},
	    {0x5d0, 1},
	    {0x10ffff, 1},
	    {0x302a, 0},
	    {0x303f, 1},
	    {0xe0100, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (cli_char_width(rows[i].cp) != rows[i].width)
			fail_msg("U+%04X: %u", (unsigned)rows[i].cp, cli_char_width(rows[i].cp));
}

static void
expect_fit(const char *text, size_t width, const char *want, size_t want_width)
{
	struct buf b = {0};
	size_t got = text_fit(&b, str_from(text), width, true);
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, want);
	assert_int_equal(got, want_width);
	buf_fini(&b);
}

TEST(cli, text_is_cut_between_characters_never_beyond_the_width)
{
	expect_fit("abc", 3, "abc", 3);
	expect_fit("abcd", 3, "ab…", 3);
	expect_fit("abcd", 1, "…", 1);
	expect_fit("abcd", 0, "", 0);
	expect_fit("日本語", 6, "日本語", 6);
	expect_fit("日本語", 5, "日本…", 5);
	expect_fit("日本語", 4, "日…", 3); /* half a character does not fit */
	expect_fit("e\xcc\x81x", 2, "e\xcc\x81x", 2);
	expect_fit("xe\xcc\x81", 2, "xe\xcc\x81", 2); /* the mark stays with its letter */
}

static void
expect_age(uint64_t unix_ns, uint64_t now_ns, const char *want)
{
	struct buf b = {0};
	text_age(&b, unix_ns, now_ns);
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, want);
	buf_fini(&b);
}

TEST(cli, ages_are_in_the_largest_whole_unit)
{
	const uint64_t now = UINT64_C(1795187531000000042), s = NS_PER_S;
	expect_age(now, now, "now");
	expect_age(now - s + 1, now, "now");
	expect_age(now - s, now, "1s ago");
	expect_age(now - 59 * s, now, "59s ago");
	expect_age(now - 60 * s, now, "1m ago");
	expect_age(now - 3600 * s, now, "1h ago");
	expect_age(now - 47 * 3600 * s, now, "1d ago");
	expect_age(now - 800 * NS_PER_DAY, now, "2y ago");
	expect_age(now + 5 * s, now, "in 5s");
	expect_age(UINT64_MAX, 0, "in 584y");
	expect_age(0, UINT64_MAX, "584y ago");
}

static void
expect_time(uint64_t unix_ns, const char *want)
{
	struct buf b = {0};
	text_time(&b, unix_ns, UINT64_C(1795187531000000042)); /* 2026-11-20T15:12:11 */
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, want);
	buf_fini(&b);
}

TEST(cli, times_are_as_short_as_their_distance_allows)
{
	expect_time(UINT64_C(1795187530123456789), "15:12:10.123");
	expect_time(UINT64_C(1795187530123456789) - NS_PER_DAY, "11-19 15:12:10");
	expect_time(UINT64_C(1795187530123456789) - 365 * NS_PER_DAY, "2025-11-20 15:12:10");
	expect_time(0, "1970-01-01 00:00:00");
	expect_time(UINT64_MAX, "2554-07-21 23:34:33");
}

TEST(cli, text_is_broken_between_words_and_nothing_of_it_is_cut)
{
	static const struct {
		const char *in, *out;
		unsigned width;
		size_t indent, hang;
	} rows[] = {
	    {"one two  three", "one two\n  three\n", 8, 0, 2},
	    {"one two  three", "one two  three\n", 14, 0, 2},
	    {"one two  three", "one two  three\n", 0, 0, 2},
	    {"widewidewide a", "  widewidewide\n    a\n", 10, 2, 2},
	    {"a widewidewide", "a\nwidewidewide\n", 4, 0, 8},
	    {"", "\n", 8, 0, 2},
	    {"  a", "  a\n", 8, 0, 2},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = {0};
		struct cli_style style = {.utf8 = true, .width = rows[i].width};
		text_wrap(&b, str_from(rows[i].in), &style, rows[i].indent, rows[i].hang,
		    COLOR_NONE);
		buf_char(&b, '\0');
		assert_string_equal(b.ptr, rows[i].out);
		buf_fini(&b);
	}
}
