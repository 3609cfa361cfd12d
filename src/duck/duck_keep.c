/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealer's thread. It reads what identities the file has, then lets appends begin, and from then on
 * looks, when it is rung or a quarter of a second has passed, for the first of these to do:
 *
 *     open the database again, when it has failed
 *     seal a whole row group of some part
 *     make room: the hot tail is at seven eighths of its limit, or keeps too much of the log alive; or rows that are kept no
 *         longer have not left it yet
 *     move a row group from a catch-all to its day
 *     delete identities of requests that are not recognised any more
 *     delete rows that are kept no longer, whatever else there was to do
 *     write down how far the log is no longer needed, when that has moved without a seal
 *     checkpoint, unless somebody copies the file (duck_hold.c)
 *
 * DuckDB's own rule for checkpoints is off: it makes a commit wait for one and, at its default of 16 MiB,
 * costs five times the work of the rows. After a seal of whole row groups one takes 2 ms, for the
 * rows are in the file already. A checkpoint that fails is harmless, for everything is in DuckDB's log: it is
 * logged and tried again. "Other write transactions are active" is the usual reason.
 *
 * The log is given free (position) only after a checkpoint: should DuckDB's log be damaged, what was in
 * it comes again from ours.
 */
#include "duck/duck_priv.h"

#include "duck/duck_parts.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/process.h"
#include "sys/trace.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	LOOK_MS = 250,
	FIRST_LOOK_MS = 3000, /* for what is kept no longer */
	RETRY_MS_MAX = 30000,
	CHECKPOINT_TRIES = 3,
	CHECKPOINT_PAUSE_MS = 10,
	ROOM_BYTES = 16 << 20,
	/* Attempts at the same rows before smaller parts of them are tried. */
	TRIES_BEFORE_BISECTION = 3,
	/* A part with at least this fraction of a row group goes to its day's table all the same. */
	WORTH_A_TABLE = 8,
	FORGET_PART = 8,
	MIXED_LOOKS = 60,
	RETAIN_RETRIES = 4, /* times the first pause after a seal that failed */
	RESUM_RETRIES = 60, /* the same */
	TRIM_TRIES = 100,
	FLOOR_BYTES = 64 << 20, /* of the log, that a floor alone is written for */
};

/* ---- what others ask of the thread */

void
duck_keep_ring(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	mutex_lock(&k->lock);
	k->rung = true;
	mutex_unlock(&k->lock);
	cond_signal(&k->wake);
}

bool
duck_keep_wait_ready(struct duck *d, uint64_t deadline_mono_ns)
{
	struct duck_keeper *k = &d->keeper;
	bool in_time = true;
	mutex_lock(&k->lock);
	while (!k->ready && in_time && !atomic_load(&d->cancelled))
		in_time = cond_wait_until(&k->room, &k->lock, deadline_mono_ns);
	bool ready = k->ready;
	mutex_unlock(&k->lock);
	return ready;
}

bool
duck_keep_wait_room(struct duck *d, uint64_t deadline_mono_ns)
{
	struct duck_keeper *k = &d->keeper;
	struct hot_info info;
	hot_info(d->hot, &info);
	if (info.bytes < d->opt.hot_bytes_max)
		return true;
	bool in_time = true;
	while (info.bytes >= d->opt.hot_bytes_max && in_time && !atomic_load(&d->cancelled)) {
		mutex_lock(&k->lock);
		k->rung = true;
		cond_signal(&k->wake);
		uint64_t soon = clock_mono_ns() + CHECKPOINT_PAUSE_MS * NS_PER_MS;
		(void)cond_wait_until(&k->room, &k->lock, soon);
		mutex_unlock(&k->lock);
		in_time = clock_mono_ns() < deadline_mono_ns;
		hot_info(d->hot, &info);
	}
	return info.bytes < d->opt.hot_bytes_max;
}

/* ---- checkpoints */

