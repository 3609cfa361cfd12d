/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "ops/ops.h"
#include "rest/rest_kit_test.h"
#include "sys/clock.h"
#include "sys/queue.h"
#include "sys/tcp.h"
#include "sys/thread.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* ---- a store that says what it is told to say, when it is told to */

struct fake_store {
	struct store base;
	enum err_code answer;
	bool blocks;
	_Atomic int running;
	struct queue *tickets; /* a blocked query ends when it gets one */
	char tenant[LIMIT_TENANT_BYTES + 1]; /* of the last query that did not block */
	_Atomic uint64_t deadline_ns;
	size_t name_bytes; /* unless 0: the answer is one service with so long a name */
};

static void
add_service(struct store_result *result, size_t name_bytes)
{
	char *name = arena_alloc(result->arena, name_bytes);
	table_init(&result->rows, TABLE_SERVICES, result->arena);
	size_t row = table_add_row(&result->rows);
	assert_non_null(name);
	memset(name, 'x', name_bytes);
	table_set_str(&result->rows, row, SERVICE_NAME, str_of(name, name_bytes));
}

/* Or be cancelled. */
static bool
wait_ticket(struct fake_store *fake)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	return queue_pop(fake->tickets, deadline) || clock_mono_ns() < deadline;
}

static enum err_code
fake_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct fake_store *fake = (struct fake_store *)s;
	if (fake->name_bytes)
		add_service(result, fake->name_bytes);
	fake->deadline_ns = q->deadline_mono_ns;
	if (!fake->blocks)
		snprintf(fake->tenant, sizeof(fake->tenant), "%.*s", STR_ARG(q->tenant));
	atomic_fetch_add(&fake->running, 1);
	if (fake->blocks)
		assert_true(wait_ticket(fake));
	atomic_fetch_sub(&fake->running, 1);
	if (fake->answer != ERR_OK)
		return err_set(err, fake->answer, "the store says \"no\"\n<and> why");
	return ERR_OK;
}

/* It has nothing of anybody. */
static enum err_code
fake_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	(void)s;
	(void)tenant;
	(void)deadline_mono_ns;
	(void)p;
	(void)err;
	return ERR_OK;
}

static void
fake_cancel(struct store *s)
{
	struct fake_store *fake = (struct fake_store *)s;
	queue_close(fake->tickets);
}

static const struct store_ops fake_ops = {.name = "fake",
    .query = fake_query,
    .analyse = fake_analyse,
    .cancel = fake_cancel};

struct fixture {
	struct http_server *server;
	struct rest *rest;
	struct limits limits;
	struct stats stats;
	struct fake_store store;
	bool disk_full;
	_Atomic int looks_left; /* so often the store has not caught up yet */
};

static size_t
checks(void *ctx, struct rest_check *out, size_t max)
{
	struct fixture *f = ctx;
	assert_true(max >= 2);
	out[0] = (struct rest_check){.name = "wal", .ok = true, .text = "3 segments"};
	out[1] = (struct rest_check){.name = "disk", .ok = !f->disk_full, .text = "\"full\""};
	return 2;
}

static bool
catches_up(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES])
{
	struct fixture *f = ctx;
	snprintf(text, LIMIT_CHECK_TEXT_BYTES, "3 of 9 MiB");
	return atomic_load(&f->looks_left) > 0 && atomic_fetch_sub(&f->looks_left, 1) > 0;
}

static void
more_metrics(void *ctx, struct buf *out)
{
	struct fixture *f = ctx;
	assert_non_null(f->rest);
	stats_print_family(out, "weir_of_another", STATS_GAUGE, "What somebody else counts.");
	stats_print_sample(out, "weir_of_another", STATS_GAUGE, "kind=\"a\"", 7);
	stats_print_sample(out, "weir_of_another", STATS_SECONDS, "", 1500000000);
}

