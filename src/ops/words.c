/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words as text: what stands between blanks, or a phrase in double quotes, which may have blanks in it, and \" and \\ for
 * these two. A quote inside of a word is a character like any other.
 */
#include "ops/ops_priv.h"

_Static_assert(STORE_WORD_BYTES_MAX == 512 && STORE_WORDS_MAX == 16, "as the messages say");

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum err_code
refuse_at(struct str all, struct str rest, struct err *err, const char *what)
{
	size_t at = 1;
	for (const char *p = all.ptr; p < rest.ptr; p++)
		at += ((unsigned char)*p & 0xC0) != 0x80;
	return err_set(err, ERR_INVALID, "%s, at character %zu", what, at);
}

/* Behind the opening quote. The phrase, escapes and all, without its closing quote; false: it is not closed. */
static bool
take_phrase(struct str *rest, struct str *raw)
{
	size_t n = 0;
	while (n < rest->len && rest->ptr[n] != '"')
		n += rest->ptr[n] == '\\' && n + 1 < rest->len ? 2 : 1;
	*raw = str_of(rest->ptr, n);
	bool closed = n < rest->len;
	*rest = str_skip(*rest, n + 1);
	return closed;
}

/* What a phrase says, to `to` unless it is NULL; returns how long it is. */
static size_t
undo(struct str raw, char *to)
{
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++, n++) {
		if (raw.ptr[i] == '\\' && i + 1 < raw.len &&
		    (raw.ptr[i + 1] == '"' || raw.ptr[i + 1] == '\\'))
			i++;
		if (to)
			to[n] = raw.ptr[i];
	}
	return n;
}

static enum err_code
take_word(struct str all, struct str *rest, struct str *word, bool *phrase, struct err *err)
{
	struct str begin = *rest;
	size_t n = 0;
	*phrase = begin.ptr[0] == '"';
	if (*phrase) {
		*rest = str_skip(*rest, 1);
		if (!take_phrase(rest, word))
			return refuse_at(all, begin, err, "a quote is not closed");
		if (word->len == 0)
			return refuse_at(all, begin, err, "a phrase is empty");
		if (rest->len > 0 && !is_blank(rest->ptr[0]))
			return refuse_at(all, *rest, err,
			    "behind a phrase in quotes must be a blank");
		return ERR_OK;
	}
	while (n < rest->len && !is_blank(rest->ptr[n]))
		n++;
	*word = str_of(begin.ptr, n);
	*rest = str_skip(*rest, n);
	return ERR_OK;
}

enum err_code
ops_parse_words(struct str all, struct arena *arena, struct str *words, size_t *count_out,
    struct err *err)
{
	size_t count = 0;
	for (struct str rest = all; rest.len > 0;) {
		struct str word, begin = rest;
		bool phrase;
		if (is_blank(rest.ptr[0])) {
			rest = str_skip(rest, 1);
			continue;
		}
		if (take_word(all, &rest, &word, &phrase, err))
			return err->code;
		size_t len = phrase ? undo(word, NULL) : word.len;
		if (len > STORE_WORD_BYTES_MAX)
			return refuse_at(all, begin, err, "a word is longer than 512 bytes");
		if (count == STORE_WORDS_MAX)
			return refuse_at(all, begin, err, "there are more than 16 words");
		if (words && phrase) {
			char *to = arena_alloc(arena, len);
			if (!to)
				return err_set(err, ERR_TOO_LARGE, "no memory for the words");
			word = str_of(to, undo(word, to));
		}
		if (words)
			words[count] = word;
		count++;
	}
	if (count == 0)
		return err_set(err, ERR_INVALID, "is empty");
	if (count_out)
		*count_out = count;
	return ERR_OK;
}
