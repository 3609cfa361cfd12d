/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores of a run: whose they are, their patches in order, and the states that steps saw.
 *
 * Which state a step saw is a number of patches: that of its store's that come before its start, and before its end. Times
 * need not ascend along the order (sequences say the order where there are any), so the two are looked for among
 * the greatest time so far and the least time from here on, which do.
 */
#include "workflow/workflow_priv.h"

#include "base/hash.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- stores */

static bool
owns_a_store(const struct junjo_span *j)
{
	return j->store_id.len > 0 &&
	    (j->type == JUNJO_WORKFLOW || j->type == JUNJO_SUBFLOW || j->type == JUNJO_AGENT);
}

void
workflow_find_owned(const struct workflow_rows *r, struct map *out)
{
	for (size_t i = 0; i < r->spans->row_count; i++) {
		if (!r->below[i] || !owns_a_store(&r->junjo[i]))
			continue;
		bool put = map_put(out, hash_keyed_str(r->junjo[i].store_id, 0), 1);
		CHECK(put);
	}
}

static int
find_store(const struct workflow *w, const struct map *by_id, struct str id)
{
	const uint64_t *place = id.len > 0 ? map_get(by_id, hash_keyed_str(id, 0)) : NULL;
	return place && str_eq(w->stores[*place].id, id) ? (int)*place : WORKFLOW_NONE;
}

/* An id that was seen already is the first owner's. */
static void
add_store(const struct workflow_rows *r, struct workflow *w, struct map *by_id, size_t row)
{
	const struct junjo_span *j = &r->junjo[row];
	if (!r->below[row] || !owns_a_store(j) || map_get(by_id, hash_keyed_str(j->store_id, 0)))
		return;
	bool put = map_put(by_id, hash_keyed_str(j->store_id, 0), w->store_count);
	CHECK(put);
	w->stores[w->store_count++] =
	    (struct workflow_store){.id = j->store_id, .owner = row, .junjo = j};
}

static bool
find_stores(struct workflow_rows *r, struct workflow *w, struct map *by_id)
{
	size_t n = r->spans->row_count, count = 0;
	for (size_t i = 0; i < n; i++)
		count += r->below[i] && owns_a_store(&r->junjo[i]);
	w->stores = arena_array(r->arena, count + 1, sizeof(*w->stores));
	if (!w->stores)
		return false;
	add_store(r, w, by_id, w->root);
	for (size_t i = 0; i < n; i++)
		add_store(r, w, by_id, i);
	return true;
}

/* ---- patches in order */

struct place {
	uint64_t first, second; /* sequence or time; row and event */
	size_t patch;
};

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->second != y->second)
		return x->second < y->second ? -1 : 1;
	return (x->patch > y->patch) - (x->patch < y->patch);
}

static bool
share_patches(struct workflow_rows *r, struct workflow *w, const struct map *by_id)
{
	for (size_t i = 0; i < w->patch_count; i++) {
		struct workflow_patch *p = &w->patches[i];
		p->store = find_store(w, by_id, p->of.store_id);
		if (p->store != WORKFLOW_NONE)
			w->stores[p->store].patch_count++;
	}
	for (size_t i = 0; i < w->store_count; i++) {
		struct workflow_store *s = &w->stores[i];
		s->patches = arena_array(r->arena, s->patch_count + 1, sizeof(*s->patches));
		if (!s->patches)
			return false;
		s->patch_count = 0;
	}
	for (size_t i = 0; i < w->patch_count; i++) {
		struct workflow_store *s =
		    w->patches[i].store == WORKFLOW_NONE ? NULL : &w->stores[w->patches[i].store];
		if (!s)
			continue;
		if (!s->name.ptr)
			s->name = w->patches[i].of.store_name;
		s->patches[s->patch_count++] = i;
	}
	return true;
}

/* By sequence when all have one: numbers as they are signed, made to ascend unsigned. */
static bool
order_patches(struct workflow_rows *r, struct workflow *w, struct workflow_store *s)
{
	struct arena_mark mark = arena_mark(r->arena);
	struct place *list = arena_array(r->arena, s->patch_count + 1, sizeof(*list));
	bool sequenced = true;
	if (!list)
		return false;
	for (size_t i = 0; i < s->patch_count; i++)
		sequenced = sequenced && w->patches[s->patches[i]].of.has_sequence;
	for (size_t i = 0; i < s->patch_count; i++) {
		const struct workflow_patch *p = &w->patches[s->patches[i]];
		uint64_t sequence = (uint64_t)p->of.sequence ^ UINT64_C(1) << 63;
		list[i] = (struct place){sequenced ? sequence : p->of.time_ns,
		    (uint64_t)p->row << 32 | p->of.ordinal, s->patches[i]};
	}
	if (s->patch_count > 1)
		qsort(list, s->patch_count, sizeof(*list), by_place);
	for (size_t i = 0; i < s->patch_count; i++) {
		s->patches[i] = list[i].patch;
		w->patches[list[i].patch].place = i + 1;
	}
	arena_rewind(r->arena, mark);
	return true;
}

