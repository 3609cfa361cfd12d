/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A partial as bytes. The pieces are those of base/pack.h, base/hist.h and base/distinct.h.
 *
 *     partial   version, want, service, services_max, operations_max, exact_max, number of windows, from and to of each,
 *               then each window
 *     window    the map of services, unless nothing of them is wanted; the map of operations, traces, names, each
 *               if it is wanted
 *     map       number of entries, 0 or (1 and the tally of the rest), the entries by name
 *     entry     service, and of operations the name: each as what it shares with the one before (a length) and the rest;
 *               its tally
 *     tally     SPANS and operations: spans, errors, histogram; TRACES_BY_SERVICE: traces; LOGS: a number for each severity;
 *               POINTS: points; first and, relative to it, last time
 *     kept map  want, map: partial_pack_map()
 */
#include "store/partial_priv.h"

enum { VERSION = 1, FITS_EVERY = 256 };

enum {
	SERVICES = PARTIAL_SPANS | PARTIAL_TRACES_BY_SERVICE | PARTIAL_LOGS | PARTIAL_POINTS,
	OF_SPANS = PARTIAL_SPANS | PARTIAL_OPERATIONS,
	IN_MAPS = PARTIAL_SPANS | PARTIAL_OPERATIONS | PARTIAL_LOGS | PARTIAL_POINTS,
};

/* ---- writing */

static void
pack_tally(const struct partial_tally *t, unsigned want, struct buf *out)
{
	if (want & OF_SPANS) {
		pack_u64(out, t->spans);
		pack_u64(out, t->errors);
		hist_pack(&t->durations, out);
	}
	if (want & PARTIAL_TRACES_BY_SERVICE)
		pack_u64(out, t->traces);
	for (int i = 0; i < PARTIAL_SEVERITIES && want & PARTIAL_LOGS; i++)
		pack_u64(out, t->logs[i]);
	if (want & PARTIAL_POINTS)
		pack_u64(out, t->points);
	pack_u64(out, t->first_ns);
	pack_u64(out, t->last_ns - t->first_ns);
}

static void
pack_name(struct str before, struct str name, struct buf *out)
{
	size_t shared = 0, max = before.len < name.len ? before.len : name.len;
	while (shared < max && before.ptr[shared] == name.ptr[shared])
		shared++;
	pack_u64(out, shared);
	pack_text(out, str_skip(name, shared));
}

static void
pack_map(const struct partial_map *m, unsigned want, struct buf *out)
{
	static const struct partial_entry none;
	const struct partial_entry *before = &none;
	pack_u64(out, m->count);
	pack_u64(out, m->truncated);
	if (m->truncated)
		pack_tally(&m->other, want, out);
	for (size_t i = 0; i < m->count; before = &m->entries[i++]) {
		const struct partial_entry *e = &m->entries[i];
		pack_name(before->service, e->service, out);
		if (m->has_operations)
			pack_name(before->operation, e->operation, out);
		pack_tally(&e->tally, want, out);
	}
}

void
partial_pack(struct partial *p, struct buf *out)
{
	const struct partial_scope *s = &p->scope;
	partial_settle(p);
	pack_u64(out, VERSION);
	pack_u64(out, s->want);
	pack_text(out, s->service);
	pack_u64(out, s->services_max);
	pack_u64(out, s->operations_max);
	pack_u64(out, s->exact_max);
	pack_u64(out, s->window_count);
	for (unsigned i = 0; i < s->window_count; i++) {
		pack_u64(out, s->windows[i].from_ns);
		pack_u64(out, s->windows[i].to_ns);
	}
	for (unsigned i = 0; i < s->window_count; i++) {
		const struct partial_window *w = &p->windows[i];
		if (s->want & SERVICES)
			pack_map(&w->services, s->want & SERVICES, out);
		if (s->want & PARTIAL_OPERATIONS)
			pack_map(&w->operations, PARTIAL_OPERATIONS, out);
		if (s->want & PARTIAL_TRACES)
			distinct_pack(&w->traces, out);
		if (s->want & PARTIAL_POINTS)
			distinct_pack(&w->names, out);
	}
}

