/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/json_fields.h"

#include "base/check.h"

#define ONE(name, number, type) {STR_INIT(name), NULL, number, OTLP_JSON_##type, false}
#define MANY(name, number, type) {STR_INIT(name), NULL, number, OTLP_JSON_##type, true}
#define ONE_OF(name, number, message) {STR_INIT(name), &(message), number, OTLP_JSON_MESSAGE, false}
#define MANY_OF(name, number, message) {STR_INIT(name), &(message), number, OTLP_JSON_MESSAGE, true}
#define MESSAGE(name, fields) {name, fields, ARRAY_LEN(fields)}

/* ---- common: a value may hold values */

static const struct otlp_json_message any_value;

static const struct otlp_json_field key_value_fields[] = {
    ONE("key", 1, STRING),
    ONE_OF("value", 2, any_value),
};
static const struct otlp_json_message key_value = MESSAGE("KeyValue", key_value_fields);

static const struct otlp_json_field array_value_fields[] = {
    MANY_OF("values", 1, any_value),
};
static const struct otlp_json_message array_value = MESSAGE("ArrayValue", array_value_fields);

static const struct otlp_json_field key_value_list_fields[] = {
    MANY_OF("values", 1, key_value),
};
static const struct otlp_json_message key_value_list =
    MESSAGE("KeyValueList", key_value_list_fields);

static const struct otlp_json_field any_value_fields[] = {
    ONE("stringValue", 1, STRING),
    ONE("boolValue", 2, BOOL),
    ONE("intValue", 3, INT64),
    ONE("doubleValue", 4, DOUBLE),
    ONE_OF("arrayValue", 5, array_value),
    ONE_OF("kvlistValue", 6, key_value_list),
    ONE("bytesValue", 7, BYTES),
};
static const struct otlp_json_message any_value = MESSAGE("AnyValue", any_value_fields);

static const struct otlp_json_field entity_ref_fields[] = {
    ONE("schemaUrl", 1, STRING),
    ONE("type", 2, STRING),
    MANY("idKeys", 3, STRING),
    MANY("descriptionKeys", 4, STRING),
};
static const struct otlp_json_message entity_ref = MESSAGE("EntityRef", entity_ref_fields);

static const struct otlp_json_field resource_fields[] = {
    MANY_OF("attributes", 1, key_value),
    ONE("droppedAttributesCount", 2, UINT32),
    MANY_OF("entityRefs", 3, entity_ref),
};
static const struct otlp_json_message resource = MESSAGE("Resource", resource_fields);

static const struct otlp_json_field scope_fields[] = {
    ONE("name", 1, STRING),
    ONE("version", 2, STRING),
    MANY_OF("attributes", 3, key_value),
    ONE("droppedAttributesCount", 4, UINT32),
};
static const struct otlp_json_message scope = MESSAGE("InstrumentationScope", scope_fields);

/* ---- traces */

static const struct otlp_json_field event_fields[] = {
    ONE("timeUnixNano", 1, FIXED64),
    ONE("name", 2, STRING),
    MANY_OF("attributes", 3, key_value),
    ONE("droppedAttributesCount", 4, UINT32),
};
static const struct otlp_json_message event = MESSAGE("Event", event_fields);

static const struct otlp_json_field link_fields[] = {
    ONE("traceId", 1, ID),
    ONE("spanId", 2, ID),
    ONE("traceState", 3, STRING),
    MANY_OF("attributes", 4, key_value),
    ONE("droppedAttributesCount", 5, UINT32),
    ONE("flags", 6, FIXED32),
};
static const struct otlp_json_message span_link = MESSAGE("Link", link_fields);

static const struct otlp_json_field status_fields[] = {
    ONE("message", 2, STRING),
    ONE("code", 3, ENUM),
};
static const struct otlp_json_message status = MESSAGE("Status", status_fields);

