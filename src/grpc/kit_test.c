/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const paths[] = {KIT_PATH, KIT_PATH_FAIL, KIT_PATH_HOLD, KIT_PATH_STREAM, NULL};

uint64_t
kit_deadline(void)
{
	return clock_mono_ns() + KIT_PATIENCE_MS * NS_PER_MS;
}

static void
hold(struct kit *k, struct grpc_call *call)
{
	mutex_lock(&k->mutex);
	CHECK(k->held_count < KIT_HELD_MAX);
	k->held[k->held_count++] = call;
	cond_broadcast(&k->cond);
	mutex_unlock(&k->mutex);
}

static void
stream(struct kit *k, struct grpc_call *call)
{
	struct buf b = {0};
	for (size_t i = 0; i < k->stream_messages; i++) {
		size_t begun = grpc_message_begin(&b);
		for (size_t n = 0; n < k->stream_bytes; n++)
			buf_char(&b, (char)('0' + i % 10));
		grpc_message_end(&b, begun);
	}
	struct grpc_answer answer = {.messages = &b, .budget_bytes = b.len};
	if (budget_take(&k->stream_budget, b.len))
		answer.budget = &k->stream_budget;
	grpc_respond(call, &answer);
	assert_null(b.ptr);
}

static void
handle(void *ctx, struct grpc_call *call)
{
	struct kit *k = ctx;
	struct grpc_answer answer = {.code = ERR_OK};
	mutex_lock(&k->mutex);
	k->handled++;
	mutex_unlock(&k->mutex);
	switch (grpc_call_path(call)) {
	case 0: answer.message = buf_view(grpc_call_message(call)); break;
	case 1:
		answer.code = ERR_UNAVAILABLE;
		answer.text = k->fail_text;
		answer.details = k->fail_details;
		break;
	case 3: stream(k, call); return;
	default: hold(k, call); return;
	}
	struct str said = grpc_call_header(call, STR("x-answer"));
	if (said.len)
		answer.message = said;
	grpc_respond(call, &answer);
}

struct kit *
kit_new(void)
{
	struct kit *k = calloc(1, sizeof(*k));
	assert_non_null(k);
	k->limits = limits_default();
	budget_init(&k->stream_budget, SIZE_MAX);
	mutex_init(&k->mutex);
	cond_init(&k->cond);
	return k;
}

void
kit_start(struct kit *k)
{
	struct err err = {0};
	const struct tls_files files = {
	    .cert = STR("tests/golden/tls/server.pem"), .key = STR("tests/golden/tls/server.key")};
	if ((k->over_tls || getenv("WEIR_TEST_TLS")) &&
	    tls_context_open(&files, &k->tls, &err) != ERR_OK)
		fail_msg("%s", err.message);
	struct grpc_server_options opt = {.address = STR("127.0.0.1:0"),
	    .loop_count = 2,
	    .limits = &k->limits,
	    .tls = k->tls,
	    .stats = &k->stats,
	    .paths = paths,
	    .handle = handle,
	    .ctx = k,
	    .busy_retry_ms = 1500};
	if (grpc_server_start(&opt, &k->server, &err) != ERR_OK)
		fail_msg("%s", err.message);
	snprintf(k->address, sizeof(k->address), "127.0.0.1:%u", grpc_server_port(k->server));
}

size_t
kit_held(struct kit *k)
{
	mutex_lock(&k->mutex);
	size_t n = k->held_count;
	mutex_unlock(&k->mutex);
	return n;
}

size_t
kit_handled(struct kit *k)
{
	mutex_lock(&k->mutex);
	size_t n = k->handled;
	mutex_unlock(&k->mutex);
	return n;
}

void
kit_release_one(struct kit *k)
{
	const struct grpc_answer answer = {.code = ERR_OK};
	mutex_lock(&k->mutex);
	assert_true(k->held_count > 0);
	struct grpc_call *call = k->held[0];
	k->held_count--;
	memmove(k->held, k->held + 1, k->held_count * sizeof(k->held[0]));
	mutex_unlock(&k->mutex);
	grpc_respond(call, &answer);
}

