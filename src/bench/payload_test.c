/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kit_test.h"

#include "tests/test.h"

#include "base/map.h"
#include "base/timefmt.h"
#include "bench/payload.h"
#include "otlp/otlp.h"

#include <stdlib.h>
#include <string.h>

#define NOW (UINT64_C(1795187531) * NS_PER_S)

/* Encoded and patched. */
static void
make(const struct payload *p, uint64_t serial, struct payload_body *body, struct kit_request *out)
{
	payload_encode(p, serial, body);
	payload_patch(p, body, serial, NOW);
	kit_read(buf_view(&body->bytes), out);
}

TEST(payload, the_server_accepts_every_span_of_both_kinds_at_every_size)
{
	static const uint32_t sizes[] = {1, 2, 5, 10, 64, 512, 4096};
	struct limits limits = limits_default();
	struct payload_body body = {0};
	for (int kind = 0; kind < PAYLOAD_LOGS; kind++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct payload p = {(enum payload_kind)kind, 3, sizes[i], 42};
			struct otlp_counts counts;
			struct err err = {0};
			payload_encode(&p, 7, &body);
			payload_patch(&p, &body, 7, NOW);
			if (otlp_scan(SIGNAL_TRACES, buf_view(&body.bytes), &limits, &counts,
			        &err) != ERR_OK)
				fail_msg("%s", err.message);
			assert_string_equal(counts.reason, "");
			assert_int_equal(counts.accepted, sizes[i]);
			assert_int_equal(counts.rejected, 0);
		}
	}
	payload_body_fini(&body);
}

TEST(payload, sdk_spans_have_the_attributes_events_and_links_that_are_claimed)
{
	struct payload p = {PAYLOAD_SDK, 0, 512, 1};
	struct payload_body body = {0};
	struct kit_request req = {0};
	uint64_t spans = 0, attributes = 0, events = 0, exceptions = 0, links = 0, bytes = 0;
	for (uint64_t serial = 0; serial < payload_ring(p.kind, p.spans); serial++) {
		make(&p, serial, &body, &req);
		assert_int_equal(req.resources, 1);
		assert_int_equal(req.resource_attributes, 12);
		assert_int_equal(req.scopes, 4);
		for (size_t i = 0; i < req.count; i++) {
			const struct kit_span *s = &req.spans[i];
			assert_in_range(s->attributes, 12, 13);
			assert_in_range(s->events, 0, 1);
			attributes += s->attributes;
			events += s->events;
			exceptions += s->exceptions;
			links += s->links;
		}
		spans += req.count;
		bytes += body.bytes.len;
	}
	assert_true(spans >= 8192);
	/* Shares in tenths of a percent. */
	assert_in_range(events * 1000 / spans, 285, 315);
	assert_in_range(exceptions * 1000 / spans, 33, 47);
	assert_in_range(links * 1000 / spans, 43, 57);
	assert_in_range(attributes * 10 / spans, 122, 126);
	assert_in_range(bytes / spans, 640, 720);
	kit_request_fini(&req);
	payload_body_fini(&body);
}

TEST(payload, jaeger_spans_have_11_attributes_and_roots_2_in_traces_of_10)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 100, 1};
	struct payload_body body = {0};
	struct kit_request req = {0};
	make(&p, 0, &body, &req);
	assert_int_equal(req.count, 100);
	assert_int_equal(req.resources, 10);
	for (size_t i = 0; i < req.count; i++) {
		const struct kit_span *s = &req.spans[i];
		const struct kit_span *root = &req.spans[i - i % 10];
		assert_int_equal(s->attributes, i % 10 ? 11 : 2);
		assert_int_equal(s->parent_id, i % 10 ? root->span_id : 0);
		assert_int_equal(s->trace_lo, root->trace_lo);
		assert_int_equal(s->end_ns - s->start_ns, (i % 10 ? 123000 : 9 * 123000));
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
}

TEST(payload, jaeger_values_come_from_97_keys_and_1000_values)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 512, 1};
	struct payload_body body = {0};
	bool keys[1000] = {false}, values[1000] = {false};
	size_t key_count = 0, value_count = 0;
	for (uint64_t serial = 0; serial < 4; serial++) {
		payload_encode(&p, serial, &body);
		const char *at = body.bytes.ptr, *end = at + body.bytes.len;
		for (; at + 8 < end; at++) {
			bool is_key = memcmp(at, "attr_", 5) == 0;
			if (!is_key && memcmp(at, "val_", 4) != 0)
				continue;
			char *rest;
			unsigned long n = strtoul(at + (is_key ? 5 : 4), &rest, 10);
			assert_true(n < 1000);
			bool *seen = is_key ? &keys[n] : &values[n];
			*(is_key ? &key_count : &value_count) += !*seen;
			*seen = true;
		}
	}
	assert_int_equal(key_count, 97);
	assert_int_equal(value_count, 1000);
	payload_body_fini(&body);
}

