/* SPDX-License-Identifier: Apache-2.0 */
#include "model/table.h"

#include "base/bits.h"

#include <stdlib.h>

enum { ROWS_FIRST = 64 };

#define X(id, name, kind, nullable) {name, kind, nullable},
static const struct column_def span_cols[] = {SPAN_COLUMNS(X)};
static const struct column_def log_cols[] = {LOG_COLUMNS(X)};
static const struct column_def point_cols[] = {POINT_COLUMNS(X)};
static const struct column_def comment_cols[] = {COMMENT_COLUMNS(X)};
static const struct column_def resource_cols[] = {RESOURCE_COLUMNS(X)};
static const struct column_def scope_cols[] = {SCOPE_COLUMNS(X)};
static const struct column_def service_cols[] = {SERVICE_COLUMNS(X)};
static const struct column_def trace_cols[] = {TRACE_COLUMNS(X)};
static const struct column_def bucket_cols[] = {BUCKET_COLUMNS(X)};
static const struct column_def metric_cols[] = {METRIC_COLUMNS(X)};
static const struct column_def series_cols[] = {SERIES_COLUMNS(X)};
static const struct column_def sample_cols[] = {SAMPLE_COLUMNS(X)};
static const struct column_def distribution_cols[] = {DISTRIBUTION_COLUMNS(X)};
#undef X

const struct table_def table_defs[TABLE_COUNT] = {
    [TABLE_SPANS] = {"spans", span_cols, ARRAY_LEN(span_cols), SPAN_START_NS},
    [TABLE_LOGS] = {"logs", log_cols, ARRAY_LEN(log_cols), LOG_EVENT_NS},
    [TABLE_POINTS] = {"points", point_cols, ARRAY_LEN(point_cols), POINT_TIME_NS},
    [TABLE_COMMENTS] = {"comments", comment_cols, ARRAY_LEN(comment_cols), COMMENT_CREATED_NS},
    [TABLE_RESOURCES] = {"resources", resource_cols, ARRAY_LEN(resource_cols), -1},
    [TABLE_SCOPES] = {"scopes", scope_cols, ARRAY_LEN(scope_cols), -1},
    [TABLE_SERVICES] = {"services", service_cols, ARRAY_LEN(service_cols), -1},
    [TABLE_TRACES] = {"traces", trace_cols, ARRAY_LEN(trace_cols), -1},
    [TABLE_BUCKETS] = {"buckets", bucket_cols, ARRAY_LEN(bucket_cols), -1},
    [TABLE_METRICS] = {"metrics", metric_cols, ARRAY_LEN(metric_cols), -1},
    [TABLE_SERIES] = {"series", series_cols, ARRAY_LEN(series_cols), -1},
    [TABLE_SAMPLES] = {"samples", sample_cols, ARRAY_LEN(sample_cols), SAMPLE_TIME_NS},
    [TABLE_DISTRIBUTIONS] = {"distributions", distribution_cols, ARRAY_LEN(distribution_cols),
        DIST_TIME_NS},
};

size_t
table_kind_bytes(enum col_kind kind)
{
	switch (kind) {
	case COL_U64: return sizeof(uint64_t);
	case COL_I64: return sizeof(int64_t);
	case COL_U32: return sizeof(uint32_t);
	case COL_I32: return sizeof(int32_t);
	case COL_F64: return sizeof(double);
	case COL_BOOL: return sizeof(bool);
	case COL_STR: return sizeof(struct str);
	case COL_U64S: return sizeof(struct u64s);
	case COL_F64S: return sizeof(struct f64s);
	}
	CHECK(false);
	return 0;
}

/* Strings and lists say NULL themselves, with a NULL ptr. */
static bool
has_null_bytes(const struct column_def *def)
{
	return def->nullable && def->kind != COL_STR && def->kind != COL_U64S &&
	    def->kind != COL_F64S;
}