void
partial_pack_map(struct partial *p, unsigned want, struct buf *out)
{
	CHECK(want == PARTIAL_OPERATIONS ||
	    (want & IN_MAPS & ~(unsigned)PARTIAL_OPERATIONS) == want);
	partial_settle(p);
	pack_u64(out, want);
	pack_map(want == PARTIAL_OPERATIONS ? &p->windows[0].operations : &p->windows[0].services,
	    want, out);
}

/* ---- reading */

struct unpacking {
	struct partial *p;
	struct pack_reader r;
	unsigned want; /* of the map */
	struct buf service, operation; /* of the entry before */
	struct buf bound_service, bound_operation; /* of a truncated map: the last key by hash */
	struct partial_entry bound;
	bool strict; /* of a whole partial: no other services, no more entries than there may be */
};

static bool
unpack_tally(struct unpacking *u, struct partial_tally *to)
{
	struct pack_reader *r = &u->r;
	struct partial_tally t = {0};
	uint64_t items = 0, before = to->durations.count;
	if (u->want & OF_SPANS) {
		t.spans = pack_read_u64(r);
		t.errors = pack_read_max(r, t.spans);
		if (r->failed || !hist_unpack(&to->durations, r) ||
		    to->durations.count - before > t.spans)
			return false;
		items |= t.spans;
	}
	if (u->want & PARTIAL_TRACES_BY_SERVICE)
		items |= t.traces = pack_read_u64(r);
	for (int i = 0; i < PARTIAL_SEVERITIES && u->want & PARTIAL_LOGS; i++)
		items |= t.logs[i] = pack_read_u64(r);
	if (u->want & PARTIAL_POINTS)
		items |= t.points = pack_read_u64(r);
	t.first_ns = pack_read_u64(r);
	t.last_ns = t.first_ns + pack_read_max(r, UINT64_MAX - t.first_ns);
	if (r->failed || items == 0)
		return false;
	partial_tally_merge(to, &t);
	return true;
}

/* What was the name before becomes the next one; *order_out: how the two compare. */
static bool
unpack_name(struct unpacking *u, struct buf *name, int *order_out)
{
	size_t shared = (size_t)pack_read_max(&u->r, name->len);
	struct str rest = pack_read_text(&u->r, SIZE_MAX);
	struct str old = str_skip(buf_view(name), shared);
	if (u->r.failed || (old.len > 0 && rest.len > 0 && old.ptr[0] == rest.ptr[0]))
		return false; /* it shares more than it says */
	*order_out = str_cmp(rest, old);
	name->len = shared;
	buf_str(name, rest);
	return !name->failed;
}

static bool
unpack_key(struct unpacking *u, const struct partial_map *m, bool first)
{
	int order = 0, order2 = 0;
	if (!unpack_name(u, &u->service, &order) ||
	    (m->has_operations && !unpack_name(u, &u->operation, &order2)))
		return false;
	return first || order > 0 || (order == 0 && order2 > 0);
}

static void
note_bound(struct unpacking *u, const struct partial_entry *key)
{
	if (u->bound.service.ptr && !partial_key_before(&u->bound, key))
		return;
	buf_reset(&u->bound_service);
	buf_reset(&u->bound_operation);
	buf_str(&u->bound_service, key->service);
	buf_str(&u->bound_operation, key->operation);
	buf_reserve(&u->bound_service, 1); /* an empty name has a place, too */
	u->bound = (struct partial_entry){.service = buf_view(&u->bound_service),
	    .operation = buf_view(&u->bound_operation),
	    .hash = key->hash};
}

static bool
unpack_entry(struct unpacking *u, struct partial_map *m, bool first, bool truncated)
{
	if (!unpack_key(u, m, first))
		return false;
	struct partial_entry key = {.service = buf_view(&u->service)};
	if (m->has_operations)
		key.operation = buf_view(&u->operation);
	struct str only = u->p->scope.service;
	if (only.len > 0 && !str_eq(only, key.service)) {
		struct partial_tally ignored;
		partial_tally_init(&ignored);
		bool good = !u->strict && unpack_tally(u, &ignored);
		partial_tally_fini(&ignored);
		return good;
	}
	key.hash = partial_key_hash(m, key.service, key.operation);
	if (truncated)
		note_bound(u, &key);
	return unpack_tally(u, partial_tally_of(u->p, m, key.service, key.operation));
}

