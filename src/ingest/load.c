/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/load.c - the loader thread: from the log to the store.
 *
 * It gathers the records of a short while, decodes them into a batch and appends that to the store,
 * which keeps the position with it. There is no other way into the store, so that a start after
 * a crash is nothing special.
 *
 * When it fails. A gathered batch is kept, as log records, until every request in it is loaded or
 * in quarantine. Errors that can pass by themselves are waited out with the whole batch, for as long
 * as it takes. Others may be the fault of one request: `take`, the number of requests the next
 * transaction tries, is halved until the culprit stands alone; what loads in between is loaded.
 * So is a batch that is too large for the store's memory: the same rows in two transactions fit.
 * A lone request gets ATTEMPTS_MAX tries, MEMORY_ATTEMPTS_MAX when it is memory that lacks, which
 * queries share and give back, before it is written to quarantine/ and becomes `skip`:
 * from then on it adds no rows, but its seq still moves the position, so that it is not met again.
 * Should the store refuse even that, the fault is not the request's, and everything waits.
 *
 * A store may have kept a batch and still have said that it failed (the answer was lost). So its
 * position is asked before each try.
 */
#include "base/arena.h"
#include "ingest/ingest_priv.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ATTEMPTS_MAX = 5,
	MEMORY_ATTEMPTS_MAX = 7, /* 6 seconds */
	BACKOFF_TIMES_MAX = 50,
	GATHER_BYTES_MAX = 32 << 20,
	PAYLOAD_KEEP_BYTES = 4 << 20,
	BATCH_BYTES_MAX = 64 << 20 /* decoded; a request alone may take more */
};

static const uint64_t idle_wait_ns = UINT64_C(1000000000);

struct item {
	uint64_t seq;
	uint64_t end_bytes;
	struct str payload; /* in loader.payloads */
	bool skip; /* in quarantine: only its seq counts */
};

struct loader {
	struct ingest *in;
	struct arena payloads;
	struct batch batch;
	struct item *items; /* gathered, by seq */
	size_t count;
	size_t cap;
	size_t done; /* so many of them are in the store */
	size_t take; /* so many of the rest are tried together */
	unsigned attempts; /* of items[done] alone */
	uint64_t failures; /* in a row */
	uint64_t backoff_ms;
	bool trim_failed; /* and said so */
};

enum wake { WAKE_NEWS, WAKE_TIME, WAKE_STOP };

/* Until a record beyond seen_seq is durable (UINT64_MAX: do not care), the time is over, or the
 * loader is to stop. Stopping counts only when `heed_stop`, or its deadline has passed. */
static enum wake
wait_for(struct ingest *in, uint64_t seen_seq, uint64_t until_ns, bool heed_stop)
{
	enum wake why = WAKE_TIME;
	mutex_lock(&in->lock);
	for (bool in_time = true; in_time;) {
		if (in->load_stop && clock_mono_ns() >= in->load_deadline_ns) {
			why = WAKE_STOP;
			break;
		}
		if (in->durable_seq > seen_seq) {
			why = WAKE_NEWS;
			break;
		}
		if (in->load_stop && heed_stop) { /* only now: what is durable is to be loaded */
			why = WAKE_STOP;
			break;
		}
		uint64_t end = until_ns;
		if (in->load_stop && in->load_deadline_ns < end)
			end = in->load_deadline_ns;
		in_time =
		    cond_wait_until(&in->progress, &in->lock, end) || clock_mono_ns() < until_ns;
	}
	mutex_unlock(&in->lock);
	return why;
}

/* Stopping, and its deadline has passed. */
static bool
out_of_time(struct ingest *in)
{
	mutex_lock(&in->lock);
	bool over = in->load_stop && clock_mono_ns() >= in->load_deadline_ns;
	mutex_unlock(&in->lock);
	return over;
}

