/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "bench/load_priv.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

struct load {
	struct load_options opt;
	struct load_client clients[LOAD_CLIENTS_MAX];
};

enum err_code
load_new(const struct load_options *opt, struct load **out, struct err *err)
{
	CHECK(opt->connections > 0 && opt->connections <= LOAD_CLIENTS_MAX);
	CHECK(opt->first_client <= PAYLOAD_CLIENTS_MAX - opt->connections);
	CHECK(opt->inflight > 0 && opt->inflight <= LOAD_INFLIGHT_MAX);
	struct load *l = xcalloc(1, sizeof(*l));
	l->opt = *opt;
	enum err_code code = ERR_OK;
	for (uint32_t i = 0; i < opt->connections && code == ERR_OK; i++) {
		l->clients[i].opt = &l->opt;
		l->clients[i].payload =
		    (struct payload){opt->payload, opt->first_client + i, opt->spans, opt->salt};
		load_client_init(&l->clients[i]);
		code = load_client_connect(&l->clients[i], err);
		load_client_disconnect(&l->clients[i]);
	}
	if (code != ERR_OK) {
		load_free(l);
		l = NULL;
	}
	*out = l;
	return code;
}

void
load_free(struct load *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->opt.connections; i++)
		load_client_fini(&l->clients[i]);
	free(l);
}

/* Run one thread per client; the first error of any. */
static enum err_code
run_threads(struct load *l, const char *name, void (*fn)(void *ctx), struct err *err)
{
	struct thread threads[LOAD_CLIENTS_MAX] = {0};
	enum err_code code = ERR_OK;
	for (uint32_t i = 0; i < l->opt.connections; i++)
		err_clear(&l->clients[i].err);
	for (uint32_t i = 0; i < l->opt.connections && code == ERR_OK; i++)
		code = thread_start(&threads[i], name, fn, &l->clients[i], err);
	/* The threads that did start come to an end by themselves. */
	for (uint32_t i = 0; i < l->opt.connections; i++)
		thread_join(&threads[i]);
	for (uint32_t i = 0; i < l->opt.connections && code == ERR_OK; i++) {
		code = l->clients[i].err.code;
		if (code != ERR_OK && err)
			*err = l->clients[i].err;
	}
	return code;
}

/* What client i gets of a number for all. */
static uint64_t
share_of(const struct load *l, uint64_t total, uint32_t i)
{
	return total / l->opt.connections + (i < total % l->opt.connections);
}

enum err_code
load_prepare(struct load *l, uint64_t requests, struct err *err)
{
	if (!l->opt.gzip)
		return ERR_OK;
	for (uint32_t i = 0; i < l->opt.connections; i++)
		l->clients[i].requests_max = share_of(l, requests, i);
	return run_threads(l, "prepare", load_client_prepare, err);
}

static void
begin_client(struct load_client *c, const struct load_plan *plan, uint64_t requests_max,
    atomic_bool *failed)
{
	struct latency latency = c->result.latency;
	latency_clear(&latency);
	c->plan = plan;
	c->failed = failed;
	c->started = 0;
	c->wait_until_ns = 0;
	c->heard = false;
	c->requests_max = plan->requests_max ? requests_max : UINT64_MAX;
	c->end_ns = plan->duration_ns ? c->begin_ns + plan->duration_ns : UINT64_MAX;
	c->interval_ns = 0;
	if (plan->spans_per_s > 0)
		c->interval_ns = (uint64_t)((double)NS_PER_S * c->payload.spans *
		    c->opt->connections / plan->spans_per_s);
	c->result = (struct load_result){.latency = latency};
}

static void
add_result(struct load_result *to, const struct load_result *from)
{
	to->requests += from->requests;
	to->spans += from->spans;
	to->refused_requests += from->refused_requests;
	to->abandoned_requests += from->abandoned_requests;
	to->lost_connections += from->lost_connections;
	to->unsent_requests += from->unsent_requests;
	to->body_bytes += from->body_bytes;
	to->wire_bytes += from->wire_bytes;
	to->used_up = to->used_up || from->used_up;
	if (from->end_mono_ns > to->end_mono_ns)
		to->end_mono_ns = from->end_mono_ns;
	latency_merge(&to->latency, &from->latency);
}

static void
disconnect_all(struct load *l)
{
	for (uint32_t i = 0; i < l->opt.connections; i++)
		load_client_disconnect(&l->clients[i]);
}

/* A server closes connections that say nothing for a while, and between two runs there may be minutes. */
static enum err_code
connect_all(struct load *l, struct err *err)
{
	enum err_code code = ERR_OK;
	for (uint32_t i = 0; i < l->opt.connections && code == ERR_OK; i++)
		code = load_client_connect(&l->clients[i], err);
	return code;
}

enum err_code
load_run(struct load *l, const struct load_plan *plan, struct load_result *out, struct err *err)
{
	atomic_bool failed = false;
	struct latency latency = out->latency;
	latency_clear(&latency);
	enum err_code code = connect_all(l, err);
	uint64_t begin = clock_mono_ns(), cpu_before = clock_cpu_ns();
	*out =
	    (struct load_result){.latency = latency, .start_mono_ns = begin, .end_mono_ns = begin};
	for (uint32_t i = 0; i < l->opt.connections; i++) {
		l->clients[i].begin_ns = begin;
		begin_client(&l->clients[i], plan, share_of(l, plan->requests_max, i), &failed);
	}
	if (code == ERR_OK)
		code = run_threads(l, "load", load_client_run, err);
	out->cpu_ns = clock_cpu_ns() - cpu_before;
	for (uint32_t i = 0; i < l->opt.connections; i++)
		add_result(out, &l->clients[i].result);
	disconnect_all(l);
	return code;
}

uint64_t
load_started_spans(const struct load *l)
{
	uint64_t spans = 0;
	for (uint32_t i = 0; i < l->opt.connections; i++)
		spans += l->clients[i].started * l->clients[i].payload.spans;
	return spans;
}

void
load_result_fini(struct load_result *r)
{
	latency_fini(&r->latency);
}
