/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/hot_priv.h - how the hot tail is built; for the files of hot/ and their tests.
 *
 * A segment is memory for up to HOT_SEGMENT_ROWS rows of one part: column arrays that are made once
 * and never move, and blocks of text that strings and lists are copied to. The appender writes rows
 * behind those that are published, where no reader looks; publishing moves a count under the lock.
 *
 * What of a segment is there is said by pieces, runs of its rows. A part is a list of pieces in
 * order of arrival. Appending lengthens the last piece or adds some, sealing takes from the front,
 * discarding a row splits the piece that has it: segments are never changed, nor copied. Each piece
 * holds a reference on its segment; so does each slice of a snapshot (a view, or what a seal takes)
 * and the part, on the segment that still has room. The last one to let go frees it.
 */
#ifndef HOT_HOT_PRIV_H
#define HOT_HOT_PRIV_H

#include "base/map.h"
#include "hot/hot.h"
#include "sys/thread.h"

#include <stdatomic.h>

enum {
	HOT_FIRST_ROWS = 128, /* a part's first segment, so that parts with few rows cost little */
	HOT_OWN_DAY_ROWS = 256, /* a day far from today gets a part for so many rows at once */
	HOT_DISTANT_DAYS_MAX = HOT_OWN_DAYS_MAX - 3, /* of them; three are for days near today */
	/* A segment with so much text takes no more rows: memory goes back a segment at a time. */
	HOT_SEGMENT_TEXT_BYTES = 8 * 1024 * 1024,
	HOT_RETIRED_NS = 100 * 1000 * 1000,
};

#define HOT_DAY_NS UINT64_C(86400000000000)

/* ---- memory, all of which is counted */

struct hot_memory {
	atomic_uint_fast64_t bytes;
	/* Tests: which allocation of the appender fails, and all after it: 1 the next; 0 none. */
	uint64_t fail_in;
};

/* Aborts when there is none. Not zeroed. */
void *hot_alloc(struct hot_memory *m, size_t n) __attribute__((returns_nonnull));
/* The appender's: NULL when there is none. */
MUST_CHECK void *hot_try_alloc(struct hot_memory *m, size_t n);
void hot_release(struct hot_memory *m, void *p, size_t n); /* n as when it was allocated */

/* What stands at this offset of an allocation. */
static inline void *
hot_at(void *memory, size_t off)
{
	return (char *)memory + off;
}

/* ---- segments */

struct hot_text;

struct hot_segment {
	atomic_uint refs;
	struct hot_memory *memory;
	/* row_count is 0: who reads has a copy of this with a count of his own. */
	struct table rows;
	uint64_t *seqs; /* of signals the seq column, of dictionaries an array beside it */
	uint64_t *log_bytes; /* batch->last_bytes of the row's batch */
	/* The appender's. */
	struct hot_text *text;
	uint64_t text_bytes;
	uint32_t used; /* rows that are written and published */
	size_t size; /* of this allocation */
	/* All its memory, as of the last publishing; under the lock. */
	uint64_t shown_bytes;
};

/* Rows of a batch that go to one part: those numbered by idx, or from `first` on. */
struct hot_run {
	const struct table *from;
	const uint32_t *idx; /* NULL: consecutive */
	uint32_t first, count;
	const struct map *ids[2]; /* of resources and scopes; NULL: they stay */
	uint64_t log_bytes;
	uint64_t dict_seq; /* the seq of dictionary rows */
};

struct hot_text_mark {
	struct hot_text *text;
	size_t used;
	uint64_t text_bytes;
};

/* With one reference; NULL without memory. */
MUST_CHECK struct hot_segment *hot_segment_new(struct hot_memory *m, enum table_id table,
    uint32_t cap);
void hot_segment_ref(struct hot_segment *s);
void hot_segment_unref(struct hot_segment *s); /* NULL allowed; any thread */
/* Copy the run to the rows from s->used on; false without memory, and rewind then. */
MUST_CHECK bool hot_segment_write(struct hot_segment *s, const struct hot_run *run);
struct hot_text_mark hot_segment_mark(const struct hot_segment *s);
void hot_segment_rewind(struct hot_segment *s, struct hot_text_mark mark);
uint64_t hot_segment_bytes(const struct hot_segment *s);
/* Of the time column; of dictionaries 0 and UINT64_MAX. */
void hot_segment_times(const struct hot_segment *s, uint32_t first, uint32_t count,
    uint64_t *min_out, uint64_t *max_out);

