/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fair.h"

#include "base/timefmt.h"
#include "bench/answer.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GREEDY_INFLIGHT = 16, HTTP_TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 1 << 20 };

/* One of the two clients of greedy, on a thread that runs its load. */
struct client {
	struct load *load;
	struct load_plan plan;
	struct load_result result;
	struct thread thread;
	struct err err;
};

enum { WAITS, INSISTS, CLIENTS };

struct fair {
	const struct fair_options *opt;
	struct fair_result *out;
	struct client greedy[CLIENTS];
	uint64_t greedy_spans, greedy_refused; /* of all rounds */
	struct fair_asker *asker;
	struct load_result modest;
};

/* ---- one round */

static void
client_main(void *ctx)
{
	struct client *c = ctx;
	(void)!load_run(c->load, &c->plan, &c->result, &c->err);
}

static enum err_code
start_greedy(struct fair *f, struct err *err)
{
	const struct fair_options *o = f->opt;
	enum err_code code = ERR_OK;
	for (int i = 0; i < CLIENTS && code == ERR_OK; i++) {
		struct client *c = &f->greedy[i];
		c->plan = (struct load_plan){.duration_ns = o->round_ns + FAIR_LEAD_MS * NS_PER_MS,
		    .spans_per_s = i == INSISTS ? o->times * o->limit : o->limit};
		err_clear(&c->err);
		code = thread_start(&c->thread, "greedy", client_main, c, err);
	}
	if (code == ERR_OK)
		clock_sleep_ns(FAIR_LEAD_MS * NS_PER_MS);
	return code;
}

static enum err_code
join_greedy(struct fair *f, struct fair_greed *out, struct err *err)
{
	enum err_code code = ERR_OK;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &f->greedy[i];
		thread_join(&c->thread);
		if (c->err.code != ERR_OK && code == ERR_OK) {
			*err = c->err;
			code = err_wrap(err, FAIR_GREEDY);
		}
		out->requests += c->result.requests;
		out->spans += c->result.spans;
		out->refused += c->result.refused_requests;
		out->abandoned += c->result.abandoned_requests;
	}
	out->seconds = (double)(f->opt->round_ns + FAIR_LEAD_MS * NS_PER_MS) / 1e9;
	f->greedy_spans += out->spans;
	f->greedy_refused += out->refused;
	return code;
}

/* modest's part: both its requests and its questions. */
static enum err_code
run_modest(struct fair *f, struct fair_answers *out, struct err *err)
{
	const struct fair_options *o = f->opt;
	struct load_plan plan = {.duration_ns = o->round_ns, .spans_per_s = o->rate};
	struct err asked = {0};
	uint64_t begin = clock_mono_ns();
	enum err_code code = fair_asker_start(f->asker, begin, begin + o->round_ns, out, err);
	if (code != ERR_OK)
		return code;
	code = load_run(o->modest, &plan, &f->modest, err);
	if (fair_asker_join(f->asker, &asked) != ERR_OK && code == ERR_OK) {
		*err = asked;
		code = err_wrap(err, "questions");
	}
	latency_merge(&out->acks, &f->modest.latency);
	out->acks_missing = f->modest.unsent_requests + f->modest.refused_requests;
	f->out->modest_spans += f->modest.spans;
	f->out->modest_requests += f->modest.requests;
	f->out->modest_refused += f->modest.refused_requests;
	return code;
}

static double
cores(uint64_t cpu_from_ns, uint64_t cpu_to_ns, uint64_t from_ns, uint64_t to_ns)
{
	return (double)(cpu_to_ns - cpu_from_ns) / (double)(to_ns - from_ns);
}

static enum err_code
run_both(struct fair *f, struct fair_round *round, struct err *err)
{
	struct server_snapshot before, after;
	enum err_code code = round->beside ? start_greedy(f, err) : ERR_OK;
	uint64_t own = clock_cpu_ns();
	if (code == ERR_OK)
		code = server_look(f->opt->server, &before, err);
	if (code == ERR_OK)
		code = run_modest(f, &round->modest, err);
	if (code == ERR_OK)
		code = server_look(f->opt->server, &after, err);
	if (code == ERR_OK) {
		round->generator_cores = cores(own, clock_cpu_ns(), before.mono_ns, after.mono_ns);
		round->server_cores = before.has_process
		    ? cores(before.process.cpu_ns, after.process.cpu_ns, before.mono_ns,
		          after.mono_ns)
		    : NAN;
	}
	/* Its threads end by themselves, whatever has happened. */
	struct err late = {0};
	if (round->beside && join_greedy(f, &round->greedy, &late) != ERR_OK && code == ERR_OK) {
		*err = late;
		code = late.code;
	}
	return code;
}

