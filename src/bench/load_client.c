/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "wire/inflate.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	CONNECT_MS = 5000,
	PATIENCE_S = 60,
	RETRY_DELAY_S_MAX = 30,
	PAUSE_MS = 50,
	PAUSE_MS_MAX = 2000
};

static const char *
export_path(enum payload_kind kind)
{
	return payload_signal(kind) == SIGNAL_LOGS
	    ? "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
	    : "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
}

/* ---- answers */

/* The last field `number` that holds bytes; empty when there is none. */
static struct str
bytes_field(struct str message, uint32_t number)
{
	struct pb_reader r;
	struct pb_field f;
	struct str found = STR_EMPTY;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(number, PB_BYTES))
			found = f.bytes;
	return found;
}

static uint64_t
varint_field(struct str message, uint32_t number)
{
	struct pb_reader r;
	struct pb_field f;
	uint64_t found = 0;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f))
		if (pb_key(&f) == PB_KEY(number, PB_VARINT))
			found = f.value;
	return found;
}

/* Status { details = 3: Any { type_url = 1, value = 2: RetryInfo { retry_delay = 1: Duration {
 * seconds = 1, nanos = 2 } } } }; our server sends one detail. */
bool
load_retry_delay(struct str status, uint64_t *ns_out)
{
	struct str any = bytes_field(status, 3);
	if (!str_eq(bytes_field(any, 1), STR("type.googleapis.com/google.rpc.RetryInfo")))
		return false;
	struct str delay = bytes_field(bytes_field(any, 2), 1);
	uint64_t seconds = varint_field(delay, 1), nanos = varint_field(delay, 2);
	if (seconds > RETRY_DELAY_S_MAX)
		seconds = RETRY_DELAY_S_MAX;
	*ns_out = seconds * NS_PER_S + (nanos < NS_PER_S ? nanos : 0);
	return true;
}

uint64_t
load_rejected_spans(struct str response)
{
	return varint_field(bytes_field(response, 1), 1);
}

static void
count_ack(struct load_client *c, const struct load_call *call, uint64_t now_ns)
{
	struct load_result *r = &c->result;
	r->requests++;
	r->spans += c->payload.spans;
	r->body_bytes += call->body_bytes;
	r->wire_bytes += call->wire_bytes;
	r->end_mono_ns = now_ns;
	latency_add(&r->latency, now_ns - call->start_ns);
	if (c->plan->on_ack)
		c->plan->on_ack(c->plan->ctx,
		    &(struct load_acked){&c->payload, call->serial, now_ns, call->unix_ns});
}

/* The first failure is kept. */
static void
on_failure(struct load_client *c, const struct grpc_reply *reply)
{
	if (c->err.code == ERR_OK)
		err_set(&c->err, ERR_UNAVAILABLE, "the server said: %.*s (grpc-status %d)",
		    STR_ARG(reply->text), reply->status);
}

/* What is in *call stays for whoever holds it, until another call starts. */
static void
free_call(struct load_client *c, struct load_call *call)
{
	if (call->body)
		call->body->busy = false;
	call->next = c->free_calls;
	c->free_calls = call;
}

static void
on_refusal(struct load_client *c, struct load_call *call, uint64_t come_back_ns)
{
	c->result.refused_requests++;
	if (c->opt->refused != LOAD_INSISTS)
		c->wait_until_ns = come_back_ns;
	if (c->opt->refused == LOAD_DROPS) {
		free_call(c, call);
		return;
	}
	call->next = NULL;
	*c->refused_end = call;
	c->refused_end = &call->next;
}

static void
lose(struct load_client *c, struct load_call *call, struct str why)
{
	if (!c->lost_calls)
		err_set(&c->lost_why, ERR_UNAVAILABLE, "%.*s", STR_ARG(why));
	call->next = NULL;
	*c->lost_end = call;
	c->lost_end = &call->next;
}

static struct load_call *
take_lost(struct load_client *c)
{
	struct load_call *call = c->lost_calls;
	if (!call)
		return NULL;
	c->lost_calls = call->next;
	if (!c->lost_calls)
		c->lost_end = &c->lost_calls;
	return call;
}

