/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that are slow, many, stuck or hostile. The time limits are set low; a test waits until the
 * server has acted, and checks that it did not act before its time, which holds on any machine.
 */
#include "grpc/grpc_priv.h"
#include "grpc/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	FLOOD_FRAMES = 5000, /* five times the credit */
	FLOOD_FRAMES_IGNORED = 100000, /* more than a mebibyte */
	ROUND = 100,
	CONTINUATIONS = 1000,
	BLOCKED_WAITS = 20,
};

/* Send bytes one by one, a while apart, over and over, until the server closes. */
static void
drip(struct kit_peer *p, struct str bytes, bool repeat)
{
	uint64_t deadline = kit_deadline();
	for (size_t i = 0; i < bytes.len || repeat; i++) {
		char said[4096];
		size_t n;
		kit_peer_write(p, bytes.ptr + i % bytes.len, 1, &n);
		clock_sleep_ns(50 * NS_PER_MS);
		enum tcp_io io = kit_peer_read(p, said, sizeof(said), &n);
		if (io == TCP_END || io == TCP_FAILED)
			return;
		assert_true(clock_mono_ns() < deadline);
	}
	fail_msg("all bytes were taken");
}

/* ---- what is not HTTP/2 */

TEST(grpc, http1_gets_an_answer_and_is_closed)
{
	static const char *const requests[] = {"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
	    "POST /v1/traces HTTP/1.1\r\n", "PRI * HTTP/1.1\r\n\r\n"};
	struct kit *k = kit_new();
	kit_start(k);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct kit_peer p;
		char reply[512] = {0};
		size_t len = 0, n;
		enum tcp_io io;
		kit_peer_open(&p, k);
		buf_str(&p.out, str_from(requests[i]));
		assert_true(kit_send(&p));
		do {
			assert_true(tcp_wait(p.fd, false, kit_deadline()));
			io = kit_peer_read(&p, reply + len, sizeof(reply) - 1 - len, &n);
			len += n;
		} while (io == TCP_OK || io == TCP_WAIT_READ);
		assert_int_equal(io, TCP_END);
		assert_int_equal(strncmp(reply, "HTTP/1.1 400 ", 13), 0);
		const char *body = strstr(reply, "\r\n\r\n");
		const char *length = strstr(reply, "content-length: ");
		assert_non_null(body);
		assert_non_null(length);
		assert_int_equal(strlen(body + 4), strtoul(length + 16, NULL, 10));
		kit_peer_close(&p);
	}
	kit_free(k);
}

TEST(grpc, tls_and_garbage_are_closed_without_a_word)
{
	static const struct str starts[] = {
	    {"\x16\x03\x01\x02\x00\x01", 6}, {"\0\0\0", 3}, {"\xff\xfe", 2}};
	struct kit *k = kit_new();
	kit_start(k);
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct kit_peer p;
		kit_peer_open(&p, k);
		buf_str(&p.out, starts[i]);
		assert_true(kit_send(&p));
		assert_true(kit_closed(&p));
		assert_int_equal(p.in.len, 0);
		kit_peer_close(&p);
	}
	kit_free(k);
}

TEST(grpc, garbage_behind_the_preface_ends_the_connection)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int i = 0; i < 1000; i++)
		buf_char(&p.out, (char)(i * 37 + 255)); /* a frame of 16 MiB */
	(void)kit_send(&p);
	assert_true(kit_goaway(&p, NULL) > 0);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, NULL, NULL), 0);
	kit_free(k);
}

/* ---- slow */

