/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/series_columns.h - columns of the answers about points as series: rows of lists that model/columns.h makes tables of,
 * in the same form.
 */
#ifndef MODEL_SERIES_COLUMNS_H
#define MODEL_SERIES_COLUMNS_H

/* Not stored: what metrics there are. One row for each name, unit and kind; counts over the asked window. The
 * description is that of a point of the newest time. */
#define METRIC_COLUMNS(X)                                                                          \
	X(METRIC_NAME, "name", COL_STR, COL_REQUIRED)                                              \
	X(METRIC_UNIT, "unit", COL_STR, COL_REQUIRED)                                              \
	X(METRIC_TYPE, "type", COL_I32, COL_REQUIRED)                                              \
	X(METRIC_TEMPORALITY, "temporality", COL_I32, COL_REQUIRED)                                \
	X(METRIC_MONOTONIC, "is_monotonic", COL_BOOL, COL_REQUIRED)                                \
	X(METRIC_DESCRIPTION, "description", COL_STR, COL_REQUIRED)                                \
	X(METRIC_SERIES, "series_count", COL_U64, COL_REQUIRED)                                    \
	X(METRIC_POINTS, "point_count", COL_U64, COL_REQUIRED)                                     \
	X(METRIC_FIRST_NS, "first_ns", COL_U64, COL_REQUIRED)                                      \
	X(METRIC_LAST_NS, "last_ns", COL_U64, COL_REQUIRED)

/* Not stored: which series there are. Resource, scope and the text of the attributes are those of one of its points; all
 * that counts for series_id is the same in all of them. */
#define SERIES_COLUMNS(X)                                                                          \
	X(SERIES_ID, "series_id", COL_U64, COL_REQUIRED)                                           \
	X(SERIES_NAME, "name", COL_STR, COL_REQUIRED)                                              \
	X(SERIES_UNIT, "unit", COL_STR, COL_REQUIRED)                                              \
	X(SERIES_TYPE, "type", COL_I32, COL_REQUIRED)                                              \
	X(SERIES_TEMPORALITY, "temporality", COL_I32, COL_REQUIRED)                                \
	X(SERIES_MONOTONIC, "is_monotonic", COL_BOOL, COL_REQUIRED)                                \
	X(SERIES_SERVICE, "service", COL_STR, COL_REQUIRED)                                        \
	X(SERIES_ATTRIBUTES, "attributes", COL_STR, COL_NULLABLE)                                  \
	X(SERIES_RESOURCE_ID, "resource_id", COL_U64, COL_REQUIRED)                                \
	X(SERIES_SCOPE_ID, "scope_id", COL_U64, COL_REQUIRED)                                      \
	X(SERIES_POINTS, "point_count", COL_U64, COL_REQUIRED)                                     \
	X(SERIES_FIRST_NS, "first_ns", COL_U64, COL_REQUIRED)                                      \
	X(SERIES_LAST_NS, "last_ns", COL_U64, COL_REQUIRED)

/* Not stored: points, as little of them as a series needs. value: which, the question says; an int as a double. */
#define SAMPLE_COLUMNS(X)                                                                          \
	X(SAMPLE_SERIES_ID, "series_id", COL_U64, COL_REQUIRED)                                    \
	X(SAMPLE_TIME_NS, "time_ns", COL_U64, COL_REQUIRED)                                        \
	X(SAMPLE_START_NS, "start_ns", COL_U64, COL_REQUIRED)                                      \
	X(SAMPLE_SEQ, "seq", COL_U64, COL_REQUIRED)                                                \
	X(SAMPLE_ORD, "ord", COL_U32, COL_REQUIRED)                                                \
	X(SAMPLE_FLAGS, "flags", COL_U32, COL_REQUIRED)                                            \
	X(SAMPLE_VALUE, "value", COL_F64, COL_NULLABLE)

/* The same of those that are more than a number; columns are those of points. */
#define DISTRIBUTION_COLUMNS(X)                                                                    \
	X(DIST_SERIES_ID, "series_id", COL_U64, COL_REQUIRED)                                      \
	X(DIST_TIME_NS, "time_ns", COL_U64, COL_REQUIRED)                                          \
	X(DIST_START_NS, "start_ns", COL_U64, COL_REQUIRED)                                        \
	X(DIST_SEQ, "seq", COL_U64, COL_REQUIRED)                                                  \
	X(DIST_ORD, "ord", COL_U32, COL_REQUIRED)                                                  \
	X(DIST_FLAGS, "flags", COL_U32, COL_REQUIRED)                                              \
	X(DIST_COUNT, "count", COL_U64, COL_NULLABLE)                                              \
	X(DIST_SUM, "sum", COL_F64, COL_NULLABLE)                                                  \
	X(DIST_BOUNDS, "explicit_bounds", COL_F64S, COL_NULLABLE)                                  \
	X(DIST_BUCKETS, "bucket_counts", COL_U64S, COL_NULLABLE)                                   \
	X(DIST_SCALE, "scale", COL_I32, COL_NULLABLE)                                              \
	X(DIST_ZERO_COUNT, "zero_count", COL_U64, COL_NULLABLE)                                    \
	X(DIST_ZERO_THRESHOLD, "zero_threshold", COL_F64, COL_NULLABLE)                            \
	X(DIST_POS_OFFSET, "positive_offset", COL_I32, COL_NULLABLE)                               \
	X(DIST_POS_COUNTS, "positive_counts", COL_U64S, COL_NULLABLE)                              \
	X(DIST_NEG_OFFSET, "negative_offset", COL_I32, COL_NULLABLE)                               \
	X(DIST_NEG_COUNTS, "negative_counts", COL_U64S, COL_NULLABLE)                              \
	X(DIST_QUANTILES, "quantiles", COL_F64S, COL_NULLABLE)                                     \
	X(DIST_QUANTILE_VALUES, "quantile_values", COL_F64S, COL_NULLABLE)

#define X(id, name, kind, nullable) id,
enum metric_col { METRIC_COLUMNS(X) METRIC_COL_COUNT };
enum series_col { SERIES_COLUMNS(X) SERIES_COL_COUNT };
enum sample_col { SAMPLE_COLUMNS(X) SAMPLE_COL_COUNT };
enum distribution_col { DISTRIBUTION_COLUMNS(X) DIST_COL_COUNT };
#undef X

#endif
