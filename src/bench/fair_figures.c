/* SPDX-License-Identifier: Apache-2.0 */
/* bench/fair_figures.c - what the rounds of --greedy come to. */
#include "bench/bench_priv.h"

#include "base/timefmt.h"

#include <math.h>
#include <stdio.h>

static const char missing[] = "too many of those that were due got no answer in time";

static void
set_known(struct report *r, enum figure_id id, double value, const char *why)
{
	if (isfinite(value))
		report_set(r, id, value);
	else
		report_unknown(r, id, why);
}

/* Of acks or of questions: both conditions, and what the second is over the first. */
struct ids {
	enum figure_id alone, beside, ratio;
};

static void
report_pair(struct report *r, const struct fair_result *f, bool acks, double share, struct ids ids)
{
	double alone = fair_quantile(f, false, acks, share);
	double beside = fair_quantile(f, true, acks, share);
	set_known(r, ids.alone, alone, missing);
	set_known(r, ids.beside, beside, missing);
	set_known(r, ids.ratio, beside / alone, missing);
}

/* Of the p99 of a round beside over that of the round before it. One stall of the disk decides a quantile of all rounds, but one
 * pair only. */
static void
report_spread(struct report *r, const struct fair_result *f, bool acks, const enum figure_id ids[3])
{
	static const double shares[] = {0, 0.5, 1};
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		set_known(r, ids[i], fair_pair_ratio(f, acks, 0.99, shares[i]), missing);
}

static void
report_greed(struct bench *b)
{
	struct report *r = &b->report;
	double sent = 0, taken = 0, refused = 0, abandoned = 0, spans = 0, allowed = 0, offered = 0;
	for (uint64_t i = 0; i < b->fair.round_count; i++) {
		const struct fair_greed *g = &b->fair.rounds[i].greedy;
		if (!b->fair.rounds[i].beside)
			continue;
		sent += (double)(g->requests + g->refused);
		taken += (double)g->requests;
		refused += (double)g->refused;
		abandoned += (double)g->abandoned;
		spans += (double)g->spans;
		allowed += b->opt.greedy * (g->seconds + 1);
		offered += b->opt.greedy * g->seconds;
	}
	report_set(r, FIGURE_GREEDY_TIMES, sent * (double)b->opt.spans / offered);
	report_set(r, FIGURE_GREEDY_TAKEN, taken);
	report_set(r, FIGURE_GREEDY_REFUSED, refused);
	report_set(r, FIGURE_GREEDY_LIMITED, b->fair.limited);
	report_set(r, FIGURE_GREEDY_ABANDONED, abandoned);
	report_set(r, FIGURE_GREEDY_SHARE, spans / allowed);
}

static void
report_question(struct bench *b, enum fair_question q, bool beside, const char *key)
{
	struct latency all = {0};
	struct report_query x = {.key = key, .cpu_ms = NAN};
	for (uint64_t i = 0; i < b->fair.round_count; i++) {
		const struct fair_round *round = &b->fair.rounds[i];
		if (round->beside != beside)
			continue;
		latency_merge(&all, &round->modest.questions[q]);
		x.wrong += (double)round->modest.wrong[q];
		if (round->modest.wrong[q] > 0 && !x.why[0])
			snprintf(x.why, sizeof(x.why), "%s", round->modest.first_wrong[q].message);
	}
	snprintf(x.label, sizeof(x.label), "%s, %s", fair_question_label(q),
	    beside ? "beside" : "alone");
	report_query(&b->report, &x, &all);
	latency_fini(&all);
}

static void
report_rounds(struct bench *b)
{
	for (uint64_t i = 0; i < b->fair.round_count; i++) {
		const struct fair_round *x = &b->fair.rounds[i];
		double seconds = x->beside ? x->greedy.seconds : NAN;
		report_fair(&b->report,
		    &(struct report_fair){.beside = x->beside,
		        .acks = (double)x->modest.acks.count,
		        .ack_p50_ms = fair_round_quantile(x, true, 0.5),
		        .ack_p99_ms = fair_round_quantile(x, true, 0.99),
		        .ask_p50_ms = fair_round_quantile(x, false, 0.5),
		        .ask_p99_ms = fair_round_quantile(x, false, 0.99),
		        .greedy_spans_per_s = (double)x->greedy.spans / seconds,
		        .refused_per_s = (double)x->greedy.refused / seconds,
		        .server_cores = x->server_cores,
		        .generator_cores = x->generator_cores});
	}
}

static void
describe(struct bench *b)
{
	struct report *r = &b->report;
	const struct bench_options *o = &b->opt;
	report_condition(r, "tenants",
	    FAIR_MODEST
	    ": %.0f spans/s, a question every %.0f ms; " FAIR_GREEDY
	    ": limited to %.0f spans/s, offers %.0f times that and does not wait, and once, waiting",
	    o->rate, (double)o->ask_ns / 1e6, o->greedy, o->times);
	report_condition(r, "rounds", "%llu alone and %llu beside, in turn, of %.1f s",
	    (unsigned long long)o->rounds, (unsigned long long)o->rounds,
	    (double)o->duration_ns / 1e9);
	report_condition(r, "sums", "%s",
	    b->fair.sums.code == ERR_OK
	        ? "the server has as many spans of each tenant as it acknowledged"
	        : b->fair.sums.message);
	report_condition(r, "asked", "of %llu spans that were there before the first round",
	    (unsigned long long)b->fair.preloaded_spans);
}

void
bench_figures_fair(struct bench *b)
{
	struct report *r = &b->report;
	const struct fair_result *f = &b->fair;
	describe(b);
	report_set(r, FIGURE_SPANS, (double)f->modest_spans);
	report_set(r, FIGURE_REQUESTS, (double)f->modest_requests);
	report_set(r, FIGURE_REFUSED, (double)f->modest_refused);
	report_set(r, FIGURE_TOTAL_SPANS, (double)(f->preloaded_spans + f->modest_spans));
	report_pair(r, f, true, 0.5,
	    (struct ids){FIGURE_ALONE_ACK_P50, FIGURE_BESIDE_ACK_P50, FIGURE_ACK_P50_RATIO});
	report_pair(r, f, true, 0.99,
	    (struct ids){FIGURE_ALONE_ACK_P99, FIGURE_BESIDE_ACK_P99, FIGURE_ACK_P99_RATIO});
	report_spread(r, f, true,
	    (enum figure_id[]){FIGURE_ACK_P99_LEAST, FIGURE_ACK_P99_MEDIAN, FIGURE_ACK_P99_MOST});
	report_pair(r, f, false, 0.5,
	    (struct ids){FIGURE_ALONE_ASK_P50, FIGURE_BESIDE_ASK_P50, FIGURE_ASK_P50_RATIO});
	report_pair(r, f, false, 0.99,
	    (struct ids){FIGURE_ALONE_ASK_P99, FIGURE_BESIDE_ASK_P99, FIGURE_ASK_P99_RATIO});
	report_spread(r, f, false,
	    (enum figure_id[]){FIGURE_ASK_P99_LEAST, FIGURE_ASK_P99_MEDIAN, FIGURE_ASK_P99_MOST});
	report_greed(b);
	report_rounds(b);
#define X(id, key, label)                                                                          \
	report_question(b, FAIR_##id, false, key "_alone");                                        \
	report_question(b, FAIR_##id, true, key "_beside");
	FAIR_QUESTION_TABLE(X)
#undef X
}
