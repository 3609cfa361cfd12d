/* SPDX-License-Identifier: Apache-2.0 */
/* The load against a server of gRPC that reads what it is sent, and against an API that is played. */
#include "bench/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "bench/load_priv.h"
#include "bench/server.h"
#include "bench/watch.h"
#include "grpc/grpc.h"
#include "http/http.h"
#include "otlp/otlp.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum answer {
	ANSWER_OK,
	ANSWER_BUSY_ONCE,
	ANSWER_BUSY_OFTEN,
	ANSWER_BUSY,
	ANSWER_REJECT,
	ANSWER_FAIL
};

/* What the server saw. */
struct seen {
	struct limits limits;
	struct stats stats;
	struct grpc_server *grpc;
	struct http_server *api;
	char address[32], url[48];
	struct mutex lock;
	enum answer answer;
	uint64_t hold_ns; /* before each answer */
	struct map spans; /* id -> request */
	uint64_t requests, gzip_requests;
	struct map begun; /* first span of each request, however often it came */
	uint64_t taken, refusals, hurried; /* of ANSWER_BUSY_OFTEN */
	uint64_t refused_at_ns, busy_ms; /* and what a refusal says */
	char tenant[80];
	struct kit_request request;
	bool broken; /* a span came twice, or a request with other than `expected` spans */
	uint64_t expected;
	unsigned polls_until_visible; /* of each trace */
	struct map polls; /* trace id lo -> how often it was asked for */
	uint64_t metrics_polls;
	unsigned
	    hot_rows; /* then one less at every look, down to hot_rows_min; 0: it does not tell */
	unsigned hot_rows_min;
};

static void
read_request(struct seen *s, struct str body)
{
	kit_read(body, &s->request);
	s->requests++;
	s->broken = s->broken || s->request.count != s->expected;
	for (size_t i = 0; i < s->request.count; i++) {
		uint64_t id = s->request.spans[i].span_id;
		s->broken = s->broken || map_get(&s->spans, id) || !map_put(&s->spans, id, 1);
	}
}

/* Two of three are refused: a span of a request that was taken never comes again, one of a refused request does. */
static enum answer
take_or_refuse(struct seen *s, struct str body)
{
	uint64_t now = clock_mono_ns();
	kit_read(body, &s->request);
	assert_true(map_put(&s->begun, s->request.spans[0].span_id, 1));
	s->hurried += s->refusals > 0 && now < s->refused_at_ns + s->busy_ms * NS_PER_MS;
	if (s->requests++ % 3 != 2) {
		s->refusals++;
		s->refused_at_ns = now;
		return ANSWER_BUSY;
	}
	s->taken++;
	for (size_t i = 0; i < s->request.count; i++) {
		uint64_t id = s->request.spans[i].span_id;
		s->broken = s->broken || map_get(&s->spans, id) || !map_put(&s->spans, id, 1);
	}
	return ANSWER_OK;
}

static void
handle_grpc(void *ctx, struct grpc_call *call)
{
	struct seen *s = ctx;
	struct buf message = {0}, details = {0};
	struct grpc_answer answer = {.code = ERR_OK};
	struct otlp_counts counts = {.rejected = 2, .reason = "because"};
	mutex_lock(&s->lock);
	s->gzip_requests += grpc_call_header(call, STR("grpc-encoding")).len > 0;
	snprintf(s->tenant, sizeof(s->tenant), "%.*s",
	    STR_ARG(grpc_call_header(call, STR("x-scope-orgid"))));
	enum answer kind = s->answer;
	if (kind == ANSWER_BUSY_OFTEN)
		kind = take_or_refuse(s, buf_view(grpc_call_message(call)));
	else
		read_request(s, buf_view(grpc_call_message(call)));
	if (kind == ANSWER_BUSY_ONCE)
		s->answer = ANSWER_OK;
	uint64_t hold_ns = s->hold_ns;
	mutex_unlock(&s->lock);
	clock_sleep_ns(hold_ns);
	if (kind == ANSWER_REJECT) {
		otlp_write_response(SIGNAL_TRACES, &counts, false, &message);
		answer.message = buf_view(&message);
	} else if (kind != ANSWER_OK) {
		answer.code = kind == ANSWER_FAIL ? ERR_INTERNAL : ERR_BUSY;
		answer.text = STR("not now");
		if (kind == ANSWER_BUSY_ONCE || kind == ANSWER_BUSY)
			otlp_write_status(ERR_BUSY, STR("later"), s->busy_ms, false, &details);
		answer.details = buf_view(&details);
	}
	grpc_respond(call, &answer);
	buf_fini(&message);
	buf_fini(&details);
}

