/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/commit.c - the commit thread: the only writer of the log.
 *
 * It takes everything that waits, appends up to GROUP_BYTES, commits once and answers. There is no
 * timer: while one commit is on its way to the disk the next group gathers by itself. Once a
 * second it looks at the disk, and when a second has passed without a commit it lets the log
 * write a mark, so that the last record is vouched for too.
 */
#include "ingest/ingest_priv.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <errno.h>
#include <stdlib.h>

enum { POP_MAX = 256, GROUP_BYTES = 8 << 20, NEAR_BYTES = 32 << 20 };

static const uint64_t tick_ns = UINT64_C(1000000000);
static const uint64_t say_again_ns = UINT64_C(10000000000);

void
ingest_pending_free(struct pending *p)
{
	buf_fini(&p->req.body);
	free(p);
}

static void
count_answer(struct ingest *in, const struct pending *p)
{
	enum stats_id acked = STATS_COMMENTS_ACKED, rejected = STATS_COMMENTS_ACKED;
	switch (p->req.signal) {
	case SIGNAL_TRACES:
		acked = STATS_SPANS_ACKED;
		rejected = STATS_SPANS_REJECTED;
		break;
	case SIGNAL_METRICS:
		acked = STATS_POINTS_ACKED;
		rejected = STATS_POINTS_REJECTED;
		break;
	case SIGNAL_LOGS:
		acked = STATS_LOGS_ACKED;
		rejected = STATS_LOGS_REJECTED;
		break;
	case SIGNAL_COMMENTS: break; /* of these all are good, or none */
	}
	stats_add(in->stats, STATS_REQUESTS_ACKED, 1);
	stats_add(in->stats, acked, (int64_t)p->counts.accepted);
	stats_add(in->stats, rejected, (int64_t)p->counts.rejected);
}

static void
answer(struct ingest *in, struct pending *p, enum err_code code, const char *message)
{
	atomic_fetch_sub(&in->queue_bytes, p->req.body.len);
	if (code == ERR_OK && !p->letter)
		count_answer(in, p);
	p->req.done(p->req.ctx, code, &p->counts, message);
	ingest_pending_free(p);
}

/* Tell the loader. */
static void
publish(struct ingest *in, uint64_t durable_seq)
{
	mutex_lock(&in->lock);
	bool news = durable_seq > in->durable_seq;
	in->durable_seq = durable_seq;
	mutex_unlock(&in->lock);
	if (news)
		cond_broadcast(&in->progress);
	stats_set(in->stats, STATS_WAL_DURABLE_SEQ, (int64_t)durable_seq);
	stats_set(in->stats, STATS_WAL_SEGMENTS, (int64_t)wal_segment_count(in->wal));
	ingest_lag_bytes(in);
}

/* There was no room for a commit. Clients come again by the thousand, the log says so now and
 * then. What they are told names no path. */
static void
note_no_room(struct ingest *in, struct err *err)
{
	uint64_t now = clock_mono_ns();
	bool disk = err->os_errno == ENOSPC || err->os_errno == EDQUOT;
	in->no_room_count++;
	ingest_set_text(in, in->log_text, err->message);
	if (in->no_room_said_ns == 0 || now - in->no_room_said_ns >= say_again_ns) {
		log_error("ingest", "the log had no room for %llu commits: %s",
		    (unsigned long long)in->no_room_count, err->message);
		in->no_room_said_ns = now;
		in->no_room_count = 0;
	}
	ingest_check_disk(in);
	atomic_store(&in->log_full, true);
	if (disk)
		(void)ingest_say_full(in, err);
	else
		err_set(err, ERR_BUSY, "the log can open no more files, try later");
}

/* A commit found room. That is said with the same restraint: a small one may where a large one
 * does not. */
static void
note_room(struct ingest *in)
{
	atomic_store(&in->log_full, false);
	ingest_set_text(in, in->log_text, NULL);
	if (in->no_room_said_ns == 0 || clock_mono_ns() - in->no_room_said_ns < say_again_ns)
		return;
	log_info("ingest", "the log has room again: new requests are taken");
	in->no_room_said_ns = 0;
	in->no_room_count = 0;
}

/* A commit failed. Afterwards *err is what clients may be told. */
static void
report_failure(struct ingest *in, bool failed_before, struct err *err)
{
	if (err->code == ERR_BUSY) {
		note_no_room(in, err);
		return;
	}
	if (!failed_before) {
		ingest_set_text(in, in->log_text, err->message);
		log_error("ingest",
		    "the log cannot be written and takes nothing until weir is started again: %s",
		    err->message);
	}
	err_set(err, ERR_UNAVAILABLE, "the log cannot be written, see /readyz");
}

/* The group is appended: make it durable. What it gives the requests that are not is in *code_out. */
static uint64_t
commit_group(struct ingest *in, enum err_code *code_out, struct err *err)
{
	uint64_t durable, bytes = wal_durable_bytes(in->wal), start = clock_mono_ns();
	bool failed_before = wal_failed(in->wal);
	enum err_code code = wal_commit(in->wal, &durable, err);
	stats_add(in->stats, STATS_WAL_COMMITS, 1);
	stats_add(in->stats, STATS_WAL_COMMIT_NS, (int64_t)(clock_mono_ns() - start));
	stats_add(in->stats, STATS_WAL_BYTES, (int64_t)(wal_durable_bytes(in->wal) - bytes));
	*code_out = ERR_OK;
	if (code != ERR_OK) {
		*code_out = code == ERR_BUSY ? ERR_BUSY : ERR_UNAVAILABLE;
		report_failure(in, failed_before, err);
	} else {
		note_room(in);
	}
	in->taken_bytes += wal_durable_bytes(in->wal) - bytes;
	publish(in, durable);
	return durable;
}

