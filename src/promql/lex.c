/* SPDX-License-Identifier: Apache-2.0 */
#include "promql/tree.h"

#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 64 };

/* ---- where */

/* Line and column, in characters, from 1. */
static void
place_of(struct str text, size_t at, size_t *line_out, size_t *column_out)
{
	*line_out = *column_out = 1;
	for (size_t i = 0; i < at && i < text.len; i++) {
		if (text.ptr[i] == '\n') {
			++*line_out;
			*column_out = 1;
		} else if (((unsigned char)text.ptr[i] & 0xC0) != 0x80) {
			++*column_out;
		}
	}
}

static void
put_place(struct str text, size_t at, char out[64])
{
	size_t line, column;
	place_of(text, at, &line, &column);
	if (memchr(text.ptr ? text.ptr : "", '\n', text.len))
		snprintf(out, 64, "line %zu, column %zu", line, column);
	else
		snprintf(out, 64, "column %zu", column);
}

enum err_code
promql_fail_parse(struct err *err, struct str text, size_t at, const char *fmt, ...)
{
	char place[64], message[ERR_MESSAGE_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	put_place(text, at, place);
	return err_set(err, ERR_INVALID, "parse error at %s: %s", place, message);
}

enum err_code
promql_fail_run(struct err *err, struct str text, size_t at, const char *fmt, ...)
{
	char place[64], message[ERR_MESSAGE_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	put_place(text, at, place);
	return err_set(err, ERR_EXECUTION, "at %s: %s", place, message);
}

/* ---- characters */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char
at(const struct lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : '\0';
}

bool
promql_is_label_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alpha(s.ptr[i]) && !(i > 0 && is_digit(s.ptr[i])))
			return false;
	return s.len > 0;
}

static struct token
fail(struct lexer *l, size_t from, const char *what)
{
	(void)promql_fail_parse(l->err, l->text, from, "%s", what);
	return (struct token){.kind = TOK_ERROR, .at = from};
}

static void
skip_blanks(struct lexer *l)
{
	for (; l->at < l->text.len; l->at++) {
		char c = at(l, 0);
		if (c == '#')
			while (l->at + 1 < l->text.len && at(l, 1) != '\n')
				l->at++;
		else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
			return;
	}
}

/* ---- lengths of time */

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
    {"y", INT64_C(365) * 86400000},
    {"w", 7 * 86400000},
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};

/* A unit at the start of s, later than `after` in the list; -1: none. */
static int
unit_at(struct str s, int after, size_t *len_out)
{
	for (int i = (int)ARRAY_LEN(units) - 1; i > after; i--) {
		struct str name = str_from(units[i].name);
		if (!str_starts(s, name))
			continue;
		if (s.len > name.len && (is_alpha(s.ptr[name.len])))
			continue;
		*len_out = name.len;
		return i;
	}
	return -1;
}

