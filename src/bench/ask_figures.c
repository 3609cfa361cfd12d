/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_priv.h"

#include "base/timefmt.h"

#include <math.h>
#include <stdio.h>

static double
cores_between(const struct server_snapshot *from, const struct server_snapshot *to)
{
	return (double)(to->process.cpu_ns - from->process.cpu_ns) /
	    (double)(to->mono_ns - from->mono_ns);
}

/* CPU time of the server a question, without what it would have taken meanwhile anyway; NAN: not known. */
static double
cpu_ms(const struct bench *b, struct ask_result *a, double cores_anyway)
{
	double asked = (double)(a->times.count + a->wrong);
	if (!b->server.pid || asked <= 0)
		return NAN;
	return ((double)a->cpu_ns - cores_anyway * (double)a->total_ns) / 1e6 / asked;
}

static void
report_queries(struct bench *b, struct ask_result *answers, bool live, double cores_anyway)
{
	const struct ask_options opt = {.logs = b->logs.ledger};
	for (int k = 0; k < ASK_KINDS; k++) {
		struct ask_result *a = &answers[k];
		struct report_query q = {.key = ask_key((enum ask_kind)k),
		    .live = live,
		    .wrong = (double)a->wrong,
		    .cpu_ms = cpu_ms(b, a, cores_anyway)};
		if (k == ASK_SQL_GROUP ||
		    k == ASK_SQL_QUANTILE) /* a statement runs in a process of its own */
			q.cpu_ms = NAN;
		snprintf(q.label, sizeof(q.label), "%s", ask_label((enum ask_kind)k));
		snprintf(q.why, sizeof(q.why), "%s", a->why);
		if (ask_applies(&opt, (enum ask_kind)k))
			report_query(&b->report, &q, &a->times);
	}
}

static void
report_logs(struct bench *b)
{
	struct report *r = &b->report;
	const struct bench_logs *logs = &b->logs;
	double records = (double)logs->records;
	if (!logs->load)
		return;
	report_set(r, FIGURE_LOGS, records);
	report_set(r, FIGURE_LOG_RATE, records * 1e9 / (double)logs->acked_ns);
	report_set(r, FIGURE_LOG_LOADED_RATE, records * 1e9 / (double)logs->loaded_ns);
	report_set(r, FIGURE_LOG_REFUSED, (double)logs->refused);
	report_set(r, FIGURE_LOG_BYTES, (double)logs->body_bytes / records);
	if (!b->server.pid)
		report_unknown(r, FIGURE_LOG_CPU, "needs --server-pid");
	else if (logs->unsettled)
		report_unknown(r, FIGURE_LOG_CPU,
		    "the server was still busy when --settle was over");
	else
		report_set(r, FIGURE_LOG_CPU, (double)logs->cpu_ns / 1e3 / records);
}

/* Calls that were due and got no yes took longer than all that did. */
static void
report_live_ack(struct bench *b, enum figure_id id, double share)
{
	struct load_result *run = &b->live.run;
	uint64_t ns, missing = run->unsent_requests + run->refused_requests;
	if (latency_quantile_with(&run->latency, missing, share, &ns))
		report_set(&b->report, id, (double)ns / 1e6);
	else
		report_unknown(&b->report, id,
		    missing ? "requests that were due were not sent in time or refused"
		            : "nothing was acknowledged");
}

static void
report_live(struct bench *b)
{
	struct report *r = &b->report;
	const struct bench_live *l = &b->live;
	double seconds = (double)(l->run.end_mono_ns - l->run.start_mono_ns) / 1e9;
	report_set(r, FIGURE_LIVE_SPANS, (double)l->run.spans);
	report_set(r, FIGURE_LIVE_RATE, (double)l->run.spans / seconds);
	report_set(r, FIGURE_LIVE_REFUSED, (double)l->run.refused_requests);
	report_set(r, FIGURE_LIVE_UNSENT, (double)l->run.unsent_requests);
	report_live_ack(b, FIGURE_LIVE_ACK_P50, 0.5);
	report_live_ack(b, FIGURE_LIVE_ACK_P99, 0.99);
	report_live_ack(b, FIGURE_LIVE_ACK_MAX, 1);
	if (l->begin.has_hot_rows)
		report_set(r, FIGURE_HOT_LIVE, l->begin.hot_rows);
	if (b->server.pid) {
		report_set(r, FIGURE_LIVE_CORES, cores_between(&l->alone, &l->begin));
		report_set(r, FIGURE_ASKED_CORES, cores_between(&l->begin, &l->end));
	} else {
		report_unknown(r, FIGURE_LIVE_CORES, "needs --server-pid");
		report_unknown(r, FIGURE_ASKED_CORES, "needs --server-pid");
	}
}

static void
describe_queries(struct bench *b)
{
	struct report *r = &b->report;
	const struct bench_options *o = &b->opt;
	report_condition(r, "queries",
	    "%llu of each kind or %.0f s of answers, in turn, one at a time on one connection",
	    (unsigned long long)o->queries, (double)o->query_ns / 1e9);
	if (o->logs > 0)
		report_condition(r, "logs",
		    "%llu records in requests of %llu, a part after each round",
		    (unsigned long long)b->logs.records, (unsigned long long)o->spans);
	if (o->live <= 0)
		return;
	report_condition(r, "live",
	    "%.0f spans/s of the same tenant in requests of %llu on %llu connections, %.0f s before "
	    "the first question and on",
	    o->live, (unsigned long long)o->spans, (unsigned long long)o->connections,
	    (double)o->lead_ns / 1e9);
	if (b->live.sums.code != ERR_OK)
		report_condition(r, "sums", "%s", b->live.sums.message);
	else
		report_condition(r, "sums",
		    "the server has as many spans of each service as it acknowledged");
}

void
bench_figures_ask(struct bench *b)
{
	struct report *r = &b->report;
	if (b->opt.queries == 0)
		return;
	describe_queries(b);
	report_logs(b);
	report_queries(b, b->answers, false, 0);
	if (b->hot_rows >= 0)
		report_set(r, FIGURE_HOT_QUERIES, b->hot_rows);
	if (b->asked.has_process)
		report_set(r, FIGURE_RSS_QUERIES,
		    (double)b->asked.process.resident_bytes / (1 << 20));
	else
		report_unknown(r, FIGURE_RSS_QUERIES, "needs --server-pid");
	if (b->opt.live <= 0)
		return;
	report_live(b);
	report_queries(b, b->live.answers, true,
	    b->server.pid ? cores_between(&b->live.alone, &b->live.begin) : 0);
}
