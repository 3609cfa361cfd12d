/* SPDX-License-Identifier: Apache-2.0 */
/* The questions against an API that is played. */
#include "bench/ask.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/stats.h"
#include "base/timefmt.h"
#include "bench/payload_priv.h"
#include "http/http.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct api {
	struct limits limits;
	struct stats stats;
	struct http_server *http;
	char url[48];
	const struct payload *payload; /* whose first traces are there */
	uint64_t traces;
	bool broken; /* one span of each trace is missing */
	uint64_t asked, asked_traces;
	struct map paths; /* hash of each path that was asked for */
};

static uint64_t
hash_of(struct str s)
{
	uint64_t h = 1;
	for (size_t i = 0; i < s.len; i++)
		h = payload_mix(h ^ (unsigned char)s.ptr[i]);
	return h;
}

static void
answer_trace(struct api *a, struct str id, struct http_answer *answer)
{
	char hex[33] = {0}, span[17] = {0};
	answer->status = 404;
	for (uint64_t t = 0; t < a->traces; t++) {
		struct payload_trace_id want = payload_trace_id(a->payload, t);
		hex_u64(want.hi, hex);
		hex_u64(want.lo, hex + 16);
		if (!str_eq(id, str_from(hex)))
			continue;
		answer->status = 200;
		buf_printf(&answer->body, "{\"span_count\":10,\"spans\":[");
		for (uint64_t i = a->broken; i < 10; i++) {
			hex_u64(payload_span_id(a->payload, t * 10 + i), span);
			buf_printf(&answer->body, "%s{\"trace_id\":\"%s\",\"span_id\":\"%s\"}",
			    i > a->broken ? "," : "", hex, span);
		}
		buf_str(&answer->body, STR("]}"));
	}
}

static void
handle(void *ctx, struct http_request *req)
{
	struct api *a = ctx;
	struct http_answer answer = {.status = 200};
	struct str path = http_request_path(req), prefix = STR("/api/v1/traces/");
	a->asked++;
	if (str_starts(path, prefix)) {
		a->asked_traces++;
		assert_true(map_put(&a->paths, hash_of(path), 1));
		answer_trace(a, str_skip(path, prefix.len), &answer);
	} else if (str_eq(path, STR("/api/v1/services"))) {
		buf_printf(&answer.body, "{\"services\":[{\"span_count\":%llu}]}",
		    (unsigned long long)a->traces * 10);
	} else {
		buf_str(&answer.body, STR("{\"spans\":[]}"));
	}
	http_respond(req, &answer);
}

static struct api *
start_api(const struct payload *p, uint64_t traces)
{
	struct err err = {0};
	struct api *a = calloc(1, sizeof(*a));
	assert_non_null(a);
	a->limits = limits_default();
	a->payload = p;
	a->traces = traces;
	struct http_server_options http = {.address = STR("127.0.0.1:0"),
	    .name = "api",
	    .limits = &a->limits,
	    .stats = &a->stats,
	    .stats_requests = STATS_REQUESTS_API,
	    .stats_connections = STATS_CONNS_API,
	    .handle = handle,
	    .ctx = a};
	if (http_server_start(&http, &a->http, &err) != ERR_OK)
		fail_msg("%s", err.message);
	snprintf(a->url, sizeof(a->url), "http://127.0.0.1:%u", http_server_port(a->http));
	return a;
}

static void
stop_api(struct api *a)
{
	http_server_stop(a->http, clock_mono_ns() + 5 * NS_PER_S);
	http_server_free(a->http);
	map_fini(&a->paths);
	free(a);
}

/* 400 traces, all of service 0: request 10 n is trace 10 n. */
static struct ledger *
fill_ledger(struct payload *p)
{
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 1);
	for (uint64_t i = 0; i < 400; i++)
		ledger_ack(l, &(struct load_acked){p, i, 0});
	return l;
}

