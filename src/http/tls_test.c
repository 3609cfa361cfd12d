/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS adds to the server. All else it does over TLS too: run the other tests with WEIR_TEST_TLS=1. */
#include "http/harness_test.h"

#include "tests/test.h"

#include <sys/socket.h>

TEST(http_tls, a_request_is_answered_and_its_connection_kept)
{
	struct ht_server *f = ht_start_tls(NULL, 2);
	struct ht_client c = ht_dial(f);
	for (int i = 0; i < 3; i++) {
		ht_say(&c, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
		ht_expect(&c, 200, "body=3:abc");
	}
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_HTTP), 1);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http_tls, a_large_answer_comes_through_to_a_client_that_has_sent_all)
{
	struct ht_server *f = ht_start_tls(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	struct ht_reply r = ht_hear(&c, false);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.text.len - 1 - r.head_len, 32 * LIMIT_MIB);
	buf_fini(&r.text);
	ht_expect_end(&c);
	assert_false(c.failed);
	ht_hang_up(&c);
	ht_finish(f);
}

static void
wait_peer(struct http_request *r, enum http_peer wanted)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (http_request_peer(r) != wanted) {
		assert_true(clock_mono_ns() < deadline);
		clock_sleep_ns(NS_PER_MS);
	}
}

TEST(http_tls, it_is_known_whether_a_client_still_waits)
{
	struct ht_server *f = ht_start_tls(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_request *r = ht_held(f);
	assert_int_equal(http_request_peer(r), HTTP_PEER_THERE);
	ht_shut(&c);
	wait_peer(r, HTTP_PEER_DONE);
	ht_hang_up(&c);
	ht_respond_text(r, 200, STR("too late"));

	c = ht_dial(f);
	ht_say(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	r = ht_held(f);
	const struct linger at_once = {.l_onoff = 1};
	(void)setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	ht_hang_up(&c);
	wait_peer(r, HTTP_PEER_GONE);
	ht_respond_text(r, 200, STR("too late"));
	ht_finish(f);
}

static void
quick_header(struct limits *l)
{
	l->header_timeout_ms = 100;
}

TEST(http_tls, handshakes_have_the_time_of_a_header_and_so_has_the_header)
{
	struct ht_server *f = ht_start_tls(quick_header, 1);
	struct ht_client silent = ht_dial_plain(f), shaken = ht_dial(f);
	ht_expect_end(&silent);
	ht_expect(&shaken, 408, "the header came too slowly");
	ht_expect_end(&shaken);
	assert_false(shaken.failed);
	ht_hang_up(&silent);
	ht_hang_up(&shaken);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_TIMED_OUT), 2);
	ht_finish(f);
}

static void
few(struct limits *l)
{
	l->connections_max = 2;
}

TEST(http_tls, handshakes_count_as_connections)
{
	struct ht_server *f = ht_start_tls(few, 1);
	struct ht_client a = ht_dial_plain(f), b = ht_dial(f), c;
	c = ht_dial_plain(f);
	ht_expect_end(&c);
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_REFUSED), 1);
	ht_hang_up(&a);
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_CONNS_HTTP) > 1)
		assert_true(clock_mono_ns() < deadline);
	ht_answered(f, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, "path=/");
	ht_hang_up(&b);
	ht_finish(f);
}

TEST(http_tls, who_speaks_clear_text_is_told_so)
{
	struct ht_server *f = ht_start_tls(NULL, 1);
	struct ht_client c = ht_dial_plain(f);
	ht_say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	while (ht_more(&c))
		continue;
	buf_char(&c.in, '\0');
	assert_non_null(strstr(c.in.ptr, "HTTP/1.1 400 Bad Request\r\n"));
	assert_non_null(strstr(c.in.ptr, "\r\n\r\nthis port speaks TLS (https)\n"));
	assert_false(c.failed);
	ht_hang_up(&c);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}

TEST(http_tls, a_stop_answers_what_the_handler_has)
{
	struct ht_server *f = ht_start_tls(NULL, 1);
	struct ht_client held = ht_dial(f), idle = ht_dial(f), silent = ht_dial_plain(f);
	ht_say(&held, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	struct http_request *r = ht_held(f);
	http_server_stop(f->server, clock_mono_ns() + 50 * NS_PER_MS);
	ht_expect(&held, 503, "the server is stopping");
	ht_expect_end(&idle);
	ht_expect_end(&silent);
	ht_respond_text(r, 200, STR("too late"));
	ht_hang_up(&held);
	ht_hang_up(&idle);
	ht_hang_up(&silent);
	ht_finish(f);
}
