/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "base/bits.h"
#include "base/utf8.h"
#include "tests/test.h"

TEST(base, numbers_are_read_whole_or_not_at_all)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} rows[] = {
	    {"0", true, 0},
	    {"-0", true, 0},
	    {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN},
	    {"9223372036854775808", false, 0},
	    {"-9223372036854775809", false, 0},
	    {"18446744073709551616", false, 0},
	    {"", false, 0},
	    {"-", false, 0},
	    {"+1", false, 0},
	    {"1 ", false, 0},
	    {" 1", false, 0},
	    {"0x10", false, 0},
	    {"--1", false, 0},
	    {"1.0", false, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t v = 0;
		assert_int_equal(str_to_i64(str_from(rows[i].text), &v), rows[i].ok);
		assert_true(!rows[i].ok || v == rows[i].value);
	}
	uint64_t u;
	assert_true(str_to_u64(STR("18446744073709551615"), &u));
	assert_true(u == UINT64_MAX);
	assert_false(str_to_u64(STR("18446744073709551616"), &u));
	assert_false(str_to_u64(STR("-1"), &u));
}

TEST(base, doubles_are_read_whole_or_not_at_all)
{
	double v;
	assert_true(str_to_f64(STR("-1.5e3"), &v) && v == -1500);
	assert_false(str_to_f64(STR("1.5x"), &v));
	assert_false(str_to_f64(STR(" 1"), &v));
	assert_false(str_to_f64(STR(""), &v));
	assert_false(str_to_f64(str_of("1\0", 2), &v));
}

TEST(base, strings_compare_find_trim)
{
	assert_true(str_eq(STR_EMPTY, STR("")));
	assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
	assert_false(str_eq_nocase(STR("a"), STR("ab")));
	assert_int_equal(str_cmp(STR("a"), STR("ab")), -1);
	assert_int_equal(str_cmp(STR("b"), STR("ab")), 1);
	assert_int_equal(str_cmp(STR_EMPTY, STR("")), 0);
	assert_int_equal(str_find(STR("a=b=c"), '='), 1);
	assert_int_equal(str_find(STR_EMPTY, '='), 0);
	assert_true(str_eq(str_trim(STR(" \t a b\r\n")), STR("a b")));
	assert_int_equal(str_skip(STR("abc"), 9).len, 0);
	assert_true(str_starts(STR("abc"), STR("")));
	assert_false(str_starts(STR("ab"), STR("abc")));
}

TEST(base, hex_is_strict_and_reversible)
{
	unsigned char bytes[4];
	char text[16];
	uint64_t v;
	assert_true(hex_decode("00fFA9", 3, bytes));
	assert_memory_equal(bytes, "\x00\xff\xa9", 3);
	assert_false(hex_decode("0g", 1, bytes));
	hex_u64(UINT64_C(0x0123456789abcdef), text);
	assert_memory_equal(text, "0123456789abcdef", 16);
	assert_true(hex_to_u64(text, 16, &v) && v == UINT64_C(0x0123456789abcdef));
	assert_false(hex_to_u64(text, 15, &v));
	put_u32be(bytes, 0x01020304);
	assert_memory_equal(bytes, "\x01\x02\x03\x04", 4);
	assert_int_equal(get_u32be(bytes), 0x01020304);
	assert_int_equal(get_u32le(bytes), 0x04030201);
}

/* RFC 3629: the table of well-formed sequences (Unicode 15, table 3-7), at its edges. */
TEST(base, utf8_accepts_exactly_the_well_formed)
{
	static const struct {
		const char *text;
		size_t len, valid;
	} rows[] = {
	    {"plain ascii, longer than one word", 33, 33},
	    {"\xc2\x80", 2, 2},
	    {"\xdf\xbf", 2, 2},
	    {"\xe0\xa0\x80", 3, 3},
	    {"\xed\x9f\xbf", 3, 3},
	    {"\xef\xbf\xbf", 3, 3},
	    {"\xf0\x90\x80\x80", 4, 4},
	    {"\xf4\x8f\xbf\xbf", 4, 4},
	    {"a\0b", 3, 3},
	    {"\xc0\xaf", 2, 0},
	    {"\xc1\xbf", 2, 0},
	    {"\xe0\x9f\xbf", 3, 0},
	    {"\xed\xa0\x80", 3, 0},
	    {"\xf0\x8f\xbf\xbf", 4, 0},
	    {"\xf4\x90\x80\x80", 4, 0},
	    {"\xf5\x80\x80\x80", 4, 0},
	    {"\x80", 1, 0},
	    {"ab\xe2\x82", 4, 2},
	    {"abcdefgh\xff", 9, 8},
	    {"\xc2", 1, 0},
	    {"\xe2\x28\xa1", 3, 0},
	    {"\xf0\x9f\x98\x28", 4, 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(utf8_valid_len(str_of(rows[i].text, rows[i].len)), rows[i].valid);
}

TEST(base, utf8_every_scalar_value_goes_there_and_back)
{
	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		char text[4];
		uint32_t back;
		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		size_t n = utf8_put(cp, text);
		assert_true(utf8_valid(str_of(text, n)));
		assert_int_equal(utf8_get(str_of(text, n), &back), n);
		assert_int_equal(back, cp);
	}
}
