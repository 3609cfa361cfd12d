/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the body of a POST. */
#include "rest/body.h"

#include "base/buf.h"
#include "ops/ops.h"
#include "tests/test.h"

static enum err_code
parse(struct str text, struct arena *arena, struct buf *out, struct err *err)
{
	struct op_value *values;
	size_t count;
	enum err_code code = rest_parse_body(text, arena, &values, &count, err);
	buf_reset(out);
	for (size_t i = 0; i < count && code == ERR_OK; i++)
		buf_printf(out, "%s%.*s=%.*s", i > 0 ? "&" : "", STR_ARG(values[i].name),
		    STR_ARG(values[i].value));
	buf_char(out, '\0');
	return code;
}

TEST(rest, members_of_a_body_are_parameters)
{
	static const struct {
		const char *body, *values;
	} cases[] = {
	    {"", ""},
	    {"{}", ""},
	    {" {\n} ", ""},
	    {"{\"a\":\"x\",\"b\":\"\"}", "a=x&b="},
	    {"{\"a\":1,\"b\":-1.5e3,\"c\":12345678901234567890}",
	        "a=1&b=-1.5e3&c=12345678901234567890"},
	    {"{\"a\":true,\"b\":false,\"c\":null}", "a=true&b=false"},
	    {"{\"a\":[\"x\",2,true],\"b\":[]}", "a=x&a=2&a=true"},
	    {"{\"a\":1,\"a\":2}", "a=1&a=2"},
	    {"{\"\\u0061\":\"\\ud83d\\ude42\\n\"}", "a=\xF0\x9F\x99\x82\n"},
	};
	struct arena arena = {0};
	struct buf out = {0};
	struct err err = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (parse(str_from(cases[i].body), &arena, &out, &err) != ERR_OK)
			fail_msg("%s: %s", cases[i].body, err.message);
		assert_string_equal(out.ptr, cases[i].values);
	}
	buf_fini(&out);
	arena_fini(&arena);
}

TEST(rest, hostile_bodies_are_refused_and_say_why)
{
	static const struct {
		const char *body, *says;
	} cases[] = {
	    {" ", "not JSON"},
	    {"[1]", "not a JSON object"},
	    {"\"x\"", "not a JSON object"},
	    {"null", "not a JSON object"},
	    {"{", "not JSON"},
	    {"{\"a\"", "not JSON"},
	    {"{\"a\":", "not JSON"},
	    {"{\"a\":\"x", "not JSON"},
	    {"{\"a\":1,}", "not JSON"},
	    {"{\"a\":1} x", "not JSON"},
	    {"{\"a\":1}{\"b\":2}", "not JSON"},
	    {"{1:2}", "not JSON"},
	    {"{\"a\":01}", "not JSON"},
	    {"{\"a\":NaN}", "not JSON"},
	    {"{\"a\":\"\xFF\"}", "not JSON"},
	    {"{\"a\":\"\\ud83d\"}", "not JSON"},
	    {"{\"a\":{\"b\":1}}", "parameter a: in the body it is a string"},
	    {"{\"a\":[[1]]}", "parameter a: in the body it is a string"},
	    {"{\"a\":[null]}", "parameter a: in the body it is a string"},
	    {"{\"a\":[1", "not JSON"},
	};
	struct arena arena = {0};
	struct buf out = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		enum err_code code = parse(str_from(cases[i].body), &arena, &out, &err);
		if (code != ERR_INVALID || !strstr(err.message, cases[i].says))
			fail_msg("%s: %s \"%s\"", cases[i].body, err_name(code), err.message);
	}
	buf_fini(&out);
	arena_fini(&arena);
}

TEST(rest, a_body_has_only_so_many_parameters_and_so_deep)
{
	struct arena arena = {0};
	struct buf out = {0}, body = {0};
	struct err err = {0};
	for (int extra = 0; extra < 2; extra++) {
		buf_reset(&body);
		for (int i = 0; i < REST_BODY_VALUES_MAX + extra; i++)
			buf_printf(&body, "%s\"k\":%d", i > 0 ? "," : "{", i);
		buf_char(&body, '}');
		assert_int_equal(parse(buf_view(&body), &arena, &out, &err),
		    extra ? ERR_TOO_LARGE : ERR_OK);
	}
	buf_reset(&body);
	buf_str(&body, STR("{\"a\":"));
	for (int i = 0; i < 1000000; i++)
		buf_char(&body, '[');
	assert_int_equal(parse(buf_view(&body), &arena, &out, &err), ERR_INVALID);
	/* Whatever is cut off of a good one. */
	struct str good = STR("{\"body\":\"\\u00e9\\ud83d\\ude42\",\"n\":[1.5e-7,true]}");
	for (size_t len = 1; len < good.len; len++)
		assert_int_equal(parse(str_of(good.ptr, len), &arena, &out, &err), ERR_INVALID);
	buf_fini(&body);
	buf_fini(&out);
	arena_fini(&arena);
}
