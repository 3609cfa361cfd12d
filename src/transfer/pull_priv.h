/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer/pull_priv.h - `weir pull`: what its files share.
 *
 *     pull.c         the command: where we are, a batch, bring it, again
 *     pull_source.c  a batch out of a service that speaks ReadSpans
 *
 * Both ends may go away and come back; what is in hand is kept meanwhile. Main thread.
 */
#ifndef TRANSFER_PULL_PRIV_H
#define TRANSFER_PULL_PRIV_H

#include "transfer/transfer_priv.h"

#include "base/limits.h"

struct grpc_client;

struct pull_position {
	unsigned char bytes[LIMIT_POSITION_BYTES];
	size_t len; /* 0: the beginning */
};

/* What one ReadSpans gave, as PullBatch but for `after` and `position`. */
struct pull_batch {
	struct buf records;
	uint64_t count; /* spans; also damaged ones */
	struct pull_position end; /* len 0: nothing came, not even a key */
	uint64_t remaining; /* that the source says are left */
	bool cut; /* there was more than fits into one request */
};

struct pull_source {
	struct str address, key; /* key: sent as x-junjo-api-key; empty: none */
	struct tls_client_files tls;
	struct grpc_client *client; /* NULL: not connected */
	bool (*stopped)(void *ctx); /* asked several times a second */
	void *ctx;
};

/* ERR_UNAVAILABLE, ERR_BUSY: try again; ERR_CANCELLED: stopped; else it will never succeed. */
MUST_CHECK enum err_code pull_source_read(struct pull_source *s, const struct pull_position *after,
    uint64_t count, struct pull_batch *out, struct err *err);
void pull_source_close(struct pull_source *s);

#endif
