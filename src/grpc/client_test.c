/* SPDX-License-Identifier: Apache-2.0 */
/* The client against servers that behave badly, and the ends of a connection. */
#include "grpc/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err_code
open_client(struct str address, uint64_t timeout_ms, struct grpc_client **out, struct err *err)
{
	const struct grpc_client_options opt = {.address = address, .timeout_ms = timeout_ms};
	return grpc_client_open(&opt, out, err);
}

/* ---- a server of one connection that answers with given bytes */

struct fake {
	struct thread thread;
	int listener;
	char address[32];
	struct buf hello; /* sent at once */
	struct buf reply; /* sent when a request has arrived, and pause_ns later */
	bool hang_up; /* then close, else wait for the client to */
	uint64_t pause_ns; /* in which nothing is read */
};

static void
serve_fake(void *ctx)
{
	struct fake *f = ctx;
	uint64_t deadline = kit_deadline();
	char bytes[4096];
	size_t n, seen = 0;
	int fd = -1;
	while (fd < 0 && tcp_wait(f->listener, false, deadline))
		(void)!tcp_accept(f->listener, &fd, NULL);
	(void)tcp_write(fd, f->hello.ptr, f->hello.len, &n);
	/* Preface and SETTINGS are less than this, a request is more. */
	while (seen < 100 && tcp_wait(fd, false, deadline) &&
	    tcp_read(fd, bytes, sizeof(bytes), &n) == TCP_OK)
		seen += n;
	clock_sleep_ns(f->pause_ns);
	(void)tcp_write(fd, f->reply.ptr, f->reply.len, &n);
	if (f->hang_up)
		tcp_shutdown_write(fd);
	clock_sleep_ns(f->pause_ns);
	while (tcp_wait(fd, false, deadline) && tcp_read(fd, bytes, sizeof(bytes), &n) == TCP_OK)
		;
	tcp_close(fd);
}

static void
put_frame(struct buf *b, unsigned type, unsigned flags, int32_t id, struct str payload)
{
	struct kit_peer p = {.out = *b};
	kit_put_frame(&p, type, flags, id, payload);
	*b = p.out;
}

static void
put_headers(struct buf *b, unsigned flags, const char *const *fields)
{
	struct buf block = {0};
	for (; *fields; fields += 2)
		kit_field(&block, str_from(fields[0]), str_from(fields[1]));
	put_frame(b, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | flags, 1, buf_view(&block));
	buf_fini(&block);
}

/* Takes the bytes of both. */
static struct grpc_client *
start_saying(struct fake *f, struct buf *hello, struct buf *reply, bool hang_up)
{
	struct grpc_client *c;
	struct err err = {0};
	*f = (struct fake){.hang_up = hang_up, .hello = *hello, .reply = *reply};
	*hello = *reply = (struct buf){0};
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &f->listener, &err), ERR_OK);
	snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", tcp_port(f->listener));
	assert_int_equal(thread_start(&f->thread, "fake", serve_fake, f, &err), ERR_OK);
	assert_int_equal(open_client(str_from(f->address), KIT_PATIENCE_MS, &c, &err), ERR_OK);
	return c;
}

