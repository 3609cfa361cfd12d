/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/kit_test.h - for the tests of this folder: reads requests by field numbers of OTLP, with nothing
 * of the generators' own; and makes a right answer a wrong one.
 */
#ifndef BENCH_KIT_TEST_H
#define BENCH_KIT_TEST_H

#include "base/buf.h"

struct kit_span {
	uint64_t trace_hi, trace_lo, span_id, parent_id; /* 0: none */
	uint64_t start_ns, end_ns;
	uint64_t attributes, events, exceptions, links;
	uint64_t event_ns; /* of the last one */
	uint64_t link_lo, link_span;
	struct str service;
};

struct kit_request {
	struct kit_span *spans;
	size_t count, cap;
	uint64_t resources, resource_attributes; /* of the last resource */
	uint64_t scopes;
};

struct kit_record {
	uint64_t time_ns, observed_ns, trace_hi, trace_lo, span_id; /* 0: none */
	uint64_t severity, attributes;
	struct str service, body, severity_text;
};

struct kit_records {
	struct kit_record *records;
	size_t count, cap;
};

/* Replaces *out (zeroed: nothing); strings point into the body. Fails the test when it is malformed. */
void kit_read_records(struct str body, struct kit_records *out);
void kit_read(struct str body, struct kit_request *out);
void kit_request_fini(struct kit_request *r);

/* The first `from` becomes `to`. Fails the test when there is none. */
void kit_replace(struct buf *text, const char *from, const char *to);

#endif
