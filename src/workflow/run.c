/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a run: which spans are below it, which of them are its steps, what belongs to which. */
#include "workflow/workflow_priv.h"

#include "base/hash.h"
#include "base/map.h"

#include <limits.h>
#include <stdlib.h>

enum err_code
workflow_no_memory(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE,
	    "the run does not fit the memory of one query: it has too many spans, or too large ones");
}

enum err_code
workflow_look(const struct workflow_rows *r, size_t i, struct err *err)
{
	enum { LOOK_EVERY = 256 };
	if (!r->stop || i % LOOK_EVERY != 0 || !r->stop->should(r->stop->ctx))
		return ERR_OK;
	return err_set(err, ERR_DEADLINE,
	    "the run cannot be read in the time of a query: it has too many spans, or too large ones");
}

/* ---- parents */

struct span_row {
	uint64_t id;
	size_t row;
};

static int
by_id(const void *a, const void *b)
{
	const struct span_row *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int64_t
find_row(const struct span_row *list, size_t count, uint64_t id)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list[low].id == id ? (int64_t)list[low].row : -1;
}

static bool
find_parents(struct workflow_rows *r)
{
	size_t n = r->spans->row_count;
	struct arena_mark mark;
	r->parent = arena_array(r->arena, n + 1, sizeof(*r->parent));
	mark = arena_mark(r->arena);
	struct span_row *list = arena_array(r->arena, n + 1, sizeof(*list));
	if (!r->parent || !list)
		return false;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct span_row){table_u64(r->spans, i, SPAN_SPAN_ID), i};
	qsort(list, n, sizeof(*list), by_id);
	for (size_t i = 0; i < n; i++) {
		uint64_t parent = table_u64(r->spans, i, SPAN_PARENT_ID);
		r->parent[i] = parent == 0 ? -1 : find_row(list, n, parent);
	}
	arena_rewind(r->arena, mark);
	return true;
}

/* Parents may go round in a circle: whoever comes back to where he has been is not below the run. */
static bool
find_below(struct workflow_rows *r, size_t root)
{
	enum { UNKNOWN, GOING, YES, NO };
	size_t n = r->spans->row_count;
	r->below = arena_array(r->arena, n + 1, sizeof(*r->below));
	struct arena_mark mark = arena_mark(r->arena);
	unsigned char *state = arena_array(r->arena, n + 1, sizeof(*state));
	if (!r->below || !state)
		return false;
	state[root] = YES;
	for (size_t i = 0; i < n; i++) {
		int64_t at = (int64_t)i;
		while (at >= 0 && state[at] == UNKNOWN) {
			state[at] = GOING;
			at = r->parent[at];
		}
		unsigned char end = at >= 0 && state[at] == YES ? YES : NO;
		for (at = (int64_t)i; at >= 0 && state[at] == GOING; at = r->parent[at])
			state[at] = end;
	}
	for (size_t i = 0; i < n; i++)
		r->below[i] = state[i] == YES;
	arena_rewind(r->arena, mark);
	return true;
}

/* ---- what the spans are */

static enum workflow_kind
junjo_kind(const struct junjo_span *j)
{
	switch (j->type) {
	case JUNJO_WORKFLOW: return WORKFLOW_WORKFLOW;
	case JUNJO_AGENT: return WORKFLOW_AGENT;
	case JUNJO_SUBFLOW: return WORKFLOW_SUBFLOW;
	case JUNJO_NONE:
	case JUNJO_NODE:
	case JUNJO_RUN_CONCURRENT:
	case JUNJO_OTHER: break;
	}
	return WORKFLOW_KIND_NONE;
}

static enum workflow_kind
other_kind(enum llm_run run, bool is_root)
{
	switch (run) {
	case LLM_NO_RUN: break;
	case LLM_RUN_CHAIN: return is_root ? WORKFLOW_CHAIN : WORKFLOW_KIND_NONE;
	case LLM_RUN_AGENT: return WORKFLOW_AGENT;
	case LLM_RUN_WORKFLOW: return WORKFLOW_WORKFLOW;
	}
	return WORKFLOW_KIND_NONE;
}

