/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/watch.h - how long it takes from the answer to a request until the API shows its spans.
 *
 * A thread of its own polls GET /api/v1/traces/{id} for the traces of sampled requests, from the moment
 * the request was acknowledged until every trace (or some of them) shows all its spans. What is measured ends
 * when that answer has come, so it is too long by the time of one query and up to one pause between two
 * polls; the pauses are measured too.
 *
 * Which requests are sampled follows from a hash of their number, so that samples do not fall into step
 * with anything the server does at regular times.
 *
 * Threading: watch_offer() from any thread, all else from the owner's.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include "base/err.h"
#include "bench/latency.h"
#include "bench/load.h"

struct watch;

struct watch_options {
	struct str api; /* "http://HOST:PORT" */
	struct tls_client_files tls;
	double share; /* of the requests that are sampled, 0 to 1 */
	uint64_t poll_ns; /* pause between two polls of a request */
	uint64_t looks; /* traces of a request that are looked for, spread over it; 0: all */
	uint64_t give_up_ns; /* after that a request counts as never seen */
};

struct watch_result {
	struct latency visible; /* from the acknowledgement on */
	struct latency gaps; /* between two polls of one request */
	uint64_t never_seen;
	uint64_t not_followed; /* sampled, but too many were waiting already */
	struct err err; /* the API could not be asked: the rest is incomplete */
};

MUST_CHECK enum err_code watch_start(const struct watch_options *opt, struct watch **out,
    struct err *err);
/* A request was acknowledged. Its spans must make up whole traces. ctx is the watch: fits
 * load_plan.on_ack. */
void watch_offer(void *ctx, const struct load_acked *acked);
/* Wait for what is being followed (at most give_up_ns), end the thread, move the result to *out. */
void watch_stop(struct watch *w, struct watch_result *out); /* frees w */
void watch_result_fini(struct watch_result *r);

/* span_count of an answer of the API; 0 when it has none. */
uint64_t watch_span_count(struct str json);

#endif
