/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shortest text of a double.
 *
 * A decimal of up to 15 significant digits survives the way through a normal double, so at most
 * one of them reads back as v, and it is found by rounding v to 15 digits. Numbers that people
 * write (12.5, 0.001) are found without the C library: n / 10^k rounds correctly when both are
 * exact, so n / 10^k == v proves that the decimal n * 10^-k reads back as v.
 *
 * Otherwise 17 digits always do, and 16 do when some decimal of 16 digits lies in the interval that
 * rounds to v. That interval is symmetric, and then the nearest decimal is the one to try, except
 * at a power of two, below which doubles lie twice as close: there the next one up may lie in it
 * when the nearest does not. Subnormals have fewer digits, and are tried from one digit on.
 */
#include "base/number.h"

#include "base/check.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_SAFE = 15, DIGITS_MAX = 17 };

static const double pow10_exact[] = {1e0, 1e3, 1e6, 1e9};

/* n / 10^places, without trailing zeros but with one digit behind the point. */
static size_t
put_fixed(bool negative, uint64_t n, unsigned places, char *out)
{
	while (places > 1 && n % 10 == 0) {
		n /= 10;
		places--;
	}
	if (places == 0) {
		n *= 10;
		places = 1;
	}
	char text[24];
	size_t at = sizeof(text);
	for (unsigned i = 0; n > 0 || i <= places; i++, n /= 10) {
		if (i == places)
			text[--at] = '.';
		text[--at] = (char)('0' + n % 10);
	}
	size_t len = 0;
	if (negative)
		out[len++] = '-';
	memcpy(out + len, text + at, sizeof(text) - at);
	return len + sizeof(text) - at;
}

static size_t
try_fixed(double v, char *out)
{
	double a = fabs(v);
	if (a >= 1e15 || (a > 0 && a < 1e-4))
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(pow10_exact); i++) {
		double scaled = a * pow10_exact[i];
		if (scaled >= 1e15)
			return 0;
		uint64_t n = (uint64_t)(scaled + 0.5);
		if ((double)n / pow10_exact[i] == a)
			return put_fixed(signbit(v), n, 3 * i, out);
	}
	return 0;
}

/* "1.5e-07" as the C library writes it, with whatever stands for the point made a '.', and with
 * ".0" when nothing says that it is no integer. */
static size_t
tidy(const char *text, char *out)
{
	size_t len = 0;
	bool fraction = false;
	for (const char *p = text; *p; p++) {
		bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
		if (plain)
			out[len++] = *p;
		else if (out[len - 1] != '.')
			out[len++] = '.';
		fraction = fraction || !plain || *p == 'e';
	}
	if (!fraction) {
		out[len++] = '.';
		out[len++] = '0';
	}
	return len;
}

static bool
reads_back(const char *text, double v)
{
	return strtod(text, NULL) == v;
}

/* The decimal of 16 digits above the nearest one, for a power of two. When its last digit would be
 * 0 it has but 15, and was tried. */
static bool
try_next_up(double v, char text[NUMBER_DOUBLE_BYTES])
{
	int exponent;
	if (fabs(frexp(v, &exponent)) != 0.5)
		return false;
	snprintf(text, NUMBER_DOUBLE_BYTES, "%.*e", DIGITS_SAFE, v);
	char *last = strchr(text, 'e') - 1;
	if (*last == '9')
		return false;
	++*last;
	return reads_back(text, v);
}

size_t
number_double_text(double v, char out[NUMBER_DOUBLE_BYTES])
{
	if (isnan(v) || isinf(v)) {
		const char *name = isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
		memcpy(out, name, strlen(name));
		return strlen(name);
	}
	size_t len = try_fixed(v, out);
	if (len > 0)
		return len;
	char text[NUMBER_DOUBLE_BYTES];
	for (int digits = fabs(v) < DBL_MIN ? 1 : DIGITS_SAFE; digits <= DIGITS_MAX; digits++) {
		int n = snprintf(text, sizeof(text), "%.*g", digits, v);
		CHECK(n > 0 && n < NUMBER_DOUBLE_BYTES - 2);
		if (reads_back(text, v))
			break;
		if (digits == DIGITS_SAFE + 1 && try_next_up(v, text))
			break;
	}
	return tidy(text, out);
}
