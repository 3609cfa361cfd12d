/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/view.c - snapshots: which slices there are at one moment, held for as long as they are looked at.
 *
 * One allocation, made before the lock is taken: header, slices, tables, segments. Under the lock
 * pieces are copied and their segments held; what can be said later, of rows that do not change any
 * more, is: each slice gets a table of its own, whose row_count is what was published then, and a
 * slice that is only part of a piece its own times.
 */
#include "hot/hot_priv.h"

enum { DICT_INDEX_ROWS = 64 }; /* fewer are looked through */

/* batch_dict_key() -> slice << 32 | row, of the first such row. */
struct hot_dict_index {
	struct map map;
};

/* ---- snapshots */

struct hot_snapshot *
hot_snapshot_new(struct hot *h, size_t slice_cap)
{
	size_t each =
	    sizeof(struct hot_slice) + sizeof(struct table) + sizeof(struct hot_segment *);
	size_t bytes = sizeof(struct hot_snapshot) + slice_cap * each;
	struct hot_snapshot *s = hot_alloc(&h->memory, bytes);
	*s = (struct hot_snapshot){.hot = h, .bytes = bytes, .slice_cap = slice_cap};
	size_t at = sizeof(*s);
	s->slices = hot_at(s, at);
	s->tables = hot_at(s, at += slice_cap * sizeof(*s->slices));
	s->segments = hot_at(s, at + slice_cap * sizeof(*s->tables));
	s->view.parts = s->parts;
	atomic_init(&s->dict_index[0], NULL);
	atomic_init(&s->dict_index[1], NULL);
	return s;
}

void
hot_snapshot_free(struct hot_snapshot *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->slice_count; i++)
		hot_segment_unref(s->segments[i]);
	for (int d = 0; d < 2; d++) {
		struct hot_dict_index *index = atomic_load(&s->dict_index[d]);
		if (!index)
			continue;
		size_t bytes = sizeof(*index) + map_bytes(&index->map);
		map_fini(&index->map);
		hot_release(&s->hot->memory, index, bytes);
	}
	hot_release(&s->hot->memory, s, s->bytes);
}

struct hot_view_part *
hot_snapshot_part(struct hot_snapshot *s, enum table_id table, int64_t day)
{
	CHECK(s->view.part_count < ARRAY_LEN(s->parts));
	struct hot_view_part *part = &s->parts[s->view.part_count++];
	*part = (struct hot_view_part){
	    .table = table, .day = day, .slices = s->slices + s->slice_count};
	return part;
}

static void
add_slice(struct hot_snapshot *s, struct hot_view_part *to, struct hot_segment *segment,
    const struct hot_slice *slice)
{
	CHECK(s->slice_count < s->slice_cap);
	CHECK(to->slices + to->slice_count == s->slices + s->slice_count);
	hot_segment_ref(segment);
	s->slices[s->slice_count] = *slice;
	s->segments[s->slice_count++] = segment;
	to->slice_count++;
	to->rows += slice->count;
}

/* Times of a slice that hot_snapshot_finish() has to look for. */
enum { TIMES_UNKNOWN_MIN = 1, TIMES_UNKNOWN_MAX = 0 };

void
hot_snapshot_add(struct hot_snapshot *s, struct hot_view_part *to, const struct hot_part *part,
    uint64_t skip, uint64_t rows)
{
	CHECK(skip <= part->rows);
	CHECK(rows <= part->rows - skip);
	for (const struct hot_piece *piece = part->head; piece && rows > 0; piece = piece->next) {
		if (skip >= piece->count) {
			skip -= piece->count;
			continue;
		}
		struct hot_slice slice = {NULL, piece->first + (uint32_t)skip,
		    piece->count - (uint32_t)skip, piece->time_min, piece->time_max};
		if (slice.count > rows)
			slice.count = (uint32_t)rows;
		if (slice.count < piece->count) {
			slice.time_min = TIMES_UNKNOWN_MIN;
			slice.time_max = TIMES_UNKNOWN_MAX;
		}
		add_slice(s, to, piece->segment, &slice);
		rows -= slice.count;
		skip = 0;
	}
	CHECK(rows == 0);
}

