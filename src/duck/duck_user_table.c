/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that the worker's views are made of: weir_spans() and so on ask the other process for the columns they
 * need, and make the view's columns of them. Beside each there are weir_probe_<view>_<n>(), which have the same columns
 * and no rows: duck_user_plan.c.
 *
 * Most texts repeat within a frame: a vector gets each once, and which row has which beside it.
 */
#include "duck/duck_priv.h"
#include "duck/duck_user_worker.h"

#include "base/bits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBE_NAME_BYTES = 64 };

#define TIME_MAX ((uint64_t)INT64_MAX - 1) /* of TIMESTAMP_NS: one more is infinity */

struct info { /* of a function */
	struct worker *worker;
	enum user_view_id view;
	enum user_part part;
};

struct scan {
	struct worker *worker;
	enum user_view_id view;
	struct worker_scan *scan;
	idx_t count; /* columns that are wanted */
	uint8_t raw[USER_COLUMNS_MAX]; /* columns asked for */
	size_t raw_count;
	int8_t raw_place
	    [USER_COLUMNS_MAX]; /* column of the table -> place in raw; -1: not asked for */
	idx_t cols[];
};

/* What rows are at hand, and where a column of them goes. */
struct filling {
	struct worker *worker;
	const struct user_source *source;
	uint32_t rows;
	duckdb_vector vector;
	uint64_t *validity; /* NULL until something is NULL */
	const struct user_values *raw[USER_RAW_MAX];
	enum col_kind kind[USER_RAW_MAX];
};

/* ---- values that came */

/* Of a column that the view's source names. */
static const struct user_values *
raw_of(const struct filling *f, int which)
{
	CHECK(f->raw[which] != NULL);
	return f->raw[which];
}

static uint64_t
u64_at(const struct filling *f, int which, uint32_t row)
{
	const struct user_values *v = raw_of(f, which);
	uint64_t x;
	memcpy(&x, v->values + (v->code == CODE_SAME ? 0 : row * sizeof(x)), sizeof(x));
	return x;
}

static int32_t
i32_at(const struct filling *f, int which, uint32_t row)
{
	const struct user_values *v = raw_of(f, which);
	int32_t x;
	memcpy(&x, v->values + (v->code == CODE_SAME ? 0 : row * sizeof(x)), sizeof(x));
	return x;
}

static void
set_null(struct filling *f, idx_t row)
{
	if (!f->validity) {
		duckdb_vector_ensure_validity_writable(f->vector);
		f->validity = duckdb_vector_get_validity(f->vector);
	}
	duckdb_validity_set_row_invalid(f->validity, row);
}

/* ---- texts, each once */

struct texts {
	struct filling *f;
	idx_t count;
	duckdb_selection_vector selection;
	sel_t *which; /* a row */
};

static void
texts_begin(struct texts *t, struct filling *f)
{
	*t = (struct texts){.f = f, .selection = duckdb_create_selection_vector(USER_ROWS_MAX)};
	t->which = duckdb_selection_vector_get_data_ptr(t->selection);
}

static sel_t
texts_add(struct texts *t, struct str s)
{
	CHECK(t->count < USER_ROWS_MAX);
	duckdb_unsafe_vector_assign_string_element_len(t->f->vector, t->count,
	    s.len > 0 ? s.ptr : "", s.len);
	return (sel_t)t->count++;
}

static sel_t
texts_add_null(struct texts *t)
{
	CHECK(t->count < USER_ROWS_MAX);
	/* What is not valid is looked at all the same by some that compare prefixes. */
	duckdb_unsafe_vector_assign_string_element_len(t->f->vector, t->count, "", 0);
	set_null(t->f, t->count);
	return (sel_t)t->count++;
}

static void
texts_end(struct texts *t)
{
	uint32_t i = 0;
	while (i < t->f->rows && t->which[i] == i)
		i++;
	if (i < t->f->rows)
		duckdb_slice_vector(t->f->vector, t->selection, t->f->rows);
	duckdb_destroy_selection_vector(t->selection);
}

/* How a text becomes what the view shows. */
typedef struct str (*text_maker)(void *ctx, struct str raw, struct buf *scratch);