static void
on_reply(void *ctx, const struct grpc_reply *reply)
{
	struct load_call *call = ctx;
	struct load_client *c = call->client;
	if (reply->lost) {
		lose(c, call, reply->text);
		return;
	}
	c->heard = true;
	c->losing_since_ns = 0;
	uint64_t now = clock_mono_ns(), delay_ns;
	uint64_t rejected = reply->status == 0 ? load_rejected_spans(reply->message) : 0;
	if (reply->status != 0 && load_retry_delay(reply->details, &delay_ns)) {
		on_refusal(c, call, now + delay_ns);
		return;
	}
	free_call(c, call);
	if (reply->status != 0) {
		on_failure(c, reply);
	} else if (rejected == 0) {
		count_ack(c, call, now);
	} else if (c->err.code == ERR_OK) {
		err_set(&c->err, ERR_INVALID,
		    "the server rejected %llu spans or records of a request",
		    (unsigned long long)rejected);
	}
}

/* ---- connections that are lost */

/* False: it is lost. */
static bool
send_call(struct load_client *c, struct load_call *call)
{
	struct err err = {0};
	enum err_code code = grpc_client_call(c->conn, export_path(c->payload.kind), call->message,
	    c->opt->gzip, c->headers, on_reply, call, &err);
	if (code == ERR_OK)
		return true;
	if (code != ERR_UNAVAILABLE && c->err.code == ERR_OK)
		c->err = err;
	lose(c, call, str_from(err.message));
	return false;
}

/* Wait as long again as it has been so already. False: that is too long. Whoever was never answered is at the
 * wrong place. */
static bool
pause_or_end(struct load_client *c)
{
	uint64_t patience_ms = c->opt->patience_ms ? c->opt->patience_ms : LOAD_PATIENCE_MS;
	uint64_t now_ns = clock_mono_ns();
	if (c->losing_since_ns == 0)
		c->losing_since_ns = now_ns;
	uint64_t ms = (now_ns - c->losing_since_ns) / NS_PER_MS;
	if (c->heard && ms < patience_ms) {
		ms = ms < PAUSE_MS ? PAUSE_MS : ms < PAUSE_MS_MAX ? ms : PAUSE_MS_MAX;
		clock_sleep_ns(ms * NS_PER_MS);
		return true;
	}
	if (c->err.code == ERR_OK && !c->heard)
		c->err = c->lost_why;
	else if (c->err.code == ERR_OK)
		err_set(&c->err, ERR_UNAVAILABLE, "%s, and no answer came in %llu s after that",
		    c->lost_why.message, (unsigned long long)(patience_ms / 1000));
	return false;
}

/* What the server has not sent away with the connection is answered first. */
static void
leave_connection(struct load_client *c)
{
	struct err err;
	if (!c->conn)
		return;
	(void)!grpc_client_run(c->conn, 0, clock_mono_ns() + PATIENCE_S * NS_PER_S, &err);
	grpc_client_close(c->conn);
	c->conn = NULL;
	c->result.lost_connections++;
}

static bool
has_losses(const struct load_client *c)
{
	return c->lost_calls || !c->conn || grpc_client_ended(c->conn);
}

/* What was lost is in flight again, on a connection that is new if need be. A stream may also be refused alone. */
static enum err_code
recover(struct load_client *c)
{
	while (c->err.code == ERR_OK && has_losses(c)) {
		if (!c->lost_calls)
			err_set(&c->lost_why, ERR_UNAVAILABLE, "the server is going away");
		if (!c->conn || grpc_client_ended(c->conn))
			leave_connection(c);
		if (!pause_or_end(c))
			break;
		struct err err;
		if (!c->conn && load_client_connect(c, &err) != ERR_OK)
			continue;
		struct load_call *all = c->lost_calls;
		c->lost_calls = NULL;
		c->lost_end = &c->lost_calls;
		for (struct load_call *call = all, *next; call; call = next) {
			next = call->next;
			(void)send_call(c, call);
		}
	}
	return c->err.code;
}

/* ---- calls */

/* Answers may come until there are at most `inflight_max` calls left without one. */
static enum err_code
wait_for_answers(struct load_client *c, size_t inflight_max)
{
	uint64_t deadline_ns = clock_mono_ns() + PATIENCE_S * NS_PER_S;
	while (c->err.code == ERR_OK) {
		struct err err = {0};
		enum err_code code = grpc_client_run(c->conn, inflight_max, deadline_ns, &err);
		if (code == ERR_UNAVAILABLE || c->lost_calls) {
			(void)recover(c);
			continue;
		}
		if (code != ERR_OK && c->err.code == ERR_OK)
			c->err = err;
		break;
	}
	return c->err.code;
}

