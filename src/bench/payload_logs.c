/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log records of the services of `jaeger`, for those who look for words in them.
 *
 * Record n is of trace n / k of client n % k, where k is the number of the records' own client: clients with smaller
 * numbers send the spans. A body is one of some sentences with numbers, ids, and three words that stand
 * nowhere else: one of ten, one of 10,000, and an id that is the record's own. So that as many records have a word as
 * are claimed, words go round: those of the next ten (10,000) records are the same in another order.
 */
#include "base/bits.h"
#include "base/timefmt.h"
#include "bench/payload_priv.h"

#include <stdio.h>
#include <string.h>

enum {
	RECORD_US = 1, /* from one record of a request to the next */
	OBSERVED_US = 40,
	TRACED = 7, /* of ten records belong to a span */
	SEVERITY_DEBUG = 5,
	SEVERITY_INFO = 9,
	SEVERITY_WARN = 13,
	SEVERITY_ERROR = 17
};

/* $f $r $o: the three words. $d: a small number, $n: any, $h: hexadecimal digits. What stands here contains none of the words. */
static const struct {
	int32_t severity;
	const char *text;
	const char *file;
} sentences[] = {
    {SEVERITY_INFO, "$f: request $o of customer cus_$h took $n us, $d rows read, store $r",
        "/srv/app/dist/http/access.js"},
    {SEVERITY_INFO,
        "GET /v2/$f/$n completed with status 200 in $n us (request $o, store $r, upstream "
        "10.$d.$d.$d:8080, 1 attempt)",
        "/srv/app/dist/http/access.js"},
    {SEVERITY_DEBUG,
        "cache miss for key $f:$h:v$d after $n us, loading it from replica $d; request $o, "
        "store $r",
        "/srv/app/dist/cache/client.js"},
    {SEVERITY_INFO,
        "user usr_$h signed in from 10.$d.$d.$d with okhttp/4.12.$d through $f, request $o, "
        "home store $r, second factor accepted",
        "/srv/app/dist/auth/sign-in.js"},
    {SEVERITY_WARN,
        "slow query in $f: select id, state, total, currency, version, updated_at from orders "
        "where store_id = $1 and deleted_at is null and id = $n limit 1; it took $n us and "
        "returned $d rows; request $o, store $r, plan $h",
        "/srv/app/dist/db/pool.js"},
    {SEVERITY_WARN,
        "retrying the call of $f to http://10.$d.$d.$d:8080/v1/items/$n, attempt $d: connection "
        "reset by peer; request $o, store $r, $n us of its time are left",
        "/srv/app/dist/http/client.js"},
    {SEVERITY_ERROR,
        "could not reserve $n items in store $r: UpstreamTimeoutError: stock.internal did not "
        "answer within $n us\n"
        "    at Timeout.<anonymous> (/srv/app/dist/clients/stock.client.js:118:23)\n"
        "    at listOnTimeout (node:internal/timers:581:17)\n"
        "    at async OrderService.reserve (/srv/app/dist/services/order.js:201:19)\n"
        "component $f, request $o",
        "/srv/app/dist/services/order.js"},
    {SEVERITY_INFO,
        "message $n of partition $d on topic $f.v2 was handled in $n us, lag is now $n; request "
        "$o, store $r, group consumer-$d",
        "/srv/app/dist/queue/consumer.js"},
    {SEVERITY_INFO,
        "order $n of $d items worth $n cents was accepted by $f for store $r, to be sent from "
        "dock $d; request $o",
        "/srv/app/dist/services/order.js"},
    {SEVERITY_DEBUG,
        "feature flags of $f for usr_$h: new-basket=on, one-page=off, region=eu-$d, rollout=$d; "
        "evaluated in $d us, request $o, store $r",
        "/srv/app/dist/flags/evaluate.js"},
};

/* ---- words */

static const char *const frequent[PAYLOAD_LOG_FREQUENT] = {"checkout", "inventory", "payment",
    "shipping", "catalog", "session", "pricing", "gateway", "loyalty", "warranty"};

