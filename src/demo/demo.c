/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo.h"

#include "base/timefmt.h"
#include "demo/shop.h"
#include "grpc/client.h"
#include "sys/clock.h"
#include "sys/rand.h"
#include "sys/signal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
	CONNECT_MS = 5000,
	CALL_TIMEOUT_MS = 10000,
	METRICS_EVERY_MS = 5000,
	HEADER_BYTES = 300
};

struct demo {
	struct str grpc;
	double rate; /* stories a second */
	uint64_t duration_ns; /* 0: until a signal */
	uint64_t history_ns; /* played at once at the beginning, as if it had been */
	uint64_t seed;
	bool quiet;

	struct shop shop;
	struct shop_story story;
	struct buf body;
	struct grpc_client *client;
	struct err reply; /* of the call under way */
	uint64_t sent_stories, sent_spans, sent_logs;
	struct tls_client_files tls;
	char token[HEADER_BYTES], tenant[HEADER_BYTES];
	const char *headers[3]; /* of these; ends with NULL */
};

static const char usage[] =
    "usage: weir demo [options]\n"
    "\n"
    "Plays a small shop of services into a server over OTLP/gRPC: traces with errors and\n"
    "slow calls, logs joined to them, metrics of every kind, an AI agent's runs.\n"
    "\n"
    "  --grpc ADDR:PORT   the server; https://ADDR:PORT for TLS [127.0.0.1:4317; WEIR_GRPC]\n"
    "  --ca FILE          CAs to trust with https:// [the system's; WEIR_CA]\n"
    "  --client-cert FILE certificate to show there [WEIR_CLIENT_CERT]\n"
    "  --client-key FILE  and its key [WEIR_CLIENT_KEY]\n"
    "  --rate N           visitors a second, 0.1 to 1000 [4]\n"
    "  --duration SPAN    stop after this long, e.g. 30s [until Ctrl-C]\n"
    "  --history SPAN     first play this much of the past, 0 for none [10m]\n"
    "  --seed N           the same seed plays the same shop [random]\n"
    "  --quiet            print nothing but errors\n"
    "  --help             print this and exit\n"
    "\n"
    "$WEIR_TOKEN is the key for it, where one is needed, and $WEIR_TENANT the tenant.\n";

static void
on_reply(void *ctx, const struct grpc_reply *reply)
{
	struct demo *d = ctx;
	if (reply->status == 0)
		err_clear(&d->reply);
	else
		err_set(&d->reply, ERR_UNAVAILABLE, "the server said: %.*s (grpc-status %d)",
		    STR_ARG(reply->text), reply->status);
}

static enum err_code
send_body(struct demo *d, const char *service, struct err *err)
{
	char path[96];
	CHECK(!d->body.failed);
	snprintf(path, sizeof(path), "/opentelemetry.proto.collector.%s/Export", service);
	enum err_code code = grpc_client_call(d->client, path, buf_view(&d->body), false,
	    d->headers, on_reply, d, err);
	if (code == ERR_OK)
		code = grpc_client_run(d->client, 0, clock_mono_ns() + CALL_TIMEOUT_MS * NS_PER_MS,
		    err);
	if (code == ERR_OK && d->reply.code != ERR_OK) {
		*err = d->reply;
		code = err->code;
	}
	return code;
}

static enum err_code
play_one(struct demo *d, uint64_t end_ns, struct err *err)
{
	shop_play(&d->shop, end_ns, &d->story);
	shop_encode_spans(&d->story, &d->body);
	enum err_code code = send_body(d, "trace.v1.TraceService", err);
	if (code == ERR_OK && d->story.log_count) {
		shop_encode_logs(&d->story, &d->body);
		code = send_body(d, "logs.v1.LogsService", err);
	}
	d->sent_stories++;
	d->sent_spans += d->story.span_count;
	d->sent_logs += d->story.log_count;
	return code;
}

