/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "ops/ops.h"
#include "sys/clock.h"
#include "sys/rand.h"
#include "sys/trace.h"

#include <stdio.h>
#include <stdlib.h>

/* What a reader keeps of its arena between queries. */
enum { ARENA_KEEP_BYTES = 1024 * 1024 };

/* While the store catches up it is looked at so often. */
#define LOOK_EVERY_NS (5 * NS_PER_MS)

enum job_kind { JOB_QUESTION, JOB_ORDER, JOB_SLOW };

struct job {
	struct http_request *request;
	const struct op *op;
	struct op_value path_values[OPS_PATH_VALUES_MAX]; /* they point into the request */
	size_t path_value_count;
	struct auth_grant grant;
	uint64_t deadline_mono_ns;
	enum job_kind kind;
};

static struct queue *
queue_of(const struct rest *r, const struct op *op, enum job_kind kind)
{
	return kind == JOB_SLOW ? r->slow_jobs : op->heavy ? r->heavy_jobs : r->jobs;
}

static uint64_t
time_of(const struct rest *r, const struct op *op)
{
	return op->heavy ? r->opt.limits->sql_timeout_ms : r->opt.limits->query_timeout_ms;
}

/* It does not count any more. */
static void
job_ended(struct rest *r, enum job_kind kind)
{
	if (kind == JOB_SLOW)
		atomic_store(&r->slow_busy, false);
	else
		atomic_fetch_sub(&r->query_count, 1);
}

static void
enqueue(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant,
    enum job_kind kind)
{
	struct job *job = xcalloc(1, sizeof(*job));
	CHECK(path_value_count <= OPS_PATH_VALUES_MAX);
	job->request = req;
	job->op = op;
	job->grant = *grant;
	for (size_t i = 0; i < path_value_count; i++)
		job->path_values[i] = path_values[i];
	job->path_value_count = path_value_count;
	job->kind = kind;
	job->deadline_mono_ns =
	    kind == JOB_SLOW ? UINT64_MAX : clock_mono_ns() + time_of(r, op) * NS_PER_MS;
	enum err_code code = queue_push(queue_of(r, op, kind), job);
	if (code == ERR_OK)
		return;
	free(job);
	job_ended(r, kind);
	rest_respond_op_error(r, req, op, code, "the server is stopping");
}

static void
enqueue_if_room(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant,
    enum job_kind kind)
{
	uint64_t max = r->opt.limits->queries_max;
	if (atomic_fetch_add(&r->query_count, 1) < max) {
		enqueue(r, req, op, path_values, path_value_count, grant, kind);
		return;
	}
	job_ended(r, kind);
	rest_respond_op_error(r, req, op, ERR_BUSY, "too many queries at once, try again");
}

void
rest_run(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant)
{
	enqueue_if_room(r, req, op, path_values, path_value_count, grant, JOB_ORDER);
}

void
rest_ask(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant)
{
	enqueue_if_room(r, req, op, path_values, path_value_count, grant, JOB_QUESTION);
}

void
rest_run_slow(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant)
{
	if (!atomic_exchange(&r->slow_busy, true))
		enqueue(r, req, op, path_values, path_value_count, grant, JOB_SLOW);
	else
		rest_respond_error(r, req, ERR_BUSY,
		    "a long piece of work is under way, like a backup, and there is one at a time: "
		    "try again when it has ended");
}

/* The header's word for the parameter id, unless that is given: draft-ietf-httpapi-idempotency-key-header has it in
 * quotes. */
