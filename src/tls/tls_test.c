/* SPDX-License-Identifier: Apache-2.0 */
/* Files and contexts, and one connection at a time. */
#include "tls/kit_test.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files */

static void
refused(const char *cert, const char *key, const char *client_ca, const char *text)
{
	struct tls_context *t;
	struct err err = {0};
	struct tls_files files = tls_kit_files(cert, key);
	char ca[100];
	if (client_ca) {
		snprintf(ca, sizeof(ca), TLS_GOLDEN "%s", client_ca);
		files.client_ca = str_from(ca);
	}
	enum err_code code = tls_context_open(&files, &t, &err);
	if (code == ERR_OK || !strstr(err.message, text))
		fail_msg("wanted \"%s\", got: %s", text, code ? err.message : "no error");
	assert_null(t);
}

TEST(tls, files_that_will_not_do_are_refused_with_a_sentence)
{
	refused("nowhere.pem", "server.key", NULL,
	    "the certificate: cannot open " TLS_GOLDEN "nowhere.pem: No such file or directory");
	refused("server.pem", "nowhere.key", NULL, "the key: cannot open " TLS_GOLDEN);
	refused("", "server.key", NULL, "the certificate: ");
	refused("server.key", "server.key", NULL,
	    "there is no certificate in " TLS_GOLDEN "server.key: it must be PEM");
	refused("server.pem", "server.pem", NULL, "there is no private key in");
	refused("server.pem", "second.key", NULL,
	    "the key does not belong to the certificate: " TLS_GOLDEN "second.key, " TLS_GOLDEN);
	refused("server.pem", "locked.key", NULL, "has a passphrase: only one without can be used");
	refused("weak.pem", "weak.key", NULL, "cannot be used: ee key too small");
	refused("server.pem", "server.key", "nowhere.pem",
	    "the client CA: cannot open " TLS_GOLDEN "nowhere.pem");
	refused("server.pem", "server.key", "client.key", "there is no certificate in");
}

static const char *
write_file(const char *folder, const char *name, struct str text)
{
	static char path[FILE_PATH_BYTES];
	struct err err;
	struct str dir = str_from(folder);
	assert_int_equal(file_write_whole(dir, str_from(name), &text, 1, &err), ERR_OK);
	assert_int_equal(file_join(dir, str_from(name), path, &err), ERR_OK);
	return path;
}

TEST(tls, a_file_cut_at_any_byte_is_refused_or_whole)
{
	size_t len;
	const char *pem = test_golden_read("tls/chain.pem", &len), *dir = test_tmp_dir();
	for (size_t n = 0; n < len; n += 17) {
		struct tls_context *t;
		struct err err = {0};
		struct tls_files files = tls_kit_files("chain.pem", "chain.key");
		files.cert = str_from(write_file(dir, "cut.pem", str_of(pem, n)));
		if (tls_context_open(&files, &t, &err) == ERR_OK)
			tls_context_close(t);
		else
			assert_true(strstr(err.message, "certificate") != NULL);
	}
}

TEST(tls, a_file_that_is_too_large_is_refused)
{
	struct tls_context *t;
	struct err err = {0};
	struct tls_files files = tls_kit_files("server.pem", "server.key");
	struct buf large = {0};
	char *p = buf_reserve(&large, TLS_FILE_BYTES_MAX + 1);
	memset(p, 'x', TLS_FILE_BYTES_MAX + 1);
	large.len = TLS_FILE_BYTES_MAX + 1;
	files.cert = str_from(write_file(test_tmp_dir(), "large.pem", buf_view(&large)));
	assert_int_equal(tls_context_open(&files, &t, &err), ERR_TOO_LARGE);
	buf_fini(&large);
}

/* ---- certificates */

static struct tls_certificate
certificate_of(const char *cert, const char *key)
{
	struct tls_context *t;
	struct err err = {0};
	struct tls_files files = tls_kit_files(cert, key);
	struct tls_certificate c;
	if (tls_context_open(&files, &t, &err) != ERR_OK)
		fail_msg("%s", err.message);
	tls_context_certificate(t, &c);
	tls_context_close(t);
	return c;
}

