/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/fair.h - what one tenant notices of another that sends many times what it may.
 *
 * Tenant `modest` sends at a steady rate and asks questions at a steady rate; tenant `greedy`, which the server was told
 * a limit for, offers `times` that beside it in every second round: alone, beside, alone, beside ... so that
 * what the machine does meanwhile hits both alike. Before the first round `modest` loads data to ask for; before each the
 * server has loaded all and is idle, as far as that comes within settle_ns.
 *
 * `greedy` is two clients. One offers `times` its limit and does not care when it is told to come back: what was refused is
 * sent again when the next request is due. The other offers its limit once and waits as long as it is told, as
 * clients do. They begin FAIR_LEAD_MS before `modest` does, so that the second's worth that a limit lets in at once is gone.
 *
 * All times of `modest` begin when a request or question was due. What was due and did not get its answer
 * counts as slower than all that did. Every answer is checked (fair_ask.c).
 *
 * In the end the sums must agree: the server has of each tenant as many spans as were acknowledged to it, and has refused greedy as
 * often as greedy heard so. It must have held nothing of the two before.
 *
 * Threading: one owner; clients, questions and greedy have threads of their own while a round lasts.
 */
#ifndef BENCH_FAIR_H
#define BENCH_FAIR_H

#include "bench/latency.h"
#include "bench/ledger.h"
#include "bench/server.h"

#define FAIR_MODEST "modest"
#define FAIR_GREEDY "greedy"

enum { FAIR_PAIRS_MAX = 100, FAIR_LEAD_MS = 1500 };

/* X(id, JSON key, what it is): what modest asks, in turn */
#define FAIR_QUESTION_TABLE(X)                                                                     \
	X(TRACE, "trace", "a trace by its id")                                                     \
	X(SERVICE, "service", "newest 100 of a service")                                           \
	X(SERVICES, "services", "all services")

enum fair_question {
#define X(id, key, label) FAIR_##id,
	FAIR_QUESTION_TABLE(X)
#undef X
	    FAIR_QUESTIONS
};

const char *fair_question_label(enum fair_question q);

struct fair_options {
	struct str grpc; /* ADDR:PORT */
	struct str api; /* "http://HOST:PORT" */
	struct load *modest; /* borrowed; of jaeger, of tenant FAIR_MODEST */
	struct ledger *ledger; /* borrowed; gets what is loaded before the first round */
	struct server *server; /* borrowed */
	uint32_t spans; /* in a request of greedy's */
	double rate; /* of modest, spans a second */
	double limit; /* of greedy, spans a second, as the server was told */
	double times;
	uint64_t pairs; /* of rounds, at most FAIR_PAIRS_MAX */
	uint64_t round_ns;
	uint64_t preload_spans; /* some thousand, so that there is enough to ask for */
	uint64_t ask_every_ns;
	uint64_t drain_ns, settle_ns; /* server_wait_idle() */
	uint64_t seed;
};

/* What modest was answered. */
struct fair_answers {
	struct latency acks;
	uint64_t acks_missing; /* due and not sent in time, or refused */
	struct latency questions[FAIR_QUESTIONS]; /* right answers */
	uint64_t questions_missing; /* due and not asked in time */
	uint64_t wrong[FAIR_QUESTIONS];
	struct err first_wrong[FAIR_QUESTIONS];
};

/* What greedy was answered, both clients together. */
struct fair_greed {
	uint64_t requests, spans; /* acknowledged */
	uint64_t refused, abandoned; /* struct load_result */
	double seconds;
};

struct fair_round {
	bool beside;
	struct fair_answers modest;
	struct fair_greed greedy;
	double server_cores; /* processors in use meanwhile; NAN: not known */
	double generator_cores;
};

struct fair_result { /* zeroed before the first use */
	struct fair_round rounds[2 * FAIR_PAIRS_MAX];
	uint64_t round_count;
	uint64_t preloaded_spans;
	uint64_t modest_spans, modest_requests, modest_refused; /* of the rounds */
	double limited; /* refusals of greedy because of its limit, as /metrics says */
	struct err sums; /* ERR_OK: they agree */
};

/* ERR_DEADLINE: the server did not load all in time. */
MUST_CHECK enum err_code fair_run(const struct fair_options *opt, struct fair_result *out,
    struct err *err);
void fair_result_fini(struct fair_result *r);

/* A quantile in ms of all rounds with or without greedy; acks or questions. NAN: there is none, or it is one of the missing. */
double fair_quantile(const struct fair_result *r, bool beside, bool acks, double share);
/* The same of one round. */
double fair_round_quantile(const struct fair_round *round, bool acks, double share);

/* That of a round beside over that of the round before it; of the pairs, the one at `share`: 0 is the least, 0.5 the median (of
 * two in the middle the larger), 1 the largest. A pair of which one is not known counts as the largest. NAN: that is it. */
double fair_pair_ratio(const struct fair_result *r, bool acks, double quantile, double share);

/* ---- fair_ask.c: a thread that asks */

struct fair_asker;

MUST_CHECK enum err_code fair_asker_open(const struct fair_options *opt, struct fair_asker **out,
    struct err *err);
void fair_asker_close(struct fair_asker *a); /* NULL allowed */
/* Ask from begin_ns to end_ns (clock_mono_ns), adding to *out. */
MUST_CHECK enum err_code fair_asker_start(struct fair_asker *a, uint64_t begin_ns, uint64_t end_ns,
    struct fair_answers *out, struct err *err);
MUST_CHECK enum err_code fair_asker_join(struct fair_asker *a, struct err *err);

#endif
