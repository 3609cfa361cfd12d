/* SPDX-License-Identifier: Apache-2.0 */
#include "http/harness_test.h"

#include "base/arena.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a server whose handler does as the path says */

void
ht_respond_text(struct http_request *r, int status, struct str text)
{
	struct http_answer a = {.status = status, .content_type = "text/plain"};
	buf_str(&a.body, text);
	http_respond(r, &a);
}

/* Everything the server says it understood, one line each. */
static void
respond_echo(struct http_request *r)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "OTHER"};
	struct http_answer a = {
	    .status = 200, .content_type = "text/plain", .headers = {{"X-Extra", "yes"}}};
	struct str name, value;
	buf_printf(&a.body, "method=%s\npath=%.*s\n", methods[http_request_method(r)],
	    STR_ARG(http_request_path(r)));
	for (size_t i = 0; http_request_param(r, i, &name, &value); i++)
		buf_printf(&a.body, "param %.*s=%.*s\n", STR_ARG(name), STR_ARG(value));
	buf_printf(&a.body, "x-probe=%.*s\n", STR_ARG(http_request_header(r, "X-PROBE")));
	buf_printf(&a.body, "chunked=%d\nbody=%zu:", http_request_chunked(r),
	    http_request_body(r)->len);
	buf_str(&a.body, buf_view(http_request_body(r)));
	http_respond(r, &a);
}

static void
handle(void *ctx, struct http_request *r)
{
	struct ht_server *f = ctx;
	atomic_fetch_add(&f->handled, 1);
	if (str_starts(http_request_path(r), STR("/hold")))
		assert_int_equal(queue_push(f->held, r), ERR_OK);
	else if (str_eq(http_request_path(r), STR("/block"))) {
		assert_int_equal(queue_push(f->held, r), ERR_OK);
		assert_non_null(queue_pop(f->gate, clock_mono_ns() + PATIENCE_NS));
	} else if (str_eq(http_request_path(r), STR("/large"))) {
		struct http_answer a = {.status = 200, .content_type = "text/plain"};
		char *p = buf_reserve(&a.body, 32 * LIMIT_MIB);
		memset(p, 'x', 32 * LIMIT_MIB);
		a.body.len = 32 * LIMIT_MIB;
		http_respond(r, &a);
	} else
		respond_echo(r);
}

static const char *
error_body(void *ctx, struct http_request *r, const struct err *err, struct buf *out)
{
	(void)ctx;
	struct str probe = r ? http_request_header(r, "X-Probe") : STR("no request");
	buf_printf(out, "E %s %s (%.*s)", err_name(err->code), err->message, STR_ARG(probe));
	return "text/x-error";
}

static uint64_t
body_max(void *ctx, const struct http_request *r)
{
	const struct ht_server *f = ctx;
	bool wide = str_eq(http_request_path(r), STR("/wide"));
	return wide ? 2 * f->limits.wire_bytes_max : f->limits.wire_bytes_max;
}

static struct ht_server *
start(void (*adjust)(struct limits *), unsigned threads, bool over_tls)
{
	struct ht_server *f = xcalloc(1, sizeof(*f));
	struct err err = {0};
	f->limits = limits_default();
	if (adjust)
		adjust(&f->limits);
	const struct tls_files files = {
	    .cert = STR("tests/golden/tls/server.pem"), .key = STR("tests/golden/tls/server.key")};
	if (over_tls && tls_context_open(&files, &f->tls, &err) != ERR_OK)
		fail_msg("%s", err.message);
	f->held = queue_new(1000);
	f->gate = queue_new(1);
	struct http_server_options opt = {.address = STR("127.0.0.1:0"),
	    .name = "test",
	    .thread_count = threads,
	    .limits = &f->limits,
	    .tls = f->tls,
	    .tls_port = TLS_HTTP,
	    .stats = &f->stats,
	    .stats_requests = STATS_REQUESTS_HTTP,
	    .stats_connections = STATS_CONNS_HTTP,
	    .handle = handle,
	    .body_max = body_max,
	    .error_body = error_body,
	    .ctx = f};
	enum err_code code = http_server_start(&opt, &f->server, &err);
	if (code != ERR_OK)
		print_error("%s\n", err.message);
	assert_int_equal(code, ERR_OK);
	return f;
}

struct ht_server *
ht_start(void (*adjust)(struct limits *), unsigned threads)
{
	return start(adjust, threads, getenv("WEIR_TEST_TLS") != NULL);
}

struct ht_server *
ht_start_tls(void (*adjust)(struct limits *), unsigned threads)
{
	return start(adjust, threads, true);
}

void
ht_finish(struct ht_server *f)
{
	http_server_stop(f->server, clock_mono_ns() + PATIENCE_NS);
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_HTTP), 0);
	assert_int_equal(stats_get(&f->stats, STATS_INFLIGHT_BYTES), 0);
	http_server_free(f->server);
	tls_context_close(f->tls);
	queue_free(f->held);
	queue_free(f->gate);
	free(f);
}

struct http_request *
ht_held(struct ht_server *f)
{
	struct http_request *r = queue_pop(f->held, clock_mono_ns() + PATIENCE_NS);
	assert_non_null(r);
	return r;
}

/* ---- a client that can do wrong */

struct ht_client
ht_dial_plain(const struct ht_server *f)
{
	struct ht_client c = {.fd = -1};
	char address[32];
	struct err err = {0};
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
	assert_int_equal(tcp_connect(str_from(address), 10000, &c.fd, &err), ERR_OK);
	return c;
}

