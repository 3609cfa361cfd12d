/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_view.h"

#include "duck/duck_pick.h"
#include "duck/duck_priv.h"
#include "sys/clock.h"
#include "sys/rand.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	BEGIN_TRIES = 20,
	BEGIN_PAUSE_NS = 1000000,
	SCAN_THREADS_MAX = 16,
	TEXT_INLINE_BYTES = 12, /* of a duckdb_string_t */
	TEXT_PREFIX_BYTES = 4,
};

struct duck_live_view {
	struct duck_handle handle; /* its owner's, and one for each statement that is bound to it */
	struct hot_view *hot;
	uint64_t gen;
};

static void
free_view(struct duck_handle *h)
{
	struct duck_live_view *v = (struct duck_live_view *)h;
	hot_view_free(v->hot);
	free(v);
}

static struct duck_live_view *
add_view(struct duck_handles *all, struct hot_view *hot, uint64_t gen)
{
	struct duck_live_view *v = xcalloc(1, sizeof(*v));
	v->hot = hot;
	v->gen = gen;
	duck_handle_begin(all, &v->handle, free_view);
	return v;
}

uint64_t
duck_views_oldest(struct duck_handles *all)
{
	uint64_t oldest = UINT64_MAX;
	mutex_lock(&all->lock);
	for (size_t i = 0; i < all->count; i++) {
		const struct duck_live_view *v = (const struct duck_live_view *)all->live[i];
		oldest = v->gen < oldest ? v->gen : oldest;
	}
	mutex_unlock(&all->lock);
	return oldest;
}

/* ---- a moment */

static enum err_code
begin_once(struct duck *d, struct duck_view *v, struct hot_view **hot, struct err *err)
{
	struct err ignored;
	v->gen = atomic_load(&d->generation);
	if (!v->transaction)
		return hot_view_take(d->hot, v->gen, hot, err);
	enum err_code code = duck_exec(d, v->con, "BEGIN TRANSACTION READ ONLY", err);
	if (code != ERR_OK)
		return code;
	/* The first statement takes the snapshot. */
	code = duck_number(d, v->con, "SELECT max(gen) FROM seals", &v->gen, err);
	if (code == ERR_OK)
		code = hot_view_take(d->hot, v->gen, hot, err);
	if (code != ERR_OK && duck_exec(d, v->con, "ROLLBACK", &ignored) != ERR_OK &&
	    code == ERR_BUSY)
		code = err_set(err, ERR_INTERNAL, "a read transaction cannot be ended");
	return code;
}

enum err_code
duck_view_begin(struct duck *d, duckdb_connection con, bool transaction, struct duck_view *out,
    struct err *err)
{
	struct hot_view *hot = NULL;
	enum err_code code = ERR_BUSY;
	*out = (struct duck_view){.con = con, .transaction = transaction};
	for (int i = 0; i < BEGIN_TRIES && code == ERR_BUSY; i++) {
		if (i > 1)
			clock_sleep_ns(BEGIN_PAUSE_NS);
		code = begin_once(d, out, &hot, err);
	}
	if (code != ERR_OK)
		return code;
	out->live = add_view(&d->views, hot, out->gen);
	out->hot = hot;
	out->handle = out->live->handle.number;
	return ERR_OK;
}

bool
duck_view_end(struct duck *d, struct duck_view *v)
{
	struct err ignored;
	duck_handle_end(&v->live->handle);
	v->live = NULL;
	v->hot = NULL;
	/* A transaction that only reads ends with ROLLBACK as well as with COMMIT. */
	/* Without one it is the next statement that ends what was left: a statement holds its view. */
	if (v->transaction)
		return duck_exec(d, v->con, "ROLLBACK", &ignored) == ERR_OK;
	return !v->left || duck_exec(d, v->con, "SELECT 1", &ignored) == ERR_OK;
}