TEST(tls, a_certificate_says_whose_it_is_and_until_when)
{
	struct tls_certificate c = certificate_of("server.pem", "server.key");
	assert_string_equal(c.subject, "CN=weir test server");
	assert_string_equal(c.issuer, "CN=weir test ca");
	assert_int_equal(c.not_before_s, 1577836800); /* 2020-01-01 */
	assert_int_equal(c.not_after_s, 4070908800); /* 2099-01-01 */
}

TEST(tls, a_certificate_out_of_its_time_is_taken_and_said)
{
	struct err text = {0};
	struct tls_certificate c = certificate_of("expired.pem", "expired.key");
	uint64_t now_ns = clock_unix_ns();
	assert_true(tls_certificate_trouble(&c, now_ns, &text));
	assert_non_null(strstr(text.message, "CN=weir test expired has expired"));
	c = certificate_of("early.pem", "early.key");
	assert_true(tls_certificate_trouble(&c, now_ns, &text));
	assert_non_null(strstr(text.message, "is not valid yet"));
	c = certificate_of("server.pem", "server.key");
	assert_false(tls_certificate_trouble(&c, now_ns, &text));
	uint64_t end_ns = (uint64_t)c.not_after_s * NS_PER_S;
	assert_false(tls_certificate_trouble(&c, end_ns - 14 * NS_PER_DAY - NS_PER_S, &text));
	assert_true(tls_certificate_trouble(&c, end_ns - 14 * NS_PER_DAY, &text));
	assert_non_null(strstr(text.message, "expires in 14 days"));
	assert_true(tls_certificate_trouble(&c, end_ns, &text));
}

/* ---- connections: weir's side on a thread of its own */

struct server {
	struct tls_context *tls;
	enum tls_port port;
	int fd;
	struct thread thread;
	struct tls_conn *conn;
	enum tcp_io end; /* what ended it */
	enum tls_failure failure;
	char why[200];
	bool deaf; /* do not read after the handshake, but wait for the peer's end */
};

static enum tcp_io
wait_for(struct server *s, enum tcp_io io)
{
	uint64_t deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	if (io == TCP_WAIT_READ || io == TCP_WAIT_WRITE)
		CHECK(tcp_wait(s->fd, io == TCP_WAIT_WRITE, deadline));
	return io;
}

static bool
waits(enum tcp_io io)
{
	return io == TCP_WAIT_READ || io == TCP_WAIT_WRITE;
}

/* Sends back what comes, to its end. */
static void
echo(void *ctx)
{
	struct server *s = ctx;
	char part[50000];
	enum tcp_io io;
	do {
		size_t n, off = 0, m;
		io = tls_conn_read(s->conn, part, sizeof(part), &n);
		CHECK(io != TCP_OK || n > 0);
		while (io == TCP_OK && off < n) {
			enum tcp_io out = tls_conn_write(s->conn, part + off, n - off, &m);
			off += m;
			if (out != TCP_OK && !waits(wait_for(s, out))) {
				io = out;
				break;
			}
		}
		if (waits(io))
			wait_for(s, io);
	} while (io == TCP_OK || waits(io));
	s->end = io;
	s->failure = tls_conn_failure(s->conn);
	snprintf(s->why, sizeof(s->why), "%s", tls_conn_failure_text(s->conn));
	while (waits(tls_conn_end(s->conn)))
		wait_for(s, TCP_WAIT_WRITE);
	/* An alert shall arrive. */
	char rest[1000];
	size_t n;
	uint64_t deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	do {
		io = tcp_read(s->fd, rest, sizeof(rest), &n);
	} while (io == TCP_OK || (io == TCP_WAIT_READ && tcp_wait(s->fd, false, deadline)));
	tls_conn_close(s->conn);
}

static int
serve(struct server *s, struct tls_context *tls, enum tls_port port)
{
	int fds[2];
	struct err err;
	tls_kit_tcp(fds);
	*s = (struct server){.tls = tls, .port = port, .fd = fds[1]};
	s->conn = tls_conn_accept(tls, port, fds[1]);
	assert_int_equal(thread_start(&s->thread, "echo", echo, s, &err), ERR_OK);
	return fds[0];
}