TEST(grpc, a_dripping_preface_is_closed_at_the_header_timeout)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.header_timeout_ms = 120;
	kit_start(k);
	uint64_t start = clock_mono_ns();
	kit_peer_open(&p, k);
	drip(&p, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\1\0\0"), false);
	assert_true(kit_waited(start, 120));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 1);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_silent_connection_is_closed_at_the_header_timeout)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.header_timeout_ms = 100;
	kit_start(k);
	kit_peer_open(&p, k);
	assert_true(kit_closed(&p));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 1);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_dripping_header_block_is_closed_at_the_header_timeout)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct buf block = {0}, frame = {0};
	k->limits.header_timeout_ms = 400;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int i = 0; i < 4000; i++)
		kit_field(&block, STR("a"), STR("b"));
	kit_put_frame(&p, NGHTTP2_HEADERS, 0, 1, buf_view(&block));
	buf_str(&frame, buf_view(&p.out));
	buf_reset(&p.out);
	buf_append(&p.out, frame.ptr, 20);
	uint64_t start = clock_mono_ns();
	assert_true(kit_send(&p));
	drip(&p, str_skip(buf_view(&frame), 20), false);
	assert_true(kit_waited(start, 400));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 1);
	buf_fini(&block);
	buf_fini(&frame);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_body_below_the_minimum_rate_is_refused)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.body_grace_ms = 150;
	k->limits.body_rate_min = 1000000;
	kit_start(k);
	kit_peer_hello(&p, k);
	uint64_t start = clock_mono_ns();
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 100000, STR("begun"), 0);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 4);
	assert_true(kit_waited(start, 150));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 1);
	assert_true(kit_closed(&p)); /* it had no other calls */
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_slow_body_spares_the_other_calls_of_its_connection)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.body_grace_ms = 150;
	k->limits.body_rate_min = 1000000;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	kit_put_request(&p, 3, NULL, NULL, 0);
	kit_put_message(&p, 3, 0, 100000, STR("begun"), 0);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 3), 4);
	kit_wait_held(k, 1);
	kit_release_one(k);
	assert_int_equal(kit_status(&p, 1), 0);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_slow_but_sufficient_body_is_taken)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.body_grace_ms = 20;
	k->limits.body_rate_min = 1;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 10, STR("123456789"), 0);
	assert_true(kit_send(&p));
	clock_sleep_ns(200 * NS_PER_MS);
	kit_put_frame(&p, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, STR("0"));
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, an_idle_connection_is_told_to_go)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.idle_timeout_ms = 400;
	kit_start(k);
	uint64_t start = clock_mono_ns();
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_goaway(&p, NULL), NGHTTP2_NO_ERROR);
	assert_true(kit_waited(start, 400));
	assert_true(kit_closed(&p));
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_dripping_frame_header_does_not_keep_a_connection)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.idle_timeout_ms = 150;
	kit_start(k);
	kit_peer_hello(&p, k);
	/* A PING of eight bytes takes longer than the connection may be idle. */
	drip(&p, STR("\0\0\x8\6\0\0\0\0\0\1\2\3\4\5\6\7\x8"), true);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_call_in_the_handler_keeps_its_connection)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.idle_timeout_ms = k->limits.header_timeout_ms = k->limits.body_grace_ms = 400;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	kit_wait_held(k, 1);
	clock_sleep_ns(1200 * NS_PER_MS);
	kit_release_one(k);
	assert_int_equal(kit_status(&p, 1), 0);
	kit_peer_close(&p);
	kit_free(k);
}

/* ---- many */

TEST(grpc, connections_beyond_the_limit_are_refused_and_the_others_go_on)
{
	struct kit *k = kit_new();
	struct kit_peer p[3];
	k->limits.connections_max = 2;
	kit_start(k);
	kit_peer_hello(&p[0], k);
	kit_peer_hello(&p[1], k);
	kit_wait_stat(k, STATS_CONNS_GRPC, 2);
	/* Under TLS without a word: it would cost a handshake. */
	kit_peer_plain(&p[2], k);
	assert_int_equal(kit_goaway(&p[2], NULL), k->tls ? -1 : NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(kit_closed(&p[2]));
	kit_wait_stat(k, STATS_CONNS_REFUSED, 1);
	kit_peer_close(&p[2]);
	for (int i = 0; i < 2; i++) {
		kit_put_request(&p[i], 1, NULL, NULL, 0);
		kit_put_message(&p[i], 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
		assert_true(kit_send(&p[i]));
		assert_int_equal(kit_status(&p[i], 1), 0);
	}
	kit_peer_close(&p[0]);
	kit_wait_stat(k, STATS_CONNS_GRPC, 1);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, NULL, NULL), 0);
	kit_peer_close(&p[1]);
	kit_free(k);
}

