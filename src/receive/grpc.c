/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/receive_priv.h"

#include "base/arena.h"
#include "sys/clock.h"

#include <stdlib.h>

const char *const receive_grpc_paths[] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    NULL,
};

static const enum signal_kind path_signals[] = {SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS};

_Static_assert(ARRAY_LEN(path_signals) + 1 == ARRAY_LEN(receive_grpc_paths),
    "each path has its signal");

/* A call that ingest has taken. */
struct pending {
	struct receive *receive;
	struct grpc_call *call;
	enum signal_kind signal;
};

static void
respond_error(struct receive *r, struct grpc_call *call, const struct err *err)
{
	struct buf details = {0};
	struct str message = str_from(err->message);
	otlp_write_status(err->code, message, receive_retry_after_ms(r, err), false, &details);
	struct grpc_answer answer = {
	    .code = err->code, .text = message, .details = buf_view(&details)};
	grpc_respond(call, &answer);
	buf_fini(&details);
}

static void
done(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	struct pending *p = ctx;
	struct buf response = {0};
	struct err err;
	if (code != ERR_OK) {
		err_set(&err, receive_outcome(code), "%s", message);
		respond_error(p->receive, p->call, &err);
		free(p);
		return;
	}
	otlp_write_response(p->signal, counts, false, &response);
	struct grpc_answer answer = {.code = ERR_OK, .message = buf_view(&response)};
	grpc_respond(p->call, &answer);
	buf_fini(&response);
	free(p);
}

static enum err_code
check_key(const struct receive *r, const struct grpc_call *call, struct auth_grant *out,
    struct err *err)
{
	const struct auth_fields fields = {
	    .authorization = grpc_call_header(call, STR(AUTH_HEADER)),
	    .api_key = grpc_call_header(call, STR(AUTH_HEADER_API_KEY)),
	    .junjo_key = grpc_call_header(call, STR(AUTH_HEADER_JUNJO_KEY)),
	    .tenant_1 = grpc_call_header(call, STR(TENANT_HEADER_1)),
	    .tenant_2 = grpc_call_header(call, STR(TENANT_HEADER_2))};
	return auth_check(r->opt.keys, &fields, KEY_INGEST, clock_unix_ns(), out, err);
}

enum err_code
receive_grpc_admit(void *ctx, const struct grpc_call *call, struct err *err)
{
	struct auth_grant grant;
	enum err_code code = check_key(ctx, call, &grant, err);
	return code == ERR_OK ? receive_admits(ctx, str_from(grant.tenant), err) : code;
}

void
receive_grpc(void *ctx, struct grpc_call *call)
{
	struct receive *r = ctx;
	struct err err = {0};
	struct auth_grant grant;
	size_t path = grpc_call_path(call);
	CHECK(path < ARRAY_LEN(path_signals));
	enum err_code code = check_key(r, call, &grant, &err);
	if (code != ERR_OK) {
		respond_error(r, call, &err);
		return;
	}
	struct buf *message = grpc_call_message(call);
	struct pending *p = xcalloc(1, sizeof(*p));
	*p = (struct pending){.receive = r, .call = call, .signal = path_signals[path]};
	struct ingest_request req = {.signal = p->signal,
	    .tenant = str_from(grant.tenant),
	    .body = *message,
	    .received_ns = grpc_call_received_ns(call),
	    .done = done,
	    .ctx = p};
	/* The body is the call's or the request's, never both; `done` may free the call before
	 * submit returns. */
	*message = (struct buf){0};
	code = receive_submit(r, &req, &err);
	if (code == ERR_OK)
		return;
	buf_fini(&req.body);
	free(p);
	err.code = receive_outcome(code);
	respond_error(r, call, &err);
}