static char *
pattern(size_t n)
{
	char *p = malloc(n);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + (i >> 8) + (i >> 16));
	return p;
}

TEST(tls, bytes_come_through_both_ways_and_the_end_behind_them)
{
	struct tls_context *t = tls_kit_context(NULL);
	for (int version = 0; version < 2; version++) {
		struct server s;
		struct tls_kit_client c;
		struct tls_kit_wish wish = {
		    .alpn = "http/1.1", .version_max = version ? TLS1_2_VERSION : 0};
		size_t n =
		    200000; /* less than what the sockets hold: one thread sends, then hears */
		char *bytes = pattern(n);
		assert_true(tls_kit_connect(&c, serve(&s, t, TLS_HTTP), &wish));
		assert_string_equal(SSL_get_version(c.ssl), version ? "TLSv1.2" : "TLSv1.3");
		for (int i = 0; i < 20; i++) {
			assert_true(tls_kit_send(&c, bytes, n));
			assert_true(tls_kit_hear(&c, n));
			assert_int_equal(c.in.len, n);
			assert_memory_equal(c.in.ptr, bytes, n);
			buf_reset(&c.in);
		}
		assert_true(tls_kit_send(&c, "last", 4));
		assert_int_equal(SSL_shutdown(c.ssl), 0); /* a half close */
		assert_true(tls_kit_hear(&c, SIZE_MAX));
		assert_int_equal(c.in.len, 4);
		tcp_shutdown_write(c.fd);
		thread_join(&s.thread);
		assert_int_equal(s.end, TCP_END);
		tls_kit_close(&c);
		free(bytes);
	}
	tls_context_close(t);
}

TEST(tls, an_end_without_close_notify_is_an_end)
{
	struct tls_context *t = tls_kit_context(NULL);
	struct server s;
	struct tls_kit_client c;
	assert_true(tls_kit_connect(&c, serve(&s, t, TLS_HTTP), NULL));
	assert_true(tls_kit_send(&c, "x", 1));
	tcp_shutdown_write(c.fd);
	assert_true(tls_kit_hear(&c, SIZE_MAX));
	assert_int_equal(c.in.len, 1);
	thread_join(&s.thread);
	assert_int_equal(s.end, TCP_END);
	tls_kit_close(&c);
	tls_context_close(t);
}

static void
shake_main(void *ctx)
{
	struct server *s = ctx;
	enum tcp_io io;
	while (waits(io = tls_conn_handshake(s->conn)))
		wait_for(s, io);
	CHECK(io == TCP_OK);
}

/* Both sides on this thread, with the handshake done. */
static struct tls_conn *
shake(struct tls_context *t, struct tls_conn **client_out)
{
	struct err err;
	struct server s;
	int fds[2];
	tls_kit_tcp(fds);
	s = (struct server){.tls = t, .fd = fds[1], .conn = tls_conn_accept(t, TLS_GRPC, fds[1])};
	struct thread thread = {0};
	assert_int_equal(thread_start(&thread, "shake", shake_main, &s, &err), ERR_OK);
	struct tls_client_options opt = {
	    .address = STR("localhost:1"), .files = {.ca = STR(TLS_GOLDEN "ca.pem")}, .alpn = "h2"};
	assert_int_equal(tls_conn_connect(&opt, fds[0], clock_mono_ns() + TLS_PATIENCE_NS,
	                     client_out, &err),
	    ERR_OK);
	thread_join(&thread);
	return s.conn;
}

