/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/append.c - which rows of a batch go where, and how they become visible together.
 *
 * 1. Under the lock: say that open segments are being written to, so that nobody takes them away,
 *    and look at what parts there are.
 * 2. Without it: find the days of each table's rows and the part for each day (a target), and write
 *    the rows behind what is published. A failure takes all of that back.
 * 3. Under the lock: put the pieces that were written into their parts. Nothing here can fail.
 *
 * Days. A day without a part of its own gets one only while HOT_MIXED has no row of it. How many rows
 * of each day are there the appender counts for itself; what leaves, seals and discards tell through
 * a list (mixed_gone). Until that is read a day counts as still there, which is the safe side.
 */
#include "hot/hot_priv.h"

#include <stdlib.h>

/* The rows of one day in a table. */
struct day_group {
	int64_t day;
	uint32_t rows;
	uint32_t target; /* index + 1; 0: not decided */
};

struct target {
	struct hot_part *part;
	int64_t day; /* that the part is for from now on */
	bool fresh; /* the part is given to it */
	struct hot_run run; /* all its rows */
	struct hot_piece *head, *tail; /* what was written */
	struct hot_text_mark mark; /* of the part's open segment before */
	struct hot_segment *old_open; /* to let go of, after the publishing */
};

/* What the appender knows of the slots of a table for own days. */
struct slot {
	bool used, empty;
	int64_t day;
};

struct plan {
	struct hot *h;
	const struct hot_append *a;
	struct target targets[HOT_PARTS_MAX];
	uint32_t target_count;
	struct slot slots[SIGNAL_TABLES][HOT_OWN_DAYS_MAX];
	/* Of the rows that go to HOT_MIXED. */
	struct day_group *groups[SIGNAL_TABLES];
	uint32_t group_count[SIGNAL_TABLES];
	uint32_t mixed_target[SIGNAL_TABLES]; /* index + 1 */
};

/* ---- 1. */

static void
count_gone(struct hot *h, int table, struct hot_days *gone)
{
	while (gone) {
		struct hot_days *next = gone->next;
		for (size_t i = 0; i < gone->count; i++) {
			uint64_t *rows =
			    map_get(&h->mixed_days[table], (uint64_t)gone->days[i].day);
			CHECK(rows != NULL);
			CHECK(*rows >= gone->days[i].rows);
			CHECK(h->mixed_rows[table] >= gone->days[i].rows);
			*rows -= gone->days[i].rows;
			h->mixed_rows[table] -= gone->days[i].rows;
		}
		hot_release(&h->memory, gone, gone->bytes);
		gone = next;
	}
}

static void
begin(struct plan *p)
{
	struct hot *h = p->h;
	struct hot_days *gone[SIGNAL_TABLES];
	mutex_lock(&h->lock);
	CHECK(!h->appending);
	h->appending = true;
	CHECK(p->a->batch->last_seq > h->applied_seq);
	memcpy(gone, h->mixed_gone, sizeof(gone));
	memset(h->mixed_gone, 0, sizeof(h->mixed_gone));
	for (int t = 0; t < SIGNAL_TABLES; t++) {
		for (int i = 0; i < HOT_OWN_DAYS_MAX; i++) {
			const struct hot_part *part = hot_own_part(h, (enum table_id)t, i);
			p->slots[t][i] = (struct slot){part->used, part->rows == 0, part->day};
		}
	}
	mutex_unlock(&h->lock);
	for (int t = 0; t < SIGNAL_TABLES; t++)
		count_gone(h, t, gone[t]);
}

/* ---- 2. days and their parts */

/* Scratch memory that is not much: as base/arena.h, there is always some. */
static void *
scratch(struct hot *h, size_t count, size_t size)
{
	void *p = arena_array(&h->scratch, count, size);
	CHECK(p != NULL);
	return p;
}

static uint32_t
add_target(struct plan *p, struct hot_part *part, int64_t day, bool fresh)
{
	CHECK(p->target_count < HOT_PARTS_MAX);
	p->targets[p->target_count] = (struct target){.part = part, .day = day, .fresh = fresh};
	return ++p->target_count;
}

static bool
is_near(const struct plan *p, int64_t day)
{
	return day >= p->a->today - 1 && day <= p->a->today + 1;
}

static void
take_own(struct plan *p, enum table_id table, struct day_group *g)
{
	for (int i = 0; i < HOT_OWN_DAYS_MAX; i++) {
		struct slot *s = &p->slots[table][i];
		if (!s->used || s->day != g->day)
			continue;
		s->empty = false;
		g->target = add_target(p, hot_own_part(p->h, table, i), g->day, false);
		return;
	}
}

/* A slot that is free, or whose part is empty and of a day far from today; -1: there is none for
 * such a day. Distant days leave some to those near today, for a busy day that is once in HOT_MIXED
 * may never get out of there. */
