/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/ask.h - questions to the API of a server that was loaded with `jaeger` and holds nothing else but the log
 * records of bench/payload.h and what is being sent meanwhile.
 *
 * One after the other on one connection that is kept, one of each kind in turn, so that what the machine and the server do now and then
 * hits all kinds alike. What is measured is from the request to the last byte of the answer, and the CPU time that the server takes
 * meanwhile, with whatever else it does. Every answer is checked, outside of the measured time. Every
 * question is another one, drawn from all there is with the same chance, but for those that have no or few arguments.
 *
 * A question is a row of ASK_TABLE and a function: in ask_spans.c (spans and traces), ask_counts.c (whatever has sums of spans for each
 * service) or ask_logs.c. If there is a goal for it, it is in a row of queryGoals in tools/bench-page.mjs.
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include "base/buf.h"
#include "base/err.h"
#include "bench/answer.h"
#include "bench/latency.h"
#include "bench/ledger.h"
#include "http/client.h"

enum ask_needs { ASK_SPANS, ASK_LOGS };

/* X(id, JSON key, what it is, function, what must have been loaded) */
#define ASK_TABLE(X)                                                                               \
	X(TRACE, "trace", "a trace by its id", ask_trace, ASK_SPANS)                               \
	X(NO_TRACE, "trace_absent", "a trace id that is nowhere", ask_no_trace, ASK_SPANS)         \
	X(ATTRIBUTE, "attribute", "newest 100 by service and an attribute", ask_attribute,         \
	    ASK_SPANS)                                                                             \
	X(NO_ATTRIBUTE, "attribute_absent", "the same, with a value that is nowhere",              \
	    ask_no_attribute, ASK_SPANS)                                                           \
	X(ANYWHERE, "anywhere", "newest 100 by an attribute, of any service", ask_anywhere,        \
	    ASK_SPANS)                                                                             \
	X(NOWHERE, "anywhere_absent", "that, with a value that is nowhere", ask_nowhere,           \
	    ASK_SPANS)                                                                             \
	X(NEWEST, "newest", "newest 100, unfiltered", ask_newest, ASK_SPANS)                       \
	X(SEARCH, "search", "newest 100 traces by service and an attribute", ask_search,           \
	    ASK_SPANS)                                                                             \
	X(SEARCH_ANYWHERE, "search_anywhere", "newest 100 traces by an attribute, of any service", \
	    ask_search_anywhere, ASK_SPANS)                                                        \
	X(SERVICES, "services", "all services", ask_services, ASK_SPANS)                           \
	X(SUMMARY, "summary", "summary of the last hour", ask_summary, ASK_SPANS)                  \
	X(ANOMALIES, "anomalies", "anomalies since, or at, a moment while that was loaded",        \
	    ask_anomalies, ASK_SPANS)                                                              \
	X(SQL_GROUP, "sql_group", "SQL: count and errors by service, of all", ask_sql_group,       \
	    ASK_SPANS)                                                                             \
	X(SQL_QUANTILE, "sql_quantile", "SQL: exact p95 by service, of all", ask_sql_quantile,     \
	    ASK_SPANS)                                                                             \
	X(BODY_FREQUENT, "body_frequent", "newest 100 log bodies with a word of one in ten",       \
	    ask_body_frequent, ASK_LOGS)                                                           \
	X(BODY_RARE, "body_rare", "newest 100 log bodies with a word of one in 10,000",            \
	    ask_body_rare, ASK_LOGS)                                                               \
	X(BODY_ONCE, "body_once", "log bodies with a word that one has", ask_body_once, ASK_LOGS)  \
	X(BODY_ABSENT, "body_absent", "log bodies with a word that is nowhere", ask_body_absent,   \
	    ASK_LOGS)

enum ask_kind {
#define X(id, key, label, fn, needs) ASK_##id,
	ASK_TABLE(X)
#undef X
	    ASK_KINDS
};

const char *ask_key(enum ask_kind kind);
const char *ask_label(enum ask_kind kind);

struct ask_options {
	struct str api; /* "http://HOST:PORT" */
	struct tls_client_files tls;
	struct answer_world world;
	const struct ledger *logs; /* NULL: none were loaded, and none are asked for */
	/* What the clients of world.live_first belong to; NULL: none is sending. */
	const struct load *live;
	uint64_t server_pid; /* 0: not known */
	uint64_t count; /* questions of each kind */
	uint64_t time_max_ns; /* of the answers of each kind; beyond it no more are asked */
	uint64_t seed;
};

struct ask_result {
	struct latency times; /* of right answers */
	uint64_t wrong;
	char why[ERR_MESSAGE_BYTES]; /* what is wrong with the first one */
	uint64_t total_ns; /* of all answers */
	uint64_t cpu_ns; /* that the server took meanwhile, when its process is known */
};

/* Append the path that asks for a whole trace, drawn from the ledger; false when there is none. */
bool ask_trace_path(const struct ledger *l, uint64_t *random, struct buf *path,
    struct payload *p_out, uint64_t *trace_out);
/* Were there questions of this kind with these options? */
bool ask_applies(const struct ask_options *opt, enum ask_kind kind);
/* results: ASK_KINDS of them, zeroed. ERR_UNAVAILABLE and the like when the API cannot be asked. */
MUST_CHECK enum err_code ask_run(const struct ask_options *opt, struct ask_result *results,
    struct err *err);
void ask_results_fini(struct ask_result *results);
/* Nothing is being sent any more: does the server have the ledger's spans and exactly so many more? *wrong says why not. */
MUST_CHECK enum err_code ask_sums(const struct ask_options *opt, uint64_t more, struct err *wrong,
    struct err *err);

#endif
