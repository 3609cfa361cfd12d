/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/client.c - see client.h.
 *
 * Output is a list of parts for one gathered write: frame headers and everything else nghttp2
 * makes are copied to `scratch`, messages are pointed at. nghttp2 is asked for more only when all
 * parts are written. A call may end while a part still points at its message (the server
 * answers early), so `done` is called only when there are no parts.
 */
#include "grpc/client.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/bits.h"
#include "base/timefmt.h"
#include "grpc/status.h"
#include "grpc/text.h"
#include "sys/clock.h"
#include "sys/tcp.h"
#include "tls/conn.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PREFIX_BYTES = 5, /* flag, length */
	SCRATCH_BYTES = 256 * 1024,
	SCRATCH_FRAME_BYTES = 64 * 1024, /* more than one mem_send() gives */
	FRAME_HEAD_BYTES = 9,
	READ_BYTES = 64 * 1024,
	RECORDS_BYTES = 64 * 1024, /* given to TLS at once */
	FIELDS_MAX = 32,
	GOAWAY_TEXT_BYTES = 64,
	STATUS_NONE = -1,
};

struct client_call {
	struct grpc_client *client;
	struct client_call *prev, *next; /* in flight, finished or spare */
	struct str message;
	bool gzip;
	int32_t stream_id;
	size_t off; /* of prefix and message, given to nghttp2 */
	struct grpc_stream to; /* message NULL: a unary call */
	size_t taken; /* of the reply; unary calls bound it by the body's buffer */
	bool cut; /* reset by us, with its status set: nothing that still comes counts */
	bool lost;
	int http_status;
	int status;
	struct buf body, text, details; /* body of a stream: what has no end yet */
};

struct grpc_client {
	int fd; /* borrowed from tls, when there is one */
	struct tls_conn *tls; /* NULL: clear text */
	char *records; /* TLS: parts, copied together */
	bool read_wants_write; /* TLS */
	nghttp2_session *session;
	struct buf authority;
	bool dead; /* with `why` */
	bool going_away;
	bool greeted; /* the server has sent its SETTINGS, which come first in HTTP/2 */
	uint32_t goaway_error;
	char goaway_text[GOAWAY_TEXT_BYTES]; /* what the server said with it; printable */
	struct err why;
	struct client_call *active;
	struct client_call *finished, *finished_last;
	struct client_call *spare;
	size_t inflight;
	struct str parts[TCP_PARTS_MAX];
	size_t part_count, part_at;
	char *scratch;
	size_t scratch_len;
	bool full; /* no room for a frame */
	unsigned char *input;
};

static void
die(struct grpc_client *c, const char *why)
{
	if (c->dead)
		return;
	c->dead = true;
	if (c->goaway_error)
		err_set(&c->why, ERR_UNAVAILABLE, "the server ended the connection: %s",
		    nghttp2_http2_strerror(c->goaway_error));
	else
		err_set(&c->why, ERR_UNAVAILABLE, "%s", why);
}

/* ---- calls */

static struct client_call *
take_call(struct grpc_client *c)
{
	struct client_call *call = c->spare;
	if (call)
		c->spare = call->next;
	else
		call = xcalloc(1, sizeof(*call));
	struct buf body = call->body, text = call->text, details = call->details;
	buf_reset(&body);
	buf_reset(&text);
	buf_reset(&details);
	body.bytes_max = PREFIX_BYTES + GRPC_CLIENT_REPLY_BYTES_MAX;
	*call = (struct client_call){.client = c,
	    .status = STATUS_NONE,
	    .body = body,
	    .text = text,
	    .details = details,
	    .next = c->active};
	if (c->active)
		c->active->prev = call;
	c->active = call;
	c->inflight++;
	return call;
}

static void
leave_active(struct client_call *call)
{
	struct grpc_client *c = call->client;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->active = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->prev = call->next = NULL;
}

static void
finish(struct client_call *call)
{
	struct grpc_client *c = call->client;
	leave_active(call);
	if (c->finished_last)
		c->finished_last->next = call;
	else
		c->finished = call;
	c->finished_last = call;
}

static void
set_status(struct client_call *call, int status, const char *text)
{
	call->status = status;
	buf_reset(&call->text);
	buf_str(&call->text, str_from(text));
}

