/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql/promql.h - PromQL: a query's text to its tree, the tree over series to its answer. No I/O, no telemetry: series
 * come from whoever asks, through a callback.
 *
 * Semantics are those of Prometheus 3 (prometheus.io/docs/prometheus/latest/querying): times are milliseconds, a range and
 * the lookback are open at their beginning and closed at their end, counters, extrapolation, staleness, vector matching and
 * histograms as there. What is there and what is not: docs/promql.md. Sources for the details that its documentation leaves
 * open: promql/engine.go, functions.go, quantile.go and value semantics of model/histogram in Prometheus 3.5.
 *
 *     promql_parse(text, now, arena, &query, &err)      "parse error at column 12: ..."
 *     promql_run(&query, &params, &source, arena, &answer, &err)
 *
 * Values. A vector is series, each with one value a step, dense: `value[step]`, where the bits of PROMQL_STALE say that
 * there is none at this step. A native histogram stands in `hist[step]`, and value[step] is then not PROMQL_STALE.
 *
 * Limits. Length, depth and nodes of a query are bounded below; series, samples and steps by struct promql_params; all
 * memory by the arena's budget. Nothing is ever left out: what does not fit is an error that names the limit.
 *
 * Ownership: everything is in the arena; strings of a query may point into its text. Threading: one owner.
 * Errors: ERR_INVALID the query's text; ERR_EXECUTION it cannot be answered with these series (like a match of many to
 * many); ERR_TOO_LARGE; and what the source says.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "promql/pattern.h"

#include <stdint.h>

enum {
	PROMQL_TEXT_BYTES_MAX = 65536,
	PROMQL_DEPTH_MAX = 250, /* of the tree, and of brackets in one another */
	PROMQL_NODES_MAX = 10000,
	PROMQL_SUBQUERY_STEPS_MAX = 100000,
	PROMQL_NUMBER_BYTES = 400, /* text of any double without an exponent */
};

#define PROMQL_STALE_BITS UINT64_C(0x7ff0000000000002)

/* ---- labels: sorted by name in byte order, no name twice, no empty value. __name__ is one of them. */

struct promql_label {
	struct str name, value;
};

struct promql_labels {
	const struct promql_label *items;
	size_t count;
	uint64_t hash; /* of all of it: hash_keyed_str() */
};

/* Value of a label; empty: it has none. */
struct str promql_label_get(const struct promql_labels *l, struct str name);
/* Sort, drop empty values (of equal names the last stands), hash. The array becomes the labels'. */
struct promql_labels promql_labels_make(struct promql_label *items, size_t count);
int promql_labels_compare(const struct promql_labels *a, const struct promql_labels *b);
/* {__name__="up", job="x"} the way Prometheus writes it: up{job="x"}. */
void promql_labels_print(struct buf *out, const struct promql_labels *l);

/* ---- histograms: OTLP's exponential ones. Bucket i of `pos` is (b^(offset+i), b^(offset+i+1)], b = 2^(2^-scale). */

struct promql_buckets {
	int32_t offset;
	size_t count;
	double *items;
};

struct promql_hist {
	int32_t scale;
	double zero_threshold, zero_count, count, sum;
	struct promql_buckets pos, neg;
};

/* ---- what a source gives */

enum promql_match_op { PROMQL_EQ, PROMQL_NE, PROMQL_RE, PROMQL_NRE };

struct promql_matcher {
	enum promql_match_op op;
	struct str name, value;
	struct promql_regex *regex; /* RE, NRE */
};

/* Does this value (empty: the label is not there) satisfy the matcher? */
MUST_CHECK enum err_code promql_matches(const struct promql_matcher *m, struct str value,
    bool *matches_out, struct err *err);

/* One series in a window. Times ascend strictly. A value with the bits of PROMQL_STALE is a staleness marker. */
struct promql_samples {
	size_t count;
	const int64_t *t_ms;
	const double *value;
	const struct promql_hist *const *hist; /* NULL: all are numbers; an entry may be NULL too */
	/* NULL: not known. Since when the counter of each sample counts, 0: not known. A counter that has begun anew
	 * since the sample before has been reset, whatever its value. */
	const int64_t *start_ms;
	/* Each value is what was added since start_ms, not a count since ever: rate() and its like add them up first. */
	bool delta;
};