/* Answers may come; returns at until_ns. */
static enum err_code
pass_time(struct load_client *c, uint64_t until_ns)
{
	for (uint64_t now = clock_mono_ns(); now < until_ns && c->err.code == ERR_OK;
	    now = clock_mono_ns()) {
		struct err err = {0};
		if (grpc_client_inflight(c->conn) == 0) {
			clock_sleep_ns(until_ns - now);
			continue;
		}
		enum err_code code = grpc_client_run(c->conn, 0, until_ns, &err);
		if (code == ERR_UNAVAILABLE || c->lost_calls)
			(void)recover(c);
		else if (code != ERR_OK && code != ERR_DEADLINE && c->err.code == ERR_OK)
			c->err = err;
	}
	return c->err.code;
}

/* The next request and its length; empty when a gzip client has no more. May wait for a body. */
static struct str
next_message(struct load_client *c, struct load_call *call)
{
	if (c->opt->gzip) {
		if (c->item_next == c->item_count)
			return STR_EMPTY;
		const struct load_gzip *item = &c->items[c->item_next++];
		call->serial = item->serial;
		call->unix_ns = item->unix_ns;
		call->body_bytes = item->body_bytes;
		return str_of(c->zipped.ptr + item->off, item->len);
	}
	/* One that is held to be sent again is passed over: there are at least as many as calls. */
	while (c->opt->refused != LOAD_DROPS && c->ring[c->next_serial % c->ring_count].busy)
		c->next_serial++;
	struct load_body *body = &c->ring[c->next_serial % c->ring_count];
	while (body->busy)
		if (wait_for_answers(c, grpc_client_inflight(c->conn) - 1) != ERR_OK)
			return STR_EMPTY;
	call->serial = c->next_serial++;
	call->body = body;
	body->busy = true;
	call->unix_ns = clock_unix_ns();
	payload_patch(&c->payload, &body->payload, call->serial, call->unix_ns);
	call->body_bytes = body->payload.bytes.len;
	return buf_view(&body->payload.bytes);
}

static struct load_call *
take_refused(struct load_client *c)
{
	struct load_call *call = c->refused_calls;
	if (!call)
		return NULL;
	c->refused_calls = call->next;
	if (!c->refused_calls)
		c->refused_end = &c->refused_calls;
	return call;
}

static struct load_call *
take_new(struct load_client *c)
{
	struct load_call *call = c->free_calls;
	CHECK(call != NULL);
	c->free_calls = call->next;
	*call = (struct load_call){.client = c};
	call->message = next_message(c, call);
	call->wire_bytes = call->message.len;
	return call;
}

/* False when there is nothing (more) to send. */
static bool
start_call(struct load_client *c, uint64_t due_ns)
{
	struct load_call *call = take_refused(c);
	if (!call)
		call = take_new(c);
	call->start_ns = due_ns ? due_ns : clock_mono_ns();
	/* Before it can be seen. */
	c->started += call->message.len > 0;
	if (call->message.len > 0)
		return send_call(c, call) || recover(c) == ERR_OK;
	free_call(c, call);
	c->result.used_up = c->err.code == ERR_OK;
	return false;
}

/* Until the next call may start: there is a free one, the server wants calls, and it is due. */
static enum err_code
wait_for_turn(struct load_client *c, uint64_t due_ns)
{
	if (c->err.code == ERR_OK && !c->free_calls && !c->refused_calls)
		(void)wait_for_answers(c, c->opt->inflight - 1);
	if (c->err.code == ERR_OK && clock_mono_ns() < c->wait_until_ns)
		(void)pass_time(c, c->wait_until_ns);
	if (c->err.code == ERR_OK && due_ns)
		(void)pass_time(c, due_ns);
	CHECK(c->err.code != ERR_OK || c->free_calls || c->refused_calls);
	return c->err.code;
}

/* Calls of a paced run that were due before its end and never started. */
static uint64_t
count_unsent(const struct load_client *c, uint64_t first_due)
{
	if (!c->interval_ns || c->end_ns == UINT64_MAX || first_due >= c->end_ns)
		return 0;
	uint64_t due = (c->end_ns - 1 - first_due) / c->interval_ns + 1;
	if (due > c->requests_max)
		due = c->requests_max;
	return due > c->started ? due - c->started : 0;
}

static bool
is_stopped(const struct load_client *c)
{
	return atomic_load(c->failed) || (c->plan->stop && atomic_load(c->plan->stop));
}

