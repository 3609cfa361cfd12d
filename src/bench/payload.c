/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/payload.c - see payload.h.
 *
 * Generators write ids that say which number shall stand there, relative to the request:
 *   trace id   hi 1, lo MARK + (trace number - trace number of the first span)
 *   span id    MARK + (span number - number of the first span)
 * and times around PAYLOAD_NOW. find_places() walks the encoded bytes and notes where each stands; it
 * would not be fooled by values that look like ids, as it goes by field numbers.
 */
#include "bench/payload.h"

#include "base/arena.h"
#include "base/bits.h"
#include "bench/payload_priv.h"
#include "wire/pb.h"

#include <stdlib.h>

enum what { WHAT_TRACE, WHAT_SPAN, WHAT_TIME };

enum { RING_SPANS_MIN = 8192, RING_MIN = 16, MARK = 2000 };

/* Numbers of traces and spans of different clients, and what the two are salted with. */
#define CLIENT_SHIFT 44
#define SALT_TRACE_LO UINT64_C(0x9e3779b97f4a7c15)
#define SALT_SPAN UINT64_C(0xd1b54a32d192ed03)
#define SALT_LOG UINT64_C(0x8cb92ba72f3d8dd7)

static const struct {
	const char *name;
	enum signal_kind signal;
	uint64_t trace_spans;
	uint64_t period; /* spans after which a generator's structure repeats */
	void (*generate)(const struct payload *p, uint64_t first, struct otlp_encoder *e);
} kinds[PAYLOAD_KINDS] = {
    [PAYLOAD_SDK] = {"sdk", SIGNAL_TRACES, 5, 5, payload_sdk},
    [PAYLOAD_JAEGER] = {"jaeger", SIGNAL_TRACES, 10, 100, payload_jaeger},
    [PAYLOAD_LOGS] = {"logs", SIGNAL_LOGS, 0, 1, NULL},
};

const char *
payload_name(enum payload_kind kind)
{
	CHECK(kind < PAYLOAD_KINDS);
	return kinds[kind].name;
}

bool
payload_parse(struct str name, enum payload_kind *out)
{
	for (int k = 0; k < PAYLOAD_KINDS; k++) {
		if (kinds[k].signal != SIGNAL_TRACES || !str_eq(name, str_from(kinds[k].name)))
			continue;
		*out = (enum payload_kind)k;
		return true;
	}
	return false;
}

enum signal_kind
payload_signal(enum payload_kind kind)
{
	CHECK(kind < PAYLOAD_KINDS);
	return kinds[kind].signal;
}

uint64_t
payload_trace_spans(enum payload_kind kind)
{
	return kinds[kind].trace_spans;
}

/* A multiple of the period, so that the last body of the ring goes on in the first. */
uint64_t
payload_ring(enum payload_kind kind, uint32_t spans)
{
	uint64_t period = kinds[kind].period, a = period, b = spans;
	while (b != 0) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	uint64_t step = period / a, ring = step;
	while (ring < RING_MIN || ring * spans < RING_SPANS_MIN)
		ring += step;
	return ring;
}

/* ---- numbers to ids */

/* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014. */
uint64_t
payload_mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* The inverse: odd factors have one modulo 2^64, and a shift is undone by shifting on. */
static uint64_t
unmix(uint64_t z)
{
	z = (z ^ z >> 31 ^ z >> 62) * UINT64_C(0x319642b2d24d8ec3);
	z = (z ^ z >> 27 ^ z >> 54) * UINT64_C(0x96de1b173f119089);
	return z ^ z >> 30 ^ z >> 60;
}

uint64_t
payload_random(uint64_t *state)
{
	return payload_mix(*state += SALT_TRACE_LO);
}

static uint64_t
number(const struct payload *p, uint64_t n)
{
	return p->salt + ((uint64_t)p->client << CLIENT_SHIFT) + n;
}

struct payload_trace_id
payload_trace_id(const struct payload *p, uint64_t trace)
{
	uint64_t n = number(p, trace);
	return (struct payload_trace_id){payload_mix(n), payload_mix(n + SALT_TRACE_LO)};
}

