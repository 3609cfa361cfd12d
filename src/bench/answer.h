/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/answer.h - are the API's answers right? Each check returns whether, and fills the error with what
 * is wrong when not. What it is compared with follows from the payload's numbers alone.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include "base/err.h"
#include "bench/payload.h"

/* GET /api/v1/traces/{id}: every span of that trace once, and no other. */
bool answer_is_trace(struct str json, const struct payload *p, uint64_t trace, struct err *err);

struct answer_spans {
	uint64_t count; /* spans that must be there */
	struct str service; /* that each has; empty: any */
	struct str key, value; /* an attribute that each has; key empty: none */
	uint64_t newest_min_ns; /* the first one's start is no earlier */
};
/* GET /api/v1/traces: newest first. */
bool answer_is_spans(struct str json, const struct answer_spans *want, struct err *err);

/* GET /api/v1/services: how many, and how many spans they have in all. */
bool answer_services(struct str json, uint64_t *services_out, uint64_t *spans_out, struct err *err);
/* The same: that many, with that many spans. */
bool answer_is_services(struct str json, uint64_t services, uint64_t spans, struct err *err);

#endif