/* Ids of many requests of two clients: of spans and of traces, which have so many spans. */
static void
check_distinct(enum payload_kind kind, uint32_t spans, uint64_t requests)
{
	struct map seen_spans = {0}, seen_traces = {0};
	struct payload_body body = {0};
	struct kit_request req = {0};
	for (uint32_t client = 0; client < 2; client++) {
		struct payload p = {kind, client, spans, 99};
		uint64_t ring = payload_ring(kind, spans);
		payload_encode(&p, 3, &body);
		for (uint64_t i = 0; i < requests; i++) {
			payload_patch(&p, &body, 3 + i * ring, NOW + i);
			kit_read(buf_view(&body.bytes), &req);
			assert_int_equal(req.count, spans);
			for (size_t k = 0; k < req.count; k++) {
				const struct kit_span *s = &req.spans[k];
				assert_null(map_get(&seen_spans, s->span_id));
				assert_true(map_put(&seen_spans, s->span_id, s->trace_lo));
				assert_true(s->trace_hi != 0 && s->trace_hi != s->trace_lo);
				const uint64_t *found = map_get(&seen_traces, s->trace_lo);
				uint64_t count = found ? *found : 0;
				assert_true(count < payload_trace_spans(kind));
				assert_true(map_put(&seen_traces, s->trace_lo, count + 1));
			}
		}
	}
	assert_int_equal(seen_spans.count, 2 * requests * spans);
	map_fini(&seen_spans);
	map_fini(&seen_traces);
	kit_request_fini(&req);
	payload_body_fini(&body);
}

TEST(payload, a_patched_body_never_repeats_an_id)
{
	check_distinct(PAYLOAD_SDK, 64, 50);
	check_distinct(PAYLOAD_SDK, 1, 500);
	check_distinct(PAYLOAD_JAEGER, 64, 50);
	check_distinct(PAYLOAD_JAEGER, 7, 100);
}

/* All requests of a ring and a half, one behind the other. */
static size_t
read_run(const struct payload *p, struct kit_span **out)
{
	struct payload_body body = {0};
	struct kit_request req = {0};
	uint64_t requests = payload_ring(p->kind, p->spans) * 3 / 2;
	size_t count = 0;
	struct kit_span *spans = calloc(requests * p->spans, sizeof(*spans));
	assert_non_null(spans);
	for (uint64_t serial = 0; serial < requests; serial++) {
		make(p, serial, &body, &req);
		for (size_t i = 0; i < req.count; i++) {
			spans[count] = req.spans[i];
			spans[count++].service = STR_EMPTY;
		}
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
	*out = spans;
	return count;
}

/* Traces go on from one request to the next, over the end of the ring too: parents and links are spans
 * that were sent, of the trace they belong to. */
static void
check_tree(enum payload_kind kind, uint32_t per_request)
{
	struct payload p = {kind, 1, per_request, 5};
	struct kit_span *spans;
	size_t count = read_run(&p, &spans), roots = 0;
	struct map by_id = {0}, traces = {0};
	for (size_t i = 0; i < count; i++) {
		assert_true(map_put(&by_id, spans[i].span_id, i));
		assert_true(map_put(&traces, spans[i].trace_lo, i));
	}
	for (size_t i = 0; i < count; i++) {
		const struct kit_span *s = &spans[i];
		roots += s->parent_id == 0;
		if (s->parent_id) {
			uint64_t *parent = map_get(&by_id, s->parent_id);
			assert_non_null(parent);
			assert_int_equal(spans[*parent].trace_lo, s->trace_lo);
		}
		uint64_t *linked = s->links ? map_get(&by_id, s->link_span) : NULL;
		/* The first trace has none before it. */
		if (s->links && s->trace_lo != payload_trace_id(&p, 0).lo)
			assert_non_null(linked);
		if (linked) {
			assert_int_equal(spans[*linked].trace_lo, s->link_lo);
			assert_int_not_equal(s->link_lo, s->trace_lo);
		}
	}
	uint64_t per = payload_trace_spans(kind);
	assert_int_equal(traces.count, (count + per - 1) / per);
	assert_int_equal(roots, traces.count);
	map_fini(&by_id);
	map_fini(&traces);
	free(spans);
}

TEST(payload, traces_are_trees_whatever_the_size_of_a_request)
{
	check_tree(PAYLOAD_SDK, 1);
	check_tree(PAYLOAD_SDK, 64);
	check_tree(PAYLOAD_SDK, 512);
	check_tree(PAYLOAD_JAEGER, 1);
	check_tree(PAYLOAD_JAEGER, 64);
	check_tree(PAYLOAD_JAEGER, 512);
}

TEST(payload, the_ids_are_those_that_are_told)
{
	struct payload p = {PAYLOAD_JAEGER, 2, 20, 1234};
	struct payload_body body = {0};
	struct kit_request req = {0};
	make(&p, 6, &body, &req); /* spans 120 to 139, traces 12 and 13 */
	for (size_t i = 0; i < req.count; i++) {
		struct payload_trace_id id = payload_trace_id(&p, 12 + i / 10);
		assert_int_equal(req.spans[i].trace_hi, id.hi);
		assert_int_equal(req.spans[i].trace_lo, id.lo);
		assert_int_equal(req.spans[i].span_id, payload_span_id(&p, 120 + i));
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
}

TEST(payload, ids_tell_whose_they_are)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 20, 1234}, got = {PAYLOAD_JAEGER, 99, 20, 1234};
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t span = i * i * i * 1009, number;
		p.client = (uint32_t)(i * 7 % PAYLOAD_CLIENTS_MAX);
		struct payload_trace_id trace = payload_trace_id(&p, span / 10);
		uint64_t id = payload_span_id(&p, span);
		assert_true(payload_span_of(&got, trace, id, &number));
		assert_int_equal(got.client, p.client);
		assert_int_equal(number, span);
		got.client = 0;
		assert_true(payload_trace_of(&got, trace, &number));
		assert_int_equal(got.client, p.client);
		assert_int_equal(number, span / 10);
		/* Of another trace, or of none; made with another salt. */
		trace.lo++;
		assert_false(payload_span_of(&got, trace, id, &number));
		assert_false(payload_trace_of(&got, trace, &number));
		trace.lo--;
		trace.hi++;
		assert_false(payload_span_of(&got, trace, id, &number));
		trace.hi--;
		assert_false(payload_span_of(&got, trace, id + 1, &number));
		got.salt += 1000003; /* salts next to each other share ids */
		assert_false(payload_span_of(&got, trace, id, &number));
		got.salt += UINT64_C(1) << 63;
		assert_false(payload_trace_of(&got, trace, &number));
		got.salt -= (UINT64_C(1) << 63) + 1000003;
	}
}

