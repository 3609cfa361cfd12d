/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_parts.h"

#include "base/bits.h"
#include "base/distinct.h"
#include "base/hash.h"
#include "base/timefmt.h"
#include "duck/duck_priv.h"
#include "duck/duck_services.h"
#include "store/partial.h"

#include <stdlib.h>

static const uint32_t widths[] = {60, 600, 3600, 86400};

enum {
	ROWS_PER_SLICE = 512, /* on average, or slices are made wider */
	SLICES_MIN = 16,
	ENTRY_BYTES = 16, /* of a map, about the least */
	PART_BYTES = 24, /* of a row of seal_parts, about */
};

/* Hashes of a service in a slice. */
struct hash_list {
	struct str service;
	uint32_t slice;
	struct buf hashes;
};

struct slice {
	uint64_t start, first_ns, last_ns; /* start in widths */
	struct partial partial;
};

/* One pass over the rows of a tenant. */
struct building {
	enum table_id id;
	struct str tenant;
	const struct seal_row *rows;
	const uint32_t *order; /* of its rows */
	size_t count;
	uint32_t width_s;
	unsigned want; /* PARTIAL_SPANS, LOGS or POINTS: services and hashes; PARTIAL_OPERATIONS */
	size_t slices_max, operations_max;
	bool too_much; /* slices, or operations */
	struct slice *slices;
	size_t slice_count;
	struct map slice_of; /* start -> place */
	struct hash_list *lists;
	size_t list_count, list_cap;
	struct map list_of;
	struct distinct seen; /* of slice, service and hash */
};

/* ---- slices and lists */

static void
forget(struct building *b)
{
	for (size_t i = 0; i < b->slice_count; i++)
		partial_fini(&b->slices[i].partial);
	for (size_t i = 0; i < b->list_count; i++)
		buf_fini(&b->lists[i].hashes);
	free(b->slices);
	free(b->lists);
	map_fini(&b->slice_of);
	map_fini(&b->list_of);
	distinct_fini(&b->seen);
}

static size_t
add_slice(struct building *b, uint64_t start)
{
	struct partial_scope scope = {.want = b->want,
	    .windows = {{0, UINT64_MAX}},
	    .window_count = 1,
	    .services_max = SIZE_MAX / 2,
	    .operations_max = SIZE_MAX / 2};
	bool put = map_put(&b->slice_of, start, b->slice_count);
	CHECK(put);
	b->slices = xrealloc(b->slices, (b->slice_count + 1) * sizeof(*b->slices));
	struct slice *s = &b->slices[b->slice_count];
	*s = (struct slice){.start = start, .first_ns = UINT64_MAX};
	partial_init(&s->partial, &scope, 0);
	s->partial.borrows = true;
	return b->slice_count++;
}

/* *place: that of the row before. SIZE_MAX: there are too many. */
static size_t
slice_of(struct building *b, uint64_t time_ns, size_t place)
{
	uint64_t start = time_ns / ((uint64_t)b->width_s * NS_PER_S);
	if (place < b->slice_count && b->slices[place].start == start)
		return place;
	const uint64_t *known = map_get(&b->slice_of, start);
	if (known)
		return (size_t)*known;
	return b->slice_count < b->slices_max ? add_slice(b, start) : SIZE_MAX;
}

static struct hash_list *
list_of(struct building *b, uint32_t slice, struct str service)
{
	uint64_t key = hash_keyed_str(service, slice);
	for (;; key++) {
		const uint64_t *place = map_get(&b->list_of, key);
		if (!place)
			break;
		struct hash_list *l = &b->lists[*place];
		if (l->slice == slice && str_eq(l->service, service))
			return l;
	}
	bool put = map_put(&b->list_of, key, b->list_count);
	CHECK(put);
	if (b->list_count == b->list_cap) {
		b->list_cap = b->list_cap ? 2 * b->list_cap : 16;
		b->lists = xrealloc(b->lists, b->list_cap * sizeof(*b->lists));
	}
	b->lists[b->list_count] = (struct hash_list){.service = service, .slice = slice};
	return &b->lists[b->list_count++];
}

