/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The views of users' SQL: names, types, what they are made of. docs/sql.md and GET /api/v1/sql/schema follow.
 *
 * A view of telemetry that is new here needs a row in user_views[] and one in duck_user_views[], its columns, a table
 * of model/columns.h to be read from, and, when it is none of the signals', a branch in duck_user_scan.c.
 */
#include "duck/duck_user_priv.h"

const char *const user_kinds[] = {
    "unspecified", "internal", "server", "client", "producer", "consumer"};
const char *const user_statuses[] = {"unset", "ok", "error"};
const char *const user_point_types[] = {
    "none", "gauge", "sum", "histogram", "exponential_histogram", "summary"};
const char *const user_temporalities[] = {"unspecified", "delta", "cumulative"};

/* X(name, type, how it is made, of which columns, help) */
#define SPANS_VIEW(X)                                                                              \
	X("trace_id", "VARCHAR", HOW_TRACE_ID, SPAN_TRACE_HI, SPAN_TRACE_LO, -1, "32 hex digits")  \
	X("span_id", "VARCHAR", HOW_SPAN_ID, SPAN_SPAN_ID, -1, -1, "16 hex digits")                \
	X("parent_span_id", "VARCHAR", HOW_SPAN_ID, SPAN_PARENT_ID, -1, -1, "NULL: it is a root")  \
	X("service", "VARCHAR", HOW_RAW, SPAN_SERVICE, -1, -1,                                     \
	    "service.name of the resource, or unknown")                                            \
	X("name", "VARCHAR", HOW_RAW, SPAN_NAME, -1, -1, "of the span")                            \
	X("operation", "VARCHAR", HOW_RAW, SPAN_NAME, -1, -1, "the same as name")                  \
	X("kind", "VARCHAR", HOW_WORD, SPAN_KIND, -1, -1,                                          \
	    "internal, server, client, producer, consumer, unspecified")                           \
	X("start_time", "TIMESTAMP_NS", HOW_TIME, SPAN_START_NS, -1, -1,                           \
	    "UTC; bounds on it make a query fast")                                                 \
	X("end_time", "TIMESTAMP_NS", HOW_END_TIME, SPAN_START_NS, SPAN_DURATION_NS, -1,           \
	    "UTC; 1970: it came without an end")                                                   \
	X("start_unix_nano", "UBIGINT", HOW_RAW, SPAN_START_NS, -1, -1, "exact, whatever came")    \
	X("end_unix_nano", "UBIGINT", HOW_END_NS, SPAN_START_NS, SPAN_DURATION_NS, -1,             \
	    "exact; 0: it came without an end")                                                    \
	X("duration_ms", "DOUBLE", HOW_MS, SPAN_DURATION_NS, -1, -1, "end minus start")            \
	X("duration_ns", "BIGINT", HOW_RAW, SPAN_DURATION_NS, -1, -1, "the same, exact")           \
	X("status", "VARCHAR", HOW_WORD, SPAN_STATUS_CODE, -1, -1, "ok, error, unset")             \
	X("status_message", "VARCHAR", HOW_RAW, SPAN_STATUS_MESSAGE, -1, -1, "")                   \
	X("attributes", "JSON", HOW_OBJECT, SPAN_ATTRIBUTES, -1, -1,                               \
	    "attributes->>'http.route' is the text of one")                                        \
	X("events", "JSON", HOW_ARRAY, SPAN_EVENTS, -1, -1,                                        \
	    "[{name, time_unix_nano, attributes}, ...]")                                           \
	X("links", "JSON", HOW_ARRAY, SPAN_LINKS, -1, -1,                                          \
	    "[{trace_id, span_id, trace_state, attributes}, ...]")                                 \
	X("resource", "JSON", HOW_RESOURCE, SPAN_RESOURCE_ID, -1, -1,                              \
	    "attributes of the resource")                                                          \
	X("scope_name", "VARCHAR", HOW_SCOPE_NAME, SPAN_SCOPE_ID, -1, -1,                          \
	    "of the instrumentation")                                                              \
	X("scope_version", "VARCHAR", HOW_SCOPE_VERSION, SPAN_SCOPE_ID, -1, -1, "")                \
	X("trace_state", "VARCHAR", HOW_RAW, SPAN_TRACE_STATE, -1, -1, "")                         \
	X("flags", "UINTEGER", HOW_RAW, SPAN_FLAGS, -1, -1, "")                                    \
	X("dropped_attributes_count", "UINTEGER", HOW_RAW, SPAN_DROPPED_ATTRIBUTES, -1, -1, "")    \
	X("dropped_events_count", "UINTEGER", HOW_RAW, SPAN_DROPPED_EVENTS, -1, -1, "")            \
	X("dropped_links_count", "UINTEGER", HOW_RAW, SPAN_DROPPED_LINKS, -1, -1, "")              \
	X("resource_id", "UBIGINT", HOW_RAW, SPAN_RESOURCE_ID, -1, -1, "of the view resources")    \
	X("scope_id", "UBIGINT", HOW_RAW, SPAN_SCOPE_ID, -1, -1, "of the view scopes")

