/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/call.c - one call, from its header to the handler.
 *
 * What a call costs is charged to the server's budget before it is allocated: its header when it
 * is complete (until then a connection has at most one, bounded by the limit), the message as its
 * buffer grows, the inflated message before it is inflated. The buffer is as large as the length
 * prefix says when that is little; a large one grows as bytes come in, so that a peer which claims
 * 16 MiB and sends nothing holds nothing. The charge ends with the answer.
 *
 * Time. A body must come at body_rate_min bytes a second on average, looked at after body_grace_ms
 * and then every second; grpc-timeout runs from the end of the header; an answer must have left
 * body_grace_ms after it was given, and as long again as it takes at answer_rate_min, or its stream is reset (a
 * peer that opens no window would otherwise keep it for ever).
 */
#include "grpc/grpc_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "grpc/text.h"
#include "sys/clock.h"

#include <stdlib.h>

enum {
	FIELD_OVERHEAD_BYTES = 32, /* RFC 9113 section 6.5.2 */
	MESSAGE_FIRST_BYTES = 128 * 1024,
	PAIR_BYTES = 8, /* the two lengths in front of a header field */
	INFLATE_RATIO_USUAL = 8,
	DEFLATE_RATIO_MAX = 1032, /* 258 bytes from two bits */
	INFLATE_SPARE_BYTES_MAX = 64 * 1024, /* more is given back */
	GZIP_BYTES_MIN = 18, /* header and trailer, RFC 1952 */
};

/* ---- life */

struct grpc_call *
grpc_call_new(struct grpc_conn *c, int32_t stream_id)
{
	struct grpc_call *call = xcalloc(1, sizeof(*call));
	call->server = c->worker->server;
	call->worker = c->worker;
	call->conn = c;
	call->stream_id = stream_id;
	call->stream_open = true;
	call->deadline_ns = call->timeout_ns = UINT64_MAX;
	call->next = c->calls;
	if (call->next)
		call->next->prev = call;
	c->calls = call;
	c->call_count++;
	return call;
}

static void
unlink_call(struct grpc_call *call)
{
	struct grpc_conn *c = call->conn;
	if (!c)
		return;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	CHECK(c->call_count > 0);
	if (--c->call_count == 0)
		grpc_conn_arm(c,
		    loop_now_ns(call->worker->loop) +
		        call->server->limits.idle_timeout_ms * NS_PER_MS);
	call->conn = NULL;
}

void
grpc_call_drop_request(struct grpc_call *call)
{
	CHECK(!call->with_handler);
	buf_fini(&call->header);
	buf_fini(&call->message);
	grpc_server_discharge(call->server, call->charged);
	call->charged = 0;
}

void
grpc_call_release(struct grpc_call *call)
{
	if (call->stream_open || call->with_handler)
		return;
	unlink_call(call);
	grpc_call_drop_request(call);
	grpc_answer_drop(call);
	free(call);
}

void
grpc_call_stream_gone(struct grpc_call *call)
{
	call->stream_open = false;
	grpc_call_release(call);
}

/* ---- header */

static void
refuse(struct grpc_call *call, enum err_code code, const char *why, struct str operand)
{
	if (call->refusal == ERR_OK)
		call->refusal = err_set(&call->refusal_text, code, "%s%.*s", why,
		    (int)(operand.len < 100 ? operand.len : 100), operand.ptr ? operand.ptr : "");
}

static void
keep_field(struct grpc_call *call, struct str name, struct str value)
{
	unsigned char lengths[PAIR_BYTES];
	put_u32le(lengths, (uint32_t)name.len);
	put_u32le(lengths + 4, (uint32_t)value.len);
	buf_append(&call->header, lengths, sizeof(lengths));
	buf_str(&call->header, name);
	buf_str(&call->header, value);
}

static void
find_path(struct grpc_call *call, struct str path)
{
	const struct grpc_server *s = call->server;
	for (size_t i = 0; i < s->path_count; i++) {
		if (!str_eq(s->paths[i], path))
			continue;
		call->path_idx = i;
		call->path_known = true;
	}
}

