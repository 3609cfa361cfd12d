/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/pump.c - see pump.h.
 *
 * Whatever happens to a connection, advance() moves what can be moved and then says what is to be waited for; it is also
 * the only place where a connection ends. Its watches are level-triggered, so that nothing has to be remembered, with three
 * exceptions: bytes that TLS has read and nobody has asked for (`again`), a socket that has hung up, which epoll
 * reports without being asked, for ever (`server_gone`: its watch is removed, and what is left is read without), and a TLS read
 * that must write first.
 */
#include "tls/pump.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "sys/log.h"
#include "sys/loop.h"
#include "sys/thread.h"
#include "tls/conn.h"

#include <stdlib.h>

enum { MOVES_PER_TURN = 8 };

struct flow { /* what one side gave and the other has not taken */
	struct buf held;
	size_t off;
	bool ended; /* the giver has given all */
};

struct pump_conn {
	struct tls_pump *pump;
	struct pump_conn *prev, *next;
	struct tls_conn *tls;
	int client_fd; /* of tls */
	int server_fd; /* our end of the pair; -1: before the handshake is done */
	struct loop_watch client_watch, server_watch;
	struct loop_timer timer;
	struct loop_task task; /* arrive, then more */
	bool task_posted;
	bool dead; /* when the task has run */
	struct flow in, out; /* to the server, to the client */
	bool in_said; /* the server has been told the end */
	bool out_said; /* the client has */
	bool server_deaf; /* the server reads no more */
	bool flush_limited;
	bool server_gone; /* it has closed its end; the watch is removed */
	bool counted_out; /* closed() was called */
	bool again; /* there is more to move, and no poll will tell */
	unsigned tls_wants; /* of the descriptor, besides what moves */
};

struct tls_pump {
	struct tls_pump_options opt;
	struct loop *loop;
	struct thread thread;
	struct pump_conn *conns;
	char *part; /* PUMP_PART_BYTES */
	struct loop_task stop_task;
	struct loop_timer stop_timer;
	uint64_t stop_deadline_ns;
	bool stopping;
	bool failing; /* no pair of sockets was to be had the last time */
};

/* ---- ends */

static void
maybe_done(struct tls_pump *p)
{
	if (p->stopping && !p->conns)
		loop_stop(p->loop);
}