/* How much of s is a length of time with units; 0: none. Units come from long to short, each once. */
static size_t
duration_at(struct str s, int64_t *ms_out)
{
	size_t end = 0;
	int unit = -1;
	int64_t total = 0;
	while (end < s.len && is_digit(s.ptr[end])) {
		size_t i = end, name_len = 0;
		int64_t n = 0, part;
		while (i < s.len && is_digit(s.ptr[i]))
			if (__builtin_mul_overflow(n, 10, &n) ||
			    __builtin_add_overflow(n, s.ptr[i++] - '0', &n))
				return 0;
		unit = unit_at(str_skip(s, i), unit, &name_len);
		if (unit < 0 || __builtin_mul_overflow(n, units[unit].ms, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return 0;
		end = i + name_len;
	}
	*ms_out = total;
	return end;
}

bool
promql_parse_duration(struct str text, int64_t *ms_out)
{
	double seconds;
	if (text.len > 0 && duration_at(text, ms_out) == text.len)
		return true;
	if (text.len == 0 || !(is_digit(text.ptr[0]) || text.ptr[0] == '.') ||
	    !str_to_f64(text, &seconds) || !(seconds * 1000 < 9.2e18))
		return false;
	*ms_out = (int64_t)llround(seconds * 1000);
	return true;
}

/* ---- numbers */

static bool
is_number_char(char c, char before)
{
	if (is_digit(c) || is_alpha(c) || c == '.')
		return true;
	return (c == '+' || c == '-') && (before == 'e' || before == 'E');
}

/* "_" between digits is for the eye only. */
static bool
read_number(struct str text, double *out)
{
	char z[NUMBER_TEXT_MAX + 1], *end;
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '_' && i > 0 && i + 1 < text.len && text.ptr[i - 1] != '_' &&
		    text.ptr[i + 1] != '_')
			continue;
		if (n == NUMBER_TEXT_MAX)
			return false;
		z[n++] = text.ptr[i];
	}
	z[n] = '\0';
	bool hex = n > 2 && z[0] == '0' && (z[1] == 'x' || z[1] == 'X');
	if (hex && strspn(z + 2, "0123456789abcdefABCDEF") == n - 2) {
		*out = 0;
		for (size_t i = 2; i < n; i++) {
			char c = z[i];
			*out = *out * 16 + (is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
		}
		return true;
	}
	if (strspn(z, "0123456789.eE+-") != n)
		return false;
	*out = strtod(z, &end); /* the program's locale is C, see base/number.h */
	return *end == '\0' && n > 0;
}

static struct token
lex_number(struct lexer *l)
{
	struct token t = {.kind = TOK_NUMBER, .at = l->at};
	struct str rest = str_skip(l->text, l->at);
	size_t n = duration_at(rest, &t.ms);
	char next = n < rest.len ? rest.ptr[n] : '\0';
	if (n > 0 && !is_alpha(next) && !is_digit(next) && next != '.') {
		t.kind = TOK_DURATION;
		t.number = (double)t.ms / 1000;
		t.len = n;
		l->at += n;
		return t;
	}
	for (n = 0; n < rest.len && is_number_char(rest.ptr[n], n > 0 ? rest.ptr[n - 1] : '\0');
	    n++)
		;
	/* 0x1e+1 is a sum. */
	if (n > 1 && (rest.ptr[1] == 'x' || rest.ptr[1] == 'X'))
		for (n = 2; n < rest.len && (is_digit(rest.ptr[n]) || is_alpha(rest.ptr[n])); n++)
			;
	t.text = str_of(rest.ptr, n);
	t.len = n;
	if (!read_number(t.text, &t.number)) {
		(void)promql_fail_parse(l->err, l->text, l->at,
		    "neither a number nor a length of time (like 1.5, 0x1f, 5m, 1h30m): %.*s",
		    (int)(n < 40 ? n : 40), rest.ptr);
		return (struct token){.kind = TOK_ERROR, .at = l->at};
	}
	l->at += n;
	return t;
}

/* ---- strings */

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `digits` of them from l->at on, in `base`; -1: they are not there. */
static int64_t
read_code(struct lexer *l, int digits, int base)
{
	int64_t v = 0;
	for (int i = 0; i < digits; i++) {
		int d = hex_value(at(l, 0));
		if (d < 0 || d >= base)
			return -1;
		v = v * base + d;
		l->at++;
	}
	return v;
}

/* Behind a backslash. */
static bool
read_escape(struct lexer *l, char quote, struct buf *out)
{
	static const char letters[] = "abfnrtv\\", meant[] = "\a\b\f\n\r\t\v\\";
	char c = at(l, 0), utf8[4];
	const char *place = c ? strchr(letters, c) : NULL;
	if (place || c == quote) {
		buf_char(out, place ? meant[place - letters] : quote);
		l->at++;
		return true;
	}
	bool octal = c >= '0' && c <= '7';
	if (!octal)
		l->at++;
	int64_t code = octal ? read_code(l, 3, 8)
	    : c == 'x'       ? read_code(l, 2, 16)
	    : c == 'u'       ? read_code(l, 4, 16)
	    : c == 'U'       ? read_code(l, 8, 16)
	                     : -1;
	if (code < 0)
		return false;
	if (octal || c == 'x') {
		buf_char(out, (char)(unsigned char)code);
		return code <= 0xFF;
	}
	if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
		return false;
	buf_append(out, utf8, utf8_put((uint32_t)code, utf8));
	return true;
}

static struct token
lex_string(struct lexer *l)
{
	size_t from = l->at++;
	char quote = l->text.ptr[from];
	struct buf out = {0};
	struct token t = {.kind = TOK_STRING, .at = from};
	while (l->at < l->text.len && at(l, 0) != quote) {
		size_t here = l->at;
		char c = l->text.ptr[l->at++];
		bool good = true;
		if (c == '\\' && quote != '`')
			good = read_escape(l, quote, &out);
		else if (c == '\n' && quote != '`')
			good = false;
		else
			buf_char(&out, c);
		if (good)
			continue;
		buf_fini(&out);
		return fail(l, here,
		    c == '\n' ? "a string does not go over the end of a line"
		              : "unknown escape in a string");
	}
	if (l->at >= l->text.len) {
		buf_fini(&out);
		return fail(l, from, "the string has no end");
	}
	l->at++;
	t.len = l->at - from;
	bool valid = utf8_valid(buf_view(&out));
	t.text = valid ? arena_str(l->arena, out.len > 0 ? buf_view(&out) : STR("")) : STR_EMPTY;
	buf_fini(&out);
	if (!valid)
		return fail(l, from, "the string is not UTF-8");
	if (!t.text.ptr) {
		(void)err_set(l->err, ERR_TOO_LARGE, "no memory for the query");
		t.kind = TOK_ERROR;
	}
	return t;
}

/* ---- all of it */

static struct token
lex_name(struct lexer *l)
{
	struct token t = {.kind = TOK_NAME, .at = l->at};
	while (is_alpha(at(l, 0)) || is_digit(at(l, 0)) || (at(l, 0) == ':' && !l->in_brackets))
		l->at++;
	t.len = l->at - t.at;
	t.text = str_of(l->text.ptr + t.at, t.len);
	return t;
}

static struct token
lex_sign(struct lexer *l)
{
	static const struct {
		char text[3];
		enum tok kind;
	} signs[] = {{"==", TOK_EQ}, {"!=", TOK_NE}, {"=~", TOK_RE}, {"!~", TOK_NRE},
	    {"<=", TOK_LE}, {">=", TOK_GE}, {"=", TOK_ASSIGN}, {"<", TOK_LT}, {">", TOK_GT},
	    {"+", TOK_ADD}, {"-", TOK_SUB}, {"*", TOK_MUL}, {"/", TOK_DIV}, {"%", TOK_MOD},
	    {"^", TOK_POW}, {"(", TOK_LEFT_PAREN}, {")", TOK_RIGHT_PAREN}, {"{", TOK_LEFT_BRACE},
	    {"}", TOK_RIGHT_BRACE}, {"[", TOK_LEFT_BRACKET}, {"]", TOK_RIGHT_BRACKET},
	    {",", TOK_COMMA}, {":", TOK_COLON}, {"@", TOK_AT}};
	struct str rest = str_skip(l->text, l->at);
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		struct str sign = str_from(signs[i].text);
		if (!str_starts(rest, sign))
			continue;
		struct token t = {.kind = signs[i].kind, .at = l->at, .len = sign.len};
		l->at += sign.len;
		if (t.kind == TOK_LEFT_BRACKET || t.kind == TOK_RIGHT_BRACKET)
			l->in_brackets = t.kind == TOK_LEFT_BRACKET;
		return t;
	}
	size_t n = utf8_valid_len(str_of(rest.ptr, rest.len < 4 ? rest.len : 4));
	uint32_t cp = 0;
	size_t len = n > 0 ? utf8_get(rest, &cp) : 1;
	bool shown = n > 0 && cp >= 0x20 && cp != 0x7F;
	(void)promql_fail_parse(l->err, l->text, l->at,
	    shown ? "unexpected character: \"%.*s\"" : "unexpected character%.*s",
	    shown ? (int)len : 0, rest.ptr);
	return (struct token){.kind = TOK_ERROR, .at = l->at};
}

struct token
promql_lex(struct lexer *l)
{
	skip_blanks(l);
	char c = at(l, 0);
	if (l->at >= l->text.len)
		return (struct token){.kind = TOK_END, .at = l->text.len};
	if (is_digit(c) || (c == '.' && is_digit(at(l, 1))))
		return lex_number(l);
	if (c == '"' || c == '\'' || c == '`')
		return lex_string(l);
	if (is_alpha(c) || (c == ':' && !l->in_brackets))
		return lex_name(l);
	return lex_sign(l);
}
