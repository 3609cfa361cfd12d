/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "dlq/dlq.h"
#include "rest/rest_kit_test.h"
#include "sys/clock.h"
#include "sys/file_fault.h"
#include "sys/tcp.h"
#include "tests/test.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The store is asked for nothing here. */
static void
no_cancel(struct store *s)
{
	(void)s;
}

static const struct store_ops no_ops = {.name = "none", .cancel = no_cancel};

struct fixture {
	struct http_server *server;
	struct rest *rest;
	struct limits limits;
	struct store store;
	struct dlq *dlq;
	const char *dir;
	char answer_text[65536]; /* of the last request */
};

/* Payloads that begin with "{" are shown as they are. */
static enum err_code
to_json(struct str payload, struct buf *json, struct err *err)
{
	if (!str_starts(payload, STR("{")))
		return err_set(err, ERR_CORRUPT, "no record");
	buf_str(json, payload);
	return ERR_OK;
}

static struct fixture *
start(bool with_dlq)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err;
	f->limits = limits_default();
	f->store.ops = &no_ops;
	f->dir = test_tmp_dir();
	struct dlq_options opt = {.data_dir = str_from(f->dir)};
	assert_int_equal(dlq_open(&opt, &f->dlq, &err), ERR_OK);
	struct rest_options rest = {.store = &f->store,
	    .limits = &f->limits,
	    .thread_count = 1,
	    .dlq = with_dlq ? f->dlq : NULL,
	    .dlq_to_json = to_json};
	rest_kit_start(&rest, &f->rest, &f->server);
	return f;
}

static void
finish(struct fixture *f)
{
	http_server_free(f->server);
	rest_free(f->rest);
	dlq_close(f->dlq);
	free(f);
}

static void
put(struct fixture *f, uint64_t seq, const char *tenant, const char *payload)
{
	struct dlq_letter l = {.seq = seq, .item_first = 1, .item_count = 2, .identity = {1, seq}};
	snprintf(l.tenant, sizeof(l.tenant), "%s", tenant);
	snprintf(l.signal, sizeof(l.signal), "logs");
	snprintf(l.error, sizeof(l.error), "no \"room\"\x1b");
	assert_int_equal(dlq_put(f->dlq, &l, str_from(payload), clock_unix_ns(), NULL), ERR_OK);
}

/* Ask as a tenant (NULL: none named), expect the status; the answer is kept. */
static const char *
ask_as(struct fixture *f, const char *tenant, const char *method, const char *path, int status)
{
	struct buf body = {0};
	int got = rest_kit_ask(f->server,
	    &(struct rest_kit_request){.method = method, .path = path, .tenant = tenant}, &body);
	snprintf(f->answer_text, sizeof(f->answer_text), "%.*s", STR_ARG(buf_view(&body)));
	if (got != status)
		fail_msg("%s %s: %d: %s", method, path, got, f->answer_text);
	buf_fini(&body);
	return f->answer_text;
}

static const char *
ask(struct fixture *f, const char *method, const char *path, int status)
{
	return ask_as(f, NULL, method, path, status);
}

static void
expect(const char *answer, const char *text)
{
	if (!strstr(answer, text))
		fail_msg("no %s in %s", text, answer);
}

#define ID(n) "000000000000000" #n "-00000001"

TEST(rest, dlq_list_shows_letters_with_all_they_have)
{
	struct fixture *f = start(true);
	put(f, 1, "acme", "{\"a\":1}");
	const char *got = ask(f, "GET", "/api/v1/dlq", 200);
	json_t *json = json_loads(got, 0, NULL);
	const json_t *l = json_array_get(json_object_get(json, "letters"), 0);
	assert_non_null(l);
	static const char *const texts[][2] = {{"id", ID(1)}, {"state", "waiting"},
	    {"tenant", "acme"}, {"signal", "logs"},
	    {"identity", "00000000000000010000000000000001"}, {"error", "no \"room\" "}};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_string_equal(json_string_value(json_object_get(l, texts[i][0])),
		    texts[i][1]);
	static const struct {
		const char *key;
		int value;
	} numbers[] = {
	    {"seq", 1}, {"item_first", 1}, {"item_count", 2}, {"attempts", 0}, {"bytes", 7}};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_int_equal(json_integer_value(json_object_get(l, numbers[i].key)),
		    numbers[i].value);
	assert_true(json_is_string(json_object_get(l, "created_unix_nano")));
	assert_true(json_is_string(json_object_get(l, "next_attempt")));
	expect(got,
	    "\"count\":1,\"states\":{\"waiting\":1,\"running\":0,\"quarantined\":0,"
	    "\"unreadable\":0}}");
	json_decref(json);
	finish(f);
}

