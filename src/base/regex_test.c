/* SPDX-License-Identifier: Apache-2.0 */
#include "base/regex.h"

#include "tests/test.h"

#include <string.h>

static bool
matches(const char *pattern, struct str text)
{
	struct err err = {0};
	struct regex *r;
	if (regex_compile(str_from(pattern), &r, &err))
		fail_msg("%s: %s", pattern, err.message);
	bool found = regex_matches(r, text);
	regex_free(r);
	return found;
}

TEST(regex, finds_what_the_pattern_says_anywhere)
{
	static const struct {
		const char *pattern;
		struct str text;
		bool found;
	} rows[] = {
	    {"", STR_INIT(""), true},
	    {"b+", STR_INIT("abc"), true},
	    {"^b", STR_INIT("abc"), false},
	    {"c$", STR_INIT("abc"), true},
	    {"c$", STR_INIT("abc\n"), false},
	    {"(?m)c$", STR_INIT("abc\nd"), true},
	    {"(?m)^d", STR_INIT("abc\nd"), true},
	    {"^a|d$", STR_INIT("xbd"), true},
	    {"^(a|d)$", STR_INIT("ad"), false},
	    {"^(?:ab)*$", STR_INIT("ababab"), true},
	    {"^(?P<n>ab){2,3}$", STR_INIT("ababab"), true},
	    {"^(?<n>ab){2,3}$", STR_INIT("abababab"), false},
	    {"^a{2}$", STR_INIT("aa"), true},
	    {"^a{2,}$", STR_INIT("aaaa"), true},
	    {"^a{2,}$", STR_INIT("a"), false},
	    {"^a{0}b$", STR_INIT("b"), true},
	    {"a{,2}", STR_INIT("a{,2}"), true},
	    {"a{x}", STR_INIT("a{x}"), true},
	    {"^.$", STR_INIT("\xC3\xA4"), true},
	    {"^.$", STR_INIT("\n"), false},
	    {"(?s)^.$", STR_INIT("\n"), true},
	    {"^[^a]$", STR_INIT("\n"), true},
	    {"[]a]b", STR_INIT("]b"), true},
	    {"[^]a]b", STR_INIT("]b"), false},
	    {"^[a-c-]+$", STR_INIT("a-b"), true},
	    {"^[\\d.]+$", STR_INIT("1.5"), true},
	    {"^[^\\D]+$", STR_INIT("15"), true},
	    {"^[^\\D]+$", STR_INIT("1x"), false},
	    {"^[[:alpha:]_]+$", STR_INIT("ab_"), true},
	    {"^[[:^alpha:]]+$", STR_INIT("12 "), true},
	    {"\\s", STR_INIT("a\tb"), true},
	    {"\\s", STR_INIT("a\vb"), false},
	    {"\\bfoo\\b", STR_INIT("a foo."), true},
	    {"\\bfoo\\b", STR_INIT("a food"), false},
	    {"\\Bo", STR_INIT("foo"), true},
	    {"\\Af", STR_INIT("foo"), true},
	    {"o\\z", STR_INIT("foo"), true},
	    {"\\.\\*", STR_INIT("a.*"), true},
	    {"\\Q.*\\E+", STR_INIT(".*****"), true},
	    {"\\Q.*", STR_INIT("x"), false},
	    {"\\x41\\x{1F600}", STR_INIT("A\xF0\x9F\x98\x80"), true},
	    {"\\n\\t", STR_INIT("\n\t"), true},
	    {"(?i)straSSe", STR_INIT("STRAsse"), true},
	    {"(?i)\xC3\x84", STR_INIT("\xC3\xA4"), true},
	    {"(?i)[^\xC3\x84]", STR_INIT("\xC3\xA4"), false},
	    {"(?i:a)B", STR_INIT("AB"), true},
	    {"(?i:a)B", STR_INIT("Ab"), false},
	    {"(?i)a(?-i)b", STR_INIT("AB"), false},
	    {"a*?b??c+?", STR_INIT("c"), true},
	    {"(|a)*b", STR_INIT("aab"), true},
	    {"(a*)*$", STR_INIT("aab"), true},
	    {"x\\x00y", STR_INIT("x\0y"), true},
	    {"^(a|b|)+$", STR_INIT("abba"), true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (matches(rows[i].pattern, rows[i].text) != rows[i].found)
			fail_msg("%s on \"%.*s\"", rows[i].pattern, STR_ARG(rows[i].text));
}

TEST(regex, a_bad_one_is_refused_and_the_place_is_told)
{
	static const char *const rows[][2] = {
	    {"(", "a ( is not closed, at character 1"},
	    {"ab(c", "a ( is not closed, at character 3"},
	    {"(?:a", "a ( is not closed, at character 1"},
	    {"a)b", "a ) has no (, at character 2"},
	    {"[a", "a [ is not closed, at character 1"},
	    {"x[]", "a [ is not closed, at character 2"},
	    {"[b-a]", "a range ends before it begins, at character 2"},
	    {"[[:foo:]]", "no class of this name, at character 2"},
	    {"*a", "nothing to repeat, at character 1"},
	    {"a|*", "nothing to repeat, at character 3"},
	    {"(+)", "nothing to repeat, at character 2"},
	    {"(?i)*", "nothing to repeat, at character 5"},
	    {"a**", "a repetition is repeated; put it in ( and ), at character 3"},
	    {"\xC3\xA4{2}{3}", "a repetition is repeated; put it in ( and ), at character 5"},
	    {"a{501}", "more than 500, at character 2"},
	    {"a{99999999999999999999}", "more than 500"},
	    {"a{3,2}", "most is less than its least, at character 2"},
	    {"\\", "a backslash stands at the end, at character 1"},
	    {"a\\1", "no references back, at character 2"},
	    {"\\pL", "classes of Unicode (\\p) are not known here"},
	    {"\\y", "this escape is not known, at character 1"},
	    {"\\C", "this escape is not known"},
	    {"\\0", "this escape is not known"},
	    {"\\x4", "\\x takes two hex digits"},
	    {"\\x{110000}", "\\x takes two hex digits"},
	    {"\\x{}", "\\x takes two hex digits"},
	    {"(?x)a", "what stands behind (? is not known, at character 1"},
	    {"(?=a)", "what stands behind (? is not known"},
	    {"(?!a)", "what stands behind (? is not known"},
	    {"(?<!a)", "a group's name is letters"},
	    {"(?P<a", "a group's name is letters"},
	    {"(?i-)a", "what stands behind (? is not known"},
	    {"(((a{10}){10}){10})", "too large once repetitions are written out, at character 20"},
	    {"\xFF", "is UTF-8"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};
		struct regex *r;
		assert_int_equal(regex_compile(str_from(rows[i][0]), &r, &err), ERR_INVALID);
		assert_null(r);
		if (!strstr(err.message, rows[i][1]))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i][0], err.message,
			    rows[i][1]);
	}
}