/* A trace is 404, then has 1 span, then all, as often as it is asked for. */
static void
answer_trace(struct seen *s, struct str path, struct http_answer *answer)
{
	uint64_t lo;
	assert_true(hex_to_u64(path.ptr + path.len - 16, 16, &lo));
	uint64_t *asked = map_get(&s->polls, lo);
	uint64_t times = asked ? *asked : 0;
	assert_true(map_put(&s->polls, lo, times + 1));
	answer->status = times == 0 && s->polls_until_visible > 0 ? 404 : 200;
	buf_printf(&answer->body, "{\"trace_id\":{\"span_count\":99},\"span_count\":%u}",
	    times < s->polls_until_visible ? 1 : 10);
}

static void
answer_metrics(struct seen *s, struct http_answer *answer)
{
	uint64_t lag = s->metrics_polls < 3 ? 3 - s->metrics_polls : 0;
	s->metrics_polls++;
	buf_printf(&answer->body,
	    "# HELP weir_lag_bytes x\nweir_lag_bytes_other 77\nweir_lag_bytes %llu\n"
	    "weir_loaded_seq 1\nweir_wal_durable_seq 2\nweir_wal_bytes_total 1e3\n"
	    "weir_wal_commits_total 5 1700000000\nweir_load_rows_total 6\n",
	    (unsigned long long)lag);
	if (s->hot_rows == 0)
		return;
	buf_printf(&answer->body,
	    "weir_hot_rows{signal=\"traces\"} %u\nweir_hot_rows{signal=\"logs\"} 2\n", s->hot_rows);
	if (s->hot_rows > s->hot_rows_min)
		s->hot_rows--;
}

static void
handle_api(void *ctx, struct http_request *req)
{
	struct seen *s = ctx;
	struct str path = http_request_path(req);
	struct http_answer answer = {.status = 200, .content_type = "application/json"};
	mutex_lock(&s->lock);
	if (str_eq(path, STR("/metrics")))
		answer_metrics(s, &answer);
	else
		answer_trace(s, path, &answer);
	mutex_unlock(&s->lock);
	http_respond(req, &answer);
}

static struct seen *
start_server(uint64_t expected)
{
	static const char *const paths[] = {
	    "/opentelemetry.proto.collector.trace.v1.TraceService/Export", NULL};
	struct err err = {0};
	struct seen *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	mutex_init(&s->lock);
	s->limits = limits_default();
	s->expected = expected;
	s->busy_ms = 30;
	struct grpc_server_options grpc = {.address = STR("127.0.0.1:0"),
	    .loop_count = 2,
	    .limits = &s->limits,
	    .stats = &s->stats,
	    .paths = paths,
	    .handle = handle_grpc,
	    .ctx = s};
	struct http_server_options http = {.address = STR("127.0.0.1:0"),
	    .name = "api",
	    .limits = &s->limits,
	    .stats = &s->stats,
	    .stats_requests = STATS_REQUESTS_API,
	    .stats_connections = STATS_CONNS_API,
	    .handle = handle_api,
	    .ctx = s};
	if (grpc_server_start(&grpc, &s->grpc, &err) != ERR_OK ||
	    http_server_start(&http, &s->api, &err) != ERR_OK)
		fail_msg("%s", err.message);
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", grpc_server_port(s->grpc));
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", http_server_port(s->api));
	return s;
}

