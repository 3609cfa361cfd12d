/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the database fails. After a fatal error (a full disk in a checkpoint, a failed fsync, an error inside
 * DuckDB) every statement of the process fails until the file is closed and opened again. The hot tail
 * stays as it is meanwhile; the log goes on taking requests; queries and appends are told to come back.
 *
 * A seal that was under way is in the file or it is not: its generation says so.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>

enum { DRAIN_MS = 10 };

/* Readers find out by themselves that nothing works any more and give their connections back. */
static void
drain_readers(struct duck *d)
{
	while (!duck_pool_empty(&d->pool))
		clock_sleep_ns(DRAIN_MS * NS_PER_MS);
}

/* Whether the seal that was under way is in the file; a file that has less than before cannot be gone
 * on with in this process. */
static enum err_code
settle(struct duck *d, uint64_t before, struct err *err)
{
	uint64_t now = atomic_load(&d->generation);
	if (now < before)
		return err_set(err, ERR_CORRUPT,
		    "the database has lost what it had before it was opened again: restart weir, its "
		    "log has everything");
	if (now > before) {
		CHECK(d->keeper.in_doubt);
		duck_seal_committed(d, now, d->keeper.floor);
		/* It may have been a removal. */
		d->keeper.retainer.leftovers = d->keeper.retainer.trim = true;
		d->keeper.removed_gen = now;
		atomic_store(&d->removed_gen, now);
	} else if (d->keeper.in_doubt) {
		duck_outbox_settle(&d->outbox, false);
		hot_seal_failed(d->hot);
	}
	d->keeper.in_doubt = false;
	return ERR_OK;
}

static uint64_t
hot_rows(struct duck *d)
{
	struct hot_info info;
	uint64_t rows = 0;
	hot_info(d->hot, &info);
	for (int id = 0; id < SIGNAL_TABLES; id++)
		rows += info.rows[id];
	return rows;
}

enum err_code
duck_reopen(struct duck *d, struct err *err)
{
	uint64_t before =
	    d->keeper.reopen_from ? d->keeper.reopen_from : atomic_load(&d->generation);
	d->keeper.reopen_from = before;
	drain_readers(d);
	mutex_lock(&d->writer.lock);
	duck_close_database(d);
	enum err_code code = duck_open_database(d, err);
	if (code == ERR_OK)
		code = duck_open_state(d, err);
	if (code == ERR_OK && d->keeper.ready)
		code = duck_exec(d, d->keeper.con, DUCK_FIX_SETTINGS, err);
	/* Rows of before the start are all in the hot tail or the file by now, or will not come. */
	if (code == ERR_OK)
		code = settle(d, before, err);
	if (code == ERR_OK) {
		d->keeper.reopen_from = 0;
		d->keeper.dirty = true;
		atomic_fetch_add(&d->row_count, hot_rows(d));
		atomic_fetch_add(&d->reopened, 1);
		atomic_store(&d->broken, false);
		duck_say(d, NULL);
		log_info("duck", "the database is open again; nothing was lost");
	}
	mutex_unlock(&d->writer.lock);
	return code;
}
