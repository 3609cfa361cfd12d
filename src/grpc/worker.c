/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/worker.c - one loop and its connections.
 *
 * Drain. A GOAWAY that names the last stream we have seen makes the client give up the streams it
 * has just opened and which are still on the way. So the first GOAWAY is a notice (last stream
 * 2^31-1: open no more), and the final one follows GRPC_DRAIN_NOTICE_MS later. Sent in one go the
 * two make grpc-js drop its calls in flight. A connection without streams ends with the final one.
 */
#include "grpc/grpc_priv.h"

#include "base/timefmt.h"

#include <stdlib.h>

static void
maybe_done(struct grpc_worker *w)
{
	if (w->draining && !w->conns)
		loop_stop(w->loop);
}

/* End of a turn. Flushing may touch others again (it does not today), hence the loop. */
static void
flush_touched(void *worker)
{
	struct grpc_worker *w = worker;
	while (w->touched) {
		struct grpc_conn *c = w->touched;
		w->touched = c->touched_next;
		c->touched = false;
		grpc_conn_flush(c);
	}
	maybe_done(w);
}

static void
kill_all(struct grpc_worker *w)
{
	for (struct grpc_conn *c = w->conns; c; c = c->next)
		grpc_conn_kill(c);
}

static void
drain_step(void *worker, uint64_t now_ns)
{
	struct grpc_worker *w = worker;
	if (now_ns >= w->stop_deadline_ns) {
		kill_all(w);
		return;
	}
	if (!w->goaway_sent) {
		w->goaway_sent = true;
		for (struct grpc_conn *c = w->conns; c; c = c->next)
			grpc_conn_retire(c);
	}
	loop_timer_set(w->loop, &w->drain_timer, w->stop_deadline_ns);
}

static void
drain_begin(void *worker)
{
	struct grpc_worker *w = worker;
	uint64_t now = loop_now_ns(w->loop);
	uint64_t next = now + GRPC_DRAIN_NOTICE_MS * NS_PER_MS;
	w->draining = true;
	if (w->stop_deadline_ns <= now) {
		kill_all(w);
		return;
	}
	for (struct grpc_conn *c = w->conns; c; c = c->next) {
		if (!c->settings_seen)
			grpc_conn_kill(c);
		else if (c->session && nghttp2_submit_shutdown_notice(c->session) == 0)
			grpc_conn_touch(c);
	}
	loop_timer_set(w->loop, &w->drain_timer,
	    next < w->stop_deadline_ns ? next : w->stop_deadline_ns);
}

enum err_code
grpc_worker_init(struct grpc_worker *w, struct grpc_server *s, struct err *err)
{
	w->server = s;
	w->drain_timer = (struct loop_timer){.fire = drain_step, .ctx = w};
	w->stop_task = (struct loop_task){.run = drain_begin, .ctx = w};
	w->inflate = inflate_new();
	w->read_bytes = xcalloc(1, GRPC_READ_BYTES);
	w->write_bytes = xcalloc(1, GRPC_WRITE_BYTES);
	return loop_new(flush_touched, w, &w->loop, err);
}

void
grpc_worker_fini(struct grpc_worker *w)
{
	CHECK(!w->conns);
	loop_free(w->loop);
	inflate_free(w->inflate);
	free(w->read_bytes);
	free(w->write_bytes);
}

void
grpc_worker_run(void *worker)
{
	struct grpc_worker *w = worker;
	loop_run(w->loop);
}

void
grpc_worker_stop(struct grpc_worker *w, uint64_t deadline_mono_ns)
{
	w->stop_deadline_ns = deadline_mono_ns;
	CHECK(loop_post(w->loop, &w->stop_task));
}
