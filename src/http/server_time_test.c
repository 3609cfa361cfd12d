/* SPDX-License-Identifier: Apache-2.0 */
#include "http/harness_test.h"

#include "base/arena.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- time */

static void
hasty(struct limits *l)
{
	l->header_timeout_ms = 200;
	l->body_grace_ms = 200;
	l->idle_timeout_ms = 200;
}

/* One byte at a time until the server has had enough; it must, before the text is all sent. */
static void
drip(struct ht_client *c, const char *text)
{
	size_t sent = 0;
	for (; sent < 100000; sent++) {
		struct str one = {text + (sent < strlen(text) ? sent : strlen(text) - 1), 1};
		if (!ht_try_send(c, one) ||
		    tcp_wait(c->fd, false, clock_mono_ns() + 10 * NS_PER_MS))
			return;
	}
	fail_msg("still there after %zu bytes", sent);
}

TEST(http, a_header_that_drips_is_408)
{
	struct ht_server *f = ht_start(hasty, 1);
	struct ht_client c = ht_dial(f);
	drip(&c, "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ht_expect(&c, 408, "E timeout the header came too slowly");
	ht_expect_end(&c);
	ht_hang_up(&c);
	/* A silent one likewise. */
	c = ht_dial(f);
	ht_expect(&c, 408, "E timeout");
	ht_expect_end(&c);
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_TIMED_OUT), 2);
	assert_int_equal(f->stats.refused[ERR_TIMEOUT], 2);
	ht_finish(f);
}

static void
hasty_header(struct limits *l)
{
	l->header_timeout_ms = 200;
}

TEST(http, the_header_deadline_holds_for_later_requests_too)
{
	struct ht_server *f = ht_start(hasty_header, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n");
	ht_expect(&c, 200, "path=/1");
	ht_say(&c, "GET /2 HTTP/1.1\r\nHost: ");
	drip(&c, "a");
	ht_expect(&c, 408, "E timeout");
	ht_expect_end(&c);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, a_body_that_drips_is_408)
{
	struct ht_server *f = ht_start(hasty, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "POST / HTTP/1.1\r\nHost: h\r\nX-Probe: 1\r\nContent-Length: 1000000\r\n\r\n");
	drip(&c, "x");
	ht_expect(&c, 408, "E timeout the body came too slowly");
	ht_expect_end(&c);
	ht_hang_up(&c);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}

static void
hasty_body(struct limits *l)
{
	l->body_grace_ms = 100;
	l->body_rate_min = 10;
}

/* Beyond the grace, but fast enough: 10 bytes a second are asked, 20 ms between bytes given. */
TEST(http, a_slow_body_above_the_rate_is_taken)
{
	struct ht_server *f = ht_start(hasty_body, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 1050\r\n\r\n");
	char head[1000];
	memset(head, 'x', sizeof(head));
	assert_true(ht_try_send(&c, str_of(head, sizeof(head))));
	for (int i = 0; i < 50; i++) {
		ht_say(&c, "x");
		clock_sleep_ns(10 * NS_PER_MS);
	}
	ht_expect(&c, 200, "body=1050:");
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, an_idle_connection_is_closed_in_silence)
{
	struct ht_server *f = ht_start(hasty, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	ht_expect(&c, 200, NULL);
	ht_expect_end(&c);
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_TIMED_OUT), 0);
	ht_finish(f);
}

TEST(http, a_request_with_the_handler_has_all_the_time_it_needs)
{
	struct ht_server *f = ht_start(hasty, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_request *r = ht_held(f);
	clock_sleep_ns(600 * NS_PER_MS); /* thrice every limit */
	ht_respond_text(r, 200, STR("at last"));
	ht_expect(&c, 200, "at last");
	ht_hang_up(&c);
	ht_finish(f);
}

/* 32 MiB at 1 GiB a second: a moment, and more than sockets buffer. */
static void
hasty_reader(struct limits *l)
{
	l->body_grace_ms = 200;
	l->answer_rate_min = LIMIT_GIB;
}

TEST(http, an_answer_nobody_reads_is_given_up)
{
	struct ht_server *f = ht_start(hasty_reader, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_CONNS_TIMED_OUT) == 0)
		assert_true(clock_mono_ns() < deadline);
	while (ht_more(&c))
		continue;
	assert_true(c.in.len < 32 * LIMIT_MIB);
	ht_hang_up(&c);
	ht_finish(f);
}

/* No average is asked, but that something is taken. */
static void
hasty_pause(struct limits *l)
{
	l->body_grace_ms = 100;
	l->idle_timeout_ms = 300;
	l->answer_rate_min = 1;
}

TEST(http, a_reader_that_stops_is_given_up_and_one_that_goes_on_is_not)
{
	struct ht_server *f = ht_start(hasty_pause, 1);
	struct ht_client c = ht_dial(f);
	size_t wanted = 32 * LIMIT_MIB;
	ht_say(&c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	uint64_t start_ns = clock_mono_ns(), pause_ns = 0;
	while (c.in.len < wanted && ht_more(&c)) {
		/* Slow enough for the whole to take longer than any of the limits. */
		if (c.in.len > pause_ns) {
			clock_sleep_ns(20 * NS_PER_MS);
			pause_ns += LIMIT_MIB;
		}
	}
	assert_true(clock_mono_ns() - start_ns > 400 * NS_PER_MS);
	assert_true(c.in.len >= wanted);
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_TIMED_OUT), 0);
	c = ht_dial(f);
	ht_say(&c, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(ht_more(&c));
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_CONNS_TIMED_OUT) == 0)
		assert_true(clock_mono_ns() < deadline);
	ht_hang_up(&c);
	ht_finish(f);
}

