/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mem.h"

#include "base/hash.h"

#include <stdatomic.h>
#include <stdlib.h>

/* One append. Never changed once it is in the list. */
struct node {
	struct node *older;
	struct arena arena;
	struct table tables[TABLE_STORED_COUNT];
	uint64_t last_seq;
};

/* A span that is there. */
struct known_span {
	struct str tenant; /* in its node */
	uint64_t trace_hi, trace_lo, span_id;
	size_t next; /* of its chain, + 1; 0: the last */
};

struct known_request {
	struct hash128 identity;
	uint64_t seq;
};

enum { CHAINS = 1 << 14 };

struct mem {
	struct store store;
	_Atomic(struct node *) newest;
	/* The rest is the loader's alone. */
	struct known_span *spans;
	size_t span_count, span_cap;
	size_t chains[CHAINS]; /* place in spans + 1; 0: none */
	struct known_request *requests;
	size_t request_count, request_cap;
};

/* A row that matches. */
struct hit {
	const struct table *table;
	size_t row;
	uint64_t time_ns, seq;
	uint32_t ord;
};

struct hits {
	struct hit *items;
	size_t count, cap;
};

/* The columns the three signals have in common. */
struct shape {
	int tenant, seq, ord, time, service, attributes, resource_id, scope_id;
};

static const struct shape shapes[] = {
    [TABLE_SPANS] = {SPAN_TENANT, SPAN_SEQ, SPAN_ORD, SPAN_START_NS, SPAN_SERVICE, SPAN_ATTRIBUTES,
        SPAN_RESOURCE_ID, SPAN_SCOPE_ID},
    [TABLE_LOGS] = {LOG_TENANT, LOG_SEQ, LOG_ORD, LOG_EVENT_NS, LOG_SERVICE, LOG_ATTRIBUTES,
        LOG_RESOURCE_ID, LOG_SCOPE_ID},
    [TABLE_POINTS] = {POINT_TENANT, POINT_SEQ, POINT_ORD, POINT_TIME_NS, POINT_SERVICE,
        POINT_ATTRIBUTES, POINT_RESOURCE_ID, POINT_SCOPE_ID},
};

static struct mem *
mem_of(struct store *s)
{
	return (struct mem *)s;
}

/* ---- copies */

static bool
copy_list(struct table *to, size_t row, int col, const void *items, size_t len)
{
	if (!items)
		return true;
	void *copy = arena_array(to->arena, len > 0 ? len : 1, 8);
	if (copy && len > 0)
		memcpy(copy, items, len * 8);
	if (copy && to->def->cols[col].kind == COL_U64S)
		table_set_u64s(to, row, col, (struct u64s){copy, len});
	else if (copy)
		table_set_f64s(to, row, col, (struct f64s){copy, len});
	return copy != NULL;
}

static bool
copy_text(struct table *to, size_t row, int col, struct str s)
{
	struct str copy = arena_str(to->arena, s.ptr ? s : STR(""));
	if (copy.ptr)
		table_set_str(to, row, col, copy);
	return copy.ptr != NULL;
}

static bool
copy_value(struct table *to, size_t to_row, const struct table *from, size_t row, int col)
{
	if (from->def->cols[col].nullable && table_is_null(from, row, col))
		return true;
	struct u64s u64s;
	struct f64s f64s;
	switch (from->def->cols[col].kind) {
	case COL_U64: table_set_u64(to, to_row, col, table_u64(from, row, col)); return true;
	case COL_I64: table_set_i64(to, to_row, col, table_i64(from, row, col)); return true;
	case COL_U32: table_set_u32(to, to_row, col, table_u32(from, row, col)); return true;
	case COL_I32: table_set_i32(to, to_row, col, table_i32(from, row, col)); return true;
	case COL_F64: table_set_f64(to, to_row, col, table_f64(from, row, col)); return true;
	case COL_BOOL: table_set_bool(to, to_row, col, table_bool(from, row, col)); return true;
	case COL_STR: return copy_text(to, to_row, col, table_str(from, row, col));
	case COL_U64S:
		u64s = table_u64s(from, row, col);
		return copy_list(to, to_row, col, u64s.ptr, u64s.len);
	case COL_F64S:
		f64s = table_f64s(from, row, col);
		return copy_list(to, to_row, col, f64s.ptr, f64s.len);
	}
	return false;
}

