/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS adds to the server. All else it does over TLS too: run the other tests with WEIR_TEST_TLS=1. */
#include "grpc/kit_test.h"

#include "tests/test.h"
#include "tls/kit_test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static struct kit *
start(uint64_t header_timeout_ms)
{
	struct kit *k = kit_new();
	k->over_tls = true;
	if (header_timeout_ms)
		k->limits.header_timeout_ms = header_timeout_ms;
	kit_start(k);
	return k;
}

/* More than one turn reads at once, so that TLS holds what no poll tells of. */
TEST(grpc_tls, large_messages_come_through_both_ways)
{
	enum { MIB = 1 << 20, CALLS = 4 };
	struct kit *k = start(0);
	struct grpc_client *c = kit_client(k);
	struct kit_reply r[CALLS];
	size_t len = 3 * MIB + 12345;
	char *bytes = malloc(len);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 7 + (i >> 9));
	for (int i = 0; i < CALLS; i++)
		kit_begin(c, KIT_PATH, str_of(bytes, len), false, NULL, &r[i]);
	kit_finish(c);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(r[i].status, 0);
		assert_int_equal(r[i].message.len, len);
		assert_memory_equal(r[i].message.ptr, bytes, len);
		kit_reply_fini(&r[i]);
	}
	grpc_client_close(c);
	free(bytes);
	kit_free(k);
}

TEST(grpc_tls, the_handshake_is_part_of_the_time_for_the_preface)
{
	struct kit *k = start(100);
	struct kit_peer silent, begun, shaken;
	size_t n;
	kit_peer_plain(&silent, k);
	kit_peer_plain(&begun, k);
	assert_int_equal(tcp_write(begun.fd, "\x16\x03\x01", 3, &n), TCP_OK);
	kit_peer_open(&shaken, k); /* and then says nothing */
	assert_true(kit_closed(&silent));
	assert_true(kit_closed(&begun));
	assert_true(kit_closed(&shaken));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 3);
	kit_peer_close(&silent);
	kit_peer_close(&begun);
	kit_peer_close(&shaken);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, NULL, NULL), 0);
	kit_free(k);
}

TEST(grpc_tls, who_speaks_clear_text_is_told_so)
{
	struct kit *k = start(0);
	struct kit_peer p;
	char text[400];
	size_t len = 0, n = 1;
	kit_peer_plain(&p, k);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
	assert_true(kit_send(&p));
	assert_int_equal(kit_goaway(&p, NULL), NGHTTP2_INADEQUATE_SECURITY);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);

	kit_peer_plain(&p, k);
	buf_str(&p.out, STR("POST /v1/traces HTTP/1.1\r\nHost: h\r\n\r\n"));
	assert_true(kit_send(&p));
	for (enum tcp_io io = TCP_OK; io == TCP_OK || io == TCP_WAIT_READ; len += n) {
		assert_true(tcp_wait(p.fd, false, kit_deadline()));
		io = tcp_read(p.fd, text + len, sizeof(text) - 1 - len, &n);
	}
	text[len] = '\0';
	assert_non_null(strstr(text, "HTTP/1.1 400 "));
	assert_non_null(strstr(text, "this port speaks TLS (https)\n"));
	kit_peer_close(&p);
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	kit_free(k);
}

TEST(grpc_tls, a_crowd_that_never_finishes_does_not_keep_others_out)
{
	enum { CROWD = 100 };
	static const struct str says[] = {{"\x16\x03\x01\x02\x00\x01", 6}, {"\x16\xff\xff", 3},
	    {"", 0}, {"\x80\x2e\x01\x00\x02", 5}, {"\x15\x03\x03\x00\x02\x02\x28", 7}};
	struct kit *k = start(0);
	static struct kit_peer p[CROWD];
	for (int i = 0; i < CROWD; i++) {
		kit_peer_plain(&p[i], k);
		buf_str(&p[i].out, says[i % 5]);
		(void)kit_send(&p[i]);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, NULL, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		kit_peer_close(&p[i]);
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	kit_free(k);
}

TEST(grpc_tls, a_client_that_expects_another_protocol_or_host_is_told_why_not)
{
	struct kit *k = start(0);
	struct grpc_client *c;
	struct err err = {0};
	char url[60];
	struct grpc_client_options opt = {.timeout_ms = KIT_PATIENCE_MS};
	snprintf(url, sizeof(url), "https://%s", k->address);
	opt.address = str_from(url);
	assert_int_equal(grpc_client_open(&opt, &c, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "of a CA that is not known here"));
	opt.tls.ca = STR("tests/golden/tls/ca.pem");
	opt.tls.cert = STR("tests/golden/tls/client.pem");
	assert_int_equal(grpc_client_open(&opt, &c, &err), ERR_INVALID);
	/* In clear text: the server's GOAWAY says it. */
	struct kit_reply r;
	opt.address = str_from(k->address);
	assert_int_equal(grpc_client_open(&opt, &c, &err), ERR_OK);
	kit_begin(c, KIT_PATH, STR("x"), false, NULL, &r);
	kit_finish(c);
	assert_int_equal(r.status, 14);
	assert_non_null(strstr(r.text.ptr,
	    "the server ended the connection: this port speaks TLS (https)"));
	kit_reply_fini(&r);
	grpc_client_close(c);
	kit_free(k);
}

/* The last bytes and close_notify in one segment, and no FIN: TLS has read both, and no poll will tell. */
TEST(grpc_tls, an_end_that_came_with_the_last_bytes_is_seen)
{
	const int on = 1, off = 0;
	struct kit *k = start(0);
	struct kit_peer p;
	struct tls_kit_client c;
	kit_peer_plain(&p, k);
	assert_true(tls_kit_connect(&c, p.fd, &(struct tls_kit_wish){.alpn = "h2"}));
	kit_wait_stat(k, STATS_CONNS_GRPC, 1);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
	(void)setsockopt(p.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	assert_true(tls_kit_send(&c, p.out.ptr, p.out.len));
	assert_int_equal(SSL_shutdown(c.ssl), 0);
	(void)setsockopt(p.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	tls_kit_close(&c);
	p.fd = -1;
	kit_peer_close(&p);
	kit_free(k);
}
