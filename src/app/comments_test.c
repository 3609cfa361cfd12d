/* SPDX-License-Identifier: Apache-2.0 */
/* Comments over HTTP: REST, operations and a store together, with a log that the test makes fail. */
#include "comment/comment.h"
#include "keys/keys.h"
#include "ops/ops.h"
#include "rest/rest_kit_test.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PATH "/api/v1/traces/" TRACE_ID "/comments"

struct fixture {
	struct http_server *server;
	struct rest *rest;
	struct limits limits;
	struct store *store;
	struct ops_writer writer;
	struct keys *keys;
	uint64_t seq;
	enum err_code failure;
	bool invisible; /* it is loaded later */
	struct batch waiting; /* then it is here */
};

static enum err_code
write_comments(void *ctx, struct str tenant, struct str request, uint64_t deadline_mono_ns,
    bool *visible_out, struct err *err)
{
	struct fixture *f = ctx;
	uint64_t count;
	char *copy = arena_alloc(&f->waiting.arena, request.len);
	(void)deadline_mono_ns;
	*visible_out = false;
	if (f->failure)
		return err_set(err, f->failure, "the log cannot be written, see /readyz");
	assert_int_equal(comment_scan(request, &f->limits, &count, err), ERR_OK);
	batch_reset(&f->waiting);
	copy = arena_alloc(&f->waiting.arena, request.len);
	memcpy(copy, request.ptr, request.len);
	f->waiting.last_seq = ++f->seq;
	assert_int_equal(comment_decode(str_of(copy, request.len), tenant, f->seq, &f->waiting,
	                     err),
	    ERR_OK);
	if (f->invisible)
		return ERR_OK;
	assert_int_equal(store_append(f->store, &f->waiting, err), ERR_OK);
	*visible_out = true;
	return ERR_OK;
}

static struct fixture *
start(bool with_keys)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err;
	f->limits = limits_default();
	f->store = store_mem_new();
	batch_init(&f->waiting, 0);
	f->writer = (struct ops_writer){.comments = write_comments, .ctx = f};
	if (with_keys)
		assert_int_equal(keys_open(str_from(test_tmp_dir()), &f->keys, &err), ERR_OK);
	struct rest_options opt = {.store = f->store,
	    .writer = &f->writer,
	    .keys = f->keys,
	    .limits = &f->limits,
	    .thread_count = 1};
	rest_kit_start(&opt, &f->rest, &f->server);
	return f;
}

static void
finish(struct fixture *f)
{
	http_server_free(f->server);
	rest_free(f->rest);
	store_close(f->store);
	keys_close(f->keys);
	batch_fini(&f->waiting);
	free(f);
}

/* The caller decrefs. */
static json_t *
ask(struct fixture *f, const char *method, const char *path, const char *body, const char *token,
    int *status)
{
	struct buf out = {0};
	*status = rest_kit_ask(f->server,
	    &(struct rest_kit_request){
	        .method = method, .path = path, .token = token, .json = body},
	    &out);
	json_t *json = json_loadb(out.ptr, out.len, 0, NULL);
	assert_non_null(json);
	buf_fini(&out);
	return json;
}

static const char *
text_at(const json_t *json, const char *object, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(json, object), key));
	return text ? text : "";
}

static void
expect(struct fixture *f, const char *body, int status, const char *object, const char *key,
    const char *text)
{
	int got;
	json_t *json = ask(f, "POST", PATH, body, NULL, &got);
	if (got != status || !strstr(text_at(json, object, key), text))
		fail_msg("%s: %d %s", body, got, json_dumps(json, 0));
	json_decref(json);
}

static size_t
count(struct fixture *f, const char *path)
{
	int status;
	json_t *json = ask(f, "GET", path, NULL, NULL, &status);
	assert_int_equal(status, 200);
	size_t n = json_array_size(json_object_get(json, "comments"));
	assert_int_equal(json_integer_value(json_object_get(json, "count")), n);
	json_decref(json);
	return n;
}

TEST(app, R32_an_added_comment_is_answered_as_it_is_kept_and_listed)
{
	struct fixture *f = start(false);
	int status;
	json_t *json = ask(f, "POST", PATH "?author=ada",
	    "{\"body\":\"it is slow\",\"span_id\":\"00f067aa0ba902b7\",\"created\":\"1795187531\"}",
	    NULL, &status);
	assert_int_equal(status, 201);
	const json_t *comment = json_object_get(json, "comment");
	assert_int_equal(json_object_size(comment), 7);
	assert_string_equal(text_at(json, "comment", "trace_id"), TRACE_ID);
	assert_string_equal(text_at(json, "comment", "span_id"), "00f067aa0ba902b7");
	assert_string_equal(text_at(json, "comment", "author"), "ada");
	assert_string_equal(text_at(json, "comment", "body"), "it is slow");
	assert_string_equal(text_at(json, "comment", "created_at"),
	    "2026-11-20T15:12:11.000000000Z");
	const char *id = text_at(json, "comment", "id");
	assert_int_equal(strlen(id), 36);
	assert_true(id[14] == '4' && strchr("89ab", id[19]));
	json_t *list = ask(f, "GET", PATH, NULL, NULL, &status);
	assert_true(json_equal(json_array_get(json_object_get(list, "comments"), 0), comment));
	json_decref(list);
	json_decref(json);
	expect(f, "{\"body\":\"second\"}", 201, "comment", "author", "anonymous");
	assert_int_equal(count(f, PATH), 2);
	assert_int_equal(count(f, "/api/v1/comments"), 2);
	assert_int_equal(count(f, "/api/v1/comments?author=ada"), 1);
	assert_int_equal(count(f, "/api/v1/comments?text=slow&trace_id=" TRACE_ID), 1);
	assert_int_equal(count(f, "/api/v1/comments?to=1795187531"), 0);
	assert_int_equal(count(f, "/api/v1/traces/00000000000000000000000000000001/comments"), 0);
	finish(f);
}

