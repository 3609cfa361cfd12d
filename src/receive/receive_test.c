/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/receive.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "grpc/client.h"
#include "sys/clock.h"
#include "sys/tcp.h"
#include "sys/thread.h"
#include "tests/test.h"
#include "wire/inflate.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* ---- a sink that answers as the test wants, at once or from another thread */

struct fixture {
	struct receive *receive;
	struct http_server *http;
	struct grpc_server *grpc;
	struct limits limits;
	struct stats stats;
	/* What the sink shall do. */
	enum err_code refuse; /* submit fails */
	uint64_t refuse_retry_ms; /* and says when to come back */
	enum err_code outcome; /* or `done` says so */
	struct otlp_counts counts;
	bool later;
	struct thread thread;
	/* What it saw. */
	_Atomic int submitted;
	enum signal_kind signal;
	bool json;
	char tenant[80];
	struct buf body;
	uint64_t received_ns;
	struct ingest_request pending;
};

static void
finish_later(void *ctx)
{
	struct fixture *f = ctx;
	clock_sleep_ns(20 * NS_PER_MS);
	f->pending.done(f->pending.ctx, f->outcome, &f->counts, "the outcome");
}

static enum err_code
submit(struct ingest *in, struct ingest_request *req, struct err *err)
{
	struct fixture *f = (struct fixture *)in;
	f->signal = req->signal;
	f->json = req->json;
	f->received_ns = req->received_ns;
	snprintf(f->tenant, sizeof(f->tenant), "%.*s", STR_ARG(req->tenant));
	atomic_fetch_add(&f->submitted, 1);
	if (f->refuse != ERR_OK) {
		err_set(err, f->refuse, "refused because");
		if (f->refuse_retry_ms > 0)
			err_set_retry(err, f->refuse_retry_ms);
		return f->refuse;
	}
	buf_fini(&f->body);
	f->body = req->body;
	f->pending = *req;
	if (f->later)
		assert_int_equal(thread_start(&f->thread, "done", finish_later, f, err), ERR_OK);
	else
		req->done(req->ctx, f->outcome, &f->counts, "the outcome");
	return ERR_OK;
}

static uint64_t
retry_after_ms(const struct ingest *in, enum err_code code)
{
	(void)in;
	return code == ERR_BUSY ? 2500 : 7000;
}

static enum err_code
admits(struct ingest *in, struct str tenant, struct err *err)
{
	(void)in;
	if (!str_eq(tenant, STR("greedy")))
		return ERR_OK;
	err_set(err, ERR_BUSY, "it has had enough");
	err_set_retry(err, 12001);
	return ERR_BUSY;
}

static const struct receive_sink sink = {submit, admits, retry_after_ms};

static struct fixture *
start(void (*adjust)(struct limits *))
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};
	f->limits = limits_default();
	if (adjust)
		adjust(&f->limits);
	struct receive_options opt = {
	    .ingest = (struct ingest *)f, .sink = &sink, .limits = &f->limits, .stats = &f->stats};
	f->receive = receive_new(&opt);
	struct http_server_options http = {.address = STR("127.0.0.1:0"),
	    .name = "http",
	    .limits = &f->limits,
	    .stats = &f->stats,
	    .stats_requests = STATS_REQUESTS_HTTP,
	    .stats_connections = STATS_CONNS_HTTP,
	    .handle = receive_http,
	    .admit = receive_http_admit,
	    .error_body = receive_http_error,
	    .ctx = f->receive};
	assert_int_equal(http_server_start(&http, &f->http, &err), ERR_OK);
	return f;
}

static void
finish(struct fixture *f)
{
	thread_join(&f->thread);
	http_server_free(f->http);
	if (f->grpc)
		grpc_server_stop(f->grpc, clock_mono_ns() + PATIENCE_NS);
	grpc_server_free(f->grpc);
	receive_free(f->receive);
	assert_int_equal(stats_get(&f->stats, STATS_INFLIGHT_BYTES), 0);
	buf_fini(&f->body);
	free(f);
}

/* ---- HTTP */

struct reply {
	int status;
	struct buf text; /* all of it, NUL behind */
	struct str body;
};

