/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/partial.h - what a store gives for an analysis: sums that add up, whoever counted them.
 *
 * A question about much (which services, how many errors, how slow) is not answered by a store. Each store counts what it
 * has into a partial; partials of several stores, or of several pieces of one, are merged, in any order; and what people
 * see is made of the whole once (ops/). One store is the case of one part. So the answer does not
 * depend on how rows are spread: partials of the same rows have the same bytes (partial_pack()), however the rows
 * were split and in whatever order the parts were merged.
 *
 * What is in it. For each of one or two windows of time:
 *
 *     services       of each: spans, errors, a histogram of durations (base/hist.h), log records by severity, points,
 *                    first and last time
 *     operations     of each (service, span name): the same of its spans
 *     traces, names  how many different ones (base/distinct.h)
 *
 * Durations are those of spans that ended: of 0 or more. A trace belongs to a window when one of its spans does.
 *
 * Too many of them. A map holds LIMIT_PARTIAL_SERVICES or LIMIT_PARTIAL_OPERATIONS entries: those whose keys have the
 * smallest hashes; the rest is summed up in `other`, and `truncated` says so. An entry that is there has all of its
 * rows, and totals have all rows: a key that is among the smallest of all is among the smallest of every part.
 *
 * TRACES_BY_SERVICE is a number, not a set: it adds up if no two parts have a trace in common, which holds for parts that
 * own whole traces.
 *
 * Memory. Bounded by bytes_max, which whoever adds has to look at (partial_fits()). Threading: one owner.
 */
#ifndef STORE_PARTIAL_H
#define STORE_PARTIAL_H

#include "base/arena.h"
#include "base/distinct.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/map.h"
#include "base/str.h"

#include <stdbool.h>

enum partial_want {
	PARTIAL_SPANS = 1, /* of each service */
	PARTIAL_OPERATIONS = 2,
	PARTIAL_TRACES = 4,
	PARTIAL_TRACES_BY_SERVICE = 8, /* only with SPANS */
	PARTIAL_LOGS = 16, /* of each service, by severity */
	PARTIAL_POINTS = 32, /* of each service; and names of metrics */
	PARTIAL_ALL = 63,
};

enum { PARTIAL_WINDOWS_MAX = 2 };

/* Of log records: by severity_number, as in docs/api.md. */
enum partial_severity {
	PARTIAL_UNSPECIFIED,
	PARTIAL_TRACE,
	PARTIAL_DEBUG,
	PARTIAL_INFO,
	PARTIAL_WARN,
	PARTIAL_ERROR,
	PARTIAL_FATAL,
	PARTIAL_SEVERITIES
};

struct partial_tally {
	uint64_t spans, errors; /* errors: of status error */
	struct hist durations; /* ns */
	uint64_t traces; /* TRACES_BY_SERVICE */
	uint64_t logs[PARTIAL_SEVERITIES];
	uint64_t points;
	uint64_t first_ns, last_ns; /* of all of these; of an empty one first_ns > last_ns */
};

struct partial_entry {
	struct str service, operation; /* operation: of operations only */
	uint64_t hash; /* who stays when there are too many: the same in every store */
	struct partial_tally tally;
};

struct partial_map {
	struct partial_entry *entries; /* by (service, operation) once it is settled */
	size_t count, cap, max;
	bool has_operations;
	bool truncated; /* there is more: in other */
	struct partial_tally other;
	/* Inside. */
	struct partial_entry bound; /* truncated: what comes after it is in other */
	struct map places;
	bool indexed; /* places are right */
	size_t last; /* entry that was found last */
};

struct partial_span { /* [from_ns, to_ns); to_ns UINT64_MAX: no end */
	uint64_t from_ns, to_ns;
};

