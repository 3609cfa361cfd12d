/* SPDX-License-Identifier: Apache-2.0 */
#include "store/partial.h"

#include "store/partial_priv.h"

#include "base/hash.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MIN = 16, SEVERITY_BUCKET = 4, SEVERITY_LAST = 24, STATUS_ERROR = 2 };

static void
add_count(uint64_t *to, uint64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = UINT64_MAX;
}

/* ---- tallies */

void
partial_tally_init(struct partial_tally *t)
{
	*t = (struct partial_tally){.first_ns = UINT64_MAX};
}

void
partial_tally_fini(struct partial_tally *t)
{
	hist_fini(&t->durations);
	partial_tally_init(t);
}

static void
tally_widen(struct partial_tally *t, uint64_t first_ns, uint64_t last_ns)
{
	t->first_ns = first_ns < t->first_ns ? first_ns : t->first_ns;
	t->last_ns = last_ns > t->last_ns ? last_ns : t->last_ns;
}

void
partial_tally_merge(struct partial_tally *to, const struct partial_tally *from)
{
	add_count(&to->spans, from->spans);
	add_count(&to->errors, from->errors);
	add_count(&to->traces, from->traces);
	add_count(&to->points, from->points);
	for (int i = 0; i < PARTIAL_SEVERITIES; i++)
		add_count(&to->logs[i], from->logs[i]);
	hist_merge(&to->durations, &from->durations);
	tally_widen(to, from->first_ns, from->last_ns);
}

/* ---- maps */

static void
map_setup(struct partial_map *m, size_t max, bool has_operations)
{
	*m = (struct partial_map){.max = max, .has_operations = has_operations, .indexed = true};
	partial_tally_init(&m->other);
}

static void
map_release(struct partial_map *m)
{
	for (size_t i = 0; i < m->count; i++)
		partial_tally_fini(&m->entries[i].tally);
	partial_tally_fini(&m->other);
	map_fini(&m->places);
	free(m->entries);
	m->entries = NULL;
	m->count = m->cap = 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct partial_entry *x = a, *y = b;
	int order = str_cmp(x->service, y->service);
	return order != 0 ? order : str_cmp(x->operation, y->operation);
}

static int
by_hash(const void *a, const void *b)
{
	const struct partial_entry *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return by_name(a, b);
}

/* Where a key is noted. Not by its `hash`, which is the same in every store, and which names can be made for. */
static uint64_t
place_key(const struct partial_entry *e)
{
	return hash_keyed_str(e->operation, hash_keyed_str(e->service, 0));
}

static void
index_entries(struct partial_map *m)
{
	map_clear(&m->places);
	for (size_t i = 0; i < m->count; i++) {
		uint64_t key = place_key(&m->entries[i]);
		while (map_get(&m->places, key))
			key++;
		bool put = map_put(&m->places, key, i);
		CHECK(put);
	}
	m->indexed = true;
}

/* Keep the first `max` by hash. */
static void
trim(struct partial_map *m)
{
	qsort(m->entries, m->count, sizeof(*m->entries), by_hash);
	for (size_t i = m->max; i < m->count; i++) {
		partial_tally_merge(&m->other, &m->entries[i].tally);
		partial_tally_fini(&m->entries[i].tally);
	}
	m->truncated = true;
	m->count = m->max;
	m->bound = m->entries[m->max - 1];
	m->bound.tally = (struct partial_tally){0};
	m->indexed = false;
	m->last = 0;
}

static bool
is_key(const struct partial_entry *e, struct str service, struct str operation)
{
	return str_eq(e->service, service) && str_eq(e->operation, operation);
}

/* The place of a key, SIZE_MAX: it is not there. *free_out: where it would be noted. */
static size_t
find_entry(const struct partial_map *m, const struct partial_entry *key, uint64_t *free_out)
{
	for (*free_out = place_key(key);; ++*free_out) {
		const uint64_t *place = map_get(&m->places, *free_out);
		if (!place)
			return SIZE_MAX;
		if (is_key(&m->entries[*place], key->service, key->operation))
			return (size_t)*place;
	}
}

