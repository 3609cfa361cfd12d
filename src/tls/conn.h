/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/conn.h - TLS on a connected, non-blocking descriptor, in the manner of sys/tcp.h.
 *
 * Reading and writing do the handshake first, by themselves. Any of them may have to wait for the other direction, so
 * TCP_WAIT_READ and TCP_WAIT_WRITE are to be taken as they are said. A read goes on until the room is full or
 * nothing is left, and a poll of the descriptor tells when to read on; but when the room was full there may be bytes inside that
 * no poll tells of: tls_conn_held().
 *
 * A write that was told to wait must come again with the same bytes in front; they may stand elsewhere, and more may
 * follow.
 *
 * An end without close_notify counts as an end: HTTP and gRPC say themselves how long a message is.
 *
 * Threading: one owner.
 */
#ifndef TLS_CONN_H
#define TLS_CONN_H

#include "sys/tcp.h"
#include "tls/tls.h"

struct tls_conn;

/* Of a handshake that came to nothing. */
enum tls_failure {
	TLS_FINE,
	TLS_NOT_TLS, /* the peer speaks something else */
	TLS_PROTOCOL, /* no version, cipher or ALPN in common, or nonsense */
	TLS_CLIENT_CERTIFICATE, /* it has none, or none of our CAs' */
	TLS_SERVER_CERTIFICATE, /* it does not take ours */
	TLS_UNFINISHED, /* one of the two closed before */
	TLS_FAILURES
};

/* Takes the descriptor. */
struct tls_conn *tls_conn_accept(struct tls_context *t, enum tls_port port, int fd);

struct tls_client_options {
	struct str
	    address; /* "host:port", as tcp_connect() takes it: the certificate must be for this host */
	struct tls_client_files files;
	const char *alpn; /* "h2" */
};

/* The other side: the handshake is done when it returns; blocks until deadline_mono_ns. Takes the descriptor, and closes it on
 * an error. ERR_UNAVAILABLE, ERR_INVALID (files): a sentence that says what to do about it. */
MUST_CHECK enum err_code tls_conn_connect(const struct tls_client_options *opt, int fd,
    uint64_t deadline_mono_ns, struct tls_conn **out, struct err *err);

/* TCP_OK: it is done. */
enum tcp_io tls_conn_handshake(struct tls_conn *c);
enum tcp_io tls_conn_read(struct tls_conn *c, void *bytes, size_t size, size_t *n_out);
enum tcp_io tls_conn_write(struct tls_conn *c, const void *bytes, size_t size, size_t *n_out);
/* The last read has left something that no poll will tell of: read again. */
bool tls_conn_held(const struct tls_conn *c);
/* Tell the peer that nothing more will come (close_notify, FIN); reading goes on. Other than TCP_WAIT_WRITE: done, as
 * far as it can be. */
enum tcp_io tls_conn_end(struct tls_conn *c);

/* Why it failed, in words: for the log, and for a client's user. */
enum tls_failure tls_conn_failure(const struct tls_conn *c);
const char *tls_conn_failure_text(const struct tls_conn *c);
/* For a peer that speaks no TLS, in the language it seems to speak; may be empty. */
struct str tls_conn_plain_answer(const struct tls_conn *c);
/* The end of TLS here, but not of the connection: the descriptor is the caller's again. */
int tls_conn_detach(struct tls_conn *c);
/* Closes the descriptor too, without a word. NULL allowed. */
void tls_conn_close(struct tls_conn *c);

#endif