static void
unlink_conn(struct pump_conn *c)
{
	struct tls_pump *p = c->pump;
	if (c->prev)
		c->prev->next = c->next;
	else
		p->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

/* It counts no more. */
static void
over(struct pump_conn *c)
{
	if (!c->counted_out)
		c->pump->opt.closed(c->pump->opt.ctx);
	c->counted_out = true;
}

enum farewell { LET_GO, LINGER };

/* LINGER: the client may be sending still, and shall be able to read our last words. */
static void
end_conn(struct pump_conn *c, enum farewell farewell)
{
	struct tls_pump *p = c->pump;
	loop_remove(p->loop, &c->client_watch);
	loop_remove(p->loop, &c->server_watch);
	loop_timer_clear(p->loop, &c->timer);
	unlink_conn(c);
	int fd = tls_conn_detach(c->tls);
	if (farewell == LINGER)
		linger_add(p->opt.lingerers, fd);
	else
		tcp_close(fd);
	tcp_close(c->server_fd);
	buf_fini(&c->in.held);
	buf_fini(&c->out.held);
	over(c);
	c->dead = true;
	if (!c->task_posted)
		free(c);
	maybe_done(p);
}

/* ---- the handshake */

static void advance(struct pump_conn *c);

/* The server has given all it will: from now on the client has so long to take it. */
static void
limit_flush(struct pump_conn *c)
{
	struct tls_pump *p = c->pump;
	if (!c->flush_limited)
		loop_timer_set(p->loop, &c->timer,
		    loop_now_ns(p->loop) + p->opt.flush_timeout_ms * NS_PER_MS);
	c->flush_limited = true;
}

static void
server_ready(void *conn, unsigned events)
{
	struct pump_conn *c = conn;
	(void)events;
	/* It would be told again and again; what it has left is read without. */
	if (tcp_peer(c->server_fd) == TCP_PEER_GONE) {
		c->server_gone = true;
		limit_flush(c);
		loop_remove(c->pump->loop, &c->server_watch);
	}
	advance(c);
}

/* Out of descriptors, most likely: said once per spell. */
static void
no_server_side(struct tls_pump *p, const struct err *err)
{
	stats_add(p->opt.stats, STATS_CONNS_REFUSED, 1);
	if (!p->failing)
		log_warn(p->opt.thread_name, "connections are closed: %s", err->message);
	p->failing = true;
}

static bool
open_server_side(struct pump_conn *c)
{
	struct tls_pump *p = c->pump;
	struct err err = {0};
	int pair[2];
	if (tcp_pair(PUMP_SOCKET_BYTES, pair, &err) != ERR_OK) {
		no_server_side(p, &err);
		return false;
	}
	c->server_fd = pair[0];
	c->server_watch = (struct loop_watch){.fd = pair[0], .ready = server_ready, .ctx = c};
	if (loop_add(p->loop, &c->server_watch, LOOP_READ, &err) != ERR_OK) {
		no_server_side(p, &err);
		tcp_close(pair[1]);
		return false;
	}
	p->failing = false;
	loop_timer_clear(p->loop, &c->timer);
	return p->opt.opened(p->opt.ctx, pair[1]);
}

static void
say_plainly(struct pump_conn *c)
{
	struct str answer = tls_conn_plain_answer(c->tls);
	size_t n;
	/* It fits, or the peer does not read. */
	if (answer.len > 0)
		(void)tcp_write(c->client_fd, answer.ptr, answer.len, &n);
}

/* True when it is done. Else the connection may be over: *alive_out. */
static bool
shake_hands(struct pump_conn *c, bool *alive_out)
{
	enum tcp_io io = tls_conn_handshake(c->tls);
	*alive_out = true;
	switch (io) {
	case TCP_OK: break;
	case TCP_WAIT_READ: c->tls_wants = LOOP_READ; return false;
	case TCP_WAIT_WRITE: c->tls_wants = LOOP_WRITE; return false;
	case TCP_END:
	case TCP_FAILED:
		say_plainly(c);
		*alive_out = false;
		end_conn(c, LINGER);
		return false;
	}
	*alive_out = open_server_side(c);
	if (!*alive_out)
		end_conn(c, LET_GO);
	return *alive_out;
}

/* ---- moving */

static void
hold(struct flow *f, const char *bytes, size_t n)
{
	f->off = 0;
	buf_reset(&f->held);
	buf_append(&f->held, bytes, n);
}

static bool
holds(const struct flow *f)
{
	return f->off < f->held.len;
}

/* So much of it was taken. */
static void
taken(struct flow *f, size_t n)
{
	f->off += n;
	if (!holds(f)) {
		buf_fini(&f->held);
		f->off = 0;
	}
}

/* Give the server what it takes of these; keep the rest. */
static void
give_server(struct pump_conn *c, const char *bytes, size_t n)
{
	size_t off = 0;
	while (off < n) {
		size_t m;
		enum tcp_io io = tcp_write(c->server_fd, bytes + off, n - off, &m);
		if (io == TCP_OK) {
			off += m;
			continue;
		}
		c->server_deaf = c->server_deaf || io != TCP_WAIT_WRITE;
		break;
	}
	if (!c->server_deaf && off < n)
		hold(&c->in, bytes + off, n - off);
}

/* What is held; false: not all of it went. */
static bool
give_server_held(struct pump_conn *c)
{
	while (holds(&c->in) && !c->server_deaf) {
		size_t n;
		enum tcp_io io = tcp_write(c->server_fd, c->in.held.ptr + c->in.off,
		    c->in.held.len - c->in.off, &n);
		if (io == TCP_WAIT_WRITE || io == TCP_WAIT_READ)
			return false;
		if (io == TCP_OK)
			taken(&c->in, n);
		else
			c->server_deaf = true;
	}
	if (c->server_deaf)
		taken(&c->in, c->in.held.len);
	return !c->server_deaf;
}

/* Client to server. False: the client is gone. */
static bool
move_in(struct pump_conn *c)
{
	struct tls_pump *p = c->pump;
	for (int i = 0; i < MOVES_PER_TURN; i++) {
		size_t n;
		if (!give_server_held(c) || c->in.ended)
			break;
		enum tcp_io io = tls_conn_read(c->tls, p->part, PUMP_PART_BYTES, &n);
		if (io == TCP_FAILED)
			return false;
		if (io == TCP_WAIT_WRITE)
			c->tls_wants |= LOOP_WRITE;
		if (io == TCP_END)
			c->in.ended = true;
		if (io == TCP_OK)
			give_server(c, p->part, n);
		else if (io != TCP_END)
			return true;
	}
	if (c->in.ended && !holds(&c->in) && !c->in_said) {
		c->in_said = true;
		tcp_shutdown_write(c->server_fd);
	}
	c->again = c->again ||
	    (!c->in.ended && !holds(&c->in) && !c->server_deaf && tls_conn_held(c->tls));
	return true;
}

/* True: all of it went. False: not all; *alive_out says whether the client is still there. */
static bool
give_client(struct pump_conn *c, const char *bytes, size_t len, size_t *n_out, bool *alive_out)
{
	*n_out = 0;
	*alive_out = true;
	while (*n_out < len) {
		size_t n;
		enum tcp_io io = tls_conn_write(c->tls, bytes + *n_out, len - *n_out, &n);
		*n_out += n;
		if (io == TCP_OK)
			continue;
		if (io == TCP_WAIT_READ)
			c->tls_wants |= LOOP_READ;
		*alive_out = io == TCP_WAIT_READ || io == TCP_WAIT_WRITE;
		return false;
	}
	return true;
}

/* Server to client. False: the client is gone. */
static bool
move_out(struct pump_conn *c)
{
	struct tls_pump *p = c->pump;
	for (int i = 0; i < MOVES_PER_TURN; i++) {
		size_t n, gone;
		bool alive;
		if (holds(&c->out)) {
			bool all = give_client(c, c->out.held.ptr + c->out.off,
			    c->out.held.len - c->out.off, &gone, &alive);
			taken(&c->out, gone);
			if (!all)
				return alive;
		}
		if (c->out.ended)
			return true;
		enum tcp_io io = tcp_read(c->server_fd, p->part, PUMP_PART_BYTES, &n);
		if (io == TCP_WAIT_READ || io == TCP_WAIT_WRITE)
			return true;
		/* A server that closes with input unread resets our end: an end, no less. */
		c->out.ended = io != TCP_OK;
		if (c->out.ended)
			limit_flush(c);
		else if (!give_client(c, p->part, n, &gone, &alive)) {
			hold(&c->out, p->part + gone, n - gone);
			return alive;
		}
	}
	c->again = c->again || c->server_gone;
	return true;
}

/* ---- what is next */

static void
want(struct pump_conn *c)
{
	struct loop *l = c->pump->loop;
	bool up = c->server_fd >= 0;
	bool reads = up && !c->in.ended && !holds(&c->in) && !c->server_deaf;
	bool writes = up && (holds(&c->out) || (c->out.ended && !c->out_said));
	loop_want(l, &c->client_watch,
	    c->tls_wants | (reads ? LOOP_READ : 0) | (writes ? LOOP_WRITE : 0));
	if (up && !c->server_gone)
		loop_want(l, &c->server_watch,
		    (!c->out.ended && !holds(&c->out) ? LOOP_READ : 0) |
		        (holds(&c->in) ? LOOP_WRITE : 0));
	if (c->again && !c->task_posted) {
		c->task_posted = true;
		CHECK(loop_post(l, &c->task));
	}
}

/* The server has ended and all of it is written: say so. True when nothing is left to be done. */
static bool
finish(struct pump_conn *c)
{
	if (!c->out.ended || holds(&c->out))
		return false;
	if (!c->out_said)
		c->out_said = tls_conn_end(c->tls) != TCP_WAIT_WRITE;
	if (!c->out_said)
		return false;
	over(c);
	/* A server that only shut its side lingers itself, and hears the client's end. */
	return c->in.ended || c->server_gone || c->server_deaf || c->pump->stopping ||
	    tcp_peer(c->server_fd) == TCP_PEER_GONE;
}

static void
advance(struct pump_conn *c)
{
	bool alive = true;
	c->tls_wants = 0;
	c->again = false;
	if (c->server_fd < 0 && !shake_hands(c, &alive)) {
		if (alive)
			want(c);
		return;
	}
	if (!move_in(c) || !move_out(c))
		end_conn(c, LET_GO);
	else if (finish(c))
		end_conn(c, c->in.ended ? LET_GO : LINGER);
	else
		want(c);
}

/* ---- events */

static void
client_ready(void *conn, unsigned events)
{
	struct pump_conn *c = conn;
	(void)events;
	/* An event that nobody waited for: it hung up. */
	if (c->client_watch.wanted == 0 && tcp_peer(c->client_fd) == TCP_PEER_GONE)
		end_conn(c, LET_GO);
	else
		advance(c);
}

static void
time_out(void *conn, uint64_t now_ns)
{
	struct pump_conn *c = conn;
	(void)now_ns;
	if (!c->out_said)
		stats_add(c->pump->opt.stats, STATS_CONNS_TIMED_OUT, 1);
	end_conn(c, LET_GO);
}

static void
more(void *conn)
{
	struct pump_conn *c = conn;
	c->task_posted = false;
	if (c->dead)
		free(c);
	else
		advance(c);
}

static void
arrive(void *conn)
{
	struct pump_conn *c = conn;
	struct tls_pump *p = c->pump;
	struct err err = {0};
	c->task_posted = false;
	c->task.run = more;
	c->next = p->conns;
	if (c->next)
		c->next->prev = c;
	p->conns = c;
	if (p->stopping || loop_add(p->loop, &c->client_watch, LOOP_READ, &err) != ERR_OK) {
		if (!p->stopping)
			log_warn(p->opt.thread_name, "a connection is refused: %s", err.message);
		end_conn(c, LET_GO);
		return;
	}
	loop_timer_set(p->loop, &c->timer,
	    loop_now_ns(p->loop) + p->opt.handshake_timeout_ms * NS_PER_MS);
	advance(c);
}

void
tls_pump_add(struct tls_pump *p, int fd)
{
	struct pump_conn *c = xcalloc(1, sizeof(*c));
	c->pump = p;
	c->client_fd = fd;
	c->server_fd = -1;
	c->tls = tls_conn_accept(p->opt.tls, p->opt.port, fd);
	c->client_watch = (struct loop_watch){.fd = fd, .ready = client_ready, .ctx = c};
	c->timer = (struct loop_timer){.fire = time_out, .ctx = c, .due_ns = UINT64_MAX};
	c->task = (struct loop_task){.run = arrive, .ctx = c};
	c->task_posted = true;
	CHECK(loop_post(p->loop, &c->task));
}

/* ---- start and stop */

static void
stop_late(void *pump, uint64_t now_ns)
{
	struct tls_pump *p = pump;
	(void)now_ns;
	for (struct pump_conn *c = p->conns, *next; c; c = next) {
		next = c->next;
		end_conn(c, LET_GO);
	}
}

static void
stop_begin(void *pump)
{
	struct tls_pump *p = pump;
	p->stopping = true;
	for (struct pump_conn *c = p->conns, *next; c; c = next) {
		next = c->next;
		if (c->server_fd < 0)
			end_conn(c, LET_GO);
		else
			advance(c);
	}
	loop_timer_set(p->loop, &p->stop_timer, p->stop_deadline_ns);
	maybe_done(p);
}

static void
run(void *pump)
{
	struct tls_pump *p = pump;
	loop_run(p->loop);
}

static void
pump_free(struct tls_pump *p)
{
	CHECK(p->conns == NULL);
	loop_free(p->loop);
	free(p->part);
	free(p);
}

enum err_code
tls_pump_start(const struct tls_pump_options *opt, struct tls_pump **out, struct err *err)
{
	struct tls_pump *p = xcalloc(1, sizeof(*p));
	*out = NULL;
	CHECK(opt->opened != NULL);
	CHECK(opt->closed != NULL);
	p->opt = *opt;
	p->part = xcalloc(1, PUMP_PART_BYTES);
	p->stop_task = (struct loop_task){.run = stop_begin, .ctx = p};
	p->stop_timer = (struct loop_timer){.fire = stop_late, .ctx = p};
	enum err_code code = loop_new(NULL, NULL, &p->loop, err);
	if (code == ERR_OK)
		code = thread_start(&p->thread, opt->thread_name, run, p, err);
	if (code != ERR_OK) {
		pump_free(p);
		return code;
	}
	*out = p;
	return ERR_OK;
}

void
tls_pump_stop(struct tls_pump *p, uint64_t deadline_mono_ns)
{
	if (!p)
		return;
	p->stop_deadline_ns = deadline_mono_ns;
	CHECK(loop_post(p->loop, &p->stop_task));
	thread_join(&p->thread);
	pump_free(p);
}
