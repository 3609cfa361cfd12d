/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_traces.h"

#include "base/hash.h"
#include "model/typed.h"

#include <inttypes.h>
#include <stdlib.h>

#define TEXT_NONE UINT32_MAX

enum { SLOTS_FIRST = 1024 };

void
duck_traces_init(struct duck_traces *set, size_t bytes_max)
{
	*set = (struct duck_traces){.bytes_max = bytes_max};
	arena_init(&set->arena, bytes_max, 1 << 20);
}

void
duck_traces_fini(struct duck_traces *set)
{
	free(set->list);
	free(set->slots);
	free(set->texts);
	free(set->counts);
	map_fini(&set->text_of);
	map_fini(&set->count_of);
	arena_fini(&set->arena);
	*set = (struct duck_traces){0};
}

void
duck_traces_forget(struct duck_traces *set)
{
	map_clear(&set->text_of);
	map_clear(&set->count_of);
	arena_reset(&set->arena);
	set->text_count = 0;
	set->count_count = 0;
}

enum err_code
duck_traces_too_many(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
	    "there are too many traces, or services in them, for the memory of one query: ask for a shorter "
	    "time, or with more conditions");
}

/* ---- the set */

static size_t
home_of(const struct duck_traces *set, uint64_t hi, uint64_t lo)
{
	return (size_t)hash_keyed_u128(hi, lo) & set->slot_mask;
}

static void
put_slot(struct duck_traces *set, uint32_t place)
{
	size_t at = home_of(set, set->list[place].hi, set->list[place].lo);
	while (set->slots[at] != 0)
		at = (at + 1) & set->slot_mask;
	set->slots[at] = place + 1;
}

static bool
grow(struct duck_traces *set)
{
	size_t cap = set->cap ? 2 * set->cap : SLOTS_FIRST / 2;
	if (cap >= UINT32_MAX / 2 ||
	    (set->bytes_max > 0 &&
	        cap > set->bytes_max / (sizeof(*set->list) + 2 * sizeof(*set->slots))))
		return false;
	set->list = xrealloc(set->list, cap * sizeof(*set->list));
	free(set->slots);
	set->slots = xcalloc(2 * cap, sizeof(*set->slots));
	set->slot_mask = 2 * cap - 1;
	set->cap = cap;
	for (size_t i = 0; i < set->count; i++)
		put_slot(set, (uint32_t)i);
	return true;
}

struct duck_trace *
duck_traces_get(const struct duck_traces *set, uint64_t hi, uint64_t lo)
{
	if (set->count == 0)
		return NULL;
	for (size_t at = home_of(set, hi, lo); set->slots[at] != 0;
	    at = (at + 1) & set->slot_mask) {
		struct duck_trace *t = &set->list[set->slots[at] - 1];
		if (t->hi == hi && t->lo == lo)
			return t;
	}
	return NULL;
}

struct duck_trace *
duck_traces_add(struct duck_traces *set, uint64_t hi, uint64_t lo, bool *is_new_out)
{
	struct duck_trace *t = duck_traces_get(set, hi, lo);
	*is_new_out = !t;
	if (t)
		return t;
	if (set->count == set->cap && !grow(set))
		return NULL;
	t = &set->list[set->count];
	*t = (struct duck_trace){.hi = hi,
	    .lo = lo,
	    .start_ns = UINT64_MAX,
	    .root_service = TEXT_NONE,
	    .root_name = TEXT_NONE};
	put_slot(set, (uint32_t)set->count++);
	return t;
}

/* ---- texts */

/* TEXT_NONE: there is no memory. Most are there already. */
static uint32_t
text_of(struct duck_traces *set, struct str s)
{
	uint64_t hash = hash_keyed_str(s, 0);
	const uint64_t *known = map_get(&set->text_of, hash);
	if (known && str_eq(set->texts[*known], s))
		return (uint32_t)*known;
	struct str copy = arena_str(&set->arena, s);
	if (!copy.ptr || set->text_count == TEXT_NONE - 1)
		return TEXT_NONE;
	if (set->text_count == set->text_cap) {
		set->text_cap = set->text_cap ? 2 * set->text_cap : 64;
		set->texts = xrealloc(set->texts, set->text_cap * sizeof(*set->texts));
	}
	set->texts[set->text_count] = copy;
	if (!known && !map_put(&set->text_of, hash, set->text_count))
		return TEXT_NONE;
	return (uint32_t)set->text_count++;
}

/* ---- sums */

static bool
count_service(struct duck_traces *set, struct duck_trace *t, uint32_t service, bool error)
{
	uint64_t key = (uint64_t)(t - set->list) << 32 | service;
	const uint64_t *known = map_get(&set->count_of, key);
	if (!known) {
		if (set->count_count == UINT32_MAX - 1 ||
		    (set->bytes_max > 0 &&
		        set->count_count > set->bytes_max / (4 * sizeof(*set->counts))) ||
		    !map_put(&set->count_of, key, set->count_count))
			return false;
		if (set->count_count == set->count_cap) {
			set->count_cap = set->count_cap ? 2 * set->count_cap : 256;
			set->counts = xrealloc(set->counts, set->count_cap * sizeof(*set->counts));
		}
		set->counts[set->count_count] =
		    (struct duck_trace_count){service, t->counts, 1, error};
		t->counts = (uint32_t)++set->count_count;
		return true;
	}
	set->counts[*known].spans++;
	set->counts[*known].errors += error;
	return true;
}

/* A span without a parent before any other, then the earlier one. */
static bool
is_better_root(const struct duck_trace *t, const struct duck_trace_span *s)
{
	bool is_root = s->parent_id == 0;
	if (t->spans == 0 || is_root != t->has_root)
		return t->spans == 0 || is_root;
	if (s->start_ns != t->root_start_ns)
		return s->start_ns < t->root_start_ns;
	return s->span_id < t->root_id;
}

