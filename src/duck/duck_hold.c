/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file stands still, so that it can be copied while weir goes on.
 *
 * Between two checkpoints DuckDB only writes to blocks of the file that were free at the first of them: the rows of
 * seals, which go to the file before the commit that names them. What a transaction frees becomes free with the next
 * checkpoint; blocks of metadata and the heads are written in checkpoints only; the file is not cut but there. So
 * what the last checkpoint has named stays as it is while there is no other one, and a copy of the file, read in any
 * order, is the file of that checkpoint with something in blocks that are free in it. DuckDB's log
 * (weir.duckdb.wal) does not belong to it: what is in that is in ours.
 *
 * What must not happen meanwhile: a checkpoint, duck_trim(), which makes holes where blocks are free, and opening the
 * database again, which checkpoints. Seals go on, and DuckDB's log grows by what they have besides whole
 * row groups; the position stays, so that our log keeps all since the checkpoint.
 *
 * The copy reads through d->beside: to open and close the file once more in this process would end DuckDB's lock on it.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "store/hold.h"
#include "sys/clock.h"

enum {
	/* For the checkpoint, which waits for questions that still see rows that were removed. */
	WAIT_S = 60,
	STEP_MS = 50,
};

enum duck_hold_state
duck_hold_state(struct duck *d)
{
	mutex_lock(&d->keeper.lock);
	enum duck_hold_state state = d->keeper.hold;
	mutex_unlock(&d->keeper.lock);
	return state;
}

void
duck_hold_begin(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	bool open = duck_open_beside(d, &err) == ERR_OK;
	mutex_lock(&k->lock);
	if (open && k->hold == DUCK_HOLD_WANTED)
		k->hold = DUCK_HOLD_ON;
	mutex_unlock(&k->lock);
	cond_broadcast(&k->room);
}

static bool
take(struct duck_keeper *k)
{
	mutex_lock(&k->lock);
	bool taken = k->hold == DUCK_HOLD_NONE;
	if (taken) {
		k->hold = DUCK_HOLD_WANTED;
		k->rung = true;
	}
	mutex_unlock(&k->lock);
	cond_signal(&k->wake);
	return taken;
}

static void
give_back(struct duck_keeper *k)
{
	mutex_lock(&k->lock);
	k->hold = DUCK_HOLD_NONE;
	k->rung = true;
	mutex_unlock(&k->lock);
	cond_signal(&k->wake);
}

/* Until the sealer's thread has made its checkpoint. */
static bool
wait_on(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	uint64_t deadline = clock_mono_ns() + WAIT_S * NS_PER_S;
	mutex_lock(&k->lock);
	while (k->hold == DUCK_HOLD_WANTED && !atomic_load(&d->cancelled) &&
	    clock_mono_ns() < deadline)
		(void)cond_wait_until(&k->room, &k->lock, clock_mono_ns() + STEP_MS * NS_PER_MS);
	bool on = k->hold == DUCK_HOLD_ON;
	mutex_unlock(&k->lock);
	return on;
}

static enum err_code
go_on(struct store *s, struct err *err)
{
	struct duck *d = duck_of(s);
	if (atomic_load(&d->cancelled))
		return err_set(err, ERR_CANCELLED, "the server is stopping");
	if (atomic_load(&d->broken))
		return err_set(err, ERR_UNAVAILABLE,
		    "the database has failed and has to be opened again");
	return ERR_OK;
}

enum err_code
duck_hold(struct store *s, store_files_fn fn, void *ctx, struct err *err)
{
	struct duck *d = duck_of(s);
	if (!take(&d->keeper))
		return err_set(err, ERR_BUSY, "the database's file is being copied already");
	enum err_code code;
	if (wait_on(d))
		code = fn(ctx,
		    &(struct store_files){.store = s,
		        .name = DUCK_FILE,
		        .file = &d->beside,
		        .position = atomic_load(&d->position),
		        .schema_version = duck_schema_version(),
		        .go_on = go_on},
		    err);
	else if (go_on(s, err) != ERR_OK)
		code = err->code;
	else
		code = err_set(err, ERR_BUSY,
		    "no checkpoint of the database could be made in %d s (weir's log says why)",
		    WAIT_S);
	give_back(&d->keeper);
	return code;
}
