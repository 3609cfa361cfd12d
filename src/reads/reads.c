/* SPDX-License-Identifier: Apache-2.0 */
#include "reads/reads_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "otlp/otlp.h"
#include "sys/clock.h"
#include "tenant/tenant.h"
#include "wire/pb.h"

#include <stdlib.h>

enum {
	ARENA_KEEP_BYTES = 1024 * 1024,
	ARENA_PER_BYTE =
	    4, /* rows of an answer take about so many times what they are as messages */
	ROWS_PART = 8, /* what did not fit into memory is asked for again in parts like this */
	RETRY_MS = 1000,
};

#define PATH_READ_SPANS "/ingestion.InternalIngestionService/ReadSpans"
#define PATH_VALIDATE "/ingestion.InternalAuthService/ValidateApiKey"

const char *const reads_grpc_paths[] = {PATH_READ_SPANS, PATH_VALIDATE, NULL};

struct job {
	struct grpc_call *call;
	char tenant[LIMIT_TENANT_BYTES + 1];
	struct reads_request request;
	uint64_t deadline_mono_ns;
};

/* ---- calls */

bool
reads_serves(struct str path)
{
	return str_eq(path, STR(PATH_READ_SPANS)) || str_eq(path, STR(PATH_VALIDATE));
}

static bool
is_validation(const struct grpc_call *call)
{
	return str_eq(grpc_call_header(call, STR(":path")), STR(PATH_VALIDATE));
}

static void
respond_error(struct grpc_call *call, const struct err *err)
{
	struct buf details = {0};
	uint64_t retry_ms = err->retry_ms > 0 ? err->retry_ms : RETRY_MS;
	otlp_write_status(err->code, str_from(err->message),
	    err_retryable(err->code) ? retry_ms : 0, false, &details);
	grpc_respond(call,
	    &(struct grpc_answer){
	        .code = err->code, .text = str_from(err->message), .details = buf_view(&details)});
	buf_fini(&details);
}

static enum err_code
check_key(const struct reads *r, const struct grpc_call *call, struct auth_grant *out,
    struct err *err)
{
	const struct auth_fields fields = {
	    .authorization = grpc_call_header(call, STR(AUTH_HEADER)),
	    .api_key = grpc_call_header(call, STR(AUTH_HEADER_API_KEY)),
	    .junjo_key = grpc_call_header(call, STR(AUTH_HEADER_JUNJO_KEY)),
	    .tenant_1 = grpc_call_header(call, STR(TENANT_HEADER_1)),
	    .tenant_2 = grpc_call_header(call, STR(TENANT_HEADER_2))};
	return auth_check(r->opt.keys, &fields, is_validation(call) ? KEY_ADMIN : KEY_READ,
	    clock_unix_ns(), out, err);
}

enum err_code
reads_grpc_admit(struct reads *r, const struct grpc_call *call, struct err *err)
{
	struct auth_grant grant;
	return check_key(r, call, &grant, err);
}

/* Would weir take telemetry with it? */
static bool
is_valid(const struct reads *r, const struct auth_grant *asker, struct str token)
{
	struct key key;
	struct err err;
	if (!r->opt.keys || !keys_required(r->opt.keys))
		return true;
	if (keys_find(r->opt.keys, token, clock_unix_ns(), &key, &err) != ERR_OK)
		return false;
	return (key.rights & KEY_INGEST) &&
	    (asker->any_tenant || strcmp(key.tenant, asker->tenant) == 0);
}

static void
validate(struct reads *r, struct grpc_call *call, const struct auth_grant *grant)
{
	struct str token;
	struct err err;
	struct buf response = {0};
	if (reads_key_request_read(buf_view(grpc_call_message(call)), &token, &err) != ERR_OK) {
		respond_error(call, &err);
		return;
	}
	bool valid = is_valid(r, grant, token);
	stats_add(r->opt.stats, valid ? STATS_KEYS_VALID : STATS_KEYS_INVALID, 1);
	if (valid)
		pb_put_u64(&response, 1, 1);
	grpc_respond(call, &(struct grpc_answer){.message = buf_view(&response)});
	buf_fini(&response);
}

