/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ask.h"

#include "base/timefmt.h"
#include "bench/ask_priv.h"
#include "bench/payload_priv.h"
#include "sys/clock.h"
#include "sys/measure.h"

#include <stdio.h>

enum { ANSWER_BYTES_MAX = 64 << 20, HTTP_TIMEOUT_MS = 60000 };

static const struct {
	const char *key, *label;
	enum err_code (*ask)(struct asker *a, bool *right_out, struct err *err);
	enum ask_needs needs;
} table[ASK_KINDS] = {
#define X(id, key, label, fn, needs) {key, label, fn, needs},
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

bool
ask_applies(const struct ask_options *opt, enum ask_kind kind)
{
	return table[kind].needs == ASK_SPANS || opt->logs;
}

/* ---- for the questions */

/* 0 when the process is not known. */
static enum err_code
server_cpu(const struct asker *a, uint64_t *ns_out, struct err *err)
{
	struct measure_process process = {0};
	enum err_code code = ERR_OK;
	if (a->opt->server_pid)
		code = measure_process(a->opt->server_pid, &process, err);
	*ns_out = process.cpu_ns;
	return code;
}

static enum err_code
exchange(struct asker *a, const struct http_client_request *req, struct err *err)
{
	uint64_t cpu_before, cpu_after = 0;
	struct http_client_answer answer = {.body = &a->body};
	enum err_code code = server_cpu(a, &cpu_before, err);
	if (code != ERR_OK)
		return code;
	uint64_t start = clock_mono_ns();
	code = http_client_exchange(a->http, req, &answer, err);
	a->ns = clock_mono_ns() - start;
	a->status = answer.status;
	if (code == ERR_OK)
		code = server_cpu(a, &cpu_after, err);
	a->cpu_ns = cpu_after - cpu_before;
	return code;
}

enum err_code
ask_get(struct asker *a, struct err *err)
{
	struct http_client_request req = {.method = "GET", .path_and_query = buf_view(&a->path)};
	return exchange(a, &req, err);
}

enum err_code
ask_post(struct asker *a, struct str json, struct err *err)
{
	struct http_client_request req = {.method = "POST",
	    .path_and_query = buf_view(&a->path),
	    .content_type = "application/json",
	    .body = json};
	return exchange(a, &req, err);
}

bool
ask_has_status(struct asker *a, int status)
{
	if (a->status == status)
		return true;
	err_set(&a->wrong, ERR_INVALID, "it answered %d instead of %d", a->status, status);
	return false;
}

/* ---- all of them */

static enum err_code
ask_once(struct asker *a, enum ask_kind kind, struct ask_result *out, struct err *err)
{
	bool right = false;
	buf_reset(&a->path);
	err_clear(&a->wrong);
	a->ns = a->cpu_ns = 0;
	enum err_code code = table[kind].ask(a, &right, err);
	if (code != ERR_OK)
		return code;
	out->total_ns += a->ns;
	out->cpu_ns += a->cpu_ns;
	if (right)
		latency_add(&out->times, a->ns);
	else if (out->wrong++ == 0)
		snprintf(out->why, sizeof(out->why), "%s", a->wrong.message);
	return ERR_OK;
}

static enum err_code
ask_all(struct asker *a, struct ask_result *results, struct err *err)
{
	for (uint64_t i = 0; i < a->opt->count; i++) {
		for (int k = 0; k < ASK_KINDS; k++) {
			enum ask_kind kind = (enum ask_kind)k;
			if (!ask_applies(a->opt, kind) ||
			    results[k].total_ns >= a->opt->time_max_ns)
				continue;
			enum err_code code = ask_once(a, kind, &results[k], err);
			if (code != ERR_OK)
				return code;
		}
	}
	return ERR_OK;
}

static enum err_code
open_asker(struct asker *a, const struct ask_options *opt, struct err *err)
{
	struct http_client_options http = {.base_url = opt->api,
	    .tls = opt->tls,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = ANSWER_BYTES_MAX};
	*a = (struct asker){.opt = opt, .random = opt->seed};
	return http_client_open(&http, &a->http, err);
}

static void
close_asker(struct asker *a)
{
	http_client_close(a->http);
	buf_fini(&a->path);
	buf_fini(&a->body);
}

enum err_code
ask_run(const struct ask_options *opt, struct ask_result *results, struct err *err)
{
	struct asker a;
	enum err_code code = open_asker(&a, opt, err);
	if (code == ERR_OK)
		code = ask_all(&a, results, err);
	close_asker(&a);
	return code;
}

void
ask_results_fini(struct ask_result *results)
{
	for (int k = 0; k < ASK_KINDS; k++)
		latency_fini(&results[k].times);
}

/* ---- in the end */

enum err_code
ask_sums(const struct ask_options *opt, uint64_t more, struct err *wrong, struct err *err)
{
	struct asker a;
	uint64_t found = 0, spans[PAYLOAD_JAEGER_SERVICES];
	uint64_t sum = ledger_spans(opt->world.ledger) + more;
	(void)ledger_services(opt->world.ledger, spans);
	enum err_code code = open_asker(&a, opt, err);
	if (code == ERR_OK) {
		buf_str(&a.path, STR("/api/v1/services"));
		code = ask_get(&a, err);
	}
	if (code == ERR_OK && ask_has_status(&a, 200) &&
	    answer_is_counts(buf_view(&a.body), &answer_services_counts, spans, more, &found,
	        &a.wrong) &&
	    found != sum)
		err_set(&a.wrong, ERR_INVALID, "the server has %llu spans, and acknowledged %llu",
		    (unsigned long long)found, (unsigned long long)sum);
	*wrong = a.wrong;
	close_asker(&a);
	return code;
}