struct text_cursor {
	const unsigned char *length, *bytes;
};

static struct str
next_text(struct text_cursor *c)
{
	uint32_t len = get_u32le(c->length);
	struct str s = str_of(c->bytes, len);
	c->length += sizeof(uint32_t);
	c->bytes += len;
	return s;
}

/* None: what stands for NULL, when it is not NULL itself. */
static sel_t
add_made(struct texts *t, text_maker make, void *ctx, struct str raw, struct buf *scratch)
{
	buf_reset(scratch);
	return texts_add(t, make ? make(ctx, raw, scratch) : raw);
}

static void
fill_texts(struct filling *f, text_maker make, void *ctx, struct str for_null)
{
	const struct user_values *v = raw_of(f, 0);
	struct text_cursor at = {v->lengths, v->values};
	struct buf scratch = {0};
	struct texts t;
	texts_begin(&t, f);
	sel_t null = UINT32_MAX;
	bool each = v->code == CODE_TEXTS;
	for (unsigned i = 0; i < v->dict_count && !each; i++)
		(void)add_made(&t, make, ctx, next_text(&at), &scratch);
	for (uint32_t i = 0; i < f->rows; i++) {
		bool is_null = user_is_null(v, i);
		struct str raw = each ? next_text(&at) : STR_EMPTY;
		if (is_null && null == UINT32_MAX)
			null = for_null.ptr ? texts_add(&t, for_null) : texts_add_null(&t);
		t.which[i] = is_null ? null
		    : each           ? add_made(&t, make, ctx, raw, &scratch)
		                     : v->codes[i];
	}
	texts_end(&t);
	buf_fini(&scratch);
}

/* ---- each way of making a column */

static void
fill_fixed(struct filling *f)
{
	const struct user_values *v = raw_of(f, 0);
	size_t width = table_kind_bytes(f->kind[0]);
	char *out = duckdb_vector_get_data(f->vector);
	if (v->code == CODE_PLAIN)
		memcpy(out, v->values, f->rows * width);
	for (uint32_t i = 0; i < f->rows && v->code == CODE_SAME; i++)
		memcpy(out + i * width, v->values, width);
	for (uint32_t i = 0; i < f->rows && v->nulls; i++)
		if (user_is_null(v, i))
			set_null(f, i);
}

static void
fill_lists(struct filling *f)
{
	const struct user_values *v = raw_of(f, 0);
	duckdb_list_entry *entries = duckdb_vector_get_data(f->vector);
	uint64_t total = 0;
	for (uint32_t i = 0; i < f->rows; i++) {
		entries[i] =
		    (duckdb_list_entry){total, get_u32le(v->lengths + i * sizeof(uint32_t))};
		total += entries[i].length;
		if (user_is_null(v, i))
			set_null(f, i);
	}
	if (duckdb_list_vector_reserve(f->vector, total) != DuckDBSuccess ||
	    duckdb_list_vector_set_size(f->vector, total) != DuckDBSuccess)
		child_exit(3);
	if (total > 0)
		memcpy(duckdb_vector_get_data(duckdb_list_vector_get_child(f->vector)), v->values,
		    total * 8);
}

static void
fill_raw(struct filling *f)
{
	if (f->kind[0] == COL_STR)
		fill_texts(f, NULL, NULL, STR_EMPTY);
	else if (f->kind[0] == COL_U64S || f->kind[0] == COL_F64S)
		fill_lists(f);
	else
		fill_fixed(f);
}

static void
fill_trace_ids(struct filling *f)
{
	struct texts t;
	char hex[32];
	uint64_t hi = 0, lo = 0;
	sel_t now = 0;
	texts_begin(&t, f);
	for (uint32_t i = 0; i < f->rows; i++) {
		uint64_t a = u64_at(f, 0, i), b = u64_at(f, 1, i);
		if (i == 0 || a != hi || b != lo) {
			hi = a;
			lo = b;
			hex_u64(hi, hex);
			hex_u64(lo, hex + 16);
			now = hi == 0 && lo == 0 ? texts_add_null(&t)
			                         : texts_add(&t, str_of(hex, sizeof(hex)));
		}
		t.which[i] = now;
	}
	texts_end(&t);
}