/* ---- which states are wanted */

/* A node's store is that of the nearest owner above it; a subflow's that of the flow around it. */
static int
store_of_step(const struct workflow_rows *r, const struct workflow *w, const struct map *by_id,
    const int *nearest, const struct workflow_step *s)
{
	if (s->junjo.type != JUNJO_SUBFLOW)
		return nearest[s->row];
	int store = find_store(w, by_id, s->junjo.parent_store_id);
	return store == WORKFLOW_NONE ? nearest[r->parent[s->row]] : store;
}

/* Of each row of the run the store of the nearest owner, itself or above it. Each way up is gone once. */
static bool
find_nearest_stores(const struct workflow_rows *r, const struct workflow *w,
    const struct map *by_id, int **out)
{
	enum { UNKNOWN = -2 };
	size_t n = r->spans->row_count;
	int *nearest = arena_array(r->arena, n, sizeof(*nearest));
	*out = nearest;
	if (!nearest)
		return false;
	for (size_t i = 0; i < n; i++) {
		nearest[i] = WORKFLOW_NONE;
		if (r->below[i] && owns_a_store(&r->junjo[i]))
			nearest[i] = find_store(w, by_id, r->junjo[i].store_id);
		if (r->below[i] && nearest[i] == WORKFLOW_NONE && i != w->root)
			nearest[i] = UNKNOWN;
	}
	for (size_t i = 0; i < n; i++) {
		int64_t at = (int64_t)i;
		while (nearest[at] == UNKNOWN)
			at = r->parent[at];
		int found = nearest[at];
		for (at = (int64_t)i; nearest[at] == UNKNOWN; at = r->parent[at])
			nearest[at] = found;
	}
	return true;
}

static uint64_t
end_of(const struct table *spans, size_t row)
{
	int64_t duration = table_i64(spans, row, SPAN_DURATION_NS);
	uint64_t start = table_u64(spans, row, SPAN_START_NS);
	return duration < 0 || start > UINT64_MAX - (uint64_t)duration ? UINT64_MAX
	                                                               : start + (uint64_t)duration;
}

struct span_of_states {
	size_t before, after; /* how many patches */
};

struct times {
	const uint64_t *until, *from; /* the greatest so far, the least from here on */
	size_t count;
};

/* The first place whose time is not less. */
static size_t
not_before(const uint64_t *times, size_t count, uint64_t ns)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (times[middle] < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct span_of_states
states_of(const struct workflow_rows *r, const struct workflow *w, const struct times *t,
    const struct workflow_step *s)
{
	uint64_t end = end_of(r->spans, s->row);
	struct span_of_states states = {
	    not_before(t->until, t->count, table_u64(r->spans, s->row, SPAN_START_NS)),
	    end == UINT64_MAX ? t->count : not_before(t->from, t->count, end + 1)};
	for (size_t i = 0; i < s->patch_count; i++) {
		const struct workflow_patch *p = &w->patches[s->patches[i]];
		if (p->store != s->store)
			continue;
		if (p->place - 1 < states.before)
			states.before = p->place - 1;
		if (p->place > states.after)
			states.after = p->place;
	}
	if (states.after < states.before)
		states.after = states.before;
	return states;
}

static bool
find_times(const struct workflow_rows *r, const struct workflow *w, const struct workflow_store *s,
    struct times *out)
{
	size_t n = s->patch_count;
	uint64_t *until = arena_array(r->arena, n + 1, sizeof(*until));
	uint64_t *from = arena_array(r->arena, n + 1, sizeof(*from));
	if (!until || !from)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t ns = w->patches[s->patches[i]].of.time_ns;
		until[i] = i > 0 && until[i - 1] > ns ? until[i - 1] : ns;
	}
	for (size_t i = n; i-- > 0;) {
		uint64_t ns = w->patches[s->patches[i]].of.time_ns;
		from[i] = i + 1 < n && from[i + 1] < ns ? from[i + 1] : ns;
	}
	*out = (struct times){until, from, n};
	return true;
}

/* ---- the states */

struct replaying {
	struct workflow_rows *r;
	struct workflow *w;
	struct workflow_store *s;
	bool *wanted; /* the state after so many patches */
	const struct patch_doc **states;
	bool spent;
};