#define LOGS_VIEW(X)                                                                               \
	X("timestamp", "TIMESTAMP_NS", HOW_TIME, LOG_EVENT_NS, -1, -1,                             \
	    "UTC; time, or observed time, or that of receipt")                                     \
	X("time_unix_nano", "UBIGINT", HOW_RAW, LOG_EVENT_NS, -1, -1, "the same, exact")           \
	X("observed_timestamp", "TIMESTAMP_NS", HOW_TIME_OR_NULL, LOG_OBSERVED_NS, -1, -1,         \
	    "NULL: none came")                                                                     \
	X("observed_unix_nano", "UBIGINT", HOW_RAW, LOG_OBSERVED_NS, -1, -1, "0: none came")       \
	X("trace_id", "VARCHAR", HOW_TRACE_ID, LOG_TRACE_HI, LOG_TRACE_LO, -1,                     \
	    "32 hex digits, or NULL")                                                              \
	X("span_id", "VARCHAR", HOW_SPAN_ID, LOG_SPAN_ID, -1, -1, "16 hex digits, or NULL")        \
	X("service", "VARCHAR", HOW_RAW, LOG_SERVICE, -1, -1,                                      \
	    "service.name of the resource, or unknown")                                            \
	X("severity", "VARCHAR", HOW_SEVERITY, LOG_SEVERITY_NUMBER, -1, -1,                        \
	    "trace, debug, info, warn, error, fatal, unspecified")                                 \
	X("severity_number", "INTEGER", HOW_RAW, LOG_SEVERITY_NUMBER, -1, -1,                      \
	    "1 to 24, or what came")                                                               \
	X("severity_text", "VARCHAR", HOW_RAW, LOG_SEVERITY_TEXT, -1, -1, "as it came")            \
	X("body", "VARCHAR", HOW_BODY, LOG_BODY, LOG_BODY_KIND, -1,                                \
	    "the text; of a body that is none its JSON; NULL: none")                               \
	X("event_name", "VARCHAR", HOW_RAW, LOG_EVENT_NAME, -1, -1, "")                            \
	X("attributes", "JSON", HOW_OBJECT, LOG_ATTRIBUTES, -1, -1,                                \
	    "attributes->>'user.id' is the text of one")                                           \
	X("resource", "JSON", HOW_RESOURCE, LOG_RESOURCE_ID, -1, -1, "attributes of the resource") \
	X("scope_name", "VARCHAR", HOW_SCOPE_NAME, LOG_SCOPE_ID, -1, -1, "of the instrumentation") \
	X("scope_version", "VARCHAR", HOW_SCOPE_VERSION, LOG_SCOPE_ID, -1, -1, "")                 \
	X("flags", "UINTEGER", HOW_RAW, LOG_FLAGS, -1, -1, "")                                     \
	X("dropped_attributes_count", "UINTEGER", HOW_RAW, LOG_DROPPED_ATTRIBUTES, -1, -1, "")     \
	X("resource_id", "UBIGINT", HOW_RAW, LOG_RESOURCE_ID, -1, -1, "of the view resources")     \
	X("scope_id", "UBIGINT", HOW_RAW, LOG_SCOPE_ID, -1, -1, "of the view scopes")