static void
respond_charged(struct http_request *r, struct budget *b)
{
	struct http_answer a = {.status = 200, .content_type = "text/plain", .budget = b};
	a.budget_bytes = 8 * LIMIT_MIB;
	assert_true(budget_take(b, a.budget_bytes));
	memset(buf_reserve(&a.body, 8 * LIMIT_MIB), 'y', 8 * LIMIT_MIB);
	a.body.len = 8 * LIMIT_MIB;
	http_respond(r, &a);
}

static void
wait_unused(struct budget *b)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (budget_used(b) > 0)
		assert_true(clock_mono_ns() < deadline);
}

TEST(http, an_answer_is_charged_until_it_is_read_or_its_reader_leaves)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct budget b;
	budget_init(&b, LIMIT_GIB);
	for (int leaves = 0; leaves < 2; leaves++) {
		struct ht_client c = ht_dial(f);
		ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
		respond_charged(ht_held(f), &b);
		assert_true(ht_more(&c));
		assert_int_equal(budget_used(&b), 8 * LIMIT_MIB);
		if (!leaves) {
			struct ht_reply reply = ht_hear(&c, false);
			assert_int_equal(reply.text.len, reply.head_len + 8 * LIMIT_MIB + 1);
			assert_int_equal(reply.text.ptr[reply.text.len - 2], 'y');
			buf_fini(&reply.text);
			wait_unused(&b);
		}
		ht_hang_up(&c);
		wait_unused(&b);
	}
	/* Nor does it stay when the answer is never sent. */
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_request *r = ht_held(f);
	http_server_stop(f->server, 0);
	respond_charged(r, &b);
	assert_int_equal(budget_used(&b), 0);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, a_waiting_request_knows_whether_its_client_is_there)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\n");
	struct http_request *r = ht_held(f);
	assert_int_equal(http_request_peer(r), HTTP_PEER_THERE);
	ht_shut(&c);
	while (http_request_peer(r) == HTTP_PEER_THERE)
		assert_true(clock_mono_ns() < deadline);
	assert_int_equal(http_request_peer(r), HTTP_PEER_DONE);
	/* It can still be answered. */
	ht_respond_text(r, 200, STR("heard"));
	ht_expect(&c, 200, "heard");
	ht_hang_up(&c);
	c = ht_dial(f);
	/* Who leaves without having read the first answer sends a reset. */
	ht_say(&c, "GET /first HTTP/1.1\r\nHost: h\r\n\r\nGET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	r = ht_held(f);
	assert_true(tcp_wait(c.fd, false, deadline));
	ht_hang_up(&c);
	while (http_request_peer(r) != HTTP_PEER_GONE)
		assert_true(clock_mono_ns() < deadline);
	ht_respond_text(r, 200, STR("nobody hears this"));
	ht_finish(f);
}

/* ---- too many, too much */

static void
few_connections(struct limits *l)
{
	l->connections_max = 3;
}