/* Send the whole of it, then read until the server closes: requests ask it to. */
static struct reply
exchange(struct fixture *f, struct str request)
{
	char address[32];
	struct reply r = {0};
	struct err err;
	int fd;
	size_t n;
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->http));
	assert_int_equal(tcp_connect(str_from(address), 30000, &fd, &err), ERR_OK);
	for (;;) {
		char *p = buf_reserve(&r.text, 65536);
		enum tcp_io out =
		    request.len > 0 ? tcp_write(fd, request.ptr, request.len, &n) : TCP_WAIT_READ;
		if (out == TCP_OK) {
			request = str_skip(request, n);
			continue;
		}
		enum tcp_io in = tcp_read(fd, p, 65536, &n);
		if (in == TCP_OK)
			r.text.len += n;
		else if (in == TCP_WAIT_READ)
			assert_true(tcp_wait(fd, out == TCP_WAIT_WRITE,
			    clock_mono_ns() + PATIENCE_NS));
		else
			break;
	}
	tcp_close(fd);
	buf_char(&r.text, '\0');
	char *end = strstr(r.text.ptr, "\r\n\r\n");
	assert_non_null(end);
	*end = '\0';
	r.body = (struct str){end + 4, r.text.len - 1 - (size_t)(end + 4 - r.text.ptr)};
	r.status = (int)strtol(r.text.ptr + strlen("HTTP/1.1 "), NULL, 10);
	return r;
}

static struct reply
post(struct fixture *f, const char *path, const char *headers, struct str body)
{
	struct buf b = {0};
	buf_printf(&b,
	    "POST %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
	    path, headers, body.len);
	buf_str(&b, body);
	struct reply r = exchange(f, buf_view(&b));
	buf_fini(&b);
	return r;
}

static bool
has(const struct reply *r, const char *text)
{
	return strstr(r->text.ptr, text) != NULL;
}

static bool
body_has(const struct reply *r, const char *text)
{
	struct str body = r->body;
	for (size_t n = strlen(text); body.len >= n; body = str_skip(body, 1))
		if (memcmp(body.ptr, text, n) == 0)
			return true;
	return false;
}

static void
want(struct reply r, int status, const char *header, const char *body)
{
	if (r.status != status || !has(&r, header) || !body_has(&r, body))
		fail_msg("wanted %d, \"%s\", \"%s\"; got %s\n\n%.*s", status, header, body,
		    r.text.ptr, STR_ARG(r.body));
	buf_fini(&r.text);
}

#define PB "Content-Type: application/x-protobuf\r\n"
#define JS "Content-Type: application/json\r\n"

TEST(receive, each_http_path_is_its_signal_and_type)
{
	struct fixture *f = start(NULL);
	uint64_t before = clock_unix_ns();
	want(post(f, "/v1/traces", PB, STR("abc")), 200, "Content-Type: application/x-protobuf",
	    "");
	assert_int_equal(f->signal, SIGNAL_TRACES);
	assert_false(f->json);
	assert_true(str_eq(buf_view(&f->body), STR("abc")));
	assert_string_equal(f->tenant, "default");
	assert_true(f->received_ns >= before);
	assert_true(f->received_ns <= clock_unix_ns());
	want(post(f, "/v1/metrics", JS, STR("{}")), 200, "Content-Type: application/json", "{");
	assert_int_equal(f->signal, SIGNAL_METRICS);
	assert_true(f->json);
	want(post(f, "/v1/logs", "content-type: Application/JSON; charset=utf-8\r\n", STR("{}")),
	    200, "Content-Type: application/json", "{");
	assert_int_equal(f->signal, SIGNAL_LOGS);
	assert_true(f->json);
	assert_int_equal(stats_get(&f->stats, STATS_BODY_BYTES), 7);
	finish(f);
}

TEST(receive, wrong_paths_methods_and_types_are_told_what_is_right)
{
	struct fixture *f = start(NULL);
	want(post(f, "/v1/trace", PB, STR("")), 404, "application/x-protobuf", "/v1/traces");
	want(post(f, "/", JS, STR("")), 404, "application/json", "\"code\":5");
	want(exchange(f, STR("GET /v1/traces HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")),
	    405, "\r\nAllow: POST", "POST");
	want(post(f, "/v1/traces", "", STR("x")), 415, "application/json",
	    "application/x-protobuf");
	want(post(f, "/v1/traces", "Content-Type: text/plain\r\n", STR("x")), 415,
	    "application/json", "application/x-protobuf");
	want(post(f, "/v1/traces", PB "Content-Encoding: br\r\n", STR("x")), 415,
	    "\r\nAccept-Encoding: gzip, zstd, deflate", "br");
	assert_int_equal(f->submitted, 0);
	assert_int_equal(f->stats.refused[ERR_MEDIA_TYPE], 3);
	assert_int_equal(f->stats.refused[ERR_NOT_FOUND], 2);
	finish(f);
}

