/* SPDX-License-Identifier: Apache-2.0 */
/* The pump between clients that are OpenSSL's own and a server that is the test. */
#include "tls/pump.h"

#include "tests/test.h"
#include "tls/kit_test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/queue.h"
#include "sys/thread.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

struct pumped {
	struct tls_context *tls;
	struct lingerers *lingerers;
	struct tls_pump *pump;
	struct stats stats;
	struct queue *opened; /* descriptors + 1 */
	_Atomic int closed;
	bool refuse; /* what is opened */
};

static bool
on_opened(void *ctx, int fd)
{
	struct pumped *p = ctx;
	if (p->refuse) {
		tcp_close(fd);
		return false;
	}
	CHECK(queue_push(p->opened, (void *)(uintptr_t)(fd + 1)) == ERR_OK);
	return true;
}

static void
on_closed(void *ctx)
{
	struct pumped *p = ctx;
	atomic_fetch_add(&p->closed, 1);
}

static struct pumped *
start(uint64_t handshake_ms, uint64_t flush_ms)
{
	struct pumped *p = calloc(1, sizeof(*p));
	struct err err = {0};
	assert_non_null(p);
	p->tls = tls_kit_context(NULL);
	p->opened = queue_new(1000);
	assert_int_equal(linger_start("linger", 100, 2000, &p->lingerers, &err), ERR_OK);
	struct tls_pump_options opt = {.thread_name = "pump",
	    .tls = p->tls,
	    .port = TLS_HTTP,
	    .lingerers = p->lingerers,
	    .stats = &p->stats,
	    .handshake_timeout_ms = handshake_ms,
	    .flush_timeout_ms = flush_ms,
	    .opened = on_opened,
	    .closed = on_closed,
	    .ctx = p};
	assert_int_equal(tls_pump_start(&opt, &p->pump, &err), ERR_OK);
	return p;
}

static struct pumped *
start_patient(void)
{
	return start(30000, 30000);
}

static void
stop(struct pumped *p)
{
	tls_pump_stop(p->pump, clock_mono_ns() + TLS_PATIENCE_NS);
	p->pump = NULL;
}

static void
finish(struct pumped *p, int closed)
{
	if (p->pump)
		stop(p);
	assert_int_equal(p->closed, closed);
	linger_stop(p->lingerers);
	tls_context_close(p->tls);
	queue_free(p->opened);
	free(p);
}

static void
wait_closed(struct pumped *p, int n)
{
	uint64_t deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	while (p->closed < n && clock_mono_ns() < deadline)
		clock_sleep_ns(NS_PER_MS);
	assert_int_equal(p->closed, n);
}

/* A client's descriptor of a connection that the pump has. */
static int
dial(struct pumped *p)
{
	/* A third of this is free when a poll says that it is full: that must be less than what the pump holds. */
	const int small = 64 * 1024;
	int fds[2];
	tls_kit_tcp(fds);
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	tls_pump_add(p->pump, fds[1]);
	return fds[0];
}

/* A connection, its handshake done: the client, and the server's descriptor. */
static int
connect_both(struct pumped *p, struct tls_kit_client *c)
{
	assert_true(tls_kit_connect(c, dial(p), NULL));
	void *item = queue_pop(p->opened, clock_mono_ns() + TLS_PATIENCE_NS);
	assert_non_null(item);
	return (int)(uintptr_t)item - 1;
}

static char *
pattern(size_t n)
{
	char *p = malloc(n);
	CHECK(p != NULL);
	uint32_t x = 12345;
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (char)(x >> 24);
	}
	return p;
}

/* The server's side: until all is written. False: it cannot be. */
static bool
put(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t m;
		enum tcp_io io = tcp_write(fd, bytes, n, &m);
		bytes += m;
		n -= m;
		if (io == TCP_WAIT_WRITE)
			CHECK(tcp_wait(fd, true, clock_mono_ns() + TLS_PATIENCE_NS));
		else if (io != TCP_OK)
			return false;
	}
	return true;
}

/* Until n bytes have come, or the end: what came. */
static size_t
take(int fd, char *bytes, size_t n, enum tcp_io *end_out)
{
	size_t got = 0;
	*end_out = TCP_OK;
	while (got < n) {
		size_t m;
		enum tcp_io io = tcp_read(fd, bytes + got, n - got, &m);
		got += m;
		if (io == TCP_WAIT_READ)
			CHECK(tcp_wait(fd, false, clock_mono_ns() + TLS_PATIENCE_NS));
		else if (io != TCP_OK) {
			*end_out = io;
			break;
		}
	}
	return got;
}

