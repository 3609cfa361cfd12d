/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/watch.h"

#include "base/arena.h"
#include "base/bits.h"
#include "base/timefmt.h"
#include "bench/payload_priv.h"
#include "http/client.h"
#include "sys/clock.h"
#include "sys/queue.h"
#include "sys/thread.h"
#include "wire/json_read.h"

#include <stdlib.h>

enum { FOLLOWED_MAX = 256, ANSWER_BYTES_MAX = 64 << 20, HTTP_TIMEOUT_MS = 10000 };

/* A request that is being followed. */
struct sample {
	struct payload payload;
	uint64_t acked_ns;
	uint64_t polled_ns; /* last time */
	uint64_t trace, traces; /* number of the first one, and how many */
	uint64_t looks, seen; /* how many are looked for, and were whole */
};

struct watch {
	struct watch_options opt;
	struct queue *queue; /* of samples that are new */
	struct thread thread;
	struct http_client *http;
	struct buf path, body;
	struct sample *followed[FOLLOWED_MAX];
	size_t followed_count;
	struct mutex lock;
	uint64_t not_followed; /* under lock */
	struct watch_result result; /* the thread's until it ends */
};

uint64_t
watch_span_count(struct str json)
{
	struct json_reader r;
	uint64_t count = 0;
	jsonr_begin(&r, json);
	if (jsonr_next(&r) != JSON_OBJECT)
		return 0;
	while (jsonr_next(&r) == JSON_KEY) {
		bool found = str_eq(r.raw, STR("span_count"));
		enum json_token value = jsonr_next(&r);
		if (found)
			return value == JSON_NUMBER && str_to_u64(r.raw, &count) ? count : 0;
		if (!jsonr_skip(&r, value))
			return 0;
	}
	return 0;
}

/* The next one that is looked for: the first, the last, and some between them. */
static uint64_t
next_trace(const struct sample *s)
{
	if (s->looks == 1)
		return s->trace + s->traces / 2;
	return s->trace + s->seen * (s->traces - 1) / (s->looks - 1);
}

/* Is the first trace that was not seen whole yet there now? */
static bool
ask(struct watch *w, const struct sample *s)
{
	char hex[32];
	int status;
	struct payload_trace_id id = payload_trace_id(&s->payload, next_trace(s));
	hex_u64(id.hi, hex);
	hex_u64(id.lo, hex + 16);
	buf_reset(&w->path);
	buf_printf(&w->path, "/api/v1/traces/%.*s", (int)sizeof(hex), hex);
	if (http_client_get(w->http, buf_view(&w->path), &status, &w->body, &w->result.err) !=
	    ERR_OK)
		return false;
	if (status != 200 && status != 404)
		err_set(&w->result.err, ERR_UNAVAILABLE, "%.*s answered %d",
		    STR_ARG(buf_view(&w->path)), status);
	return status == 200 &&
	    watch_span_count(buf_view(&w->body)) >= payload_trace_spans(s->payload.kind);
}

/* One poll: true when the sample is done with. */
static bool
poll_sample(struct watch *w, struct sample *s)
{
	uint64_t start = clock_mono_ns();
	if (s->polled_ns)
		latency_add(&w->result.gaps, start - s->polled_ns);
	s->polled_ns = start;
	while (s->seen < s->looks && ask(w, s))
		s->seen++;
	uint64_t now = clock_mono_ns();
	if (s->seen == s->looks) {
		latency_add(&w->result.visible, now - s->acked_ns);
		return true;
	}
	if (now - s->acked_ns < w->opt.give_up_ns)
		return false;
	w->result.never_seen++;
	return true;
}

static void
poll_due(struct watch *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->followed_count; i++) {
		struct sample *s = w->followed[i];
		bool due = clock_mono_ns() >= s->polled_ns + w->opt.poll_ns;
		if (w->result.err.code == ERR_OK && due && poll_sample(w, s))
			free(s);
		else
			w->followed[kept++] = s;
	}
	w->followed_count = kept;
}

