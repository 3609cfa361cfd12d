/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCRE2 behind RE2's syntax. The expression is read once before PCRE2 sees it, only to refuse what RE2 does not know; of
 * what is left the two mean the same.
 */
#include "promql/pattern.h"

#include "base/buf.h"
#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	WORKSPACE_INTS = 16384,
	STEPS_MAX = 200000,
	HEAP_KIB_MAX = 8192,
	NEST_MAX = 200,
};

struct promql_regex {
	struct arena *arena;
	struct str literal; /* the expression is nothing but this text */
	bool is_literal;
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	int *workspace; /* made when it is needed */
};

/* ---- memory of PCRE2: the arena's */

static void *
take(size_t n, void *arena)
{
	return arena_alloc(arena, n);
}

static void
give(void *p, void *arena)
{
	(void)p;
	(void)arena;
}

/* ---- what RE2 does not know */

struct reading {
	struct str text;
	size_t at;
	bool in_class;
	size_t class_from;
	bool plain; /* nothing special so far */
	struct err *err;
};

static enum err_code
refuse(struct reading *r, size_t at, const char *what)
{
	return err_set(r->err, ERR_INVALID, "regular expression, character %zu: %s", at + 1, what);
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
peek(const struct reading *r, size_t ahead)
{
	return r->at + ahead < r->text.len ? r->text.ptr[r->at + ahead] : '\0';
}

static enum err_code
skip_quoted(struct reading *r)
{
	for (; r->at < r->text.len; r->at++)
		if (peek(r, 0) == '\\' && peek(r, 1) == 'E') {
			r->at += 2;
			break;
		}
	return ERR_OK;
}

static enum err_code
check_escape(struct reading *r)
{
	char c = peek(r, 1);
	size_t at = r->at;
	r->plain = false;
	if (at + 1 >= r->text.len)
		return refuse(r, at, "a backslash at the end");
	r->at += 2;
	if (c == 'Q' && !r->in_class)
		return skip_quoted(r);
	if (is_digit(c) && c != '0')
		return refuse(r, at, "there are no back references");
	if (!is_letter(c))
		return ERR_OK;
	if (strchr("pPxdDwWsSafnrt", c))
		return ERR_OK;
	if (!r->in_class && strchr("AbBz", c))
		return ERR_OK;
	return refuse(r, at, "unknown escape");
}

/* Behind "(?": a name, flags, or ':'. */
static enum err_code
check_group(struct reading *r)
{
	size_t at = r->at;
	r->plain = false;
	if (peek(r, 1) == '*')
		return refuse(r, at + 1, "nothing to repeat");
	if (peek(r, 1) != '?') {
		r->at++;
		return ERR_OK;
	}
	r->at += 2;
	if (peek(r, 0) == 'P' && peek(r, 1) == '<')
		r->at++;
	if (peek(r, 0) == '<') {
		if (peek(r, 1) == '=' || peek(r, 1) == '!')
			return refuse(r, at, "there is no look-behind");
		r->at++;
		return ERR_OK;
	}
	while (r->at < r->text.len && strchr("imsU-", peek(r, 0)))
		r->at++;
	char end = peek(r, 0);
	if (end != ':' && end != ')')
		return refuse(r, at, "unknown kind of group (there is no look-around)");
	return ERR_OK; /* the ':' is a character, the ')' ends the group, for whoever reads on */
}

/* {n}, {n,}, {n,m} at r->at; anything else is text. */
static bool
is_repeat(const struct reading *r, size_t *end_out, uint64_t *most_out)
{
	size_t i = r->at + 1;
	uint64_t n[2] = {0, 0};
	for (int k = 0; k < 2; k++) {
		size_t digits = 0;
		for (; i < r->text.len && is_digit(r->text.ptr[i]); i++, digits++)
			n[k] = n[k] < 100000 ? n[k] * 10 + (uint64_t)(r->text.ptr[i] - '0') : n[k];
		if (digits == 0 && k == 0)
			return false;
		if (k == 0 && i < r->text.len && r->text.ptr[i] == ',')
			i++;
		else
			break;
	}
	*end_out = i + 1;
	*most_out = n[0] > n[1] ? n[0] : n[1];
	return i < r->text.len && r->text.ptr[i] == '}';
}

static enum err_code
check_repeat(struct reading *r)
{
	size_t at = r->at, end = r->at + 1;
	uint64_t most = 0;
	if (peek(r, 0) == '{') {
		if (!is_repeat(r, &end, &most)) {
			r->at++;
			return ERR_OK;
		}
		if (most > PROMQL_REGEX_REPEAT_MAX)
			return refuse(r, at, "repeated more than 1000 times");
	}
	r->plain = false;
	r->at = end;
	if (peek(r, 0) == '?') /* as few as will do */
		r->at++;
	if (r->at < r->text.len && strchr("*+?", peek(r, 0)))
		return refuse(r, r->at, "a repetition is repeated");
	uint64_t ignored;
	size_t next;
	if (peek(r, 0) == '{' && is_repeat(r, &next, &ignored))
		return refuse(r, r->at, "a repetition is repeated");
	return ERR_OK;
}

static enum err_code
check_in_class(struct reading *r)
{
	char c = peek(r, 0);
	if (c == '\\')
		return check_escape(r);
	if (c == ']' && r->at > r->class_from)
		r->in_class = false;
	if (c == '[' && peek(r, 1) == ':') {
		struct str rest = str_skip(r->text, r->at + 2);
		size_t end = str_find(rest, ':');
		if (end + 1 < rest.len && rest.ptr[end + 1] == ']') {
			r->at += end + 4;
			return ERR_OK;
		}
	}
	r->at++;
	return ERR_OK;
}

static enum err_code
check_one(struct reading *r)
{
	char c = peek(r, 0);
	if (r->in_class)
		return check_in_class(r);
	switch (c) {
	case '\\': return check_escape(r);
	case '(': return check_group(r);
	case '*':
	case '+':
	case '?':
	case '{': return check_repeat(r);
	case '[':
		r->plain = false;
		r->in_class = true;
		r->at++;
		if (peek(r, 0) == '^')
			r->at++;
		r->class_from = r->at;
		return ERR_OK;
	case '.':
	case '|':
	case ')':
	case '^':
	case '$':
	case '\0': r->plain = false; break;
	default: break;
	}
	r->at++;
	return ERR_OK;
}

static enum err_code
check_syntax(struct str pattern, bool *plain_out, struct err *err)
{
	struct reading r = {.text = pattern, .plain = true, .err = err};
	enum err_code code = ERR_OK;
	if (pattern.len > PROMQL_REGEX_BYTES_MAX)
		return err_set(err, ERR_INVALID, "the regular expression is longer than %d bytes",
		    PROMQL_REGEX_BYTES_MAX);
	if (!utf8_valid(pattern))
		return err_set(err, ERR_INVALID, "the regular expression is not UTF-8");
	while (r.at < r.text.len && code == ERR_OK)
		code = check_one(&r);
	*plain_out = r.plain;
	return code;
}

/* ---- compiling */

static enum err_code
no_memory(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "no memory for a regular expression");
}