/* Until nobody takes any more for a while: how much went. */
static size_t
fill(int fd, const char *bytes, size_t max)
{
	size_t sent = 0, n;
	while (sent < max && tcp_wait(fd, true, clock_mono_ns() + 300 * NS_PER_MS)) {
		enum tcp_io io = tcp_write(fd, bytes + sent, max - sent, &n);
		CHECK(io == TCP_OK || io == TCP_WAIT_WRITE);
		sent += n;
	}
	CHECK(sent < max);
	return sent;
}

static void
expect_end(int fd, enum tcp_io wanted)
{
	char byte;
	enum tcp_io io;
	assert_int_equal(take(fd, &byte, 1, &io), 0);
	assert_int_equal(io, wanted);
}

/* ---- bytes */

enum { LARGE = 20 << 20 };

struct writer {
	int fd;
	struct tls_kit_client *client;
	const char *bytes;
	bool ok;
};

static void
write_as_server(void *ctx)
{
	struct writer *w = ctx;
	w->ok = put(w->fd, w->bytes, LARGE);
	tcp_close(w->fd);
}

static void
write_as_client(void *ctx)
{
	struct writer *w = ctx;
	w->ok = tls_kit_send(w->client, w->bytes, LARGE);
}

TEST(pump, a_large_body_comes_through_whole_either_way_and_its_end_behind_it)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	struct err err;
	struct thread thread = {0};
	char *bytes = pattern(LARGE), *got = malloc(LARGE + 1);
	assert_non_null(got);
	struct writer w = {.client = &c, .bytes = bytes, .fd = connect_both(p, &c)};
	enum tcp_io end;

	assert_int_equal(thread_start(&thread, "writer", write_as_client, &w, &err), ERR_OK);
	assert_int_equal(take(w.fd, got, LARGE, &end), LARGE);
	thread_join(&thread);
	assert_true(w.ok);
	assert_memory_equal(got, bytes, LARGE);

	assert_int_equal(thread_start(&thread, "writer", write_as_server, &w, &err), ERR_OK);
	assert_true(tls_kit_hear(&c, SIZE_MAX)); /* to close_notify */
	thread_join(&thread);
	assert_true(w.ok);
	assert_int_equal(c.in.len, LARGE);
	assert_memory_equal(c.in.ptr, bytes, LARGE);
	tls_kit_close(&c);
	wait_closed(p, 1);
	free(bytes);
	free(got);
	finish(p, 1);
}

TEST(pump, what_nobody_reads_is_bounded_and_comes_later)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	char *bytes = pattern(LARGE);
	int server = connect_both(p, &c);
	size_t n, sent = fill(server, bytes, LARGE);
	assert_true(tls_kit_hear(&c, sent));
	assert_memory_equal(c.in.ptr, bytes, sent);
	assert_true(put(server, "!", 1));
	assert_true(tls_kit_hear(&c, 1));
	assert_int_equal(c.in.ptr[sent], '!');

	/* The other way: the client's socket fills. */
	struct timeval moment = {.tv_usec = 300000};
	(void)setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
	sent = 0;
	SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (sent < LARGE && SSL_write_ex(c.ssl, bytes + sent, LARGE - sent, &n) == 1)
		sent += n;
	assert_true(sent < LARGE);
	char *got = malloc(LARGE);
	assert_non_null(got);
	enum tcp_io end;
	assert_int_equal(take(server, got, sent, &end), sent);
	assert_memory_equal(got, bytes, sent);
	free(got);
	free(bytes);
	tcp_close(server);
	tls_kit_close(&c);
	finish(p, 1);
}

TEST(pump, many_small_pieces_both_ways_at_once)
{
	struct pumped *p = start_patient();
	enum { CONNS = 40, ROUNDS = 50 };
	static struct tls_kit_client c[CONNS];
	int server[CONNS];
	for (int i = 0; i < CONNS; i++)
		server[i] = connect_both(p, &c[i]);
	for (int r = 0; r < ROUNDS; r++)
		for (int i = 0; i < CONNS; i++) {
			char text[40], got[40];
			enum tcp_io end;
			int n = snprintf(text, sizeof(text), "%d of connection %d", r, i);
			assert_true(tls_kit_send(&c[i], text, (size_t)n));
			assert_int_equal(take(server[i], got, (size_t)n, &end), n);
			assert_memory_equal(got, text, (size_t)n);
			assert_true(put(server[i], text, (size_t)n));
			buf_reset(&c[i].in);
			assert_true(tls_kit_hear(&c[i], (size_t)n));
			assert_memory_equal(c[i].in.ptr, text, (size_t)n);
		}
	for (int i = 0; i < CONNS; i++) {
		if (i % 2)
			tcp_close(server[i]);
		tls_kit_close(&c[i]);
		if (i % 2 == 0)
			tcp_close(server[i]);
	}
	wait_closed(p, CONNS);
	finish(p, CONNS);
}