static bool
copy_row(struct table *to, const struct table *from, size_t row)
{
	size_t to_row = table_add_row(to);
	bool fits = to_row != SIZE_MAX;
	for (size_t c = 0; c < from->def->col_count && fits; c++)
		fits = copy_value(to, to_row, from, row, (int)c);
	return fits;
}

static void
node_free(struct node *n)
{
	arena_fini(&n->arena);
	free(n);
}

/* ---- what is there already */

static size_t *
chain_of(struct mem *m, const struct known_span *k)
{
	uint64_t parts[] = {hash_u64(k->tenant), k->trace_hi, k->trace_lo, k->span_id};
	return &m->chains[hash_u64(str_of(parts, sizeof(parts))) % CHAINS];
}

static struct known_span
known_span_of(const struct table *t, size_t row)
{
	return (struct known_span){
	    .tenant = table_str(t, row, SPAN_TENANT),
	    .trace_hi = table_u64(t, row, SPAN_TRACE_HI),
	    .trace_lo = table_u64(t, row, SPAN_TRACE_LO),
	    .span_id = table_u64(t, row, SPAN_SPAN_ID),
	};
}

static bool
span_is_known(struct mem *m, const struct known_span *k)
{
	for (size_t at = *chain_of(m, k); at != 0; at = m->spans[at - 1].next) {
		const struct known_span *other = &m->spans[at - 1];
		if (other->span_id == k->span_id && other->trace_lo == k->trace_lo &&
		    other->trace_hi == k->trace_hi && str_eq(other->tenant, k->tenant))
			return true;
	}
	return false;
}

static void
know_span(struct mem *m, struct known_span k)
{
	if (m->span_count == m->span_cap) {
		m->span_cap = m->span_cap ? 2 * m->span_cap : 256;
		m->spans = xrealloc(m->spans, m->span_cap * sizeof(*m->spans));
	}
	size_t *chain = chain_of(m, &k);
	k.next = *chain;
	m->spans[m->span_count] = k;
	*chain = ++m->span_count;
}

static void
forget_spans_from(struct mem *m, size_t count)
{
	while (m->span_count > count) {
		const struct known_span *last = &m->spans[--m->span_count];
		*chain_of(m, last) = last->next;
	}
}

static uint64_t
mem_knows(struct store *s, struct hash128 identity)
{
	const struct mem *m = mem_of(s);
	for (size_t i = 0; i < m->request_count; i++)
		if (m->requests[i].identity.hi == identity.hi &&
		    m->requests[i].identity.lo == identity.lo)
			return m->requests[i].seq;
	return 0;
}

static void
know_requests(struct mem *m, const struct batch *batch)
{
	for (size_t i = 0; i < batch->request_count; i++) {
		const struct batch_request *r = &batch->requests[i];
		if (mem_knows(&m->store, r->identity) != 0)
			continue;
		if (m->request_count == m->request_cap) {
			m->request_cap = m->request_cap ? 2 * m->request_cap : 64;
			m->requests = xrealloc(m->requests, m->request_cap * sizeof(*m->requests));
		}
		m->requests[m->request_count++] = (struct known_request){r->identity, r->seq};
	}
}

/* ---- appending */

static bool
hide_span(struct batch *batch, size_t row)
{
	const struct table *spans = &batch->tables[TABLE_SPANS];
	unsigned char **hidden = &batch->hidden[TABLE_SPANS];
	if (!*hidden)
		*hidden = arena_alloc(&batch->arena, spans->row_count);
	if (!*hidden)
		return false;
	(*hidden)[row] = 1;
	for (size_t i = 0; i < batch->request_count; i++)
		if (batch->requests[i].seq == table_u64(spans, row, SPAN_SEQ))
			batch->requests[i].duplicates++;
	return true;
}