static struct fixture *
start(uint64_t queries_max, unsigned threads)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->limits = limits_default();
	f->limits.queries_max = queries_max;
	f->store.base.ops = &fake_ops;
	f->store.tickets = queue_new(100);
	struct rest_options opt = {.store = &f->store.base,
	    .limits = &f->limits,
	    .stats = &f->stats,
	    .thread_count = threads,
	    .checks = checks,
	    .catches_up = catches_up,
	    .checks_ctx = f,
	    .metrics = more_metrics,
	    .metrics_ctx = f};
	rest_kit_start(&opt, &f->rest, &f->server);
	return f;
}

static void
finish(struct fixture *f)
{
	http_server_free(f->server);
	rest_free(f->rest);
	queue_free(f->store.tickets);
	free(f);
}

static void
let_go(struct fixture *f)
{
	assert_int_equal(queue_push(f->store.tickets, f), ERR_OK);
}

/* ---- asking */

static int
get_as(struct fixture *f, const char *tenant, const char *path, struct buf *body)
{
	return rest_kit_ask(f->server, &(struct rest_kit_request){.path = path, .tenant = tenant},
	    body);
}

static void
get(struct fixture *f, const char *path, int status, const char *text)
{
	struct buf body = {0};
	int got = get_as(f, NULL, path, &body);
	if (got != status || !strstr(body.ptr, text))
		fail_msg("%s: wanted %d with %s, got %d: %s", path, status, text, got, body.ptr);
	buf_fini(&body);
}

/* The error object, its code and the whole message. */
static void
get_error(struct fixture *f, const char *path, int status, const char *code, const char *message)
{
	struct buf body = {0};
	const char *got_code, *got_message;
	assert_int_equal(get_as(f, NULL, path, &body), status);
	json_t *json = json_loads(body.ptr, 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_unpack(json, "{s:{s:s,s:s}}", "error", "code", &got_code, "message",
	                     &got_message),
	    0);
	assert_string_equal(got_code, code);
	assert_string_equal(got_message, message);
	json_decref(json);
	buf_fini(&body);
}

/* One raw request and all that comes back until the server closes. */
static struct buf
raw(struct fixture *f, const char *request)
{
	char address[32];
	struct buf in = {0};
	struct err err;
	int fd;
	size_t n;
	enum tcp_io io;
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
	assert_int_equal(tcp_connect(str_from(address), 30000, &fd, &err), ERR_OK);
	assert_int_equal(tcp_write(fd, request, strlen(request), &n), TCP_OK);
	assert_int_equal(n, strlen(request));
	for (;;) {
		char *p = buf_reserve(&in, 65536);
		io = tcp_read(fd, p, 65536, &n);
		if (io == TCP_OK)
			in.len += n;
		else if (io == TCP_WAIT_READ)
			assert_true(tcp_wait(fd, false, clock_mono_ns() + PATIENCE_NS));
		else
			break;
	}
	assert_int_equal(io, TCP_END);
	tcp_close(fd);
	buf_char(&in, '\0');
	return in;
}

#define CLOSE "Host: h\r\nConnection: close\r\n\r\n"

static void
raw_has(struct fixture *f, const char *request, const char *const *texts)
{
	struct buf got = raw(f, request);
	for (; *texts; texts++)
		if (!strstr(got.ptr, *texts))
			fail_msg("no \"%s\" in: %s", *texts, got.ptr);
	buf_fini(&got);
}

/* ---- */

