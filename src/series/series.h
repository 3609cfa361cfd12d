/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series/series.h - the points of a store as the series of PromQL: their names and labels, their samples.
 *
 * What an OTLP point becomes (names: series/names.h):
 *     gauge, sum               NAME                    its number
 *     histogram                NAME_bucket{le=}        counts up to each bound, +Inf for all
 *                              NAME_sum, NAME_count
 *     exponential histogram    NAME                    a native histogram, at its own scale
 *     summary                  NAME{quantile=}, NAME_sum, NAME_count
 *     a resource               target_info             1, while one of its series has samples
 * Labels are the point's attributes; job (service.namespace/service.name) and instance (service.instance.id) of the resource;
 * otel_scope_name, otel_scope_version, otel_scope_schema_url and otel_scope_<attribute> of the scope. The rest of the
 * resource's attributes are target_info's labels. A quoted name that PromQL would not take without quotes
 * ({"http.server.request.duration"}) is also compared with OTLP's own name, with _bucket, _sum or _count behind it.
 *
 * Time. A sample's time is its point's in whole milliseconds. Of several points of a series in the same millisecond the one
 * that came last counts. A point without a recorded value is a staleness marker.
 *
 * Temporality. Monotonic delta points keep their values, and their series say so (promql_samples.delta): rate() and its like
 * add them up. Where a series came both as delta and as cumulative, all of it is shown as a counter of the
 * time that was asked for. Points that go up and down (sums that are not monotonic) are numbers, delta or not.
 *
 * One reader answers one question, on one thread: what it read about metrics and series it keeps until the end. Memory is
 * the question's arena and a scratch arena of scratch_bytes_max. Errors: what the store says; ERR_EXECUTION: too many series or
 * samples; ERR_TOO_LARGE: more memory than there is.
 */
#ifndef SERIES_SERIES_H
#define SERIES_SERIES_H

#include "promql/promql.h"
#include "store/store.h"

struct series_family { /* a metric of the store, as PromQL sees it */
	struct str name; /* as series/names.h makes it */
	struct str otlp_name, unit, help;
	int32_t type, temporality;
	bool monotonic;
	uint64_t series_count, point_count, first_ns, last_ns;
};

struct series_reader {
	struct store *store;
	struct str tenant;
	uint64_t deadline_mono_ns;
	struct arena *arena; /* of the question */
	uint64_t series_max, samples_max; /* of one listing */
	/* private: what was read */
	struct arena scratch;
	uint64_t from_ns, to_ns; /* the window of the families; to 0: none were read */
	struct series_family *families; /* by name, unit, type, temporality, monotonicity of OTLP */
	size_t family_count;
};

/* The first six members are set by the caller. */
void series_begin(struct series_reader *r, size_t scratch_bytes_max);
void series_end(struct series_reader *r);

/* What promql_run() asks. */
struct promql_source series_source(struct series_reader *r);
/* What a label of a query is called when the query has a name in quotes: promql_name_fn. */
struct str series_query_label(struct str name, struct arena *arena);

/* Metrics with points in from_ns <= t < to_ns, in the order of their OTLP names. */
MUST_CHECK enum err_code series_families(struct series_reader *r, uint64_t from_ns, uint64_t to_ns,
    const struct series_family **out, size_t *count_out, struct err *err);
/* Names of a family's series, with a part's suffix, in the arena. At most SERIES_PARTS_MAX. */
enum { SERIES_PARTS_MAX = 3 };
MUST_CHECK enum err_code series_family_names(struct series_reader *r, const struct series_family *f,
    struct str out[SERIES_PARTS_MAX], size_t *count_out, struct err *err);
const char *series_family_type(const struct series_family *f); /* "counter", "gauge" ... */

/* Label sets of the series in the window that satisfy one of the lists of matchers, each once, sorted. No lists: all.
 * `buckets`: with le and quantile, which costs reading the points; else without these labels. */
struct series_match {
	const struct promql_matcher *items;
	size_t count;
};
MUST_CHECK enum err_code series_list(struct series_reader *r, const struct series_match *lists,
    size_t list_count, uint64_t from_ns, uint64_t to_ns, bool buckets, struct promql_labels **out,
    size_t *count_out, struct err *err);

#endif
