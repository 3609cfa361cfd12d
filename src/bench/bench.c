/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "bench/bench_priv.h"
#include "sys/clock.h"
#include "sys/rand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_BAD = 1, EXIT_USAGE = 2 };

enum {
	WARMUP_SPANS = 20000, /* gzip: prepared for the warm-up */
	GUESS_SPANS_PER_S = 100000, /* gzip: when there is no warm-up to tell */
	LOG_INFLIGHT = 4 /* at least: there is only one connection of log records */
};

/* ---- the run */

static struct load_plan
plan_of(const struct bench *b, uint64_t duration_ns, uint64_t requests)
{
	return (struct load_plan){.duration_ns = duration_ns,
	    .requests_max = requests,
	    .spans_per_s = b->opt.rate,
	    .on_ack = b->ledger ? ledger_ack : NULL,
	    .ctx = b->ledger};
}

static enum err_code
warm_up(struct bench *b, struct err *err)
{
	if (b->opt.warmup_ns == 0)
		return ERR_OK;
	uint64_t requests = WARMUP_SPANS / b->opt.spans,
	         calls = b->opt.connections * b->opt.inflight;
	if (requests < 4 * calls)
		requests = 4 * calls;
	struct load_plan plan = plan_of(b, b->opt.warmup_ns, 0);
	enum err_code code = load_prepare(b->load, requests, err);
	if (code == ERR_OK)
		code = load_run(b->load, &plan, &b->warmup, err);
	if (code == ERR_OK)
		code =
		    server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &b->idle, err);
	b->total_spans = b->warmup.spans;
	return code;
}

/* How many compressed requests the run may need: half as many again as the warm-up went through
 * in that time, as many as there is memory for. */
static uint64_t
pool_requests(const struct bench *b)
{
	double per_s = b->opt.rate > 0 ? b->opt.rate : (double)GUESS_SPANS_PER_S;
	double wire = 200.0 * (double)b->opt.spans;
	double passed_s = (double)(b->warmup.end_mono_ns - b->warmup.start_mono_ns) / 1e9;
	if (b->warmup.requests > 0) {
		wire = (double)b->warmup.wire_bytes / (double)b->warmup.requests;
		if (b->opt.rate <= 0 && passed_s > 0)
			per_s = 1.5 * (double)b->warmup.spans / passed_s;
	}
	double requests = per_s * (double)b->opt.duration_ns / 1e9 / (double)b->opt.spans;
	if (b->opt.duration_ns == 0 || (b->opt.requests && (double)b->opt.requests < requests))
		requests = (double)b->opt.requests;
	double most = (double)b->opt.pool_bytes / wire;
	return (uint64_t)ceil(requests < most ? requests : most) + b->opt.connections;
}

static enum err_code
start_watch(const struct bench *b, struct watch **out, struct err *err)
{
	double requests = b->opt.rate * (double)b->opt.duration_ns / 1e9 / (double)b->opt.spans;
	if (b->opt.duration_ns == 0)
		requests = (double)b->opt.requests;
	struct watch_options opt = {.api = str_from(b->api_url),
	    .tls = b->opt.tls,
	    .share = (double)b->opt.samples / requests,
	    .poll_ns = b->opt.poll_ns,
	    .looks = b->opt.looks,
	    .give_up_ns = BENCH_GIVE_UP_S * NS_PER_S};
	return watch_start(&opt, out, err);
}

static enum err_code
run_load(struct bench *b, struct err *err)
{
	struct load_plan plan = plan_of(b, b->opt.duration_ns, b->opt.requests);
	struct watch *watch = NULL;
	enum err_code code = ERR_OK;
	if (b->opt.visible)
		code = start_watch(b, &watch, err);
	if (code != ERR_OK)
		return code;
	if (watch) {
		plan.on_ack = watch_offer;
		plan.ctx = watch;
	}
	code = load_run(b->load, &plan, &b->run, err);
	if (code == ERR_OK)
		code = server_look(&b->server, &b->acked, err);
	if (watch)
		watch_stop(watch, &b->watch);
	return code;
}

static enum err_code
run_round(struct bench *b, struct err *err)
{
	enum err_code code = load_prepare(b->load, pool_requests(b), err);
	if (code == ERR_OK)
		code = server_look(&b->server, &b->before, err);
	b->begin_unix_ns = clock_unix_ns();
	if (code == ERR_OK)
		code = run_load(b, err);
	if (code != ERR_OK)
		return code;
	b->total_spans += b->run.spans;
	/* Too slow is a finding; gone is not. */
	code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &b->idle,
	    &b->not_loaded);
	if (code != ERR_OK && code != ERR_DEADLINE) {
		*err = b->not_loaded;
		return code;
	}
	code = server_look(&b->server, &b->after, err);
	if (code == ERR_OK)
		bench_figures_round(b);
	return code;
}

static enum err_code
measure(struct bench *b, struct err *err)
{
	enum err_code code = server_look(&b->server, &b->fresh, err);
	if (code == ERR_OK)
		code = warm_up(b, err);
	/* What is not loaded in time in one round would be in the figures of the next. */
	for (uint64_t i = 0; i < b->opt.rounds && code == ERR_OK && b->not_loaded.code == ERR_OK;
	    i++) {
		code = run_round(b, err);
		if (code == ERR_OK && b->not_loaded.code == ERR_OK)
			code = bench_load_logs(b, i, err);
	}
	if (code == ERR_OK && b->opt.queries > 0 && b->not_loaded.code != ERR_OK) {
		*err = b->not_loaded;
		return err->code;
	}
	return code == ERR_OK && b->opt.queries > 0 ? bench_ask(b, err) : code;
}

