/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/payload_priv.h - between payload.c and the generators.
 *
 * A generator writes numbers where ids and times will be, so that they can be found in what was
 * encoded: payload_span() does.
 */
#ifndef BENCH_PAYLOAD_PRIV_H
#define BENCH_PAYLOAD_PRIV_H

#include "bench/payload.h"
#include "otlp/encode.h"

/* Spans first to first + spans - 1 into e. */
void payload_sdk(const struct payload *p, uint64_t first, struct otlp_encoder *e);
void payload_jaeger(const struct payload *p, uint64_t first, struct otlp_encoder *e);
/* Records first to first + spans - 1 as they are, sent at now_ns. */
void payload_logs(const struct payload *p, uint64_t first, uint64_t now_ns, struct otlp_encoder *e);

/* A generator's random numbers: splitmix64. */
uint64_t payload_random(uint64_t *state);
/* The finalizer of it: a bijection, so that different numbers give different ids. */
uint64_t payload_mix(uint64_t z);

/* Another salt for what is in the records' bodies. */
uint64_t payload_log_id(const struct payload *p, uint64_t n);

/* Where time stands in what a generator encodes: a request ends at PAYLOAD_NOW. */
#define PAYLOAD_NOW (UINT64_C(1) << 62)

/* Ids of span number g in a request that begins with span number `first`. parent: its number, at most 1,000
 * before `first`; UINT64_MAX: a root. */
struct otlp_span payload_span(const struct payload *p, uint64_t first, uint64_t g, uint64_t parent);
/* A link of span g to the root of the trace before its own. */
struct otlp_link payload_link(const struct payload *p, uint64_t first, uint64_t g);

#endif