static void
add_hash(struct building *b, uint32_t slice, struct hash_list **last, struct str service,
    uint64_t hash)
{
	struct hash_list *l = *last;
	if (!l || l->slice != slice || !str_eq(l->service, service))
		l = *last = list_of(b, slice, service);
	/* A list has its own number, so that its hashes are its own. */
	uint64_t number = (uint64_t)(l - b->lists) + 1;
	size_t before = b->seen.count;
	distinct_add(&b->seen, hash ^ number * UINT64_C(0x9E3779B97F4A7C15));
	if (b->seen.count > before)
		buf_append(&l->hashes, &hash, sizeof(hash));
}

/* ---- counting */

static struct partial_row
row_of(enum table_id id, const struct table *t, size_t i)
{
	struct partial_row r = {.time_ns = t->cols[t->def->time_col].u64[i]};
	switch (id) {
	case TABLE_SPANS:
		r.service = t->cols[SPAN_SERVICE].str[i];
		r.name = t->cols[SPAN_NAME].str[i];
		r.duration_ns = t->cols[SPAN_DURATION_NS].i64[i];
		r.code = t->cols[SPAN_STATUS_CODE].i32[i];
		r.hash = partial_trace_hash(t->cols[SPAN_TRACE_HI].u64[i],
		    t->cols[SPAN_TRACE_LO].u64[i]);
		break;
	case TABLE_LOGS:
		r.service = t->cols[LOG_SERVICE].str[i];
		r.code = t->cols[LOG_SEVERITY_NUMBER].i32[i];
		break;
	case TABLE_POINTS:
		r.service = t->cols[POINT_SERVICE].str[i];
		r.name = t->cols[POINT_NAME].str[i];
		r.hash = partial_name_hash(r.name);
		break;
	case TABLE_COMMENTS:
	case TABLE_RESOURCES:
	case TABLE_SCOPES:
	case TABLE_SERVICES:
	case TABLE_TRACES:
	case TABLE_BUCKETS:
	case TABLE_METRICS:
	case TABLE_SERIES:
	case TABLE_SAMPLES:
	case TABLE_DISTRIBUTIONS:
	case TABLE_COUNT: CHECK(false);
	}
	return r;
}

static void
count_row(struct building *b, struct slice *s, const struct partial_row *r)
{
	s->first_ns = r->time_ns < s->first_ns ? r->time_ns : s->first_ns;
	s->last_ns = r->time_ns > s->last_ns ? r->time_ns : s->last_ns;
	if (b->id == TABLE_SPANS)
		partial_add_span(&s->partial, 0, r);
	else if (b->id == TABLE_LOGS)
		partial_add_log(&s->partial, 0, r);
	else
		partial_add_point(&s->partial, 0, r);
}

/* Where operations are counted, services are the sums of theirs. */
static void
count_rows(struct building *b)
{
	bool both = b->want == (PARTIAL_SPANS | PARTIAL_OPERATIONS);
	bool hashes = b->want & (PARTIAL_SPANS | PARTIAL_POINTS);
	size_t place = 0, operations = 0;
	struct hash_list *list = NULL;
	distinct_init(&b->seen, SIZE_MAX);
	for (size_t i = 0; i < b->count; i++) {
		const struct seal_row *at = &b->rows[b->order[i]];
		struct partial_row r = row_of(b->id, at->rows, at->row);
		place = slice_of(b, r.time_ns, place);
		b->too_much = place == SIZE_MAX || operations > b->operations_max;
		if (b->too_much)
			return;
		struct slice *s = &b->slices[place];
		const struct partial_map *m = &s->partial.windows[0].operations;
		size_t before = m->count;
		s->partial.counted = both ? PARTIAL_OPERATIONS : b->want;
		count_row(b, s, &r);
		operations += m->count - before;
		if (hashes)
			add_hash(b, (uint32_t)place, &list, r.service, r.hash);
	}
	for (size_t i = 0; i < b->slice_count && both; i++)
		partial_sum_operations(&b->slices[i].partial);
}

/* ---- parts of what was counted */

