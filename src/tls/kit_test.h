/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/kit_test.h - for the tests of this folder: the files of tests/golden/tls, a server's context, clients that are
 * OpenSSL's own, used without conn.c, so that what weir says is heard by somebody else.
 */
#ifndef TLS_KIT_TEST_H
#define TLS_KIT_TEST_H

#include "base/buf.h"
#include "tls/conn.h"

#include <openssl/ssl.h>

#define TLS_GOLDEN "tests/golden/tls/"
#define TLS_PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* client_ca: NULL, or the name of a file there. */
struct tls_context *tls_kit_context(const char *client_ca);
struct tls_files tls_kit_files(const char *cert, const char *key);

/* A blocking client. */
struct tls_kit_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct buf in;
};

struct tls_kit_wish {
	const char *cert; /* without .pem and .key; NULL: none */
	const char *alpn; /* "h2", NULL: none */
	int version_max; /* 0: any */
	int descriptors_max; /* of the process, from the handshake on; 0: as it is */
};

/* fd is blocking from now on, and the client's. True when the handshake was done (of TLS 1.3: its part). */
bool tls_kit_connect(struct tls_kit_client *c, int fd, const struct tls_kit_wish *wish);
void tls_kit_close(struct tls_kit_client *c);
/* Blocks until all is sent; false: the server has gone. */
bool tls_kit_send(struct tls_kit_client *c, const char *bytes, size_t n);
/* Reads until the end or `max` more bytes have come; false: no good end. */
bool tls_kit_hear(struct tls_kit_client *c, size_t max);
/* Both ends of a TCP connection, non-blocking. */
void tls_kit_tcp(int fd_out[2]);
void tls_kit_blocking(int fd);

#endif
