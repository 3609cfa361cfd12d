/* SPDX-License-Identifier: Apache-2.0 */
#include "model/typed.h"

#include "base/arena.h"
#include "base/limits.h"

#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static void
assert_text(struct buf *b, const char *want)
{
	buf_char(b, '\0');
	assert_false(b->failed);
	assert_string_equal(b->ptr, want);
	buf_reset(b);
}

TEST(model, typed_strings_are_escaped_where_json_asks_for_it)
{
	struct buf b = {0};
	typed_put_string(&b, STR(""));
	assert_text(&b, "\"\"");
	typed_put_string(&b, STR_EMPTY);
	assert_text(&b, "\"\"");
	typed_put_string(&b, STR("plain <text> & \xc3\xbc \x7f"));
	assert_text(&b, "\"plain <text> & \xc3\xbc \x7f\"");
	typed_put_string(&b, STR("q\" b\\ n\n t\t r\r b\b f\f e\x1b z\0."));
	assert_text(&b, "\"q\\\" b\\\\ n\\n t\\t r\\r b\\b f\\f e\\u001b z\\u0000.\"");
	buf_fini(&b);
}

/* Whatever stands around it, at every place in words of eight bytes. */
TEST(model, typed_strings_are_escaped_at_every_offset)
{
	for (int c = 0; c < 256; c++) {
		bool special = c < 0x20 || c == '"' || c == '\\';
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			struct buf b = {0};
			memset(text, at % 2 ? 'x' : '\x80', sizeof(text));
			text[at] = (char)c;
			typed_put_string(&b, str_of(text, sizeof(text)));
			assert_int_equal(b.ptr[at + 1] == '\\', special);
			assert_int_equal(b.len > sizeof(text) + 2, special);
			buf_fini(&b);
		}
	}
}

TEST(model, typed_keys_double_a_leading_dollar)
{
	struct buf b = {0};
	typed_put_key(&b, STR("key"));
	assert_text(&b, "\"key\":");
	typed_put_key(&b, STR(""));
	assert_text(&b, "\"\":");
	typed_put_key(&b, STR("$bytes"));
	assert_text(&b, "\"$$bytes\":");
	typed_put_key(&b, STR("$$"));
	assert_text(&b, "\"$$$\":");
	typed_put_key(&b, STR("a$\""));
	assert_text(&b, "\"a$\\\"\":");
	buf_fini(&b);
}

TEST(model, typed_doubles_and_bytes_keep_their_type)
{
	struct buf b = {0};
	typed_put_double(&b, 3);
	assert_text(&b, "3.0");
	typed_put_double(&b, -0.0);
	assert_text(&b, "-0.0");
	typed_put_double(&b, 2.5e-7);
	assert_text(&b, "2.5e-07");
	typed_put_double(&b, NAN);
	assert_text(&b, "{\"$double\":\"NaN\"}");
	typed_put_double(&b, -INFINITY);
	assert_text(&b, "{\"$double\":\"-Infinity\"}");
	typed_put_bytes(&b, STR("\0\xff"));
	assert_text(&b, "{\"$bytes\":\"AP8=\"}");
	typed_put_bytes(&b, STR_EMPTY);
	assert_text(&b, "{\"$bytes\":\"\"}");
	buf_fini(&b);
}

/* ---- the API's form */

static const struct {
	const char *typed, *api;
} pairs[] = {
    {"null", "null"},
    {"true", "true"},
    {"false", "false"},
    {"\"\"", "\"\""},
    {"0", "0"},
    {"-0", "-0"},
    {"-0.0", "-0.0"},
    {"12", "12"},
    {"9007199254740991", "9007199254740991"},
    {"-9007199254740991", "-9007199254740991"},
    {"9007199254740992", "\"9007199254740992\""},
    {"-9007199254740992", "\"-9007199254740992\""},
    {"18446744073709551615", "\"18446744073709551615\""},
    {"-9223372036854775808", "\"-9223372036854775808\""},
    {"99999999999999999999999", "\"99999999999999999999999\""},
    {"9007199254740993.0", "9007199254740993.0"},
    {"1e+300", "1e+300"},
    {"2.5e-07", "2.5e-07"},
    {"1E5", "1E5"},
    {"{\"$double\":\"NaN\"}", "\"NaN\""},
    {"{\"$double\":\"Infinity\"}", "\"Infinity\""},
    {"[{\"$double\":\"-Infinity\"},1]", "[\"-Infinity\",1]"},
    {"{\"$bytes\":\"AP8=\"}", "{\"$bytes\":\"AP8=\"}"},
    {"{\"b\":{\"$bytes\":\"\"},\"c\":1}", "{\"b\":{\"$bytes\":\"\"},\"c\":1}"},
    {"{\"$$bytes\":\"x\"}", "{\"$bytes\":\"x\"}"},
    {"{\"$$$x\":1,\"$$\":2}", "{\"$$x\":1,\"$\":2}"},
    {"{\"a$\":\"$b\"}", "{\"a$\":\"$b\"}"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[[],{},[[{}]]]", "[[],{},[[{}]]]"},
    {"{\"a\":1,\"a\":[2,3]}", "{\"a\":1,\"a\":[2,3]}"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\""},
    {"\"</script>&\"", "\"\\u003c/script\\u003e\\u0026\""},
    {"{\"<\":1}", "{\"\\u003c\":1}"},
    {"\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x98\x83\xe2\x80\xaa\"",
        "\"\\u2028\\u2029\xe2\x98\x83\xe2\x80\xaa\""},
    {"\"~\x7f\xc2\x80-\xc2\x9b\xc2\x9f\xc2\xa0\xc2\xbf\xc3\x9b\"",
        "\"~\\u007f\\u0080-\\u009b\\u009f\xc2\xa0\xc2\xbf\xc3\x9b\""},
    {"[{\"t\":1544712660000000001,\"name\":\"e\"}]",
        "[{\"t\":\"1544712660000000001\",\"name\":\"e\"}]"},
};

TEST(model, typed_json_becomes_the_json_of_the_api)
{
	struct buf out = {0};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct err err;
		if (typed_write_api(str_from(pairs[i].typed), &out, &err) != ERR_OK)
			fail_msg("%s: %s", pairs[i].typed, err.message);
		assert_text(&out, pairs[i].api);
	}
	buf_fini(&out);
}

