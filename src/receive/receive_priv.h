/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive/receive_priv.h - shared by the two transports.
 */
#ifndef RECEIVE_RECEIVE_PRIV_H
#define RECEIVE_RECEIVE_PRIV_H

#include "receive/receive.h"

#include "sys/thread.h"
#include "tenant/tenant.h"
#include "wire/inflate.h"

/* More server threads than this inflate with contexts made for the occasion. */
enum { RECEIVE_INFLATERS_MAX = 16 };

struct receive {
	struct receive_options opt;
	struct mutex lock;
	struct inflate *idle[RECEIVE_INFLATERS_MAX]; /* lock: contexts nobody uses now */
	size_t idle_count; /* lock */
};

/* An inflater that is the caller's until it is given back. */
struct inflate *receive_inflater_take(struct receive *r);
void receive_inflater_give(struct receive *r, struct inflate *inflater);

MUST_CHECK enum err_code receive_submit(struct receive *r, struct ingest_request *req,
    struct err *err);
/* Whether the tenant may send more now. */
MUST_CHECK enum err_code receive_admits(const struct receive *r, struct str tenant,
    struct err *err);
/* When a client that was refused so may come back; 0 when it need not. */
uint64_t receive_retry_after_ms(const struct receive *r, const struct err *err);
/* The code a client is told when ingest says `code` of a request it had taken. */
enum err_code receive_outcome(enum err_code code);

#endif