static int
ascending(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static void
put_map(const struct building *b, struct slice *s, unsigned want, struct duck_parts *out)
{
	struct duck_part part = {
	    .kind = want == PARTIAL_OPERATIONS ? PART_OPERATIONS : PART_SERVICES,
	    .width_s = b->width_s,
	    .tenant = b->tenant,
	    .service = STR_EMPTY,
	    .first_ns = s->first_ns,
	    .last_ns = s->last_ns,
	    .at = out->bytes.len,
	};
	partial_pack_map(&s->partial, want, &out->bytes);
	part.items = out->bytes.len - part.at;
	while (out->bytes.len % DUCK_PART_WORD != 0)
		buf_char(&out->bytes, '\0');
	buf_append(&out->list, &part, sizeof(part));
}

static void
put_hashes(const struct building *b, struct hash_list *l, struct duck_parts *out)
{
	const struct slice *s = &b->slices[l->slice];
	struct duck_part part = {
	    .kind = PART_HASHES,
	    .width_s = b->width_s,
	    .tenant = b->tenant,
	    .service = l->service,
	    .first_ns = s->first_ns,
	    .last_ns = s->last_ns,
	    .items = l->hashes.len / sizeof(uint64_t),
	    .at = out->hashes.len / sizeof(uint64_t),
	};
	qsort(l->hashes.ptr, (size_t)part.items, sizeof(uint64_t), ascending);
	buf_append(&out->hashes, l->hashes.ptr, l->hashes.len);
	buf_append(&out->list, &part, sizeof(part));
}

/* What these parts of one kind of map take. */
static size_t
size_of(const struct duck_parts *p, enum duck_part_kind kind)
{
	size_t size = 0;
	for (size_t i = 0; i < duck_parts_count(p); i++) {
		const struct duck_part *part = duck_parts_at(p, i);
		if (part->kind == kind)
			size += (size_t)part->items + PART_BYTES;
		else if (part->kind == PART_HASHES && kind == PART_SERVICES)
			size += PART_BYTES;
	}
	return size;
}

static void
append(struct duck_parts *to, const struct duck_parts *from, enum duck_part_kind kind)
{
	for (size_t i = 0; i < duck_parts_count(from); i++) {
		struct duck_part part = *duck_parts_at(from, i);
		bool map = part.kind != PART_HASHES;
		if (part.kind != kind && (map || kind != PART_SERVICES))
			continue;
		const struct buf *in = map ? &from->bytes : &from->hashes;
		struct buf *out = map ? &to->bytes : &to->hashes;
		size_t unit = map ? 1 : sizeof(uint64_t);
		size_t len = (size_t)part.items * unit;
		len = (len + DUCK_PART_WORD - 1) / DUCK_PART_WORD * DUCK_PART_WORD;
		const char *bytes = len > 0 ? in->ptr + part.at * unit : NULL;
		part.at = out->len / unit;
		buf_append(out, bytes, len);
		buf_append(&to->list, &part, sizeof(part));
	}
}

/* There is too much: rows of these times are to be read. */
static void
put_mark(const struct building *b, enum duck_part_kind kind, struct duck_parts *out)
{
	struct duck_part part = {.kind = kind,
	    .width_s = b->width_s,
	    .tenant = b->tenant,
	    .service = STR_EMPTY,
	    .first_ns = UINT64_MAX};
	for (size_t i = 0; i < b->count; i++) {
		const struct seal_row *at = &b->rows[b->order[i]];
		uint64_t time_ns = at->rows->cols[at->rows->def->time_col].u64[at->row];
		part.first_ns = time_ns < part.first_ns ? time_ns : part.first_ns;
		part.last_ns = time_ns > part.last_ns ? time_ns : part.last_ns;
	}
	buf_append(&out->list, &part, sizeof(part));
}

/* ---- a tenant */

/* One pass; false: what is wanted does not fit at this width. `out` gets what does. */
static bool
try_width(struct building *b, unsigned want, size_t bytes_max, bool *services, bool *operations,
    struct duck_parts *out)
{
	struct duck_parts made = {0};
	b->want = want;
	b->slices = NULL;
	b->lists = NULL;
	b->slice_count = b->list_count = b->list_cap = 0;
	b->slice_of = b->list_of = (struct map){0};
	count_rows(b);
	for (size_t i = 0; i < b->slice_count && !b->too_much; i++) {
		if (want & PARTIAL_OPERATIONS)
			put_map(b, &b->slices[i], PARTIAL_OPERATIONS, &made);
		if (want & ~(unsigned)PARTIAL_OPERATIONS)
			put_map(b, &b->slices[i], want & ~(unsigned)PARTIAL_OPERATIONS, &made);
	}
	for (size_t i = 0; i < b->list_count && !b->too_much; i++)
		put_hashes(b, &b->lists[i], &made);
	CHECK(!made.list.failed && !made.bytes.failed && !made.hashes.failed);
	if (!b->too_much && *services && size_of(&made, PART_SERVICES) <= bytes_max) {
		append(out, &made, PART_SERVICES);
		*services = false;
	}
	if (!b->too_much && *operations && size_of(&made, PART_OPERATIONS) <= bytes_max) {
		append(out, &made, PART_OPERATIONS);
		*operations = false;
	}
	duck_parts_fini(&made);
	forget(b);
	return !*services && !*operations;
}

static void
build_tenant(struct building *b, struct duck_parts *out)
{
	static const unsigned of_services[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = PARTIAL_SPANS,
	    [TABLE_LOGS] = PARTIAL_LOGS,
	    [TABLE_POINTS] = PARTIAL_POINTS,
	};
	size_t bytes_max = b->count * DUCK_PART_BYTES;
	bytes_max = bytes_max > DUCK_PART_BYTES_MIN ? bytes_max : DUCK_PART_BYTES_MIN;
	b->slices_max = SLICES_MIN + b->count / ROWS_PER_SLICE;
	b->operations_max = bytes_max / ENTRY_BYTES;
	/* What is still to be done. */
	bool services = true, operations = b->id == TABLE_SPANS;
	for (size_t i = 0; i < ARRAY_LEN(widths) && (services || operations); i++) {
		unsigned want = operations ? PARTIAL_OPERATIONS : 0;
		want |= services ? of_services[b->id] : 0;
		b->width_s = widths[i];
		if (try_width(b, want, bytes_max, &services, &operations, out))
			break;
		/* Operations that are too many say nothing about the services. */
		if (services && operations)
			(void)try_width(b, of_services[b->id], bytes_max, &services, &(bool){false},
			    out);
	}
	if (services)
		put_mark(b, PART_SERVICES, out);
	if (operations)
		put_mark(b, PART_OPERATIONS, out);
}

/* ---- all tenants of a seal */

struct tenants {
	struct str *names;
	size_t *counts; /* rows; then where its order begins */
	size_t count, cap;
	struct map places;
};

static size_t
tenant_of(struct tenants *t, struct str name, size_t last)
{
	if (last < t->count && str_eq(t->names[last], name))
		return last;
	uint64_t key = hash_keyed_str(name, 0);
	for (;; key++) {
		const uint64_t *place = map_get(&t->places, key);
		if (!place)
			break;
		CHECK(t->names != NULL && *place < t->count);
		if (str_eq(t->names[*place], name))
			return (size_t)*place;
	}
	bool put = map_put(&t->places, key, t->count);
	CHECK(put);
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->names = xrealloc(t->names, t->cap * sizeof(*t->names));
		t->counts = xrealloc(t->counts, t->cap * sizeof(*t->counts));
	}
	t->names[t->count] = name;
	t->counts[t->count] = 0;
	return t->count++;
}