/* Only a number that is shown: what it fails for is not worth more than an old one. */
static void
measure(struct duck *d)
{
	uint64_t bytes;
	char path[FILE_PATH_BYTES];
	struct err ignored;
	if (file_join(str_from(d->dir), STR(DUCK_FILE), path, &ignored) == ERR_OK &&
	    file_disk_bytes(path, &bytes, &ignored) == ERR_OK)
		atomic_store(&d->disk_bytes, bytes);
}

/* A disk that fills up during a checkpoint is fatal to DuckDB, while during a commit it is only an
 * error. */
static enum err_code
check_room(struct duck *d, struct err *err)
{
	uint64_t free_bytes;
	enum err_code code = file_free_bytes(d->dir, &free_bytes, err);
	if (code == ERR_OK && free_bytes < ROOM_BYTES)
		return err_set(err, ERR_BUSY,
		    "disk full: %" PRIu64 " bytes are free, a checkpoint may need %d", free_bytes,
		    ROOM_BYTES);
	return code;
}

static enum err_code
checkpoint_once(struct duck *d, struct err *err)
{
	enum err_code code = duck_fault(d, DUCK_STEP_CHECKPOINT, err);
	if (code == ERR_OK)
		code = check_room(d, err);
	if (code == ERR_OK)
		code = duck_mark_checkpoint(d, err);
	for (int i = 0; i < CHECKPOINT_TRIES && code == ERR_OK; i++) {
		code = duck_exec(d, d->keeper.con, "CHECKPOINT", err);
		if (code == ERR_OK || atomic_load(&d->broken) || i == CHECKPOINT_TRIES - 1)
			break;
		clock_sleep_ns(CHECKPOINT_PAUSE_MS * NS_PER_MS);
		code = ERR_OK;
	}
	if (code == ERR_OK)
		duck_unmark_checkpoint(d);
	return code;
}

/* What was removed from the file is overwritten after a checkpoint. DuckDB lets that wait for transactions that
 * still see it, as far as is known; but this way it need not be known. */
static bool
is_looked_at(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	if (k->removed_gen == 0)
		return false;
	uint64_t oldest = duck_views_oldest(&d->views), checked = atomic_load(&d->check_gen);
	oldest = checked < oldest ? checked : oldest;
	if (oldest < k->removed_gen)
		return true;
	/* The loader's transactions are within this lock: those of before are over. */
	mutex_lock(&d->writer.lock);
	mutex_unlock(&d->writer.lock);
	duck_catalog_tidy(&d->catalog, k->removed_gen);
	k->removed_gen = 0;
	return false;
}

/* What it fails for is logged, and the file stays dirty. */
static void
checkpoint(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	if (is_looked_at(d))
		return;
	struct trace_span span;
	uint64_t start_ns = clock_mono_ns();
	trace_begin(&span, "checkpoint", TRACE_INTERNAL);
	enum err_code code = checkpoint_once(d, &err);
	uint64_t end_ns = clock_mono_ns();
	trace_end(&span, code, err.message);
	if (code != ERR_OK) {
		log_warn("duck", "checkpoint failed, will be tried again: %s", err.message);
		k->checkpoint_retry_ns = end_ns + NS_PER_S;
		return;
	}
	k->dirty = false;
	atomic_store(&d->position, k->floor);
	atomic_fetch_add(&d->checkpoints, 1);
	atomic_fetch_add(&d->checkpoint_ns, end_ns - start_ns);
	log_debug("duck", "checkpoint took %" PRIu64 " ms", (end_ns - start_ns) / NS_PER_MS);
	hot_tidy(d->hot, end_ns);
	process_trim_memory(); /* a row group's worth has become free */
	if (k->trim && (duck_trim(d) || ++k->trim_tries == TRIM_TRIES)) {
		k->trim = false;
		k->trim_tries = 0;
	}
	measure(d);
}

/* ---- what to seal */

struct job {
	bool wanted;
	enum table_id table;
	int64_t day;
	uint64_t rows;
	enum seal_into into;
};

static bool
is_signal(const struct hot_part_info *p)
{
	return p->table < SIGNAL_TABLES && p->rows > 0;
}

