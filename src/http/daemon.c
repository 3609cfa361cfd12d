/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/daemon.c - libmicrohttpd's callbacks: what becomes of connections and requests.
 */
#include "http/http_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	/* libmicrohttpd's memory for a connection: it holds the header, with a record for each
	 * field, and the part of the body being read. Cleared per request: keep it small. */
	POOL_BYTES_MIN = 32 * 1024,
	POOL_EXTRA_BYTES = 16 * 1024,
};

/* A socket of a pair has neither, and sends at once what it is given. */
static bool
is_about_tcp(struct str line)
{
	return str_starts(line, STR("Setting TCP_")) ||
	    str_starts(line, STR("Failed to push the data from buffers"));
}

static void
log_mhd(void *ctx, const char *fmt, va_list args)
{
	const struct http_server *s = ctx;
	char text[256];
	if (!log_enabled(LOG_DEBUG))
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	struct str line = str_trim(str_from(text));
	if (s->pump && is_about_tcp(line))
		return;
	log_debug(s->opt.name, "%.*s", STR_ARG(line));
}

/* ---- connections */

static void
conn_started(struct http_server *s, struct MHD_Connection *mhd, void **socket_context)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	CHECK(info != NULL);
	struct http_conn *c = xcalloc(1, sizeof(*c));
	c->server = s;
	c->mhd = mhd;
	c->fd = info->connect_fd;
	c->phase = CONN_HEADER;
	c->deadline_ns = clock_mono_ns() + s->limits.header_timeout_ms * NS_PER_MS;
	*socket_context = c;
	mutex_lock(&s->lock);
	bool first = s->conns == NULL;
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	mutex_unlock(&s->lock);
	if (first)
		cond_signal(&s->conn_came);
}

static void
conn_closed(struct http_server *s, struct http_conn *c)
{
	mutex_lock(&s->lock);
	CHECK(c->request == NULL);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	/* In the header: libmicrohttpd has refused something itself, or the client is gone. */
	bool linger = c->linger || c->phase == CONN_HEADER;
	mutex_unlock(&s->lock);
	if (linger)
		linger_add(s->lingerers, linger_dup(c->fd));
	if (!s->pump) /* else it is the pump who knows when it is over */
		http_server_conn_over(s);
	free(c);
}

static void
on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = ctx;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		conn_started(s, mhd, socket_context);
	else if (*socket_context)
		conn_closed(s, *socket_context);
}

static struct http_conn *
conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	CHECK(info != NULL);
	CHECK(info->socket_context != NULL);
	return info->socket_context;
}

/* ---- a request, as libmicrohttpd tells of it */

/* The request line is complete. What is returned comes back as *context below. */
static void *
on_request_line(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
	struct http_server *s = ctx;
	struct http_conn *c = conn_of(mhd);
	struct http_request *r = http_request_new(s, c, uri);
	uint64_t now_ns = clock_mono_ns();
	mutex_lock(&s->lock);
	CHECK(c->request == NULL);
	c->request = r;
	if (c->phase == CONN_IDLE) {
		c->phase = CONN_HEADER;
		c->deadline_ns = now_ns + s->limits.header_timeout_ms * NS_PER_MS;
	}
	mutex_unlock(&s->lock);
	return r;
}

/* Under the lock: false when the connection has been cut meanwhile. */
static bool
enter_phase(struct http_conn *c, enum conn_phase phase, uint64_t deadline_ns)
{
	if (c->phase == CONN_DEAD)
		return false;
	c->phase = phase;
	c->deadline_ns = deadline_ns;
	return true;
}

