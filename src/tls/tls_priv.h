/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/tls_priv.h - what the files of tls/ share.
 *
 *     files.c    PEM files to OpenSSL's objects
 *     context.c  the server's context: open, reload, what it says of itself
 *     conn.c     one connection
 *     client.c   the client's handshake
 *     pump.c     between TLS and a plain socket
 */
#ifndef TLS_TLS_PRIV_H
#define TLS_TLS_PRIV_H

#include "sys/thread.h"
#include "tls/conn.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_context {
	char *cert, *key, *client_ca; /* names of files; client_ca: or NULL */
	struct mutex lock;
	SSL_CTX *ssl; /* lock: connections have references of their own */
	struct tls_certificate certificate; /* lock */
	_Atomic int64_t failures[TLS_PORTS][TLS_FAILURES];
	_Atomic uint64_t said_ns[TLS_PORTS]; /* when a failure was last logged for all to see */
};

struct tls_conn {
	SSL *ssl;
	BIO_METHOD *method;
	int fd;
	struct tls_context *context; /* NULL: a client's */
	enum tls_port port;
	enum tcp_io io; /* of the last read or write of the descriptor */
	unsigned char first[4]; /* the peer's first bytes */
	size_t first_count;
	bool up; /* the handshake is done */
	bool broken; /* OpenSSL is not to be asked again */
	bool held;
	bool counted; /* the failure was */
	enum tls_failure failure;
	char why[160];
};

/* ---- files.c */

/* What both sides have in common: versions, options, modes. Never NULL. */
SSL_CTX *tls_ssl_new(const SSL_METHOD *method);
/* The words of the last failure of OpenSSL on this thread. */
const char *tls_reason(void);
/* Certificate and what follows it, and its key. */
MUST_CHECK enum err_code tls_load_identity(SSL_CTX *ssl, const char *cert, const char *key,
    struct err *err);
/* CAs to trust; `what`: "client CA". named: tell the peer their names. */
MUST_CHECK enum err_code tls_load_cas(SSL_CTX *ssl, const char *file, const char *what, bool named,
    struct err *err);

/* ---- context.c */
void tls_count_failure(struct tls_conn *c);
/* Of the port: length byte, name. */
struct str tls_alpn(enum tls_port port);

/* ---- conn.c */
struct tls_conn *tls_conn_of(SSL *ssl, int fd); /* takes both */

#endif