static struct grpc_client *
start_fake(struct fake *f, struct buf *reply, bool hang_up)
{
	struct buf hello = {0};
	put_frame(&hello, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
	return start_saying(f, &hello, reply, hang_up);
}

static void
end_fake(struct fake *f, struct grpc_client *c)
{
	grpc_client_close(c);
	thread_join(&f->thread);
	tcp_close(f->listener);
	buf_fini(&f->hello);
	buf_fini(&f->reply);
}

static const struct str request = {"a message that is long enough to be seen", 40};

/* One call to the fake, whose reply is taken. */
static struct kit_reply
call_fake(struct buf *reply, bool hang_up)
{
	struct fake f;
	struct kit_reply r;
	struct grpc_client *c = start_fake(&f, reply, hang_up);
	kit_begin(c, KIT_PATH, request, false, NULL, &r);
	kit_finish(c);
	end_fake(&f, c);
	return r;
}

TEST(grpc_client, an_answer_without_grpc_status_gets_one_from_http)
{
	static const struct {
		const char *http;
		int status;
	} cases[] = {{"400", 13}, {"401", 16}, {"403", 7}, {"404", 12}, {"429", 14}, {"502", 14},
	    {"503", 14}, {"504", 14}, {"200", 2}, {"418", 2}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};
		const char *const fields[] = {":status", cases[i].http, NULL};
		put_headers(&b, NGHTTP2_FLAG_END_STREAM, fields);
		struct kit_reply r = call_fake(&b, false);
		assert_int_equal(r.status, cases[i].status);
		assert_false(r.lost);
		assert_non_null(strstr(r.text.ptr, cases[i].http));
		kit_reply_fini(&r);
	}
}

TEST(grpc_client, a_reset_stream_has_a_status)
{
	static const struct {
		const char *error;
		int status;
	} cases[] = {{"\0\0\0\x07", 14}, {"\0\0\0\x08", 1}, {"\0\0\0\x0b", 8}, {"\0\0\0\x02", 13}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};
		put_frame(&b, NGHTTP2_RST_STREAM, 0, 1, str_of(cases[i].error, 4));
		struct kit_reply r = call_fake(&b, false);
		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.lost, i == 0); /* REFUSED_STREAM */
		kit_reply_fini(&r);
	}
}

TEST(grpc_client, success_needs_a_whole_message)
{
	static const struct str bodies[] = {
	    {"", 0}, {"\0\0\0\0", 4}, {"\0\0\0\0\2x", 6}, {"\0\0\0\0\0x", 6}, {"\1\0\0\0\1x", 6}};
	static const char *const head[] = {
	    ":status", "200", "content-type", "application/grpc", NULL};
	static const char *const tail[] = {"grpc-status", "0", NULL};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct buf b = {0};
		put_headers(&b, 0, head);
		put_frame(&b, NGHTTP2_DATA, 0, 1, bodies[i]);
		put_headers(&b, NGHTTP2_FLAG_END_STREAM, tail);
		struct kit_reply r = call_fake(&b, false);
		assert_int_equal(r.status, 13);
		kit_reply_fini(&r);
	}
}