void
load_client_run(void *ctx)
{
	struct load_client *c = ctx;
	/* Clients take turns within an interval. */
	uint64_t turn = c->payload.client - c->opt->first_client;
	uint64_t first_due = c->begin_ns + c->interval_ns * turn / c->opt->connections;
	while (!is_stopped(c) && c->started < c->requests_max) {
		uint64_t due = c->interval_ns ? first_due + c->started * c->interval_ns : 0;
		if (due >= c->end_ns)
			break;
		if (wait_for_turn(c, due) != ERR_OK || clock_mono_ns() >= c->end_ns)
			break;
		if (!start_call(c, due))
			break;
		/* A paced call leaves at once; others go with what fills the window. */
		if (due && wait_for_answers(c, SIZE_MAX) != ERR_OK)
			break;
	}
	if (is_stopped(c) && c->end_ns > clock_mono_ns())
		c->end_ns = clock_mono_ns();
	c->result.unsent_requests = count_unsent(c, first_due);
	if (c->err.code == ERR_OK)
		(void)wait_for_answers(c, 0);
	for (struct load_call *call; (call = take_refused(c)); free_call(c, call))
		c->result.abandoned_requests++;
	if (c->err.code != ERR_OK)
		atomic_store(c->failed, true);
}

/* ---- before the clock runs */

void
load_client_prepare(void *ctx)
{
	struct load_client *c = ctx;
	struct buf zipped = {0};
	buf_reset(&c->zipped);
	c->item_count = c->item_next = 0;
	for (uint64_t i = 0; i < c->requests_max && c->err.code == ERR_OK; i++) {
		struct load_body *body = &c->ring[c->next_serial % c->ring_count];
		CHECK(!body->busy);
		uint64_t now = clock_unix_ns();
		payload_patch(&c->payload, &body->payload, c->next_serial, now);
		if (inflate_gzip(buf_view(&body->payload.bytes), LOAD_GZIP_LEVEL, &zipped,
		        &c->err) != ERR_OK)
			break;
		if (c->item_count == c->item_cap) {
			c->item_cap = c->item_cap ? 2 * c->item_cap : 256;
			c->items = xrealloc(c->items, c->item_cap * sizeof(*c->items));
		}
		c->items[c->item_count++] = (struct load_gzip){
		    c->zipped.len, zipped.len, body->payload.bytes.len, c->next_serial++, now};
		buf_str(&c->zipped, buf_view(&zipped));
	}
	CHECK(!c->zipped.failed);
	buf_fini(&zipped);
}

enum err_code
load_client_connect(struct load_client *c, struct err *err)
{
	const struct grpc_client_options opt = {
	    .address = c->opt->grpc, .timeout_ms = CONNECT_MS, .tls = c->opt->tls};
	CHECK(!c->conn);
	return grpc_client_open(&opt, &c->conn, err);
}

/* Calls in flight, if any, are answered now. */
void
load_client_disconnect(struct load_client *c)
{
	static const struct load_plan none;
	c->plan = &none;
	grpc_client_close(c->conn);
	c->conn = NULL;
	for (struct load_call *call; (call = take_lost(c)); free_call(c, call))
		;
}

void
load_client_init(struct load_client *c)
{
	c->calls = xcalloc(c->opt->inflight, sizeof(*c->calls));
	for (uint32_t i = 0; i < c->opt->inflight; i++) {
		c->calls[i].next = c->free_calls;
		c->free_calls = &c->calls[i];
	}
	c->refused_end = &c->refused_calls;
	c->lost_end = &c->lost_calls;
	if (c->opt->tenant) {
		CHECK(strlen(c->opt->tenant) <= LOAD_TENANT_BYTES);
		snprintf(c->tenant_field, sizeof(c->tenant_field), "x-scope-orgid: %s",
		    c->opt->tenant);
		c->headers[0] = c->tenant_field;
	}
	c->ring_count = payload_ring(c->payload.kind, c->payload.spans);
	CHECK(c->opt->refused == LOAD_DROPS || c->opt->inflight <= c->ring_count);
	c->ring = xcalloc(c->ring_count, sizeof(*c->ring));
	for (uint64_t i = 0; i < c->ring_count; i++)
		payload_encode(&c->payload, i, &c->ring[i].payload);
}

void
load_client_fini(struct load_client *c)
{
	load_client_disconnect(c);
	for (uint64_t i = 0; c->ring && i < c->ring_count; i++)
		payload_body_fini(&c->ring[i].payload);
	free(c->ring);
	free(c->calls);
	free(c->items);
	buf_fini(&c->zipped);
	load_result_fini(&c->result);
}