/* Say what is wrong and wait, longer each time. False: time to stop. */
static bool
back_off(struct loader *l, const char *what, const struct err *err)
{
	struct ingest *in = l->in;
	l->failures++;
	uint64_t most = in->load_retry_ms * BACKOFF_TIMES_MAX;
	l->backoff_ms = l->backoff_ms == 0 ? in->load_retry_ms : 2 * l->backoff_ms;
	if (l->backoff_ms > most)
		l->backoff_ms = most;
	char text[INGEST_TEXT_BYTES];
	snprintf(text, sizeof(text), "%s: %.100s", what, err->message);
	ingest_set_text(in, in->load_text, text);
	log_error("ingest", "%s: %s; trying again in %llu ms, nothing is lost", what, err->message,
	    (unsigned long long)l->backoff_ms);
	stats_add(in->stats, STATS_LOAD_ERRORS, 1);
	uint64_t until = clock_mono_ns() + l->backoff_ms * UINT64_C(1000000);
	return wait_for(in, UINT64_MAX, until, false) != WAKE_STOP;
}

static void
all_well(struct loader *l)
{
	if (l->failures == 0)
		return;
	log_info("ingest", "loading goes on after %llu failures", (unsigned long long)l->failures);
	l->failures = 0;
	l->backoff_ms = 0;
	ingest_set_text(l->in, l->in->load_text, NULL);
}

/* ---- gathering */

static void
add_item(struct loader *l, const struct wal_record *rec)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->items = xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->count++] =
	    (struct item){.seq = rec->seq, .end_bytes = rec->end_bytes, .payload = rec->payload};
}

/* Everything read so far is loaded: marks behind it are no lag. */
static void
note_caught_up(struct loader *l)
{
	atomic_store(&l->in->loaded_bytes, wal_reader_bytes(l->in->reader));
	ingest_lag_bytes(l->in);
}

/* No record is there now. Wait for the first, or for more of them until *until_ns. Returns
 * whether to read on. */
static bool
wait_for_records(struct loader *l, uint64_t seen_seq, uint64_t until_ns)
{
	if (l->count > 0)
		/* Not for news: what comes in meanwhile is read in one go afterwards. */
		return clock_mono_ns() < until_ns &&
		    wait_for(l->in, UINT64_MAX, until_ns, true) == WAKE_TIME;
	note_caught_up(l);
	return wait_for(l->in, seen_seq, clock_mono_ns() + idle_wait_ns, true) != WAKE_STOP;
}

static uint64_t
item_rows(struct str payload)
{
	struct record rec;
	return record_read(payload, &rec, NULL) == ERR_OK ? rec.item_count : 1;
}

/* Fill l->items. With none in it afterwards, it is time to stop. */
static void
gather(struct loader *l)
{
	struct ingest *in = l->in;
	struct err err = {0};
	uint64_t rows = 0, bytes = 0, until = 0;
	l->count = l->done = 0;
	arena_reset(&l->payloads);
	while (rows < in->load_rows_max && bytes < GATHER_BYTES_MAX) {
		struct wal_record rec;
		uint64_t durable = wal_durable_seq(in->wal);
		enum err_code code = wal_reader_next(in->reader, &l->payloads, &rec, &err);
		if (code == ERR_OK) {
			if (l->count == 0)
				until = clock_mono_ns() + in->load_delay_ns;
			add_item(l, &rec);
			rows += item_rows(rec.payload);
			bytes += rec.payload.len;
			continue;
		}
		if (code == ERR_NOT_FOUND && !wait_for_records(l, durable, until))
			break;
		if (code == ERR_NOT_FOUND)
			continue;
		if (l->count > 0)
			break; /* load these first; it will come again */
		if (!back_off(l, "cannot read the log", &err))
			break;
	}
}

/* ---- loading */

static bool
can_pass_by_itself(enum err_code code)
{
	return err_retryable(code) || code == ERR_IO || code == ERR_TIMEOUT ||
	    code == ERR_CANCELLED;
}

