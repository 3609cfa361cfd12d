/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/grpc_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LOOPS_AUTO_MAX = 4,
	LOOPS_MAX = 64,
	ACCEPTS_PER_TURN = 64,
	ACCEPT_RETRY_MS = 100,
};

/* ---- the budget */

bool
grpc_server_charge(struct grpc_server *s, size_t n)
{
	if (!budget_take(s->budget, n))
		return false;
	stats_add(s->opt.stats, STATS_INFLIGHT_BYTES, (int64_t)n);
	return true;
}

void
grpc_server_discharge(struct grpc_server *s, size_t n)
{
	budget_give(s->budget, n);
	stats_add(s->opt.stats, STATS_INFLIGHT_BYTES, -(int64_t)n);
}

/* ---- acceptor */

/* SETTINGS without entries, then GOAWAY: last stream 0, ENHANCE_YOUR_CALM, a word of why. A client
 * reads it before it sends a call, so it knows that nothing was begun. */
static const unsigned char too_many[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, /* SETTINGS */
    0, 0, 28, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, /* GOAWAY */
    't', 'o', 'o', ' ', 'm', 'a', 'n', 'y', ' ', 'c', 'o', 'n', 'n', 'e', 'c', 't', 'i', 'o', 'n',
    's'};

static void
refuse(struct grpc_server *s, int fd)
{
	size_t n;
	if (!s->opt.tls) { /* under TLS a word would cost a handshake */
		(void)tcp_write(fd, too_many, sizeof(too_many), &n);
		tcp_shutdown_write(fd);
	}
	tcp_close(fd);
	stats_add(s->opt.stats, STATS_CONNS_REFUSED, 1);
}

static struct grpc_worker *
least_loaded(struct grpc_server *s)
{
	struct grpc_worker *best = &s->workers[0];
	uint64_t least = UINT64_MAX;
	for (unsigned i = 0; i < s->worker_count; i++) {
		uint64_t load = atomic_load_explicit(&s->workers[i].load, memory_order_relaxed);
		if (load < least) {
			least = load;
			best = &s->workers[i];
		}
	}
	return best;
}

static void
take_in(struct grpc_server *s, int fd)
{
	if (atomic_load_explicit(&s->conn_count, memory_order_relaxed) >=
	    s->limits.connections_max) {
		refuse(s, fd);
		return;
	}
	atomic_fetch_add_explicit(&s->conn_count, 1, memory_order_relaxed);
	stats_add(s->opt.stats, STATS_CONNS_GRPC, 1);
	grpc_conn_start(least_loaded(s), fd);
}

static void
accept_ready(void *server, unsigned events)
{
	struct grpc_server *s = server;
	struct err err = {0};
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd;
		if (tcp_accept(s->listen_fd, &fd, &err) != ERR_OK) {
			/* Out of descriptors, most likely. It would be ready again at once, so wait. */
			if (!s->accept_failing)
				log_warn("grpc", "%s; trying again", err.message);
			s->accept_failing = true;
			loop_want(s->accept_loop, &s->accept_watch, 0);
			loop_timer_set(s->accept_loop, &s->accept_retry,
			    loop_now_ns(s->accept_loop) + ACCEPT_RETRY_MS * NS_PER_MS);
			return;
		}
		s->accept_failing = false;
		if (fd < 0)
			return;
		take_in(s, fd);
	}
}

static void
accept_again(void *server, uint64_t now_ns)
{
	struct grpc_server *s = server;
	(void)now_ns;
	loop_want(s->accept_loop, &s->accept_watch, LOOP_READ);
}

static void
accept_stop(void *server)
{
	struct grpc_server *s = server;
	loop_remove(s->accept_loop, &s->accept_watch);
	loop_timer_clear(s->accept_loop, &s->accept_retry);
	tcp_close(s->listen_fd);
	s->listen_fd = -1;
	loop_stop(s->accept_loop);
}

static void
accept_run(void *server)
{
	struct grpc_server *s = server;
	loop_run(s->accept_loop);
}

/* ---- start */

static void
copy_paths(struct grpc_server *s, const char *const *paths)
{
	while (paths[s->path_count])
		s->path_count++;
	s->paths = xcalloc(s->path_count + 1, sizeof(*s->paths));
	for (size_t i = 0; i < s->path_count; i++)
		s->paths[i] = str_from(paths[i]);
}