void
table_init(struct table *t, enum table_id id, struct arena *arena)
{
	CHECK(id < TABLE_COUNT);
	*t = (struct table){.def = &table_defs[id], .arena = arena};
}

static size_t
fixed_array_bytes(size_t count, size_t size)
{
	enum { ALIGN = 16 };
	size_t bytes;
	bool fits = size_mul(count, size, &bytes) && size_add(bytes, ALIGN - 1, &bytes);
	CHECK(fits);
	return bytes & ~(size_t)(ALIGN - 1);
}

size_t
table_fixed_bytes(enum table_id id, size_t row_cap)
{
	CHECK(id < TABLE_COUNT);
	size_t bytes = 0;
	for (size_t i = 0; i < table_defs[id].col_count; i++) {
		const struct column_def *def = &table_defs[id].cols[i];
		bytes += fixed_array_bytes(row_cap, table_kind_bytes(def->kind));
		if (has_null_bytes(def))
			bytes += fixed_array_bytes(row_cap, 1);
	}
	return bytes;
}

void
table_init_fixed(struct table *t, enum table_id id, size_t row_cap, struct column *cols,
    void *memory)
{
	char *at = memory;
	table_init(t, id, NULL);
	for (size_t i = 0; i < t->def->col_count; i++) {
		const struct column_def *def = &t->def->cols[i];
		cols[i] = (struct column){.any = at};
		at += fixed_array_bytes(row_cap, table_kind_bytes(def->kind));
		if (!has_null_bytes(def))
			continue;
		cols[i].null = (unsigned char *)at;
		at += fixed_array_bytes(row_cap, 1);
	}
	t->cols = cols;
	t->row_cap = row_cap;
}

/* The old array stays in the arena until it is reset: at most as much as the new one. */
static void *
grown(struct arena *arena, const void *old, size_t old_count, size_t new_count, size_t size)
{
	void *new = arena_array(arena, new_count, size);
	if (new && old_count > 0)
		memcpy(new, old, old_count * size);
	return new;
}

static bool
grow_column(struct table *t, size_t i, size_t cap, struct column *out)
{
	const struct column_def *def = &t->def->cols[i];
	const struct column *old = &t->cols[i];
	*out = (struct column){0};
	out->any = grown(t->arena, old->any, t->row_count, cap, table_kind_bytes(def->kind));
	if (!out->any)
		return false;
	if (!has_null_bytes(def))
		return true;
	out->null = grown(t->arena, old->null, t->row_count, cap, 1);
	if (!out->null)
		return false;
	memset(out->null + t->row_count, 1, cap - t->row_count);
	return true;
}

/* All columns or none: a failure leaves the table as it was. */
static bool
grow_to(struct table *t, size_t cap)
{
	size_t n = t->def->col_count;
	if (!t->cols)
		t->cols = arena_array(t->arena, n, sizeof(*t->cols));
	struct column *cols = arena_array(t->arena, n, sizeof(*cols));
	if (!t->cols || !cols)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!grow_column(t, i, cap, &cols[i]))
			return false;
	t->cols = cols;
	t->row_cap = cap;
	return true;
}

static bool
grow(struct table *t)
{
	size_t cap;
	return size_mul(t->row_cap ? t->row_cap : ROWS_FIRST / 2, 2, &cap) && grow_to(t, cap);
}

bool
table_reserve(struct table *t, size_t rows)
{
	CHECK(t->arena != NULL);
	return rows <= t->row_cap || grow_to(t, rows);
}

size_t
table_add_row(struct table *t)
{
	if (t->row_count == t->row_cap && (!t->arena || !grow(t)))
		return SIZE_MAX;
	return t->row_count++;
}

/* Rows at and beyond row_count are always as new ones: zeros, and NULL where that is allowed. */
static void
reorder_array(void *array, size_t bytes, const uint32_t *order, size_t count, char *scratch)
{
	memcpy(scratch, array, count * bytes);
	for (size_t i = 0; i < count; i++) {
		CHECK(order[i] < count);
		memcpy((char *)array + i * bytes, scratch + order[i] * bytes, bytes);
	}
}

