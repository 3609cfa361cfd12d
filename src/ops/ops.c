/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops_priv.h"

#define KINDS "unspecified|internal|server|client|producer|consumer"
#define SEVERITIES "trace|debug|info|warn|error|fatal|unspecified"
#define METRIC_TYPES "gauge|sum|histogram|exponential_histogram|summary"

#define PARAM(n, t, h) {.name = n, .type = t, .help = h}
#define PARAM_ENUM(n, c, h) {.name = n, .type = OP_ENUM, .choices = c, .help = h}

/* In every list of rows. */
#define PARAM_ATTRIBUTE                                                                            \
	{.name = "attribute",                                                                      \
	    .type = OP_ATTR,                                                                       \
	    .repeat = true,                                                                        \
	    .repeat_max = STORE_ATTRS_MAX,                                                         \
	    .help = "has this attribute, or else its resource has (k=v; k>=1.5, >, <=, <)"}
#define PARAM_FROM                                                                                 \
	PARAM("from", OP_TIME, "not before this time (2026-11-20T16:00, 2026-11-20, unix time)")
#define PARAM_TO PARAM("to", OP_TIME, "before this time")
#define PARAM_LAST PARAM("last", OP_SPAN, "not older than this (90s, 15m, 1.5h, 7d)")
#define PARAM_LIMIT                                                                                \
	{.name = "limit",                                                                          \
	    .type = OP_INT,                                                                        \
	    .results = true,                                                                       \
	    .help = "at most so many",                                                             \
	    .fallback = "100"}
#define PARAM_LIMIT_MAX                                                                            \
	{.name = "limit",                                                                          \
	    .type = OP_INT,                                                                        \
	    .results = true,                                                                       \
	    .help = "at most so many (as many as the server gives)"}
#define PARAM_CURSOR PARAM("cursor", OP_CURSOR, "the page behind: next_cursor of the one before")
#define PARAM_SERVICE PARAM("service", OP_TEXT, "of this service")
#define PARAM_END {.name = NULL}

static const struct op_param traces_params[] = {
    PARAM_SERVICE,
    PARAM("operation", OP_TEXT, "the span's name contains this"),
    PARAM_ENUM("status", "ok|error|unset", "has this status"),
    PARAM_ENUM("kind", KINDS, "is of this kind"),
    PARAM("min_duration_ms", OP_DURATION_MS,
        "took at least so long (250ms, 1.5s; digits alone: ms)"),
    PARAM("max_duration_ms", OP_DURATION_MS, "took at most so long"),
    PARAM_ATTRIBUTE,
    PARAM("trace_id", OP_TRACE_ID, "of this trace"),
    PARAM("roots", OP_BOOL, "only spans without a parent"),
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_END,
};

static const struct op_param trace_params[] = {
    {.name = "trace_id", .type = OP_TRACE_ID, .in_path = true, .help = "32 hex digits"},
    PARAM_LIMIT_MAX,
    PARAM_END,
};

static const struct op_param logs_params[] = {
    PARAM_SERVICE,
    PARAM_ENUM("severity", SEVERITIES, "is of this severity"),
    PARAM_ENUM("min_severity", SEVERITIES, "is of this severity or a worse one"),
    PARAM("body_contains", OP_TEXT, "the text contains this"),
    PARAM("event_name", OP_TEXT, "is this event"),
    PARAM("trace_id", OP_TRACE_ID, "of this trace"),
    PARAM("span_id", OP_SPAN_ID, "of this span"),
    PARAM_ATTRIBUTE,
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT,
    PARAM_CURSOR,
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
    PARAM_LIMIT,
    PARAM_CURSOR,
    PARAM_END,
};

static const struct op_param services_params[] = {
    PARAM_FROM,
    PARAM_TO,
    PARAM_LAST,
    PARAM_LIMIT_MAX,
    PARAM_END,
};

const struct op ops_table[] = {
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
    {.name = NULL},
};

/* A template has at most one {name}, a whole segment. */
static bool
path_matches(const struct op *op, struct str path, struct op_value *value_out, bool *has_value_out)
{
	struct str template = str_from(op->path);
	size_t brace = str_find(template, '{');
	*has_value_out = brace < template.len;
	if (!*has_value_out)
		return str_eq(path, template);
	size_t close = str_find(template, '}');
	struct str fixed = {template.ptr, brace}, suffix = str_skip(template, close + 1);
	struct str value = str_skip(path, brace);
	value.len = str_find(value, '/');
	if (!str_starts(path, fixed) || value.len == 0 ||
	    !str_eq(str_skip(path, brace + value.len), suffix))
		return false;
	value_out->name = (struct str){template.ptr + brace + 1, close - brace - 1};
	value_out->value = value;
	return true;
}

const struct op *
ops_find_path(enum op_method method, struct str path, struct op_value *path_value_out,
    bool *has_value_out, unsigned *methods_out)
{
	const struct op *found = NULL;
	unsigned methods = 0;
	struct op_value value = {0};
	bool has_value;
	*has_value_out = false;
	for (const struct op *op = ops_table; op->name; op++) {
		if (!path_matches(op, path, &value, &has_value))
			continue;
		methods |= 1u << op->method;
		if (found || op->method != method)
			continue;
		found = op;
		*path_value_out = value;
		*has_value_out = has_value;
	}
	if (methods_out)
		*methods_out = methods;
	return found;
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

static enum err_code
check_params(const struct op *op, const struct op_value *values, size_t value_count,
    struct err *err)
{
	for (size_t i = 0; i < value_count; i++) {
		const struct op_param *p = ops_find_param(op, values[i].name);
		if (!p)
			return unknown_param(op, values[i].name, err);
		if (ops_check_value(p, values[i].value, err))
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

enum err_code
ops_run(const struct op *op, const struct op_context *ctx, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	enum err_code code = check_params(op, values, value_count, err);
	if (!code)
		code = op->handle(ctx, op, values, value_count, json_out, err);
	if (!code && json_out->failed)
		code = err_set(err, ERR_TOO_LARGE,
		    "the answer is larger than %zu bytes; ask for less with limit",
		    json_out->bytes_max);
	return code;
}