static enum err_code
wait_idle(struct fair *f, struct err *err)
{
	struct server_idle idle;
	return server_wait_idle(f->opt->server, f->opt->drain_ns, f->opt->settle_ns, &idle, err);
}

static enum err_code
run_rounds(struct fair *f, struct err *err)
{
	enum err_code code = ERR_OK;
	for (uint64_t i = 0; i < 2 * f->opt->pairs && code == ERR_OK; i++) {
		struct fair_round *round = &f->out->rounds[f->out->round_count++];
		round->beside = i % 2 == 1;
		code = run_both(f, round, err);
		if (code == ERR_OK)
			code = wait_idle(f, err);
	}
	return code;
}

/* ---- before and after */

static enum err_code
open_greedy(struct fair *f, struct err *err)
{
	enum err_code code = ERR_OK;
	for (int i = 0; i < CLIENTS && code == ERR_OK; i++) {
		struct load_options opt = {.grpc = f->opt->grpc,
		    .payload = PAYLOAD_JAEGER,
		    .spans = f->opt->spans,
		    .connections = 1,
		    .inflight = GREEDY_INFLIGHT,
		    .salt = f->opt->seed,
		    .first_client = LOAD_CLIENTS_MAX + (uint32_t)i,
		    .tenant = FAIR_GREEDY,
		    .refused = i == INSISTS ? LOAD_INSISTS : LOAD_RETRIES};
		code = load_new(&opt, &f->greedy[i].load, err);
	}
	return code;
}

static enum err_code
preload(struct fair *f, struct err *err)
{
	uint64_t requests = f->opt->preload_spans / f->opt->spans + 1;
	struct load_plan plan = {
	    .requests_max = requests, .on_ack = ledger_ack, .ctx = f->opt->ledger};
	enum err_code code = load_run(f->opt->modest, &plan, &f->modest, err);
	f->out->preloaded_spans = f->modest.spans;
	return code == ERR_OK ? wait_idle(f, err) : code;
}

/* How many spans the server has of a tenant. */
static enum err_code
count_spans(const struct fair_options *o, const char *tenant, uint64_t *out, struct err *err)
{
	struct http_client_options opt = {.base_url = o->api,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = ANSWER_BYTES_MAX,
	    .tenant = str_from(tenant)};
	struct http_client *http = NULL;
	struct buf body = {0};
	uint64_t services;
	int status = 0;
	enum err_code code = http_client_open(&opt, &http, err);
	if (code == ERR_OK)
		code = http_client_get(http, STR("/api/v1/services"), &status, &body, err);
	if (code == ERR_OK && status != 200)
		code = err_set(err, ERR_INVALID, "/api/v1/services answered %d", status);
	if (code == ERR_OK && !answer_services(buf_view(&body), &services, out, err))
		code = err->code;
	http_client_close(http);
	buf_fini(&body);
	return code;
}

static enum err_code
check_tenant(struct fair *f, const char *tenant, uint64_t acked, struct err *err)
{
	uint64_t found;
	enum err_code code = count_spans(f->opt, tenant, &found, err);
	if (code == ERR_OK && f->out->sums.code == ERR_OK && found != acked)
		err_set(&f->out->sums, ERR_INVALID,
		    "the server has %llu spans of %s and has acknowledged %llu",
		    (unsigned long long)found, tenant, (unsigned long long)acked);
	return code;
}

/* How often the server has refused greedy because of its limit. */
static enum err_code
count_limited(struct fair *f, double *out, struct err *err)
{
	static const struct str limited =
	    STR_INIT("weir_tenant_refused_total{tenant=\"" FAIR_GREEDY "\",limit=\"items\"}");
	struct server_snapshot now;
	enum err_code code = server_look(f->opt->server, &now, err);
	/* It has no such sample until it has done so. */
	if (code == ERR_OK && !server_metric(buf_view(&f->opt->server->body), limited, out))
		*out = 0;
	return code;
}