void
duck_parts_build(enum table_id id, const struct seal_row *rows, size_t count,
    struct duck_parts *out)
{
	struct tenants t = {0};
	uint32_t *whose = xcalloc(count + 1, sizeof(*whose));
	uint32_t *order = xcalloc(count + 1, sizeof(*order));
	size_t last = 0, at = 0;
	*out = (struct duck_parts){0};
	CHECK(duck_has_services(id));
	for (size_t i = 0; i < count; i++) {
		last = tenant_of(&t, rows[i].rows->cols[0].str[rows[i].row], last);
		t.counts[last]++;
		whose[i] = (uint32_t)last;
	}
	for (size_t i = 0; i < t.count; i++) {
		size_t n = t.counts[i];
		t.counts[i] = at;
		at += n;
	}
	for (size_t i = 0; i < count; i++)
		order[t.counts[whose[i]]++] = (uint32_t)i;
	for (size_t i = 0; i < t.count; i++) {
		size_t first = i > 0 ? t.counts[i - 1] : 0;
		struct building b = {.id = id,
		    .tenant = t.names[i],
		    .rows = rows,
		    .order = order + first,
		    .count = t.counts[i] - first};
		build_tenant(&b, out);
	}
	free(t.names);
	free(t.counts);
	map_fini(&t.places);
	free(whose);
	free(order);
}

void
duck_parts_fini(struct duck_parts *p)
{
	buf_fini(&p->list);
	buf_fini(&p->bytes);
	buf_fini(&p->hashes);
}

