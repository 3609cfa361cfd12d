/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "ops/ops.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "wire/json_write.h"

#include <stdlib.h>

/* Paths that are no operation. */
static const struct {
	struct str path;
	void (*handle)(struct rest *r, struct http_request *req, const struct auth_grant *grant);
} routes[] = {
    {{"/", 1}, rest_index},
    {{"/healthz", 8}, rest_healthz},
    {{"/readyz", 7}, rest_readyz},
    {{"/metrics", 8}, rest_metrics},
};

void
rest_respond(struct http_request *req, int status, const char *content_type, struct buf *body)
{
	struct http_answer answer = {.status = status,
	    .content_type = content_type,
	    .body = *body,
	    .headers = {{"Cache-Control", "no-store"}}};
	*body = (struct buf){0};
	http_respond(req, &answer);
}

static void
write_error(enum err_code code, struct str message, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "error");
	jsonw_object(&w);
	jsonw_key(&w, "code");
	jsonw_str(&w, str_from(err_name(code)));
	jsonw_key(&w, "message");
	jsonw_str(&w, message);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	buf_char(out, '\n');
}

/* What Prometheus calls it, and with which status. */
static const char *
prometheus_error(enum err_code code, int *status_out)
{
	*status_out = err_http_status(code);
	if (*status_out == 400)
		return "bad_data";
	if (code == ERR_EXECUTION || code == ERR_TOO_LARGE) {
		*status_out = 422;
		return "execution";
	}
	if (code == ERR_DEADLINE) {
		*status_out = 503;
		return "timeout";
	}
	return code == ERR_CANCELLED  ? "canceled"
	    : code == ERR_UNAVAILABLE ? "unavailable"
	    : code == ERR_NOT_FOUND   ? "not_found"
	    : code == ERR_BUSY        ? "too_many_requests"
	    : code == ERR_FORBIDDEN   ? "forbidden"
	    : *status_out >= 500      ? "internal"
	                              : "bad_data";
}

static void
write_prometheus_error(const char *type, struct str message, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "status");
	jsonw_str(&w, STR("error"));
	jsonw_key(&w, "errorType");
	jsonw_str(&w, str_from(type));
	jsonw_key(&w, "error");
	jsonw_str(&w, message);
	jsonw_object_end(&w);
	buf_char(out, '\n');
}

static void
respond_error(struct rest *r, struct http_request *req, const struct op *op, enum err_code code,
    const char *allowed, const char *message)
{
	struct http_answer answer = {.status = err_http_status(code),
	    .content_type = REST_JSON,
	    .headers = {{"Cache-Control", "no-store"}}};
	if (code == ERR_METHOD)
		answer.headers[1] = (struct http_header){"Allow", allowed};
	else if (code == ERR_BUSY || code == ERR_UNAVAILABLE)
		answer.headers[1] = (struct http_header){"Retry-After", "1"};
	if (op && op->prometheus)
		write_prometheus_error(prometheus_error(code, &answer.status), str_from(message),
		    &answer.body);
	else
		write_error(code, str_from(message), &answer.body);
	stats_refused(r->opt.stats, code);
	http_respond(req, &answer);
}

void
rest_respond_error(struct rest *r, struct http_request *req, enum err_code code,
    const char *message)
{
	respond_error(r, req, NULL, code, "GET, HEAD", message);
}

void
rest_respond_op_error(struct rest *r, struct http_request *req, const struct op *op,
    enum err_code code, const char *message)
{
	respond_error(r, req, op, code, "GET, HEAD", message);
}

void
rest_respond_method(struct rest *r, struct http_request *req, const char *allowed,
    const char *message)
{
	respond_error(r, req, NULL, ERR_METHOD, allowed, message);
}

const char *
rest_error_body(void *ctx, struct http_request *req, const struct err *err, struct buf *out)
{
	(void)ctx;
	(void)req;
	write_error(err->code, str_from(err->message), out);
	return REST_JSON;
}

static void
not_found(struct rest *r, struct http_request *req)
{
	struct str path = http_request_path(req);
	struct err err;
	struct str shown = {path.ptr, path.len < 80 ? path.len : 80};
	(void)err_set(&err, ERR_NOT_FOUND, "no such path: %.*s%s (GET / lists them)",
	    STR_ARG(shown), shown.len < path.len ? "..." : "");
	rest_respond_error(r, req, ERR_NOT_FOUND, err.message);
}

static const char *
allowed_methods(unsigned methods)
{
	if (!(methods & 1u << OP_POST))
		return "GET, HEAD";
	return methods & 1u << OP_GET ? "GET, HEAD, POST" : "POST";
}

