/* SPDX-License-Identifier: Apache-2.0 */
/* The load against a server that reads what it is sent. */
#include "bench/load_priv.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/kit_server_test.h"
#include "otlp/otlp.h"
#include "sys/clock.h"

#include <string.h>

/* One client, of a tenant. */
static struct load *
connect_refused(struct kit_server *s, enum load_refused refused)
{
	struct load *l = NULL;
	struct err err = {0};
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_SDK,
	    .spans = 5,
	    .connections = 1,
	    .inflight = 4,
	    .salt = 78,
	    .tenant = "greedy",
	    .refused = refused};
	if (load_new(&opt, &l, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return l;
}

TEST(bench_load, every_request_arrives_whole_and_no_span_twice)
{
	struct kit_server *s = kit_server_start(64);
	struct load *l = kit_load(s, PAYLOAD_SDK, 64, false);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 700}; /* more than the rings of three clients */
	struct err err = {0};
	for (uint64_t run = 1; run <= 2; run++) {
		assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
		assert_int_equal(r.requests, 700);
		assert_int_equal(r.spans, 700 * 64);
		assert_int_equal(r.latency.count, 700);
		assert_int_equal(r.body_bytes, r.wire_bytes);
		assert_true(r.end_mono_ns > r.start_mono_ns);
		assert_false(r.used_up);
		assert_int_equal(s->requests, run * 700);
		assert_int_equal(s->spans.count, run * 700 * 64);
	}
	assert_false(s->broken);
	assert_int_equal(s->gzip_requests, 0);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, a_body_that_is_in_flight_is_not_patched)
{
	struct kit_server *s = kit_server_start(600);
	/* Rings of 16 bodies. */
	struct load *l = kit_load_inflight(s, PAYLOAD_SDK, 600, false, 40);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 150};
	struct err err = {0};
	assert_int_equal(payload_ring(PAYLOAD_SDK, 600), 16);
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 150);
	assert_int_equal(s->spans.count, 150 * 600);
	assert_false(s->broken);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, log_records_go_to_their_own_service)
{
	struct kit_server *s = kit_server_start(64);
	struct load *l = NULL;
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_LOGS,
	    .spans = 64,
	    .connections = 1,
	    .first_client = 2,
	    .inflight = 4,
	    .salt = 77};
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 50};
	struct err err = {0};
	assert_int_equal(load_new(&opt, &l, &err), ERR_OK);
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.spans, 50 * 64);
	assert_int_equal(s->records, 50 * 64);
	assert_int_equal(s->spans.count, 0);
	assert_int_equal(load_started_spans(l), 50 * 64);
	assert_false(s->broken);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, a_gzip_client_sends_what_was_prepared_once_and_then_stops)
{
	struct kit_server *s = kit_server_start(10);
	struct load *l = kit_load(s, PAYLOAD_JAEGER, 10, true);
	struct load_result r = {0};
	struct load_plan plan = {.duration_ns = 60 * NS_PER_S};
	struct err err = {0};
	for (uint64_t run = 1; run <= 2; run++) {
		assert_int_equal(load_prepare(l, 100, &err), ERR_OK);
		assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
		assert_int_equal(r.requests, 100);
		assert_true(r.used_up);
		assert_true(r.wire_bytes < r.body_bytes);
	}
	assert_int_equal(s->gzip_requests, 200);
	assert_int_equal(s->spans.count, 2000);
	assert_false(s->broken);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, a_refusal_is_counted_waited_for_and_not_acknowledged)
{
	struct kit_server *s = kit_server_start(5);
	struct load *l = kit_load(s, PAYLOAD_SDK, 5, false);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 30};
	struct err err = {0};
	s->answer = KIT_ANSWER_BUSY_ONCE;
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.refused_requests, 1);
	assert_int_equal(r.requests, 29);
	assert_int_equal(s->requests, 30);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

