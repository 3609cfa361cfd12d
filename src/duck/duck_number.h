/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_number.h - numbers of attributes compared with a decimal that somebody asks for.
 *
 * Exactly, as decimals: 9007199254740993 > 9007199254740992.5. A double is the decimal that typed JSON
 * writes for it, so that the attribute 0.1 is not above "0.1". In a column of doubles the values
 * below the nearest double of the decimal are below it too, and those above are above; for those that
 * are equal to it the order is that of f64_order. NaN and the infinities are no numbers.
 */
#ifndef DUCK_DUCK_NUMBER_H
#define DUCK_DUCK_NUMBER_H

#include "base/check.h"
#include "base/str.h"

enum { DUCK_DECIMAL_BYTES_MAX = 1024 };

struct duck_decimal {
	double f64; /* nearest; infinite when it is too large */
	int f64_order; /* of its decimal beside this one: -1, 0, 1 */
	uint64_t whole; /* of the magnitude, UINT64_MAX when it is that or more */
	bool negative, fraction; /* fraction: there is more than the whole */
};

enum duck_order { DUCK_LESS = -1, DUCK_EQUAL, DUCK_GREATER, DUCK_NO_NUMBER };

/* A number as JSON writes it; false for all else, and for text beyond the maximum. */
bool duck_decimal_parse(struct str text, struct duck_decimal *out);

/* What the number is, beside the decimal. NaN is DUCK_NO_NUMBER. */
enum duck_order duck_number_cmp_i64(int64_t v, const struct duck_decimal *d);
enum duck_order duck_number_cmp_f64(double v, const struct duck_decimal *d);
/* A value as typed JSON; DUCK_NO_NUMBER for one that is neither int nor double. */
enum duck_order duck_number_cmp(struct str value, const struct duck_decimal *d);

#endif