static void
fill_span_ids(struct filling *f)
{
	struct texts t;
	char hex[16];
	texts_begin(&t, f);
	for (uint32_t i = 0; i < f->rows; i++) {
		uint64_t id = u64_at(f, 0, i);
		hex_u64(id, hex);
		t.which[i] = id == 0 ? texts_add_null(&t) : texts_add(&t, str_of(hex, sizeof(hex)));
	}
	texts_end(&t);
}

static int64_t
time_of(uint64_t ns)
{
	return (int64_t)(ns < TIME_MAX ? ns : TIME_MAX);
}

static void
fill_times(struct filling *f)
{
	int64_t *out = duckdb_vector_get_data(f->vector);
	for (uint32_t i = 0; i < f->rows; i++) {
		uint64_t ns = u64_at(f, 0, i);
		if (f->source->how == HOW_END_TIME)
			ns += u64_at(f, 1, i);
		out[i] = time_of(ns);
		if (f->source->how == HOW_TIME_OR_NULL && ns == 0)
			set_null(f, i);
	}
}

static void
fill_end_ns(struct filling *f)
{
	uint64_t *out = duckdb_vector_get_data(f->vector);
	for (uint32_t i = 0; i < f->rows; i++)
		out[i] = u64_at(f, 0, i) + u64_at(f, 1, i);
}

static void
fill_ms(struct filling *f)
{
	double *out = duckdb_vector_get_data(f->vector);
	for (uint32_t i = 0; i < f->rows; i++)
		out[i] = (double)(int64_t)u64_at(f, 0, i) / 1e6;
}

struct words {
	const char *const *names;
	int32_t count;
};

static struct words
words_of(int raw, enum user_view_id view)
{
	bool spans = user_views[view].table == TABLE_SPANS;
	if (spans && raw == SPAN_KIND)
		return (struct words){user_kinds, USER_KINDS};
	if (spans && raw == SPAN_STATUS_CODE)
		return (struct words){user_statuses, USER_STATUSES};
	return (struct words){user_point_types, USER_POINT_TYPES};
}

static const char *
severity_word(int32_t n)
{
	static const char *const words[] = {"trace", "debug", "info", "warn", "error", "fatal"};
	return n >= 1 && n <= 24 ? words[(n - 1) / 4] : "unspecified";
}

enum { WORDS_MAX = 16 };

/* Numbers that have been given a text. */
struct known {
	int32_t number[WORDS_MAX];
	sel_t place[WORDS_MAX];
	unsigned count;
};

static sel_t
word_of(struct texts *t, struct known *k, int32_t n, const struct words *w)
{
	char digits[16];
	for (unsigned i = 0; i < k->count; i++)
		if (k->number[i] == n)
			return k->place[i];
	struct str text = str_from(!w->names ? severity_word(n)
	        : n >= 0 && n < w->count     ? w->names[n]
	                                     : NULL);
	if (!text.ptr)
		text = str_of(digits, (size_t)snprintf(digits, sizeof(digits), "%" PRId32, n));
	sel_t place = texts_add(t, text);
	if (k->count < WORDS_MAX) {
		k->number[k->count] = n;
		k->place[k->count++] = place;
	}
	return place;
}

static void
fill_words(struct filling *f, struct words w)
{
	struct texts t;
	struct known known = {.count = 0};
	texts_begin(&t, f);
	for (uint32_t i = 0; i < f->rows; i++)
		t.which[i] = word_of(&t, &known, i32_at(f, 0, i), &w);
	texts_end(&t);
}

/* Sums and histograms have one. */
static void
fill_temporalities(struct filling *f)
{
	struct texts t;
	struct known known = {.count = 0};
	const struct words w = {user_temporalities, USER_TEMPORALITIES};
	sel_t none = UINT32_MAX;
	texts_begin(&t, f);
	for (uint32_t i = 0; i < f->rows; i++) {
		int32_t type = i32_at(f, 1, i);
		bool has = type != POINT_GAUGE && type != POINT_SUMMARY;
		if (!has && none == UINT32_MAX)
			none = texts_add_null(&t);
		t.which[i] = has ? word_of(&t, &known, i32_at(f, 0, i), &w) : none;
	}
	texts_end(&t);
}