TEST(rest, dlq_pages_have_each_letter_once)
{
	struct fixture *f = start(true);
	char path[128] = "/api/v1/dlq?limit=2";
	for (uint64_t i = 1; i <= 5; i++)
		put(f, i, "acme", "x");
	unsigned seen = 0, pages = 0;
	while (path[0]) {
		json_t *json = json_loads(ask(f, "GET", path, 200), 0, NULL);
		const json_t *letters = json_object_get(json, "letters");
		const char *cursor = json_string_value(json_object_get(json, "next_cursor"));
		for (size_t i = 0; i < json_array_size(letters); i++)
			assert_int_equal(json_integer_value(json_object_get(json_array_get(letters,
			                                                        i),
			                     "seq")),
			    ++seen);
		path[0] = '\0';
		if (cursor)
			snprintf(path, sizeof(path), "/api/v1/dlq?limit=2&cursor=%s", cursor);
		json_decref(json);
		pages++;
	}
	assert_int_equal(seen, 5);
	assert_int_equal(pages, 3);
	finish(f);
}

TEST(rest, dlq_show_has_the_request_decoded_or_as_base64)
{
	struct fixture *f = start(true);
	put(f, 1, "acme", "{\"a\":1}");
	put(f, 2, "acme", "\x01\x02\x03");
	expect(ask(f, "GET", "/api/v1/dlq/" ID(1), 200), "\"request\":{\"a\":1}}");
	expect(ask(f, "GET", "/api/v1/dlq/" ID(2), 200), "\"request_base64\":\"AQID\"}");
	assert_null(strstr(ask(f, "GET", "/api/v1/dlq/" ID(1) "?request=false", 200), "request\""));
	expect(ask(f, "GET", "/api/v1/dlq/" ID(3), 404), "there is no dead letter " ID(3));
	expect(ask(f, "GET", "/api/v1/dlq/..%2f..%2fLOCK", 404), "not_found");
	expect(ask(f, "GET", "/api/v1/dlq/x/y", 404), "no such path below /api/v1/dlq");
	expect(ask(f, "GET", "/api/v1/dlqx", 404), "no such path: /api/v1/dlqx");
	finish(f);
}

TEST(rest, dlq_letters_of_another_tenant_are_not_there)
{
	struct fixture *f = start(true);
	put(f, 1, "acme", "x");
	put(f, 2, "zeta", "x");
	expect(ask_as(f, "acme", "GET", "/api/v1/dlq", 200), "\"count\":1}"); /* and no states */
	expect(f->answer_text, ID(1));
	expect(ask_as(f, "acme", "GET", "/api/v1/dlq?tenant=*", 200), "\"count\":2,");
	expect(ask(f, "GET", "/api/v1/dlq", 200), "\"count\":2,");
	expect(ask(f, "GET", "/api/v1/dlq?tenant=zeta", 200), ID(2));
	ask(f, "GET", "/api/v1/dlq?tenant=no%20name", 400);
	static const char *const paths[][2] = {{"GET", "/api/v1/dlq/" ID(2)},
	    {"POST", "/api/v1/dlq/" ID(2) "/retry"}, {"DELETE", "/api/v1/dlq/" ID(2)}};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		expect(ask_as(f, "acme", paths[i][0], paths[i][1], 404), "no dead letter");
	expect(ask_as(f, "acme", "DELETE", "/api/v1/dlq?state=waiting", 200), "\"dropped\":1,");
	expect(ask(f, "GET", "/api/v1/dlq", 200), "\"count\":1,");
	expect(f->answer_text, ID(2));
	finish(f);
}

