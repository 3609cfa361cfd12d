/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/live.h"

#include "base/arena.h"
#include "sys/thread.h"

#include <stdlib.h>

struct live {
	struct load *load;
	struct load_plan plan;
	struct thread thread;
	atomic_bool stop;
	struct load_result result; /* the thread's until it ends; so is err */
	struct err err;
};

static void
live_main(void *ctx)
{
	struct live *l = ctx;
	if (load_run(l->load, &l->plan, &l->result, &l->err) != ERR_OK)
		CHECK(l->err.code != ERR_OK);
}

enum err_code
live_start(const struct load_options *opt, double spans_per_s, struct live **out, struct err *err)
{
	struct live *l = xcalloc(1, sizeof(*l));
	CHECK(!opt->gzip && opt->refused == LOAD_DROPS && spans_per_s > 0);
	l->plan = (struct load_plan){.spans_per_s = spans_per_s, .stop = &l->stop};
	*out = NULL;
	enum err_code code = load_new(opt, &l->load, err);
	if (code == ERR_OK)
		code = thread_start(&l->thread, "live", live_main, l, err);
	if (code == ERR_OK) {
		*out = l;
		return ERR_OK;
	}
	load_free(l->load);
	free(l);
	return code;
}

const struct load *
live_load(const struct live *l)
{
	return l->load;
}

enum err_code
live_stop(struct live *l, struct load_result *out, struct err *err)
{
	if (!l)
		return ERR_OK;
	atomic_store(&l->stop, true);
	thread_join(&l->thread);
	enum err_code code = l->err.code;
	if (code != ERR_OK)
		*err = l->err;
	*out = l->result;
	load_free(l->load);
	free(l);
	return code;
}