TEST(rest, every_operation_of_the_table_is_served_and_listed)
{
	struct fixture *f = start(10, 2);
	struct buf index = {0};
	assert_int_equal(get_as(f, NULL, "/", &index), 200);
	for (const struct op *op = ops_table; op->name; op++) {
		const struct op_param *p = op->params;
		assert_non_null(strstr(index.ptr, op->path));
		/* An empty store has no such trace, and the one of these tests no SQL; Prometheus' errors look otherwise. */
		if (strchr(op->path, '{') || op->method != OP_GET || op->prometheus ||
		    strncmp(op->name, "sql", 3) == 0)
			continue;
		while (p->name && !p->required)
			p++;
		if (op->stream) /* here is nobody who hears of what comes in */
			get(f, op->path, 404, "nothing can be followed");
		else if (p->name)
			get(f, op->path, 400, p->name);
		else
			get(f, op->path, 200,
			    op->list                                  ? "\"count\":0"
			        : strncmp(op->path, "/otel/", 6) == 0 ? "[]"
			                                              : "{");
		assert_int_equal(f->store.running, 0);
	}
	get(f, "/api/v1/traces/0123456789abcdef0123456789abcdef", 404, "not_found");
	get(f, "/api/v1/sql?q=SELECT%201", 501, "has no SQL");
	get(f, "/api/v1/sql/schema", 501, "has no SQL");
	buf_fini(&index);
	finish(f);
}

TEST(rest, errors_are_json_with_a_code_and_the_whole_message)
{
	struct fixture *f = start(10, 1);
	get_error(f, "/no%22such%0A", 404, "not_found",
	    "no such path: /no\"such\n (GET / lists them)");
	get_error(f, "/api/v1/traces/", 404, "not_found",
	    "no such path: /api/v1/traces/ (GET / lists them)");
	f->store.answer = ERR_DEADLINE;
	get_error(f, "/api/v1/logs", 504, "deadline", "the store says \"no\"\n<and> why");
	f->store.answer = ERR_UNAVAILABLE;
	get_error(f, "/api/v1/logs", 503, "unavailable", "the store says \"no\"\n<and> why");
	assert_int_equal(stats_get(&f->stats, STATS_QUERY_ERRORS), 2);
	assert_int_equal(f->stats.refused[ERR_DEADLINE], 1);
	finish(f);
}

TEST(rest, bad_parameters_are_400_that_name_them)
{
	struct fixture *f = start(10, 1);
	get(f, "/api/v1/traces?bogus=1", 400, "bogus");
	get(f, "/api/v1/traces?limit=1&limit=2", 400, "limit");
	get(f, "/api/v1/traces?limit=x", 400, "limit");
	get(f, "/healthz?x=1", 400, "parameter x: unknown");
	get(f, "/readyz?format=text&format=json", 400, "parameter format: given more than once");
	get(f, "/readyz?format=xml", 400, "parameter format");
	get(f, "/api/v1/traces?service=%FF", 400, "not UTF-8");
	finish(f);
}

TEST(rest, other_methods_are_405_with_allow)
{
	struct fixture *f = start(10, 1);
	raw_has(f, "DELETE /api/v1/traces HTTP/1.1\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n",
	        "\r\nX-Content-Type-Options: nosniff\r\n", "\r\nCache-Control: no-store\r\n",
	        "\"method_not_allowed\"", NULL});
	raw_has(f, "POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 405 ", NULL});
	/* Said before the body is read. */
	raw_has(f, "POST /healthz HTTP/1.1\r\nContent-Length: 2\r\n" CLOSE "{}",
	    (const char *const[]){"HTTP/1.1 400 ", "nothing is sent to this path", NULL});
	raw_has(f, "FOO /nowhere HTTP/1.1\r\n" CLOSE, (const char *const[]){"HTTP/1.1 404 ", NULL});
	finish(f);
}

TEST(rest, head_is_get_without_the_body)
{
	struct fixture *f = start(10, 1);
	struct buf with = raw(f, "GET /api/v1/services HTTP/1.1\r\n" CLOSE);
	struct buf without = raw(f, "HEAD /api/v1/services HTTP/1.1\r\n" CLOSE);
	const char *head_end = strstr(with.ptr, "\r\n\r\n");
	assert_non_null(head_end);
	assert_int_equal(without.len, (size_t)(head_end - with.ptr) + 4 + 1);
	buf_fini(&with);
	buf_fini(&without);
	finish(f);
}

