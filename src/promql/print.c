/* SPDX-License-Identifier: Apache-2.0 */
/* Queries, label sets and numbers as Prometheus writes them. */
#include "promql/eval.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers */

/* The digits of a finite number that is not 0, and the power of ten before which the point stands. */
static size_t
digits_of(double v, char digits[NUMBER_DOUBLE_BYTES], int *exponent_out)
{
	char text[NUMBER_DOUBLE_BYTES + 1];
	size_t len = number_double_text(fabs(v), text), n = 0;
	int point = -1, exponent = 0;
	text[len] = '\0';
	for (size_t i = 0; i < len && text[i] != 'e'; i++) {
		if (text[i] == '.')
			point = (int)n;
		else
			digits[n++] = text[i];
	}
	const char *e = strchr(text, 'e');
	for (const char *c = e ? e + 2 : ""; *c; c++)
		exponent = exponent * 10 + (*c - '0');
	if (e && e[1] == '-')
		exponent = -exponent;
	exponent += point < 0 ? (int)n : point;
	size_t zeros = 0;
	while (zeros + 1 < n && digits[zeros] == '0')
		zeros++;
	memmove(digits, digits + zeros, n - zeros);
	n -= zeros;
	exponent -= (int)zeros;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	*exponent_out = exponent;
	return n;
}

static size_t
put_plain(const char *digits, size_t n, int exponent, char *out)
{
	size_t len = 0;
	if (exponent <= 0)
		out[len++] = '0';
	for (int i = 0; i < exponent; i++)
		out[len++] = (size_t)i < n ? digits[i] : '0';
	if ((int)n <= exponent)
		return len;
	out[len++] = '.';
	for (int i = exponent; i < 0; i++)
		out[len++] = '0';
	for (size_t i = exponent > 0 ? (size_t)exponent : 0; i < n; i++)
		out[len++] = digits[i];
	return len;
}

/* 1.5e+21, 1e-07 */
static size_t
put_scientific(const char *digits, size_t n, int exponent, char *out)
{
	size_t len = 0;
	out[len++] = digits[0];
	if (n > 1)
		out[len++] = '.';
	for (size_t i = 1; i < n; i++)
		out[len++] = digits[i];
	int wrote = snprintf(out + len, 8, "e%c%02d", exponent > 0 ? '+' : '-', abs(exponent - 1));
	return len + (size_t)wrote;
}

static size_t
put_special(double v, char *out)
{
	const char *text = isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf";
	size_t len = strlen(text);
	memcpy(out, text, len);
	return len;
}

static size_t
number_text(double v, bool plain, char out[PROMQL_NUMBER_BYTES])
{
	char digits[NUMBER_DOUBLE_BYTES] = {'0'};
	int exponent;
	size_t sign = 0;
	if (!isfinite(v))
		return put_special(v, out);
	if (signbit(v))
		out[sign++] = '-';
	if (v == 0) {
		out[sign] = '0';
		return sign + 1;
	}
	size_t n = digits_of(v, digits, &exponent);
	bool small = fabs(v) < 1e-6, large = fabs(v) >= 1e21;
	if (!plain && (small || large))
		return sign + put_scientific(digits, n, exponent, out + sign);
	return sign + put_plain(digits, n, exponent, out + sign);
}

size_t
promql_number_text(double v, char out[PROMQL_NUMBER_BYTES])
{
	return number_text(v, false, out);
}

size_t
promql_label_number_text(double v, char out[PROMQL_NUMBER_BYTES])
{
	return number_text(v, true, out);
}

/* What has a sign is in brackets: -2^2 is -(2^2). */
static void
put_number(struct buf *out, double v)
{
	char text[PROMQL_NUMBER_BYTES];
	size_t n = promql_number_text(v, text);
	bool sign = text[0] == '-' || text[0] == '+';
	if (sign)
		buf_char(out, '(');
	buf_append(out, text, n);
	if (sign)
		buf_char(out, ')');
}

/* ---- text */