static enum err_code
corrupt(struct err *err)
{
	return err_set(err, ERR_CORRUPT, "the sums of an analysis are damaged");
}

static enum err_code
unpack_entries(struct unpacking *u, struct partial_map *m, struct err *err)
{
	uint64_t count = pack_read_max(&u->r, u->strict ? m->max : SIZE_MAX);
	bool truncated = pack_read_max(&u->r, u->strict);
	if (u->r.failed || (truncated && (count != m->max || !unpack_tally(u, &m->other))))
		return corrupt(err);
	for (uint64_t i = 0; i < count; i++) {
		if (!unpack_entry(u, m, i == 0, truncated))
			return corrupt(err);
		if ((i + 1) % FITS_EVERY == 0 && partial_fits(u->p, err) != ERR_OK)
			return ERR_TOO_LARGE;
	}
	if (truncated)
		partial_map_bound(u->p, m, &u->bound);
	return partial_fits(u->p, err);
}

static enum err_code
unpack_map(struct unpacking *u, struct partial_map *m, unsigned want, struct err *err)
{
	u->want = want;
	u->bound = (struct partial_entry){0};
	enum err_code code = unpack_entries(u, m, err);
	buf_fini(&u->service);
	buf_fini(&u->operation);
	buf_fini(&u->bound_service);
	buf_fini(&u->bound_operation);
	return code;
}

static enum err_code
unpack_scope(struct unpacking *u, struct err *err)
{
	const struct partial_scope *s = &u->p->scope;
	struct pack_reader *r = &u->r;
	bool same = pack_read_u64(r) == VERSION && pack_read_u64(r) == s->want &&
	    str_eq(pack_read_text(r, SIZE_MAX), s->service) &&
	    pack_read_u64(r) == s->services_max && pack_read_u64(r) == s->operations_max &&
	    pack_read_u64(r) == s->exact_max && pack_read_u64(r) == s->window_count;
	for (unsigned i = 0; i < s->window_count && same; i++)
		same = pack_read_u64(r) == s->windows[i].from_ns &&
		    pack_read_u64(r) == s->windows[i].to_ns;
	if (r->failed)
		return corrupt(err);
	return same ? ERR_OK
	            : err_set(err, ERR_INVALID, "sums of different analyses do not add up");
}

enum err_code
partial_unpack(struct partial *p, struct str bytes, struct err *err)
{
	struct unpacking u = {.p = p, .r = pack_read_begin(bytes), .strict = true};
	unsigned want = p->scope.want;
	enum err_code code = unpack_scope(&u, err);
	for (unsigned i = 0; i < p->scope.window_count && code == ERR_OK; i++) {
		struct partial_window *w = &p->windows[i];
		if (want & SERVICES)
			code = unpack_map(&u, &w->services, want & SERVICES, err);
		if (code == ERR_OK && want & PARTIAL_OPERATIONS)
			code = unpack_map(&u, &w->operations, PARTIAL_OPERATIONS, err);
		if (code == ERR_OK && want & PARTIAL_TRACES && !distinct_unpack(&w->traces, &u.r))
			code = corrupt(err);
		if (code == ERR_OK && want & PARTIAL_POINTS && !distinct_unpack(&w->names, &u.r))
			code = corrupt(err);
	}
	return code == ERR_OK && !pack_read_end(&u.r) ? corrupt(err) : code;
}

enum err_code
partial_unpack_map(struct partial *p, unsigned window, struct str bytes, struct err *err)
{
	struct unpacking u = {.p = p, .r = pack_read_begin(bytes)};
	uint64_t want = pack_read_max(&u.r, PARTIAL_ALL);
	CHECK(window < p->scope.window_count);
	struct partial_window *w = &p->windows[window];
	if (u.r.failed || want == 0 || (want & ~(uint64_t)IN_MAPS) != 0 ||
	    (want & PARTIAL_OPERATIONS && want != PARTIAL_OPERATIONS))
		return corrupt(err);
	enum err_code code = unpack_map(&u,
	    want == PARTIAL_OPERATIONS ? &w->operations : &w->services, (unsigned)want, err);
	return code == ERR_OK && !pack_read_end(&u.r) ? corrupt(err) : code;
}