static int
find_slot(const struct plan *p, enum table_id table, bool near)
{
	int found = -1, distant = 0;
	for (int i = 0; i < HOT_OWN_DAYS_MAX; i++) {
		const struct slot *s = &p->slots[table][i];
		if (!s->used || (s->empty && !is_near(p, s->day)))
			found = i;
		else if (!is_near(p, s->day))
			distant++;
	}
	return near || distant < HOT_DISTANT_DAYS_MAX ? found : -1;
}

static void
take_slot(struct plan *p, enum table_id table, struct day_group *g, bool near)
{
	const uint64_t *mixed = map_get(&p->h->mixed_days[table], (uint64_t)g->day);
	int i = mixed && *mixed > 0 ? -1 : find_slot(p, table, near);
	if (i < 0)
		return;
	p->slots[table][i] = (struct slot){.used = true, .day = g->day};
	g->target = add_target(p, hot_own_part(p->h, table, i), g->day, true);
}

static void
decide(struct plan *p, enum table_id table, struct day_group *groups, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		take_own(p, table, &groups[i]);
	for (uint32_t i = 0; i < count; i++)
		if (!groups[i].target && is_near(p, groups[i].day))
			take_slot(p, table, &groups[i], true);
	for (uint32_t i = 0; i < count; i++)
		if (!groups[i].target && groups[i].rows >= HOT_OWN_DAY_ROWS)
			take_slot(p, table, &groups[i], false);
	uint32_t mixed = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (groups[i].target)
			continue;
		if (!mixed)
			mixed = add_target(p, hot_mixed_part(p->h, table), HOT_MIXED, false);
		groups[i].target = mixed;
	}
	p->groups[table] = groups;
	p->group_count[table] = count;
	p->mixed_target[table] = mixed;
}

/* ---- 2. rows and their days */

static struct hot_run
run_of(const struct plan *p, const struct table *from)
{
	const struct hot_append *a = p->a;
	const struct batch *b = a->batch;
	return (struct hot_run){
	    .from = from,
	    .ids = {a->resource_ids, a->scope_ids},
	    .log_bytes = b->last_bytes,
	    .dict_seq = b->request_count > 0 ? b->requests[0].seq : p->h->applied_seq + 1,
	};
}

static const uint64_t *
times_of(const struct table *t)
{
	return t->cols[t->def->time_col].u64;
}

/* The usual case: all rows are there and of one day. */
static bool
plan_whole(struct plan *p, enum table_id table, const struct table *from)
{
	const uint64_t *times = times_of(from);
	uint64_t min = times[0], max = times[0];
	for (size_t i = 1; i < from->row_count; i++) {
		min = times[i] < min ? times[i] : min;
		max = times[i] > max ? times[i] : max;
	}
	if (min / HOT_DAY_NS != max / HOT_DAY_NS)
		return false;
	struct day_group *g = scratch(p->h, 1, sizeof(*g));
	*g = (struct day_group){(int64_t)(min / HOT_DAY_NS), (uint32_t)from->row_count, 0};
	decide(p, table, g, 1);
	struct hot_run *run = &p->targets[g->target - 1].run;
	*run = run_of(p, from);
	run->count = g->rows;
	return true;
}

struct grouping {
	struct day_group *groups;
	uint32_t count, cap;
	struct map by_day; /* day -> group */
	uint32_t last;
};

static uint32_t
group_of(struct hot *h, struct grouping *g, int64_t day)
{
	if (g->count > 0 && g->groups[g->last].day == day)
		return g->last;
	const uint64_t *found = map_get(&g->by_day, (uint64_t)day);
	if (found)
		return g->last = (uint32_t)*found;
	if (g->count == g->cap) {
		uint32_t cap = g->cap ? 2 * g->cap : 16;
		struct day_group *more = scratch(h, cap, sizeof(*more));
		if (g->count > 0)
			memcpy(more, g->groups, g->count * sizeof(*more));
		g->groups = more;
		g->cap = cap;
	}
	bool put = map_put(&g->by_day, (uint64_t)day, g->count);
	CHECK(put);
	g->groups[g->count] = (struct day_group){.day = day};
	return g->last = g->count++;
}

/* The rows of each target, in their order. */
static void
deal_out(struct plan *p, const struct table *from, const uint32_t *group_of_row,
    const struct grouping *g, uint32_t first_target)
{
	uint32_t *idx[HOT_PARTS_MAX] = {NULL};
	for (uint32_t t = first_target; t < p->target_count; t++)
		p->targets[t].run = run_of(p, from);
	for (uint32_t i = 0; i < g->count; i++)
		p->targets[g->groups[i].target - 1].run.count += g->groups[i].rows;
	for (uint32_t t = first_target; t < p->target_count; t++) {
		struct hot_run *run = &p->targets[t].run;
		run->idx = idx[t] = scratch(p->h, run->count, sizeof(uint32_t));
	}
	for (uint32_t row = 0; row < from->row_count; row++)
		if (group_of_row[row] != UINT32_MAX)
			*idx[g->groups[group_of_row[row]].target - 1]++ = row;
}

