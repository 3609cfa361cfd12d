/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/body.h - parameters in the body of a POST: the members of a JSON object.
 *
 * A string, a number as it is written, true and false are a value; an array of these is the parameter given that often; null
 * is as if it were not there. No body at all has none. Names are not looked at: what an operation knows it says itself.
 */
#ifndef REST_BODY_H
#define REST_BODY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct op_value;

enum { REST_BODY_VALUES_MAX = 1024 };

/* Names and values are in the arena or the text. ERR_INVALID: it is not such an object; ERR_TOO_LARGE: it has more
 * values than that, or the arena is spent. */
MUST_CHECK enum err_code rest_parse_body(struct str text, struct arena *arena,
    struct op_value **values_out, size_t *count_out, struct err *err);

#endif