/* Into quarantine: the last of ten attempts. */
static void
give_up(struct fixture *f, uint64_t now_ns)
{
	struct dlq_letter l;
	struct buf payload = {0};
	uint64_t next;
	for (int i = 0; i < 10; i++) {
		now_ns += 3600 * NS_PER_S;
		assert_int_equal(dlq_due(f->dlq, now_ns, &l, &payload, &next, NULL), ERR_OK);
		assert_int_equal(dlq_failed(f->dlq, l.id, "no", now_ns, NULL), ERR_OK);
	}
	buf_fini(&payload);
}

TEST(rest, dlq_retry_and_drop_do_so_and_say_so)
{
	struct fixture *f = start(true);
	struct dlq_letter l;
	struct buf payload = {0};
	uint64_t next;
	put(f, 1, "acme", "x");
	give_up(f, clock_unix_ns());
	expect(ask(f, "GET", "/api/v1/dlq?state=QUARANTINED", 200), "\"attempts\":10,");
	expect(f->answer_text, "\"next_attempt\":null");
	expect(ask(f, "POST", "/api/v1/dlq/" ID(1) "/retry", 200), "\"state\":\"waiting\"");
	expect(f->answer_text, "\"attempts\":0,");
	assert_int_equal(dlq_due(f->dlq, clock_unix_ns(), &l, &payload, &next, NULL), ERR_OK);
	expect(ask(f, "POST", "/api/v1/dlq/" ID(1) "/retry", 429), "is being tried");
	dlq_put_back(f->dlq, l.id);
	expect(ask(f, "DELETE", "/api/v1/dlq/" ID(1), 200),
	    "{\"id\":\"" ID(1) "\",\"dropped\":true}");
	ask(f, "DELETE", "/api/v1/dlq/" ID(1), 404);
	expect(ask(f, "GET", "/api/v1/dlq", 200), "\"count\":0,");
	buf_fini(&payload);
	finish(f);
}

TEST(rest, dlq_all_of_a_state_go_on_from_the_cursor)
{
	struct fixture *f = start(true);
	for (uint64_t i = 1; i <= 5; i++)
		put(f, i, "acme", "x");
	ask(f, "POST", "/api/v1/dlq/retry", 400);
	expect(f->answer_text, "parameter state: missing");
	ask(f, "DELETE", "/api/v1/dlq", 400); /* not all of them by a slip */
	expect(ask(f, "POST", "/api/v1/dlq/retry?state=quarantined", 200),
	    "{\"retried\":0,\"skipped\":0}");
	expect(ask(f, "POST", "/api/v1/dlq/retry?state=waiting&limit=3", 200),
	    "{\"retried\":3,\"skipped\":0,\"next_cursor\":\"" ID(3) "\"}");
	expect(ask(f, "POST", "/api/v1/dlq/retry?state=waiting&limit=3&cursor=" ID(3), 200),
	    "{\"retried\":2,\"skipped\":0}");
	file_fault_begin(&(struct file_fault_plan){
	    .op = FILE_OP_SYNC, .nth = 3, .os_errno = ENOSPC, .stays = true});
	expect(ask(f, "DELETE", "/api/v1/dlq?state=waiting", 429), "dropped 2, then: ");
	file_fault_end();
	expect(ask(f, "DELETE", "/api/v1/dlq?state=waiting", 200), "{\"dropped\":3,\"skipped\":0}");
	finish(f);
}

