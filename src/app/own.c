/* SPDX-License-Identifier: Apache-2.0 */
#include "app/own.h"

#include "base/limits.h"
#include "base/stats.h"
#include "base/timefmt.h"
#include "http/client.h"
#include "ingest/ingest.h"
#include "otlp/encode.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/thread.h"
#include "sys/trace.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVERY_MS = 1000, AT_ONCE = 512, CONNECT_MS = 2000, TIMEOUT_MS = 5000, ANSWER_BYTES = 65536 };

struct own {
	struct own_options opt;
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct http_client *client; /* NULL: into ingest */
	struct thread thread;
	struct mutex lock; /* of the next two */
	struct cond wake;
	bool stop;
	unsigned waiting; /* requests that ingest has */
	struct trace_span *spans;
	struct buf answer;
	bool failing; /* said once per spell */
	_Atomic uint64_t sent, lost, overflowed;
};

static void
encode(const struct own *o, size_t count, struct buf *body)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, body);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_attr(&e, STR("service.name"), otlp_value_str(STR("weir")));
	otlp_encode_attr(&e, STR("service.version"), otlp_value_str(str_from(o->opt.version)));
	otlp_encode_scope(&e, STR("weir"), str_from(o->opt.version), STR_EMPTY);
	for (size_t i = 0; i < count; i++) {
		const struct trace_span *s = &o->spans[i];
		otlp_encode_span(&e,
		    &(struct otlp_span){.trace_hi = s->trace_hi,
		        .trace_lo = s->trace_lo,
		        .span_id = s->span_id,
		        .parent_id = s->parent_id,
		        .start_ns = s->start_unix_ns,
		        .end_ns = s->start_unix_ns + s->duration_ns,
		        .name = str_from(s->name),
		        .kind = (int32_t)s->kind,
		        .status_code = s->failed ? 2 : 0,
		        .status_message = s->failed ? str_from(s->message) : STR_EMPTY});
		for (size_t k = 0; k < s->attr_count; k++)
			otlp_encode_attr(&e, str_from(s->attrs[k].key),
			    s->attrs[k].is_text ? otlp_value_str(str_from(s->attrs[k].text))
			                        : otlp_value_int(s->attrs[k].number));
	}
	otlp_encode_end(&e);
}

/* Said when it begins and when it ends. */
static void
note(struct own *o, size_t count, enum err_code code, const char *why)
{
	if (code == ERR_OK)
		atomic_fetch_add(&o->sent, count);
	else
		atomic_fetch_add(&o->lost, count);
	if (code != ERR_OK && !o->failing)
		log_warn("trace", "weir's own spans cannot be sent, and are lost: %s", why);
	else if (code == ERR_OK && o->failing)
		log_info("trace", "weir's own spans are sent again");
	o->failing = code != ERR_OK;
}

struct sending {
	struct own *own;
	size_t count;
};

/* The commit thread. */
static void
submitted(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	struct sending *s = ctx;
	struct own *o = s->own;
	(void)counts;
	mutex_lock(&o->lock);
	note(o, s->count, code, message);
	o->waiting--;
	mutex_unlock(&o->lock);
	cond_signal(&o->wake);
	free(s);
}

static void
submit(struct own *o, size_t count, struct buf *body)
{
	struct err err = {0};
	struct sending *s = xcalloc(1, sizeof(*s));
	*s = (struct sending){o, count};
	struct ingest_request req = {.signal = SIGNAL_TRACES,
	    .tenant = str_from(o->tenant),
	    .body = *body,
	    .received_ns = clock_unix_ns(),
	    .done = submitted,
	    .ctx = s};
	mutex_lock(&o->lock);
	o->waiting++;
	mutex_unlock(&o->lock);
	enum err_code code = ingest_submit(o->opt.ingest, &req, &err);
	if (code == ERR_OK) {
		*body = (struct buf){0};
		return;
	}
	submitted(s, code, NULL, err.message);
}

