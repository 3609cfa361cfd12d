/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ledger.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/kit_test.h"
#include "bench/payload_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (UINT64_C(1795187531) * NS_PER_S)

static void
ack(struct ledger *l, struct payload *p, uint64_t serial)
{
	ledger_ack(l, &(struct load_acked){p, serial, 0, NOW + serial * NS_PER_MS});
}

TEST(bench_ledger, a_trace_is_there_when_all_its_requests_are)
{
	/* Ten spans a trace, four a request: trace 1 is spans 10 to 19, requests 2, 3 and 4. */
	struct payload p[2] = {{PAYLOAD_JAEGER, 0, 4, 7}, {PAYLOAD_JAEGER, 1, 4, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 4, 0, 2);
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
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 0, 3);
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
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 0, 1);
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
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 64, 0, 2);
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
		struct newest newest;
		for (unsigned service = 0; service < 10; service++) {
			ledger_newest_spans(l, service, &a, &newest);
			found += newest.total;
			assert_true(service != payload_jaeger_service(span) || newest.total > 0);
		}
		assert_int_equal(found, expected);
		ledger_newest_spans(l, LEDGER_ANY_SERVICE, &a, &newest);
		assert_int_equal(newest.total, expected);
		all += found;
	}
	assert_true(all > 20);
	struct newest none;
	ledger_newest_spans(l, 3, &(struct payload_attribute){97, 1}, &none);
	assert_int_equal(none.total, 0);
	assert_int_equal(none.count, 0);
	payload_body_fini(&body);
	ledger_free(l);
}

TEST(bench_ledger, services_are_those_with_a_span)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 0, 1);
	uint64_t spans[PAYLOAD_JAEGER_SERVICES];
	assert_int_equal(ledger_services(l, spans), 0);
	ack(l, &p, 3);
	ack(l, &p, 13);
	assert_int_equal(ledger_services(l, spans), 1);
	assert_int_equal(spans[3], 20);
	ack(l, &p, 4);
	assert_int_equal(ledger_services(l, spans), 2);
	assert_int_equal(spans[3], 20);
	assert_int_equal(spans[4], 10);
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

/* The start of every span as it was sent, by the times of the bodies. */
static size_t
read_starts(const struct payload *p, unsigned service, uint64_t requests, uint64_t *starts)
{
	struct payload_body body = {0};
	struct kit_request req = {0};
	char name[PAYLOAD_TEXT_BYTES];
	size_t n = 0;
	payload_jaeger_service_text(service, name);
	for (uint64_t serial = 0; serial < requests; serial += 2) {
		payload_encode(p, serial, &body);
		payload_patch(p, &body, serial, NOW + serial * NS_PER_MS);
		kit_read(buf_view(&body.bytes), &req);
		for (size_t i = 0; i < req.count; i++)
			if (str_eq(req.spans[i].service, str_from(name)))
				starts[n++] = req.spans[i].start_ns;
	}
	kit_request_fini(&req);
	payload_body_fini(&body);
	return n;
}

static int
later_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x < *y) - (*x > *y);
}

