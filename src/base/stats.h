/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/stats.h - weir's own counters, gauges and durations: one table, one struct, owned by app
 * and passed by pointer. GET /metrics prints it in the Prometheus text format.
 *
 * Any thread may add or set at any time (relaxed atomics); a reader sees each value by itself,
 * not a snapshot of all. `struct stats *` may be NULL everywhere: nothing is counted then.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

/* STATS_SECONDS: a counter of nanoseconds that is printed in seconds; STATS_SECONDS_GAUGE: a gauge of them. */
enum stats_kind { STATS_COUNTER, STATS_GAUGE, STATS_SECONDS, STATS_SECONDS_GAUGE };

/* X(name, kind, metric family, labels, help): rows of one family stand together. */
#define STATS_TABLE(X)                                                                             \
	X(REQUESTS_GRPC, COUNTER, "weir_requests_total", "transport=\"grpc\"",                     \
	    "Requests answered, whatever the answer.")                                             \
	X(REQUESTS_HTTP, COUNTER, "weir_requests_total", "transport=\"http\"", "")                 \
	X(REQUESTS_API, COUNTER, "weir_requests_total", "transport=\"api\"", "")                   \
	X(REQUESTS_ACKED, COUNTER, "weir_requests_acked_total", "",                                \
	    "Ingest requests answered with success, which means fdatasynced.")                     \
	X(BODY_BYTES, COUNTER, "weir_body_bytes_total", "form=\"wire\"", "Request body bytes.")    \
	X(INFLATED_BYTES, COUNTER, "weir_body_bytes_total", "form=\"inflated\"", "")               \
	X(SPANS_ACKED, COUNTER, "weir_items_acked_total", "signal=\"traces\"",                     \
	    "Spans, log records, metric points and comments accepted.")                            \
	X(LOGS_ACKED, COUNTER, "weir_items_acked_total", "signal=\"logs\"", "")                    \
	X(POINTS_ACKED, COUNTER, "weir_items_acked_total", "signal=\"metrics\"", "")               \
	X(COMMENTS_ACKED, COUNTER, "weir_items_acked_total", "signal=\"comments\"", "")            \
	X(SPANS_REJECTED, COUNTER, "weir_items_rejected_total", "signal=\"traces\"",               \
	    "Items refused inside an otherwise good request (partial success).")                   \
	X(LOGS_REJECTED, COUNTER, "weir_items_rejected_total", "signal=\"logs\"", "")              \
	X(POINTS_REJECTED, COUNTER, "weir_items_rejected_total", "signal=\"metrics\"", "")         \
	X(CONNS_GRPC, GAUGE, "weir_connections", "transport=\"grpc\"", "Open connections.")        \
	X(CONNS_HTTP, GAUGE, "weir_connections", "transport=\"http\"", "")                         \
	X(CONNS_API, GAUGE, "weir_connections", "transport=\"api\"", "")                           \
	X(CONNS_REFUSED, COUNTER, "weir_connections_refused_total", "",                            \
	    "Connections closed or answered 503 because there were too many.")                     \
	X(CONNS_TIMED_OUT, COUNTER, "weir_connections_timed_out_total", "",                        \
	    "Connections closed because a header or body came too slowly.")                        \
	X(INFLIGHT_BYTES, GAUGE, "weir_inflight_bytes", "",                                        \
	    "Bodies being received or waiting for the log.")                                       \
	X(WAL_RECORDS, COUNTER, "weir_wal_records_total", "", "Records appended to the log.")      \
	X(WAL_BYTES, COUNTER, "weir_wal_bytes_total", "", "Bytes appended to the log.")            \
	X(WAL_COMMITS, COUNTER, "weir_wal_commits_total", "", "fdatasync calls of the log.")       \
	X(WAL_COMMIT_NS, SECONDS, "weir_wal_commit_seconds_total", "",                             \
	    "Time spent in write and fdatasync of the log.")                                       \
	X(WAL_SEGMENTS, GAUGE, "weir_wal_segments", "", "Log segments on disk.")                   \
	X(WAL_DURABLE_SEQ, GAUGE, "weir_wal_durable_seq", "", "Last durable record.")              \
	X(LOADED_SEQ, GAUGE, "weir_loaded_seq", "", "Last record that is visible to queries.")     \
	X(KEPT_SEQ, GAUGE, "weir_sealed_seq", "",                                                  \
	    "Last record that the store keeps without the log.")                                   \
	X(LAG_BYTES, GAUGE, "weir_lag_bytes", "", "Log bytes not yet visible to queries.")         \
	X(KEPT_BYTES, GAUGE, "weir_wal_unsealed_bytes", "",                                        \
	    "Log bytes kept because they are not in the store's files yet.")                       \
	X(LOAD_BATCHES, COUNTER, "weir_load_batches_total", "", "Batches loaded into the store.")  \
	X(LOAD_ROWS, COUNTER, "weir_load_rows_total", "", "Rows that became visible.")             \
	X(LOAD_NS, SECONDS, "weir_load_seconds_total", "", "Time spent loading.")                  \
	X(LOAD_ERRORS, COUNTER, "weir_load_errors_total", "",                                      \
	    "Batches that could not be loaded and are tried again.")                               \
	X(DEAD_LETTERS, COUNTER, "weir_dead_letters_total", "",                                    \
	    "Parts of acknowledged requests that could not be loaded and were put aside.")         \
	X(PULL_LEFT_OUT, COUNTER, "weir_pull_records_left_out_total", "",                          \
	    "Records of a source that were too large even for a dead letter: only the source has " \
	    "them.")                                                                               \
	X(LETTERS_APPLIED, COUNTER, "weir_dead_letter_retries_total", "result=\"applied\"",        \
	    "Dead letters that were tried again.")                                                 \
	X(LETTERS_FAILED, COUNTER, "weir_dead_letter_retries_total", "result=\"failed\"", "")      \
	X(QUERIES, COUNTER, "weir_queries_total", "", "Queries answered.")                         \
	X(QUERY_ERRORS, COUNTER, "weir_query_errors_total", "", "Queries that failed.")            \
	X(QUERY_NS, SECONDS, "weir_query_seconds_total", "", "Time spent in queries.")             \
	X(READ_SPANS, COUNTER, "weir_read_spans_total", "result=\"sent\"",                         \
	    "Spans that ReadSpans gave to clients, or left out because they are damaged.")         \
	X(READ_DAMAGED, COUNTER, "weir_read_spans_total", "result=\"damaged\"", "")                \
	X(KEYS_VALID, COUNTER, "weir_key_validations_total", "result=\"valid\"",                   \
	    "Keys that other services asked about, ValidateApiKey.")                               \
	X(KEYS_INVALID, COUNTER, "weir_key_validations_total", "result=\"invalid\"", "")           \
	X(LIVE_READERS, GAUGE, "weir_live_readers", "", "Clients that follow what comes in.")      \
	X(LIVE_REFUSED, COUNTER, "weir_live_refused_total", "",                                    \
	    "Clients that wanted to, when there were too many.")                                   \
	X(LIVE_SHOWN, COUNTER, "weir_live_items_total", "result=\"shown\"",                        \
	    "Spans and log records for them, each counted for each of them: put into its buffer, " \
	    "or left out because it read too slowly or there was too much.")                       \
	X(LIVE_MISSED, COUNTER, "weir_live_items_total", "result=\"missed\"", "")