static void
show_all(struct batch *batch)
{
	memset(batch->hidden, 0, sizeof(batch->hidden));
	for (size_t i = 0; i < batch->request_count; i++)
		batch->requests[i].duplicates = 0;
}

static bool
add_span(struct mem *m, struct table *to, struct batch *batch, size_t row)
{
	struct known_span k = known_span_of(&batch->tables[TABLE_SPANS], row);
	if (span_is_known(m, &k))
		return hide_span(batch, row);
	if (!copy_row(to, &batch->tables[TABLE_SPANS], row))
		return false;
	know_span(m, known_span_of(to, to->row_count - 1));
	return true;
}

static bool
add_rows(struct mem *m, struct node *n, struct batch *batch)
{
	bool fits = true;
	for (int id = 0; id < TABLE_STORED_COUNT; id++) {
		const struct table *from = &batch->tables[id];
		struct table *to = &n->tables[id];
		table_init(to, (enum table_id)id, &n->arena);
		for (size_t row = 0; row < from->row_count && fits; row++)
			fits = id == TABLE_SPANS ? add_span(m, to, batch, row)
			                         : copy_row(to, from, row);
	}
	return fits;
}

static enum err_code
mem_append(struct store *s, struct batch *batch, struct err *err)
{
	struct mem *m = mem_of(s);
	struct node *n = xcalloc(1, sizeof(*n));
	size_t span_count = m->span_count;
	n->older = atomic_load(&m->newest);
	n->last_seq = batch->last_seq;
	show_all(batch);
	if (!add_rows(m, n, batch)) {
		show_all(batch);
		forget_spans_from(m, span_count);
		node_free(n);
		return err_set(err, ERR_TOO_LARGE, "no memory to append a batch");
	}
	know_requests(m, batch);
	atomic_store(&m->newest, n);
	return ERR_OK;
}

static uint64_t
mem_position(struct store *s)
{
	struct node *n = atomic_load(&mem_of(s)->newest);
	return n ? n->last_seq : 0;
}

/* ---- what matches */

static const struct table *
find_dict(struct mem *m, enum table_id id, struct str tenant, uint64_t key, size_t *row_out)
{
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		for (size_t row = 0; row < n->tables[id].row_count; row++) {
			*row_out = row;
			if (table_u64(&n->tables[id], row, 0) == key &&
			    str_eq(table_str(&n->tables[id], row, 1), tenant))
				return &n->tables[id];
		}
	return NULL;
}

static bool
match_attrs(struct mem *m, const struct store_query *q, const struct shape *s,
    const struct table *t, size_t row)
{
	for (size_t i = 0; i < q->attr_count; i++) {
		const struct store_attr *a = &q->attrs[i];
		bool matches;
		size_t res_row;
		if (!store_mem_attr_test(table_str(t, row, s->attributes), a, &matches)) {
			const struct table *res = find_dict(m, TABLE_RESOURCES, q->tenant,
			    table_u64(t, row, s->resource_id), &res_row);
			if (!res ||
			    !store_mem_attr_test(table_str(res, res_row, RESOURCE_ATTRIBUTES), a,
			        &matches))
				return false;
		}
		if (!matches)
			return false;
	}
	return true;
}

static bool
contains(struct str s, struct str part)
{
	for (size_t i = 0; i + part.len <= s.len; i++)
		if (part.len == 0 || memcmp(s.ptr + i, part.ptr, part.len) == 0)
			return true;
	return false;
}

static bool
any_or_equal(struct str want, struct str have)
{
	return want.len == 0 || str_eq(want, have);
}

static bool
match_ids(const struct store_query *q, uint64_t hi, uint64_t lo, uint64_t span_id)
{
	if (q->has_trace_id && (hi != q->trace_hi || lo != q->trace_lo))
		return false;
	return q->span_id == 0 || q->span_id == span_id;
}

