/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions and words of a search. The first line is a condition on an attribute, and a regular expression; what is
 * behind it are words, and the text they are looked for in. What is taken, written in its plainest form, is taken again
 * and means the same; what is found in text is found in the same text folded as a whole; and typed JSON may be anything.
 */
#include "ops/conditions.h"

#include "base/fold.h"
#include "base/regex.h"
#include "base/utf8.h"
#include "duck/duck_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_condition(struct buf *out, const struct store_attr *a)
{
	static const char *const of[] = {"", "item:", "resource:", "scope:"};
	static const char *const signs[][2] = {[STORE_ATTR_EQ] = {"=", "!="},
	    [STORE_ATTR_GE] = {">=", ""},
	    [STORE_ATTR_GT] = {">", ""},
	    [STORE_ATTR_LE] = {"<=", ""},
	    [STORE_ATTR_LT] = {"<", ""},
	    [STORE_ATTR_MATCH] = {"~", "!~"},
	    [STORE_ATTR_HAS] = {"", ""}};
	buf_printf(out, "%s%s\"", a->op == STORE_ATTR_HAS && a->negated ? "!" : "", of[a->of]);
	buf_str(out, a->key);
	buf_printf(out, "\"%s", signs[a->op][a->negated]);
	buf_str(out, a->value);
}

static void
try_condition(struct str text)
{
	struct store_attr a, again;
	struct err err = {0};
	struct buf plain = {0};
	if (ops_parse_attr(text, &a, &err)) {
		CHECK(err.code == ERR_INVALID && err.message[0]);
		return;
	}
	CHECK(a.key.len > 0 && a.key.ptr >= text.ptr);
	CHECK(a.value.len == 0 || a.value.ptr + a.value.len == text.ptr + text.len);
	CHECK(!a.negated || a.op == STORE_ATTR_EQ || a.op == STORE_ATTR_MATCH ||
	    a.op == STORE_ATTR_HAS);
	if (!memchr(a.key.ptr, '"', a.key.len)) {
		put_condition(&plain, &a);
		CHECK(ops_parse_attr(buf_view(&plain), &again, &err) == ERR_OK);
		CHECK(again.op == a.op && again.of == a.of && again.negated == a.negated);
		CHECK(str_eq(again.key, a.key) && str_eq(again.value, a.value));
	}
	buf_fini(&plain);
}

static void
try_regex(struct str pattern, struct str text)
{
	struct regex *r = NULL;
	struct err err = {0};
	if (regex_compile(pattern, &r, &err)) {
		CHECK(!r && err.message[0]);
		return;
	}
	(void)regex_matches(r, text);
	(void)regex_matches(r, STR(""));
	regex_free(r);
}

/* As fold_contains() promises to answer, the slow way. */
static bool
contains_slowly(struct str text, struct str folded)
{
	char *all = xcalloc(text.len + 1, 1);
	fold_text(text, all);
	bool found = folded.len == 0 || memmem(all, text.len, folded.ptr, folded.len) != NULL;
	free(all);
	return found;
}

static void
look_for(struct str word, struct str text)
{
	char folded[STORE_WORD_BYTES_MAX];
	struct buf scratch = {0};
	CHECK(word.len > 0 && word.len <= sizeof(folded));
	fold_text(word, folded);
	struct str needle = str_of(folded, word.len);
	CHECK(fold_contains(text, needle) == contains_slowly(text, needle));
	(void)duck_json_has(text, needle, &scratch);
	buf_fini(&scratch);
}

static void
put_phrase(struct buf *out, struct str word)
{
	buf_char(out, '"');
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '"' || word.ptr[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, word.ptr[i]);
	}
	buf_str(out, STR("\" "));
}

static void
try_words(struct str text, struct str line)
{
	struct str words[STORE_WORDS_MAX], again[STORE_WORDS_MAX];
	struct arena arena = {0};
	struct err err = {0};
	struct buf plain = {0};
	size_t count = 0, count_again = 0;
	if (ops_parse_words(text, &arena, words, &count, &err)) {
		CHECK(err.code == ERR_INVALID && err.message[0]);
		CHECK(ops_parse_words(text, NULL, NULL, NULL, &err) == ERR_INVALID);
		arena_fini(&arena);
		return;
	}
	CHECK(count > 0 && count <= STORE_WORDS_MAX);
	for (size_t i = 0; i < count; i++) {
		put_phrase(&plain, words[i]);
		look_for(words[i], text);
		look_for(words[i], line);
	}
	CHECK(ops_parse_words(buf_view(&plain), &arena, again, &count_again, &err) == ERR_OK);
	CHECK(count_again == count);
	for (size_t i = 0; i < count; i++)
		CHECK(str_eq(words[i], again[i]));
	buf_fini(&plain);
	arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Of the exact size, so that the sanitizer sees a read behind it. */
	char *copy = xcalloc(size > 0 ? size : 1, 1);
	memcpy(copy, data, size);
	struct str all = str_of(copy, size), line = str_of(copy, str_find(all, '\n'));
	struct str rest = str_skip(all, line.len + 1);
	if (utf8_valid(all)) { /* else no face gives it to them */
		try_condition(line);
		try_regex(line, rest);
		try_words(rest, line);
	}
	free(copy);
	return 0;
}
