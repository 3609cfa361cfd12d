/* SPDX-License-Identifier: Apache-2.0 */
/* store/query.h - what a store can be asked, and what it answers: see store/store.h for order and ownership. */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "base/arena.h"
#include "base/check.h"
#include "model/table.h"

struct regex;

enum store_query_kind {
	STORE_SPANS,
	STORE_TRACE,
	STORE_LOGS,
	STORE_POINTS,
	STORE_SERVICES,
	STORE_COMMENTS,
	STORE_TRACES, /* traces of which a span meets the conditions */
	STORE_COUNTS, /* how many meet them, over time: see below */
	STORE_ARRIVALS, /* spans in the order in which they came: see below */
	/* Of points, see below. */
	STORE_METRICS,
	STORE_SERIES,
	STORE_SAMPLES,
	STORE_DISTRIBUTIONS
};

struct store_cursor {
	uint64_t time_ns;
	uint64_t seq;
	uint32_t ord;
	bool set;
};

/* How an attribute's value compares. GE .. LT are about numbers: int and double values, and
 * `value` is a decimal number; values of other types do not match. MATCH: the value's text has a match of the
 * regular expression `value`, which regex_compile() takes (base/regex.h). HAS: there is such an attribute. */
enum store_attr_op {
	STORE_ATTR_EQ,
	STORE_ATTR_GE,
	STORE_ATTR_GT,
	STORE_ATTR_LE,
	STORE_ATTR_LT,
	STORE_ATTR_MATCH,
	STORE_ATTR_HAS
};

/* Whose attribute it is. ANY: the item's, or when the item has no such key, its resource's. */
enum store_attr_of {
	STORE_ATTR_OF_ANY,
	STORE_ATTR_OF_ITEM,
	STORE_ATTR_OF_RESOURCE,
	STORE_ATTR_OF_SCOPE
};

struct store_attr {
	struct str key;
	struct str value; /* text of the value: a string itself, 12, 1.5, true */
	enum store_attr_op op;
	enum store_attr_of of;
	bool negated; /* what does not meet it, also for want of such an attribute */
	/* Of MATCH, for store_match(): `value` compiled, borrowed. NULL: it is, for each value anew. */
	const struct regex *regex;
};

enum {
	STORE_ATTRS_MAX = 32,
	STORE_WORDS_MAX = 16,
	STORE_WORD_BYTES_MAX = 512,
	STORE_BUCKETS_MAX = 1000,
	STORE_SERVICES_MAX = 64,
	STORE_REMAINING_MAX = 1000, /* counting ends there */
};

/* What the value of a sample is: the number of a gauge or sum, or count or sum of what is more than a number. */
enum store_sample { STORE_NUMBER, STORE_COUNT, STORE_SUM };

/*
 * Four kinds are about points as series, for questions that need many of them and little of each. They look at tenant, time,
 * service, names, series, row_max and deadline only; there are no cursors. Each reads no more columns than its answer has.
 *     STORE_METRICS        TABLE_METRICS, by name, unit, type, temporality, monotonicity
 *     STORE_SERIES         TABLE_SERIES, by ascending id, with their resources and scopes
 *     STORE_SAMPLES        TABLE_SAMPLES      one row a point, in no order
 *     STORE_DISTRIBUTIONS  TABLE_DISTRIBUTIONS   likewise
 */

/*
 * STORE_ARRIVALS is for who follows a store from outside and must miss nothing: spans by ascending place (seq, ord), those
 * behind after.seq, after.ord (after.time_ns means nothing here), and how many are behind the last one. There is no window of
 * time: from_ns is 0, to_ns UINT64_MAX.
 *
 * Who goes on from the last place it got sees each span once and skips none, also across crashes of weir. For one thread, the
 * loader, reads the log by ascending seq (ingest/load.c) and appends what it read in that order: a batch is the next records,
 * all with seqs above those of the batch before (store_append() checks), and becomes visible whole; within a record ord ascends.
 * It reads only what is durable, so that no crash takes a seq back that somebody has seen and gives it to another record. What is
 * put aside as a dead letter is a new record when it is tried again, with a seq of its own (ingest/retry.c). After a start the files
 * may have rows of seqs up to n while others below n are still to be read from the log: so nothing is shown beyond
 * store_applied(), which begins below all of those.
 *
 * A place means something in one data folder only. A row that was visible, then turned out to be one that the files cannot
 * keep (store_on_poison), comes again, under a new place, if its letter is loaded later. Rows that are removed meanwhile
 * (retention) are not there.
 */

/* Empty strings and zeros mean "any". Conditions are ANDed. */
struct store_query {
	enum store_query_kind kind;
	struct str tenant; /* required */
	uint64_t from_ns; /* time column >= from_ns */
	uint64_t to_ns; /* time column < to_ns; UINT64_MAX: no end */
	size_t row_max; /* required, at least 1; for all kinds but STORE_COUNTS */
	struct store_cursor after; /* rows that come after this place */
	uint64_t deadline_mono_ns; /* ERR_DEADLINE beyond it */

