/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/answer.c - from an answer to frames.
 *
 * Success: HEADERS, DATA (prefix and message, or several of them), HEADERS with the trailers. An error is
 * "Trailers-Only": one HEADERS frame that ends the stream. When that leaves before the client has
 * ended its side, RST_STREAM(NO_ERROR) tells it to stop sending; it must follow the frame, not be
 * submitted with it: nghttp2 drops what a stream still has to say when a reset is submitted.
 *
 * grpc_respond() may be called by any thread: it copies the answer into the call and posts the
 * call to its loop, which does the rest.
 */
#include "grpc/grpc_priv.h"

#include "base/base64.h"
#include "base/bits.h"
#include "base/timefmt.h"
#include "grpc/text.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 8, STATUS_DIGITS = 12 };

struct fields {
	nghttp2_nv nv[FIELDS_MAX];
	size_t count;
};

/* nghttp2 takes no const, and does not write. */
static uint8_t *
bytes_of(struct str s)
{
	uint8_t *p;
	memcpy(&p, &s.ptr, sizeof(p));
	return p;
}

static void
add_field(struct fields *f, struct str name, struct str value, unsigned flags)
{
	CHECK(f->count < FIELDS_MAX);
	f->nv[f->count++] = (nghttp2_nv){.name = bytes_of(name),
	    .namelen = name.len,
	    .value = bytes_of(value),
	    .valuelen = value.len,
	    .flags = (uint8_t)flags};
}