static void
add_idempotency_key(const struct job *job, struct op_value *values, size_t *count)
{
	struct str key = str_trim(http_request_header(job->request, "idempotency-key"));
	if (!job->op->writes || key.len == 0 || rest_value(values, *count, "id").len > 0)
		return;
	if (key.len > 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
		key = str_of(key.ptr + 1, key.len - 2);
	values[(*count)++] = (struct op_value){STR("id"), key};
}

/* Query parameters, those of the body, and those of the path. */
static enum err_code
gather_values(const struct job *job, struct arena *arena, struct op_value **values_out,
    size_t *count_out, struct err *err)
{
	struct op_value v, *body = NULL;
	size_t count = 0, body_count = 0;
	if (job->op->method == OP_POST && !job->op->body) {
		enum err_code code =
		    (job->op->prometheus ? rest_read_form : rest_read_body)(job->request, arena,
		        &body, &body_count, err);
		if (code != ERR_OK)
			return code;
	}
	while (http_request_param(job->request, count, &v.name, &v.value))
		count++;
	struct op_value *values =
	    arena_array(arena, count + body_count + OPS_PATH_VALUES_MAX + 1, sizeof(*values));
	if (!values)
		return err_set(err, ERR_TOO_LARGE, "too many parameters");
	for (size_t i = 0; i < count; i++)
		(void)http_request_param(job->request, i, &values[i].name, &values[i].value);
	for (size_t i = 0; i < body_count; i++)
		values[count++] = body[i];
	add_idempotency_key(job, values, &count);
	for (size_t i = 0; i < job->path_value_count; i++)
		values[count++] = job->path_values[i];
	*values_out = values;
	*count_out = count;
	return ERR_OK;
}

/* How large an answer may be now. */
static size_t
answer_room(const struct rest *r)
{
	uint64_t used = budget_used(&r->answers), max = r->answers.bytes_max;
	uint64_t room = used < max ? max - used : 0;
	if (room < REST_SMALL_BYTES)
		room = REST_SMALL_BYTES;
	return room < r->opt.limits->result_bytes_max ? room : r->opt.limits->result_bytes_max;
}

/* Take the answer's bytes from the budget. The same when it did not fit into what was left of
 * that, but would have fitted into the whole. */
static enum err_code
charge_answer(struct rest *r, struct buf *json, enum err_code code, uint64_t *charged_out,
    struct err *err)
{
	uint64_t whole = r->answers.bytes_max;
	if (r->opt.limits->result_bytes_max < whole)
		whole = r->opt.limits->result_bytes_max;
	bool cramped = code == ERR_TOO_LARGE && json->failed && json->bytes_max < whole;
	*charged_out = 0;
	if (!cramped && (code != ERR_OK || json->len <= REST_SMALL_BYTES))
		return code;
	if (!cramped && budget_take(&r->answers, json->len)) {
		*charged_out = json->len;
		return ERR_OK;
	}
	return err_set(err, ERR_BUSY,
	    "answers that clients have not read yet hold %llu of %llu bytes: try again later, or "
	    "ask for less with limit",
	    (unsigned long long)budget_used(&r->answers), (unsigned long long)r->answers.bytes_max);
}

/* See rest.h. */
static bool
client_left(struct rest *r, const struct job *job)
{
	enum http_peer peer = http_request_peer(job->request);
	return peer == HTTP_PEER_GONE ||
	    (peer == HTTP_PEER_DONE &&
	        (job->op->heavy || queue_len(r->jobs) >= r->opt.thread_count));
}

/* One of the media types of Accept is this one, whatever its parameters. */
static bool
accepts(const struct http_request *req, struct str type)
{
	struct str rest = http_request_header(req, "accept");
	while (rest.len > 0) {
		size_t end = str_find(rest, ',');
		struct str one = str_of(rest.ptr, end);
		one.len = str_find(one, ';');
		if (str_eq_nocase(str_trim(one), type))
			return true;
		rest = str_skip(rest, end + 1);
	}
	return false;
}

/* What takes long asks this now and then. A client that closed its side only and still reads is rare, and cannot be told
 * from one that has gone: what is heavy is not worth the doubt. */
static bool
should_stop(const struct op_context *ctx, uint64_t deadline_mono_ns)
{
	const struct rest_context *c = (const struct rest_context *)ctx;
	enum http_peer peer = http_request_peer(c->request);
	return atomic_load(&c->rest->stopping) || clock_mono_ns() >= deadline_mono_ns ||
	    (c->heavy ? peer != HTTP_PEER_THERE : peer == HTTP_PEER_GONE);
}

/* See rest.h, after a start. */
static enum err_code
wait_for_log(const struct rest *r, uint64_t deadline_mono_ns, struct err *err)
{
	char text[LIMIT_CHECK_TEXT_BYTES];
	while (r->opt.catches_up && !atomic_load(&r->stopping) &&
	    r->opt.catches_up(r->opt.checks_ctx, text)) {
		uint64_t now_ns = clock_mono_ns();
		if (now_ns >= r->wait_mono_ns || now_ns >= deadline_mono_ns)
			return err_set(err, ERR_UNAVAILABLE,
			    "weir has just started, and what it kept before is not all there to be "
			    "asked yet (%s): try again",
			    text);
		clock_sleep_ns(LOOK_EVERY_NS);
	}
	return ERR_OK;
}

static enum err_code
run_op(struct rest *r, const struct job *job, struct arena *arena, struct ops_otlp *otlp,
    struct ops_reply *reply, struct buf *json, struct err *err)
{
	struct op_value *values = NULL;
	size_t count = 0;
	struct rest_context ctx = {.rest = r,
	    .request = job->request,
	    .grant = &job->grant,
	    .heavy = job->op->heavy,
	    .op = {.store = r->opt.store,
	        .writer = r->opt.writer,
	        .key_name = str_from(job->grant.key_name),
	        .random = {rand_u64(), rand_u64()},
	        .limits = r->opt.limits,
	        .stats = r->opt.stats,
	        .prices = r->opt.prices ? atomic_load(r->opt.prices) : NULL,
	        .tenant = str_from(job->grant.tenant),
	        .now_unix_ns = clock_unix_ns(),
	        .deadline_mono_ns = job->deadline_mono_ns,
	        .accept = http_request_header(job->request, "accept"),
	        .reply = reply,
	        .stop = should_stop,
	        .start_mono_ns = clock_mono_ns(),
	        .otlp = accepts(job->request, STR(REST_PROTOBUF)) ? otlp : NULL,
	        .arena = arena}};
	if (job->kind == JOB_QUESTION && wait_for_log(r, job->deadline_mono_ns, err) != ERR_OK)
		return err->code;
	if (atomic_load(&r->stopping))
		return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
	if (job->kind != JOB_SLOW && client_left(r, job))
		return err_set(err, ERR_CANCELLED,
		    "the client closed its side of the connection while the query waited");
	if (clock_mono_ns() >= job->deadline_mono_ns)
		return err_set(err, ERR_DEADLINE,
		    "the query waited longer than %llu ms for its turn",
		    (unsigned long long)time_of(r, job->op));
	enum err_code code = gather_values(job, arena, &values, &count, err);
	return code == ERR_OK ? ops_run(job->op, &ctx.op, values, count, json, err) : code;
}

static void
respond_charged(struct rest *r, const struct job *job, const struct ops_otlp *otlp,
    const struct ops_reply *reply, struct buf *json, uint64_t charged)
{
	struct http_answer answer = {.status = job->op->status ? job->op->status : 200,
	    .content_type = otlp->written ? REST_PROTOBUF
	        : reply->content_type     ? reply->content_type
	                                  : REST_JSON,
	    .body = *json,
	    .headers = {{"Cache-Control", "no-store"}},
	    .budget = charged ? &r->answers : NULL,
	    .budget_bytes = charged};
	if (otlp->next_cursor[0])
		answer.headers[1] = (struct http_header){"X-Weir-Next-Cursor", otlp->next_cursor};
	if (reply->next_cursor[0])
		answer.headers[1] = (struct http_header){"X-Weir-Next-Cursor", reply->next_cursor};
	if (reply->content_type || reply->truncated)
		answer.headers[1] =
		    (struct http_header){"X-Weir-Truncated", reply->truncated ? "true" : "false"};
	http_respond(job->request, &answer);
}

static void
begin_span(const struct job *job, struct trace_span *span)
{
	char name[TRACE_NAME_BYTES];
	static const char *const methods[] = {[HTTP_GET] = "GET",
	    [HTTP_HEAD] = "HEAD",
	    [HTTP_POST] = "POST",
	    [HTTP_PUT] = "PUT",
	    [HTTP_DELETE] = "DELETE",
	    [HTTP_OPTIONS] = "OPTIONS",
	    [HTTP_OTHER] = "HTTP"};
	struct str parent = http_request_header(job->request, "traceparent");
	const char *method = methods[http_request_method(job->request)];
	snprintf(name, sizeof(name), "%s %s", method, job->op->path);
	trace_begin(span, name, TRACE_SERVER);
	trace_join(span, parent.ptr, parent.len);
	trace_text(span, "http.request.method", method, strlen(method));
	trace_text(span, "http.route", job->op->path, strlen(job->op->path));
	trace_text(span, "weir.tenant", job->grant.tenant, strlen(job->grant.tenant));
}

static void
end_span(struct trace_span *span, enum err_code code, size_t bytes, const struct err *err)
{
	trace_number(span, "http.response.status_code",
	    code == ERR_OK ? 200 : err_http_status(code));
	trace_number(span, "http.response.body.size", (int64_t)bytes);
	/* What the client did wrong is not the server's failure. */
	bool failed = code != ERR_OK && err_http_status(code) >= 500;
	trace_end(span, failed ? code : ERR_OK, err->message);
}

static void
count_query(struct rest *r, enum err_code code, uint64_t ns)
{
	stats_add(r->opt.stats, STATS_QUERIES, 1);
	stats_add(r->opt.stats, STATS_QUERY_NS, (int64_t)ns);
	if (code != ERR_OK)
		stats_add(r->opt.stats, STATS_QUERY_ERRORS, 1);
}

static void
run_job(struct rest *r, struct job *job, struct arena *arena)
{
	struct buf json;
	struct trace_span span;
	struct err err = {0};
	struct ops_otlp otlp = {0};
	struct ops_reply reply = {0};
	uint64_t start_ns = clock_mono_ns();
	uint64_t charged;
	begin_span(job, &span);
	buf_init(&json, answer_room(r));
	enum err_code code = run_op(r, job, arena, &otlp, &reply, &json, &err);
	code = charge_answer(r, &json, code, &charged, &err);
	end_span(&span, code, json.len, &err);
	/* An answer may be read for long: only its text is kept. */
	arena_reset(arena);
	if (job->kind != JOB_SLOW)
		count_query(r, code, clock_mono_ns() - start_ns);
	/* Before the answer: who has it may ask again at once. */
	job_ended(r, job->kind);
	if (code == ERR_OK) {
		respond_charged(r, job, &otlp, &reply, &json, charged);
	} else {
		rest_respond_op_error(r, job->request, job->op, code, err.message);
		buf_fini(&json);
	}
	free(job);
}

static void
run_jobs(struct rest *r, struct queue *jobs)
{
	struct arena arena;
	struct job *job;
	arena_init(&arena, r->opt.limits->result_bytes_max, ARENA_KEEP_BYTES);
	while ((job = queue_pop(jobs, UINT64_MAX)) != NULL)
		run_job(r, job, &arena);
	arena_fini(&arena);
}

void
rest_reader_main(void *ctx)
{
	struct rest *r = ctx;
	run_jobs(r, r->jobs);
}

void
rest_slow_main(void *ctx)
{
	struct rest *r = ctx;
	run_jobs(r, r->slow_jobs);
}

void
rest_heavy_main(void *ctx)
{
	struct rest *r = ctx;
	run_jobs(r, r->heavy_jobs);
}