struct ht_client
ht_dial(const struct ht_server *f)
{
	struct err err = {0};
	struct ht_client c = ht_dial_plain(f);
	const struct tls_client_options opt = {.address = STR("127.0.0.1:1"),
	    .files = {.ca = STR("tests/golden/tls/ca.pem")},
	    .alpn = "http/1.1"};
	if (f->tls &&
	    tls_conn_connect(&opt, c.fd, clock_mono_ns() + PATIENCE_NS, &c.tls, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return c;
}

void
ht_hang_up(struct ht_client *c)
{
	if (c->tls)
		tls_conn_close(c->tls);
	else
		tcp_close(c->fd);
	buf_fini(&c->in);
}

void
ht_shut(struct ht_client *c)
{
	if (c->tls)
		assert_int_equal(tls_conn_end(c->tls), TCP_OK);
	else
		tcp_shutdown_write(c->fd);
}

/* False when the server no longer wants it. */
bool
ht_try_send(struct ht_client *c, struct str s)
{
	while (s.len > 0) {
		size_t n;
		enum tcp_io io = c->tls ? tls_conn_write(c->tls, s.ptr, s.len, &n)
		                        : tcp_write(c->fd, s.ptr, s.len, &n);
		if (io == TCP_OK)
			s = str_skip(s, n);
		else if (io == TCP_WAIT_WRITE)
			assert_true(tcp_wait(c->fd, true, clock_mono_ns() + PATIENCE_NS));
		else
			return false;
	}
	return true;
}

void
ht_say(struct ht_client *c, const char *text)
{
	assert_true(ht_try_send(c, str_from(text)));
}

/* Read more; false at the end. */
bool
ht_more(struct ht_client *c)
{
	for (;;) {
		size_t n;
		char *p = buf_reserve(&c->in, 65536);
		enum tcp_io io =
		    c->tls ? tls_conn_read(c->tls, p, 65536, &n) : tcp_read(c->fd, p, 65536, &n);
		if (io == TCP_OK) {
			c->in.len += n;
			return true;
		}
		if (io != TCP_WAIT_READ) {
			c->ended = true;
			c->failed = io == TCP_FAILED;
			return false;
		}
		assert_true(tcp_wait(c->fd, false, clock_mono_ns() + PATIENCE_NS));
	}
}

static size_t
head_end(const struct buf *b)
{
	for (size_t i = 0; i + 4 <= b->len; i++)
		if (memcmp(b->ptr + i, "\r\n\r\n", 4) == 0)
			return i + 4;
	return 0;
}

bool
ht_reply_has(const struct ht_reply *r, const char *text)
{
	return strstr(r->text.ptr, text) != NULL;
}

size_t
ht_content_length(const char *head)
{
	uint64_t n = 0;
	const char *at = strstr(head, "Content-Length: ");
	if (!at)
		return 0;
	struct str s = str_from(at + strlen("Content-Length: "));
	s.len = str_find(s, '\r');
	assert_true(str_to_u64(s, &n));
	return n;
}

/* The next answer; status 0: the connection ended first. */
struct ht_reply
ht_hear(struct ht_client *c, bool without_body)
{
	struct ht_reply r = {0};
	while (head_end(&c->in) == 0)
		if (!ht_more(c))
			return r;
	r.head_len = head_end(&c->in);
	buf_append(&r.text, c->in.ptr, r.head_len);
	buf_char(&r.text, '\0');
	size_t body = without_body ? 0 : ht_content_length(r.text.ptr);
	while (c->in.len < r.head_len + body)
		if (!ht_more(c))
			fail_msg("the body of the answer was cut");
	buf_reset(&r.text);
	buf_append(&r.text, c->in.ptr, r.head_len + body);
	buf_char(&r.text, '\0');
	c->in.len -= r.head_len + body;
	memmove(c->in.ptr, c->in.ptr + r.head_len + body, c->in.len);
	assert_memory_equal(r.text.ptr, "HTTP/1.1 ", 9);
	r.status = (int)strtol(r.text.ptr + 9, NULL, 10);
	return r;
}

void
ht_expect(struct ht_client *c, int status, const char *text)
{
	struct ht_reply r = ht_hear(c, false);
	if (r.status != status || (text && !ht_reply_has(&r, text)))
		fail_msg("wanted %d with \"%s\", got %d:\n%s", status, text ? text : "", r.status,
		    r.text.ptr ? r.text.ptr : "(end)");
	buf_fini(&r.text);
}

void
ht_expect_end(struct ht_client *c)
{
	while (ht_more(c))
		continue;
	if (c->in.len > 0)
		fail_msg("%zu bytes more: %.*s", c->in.len, STR_ARG(buf_view(&c->in)));
}

/* Send, get one answer, see the connection closed without a reset. */
void
ht_refused(const struct ht_server *f, const char *request, int status, const char *text)
{
	struct ht_client c = ht_dial(f);
	ht_say(&c, request);
	ht_expect(&c, status, text);
	ht_expect_end(&c);
	assert_false(c.failed);
	ht_hang_up(&c);
}

void
ht_answered(const struct ht_server *f, const char *request, int status, const char *text)
{
	struct ht_client c = ht_dial(f);
	ht_say(&c, request);
	ht_expect(&c, status, text);
	ht_hang_up(&c);
}