const struct hot_view_part *
duck_view_part(const struct duck_view *v, enum table_id id, int64_t day)
{
	for (size_t i = 0; i < v->hot->part_count; i++)
		if (v->hot->parts[i].table == id && v->hot->parts[i].day == day &&
		    v->hot->parts[i].rows > 0)
			return &v->hot->parts[i];
	return NULL;
}

/* ---- the rows of a trace */

/* Rows from `at` on that belong to the trace and stand together; count 0: there are no more. */
static struct hot_slice
next_run(const struct hot_slice *slice, uint32_t at, uint64_t trace_hi, uint64_t trace_lo)
{
	struct hot_slice run = *slice;
	int col = duck_trace_col((enum table_id)(slice->rows->def - table_defs));
	const uint64_t *hi = slice->rows->cols[col].u64, *lo = slice->rows->cols[col + 1].u64;
	uint32_t end = slice->first + slice->count;
	while (at < end && (hi[at] != trace_hi || lo[at] != trace_lo))
		at++;
	run.first = at;
	while (at < end && hi[at] == trace_hi && lo[at] == trace_lo)
		at++;
	run.count = at - run.first;
	return run;
}

bool
duck_view_has_trace(const struct hot_view_part *part, uint64_t trace_hi, uint64_t trace_lo)
{
	CHECK(duck_trace_col(part->table) >= 0);
	for (size_t i = 0; i < part->slice_count; i++) {
		const struct hot_slice *s = &part->slices[i];
		if (next_run(s, s->first, trace_hi, trace_lo).count > 0)
			return true;
	}
	return false;
}

/* ---- rows that were picked */

static bool
is_picked(const struct hot_slice *slice, const struct duck_pick *pick, uint32_t row)
{
	enum table_id id = (enum table_id)(slice->rows->def - table_defs);
	const struct column *cols = slice->rows->cols;
	if (duck_pick_is_of(pick) == DUCK_PICK_ROWS) {
		int seq = duck_seq_col(id);
		return duck_pick_has(pick, cols[seq].u64[row], cols[seq + 1].u32[row]);
	}
	int trace = duck_trace_col(id);
	CHECK(trace >= 0);
	return duck_pick_has(pick, cols[trace].u64[row], cols[trace + 1].u64[row]);
}

/* Rows from `at` on that were picked and stand together; count 0: there are no more. */
static struct hot_slice
next_picked(const struct hot_slice *slice, uint32_t at, const struct duck_pick *pick)
{
	struct hot_slice run = *slice;
	uint32_t end = slice->first + slice->count;
	while (at < end && !is_picked(slice, pick, at))
		at++;
	run.first = at;
	while (at < end && is_picked(slice, pick, at))
		at++;
	run.count = at - run.first;
	return run;
}

/* ---- columns of a chunk */

struct target {
	const struct hot_slice *slice;
	const struct column *col;
	int col_idx;
	duckdb_vector vector;
	uint64_t *validity; /* NULL until something is NULL */
};

static void
set_null(struct target *t, size_t i)
{
	if (!t->validity) {
		duckdb_vector_ensure_validity_writable(t->vector);
		t->validity = duckdb_vector_get_validity(t->vector);
	}
	duckdb_validity_set_row_invalid(t->validity, i);
}

/* What DuckDB does not own it does not free either: the text stays where it is. */
static duckdb_string_t
text_in_place(struct str s)
{
	duckdb_string_t out;
	memset(&out, 0, sizeof(out)); /* bytes behind an inlined text must be zero */
	CHECK(s.len <= UINT32_MAX);
	out.value.inlined.length = (uint32_t)s.len;
	if (s.len <= TEXT_INLINE_BYTES) {
		if (s.len > 0)
			memcpy(out.value.inlined.inlined, s.ptr, s.len);
		return out;
	}
	memcpy(out.value.pointer.prefix, s.ptr, TEXT_PREFIX_BYTES);
	out.value.pointer.ptr = (char *)(uintptr_t)s.ptr;
	return out;
}