static void
plan_dealt(struct plan *p, enum table_id table, const struct table *from,
    const unsigned char *hidden)
{
	const uint64_t *times = times_of(from);
	uint32_t *group_of_row = scratch(p->h, from->row_count, sizeof(uint32_t));
	struct grouping g = {0};
	for (size_t row = 0; row < from->row_count; row++) {
		group_of_row[row] = UINT32_MAX;
		if (hidden && hidden[row])
			continue;
		group_of_row[row] = group_of(p->h, &g, (int64_t)(times[row] / HOT_DAY_NS));
		CHECK(g.groups != NULL);
		g.groups[group_of_row[row]].rows++;
	}
	map_fini(&g.by_day);
	if (g.count == 0)
		return;
	uint32_t first_target = p->target_count;
	decide(p, table, g.groups, g.count);
	deal_out(p, from, group_of_row, &g, first_target);
}

static void
plan_signal(struct plan *p, enum table_id table)
{
	const struct table *from = &p->a->batch->tables[table];
	const unsigned char *hidden = p->a->batch->hidden[table];
	CHECK(from->row_count < UINT32_MAX);
	if (from->row_count == 0 || (!hidden && plan_whole(p, table, from)))
		return;
	plan_dealt(p, table, from, hidden);
}

static void
plan_dict(struct plan *p, int dict)
{
	size_t count = p->a->new_count[dict];
	CHECK(count < UINT32_MAX);
	if (count == 0)
		return;
	uint32_t t = add_target(p, hot_dict_part(p->h, dict), 0, false);
	struct hot_run *run = &p->targets[t - 1].run;
	*run = run_of(p, &p->a->batch->tables[TABLE_RESOURCES + dict]);
	run->idx = p->a->new_rows[dict];
	run->count = (uint32_t)count;
}

/* ---- 2. writing */

static uint32_t
next_cap(const struct target *t, const struct hot_piece *last, uint32_t rows)
{
	uint32_t cap = t->fresh || t->part->next_cap == 0 ? HOT_FIRST_ROWS : t->part->next_cap;
	if (last)
		cap = (uint32_t)last->segment->rows.row_cap * 4;
	while (cap < rows && cap < HOT_SEGMENT_ROWS)
		cap *= 4;
	return cap < HOT_SEGMENT_ROWS ? cap : HOT_SEGMENT_ROWS;
}

/* The segment the next rows go to, with a reference for their piece; NULL without memory. */
static struct hot_segment *
segment_for(struct hot *h, struct target *t, uint32_t rows)
{
	struct hot_segment *open = t->fresh || t->tail ? NULL : t->part->open;
	if (!open || open->text_bytes >= HOT_SEGMENT_TEXT_BYTES)
		return hot_segment_new(&h->memory, t->part->table, next_cap(t, t->tail, rows));
	CHECK(open->used < open->rows.row_cap);
	t->mark = hot_segment_mark(open);
	hot_segment_ref(open);
	return open;
}

static void
add_piece(struct target *t, struct hot_piece *piece)
{
	if (t->tail)
		t->tail->next = piece;
	else
		t->head = piece;
	t->tail = piece;
}

/* Writes the next rows of the target, as many as its next segment takes; 0 without memory. */
static uint32_t
write_piece(struct hot *h, struct target *t, const struct hot_run *rest)
{
	struct hot_piece *piece = hot_try_alloc(&h->memory, sizeof(*piece));
	struct hot_segment *s = piece ? segment_for(h, t, rest->count) : NULL;
	if (!s) {
		hot_release(&h->memory, piece, sizeof(*piece));
		return 0;
	}
	uint32_t room = (uint32_t)s->rows.row_cap - s->used;
	struct hot_run run = *rest;
	run.count = room < rest->count ? room : rest->count;
	*piece = (struct hot_piece){.segment = s, .first = s->used, .count = run.count};
	add_piece(t, piece);
	if (!hot_segment_write(s, &run))
		return 0;
	hot_segment_times(s, piece->first, piece->count, &piece->time_min, &piece->time_max);
	return run.count;
}

static bool
write_target(struct hot *h, struct target *t)
{
	struct hot_run rest = t->run;
	while (rest.count > 0) {
		uint32_t n = write_piece(h, t, &rest);
		if (n == 0)
			return false;
		rest.count -= n;
		rest.first += n;
		if (rest.idx)
			rest.idx += n;
	}
	return true;
}