TEST(grpc, running_out_of_descriptors_delays_a_connection)
{
	enum { FDS_MAX = 64 };
	const struct rlimit few = {FDS_MAX, FDS_MAX};
	if (getenv("WEIR_TEST_TLS"))
		test_skip("the client could not read its CA either");
	struct kit *k = kit_new();
	struct kit_peer p;
	int filler[FDS_MAX];
	size_t count = 0;
	log_setup(LOG_OFF, LOG_TEXT);
	kit_start(k);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((filler[count] = dup(STDOUT_FILENO)) >= 0)
		count++;
	assert_true(count >= 2);
	tcp_close(filler[--count]);
	kit_peer_hello(&p, k); /* takes the last one */
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_false(tcp_wait(p.fd, false, clock_mono_ns() + 250 * NS_PER_MS));
	tcp_close(filler[--count]);
	assert_int_equal(kit_status(&p, 1), 0);
	kit_peer_close(&p);
	while (count > 0)
		tcp_close(filler[--count]);
	kit_free(k);
}

TEST(grpc, streams_beyond_the_limit_are_refused_and_the_others_go_on)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->limits.streams_max = 3;
	kit_start(k);
	kit_peer_open(&p, k);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY); /* ours are not acknowledged */
	assert_true(kit_send(&p));
	assert_true(kit_next(&p, NGHTTP2_SETTINGS, &f));
	bool said = false;
	for (size_t i = 0; i + 6 <= f.payload.len; i += 6)
		said |= memcmp(f.payload.ptr + i, "\0\3\0\0\0\3", 6) == 0;
	assert_true(said); /* SETTINGS_MAX_CONCURRENT_STREAMS */
	for (int32_t id = 1; id <= 7; id += 2) {
		kit_put_request(&p, id, KIT_PATH_HOLD, NULL, 0);
		kit_put_message(&p, id, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
		assert_true(kit_send(&p));
		if (id == 5)
			kit_wait_held(k, 3);
	}
	assert_true(kit_next(&p, NGHTTP2_RST_STREAM, &f));
	assert_int_equal(f.stream_id, 7);
	assert_int_equal(get_u32be(f.payload.ptr), NGHTTP2_REFUSED_STREAM);
	kit_release_one(k);
	assert_int_equal(kit_status(&p, 1), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_peer_that_exceeds_the_streams_it_has_acknowledged_is_cut_off)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->limits.streams_max = 3;
	kit_start(k);
	kit_peer_open(&p, k);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
	assert_true(kit_send(&p));
	assert_true(kit_next(&p, NGHTTP2_SETTINGS, &f));
	kit_put_frame(&p, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, STR_EMPTY);
	for (int32_t id = 1; id <= 7; id += 2)
		kit_put_request(&p, id, KIT_PATH_HOLD, NULL, 0);
	assert_true(kit_send(&p));
	assert_int_equal(kit_goaway(&p, NULL), NGHTTP2_PROTOCOL_ERROR);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, header_fields_over_the_limit_are_refused)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	char extra[2100];
	k->limits.header_bytes_max = 2048;
	kit_start(k);
	kit_peer_hello(&p, k);
	snprintf(extra, sizeof(extra), "x-long: %02000d", 7);
	kit_put_request(&p, 1, NULL, extra, NGHTTP2_FLAG_END_STREAM);
	kit_put_request(&p, 3, NULL, NULL, 0);
	kit_put_message(&p, 3, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 8);
	assert_int_equal(kit_status(&p, 3), 0);
	assert_int_equal(atomic_load(&k->stats.refused[ERR_HEADERS_TOO_LARGE]), 1);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, many_empty_header_fields_count_too)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct buf block = {0};
	k->limits.header_timeout_ms = 600000;
	kit_start(k);
	kit_peer_hello(&p, k);
	/* 4 bytes each on the wire, 33 in the count of RFC 9113: 16 KiB of them end the connection. */
	for (int i = 0; i < 5000; i++)
		buf_append(&block, "\0\1a\0", 4);
	kit_put_frame(&p, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, str_of(block.ptr, 16000));
	assert_true(kit_send(&p));
	assert_int_equal(kit_goaway(&p, NULL), NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(kit_closed(&p));
	buf_fini(&block);
	kit_peer_close(&p);
	kit_free(k);
}