/* Both literals: indexed by HPACK, so a byte on the wire from the second time on. */
static void
add_fixed(struct fields *f, struct str name, struct str value)
{
	add_field(f, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

static void
add_head(struct fields *f)
{
	add_fixed(f, STR(":status"), STR("200"));
	add_fixed(f, STR("content-type"), STR("application/grpc"));
	/* No blanks: grpc-js splits at commas and compares exactly, and would stop compressing. */
	add_fixed(f, STR("grpc-accept-encoding"), STR("identity,gzip,deflate,zstd"));
}

/* The call has been answered as far as the peer is concerned. */
static void
answered(struct grpc_call *call, enum err_code code, int rc)
{
	struct stats *stats = call->server->opt.stats;
	const struct limits *limits = &call->server->limits;
	uint64_t bytes_ms = call->answer_message_len * 1000 / limits->answer_rate_min;
	call->state = CALL_ANSWERED;
	call->answer_due_ns =
	    loop_now_ns(call->worker->loop) + (limits->body_grace_ms + bytes_ms) * NS_PER_MS;
	grpc_conn_arm(call->conn, call->answer_due_ns);
	stats_add(stats, STATS_REQUESTS_GRPC, 1);
	if (code != ERR_OK)
		stats_refused(stats, code);
	if (!call->with_handler)
		grpc_call_drop_request(call);
	if (rc != 0)
		grpc_conn_kill(call->conn);
	else
		grpc_conn_touch(call->conn);
}

/* ---- success */

static ssize_t
read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t size, uint32_t *flags,
    nghttp2_data_source *source, void *user)
{
	struct grpc_call *call = source->ptr;
	size_t head = call->answer_framed ? 0 : GRPC_PREFIX_BYTES;
	size_t total = head + call->answer_message_len, n = 0;
	unsigned char prefix[GRPC_PREFIX_BYTES] = {0};
	put_u32be(prefix + 1, (uint32_t)call->answer_message_len);
	for (; call->answer_off < head && n < size; n++)
		out[n] = prefix[call->answer_off++];
	size_t left = total - call->answer_off;
	size_t len = left < size - n ? left : size - n;
	if (len && call->answer_off >= head) {
		memcpy(out + n, call->answer_bytes + (call->answer_off - head), len);
		call->answer_off += len;
		n += len;
	}
	if (call->answer_off == total) {
		struct fields f = {.count = 0};
		add_fixed(&f, STR("grpc-status"), STR("0"));
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (nghttp2_submit_trailer(session, stream_id, f.nv, f.count) != 0)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	grpc_conn_earn_bytes(user, n);
	return (ssize_t)n;
}

static void
submit_success(struct grpc_call *call)
{
	struct fields f = {.count = 0};
	nghttp2_data_provider body = {.source = {.ptr = call}, .read_callback = read_answer};
	add_head(&f);
	int rc =
	    nghttp2_submit_response(call->conn->session, call->stream_id, f.nv, f.count, &body);
	answered(call, ERR_OK, rc);
}

/* ---- errors */

/* base64 without padding, as PROTOCOL-HTTP2 asks of senders. */
static struct str
details_text(struct str details, struct buf *out)
{
	if (details.len == 0 || details.len > GRPC_DETAILS_BYTES_MAX)
		return STR_EMPTY;
	base64_write(out, details);
	while (out->len && out->ptr[out->len - 1] == '=')
		out->len--;
	return buf_view(out);
}

static void
submit_error(struct grpc_call *call, enum err_code code, struct str text, struct str details)
{
	struct fields f = {.count = 0};
	struct buf encoded = {0}, packed = {0};
	char status[STATUS_DIGITS];
	int n = snprintf(status, sizeof(status), "%d", err_grpc_status(code));
	CHECK(n > 0 && (size_t)n < sizeof(status));
	if (text.len > GRPC_TEXT_BYTES_MAX)
		text.len = GRPC_TEXT_BYTES_MAX;
	grpc_text_percent_encode(text, &encoded);
	struct str binary = details_text(details, &packed);
	add_head(&f);
	add_field(&f, STR("grpc-status"), str_of(status, (size_t)n), NGHTTP2_NV_FLAG_NO_COPY_NAME);
	if (encoded.len)
		add_field(&f, STR("grpc-message"), buf_view(&encoded),
		    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX);
	if (binary.len)
		add_field(&f, STR("grpc-status-details-bin"), binary,
		    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX);
	int rc = nghttp2_submit_response(call->conn->session, call->stream_id, f.nv, f.count, NULL);
	buf_fini(&encoded);
	buf_fini(&packed);
	answered(call, code, rc);
}

void
grpc_answer_error(struct grpc_call *call, enum err_code code, const char *text)
{
	submit_error(call, code, str_from(text), STR_EMPTY);
}

/* google.rpc.Status { code, message, details: [Any { RetryInfo { retry_delay } }] } */
void
grpc_answer_busy(struct grpc_call *call, const char *text, uint64_t retry_ms)
{
	uint64_t ms = retry_ms > 0 ? retry_ms : call->server->opt.busy_retry_ms;
	struct buf b = {0};
	pb_put_u64(&b, 1, (uint64_t)err_grpc_status(ERR_BUSY));
	pb_put_bytes(&b, 2, str_from(text));
	size_t any = pb_open(&b, 3);
	pb_put_bytes(&b, 1, STR("type.googleapis.com/google.rpc.RetryInfo"));
	size_t retry_info = pb_open(&b, 2), delay = pb_open(&b, 1);
	pb_put_u64(&b, 1, ms / 1000);
	pb_put_u64(&b, 2, ms % 1000 * NS_PER_MS);
	pb_close(&b, delay);
	pb_close(&b, retry_info);
	pb_close(&b, any);
	submit_error(call, ERR_BUSY, str_from(text), buf_view(&b));
	buf_fini(&b);
}

void
grpc_answer_http(struct grpc_call *call, enum err_code code)
{
	struct fields f = {.count = 0};
	char status[STATUS_DIGITS];
	int n = snprintf(status, sizeof(status), "%d", err_http_status(code));
	CHECK(n > 0 && (size_t)n < sizeof(status));
	add_field(&f, STR(":status"), str_of(status, (size_t)n), NGHTTP2_NV_FLAG_NO_COPY_NAME);
	if (code == ERR_METHOD)
		add_fixed(&f, STR("allow"), STR("POST"));
	int rc = nghttp2_submit_response(call->conn->session, call->stream_id, f.nv, f.count, NULL);
	answered(call, code, rc);
}

void
grpc_answer_sent(struct grpc_call *call)
{
	nghttp2_session *session = call->conn->session;
	if (nghttp2_session_get_stream_remote_close(session, call->stream_id) != 0)
		return;
	grpc_conn_expect_late(call->conn);
	grpc_conn_earn_early(call->conn);
	if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->stream_id,
	        NGHTTP2_NO_ERROR) != 0)
		grpc_conn_kill(call->conn);
}