/* ---- encodings, made with the libraries themselves */

static struct buf
zlib_of(struct str in, int window_bits)
{
	struct buf out = {0};
	z_stream z = {0};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t max = deflateBound(&z, in.len);
	z.next_in = (unsigned char *)(uintptr_t)in.ptr;
	z.avail_in = (unsigned)in.len;
	z.next_out = (unsigned char *)buf_reserve(&out, max);
	z.avail_out = (unsigned)max;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

static void
post_encoded(struct fixture *f, const char *coding, struct buf body, int status, const char *text)
{
	char headers[200];
	snprintf(headers, sizeof(headers), JS "Content-Encoding: %s\r\n", coding);
	want(post(f, "/v1/logs", headers, buf_view(&body)), status, "application/json", text);
	buf_fini(&body);
}

TEST(receive, http_bodies_arrive_inflated)
{
	struct fixture *f = start(NULL);
	char *text = xcalloc(100000, 1);
	memset(text, 'a', 100000);
	struct str plain = {text, 100000};
	struct buf z = {0};
	size_t max = ZSTD_compressBound(plain.len);
	post_encoded(f, "gzip", zlib_of(plain, 15 + 16), 200, "{");
	assert_true(str_eq(buf_view(&f->body), plain));
	post_encoded(f, "GZIP", zlib_of(plain, 15 + 16), 200, "{");
	post_encoded(f, "deflate", zlib_of(plain, 15), 200, "{");
	assert_true(str_eq(buf_view(&f->body), plain));
	z.len = ZSTD_compress(buf_reserve(&z, max), max, plain.ptr, plain.len, 3);
	post_encoded(f, "zstd", z, 200, "{");
	assert_true(str_eq(buf_view(&f->body), plain));
	z = (struct buf){0};
	buf_str(&z, plain);
	post_encoded(f, "identity", z, 200, "{");
	assert_int_equal(stats_get(&f->stats, STATS_INFLATED_BYTES), 500000);
	assert_true(stats_get(&f->stats, STATS_BODY_BYTES) < 110000);
	free(text);
	finish(f);
}

static void
small_inflated(struct limits *l)
{
	l->body_bytes_max = 100000;
}

TEST(receive, what_inflates_beyond_the_limit_is_413_and_what_does_not_inflate_400)
{
	struct fixture *f = start(small_inflated);
	char *zeros = xcalloc(64 * LIMIT_MIB, 1);
	post_encoded(f, "gzip", zlib_of(str_of(zeros, 64 * LIMIT_MIB), 15 + 16), 413, "\"code\":8");
	post_encoded(f, "gzip", zlib_of(str_of(zeros, 100001), 15 + 16), 413, "\"code\":8");
	post_encoded(f, "gzip", zlib_of(str_of(zeros, 100000), 15 + 16), 200, "{");
	struct buf plain = {0};
	buf_append(&plain, zeros, 100001);
	post_encoded(f, "identity", plain, 413, "100000");
	struct buf garbage = {0};
	buf_str(&garbage, STR("this is no gzip"));
	post_encoded(f, "gzip", garbage, 400, "\"code\":3");
	struct buf torn = zlib_of(str_of(zeros, 90000), 15 + 16);
	torn.len /= 2;
	post_encoded(f, "gzip", torn, 400, "\"code\":3");
	assert_int_equal(f->submitted, 1);
	free(zeros);
	finish(f);
}

static void
small_budget(struct limits *l)
{
	l->inflight_bytes_max = 50000;
}

TEST(receive, inflated_bytes_count_against_the_budget)
{
	struct fixture *f = start(small_budget);
	char *zeros = xcalloc(100000, 1);
	char headers[] = JS "Content-Encoding: gzip\r\n";
	struct buf z = zlib_of(str_of(zeros, 100000), 15 + 16);
	want(post(f, "/v1/logs", headers, buf_view(&z)), 429, "\r\nRetry-After: 3", "\"code\":8");
	buf_fini(&z);
	z = zlib_of(str_of(zeros, 40000), 15 + 16);
	want(post(f, "/v1/logs", headers, buf_view(&z)), 200, "application/json", "{");
	buf_fini(&z);
	free(zeros);
	finish(f);
}

/* ---- outcomes */

static json_t *
json_of(const struct reply *r)
{
	json_t *json = json_loadb(r->body.ptr, r->body.len, 0, NULL);
	assert_non_null(json);
	return json;
}

TEST(receive, partial_success_is_in_the_answer)
{
	struct fixture *f = start(NULL);
	f->later = true;
	f->counts = (struct otlp_counts){.accepted = 5, .rejected = 2, .reason = "a bad span"};
	struct reply r = post(f, "/v1/traces", JS, STR("{}"));
	assert_int_equal(r.status, 200);
	json_t *json = json_of(&r);
	const char *rejected, *message;
	assert_int_equal(json_unpack(json, "{s:{s:s,s:s}}", "partialSuccess", "rejectedSpans",
	                     &rejected, "errorMessage", &message),
	    0);
	assert_string_equal(rejected, "2");
	assert_non_null(strstr(message, "a bad span"));
	json_decref(json);
	buf_fini(&r.text);
	thread_join(&f->thread);
	want(post(f, "/v1/logs", PB, STR("x")), 200, "application/x-protobuf", "a bad span");
	thread_join(&f->thread);
	finish(f);
}

/* status, and whether the client is told to come back: after how long */
static void
refusal(struct fixture *f, enum err_code code, int status, int grpc, const char *retry_after)
{
	const char *const types[] = {JS, PB};
	for (int i = 0; i < 4; i++) {
		bool json = i % 2 == 0;
		f->refuse = i < 2 ? code : ERR_OK;
		f->outcome = i < 2 ? ERR_OK : code;
		struct reply r = post(f, "/v1/metrics", types[i % 2], STR("{}"));
		const char *message = i < 2 ? "refused because" : "the outcome";
		assert_int_equal(r.status, status);
		assert_int_equal(has(&r, "\r\nRetry-After: "), retry_after != NULL);
		assert_int_equal(body_has(&r, "google.rpc.RetryInfo"), retry_after != NULL);
		if (retry_after)
			assert_true(has(&r, retry_after));
		assert_true(body_has(&r, message));
		if (json) {
			json_t *j = json_of(&r);
			assert_int_equal(json_integer_value(json_object_get(j, "code")), grpc);
			json_decref(j);
		} else { /* google.rpc.Status.code is field 1, a varint */
			assert_int_equal(r.body.ptr[0], 1 << 3);
			assert_int_equal(r.body.ptr[1], grpc);
		}
		buf_fini(&r.text);
	}
}

TEST(receive, only_what_may_succeed_later_says_when_to_retry)
{
	struct fixture *f = start(NULL);
	refusal(f, ERR_INVALID, 400, 3, NULL);
	refusal(f, ERR_TOO_LARGE, 413, 8, NULL);
	refusal(f, ERR_BUSY, 429, 8, "\r\nRetry-After: 3");
	refusal(f, ERR_UNAVAILABLE, 503, 14, "\r\nRetry-After: 7");
	/* The log failed: the client must keep its data. */
	refusal(f, ERR_IO, 503, 14, "\r\nRetry-After: 7");
	refusal(f, ERR_CORRUPT, 503, 14, "\r\nRetry-After: 7");
	refusal(f, ERR_INTERNAL, 503, 14, "\r\nRetry-After: 7");
	assert_int_equal(f->stats.refused[ERR_UNAVAILABLE], 16);
	finish(f);
}

/* Before the body and behind it, in the header, in whole seconds, and in the body exactly. */
TEST(receive, who_is_over_a_limit_is_told_how_long_over_http)
{
	struct fixture *f = start(NULL);
	struct reply r = post(f, "/v1/logs", JS "X-Scope-OrgID: greedy\r\n", STR("{}"));
	assert_int_equal(r.status, 429);
	assert_true(has(&r, "\r\nRetry-After: 13\r\n"));
	assert_true(body_has(&r, "\"retryDelay\":\"12.001s\""));
	assert_int_equal(f->submitted, 0);
	buf_fini(&r.text);
	static const struct {
		uint64_t ms;
		const char *header;
	} rows[] = {
	    {1, "1"}, {999, "1"}, {1000, "1"}, {1001, "2"}, {UINT64_MAX, "18446744073709552"}};
	f->refuse = ERR_BUSY;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char header[64];
		f->refuse_retry_ms = rows[i].ms;
		snprintf(header, sizeof(header), "\r\nRetry-After: %s\r\n", rows[i].header);
		r = post(f, "/v1/logs", JS, STR("{}"));
		assert_int_equal(r.status, 429);
		assert_true(has(&r, header));
		buf_fini(&r.text);
	}
	finish(f);
}