TEST(model, typed_json_that_is_damaged_is_corrupt)
{
	static const char *const damaged[] = {"", " ", "nul", "nulll", "tru", "1 ", " 1", "1,",
	    "[1", "[1,", "[1,]", "[,1]", "[1 ,2]", "]", "}", "[}", "{]", "{", "{\"a\"",
	    "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{\"a\" :1}", "{1:1}",
	    "{\"a\":1 }", "{,}", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
	    "\"\\ud800\"", "\"\\udc00\"", "\"\\", "\"\n\"", "\"\x1f\"", "\"\xff\"", "\"\xc3\"",
	    "\"\xed\xa0\x80\"", "01", "-", "+1", ".5", "1.", "1e", "1e+", "1.e5", "--1", "0x1",
	    "NaN", "{\"$x\":1}", "{\"a\":1,\"$bytes\":\"\"}", "{\"$bytes\":1}",
	    "{\"$bytes\":\"A\"}", "{\"$bytes\":\"?\"}", "{\"$bytes\":\"AA==\",\"a\":1}",
	    "{\"$double\":1.5}", "{\"$double\":\"nan\"}", "{\"$double\":\"NaN\",\"a\":1}",
	    "{\"$\":1}", "1 2", "[]]", "{}{}"};
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct buf out = {0};
		struct err err = {0};
		if (typed_write_api(str_from(damaged[i]), &out, &err) != ERR_CORRUPT)
			fail_msg("'%s' is not corrupt", damaged[i]);
		assert_non_null(strstr(err.message, "damaged at byte"));
		buf_fini(&out);
	}
	struct buf out = {0};
	assert_int_equal(typed_write_api(STR_EMPTY, &out, NULL), ERR_CORRUPT);
	assert_int_equal(typed_write_api(STR("\"\\\0\""), &out, NULL), ERR_CORRUPT);
	assert_int_equal(typed_write_api(STR("1\0"), &out, NULL), ERR_CORRUPT);
	buf_fini(&out);
}

TEST(model, typed_json_may_nest_as_deep_as_otlp_allows_and_no_deeper_than_its_limit)
{
	enum { LEVELS = LIMIT_MESSAGE_DEPTH };
	for (int levels = LEVELS; levels <= LEVELS + 1; levels++) {
		struct buf text = {0}, out = {0};
		for (int i = 0; i < levels; i++)
			buf_str(&text, i % 2 ? STR("[") : STR("{\"k\":"));
		buf_char(&text, '1');
		for (int i = levels - 1; i >= 0; i--)
			buf_char(&text, i % 2 ? ']' : '}');
		enum err_code want = levels > LEVELS ? ERR_CORRUPT : ERR_OK;
		assert_int_equal(typed_write_api(buf_view(&text), &out, NULL), want);
		if (want == ERR_OK)
			assert_true(str_eq(buf_view(&out), buf_view(&text)));
		buf_fini(&text);
		buf_fini(&out);
	}
	/* 100 levels of values in the attributes of an event: a list, an object, an object. */
	assert_true(LEVELS >= 100 + 3);
}

TEST(model, typed_json_cut_or_changed_at_any_byte_never_reads_beyond_it)
{
	static const char text[] =
	    "{\"a\":[1,-2.5e-07,\"x\\u0001\xc3\xbc\",null,true],\"$$b\":{\"$bytes\":\"AP8=\"},"
	    "\"n\":{\"$double\":\"NaN\"},\"o\":{}}";
	size_t len = sizeof(text) - 1;
	for (size_t n = 0; n < len; n++) {
		/* An allocation of exactly n bytes, for AddressSanitizer. */
		struct buf exact = {0}, out = {0};
		buf_append(&exact, text, n);
		char *copy = xrealloc(NULL, n ? n : 1);
		memcpy(copy, exact.ptr, n);
		assert_int_equal(typed_write_api(str_of(copy, n), &out, NULL), ERR_CORRUPT);
		free(copy);
		buf_fini(&exact);
		buf_fini(&out);
	}
	for (size_t at = 0; at < len; at++) {
		for (int c = 0; c < 256; c++) {
			char changed[sizeof(text)];
			struct buf out = {0};
			memcpy(changed, text, len);
			changed[at] = (char)c;
			enum err_code code = typed_write_api(str_of(changed, len), &out, NULL);
			assert_true(code == ERR_OK || code == ERR_CORRUPT);
			buf_fini(&out);
		}
	}
}