/* The fields this file needs itself. */
static void
look_at_field(struct grpc_call *call, struct str name, struct str value)
{
	if (str_eq(name, STR(":method"))) {
		call->post = str_eq(value, STR("POST"));
	} else if (str_eq(name, STR(":path"))) {
		find_path(call, value);
	} else if (str_eq(name, STR("content-type"))) {
		call->grpc_type = grpc_text_is_grpc(value);
	} else if (str_eq(name, STR("grpc-encoding"))) {
		if (inflate_coding_parse(value, &call->coding, NULL) != ERR_OK)
			refuse(call, ERR_UNIMPLEMENTED, "unknown grpc-encoding ", value);
	} else if (str_eq(name, STR("grpc-timeout"))) {
		if (!grpc_text_timeout(value, &call->timeout_ns))
			refuse(call, ERR_INVALID, "malformed grpc-timeout ", value);
	}
}

void
grpc_call_field(struct grpc_call *call, struct str name, struct str value)
{
	call->header_bytes += name.len + value.len + FIELD_OVERHEAD_BYTES;
	if (call->header_bytes > call->server->limits.header_bytes_max)
		refuse(call, ERR_HEADERS_TOO_LARGE,
		    "the header fields are over the limit (--max-header-bytes)", STR_EMPTY);
	if (call->state != CALL_HEADER || call->refusal == ERR_HEADERS_TOO_LARGE)
		return; /* trailers of a request mean nothing to gRPC */
	look_at_field(call, name, value);
	keep_field(call, name, value);
}

/* False when it was answered. */
static bool
accept_header(struct grpc_call *call)
{
	if (call->refusal != ERR_HEADERS_TOO_LARGE && !call->post) {
		grpc_answer_http(call, ERR_METHOD);
		return false;
	}
	if (call->refusal != ERR_HEADERS_TOO_LARGE && !call->grpc_type) {
		grpc_answer_http(call, ERR_MEDIA_TYPE);
		return false;
	}
	if (!call->path_known)
		refuse(call, ERR_UNIMPLEMENTED,
		    "no such method: ", grpc_call_header(call, STR(":path")));
	const struct grpc_server_options *opt = &call->server->opt;
	if (!call->refusal && opt->admit)
		call->refusal = opt->admit(opt->ctx, call, &call->refusal_text);
	if (call->refusal == ERR_BUSY)
		grpc_answer_busy(call, call->refusal_text.message, call->refusal_text.retry_ms);
	else if (call->refusal)
		grpc_answer_error(call, call->refusal, call->refusal_text.message);
	return !call->refusal;
}

static uint64_t
check_step_ns(const struct grpc_call *call)
{
	uint64_t grace = call->server->limits.body_grace_ms * NS_PER_MS;
	return grace < NS_PER_S ? grace : NS_PER_S;
}

/* Take n bytes of the budget; answers the call and returns false when there are none left. */
static bool
charge(struct grpc_call *call, size_t n)
{
	if (!grpc_server_charge(call->server, n)) {
		grpc_answer_busy(call, "too many bytes in flight (--max-inflight-bytes)", 0);
		return false;
	}
	call->charged += n;
	return true;
}

void
grpc_call_header_done(struct grpc_call *call)
{
	uint64_t now = loop_now_ns(call->worker->loop);
	if (!accept_header(call))
		return;
	if (!charge(call, sizeof(*call) + call->header.cap))
		return;
	call->state = CALL_BODY;
	call->since_ns = now;
	call->check_ns = now + call->server->limits.body_grace_ms * NS_PER_MS;
	if (call->timeout_ns < UINT64_MAX - now)
		call->deadline_ns = now + call->timeout_ns;
	grpc_conn_arm(call->conn, call->check_ns);
	grpc_conn_arm(call->conn, call->deadline_ns);
}

/* ---- message */

static void
begin_message(struct grpc_call *call)
{
	const struct limits *limits = &call->server->limits;
	struct err err = {0};
	unsigned flag = call->prefix[0];
	call->message_len = get_u32be(call->prefix + 1);
	call->compressed = flag == 1;
	if (flag > 1)
		err_set(&err, ERR_INVALID, "the message's compression flag is %u", flag);
	else if (call->compressed && call->coding == INFLATE_IDENTITY)
		err_set(&err, ERR_INTERNAL, "a compressed message without grpc-encoding");
	else if (call->message_len > limits->wire_bytes_max)
		err_set(&err, ERR_TOO_LARGE,
		    "message of %zu bytes, at most %llu are taken (--max-wire-bytes)",
		    call->message_len, (unsigned long long)limits->wire_bytes_max);
	else if (!call->compressed && call->message_len > limits->body_bytes_max)
		err_set(&err, ERR_TOO_LARGE,
		    "message of %zu bytes, at most %llu are taken (--max-body-bytes)",
		    call->message_len, (unsigned long long)limits->body_bytes_max);
	if (err.code)
		grpc_answer_error(call, err.code, err.message);
}

