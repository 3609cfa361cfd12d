/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors, what stands behind an expression ([5m], [1h:5m], offset, @), and lists of labels. */
#include "promql/eval.h"

#include <math.h>

static const struct str name_label = STR_INIT("__name__");

static bool
fail(struct parser *p, size_t at, const char *what)
{
	if (p->code == ERR_OK)
		p->code = promql_fail_parse(p->err, p->lex.text, at, "%s", what);
	return false;
}

static bool
no_memory(struct parser *p)
{
	if (p->code == ERR_OK)
		p->code = err_set(p->err, ERR_TOO_LARGE, "no memory for the query");
	return false;
}

/* A name that only quotes allow, as the series have it. */
static struct str
label_name(struct parser *p, struct str name)
{
	if (promql_is_label_name(name) || !p->label_name)
		return name;
	struct str own = p->label_name(name, p->arena);
	if (!own.ptr)
		(void)no_memory(p);
	return own;
}

/* ---- lists of labels */

bool
promql_parse_names(struct parser *p, struct names *out)
{
	size_t cap = 8;
	*out = (struct names){.items = arena_array(p->arena, cap, sizeof(struct str))};
	if (!out->items)
		return no_memory(p);
	if (!promql_expect(p, TOK_LEFT_PAREN, "\"(\" and labels"))
		return false;
	while (p->tok.kind != TOK_RIGHT_PAREN) {
		bool quoted = p->tok.kind == TOK_STRING && p->tok.text.len > 0;
		if (!quoted && !(p->tok.kind == TOK_NAME && promql_is_label_name(p->tok.text))) {
			promql_unexpected(p, "a label");
			return false;
		}
		if (out->count == cap) {
			struct str *more = arena_array(p->arena, cap * 2, sizeof(*more));
			if (!more)
				return no_memory(p);
			memcpy(more, out->items, cap * sizeof(*more));
			out->items = more;
			cap *= 2;
		}
		out->items[out->count++] = label_name(p, p->tok.text);
		if (!promql_advance(p))
			return false;
		if (p->tok.kind != TOK_RIGHT_PAREN &&
		    !promql_expect(p, TOK_COMMA, "\",\" or \")\""))
			return false;
	}
	promql_names_sort(out);
	return promql_advance(p);
}

/* ---- matchers */

static bool
add_matcher(struct parser *p, struct promql_node *n, size_t *cap, struct promql_matcher m,
    size_t at)
{
	if (n->matcher_count == *cap) {
		size_t more_cap = *cap ? *cap * 2 : 4;
		struct promql_matcher *more = arena_array(p->arena, more_cap, sizeof(*more));
		if (!more)
			return no_memory(p);
		if (*cap)
			memcpy(more, n->matchers, n->matcher_count * sizeof(*more));
		n->matchers = more;
		*cap = more_cap;
	}
	if (m.op == PROMQL_RE || m.op == PROMQL_NRE) {
		struct err why = {0};
		enum err_code code = promql_regex_compile(p->arena, m.value, &m.regex, &why);
		if (code == ERR_INVALID)
			p->code = promql_fail_parse(p->err, p->lex.text, at, "%s", why.message);
		else if (code != ERR_OK)
			p->code = err_set(p->err, code, "%s", why.message);
	}
	n->matchers[n->matcher_count++] = m;
	return p->code == ERR_OK;
}

static bool
is_matcher_op(enum tok kind, enum promql_match_op *out)
{
	switch ((int)kind) {
	case TOK_ASSIGN: *out = PROMQL_EQ; return true;
	case TOK_NE: *out = PROMQL_NE; return true;
	case TOK_RE: *out = PROMQL_RE; return true;
	case TOK_NRE: *out = PROMQL_NRE; return true;
	default: return false;
	}
}

/* label op "value", or only "metric name" */
static bool
parse_matcher(struct parser *p, struct promql_node *n, size_t *cap, bool *named)
{
	struct token label = p->tok;
	struct promql_matcher m = {.op = PROMQL_EQ};
	bool quoted = label.kind == TOK_STRING;
	if (!quoted && !(label.kind == TOK_NAME && promql_is_label_name(label.text))) {
		promql_unexpected(p, "a label, a metric's name in quotes, or \"}\"");
		return false;
	}
	if (!promql_advance(p))
		return false;
	if (!is_matcher_op(p->tok.kind, &m.op)) {
		if (!quoted) {
			promql_unexpected(p, "one of =, !=, =~, !~");
			return false;
		}
		if (*named)
			return fail(p, label.at, "the metric has a name already");
		*named = true;
		m.name = name_label;
		m.value = label.text;
		return add_matcher(p, n, cap, m, label.at);
	}
	if (label.text.len == 0)
		return fail(p, label.at, "a label's name is not empty");
	if (!promql_advance(p))
		return false;
	if (p->tok.kind != TOK_STRING) {
		promql_unexpected(p, "a value in quotes");
		return false;
	}
	m.name = label_name(p, label.text);
	m.value = p->tok.text;
	if (*named && str_eq(m.name, name_label) && m.op == PROMQL_EQ)
		return fail(p, label.at, "the metric has a name already");
	return add_matcher(p, n, cap, m, p->tok.at) && promql_advance(p);
}