/* Whose bytes wait to be loaded. The tenant stands in the head. */
static void
count_lag(struct ingest *in, const struct pending *p)
{
	struct record rec;
	if (record_read(str_of(p->head, p->head_len), &rec, NULL) == ERR_OK)
		quota_logged(in->quota, rec.tenant, p->head_len + p->req.body.len);
}

/* Put p into the group, unless there is nothing of it to keep. */
static void
append_pending(struct ingest *in, struct pending *p, struct err *err)
{
	if (p->counts.accepted == 0 && !p->pulled)
		return;
	uint64_t bytes = wal_pending_bytes(in->wal) + p->head_len + p->req.body.len;
	/* What was true a second ago may not be now; to look costs less than to be wrong. */
	if (ingest_disk_refuses(in, bytes + NEAR_BYTES))
		ingest_check_disk(in);
	if (ingest_disk_refuses(in, bytes)) {
		p->code = ERR_BUSY;
		return;
	}
	p->code = wal_append(in->wal, WAL_REQUEST, str_of(p->head, p->head_len),
	    buf_view(&p->req.body), &p->seq, err);
	if (p->code == ERR_OK) {
		stats_add(in->stats, STATS_WAL_RECORDS, 1);
		count_lag(in, p);
	} else if (p->code != ERR_TOO_LARGE)
		p->code = ERR_UNAVAILABLE;
}

/* It was put into the log, and the log could not be written. */
static void
lost(struct ingest *in, struct pending *p, enum err_code code, const char *message)
{
	struct record rec;
	if (record_read(str_of(p->head, p->head_len), &rec, NULL) == ERR_OK)
		quota_loaded(in->quota, rec.tenant, p->head_len + p->req.body.len);
	answer(in, p, code, message);
}

static void
answer_group(struct ingest *in, struct pending **items, size_t n, uint64_t durable,
    enum err_code code, const struct err *err)
{
	struct err full;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = items[i];
		if (p->code == ERR_BUSY)
			answer(in, p, ingest_say_full(in, &full), full.message);
		else if (p->code != ERR_OK)
			answer(in, p, p->code,
			    p->code == ERR_TOO_LARGE ? "the request is too large for the log"
			                             : "the log cannot be written, see /readyz");
		else if (p->seq <= durable)
			answer(in, p, ERR_OK, "");
		else
			lost(in, p, code, err->message);
	}
}

static void
commit_items(struct ingest *in, struct pending **items, size_t n)
{
	struct err err = {0};
	for (size_t first = 0, end = 0; first < n; first = end) {
		enum err_code code = ERR_OK;
		uint64_t durable = wal_durable_seq(in->wal);
		for (; end < n && wal_pending_bytes(in->wal) < GROUP_BYTES; end++)
			append_pending(in, items[end], &err);
		if (wal_pending_bytes(in->wal) > 0)
			durable = commit_group(in, &code, &err);
		answer_group(in, items + first, end - first, durable, code, &err);
	}
}

/* Whether a commit is worth a try after one that found no room. */
static bool
room_for_segment(const struct ingest *in)
{
	uint64_t size = in->limits->segment_bytes_max, free_bytes = atomic_load(&in->free_bytes);
	return free_bytes >= size && free_bytes - size >= in->limits->free_bytes_min;
}

static void
tick(struct ingest *in, bool idle)
{
	struct err err = {0};
	ingest_check_disk(in);
	if (wal_failed(in->wal))
		return;
	/* Nobody would find out that there is room while all are refused. */
	if (atomic_load(&in->log_full) && room_for_segment(in))
		note_room(in);
	if (!idle || atomic_load(&in->log_full))
		return;
	if (wal_mark_idle(in->wal, &err) != ERR_OK)
		report_failure(in, false, &err);
	publish(in, wal_durable_seq(in->wal));
}

void
ingest_commit_main(void *ctx)
{
	struct ingest *in = ctx;
	void *popped[POP_MAX];
	struct pending *items[POP_MAX];
	uint64_t next_tick = clock_mono_ns() + tick_ns;
	bool idle = true;
	for (;;) {
		/* In this order: after it was closed, an empty queue stays empty. */
		bool closed = atomic_load(&in->queue_closed);
		atomic_store(&in->commit_seen_ns, clock_mono_ns());
		size_t n = queue_pop_many(in->queue, popped, POP_MAX, next_tick);
		if (n == 0 && closed)
			break;
		for (size_t i = 0; i < n; i++)
			items[i] = popped[i];
		commit_items(in, items, n);
		idle = idle && n == 0;
		if (clock_mono_ns() < next_tick)
			continue;
		tick(in, idle);
		next_tick = clock_mono_ns() + tick_ns;
		idle = true;
	}
}