	struct str service; /* equal */
	const struct str
	    *services; /* one of these; service_count 0: any; STORE_SERVICES does not ask */
	size_t service_count;
	struct str name; /* spans, points: equal; logs: event name equal */
	struct str operation; /* spans: name contains, case-sensitive, no wildcards */
	struct store_attr attrs[STORE_ATTRS_MAX];
	size_t attr_count;
	size_t
	    any_count; /* of attrs the last so many are alternatives: at least one of them holds */
	/* STORE_SPANS only: spans of traces in which some span, this one or another, meets the conditions of this question, from
	 * its from_ns to its to_ns; of that its conditions on spans count, but words. NULL: of whatever traces. */
	const struct store_query *beside;
	/* Each is contained, in either case (base/fold.h), in some text of the item. Texts of a span: its name, its
	 * status message, strings in values of its attributes, names of its events, strings in values of their
	 * attributes. Of a log record: its body (one that is no text: its JSON), its event name, strings in values of
	 * attributes. Strings in values: also those in arrays and maps, at any depth; not keys, not bytes. Not empty;
	 * not for points. */
	struct str words[STORE_WORDS_MAX];
	size_t word_count;
	bool has_trace_id; /* required for STORE_TRACE; also filters spans and logs */
	uint64_t trace_hi, trace_lo;
	uint64_t span_id; /* 0: any */
	bool has_duration_min, has_duration_max;
	int64_t duration_min_ns, duration_max_ns; /* inclusive */
	bool has_status;
	int32_t status_code;
	bool has_kind;
	int32_t span_kind;
	bool roots_only; /* spans without a parent id */
	/* Spans that may have a link to this trace: all that have one, and who puts the like into a link's attributes. */
	bool has_link;
	uint64_t link_hi, link_lo;
	int32_t severity_min, severity_max; /* severity_number inclusive; max 0: any */
	bool severity_unspecified; /* severity_number outside 1..24; min and max are then 0 */
	struct str body_contains; /* case-sensitive; in a typed body: in its JSON text */
	int32_t point_type; /* enum point_type; 0: any */

	/* Comments, which have a body too (body_contains). */
	struct str comment_id, author; /* equal */
	bool oldest_first;

	/* STORE_TRACES: of the whole trace, whatever the window. */
	bool has_trace_duration_min, has_trace_duration_max;
	uint64_t trace_duration_min_ns, trace_duration_max_ns; /* inclusive */
	uint64_t trace_spans_min; /* at least so many spans; 0: any */
	bool has_trace_errors;
	bool trace_errors; /* true: a span of status error is in it; false: none is */

	/* STORE_COUNTS: what is counted (STORE_SPANS, _LOGS, _POINTS, or _TRACES by their newest span that matches), in at
	 * most so many buckets of equal length, as short as they can be, from from_ns to to_ns; the last one may reach beyond.
	 * Without from_ns (0) they begin with the first hit, without an end (UINT64_MAX) they end with the last, but not
	 * before until_ns. Without a hit there are rows only when from_ns and one of the ends say from when to when. */
	enum store_query_kind counted;
	size_t bucket_count; /* 1 to STORE_BUCKETS_MAX */
	uint64_t until_ns;
	const struct str *names; /* METRICS .. DISTRIBUTIONS: of one of these names; none: any */
	size_t name_count;
	const uint64_t *series; /* SAMPLES, DISTRIBUTIONS: of one of these series; none: any */
	size_t series_count;
	enum store_sample sample; /* SAMPLES */
};

/* Ascending, not descending. */
static inline bool
store_query_is_upwards(const struct store_query *q)
{
	return q->kind == STORE_TRACE || q->kind == STORE_ARRIVALS || q->oldest_first;
}

struct store_result {
	struct arena *arena;
	struct table rows;
	struct table resources;
	struct table scopes;
	bool more; /* there are rows beyond row_max: `next` continues */
	struct store_cursor next;
	uint64_t
	    remaining; /* STORE_ARRIVALS: rows beyond row_max that there are now, at most STORE_REMAINING_MAX */
};

/* Of STORE_COUNTS: the bounds, inclusive, from the first and the last hit (first > last: there is none); what the question
 * bounds by itself does not matter. False: there are no buckets. */
bool store_count_bounds(const struct store_query *q, uint64_t *first_ns, uint64_t *last_ns);
/* Rows of TABLE_BUCKETS for these bounds, all 0; false: the arena is spent. store_bucket_of() is the row of a time
 * within them. */
MUST_CHECK bool store_buckets_init(struct table *out, uint64_t first_ns, uint64_t last_ns,
    size_t count_max);
size_t store_bucket_of(const struct table *buckets, uint64_t time_ns);

#endif