static bool
parse_matchers(struct parser *p, struct promql_node *n, size_t *cap, bool *named)
{
	if (!promql_advance(p))
		return false;
	while (p->tok.kind != TOK_RIGHT_BRACE) {
		if (!parse_matcher(p, n, cap, named))
			return false;
		if (p->tok.kind != TOK_RIGHT_BRACE &&
		    !promql_expect(p, TOK_COMMA, "\",\" or \"}\""))
			return false;
	}
	return promql_advance(p);
}

/* A selector that everything satisfies would be the whole store. */
static bool
check_selective(struct parser *p, const struct promql_node *n)
{
	for (size_t i = 0; i < n->matcher_count; i++) {
		bool matches_empty = true;
		enum err_code code =
		    promql_matches(&n->matchers[i], STR(""), &matches_empty, p->err);
		if (code != ERR_OK) {
			p->code = code;
			return false;
		}
		if (!matches_empty)
			return true;
	}
	return fail(p, n->at,
	    "a selector needs a name, or one matcher that the empty text does not satisfy");
}

struct promql_node *
promql_parse_vector_selector(struct parser *p)
{
	struct promql_node *n = promql_new_node(p, NODE_SELECTOR, PROMQL_VECTOR, p->tok.at);
	size_t cap = 0;
	bool named = p->tok.kind == TOK_NAME;
	if (!n)
		return NULL;
	if (named) {
		struct promql_matcher m = {PROMQL_EQ, name_label, p->tok.text, NULL};
		if (!add_matcher(p, n, &cap, m, p->tok.at) || !promql_advance(p))
			return NULL;
	}
	if (p->tok.kind == TOK_LEFT_BRACE && !parse_matchers(p, n, &cap, &named))
		return NULL;
	return check_selective(p, n) ? n : NULL;
}

enum err_code
promql_matches(const struct promql_matcher *m, struct str value, bool *matches_out, struct err *err)
{
	enum err_code code = ERR_OK;
	*matches_out = false;
	switch (m->op) {
	case PROMQL_EQ: *matches_out = str_eq(m->value, value); return ERR_OK;
	case PROMQL_NE: *matches_out = !str_eq(m->value, value); return ERR_OK;
	case PROMQL_RE: return promql_regex_matches(m->regex, value, matches_out, err);
	case PROMQL_NRE:
		code = promql_regex_matches(m->regex, value, matches_out, err);
		*matches_out = !*matches_out;
		return code;
	}
	return code;
}

/* ---- behind an expression */

/* A length of time: 5m, or a number of seconds. */
static bool
parse_length(struct parser *p, bool negative_allowed, int64_t *ms_out)
{
	bool negative = false;
	size_t at = p->tok.at;
	if (negative_allowed && (p->tok.kind == TOK_SUB || p->tok.kind == TOK_ADD)) {
		negative = p->tok.kind == TOK_SUB;
		if (!promql_advance(p))
			return false;
	}
	if (p->tok.kind == TOK_NUMBER) {
		if (!(fabs(p->tok.number) < 1e12))
			return fail(p, at, "the length of time is out of range");
		*ms_out = (int64_t)llround(p->tok.number * 1000);
	} else if (p->tok.kind == TOK_DURATION) {
		*ms_out = p->tok.ms;
	} else {
		promql_unexpected(p, "a length of time (like 5m)");
		return false;
	}
	if (*ms_out > INT64_C(1000) * 366 * 86400000)
		return fail(p, at, "the length of time is more than 1,000 years");
	if (negative)
		*ms_out = -*ms_out;
	return promql_advance(p);
}

