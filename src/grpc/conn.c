/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/conn.c - one connection: bytes in, bytes out, time.
 *
 * Life: CONN_OPEN until the session is over (GOAWAY from either side and no streams left) and all
 * of it is written, then CONN_LINGER: the peer is told that nothing more comes and gets some time to
 * read it, because closing a socket with unread input resets it, and the reset may overtake our
 * last words. Then CONN_DEAD, which the flush at the end of the turn turns into nothing.
 *
 * Time limits. Each has a start and a length; one timer per connection is set to the earliest and
 * looks at all of them when it fires:
 *
 *     TLS, preface, first SETTINGS  opened_ns        header_timeout_ms
 *     a header block                header_since_ns  header_timeout_ms
 *     a blocked socket              blocked_ns       body_grace_ms
 *     no call, no complete frame    frame_ns         idle_timeout_ms
 *     each call                     see call.c
 *
 * While output is blocked nothing is read: who does not take answers gets to ask no more.
 */
#include "grpc/grpc_priv.h"

#include "base/timefmt.h"
#include "sys/log.h"

#include <stdlib.h>

enum { OUT_KEEP_BYTES = 4096, CREDIT_PER_FRAME = 1000, FRAMES_PER_EARLY_ANSWER = 2 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_BYTES = sizeof(preface) - 1 };

#define HTTP1_TEXT                                                                                 \
	"this port speaks gRPC; http/protobuf and http/json have another one, 4318 by default\n"
#define HTTP1_TEXT_BYTES "85"
static const char http1_reply[] = "HTTP/1.1 400 Bad Request\r\n"
                                  "connection: close\r\n"
                                  "content-type: text/plain\r\n"
                                  "content-length: " HTTP1_TEXT_BYTES "\r\n"
                                  "\r\n" HTTP1_TEXT;
_Static_assert(sizeof(HTTP1_TEXT) - 1 == 85, "HTTP1_TEXT_BYTES says how long the text is");

/* ---- ends */

void
grpc_conn_touch(struct grpc_conn *c)
{
	if (c->touched)
		return;
	c->touched = true;
	c->touched_next = c->worker->touched;
	c->worker->touched = c;
}

/* The calls lose their streams; those a handler has live on without us. */
static void
drop_session(struct grpc_conn *c)
{
	nghttp2_session_del(c->session);
	c->session = NULL;
	while (c->calls) {
		struct grpc_call *call = c->calls;
		c->calls = call->next;
		call->prev = call->next = NULL;
		call->conn = NULL;
		grpc_call_stream_gone(call);
	}
	c->call_count = 0;
}

static void
destroy(struct grpc_conn *c)
{
	struct grpc_worker *w = c->worker;
	CHECK(!c->touched);
	drop_session(c);
	loop_remove(w->loop, &c->watch);
	loop_timer_clear(w->loop, &c->timer);
	grpc_transport_close(&c->io);
	if (c->prev)
		c->prev->next = c->next;
	else
		w->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	atomic_fetch_sub_explicit(&w->load, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&w->server->conn_count, 1, memory_order_relaxed);
	stats_add(w->server->opt.stats, STATS_CONNS_GRPC, -1);
	buf_fini(&c->out);
	free(c);
}

void
grpc_conn_kill(struct grpc_conn *c)
{
	c->state = CONN_DEAD;
	grpc_conn_touch(c);
}

void
grpc_conn_terminate(struct grpc_conn *c, uint32_t http2_error)
{
	if (c->state != CONN_OPEN)
		return;
	if (nghttp2_session_terminate_session(c->session, http2_error) != 0)
		c->state = CONN_DEAD;
	grpc_conn_touch(c);
}

void
grpc_conn_retire(struct grpc_conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	if (nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
	        nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR, NULL,
	        0) != 0)
		c->state = CONN_DEAD;
	grpc_conn_touch(c);
}

static void
linger(struct grpc_conn *c)
{
	drop_session(c);
	c->state = CONN_LINGER;
	c->linger_until_ns = loop_now_ns(c->worker->loop) + GRPC_LINGER_MS * NS_PER_MS;
	grpc_conn_arm(c, c->linger_until_ns);
}

/* ---- floods */

