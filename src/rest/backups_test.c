/* SPDX-License-Identifier: Apache-2.0 */
/* Backups over REST, made by a fake that takes as long as it is told to: what takes long is one at a time. */
#include "rest/rest_priv.h"

#include "base/timefmt.h"
#include "rest/rest_kit_test.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
	struct http_server *server;
	struct rest *rest;
	struct limits limits;
	struct stats stats;
	struct store store;
	struct rest_backups backups;
	struct queue *tickets; /* one that is made ends when it gets one, or they are closed */
	_Atomic int making;
	char name[80]; /* of the last one */
};

static void
fake_cancel(struct store *s)
{
	struct fixture *f = (struct fixture *)((char *)s - offsetof(struct fixture, store));
	queue_close(f->tickets);
}

static const struct store_ops fake_ops = {.name = "fake", .cancel = fake_cancel};

static enum err_code
fake_create(void *ctx, struct str name, uint64_t now_unix_ns, struct buf *json, struct err *err)
{
	struct fixture *f = ctx;
	snprintf(f->name, sizeof(f->name), "%.*s", STR_ARG(name));
	atomic_fetch_add(&f->making, 1);
	bool done = queue_pop(f->tickets, UINT64_MAX) != NULL;
	atomic_fetch_sub(&f->making, 1);
	if (!done)
		return err_set(err, ERR_CANCELLED, "the server is stopping");
	buf_printf(json, "{\"at\":%s}\n", now_unix_ns > 0 ? "\"now\"" : "0");
	return ERR_OK;
}

static enum err_code
fake_list(void *ctx, struct buf *json, struct err *err)
{
	(void)ctx;
	(void)err;
	buf_str(json, STR("{\"backups\":[]}\n"));
	return ERR_OK;
}

static enum err_code
fake_remove(void *ctx, struct str name, struct err *err)
{
	struct fixture *f = ctx;
	snprintf(f->name, sizeof(f->name), "%.*s", STR_ARG(name));
	return str_eq(name, STR("there")) ? ERR_OK
	                                  : err_set(err, ERR_NOT_FOUND, "there is no such backup");
}

static struct fixture *
start(bool makes_backups)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->limits = limits_default();
	f->limits.query_timeout_ms = 1; /* does not count for them */
	f->store.ops = &fake_ops;
	f->tickets = queue_new(10);
	f->backups = (struct rest_backups){fake_create, fake_list, fake_remove, f};
	struct rest_options opt = {.store = &f->store,
	    .backups = makes_backups ? &f->backups : NULL,
	    .limits = &f->limits,
	    .stats = &f->stats};
	rest_kit_start(&opt, &f->rest, &f->server);
	return f;
}

static void
finish(struct fixture *f)
{
	http_server_free(f->server);
	rest_free(f->rest);
	queue_free(f->tickets);
	free(f);
}

static int
send_to(struct fixture *f, const char *method, const char *path, struct buf *body)
{
	return rest_kit_ask(f->server, &(struct rest_kit_request){.method = method, .path = path},
	    body);
}

static void
expect(struct fixture *f, const char *method, const char *path, int status, const char *text)
{
	struct buf body = {0};
	int got = send_to(f, method, path, &body);
	if (got != status || !strstr(body.ptr, text))
		fail_msg("%s %s: wanted %d with %s, got %d: %s", method, path, status, text, got,
		    body.ptr);
	buf_fini(&body);
}

struct asking {
	struct fixture *f;
	struct thread thread;
	struct buf body;
	int status;
};

static void
ask_main(void *ctx)
{
	struct asking *a = ctx;
	a->status = send_to(a->f, "POST", "/api/v1/backups?name=first", &a->body);
}

static void
ask_in_thread(struct asking *a, struct fixture *f)
{
	uint64_t end = clock_mono_ns() + 30 * NS_PER_S;
	*a = (struct asking){.f = f};
	assert_int_equal(thread_start(&a->thread, "asking", ask_main, a, NULL), ERR_OK);
	while (atomic_load(&f->making) == 0) {
		assert_true(clock_mono_ns() < end);
		clock_sleep_ns(NS_PER_MS);
	}
}

TEST(rest, long_work_is_one_at_a_time_and_has_no_deadline)
{
	struct fixture *f = start(true);
	struct asking a;
	ask_in_thread(&a, f);
	assert_string_equal(f->name, "first");
	clock_sleep_ns(20 * NS_PER_MS); /* longer than a question may take */
	expect(f, "POST", "/api/v1/backups?name=second", 429, "there is one at a time");
	expect(f, "DELETE", "/api/v1/backups/there", 429, "there is one at a time");
	/* Others go on. */
	expect(f, "GET", "/healthz", 200, "ok");
	assert_string_equal(f->name, "first");
	assert_int_equal(queue_push(f->tickets, f), ERR_OK);
	thread_join(&a.thread);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body.ptr, "\"now\""));
	buf_fini(&a.body);
	/* And then there is room for the next. */
	assert_int_equal(queue_push(f->tickets, f), ERR_OK);
	expect(f, "POST", "/api/v1/backups", 200, "now");
	assert_string_equal(f->name, "");
	finish(f);
}

TEST(rest, long_work_ends_when_the_server_stops)
{
	struct fixture *f = start(true);
	struct asking a;
	ask_in_thread(&a, f);
	rest_stop(f->rest);
	thread_join(&a.thread);
	assert_int_equal(a.status, err_http_status(ERR_CANCELLED));
	buf_fini(&a.body);
	finish(f);
}

TEST(rest, backups_are_listed_and_deleted)
{
	struct fixture *f = start(true);
	f->limits.query_timeout_ms = 30000;
	expect(f, "GET", "/api/v1/backups", 200, "\"backups\":[]");
	expect(f, "DELETE", "/api/v1/backups/there", 200, "\"deleted\":true");
	assert_string_equal(f->name, "there");
	expect(f, "DELETE", "/api/v1/backups/gone", 404, "no such backup");
	expect(f, "DELETE", "/api/v1/backups", 405, "only GET, HEAD, POST is served here");
	expect(f, "POST", "/api/v1/backups?name=a&nome=b", 400, "nome");
	expect(f, "GET", "/", 200, "/api/v1/backups");
	finish(f);
}

TEST(rest, weir_without_backups_says_so)
{
	struct fixture *f = start(false);
	expect(f, "GET", "/api/v1/backups", 404, "makes no backups");
	expect(f, "POST", "/api/v1/backups", 404, "makes no backups");
	finish(f);
}