TEST(grpc_client, a_server_that_speaks_something_else_is_told_from_one_that_goes_away)
{
	struct fake f;
	struct kit_reply r;
	struct buf hello = {0}, reply = {0};
	buf_str(&hello, STR("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
	struct grpc_client *c = start_saying(&f, &hello, &reply, false);
	kit_begin(c, KIT_PATH, request, false, NULL, &r);
	kit_finish(c);
	end_fake(&f, c);
	assert_int_equal(r.status, 14);
	if (!strstr(r.text.ptr, "does not speak HTTP/2"))
		fail_msg("%s", r.text.ptr);
	kit_reply_fini(&r);
}

TEST(grpc_client, a_connection_that_ends_fails_its_calls)
{
	struct buf b = {0};
	struct kit_reply r = call_fake(&b, true);
	assert_int_equal(r.status, 14);
	assert_string_equal(r.text.ptr, "the server closed the connection");
	assert_true(r.lost);
	kit_reply_fini(&r);
}

TEST(grpc_client, a_goaway_fails_the_calls_it_does_not_name_and_says_why)
{
	struct buf b = {0};
	put_frame(&b, NGHTTP2_GOAWAY, 0, 0, str_of("\0\0\0\0\0\0\0\x0b", 8));
	struct kit_reply r = call_fake(&b, true);
	assert_int_equal(r.status, 14);
	assert_true(r.lost);
	kit_reply_fini(&r);
}

TEST(grpc_client, what_is_no_http2_fails_the_call)
{
	struct buf b = {0};
	buf_str(&b, STR("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"));
	struct kit_reply r = call_fake(&b, true);
	assert_int_equal(r.status, 14);
	kit_reply_fini(&r);
}

/* ---- replies of many messages */

/* What came of a call whose reply is a stream: "[message]" for each. */
struct taken {
	char got[256];
	int count;
	int count_max; /* then no more */
	int status; /* -1: none yet */
	char text[128];
};

static bool
take_message(void *ctx, struct str message)
{
	struct taken *t = ctx;
	size_t n = strlen(t->got);
	assert_int_equal(t->status, -1);
	assert_true(t->count < t->count_max);
	snprintf(t->got + n, sizeof(t->got) - n, "[%.*s]", STR_ARG(message));
	return ++t->count < t->count_max;
}

static void
take_end(void *ctx, const struct grpc_reply *reply)
{
	struct taken *t = ctx;
	assert_int_equal(t->status, -1);
	assert_int_equal(reply->message.len, 0);
	t->status = reply->status;
	snprintf(t->text, sizeof(t->text), "%.*s", STR_ARG(reply->text));
}

enum { STREAM_BYTES_MAX = 64 };

/* The body in pieces of so many bytes, then trailers, unless status is NULL. */
static struct taken
stream_fake(struct str body, size_t piece_bytes, const char *status, int count_max)
{
	static const char *const head[] = {
	    ":status", "200", "content-type", "application/grpc", NULL};
	const char *const tail[] = {"grpc-status", status, NULL};
	struct taken t = {.status = -1, .count_max = count_max};
	struct grpc_stream to = {take_message, take_end, &t, STREAM_BYTES_MAX};
	struct buf b = {0};
	struct fake f;
	struct err err = {0};
	put_headers(&b, 0, head);
	for (size_t off = 0; off < body.len; off += piece_bytes) {
		size_t left = body.len - off;
		put_frame(&b, NGHTTP2_DATA, 0, 1,
		    str_of(body.ptr + off, left < piece_bytes ? left : piece_bytes));
	}
	if (status)
		put_headers(&b, NGHTTP2_FLAG_END_STREAM, tail);
	struct grpc_client *c = start_fake(&f, &b, !status);
	assert_int_equal(grpc_client_call_stream(c, KIT_PATH, request, NULL, &to, &err), ERR_OK);
	kit_finish(c);
	end_fake(&f, c);
	return t;
}

TEST(grpc_client, a_reply_of_many_messages_is_given_message_by_message_however_it_is_cut)
{
	static const struct str body = {"\0\0\0\0\3one\0\0\0\0\0\0\0\0\0\5three", 23};
	for (size_t piece = 1; piece <= body.len; piece++) {
		struct taken t = stream_fake(body, piece, "0", 9);
		assert_string_equal(t.got, "[one][][three]");
		assert_int_equal(t.status, 0);
	}
	struct taken none = stream_fake(STR_EMPTY, 1, "0", 9);
	assert_string_equal(none.got, "");
	assert_int_equal(none.status, 0);
}

TEST(grpc_client, messages_that_came_before_a_failure_were_given)
{
	static const struct str body = {"\0\0\0\0\3one\0\0\0\0\3two", 16};
	struct taken refused = stream_fake(body, 5, "14", 9);
	assert_string_equal(refused.got, "[one][two]");
	assert_int_equal(refused.status, 14);
	struct taken lost = stream_fake(body, 5, NULL, 9);
	assert_string_equal(lost.got, "[one][two]");
	assert_int_equal(lost.status, 14);
}

TEST(grpc_client, a_stream_that_is_malformed_fails_behind_what_was_good)
{
	static const struct {
		struct str body;
		const char *got;
		int status;
	} cases[] = {
	    {{"\0\0\0\0\3one\0\0", 10}, "[one]", 13},
	    {{"\0\0\0\0\3one\0\0\0\0\4two", 16}, "[one]", 13},
	    {{"\0\0\0\0\3one\1\0\0\0\3two", 16}, "[one]", 13},
	    {{"\0\0\0\0\3one\0\xff\xff\xff\xff", 13}, "[one]", 8},
	    {{"\0\0\0\0\1a\0\0\0\0\x36 not 54 bytes", 24}, "[a]", 13},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct taken t = stream_fake(cases[i].body, 7, "0", 9);
		assert_string_equal(t.got, cases[i].got);
		assert_int_equal(t.status, cases[i].status);
	}
}

TEST(grpc_client, a_stream_is_bounded_by_the_bytes_of_all_its_messages)
{
	char body[STREAM_BYTES_MAX + 8] = {0};
	for (size_t i = 4; i < sizeof(body); i += 8) /* messages of 3 bytes: 8 with the prefix */
		memcpy(body + i, "\3abc", 4);
	struct taken whole = stream_fake(str_of(body, STREAM_BYTES_MAX), 8, "0", 99);
	assert_int_equal(whole.count, 8);
	assert_int_equal(whole.status, 0);
	struct taken more = stream_fake(str_of(body, sizeof(body)), 8, "0", 99);
	assert_int_equal(more.count, 8);
	assert_int_equal(more.status, 8);
	assert_string_equal(more.text, "the response is too large");
}

TEST(grpc_client, who_wants_no_more_messages_gets_none)
{
	static const struct str body = {"\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c", 18};
	struct taken t = stream_fake(body, 18, "0", 2);
	assert_string_equal(t.got, "[a][b]");
	assert_int_equal(t.status, 1);
}

/* ---- the message is the caller's */

struct lent {
	char *message;
	int status;
};

static void
give_back(void *ctx, const struct grpc_reply *reply)
{
	struct lent *l = ctx;
	l->status = reply->status;
	free(l->message);
	l->message = NULL;
}

TEST(grpc_client, a_message_may_be_freed_at_the_reply_even_when_it_is_half_sent)
{
	enum { MESSAGE_BYTES = 60 << 20 };
	static const char *const refusal[] = {
	    ":status", "200", "content-type", "application/grpc", "grpc-status", "8", NULL};
	struct fake f = {.pause_ns = 200 * NS_PER_MS};
	struct lent l = {calloc(1, MESSAGE_BYTES), -1};
	struct grpc_client *c;
	struct err err = {0};
	/* SETTINGS_INITIAL_WINDOW_SIZE and the connection's window: all of it may be sent at once. */
	put_frame(&f.hello, NGHTTP2_SETTINGS, 0, 0, str_of("\0\4\4\0\0\0", 6));
	put_frame(&f.hello, NGHTTP2_WINDOW_UPDATE, 0, 0, str_of("\4\0\0\0", 4));
	put_headers(&f.reply, NGHTTP2_FLAG_END_STREAM, refusal);
	put_frame(&f.reply, NGHTTP2_RST_STREAM, 0, 1, str_of("\0\0\0\0", 4));
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &f.listener, &err), ERR_OK);
	snprintf(f.address, sizeof(f.address), "127.0.0.1:%u", tcp_port(f.listener));
	assert_int_equal(thread_start(&f.thread, "fake", serve_fake, &f, &err), ERR_OK);
	assert_int_equal(open_client(str_from(f.address), KIT_PATIENCE_MS, &c, &err), ERR_OK);
	assert_int_equal(grpc_client_call(c, KIT_PATH, str_of(l.message, MESSAGE_BYTES), false,
	                     NULL, give_back, &l, &err),
	    ERR_OK);
	kit_finish(c);
	assert_int_equal(l.status, 8);
	assert_null(l.message);
	grpc_client_close(c);
	thread_join(&f.thread);
	tcp_close(f.listener);
	buf_fini(&f.hello);
	buf_fini(&f.reply);
}