static struct str
make_object(void *ctx, struct str raw, struct buf *scratch)
{
	(void)ctx;
	worker_natural_json(scratch, raw, false);
	return buf_view(scratch);
}

static struct str
make_array(void *ctx, struct str raw, struct buf *scratch)
{
	(void)ctx;
	worker_natural_json(scratch, raw, true);
	return buf_view(scratch);
}

static void
fill_bodies(struct filling *f)
{
	const struct user_values *v = raw_of(f, 0);
	struct text_cursor at = {v->lengths, v->values};
	struct str dict[256];
	struct buf scratch = {0};
	struct texts t;
	texts_begin(&t, f);
	for (unsigned i = 0; i < v->dict_count; i++)
		dict[i] = next_text(&at);
	for (uint32_t i = 0; i < f->rows; i++) {
		struct str raw = v->code == CODE_TEXTS ? next_text(&at) : dict[v->codes[i]];
		int32_t kind = i32_at(f, 1, i);
		bool none = user_is_null(v, i) || kind == LOG_BODY_NONE;
		t.which[i] = none ? texts_add_null(&t)
		                  : add_made(&t, kind == LOG_BODY_TYPED ? make_object : NULL, NULL,
		                        raw, &scratch);
	}
	texts_end(&t);
	buf_fini(&scratch);
}

/* An int stands beside the double, the sum where there is neither. */
static void
fill_values(struct filling *f)
{
	double *out = duckdb_vector_get_data(f->vector);
	for (uint32_t i = 0; i < f->rows; i++) {
		int which = 0;
		while (which < USER_RAW_MAX && user_is_null(raw_of(f, which), i))
			which++;
		if (which == USER_RAW_MAX) {
			out[i] = 0;
			set_null(f, i);
			continue;
		}
		uint64_t bits = u64_at(f, which, i);
		if (which == 1)
			out[i] = (double)(int64_t)bits;
		else
			memcpy(&out[i], &bits, sizeof(bits));
	}
}

/* ---- resources and scopes, which are read once for a query */

static bool
dict_row(struct worker *w, struct worker_dict *d, uint64_t id, struct str a, struct str b)
{
	if (d->count == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 64;
		for (int i = 0; i < 2; i++)
			d->texts[i] = xrealloc(d->texts[i], d->cap * sizeof(struct str));
	}
	d->texts[0][d->count] = arena_str(&w->arena, a);
	d->texts[1][d->count] = arena_str(&w->arena, b);
	if (!d->texts[0][d->count].ptr || !d->texts[1][d->count].ptr)
		return false;
	return map_put(&d->place, id, d->count++);
}

static bool
dict_frame(struct worker *w, struct worker_dict *d, bool scopes, const struct user_frame *frame)
{
	struct user_reader r = {.rest = str_of(frame->bytes, frame->len)};
	struct user_values ids, texts[2] = {{0}};
	struct buf scratch = {0};
	uint32_t rows = user_get_u32(&r);
	bool good = true;
	user_get_values(&r, COL_U64, rows, &ids);
	for (int i = 0; i < (scopes ? 2 : 1); i++)
		user_get_values(&r, COL_STR, rows, &texts[i]);
	good = !r.failed;
	struct filling f = {.raw = {&ids}};
	struct str dict[2][256], s[2];
	struct text_cursor at[2];
	for (int i = 0; i < 2 && good; i++) {
		at[i] = (struct text_cursor){texts[i].lengths, texts[i].values};
		for (unsigned k = 0; k < texts[i].dict_count; k++)
			dict[i][k] = next_text(&at[i]);
	}
	for (uint32_t row = 0; row < rows && good; row++) {
		for (int i = 0; i < 2; i++)
			s[i] = !texts[i].lengths          ? STR_EMPTY
			    : texts[i].code == CODE_TEXTS ? next_text(&at[i])
			                                  : dict[i][texts[i].codes[row]];
		buf_reset(&scratch);
		if (!scopes) {
			bool none = user_is_null(&texts[0], row) || s[0].len == 0;
			s[0] = none ? STR("{}") : make_object(NULL, s[0], &scratch);
		}
		good = dict_row(w, d, u64_at(&f, 0, row), s[0], s[1]);
	}
	buf_fini(&scratch);
	return good;
}

