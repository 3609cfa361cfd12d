/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/pull.h - how far sources have been pulled.
 *
 * A request that was pulled (struct batch_request) brings the position in its source, which the store keeps with its rows:
 * whoever pulls goes on there. The newest of a (tenant, source), by seq, counts; a repeat's counts as well, for its
 * rows are there. It is visible from the append on, and in the files before store_position() has passed it, never before
 * all its rows are.
 */
#ifndef STORE_PULL_H
#define STORE_PULL_H

#include "base/limits.h"
#include "model/batch.h"

struct store_pull {
	char source[LIMIT_SOURCE_BYTES + 1];
	unsigned char position[LIMIT_POSITION_BYTES];
	size_t position_len; /* 1 at least */
	uint64_t seq; /* of the request that brought it here */
	uint64_t received_ns; /* unix: when that came */
	uint64_t spans; /* items that came in all, also those that were there already */
};

/* p becomes what it is after this request of the source, or stays as it is: the request has been seen. */
void store_pull_move(struct store_pull *p, const struct batch_request *r);

#endif