static void
keep(struct replaying *p, size_t state, const struct patch_doc *doc)
{
	if (!p->wanted[state] || p->states[state] || !doc)
		return;
	struct patch_doc *copy = patch_doc_copy(doc);
	if (copy)
		p->w->kept[p->w->kept_count++] = copy;
	p->states[state] = copy;
}

static void
take_patch(void *ctx, size_t i, const struct patch_doc *before, const struct patch_doc *after,
    enum err_code code, const char *why)
{
	struct replaying *p = ctx;
	struct workflow_patch *patch = &p->w->patches[p->s->patches[i]];
	keep(p, i, before);
	keep(p, i + 1, after);
	patch->applied = code == ERR_OK;
	if (code == ERR_OK)
		return;
	struct str text = arena_str(p->r->arena, str_from(why ? why : err_text(code)));
	p->spent = p->spent || !text.ptr;
	patch->why = text.ptr;
}

static const char *
withheld(enum junjo_mode mode)
{
	static const char *const words[] = {[JUNJO_FULL] = NULL,
	    [JUNJO_REDACTED] = "redacted",
	    [JUNJO_EXCLUDED] = "excluded",
	    [JUNJO_REFERENCE] = "kept elsewhere"};
	return words[mode];
}

static struct replay_step *
replay_steps(const struct workflow_rows *r, const struct workflow *w,
    const struct workflow_store *s)
{
	struct replay_step *list = arena_array(r->arena, s->patch_count + 1, sizeof(*list));
	for (size_t i = 0; list && i < s->patch_count; i++) {
		const struct junjo_patch *p = &w->patches[s->patches[i]].of;
		list[i] = (struct replay_step){.patch = p->patch,
		    .has_sequence = p->has_sequence,
		    .sequence = p->sequence,
		    .has_revisions = p->has_revisions,
		    .before = p->revision_before,
		    .after = p->revision_after,
		    .withheld = withheld(p->mode)};
	}
	return list;
}

/* What the owner says of its store besides its states. Of an end that was withheld only if nothing went wrong before it. */
static void
judge_owner(struct workflow_store *s)
{
	const struct junjo_span *j = s->junjo;
	struct replay_result *v = &s->result;
	const char *start = withheld(j->state_start_mode), *end = withheld(j->state_end_mode);
	if (start || (end && v->verdict == REPLAY_NOTHING)) {
		v->verdict = REPLAY_IMPOSSIBLE;
		v->at = 0;
		snprintf(v->why, sizeof(v->why), "the state at the %s is %s",
		    start ? "start" : "end", start ? start : end);
	} else if (v->verdict == REPLAY_VERIFIED && j->has_reconstructable && !j->reconstructable) {
		v->verdict = REPLAY_IMPOSSIBLE;
		snprintf(v->why, sizeof(v->why),
		    "its SDK says that the state cannot be made from what it sent");
	} else if (v->verdict != REPLAY_IMPOSSIBLE && j->has_transition_count &&
	    j->transition_count != (int64_t)s->patch_count) {
		v->verdict = REPLAY_IMPOSSIBLE;
		v->at = 0;
		snprintf(v->why, sizeof(v->why), "its SDK counted %lld changes, and %zu are here",
		    (long long)j->transition_count, s->patch_count);
	}
}

/* Takes from the limits what the store has taken; 0 would be "any". */
static void
charge(struct workflow_rows *r, const struct workflow_store *s)
{
	struct patch_limits *left = &r->limits;
	size_t bytes = s->result.state ? patch_doc_bytes(s->result.state) : 0;
	if (left->bytes_max > 0)
		left->bytes_max = bytes < left->bytes_max ? left->bytes_max - bytes : 1;
	left->steps_max = s->result.steps < left->steps_max ? left->steps_max - s->result.steps : 1;
}

static bool
nothing_left(const struct workflow_rows *r)
{
	return r->limits.bytes_max == 1 || r->limits.steps_max == 1;
}

/* A store that is not replayed for the others before it. */
static void
leave_out(struct workflow *w, struct workflow_store *s)
{
	static const char why[] =
	    "the states of this run take too much memory or time: ask for the run of one of its subflows";
	s->result = (struct replay_result){.verdict = REPLAY_IMPOSSIBLE};
	snprintf(s->result.why, sizeof(s->result.why), "%s", why);
	for (size_t i = 0; i < s->patch_count; i++)
		w->patches[s->patches[i]].why = why;
}