static void
post(struct own *o, size_t count, struct str body)
{
	struct err err = {0};
	struct http_client_answer answer = {.body = &o->answer};
	const struct http_client_request req = {.method = "POST",
	    .path_and_query = STR("/v1/traces"),
	    .content_type = "application/x-protobuf",
	    .body = body};
	enum err_code code = http_client_exchange(o->client, &req, &answer, &err);
	if (code == ERR_OK && answer.status != 200)
		code = err_set(&err, ERR_UNAVAILABLE, "%.*s answered %d", STR_ARG(o->opt.to),
		    answer.status);
	mutex_lock(&o->lock);
	note(o, count, code, err.message);
	mutex_unlock(&o->lock);
}

/* Whether there may be more. */
static bool
send_some(struct own *o)
{
	struct buf body = {0};
	uint64_t lost;
	size_t count = trace_take(o->spans, AT_ONCE, &lost);
	atomic_store(&o->overflowed, lost);
	if (count == 0)
		return false;
	encode(o, count, &body);
	if (o->client)
		post(o, count, buf_view(&body));
	else
		submit(o, count, &body);
	buf_fini(&body);
	return count == AT_ONCE;
}

static void
run(void *ctx)
{
	struct own *o = ctx;
	bool stop = false;
	while (!stop) {
		while (send_some(o))
			continue;
		mutex_lock(&o->lock);
		uint64_t until_ns = clock_mono_ns() + EVERY_MS * NS_PER_MS;
		bool in_time = true;
		while (!o->stop && in_time)
			in_time = cond_wait_until(&o->wake, &o->lock, until_ns);
		stop = o->stop;
		mutex_unlock(&o->lock);
	}
	/* What is not answered yet uses *o. */
	mutex_lock(&o->lock);
	while (o->waiting > 0)
		cond_wait(&o->wake, &o->lock);
	mutex_unlock(&o->lock);
}

enum err_code
own_start(const struct own_options *opt, struct own **out, struct err *err)
{
	enum err_code code = ERR_OK;
	*out = NULL;
	if (opt->to.len == 0)
		return ERR_OK;
	struct own *o = xcalloc(1, sizeof(*o));
	o->opt = *opt;
	snprintf(o->tenant, sizeof(o->tenant), "%.*s", STR_ARG(opt->tenant));
	o->spans = xcalloc(AT_ONCE, sizeof(*o->spans));
	mutex_init(&o->lock);
	cond_init(&o->wake);
	if (!str_eq(opt->to, STR("self")))
		code = http_client_open(&(struct http_client_options){.base_url = opt->to,
		                            .connect_timeout_ms = CONNECT_MS,
		                            .timeout_ms = TIMEOUT_MS,
		                            .body_bytes_max = ANSWER_BYTES,
		                            .token = opt->token ? str_from(opt->token) : STR_EMPTY,
		                            .tenant = opt->tenant},
		    &o->client, err);
	trace_turn(true);
	if (code == ERR_OK)
		code = thread_start(&o->thread, "own-traces", run, o, err);
	if (code != ERR_OK) {
		own_free(o);
		return code;
	}
	*out = o;
	return ERR_OK;
}

void
own_stop(struct own *o)
{
	if (!o)
		return;
	trace_turn(false);
	mutex_lock(&o->lock);
	o->stop = true;
	mutex_unlock(&o->lock);
	cond_broadcast(&o->wake);
	thread_join(&o->thread);
}

void
own_free(struct own *o)
{
	if (!o)
		return;
	own_stop(o);
	http_client_close(o->client);
	buf_fini(&o->answer);
	cond_fini(&o->wake);
	mutex_fini(&o->lock);
	free(o->spans);
	free(o);
}

void
own_metrics(struct own *o, struct buf *out)
{
	if (!o)
		return;
	stats_print_family(out, "weir_own_spans_total", STATS_COUNTER,
	    "Spans of weir's own work, by what became of them.");
	stats_print_sample(out, "weir_own_spans_total", STATS_COUNTER, "outcome=\"sent\"",
	    (int64_t)atomic_load(&o->sent));
	stats_print_sample(out, "weir_own_spans_total", STATS_COUNTER, "outcome=\"lost\"",
	    (int64_t)(atomic_load(&o->lost) + atomic_load(&o->overflowed)));
}