static void
stop_server(struct seen *s)
{
	grpc_server_stop(s->grpc, clock_mono_ns() + 5 * NS_PER_S);
	grpc_server_free(s->grpc);
	http_server_stop(s->api, clock_mono_ns() + 5 * NS_PER_S);
	http_server_free(s->api);
	map_fini(&s->spans);
	map_fini(&s->begun);
	map_fini(&s->polls);
	kit_request_fini(&s->request);
	mutex_fini(&s->lock);
	free(s);
}

/* One client, of a tenant. */
static struct load *
connect_refused(struct seen *s, enum load_refused refused)
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

static struct load *
connect_load_inflight(struct seen *s, enum payload_kind kind, uint32_t spans, bool gzip,
    uint32_t inflight)
{
	struct load *l = NULL;
	struct err err = {0};
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = kind,
	    .spans = spans,
	    .gzip = gzip,
	    .connections = 3,
	    .inflight = inflight,
	    .salt = 77};
	if (load_new(&opt, &l, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return l;
}

static struct load *
connect_load(struct seen *s, enum payload_kind kind, uint32_t spans, bool gzip)
{
	return connect_load_inflight(s, kind, spans, gzip, 4);
}

TEST(bench_load, every_request_arrives_whole_and_no_span_twice)
{
	struct seen *s = start_server(64);
	struct load *l = connect_load(s, PAYLOAD_SDK, 64, false);
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
	stop_server(s);
	load_result_fini(&r);
}

TEST(bench_load, a_body_that_is_in_flight_is_not_patched)
{
	struct seen *s = start_server(600);
	/* Rings of 16 bodies. */
	struct load *l = connect_load_inflight(s, PAYLOAD_SDK, 600, false, 40);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 150};
	struct err err = {0};
	assert_int_equal(payload_ring(PAYLOAD_SDK, 600), 16);
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 150);
	assert_int_equal(s->spans.count, 150 * 600);
	assert_false(s->broken);
	load_free(l);
	stop_server(s);
	load_result_fini(&r);
}

TEST(bench_load, a_gzip_client_sends_what_was_prepared_once_and_then_stops)
{
	struct seen *s = start_server(10);
	struct load *l = connect_load(s, PAYLOAD_JAEGER, 10, true);
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
	stop_server(s);
	load_result_fini(&r);
}

TEST(bench_load, a_refusal_is_counted_waited_for_and_not_acknowledged)
{
	struct seen *s = start_server(5);
	struct load *l = connect_load(s, PAYLOAD_SDK, 5, false);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 30};
	struct err err = {0};
	s->answer = ANSWER_BUSY_ONCE;
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.refused_requests, 1);
	assert_int_equal(r.requests, 29);
	assert_int_equal(s->requests, 30);
	load_free(l);
	stop_server(s);
	load_result_fini(&r);
}

/* Every request that was begun is taken once or abandoned at the end; the sums agree with what the server saw. */
static void
refused_often(enum load_refused refused, uint64_t busy_ms)
{
	struct seen *s = start_server(5);
	struct load *l = connect_refused(s, refused);
	struct load_result r = {0};
	struct load_plan plan = {.requests_max = 60, .spans_per_s = 5 * 500.0};
	struct err err = {0};
	uint64_t abandoned = 0;
	s->answer = ANSWER_BUSY_OFTEN;
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
	stop_server(s);
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
	struct seen *s = start_server(5);
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
	s->answer = ANSWER_BUSY_OFTEN;
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 3);
	assert_int_equal(r.abandoned_requests, 0);
	assert_int_equal(s->hurried, 0);
	assert_true(r.end_mono_ns - r.start_mono_ns >= 6 * s->busy_ms * NS_PER_MS);
	assert_string_equal(s->tenant, "");
	load_free(l);
	stop_server(s);
	load_result_fini(&r);
}

