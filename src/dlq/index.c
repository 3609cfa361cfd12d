/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlq/index.c - what is in memory of the letters.
 *
 * One array sorted by (seq, first item). New letters are of late records, so that an insert moves
 * little. What goes stays as DLQ_GONE until there are many of them. Does it cover an item? Its
 * record's last entry that begins at or before the item knows how far any of them reaches: a binary
 * search, also should letters overlap.
 *
 * When the waiting ones are due is in a heap. It is not tidied when an entry changes: an element
 * that its entry does not confirm is thrown away when it comes up.
 */
#include "dlq/dlq_priv.h"

#include "base/arena.h"
#include "base/bits.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

static void *
grow(void *old, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return old;
	*cap = *cap ? *cap * 2 : FIRST_CAP;
	size_t bytes;
	CHECK(size_mul(*cap, size, &bytes));
	return xrealloc(old, bytes);
}

/* ---- when they are due */

static int
due_cmp(const struct dlq_due_at *a, const struct dlq_due_at *b)
{
	if (a->next_ns != b->next_ns)
		return a->next_ns < b->next_ns ? -1 : 1;
	return dlq_key_cmp(a->key, b->key);
}

static void
heap_push(struct dlq *d, uint64_t next_ns, struct dlq_key key)
{
	d->heap = grow(d->heap, d->heap_count, &d->heap_cap, sizeof(*d->heap));
	size_t i = d->heap_count++;
	struct dlq_due_at at = {next_ns, key};
	while (i > 0 && due_cmp(&at, &d->heap[(i - 1) / 2]) < 0) {
		d->heap[i] = d->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	d->heap[i] = at;
}

static void
heap_pop(struct dlq *d)
{
	CHECK(d->heap_count > 0);
	struct dlq_due_at last = d->heap[--d->heap_count];
	size_t i = 0, child;
	while ((child = 2 * i + 1) < d->heap_count) {
		if (child + 1 < d->heap_count && due_cmp(&d->heap[child + 1], &d->heap[child]) < 0)
			child++;
		if (due_cmp(&last, &d->heap[child]) <= 0)
			break;
		d->heap[i] = d->heap[child];
		i = child;
	}
	if (d->heap_count > 0)
		d->heap[i] = last;
}

static void
heap_rebuild(struct dlq *d)
{
	d->heap_count = 0;
	for (size_t i = 0; i < d->count; i++)
		if (d->entries[i].state == DLQ_WAITING)
			heap_push(d, d->entries[i].next_ns, dlq_key_of(&d->entries[i]));
}

struct dlq_entry *
dlq_next(struct dlq *d, uint64_t *next_ns_out)
{
	struct dlq_entry *found = NULL;
	mutex_lock(&d->lock);
	while (!found && d->heap_count > 0) {
		const struct dlq_due_at *at = &d->heap[0];
		struct dlq_entry *e = dlq_find(d, at->key);
		if (e && e->state == DLQ_WAITING && e->next_ns == at->next_ns)
			found = e;
		else
			heap_pop(d);
	}
	mutex_unlock(&d->lock);
	*next_ns_out = found ? found->next_ns : UINT64_MAX;
	return found;
}

/* ---- the entries */

size_t
dlq_upper(const struct dlq *d, struct dlq_key key)
{
	size_t low = 0, high = d->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (dlq_key_cmp(dlq_key_of(&d->entries[mid]), key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Also one that is gone. */
static struct dlq_entry *
find_slot(struct dlq *d, struct dlq_key key)
{
	size_t at = dlq_upper(d, key);
	if (at == 0 || dlq_key_cmp(dlq_key_of(&d->entries[at - 1]), key) != 0)
		return NULL;
	return &d->entries[at - 1];
}

struct dlq_entry *
dlq_find(struct dlq *d, struct dlq_key key)
{
	struct dlq_entry *e = find_slot(d, key);
	return e && e->state != DLQ_GONE ? e : NULL;
}

static uint32_t
end_of(const struct dlq_entry *e)
{
	if (e->state == DLQ_GONE)
		return 0;
	return e->count > UINT32_MAX - e->first ? UINT32_MAX : e->first + e->count;
}

/* Entry i has come, changed or gone: put right how far it and those behind it reach. */
static void
fix_reach(struct dlq *d, size_t i)
{
	for (size_t at = i; at < d->count && d->entries[at].seq == d->entries[i].seq; at++) {
		struct dlq_entry *e = &d->entries[at];
		uint32_t reach = end_of(e);
		if (at > 0 && e[-1].seq == e->seq && e[-1].reach > reach)
			reach = e[-1].reach;
		if (at > i && e->reach == reach)
			return;
		e->reach = reach;
	}
}

static void
set_state(struct dlq *d, struct dlq_entry *e, unsigned state, uint64_t next_ns)
{
	CHECK(d->counts[e->state] > 0);
	d->counts[e->state]--;
	d->counts[state]++;
	bool was_gone = e->state == DLQ_GONE;
	e->state = (uint8_t)state;
	e->next_ns = next_ns;
	if (was_gone != (state == DLQ_GONE))
		fix_reach(d, (size_t)(e - d->entries));
	d->gone = (size_t)d->counts[DLQ_GONE];
	if (state == DLQ_DONE && e->seq < d->done_seq_min)
		d->done_seq_min = e->seq;
	if (state == DLQ_WAITING && d->heap_count > 2 * d->count + FIRST_CAP)
		heap_rebuild(d);
	else if (state == DLQ_WAITING)
		heap_push(d, next_ns, dlq_key_of(e));
}

void
dlq_set_state(struct dlq *d, struct dlq_entry *e, unsigned state, uint64_t next_ns)
{
	mutex_lock(&d->lock);
	set_state(d, e, state, next_ns);
	mutex_unlock(&d->lock);
}

static struct dlq_entry *
insert(struct dlq *d, const struct dlq_entry *e)
{
	struct dlq_entry *slot = find_slot(d, dlq_key_of(e));
	if (!slot) {
		size_t at = dlq_upper(d, dlq_key_of(e));
		d->entries = grow(d->entries, d->count, &d->cap, sizeof(*d->entries));
		slot = &d->entries[at];
		memmove(slot + 1, slot, (d->count - at) * sizeof(*slot));
		d->count++;
		d->counts[DLQ_GONE]++;
	}
	*slot = *e;
	slot->state = DLQ_GONE;
	slot->reach = 0;
	set_state(d, slot, e->state, e->next_ns);
	return slot;
}

struct dlq_entry *
dlq_insert(struct dlq *d, const struct dlq_entry *e)
{
	mutex_lock(&d->lock);
	struct dlq_entry *slot = insert(d, e);
	mutex_unlock(&d->lock);
	return slot;
}

void
dlq_index_append(struct dlq *d, const struct dlq_entry *e)
{
	d->entries = grow(d->entries, d->count, &d->cap, sizeof(*d->entries));
	d->entries[d->count++] = *e;
}

/* What is done comes before what is not, then the latest, then what has this form. */
static int
rank_cmp(const void *pa, const void *pb)
{
	const struct dlq_entry *a = pa, *b = pb;
	int order = dlq_key_cmp(dlq_key_of(a), dlq_key_of(b));
	if (order != 0)
		return order;
	if ((a->state == DLQ_DONE) != (b->state == DLQ_DONE))
		return a->state == DLQ_DONE ? -1 : 1;
	if (a->revision != b->revision)
		return a->revision > b->revision ? -1 : 1;
	return (int)a->place - (int)b->place;
}

void
dlq_index_settle(struct dlq *d,
    void (*loser)(void *ctx, const struct dlq_entry *winner, const struct dlq_entry *e), void *ctx)
{
	size_t n = 0;
	if (d->count > 0)
		qsort(d->entries, d->count, sizeof(*d->entries), rank_cmp);
	for (size_t i = 0; i < d->count; i++) {
		const struct dlq_entry *e = &d->entries[i];
		const struct dlq_entry *last = n > 0 ? &d->entries[n - 1] : NULL;
		if (last && dlq_key_cmp(dlq_key_of(last), dlq_key_of(e)) == 0)
			loser(ctx, last, e);
		else
			d->entries[n++] = *e;
	}
	d->count = n;
	for (size_t i = 0; i < n; i++) {
		struct dlq_entry *e = &d->entries[i];
		d->counts[e->state]++;
		e->reach = end_of(e);
		if (i > 0 && e[-1].seq == e->seq && e[-1].reach > e->reach)
			e->reach = e[-1].reach;
		if (e->state == DLQ_DONE && e->seq < d->done_seq_min)
			d->done_seq_min = e->seq;
	}
	heap_rebuild(d);
}

void
dlq_index_compact(struct dlq *d)
{
	if (d->gone < FIRST_CAP || d->gone < d->count / 2)
		return;
	mutex_lock(&d->lock);
	size_t n = 0;
	/* What is gone reaches nowhere: the others keep their reach. */
	for (size_t i = 0; i < d->count; i++)
		if (d->entries[i].state != DLQ_GONE)
			d->entries[n++] = d->entries[i];
	d->count = n;
	d->gone = 0;
	d->counts[DLQ_GONE] = 0;
	mutex_unlock(&d->lock);
}

/* ---- the loader's question */

bool
dlq_covers(struct dlq *d, uint64_t seq, uint32_t ord)
{
	mutex_lock(&d->lock);
	size_t at = dlq_upper(d, (struct dlq_key){seq, ord});
	const struct dlq_entry *e = at > 0 ? &d->entries[at - 1] : NULL;
	bool covers = e && e->seq == seq && e->reach > ord;
	mutex_unlock(&d->lock);
	return covers;
}

bool
dlq_covers_any(struct dlq *d, uint64_t seq)
{
	mutex_lock(&d->lock);
	size_t at = dlq_upper(d, (struct dlq_key){seq, UINT32_MAX});
	const struct dlq_entry *e = at > 0 ? &d->entries[at - 1] : NULL;
	bool covers = e && e->seq == seq && e->reach > 0;
	mutex_unlock(&d->lock);
	return covers;
}

/* ---- files that are no letters */

uint64_t
dlq_foreign_hash(enum dlq_place place, const char *name)
{
	return hash_u64_seed(str_from(name), place == DLQ_IN_WAITING ? 1 : 2);
}

size_t
dlq_foreign_find(const struct dlq *d, uint64_t hash)
{
	size_t low = 0, high = d->foreign_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (d->foreign[mid].hash < hash)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
dlq_foreign_add(struct dlq *d, enum dlq_place place, const char *name, const char *why)
{
	struct dlq_foreign f = {.hash = dlq_foreign_hash(place, name),
	    .name = strdup(name),
	    .why = strdup(why),
	    .place = place};
	size_t at = dlq_foreign_find(d, f.hash);
	CHECK(f.name != NULL);
	CHECK(f.why != NULL);
	mutex_lock(&d->lock);
	d->foreign = grow(d->foreign, d->foreign_count, &d->foreign_cap, sizeof(*d->foreign));
	memmove(&d->foreign[at + 1], &d->foreign[at],
	    (d->foreign_count - at) * sizeof(*d->foreign));
	d->foreign[at] = f;
	d->foreign_count++;
	d->counts[DLQ_UNREADABLE]++;
	mutex_unlock(&d->lock);
}

void
dlq_foreign_remove(struct dlq *d, size_t at)
{
	CHECK(at < d->foreign_count);
	mutex_lock(&d->lock);
	free(d->foreign[at].name);
	free(d->foreign[at].why);
	d->foreign_count--;
	memmove(&d->foreign[at], &d->foreign[at + 1],
	    (d->foreign_count - at) * sizeof(*d->foreign));
	d->counts[DLQ_UNREADABLE]--;
	mutex_unlock(&d->lock);
}

void
dlq_index_fini(struct dlq *d)
{
	for (size_t i = 0; i < d->foreign_count; i++) {
		free(d->foreign[i].name);
		free(d->foreign[i].why);
	}
	free(d->foreign);
	free(d->heap);
	free(d->entries);
}
