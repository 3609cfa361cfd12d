/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/to_json.h - an OTLP request as OTLP/JSON, for people: a dead letter is looked at with it.
 *
 * The other way round than otlp_from_json(), by the same tables. Fields that the tables do not have
 * are left out; text that is not UTF-8 has U+FFFD in its place. Threading: any thread.
 */
#ifndef OTLP_TO_JSON_H
#define OTLP_TO_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

/* Appends. ERR_INVALID: not protobuf, or nested deeper than depth_max messages; what has been
 * appended is then of no use. */
MUST_CHECK enum err_code otlp_to_json(enum signal_kind signal, struct str body, unsigned depth_max,
    struct buf *out, struct err *err);

#endif