/* ---- from the handler */

static struct str
answer_part(const struct grpc_call *call, size_t off, size_t len)
{
	return len ? str_of(call->answer_bytes + off, len) : STR_EMPTY;
}

/* On the loop's thread. */
static void
come_home(void *arg)
{
	struct grpc_call *call = arg;
	call->with_handler = false;
	if (!call->stream_open) {
		grpc_call_release(call);
		return;
	}
	if (call->state != CALL_HANDLED) {
		grpc_call_drop_request(call); /* its deadline has answered it */
		grpc_answer_drop(call);
		return;
	}
	if (call->answer_code == ERR_OK) {
		submit_success(call);
		return;
	}
	size_t text_off = call->answer_message_len;
	submit_error(call, call->answer_code, answer_part(call, text_off, call->answer_text_len),
	    answer_part(call, text_off + call->answer_text_len, call->answer_details_len));
}

/* The messages of a stream are not copied. */
static void
take_messages(struct grpc_call *call, const struct grpc_answer *a)
{
	CHECK(!a->messages->failed);
	call->answer_code = a->code;
	call->answer_framed = true;
	call->answer_bytes = a->messages->ptr;
	call->answer_message_len = a->messages->len;
	call->answer_budget = a->budget;
	call->answer_budget_bytes = a->budget_bytes;
	*a->messages = (struct buf){0};
}

void
grpc_answer_drop(struct grpc_call *call)
{
	free(call->answer_bytes);
	call->answer_bytes = NULL;
	if (call->answer_budget)
		budget_give(call->answer_budget, call->answer_budget_bytes);
	call->answer_budget = NULL;
}

size_t
grpc_message_begin(struct buf *b)
{
	static const char prefix[GRPC_PREFIX_BYTES] = {0};
	size_t begun = b->len;
	buf_append(b, prefix, sizeof(prefix));
	return begun;
}

void
grpc_message_end(struct buf *b, size_t begun)
{
	if (b->failed)
		return;
	size_t len = b->len - begun - GRPC_PREFIX_BYTES;
	CHECK(len <= UINT32_MAX);
	put_u32be(b->ptr + begun + 1, (uint32_t)len);
}

static void
copy_answer(struct grpc_call *call, const struct grpc_answer *a)
{
	bool ok = a->code == ERR_OK;
	struct str parts[3] = {
	    ok ? a->message : STR_EMPTY, ok ? STR_EMPTY : a->text, ok ? STR_EMPTY : a->details};
	size_t total = parts[0].len + parts[1].len + parts[2].len, off = 0;
	CHECK(parts[0].len <= UINT32_MAX);
	call->answer_code = a->code;
	call->answer_message_len = parts[0].len;
	call->answer_text_len = parts[1].len;
	call->answer_details_len = parts[2].len;
	if (total == 0)
		return;
	call->answer_bytes = xrealloc(NULL, total);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].len)
			memcpy(call->answer_bytes + off, parts[i].ptr, parts[i].len);
		off += parts[i].len;
	}
}

void
grpc_respond(struct grpc_call *c, const struct grpc_answer *answer)
{
	struct grpc_server *s = c->server;
	CHECK(!c->task.run); /* exactly once */
	if (answer->code == ERR_OK && answer->messages)
		take_messages(c, answer);
	else
		copy_answer(c, answer);
	c->task = (struct loop_task){.run = come_home, .ctx = c};
	/* When the loop has ended it has let go of the call, so that it is all ours. */
	if (!loop_post(c->worker->loop, &c->task)) {
		c->with_handler = false;
		grpc_call_release(c);
	}
	grpc_server_unref(s);
}