TEST(app, an_id_makes_a_retry_harmless)
{
	struct fixture *f = start(false);
	expect(f, "{\"body\":\"x\",\"id\":\"k-1\"}", 201, "comment", "id", "k-1");
	expect(f, "{\"body\":\"x\",\"id\":\"k-1\"}", 201, "comment", "id", "k-1");
	assert_int_equal(f->seq, 1);
	expect(f, "{\"body\":\"y\",\"id\":\"k-1\"}", 409, "error", "code", "exists");
	expect(f, "{\"body\":\"x\",\"id\":\"k-1\",\"author\":\"b\"}", 409, "error", "code",
	    "exists");
	expect(f, "{\"body\":\"x\",\"id\":\"k-1\",\"span_id\":\"00000000000000a1\"}", 409, "error",
	    "code", "exists");
	assert_int_equal(count(f, PATH), 1);
	/* Logged, and not loaded yet: what is answered is what was said. */
	f->invisible = true;
	expect(f, "{\"body\":\"z\",\"id\":\"k-2\"}", 201, "comment", "body", "z");
	assert_int_equal(count(f, PATH), 1);
	/* The log has no room, or has failed: no. */
	f->failure = ERR_UNAVAILABLE;
	expect(f, "{\"body\":\"no\"}", 503, "error", "message", "the log cannot be written");
	f->failure = ERR_BUSY;
	expect(f, "{\"body\":\"no\"}", 429, "error", "code", "busy");
	finish(f);
}

TEST(app, a_comment_that_is_not_good_is_refused_by_parameter)
{
	static const struct {
		const char *body;
		int status;
		const char *says;
	} cases[] = {
	    {NULL, 400, "parameter body: missing"},
	    {"{\"body\":\"\"}", 400, "parameter body: is empty"},
	    {"{\"body\":\"a\",\"body\":\"b\"}", 400, "parameter body: given 2 times"},
	    {"{\"body\":[\"a\",\"b\"]}", 400, "parameter body: given 2 times"},
	    {"{\"body\":\"a\",\"span_id\":\"xyz\"}", 400, "parameter span_id"},
	    {"{\"body\":\"a\",\"trace_id\":\"" TRACE_ID "\"}", 400, "parameter trace_id: given 2"},
	    {"{\"body\":\"a\",\"id\":\"a b\"}", 400, "made of A-Z"},
	    {"{\"body\":\"a\",\"created\":\"yesterday\"}", 400, "parameter created"},
	    {"{\"body\":\"a\",\"tenant\":\"x\"}", 400, "parameter tenant: unknown"},
	    {"not json", 400, "not JSON"},
	};
	struct fixture *f = start(false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect(f, cases[i].body, cases[i].status, "error", "message", cases[i].says);
	struct buf body = {0};
	buf_str(&body, STR("{\"body\":\""));
	for (size_t i = 0; i < (64 << 10) + 1; i++)
		buf_char(&body, 'x');
	buf_str(&body, STR("\"}"));
	buf_char(&body, '\0');
	expect(f, body.ptr, 413, "error", "message", "at most 65536");
	buf_fini(&body);
	assert_int_equal(count(f, PATH), 0);
	int status;
	json_t *json = ask(f, "POST", "/api/v1/comments", "{\"body\":\"x\"}", NULL, &status);
	assert_int_equal(status, 405);
	json_decref(json);
	json = ask(f, "POST", "/api/v1/traces/xyz/comments", "{\"body\":\"x\"}", NULL, &status);
	assert_int_equal(status, 400);
	json_decref(json);
	finish(f);
}

TEST(app, who_may_ingest_may_comment_as_the_name_of_the_key)
{
	struct fixture *f = start(true);
	static const unsigned rights[] = {KEY_READ, KEY_INGEST};
	struct key key;
	struct err err;
	int status;
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		char token[KEY_TOKEN_BYTES];
		struct key_wish wish = {
		    .name = STR("ci bot"), .tenant = STR("acme"), .rights = rights[i]};
		assert_int_equal(keys_create(f->keys, &wish, clock_unix_ns(), &key, token, &err),
		    ERR_OK);
		json_t *json = ask(f, "POST", PATH, "{\"body\":\"x\"}", token, &status);
		assert_int_equal(status, rights[i] == KEY_INGEST ? 201 : 403);
		if (status == 201)
			assert_string_equal(text_at(json, "comment", "author"), "ci bot");
		json_decref(json);
		json = ask(f, "GET", PATH, NULL, token, &status);
		assert_int_equal(status, rights[i] == KEY_READ ? 200 : 403);
		json_decref(json);
	}
	json_t *json = ask(f, "POST", PATH, "{\"body\":\"x\"}", NULL, &status);
	assert_int_equal(status, 401);
	json_decref(json);
	finish(f);
}