/* What it is about. Two partials are merged only when they are about the same. */
struct partial_scope {
	unsigned want; /* bits of enum partial_want */
	struct str service; /* only this one; empty: all */
	struct partial_span windows[PARTIAL_WINDOWS_MAX]; /* one after the other, not overlapping */
	unsigned window_count;
	/* 0: LIMIT_PARTIAL_SERVICES, LIMIT_PARTIAL_OPERATIONS, LIMIT_PARTIAL_EXACT. Others only for tests. */
	size_t services_max, operations_max, exact_max;
};

struct partial_window {
	struct partial_map services, operations;
	struct distinct traces, names;
};

struct partial {
	struct partial_scope scope;
	struct partial_window windows[PARTIAL_WINDOWS_MAX];
	struct arena names;
	size_t bytes_max; /* 0: no limit */
	unsigned
	    counted; /* of scope.want, what rows are counted for: all of it, unless somebody sets less */
	bool borrows; /* names of what is counted live as long as it does, and are not copied */
};

/* scope is copied, service too. */
void partial_init(struct partial *p, const struct partial_scope *scope, size_t bytes_max);
void partial_fini(struct partial *p);
/* Forget what was counted. */
void partial_reset(struct partial *p);
/* ERR_TOO_LARGE when it has more than bytes_max. */
MUST_CHECK enum err_code partial_fits(const struct partial *p, struct err *err);

/* ---- counting rows */

/* The window of a time; negative: none. */
int partial_window_of(const struct partial *p, uint64_t time_ns);
/* The tally of a service, or of an operation; it may be `other`. Valid until the next call. */
struct partial_tally *partial_service(struct partial *p, unsigned window, struct str service);
struct partial_tally *partial_operation(struct partial *p, unsigned window, struct str service,
    struct str operation);
/* Counted is what is wanted; whether the service is the one asked for is the caller's to look at. */
struct partial_row {
	struct str service, name; /* name: of the span or the metric */
	uint64_t time_ns;
	int64_t duration_ns; /* span */
	int32_t code; /* span: status; log record: severity number */
	uint64_t hash; /* span: partial_trace_hash() */
};
void partial_add_span(struct partial *p, unsigned window, const struct partial_row *row);
void partial_add_log(struct partial *p, unsigned window, const struct partial_row *row);
void partial_add_point(struct partial *p, unsigned window, const struct partial_row *row);
/* Services as the sums of their operations, for whoever has counted only these, and all of them. */
void partial_sum_operations(struct partial *p);

uint64_t partial_trace_hash(uint64_t trace_hi, uint64_t trace_lo);
uint64_t partial_name_hash(struct str name);
enum partial_severity partial_severity_of(int32_t severity_number);

/* ---- parts into a whole */

/* ERR_INVALID: they are not about the same. */
MUST_CHECK enum err_code partial_merge(struct partial *to, const struct partial *from,
    struct err *err);
/* Sort entries, leave out what is too many: before somebody reads the maps. */
void partial_settle(struct partial *p);
/* Would rows of this key be in `other`? Then nothing is known of it alone. The map is settled. */
bool partial_is_beyond(const struct partial_map *m, struct str service, struct str operation);
/* Everything that a window has of it: of its services, or of its operations. */
void partial_total(const struct partial_map *m, struct partial_tally *out);
void partial_tally_fini(struct partial_tally *t);

/* ---- bytes */

void partial_pack(struct partial *p, struct buf *out);
/* Merge what was packed. ERR_INVALID: it is about something else; ERR_CORRUPT: these are no such bytes, or there is more in
 * them than there may be; then p is of no more use. */
MUST_CHECK enum err_code partial_unpack(struct partial *p, struct str bytes, struct err *err);

/* The first window of a partial of services or operations, for whoever keeps it: only maps, without what it is about.
 * `want`: PARTIAL_OPERATIONS alone, or any of SPANS, LOGS and POINTS. Merged into a window of one that wants it, it counts
 * what that is about. */
void partial_pack_map(struct partial *p, unsigned want, struct buf *out);
MUST_CHECK enum err_code partial_unpack_map(struct partial *p, unsigned window, struct str bytes,
    struct err *err);

#endif