static enum err_code
send_metrics(struct demo *d, uint64_t now_ns, struct err *err)
{
	shop_encode_metrics(&d->shop, now_ns, &d->body);
	return send_body(d, "metrics.v1.MetricsService", err);
}

/* The past, four stories a minute and the metrics with them. */
static enum err_code
play_history(struct demo *d, struct err *err)
{
	uint64_t now = clock_unix_ns();
	enum err_code code = ERR_OK;
	for (uint64_t at = now - d->history_ns; at < now && code == ERR_OK; at += 15 * NS_PER_S) {
		code = play_one(d, at, err);
		if (code == ERR_OK && (at - (now - d->history_ns)) / NS_PER_S % 60 == 0)
			code = send_metrics(d, at, err);
		if (signal_wait_stop(0))
			break;
	}
	return code;
}

static enum err_code
play_on(struct demo *d, struct err *err)
{
	uint64_t begin = clock_mono_ns();
	uint64_t next_metrics = begin;
	uint64_t pause = (uint64_t)((double)NS_PER_S / d->rate);
	d->shop.next_fails = true; /* so that there is one to look at from the beginning */
	for (uint64_t next = begin;; next += pause) {
		if (d->duration_ns && clock_mono_ns() - begin >= d->duration_ns)
			return ERR_OK;
		if (signal_wait_stop(next))
			return ERR_OK;
		enum err_code code = play_one(d, clock_unix_ns(), err);
		if (code == ERR_OK && clock_mono_ns() >= next_metrics) {
			code = send_metrics(d, clock_unix_ns(), err);
			next_metrics += METRICS_EVERY_MS * NS_PER_MS;
		}
		if (code != ERR_OK)
			return code;
	}
}

static bool
parse_span_or_zero(struct str text, uint64_t *out)
{
	*out = 0;
	return str_eq(text, STR("0")) || time_parse_span(text, out);
}

static bool
set_grpc(struct demo *d, struct str value)
{
	d->grpc = value;
	return value.len > 0;
}

static bool
set_rate(struct demo *d, struct str value)
{
	return str_to_f64(value, &d->rate) && d->rate >= 0.1 && d->rate <= 1000;
}

static bool
set_duration(struct demo *d, struct str value)
{
	return time_parse_span(value, &d->duration_ns);
}

static bool
set_history(struct demo *d, struct str value)
{
	return parse_span_or_zero(value, &d->history_ns) && d->history_ns <= 30 * NS_PER_DAY;
}

static bool
set_seed(struct demo *d, struct str value)
{
	return str_to_u64(value, &d->seed);
}

static bool
set_ca(struct demo *d, struct str value)
{
	d->tls.ca = value;
	return value.len > 0;
}

static bool
set_client_cert(struct demo *d, struct str value)
{
	d->tls.cert = value;
	return value.len > 0;
}

static bool
set_client_key(struct demo *d, struct str value)
{
	d->tls.key = value;
	return value.len > 0;
}

static const struct {
	const char *name;
	bool (*set)(struct demo *d, struct str value);
	const char *expects;
} options[] = {
    {"--grpc", set_grpc, "ADDR:PORT"},
    {"--ca", set_ca, "a file"},
    {"--client-cert", set_client_cert, "a file"},
    {"--client-key", set_client_key, "a file"},
    {"--rate", set_rate, "a number from 0.1 to 1000"},
    {"--duration", set_duration, "a length of time such as 30s or 5m"},
    {"--history", set_history, "a length of time such as 10m, at most 30d, or 0"},
    {"--seed", set_seed, "a whole number"},
};

static size_t
find_option(struct str name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(options) && !str_eq(name, str_from(options[i].name)))
		i++;
	return i;
}