static void
give_texts(struct target *t, bool nullable)
{
	const struct str *values = t->col->str + t->slice->first;
	duckdb_string_t *out = duckdb_vector_get_data(t->vector);
	for (size_t i = 0; i < t->slice->count; i++) {
		out[i] = text_in_place(values[i].ptr ? values[i] : STR_EMPTY);
		if (nullable && !values[i].ptr)
			set_null(t, i);
	}
}

/* U64S and F64S are both a pointer and a count of 8-byte items. */
static struct str
list_bytes(const struct target *t, enum col_kind kind, size_t i)
{
	size_t row = t->slice->first + i;
	if (kind == COL_U64S)
		return str_of(t->col->u64s[row].ptr, t->col->u64s[row].len * sizeof(uint64_t));
	return str_of(t->col->f64s[row].ptr, t->col->f64s[row].len * sizeof(double));
}

static bool
give_lists(struct target *t, enum col_kind kind)
{
	duckdb_list_entry *entries = duckdb_vector_get_data(t->vector);
	size_t total = 0;
	for (size_t i = 0; i < t->slice->count; i++) {
		struct str item = list_bytes(t, kind, i);
		entries[i] = (duckdb_list_entry){total, item.ptr ? item.len / 8 : 0};
		total += entries[i].length;
		if (!item.ptr)
			set_null(t, i);
	}
	if (duckdb_list_vector_reserve(t->vector, total) != DuckDBSuccess ||
	    duckdb_list_vector_set_size(t->vector, total) != DuckDBSuccess)
		return false;
	/* Reserving may have moved it: get the data only now. */
	char *items = duckdb_vector_get_data(duckdb_list_vector_get_child(t->vector));
	for (size_t i = 0; i < t->slice->count; i++)
		if (entries[i].length > 0)
			memcpy(items + entries[i].offset * 8, list_bytes(t, kind, i).ptr,
			    entries[i].length * 8);
	return true;
}

static bool
give_column(struct target *t)
{
	const struct column_def *def = &t->slice->rows->def->cols[t->col_idx];
	if (def->kind == COL_U64S || def->kind == COL_F64S)
		return give_lists(t, def->kind);
	if (def->kind == COL_STR) {
		give_texts(t, def->nullable);
		return true;
	}
	size_t bytes = table_kind_bytes(def->kind);
	memcpy(duckdb_vector_get_data(t->vector),
	    (const char *)t->col->any + t->slice->first * bytes, t->slice->count * bytes);
	for (size_t i = 0; t->col->null && i < t->slice->count; i++)
		if (t->col->null[t->slice->first + i])
			set_null(t, i);
	return true;
}

/* ---- the table function */

enum {
	PARAM_VIEW,
	PARAM_PART,
	PARAM_FROM,
	PARAM_TO,
	PARAM_TRACE_HI,
	PARAM_TRACE_LO,
	PARAM_PICK,
	PARAM_COUNT
};

struct scan {
	struct duck_live_view *live;
	const struct hot_view_part *part;
	uint64_t from_ns, to_ns;
	uint64_t trace_hi, trace_lo;
	struct duck_pick *pick; /* or NULL */
	bool by_run; /* a trace, or what was picked: then one thread scans */
};

struct scan_state {
	atomic_size_t next; /* slice */
	const struct hot_slice *slice; /* by run: the one at hand, from `at` on */
	uint32_t at;
	idx_t count;
	idx_t cols[];
};

static void
scan_free(void *p)
{
	struct scan *s = p;
	duck_handle_unref(&s->live->handle);
	if (s->pick)
		duck_pick_unref(s->pick);
	free(s);
}

static bool
get_params(duckdb_bind_info info, uint64_t out[PARAM_COUNT])
{
	bool set = true;
	for (idx_t i = 0; i < PARAM_COUNT; i++) {
		duckdb_value v = duckdb_bind_get_parameter(info, i);
		set = set && v && !duckdb_is_null_value(v);
		if (set)
			out[i] =
			    i <= PARAM_PART ? (uint64_t)duckdb_get_int64(v) : duckdb_get_uint64(v);
		duckdb_destroy_value(&v);
	}
	return set;
}