TEST(tls, what_is_held_inside_is_told)
{
	struct tls_context *t = tls_kit_context(NULL);
	struct tls_conn *client, *c = shake(t, &client);
	char bytes[100];
	size_t n;
	enum tcp_io io;
	assert_int_equal(tls_conn_write(client, "0123456789", 10, &n), TCP_OK);
	while ((io = tls_conn_read(c, bytes, 4, &n)) == TCP_WAIT_READ)
		continue;
	assert_int_equal(io, TCP_OK);
	assert_int_equal(n, 4);
	assert_true(tls_conn_held(c));
	assert_int_equal(tls_conn_read(c, bytes, sizeof(bytes), &n), TCP_OK);
	assert_int_equal(n, 6);
	assert_false(tls_conn_held(c));
	/* Bytes and the end behind them: of the end, which was read with them, no poll would tell. */
	assert_int_equal(tls_conn_write(client, "last", 4, &n), TCP_OK);
	assert_int_equal(tls_conn_end(client), TCP_OK);
	while ((io = tls_conn_read(c, bytes, sizeof(bytes), &n)) == TCP_OK)
		assert_true(n == 4 && tls_conn_held(c));
	assert_int_equal(io, TCP_END);
	tls_conn_close(client);
	tls_conn_close(c);
	tls_context_close(t);
}

/* ---- who is refused, and what it counts as */

static int64_t
failures(struct tls_context *t, const char *listener, const char *reason)
{
	struct buf text = {0};
	char line[120];
	tls_context_metrics(t, &text);
	buf_char(&text, '\0');
	snprintf(line, sizeof(line),
	    "weir_tls_handshake_failures_total{listener=\"%s\",reason=\"%s\"} ", listener, reason);
	const char *at = strstr(text.ptr, line);
	assert_non_null(at);
	int64_t n = strtoll(at + strlen(line), NULL, 10);
	buf_fini(&text);
	return n;
}

static void
turned_away(struct tls_context *t, const struct tls_kit_wish *wish, enum tls_failure failure,
    const char *why)
{
	struct server s;
	struct tls_kit_client c;
	bool shook = tls_kit_connect(&c, serve(&s, t, TLS_API), wish);
	/* Of TLS 1.3 the client learns of it when it reads. */
	if (shook)
		assert_false(tls_kit_hear(&c, 1));
	tcp_shutdown_write(c.fd);
	thread_join(&s.thread);
	tls_kit_close(&c);
	assert_int_equal(s.end, TCP_FAILED);
	if (s.failure != failure || !strstr(s.why, why))
		fail_msg("failure %d: %s", (int)s.failure, s.why);
}

TEST(tls, mutual_tls_takes_clients_of_its_ca_and_nobody_else)
{
	struct tls_context *t = tls_kit_context("ca.pem");
	struct server s;
	struct tls_kit_client c;
	assert_true(tls_context_wants_client(t));
	for (int version = 0; version < 2; version++) {
		struct tls_kit_wish wish = {.version_max = version ? TLS1_2_VERSION : 0};
		turned_away(t, &wish, TLS_CLIENT_CERTIFICATE,
		    "the client has shown no certificate");
		wish.cert = "stranger";
		turned_away(t, &wish, TLS_CLIENT_CERTIFICATE, "the client's certificate: ");
		wish.cert = "expired";
		turned_away(t, &wish, TLS_CLIENT_CERTIFICATE, "certificate has expired");
		wish.cert = "server"; /* for servers only */
		turned_away(t, &wish, TLS_CLIENT_CERTIFICATE, "certificate purpose");
		wish.cert = "client";
		assert_true(tls_kit_connect(&c, serve(&s, t, TLS_API), &wish));
		assert_true(tls_kit_send(&c, "x", 1));
		assert_true(tls_kit_hear(&c, 1));
		/* Nothing to come back with: the certificate is looked at each time. */
		assert_false(SSL_SESSION_has_ticket(SSL_get_session(c.ssl)));
		tcp_shutdown_write(c.fd);
		thread_join(&s.thread);
		tls_kit_close(&c);
	}
	assert_int_equal(failures(t, "api", "client_certificate"), 8);
	assert_int_equal(failures(t, "http", "client_certificate"), 0);
	tls_context_close(t);
}

TEST(tls, old_versions_and_other_protocols_are_refused)
{
	struct tls_context *t = tls_kit_context(NULL);
	turned_away(t, &(struct tls_kit_wish){.version_max = TLS1_1_VERSION}, TLS_PROTOCOL,
	    "unsupported protocol");
	turned_away(t, &(struct tls_kit_wish){.alpn = "h2"}, TLS_PROTOCOL,
	    "no application protocol");
	assert_int_equal(failures(t, "api", "protocol"), 2);
	tls_context_close(t);
}