/* ---- ends */

TEST(grpc_client, nobody_listening_is_named)
{
	struct grpc_client *c;
	struct err err = {0};
	int fd;
	char address[32];
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &fd, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", tcp_port(fd));
	tcp_close(fd);
	assert_int_equal(open_client(str_from(address), KIT_PATIENCE_MS, &c, &err),
	    ERR_UNAVAILABLE);
	assert_null(c);
	assert_non_null(strstr(err.message, address));
	assert_int_equal(open_client(STR("no port"), 1, &c, &err), ERR_INVALID);
}

TEST(grpc_client, the_deadline_of_a_run_leaves_its_calls_in_flight)
{
	struct kit *k = kit_new();
	struct kit_reply r;
	struct err err = {0};
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	kit_begin(c, KIT_PATH_HOLD, STR("x"), false, NULL, &r);
	uint64_t start = clock_mono_ns();
	assert_int_equal(grpc_client_run(c, 0, start + 50 * NS_PER_MS, &err), ERR_DEADLINE);
	assert_true(clock_mono_ns() - start >= 50 * NS_PER_MS);
	assert_int_equal(grpc_client_inflight(c), 1);
	assert_int_equal(r.status, -1);
	kit_wait_held(k, 1);
	kit_release_one(k);
	kit_finish(c);
	assert_int_equal(r.status, 0);
	kit_reply_fini(&r);
	grpc_client_close(c);
	kit_free(k);
}

