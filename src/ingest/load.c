/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/load.c - the loader thread: from the log to the store.
 *
 * It gathers the records of a short while, decodes them into a batch and appends that to the store,
 * which keeps the position with it. There is no other way into the store, so that a start after
 * a crash is nothing special: it begins at the position that the store keeps by itself, which
 * may be far behind what was visible before, and the store recognises what it has.
 *
 * When it fails. A gathered batch is kept, as log records, until every request in it is loaded or
 * put aside. Errors that can pass by themselves are waited out with the whole batch, for as long
 * as it takes. Others may be the fault of one request: `take`, the number of requests the next
 * append tries, is halved until the culprit stands alone; what loads in between is loaded.
 * So is a batch that is too large for the store's memory: the same rows in two appends fit.
 * A lone request gets ATTEMPTS_MAX tries, MEMORY_ATTEMPTS_MAX when it is memory that lacks, which
 * queries share and give back, before what is wrong in it is looked for and put aside (load_bad.c).
 * What is left of it, if only its seq, is appended then and moves the position, so that it is not met
 * again. Should the store refuse even that, the fault is not the request's, and everything waits.
 *
 * A store may have kept a batch and still have said that it failed (the answer was lost). So its
 * position is asked after each failure: such a batch has been loaded, and counts.
 */
#include "ingest/load_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/trace.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ATTEMPTS_MAX = 3,
	MEMORY_ATTEMPTS_MAX = 7, /* 6 seconds */
	BACKOFF_TIMES_MAX = 50,
	GATHER_BYTES_MAX = 8 << 20,
	PAYLOAD_KEEP_BYTES = 4 << 20,
	SLOW_MS = 50 /* a load that is worth a span */
};

static const uint64_t idle_wait_ns = UINT64_C(1000000000);

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
	if (l->failures++ == 0)
		atomic_store(&in->failing_since_ns, clock_mono_ns());
	uint64_t most = in->load_retry_ms * BACKOFF_TIMES_MAX;
	l->backoff_ms = l->backoff_ms == 0 ? in->load_retry_ms : 2 * l->backoff_ms;
	if (l->backoff_ms > most)
		l->backoff_ms = most;
	char text[INGEST_TEXT_BYTES + ERR_MESSAGE_BYTES];
	snprintf(text, sizeof(text), "%s: %s", what, err->message);
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
	atomic_store(&l->in->failing_since_ns, 0);
	ingest_set_text(l->in, l->in->load_text, NULL);
}

/* ---- where the log, the store and what is visible stand */

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

/* When there are too many every second one goes: the gauge is a little high then. */
static void
add_place(struct loader *l, uint64_t seq, uint64_t bytes)
{
	if (l->place_count == PLACES_MAX) {
		for (size_t i = 0; i < PLACES_MAX / 2; i++)
			l->places[i] = l->places[2 * i + 1];
		l->place_count = PLACES_MAX / 2;
	}
	l->places[l->place_count++] = (struct place){seq, bytes};
}

/* The store keeps more by itself than when last looked at: the log need not. */
static void
follow_position(struct loader *l)
{
	struct ingest *in = l->in;
	uint64_t position = store_position(in->store);
	if (position <= l->position)
		return;
	l->position = position;
	trim_log(l, position);
	if (in->dlq)
		dlq_trim(in->dlq, position);
	size_t n = 0;
	while (n < l->place_count && l->places[n].seq <= position)
		n++;
	if (n > 0) {
		atomic_store(&in->position_bytes, l->places[n - 1].bytes);
		l->place_count -= n;
		memmove(l->places, l->places + n, l->place_count * sizeof(*l->places));
	}
	stats_set(in->stats, STATS_KEPT_SEQ, (int64_t)position);
	ingest_kept_bytes(in);
}

static void
note_caught_up(struct ingest *in)
{
	if (atomic_load(&in->caught_up))
		return;
	atomic_store(&in->caught_up, true);
	log_info("ingest", "all that was in the log at the start is loaded, up to record %llu",
	    (unsigned long long)atomic_load(&in->loaded_seq));
}

/* Everything read so far is loaded: marks behind it are no lag. */
static void
note_no_lag(struct loader *l)
{
	struct ingest *in = l->in;
	uint64_t bytes = wal_reader_bytes(in->reader);
	atomic_store(&in->loaded_bytes, bytes);
	if (l->place_count == 0)
		atomic_store(&in->position_bytes, bytes);
	ingest_lag_bytes(in);
	ingest_kept_bytes(in);
	note_caught_up(in);
}

static void
give_back_lag(struct loader *l, size_t n)
{
	for (size_t i = l->done; i < l->done + n; i++) {
		struct record rec;
		if (l->items[i].seq > l->in->start_seq_end && l->items[i].readable &&
		    record_read(l->items[i].payload, &rec, NULL) == ERR_OK)
			quota_loaded(l->in->quota, rec.tenant, l->items[i].payload.len);
	}
}

