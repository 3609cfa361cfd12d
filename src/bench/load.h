/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/load.h - clients that send prepared requests over OTLP/gRPC and time the answers.
 *
 * A client is one connection, one thread and a ring of encoded bodies (bench/payload.h). Plain
 * requests are made by patching a body that is not in flight. A gzip request cannot be patched: it
 * is compressed before, by load_prepare(), and sent once; when a client has sent all it has,
 * it stops.
 *
 * Without a rate a client keeps `inflight` calls in flight (a closed loop), and a call's time begins
 * when it is handed to the connection. With a rate calls have due times, and a call's time begins when
 * it was due, so that a server that makes the client wait cannot hide it; what was due and never left
 * is counted.
 *
 * A refusal that asks for a retry (RetryInfo) is counted; enum load_refused says what its client then does. A request
 * that is sent again is not encoded again, so that it costs the generator next to nothing. Everything else but full success ends the
 * run with an error.
 *
 * A connection may be lost, or its server go away, once there have been answers on it: then the client makes another, with growing
 * pauses, and sends what has no answer again, as exporters do. These are the same bytes, which a server takes once.
 *
 * What is said of spans goes for log records when these are the payload.
 *
 * Threading: one owner. load_run() blocks; on_ack is called on the clients' threads.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/err.h"
#include "bench/latency.h"
#include "bench/payload.h"
#include "grpc/client.h"

#include <stdatomic.h>

enum {
	LOAD_CLIENTS_MAX = 64,
	LOAD_INFLIGHT_MAX = 256,
	LOAD_GZIP_LEVEL = 6,
	LOAD_TENANT_BYTES = 64,
	LOAD_PATIENCE_MS = 30000
};

struct load;

enum load_refused {
	LOAD_DROPS, /* wait as long as was told, then go on with the next */
	LOAD_RETRIES, /* wait as long as was told, then send the same: as clients do */
	LOAD_INSISTS, /* send the same as soon as the next is due, whatever was told */
};

struct load_options {
	struct str grpc; /* ADDR:PORT, or "https://ADDR:PORT" */
	struct tls_client_files tls;
	enum payload_kind payload;
	uint32_t spans; /* in a request */
	bool gzip;
	uint32_t connections;
	uint32_t inflight; /* calls, on each connection */
	uint64_t salt; /* see struct payload */
	uint32_t first_client; /* so are numbers: loads of one salt at a time do not share any */
	const char *tenant; /* X-Scope-OrgID, at most LOAD_TENANT_BYTES; NULL: none */
	enum load_refused refused; /* but for LOAD_DROPS, inflight is at most payload_ring() */
	uint64_t
	    patience_ms; /* after a loss so long without an answer is an error; 0: LOAD_PATIENCE_MS */
};

struct load_acked {
	const struct payload *payload; /* of the client */
	uint64_t serial;
	uint64_t acked_mono_ns;
	uint64_t unix_ns; /* the time that the request was patched with */
};

struct load_plan {
	uint64_t duration_ns; /* 0: no limit; starts of calls, not answers */
	uint64_t requests_max; /* 0: no limit; of all clients together */
	double spans_per_s; /* 0: as fast as it goes */
	void (*on_ack)(void *ctx, const struct load_acked *acked); /* may be NULL */
	void *ctx;
	const atomic_bool *stop; /* once it is true no more calls start; may be NULL */
};

struct load_result { /* zeroed before the first use */
	uint64_t requests, spans; /* acknowledged */
	uint64_t refused_requests; /* answers that said so: one sent again counts again */
	uint64_t abandoned_requests; /* refused, to be sent again, and then the run was over */
	uint64_t lost_connections; /* and made again */
	uint64_t
	    unsent_requests; /* due under a rate, but its time was over before their turn came */
	uint64_t body_bytes, wire_bytes; /* of what was acknowledged: protobuf, and as sent */
	uint64_t start_mono_ns, end_mono_ns; /* first call started, last answer came */
	uint64_t cpu_ns; /* of this process */
	bool used_up; /* a client ran out of gzip requests */
	struct latency latency; /* of what was acknowledged */
};

/* Encodes the bodies, and connects once to see whether anybody is there: each run has connections of its own. ERR_UNAVAILABLE. */
MUST_CHECK enum err_code load_new(const struct load_options *opt, struct load **out,
    struct err *err);
void load_free(struct load *l); /* NULL allowed */
/* Have this many more requests ready, of all clients together, in place of what is left of earlier
 * ones. Does nothing without gzip. */
MUST_CHECK enum err_code load_prepare(struct load *l, uint64_t requests, struct err *err);
/* Replaces *out (its memory is reused). On an error what is in it is incomplete. */
MUST_CHECK enum err_code load_run(struct load *l, const struct load_plan *plan,
    struct load_result *out, struct err *err);
void load_result_fini(struct load_result *r);
/* Spans of the requests that were begun since load_run() was called last, whatever became of them. Any thread. */
uint64_t load_started_spans(const struct load *l);

#endif