static const char not_http2[] = "the server does not speak HTTP/2: is it the port for gRPC?";

/* The stream is over: make sure that the call has a status that is true. */
static void
conclude(struct client_call *call, uint32_t http2_error)
{
	const struct grpc_client *c = call->client;
	char text[128];
	/* RFC 9113 section 8.7: it was not looked at. */
	call->lost = call->status == STATUS_NONE && http2_error == NGHTTP2_REFUSED_STREAM;
	if (call->lost && !c->greeted) {
		/* No server could say that: nghttp2 gave up before the request was sent. */
		set_status(call, GRPC_UNAVAILABLE, not_http2);
	} else if (call->lost && c->goaway_text[0]) {
		snprintf(text, sizeof(text), "the server ended the connection: %s", c->goaway_text);
		set_status(call, GRPC_UNAVAILABLE, text);
	} else if (call->status == STATUS_NONE && http2_error != NGHTTP2_NO_ERROR) {
		snprintf(text, sizeof(text), "the stream was reset: %s",
		    nghttp2_http2_strerror(http2_error));
		set_status(call, grpc_status_of_reset(http2_error), text);
	} else if (call->status == STATUS_NONE) {
		snprintf(text, sizeof(text), "no grpc-status; HTTP status %d", call->http_status);
		set_status(call, grpc_status_of_http(call->http_status), text);
	}
	if (call->status != 0)
		return;
	if (call->to.message) {
		if (call->body.len > 0)
			set_status(call, GRPC_INTERNAL, "the response ends inside a message");
	} else if (call->body.failed)
		set_status(call, GRPC_EXHAUSTED, "the response message is too large");
	else if (call->body.len < PREFIX_BYTES || call->body.ptr[0] != 0 ||
	    get_u32be(call->body.ptr + 1) != call->body.len - PREFIX_BYTES)
		set_status(call, GRPC_INTERNAL, "the response is no single message");
}

static void
deliver_one(struct client_call *call)
{
	struct grpc_client *c = call->client;
	struct grpc_reply reply = {.status = call->status,
	    .lost = call->lost,
	    .text = buf_view(&call->text),
	    .details = buf_view(&call->details)};
	if (call->status == 0 && !call->to.message)
		reply.message = str_skip(buf_view(&call->body), PREFIX_BYTES);
	c->inflight--;
	if (call->to.done)
		call->to.done(call->to.ctx, &reply);
	call->next = c->spare;
	c->spare = call;
}

static void
deliver(struct grpc_client *c)
{
	while (c->finished && c->part_count == 0) {
		struct client_call *call = c->finished;
		c->finished = call->next;
		if (!c->finished)
			c->finished_last = NULL;
		deliver_one(call);
	}
}

static void
fail_all(struct grpc_client *c)
{
	c->part_count = c->part_at = 0;
	while (c->active) {
		c->active->lost = !c->active->cut;
		set_status(c->active, GRPC_UNAVAILABLE, c->why.message);
		finish(c->active);
	}
	deliver(c);
}

/* ---- nghttp2 callbacks */

static struct client_call *
call_of(nghttp2_session *session, int32_t stream_id)
{
	return stream_id ? nghttp2_session_get_stream_user_data(session, stream_id) : NULL;
}

static int
small_number(struct str s, int otherwise)
{
	uint64_t n;
	return str_to_u64(s, &n) && n < 1000 ? (int)n : otherwise;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct client_call *call = call_of(session, frame->hd.stream_id);
	struct str n = str_of(name, name_len), v = str_of(value, value_len);
	(void)flags;
	(void)user;
	if (!call || call->cut)
		return 0;
	if (str_eq(n, STR(":status"))) {
		call->http_status = small_number(v, 0);
	} else if (str_eq(n, STR("grpc-status"))) {
		call->status = small_number(v, GRPC_UNKNOWN);
	} else if (str_eq(n, STR("grpc-message"))) {
		buf_reset(&call->text);
		grpc_text_percent_decode(v, &call->text);
	} else if (str_eq(n, STR("grpc-status-details-bin"))) {
		buf_reset(&call->details);
		if (!base64_read(v, &call->details))
			buf_reset(&call->details);
	}
	return 0;
}