/* A whole row group; of several parts the one that keeps most of the log alive. */
static struct job
whole_group(const struct duck *d, const struct hot_info *info)
{
	struct job job = {0};
	uint64_t first = UINT64_MAX;
	for (size_t i = 0; i < info->part_count; i++) {
		const struct hot_part_info *p = &info->parts[i];
		if (!is_signal(p) || p->rows < d->opt.seal_rows || p->first_seq >= first)
			continue;
		first = p->first_seq;
		job = (struct job){true, p->table, p->day, d->opt.seal_rows,
		    p->day == HOT_MIXED ? SEAL_INTO_OTHER : SEAL_INTO_DAY};
	}
	return job;
}

static struct job
part_of(const struct duck *d, const struct hot_part_info *p)
{
	struct job job = {true, p->table, p->day, p->rows, SEAL_INTO_DAY};
	if (job.rows > d->opt.seal_rows)
		job.rows = d->opt.seal_rows;
	if (p->day == HOT_MIXED || job.rows < d->opt.seal_rows / WORTH_A_TABLE)
		job.into = SEAL_INTO_OTHER;
	return job;
}

/* The part whose rows must go although they are no whole group. */
static struct job
make_room(const struct duck *d, const struct hot_info *info)
{
	const struct hot_part_info *oldest = NULL, *largest = NULL;
	/* Of rows that are kept only for slow readers nothing is gained by a seal. */
	uint64_t bytes = 0;
	struct job none = {0}, dictionaries = {true, TABLE_STORED_COUNT, 0, 0, SEAL_INTO_OTHER};
	for (size_t i = 0; i < info->part_count; i++) {
		const struct hot_part_info *p = &info->parts[i];
		bytes += p->bytes;
		if (is_signal(p) && (!largest || p->bytes > largest->bytes))
			largest = p;
		if (p->rows > 0 && (!oldest || p->first_seq < oldest->first_seq))
			oldest = p;
	}
	/* A reader that takes long may hold what has left: then the rest has to do with less. */
	bool pinned = info->bytes >= d->opt.hot_bytes_max;
	if (largest &&
	    (bytes > d->opt.hot_bytes_max / 8 * 7 ||
	        (pinned && largest->bytes > d->opt.hot_bytes_max / 8)))
		return part_of(d, largest);
	if (!oldest || info->applied_log_bytes - oldest->first_log_bytes < d->opt.log_bytes_max)
		return bytes > d->opt.hot_bytes_max / 8 * 7 ? dictionaries : none;
	return is_signal(oldest) ? part_of(d, oldest) : dictionaries;
}

/* Rows that are kept no longer but have not left memory yet, with little traffic for weeks: they have to be in the file
 * to be removed there. Late rows are of any day, and are few: from time to time all of them go. */
static struct job
too_old(struct duck *d, const struct hot_info *info)
{
	struct duck_retainer *r = &d->keeper.retainer;
	struct job none = {0};
	uint64_t now_ns = clock_mono_ns(), unix_ns = d->opt.now_unix_ns();
	if (now_ns < r->next_ns)
		return none;
	for (size_t i = 0; i < info->part_count; i++) {
		const struct hot_part_info *p = &info->parts[i];
		uint64_t cutoff =
		    is_signal(p) ? retain_cutoff_max(&d->retain, p->table, unix_ns) : 0;
		if (cutoff == 0)
			continue;
		if (p->day != HOT_MIXED && (uint64_t)p->day < cutoff / NS_PER_DAY)
			return part_of(d, p);
		if (p->day == HOT_MIXED && now_ns >= r->mixed_next_ns[p->table]) {
			r->mixed_next_ns[p->table] =
			    now_ns + MIXED_LOOKS * d->opt.retain_look_ms * NS_PER_MS;
			return part_of(d, p);
		}
	}
	return none;
}