static enum err_code
decode_item(struct loader *l, const struct item *item, struct err *err)
{
	struct record rec;
	if (item->skip)
		return ERR_OK;
	enum err_code code = record_read(item->payload, &rec, err);
	if (code != ERR_OK)
		return code;
	struct otlp_origin origin = {
	    .tenant = rec.tenant, .seq = item->seq, .received_ns = rec.received_ns};
	/* A request fits alone, also one that was taken under larger limits than today's. */
	uint64_t room = BATCH_BYTES_MAX;
	if (batch_row_count(&l->batch) == 0 &&
	    OTLP_DECODE_BYTES_MAX(rec.body.len, rec.item_count) > room)
		room = OTLP_DECODE_BYTES_MAX(rec.body.len, rec.item_count);
	l->batch.arena.bytes_max = (size_t)room;
	return otlp_decode(rec.signal, rec.body, &rec.limits, &origin, &l->batch, err);
}

/* Decode up to l->take requests. What is enough ends the batch; so does a bad one, before it, or,
 * as the first, it fails. */
static enum err_code
build_batch(struct loader *l, struct err *err)
{
	batch_reset(&l->batch);
	for (size_t i = 0; i < l->take; i++) {
		struct batch_mark mark = batch_mark(&l->batch);
		enum err_code code = decode_item(l, &l->items[l->done + i], err);
		bool full = l->batch.arena.used_bytes >= BATCH_BYTES_MAX;
		if (code == ERR_OK && !full)
			continue;
		if (code != ERR_OK)
			batch_rewind(&l->batch, mark);
		l->take = code == ERR_OK ? i + 1 : i;
		if (l->take > 0)
			break;
		l->take = 1;
		return code;
	}
	l->batch.last_seq = l->items[l->done + l->take - 1].seq;
	return ERR_OK;
}

static void
trim_log(struct loader *l, uint64_t seq)
{
	struct err err;
	uint64_t deleted;
	if (wal_segment_count(l->in->wal) < 2)
		return;
	bool failed = wal_trim(l->in->wal, seq, &deleted, &err) != ERR_OK;
	if (failed && !l->trim_failed)
		log_warn("ingest", "cannot delete log segments that are loaded: %s", err.message);
	l->trim_failed = failed;
	stats_set(l->in->stats, STATS_WAL_SEGMENTS, (int64_t)wal_segment_count(l->in->wal));
}

/* n more requests are in the store. */
static void
advance(struct loader *l, size_t n)
{
	struct ingest *in = l->in;
	CHECK(n > 0 && n <= l->count - l->done);
	l->done += n;
	const struct item *last = &l->items[l->done - 1];
	atomic_store(&in->loaded_bytes, last->end_bytes);
	atomic_store(&in->loaded_seq, last->seq);
	stats_set(in->stats, STATS_LOADED_SEQ, (int64_t)last->seq);
	ingest_lag_bytes(in);
	/* Out of a bisection step by step: the culprit may still be ahead. */
	size_t left = l->count - l->done;
	l->take = l->failures > 0 && 2 * n < left ? 2 * n : left;
	l->attempts = 0;
	l->backoff_ms = 0;
	if (left == 0)
		all_well(l);
	trim_log(l, last->seq);
}

/* What the store has kept although it said it had not. */
static bool
skip_what_is_there(struct loader *l)
{
	uint64_t position = store_position(l->in->store);
	size_t n = 0;
	while (l->done + n < l->count && l->items[l->done + n].seq <= position)
		n++;
	if (n > 0)
		advance(l, n);
	return n > 0;
}

static enum err_code
try_load(struct loader *l, struct err *err)
{
	struct ingest *in = l->in;
	uint64_t start = clock_mono_ns();
	enum err_code code = build_batch(l, err);
	if (code == ERR_OK)
		code = store_append(in->store, &l->batch, err);
	if (code != ERR_OK)
		return code;
	stats_add(in->stats, STATS_LOAD_BATCHES, 1);
	stats_add(in->stats, STATS_LOAD_ROWS, (int64_t)batch_row_count(&l->batch));
	advance(l, l->take);
	stats_add(in->stats, STATS_LOAD_NS, (int64_t)(clock_mono_ns() - start));
	return ERR_OK;
}