#define METRICS_VIEW(X)                                                                            \
	X("timestamp", "TIMESTAMP_NS", HOW_TIME, POINT_TIME_NS, -1, -1, "UTC")                     \
	X("time_unix_nano", "UBIGINT", HOW_RAW, POINT_TIME_NS, -1, -1, "the same, exact")          \
	X("start_time", "TIMESTAMP_NS", HOW_TIME_OR_NULL, POINT_START_NS, -1, -1,                  \
	    "since when a sum counts; NULL: not said")                                             \
	X("start_unix_nano", "UBIGINT", HOW_RAW, POINT_START_NS, -1, -1, "0: not said")            \
	X("service", "VARCHAR", HOW_RAW, POINT_SERVICE, -1, -1,                                    \
	    "service.name of the resource, or unknown")                                            \
	X("name", "VARCHAR", HOW_RAW, POINT_NAME, -1, -1, "of the metric")                         \
	X("description", "VARCHAR", HOW_RAW, POINT_DESCRIPTION, -1, -1, "")                        \
	X("unit", "VARCHAR", HOW_RAW, POINT_UNIT, -1, -1, "")                                      \
	X("metric_type", "VARCHAR", HOW_WORD, POINT_TYPE, -1, -1,                                  \
	    "gauge, sum, histogram, exponential_histogram, summary")                               \
	X("temporality", "VARCHAR", HOW_TEMPORALITY, POINT_TEMPORALITY, POINT_TYPE, -1,            \
	    "unspecified, delta, cumulative; NULL for gauges and summaries")                       \
	X("is_monotonic", "BOOLEAN", HOW_RAW, POINT_MONOTONIC, -1, -1, "of a sum")                 \
	X("value", "DOUBLE", HOW_VALUE, POINT_VALUE, POINT_VALUE_INT, POINT_SUM,                   \
	    "of a gauge or sum; of others their sum; NULL: there is none")                         \
	X("value_int", "BIGINT", HOW_RAW, POINT_VALUE_INT, -1, -1,                                 \
	    "the value, exact, when it came as an integer")                                        \
	X("count", "UBIGINT", HOW_RAW, POINT_COUNT, -1, -1, "of a histogram or summary")           \
	X("sum", "DOUBLE", HOW_RAW, POINT_SUM, -1, -1, "of a histogram or summary")                \
	X("min", "DOUBLE", HOW_RAW, POINT_MIN, -1, -1, "of a histogram")                           \
	X("max", "DOUBLE", HOW_RAW, POINT_MAX, -1, -1, "of a histogram")                           \
	X("explicit_bounds", "DOUBLE[]", HOW_RAW, POINT_BOUNDS, -1, -1, "of a histogram")          \
	X("bucket_counts", "UBIGINT[]", HOW_RAW, POINT_BUCKETS, -1, -1,                            \
	    "of a histogram: one more than bounds")                                                \
	X("scale", "INTEGER", HOW_RAW, POINT_SCALE, -1, -1,                                        \
	    "of an exponential histogram, as all down to negative_counts")                         \
	X("zero_count", "UBIGINT", HOW_RAW, POINT_ZERO_COUNT, -1, -1, "")                          \
	X("zero_threshold", "DOUBLE", HOW_RAW, POINT_ZERO_THRESHOLD, -1, -1, "")                   \
	X("positive_offset", "INTEGER", HOW_RAW, POINT_POS_OFFSET, -1, -1, "")                     \
	X("positive_counts", "UBIGINT[]", HOW_RAW, POINT_POS_COUNTS, -1, -1, "")                   \
	X("negative_offset", "INTEGER", HOW_RAW, POINT_NEG_OFFSET, -1, -1, "")                     \
	X("negative_counts", "UBIGINT[]", HOW_RAW, POINT_NEG_COUNTS, -1, -1, "")                   \
	X("quantiles", "DOUBLE[]", HOW_RAW, POINT_QUANTILES, -1, -1, "of a summary")               \
	X("quantile_values", "DOUBLE[]", HOW_RAW, POINT_QUANTILE_VALUES, -1, -1, "of a summary")   \
	X("attributes", "JSON", HOW_OBJECT, POINT_ATTRIBUTES, -1, -1,                              \
	    "attributes->>'http.route' is the text of one")                                        \
	X("exemplars", "JSON", HOW_ARRAY, POINT_EXEMPLARS, -1, -1,                                 \
	    "[{time_unix_nano, value, trace_id, span_id, attributes}, ...]")                       \
	X("metadata", "JSON", HOW_OBJECT, POINT_METADATA, -1, -1, "of the metric")                 \
	X("resource", "JSON", HOW_RESOURCE, POINT_RESOURCE_ID, -1, -1,                             \
	    "attributes of the resource")                                                          \
	X("scope_name", "VARCHAR", HOW_SCOPE_NAME, POINT_SCOPE_ID, -1, -1,                         \
	    "of the instrumentation")                                                              \
	X("scope_version", "VARCHAR", HOW_SCOPE_VERSION, POINT_SCOPE_ID, -1, -1, "")               \
	X("series_id", "UBIGINT", HOW_RAW, POINT_SERIES_ID, -1, -1,                                \
	    "the same for all points of a series")                                                 \
	X("flags", "UINTEGER", HOW_RAW, POINT_FLAGS, -1, -1, "")                                   \
	X("resource_id", "UBIGINT", HOW_RAW, POINT_RESOURCE_ID, -1, -1, "of the view resources")   \
	X("scope_id", "UBIGINT", HOW_RAW, POINT_SCOPE_ID, -1, -1, "of the view scopes")

