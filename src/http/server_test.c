/* SPDX-License-Identifier: Apache-2.0 */
#include "http/harness_test.h"

#include "base/arena.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is understood */

TEST(http, a_request_reaches_the_handler_whole)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c,
	    "POST /a%20b/%C3%A9?x=1&y=a%26b&x=two+words&flag HTTP/1.1\r\nHost: h\r\n"
	    "x-Probe:  v 1 \r\nContent-Length: 5\r\n\r\nhello");
	ht_expect(&c, 200,
	    "method=POST\npath=/a b/\xc3\xa9\nparam x=1\nparam y=a&b\nparam x=two words\n"
	    "param flag=\nx-probe=v 1\nchunked=0\nbody=5:hello");
	/* The same connection goes on. */
	ht_say(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	struct ht_reply r = ht_hear(&c, false);
	assert_int_equal(r.status, 200);
	assert_true(ht_reply_has(&r, "\r\nX-Content-Type-Options: nosniff\r\n"));
	assert_true(ht_reply_has(&r, "\r\nX-Extra: yes\r\n"));
	assert_true(ht_reply_has(&r, "path=/\n"));
	buf_fini(&r.text);
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_REQUESTS_HTTP), 2);
	ht_finish(f);
}

TEST(http, a_chunked_body_is_put_together)
{
	struct ht_server *f = ht_start(NULL, 1);
	ht_answered(f,
	    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n",
	    200, "chunked=1\nbody=13:abc0123456789");
	ht_finish(f);
}

TEST(http, pipelined_requests_are_answered_in_order)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	struct buf all = {0};
	for (int i = 0; i < 50; i++)
		buf_printf(&all, "POST /hold/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok",
		    i);
	buf_char(&all, '\0');
	ht_say(&c, all.ptr);
	buf_fini(&all);
	for (int i = 0; i < 50; i++) {
		char path[32];
		struct http_request *r = ht_held(f);
		snprintf(path, sizeof(path), "/hold/%d", i);
		assert_true(str_eq(http_request_path(r), str_from(path)));
		/* One at a time: the next comes when this one has been answered. */
		assert_int_equal(queue_len(f->held), 0);
		ht_respond_text(r, 200, str_from(path));
		ht_expect(&c, 200, path);
	}
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, head_has_the_length_and_no_body)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
	struct ht_reply r = ht_hear(&c, true);
	assert_int_equal(r.status, 200);
	assert_int_equal(ht_content_length(r.text.ptr),
	    strlen("method=HEAD\npath=/h\nx-probe=\nchunked=0\nbody=0:"));
	buf_fini(&r.text);
	ht_say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	ht_expect(&c, 200, "path=/next\n");
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, http_1_0_is_answered_and_closed)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /old HTTP/1.0\r\n\r\n");
	ht_expect(&c, 200, "path=/old\n");
	ht_expect_end(&c);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, other_methods_and_forms_of_target_reach_the_handler)
{
	struct ht_server *f = ht_start(NULL, 1);
	ht_answered(f, "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n", 200, "method=OTHER\npath=/pot\n");
	ht_answered(f, "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n", 200, "method=DELETE\n");
	ht_answered(f, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 200, "method=OPTIONS\npath=*\n");
	ht_answered(f, "GET http://h:1/abs?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", 200,
	    "path=/abs\nparam q=1\n");
	ht_finish(f);
}

TEST(http, expect_100_continue_gets_its_100)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct ht_client c = ht_dial(f);
	ht_say(&c,
	    "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
	    "Expect: 100-continue\r\n\r\n");
	ht_expect(&c, 100, NULL);
	ht_say(&c, "body");
	ht_expect(&c, 200, "body=4:body");
	ht_hang_up(&c);
	ht_finish(f);
}

/* ---- what is refused */

