/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open messages are a stack. What stands at which depth:
 *
 *     0 Resource*     1 Resource          attributes
 *     1 Scope*        2 InstrumentationScope
 *     2 Span | LogRecord | Metric
 *     3 Event | Link | the metric's data
 *     4 data point    5 exemplar
 */
#include "otlp/encode.h"

#include "base/bits.h"
#include "wire/pb.h"

enum { AT_RESOURCE = 0, AT_SCOPE = 1, AT_ITEM = 2, AT_INNER = 3, AT_POINT = 4, AT_EXEMPLAR = 5 };

/* ---- fields that are left out when zero */

static void
put_text(struct buf *b, uint32_t number, struct str s)
{
	if (s.len > 0)
		pb_put_bytes(b, number, s);
}

static void
put_varint(struct buf *b, uint32_t number, uint64_t v)
{
	if (v)
		pb_put_u64(b, number, v);
}

/* An int32 or enum: negative ones are sign-extended. */
static void
put_i32(struct buf *b, uint32_t number, int32_t v)
{
	put_varint(b, number, (uint64_t)(int64_t)v);
}

static void
put_fixed64(struct buf *b, uint32_t number, uint64_t v)
{
	if (v)
		pb_put_fixed64(b, number, v);
}

static void
put_fixed32(struct buf *b, uint32_t number, uint32_t v)
{
	if (v)
		pb_put_fixed32(b, number, v);
}

static void
put_maybe(struct buf *b, uint32_t number, bool has, double v)
{
	if (has)
		pb_put_double(b, number, v);
}

static void
put_trace_id(struct buf *b, uint32_t number, uint64_t hi, uint64_t lo)
{
	char id[16];
	for (int i = 0; i < 8; i++) {
		id[i] = (char)(hi >> (56 - 8 * i));
		id[8 + i] = (char)(lo >> (56 - 8 * i));
	}
	if (hi | lo)
		pb_put_bytes(b, number, str_of(id, sizeof(id)));
}

static void
put_span_id(struct buf *b, uint32_t number, uint64_t v)
{
	char id[8];
	for (int i = 0; i < 8; i++)
		id[i] = (char)(v >> (56 - 8 * i));
	if (v)
		pb_put_bytes(b, number, str_of(id, sizeof(id)));
}

/* ---- values */