static void
bind_scan(duckdb_bind_info info)
{
	struct duck *d = duckdb_bind_get_extra_info(info);
	uint64_t params[PARAM_COUNT];
	struct duck_live_view *live = NULL;
	if (get_params(info, params))
		live = (struct duck_live_view *)duck_handle_ref(&d->views, params[PARAM_VIEW]);
	struct duck_pick *pick = NULL;
	bool good = live && params[PARAM_PART] < live->hot->part_count;
	if (good && params[PARAM_PICK] != 0) {
		pick = duck_pick_ref(&d->picks, params[PARAM_PICK]);
		good = pick != NULL;
	}
	if (!good) {
		duckdb_bind_set_error(info,
		    "weir_hot() is weir's own: there is no such view or pick");
		if (live)
			duck_handle_unref(&live->handle);
		return;
	}
	struct scan *s = xcalloc(1, sizeof(*s));
	*s = (struct scan){.live = live,
	    .part = &live->hot->parts[params[PARAM_PART]],
	    .from_ns = params[PARAM_FROM],
	    .to_ns = params[PARAM_TO],
	    .trace_hi = params[PARAM_TRACE_HI],
	    .trace_lo = params[PARAM_TRACE_LO],
	    .pick = pick};
	bool by_trace = (s->trace_hi != 0 || s->trace_lo != 0) && s->part->table < SIGNAL_TABLES &&
	    duck_trace_col(s->part->table) >= 0;
	s->by_run = by_trace || pick;
	duckdb_bind_set_bind_data(info, s, scan_free);
	const struct table_def *def = &table_defs[s->part->table];
	for (size_t c = 0; c < def->col_count; c++) {
		duckdb_logical_type type = duck_logical_type(def->cols[c].kind);
		duckdb_bind_add_result_column(info, def->cols[c].name, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_bind_set_cardinality(info, s->part->rows, true);
}

static void
init_scan(duckdb_init_info info)
{
	const struct scan *s = duckdb_init_get_bind_data(info);
	idx_t count = duckdb_init_get_column_count(info);
	struct scan_state *state = xcalloc(1, sizeof(*state) + count * sizeof(idx_t));
	state->count = count;
	for (idx_t i = 0; i < count; i++)
		state->cols[i] = duckdb_init_get_column_index(info, i);
	idx_t threads = s->by_run                     ? 1
	    : s->part->slice_count < SCAN_THREADS_MAX ? s->part->slice_count
	                                              : SCAN_THREADS_MAX;
	duckdb_init_set_max_threads(info, threads > 0 ? threads : 1);
	duckdb_init_set_init_data(info, state, free);
}

static const struct hot_slice *
next_slice(const struct scan *s, struct scan_state *state)
{
	for (;;) {
		size_t i = atomic_fetch_add(&state->next, 1);
		if (i >= s->part->slice_count)
			return NULL;
		const struct hot_slice *slice = &s->part->slices[i];
		if (slice->time_max >= s->from_ns &&
		    (s->to_ns == UINT64_MAX || slice->time_min < s->to_ns))
			return slice;
	}
}

/* Rows for one chunk; count 0: there are no more. */
static struct hot_slice
next_rows(const struct scan *s, struct scan_state *state)
{
	for (;;) {
		if (!state->slice) {
			state->slice = next_slice(s, state);
			if (!state->slice)
				return (struct hot_slice){0};
			state->at = state->slice->first;
		}
		struct hot_slice run = s->pick
		    ? next_picked(state->slice, state->at, s->pick)
		    : next_run(state->slice, state->at, s->trace_hi, s->trace_lo);
		state->at = run.first + run.count;
		if (run.count > 0)
			return run;
		state->slice = NULL;
	}
}

bool
duck_view_give(duckdb_data_chunk chunk, const struct hot_slice *slice, const idx_t *cols,
    idx_t count)
{
	CHECK(slice->count <= DUCK_CHUNK_ROWS);
	for (idx_t i = 0; i < count; i++) {
		if (cols[i] >= slice->rows->def->col_count)
			continue; /* count(*) asks for a column that is none */
		struct target t = {
		    .slice = slice,
		    .col = &slice->rows->cols[cols[i]],
		    .col_idx = (int)cols[i],
		    .vector = duckdb_data_chunk_get_vector(chunk, i),
		};
		if (!give_column(&t))
			return false;
	}
	return true;
}

static void
give_slice(duckdb_function_info info, duckdb_data_chunk chunk)
{
	const struct scan *s = duckdb_function_get_bind_data(info);
	struct scan_state *state = duckdb_function_get_init_data(info);
	struct hot_slice run;
	const struct hot_slice *slice = s->by_run ? &run : next_slice(s, state);
	if (s->by_run)
		run = next_rows(s, state);
	if (!slice || slice->count == 0) {
		duckdb_data_chunk_set_size(chunk, 0);
		return;
	}
	if (!duck_view_give(chunk, slice, state->cols, state->count)) {
		duckdb_function_set_error(info, "no memory for lists of the hot tail");
		duckdb_data_chunk_set_size(chunk, 0);
		return;
	}
	duckdb_data_chunk_set_size(chunk, slice->count);
}

void
duck_view_put(struct duck_sql *sql, const struct duck_view *v, uint32_t part,
    const struct store_query *q, const struct duck_pick *pick)
{
	bool by_trace = q && q->has_trace_id, by_time = q && q->kind != STORE_ARRIVALS;
	const uint64_t bounds[] = {by_time ? q->from_ns : 0, by_time ? q->to_ns : UINT64_MAX,
	    by_trace ? q->trace_hi : 0, by_trace ? q->trace_lo : 0,
	    pick ? duck_pick_number(pick) : 0};
	buf_printf(&sql->text, "weir_hot(%" PRIu64 ", %" PRIu32, v->handle, part);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		buf_str(&sql->text, STR(", "));
		duck_sql_u64(sql, bounds[i]);
	}
	buf_char(&sql->text, ')');
}

enum err_code
duck_view_register(struct duck *d, duckdb_connection con, struct err *err)
{
	static const duckdb_type params[PARAM_COUNT] = {[PARAM_VIEW] = DUCKDB_TYPE_BIGINT,
	    [PARAM_PART] = DUCKDB_TYPE_INTEGER,
	    [PARAM_FROM] = DUCKDB_TYPE_UBIGINT,
	    [PARAM_TO] = DUCKDB_TYPE_UBIGINT,
	    [PARAM_TRACE_HI] = DUCKDB_TYPE_UBIGINT,
	    [PARAM_TRACE_LO] = DUCKDB_TYPE_UBIGINT,
	    [PARAM_PICK] = DUCKDB_TYPE_UBIGINT};
	duckdb_table_function f = duckdb_create_table_function();
	duckdb_table_function_set_name(f, "weir_hot");
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		duckdb_logical_type type = duckdb_create_logical_type(params[i]);
		duckdb_table_function_add_parameter(f, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_table_function_set_extra_info(f, d, NULL);
	duckdb_table_function_set_bind(f, bind_scan);
	duckdb_table_function_set_init(f, init_scan);
	duckdb_table_function_set_function(f, give_slice);
	duckdb_table_function_supports_projection_pushdown(f, true);
	enum err_code code = ERR_OK;
	if (duckdb_register_table_function(con, f) != DuckDBSuccess)
		code = duck_fail(d, DUCKDB_ERROR_CATALOG, "weir_hot cannot be registered", err);
	duckdb_destroy_table_function(&f);
	return code;
}