/* ---- floods */

/* Send so many frames of those that `put` composes, or until the server says GOAWAY, and then closes. */
static void
flood(void (*put)(struct kit_peer *p, int32_t round), int32_t frames)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	bool open = true;
	for (int32_t i = 0; i < frames / ROUND && open; i++) {
		for (int32_t j = 0; j < ROUND; j++)
			put(&p, i * ROUND + j);
		open = kit_send(&p);
	}
	int error = kit_goaway(&p, NULL);
	if (error != -1) /* the reset that follows may have overtaken it */
		assert_int_equal(error, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, NULL, NULL), 0);
	kit_free(k);
}

static void
put_ping(struct kit_peer *p, int32_t round)
{
	(void)round;
	kit_put_frame(p, NGHTTP2_PING, 0, 0, STR("12345678"));
}

TEST(grpc, a_flood_of_pings_ends_the_connection)
{
	flood(put_ping, FLOOD_FRAMES);
}

static void
put_settings(struct kit_peer *p, int32_t round)
{
	(void)round;
	kit_put_frame(p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
}

TEST(grpc, a_flood_of_settings_ends_the_connection)
{
	flood(put_settings, FLOOD_FRAMES);
}

static void
put_unknown(struct kit_peer *p, int32_t round)
{
	(void)round;
	kit_put_frame(p, 0x77, 0, 0, STR("what is this"));
}

TEST(grpc, a_flood_of_unknown_frames_ends_the_connection)
{
	flood(put_unknown, FLOOD_FRAMES_IGNORED);
}

static void
put_priority(struct kit_peer *p, int32_t round)
{
	(void)round;
	kit_put_frame(p, NGHTTP2_PRIORITY, 0, 1, str_of("\0\0\0\0\1", 5));
}

TEST(grpc, a_flood_of_priorities_ends_the_connection)
{
	flood(put_priority, FLOOD_FRAMES_IGNORED);
}

static void
put_window(struct kit_peer *p, int32_t round)
{
	(void)round;
	kit_put_frame(p, NGHTTP2_WINDOW_UPDATE, 0, 0, str_of("\0\0\0\1", 4));
}

TEST(grpc, a_flood_of_window_updates_ends_the_connection)
{
	flood(put_window, FLOOD_FRAMES);
}

static void
put_empty_data(struct kit_peer *p, int32_t round)
{
	if (round == 0)
		kit_put_request(p, 1, NULL, NULL, 0);
	kit_put_frame(p, NGHTTP2_DATA, 0, 1, STR_EMPTY);
}

TEST(grpc, a_flood_of_empty_data_ends_the_connection)
{
	flood(put_empty_data, FLOOD_FRAMES);
}

static void
put_reset(struct kit_peer *p, int32_t round)
{
	kit_put_request(p, 2 * round + 1, NULL, NULL, 0);
	kit_put_frame(p, NGHTTP2_RST_STREAM, 0, 2 * round + 1, str_of("\0\0\0\x08", 4));
}

TEST(grpc, rapid_reset_ends_the_connection)
{
	flood(put_reset, FLOOD_FRAMES);
}

TEST(grpc, a_flood_of_continuations_ends_the_connection)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_frame(&p, NGHTTP2_HEADERS, 0, 1, STR_EMPTY);
	for (int i = 0; i < CONTINUATIONS; i++)
		kit_put_frame(&p, NGHTTP2_CONTINUATION, 0, 1, STR_EMPTY);
	(void)kit_send(&p);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	assert_int_equal(kit_handled(k), 0);
	kit_free(k);
}

