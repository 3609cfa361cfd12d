/* SPDX-License-Identifier: Apache-2.0 */
/* What a query is taken for, and what is said of one that is none. */
#include "promql/promql.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

static enum err_code
parse(const char *text, struct buf *printed, struct err *err)
{
	struct promql_query q;
	struct arena arena = {0};
	enum err_code code = promql_parse(str_from(text), NULL, &arena, &q, err);
	if (code == ERR_OK)
		promql_print(printed, &q);
	arena_fini(&arena);
	return code;
}

TEST(promql, precedence_and_spelling)
{
	static const char *const cases[][2] = {
	    {"1+2*3^2^2", "(1 + (2 * (3 ^ (2 ^ 2))))"},
	    {"-a^2", "(-(a ^ 2))"},
	    {"a or b and c unless d", "(a or ((b and c) unless d))"},
	    {"a == bool 1", "(a == bool 1)"},
	    {"a atan2 b % c", "((a atan2 b) % c)"},
	    {"SUM(a) BY (b)", "sum by (b) (a)"},
	    {"sum without(c, b,)(a)", "sum without (b, c) (a)"},
	    {"topk(2,a)", "topk(2, a)"},
	    {"a / on(b) group_left(c) d", "(a / on (b) group_left(c) d)"},
	    {"a and ignoring() d", "(a and ignoring () d)"},
	    {"a[5m] offset -1h30m @ 3.5", "a[5m] @ 3.500 offset -1h30m"},
	    {"a @ start()", "a @ start()"},
	    {"rate(a[1.5m])", NULL},
	    {"rate(a[90])", "rate(a[1m30s])"},
	    {"max_over_time(a[1h:])", "max_over_time(a[1h:])"},
	    {"{\"a.b\", c='d'}", "{__name__=\"a.b\", c=\"d\"}"},
	    {"a{b=~\"x|y\", `c`!=\"\\n\"}", "a{b=~\"x|y\", c!=\"\\n\"}"},
	    {"sum", "sum"},
	    {"{__name__=\"on\"}", "{__name__=\"on\"}"},
	    {"a:b:c", "a:b:c"},
	    {"0x1F", "31"},
	    {"1_000", "1000"},
	    {".5e-3", "0.0005"},
	    {"5m", "300"},
	    {"+Inf", "(+Inf)"},
	    {"a # b\n + c", "(a + c)"},
	    {"\"a\\u00e9\\x41\\101\\\"\"",
	        "\"a\xc3\xa9"
	        "AA\\\"\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		struct err err = {0};
		enum err_code code = parse(cases[i][0], &out, &err);
		if (!cases[i][1])
			assert_int_equal(code, ERR_INVALID);
		else if (code != ERR_OK || !str_eq(buf_view(&out), str_from(cases[i][1])))
			fail_msg("%s: %.*s (%s), not %s", cases[i][0], STR_ARG(buf_view(&out)),
			    err.message, cases[i][1]);
		buf_fini(&out);
	}
}

TEST(promql, errors_say_where_and_what)
{
	static const char *const cases[][2] = {
	    {"", "column 1: the query ends where an expression should be"},
	    {"sum(a", "column 6: the query ends where"},
	    {"a +", "column 4: the query ends"},
	    {"a b", "column 3: an operator, or the end, should be here, not \"b\""},
	    {"a{b=c}", "column 5: a value in quotes should be here"},
	    {"a{b=\"x}", "column 5: the string has no end"},
	    {"a{b=\"\\q\"}", "column 6: unknown escape"},
	    {"a{b=~\"(\"}", "column 6: "},
	    {"\xc3\xa4", "column 1: unexpected character: \"\xc3\xa4\""},
	    {"a\n+\n\xc3\xa4", "line 3, column 1: "},
	    {"{}", "column 1: a selector needs a name"},
	    {"{a=~\".*\"}", "column 1: a selector needs a name"},
	    {"a{__name__=\"b\"}", "column 3: the metric has a name already"},
	    {"nosuch(a)", "column 1: there is no function \"nosuch\""},
	    {"rate(a)", "column 6: rate takes a range vector here, this is an instant vector"},
	    {"rate(a[5m], 1)", "column 1: rate takes 1 argument, not 2"},
	    {"sum(1)", "column 5: sum takes an instant vector"},
	    {"1 < 2", "column 3: a comparison of two scalars needs bool"},
	    {"1 and a", "column 3: and, or, unless are only between instant vectors"},
	    {"a and bool b", "column 7: bool is only for comparisons"},
	    {"a + on(b) group_left(b) c", "column 11: a label is in on()"},
	    {"a[0s]", "column 2: a range is longer than nothing"},
	    {"a[5m][5m]", "column 6: a range is only for a selector"},
	    {"(a + b)[5m]", "column 8: a range is only for a selector"},
	    {"a[5x]", "column 3: neither a number nor a length of time"},
	    {"sum(a) offset 5m", "column 8: offset and @ are only for a selector"},
	    {"a offset 5m offset 5m", "column 13: there is an offset already"},
	    {"a @ b", "column 5: unix seconds, start() or end() should be here"},
	    {"a[1003y]", "column 3: the length of time is more than 1,000 years"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		struct err err = {0};
		enum err_code code = parse(cases[i][0], &out, &err);
		if (code != ERR_INVALID || !strstr(err.message, cases[i][1]))
			fail_msg("%s: %s, not %s", cases[i][0], err.message, cases[i][1]);
		buf_fini(&out);
	}
}

TEST(promql, what_is_too_long_or_too_deep_is_refused)
{
	struct buf text = {0}, out = {0};
	struct err err = {0};
	for (int i = 0; i < PROMQL_DEPTH_MAX + 1; i++)
		buf_char(&text, '(');
	buf_char(&text, '\0');
	assert_int_equal(parse(text.ptr, &out, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "nested more than 250 deep"));
	buf_reset(&text);
	buf_str(&text, STR("a"));
	for (int i = 0; i < PROMQL_NODES_MAX; i++)
		buf_str(&text, STR("+a"));
	buf_char(&text, '\0');
	assert_int_equal(parse(text.ptr, &out, &err), ERR_INVALID);
	buf_reset(&text);
	for (int i = 0; i <= PROMQL_TEXT_BYTES_MAX; i++)
		buf_char(&text, ' ');
	buf_char(&text, '\0');
	assert_int_equal(parse(text.ptr, &out, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "longer than 65536 bytes"));
	buf_fini(&text);
	buf_fini(&out);
}

TEST(promql, numbers_are_written_as_prometheus_does)
{
	static const struct {
		double v;
		const char *text, *label;
	} cases[] = {{0, "0", "0"}, {-0.0, "-0", "-0"}, {1, "1", "1"}, {0.1, "0.1", "0.1"},
	    {1e20, "100000000000000000000", "100000000000000000000"},
	    {1e21, "1e+21", "1000000000000000000000"}, {1e-6, "0.000001", "0.000001"},
	    {1.5e-7, "1.5e-07", "0.00000015"}, {-123.456, "-123.456", "-123.456"},
	    {(double)INFINITY, "+Inf", "+Inf"}, {-(double)INFINITY, "-Inf", "-Inf"},
	    {(double)NAN, "NaN", "NaN"},
	    {9007199254740993.0, "9007199254740992", "9007199254740992"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[PROMQL_NUMBER_BYTES];
		assert_true(str_eq(str_of(text, promql_number_text(cases[i].v, text)),
		    str_from(cases[i].text)));
		assert_true(str_eq(str_of(text, promql_label_number_text(cases[i].v, text)),
		    str_from(cases[i].label)));
	}
}
