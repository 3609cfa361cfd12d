/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire/json_write.h - streaming JSON writer onto a struct buf; puts the commas itself.
 *
 * Errors are the buffer's (sticky). Strings must be UTF-8; bytes that are not are written as
 * U+FFFD, so that the output is always valid JSON. The characters <, >, & and U+2028/9 are
 * escaped, so that a value never ends a script element; so are all control characters, U+007F to
 * U+009F too, so that a value never commands the terminal it is shown on.
 */
#ifndef WIRE_JSON_WRITE_H
#define WIRE_JSON_WRITE_H

#include "base/buf.h"

struct json_writer {
	struct buf *out;
	bool comma; /* a value stands before the next one on this level */
};

void json_writer_init(struct json_writer *w, struct buf *out);
void jsonw_object(struct json_writer *w);
void jsonw_object_end(struct json_writer *w);
void jsonw_array(struct json_writer *w);
void jsonw_array_end(struct json_writer *w);
void jsonw_key(struct json_writer *w, const char *key); /* key is ours: not escaped */
void jsonw_key_str(struct json_writer *w, struct str key); /* escaped */
void jsonw_str(struct json_writer *w, struct str s);
void jsonw_i64(struct json_writer *w,
    int64_t v); /* a string beyond 2^53 - 1, as JavaScript needs */
void jsonw_u64(struct json_writer *w, uint64_t v); /* likewise */
void jsonw_u64_string(struct json_writer *w, uint64_t v); /* always a string: nanoseconds */
void jsonw_f64(struct json_writer *w, double v); /* shortest; NaN and infinities as strings */
void jsonw_bool(struct json_writer *w, bool v);
void jsonw_null(struct json_writer *w);
void jsonw_raw(struct json_writer *w, struct str json); /* already JSON */

/* The fewest digits that read back to the same double; always has '.', 'e' or is "NaN",
 * "Infinity", "-Infinity". Any locale. Writes at most 32 bytes, no NUL, returns the length. */
size_t json_double_text(double v, char out[32]);

#endif