/* In the order in which exporters write them, which is where the search begins. */
static const struct otlp_json_field span_fields[] = {
    ONE("traceId", 1, ID),
    ONE("spanId", 2, ID),
    ONE("traceState", 3, STRING),
    ONE("parentSpanId", 4, ID),
    ONE("flags", 16, FIXED32),
    ONE("name", 5, STRING),
    ONE("kind", 6, ENUM),
    ONE("startTimeUnixNano", 7, FIXED64),
    ONE("endTimeUnixNano", 8, FIXED64),
    MANY_OF("attributes", 9, key_value),
    ONE("droppedAttributesCount", 10, UINT32),
    MANY_OF("events", 11, event),
    ONE("droppedEventsCount", 12, UINT32),
    ONE_OF("status", 15, status),
    MANY_OF("links", 13, span_link),
    ONE("droppedLinksCount", 14, UINT32),
};
static const struct otlp_json_message span = MESSAGE("Span", span_fields);

static const struct otlp_json_field scope_spans_fields[] = {
    ONE_OF("scope", 1, scope),
    MANY_OF("spans", 2, span),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_spans = MESSAGE("ScopeSpans", scope_spans_fields);

static const struct otlp_json_field resource_spans_fields[] = {
    ONE_OF("resource", 1, resource),
    MANY_OF("scopeSpans", 2, scope_spans),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_spans =
    MESSAGE("ResourceSpans", resource_spans_fields);

static const struct otlp_json_field trace_request_fields[] = {
    MANY_OF("resourceSpans", 1, resource_spans),
};
static const struct otlp_json_message trace_request =
    MESSAGE("ExportTraceServiceRequest", trace_request_fields);

/* ---- logs */

static const struct otlp_json_field log_record_fields[] = {
    ONE("timeUnixNano", 1, FIXED64),
    ONE("observedTimeUnixNano", 11, FIXED64),
    ONE("severityNumber", 2, ENUM),
    ONE("severityText", 3, STRING),
    ONE_OF("body", 5, any_value),
    ONE("eventName", 12, STRING),
    MANY_OF("attributes", 6, key_value),
    ONE("droppedAttributesCount", 7, UINT32),
    ONE("flags", 8, FIXED32),
    ONE("traceId", 9, ID),
    ONE("spanId", 10, ID),
};
static const struct otlp_json_message log_record = MESSAGE("LogRecord", log_record_fields);

static const struct otlp_json_field scope_logs_fields[] = {
    ONE_OF("scope", 1, scope),
    MANY_OF("logRecords", 2, log_record),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_logs = MESSAGE("ScopeLogs", scope_logs_fields);

static const struct otlp_json_field resource_logs_fields[] = {
    ONE_OF("resource", 1, resource),
    MANY_OF("scopeLogs", 2, scope_logs),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_logs = MESSAGE("ResourceLogs", resource_logs_fields);

static const struct otlp_json_field logs_request_fields[] = {
    MANY_OF("resourceLogs", 1, resource_logs),
};
static const struct otlp_json_message logs_request =
    MESSAGE("ExportLogsServiceRequest", logs_request_fields);

/* ---- metrics */

static const struct otlp_json_field exemplar_fields[] = {
    MANY_OF("filteredAttributes", 7, key_value),
    ONE("timeUnixNano", 2, FIXED64),
    ONE("asDouble", 3, DOUBLE),
    ONE("asInt", 6, SFIXED64),
    ONE("spanId", 4, ID),
    ONE("traceId", 5, ID),
};
static const struct otlp_json_message exemplar = MESSAGE("Exemplar", exemplar_fields);

static const struct otlp_json_field number_point_fields[] = {
    MANY_OF("attributes", 7, key_value),
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("asDouble", 4, DOUBLE),
    ONE("asInt", 6, SFIXED64),
    MANY_OF("exemplars", 5, exemplar),
    ONE("flags", 8, UINT32),
};
static const struct otlp_json_message number_point =
    MESSAGE("NumberDataPoint", number_point_fields);

static const struct otlp_json_field histogram_point_fields[] = {
    MANY_OF("attributes", 9, key_value),
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    MANY("bucketCounts", 6, FIXED64),
    MANY("explicitBounds", 7, DOUBLE),
    MANY_OF("exemplars", 8, exemplar),
    ONE("flags", 10, UINT32),
    ONE("min", 11, DOUBLE),
    ONE("max", 12, DOUBLE),
};
static const struct otlp_json_message histogram_point =
    MESSAGE("HistogramDataPoint", histogram_point_fields);

static const struct otlp_json_field buckets_fields[] = {
    ONE("offset", 1, SINT32),
    MANY("bucketCounts", 2, UINT64),
};
static const struct otlp_json_message buckets = MESSAGE("Buckets", buckets_fields);

static const struct otlp_json_field exponential_point_fields[] = {
    MANY_OF("attributes", 1, key_value),
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    ONE("scale", 6, SINT32),
    ONE("zeroCount", 7, FIXED64),
    ONE_OF("positive", 8, buckets),
    ONE_OF("negative", 9, buckets),
    ONE("flags", 10, UINT32),
    MANY_OF("exemplars", 11, exemplar),
    ONE("min", 12, DOUBLE),
    ONE("max", 13, DOUBLE),
    ONE("zeroThreshold", 14, DOUBLE),
};
static const struct otlp_json_message exponential_point =
    MESSAGE("ExponentialHistogramDataPoint", exponential_point_fields);

static const struct otlp_json_field quantile_fields[] = {
    ONE("quantile", 1, DOUBLE),
    ONE("value", 2, DOUBLE),
};
static const struct otlp_json_message quantile = MESSAGE("ValueAtQuantile", quantile_fields);

static const struct otlp_json_field summary_point_fields[] = {
    MANY_OF("attributes", 7, key_value),
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    MANY_OF("quantileValues", 6, quantile),
    ONE("flags", 8, UINT32),
};
static const struct otlp_json_message summary_point =
    MESSAGE("SummaryDataPoint", summary_point_fields);

static const struct otlp_json_field gauge_fields[] = {
    MANY_OF("dataPoints", 1, number_point),
};
static const struct otlp_json_message gauge = MESSAGE("Gauge", gauge_fields);

static const struct otlp_json_field sum_fields[] = {
    MANY_OF("dataPoints", 1, number_point),
    ONE("aggregationTemporality", 2, ENUM),
    ONE("isMonotonic", 3, BOOL),
};
static const struct otlp_json_message sum = MESSAGE("Sum", sum_fields);

static const struct otlp_json_field histogram_fields[] = {
    MANY_OF("dataPoints", 1, histogram_point),
    ONE("aggregationTemporality", 2, ENUM),
};
static const struct otlp_json_message histogram = MESSAGE("Histogram", histogram_fields);

static const struct otlp_json_field exponential_fields[] = {
    MANY_OF("dataPoints", 1, exponential_point),
    ONE("aggregationTemporality", 2, ENUM),
};
static const struct otlp_json_message exponential =
    MESSAGE("ExponentialHistogram", exponential_fields);

static const struct otlp_json_field summary_fields[] = {
    MANY_OF("dataPoints", 1, summary_point),
};
static const struct otlp_json_message summary = MESSAGE("Summary", summary_fields);

static const struct otlp_json_field metric_fields[] = {
    ONE("name", 1, STRING),
    ONE("description", 2, STRING),
    ONE("unit", 3, STRING),
    ONE_OF("gauge", 5, gauge),
    ONE_OF("sum", 7, sum),
    ONE_OF("histogram", 9, histogram),
    ONE_OF("exponentialHistogram", 10, exponential),
    ONE_OF("summary", 11, summary),
    MANY_OF("metadata", 12, key_value),
};
static const struct otlp_json_message metric = MESSAGE("Metric", metric_fields);

static const struct otlp_json_field scope_metrics_fields[] = {
    ONE_OF("scope", 1, scope),
    MANY_OF("metrics", 2, metric),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_metrics = MESSAGE("ScopeMetrics", scope_metrics_fields);

static const struct otlp_json_field resource_metrics_fields[] = {
    ONE_OF("resource", 1, resource),
    MANY_OF("scopeMetrics", 2, scope_metrics),
    ONE("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_metrics =
    MESSAGE("ResourceMetrics", resource_metrics_fields);

static const struct otlp_json_field metrics_request_fields[] = {
    MANY_OF("resourceMetrics", 1, resource_metrics),
};
static const struct otlp_json_message metrics_request =
    MESSAGE("ExportMetricsServiceRequest", metrics_request_fields);

const struct otlp_json_message *
otlp_json_request(enum signal_kind signal)
{
	switch (signal) {
	case SIGNAL_TRACES: return &trace_request;
	case SIGNAL_METRICS: return &metrics_request;
	case SIGNAL_LOGS: return &logs_request;
	case SIGNAL_COMMENTS: break;
	}
	check_failed(__FILE__, __LINE__, "signal is a signal_kind");
}
