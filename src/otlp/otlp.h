/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/otlp.h - OTLP requests and answers: validate, decode to columns, answer.
 * Source: opentelemetry-proto 1.x (collector/{trace,logs,metrics}/v1), the OTLP specification.
 *
 * A request is the protobuf Export{Trace,Logs,Metrics}ServiceRequest. A JSON request is first
 * turned into the same protobuf (otlp_from_json), so that one validator and one decoder serve
 * both and the log holds one form.
 *
 * What is refused. Malformed framing, more than limits.items_max items, or more than
 * limits.decoded_bytes_max bytes of what they become (scan only): the whole request.
 * An item with an id of the wrong length, a span without trace or span id (empty or all zero; all
 * other ids are optional, and all zero is none), text that is not UTF-8, a value, name or list
 * beyond its limit, nesting beyond depth_max: that item only, counted, with the first reason kept.
 * A resource, scope or metric that is bad refuses the items below it. Unknown fields are skipped
 * everywhere. name_bytes_max bounds what is a name (key, unit, version, URL), value_bytes_max all
 * other text, and the encoded size of an array or kvlist.
 * otlp_scan() and otlp_decode() walk with the same code: what one refuses the other leaves out.
 *
 * Threading: no shared state; any thread. Memory: scan uses none; decode uses the batch's arena,
 * and the batch's strings point into `body`.
 */
#ifndef OTLP_OTLP_H
#define OTLP_OTLP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "model/batch.h"

struct otlp_counts {
	uint64_t accepted; /* spans, log records or data points */
	uint64_t rejected;
	uint64_t decoded_bytes; /* decoding into an empty batch takes no more of its arena */
	char reason[160]; /* why the first one was refused; empty when none was */
};

/* Validate and count. ERR_INVALID: malformed. ERR_TOO_LARGE: too many items, or more than
 * decoded_bytes_max to decode. */
MUST_CHECK enum err_code otlp_scan(enum signal_kind signal, struct str body,
    const struct limits *limits, struct otlp_counts *counts_out, struct err *err);

struct otlp_origin {
	struct str tenant;
	uint64_t seq;
	uint64_t received_ns;
};

/* What decoding a scanned body takes from the batch's arena, at most: lists and JSON grow with the
 * body (an empty event of two bytes becomes 18), rows with the items. A batch that must
 * take a request whatever it holds has this much, or no limit; an SDK's request needs about 1.5
 * bytes a byte, and 700 a span. */
#define OTLP_DECODE_BYTES_MAX(body_len, item_count)                                                \
	((uint64_t)(body_len) * 12 + (uint64_t)(item_count) * 2560 + 131072)

/* Append the accepted items to the batch. On an error (ERR_TOO_LARGE: arena; ERR_INVALID: not a
 * scanned body) the caller rewinds the batch. The batch keeps a copy of the tenant. */
MUST_CHECK enum err_code otlp_decode(enum signal_kind signal, struct str body,
    const struct limits *limits, const struct otlp_origin *origin, struct batch *batch,
    struct err *err);

/* OTLP/JSON (hex ids, 64-bit integers as strings or numbers, enums as integers, lowerCamelCase;
 * snake_case is not accepted; unknown members are skipped; null is absent) to protobuf.
 * An id that is not hex becomes a one-byte id, and so refuses its item at the scan. The content of
 * out is replaced. ERR_INVALID names the place; ERR_TOO_LARGE: more than body_bytes_max come out. */
MUST_CHECK enum err_code otlp_from_json(enum signal_kind signal, struct str json,
    const struct limits *limits, struct buf *out, struct err *err);

/* Export*ServiceResponse, with partial_success when something was rejected. */
void otlp_write_response(enum signal_kind signal, const struct otlp_counts *counts, bool json,
    struct buf *out);
/* google.rpc.Status with the gRPC code of `code`; retry_after_ms > 0 adds RetryInfo (details, type
 * google.rpc.RetryInfo; in JSON with "@type"). */
void otlp_write_status(enum err_code code, struct str message, uint64_t retry_after_ms, bool json,
    struct buf *out);

#endif
