/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mem.h"

#include "base/hash.h"
#include "store/match.h"
#include "store/mem_priv.h"
#include "store/partial_rows.h"

#include <stdatomic.h>
#include <stdlib.h>

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

static struct mem *
mem_of(struct store *s)
{
	return (struct mem *)s;
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
hide(struct batch *batch, enum table_id id, size_t row)
{
	const struct table *t = &batch->tables[id];
	unsigned char **hidden = &batch->hidden[id];
	if (!*hidden)
		*hidden = arena_alloc(&batch->arena, t->row_count);
	if (!*hidden)
		return false;
	(*hidden)[row] = 1;
	for (size_t i = 0; i < batch->request_count; i++)
		if (batch->requests[i].seq == table_u64(t, row, store_shape_of(t)->seq))
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
		return hide(batch, TABLE_SPANS, row);
	if (!table_copy_row(to, &batch->tables[TABLE_SPANS], row))
		return false;
	know_span(m, known_span_of(to, to->row_count - 1));
	return true;
}

static bool
has_comment(const struct table *t, struct str tenant, struct str id)
{
	for (size_t row = 0; row < t->row_count; row++)
		if (str_eq(table_str(t, row, COMMENT_ID), id) &&
		    str_eq(table_str(t, row, COMMENT_TENANT), tenant))
			return true;
	return false;
}

static bool
add_comment(struct mem *m, struct table *to, struct batch *batch, size_t row)
{
	const struct table *from = &batch->tables[TABLE_COMMENTS];
	struct str tenant = table_str(from, row, COMMENT_TENANT),
	           id = table_str(from, row, COMMENT_ID);
	bool known = has_comment(to, tenant, id);
	for (struct node *n = atomic_load(&m->newest); n && !known; n = n->older)
		known = has_comment(&n->tables[TABLE_COMMENTS], tenant, id);
	return known ? hide(batch, TABLE_COMMENTS, row) : table_copy_row(to, from, row);
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
			fits = id == TABLE_SPANS   ? add_span(m, to, batch, row)
			    : id == TABLE_COMMENTS ? add_comment(m, to, batch, row)
			                           : table_copy_row(to, from, row);
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
	if (!add_rows(m, n, batch) || !store_mem_add_pulls(n, batch)) {
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

/* struct store_resources */
static struct str
resource_attributes(void *ctx, struct str tenant, uint64_t resource_id)
{
	size_t row;
	const struct table *t = find_dict(ctx, TABLE_RESOURCES, tenant, resource_id, &row);
	return t ? table_str(t, row, RESOURCE_ATTRIBUTES) : STR_EMPTY;
}

static struct str
scope_attributes(void *ctx, struct str tenant, uint64_t scope_id)
{
	size_t row;
	const struct table *t = find_dict(ctx, TABLE_SCOPES, tenant, scope_id, &row);
	return t ? table_str(t, row, SCOPE_ATTRIBUTES) : STR_EMPTY;
}

static struct hit
hit_of(const struct table *t, size_t row)
{
	const struct store_shape *s = store_shape_of(t);
	return (struct hit){
	    .table = t,
	    .row = row,
	    .time_ns = table_u64(t, row, s->time),
	    .seq = table_u64(t, row, s->seq),
	    .ord = table_u32(t, row, s->ord),
	};
}

/* Where it stands among the rows of an answer: of arrivals it is the seq that counts. */
static struct hit
place_of(const struct store_query *q, const struct table *t, size_t row)
{
	struct hit h = hit_of(t, row);
	if (q->kind == STORE_ARRIVALS)
		h.time_ns = h.seq;
	return h;
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

static bool
same_trace(const struct table *a, size_t i, const struct table *b, size_t k)
{
	return table_u64(a, i, SPAN_TRACE_HI) == table_u64(b, k, SPAN_TRACE_HI) &&
	    table_u64(a, i, SPAN_TRACE_LO) == table_u64(b, k, SPAN_TRACE_LO);
}

static bool
is_beside(struct mem *m, const struct store_query *q, const struct table *t, size_t row)
{
	const struct store_resources resources = {resource_attributes, m, scope_attributes};
	struct store_query other = *q->beside;
	other.tenant = q->tenant;
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		for (size_t i = 0; i < n->tables[TABLE_SPANS].row_count; i++)
			if (same_trace(&n->tables[TABLE_SPANS], i, t, row) &&
			    store_match(&other, &n->tables[TABLE_SPANS], i, &resources))
				return true;
	return false;
}

static bool
match(struct mem *m, const struct store_query *q, const struct table *t, size_t row)
{
	const struct store_resources resources = {resource_attributes, m, scope_attributes};
	struct hit at = place_of(q, t, row);
	struct hit after = {.time_ns = q->kind == STORE_ARRIVALS ? q->after.seq : q->after.time_ns,
	    .seq = q->after.seq,
	    .ord = q->after.ord};
	int order = compare_hits(&at, &after);
	if (q->after.set && (store_query_is_upwards(q) ? order <= 0 : order >= 0))
		return false;
	return store_match(q, t, row, &resources) && (!q->beside || is_beside(m, q, t, row));
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
	return !from || table_copy_row(out, from, row);
}

static enum err_code
answer_rows(struct mem *m, const struct store_query *q, enum table_id id, struct store_result *r,
    struct err *err)
{
	const struct store_shape *s = store_shape_of(&r->rows);
	struct hits hits = {0};
	bool fits = true;
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		for (size_t row = 0; row < n->tables[id].row_count; row++)
			if (match(m, q, &n->tables[id], row))
				hits_add(&hits, place_of(q, &n->tables[id], row));
	if (hits.count > 0)
		qsort(hits.items, hits.count, sizeof(*hits.items),
		    store_query_is_upwards(q) ? compare_hits : compare_hits_down);
	r->more = hits.count > q->row_max;
	size_t count = r->more ? q->row_max : hits.count, left = hits.count - count;
	if (q->kind == STORE_ARRIVALS)
		r->remaining = left < STORE_REMAINING_MAX ? left : STORE_REMAINING_MAX;
	for (size_t i = 0; i < count && fits; i++) {
		const struct hit *h = &hits.items[i];
		fits = table_copy_row(&r->rows, h->table, h->row);
		if (fits && s->resource_id >= 0)
			fits = add_dict(m, TABLE_RESOURCES, q,
			           table_u64(h->table, h->row, s->resource_id), &r->resources) &&
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
	const struct store_shape *shape = store_shape_of(t);
	struct service *s = service_of(all, table_str(t, row, shape->service));
	uint64_t time_ns = table_u64(t, row, shape->time);
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
	if (row == SIZE_MAX || !table_copy_text(out, row, SERVICE_NAME, s->name))
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
				if (store_match_common(q, &n->tables[id], row))
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

/* ---- traces and counts */

/* All spans of the tenant, malloc'd. */
static struct store_mem_span *
all_spans(struct mem *m, const struct store_query *q, size_t *count_out)
{
	size_t count = 0;
	struct store_query first_page = *q;
	first_page.after = (struct store_cursor){0};
	for (struct node *n = atomic_load(&m->newest); n; n = n->older)
		count += n->tables[TABLE_SPANS].row_count;
	struct store_mem_span *spans = xcalloc(count + 1, sizeof(*spans));
	count = 0;
	for (struct node *n = atomic_load(&m->newest); n; n = n->older) {
		const struct table *t = &n->tables[TABLE_SPANS];
		for (size_t row = 0; row < t->row_count; row++)
			if (str_eq(table_str(t, row, SPAN_TENANT), q->tenant))
				spans[count++] =
				    (struct store_mem_span){t, row, match(m, &first_page, t, row)};
	}
	*count_out = count;
	return spans;
}

static enum err_code
answer_traces(struct mem *m, const struct store_query *q, struct store_result *r, struct err *err)
{
	size_t count;
	struct store_mem_span *spans = all_spans(m, q, &count);
	bool fits = store_mem_traces(spans, count, q, r);
	free(spans);
	return fits ? ERR_OK : too_large(r->arena, err);
}

static bool
counted_times(struct mem *m, const struct store_query *q, struct arena *arena, struct hits *hits)
{
	static const enum table_id tables[] = {
	    [STORE_SPANS] = TABLE_SPANS, [STORE_LOGS] = TABLE_LOGS, [STORE_POINTS] = TABLE_POINTS};
	struct store_query each = *q;
	each.kind = q->counted;
	each.row_max = SIZE_MAX;
	if (q->counted == STORE_TRACES) {
		size_t count;
		struct store_result traces = {.arena = arena};
		table_init(&traces.rows, TABLE_TRACES, arena);
		struct store_mem_span *spans = all_spans(m, &each, &count);
		bool fits = store_mem_traces(spans, count, &each, &traces);
		for (size_t i = 0; i < traces.rows.row_count; i++)
			hits_add(hits,
			    (struct hit){.time_ns = table_u64(&traces.rows, i, TRACE_PLACE_NS)});
		free(spans);
		return fits;
	}
	for (struct node *n = atomic_load(&m->newest); n; n = n->older) {
		const struct table *t = &n->tables[tables[q->counted]];
		for (size_t row = 0; row < t->row_count; row++)
			if (match(m, &each, t, row))
				hits_add(hits, hit_of(t, row));
	}
	return true;
}

static enum err_code
answer_counts(struct mem *m, const struct store_query *q, struct store_result *r, struct err *err)
{
	struct hits hits = {0};
	uint64_t first = UINT64_MAX, last = 0;
	bool fits = counted_times(m, q, r->arena, &hits);
	for (size_t i = 0; i < hits.count; i++) {
		uint64_t t = hits.items[i].time_ns;
		first = t < first ? t : first;
		last = t > last ? t : last;
	}
	if (fits && store_count_bounds(q, &first, &last))
		fits = store_buckets_init(&r->rows, first, last, q->bucket_count);
	for (size_t i = 0; i < hits.count && fits; i++) {
		size_t row = store_bucket_of(&r->rows, hits.items[i].time_ns);
		table_set_u64(&r->rows, row, BUCKET_COUNT,
		    table_u64(&r->rows, row, BUCKET_COUNT) + 1);
	}
	free(hits.items);
	return fits ? ERR_OK : too_large(r->arena, err);
}

static bool
add_series_dicts(struct mem *m, const struct store_query *q, struct store_result *r)
{
	bool fits = true;
	for (size_t i = 0; q->kind == STORE_SERIES && i < r->rows.row_count && fits; i++)
		fits = add_dict(m, TABLE_RESOURCES, q, table_u64(&r->rows, i, SERIES_RESOURCE_ID),
		           &r->resources) &&
		    add_dict(m, TABLE_SCOPES, q, table_u64(&r->rows, i, SERIES_SCOPE_ID),
		        &r->scopes);
	return fits;
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
	    [STORE_COMMENTS] = TABLE_COMMENTS,
	    [STORE_TRACES] = TABLE_TRACES,
	    [STORE_COUNTS] = TABLE_BUCKETS,
	    [STORE_ARRIVALS] = TABLE_SPANS,
	    [STORE_METRICS] = TABLE_METRICS,
	    [STORE_SERIES] = TABLE_SERIES,
	    [STORE_SAMPLES] = TABLE_SAMPLES,
	    [STORE_DISTRIBUTIONS] = TABLE_DISTRIBUTIONS,
	};
	table_init(&r->rows, tables[q->kind], r->arena);
	table_init(&r->resources, TABLE_RESOURCES, r->arena);
	table_init(&r->scopes, TABLE_SCOPES, r->arena);
	if (q->kind == STORE_SERVICES)
		return answer_services(mem_of(s), q, r, err);
	if (q->kind == STORE_TRACES)
		return answer_traces(mem_of(s), q, r, err);
	if (q->kind == STORE_COUNTS)
		return answer_counts(mem_of(s), q, r, err);
	if (q->kind < STORE_METRICS)
		return answer_rows(mem_of(s), q, tables[q->kind], r, err);
	bool fits = store_mem_series(atomic_load(&mem_of(s)->newest), q, r);
	return fits && add_series_dicts(mem_of(s), q, r) ? ERR_OK : too_large(r->arena, err);
}

static enum err_code
mem_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	struct partial_counter c;
	(void)deadline_mono_ns;
	partial_counter_init(&c, p, tenant);
	for (struct node *n = atomic_load(&mem_of(s)->newest); n; n = n->older)
		for (int id = TABLE_SPANS; id <= TABLE_POINTS; id++)
			partial_count_rows(&c, &n->tables[id], 0, n->tables[id].row_count);
	partial_counter_fini(&c);
	return partial_fits(p, err);
}

static size_t
mem_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out, size_t max)
{
	return store_mem_pulls(atomic_load(&mem_of(s)->newest), tenant, from, out, max);
}

static void
mem_status(struct store *s, struct store_status *out)
{
	*out = (struct store_status){
	    .ok = true, .sources = store_mem_sources(atomic_load(&mem_of(s)->newest))};
	for (struct node *n = atomic_load(&mem_of(s)->newest); n; n = n->older)
		for (int id = 0; id < SIGNAL_TABLES; id++)
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
    .pulls = mem_pulls,
    .query = mem_query,
    .analyse = mem_analyse,
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
