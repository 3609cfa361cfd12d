/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ask.h"

#include "base/bits.h"
#include "base/buf.h"
#include "base/timefmt.h"
#include "bench/answer.h"
#include "bench/payload_priv.h"
#include "http/client.h"
#include "sys/clock.h"

#include <stdio.h>

enum { LIMIT = 100, ANSWER_BYTES_MAX = 64 << 20, HTTP_TIMEOUT_MS = 60000 };

struct asker {
	const struct ask_options *opt;
	struct http_client *http;
	struct buf path, body;
	uint64_t random;
	int status;
	struct err wrong; /* with the answer */
};

static const struct {
	const char *key, *label;
} table[ASK_KINDS] = {
#define X(id, key, label) {key, label},
    ASK_TABLE(X)
#undef X
};

const char *
ask_key(enum ask_kind kind)
{
	return table[kind].key;
}

const char *
ask_label(enum ask_kind kind)
{
	return table[kind].label;
}

/* Asks for a->path; *ns_out: how long the answer took. */
static enum err_code
get(struct asker *a, uint64_t *ns_out, struct err *err)
{
	uint64_t start = clock_mono_ns();
	enum err_code code =
	    http_client_get(a->http, buf_view(&a->path), &a->status, &a->body, err);
	*ns_out = clock_mono_ns() - start;
	return code;
}

static bool
has_status(struct asker *a, int status)
{
	if (a->status == status)
		return true;
	err_set(&a->wrong, ERR_INVALID, "it answered %d instead of %d", a->status, status);
	return false;
}

/* ---- questions: each asks once and says whether the answer was right */

bool
ask_trace_path(const struct ledger *l, uint64_t *random, struct buf *path, struct payload *p_out,
    uint64_t *trace_out)
{
	char hex[32];
	if (!ledger_pick_trace(l, random, p_out, trace_out))
		return false;
	struct payload_trace_id id = payload_trace_id(p_out, *trace_out);
	hex_u64(id.hi, hex);
	hex_u64(id.lo, hex + 16);
	buf_printf(path, "/api/v1/traces/%.*s", (int)sizeof(hex), hex);
	return true;
}

static enum err_code
ask_trace(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	struct payload p;
	uint64_t trace;
	if (!ask_trace_path(a->opt->ledger, &a->random, &a->path, &p, &trace))
		return err_set(err, ERR_NOT_FOUND, "no whole trace was acknowledged");
	enum err_code code = get(a, ns_out, err);
	*right_out = code == ERR_OK && has_status(a, 200) &&
	    answer_is_trace(buf_view(&a->body), &p, trace, &a->wrong);
	return code;
}

/* Random 128 bits are nobody's id. */
static enum err_code
ask_no_trace(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	char hex[32];
	hex_u64(payload_random(&a->random), hex);
	hex_u64(payload_random(&a->random), hex + 16);
	buf_printf(&a->path, "/api/v1/traces/%.*s", (int)sizeof(hex), hex);
	enum err_code code = get(a, ns_out, err);
	*right_out = code == ERR_OK && has_status(a, 404);
	return code;
}

static enum err_code
ask_spans(struct asker *a, const struct answer_spans *want, uint64_t *ns_out, bool *right_out,
    struct err *err)
{
	buf_printf(&a->path, "/api/v1/traces?limit=%d", LIMIT);
	if (want->service.len > 0)
		buf_printf(&a->path, "&service=%.*s&attribute=%.*s%%3D%.*s", STR_ARG(want->service),
		    STR_ARG(want->key), STR_ARG(want->value));
	enum err_code code = get(a, ns_out, err);
	*right_out = code == ERR_OK && has_status(a, 200) &&
	    answer_is_spans(buf_view(&a->body), want, &a->wrong);
	return code;
}

/* A service and an attribute that some span has, both. */
static bool
pick_attribute(struct asker *a, unsigned *service_out, struct payload_attribute *out)
{
	struct payload p;
	uint64_t trace, per = payload_trace_spans(PAYLOAD_JAEGER);
	if (!ledger_pick_trace(a->opt->ledger, &a->random, &p, &trace))
		return false;
	uint64_t ring_spans = payload_ring(p.kind, p.spans) * p.spans;
	uint64_t span = (trace * per + 1 + payload_random(&a->random) % (per - 1)) % ring_spans;
	*service_out = payload_jaeger_service(span);
	return payload_jaeger_attribute(span,
	    (unsigned)(payload_random(&a->random) % PAYLOAD_JAEGER_ATTRIBUTES), out);
}