static enum err_code
check_ready(const struct reads *r, struct err *err)
{
	char text[LIMIT_CHECK_TEXT_BYTES];
	if (!r->opt.catches_up || !r->opt.catches_up(r->opt.ctx, text))
		return ERR_OK;
	return err_set(err, ERR_UNAVAILABLE,
	    "weir has just started, and what it kept before is not all there to be read yet (%s)",
	    text);
}

static void
enqueue(struct reads *r, struct grpc_call *call, const struct auth_grant *grant)
{
	struct err err = {0};
	struct job *job = xcalloc(1, sizeof(*job));
	uint64_t newest = r->opt.newest_seq ? r->opt.newest_seq(r->opt.ctx) : UINT64_MAX;
	job->call = call;
	memcpy(job->tenant, grant->tenant, sizeof(job->tenant));
	job->deadline_mono_ns = clock_mono_ns() + r->opt.limits->query_timeout_ms * NS_PER_MS;
	enum err_code code =
	    reads_request_read(buf_view(grpc_call_message(call)), newest, &job->request, &err);
	if (code == ERR_OK)
		code = queue_push(r->jobs, job);
	if (code == ERR_OK)
		return;
	free(job);
	if (code == ERR_BUSY)
		err_set(&err, code,
		    "%d clients that read spans wait for their turn, come back later",
		    READS_WAITING_MAX);
	else if (code == ERR_UNAVAILABLE)
		err_set(&err, code, "the server is stopping");
	respond_error(call, &err);
}

void
reads_grpc(struct reads *r, struct grpc_call *call)
{
	struct auth_grant grant;
	struct err err = {0};
	if (check_key(r, call, &grant, &err) != ERR_OK ||
	    (!is_validation(call) && check_ready(r, &err) != ERR_OK))
		respond_error(call, &err);
	else if (is_validation(call))
		validate(r, call, &grant);
	else
		enqueue(r, call, &grant);
}

/* ---- reading */

static size_t
rows_of(const struct reads *r, const struct reads_request *q)
{
	size_t most = r->opt.limits->results_max;
	size_t rows = q->batch_size > 0 ? q->batch_size : READS_BATCH;
	return rows < most ? rows : most;
}

/* What does not fit into memory is asked for in smaller parts, and what is a single span then may take as much as any
 * answer. */
static enum err_code
ask_store(struct reads *r, const struct job *job, struct arena *arena, struct store_result *result,
    struct err *err)
{
	const struct limits *limits = r->opt.limits;
	uint64_t usual = limits->read_bytes_max * ARENA_PER_BYTE;
	struct store_query q = {.kind = STORE_ARRIVALS,
	    .tenant = str_from(job->tenant),
	    .to_ns = UINT64_MAX,
	    .after = job->request.after,
	    .row_max = rows_of(r, &job->request),
	    .deadline_mono_ns = job->deadline_mono_ns};
	for (;;) {
		bool one = q.row_max == 1;
		arena->bytes_max =
		    one || usual > limits->result_bytes_max ? limits->result_bytes_max : usual;
		enum err_code code = store_query(r->opt.store, &q, arena, result, err);
		if (code != ERR_TOO_LARGE || one)
			return code;
		q.row_max = q.row_max > ROWS_PART ? q.row_max / ROWS_PART : 1;
		arena_reset(arena);
	}
}

static enum err_code
too_much_unread(const struct reads *r, struct err *err)
{
	return err_set(err, ERR_BUSY,
	    "answers that clients have not read yet hold %llu of %llu bytes (--max-answer-bytes)",
	    (unsigned long long)budget_used(&r->answers), (unsigned long long)r->answers.bytes_max);
}