static bool
load_dict(struct worker *w, enum table_id table)
{
	static const uint8_t cols[2][3] = {
	    {RESOURCE_ID, RESOURCE_ATTRIBUTES}, {SCOPE_ID, SCOPE_NAME, SCOPE_VERSION}};
	bool scopes = table == TABLE_SCOPES, failed = false, good = true;
	struct worker_dict *d = &w->dicts[scopes];
	struct user_frame *frame;
	mutex_lock(&w->dict_lock);
	if (!d->loaded) {
		d->loaded = true;
		struct worker_scan *s =
		    worker_open_scan(w, table, cols[scopes], scopes ? 3 : 2, &USER_NO_BOUNDS);
		while (good && (frame = worker_next(w, s, &failed)) != NULL) {
			good = dict_frame(w, d, scopes, frame);
			free(frame);
		}
	}
	mutex_unlock(&w->dict_lock);
	if (!good)
		return worker_fail(w, ERR_TOO_LARGE,
		    "the resources and scopes take more memory than a query may have");
	return !failed;
}

static void
fill_from_dict(struct filling *f)
{
	bool scopes = f->source->how != HOW_RESOURCE;
	const struct worker_dict *d = &f->worker->dicts[scopes];
	int which = f->source->how == HOW_SCOPE_VERSION;
	struct texts t;
	uint64_t before = 0;
	sel_t now = 0;
	texts_begin(&t, f);
	for (uint32_t i = 0; i < f->rows; i++) {
		uint64_t id = u64_at(f, 0, i);
		if (i == 0 || id != before) {
			const uint64_t *place = map_get(&d->place, id);
			struct str text = scopes ? STR("") : STR("{}");
			now = texts_add(&t, place ? d->texts[which][*place] : text);
			before = id;
		}
		t.which[i] = now;
	}
	texts_end(&t);
}

/* ---- a frame becomes a chunk */

static void
fill(struct filling *f, enum user_view_id view)
{
	switch (f->source->how) {
	case HOW_RAW: fill_raw(f); return;
	case HOW_TRACE_ID: fill_trace_ids(f); return;
	case HOW_SPAN_ID: fill_span_ids(f); return;
	case HOW_TIME:
	case HOW_TIME_OR_NULL:
	case HOW_END_TIME: fill_times(f); return;
	case HOW_END_NS: fill_end_ns(f); return;
	case HOW_MS: fill_ms(f); return;
	case HOW_WORD: fill_words(f, words_of(f->source->raw[0], view)); return;
	case HOW_TEMPORALITY: fill_temporalities(f); return;
	case HOW_SEVERITY: fill_words(f, (struct words){0}); return;
	case HOW_OBJECT: fill_texts(f, make_object, NULL, STR("{}")); return;
	case HOW_ARRAY: fill_texts(f, make_array, NULL, STR("[]")); return;
	case HOW_BODY: fill_bodies(f); return;
	case HOW_VALUE: fill_values(f); return;
	case HOW_RESOURCE:
	case HOW_SCOPE_NAME:
	case HOW_SCOPE_VERSION: fill_from_dict(f); return;
	}
}

static bool
fill_chunk(const struct scan *s, const struct user_frame *frame, duckdb_data_chunk chunk)
{
	const struct table_def *def = &table_defs[user_views[s->view].table];
	struct user_reader r = {.rest = str_of(frame->bytes, frame->len)};
	struct user_values values[USER_COLUMNS_MAX];
	uint32_t rows = user_get_u32(&r);
	for (size_t i = 0; i < s->raw_count && !r.failed; i++)
		user_get_values(&r, def->cols[s->raw[i]].kind, rows, &values[i]);
	if (r.failed)
		return false;
	for (idx_t c = 0; c < s->count; c++) {
		if (s->cols[c] >= USER_COLUMNS_MAX) {
			memset(duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, c)), 0,
			    rows);
			continue;
		}
		struct filling f = {.worker = s->worker,
		    .source = &user_views[s->view].sources[s->cols[c]],
		    .rows = rows,
		    .vector = duckdb_data_chunk_get_vector(chunk, c)};
		for (int i = 0; i < USER_RAW_MAX && f.source->raw[i] >= 0; i++) {
			f.raw[i] = &values[s->raw_place[f.source->raw[i]]];
			f.kind[i] = def->cols[f.source->raw[i]].kind;
		}
		fill(&f, s->view);
	}
	duckdb_data_chunk_set_size(chunk, rows);
	return true;
}