/* Room for `need` bytes of the message; false when the call was answered instead. */
static bool
make_room(struct grpc_call *call, size_t need)
{
	struct buf *b = &call->message;
	size_t cap = b->cap ? b->cap * 2 : MESSAGE_FIRST_BYTES;
	if (need <= b->cap)
		return true;
	cap = cap < need ? need : cap;
	cap = cap > call->message_len ? call->message_len : cap;
	if (!charge(call, cap - b->cap))
		return false;
	b->ptr = xrealloc(b->ptr, cap);
	b->cap = cap;
	return true;
}

void
grpc_call_data(struct grpc_call *call, const unsigned char *bytes, size_t n)
{
	CHECK(call->state == CALL_BODY);
	call->body_bytes += n;
	size_t missing = GRPC_PREFIX_BYTES - call->prefix_len;
	if (missing > 0) {
		size_t len = n < missing ? n : missing;
		memcpy(call->prefix + call->prefix_len, bytes, len);
		call->prefix_len += len;
		bytes += len;
		n -= len;
		if (call->prefix_len < GRPC_PREFIX_BYTES)
			return;
		begin_message(call);
	}
	if (call->state != CALL_BODY || n == 0)
		return;
	if (n > call->message_len - call->message.len) {
		grpc_answer_error(call, ERR_INVALID,
		    "more bytes than the length prefix says; a unary call has one message");
		return;
	}
	if (!make_room(call, call->message.len + n))
		return;
	memcpy(call->message.ptr + call->message.len, bytes, n);
	call->message.len += n;
}

/* How much the message may become, as far as can be told beforehand. gzip says it at its end: the
 * last member's size modulo 2^32. With several members, or in damaged input, that is not the truth,
 * so it is a first guess, believed as far as deflate can go. */
static size_t
inflated_guess(const struct grpc_call *call)
{
	const struct buf *in = &call->message;
	size_t guess = in->len * INFLATE_RATIO_USUAL + MESSAGE_FIRST_BYTES;
	if (call->coding == INFLATE_GZIP && in->len >= GZIP_BYTES_MIN) {
		size_t said = (size_t)get_u32le(in->ptr + in->len - 4) + 1; /* never nothing */
		guess = said < in->len * DEFLATE_RATIO_MAX ? said : in->len * DEFLATE_RATIO_MAX;
	}
	size_t most = call->server->limits.body_bytes_max;
	return guess < most ? guess : most;
}

/* Inflate into out, which is allocated beforehand as large as it may become and given back in part
 * afterwards; the budget follows. */
static enum err_code
inflate_within(struct grpc_call *call, size_t bytes_max, struct buf *out, struct err *err)
{
	if (!grpc_server_charge(call->server, bytes_max))
		return err_set(err, ERR_BUSY, "too many bytes in flight (--max-inflight-bytes)");
	*out = (struct buf){.ptr = xrealloc(NULL, bytes_max), .cap = bytes_max};
	enum err_code code = inflate_run(call->worker->inflate, call->coding,
	    buf_view(&call->message), bytes_max, out, err);
	CHECK(out->cap == bytes_max);
	if (code != ERR_OK)
		buf_fini(out);
	else if (out->cap - out->len > INFLATE_SPARE_BYTES_MAX) {
		out->cap = out->len ? out->len : 1;
		out->ptr = xrealloc(out->ptr, out->cap);
	}
	grpc_server_discharge(call->server, bytes_max - out->cap);
	return code;
}

static enum err_code
inflate_message(struct grpc_call *call, struct buf *out, struct err *err)
{
	size_t most = call->server->limits.body_bytes_max, guess = inflated_guess(call);
	enum err_code code = inflate_within(call, guess, out, err);
	if (code == ERR_TOO_LARGE && guess < most)
		code = inflate_within(call, most, out, err);
	return code;
}

/* False when the call was answered instead. */
static bool
inflate(struct grpc_call *call)
{
	struct buf out = {0};
	struct err err = {0};
	enum err_code code = inflate_message(call, &out, &err);
	if (code == ERR_OK) {
		grpc_server_discharge(call->server, call->message.cap);
		call->charged = call->charged - call->message.cap + out.cap;
		buf_fini(&call->message);
		call->message = out;
		return true;
	}
	if (code == ERR_BUSY)
		grpc_answer_busy(call, err.message, err.retry_ms);
	else
		grpc_answer_error(call, code, err.message);
	return false;
}