/* 0 is no id; only one of 2^64 numbers gives it. */
uint64_t
payload_span_id(const struct payload *p, uint64_t span)
{
	uint64_t id = payload_mix(number(p, span) + SALT_SPAN);
	return id ? id : 1;
}

static bool
split_number(struct payload *p, uint64_t n, uint64_t *out)
{
	n -= p->salt;
	if (n >> CLIENT_SHIFT >= PAYLOAD_CLIENTS_MAX)
		return false;
	p->client = (uint32_t)(n >> CLIENT_SHIFT);
	*out = n & ((UINT64_C(1) << CLIENT_SHIFT) - 1);
	return true;
}

bool
payload_span_of(struct payload *p, struct payload_trace_id trace_id, uint64_t span_id,
    uint64_t *span_out)
{
	if (!split_number(p, unmix(span_id) - SALT_SPAN, span_out))
		return false;
	struct payload_trace_id id = payload_trace_id(p, *span_out / kinds[p->kind].trace_spans);
	return id.hi == trace_id.hi && id.lo == trace_id.lo;
}

bool
payload_trace_of(struct payload *p, struct payload_trace_id trace_id, uint64_t *trace_out)
{
	return split_number(p, unmix(trace_id.hi), trace_out) &&
	    payload_trace_id(p, *trace_out).lo == trace_id.lo;
}

uint64_t
payload_log_id(const struct payload *p, uint64_t n)
{
	return payload_mix(number(p, n) + SALT_LOG);
}

/* ---- for the generators */

static uint64_t
trace_mark(const struct payload *p, uint64_t first, uint64_t g)
{
	uint64_t per = kinds[p->kind].trace_spans;
	return MARK + g / per - first / per;
}

struct otlp_span
payload_span(const struct payload *p, uint64_t first, uint64_t g, uint64_t parent)
{
	return (struct otlp_span){.trace_hi = 1,
	    .trace_lo = trace_mark(p, first, g),
	    .span_id = MARK + g - first,
	    .parent_id = parent == UINT64_MAX ? 0 : MARK + parent - first,
	    .flags = 0x101};
}

struct otlp_link
payload_link(const struct payload *p, uint64_t first, uint64_t g)
{
	uint64_t per = kinds[p->kind].trace_spans;
	return (struct otlp_link){.trace_hi = 1,
	    .trace_lo = trace_mark(p, first, g) - 1,
	    .span_id = MARK + (g - g % per - per) - first,
	    .flags = 0x101};
}

/* ---- where they are */

static void
add_place(struct payload_body *b, enum what what, const void *at, int64_t value)
{
	if (b->place_count == b->place_cap) {
		b->place_cap = b->place_cap ? 2 * b->place_cap : 64;
		b->places = xrealloc(b->places, b->place_cap * sizeof(*b->places));
	}
	const char *ptr = at;
	b->places[b->place_count++] =
	    (struct payload_place){(uint32_t)(ptr - b->bytes.ptr), what, value};
}

static void
add_id(struct payload_body *b, enum what what, struct str id)
{
	CHECK(id.len == (what == WHAT_TRACE ? 16 : 8));
	uint64_t mark = get_u64be(id.ptr + id.len - 8);
	add_place(b, what, id.ptr, (int64_t)(mark - MARK));
}

/* A fixed64 that was just read ends where the reader stands. */
static void
add_time(struct payload_body *b, const struct pb_reader *r, uint64_t value)
{
	add_place(b, WHAT_TIME, r->at - 8, (int64_t)(value - PAYLOAD_NOW));
}

static void
find_in_event(struct payload_body *b, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(1, PB_FIXED64))
			add_time(b, &r, f.value);
	CHECK(!pb_failed(&r));
}

static void
find_in_link(struct payload_body *b, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		if (pb_key(&f) == PB_KEY(1, PB_BYTES))
			add_id(b, WHAT_TRACE, f.bytes);
		if (pb_key(&f) == PB_KEY(2, PB_BYTES))
			add_id(b, WHAT_SPAN, f.bytes);
	}
	CHECK(!pb_failed(&r));
}

