/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/receive_priv.h"

#include "base/arena.h"
#include "sys/clock.h"

#include <stdlib.h>

static const struct {
	struct str path;
	enum signal_kind signal;
} routes[] = {
    {{"/v1/traces", 10}, SIGNAL_TRACES},
    {{"/v1/metrics", 11}, SIGNAL_METRICS},
    {{"/v1/logs", 8}, SIGNAL_LOGS},
};

enum body_type { BODY_UNKNOWN, BODY_PROTOBUF, BODY_JSON };

static const char *const type_names[] = {
    [BODY_UNKNOWN] = "application/json",
    [BODY_PROTOBUF] = "application/x-protobuf",
    [BODY_JSON] = "application/json",
};

/* A request that ingest has taken. */
struct pending {
	struct receive *receive;
	struct http_request *request;
	enum signal_kind signal;
	enum body_type type;
};

static enum body_type
body_type(const struct http_request *req)
{
	struct str type = http_request_header(req, "Content-Type");
	type.len = str_find(type, ';');
	type = str_trim(type);
	if (str_eq_nocase(type, STR("application/x-protobuf")))
		return BODY_PROTOBUF;
	if (str_eq_nocase(type, STR("application/json")))
		return BODY_JSON;
	return BODY_UNKNOWN;
}

/* `header` is one more for the answer; its name may be NULL. */
static void
respond_error(struct receive *r, struct http_request *req, const struct err *err,
    struct http_header header)
{
	enum body_type type = body_type(req);
	uint64_t retry_ms = receive_retry_after_ms(r, err);
	char seconds[HTTP_RETRY_AFTER_BYTES];
	struct http_answer answer = {
	    .status = err_http_status(err->code), .content_type = type_names[type]};
	size_t n = 0;
	if (header.name)
		answer.headers[n++] = header;
	if (retry_ms > 0) {
		http_retry_after(retry_ms, seconds);
		answer.headers[n++] = (struct http_header){"Retry-After", seconds};
	}
	otlp_write_status(err->code, str_from(err->message), retry_ms, type != BODY_PROTOBUF,
	    &answer.body);
	stats_refused(r->opt.stats, err->code);
	http_respond(req, &answer);
}

static const struct http_header no_header;

static void
done(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	struct pending *p = ctx;
	if (code != ERR_OK) {
		struct err err;
		err_set(&err, receive_outcome(code), "%s", message);
		respond_error(p->receive, p->request, &err, no_header);
		free(p);
		return;
	}
	struct http_answer answer = {.status = 200, .content_type = type_names[p->type]};
	otlp_write_response(p->signal, counts, p->type == BODY_JSON, &answer.body);
	http_respond(p->request, &answer);
	free(p);
}

static bool
find_route(struct str path, enum signal_kind *signal_out)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!str_eq(routes[i].path, path))
			continue;
		*signal_out = routes[i].signal;
		return true;
	}
	return false;
}

static enum err_code
inflate_body(struct receive *r, struct http_request *req, enum inflate_coding coding,
    struct buf *out, struct err *err)
{
	struct inflate *inflater = receive_inflater_take(r);
	enum err_code code = inflate_run(inflater, coding, buf_view(http_request_body(req)),
	    r->opt.limits->body_bytes_max, out, err);
	receive_inflater_give(r, inflater);
	if (code == ERR_OK)
		code = http_request_charge(req, out->len, err);
	if (code == ERR_OK)
		buf_fini(http_request_body(req));
	return code;
}

/* The body as ingest wants it. */
static enum err_code
take_body(struct receive *r, struct http_request *req, enum inflate_coding coding, struct buf *out,
    struct err *err)
{
	struct buf *wire = http_request_body(req);
	uint64_t max = r->opt.limits->body_bytes_max;
	enum err_code code = ERR_OK;
	stats_add(r->opt.stats, STATS_BODY_BYTES, (int64_t)wire->len);
	if (coding != INFLATE_IDENTITY) {
		code = inflate_body(r, req, coding, out, err);
	} else if (wire->len > max) {
		code =
		    err_set(err, ERR_TOO_LARGE, "the body has %zu bytes, at most %llu are allowed",
		        wire->len, (unsigned long long)max);
	} else {
		*out = *wire;
		*wire = (struct buf){0};
	}
	if (code == ERR_OK)
		stats_add(r->opt.stats, STATS_INFLATED_BYTES, (int64_t)out->len);
	return code;
}