static enum MHD_Result
queue_response(struct MHD_Connection *mhd, int status, struct MHD_Response *response)
{
	enum MHD_Result result = MHD_queue_response(mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	return result;
}

/* Answer on the connection's own thread, where libmicrohttpd still takes an answer. */
static enum MHD_Result
refuse(struct http_request *r, struct http_conn *c, const struct err *why)
{
	struct http_server *s = r->server;
	uint64_t deadline_ns = clock_mono_ns() + s->limits.body_grace_ms * NS_PER_MS;
	mutex_lock(&s->lock);
	bool alive = enter_phase(c, CONN_ANSWER, deadline_ns);
	r->state = REQUEST_ANSWERED;
	mutex_unlock(&s->lock);
	if (!alive)
		return MHD_NO;
	c->linger = true;
	return queue_response(c->mhd, err_http_status(why->code), http_answer_error(s, r, why));
}

static enum MHD_Result
refuse_stopping(struct http_request *r, struct http_conn *c)
{
	struct err err;
	err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
	return refuse(r, c, &err);
}

/* Amid the body libmicrohttpd takes no answer: write it ourselves and close. */
static enum MHD_Result
refuse_amid_body(struct http_request *r, struct http_conn *c, const struct err *why)
{
	struct http_server *s = r->server;
	struct buf answer = {0};
	mutex_lock(&s->lock);
	bool alive = enter_phase(c, CONN_DEAD, 0);
	mutex_unlock(&s->lock);
	if (!alive)
		return MHD_NO;
	http_answer_raw(s, r, why, &answer);
	http_answer_last_words(c->fd, buf_view(&answer));
	buf_fini(&answer);
	return MHD_NO;
}

static enum MHD_Result
begin(struct http_request *r, struct http_conn *c, const char *method, const char *version)
{
	struct http_server *s = r->server;
	struct err err;
	enum err_code code = http_request_begin(r, c->mhd, method, version, &err);
	if (code == ERR_OK && s->opt.admit)
		code = s->opt.admit(s->opt.ctx, r, &err);
	if (code != ERR_OK)
		return refuse(r, c, &err);
	if (atomic_load(&s->stopping))
		return refuse_stopping(r, c);
	uint64_t now_ns = clock_mono_ns();
	mutex_lock(&s->lock);
	bool alive = enter_phase(c, CONN_BODY, UINT64_MAX);
	c->body_start_ns = now_ns;
	c->body_bytes = 0;
	mutex_unlock(&s->lock);
	return alive ? MHD_YES : MHD_NO;
}

static enum MHD_Result
add_body(struct http_request *r, struct http_conn *c, const char *bytes, size_t n)
{
	struct http_server *s = r->server;
	struct err err;
	mutex_lock(&s->lock);
	bool alive = c->phase != CONN_DEAD;
	c->body_bytes += n;
	mutex_unlock(&s->lock);
	if (!alive)
		return MHD_NO;
	enum err_code code = http_request_add_body(r, bytes, n, &err);
	return code == ERR_OK ? MHD_YES : refuse_amid_body(r, c, &err);
}

/* The answer is there: hand it to libmicrohttpd. */
static enum MHD_Result
send_answer(struct http_request *r, struct http_conn *c)
{
	struct http_server *s = r->server;
	mutex_lock(&s->lock);
	struct MHD_Response *response = r->response;
	int status = r->status;
	r->response = NULL;
	mutex_unlock(&s->lock);
	if (!response) /* disowned */
		return refuse_stopping(r, c);
	return queue_response(c->mhd, status, response);
}

void
http_request_disown(struct http_server *s, struct http_request *r)
{
	r->disowned = true;
	r->state = REQUEST_ANSWERED;
	s->handler_count--;
	http_request_discharge(r);
}

static enum MHD_Result
hand_over(struct http_request *r, struct http_conn *c)
{
	struct http_server *s = r->server;
	r->received_ns = clock_unix_ns();
	mutex_lock(&s->lock);
	bool stopping = s->disowning || atomic_load(&s->stopping);
	bool alive = stopping || enter_phase(c, CONN_HANDLER, UINT64_MAX);
	if (alive && !stopping) {
		r->state = REQUEST_HANDLING;
		s->handler_count++;
		http_request_ref(r);
	}
	mutex_unlock(&s->lock);
	if (stopping)
		return refuse_stopping(r, c);
	if (!alive)
		return MHD_NO;
	s->opt.handle(s->opt.ctx, r);
	mutex_lock(&s->lock);
	if (r->state == REQUEST_HANDLING && s->disowning)
		http_request_disown(s, r);
	bool answered = r->state == REQUEST_ANSWERED;
	if (!answered) {
		/* Under the lock: an answer that comes now finds it suspended. */
		r->state = REQUEST_SUSPENDED;
		MHD_suspend_connection(c->mhd);
	}
	mutex_unlock(&s->lock);
	return answered ? send_answer(r, c) : MHD_YES;
}

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct http_request *r = *context;
	struct http_conn *c = conn_of(mhd);
	(void)ctx;
	(void)url;
	CHECK(r != NULL);
	if (!r->begun)
		return begin(r, c, method, version);
	if (*upload_size > 0) {
		size_t n = *upload_size;
		*upload_size = 0;
		return add_body(r, c, upload, n);
	}
	/* Only this thread and an answer given before the connection is resumed change it. */
	mutex_lock(&r->server->lock);
	bool answered = r->state == REQUEST_ANSWERED;
	mutex_unlock(&r->server->lock);
	return answered ? send_answer(r, c) : hand_over(r, c);
}

