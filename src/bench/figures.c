/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

#include <math.h>
#include <stdio.h>

/* ---- what it comes to */

static double
seconds_between(uint64_t from_ns, uint64_t to_ns)
{
	return ((double)to_ns - (double)from_ns) / 1e9;
}

/* Under a rate, calls that were due and got no yes took longer than all that did. */
static uint64_t
missing_acks(const struct bench *b)
{
	return b->opt.rate > 0 ? b->run.unsent_requests + b->run.refused_requests : 0;
}

static void
report_ack(struct bench *b, enum figure_id id, double share)
{
	char why[ERR_MESSAGE_BYTES] = "nothing was acknowledged";
	uint64_t ns, missing = missing_acks(b);
	if (latency_quantile_with(&b->run.latency, missing, share, &ns)) {
		report_set(&b->report, id, (double)ns / 1e6);
		return;
	}
	if (missing > 0)
		snprintf(why, sizeof(why),
		    "%llu requests that were due were not sent in time or refused",
		    (unsigned long long)missing);
	report_unknown(&b->report, id, why);
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
	if (run->lost_connections > 0)
		report_set(r, FIGURE_LOST, (double)run->lost_connections);
	if (b->opt.rate > 0)
		report_set(r, FIGURE_UNSENT, (double)run->unsent_requests);
	report_set(r, FIGURE_SECONDS, seconds);
	report_set(r, FIGURE_ACKED_RATE, spans / seconds);
	report_ack(b, FIGURE_ACK_P50, 0.5);
	report_ack(b, FIGURE_ACK_P99, 0.99);
	report_ack(b, FIGURE_ACK_MAX, 1);
	report_set(r, FIGURE_OWN_CPU, (double)run->cpu_ns / 1e3 / spans);
	report_set(r, FIGURE_BODY_BYTES, (double)run->body_bytes / spans);
	report_set(r, FIGURE_WIRE_BYTES, (double)run->wire_bytes / spans);
	report_set(r, FIGURE_TOTAL_SPANS, (double)b->total_spans);
}

/* Why what depends on the end of loading is not known; NULL: it is. */
static const char *
loaded_unknown(const struct bench *b)
{
	if (!b->server.http)
		return "needs --api, which tells when all is loaded";
	return b->not_loaded.code != ERR_OK ? b->not_loaded.message : NULL;
}

/* Why the server's CPU time is not known; NULL: it is. */
static const char *
cpu_unknown(const struct bench *b)
{
	if (!b->server.pid)
		return "needs --server-pid";
	if (b->opt.visible)
		return "what --visible asks the server is in it";
	if (loaded_unknown(b))
		return loaded_unknown(b);
	return b->idle.settled ? NULL : "the server was still busy when --settle was over";
}

static double
cpu_us_per_span(const struct bench *b)
{
	uint64_t cpu_ns = b->after.process.cpu_ns - b->before.process.cpu_ns;
	return (double)cpu_ns / 1e3 / (double)b->run.spans;
}

/* A server that does not tell seals at once. */
static void
report_hot_rows(struct bench *b)
{
	if (b->before.has_hot_rows)
		report_set(&b->report, FIGURE_HOT_BEFORE, b->before.hot_rows);
	if (b->after.has_hot_rows)
		report_set(&b->report, FIGURE_HOT_AFTER, b->after.hot_rows);
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
	    spans / seconds_between(b->run.start_mono_ns, b->idle.loaded_mono_ns));
	double drain = seconds_between(b->run.end_mono_ns, b->idle.loaded_mono_ns);
	report_set(r, FIGURE_DRAIN_S, drain);
	report_hot_rows(b);
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
	const char *why = cpu_unknown(b);
	if (why) {
		report_unknown(r, FIGURE_CPU, why);
		return;
	}
	report_set(r, FIGURE_CPU, cpu_us_per_span(b));
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
		    (unsigned long long)w->never_seen, seen_or_not, BENCH_GIVE_UP_S);
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

void
bench_figures_round(struct bench *b)
{
	const struct load_result *run = &b->run;
	double spans = (double)run->spans;
	const char *why = cpu_unknown(b);
	uint64_t ns;
	struct report_round x = {.spans = spans,
	    .total_spans = (double)b->total_spans,
	    .acked_rate = spans / seconds_between(run->start_mono_ns, run->end_mono_ns),
	    .loaded_rate = spans / seconds_between(run->start_mono_ns, b->idle.loaded_mono_ns),
	    .cpu_us_per_span = cpu_us_per_span(b),
	    .ack_p99_ms = NAN,
	    .rss_mib = (double)b->after.process.resident_bytes / (1 << 20),
	    .unsealed_before = b->before.has_hot_rows ? b->before.hot_rows : NAN,
	    .unsealed_after = b->after.has_hot_rows ? b->after.hot_rows : NAN};
	if (latency_quantile_with(&b->run.latency, missing_acks(b), 0.99, &ns))
		x.ack_p99_ms = (double)ns / 1e6;
	if (why) {
		x.cpu_us_per_span = NAN;
		snprintf(x.why, sizeof(x.why), "%s", why);
	}
	if (!b->after.has_process)
		x.rss_mib = NAN;
	if (loaded_unknown(b))
		x.loaded_rate = NAN;
	report_round(&b->report, &x);
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
	if (o->rounds > 1 && o->greedy <= 0)
		report_condition(r, "rounds",
		    "%llu, each when all before was loaded and the server idle; figures of the last",
		    (unsigned long long)o->rounds);
	char looks[24] = "all";
	if (o->looks)
		snprintf(looks, sizeof(looks), "%llu", (unsigned long long)o->looks);
	if (o->visible)
		report_condition(r, "visible",
		    "about %llu requests followed, looked for every %.0f ms, %s traces of each",
		    (unsigned long long)o->samples, (double)o->poll_ns / 1e6, looks);
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
	bool secure = str_starts(b->opt.grpc, STR("https://"));
	struct str address = secure ? str_skip(b->opt.grpc, strlen("https://")) : b->opt.grpc;
	report_condition(r, "transport", "%s", secure ? "TLS" : "clear text");
	report_condition(r, "generator", "%s",
	    tcp_is_loopback(address) ? "on the same processors as the server"
	                             : "on another machine than the server, perhaps");
}

void
bench_figures_all(struct bench *b)
{
	describe_load(b);
	describe_machine(b);
	if (b->opt.greedy > 0) {
		bench_figures_fair(b);
		return;
	}
	report_load(b);
	report_api(b);
	report_process(b);
	report_disk(b);
	report_visible(b);
	bench_figures_ask(b);
}
