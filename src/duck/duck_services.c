/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_services.h"

#include "base/hash.h"
#include "duck/duck_priv.h"
#include "store/partial.h"

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
	uint64_t hash = hash_keyed_str(name, hash_keyed_str(tenant, 0));
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
duck_service_pair(uint64_t service_hash, uint64_t trace_hash)
{
	uint64_t pair = trace_hash ^ service_hash;
	return pair != 0 ? pair : 1;
}

struct columns {
	int tenant, time;
	int service; /* -1: what is of no service is counted for the one without a name */
};

static struct columns
columns_of(enum table_id id)
{
	static const struct columns columns[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_START_NS, SPAN_SERVICE},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_EVENT_NS, LOG_SERVICE},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_TIME_NS, POINT_SERVICE},
	    [TABLE_COMMENTS] = {COMMENT_TENANT, COMMENT_CREATED_NS, -1},
	};
	CHECK(id < SIGNAL_TABLES);
	return columns[id];
}

bool
duck_service_count(struct duck_service_list *l, enum table_id id, const struct table *t, size_t row,
    size_t *place_out, uint64_t *pair_out)
{
	struct columns c = columns_of(id);
	struct str tenant = t->cols[c.tenant].str[row];
	struct str name = c.service < 0 ? STR("") : t->cols[c.service].str[row];
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
	*pair_out = duck_service_pair(s->hash,
	    partial_trace_hash(t->cols[SPAN_TRACE_HI].u64[row], t->cols[SPAN_TRACE_LO].u64[row]));
	return true;
}

/* ---- writing */

struct writing {
	enum table_id id;
	uint64_t gen;
	struct duck_service_list services;
	struct map seen;
};

static void
count_rows(struct writing *w, const struct seal_row *rows, size_t count)
{
	size_t place = 0;
	uint64_t pair;
	for (size_t i = 0; i < count; i++) {
		if (!duck_service_count(&w->services, w->id, rows[i].rows, rows[i].row, &place,
		        &pair))
			continue;
		struct duck_service *s = &w->services.items[place];
		if (s->last_pair == pair)
			continue;
		s->last_pair = pair;
		if (map_get(&w->seen, pair))
			continue;
		bool put = map_put(&w->seen, pair, 1);
		CHECK(put);
		s->traces++;
	}
}

static bool
append_service(duckdb_appender app, const void *ctx, size_t i)
{
	const struct writing *w = ctx;
	const struct duck_service *s = &w->services.items[i];
	duckdb_hugeint sum = {(uint64_t)s->duration_ns, (int64_t)(s->duration_ns >> 64)};
	return duckdb_append_uint64(app, w->gen) == DuckDBSuccess &&
	    duckdb_append_uint32(app, (uint32_t)i) == DuckDBSuccess &&
	    duckdb_append_varchar_length(app, s->tenant.ptr ? s->tenant.ptr : "", s->tenant.len) ==
	    DuckDBSuccess &&
	    duckdb_append_varchar_length(app, s->name.ptr ? s->name.ptr : "", s->name.len) ==
	    DuckDBSuccess &&
	    duckdb_append_uint64(app, s->rows[w->id]) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->traces) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->errors) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->ended) == DuckDBSuccess &&
	    duckdb_append_hugeint(app, sum) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->first_ns) == DuckDBSuccess &&
	    duckdb_append_uint64(app, s->last_ns) == DuckDBSuccess &&
	    duckdb_appender_end_row(app) == DuckDBSuccess;
}

enum err_code
duck_services_write(struct duck *d, duckdb_connection con, enum table_id id, uint64_t gen,
    const struct seal_row *rows, size_t count, struct err *err)
{
	struct writing w = {.id = id, .gen = gen};
	count_rows(&w, rows, count);
	enum err_code code =
	    duck_append_each(d, con, "seal_services", w.services.count, append_service, &w, err);
	duck_service_list_fini(&w.services);
	map_fini(&w.seen);
	return code;
}
