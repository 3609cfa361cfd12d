/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/fair_ask.c - modest's questions, at fixed times, on one connection that is kept.
 *
 * They are about what was loaded before the rounds: a trace of that has all its spans; of a service there are a hundred, newest
 * first; and all services have at least as many spans as were loaded then, while more come in.
 */
#include "bench/fair.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "bench/answer.h"
#include "bench/ask.h"
#include "bench/payload_priv.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdlib.h>

enum { LIMIT = 100, ANSWER_BYTES_MAX = 16 << 20, HTTP_TIMEOUT_MS = 60000 };

struct fair_asker {
	const struct fair_options *opt;
	struct http_client *http;
	struct thread thread;
	struct buf path, body;
	uint64_t random;
	uint64_t begin_ns, end_ns;
	struct fair_answers *out;
	struct err err; /* the API could not be asked */
};

const char *
fair_question_label(enum fair_question q)
{
	static const char *const labels[FAIR_QUESTIONS] = {
#define X(id, key, label) [FAIR_##id] = label,
	    FAIR_QUESTION_TABLE(X)
#undef X
	};
	return labels[q];
}

static enum err_code
get(struct fair_asker *a, bool *found_out, struct err *wrong)
{
	int status = 0;
	enum err_code code =
	    http_client_get(a->http, buf_view(&a->path), &status, &a->body, &a->err);
	*found_out = code == ERR_OK && status == 200;
	if (code == ERR_OK && status != 200)
		err_set(wrong, ERR_INVALID, "it answered %d instead of 200", status);
	return code;
}

static enum err_code
ask_trace(struct fair_asker *a, bool *right_out, struct err *wrong)
{
	struct payload p;
	uint64_t trace;
	if (!ask_trace_path(a->opt->ledger, &a->random, &a->path, &p, &trace))
		return err_set(&a->err, ERR_NOT_FOUND,
		    "no whole trace was acknowledged before the first round");
	enum err_code code = get(a, right_out, wrong);
	*right_out = *right_out && answer_is_trace(buf_view(&a->body), &p, trace, wrong);
	return code;
}

static enum err_code
ask_service(struct fair_asker *a, bool *right_out, struct err *wrong)
{
	char name[PAYLOAD_TEXT_BYTES];
	payload_jaeger_service_text(payload_jaeger_service(1 + payload_random(&a->random) % 1000),
	    name);
	buf_printf(&a->path, "/api/v1/traces?limit=%d&service=%s", LIMIT, name);
	struct answer_spans want = {.count = LIMIT, .service = str_from(name)};
	enum err_code code = get(a, right_out, wrong);
	*right_out = *right_out && answer_is_spans(buf_view(&a->body), &want, wrong);
	return code;
}

static enum err_code
ask_services(struct fair_asker *a, bool *right_out, struct err *wrong)
{
	uint64_t services, spans, loaded[PAYLOAD_JAEGER_SERVICES];
	const struct ledger *l = a->opt->ledger;
	buf_str(&a->path, STR("/api/v1/services"));
	enum err_code code = get(a, right_out, wrong);
	*right_out = *right_out && answer_services(buf_view(&a->body), &services, &spans, wrong);
	if (*right_out && (services != ledger_services(l, loaded) || spans < ledger_spans(l))) {
		err_set(wrong, ERR_INVALID, "%llu services with %llu spans, which are too few",
		    (unsigned long long)services, (unsigned long long)spans);
		*right_out = false;
	}
	return code;
}

static enum err_code
ask_one(struct fair_asker *a, enum fair_question q, uint64_t due_ns)
{
	static enum err_code (*const questions[FAIR_QUESTIONS])(struct fair_asker *a,
	    bool *right_out, struct err *wrong) = {
	    [FAIR_TRACE] = ask_trace,
	    [FAIR_SERVICE] = ask_service,
	    [FAIR_SERVICES] = ask_services,
	};
	struct err wrong = {0};
	bool right = false;
	buf_reset(&a->path);
	enum err_code code = questions[q](a, &right, &wrong);
	uint64_t now = clock_mono_ns();
	if (code != ERR_OK)
		return code;
	if (right)
		latency_add(&a->out->questions[q], now - due_ns);
	else if (a->out->wrong[q]++ == 0)
		a->out->first_wrong[q] = wrong;
	return ERR_OK;
}

static void
ask_main(void *ctx)
{
	struct fair_asker *a = ctx;
	uint64_t every = a->opt->ask_every_ns, due = a->begin_ns;
	for (uint64_t n = 0; due < a->end_ns; n++, due += every) {
		uint64_t now = clock_mono_ns();
		if (now >= a->end_ns)
			break;
		if (now < due)
			clock_sleep_ns(due - now);
		if (ask_one(a, (enum fair_question)(n % FAIR_QUESTIONS), due) != ERR_OK)
			return;
	}
	if (due < a->end_ns)
		a->out->questions_missing += (a->end_ns - 1 - due) / every + 1;
}

enum err_code
fair_asker_open(const struct fair_options *opt, struct fair_asker **out, struct err *err)
{
	struct fair_asker *a = xcalloc(1, sizeof(*a));
	struct http_client_options http = {.base_url = opt->api,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = ANSWER_BYTES_MAX,
	    .tenant = STR(FAIR_MODEST)};
	a->opt = opt;
	a->random = opt->seed;
	*out = a;
	enum err_code code = http_client_open(&http, &a->http, err);
	if (code == ERR_OK)
		return code;
	fair_asker_close(a);
	*out = NULL;
	return code;
}

void
fair_asker_close(struct fair_asker *a)
{
	if (!a)
		return;
	http_client_close(a->http);
	buf_fini(&a->path);
	buf_fini(&a->body);
	free(a);
}

enum err_code
fair_asker_start(struct fair_asker *a, uint64_t begin_ns, uint64_t end_ns, struct fair_answers *out,
    struct err *err)
{
	a->begin_ns = begin_ns;
	a->end_ns = end_ns;
	a->out = out;
	err_clear(&a->err);
	return thread_start(&a->thread, "ask", ask_main, a, err);
}

enum err_code
fair_asker_join(struct fair_asker *a, struct err *err)
{
	thread_join(&a->thread);
	if (a->err.code != ERR_OK)
		*err = a->err;
	return a->err.code;
}
