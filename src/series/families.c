/* SPDX-License-Identifier: Apache-2.0 */
#include "series/series_priv.h"

#include "series/names.h"

#include <stdlib.h>

/* More metrics than this in one window are not listed. */
enum { FAMILIES_MAX = 1000000 };

size_t
series_parts(int32_t type, enum part out[SERIES_PARTS_MAX])
{
	static const enum part parts[][SERIES_PARTS_MAX] = {
	    [POINT_GAUGE] = {PART_VALUE},
	    [POINT_SUM_TYPE] = {PART_VALUE},
	    [POINT_HISTOGRAM] = {PART_BUCKET, PART_COUNT, PART_SUM},
	    [POINT_EXP_HISTOGRAM] = {PART_NATIVE},
	    [POINT_SUMMARY] = {PART_QUANTILE, PART_COUNT, PART_SUM},
	};
	bool known = type >= POINT_GAUGE && type <= POINT_SUMMARY;
	bool many = type == POINT_HISTOGRAM || type == POINT_SUMMARY;
	for (size_t i = 0; known && i < SERIES_PARTS_MAX; i++)
		out[i] = parts[type][i];
	return !known ? 0 : many ? SERIES_PARTS_MAX : 1;
}

struct str
series_suffix(enum part p)
{
	switch (p) {
	case PART_BUCKET: return STR("_bucket");
	case PART_SUM: return STR("_sum");
	case PART_COUNT: return STR("_count");
	case PART_VALUE:
	case PART_NATIVE:
	case PART_QUANTILE:
	case PART_INFO: break;
	}
	return STR("");
}

struct str
series_own_label(enum part p)
{
	return p == PART_BUCKET ? STR("le") : p == PART_QUANTILE ? STR("quantile") : STR("");
}

const char *
series_family_type(const struct series_family *f)
{
	switch (f->type) {
	case POINT_SUM_TYPE: return f->monotonic ? "counter" : "gauge";
	case POINT_HISTOGRAM:
	case POINT_EXP_HISTOGRAM: return "histogram";
	case POINT_SUMMARY: return "summary";
	default: return "gauge";
	}
}

/* ---- reading them */

static enum err_code
read_family(struct series_reader *r, const struct table *t, size_t row, struct series_family *f,
    struct err *err)
{
	struct buf name = {0};
	*f = (struct series_family){.otlp_name = table_str(t, row, METRIC_NAME),
	    .unit = table_str(t, row, METRIC_UNIT),
	    .help = table_str(t, row, METRIC_DESCRIPTION),
	    .type = table_i32(t, row, METRIC_TYPE),
	    .temporality = table_i32(t, row, METRIC_TEMPORALITY),
	    .monotonic = table_bool(t, row, METRIC_MONOTONIC),
	    .series_count = table_u64(t, row, METRIC_SERIES),
	    .point_count = table_u64(t, row, METRIC_POINTS),
	    .first_ns = table_u64(t, row, METRIC_FIRST_NS),
	    .last_ns = table_u64(t, row, METRIC_LAST_NS)};
	series_metric_name(&name, f->otlp_name, f->unit, f->type == POINT_SUM_TYPE && f->monotonic,
	    f->type == POINT_GAUGE);
	f->name = arena_str(r->arena, name.len > 0 ? buf_view(&name) : STR(""));
	buf_fini(&name);
	return f->name.ptr ? ERR_OK : series_spent(r, err);
}

