/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kit_server_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "grpc/grpc.h"
#include "http/http.h"
#include "otlp/otlp.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

static void
read_request(struct kit_server *s, size_t path, struct str body)
{
	if (path == 1) {
		kit_read_records(body, &s->log_request);
		s->broken = s->broken || s->log_request.count != s->expected;
		s->records += s->log_request.count;
		return;
	}
	kit_read(body, &s->request);
	s->requests++;
	s->broken = s->broken || s->request.count != s->expected;
	for (size_t i = 0; i < s->request.count; i++) {
		uint64_t id = s->request.spans[i].span_id;
		s->broken = map_get(&s->spans, id) || s->broken;
		assert_true(map_put(&s->spans, id, 1));
	}
}

/* Two of three are refused: a span of a request that was taken never comes again, one of a refused request does. */
static enum kit_answer
take_or_refuse(struct kit_server *s, struct str body)
{
	uint64_t now = clock_mono_ns();
	kit_read(body, &s->request);
	assert_true(map_put(&s->begun, s->request.spans[0].span_id, 1));
	s->hurried += s->refusals > 0 && now < s->refused_at_ns + s->busy_ms * NS_PER_MS;
	if (s->requests++ % 3 != 2) {
		s->refusals++;
		s->refused_at_ns = now;
		return KIT_ANSWER_BUSY;
	}
	s->taken++;
	for (size_t i = 0; i < s->request.count; i++) {
		uint64_t id = s->request.spans[i].span_id;
		s->broken = s->broken || map_get(&s->spans, id) || !map_put(&s->spans, id, 1);
	}
	return KIT_ANSWER_OK;
}

static void
handle_grpc(void *ctx, struct grpc_call *call)
{
	struct kit_server *s = ctx;
	struct buf message = {0}, details = {0};
	struct grpc_answer answer = {.code = ERR_OK};
	struct otlp_counts counts = {.rejected = 2, .reason = "because"};
	mutex_lock(&s->lock);
	s->gzip_requests += grpc_call_header(call, STR("grpc-encoding")).len > 0;
	snprintf(s->tenant, sizeof(s->tenant), "%.*s",
	    STR_ARG(grpc_call_header(call, STR("x-scope-orgid"))));
	enum kit_answer kind = s->answer;
	if (kind == KIT_ANSWER_BUSY_OFTEN)
		kind = take_or_refuse(s, buf_view(grpc_call_message(call)));
	else
		read_request(s, grpc_call_path(call), buf_view(grpc_call_message(call)));
	if (kind == KIT_ANSWER_BUSY_ONCE)
		s->answer = KIT_ANSWER_OK;
	uint64_t hold_ns = s->hold_ns;
	mutex_unlock(&s->lock);
	clock_sleep_ns(hold_ns);
	if (kind == KIT_ANSWER_REJECT) {
		otlp_write_response(SIGNAL_TRACES, &counts, false, &message);
		answer.message = buf_view(&message);
	} else if (kind != KIT_ANSWER_OK) {
		answer.code = kind == KIT_ANSWER_FAIL ? ERR_INTERNAL : ERR_BUSY;
		answer.text = STR("not now");
		if (kind == KIT_ANSWER_BUSY_ONCE || kind == KIT_ANSWER_BUSY)
			otlp_write_status(ERR_BUSY, STR("later"), s->busy_ms, false, &details);
		answer.details = buf_view(&details);
	}
	grpc_respond(call, &answer);
	buf_fini(&message);
	buf_fini(&details);
}

/* A trace is 404, then has 1 span, then all, as often as it is asked for. */
static void
answer_trace(struct kit_server *s, struct str path, struct http_answer *answer)
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
answer_metrics(struct kit_server *s, struct http_answer *answer)
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
	struct kit_server *s = ctx;
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

static void
start_grpc(struct kit_server *s, const char *address)
{
	static const char *const paths[] = {
	    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	    "/opentelemetry.proto.collector.logs.v1.LogsService/Export", NULL};
	struct err err = {0};
	struct grpc_server_options grpc = {.address = str_from(address),
	    .loop_count = 2,
	    .limits = &s->limits,
	    .stats = &s->stats,
	    .paths = paths,
	    .handle = handle_grpc,
	    .ctx = s};
	if (grpc_server_start(&grpc, &s->grpc, &err) != ERR_OK)
		fail_msg("%s", err.message);
	snprintf(s->address, sizeof(s->address), "127.0.0.1:%u", grpc_server_port(s->grpc));
}

void
kit_server_stop_grpc(struct kit_server *s, uint64_t ms)
{
	grpc_server_stop(s->grpc, clock_mono_ns() + ms * NS_PER_MS);
	grpc_server_free(s->grpc);
	s->grpc = NULL;
}

void
kit_server_restart(struct kit_server *s, uint64_t ms)
{
	char address[sizeof(s->address)];
	memcpy(address, s->address, sizeof(address));
	kit_server_stop_grpc(s, ms);
	start_grpc(s, address);
}

struct kit_server *
kit_server_start_impatient(uint64_t expected, uint64_t timeout_ms)
{
	struct err err = {0};
	struct kit_server *s = calloc(1, sizeof(*s));
	assert_non_null(s);
	mutex_init(&s->lock);
	s->limits = limits_default();
	if (timeout_ms)
		s->limits.idle_timeout_ms = s->limits.header_timeout_ms = timeout_ms;
	s->expected = expected;
	s->busy_ms = 30;
	struct http_server_options http = {.address = STR("127.0.0.1:0"),
	    .name = "api",
	    .limits = &s->limits,
	    .stats = &s->stats,
	    .stats_requests = STATS_REQUESTS_API,
	    .stats_connections = STATS_CONNS_API,
	    .handle = handle_api,
	    .ctx = s};
	start_grpc(s, "127.0.0.1:0");
	if (http_server_start(&http, &s->api, &err) != ERR_OK)
		fail_msg("%s", err.message);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", http_server_port(s->api));
	return s;
}

struct kit_server *
kit_server_start(uint64_t expected)
{
	return kit_server_start_impatient(expected, 0);
}

void
kit_server_stop(struct kit_server *s)
{
	if (s->grpc)
		kit_server_stop_grpc(s, 5000);
	http_server_stop(s->api, clock_mono_ns() + 5 * NS_PER_S);
	http_server_free(s->api);
	map_fini(&s->spans);
	map_fini(&s->begun);
	map_fini(&s->polls);
	kit_request_fini(&s->request);
	free(s->log_request.records);
	mutex_fini(&s->lock);
	free(s);
}

struct load *
kit_load_inflight(struct kit_server *s, enum payload_kind kind, uint32_t spans, bool gzip,
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

struct load *
kit_load(struct kit_server *s, enum payload_kind kind, uint32_t spans, bool gzip)
{
	return kit_load_inflight(s, kind, spans, gzip, 4);
}