static enum err_code
replay_store(struct replaying *p, struct err *err)
{
	struct workflow_rows *r = p->r;
	struct workflow_store *s = p->s;
	const struct junjo_span *j = s->junjo;
	if (nothing_left(r)) {
		leave_out(p->w, s);
		return ERR_OK;
	}
	struct replay_step *steps = replay_steps(r, p->w, s);
	if (!steps)
		return workflow_no_memory(err);
	enum err_code code =
	    replay_run(j->state_start_mode == JUNJO_FULL ? j->state_start : STR_EMPTY,
	        j->state_end_mode == JUNJO_FULL ? j->state_end : STR_EMPTY, steps, s->patch_count,
	        &r->limits, r->stop, take_patch, p, &s->result, err);
	if (code)
		return code;
	charge(r, s);
	if (s->patch_count == 0)
		keep(p, 0, s->result.state);
	judge_owner(s);
	return p->spent ? workflow_no_memory(err) : ERR_OK;
}

/* Replays a store for the steps that are of it: `first` and those that `next` names, + 1 each. */
static enum err_code
read_store(struct workflow_rows *r, struct workflow *w, size_t store, int first, const int *next,
    struct err *err)
{
	struct workflow_store *s = &w->stores[store];
	size_t n = s->patch_count + 1;
	struct replaying p = {.r = r, .w = w, .s = s};
	struct times times;
	p.wanted = arena_array(r->arena, n + 1, sizeof(*p.wanted));
	p.states = arena_array(r->arena, n + 1, sizeof(*p.states));
	if (!p.wanted || !p.states || !find_times(r, w, s, &times))
		return workflow_no_memory(err);
	for (int i = first; i > 0; i = next[i - 1]) {
		struct span_of_states states = states_of(r, w, &times, &w->steps[i - 1]);
		p.wanted[states.before] = p.wanted[states.after] = true;
	}
	enum err_code code = replay_store(&p, err);
	for (int i = first; i > 0 && !code; i = next[i - 1]) {
		struct span_of_states states = states_of(r, w, &times, &w->steps[i - 1]);
		w->steps[i - 1].before = p.states[states.before];
		w->steps[i - 1].after = p.states[states.after];
	}
	return code;
}

static enum err_code
read_stores(struct workflow_rows *r, struct workflow *w, struct err *err)
{
	enum err_code code = ERR_OK;
	if (r->limits.steps_max == 0 || r->limits.steps_max > REPLAY_STEPS_MAX)
		r->limits.steps_max = REPLAY_STEPS_MAX;
	int *first = arena_array(r->arena, w->store_count + 1, sizeof(*first));
	int *next = arena_array(r->arena, w->step_count + 1, sizeof(*next));
	/* Two of each step, and one where a store has no patches. */
	w->kept = arena_array(r->arena, 2 * w->step_count + w->store_count + 1, sizeof(*w->kept));
	if (!first || !next || !w->kept)
		return workflow_no_memory(err);
	for (size_t i = w->step_count; i-- > 0;) {
		int store = w->steps[i].store;
		if (store == WORKFLOW_NONE)
			continue;
		next[i] = first[store];
		first[store] = (int)i + 1;
	}
	for (size_t i = 0; i < w->store_count && !code; i++) {
		code = workflow_look(r, i, err);
		if (!code)
			code = read_store(r, w, i, first[i], next, err);
	}
	return code;
}

/* ---- the verdict */

static int
badness(enum replay_verdict v)
{
	switch (v) {
	case REPLAY_NOTHING: return 0;
	case REPLAY_VERIFIED: return 1;
	case REPLAY_IMPOSSIBLE: return 2;
	case REPLAY_MISMATCH: return 3;
	}
	return 0;
}

static void
judge(struct workflow *w)
{
	w->verdict = REPLAY_NOTHING;
	for (size_t i = 0; i < w->store_count; i++) {
		const struct workflow_store *s = &w->stores[i];
		if (w->verdict_store != WORKFLOW_NONE &&
		    badness(s->result.verdict) <= badness(w->verdict))
			continue;
		size_t at = s->result.at;
		w->verdict = s->result.verdict;
		w->verdict_store = (int)i;
		w->verdict_step = at > 0 && at <= s->patch_count
		    ? w->patches[s->patches[at - 1]].step
		    : WORKFLOW_NONE;
	}
}

enum err_code
workflow_read_states(struct workflow_rows *r, struct workflow *w, struct err *err)
{
	struct map by_id = {0};
	bool ok = find_stores(r, w, &by_id) && share_patches(r, w, &by_id);
	for (size_t i = 0; i < w->store_count && ok; i++)
		ok = order_patches(r, w, &w->stores[i]);
	int *nearest = NULL;
	ok = ok && find_nearest_stores(r, w, &by_id, &nearest);
	for (size_t i = 0; i < w->step_count && ok; i++)
		w->steps[i].store = store_of_step(r, w, &by_id, nearest, &w->steps[i]);
	map_fini(&by_id);
	enum err_code code = ok ? read_stores(r, w, err) : workflow_no_memory(err);
	judge(w);
	return code;
}
