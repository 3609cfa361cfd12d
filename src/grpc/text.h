/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/text.h - the few texts of the gRPC protocol (PROTOCOL-HTTP2, "Requests" and "Responses").
 *
 * Pure functions; any thread.
 */
#ifndef GRPC_TEXT_H
#define GRPC_TEXT_H

#include "base/buf.h"

/* grpc-message: everything but printable ASCII, and '%', as %XX. Appends. */
void grpc_text_percent_encode(struct str s, struct buf *out);
/* A '%' that begins no escape stands for itself: an error text is never refused. Appends. */
void grpc_text_percent_decode(struct str s, struct buf *out);
/* grpc-timeout: 1 to 8 digits and one of H M S m u n. False when malformed. */
bool grpc_text_timeout(struct str s, uint64_t *ns_out);
/* application/grpc or application/grpc+proto, with or without parameters. */
bool grpc_text_is_grpc(struct str content_type);

#endif
