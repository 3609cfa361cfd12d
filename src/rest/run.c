/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "ops/ops.h"
#include "sys/clock.h"
#include "tenant/tenant.h"

#include <stdlib.h>

/* What a reader keeps of its arena between queries. */
enum { ARENA_KEEP_BYTES = 1024 * 1024 };

struct job {
	struct http_request *request;
	const struct op *op;
	struct op_value path_value; /* points into the request */
	bool has_path_value;
	uint64_t deadline_mono_ns;
};

void
rest_run(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_value)
{
	uint64_t max = r->opt.limits->queries_max;
	if (atomic_fetch_add(&r->query_count, 1) >= max) {
		atomic_fetch_sub(&r->query_count, 1);
		rest_respond_error(r, req, ERR_BUSY, "too many queries at once, try again");
		return;
	}
	struct job *job = xcalloc(1, sizeof(*job));
	job->request = req;
	job->op = op;
	job->has_path_value = path_value != NULL;
	if (path_value)
		job->path_value = *path_value;
	job->deadline_mono_ns = clock_mono_ns() + r->opt.limits->query_timeout_ms * NS_PER_MS;
	enum err_code code = queue_push(r->jobs, job);
	if (code == ERR_OK)
		return;
	free(job);
	atomic_fetch_sub(&r->query_count, 1);
	rest_respond_error(r, req, code, "the server is stopping");
}

/* Query parameters and the one of the path. */
static enum err_code
gather_values(const struct job *job, struct arena *arena, struct op_value **values_out,
    size_t *count_out, struct err *err)
{
	struct op_value v;
	size_t count = 0;
	while (http_request_param(job->request, count, &v.name, &v.value))
		count++;
	struct op_value *values = arena_array(arena, count + 1, sizeof(*values));
	if (!values)
		return err_set(err, ERR_TOO_LARGE, "too many parameters");
	for (size_t i = 0; i < count; i++)
		(void)http_request_param(job->request, i, &values[i].name, &values[i].value);
	if (job->has_path_value)
		values[count++] = job->path_value;
	*values_out = values;
	*count_out = count;
	return ERR_OK;
}

static enum err_code
run_op(struct rest *r, const struct job *job, struct arena *arena, struct buf *json,
    struct err *err)
{
	struct op_value *values = NULL;
	size_t count = 0;
	struct op_context ctx = {.store = r->opt.store,
	    .limits = r->opt.limits,
	    .stats = r->opt.stats,
	    .now_unix_ns = clock_unix_ns(),
	    .deadline_mono_ns = job->deadline_mono_ns,
	    .arena = arena};
	if (atomic_load(&r->stopping))
		return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
	if (clock_mono_ns() >= job->deadline_mono_ns)
		return err_set(err, ERR_DEADLINE,
		    "the query waited longer than %llu ms for its turn",
		    (unsigned long long)r->opt.limits->query_timeout_ms);
	enum err_code code = tenant_choose(http_request_header(job->request, TENANT_HEADER_1),
	    http_request_header(job->request, TENANT_HEADER_2), &ctx.tenant, err);
	if (code == ERR_OK)
		code = gather_values(job, arena, &values, &count, err);
	return code == ERR_OK ? ops_run(job->op, &ctx, values, count, json, err) : code;
}

static void
run_job(struct rest *r, struct job *job, struct arena *arena)
{
	struct buf json;
	struct err err = {0};
	uint64_t start_ns = clock_mono_ns();
	buf_init(&json, r->opt.limits->result_bytes_max);
	enum err_code code = run_op(r, job, arena, &json, &err);
	stats_add(r->opt.stats, STATS_QUERIES, 1);
	stats_add(r->opt.stats, STATS_QUERY_NS, (int64_t)(clock_mono_ns() - start_ns));
	if (code != ERR_OK)
		stats_add(r->opt.stats, STATS_QUERY_ERRORS, 1);
	/* Before the answer: who has it may ask again at once. */
	atomic_fetch_sub(&r->query_count, 1);
	if (code == ERR_OK) {
		rest_respond(job->request, 200, REST_JSON, &json);
	} else {
		rest_respond_error(r, job->request, code, err.message);
		buf_fini(&json);
	}
	free(job);
}

void
rest_reader_main(void *ctx)
{
	struct rest *r = ctx;
	struct arena arena;
	struct job *job;
	arena_init(&arena, r->opt.limits->result_bytes_max, ARENA_KEEP_BYTES);
	while ((job = queue_pop(r->jobs, UINT64_MAX)) != NULL) {
		run_job(r, job, &arena);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}