/* No more of this call. */
static void
cut(struct client_call *call, int status, const char *text)
{
	struct grpc_client *c = call->client;
	int32_t id = call->stream_id;
	set_status(call, status, text);
	call->cut = true;
	buf_reset(&call->body);
	if (nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL) != 0)
		die(c, "a stream could not be reset");
}

/* The first message of what there is, from off on, and its length with the prefix; 0: not all of it is there, or the
 * call was cut. */
static size_t
next_message(struct client_call *call, size_t off, struct str *out)
{
	struct str rest = str_skip(buf_view(&call->body), off);
	if (rest.len < PREFIX_BYTES)
		return 0;
	size_t len = get_u32be(rest.ptr + 1);
	if (rest.ptr[0] != 0)
		cut(call, GRPC_INTERNAL, "a message of the response is compressed");
	else if (len > call->to.bytes_max)
		cut(call, GRPC_EXHAUSTED, "a message of the response is too large");
	if (call->cut || rest.len - PREFIX_BYTES < len)
		return 0;
	*out = str_of(rest.ptr + PREFIX_BYTES, len);
	return PREFIX_BYTES + len;
}

static void
take_messages(struct client_call *call, const uint8_t *bytes, size_t n)
{
	size_t off = 0, len;
	struct str message;
	if (n > call->to.bytes_max - call->taken) {
		cut(call, GRPC_EXHAUSTED, "the response is too large");
		return;
	}
	call->taken += n;
	buf_append(&call->body, bytes, n);
	while ((len = next_message(call, off, &message)) > 0) {
		off += len;
		if (!call->to.message(call->to.ctx, message)) {
			cut(call, GRPC_CANCELLED, "the caller wants no more messages");
			return;
		}
	}
	if (call->cut || off == 0)
		return;
	memmove(call->body.ptr, call->body.ptr + off, call->body.len - off);
	call->body.len -= off;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
    size_t n, void *user)
{
	struct client_call *call = call_of(session, stream_id);
	(void)flags;
	(void)user;
	if (!call || call->cut)
		return 0;
	if (call->to.message)
		take_messages(call, bytes, n);
	else
		buf_append(&call->body, bytes, n);
	return 0;
}

/* Its words are a stranger's. */
static void
note_goaway(struct grpc_client *c, const nghttp2_goaway *goaway)
{
	size_t n = 0;
	c->going_away = true;
	c->goaway_error = goaway->error_code;
	for (; n < goaway->opaque_data_len && n < sizeof(c->goaway_text) - 1; n++) {
		uint8_t byte = goaway->opaque_data[n];
		c->goaway_text[n] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
	}
	c->goaway_text[n] = '\0';
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct grpc_client *c = user;
	(void)session;
	if (frame->hd.type == NGHTTP2_SETTINGS)
		c->greeted = true;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		note_goaway(c, &frame->goaway);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user)
{
	struct client_call *call = call_of(session, stream_id);
	(void)user;
	if (!call)
		return 0;
	conclude(call, error);
	finish(call);
	return 0;
}

/* The largest frame the peer and the windows allow. */
static ssize_t
frame_size(nghttp2_session *session, uint8_t type, int32_t stream_id, int32_t session_window,
    int32_t stream_window, uint32_t frame_max, void *user)
{
	int64_t n = session_window < stream_window ? session_window : stream_window;
	(void)session;
	(void)type;
	(void)stream_id;
	(void)user;
	return (ssize_t)(n < (int64_t)frame_max ? n : (int64_t)frame_max);
}

static ssize_t
read_message(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct client_call *call = source->ptr;
	size_t left = PREFIX_BYTES + call->message.len - call->off;
	(void)session;
	(void)stream_id;
	(void)bytes;
	(void)user;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (left <= size)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(left < size ? left : size);
}

/* ---- output */

static bool
has_room(const struct grpc_client *c)
{
	return c->part_count + 2 <= TCP_PARTS_MAX &&
	    c->scratch_len + SCRATCH_FRAME_BYTES <= SCRATCH_BYTES;
}

