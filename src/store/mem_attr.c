/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute filters the plainest way: the text of each value is made, then compared; numbers digit
 * by digit, as the decimals they are written as. Maps are typed JSON (model/typed.h).
 */
#include "store/mem.h"

#include "base/fold.h"
#include "base/regex.h"

#include <stdlib.h>

static size_t
put_utf8(uint32_t cp, char out[4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
	out[0] = (char)(lead[more] | cp >> (6 * more));
	for (size_t i = 1; i <= more; i++)
		out[i] = (char)(0x80 | (cp >> (6 * (more - i)) & 0x3F));
	return more + 1;
}

static uint32_t
unit_at(struct str s, size_t at)
{
	char digits[5] = {0};
	memcpy(digits, s.ptr + at, s.len - at < 4 ? s.len - at : 4);
	return (uint32_t)strtoul(digits, NULL, 16);
}

/* A JSON string that begins at s.ptr[*at], a quote: its content to out, *at behind it. */
static void
read_string(struct str s, size_t *at, struct buf *out)
{
	for (++*at; *at < s.len && s.ptr[*at] != '"'; ++*at) {
		if (s.ptr[*at] != '\\') {
			buf_char(out, s.ptr[*at]);
			continue;
		}
		char utf8[4];
		uint32_t cp;
		if (++*at == s.len)
			return;
		switch (s.ptr[*at]) {
		case 'b': buf_char(out, '\b'); break;
		case 'f': buf_char(out, '\f'); break;
		case 'n': buf_char(out, '\n'); break;
		case 'r': buf_char(out, '\r'); break;
		case 't': buf_char(out, '\t'); break;
		case 'u':
			cp = unit_at(s, *at + 1);
			*at += 4;
			if (cp >= 0xD800 && cp < 0xE000) {
				cp = 0x10000 + (cp - 0xD800) * 0x400 +
				    (unit_at(s, *at + 3) - 0xDC00);
				*at += 6;
			}
			buf_append(out, utf8, put_utf8(cp, utf8));
			break;
		default: buf_char(out, s.ptr[*at]);
		}
	}
	++*at;
}

/* The end of the value that begins at `at`: where a ',' or '}' outside of it stands. */
static size_t
value_end(struct str s, size_t at)
{
	struct buf ignored = {0};
	for (int depth = 0; at < s.len;) {
		char c = s.ptr[at];
		if (depth == 0 && (c == ',' || c == '}'))
			break;
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
		if (c == '"')
			read_string(s, &at, &ignored);
		else
			at++;
	}
	buf_fini(&ignored);
	return at;
}

static void
put_value(struct str text, struct buf *out)
{
	size_t at = 0;
	struct str special = STR("{\"$double\":"), bytes = STR("{\"$bytes\":");
	if (text.len > 0 && text.ptr[0] == '"') {
		read_string(text, &at, out);
	} else if (str_starts(text, special) || str_starts(text, bytes)) {
		text = str_skip(text, str_find(text, ':') + 1);
		read_string(text, &at, out);
	} else {
		buf_str(out, text);
	}
}

/* The first value of a key, as it stands in the map. */
static bool
find_value(struct str attributes, struct str key, struct str *value_out)
{
	struct buf name = {0};
	bool found = false;
	*value_out = STR_EMPTY;
	for (size_t at = 1; at < attributes.len && !found;) {
		buf_reset(&name);
		read_string(attributes, &at, &name);
		size_t end = value_end(attributes, at + 1);
		struct str stored = buf_view(&name);
		bool escaped = stored.len > 0 && stored.ptr[0] == '$';
		found = str_eq(escaped ? str_skip(stored, 1) : stored, key);
		if (found && at < attributes.len)
			*value_out = str_of(attributes.ptr + at + 1, end - at - 1);
		at = end + 1;
	}
	buf_fini(&name);
	return found;
}

bool
store_mem_attr_text(struct str attributes, struct str key, struct buf *out)
{
	struct str value;
	if (!find_value(attributes, key, &value))
		return false;
	put_value(value, out);
	return true;
}

/* ---- numbers: 0.d1d2d3... * 10^exponent, d1 not 0; zero has no digits */

struct decimal {
	bool negative;
	struct buf digits; /* without zeros at either end */
	int64_t exponent;
};

static size_t
take_digits(struct str s, size_t *at, struct buf *out)
{
	size_t from = *at;
	while (*at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9')
		buf_char(out, s.ptr[(*at)++]);
	return *at - from;
}

/* Beyond any length a text can have it makes no difference how large an exponent is. */
#define EXPONENT_MAX (INT64_MAX / 8)

static bool
take_exponent(struct str s, size_t *at, int64_t *out)
{
	struct buf digits = {0};
	bool negative = *at < s.len && s.ptr[*at] == '-';
	if (*at < s.len && (s.ptr[*at] == '-' || s.ptr[*at] == '+'))
		++*at;
	bool good = take_digits(s, at, &digits) > 0;
	int64_t e = 0;
	for (size_t i = 0; i < digits.len && e < EXPONENT_MAX / 10; i++)
		e = e * 10 + (digits.ptr[i] - '0');
	buf_fini(&digits);
	*out += negative ? -e : e;
	return good;
}

static void
trim_zeros(struct decimal *d)
{
	size_t zeros = 0;
	while (zeros < d->digits.len && d->digits.ptr[zeros] == '0')
		zeros++;
	d->exponent -= (int64_t)zeros;
	d->digits.len -= zeros;
	if (d->digits.len > 0)
		memmove(d->digits.ptr, d->digits.ptr + zeros, d->digits.len);
	while (d->digits.len > 0 && d->digits.ptr[d->digits.len - 1] == '0')
		d->digits.len--;
}

/* A number as JSON writes it, and nothing else. */
static bool
read_decimal(struct str s, struct decimal *d)
{
	size_t at = 0;
	*d = (struct decimal){0};
	if (s.len > 0 && s.ptr[0] == '-')
		d->negative = at++ == 0;
	bool leading_zero = at < s.len && s.ptr[at] == '0';
	size_t whole = take_digits(s, &at, &d->digits);
	d->exponent = (int64_t)whole;
	bool good = whole > 0 && (!leading_zero || whole == 1);
	if (good && at < s.len && s.ptr[at] == '.') {
		at++;
		good = take_digits(s, &at, &d->digits) > 0;
	}
	if (good && at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
		at++;
		good = take_exponent(s, &at, &d->exponent);
	}
	trim_zeros(d);
	return good && at == s.len;
}

static int
compare_magnitudes(const struct decimal *a, const struct decimal *b)
{
	if (a->digits.len == 0 || b->digits.len == 0)
		return (a->digits.len > 0) - (b->digits.len > 0);
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -1 : 1;
	return str_cmp(buf_view(&a->digits), buf_view(&b->digits));
}

static int
compare_decimals(const struct decimal *a, const struct decimal *b)
{
	if (a->digits.len == 0 && b->digits.len == 0)
		return 0; /* -0.0 too */
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	return a->negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
}

static bool
in_order(enum store_attr_op op, int order)
{
	switch (op) {
	case STORE_ATTR_EQ: return order == 0;
	case STORE_ATTR_GE: return order >= 0;
	case STORE_ATTR_GT: return order > 0;
	case STORE_ATTR_LE: return order <= 0;
	case STORE_ATTR_LT: return order < 0;
	case STORE_ATTR_MATCH:
	case STORE_ATTR_HAS: break;
	}
	return false;
}

static bool
compares(struct str stored, const struct store_attr *a)
{
	struct decimal have, want;
	bool numbers = read_decimal(stored, &have);
	numbers = read_decimal(a->value, &want) && numbers;
	bool matches = numbers && in_order(a->op, compare_decimals(&have, &want));
	buf_fini(&have.digits);
	buf_fini(&want.digits);
	return matches;
}

static bool
text_equals(struct str stored, const struct store_attr *a)
{
	struct buf text = {0};
	put_value(stored, &text);
	bool equal = str_eq(buf_view(&text), a->value);
	buf_fini(&text);
	return equal;
}

static bool
text_matches(struct str stored, const struct store_attr *a)
{
	struct buf text = {0};
	struct regex *own = NULL;
	struct err err;
	if (!a->regex) {
		enum err_code code = regex_compile(a->value, &own, &err);
		CHECK(code == ERR_OK);
	}
	put_value(stored, &text);
	bool matches = regex_matches(own ? own : a->regex, buf_view(&text));
	regex_free(own);
	buf_fini(&text);
	return matches;
}

static bool
value_matches(struct str stored, const struct store_attr *a)
{
	switch (a->op) {
	case STORE_ATTR_EQ: return text_equals(stored, a);
	case STORE_ATTR_GE:
	case STORE_ATTR_GT:
	case STORE_ATTR_LE:
	case STORE_ATTR_LT: return compares(stored, a);
	case STORE_ATTR_MATCH: return text_matches(stored, a);
	case STORE_ATTR_HAS: return true;
	}
	return false;
}

bool
store_mem_attr_test(struct str attributes, const struct store_attr *a, bool *matches_out)
{
	struct str stored;
	*matches_out = false;
	if (attributes.len <= 2 || !find_value(attributes, a->key, &stored))
		return false;
	*matches_out = value_matches(stored, a);
	return true;
}

/* ---- words */

static bool
text_has(struct str text, struct str word)
{
	struct buf folded = {0};
	bool found = false;
	buf_append(&folded, text.ptr, text.len);
	buf_append(&folded, word.ptr, word.len);
	fold_text(text, folded.ptr);
	fold_text(word, folded.ptr + text.len);
	for (size_t i = 0; i + word.len <= text.len && !found; i++)
		found = memcmp(folded.ptr + i, folded.ptr + text.len, word.len) == 0;
	buf_fini(&folded);
	return found;
}

/* A string of the JSON is a key when ':' stands behind it; what stands behind "$bytes" and "$double" is no text. */
static bool
json_has(struct str json, struct str word)
{
	struct buf text = {0};
	bool found = false, wrapped = false;
	for (size_t at = 0; at < json.len && !found;) {
		if (json.ptr[at] != '"') {
			at++;
			continue;
		}
		buf_reset(&text);
		read_string(json, &at, &text);
		struct str s = buf_view(&text);
		bool is_key = at < json.len && json.ptr[at] == ':';
		found = !is_key && !wrapped && text_has(s, word);
		wrapped = is_key && (str_eq(s, STR("$bytes")) || str_eq(s, STR("$double")));
	}
	buf_fini(&text);
	return found;
}

static bool
item_has(const struct table *t, size_t row, struct str word)
{
	if (t->def == &table_defs[TABLE_SPANS])
		return text_has(table_str(t, row, SPAN_NAME), word) ||
		    text_has(table_str(t, row, SPAN_STATUS_MESSAGE), word) ||
		    json_has(table_str(t, row, SPAN_ATTRIBUTES), word) ||
		    json_has(table_str(t, row, SPAN_EVENTS), word);
	return text_has(table_str(t, row, LOG_BODY), word) ||
	    text_has(table_str(t, row, LOG_EVENT_NAME), word) ||
	    json_has(table_str(t, row, LOG_ATTRIBUTES), word);
}

bool
store_mem_has_words(const struct store_query *q, const struct table *t, size_t row)
{
	for (size_t i = 0; i < q->word_count; i++)
		if (!item_has(t, row, q->words[i]))
			return false;
	return true;
}