static enum err_code
read_families(struct series_reader *r, uint64_t from_ns, uint64_t to_ns, struct err *err)
{
	struct store_result rows;
	struct store_query q = {.kind = STORE_METRICS,
	    .tenant = r->tenant,
	    .from_ns = from_ns,
	    .to_ns = to_ns,
	    .row_max = FAMILIES_MAX,
	    .deadline_mono_ns = r->deadline_mono_ns};
	enum err_code code = store_query(r->store, &q, r->arena, &rows, err);
	if (code == ERR_OK && rows.more)
		code = err_set(err, ERR_EXECUTION,
		    "there are more than %d metrics in this time: ask for a shorter one",
		    FAMILIES_MAX);
	if (code != ERR_OK)
		return code;
	r->families = arena_array(r->arena, rows.rows.row_count + 1, sizeof(*r->families));
	if (!r->families)
		return series_spent(r, err);
	for (size_t i = 0; i < rows.rows.row_count && code == ERR_OK; i++)
		code = read_family(r, &rows.rows, i, &r->families[i], err);
	r->family_count = rows.rows.row_count;
	r->from_ns = from_ns;
	r->to_ns = code == ERR_OK ? to_ns : 0;
	return code;
}

/* A question has several selectors, mostly of the same window or of two that overlap: what was read for one of them will do for
 * another, for a family without points in a narrower window has no series there. Windows far apart (offset 1w) are read each. */
enum err_code
series_families(struct series_reader *r, uint64_t from_ns, uint64_t to_ns,
    const struct series_family **out, size_t *count_out, struct err *err)
{
	enum err_code code = ERR_OK;
	bool known = r->to_ns > 0 && r->from_ns <= from_ns && to_ns <= r->to_ns;
	bool overlaps = r->to_ns > 0 && r->from_ns < to_ns && from_ns < r->to_ns;
	if (!known && overlaps) {
		from_ns = from_ns < r->from_ns ? from_ns : r->from_ns;
		to_ns = to_ns > r->to_ns ? to_ns : r->to_ns;
	}
	if (!known)
		code = read_families(r, from_ns, to_ns, err);
	*out = r->families;
	*count_out = r->family_count;
	return code;
}

enum err_code
series_family_names(struct series_reader *r, const struct series_family *f,
    struct str out[SERIES_PARTS_MAX], size_t *count_out, struct err *err)
{
	enum part parts[SERIES_PARTS_MAX];
	*count_out = series_parts(f->type, parts);
	for (size_t i = 0; i < *count_out; i++) {
		struct str suffix = series_suffix(parts[i]);
		out[i] = suffix.len == 0
		    ? f->name
		    : arena_printf(r->arena, "%.*s%.*s", STR_ARG(f->name), STR_ARG(suffix));
		if (!out[i].ptr)
			return series_spent(r, err);
	}
	return ERR_OK;
}

/* ---- finding one */

static int
compare_family(const void *key, const void *item)
{
	const struct series_family *a = key, *b = item;
	int order = str_cmp(a->otlp_name, b->otlp_name);
	if (order == 0)
		order = str_cmp(a->unit, b->unit);
	if (order == 0)
		order = (a->type > b->type) - (a->type < b->type);
	if (order == 0)
		order = (a->temporality > b->temporality) - (a->temporality < b->temporality);
	return order ? order : (int)a->monotonic - (int)b->monotonic;
}

const struct series_family *
series_family_of(const struct series_reader *r, const struct table *t, size_t row)
{
	struct series_family key = {.otlp_name = table_str(t, row, SERIES_NAME),
	    .unit = table_str(t, row, SERIES_UNIT),
	    .type = table_i32(t, row, SERIES_TYPE),
	    .temporality = table_i32(t, row, SERIES_TEMPORALITY),
	    .monotonic = table_bool(t, row, SERIES_MONOTONIC)};
	return r->family_count > 0
	    ? bsearch(&key, r->families, r->family_count, sizeof(key), compare_family)
	    : NULL;
}

/* ---- the reader */

void
series_begin(struct series_reader *r, size_t scratch_bytes_max)
{
	CHECK(r->store && r->arena);
	r->to_ns = 0;
	r->family_count = 0;
	arena_init(&r->scratch, scratch_bytes_max, 0);
}

void
series_end(struct series_reader *r)
{
	arena_fini(&r->scratch);
}

struct str
series_query_label(struct str name, struct arena *arena)
{
	struct buf label = {0};
	series_label_name(&label, name);
	struct str out = arena_str(arena, label.len > 0 ? buf_view(&label) : STR(""));
	buf_fini(&label);
	return out;
}
