/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp/encode.h - write OTLP requests: for the demo, the bench, exports and tests.
 *
 * There are no end calls. Each call opens a message inside the one it belongs to and closes
 * what was open there before; attributes go to what was opened last:
 *
 *     otlp_encode_begin(&e, SIGNAL_TRACES, &out);
 *     otlp_encode_resource(&e, STR_EMPTY);
 *     otlp_encode_attr(&e, STR("service.name"), otlp_value_str(STR("shop")));   of the resource
 *     otlp_encode_scope(&e, STR("lib"), STR("1.0"), STR_EMPTY);
 *     otlp_encode_span(&e, &(struct otlp_span){...});
 *     otlp_encode_attr(&e, STR("http.method"), otlp_value_str(STR("GET")));     of the span
 *     otlp_encode_event(&e, time_ns, STR("retry"), 0);
 *     otlp_encode_attr(...);                                                    of the event
 *     otlp_encode_end(&e);
 *
 * Zeros and empty strings are left out, as proto3 does, and written where presence counts. Errors
 * are the buffer's. The wrong order of calls is a CHECK. Nothing is validated: what is given is
 * written.
 */
#ifndef OTLP_ENCODE_H
#define OTLP_ENCODE_H

#include "base/buf.h"
#include "model/batch.h"

enum otlp_value_kind {
	OTLP_UNSET,
	OTLP_STRING,
	OTLP_BOOL,
	OTLP_INT,
	OTLP_DOUBLE,
	OTLP_ARRAY,
	OTLP_KVLIST,
	OTLP_BYTES,
};

struct otlp_attr;

/* An AnyValue. items and members are borrowed for the call. */
struct otlp_value {
	enum otlp_value_kind kind;
	struct str text; /* string or bytes */
	int64_t i64; /* int or bool */
	double f64;
	const struct otlp_value *items; /* array */
	const struct otlp_attr *members; /* kvlist */
	size_t count;
};

struct otlp_attr {
	struct str key;
	struct otlp_value value;
};

static inline struct otlp_value
otlp_value_str(struct str s)
{
	return (struct otlp_value){.kind = OTLP_STRING, .text = s};
}
static inline struct otlp_value
otlp_value_bytes(struct str s)
{
	return (struct otlp_value){.kind = OTLP_BYTES, .text = s};
}
static inline struct otlp_value
otlp_value_int(int64_t v)
{
	return (struct otlp_value){.kind = OTLP_INT, .i64 = v};
}
static inline struct otlp_value
otlp_value_bool(bool v)
{
	return (struct otlp_value){.kind = OTLP_BOOL, .i64 = v};
}
static inline struct otlp_value
otlp_value_double(double v)
{
	return (struct otlp_value){.kind = OTLP_DOUBLE, .f64 = v};
}
static inline struct otlp_value
otlp_value_array(const struct otlp_value *items, size_t count)
{
	return (struct otlp_value){.kind = OTLP_ARRAY, .items = items, .count = count};
}
static inline struct otlp_value
otlp_value_kvlist(const struct otlp_attr *members, size_t count)
{
	return (struct otlp_value){.kind = OTLP_KVLIST, .members = members, .count = count};
}

/* Ids that are 0 are left out. */
struct otlp_span {
	uint64_t trace_hi, trace_lo, span_id, parent_id;
	uint64_t start_ns, end_ns;
	struct str name, trace_state, status_message;
	int32_t kind, status_code;
	uint32_t flags, dropped_attributes, dropped_events, dropped_links;
};

struct otlp_link {
	uint64_t trace_hi, trace_lo, span_id;
	struct str trace_state;
	uint32_t dropped, flags;
};

struct otlp_log {
	uint64_t time_ns, observed_ns, trace_hi, trace_lo, span_id;
	int32_t severity;
	struct str severity_text, event_name;
	const struct otlp_value *body; /* NULL: none */
	uint32_t flags, dropped;
};

struct otlp_metric {
	struct str name, description, unit;
	enum point_type type;
	int32_t temporality;
	bool monotonic;
};

/* Buckets of an exponential histogram; written when counts.ptr is not NULL. */
struct otlp_buckets {
	int32_t offset;
	struct u64s counts;
};

/* Only what the metric's type has is written. */
struct otlp_point {
	uint64_t time_ns, start_ns;
	uint32_t flags;
	bool has_int, has_double; /* gauge, sum: at most one */
	int64_t i64;
	double f64;
	uint64_t count;
	bool has_sum, has_min, has_max;
	double sum, min, max;
	struct f64s bounds; /* histogram */
	struct u64s counts;
	int32_t scale; /* exponential histogram */
	uint64_t zero_count;
	double zero_threshold;
	struct otlp_buckets positive, negative;
	struct f64s quantiles, values; /* summary: equal lengths */
};

struct otlp_exemplar {
	uint64_t time_ns, trace_hi, trace_lo, span_id;
	bool is_int;
	int64_t i64;
	double f64;
};

enum { OTLP_ENCODER_DEPTH = 8 };

struct otlp_encoder {
	struct buf *out;
	enum signal_kind signal;
	size_t marks[OTLP_ENCODER_DEPTH]; /* of the open messages */
	unsigned depth;
	uint32_t attr_field; /* number of `attributes` in the innermost */
	struct otlp_metric metric;
};

void otlp_encode_begin(struct otlp_encoder *e, enum signal_kind signal, struct buf *out);
void otlp_encode_resource(struct otlp_encoder *e, struct str schema_url);
void otlp_encode_scope(struct otlp_encoder *e, struct str name, struct str version,
    struct str schema_url);
void otlp_encode_span(struct otlp_encoder *e, const struct otlp_span *s);
void otlp_encode_event(struct otlp_encoder *e, uint64_t time_ns, struct str name, uint32_t dropped);
void otlp_encode_link(struct otlp_encoder *e, const struct otlp_link *l);
void otlp_encode_log(struct otlp_encoder *e, const struct otlp_log *l);
/* Attributes before its first point are the metric's metadata. */
void otlp_encode_metric(struct otlp_encoder *e, const struct otlp_metric *m);
void otlp_encode_point(struct otlp_encoder *e, const struct otlp_point *p);
/* The number of the field that exemplars of the open point are in; 0: it has none. */
uint32_t otlp_encode_exemplar_field(const struct otlp_encoder *e);
void otlp_encode_exemplar(struct otlp_encoder *e, const struct otlp_exemplar *x);
void otlp_encode_attr(struct otlp_encoder *e, struct str key, struct otlp_value value);
void otlp_encode_end(struct otlp_encoder *e);

/* The fields of a Span alone, without attributes, events and links (9, 11, 13), for a message that the caller opened. */
void otlp_encode_span_fields(struct buf *b, const struct otlp_span *s);

/* An AnyValue as field `number` of what is being written. */
void otlp_encode_value(struct buf *out, uint32_t number, const struct otlp_value *v);

#endif
