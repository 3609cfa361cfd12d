/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/retry.c - dead letters: how a part of a request gets there, and the thread that brings it
 * back.
 *
 * One letter at a time is on its way: taken when it is due, written to the log as a record of its
 * own through the commit thread, applied by the loader, which then says how it ended
 * (ingest_letter_ended()). Only the thread here tells the dead-letter store, so that nobody else waits
 * for its files. A crash anywhere in between leaves the letter waiting; a new start reads its
 * record from the log like any other, and the letter, tried again, is found to be a repeat of it.
 * So a record whose letter is not the one on its way, left from before the start, tells nobody.
 */
#include "ingest/ingest_priv.h"
#include "sys/clock.h"
#include "sys/log.h"

#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t look_again_ns = UINT64_C(5000000000); /* clocks are set, files are moved */
static const uint64_t refused_wait_ns = UINT64_C(1000000000);

/* ---- putting aside */

enum err_code
ingest_put_aside(struct ingest *in, uint64_t seq, struct str payload, uint32_t first,
    uint32_t count, const char *why, struct err *err)
{
	struct record rec;
	struct dlq_letter letter = {.seq = seq, .item_first = first, .item_count = count};
	bool readable = record_read(payload, &rec, NULL) == ERR_OK;
	snprintf(letter.error, sizeof(letter.error), "%s", why);
	if (readable) {
		letter.identity = record_part_identity(rec.hash, first, count);
		snprintf(letter.tenant, sizeof(letter.tenant), "%.*s", STR_ARG(rec.tenant));
		snprintf(letter.signal, sizeof(letter.signal), "%s", signal_name(rec.signal));
	}
	enum err_code code = dlq_put(in->dlq, &letter, payload, clock_unix_ns(), err);
	if (code != ERR_OK)
		return code;
	/* A letter of another part would be in its place: nothing may go on without this one. */
	if (!dlq_covers(in->dlq, seq, first))
		return err_set(err, ERR_IO, "the dead letter of record %llu, item %u is not there",
		    (unsigned long long)seq, first);
	stats_add(in->stats, STATS_DEAD_LETTERS, 1);
	if (count == RECORD_ALL)
		log_error("ingest",
		    "record %llu (tenant %s, %s) cannot be loaded and was put aside as a dead "
		    "letter: %s",
		    (unsigned long long)seq, readable ? letter.tenant : "unknown",
		    readable ? letter.signal : "unreadable", why);
	else
		log_error("ingest",
		    "items %u to %u of record %llu (tenant %s, %s) cannot be loaded and were put "
		    "aside as a dead letter: %s",
		    first, first + count - 1, (unsigned long long)seq, letter.tenant, letter.signal,
		    why);
	return ERR_OK;
}

enum err_code
ingest_on_poison(void *ctx, enum table_id table, uint64_t seq, uint32_t ord, const struct err *why,
    struct err *err)
{
	struct ingest *in = ctx;
	struct arena arena = {0};
	struct wal_reader *reader = NULL;
	struct wal_record rec = {0};
	CHECK((int)table < SIGNAL_TABLES);
	CHECK(seq > 0);
	if (dlq_covers(in->dlq, seq, ord))
		return ERR_OK; /* it was asked before */
	enum err_code code = wal_reader_open(in->wal, seq - 1, &reader, err);
	if (code == ERR_OK)
		code = wal_reader_next(reader, &arena, &rec, err);
	if (code == ERR_OK && rec.seq != seq)
		code = err_set(err, ERR_CORRUPT, "record %llu is not in the log",
		    (unsigned long long)seq);
	if (code == ERR_OK)
		code = ingest_put_aside(in, seq, rec.payload, ord, 1, why->message, err);
	wal_reader_close(reader);
	arena_fini(&arena);
	return code;
}

/* ---- bringing back */

void
ingest_retry_bell(void *ctx)
{
	struct ingest *in = ctx;
	mutex_lock(&in->lock);
	in->retry.bell = true;
	mutex_unlock(&in->lock);
	cond_broadcast(&in->retry_news);
}

