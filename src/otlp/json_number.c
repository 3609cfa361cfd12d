/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/json_number.h"

#include "base/arena.h"
#include "wire/json_read.h"

#include <math.h>
#include <stdlib.h>

enum {
	U64_DIGITS = 20,
	EXPONENT_MAX = 1000000000, /* far more than a body has digits */
	SHORT_TEXT = 63, /* what str_to_f64() takes */
};

static bool
is_number(struct str text)
{
	struct json_reader r;
	jsonr_begin(&r, text);
	return jsonr_next(&r) == JSON_NUMBER && r.raw.len == text.len;
}

/* A number taken apart: the digits of its two parts, and where the point is moved to. */
struct decimal {
	bool negative;
	struct str whole, fraction;
	int64_t exponent;
};

static struct str
take_digits(struct str *rest)
{
	struct str digits = *rest;
	digits.len = 0;
	while (digits.len < rest->len && rest->ptr[digits.len] >= '0' &&
	    rest->ptr[digits.len] <= '9')
		digits.len++;
	*rest = str_skip(*rest, digits.len);
	return digits;
}

static bool
take(struct str *rest, char c)
{
	bool there = rest->len > 0 && rest->ptr[0] == c;
	if (there)
		*rest = str_skip(*rest, 1);
	return there;
}

/* Of a text that is_number(). */
static struct decimal
take_apart(struct str text)
{
	struct decimal d = {0};
	d.negative = take(&text, '-');
	d.whole = take_digits(&text);
	if (take(&text, '.'))
		d.fraction = take_digits(&text);
	if (take(&text, 'e') || take(&text, 'E')) {
		bool negative = take(&text, '-');
		(void)(negative || take(&text, '+'));
		for (; text.len > 0; text = str_skip(text, 1))
			if (d.exponent < EXPONENT_MAX)
				d.exponent = d.exponent * 10 + (text.ptr[0] - '0');
		d.exponent = negative ? -d.exponent : d.exponent;
	}
	return d;
}

static unsigned
digit_at(const struct decimal *d, size_t i)
{
	char c = i < d->whole.len ? d->whole.ptr[i] : d->fraction.ptr[i - d->whole.len];
	return (unsigned)(c - '0');
}

/* The digits, without the zeros at both ends, are those of the integer, followed by as many zeros
 * as the exponent still asks for; a negative rest means that it is none. */
static enum number_result
to_integer(const struct decimal *d, uint64_t *out)
{
	size_t first = 0, end = d->whole.len + d->fraction.len;
	while (first < end && digit_at(d, first) == 0)
		first++;
	while (end > first && digit_at(d, end - 1) == 0)
		end--;
	*out = 0;
	if (first == end)
		return NUMBER_OK;
	int64_t zeros = d->exponent + (int64_t)d->whole.len - (int64_t)end;
	if (zeros < 0)
		return NUMBER_NOT_INTEGER;
	if (end - first > U64_DIGITS || zeros > U64_DIGITS)
		return NUMBER_OUT_OF_RANGE;
	for (size_t i = first; i < end + (size_t)zeros; i++) {
		uint64_t digit = i < end ? digit_at(d, i) : 0;
		if (__builtin_mul_overflow(*out, 10u, out) ||
		    __builtin_add_overflow(*out, digit, out))
			return NUMBER_OUT_OF_RANGE;
	}
	return NUMBER_OK;
}

enum number_result
json_number_u64(struct str text, uint64_t max, uint64_t *out)
{
	if (!str_to_u64(text, out)) {
		if (!is_number(text))
			return NUMBER_MALFORMED;
		struct decimal d = take_apart(text);
		enum number_result result = to_integer(&d, out);
		if (result != NUMBER_OK)
			return result;
		if (d.negative && *out > 0)
			return NUMBER_OUT_OF_RANGE;
	}
	return *out <= max ? NUMBER_OK : NUMBER_OUT_OF_RANGE;
}

enum number_result
json_number_i64(struct str text, int64_t min, int64_t max, int64_t *out)
{
	if (!str_to_i64(text, out)) {
		uint64_t magnitude;
		if (!is_number(text))
			return NUMBER_MALFORMED;
		struct decimal d = take_apart(text);
		enum number_result result = to_integer(&d, &magnitude);
		if (result != NUMBER_OK)
			return result;
		if (magnitude > (uint64_t)INT64_MAX + (d.negative ? 1u : 0u))
			return NUMBER_OUT_OF_RANGE;
		*out = d.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	}
	return *out >= min && *out <= max ? NUMBER_OK : NUMBER_OUT_OF_RANGE;
}

enum number_result
json_number_f64(struct str text, double *out)
{
	/* The grammar first: strtod() also reads hexadecimal, "inf" and "nan". */
	if (!is_number(text))
		return NUMBER_MALFORMED;
	if (text.len <= SHORT_TEXT) {
		bool read = str_to_f64(text, out);
		CHECK(read);
	} else {
		struct arena arena = {0};
		*out = strtod(arena_str(&arena, text).ptr, NULL);
		arena_fini(&arena);
	}
	return isfinite(*out) ? NUMBER_OK : NUMBER_OUT_OF_RANGE;
}
