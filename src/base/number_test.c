/* SPDX-License-Identifier: Apache-2.0 */
#include "base/number.h"

#include "base/check.h"
#include "base/str.h"
#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	double v;
	const char *text;
} known[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {-7.0, "-7.0"},
    {100.0, "100.0"},
    {12.5, "12.5"},
    {0.1, "0.1"},
    {0.001, "0.001"},
    {0.0001, "0.0001"},
    {0.00001, "1e-05"},
    {2.5e-7, "2.5e-07"},
    {1.0 / 3, "0.3333333333333333"},
    {0.1 + 0.2, "0.30000000000000004"},
    {999999999999999.0, "999999999999999.0"},
    {1e15, "1e+15"},
    {1234567890123456.0, "1234567890123456.0"},
    {9007199254740993e3, "9.007199254740993e+18"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {5e-324, "5e-324"},
    {DBL_MIN, "2.2250738585072014e-308"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {0x1p-44, "5.684341886080802e-14"},
    {INFINITY, "Infinity"},
    {-INFINITY, "-Infinity"},
    {NAN, "NaN"},
    {-NAN, "NaN"},
};

static struct str
text_of(double v, char out[NUMBER_DOUBLE_BYTES + 1])
{
	size_t n = number_double_text(v, out);
	assert_true(n <= NUMBER_DOUBLE_BYTES);
	out[n] = '\0';
	return str_of(out, n);
}

TEST(base, double_text_of_known_numbers)
{
	char text[NUMBER_DOUBLE_BYTES + 1];
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		text_of(known[i].v, text);
		assert_string_equal(text, known[i].text);
	}
}

/* Significant digits of a decimal: without sign, point, exponent and zeros at both ends. */
static int
digits_of(const char *text)
{
	int digits = 0, zeros = 0;
	for (const char *p = text; *p && *p != 'e'; p++) {
		if (*p < '0' || *p > '9')
			continue;
		if (*p == '0') {
			zeros += digits > 0;
			continue;
		}
		digits += zeros + 1;
		zeros = 0;
	}
	return digits;
}

/* Does a decimal of so many digits read back as v? The nearest one and its two neighbours. */
static bool
fits(double v, int digits)
{
	char text[64];
	snprintf(text, sizeof(text), "%.*e", digits - 1, v);
	char *e = strchr(text, 'e');
	assert_non_null(e);
	int exponent = (int)strtol(e + 1, NULL, 10) - (digits - 1);
	*e = '\0';
	char joined[32] = "";
	size_t n = 0;
	for (const char *p = text; *p; p++)
		if (*p >= '0' && *p <= '9')
			joined[n++] = *p;
	unsigned long long mantissa = strtoull(joined, NULL, 10);
	for (int step = -1; step <= 1; step++) {
		snprintf(text, sizeof(text), "%lluE%d",
		    mantissa + (unsigned long long)(long long)step, exponent);
		if (strtod(text, NULL) == fabs(v))
			return true;
	}
	return false;
}

static void
check(double v)
{
	char text[NUMBER_DOUBLE_BYTES + 1];
	text_of(v, text);
	double back = strtod(text, NULL);
	if (back != v || signbit(back) != signbit(v))
		fail_msg("%s does not read back as %a", text, v);
	if (!strpbrk(text, ".e"))
		fail_msg("%s looks like an integer", text);
	int digits = digits_of(text);
	if (digits > 1 && fits(v, digits - 1))
		fail_msg("%s is not the shortest text of %a", text, v);
}

TEST(base, double_text_reads_back_and_is_the_shortest)
{
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		double v;
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(&v, &x, sizeof(v));
		if (isfinite(v))
			check(v);
		check((double)(int64_t)(x >> 20) / 1000.0);
		check((double)(x >> 40) / 64.0);
	}
	for (int e = -1074; e < 1024; e++) {
		check(ldexp(1.0, e));
		check(-nextafter(ldexp(1.0, e), 0));
		check(nextafter(ldexp(1.0, e), INFINITY));
	}
}
