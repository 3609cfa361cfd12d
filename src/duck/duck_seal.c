/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "duck/duck_parts.h"
#include "duck/duck_services.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SPARSE_BYTES = 4, /* a row: see duck_schema_is_long_text() */
	KEYS_AT_ONCE = 64, /* in one statement; each is a parameter */
	TRACES_BYTES_MAX = 256 << 10, /* of one seal's filters */
	ATTRS_BYTES_MAX = 256 << 10,
	COMMIT_PATIENCE_NS = 500000000,
	/* A seal that is asked in vain for a trace costs 1 to 2 ms, and there are hundreds; for an
	 * attribute each answers anyhow. */
	TRACES_BITS = 20,
	ATTRS_BITS = 10,
};

/* One seal under way. */
struct sealing {
	struct duck *d;
	struct hot_seal take; /* its slices are those of the moved rows, if there are any */
	enum table_id id;
	struct seal_row *rows; /* sorted */
	int64_t day; /* of the table they go to; of a signal only */
	struct duck_table *table; /* NULL: no rows */
	bool is_new; /* the table is made in this transaction */
	uint32_t live; /* its columns that rows of this seal have values for */
	struct seal_filters filters;
	struct duck_seal_info info;
	/* Rows that come from the catch-all: they leave it in the same transaction. */
	const struct table *moved;
	duck_delete_fn delete_moved;
	duck_change_fn change; /* NULL: none */
	void *change_ctx;
};

uint64_t
duck_row_day(const struct table *t, size_t row)
{
	return t->cols[t->def->time_col].u64[row] / NS_PER_DAY;
}

int64_t
duck_table_day(const struct duck *d, uint64_t day)
{
	int64_t today = (int64_t)(d->opt.now_unix_ns() / NS_PER_DAY);
	bool near =
	    (int64_t)day >= today - d->opt.days_back && (int64_t)day <= today + d->opt.days_ahead;
	return near ? (int64_t)day : DUCK_DAY_OTHER;
}

/* None when memory is wanted, or it is the end. */
static uint64_t
patience_ns(const struct duck *d)
{
	struct hot_info info;
	hot_info(d->hot, &info);
	bool hurry = info.bytes > d->opt.hot_bytes_max / 2 || atomic_load(&d->cancelled);
	return hurry ? 0 : COMMIT_PATIENCE_NS;
}

/* Who finds the gate open knows which generation the file has. */
static enum err_code
commit(struct duck *d, uint64_t generation, struct err *err)
{
	duck_gate_close(&d->gate, patience_ns(d));
	enum err_code code = duck_exec(d, d->keeper.con, "COMMIT", err);
	if (code == ERR_OK)
		atomic_store(&d->generation, generation);
	duck_gate_open(&d->gate);
	return code;
}

/* ---- columns for attributes */

static struct str
text_of(const struct sealing *s, uint64_t row, size_t col)
{
	return table_str(s->rows[row].rows, s->rows[row].row, (int)col);
}

/* A row of every SHRED_SAMPLE_EVERY, not always the same of them: rows are sorted by trace, and many traces
 * are alike. */
static uint64_t
sampled_row(const struct sealing *s, uint64_t first)
{
	uint64_t row = first + (first * UINT64_C(0x9E3779B97F4A7C15) >> 40) % SHRED_SAMPLE_EVERY;
	return row < s->take.rows ? row : s->take.rows - 1;
}

static struct str
sampled_attributes(const struct sealing *s, uint64_t first)
{
	int col = duck_attributes_col(s->id);
	return col < 0 ? STR_EMPTY : text_of(s, sampled_row(s, first), (size_t)col);
}

static void
sample(struct sealing *s)
{
	struct shred_window *w = s->d->keeper.windows[s->id];
	for (uint64_t i = 0; i < s->take.rows; i += SHRED_SAMPLE_EVERY) {
		struct str json = sampled_attributes(s, i);
		if (json.ptr)
			shred_window_count(w, json);
	}
}

/* Columns none of the sampled rows has a value for are left out of the seal; should another row
 * have one, it stays in the rest. */
static void
find_live(struct sealing *s)
{
	const struct shred_plan *p = &s->table->plan;
	uint32_t all = (uint32_t)((UINT64_C(1) << p->count) - 1);
	s->live = 0;
	for (uint64_t i = 0; i < s->take.rows && s->live != all; i += SHRED_SAMPLE_EVERY) {
		struct str json = sampled_attributes(s, i);
		if (json.ptr)
			s->live |= shred_plan_columns_of(p, json);
	}
}