/* n more requests are visible. */
static void
advance(struct loader *l, size_t n)
{
	struct ingest *in = l->in;
	CHECK(n > 0 && n <= l->count - l->done);
	give_back_lag(l, n);
	l->done += n;
	const struct item *last = &l->items[l->done - 1];
	atomic_store(&in->loaded_bytes, last->end_bytes);
	atomic_store(&in->loaded_seq, last->seq);
	stats_set(in->stats, STATS_LOADED_SEQ, (int64_t)last->seq);
	if (last->seq >= in->start_seq_end)
		note_caught_up(in);
	ingest_lag_bytes(in);
	/* Out of a bisection step by step: the culprit may still be ahead. */
	size_t left = l->count - l->done;
	l->take = l->failures > 0 && 2 * n < left ? 2 * n : left;
	l->attempts = 0;
	l->unexplained = 0;
	l->backoff_ms = 0;
	if (left == 0)
		all_well(l);
	add_place(l, last->seq, last->end_bytes);
	follow_position(l);
}

/* ---- gathering */

static void
add_item(struct loader *l, const struct wal_record *rec, uint64_t *rows)
{
	struct record r;
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 256;
		l->items = xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	bool readable = record_read(rec->payload, &r, NULL) == ERR_OK;
	l->items[l->count++] = (struct item){.seq = rec->seq,
	    .end_bytes = rec->end_bytes,
	    .payload = rec->payload,
	    .readable = readable,
	    .letter = readable && r.letter.len > 0};
	*rows += readable ? r.item_count : 1;
}

/* No record is there now. Wait for the first; or, with some there, until it is time to load them.
 * Returns whether to read on. */
static bool
wait_for_records(struct loader *l, uint64_t seen_seq)
{
	/* The clock may have begun a moment ago: 0 is not long past. */
	uint64_t now = clock_mono_ns(),
	         due_ns = l->last_load_ns ? l->last_load_ns + l->in->load_delay_ns : 0;
	if (l->count > 0)
		/* Not for news: what comes in meanwhile is read in one go afterwards. */
		return now < due_ns && wait_for(l->in, UINT64_MAX, due_ns, true) == WAKE_TIME;
	note_no_lag(l);
	follow_position(l);
	return wait_for(l->in, seen_seq, now + idle_wait_ns, true) != WAKE_STOP;
}

/* Fill l->items. With none in it afterwards, it is time to stop. */
static void
gather(struct loader *l)
{
	struct ingest *in = l->in;
	struct err err = {0};
	uint64_t rows = 0, bytes = 0;
	l->count = l->done = 0;
	arena_reset(&l->payloads);
	while (rows < in->load_rows_max && bytes < GATHER_BYTES_MAX) {
		struct wal_record rec;
		uint64_t durable = wal_durable_seq(in->wal);
		atomic_store(&in->load_seen_ns, clock_mono_ns());
		enum err_code code = wal_reader_next(in->reader, &l->payloads, &rec, &err);
		if (code == ERR_OK) {
			add_item(l, &rec, &rows);
			bytes += rec.payload.len;
			continue;
		}
		if (code == ERR_NOT_FOUND && !wait_for_records(l, durable))
			break;
		if (code == ERR_NOT_FOUND)
			continue;
		if (l->count > 0)
			break; /* load these first; it will come again */
		if (!back_off(l, "cannot read the log", &err))
			break;
	}
	l->last_load_ns = clock_mono_ns();
}

/* ---- loading */

bool
load_can_pass(enum err_code code)
{
	return err_retryable(code) || code == ERR_IO || code == ERR_TIMEOUT ||
	    code == ERR_CANCELLED;
}

static void
say_duplicates(const struct batch_request *r)
{
	if (r->repeat)
		log_debug("ingest",
		    "record %llu (tenant %.*s, %s) repeats an earlier request: nothing of it is "
		    "added",
		    (unsigned long long)r->seq, STR_ARG(r->tenant), signal_name(r->signal));
	else
		log_debug("ingest",
		    "%u of the %u spans of record %llu (tenant %.*s) were there already",
		    r->duplicates, r->rows, (unsigned long long)r->seq, STR_ARG(r->tenant));
}

/* What the batch has made visible, and what not. */
static void
count_batch(struct loader *l)
{
	struct ingest *in = l->in;
	const struct batch *b = &l->batch;
	uint64_t rows = batch_row_count(b);
	bool letter = l->items[l->done].letter; /* then it is alone */
	for (size_t i = 0; i < b->request_count; i++) {
		const struct batch_request *r = &b->requests[i];
		CHECK(r->duplicates <= rows);
		rows -= r->duplicates;
		if (!r->repeat && r->duplicates == 0)
			continue;
		/* weir's own repetition of a letter is nobody's duplicate. */
		if (!letter || r->duplicates > 0)
			ingest_duplicates_add(in->duplicates, r->tenant, r->repeat, r->duplicates);
		say_duplicates(r);
	}
	stats_add(in->stats, STATS_LOAD_BATCHES, 1);
	stats_add(in->stats, STATS_LOAD_ROWS, (int64_t)rows);
}

