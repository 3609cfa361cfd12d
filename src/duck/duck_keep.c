/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the database is checkpointed: DuckDB's own rule is switched off, because it makes a commit
 * wait for it and, at its default of 16 MiB, costs five times the work of the rows.
 *
 * The appending thread checkpoints after a commit when there is enough (checkpoint_bytes). The
 * keeper's thread does when nothing has come for a while, so that an idle process gives its memory
 * back, or when the last one is long ago, so that a trickle does not make the next start slow.
 *
 * A checkpoint that fails is harmless, for everything is in DuckDB's log: it is logged and tried
 * again a little later. "Other write transactions are active" is the usual reason.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"

#include <inttypes.h>

enum { TRIES = 3, RETRY_MS = 10, ROOM_BYTES = 16 << 20 };

/* Only a number that is shown: what it fails for is not worth more than an old one. */
static void
measure(struct duck *d, duckdb_connection con)
{
	uint64_t bytes;
	struct err ignored;
	if (duck_number(d, con,
	        "SELECT sum(block_size * total_blocks)::UBIGINT FROM pragma_database_size()",
	        &bytes, &ignored) == ERR_OK)
		atomic_store(&d->disk_bytes, bytes);
}

/* A disk that fills up during a checkpoint is fatal to DuckDB, while during a commit it is only an
 * error. What is written is as a rule a third of what was appended. */
static enum err_code
check_room(struct duck *d, uint64_t dirty_bytes, struct err *err)
{
	uint64_t free_bytes, need = dirty_bytes + ROOM_BYTES;
	enum err_code code = file_free_bytes(d->dir, &free_bytes, err);
	if (code == ERR_OK && free_bytes < need)
		return err_set(err, ERR_BUSY,
		    "disk full: %" PRIu64 " bytes are free, a checkpoint may need %" PRIu64,
		    free_bytes, need);
	return code;
}

static enum err_code
checkpoint(struct duck *d, duckdb_connection con, uint64_t dirty_bytes, struct err *err)
{
	enum err_code code = duck_fault(d, DUCK_STEP_CHECKPOINT, err);
	if (code == ERR_OK)
		code = check_room(d, dirty_bytes, err);
	for (int i = 0; i < TRIES && code == ERR_OK; i++) {
		code = duck_exec(d, con, "CHECKPOINT", err);
		if (code == ERR_OK || atomic_load(&d->broken) || i == TRIES - 1)
			break;
		clock_sleep_ns(RETRY_MS * NS_PER_MS);
		code = ERR_OK;
	}
	if (code == ERR_OK)
		measure(d, con);
	return code;
}

/* Called with the lock held and `running` set by this thread; returns with the lock held. */
static void
run_unlocked(struct duck *d, duckdb_connection con)
{
	struct duck_keeper *k = &d->keeper;
	uint64_t bytes = k->dirty_bytes;
	struct err err;
	mutex_unlock(&k->lock);
	uint64_t start_ns = clock_mono_ns();
	enum err_code code = checkpoint(d, con, bytes, &err);
	uint64_t end_ns = clock_mono_ns();
	if (code == ERR_OK)
		log_debug("duck", "checkpoint of %" PRIu64 " bytes took %" PRIu64 " ms", bytes,
		    (end_ns - start_ns) / NS_PER_MS);
	else
		log_warn("duck", "checkpoint failed, will be tried again: %s", err.message);
	mutex_lock(&k->lock);
	k->running = false;
	if (code == ERR_OK) {
		atomic_fetch_add(&d->checkpoints, 1);
		k->dirty_bytes -= bytes;
		k->last_checkpoint_ns = end_ns;
	}
	k->retry_ns = code == ERR_OK ? 0 : end_ns + d->opt.checkpoint_idle_ms * NS_PER_MS;
	cond_broadcast(&k->wake);
}

void
duck_keep_appended(struct duck *d, uint64_t bytes)
{
	struct duck_keeper *k = &d->keeper;
	mutex_lock(&k->lock);
	uint64_t now_ns = clock_mono_ns();
	if (k->dirty_bytes == 0) {
		k->last_checkpoint_ns = now_ns; /* nothing was waiting until now */
		cond_broadcast(&k->wake);
	}
	k->dirty_bytes += bytes > 0 ? bytes : 1;
	k->last_append_ns = now_ns;
	bool much = k->dirty_bytes >= d->opt.checkpoint_bytes && now_ns >= k->retry_ns;
	if (much && !k->running && !atomic_load(&d->broken)) {
		k->running = true;
		run_unlocked(d, d->writer.con);
	}
	mutex_unlock(&k->lock);
}

void
duck_keep_short(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	mutex_lock(&k->lock);
	if (k->dirty_bytes > 0 && clock_mono_ns() >= k->retry_ns && !k->running &&
	    !atomic_load(&d->broken)) {
		k->running = true;
		run_unlocked(d, d->writer.con);
	}
	mutex_unlock(&k->lock);
}

/* When the keeper should act on what is there; UINT64_MAX: not before something is appended. */
static uint64_t
due_ns(const struct duck *d, const struct duck_keeper *k)
{
	if (k->dirty_bytes == 0 || k->running || atomic_load(&d->broken))
		return UINT64_MAX;
	uint64_t idle_ns = k->last_append_ns + d->opt.checkpoint_idle_ms * NS_PER_MS;
	uint64_t age_ns = k->last_checkpoint_ns + d->opt.checkpoint_age_ms * NS_PER_MS;
	uint64_t due = idle_ns < age_ns ? idle_ns : age_ns;
	return due > k->retry_ns ? due : k->retry_ns;
}

static void
keeper_main(void *ctx)
{
	struct duck *d = ctx;
	struct duck_keeper *k = &d->keeper;
	duckdb_connection con = NULL;
	if (duckdb_connect(d->db, &con) != DuckDBSuccess) {
		log_error("duck", "no connection for checkpoints: they happen only under load");
		return;
	}
	mutex_lock(&k->lock);
	while (!k->stop) {
		uint64_t due = due_ns(d, k);
		if (due > clock_mono_ns()) {
			cond_wait_until(&k->wake, &k->lock, due);
			continue;
		}
		k->running = true;
		run_unlocked(d, con);
	}
	mutex_unlock(&k->lock);
	duckdb_disconnect(&con);
}

enum err_code
duck_keep_start(struct duck *d, struct err *err)
{
	struct duck_keeper *k = &d->keeper;
	mutex_init(&k->lock);
	cond_init(&k->wake);
	k->last_checkpoint_ns = k->last_append_ns = clock_mono_ns();
	measure(d, d->writer.con);
	return thread_start(&k->thread, "duck-keep", keeper_main, d, err);
}

void
duck_keep_stop(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	if (!k->thread.started)
		return;
	mutex_lock(&k->lock);
	k->stop = true;
	cond_broadcast(&k->wake);
	mutex_unlock(&k->lock);
	thread_join(&k->thread);
	cond_fini(&k->wake);
	mutex_fini(&k->lock);
}