void
grpc_conn_spend(struct grpc_conn *c)
{
	uint64_t now = loop_now_ns(c->worker->loop);
	uint64_t us = (now - c->control_ns) / NS_PER_US;
	int64_t most = (int64_t)GRPC_CONTROL_BURST * CREDIT_PER_FRAME;
	/* 100 a second is a tenth of a thousandth in a microsecond. */
	if (us >= 10) {
		uint64_t more = us * GRPC_CONTROL_PER_SECOND * CREDIT_PER_FRAME / 1000000;
		int64_t credit = c->control_credit + (more < (uint64_t)most ? (int64_t)more : most);
		c->control_credit = credit < most ? credit : most;
		c->control_ns = now;
	}
	c->control_credit -= CREDIT_PER_FRAME;
	if (c->control_credit < 0)
		grpc_conn_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void
earn(struct grpc_conn *c, int64_t credit)
{
	int64_t most = (int64_t)GRPC_CONTROL_BURST * CREDIT_PER_FRAME;
	c->control_credit += credit;
	if (c->control_credit > most)
		c->control_credit = most;
}

void
grpc_conn_earn(struct grpc_conn *c)
{
	earn(c, (int64_t)GRPC_CONTROL_PER_CALL * CREDIT_PER_FRAME);
}

void
grpc_conn_earn_bytes(struct grpc_conn *c, size_t n)
{
	earn(c, (int64_t)(n * CREDIT_PER_FRAME / GRPC_CONTROL_PER_BYTES));
}

/* A peer may have sent a whole window of the body before it hears that nobody wants it. Its stream is closed by then,
 * and nghttp2 ignores those bytes. */
void
grpc_conn_expect_late(struct grpc_conn *c)
{
	c->late_bytes += GRPC_STREAM_WINDOW;
	if (c->late_bytes > GRPC_CONN_WINDOW)
		c->late_bytes = GRPC_CONN_WINDOW;
}

/* Who was answered early and has taken the answer may reset the stream: many libraries do. Who resets streams
 * without taking answers earns nothing. */
void
grpc_conn_earn_early(struct grpc_conn *c)
{
	earn(c, (int64_t)FRAMES_PER_EARLY_ANSWER * CREDIT_PER_FRAME);
}

static bool
is_useless(struct grpc_conn *c)
{
	if (c->useless_bytes <= GRPC_USELESS_BYTES_MAX)
		return false;
	size_t over = c->useless_bytes - GRPC_USELESS_BYTES_MAX;
	if (over > c->late_bytes)
		return true;
	c->late_bytes -= over;
	c->useless_bytes = GRPC_USELESS_BYTES_MAX;
	return false;
}

/* ---- time */

void
grpc_conn_arm(struct grpc_conn *c, uint64_t due_ns)
{
	if (due_ns < c->timer.due_ns)
		loop_timer_set(c->worker->loop, &c->timer, due_ns);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
too_slow(struct grpc_conn *c)
{
	stats_add(c->worker->server->opt.stats, STATS_CONNS_TIMED_OUT, 1);
	if (c->settings_seen)
		grpc_conn_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM);
	else
		grpc_conn_kill(c);
}

static uint64_t
check_idle(struct grpc_conn *c, uint64_t now_ns)
{
	uint64_t due = c->frame_ns + c->worker->server->limits.idle_timeout_ms * NS_PER_MS;
	if (now_ns < due)
		return due;
	if (c->settings_seen)
		grpc_conn_terminate(c, NGHTTP2_NO_ERROR);
	else
		grpc_conn_kill(c);
	return UINT64_MAX;
}

static uint64_t
check_calls(struct grpc_conn *c, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;
	for (struct grpc_call *call = c->calls, *after; call; call = after) {
		after = call->next;
		next = earlier(next, grpc_call_check(call, now_ns));
	}
	return next;
}

/* Returns when to look again. */
static uint64_t
check_open(struct grpc_conn *c, uint64_t now_ns)
{
	const struct limits *limits = &c->worker->server->limits;
	uint64_t header_ns = limits->header_timeout_ms * NS_PER_MS;
	uint64_t next = UINT64_MAX;
	if (c->blocked_ns) {
		next = c->blocked_ns + limits->body_grace_ms * NS_PER_MS;
		if (now_ns >= next) {
			stats_add(c->worker->server->opt.stats, STATS_CONNS_TIMED_OUT, 1);
			grpc_conn_kill(c);
			return UINT64_MAX;
		}
	}
	if (!c->settings_seen)
		next = earlier(next, c->opened_ns + header_ns);
	if (c->header_since_ns)
		next = earlier(next, c->header_since_ns + header_ns);
	if (now_ns >= next) {
		too_slow(c);
		return UINT64_MAX;
	}
	return earlier(next, c->calls ? check_calls(c, now_ns) : check_idle(c, now_ns));
}

static void
time_out(void *conn, uint64_t now_ns)
{
	struct grpc_conn *c = conn;
	uint64_t next = UINT64_MAX;
	switch (c->state) {
	case CONN_OPEN: next = check_open(c, now_ns); break;
	case CONN_LINGER:
		next = c->linger_until_ns;
		if (now_ns >= next)
			grpc_conn_kill(c);
		break;
	case CONN_DEAD: break;
	}
	/* What terminated it has been said at once; a socket that does not take it has blocked_ns. */
	if (c->state != CONN_DEAD && next > now_ns && next != UINT64_MAX)
		grpc_conn_arm(c, next);
}

/* ---- in */

/* Somebody speaks another protocol: a browser or an HTTP/1.1 exporter deserves an answer. */
static void
not_http2(struct grpc_conn *c, unsigned char first)
{
	if (first >= 'A' && first <= 'Z')
		buf_append(&c->out, http1_reply, sizeof(http1_reply) - 1);
	log_debug("grpc", "a connection does not begin with the HTTP/2 preface");
	linger(c);
	grpc_conn_touch(c);
}

static void
take_input(struct grpc_conn *c, const unsigned char *bytes, size_t n)
{
	if (c->preface_len < PREFACE_BYTES) {
		size_t left = PREFACE_BYTES - c->preface_len;
		size_t len = n < left ? n : left;
		if (memcmp(preface + c->preface_len, bytes, len) != 0) {
			not_http2(c, c->preface_len ? 'P' : bytes[0]);
			return;
		}
		c->preface_len += len;
	}
	c->useless_bytes += n;
	ssize_t rc = nghttp2_session_mem_recv(c->session, bytes, n);
	if (is_useless(c))
		grpc_conn_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM);
	if (rc >= 0)
		return;
	log_debug("grpc", "connection ended: %s", nghttp2_strerror((int)rc));
	if (rc == NGHTTP2_ERR_FLOODED)
		grpc_conn_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM);
	else
		grpc_conn_kill(c);
}

