/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/conn.c - see conn.h.
 *
 * OpenSSL reads and writes through a BIO of ours, so that sockets are sys/tcp.h's business here too (no SIGPIPE), what
 * became of the last call is known, and the first byte of the peer is seen: a TLS record of a handshake begins with 0x16.
 */
#include "tls/tls_priv.h"

#include "base/arena.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORD_HANDSHAKE = 0x16 };

/* ---- the BIO */

static void
note_first(struct tls_conn *c, const char *bytes, size_t n)
{
	while (n-- > 0 && c->first_count < sizeof(c->first))
		c->first[c->first_count++] = (unsigned char)*bytes++;
}

static int
bio_read(BIO *bio, char *bytes, size_t size, size_t *n)
{
	struct tls_conn *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	c->io = tcp_read(c->fd, bytes, size, n);
	if (c->io == TCP_WAIT_READ)
		BIO_set_retry_read(bio);
	if (c->io != TCP_OK)
		return 0;
	note_first(c, bytes, *n);
	return c->first[0] == RECORD_HANDSHAKE || !c->context;
}

static int
bio_write(BIO *bio, const char *bytes, size_t size, size_t *n)
{
	struct tls_conn *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	c->io = tcp_write(c->fd, bytes, size, n);
	if (c->io == TCP_WAIT_WRITE)
		BIO_set_retry_write(bio);
	return c->io == TCP_OK;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_conn *c = BIO_get_data(bio);
	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_EOF)
		return c->io == TCP_END;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
new_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_START | BIO_TYPE_SOURCE_SINK, "weir");
	CHECK(m != NULL);
	CHECK(BIO_meth_set_read_ex(m, bio_read) == 1);
	CHECK(BIO_meth_set_write_ex(m, bio_write) == 1);
	CHECK(BIO_meth_set_ctrl(m, bio_ctrl) == 1);
	return m;
}

/* ---- begin and end */

struct tls_conn *
tls_conn_of(SSL *ssl, int fd)
{
	struct tls_conn *c = xcalloc(1, sizeof(*c));
	CHECK(ssl != NULL);
	c->method = new_method();
	BIO *bio = BIO_new(c->method);
	CHECK(bio != NULL);
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, c);
	c->ssl = ssl;
	c->fd = fd;
	return c;
}

struct tls_conn *
tls_conn_accept(struct tls_context *t, enum tls_port port, int fd)
{
	mutex_lock(&t->lock);
	SSL *ssl = SSL_new(t->ssl);
	mutex_unlock(&t->lock);
	struct tls_conn *c = tls_conn_of(ssl, fd);
	c->context = t;
	c->port = port;
	SSL_set_accept_state(ssl);
	return c;
}

int
tls_conn_detach(struct tls_conn *c)
{
	int fd = c->fd;
	/* Who said nothing has not tried: a probe that looks whether somebody listens. */
	if (!c->up && c->failure == TLS_FINE && c->first_count > 0) {
		c->failure = TLS_UNFINISHED;
		snprintf(c->why, sizeof(c->why), "it was not finished");
	}
	tls_count_failure(c);
	SSL_free(c->ssl);
	BIO_meth_free(c->method);
	free(c);
	return fd;
}

void
tls_conn_close(struct tls_conn *c)
{
	if (c)
		tcp_close(tls_conn_detach(c));
}

/* ---- failures */

static void
fail(struct tls_conn *c, enum tls_failure failure, const char *why)
{
	c->failure = failure;
	snprintf(c->why, sizeof(c->why), "%s", why);
}

static bool
is_alert_about_certificate(int reason)
{
	switch (reason) {
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return true;
	default: return false;
	}
}

/* What OpenSSL has against it. */
static void
explain(struct tls_conn *c)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	long verified = SSL_get_verify_result(c->ssl);
	if (c->context && c->first_count > 0 && c->first[0] != RECORD_HANDSHAKE)
		fail(c, TLS_NOT_TLS, "the client does not speak TLS");
	else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		fail(c, TLS_CLIENT_CERTIFICATE, "the client has shown no certificate");
	else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		c->failure = c->context ? TLS_CLIENT_CERTIFICATE : TLS_SERVER_CERTIFICATE;
		snprintf(c->why, sizeof(c->why), "the %s's certificate: %s",
		    c->context ? "client" : "server", X509_verify_cert_error_string(verified));
	} else if (is_alert_about_certificate(reason)) {
		c->failure = c->context ? TLS_SERVER_CERTIFICATE : TLS_CLIENT_CERTIFICATE;
		snprintf(c->why, sizeof(c->why), "the %s does not take our certificate (%s)",
		    c->context ? "client" : "server", tls_reason());
	} else
		fail(c, TLS_PROTOCOL, tls_reason());
}

