/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_priv.h"

#include "base/arena.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>

enum { PART_BYTES = 64 * 1024 };

/* A client that finds the server full or stopping may come back after this. */
enum { RETRY_AFTER_MS = 1000 };

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	CHECK(MHD_add_response_header(response, name, value) == MHD_YES);
}

/* libmicrohttpd frees it with free(), as struct buf would. */
static struct MHD_Response *
response_of_buf(struct buf *body)
{
	if (!body->ptr)
		(void)buf_reserve(body, 1);
	return MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_MUST_FREE);
}

/* A body that is sent in parts, so that it can be seen how much of it has left. */
struct parts {
	char *ptr;
	size_t len;
	struct budget *budget;
	uint64_t budget_bytes;
	struct http_request *request; /* lives while read_part() is called: no reference */
};

static ssize_t
read_part(void *ctx, uint64_t at, char *out, size_t max)
{
	struct parts *p = ctx;
	CHECK(at < p->len);
	size_t n = p->len - at < max ? p->len - at : max;
	memcpy(out, p->ptr + at, n);
	http_request_progress(p->request, at);
	return (ssize_t)n;
}

static void
free_parts(void *ctx)
{
	struct parts *p = ctx;
	free(p->ptr);
	if (p->budget)
		budget_give(p->budget, p->budget_bytes);
	free(p);
}

static struct MHD_Response *
response_of_parts(struct http_answer *a, struct http_request *r)
{
	struct parts *p = xcalloc(1, sizeof(*p));
	*p = (struct parts){.ptr = a->body.ptr,
	    .len = a->body.len,
	    .budget = a->budget,
	    .budget_bytes = a->budget_bytes,
	    .request = r};
	/* Growing by doubling leaves up to half of it unused, and it may be held for long. */
	if (p->len > 0)
		p->ptr = xrealloc(p->ptr, p->len);
	return MHD_create_response_from_callback(p->len, PART_BYTES, read_part, p, free_parts);
}

bool
http_answer_in_parts(const struct http_answer *a)
{
	return a->budget || a->body.len > PART_BYTES;
}

static struct MHD_Response *
add_headers(struct MHD_Response *response, const char *content_type)
{
	CHECK(response != NULL);
	if (content_type)
		add_header(response, "Content-Type", content_type);
	add_header(response, "X-Content-Type-Options", "nosniff");
	return response;
}

struct MHD_Response *
http_answer_head(struct MHD_Response *response, const char *content_type,
    const struct http_header headers[4])
{
	(void)add_headers(response, content_type);
	for (size_t i = 0; i < 4 && headers[i].name; i++)
		add_header(response, headers[i].name, headers[i].value);
	return response;
}

static void
add_challenge(const struct http_server *s, struct MHD_Response *response, int status)
{
	if (status == err_http_status(ERR_UNAUTHENTICATED) && s->opt.challenge)
		add_header(response, "WWW-Authenticate", s->opt.challenge);
}

struct MHD_Response *
http_answer_response(struct http_answer *answer, struct http_request *r)
{
	CHECK(!answer->body.failed);
	struct MHD_Response *response = http_answer_in_parts(answer)
	    ? response_of_parts(answer, r)
	    : response_of_buf(&answer->body);
	answer->body = (struct buf){0};
	(void)http_answer_head(response, answer->content_type, answer->headers);
	add_challenge(r->server, response, answer->status);
	return response;
}

static const char *
error_body(struct http_server *s, struct http_request *r, const struct err *why, struct buf *out)
{
	if (s->opt.error_body)
		return s->opt.error_body(s->opt.ctx, r, why, out);
	buf_printf(out, "%s\n", why->message);
	return "text/plain; charset=utf-8";
}

void
http_retry_after(uint64_t retry_ms, char out[HTTP_RETRY_AFTER_BYTES])
{
	unsigned long long seconds = retry_ms / 1000 + (retry_ms % 1000 > 0 ? 1 : 0);
	snprintf(out, HTTP_RETRY_AFTER_BYTES, "%llu", seconds);
}

/* False: it is no use to come back. */
static bool
retry_after(const struct err *why, char out[HTTP_RETRY_AFTER_BYTES])
{
	http_retry_after(why->retry_ms > 0 ? why->retry_ms : RETRY_AFTER_MS, out);
	return err_retryable(why->code);
}

static void
count_error(struct http_server *s, enum err_code code)
{
	stats_add(s->stats, s->opt.stats_requests, 1);
	stats_refused(s->stats, code);
}

struct MHD_Response *
http_answer_error(struct http_server *s, struct http_request *r, const struct err *why)
{
	struct buf body = {0};
	char seconds[HTTP_RETRY_AFTER_BYTES];
	const char *type = error_body(s, r, why, &body);
	CHECK(!body.failed);
	struct MHD_Response *response = add_headers(response_of_buf(&body), type);
	add_header(response, "Connection", "close");
	if (retry_after(why, seconds))
		add_header(response, "Retry-After", seconds);
	add_challenge(s, response, err_http_status(why->code));
	count_error(s, why->code);
	return response;
}

void
http_answer_raw(struct http_server *s, struct http_request *r, const struct err *why,
    struct buf *out)
{
	struct buf body = {0};
	char seconds[HTTP_RETRY_AFTER_BYTES];
	const char *type = error_body(s, r, why, &body);
	int status = err_http_status(why->code);
	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, MHD_get_reason_phrase_for((unsigned)status));
	buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.len);
	if (retry_after(why, seconds))
		buf_printf(out, "Retry-After: %s\r\n", seconds);
	buf_printf(out, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
	buf_str(out, buf_view(&body));
	buf_fini(&body);
	count_error(s, why->code);
}

void
http_answer_last_words(int fd, struct str bytes)
{
	size_t n;
	/* Whatever comes of it: the peer may be gone, and nobody is left to tell. */
	(void)tcp_write(fd, bytes.ptr, bytes.len, &n);
}
