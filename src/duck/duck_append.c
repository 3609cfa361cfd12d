/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch on its way to the hot tail. Nothing of it touches the disk; the database is only asked for
 * dictionary entries not seen since the start, and whether what may be a repeat is one.
 *
 *     wait for room; mark what is there already; plan the dictionaries; hot_append(); remember
 *
 * What memory knows (identities, dictionaries) is noted while that goes on and kept, or taken back, with
 * its outcome.
 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <inttypes.h>

enum { WAIT_READY_S = 1, WAIT_ROOM_S = 5 };

enum err_code
duck_fault(struct duck *d, enum duck_step step, struct err *err)
{
	return d->opt.fault ? d->opt.fault(d->opt.fault_ctx, step, err) : ERR_OK;
}

static enum err_code
wait_for_room(struct duck *d, struct err *err)
{
	struct hot_info info;
	uint64_t now_ns = clock_mono_ns();
	if (!duck_keep_wait_ready(d, now_ns + WAIT_READY_S * NS_PER_S))
		return err_set(err, ERR_UNAVAILABLE,
		    "the store is still reading which spans it has: %" PRIu64 " so far",
		    ident_filter_count(d->writer.filter));
	if (duck_keep_wait_room(d, now_ns + WAIT_ROOM_S * NS_PER_S))
		return ERR_OK;
	hot_info(d->hot, &info);
	return err_set(err, ERR_BUSY,
	    "rows that are not in the database's file yet take %" PRIu64 " of %" PRIu64
	    " MiB (--hot-bytes), and moving them there does not keep up",
	    info.bytes / LIMIT_MIB, d->opt.hot_bytes_max / LIMIT_MIB);
}

static enum err_code
plan_dictionaries(struct duck *d, const struct batch *batch, struct err *err)
{
	struct duck_writer *w = &d->writer;
	struct duck_dict *dicts[] = {&w->resources, &w->scopes};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(dicts) && code == ERR_OK; i++)
		code = duck_dict_plan(d, w->con, dicts[i], &batch->tables[dicts[i]->id],
		    &w->scratch, err);
	return code;
}

static enum err_code
append_marked(struct duck *d, struct batch *batch, struct err *err)
{
	struct duck_writer *w = &d->writer;
	enum err_code code = plan_dictionaries(d, batch, err);
	if (code == ERR_OK)
		code = duck_fault(d, DUCK_STEP_HOT, err);
	if (code != ERR_OK)
		return code;
	struct hot_append a = {
	    .batch = batch,
	    .new_rows = {w->resources.new_rows, w->scopes.new_rows},
	    .new_count = {w->resources.new_count, w->scopes.new_count},
	    .resource_ids = &w->resources.ids,
	    .scope_ids = &w->scopes.ids,
	    .today = (int64_t)(d->opt.now_unix_ns() / NS_PER_DAY),
	};
	return hot_append(d->hot, &a, err);
}

static uint64_t
visible_rows(const struct batch *batch)
{
	uint64_t n = 0;
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		size_t rows = batch->tables[id].row_count;
		n += rows;
		for (size_t i = 0; batch->hidden[id] && i < rows; i++)
			n -= batch->hidden[id][i];
	}
	return n;
}

static enum err_code
append_locked(struct duck *d, struct batch *batch, struct err *err)
{
	struct duck_writer *w = &d->writer;
	arena_reset(&w->scratch);
	enum err_code code = duck_ident_mark(d, batch, err);
	if (code != ERR_OK)
		return code;
	duck_pulls_plan(d, batch);
	code = append_marked(d, batch, err);
	if (code != ERR_OK) {
		duck_pulls_take_back(d);
		duck_ident_take_back(d, batch);
		return code;
	}
	duck_pulls_keep(d, batch);
	duck_ident_keep(d, batch);
	duck_dict_committed(&w->resources);
	duck_dict_committed(&w->scopes);
	atomic_fetch_add(&d->row_count, visible_rows(batch));
	return ERR_OK;
}

enum err_code
duck_append(struct store *s, struct batch *batch, struct err *err)
{
	struct duck *d = duck_of(s);
	enum err_code code = wait_for_room(d, err);
	if (code != ERR_OK)
		return code;
	mutex_lock(&d->writer.lock);
	code = atomic_load(&d->broken)
	    ? err_set(err, ERR_UNAVAILABLE, "the database is being opened again")
	    : append_locked(d, batch, err);
	mutex_unlock(&d->writer.lock);
	duck_keep_ring(d);
	return code;
}

uint64_t
duck_knows(struct store *s, struct hash128 identity)
{
	struct duck *d = duck_of(s);
	while (!duck_keep_wait_ready(d, clock_mono_ns() + WAIT_READY_S * NS_PER_S))
		if (atomic_load(&d->cancelled))
			return 0; /* what follows is an append, and that fails */
	return ident_requests_find(d->writer.requests, identity);
}
