/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_services.h"

#include "base/hash.h"
#include "duck/duck_priv.h"

#include <stdlib.h>

/* ---- services */

void
duck_service_list_fini(struct duck_service_list *l)
{
	map_fini(&l->by_hash);
	free(l->items);
	*l = (struct duck_service_list){0};
}

static size_t
add_service(struct duck_service_list *l, struct str tenant, struct str name, uint64_t hash)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->items = xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->count] = (struct duck_service){
	    .tenant = tenant, .name = name, .hash = hash, .first_ns = UINT64_MAX};
	return l->count++;
}

size_t
duck_service_find(struct duck_service_list *l, struct str tenant, struct str name)
{
	uint64_t hash = hash_u64_seed(name, hash_u64(tenant));
	/* Should two have one hash, the second is kept under the next number. */
	for (uint64_t key = hash;; key++) {
		const uint64_t *place = map_get(&l->by_hash, key);
		if (!place) {
			bool put = map_put(&l->by_hash, key, l->count);
			CHECK(put);
			return add_service(l, tenant, name, hash);
		}
		CHECK(l->items); /* what the map names is there */
		const struct duck_service *s = &l->items[*place];
		if (str_eq(s->name, name) && str_eq(s->tenant, tenant))
			return (size_t)*place;
	}
}

uint64_t
duck_service_pair(uint64_t service_hash, uint64_t trace_hi, uint64_t trace_lo)
{
	const uint64_t id[2] = {trace_hi, trace_lo};
	uint64_t pair = hash_u64_seed(str_of(id, sizeof(id)), service_hash);
	return pair != 0 ? pair : 1;
}

struct columns {
	int tenant, time, service;
};

static struct columns
columns_of(enum table_id id)
{
	static const struct columns columns[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_START_NS, SPAN_SERVICE},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_EVENT_NS, LOG_SERVICE},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_TIME_NS, POINT_SERVICE},
	};
	CHECK(id < SIGNAL_TABLES);
	return columns[id];
}

bool
duck_service_count(struct duck_service_list *l, enum table_id id, const struct table *t, size_t row,
    size_t *place_out, uint64_t *pair_out)
{
	struct columns c = columns_of(id);
	struct str tenant = t->cols[c.tenant].str[row], name = t->cols[c.service].str[row];
	uint64_t time_ns = t->cols[c.time].u64[row];
	size_t place = *place_out; /* that of the row before is often the same */
	if (place >= l->count || !str_eq(l->items[place].name, name) ||
	    !str_eq(l->items[place].tenant, tenant))
		place = duck_service_find(l, tenant, name);
	struct duck_service *s = &l->items[place];
	*place_out = place;
	s->rows[id]++;
	s->first_ns = time_ns < s->first_ns ? time_ns : s->first_ns;
	s->last_ns = time_ns > s->last_ns ? time_ns : s->last_ns;
	if (id != TABLE_SPANS)
		return false;
	int64_t duration_ns = t->cols[SPAN_DURATION_NS].i64[row];
	s->errors += t->cols[SPAN_STATUS_CODE].i32[row] == 2;
	s->ended += duration_ns >= 0;
	s->duration_ns += duration_ns >= 0 ? duration_ns : 0;
	*pair_out = duck_service_pair(s->hash, t->cols[SPAN_TRACE_HI].u64[row],
	    t->cols[SPAN_TRACE_LO].u64[row]);
	return true;
}

/* ---- writing */

struct pair {
	uint64_t pair;
	uint32_t number;
};

struct writing {
	struct duck_service_list services;
	struct map seen;
	struct buf pairs; /* of struct pair */
};

static void
count_rows(struct writing *w, enum table_id id, const struct seal_row *rows, size_t count)
{
	size_t place = 0;
	uint64_t pair;
	for (size_t i = 0; i < count; i++) {
		if (!duck_service_count(&w->services, id, rows[i].rows, rows[i].row, &place, &pair))
			continue;
		struct duck_service *s = &w->services.items[place];
		if (s->last_pair == pair)
			continue;
		s->last_pair = pair;
		if (map_get(&w->seen, pair))
			continue;
		bool put = map_put(&w->seen, pair, 1);
		CHECK(put);
		struct pair p = {pair, (uint32_t)place};
		buf_append(&w->pairs, &p, sizeof(p));
		s->traces++;
	}
}