TEST(regex, length_is_bounded_and_every_shape_within_it_compiles_or_is_refused)
{
	char text[REGEX_BYTES_MAX + 2];
	static const char *const fills[] = {
	    "(", "[", "a|", "(a", "a*", "[^a-", "\\d", "((a{2})", "(?i:", "."};
	struct err err;
	memset(text, 'a', sizeof text);
	assert_int_equal(regex_compile(str_of(text, sizeof text - 1), NULL, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "at most 512 bytes, this has 513"));
	for (size_t f = 0; f < ARRAY_LEN(fills); f++)
		for (size_t len = 0; len <= REGEX_BYTES_MAX; len++) {
			struct regex *r = NULL;
			for (size_t i = 0; i < len; i++)
				text[i] = fills[f][i % strlen(fills[f])];
			enum err_code code = regex_compile(str_of(text, len), &r, &err);
			assert_true((code == ERR_OK) == (r != NULL));
			if (r)
				(void)regex_matches(r, STR("aab[(.1"));
			regex_free(r);
		}
}

/* Backtracking would take years. */
TEST(regex, time_does_not_explode)
{
	char text[2001];
	memset(text, 'a', sizeof text - 1);
	assert_false(matches("^(a+)+$b", str_of(text, sizeof text - 1)));
	assert_false(matches("(a|aa)*c", str_of(text, sizeof text - 1)));
	assert_true(matches("^(a?){80}a{80}", str_of(text, 150)));
}