/* Every request that was begun is taken once or abandoned at the end; the sums agree with what the server saw. */
static void
refused_often(enum load_refused refused, uint64_t busy_ms)
{
	struct kit_server *s = kit_server_start(5);
	struct load *l = connect_refused(s, refused);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 60, .spans_per_s = 5 * 500.0};
	struct err err = {0};
	uint64_t abandoned = 0;
	s->answer = KIT_ANSWER_BUSY_OFTEN;
	s->busy_ms = busy_ms;
	for (uint64_t run = 1; run <= 2; run++) {
		assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
		assert_int_equal(r.requests, 20);
		assert_int_equal(r.refused_requests, 40);
		assert_in_range(r.abandoned_requests, 0, 4);
		abandoned += r.abandoned_requests;
		assert_int_equal(s->begun.count, s->taken + abandoned);
		assert_int_equal(s->requests, run * 60);
		assert_int_equal(s->taken, run * 20);
		assert_int_equal(s->spans.count, s->taken * 5);
	}
	assert_false(s->broken);
	assert_string_equal(s->tenant, "greedy");
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, a_refused_request_is_sent_again_until_it_is_taken)
{
	refused_often(LOAD_RETRIES, 2);
	refused_often(LOAD_INSISTS, 20000); /* which nobody waits for */
}

/* One call at a time: the next comes no sooner than the server said, or does not care. */
TEST(bench_load, who_retries_waits_as_long_as_was_said)
{
	struct kit_server *s = kit_server_start(5);
	struct load *l = NULL;
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 9};
	struct err err = {0};
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_SDK,
	    .spans = 5,
	    .connections = 1,
	    .inflight = 1,
	    .refused = LOAD_RETRIES};
	assert_int_equal(load_new(&opt, &l, &err), ERR_OK);
	s->answer = KIT_ANSWER_BUSY_OFTEN;
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 3);
	assert_int_equal(r.abandoned_requests, 0);
	assert_int_equal(s->hurried, 0);
	assert_true(r.end_mono_ns - r.start_mono_ns >= 6 * s->busy_ms * NS_PER_MS);
	assert_string_equal(s->tenant, "");
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, whatever_else_is_not_full_success_ends_the_run)
{
	static const struct {
		enum kit_answer answer;
		const char *said;
	} cases[] = {
	    {KIT_ANSWER_FAIL, "not now (grpc-status 13)"}, {KIT_ANSWER_REJECT, "rejected 2 spans"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kit_server *s = kit_server_start(5);
		struct load *l = kit_load(s, PAYLOAD_SDK, 5, false);
		struct load_result r = {0};
		struct load_plan plan = {.duration_ns = 60 * NS_PER_S};
		struct err err = {0};
		s->answer = cases[i].answer;
		assert_int_not_equal(load_run(l, &plan, &r, &err), ERR_OK);
		if (!strstr(err.message, cases[i].said))
			fail_msg("%s", err.message);
		load_free(l);
		kit_server_stop(s);
		load_result_fini(&r);
	}
}

/* ---- connections that are lost */

struct trouble {
	struct kit_server *s;
	atomic_uint_fast64_t acks;
	void (*make)(struct kit_server *s, uint64_t acks);
};

static void
count_and_make(void *ctx, const struct load_acked *acked)
{
	struct trouble *t = ctx;
	(void)acked;
	t->make(t->s, atomic_fetch_add(&t->acks, 1) + 1);
}

/* Cut at once, and asked to go. */
static void
restart_twice(struct kit_server *s, uint64_t acks)
{
	if (acks == 100 || acks == 200)
		kit_server_restart(s, acks == 100 ? 0 : 1000);
}

/* Requests whose answers were lost come twice, so the server may say that spans did. */
TEST(bench_load, what_a_lost_connection_leaves_without_an_answer_is_sent_again)
{
	static const struct load_plan plans[] = {
	    {.requests_max = 400}, {.requests_max = 400, .spans_per_s = 5 * 2000.0}};
	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		struct kit_server *s = kit_server_start(5);
		struct load *l = kit_load(s, PAYLOAD_SDK, 5, false);
		struct load_result r = {0};
		struct trouble t = {.s = s, .make = restart_twice};
		struct load_plan plan = plans[i];
		struct err err = {0};
		plan.on_ack = count_and_make;
		plan.ctx = &t;
		if (load_run(l, &plan, &r, &err) != ERR_OK)
			fail_msg("%s", err.message);
		assert_int_equal(r.requests, 400);
		assert_int_equal(r.refused_requests, 0);
		assert_true(r.lost_connections >= 2);
		assert_int_equal(s->spans.count, 400 * 5);
		assert_int_equal(load_started_spans(l), 400 * 5);
		load_free(l);
		kit_server_stop(s);
		load_result_fini(&r);
	}
}

static void
stop_for_good(struct kit_server *s, uint64_t acks)
{
	if (acks == 100)
		kit_server_stop_grpc(s, 0);
}

