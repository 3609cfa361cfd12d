/* SPDX-License-Identifier: Apache-2.0 */
/* A request whose sender waits for it on a thread of its own. */
#include "ingest/ingest_priv.h"
#include "sys/clock.h"

#include "base/timefmt.h"

#include <stdlib.h>

enum { VISIBLE_WAIT_MS = 1000, LOOK_EVERY_MS = 1 };

/* Shared by the sender and the commit thread: who is done with it last frees it. */
struct waiting {
	const struct ingest *in;
	struct mutex lock;
	struct cond answered;
	unsigned refs;
	bool done;
	enum err_code code;
	uint64_t seq; /* that of the request, or a later one */
	char message[ERR_MESSAGE_BYTES];
	void (*hear)(void *ctx, enum err_code code); /* NULL: nobody else */
	void *hear_ctx;
};

static void
unref(struct waiting *w)
{
	mutex_lock(&w->lock);
	unsigned left = --w->refs;
	mutex_unlock(&w->lock);
	if (left > 0)
		return;
	cond_fini(&w->answered);
	mutex_fini(&w->lock);
	free(w);
}

static void
take_answer(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	struct waiting *w = ctx;
	(void)counts;
	if (w->hear)
		w->hear(w->hear_ctx, code);
	mutex_lock(&w->lock);
	w->done = true;
	w->code = code;
	w->seq = wal_durable_seq(w->in->wal);
	err_copy(w->message, sizeof(w->message), message);
	mutex_unlock(&w->lock);
	cond_broadcast(&w->answered);
	unref(w);
}

/* The answer, or ERR_DEADLINE. */
static enum err_code
wait_for_answer(struct waiting *w, uint64_t deadline_mono_ns, uint64_t *seq_out, struct err *err)
{
	mutex_lock(&w->lock);
	bool in_time = true;
	while (!w->done && in_time)
		in_time = cond_wait_until(&w->answered, &w->lock, deadline_mono_ns) ||
		    clock_mono_ns() < deadline_mono_ns;
	bool done = w->done;
	enum err_code code = w->code;
	*seq_out = w->seq;
	if (done && code != ERR_OK)
		code = err_set(err, code, "%s", w->message);
	mutex_unlock(&w->lock);
	return done
	    ? code
	    : err_set(err, ERR_DEADLINE,
	          "the log has not answered in time: it may have been kept, try again with the same id");
}

static bool
wait_until_visible(const struct ingest *in, uint64_t seq, uint64_t deadline_mono_ns)
{
	uint64_t end = clock_mono_ns() + VISIBLE_WAIT_MS * NS_PER_MS;
	if (deadline_mono_ns < end)
		end = deadline_mono_ns;
	while (atomic_load(&in->loaded_seq) < seq && clock_mono_ns() < end)
		clock_sleep_ns(LOOK_EVERY_MS * NS_PER_MS);
	return atomic_load(&in->loaded_seq) >= seq;
}

static enum err_code
submit_and_wait(struct ingest *in, struct ingest_request *req, uint64_t deadline_mono_ns,
    void (*hear)(void *ctx, enum err_code code), void *hear_ctx, uint64_t *seq_out, struct err *err)
{
	struct waiting *w = xcalloc(1, sizeof(*w));
	CHECK(!req->done);
	w->hear = hear;
	w->hear_ctx = hear_ctx;
	w->in = in;
	w->refs = 2;
	mutex_init(&w->lock);
	cond_init(&w->answered);
	req->done = take_answer;
	req->ctx = w;
	enum err_code code = ingest_submit(in, req, err);
	if (code != ERR_OK)
		w->refs = 1; /* nobody will answer: it is the sender's alone */
	if (code != ERR_OK && hear)
		hear(hear_ctx, code);
	if (code == ERR_OK)
		code = wait_for_answer(w, deadline_mono_ns, seq_out, err);
	unref(w);
	return code;
}

enum err_code
ingest_submit_and_hear(struct ingest *in, struct ingest_request *req, uint64_t deadline_mono_ns,
    void (*hear)(void *ctx, enum err_code code), void *ctx, struct err *err)
{
	uint64_t seq;
	return submit_and_wait(in, req, deadline_mono_ns, hear, ctx, &seq, err);
}

enum err_code
ingest_submit_and_wait(struct ingest *in, struct ingest_request *req, uint64_t deadline_mono_ns,
    bool *visible_out, struct err *err)
{
	uint64_t seq;
	*visible_out = false;
	enum err_code code = submit_and_wait(in, req, deadline_mono_ns, NULL, NULL, &seq, err);
	if (code == ERR_OK)
		*visible_out = wait_until_visible(in, seq, deadline_mono_ns);
	return code;
}