static void
end_with(struct ingest *in, struct str letter, enum retry_state state, const char *why)
{
	struct retry *r = &in->retry;
	mutex_lock(&in->lock);
	if (r->state == RETRY_UNDER_WAY && str_eq(str_from(r->letter), letter)) {
		r->state = state;
		snprintf(r->why, sizeof(r->why), "%s", why);
	}
	mutex_unlock(&in->lock);
	cond_broadcast(&in->retry_news);
}

void
ingest_letter_ended(struct ingest *in, struct str letter, const char *why)
{
	end_with(in, letter, why ? RETRY_FAILED : RETRY_APPLIED, why ? why : "");
}

/* It is in the log, or not. Commit thread. */
static void
on_logged(void *ctx, enum err_code code, const struct otlp_counts *counts, const char *message)
{
	struct ingest *in = ctx;
	char letter[DLQ_ID_BYTES];
	(void)counts;
	if (code == ERR_OK)
		return; /* the loader says the rest */
	mutex_lock(&in->lock);
	memcpy(letter, in->retry.letter, sizeof(letter));
	mutex_unlock(&in->lock);
	end_with(in, str_from(letter), RETRY_REFUSED, message);
}

static bool
stopping(struct ingest *in)
{
	mutex_lock(&in->lock);
	bool stop = in->retry.stop;
	mutex_unlock(&in->lock);
	return stop || atomic_load(&in->stopping);
}

/* Until a letter may be due, or the bell, or the stop. */
static void
wait_for_bell(struct ingest *in, uint64_t wait_ns)
{
	uint64_t until = clock_mono_ns() + (wait_ns < look_again_ns ? wait_ns : look_again_ns);
	mutex_lock(&in->lock);
	while (!in->retry.bell && !in->retry.stop)
		if (!cond_wait_until(&in->retry_news, &in->lock, until))
			break;
	in->retry.bell = false;
	mutex_unlock(&in->lock);
}

/* A pause that no bell ends. */
static void
wait_refused(struct ingest *in)
{
	uint64_t until = clock_mono_ns() + refused_wait_ns;
	mutex_lock(&in->lock);
	while (!in->retry.stop && cond_wait_until(&in->retry_news, &in->lock, until)) {
	}
	mutex_unlock(&in->lock);
}

/* What the record of a retry says, from the letter and the record in it. The letter's own fields
 * but the part are not needed: those of an old one are empty. */
static enum err_code
prepare(const struct ingest *in, const struct dlq_letter *letter, struct str payload,
    struct pending *p, struct err *err)
{
	struct record rec;
	enum err_code code = record_read(payload, &rec, err);
	if (code != ERR_OK)
		return code;
	if (letter->item_count == 0)
		return err_set(err, ERR_CORRUPT, "the letter is of no items");
	/* A letter of a letter: all of it means all that it stood for. */
	if (letter->item_count != RECORD_ALL || letter->item_first != 0) {
		rec.part_first = letter->item_first;
		rec.part_count = letter->item_count;
	}
	/* It was never scanned as good. Nothing of it may be left out silently now. */
	if (letter->seq >= DLQ_SEQ_NONE) {
		struct otlp_counts counts;
		code = otlp_scan(rec.signal, rec.body, in->limits, &counts, err);
		if (code == ERR_OK && (counts.rejected > 0 || counts.accepted == 0))
			code = err_set(err, ERR_INVALID, "%s", counts.reason);
		if (code != ERR_OK)
			return code;
		rec.limits = *in->limits;
		rec.item_count = (uint32_t)counts.accepted;
		rec.part_first = 0;
		rec.part_count = RECORD_ALL;
	}
	rec.letter = str_from(letter->id);
	rec.source = rec.position = STR_EMPTY; /* long since moved on */
	p->letter = true;
	p->counts.accepted = rec.item_count > 0 ? rec.item_count : 1;
	p->req.signal = rec.signal;
	p->head_len = record_write_head(&rec, p->head);
	buf_str(&p->req.body, rec.body);
	return ERR_OK;
}