TEST(bench_ledger, the_newest_spans_are_those_with_the_latest_starts)
{
	struct payload p[2] = {{PAYLOAD_JAEGER, 3, 64, 7}, {PAYLOAD_JAEGER, 4, 64, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 64, 3, 2);
	uint64_t starts[2 * 64 * 40];
	struct newest newest;
	/* Of each client every second request; requests overlap in time. */
	for (uint64_t serial = 0; serial < 80; serial += 2) {
		ack(l, &p[0], serial);
		ack(l, &p[1], serial);
	}
	size_t n = read_starts(&p[0], 2, 80, starts);
	n += read_starts(&p[1], 2, 80, starts + n);
	qsort(starts, n, sizeof(starts[0]), later_first);
	ledger_newest_spans(l, 2, NULL, &newest);
	assert_int_equal(newest.total, n);
	assert_int_equal(newest.count, NEWEST_MAX);
	for (size_t i = 0; i < newest.count; i++)
		assert_int_equal(newest.items[i].time_ns, starts[i]);
	assert_true(ledger_has_client(l, 4));
	assert_false(ledger_has_client(l, 2));
	assert_false(ledger_has_client(l, 5));
	ledger_free(l);
}

TEST(bench_ledger, records_are_those_of_requests_that_were_acknowledged)
{
	struct payload p = {PAYLOAD_LOGS, 2, 50, 7}, got;
	struct ledger *l = ledger_new(PAYLOAD_LOGS, 50, 2, 1);
	struct newest newest;
	uint64_t n, random = 9;
	bool seen[8] = {false};
	assert_false(ledger_pick_record(l, &random, &got, &n));
	ack(l, &p, 1);
	ack(l, &p, 5);
	ack(l, &p, 6);
	assert_int_equal(ledger_spans(l), 150);
	for (int i = 0; i < 200; i++) {
		assert_true(ledger_pick_record(l, &random, &got, &n));
		assert_int_equal(got.client, 2);
		assert_true(n < 350);
		seen[n / 50] = true;
	}
	assert_true(seen[1] && seen[5] && seen[6]);
	assert_false(seen[0] || seen[2] || seen[3] || seen[4]);
	ledger_newest_records(l, PAYLOAD_FREQUENT, 4, &newest);
	assert_int_equal(newest.total, 15);
	for (size_t i = 0; i < 15; i++) {
		const struct newest_item *x = &newest.items[i];
		uint64_t serial = x->number / 50;
		assert_true(seen[serial]);
		assert_int_equal(payload_log_word(PAYLOAD_FREQUENT, x->number), 4);
		assert_int_equal(x->time_ns,
		    NOW + serial * NS_PER_MS - payload_log_age(&p, x->number));
		assert_true(i == 0 || x->time_ns <= newest.items[i - 1].time_ns);
	}
	ledger_newest_records(l, PAYLOAD_ONCE, 49, &newest); /* of a request that was not */
	assert_int_equal(newest.total, 0);
	ledger_newest_records(l, PAYLOAD_ONCE, 50, &newest);
	assert_int_equal(newest.total, 1);
	ledger_free(l);
}

TEST(bench_ledger, spans_are_counted_within_a_time)
{
	/* Requests overlap: one is made each ms, and their spans begin up to 12 ms before. */
	struct payload p[2] = {{PAYLOAD_JAEGER, 3, 47, 7}, {PAYLOAD_JAEGER, 4, 47, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 47, 3, 2);
	uint64_t random = 1, requests = 3 * payload_ring(PAYLOAD_JAEGER, 47), age_max = 0;
	for (uint64_t serial = 0; serial < requests; serial += 1 + serial % 3)
		ack(l, &p[serial % 2], serial);
	for (uint64_t i = 0; i < 60; i++) {
		uint64_t from, to, got[PAYLOAD_JAEGER_SERVICES],
		    want[PAYLOAD_JAEGER_SERVICES] = {0};
		assert_true(ledger_pick_time(l, &random, &from));
		/* Some short, some long, some without an end, some with nothing in them. */
		to = i % 4 == 3 ? UINT64_MAX : from + (i % 4) * payload_random(&random) % 90000000;
		for (uint64_t span = 0; span < requests * 47; span++) {
			uint64_t serial = span / 47, ns = ledger_span_ns(l, 3 + serial % 2, span);
			uint64_t age = payload_jaeger_age(&p[0], span);
			age_max = age > age_max ? age : age_max;
			if (ns == 0)
				continue;
			assert_int_equal(ns, NOW + serial * NS_PER_MS - age);
			want[payload_jaeger_service(span)] += ns >= from && ns < to;
		}
		ledger_services_between(l, from, to, got);
		assert_memory_equal(got, want, sizeof(got));
	}
	assert_int_equal(age_max, payload_jaeger_age_max(47));
	assert_int_equal(ledger_span_ns(l, 3, 47 * 5 + 1),
	    0); /* of a client that sends even ones */
	uint64_t all[PAYLOAD_JAEGER_SERVICES], got[PAYLOAD_JAEGER_SERVICES];
	ledger_services(l, all);
	ledger_services_between(l, 0, UINT64_MAX, got);
	assert_memory_equal(got, all, sizeof(got));
	ledger_free(l);
}

TEST(bench_ledger, a_moment_is_before_the_spans_of_a_request)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 47, 7};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 47, 0, 1);
	uint64_t random = 1, ns;
	bool seen[9] = {0};
	assert_false(ledger_pick_time(l, &random, &ns));
	for (uint64_t serial = 0; serial < 9; serial += 2)
		ack(l, &p, serial);
	for (int i = 0; i < 100; i++) {
		assert_true(ledger_pick_time(l, &random, &ns));
		uint64_t serial = (ns + payload_jaeger_age_max(47) - NOW) / NS_PER_MS;
		assert_true(serial < 9 && serial % 2 == 0);
		seen[serial] = true;
	}
	assert_true(seen[0] && seen[2] && seen[4] && seen[6] && seen[8]);
	ledger_free(l);
}

TEST(bench_ledger, traces_are_counted_of_which_anything_is_there)
{
	/* Requests 0, 1, 2 and 5 of 4 spans: of traces 0, 0 and 1, 1; and 20 to 23. */
	struct payload p[2] = {{PAYLOAD_JAEGER, 0, 4, 7}, {PAYLOAD_JAEGER, 1, 4, 7}};
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 4, 0, 2);
	assert_int_equal(ledger_traces(l), 0);
	ack(l, &p[0], 0);
	ack(l, &p[0], 1);
	assert_int_equal(ledger_traces(l), 1);
	ack(l, &p[0], 2);
	assert_int_equal(ledger_traces(l), 2);
	ack(l, &p[0], 5);
	assert_int_equal(ledger_traces(l), 3);
	ack(l, &p[1], 5); /* another client's are others */
	assert_int_equal(ledger_traces(l), 4);
	ledger_free(l);
}

TEST(bench_ledger, records_are_counted_since_a_time)
{
	struct payload p = {PAYLOAD_LOGS, 2, 50, 7};
	struct ledger *l = ledger_new(PAYLOAD_LOGS, 50, 2, 1);
	for (uint64_t serial = 0; serial < 8; serial += 2)
		ack(l, &p, serial);
	assert_int_equal(ledger_records_since(l, 0), 200);
	/* Of request 4 the last 20 are of that time or later. */
	uint64_t from = NOW + 4 * NS_PER_MS - payload_log_age(&p, 4 * 50 + 30);
	assert_int_equal(ledger_records_since(l, from), 20 + 50);
	assert_int_equal(ledger_records_since(l, from + 1), 19 + 50);
	assert_int_equal(ledger_records_since(l, NOW + 9 * NS_PER_MS), 0);
	ledger_free(l);
}
