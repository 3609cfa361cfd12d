/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "http/http.h"
#include "sys/clock.h"
#include "sys/queue.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

struct peer {
	struct http_server *server;
	struct limits limits;
	struct queue *held;
	char url[64];
};

/* /hold is not answered; /big is, with 100,000 bytes; /away with a redirect; all others with what
 * they said. */
static void
handle(void *ctx, struct http_request *r)
{
	struct peer *p = ctx;
	struct str path = http_request_path(r), name, value;
	struct http_answer a = {.status = 200, .content_type = "text/plain"};
	if (str_eq(path, STR("/hold"))) {
		assert_int_equal(queue_push(p->held, r), ERR_OK);
		return;
	}
	if (str_eq(path, STR("/big"))) {
		memset(buf_reserve(&a.body, 100000), 'x', 100000);
		a.body.len = 100000;
	} else if (str_eq(path, STR("/away"))) {
		a.status = 302;
		a.headers[0] = (struct http_header){"Location", "/elsewhere"};
	} else {
		buf_printf(&a.body, "%.*s auth=%.*s org=%.*s", STR_ARG(path),
		    STR_ARG(http_request_header(r, "Authorization")),
		    STR_ARG(http_request_header(r, "X-Scope-OrgID")));
		for (size_t i = 0; http_request_param(r, i, &name, &value); i++)
			buf_printf(&a.body, " [%.*s=%.*s]", STR_ARG(name), STR_ARG(value));
	}
	http_respond(r, &a);
}

static struct peer *
start(void)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	struct err err;
	p->limits = limits_default();
	p->held = queue_new(10);
	struct http_server_options opt = {.address = STR("127.0.0.1:0"),
	    .name = "peer",
	    .limits = &p->limits,
	    .handle = handle,
	    .ctx = p};
	assert_int_equal(http_server_start(&opt, &p->server, &err), ERR_OK);
	snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u", http_server_port(p->server));
	return p;
}

static void
finish(struct peer *p)
{
	http_server_stop(p->server, 0);
	struct http_request *r;
	while ((r = queue_pop(p->held, 0)) != NULL) {
		struct http_answer a = {.status = 200};
		http_respond(r, &a);
	}
	http_server_free(p->server);
	queue_free(p->held);
	free(p);
}

static struct http_client *
open_client(const char *url, uint64_t timeout_ms)
{
	struct http_client *c;
	struct err err;
	struct http_client_options opt = {.base_url = str_from(url),
	    .connect_timeout_ms = 30000,
	    .timeout_ms = timeout_ms,
	    .body_bytes_max = 100000,
	    .token = STR("secret"),
	    .tenant = STR("team")};
	assert_int_equal(http_client_open(&opt, &c, &err), ERR_OK);
	return c;
}

static void
get(struct http_client *c, const char *path, int status, const char *body)
{
	struct buf got = {0};
	struct err err;
	int got_status;
	assert_int_equal(http_client_get(c, str_from(path), &got_status, &got, &err), ERR_OK);
	assert_int_equal(got_status, status);
	buf_char(&got, '\0');
	assert_string_equal(got.ptr, body);
	buf_fini(&got);
}

static void
fails(struct http_client *c, const char *path, enum err_code code, const char *text)
{
	struct buf got = {0};
	struct err err;
	int status;
	assert_int_equal(http_client_get(c, str_from(path), &status, &got, &err), code);
	if (!strstr(err.message, text))
		fail_msg("no \"%s\" in \"%s\"", text, err.message);
	buf_fini(&got);
}

TEST(http, the_client_gets_any_answer_with_its_status)
{
	struct peer *p = start();
	struct http_client *c = open_client(p->url, 30000);
	struct buf path = {0};
	get(c, "/x", 200, "/x auth=Bearer secret org=team");
	get(c, "/%00", 400, "the path holds a zero byte\n");
	get(c, "/away", 302, "");
	buf_str(&path, STR("/q"));
	http_client_add_param(&path, STR("a b"), STR("c&d=\xc3\xa9"));
	http_client_add_param(&path, STR("e"), STR(""));
	buf_char(&path, '\0');
	assert_string_equal(path.ptr, "/q?a%20b=c%26d%3D%C3%A9&e=");
	get(c, path.ptr, 200, "/q auth=Bearer secret org=team [a b=c&d=\xc3\xa9] [e=]");
	buf_fini(&path);
	http_client_close(c);
	finish(p);
}

TEST(http, the_client_takes_an_address_without_scheme_and_with_a_slash)
{
	struct peer *p = start();
	struct http_client *c = open_client(p->url + strlen("http://"), 30000);
	get(c, "/x", 200, "/x auth=Bearer secret org=team");
	http_client_close(c);
	char url[80];
	snprintf(url, sizeof(url), "%s/", p->url);
	c = open_client(url, 30000);
	get(c, "/x", 200, "/x auth=Bearer secret org=team");
	http_client_close(c);
	finish(p);
}

TEST(http, a_proxy_of_the_environment_is_not_used_for_loopback)
{
	struct peer *p = start();
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	struct http_client *c = open_client(p->url, 30000);
	get(c, "/x", 200, "/x auth=Bearer secret org=team");
	http_client_close(c);
	finish(p);
}

TEST(http, the_client_says_whom_it_cannot_reach_and_why)
{
	struct peer *p = start();
	char url[64];
	memcpy(url, p->url, sizeof(url));
	finish(p);
	struct http_client *c = open_client(url, 30000);
	fails(c, "/x", ERR_UNAVAILABLE, url);
	fails(c, "/x", ERR_UNAVAILABLE, "Connection refused");
	http_client_close(c);
	c = open_client("http://no-such-host.invalid:1", 30000);
	fails(c, "/x", ERR_UNAVAILABLE, "cannot reach http://no-such-host.invalid:1: no such host");
	http_client_close(c);
}

TEST(http, the_clients_limits_hold)
{
	struct peer *p = start();
	struct http_client *c = open_client(p->url, 30000);
	struct buf got = {0};
	struct err err;
	int status;
	assert_int_equal(http_client_get(c, STR("/big"), &status, &got, &err), ERR_OK);
	assert_int_equal(got.len, 100000);
	buf_fini(&got);
	http_client_close(c);
	struct http_client_options opt = {.base_url = str_from(p->url), .body_bytes_max = 99999};
	assert_int_equal(http_client_open(&opt, &c, &err), ERR_OK);
	fails(c, "/big", ERR_TOO_LARGE, "99999");
	get(c, "/x", 200, "/x auth= org=");
	http_client_close(c);
	c = open_client(p->url, 200);
	fails(c, "/hold", ERR_DEADLINE, "in time (200 ms)");
	http_client_close(c);
	finish(p);
}

static void
refused(const char *url, const char *token)
{
	struct http_client *c;
	struct err err;
	struct http_client_options opt = {
	    .base_url = str_from(url), .token = str_from(token), .body_bytes_max = 1};
	if (http_client_open(&opt, &c, &err) != ERR_INVALID)
		fail_msg("%s is taken", url);
	assert_null(c);
}

TEST(http, the_client_refuses_bad_urls_and_headers_at_once)
{
	refused("", NULL);
	refused("http://", NULL);
	refused("http://a b", NULL);
	refused("http://h:99999", NULL);
	refused("http://h/?q=1", NULL);
	refused("http://h\r\nX: y", NULL);
	refused("http://h", "a\r\nX-Evil: 1");
}