/* ---- ends */

TEST(pump, a_client_that_has_sent_all_still_gets_its_answer)
{
	for (int notify = 0; notify < 2; notify++) {
		struct pumped *p = start_patient();
		struct tls_kit_client c;
		char got[10];
		enum tcp_io end;
		int server = connect_both(p, &c);
		assert_true(tls_kit_send(&c, "question", 8));
		if (notify)
			assert_int_equal(SSL_shutdown(c.ssl), 0);
		else
			tcp_shutdown_write(c.fd);
		assert_int_equal(take(server, got, sizeof(got), &end), 8);
		assert_int_equal(end, TCP_END);
		assert_int_equal(tcp_peer(server), TCP_PEER_DONE);
		assert_true(put(server, "answer", 6));
		tcp_close(server);
		assert_true(tls_kit_hear(&c, SIZE_MAX));
		assert_int_equal(c.in.len, 6);
		tls_kit_close(&c);
		finish(p, 1);
	}
}

TEST(pump, a_server_that_has_sent_all_still_hears_its_client)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	char got[10];
	enum tcp_io end;
	int server = connect_both(p, &c);
	assert_true(put(server, "refused", 7));
	tcp_shutdown_write(server);
	assert_true(tls_kit_hear(&c, SIZE_MAX));
	assert_int_equal(c.in.len, 7);
	assert_true(tls_kit_send(&c, "more", 4));
	assert_int_equal(take(server, got, 4, &end), 4);
	tls_kit_close(&c);
	expect_end(server, TCP_END);
	tcp_close(server);
	finish(p, 1);
}

TEST(pump, last_words_come_through_when_the_client_sends_on_and_the_server_has_closed)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	size_t len = 100000;
	char *bytes = pattern(len);
	int server = connect_both(p, &c);
	assert_true(tls_kit_send(&c, bytes, len)); /* nobody reads it */
	assert_true(put(server, bytes, len));
	tcp_close(server);
	(void)tls_kit_send(&c, bytes, len);
	assert_true(tls_kit_hear(&c, SIZE_MAX));
	assert_int_equal(c.in.len, len);
	assert_memory_equal(c.in.ptr, bytes, len);
	tls_kit_close(&c);
	free(bytes);
	finish(p, 1);
}

static void
reset(struct tls_kit_client *c)
{
	const struct linger at_once = {.l_onoff = 1};
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	tls_kit_close(c);
}

TEST(pump, a_client_that_is_gone_is_gone_for_the_server)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	uint64_t deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	int server = connect_both(p, &c);
	assert_int_equal(tcp_peer(server), TCP_PEER_THERE);
	reset(&c);
	while (tcp_peer(server) != TCP_PEER_GONE)
		assert_true(clock_mono_ns() < deadline);
	wait_closed(p, 1);
	tcp_close(server);

	/* Also while neither side takes anything. */
	char *bytes = pattern(LARGE);
	server = connect_both(p, &c);
	size_t n;
	(void)fill(server, bytes, LARGE);
	SSL_set_mode(c.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	struct timeval moment = {.tv_usec = 200000};
	(void)setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
	while (SSL_write_ex(c.ssl, bytes, LARGE, &n) == 1)
		continue;
	reset(&c);
	while (tcp_peer(server) != TCP_PEER_GONE)
		assert_true(clock_mono_ns() < deadline);
	wait_closed(p, 2);
	tcp_close(server);
	free(bytes);
	finish(p, 2);
}

TEST(pump, nonsense_after_the_handshake_ends_the_connection)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	int server = connect_both(p, &c);
	assert_true(tls_kit_send(&c, "good", 4));
	assert_int_equal(send(c.fd, "this is no record", 17, MSG_NOSIGNAL), 17);
	char got[10];
	enum tcp_io end;
	assert_int_equal(take(server, got, sizeof(got), &end), 4);
	assert_int_equal(end, TCP_END);
	assert_int_equal(tcp_peer(server), TCP_PEER_GONE);
	wait_closed(p, 1);
	tcp_close(server);
	tls_kit_close(&c);
	finish(p, 1);
}

