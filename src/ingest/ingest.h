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
 * and is not logged.
 *
 * Refusals, all before anything is durable: ERR_INVALID, ERR_TOO_LARGE (never retry), ERR_BUSY (queue
 * full, lag or disk limit: retry later), ERR_UNAVAILABLE (log failed or stopping).
 *
 * What cannot be loaded. A store that is busy, out of space or unavailable is asked again for
 * ever: the log keeps everything, the lag grows, and new requests are refused when it reaches its
 * limit. A request that cannot be loaded for a reason of its own is found by halving the batch,
 * tried five times, written to <data>/quarantine/<seq:016x>.rec (the log record, see
 * ingest/record.h) and passed over; this is logged and counted.
 */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include "base/stats.h"
#include "otlp/otlp.h"
#include "store/store.h"
#include "wal/wal.h"

struct ingest;

struct ingest_options {
	struct wal *wal; /* borrowed; only the commit thread writes to it from now on */
	struct store *store; /* borrowed; only the loader appends to it */
	const struct limits *limits;
	struct stats *stats;
	struct str data_dir; /* whose free space is watched; copied */
	uint64_t load_rows_max; /* per store transaction; 0: default 100,000 */
	uint64_t load_delay_ms; /* gather this long before a transaction; 0: default 50 */
	uint64_t load_retry_ms; /* first pause after a failure, doubled up to 50 times; 0: 100 */
};

struct ingest_request {
	enum signal_kind signal;
	bool json; /* body is OTLP/JSON */
	struct str tenant; /* copied; ERR_INVALID when it is no valid name */
	struct buf body; /* inflated; ownership moves to ingest on ERR_OK only */
	uint64_t received_ns;
	/* message: why not; empty with ERR_OK. It and counts are valid during the call. */
	void (*done)(void *ctx, enum err_code code, const struct otlp_counts *counts,
	    const char *message);
	void *ctx;
};

MUST_CHECK enum err_code ingest_start(const struct ingest_options *opt, struct ingest **out,
    struct err *err);
MUST_CHECK enum err_code ingest_submit(struct ingest *in, struct ingest_request *req,
    struct err *err);
/* Refuse new requests, answer all waiting ones, load what is durable (until the deadline), stop
 * both threads. Does not close the log or the store. Call it once, before ingest_free(). */
void ingest_stop(struct ingest *in, uint64_t deadline_mono_ns);
void ingest_free(struct ingest *in); /* NULL allowed */

/* Milliseconds after which a refused client should come back; 0: never. */
uint64_t ingest_retry_after_ms(const struct ingest *in, enum err_code code);

/* Named checks for /readyz. Any thread. text says why it is not ok. */
struct ingest_check {
	const char *name; /* "wal" "loader" "disk" "store" */
	bool ok;
	char text[160];
};
enum { INGEST_CHECKS = 4 };
void ingest_checks(struct ingest *in, struct ingest_check out[INGEST_CHECKS]);

#endif