/* The next time something is to be polled; UINT64_MAX: nothing is followed. */
static uint64_t
next_due(const struct watch *w)
{
	uint64_t due = UINT64_MAX;
	for (size_t i = 0; i < w->followed_count; i++)
		if (w->followed[i]->polled_ns + w->opt.poll_ns < due)
			due = w->followed[i]->polled_ns + w->opt.poll_ns;
	return due;
}

/* Take on what was offered, or let time pass until something is due. False: all is done. */
static bool
wait_for_work(struct watch *w)
{
	uint64_t due = next_due(w);
	struct sample *s = w->followed_count < FOLLOWED_MAX ? queue_pop(w->queue, due) : NULL;
	if (s) {
		w->followed[w->followed_count++] = s;
		return true;
	}
	if (w->followed_count == 0)
		return false; /* the queue is closed and empty */
	/* A closed queue does not wait, nor does one that was not asked. */
	uint64_t now = clock_mono_ns();
	if (now < due)
		clock_sleep_ns(due - now);
	return true;
}

static void
watch_main(void *ctx)
{
	struct watch *w = ctx;
	while (w->result.err.code == ERR_OK && wait_for_work(w))
		poll_due(w);
}

enum err_code
watch_start(const struct watch_options *opt, struct watch **out, struct err *err)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	struct http_client_options http = {.base_url = opt->api,
	    .tls = opt->tls,
	    .connect_timeout_ms = HTTP_TIMEOUT_MS,
	    .timeout_ms = HTTP_TIMEOUT_MS,
	    .body_bytes_max = ANSWER_BYTES_MAX};
	w->opt = *opt;
	w->queue = queue_new(FOLLOWED_MAX);
	mutex_init(&w->lock);
	enum err_code code = http_client_open(&http, &w->http, err);
	if (code == ERR_OK)
		code = thread_start(&w->thread, "watch", watch_main, w, err);
	*out = w;
	if (code != ERR_OK) {
		struct watch_result none = {0};
		watch_stop(w, &none);
		watch_result_fini(&none);
		*out = NULL;
	}
	return code;
}

static bool
is_sampled(const struct watch *w, const struct load_acked *acked)
{
	uint64_t h =
	    payload_mix(acked->payload->salt ^ payload_span_id(acked->payload, acked->serial));
	return (double)(h >> 11) * 0x1p-53 < w->opt.share;
}

void
watch_offer(void *ctx, const struct load_acked *acked)
{
	struct watch *w = ctx;
	if (!is_sampled(w, acked))
		return;
	uint64_t per = payload_trace_spans(acked->payload->kind);
	uint64_t first = acked->serial * acked->payload->spans;
	CHECK(acked->payload->spans % per == 0);
	struct sample *s = xcalloc(1, sizeof(*s));
	*s = (struct sample){.payload = *acked->payload,
	    .acked_ns = acked->acked_mono_ns,
	    .trace = first / per,
	    .traces = acked->payload->spans / per};
	s->looks = w->opt.looks && w->opt.looks < s->traces ? w->opt.looks : s->traces;
	if (queue_push(w->queue, s) == ERR_OK)
		return;
	free(s);
	mutex_lock(&w->lock);
	w->not_followed++;
	mutex_unlock(&w->lock);
}

void
watch_stop(struct watch *w, struct watch_result *out)
{
	queue_close(w->queue);
	thread_join(&w->thread);
	for (struct sample *s; (s = queue_pop(w->queue, 0)) != NULL; free(s))
		w->not_followed++;
	for (size_t i = 0; i < w->followed_count; i++)
		free(w->followed[i]);
	*out = w->result;
	out->not_followed = w->not_followed;
	queue_free(w->queue);
	http_client_close(w->http);
	buf_fini(&w->path);
	buf_fini(&w->body);
	mutex_fini(&w->lock);
	free(w);
}

void
watch_result_fini(struct watch_result *r)
{
	latency_fini(&r->visible);
	latency_fini(&r->gaps);
}