static void
put_scratch(struct grpc_client *c, const void *bytes, size_t n)
{
	char *to = c->scratch + c->scratch_len;
	struct str *last = c->part_count ? &c->parts[c->part_count - 1] : NULL;
	CHECK(n <= SCRATCH_BYTES - c->scratch_len);
	memcpy(to, bytes, n);
	c->scratch_len += n;
	if (last && last->ptr + last->len == to)
		last->len += n;
	else
		c->parts[c->part_count++] = str_of(to, n);
}

static int
send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
    nghttp2_data_source *source, void *user)
{
	struct grpc_client *c = user;
	struct client_call *call = source->ptr;
	(void)session;
	(void)frame;
	if (!has_room(c)) {
		c->full = true;
		return NGHTTP2_ERR_WOULDBLOCK;
	}
	put_scratch(c, head, FRAME_HEAD_BYTES);
	unsigned char prefix[PREFIX_BYTES] = {call->gzip};
	put_u32be(prefix + 1, (uint32_t)call->message.len);
	if (call->off < PREFIX_BYTES) {
		size_t n = PREFIX_BYTES - call->off;
		n = n < len ? n : len;
		put_scratch(c, prefix + call->off, n);
		call->off += n;
		len -= n;
	}
	if (len) {
		c->parts[c->part_count++] =
		    str_of(call->message.ptr + (call->off - PREFIX_BYTES), len);
		call->off += len;
	}
	return 0;
}

/* Said when the connection is lost: TLS may know why. */
static const char *
loss(const struct grpc_client *c)
{
	const char *why = c->tls ? tls_conn_failure_text(c->tls) : "";
	return why[0] ? why : "the connection was lost";
}

/* Small parts would make small records. The same bytes come again when TLS could not take them. */
static enum tcp_io
write_records(struct grpc_client *c, size_t *n_out)
{
	size_t used = 0;
	for (size_t i = c->part_at; i < c->part_count && used < RECORDS_BYTES; i++) {
		size_t room = RECORDS_BYTES - used;
		size_t n = c->parts[i].len < room ? c->parts[i].len : room;
		memcpy(c->records + used, c->parts[i].ptr, n);
		used += n;
	}
	return tls_conn_write(c->tls, c->records, used, n_out);
}

static enum tcp_io
write_some(struct grpc_client *c, size_t *n_out)
{
	if (c->tls)
		return write_records(c, n_out);
	return tcp_write_parts(c->fd, c->parts + c->part_at, c->part_count - c->part_at, n_out);
}

/* True when all parts are written. */
static bool
write_parts(struct grpc_client *c)
{
	while (c->part_at < c->part_count) {
		size_t n;
		enum tcp_io io = write_some(c, &n);
		if (io == TCP_FAILED || io == TCP_END)
			die(c, loss(c));
		if (io != TCP_OK)
			return false;
		while (n > 0) {
			struct str *p = &c->parts[c->part_at];
			size_t used = n < p->len ? n : p->len;
			*p = str_skip(*p, used);
			n -= used;
			if (p->len == 0)
				c->part_at++;
		}
	}
	c->part_count = c->part_at = c->scratch_len = 0;
	return true;
}

/* Send what there is; false when the socket is full or dead. */
static bool
push_output(struct grpc_client *c)
{
	while (!c->dead) {
		if (!write_parts(c))
			return false;
		const uint8_t *bytes;
		ssize_t n = 1;
		c->full = false;
		while (n > 0 && has_room(c)) {
			n = nghttp2_session_mem_send(c->session, &bytes);
			if (n > 0)
				put_scratch(c, bytes, (size_t)n);
		}
		if (n < 0)
			die(c, nghttp2_strerror((int)n));
		if (c->part_count == 0 && !c->full)
			return true;
	}
	return false;
}

/* ---- input */

static void
pull_input(struct grpc_client *c)
{
	while (!c->dead) {
		size_t n;
		enum tcp_io io = c->tls ? tls_conn_read(c->tls, c->input, READ_BYTES, &n)
		                        : tcp_read(c->fd, c->input, READ_BYTES, &n);
		c->read_wants_write = io == TCP_WAIT_WRITE;
		if (io == TCP_END)
			die(c, "the server closed the connection");
		else if (io == TCP_FAILED)
			die(c, loss(c));
		if (io != TCP_OK)
			return;
		ssize_t rc = nghttp2_session_mem_recv(c->session, c->input, n);
		if (rc < 0)
			die(c, nghttp2_strerror((int)rc));
		if (n < READ_BYTES && !(c->tls && tls_conn_held(c->tls)))
			return;
	}
}