static void
find_in_span(struct payload_body *b, struct str message)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		switch (pb_key(&f)) {
		case PB_KEY(1, PB_BYTES): add_id(b, WHAT_TRACE, f.bytes); break;
		case PB_KEY(2, PB_BYTES):
		case PB_KEY(4, PB_BYTES): add_id(b, WHAT_SPAN, f.bytes); break;
		case PB_KEY(7, PB_FIXED64):
		case PB_KEY(8, PB_FIXED64): add_time(b, &r, f.value); break;
		case PB_KEY(11, PB_BYTES): find_in_event(b, f.bytes); break;
		case PB_KEY(13, PB_BYTES): find_in_link(b, f.bytes); break;
		default: break;
		}
	}
	CHECK(!pb_failed(&r));
}

/* Request: ResourceSpans = 1 { ScopeSpans = 2 { Span = 2 } }. */
static void
find_places(struct payload_body *b, struct str message, unsigned depth)
{
	static const uint32_t fields[] = {1, 2, 2};
	struct pb_reader r;
	struct pb_field f;
	if (depth == ARRAY_LEN(fields)) {
		find_in_span(b, message);
		return;
	}
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(fields[depth], PB_BYTES))
			find_places(b, f.bytes, depth + 1);
	CHECK(!pb_failed(&r));
}

static void
encode_logs(const struct payload *p, uint64_t serial, uint64_t now_ns, struct payload_body *out)
{
	struct otlp_encoder e;
	buf_reset(&out->bytes);
	otlp_encode_begin(&e, SIGNAL_LOGS, &out->bytes);
	payload_logs(p, serial * p->spans, now_ns, &e);
	otlp_encode_end(&e);
	CHECK(!out->bytes.failed);
}

void
payload_encode(const struct payload *p, uint64_t serial, struct payload_body *out)
{
	CHECK(p->kind < PAYLOAD_KINDS);
	CHECK(p->spans > 0 && p->spans <= PAYLOAD_SPANS_MAX);
	CHECK(p->client < PAYLOAD_CLIENTS_MAX);
	if (p->kind == PAYLOAD_LOGS) {
		encode_logs(p, serial, PAYLOAD_NOW, out);
		return;
	}
	struct otlp_encoder e;
	uint64_t first = serial % payload_ring(p->kind, p->spans) * p->spans;
	buf_reset(&out->bytes);
	out->place_count = 0;
	otlp_encode_begin(&e, SIGNAL_TRACES, &out->bytes);
	kinds[p->kind].generate(p, first, &e);
	otlp_encode_end(&e);
	CHECK(!out->bytes.failed);
	find_places(out, buf_view(&out->bytes), 0);
	CHECK(out->place_count >= (size_t)p->spans * 4);
}

void
payload_patch(const struct payload *p, struct payload_body *b, uint64_t serial, uint64_t now_ns)
{
	if (p->kind == PAYLOAD_LOGS) {
		encode_logs(p, serial, now_ns, b);
		return;
	}
	uint64_t first = serial * p->spans;
	uint64_t trace = first / kinds[p->kind].trace_spans;
	for (size_t i = 0; i < b->place_count; i++) {
		const struct payload_place *place = &b->places[i];
		char *at = b->bytes.ptr + place->off;
		uint64_t value = (uint64_t)place->value;
		switch ((enum what)place->what) {
		case WHAT_TRACE:;
			struct payload_trace_id id = payload_trace_id(p, trace + value);
			put_u64be(at, id.hi);
			put_u64be(at + 8, id.lo);
			break;
		case WHAT_SPAN: put_u64be(at, payload_span_id(p, first + value)); break;
		case WHAT_TIME: put_u64le(at, now_ns + value); break;
		}
	}
}

void
payload_body_fini(struct payload_body *b)
{
	buf_fini(&b->bytes);
	free(b->places);
	*b = (struct payload_body){0};
}