/* The request to a file of its own, for good. */
static enum err_code
quarantine(struct loader *l, const struct item *item, const struct err *why, struct err *err)
{
	char folder[FILE_PATH_BYTES], name[32];
	struct record rec;
	bool created;
	struct ingest *in = l->in;
	enum err_code code = file_join(str_from(in->data_dir), STR("quarantine"), folder, err);
	if (code == ERR_OK)
		code = file_mkdir(folder, &created, err);
	if (code == ERR_OK && created)
		code = file_sync_dir(in->data_dir, err);
	snprintf(name, sizeof(name), "%016llx.rec", (unsigned long long)item->seq);
	if (code == ERR_OK)
		code = file_write_whole(str_from(folder), str_from(name), &item->payload, 1, err);
	if (code != ERR_OK)
		return code;
	bool readable = record_read(item->payload, &rec, NULL) == ERR_OK;
	log_error("ingest",
	    "record %llu (tenant %.*s, %s, %u items) cannot be loaded and was put aside as "
	    "quarantine/%s: %s",
	    (unsigned long long)item->seq, STR_ARG(rec.tenant),
	    readable ? signal_name(rec.signal) : "unreadable", rec.item_count, name, why->message);
	stats_add(in->stats, STATS_QUARANTINED, 1);
	return ERR_OK;
}

/* A request alone in its batch has failed for a reason of its own. False: time to stop. */
static bool
on_bad_request(struct loader *l, const char *what, enum err_code code, const struct err *why)
{
	unsigned most = code == ERR_TOO_LARGE ? MEMORY_ATTEMPTS_MAX : ATTEMPTS_MAX;
	struct item *item = &l->items[l->done];
	struct err err = {0};
	if (item->skip || ++l->attempts < most)
		return back_off(l, what, why);
	if (quarantine(l, item, why, &err) != ERR_OK)
		return back_off(l, "cannot put a request into quarantine", &err);
	item->skip = true;
	l->attempts = 0;
	return true;
}

static bool
on_failure(struct loader *l, enum err_code code, const struct err *err)
{
	char what[64];
	snprintf(what, sizeof(what), "cannot load records %llu to %llu",
	    (unsigned long long)l->items[l->done].seq,
	    (unsigned long long)l->items[l->done + l->take - 1].seq);
	if (can_pass_by_itself(code))
		return back_off(l, what, err);
	if (l->take == 1)
		return on_bad_request(l, what, code, err);
	log_warn("ingest", "%s: %s; looking for the request that is to blame", what, err->message);
	stats_add(l->in->stats, STATS_LOAD_ERRORS, 1);
	l->failures++;
	l->take /= 2;
	return true;
}

/* False: time to stop, with some of it not loaded. */
static bool
load_items(struct loader *l)
{
	l->take = l->count;
	while (l->done < l->count) {
		struct err err = {0};
		if (out_of_time(l->in))
			return false;
		if (skip_what_is_there(l))
			continue;
		enum err_code code = try_load(l, &err);
		if (code != ERR_OK && !on_failure(l, code, &err))
			return false;
	}
	return true;
}

void
ingest_load_main(void *ctx)
{
	struct loader l = {.in = ctx};
	arena_init(&l.payloads, 0, PAYLOAD_KEEP_BYTES);
	batch_init(&l.batch, BATCH_BYTES_MAX);
	do
		gather(&l);
	while (l.count > 0 && load_items(&l));
	if (ingest_lag_bytes(l.in) > 0)
		log_warn("ingest",
		    "stopped with %llu KiB of the log not loaded: the next start does it",
		    (unsigned long long)(ingest_lag_bytes(l.in) / LIMIT_KIB));
	batch_fini(&l.batch);
	arena_fini(&l.payloads);
	free(l.items);
}