size_t
duck_parts_count(const struct duck_parts *p)
{
	return p->list.len / sizeof(struct duck_part);
}

const struct duck_part *
duck_parts_at(const struct duck_parts *p, size_t i)
{
	const void *list = p->list.ptr;
	CHECK(i < duck_parts_count(p));
	return (const struct duck_part *)list + i;
}

/* ---- reading a seal again */

static bool
is_summed(enum table_id id, int col)
{
	static const int columns[SIGNAL_TABLES][8] = {
	    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SERVICE, SPAN_NAME, SPAN_START_NS, SPAN_DURATION_NS,
	        SPAN_STATUS_CODE, SPAN_TRACE_HI, SPAN_TRACE_LO},
	    [TABLE_LOGS] = {LOG_TENANT, LOG_SERVICE, LOG_EVENT_NS, LOG_SEVERITY_NUMBER},
	    [TABLE_POINTS] = {POINT_TENANT, POINT_SERVICE, POINT_NAME, POINT_TIME_NS},
	    [TABLE_COMMENTS] = {COMMENT_TENANT, COMMENT_CREATED_NS}, /* for seal_services */
	};
	for (size_t i = 0; i < ARRAY_LEN(columns[id]); i++)
		if (columns[id][i] == col)
			return true;
	return false;
}

void
duck_parts_columns(struct duck_sql *sql, enum table_id id)
{
	const struct table_def *def = &table_defs[id];
	for (size_t i = 0; i < def->col_count; i++) {
		const struct column_def *col = &def->cols[i];
		const char *type = duck_schema_type(col->kind);
		buf_str(&sql->text, i > 0 ? STR(", ") : STR_EMPTY);
		if (is_summed(id, (int)i))
			buf_printf(&sql->text, "\"%s\"", col->name);
		else if (col->nullable)
			buf_printf(&sql->text, "NULL::%s", type);
		else
			buf_printf(&sql->text, "%s::%s", col->kind == COL_STR ? "''" : "0", type);
	}
}

/* ---- writing */

struct appending {
	uint64_t gen;
	const struct duck_parts *parts;
};

static bool
append_part(duckdb_appender app, const void *ctx, size_t i)
{
	const struct appending *a = ctx;
	const struct duck_part *p = duck_parts_at(a->parts, i);
	return duckdb_append_uint64(app, a->gen) == DuckDBSuccess &&
	    duckdb_append_uint32(app, (uint32_t)i) == DuckDBSuccess &&
	    duckdb_append_varchar_length(app, p->tenant.ptr ? p->tenant.ptr : "", p->tenant.len) ==
	    DuckDBSuccess &&
	    duckdb_append_int32(app, (int32_t)p->kind) == DuckDBSuccess &&
	    duckdb_append_varchar_length(app, p->service.ptr ? p->service.ptr : "",
	        p->service.len) == DuckDBSuccess &&
	    duckdb_append_uint32(app, p->width_s) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->first_ns) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->last_ns) == DuckDBSuccess &&
	    duckdb_append_uint64(app, p->items) == DuckDBSuccess &&
	    duckdb_appender_end_row(app) == DuckDBSuccess;
}

static enum err_code
write_parts(struct duck *d, duckdb_connection con, uint64_t gen, const struct duck_parts *p,
    struct err *err)
{
	struct appending a = {gen, p};
	return duck_append_each(d, con, "seal_parts", duck_parts_count(p), append_part, &a, err);
}

/* Rows on their way into seal_words or seal_hashes. */
struct filling {
	duckdb_appender app;
	duckdb_data_chunk chunk;
	bool words;
	uint64_t gen, *gens, *values;
	uint32_t *numbers, *places;
	int32_t *kinds;
	idx_t count;
	bool ok;
};

static void
begin_chunk(struct filling *f)
{
	idx_t col = 0;
	duckdb_data_chunk_reset(f->chunk);
	f->count = 0;
	f->gens = duckdb_vector_get_data(duckdb_data_chunk_get_vector(f->chunk, col++));
	f->numbers = duckdb_vector_get_data(duckdb_data_chunk_get_vector(f->chunk, col++));
	if (f->words) {
		f->kinds = duckdb_vector_get_data(duckdb_data_chunk_get_vector(f->chunk, col++));
		f->places = duckdb_vector_get_data(duckdb_data_chunk_get_vector(f->chunk, col++));
	}
	f->values = duckdb_vector_get_data(duckdb_data_chunk_get_vector(f->chunk, col));
}