uint64_t
payload_log_word(enum payload_word kind, uint64_t n)
{
	switch (kind) {
	case PAYLOAD_FREQUENT: return (n * 7 + n / 10 * 3) % PAYLOAD_LOG_FREQUENT;
	case PAYLOAD_RARE: return (n * 7919 + n / 10000 * 37) % PAYLOAD_LOG_RARE;
	case PAYLOAD_ONCE: return n;
	case PAYLOAD_NOWHERE: break;
	}
	CHECK(kind != PAYLOAD_NOWHERE);
	return 0;
}

void
payload_log_word_text(const struct payload *p, enum payload_word kind, uint64_t i,
    char out[PAYLOAD_TEXT_BYTES])
{
	static const char syllables[10][3] = {
	    "ka", "lo", "mi", "nu", "pe", "ra", "so", "ti", "vu", "ze"};
	const char *last = kind == PAYLOAD_NOWHERE ? "xy" : syllables[i % 10];
	switch (kind) {
	case PAYLOAD_FREQUENT:
		CHECK(i < PAYLOAD_LOG_FREQUENT);
		snprintf(out, PAYLOAD_TEXT_BYTES, "%s", frequent[i]);
		return;
	case PAYLOAD_RARE:
	case PAYLOAD_NOWHERE:
		CHECK(i < PAYLOAD_LOG_RARE);
		snprintf(out, PAYLOAD_TEXT_BYTES, "%s%s%s%s", syllables[i / 1000],
		    syllables[i / 100 % 10], syllables[i / 10 % 10], last);
		return;
	case PAYLOAD_ONCE:
		snprintf(out, PAYLOAD_TEXT_BYTES, "req_");
		hex_u64(payload_log_id(p, i), out + 4);
		out[20] = '\0';
		return;
	}
}

/* ---- bodies */

struct writer {
	const struct payload *p;
	uint64_t n, rng;
	char *out;
	size_t len;
};

static void
write_text(struct writer *w, const char *text)
{
	size_t len = strlen(text);
	CHECK(w->len + len <= PAYLOAD_LOG_BODY_BYTES);
	memcpy(w->out + w->len, text, len);
	w->len += len;
}

static void
write_word(struct writer *w, enum payload_word kind)
{
	char text[PAYLOAD_TEXT_BYTES];
	payload_log_word_text(w->p, kind, payload_log_word(kind, w->n), text);
	write_text(w, text);
}

static void
write_number(struct writer *w, uint64_t below)
{
	char digits[24], *at = digits + sizeof(digits) - 1;
	uint64_t v = payload_random(&w->rng) % below;
	*at = '\0';
	do
		*--at = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	write_text(w, at);
}

static void
write_hex(struct writer *w)
{
	char text[17];
	hex_u64(payload_random(&w->rng), text);
	text[10] = '\0';
	write_text(w, text);
}

/* What stands behind a '$'. */
static void
write_slot(struct writer *w, char slot)
{
	switch (slot) {
	case 'f': write_word(w, PAYLOAD_FREQUENT); break;
	case 'r': write_word(w, PAYLOAD_RARE); break;
	case 'o': write_word(w, PAYLOAD_ONCE); break;
	case 'd': write_number(w, 250); break;
	case 'n': write_number(w, 10000000); break;
	case 'h': write_hex(w); break;
	default: write_text(w, (const char[]){'$', slot, '\0'}); break; /* of SQL */
	}
}

static size_t
sentence_of(uint64_t n)
{
	return payload_mix(n) % ARRAY_LEN(sentences);
}

size_t
payload_log_body(const struct payload *p, uint64_t n, char out[PAYLOAD_LOG_BODY_BYTES])
{
	struct writer w = {p, n, payload_log_id(p, n), out, 0};
	for (const char *at = sentences[sentence_of(n)].text; *at; at++) {
		if (*at == '$' && at[1])
			write_slot(&w, *++at);
		else
			write_text(&w, (const char[]){*at, '\0'});
	}
	return w.len;
}

/* Two records of a request are never of the same time. */
uint64_t
payload_log_age(const struct payload *p, uint64_t n)
{
	return (p->spans - n % p->spans) * RECORD_US * NS_PER_US;
}