void
kit_free(struct kit *k)
{
	if (k->server)
		grpc_server_stop(k->server, clock_mono_ns());
	while (kit_held(k))
		kit_release_one(k);
	assert_int_equal(stats_get(&k->stats, STATS_INFLIGHT_BYTES), 0);
	assert_int_equal(stats_get(&k->stats, STATS_CONNS_GRPC), 0);
	assert_int_equal(budget_used(&k->stream_budget), 0);
	grpc_server_free(k->server);
	tls_context_close(k->tls);
	cond_fini(&k->cond);
	mutex_fini(&k->mutex);
	free(k);
}

void
kit_wait_held(struct kit *k, size_t n)
{
	uint64_t deadline = kit_deadline();
	bool in_time = true;
	mutex_lock(&k->mutex);
	while (k->held_count < n && in_time)
		in_time = cond_wait_until(&k->cond, &k->mutex, deadline);
	mutex_unlock(&k->mutex);
	assert_true(in_time);
}

bool
kit_waited(uint64_t start_ns, uint64_t ms)
{
	return clock_mono_ns() - start_ns >= ms * NS_PER_MS / 2;
}

void
kit_wait_stat(struct kit *k, enum stats_id id, int64_t value)
{
	uint64_t deadline = kit_deadline();
	while (stats_get(&k->stats, id) != value && clock_mono_ns() < deadline)
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(stats_get(&k->stats, id), value);
}

/* ---- calls through the client */