static enum err_code
prepare(struct grpc_server *s, struct err *err)
{
	enum err_code code = tcp_listen(s->opt.address, &s->listen_fd, err);
	if (code)
		return code;
	s->port = tcp_port(s->listen_fd);
	code = loop_new(NULL, NULL, &s->accept_loop, err);
	if (code)
		return code;
	for (unsigned i = 0; i < s->worker_count; i++) {
		code = grpc_worker_init(&s->workers[i], s, err);
		if (code)
			return code;
	}
	s->accept_watch = (struct loop_watch){.fd = s->listen_fd, .ready = accept_ready, .ctx = s};
	s->accept_retry = (struct loop_timer){.fire = accept_again, .ctx = s};
	s->accept_stop = (struct loop_task){.run = accept_stop, .ctx = s};
	return loop_add(s->accept_loop, &s->accept_watch, LOOP_READ, err);
}

static enum err_code
start_threads(struct grpc_server *s, struct err *err)
{
	char name[16];
	for (unsigned i = 0; i < s->worker_count; i++) {
		snprintf(name, sizeof(name), "grpc-%u", i);
		enum err_code code =
		    thread_start(&s->workers[i].thread, name, grpc_worker_run, &s->workers[i], err);
		if (code)
			return code;
	}
	return thread_start(&s->accept_thread, "grpc-accept", accept_run, s, err);
}

enum err_code
grpc_server_start(const struct grpc_server_options *opt, struct grpc_server **out, struct err *err)
{
	struct grpc_server *s = xcalloc(1, sizeof(*s));
	*out = NULL;
	CHECK(opt->handle);
	CHECK(opt->loop_count <= LOOPS_MAX);
	s->opt = *opt;
	s->limits = *opt->limits;
	budget_init(&s->own_budget, s->limits.inflight_bytes_max);
	s->budget = opt->budget ? opt->budget : &s->own_budget;
	s->listen_fd = -1;
	atomic_store(&s->refs, 1);
	copy_paths(s, opt->paths);
	unsigned cpus = thread_cpu_count();
	s->worker_count = opt->loop_count ? opt->loop_count
	    : cpus < LOOPS_AUTO_MAX       ? cpus
	                                  : LOOPS_AUTO_MAX;
	s->workers = xcalloc(s->worker_count, sizeof(*s->workers));
	s->callbacks = grpc_session_callbacks();
	s->session_options = grpc_session_options();
	enum err_code code = prepare(s, err);
	if (code == ERR_OK)
		code = start_threads(s, err);
	if (code) {
		grpc_server_free(s);
		return code;
	}
	*out = s;
	return ERR_OK;
}

uint16_t
grpc_server_port(const struct grpc_server *s)
{
	return s->port;
}

/* ---- stop */

void
grpc_server_stop(struct grpc_server *s, uint64_t deadline_mono_ns)
{
	if (s->stopped)
		return;
	s->stopped = true;
	if (s->accept_thread.started)
		CHECK(loop_post(s->accept_loop, &s->accept_stop));
	thread_join(&s->accept_thread);
	for (unsigned i = 0; i < s->worker_count; i++)
		if (s->workers[i].thread.started)
			grpc_worker_stop(&s->workers[i], deadline_mono_ns);
	for (unsigned i = 0; i < s->worker_count; i++)
		thread_join(&s->workers[i].thread);
}

void
grpc_server_ref(struct grpc_server *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void
grpc_server_unref(struct grpc_server *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	CHECK(budget_used(&s->own_budget) == 0);
	CHECK(atomic_load(&s->conn_count) == 0);
	for (unsigned i = 0; i < s->worker_count; i++)
		grpc_worker_fini(&s->workers[i]);
	loop_free(s->accept_loop);
	tcp_close(s->listen_fd);
	nghttp2_session_callbacks_del(s->callbacks);
	nghttp2_option_del(s->session_options);
	free(s->workers);
	free(s->paths);
	free(s);
}

void
grpc_server_free(struct grpc_server *s)
{
	if (!s)
		return;
	grpc_server_stop(s, clock_mono_ns());
	grpc_server_unref(s);
}