static void
flush_chunk(struct filling *f)
{
	if (f->count == 0 || !f->ok)
		return;
	duckdb_data_chunk_set_size(f->chunk, f->count);
	f->ok = duckdb_append_data_chunk(f->app, f->chunk) == DuckDBSuccess;
	begin_chunk(f);
}

static void
put_value(struct filling *f, uint32_t number, enum duck_part_kind kind, uint32_t place,
    uint64_t value)
{
	f->gens[f->count] = f->gen;
	f->numbers[f->count] = number;
	if (f->words) {
		f->kinds[f->count] = (int32_t)kind;
		f->places[f->count] = place;
	}
	f->values[f->count] = value;
	if (++f->count == DUCK_CHUNK_ROWS)
		flush_chunk(f);
}

static void
put_values(struct filling *f, const struct duck_parts *p, uint32_t number)
{
	const struct duck_part *part = duck_parts_at(p, number);
	size_t words = ((size_t)part->items + DUCK_PART_WORD - 1) / DUCK_PART_WORD;
	if (f->words != (part->kind != PART_HASHES))
		return;
	if (f->words) {
		for (size_t i = 0; i < words && f->ok; i++)
			put_value(f, number, part->kind, (uint32_t)i,
			    get_u64le(p->bytes.ptr + part->at + i * DUCK_PART_WORD));
		return;
	}
	const void *bytes = p->hashes.ptr;
	const uint64_t *hashes = bytes;
	for (size_t i = 0; i < part->items && f->ok; i++)
		put_value(f, number, part->kind, 0, hashes[part->at + i]);
}

static enum err_code
write_values(struct duck *d, duckdb_connection con, uint64_t gen, const struct duck_parts *p,
    bool words, struct err *err)
{
	static const duckdb_type of_words[] = {DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_UINTEGER,
	    DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_UINTEGER, DUCKDB_TYPE_UBIGINT};
	static const duckdb_type of_hashes[] = {
	    DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_UINTEGER, DUCKDB_TYPE_UBIGINT};
	duckdb_logical_type types[ARRAY_LEN(of_words)];
	size_t columns = words ? ARRAY_LEN(of_words) : ARRAY_LEN(of_hashes);
	struct filling f = {.words = words, .gen = gen};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < columns; i++)
		types[i] = duckdb_create_logical_type(words ? of_words[i] : of_hashes[i]);
	f.chunk = duckdb_create_data_chunk(types, columns);
	f.ok = duckdb_appender_create(con, NULL, words ? "seal_words" : "seal_hashes", &f.app) ==
	    DuckDBSuccess;
	begin_chunk(&f);
	for (size_t i = 0; i < duck_parts_count(p) && f.ok; i++)
		put_values(&f, p, (uint32_t)i);
	flush_chunk(&f);
	if (f.ok)
		f.ok = duckdb_appender_close(f.app) == DuckDBSuccess;
	if (!f.ok)
		code = duck_fail_append(d, f.app, err);
	duckdb_appender_destroy(&f.app);
	duckdb_destroy_data_chunk(&f.chunk);
	for (size_t i = 0; i < columns; i++)
		duckdb_destroy_logical_type(&types[i]);
	return code;
}

enum err_code
duck_parts_write(struct duck *d, duckdb_connection con, uint64_t gen, const struct duck_parts *p,
    struct err *err)
{
	CHECK(duck_parts_count(p) < 1 << DUCK_PART_NUMBER_BITS);
	enum err_code code = write_parts(d, con, gen, p, err);
	if (code == ERR_OK)
		code = write_values(d, con, gen, p, true, err);
	return code == ERR_OK ? write_values(d, con, gen, p, false, err) : code;
}

enum err_code
duck_sums_write(struct duck *d, duckdb_connection con, enum table_id id, uint64_t gen,
    const struct seal_row *rows, size_t count, struct err *err)
{
	struct duck_parts parts;
	enum err_code code = duck_services_write(d, con, id, gen, rows, count, err);
	if (code != ERR_OK || !duck_has_services(id))
		return code;
	duck_parts_build(id, rows, count, &parts);
	code = duck_parts_write(d, con, gen, &parts, err);
	duck_parts_fini(&parts);
	return code;
}
