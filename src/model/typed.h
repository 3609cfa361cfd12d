/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/typed.h - typed JSON: OTLP values as JSON text that keeps their types.
 *
 *     string   "text"                     array    [v, ...]
 *     bool     true                       kvlist   {"key": v, ...}   order and repeats kept
 *     int      12    -7                   bytes    {"$bytes":"<base64>"}
 *     double   1.0   2.5e-7   (always     unset    null
 *              with a '.' or an exponent) NaN, +-Inf   {"$double":"NaN"|"Infinity"|"-Infinity"}
 *
 * A key that begins with '$' is written with one more '$', so that no kvlist reads as bytes.
 * Doubles have the shortest text that reads back to the same bits (-0.0 kept).
 * Compact: no blanks. An attribute map is an object; no attributes is SQL NULL, not {}.
 * SQL users read it with attributes->>'http.method'.
 *
 *     events    [{"t":<unix ns>,"name":"..","attributes":{..},"dropped":n}, ...]
 *     links     [{"trace_id":"<32 hex>","span_id":"<16 hex>","trace_state":"..",
 *                 "attributes":{..},"dropped":n,"flags":n}, ...]
 *     exemplars [{"t":<unix ns>,"value":<int or double>,"trace_id":"..","span_id":"..",
 *                 "attributes":{..}}, ...]
 *     entity_refs [{"schema_url":"..","type":"..","id_keys":[..],"description_keys":[..]}, ...]
 * Members that are empty or zero are left out, "t" and "name" of an event are always there.
 *
 * The API's form of the same (typed_write_api): an int beyond 2^53 - 1 in magnitude becomes a
 * string, $double becomes the plain string, the escape of '$' keys is taken off.
 */
#ifndef MODEL_TYPED_H
#define MODEL_TYPED_H

#include "base/buf.h"
#include "base/err.h"

/* Pieces for writers of typed JSON. */
void typed_put_string(struct buf *b, struct str s); /* quoted and escaped */
/* What escaping adds, at most, to each byte, and in all to s. */
#define TYPED_ESCAPE_GROWTH 5
size_t typed_escape_bytes(struct str s);
void typed_put_key(struct buf *b, struct str key); /* "key": with the '$' rule */
void typed_put_double(struct buf *b, double v);
void typed_put_bytes(struct buf *b, struct str bytes); /* {"$bytes":".."} */

/* Typed JSON text in the API's form, appended to out. Malformed text (a damaged store) is
 * ERR_CORRUPT; what was appended is then to be thrown away. */
MUST_CHECK enum err_code typed_write_api(struct str typed, struct buf *out, struct err *err);

#endif