enum err_code
workflow_kind_of(const struct table *spans, size_t row, struct arena *arena,
    enum workflow_kind *out, struct err *err)
{
	struct junjo_span junjo;
	struct llm_call llm;
	struct str attributes = table_str(spans, row, SPAN_ATTRIBUTES);
	*out = WORKFLOW_KIND_NONE;
	enum err_code code = junjo_read(attributes, arena, &junjo, err);
	if (code)
		return code;
	*out = junjo_kind(&junjo);
	if (junjo.is_junjo)
		return ERR_OK;
	code = llm_read(attributes, table_str(spans, row, SPAN_EVENTS), arena, &llm, err);
	if (!code)
		*out = other_kind(llm.run, table_u64(spans, row, SPAN_PARENT_ID) == 0);
	return code;
}

static bool
is_step(const struct workflow *w, const struct junjo_span *j, const struct llm_call *llm)
{
	if (w->junjo.is_junjo)
		return (j->type != JUNJO_NONE && j->type != JUNJO_OTHER) ||
		    j->operation_type.len > 0;
	return llm->kind != LLM_NONE || junjo_kind(j) != WORKFLOW_KIND_NONE;
}

static enum err_code
read_rows(struct workflow_rows *r, struct workflow *w, struct err *err)
{
	size_t n = r->spans->row_count;
	r->junjo = arena_array(r->arena, n + 1, sizeof(*r->junjo));
	w->llm_of = arena_array(r->arena, n + 1, sizeof(*w->llm_of));
	if (!r->junjo || !w->llm_of)
		return workflow_no_memory(err);
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < n && !code; i++) {
		struct str attributes = table_str(r->spans, i, SPAN_ATTRIBUTES);
		if (!r->below[i])
			continue;
		code = workflow_look(r, i, err);
		if (!code)
			code = junjo_read(attributes, r->arena, &r->junjo[i], err);
		if (!code)
			code = llm_read(attributes, table_str(r->spans, i, SPAN_EVENTS), r->arena,
			    &w->llm_of[i], err);
	}
	w->junjo = r->junjo[w->root];
	w->llm = w->llm_of[w->root];
	if (w->llm.run == LLM_RUN_CHAIN)
		w->llm.run = LLM_RUN_WORKFLOW; /* what it is when it is asked for */
	return code;
}

/* ---- steps */

/* The nearest row that is a step, this one or above it; -1: the run comes first. Each way up is gone once. */
static void
find_nearest(const struct workflow_rows *r, const struct workflow *w, const bool *is,
    int64_t *nearest)
{
	enum { UNKNOWN = -2 };
	size_t n = r->spans->row_count;
	for (size_t i = 0; i < n; i++)
		nearest[i] = i == w->root || !r->below[i] ? -1 : is[i] ? (int64_t)i : UNKNOWN;
	for (size_t i = 0; i < n; i++) {
		int64_t at = (int64_t)i;
		while (nearest[at] == UNKNOWN)
			at = r->parent[at];
		int64_t found = nearest[at];
		for (at = (int64_t)i; nearest[at] == UNKNOWN; at = r->parent[at])
			nearest[at] = found;
	}
}

/* A parent may begin later than its child. */
static void
find_depths(struct workflow *w)
{
	for (size_t i = 0; i < w->step_count; i++)
		w->steps[i].depth = UINT_MAX;
	for (size_t i = 0; i < w->step_count; i++) {
		unsigned above = 0;
		int at = (int)i;
		for (; at != WORKFLOW_NONE && w->steps[at].depth == UINT_MAX;
		    at = w->steps[at].parent)
			above++;
		unsigned depth = (at == WORKFLOW_NONE ? 0 : w->steps[at].depth + 1) + above;
		for (at = (int)i; at != WORKFLOW_NONE && w->steps[at].depth == UINT_MAX;
		    at = w->steps[at].parent)
			w->steps[at].depth = --depth;
	}
}

static void
link_steps(const struct workflow_rows *r, struct workflow *w, const int64_t *nearest)
{
	for (size_t i = 0; i < r->spans->row_count; i++)
		if (nearest[i] >= 0)
			r->step[i] = r->step[nearest[i]];
	for (size_t i = 0; i < w->step_count; i++) {
		int64_t parent = r->parent[w->steps[i].row];
		int64_t above = parent >= 0 ? nearest[parent] : -1;
		w->steps[i].parent = above >= 0 ? r->step[above] : WORKFLOW_NONE;
	}
	find_depths(w);
}

