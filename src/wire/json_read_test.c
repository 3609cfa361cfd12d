/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_read.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "tests/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- JSONTestSuite: y_ must be accepted, n_ refused, i_ is left to us */

static bool
is_valid(struct str text)
{
	struct json_reader r;
	enum json_token t;
	jsonr_begin(&r, text);
	do
		t = jsonr_next(&r);
	while (t != JSON_END && t != JSON_ERROR);
	assert_int_equal(t == JSON_ERROR, r.error != NULL);
	assert_true(r.error_at <= text.len);
	assert_int_equal(jsonr_next(&r), t); /* the end and an error stay */
	return t == JSON_END;
}

/* Of a copy of the exact size, so that the sanitizer sees a read behind it. */
static bool
is_valid_copy(const void *text, size_t len)
{
	char *copy = malloc(len + (len == 0));
	assert_non_null(copy);
	if (len)
		memcpy(copy, text, len);
	bool valid = is_valid(str_of(copy, len));
	free(copy);
	return valid;
}

static bool
file_is_valid(const char *name)
{
	char path[300];
	struct buf text = {0};
	snprintf(path, sizeof(path), "tests/golden/json-parsing/%s", name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	char *p = buf_reserve(&text, 1 << 20);
	text.len = fread(p, 1, 1 << 20, f);
	fclose(f);
	bool valid = is_valid_copy(text.ptr, text.len);
	buf_fini(&text);
	return valid;
}

TEST(wire, json_accepts_and_refuses_as_jsontestsuite_asks)
{
	size_t seen[128] = {0};
	DIR *dir = opendir("tests/golden/json-parsing");
	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (!strstr(e->d_name, ".json"))
			continue;
		bool valid = file_is_valid(e->d_name);
		if (e->d_name[0] != 'i' && valid != (e->d_name[0] == 'y'))
			fail_msg("%s is %s", e->d_name, valid ? "accepted" : "refused");
		seen[e->d_name[0] & 127]++;
	}
	closedir(dir);
	assert_int_equal(seen['y'], 95);
	assert_int_equal(seen['n'], 188);
	assert_int_equal(seen['i'], 35);
}

TEST(wire, json_is_strict_where_the_suite_leaves_it_open)
{
	assert_false(is_valid(STR("\xef\xbb\xbf{}"))); /* a byte order mark */
	assert_false(is_valid(STR("\"\\ud800\""))); /* lone surrogates */
	assert_false(is_valid(STR("\"\\udc00\"")));
	assert_false(is_valid(STR("\"\\ud800\\ud800\\udc00\"")));
	assert_false(is_valid(STR("\"\\ud800\\ud800\"")));
	assert_false(is_valid(STR("\"\\ud800\\udbff\"")));
	assert_false(is_valid(STR("\"\\ud800\\ue000\"")));
	assert_false(is_valid(STR("\"\\ud800\\u0041\"")));
	assert_false(is_valid(STR("\"\xed\xa0\x80\"")));
	assert_false(is_valid(STR("\"\xc0\xaf\"")));
	assert_false(is_valid(STR("{\"\xff\":1}")));
	assert_false(is_valid(STR("\"\xc3\\n\xa9\"")));
	assert_true(is_valid(STR("\"\\ud834\\udd1e\"")));
	assert_true(is_valid(STR("1e999999"))); /* the grammar only */
	assert_true(is_valid(STR("-123456789012345678901234567890")));
	assert_true(is_valid(STR("\"\\u0000\"")));
	assert_false(is_valid(STR("")));
	assert_false(is_valid(STR("\0")));
	assert_false(is_valid(STR("1\0")));
}

TEST(wire, json_strings_are_checked_at_every_distance_from_their_ends)
{
	/* The scan goes by eight bytes: a bad byte must be found wherever it stands. */
	static const char bad[] = {'\0', '\x1f', '\x80', '\xff', '\n', '\\'};
	for (size_t len = 0; len < 40; len++) {
		for (size_t at = 0; at < len; at++) {
			for (size_t i = 0; i < sizeof(bad); i++) {
				char text[64];
				memset(text, i % 2 ? 'a' : '!',
				    sizeof(text)); /* '!' is next to '"' */
				text[0] = text[len + 1] = '"';
				assert_true(is_valid_copy(text, len + 2));
				text[at + 1] = bad[i];
				assert_false(is_valid_copy(text, len + 2));
				text[at + 1] = '"';
				assert_false(is_valid_copy(text, len + 2));
			}
		}
	}
}

