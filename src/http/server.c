/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LINGER_MAX = 256,
	LINGER_MS = 2000,
	FLUSH_MS = 250, /* for answers to leave at a stop that is already late */
	STREAM_FLUSH_MS = 500, /* for streams to take their end */
	ACCEPT_RETRY_MS = 100,
};

/* ---- accepting */

void
http_server_conn_over(struct http_server *s)
{
	atomic_fetch_sub(&s->conn_count, 1);
	stats_add(s->stats, s->opt.stats_connections, -1);
}

/* More connections than are allowed: told so, and closed, before libmicrohttpd hears of it. */
static void
refuse_connection(struct http_server *s, int fd)
{
	struct buf answer = {0};
	struct err err;
	if (s->pump) { /* a word would cost a handshake */
		stats_add(s->stats, STATS_CONNS_REFUSED, 1);
		tcp_close(fd);
		return;
	}
	err_set(&err, ERR_UNAVAILABLE, "too many connections");
	http_answer_raw(s, NULL, &err, &answer);
	http_answer_last_words(fd, buf_view(&answer));
	buf_fini(&answer);
	linger_add(s->lingerers, fd);
	stats_add(s->stats, STATS_CONNS_REFUSED, 1);
}

/* Closes fd when it fails. */
static bool
hand_to_daemon(struct http_server *s, int fd)
{
	/* libmicrohttpd copies an address that nobody asks it for. */
	struct sockaddr unknown = {.sa_family = AF_UNSPEC};
	if (MHD_add_connection(s->daemon, fd, &unknown, sizeof(unknown)) == MHD_YES)
		return true;
	log_warn(s->opt.name, "cannot take a connection");
	return false;
}

/* From the pump, which may have one when libmicrohttpd is about to be stopped. */
static bool
pump_opened(void *server, int fd)
{
	struct http_server *s = server;
	mutex_lock(&s->door);
	bool taken = !s->door_shut && hand_to_daemon(s, fd);
	if (s->door_shut)
		tcp_close(fd);
	mutex_unlock(&s->door);
	return taken;
}

static void
pump_closed(void *server)
{
	http_server_conn_over(server);
}

static void
admit(struct http_server *s, int fd)
{
	if (atomic_fetch_add(&s->conn_count, 1) >= (int64_t)s->limits.connections_max) {
		atomic_fetch_sub(&s->conn_count, 1);
		refuse_connection(s, fd);
		return;
	}
	stats_add(s->stats, s->opt.stats_connections, 1);
	if (s->pump)
		tls_pump_add(s->pump, fd);
	else if (!hand_to_daemon(s, fd))
		http_server_conn_over(s);
}

static void
acceptor_main(void *ctx)
{
	struct http_server *s = ctx;
	struct err err;
	bool failing = false; /* said once per spell */
	while (!atomic_load(&s->stopping)) {
		int fd = -1;
		(void)tcp_wait(s->listen_fd, false, UINT64_MAX);
		enum err_code code = tcp_accept(s->listen_fd, &fd, &err);
		if (fd >= 0)
			admit(s, fd);
		if (code != ERR_OK && !atomic_load(&s->stopping)) {
			if (!failing)
				log_warn(s->opt.name, "%s; trying again", err.message);
			clock_sleep_ns(ACCEPT_RETRY_MS * NS_PER_MS);
		}
		failing = code != ERR_OK;
	}
}

/* ---- start and stop */

static enum err_code
start_pump(struct http_server *s, struct err *err)
{
	char name[16];
	if (!s->opt.tls)
		return ERR_OK;
	snprintf(name, sizeof(name), "%s-tls", s->opt.name);
	return tls_pump_start(&(struct tls_pump_options){.thread_name = name,
	                          .tls = s->opt.tls,
	                          .port = s->opt.tls_port,
	                          .lingerers = s->lingerers,
	                          .stats = s->stats,
	                          .handshake_timeout_ms = s->limits.header_timeout_ms,
	                          .flush_timeout_ms = s->limits.body_grace_ms,
	                          .opened = pump_opened,
	                          .closed = pump_closed,
	                          .ctx = s},
	    &s->pump, err);
}

static enum err_code
start_parts(struct http_server *s, struct err *err)
{
	char name[16];
	enum err_code code = tcp_listen(s->opt.address, &s->listen_fd, err);
	if (code != ERR_OK)
		return code;
	s->port = tcp_port(s->listen_fd);
	snprintf(name, sizeof(name), "%s-linger", s->opt.name);
	code = linger_start(name, LINGER_MAX, LINGER_MS, &s->lingerers, err);
	if (code == ERR_OK)
		code = http_daemon_start(s, err);
	if (code == ERR_OK)
		code = start_pump(s, err);
	snprintf(name, sizeof(name), "%s-reaper", s->opt.name);
	if (code == ERR_OK)
		code = thread_start(&s->reaper, name, http_reaper_main, s, err);
	snprintf(name, sizeof(name), "%s-accept", s->opt.name);
	if (code == ERR_OK)
		code = thread_start(&s->acceptor, name, acceptor_main, s, err);
	return code;
}