/* ---- the interface */

static void
make_session(struct grpc_client *c)
{
	nghttp2_session_callbacks *cb = NULL;
	const nghttp2_settings_entry settings[] = {
	    {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
	CHECK(nghttp2_session_callbacks_new(&cb) == 0);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(cb, send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, frame_size);
	CHECK(nghttp2_session_client_new(&c->session, cb, c) == 0);
	nghttp2_session_callbacks_del(cb);
	CHECK(nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
	          ARRAY_LEN(settings)) == 0);
}

static enum err_code
connect_tls(struct grpc_client *c, const struct grpc_client_options *opt, struct str address,
    uint64_t deadline_ns, struct err *err)
{
	struct tls_client_options tls = {.address = address, .files = opt->tls, .alpn = "h2"};
	c->records = xcalloc(1, RECORDS_BYTES);
	return tls_conn_connect(&tls, c->fd, deadline_ns, &c->tls, err);
}

enum err_code
grpc_client_open(const struct grpc_client_options *opt, struct grpc_client **out, struct err *err)
{
	uint64_t deadline_ns = clock_mono_ns() + opt->timeout_ms * NS_PER_MS;
	struct str address = opt->address;
	bool secure = str_starts(address, STR("https://"));
	*out = NULL;
	if (secure || str_starts(address, STR("http://")))
		address = str_skip(address, secure ? strlen("https://") : strlen("http://"));
	if (address.len > 0 && address.ptr[address.len - 1] == '/')
		address.len--;
	int fd;
	enum err_code code = tcp_connect(address, opt->timeout_ms, &fd, err);
	if (code)
		return code;
	struct grpc_client *c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	if (secure)
		code = connect_tls(c, opt, address, deadline_ns, err);
	if (code) {
		free(c->records);
		free(c);
		return code;
	}
	buf_str(&c->authority, address);
	c->scratch = xcalloc(1, SCRATCH_BYTES);
	c->input = xcalloc(1, READ_BYTES);
	make_session(c);
	*out = c;
	return ERR_OK;
}

/* What TLS has to say goes first: without it the server sees a connection that was cut. */
static void
close_transport(struct grpc_client *c)
{
	if (!c->tls) {
		tcp_close(c->fd);
		return;
	}
	(void)tls_conn_end(c->tls);
	tls_conn_close(c->tls);
}

void
grpc_client_close(struct grpc_client *c)
{
	if (!c)
		return;
	if (!c->dead) {
		(void)nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
		(void)push_output(c);
	}
	die(c, "the client was closed");
	fail_all(c);
	nghttp2_session_del(c->session);
	close_transport(c);
	while (c->spare) {
		struct client_call *call = c->spare;
		c->spare = call->next;
		buf_fini(&call->body);
		buf_fini(&call->text);
		buf_fini(&call->details);
		free(call);
	}
	buf_fini(&c->authority);
	free(c->scratch);
	free(c->records);
	free(c->input);
	free(c);
}

static uint8_t *
bytes_of(struct str s)
{
	uint8_t *p;
	memcpy(&p, &s.ptr, sizeof(p));
	return p;
}

static nghttp2_nv
field(struct str name, struct str value, unsigned flags)
{
	return (nghttp2_nv){bytes_of(name), bytes_of(value), name.len, value.len, (uint8_t)flags};
}

/* "name: value" pairs behind the fixed fields; false when one is malformed. */
static bool
add_headers(nghttp2_nv *nv, size_t *count, const char *const *headers)
{
	for (; headers && *headers; headers++) {
		struct str line = str_from(*headers);
		size_t colon = str_find(line, ':');
		if (colon == 0 || colon == line.len || *count == FIELDS_MAX)
			return false;
		nv[(*count)++] =
		    field(str_of(line.ptr, colon), str_trim(str_skip(line, colon + 1)), 0);
	}
	return true;
}

static enum err_code
start_call(struct grpc_client *c, const char *path, struct str message, bool gzip,
    const char *const *headers, const struct grpc_stream *to, struct err *err)
{
	const unsigned fixed = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
	nghttp2_nv nv[FIELDS_MAX];
	size_t count = 0;
	if (c->dead)
		return err_set(err, ERR_UNAVAILABLE, "%s", c->why.message);
	if (c->going_away)
		return err_set(err, ERR_UNAVAILABLE, "the server is going away");
	if (message.len > UINT32_MAX)
		return err_set(err, ERR_TOO_LARGE, "a gRPC message has less than 4 GiB");
	nv[count++] = field(STR(":method"), STR("POST"), fixed);
	nv[count++] = field(STR(":scheme"), c->tls ? STR("https") : STR("http"), fixed);
	nv[count++] = field(STR(":path"), str_from(path), NGHTTP2_NV_FLAG_NO_COPY_NAME);
	nv[count++] = field(STR(":authority"), buf_view(&c->authority), fixed);
	nv[count++] = field(STR("content-type"), STR("application/grpc"), fixed);
	nv[count++] = field(STR("te"), STR("trailers"), fixed);
	if (gzip)
		nv[count++] = field(STR("grpc-encoding"), STR("gzip"), fixed);
	if (!add_headers(nv, &count, headers))
		return err_set(err, ERR_INVALID, "a header is malformed, or there are too many");
	struct client_call *call = take_call(c);
	call->message = message;
	call->gzip = gzip;
	call->to = *to;
	if (to->message)
		call->body.bytes_max = 0; /* counted as it comes */
	nghttp2_data_provider body = {.source = {.ptr = call}, .read_callback = read_message};
	int32_t id = nghttp2_submit_request(c->session, NULL, nv, count, &body, call);
	call->stream_id = id;
	if (id > 0)
		return ERR_OK;
	leave_active(call);
	call->next = c->spare;
	c->spare = call;
	c->inflight--;
	return err_set(err, ERR_UNAVAILABLE, "cannot start a call: %s", nghttp2_strerror(id));
}

enum err_code
grpc_client_call(struct grpc_client *c, const char *path, struct str message, bool gzip,
    const char *const *headers, void (*done)(void *ctx, const struct grpc_reply *reply), void *ctx,
    struct err *err)
{
	const struct grpc_stream to = {.done = done, .ctx = ctx};
	return start_call(c, path, message, gzip, headers, &to, err);
}

enum err_code
grpc_client_call_stream(struct grpc_client *c, const char *path, struct str message,
    const char *const *headers, const struct grpc_stream *stream, struct err *err)
{
	CHECK(stream->message);
	return start_call(c, path, message, false, headers, stream, err);
}

size_t
grpc_client_inflight(const struct grpc_client *c)
{
	return c->inflight;
}

bool
grpc_client_ended(const struct grpc_client *c)
{
	return c->dead || c->going_away;
}

/* Read, call back, write, without waiting. True when nothing is left to be written. */
static bool
turn(struct grpc_client *c)
{
	bool drained;
	pull_input(c);
	do {
		deliver(c);
		drained = push_output(c);
	} while (drained && c->finished);
	if (!c->dead && !nghttp2_session_want_read(c->session) &&
	    !nghttp2_session_want_write(c->session))
		die(c, c->greeted ? "the server is going away" : not_http2);
	if (c->dead)
		fail_all(c);
	return drained;
}

enum err_code
grpc_client_run(struct grpc_client *c, size_t inflight_max, uint64_t deadline_mono_ns,
    struct err *err)
{
	for (bool waited = false;; waited = true) {
		bool drained = turn(c);
		if (c->dead)
			return err_set(err, ERR_UNAVAILABLE, "%s", c->why.message);
		if (c->inflight <= inflight_max)
			return ERR_OK;
		if (waited && clock_mono_ns() >= deadline_mono_ns)
			return err_set(err, ERR_DEADLINE, "%zu calls are still in flight",
			    c->inflight);
		(void)tcp_wait(c->fd, !drained || c->read_wants_write, deadline_mono_ns);
	}
}