TEST(bench_ask, right_answers_are_timed_and_wrong_ones_counted)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = fill_ledger(&p);
	struct api *a = start_api(&p, 400);
	struct ask_result r[ASK_KINDS] = {0};
	struct err err = {0};
	struct ask_options opt = {.api = str_from(a->url),
	    .ledger = l,
	    .count = 50,
	    .time_max_ns = 600 * NS_PER_S,
	    .seed = 3};
	assert_int_equal(ask_run(&opt, r, &err), ERR_OK);
	assert_int_equal(a->asked, 50 * ASK_KINDS);
	assert_int_equal(r[ASK_TRACE].times.count, 50);
	assert_int_equal(r[ASK_TRACE].wrong, 0);
	assert_int_equal(r[ASK_NO_TRACE].times.count, 50);
	assert_true(a->paths.count > 80); /* they are different ones */
	/* No spans is right only where there are none. */
	assert_int_equal(r[ASK_NO_ATTRIBUTE].times.count, 50);
	assert_int_equal(r[ASK_ATTRIBUTE].wrong, 50);
	assert_int_equal(r[ASK_ATTRIBUTE].times.count, 0);
	assert_non_null(strstr(r[ASK_ATTRIBUTE].why, "0 spans instead of"));
	assert_string_equal(r[ASK_NEWEST].why, "0 spans instead of 100");
	/* One service instead of ten. */
	assert_int_equal(r[ASK_SERVICES].wrong, 50);
	assert_string_equal(r[ASK_SERVICES].why,
	    "1 services with 4000 spans instead of 10 with 4000");
	ask_results_fini(r);
	stop_api(a);
	ledger_free(l);
}

TEST(bench_ask, a_trace_that_lacks_a_span_or_is_not_there_is_wrong)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = fill_ledger(&p);
	struct api *a = start_api(&p, 200);
	struct ask_result r[ASK_KINDS] = {0};
	struct err err = {0};
	struct ask_options opt = {.api = str_from(a->url),
	    .ledger = l,
	    .count = 40,
	    .time_max_ns = 600 * NS_PER_S,
	    .seed = 3};
	a->broken = true;
	assert_int_equal(ask_run(&opt, r, &err), ERR_OK);
	assert_int_equal(r[ASK_TRACE].wrong, 40);
	a->broken = false;
	ask_results_fini(r);
	memset(r, 0, sizeof(r));
	assert_int_equal(ask_run(&opt, r, &err), ERR_OK);
	assert_true(r[ASK_TRACE].wrong > 0 && r[ASK_TRACE].times.count > 0);
	assert_int_equal(r[ASK_TRACE].wrong + r[ASK_TRACE].times.count, 40);
	assert_string_equal(r[ASK_TRACE].why, "it answered 404 instead of 200");
	ask_results_fini(r);
	stop_api(a);
	ledger_free(l);
}

TEST(bench_ask, its_time_is_limited_and_nobody_there_is_an_error)
{
	struct payload p = {PAYLOAD_JAEGER, 0, 10, 7};
	struct ledger *l = fill_ledger(&p);
	struct api *a = start_api(&p, 400);
	struct ask_result r[ASK_KINDS] = {0};
	struct err err = {0};
	struct ask_options opt = {
	    .api = str_from(a->url), .ledger = l, .count = 1000000, .time_max_ns = NS_PER_MS};
	assert_int_equal(ask_run(&opt, r, &err), ERR_OK);
	for (int k = 0; k < ASK_KINDS; k++)
		assert_true(r[k].times.count + r[k].wrong < 1000000);
	opt.api = STR("http://127.0.0.1:1");
	opt.time_max_ns = NS_PER_S;
	assert_int_equal(ask_run(&opt, r, &err), ERR_UNAVAILABLE);
	ask_results_fini(r);
	stop_api(a);
	ledger_free(l);
}

TEST(bench_ask, every_kind_has_a_name)
{
	assert_string_equal(ask_key(ASK_NO_ATTRIBUTE), "attribute_absent");
	for (int k = 0; k < ASK_KINDS; k++)
		assert_true(strlen(ask_label((enum ask_kind)k)) > 0);
}