TEST(http, surplus_connections_are_told_503_and_the_others_live)
{
	struct ht_server *f = ht_start(few_connections, 2);
	struct ht_client in[3], out;
	for (int i = 0; i < 3; i++) {
		in[i] = ht_dial(f);
		ht_say(&in[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	struct http_request *r[3] = {ht_held(f), ht_held(f), ht_held(f)};
	for (int i = 0; i < 20; i++) {
		out = ht_dial_plain(f);
		(void)ht_try_send(&out, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
		/* Under TLS without a word: it would cost a handshake. */
		if (!f->tls)
			ht_expect(&out, 503, "E unavailable too many connections");
		ht_expect_end(&out);
		assert_true(f->tls || !out.failed);
		ht_hang_up(&out);
	}
	for (int i = 0; i < 3; i++)
		ht_respond_text(r[i], 200, STR("fine"));
	for (int i = 0; i < 3; i++) {
		ht_expect(&in[i], 200, "fine");
		ht_hang_up(&in[i]);
	}
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_REFUSED), 20);
	/* There is room again, once the server has noticed. */
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_CONNS_HTTP) > 0)
		assert_true(clock_mono_ns() < deadline);
	ht_answered(f, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n", 200, "path=/again");
	ht_finish(f);
}

static void
small_budget(struct limits *l)
{
	l->inflight_bytes_max = 150000;
}

TEST(http, bodies_beyond_the_budget_are_429_and_the_budget_comes_back)
{
	struct ht_server *f = ht_start(small_budget, 1);
	struct ht_client a = ht_dial(f), b = ht_dial(f);
	char *body = xcalloc(100000, 1);
	ht_say(&a, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	assert_true(ht_try_send(&a, str_of(body, 100000)));
	struct http_request *r = ht_held(f);
	assert_int_equal(stats_get(&f->stats, STATS_INFLIGHT_BYTES), 100000);
	ht_say(&b, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	(void)ht_try_send(&b, str_of(body, 100000));
	struct ht_reply reply = ht_hear(&b, false);
	assert_int_equal(reply.status, 429);
	assert_true(ht_reply_has(&reply, "\r\nRetry-After: 1\r\n"));
	buf_fini(&reply.text);
	ht_hang_up(&b);
	ht_respond_text(r, 200, STR("ok"));
	ht_expect(&a, 200, "ok");
	ht_say(&a, "POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	assert_true(ht_try_send(&a, str_of(body, 100000)));
	ht_expect(&a, 200, "body=100000:");
	free(body);
	ht_hang_up(&a);
	ht_finish(f);
}

/* ---- coming and going */

TEST(http, a_client_that_leaves_while_it_waits_harms_nobody)
{
	struct ht_server *f = ht_start(NULL, 1);
	for (int i = 0; i < 20; i++) {
		struct ht_client c = ht_dial(f);
		ht_say(&c, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
		struct http_request *r = ht_held(f);
		ht_hang_up(&c);
		/* The request is still whole. */
		assert_true(str_eq(http_request_path(r), STR("/hold")));
		assert_int_equal(http_request_body(r)->len, 3);
		ht_respond_text(r, 200, STR("nobody hears this"));
	}
	ht_answered(f, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n", 200, "path=/alive");
	ht_finish(f);
}

TEST(http, a_client_that_leaves_amid_its_body_gives_back_the_budget)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_INFLIGHT_BYTES) == 0)
		assert_true(clock_mono_ns() < deadline);
	ht_hang_up(&c);
	while (stats_get(&f->stats, STATS_INFLIGHT_BYTES) > 0)
		assert_true(clock_mono_ns() < deadline);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}

struct late {
	struct ht_server *fixture;
	struct http_request *request;
};

static void
answer_later(void *ctx)
{
	struct late *late = ctx;
	clock_sleep_ns(100 * NS_PER_MS);
	ht_respond_text(late->request, 200, STR("in time"));
}

TEST(http, stop_waits_for_requests_in_the_handlers_hands)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	struct thread thread = {0};
	struct err err;
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	struct late late = {f, ht_held(f)};
	assert_int_equal(thread_start(&thread, "late", answer_later, &late, &err), ERR_OK);
	http_server_stop(f->server, clock_mono_ns() + PATIENCE_NS);
	ht_expect(&c, 200, "in time");
	ht_expect_end(&c);
	thread_join(&thread);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, a_stop_past_its_deadline_answers_503_and_a_late_answer_is_harmless)
{
	struct ht_server *f = ht_start(NULL, 2);
	struct ht_client c[4];
	struct http_request *r[4];
	for (int i = 0; i < 4; i++) {
		c[i] = ht_dial(f);
		ht_say(&c[i],
		    "POST /hold HTTP/1.1\r\nHost: h\r\nX-Probe: p\r\n"
		    "Content-Length: 3\r\n\r\nabc");
		r[i] = ht_held(f);
	}
	http_server_stop(f->server, clock_mono_ns() + 50 * NS_PER_MS);
	for (int i = 0; i < 4; i++) {
		ht_expect(&c[i], 503, "E unavailable the server is stopping");
		ht_hang_up(&c[i]);
	}
	/* The handler may still look at its requests, and answer, before and after the end. */
	ht_respond_text(r[0], 200, STR("late"));
	ht_respond_text(r[1], 200, STR("late"));
	http_server_free(f->server);
	tls_context_close(f->tls);
	assert_true(str_eq(http_request_header(r[2], "x-probe"), STR("p")));
	assert_int_equal(http_request_body(r[2])->len, 3);
	ht_respond_text(r[2], 200, STR("late"));
	ht_respond_text(r[3], 200, STR("late"));
	assert_int_equal(stats_get(&f->stats, STATS_INFLIGHT_BYTES), 0);
	queue_free(f->held);
	queue_free(f->gate);
	free(f);
}

static void
open_gate_later(void *ctx)
{
	struct ht_server *f = ctx;
	clock_sleep_ns(600 * NS_PER_MS); /* by then the stop is waiting for the server's thread */
	assert_int_equal(queue_push(f->gate, f), ERR_OK);
}

TEST(http, a_stop_while_a_handler_is_still_running_neither_waits_for_its_answer_nor_loses_it)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	struct thread thread = {0};
	struct err err;
	ht_say(&c, "GET /block HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_request *r = ht_held(f);
	assert_int_equal(thread_start(&thread, "gate", open_gate_later, f, &err), ERR_OK);
	http_server_stop(f->server, 0);
	thread_join(&thread);
	ht_respond_text(r, 200, STR("late"));
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, nobody_can_connect_after_the_stop)
{
	struct ht_server *f = ht_start(NULL, 1);
	char address[32];
	int fd = -1;
	struct err err;
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
	http_server_stop(f->server, 0);
	assert_int_equal(tcp_connect(str_from(address), 1000, &fd, &err), ERR_UNAVAILABLE);
	tcp_close(fd);
	ht_finish(f);
}

static void
handle_never(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
	fail_msg("there is no such server");
}

TEST(http, a_taken_address_is_an_error_that_names_it)
{
	struct ht_server *f = ht_start(NULL, 1);
	char address[32];
	struct http_server *second;
	struct err err;
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
	struct http_server_options opt = {.address = str_from(address),
	    .name = "test",
	    .limits = &f->limits,
	    .handle = handle_never,
	    .ctx = f};
	assert_int_equal(http_server_start(&opt, &second, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, address));
	ht_finish(f);
}

/* ---- many at once: for the sanitizers */

enum { STORM_CLIENTS = 8, STORM_REQUESTS = 60 };

static void
storm_client(void *ctx)
{
	struct ht_server *f = ctx;
	struct ht_client c = ht_dial(f);
	for (int i = 0; i < STORM_REQUESTS; i++) {
		ht_say(&c,
		    i % 2 ? "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n"
		          : "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
		ht_expect(&c, 200, i % 2 ? "held" : "body=2:hi");
	}
	ht_hang_up(&c);
}

static void
storm_answerer(void *ctx)
{
	struct ht_server *f = ctx;
	for (;;) {
		struct http_request *r = queue_pop(f->held, UINT64_MAX);
		if (!r)
			return;
		ht_respond_text(r, 200, STR("held"));
	}
}

TEST(http, answers_from_other_threads_go_to_their_own_requests)
{
	struct ht_server *f = ht_start(NULL, 2);
	struct thread clients[STORM_CLIENTS] = {0}, answerers[2] = {0};
	struct err err;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(thread_start(&answerers[i], "answer", storm_answerer, f, &err),
		    ERR_OK);
	for (size_t i = 0; i < STORM_CLIENTS; i++)
		assert_int_equal(thread_start(&clients[i], "client", storm_client, f, &err),
		    ERR_OK);
	for (size_t i = 0; i < STORM_CLIENTS; i++)
		thread_join(&clients[i]);
	queue_close(f->held);
	for (size_t i = 0; i < 2; i++)
		thread_join(&answerers[i]);
	assert_int_equal(f->handled, STORM_CLIENTS * STORM_REQUESTS);
	ht_finish(f);
}
