/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops_priv.h"

#include "ops/llm.h"
#include "ops/op_params.h"
#include "ops/otel.h"
#include "ops/prometheus.h"
#include "ops/workflow.h"

#define KINDS "unspecified|internal|server|client|producer|consumer"
#define SEVERITIES "trace|debug|info|warn|error|fatal|unspecified"
#define METRIC_TYPES "gauge|sum|histogram|exponential_histogram|summary"

/* Conditions on a span. */
#define PARAMS_SPAN                                                                                \
	PARAM_SERVICE, PARAM("operation", OP_TEXT, "the span's name contains this"),               \
	    PARAM("name", OP_TEXT, "the span's name is exactly this"),                             \
	    PARAM_ENUM("status", "ok|error|unset", "has this status"),                             \
	    PARAM_ENUM("kind", KINDS, "is of this kind"),                                          \
	    PARAM("min_duration_ms", OP_DURATION_MS,                                               \
	        "took at least so long (250ms, 1.5s; digits alone: ms)"),                          \
	    PARAM("max_duration_ms", OP_DURATION_MS, "took at most so long"), PARAM_ATTRIBUTE,     \
	    PARAM_TEXT("names, status message, attributes, events"),                               \
	    PARAM("trace_id", OP_TRACE_ID, "of this trace"),                                       \
	    PARAM("roots", OP_BOOL, "only spans without a parent")

static const struct op_param traces_params[] = {
    PARAMS_SPAN,
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_HISTOGRAM,
    PARAM_END,
};

