/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series/names.h - what OTLP's metrics, units and attributes are called in PromQL.
 *
 * Source: the OpenTelemetry specification, compatibility/prometheus_and_openmetrics.md, and where it leaves something open,
 * the module that Prometheus and the Collector share for it (github.com/prometheus/otlptranslator, "underscore escaping with
 * suffixes").
 *
 *     http.server.request.duration  s      histogram      http_server_request_duration_seconds
 *     requests                      {req}  monotonic sum  requests_total
 *     cpu.utilization               1      gauge          cpu_utilization_ratio
 *     disk.io                       By/s   gauge          disk_io_bytes_per_second
 *
 * A name without a single letter, digit or colon of ASCII stays as it is: PromQL has it in quotes.
 */
#ifndef SERIES_NAMES_H
#define SERIES_NAMES_H

#include "base/buf.h"

/* The name, without the suffix that a part of a distribution gets (_bucket, _sum, _count). */
void series_metric_name(struct buf *out, struct str name, struct str unit, bool counter,
    bool gauge);
/* The unit in words: "seconds", "bytes_per_second"; nothing for 1 and what stands in braces. */
void series_unit(struct buf *out, struct str unit);
/* The label of an attribute: http.route is http_route, 2xx is key_2xx, _x is key_x. */
void series_label_name(struct buf *out, struct str key);

#endif