static bool
is_newer(const struct duck_trace *t, const struct duck_trace_span *s)
{
	if (t->matched == 0 || s->start_ns != t->place_ns)
		return t->matched == 0 || s->start_ns > t->place_ns;
	return s->seq != t->place_seq ? s->seq > t->place_seq : s->ord > t->place_ord;
}

static bool
take_root(struct duck_traces *set, struct duck_trace *t, const struct duck_trace_span *s,
    uint32_t service)
{
	if (!is_better_root(t, s))
		return true;
	t->has_root = s->parent_id == 0;
	t->root_start_ns = s->start_ns;
	t->root_id = s->span_id;
	t->root_kind = s->kind;
	t->root_status = s->status_code;
	t->root_service = service;
	t->root_name = text_of(set, s->name);
	return t->root_name != TEXT_NONE;
}

bool
duck_trace_take(struct duck_traces *set, struct duck_trace *t, const struct duck_trace_span *s)
{
	uint64_t end_ns = s->start_ns + (uint64_t)s->duration_ns;
	bool error = s->status_code == 2;
	uint32_t service = text_of(set, s->service);
	if (service == TEXT_NONE || !take_root(set, t, s, service) ||
	    !count_service(set, t, service, error))
		return false;
	t->start_ns = s->start_ns < t->start_ns ? s->start_ns : t->start_ns;
	t->end_ns = s->start_ns > t->end_ns ? s->start_ns : t->end_ns;
	t->end_ns = end_ns > t->end_ns ? end_ns : t->end_ns;
	t->spans++;
	t->errors += error;
	if (!s->matches)
		return true;
	if (is_newer(t, s)) {
		t->place_ns = s->start_ns;
		t->place_seq = s->seq;
		t->place_ord = s->ord;
	}
	t->matched++;
	return true;
}

bool
duck_trace_is_wanted(const struct store_query *q, uint64_t duration_ns, uint64_t spans,
    uint64_t errors)
{
	if (spans < q->trace_spans_min)
		return false;
	if (q->has_trace_duration_min && duration_ns < q->trace_duration_min_ns)
		return false;
	if (q->has_trace_duration_max && duration_ns > q->trace_duration_max_ns)
		return false;
	return !q->has_trace_errors || q->trace_errors == (errors > 0);
}

/* ---- as a row */

struct named_count {
	struct str name;
	const struct duck_trace_count *count;
};

static int
by_name(const void *a, const void *b)
{
	const struct named_count *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

static bool
put_services(const struct duck_traces *set, const struct duck_trace *t, struct table *out,
    size_t row)
{
	size_t n = 0;
	struct buf json = {0};
	for (uint32_t at = t->counts; at != 0; at = set->counts[at - 1].next)
		n++;
	struct named_count *list = xcalloc(n + 1, sizeof(*list));
	n = 0;
	for (uint32_t at = t->counts; at != 0; at = set->counts[at - 1].next) {
		const struct duck_trace_count *c = &set->counts[at - 1];
		list[n++] = (struct named_count){set->texts[c->service], c};
	}
	qsort(list, n, sizeof(*list), by_name);
	for (size_t i = 0; i < n; i++) {
		buf_str(&json, i == 0 ? STR("[{\"name\":") : STR(",{\"name\":"));
		typed_put_string(&json, list[i].name);
		buf_printf(&json, ",\"span_count\":%" PRIu64 ",\"error_count\":%" PRIu64 "}",
		    list[i].count->spans, list[i].count->errors);
	}
	buf_char(&json, ']');
	free(list);
	struct str copy = json.failed ? STR_EMPTY : arena_str(out->arena, buf_view(&json));
	buf_fini(&json);
	if (copy.ptr)
		table_set_str(out, row, TRACE_SERVICES, copy);
	return copy.ptr != NULL;
}

static bool
put_text(const struct duck_traces *set, uint32_t text, struct table *out, size_t row, int col)
{
	struct str s = set->texts[text], copy = arena_str(out->arena, s.ptr ? s : STR(""));
	if (copy.ptr)
		table_set_str(out, row, col, copy);
	return copy.ptr != NULL;
}

bool
duck_trace_put(const struct duck_traces *set, const struct duck_trace *t, struct table *out)
{
	size_t row = table_add_row(out);
	if (row == SIZE_MAX)
		return false;
	table_set_u64(out, row, TRACE_HI, t->hi);
	table_set_u64(out, row, TRACE_LO, t->lo);
	table_set_u64(out, row, TRACE_START_NS, t->start_ns);
	table_set_u64(out, row, TRACE_END_NS, t->end_ns);
	table_set_u64(out, row, TRACE_SPAN_COUNT, t->spans);
	table_set_u64(out, row, TRACE_ERROR_COUNT, t->errors);
	table_set_u64(out, row, TRACE_MATCHED, t->matched);
	table_set_bool(out, row, TRACE_ROOT_MISSING, !t->has_root);
	table_set_u64(out, row, TRACE_ROOT_ID, t->root_id);
	table_set_i32(out, row, TRACE_ROOT_KIND, t->root_kind);
	table_set_i32(out, row, TRACE_ROOT_STATUS, t->root_status);
	table_set_u64(out, row, TRACE_PLACE_NS, t->place_ns);
	table_set_u64(out, row, TRACE_PLACE_SEQ, t->place_seq);
	table_set_u32(out, row, TRACE_PLACE_ORD, (uint32_t)t->place_ord);
	return put_text(set, t->root_service, out, row, TRACE_ROOT_SERVICE) &&
	    put_text(set, t->root_name, out, row, TRACE_ROOT_NAME) &&
	    put_services(set, t, out, row);
}