static enum err_code
compile(struct promql_regex *re, struct str pattern, struct err *err)
{
	const uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOTALL |
	    PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_POSSESS | PCRE2_NO_DOTSTAR_ANCHOR |
	    PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
	int number;
	PCRE2_SIZE at;
	pcre2_general_context *general = pcre2_general_context_create(take, give, re->arena);
	pcre2_compile_context *c = general ? pcre2_compile_context_create(general) : NULL;
	if (!c)
		return no_memory(err);
	pcre2_set_parens_nest_limit(c, NEST_MAX);
	re->code = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len, options,
	    &number, &at, c);
	if (!re->code && number == PCRE2_ERROR_HEAP_FAILED)
		return no_memory(err);
	if (!re->code) {
		PCRE2_UCHAR text[128] = "";
		pcre2_get_error_message(number, text, sizeof(text));
		return err_set(err, ERR_INVALID, "regular expression, character %zu: %s", at + 1,
		    (const char *)text);
	}
	re->match = pcre2_match_data_create_from_pattern(re->code, general);
	re->context = pcre2_match_context_create(general);
	if (!re->match || !re->context)
		return no_memory(err);
	pcre2_set_match_limit(re->context, STEPS_MAX);
	pcre2_set_heap_limit(re->context, HEAP_KIB_MAX);
	return ERR_OK;
}

enum err_code
promql_regex_compile(struct arena *arena, struct str pattern, struct promql_regex **out,
    struct err *err)
{
	bool plain = false;
	enum err_code code = check_syntax(pattern, &plain, err);
	struct promql_regex *re = code == ERR_OK ? arena_alloc(arena, sizeof(*re)) : NULL;
	*out = re;
	if (!re)
		return code == ERR_OK ? no_memory(err) : code;
	re->arena = arena;
	re->is_literal = plain;
	re->literal = pattern;
	return plain ? ERR_OK : compile(re, pattern, err);
}

/* ---- matching */

