/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops/prometheus.h - what of Prometheus' HTTP API there is, below /prometheus: rows of ops_table for Grafana and whatever
 * else asks a Prometheus. Source: prometheus.io/docs/prometheus/latest/querying/api.
 */
#ifndef OPS_PROMETHEUS_H
#define OPS_PROMETHEUS_H

#include "ops/ops.h"

extern const struct op_param ops_prom_query_params[];
extern const struct op_param ops_prom_range_params[];
extern const struct op_param ops_prom_labels_params[];
extern const struct op_param ops_prom_values_params[];
extern const struct op_param ops_prom_series_params[];
extern const struct op_param ops_prom_metadata_params[];
extern const struct op_param ops_prom_format_params[];
extern const struct op_param ops_prom_no_params[];

#define OPS_PROMETHEUS_HANDLERS(X)                                                                 \
	X(query)                                                                                   \
	X(query_range)                                                                             \
	X(labels)                                                                                  \
	X(label_values)                                                                            \
	X(series)                                                                                  \
	X(metadata)                                                                                \
	X(format_query)                                                                            \
	X(buildinfo)
#define X(n)                                                                                       \
	enum err_code ops_prom_##n(const struct op_context *ctx, const struct op *op,              \
	    const struct op_value *values, size_t value_count, struct buf *json_out,               \
	    struct err *err);
OPS_PROMETHEUS_HANDLERS(X)
#undef X

#define OPS_PROM_ROW(n, m, tail, says, schema, p, h)                                               \
	{.name = n,                                                                                \
	    .method = m,                                                                           \
	    .no_command = true,                                                                    \
	    .prometheus = true,                                                                    \
	    .path = "/prometheus/api/v1/" tail,                                                    \
	    .help = says,                                                                          \
	    .answer = schema,                                                                      \
	    .errors = "422",                                                                       \
	    .params = p,                                                                           \
	    .handle = h}
/* Both methods; a POST has a form in its body. */
#define OPS_PROM_ROWS(n, tail, says, schema, p, h)                                                 \
	OPS_PROM_ROW("prometheus_" n, OP_GET, tail, says, schema, p, h),                           \
	    OPS_PROM_ROW("prometheus_" n "_form", OP_POST, tail, says ", of a form", schema, p, h)

#define OPS_PROMETHEUS_ROWS                                                                        \
	OPS_PROM_ROWS("query", "query", "answer PromQL as Prometheus does", "PrometheusQuery",     \
	    ops_prom_query_params, ops_prom_query),                                                \
	    OPS_PROM_ROWS("query_range", "query_range",                                            \
	        "answer PromQL over time as Prometheus does", "PrometheusQuery",                   \
	        ops_prom_range_params, ops_prom_query_range),                                      \
	    OPS_PROM_ROWS("format_query", "format_query", "write a PromQL query anew",             \
	        "PrometheusText", ops_prom_format_params, ops_prom_format_query),                  \
	    OPS_PROM_ROWS("labels", "labels", "list the names of labels", "PrometheusNames",       \
	        ops_prom_labels_params, ops_prom_labels),                                          \
	    OPS_PROM_ROWS("series", "series", "list the label sets of series", "PrometheusSeries", \
	        ops_prom_series_params, ops_prom_series),                                          \
	    OPS_PROM_ROW("prometheus_label_values", OP_GET, "label/{name}/values",                 \
	        "list the values of a label", "PrometheusNames", ops_prom_values_params,           \
	        ops_prom_label_values),                                                            \
	    OPS_PROM_ROW("prometheus_metadata", OP_GET, "metadata",                                \
	        "list types, units and descriptions of metrics", "PrometheusMetadata",             \
	        ops_prom_metadata_params, ops_prom_metadata),                                      \
	    OPS_PROM_ROW("prometheus_buildinfo", OP_GET, "status/buildinfo",                       \
	        "say which version of Prometheus' API this is", "PrometheusBuild",                 \
	        ops_prom_no_params, ops_prom_buildinfo)

#endif
