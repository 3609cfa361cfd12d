/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/transport.h - the bytes of one connection of the server: clear text or TLS. Inside grpc/.
 */
#ifndef GRPC_TRANSPORT_H
#define GRPC_TRANSPORT_H

#include "base/str.h"
#include "sys/tcp.h"
#include "tls/conn.h"

struct grpc_transport {
	int fd; /* borrowed from tls, when there is one */
	struct tls_conn *tls; /* NULL: clear text */
};

/* As of sys/tcp.h. */
enum tcp_io grpc_transport_read(struct grpc_transport *t, void *bytes, size_t size, size_t *n_out);
enum tcp_io grpc_transport_write(struct grpc_transport *t, const void *bytes, size_t size,
    size_t *n_out);
/* There is more to be read, and no poll will tell. */
bool grpc_transport_held(const struct grpc_transport *t);
/* Nothing more will come; TCP_WAIT_WRITE: again, later. */
enum tcp_io grpc_transport_end(struct grpc_transport *t);
void grpc_transport_close(struct grpc_transport *t); /* also the descriptor */
/* A read has failed: when it was the handshake that did, go on in clear text, and put what is to be said there (which may
 * be nothing) into *answer_out. False: it was not. */
bool grpc_transport_unveil(struct grpc_transport *t, struct str *answer_out);

#endif
