/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition on an attribute as text:
 *
 *     [of] key = value      key != value     equal as text, and not
 *     [of] key > 1.5        >= < <=          as numbers
 *     [of] key ~ regex      key !~ regex     has a match anywhere (base/regex.h), and not
 *     [of] key              ! [of] key       there is such an attribute, and there is none
 *
 * without blanks. `of` is item:, resource: or scope:, in small letters; without it the item's attribute counts, or else
 * its resource's. The key ends at the first of = < > ~ and at a '!' before = or ~. One in double quotes ends at the next
 * double quote, and is taken as it is: so it may have all of these in it.
 */
#include "ops/ops_priv.h"

#include "base/regex.h"

enum { DECIMAL_BYTES_MAX = 256 };

/* A number as JSON writes it: what the values of attributes are compared with. */
static bool
is_decimal(struct str s)
{
	size_t i = s.len > 0 && s.ptr[0] == '-', start = i, digits = 0;
	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
		digits++;
	if (digits == 0 || (digits > 1 && s.ptr[start] == '0'))
		return false;
	if (i < s.len && s.ptr[i] == '.')
		for (i++, digits = 0; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
			digits++;
	if (digits == 0 || i == s.len)
		return digits > 0;
	if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
		return false;
	i++;
	if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
		i++;
	for (digits = 0; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
		digits++;
	return digits > 0 && i == s.len;
}

static bool
take(struct str *s, struct str head)
{
	if (!str_starts(*s, head))
		return false;
	*s = str_skip(*s, head.len);
	return true;
}

static enum store_attr_of
take_of(struct str *s)
{
	if (take(s, STR("item:")))
		return STORE_ATTR_OF_ITEM;
	if (take(s, STR("resource:")))
		return STORE_ATTR_OF_RESOURCE;
	return take(s, STR("scope:")) ? STORE_ATTR_OF_SCOPE : STORE_ATTR_OF_ANY;
}

static bool
is_operator(struct str s)
{
	return memchr("=<>~", s.ptr[0], 4) ||
	    (s.ptr[0] == '!' && s.len > 1 && (s.ptr[1] == '=' || s.ptr[1] == '~'));
}

/* False: a quote is not closed. */
static bool
take_key(struct str *s, struct str *key)
{
	size_t n = 0;
	if (take(s, STR("\""))) {
		n = str_find(*s, '"');
		*key = str_of(s->ptr, n);
		bool closed = n < s->len;
		*s = str_skip(*s, n + 1);
		return closed;
	}
	while (n < s->len && !is_operator(str_skip(*s, n)))
		n++;
	*key = str_of(s->ptr, n);
	*s = str_skip(*s, n);
	return true;
}

static const struct {
	struct str text;
	enum store_attr_op op;
	bool negated;
} operators[] = {
                  /* the longer ones first */
    {STR_INIT("!="), STORE_ATTR_EQ, true},
    {STR_INIT("!~"), STORE_ATTR_MATCH, true},
    {STR_INIT(">="), STORE_ATTR_GE, false},
    {STR_INIT("<="), STORE_ATTR_LE, false},
    {STR_INIT("="), STORE_ATTR_EQ, false},
    {STR_INIT("~"), STORE_ATTR_MATCH, false},
    {STR_INIT(">"), STORE_ATTR_GT, false},
    {STR_INIT("<"), STORE_ATTR_LT, false},
};

static enum err_code
check_value(struct str all, const struct store_attr *a, struct err *err)
{
	switch (a->op) {
	case STORE_ATTR_EQ:
	case STORE_ATTR_HAS: return ERR_OK;
	case STORE_ATTR_MATCH: return regex_compile(a->value, NULL, err);
	case STORE_ATTR_GE:
	case STORE_ATTR_GT:
	case STORE_ATTR_LE:
	case STORE_ATTR_LT: break;
	}
	if (a->value.len <= DECIMAL_BYTES_MAX && is_decimal(a->value))
		return ERR_OK;
	return ops_refuse(all, err, "<, <=, > and >= compare with a number, like 1.5");
}

enum err_code
ops_parse_attr(struct str value, struct store_attr *out, struct err *err)
{
	struct str rest = value;
	*out = (struct store_attr){.op = STORE_ATTR_HAS};
	bool absent = take(&rest, STR("!"));
	out->of = take_of(&rest);
	bool quoted = str_starts(rest, STR("\""));
	if (!take_key(&rest, &out->key))
		return ops_refuse(value, err, "the quote that begins the key is not closed");
	if (out->key.len == 0)
		return ops_refuse(value, err, "no key before the condition");
	if (rest.len == 0 && !quoted && str_starts(out->key, STR("!")))
		return ops_refuse(value, err, "a key that begins with ! stands in double quotes");
	out->negated = absent;
	if (rest.len == 0)
		return ERR_OK;
	if (absent)
		return ops_refuse(value, err,
		    "a ! before the key means that there is no such attribute, and no value follows");
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (!take(&rest, operators[i].text))
			continue;
		out->op = operators[i].op;
		out->negated = operators[i].negated;
		out->value = rest;
		return check_value(value, out, err);
	}
	return ops_refuse(value, err, "behind a key in quotes stands = != > >= < <= ~ or !~");
}
