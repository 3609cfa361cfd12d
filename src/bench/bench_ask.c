/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of `weir bench`: the log records that are loaded between the rounds, and the questions in the end.
 */
#include "bench/bench_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"

enum {
	STILL_S = 3, /* rows are not being sealed when they have not become fewer for so long */
	LIVE_INFLIGHT = 16 /* requests on each connection: late ones do not hold up the next */
};

/* ---- log records */

static void
add_logs(struct bench_logs *logs, const struct server_snapshot *before,
    const struct server_snapshot *after, const struct server_idle *idle)
{
	const struct load_result *run = &logs->run;
	logs->records += run->spans;
	logs->body_bytes += run->body_bytes;
	logs->refused += run->refused_requests;
	logs->acked_ns += run->end_mono_ns - run->start_mono_ns;
	logs->loaded_ns += idle->loaded_mono_ns - run->start_mono_ns;
	logs->cpu_ns += after->process.cpu_ns - before->process.cpu_ns;
	logs->unsettled = logs->unsettled || !idle->settled;
}

enum err_code
bench_load_logs(struct bench *b, uint64_t round, struct err *err)
{
	struct bench_logs *logs = &b->logs;
	struct server_snapshot before, after;
	struct server_idle idle;
	uint64_t requests = (b->opt.logs + b->opt.spans - 1) / b->opt.spans, rounds = b->opt.rounds;
	struct load_plan plan = {
	    .requests_max = requests * (round + 1) / rounds - requests * round / rounds,
	    .on_ack = ledger_ack,
	    .ctx = logs->ledger};
	if (plan.requests_max == 0) /* which would be no limit */
		return ERR_OK;
	enum err_code code = server_look(&b->server, &before, err);
	if (code == ERR_OK)
		code = load_run(logs->load, &plan, &logs->run, err);
	if (code == ERR_OK)
		code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &idle, err);
	if (code == ERR_OK)
		code = server_look(&b->server, &after, err);
	if (code == ERR_OK)
		add_logs(logs, &before, &after, &idle);
	return code;
}

/* ---- questions */

static struct ask_options
ask_options_of(const struct bench *b)
{
	return (struct ask_options){.api = str_from(b->api_url),
	    .tls = b->opt.tls,
	    .world = {.ledger = b->ledger,
	        .payload = {b->opt.payload, 0, (uint32_t)b->opt.spans, b->opt.seed}},
	    .logs = b->logs.ledger,
	    .server_pid = b->opt.server_pid,
	    .count = b->opt.queries,
	    .time_max_ns = b->opt.query_ns,
	    .seed = b->opt.seed};
}

/* Behind those of the spans and the one of the log records. */
static struct load_options
live_options_of(const struct bench *b)
{
	return (struct load_options){.grpc = b->opt.grpc,
	    .tls = b->opt.tls,
	    .payload = b->opt.payload,
	    .spans = (uint32_t)b->opt.spans,
	    .connections = (uint32_t)b->opt.connections,
	    .inflight = LIVE_INFLIGHT,
	    .salt = b->opt.seed,
	    .first_client = (uint32_t)b->opt.connections + 1};
}

/* Spans are being sent. */
static enum err_code
ask_beside(struct bench *b, struct ask_options *opt, struct err *err)
{
	enum err_code code = server_look(&b->server, &b->live.alone, err);
	if (code != ERR_OK)
		return code;
	clock_sleep_ns(b->opt.lead_ns);
	code = server_look(&b->server, &b->live.begin, err);
	if (code == ERR_OK)
		code = ask_run(opt, b->live.answers, err);
	if (code == ERR_OK)
		code = server_look(&b->server, &b->live.end, err);
	return code;
}

static enum err_code
ask_live(struct bench *b, struct err *err)
{
	struct load_options load = live_options_of(b);
	struct ask_options opt = ask_options_of(b);
	struct err load_err = {0};
	struct live *live;
	struct server_idle idle;
	enum err_code code = live_start(&load, b->opt.live, &live, err);
	if (code != ERR_OK)
		return code;
	opt.live = live_load(live);
	opt.world.live_first = load.first_client;
	opt.world.live_count = load.connections;
	opt.seed++; /* other questions than before */
	code = ask_beside(b, &opt, err);
	enum err_code load_code = live_stop(live, &b->live.run, &load_err);
	if (code == ERR_OK && load_code != ERR_OK) {
		*err = load_err;
		code = load_code;
	}
	opt.live = NULL;
	if (code == ERR_OK)
		code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &idle, err);
	return code == ERR_OK ? ask_sums(&opt, b->live.run.spans, &b->live.sums, err) : code;
}

enum err_code
bench_ask(struct bench *b, struct err *err)
{
	struct ask_options opt = ask_options_of(b);
	struct server_idle idle;
	enum err_code code =
	    server_wait_sealed(&b->server, STILL_S * NS_PER_S, b->opt.seal_ns, &b->hot_rows, err);
	if (code == ERR_OK)
		code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &idle, err);
	if (code == ERR_OK)
		code = ask_run(&opt, b->answers, err);
	if (code == ERR_OK)
		code = server_look(&b->server, &b->asked, err);
	return code == ERR_OK && b->opt.live > 0 ? ask_live(b, err) : code;
}
