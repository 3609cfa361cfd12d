/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/json_read.h - validating pull reader for JSON (RFC 8259), zero-copy, strict.
 *
 * Accepts exactly RFC 8259 in UTF-8: no comments, no trailing commas, no lone surrogates in
 * \u escapes, no control characters in strings, nothing behind the value. Depth is bounded by
 * LIMIT_MESSAGE_DEPTH without recursion. Error is sticky; `error_at` is the byte offset.
 *
 *     jsonr_begin(&r, text);
 *     while ((tok = jsonr_next(&r)) ...) switch (tok) { ... }
 *
 * A string token's raw text (between the quotes) points into the input; jsonr_string() gives the
 * decoded text, copying into the arena only when there is an escape. Commas, colons and nesting
 * are checked by the reader: the caller sees KEY only inside objects. A NUMBER is checked for its
 * grammar only: whether it fits a type is for the caller to say. Duplicate keys are passed on.
 */
#ifndef WIRE_JSON_READ_H
#define WIRE_JSON_READ_H

#include "base/arena.h"
#include "base/limits.h"

enum json_token {
	JSON_ERROR, /* see error, error_at */
	JSON_END, /* after the one top-level value */
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_KEY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

struct json_reader {
	const char *start, *at, *end;
	const char *error;
	size_t error_at;
	struct str raw; /* of the last KEY, STRING (inside the quotes) or NUMBER */
	bool escaped; /* the last KEY or STRING has a backslash */
	uint32_t depth;
	unsigned char state; /* what may come next; private */
	uint64_t
	    object_bits[(LIMIT_MESSAGE_DEPTH + 63) / 64]; /* private: object or array, per level */
};

void jsonr_begin(struct json_reader *r, struct str text);
enum json_token jsonr_next(struct json_reader *r);
/* Skip the value that `first` began (nothing more, when it is a scalar). False on an error. */
bool jsonr_skip(struct json_reader *r, enum json_token first);
/* Decoded text of the last KEY or STRING. ptr NULL when the arena is spent. */
struct str jsonr_string(struct json_reader *r, struct arena *arena);

#endif