/* Nothing more can be read. A client whose handshake failed shall be able to read why. */
static void
input_over(struct grpc_conn *c)
{
	struct str answer;
	if (c->state == CONN_OPEN && grpc_transport_unveil(&c->io, &answer)) {
		/* What was to go out encrypted must not follow in the clear. */
		buf_reset(&c->out);
		c->out_off = 0;
		c->blocked_ns = 0;
		buf_str(&c->out, answer);
		linger(c);
	} else {
		grpc_conn_kill(c);
	}
}

static void
read_some(struct grpc_conn *c)
{
	struct grpc_worker *w = c->worker;
	for (int i = 0; i < GRPC_READS_PER_TURN && c->state != CONN_DEAD; i++) {
		size_t n;
		enum tcp_io io = grpc_transport_read(&c->io, w->read_bytes, GRPC_READ_BYTES, &n);
		if (io == TCP_END || io == TCP_FAILED) {
			input_over(c);
			return;
		}
		if (io == TCP_WAIT_WRITE)
			c->also_wants |= LOOP_WRITE;
		if (io != TCP_OK)
			return;
		if (c->state == CONN_OPEN)
			take_input(c, w->read_bytes, n);
		if (n < GRPC_READ_BYTES)
			break;
	}
	if (c->state != CONN_DEAD && grpc_transport_held(&c->io) && !c->task_posted) {
		c->task_posted = true;
		CHECK(loop_post(w->loop, &c->arrive));
	}
}

/* ---- out */

static void
blocked(struct grpc_conn *c, enum tcp_io io)
{
	if (io == TCP_WAIT_READ)
		c->also_wants |= LOOP_READ;
	if (c->blocked_ns)
		return;
	c->blocked_ns = loop_now_ns(c->worker->loop);
	grpc_conn_arm(c, c->blocked_ns + c->worker->server->limits.body_grace_ms * NS_PER_MS);
}

/* Write what was left over; true when all of it is gone. */
static bool
write_leftover(struct grpc_conn *c)
{
	while (c->out_off < c->out.len) {
		size_t n;
		enum tcp_io io = grpc_transport_write(&c->io, c->out.ptr + c->out_off,
		    c->out.len - c->out_off, &n);
		if (io == TCP_FAILED || io == TCP_END)
			c->state = CONN_DEAD;
		if (io != TCP_OK) {
			blocked(c, io);
			return false;
		}
		c->out_off += n;
	}
	c->out_off = 0;
	c->blocked_ns = 0;
	if (c->out.cap > OUT_KEEP_BYTES)
		buf_fini(&c->out);
	buf_reset(&c->out);
	return true;
}

/* Write it, or keep what the socket does not take. True when all of it is gone. */
static bool
write_or_keep(struct grpc_conn *c, const unsigned char *bytes, size_t len)
{
	size_t n = 0;
	if (len == 0)
		return true;
	enum tcp_io io = grpc_transport_write(&c->io, bytes, len, &n);
	if (io == TCP_FAILED || io == TCP_END) {
		c->state = CONN_DEAD;
		return false;
	}
	if (n == len)
		return true;
	buf_append(&c->out, bytes + n, len - n);
	return write_leftover(c);
}