static void
hand_over(struct grpc_call *call)
{
	struct grpc_server *s = call->server;
	stats_add(s->opt.stats, STATS_BODY_BYTES, (int64_t)call->message_len);
	stats_add(s->opt.stats, STATS_INFLATED_BYTES, (int64_t)call->message.len);
	grpc_conn_earn(call->conn);
	call->state = CALL_HANDLED;
	call->with_handler = true;
	grpc_server_ref(s);
	s->opt.handle(s->opt.ctx, call);
}

void
grpc_call_end(struct grpc_call *call)
{
	if (call->state != CALL_BODY)
		return;
	call->received_unix_ns = clock_unix_ns();
	if (call->body_bytes == 0)
		grpc_answer_error(call, ERR_INVALID, "the call has no message");
	else if (call->prefix_len < GRPC_PREFIX_BYTES || call->message.len < call->message_len)
		grpc_answer_error(call, ERR_INVALID,
		    "the message is shorter than its length prefix says");
	else if (call->deadline_ns <= loop_now_ns(call->worker->loop))
		grpc_answer_error(call, ERR_DEADLINE, "deadline exceeded");
	else if (!call->compressed || inflate(call))
		hand_over(call);
}

/* ---- time */

static bool
body_is_slow(struct grpc_call *call, uint64_t now_ns)
{
	uint64_t rate = call->server->limits.body_rate_min;
	if (now_ns < call->check_ns)
		return false;
	call->check_ns = now_ns + check_step_ns(call);
	return (double)call->body_bytes * (double)NS_PER_S <
	    (double)rate * (double)(now_ns - call->since_ns);
}

static void
end_slow_body(struct grpc_call *call)
{
	stats_add(call->server->opt.stats, STATS_CONNS_TIMED_OUT, 1);
	grpc_answer_error(call, ERR_TIMEOUT, "the body came too slowly (--min-body-rate)");
	grpc_conn_retire(call->conn);
}

static void
end_stuck_answer(struct grpc_call *call)
{
	call->answer_due_ns = UINT64_MAX;
	if (nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
	        NGHTTP2_CANCEL) != 0)
		grpc_conn_kill(call->conn);
	grpc_conn_touch(call->conn);
}

uint64_t
grpc_call_check(struct grpc_call *call, uint64_t now_ns)
{
	if (!call->stream_open)
		return UINT64_MAX;
	if (call->state == CALL_BODY || call->state == CALL_HANDLED) {
		if (now_ns >= call->deadline_ns)
			grpc_answer_error(call, ERR_DEADLINE, "deadline exceeded");
		else if (call->state == CALL_BODY && body_is_slow(call, now_ns))
			end_slow_body(call);
	}
	switch (call->state) {
	case CALL_HEADER: return UINT64_MAX; /* the connection's header time-out */
	case CALL_BODY:
		return call->check_ns < call->deadline_ns ? call->check_ns : call->deadline_ns;
	case CALL_HANDLED: return call->deadline_ns;
	case CALL_ANSWERED: break;
	}
	if (now_ns >= call->answer_due_ns)
		end_stuck_answer(call);
	return call->answer_due_ns;
}

/* ---- for the handler */

size_t
grpc_call_path(const struct grpc_call *c)
{
	return c->path_idx;
}

struct str
grpc_call_header(const struct grpc_call *c, struct str name)
{
	struct str rest = buf_view(&c->header);
	while (rest.len >= PAIR_BYTES) {
		size_t name_len = get_u32le(rest.ptr), value_len = get_u32le(rest.ptr + 4);
		CHECK(rest.len - PAIR_BYTES >= name_len + value_len);
		rest = str_skip(rest, PAIR_BYTES);
		if (str_eq(str_of(rest.ptr, name_len), name))
			return str_of(rest.ptr + name_len, value_len);
		rest = str_skip(rest, name_len + value_len);
	}
	return STR_EMPTY;
}

struct buf *
grpc_call_message(struct grpc_call *c)
{
	return &c->message;
}

uint64_t
grpc_call_received_ns(const struct grpc_call *c)
{
	return c->received_unix_ns;
}
