/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot/hot.h - the hot tail: rows that are visible and not in the store's files yet.
 *
 * The log has made them durable; here they are only memory, in columns, in order of arrival, until a
 * seal moves them. Rows stand in parts: one for each signal and day that has one of its own, one for
 * all other days of a signal (HOT_MIXED), one for new resources, one for new scopes. Within a part
 * rows ascend by (seq, ord), and a seal takes the first n of one: what of a day is sealed is a
 * prefix of what arrived for it. So that this holds whatever part a day's rows are in, a day gets a
 * part of its own only while HOT_MIXED has no row of it, and loses it only when it is empty.
 *
 * Each row once. A seal has a number, its generation, which the store writes in the same
 * transaction as the rows. A reader takes its snapshot of the files first, reads there the newest
 * generation g that it sees, and asks for the view that goes with g:
 *
 *     g is the last finished seal          all rows here
 *     g is the seal under way (committed, not yet finished here)     without the rows it takes
 *     g is the one before the last         with the rows the last one took, which are kept for a moment
 *     anything older                       ERR_BUSY: begin again with a new snapshot
 *
 * Threads. One thread appends, one seals, any number take views. A view holds what it shows
 * alive and never changes; rows are published under one short lock, after they have been written,
 * so that no reader looks at memory that is being written. No call blocks on anything but that lock.
 */
#ifndef HOT_HOT_H
#define HOT_HOT_H

#include "base/err.h"
#include "model/batch.h"

enum {
	HOT_SEGMENT_ROWS = 2048, /* at most */
	HOT_OWN_DAYS_MAX = 8, /* days of a signal with a part of their own */
	HOT_PARTS_MAX = SIGNAL_TABLES * (HOT_OWN_DAYS_MAX + 1) + 2,
};

#define HOT_MIXED INT64_MIN /* in place of a day: all days without a part of their own */

struct hot;

struct hot *hot_new(void);
void hot_free(struct hot *h); /* NULL allowed; no view is left */

/* ---- appending */

struct hot_append {
	struct batch *batch; /* hidden[]: rows that are left out; everything is copied */
	/* New dictionary rows: places in batch->tables[TABLE_RESOURCES] and [TABLE_SCOPES]. */
	const uint32_t *new_rows[2];
	size_t new_count[2];
	/* Ids that are written in place of others (batch_dict_key() -> id); NULL or empty: none. */
	const struct map *resource_ids, *scope_ids;
	int64_t today; /* day of the clock: days close to it get their own parts first */
};

/* Everything of a batch becomes visible at once, or ERR_TOO_LARGE and nothing has changed. */
MUST_CHECK enum err_code hot_append(struct hot *h, const struct hot_append *a, struct err *err);

/* ---- what is there */

struct hot_part_info {
	enum table_id table;
	int64_t day; /* or HOT_MIXED; of a dictionary: 0 */
	uint64_t rows, bytes;
	uint64_t first_seq; /* of its oldest row; 0: it is empty */
	uint64_t first_log_bytes; /* batch->last_bytes of the batch that brought its oldest row */
};

struct hot_info {
	struct hot_part_info parts[HOT_PARTS_MAX];
	size_t part_count;
	uint64_t rows[SIGNAL_TABLES];
	uint64_t bytes; /* all memory, of kept and of sealed rows that readers still look at too */
	uint64_t applied_seq; /* of the last append */
	uint64_t applied_log_bytes;
	/* Everything at or below it has left, or had no rows. */
	uint64_t floor_seq;
	uint64_t generation;
};

void hot_info(struct hot *h, struct hot_info *out);
uint64_t hot_applied(struct hot *h);
/* At the start, before the first append: nothing is here, and this is what the files have. */
void hot_start(struct hot *h, uint64_t applied_seq, uint64_t generation);

/* ---- reading */

/* Rows [first, first + count) of a table. */
struct hot_slice {
	const struct table *rows;
	uint32_t first, count;
	uint64_t time_min, time_max; /* of the time column; of dictionaries 0 and UINT64_MAX */
};

struct hot_view_part {
	enum table_id table;
	int64_t day;
	const struct hot_slice *slices; /* in order of arrival */
	size_t slice_count;
	uint64_t rows;
};

struct hot_view {
	struct hot_view_part *parts;
	size_t part_count;
	uint64_t generation; /* the one asked for */
	uint64_t applied_seq;
};

/* ERR_BUSY: see above. */
MUST_CHECK enum err_code hot_view_take(struct hot *h, uint64_t generation, struct hot_view **out,
    struct err *err);
void hot_view_free(struct hot_view *v); /* NULL allowed; any thread */
/* The dictionary row of this tenant and id that is not in the files yet; false: none. */
bool hot_view_dict(const struct hot_view *v, enum table_id dict, struct str tenant, uint64_t id,
    const struct table **rows_out, size_t *row_out);

/* ---- sealing */

/* What a seal takes: the first rows of one part, and all dictionary rows there are now. */
struct hot_seal {
	uint64_t generation; /* its number: the last one + 1 */
	enum table_id table; /* TABLE_STORED_COUNT: only dictionaries */
	int64_t day;
	const struct hot_slice *slices;
	size_t slice_count;
	uint64_t rows;
	const struct hot_slice *dict_slices[2]; /* resources, scopes */
	size_t dict_slice_count[2];
	/* What will be the floor when it is done. */
	uint64_t floor_seq;
};

/* One at a time. `rows` of the part (at most what it has; 0 with TABLE_STORED_COUNT). What it
 * gives is valid until the next call of one of the two below. */
void hot_seal_begin(struct hot *h, enum table_id table, int64_t day, uint64_t rows,
    struct hot_seal *out);
/* It is in the files: new views are without its rows. */
void hot_seal_done(struct hot *h);
/* It is not, or nobody knows: everything stays. */
void hot_seal_failed(struct hot *h);
/* Free what was kept for readers that were slow, when it is older than a tenth of a second. */
void hot_tidy(struct hot *h, uint64_t now_mono_ns);
/* Leave this row out from now on: it cannot be sealed and is kept elsewhere. Not during a seal. */
void hot_discard(struct hot *h, enum table_id table, uint64_t seq, uint32_t ord);

#endif