TEST(bench_load, a_server_that_does_not_come_back_is_an_error)
{
	struct kit_server *s = kit_server_start(5);
	struct load *l = NULL;
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_SDK,
	    .spans = 5,
	    .connections = 1,
	    .inflight = 4,
	    .patience_ms = 300};
	struct load_result r = {0};
	struct trouble t = {.s = s, .make = stop_for_good};
	struct load_plan plan = {.duration_ns = 60 * NS_PER_S, .on_ack = count_and_make, .ctx = &t};
	struct err err = {0};
	assert_int_equal(load_new(&opt, &l, &err), ERR_OK);
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, ", and no answer came in 0 s after that"));
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

/* There is nothing to come back. */
TEST(bench_load, who_was_never_answered_ends_at_once)
{
	struct kit_server *s = kit_server_start(5);
	struct load *l = NULL;
	struct load_options opt = {.grpc = str_from(s->url),
	    .payload = PAYLOAD_SDK,
	    .spans = 5,
	    .connections = 1,
	    .inflight = 4,
	    .patience_ms = 600000};
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 10};
	struct err err = {0};
	assert_int_equal(load_new(&opt, &l, &err), ERR_OK);
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "is it the port for gRPC?"));
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, a_paced_run_takes_as_long_as_its_rate_says)
{
	struct kit_server *s = kit_server_start(10);
	struct load *l = kit_load(s, PAYLOAD_SDK, 10, false);
	struct load_result r = {0};
	/* 60 requests, 20 a client, 200 a second: the last is due after 19 * 15 ms. */
	struct load_plan plan = {.requests_max = 60, .spans_per_s = 2000};
	struct err err = {0};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 60);
	assert_true(r.end_mono_ns - r.start_mono_ns >= 19 * 15 * NS_PER_MS);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, what_is_due_and_has_no_turn_is_counted)
{
	struct kit_server *s = kit_server_start(10);
	/* A client has one call in flight, and the server holds each for 50 ms: of 3 times 50 calls due
	 * in half a second at most 3 times 11 leave. */
	struct load *l = kit_load_inflight(s, PAYLOAD_SDK, 10, false, 1);
	struct load_result r = {0};
	struct load_plan plan = {.duration_ns = NS_PER_S / 2, .spans_per_s = 3000};
	struct err err = {0};
	s->hold_ns = 50 * NS_PER_MS;
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests + r.unsent_requests, 150);
	assert_true(r.requests <= 33);
	/* Nobody was kept waiting for what was not due any more. */
	plan = (struct load_plan){.requests_max = 3, .spans_per_s = 3000};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.unsent_requests, 0);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, runs_may_be_further_apart_than_the_server_keeps_idle_connections)
{
	enum { IDLE_MS = 200 };
	struct kit_server *s = kit_server_start_impatient(10, IDLE_MS);
	struct load *l = kit_load(s, PAYLOAD_SDK, 10, false);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 30};
	struct err err = {0};
	for (unsigned i = 0; i < 2; i++) {
		clock_sleep_ns(3 * IDLE_MS * NS_PER_MS);
		if (load_run(l, &plan, &r, &err) != ERR_OK)
			fail_msg("%s", err.message);
		assert_int_equal(r.requests, 30);
	}
	assert_int_equal(s->requests, 60);
	assert_false(s->broken);
	load_free(l);
	kit_server_stop(s);
	load_result_fini(&r);
}

TEST(bench_load, nobody_there_is_an_error)
{
	struct load *l;
	struct err err = {0};
	struct load_options opt = {
	    .grpc = STR("127.0.0.1:1"), .spans = 1, .connections = 1, .inflight = 1};
	assert_int_equal(load_new(&opt, &l, &err), ERR_UNAVAILABLE);
	assert_null(l);
	assert_non_null(strstr(err.message, "127.0.0.1:1"));
}

TEST(bench_load, the_delay_of_a_refusal_is_read)
{
	struct buf b = {0};
	uint64_t ns = 0;
	otlp_write_status(ERR_BUSY, STR("later"), 1250, false, &b);
	assert_true(load_retry_delay(buf_view(&b), &ns));
	assert_int_equal(ns, 1250 * NS_PER_MS);
	buf_reset(&b);
	otlp_write_status(ERR_TOO_LARGE, STR("never"), 0, false, &b);
	assert_false(load_retry_delay(buf_view(&b), &ns));
	assert_false(load_retry_delay(STR_EMPTY, &ns));
	assert_false(load_retry_delay(STR("\xff\xff\xff"), &ns));
	buf_fini(&b);
}
