/* SPDX-License-Identifier: Apache-2.0 */
/*
 * promql/eval.h - the tree over series to values: what the files of the evaluation share.
 *
 *     labels.c       label sets, sets of them       hist.c         arithmetic of histograms
 *     eval.c         nodes to vectors               eval_range.c   functions over ranges, subqueries
 *     eval_binary.c  operators, vector matching     eval_group.c   aggregations
 *     functions.c    the table of functions         func_range.c   of ranges      func_vector.c  of vectors
 *     func_label.c   of labels                      quantile.c     histogram_quantile() and its like
 */
#ifndef PROMQL_EVAL_H
#define PROMQL_EVAL_H

#include "promql/tree.h"

/* ---- functions (functions.c) */

struct eval;
struct vec;

enum arg_type { ARG_NONE, ARG_SCALAR, ARG_VECTOR, ARG_MATRIX, ARG_STRING };
enum { ARGS_MAX = 5 };

/* Samples of one series in one window, and what else a function may want. */
struct window {
	const struct promql_samples *s;
	size_t first, end; /* without staleness markers */
	int64_t from_ms, to_ms, range_ms;
	int64_t now_ms; /* of the step */
	double arg[2]; /* scalar arguments at this step */
	struct arena *arena;
};

struct point {
	bool set;
	double v;
	const struct promql_hist *h;
	bool spent; /* there was no memory for it */
};

typedef struct point (*range_fn)(const struct window *w);
typedef double (*number_fn)(double v);
typedef enum err_code (*vector_fn)(struct eval *e, const struct promql_node *call, struct vec *out);

struct function {
	const char *name;
	enum promql_type type;
	enum arg_type args[ARGS_MAX];
	unsigned required; /* of args */
	bool repeats; /* the last one, any number of times */
	bool keeps_name; /* the metric's name stays */
	bool counter; /* delta points are added up first */
	range_fn range; /* of a matrix, which is the first or second argument */
	number_fn number; /* of each number of a vector */
	vector_fn vector; /* anything else */
};

/* func_range.c */
struct point promql_rate(const struct window *w);
struct point promql_increase(const struct window *w);
struct point promql_delta(const struct window *w);
struct point promql_irate(const struct window *w);
struct point promql_idelta(const struct window *w);
struct point promql_deriv(const struct window *w);
struct point promql_predict_linear(const struct window *w);
struct point promql_resets(const struct window *w);
struct point promql_changes(const struct window *w);
struct point promql_avg_over_time(const struct window *w);
struct point promql_min_over_time(const struct window *w);
struct point promql_max_over_time(const struct window *w);
struct point promql_sum_over_time(const struct window *w);
struct point promql_count_over_time(const struct window *w);
struct point promql_last_over_time(const struct window *w);
struct point promql_present_over_time(const struct window *w);
struct point promql_quantile_over_time(const struct window *w);
struct point promql_stddev_over_time(const struct window *w);
struct point promql_stdvar_over_time(const struct window *w);

/* func_vector.c, func_label.c, quantile.c */
#define PROMQL_VECTOR_FUNCTIONS(X)                                                                 \
	X(absent)                                                                                  \
	X(absent_over_time)                                                                        \
	X(clamp)                                                                                   \
	X(clamp_max)                                                                               \
	X(clamp_min)                                                                               \
	X(date)                                                                                    \
	X(histogram_avg)                                                                           \
	X(histogram_count)                                                                         \
	X(histogram_fraction)                                                                      \
	X(histogram_quantile)                                                                      \
	X(histogram_sum)                                                                           \
	X(label_join)                                                                              \
	X(label_replace)                                                                           \
	X(pi)                                                                                      \
	X(round)                                                                                   \
	X(scalar)                                                                                  \
	X(sort)                                                                                    \
	X(time)                                                                                    \
	X(timestamp)                                                                               \
	X(vector)
#define X(n)                                                                                       \
	enum err_code promql_fn_##n(struct eval *e, const struct promql_node *call,                \
	    struct vec *out);
PROMQL_VECTOR_FUNCTIONS(X)
#undef X

/* A quantile of numbers, which are sorted by it. */
double promql_quantile(double q, double *values, size_t count);

/* ---- labels (labels.c) */

/* `without`: all but these, and no name; else only these. */
MUST_CHECK bool promql_labels_pick(struct arena *arena, const struct promql_labels *l,
    const struct names *names, bool without, struct promql_labels *out);
MUST_CHECK bool promql_labels_drop_name(struct arena *arena, const struct promql_labels *l,
    struct promql_labels *out);
/* One label set or, with an empty value, taken away. */
MUST_CHECK bool promql_labels_set(struct arena *arena, const struct promql_labels *l,
    struct str name, struct str value, struct promql_labels *out);
bool promql_labels_equal(const struct promql_labels *a, const struct promql_labels *b);
bool promql_names_have(const struct names *n, struct str name);
void promql_names_sort(struct names *n);

/* A set of label sets, numbered from 0 in the order they came. */
struct label_set {
	struct arena *arena;
	struct promql_labels *items;
	uint32_t *slots; /* number + 1 */
	size_t count, cap, mask;
};

