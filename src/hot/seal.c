/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/seal.c - what leaves: rows that a seal took, and single rows that cannot be sealed.
 *
 * A seal under way changes nothing here but that views of the next generation skip its rows: the
 * first ones of a part, and of the dictionaries those that were there when it began. When it is done
 * they leave their parts; the snapshot that held them for the seal now holds them for readers that
 * looked at the files before it, until hot_tidy() or the next seal.
 */
#include "hot/hot_priv.h"

static struct hot_view_part *
take(struct hot_snapshot *s, const struct hot_part *part, uint64_t rows)
{
	if (rows == 0)
		return NULL;
	struct hot_view_part *to = hot_snapshot_part(s, part->table, part->day);
	hot_snapshot_add(s, to, part, 0, rows);
	return to;
}

/* The seq of the part's row after the first `skip`; 0: there is none. */
static uint64_t
seq_after(const struct hot_part *part, uint64_t skip)
{
	for (const struct hot_piece *piece = part->head; piece; piece = piece->next) {
		if (skip < piece->count)
			return piece->segment->seqs[piece->first + skip];
		skip -= piece->count;
	}
	return 0;
}

/* The lock is held. All that the appender brings from now on is above what is applied. */
static uint64_t
floor_after(struct hot *h, const struct hot_part *sealed, uint64_t rows)
{
	uint64_t floor = h->applied_seq;
	for (int i = 0; i < HOT_PARTS_MAX; i++) {
		const struct hot_part *part = &h->parts[i];
		if (hot_is_dict(part->table))
			continue;
		uint64_t seq = seq_after(part, part == sealed ? rows : 0);
		if (seq > 0 && seq - 1 < floor)
			floor = seq - 1;
	}
	return floor;
}

/* How many slices the seal has; the lock is held. */
static size_t
count_slices(struct hot *h, const struct hot_part *part)
{
	return (part ? part->piece_count : 0) + hot_dict_part(h, 0)->piece_count +
	    hot_dict_part(h, 1)->piece_count;
}

/* The lock is held. */
static void
begin(struct hot *h, struct hot_part *part, uint64_t rows, struct hot_snapshot *s,
    struct hot_seal *out)
{
	struct hot_sealing *sealing = &h->sealing;
	*sealing = (struct hot_sealing){.taken = s, .part = rows > 0 ? part : NULL, .rows = rows};
	struct hot_view_part *taken = part ? take(s, part, rows) : NULL;
	if (taken) {
		out->slices = taken->slices;
		out->slice_count = taken->slice_count;
	}
	for (int d = 0; d < 2; d++) {
		const struct hot_part *dict = hot_dict_part(h, d);
		sealing->dict_rows[d] = dict->rows;
		taken = take(s, dict, dict->rows);
		if (!taken)
			continue;
		out->dict_slices[d] = taken->slices;
		out->dict_slice_count[d] = taken->slice_count;
	}
	out->generation = h->generation + 1;
	out->floor_seq = floor_after(h, sealing->part, rows);
}

void
hot_seal_begin(struct hot *h, enum table_id table, int64_t day, uint64_t rows, struct hot_seal *out)
{
	CHECK(hot_is_signal(table) || table == TABLE_STORED_COUNT);
	CHECK(hot_is_signal(table) || rows == 0);
	*out = (struct hot_seal){.table = table, .day = day, .rows = rows};
	size_t need = 0;
	for (bool begun = false; !begun;) {
		struct hot_snapshot *s = hot_snapshot_new(h, need + 8);
		mutex_lock(&h->lock);
		CHECK(!h->sealing.taken);
		struct hot_part *part = hot_is_signal(table) ? hot_find_part(h, table, day) : NULL;
		CHECK(rows <= (part ? part->rows : 0));
		need = count_slices(h, part);
		begun = need <= s->slice_cap;
		if (begun)
			begin(h, part, rows, s, out);
		mutex_unlock(&h->lock);
		if (begun)
			hot_snapshot_finish(s);
		else
			hot_snapshot_free(s);
	}
}

/* Take the first rows of a part off its list; the lock is held. Adds the pieces to *gone. */
static void
cut(struct hot_part *part, uint64_t rows, struct hot_piece **gone)
{
	CHECK(rows <= part->rows);
	part->rows -= rows;
	while (rows > 0 && rows >= part->head->count) {
		struct hot_piece *piece = part->head;
		rows -= piece->count;
		part->head = piece->next;
		part->piece_count--;
		piece->next = *gone;
		*gone = piece;
	}
	if (!part->head)
		part->tail = NULL;
	if (rows == 0)
		return;
	part->head->first += (uint32_t)rows;
	part->head->count -= (uint32_t)rows;
	hot_segment_times(part->head->segment, part->head->first, part->head->count,
	    &part->head->time_min, &part->head->time_max);
}