static void
put_quoted(struct buf *out, struct str s)
{
	buf_char(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_str(out, STR("\\n"));
		else if (c < 0x20 || c == 0x7F)
			buf_printf(out, "\\x%02x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

static void
put_name(struct buf *out, struct str name)
{
	if (promql_is_label_name(name))
		buf_str(out, name);
	else
		put_quoted(out, name);
}

static bool
is_metric_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != ':' && !promql_is_label_name(str_of(s.ptr + i, 1)) &&
		    !(i > 0 && s.ptr[i] >= '0' && s.ptr[i] <= '9'))
			return false;
	return s.len > 0;
}

void
promql_labels_print(struct buf *out, const struct promql_labels *l)
{
	struct str name = promql_label_get(l, STR("__name__"));
	bool bare = is_metric_name(name);
	size_t shown = 0;
	if (bare)
		buf_str(out, name);
	if (bare && l->count == 1)
		return;
	buf_char(out, '{');
	if (name.len > 0 && !bare) {
		put_quoted(out, name);
		shown++;
	}
	for (size_t i = 0; i < l->count; i++) {
		if (str_eq(l->items[i].name, STR("__name__")))
			continue;
		if (shown++ > 0)
			buf_str(out, STR(", "));
		put_name(out, l->items[i].name);
		buf_char(out, '=');
		put_quoted(out, l->items[i].value);
	}
	buf_char(out, '}');
}

/* ---- queries */

static void put_node(struct buf *out, const struct promql_node *n);

static void
put_names(struct buf *out, const char *word, const struct names *n)
{
	buf_printf(out, "%s(", word);
	for (size_t i = 0; i < n->count; i++) {
		if (i > 0)
			buf_str(out, STR(", "));
		put_name(out, n->items[i]);
	}
	buf_char(out, ')');
}

static void
put_ms(struct buf *out, int64_t ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} parts[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
	if (ms < 0)
		buf_char(out, '-');
	ms = ms < 0 ? -ms : ms;
	if (ms == 0)
		buf_str(out, STR("0s"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (ms >= parts[i].ms)
			buf_printf(out, "%" PRId64 "%s", ms / parts[i].ms, parts[i].unit);
		ms %= parts[i].ms;
	}
}

static void
put_modifiers(struct buf *out, const struct promql_node *n)
{
	if (n->type == PROMQL_MATRIX) {
		buf_char(out, '[');
		put_ms(out, n->range_ms);
		if (n->kind == NODE_SUBQUERY)
			buf_char(out, ':');
		if (n->kind == NODE_SUBQUERY && n->step_ms > 0)
			put_ms(out, n->step_ms);
		buf_char(out, ']');
	}
	if (n->at_kind == AT_TIME)
		buf_printf(out, " @ %s%lld.%03lld", n->at_ms < 0 ? "-" : "", llabs(n->at_ms) / 1000,
		    llabs(n->at_ms) % 1000);
	else if (n->at_kind != AT_NONE)
		buf_str(out, n->at_kind == AT_START ? STR(" @ start()") : STR(" @ end()"));
	if (n->has_offset) {
		buf_str(out, STR(" offset "));
		put_ms(out, n->offset_ms);
	}
}

/* May this name stand before a selector? Words of the language would be taken for themselves. */
static bool
stands_alone(struct str name)
{
	static const char *const words[] = {"inf", "nan", "bool", "on", "ignoring", "group_left",
	    "group_right", "by", "without", "offset", "and", "or", "unless", "atan2"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(name, str_from(words[i])))
			return false;
	return is_metric_name(name);
}

static void
put_selector(struct buf *out, const struct promql_node *n)
{
	static const char *const ops[] = {"=", "!=", "=~", "!~"};
	const struct promql_matcher *name = n->matchers;
	bool bare = n->matcher_count > 0 && name->op == PROMQL_EQ &&
	    str_eq(name->name, STR("__name__")) && stands_alone(name->value);
	if (bare)
		buf_str(out, name->value);
	if (bare && n->matcher_count == 1) {
		put_modifiers(out, n);
		return;
	}
	buf_char(out, '{');
	for (size_t i = bare; i < n->matcher_count; i++) {
		const struct promql_matcher *m = &n->matchers[i];
		if (i > bare)
			buf_str(out, STR(", "));
		put_name(out, m->name);
		buf_str(out, str_from(ops[m->op]));
		put_quoted(out, m->value);
	}
	buf_char(out, '}');
	put_modifiers(out, n);
}

static void
put_list(struct buf *out, const struct promql_node *n)
{
	buf_char(out, '(');
	for (size_t i = 0; i < n->arg_count; i++) {
		if (i > 0)
			buf_str(out, STR(", "));
		put_node(out, n->args[i]);
	}
	buf_char(out, ')');
}

static void
put_binary(struct buf *out, const struct promql_node *n)
{
	static const char *const groups[] = {
	    [MANY_TO_ONE] = " group_left", [ONE_TO_MANY] = " group_right"};
	buf_char(out, '(');
	put_node(out, n->args[0]);
	buf_printf(out, " %s ", promql_op_text(n->op));
	if (n->returns_bool)
		buf_str(out, STR("bool "));
	if (n->has_matching)
		put_names(out, n->on ? "on " : "ignoring ", &n->labels);
	if (n->card == MANY_TO_ONE || n->card == ONE_TO_MANY)
		put_names(out, groups[n->card], &n->include);
	if (n->has_matching)
		buf_char(out, ' ');
	put_node(out, n->args[1]);
	buf_char(out, ')');
}

static void
put_aggregate(struct buf *out, const struct promql_node *n)
{
	buf_str(out, str_from(promql_aggregator_text(n->aggregator)));
	if (n->without || n->labels.count > 0)
		put_names(out, n->without ? " without " : " by ", &n->labels);
	buf_str(out, n->without || n->labels.count > 0 ? STR(" (") : STR("("));
	if (n->arg_count > 1) {
		put_node(out, n->args[1]);
		buf_str(out, STR(", "));
	}
	put_node(out, n->args[0]);
	buf_char(out, ')');
}

static void
put_node(struct buf *out, const struct promql_node *n)
{
	switch (n->kind) {
	case NODE_NUMBER: put_number(out, n->number); return;
	case NODE_STRING: put_quoted(out, n->text); return;
	case NODE_SELECTOR: put_selector(out, n); return;
	case NODE_SUBQUERY:
		put_node(out, n->args[0]);
		put_modifiers(out, n);
		return;
	case NODE_CALL:
		buf_str(out, str_from(n->fn->name));
		put_list(out, n);
		return;
	case NODE_AGGREGATE: put_aggregate(out, n); return;
	case NODE_BINARY: put_binary(out, n); return;
	case NODE_UNARY:
		buf_str(out, STR("(-"));
		put_node(out, n->args[0]);
		buf_char(out, ')');
		return;
	}
}

void
promql_print(struct buf *out, const struct promql_query *q)
{
	put_node(out, q->root);
}
