/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck.h - the store (store/store.h) that keeps telemetry in an embedded DuckDB.
 *
 * Shape on disk. <data_dir>/weir.duckdb, with
 *     meta(name, value)            'schema_version' and when it was reached
 *     positions(seq)               one row per append; the largest is the log position
 *     partitions(base, day)        which day tables there are; day -1 is the catch-all
 *     resources, scopes            dictionaries: each distinct one once
 *     spans_<yyyymmdd>  logs_..  points_..   rows whose time column falls on that UTC day
 *     spans_other  logs_other  points_other  rows further away than days_back or days_ahead when
 *                                  they came, so that hostile times cannot make tables without end,
 *                                  and rows of all but the 8 days with most rows of an append
 * Columns are those of model/table.h. There are no keys and no indexes.
 *
 * Promise. An append is one transaction: rows, new dictionary entries, new tables and the position
 * commit together or not at all. A query is one read transaction: it sees whole appends only.
 *
 * Text that is not valid UTF-8 cannot be stored by DuckDB. The decoder refuses it long before;
 * should some come all the same, its bad bytes become U+FFFD rather than the batch be stuck.
 *
 * Threading. As store.h says; inside there is one thread more, which checkpoints when nothing is
 * appended for a while. One process, one duck_open() of a folder: a second would corrupt it.
 *
 * Errors. ERR_BUSY: disk full, or all readers busy. ERR_UNAVAILABLE: DuckDB has shut itself after
 * a fatal error; every later call fails so and status() is not ok until the store is opened anew.
 * ERR_TOO_LARGE: the answer does not fit the arena, or answer or batch DuckDB's memory. ERR_CORRUPT
 * and ERR_UNAVAILABLE (in use by another process, written by a newer weir) at open.
 */
#ifndef DUCK_DUCK_H
#define DUCK_DUCK_H

#include "store/store.h"

#define DUCK_FILE "weir.duckdb"

/* Where an append can fail, for tests. */
enum duck_step {
	DUCK_STEP_BEGIN,
	DUCK_STEP_TABLE, /* before a table is made */
	DUCK_STEP_DICT, /* before a dictionary is looked up */
	DUCK_STEP_ROWS, /* before rows go to one table */
	DUCK_STEP_FLUSH, /* after them */
	DUCK_STEP_POSITION,
	DUCK_STEP_COMMIT,
	DUCK_STEP_CHECKPOINT, /* not part of an append: its failure is only logged */
};

/* Zeros mean the defaults. */
struct duck_options {
	struct str data_dir; /* must exist; borrowed during duck_open() */
	/* What DuckDB may take for its cache, unwritten rows and queries: 1 GiB. Rows wait in memory
	 * until a checkpoint, about 1.2 bytes per byte of its log, so this must be well above
	 * checkpoint_bytes. DuckDB treats it as approximate: 150 MiB come on top. */
	uint64_t memory_bytes_max;
	uint64_t
	    temp_bytes_max; /* of <data_dir>/tmp, for queries that do not fit in memory: 4 GiB */
	unsigned threads; /* the processors, at most 16 */
	unsigned readers_max; /* queries that run at once, others wait: 8 */
	/* Checkpoint when this much has been appended since the last: 256 MiB. Each costs the same
	 * again as the last row group of a table, so small values are dear; at a start this much is
	 * read back, 1.7 s for the default. */
	uint64_t checkpoint_bytes;
	uint64_t checkpoint_age_ms; /* or when the last was this long ago: 5 minutes */
	uint64_t checkpoint_idle_ms; /* or when nothing came for this long: 10 seconds */
	uint32_t days_back; /* 400 */
	uint32_t days_ahead; /* 1 */
	uint64_t (*now_unix_ns)(void); /* clock_unix_ns */
	/* Tests: called before each step; what is not ERR_OK fails it. */
	enum err_code (*fault)(void *ctx, enum duck_step step, struct err *err);
	void *fault_ctx;
};

/* Opens or makes the file and brings its schema up to date. Blocks on disk: replays what was not
 * checkpointed. */
MUST_CHECK enum err_code duck_open(const struct duck_options *opt, struct store **out,
    struct err *err);

#endif
