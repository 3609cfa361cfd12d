/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "bench/load.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/server.h"
#include "bench/watch.h"
#include "sys/clock.h"
#include "sys/rand.h"
#include "sys/tcp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_BAD = 1, EXIT_USAGE = 2 };

enum {
	WARMUP_SPANS = 20000, /* gzip: prepared for the warm-up */
	GUESS_SPANS_PER_S = 100000, /* gzip: when there is no warm-up to tell */
	GIVE_UP_S = 30
};

struct bench {
	struct bench_options opt;
	char api_url[300];
	struct load *load;
	struct server server;
	struct load_result warmup, run;
	struct watch_result watch;
	uint64_t loaded_mono_ns; /* all was visible */
	struct err not_loaded; /* or why that is not known */
	/* Before anything was sent, right before the run, at its last answer, idle again. */
	struct server_snapshot fresh, before, acked, after;
	struct report report;
};

/* ---- the run */

static struct load_plan
plan_of(const struct bench *b, uint64_t duration_ns, uint64_t requests)
{
	return (struct load_plan){
	    .duration_ns = duration_ns, .requests_max = requests, .spans_per_s = b->opt.rate};
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
		code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns,
		    &b->loaded_mono_ns, err);
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
	    .share = (double)b->opt.samples / requests,
	    .poll_ns = b->opt.poll_ns,
	    .give_up_ns = GIVE_UP_S * NS_PER_S};
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
measure(struct bench *b, struct err *err)
{
	enum err_code code = server_look(&b->server, &b->fresh, err);
	if (code == ERR_OK)
		code = warm_up(b, err);
	if (code == ERR_OK)
		code = load_prepare(b->load, pool_requests(b), err);
	if (code == ERR_OK)
		code = server_look(&b->server, &b->before, err);
	if (code == ERR_OK)
		code = run_load(b, err);
	if (code != ERR_OK)
		return code;
	/* Too slow is a finding; gone is not. */
	code = server_wait_idle(&b->server, b->opt.drain_ns, b->opt.settle_ns, &b->loaded_mono_ns,
	    &b->not_loaded);
	if (code != ERR_OK && code != ERR_DEADLINE) {
		*err = b->not_loaded;
		return code;
	}
	return server_look(&b->server, &b->after, err);
}

/* ---- what it comes to */

static double
seconds_between(uint64_t from_ns, uint64_t to_ns)
{
	return ((double)to_ns - (double)from_ns) / 1e9;
}

static void
report_load(struct bench *b)
{
	struct report *r = &b->report;
	struct load_result *run = &b->run;
	double spans = (double)run->spans;
	double seconds = seconds_between(run->start_mono_ns, run->end_mono_ns);
	report_set(r, FIGURE_SPANS, spans);
	report_set(r, FIGURE_REQUESTS, (double)run->requests);
	report_set(r, FIGURE_REFUSED, (double)run->refused_requests);
	report_set(r, FIGURE_SECONDS, seconds);
	report_set(r, FIGURE_ACKED_RATE, spans / seconds);
	report_set_quantile(r, FIGURE_ACK_P50, &run->latency, 0.5, "nothing was acknowledged");
	report_set_quantile(r, FIGURE_ACK_P99, &run->latency, 0.99, "nothing was acknowledged");
	report_set_quantile(r, FIGURE_ACK_MAX, &run->latency, 1, "nothing was acknowledged");
	report_set(r, FIGURE_OWN_CPU, (double)run->cpu_ns / 1e3 / spans);
	report_set(r, FIGURE_BODY_BYTES, (double)run->body_bytes / spans);
	report_set(r, FIGURE_WIRE_BYTES, (double)run->wire_bytes / spans);
	report_set(r, FIGURE_TOTAL_SPANS, spans + (double)b->warmup.spans);
}

/* Why what depends on the end of loading is not known; NULL: it is. */
static const char *
loaded_unknown(const struct bench *b)
{
	if (!b->server.http)
		return "needs --api, which tells when all is loaded";
	return b->not_loaded.code != ERR_OK ? b->not_loaded.message : NULL;
}

