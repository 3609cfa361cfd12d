/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of many messages: the server's side, with our client and with peers that do not read. */
#include "grpc/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

struct received {
	size_t count, bytes;
	size_t bytes_each;
	int status; /* -1: none yet */
};

static bool
receive_message(void *ctx, struct str message)
{
	struct received *r = ctx;
	assert_int_equal(message.len, r->bytes_each);
	for (size_t i = 0; i < message.len; i++)
		if (message.ptr[i] != (char)('0' + r->count % 10))
			fail_msg("byte %zu of message %zu", i, r->count);
	r->count++;
	r->bytes += message.len + 5;
	return true;
}

static void
receive_end(void *ctx, const struct grpc_reply *reply)
{
	struct received *r = ctx;
	r->status = reply->status;
}

static struct received
receive_all(struct grpc_client *c, size_t bytes_each)
{
	struct received r = {.status = -1, .bytes_each = bytes_each};
	const struct grpc_stream to = {receive_message, receive_end, &r, SIZE_MAX};
	struct err err = {0};
	if (grpc_client_call_stream(c, KIT_PATH_STREAM, STR("?"), NULL, &to, &err) != ERR_OK)
		fail_msg("%s", err.message);
	kit_finish(c);
	return r;
}

TEST(grpc, an_answer_of_many_messages_arrives_whole_whatever_their_number_and_size)
{
	static const size_t cases[][2] = {
	    {0, 0}, {1, 0}, {1, 1}, {3, 0}, {7, 11}, {1000, 100}, {3, 70000}, {2, 3 << 20}};
	struct kit *k = kit_new();
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		k->stream_messages = cases[i][0];
		k->stream_bytes = cases[i][1];
		struct received r = receive_all(c, cases[i][1]);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.count, cases[i][0]);
	}
	grpc_client_close(c);
	kit_free(k);
}

TEST(grpc, who_reads_many_large_answers_opens_windows_and_that_is_no_flood)
{
	struct kit *k = kit_new();
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	k->stream_messages = 64;
	k->stream_bytes = 32 * 1024;
	/* 2 MiB each, and a window update or two for every 32 KiB. */
	for (int i = 0; i < 50; i++)
		assert_int_equal(receive_all(c, k->stream_bytes).status, 0);
	grpc_client_close(c);
	kit_free(k);
}

/* A call for the stream on a connection whose windows hold nothing. */
static void
ask_without_window(struct kit_peer *p, const struct kit *k)
{
	kit_peer_open(p, k);
	buf_str(&p->out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	/* SETTINGS_INITIAL_WINDOW_SIZE 0 */
	kit_put_frame(p, NGHTTP2_SETTINGS, 0, 0, str_of("\0\4\0\0\0\0", 6));
	kit_put_request(p, 1, KIT_PATH_STREAM, NULL, 0);
	kit_put_message(p, 1, 0, 1, STR("?"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(p));
}

TEST(grpc, an_answer_that_nobody_reads_holds_its_budget_until_it_is_given_up)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->stream_messages = 10;
	k->stream_bytes = 1000;
	k->limits.body_grace_ms = 200;
	k->limits.answer_rate_min = 50000; /* 10050 bytes: 201 ms more */
	kit_start(k);
	uint64_t start = clock_mono_ns();
	ask_without_window(&p, k);
	assert_true(kit_next(&p, NGHTTP2_HEADERS, &f));
	assert_int_equal(budget_used(&k->stream_budget), 10050);
	assert_true(kit_next(&p, NGHTTP2_RST_STREAM, &f));
	assert_int_equal(get_u32be(f.payload.ptr), NGHTTP2_CANCEL);
	assert_true(kit_waited(start, 400));
	while (budget_used(&k->stream_budget) > 0 && clock_mono_ns() < kit_deadline())
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(budget_used(&k->stream_budget), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, an_answer_whose_reader_leaves_gives_its_budget_back)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	k->stream_messages = 10;
	k->stream_bytes = 1000;
	kit_start(k);
	ask_without_window(&p, k);
	assert_true(kit_next(&p, NGHTTP2_HEADERS, &f));
	assert_int_equal(budget_used(&k->stream_budget), 10050);
	kit_peer_close(&p);
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	kit_free(k); /* looks at the budget */
}