void
table_reorder(struct table *t, const uint32_t *order)
{
	if (t->row_count == 0)
		return;
	char *scratch = xcalloc(t->row_count, sizeof(struct str));
	for (size_t i = 0; i < t->def->col_count; i++) {
		struct column *c = &t->cols[i];
		size_t bytes = table_kind_bytes(t->def->cols[i].kind);
		CHECK(bytes <= sizeof(struct str));
		reorder_array(c->any, bytes, order, t->row_count, scratch);
		if (c->null)
			reorder_array(c->null, 1, order, t->row_count, scratch);
	}
	free(scratch);
}

void
table_truncate(struct table *t, size_t row_count)
{
	CHECK(row_count <= t->row_count);
	size_t gone = t->row_count - row_count;
	if (gone == 0)
		return;
	for (size_t i = 0; i < t->def->col_count; i++) {
		size_t size = table_kind_bytes(t->def->cols[i].kind);
		memset((char *)t->cols[i].any + row_count * size, 0, gone * size);
		if (t->cols[i].null)
			memset(t->cols[i].null + row_count, 1, gone);
	}
	t->row_count = row_count;
}

static struct column *
column_at(const struct table *t, size_t row, int col, enum col_kind kind)
{
	CHECK(row < t->row_count);
	CHECK(col >= 0 && (size_t)col < t->def->col_count);
	CHECK(t->def->cols[col].kind == kind);
	return &t->cols[col];
}

static struct column *
column_to_set(struct table *t, size_t row, int col, enum col_kind kind)
{
	struct column *c = column_at(t, row, col, kind);
	if (c->null)
		c->null[row] = 0;
	return c;
}

#define SETTER(name, type, kind, member)                                                           \
	void table_set_##name(struct table *t, size_t row, int col, type v)                        \
	{                                                                                          \
		column_to_set(t, row, col, kind)->member[row] = v;                                 \
	}
SETTER(u64, uint64_t, COL_U64, u64)
SETTER(i64, int64_t, COL_I64, i64)
SETTER(u32, uint32_t, COL_U32, u32)
SETTER(i32, int32_t, COL_I32, i32)
SETTER(f64, double, COL_F64, f64)
SETTER(bool, bool, COL_BOOL, boolean)
SETTER(str, struct str, COL_STR, str)
SETTER(u64s, struct u64s, COL_U64S, u64s)
SETTER(f64s, struct f64s, COL_F64S, f64s)
#undef SETTER

#define GETTER(name, type, kind, member)                                                           \
	type table_##name(const struct table *t, size_t row, int col)                              \
	{                                                                                          \
		return column_at(t, row, col, kind)->member[row];                                  \
	}
GETTER(u64, uint64_t, COL_U64, u64)
GETTER(i64, int64_t, COL_I64, i64)
GETTER(u32, uint32_t, COL_U32, u32)
GETTER(i32, int32_t, COL_I32, i32)
GETTER(f64, double, COL_F64, f64)
GETTER(bool, bool, COL_BOOL, boolean)
GETTER(str, struct str, COL_STR, str)
GETTER(u64s, struct u64s, COL_U64S, u64s)
GETTER(f64s, struct f64s, COL_F64S, f64s)
#undef GETTER

bool
table_is_null(const struct table *t, size_t row, int col)
{
	CHECK(row < t->row_count);
	CHECK(col >= 0 && (size_t)col < t->def->col_count);
	const struct column_def *def = &t->def->cols[col];
	const struct column *c = &t->cols[col];
	if (!def->nullable)
		return false;
	if (c->null)
		return c->null[row];
	if (def->kind == COL_STR)
		return c->str[row].ptr == NULL;
	return def->kind == COL_U64S ? c->u64s[row].ptr == NULL : c->f64s[row].ptr == NULL;
}