TEST(rest, errors_of_the_server_itself_are_json_too)
{
	struct fixture *f = start(10, 1);
	raw_has(f, "GET /%00 HTTP/1.1\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 400 ", "Content-Type: application/json",
	        "{\"error\":{\"code\":\"invalid\",\"message\":\"the path holds a zero byte\"}}",
	        NULL});
	finish(f);
}

TEST(rest, R30_ready_is_the_sum_of_its_named_checks)
{
	struct fixture *f = start(10, 1);
	get(f, "/healthz", 200, "ok\n");
	get(f, "/readyz", 200,
	    "{\"ready\":true,\"checks\":[{\"name\":\"wal\",\"ok\":true,\"text\":\"3 segments\"},");
	f->disk_full = true;
	get(f, "/readyz", 503, "{\"name\":\"disk\",\"ok\":false,\"text\":\"\\\"full\\\"\"}");
	get(f, "/readyz?format=text", 503, "FAIL disk: \"full\"\nnot ready\n");
	get(f, "/healthz", 200, "ok\n");
	finish(f);
}

TEST(rest, metrics_count_requests_and_tell_of_the_process)
{
	struct fixture *f = start(10, 1);
	get(f, "/healthz", 200, "ok");
	get(f, "/metrics", 200, "\nweir_requests_total{transport=\"api\"} 1\n");
	get(f, "/metrics", 200,
	    "\n# HELP weir_of_another What somebody else counts.\n# TYPE weir_of_another gauge\n"
	    "weir_of_another{kind=\"a\"} 7\nweir_of_another 1.500000000\n");
	get(f, "/metrics", 200, "\nprocess_resident_memory_bytes ");
	get(f, "/metrics", 200, "\nweir_build_info{version=\"" WEIR_VERSION "\"} 1\n");
	struct buf body = {0};
	assert_int_equal(get_as(f, NULL, "/metrics", &body), 200);
	const char *at = strstr(body.ptr, "\nprocess_start_time_seconds ");
	assert_non_null(at);
	double started = strtod(at + strlen("\nprocess_start_time_seconds "), NULL);
	double now = (double)clock_unix_ns() / 1e9;
	assert_true(started > now - 3600);
	assert_true(started < now + 1);
	buf_fini(&body);
	finish(f);
}

TEST(rest, the_tenant_of_the_header_is_asked_for)
{
	struct fixture *f = start(10, 1);
	struct buf body = {0};
	get(f, "/api/v1/logs", 200, "logs");
	assert_string_equal(f->store.tenant, "default");
	assert_int_equal(get_as(f, "team-a", "/api/v1/logs", &body), 200);
	assert_string_equal(f->store.tenant, "team-a");
	assert_int_equal(get_as(f, "no/name", "/api/v1/logs", &body), 400);
	raw_has(f, "GET /api/v1/logs HTTP/1.1\r\nX-Scope-OrgID: a\r\nX-Tenant-ID: b\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 400 ", "different tenants", NULL});
	buf_fini(&body);
	finish(f);
}

/* ---- many queries */

struct asker {
	struct fixture *fixture;
	struct thread thread;
	int status;
};

static void
ask(void *ctx)
{
	struct asker *a = ctx;
	struct buf body = {0};
	a->status = get_as(a->fixture, NULL, "/api/v1/logs", &body);
	buf_fini(&body);
}

static void
start_asker(struct fixture *f, struct asker *a)
{
	struct err err;
	*a = (struct asker){.fixture = f};
	assert_int_equal(thread_start(&a->thread, "asker", ask, a, &err), ERR_OK);
}

static void
wait_running(struct fixture *f, int count)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (atomic_load(&f->store.running) != count)
		assert_true(clock_mono_ns() < deadline);
}

