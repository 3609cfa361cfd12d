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
	bool told_to_stop; /* by a signal, while it played the past */

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
		d->told_to_stop = signal_wait_stop(0) != 0;
		if (d->told_to_stop)
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
	struct usage_option o;
	bool (*set)(struct demo *d, struct str value); /* NULL: a switch */
	const char *expects;
} options[] = {
    {{.name = "grpc",
         .value = "ADDR:PORT",
         .help = "the server; https://ADDR:PORT for TLS ($WEIR_GRPC)",
         .fallback = "127.0.0.1:4317"},
        set_grpc, "ADDR:PORT"},
    {{.name = "ca",
         .value = "FILE",
         .help = "CAs to trust with https:// ($WEIR_CA)",
         .fallback = "the system's"},
        set_ca, "a file"},
    {{.name = "client-cert",
         .value = "FILE",
         .help = "certificate to show there ($WEIR_CLIENT_CERT)"},
        set_client_cert, "a file"},
    {{.name = "client-key", .value = "FILE", .help = "and its key ($WEIR_CLIENT_KEY)"},
        set_client_key, "a file"},
    {{.name = "rate", .value = "N", .help = "visitors a second, 0.1 to 1000", .fallback = "4"},
        set_rate, "a number from 0.1 to 1000"},
    {{.name = "duration",
         .value = "SPAN",
         .help = "stop after this long, e.g. 30s",
         .fallback = "until Ctrl-C"},
        set_duration, "a length of time such as 30s or 5m"},
    {{.name = "history",
         .value = "SPAN",
         .help = "first play this much of the past, 0 for none",
         .fallback = "10m"},
        set_history, "a length of time such as 10m, at most 30d, or 0"},
    {{.name = "seed",
         .value = "N",
         .help = "the same seed plays the same shop",
         .fallback = "random"},
        set_seed, "a whole number"},
    {{.name = "quiet", .help = "print nothing but errors"}, NULL, NULL},
};

static void
add_options(struct usage_list *list)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		usage_add(list, &options[i].o);
}

const struct usage demo_usage = {.name = "demo",
    .help = "play a small shop of services into a server",
    .about = "Over OTLP/gRPC: traces with errors and slow calls, logs joined to them, metrics\n"
             "of every kind, an AI agent's runs. $WEIR_TOKEN is the key for it, where one is\n"
             "needed, and $WEIR_TENANT the tenant.\n",
    .example = "weir demo --duration 30s --history 1h",
    .more = add_options};

static size_t
find_option(struct str name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(options) && !str_eq(name, str_from(options[i].o.name)))
		i++;
	return i;
}

static enum err_code
parse_args(struct demo *d, int argc, char **argv, struct err *err)
{
	for (int i = 1; i < argc; i++) {
		CHECK(argv[i] != NULL);
		struct str arg = str_from(argv[i]), name = str_skip(arg, 2);
		size_t eq = str_find(name, '=');
		struct str value = str_skip(name, eq + 1);
		bool has_value = eq < name.len;
		name.len = eq;
		if (!str_starts(arg, STR("--")) || name.len == 0)
			return err_set(err, ERR_INVALID, "unexpected argument \"%.60s\"", argv[i]);
		size_t which = find_option(name);
		if (which == ARRAY_LEN(options))
			return usage_unknown(&demo_usage, name, err);
		if (!options[which].set) {
			d->quiet = true;
			if (has_value)
				return err_set(err, ERR_INVALID, "--quiet takes no value");
			continue;
		}
		if (!has_value && i + 1 < argc)
			value = str_from(argv[++i]);
		if (!options[which].set(d, value))
			return err_set(err, ERR_INVALID, "--%.*s: expected %s, not \"%.*s\"",
			    STR_ARG(name), options[which].expects,
			    value.len < 60 ? (int)value.len : 60, value.ptr);
	}
	return ERR_OK;
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
	if (code == ERR_OK && !d->told_to_stop)
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
	struct err err = {0};
	int exit_code = EXIT_USAGE;
	struct demo *d = xcalloc(1, sizeof(*d));
	*d = (struct demo){.grpc = str_from(grpc && *grpc ? grpc : "127.0.0.1:4317"),
	    .rate = 4,
	    .history_ns = 600 * NS_PER_S,
	    .seed = rand_u64()};
	d->tls = (struct tls_client_files){.ca = str_from(getenv("WEIR_CA")),
	    .cert = str_from(getenv("WEIR_CLIENT_CERT")),
	    .key = str_from(getenv("WEIR_CLIENT_KEY"))};
	enum err_code code = parse_args(d, argc, argv, &err);
	if (code == ERR_OK &&
	    (!add_header(d, d->token, "x-api-key", "WEIR_TOKEN") ||
	        !add_header(d, d->tenant, "x-scope-orgid", "WEIR_TENANT")))
		code = err_set(&err, ERR_INVALID, "$WEIR_TOKEN or $WEIR_TENANT is too long");
	if (code == ERR_OK) {
		signal_block_stop();
		shop_init(&d->shop, d->seed, rand_u64(), clock_unix_ns() - d->history_ns);
		exit_code = play(d);
	} else {
		fprintf(stderr, "weir demo: %s; see `weir demo --help`\n", err.message);
	}
	shop_story_fini(&d->story);
	buf_fini(&d->body);
	free(d);
	return exit_code;
}