static void
small_wire(struct limits *l)
{
	l->wire_bytes_max = 1024;
	l->body_grace_ms = 200;
}

TEST(receive, errors_of_the_server_itself_are_in_the_requests_type)
{
	struct fixture *f = start(small_wire);
	char big[2000] = {0};
	want(post(f, "/v1/traces", PB, str_of(big, sizeof(big))), 413, "application/x-protobuf",
	    "the body has 2000 bytes");
	want(post(f, "/v1/traces", JS, str_of(big, sizeof(big))), 413, "application/json",
	    "\"code\":8");
	want(exchange(f,
	         STR("POST /v1/traces HTTP/1.1\r\nHost: h\r\n" PB
	             "Content-Length: 1000\r\n\r\nabc")),
	    408, "application/x-protobuf", "the body came too slowly");
	finish(f);
}

TEST(receive, the_tenant_comes_from_either_header)
{
	struct fixture *f = start(NULL);
	want(post(f, "/v1/logs", PB "X-Scope-OrgID: one\r\n", STR("")), 200, "", "");
	assert_string_equal(f->tenant, "one");
	want(post(f, "/v1/logs", PB "X-Tenant-ID: two\r\n", STR("")), 200, "", "");
	assert_string_equal(f->tenant, "two");
	want(post(f, "/v1/logs", JS "X-Tenant-ID: two\r\nX-Scope-OrgID: one\r\n", STR("")), 400, "",
	    "different tenants");
	want(post(f, "/v1/logs", JS "X-Tenant-ID: ../two\r\n", STR("")), 400, "", "tenant name");
	assert_int_equal(f->submitted, 2);
	finish(f);
}