TEST(grpc, reset_calls_that_the_handler_has_count_as_streams)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->limits.streams_max = 10;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int32_t id = 1; id < 201; id += 2) {
		kit_put_request(&p, id, KIT_PATH_HOLD, NULL, 0);
		kit_put_message(&p, id, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
		kit_put_frame(&p, NGHTTP2_RST_STREAM, 0, id, str_of("\0\0\0\x08", 4));
	}
	kit_put_frame(&p, NGHTTP2_PING, 0, 0, STR("12345678"));
	assert_true(kit_send(&p));
	assert_true(kit_next(&p, NGHTTP2_PING, &f)); /* all before it has been read */
	assert_int_equal(kit_handled(k), 10);
	while (kit_held(k))
		kit_release_one(k);
	kit_wait_stat(k, STATS_INFLIGHT_BYTES, 0);
	kit_put_request(&p, 201, NULL, NULL, 0);
	kit_put_message(&p, 201, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 201), 0);
	kit_peer_close(&p);
	kit_free(k);
}

/* ---- what is no flood: who is refused goes on */

/* `count` calls that are answered before their bodies, from id on; the id behind them. */
static int32_t
refused_calls(struct kit_peer *p, int32_t id, int count)
{
	for (int i = 0; i < count; i++)
		kit_put_request(p, id + 2 * i, "/unknown", NULL, 0);
	assert_true(kit_send(p));
	for (int i = 0; i < count; i++)
		assert_int_equal(kit_status(p, id + 2 * i), 12);
	return id + 2 * count;
}

static int32_t
good_call(struct kit_peer *p, int32_t id)
{
	kit_put_request(p, id, NULL, NULL, 0);
	kit_put_message(p, id, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(p));
	assert_int_equal(kit_status(p, id), 0);
	return id + 2;
}

/* A window of each was sent before its client heard. */
TEST(grpc, bodies_on_their_way_to_calls_that_were_refused_are_no_flood)
{
	enum { CALLS = 7, ROUNDS = 4, FRAMES = GRPC_STREAM_WINDOW / GRPC_FRAME_BYTES_MAX };
	static const char bytes[GRPC_FRAME_BYTES_MAX];
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int32_t round = 0, id = 1; round < ROUNDS; round++) {
		int32_t behind = refused_calls(&p, id, CALLS);
		for (int i = 0; i < FRAMES; i++)
			for (int32_t at = id; at < behind; at += 2)
				kit_put_frame(&p, NGHTTP2_DATA,
				    i == FRAMES - 1 ? NGHTTP2_FLAG_END_STREAM : 0, at,
				    str_of(bytes, sizeof(bytes)));
		assert_true(kit_send(&p));
		id = good_call(&p, behind);
	}
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, resetting_calls_that_were_refused_is_no_flood)
{
	enum { CALLS = 50 };
	struct kit *k = kit_new();
	struct kit_peer p;
	int32_t id = 1;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int round = 0; round < FLOOD_FRAMES / CALLS; round++) {
		int32_t behind = refused_calls(&p, id, CALLS);
		for (; id < behind; id += 2)
			kit_put_frame(&p, NGHTTP2_RST_STREAM, 0, id, str_of("\0\0\0\0", 4));
	}
	good_call(&p, id);
	kit_peer_close(&p);
	kit_free(k);
}

static void
put_unknown_behind_refusal(struct kit_peer *p, int32_t round)
{
	if (round == 0)
		kit_put_request(p, 1, "/unknown", NULL, 0);
	put_unknown(p, round);
}

TEST(grpc, a_refusal_excuses_no_more_than_a_window_of_useless_frames)
{
	flood(put_unknown_behind_refusal, 2 * FLOOD_FRAMES_IGNORED);
}

