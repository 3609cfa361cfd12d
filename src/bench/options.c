/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include "bench/bench.h"

#include "base/timefmt.h"
#include "bench/fair.h"
#include "bench/load.h"
#include "bench/report.h"

#include <stddef.h>
#include <stdio.h>

enum kind { SWITCH, TEXT, PATH, COUNT, RATE, SPAN, SPAN_OR_ZERO, PAYLOAD, FORMAT };

/* X(option, kind, field, smallest, largest, metavar, help); the range is for COUNT. */
#define OPTION_TABLE(X)                                                                            \
	X("grpc", TEXT, grpc, 0, 0, "ADDR:PORT", "the server [127.0.0.1:4317]")                    \
	X("api", TEXT, api, 0, 0, "ADDR:PORT", "its API: tells when all is loaded [none]")         \
	X("ca", TEXT, tls.ca, 0, 0, "FILE",                                                        \
	    "CAs to trust where these are https:// [the system's]")                                \
	X("client-cert", TEXT, tls.cert, 0, 0, "FILE", "certificate to show there [none]")         \
	X("client-key", TEXT, tls.key, 0, 0, "FILE", "and its key [none]")                         \
	X("server-pid", COUNT, server_pid, 1, INT32_MAX, "PID",                                    \
	    "its process: CPU time and memory [none]")                                             \
	X("data-dir", PATH, data_dir, 0, 0, "DIR", "its data folder: bytes on disk [none]")        \
	X("payload", PAYLOAD, payload, 0, 0, "KIND", "what requests hold; sdk if not said")        \
	X("spans", COUNT, spans, 1, PAYLOAD_SPANS_MAX, "N", "in a request [512]")                  \
	X("gzip", SWITCH, gzip, 0, 0, NULL, "compress, before the clock runs")                     \
	X("connections", COUNT, connections, 1, LOAD_CLIENTS_MAX, "N", "one thread each [4]")      \
	X("inflight", COUNT, inflight, 1, LOAD_INFLIGHT_MAX, "N",                                  \
	    "requests in flight on each connection [4]")                                           \
	X("seconds", SPAN, duration_ns, 0, 0, "SPAN",                                              \
	    "how long requests are sent [10s; no limit with --requests]")                          \
	X("requests", COUNT, requests, 1, UINT64_C(1000000000), "N", "stop after so many [none]")  \
	X("rate", RATE, rate, 0, 0, "N", "spans a second [as many as go; 1000 with --visible]")    \
	X("warm-up", SPAN_OR_ZERO, warmup_ns, 0, 0, "SPAN", "load before that, not counted [1s]")  \
	X("pool-bytes", COUNT, pool_bytes, 1 << 20, UINT64_C(1) << 36, "N",                        \
	    "memory for compressed requests [256 MiB]")                                            \
	X("visible", SWITCH, visible, 0, 0, NULL,                                                  \
	    "measure how long after its answer a request shows in the API")                        \
	X("samples", COUNT, samples, 1, 1000000, "N", "requests --visible follows, about [400]")   \
	X("looks", COUNT, looks, 1, 10000, "N",                                                    \
	    "traces of each of these to look for, spread over it [all]")                           \
	X("poll", SPAN, poll_ns, 0, 0, "SPAN", "pause between two looks of --visible [5ms]")       \
	X("rounds", COUNT, rounds, 1, REPORT_ROUNDS_MAX, "N",                                      \
	    "run the load so often, each time on top of all before; pairs with --greedy [1]")      \
	X("queries", COUNT, queries, 1, 1000000, "N",                                              \
	    "then ask N questions of each kind; the server holds nothing else [none]")             \
	X("query-time", SPAN, query_ns, 0, 0, "SPAN", "ask at most so long for each kind [60s]")   \
	X("seal-wait", SPAN_OR_ZERO, seal_ns, 0, 0, "SPAN",                                        \
	    "wait before that while rows are being sealed, at most so long [120s]")                \
	X("logs", COUNT, logs, 1, UINT64_C(1000000000), "N",                                       \
	    "and N log records, a part after each round, for questions about their words [none]")  \
	X("live", RATE, live, 0, 0, "N",                                                           \
	    "then ask all again while N spans a second are sent [none]")                           \
	X("live-lead", SPAN, lead_ns, 0, 0, "SPAN",                                                \
	    "send them so long before the first question [15s]")                                   \
	X("greedy", RATE, greedy, 0, 0, "N",                                                       \
	    "tenant modest alone, then beside tenant greedy, who may send N spans/s [none]")       \
	X("times", RATE, times, 0, 0, "N", "what greedy offers: so many times that [10]")          \
	X("preload", COUNT, preload_spans, 5000, UINT64_C(1000000000), "N",                        \
	    "spans of modest that are there before, instead of a warm-up [200000]")                \
	X("ask-every", SPAN, ask_ns, 0, 0, "SPAN",                                                 \
	    "from one question of modest to the next [25ms]")                                      \
	X("drain", SPAN, drain_ns, 0, 0, "SPAN", "wait at most so long for the loader [120s]")     \
	X("settle", SPAN_OR_ZERO, settle_ns, 0, 0, "SPAN",                                         \
	    "then so long for the server to be idle [60s]")                                        \
	X("seed", COUNT, seed, 0, UINT64_MAX, "N", "other ids [random]")                           \
	X("name", TEXT, name, 0, 0, "TEXT", "of this run, for the report")                         \
	X("output", FORMAT, json, 0, 0, "FORMAT", "how to print; text if not said")