/* The rows of plan->keys from `first` on. */
static enum err_code
insert_keys(struct sealing *s, const struct shred_plan *plan, unsigned first, struct err *err)
{
	struct duck *d = s->d;
	enum err_code code = ERR_OK;
	struct duck_sql sql;
	duck_sql_init(&sql);
	for (unsigned i = first; i < plan->key_count && code == ERR_OK; i += KEYS_AT_ONCE) {
		duckdb_result result = {0};
		duck_sql_reset(&sql);
		buf_str(&sql.text, STR("INSERT INTO shreds VALUES "));
		for (unsigned k = i; k < plan->key_count && k < i + KEYS_AT_ONCE; k++) {
			const struct shred_key *key = &plan->keys[k];
			buf_printf(&sql.text, "%s('%s', %" PRId64 ", %u, ", k > i ? ", " : "",
			    table_defs[s->id].name, s->day, key->column);
			duck_sql_text(&sql, key->key);
			buf_printf(&sql.text, ", %d, %u)", (int)plan->columns[key->column].type,
			    key->code);
		}
		code = duck_run(d, d->keeper.con, &sql, UINT64_MAX, &result, err);
		if (code == ERR_OK)
			duckdb_destroy_result(&result);
	}
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
alter_table(struct sealing *s, const struct shred_plan *wanted, struct err *err)
{
	struct duck *d = s->d;
	char name[DUCK_TABLE_NAME_BYTES], sql[128];
	duck_schema_table_name(&table_defs[s->id], s->day, name);
	enum err_code code = duck_exec(d, d->keeper.con, "BEGIN TRANSACTION", err);
	if (code != ERR_OK)
		return code;
	code = insert_keys(s, wanted, s->table->plan.key_count, err);
	for (unsigned i = s->table->plan.count; i < wanted->count && code == ERR_OK; i++) {
		snprintf(sql, sizeof(sql), "ALTER TABLE %s ADD COLUMN a%u %s", name, i,
		    duck_schema_shred_type(wanted->columns[i].type));
		code = duck_exec(d, d->keeper.con, sql, err);
	}
	if (code == ERR_OK)
		code = commit(d, atomic_load(&d->generation), err);
	if (code != ERR_OK)
		duck_roll_back(d, &d->keeper.con);
	return code;
}

/* In a transaction of their own, before the rows': a column that nobody writes to yet harms
 * nobody. A new table is made with them. */
static enum err_code
add_keys(struct sealing *s, struct err *err)
{
	struct shred_plan *wanted = xcalloc(1, sizeof(*wanted));
	enum err_code code = ERR_OK;
	bool copied = shred_plan_copy(wanted, &s->table->plan);
	CHECK(copied);
	unsigned added = shred_window_choose(s->d->keeper.windows[s->id], wanted);
	if (added > 0 && !s->is_new)
		code = alter_table(s, wanted, err);
	for (unsigned i = s->table->plan.key_count; i < wanted->key_count && code == ERR_OK; i++) {
		const struct shred_key *k = &wanted->keys[i];
		bool fits = duck_catalog_add_key(&s->d->catalog, s->table, k->column, k->key,
		    wanted->columns[k->column].type, s->take.generation);
		CHECK(fits);
	}
	shred_plan_fini(wanted);
	free(wanted);
	if (code == ERR_OK)
		find_live(s);
	return code;
}

/* The table the rows go to, in memory; it is made in the file with the rows. */
static void
find_table(struct sealing *s, enum seal_into into)
{
	struct duck_catalog *c = &s->d->catalog;
	/* Rows of the catch-all go to their day also when midnight has passed since it was chosen. */
	if (!s->moved)
		s->day = into == SEAL_INTO_DAY && s->take.day != HOT_MIXED
		    ? duck_table_day(s->d, (uint64_t)s->take.day)
		    : DUCK_DAY_OTHER;
	s->table = duck_catalog_find(c, s->id, s->day);
	s->is_new = !s->table;
	if (s->is_new)
		s->table = duck_catalog_add_table(c, s->id, s->day, s->take.generation);
}

/* ---- the transaction */

/* Bytes that the attributes leave in the rest, in the sampled rows. */
static uint64_t
rest_bytes(const struct sealing *s)
{
	uint64_t bytes = 0;
	struct arena arena = {0};
	struct shred_row *row = xcalloc(1, sizeof(*row));
	for (uint64_t i = 0; i < s->take.rows; i += SHRED_SAMPLE_EVERY) {
		struct str json = sampled_attributes(s, i);
		if (!json.ptr)
			continue;
		arena_reset(&arena);
		bool good = shred_split(&s->table->plan, s->live, json, &arena, row, NULL, NULL);
		bytes += good ? row->rest.len : json.len;
	}
	arena_fini(&arena);
	free(row);
	return bytes;
}

/* Columns of long texts that these rows have little text for. Later rows may have more: that costs
 * bytes, until the next day's table. */
static uint64_t
sparse_columns(const struct sealing *s)
{
	const struct table_def *def = &table_defs[s->id];
	uint64_t sparse = 0;
	for (size_t c = 0; c < def->col_count && s->day != DUCK_DAY_OTHER; c++) {
		uint64_t bytes = 0, rows = 0;
		if (!duck_schema_is_long_text(def->cols[c].name))
			continue;
		for (uint64_t i = 0; i < s->take.rows; i += SHRED_SAMPLE_EVERY, rows++)
			bytes += text_of(s, sampled_row(s, i), c).len;
		if ((int)c == duck_attributes_col(s->id) && bytes >= rows * SPARSE_BYTES)
			bytes = rest_bytes(s);
		if (bytes < rows * SPARSE_BYTES)
			sparse |= UINT64_C(1) << c;
	}
	return sparse;
}

static enum err_code
make_table(struct sealing *s, struct err *err)
{
	struct duck *d = s->d;
	const struct table_def *def = &table_defs[s->id];
	char name[DUCK_TABLE_NAME_BYTES];
	enum err_code code = duck_fault(d, DUCK_STEP_TABLE, err);
	if (code != ERR_OK || !s->is_new)
		return code;
	duck_schema_table_name(def, s->day, name);
	struct buf sql = {0};
	duck_schema_create_day(&sql, name, def, &s->table->plan, sparse_columns(s));
	buf_printf(&sql, "; INSERT INTO partitions VALUES ('%s', %" PRId64 ")", def->name, s->day);
	buf_char(&sql, '\0');
	CHECK(!sql.failed);
	code = duck_exec(d, d->keeper.con, sql.ptr, err);
	buf_fini(&sql);
	return code == ERR_OK ? insert_keys(s, &s->table->plan, 0, err) : code;
}

static enum err_code
write_rows(struct sealing *s, struct err *err)
{
	struct duck *d = s->d;
	char name[DUCK_TABLE_NAME_BYTES];
	enum err_code code = make_table(s, err);
	if (code == ERR_OK)
		code = duck_fault(d, DUCK_STEP_ROWS, err);
	if (code != ERR_OK)
		return code;
	duck_schema_table_name(&table_defs[s->id], s->day, name);
	code = duck_write_rows(d, d->keeper.con, name, s->day == DUCK_DAY_OTHER ? NULL : s->table,
	    s->live, s->id, s->take.generation, s->rows, s->take.rows, &s->filters, err);
	if (code == ERR_OK && s->day != DUCK_DAY_OTHER)
		code = duck_sums_write(d, d->keeper.con, s->id, s->take.generation, s->rows,
		    s->take.rows, err);
	return code == ERR_OK ? duck_fault(d, DUCK_STEP_FLUSH, err) : code;
}

static enum err_code
write_dicts(struct sealing *s, struct err *err)
{
	static const enum table_id dicts[] = {TABLE_RESOURCES, TABLE_SCOPES};
	enum err_code code = duck_fault(s->d, DUCK_STEP_DICT, err);
	for (size_t i = 0; i < ARRAY_LEN(dicts) && code == ERR_OK; i++)
		if (s->take.dict_slice_count[i] > 0)
			code = duck_write_dict(s->d, s->d->keeper.con, dicts[i],
			    s->take.dict_slices[i], s->take.dict_slice_count[i], err);
	return code;
}

/* What the outbox has, up to what it had when the seal began. */
static enum err_code
write_requests(struct sealing *s, struct err *err)
{
	struct duck_outbox *o = &s->d->outbox;
	mutex_lock(&o->lock);
	o->sealing = o->requests.len;
	size_t count = o->requests.len / sizeof(struct ident_request);
	struct ident_request *copy = xcalloc(count > 0 ? count : 1, sizeof(*copy));
	if (count > 0)
		memcpy(copy, o->requests.ptr, count * sizeof(*copy));
	mutex_unlock(&o->lock);
	enum err_code code =
	    count > 0 ? duck_write_requests(s->d, s->d->keeper.con, copy, count, err) : ERR_OK;
	free(copy);
	return code;
}

/* Of each event day the last row: slices are in order of arrival. */
static enum err_code
write_positions(struct sealing *s, struct err *err)
{
	const struct hot_seal *t = &s->take;
	struct map last = {0};
	struct buf sql = {0};
	enum err_code code = duck_fault(s->d, DUCK_STEP_POSITION, err);
	for (size_t i = 0; i < t->slice_count; i++)
		for (uint32_t k = 0; k < t->slices[i].count; k++) {
			uint32_t row = t->slices[i].first + k;
			bool put = map_put(&last, duck_row_day(t->slices[i].rows, row),
			    (uint64_t)i << 32 | row);
			CHECK(put);
		}
	buf_str(&sql, STR("INSERT INTO positions VALUES "));
	size_t n = 0;
	for (size_t i = 0; i < last.cap; i++) {
		if (!last.used[i])
			continue;
		const struct table *rows = t->slices[last.entries[i].value >> 32].rows;
		size_t row = (uint32_t)last.entries[i].value;
		buf_printf(&sql,
		    "%s(%" PRIu64 "::UBIGINT, '%s', %" PRIu64 "::UBIGINT, %" PRIu64
		    "::UBIGINT, %" PRIu32 ")",
		    n++ > 0 ? ", " : "", t->generation, table_defs[s->id].name, last.entries[i].key,
		    table_u64(rows, row, duck_seq_col(s->id)),
		    table_u32(rows, row, duck_seq_col(s->id) + 1));
	}
	buf_char(&sql, '\0');
	if (sql.failed)
		code = err_set(err, ERR_BUSY, "no memory for the positions of a seal");
	if (code == ERR_OK && n > 0)
		code = duck_exec(s->d, s->d->keeper.con, sql.ptr, err);
	buf_fini(&sql);
	map_fini(&last);
	return code;
}

/* Between which seqs its rows are, for questions in the order of arrival. */
static void
bound_by_seq(struct sealing *s)
{
	const struct hot_seal *t = &s->take;
	s->info.seq_min = UINT64_MAX;
	for (size_t i = 0; i < t->slice_count; i++) {
		const struct hot_slice *slice = &t->slices[i];
		const uint64_t *seqs = slice->rows->cols[duck_seq_col(s->id)].u64;
		for (uint32_t row = slice->first; row < slice->first + slice->count; row++) {
			s->info.seq_min = seqs[row] < s->info.seq_min ? seqs[row] : s->info.seq_min;
			s->info.seq_max = seqs[row] > s->info.seq_max ? seqs[row] : s->info.seq_max;
		}
	}
}

static enum err_code
write_seal(struct sealing *s, struct err *err)
{
	struct buf traces = {0}, attrs = {0};
	const struct hot_seal *t = &s->take;
	bool filtered = s->table && s->day != DUCK_DAY_OTHER;
	if (filtered) {
		bloom_finish(&s->filters.attrs, ATTRS_BITS, ATTRS_BYTES_MAX, &attrs);
		if (duck_trace_col(s->id) >= 0)
			bloom_finish(&s->filters.traces, TRACES_BITS, TRACES_BYTES_MAX, &traces);
	}
	s->info = (struct duck_seal_info){
	    .gen = t->generation, .summed_since = t->generation, .rows = t->rows};
	s->info.time_min = UINT64_MAX;
	for (size_t i = 0; i < t->slice_count; i++) {
		if (t->slices[i].time_min < s->info.time_min)
			s->info.time_min = t->slices[i].time_min;
		if (t->slices[i].time_max > s->info.time_max)
			s->info.time_max = t->slices[i].time_max;
	}
	if (filtered)
		bound_by_seq(s);
	bool has_traces = filtered && duck_trace_col(s->id) >= 0;
	enum err_code code =
	    duck_write_seal(s->d, s->d->keeper.con, s->table ? table_defs[s->id].name : "", s->day,
	        &s->info, t->floor_seq, has_traces ? &traces : NULL, filtered ? &attrs : NULL, err);
	if (code == ERR_OK && filtered) {
		/* Before the commit: a reader may see the rows as soon as that has happened. */
		if (has_traces)
			s->info.traces = buf_view(&traces);
		duck_catalog_add_seal(&s->d->catalog, s->table, &s->info);
	}
	buf_fini(&traces);
	buf_fini(&attrs);
	return code;
}

static enum err_code
in_transaction(struct sealing *s, struct err *err)
{
	enum err_code code = ERR_OK;
	if (s->table)
		code = write_rows(s, err);
	if (code == ERR_OK)
		code = write_dicts(s, err);
	if (code == ERR_OK)
		code = write_requests(s, err);
	/* The places of moved rows were written when they came into the catch-all. */
	if (code == ERR_OK && !s->moved)
		code = write_positions(s, err);
	if (code == ERR_OK)
		code = duck_pulls_write(s->d, s->d->keeper.con, s->take.generation,
		    s->take.floor_seq, err);
	if (code == ERR_OK && s->moved)
		code = s->delete_moved(s->d, s->id, (uint64_t)s->day, s->moved, err);
	if (code == ERR_OK && s->change)
		code = s->change(s->d, s->take.generation, s->change_ctx, err);
	if (code == ERR_OK)
		code = write_seal(s, err);
	return code;
}

/* A failed COMMIT has rolled back by itself: then there is nothing to roll back, which is an error
 * too. A new connection is without a transaction in any case. */
void
duck_roll_back(struct duck *d, duckdb_connection *con)
{
	struct err ignored;
	if (atomic_load(&d->broken) || duck_exec(d, *con, "ROLLBACK", &ignored) == ERR_OK)
		return;
	duckdb_connection fresh = NULL;
	if (duckdb_connect(d->db, &fresh) != DuckDBSuccess)
		return; /* the next BEGIN says so */
	duckdb_disconnect(con);
	*con = fresh;
}

static enum err_code
run_transaction(struct sealing *s, struct err *err)
{
	struct duck *d = s->d;
	enum err_code code = duck_fault(d, DUCK_STEP_BEGIN, err);
	if (code == ERR_OK && s->table && s->day != DUCK_DAY_OTHER) {
		sample(s);
		code = add_keys(s, err);
	}
	if (code == ERR_OK)
		code = duck_exec(d, d->keeper.con, "BEGIN TRANSACTION", err);
	if (code != ERR_OK)
		return code;
	code = in_transaction(s, err);
	if (code == ERR_OK)
		code = duck_fault(d, DUCK_STEP_COMMIT, err);
	if (code == ERR_OK)
		code = commit(d, s->take.generation, err);
	if (code != ERR_OK)
		duck_roll_back(d, &d->keeper.con);
	return code;
}

/* ---- before and after */

/* The requests of the seal are in the file, or not. */
void
duck_outbox_settle(struct duck_outbox *o, bool done)
{
	mutex_lock(&o->lock);
	if (done && o->sealing > 0) {
		memmove(o->requests.ptr, o->requests.ptr + o->sealing,
		    o->requests.len - o->sealing);
		o->requests.len -= o->sealing;
	}
	o->sealing = 0;
	mutex_unlock(&o->lock);
}

/* The file has it. */
void
duck_seal_committed(struct duck *d, uint64_t generation, uint64_t floor)
{
	hot_seal_done(d->hot);
	duck_outbox_settle(&d->outbox, true);
	duck_pulls_settle(d, floor);
	atomic_store(&d->generation, generation);
	d->keeper.floor = floor;
	d->keeper.floor_ns = clock_mono_ns();
	d->keeper.dirty = true;
}

static void
finish(struct sealing *s, uint64_t start_ns)
{
	struct duck *d = s->d;
	if (s->table && s->day == DUCK_DAY_OTHER)
		duck_catalog_count_loose(&d->catalog, s->table, (int64_t)s->take.rows);
	if (s->table && s->day != DUCK_DAY_OTHER)
		shred_window_age(d->keeper.windows[s->id]);
	atomic_fetch_add(&d->seals, 1);
	atomic_fetch_add(&d->seal_rows, s->take.rows);
	atomic_fetch_add(&d->seal_ns, clock_mono_ns() - start_ns);
	log_debug("duck", "seal %" PRIu64 ": %" PRIu64 " rows in %" PRIu64 " ms",
	    s->take.generation, s->take.rows, (clock_mono_ns() - start_ns) / NS_PER_MS);
	duck_seal_committed(d, s->take.generation, s->take.floor_seq);
}

static enum err_code
seal(struct sealing *s, enum seal_into into, struct err *err)
{
	struct duck *d = s->d;
	struct trace_span span;
	uint64_t start_ns = clock_mono_ns();
	trace_begin(&span, s->change ? "remove" : "seal", TRACE_INTERNAL);
	bloom_init(&s->filters.traces, SEAL_ROWS * 2);
	bloom_init(&s->filters.attrs, SEAL_ROWS * 8);
	if (s->take.rows > 0) {
		s->rows = duck_sort(s->id, s->take.slices, s->take.slice_count, s->take.rows);
		find_table(s, into);
	}
	enum err_code code = run_transaction(s, err);
	if (code == ERR_OK) {
		finish(s, start_ns);
	} else if (atomic_load(&d->broken)) {
		/* Whether it was committed is seen when the database is open again. */
		d->keeper.in_doubt = true;
		log_debug("duck", "seal %" PRIu64 " is in doubt", s->take.generation);
	} else {
		duck_catalog_forget(&d->catalog, s->take.generation);
		duck_outbox_settle(&d->outbox, false);
		hot_seal_failed(d->hot);
	}
	bloom_fini(&s->filters.traces);
	bloom_fini(&s->filters.attrs);
	free(s->rows);
	trace_number(&span, "weir.rows", (int64_t)s->take.rows);
	trace_number(&span, "weir.generation", (int64_t)s->take.generation);
	if (s->take.rows > 0)
		trace_text(&span, "weir.table", table_defs[s->id].name,
		    strlen(table_defs[s->id].name));
	trace_end(&span, code, err->message);
	return code;
}

enum err_code
duck_seal(struct duck *d, enum table_id table, int64_t day, uint64_t rows, enum seal_into into,
    struct err *err)
{
	struct sealing s = {.d = d, .id = table, .day = DUCK_DAY_OTHER};
	hot_seal_begin(d->hot, table, day, rows, &s.take);
	return seal(&s, into, err);
}

enum err_code
duck_seal_change(struct duck *d, duck_change_fn change, void *ctx, struct err *err)
{
	struct sealing s = {.d = d,
	    .id = TABLE_STORED_COUNT,
	    .day = DUCK_DAY_OTHER,
	    .change = change,
	    .change_ctx = ctx};
	hot_seal_begin(d->hot, TABLE_STORED_COUNT, 0, 0, &s.take);
	return seal(&s, SEAL_INTO_OTHER, err);
}

enum err_code
duck_seal_moved(struct duck *d, enum table_id table, int64_t day, const struct table *rows,
    duck_delete_fn delete_moved, struct err *err)
{
	struct sealing s = {
	    .d = d, .id = table, .day = day, .moved = rows, .delete_moved = delete_moved};
	const uint64_t *times = rows->cols[rows->def->time_col].u64;
	struct hot_slice slice = {
	    .rows = rows, .count = (uint32_t)rows->row_count, .time_min = UINT64_MAX};
	CHECK(rows->row_count > 0 && rows->row_count <= UINT32_MAX);
	for (size_t i = 0; i < rows->row_count; i++) {
		slice.time_min = times[i] < slice.time_min ? times[i] : slice.time_min;
		slice.time_max = times[i] > slice.time_max ? times[i] : slice.time_max;
	}
	hot_seal_begin(d->hot, TABLE_STORED_COUNT, 0, 0, &s.take);
	s.take.day = day;
	s.take.slices = &slice;
	s.take.slice_count = 1;
	s.take.rows = rows->row_count;
	return seal(&s, SEAL_INTO_DAY, err);
}

enum err_code
duck_forget_requests(struct duck *d, uint64_t below_seq, struct err *err)
{
	char sql[80];
	snprintf(sql, sizeof(sql), "DELETE FROM requests WHERE seq < %" PRIu64 "::UBIGINT",
	    below_seq);
	enum err_code code = duck_exec(d, d->keeper.con, "BEGIN TRANSACTION", err);
	if (code != ERR_OK)
		return code;
	code = duck_exec(d, d->keeper.con, sql, err);
	if (code == ERR_OK)
		code = commit(d, atomic_load(&d->generation), err);
	if (code != ERR_OK)
		duck_roll_back(d, &d->keeper.con);
	else
		d->keeper.dirty = true;
	return code;
}