static bool
match_span(const struct store_query *q, const struct table *t, size_t row)
{
	int64_t duration = table_i64(t, row, SPAN_DURATION_NS);
	return match_ids(q, table_u64(t, row, SPAN_TRACE_HI), table_u64(t, row, SPAN_TRACE_LO),
	           table_u64(t, row, SPAN_SPAN_ID)) &&
	    contains(table_str(t, row, SPAN_NAME), q->operation) &&
	    (!q->has_duration_min || duration >= q->duration_min_ns) &&
	    (!q->has_duration_max || duration <= q->duration_max_ns) &&
	    (!q->has_status || table_i32(t, row, SPAN_STATUS_CODE) == q->status_code) &&
	    (!q->has_kind || table_i32(t, row, SPAN_KIND) == q->span_kind) &&
	    (!q->roots_only || table_u64(t, row, SPAN_PARENT_ID) == 0);
}

static bool
match_log(const struct store_query *q, const struct table *t, size_t row)
{
	int32_t severity = table_i32(t, row, LOG_SEVERITY_NUMBER);
	return match_ids(q, table_u64(t, row, LOG_TRACE_HI), table_u64(t, row, LOG_TRACE_LO),
	           table_u64(t, row, LOG_SPAN_ID)) &&
	    any_or_equal(q->name, table_str(t, row, LOG_EVENT_NAME)) &&
	    (q->severity_min == 0 || severity >= q->severity_min) &&
	    (q->severity_max == 0 || severity <= q->severity_max) &&
	    (!q->severity_unspecified || severity < 1 || severity > 24) &&
	    (q->body_contains.len == 0 || contains(table_str(t, row, LOG_BODY), q->body_contains));
}

static bool
match_point(const struct store_query *q, const struct table *t, size_t row)
{
	return any_or_equal(q->name, table_str(t, row, POINT_NAME)) &&
	    (q->point_type == 0 || table_i32(t, row, POINT_TYPE) == q->point_type);
}

static struct hit
hit_of(const struct table *t, size_t row)
{
	const struct shape *s = &shapes[t->def - table_defs];
	return (struct hit){
	    .table = t,
	    .row = row,
	    .time_ns = table_u64(t, row, s->time),
	    .seq = table_u64(t, row, s->seq),
	    .ord = table_u32(t, row, s->ord),
	};
}

static int
compare_hits(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->ord > y->ord) - (x->ord < y->ord);
}

static int
compare_hits_down(const void *a, const void *b)
{
	return compare_hits(b, a);
}

/* What every kind of question asks for: the tenant, the time, the service. */
static bool
match_common(const struct store_query *q, const struct table *t, size_t row)
{
	const struct shape *s = &shapes[t->def - table_defs];
	uint64_t time_ns = table_u64(t, row, s->time);
	return str_eq(table_str(t, row, s->tenant), q->tenant) && time_ns >= q->from_ns &&
	    (q->to_ns == UINT64_MAX || time_ns < q->to_ns) &&
	    any_or_equal(q->service, table_str(t, row, s->service));
}

static bool
match(struct mem *m, const struct store_query *q, const struct table *t, size_t row)
{
	struct hit at = hit_of(t, row);
	struct hit after = {.time_ns = q->after.time_ns, .seq = q->after.seq, .ord = q->after.ord};
	enum table_id id = (enum table_id)(t->def - table_defs);
	int order = compare_hits(&at, &after);
	if (!match_common(q, t, row))
		return false;
	if (q->after.set && (q->kind == STORE_TRACE ? order <= 0 : order >= 0))
		return false;
	if (id == TABLE_SPANS && !match_span(q, t, row))
		return false;
	if (id == TABLE_LOGS && !match_log(q, t, row))
		return false;
	if (id == TABLE_POINTS && !match_point(q, t, row))
		return false;
	return match_attrs(m, q, &shapes[id], t, row);
}

static void
hits_add(struct hits *h, struct hit hit)
{
	if (h->count == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 256;
		h->items = xrealloc(h->items, h->cap * sizeof(*h->items));
	}
	h->items[h->count++] = hit;
}

/* ---- answers */

static enum err_code
too_large(const struct arena *arena, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "the answer is larger than %zu bytes", arena->bytes_max);
}