static const struct row {
	const char *name;
	enum kind kind;
	size_t off;
	uint64_t min, max;
	const char *metavar;
	const char *help;
} rows[] = {
#define X(name, kind, field, min, max, metavar, help)                                              \
	{name, kind, offsetof(struct bench_options, field), min, max, metavar, help},
    OPTION_TABLE(X)
#undef X
};

static const struct row *
find_row(struct str name)
{
	if (str_eq(name, STR("-o")))
		return find_row(STR("--output"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_starts(name, STR("--")) &&
		    str_eq(str_skip(name, 2), str_from(rows[i].name)))
			return &rows[i];
	return NULL;
}

static bool
parse_format(struct str value, bool *json_out)
{
	*json_out = str_eq(value, STR("json"));
	return *json_out || str_eq(value, STR("text"));
}

static bool
parse_count(const struct row *row, struct str value, uint64_t *out)
{
	return str_to_u64(value, out) && *out >= row->min && *out <= row->max;
}

/* argv's strings end with a NUL, and a value is the end of one. */
static bool
parse_value(const struct row *row, struct str value, void *field)
{
	switch (row->kind) {
	case SWITCH: return false;
	case TEXT: *(struct str *)field = value; return value.len > 0;
	case PATH: *(const char **)field = value.ptr; return value.len > 0;
	case COUNT: return parse_count(row, value, field);
	case RATE:
		return str_to_f64(value, field) && *(double *)field >= 1 && *(double *)field <= 1e9;
	case SPAN: return time_parse_span(value, field);
	case SPAN_OR_ZERO:
		*(uint64_t *)field = 0;
		return str_eq(value, STR("0")) || time_parse_span(value, field);
	case PAYLOAD: return payload_parse(value, field);
	case FORMAT: return parse_format(value, field);
	}
	return false;
}

static enum err_code
bad_value(const struct row *row, struct str value, struct err *err)
{
	struct str shown = {value.ptr, value.len < 60 ? value.len : 60};
	if (row->kind == COUNT)
		return err_set(err, ERR_INVALID,
		    "--%s must be a number from %llu to %llu: \"%.*s\"", row->name,
		    (unsigned long long)row->min, (unsigned long long)row->max, STR_ARG(shown));
	return err_set(err, ERR_INVALID, "--%s: \"%.*s\" will not do", row->name, STR_ARG(shown));
}

static enum err_code
unknown(struct str name, struct err *err)
{
	if (str_starts(name, STR("--")) && name.len > 2)
		return usage_unknown(&bench_usage, str_skip(name, 2), err);
	return err_set(err, ERR_INVALID, "there is no option %.*s",
	    name.len < 60 ? (int)name.len : 60, name.ptr);
}

/* argv[*i]: moves *i on when the value is the next argument. */
static enum err_code
parse_one(int argc, char **argv, int *i, struct bench_options *out, struct err *err)
{
	CHECK(argv[*i] != NULL);
	struct str arg = str_from(argv[*i]), name = {arg.ptr, str_find(arg, '=')};
	const struct row *row = find_row(name);
	bool has_value = name.len < arg.len;
	struct str value = str_skip(arg, name.len + 1);
	if (!row)
		return unknown(name, err);
	char *field = (char *)out + row->off;
	if (row->kind == SWITCH && !has_value) {
		*(bool *)field = true;
		return ERR_OK;
	}
	if (!has_value && *i + 1 == argc)
		return err_set(err, ERR_INVALID, "--%s needs a value: %s", row->name, row->metavar);
	if (!has_value)
		value = str_from(argv[++*i]);
	return parse_value(row, value, field) ? ERR_OK : bad_value(row, value, err);
}

/* --greedy: what it needs, and what its rounds are made of. */
static enum err_code
complete_fair(struct bench_options *o, struct err *err)
{
	if (o->visible || o->queries > 0 || o->gzip || o->requests > 0 || o->logs || o->live > 0)
		return err_set(err, ERR_INVALID,
		    "--greedy goes with none of --visible, --queries, --logs, --live, --gzip and "
		    "--requests");
	if (o->api.len == 0 || o->payload != PAYLOAD_JAEGER)
		return err_set(err, ERR_INVALID, "--greedy needs --api and --payload jaeger");
	if (o->rounds > FAIR_PAIRS_MAX)
		return err_set(err, ERR_INVALID, "--rounds is at most %d with --greedy",
		    (int)FAIR_PAIRS_MAX);
	if (o->spans == 0)
		o->spans = 50;
	if (o->rate <= 0)
		o->rate = 5000;
	return ERR_OK;
}

/* --visible: the same. */
static enum err_code
complete_visible(struct bench_options *o, struct err *err)
{
	if (o->rounds > 1 || o->queries > 0)
		return err_set(err, ERR_INVALID,
		    "--visible goes with neither --rounds nor --queries");
	if (o->rate <= 0)
		o->rate = 1000;
	uint64_t per = payload_trace_spans(o->payload);
	if (o->spans % per != 0)
		return err_set(err, ERR_INVALID,
		    "--visible needs whole traces: --spans must be a multiple of %llu",
		    (unsigned long long)per);
	return ERR_OK;
}

/* What goes together, and defaults that follow from other options. */
static enum err_code
complete(struct bench_options *o, struct err *err)
{
	if (o->duration_ns == 0 && o->requests == 0)
		o->duration_ns = 10 * NS_PER_S;
	if (o->greedy > 0)
		return complete_fair(o, err);
	if (o->spans == 0)
		o->spans = o->visible ? 10 : 512;
	if (o->api.len == 0 && (o->visible || o->rounds > 1 || o->queries > 0))
		return err_set(err, ERR_INVALID, "--%s needs --api",
		    o->visible           ? "visible"
		        : o->queries > 0 ? "queries"
		                         : "rounds");
	if (o->queries > 0 && o->payload != PAYLOAD_JAEGER)
		return err_set(err, ERR_INVALID, "--queries needs --payload jaeger");
	if (o->queries == 0 && (o->logs > 0 || o->live > 0))
		return err_set(err, ERR_INVALID, "--%s goes with --queries only",
		    o->logs ? "logs" : "live");
	return o->visible ? complete_visible(o, err) : ERR_OK;
}

enum err_code
bench_options_parse(int argc, char **argv, struct bench_options *out, struct err *err)
{
	*out = (struct bench_options){.grpc = STR("127.0.0.1:4317"),
	    .payload = PAYLOAD_SDK,
	    .connections = 4,
	    .inflight = 4,
	    .warmup_ns = NS_PER_S,
	    .pool_bytes = UINT64_C(256) << 20,
	    .drain_ns = 120 * NS_PER_S,
	    .settle_ns = 60 * NS_PER_S,
	    .rounds = 1,
	    .query_ns = 60 * NS_PER_S,
	    .seal_ns = 120 * NS_PER_S,
	    .lead_ns = 15 * NS_PER_S,
	    .poll_ns = 5 * NS_PER_MS,
	    .samples = 400,
	    .times = 10,
	    .preload_spans = 200000,
	    .ask_ns = 25 * NS_PER_MS};
	for (int i = 1; i < argc; i++) {
		enum err_code code = parse_one(argc, argv, &i, out, err);
		if (code != ERR_OK)
			return code;
	}
	return complete(out, err);
}

/* ---- help */

static const char *
words_of(enum kind kind)
{
	switch (kind) {
	case PAYLOAD: return "sdk|jaeger";
	case FORMAT: return "text|json";
	case SWITCH:
	case TEXT:
	case PATH:
	case COUNT:
	case RATE:
	case SPAN:
	case SPAN_OR_ZERO: break;
	}
	return NULL;
}

static void
add_options(struct usage_list *list)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct usage_option o = {.value = rows[i].metavar,
		    .help = rows[i].help,
		    .words = words_of(rows[i].kind)};
		snprintf(o.name, sizeof(o.name), "%s", rows[i].name);
		o.letter = rows[i].kind == FORMAT ? 'o' : 0;
		usage_add(list, &o);
	}
}

const struct usage bench_usage = {.name = "bench",
    .help = "load a server and print what it cost",
    .about = "Sends a running server requests made beforehand, over OTLP/gRPC, and says what\n"
             "it took: spans a second, CPU time, latency, memory, bytes on disk.\n"
             "\n"
             "A SPAN of time is 500ms, 10s, 2m. Without --api, --server-pid and --data-dir the\n"
             "figures that need them are shown as \"-\".\n",
    .example = "weir bench --api 127.0.0.1:7700 --payload jaeger --seconds 30s",
    .more = add_options};
