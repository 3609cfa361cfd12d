/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/transport.h"

enum tcp_io
grpc_transport_read(struct grpc_transport *t, void *bytes, size_t size, size_t *n_out)
{
	return t->tls ? tls_conn_read(t->tls, bytes, size, n_out)
	              : tcp_read(t->fd, bytes, size, n_out);
}

enum tcp_io
grpc_transport_write(struct grpc_transport *t, const void *bytes, size_t size, size_t *n_out)
{
	return t->tls ? tls_conn_write(t->tls, bytes, size, n_out)
	              : tcp_write(t->fd, bytes, size, n_out);
}

bool
grpc_transport_held(const struct grpc_transport *t)
{
	return t->tls && tls_conn_held(t->tls);
}

enum tcp_io
grpc_transport_end(struct grpc_transport *t)
{
	if (t->tls)
		return tls_conn_end(t->tls);
	tcp_shutdown_write(t->fd);
	return TCP_OK;
}

void
grpc_transport_close(struct grpc_transport *t)
{
	if (t->tls)
		tls_conn_close(t->tls);
	else
		tcp_close(t->fd);
	*t = (struct grpc_transport){.fd = -1};
}

bool
grpc_transport_unveil(struct grpc_transport *t, struct str *answer_out)
{
	if (!t->tls || tls_conn_failure(t->tls) == TLS_FINE)
		return false;
	*answer_out = tls_conn_plain_answer(t->tls);
	t->fd = tls_conn_detach(t->tls);
	t->tls = NULL;
	return true;
}
