/* SPDX-License-Identifier: Apache-2.0 */
/* Where a statement ends: at a semicolon that is in no quotes and no comment. */
#include "cli/sql.h"

enum { TAG_BYTES_MAX = 64 };

/* Behind the closing quote; a doubled one is none. E'...' has escapes with backslashes. */
static size_t
behind_quote(struct str s, size_t at, char quote, bool escapes)
{
	while (at < s.len) {
		if (escapes && s.ptr[at] == '\\' && at + 1 < s.len)
			at += 2;
		else if (s.ptr[at++] != quote)
			continue;
		else if (at < s.len && s.ptr[at] == quote)
			at++;
		else
			return at;
	}
	return SIZE_MAX;
}

static size_t
behind_comment(struct str s, size_t at)
{
	if (s.ptr[at] == '-') {
		while (at < s.len && s.ptr[at] != '\n')
			at++;
		return at;
	}
	for (at += 2; at + 1 < s.len; at++)
		if (s.ptr[at] == '*' && s.ptr[at + 1] == '/')
			return at + 2;
	return SIZE_MAX;
}

static bool
is_comment(struct str s, size_t at)
{
	return at + 1 < s.len &&
	    ((s.ptr[at] == '-' && s.ptr[at + 1] == '-') ||
	        (s.ptr[at] == '/' && s.ptr[at + 1] == '*'));
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '_' || (unsigned char)c >= 0x80;
}

/* $$ ... $$ and $tag$ ... $tag$; a $1 is none. Returns `at` when it is none either. */
static size_t
behind_dollars(struct str s, size_t at)
{
	size_t end = at + 1;
	while (end < s.len && end - at < TAG_BYTES_MAX && is_word(s.ptr[end]))
		end++;
	bool inside = at > 0 && is_word(s.ptr[at - 1]);
	bool number = end > at + 1 && s.ptr[at + 1] >= '0' && s.ptr[at + 1] <= '9';
	if (end >= s.len || s.ptr[end] != '$' || inside || number)
		return at;
	size_t tag = end + 1 - at;
	for (size_t i = end + 1; i + tag <= s.len; i++)
		if (memcmp(s.ptr + i, s.ptr + at, tag) == 0)
			return i + tag;
	return SIZE_MAX;
}

/* Behind what begins here; SIZE_MAX: it has no end. */
static size_t
behind(struct str s, size_t at)
{
	char c = s.ptr[at];
	bool escapes = at > 0 && (s.ptr[at - 1] == 'e' || s.ptr[at - 1] == 'E') &&
	    (at < 2 || !is_word(s.ptr[at - 2]));
	if (c == '\'' || c == '"')
		return behind_quote(s, at + 1, c, c == '\'' && escapes);
	if (is_comment(s, at))
		return behind_comment(s, at);
	if (c == '$') {
		size_t end = behind_dollars(s, at);
		return end == at ? at + 1 : end;
	}
	return at + 1;
}

size_t
cli_sql_end(struct str text, bool *whole_out)
{
	size_t at = 0;
	while (at < text.len) {
		*whole_out = text.ptr[at] == ';';
		if (*whole_out)
			return at + 1;
		at = behind(text, at);
		if (at == SIZE_MAX)
			break;
	}
	*whole_out = false;
	return text.len;
}

bool
cli_sql_is_empty(struct str text)
{
	size_t at = 0;
	while (at < text.len) {
		if (is_comment(text, at))
			at = behind_comment(text, at);
		else if (strchr(" \t\r\n\f\v;", text.ptr[at]) && text.ptr[at] != '\0')
			at++;
		else
			return false;
	}
	return true;
}