static bool
add_dict(struct mem *m, enum table_id id, const struct store_query *q, uint64_t key,
    struct table *out)
{
	size_t row;
	if (store_find_id(out, key) != SIZE_MAX)
		return true;
	const struct table *from = find_dict(m, id, q->tenant, key, &row);
	return !from || copy_row(out, from, row);
}

static enum err_code
answer_rows(struct mem *m, const struct store_query *q, enum table_id id, struct store_result *r,
    struct err *err)
{
	const struct shape *s = &shapes[id];
	struct hits hits = {0};
	bool fits = true;
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		for (size_t row = 0; row < n->tables[id].row_count; row++)
			if (match(m, q, &n->tables[id], row))
				hits_add(&hits, hit_of(&n->tables[id], row));
	if (hits.count > 0)
		qsort(hits.items, hits.count, sizeof(*hits.items),
		    q->kind == STORE_TRACE ? compare_hits : compare_hits_down);
	r->more = hits.count > q->row_max;
	size_t count = r->more ? q->row_max : hits.count;
	for (size_t i = 0; i < count && fits; i++) {
		const struct hit *h = &hits.items[i];
		fits = copy_row(&r->rows, h->table, h->row) &&
		    add_dict(m, TABLE_RESOURCES, q, table_u64(h->table, h->row, s->resource_id),
		        &r->resources) &&
		    add_dict(m, TABLE_SCOPES, q, table_u64(h->table, h->row, s->scope_id),
		        &r->scopes);
		if (r->more)
			r->next = (struct store_cursor){h->time_ns, h->seq, h->ord, true};
	}
	free(hits.items);
	return fits ? ERR_OK : too_large(r->arena, err);
}

__extension__ typedef __int128 int128;

struct service {
	struct str name;
	uint64_t spans, traces, errors, ended, logs, points, first_ns, last_ns;
	int128 duration_ns;
};

struct services {
	struct service *items;
	size_t count, cap;
	/* (service, trace) pairs seen */
	struct pair {
		size_t service;
		uint64_t hi, lo;
	} *pairs;
	size_t pair_count, pair_cap;
};

static struct service *
service_of(struct services *all, struct str name)
{
	for (size_t i = 0; i < all->count; i++)
		if (str_eq(all->items[i].name, name))
			return &all->items[i];
	if (all->count == all->cap) {
		all->cap = all->cap ? all->cap * 2 : 16;
		all->items = xrealloc(all->items, all->cap * sizeof(*all->items));
	}
	all->items[all->count] = (struct service){.name = name, .first_ns = UINT64_MAX};
	return &all->items[all->count++];
}

static bool
first_of_trace(struct services *all, size_t service, uint64_t hi, uint64_t lo)
{
	for (size_t i = 0; i < all->pair_count; i++)
		if (all->pairs[i].service == service && all->pairs[i].hi == hi &&
		    all->pairs[i].lo == lo)
			return false;
	if (all->pair_count == all->pair_cap) {
		all->pair_cap = all->pair_cap ? all->pair_cap * 2 : 64;
		all->pairs = xrealloc(all->pairs, all->pair_cap * sizeof(*all->pairs));
	}
	all->pairs[all->pair_count++] = (struct pair){service, hi, lo};
	return true;
}

static void
count_row(struct services *all, enum table_id id, const struct table *t, size_t row)
{
	struct service *s = service_of(all, table_str(t, row, shapes[id].service));
	uint64_t time_ns = table_u64(t, row, shapes[id].time);
	s->first_ns = time_ns < s->first_ns ? time_ns : s->first_ns;
	s->last_ns = time_ns > s->last_ns ? time_ns : s->last_ns;
	s->logs += id == TABLE_LOGS;
	s->points += id == TABLE_POINTS;
	if (id != TABLE_SPANS)
		return;
	s->spans++;
	s->errors += table_i32(t, row, SPAN_STATUS_CODE) == 2;
	int64_t duration_ns = table_i64(t, row, SPAN_DURATION_NS);
	if (duration_ns >= 0) {
		s->ended++;
		s->duration_ns += duration_ns;
	}
	s->traces += first_of_trace(all, (size_t)(s - all->items), table_u64(t, row, SPAN_TRACE_HI),
	    table_u64(t, row, SPAN_TRACE_LO));
}