/* What a call of OpenSSL that did not return 1 means. */
static enum tcp_io
outcome(struct tls_conn *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ: return TCP_WAIT_READ;
	case SSL_ERROR_WANT_WRITE: return TCP_WAIT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		if (c->up)
			return TCP_END;
		break;
	case SSL_ERROR_SSL: explain(c); break;
	default: break;
	}
	if (!c->up && c->failure == TLS_FINE && c->first_count > 0) {
		if (c->first[0] != RECORD_HANDSHAKE && c->context)
			fail(c, TLS_NOT_TLS, "the client does not speak TLS");
		else
			fail(c, TLS_UNFINISHED, "the peer closed the connection");
	}
	tls_count_failure(c);
	ERR_clear_error();
	c->broken = true;
	return TCP_FAILED;
}

enum tls_failure
tls_conn_failure(const struct tls_conn *c)
{
	return c->failure;
}

const char *
tls_conn_failure_text(const struct tls_conn *c)
{
	return c->why;
}

/* "this port speaks TLS" once as HTTP/1.1, once as SETTINGS and GOAWAY(INADEQUATE_SECURITY). */
struct str
tls_conn_plain_answer(const struct tls_conn *c)
{
	static const char http1[] = "HTTP/1.1 400 Bad Request\r\n"
	                            "connection: close\r\n"
	                            "content-type: text/plain\r\n"
	                            "content-length: 29\r\n"
	                            "\r\n"
	                            "this port speaks TLS (https)\n";
	static const char http2[] = "\0\0\0\4\0\0\0\0\0"
	                            "\0\0\x24\7\0\0\0\0\0\0\0\0\0\0\0\0\xc"
	                            "this port speaks TLS (https)";
	if (c->failure != TLS_NOT_TLS || c->first[0] < 'A' || c->first[0] > 'Z')
		return STR_EMPTY;
	bool is_http2 = c->first_count >= 3 && memcmp(c->first, "PRI", 3) == 0;
	return is_http2 ? str_of(http2, sizeof(http2) - 1) : str_of(http1, sizeof(http1) - 1);
}

/* ---- reading and writing */

static void
note_up(struct tls_conn *c)
{
	c->up = c->up || SSL_is_init_finished(c->ssl);
}

enum tcp_io
tls_conn_handshake(struct tls_conn *c)
{
	if (c->broken)
		return TCP_FAILED;
	if (c->up)
		return TCP_OK;
	ERR_clear_error();
	int rc = SSL_do_handshake(c->ssl);
	note_up(c);
	return rc == 1 ? TCP_OK : outcome(c, rc);
}

enum tcp_io
tls_conn_read(struct tls_conn *c, void *bytes, size_t size, size_t *n_out)
{
	*n_out = 0;
	c->held = false;
	while (*n_out < size) {
		size_t n;
		if (c->broken)
			return TCP_FAILED;
		ERR_clear_error();
		int rc = SSL_read_ex(c->ssl, (char *)bytes + *n_out, size - *n_out, &n);
		note_up(c);
		if (rc == 1) {
			*n_out += n;
			continue;
		}
		enum tcp_io io = outcome(c, rc);
		if (*n_out == 0)
			return io;
		/* Said next time; of an end or a failure no poll may tell. */
		c->held = io != TCP_WAIT_READ;
		return TCP_OK;
	}
	c->held = SSL_has_pending(c->ssl) == 1;
	return TCP_OK;
}

bool
tls_conn_held(const struct tls_conn *c)
{
	return c->held;
}

enum tcp_io
tls_conn_write(struct tls_conn *c, const void *bytes, size_t size, size_t *n_out)
{
	*n_out = 0;
	while (*n_out < size) {
		size_t n;
		if (c->broken)
			return TCP_FAILED;
		ERR_clear_error();
		int rc = SSL_write_ex(c->ssl, (const char *)bytes + *n_out, size - *n_out, &n);
		note_up(c);
		if (rc == 1) {
			*n_out += n;
			continue;
		}
		enum tcp_io io = outcome(c, rc);
		return *n_out > 0 ? TCP_OK : io;
	}
	return TCP_OK;
}

enum tcp_io
tls_conn_end(struct tls_conn *c)
{
	enum tcp_io io = TCP_OK;
	if (c->up && !c->broken && !(SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)) {
		ERR_clear_error();
		int rc = SSL_shutdown(c->ssl);
		io = rc >= 0 ? TCP_OK : outcome(c, rc);
	}
	if (io != TCP_WAIT_WRITE)
		tcp_shutdown_write(c->fd);
	return io;
}
