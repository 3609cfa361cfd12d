/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/payload.h - what the bench sends: requests made before the clock runs.
 *
 * Two kinds of spans, both one client's ExportTraceServiceRequest over and over:
 *   sdk     what a Node service with the usual instrumentations sends: 12 resource attributes; spans
 *           with 12 or 13 attributes of all scalar types, 30 % with an event (4 % of all an exception
 *           with a stack trace), 5 % with a link; traces of 5 spans, in four scopes.
 *   jaeger  what Jaeger's tracegen sends with `-services 10 -spans 9`: traces of 10 spans, a
 *           root with 2 attributes and 9 children with 11 each, out of 97 keys and 1,000 values.
 * And one of log records, for free text (payload_logs.c says what is in them):
 *   logs    bodies of 60 to 400 bytes, each another one; of the services of `jaeger`, seven of ten of one of its spans.
 *
 * Spans are numbered: span number g belongs to trace number g / spans per trace, whatever requests
 * the two are in, so a trace may go over several requests. Request number `serial` holds the span numbers
 * from serial * spans on. The ids follow from the numbers through a bijection, so no two spans of a
 * process share one. Numbers of different clients do not overlap.
 *
 * A body is encoded once. Its ids and times have a fixed width, and where they stand is kept, so that
 * payload_patch() makes a new request of it by overwriting them: as fast as copying. What depends on
 * the position of a span in its trace (a root has no parent) is in the encoded bytes: serial
 * numbers that are equal modulo payload_ring() fit the same body, others do not. Requests of log records are encoded
 * anew by payload_patch(): what is said of spans above goes for records, but nothing in them repeats.
 *
 * Threading: no shared state; one owner per body.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include "base/buf.h"
#include "model/batch.h"

enum payload_kind { PAYLOAD_SDK, PAYLOAD_JAEGER, PAYLOAD_LOGS, PAYLOAD_KINDS };

enum { PAYLOAD_SPANS_MAX = 20000, PAYLOAD_CLIENTS_MAX = 1024 };

const char *payload_name(enum payload_kind kind);
bool payload_parse(struct str name, enum payload_kind *out); /* of the kinds of spans */
enum signal_kind payload_signal(enum payload_kind kind);
uint64_t payload_trace_spans(enum payload_kind kind); /* spans of one trace; 0: records */

/* What all requests of a client have in common. */
struct payload {
	enum payload_kind kind;
	uint32_t client; /* its number; logs: their traces are of those with smaller ones */
	uint32_t spans; /* in a request; or records */
	uint64_t salt; /* another one, other ids */
};

/* Serials that far apart fit one body; a ring of so many different bodies (at least 16 and 8,192
 * spans of them, so that values repeat late) holds every request there is. */
uint64_t payload_ring(enum payload_kind kind, uint32_t spans);

struct payload_place { /* of an id or time in a body */
	uint32_t off;
	uint32_t what;
	int64_t value; /* number relative to the first one's of the request, or nanoseconds */
};

struct payload_body {
	struct buf bytes;
	struct payload_place *places;
	size_t place_count;
	size_t place_cap;
};

/* Encode the body for serials equal to `serial` modulo payload_ring(). The ids and times in it are
 * not to be sent: patch first. Replaces what was in *out (zeroed: nothing). */
void payload_encode(const struct payload *p, uint64_t serial, struct payload_body *out);
/* Make it request number `serial`, whose last span ended at now_ns. */
void payload_patch(const struct payload *p, struct payload_body *b, uint64_t serial,
    uint64_t now_ns);
void payload_body_fini(struct payload_body *b);

/* The ids that spans have; trace and span numbers as above. */
struct payload_trace_id {
	uint64_t hi, lo;
};
struct payload_trace_id payload_trace_id(const struct payload *p, uint64_t trace);
uint64_t payload_span_id(const struct payload *p, uint64_t span);
/* Whose they are: p->client and *span_out get it; p->kind and p->salt are given. False: nobody's of this salt. */
bool payload_span_of(struct payload *p, struct payload_trace_id trace_id, uint64_t span_id,
    uint64_t *span_out);
bool payload_trace_of(struct payload *p, struct payload_trace_id trace_id, uint64_t *trace_out);

/* What stands in a span of a body: its number modulo payload_ring() * spans says it. A root has no
 * numbered attributes (false). */
enum {
	PAYLOAD_TEXT_BYTES = 24,
	PAYLOAD_JAEGER_ATTRIBUTES = 11,
	PAYLOAD_JAEGER_SERVICES = 10,
	PAYLOAD_JAEGER_VALUES = 1000
};
struct payload_attribute {
	unsigned key, value; /* attr_NN = val_NN */
};
unsigned payload_jaeger_service(uint64_t span);
void payload_jaeger_service_text(unsigned service, char out[PAYLOAD_TEXT_BYTES]);
bool payload_jaeger_attribute(uint64_t span, unsigned i, struct payload_attribute *out);
void payload_jaeger_attribute_text(struct payload_attribute a, char key[PAYLOAD_TEXT_BYTES],
    char value[PAYLOAD_TEXT_BYTES]);
bool payload_jaeger_has(uint64_t span, struct payload_attribute a);
/* When a span begins, before the time that its request was patched with. */
uint64_t payload_jaeger_age(const struct payload *p, uint64_t span);
uint64_t payload_jaeger_age_max(uint32_t spans); /* of any span of a request of so many */
enum { PAYLOAD_JAEGER_CHILD_NS = 123000, PAYLOAD_JAEGER_ROOT_NS = 9 * PAYLOAD_JAEGER_CHILD_NS };

/* What stands in record number n of `logs`. Each body has one of ten words, one of 10,000 and one that no other has, and each of these
 * words is nowhere else: of ten records that begin at a multiple of ten, one has a given word of the ten; the same for 10,000. */
enum {
	PAYLOAD_LOG_BODY_BYTES = 512,
	PAYLOAD_LOG_FREQUENT = 10,
	PAYLOAD_LOG_RARE = 10000,
};
enum payload_word { PAYLOAD_FREQUENT, PAYLOAD_RARE, PAYLOAD_ONCE, PAYLOAD_NOWHERE };
/* The number of a record's word of a kind. PAYLOAD_ONCE: its own. */
uint64_t payload_log_word(enum payload_word kind, uint64_t n);
/* The text of word number i. PAYLOAD_NOWHERE: of as many as there are rare ones. */
void payload_log_word_text(const struct payload *p, enum payload_word kind, uint64_t i,
    char out[PAYLOAD_TEXT_BYTES]);
size_t payload_log_body(const struct payload *p, uint64_t n, char out[PAYLOAD_LOG_BODY_BYTES]);
uint64_t payload_log_age(const struct payload *p, uint64_t n);

#endif
