/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/record_json.h - the request in a log record (ingest/record.h) as OTLP/JSON, for people.
 */
#ifndef INGEST_RECORD_JSON_H
#define INGEST_RECORD_JSON_H

#include "base/buf.h"
#include "base/err.h"

/* Appends. ERR_CORRUPT: no record; ERR_INVALID: its body is no OTLP request. */
MUST_CHECK enum err_code record_json(struct str payload, struct buf *json, struct err *err);

#endif