/* *charged_out bytes of the budget are the answer's, whatever is returned. */
static enum err_code
make_answer(struct reads *r, const struct job *job, struct arena *arena,
    struct reads_answer *answer, uint64_t *charged_out, struct err *err)
{
	struct store_result result;
	uint64_t room = r->opt.limits->read_bytes_max;
	if (room > r->answers.bytes_max)
		room = r->answers.bytes_max;
	if (atomic_load(&r->stopping))
		return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
	if (clock_mono_ns() >= job->deadline_mono_ns)
		return err_set(err, ERR_DEADLINE, "the question waited too long for its turn");
	if (!budget_take(&r->answers, room))
		return too_much_unread(r, err);
	*charged_out = room;
	enum err_code code = ask_store(r, job, arena, &result, err);
	if (code == ERR_OK)
		code = reads_answer_write(&result, &job->request, room, answer, err);
	if (code != ERR_OK)
		return code;
	uint64_t len = answer->messages.len;
	if (len > room && !budget_take(&r->answers, len - room))
		return too_much_unread(r, err);
	if (len < room)
		budget_give(&r->answers, room - len);
	*charged_out = len;
	return ERR_OK;
}

static void
run_job(struct reads *r, struct job *job, struct arena *arena)
{
	struct reads_answer answer = {.spans = 0};
	struct err err = {0};
	uint64_t charged = 0, start_ns = clock_mono_ns();
	enum err_code code = make_answer(r, job, arena, &answer, &charged, &err);
	stats_add(r->opt.stats, STATS_QUERIES, 1);
	stats_add(r->opt.stats, STATS_QUERY_NS, (int64_t)(clock_mono_ns() - start_ns));
	arena_reset(arena);
	if (code == ERR_OK) {
		stats_add(r->opt.stats, STATS_READ_SPANS, (int64_t)answer.spans);
		stats_add(r->opt.stats, STATS_READ_DAMAGED, (int64_t)answer.damaged);
		grpc_respond(job->call,
		    &(struct grpc_answer){.messages = &answer.messages,
		        .budget = &r->answers,
		        .budget_bytes = charged});
	} else {
		stats_add(r->opt.stats, STATS_QUERY_ERRORS, 1);
		buf_fini(&answer.messages);
		budget_give(&r->answers, charged);
		respond_error(job->call, &err);
	}
	free(job);
}

static void
run_jobs(void *ctx)
{
	struct reads *r = ctx;
	struct arena arena;
	struct job *job;
	arena_init(&arena, 0, ARENA_KEEP_BYTES);
	while ((job = queue_pop(r->jobs, UINT64_MAX)) != NULL)
		run_job(r, job, &arena);
	arena_fini(&arena);
}

/* ---- life */

enum err_code
reads_start(const struct reads_options *opt, struct reads **out, struct err *err)
{
	struct reads *r = xcalloc(1, sizeof(*r));
	enum err_code code = ERR_OK;
	*out = NULL;
	r->opt = *opt;
	budget_init(&r->answers, opt->limits->answer_bytes_max);
	r->jobs = queue_new(READS_WAITING_MAX);
	for (size_t i = 0; i < READS_THREADS && code == ERR_OK; i++)
		code = thread_start(&r->threads[i], "reads", run_jobs, r, err);
	if (code != ERR_OK) {
		reads_free(r);
		return code;
	}
	*out = r;
	return ERR_OK;
}

void
reads_stop(struct reads *r)
{
	if (!r || r->stopped)
		return;
	r->stopped = true;
	atomic_store(&r->stopping, true);
	queue_close(r->jobs);
	for (size_t i = 0; i < READS_THREADS; i++)
		thread_join(&r->threads[i]);
}

void
reads_free(struct reads *r)
{
	if (!r)
		return;
	reads_stop(r);
	CHECK(budget_used(&r->answers) == 0);
	queue_free(r->jobs);
	free(r);
}