TEST(tls, a_client_that_does_not_take_our_certificate_is_counted_so)
{
	struct tls_context *t;
	struct err err = {0};
	struct tls_files files = tls_kit_files("expired.pem", "expired.key");
	assert_int_equal(tls_context_open(&files, &t, &err), ERR_OK);
	turned_away(t, NULL, TLS_SERVER_CERTIFICATE, "the client does not take our certificate");
	assert_int_equal(failures(t, "api", "server_certificate"), 1);
	tls_context_close(t);
}

/* Bytes of a client that is none; what it is told. */
static struct str
nonsense(struct tls_context *t, struct str bytes, enum tls_failure failure)
{
	static char heard[200];
	int fds[2];
	size_t n;
	tls_kit_tcp(fds);
	struct tls_conn *c = tls_conn_accept(t, TLS_GRPC, fds[1]);
	assert_int_equal(tcp_write(fds[0], bytes.ptr, bytes.len, &n), TCP_OK);
	tcp_shutdown_write(fds[0]);
	enum tcp_io io;
	while ((io = tls_conn_handshake(c)) == TCP_WAIT_READ)
		assert_true(tcp_wait(fds[1], false, clock_mono_ns() + TLS_PATIENCE_NS));
	assert_int_equal(io, TCP_FAILED);
	assert_int_equal(tls_conn_failure(c), failure);
	assert_int_equal(tls_conn_handshake(c), TCP_FAILED);
	assert_int_equal(tls_conn_read(c, heard, 1, &n), TCP_FAILED);
	assert_int_equal(tls_conn_write(c, "x", 1, &n), TCP_FAILED);
	struct str answer = tls_conn_plain_answer(c);
	CHECK(answer.len <= sizeof(heard));
	if (answer.len > 0)
		memcpy(heard, answer.ptr, answer.len);
	size_t len = answer.len;
	tls_conn_close(c);
	tcp_close(fds[0]);
	return str_of(heard, len);
}

TEST(tls, who_speaks_no_tls_is_told_so_in_its_own_language)
{
	struct tls_context *t = tls_kit_context(NULL);
	struct str said = nonsense(t, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), TLS_NOT_TLS);
	struct str text = STR("this port speaks TLS (https)\n");
	assert_true(str_starts(said, STR("HTTP/1.1 400 ")));
	assert_memory_equal(said.ptr + said.len - text.len, text.ptr, text.len);
	said = nonsense(t, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), TLS_NOT_TLS);
	assert_int_equal(said.len, 9 + 9 + 8 + 28);
	assert_int_equal(said.ptr[9 + 2], 8 + 28);
	assert_int_equal(said.ptr[9 + 3], 7); /* GOAWAY */
	assert_int_equal(said.ptr[9 + 9 + 7], 12); /* INADEQUATE_SECURITY */
	assert_int_equal(nonsense(t, STR("\x01\x02"), TLS_NOT_TLS).len, 0);
	assert_int_equal(nonsense(t, STR("\x16garbage that is no record at all"), TLS_PROTOCOL).len,
	    0);
	assert_int_equal(nonsense(t, STR("\x16\x03\x01"), TLS_UNFINISHED).len, 0);
	assert_int_equal(failures(t, "grpc", "not_tls"), 3);
	assert_int_equal(failures(t, "grpc", "protocol"), 1);
	assert_int_equal(failures(t, "grpc", "unfinished"), 1);
	tls_context_close(t);
}