static struct str
keep(struct partial *p, struct str name)
{
	if (p->borrows)
		return name;
	struct str copy = arena_str(&p->names, name.ptr ? name : STR(""));
	CHECK(copy.ptr); /* the arena has no limit: partial_fits() has */
	return copy;
}

static struct partial_tally *
add_entry(struct partial *p, struct partial_map *m, struct partial_entry *key, uint64_t free)
{
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : ENTRIES_MIN;
		m->entries = xrealloc(m->entries, m->cap * sizeof(*m->entries));
	}
	key->service = keep(p, key->service);
	key->operation = keep(p, key->operation);
	partial_tally_init(&key->tally);
	m->entries[m->count] = *key;
	bool put = map_put(&m->places, free, m->count);
	CHECK(put);
	m->last = m->count;
	return &m->entries[m->count++].tally;
}

struct partial_tally *
partial_tally_of(struct partial *p, struct partial_map *m, struct str service, struct str operation)
{
	struct partial_entry key = {.service = service, .operation = operation};
	uint64_t free;
	if (m->last < m->count && is_key(&m->entries[m->last], service, operation))
		return &m->entries[m->last].tally;
	key.hash = partial_key_hash(m, service, operation);
	if (m->truncated && by_hash(&key, &m->bound) > 0)
		return &m->other;
	if (m->count >= 2 * m->max)
		trim(m);
	if (!m->indexed)
		index_entries(m);
	size_t place = find_entry(m, &key, &free);
	if (place == SIZE_MAX && m->truncated && by_hash(&key, &m->bound) > 0)
		return &m->other;
	if (place == SIZE_MAX)
		return add_entry(p, m, &key, free);
	m->last = place;
	return &m->entries[place].tally;
}

void
partial_map_bound(struct partial *p, struct partial_map *m, const struct partial_entry *bound)
{
	size_t kept = 0;
	if (m->truncated && by_hash(bound, &m->bound) >= 0)
		return;
	m->truncated = true;
	m->bound = (struct partial_entry){.service = keep(p, bound->service),
	    .operation = keep(p, bound->operation),
	    .hash = bound->hash};
	for (size_t i = 0; i < m->count; i++) {
		struct partial_entry *e = &m->entries[i];
		if (by_hash(e, &m->bound) <= 0) {
			m->entries[kept++] = *e;
			continue;
		}
		partial_tally_merge(&m->other, &e->tally);
		partial_tally_fini(&e->tally);
	}
	m->count = kept;
	m->indexed = false;
	m->last = 0;
}

bool
partial_key_before(const struct partial_entry *a, const struct partial_entry *b)
{
	return by_hash(a, b) < 0;
}

uint64_t
partial_key_hash(const struct partial_map *m, struct str service, struct str operation)
{
	uint64_t hash = hash_u64(service);
	return m->has_operations ? hash_u64_seed(operation, hash) : hash;
}

bool
partial_is_beyond(const struct partial_map *m, struct str service, struct str operation)
{
	struct partial_entry key = {.service = service,
	    .operation = operation,
	    .hash = partial_key_hash(m, service, operation)};
	return m->truncated && by_hash(&key, &m->bound) > 0;
}

static void
merge_map(struct partial *p, struct partial_map *to, const struct partial_map *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct partial_entry *e = &from->entries[i];
		partial_tally_merge(partial_tally_of(p, to, e->service, e->operation), &e->tally);
	}
	if (!from->truncated)
		return;
	partial_tally_merge(&to->other, &from->other);
	partial_map_bound(p, to, &from->bound);
}

static void
settle_map(struct partial_map *m)
{
	if (m->count > m->max)
		trim(m);
	if (m->count > 0)
		qsort(m->entries, m->count, sizeof(*m->entries), by_name);
	m->indexed = false;
	m->last = 0;
}

