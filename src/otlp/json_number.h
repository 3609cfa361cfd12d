/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/json_number.h - the text of a JSON number to a value. Private to otlp/json.c and its tests.
 *
 * Text is what RFC 8259 section 6 calls a number, from a number token or from inside a string:
 * anything else is NUMBER_MALFORMED (but leading zeros of an integer are let pass). An integer may be spelled with a point or an exponent (1.0,
 * 12e3, 1.5e1), as protobuf's JSON mapping allows, and is computed exactly.
 */
#ifndef OTLP_JSON_NUMBER_H
#define OTLP_JSON_NUMBER_H

#include "base/str.h"

enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_NOT_INTEGER, NUMBER_OUT_OF_RANGE };

enum number_result json_number_u64(struct str text, uint64_t max, uint64_t *out);
enum number_result json_number_i64(struct str text, int64_t min, int64_t max, int64_t *out);
/* Nearest double; what rounds to infinity is out of range. Takes memory for long texts only. */
enum number_result json_number_f64(struct str text, double *out);

#endif