/* ---- gRPC */

static void
start_grpc(struct fixture *f)
{
	struct err err;
	struct grpc_server_options opt = {.address = STR("127.0.0.1:0"),
	    .loop_count = 1,
	    .limits = &f->limits,
	    .stats = &f->stats,
	    .paths = receive_grpc_paths,
	    .handle = receive_grpc,
	    .admit = receive_grpc_admit,
	    .ctx = f->receive,
	    .busy_retry_ms = 1000};
	assert_int_equal(grpc_server_start(&opt, &f->grpc, &err), ERR_OK);
}

struct heard {
	int status;
	char text[200];
	char message[200];
	size_t message_len;
	uint64_t retry_ms; /* of ERR_BUSY: so the details should be */
	bool retry_as_wanted;
};

static void
hear(void *ctx, const struct grpc_reply *reply)
{
	struct heard *h = ctx;
	struct buf want = {0};
	h->status = reply->status;
	snprintf(h->text, sizeof(h->text), "%.*s", STR_ARG(reply->text));
	assert_true(reply->message.len < sizeof(h->message));
	if (reply->message.len > 0)
		memcpy(h->message, reply->message.ptr, reply->message.len);
	h->message_len = reply->message.len;
	otlp_write_status(ERR_BUSY, reply->text, h->retry_ms, false, &want);
	h->retry_as_wanted = str_eq(reply->details, buf_view(&want));
	buf_fini(&want);
}

static struct heard
call_expecting(struct fixture *f, const char *path, const char *const *headers, struct str message,
    uint64_t retry_ms)
{
	char address[32];
	struct heard h = {.status = -1, .retry_ms = retry_ms};
	struct grpc_client *c;
	struct err err;
	snprintf(address, sizeof(address), "127.0.0.1:%u", grpc_server_port(f->grpc));
	assert_int_equal(grpc_client_open(&(struct grpc_client_options){.address =
	                                                                    str_from(address),
	                                      .timeout_ms = 30000},
	                     &c, &err),
	    ERR_OK);
	assert_int_equal(grpc_client_call(c, path, message, false, headers, hear, &h, &err),
	    ERR_OK);
	assert_int_equal(grpc_client_run(c, 0, clock_mono_ns() + PATIENCE_NS, &err), ERR_OK);
	grpc_client_close(c);
	return h;
}

