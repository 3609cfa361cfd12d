/* SPDX-License-Identifier: Apache-2.0 */
#include "promql/pattern.h"
#include "tests/test.h"

#include <stdlib.h>

TEST(promql, a_regex_matches_the_whole_text_as_re2_does)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {{"a", "a", true}, {"a", "ab", false}, {"a|ab", "ab", true}, {"", "", true},
	    {".*", "a\nb", true}, {"a.b", "a\nb", true}, {"a$", "a\n", false}, {"^a$", "a", true},
	    {"(?i)ABC", "abc", true}, {"\\d+", "123", true}, {"\\d", "\xd9\xa1", false},
	    {"\\w+", "a_1", true}, {"\\w", "\xc3\xa4", false}, {"[[:alpha:]]+", "abc", true},
	    {".", "\xc3\xa4", true}, {"..", "\xc3\xa4", false}, {"[^a]", "\xe6\xb8\xa9", true},
	    {"\\x{e4}", "\xc3\xa4", true}, {"(?:a|b){2,3}", "abab", false}, {"a{1000}", "a", false},
	    {"(?P<n>a)b", "ab", true}, {"\\Qa.b\\E", "a.b", true}, {"a*?b", "aab", true},
	    {"\\pL+", "\xc3\xa4x", true}, {".", "\xff", false}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = {0};
		struct promql_regex *re;
		struct err err = {0};
		bool matches;
		if (promql_regex_compile(&arena, str_from(cases[i].pattern), &re, &err) != ERR_OK)
			fail_msg("%s: %s", cases[i].pattern, err.message);
		assert_int_equal(promql_regex_matches(re, str_from(cases[i].text), &matches, &err),
		    ERR_OK);
		if (matches != cases[i].matches)
			fail_msg("%s on %s: %d", cases[i].pattern, cases[i].text, matches);
		arena_fini(&arena);
	}
}

TEST(promql, what_is_no_regex_of_re2_is_refused)
{
	static const char *const patterns[] = {"(", ")", "[", "*", "a**", "(a)\\1", "(?=a)",
	    "(?<!a)", "a{1001}", "\\", "(?<n>", "[b-a]", "(?R)", "\\K", "(*UTF8)a", "a++", "(?>a)",
	    "\\C", "\xff", "(?#c)", "\\g1", "\\8"};
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct arena arena = {0};
		struct promql_regex *re;
		struct err err = {0};
		enum err_code code = promql_regex_compile(&arena, str_from(patterns[i]), &re, &err);
		if (code != ERR_INVALID || err.message[0] == '\0')
			fail_msg("%s: is taken", patterns[i]);
		arena_fini(&arena);
	}
}

TEST(promql, a_hostile_regex_ends)
{
	static const char *const patterns[] = {
	    "(a+)+$", "(a|aa)+b", "(a?){50}a{50}", "(.*)(.*)(.*)(.*)(.*)x", "((a{0,100}){0,10})"};
	char text[5001];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct arena arena = {0};
		struct promql_regex *re;
		struct err err = {0};
		bool matches;
		arena_init(&arena, 64 << 20, 0);
		enum err_code code = promql_regex_compile(&arena, str_from(patterns[i]), &re, &err);
		if (code == ERR_OK)
			code = promql_regex_matches(re, str_from(text), &matches, &err);
		assert_true(code == ERR_OK || code == ERR_TOO_LARGE || code == ERR_INVALID);
		arena_fini(&arena);
	}
}

TEST(promql, a_template_gets_what_the_groups_matched)
{
	static const char *const cases[][4] = {{"(a)(b)?", "a", "$1-$2-$3", "a--"},
	    {"(?P<n>.+):.*", "host:1", "${n}!$n", "host!host"}, {"(.*)", "x", "$$1", "$1"},
	    {"(.)(.).*", "abc", "${2}${1}", "ba"}, {"(.*)", "", "[$1]", "[]"},
	    {"(.*)", "x", "$1y", ""}, {"x", "x", "$", "$"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = {0};
		struct promql_regex *re;
		struct err err = {0};
		struct str out;
		bool matches;
		assert_int_equal(promql_regex_compile(&arena, str_from(cases[i][0]), &re, &err),
		    ERR_OK);
		assert_int_equal(promql_regex_expand(re, str_from(cases[i][1]),
		                     str_from(cases[i][2]), &matches, &out, &err),
		    ERR_OK);
		assert_true(matches);
		if (!str_eq(out, str_from(cases[i][3])))
			fail_msg("%s: %.*s, not %s", cases[i][2], STR_ARG(out), cases[i][3]);
		arena_fini(&arena);
	}
}