/* Requests that brought no rows: the floor moves without a seal. */
static struct job
floor_alone(struct duck *d, const struct hot_info *info)
{
	struct duck_keeper *k = &d->keeper;
	struct job job = {false, TABLE_STORED_COUNT, 0, 0, SEAL_INTO_OTHER};
	bool rows = false;
	for (size_t i = 0; i < info->part_count; i++)
		rows = rows || info->parts[i].rows > 0;
	job.wanted = !rows && info->floor_seq > k->floor &&
	    (info->applied_log_bytes - k->floor_log_bytes > FLOOR_BYTES ||
	        clock_mono_ns() > k->floor_ns + d->opt.idle_ms * NS_PER_MS);
	return job;
}

/* ---- sealing */

static void
pause_after_failure(struct duck *d, const struct err *err)
{
	struct duck_keeper *k = &d->keeper;
	if (atomic_load(&d->cancelled))
		return; /* weir stops: the log has them */
	uint64_t ms = d->opt.retry_ms << (k->failures < 16 ? k->failures : 16);
	if (ms > RETRY_MS_MAX)
		ms = RETRY_MS_MAX;
	k->failures++;
	k->retry_ns = clock_mono_ns() + ms * NS_PER_MS;
	atomic_fetch_add(&d->seal_failures, 1);
	duck_say(d, "rows cannot be moved to the database's file: %s", err->message);
	log_error("duck",
	    "rows cannot be moved to the database's file: %s; trying again in %" PRIu64
	    " ms, nothing is lost",
	    err->message, ms);
}

static void
all_well(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	if (k->failures > 0) {
		log_info("duck", "rows are moved to the database's file again");
		duck_say(d, NULL);
	}
	k->failures = 0;
	k->retry_ns = 0;
}

static bool
can_pass_by_itself(const struct duck *d, enum err_code code)
{
	return err_retryable(code) || code == ERR_IO || code == ERR_TOO_LARGE ||
	    code == ERR_CANCELLED || atomic_load(&d->broken);
}

/* The oldest row of a part, which cannot be sealed even alone. */
static enum err_code
give_away(struct duck *d, const struct job *job, const struct err *why, struct err *err)
{
	struct hot_seal take;
	struct duck_keeper *k = &d->keeper;
	hot_seal_begin(d->hot, job->table, job->day, 1, &take);
	const struct hot_slice *s = &take.slices[0];
	uint64_t seq = table_u64(s->rows, s->first, duck_seq_col(job->table));
	uint32_t ord = table_u32(s->rows, s->first, duck_seq_col(job->table) + 1);
	hot_seal_failed(d->hot);
	mutex_lock(&k->lock);
	store_poison_fn fn = k->poison;
	void *ctx = k->poison_ctx;
	mutex_unlock(&k->lock);
	if (!fn)
		return err_set(err, ERR_INTERNAL, "%s", why->message);
	enum err_code code = fn(ctx, job->table, seq, ord, why, err);
	if (code == ERR_OK)
		hot_discard(d->hot, job->table, seq, ord);
	return code;
}

static void
on_failure(struct duck *d, const struct job *job, uint64_t rows, enum err_code code,
    const struct err *err)
{
	struct duck_keeper *k = &d->keeper;
	struct err second;
	if (can_pass_by_itself(d, code) || job->table == TABLE_STORED_COUNT) {
		if (code == ERR_TOO_LARGE && rows > DUCK_CHUNK_ROWS)
			k->prefix = rows / 2;
		pause_after_failure(d, err);
		return;
	}
	if (rows == 1) {
		if (give_away(d, job, err, &second) == ERR_OK) {
			k->prefix = 0;
			return;
		}
		pause_after_failure(d, &second);
		return;
	}
	if (k->failures >= TRIES_BEFORE_BISECTION || k->prefix > 0)
		k->prefix = rows / 2;
	if (k->failures < TRIES_BEFORE_BISECTION)
		pause_after_failure(d, err);
}

static void
run_job(struct duck *d, const struct job *job)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	uint64_t rows = job->rows;
	if (k->prefix > 0 && k->prefix < rows)
		rows = k->prefix;
	enum err_code code = duck_seal(d, job->table, job->day, rows, job->into, &err);
	cond_broadcast(&k->room);
	if (code != ERR_OK) {
		on_failure(d, job, rows, code, &err);
		return;
	}
	/* Out of a bisection step by step: the culprit may still be ahead. */
	k->prefix = k->prefix > 0 && 2 * rows < job->rows ? 2 * rows : 0;
	if (k->prefix == 0)
		all_well(d);
}

