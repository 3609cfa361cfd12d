/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/tls.h - the server's side of TLS: certificate, key and client CAs, for all listeners together.
 * Source: RFC 8446 (TLS 1.3), RFC 5246 (1.2), RFC 7301 (ALPN). On OpenSSL 3.
 *
 * Files are PEM: `cert` the server's certificate and behind it those that lead to its root; `key` its private key,
 * without a passphrase; `client_ca`, when given, the CAs of which a client must show a certificate (mutual TLS). They
 * are read into memory first, at most TLS_FILE_BYTES_MAX each.
 *
 * What is spoken: TLS 1.2 and 1.3, without renegotiation, compression and early data. A client that names protocols
 * (ALPN) must name the port's: "h2" for gRPC, "http/1.1" for the others. One that names none is let in. Sessions are kept
 * nowhere here: a client may come back with a ticket, until a reload; under mutual TLS there are none, so that each
 * connection's certificate is looked at.
 *
 * A certificate whose time is over, or yet to come, is taken, and tls_certificate_trouble() says so: clients decide,
 * and those that do not look would lose data if weir did not start.
 *
 * There are no revocation lists: who must be kept out gets another client CA, or certificates that do not live long.
 *
 * Threading: any thread, also while another one reloads; open and close: the owner, and no connection outlives it.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/buf.h"
#include "base/err.h"

enum { TLS_FILE_BYTES_MAX = 1 << 20, TLS_NAME_BYTES = 256, TLS_WARN_DAYS = 14 };

struct tls_context;

/* Of a client, whom tls/conn.h, grpc/client.h and http/client.h serve: names of PEM files, borrowed. */
struct tls_client_files {
	struct str ca; /* whom it trusts; empty: the system's CAs */
	struct str cert, key; /* what it shows; both, or empty */
};

/* The listeners. */
enum tls_port { TLS_GRPC, TLS_HTTP, TLS_API, TLS_PORTS };

struct tls_files { /* names; copied */
	struct str cert, key;
	struct str client_ca; /* empty: anybody */
};

/* ERR_INVALID, ERR_IO and the like: the message names the file and says what is wrong with it. */
MUST_CHECK enum err_code tls_context_open(const struct tls_files *files, struct tls_context **out,
    struct err *err);
/* Read the files again. Connections from now on get what they hold; those that are there go on as they are. On an error
 * all stays as it was. */
MUST_CHECK enum err_code tls_context_reload(struct tls_context *t, struct err *err);
void tls_context_close(struct tls_context *t); /* NULL allowed */
bool tls_context_wants_client(const struct tls_context *t); /* mutual TLS */

struct tls_certificate {
	char subject[TLS_NAME_BYTES], issuer[TLS_NAME_BYTES]; /* RFC 2253, printable ASCII */
	int64_t not_before_s, not_after_s; /* unix time */
};

/* The one that is in use. */
void tls_context_certificate(struct tls_context *t, struct tls_certificate *out);
/* True when its time is over, over within TLS_WARN_DAYS, or yet to come; says so. */
bool tls_certificate_trouble(const struct tls_certificate *c, uint64_t now_unix_ns,
    struct err *text_out);
/* Append until when the certificate is valid, and the handshakes that failed, by listener and reason: Prometheus text. */
void tls_context_metrics(struct tls_context *t, struct buf *out);

#endif
