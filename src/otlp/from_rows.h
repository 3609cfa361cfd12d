/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/from_rows.h - rows of the store as the OTLP request that they could have come from.
 *
 * The other way round than otlp_decode(): what is decoded from the result are the same rows, but for seq, ord and
 * their order. Items are grouped by resource, scope and metric; within those they keep their order. What OTLP can say
 * in two ways comes in one: an attribute list that is empty and one that is not there, a field of zero.
 *
 * Threading: no shared state; any thread.
 */
#ifndef OTLP_FROM_ROWS_H
#define OTLP_FROM_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

struct otlp_rows {
	const struct table *rows; /* spans, logs or points, of one tenant */
	const struct table *resources, *scopes; /* those that the rows name, in any order */
};

/* Append Export{Trace,Logs,Metrics}ServiceRequest. ERR_CORRUPT: JSON of a row is no typed JSON, or its resource or scope
 * is not there; ERR_BUSY: no memory. What was appended is then of no use. */
MUST_CHECK enum err_code otlp_from_rows(const struct otlp_rows *in, struct buf *out,
    struct err *err);
/* The fields of one Span, Resource or InstrumentationScope, appended to a message that the caller opened; all but the
 * schema URLs, which OTLP has beside them. False: JSON of the row is no typed JSON; what was appended is then of no use. */
MUST_CHECK bool otlp_span_from_row(const struct table *spans, size_t row, struct buf *out);
MUST_CHECK bool otlp_resource_from_row(const struct table *resources, size_t row, struct buf *out);
MUST_CHECK bool otlp_scope_from_row(const struct table *scopes, size_t row, struct buf *out);
/* Typed JSON of one value as an AnyValue in field `number`; false: it is none. */
MUST_CHECK bool otlp_put_typed(struct buf *out, uint32_t number, struct str typed);

#endif