static void
on_completed(void *ctx, struct MHD_Connection *mhd, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct http_server *s = ctx;
	struct http_request *r = *context;
	(void)mhd;
	(void)code;
	if (!r)
		return;
	*context = NULL;
	uint64_t now_ns = clock_mono_ns();
	mutex_lock(&s->lock);
	struct http_conn *c = r->conn;
	CHECK(c->request == r);
	CHECK(r->state == REQUEST_RECEIVING || r->state == REQUEST_ANSWERED);
	/* Refused by libmicrohttpd itself: the client may still be sending. */
	if (r->state == REQUEST_RECEIVING)
		c->linger = true;
	c->request = NULL;
	r->conn = NULL;
	(void)enter_phase(c, CONN_IDLE, now_ns + s->limits.idle_timeout_ms * NS_PER_MS);
	mutex_unlock(&s->lock);
	cond_signal(&s->settled);
	http_request_discharge(r);
	http_request_unref(r);
}

/* Under the lock: the answer is there to be sent. */
static void
start_answer(struct http_conn *c, bool in_parts)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t deadline_ns = now_ns + c->server->limits.body_grace_ms * NS_PER_MS;
	(void)enter_phase(c, CONN_ANSWER, in_parts ? UINT64_MAX : deadline_ns);
	c->answer_start_ns = c->answer_moved_ns = now_ns;
	c->answer_bytes = 0;
}

void
http_request_progress(struct http_request *r, uint64_t bytes)
{
	struct http_server *s = r->server;
	uint64_t now_ns = clock_mono_ns();
	mutex_lock(&s->lock);
	CHECK(r->conn != NULL);
	r->conn->answer_bytes = bytes;
	r->conn->answer_moved_ns = now_ns;
	mutex_unlock(&s->lock);
}

enum http_peer
http_request_peer(const struct http_request *r)
{
	struct http_server *s = r->server;
	enum tcp_peer peer = TCP_PEER_GONE;
	mutex_lock(&s->lock);
	if (r->conn && !r->disowned && r->conn->phase != CONN_DEAD)
		peer = tcp_peer(r->conn->fd);
	mutex_unlock(&s->lock);
	switch (peer) {
	case TCP_PEER_THERE: return HTTP_PEER_THERE;
	case TCP_PEER_DONE: return HTTP_PEER_DONE;
	case TCP_PEER_GONE: return HTTP_PEER_GONE;
	}
	return HTTP_PEER_GONE;
}

void
http_request_settle(struct http_request *r, struct MHD_Response *response, int status)
{
	struct http_server *s = r->server;
	CHECK(r->state == REQUEST_HANDLING || r->state == REQUEST_SUSPENDED);
	bool suspended = r->state == REQUEST_SUSPENDED;
	r->state = REQUEST_ANSWERED;
	r->response = response;
	r->status = status;
	/* While the request counts, what was lent to the server is there. */
	stats_add(s->stats, s->opt.stats_requests, 1);
	http_request_discharge(r);
	s->handler_count--;
	if (suspended)
		MHD_resume_connection(r->conn->mhd);
}

void
http_respond(struct http_request *r, struct http_answer *answer)
{
	struct http_server *s = r->server;
	bool in_parts = http_answer_in_parts(answer);
	struct MHD_Response *response = http_answer_response(answer, r);
	mutex_lock(&s->lock);
	bool wanted = !r->disowned;
	if (wanted) {
		start_answer(r->conn, in_parts);
		http_request_settle(r, response, answer->status);
	}
	mutex_unlock(&s->lock);
	if (!wanted)
		MHD_destroy_response(response);
	cond_signal(&s->settled);
	buf_fini(&r->body);
	http_request_unref(r);
}

/* ---- start */

static unsigned
pool_bytes(const struct limits *limits)
{
	uint64_t n = limits->header_bytes_max + POOL_EXTRA_BYTES;
	return n < POOL_BYTES_MIN ? POOL_BYTES_MIN : (unsigned)n;
}

enum err_code
http_daemon_start(struct http_server *s, struct err *err)
{
	/* The acceptor counts connections; this must only be large enough for each thread of a
	 * pool, which gets an equal part. */
	unsigned threads = s->opt.thread_count;
	unsigned conns = ((unsigned)s->limits.connections_max + 16) * threads;
	struct MHD_OptionItem pool[] = {
	    {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
	    {MHD_OPTION_END, 0, NULL}};
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
	        MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)pool_bytes(&s->limits),
	    MHD_OPTION_CONNECTION_LIMIT, conns, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_URI_LOG_CALLBACK,
	    on_request_line, s, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
	return s->daemon ? ERR_OK
	                 : err_set(err, ERR_UNAVAILABLE, "cannot start the %s server", s->opt.name);
}
