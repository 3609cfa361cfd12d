/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/trace.h - spans of weir's own work: questions, seals, checkpoints, what is removed, slow loads. Off unless somebody
 * takes them (app/own.c); then trace_begin() and trace_end() stand around a piece of work:
 *
 *     struct trace_span span;
 *     trace_begin(&span, "checkpoint", TRACE_INTERNAL);
 *     ...
 *     trace_number(&span, "weir.rows", rows);
 *     trace_end(&span, code, err.message);
 *
 * They go to a ring of TRACE_RING; what it cannot hold is counted and lost. Like the sink of the log it is one of the few
 * mutable globals of the program. Any thread; a short lock at the end of a span, nothing at all while it is off.
 */
#ifndef SYS_TRACE_H
#define SYS_TRACE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TRACE_RING = 2048,
	TRACE_NAME_BYTES = 64,
	TRACE_TEXT_BYTES = 96,
	TRACE_ATTRS_MAX = 6,
};

enum trace_kind { TRACE_INTERNAL = 1, TRACE_SERVER = 2 }; /* as OTLP numbers them */

struct trace_attr {
	const char *key; /* static */
	bool is_text;
	int64_t number;
	char text[TRACE_TEXT_BYTES];
};

struct trace_span {
	bool on;
	enum trace_kind kind;
	char name[TRACE_NAME_BYTES];
	uint64_t trace_hi, trace_lo, span_id, parent_id;
	uint64_t start_unix_ns, start_mono_ns, duration_ns;
	bool failed;
	char message[TRACE_TEXT_BYTES];
	struct trace_attr attrs[TRACE_ATTRS_MAX];
	size_t attr_count;
};

void trace_turn(bool on);
void trace_begin(struct trace_span *s, const char *name, enum trace_kind kind);
/* A W3C traceparent ("00-<32 hex>-<16 hex>-<2 hex>"): the span belongs to that trace. What is none is ignored. */
void trace_join(struct trace_span *s, const char *traceparent, size_t len);
void trace_number(struct trace_span *s, const char *key, int64_t number);
void trace_text(struct trace_span *s, const char *key, const char *text, size_t len); /* cut */
/* code is not ERR_OK: it failed, and message says why. */
void trace_end(struct trace_span *s, enum err_code code, const char *message);
/* Up to max of those that ended, oldest first. *lost_out: how many have been lost since the start. */
size_t trace_take(struct trace_span *out, size_t max, uint64_t *lost_out);

#endif
