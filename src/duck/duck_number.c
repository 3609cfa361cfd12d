/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_number.h"

#include "base/number.h"

#include <math.h>
#include <stdlib.h>

struct digits {
	struct str whole, fraction; /* around the point */
	int64_t exponent; /* within +-EXPONENT_MAX */
	bool negative;
};

enum { EXPONENT_MAX = 100000 };

static struct str
take_digits(struct str *s)
{
	struct str all = *s;
	while (s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9')
		*s = str_skip(*s, 1);
	return str_of(all.ptr, all.len - s->len);
}

static bool
take_any(struct str *s, char a, char b)
{
	if (s->len == 0 || (s->ptr[0] != a && s->ptr[0] != b))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool
take_exponent(struct str *s, int64_t *out)
{
	bool negative = s->len > 0 && s->ptr[0] == '-';
	(void)take_any(s, '-', '+');
	struct str digits = take_digits(s);
	*out = 0;
	for (size_t i = 0; i < digits.len && *out < EXPONENT_MAX; i++)
		*out = *out * 10 + (digits.ptr[i] - '0');
	if (*out > EXPONENT_MAX)
		*out = EXPONENT_MAX;
	if (negative)
		*out = -*out;
	return digits.len > 0;
}

/* As JSON writes numbers. */
static bool
take_apart(struct str s, struct digits *out)
{
	*out = (struct digits){.negative = take_any(&s, '-', '-')};
	out->whole = take_digits(&s);
	if (out->whole.len == 0 || (out->whole.len > 1 && out->whole.ptr[0] == '0'))
		return false;
	if (take_any(&s, '.', '.')) {
		out->fraction = take_digits(&s);
		if (out->fraction.len == 0)
			return false;
	}
	if (take_any(&s, 'e', 'E') && !take_exponent(&s, &out->exponent))
		return false;
	return s.len == 0;
}

static unsigned
digit_at(const struct digits *d, size_t i)
{
	if (i >= d->whole.len + d->fraction.len)
		return 0;
	char c = i < d->whole.len ? d->whole.ptr[i] : d->fraction.ptr[i - d->whole.len];
	return (unsigned)(c - '0');
}

/* The magnitude's whole part, and whether there is more. */
static void
split_whole(const struct digits *d, struct duck_decimal *out)
{
	int64_t point = (int64_t)d->whole.len + d->exponent;
	size_t count = d->whole.len + d->fraction.len;
	out->whole = 0;
	out->fraction = false;
	for (size_t i = 0; i < count || (out->whole > 0 && (int64_t)i < point); i++) {
		unsigned digit = digit_at(d, i);
		if ((int64_t)i >= point) {
			out->fraction = out->fraction || digit > 0;
			continue;
		}
		if (__builtin_mul_overflow(out->whole, 10u, &out->whole) ||
		    __builtin_add_overflow(out->whole, digit, &out->whole)) {
			out->whole = UINT64_MAX; /* beyond every int: more digits say nothing */
			return;
		}
	}
}

/* Of what is not zero: 0.ddd x 10^scale, the first d at place *first. False: it is zero. */
static bool
scale_of(const struct digits *d, size_t *first, int64_t *scale)
{
	size_t count = d->whole.len + d->fraction.len;
	for (*first = 0; *first < count && digit_at(d, *first) == 0;)
		++*first;
	*scale = (int64_t)d->whole.len + d->exponent - (int64_t)*first;
	return *first < count;
}

static int
compare_magnitudes(const struct digits *a, const struct digits *b)
{
	size_t i, k;
	int64_t a_scale, b_scale;
	bool a_set = scale_of(a, &i, &a_scale), b_set = scale_of(b, &k, &b_scale);
	if (!a_set || !b_set)
		return a_set - b_set;
	if (a_scale != b_scale)
		return a_scale < b_scale ? -1 : 1;
	size_t a_count = a->whole.len + a->fraction.len, b_count = b->whole.len + b->fraction.len;
	for (; i < a_count || k < b_count; i++, k++)
		if (digit_at(a, i) != digit_at(b, k))
			return digit_at(a, i) < digit_at(b, k) ? -1 : 1;
	return 0;
}

/* The decimal of its nearest double beside it. */
static int
order_of_f64(double f64, const struct digits *d)
{
	char text[NUMBER_DOUBLE_BYTES];
	struct digits nearest;
	if (!isfinite(f64))
		return f64 < 0 ? -1 : 1;
	bool number = take_apart(str_of(text, number_double_text(f64, text)), &nearest);
	CHECK(number);
	int order = compare_magnitudes(&nearest, d);
	return d->negative ? -order : order;
}

bool
duck_decimal_parse(struct str text, struct duck_decimal *out)
{
	struct digits d;
	char copy[DUCK_DECIMAL_BYTES_MAX + 1];
	*out = (struct duck_decimal){0};
	if (text.len > DUCK_DECIMAL_BYTES_MAX || !take_apart(text, &d))
		return false;
	out->negative = d.negative;
	split_whole(&d, out);
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	out->f64 = strtod(copy, NULL);
	out->f64_order = order_of_f64(out->f64, &d);
	return true;
}

enum duck_order
duck_number_cmp_i64(int64_t v, const struct duck_decimal *d)
{
	bool negative = d->negative && (d->whole > 0 || d->fraction);
	uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	enum duck_order farther = v < 0 ? DUCK_LESS : DUCK_GREATER; /* from 0 than d */
	enum duck_order nearer = v < 0 ? DUCK_GREATER : DUCK_LESS;
	if ((v < 0) != negative)
		return v < 0 ? DUCK_LESS : DUCK_GREATER;
	if (magnitude != d->whole)
		return magnitude > d->whole ? farther : nearer;
	return d->fraction ? nearer : DUCK_EQUAL;
}

enum duck_order
duck_number_cmp_f64(double v, const struct duck_decimal *d)
{
	if (!isfinite(v))
		return DUCK_NO_NUMBER;
	if (v != d->f64)
		return v < d->f64 ? DUCK_LESS : DUCK_GREATER;
	return d->f64_order < 0 ? DUCK_LESS : d->f64_order > 0 ? DUCK_GREATER : DUCK_EQUAL;
}

enum duck_order
duck_number_cmp(struct str value, const struct duck_decimal *d)
{
	int64_t i64;
	struct duck_decimal number;
	if (value.len == 0)
		return DUCK_NO_NUMBER;
	if (str_to_i64(value, &i64))
		return duck_number_cmp_i64(i64, d);
	if (!duck_decimal_parse(value, &number))
		return DUCK_NO_NUMBER;
	return duck_number_cmp_f64(number.f64, d);
}
