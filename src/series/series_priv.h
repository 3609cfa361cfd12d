/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series/series_priv.h - what the files of series/ share.
 *
 *     names.c     names of metrics, units, labels    labels.c   attributes to labels
 *     families.c  which metrics there are            find.c     series of the store to members
 *     select.c    members to samples, for promql     list.c     members to label sets
 *     points.c    rows of points to samples of one series
 */
#ifndef SERIES_SERIES_PRIV_H
#define SERIES_SERIES_PRIV_H

#include "series/series.h"

/* What of a point a series shows. */
enum part {
	PART_VALUE, /* of a gauge or sum */
	PART_NATIVE, /* of an exponential histogram */
	PART_QUANTILE,
	PART_BUCKET,
	PART_SUM,
	PART_COUNT,
	PART_INFO, /* of a resource */
};

/* ---- labels.c */

/* ERR_TOO_LARGE, which is to be seen here: never ERR_OK. */
static inline enum err_code
series_spent(const struct series_reader *r, struct err *err)
{
	(void)err_set(err, ERR_TOO_LARGE,
	    "the series need more than %zu bytes of memory (--max-result-bytes): narrow the "
	    "selectors, or ask for a shorter time",
	    r->arena->bytes_max);
	return ERR_TOO_LARGE;
}

struct attributes { /* of one or more maps, as labels */
	struct arena *arena;
	struct attribute *items;
	size_t count, cap;
};

/* Add the labels of typed JSON (empty: none), each with the prefix before it. ERR_TOO_LARGE: the arena is spent. */
MUST_CHECK enum err_code series_add_attributes(struct attributes *a, struct str typed,
    struct str prefix, struct err *err);
/* Sorted labels, with room for `more` behind them. What several attributes are called is all their values with ';' between. */
MUST_CHECK enum err_code series_merge_attributes(struct attributes *a, size_t more,
    struct promql_label **out, size_t *count_out, struct err *err);
/* The text of a string attribute; empty: there is none. */
MUST_CHECK enum err_code series_attribute_text(struct str typed, struct str key,
    struct arena *arena, struct str *out, struct err *err);

/* ---- families.c */

/* In the order in which a family's names are given; how many. */
size_t series_parts(int32_t type, enum part out[SERIES_PARTS_MAX]);
struct str series_suffix(enum part p);
/* Of this row of TABLE_SERIES; NULL: it has come since the families were read. */
const struct series_family *series_family_of(const struct series_reader *r, const struct table *t,
    size_t row);

/* ---- find.c */

/* A series of the store as one of the series of PromQL. */
struct member {
	uint64_t id; /* series, or of PART_INFO the resource */
	enum part part;
	bool delta;
	struct str otlp_name; /* of its metric */
	struct promql_labels labels; /* without le and quantile */
	uint64_t points, first_ns, last_ns; /* in the window */
};

struct members {
	struct member *items;
	size_t count, cap;
};

/* Those that satisfy one of the lists (none: all), where matchers of le and quantile are taken as satisfied if the part has
 * that label. */
MUST_CHECK enum err_code series_find(struct series_reader *r, const struct series_match *lists,
    size_t list_count, uint64_t from_ns, uint64_t to_ns, struct members *out, struct err *err);
/* Do these labels of a member satisfy one of the lists? `whole`: the part's own label is among them; else its matchers are
 * left out. */
MUST_CHECK enum err_code series_satisfies(const struct series_match *lists, size_t list_count,
    const struct member *m, const struct promql_labels *l, bool whole, bool *out, struct err *err);
/* The label that a part has besides; empty: none. */
struct str series_own_label(enum part p);

/* ---- points.c */

/* A point of a series, in a table of samples or of distributions. */
struct entry {
	uint32_t group, member;
	int64_t t_ms, start_ms;
	uint64_t seq;
	uint32_t ord;
	bool stale; /* it has no recorded value */
	size_t row;
	const struct table *rows;
};

/* Members with the same labels: one series, or one for each value of their own label. */
struct group {
	const struct member *members;
	size_t count;
	bool mixed; /* of delta and cumulative ones */
};

/* Members sorted into groups, in the reader's arena. */
MUST_CHECK enum err_code series_group(struct series_reader *r, struct members *m,
    struct group **out, size_t *count_out, struct err *err);

/* What to do with the points of each group, in order of time, each time once. They live until it returns; there is at least one.
 * Not of PART_INFO. */
typedef enum err_code (*series_entries_fn)(void *ctx, const struct group *g,
    const struct entry *entries, size_t count, struct err *err);
MUST_CHECK enum err_code series_read_points(struct series_reader *r, const struct group *groups,
    size_t group_count, uint64_t from_ns, uint64_t to_ns, series_entries_fn fn, void *ctx,
    struct err *err);

#endif
