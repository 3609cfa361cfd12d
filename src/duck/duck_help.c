/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_help.h"

#include "base/arena.h"
#include "base/check.h"

#include <stdlib.h>

/* From the first begin() to the last end(), and on until the last helper has left it. */
struct duck_shift {
	duckdb_task_state state;
	unsigned inside; /* helpers */
};

static void
free_shift(struct duck_shift *s)
{
	CHECK(s->inside == 0);
	duckdb_destroy_task_state(s->state);
	free(s);
}

/* Who waits for work in DuckDB is woken by a semaphore that all share. Were helpers of the last shift let into the
 * next one at once, they would take what was meant to wake those that are still in there. */
static bool
can_join(const struct duck_help *h)
{
	return h->shift && !h->leaving;
}

static void
helper_main(void *ctx)
{
	struct duck_help *h = ctx;
	mutex_lock(&h->lock);
	while (!h->stop) {
		if (!can_join(h)) {
			cond_wait(&h->changed, &h->lock);
			continue;
		}
		struct duck_shift *s = h->shift;
		s->inside++;
		mutex_unlock(&h->lock);
		duckdb_execute_tasks_state(s->state);
		mutex_lock(&h->lock);
		CHECK(s == h->leaving); /* it ends in no other way */
		if (--s->inside > 0)
			continue;
		free_shift(s);
		h->leaving = NULL;
		cond_broadcast(&h->changed);
	}
	mutex_unlock(&h->lock);
}

void
duck_help_init(struct duck_help *h)
{
	*h = (struct duck_help){0};
	mutex_init(&h->lock);
	cond_init(&h->changed);
}

void
duck_help_fini(struct duck_help *h)
{
	CHECK(h->count == 0 && h->wanted == 0);
	cond_fini(&h->changed);
	mutex_fini(&h->lock);
}

enum err_code
duck_help_start(struct duck_help *h, duckdb_database db, unsigned count, struct err *err)
{
	CHECK(h->count == 0 && h->wanted == 0);
	h->db = db;
	h->stop = false;
	h->threads = xcalloc(count + 1, sizeof(*h->threads));
	h->count = count;
	for (unsigned i = 0; i < count; i++)
		if (thread_start(&h->threads[i], "duck-help", helper_main, h, err) != ERR_OK)
			return err->code;
	return ERR_OK;
}

void
duck_help_stop(struct duck_help *h)
{
	mutex_lock(&h->lock);
	CHECK(h->wanted == 0);
	h->stop = true;
	mutex_unlock(&h->lock);
	cond_broadcast(&h->changed);
	for (unsigned i = 0; i < h->count; i++)
		thread_join(&h->threads[i]);
	free(h->threads);
	h->threads = NULL;
	h->count = 0;
	h->db = NULL;
}

void
duck_help_begin(struct duck_help *h)
{
	mutex_lock(&h->lock);
	if (h->wanted++ == 0 && h->count > 0) {
		h->shift = xcalloc(1, sizeof(*h->shift));
		h->shift->state = duckdb_create_task_state(h->db);
	}
	mutex_unlock(&h->lock);
	cond_broadcast(&h->changed);
}

void
duck_help_end(struct duck_help *h)
{
	mutex_lock(&h->lock);
	CHECK(h->wanted > 0);
	struct duck_shift *s = --h->wanted == 0 ? h->shift : NULL;
	if (s) {
		h->shift = NULL;
		duckdb_finish_execution(s->state);
	}
	if (s && s->inside > 0)
		h->leaving = s; /* there is no other one: it would have let nobody in */
	else if (s)
		free_shift(s);
	mutex_unlock(&h->lock);
}
