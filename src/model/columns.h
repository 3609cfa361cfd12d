/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/columns.h - the schema: every column of every table weir stores.
 *
 * One X-macro list per table says each column's name, SQL name, kind and whether it may be NULL.
 * From it come the enum of column indexes, the DuckDB schema, the appender and the readers:
 * a column is added in one place. Names are those of SQL users too.
 *
 * Kinds:  U64 I64 U32 I32 F64 BOOL   one value
 *         STR                        bytes, valid UTF-8; a NULL ptr is SQL NULL where allowed,
 *                                    else the empty string
 *         U64S F64S                  a list; NULL ptr as above
 * Ids are big-endian halves: trace id = trace_hi, trace_lo; 0 means absent. Times are unix
 * nanoseconds. `seq` is the log position of the request and `ord` the item's ordinal in it,
 * counted from 0 over the items as they came, refused ones included: (seq, ord) names a row.
 * Attribute columns, events, links and exemplars hold typed JSON, see model/typed.h.
 */
#ifndef MODEL_COLUMNS_H
#define MODEL_COLUMNS_H

#include "model/series_columns.h"

#include <stdbool.h>

enum col_kind {
	COL_U64,
	COL_I64,
	COL_U32,
	COL_I32,
	COL_F64,
	COL_BOOL,
	COL_STR,
	COL_U64S,
	COL_F64S
};

#define COL_REQUIRED false
#define COL_NULLABLE true

/* duration_ns is end - start as a wrapping difference: end = start + (uint64_t)duration is exact
 * whatever the two were. */