static void
take_back(struct plan *p)
{
	for (uint32_t i = 0; i < p->target_count; i++) {
		struct target *t = &p->targets[i];
		if (t->head && t->head->segment == t->part->open)
			hot_segment_rewind(t->part->open, t->mark);
		hot_free_pieces(p->h, t->head);
	}
}

/* ---- 3. */

/* Gives the first piece back when the part's last one could take it in. */
static struct hot_piece *
join_or_link(struct hot_part *part, struct hot_piece *head, struct hot_piece *tail)
{
	struct hot_piece *last = part->tail, *joined = NULL;
	CHECK(head != NULL);
	CHECK(tail != NULL);
	if (last && last->segment == head->segment && last->first + last->count == head->first) {
		last->count += head->count;
		if (head->time_min < last->time_min)
			last->time_min = head->time_min;
		if (head->time_max > last->time_max)
			last->time_max = head->time_max;
		joined = head;
		head = head->next;
		joined->next = NULL;
	}
	for (const struct hot_piece *piece = head; piece; piece = piece->next)
		part->piece_count++;
	if (!head)
		return joined;
	if (part->tail)
		part->tail->next = head;
	else
		part->head = head;
	part->tail = tail;
	return joined;
}

/* The lock is held. */
static void
publish_target(struct target *t)
{
	struct hot_part *part = t->part;
	if (t->fresh) {
		CHECK(part->rows == 0);
		CHECK(part->head == NULL);
		part->used = true;
		part->day = t->day;
	}
	for (struct hot_piece *piece = t->head; piece; piece = piece->next) {
		struct hot_segment *s = piece->segment;
		CHECK(s->used == piece->first);
		s->used += piece->count;
		s->shown_bytes = hot_segment_bytes(s);
	}
	struct hot_segment *last = t->tail->segment;
	bool full = last->used == last->rows.row_cap;
	part->next_cap = next_cap(t, t->tail, 0);
	if (full || last != part->open) {
		t->old_open = part->open;
		part->open = full ? NULL : last;
		if (part->open)
			hot_segment_ref(part->open);
	}
	part->rows += t->run.count;
	t->head = join_or_link(part, t->head, t->tail);
}

static void
publish(struct plan *p)
{
	struct hot *h = p->h;
	mutex_lock(&h->lock);
	for (uint32_t i = 0; i < p->target_count; i++)
		publish_target(&p->targets[i]);
	h->applied_seq = p->a->batch->last_seq;
	h->applied_log_bytes = p->a->batch->last_bytes;
	h->appending = false;
	mutex_unlock(&h->lock);
	for (uint32_t i = 0; i < p->target_count; i++) {
		hot_free_pieces(h, p->targets[i].head);
		hot_segment_unref(p->targets[i].old_open);
	}
}

/* Memory of the map is counted too; a map that holds nothing is given back. */
static void
count_mixed(struct hot *h, int table, const struct day_group *groups, uint32_t count,
    uint32_t mixed_target)
{
	struct map *days = &h->mixed_days[table];
	size_t before = map_bytes(days);
	if (h->mixed_rows[table] == 0)
		map_fini(days);
	for (uint32_t i = 0; mixed_target && i < count; i++) {
		if (groups[i].target != mixed_target)
			continue;
		const uint64_t *there = map_get(days, (uint64_t)groups[i].day);
		bool put =
		    map_put(days, (uint64_t)groups[i].day, (there ? *there : 0) + groups[i].rows);
		CHECK(put);
		h->mixed_rows[table] += groups[i].rows;
	}
	atomic_fetch_add_explicit(&h->memory.bytes, map_bytes(days) - before, memory_order_relaxed);
}

enum err_code
hot_append(struct hot *h, const struct hot_append *a, struct err *err)
{
	struct plan p = {.h = h, .a = a};
	begin(&p);
	for (int t = 0; t < SIGNAL_TABLES; t++)
		plan_signal(&p, (enum table_id)t);
	for (int d = 0; d < 2; d++)
		plan_dict(&p, d);
	bool written = true;
	for (uint32_t i = 0; written && i < p.target_count; i++)
		written = write_target(h, &p.targets[i]);
	enum err_code code = ERR_OK;
	if (written) {
		/* Counted before a seal can take the rows. */
		for (int t = 0; t < SIGNAL_TABLES; t++)
			count_mixed(h, t, p.groups[t], p.group_count[t], p.mixed_target[t]);
		publish(&p);
	} else {
		take_back(&p);
		mutex_lock(&h->lock);
		h->appending = false;
		mutex_unlock(&h->lock);
		code = err_set(err, ERR_TOO_LARGE, "no memory for the rows of %zu requests",
		    a->batch->request_count);
	}
	arena_reset(&h->scratch);
	return code;
}
