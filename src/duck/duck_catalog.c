/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_catalog.h"

#include "base/bloom.h"
#include "duck/duck_priv.h"

#include <stdio.h>
#include <stdlib.h>

void
duck_catalog_init(struct duck_catalog *c, uint64_t filter_bytes_max)
{
	*c = (struct duck_catalog){.filter_bytes_max = filter_bytes_max};
	mutex_init(&c->lock);
}

static void
table_free(struct duck_table *t)
{
	CHECK(t->seals || t->seal_count == 0);
	for (size_t i = 0; i < t->seal_count; i++)
		free((void *)(uintptr_t)t->seals[i].traces.ptr);
	shred_plan_fini(&t->plan);
	free(t->seals);
	free(t);
}

void
duck_catalog_fini(struct duck_catalog *c)
{
	for (size_t i = 0; i < c->count; i++)
		table_free(c->tables[i]);
	free(c->tables);
	mutex_fini(&c->lock);
	*c = (struct duck_catalog){0};
}

struct duck_table *
duck_catalog_find(const struct duck_catalog *c, enum table_id id, int64_t day)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->tables[i]->id == id && c->tables[i]->day == day &&
		    c->tables[i]->until == UINT64_MAX)
			return c->tables[i];
	return NULL;
}

struct duck_table *
duck_catalog_add_table(struct duck_catalog *c, enum table_id id, int64_t day, uint64_t since)
{
	struct duck_table *t = xcalloc(1, sizeof(*t));
	t->id = id;
	t->day = day;
	t->since = since;
	t->until = UINT64_MAX;
	t->loose = day == DUCK_DAY_OTHER;
	mutex_lock(&c->lock);
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->tables = xrealloc(c->tables, c->cap * sizeof(struct duck_table *));
	}
	c->tables[c->count++] = t;
	mutex_unlock(&c->lock);
	return t;
}

bool
duck_catalog_add_key(struct duck_catalog *c, struct duck_table *t, unsigned number, struct str key,
    enum shred_type type, uint64_t since)
{
	mutex_lock(&c->lock);
	unsigned before = t->plan.count;
	bool added = type == SHRED_SHARED ? shred_plan_add_shared(&t->plan, number, key)
	                                  : number == before && shred_plan_add(&t->plan, key, type);
	if (t->plan.count > before)
		t->column_since[before] = since;
	mutex_unlock(&c->lock);
	return added;
}

void
duck_catalog_add_seal(struct duck_catalog *c, struct duck_table *t,
    const struct duck_seal_info *info)
{
	struct str traces = {0};
	mutex_lock(&c->lock);
	bool fits = info->traces.ptr && c->filter_bytes + info->traces.len <= c->filter_bytes_max;
	if (fits) {
		char *copy = xcalloc(info->traces.len + 1, 1);
		memcpy(copy, info->traces.ptr, info->traces.len);
		traces = str_of(copy, info->traces.len);
		c->filter_bytes += info->traces.len;
	}
	if (t->seal_count == t->seal_cap) {
		t->seal_cap = t->seal_cap ? 2 * t->seal_cap : 16;
		t->seals = xrealloc(t->seals, t->seal_cap * sizeof(*t->seals));
	}
	t->seals[t->seal_count] = *info;
	t->changes++;
	t->seals[t->seal_count].until = UINT64_MAX;
	t->seals[t->seal_count++].traces = traces;
	mutex_unlock(&c->lock);
}

void
duck_catalog_count_loose(struct duck_catalog *c, struct duck_table *t, int64_t rows)
{
	mutex_lock(&c->lock);
	t->loose_rows += (uint64_t)rows;
	t->changes++;
	mutex_unlock(&c->lock);
}

void
duck_catalog_drop_table(struct duck_catalog *c, struct duck_table *t, uint64_t gen)
{
	mutex_lock(&c->lock);
	t->until = gen;
	mutex_unlock(&c->lock);
}

void
duck_catalog_drop_seal(struct duck_catalog *c, struct duck_table *t, size_t place, uint64_t gen)
{
	mutex_lock(&c->lock);
	CHECK(place < t->seal_count);
	CHECK(duck_catalog_has_seal(t, place));
	t->changes++;
	t->seals[place].until = gen;
	mutex_unlock(&c->lock);
}

void
duck_catalog_shrink_seal(struct duck_catalog *c, struct duck_table *t, size_t place, uint64_t rows)
{
	mutex_lock(&c->lock);
	CHECK(place < t->seal_count && t->seals[place].rows > rows);
	t->changes++;
	t->seals[place].rows -= rows;
	mutex_unlock(&c->lock);
}

static void
forget_filter(struct duck_catalog *c, struct duck_seal_info *s)
{
	c->filter_bytes -= s->traces.len;
	free((void *)(uintptr_t)s->traces.ptr);
	s->traces = STR_EMPTY;
}