TEST(grpc, pings_beside_calls_are_no_flood)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int32_t id = 1; id < 1001; id += 2) {
		for (int i = 0; i < 5; i++)
			put_ping(&p, i);
		kit_put_request(&p, id, NULL, NULL, 0);
		kit_put_message(&p, id, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
		assert_true(kit_send(&p));
		assert_int_equal(kit_status(&p, id), 0);
	}
	kit_peer_close(&p);
	kit_free(k);
}

/* ---- stuck */

TEST(grpc, an_answer_for_which_no_window_opens_is_given_up)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->limits.body_grace_ms = 150;
	kit_start(k);
	kit_peer_open(&p, k);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	/* SETTINGS_INITIAL_WINDOW_SIZE 0 */
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, str_of("\0\4\0\0\0\0", 6));
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 5, STR("hello"), NGHTTP2_FLAG_END_STREAM);
	uint64_t start = clock_mono_ns();
	assert_true(kit_send(&p));
	assert_true(kit_next(&p, NGHTTP2_RST_STREAM, &f));
	assert_int_equal(f.stream_id, 1);
	assert_int_equal(get_u32be(f.payload.ptr), NGHTTP2_CANCEL);
	assert_true(kit_waited(start, 150));
	/* With a window the connection is as good as ever. */
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, str_of("\0\4\0\0\xff\xff", 6));
	kit_put_request(&p, 3, NULL, NULL, 0);
	kit_put_message(&p, 3, 0, 5, STR("hello"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 3), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_peer_that_reads_nothing_is_cut_off)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct buf body = {0};
	k->limits.body_grace_ms = 1000;
	k->limits.body_rate_min = 1;
	kit_start(k);
	kit_peer_open(&p, k);
	buf_str(&p.out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(&p, NGHTTP2_SETTINGS, 0, 0, str_of("\0\4\x7f\xff\xff\xff", 6));
	kit_put_frame(&p, NGHTTP2_WINDOW_UPDATE, 0, 0, str_of("\x7f\xff\0\0", 4));
	assert_true(kit_send(&p));
	for (int i = 0; i < 16000; i++)
		buf_char(&body, 'x');
	/* Echoes, never read, until the buffers of both sockets are full and the server stops reading. */
	bool taken = true;
	int waits = 0, longest = 0;
	for (int32_t id = 1; taken && id < 100000; id += 2) {
		size_t n;
		kit_put_request(&p, id, NULL, NULL, 0);
		kit_put_message(&p, id, 0, 16000, buf_view(&body), NGHTTP2_FLAG_END_STREAM);
		for (size_t off = 0; taken && off < p.out.len; off += n) {
			enum tcp_io io = kit_peer_write(&p, p.out.ptr + off, p.out.len - off, &n);
			taken = io != TCP_FAILED;
			waits = io == TCP_WAIT_WRITE ? waits + 1 : 0;
			longest = waits > longest ? waits : longest;
			if (waits)
				clock_sleep_ns(NS_PER_MS);
		}
		buf_reset(&p.out);
	}
	assert_false(taken);
	assert_true(longest >= BLOCKED_WAITS);
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_TIMED_OUT), 1);
	buf_fini(&body);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_large_answer_waits_for_windows)
{
	struct kit *k = kit_new();
	struct buf body = {0};
	struct kit_reply r[8];
	kit_start(k);
	for (int i = 0; i < 2000000; i++)
		buf_char(&body, (char)(i * 7));
	struct grpc_client *c = kit_client(k);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		kit_begin(c, KIT_PATH, buf_view(&body), false, NULL, &r[i]);
	kit_finish(c);
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		assert_int_equal(r[i].status, 0);
		assert_true(str_eq(buf_view(&r[i].message), buf_view(&body)));
		kit_reply_fini(&r[i]);
	}
	grpc_client_close(c);
	buf_fini(&body);
	kit_free(k);
}