/* ---- the functions */

static void
add_columns(duckdb_bind_info info, enum user_view_id view)
{
	const struct store_sql_column *c = user_columns(view);
	duckdb_logical_type none = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
	duckdb_bind_add_result_column(info, USER_NO_COLUMN, none);
	duckdb_destroy_logical_type(&none);
	static const struct {
		const char *name;
		duckdb_type type;
		bool list;
	} types[] = {
	    {"VARCHAR", DUCKDB_TYPE_VARCHAR, false},
	    {"JSON", DUCKDB_TYPE_VARCHAR, false},
	    {"TIMESTAMP_NS", DUCKDB_TYPE_TIMESTAMP_NS, false},
	    {"UBIGINT", DUCKDB_TYPE_UBIGINT, false},
	    {"BIGINT", DUCKDB_TYPE_BIGINT, false},
	    {"UINTEGER", DUCKDB_TYPE_UINTEGER, false},
	    {"INTEGER", DUCKDB_TYPE_INTEGER, false},
	    {"DOUBLE", DUCKDB_TYPE_DOUBLE, false},
	    {"BOOLEAN", DUCKDB_TYPE_BOOLEAN, false},
	    {"DOUBLE[]", DUCKDB_TYPE_DOUBLE, true},
	    {"UBIGINT[]", DUCKDB_TYPE_UBIGINT, true},
	};
	for (; c->name; c++) {
		size_t i = 0;
		while (i < ARRAY_LEN(types) && strcmp(types[i].name, c->type) != 0)
			i++;
		CHECK(i < ARRAY_LEN(types));
		duckdb_logical_type type = duckdb_create_logical_type(types[i].type);
		if (strcmp(c->type, "JSON") == 0)
			duckdb_logical_type_set_alias(type, "JSON");
		duckdb_logical_type list = types[i].list ? duckdb_create_list_type(type) : NULL;
		duckdb_bind_add_result_column(info, c->name, list ? list : type);
		duckdb_destroy_logical_type(&type);
		if (list)
			duckdb_destroy_logical_type(&list);
	}
}

static void
bind(duckdb_bind_info info)
{
	const struct info *i = duckdb_bind_get_extra_info(info);
	add_columns(info, i->view);
	duckdb_bind_set_cardinality(info,
	    user_views[i->view].table < SIGNAL_TABLES ? 10000000 : 1000, false);
}

static void
want(struct scan *s, int raw)
{
	if (raw < 0 || s->raw_place[raw] >= 0)
		return;
	s->raw_place[raw] = (int8_t)s->raw_count;
	s->raw[s->raw_count++] = (uint8_t)raw;
}

/* What is cheapest to count rows by. */
static int
any_column(enum table_id table)
{
	static const int cols[] = {[TABLE_SPANS] = SPAN_KIND,
	    [TABLE_LOGS] = LOG_SEVERITY_NUMBER,
	    [TABLE_POINTS] = POINT_TYPE,
	    [TABLE_COMMENTS] = COMMENT_ORD,
	    [TABLE_RESOURCES] = RESOURCE_ID,
	    [TABLE_SCOPES] = SCOPE_ID,
	    [TABLE_SERVICES] = SERVICE_SPANS};
	return cols[table];
}