static int
most_spans_first(const void *a, const void *b)
{
	const struct service *x = a, *y = b;
	uint64_t nx = x->logs + x->points, ny = y->logs + y->points;
	if (x->spans != y->spans)
		return x->spans > y->spans ? -1 : 1;
	if (nx != ny)
		return nx > ny ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static bool
put_service(struct table *out, const struct service *s)
{
	size_t row = table_add_row(out);
	if (row == SIZE_MAX || !copy_text(out, row, SERVICE_NAME, s->name))
		return false;
	table_set_u64(out, row, SERVICE_SPANS, s->spans);
	table_set_u64(out, row, SERVICE_TRACES, s->traces);
	table_set_u64(out, row, SERVICE_ERRORS, s->errors);
	table_set_u64(out, row, SERVICE_ENDED, s->ended);
	table_set_f64(out, row, SERVICE_DURATION_SUM_NS, (double)s->duration_ns);
	table_set_u64(out, row, SERVICE_LOGS, s->logs);
	table_set_u64(out, row, SERVICE_POINTS, s->points);
	table_set_u64(out, row, SERVICE_FIRST_NS, s->first_ns);
	table_set_u64(out, row, SERVICE_LAST_NS, s->last_ns);
	return true;
}

static enum err_code
answer_services(struct mem *m, const struct store_query *q, struct store_result *r, struct err *err)
{
	struct services all = {0};
	bool fits = true;
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		for (int id = TABLE_SPANS; id <= TABLE_POINTS; id++)
			for (size_t row = 0; row < n->tables[id].row_count; row++)
				if (match_common(q, &n->tables[id], row))
					count_row(&all, (enum table_id)id, &n->tables[id], row);
	if (all.count > 0)
		qsort(all.items, all.count, sizeof(*all.items), most_spans_first);
	r->more = all.count > q->row_max;
	for (size_t i = 0; i < all.count && i < q->row_max && fits; i++)
		fits = put_service(&r->rows, &all.items[i]);
	free(all.items);
	free(all.pairs);
	return fits ? ERR_OK : too_large(r->arena, err);
}

static enum err_code
mem_query(struct store *s, const struct store_query *q, struct store_result *r, struct err *err)
{
	static const enum table_id tables[] = {
	    [STORE_SPANS] = TABLE_SPANS,
	    [STORE_TRACE] = TABLE_SPANS,
	    [STORE_LOGS] = TABLE_LOGS,
	    [STORE_POINTS] = TABLE_POINTS,
	    [STORE_SERVICES] = TABLE_SERVICES,
	};
	table_init(&r->rows, tables[q->kind], r->arena);
	table_init(&r->resources, TABLE_RESOURCES, r->arena);
	table_init(&r->scopes, TABLE_SCOPES, r->arena);
	if (q->kind == STORE_SERVICES)
		return answer_services(mem_of(s), q, r, err);
	return answer_rows(mem_of(s), q, tables[q->kind], r, err);
}

static void
mem_status(struct store *s, struct store_status *out)
{
	*out = (struct store_status){.ok = true};
	for (struct node *n = atomic_load(&mem_of(s)->newest); n; n = n->older)
		for (int id = TABLE_SPANS; id <= TABLE_POINTS; id++)
			out->row_count += n->tables[id].row_count;
}

static void
mem_close(struct store *s)
{
	struct node *older;
	for (struct node *n = atomic_load(&mem_of(s)->newest); n; n = older) {
		older = n->older;
		node_free(n);
	}
	free(mem_of(s)->spans);
	free(mem_of(s)->requests);
	free(s);
}

static const struct store_ops ops = {
    .name = "mem",
    .append = mem_append,
    .position = mem_position,
    .knows = mem_knows,
    .query = mem_query,
    .status = mem_status,
    .close = mem_close,
};

struct store *
store_mem_new(void)
{
	struct mem *m = xcalloc(1, sizeof(*m));
	m->store.ops = &ops;
	return &m->store;
}