TEST(tls, a_hello_with_any_byte_wrong_ends_in_a_refusal_and_nothing_else)
{
	struct tls_context *t = tls_kit_context(NULL);
	/* What a client would say, taken from one. */
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	char hello[2000];
	SSL_set_bio(ssl, in, out);
	assert_int_equal(SSL_connect(ssl), -1);
	int len = BIO_read(out, hello, sizeof(hello));
	assert_true(len > 100);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	for (int at = 0; at < len; at++) {
		int fds[2];
		size_t n;
		tls_kit_tcp(fds);
		struct tls_conn *c = tls_conn_accept(t, TLS_HTTP, fds[1]);
		hello[at] ^= 0x55;
		assert_int_equal(tcp_write(fds[0], hello, (size_t)len, &n), TCP_OK);
		tcp_shutdown_write(fds[0]);
		hello[at] ^= 0x55;
		while (tls_conn_handshake(c) == TCP_WAIT_READ)
			assert_true(tcp_wait(fds[1], false, clock_mono_ns() + TLS_PATIENCE_NS));
		assert_int_not_equal(tls_conn_failure(c), TLS_FINE);
		tls_conn_close(c);
		tcp_close(fds[0]);
	}
	tls_context_close(t);
}

TEST(tls, who_only_looks_whether_somebody_listens_is_not_counted)
{
	struct tls_context *t = tls_kit_context(NULL);
	int fds[2];
	tls_kit_tcp(fds);
	struct tls_conn *c = tls_conn_accept(t, TLS_GRPC, fds[1]);
	assert_int_equal(tls_conn_handshake(c), TCP_WAIT_READ);
	tcp_close(fds[0]);
	while (tls_conn_handshake(c) == TCP_WAIT_READ)
		(void)tcp_wait(fds[1], false, clock_mono_ns() + TLS_PATIENCE_NS);
	tls_conn_close(c);
	assert_int_equal(failures(t, "grpc", "unfinished"), 0);
	tls_context_close(t);
}

/* ---- reload */

static void
copy_in(const char *dir, const char *from, const char *to)
{
	char golden[100];
	size_t len;
	snprintf(golden, sizeof(golden), "tls/%s", from);
	const char *text = test_golden_read(golden, &len);
	(void)write_file(dir, to, str_of(text, len));
}

static void
subject_is(struct tls_context *t, const char *subject)
{
	struct server s;
	struct tls_kit_client c;
	char name[100];
	assert_true(tls_kit_connect(&c, serve(&s, t, TLS_HTTP), NULL));
	X509 *x = SSL_get1_peer_certificate(c.ssl);
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof(name));
	X509_free(x);
	tcp_shutdown_write(c.fd);
	thread_join(&s.thread);
	tls_kit_close(&c);
	assert_string_equal(name, subject);
}

TEST(tls, a_reload_counts_for_new_connections_and_a_bad_one_for_none)
{
	struct tls_context *t;
	struct err err = {0};
	struct server s;
	struct tls_kit_client old;
	char cert[FILE_PATH_BYTES], key[FILE_PATH_BYTES];
	const char *dir = test_tmp_dir();
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	copy_in(dir, "server.pem", "cert");
	copy_in(dir, "server.key", "key");
	struct tls_files files = {.cert = str_from(cert), .key = str_from(key)};
	assert_int_equal(tls_context_open(&files, &t, &err), ERR_OK);
	assert_true(tls_kit_connect(&old, serve(&s, t, TLS_HTTP), NULL));
	copy_in(dir, "second.pem", "cert"); /* and its key a moment later */
	assert_int_equal(tls_context_reload(t, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "does not belong to the certificate: "));
	subject_is(t, "weir test server");
	copy_in(dir, "second.key", "key");
	assert_int_equal(tls_context_reload(t, &err), ERR_OK);
	subject_is(t, "weir test second");
	assert_true(tls_kit_send(&old, "still", 5));
	assert_true(tls_kit_hear(&old, 5));
	tcp_shutdown_write(old.fd);
	thread_join(&s.thread);
	tls_kit_close(&old);
	tls_context_close(t);
}

static void
reload_often(void *ctx)
{
	struct err err;
	for (int i = 0; i < 200; i++)
		if (tls_context_reload(ctx, &err) != ERR_OK)
			abort();
}