TEST(payload, times_are_just_before_now_and_in_order)
{
	struct payload_body body = {0};
	struct kit_request req = {0};
	for (int kind = 0; kind < PAYLOAD_LOGS; kind++) {
		struct payload p = {(enum payload_kind)kind, 0, 512, 7};
		make(&p, 4, &body, &req);
		for (size_t i = 0; i < req.count; i++) {
			const struct kit_span *s = &req.spans[i];
			assert_true(s->start_ns < s->end_ns);
			assert_true(s->end_ns < NOW);
			assert_true(s->start_ns > NOW - NS_PER_S);
			if (s->events) {
				assert_true(s->event_ns >= s->start_ns);
				assert_true(s->event_ns <= s->end_ns);
			}
		}
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
}

TEST(payload, bodies_of_a_ring_differ_in_more_than_ids)
{
	struct payload p = {PAYLOAD_SDK, 0, 1, 7};
	struct payload_body a = {0}, b = {0};
	uint64_t ring = payload_ring(p.kind, p.spans);
	assert_true(ring >= 8192);
	payload_encode(&p, 0, &a);
	/* The same position in a trace, another trace. */
	payload_encode(&p, 5, &b);
	payload_patch(&p, &a, 0, NOW);
	payload_patch(&p, &b, 0, NOW);
	assert_false(str_eq(buf_view(&a.bytes), buf_view(&b.bytes)));
	/* Once round: the same body. */
	payload_encode(&p, ring, &b);
	payload_patch(&p, &b, 0, NOW);
	assert_true(str_eq(buf_view(&a.bytes), buf_view(&b.bytes)));
	payload_body_fini(&a);
	payload_body_fini(&b);
}

TEST(payload, kinds_have_names)
{
	enum payload_kind kind = PAYLOAD_SDK;
	assert_true(payload_parse(STR("jaeger"), &kind));
	assert_int_equal(kind, PAYLOAD_JAEGER);
	assert_true(payload_parse(STR("sdk"), &kind));
	assert_int_equal(kind, PAYLOAD_SDK);
	assert_false(payload_parse(STR("SDK"), &kind));
	assert_false(payload_parse(STR("logs"), &kind)); /* not of spans */
	assert_false(payload_parse(STR_EMPTY, &kind));
	assert_string_equal(payload_name(PAYLOAD_JAEGER), "jaeger");
}