static const struct op_param search_params[] = {
    PARAMS_SPAN,
    PARAM("min_trace_duration_ms", OP_DURATION_MS, "the whole trace took at least so long"),
    PARAM("max_trace_duration_ms", OP_DURATION_MS, "the whole trace took at most so long"),
    {.name = "min_spans",
        .type = OP_INT,
        .min = 1,
        .max = INT32_MAX,
        .help = "the trace has at least so many spans"},
    PARAM("errors", OP_BOOL, "traces with an error in them (false: without any)"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_HISTOGRAM,
    PARAM_END,
};

static const struct op_param trace_params[] = {
    {.name = "trace_id", .type = OP_TRACE_ID, .in_path = true, .help = "32 hex digits"},
    PARAM_LIMIT_MAX,
    PARAM_END,
};

/* Conditions on a log record. */
#define PARAMS_LOG                                                                                 \
	PARAM_SERVICE, PARAM_ENUM("severity", SEVERITIES, "is of this severity"),                  \
	    PARAM_ENUM("min_severity", SEVERITIES, "is of this severity or a worse one"),          \
	    PARAM("body_contains", OP_TEXT, "the text contains this"),                             \
	    PARAM("event_name", OP_TEXT, "is this event"),                                         \
	    PARAM("trace_id", OP_TRACE_ID, "of this trace"),                                       \
	    PARAM("span_id", OP_SPAN_ID, "of this span"), PARAM_ATTRIBUTE,                         \
	    PARAM_TEXT("body, event name, attributes")

static const struct op_param live_spans_params[] = {PARAMS_SPAN, PARAM_END};
static const struct op_param live_logs_params[] = {PARAMS_LOG, PARAM_END};

static const struct op_param logs_params[] = {
    PARAMS_LOG,
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_HISTOGRAM,
    PARAM_END,
};

static const struct op_param metrics_params[] = {
    PARAM_SERVICE,
    PARAM("name", OP_TEXT, "of the metric with exactly this name"),
    PARAM_ENUM("metric_type", METRIC_TYPES, "is of this type"),
    PARAM_ATTRIBUTE,
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT_OR("500"),
    PARAM_CURSOR,
    PARAM_HISTOGRAM,
    PARAM_END,
};

#define QUERY_SAMPLE "sum by (job) (rate(http_server_requests_total[5m]))"
#define PARAM_QUERY                                                                                \
	{.name = "query",                                                                          \
	    .type = OP_TEXT,                                                                       \
	    .required = true,                                                                      \
	    .sample = QUERY_SAMPLE,                                                                \
	    .help = "the query, in PromQL"}
#define PARAM_LOOKBACK                                                                             \
	{.name = "lookback",                                                                       \
	    .type = OP_SPAN,                                                                       \
	    .help = "how old a sample may be that stands for now",                                 \
	    .fallback = "5m"}

static const struct op_param query_params[] = {
    PARAM_QUERY,
    PARAM("time", OP_TIME, "the moment asked about (now)"),
    PARAM_LOOKBACK,
    PARAM_END,
};

static const struct op_param range_params[] = {
    PARAM_QUERY,
    PARAM("from", OP_TIME, "the first moment (2026-11-20T16:00, 2026-11-20, unix time)"),
    PARAM("to", OP_TIME, "the last moment (now)"),
    {.name = "last",
        .type = OP_SPAN,
        .help = "from so long ago on (90s, 15m, 1.5h, 7d)",
        .fallback = "1h"},
    PARAM("step", OP_SPAN, "from one moment to the next (about 120 of them)"),
    PARAM_LOOKBACK,
    PARAM_END,
};

static const struct op_param names_params[] = {
    PARAM("contains", OP_TEXT, "the name, here or in OTLP, contains this"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT_MAX,
    PARAM_END,
};

static const struct op_param services_params[] = {
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT_MAX,
    PARAM_END,
};

#define PARAM_OF_TRACE                                                                             \
	{.name = "trace_id", .type = OP_TRACE_ID, .in_path = true, .help = "32 hex digits"}

#define PARAM_COMMENT_SPAN(text)                                                                   \
	{.name = "span_id", .flag = "span", .type = OP_SPAN_ID, .help = text}

static const struct op_param comments_params[] = {
    PARAM("author", OP_TEXT, "of this author"),
    PARAM("text", OP_TEXT, "the text contains this"),
    PARAM("trace_id", OP_TRACE_ID, "on this trace"),
    PARAM_COMMENT_SPAN("on this span"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_END,
};

static const struct op_param trace_comments_params[] = {
    PARAM_OF_TRACE,
    PARAM("author", OP_TEXT, "of this author"),
    PARAM("text", OP_TEXT, "the text contains this"),
    PARAM_COMMENT_SPAN("on this span"),
    PARAM_LIMIT_MAX,
    PARAM_CURSOR,
    PARAM_END,
};

static const struct op_param comment_add_params[] = {
    PARAM_OF_TRACE,
    {.name = "body",
        .type = OP_TEXT,
        .required = true,
        .help = "what there is to say",
        .sample = "retries hide the cause"},
    {.name = "author",
        .type = OP_TEXT,
        .help = "who says it (the name of the key, or anonymous)",
        .sample = "ada"},
    PARAM_COMMENT_SPAN("on this span of the trace"),
    {.name = "id",
        .type = OP_TEXT,
        .help = "its id: the same one again is not another comment (a new UUID)",
        .sample = "incident-42:cause"},
    PARAM("created", OP_TIME, "when it was made (now)"),
    PARAM_END,
};

#define PARAM_WINDOW                                                                               \
	{.name = "last",                                                                           \
	    .type = OP_SPAN,                                                                       \
	    .help = "how long the window is, up to now (90s, 15m, 1.5h, 7d)",                      \
	    .fallback = "1h"}

static const struct op_param summary_params[] = {
    PARAM_SERVICE,
    PARAM_FROM,
    PARAM_TO,
    PARAM_WINDOW,
    {.name = "limit",
        .type = OP_INT,
        .results = true,
        .help = "of each list at most so many",
        .fallback = "10"},
    PARAM_END,
};

static const struct op_param anomalies_params[] = {
    PARAM_SERVICE,
    PARAM_FROM,
    PARAM_TO,
    PARAM_WINDOW,
    PARAM("baseline", OP_SPAN,
        "how long the time before it is that it is compared with (6 times as long)"),
    PARAM_LIMIT,
    PARAM_END,
};

static const struct op_param correlate_params[] = {
    {.name = "trace", .type = OP_TRACE_ID, .required = true, .help = "its id, 32 hex digits"},
    {.name = "padding",
        .type = OP_SPAN,
        .help = "points so long before and after it, an interval of collecting",
        .fallback = "1m"},
    {.name = "link_window",
        .type = OP_SPAN,
        .help = "traces with a link to it that start so long before or after it",
        .fallback = "1h"},
    {.name = "limit",
        .type = OP_INT,
        .results = true,
        .help = "at most so many log records, and points",
        .fallback = "500"},
    PARAM_END,
};

#define SQL_SAMPLE "SELECT service, count(*) AS n FROM spans GROUP BY service"
#define PARAMS_SQL(n)                                                                              \
	{.name = n,                                                                                \
	    .type = OP_TEXT,                                                                       \
	    .required = true,                                                                      \
	    .help = "one SELECT over the views of GET /api/v1/sql/schema",                         \
	    .sample = SQL_SAMPLE},                                                                 \
	    {.name = "limit",                                                                      \
	        .type = OP_INT,                                                                    \
	        .results = true,                                                                   \
	        .help = "at most so many rows (as many as the server gives)"},                     \
	    {.name = "format",                                                                     \
	        .type = OP_ENUM,                                                                   \
	        .choices = "json|ndjson|csv|parquet",                                              \
	        .help = "of the answer; nothing said: what Accept asks for, or else JSON"},        \
	    PARAM_END

static const struct op_param sql_params[] = {PARAMS_SQL("query")};
static const struct op_param sql_get_params[] = {PARAMS_SQL("q")};
static const struct op_param no_params[] = {PARAM_END};

#define SQL_MEDIA_TYPES "application/x-ndjson text/csv application/vnd.apache.parquet"

const struct op ops_table[] = {
    {.name = "search",
        .path = "/api/v1/search",
        .help = "list traces of which a span meets the conditions",
        .example = "weir search --text \"card expired\" --errors --last 1h",
        .list = "traces",
        .answer = "TraceList",
        .params = search_params,
        .handle = ops_search},
    {.name = "traces",
        .path = "/api/v1/traces",
        .help = "list spans, newest first",
        .example = "weir traces --status error --last 15m",
        .list = "spans",
        .answer = "SpanList",
        .also = "application/x-protobuf",
        .params = traces_params,
        .handle = ops_traces},
    {.name = "trace",
        .path = "/api/v1/traces/{trace_id}",
        .help = "show one trace, all its spans",
        .example = "weir trace 4bf92f3577b34da6a3ce929d0e0e4736 --logs",
        .list = "spans",
        .answer = "Trace",
        .also = "application/x-protobuf",
        .params = trace_params,
        .handle = ops_trace},
    {.name = "logs",
        .path = "/api/v1/logs",
        .help = "list log records, newest first",
        .example = "weir logs -s checkout --min-severity warn -o ndjson | jq .body",
        .list = "logs",
        .answer = "LogList",
        .also = "application/x-protobuf",
        .params = logs_params,
        .handle = ops_logs},
    {.name = "metrics",
        .path = "/api/v1/metrics",
        .help = "list metric points, newest first",
        .example = "weir metrics --name http.server.request.duration --last 5m",
        .list = "metrics",
        .answer = "PointList",
        .also = "application/x-protobuf",
        .params = metrics_params,
        .handle = ops_metrics},
    {.name = "services",
        .path = "/api/v1/services",
        .help = "list services, the most spans first",
        .example = "weir services --last 1h",
        .list = "services",
        .answer = "ServiceList",
        .params = services_params,
        .handle = ops_services},
    {.name = "live_spans",
        .stream = true,
        .follows = STORE_SPANS,
        .no_command = true,
        .path = "/api/v1/live/spans",
        .help = "follow spans as they come in (server-sent events)",
        .example = "weir tail -s checkout --status error",
        .also = "text/event-stream",
        .params = live_spans_params},
    {.name = "live_logs",
        .stream = true,
        .follows = STORE_LOGS,
        .no_command = true,
        .path = "/api/v1/live/logs",
        .help = "follow log records as they come in (server-sent events)",
        .example = "weir tail logs --min-severity warn",
        .also = "text/event-stream",
        .params = live_logs_params},
    {.name = "summary",
        .section = OP_ANALYSE,
        .path = "/api/v1/summary",
        .help = "sum up a window: rates, latencies, the busiest, the worst",
        .example = "weir summary --last 15m",
        .answer = "Summary",
        .params = summary_params,
        .handle = ops_summary},
    {.name = "anomalies",
        .section = OP_ANALYSE,
        .path = "/api/v1/anomalies",
        .help = "find what differs from the time before, the worst first",
        .example = "weir anomalies --last 5m --baseline 30m",
        .list = "anomalies",
        .answer = "AnomalyList",
        .params = anomalies_params,
        .handle = ops_anomalies},
    {.name = "correlate",
        .section = OP_ANALYSE,
        .path = "/api/v1/correlate",
        .help = "show all about one trace: spans, logs, metrics, linked traces",
        .example = "weir correlate 4bf92f3577b34da6a3ce929d0e0e4736",
        .answer = "Correlation",
        .errors = "404",
        .params = correlate_params,
        .handle = ops_correlate},
    {.name = "comments",
        .no_command = true,
        .section = OP_CHANGE,
        .path = "/api/v1/comments",
        .help = "list comments on traces, newest first",
        .example = "weir comment list --author ada --last 7d",
        .list = "comments",
        .answer = "CommentList",
        .params = comments_params,
        .handle = ops_comments},
    {.name = "trace_comments",
        .no_command = true,
        .section = OP_CHANGE,
        .path = "/api/v1/traces/{trace_id}/comments",
        .help = "list the comments on a trace, oldest first",
        .example = "weir comment list 4bf92f3577b34da6a3ce929d0e0e4736",
        .list = "comments",
        .answer = "CommentList",
        .params = trace_comments_params,
        .handle = ops_trace_comments},
    {.name = "comment_add",
        .method = OP_POST,
        .writes = true,
        .status = 201,
        .no_command = true,
        .section = OP_CHANGE,
        .path = "/api/v1/traces/{trace_id}/comments",
        .help = "comment on a trace or a span of it",
        .example = "weir comment add 4bf92f3577b34da6a3ce929d0e0e4736 'retries hide the cause'",
        .answer = "CommentAdded",
        .errors = "409",
        .params = comment_add_params,
        .handle = ops_comment_add},
    {.name = "sql",
        .method = OP_POST,
        .no_command = true,
        .heavy = true,
        .path = "/api/v1/sql",
        .help = "ask in SQL: one SELECT over views of spans, logs, metrics",
        .answer = "SqlAnswer",
        .also = SQL_MEDIA_TYPES,
        .errors = "413",
        .params = sql_params,
        .handle = ops_sql},
    {.name = "sql_get",
        .no_command = true,
        .heavy = true,
        .path = "/api/v1/sql",
        .help = "ask in SQL with a link",
        .answer = "SqlAnswer",
        .also = SQL_MEDIA_TYPES,
        .errors = "413",
        .params = sql_get_params,
        .handle = ops_sql},
    {.name = "sql_schema",
        .no_command = true,
        .path = "/api/v1/sql/schema",
        .help = "list the views of SQL and their columns",
        .answer = "SqlSchema",
        .params = no_params,
        .handle = ops_sql_schema},
    {.name = "query",
        .path = "/api/v1/query",
        .help = "answer a PromQL query, at one moment",
        .example = "weir query 'topk(5, rate(http_server_request_duration_seconds_count[5m]))'",
        .list = "series",
        .answer = "QueryAnswer",
        .errors = "422",
        .params = query_params,
        .handle = ops_query},
    {.name = "range",
        .path = "/api/v1/query_range",
        .help = "answer a PromQL query, over a range of time",
        .example = "weir range 'sum by (job) (rate(requests_total[5m]))' --last 6h --step 5m",
        .list = "series",
        .answer = "QueryAnswer",
        .errors = "422",
        .params = range_params,
        .handle = ops_query_range},
    {.name = "names",
        .path = "/api/v1/metric_names",
        .help = "list metrics by the names that PromQL has for them",
        .example = "weir names --contains http --last 1h",
        .list = "metrics",
        .answer = "MetricNameList",
        .errors = "422",
        .params = names_params,
        .handle = ops_metric_names},
    OPS_PROMETHEUS_ROWS,
    {.name = "llm",
        .section = OP_ANALYSE,
        .path = "/api/v1/llm",
        .help = "sum up calls of language models: tokens, cost, latency",
        .example = "weir llm --by agent --last 1d",
        .list = "groups",
        .answer = "LlmSummary",
        .params = ops_llm_params,
        .handle = ops_llm},
    {.name = "calls",
        .section = OP_ANALYSE,
        .path = "/api/v1/llm/calls",
        .help = "list calls of language models, newest first",
        .example = "weir calls --model gpt-4o --status error --last 1d",
        .list = "calls",
        .answer = "LlmCallList",
        .params = ops_llm_calls_params,
        .handle = ops_llm_calls},
    OPS_OTEL_ROWS,
    OPS_WORKFLOW_ROWS,
    {.name = NULL},
};

/* What the next {name} of a template stands for; the rest of both is left. */
static struct str
take_value(const struct op *op, struct str *template, struct str *path)
{
	size_t len = path->len > 0 ? str_find(*path, '/') : 0;
	*template = str_skip(*template, str_find(*template, '}') + 1);
	if (op->with_slashes)
		len = path->len > template->len ? path->len - template->len : 0;
	struct str value = {path->ptr, len};
	*path = str_skip(*path, len);
	return value;
}

static bool
path_matches(const struct op *op, struct str path, struct ops_path *out)
{
	struct str template = str_from(op->path);
	out->value_count = 0;
	for (;;) {
		CHECK(template.ptr != NULL);
		size_t fixed = str_find(template, '{');
		if (!str_starts(path, str_of(template.ptr, fixed)))
			return false;
		path = str_skip(path, fixed);
		if (fixed == template.len)
			return path.len == 0;
		CHECK(out->value_count < OPS_PATH_VALUES_MAX);
		struct op_value *v = &out->values[out->value_count++];
		template = str_skip(template, fixed + 1);
		v->name = str_of(template.ptr, str_find(template, '}'));
		v->value = take_value(op, &template, &path);
		if (v->value.len == 0)
			return false;
	}
}

const struct op *
ops_find_path(enum op_method method, struct str path, struct ops_path *out)
{
	struct ops_path found = {0};
	*out = (struct ops_path){0};
	for (const struct op *op = ops_table; op->name; op++) {
		if (!path_matches(op, path, &found))
			continue;
		out->methods |= 1u << op->method;
		if (out->op || op->method != method)
			continue;
		memcpy(out->values, found.values, sizeof(out->values));
		out->value_count = found.value_count;
		out->op = op;
	}
	return out->op;
}

const struct op *
ops_find_name(struct str name)
{
	for (const struct op *op = ops_table; op->name; op++)
		if (str_eq(str_from(op->name), name))
			return op;
	return NULL;
}

static enum err_code
unknown_param(const struct op *op, struct str name, struct err *err)
{
	struct buf names;
	buf_init(&names, 4096);
	for (const struct op_param *p = op->params; p->name; p++)
		buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", p->name);
	struct str shown = {name.ptr, name.len < 32 ? name.len : 32};
	enum err_code code = err_set(err, ERR_INVALID, "parameter %.*s: unknown; %s takes %.*s",
	    STR_ARG(shown), op->name, STR_ARG(buf_view(&names)));
	buf_fini(&names);
	return code;
}

static size_t
count_named(const struct op_value *values, size_t value_count, struct str name)
{
	size_t n = 0;
	for (size_t i = 0; i < value_count; i++)
		n += str_eq(values[i].name, name);
	return n;
}

/* Of what counts results: within what this server gives. */
static enum err_code
check_param(const struct op_param *p, const struct limits *limits, struct str value,
    struct err *err)
{
	struct ops_parsed v;
	enum err_code code = ops_parse(p, value, &v, err);
	if (code || !p->results)
		return code;
	CHECK(p->type == OP_INT);
	if (v.i64 < 1 || (uint64_t)v.i64 > limits->results_max)
		return err_set(err, ERR_INVALID, "must be 1 to %llu: \"%lld\"",
		    (unsigned long long)limits->results_max, (long long)v.i64);
	return ERR_OK;
}

static enum err_code
check_params(const struct op *op, const struct limits *limits, const struct op_value *values,
    size_t value_count, struct err *err)
{
	for (size_t i = 0; i < value_count; i++) {
		const struct op_param *p = ops_find_param(op, values[i].name);
		if (!p && op->prometheus)
			continue;
		if (!p)
			return unknown_param(op, values[i].name, err);
		if (check_param(p, limits, values[i].value, err))
			return err_wrap(err, "parameter %s", p->name);
	}
	for (const struct op_param *p = op->params; p->name; p++) {
		size_t n = count_named(values, value_count, str_from(p->name));
		if (n > 1 && !p->repeat)
			return err_set(err, ERR_INVALID, "parameter %s: given %zu times", p->name,
			    n);
		if (n == 0 && (p->in_path || p->required))
			return err_set(err, ERR_INVALID, "parameter %s: missing (%s)", p->name,
			    p->help);
	}
	return ERR_OK;
}

bool
ops_should_stop(void *stop)
{
	const struct ops_stop *s = stop;
	return s->ctx->stop && s->ctx->stop(s->ctx, s->deadline_mono_ns);
}

enum err_code
ops_run(const struct op *op, const struct op_context *ctx, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	CHECK(!op->stream);
	enum err_code code = check_params(op, ctx->limits, values, value_count, err);
	if (!code)
		code = op->handle(ctx, op, values, value_count, json_out, err);
	if (!code && json_out->failed)
		code = err_set(err, ERR_TOO_LARGE,
		    "the answer is larger than %zu bytes; ask for less with limit",
		    json_out->bytes_max);
	return code;
}

enum err_code
ops_build_filter(const struct op *op, const struct op_context *ctx, const struct op_value *values,
    size_t value_count, struct store_query *out, struct err *err)
{
	struct ops_cursor_base ignored;
	CHECK(op->stream);
	enum err_code code = check_params(op, ctx->limits, values, value_count, err);
	return code
	    ? code
	    : ops_build_query(ctx, op, op->follows, values, value_count, out, &ignored, err);
}