static bool
append_service(duckdb_appender app, enum table_id id, uint64_t gen, uint32_t number,
    const struct duck_service *s)
{
	duckdb_hugeint sum = {(uint64_t)s->duration_ns, (int64_t)(s->duration_ns >> 64)};
	return duckdb_append_uint64(app, gen) == DuckDBSuccess &&
	    duckdb_append_uint32(app, number) == DuckDBSuccess &&
	    duckdb_append_varchar_length(app, s->tenant.ptr ? s->tenant.ptr : "", s->tenant.len) ==
	    DuckDBSuccess &&
	    duckdb_append_varchar_length(app, s->name.ptr ? s->name.ptr : "", s->name.len) ==
	    DuckDBSuccess &&
	    duckdb_append_uint64(app, s->rows[id]) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->traces) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->errors) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->ended) == DuckDBSuccess &&
	    duckdb_append_hugeint(app, sum) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->first_ns) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->last_ns) == DuckDBSuccess &&
	    duckdb_appender_end_row(app) == DuckDBSuccess;
}

static enum err_code
write_services(struct duck *d, duckdb_connection con, enum table_id id, uint64_t gen,
    const struct writing *w, struct err *err)
{
	duckdb_appender app = NULL;
	enum err_code code = ERR_OK;
	bool ok = duckdb_appender_create(con, NULL, "seal_services", &app) == DuckDBSuccess;
	for (size_t i = 0; i < w->services.count && ok; i++)
		ok = append_service(app, id, gen, (uint32_t)i, &w->services.items[i]);
	if (ok)
		ok = duckdb_appender_close(app) == DuckDBSuccess;
	if (!ok)
		code = duck_fail_append(d, app, err);
	duckdb_appender_destroy(&app);
	return code;
}

/* By service, so that their numbers take no room. */
static struct pair *
by_number(struct writing *w, size_t count)
{
	const void *bytes = w->pairs.ptr;
	const struct pair *pairs = bytes;
	struct pair *sorted = xcalloc(count + 1, sizeof(*sorted));
	size_t *at = xcalloc(w->services.count + 1, sizeof(*at));
	for (size_t i = 0; i < count; i++)
		at[pairs[i].number + 1]++;
	for (size_t i = 0; i < w->services.count; i++)
		at[i + 1] += at[i];
	for (size_t i = 0; i < count; i++)
		sorted[at[pairs[i].number]++] = pairs[i];
	free(at);
	return sorted;
}

static bool
append_pairs(duckdb_appender app, duckdb_data_chunk chunk, uint64_t gen, const struct pair *pairs,
    size_t count)
{
	duckdb_data_chunk_reset(chunk);
	uint64_t *gens = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
	uint32_t *numbers = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
	uint64_t *hashes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
	for (size_t i = 0; i < count; i++) {
		gens[i] = gen;
		numbers[i] = pairs[i].number;
		hashes[i] = pairs[i].pair;
	}
	duckdb_data_chunk_set_size(chunk, count);
	return duckdb_append_data_chunk(app, chunk) == DuckDBSuccess;
}

static enum err_code
write_traces(struct duck *d, duckdb_connection con, uint64_t gen, struct writing *w,
    struct err *err)
{
	size_t count = w->pairs.len / sizeof(struct pair);
	struct pair *pairs = by_number(w, count);
	duckdb_logical_type types[] = {duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT),
	    duckdb_create_logical_type(DUCKDB_TYPE_UINTEGER),
	    duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT)};
	duckdb_data_chunk chunk = duckdb_create_data_chunk(types, ARRAY_LEN(types));
	duckdb_appender app = NULL;
	enum err_code code = ERR_OK;
	bool ok = duckdb_appender_create(con, NULL, "seal_traces", &app) == DuckDBSuccess;
	for (size_t i = 0, n; i < count && ok; i += n) {
		n = count - i < DUCK_CHUNK_ROWS ? count - i : DUCK_CHUNK_ROWS;
		ok = append_pairs(app, chunk, gen, pairs + i, n);
	}
	if (ok)
		ok = duckdb_appender_close(app) == DuckDBSuccess;
	if (!ok)
		code = duck_fail_append(d, app, err);
	duckdb_appender_destroy(&app);
	duckdb_destroy_data_chunk(&chunk);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		duckdb_destroy_logical_type(&types[i]);
	free(pairs);
	return code;
}

enum err_code
duck_services_write(struct duck *d, duckdb_connection con, enum table_id id, uint64_t gen,
    const struct seal_row *rows, size_t count, struct err *err)
{
	struct writing w = {0};
	count_rows(&w, id, rows, count);
	CHECK(!w.pairs.failed);
	enum err_code code = write_services(d, con, id, gen, &w, err);
	if (code == ERR_OK && w.pairs.len > 0)
		code = write_traces(d, con, gen, &w, err);
	duck_service_list_fini(&w.services);
	map_fini(&w.seen);
	buf_fini(&w.pairs);
	return code;
}