/* Whether something was done and there may be more. */
static bool
seal_something(struct duck *d)
{
	struct hot_info info;
	if (clock_mono_ns() < d->keeper.retry_ns)
		return false;
	hot_tidy(d->hot, clock_mono_ns());
	duck_memo_tidy(&d->services_memo, clock_mono_ns());
	duck_user_tidy(d, clock_mono_ns());
	hot_info(d->hot, &info);
	struct job job = whole_group(d, &info);
	if (!job.wanted)
		job = make_room(d, &info);
	if (!job.wanted)
		job = too_old(d, &info);
	if (!job.wanted)
		job = floor_alone(d, &info);
	uint64_t floor = d->keeper.floor;
	if (job.wanted)
		run_job(d, &job);
	if (d->keeper.floor != floor)
		d->keeper.floor_log_bytes = info.applied_log_bytes;
	return job.wanted;
}

static bool
stage_something(struct duck *d)
{
	bool moved = false;
	struct err err;
	if (clock_mono_ns() < d->keeper.retry_ns)
		return false;
	if (duck_stage_move(d, &moved, &err) != ERR_OK)
		pause_after_failure(d, &err);
	else if (moved)
		all_well(d);
	return moved;
}

/* Each time that as many are forgotten as are a part of those that are known: they came in order, so whole row
 * groups of them go. */
static bool
forget_something(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	uint64_t oldest = ident_requests_oldest(d->writer.requests);
	if (oldest < k->requests_from + d->opt.request_count_max / FORGET_PART ||
	    clock_mono_ns() < k->retry_ns)
		return false;
	if (duck_forget_requests(d, oldest, &err) != ERR_OK) {
		pause_after_failure(d, &err);
		return false;
	}
	all_well(d);
	k->requests_from = oldest;
	return true;
}

static bool
retain_something(struct duck *d)
{
	struct duck_retainer *r = &d->keeper.retainer;
	bool done = false;
	struct err err;
	if (clock_mono_ns() < r->retry_ns || atomic_load(&d->check_gen) != UINT64_MAX)
		return false;
	if (duck_retain(d, &done, &err) == ERR_OK) {
		if (done && r->failing)
			log_info("retain", "what is kept no longer is removed again");
		r->failing = r->failing && !done;
		return done;
	}
	if (!atomic_load(&d->cancelled) && !r->failing)
		log_error("retain", "what is kept no longer cannot be removed: %s; trying again",
		    err.message);
	r->failing = true;
	r->retry_ns = clock_mono_ns() + RETAIN_RETRIES * d->opt.retry_ms * NS_PER_MS;
	return false;
}

/* When nothing else is to be done. */
static bool
resum_something(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	bool done = false;
	struct err err;
	if (clock_mono_ns() < k->resum_retry_ns || clock_mono_ns() < k->retry_ns)
		return false;
	if (duck_resum(d, &done, &err) == ERR_OK) {
		k->resum_failing = false;
		return done;
	}
	if (!atomic_load(&d->cancelled) && !k->resum_failing)
		log_error("duck",
		    "the rows of a seal cannot be summed up, so that analyses of its time are slow: %s",
		    err.message);
	k->resum_failing = true;
	k->resum_retry_ns = clock_mono_ns() + RESUM_RETRIES * d->opt.retry_ms * NS_PER_MS;
	return false;
}

/* ---- the thread */

static bool
must_stop(struct duck_keeper *k)
{
	mutex_lock(&k->lock);
	bool stop = k->stop;
	mutex_unlock(&k->lock);
	return stop;
}

static void
reopen(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	if (clock_mono_ns() < k->retry_ns)
		return;
	if (duck_reopen(d, &err) == ERR_OK) {
		all_well(d);
		return;
	}
	pause_after_failure(d, &err);
}

/* Identities are read with little memory: what DuckDB keeps of them in its cache nobody asks for again, and it
 * would be there for ever. Then the settings are fixed. */
