/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/limits.h - every maximum in weir that something outside can run into.
 *
 * Two kinds. Compile-time bounds (macros) size buffers and tables. Configurable ones are rows of
 * LIMIT_TABLE: option name, field, default, smallest and largest value that is accepted, what it
 * bounds. The table drives `weir serve --help`, the parser and the documentation; `struct limits`
 * is passed by const pointer to whoever enforces.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define LIMIT_KIB UINT64_C(1024)
#define LIMIT_MIB (UINT64_C(1024) * 1024)
#define LIMIT_GIB (UINT64_C(1024) * 1024 * 1024)

/* X(option, field, default, min, max, help) */
#define LIMIT_TABLE(X)                                                                             \
	X("max-wire-bytes", wire_bytes_max, 16 * LIMIT_MIB, 1024, 256 * LIMIT_MIB,                 \
	    "request body as it arrives, compressed or not")                                       \
	X("max-body-bytes", body_bytes_max, 64 * LIMIT_MIB, 1024, 256 * LIMIT_MIB,                 \
	    "request body after inflating")                                                        \
	X("max-decoded-bytes", decoded_bytes_max, 192 * LIMIT_MIB, LIMIT_MIB, 16 * LIMIT_GIB,      \
	    "rows, lists and JSON that one request becomes; keep it below a fifth of the "         \
	    "database's memory")                                                                   \
	X("max-inflight-bytes", inflight_bytes_max, 256 * LIMIT_MIB, 1024, 64 * LIMIT_GIB,         \
	    "bodies being received or waiting for the log, all connections together")              \
	X("max-spans", items_max, 100000, 1, 10000000, "spans, log records or points per request") \
	X("max-attributes", attributes_max, 1024, 1, 65536, "attributes per item")                 \
	X("max-value-bytes", value_bytes_max, 4 * LIMIT_MIB, 16, 64 * LIMIT_MIB,                   \
	    "one attribute value or log body")                                                     \
	X("max-name-bytes", name_bytes_max, 8 * LIMIT_KIB, 16, LIMIT_MIB,                          \
	    "span, metric, event, scope and attribute names, units, schema URLs")                  \
	X("max-comment-bytes", comment_bytes_max, 64 * LIMIT_KIB, 16, LIMIT_MIB,                   \
	    "text of one comment")                                                                 \
	X("max-depth", depth_max, 64, 1, 100, "nesting of attribute values")                       \
	X("max-list-items", list_items_max, 65536, 1, 1000000,                                     \
	    "events, links, buckets, quantiles or exemplars of one item")                          \
	X("max-connections", connections_max, 1024, 1, 100000, "open connections per listener")    \
	X("max-streams", streams_max, 256, 1, 10000, "concurrent calls per gRPC connection")       \
	X("max-header-bytes", header_bytes_max, 16 * LIMIT_KIB, 1024, LIMIT_MIB,                   \
	    "header fields of one request")                                                        \
	X("header-timeout-ms", header_timeout_ms, 10000, 10, 600000,                               \
	    "from the first byte of a connection or request to the end of its header")             \
	X("idle-timeout-ms", idle_timeout_ms, 60000, 10, 86400000,                                 \
	    "silence on a kept-alive connection")                                                  \
	X("body-grace-ms", body_grace_ms, 10000, 10, 600000,                                       \
	    "after this a body must have come at --min-body-rate on average")                      \
	X("min-body-rate", body_rate_min, 1024, 1, 1073741824, "bytes a second of a slow body")    \
	X("max-lag-bytes", lag_bytes_max, 2 * LIMIT_GIB, 1024, 1024 * LIMIT_GIB,                   \
	    "log not yet loaded; beyond it clients are told to retry")                             \
	X("tenant-bytes-per-s", tenant_bytes_rate, 0, 0, 1024 * LIMIT_GIB,                         \
	    "inflated bytes that one tenant may send a second; 0: any number")                     \
	X("tenant-items-per-s", tenant_items_rate, 0, 0, 1000000000,                               \
	    "spans, log records and points that one tenant may send a second; 0: any number")      \
	X("tenant-lag-percent", tenant_lag_percent, 80, 1, 100,                                    \
	    "of --max-lag-bytes that one tenant may take")                                         \
	X("min-free-bytes", free_bytes_min, 512 * LIMIT_MIB, 0, 1024 * LIMIT_GIB,                  \
	    "free disk space; below it clients are told to retry")                                 \
	X("segment-bytes", segment_bytes_max, 64 * LIMIT_MIB, 64 * LIMIT_KIB, LIMIT_GIB,           \
	    "size of a log segment")                                                               \
	X("max-results", results_max, 10000, 1, 1000000, "rows one query may return")              \
	X("max-result-bytes", result_bytes_max, 256 * LIMIT_MIB, 1024, 16 * LIMIT_GIB,             \
	    "memory one query's answer may take")                                                  \
	X("max-answer-bytes", answer_bytes_max, 256 * LIMIT_MIB, 128 * LIMIT_KIB, 64 * LIMIT_GIB,  \
	    "answers that clients have not read yet; beyond it they are told to retry")            \
	X("max-read-bytes", read_bytes_max, 16 * LIMIT_MIB, 4 * LIMIT_KIB, LIMIT_GIB,              \
	    "spans in one answer of ReadSpans; one span always fits")                              \
	X("min-answer-rate", answer_rate_min, 64 * LIMIT_KIB, 1, 1073741824,                       \
	    "bytes a second at which an answer must be read on average, after --body-grace-ms")    \
	X("query-timeout-ms", query_timeout_ms, 30000, 10, 3600000, "one query")                   \
	X("sql-timeout-ms", sql_timeout_ms, 10000, 10, 3600000, "one SQL query")                   \
	X("max-sql-bytes", sql_bytes_max, 64 * LIMIT_KIB, 64, LIMIT_MIB, "the text of one")        \
	X("max-queries", queries_max, 64, 1, 10000, "queries waiting or running")                  \
	X("max-query-series", query_series_max, 50000, 1, 10000000,                                \
	    "series that one part of a PromQL query may have")                                     \
	X("max-query-samples", query_samples_max, 10000000, 1, 1000000000,                         \
	    "samples that one PromQL query may read")                                              \
	X("max-query-steps", query_steps_max, 11000, 1, 1000000,                                   \
	    "steps of a PromQL query over a range of time")                                        \
	X("max-live-readers", live_readers_max, 128, 1, 10000,                                     \
	    "clients that follow what comes in, all tenants together")                             \
	X("max-live-bytes", live_bytes_max, 2 * LIMIT_MIB, 4 * LIMIT_KIB, 64 * LIMIT_MIB,          \
	    "what waits for one of them; beyond it items are left out, counted, and it is told")   \
	X("max-live-queue-bytes", live_queue_bytes_max, 32 * LIMIT_MIB, 64 * LIMIT_KIB,            \
	    16 * LIMIT_GIB, "items that are not yet compared with what they ask for")              \
	X("live-heartbeat-ms", live_heartbeat_ms, 15000, 100, 600000,                              \
	    "silence after which such a client gets a sign of life")