static enum err_code
result_of(int n, bool *matches_out, struct err *err)
{
	*matches_out = n >= 0;
	if (n >= 0 || n == PCRE2_ERROR_NOMATCH)
		return ERR_OK;
	if (n == PCRE2_ERROR_DFA_WSSIZE || n == PCRE2_ERROR_MATCHLIMIT ||
	    n == PCRE2_ERROR_HEAPLIMIT || n == PCRE2_ERROR_DEPTHLIMIT)
		return err_set(err, ERR_TOO_LARGE,
		    "the regular expression has too many ways to match: make it simpler");
	if (n == PCRE2_ERROR_NOMEMORY)
		return no_memory(err);
	return err_set(err, ERR_INTERNAL, "the regular expression failed with number %d", n);
}

static PCRE2_SPTR
bytes_of(struct str s)
{
	return (PCRE2_SPTR)(s.ptr ? s.ptr : "");
}

enum err_code
promql_regex_matches(struct promql_regex *re, struct str text, bool *matches_out, struct err *err)
{
	*matches_out = false;
	if (re->is_literal) {
		*matches_out = str_eq(re->literal, text);
		return ERR_OK;
	}
	if (!utf8_valid(text))
		return ERR_OK;
	if (!re->workspace)
		re->workspace = arena_array(re->arena, WORKSPACE_INTS, sizeof(int));
	if (!re->workspace)
		return no_memory(err);
	int n = pcre2_dfa_match(re->code, bytes_of(text), text.len, 0,
	    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NO_UTF_CHECK, re->match, re->context,
	    re->workspace, WORKSPACE_INTS);
	return result_of(n, matches_out, err);
}

/* ---- templates */

static bool
is_name_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

static struct str
group_text(const struct promql_regex *re, struct str text, struct str name)
{
	uint64_t number = 0;
	char z[64];
	if (re->is_literal || name.len == 0)
		return str_eq(name, STR("0")) ? text : STR("");
	if (!str_to_u64(name, &number)) {
		if (name.len >= sizeof(z))
			return STR("");
		memcpy(z, name.ptr, name.len);
		z[name.len] = '\0';
		int found = pcre2_substring_number_from_name(re->code, (PCRE2_SPTR)z);
		if (found < 0)
			return STR("");
		number = (uint64_t)found;
	}
	if (number >= pcre2_get_ovector_count(re->match))
		return STR("");
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->match);
	PCRE2_SIZE from = at[2 * number], to = at[2 * number + 1];
	if (from == PCRE2_UNSET || to == PCRE2_UNSET || from > to || to > text.len)
		return STR("");
	return str_of(text.ptr + from, to - from);
}

/* What stands behind a '$' at `at`; how much it takes, 0: it is only a dollar sign. */
static size_t
name_at(struct str template, size_t at, struct str *name_out)
{
	struct str rest = str_skip(template, at + 1);
	bool braced = rest.len > 0 && rest.ptr[0] == '{';
	if (braced)
		rest = str_skip(rest, 1);
	size_t n = 0;
	while (n < rest.len && is_name_char(rest.ptr[n]))
		n++;
	*name_out = str_of(rest.ptr, n);
	if (n == 0 || (braced && (n == rest.len || rest.ptr[n] != '}')))
		return 0;
	return 1 + n + (braced ? 2 : 0);
}

static void
put_expanded(const struct promql_regex *re, struct str text, struct str template, struct buf *out)
{
	for (size_t i = 0; i < template.len;) {
		struct str name;
		if (template.ptr[i] != '$') {
			buf_char(out, template.ptr[i++]);
			continue;
		}
		if (i + 1 < template.len && template.ptr[i + 1] == '$') {
			buf_char(out, '$');
			i += 2;
			continue;
		}
		size_t n = name_at(template, i, &name);
		if (n > 0)
			buf_str(out, group_text(re, text, name));
		else
			buf_char(out, '$');
		i += n > 0 ? n : 1;
	}
}

enum err_code
promql_regex_expand(struct promql_regex *re, struct str text, struct str template,
    bool *matches_out, struct str *expanded_out, struct err *err)
{
	struct buf out = {0};
	enum err_code code = ERR_OK;
	*matches_out = re->is_literal && str_eq(re->literal, text);
	*expanded_out = STR("");
	if (!re->is_literal && utf8_valid(text)) {
		int n = pcre2_match(re->code, bytes_of(text), text.len, 0,
		    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NO_UTF_CHECK, re->match,
		    re->context);
		code = result_of(n, matches_out, err);
	}
	if (code != ERR_OK || !*matches_out)
		return code;
	put_expanded(re, text, template, &out);
	*expanded_out = arena_str(re->arena, buf_view(&out));
	buf_fini(&out);
	return expanded_out->ptr ? ERR_OK : no_memory(err);
}