static void
init_rows(duckdb_init_info info)
{
	const struct info *i = duckdb_init_get_extra_info(info);
	idx_t count = duckdb_init_get_column_count(info);
	struct scan *s = xcalloc(1, sizeof(*s) + count * sizeof(idx_t));
	const struct user_view *view = &user_views[i->view];
	bool good = true;
	s->worker = i->worker;
	s->view = i->view;
	s->count = count;
	memset(s->raw_place, -1, sizeof(s->raw_place));
	size_t columns = 0;
	while (user_columns(i->view)[columns].name)
		columns++;
	for (idx_t c = 0; c < count; c++) {
		idx_t col = duckdb_init_get_column_index(info, c) - 1;
		s->cols[c] = col < columns ? col : USER_COLUMNS_MAX;
		if (col >= columns)
			continue; /* the one that is none: only rows are counted */
		const struct user_source *source = &view->sources[col];
		for (int k = 0; k < USER_RAW_MAX; k++)
			want(s, source->raw[k]);
		if (source->how == HOW_RESOURCE)
			good = good && load_dict(s->worker, TABLE_RESOURCES);
		if (source->how == HOW_SCOPE_NAME || source->how == HOW_SCOPE_VERSION)
			good = good && load_dict(s->worker, TABLE_SCOPES);
	}
	if (s->raw_count == 0)
		want(s, any_column(view->table));
	duckdb_init_set_init_data(info, s, free);
	if (!good) {
		duckdb_init_set_error(info, "the rows cannot be read");
		return;
	}
	struct user_bounds bounds = user_part_bounds(&s->worker->bounds[i->view], i->part);
	s->scan = worker_open_scan(s->worker, view->table, s->raw, s->raw_count, &bounds);
	duckdb_init_set_max_threads(info, s->worker->threads);
}

static void
give_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
	struct scan *s = duckdb_function_get_init_data(info);
	bool failed;
	struct user_frame *frame = worker_next(s->worker, s->scan, &failed);
	duckdb_data_chunk_set_size(chunk, 0);
	if (failed)
		duckdb_function_set_error(info, "the rows cannot be read");
	else if (frame && !fill_chunk(s, frame, chunk))
		duckdb_function_set_error(info, "the rows make no sense");
	free(frame);
}

static void
init_nothing(duckdb_init_info info)
{
	duckdb_init_set_init_data(info, xcalloc(1, 1), free);
}

static void
give_nothing(duckdb_function_info info, duckdb_data_chunk chunk)
{
	(void)info;
	duckdb_data_chunk_set_size(chunk, 0);
}

static bool
add_function(struct worker *w, const char *name, struct info *i, bool probe)
{
	duckdb_table_function f = duckdb_create_table_function();
	duckdb_table_function_set_name(f, name);
	duckdb_table_function_set_extra_info(f, i, NULL);
	duckdb_table_function_set_bind(f, bind);
	duckdb_table_function_set_init(f, probe ? init_nothing : init_rows);
	duckdb_table_function_set_function(f, probe ? give_nothing : give_rows);
	duckdb_table_function_supports_projection_pushdown(f, true);
	bool good = duckdb_register_table_function(w->con, f) == DuckDBSuccess;
	duckdb_destroy_table_function(&f);
	return good || worker_fail(w, ERR_INTERNAL, "a function of the views cannot be made");
}

/* The function of a part, and what it takes to ask about it. */
static bool
add_part(struct worker *w, enum user_view_id view, enum user_part part)
{
	static const char *const ends[USER_PARTS] = {"", "_owners", "_chain"};
	char name[PROBE_NAME_BYTES];
	struct info *i = xcalloc(1, sizeof(*i));
	*i = (struct info){w, view, part};
	w->infos[view][part] = i;
	snprintf(name, sizeof(name), "weir_%s%s", duck_user_views[view].name, ends[part]);
	bool good = add_function(w, name, i, false);
	for (int n = 0;
	    n < USER_PROBES_MAX && part == PART_OWN && user_views[view].time_col && good; n++) {
		snprintf(name, sizeof(name), "weir_probe_%s_%d", duck_user_views[view].name, n);
		good = add_function(w, name, i, true);
	}
	return good;
}

bool
user_register(struct worker *w)
{
	bool good = true;
	for (int v = 0; v < USER_VIEWS && good; v++)
		if (user_views[v].sources)
			good = add_part(w, (enum user_view_id)v, PART_OWN);
	return good && add_part(w, VIEW_STATE_PATCHES, PART_OWNERS) &&
	    add_part(w, VIEW_STATE_PATCHES, PART_CHAIN);
}