static size_t
map_memory(const struct partial_map *m)
{
	size_t bytes = m->cap * sizeof(*m->entries) + map_bytes(&m->places);
	for (size_t i = 0; i < m->count; i++)
		bytes += hist_bytes(&m->entries[i].tally.durations);
	return bytes + hist_bytes(&m->other.durations);
}

void
partial_total(const struct partial_map *m, struct partial_tally *out)
{
	partial_tally_init(out);
	for (size_t i = 0; i < m->count; i++)
		partial_tally_merge(out, &m->entries[i].tally);
	partial_tally_merge(out, &m->other);
}

/* ---- the whole */

static void
set_up(struct partial *p)
{
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		struct partial_window *w = &p->windows[i];
		map_setup(&w->services, p->scope.services_max, false);
		map_setup(&w->operations, p->scope.operations_max, true);
		distinct_init(&w->traces, p->scope.exact_max);
		distinct_init(&w->names, p->scope.exact_max);
	}
}

static void
release(struct partial *p)
{
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		map_release(&p->windows[i].services);
		map_release(&p->windows[i].operations);
		distinct_fini(&p->windows[i].traces);
		distinct_fini(&p->windows[i].names);
	}
	arena_fini(&p->names);
}

void
partial_init(struct partial *p, const struct partial_scope *scope, size_t bytes_max)
{
	*p = (struct partial){.scope = *scope, .bytes_max = bytes_max};
	CHECK(scope->window_count >= 1 && scope->window_count <= PARTIAL_WINDOWS_MAX);
	CHECK((scope->want & ~(unsigned)PARTIAL_ALL) == 0);
	CHECK(!(scope->want & PARTIAL_TRACES_BY_SERVICE) || scope->want & PARTIAL_SPANS);
	char *copy = xcalloc(scope->service.len + 1, 1);
	if (scope->service.len > 0)
		memcpy(copy, scope->service.ptr, scope->service.len);
	p->scope.service = (struct str){copy, scope->service.len};
	if (p->scope.services_max == 0)
		p->scope.services_max = LIMIT_PARTIAL_SERVICES;
	if (p->scope.operations_max == 0)
		p->scope.operations_max = LIMIT_PARTIAL_OPERATIONS;
	if (p->scope.exact_max == 0)
		p->scope.exact_max = LIMIT_PARTIAL_EXACT;
	p->counted = scope->want;
	set_up(p);
}

void
partial_fini(struct partial *p)
{
	release(p);
	free((void *)(uintptr_t)p->scope.service.ptr);
	*p = (struct partial){0};
}

void
partial_reset(struct partial *p)
{
	release(p);
	p->counted = p->scope.want;
	set_up(p);
}

void
partial_settle(struct partial *p)
{
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		settle_map(&p->windows[i].services);
		settle_map(&p->windows[i].operations);
	}
}

enum err_code
partial_fits(const struct partial *p, struct err *err)
{
	size_t bytes = p->names.used_bytes;
	if (p->bytes_max == 0)
		return ERR_OK;
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		const struct partial_window *w = &p->windows[i];
		bytes += map_memory(&w->services) + map_memory(&w->operations) +
		    distinct_bytes(&w->traces) + distinct_bytes(&w->names);
	}
	if (bytes <= p->bytes_max)
		return ERR_OK;
	return err_set(err, ERR_TOO_LARGE,
	    "the sums of this analysis take more than %zu bytes: ask for one service, or for a shorter "
	    "time",
	    p->bytes_max);
}

static bool
same_scope(const struct partial_scope *a, const struct partial_scope *b)
{
	bool same = a->want == b->want && a->window_count == b->window_count &&
	    a->services_max == b->services_max && a->operations_max == b->operations_max &&
	    a->exact_max == b->exact_max && str_eq(a->service, b->service);
	for (unsigned i = 0; i < a->window_count && same; i++)
		same = a->windows[i].from_ns == b->windows[i].from_ns &&
		    a->windows[i].to_ns == b->windows[i].to_ns;
	return same;
}

