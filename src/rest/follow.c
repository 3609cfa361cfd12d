/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/follow.c - operations that are streams: a connection becomes a reader of tail/tail.h.
 *
 * Answered on the server's thread, for there is nothing to wait for. What belongs to a stream, its conditions, which point
 * into the request, and its key among them, lives as long as its reader does.
 */
#include "rest/rest_priv.h"

#include "tail/tail.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

enum { FILTER_BYTES_MAX = 256 * 1024 };

struct following {
	struct rest *rest;
	struct http_request *request;
	struct auth_grant grant;
	struct arena arena;
	struct store_query query;
	struct tail_reader *reader;
};

static enum err_code
build(struct following *f, const struct op *op, struct err *err)
{
	struct op_value v, *values;
	size_t count = 0;
	struct op_context ctx = {.store = f->rest->opt.store,
	    .limits = f->rest->opt.limits,
	    .tenant = str_from(f->grant.tenant),
	    .now_unix_ns = clock_unix_ns(),
	    .arena = &f->arena};
	while (http_request_param(f->request, count, &v.name, &v.value))
		count++;
	values = arena_array(&f->arena, count + 1, sizeof(*values));
	if (!values)
		return err_set(err, ERR_TOO_LARGE, "too many parameters");
	for (size_t i = 0; i < count; i++)
		(void)http_request_param(f->request, i, &values[i].name, &values[i].value);
	return ops_build_filter(op, &ctx, values, count, &f->query, err);
}

/* ---- of the reader */

static void
wake(void *ctx)
{
	struct following *f = ctx;
	http_stream_wake(f->request);
}

/* The key that it came with still lets it in, and to the same tenant. */
static enum err_code
check_allowed(void *ctx, struct err *err)
{
	struct following *f = ctx;
	struct auth_grant now;
	enum err_code code = rest_check_key(f->rest, f->request, KEY_READ, &now, err);
	if (code == ERR_OK && strcmp(now.tenant, f->grant.tenant) != 0)
		return err_set(err, ERR_FORBIDDEN, "the key is for another tenant now");
	return code;
}

static void
free_following(void *ctx)
{
	struct following *f = ctx;
	arena_fini(&f->arena);
	http_stream_release(f->request);
	free(f);
}

/* ---- of the connection */

static ptrdiff_t
read_stream(void *ctx, char *out, size_t max)
{
	struct following *f = ctx;
	ptrdiff_t n = tail_read(f->reader, out, max);
	return n == TAIL_END ? HTTP_STREAM_END : n;
}

static void
closed(void *ctx)
{
	struct following *f = ctx;
	tail_leave(f->reader);
}

static void
refuse(struct following *f, const struct err *err)
{
	rest_respond_error(f->rest, f->request, err->code, err->message);
	arena_fini(&f->arena);
	free(f);
}

void
rest_follow(struct rest *r, struct http_request *req, const struct op *op,
    const struct auth_grant *grant)
{
	struct following *f = xcalloc(1, sizeof(*f));
	struct err err = {0};
	bool resumes = http_request_header(req, "last-event-id").len > 0;
	f->rest = r;
	f->request = req;
	f->grant = *grant;
	arena_init(&f->arena, FILTER_BYTES_MAX, 0);
	enum err_code code = r->opt.tail
	    ? build(f, op, &err)
	    : err_set(&err, ERR_NOT_FOUND, "nothing can be followed in this server");
	if (code == ERR_OK)
		code = tail_join(r->opt.tail,
		    &(struct tail_reader_options){.query = &f->query,
		        .comment = resumes
		            ? STR("from now on (there are no ids: Last-Event-ID is not honoured)")
		            : STR("from now on"),
		        .wake = wake,
		        .allowed = check_allowed,
		        .freed = free_following,
		        .ctx = f},
		    &f->reader, &err);
	if (code != ERR_OK) {
		refuse(f, &err);
		return;
	}
	http_respond_stream(req,
	    &(struct http_stream){.status = 200,
	        .content_type = "text/event-stream",
	        .headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
	        .read = read_stream,
	        .closed = closed,
	        .ctx = f});
}
