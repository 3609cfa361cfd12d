/* SPDX-License-Identifier: Apache-2.0 */
#include "receive/receive_priv.h"

#include "base/arena.h"

#include <stdlib.h>

static const struct receive_sink ingest_sink = {
    ingest_submit, ingest_admits, ingest_retry_after_ms};

struct receive *
receive_new(const struct receive_options *opt)
{
	struct receive *r = xcalloc(1, sizeof(*r));
	r->opt = *opt;
	if (!r->opt.sink)
		r->opt.sink = &ingest_sink;
	mutex_init(&r->lock);
	return r;
}

void
receive_free(struct receive *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->idle_count; i++)
		inflate_free(r->idle[i]);
	mutex_fini(&r->lock);
	free(r);
}

struct inflate *
receive_inflater_take(struct receive *r)
{
	struct inflate *inflater = NULL;
	mutex_lock(&r->lock);
	if (r->idle_count > 0)
		inflater = r->idle[--r->idle_count];
	mutex_unlock(&r->lock);
	return inflater ? inflater : inflate_new();
}

void
receive_inflater_give(struct receive *r, struct inflate *inflater)
{
	mutex_lock(&r->lock);
	if (r->idle_count < RECEIVE_INFLATERS_MAX) {
		r->idle[r->idle_count++] = inflater;
		inflater = NULL;
	}
	mutex_unlock(&r->lock);
	inflate_free(inflater);
}

enum err_code
receive_submit(struct receive *r, struct ingest_request *req, struct err *err)
{
	return r->opt.sink->submit(r->opt.ingest, req, err);
}

enum err_code
receive_admits(const struct receive *r, struct str tenant, struct err *err)
{
	return r->opt.sink->admits(r->opt.ingest, tenant, err);
}

uint64_t
receive_retry_after_ms(const struct receive *r, const struct err *err)
{
	if (!err_retryable(err->code))
		return 0;
	uint64_t ms = err->retry_ms;
	if (ms == 0)
		ms = r->opt.sink->retry_after_ms(r->opt.ingest, err->code);
	return ms > 0 ? ms : 1;
}

enum err_code
receive_outcome(enum err_code code)
{
	bool ours = code == ERR_IO || code == ERR_CORRUPT || code == ERR_INTERNAL;
	return ours ? ERR_UNAVAILABLE : code;
}