/* ---- records */

static uint64_t
trace_of(const struct payload *p, uint64_t n, struct payload *spans_out)
{
	CHECK(p->client > 0);
	*spans_out = (struct payload){PAYLOAD_JAEGER, (uint32_t)(n % p->client), 1, p->salt};
	return n / p->client;
}

static unsigned
service_of(const struct payload *p, uint64_t n)
{
	struct payload spans;
	uint64_t trace = trace_of(p, n, &spans);
	return payload_jaeger_service(trace * payload_trace_spans(PAYLOAD_JAEGER));
}

static void
encode_resource(unsigned service, struct otlp_encoder *e)
{
	char name[PAYLOAD_TEXT_BYTES], host[32];
	payload_jaeger_service_text(service, name);
	snprintf(host, sizeof(host), "node-%02u.shop.internal", service);
	otlp_encode_resource(e, STR_EMPTY);
	otlp_encode_attr(e, STR("service.name"), otlp_value_str(str_from(name)));
	otlp_encode_attr(e, STR("service.version"), otlp_value_str(STR("2.8.1")));
	otlp_encode_attr(e, STR("deployment.environment.name"), otlp_value_str(STR("production")));
	otlp_encode_attr(e, STR("host.name"), otlp_value_str(str_from(host)));
	otlp_encode_attr(e, STR("telemetry.sdk.language"), otlp_value_str(STR("nodejs")));
	otlp_encode_scope(e, STR("@opentelemetry/instrumentation-pino"), STR("0.55.0"), STR_EMPTY);
}

static const char *
severity_text(int32_t severity)
{
	switch (severity) {
	case SEVERITY_DEBUG: return "DEBUG";
	case SEVERITY_WARN: return "WARN";
	case SEVERITY_ERROR: return "ERROR";
	default: return "INFO";
	}
}

static void
encode_record(const struct payload *p, uint64_t n, uint64_t now_ns, struct otlp_encoder *e)
{
	char body[PAYLOAD_LOG_BODY_BYTES], thread[32];
	struct payload spans;
	size_t sentence = sentence_of(n);
	uint64_t trace = trace_of(p, n, &spans), random = payload_mix(n);
	struct otlp_value text = otlp_value_str(str_of(body, payload_log_body(p, n, body)));
	struct otlp_log log = {.time_ns = now_ns - payload_log_age(p, n),
	    .severity = sentences[sentence].severity,
	    .severity_text = str_from(severity_text(sentences[sentence].severity)),
	    .body = &text};
	log.observed_ns = log.time_ns + OBSERVED_US * NS_PER_US;
	if (n % 10 < TRACED) {
		uint64_t per = payload_trace_spans(PAYLOAD_JAEGER);
		struct payload_trace_id id = payload_trace_id(&spans, trace);
		log.trace_hi = id.hi;
		log.trace_lo = id.lo;
		log.span_id = payload_span_id(&spans, trace * per + n % per);
		log.flags = 1;
	}
	otlp_encode_log(e, &log);
	snprintf(thread, sizeof(thread), "worker-%u", (unsigned)(random % 16));
	otlp_encode_attr(e, STR("thread.name"), otlp_value_str(str_from(thread)));
	otlp_encode_attr(e, STR("code.file.path"),
	    otlp_value_str(str_from(sentences[sentence].file)));
	otlp_encode_attr(e, STR("code.line.number"), otlp_value_int((int64_t)(random % 400)));
	otlp_encode_attr(e, STR("app.sequence"), otlp_value_int((int64_t)n));
}

void
payload_logs(const struct payload *p, uint64_t first, uint64_t now_ns, struct otlp_encoder *e)
{
	for (unsigned service = 0; service < PAYLOAD_JAEGER_SERVICES; service++) {
		bool begun = false;
		for (uint64_t n = first; n < first + p->spans; n++) {
			if (service_of(p, n) != service)
				continue;
			if (!begun)
				encode_resource(service, e);
			begun = true;
			encode_record(p, n, now_ns, e);
		}
	}
}