struct grpc_client *
kit_client(const struct kit *k)
{
	struct grpc_client *c;
	struct err err = {0};
	char url[48];
	snprintf(url, sizeof(url), "%s%s", k->tls ? "https://" : "", k->address);
	struct grpc_client_options opt = {.address = str_from(url),
	    .timeout_ms = KIT_PATIENCE_MS,
	    .tls = {.ca = STR("tests/golden/tls/ca.pem")}};
	if (grpc_client_open(&opt, &c, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return c;
}

static void
reply_done(void *ctx, const struct grpc_reply *reply)
{
	struct kit_reply *r = ctx;
	assert_int_equal(r->status, -1);
	r->status = reply->status;
	r->lost = reply->lost;
	buf_str(&r->text, reply->text);
	buf_char(&r->text, '\0');
	buf_str(&r->message, reply->message);
	buf_str(&r->details, reply->details);
}

void
kit_begin(struct grpc_client *c, const char *path, struct str message, bool gzip,
    const char *const *headers, struct kit_reply *reply)
{
	struct err err = {0};
	*reply = (struct kit_reply){.status = -1};
	if (grpc_client_call(c, path, message, gzip, headers, reply_done, reply, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

void
kit_finish(struct grpc_client *c)
{
	struct err err = {0};
	enum err_code code = grpc_client_run(c, 0, kit_deadline(), &err);
	if (code != ERR_OK && code != ERR_UNAVAILABLE)
		fail_msg("%s", err.message);
	assert_int_equal(grpc_client_inflight(c), 0);
}

void
kit_reply_fini(struct kit_reply *r)
{
	buf_fini(&r->text);
	buf_fini(&r->message);
	buf_fini(&r->details);
}

int
kit_call(const struct kit *k, const char *path, struct str message, bool gzip,
    const char *const *headers, struct kit_reply *reply)
{
	struct kit_reply own;
	struct grpc_client *c = kit_client(k);
	struct kit_reply *r = reply ? reply : &own;
	kit_begin(c, path, message, gzip, headers, r);
	kit_finish(c);
	grpc_client_close(c);
	int status = r->status;
	if (!reply)
		kit_reply_fini(&own);
	return status;
}

/* ---- a peer of raw bytes */

void
kit_peer_plain(struct kit_peer *p, const struct kit *k)
{
	struct err err = {0};
	*p = (struct kit_peer){.fd = -1};
	if (tcp_connect(str_from(k->address), KIT_PATIENCE_MS, &p->fd, &err) != ERR_OK)
		fail_msg("%s", err.message);
	assert_int_equal(nghttp2_hd_inflate_new(&p->hpack), 0);
}

void
kit_peer_open(struct kit_peer *p, const struct kit *k)
{
	struct err err = {0};
	kit_peer_plain(p, k);
	const struct tls_client_options opt = {.address = str_from(k->address),
	    .files = {.ca = STR("tests/golden/tls/ca.pem")},
	    .alpn = "h2"};
	if (k->tls && tls_conn_connect(&opt, p->fd, kit_deadline(), &p->tls, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

void
kit_peer_hello(struct kit_peer *p, const struct kit *k)
{
	kit_peer_open(p, k);
	buf_str(&p->out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	kit_put_frame(p, NGHTTP2_SETTINGS, 0, 0, STR_EMPTY);
	kit_put_frame(p, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, STR_EMPTY);
	assert_true(kit_send(p));
}

void
kit_peer_close(struct kit_peer *p)
{
	if (p->tls)
		tls_conn_close(p->tls);
	else
		tcp_close(p->fd);
	nghttp2_hd_inflate_del(p->hpack);
	buf_fini(&p->out);
	buf_fini(&p->in);
	buf_fini(&p->fields);
}

void
kit_put_frame(struct kit_peer *p, unsigned type, unsigned flags, int32_t stream_id,
    struct str payload)
{
	unsigned char head[9];
	put_u32be(head, (uint32_t)payload.len << 8);
	head[3] = (unsigned char)type;
	head[4] = (unsigned char)flags;
	put_u32be(head + 5, (uint32_t)stream_id);
	buf_append(&p->out, head, sizeof(head));
	buf_str(&p->out, payload);
}

/* RFC 7541 section 6.2.2: literal without indexing, new name; lengths up to 2^14. */
static void
put_length(struct buf *b, size_t n)
{
	if (n < 127) {
		buf_char(b, (char)n);
		return;
	}
	buf_char(b, 127);
	for (n -= 127; n >= 128; n >>= 7)
		buf_char(b, (char)(128 | (n & 127)));
	buf_char(b, (char)n);
}

void
kit_field(struct buf *block, struct str name, struct str value)
{
	buf_char(block, 0);
	put_length(block, name.len);
	buf_str(block, name);
	put_length(block, value.len);
	buf_str(block, value);
}

static void
put_extra(struct buf *block, const char *extra)
{
	struct str rest = str_from(extra);
	while (rest.len) {
		struct str line = str_of(rest.ptr, str_find(rest, '\n'));
		size_t colon = str_find(str_skip(line, 1), ':') + 1;
		kit_field(block, str_of(line.ptr, colon), str_trim(str_skip(line, colon + 1)));
		rest = str_skip(rest, line.len + 1);
	}
}

void
kit_put_request(struct kit_peer *p, int32_t stream_id, const char *path, const char *extra,
    unsigned flags)
{
	struct buf block = {0};
	bool own_method = extra && extra[0] == ':';
	if (own_method)
		put_extra(&block, extra);
	else
		kit_field(&block, STR(":method"), STR("POST"));
	kit_field(&block, STR(":scheme"), STR("http"));
	kit_field(&block, STR(":path"), str_from(path ? path : KIT_PATH));
	kit_field(&block, STR(":authority"), STR("kit"));
	if (!extra || !strstr(extra, "content-type"))
		kit_field(&block, STR("content-type"), STR("application/grpc"));
	if (extra && !own_method)
		put_extra(&block, extra);
	kit_put_frame(p, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | flags, stream_id,
	    buf_view(&block));
	buf_fini(&block);
}

void
kit_put_message(struct kit_peer *p, int32_t stream_id, unsigned flag, uint32_t len,
    struct str bytes, unsigned flags)
{
	struct buf payload = {0};
	unsigned char prefix[5] = {(unsigned char)flag};
	put_u32be(prefix + 1, len);
	buf_append(&payload, prefix, sizeof(prefix));
	buf_str(&payload, bytes);
	kit_put_frame(p, NGHTTP2_DATA, flags, stream_id, buf_view(&payload));
	buf_fini(&payload);
}

enum tcp_io
kit_peer_write(struct kit_peer *p, const void *bytes, size_t size, size_t *n_out)
{
	return p->tls ? tls_conn_write(p->tls, bytes, size, n_out)
	              : tcp_write(p->fd, bytes, size, n_out);
}

enum tcp_io
kit_peer_read(struct kit_peer *p, void *bytes, size_t size, size_t *n_out)
{
	return p->tls ? tls_conn_read(p->tls, bytes, size, n_out)
	              : tcp_read(p->fd, bytes, size, n_out);
}

bool
kit_send(struct kit_peer *p)
{
	size_t off = 0;
	uint64_t deadline = kit_deadline();
	while (off < p->out.len) {
		size_t n;
		enum tcp_io io = kit_peer_write(p, p->out.ptr + off, p->out.len - off, &n);
		if (io == TCP_FAILED)
			break;
		off += n;
		if (io == TCP_WAIT_WRITE && !tcp_wait(p->fd, true, deadline))
			fail_msg("the server takes no bytes");
	}
	bool all = off == p->out.len;
	buf_reset(&p->out);
	return all;
}

/* At least n bytes of input; false when the connection ends before. */
static bool
need(struct kit_peer *p, size_t n)
{
	uint64_t deadline = kit_deadline();
	while (p->in.len - p->in_off < n && !p->ended) {
		size_t got;
		char *to = buf_reserve(&p->in, 65536);
		enum tcp_io io = kit_peer_read(p, to, 65536, &got);
		p->in.len += got;
		if (io == TCP_END || io == TCP_FAILED)
			p->ended = true;
		if (io == TCP_WAIT_READ && !tcp_wait(p->fd, false, deadline))
			fail_msg("the server says nothing");
	}
	return p->in.len - p->in_off >= n;
}

static void
decode_fields(struct kit_peer *p, struct str block)
{
	const uint8_t *at = (const uint8_t *)block.ptr;
	size_t left = block.len;
	buf_reset(&p->fields);
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(p->hpack, &nv, &flags, at, left, 1);
		assert_true(n >= 0);
		at += n;
		left -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_printf(&p->fields, "%.*s: %.*s\n", (int)nv.namelen,
			    (const char *)nv.name, (int)nv.valuelen, (const char *)nv.value);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	assert_int_equal(nghttp2_hd_inflate_end_headers(p->hpack), 0);
}

static bool
next_frame(struct kit_peer *p, struct kit_frame *f)
{
	if (!need(p, 9))
		return false;
	const unsigned char *head = (const unsigned char *)p->in.ptr + p->in_off;
	size_t len = get_u32be(head) >> 8;
	*f = (struct kit_frame){.type = head[3],
	    .flags = head[4],
	    .stream_id = (int32_t)(get_u32be(head + 5) & INT32_MAX)};
	if (!need(p, 9 + len))
		return false;
	f->payload = str_of(p->in.ptr + p->in_off + 9, len);
	p->in_off += 9 + len;
	if (f->type == NGHTTP2_HEADERS)
		decode_fields(p, f->payload);
	return true;
}

bool
kit_next(struct kit_peer *p, unsigned type, struct kit_frame *frame_out)
{
	while (next_frame(p, frame_out))
		if (frame_out->type == type)
			return true;
	return false;
}

const char *
kit_value(struct kit_peer *p, const char *name)
{
	static char value[4096];
	struct str rest = buf_view(&p->fields);
	size_t name_len = strlen(name);
	value[0] = '\0';
	while (rest.len) {
		struct str line = str_of(rest.ptr, str_find(rest, '\n'));
		if (line.len > name_len + 2 && memcmp(line.ptr, name, name_len) == 0 &&
		    line.ptr[name_len] == ':')
			snprintf(value, sizeof(value), "%.*s", (int)(line.len - name_len - 2),
			    line.ptr + name_len + 2);
		rest = str_skip(rest, line.len + 1);
	}
	return value;
}

int
kit_status(struct kit_peer *p, int32_t stream_id)
{
	struct kit_frame f;
	while (kit_next(p, NGHTTP2_HEADERS, &f)) {
		if (f.stream_id != stream_id || !(f.flags & NGHTTP2_FLAG_END_STREAM))
			continue;
		const char *status = kit_value(p, "grpc-status");
		return status[0] ? (int)strtol(status, NULL, 10) : -1;
	}
	return -1;
}

int
kit_goaway(struct kit_peer *p, int32_t *last_stream_out)
{
	struct kit_frame f;
	if (!kit_next(p, NGHTTP2_GOAWAY, &f))
		return -1;
	assert_true(f.payload.len >= 8);
	if (last_stream_out)
		*last_stream_out = (int32_t)get_u32be(f.payload.ptr);
	return (int)get_u32be(f.payload.ptr + 4);
}

bool
kit_closed(struct kit_peer *p)
{
	struct kit_frame f;
	while (next_frame(p, &f)) {
	}
	return p->ended;
}