static void
forget_change(struct duck_seal_info *s, uint64_t gen)
{
	if (s->until == gen)
		s->until = UINT64_MAX;
	if (s->summed_since == gen)
		s->summed_since = UINT64_MAX;
}

void
duck_catalog_sum_seal(struct duck_catalog *c, struct duck_table *t, size_t place, uint64_t gen)
{
	mutex_lock(&c->lock);
	CHECK(place < t->seal_count && t->seals[place].summed_since == UINT64_MAX);
	t->seals[place].summed_since = gen;
	mutex_unlock(&c->lock);
}

void
duck_catalog_forget(struct duck_catalog *c, uint64_t gen)
{
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count; i++) {
		struct duck_table *t = c->tables[i];
		CHECK(t->seals || t->seal_count == 0);
		struct duck_seal_info *last = t->seal_count ? &t->seals[t->seal_count - 1] : NULL;
		if (last && last->gen == gen) {
			forget_filter(c, last);
			t->seal_count--;
		}
		for (size_t k = 0; k < t->seal_count; k++)
			forget_change(&t->seals[k], gen);
		if (t->until == gen)
			t->until = UINT64_MAX;
		if (t->since < gen)
			continue;
		table_free(t);
		c->tables[i--] = c->tables[--c->count];
	}
	mutex_unlock(&c->lock);
}

/* The loader may be looking at a table outside of the lock: what is small stays until the end. */
void
duck_catalog_tidy(struct duck_catalog *c, uint64_t oldest_gen)
{
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->count; i++) {
		struct duck_table *t = c->tables[i];
		size_t kept = 0;
		CHECK(t->seals || t->seal_count == 0);
		for (size_t k = 0; k < t->seal_count; k++) {
			uint64_t until =
			    t->until < t->seals[k].until ? t->until : t->seals[k].until;
			if (until <= oldest_gen)
				forget_filter(c, &t->seals[k]);
			else
				t->seals[kept++] = t->seals[k];
		}
		t->seal_count = kept;
	}
	mutex_unlock(&c->lock);
}

uint64_t
duck_catalog_rows(const struct duck_table *t)
{
	uint64_t rows = t->loose_rows;
	CHECK(t->seals || t->seal_count == 0);
	for (size_t k = 0; k < t->seal_count; k++)
		if (duck_catalog_has_seal(t, k))
			rows += t->seals[k].rows;
	return rows;
}

bool
duck_catalog_seals_of_trace(struct duck_catalog *c, const struct duck_table *t, uint64_t gen,
    uint64_t trace_hi, uint64_t trace_lo, uint64_t **gens_out, size_t *count_out)
{
	uint64_t hash = duck_trace_hash(trace_hi, trace_lo);
	uint64_t *gens = NULL;
	size_t count = 0;
	mutex_lock(&c->lock);
	bool known = !t->loose;
	if (known && t->seal_count > 0)
		gens = xcalloc(t->seal_count, sizeof(*gens));
	for (size_t i = 0; i < t->seal_count && known; i++) {
		const struct duck_seal_info *s = &t->seals[i];
		if (s->gen <= gen && gen < s->until &&
		    (!s->traces.ptr || bloom_maybe(s->traces, hash)))
			gens[count++] = s->gen;
	}
	mutex_unlock(&c->lock);
	*gens_out = gens;
	*count_out = count;
	return known;
}

/* ---- reading the file */

struct loading {
	struct duck *d;
	duckdb_connection con;
	struct err *err;
};

static bool
next_chunk(duckdb_result *result, duckdb_data_chunk *chunk)
{
	duckdb_destroy_data_chunk(chunk);
	*chunk = duckdb_fetch_chunk(*result);
	return *chunk && duckdb_data_chunk_get_size(*chunk) > 0;
}

static bool
table_of_name(struct str base, enum table_id *out)
{
	for (int id = 0; id < SIGNAL_TABLES; id++)
		if (str_eq(base, str_from(table_defs[id].name))) {
			*out = (enum table_id)id;
			return true;
		}
	return false;
}

static void
load_partition(struct duck *d, duckdb_data_chunk chunk, idx_t row)
{
	enum table_id id;
	if (table_of_name(duck_chunk_text(chunk, 0, row), &id))
		duck_catalog_add_table(&d->catalog, id,
		    ((const int64_t *)duck_chunk_column(chunk, 1))[row], 0);
}