static size_t
varint_bytes(uint64_t v)
{
	size_t n = 1;
	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

/* Length of an AnyValue that nests nothing: these are written without padded lengths, so that
 * requests are as long as those of an SDK. */
static size_t
scalar_bytes(const struct otlp_value *v)
{
	switch (v->kind) {
	case OTLP_STRING:
	case OTLP_BYTES: return 1 + varint_bytes(v->text.len) + v->text.len;
	case OTLP_BOOL: return 2;
	case OTLP_INT: return 1 + varint_bytes((uint64_t)v->i64);
	case OTLP_DOUBLE: return 9;
	case OTLP_UNSET:
	case OTLP_ARRAY:
	case OTLP_KVLIST: return 0;
	}
	CHECK(false);
	return 0;
}

static void
put_scalar(struct buf *out, const struct otlp_value *v)
{
	switch (v->kind) {
	case OTLP_STRING: pb_put_bytes(out, 1, v->text); return;
	case OTLP_BOOL: pb_put_u64(out, 2, v->i64 != 0); return;
	case OTLP_INT: pb_put_u64(out, 3, (uint64_t)v->i64); return;
	case OTLP_DOUBLE: pb_put_double(out, 4, v->f64); return;
	case OTLP_BYTES: pb_put_bytes(out, 7, v->text); return;
	case OTLP_UNSET:
	case OTLP_ARRAY:
	case OTLP_KVLIST: return;
	}
}

static void
put_key_bytes(struct buf *out, uint32_t number, size_t len)
{
	pb_put_varint(out, PB_KEY(number, PB_BYTES));
	pb_put_varint(out, len);
}

static void
put_attr(struct buf *out, uint32_t number, const struct otlp_attr *a)
{
	if (a->value.kind == OTLP_ARRAY || a->value.kind == OTLP_KVLIST) {
		size_t mark = pb_open(out, number);
		put_text(out, 1, a->key);
		otlp_encode_value(out, 2, &a->value);
		pb_close(out, mark);
		return;
	}
	size_t value_len = scalar_bytes(&a->value);
	size_t key_len = a->key.len ? 1 + varint_bytes(a->key.len) + a->key.len : 0;
	put_key_bytes(out, number, key_len + 1 + varint_bytes(value_len) + value_len);
	put_text(out, 1, a->key);
	put_key_bytes(out, 2, value_len);
	put_scalar(out, &a->value);
}

void
otlp_encode_value(struct buf *out, uint32_t number, const struct otlp_value *v)
{
	if (v->kind != OTLP_ARRAY && v->kind != OTLP_KVLIST) {
		put_key_bytes(out, number, scalar_bytes(v));
		put_scalar(out, v);
		return;
	}
	size_t mark = pb_open(out, number);
	size_t inner = pb_open(out, v->kind == OTLP_ARRAY ? 5 : 6);
	for (size_t i = 0; i < v->count; i++) {
		if (v->kind == OTLP_ARRAY)
			otlp_encode_value(out, 1, &v->items[i]);
		else
			put_attr(out, 1, &v->members[i]);
	}
	pb_close(out, inner);
	pb_close(out, mark);
}

/* ---- the stack of open messages */

static void
push(struct otlp_encoder *e, uint32_t number, uint32_t attr_field)
{
	CHECK(e->depth < OTLP_ENCODER_DEPTH);
	e->marks[e->depth++] = pb_open(e->out, number);
	e->attr_field = attr_field;
}

static void
pop_to(struct otlp_encoder *e, unsigned depth)
{
	while (e->depth > depth)
		pb_close(e->out, e->marks[--e->depth]);
	e->attr_field = 0;
}

/* Something opens at `depth`: all that it stands in must be open. */
static void
open_at(struct otlp_encoder *e, unsigned depth, uint32_t number, uint32_t attr_field)
{
	CHECK(e->depth >= depth);
	pop_to(e, depth);
	push(e, number, attr_field);
}

void
otlp_encode_begin(struct otlp_encoder *e, enum signal_kind signal, struct buf *out)
{
	*e = (struct otlp_encoder){.out = out, .signal = signal};
}

void
otlp_encode_end(struct otlp_encoder *e)
{
	pop_to(e, 0);
}

void
otlp_encode_attr(struct otlp_encoder *e, struct str key, struct otlp_value value)
{
	CHECK(e->attr_field > 0);
	put_attr(e->out, e->attr_field, &(struct otlp_attr){key, value});
}

void
otlp_encode_resource(struct otlp_encoder *e, struct str schema_url)
{
	open_at(e, AT_RESOURCE, 1, 0);
	put_text(e->out, 3, schema_url); /* the order of fields is free */
	push(e, 1, 1);
}

void
otlp_encode_scope(struct otlp_encoder *e, struct str name, struct str version,
    struct str schema_url)
{
	open_at(e, AT_SCOPE, 2, 0);
	put_text(e->out, 3, schema_url);
	push(e, 1, 3);
	put_text(e->out, 1, name);
	put_text(e->out, 2, version);
}

/* ---- spans and logs */

void
otlp_encode_span_fields(struct buf *b, const struct otlp_span *s)
{
	put_trace_id(b, 1, s->trace_hi, s->trace_lo);
	put_span_id(b, 2, s->span_id);
	put_text(b, 3, s->trace_state);
	put_span_id(b, 4, s->parent_id);
	put_fixed32(b, 16, s->flags);
	put_text(b, 5, s->name);
	put_i32(b, 6, s->kind);
	put_fixed64(b, 7, s->start_ns);
	put_fixed64(b, 8, s->end_ns);
	put_varint(b, 10, s->dropped_attributes);
	put_varint(b, 12, s->dropped_events);
	put_varint(b, 14, s->dropped_links);
	if (s->status_code == 0 && s->status_message.len == 0)
		return;
	size_t mark = pb_open(b, 15);
	put_text(b, 2, s->status_message);
	put_i32(b, 3, s->status_code);
	pb_close(b, mark);
}

void
otlp_encode_span(struct otlp_encoder *e, const struct otlp_span *s)
{
	CHECK(e->signal == SIGNAL_TRACES);
	open_at(e, AT_ITEM, 2, 9);
	otlp_encode_span_fields(e->out, s);
}

void
otlp_encode_event(struct otlp_encoder *e, uint64_t time_ns, struct str name, uint32_t dropped)
{
	CHECK(e->signal == SIGNAL_TRACES);
	open_at(e, AT_INNER, 11, 3);
	put_fixed64(e->out, 1, time_ns);
	put_text(e->out, 2, name);
	put_varint(e->out, 4, dropped);
}

void
otlp_encode_link(struct otlp_encoder *e, const struct otlp_link *l)
{
	CHECK(e->signal == SIGNAL_TRACES);
	open_at(e, AT_INNER, 13, 4);
	put_trace_id(e->out, 1, l->trace_hi, l->trace_lo);
	put_span_id(e->out, 2, l->span_id);
	put_text(e->out, 3, l->trace_state);
	put_varint(e->out, 5, l->dropped);
	put_fixed32(e->out, 6, l->flags);
}

void
otlp_encode_log(struct otlp_encoder *e, const struct otlp_log *l)
{
	struct buf *b = e->out;
	CHECK(e->signal == SIGNAL_LOGS);
	open_at(e, AT_ITEM, 2, 6);
	put_fixed64(b, 1, l->time_ns);
	put_fixed64(b, 11, l->observed_ns);
	put_i32(b, 2, l->severity);
	put_text(b, 3, l->severity_text);
	if (l->body)
		otlp_encode_value(b, 5, l->body);
	put_varint(b, 7, l->dropped);
	put_fixed32(b, 8, l->flags);
	put_trace_id(b, 9, l->trace_hi, l->trace_lo);
	put_span_id(b, 10, l->span_id);
	put_text(b, 12, l->event_name);
}

/* ---- metrics */

/* Field numbers by type: of the data in Metric, and within a point of attributes, exemplars and
 * flags. */
static const struct {
	uint32_t data, attributes, exemplars, flags;
} point_fields[] = {
    [POINT_GAUGE] = {5, 7, 5, 8},
    [POINT_SUM_TYPE] = {7, 7, 5, 8},
    [POINT_HISTOGRAM] = {9, 9, 8, 10},
    [POINT_EXP_HISTOGRAM] = {10, 1, 11, 10},
    [POINT_SUMMARY] = {11, 7, 0, 8},
};

void
otlp_encode_metric(struct otlp_encoder *e, const struct otlp_metric *m)
{
	CHECK(e->signal == SIGNAL_METRICS);
	CHECK(m->type >= POINT_GAUGE && m->type <= POINT_SUMMARY);
	open_at(e, AT_ITEM, 2, 12);
	put_text(e->out, 1, m->name);
	put_text(e->out, 2, m->description);
	put_text(e->out, 3, m->unit);
	e->metric = *m;
}

static void
open_data(struct otlp_encoder *e)
{
	push(e, point_fields[e->metric.type].data, 0);
	if (e->metric.type != POINT_GAUGE && e->metric.type != POINT_SUMMARY)
		put_i32(e->out, 2, e->metric.temporality);
	if (e->metric.type == POINT_SUM_TYPE)
		put_varint(e->out, 3, e->metric.monotonic);
}

static void
append_u64(struct buf *b, uint64_t v)
{
	char bytes[8];
	put_u64le(bytes, v);
	buf_append(b, bytes, sizeof(bytes));
}

static void
put_histogram(struct buf *b, const struct otlp_point *p)
{
	put_key_bytes(b, 6, p->counts.len * 8);
	for (size_t i = 0; i < p->counts.len; i++)
		append_u64(b, p->counts.ptr[i]);
	put_key_bytes(b, 7, p->bounds.len * 8);
	for (size_t i = 0; i < p->bounds.len; i++) {
		uint64_t bits;
		memcpy(&bits, &p->bounds.ptr[i], sizeof(bits));
		append_u64(b, bits);
	}
}

static void
put_buckets(struct buf *b, uint32_t number, const struct otlp_buckets *k)
{
	if (!k->counts.ptr)
		return;
	size_t mark = pb_open(b, number);
	if (k->offset)
		pb_put_sint(b, 1, k->offset);
	size_t packed = pb_open(b, 2);
	for (size_t i = 0; i < k->counts.len; i++)
		pb_put_varint(b, k->counts.ptr[i]);
	pb_close(b, packed);
	pb_close(b, mark);
}

static void
put_exp_histogram(struct buf *b, const struct otlp_point *p)
{
	if (p->scale)
		pb_put_sint(b, 6, p->scale);
	put_fixed64(b, 7, p->zero_count);
	put_buckets(b, 8, &p->positive);
	put_buckets(b, 9, &p->negative);
	put_maybe(b, 12, p->has_min, p->min);
	put_maybe(b, 13, p->has_max, p->max);
	put_maybe(b, 14, p->zero_threshold != 0, p->zero_threshold);
}

static void
put_summary(struct buf *b, const struct otlp_point *p)
{
	CHECK(p->quantiles.len == p->values.len);
	for (size_t i = 0; i < p->quantiles.len; i++) {
		size_t mark = pb_open(b, 6);
		pb_put_double(b, 1, p->quantiles.ptr[i]);
		pb_put_double(b, 2, p->values.ptr[i]);
		pb_close(b, mark);
	}
}

static void
put_number(struct buf *b, const struct otlp_point *p)
{
	if (p->has_int)
		pb_put_fixed64(b, 6, (uint64_t)p->i64);
	else
		put_maybe(b, 4, p->has_double, p->f64);
}

void
otlp_encode_point(struct otlp_encoder *e, const struct otlp_point *p)
{
	struct buf *b = e->out;
	enum point_type type = e->metric.type;
	CHECK(e->signal == SIGNAL_METRICS && e->depth > AT_ITEM);
	if (e->depth == AT_INNER)
		open_data(e);
	open_at(e, AT_POINT, 1, point_fields[type].attributes);
	put_fixed64(b, 2, p->start_ns);
	put_fixed64(b, 3, p->time_ns);
	put_varint(b, point_fields[type].flags, p->flags);
	if (type == POINT_GAUGE || type == POINT_SUM_TYPE) {
		put_number(b, p);
		return;
	}
	put_fixed64(b, 4, p->count);
	put_maybe(b, 5, p->has_sum, p->sum);
	if (type == POINT_HISTOGRAM) {
		put_maybe(b, 11, p->has_min, p->min);
		put_maybe(b, 12, p->has_max, p->max);
		put_histogram(b, p);
	} else if (type == POINT_EXP_HISTOGRAM) {
		put_exp_histogram(b, p);
	} else {
		put_summary(b, p);
	}
}

uint32_t
otlp_encode_exemplar_field(const struct otlp_encoder *e)
{
	return point_fields[e->metric.type].exemplars;
}

void
otlp_encode_exemplar(struct otlp_encoder *e, const struct otlp_exemplar *x)
{
	CHECK(e->signal == SIGNAL_METRICS && e->metric.type != POINT_SUMMARY);
	open_at(e, AT_EXEMPLAR, point_fields[e->metric.type].exemplars, 7);
	put_fixed64(e->out, 2, x->time_ns);
	if (x->is_int)
		pb_put_fixed64(e->out, 6, (uint64_t)x->i64);
	else
		pb_put_double(e->out, 3, x->f64);
	put_span_id(e->out, 4, x->span_id);
	put_trace_id(e->out, 5, x->trace_hi, x->trace_lo);
}
