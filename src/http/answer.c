/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_priv.h"

#include "base/timefmt.h"
#include "sys/tcp.h"

/* A client that finds the server full or stopping may come back after this. */
#define RETRY_AFTER_TEXT "1"

static void
add_header(struct MHD_Response *response, const char *name, const char *value)
{
	CHECK(MHD_add_response_header(response, name, value) == MHD_YES);
}

/* Takes the body: libmicrohttpd frees it with free(), as struct buf would. */
static struct MHD_Response *
make_response(struct buf *body, const char *content_type)
{
	CHECK(!body->failed);
	if (!body->ptr)
		(void)buf_reserve(body, 1);
	struct MHD_Response *response =
	    MHD_create_response_from_buffer(body->len, body->ptr, MHD_RESPMEM_MUST_FREE);
	CHECK(response != NULL);
	*body = (struct buf){0};
	if (content_type)
		add_header(response, "Content-Type", content_type);
	add_header(response, "X-Content-Type-Options", "nosniff");
	return response;
}

struct MHD_Response *
http_answer_response(struct http_answer *answer)
{
	struct MHD_Response *response = make_response(&answer->body, answer->content_type);
	for (size_t i = 0; i < ARRAY_LEN(answer->headers) && answer->headers[i].name; i++)
		add_header(response, answer->headers[i].name, answer->headers[i].value);
	return response;
}

static const char *
error_body(struct http_server *s, struct http_request *r, enum err_code code, const char *message,
    struct buf *out)
{
	if (s->opt.error_body)
		return s->opt.error_body(s->opt.ctx, r, code, str_from(message), out);
	buf_printf(out, "%s\n", message);
	return "text/plain; charset=utf-8";
}

static void
count_error(struct http_server *s, enum err_code code)
{
	stats_add(s->stats, s->opt.stats_requests, 1);
	stats_refused(s->stats, code);
}

struct MHD_Response *
http_answer_error(struct http_server *s, struct http_request *r, enum err_code code,
    const char *message)
{
	struct buf body = {0};
	const char *type = error_body(s, r, code, message, &body);
	struct MHD_Response *response = make_response(&body, type);
	add_header(response, "Connection", "close");
	if (err_retryable(code))
		add_header(response, "Retry-After", RETRY_AFTER_TEXT);
	count_error(s, code);
	return response;
}

void
http_answer_raw(struct http_server *s, struct http_request *r, enum err_code code,
    const char *message, struct buf *out)
{
	struct buf body = {0};
	const char *type = error_body(s, r, code, message, &body);
	int status = err_http_status(code);
	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, MHD_get_reason_phrase_for((unsigned)status));
	buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, body.len);
	buf_printf(out, "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
	    err_retryable(code) ? "Retry-After: " RETRY_AFTER_TEXT "\r\n" : "");
	buf_str(out, buf_view(&body));
	buf_fini(&body);
	count_error(s, code);
}

void
http_answer_last_words(int fd, struct str bytes)
{
	size_t n;
	/* Whatever comes of it: the peer may be gone, and nobody is left to tell. */
	(void)tcp_write(fd, bytes.ptr, bytes.len, &n);
}

uint64_t
http_answer_time_ns(const struct http_server *s, uint64_t bytes)
{
	return s->limits.body_grace_ms * NS_PER_MS + bytes / s->limits.body_rate_min * NS_PER_S;
}