static void
report_api(struct bench *b)
{
	static const enum figure_id ids[] = {
	    FIGURE_LOADED_RATE, FIGURE_DRAIN_S, FIGURE_WAL_BYTES, FIGURE_COMMIT_SPANS};
	struct report *r = &b->report;
	double spans = (double)b->run.spans;
	const char *why = loaded_unknown(b);
	for (size_t i = 0; i < ARRAY_LEN(ids) && why; i++)
		report_unknown(r, ids[i], why);
	if (!b->server.http)
		return;
	double commits = b->acked.wal_commits - b->before.wal_commits;
	report_set(r, FIGURE_WAL_BYTES, (b->acked.wal_bytes - b->before.wal_bytes) / spans);
	report_set(r, FIGURE_COMMIT_SPANS, spans / commits);
	if (why)
		return;
	report_set(r, FIGURE_LOADED_RATE,
	    spans / seconds_between(b->run.start_mono_ns, b->loaded_mono_ns));
	double drain = seconds_between(b->run.end_mono_ns, b->loaded_mono_ns);
	report_set(r, FIGURE_DRAIN_S, drain);
}

static void
report_process(struct bench *b)
{
	static const enum figure_id ids[] = {FIGURE_CPU, FIGURE_CORES, FIGURE_RSS_IDLE,
	    FIGURE_RSS_LOAD, FIGURE_RSS_END, FIGURE_RSS_PEAK};
	const double mib = 1024 * 1024;
	struct report *r = &b->report;
	double spans = (double)b->run.spans;
	if (!b->server.pid) {
		for (size_t i = 0; i < ARRAY_LEN(ids); i++)
			report_unknown(r, ids[i], "needs --server-pid");
		return;
	}
	uint64_t cpu_ns = b->after.process.cpu_ns - b->before.process.cpu_ns;
	report_set(r, FIGURE_CORES,
	    (double)(b->acked.process.cpu_ns - b->before.process.cpu_ns) /
	        (double)(b->acked.mono_ns - b->before.mono_ns));
	report_set(r, FIGURE_RSS_IDLE, (double)b->fresh.process.resident_bytes / mib);
	report_set(r, FIGURE_RSS_LOAD, (double)b->acked.process.resident_bytes / mib);
	report_set(r, FIGURE_RSS_END, (double)b->after.process.resident_bytes / mib);
	report_set(r, FIGURE_RSS_PEAK, (double)b->after.process.resident_peak_bytes / mib);
	const char *why = loaded_unknown(b);
	if (b->opt.visible)
		why = "what --visible asks the server is in it";
	if (why) {
		report_unknown(r, FIGURE_CPU, why);
		return;
	}
	report_set(r, FIGURE_CPU, (double)cpu_ns / 1e3 / spans);
	report_threads(r, b->before.threads, b->before.thread_count, b->after.threads,
	    b->after.thread_count, cpu_ns, spans);
}

static void
report_disk(struct bench *b)
{
	const struct server_snapshot *x = &b->before, *y = &b->after;
	double grown = (double)(y->disk_bytes - y->disk_log_bytes) -
	    (double)(x->disk_bytes - x->disk_log_bytes);
	if (!b->server.data_dir)
		report_unknown(&b->report, FIGURE_STORE_BYTES, "needs --data-dir");
	else if (loaded_unknown(b))
		report_unknown(&b->report, FIGURE_STORE_BYTES, loaded_unknown(b));
	else if (grown <= 0)
		report_unknown(&b->report, FIGURE_STORE_BYTES, "the store's files did not grow");
	else
		report_set(&b->report, FIGURE_STORE_BYTES, grown / (double)b->run.spans);
}

static void
report_visible(struct bench *b)
{
	struct report *r = &b->report;
	struct watch_result *w = &b->watch;
	char why[ERR_MESSAGE_BYTES] = "no request was followed";
	unsigned long long seen_or_not = w->never_seen + w->visible.count;
	if (!b->opt.visible)
		return;
	if (w->err.code != ERR_OK)
		snprintf(why, sizeof(why), "%s", w->err.message);
	else if (w->never_seen > 0)
		snprintf(why, sizeof(why), "%llu of %llu requests were not visible within %d s",
		    (unsigned long long)w->never_seen, seen_or_not, GIVE_UP_S);
	else if (w->not_followed > 0)
		snprintf(why, sizeof(why), "%llu requests could not be followed: too many waited",
		    (unsigned long long)w->not_followed);
	/* Quantiles of those that were seen would flatter. */
	if (w->err.code != ERR_OK || w->never_seen + w->not_followed > 0)
		latency_clear(&w->visible);
	report_set_quantile(r, FIGURE_VISIBLE_P50, &w->visible, 0.5, why);
	report_set_quantile(r, FIGURE_VISIBLE_P99, &w->visible, 0.99, why);
	report_set_quantile(r, FIGURE_VISIBLE_MAX, &w->visible, 1, why);
	report_set(r, FIGURE_VISIBLE_COUNT, (double)w->visible.count);
	report_set_quantile(r, FIGURE_POLL_P50, &w->gaps, 0.5, "no request was looked for twice");
	report_set_quantile(r, FIGURE_POLL_MAX, &w->gaps, 1, "no request was looked for twice");
}