enum err_code
partial_merge(struct partial *to, const struct partial *from, struct err *err)
{
	CHECK(to != from);
	if (!same_scope(&to->scope, &from->scope))
		return err_set(err, ERR_INVALID, "sums of different analyses do not add up");
	for (unsigned i = 0; i < to->scope.window_count; i++) {
		struct partial_window *w = &to->windows[i];
		const struct partial_window *v = &from->windows[i];
		merge_map(to, &w->services, &v->services);
		merge_map(to, &w->operations, &v->operations);
		distinct_merge(&w->traces, &v->traces);
		distinct_merge(&w->names, &v->names);
	}
	return ERR_OK;
}

/* ---- rows */

int
partial_window_of(const struct partial *p, uint64_t time_ns)
{
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		const struct partial_span *s = &p->scope.windows[i];
		if (time_ns >= s->from_ns && (time_ns < s->to_ns || s->to_ns == UINT64_MAX))
			return (int)i;
	}
	return -1;
}

struct partial_tally *
partial_service(struct partial *p, unsigned window, struct str service)
{
	CHECK(window < p->scope.window_count);
	return partial_tally_of(p, &p->windows[window].services, service, STR_EMPTY);
}

struct partial_tally *
partial_operation(struct partial *p, unsigned window, struct str service, struct str operation)
{
	CHECK(window < p->scope.window_count);
	return partial_tally_of(p, &p->windows[window].operations, service, operation);
}

static void
count_span(struct partial_tally *t, const struct partial_row *row)
{
	add_count(&t->spans, 1);
	add_count(&t->errors, row->code == STATUS_ERROR);
	tally_widen(t, row->time_ns, row->time_ns);
	if (row->duration_ns >= 0)
		hist_add(&t->durations, (uint64_t)row->duration_ns);
}

void
partial_add_span(struct partial *p, unsigned window, const struct partial_row *row)
{
	unsigned want = p->counted;
	if (want & PARTIAL_SPANS)
		count_span(partial_service(p, window, row->service), row);
	if (want & PARTIAL_OPERATIONS)
		count_span(partial_operation(p, window, row->service, row->name), row);
	if (want & PARTIAL_TRACES)
		distinct_add(&p->windows[window].traces, row->hash);
}

void
partial_add_log(struct partial *p, unsigned window, const struct partial_row *row)
{
	if (!(p->counted & PARTIAL_LOGS))
		return;
	struct partial_tally *t = partial_service(p, window, row->service);
	add_count(&t->logs[partial_severity_of(row->code)], 1);
	tally_widen(t, row->time_ns, row->time_ns);
}

void
partial_add_point(struct partial *p, unsigned window, const struct partial_row *row)
{
	if (!(p->counted & PARTIAL_POINTS))
		return;
	struct partial_tally *t = partial_service(p, window, row->service);
	add_count(&t->points, 1);
	tally_widen(t, row->time_ns, row->time_ns);
	distinct_add(&p->windows[window].names, partial_name_hash(row->name));
}

void
partial_sum_operations(struct partial *p)
{
	for (unsigned i = 0; i < p->scope.window_count; i++) {
		struct partial_window *w = &p->windows[i];
		for (size_t k = 0; k < w->operations.count; k++) {
			const struct partial_entry *e = &w->operations.entries[k];
			partial_tally_merge(partial_service(p, i, e->service), &e->tally);
		}
	}
}

uint64_t
partial_trace_hash(uint64_t trace_hi, uint64_t trace_lo)
{
	const uint64_t id[2] = {trace_hi, trace_lo};
	return hash_u64(str_of(id, sizeof(id)));
}

uint64_t
partial_name_hash(struct str name)
{
	return hash_u64(name);
}

enum partial_severity
partial_severity_of(int32_t severity_number)
{
	if (severity_number < 1 || severity_number > SEVERITY_LAST)
		return PARTIAL_UNSPECIFIED;
	return (enum partial_severity)(PARTIAL_TRACE + (severity_number - 1) / SEVERITY_BUCKET);
}