void
hot_snapshot_finish(struct hot_snapshot *s)
{
	for (size_t i = 0; i < s->slice_count; i++) {
		struct hot_slice *slice = &s->slices[i];
		s->tables[i] = s->segments[i]->rows;
		s->tables[i].row_count = slice->first + slice->count;
		slice->rows = &s->tables[i];
		if (slice->time_min > slice->time_max)
			hot_segment_times(s->segments[i], slice->first, slice->count,
			    &slice->time_min, &slice->time_max);
	}
}

/* ---- views */

/* What a reader with this generation of the files is to see. */
enum moment { MOMENT_GONE, MOMENT_NOW, MOMENT_SEALED, MOMENT_BEFORE };

static enum moment
moment_of(const struct hot *h, uint64_t generation)
{
	if (generation == h->generation)
		return MOMENT_NOW;
	if (generation == h->generation + 1 && h->sealing.taken)
		return MOMENT_SEALED;
	if (generation + 1 == h->generation && h->retired)
		return MOMENT_BEFORE;
	return MOMENT_GONE;
}

static size_t
count_slices(const struct hot *h)
{
	size_t count = h->retired ? h->retired->slice_count : 0;
	for (int i = 0; i < HOT_PARTS_MAX; i++)
		count += h->parts[i].piece_count;
	return count;
}

/* Rows of the part that the seal under way takes. */
static uint64_t
sealed_rows(const struct hot *h, const struct hot_part *part)
{
	if (part == h->sealing.part)
		return h->sealing.rows;
	return hot_is_dict(part->table) ? h->sealing.dict_rows[part->table - TABLE_RESOURCES] : 0;
}

static void
add_retired(struct hot_snapshot *s, struct hot_view_part *to, const struct hot_snapshot *retired,
    const struct hot_view_part *from)
{
	size_t first = (size_t)(from->slices - retired->slices);
	for (size_t i = 0; i < from->slice_count; i++)
		add_slice(s, to, retired->segments[first + i], &from->slices[i]);
}

static void
fill_part(struct hot_snapshot *s, const struct hot *h, const struct hot_part *part,
    enum moment moment, const struct hot_view_part *retired)
{
	uint64_t skip = moment == MOMENT_SEALED ? sealed_rows(h, part) : 0;
	if (part->rows == skip && !retired)
		return;
	struct hot_view_part *to = hot_snapshot_part(s, part->table, part->day);
	if (retired)
		add_retired(s, to, h->retired, retired);
	hot_snapshot_add(s, to, part, skip, part->rows - skip);
}

static void
fill(struct hot_snapshot *s, struct hot *h, enum moment moment)
{
	size_t retired_count = moment == MOMENT_BEFORE ? h->retired->view.part_count : 0;
	const struct hot_view_part *retired_of[HOT_PARTS_MAX] = {NULL};
	for (size_t i = 0; i < retired_count; i++) {
		const struct hot_view_part *retired = &h->retired->parts[i];
		const struct hot_part *part = hot_find_part(h, retired->table, retired->day);
		/* Its slot may have been given to another day since. */
		if (part)
			retired_of[part - h->parts] = retired;
		else
			add_retired(s, hot_snapshot_part(s, retired->table, retired->day),
			    h->retired, retired);
	}
	for (int i = 0; i < HOT_PARTS_MAX; i++)
		fill_part(s, h, &h->parts[i], moment, retired_of[i]);
	s->view.applied_seq = h->applied_seq;
}

enum err_code
hot_view_take(struct hot *h, uint64_t generation, struct hot_view **out, struct err *err)
{
	*out = NULL;
	mutex_lock(&h->lock);
	size_t need = count_slices(h);
	mutex_unlock(&h->lock);
	for (;;) {
		/* Some more than there were, for those that come meanwhile. */
		struct hot_snapshot *s = hot_snapshot_new(h, need + 8);
		mutex_lock(&h->lock);
		enum moment moment = moment_of(h, generation);
		uint64_t now = h->generation;
		need = count_slices(h);
		bool fits = need <= s->slice_cap;
		if (moment != MOMENT_GONE && fits)
			fill(s, h, moment);
		mutex_unlock(&h->lock);
		if (moment != MOMENT_GONE && fits) {
			hot_snapshot_finish(s);
			s->view.generation = generation;
			*out = &s->view;
			return ERR_OK;
		}
		hot_snapshot_free(s);
		if (moment == MOMENT_GONE)
			return err_set(err, ERR_BUSY,
			    "the snapshot is of seal %llu, rows are kept for those about %llu",
			    (unsigned long long)generation, (unsigned long long)now);
	}
}