/* Another tenant in every second round. */
static enum err_code
measure_fair(struct bench *b, struct err *err)
{
	struct fair_options opt = {.grpc = b->opt.grpc,
	    .api = str_from(b->api_url),
	    .modest = b->load,
	    .ledger = b->ledger,
	    .server = &b->server,
	    .spans = (uint32_t)b->opt.spans,
	    .rate = b->opt.rate,
	    .limit = b->opt.greedy,
	    .times = b->opt.times,
	    .pairs = b->opt.rounds,
	    .round_ns = b->opt.duration_ns,
	    .preload_spans = b->opt.preload_spans,
	    .ask_every_ns = b->opt.ask_ns,
	    .drain_ns = b->opt.drain_ns,
	    .settle_ns = b->opt.settle_ns,
	    .seed = b->opt.seed};
	return fair_run(&opt, &b->fair, err);
}

/* ---- the command */

static void
print(struct bench *b)
{
	struct buf out = {0};
	bench_figures_all(b);
	if (b->opt.json)
		report_print_json(&b->report, &out);
	else
		report_print_text(&b->report, &out);
	fwrite(out.ptr, 1, out.len, stdout);
	fflush(stdout);
	buf_fini(&out);
}

/* One client, numbered behind those of the spans. */
static enum err_code
connect_logs(struct bench *b, struct load_options opt, struct err *err)
{
	opt.payload = PAYLOAD_LOGS;
	opt.gzip = false;
	opt.first_client = opt.connections;
	opt.connections = 1;
	opt.refused = LOAD_RETRIES;
	if (opt.inflight < LOG_INFLIGHT)
		opt.inflight = LOG_INFLIGHT;
	uint64_t ring = payload_ring(PAYLOAD_LOGS, opt.spans);
	if (opt.inflight > ring)
		opt.inflight = (uint32_t)ring;
	b->logs.ledger = ledger_new(PAYLOAD_LOGS, opt.spans, opt.first_client, 1);
	return load_new(&opt, &b->logs.load, err);
}

static enum err_code
connect_all(struct bench *b, struct err *err)
{
	if (b->opt.seed == 0)
		b->opt.seed = rand_u64();
	if (b->opt.queries > 0 || b->opt.greedy > 0)
		b->ledger = ledger_new(b->opt.payload, (uint32_t)b->opt.spans, 0,
		    (uint32_t)b->opt.connections);
	struct load_options opt = {.grpc = b->opt.grpc,
	    .tls = b->opt.tls,
	    .payload = b->opt.payload,
	    .spans = (uint32_t)b->opt.spans,
	    .gzip = b->opt.gzip,
	    .connections = (uint32_t)b->opt.connections,
	    .inflight = (uint32_t)b->opt.inflight,
	    .salt = b->opt.seed,
	    .tenant = b->opt.greedy > 0 ? FAIR_MODEST : NULL};
	bool is_url = str_starts(b->opt.api, STR("http"));
	if (b->opt.api.len > 0)
		snprintf(b->api_url, sizeof(b->api_url), "%s%.*s", is_url ? "" : "http://",
		    STR_ARG(b->opt.api));
	enum err_code code = server_open(&b->server, str_from(b->api_url), &b->opt.tls,
	    b->opt.server_pid, b->opt.data_dir, err);
	if (code == ERR_OK)
		code = load_new(&opt, &b->load, err);
	return code == ERR_OK && b->opt.logs > 0 ? connect_logs(b, opt, err) : code;
}

static bool
all_right(const struct bench *b)
{
	uint64_t wrong = 0;
	for (int k = 0; k < ASK_KINDS; k++)
		wrong += b->answers[k].wrong + b->live.answers[k].wrong;
	for (uint64_t i = 0; i < b->fair.round_count; i++)
		for (int q = 0; q < FAIR_QUESTIONS; q++)
			wrong += b->fair.rounds[i].modest.wrong[q];
	if (wrong > 0)
		fprintf(stderr, "weir bench: %llu answers of the API were wrong\n",
		    (unsigned long long)wrong);
	const struct err *sums = b->fair.sums.code != ERR_OK ? &b->fair.sums : &b->live.sums;
	if (sums->code != ERR_OK)
		fprintf(stderr, "weir bench: %s\n", sums->message);
	return wrong == 0 && sums->code == ERR_OK;
}

static int
bench_with(struct bench *b)
{
	struct err err = {0};
	enum err_code code = connect_all(b, &err);
	if (code == ERR_OK)
		code = b->opt.greedy > 0 ? measure_fair(b, &err) : measure(b, &err);
	if (code == ERR_OK)
		print(b);
	else
		fprintf(stderr, "weir bench: %s\n", err.message);
	bool right = all_right(b);
	load_free(b->load);
	ledger_free(b->ledger);
	load_free(b->logs.load);
	ledger_free(b->logs.ledger);
	server_close(&b->server);
	ask_results_fini(b->answers);
	ask_results_fini(b->live.answers);
	fair_result_fini(&b->fair);
	load_result_fini(&b->warmup);
	load_result_fini(&b->run);
	load_result_fini(&b->logs.run);
	load_result_fini(&b->live.run);
	watch_result_fini(&b->watch);
	return code == ERR_OK && right ? 0 : EXIT_BAD;
}

int
bench_run(int argc, char **argv)
{
	struct err err = {0};
	struct bench *b = xcalloc(1, sizeof(*b));
	int exit_code;
	if (bench_options_parse(argc, argv, &b->opt, &err) != ERR_OK) {
		fprintf(stderr, "weir bench: %s; see `weir bench --help`\n", err.message);
		exit_code = EXIT_USAGE;
	} else {
		exit_code = bench_with(b);
	}
	free(b);
	return exit_code;
}