static struct hot_days *
days_of_map(struct hot *h, const struct map *rows_of_day)
{
	size_t bytes = sizeof(struct hot_days) + rows_of_day->count * sizeof(struct hot_day);
	struct hot_days *days = hot_alloc(&h->memory, bytes);
	*days = (struct hot_days){.bytes = bytes};
	for (size_t i = 0; i < rows_of_day->cap; i++)
		if (rows_of_day->used[i])
			days->days[days->count++] = (struct hot_day){
			    (int64_t)rows_of_day->entries[i].key, rows_of_day->entries[i].value};
	CHECK(days->count == rows_of_day->count);
	return days;
}

/* The days of rows that leave HOT_MIXED, for the appender; NULL: none do. */
static struct hot_days *
days_of(struct hot *h, const struct hot_view_part *part)
{
	if (part->day != HOT_MIXED)
		return NULL;
	struct map rows_of_day = {0};
	for (size_t i = 0; i < part->slice_count; i++) {
		const struct hot_slice *slice = &part->slices[i];
		const uint64_t *times = slice->rows->cols[slice->rows->def->time_col].u64;
		for (uint32_t row = slice->first; row < slice->first + slice->count; row++) {
			uint64_t day = times[row] / HOT_DAY_NS;
			const uint64_t *there = map_get(&rows_of_day, day);
			bool put = map_put(&rows_of_day, day, (there ? *there : 0) + 1);
			CHECK(put);
		}
	}
	struct hot_days *days = days_of_map(h, &rows_of_day);
	map_fini(&rows_of_day);
	return days;
}

/* The lock is held. */
static void
add_gone(struct hot *h, enum table_id table, struct hot_days *days)
{
	if (!days)
		return;
	days->next = h->mixed_gone[table];
	h->mixed_gone[table] = days;
}

void
hot_seal_done(struct hot *h)
{
	/* Only this thread changes these two. */
	const struct hot_sealing sealing = h->sealing;
	CHECK(sealing.taken != NULL);
	struct hot_days *days = sealing.part ? days_of(h, &sealing.taken->parts[0]) : NULL;
	struct hot_piece *gone = NULL;
	struct hot_segment *idle[HOT_PARTS_MAX];
	mutex_lock(&h->lock);
	if (sealing.part) {
		cut(sealing.part, sealing.rows, &gone);
		add_gone(h, sealing.part->table, days);
	}
	for (int d = 0; d < 2; d++)
		cut(hot_dict_part(h, d), sealing.dict_rows[d], &gone);
	struct hot_snapshot *old = h->retired;
	h->retired = sealing.taken;
	h->retired_ns = 0;
	h->generation++;
	h->sealing = (struct hot_sealing){0};
	size_t idle_count = hot_take_idle(h, idle);
	mutex_unlock(&h->lock);
	hot_free_pieces(h, gone);
	hot_snapshot_free(old);
	for (size_t i = 0; i < idle_count; i++)
		hot_segment_unref(idle[i]);
}

void
hot_seal_failed(struct hot *h)
{
	mutex_lock(&h->lock);
	struct hot_snapshot *taken = h->sealing.taken;
	CHECK(taken != NULL);
	h->sealing = (struct hot_sealing){0};
	mutex_unlock(&h->lock);
	hot_snapshot_free(taken);
}

void
hot_tidy(struct hot *h, uint64_t now_mono_ns)
{
	struct hot_snapshot *old = NULL;
	struct hot_segment *idle[HOT_PARTS_MAX];
	uint64_t now = now_mono_ns ? now_mono_ns : 1;
	mutex_lock(&h->lock);
	if (h->retired && h->retired_ns == 0)
		h->retired_ns = now;
	if (h->retired && now > h->retired_ns && now - h->retired_ns > HOT_RETIRED_NS) {
		old = h->retired;
		h->retired = NULL;
	}
	size_t idle_count = hot_take_idle(h, idle);
	mutex_unlock(&h->lock);
	hot_snapshot_free(old);
	for (size_t i = 0; i < idle_count; i++)
		hot_segment_unref(idle[i]);
}

/* ---- single rows */

