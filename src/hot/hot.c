/* SPDX-License-Identifier: Apache-2.0 */
#include "hot/hot.h"

#include "hot/hot_priv.h"

#include <stdlib.h>

enum { SLOTS = HOT_OWN_DAYS_MAX + 1, DICT_FIRST = SIGNAL_TABLES * SLOTS };

/* Room that the plan of an append keeps; what large batches need more is given back. */
enum { SCRATCH_KEEP_BYTES = 64 * 1024 };

struct hot *
hot_new(void)
{
	struct hot *h = xcalloc(1, sizeof(*h));
	mutex_init(&h->lock);
	atomic_init(&h->memory.bytes, 0);
	arena_init(&h->scratch, 0, SCRATCH_KEEP_BYTES);
	for (int i = 0; i < DICT_FIRST; i++)
		h->parts[i].table = (enum table_id)(i / SLOTS);
	for (int t = 0; t < SIGNAL_TABLES; t++) {
		struct hot_part *mixed = hot_mixed_part(h, (enum table_id)t);
		mixed->used = true;
		mixed->day = HOT_MIXED;
	}
	for (int d = 0; d < 2; d++) {
		struct hot_part *dict = hot_dict_part(h, d);
		dict->used = true;
		dict->table = (enum table_id)(TABLE_RESOURCES + d);
	}
	return h;
}

struct hot_part *
hot_mixed_part(struct hot *h, enum table_id table)
{
	CHECK(hot_is_signal(table));
	return &h->parts[(int)table * SLOTS];
}

struct hot_part *
hot_own_part(struct hot *h, enum table_id table, int slot)
{
	CHECK(slot >= 0 && slot < HOT_OWN_DAYS_MAX);
	return hot_mixed_part(h, table) + 1 + slot;
}

struct hot_part *
hot_dict_part(struct hot *h, int dict)
{
	CHECK(dict == 0 || dict == 1);
	return &h->parts[DICT_FIRST + dict];
}

struct hot_part *
hot_find_part(struct hot *h, enum table_id table, int64_t day)
{
	for (int i = 0; i < HOT_PARTS_MAX; i++)
		if (h->parts[i].used && h->parts[i].table == table && h->parts[i].day == day)
			return &h->parts[i];
	return NULL;
}

void
hot_free_pieces(struct hot *h, struct hot_piece *list)
{
	while (list) {
		struct hot_piece *next = list->next;
		hot_segment_unref(list->segment);
		hot_release(&h->memory, list, sizeof(*list));
		list = next;
	}
}

size_t
hot_take_idle(struct hot *h, struct hot_segment *out[HOT_PARTS_MAX])
{
	size_t count = 0;
	if (h->appending)
		return 0;
	for (int i = 0; i < HOT_PARTS_MAX; i++) {
		struct hot_part *part = &h->parts[i];
		if (part->rows > 0 || !part->open)
			continue;
		out[count++] = part->open;
		part->open = NULL;
		part->next_cap = 0;
	}
	return count;
}

void
hot_free(struct hot *h)
{
	if (!h)
		return;
	CHECK(!h->appending);
	hot_snapshot_free(h->retired);
	hot_snapshot_free(h->sealing.taken);
	for (int i = 0; i < HOT_PARTS_MAX; i++) {
		hot_free_pieces(h, h->parts[i].head);
		hot_segment_unref(h->parts[i].open);
	}
	for (int t = 0; t < SIGNAL_TABLES; t++) {
		for (struct hot_days *next, *days = h->mixed_gone[t]; days; days = next) {
			next = days->next;
			hot_release(&h->memory, days, days->bytes);
		}
		atomic_fetch_sub(&h->memory.bytes, map_bytes(&h->mixed_days[t]));
		map_fini(&h->mixed_days[t]);
	}
	/* What is left is held by a view that would look at freed memory. */
	CHECK(atomic_load(&h->memory.bytes) == 0);
	arena_fini(&h->scratch);
	mutex_fini(&h->lock);
	free(h);
}

void
hot_start(struct hot *h, uint64_t applied_seq, uint64_t generation)
{
	mutex_lock(&h->lock);
	CHECK(h->applied_seq == 0);
	CHECK(h->generation == 0);
	h->applied_seq = applied_seq;
	h->generation = generation;
	mutex_unlock(&h->lock);
}

uint64_t
hot_applied(struct hot *h)
{
	mutex_lock(&h->lock);
	uint64_t seq = h->applied_seq;
	mutex_unlock(&h->lock);
	return seq;
}

static struct hot_part_info
part_info(const struct hot_part *part)
{
	struct hot_part_info info = {.table = part->table, .day = part->day, .rows = part->rows};
	/* Pieces of one segment stand beside each other. */
	const struct hot_segment *last = NULL;
	for (const struct hot_piece *piece = part->head; piece; piece = piece->next) {
		if (piece->segment != last)
			info.bytes += piece->segment->shown_bytes;
		last = piece->segment;
	}
	if (part->head) {
		CHECK(part->head->segment != NULL);
		info.first_seq = part->head->segment->seqs[part->head->first];
		info.first_log_bytes = part->head->segment->log_bytes[part->head->first];
	}
	return info;
}

void
hot_info(struct hot *h, struct hot_info *out)
{
	*out = (struct hot_info){0};
	mutex_lock(&h->lock);
	out->applied_seq = out->floor_seq = h->applied_seq;
	out->applied_log_bytes = h->applied_log_bytes;
	out->generation = h->generation;
	for (int i = 0; i < HOT_PARTS_MAX; i++) {
		if (!h->parts[i].used)
			continue;
		struct hot_part_info info = part_info(&h->parts[i]);
		out->parts[out->part_count++] = info;
		if (!hot_is_dict(info.table))
			out->rows[info.table] += info.rows;
		if (info.rows > 0 && info.first_seq - 1 < out->floor_seq)
			out->floor_seq = info.first_seq - 1;
	}
	mutex_unlock(&h->lock);
	out->bytes = atomic_load_explicit(&h->memory.bytes, memory_order_relaxed);
}