static void
load_key(struct duck *d, duckdb_data_chunk chunk, idx_t row)
{
	enum table_id id;
	struct duck_table *t = NULL;
	if (table_of_name(duck_chunk_text(chunk, 0, row), &id))
		t = duck_catalog_find(&d->catalog, id,
		    ((const int64_t *)duck_chunk_column(chunk, 1))[row]);
	if (!t)
		return;
	int32_t number = ((const int32_t *)duck_chunk_column(chunk, 2))[row];
	int32_t type = ((const int32_t *)duck_chunk_column(chunk, 4))[row];
	int32_t code = ((const int32_t *)duck_chunk_column(chunk, 5))[row];
	bool good = number >= 0 && number < SHRED_COLUMNS && type >= 0 && type < SHRED_TYPES &&
	    code == (int32_t)t->plan.columns[number].key_count &&
	    duck_catalog_add_key(&d->catalog, t, (unsigned)number, duck_chunk_text(chunk, 3, row),
	        (enum shred_type)type, 0);
	if (!good)
		d->catalog.damaged = true;
}

static void
load_seal(struct duck *d, duckdb_data_chunk chunk, idx_t row)
{
	enum table_id id;
	struct duck_table *t = NULL;
	if (table_of_name(duck_chunk_text(chunk, 0, row), &id))
		t = duck_catalog_find(&d->catalog, id,
		    ((const int64_t *)duck_chunk_column(chunk, 1))[row]);
	if (!t || t->day == DUCK_DAY_OTHER)
		return;
	struct duck_seal_info info = {
	    .gen = duck_chunk_words(chunk, 2)[row],
	    .rows = duck_chunk_words(chunk, 3)[row],
	    .summed_since = ((const bool *)duck_chunk_column(chunk, 7))[row] ? 0 : UINT64_MAX,
	    .time_min = duck_chunk_words(chunk, 4)[row],
	    .time_max = duck_chunk_words(chunk, 5)[row],
	};
	if (!duck_chunk_is_null(chunk, 6, row))
		info.traces = duck_chunk_text(chunk, 6, row);
	duck_catalog_add_seal(&d->catalog, t, &info);
}

static enum err_code
load_rows(struct duck *d, duckdb_connection con, const char *sql,
    void (*each)(struct duck *d, duckdb_data_chunk chunk, idx_t row), struct err *err)
{
	duckdb_result result;
	struct duck_sql q;
	duck_sql_init(&q);
	buf_str(&q.text, str_from(sql));
	enum err_code code = duck_run(d, con, &q, UINT64_MAX, &result, err);
	duck_sql_fini(&q);
	if (code != ERR_OK)
		return code;
	duckdb_data_chunk chunk = NULL;
	while (next_chunk(&result, &chunk))
		for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk); row++)
			each(d, chunk, row);
	duckdb_destroy_data_chunk(&chunk);
	if (duckdb_result_error(&result))
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_destroy_result(&result);
	return code;
}

/* Rows of day tables that no seal has brought. */
static enum err_code
load_loose(struct duck *d, duckdb_connection con, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < d->catalog.count && code == ERR_OK; i++) {
		struct duck_table *t = d->catalog.tables[i];
		char name[DUCK_TABLE_NAME_BYTES], sql[128];
		duck_schema_table_name(&table_defs[t->id], t->day, name);
		snprintf(sql, sizeof(sql), "SELECT count(*)::UBIGINT FROM %s", name);
		if (t->day != DUCK_DAY_OTHER)
			snprintf(sql, sizeof(sql),
			    "SELECT count(*)::UBIGINT FROM %s WHERE seal = 0", name);
		code = duck_number(d, con, sql, &t->loose_rows, err);
		t->loose = t->loose || t->loose_rows > 0;
	}
	return code;
}

enum err_code
duck_catalog_load(struct duck *d, duckdb_connection con, struct err *err)
{
	enum err_code code =
	    load_rows(d, con, "SELECT base, day FROM partitions", load_partition, err);
	if (code == ERR_OK)
		code = load_rows(d, con,
		    "SELECT base, day, number, key, type, code FROM shreds"
		    " ORDER BY base, day, number, code",
		    load_key, err);
	if (code == ERR_OK && d->catalog.damaged)
		code = err_set(err, ERR_CORRUPT,
		    "%s does not say which keys the columns of attributes have", DUCK_FILE);
	/* Newest first: should not all filters fit, those of late are worth more. */
	if (code == ERR_OK)
		code = load_rows(d, con,
		    "SELECT base, day, gen, rows, time_min, time_max, traces,"
		    " gen IN (SELECT gen FROM seal_parts) FROM seals"
		    " WHERE base <> '' ORDER BY gen DESC",
		    load_seal, err);
	for (size_t i = 0; i < d->catalog.count; i++) {
		struct duck_table *t = d->catalog.tables[i];
		for (size_t a = 0, b = t->seal_count; a + 1 < b; a++, b--) {
			struct duck_seal_info swap = t->seals[a];
			t->seals[a] = t->seals[b - 1];
			t->seals[b - 1] = swap;
		}
	}
	return code == ERR_OK ? load_loose(d, con, err) : code;
}