static enum err_code
ask_attribute_of(struct asker *a, bool absent, uint64_t *ns_out, bool *right_out, struct err *err)
{
	unsigned service;
	struct payload_attribute attribute;
	char name[PAYLOAD_TEXT_BYTES], key[PAYLOAD_TEXT_BYTES], value[PAYLOAD_TEXT_BYTES];
	if (!pick_attribute(a, &service, &attribute))
		return err_set(err, ERR_NOT_FOUND, "no whole trace was acknowledged");
	uint64_t count = ledger_count(a->opt->ledger, service, attribute);
	payload_jaeger_service_text(service, name);
	payload_jaeger_attribute_text(attribute, key, value);
	if (absent) { /* values end at 999 */
		snprintf(value, sizeof(value), "val_%llu",
		    1000 + (unsigned long long)(payload_random(&a->random) % 9000));
		count = 0;
	}
	struct answer_spans want = {.count = count < LIMIT ? count : LIMIT,
	    .service = str_from(name),
	    .key = str_from(key),
	    .value = str_from(value)};
	return ask_spans(a, &want, ns_out, right_out, err);
}

static enum err_code
ask_attribute(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, false, ns_out, right_out, err);
}

static enum err_code
ask_no_attribute(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	return ask_attribute_of(a, true, ns_out, right_out, err);
}

static enum err_code
ask_newest(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	uint64_t spans = ledger_spans(a->opt->ledger);
	struct answer_spans want = {
	    .count = spans < LIMIT ? spans : LIMIT, .newest_min_ns = a->opt->newest_min_ns};
	return ask_spans(a, &want, ns_out, right_out, err);
}

static enum err_code
ask_services(struct asker *a, uint64_t *ns_out, bool *right_out, struct err *err)
{
	buf_str(&a->path, STR("/api/v1/services"));
	enum err_code code = get(a, ns_out, err);
	*right_out = code == ERR_OK && has_status(a, 200) &&
	    answer_is_services(buf_view(&a->body), ledger_services(a->opt->ledger),
	        ledger_spans(a->opt->ledger), &a->wrong);
	return code;
}

/* ---- all of them */

static enum err_code (*const questions[ASK_KINDS])(struct asker *a, uint64_t *ns_out,
    bool *right_out, struct err *err) = {
    [ASK_TRACE] = ask_trace,
    [ASK_NO_TRACE] = ask_no_trace,
    [ASK_ATTRIBUTE] = ask_attribute,
    [ASK_NO_ATTRIBUTE] = ask_no_attribute,
    [ASK_NEWEST] = ask_newest,
    [ASK_SERVICES] = ask_services,
};

static enum err_code
ask_kind(struct asker *a, enum ask_kind kind, struct ask_result *out, struct err *err)
{
	uint64_t end = clock_mono_ns() + a->opt->time_max_ns;
	for (uint64_t i = 0; i < a->opt->count && clock_mono_ns() < end; i++) {
		uint64_t ns = 0;
		bool right = false;
		buf_reset(&a->path);
		enum err_code code = questions[kind](a, &ns, &right, err);
		if (code != ERR_OK)
			return code;
		if (right)
			latency_add(&out->times, ns);
		else if (out->wrong++ == 0)
			snprintf(out->why, sizeof(out->why), "%s", a->wrong.message);
	}
	return ERR_OK;
}

enum err_code
ask_run(const struct ask_options *opt, struct ask_result *results, struct err *err)
{
	struct asker a = {.opt = opt, .random = opt->seed};
	struct http_client_options http = {.base_url = opt->api,
	    .tls = opt->tls,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = ANSWER_BYTES_MAX};
	enum err_code code = http_client_open(&http, &a.http, err);
	for (int k = 0; k < ASK_KINDS && code == ERR_OK; k++)
		code = ask_kind(&a, (enum ask_kind)k, &results[k], err);
	http_client_close(a.http);
	buf_fini(&a.path);
	buf_fini(&a.body);
	return code;
}

void
ask_results_fini(struct ask_result *results)
{
	for (int k = 0; k < ASK_KINDS; k++)
		latency_fini(&results[k].times);
}