/* ---- parts */

struct hot_piece {
	struct hot_piece *next;
	struct hot_segment *segment;
	uint32_t first, count; /* count > 0 */
	uint64_t time_min, time_max;
};

struct hot_part {
	bool used;
	enum table_id table;
	int64_t day;
	struct hot_piece *head, *tail;
	size_t piece_count;
	uint64_t rows;
	struct hot_segment *open; /* has room; NULL: none */
	uint32_t next_cap; /* of the next segment */
};

/* How many rows of which days left HOT_MIXED: the sealer tells the appender, who counts. */
struct hot_days {
	struct hot_days *next;
	size_t bytes;
	size_t count;
	struct hot_day {
		int64_t day;
		uint64_t rows;
	} days[];
};

/* ---- snapshots: slices of segments that are held */

struct hot_snapshot {
	struct hot_view view; /* the first member: what readers get */
	struct hot *hot;
	size_t bytes; /* of this allocation */
	struct hot_view_part parts[HOT_PARTS_MAX + 3];
	struct hot_slice *slices;
	struct table *tables; /* one a slice */
	struct hot_segment **segments; /* one a slice */
	size_t slice_count, slice_cap;
	_Atomic(struct hot_dict_index *) dict_index[2];
};

struct hot_sealing {
	struct hot_snapshot *taken; /* NULL: none is under way */
	struct hot_part *part; /* NULL: only dictionaries */
	uint64_t rows;
	uint64_t dict_rows[2];
};

struct hot {
	struct hot_memory memory;
	struct mutex lock; /* of all that follows, up to the next remark */
	struct hot_part parts[HOT_PARTS_MAX];
	uint64_t applied_seq, applied_log_bytes;
	uint64_t generation;
	bool appending; /* open segments are being written to */
	struct hot_sealing sealing;
	struct hot_snapshot *retired; /* what the last seal took; NULL: no longer */
	uint64_t retired_ns; /* when hot_tidy() saw it first; 0: not yet */
	struct hot_days *mixed_gone[SIGNAL_TABLES];
	/* The appender's own. */
	struct map mixed_days[SIGNAL_TABLES]; /* day -> rows of it in HOT_MIXED, at least */
	uint64_t mixed_rows[SIGNAL_TABLES];
	struct arena scratch;
};

struct hot_part *hot_mixed_part(struct hot *h, enum table_id table);
struct hot_part *hot_own_part(struct hot *h, enum table_id table, int slot);
struct hot_part *hot_dict_part(struct hot *h, int dict); /* 0: resources, 1: scopes */
struct hot_part *hot_find_part(struct hot *h, enum table_id table, int64_t day); /* or NULL */

static inline bool
hot_is_signal(enum table_id table)
{
	return table < TABLE_RESOURCES;
}

static inline bool
hot_is_dict(enum table_id table)
{
	return table == TABLE_RESOURCES || table == TABLE_SCOPES;
}

/* Let go of the pieces, what they hold, and their memory. */
void hot_free_pieces(struct hot *h, struct hot_piece *list);
/* Take the open segments of empty parts away from them; the lock is held. The caller lets go of
 * them without it. */
size_t hot_take_idle(struct hot *h, struct hot_segment *out[HOT_PARTS_MAX]);

/* Empty, with room for some slices. */
struct hot_snapshot *hot_snapshot_new(struct hot *h, size_t slice_cap);
void hot_snapshot_free(struct hot_snapshot *s); /* NULL allowed */
/* The lock is held for these. `rows` rows of a part after the first `skip`. */
struct hot_view_part *hot_snapshot_part(struct hot_snapshot *s, enum table_id table, int64_t day);
void hot_snapshot_add(struct hot_snapshot *s, struct hot_view_part *to, const struct hot_part *part,
    uint64_t skip, uint64_t rows);
/* After the lock: what readers need besides. */
void hot_snapshot_finish(struct hot_snapshot *s);

#endif