struct limits {
#define X(option, field, dflt, min, max, help) uint64_t field;
	LIMIT_TABLE(X)
#undef X
};

/* All fields at their defaults. */
struct limits limits_default(void);
/* All as large as an option may make them: for what was let in by other limits once. */
struct limits limits_widest(void);

/* Compile-time bounds. */
#define LIMIT_TENANT_BYTES 64
/* Of what is pulled (store/pull.h): a source's name, as tenants have them; a position in it, any bytes; how many sources
 * a tenant may have, and all of them together. */
#define LIMIT_SOURCE_BYTES 64
#define LIMIT_POSITION_BYTES 64
#define LIMIT_TENANT_SOURCES 1000
#define LIMIT_SOURCES 10000
/* What is the matter with a part of weir, in words (/readyz). */
#define LIMIT_CHECK_TEXT_BYTES 160
#define LIMIT_COMMENT_ID_BYTES 128
#define LIMIT_COMMENT_AUTHOR_BYTES 256
/* Protobuf messages or JSON values inside one another, all told. A key-value list inside another
 * costs four JSON levels, so this leaves room for the largest max-depth and the way down to it. */
#define LIMIT_MESSAGE_DEPTH 512
/* Of an analysis (store/partial.h), the same on every node, for parts of one answer have to agree: services and
 * operations of a window that are counted each for itself, the rest is one sum; different traces, or names of metrics, up
 * to which their number is exact. */
#define LIMIT_PARTIAL_SERVICES 10000
#define LIMIT_PARTIAL_OPERATIONS 10000
#define LIMIT_PARTIAL_EXACT (1 << 17)

#endif
