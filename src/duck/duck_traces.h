/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_traces.h - traces by their ids, and what their spans add up to.
 *
 * A set keeps every trace that was added, in that order. Names of services and of roots, and counts by service, are
 * only kept until duck_traces_forget(). Memory is bounded: what does not fit is refused (NULL, false).
 *
 * Threading: one owner.
 */
#ifndef DUCK_DUCK_TRACES_H
#define DUCK_DUCK_TRACES_H

#include "duck/duck_query_priv.h"

#include "base/arena.h"
#include "base/map.h"

struct duck_trace_span {
	uint64_t span_id, parent_id, start_ns, seq, ord;
	int64_t duration_ns;
	int32_t kind, status_code;
	struct str service, name;
	bool matches;
};

struct duck_trace {
	uint64_t hi, lo;
	struct duck_key found; /* the caller's */
	uint64_t start_ns, end_ns, spans, errors, matched;
	uint64_t place_ns, place_seq, place_ord; /* the newest of those that match */
	bool has_root; /* else root is the earliest span */
	uint64_t root_start_ns, root_id;
	int32_t root_kind, root_status;
	uint32_t root_service, root_name; /* texts */
	uint32_t counts; /* the first of its counts + 1; 0: none */
};

struct duck_trace_count { /* spans of a service in a trace */
	uint32_t service; /* text */
	uint32_t next; /* of the trace, + 1 */
	uint64_t spans, errors;
};

struct duck_traces {
	struct duck_trace *list;
	size_t count, cap;
	uint32_t *slots; /* place in the list + 1; 0: empty */
	size_t slot_mask;
	size_t bytes_max;
	/* Until the next duck_traces_forget(). */
	struct arena arena;
	struct str *texts;
	size_t text_count, text_cap;
	struct map text_of; /* hash -> place in texts */
	struct duck_trace_count *counts;
	size_t count_count, count_cap;
	struct map count_of; /* place of the trace << 32 | service -> place in counts */
};

void duck_traces_init(struct duck_traces *set, size_t bytes_max); /* 0: no bound */
void duck_traces_fini(struct duck_traces *set);
void duck_traces_forget(struct duck_traces *set);
struct duck_trace *duck_traces_add(struct duck_traces *set, uint64_t hi, uint64_t lo,
    bool *is_new_out);
struct duck_trace *duck_traces_get(const struct duck_traces *set, uint64_t hi, uint64_t lo);

MUST_CHECK bool duck_trace_take(struct duck_traces *set, struct duck_trace *t,
    const struct duck_trace_span *s);
/* A row of TABLE_TRACES. */
MUST_CHECK bool duck_trace_put(const struct duck_traces *set, const struct duck_trace *t,
    struct table *out);

/* Does the trace meet the conditions on traces? */
bool duck_trace_is_wanted(const struct store_query *q, uint64_t duration_ns, uint64_t spans,
    uint64_t errors);
/* Are there such conditions at all? */
bool duck_trace_has_conditions(const struct store_query *q);
enum err_code duck_traces_too_many(struct err *err);

/* Keys (without units) of the `max` newest traces behind a place that meet all conditions of ask->q, in order: by reading
 * all spans there are. ERR_TOO_LARGE: there are too many traces for that. (duck_trace_count.c) */
MUST_CHECK enum err_code duck_traces_select(struct duck_question *ask,
    const struct store_cursor *after, size_t max, struct buf *keys, struct err *err);

#endif
