/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"

#include "tests/test.h"

#include <stdio.h>

/* Path and parameters in one line, [name=value], or the error. */
static void
parses_to(const char *text, const char *want)
{
	struct arena arena = {0};
	struct http_uri uri;
	struct err err;
	char got[512];
	if (http_uri_parse(str_from(text), &arena, &uri, &err) != ERR_OK) {
		snprintf(got, sizeof(got), "error: %s", err.message);
	} else {
		size_t n = (size_t)snprintf(got, sizeof(got), "%.*s", STR_ARG(uri.path));
		for (size_t i = 0; i < uri.param_count && n < sizeof(got); i++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, " [%.*s=%.*s]",
			    STR_ARG(uri.params[i].name), STR_ARG(uri.params[i].value));
	}
	arena_fini(&arena);
	assert_string_equal(got, want);
}

TEST(http, targets_are_taken_apart)
{
	parses_to("/", "/");
	parses_to("/a/b?c=d", "/a/b [c=d]");
	parses_to("/a%2Fb+c?d+e=f%2bg", "/a/b+c [d e=f+g]");
	parses_to("/?a=1&a=2&b", "/ [a=1] [a=2] [b=]");
	parses_to("/?a=b=c&=d&&e=", "/ [a=b=c] [=d] [e=]");
	parses_to("/?", "/");
	parses_to("/?%26=%3D", "/ [&==]");
	parses_to("/?q=a?b", "/ [q=a?b]");
	parses_to("/?q=a#frag", "/ [q=a]");
	parses_to("/%E2%82%AC", "/\xe2\x82\xac");
	parses_to("*", "*");
	parses_to("http://h:80/x?y=1", "/x [y=1]");
	parses_to("HTTPS://h", "/");
	parses_to("http://h?y=1", "/ [y=1]");
}

TEST(http, doubtful_targets_are_refused)
{
	parses_to("", "error: the request target does not begin with /");
	parses_to("a", "error: the request target does not begin with /");
	parses_to("?a=b", "error: the request target does not begin with /");
	parses_to("ftp://h/", "error: the request target does not begin with /");
	parses_to("/%", "error: the path has a % that two hex digits do not follow");
	parses_to("/%4", "error: the path has a % that two hex digits do not follow");
	parses_to("/%4g", "error: the path has a % that two hex digits do not follow");
	parses_to("/%00", "error: the path holds a zero byte");
	parses_to("/%C0%AF", "error: the path is not UTF-8");
	parses_to("/?%80=1", "error: the name of a query parameter is not UTF-8");
	parses_to("/?a=%ED%A0%80", "error: the value of a query parameter is not UTF-8");
	parses_to("/a b", "error: the request target holds a blank or control character");
	parses_to("/\x01", "error: the request target holds a blank or control character");
}

TEST(http, parameters_are_counted)
{
	struct arena arena = {0};
	struct buf text = {0};
	struct http_uri uri;
	struct err err;
	buf_str(&text, STR("/?a=1"));
	for (int i = 1; i < HTTP_PARAMS_MAX; i++)
		buf_str(&text, STR("&a=1"));
	assert_int_equal(http_uri_parse(buf_view(&text), &arena, &uri, &err), ERR_OK);
	assert_int_equal(uri.param_count, HTTP_PARAMS_MAX);
	buf_str(&text, STR("&a=1"));
	assert_int_equal(http_uri_parse(buf_view(&text), &arena, &uri, &err), ERR_INVALID);
	buf_fini(&text);
	arena_fini(&arena);
}

/* Every byte but zero comes back from what it is encoded to. */
TEST(http, encoding_and_decoding_agree)
{
	struct arena arena = {0};
	struct buf text = {0};
	struct http_uri uri;
	struct err err;
	char all[127];
	for (int i = 0; i < 127; i++)
		all[i] = (char)(i + 1);
	buf_str(&text, STR("/?v="));
	http_uri_encode(str_of(all, sizeof(all)), &text);
	http_uri_encode(STR("\xf0\x9f\x8c\x8a"), &text);
	for (size_t i = 4; i < text.len; i++)
		assert_true(text.ptr[i] == '%' || strchr("-._~", text.ptr[i]) ||
		    (text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
		    (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') ||
		    (text.ptr[i] >= 'a' && text.ptr[i] <= 'z'));
	assert_int_equal(http_uri_parse(buf_view(&text), &arena, &uri, &err), ERR_OK);
	assert_int_equal(uri.params[0].value.len, 127 + 4);
	assert_memory_equal(uri.params[0].value.ptr, all, 127);
	assert_memory_equal(uri.params[0].value.ptr + 127, "\xf0\x9f\x8c\x8a", 4);
	buf_fini(&text);
	arena_fini(&arena);
}