/* A client that does not read, and a server that has closed, cost a moment of CPU and then none. */
TEST(pump, waiting_costs_nothing)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c[2];
	char *bytes = pattern(LARGE);
	for (int i = 0; i < 2; i++) {
		int server = connect_both(p, &c[i]);
		(void)fill(server, bytes, LARGE);
		if (i == 0)
			tcp_close(server);
		else
			tcp_shutdown_write(server);
	}
	/* How long the moment is, is the machine's. */
	uint64_t cpu_ns, took_ns, deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	do {
		cpu_ns = clock_cpu_ns();
		clock_sleep_ns(500 * NS_PER_MS);
		took_ns = clock_cpu_ns() - cpu_ns;
	} while (took_ns >= 100 * NS_PER_MS && clock_mono_ns() < deadline);
	assert_true(took_ns < 100 * NS_PER_MS);
	for (int i = 0; i < 2; i++) {
		assert_true(tls_kit_hear(&c[i], SIZE_MAX));
		tls_kit_close(&c[i]);
	}
	free(bytes);
	finish(p, 2);
}

/* ---- time */

TEST(pump, who_does_not_finish_the_handshake_is_cut)
{
	struct pumped *p = start(100, 30000);
	int silent = dial(p), begun = dial(p);
	size_t n;
	assert_int_equal(tcp_write(begun, "\x16\x03\x01", 3, &n), TCP_OK);
	expect_end(silent, TCP_END);
	char byte;
	enum tcp_io end;
	assert_int_equal(take(begun, &byte, 1, &end), 0);
	wait_closed(p, 2);
	assert_int_equal(stats_get(&p->stats, STATS_CONNS_TIMED_OUT), 2);
	tcp_close(silent);
	tcp_close(begun);
	/* And who does, may take its time then. */
	struct tls_kit_client c;
	int server = connect_both(p, &c);
	clock_sleep_ns(300 * NS_PER_MS);
	assert_true(tls_kit_send(&c, "x", 1));
	assert_int_equal(take(server, &byte, 1, &end), 1);
	tcp_close(server);
	tls_kit_close(&c);
	finish(p, 3);
}

TEST(pump, what_a_client_does_not_take_after_the_end_is_given_up)
{
	struct pumped *p = start(30000, 200);
	struct tls_kit_client c;
	char *bytes = pattern(LARGE);
	int server = connect_both(p, &c);
	(void)fill(server, bytes, LARGE);
	tcp_close(server);
	wait_closed(p, 1);
	assert_int_equal(stats_get(&p->stats, STATS_CONNS_TIMED_OUT), 1);
	/* The client sees that it was cut. */
	assert_false(tls_kit_hear(&c, SIZE_MAX));
	tls_kit_close(&c);
	free(bytes);
	finish(p, 1);
}

/* ---- others */

TEST(pump, who_speaks_no_tls_is_told_so_and_the_server_hears_nothing)
{
	struct pumped *p = start_patient();
	char got[400];
	enum tcp_io end;
	size_t n;
	int fd = dial(p);
	struct str request =
	    STR("POST /v1/traces HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
	assert_int_equal(tcp_write(fd, request.ptr, request.len, &n), TCP_OK);
	n = take(fd, got, sizeof(got), &end);
	assert_int_equal(end, TCP_END);
	assert_true(str_starts(str_of(got, n), STR("HTTP/1.1 400 Bad Request\r\n")));
	tcp_close(fd);
	fd = dial(p);
	assert_int_equal(tcp_write(fd, "\0\1\2", 3, &n), TCP_OK);
	expect_end(fd, TCP_END);
	tcp_close(fd);
	wait_closed(p, 2);
	assert_null(queue_pop(p->opened, 0));
	finish(p, 2);
}

TEST(pump, a_server_that_wants_none_is_obeyed)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	p->refuse = true;
	if (tls_kit_connect(&c, dial(p), NULL))
		assert_false(tls_kit_hear(&c, SIZE_MAX) && c.in.len > 0);
	tls_kit_close(&c);
	finish(p, 1);
}

TEST(pump, without_descriptors_connections_are_closed_and_counted_and_then_taken_again)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int fd = dial(p);
	/* The client's CA is read before; what comes later finds no descriptor. */
	struct tls_kit_wish wish = {.descriptors_max = fd};
	if (tls_kit_connect(&c, fd, &wish))
		assert_false(tls_kit_hear(&c, 1));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	tls_kit_close(&c);
	wait_closed(p, 1);
	assert_int_equal(stats_get(&p->stats, STATS_CONNS_REFUSED), 1);
	tcp_close(connect_both(p, &c));
	tls_kit_close(&c);
	finish(p, 2);
}

/* ---- stop */

struct hearing {
	struct tls_kit_client *client;
	bool ok;
};