TEST(http, bad_targets_are_400)
{
	struct ht_server *f = ht_start(NULL, 1);
	ht_refused(f, "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "zero byte");
	ht_refused(f, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "two hex digits");
	ht_refused(f, "GET /%f HTTP/1.1\r\nHost: h\r\n\r\n", 400, "two hex digits");
	ht_refused(f, "GET /?q=%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400, "not UTF-8");
	ht_refused(f, "GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n", 400, "not UTF-8");
	ht_refused(f, "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 400, "begin with /");
	assert_int_equal(f->handled, 0);
	assert_int_equal(f->stats.refused[ERR_INVALID], 6);
	ht_finish(f);
}

TEST(http, ambiguous_framing_is_refused)
{
	struct ht_server *f = ht_start(NULL, 1);
	ht_refused(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    400, "both content-length and transfer-encoding");
	ht_refused(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", 400,
	    "more than once");
	ht_refused(f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
	    "chunked");
	ht_refused(f, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
	    "HTTP/1.1");
	ht_refused(f, "GET / HTTP/1.1\r\n\r\n", 400, "host");
	ht_refused(f, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "host");
	ht_refused(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 4\r\n\r\nabcd", 400,
	    "malformed name");
	ht_refused(f, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, "blank");
	/* These libmicrohttpd answers itself (0.9.75 sends its header twice: see the status only). */
	ht_answered(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, NULL);
	ht_answered(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4x\r\n\r\n", 400, NULL);
	ht_answered(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413,
	    NULL);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}

/* Whatever comes, it costs only its own connection. */
TEST(http, garbage_costs_only_its_own_connection)
{
	struct ht_server *f = ht_start(NULL, 1);
	uint64_t x = 88172645463325252u;
	for (int round = 0; round < 200; round++) {
		struct ht_client c = ht_dial(f);
		char junk[700];
		for (size_t i = 0; i < sizeof(junk); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* Every third round: lines, so that more than the first is looked at. */
			junk[i] = round % 3 == 0 && x % 40 == 0 ? '\n' : (char)(x >> 32);
		}
		if (round % 2)
			ht_say(&c,
			    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
		(void)ht_try_send(&c, str_of(junk, sizeof(junk)));
		ht_shut(&c);
		while (ht_more(&c))
			continue;
		ht_hang_up(&c);
	}
	ht_answered(f, "GET /alive HTTP/1.1\r\nHost: h\r\n\r\n", 200, "path=/alive");
	ht_finish(f);
}

static void
small_body(struct limits *l)
{
	l->wire_bytes_max = 100000;
}

TEST(http, an_announced_body_beyond_the_limit_is_413_before_it_is_read)
{
	struct ht_server *f = ht_start(small_body, 1);
	/* Without a body behind it: the answer does not wait for one. */
	ht_refused(f, "POST / HTTP/1.1\r\nHost: h\r\nX-Probe: p\r\nContent-Length: 100001\r\n\r\n",
	    413, "E too_large the body has 100001 bytes, at most 100000");
	ht_refused(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100001\r\n"
	    "Expect: 100-continue\r\n\r\n",
	    413, NULL);
	assert_int_equal(f->handled, 0);
	assert_int_equal(f->stats.refused[ERR_TOO_LARGE], 2);
	ht_finish(f);
}

/* A client that sends on regardless, before and after the server has closed, still gets to read why
 * it was refused. */
static void
reads_the_refusal(struct ht_server *f, const char *begin, int status)
{
	struct ht_client c = ht_dial(f);
	size_t len = 256 * 1024;
	char *more = xcalloc(len, 1);
	ht_say(&c, begin);
	assert_true(ht_try_send(&c, str_of(more, len)));
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (stats_get(&f->stats, STATS_CONNS_HTTP) > 0)
		assert_true(clock_mono_ns() < deadline);
	for (int i = 0; i < 4; i++)
		assert_true(ht_try_send(&c, str_of(more, len)));
	free(more);
	ht_expect(&c, status, NULL);
	ht_expect_end(&c);
	assert_false(c.failed);
	ht_hang_up(&c);
}

TEST(http, a_refusal_survives_a_client_that_keeps_sending)
{
	struct ht_server *f = ht_start(small_body, 1);
	reads_the_refusal(f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n", 413);
	reads_the_refusal(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n", 413);
	reads_the_refusal(f, "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400);
	/* Refused by libmicrohttpd itself, in the body and in the header. */
	reads_the_refusal(f,
	    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n", 400);
	reads_the_refusal(f, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 431);
	ht_finish(f);
}

TEST(http, a_chunked_body_beyond_the_limit_is_413_when_it_passes_it)
{
	struct ht_server *f = ht_start(small_body, 1);
	struct ht_client c = ht_dial(f);
	char chunk[1000 + 10];
	int n = snprintf(chunk, 10, "3e8\r\n");
	memset(chunk + n, 'x', 1000);
	memcpy(chunk + n + 1000, "\r\n", 2);
	ht_say(&c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 101; i++)
		assert_true(ht_try_send(&c, str_of(chunk, (size_t)n + 1002)));
	/* No last chunk. */
	ht_expect(&c, 413, "E too_large the body has more than 100000 bytes");
	ht_expect_end(&c);
	assert_false(c.failed);
	ht_hang_up(&c);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}

TEST(http, a_path_may_have_a_limit_of_its_own)
{
	static const char wide[] = "POST /wide HTTP/1.1\r\nHost: h\r\nContent-Length: ";
	struct ht_server *f = ht_start(small_body, 1);
	struct ht_client c = ht_dial(f);
	char head[100], *body = xcalloc(200000, 1);
	snprintf(head, sizeof(head), "%s200001\r\n\r\n", wide);
	ht_refused(f, head, 413, "E too_large the body has 200001 bytes, at most 200000");
	snprintf(head, sizeof(head), "%s200000\r\n\r\n", wide);
	ht_say(&c, head);
	assert_true(ht_try_send(&c, str_of(body, 200000)));
	ht_expect(&c, 200, "path=/wide");
	/* The next request on the same connection is of another path. */
	ht_say(&c, "POST /wider HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
	ht_expect(&c, 413, "at most 100000");
	ht_hang_up(&c);
	free(body);
	ht_finish(f);
}

TEST(http, a_body_of_just_the_limit_is_taken)
{
	struct ht_server *f = ht_start(small_body, 1);
	struct ht_client c = ht_dial(f);
	char *body = xcalloc(100000, 1);
	memset(body, 'y', 100000);
	ht_say(&c, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
	assert_true(ht_try_send(&c, str_of(body, 100000)));
	free(body);
	ht_expect(&c, 200, "body=100000:yyyy");
	ht_hang_up(&c);
	ht_finish(f);
}

static void
small_header(struct limits *l)
{
	l->header_bytes_max = 4096;
}

static void
header_refused(const struct ht_server *f, const char *before, size_t fill, const char *after,
    int status)
{
	struct ht_client c = ht_dial(f);
	char *filler = xcalloc(fill + 1, 1);
	memset(filler, 'a', fill);
	(void)(ht_try_send(&c, str_from(before)) && ht_try_send(&c, str_of(filler, fill)) &&
	    ht_try_send(&c, str_from(after)));
	free(filler);
	ht_expect(&c, status, NULL);
	ht_expect_end(&c);
	ht_hang_up(&c);
}

TEST(http, oversized_headers_are_431_and_targets_414)
{
	struct ht_server *f = ht_start(small_header, 1);
	header_refused(f, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 5000, "\r\n\r\n", 431);
	header_refused(f, "GET / HTTP/1.1\r\nHost: h\r\nX: ", 1000000, "\r\n\r\n", 431);
	header_refused(f, "GET /?q=", 5000, " HTTP/1.1\r\nHost: h\r\n\r\n", 431);
	header_refused(f, "GET /?q=", 1000000, " HTTP/1.1\r\nHost: h\r\n\r\n", 414);
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 100; i++)
		ht_say(&c, "a: 1\r\n");
	ht_say(&c, "\r\n");
	ht_expect(&c, 431, "more than 100 header fields");
	ht_hang_up(&c);
	assert_int_equal(f->handled, 0);
	ht_finish(f);
}