TEST(rest, dlq_unreadable_files_are_shown_with_the_reason)
{
	struct fixture *f = start(true);
	char path[FILE_PATH_BYTES];
	struct str text = STR("torn");
	put(f, 1, "acme", "x");
	dlq_close(f->dlq);
	assert_int_equal(file_join(str_from(f->dir), STR("dlq"), path, NULL), ERR_OK);
	assert_int_equal(file_write_whole(str_from(path), STR(ID(1) ".letter"), &text, 1, NULL),
	    ERR_OK);
	struct dlq_options opt = {.data_dir = str_from(f->dir)};
	assert_int_equal(dlq_open(&opt, &f->dlq, NULL), ERR_OK);
	f->rest->opt.dlq = f->dlq;
	json_t *json = json_loads(ask(f, "GET", "/api/v1/dlq", 200), 0, NULL);
	const json_t *l = json_array_get(json_object_get(json, "letters"), 0);
	const char *id = json_string_value(json_object_get(l, "id"));
	char one[128];
	assert_string_equal(json_string_value(json_object_get(l, "state")), "unreadable");
	assert_true(json_is_null(json_object_get(l, "seq")));
	expect(json_string_value(json_object_get(l, "error")), "it ends inside its head");
	snprintf(one, sizeof(one), "/api/v1/dlq/%s/retry", id);
	expect(ask(f, "POST", one, 500), "cannot be read");
	snprintf(one, sizeof(one), "/api/v1/dlq/%s", id);
	assert_null(strstr(ask(f, "GET", one, 200), "request"));
	ask_as(f, "acme", "DELETE", one, 404);
	ask(f, "DELETE", one, 200);
	json_decref(json);
	finish(f);
}

TEST(rest, dlq_bad_parameters_and_methods_are_refused_with_words)
{
	struct fixture *f = start(true);
	expect(ask(f, "GET", "/api/v1/dlq?state=gone", 400), "parameter state: must be one of");
	expect(ask(f, "GET", "/api/v1/dlq?limit=0", 400), "parameter limit: must be 1 to");
	expect(ask(f, "GET", "/api/v1/dlq?limit=10001", 400), "parameter limit: must be 1 to");
	expect(ask(f, "GET", "/api/v1/dlq?bogus=1", 400), "parameter bogus: unknown");
	expect(ask(f, "GET", "/api/v1/dlq?cursor=x", 400), "parameter cursor: not the id");
	expect(ask(f, "DELETE", "/api/v1/dlq/" ID(1) "?id=2", 400), "parameter id: given 2 times");
	expect(ask(f, "POST", "/api/v1/dlq", 405), "only GET, HEAD, DELETE is served here");
	expect(ask(f, "DELETE", "/api/v1/dlq/" ID(1) "/retry", 405), "only POST is served here");
	expect(ask(f, "GET", "/", 200), "DELETE /api/v1/dlq/{id} ");
	finish(f);
	f = start(false);
	expect(ask(f, "GET", "/api/v1/dlq", 404), "keeps no dead letters");
	finish(f);
}

TEST(rest, dlq_is_not_for_pages_of_other_sites)
{
	static const struct {
		const char *origin;
		const char *status;
	} cases[] = {{"http://evil.example", "HTTP/1.1 403 "}, {"null", "HTTP/1.1 403 "},
	    {"http://h:7700", "HTTP/1.1 200 "}};
	struct fixture *f = start(true);
	put(f, 1, "acme", "x");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char address[32], request[256], answer[4096];
		size_t n;
		int fd;
		int len = snprintf(request, sizeof(request),
		    "POST /api/v1/dlq/" ID(1) "/retry HTTP/1.1\r\nHost: h:7700\r\nOrigin: %s\r\n"
		                              "Content-Length: 0\r\nConnection: close\r\n\r\n",
		    cases[i].origin);
		snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(f->server));
		assert_int_equal(tcp_connect(str_from(address), 30000, &fd, NULL), ERR_OK);
		assert_int_equal(tcp_write(fd, request, (size_t)len, &n), TCP_OK);
		assert_true(tcp_wait(fd, false, clock_mono_ns() + 30 * NS_PER_S));
		assert_int_equal(tcp_read(fd, answer, sizeof(answer) - 1, &n), TCP_OK);
		answer[n] = '\0';
		assert_true(str_starts(str_from(answer), str_from(cases[i].status)));
		tcp_close(fd);
	}
	finish(f);
}
