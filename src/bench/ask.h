/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ask.h - questions to the API of a server that was loaded with `jaeger` and holds nothing else.
 *
 * One after the other on one connection that is kept; what is measured is from the request to the last
 * byte of the answer. Every answer is checked against the ledger, outside of the measured time. Every question but the
 * two without arguments is another one: drawn from all there is, with the same chance.
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include "base/buf.h"
#include "base/err.h"
#include "bench/latency.h"
#include "bench/ledger.h"
#include "http/client.h"

/* X(id, JSON key, what it is) */
#define ASK_TABLE(X)                                                                               \
	X(TRACE, "trace", "a trace by its id")                                                     \
	X(NO_TRACE, "trace_absent", "a trace id that is nowhere")                                  \
	X(ATTRIBUTE, "attribute", "newest 100 by service and an attribute")                        \
	X(NO_ATTRIBUTE, "attribute_absent", "the same, with a value that is nowhere")              \
	X(NEWEST, "newest", "newest 100, unfiltered")                                              \
	X(SERVICES, "services", "all services")

enum ask_kind {
#define X(id, key, label) ASK_##id,
	ASK_TABLE(X)
#undef X
	    ASK_KINDS
};

const char *ask_key(enum ask_kind kind);
const char *ask_label(enum ask_kind kind);

struct ask_options {
	struct str api; /* "http://HOST:PORT" */
	struct tls_client_files tls;
	const struct ledger *ledger;
	uint64_t count; /* questions of each kind */
	uint64_t time_max_ns; /* of each kind; beyond it no more are asked */
	uint64_t seed;
	uint64_t newest_min_ns; /* unix time: the newest span is no older */
};

struct ask_result {
	struct latency times; /* of right answers */
	uint64_t wrong;
	char why[ERR_MESSAGE_BYTES]; /* what is wrong with the first one */
};

/* Append the path that asks for a whole trace, drawn from the ledger; false when there is none. */
bool ask_trace_path(const struct ledger *l, uint64_t *random, struct buf *path,
    struct payload *p_out, uint64_t *trace_out);
/* results: ASK_KINDS of them, zeroed. ERR_UNAVAILABLE and the like when the API cannot be asked. */
MUST_CHECK enum err_code ask_run(const struct ask_options *opt, struct ask_result *results,
    struct err *err);
void ask_results_fini(struct ask_result *results);

#endif