static bool
find_steps(struct workflow_rows *r, struct workflow *w)
{
	size_t n = r->spans->row_count;
	bool *is = arena_array(r->arena, n + 1, sizeof(*is));
	int64_t *nearest = arena_array(r->arena, n + 1, sizeof(*nearest));
	r->step = arena_array(r->arena, n + 1, sizeof(*r->step));
	if (!is || !r->step || !nearest)
		return false;
	for (size_t i = 0; i < n; i++) {
		is[i] = r->below[i] && i != w->root && is_step(w, &r->junjo[i], &w->llm_of[i]);
		w->step_count += is[i];
	}
	w->steps = arena_array(r->arena, w->step_count + 1, sizeof(*w->steps));
	if (!w->steps)
		return false;
	size_t count = 0;
	for (size_t i = 0; i < n; i++) {
		r->step[i] = WORKFLOW_NONE;
		if (!is[i])
			continue;
		r->step[i] = (int)count;
		w->steps[count++] = (struct workflow_step){
		    .row = i, .junjo = r->junjo[i], .llm = w->llm_of[i], .store = WORKFLOW_NONE};
	}
	find_nearest(r, w, is, nearest);
	link_steps(r, w, nearest);
	return true;
}

/* Calls that name no agent are those of the nearest above them, as far as the run goes. */
static bool
find_agents(const struct workflow_rows *r, struct workflow *w)
{
	size_t n = r->spans->row_count;
	struct arena_mark mark = arena_mark(r->arena);
	bool *is = arena_array(r->arena, n + 1, sizeof(*is));
	int64_t *nearest = arena_array(r->arena, n + 1, sizeof(*nearest));
	struct str *names = arena_array(r->arena, n + 1, sizeof(*names));
	if (!is || !nearest || !names)
		return false;
	for (size_t i = 0; i < n; i++)
		is[i] = r->below[i] &&
		    llm_names_agent(&w->llm_of[i], &r->junjo[i], table_str(r->spans, i, SPAN_NAME),
		        &names[i]) &&
		    i != w->root;
	find_nearest(r, w, is, nearest);
	for (size_t i = 0; i < n; i++)
		if (r->below[i] && w->llm_of[i].is_llm && w->llm_of[i].agent.len == 0)
			w->llm_of[i].agent = names[nearest[i] >= 0 ? (size_t)nearest[i] : w->root];
	arena_rewind(r->arena, mark);
	return true;
}

static bool
find_calls(struct workflow_rows *r, struct workflow *w)
{
	size_t n = r->spans->row_count;
	for (size_t i = 0; i < n; i++) {
		if (!r->below[i] || !w->llm_of[i].is_llm)
			continue;
		w->call_count++;
		if (r->step[i] != WORKFLOW_NONE)
			w->steps[r->step[i]].call_count++;
	}
	w->calls = arena_array(r->arena, w->call_count + 1, sizeof(*w->calls));
	if (!w->calls)
		return false;
	w->call_count = 0;
	for (size_t i = 0; i < w->step_count; i++) {
		struct workflow_step *s = &w->steps[i];
		s->calls = arena_array(r->arena, s->call_count + 1, sizeof(*s->calls));
		if (!s->calls)
			return false;
		s->call_count = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (!r->below[i] || !w->llm_of[i].is_llm)
			continue;
		w->calls[w->call_count++] = i;
		if (r->step[i] == WORKFLOW_NONE)
			continue;
		struct workflow_step *s = &w->steps[r->step[i]];
		s->calls[s->call_count++] = i;
	}
	return true;
}

/* ---- patches */

static bool
add_patches(struct workflow_rows *r, struct workflow *w, size_t row,
    const struct junjo_patches *found, size_t *cap)
{
	if (w->patch_count + found->count > *cap) {
		size_t more = 2 * *cap > w->patch_count + found->count
		    ? 2 * *cap
		    : w->patch_count + found->count;
		struct workflow_patch *list = arena_array(r->arena, more, sizeof(*list));
		if (!list)
			return false;
		if (w->patch_count > 0)
			memcpy(list, w->patches, w->patch_count * sizeof(*list));
		w->patches = list;
		*cap = more;
	}
	for (size_t i = 0; i < found->count; i++)
		w->patches[w->patch_count++] = (struct workflow_patch){
		    .of = found->list[i], .row = row, .step = r->step[row], .store = WORKFLOW_NONE};
	return true;
}