TEST(tls, connections_come_while_it_is_reloaded)
{
	struct tls_context *t = tls_kit_context(NULL);
	struct thread thread = {0};
	struct err err;
	assert_int_equal(thread_start(&thread, "reload", reload_often, t, &err), ERR_OK);
	for (int i = 0; i < 20; i++)
		subject_is(t, "weir test server");
	thread_join(&thread);
	tls_context_close(t);
}

/* ---- weir as a client */

static enum err_code
dial(struct tls_context *t, struct server *s, struct tls_client_options opt, struct err *err)
{
	struct tls_conn *c;
	int fd = serve(s, t, TLS_GRPC);
	opt.alpn = "h2";
	enum err_code code = tls_conn_connect(&opt, fd, clock_mono_ns() + TLS_PATIENCE_NS, &c, err);
	if (code == ERR_OK) {
		char byte;
		size_t n;
		enum tcp_io io = tls_conn_write(c, "x", 1, &n);
		assert_int_equal(io, TCP_OK);
		while ((io = tls_conn_read(c, &byte, 1, &n)) == TCP_WAIT_READ)
			assert_true(tcp_wait(fd, false, clock_mono_ns() + TLS_PATIENCE_NS));
		if (io != TCP_OK)
			code = err_set(err, ERR_UNAVAILABLE, "%s", tls_conn_failure_text(c));
		(void)tls_conn_end(c);
		tls_conn_close(c);
	}
	thread_join(&s->thread);
	return code;
}

TEST(tls, our_own_client_looks_at_the_ca_and_the_name)
{
	static const struct str ca = {TLS_GOLDEN "ca.pem", sizeof(TLS_GOLDEN "ca.pem") - 1};
	struct tls_context *t = tls_kit_context(NULL);
	struct server s;
	struct err err = {0};
	struct tls_client_options opt = {.files = {.ca = ca}};
	const char *good[] = {"localhost:1", "127.0.0.1:1", "[::1]:1", ":1"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		opt.address = str_from(good[i]);
		if (dial(t, &s, opt, &err) != ERR_OK)
			fail_msg("%s: %s", good[i], err.message);
	}
	const char *bad[] = {"localhost.example:1", "127.0.0.2:1", "[::2]:1", "local:1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		opt.address = str_from(bad[i]);
		assert_int_equal(dial(t, &s, opt, &err), ERR_UNAVAILABLE);
		assert_non_null(strstr(err.message, "is not for that host"));
	}
	opt = (struct tls_client_options){.address = STR("localhost:1")};
	assert_int_equal(dial(t, &s, opt, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "of a CA that is not known here"));
	opt.files.ca = STR(TLS_GOLDEN "nowhere.pem");
	assert_int_equal(dial(t, &s, opt, &err), ERR_NOT_FOUND);
	opt.files = (struct tls_client_files){.ca = ca, .cert = STR(TLS_GOLDEN "client.pem")};
	assert_int_equal(dial(t, &s, opt, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "needed together"));
	tls_context_close(t);
}

TEST(tls, our_own_client_shows_its_certificate)
{
	struct tls_context *t = tls_kit_context("ca.pem");
	struct server s;
	struct err err = {0};
	struct tls_client_options opt = {.address = STR("localhost:1"),
	    .files = {.ca = STR(TLS_GOLDEN "ca.pem"),
	        .cert = STR(TLS_GOLDEN "client.pem"),
	        .key = STR(TLS_GOLDEN "client.key")}};
	assert_int_equal(dial(t, &s, opt, &err), ERR_OK);
	opt.files.cert = opt.files.key = STR_EMPTY;
	assert_int_equal(dial(t, &s, opt, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "certificate required"));
	tls_context_close(t);
}

TEST(tls, a_server_that_never_answers_is_given_up)
{
	struct err err = {0};
	struct tls_conn *c;
	int fds[2];
	tls_kit_tcp(fds);
	struct tls_client_options opt = {
	    .address = STR("localhost:1"), .files = {.ca = STR(TLS_GOLDEN "ca.pem")}};
	assert_int_equal(tls_conn_connect(&opt, fds[0], clock_mono_ns() + 50 * NS_PER_MS, &c, &err),
	    ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "in time"));
	tcp_close(fds[1]);
}