TEST(bench_load, whatever_else_is_not_full_success_ends_the_run)
{
	static const struct {
		enum answer answer;
		const char *said;
	} cases[] = {
	    {ANSWER_FAIL, "not now (grpc-status 13)"}, {ANSWER_REJECT, "rejected 2 spans"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen *s = start_server(5);
		struct load *l = connect_load(s, PAYLOAD_SDK, 5, false);
		struct load_result r = {0};
		struct load_plan plan = {.duration_ns = 60 * NS_PER_S};
		struct err err = {0};
		s->answer = cases[i].answer;
		assert_int_not_equal(load_run(l, &plan, &r, &err), ERR_OK);
		if (!strstr(err.message, cases[i].said))
			fail_msg("%s", err.message);
		load_free(l);
		stop_server(s);
		load_result_fini(&r);
	}
}

TEST(bench_load, a_paced_run_takes_as_long_as_its_rate_says)
{
	struct seen *s = start_server(10);
	struct load *l = connect_load(s, PAYLOAD_SDK, 10, false);
	struct load_result r = {0};
	/* 60 requests, 20 a client, 200 a second: the last is due after 19 * 15 ms. */
	struct load_plan plan = {.requests_max = 60, .spans_per_s = 2000};
	struct err err = {0};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	assert_int_equal(r.requests, 60);
	assert_true(r.end_mono_ns - r.start_mono_ns >= 19 * 15 * NS_PER_MS);
	load_free(l);
	stop_server(s);
	load_result_fini(&r);
}

TEST(bench_load, what_is_due_and_has_no_turn_is_counted)
{
	struct seen *s = start_server(10);
	/* A client has one call in flight, and the server holds each for 50 ms: of 3 times 50 calls due
	 * in half a second at most 3 times 11 leave. */
	struct load *l = connect_load_inflight(s, PAYLOAD_SDK, 10, false, 1);
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
	stop_server(s);
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

/* Runs with a watch on every request. */
static void
run_watched_looks(struct seen *s, uint64_t requests, uint64_t looks, uint64_t give_up_ns,
    struct watch_result *out)
{
	struct load *l = connect_load(s, PAYLOAD_JAEGER, 20, false);
	struct watch *w = NULL;
	struct load_result r = {0};
	struct err err = {0};
	struct watch_options opt = {.api = str_from(s->url),
	    .share = 1,
	    .poll_ns = NS_PER_MS,
	    .looks = looks,
	    .give_up_ns = give_up_ns};
	if (watch_start(&opt, &w, &err) != ERR_OK)
		fail_msg("%s", err.message);
	struct load_plan plan = {.requests_max = requests, .on_ack = watch_offer, .ctx = w};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	watch_stop(w, out);
	load_free(l);
	load_result_fini(&r);
}

static void
run_watched(struct seen *s, uint64_t requests, uint64_t give_up_ns, struct watch_result *out)
{
	run_watched_looks(s, requests, 0, give_up_ns, out);
}

TEST(bench_watch, some_traces_of_a_request_are_its_first_and_its_last)
{
	struct seen *s = start_server(60);
	struct load *l = connect_load(s, PAYLOAD_JAEGER, 60, false);
	struct watch_result out = {0};
	struct watch *w = NULL;
	struct load_result r = {0};
	struct err err = {0};
	struct watch_options opt = {.api = str_from(s->url),
	    .share = 1,
	    .poll_ns = NS_PER_MS,
	    .looks = 2,
	    .give_up_ns = 60 * NS_PER_S};
	if (watch_start(&opt, &w, &err) != ERR_OK)
		fail_msg("%s", err.message);
	struct load_plan plan = {.requests_max = 3, .on_ack = watch_offer, .ctx = w};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	watch_stop(w, &out);
	assert_int_equal(out.visible.count, 3);
	/* One request of each of three clients, six traces in it. */
	assert_int_equal(s->polls.count, 6);
	for (uint32_t client = 0; client < 3; client++) {
		struct payload p = {PAYLOAD_JAEGER, client, 60, 77};
		assert_non_null(map_get(&s->polls, payload_trace_id(&p, 0).lo));
		assert_non_null(map_get(&s->polls, payload_trace_id(&p, 5).lo));
	}
	watch_result_fini(&out);
	load_free(l);
	load_result_fini(&r);
	/* More than there are is all; one is one. */
	run_watched_looks(s, 3, 100, 60 * NS_PER_S, &out);
	assert_int_equal(out.visible.count, 3);
	watch_result_fini(&out);
	run_watched_looks(s, 3, 1, 60 * NS_PER_S, &out);
	assert_int_equal(out.visible.count, 3);
	watch_result_fini(&out);
	stop_server(s);
}

TEST(bench_watch, a_request_is_visible_when_all_its_traces_are_whole)
{
	struct seen *s = start_server(20);
	struct watch_result out = {0};
	s->polls_until_visible = 3; /* 404, then two answers with one span of ten */
	run_watched(s, 30, 60 * NS_PER_S, &out);
	assert_int_equal(out.err.code, ERR_OK);
	assert_int_equal(out.visible.count + out.not_followed, 30);
	assert_int_equal(out.not_followed, 0);
	assert_int_equal(out.never_seen, 0);
	/* Two traces a request, each asked for until its fourth answer; the last answer of the first
	 * trace and the first one of the second are one look. */
	assert_int_equal(s->polls.count, 60);
	for (size_t i = 0; i < s->polls.cap; i++)
		if (s->polls.used[i])
			assert_int_equal(s->polls.entries[i].value, 4);
	assert_int_equal(out.gaps.count, 30 * 6);
	assert_true(latency_quantile(&out.gaps, 0) >= NS_PER_MS);
	assert_true(latency_quantile(&out.visible, 0) >= 6 * NS_PER_MS);
	watch_result_fini(&out);
	stop_server(s);
}

TEST(bench_watch, what_never_shows_is_counted_and_does_not_hang)
{
	struct seen *s = start_server(20);
	struct watch_result out = {0};
	s->polls_until_visible = 1000000;
	run_watched(s, 5, 20 * NS_PER_MS, &out);
	assert_int_equal(out.never_seen, 5);
	assert_int_equal(out.visible.count, 0);
	watch_result_fini(&out);
	stop_server(s);
}

TEST(bench_watch, the_span_count_is_that_of_the_top_level)
{
	assert_int_equal(watch_span_count(STR("{\"span_count\":7,\"x\":1}")), 7);
	assert_int_equal(watch_span_count(STR("{\"spans\":[{\"span_count\":3}],\"span_count\":8}")),
	    8);
	assert_int_equal(watch_span_count(STR("{\"spans\":[{\"span_count\":3}]}")), 0);
	assert_int_equal(watch_span_count(STR("{\"span_count\":\"7\"}")), 0);
	assert_int_equal(watch_span_count(STR("[{\"span_count\":7}]")), 0);
	assert_int_equal(watch_span_count(STR("{\"span_count")), 0);
	assert_int_equal(watch_span_count(STR_EMPTY), 0);
}

TEST(bench_server, it_waits_until_all_is_loaded)
{
	struct seen *s = start_server(1);
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	struct server_idle idle;
	uint64_t begin = clock_mono_ns();
	assert_int_equal(server_open(&server, str_from(s->url), NULL, (uint64_t)getpid(), NULL,
	                     &err),
	    ERR_OK);
	assert_int_equal(server_look(&server, &look, &err), ERR_OK);
	assert_true(look.has_metrics && look.has_process && !look.has_disk);
	assert_float_equal(look.lag_bytes, 3, 0);
	assert_float_equal(look.wal_bytes, 1000, 0);
	assert_float_equal(look.wal_commits, 5, 0);
	/* No time at all: it is asked once, and has not loaded. */
	assert_int_equal(server_wait_idle(&server, 0, 0, &idle, &err), ERR_DEADLINE);
	assert_non_null(strstr(err.message, "2 bytes"));
	assert_int_equal(server_wait_idle(&server, 60 * NS_PER_S, 0, &idle, &err), ERR_OK);
	assert_int_equal(s->metrics_polls, 4);
	assert_true(idle.loaded_mono_ns > begin);
	assert_false(idle.settled);
	server_close(&server);
	stop_server(s);
}

TEST(bench_server, it_waits_while_rows_are_being_sealed)
{
	struct seen *s = start_server(1);
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	double rows = 0;
	assert_int_equal(server_open(&server, str_from(s->url), NULL, 0, NULL, &err), ERR_OK);
	/* One that does not tell is not waited for. */
	assert_int_equal(server_wait_sealed(&server, NS_PER_S, 60 * NS_PER_S, &rows, &err), ERR_OK);
	assert_int_equal(s->metrics_polls, 1);
	assert_float_equal(rows, -1, 0);
	/* 7 and 2, 6 and 2, 5 and 2, and then no fewer. */
	s->hot_rows = 7;
	s->hot_rows_min = 5;
	assert_int_equal(server_wait_sealed(&server, NS_PER_S / 2, 60 * NS_PER_S, &rows, &err),
	    ERR_OK);
	assert_float_equal(rows, 7, 0);
	assert_true(s->metrics_polls >= 4);
	assert_int_equal(server_look(&server, &look, &err), ERR_OK);
	assert_true(look.has_hot_rows);
	assert_float_equal(look.hot_rows, 7, 0);
	/* No time: one look. */
	s->hot_rows = 900;
	assert_int_equal(server_wait_sealed(&server, NS_PER_S, 0, &rows, &err), ERR_OK);
	assert_float_equal(rows, 902, 0);
	server_close(&server);
	stop_server(s);
}

TEST(bench_server, samples_of_one_name_are_added_up)
{
	double v = 0;
	struct str text =
	    STR("# TYPE a gauge\na{x=\"1\"} 2\na{x=\"2\"} 3.5 99\na 10\nab 7\na_b{x=\"1\"} 8\n");
	assert_true(server_metric_sum(text, STR("a"), &v));
	assert_float_equal(v, 15.5, 0);
	assert_true(server_metric_sum(STR("z{q=\"\"} 0"), STR("z"), &v));
	assert_float_equal(v, 0, 0);
	assert_false(server_metric_sum(STR("z{q=\"\"\nz{\nz\nz{} x\n"), STR("z"), &v));
	assert_false(server_metric_sum(STR_EMPTY, STR("z"), &v));
}

TEST(bench_server, a_process_that_is_not_there_is_an_error)
{
	struct server server;
	struct server_snapshot look;
	struct err err = {0};
	assert_int_equal(server_open(&server, STR_EMPTY, NULL, INT32_MAX, NULL, &err), ERR_OK);
	assert_int_equal(server_look(&server, &look, &err), ERR_NOT_FOUND);
	server_close(&server);
}

TEST(bench_server, metrics_are_found_by_their_whole_name)
{
	double v = 0;
	struct str text = STR("# TYPE a counter\na_b 1\na{x=\"1\"} 2\na 3.5\nz 1e2 99\nq\n");
	assert_true(server_metric(text, STR("a"), &v));
	assert_float_equal(v, 3.5, 0);
	assert_true(server_metric(text, STR("a{x=\"1\"}"), &v));
	assert_float_equal(v, 2, 0);
	assert_true(server_metric(text, STR("z"), &v));
	assert_float_equal(v, 100, 0);
	assert_false(server_metric(text, STR("q"), &v));
	assert_false(server_metric(text, STR("b"), &v));
	assert_false(server_metric(STR_EMPTY, STR("a"), &v));
}