static int
compare(const struct hot_segment *s, const uint32_t *ords, uint32_t row, uint64_t seq, uint32_t ord)
{
	if (s->seqs[row] != seq)
		return s->seqs[row] < seq ? -1 : 1;
	return ords[row] < ord ? -1 : ords[row] > ord;
}

/* The piece's row; SIZE_MAX: it does not have it. Rows ascend by (seq, ord). */
static size_t
find_row(const struct hot_piece *piece, uint64_t seq, uint32_t ord)
{
	static const int ord_cols[SIGNAL_TABLES] = {[TABLE_SPANS] = SPAN_ORD,
	    [TABLE_LOGS] = LOG_ORD,
	    [TABLE_POINTS] = POINT_ORD,
	    [TABLE_COMMENTS] = COMMENT_ORD};
	const struct hot_segment *s = piece->segment;
	const uint32_t *ords = s->rows.cols[ord_cols[s->rows.def - table_defs]].u32;
	uint32_t low = piece->first, high = piece->first + piece->count;
	if (s->seqs[low] > seq || s->seqs[high - 1] < seq)
		return SIZE_MAX;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = compare(s, ords, mid, seq, ord);
		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return SIZE_MAX;
}

/* The piece becomes what is before the row; what is behind it, *rest, which is then used (true).
 * The lock is held. */
static bool
split(struct hot_part *part, struct hot_piece *piece, uint32_t row, struct hot_piece *rest)
{
	uint32_t behind = piece->first + piece->count - row - 1;
	part->rows--;
	piece->count = row - piece->first;
	if (piece->count > 0)
		hot_segment_times(piece->segment, piece->first, piece->count, &piece->time_min,
		    &piece->time_max);
	if (behind == 0)
		return false;
	*rest = (struct hot_piece){
	    .next = piece->next, .segment = piece->segment, .first = row + 1, .count = behind};
	hot_segment_ref(rest->segment);
	hot_segment_times(rest->segment, rest->first, behind, &rest->time_min, &rest->time_max);
	piece->next = rest;
	if (part->tail == piece)
		part->tail = rest;
	part->piece_count++;
	return true;
}

/* Take a piece without rows off the list; the lock is held. */
static void
unlink_piece(struct hot_part *part, struct hot_piece *before, struct hot_piece *piece)
{
	if (before)
		before->next = piece->next;
	else
		part->head = piece->next;
	if (part->tail == piece)
		part->tail = before;
	part->piece_count--;
	piece->next = NULL;
}

/* True when the part had the row. Uses up *spare or not, gives *empty back. The lock is held. */
static bool
discard(struct hot_part *part, uint64_t seq, uint32_t ord, struct hot_piece **spare,
    struct hot_piece **empty, uint64_t *time_out)
{
	struct hot_piece *before = NULL;
	for (struct hot_piece *piece = part->head; piece; before = piece, piece = piece->next) {
		size_t row = find_row(piece, seq, ord);
		if (row == SIZE_MAX)
			continue;
		const struct table *rows = &piece->segment->rows;
		*time_out = rows->cols[rows->def->time_col].u64[row];
		if (split(part, piece, (uint32_t)row, *spare))
			*spare = NULL;
		if (piece->count == 0) {
			unlink_piece(part, before, piece);
			*empty = piece;
		}
		return true;
	}
	return false;
}

void
hot_discard(struct hot *h, enum table_id table, uint64_t seq, uint32_t ord)
{
	CHECK(hot_is_signal(table));
	size_t bytes = sizeof(struct hot_days) + sizeof(struct hot_day);
	struct hot_days *days = hot_alloc(&h->memory, bytes);
	struct hot_piece *spare = hot_alloc(&h->memory, sizeof(*spare));
	struct hot_piece *empty = NULL;
	uint64_t time = 0;
	bool found = false, mixed = false;
	mutex_lock(&h->lock);
	CHECK(!h->sealing.taken);
	for (int i = 0; i < HOT_PARTS_MAX && !found; i++) {
		struct hot_part *part = &h->parts[i];
		if (part->table != table)
			continue;
		found = discard(part, seq, ord, &spare, &empty, &time);
		mixed = found && part->day == HOT_MIXED;
	}
	if (mixed) {
		*days = (struct hot_days){.bytes = bytes, .count = 1};
		days->days[0] = (struct hot_day){(int64_t)(time / HOT_DAY_NS), 1};
		add_gone(h, table, days);
	}
	mutex_unlock(&h->lock);
	if (!mixed)
		hot_release(&h->memory, days, bytes);
	hot_release(&h->memory, spare, sizeof(*spare));
	hot_free_pieces(h, empty);
}