enum stats_id {
#define X(name, kind, family, labels, help) STATS_##name,
	STATS_TABLE(X)
#undef X
	    STATS_COUNT
};

struct stats {
	_Atomic int64_t value[STATS_COUNT];
	/* Refusals by reason: requests answered with each error. */
	_Atomic int64_t refused[ERR_COUNT];
};

static inline void
stats_add(struct stats *s, enum stats_id id, int64_t delta)
{
	if (s)
		atomic_fetch_add_explicit(&s->value[id], delta, memory_order_relaxed);
}

static inline void
stats_set(struct stats *s, enum stats_id id, int64_t value)
{
	if (s)
		atomic_store_explicit(&s->value[id], value, memory_order_relaxed);
}

static inline int64_t
stats_get(const struct stats *s, enum stats_id id)
{
	return s ? atomic_load_explicit(&s->value[id], memory_order_relaxed) : 0;
}

/* Count a request that was answered with an error. */
void stats_refused(struct stats *s, enum err_code code);
/* Append the whole table in the Prometheus text exposition format 0.0.4. */
void stats_print(const struct stats *s, struct buf *out);

/* The same for numbers that are kept elsewhere: the head of a family, then each of its samples.
 * `labels` is empty or a="b",c="d", with nothing in it that needs to be escaped. */
void stats_print_family(struct buf *out, const char *family, enum stats_kind kind,
    const char *help);
void stats_print_sample(struct buf *out, const char *family, enum stats_kind kind,
    const char *labels, int64_t value);

#endif