#define COMMENTS_VIEW(X)                                                                           \
	X("id", "VARCHAR", HOW_RAW, COMMENT_ID, -1, -1, "")                                        \
	X("trace_id", "VARCHAR", HOW_TRACE_ID, COMMENT_TRACE_HI, COMMENT_TRACE_LO, -1,             \
	    "32 hex digits")                                                                       \
	X("span_id", "VARCHAR", HOW_SPAN_ID, COMMENT_SPAN_ID, -1, -1,                              \
	    "NULL: it is about the trace")                                                         \
	X("author", "VARCHAR", HOW_RAW, COMMENT_AUTHOR, -1, -1, "who said so")                     \
	X("body", "VARCHAR", HOW_RAW, COMMENT_BODY, -1, -1, "its text")                            \
	X("created_at", "TIMESTAMP_NS", HOW_TIME, COMMENT_CREATED_NS, -1, -1, "UTC")               \
	X("created_unix_nano", "UBIGINT", HOW_RAW, COMMENT_CREATED_NS, -1, -1, "the same, exact")

#define RESOURCES_VIEW(X)                                                                          \
	X("resource_id", "UBIGINT", HOW_RAW, RESOURCE_ID, -1, -1, "")                              \
	X("service", "VARCHAR", HOW_RAW, RESOURCE_SERVICE, -1, -1, "its service.name, or unknown") \
	X("attributes", "JSON", HOW_OBJECT, RESOURCE_ATTRIBUTES, -1, -1, "")                       \
	X("dropped_attributes_count", "UINTEGER", HOW_RAW, RESOURCE_DROPPED_ATTRIBUTES, -1, -1,    \
	    "")                                                                                    \
	X("schema_url", "VARCHAR", HOW_RAW, RESOURCE_SCHEMA_URL, -1, -1, "")                       \
	X("entity_refs", "JSON", HOW_ARRAY, RESOURCE_ENTITY_REFS, -1, -1, "")

#define SCOPES_VIEW(X)                                                                             \
	X("scope_id", "UBIGINT", HOW_RAW, SCOPE_ID, -1, -1, "")                                    \
	X("name", "VARCHAR", HOW_RAW, SCOPE_NAME, -1, -1, "")                                      \
	X("version", "VARCHAR", HOW_RAW, SCOPE_VERSION, -1, -1, "")                                \
	X("attributes", "JSON", HOW_OBJECT, SCOPE_ATTRIBUTES, -1, -1, "")                          \
	X("dropped_attributes_count", "UINTEGER", HOW_RAW, SCOPE_DROPPED_ATTRIBUTES, -1, -1, "")   \
	X("schema_url", "VARCHAR", HOW_RAW, SCOPE_SCHEMA_URL, -1, -1, "")

#define SERVICE_COUNTS(X)                                                                          \
	X("service", "VARCHAR", HOW_RAW, SERVICE_NAME, -1, -1, "")                                 \
	X("span_count", "UBIGINT", HOW_RAW, SERVICE_SPANS, -1, -1, "")                             \
	X("trace_count", "UBIGINT", HOW_RAW, SERVICE_TRACES, -1, -1, "")                           \
	X("error_count", "UBIGINT", HOW_RAW, SERVICE_ERRORS, -1, -1, "")                           \
	X("ended_count", "UBIGINT", HOW_RAW, SERVICE_ENDED, -1, -1, "")                            \
	X("duration_sum_ns", "DOUBLE", HOW_RAW, SERVICE_DURATION_SUM_NS, -1, -1, "")               \
	X("log_count", "UBIGINT", HOW_RAW, SERVICE_LOGS, -1, -1, "")                               \
	X("point_count", "UBIGINT", HOW_RAW, SERVICE_POINTS, -1, -1, "")                           \
	X("first_seen", "TIMESTAMP_NS", HOW_TIME, SERVICE_FIRST_NS, -1, -1, "")                    \
	X("last_seen", "TIMESTAMP_NS", HOW_TIME, SERVICE_LAST_NS, -1, -1, "")