/* Everything the session has to say, gathered into few writes, until the socket is full. */
static void
write_session(struct grpc_conn *c)
{
	unsigned char *gather = c->worker->write_bytes;
	size_t used = 0;
	for (;;) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(c->session, &bytes);
		if (n < 0)
			c->state = CONN_DEAD;
		if (n <= 0)
			break;
		if (used + (size_t)n > GRPC_WRITE_BYTES) {
			if (!write_or_keep(c, gather, used)) {
				buf_append(&c->out, bytes, (size_t)n);
				return;
			}
			used = 0;
		}
		if ((size_t)n > GRPC_WRITE_BYTES) {
			if (!write_or_keep(c, bytes, (size_t)n))
				return;
			continue;
		}
		memcpy(gather + used, bytes, (size_t)n);
		used += (size_t)n;
	}
	if (c->state != CONN_DEAD)
		(void)write_or_keep(c, gather, used);
}

static void
flush_open(struct grpc_conn *c)
{
	/* Nothing is said before the peer has shown that it speaks HTTP/2. */
	if (c->preface_len < PREFACE_BYTES)
		return;
	write_session(c);
	if (c->state == CONN_OPEN && !c->blocked_ns && !nghttp2_session_want_read(c->session) &&
	    !nghttp2_session_want_write(c->session))
		linger(c);
}

void
grpc_conn_flush(struct grpc_conn *c)
{
	if (c->state != CONN_DEAD && write_leftover(c)) {
		if (c->state == CONN_OPEN)
			flush_open(c);
		if (c->state == CONN_LINGER && !c->blocked_ns &&
		    grpc_transport_end(&c->io) == TCP_WAIT_WRITE)
			blocked(c, TCP_WAIT_WRITE);
	}
	if (c->state == CONN_DEAD) {
		if (!c->touched && !c->task_posted)
			destroy(c);
		return;
	}
	unsigned wanted = c->state == CONN_LINGER || !c->blocked_ns ? LOOP_READ : 0;
	wanted |= c->also_wants | (c->blocked_ns ? LOOP_WRITE : 0);
	loop_want(c->worker->loop, &c->watch, wanted);
}

/* ---- begin */

static void
ready(void *conn, unsigned events)
{
	struct grpc_conn *c = conn;
	unsigned waited = c->also_wants;
	c->also_wants = 0;
	if (events & (LOOP_READ | waited))
		read_some(c);
	grpc_conn_touch(c);
}

/* TLS has more than one turn is for. */
static void
read_on(void *conn)
{
	struct grpc_conn *c = conn;
	c->task_posted = false;
	/* Blocked output: the poll that tells of its end reads, too. */
	if (!c->blocked_ns || c->state == CONN_LINGER)
		read_some(c);
	else
		c->also_wants |= LOOP_WRITE;
	grpc_conn_touch(c);
}

static void
arrive(void *conn)
{
	struct grpc_conn *c = conn;
	struct grpc_worker *w = c->worker;
	const struct limits *limits = &w->server->limits;
	struct err err = {0};
	uint64_t now = loop_now_ns(w->loop);
	c->task_posted = false;
	c->arrive.run = read_on;
	c->next = w->conns;
	if (c->next)
		c->next->prev = c;
	w->conns = c;
	c->opened_ns = c->frame_ns = c->control_ns = now;
	c->control_credit = (int64_t)GRPC_CONTROL_BURST * CREDIT_PER_FRAME;
	c->session = grpc_session_new(c);
	if (loop_add(w->loop, &c->watch, LOOP_READ, &err) != ERR_OK) {
		log_warn("grpc", "%s", err.message);
		grpc_conn_kill(c);
		return;
	}
	grpc_conn_arm(c, now + limits->header_timeout_ms * NS_PER_MS);
	grpc_conn_arm(c, now + limits->idle_timeout_ms * NS_PER_MS);
}

void
grpc_conn_start(struct grpc_worker *w, int fd)
{
	struct grpc_conn *c = xcalloc(1, sizeof(*c));
	c->worker = w;
	struct tls_context *tls = w->server->opt.tls;
	c->io = (struct grpc_transport){
	    .fd = fd, .tls = tls ? tls_conn_accept(tls, TLS_GRPC, fd) : NULL};
	c->watch = (struct loop_watch){.fd = fd, .ready = ready, .ctx = c};
	c->timer = (struct loop_timer){.fire = time_out, .ctx = c, .due_ns = UINT64_MAX};
	c->arrive = (struct loop_task){.run = arrive, .ctx = c};
	c->task_posted = true;
	atomic_fetch_add_explicit(&w->load, 1, memory_order_relaxed);
	/* Workers stop after the acceptor has ended, so the list is open. */
	CHECK(loop_post(w->loop, &c->arrive));
}