/* ---- under which conditions */

static void
describe_load(struct bench *b)
{
	struct report *r = &b->report;
	const struct bench_options *o = &b->opt;
	if (o->name.len > 0)
		report_condition(r, "name", "%.*s", STR_ARG(o->name));
	report_condition(r, "payload", "%s, %llu spans a request", payload_name(o->payload),
	    (unsigned long long)o->spans);
	report_condition(r, "encoding",
	    o->gzip ? "OTLP/gRPC, gzip level %d, compressed before the clock ran"
	            : "OTLP/gRPC, not compressed, ids and times patched while it runs",
	    LOAD_GZIP_LEVEL);
	report_condition(r, "connections", "%llu, %llu requests in flight on each",
	    (unsigned long long)o->connections, (unsigned long long)o->inflight);
	if (o->rate > 0)
		report_condition(r, "load", "%.0f spans/s, latency from the time due", o->rate);
	else
		report_condition(r, "load", "closed loop, as fast as it goes%s",
		    b->run.used_up ? "; ended when the prepared requests were used up" : "");
	report_condition(r, "durability", "fdatasync before every answer");
}

static void
describe_machine(struct bench *b)
{
	struct report *r = &b->report;
	struct measure_machine m;
	char now[TIME_RFC3339_BYTES], fs[MEASURE_NAME_BYTES];
	measure_machine(&m);
	time_rfc3339(clock_unix_ns(), now);
	report_condition(r, "date", "%.10s", now);
	report_condition(r, "machine", "%s, %u processors, %.1f GiB, %s", m.cpu[0] ? m.cpu : "?",
	    m.cpus, (double)m.memory_bytes / (1 << 30), m.kernel);
	if (b->opt.data_dir) {
		measure_filesystem(b->opt.data_dir, fs);
		report_condition(r, "disk", "%s", fs);
	}
	report_condition(r, "generator", "%s",
	    tcp_is_loopback(b->opt.grpc) ? "on the same processors as the server"
	                                 : "on another machine than the server, perhaps");
}

static void
print(struct bench *b)
{
	struct buf out = {0};
	describe_load(b);
	describe_machine(b);
	report_load(b);
	report_api(b);
	report_process(b);
	report_disk(b);
	report_visible(b);
	if (b->opt.json)
		report_print_json(&b->report, &out);
	else
		report_print_text(&b->report, &out);
	fwrite(out.ptr, 1, out.len, stdout);
	fflush(stdout);
	buf_fini(&out);
}

/* ---- the command */

static enum err_code
connect_all(struct bench *b, struct err *err)
{
	struct load_options opt = {.grpc = b->opt.grpc,
	    .payload = b->opt.payload,
	    .spans = (uint32_t)b->opt.spans,
	    .gzip = b->opt.gzip,
	    .connections = (uint32_t)b->opt.connections,
	    .inflight = (uint32_t)b->opt.inflight,
	    .salt = b->opt.seed ? b->opt.seed : rand_u64()};
	bool is_url = str_starts(b->opt.api, STR("http"));
	if (b->opt.api.len > 0)
		snprintf(b->api_url, sizeof(b->api_url), "%s%.*s", is_url ? "" : "http://",
		    STR_ARG(b->opt.api));
	enum err_code code =
	    server_open(&b->server, str_from(b->api_url), b->opt.server_pid, b->opt.data_dir, err);
	return code == ERR_OK ? load_new(&opt, &b->load, err) : code;
}

static int
bench_with(struct bench *b)
{
	struct err err = {0};
	enum err_code code = connect_all(b, &err);
	if (code == ERR_OK)
		code = measure(b, &err);
	if (code == ERR_OK)
		print(b);
	else
		fprintf(stderr, "weir bench: %s\n", err.message);
	load_free(b->load);
	server_close(&b->server);
	load_result_fini(&b->warmup);
	load_result_fini(&b->run);
	watch_result_fini(&b->watch);
	return code == ERR_OK ? 0 : EXIT_BAD;
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
	} else if (b->opt.help) {
		struct buf out = {0};
		bench_options_help(&out);
		fwrite(out.ptr, 1, out.len, stdout);
		buf_fini(&out);
		exit_code = 0;
	} else {
		exit_code = bench_with(b);
	}
	free(b);
	return exit_code;
}