static void
handle_op(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	enum http_method method = http_request_method(req);
	struct ops_path path;
	struct err err;
	const struct op *op =
	    ops_find_path(method == HTTP_POST ? OP_POST : OP_GET, http_request_path(req), &path);
	bool served = method == HTTP_GET || method == HTTP_HEAD || method == HTTP_POST;
	if (path.methods == 0) {
		not_found(r, req);
	} else if (!op || !served) {
		const char *allowed = allowed_methods(path.methods);
		(void)err_set(&err, ERR_METHOD, "only %s is served here", allowed);
		rest_respond_method(r, req, allowed, err.message);
	} else if (op->method == OP_POST && !op->prometheus &&
	    rest_check_origin(req, &err) != ERR_OK) {
		rest_respond_error(r, req, err.code, err.message);
	} else if (op->stream) {
		rest_follow(r, req, op, grant);
	} else {
		rest_ask(r, req, op, path.values, path.value_count, grant);
	}
}

/* What the key lets in. */
static void
handle(struct rest *r, struct http_request *req, const struct auth_grant *grant)
{
	struct str path = http_request_path(req);
	const struct rest_routes *all = rest_routes_find(path);
	size_t i = 0;
	if (all) {
		rest_routes_run(r, req, all, grant);
		return;
	}
	while (i < ARRAY_LEN(routes) && !str_eq(routes[i].path, path))
		i++;
	enum http_method method = http_request_method(req);
	if (i == ARRAY_LEN(routes))
		handle_op(r, req, grant);
	else if (method != HTTP_GET && method != HTTP_HEAD)
		rest_respond_error(r, req, ERR_METHOD, "only GET and HEAD are served here");
	else
		routes[i].handle(r, req, grant);
}

void
rest_handle(void *ctx, struct http_request *req)
{
	struct rest *r = ctx;
	struct auth_grant grant;
	struct err err;
	unsigned right = rest_right_of(http_request_method(req), http_request_path(req));
	if (rest_check_key(r, req, right, &grant, &err) == ERR_OK)
		handle(r, req, &grant);
	else
		rest_respond_error(r, req, err.code, err.message);
}

enum err_code
rest_start(const struct rest_options *opt, struct rest **out, struct err *err)
{
	struct process_usage usage;
	struct rest *r = xcalloc(1, sizeof(*r));
	enum err_code code = ERR_OK;
	*out = NULL;
	r->opt = *opt;
	if (r->opt.thread_count == 0)
		r->opt.thread_count = REST_THREADS_DEFAULT;
	process_usage(&usage);
	r->start_unix_ns = usage.start_unix_ns;
	r->wait_mono_ns = clock_mono_ns() + REST_CATCH_UP_MS * NS_PER_MS;
	budget_init(&r->answers, opt->limits->answer_bytes_max);
	r->jobs = queue_new(opt->limits->queries_max);
	r->readers = xcalloc(r->opt.thread_count, sizeof(*r->readers));
	for (unsigned i = 0; i < r->opt.thread_count && code == ERR_OK; i++)
		code = thread_start(&r->readers[i], "reader", rest_reader_main, r, err);
	r->heavy_jobs = queue_new(opt->limits->queries_max);
	if (r->opt.heavy_count == 0)
		r->opt.heavy_count = 1;
	r->heavies = xcalloc(r->opt.heavy_count, sizeof(*r->heavies));
	for (unsigned i = 0; i < r->opt.heavy_count && code == ERR_OK; i++)
		code = thread_start(&r->heavies[i], "heavy", rest_heavy_main, r, err);
	r->slow_jobs = queue_new(1);
	if (code == ERR_OK)
		code = thread_start(&r->slow, "slow", rest_slow_main, r, err);
	if (code != ERR_OK) {
		rest_free(r);
		return code;
	}
	*out = r;
	return ERR_OK;
}

void
rest_stop(struct rest *r)
{
	store_cancel(r->opt.store); /* first: what runs in it says that the server stops */
	atomic_store(&r->stopping, true);
	queue_close(r->jobs);
	queue_close(r->heavy_jobs);
	queue_close(r->slow_jobs);
	for (unsigned i = 0; i < r->opt.thread_count; i++)
		thread_join(&r->readers[i]);
	for (unsigned i = 0; i < r->opt.heavy_count; i++)
		thread_join(&r->heavies[i]);
	thread_join(&r->slow);
}

void
rest_free(struct rest *r)
{
	if (!r)
		return;
	rest_stop(r);
	queue_free(r->jobs);
	queue_free(r->heavy_jobs);
	queue_free(r->slow_jobs);
	free(r->heavies);
	free(r->readers);
	free(r);
}
