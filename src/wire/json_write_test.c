/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_write.h"

#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

static void
assert_text(struct buf *b, const char *want)
{
	assert_false(b->failed);
	if (!str_eq(buf_view(b), str_from(want)))
		fail_msg("'%.*s' instead of '%s'", STR_ARG(buf_view(b)), want);
	buf_fini(b);
}

TEST(wire, json_writer_puts_the_commas)
{
	struct buf b = {0};
	struct json_writer w;
	json_writer_init(&w, &b);
	jsonw_object(&w);
	jsonw_key(&w, "a");
	jsonw_array(&w);
	jsonw_array_end(&w);
	jsonw_key_str(&w, STR("b\""));
	jsonw_object(&w);
	jsonw_object_end(&w);
	jsonw_key(&w, "c");
	jsonw_array(&w);
	jsonw_null(&w);
	jsonw_array(&w);
	jsonw_bool(&w, true);
	jsonw_bool(&w, false);
	jsonw_array_end(&w);
	jsonw_object(&w);
	jsonw_key(&w, "d");
	jsonw_raw(&w, STR("[1]"));
	jsonw_object_end(&w);
	jsonw_str(&w, STR("x"));
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	assert_text(&b, "{\"a\":[],\"b\\\"\":{},\"c\":[null,[true,false],{\"d\":[1]},\"x\"]}");
}

static void
assert_string(struct str s, const char *want)
{
	struct buf b = {0};
	struct json_writer w;
	json_writer_init(&w, &b);
	jsonw_str(&w, s);
	assert_text(&b, want);
}

TEST(wire, json_writer_escapes_what_json_and_html_need)
{
	assert_string(STR_EMPTY, "\"\"");
	assert_string(STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	assert_string(STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	assert_string(STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"");
	/* U+0080 to U+009F, of which U+009B begins a terminal's command, and what is next to them */
	assert_string(STR("~\xc2\x80-\xc2\x9b-\xc2\x9f\xc2\xa0\xc2\xbf\xc3\x9b"),
	    "\"~\\u0080-\\u009b-\\u009f\xc2\xa0\xc2\xbf\xc3\x9b\"");
	assert_string(STR("</script>&"), "\"\\u003c/script\\u003e\\u0026\"");
	assert_string(STR("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x82\xac"),
	    "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\xe2\x82\xac\"");
	assert_string(STR("\xc3\xa9\xf0\x9d\x84\x9e"), "\"\xc3\xa9\xf0\x9d\x84\x9e\"");
}

#define FFFD "\xef\xbf\xbd"

TEST(wire, json_writer_replaces_bytes_that_are_not_utf8)
{
	assert_string(STR("a\xff"
	                  "b"),
	    "\"a" FFFD "b\"");
	assert_string(STR("\xc3"), "\"" FFFD "\"");
	assert_string(STR("\xe2\x80"), "\"" FFFD FFFD "\"");
	assert_string(STR("\xed\xa0\x80<"), "\"" FFFD FFFD FFFD "\\u003c\"");
	assert_string(STR("\xc0\xaf\xc3\xa9"), "\"" FFFD FFFD "\xc3\xa9\"");
}

TEST(wire, json_writer_keeps_integers_whole_for_javascript)
{
	struct buf b = {0};
	struct json_writer w;
	json_writer_init(&w, &b);
	jsonw_array(&w);
	jsonw_i64(&w, 0);
	jsonw_i64(&w, -9007199254740991);
	jsonw_i64(&w, -9007199254740992);
	jsonw_i64(&w, INT64_MIN);
	jsonw_u64(&w, 9007199254740991);
	jsonw_u64(&w, 9007199254740992);
	jsonw_u64(&w, UINT64_MAX);
	jsonw_u64_string(&w, 0);
	jsonw_array_end(&w);
	assert_text(&b,
	    "[0,-9007199254740991,\"-9007199254740992\",\"-9223372036854775808\","
	    "9007199254740991,\"9007199254740992\",\"18446744073709551615\",\"0\"]");
}

TEST(wire, json_writer_quotes_what_is_no_number)
{
	struct buf b = {0};
	struct json_writer w;
	json_writer_init(&w, &b);
	jsonw_array(&w);
	jsonw_f64(&w, 1);
	jsonw_f64(&w, (double)NAN);
	jsonw_f64(&w, (double)INFINITY);
	jsonw_f64(&w, (double)-INFINITY);
	jsonw_f64(&w, 0.5);
	jsonw_array_end(&w);
	assert_text(&b, "[1.0,\"NaN\",\"Infinity\",\"-Infinity\",0.5]");
}

/* The digits are those Python's repr() shows, which are the fewest. */
static const struct {
	double v;
	const char *text;
} doubles[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {-1.5, "-1.5"},
    {0.1, "0.1"},
    {0.3, "0.3"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3, "0.3333333333333333"},
    {2.0 / 3, "0.6666666666666666"},
    {100, "100.0"},
    {1e14, "100000000000000.0"},
    {1e15, "1e+15"},
    {1e16, "1e+16"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {1e-5, "1e-05"},
    {9007199254740993.0, "9007199254740992.0"},
    {123456789012345678.0, "1.2345678901234568e+17"},
    {5e-324, "5e-324"},
    {1.5e-323, "1.5e-323"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {3.141592653589793, "3.141592653589793"},
    {-1.2345e-300, "-1.2345e-300"},
    {4.35, "4.35"},
    {299792458.0, "299792458.0"},
};

TEST(wire, json_doubles_are_short_and_never_look_like_integers)
{
	for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
		char text[32];
		size_t n = json_double_text(doubles[i].v, text);
		if (!str_eq(str_of(text, n), str_from(doubles[i].text)))
			fail_msg("'%.*s' instead of '%s'", (int)n, text, doubles[i].text);
	}
}

static void
assert_double_comes_back(uint64_t bits)
{
	double v, back;
	char text[33];
	memcpy(&v, &bits, sizeof(v));
	if (!isfinite(v))
		return;
	size_t n = json_double_text(v, text);
	assert_in_range(n, 3, 32);
	text[n] = '\0';
	assert_non_null(strpbrk(text, ".e"));
	back = strtod(text, NULL);
	assert_memory_equal(&back, &v, sizeof(v));
}

TEST(wire, json_doubles_come_back_bit_for_bit)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		assert_double_comes_back(x);
	}
	for (uint64_t exponent = 0; exponent < 2047; exponent++) {
		assert_double_comes_back(exponent << 52);
		assert_double_comes_back((exponent << 52) + 1);
		assert_double_comes_back((exponent << 52) - (exponent > 0));
	}
}
