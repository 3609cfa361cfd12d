/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/otel.h - the questions of Junjo's server, below /otel/: rows of ops_table for who has asked that one.
 *
 * Source: the router of github.com/mdrideout/junjo-server, whose answers they are a superset of.
 */
#ifndef OPS_OTEL_H
#define OPS_OTEL_H

#include "ops/ops.h"

extern const struct op_param ops_otel_no_params[];
extern const struct op_param ops_otel_service_params[];
extern const struct op_param ops_otel_trace_params[];
extern const struct op_param ops_otel_span_params[];

#define OPS_OTEL_HANDLERS(X)                                                                       \
	X(services)                                                                                \
	X(roots)                                                                                   \
	X(llm_roots)                                                                               \
	X(trace)                                                                                   \
	X(span)                                                                                    \
	X(workflows)
#define X(n)                                                                                       \
	enum err_code ops_otel_##n(const struct op_context *ctx, const struct op *op,              \
	    const struct op_value *values, size_t value_count, struct buf *json_out,               \
	    struct err *err);
OPS_OTEL_HANDLERS(X)
#undef X

#define OPS_OTEL_ROW(n, slashes, where, says, schema, p)                                           \
	{.name = "otel_" #n,                                                                       \
	    .no_command = true,                                                                    \
	    .path = "/otel/" where,                                                                \
	    .with_slashes = slashes,                                                               \
	    .help = says,                                                                          \
	    .answer = schema,                                                                      \
	    .params = p,                                                                           \
	    .handle = ops_otel_##n}

#define OPS_OTEL_ROWS                                                                              \
	OPS_OTEL_ROW(services, false, "span_service_names", "list the services that sent spans",   \
	    "OtelServiceNames", ops_otel_no_params),                                               \
	    OPS_OTEL_ROW(roots, true, "service/{service}/root_spans",                              \
	        "list a service's spans without a parent, as Junjo's server does", "OtelSpanList", \
	        ops_otel_service_params),                                                          \
	    OPS_OTEL_ROW(llm_roots, true, "service/{service}/root_spans_filtered",                 \
	        "list those of traces in which a model is called", "OtelSpanList",                 \
	        ops_otel_service_params),                                                          \
	    OPS_OTEL_ROW(trace, false, "trace/{trace_id}/nested_spans",                            \
	        "list a trace's spans, as Junjo's server does", "OtelSpanList",                    \
	        ops_otel_trace_params),                                                            \
	    OPS_OTEL_ROW(span, false, "trace/{trace_id}/span/{span_id}",                           \
	        "show one span, as Junjo's server does", "OtelSpan", ops_otel_span_params),        \
	    OPS_OTEL_ROW(workflows, true, "spans/type/workflow/{service}",                         \
	        "list a service's workflows, as Junjo's server does", "OtelSpanList",              \
	        ops_otel_service_params)

#endif