enum err_code
http_server_start(const struct http_server_options *opt, struct http_server **out, struct err *err)
{
	struct http_server *s = xcalloc(1, sizeof(*s));
	CHECK(opt->handle != NULL);
	*out = NULL;
	s->opt = *opt;
	s->opt.thread_count = opt->thread_count ? opt->thread_count : 1;
	s->limits = *opt->limits;
	budget_init(&s->own_budget, s->limits.inflight_bytes_max);
	s->budget = opt->budget ? opt->budget : &s->own_budget;
	s->stats = opt->stats;
	s->listen_fd = -1;
	atomic_init(&s->refs, 1);
	mutex_init(&s->lock);
	mutex_init(&s->door);
	cond_init(&s->conn_came);
	cond_init(&s->settled);
	enum err_code code = start_parts(s, err);
	s->opt.address = STR_EMPTY;
	if (code != ERR_OK) {
		http_server_free(s);
		return code;
	}
	*out = s;
	return ERR_OK;
}

uint16_t
http_server_port(const struct http_server *s)
{
	return s->port;
}

/* Under the lock. */
static bool
any_unanswered(const struct http_server *s)
{
	for (const struct http_conn *c = s->conns; c; c = c->next)
		if (c->phase == CONN_HANDLER || c->phase == CONN_ANSWER)
			return true;
	return false;
}

/* Under the lock. */
static bool
any_streaming(const struct http_server *s)
{
	for (const struct http_conn *c = s->conns; c; c = c->next)
		if (c->phase == CONN_STREAM)
			return true;
	return false;
}

/* Under the lock. What has nothing more to say ends; libmicrohttpd may not be stopped with what is suspended. */
static void
end_streams(struct http_server *s)
{
	uint64_t flush_ns = clock_mono_ns() + STREAM_FLUSH_MS * NS_PER_MS;
	for (struct http_conn *c = s->conns; c; c = c->next)
		http_conn_wake(c);
	while (any_streaming(s) && cond_wait_until(&s->settled, &s->lock, flush_ns))
		continue;
}

static void
settle(struct http_server *s, uint64_t deadline_ns)
{
	mutex_lock(&s->lock);
	end_streams(s);
	while (s->handler_count > 0 && cond_wait_until(&s->settled, &s->lock, deadline_ns))
		continue;
	s->disowning = true;
	for (struct http_conn *c = s->conns; c; c = c->next) {
		if (!c->request || c->request->state != REQUEST_SUSPENDED)
			continue;
		http_request_disown(s, c->request);
		MHD_resume_connection(c->mhd);
	}
	uint64_t flush_ns = clock_mono_ns() + FLUSH_MS * NS_PER_MS;
	if (flush_ns < deadline_ns)
		flush_ns = deadline_ns;
	while (any_unanswered(s) && cond_wait_until(&s->settled, &s->lock, flush_ns))
		continue;
	mutex_unlock(&s->lock);
}

/* libmicrohttpd has closed what it had: what of it is still on its way to clients? */
static void
stop_pump(struct http_server *s, uint64_t deadline_ns)
{
	uint64_t flush_ns = clock_mono_ns() + FLUSH_MS * NS_PER_MS;
	tls_pump_stop(s->pump, flush_ns > deadline_ns ? flush_ns : deadline_ns);
}

void
http_server_stop(struct http_server *s, uint64_t deadline_mono_ns)
{
	if (!s || s->stopped)
		return;
	s->stopped = true;
	atomic_store(&s->stopping, true);
	if (s->listen_fd >= 0)
		linger_cut(s->listen_fd);
	thread_join(&s->acceptor);
	tcp_close(s->listen_fd);
	if (s->daemon) {
		settle(s, deadline_mono_ns);
		mutex_lock(&s->door);
		s->door_shut = true;
		mutex_unlock(&s->door);
		MHD_stop_daemon(s->daemon);
	}
	stop_pump(s, deadline_mono_ns);
	mutex_lock(&s->lock);
	s->reaper_stop = true;
	mutex_unlock(&s->lock);
	cond_signal(&s->conn_came);
	thread_join(&s->reaper);
	linger_stop(s->lingerers);
	s->stats = NULL;
}

void
http_server_unref(struct http_server *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	cond_fini(&s->settled);
	cond_fini(&s->conn_came);
	mutex_fini(&s->door);
	mutex_fini(&s->lock);
	free(s);
}

void
http_server_free(struct http_server *s)
{
	if (!s)
		return;
	http_server_stop(s, 0);
	http_server_unref(s);
}