TEST(wire, json_utf8_in_strings_is_judged_as_by_the_decoder_of_utf8)
{
	/* Every pair of bytes behind an ASCII prefix of each length up to a word. */
	for (unsigned pair = 0; pair < 65536; pair++) {
		char text[16] = "\"aaaaaaaaaa\"";
		size_t at = 1 + pair % 9;
		text[at] = (char)(pair >> 8);
		text[at + 1] = (char)pair;
		text[at + 2] = '"';
		if ((pair >> 8) < 0x80 || (pair & 0xff) < 0x80)
			continue;
		assert_int_equal(is_valid(str_of(text, at + 3)),
		    utf8_valid(str_of(text + 1, at + 1)));
	}
}

/* ---- tokens */

static const char *const token_names[] = {[JSON_ERROR] = "error",
    [JSON_END] = "end",
    [JSON_OBJECT] = "{",
    [JSON_OBJECT_END] = "}",
    [JSON_ARRAY] = "[",
    [JSON_ARRAY_END] = "]",
    [JSON_KEY] = "key ",
    [JSON_STRING] = "string ",
    [JSON_NUMBER] = "number ",
    [JSON_TRUE] = "true",
    [JSON_FALSE] = "false",
    [JSON_NULL] = "null"};

static void
assert_tokens(const char *text, const char *want)
{
	struct json_reader r;
	struct buf out = {0};
	enum json_token t;
	jsonr_begin(&r, str_from(text));
	do {
		t = jsonr_next(&r);
		buf_str(&out, str_from(token_names[t]));
		if (t == JSON_KEY || t == JSON_STRING || t == JSON_NUMBER)
			buf_str(&out, r.raw);
		buf_char(&out, ' ');
	} while (t != JSON_END && t != JSON_ERROR);
	if (!str_eq(buf_view(&out), str_from(want)))
		fail_msg("%s: '%.*s' instead of '%s'", text, STR_ARG(buf_view(&out)), want);
	buf_fini(&out);
}

TEST(wire, json_tokens_come_in_order)
{
	assert_tokens(" {} ", "{ } end ");
	assert_tokens("[]", "[ ] end ");
	assert_tokens("{\"a\" : [1, -2.5e+3,\"b\"],\r\n\"c\":{\"d\":null}, \"a\":true}\t",
	    "{ key a [ number 1 number -2.5e+3 string b ] key c { key d null } key a true } end ");
	assert_tokens("[[[]],false]", "[ [ [ ] ] false ] end ");
	assert_tokens("\"x\\ty\"", "string x\\ty end ");
	assert_tokens("[1 2]", "[ number 1 error ");
	assert_tokens("[1}", "[ number 1 error ");
	assert_tokens("{\"a\":1]", "{ key a number 1 error ");
	assert_tokens("{\"a\" 1}", "{ error ");
	assert_tokens("[,1]", "[ error ");
	assert_tokens("{,}", "{ error ");
	assert_tokens("1 2", "number 1 error ");
}