/* The batch is visible. */
static void
on_appended(struct loader *l)
{
	struct ingest *in = l->in;
	const struct item *item = &l->items[l->done];
	struct record rec;
	count_batch(l);
	if (in->on_visible)
		in->on_visible(in->visible_ctx, &l->batch);
	if (item->letter && !item->aside && record_read(item->payload, &rec, NULL) == ERR_OK)
		ingest_letter_ended(in, rec.letter, NULL);
	advance(l, l->take);
}

/* A span of a load that was slow, unless all of it is weir's own spans. */
static void
trace_load(struct loader *l, struct trace_span *span, enum err_code code, const struct err *err)
{
	const struct batch *b = &l->batch;
	bool others = false;
	for (size_t i = 0; i < b->request_count; i++)
		others = others || !str_eq(b->requests[i].tenant, l->in->own_tenant);
	if (!span->on || !others ||
	    (code == ERR_OK && clock_mono_ns() - span->start_mono_ns < SLOW_MS * NS_PER_MS))
		return;
	trace_number(span, "weir.requests", (int64_t)b->request_count);
	trace_number(span, "weir.rows", (int64_t)batch_row_count(b));
	trace_end(span, code, err->message);
}

static enum err_code
try_load(struct loader *l, struct err *err)
{
	struct ingest *in = l->in;
	struct trace_span span;
	uint64_t start = clock_mono_ns();
	trace_begin(&span, "load", TRACE_INTERNAL);
	enum err_code code = load_build(l, err);
	if (code != ERR_OK)
		return code;
	code = store_append(in->store, &l->batch, err);
	trace_load(l, &span, code, err);
	if (code != ERR_OK && store_applied(in->store) < l->batch.last_seq)
		return code;
	if (code != ERR_OK)
		log_warn("ingest", "the store has kept a batch of which it says: %s", err->message);
	on_appended(l);
	stats_add(in->stats, STATS_LOAD_NS, (int64_t)(clock_mono_ns() - start));
	return ERR_OK;
}

/* A letter's record, alone, failed again: the letter waits for its next time. */
static void
on_bad_letter(struct loader *l, const struct err *why)
{
	struct item *item = &l->items[l->done];
	struct record rec;
	if (record_read(item->payload, &rec, NULL) == ERR_OK)
		ingest_letter_ended(l->in, rec.letter, why->message);
	item->aside = true;
}

/* A request alone in its batch has failed for a reason of its own. False: time to stop. */
static bool
on_bad_request(struct loader *l, const char *what, enum err_code code, const struct err *why)
{
	unsigned most = code == ERR_TOO_LARGE ? MEMORY_ATTEMPTS_MAX : ATTEMPTS_MAX;
	struct item *item = &l->items[l->done];
	struct err err = *why;
	if (item->letter && !item->aside) {
		on_bad_letter(l, why);
		return true;
	}
	if (item->aside || !l->in->dlq || ++l->attempts < most)
		return back_off(l, what, why);
	if (load_blame(l, code, why, &err) == LOAD_WAIT)
		return back_off(l, "cannot load a request or put it aside", &err);
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
	if (load_can_pass(code))
		return back_off(l, what, err);
	if (l->take == 1)
		return on_bad_request(l, what, code, err);
	log_warn("ingest", "%s: %s; looking for the request that is to blame", what, err->message);
	stats_add(l->in->stats, STATS_LOAD_ERRORS, 1);
	l->failures++;
	l->take /= 2;
	return true;
}

/* What is visible already is passed over: a store may know more than it keeps by itself. */
static bool
skip_what_is_there(struct loader *l)
{
	uint64_t applied = store_applied(l->in->store);
	size_t n = 0;
	while (l->done + n < l->count && l->items[l->done + n].seq <= applied)
		n++;
	if (n > 0)
		advance(l, n);
	return n > 0;
}

/* False: time to stop, with some of it not loaded. */
static bool
load_items(struct loader *l)
{
	l->take = l->count;
	while (l->done < l->count) {
		struct err err = {0};
		atomic_store(&l->in->load_seen_ns, clock_mono_ns());
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
	struct loader *l = xcalloc(1, sizeof(*l));
	l->in = ctx;
	l->position = atomic_load(&l->in->loaded_seq);
	arena_init(&l->payloads, 0, PAYLOAD_KEEP_BYTES);
	batch_init(&l->batch, LOAD_BATCH_BYTES_MAX);
	do
		gather(l);
	while (l->count > 0 && load_items(l));
	if (ingest_lag_bytes(l->in) > 0)
		log_warn("ingest",
		    "stopped with %llu KiB of the log not loaded: the next start does it",
		    (unsigned long long)(ingest_lag_bytes(l->in) / LIMIT_KIB));
	batch_fini(&l->batch);
	map_fini(&l->seen);
	arena_fini(&l->payloads);
	free(l->items);
	free(l);
}