TEST(grpc_client, closing_answers_the_calls_in_flight)
{
	struct kit *k = kit_new();
	struct kit_reply r;
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	kit_begin(c, KIT_PATH_HOLD, STR("x"), false, NULL, &r);
	grpc_client_close(c);
	assert_int_equal(r.status, 14);
	kit_reply_fini(&r);
	kit_free(k);
}

TEST(grpc_client, calls_beyond_what_the_server_takes_wait)
{
	enum { CALLS = 100 };
	struct kit *k = kit_new();
	struct kit_reply r[CALLS];
	k->limits.streams_max = 3;
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	kit_begin(c, KIT_PATH, STR("first"), false, NULL, &r[0]);
	kit_finish(c); /* the server's SETTINGS have arrived */
	for (size_t i = 1; i < CALLS; i++)
		kit_begin(c, KIT_PATH, STR("x"), false, NULL, &r[i]);
	kit_finish(c);
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(r[i].status, 0);
		kit_reply_fini(&r[i]);
	}
	grpc_client_close(c);
	kit_free(k);
}

TEST(grpc_client, a_malformed_header_starts_no_call)
{
	static const char *const bad[][2] = {{"no colon", NULL}, {": x", NULL}};
	struct kit *k = kit_new();
	struct err err = {0};
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(grpc_client_call(c, KIT_PATH, STR("x"), false, bad[i], NULL, NULL,
		                     &err),
		    ERR_INVALID);
	assert_int_equal(grpc_client_inflight(c), 0);
	grpc_client_close(c);
	grpc_client_close(NULL);
	kit_free(k);
}

/* ---- from inside a callback */

struct relay {
	struct grpc_client *client;
	int left;
	int failed;
};

static void
call_again(void *ctx, const struct grpc_reply *reply)
{
	struct relay *r = ctx;
	struct err err;
	r->failed += reply->status != 0;
	if (r->left-- > 0)
		assert_int_equal(grpc_client_call(r->client, KIT_PATH, STR("again"), false, NULL,
		                     call_again, r, &err),
		    ERR_OK);
}

TEST(grpc_client, a_callback_may_start_the_next_call)
{
	struct kit *k = kit_new();
	struct err err;
	kit_start(k);
	struct relay r = {.client = kit_client(k), .left = 500};
	assert_int_equal(grpc_client_call(r.client, KIT_PATH, STR("first"), false, NULL, call_again,
	                     &r, &err),
	    ERR_OK);
	kit_finish(r.client);
	assert_int_equal(r.left, -1);
	assert_int_equal(r.failed, 0);
	grpc_client_close(r.client);
	kit_free(k);
}
