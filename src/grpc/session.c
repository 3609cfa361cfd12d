/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/session.c - what nghttp2 tells us, turned into calls.
 *
 * Windows are not updated by the library: the connection's is given back as bytes arrive (one slow
 * call must not hold up the others), a stream's only for bytes its call has accepted.
 *
 * Floods. Frames that cost us work and bring no call nearer are paid from a credit (conn.c): PING,
 * SETTINGS, RST_STREAM, WINDOW_UPDATE, empty DATA. That covers rapid reset (CVE-2023-44487) and the
 * floods of 2019. Frames that nghttp2 ignores without telling (unknown types, PRIORITY) are counted
 * in bytes: GRPC_USELESS_BYTES_MAX without a request or DATA between them. A stream that is reset
 * while the handler has its call still counts towards the streams of the connection. An answer before the end of its
 * request (too busy, no key) is no reason to be cut off: the body that was on its way, which nghttp2 ignores, and a reset for
 * each such answer are not counted. nghttp2
 * itself bounds CONTINUATION frames, entries of a SETTINGS frame, and acknowledgements that wait
 * to be sent; a peer that exceeds the number of streams it has acknowledged loses its connection.
 */
#include "grpc/grpc_priv.h"

#include "sys/log.h"

enum {
	HEADER_BYTES_FACTOR = 4, /* so many times the limit ends the connection */
	CONTINUATIONS_MAX = 8,
	SETTINGS_ENTRIES_MAX = 32,
	OUTBOUND_ACKS_MAX = 1000,
};

static struct grpc_call *
call_of(nghttp2_session *session, int32_t stream_id)
{
	return stream_id ? nghttp2_session_get_stream_user_data(session, stream_id) : NULL;
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct grpc_conn *c = user;
	(void)session;
	if (hd->type != NGHTTP2_CONTINUATION)
		c->header_since_ns = 0;
	return 0;
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_conn *c = user;
	const struct limits *limits = &c->worker->server->limits;
	c->useless_bytes = 0;
	c->header_since_ns = loop_now_ns(c->worker->loop);
	grpc_conn_arm(c, c->header_since_ns + limits->header_timeout_ms * UINT64_C(1000000));
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	if (c->call_count >= limits->streams_max) {
		grpc_conn_expect_late(c);
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
		    NGHTTP2_REFUSED_STREAM);
	}
	struct grpc_call *call = grpc_call_new(c, frame->hd.stream_id);
	return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct grpc_conn *c = user;
	struct grpc_call *call = call_of(session, frame->hd.stream_id);
	(void)flags;
	if (!call)
		return 0;
	grpc_call_field(call, str_of(name, name_len), str_of(value, value_len));
	/* HPACK turns a byte into kilobytes; somebody who means it is cut off. */
	if (call->header_bytes > HEADER_BYTES_FACTOR * c->worker->server->limits.header_bytes_max)
		grpc_conn_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

static void
on_headers_or_data(struct grpc_conn *c, struct grpc_call *call, const nghttp2_frame *frame)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	if (frame->hd.type == NGHTTP2_HEADERS)
		c->header_since_ns = 0;
	else if (frame->hd.length == 0 && !end)
		grpc_conn_spend(c);
	if (!call)
		return;
	if (frame->hd.type == NGHTTP2_HEADERS && call->state == CALL_HEADER)
		grpc_call_header_done(call);
	if (end)
		grpc_call_end(call);
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_conn *c = user;
	c->frame_ns = loop_now_ns(c->worker->loop);
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		on_headers_or_data(c, call_of(session, frame->hd.stream_id), frame);
		break;
	case NGHTTP2_SETTINGS:
		c->settings_seen = true;
		grpc_conn_spend(c);
		break;
	default: grpc_conn_spend(c); break;
	}
	return 0;
}

static int
on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	struct grpc_conn *c = user;
	(void)session;
	log_debug("grpc", "bad frame of type %u: %s", frame->hd.type, nghttp2_strerror(error));
	grpc_conn_spend(c);
	return 0;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
    size_t n, void *user)
{
	struct grpc_conn *c = user;
	struct grpc_call *call = call_of(session, stream_id);
	(void)flags;
	c->useless_bytes = 0;
	if (nghttp2_session_consume_connection(session, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (!call || call->state != CALL_BODY)
		return 0;
	grpc_call_data(call, bytes, n);
	if (call->state != CALL_BODY)
		return 0;
	return nghttp2_session_consume_stream(session, stream_id, n) == 0
	    ? 0
	    : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user)
{
	struct grpc_call *call = call_of(session, stream_id);
	(void)error;
	(void)user;
	if (call)
		grpc_call_stream_gone(call);
	return 0;
}

static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)user;
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	struct grpc_call *call = call_of(session, frame->hd.stream_id);
	if (call)
		grpc_answer_sent(call);
	return 0;
}

nghttp2_session_callbacks *
grpc_session_callbacks(void)
{
	nghttp2_session_callbacks *cb = NULL;
	CHECK(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	return cb;
}

nghttp2_option *
grpc_session_options(void)
{
	nghttp2_option *o = NULL;
	CHECK(nghttp2_option_new(&o) == 0);
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_settings(o, SETTINGS_ENTRIES_MAX);
	nghttp2_option_set_max_outbound_ack(o, OUTBOUND_ACKS_MAX);
	nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX);
	/* The library counts resets by the clock alone, which 200 refusals a second would exceed. Ours knows of answers. */
	nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX, UINT64_MAX);
	return o;
}

nghttp2_session *
grpc_session_new(struct grpc_conn *c)
{
	const struct grpc_server *s = c->worker->server;
	nghttp2_session *session = NULL;
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)s->limits.streams_max},
	    {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW},
	    {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, GRPC_FRAME_BYTES_MAX},
	    {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)s->limits.header_bytes_max},
	    {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	CHECK(nghttp2_session_server_new2(&session, s->callbacks, c, s->session_options) == 0);
	CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) ==
	    0);
	CHECK(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
	          GRPC_CONN_WINDOW) == 0);
	return session;
}