/* Waiting or running. */
static void
wait_queries(struct fixture *f, uint64_t count)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (atomic_load(&f->rest->query_count) != count)
		assert_true(clock_mono_ns() < deadline);
}

TEST(rest, queries_beyond_the_limit_are_429_and_healthz_still_answers)
{
	struct fixture *f = start(1, 1);
	struct asker a;
	f->store.blocks = true;
	start_asker(f, &a);
	wait_running(f, 1);
	raw_has(f, "GET /api/v1/logs HTTP/1.1\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 429 ", "\r\nRetry-After: 1\r\n", "\"busy\"", NULL});
	get(f, "/healthz", 200, "ok");
	get(f, "/readyz", 200, "true");
	get(f, "/metrics", 200, "weir_requests_refused_total{code=\"busy\"} 1");
	let_go(f);
	thread_join(&a.thread);
	assert_int_equal(a.status, 200);
	f->store.blocks = false;
	get(f, "/api/v1/logs", 200, "logs");
	finish(f);
}

TEST(rest, a_query_has_its_time_from_its_arrival)
{
	struct fixture *f = start(10, 1);
	struct asker a, b;
	f->limits.query_timeout_ms = 300;
	f->store.blocks = true;
	uint64_t before = clock_mono_ns();
	start_asker(f, &a);
	wait_running(f, 1);
	assert_true(f->store.deadline_ns >= before + 300 * NS_PER_MS);
	assert_true(f->store.deadline_ns <= clock_mono_ns() + 300 * NS_PER_MS);
	/* The second waits for the only reader until its time is over: the store never sees it. */
	start_asker(f, &b);
	wait_queries(f, 2);
	clock_sleep_ns(400 * NS_PER_MS);
	let_go(f);
	thread_join(&a.thread);
	thread_join(&b.thread);
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 504);
	finish(f);
}

TEST(rest, a_question_waits_until_the_store_has_what_was_kept_before_the_start)
{
	struct fixture *f = start(10, 1);
	f->looks_left = 20;
	get(f, "/api/v1/logs", 200, "logs");
	assert_int_equal(f->looks_left, 0);
	f->looks_left = 20;
	get(f, "/readyz", 200, "ready");
	get(f, "/api/v1/openapi.json", 200, "openapi");
	assert_int_equal(f->looks_left, 20);
	finish(f);
}

TEST(rest, a_question_that_would_lack_what_was_kept_before_the_start_is_503)
{
	struct fixture *f = start(10, 1);
	f->limits.query_timeout_ms = 100;
	f->looks_left = 1000000;
	get_error(f, "/api/v1/logs", 503, "unavailable",
	    "weir has just started, and what it kept before is not all there to be asked yet (3 of "
	    "9 MiB): try again");
	get(f, "/readyz", 200, "ready");
	f->looks_left = 0;
	get(f, "/api/v1/logs", 200, "logs");
	finish(f);
}

/* ---- answers that wait to be read, and clients that do not wait */

static void
ask_and_leave(struct fixture *f, bool half, int *fd_out)
{
	static const char request[] = "GET /api/v1/logs HTTP/1.1\r\nHost: h\r\n\r\n";
	char address[32];
	struct err err;
	size_t n;
	snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
	assert_int_equal(tcp_connect(str_from(address), 30000, fd_out, &err), ERR_OK);
	assert_int_equal(tcp_write(*fd_out, request, strlen(request), &n), TCP_OK);
	if (half)
		tcp_shutdown_write(*fd_out);
	else
		tcp_close(*fd_out);
}

