/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/plain.h - attributes, events and links as other programs write them, plain JSON, into typed JSON (model/typed.h).
 *
 * Numbers without fraction or exponent become ints (doubles, when they do not fit), others doubles; bytes are not to
 * be told from text. Names of members are those of OTLP/JSON, in camel or in snake case.
 *
 * Each appends to *out and gives back false when the text is no JSON of that shape; what was appended is then to be
 * thrown away. Nothing is appended for an empty text, null, {} and [].
 */
#ifndef OTLP_PLAIN_H
#define OTLP_PLAIN_H

#include "base/buf.h"
#include "base/check.h"

#include <stdbool.h>

MUST_CHECK bool otlp_plain_attributes(struct str json, struct buf *out);
/* [{"name", "timeUnixNano": number or text, "droppedAttributesCount", "attributes": {..}}, ..] */
MUST_CHECK bool otlp_plain_events(struct str json, struct buf *out);
/* [{"traceId", "spanId", "traceState", "droppedAttributesCount", "flags", "attributes": {..}}, ..] */
MUST_CHECK bool otlp_plain_links(struct str json, struct buf *out);

#endif
