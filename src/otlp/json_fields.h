/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/json_fields.h - the messages of OTLP as tables: what a JSON member is called, which field
 * of protobuf it is and how its value is spelled. Private to otlp/json.c and its tests.
 * Source: opentelemetry-proto 1.10 (json_fields.txt among the golden files is made from it).
 *
 * Left out, and so unknown members: AnyValue.stringValueStrindex and KeyValue.keyStrindex, which
 * point into the dictionary of a profile and have no meaning in the other signals.
 */
#ifndef OTLP_JSON_FIELDS_H
#define OTLP_JSON_FIELDS_H

#include "base/str.h"
#include "model/batch.h"

enum otlp_json_type {
	OTLP_JSON_MESSAGE,
	OTLP_JSON_STRING,
	OTLP_JSON_BYTES, /* base64 */
	OTLP_JSON_ID, /* bytes as hex: OTLP's exception to protobuf's JSON mapping */
	OTLP_JSON_BOOL,
	OTLP_JSON_ENUM, /* an integer: names are not allowed in OTLP/JSON */
	OTLP_JSON_INT64, /* only AnyValue.intValue is one: see put_any_int() */
	OTLP_JSON_UINT32,
	OTLP_JSON_UINT64,
	OTLP_JSON_SINT32,
	OTLP_JSON_FIXED32,
	OTLP_JSON_FIXED64,
	OTLP_JSON_SFIXED64,
	OTLP_JSON_DOUBLE,
};

struct otlp_json_message;

struct otlp_json_field {
	struct str name;
	const struct otlp_json_message *message; /* of an OTLP_JSON_MESSAGE, else NULL */
	uint32_t number;
	enum otlp_json_type type;
	bool repeated; /* numbers are packed then */
};

struct otlp_json_message {
	const char *name; /* as protobuf has it, without the package */
	const struct otlp_json_field *fields;
	size_t field_count;
};

/* The Export...ServiceRequest of a signal. */
const struct otlp_json_message *otlp_json_request(enum signal_kind signal);

#endif
