/* SPDX-License-Identifier: Apache-2.0 */
/* The questions against an API that is played. */
#include "bench/ask.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/stats.h"
#include "base/timefmt.h"
#include "bench/ask_priv.h"
#include "bench/payload_priv.h"
#include "http/http.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ten minutes ago: the last hour has all. */
#define NOW (clock_unix_ns() - 600 * NS_PER_S)

struct api {
	struct limits limits;
	struct stats stats;
	struct http_server *http;
	char url[48];
	const struct payload *payload; /* whose first traces are there */
	uint64_t traces;
	bool broken; /* one span of each trace is missing */
	uint64_t more; /* spans of one service */
	unsigned records; /* of logs */
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
answer_services_of(struct api *a, struct http_answer *answer)
{
	buf_str(&answer->body, STR("{\"services\":["));
	for (unsigned i = 0; i < 10; i++) {
		uint64_t spans = a->traces + (i == 4 ? a->more : 0);
		buf_printf(&answer->body, "%s{\"name\":\"tracegen-%02u\",\"span_count\":%llu}",
		    i ? "," : "", i, (unsigned long long)spans);
	}
	buf_str(&answer->body, STR("]}"));
}

/* By service, as SQL's answer or as a part of the summary. */
static void
answer_sums_of(struct api *a, const char *count, const char *errors, struct http_answer *answer)
{
	for (unsigned n = 0; n < 10; n++) {
		unsigned i = (n + 4) % 10; /* the one with more is the first */
		uint64_t spans = a->traces + (i == 4 ? a->more : 0);
		buf_printf(&answer->body,
		    "%s{\"service\":\"tracegen-%02u\",\"%s\":%llu,\"%s\":0,\"p95_ms\":1.1}",
		    n ? "," : "", i, count, (unsigned long long)spans, errors);
	}
}

static void
answer_summary_of(struct api *a, struct str from, struct http_answer *answer)
{
	uint64_t spans = 10 * a->traces + a->more;
	buf_printf(&answer->body,
	    "{\"from_unix_nano\":\"%.*s\",\"traces\":{\"span_count\":%llu,\"trace_count\":%llu,"
	    "\"error_count\":0,\"max_ms\":1.107,\"p95_ms\":1.1},\"logs\":{\"total\":%u},"
	    "\"top_services\":[",
	    STR_ARG(from), (unsigned long long)spans, (unsigned long long)a->traces, a->records);
	answer_sums_of(a, "span_count", "error_count", answer);
	buf_str(&answer->body, STR("]}"));
}

/* None. */
static void
answer_anomalies_of(struct str from, struct http_answer *answer)
{
	uint64_t from_ns = 0;
	assert_true(str_to_u64(from, &from_ns));
	uint64_t baseline_ns = from_ns - 6 * 3600 * NS_PER_S;
	buf_printf(&answer->body,
	    "{\"from_unix_nano\":\"%.*s\",\"baseline_from_unix_nano\":\"%llu\",\"anomalies\":[]}",
	    STR_ARG(from), (unsigned long long)baseline_ns);
}

static struct str
param_of(const struct http_request *req, const char *wanted)
{
	struct str name, value;
	for (size_t i = 0; http_request_param(req, i, &name, &value); i++)
		if (str_eq(name, str_from(wanted)))
			return value;
	return STR_EMPTY;
}

static void
answer_sql_of(struct api *a, struct http_request *req, struct http_answer *answer)
{
	struct str body = buf_view(http_request_body(req)), start = STR("{\"query\":\"SELECT ");
	assert_int_equal(http_request_method(req), HTTP_POST);
	assert_true(str_starts(body, start));
	buf_str(&answer->body, STR("{\"rows\":["));
	answer_sums_of(a, "n", "errors", answer);
	buf_str(&answer->body, STR("]}"));
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
		answer_services_of(a, &answer);
	} else if (str_eq(path, STR("/api/v1/summary"))) {
		answer_summary_of(a, param_of(req, "from"), &answer);
	} else if (str_eq(path, STR("/api/v1/anomalies"))) {
		answer_anomalies_of(param_of(req, "from"), &answer);
	} else if (str_eq(path, STR("/api/v1/sql"))) {
		answer_sql_of(a, req, &answer);
	} else if (str_eq(path, STR("/api/v1/search"))) {
		buf_str(&answer.body, STR("{\"traces\":[]}"));
	} else if (str_eq(path, STR("/api/v1/logs"))) {
		assert_true(param_of(req, "text").len > 0);
		buf_str(&answer.body, STR("{\"logs\":[]}"));
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

/* 400 traces, forty of each service, one after the other. */
static struct ledger *
fill_ledger(struct payload *p)
{
	struct ledger *l = ledger_new(PAYLOAD_JAEGER, 10, 0, 1);
	uint64_t now = NOW;
	for (uint64_t i = 0; i < 400; i++)
		ledger_ack(l, &(struct load_acked){p, i, 0, now + i * NS_PER_S});
	return l;
}

/* 4,000 records. */
static struct ledger *
fill_logs(struct payload *p)
{
	struct ledger *l = ledger_new(PAYLOAD_LOGS, 10, 1, 1);
	uint64_t now = NOW;
	for (uint64_t i = 0; i < 400; i++)
		ledger_ack(l, &(struct load_acked){p, i, 0, now + i * NS_PER_MS});
	return l;
}

/* 400 traces were acknowledged, and are asked for. */
struct asking {
	struct payload payload;
	struct ledger *ledger;
	struct api *api;
	struct ask_options opt;
	struct ask_result r[ASK_KINDS];
	struct err err;
};

static void
begin_asking(struct asking *t, uint64_t traces_there, uint64_t count)
{
	*t = (struct asking){.payload = {PAYLOAD_JAEGER, 0, 10, 7}};
	t->ledger = fill_ledger(&t->payload);
	t->api = start_api(&t->payload, traces_there);
	t->opt = (struct ask_options){.api = str_from(t->api->url),
	    .world = {.ledger = t->ledger, .payload = t->payload},
	    .count = count,
	    .time_max_ns = 600 * NS_PER_S,
	    .seed = 3};
}

static void
end_asking(struct asking *t)
{
	ask_results_fini(t->r);
	stop_api(t->api);
	ledger_free(t->ledger);
}

TEST(bench_ask, right_answers_are_timed_and_wrong_ones_counted)
{
	struct payload log_payload = {PAYLOAD_LOGS, 1, 10, 7};
	struct ledger *logs = fill_logs(&log_payload);
	struct asking t;
	begin_asking(&t, 400, 50);
	t.opt.logs = logs;
	t.api->records = 4000;
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	assert_int_equal(t.api->asked, 50 * ASK_KINDS);
	assert_int_equal(t.r[ASK_TRACE].times.count, 50);
	assert_int_equal(t.r[ASK_TRACE].wrong, 0);
	assert_true(t.r[ASK_TRACE].total_ns >= 50 * latency_quantile(&t.r[ASK_TRACE].times, 0));
	assert_int_equal(t.r[ASK_TRACE].cpu_ns, 0); /* of no process */
	assert_int_equal(t.r[ASK_NO_TRACE].times.count, 50);
	assert_true(t.api->paths.count > 80); /* they are different ones */
	/* No spans is right only where there are none. */
	assert_int_equal(t.r[ASK_NO_ATTRIBUTE].times.count, 50);
	assert_int_equal(t.r[ASK_NOWHERE].times.count, 50);
	assert_int_equal(t.r[ASK_ATTRIBUTE].wrong, 50);
	assert_int_equal(t.r[ASK_ATTRIBUTE].times.count, 0);
	assert_non_null(strstr(t.r[ASK_ATTRIBUTE].why, "0 spans instead of"));
	assert_int_equal(t.r[ASK_ANYWHERE].wrong, 50);
	assert_string_equal(t.r[ASK_NEWEST].why, "0 spans instead of 100");
	assert_int_equal(t.r[ASK_SEARCH].wrong, 50);
	assert_non_null(strstr(t.r[ASK_SEARCH].why, "0 traces instead of"));
	assert_int_equal(t.r[ASK_SEARCH_ANYWHERE].wrong, 50);
	assert_int_equal(t.r[ASK_SERVICES].times.count, 50);
	if (t.r[ASK_SUMMARY].times.count != 50)
		fail_msg("%s", t.r[ASK_SUMMARY].why);
	if (t.r[ASK_SQL_GROUP].times.count != 50)
		fail_msg("%s", t.r[ASK_SQL_GROUP].why);
	if (t.r[ASK_SQL_QUANTILE].times.count != 50)
		fail_msg("%s", t.r[ASK_SQL_QUANTILE].why);
	/* There is nothing to tell of what goes on, and of a moment that others vanished. */
	assert_true(t.r[ASK_ANOMALIES].wrong > 10 && t.r[ASK_ANOMALIES].times.count > 10);
	assert_non_null(strstr(t.r[ASK_ANOMALIES].why, "it does not tell of"));
	/* Nor records. */
	assert_int_equal(t.r[ASK_BODY_ABSENT].times.count, 50);
	assert_int_equal(t.r[ASK_BODY_FREQUENT].wrong, 50);
	assert_string_equal(t.r[ASK_BODY_FREQUENT].why, "0 records instead of 100");
	assert_int_equal(t.r[ASK_BODY_RARE].wrong, 50);
	assert_string_equal(t.r[ASK_BODY_ONCE].why, "0 records instead of 1");
	end_asking(&t);
	ledger_free(logs);
}

TEST(bench_ask, what_was_not_loaded_is_not_asked_for)
{
	struct asking t;
	begin_asking(&t, 400, 3);
	t.opt.server_pid = (uint64_t)getpid();
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	assert_false(ask_applies(&t.opt, ASK_BODY_RARE));
	assert_true(ask_applies(&t.opt, ASK_TRACE));
	assert_int_equal(t.r[ASK_BODY_RARE].times.count + t.r[ASK_BODY_RARE].wrong, 0);
	assert_int_equal(t.api->asked, 3 * 14);
	assert_true(t.r[ASK_TRACE].cpu_ns > 0); /* of this process, which plays the server */
	end_asking(&t);
}

TEST(bench_ask, services_with_more_spans_than_were_sent_are_wrong)
{
	struct asking t;
	struct err wrong = {0};
	begin_asking(&t, 400, 5);
	t.api->more = 5; /* that nobody has sent */
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	assert_int_equal(t.r[ASK_SERVICES].wrong, 5);
	assert_string_equal(t.r[ASK_SERVICES].why, "4005 spans of all services instead of 4000");
	assert_int_equal(t.r[ASK_SUMMARY].wrong, 5);
	assert_string_equal(t.r[ASK_SUMMARY].why, "4005 spans of all services instead of 4000");
	assert_int_equal(t.r[ASK_SQL_GROUP].wrong, 5);
	assert_string_equal(t.r[ASK_SQL_GROUP].why, "4005 spans of all services instead of 4000");
	/* In the end there must be exactly so many more. */
	assert_int_equal(ask_sums(&t.opt, 5, &wrong, &t.err), ERR_OK);
	assert_int_equal(wrong.code, ERR_OK);
	assert_int_equal(ask_sums(&t.opt, 6, &wrong, &t.err), ERR_OK);
	assert_string_equal(wrong.message, "the server has 4005 spans, and acknowledged 4006");
	assert_int_equal(ask_sums(&t.opt, 4, &wrong, &t.err), ERR_OK);
	assert_int_equal(wrong.code, ERR_INVALID);
	end_asking(&t);
}

/* They are known by one question, and the next one does not have them. */
TEST(bench_ask, spans_that_were_seen_must_not_be_gone_whatever_is_asked)
{
	static enum err_code (*const questions[])(struct asker *a, bool *right_out,
	    struct err *err) = {ask_services, ask_summary, ask_sql_group, ask_sql_quantile};
	struct asking t;
	begin_asking(&t, 400, 0);
	struct http_client_options http = {.base_url = t.opt.api,
	    .connect_timeout_ms = 60000,
	    .timeout_ms = 60000,
	    .body_bytes_max = 1 << 20};
	struct asker a = {.opt = &t.opt};
	assert_int_equal(http_client_open(&http, &a.http, &t.err), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		bool right = false;
		buf_reset(&a.path);
		a.spans_seen = 3999;
		assert_int_equal(questions[i](&a, &right, &t.err), ERR_OK);
		assert_true(right);
		assert_int_equal(a.spans_seen, 4000);
		buf_reset(&a.path);
		a.spans_seen = 4001;
		assert_int_equal(questions[i](&a, &right, &t.err), ERR_OK);
		assert_false(right);
		assert_string_equal(a.wrong.message,
		    "4000 spans of all services, after 4001 before");
		err_clear(&a.wrong);
	}
	http_client_close(a.http);
	buf_fini(&a.path);
	buf_fini(&a.body);
	end_asking(&t);
}

TEST(bench_ask, a_trace_that_lacks_a_span_or_is_not_there_is_wrong)
{
	struct asking t;
	begin_asking(&t, 200, 40);
	t.api->broken = true;
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	assert_int_equal(t.r[ASK_TRACE].wrong, 40);
	t.api->broken = false;
	ask_results_fini(t.r);
	memset(t.r, 0, sizeof(t.r));
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	assert_true(t.r[ASK_TRACE].wrong > 0 && t.r[ASK_TRACE].times.count > 0);
	assert_int_equal(t.r[ASK_TRACE].wrong + t.r[ASK_TRACE].times.count, 40);
	assert_string_equal(t.r[ASK_TRACE].why, "it answered 404 instead of 200");
	end_asking(&t);
}

TEST(bench_ask, its_time_is_limited_and_nobody_there_is_an_error)
{
	struct asking t;
	begin_asking(&t, 400, 1000000);
	t.opt.time_max_ns = NS_PER_MS;
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_OK);
	for (int k = 0; k < ASK_KINDS; k++)
		assert_true(t.r[k].times.count + t.r[k].wrong < 1000000);
	t.opt.api = STR("http://127.0.0.1:1");
	t.opt.time_max_ns = NS_PER_S;
	assert_int_equal(ask_run(&t.opt, t.r, &t.err), ERR_UNAVAILABLE);
	end_asking(&t);
}

TEST(bench_ask, every_kind_has_a_name)
{
	assert_string_equal(ask_key(ASK_NO_ATTRIBUTE), "attribute_absent");
	for (int k = 0; k < ASK_KINDS; k++)
		assert_true(strlen(ask_label((enum ask_kind)k)) > 0);
}