#define SPAN_COLUMNS(X)                                                                            \
	X(SPAN_TENANT, "tenant", COL_STR, COL_REQUIRED)                                            \
	X(SPAN_SEQ, "seq", COL_U64, COL_REQUIRED)                                                  \
	X(SPAN_ORD, "ord", COL_U32, COL_REQUIRED)                                                  \
	X(SPAN_TRACE_HI, "trace_hi", COL_U64, COL_REQUIRED)                                        \
	X(SPAN_TRACE_LO, "trace_lo", COL_U64, COL_REQUIRED)                                        \
	X(SPAN_SPAN_ID, "span_id", COL_U64, COL_REQUIRED)                                          \
	X(SPAN_PARENT_ID, "parent_id", COL_U64, COL_REQUIRED)                                      \
	X(SPAN_START_NS, "start_ns", COL_U64, COL_REQUIRED)                                        \
	X(SPAN_DURATION_NS, "duration_ns", COL_I64, COL_REQUIRED)                                  \
	X(SPAN_SERVICE, "service", COL_STR, COL_REQUIRED)                                          \
	X(SPAN_NAME, "name", COL_STR, COL_REQUIRED)                                                \
	X(SPAN_KIND, "kind", COL_I32, COL_REQUIRED)                                                \
	X(SPAN_STATUS_CODE, "status_code", COL_I32, COL_REQUIRED)                                  \
	X(SPAN_STATUS_MESSAGE, "status_message", COL_STR, COL_REQUIRED)                            \
	X(SPAN_TRACE_STATE, "trace_state", COL_STR, COL_REQUIRED)                                  \
	X(SPAN_FLAGS, "flags", COL_U32, COL_REQUIRED)                                              \
	X(SPAN_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                    \
	X(SPAN_DROPPED_ATTRIBUTES, "dropped_attributes", COL_U32, COL_REQUIRED)                    \
	X(SPAN_EVENTS, "events", COL_STR, COL_NULLABLE)                                            \
	X(SPAN_DROPPED_EVENTS, "dropped_events", COL_U32, COL_REQUIRED)                            \
	X(SPAN_LINKS, "links", COL_STR, COL_NULLABLE)                                              \
	X(SPAN_DROPPED_LINKS, "dropped_links", COL_U32, COL_REQUIRED)                              \
	X(SPAN_RESOURCE_ID, "resource_id", COL_U64, COL_REQUIRED)                                  \
	X(SPAN_SCOPE_ID, "scope_id", COL_U64, COL_REQUIRED)

/* event_ns is time_ns, or observed_ns when that is 0, or the time of receipt when both are: what
 * a log record is ordered and partitioned by. body is the text itself when body_kind is
 * LOG_BODY_STRING, else typed JSON. */
#define LOG_COLUMNS(X)                                                                             \
	X(LOG_TENANT, "tenant", COL_STR, COL_REQUIRED)                                             \
	X(LOG_SEQ, "seq", COL_U64, COL_REQUIRED)                                                   \
	X(LOG_ORD, "ord", COL_U32, COL_REQUIRED)                                                   \
	X(LOG_EVENT_NS, "event_ns", COL_U64, COL_REQUIRED)                                         \
	X(LOG_TIME_NS, "time_ns", COL_U64, COL_REQUIRED)                                           \
	X(LOG_OBSERVED_NS, "observed_ns", COL_U64, COL_REQUIRED)                                   \
	X(LOG_TRACE_HI, "trace_hi", COL_U64, COL_REQUIRED)                                         \
	X(LOG_TRACE_LO, "trace_lo", COL_U64, COL_REQUIRED)                                         \
	X(LOG_SPAN_ID, "span_id", COL_U64, COL_REQUIRED)                                           \
	X(LOG_SERVICE, "service", COL_STR, COL_REQUIRED)                                           \
	X(LOG_SEVERITY_NUMBER, "severity_number", COL_I32, COL_REQUIRED)                           \
	X(LOG_SEVERITY_TEXT, "severity_text", COL_STR, COL_REQUIRED)                               \
	X(LOG_BODY, "body", COL_STR, COL_NULLABLE)                                                 \
	X(LOG_BODY_KIND, "body_kind", COL_I32, COL_REQUIRED)                                       \
	X(LOG_EVENT_NAME, "event_name", COL_STR, COL_REQUIRED)                                     \
	X(LOG_FLAGS, "flags", COL_U32, COL_REQUIRED)                                               \
	X(LOG_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                     \
	X(LOG_DROPPED_ATTRIBUTES, "dropped_attributes", COL_U32, COL_REQUIRED)                     \
	X(LOG_RESOURCE_ID, "resource_id", COL_U64, COL_REQUIRED)                                   \
	X(LOG_SCOPE_ID, "scope_id", COL_U64, COL_REQUIRED)

enum log_body_kind { LOG_BODY_NONE, LOG_BODY_STRING, LOG_BODY_TYPED };

/* One row a data point. series_id is a hash of (tenant, resource attributes, scope, name, unit, type
 * with temporality and monotonicity, attributes); the order of attributes does not matter to it.
 * A gauge or sum has value or value_int; has_no_value is bit 0 of flags. */
#define POINT_COLUMNS(X)                                                                           \
	X(POINT_TENANT, "tenant", COL_STR, COL_REQUIRED)                                           \
	X(POINT_SEQ, "seq", COL_U64, COL_REQUIRED)                                                 \
	X(POINT_ORD, "ord", COL_U32, COL_REQUIRED)                                                 \
	X(POINT_TIME_NS, "time_ns", COL_U64, COL_REQUIRED)                                         \
	X(POINT_START_NS, "start_ns", COL_U64, COL_REQUIRED)                                       \
	X(POINT_SERVICE, "service", COL_STR, COL_REQUIRED)                                         \
	X(POINT_NAME, "name", COL_STR, COL_REQUIRED)                                               \
	X(POINT_DESCRIPTION, "description", COL_STR, COL_REQUIRED)                                 \
	X(POINT_UNIT, "unit", COL_STR, COL_REQUIRED)                                               \
	X(POINT_METADATA, "metadata", COL_STR, COL_NULLABLE)                                       \
	X(POINT_TYPE, "type", COL_I32, COL_REQUIRED)                                               \
	X(POINT_TEMPORALITY, "temporality", COL_I32, COL_REQUIRED)                                 \
	X(POINT_MONOTONIC, "is_monotonic", COL_BOOL, COL_REQUIRED)                                 \
	X(POINT_SERIES_ID, "series_id", COL_U64, COL_REQUIRED)                                     \
	X(POINT_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                   \
	X(POINT_FLAGS, "flags", COL_U32, COL_REQUIRED)                                             \
	X(POINT_VALUE, "value", COL_F64, COL_NULLABLE)                                             \
	X(POINT_VALUE_INT, "value_int", COL_I64, COL_NULLABLE)                                     \
	X(POINT_COUNT, "count", COL_U64, COL_NULLABLE)                                             \
	X(POINT_SUM, "sum", COL_F64, COL_NULLABLE)                                                 \
	X(POINT_MIN, "min", COL_F64, COL_NULLABLE)                                                 \
	X(POINT_MAX, "max", COL_F64, COL_NULLABLE)                                                 \
	X(POINT_BOUNDS, "explicit_bounds", COL_F64S, COL_NULLABLE)                                 \
	X(POINT_BUCKETS, "bucket_counts", COL_U64S, COL_NULLABLE)                                  \
	X(POINT_SCALE, "scale", COL_I32, COL_NULLABLE)                                             \
	X(POINT_ZERO_COUNT, "zero_count", COL_U64, COL_NULLABLE)                                   \
	X(POINT_ZERO_THRESHOLD, "zero_threshold", COL_F64, COL_NULLABLE)                           \
	X(POINT_POS_OFFSET, "positive_offset", COL_I32, COL_NULLABLE)                              \
	X(POINT_POS_COUNTS, "positive_counts", COL_U64S, COL_NULLABLE)                             \
	X(POINT_NEG_OFFSET, "negative_offset", COL_I32, COL_NULLABLE)                              \
	X(POINT_NEG_COUNTS, "negative_counts", COL_U64S, COL_NULLABLE)                             \
	X(POINT_QUANTILES, "quantiles", COL_F64S, COL_NULLABLE)                                    \
	X(POINT_QUANTILE_VALUES, "quantile_values", COL_F64S, COL_NULLABLE)                        \
	X(POINT_EXEMPLARS, "exemplars", COL_STR, COL_NULLABLE)                                     \
	X(POINT_RESOURCE_ID, "resource_id", COL_U64, COL_REQUIRED)                                 \
	X(POINT_SCOPE_ID, "scope_id", COL_U64, COL_REQUIRED)

enum point_type {
	POINT_GAUGE = 1,
	POINT_SUM_TYPE,
	POINT_HISTOGRAM,
	POINT_EXP_HISTOGRAM,
	POINT_SUMMARY
};

/* What somebody has said of a trace or a span of it. (tenant, id) names a comment: the first one wins. span_id 0: it is
 * of the trace. */
#define COMMENT_COLUMNS(X)                                                                         \
	X(COMMENT_TENANT, "tenant", COL_STR, COL_REQUIRED)                                         \
	X(COMMENT_SEQ, "seq", COL_U64, COL_REQUIRED)                                               \
	X(COMMENT_ORD, "ord", COL_U32, COL_REQUIRED)                                               \
	X(COMMENT_CREATED_NS, "created_ns", COL_U64, COL_REQUIRED)                                 \
	X(COMMENT_TRACE_HI, "trace_hi", COL_U64, COL_REQUIRED)                                     \
	X(COMMENT_TRACE_LO, "trace_lo", COL_U64, COL_REQUIRED)                                     \
	X(COMMENT_SPAN_ID, "span_id", COL_U64, COL_REQUIRED)                                       \
	X(COMMENT_ID, "id", COL_STR, COL_REQUIRED)                                                 \
	X(COMMENT_AUTHOR, "author", COL_STR, COL_REQUIRED)                                         \
	X(COMMENT_BODY, "body", COL_STR, COL_REQUIRED)

/* id is a hash of the content (tenant included), so that equal resources are one row, on every
 * shard the same. */
#define RESOURCE_COLUMNS(X)                                                                        \
	X(RESOURCE_ID, "id", COL_U64, COL_REQUIRED)                                                \
	X(RESOURCE_TENANT, "tenant", COL_STR, COL_REQUIRED)                                        \
	X(RESOURCE_SERVICE, "service", COL_STR, COL_REQUIRED)                                      \
	X(RESOURCE_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                \
	X(RESOURCE_DROPPED_ATTRIBUTES, "dropped_attributes", COL_U32, COL_REQUIRED)                \
	X(RESOURCE_SCHEMA_URL, "schema_url", COL_STR, COL_REQUIRED)                                \
	X(RESOURCE_ENTITY_REFS, "entity_refs", COL_STR, COL_NULLABLE)

#define SCOPE_COLUMNS(X)                                                                           \
	X(SCOPE_ID, "id", COL_U64, COL_REQUIRED)                                                   \
	X(SCOPE_TENANT, "tenant", COL_STR, COL_REQUIRED)                                           \
	X(SCOPE_NAME, "name", COL_STR, COL_REQUIRED)                                               \
	X(SCOPE_VERSION, "version", COL_STR, COL_REQUIRED)                                         \
	X(SCOPE_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                   \
	X(SCOPE_DROPPED_ATTRIBUTES, "dropped_attributes", COL_U32, COL_REQUIRED)                   \
	X(SCOPE_SCHEMA_URL, "schema_url", COL_STR, COL_REQUIRED)

/* Not stored: the answer to "which services are there". Counts over the asked window. */
#define SERVICE_COLUMNS(X)                                                                         \
	X(SERVICE_NAME, "name", COL_STR, COL_REQUIRED)                                             \
	X(SERVICE_SPANS, "span_count", COL_U64, COL_REQUIRED)                                      \
	X(SERVICE_TRACES, "trace_count", COL_U64, COL_REQUIRED)                                    \
	X(SERVICE_ERRORS, "error_count", COL_U64, COL_REQUIRED)                                    \
	X(SERVICE_ENDED, "ended_count", COL_U64, COL_REQUIRED) /* spans of duration >= 0 */        \
	X(SERVICE_DURATION_SUM_NS, "duration_sum_ns", COL_F64, COL_REQUIRED) /* of those */        \
	X(SERVICE_LOGS, "log_count", COL_U64, COL_REQUIRED)                                        \
	X(SERVICE_POINTS, "point_count", COL_U64, COL_REQUIRED)                                    \
	X(SERVICE_FIRST_NS, "first_ns", COL_U64, COL_REQUIRED)                                     \
	X(SERVICE_LAST_NS, "last_ns", COL_U64, COL_REQUIRED)

/* Not stored: the answer to "which traces are there". root_ is the earliest span without a parent, or when there is
 * none (root_missing) the earliest span; of those that start together the one with the lowest id. `services` is
 * typed JSON, [{"name":"..","span_count":n,"error_count":n}, ..], sorted by name. Place: the newest span that met the conditions. */
#define TRACE_COLUMNS(X)                                                                           \
	X(TRACE_HI, "trace_hi", COL_U64, COL_REQUIRED)                                             \
	X(TRACE_LO, "trace_lo", COL_U64, COL_REQUIRED)                                             \
	X(TRACE_START_NS, "start_ns", COL_U64, COL_REQUIRED) /* the earliest start */              \
	X(TRACE_END_NS, "end_ns", COL_U64, COL_REQUIRED) /* the latest end or start */             \
	X(TRACE_SPAN_COUNT, "span_count", COL_U64, COL_REQUIRED)                                   \
	X(TRACE_ERROR_COUNT, "error_count", COL_U64, COL_REQUIRED)                                 \
	X(TRACE_MATCHED, "matched_count", COL_U64, COL_REQUIRED)                                   \
	X(TRACE_ROOT_MISSING, "root_missing", COL_BOOL, COL_REQUIRED)                              \
	X(TRACE_ROOT_ID, "root_span_id", COL_U64, COL_REQUIRED)                                    \
	X(TRACE_ROOT_SERVICE, "root_service", COL_STR, COL_REQUIRED)                               \
	X(TRACE_ROOT_NAME, "root_name", COL_STR, COL_REQUIRED)                                     \
	X(TRACE_ROOT_KIND, "root_kind", COL_I32, COL_REQUIRED)                                     \
	X(TRACE_ROOT_STATUS, "root_status_code", COL_I32, COL_REQUIRED)                            \
	X(TRACE_SERVICES, "services", COL_STR, COL_REQUIRED)                                       \
	X(TRACE_PLACE_NS, "place_ns", COL_U64, COL_REQUIRED)                                       \
	X(TRACE_PLACE_SEQ, "place_seq", COL_U64, COL_REQUIRED)                                     \
	X(TRACE_PLACE_ORD, "place_ord", COL_U32, COL_REQUIRED)

/* Not stored: counts over time, in order of time; each bucket ends where the next one begins. */
#define BUCKET_COLUMNS(X)                                                                          \
	X(BUCKET_FROM_NS, "from_ns", COL_U64, COL_REQUIRED)                                        \
	X(BUCKET_TO_NS, "to_ns", COL_U64, COL_REQUIRED) /* exclusive, but UINT64_MAX: no end */    \
	X(BUCKET_COUNT, "count", COL_U64, COL_REQUIRED)

#define X(id, name, kind, nullable) id,
enum span_col { SPAN_COLUMNS(X) SPAN_COL_COUNT };
enum log_col { LOG_COLUMNS(X) LOG_COL_COUNT };
enum point_col { POINT_COLUMNS(X) POINT_COL_COUNT };
enum comment_col { COMMENT_COLUMNS(X) COMMENT_COL_COUNT };
enum resource_col { RESOURCE_COLUMNS(X) RESOURCE_COL_COUNT };
enum scope_col { SCOPE_COLUMNS(X) SCOPE_COL_COUNT };
enum service_col { SERVICE_COLUMNS(X) SERVICE_COL_COUNT };
enum trace_col { TRACE_COLUMNS(X) TRACE_COL_COUNT };
enum bucket_col { BUCKET_COLUMNS(X) BUCKET_COL_COUNT };
#undef X

enum table_id {
	TABLE_SPANS,
	TABLE_LOGS,
	TABLE_POINTS,
	TABLE_COMMENTS,
	TABLE_RESOURCES,
	TABLE_SCOPES,
	TABLE_STORED_COUNT,
	TABLE_SERVICES = TABLE_STORED_COUNT,
	TABLE_TRACES,
	TABLE_BUCKETS,
	TABLE_METRICS,
	TABLE_SERIES,
	TABLE_SAMPLES,
	TABLE_DISTRIBUTIONS,
	TABLE_COUNT
};

#endif