/* -1: go on. */
static int
parse_args(struct demo *d, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		CHECK(argv[i] != NULL);
		struct str name = str_from(argv[i]);
		size_t eq = str_find(name, '=');
		struct str value = str_skip(name, eq + 1);
		bool has_value = eq < name.len;
		name.len = eq;
		if (str_eq(name, STR("--help")) || str_eq(name, STR("-h"))) {
			fputs(usage, stdout);
			return 0;
		}
		if (str_eq(name, STR("--quiet")) && !has_value) {
			d->quiet = true;
			continue;
		}
		size_t which = find_option(name);
		if (which == ARRAY_LEN(options)) {
			fprintf(stderr, "weir demo: unknown option %s; see `weir demo --help`\n",
			    argv[i]);
			return EXIT_USAGE;
		}
		if (!has_value && i + 1 < argc)
			value = str_from(argv[++i]);
		if (!options[which].set(d, value)) {
			fprintf(stderr, "weir demo: %.*s: expected %s, not \"%.*s\"\n",
			    STR_ARG(name), options[which].expects, STR_ARG(value));
			return EXIT_USAGE;
		}
	}
	return -1;
}

static int
play(struct demo *d)
{
	struct err err = {0};
	const struct grpc_client_options opt = {
	    .address = d->grpc, .timeout_ms = CONNECT_MS, .tls = d->tls};
	enum err_code code = grpc_client_open(&opt, &d->client, &err);
	if (code == ERR_OK && !d->quiet)
		printf("weir demo: playing a small shop into %.*s; Ctrl-C ends it\n",
		    STR_ARG(d->grpc));
	fflush(stdout);
	if (code == ERR_OK)
		code = play_history(d, &err);
	if (code == ERR_OK)
		code = play_on(d, &err);
	grpc_client_close(d->client);
	if (code != ERR_OK)
		fprintf(stderr, "weir demo: %s%s\n", err.message,
		    d->sent_stories > 1 ? "" : "; is an OTLP/gRPC server listening there?");
	if (!d->quiet)
		printf("weir demo: played %llu visitors: %llu spans, %llu logs\n",
		    (unsigned long long)d->sent_stories, (unsigned long long)d->sent_spans,
		    (unsigned long long)d->sent_logs);
	return code == ERR_OK ? 0 : EXIT_BAD;
}

/* "name: value" of a variable that is set. False: it is too long. */
static bool
add_header(struct demo *d, char header[HEADER_BYTES], const char *name, const char *variable)
{
	const char *value = getenv(variable);
	size_t n = 0;
	if (!value || !*value)
		return true;
	while (d->headers[n])
		n++;
	CHECK(n + 1 < ARRAY_LEN(d->headers));
	d->headers[n] = header;
	int len = snprintf(header, HEADER_BYTES, "%s: %s", name, value);
	return len > 0 && len < HEADER_BYTES;
}

int
demo_run(int argc, char **argv)
{
	const char *grpc = getenv("WEIR_GRPC");
	struct demo *d = xcalloc(1, sizeof(*d));
	*d = (struct demo){.grpc = str_from(grpc && *grpc ? grpc : "127.0.0.1:4317"),
	    .rate = 4,
	    .history_ns = 600 * NS_PER_S,
	    .seed = rand_u64()};
	d->tls = (struct tls_client_files){.ca = str_from(getenv("WEIR_CA")),
	    .cert = str_from(getenv("WEIR_CLIENT_CERT")),
	    .key = str_from(getenv("WEIR_CLIENT_KEY"))};
	int code = parse_args(d, argc, argv);
	if (code < 0 &&
	    (!add_header(d, d->token, "x-api-key", "WEIR_TOKEN") ||
	        !add_header(d, d->tenant, "x-scope-orgid", "WEIR_TENANT"))) {
		fputs("weir demo: $WEIR_TOKEN or $WEIR_TENANT is too long\n", stderr);
		code = EXIT_USAGE;
	}
	if (code < 0) {
		signal_block_stop();
		shop_init(&d->shop, d->seed, rand_u64(), clock_unix_ns() - d->history_ns);
		code = play(d);
	}
	shop_story_fini(&d->story);
	buf_fini(&d->body);
	free(d);
	return code;
}