struct promql_select {
	const struct promql_matcher *matchers;
	size_t matcher_count;
	int64_t from_ms, to_ms; /* samples with from < t <= to */
	size_t at; /* where the selector stands in the query, for errors */
	/* Limits: what exceeds them is an error of the source, before it reads much. */
	uint64_t series_max, samples_max;
};

typedef enum err_code (*promql_take_fn)(void *ctx, const struct promql_labels *labels,
    const struct promql_samples *samples, struct err *err);

struct promql_source {
	/* Give each series that has a sample in the window and satisfies all matchers to `take`, once; no two have the same
	 * labels. What is given lives until take() returns, the labels as long as the arena of the run. */
	enum err_code (*select)(void *ctx, const struct promql_select *s, promql_take_fn take,
	    void *take_ctx, struct err *err);
	void *ctx;
};

/* ---- a query */

enum promql_type { PROMQL_SCALAR, PROMQL_VECTOR, PROMQL_MATRIX, PROMQL_STRING };

const char *promql_type_phrase(enum promql_type t); /* "an instant vector" */

struct promql_node;

/* What a label is called in the series, when a query calls it by a name that only quotes allow ("http.route"); NULL: so. */
typedef struct str (*promql_name_fn)(struct str name, struct arena *arena);

struct promql_query {
	struct str text;
	promql_name_fn label_name;
	const struct promql_node *root;
	enum promql_type type;
};

MUST_CHECK enum err_code promql_parse(struct str text, promql_name_fn label_name,
    struct arena *arena, struct promql_query *out, struct err *err);
/* Only a vector selector, as match[] of the HTTP API has it. */
MUST_CHECK enum err_code promql_parse_selector(struct str text, promql_name_fn label_name,
    struct arena *arena, const struct promql_matcher **out, size_t *count_out, struct err *err);
/* "5m", "1h30m", "1.5" (seconds): a length of time in Prometheus' own notation, in ms. */
bool promql_parse_duration(struct str text, int64_t *ms_out);
/* The query written anew, normalised: for people and for tests. */
void promql_print(struct buf *out, const struct promql_query *q);

struct promql_params {
	int64_t start_ms, end_ms; /* equal: an instant */
	int64_t step_ms; /* 0 with an instant */
	int64_t lookback_ms; /* 0: five minutes */
	int64_t subquery_step_ms; /* where a subquery names none; 0: a minute */
	uint64_t series_max; /* of one selector, or of what a node of the tree results in */
	uint64_t samples_max; /* read, all selectors together */
	uint64_t steps_max; /* of the answer, and of a subquery */
	bool (*stop)(void *ctx); /* NULL: never; asked now and then */
	void *stop_ctx;
};

struct promql_series {
	struct promql_labels labels;
	size_t count; /* steps, or samples of a matrix */
	double *value; /* PROMQL_STALE_BITS: none at this step */
	const struct promql_hist **hist; /* NULL: all are numbers */
	const int64_t *t_ms; /* NULL: the steps; else each sample's own */
};

struct promql_answer {
	enum promql_type type;
	size_t steps;
	int64_t start_ms, step_ms;
	struct str text; /* PROMQL_STRING */
	const double *scalar; /* PROMQL_SCALAR: one a step */
	struct promql_series *series; /* PROMQL_VECTOR, PROMQL_MATRIX; none without any value */
	size_t series_count;
	uint64_t samples_read, series_read;
};

MUST_CHECK enum err_code promql_run(const struct promql_query *q, const struct promql_params *p,
    const struct promql_source *source, struct arena *arena, struct promql_answer *out,
    struct err *err);

bool promql_is_stale(double v);
double promql_stale(void);
/* As Prometheus writes values: no exponent between 1e-6 and 1e21; NaN, +Inf, -Inf. No NUL; the length. */
size_t promql_number_text(double v, char out[PROMQL_NUMBER_BYTES]);
/* The same and never an exponent: values of labels (le, quantile, count_values). */
size_t promql_label_number_text(double v, char out[PROMQL_NUMBER_BYTES]);

/* Bounds of bucket `index` (offset + i) of a histogram of this scale, for whoever writes one. */
double promql_bucket_lower(int32_t scale, int64_t index);
double promql_bucket_upper(int32_t scale, int64_t index);

/* ---- the functions there are, for documentation and completion: their names, sorted; how many */

size_t promql_functions(const char **out, size_t max);

#endif