static struct promql_node *
new_subquery(struct parser *p, struct promql_node *inner, size_t at)
{
	struct promql_node *n = promql_new_node(p, NODE_SUBQUERY, PROMQL_MATRIX, inner->at);
	if (!n)
		return NULL;
	if (inner->type != PROMQL_VECTOR) {
		p->code = promql_fail_parse(p->err, p->lex.text, at,
		    "a subquery is only of an instant vector, this is %s",
		    promql_type_phrase(inner->type));
		return NULL;
	}
	n->args = arena_array(p->arena, 1, sizeof(struct promql_node *));
	if (!n->args) {
		(void)no_memory(p);
		return NULL;
	}
	n->args[0] = inner;
	n->arg_count = 1;
	n->depth = inner->depth + 1;
	if (n->depth > PROMQL_DEPTH_MAX) {
		(void)fail(p, at, "the query is nested more than 250 deep");
		return NULL;
	}
	return n;
}

/* [5m] or [1h:5m] or [1h:] */
static struct promql_node *
parse_range(struct parser *p, struct promql_node *n)
{
	size_t at = p->tok.at;
	int64_t range_ms = 0, step_ms = 0;
	if (!promql_advance(p) || !parse_length(p, false, &range_ms))
		return NULL;
	if (range_ms <= 0) {
		(void)fail(p, at, "a range is longer than nothing");
		return NULL;
	}
	bool subquery = p->tok.kind == TOK_COLON;
	if (subquery) {
		if (!promql_advance(p))
			return NULL;
		if (p->tok.kind != TOK_RIGHT_BRACKET && !parse_length(p, false, &step_ms))
			return NULL;
	}
	if (!promql_expect(p, TOK_RIGHT_BRACKET, "\"]\""))
		return NULL;
	if (subquery) {
		n = new_subquery(p, n, at);
	} else if (n->kind != NODE_SELECTOR || n->type != PROMQL_VECTOR) {
		(void)fail(p, at, "a range is only for a selector; a subquery is [range:step]");
		return NULL;
	} else if (n->has_offset || n->at_kind != AT_NONE) {
		(void)fail(p, at, "offset and @ stand behind the range");
		return NULL;
	}
	if (!n)
		return NULL;
	n->type = PROMQL_MATRIX;
	n->range_ms = range_ms;
	n->step_ms = step_ms;
	return n;
}

static bool
takes_modifiers(struct parser *p, const struct promql_node *n, size_t at)
{
	if (n->kind == NODE_SELECTOR || n->kind == NODE_SUBQUERY)
		return true;
	return fail(p, at, "offset and @ are only for a selector or a subquery");
}

static bool
parse_offset(struct parser *p, struct promql_node *n)
{
	size_t at = p->tok.at;
	if (!takes_modifiers(p, n, at))
		return false;
	if (n->has_offset)
		return fail(p, at, "there is an offset already");
	n->has_offset = true;
	return promql_advance(p) && parse_length(p, true, &n->offset_ms);
}

static bool
parse_at(struct parser *p, struct promql_node *n)
{
	size_t at = p->tok.at;
	if (!takes_modifiers(p, n, at))
		return false;
	if (n->at_kind != AT_NONE)
		return fail(p, at, "there is an @ already");
	if (!promql_advance(p))
		return false;
	bool start = promql_is_word(p, "start");
	if (start || promql_is_word(p, "end")) {
		n->at_kind = start ? AT_START : AT_END;
		return promql_advance(p) && promql_expect(p, TOK_LEFT_PAREN, "\"()\"") &&
		    promql_expect(p, TOK_RIGHT_PAREN, "\")\"");
	}
	bool negative = p->tok.kind == TOK_SUB;
	if ((negative || p->tok.kind == TOK_ADD) && !promql_advance(p))
		return false;
	if (p->tok.kind != TOK_NUMBER && p->tok.kind != TOK_DURATION) {
		promql_unexpected(p, "unix seconds, start() or end()");
		return false;
	}
	if (!(fabs(p->tok.number) < 1e14))
		return fail(p, p->tok.at, "the time is out of range");
	n->at_kind = AT_TIME;
	n->at_ms = (int64_t)llround(p->tok.number * 1000);
	if (negative)
		n->at_ms = -n->at_ms;
	return promql_advance(p);
}

struct promql_node *
promql_parse_suffixes(struct parser *p, struct promql_node *n)
{
	while (n && p->code == ERR_OK) {
		if (p->tok.kind == TOK_LEFT_BRACKET)
			n = parse_range(p, n);
		else if (p->tok.kind == TOK_AT)
			n = parse_at(p, n) ? n : NULL;
		else if (promql_is_word(p, "offset"))
			n = parse_offset(p, n) ? n : NULL;
		else
			break;
	}
	return p->code == ERR_OK ? n : NULL;
}