static struct heard
call(struct fixture *f, const char *path, const char *const *headers, struct str message)
{
	return call_expecting(f, path, headers, message, 0);
}

#define SERVICE(s, n) "/opentelemetry.proto.collector." s ".v1." n "Service/Export"

TEST(receive, each_grpc_service_is_its_signal)
{
	struct fixture *f = start(NULL);
	start_grpc(f);
	struct heard h = call(f, SERVICE("trace", "Trace"), NULL, STR("abc"));
	assert_int_equal(h.status, 0);
	assert_int_equal(f->signal, SIGNAL_TRACES);
	assert_false(f->json);
	assert_true(str_eq(buf_view(&f->body), STR("abc")));
	assert_string_equal(f->tenant, "default");
	const char *const headers[] = {"x-tenant-id: t1", NULL};
	h = call(f, SERVICE("logs", "Logs"), headers, STR(""));
	assert_int_equal(h.status, 0);
	assert_int_equal(f->signal, SIGNAL_LOGS);
	assert_string_equal(f->tenant, "t1");
	f->later = true;
	f->counts = (struct otlp_counts){.accepted = 1, .rejected = 3, .reason = "why"};
	h = call(f, SERVICE("metrics", "Metrics"), NULL, STR("z"));
	thread_join(&f->thread);
	assert_int_equal(h.status, 0);
	assert_int_equal(f->signal, SIGNAL_METRICS);
	/* partial_success { rejected_data_points: 3  error_message: "...why..." } */
	assert_int_equal(h.message[0], 1 << 3 | 2);
	size_t inner = 1; /* behind a length of one or more bytes */
	while (h.message[inner++] & 0x80)
		continue;
	assert_int_equal(h.message[inner], 1 << 3);
	assert_int_equal(h.message[inner + 1], 3);
	finish(f);
}

TEST(receive, grpc_refusals_have_the_code_and_the_reason)
{
	static const struct {
		enum err_code code;
		int status;
	} rows[] = {{ERR_INVALID, 3}, {ERR_TOO_LARGE, 8}, {ERR_BUSY, 8}, {ERR_UNAVAILABLE, 14},
	    {ERR_IO, 14}, {ERR_CORRUPT, 14}, {ERR_INTERNAL, 14}};
	struct fixture *f = start(NULL);
	start_grpc(f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		f->refuse = rows[i].code;
		struct heard h = call(f, SERVICE("trace", "Trace"), NULL, STR("abc"));
		assert_int_equal(h.status, rows[i].status);
		assert_string_equal(h.text, "refused because");
		f->refuse = ERR_OK;
		f->outcome = rows[i].code;
		h = call(f, SERVICE("trace", "Trace"), NULL, STR("abc"));
		assert_int_equal(h.status, rows[i].status);
		assert_string_equal(h.text, "the outcome");
	}
	const char *const headers[] = {"x-tenant-id: a", "x-scope-orgid: b", NULL};
	assert_int_equal(call(f, SERVICE("trace", "Trace"), headers, STR("")).status, 3);
	assert_int_equal(stats_get(&f->stats, STATS_REQUESTS_GRPC), 2 * ARRAY_LEN(rows) + 1);
	assert_int_equal(f->stats.refused[ERR_BUSY], 2);
	finish(f);
}

TEST(receive, who_is_over_a_limit_is_told_how_long_over_grpc)
{
	struct fixture *f = start(NULL);
	start_grpc(f);
	const char *const headers[] = {"x-scope-orgid: greedy", NULL};
	const char *path = SERVICE("trace", "Trace");
	struct heard h = call_expecting(f, path, headers, STR("abc"), 12001);
	assert_int_equal(h.status, 8);
	assert_string_equal(h.text, "it has had enough");
	assert_true(h.retry_as_wanted);
	assert_int_equal(f->submitted, 0);
	f->refuse = ERR_BUSY;
	f->refuse_retry_ms = 345;
	assert_true(call_expecting(f, path, NULL, STR("abc"), 345).retry_as_wanted);
	f->refuse_retry_ms = 0; /* the usual */
	assert_true(call_expecting(f, path, NULL, STR("abc"), 2500).retry_as_wanted);
	finish(f);
}