/* SIZE_MAX: the arena is spent. */
size_t promql_set_add(struct label_set *s, const struct promql_labels *l, bool *added_out);
size_t promql_set_find(const struct label_set *s, const struct promql_labels *l); /* or SIZE_MAX */

/* ---- histograms (hist.c); NULL: the arena is spent */

struct promql_hist *promql_hist_copy(struct arena *arena, const struct promql_hist *h);
/* a + sign * b */
struct promql_hist *promql_hist_add(struct arena *arena, const struct promql_hist *a,
    const struct promql_hist *b, double sign);
struct promql_hist *promql_hist_scale(struct arena *arena, const struct promql_hist *h,
    double factor);
/* The same observations at a lower scale. */
struct promql_hist *promql_hist_to_scale(struct arena *arena, const struct promql_hist *h,
    int32_t scale);
/* Has the counter begun anew between the two? */
bool promql_hist_was_reset(struct arena *arena, const struct promql_hist *prev,
    const struct promql_hist *h);
bool promql_hist_equal(const struct promql_hist *a, const struct promql_hist *b);
double promql_hist_quantile(double q, const struct promql_hist *h);
double promql_hist_fraction(double lower, double upper, const struct promql_hist *h);

/* ---- evaluation (eval.c) */

struct eval {
	const struct promql_query *q;
	const struct promql_params *params;
	const struct promql_source *source;
	struct arena *arena;
	struct err *err;
	int64_t start_ms, step_ms; /* of the steps here: a subquery has its own */
	size_t steps;
	int64_t lookback_ms;
	uint64_t samples, series; /* read so far */
	unsigned stop_in; /* until it is asked again whether to stop */
};

struct vec {
	enum promql_type type; /* scalar: one series without labels; never a matrix */
	struct str text; /* string */
	struct promql_series *items;
	size_t count, cap;
};

static inline int64_t
promql_step_time(const struct eval *e, size_t step)
{
	return e->start_ms + (int64_t)step * e->step_ms;
}

static inline bool
promql_has(const struct promql_series *s, size_t step)
{
	return !promql_is_stale(s->value[step]);
}

static inline const struct promql_hist *
promql_hist_at(const struct promql_series *s, size_t step)
{
	return s->hist ? s->hist[step] : NULL;
}

MUST_CHECK enum err_code promql_eval(struct eval *e, const struct promql_node *n, struct vec *out);
/* ERR_TOO_LARGE: the arena is spent. Here, so that who reads this (clang-tidy too) sees that it is never ERR_OK. */
static inline enum err_code
promql_spent(struct eval *e)
{
	(void)err_set(e->err, ERR_TOO_LARGE,
	    "the query needs more than %zu bytes of memory (--max-result-bytes): ask for fewer "
	    "series, fewer steps or a shorter time",
	    e->arena->bytes_max);
	return ERR_TOO_LARGE;
}
/* Dense values, all PROMQL_STALE; NULL: spent. */
double *promql_new_values(struct eval *e);
MUST_CHECK enum err_code promql_vec_add(struct eval *e, struct vec *v,
    const struct promql_series *s);
/* Put a histogram (or NULL and a number) at a step. */
MUST_CHECK enum err_code promql_put(struct eval *e, struct promql_series *s, size_t step,
    struct point p);
/* Series without any value go; what has the same labels becomes one, ERR_EXECUTION where two have a value at one step,
 * or, `strict`, at all. */
MUST_CHECK enum err_code promql_vec_settle(struct eval *e, struct vec *v, bool strict, size_t at);
MUST_CHECK enum err_code promql_vec_drop_names(struct eval *e, struct vec *v);
MUST_CHECK enum err_code promql_eval_scalar(struct eval *e, const struct promql_node *n,
    const double **values_out);
MUST_CHECK enum err_code promql_check_stop(struct eval *e);
/* Each series of a matrix node with its samples in the windows of all steps. */
MUST_CHECK enum err_code promql_each_of_range(struct eval *e, const struct promql_node *matrix,
    promql_take_fn take, void *ctx);
/* Time to look at for a step: with offset and @. */
int64_t promql_node_time(const struct eval *e, const struct promql_node *n, size_t step);
MUST_CHECK enum err_code promql_eval_selector(struct eval *e, const struct promql_node *n,
    bool as_timestamps, struct vec *out);
MUST_CHECK enum err_code promql_eval_range_call(struct eval *e, const struct promql_node *call,
    struct vec *out);
MUST_CHECK enum err_code promql_eval_binary(struct eval *e, const struct promql_node *n,
    struct vec *out);
MUST_CHECK enum err_code promql_eval_aggregate(struct eval *e, const struct promql_node *n,
    struct vec *out);
double promql_apply(enum binary_op op, double a, double b, bool *keep_out);

/* Sum that does not lose small parts (Neumaier). */
struct kahan {
	double sum, c;
};
void promql_kahan_add(struct kahan *k, double v);
static inline double
promql_kahan(const struct kahan *k)
{
	return k->sum + k->c;
}

#endif