void
hot_view_free(struct hot_view *v)
{
	hot_snapshot_free((struct hot_snapshot *)v);
}

/* ---- dictionaries */

struct dict_cols {
	int id, tenant;
};

static struct dict_cols
dict_cols(enum table_id dict)
{
	if (dict == TABLE_RESOURCES)
		return (struct dict_cols){RESOURCE_ID, RESOURCE_TENANT};
	CHECK(dict == TABLE_SCOPES);
	return (struct dict_cols){SCOPE_ID, SCOPE_TENANT};
}

static struct hot_dict_index *
make_index(const struct hot_snapshot *s, const struct hot_view_part *part, struct dict_cols cols)
{
	struct map map = {0};
	for (size_t i = 0; i < part->slice_count; i++) {
		const struct hot_slice *slice = &part->slices[i];
		const uint64_t *ids = slice->rows->cols[cols.id].u64;
		const struct str *tenants = slice->rows->cols[cols.tenant].str;
		for (uint32_t row = slice->first; row < slice->first + slice->count; row++) {
			uint64_t key = batch_dict_key(tenants[row], ids[row]);
			if (map_get(&map, key))
				continue;
			bool put = map_put(&map, key, (uint64_t)i << 32 | row);
			CHECK(put);
		}
	}
	struct hot_memory *m = &s->hot->memory;
	struct hot_dict_index *index = hot_alloc(m, sizeof(*index));
	index->map = map;
	atomic_fetch_add_explicit(&m->bytes, map_bytes(&map), memory_order_relaxed);
	return index;
}

/* Made by the first who asks; who comes second throws his own away. */
static const struct map *
index_of(struct hot_snapshot *s, const struct hot_view_part *part, struct dict_cols cols)
{
	_Atomic(struct hot_dict_index *) *at = &s->dict_index[part->table - TABLE_RESOURCES];
	struct hot_dict_index *there = atomic_load(at);
	if (there)
		return &there->map;
	struct hot_dict_index *index = make_index(s, part, cols);
	if (atomic_compare_exchange_strong(at, &there, index))
		return &index->map;
	size_t bytes = sizeof(*index) + map_bytes(&index->map);
	map_fini(&index->map);
	hot_release(&s->hot->memory, index, bytes);
	return &there->map;
}

static bool
scan_dict(const struct hot_view_part *part, struct dict_cols cols, struct str tenant, uint64_t id,
    const struct table **rows_out, size_t *row_out)
{
	for (size_t i = 0; i < part->slice_count; i++) {
		const struct hot_slice *slice = &part->slices[i];
		const uint64_t *ids = slice->rows->cols[cols.id].u64;
		const struct str *tenants = slice->rows->cols[cols.tenant].str;
		for (uint32_t row = slice->first; row < slice->first + slice->count; row++) {
			if (ids[row] != id || !str_eq(tenants[row], tenant))
				continue;
			*rows_out = slice->rows;
			*row_out = row;
			return true;
		}
	}
	return false;
}

bool
hot_view_dict(const struct hot_view *v, enum table_id dict, struct str tenant, uint64_t id,
    const struct table **rows_out, size_t *row_out)
{
	struct dict_cols cols = dict_cols(dict);
	const struct hot_view_part *part = NULL;
	for (size_t i = 0; i < v->part_count; i++)
		if (v->parts[i].table == dict)
			part = &v->parts[i];
	if (!part)
		return false;
	if (part->rows < DICT_INDEX_ROWS)
		return scan_dict(part, cols, tenant, id, rows_out, row_out);
	/* The index is a cache of what the view has anyway. */
	const struct map *index = index_of((struct hot_snapshot *)(uintptr_t)v, part, cols);
	const uint64_t *found = map_get(index, batch_dict_key(tenant, id));
	if (!found)
		return false;
	const struct hot_slice *slice = &part->slices[*found >> 32];
	uint32_t row = (uint32_t)*found;
	/* Two of one key, by chance. */
	if (slice->rows->cols[cols.id].u64[row] != id ||
	    !str_eq(slice->rows->cols[cols.tenant].str[row], tenant))
		return scan_dict(part, cols, tenant, id, rows_out, row_out);
	*rows_out = slice->rows;
	*row_out = row;
	return true;
}
