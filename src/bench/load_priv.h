/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/load_priv.h - between load.c (all clients) and load_client.c (one).
 */
#ifndef BENCH_LOAD_PRIV_H
#define BENCH_LOAD_PRIV_H

#include "bench/load.h"
#include "grpc/client.h"

#include <stdatomic.h>

struct load_client;

struct load_call {
	struct load_client *client;
	uint64_t start_ns;
	uint64_t serial;
	uint64_t unix_ns;
	size_t body_bytes, wire_bytes;
	struct load_body *body; /* plain: busy until the answer, or until it is given up */
	struct str message; /* what was sent */
	struct load_call *next; /* free, or to be sent again */
};

struct load_body {
	struct payload_body payload;
	bool busy;
};

struct load_gzip {
	size_t off, len; /* in `zipped` */
	size_t body_bytes;
	uint64_t serial;
	uint64_t unix_ns;
};

struct load_client {
	const struct load_options *opt;
	struct payload payload;
	struct grpc_client *conn; /* NULL: no run is under way */
	struct load_body *ring;
	uint64_t ring_count;
	uint64_t next_serial;
	struct load_call *calls;
	struct load_call *free_calls;
	struct load_call *refused_calls, **refused_end; /* to be sent again, in this order */
	struct load_call *lost_calls, **lost_end; /* the same; without an answer, and at once */
	struct err lost_why; /* of the first of them */
	char tenant_field[LOAD_TENANT_BYTES + 16];
	const char *headers[2];

	struct buf zipped; /* gzip requests, one behind the other */
	struct load_gzip *items;
	size_t item_count, item_cap, item_next;

	/* Of the run under way. */
	const struct load_plan *plan;
	uint64_t begin_ns, end_ns; /* no call starts after end_ns; UINT64_MAX: no limit */
	uint64_t requests_max;
	uint64_t interval_ns; /* between due times; 0: closed loop */
	atomic_uint_fast64_t started; /* read by others */
	uint64_t wait_until_ns; /* the server asked for a pause */
	bool heard; /* there has been an answer */
	uint64_t losing_since_ns; /* a connection was lost, and no answer since; 0: all is well */
	atomic_bool *failed; /* some client has */
	struct load_result result;
	struct err err;
};

/* With opt and payload set; encodes the bodies. */
void load_client_init(struct load_client *c);
void load_client_fini(struct load_client *c);
MUST_CHECK enum err_code load_client_connect(struct load_client *c, struct err *err);
void load_client_disconnect(struct load_client *c);
/* A thread's main: compress c->requests_max requests; c->err says whether it went well. */
void load_client_prepare(void *ctx);
/* A thread's main: a run. */
void load_client_run(void *ctx);

/* google.rpc.Status: the delay its RetryInfo asks for; false when there is none. */
bool load_retry_delay(struct str status, uint64_t *ns_out);
/* rejected_spans of an ExportTraceServiceResponse, rejected_log_records of that of logs. */
uint64_t load_rejected_spans(struct str response);

#endif