/* Does what the server has, and says, agree with what the clients heard? */
static enum err_code
check_sums(struct fair *f, double limited_before, struct err *err)
{
	struct fair_result *r = f->out;
	double limited = 0;
	enum err_code code =
	    check_tenant(f, FAIR_MODEST, r->preloaded_spans + r->modest_spans, err);
	if (code == ERR_OK)
		code = check_tenant(f, FAIR_GREEDY, f->greedy_spans, err);
	if (code == ERR_OK)
		code = count_limited(f, &limited, err);
	r->limited = limited - limited_before;
	/* For other reasons (too much lag) more may have been refused, not fewer. */
	if (code == ERR_OK && r->sums.code == ERR_OK && r->limited > (double)f->greedy_refused)
		err_set(&r->sums, ERR_INVALID,
		    "the server has refused %.0f requests of %s, which heard of %llu", r->limited,
		    FAIR_GREEDY, (unsigned long long)f->greedy_refused);
	return code;
}

enum err_code
fair_run(const struct fair_options *opt, struct fair_result *out, struct err *err)
{
	struct fair f = {.opt = opt, .out = out};
	CHECK(opt->pairs <= FAIR_PAIRS_MAX);
	double limited = 0;
	enum err_code code = count_limited(&f, &limited, err);
	if (code == ERR_OK)
		code = preload(&f, err);
	if (code == ERR_OK)
		code = fair_asker_open(opt, &f.asker, err);
	if (code == ERR_OK)
		code = open_greedy(&f, err);
	if (code == ERR_OK)
		code = run_rounds(&f, err);
	if (code == ERR_OK)
		code = check_sums(&f, limited, err);
	fair_asker_close(f.asker);
	for (int i = 0; i < CLIENTS; i++) {
		load_free(f.greedy[i].load);
		load_result_fini(&f.greedy[i].result);
	}
	load_result_fini(&f.modest);
	return code;
}

void
fair_result_fini(struct fair_result *r)
{
	for (uint64_t i = 0; i < r->round_count; i++) {
		latency_fini(&r->rounds[i].modest.acks);
		for (int q = 0; q < FAIR_QUESTIONS; q++)
			latency_fini(&r->rounds[i].modest.questions[q]);
	}
}

/* ---- quantiles */

static void
add_round(const struct fair_round *round, bool acks, struct latency *all, uint64_t *missing)
{
	const struct fair_answers *a = &round->modest;
	if (acks)
		latency_merge(all, &a->acks);
	*missing += acks ? a->acks_missing : a->questions_missing;
	for (int q = 0; q < FAIR_QUESTIONS && !acks; q++) {
		latency_merge(all, &a->questions[q]);
		*missing += a->wrong[q];
	}
}

static double
take_quantile(struct latency *all, uint64_t missing, double share)
{
	uint64_t ns;
	bool known = latency_quantile_with(all, missing, share, &ns);
	latency_fini(all);
	return known ? (double)ns / 1e6 : NAN;
}

double
fair_round_quantile(const struct fair_round *round, bool acks, double share)
{
	struct latency all = {0};
	uint64_t missing = 0;
	add_round(round, acks, &all, &missing);
	return take_quantile(&all, missing, share);
}

double
fair_quantile(const struct fair_result *r, bool beside, bool acks, double share)
{
	struct latency all = {0};
	uint64_t missing = 0;
	for (uint64_t i = 0; i < r->round_count; i++)
		if (r->rounds[i].beside == beside)
			add_round(&r->rounds[i], acks, &all, &missing);
	return take_quantile(&all, missing, share);
}

static int
smaller_first(const void *a, const void *b)
{
	double x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

double
fair_pair_ratio(const struct fair_result *r, bool acks, double quantile, double share)
{
	double ratios[FAIR_PAIRS_MAX];
	size_t count = 0;
	for (uint64_t i = 1; i < r->round_count; i += 2) {
		double ratio = fair_round_quantile(&r->rounds[i], acks, quantile) /
		    fair_round_quantile(&r->rounds[i - 1], acks, quantile);
		ratios[count++] = isfinite(ratio) ? ratio : INFINITY;
	}
	if (count == 0)
		return NAN;
	qsort(ratios, count, sizeof(ratios[0]), smaller_first);
	size_t at = (size_t)(share * (double)count);
	double ratio = ratios[at < count ? at : count - 1];
	return isfinite(ratio) ? ratio : NAN;
}