TEST(wire, json_errors_say_what_and_where)
{
	static const struct {
		const char *text;
		size_t at;
		const char *error;
	} cases[] = {
	    {"[1,", 3, "the text ends too early"},
	    {"[1,]", 3, "a value is expected here"},
	    {"{\"a\"}", 4, "a colon is expected here"},
	    {"{1", 1, "a member's name is expected here"},
	    {"[1 2", 3, "a comma or ] is expected here"},
	    {"{\"a\":1 2", 7, "a comma or } is expected here"},
	    {"\"ab\\x\"", 3, "an escape is malformed"},
	    {"\"ab\x01\"", 3, "a control character stands in a string"},
	    {"\"ab\xff\"", 3, "a string is not UTF-8"},
	    {"\"ab", 3, "a string has no end"},
	    {"[-]", 2, "a number has no digits"},
	    {"[1.]", 3, "a number has no digits behind its point"},
	    {"[1e+]", 4, "a number has no digits in its exponent"},
	    {"{} x", 3, "something stands behind the end of the value"},
	    {"nul", 0, "a value is expected here"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_reader r;
		enum json_token t;
		jsonr_begin(&r, str_from(cases[i].text));
		do
			t = jsonr_next(&r);
		while (t != JSON_END && t != JSON_ERROR);
		assert_int_equal(t, JSON_ERROR);
		assert_string_equal(r.error, cases[i].error);
		assert_int_equal(r.error_at, cases[i].at);
	}
}

/* ---- depth */

static bool
nested_is_valid(size_t levels, const char *open, const char *close)
{
	struct buf b = {0};
	for (size_t i = 0; i < levels; i++)
		buf_str(&b, str_from(open));
	buf_str(&b, STR("0"));
	for (size_t i = 0; i < levels; i++)
		buf_str(&b, str_from(close));
	bool valid = is_valid(buf_view(&b));
	buf_fini(&b);
	return valid;
}

TEST(wire, json_depth_is_bounded)
{
	assert_true(nested_is_valid(LIMIT_MESSAGE_DEPTH, "[", "]"));
	assert_true(nested_is_valid(LIMIT_MESSAGE_DEPTH, "{\"a\":", "}"));
	assert_true(nested_is_valid(LIMIT_MESSAGE_DEPTH / 2, "[{\"a\":", "}]"));
	assert_false(nested_is_valid(LIMIT_MESSAGE_DEPTH + 1, "[", "]"));
	assert_false(nested_is_valid(LIMIT_MESSAGE_DEPTH + 1, "{\"a\":", "}"));
	assert_false(nested_is_valid(1000000, "[", "]"));
	assert_false(nested_is_valid(LIMIT_MESSAGE_DEPTH / 2, "[{\"a\":", "]}"));
}

/* ---- skipping and decoding */

TEST(wire, json_skip_leaves_the_reader_behind_the_value)
{
	struct json_reader r;
	jsonr_begin(&r, STR("{\"a\":{\"b\":[1,{}],\"c\":\"}\"},\"d\":[[],[]],\"e\":1,\"f\":2}"));
	assert_int_equal(jsonr_next(&r), JSON_OBJECT);
	for (const char *key = "ade"; *key; key++) {
		assert_int_equal(jsonr_next(&r), JSON_KEY);
		assert_int_equal(r.raw.ptr[0], *key);
		assert_true(jsonr_skip(&r, jsonr_next(&r)));
	}
	assert_int_equal(jsonr_next(&r), JSON_KEY);
	assert_int_equal(jsonr_next(&r), JSON_NUMBER);
	assert_true(str_eq(r.raw, STR("2")));
	jsonr_begin(&r, STR("[[1,2"));
	assert_false(jsonr_skip(&r, jsonr_next(&r)));
	assert_false(jsonr_skip(&r, jsonr_next(&r)));
}

static void
assert_decodes(const char *text, struct str want)
{
	struct json_reader r;
	struct arena arena = {0};
	jsonr_begin(&r, str_from(text));
	assert_int_equal(jsonr_next(&r), JSON_STRING);
	struct str s = jsonr_string(&r, &arena);
	assert_non_null(s.ptr);
	if (!str_eq(s, want))
		fail_msg("%s: '%.*s'", text, STR_ARG(s));
	arena_fini(&arena);
}

TEST(wire, json_strings_are_decoded)
{
	assert_decodes("\"\"", STR(""));
	assert_decodes("\"plain \xc3\xa9\"", STR("plain \xc3\xa9"));
	assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", STR("\"\\/\b\f\n\r\t"));
	assert_decodes("\"a\\u0041\\u00e9\\u20AC\\ud834\\uDD1Ez\"",
	    STR("aA\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9ez"));
	assert_decodes("\"\\u0000\\uffff\\udbff\\udfff\"", STR("\0\xef\xbf\xbf\xf4\x8f\xbf\xbf"));
}

TEST(wire, json_strings_without_escapes_are_not_copied)
{
	struct json_reader r;
	struct str text = STR("[\"abc\",\"a\\n\"]");
	struct arena arena;
	arena_init(&arena, 1, 0);
	jsonr_begin(&r, text);
	jsonr_next(&r);
	jsonr_next(&r);
	assert_ptr_equal(jsonr_string(&r, &arena).ptr, text.ptr + 2);
	jsonr_next(&r);
	assert_null(jsonr_string(&r, &arena).ptr); /* the budget is spent */
	arena_fini(&arena);
}