/* To the commit thread. */
static enum err_code
submit(struct ingest *in, const struct dlq_letter *letter, struct pending *p, struct err *err)
{
	enum err_code code = ingest_check_open(in, err);
	if (code != ERR_OK)
		return code;
	p->req.done = on_logged;
	p->req.ctx = in;
	mutex_lock(&in->lock);
	in->retry.state = RETRY_UNDER_WAY;
	memcpy(in->retry.letter, letter->id, sizeof(in->retry.letter));
	mutex_unlock(&in->lock);
	return ingest_push(in, p, err);
}

/* How it ended; RETRY_UNDER_WAY: nobody knows, and weir stops. */
static enum retry_state
wait_for_end(struct ingest *in, char why[DLQ_ERROR_BYTES])
{
	mutex_lock(&in->lock);
	while (in->retry.state == RETRY_UNDER_WAY && !in->retry.stop)
		cond_wait(&in->retry_news, &in->lock);
	enum retry_state state = in->retry.state;
	memcpy(why, in->retry.why, DLQ_ERROR_BYTES);
	in->retry.state = RETRY_IDLE;
	in->retry.letter[0] = '\0';
	mutex_unlock(&in->lock);
	return state;
}

static void
finish(struct ingest *in, const char *id, enum retry_state state, const char *why)
{
	struct err err = {0};
	enum err_code code = ERR_OK;
	switch (state) {
	case RETRY_APPLIED:
		code = dlq_done(in->dlq, id, &err);
		if (code == ERR_OK)
			log_info("ingest", "dead letter %s is loaded now", id);
		stats_add(in->stats, STATS_LETTERS_APPLIED, 1);
		break;
	case RETRY_FAILED:
		code = dlq_failed(in->dlq, id, why, clock_unix_ns(), &err);
		log_warn("ingest", "dead letter %s cannot be loaded: %s", id, why);
		stats_add(in->stats, STATS_LETTERS_FAILED, 1);
		break;
	case RETRY_IDLE:
	case RETRY_UNDER_WAY:
	case RETRY_REFUSED: dlq_put_back(in->dlq, id); break;
	}
	if (code != ERR_OK)
		log_warn("ingest", "cannot note what became of dead letter %s: %s", id,
		    err.message);
}

/* False: it was not its time, wait a little. */
static bool
try_letter(struct ingest *in, const struct dlq_letter *letter, struct str payload)
{
	struct err err = {0};
	char why[DLQ_ERROR_BYTES] = "";
	struct pending *p = xcalloc(1, sizeof(*p));
	enum err_code code = prepare(in, letter, payload, p, &err);
	if (code != ERR_OK) {
		ingest_pending_free(p);
		finish(in, letter->id, RETRY_FAILED, err.message);
		return true;
	}
	code = submit(in, letter, p, &err);
	if (code != ERR_OK) {
		ingest_pending_free(p);
		end_with(in, str_from(letter->id), RETRY_REFUSED, err.message);
	}
	enum retry_state state = code == ERR_OK ? wait_for_end(in, why) : RETRY_REFUSED;
	finish(in, letter->id, state, why);
	return state == RETRY_APPLIED || state == RETRY_FAILED;
}

void
ingest_retry_main(void *ctx)
{
	struct ingest *in = ctx;
	while (!stopping(in)) {
		struct dlq_letter letter;
		struct buf payload = {0};
		struct err err = {0};
		uint64_t next_ns = UINT64_MAX, now = clock_unix_ns();
		enum err_code code = dlq_due(in->dlq, now, &letter, &payload, &next_ns, &err);
		if (code == ERR_OK) {
			bool tried = try_letter(in, &letter, buf_view(&payload));
			buf_fini(&payload);
			if (!tried)
				wait_refused(in);
			continue;
		}
		buf_fini(&payload);
		uint64_t wait_ns = next_ns > now ? next_ns - now : refused_wait_ns;
		if (code != ERR_NOT_FOUND) { /* of one letter: the others are not to wait for it */
			log_warn("ingest", "cannot read a dead letter: %s", err.message);
			wait_ns = refused_wait_ns / 10;
		}
		wait_for_bell(in, wait_ns);
	}
}
