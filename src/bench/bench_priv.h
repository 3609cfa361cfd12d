/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/bench_priv.h - between bench.c (the run), bench_ask.c (its questions), figures.c, ask_figures.c and
 * fair_figures.c (what it comes to).
 */
#ifndef BENCH_BENCH_PRIV_H
#define BENCH_BENCH_PRIV_H

#include "bench/ask.h"
#include "bench/fair.h"
#include "bench/live.h"
#include "bench/load.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/server.h"
#include "bench/watch.h"

enum { BENCH_GIVE_UP_S = 30 }; /* --visible: a request is then called never seen */

/* The log records, all rounds together. */
struct bench_logs {
	struct load *load; /* NULL: no --logs */
	struct ledger *ledger;
	struct load_result run; /* of the last round */
	uint64_t records, body_bytes, refused;
	/* From the first request until the last answer, until all was loaded. */
	uint64_t acked_ns, loaded_ns;
	uint64_t cpu_ns; /* of the server, until it was idle again */
	bool unsettled; /* that did not come in some round: what it would take is not known */
};

/* The questions while spans are sent. */
struct bench_live {
	struct ask_result answers[ASK_KINDS];
	struct load_result run;
	/* When sending began; when the questions did; after them. */
	struct server_snapshot alone, begin, end;
	struct err sums; /* ERR_OK: in the end the server had what it had acknowledged */
};

struct bench {
	struct bench_options opt;
	char api_url[300];
	struct load *load;
	struct ledger *ledger; /* NULL: no --queries */
	struct server server;
	struct load_result warmup, run; /* the last round */
	uint64_t total_spans; /* acknowledged, of all rounds and the warm-up */
	struct watch_result watch;
	uint64_t begin_unix_ns; /* the last round's */
	struct server_idle idle;
	struct err not_loaded; /* or why that is not known */
	/* Before anything was sent; of the last round: right before it, at its last answer, idle again. */
	struct server_snapshot fresh, before, acked, after;
	double hot_rows; /* when the queries began; -1: the server does not tell */
	struct server_snapshot asked; /* after them */
	struct ask_result answers[ASK_KINDS]; /* when nothing else runs */
	struct bench_logs logs;
	struct bench_live live; /* --live */
	struct fair_result fair; /* --greedy */
	struct report report;
};

/* --logs: its part of the log records, after round number `round`, which is idle again. */
MUST_CHECK enum err_code bench_load_logs(struct bench *b, uint64_t round, struct err *err);
/* --queries, --live */
MUST_CHECK enum err_code bench_ask(struct bench *b, struct err *err);

/* b->report gets an entry for the round that has just been. */
void bench_figures_round(struct bench *b);
/* b->report gets all the rest. */
void bench_figures_all(struct bench *b);
/* b->report gets the answers to --queries and --live, and what was loaded for them. */
void bench_figures_ask(struct bench *b);
/* b->report gets what the rounds of --greedy came to. */
void bench_figures_fair(struct bench *b);

#endif