static enum err_code
check_key(const struct receive *r, const struct http_request *req, struct auth_grant *out,
    struct err *err)
{
	const struct auth_fields fields = {.authorization = http_request_header(req, AUTH_HEADER),
	    .api_key = http_request_header(req, AUTH_HEADER_API_KEY),
	    .junjo_key = http_request_header(req, AUTH_HEADER_JUNJO_KEY),
	    .tenant_1 = http_request_header(req, TENANT_HEADER_1),
	    .tenant_2 = http_request_header(req, TENANT_HEADER_2)};
	return auth_check(r->opt.keys, &fields, KEY_INGEST, clock_unix_ns(), out, err);
}

enum err_code
receive_http_admit(void *ctx, const struct http_request *req, struct err *err)
{
	struct auth_grant grant;
	enum err_code code = check_key(ctx, req, &grant, err);
	if (code == ERR_OK)
		code = receive_admits(ctx, str_from(grant.tenant), err);
	/* A malformed tenant is said in the order of the other mistakes. */
	return code == ERR_INVALID ? ERR_OK : code;
}

/* Everything that can be wrong before ingest looks at it. */
static enum err_code
prepare(struct receive *r, struct http_request *req, enum body_type type,
    struct ingest_request *out, struct auth_grant *grant, struct http_header *header_out,
    struct err *err)
{
	enum inflate_coding coding;
	if (http_request_method(req) != HTTP_POST) {
		*header_out = (struct http_header){"Allow", "POST"};
		return err_set(err, ERR_METHOD, "only POST is served here");
	}
	if (type == BODY_UNKNOWN)
		return err_set(err, ERR_MEDIA_TYPE,
		    "content-type must be application/x-protobuf or application/json");
	enum err_code code =
	    inflate_coding_parse(http_request_header(req, "Content-Encoding"), &coding, err);
	if (code != ERR_OK) {
		*header_out = (struct http_header){"Accept-Encoding", "gzip, zstd, deflate"};
		return code;
	}
	code = check_key(r, req, grant, err);
	out->tenant = str_from(grant->tenant);
	return code == ERR_OK ? take_body(r, req, coding, &out->body, err) : code;
}

void
receive_http(void *ctx, struct http_request *req)
{
	struct receive *r = ctx;
	struct err err = {0};
	struct http_header header = {0};
	struct auth_grant grant;
	struct ingest_request in = {.received_ns = http_request_received_ns(req), .done = done};
	enum body_type type = body_type(req);
	if (!find_route(http_request_path(req), &in.signal)) {
		err_set(&err, ERR_NOT_FOUND,
		    "no such path: OTLP is served at /v1/traces, /v1/metrics and /v1/logs");
		respond_error(r, req, &err, no_header);
		return;
	}
	enum err_code code = prepare(r, req, type, &in, &grant, &header, &err);
	if (code == ERR_OK) {
		struct pending *p = xcalloc(1, sizeof(*p));
		*p = (struct pending){
		    .receive = r, .request = req, .signal = in.signal, .type = type};
		in.json = type == BODY_JSON;
		in.ctx = p;
		/* `done` may free the request before submit returns. */
		code = receive_submit(r, &in, &err);
		if (code == ERR_OK)
			return;
		free(p);
		err.code = receive_outcome(code);
	}
	buf_fini(&in.body);
	respond_error(r, req, &err, header);
}

const char *
receive_http_error(void *ctx, struct http_request *req, const struct err *err, struct buf *out)
{
	struct receive *r = ctx;
	enum body_type type = req ? body_type(req) : BODY_UNKNOWN;
	otlp_write_status(err->code, str_from(err->message), receive_retry_after_ms(r, err),
	    type != BODY_PROTOBUF, out);
	return type_names[type];
}