TEST(rest, queries_of_clients_that_left_are_not_run)
{
	struct fixture *f = start(100, 1);
	struct asker a, b;
	int fd;
	f->store.blocks = true;
	start_asker(f, &a);
	wait_running(f, 1);
	for (unsigned i = 0; i < 20; i++)
		ask_and_leave(f, false, &fd);
	wait_queries(f, 21);
	start_asker(f, &b);
	wait_queries(f, 22);
	let_go(f);
	/* Of the twenty none is run while another waits: b is the last. */
	wait_queries(f, 1);
	wait_running(f, 1);
	assert_int_equal(f->stats.refused[ERR_CANCELLED], 20);
	let_go(f);
	thread_join(&a.thread);
	thread_join(&b.thread);
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 200);
	finish(f);
}

TEST(rest, the_query_of_a_half_closed_client_is_run_when_there_is_no_rush)
{
	struct fixture *f = start(100, 1);
	struct asker a;
	int fd;
	f->store.blocks = true;
	start_asker(f, &a);
	wait_running(f, 1);
	ask_and_leave(f, true, &fd);
	wait_queries(f, 2);
	let_go(f);
	wait_queries(f, 1);
	wait_running(f, 1);
	let_go(f);
	wait_queries(f, 0);
	assert_int_equal(f->stats.refused[ERR_CANCELLED], 0);
	tcp_close(fd);
	thread_join(&a.thread);
	finish(f);
}

TEST(rest, unread_answers_beyond_the_budget_make_large_ones_429_and_small_ones_pass)
{
	struct fixture *f = start(10, 1);
	uint64_t max = f->rest->answers.bytes_max;
	f->store.name_bytes = 300000;
	get(f, "/api/v1/services", 200, "xxxx");
	assert_int_equal(budget_used(&f->rest->answers), 0);
	assert_true(budget_take(&f->rest->answers, max - 200000));
	raw_has(f, "GET /api/v1/services HTTP/1.1\r\n" CLOSE,
	    (const char *const[]){"HTTP/1.1 429 ", "\r\nRetry-After: 1\r\n", "not read yet", NULL});
	f->store.name_bytes = 1000;
	get(f, "/api/v1/services", 200, "xxxx");
	assert_int_equal(budget_used(&f->rest->answers), max - 200000);
	budget_give(&f->rest->answers, max - 200000);
	f->store.name_bytes = 300000;
	get(f, "/api/v1/services", 200, "xxxx");
	finish(f);
}

TEST(rest, an_answer_that_never_fits_is_413)
{
	struct fixture *f = start(10, 1);
	f->store.name_bytes = 300000;
	f->rest->answers.bytes_max = 200000;
	get(f, "/api/v1/services", 413, "ask for less");
	finish(f);
}

TEST(rest, stop_ends_what_runs_in_the_store)
{
	struct fixture *f = start(10, 1);
	struct asker a;
	f->store.blocks = true;
	start_asker(f, &a);
	wait_running(f, 1);
	http_server_stop(f->server, 0);
	rest_stop(f->rest); /* returns: the fake's query ends when it is cancelled */
	assert_int_equal(f->store.running, 0);
	thread_join(&a.thread);
	assert_int_equal(a.status, 503);
	finish(f);
}

TEST(rest, stop_lets_running_queries_finish)
{
	struct fixture *f = start(10, 2);
	struct asker a, b;
	f->store.blocks = true;
	start_asker(f, &a);
	start_asker(f, &b);
	wait_running(f, 2);
	let_go(f);
	let_go(f);
	http_server_stop(f->server, clock_mono_ns() + PATIENCE_NS);
	thread_join(&a.thread);
	thread_join(&b.thread);
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 200);
	finish(f);
}

TEST(rest, a_query_that_outlives_the_server_harms_nobody)
{
	struct fixture *f = start(10, 1);
	struct asker a, b;
	f->store.blocks = true;
	start_asker(f, &a);
	wait_running(f, 1);
	start_asker(f, &b);
	wait_queries(f, 2);
	http_server_stop(f->server, 0);
	thread_join(&a.thread);
	thread_join(&b.thread);
	assert_int_equal(a.status, 503);
	assert_int_equal(b.status, 503);
	let_go(f);
	let_go(f);
	finish(f);
}