static void
hear_all(void *ctx)
{
	struct hearing *h = ctx;
	clock_sleep_ns(100 * NS_PER_MS);
	h->ok = tls_kit_hear(h->client, SIZE_MAX);
}

TEST(pump, a_stop_delivers_what_the_server_left_and_cuts_handshakes)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c;
	struct err err;
	struct thread thread = {0};
	char *bytes = pattern(LARGE);
	int silent = dial(p), server = connect_both(p, &c);
	size_t len = fill(server, bytes, LARGE);
	tcp_close(server);
	struct hearing h = {.client = &c};
	assert_int_equal(thread_start(&thread, "hear", hear_all, &h, &err), ERR_OK);
	stop(p);
	thread_join(&thread);
	assert_true(h.ok);
	assert_int_equal(c.in.len, len);
	assert_memory_equal(c.in.ptr, bytes, len);
	expect_end(silent, TCP_END);
	tcp_close(silent);
	tls_kit_close(&c);
	free(bytes);
	finish(p, 2);
}

TEST(pump, a_stop_ends_at_its_deadline_whatever_clients_and_servers_do)
{
	struct pumped *p = start_patient();
	struct tls_kit_client c[2];
	char *bytes = pattern(LARGE);
	int server[2];
	for (int i = 0; i < 2; i++)
		server[i] = connect_both(p, &c[i]);
	(void)fill(server[0], bytes, LARGE);
	tcp_close(server[0]); /* its client does not read; the other server does not close */
	uint64_t begin = clock_mono_ns();
	tls_pump_stop(p->pump, begin + 100 * NS_PER_MS);
	p->pump = NULL;
	assert_true(clock_mono_ns() - begin >= 100 * NS_PER_MS);
	assert_int_equal(tcp_peer(server[1]), TCP_PEER_GONE);
	tcp_close(server[1]);
	for (int i = 0; i < 2; i++)
		tls_kit_close(&c[i]);
	free(bytes);
	finish(p, 2);
}

struct churn {
	struct pumped *p;
	unsigned seed;
	_Atomic bool *over;
};

/* Connections that end in every way there is. */
static void
churn_main(void *ctx)
{
	struct churn *ch = ctx;
	char *bytes = pattern(300000);
	for (int i = 0; i < 30; i++) {
		struct tls_kit_client c;
		int fds[2];
		tls_kit_tcp(fds);
		tls_pump_add(ch->p->pump, fds[1]);
		unsigned how = ch->seed = ch->seed * 1664525 + 1013904223;
		how >>= 16;
		if (how % 8 == 0) {
			tcp_close(fds[0]);
			continue;
		}
		if (tls_kit_connect(&c, fds[0], NULL)) {
			(void)tls_kit_send(&c, bytes, how % 5 ? how * 7 % 300000 : 10);
			if (how % 3)
				(void)SSL_shutdown(c.ssl);
			if (how % 2)
				(void)tls_kit_hear(&c, SIZE_MAX);
		}
		if (how % 7 == 0)
			reset(&c);
		else
			tls_kit_close(&c);
	}
	free(bytes);
}

static void
serve_main(void *ctx)
{
	struct churn *ch = ctx;
	char *bytes = malloc(300000);
	CHECK(bytes != NULL);
	for (unsigned i = 0; !atomic_load(ch->over); i++) {
		void *item = queue_pop(ch->p->opened, clock_mono_ns() + 20 * NS_PER_MS);
		enum tcp_io end;
		if (!item)
			continue;
		int fd = (int)(uintptr_t)item - 1;
		size_t n = i % 4 ? take(fd, bytes, 10, &end) : 0;
		if (i % 3)
			(void)put(fd, bytes, n);
		if (i % 5 == 0)
			tcp_shutdown_write(fd);
		tcp_close(fd);
	}
	free(bytes);
}

TEST(pump, connections_that_end_in_every_way_leave_nothing_behind)
{
	struct pumped *p = start(30000, 500);
	struct thread clients[3] = {0}, server = {0};
	_Atomic bool over = false;
	struct err err;
	struct churn ch[4];
	for (unsigned i = 0; i < 4; i++)
		ch[i] = (struct churn){.p = p, .seed = i + 1, .over = &over};
	assert_int_equal(thread_start(&server, "server", serve_main, &ch[3], &err), ERR_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(thread_start(&clients[i], "client", churn_main, &ch[i], &err),
		    ERR_OK);
	for (int i = 0; i < 3; i++)
		thread_join(&clients[i]);
	wait_closed(p, 90);
	atomic_store(&over, true);
	thread_join(&server);
	finish(p, 90);
}