#define X(name, type, how, a, b, c, help) {name, type, help},
static const struct store_sql_column spans_columns[] = {SPANS_VIEW(X){0}};
static const struct store_sql_column logs_columns[] = {LOGS_VIEW(X){0}};
static const struct store_sql_column metrics_columns[] = {METRICS_VIEW(X){0}};
static const struct store_sql_column comments_columns[] = {COMMENTS_VIEW(X){0}};
static const struct store_sql_column resources_columns[] = {RESOURCES_VIEW(X){0}};
static const struct store_sql_column scopes_columns[] = {SCOPES_VIEW(X){0}};
static const struct store_sql_column service_counts_columns[] = {SERVICE_COUNTS(X){0}};
#undef X
#define X(name, type, how, a, b, c, help) {how, {a, b, c}},
static const struct user_source spans_sources[] = {SPANS_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source logs_sources[] = {LOGS_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source metrics_sources[] = {METRICS_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source comments_sources[] = {COMMENTS_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source resources_sources[] = {RESOURCES_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source scopes_sources[] = {SCOPES_VIEW(X){HOW_RAW, {-1, -1, -1}}};
static const struct user_source service_counts_sources[] = {
    SERVICE_COUNTS(X){HOW_RAW, {-1, -1, -1}}};
#undef X

static const struct store_sql_column services_columns[] = {{"service", "VARCHAR", "its name"},
    {"span_count", "UBIGINT", ""}, {"trace_count", "UBIGINT", "traces that it has spans of"},
    {"error_count", "UBIGINT", "spans whose status is error"},
    {"error_rate", "DOUBLE", "errors per span, 0 to 1"},
    {"avg_duration_ms", "DOUBLE", "of spans that ended; NULL: none did"},
    {"log_count", "UBIGINT", ""}, {"point_count", "UBIGINT", ""},
    {"first_seen", "TIMESTAMP_NS", "of spans, log records and points"},
    {"last_seen", "TIMESTAMP_NS", ""}, {0}};

static const struct store_sql_column traces_columns[] = {{"trace_id", "VARCHAR", "32 hex digits"},
    {"root_service", "VARCHAR", "of the first span without a parent; NULL: there is none"},
    {"root_name", "VARCHAR", "its name"}, {"start_time", "TIMESTAMP_NS", "of the earliest span"},
    {"end_time", "TIMESTAMP_NS", "the latest end, or start, should that be later"},
    {"start_unix_nano", "UBIGINT", "exact"}, {"end_unix_nano", "UBIGINT", "exact"},
    {"duration_ms", "DOUBLE", "end minus start"}, {"span_count", "BIGINT", ""},
    {"error_count", "BIGINT", "spans whose status is error"},
    {"services", "VARCHAR[]", "of its spans, sorted"}, {0}};

static const char services_sql[] =
    "SELECT service, span_count, trace_count, error_count,"
    " CASE WHEN span_count = 0 THEN 0.0 ELSE error_count / span_count END AS error_rate,"
    " CASE WHEN ended_count > 0 THEN duration_sum_ns / ended_count / 1e6 END AS avg_duration_ms,"
    " log_count, point_count, first_seen, last_seen FROM weir_services()";

/* Of two roots that began together the one with the smaller id. */
#define OF_ROOT(column)                                                                            \
	" arg_min(" column ", {'t': start_unix_nano, 'id': span_id})"                              \
	" FILTER (WHERE parent_span_id IS NULL) AS root_" column ","

static const char traces_sql[] = "SELECT trace_id," OF_ROOT("service") OF_ROOT(
    "name") " min(start_time) AS start_time, max(greatest(start_time, end_time)) AS end_time,"
            " min(start_unix_nano) AS start_unix_nano,"
            " max(greatest(start_unix_nano, end_unix_nano)) AS end_unix_nano,"
            " (max(greatest(start_unix_nano, end_unix_nano)) - min(start_unix_nano)) / 1e6 AS duration_ms,"
            " count(*) AS span_count, count(*) FILTER (WHERE status = 'error') AS error_count,"
            " list_sort(list(DISTINCT service)) AS services"
            " FROM spans GROUP BY trace_id";

/* Over all columns of spans; `of` is what duck_user_derived.c calls it. */
#define DERIVED(what, of, ...)                                                                     \
	{.table = TABLE_SPANS,                                                                     \
	    .time_col = "start_time",                                                              \
	    .nano_col = "start_unix_nano",                                                         \
	    .has_trace_id = true,                                                                  \
	    .has_service = true,                                                                   \
	    .has_status = true,                                                                    \
	    .name_col = "name",                                                                    \
	    .kind_col = "kind",                                                                    \
	    .sql = of##_sql,                                                                       \
	    .probe_sql = of##_probe_sql,                                                           \
	    .need = what,                                                                          \
	    .functions_columns = spans_columns,                                                    \
	    .sources = spans_sources,                                                              \
	    __VA_ARGS__}

const struct user_view user_views[USER_VIEWS] = {
    [VIEW_SPANS] = {.table = TABLE_SPANS,
        .time_col = "start_time",
        .nano_col = "start_unix_nano",
        .has_trace_id = true,
        .has_service = true,
        .has_status = true,
        .name_col = "name",
        .kind_col = "kind",
        .sources = spans_sources},
    [VIEW_LOGS] = {.table = TABLE_LOGS,
        .time_col = "timestamp",
        .nano_col = "time_unix_nano",
        .has_trace_id = true,
        .has_service = true,
        .name_col = "event_name",
        .sources = logs_sources},
    [VIEW_METRICS] = {.table = TABLE_POINTS,
        .time_col = "timestamp",
        .nano_col = "time_unix_nano",
        .has_service = true,
        .name_col = "name",
        .kind_col = "metric_type",
        .sources = metrics_sources},
    [VIEW_RESOURCES] = {.table = TABLE_RESOURCES, .sources = resources_sources},
    [VIEW_SCOPES] = {.table = TABLE_SCOPES, .sources = scopes_sources},
    [VIEW_SERVICES] = {.table = TABLE_SERVICES,
        .sql = services_sql,
        .functions_columns = service_counts_columns,
        .sources = service_counts_sources},
    [VIEW_TRACES] = {.table = TABLE_SPANS, .sql = traces_sql},
    [VIEW_COMMENTS] = {.table = TABLE_COMMENTS,
        .time_col = "created_at",
        .nano_col = "created_unix_nano",
        .has_trace_id = true,
        .sources = comments_sources},
    [VIEW_JUNJO_SPANS] = DERIVED(NEED_JUNJO, user_junjo, ),
    [VIEW_STATE_PATCHES] = DERIVED(NEED_STATE, user_state, ),
    [VIEW_LLM_CALLS] = DERIVED(NEED_LLM, user_llm, .sql_end = user_llm_sql_end),
};

const struct store_sql_view duck_user_views[USER_VIEWS + 1] = {
    [VIEW_SPANS] = {"spans", "one row a span", spans_columns},
    [VIEW_LOGS] = {"logs", "one row a log record", logs_columns},
    [VIEW_METRICS] = {"metrics", "one row a data point", metrics_columns},
    [VIEW_RESOURCES] = {"resources", "what sent telemetry: processes, hosts", resources_columns},
    [VIEW_SCOPES] = {"scopes", "libraries that made it", scopes_columns},
    [VIEW_SERVICES] = {"services", "one row a service, counted over all time", services_columns},
    [VIEW_TRACES] = {"traces", "one row a trace, made of its spans", traces_columns},
    [VIEW_COMMENTS] = {"comments", "what people and programs said of traces", comments_columns},
    [VIEW_JUNJO_SPANS] = {"junjo_spans", "one row a span of Junjo's SDK, its attributes in columns",
        user_junjo_columns},
    [VIEW_STATE_PATCHES] = {"state_patches",
        "one row a change of a workflow's state: an event set_state", user_state_columns},
    [VIEW_LLM_CALLS] = {"llm_calls", "one row a call of a language model, whatever its dialect",
        user_llm_columns},
};
