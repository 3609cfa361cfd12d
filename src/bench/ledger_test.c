/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "tests/test.h"

#include "bench/kit_test.h"

#include <stdio.h>
#include <string.h>

static void
ack(struct ledger *l, struct payload *p, uint64_t serial)
{
	ledger_ack(l, &(struct load_acked){p, serial, 0});
}

TEST(bench_ledger, a_trace_is_there_when_all_its_requests_are)
{
	/* Ten spans a trace, four a request: trace 1 is spans 10 to 19, requests 2, 3 and 4. */
	struct payload p[2] = {{PAYLOAD_JAEGER, 0, 4, 7}, {PAYLOAD_JAEGER, 1, 4, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 4, 2);
	ack(l, &p[1], 2);
	ack(l, &p[1], 4);
	assert_false(ledger_has_trace(l, 1, 1));
	ack(l, &p[0], 3); /* of the other client */
	assert_false(ledger_has_trace(l, 1, 1));
	ack(l, &p[1], 3);
	assert_true(ledger_has_trace(l, 1, 1));
	assert_false(ledger_has_trace(l, 1, 0));
	assert_false(ledger_has_trace(l, 1, 2));
	assert_false(ledger_has_trace(l, 0, 1));
	assert_int_equal(ledger_spans(l), 16);
	ledger_free(l);
	ledger_free(NULL);
}

TEST(bench_ledger, only_whole_traces_are_picked_and_all_of_them)
{
	struct payload p[3] = {
	    {PAYLOAD_JAEGER, 0, 10, 7}, {PAYLOAD_JAEGER, 1, 10, 7}, {PAYLOAD_JAEGER, 2, 10, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 3);
	struct payload got;
	uint64_t trace, random = 1;
	unsigned seen[3][50] = {0};
	assert_false(ledger_pick_trace(l, &random, &got, &trace));
	for (uint64_t serial = 0; serial < 50; serial++)
		if (serial % 3 != 1)
			ack(l, &p[serial % 2 ? 0 : 2], serial);
	for (int i = 0; i < 2000; i++) {
		assert_true(ledger_pick_trace(l, &random, &got, &trace));
		assert_true(trace < 50 && trace % 3 != 1);
		assert_int_equal(got.client, trace % 2 ? 0 : 2);
		assert_int_equal(got.salt, 7);
		seen[got.client][trace]++;
	}
	for (uint64_t t = 0; t < 50; t++)
		assert_true(t % 3 == 1 || seen[t % 2 ? 0 : 2][t] > 0);
	ledger_free(l);
}

TEST(bench_ledger, serials_may_be_far_apart)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 1);
	ack(l, &p, 0);
	ack(l, &p, 1000003);
	assert_true(ledger_has_trace(l, 0, 0));
	assert_true(ledger_has_trace(l, 0, 1000003));
	assert_false(ledger_has_trace(l, 0, 1000002));
	assert_false(ledger_has_trace(l, 0, 1000004));
	ledger_free(l);
}

/* How often text stands in a body, by its bytes. */
static uint64_t
count_in(struct str body, const char *text, size_t len)
{
	uint64_t n = 0;
	for (size_t i = 0; i + len <= body.len; i++)
		n += memcmp(body.ptr + i, text, len) == 0;
	return n;
}

/* KeyValue { key = 1: "attr_NN", value = 2: { string_value = 1: "val_NN" } } as bytes. */
static size_t
encode_pair(struct payload_attribute a, char out[64])
{
	char key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
	payload_jaeger_attribute_text(a, key, value);
	size_t k = strlen(key), v = strlen(value);
	int n =
	    snprintf(out, 64, "\x0a%c%s\x12%c\x0a%c%s", (int)k, key, (int)(v + 2), (int)v, value);
	/* Another value that begins like this one is longer, and its length stands before it. */
	assert_true(n > 0 && n < 64);
	return (size_t)n;
}

TEST(bench_ledger, spans_with_an_attribute_are_as_many_as_in_the_bodies)
{
	struct payload p[2] = {{PAYLOAD_JAEGER, 0, 64, 7}, {PAYLOAD_JAEGER, 1, 64, 7}};
	uint64_t ring = payload_ring(PAYLOAD_JAEGER, 64), random = 5, all = 0;
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 64, 2);
	struct payload_body body = {0};
	char pair[64];
	/* Some bodies often, some once, some never. */
	for (uint64_t serial = 0; serial < 3 * ring; serial += 1 + serial % 4)
		ack(l, &p[serial % 2], serial);
	for (int i = 0; i < 20; i++) {
		struct payload got;
		struct payload_attribute a;
		uint64_t trace, expected = 0, found = 0;
		assert_true(ledger_pick_trace(l, &random, &got, &trace));
		uint64_t span = (trace * 10 + 1 + (uint64_t)i % 9) % (ring * 64);
		assert_true(payload_jaeger_attribute(span, (unsigned)i % 11, &a));
		size_t len = encode_pair(a, pair);
		for (uint64_t serial = 0; serial < 3 * ring; serial += 1 + serial % 4) {
			payload_encode(&got, serial, &body);
			expected += count_in(buf_view(&body.bytes), pair, len);
		}
		for (unsigned service = 0; service < 10; service++)
			found += ledger_count(l, service, a);
		assert_int_equal(found, expected);
		assert_true(ledger_count(l, payload_jaeger_service(span), a) > 0);
		all += found;
	}
	assert_true(all > 20);
	assert_int_equal(ledger_count(l, 3, (struct payload_attribute){97, 1}), 0);
	payload_body_fini(&body);
	ledger_free(l);
}

TEST(bench_ledger, services_are_those_with_a_span)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 1);
	assert_int_equal(ledger_services(l), 0);
	ack(l, &p, 3);
	ack(l, &p, 13);
	assert_int_equal(ledger_services(l), 1);
	ack(l, &p, 4);
	assert_int_equal(ledger_services(l), 2);
	ledger_free(l);
}

TEST(bench_ledger, a_body_names_the_service_that_is_told_of_its_spans)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 30, 7};
	struct payload_body body = {0};
	struct kit_request req = {0};
	char name[PAYLOAD_TEXT_BYTES];
	payload_encode(&p, 5, &body);
	payload_patch(&p, &body, 5, 1000000000000);
	kit_read(buf_view(&body.bytes), &req);
	assert_int_equal(req.count, 30);
	for (size_t i = 0; i < req.count; i++) {
		uint64_t span = 5 * 30;
		while (payload_span_id(&p, span) != req.spans[i].span_id)
			assert_true(span++ < 6 * 30);
		payload_jaeger_service_text(payload_jaeger_service(span), name);
		assert_true(str_eq(req.spans[i].service, str_from(name)));
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
}
