/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest/ingest.h - from a received request to a durable one to a visible one.
 *
 * ingest_submit() runs on a receiver's thread: JSON to protobuf, scan, count, and hand-over to the
 * commit thread through a bounded queue. The commit thread owns the log: it appends everything
 * that is waiting, commits once, and calls each request's `done` (on the commit thread, briefly,
 * never blocking). The loader thread tails the log from store_position(), decodes and
 * appends to the store, and trims the log behind it.
 *
 * `done` is called exactly once for every submit that returned ERR_OK; not at all for one that
 * returned an error. A request of which nothing was accepted is answered ERR_OK with its counts
 * and is not logged, unless it brings a position (ingest/record.h).
 *
 * Refusals, all before anything is durable: ERR_INVALID, ERR_TOO_LARGE (never retry), ERR_BUSY (queue
 * full, lag or disk limit: retry later), ERR_UNAVAILABLE (log failed or stopping).
 *
 * What cannot be loaded. A store that is busy, out of space or unavailable is asked again for
 * ever: the log keeps everything, the lag grows, and new requests are refused when it reaches its
 * limit. What cannot be loaded for a reason of its own is found by halving, first the batch and then the
 * items of the request, and put into the dead-letter store (dlq/dlq.h) before the rest of
 * its request becomes visible in one append. A thread takes the letters that are due, and brings each
 * back as a record of the log of its own; nothing of that is a client's request or counted as one.
 *
 * Once is once. A request whose identity the store knows under another seq is not decoded: it only moves
 * the position. Counters count what was appended, never what was tried.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/stats.h"
#include "dlq/dlq.h"
#include "otlp/otlp.h"
#include "store/store.h"
#include "wal/wal.h"

struct ingest;

struct ingest_options {
	struct wal *wal; /* borrowed; only the commit thread writes to it from now on */
	struct store *store; /* borrowed; only the loader appends to it */
	const struct limits *limits;
	struct stats *stats;
	/* Borrowed; open longer than ingest and the store. NULL: what cannot be loaded is waited for. */
	struct dlq *dlq;
	/* Called on the loader thread with each batch after store_append() has succeeded, never with
	 * one that failed, never twice with the same row: what is derived from telemetry counts here.
	 * batch->hidden[] says which rows did not become visible. NULL: nobody listens. */
	void (*on_visible)(void *ctx, const struct batch *batch);
	void *visible_ctx;
	struct str data_dir; /* whose free space is watched; copied */
	struct str
	    own_tenant; /* loading what is this tenant's alone makes no span (sys/trace.h); borrowed */
	uint64_t load_rows_max; /* per append; 0: default 100,000 */
	/* At least so long from one append to the next: under load records are gathered, one that
	 * comes alone is loaded at once. 0: default 5. */
	uint64_t load_delay_ms;
	uint64_t load_retry_ms; /* first pause after a failure, doubled up to 50 times; 0: 100 */
	struct str tenant_limits; /* quota_override() */
};

struct ingest_request {
	enum signal_kind signal;
	bool json; /* body is OTLP/JSON; comments are comment/comment.h's, always */
	struct str tenant; /* copied; ERR_INVALID when it is no valid name */
	struct buf body; /* inflated; ownership moves to ingest on ERR_OK only */
	uint64_t received_ns;
	/* What was pulled: from where, and the position behind it (ingest/record.h); both copied, `source` a name as tenants
	 * have. Such a request is logged also when nothing of it was accepted. Empty: it was sent. */
	struct str source, position;
	/* message: why not; empty with ERR_OK. It and counts are valid during the call. */
	void (*done)(void *ctx, enum err_code code, const struct otlp_counts *counts,
	    const char *message);
	void *ctx;
};

MUST_CHECK enum err_code ingest_start(const struct ingest_options *opt, struct ingest **out,
    struct err *err);
MUST_CHECK enum err_code ingest_submit(struct ingest *in, struct ingest_request *req,
    struct err *err);
/* The same for a thread that may block (req->done is not the caller's): returns with the answer, once the request is
 * durable or refused, and then waits, for at most a second, until queries see it: *visible_out. ERR_DEADLINE: there was
 * no answer in time, and it may be kept all the same. */
MUST_CHECK enum err_code ingest_submit_and_wait(struct ingest *in, struct ingest_request *req,
    uint64_t deadline_mono_ns, bool *visible_out, struct err *err);
/* Whether the tenant may send more now: asked before a request costs anything. ERR_BUSY, with the time it has to
 * wait, ERR_INVALID. */
MUST_CHECK enum err_code ingest_admits(struct ingest *in, struct str tenant, struct err *err);
/* Refuse new requests, answer all waiting ones, load what is durable (until the deadline), stop
 * the threads. Does not close the log, the letters or the store. Call it once, before ingest_free();
 * between the two the store is to be closed when it may still find rows that it cannot keep
 * (store_on_poison()): such a row is read from the log and put aside through here. */
void ingest_stop(struct ingest *in, uint64_t deadline_mono_ns);
void ingest_free(struct ingest *in); /* NULL allowed */

/* Milliseconds after which a client should come back that was refused without err->retry_ms; 0: never. */
uint64_t ingest_retry_after_ms(const struct ingest *in, enum err_code code);

/* Named checks for /readyz. Any thread. text says what is, or why it is not ok. */
enum { INGEST_CHECKS = 5, INGEST_STUCK_MS = 10000 };
struct ingest_check {
	const char *name; /* "wal" "loader" "disk" "store" "dlq" */
	bool ok;
	char text[LIMIT_CHECK_TEXT_BYTES];
};
void ingest_checks(struct ingest *in, struct ingest_check out[INGEST_CHECKS]);
/* Whether what was durable at the start is on its way to the store and not all there: an answer of now would lack what
 * the client has been told is kept. `text`: how far it is. False also when loading has failed for INGEST_STUCK_MS without
 * a pause, which the checks say: nobody should wait for that. Any thread. */
bool ingest_catches_up(struct ingest *in, char text[LIMIT_CHECK_TEXT_BYTES]);

/* Which thread has not come round for so long ("loader"): each does at least every few seconds, whatever fails, unless
 * it hangs or the store has said that it keeps the loader waiting. NULL: none. Any thread. */
const char *ingest_hangs(const struct ingest *in, uint64_t now_mono_ns, uint64_t for_ns);

/* What is not in struct stats, for /metrics: of the store, of the dead letters, duplicates by
 * tenant. Any thread; never blocks on disk. */
void ingest_metrics(struct ingest *in, struct buf *out);

#endif