/* To the steps that they belong to. */
static bool
share_out(struct workflow_rows *r, struct workflow *w)
{
	CHECK(w->steps != NULL);
	for (size_t i = 0; i < w->patch_count; i++) {
		int step = w->patches[i].step;
		*(step == WORKFLOW_NONE ? &w->own_patch_count : &w->steps[step].patch_count) += 1;
	}
	w->own_patches = arena_array(r->arena, w->own_patch_count + 1, sizeof(*w->own_patches));
	if (!w->own_patches)
		return false;
	w->own_patch_count = 0;
	for (size_t i = 0; i < w->step_count; i++) {
		struct workflow_step *s = &w->steps[i];
		s->patches = arena_array(r->arena, s->patch_count + 1, sizeof(*s->patches));
		if (!s->patches)
			return false;
		s->patch_count = 0;
	}
	for (size_t i = 0; i < w->patch_count; i++) {
		int step = w->patches[i].step;
		if (step == WORKFLOW_NONE)
			w->own_patches[w->own_patch_count++] = i;
		else
			w->steps[step].patches[w->steps[step].patch_count++] = i;
	}
	return true;
}

/* Of a span that is not below the run, for one above it never came, the patches of the run's own stores. */
static void
keep_own(const struct map *owned, struct junjo_patches *found)
{
	size_t count = 0;
	for (size_t i = 0; i < found->count; i++)
		if (map_get(owned, hash_keyed_str(found->list[i].store_id, 0)))
			found->list[count++] = found->list[i];
	found->count = count;
}

static enum err_code
find_patches(struct workflow_rows *r, struct workflow *w, const struct map *owned, struct err *err)
{
	size_t cap = 0;
	for (size_t i = 0; i < r->spans->row_count; i++) {
		struct junjo_patches found = {0};
		if (!r->below[i] && owned->count == 0)
			continue;
		enum err_code code = workflow_look(r, i, err);
		if (!code)
			code = junjo_patches(table_str(r->spans, i, SPAN_EVENTS), r->arena, &found,
			    err);
		if (code)
			return code;
		if (!r->below[i])
			keep_own(owned, &found);
		if (found.count > 0 && !add_patches(r, w, i, &found, &cap))
			return workflow_no_memory(err);
	}
	return share_out(r, w) ? ERR_OK : workflow_no_memory(err);
}

/* ---- all of it */

enum err_code
workflow_read(const struct table *spans, size_t root, const struct patch_limits *limits,
    const struct replay_stop *stop, struct arena *arena, struct workflow *out, struct err *err)
{
	struct workflow_rows r = {.spans = spans, .arena = arena, .stop = stop};
	CHECK(root < spans->row_count);
	*out = (struct workflow){
	    .root = root, .verdict_store = WORKFLOW_NONE, .verdict_step = WORKFLOW_NONE};
	if (!find_parents(&r) || !find_below(&r, root))
		return workflow_no_memory(err);
	enum err_code code = read_rows(&r, out, err);
	if (!code && (!find_steps(&r, out) || !find_agents(&r, out) || !find_calls(&r, out)))
		code = workflow_no_memory(err);
	if (!code) {
		struct map owned = {0};
		workflow_find_owned(&r, &owned);
		code = find_patches(&r, out, &owned, err);
		map_fini(&owned);
	}
	if (!code && limits) {
		r.limits = *limits;
		code = workflow_read_states(&r, out, err);
	}
	if (code)
		workflow_fini(out);
	return code;
}

void
workflow_fini(struct workflow *w)
{
	for (size_t i = 0; i < w->kept_count; i++)
		patch_doc_free(w->kept[i]);
	for (size_t i = 0; i < w->store_count; i++)
		replay_fini(&w->stores[i].result);
	w->kept_count = 0;
	w->store_count = 0;
}