static enum err_code
read_identities(struct duck *d, struct err *err)
{
	char sql[64];
	enum err_code code = duck_exec(d, d->keeper.con, "SET memory_limit = '64MiB'", err);
	if (code == ERR_OK)
		code = duck_ident_rebuild(d, d->keeper.con, err);
	snprintf(sql, sizeof(sql), "SET memory_limit = '%" PRIu64 "MiB'",
	    d->opt.memory_bytes_max / LIMIT_MIB);
	if (code == ERR_OK)
		code = duck_exec(d, d->keeper.con, sql, err);
	return code == ERR_OK ? duck_exec(d, d->keeper.con, DUCK_FIX_SETTINGS, err) : code;
}

static void
become_ready(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	struct err err;
	while (!must_stop(k)) {
		if (atomic_load(&d->broken))
			reopen(d);
		else if (read_identities(d, &err) == ERR_OK)
			break;
		else
			log_error("duck", "cannot read which spans there are: %s", err.message);
		clock_sleep_ns(LOOK_MS * NS_PER_MS);
	}
	mutex_lock(&k->lock);
	k->ready = true;
	mutex_unlock(&k->lock);
	cond_broadcast(&k->room);
}

/* Also of a file that is clean as far as is known here: it may have been opened with a log of DuckDB's. */
static void
begin_hold(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	k->dirty = true;
	if (clock_mono_ns() >= k->checkpoint_retry_ns)
		checkpoint(d);
	if (!k->dirty)
		duck_hold_begin(d);
}

/* To open the file again makes a checkpoint too: whoever copies it is told to give up, and is waited for. */
static bool
work(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	enum duck_hold_state hold = duck_hold_state(d);
	bool more = false;
	if (!atomic_load(&d->broken)) {
		more = seal_something(d) || stage_something(d) || forget_something(d);
		/* However much there is to seal: one piece each time, when it is due. */
		more = (!atomic_load(&d->broken) && retain_something(d)) || more;
		if (!more && !atomic_load(&d->broken) && hold == DUCK_HOLD_NONE)
			more = resum_something(d);
	} else if (hold != DUCK_HOLD_ON) {
		reopen(d);
	}
	if (atomic_load(&d->broken) || hold == DUCK_HOLD_ON)
		return more;
	if (hold == DUCK_HOLD_WANTED)
		begin_hold(d);
	else if (k->dirty && clock_mono_ns() >= k->checkpoint_retry_ns)
		checkpoint(d);
	return more;
}

static void
keeper_main(void *ctx)
{
	struct duck *d = ctx;
	struct duck_keeper *k = &d->keeper;
	uint64_t look_ms = d->opt.retain_look_ms;
	become_ready(d);
	thread_give_way(); /* who asks does not wait behind a second of sorting and compressing */
	/* By then what the log has is here again, as a rule. */
	k->retainer.next_ns =
	    clock_mono_ns() + (look_ms < FIRST_LOOK_MS ? look_ms : FIRST_LOOK_MS) * NS_PER_MS;
	while (!must_stop(k)) {
		bool more = work(d);
		mutex_lock(&k->lock);
		if (!more && !k->rung && !k->stop)
			(void)cond_wait_until(&k->wake, &k->lock,
			    clock_mono_ns() + LOOK_MS * NS_PER_MS);
		k->rung = false;
		mutex_unlock(&k->lock);
	}
	if (k->dirty && !atomic_load(&d->broken))
		checkpoint(d);
}

enum err_code
duck_keep_start(struct duck *d, struct err *err)
{
	struct duck_keeper *k = &d->keeper;
	k->floor_ns = clock_mono_ns();
	measure(d);
	return thread_start(&k->thread, "duck-seal", keeper_main, d, err);
}

void
duck_keep_stop(struct duck *d)
{
	struct duck_keeper *k = &d->keeper;
	if (!k->thread.started)
		return;
	mutex_lock(&k->lock);
	k->stop = true;
	mutex_unlock(&k->lock);
	cond_broadcast(&k->wake);
	thread_join(&k->thread);
}
