/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck.h - the store (store/store.h) that keeps telemetry in an embedded DuckDB.
 *
 * Shape on disk. <data_dir>/weir.duckdb, with
 *     meta(name, value)            'schema_version' and when it was reached
 *     seals, positions, partitions, shreds, requests      see duck_catalog.h
 *     resources, scopes            dictionaries: each distinct one once
 *     spans_<yyyymmdd>  logs_..  points_..   rows whose time column falls on that UTC day
 *     spans_other  logs_other  points_other  the catch-alls: rows further away than days_back or
 *                                  days_ahead when they came, so that hostile times cannot make tables
 *                                  without end, and rows of days with too few for a row group
 * Columns are those of model/table.h, and those of duck_catalog.h. There are no keys and no indexes.
 *
 * Promise. An append is visible whole or not at all, and at once: its rows are in the hot tail (hot/hot.h),
 * which is memory; the log keeps them until a seal (duck_seal.h) has moved them to the file. A query sees
 * one moment of both. A span or a request that is there already is recognised (duck_ident.c).
 *
 * Text is taken to be valid UTF-8: the decoder refuses what is not.
 *
 * Threading. As store.h says; inside there is one thread more, which moves rows to the
 * file and checkpoints. One process, one duck_open() of a folder: a second would corrupt it.
 *
 * Errors. ERR_BUSY: disk full, or all readers busy. ERR_UNAVAILABLE: DuckDB has shut itself after
 * a fatal error; every call fails so, and status() says so, until the thread has opened it again,
 * which it tries for ever.
 * ERR_TOO_LARGE: the answer does not fit the arena, or answer or batch DuckDB's memory. ERR_CORRUPT
 * and ERR_UNAVAILABLE (in use by another process, written by a newer weir) at open.
 */
#ifndef DUCK_DUCK_H
#define DUCK_DUCK_H

#include "store/retain.h"
#include "store/store.h"

#define DUCK_FILE "weir.duckdb"

/* What this program makes of a file; newer ones it refuses. */
uint64_t duck_schema_version(void);

/* Where an append can fail, for tests. */
enum duck_step {
	/* An append. */
	DUCK_STEP_IDENTITY, /* before the file is asked what it has */
	DUCK_STEP_HOT, /* before rows go to the hot tail */
	/* A seal. */
	DUCK_STEP_BEGIN,
	DUCK_STEP_TABLE, /* before a table is made */
	DUCK_STEP_ROWS, /* before rows go to it */
	DUCK_STEP_FLUSH, /* after them */
	DUCK_STEP_DICT, /* before dictionary rows */
	DUCK_STEP_POSITION,
	DUCK_STEP_COMMIT,
	DUCK_STEP_CHECKPOINT, /* not part of a seal */
};

/* Zeros mean the defaults. */
struct duck_options {
	struct str data_dir; /* must exist; borrowed during duck_open() */
	/* What DuckDB may take for its cache, seals and queries: 1 GiB. It treats it as approximate:
	 * 150 MiB come on top. */
	uint64_t memory_bytes_max;
	uint64_t
	    temp_bytes_max; /* of <data_dir>/tmp, for queries that do not fit in memory: 4 GiB */
	unsigned threads; /* the processors, at most 16 */
	unsigned readers_max; /* queries that run at once, others wait: 8 */
	uint64_t hot_bytes_max; /* of the hot tail, beyond which appends wait: 256 MiB */
	/* Log that may be kept for rows that are not in the file, before they are moved there although
	 * they make no whole row group: 512 MiB. A start reads so much again. */
	uint64_t log_bytes_max;
	uint64_t seal_rows; /* of a seal: SEAL_ROWS. Less only for tests */
	uint64_t identity_bytes_max; /* of the filter that recognises spans: 128 MiB */
	uint64_t filter_bytes_max; /* of the seals' trace filters in memory: 64 MiB */
	uint64_t request_age_ns; /* how long a request is recognised: 24 hours */
	uint64_t request_count_max; /* and how many: a million */
	uint64_t retry_ms; /* first pause after a seal that failed, doubled up to 30 s: 250 */
	uint64_t idle_ms; /* after so long of nothing the floor is written down: 10 seconds */
	const struct retain
	    *retain; /* copied, its rules borrowed; NULL: everything is kept for ever */
	uint64_t retain_look_ms; /* how often is looked for what is to be removed: a minute */
	/* SQL of users (duck_user.h): memory of one statement: 512 MiB; disk for what does not fit there (0 is
	 * none here); how many run at once: 2. */
	uint64_t sql_memory_bytes_max, sql_temp_bytes_max;
	unsigned sql_runs_max;
	uint32_t days_back; /* 400 */
	uint32_t days_ahead; /* 1 */
	uint64_t (*now_unix_ns)(void); /* clock_unix_ns */
	/* Tests: called before each step; what is not ERR_OK fails it. */
	enum err_code (*fault)(void *ctx, enum duck_step step, struct err *err);
	void *fault_ctx;
};

/* Opens or makes the file and brings its schema up to date. Blocks on disk: replays what was not
 * checkpointed. Which spans there are is read afterwards, by the thread: until then appends wait. */
/* `weir sql-worker`, which runs statements of users for a process that opened the store (duck_user.h): any program that
 * opens one has to do this, when it is started with that one argument. Does not return before that process has ended. */
#define DUCK_SQL_WORKER "sql-worker"
int duck_user_worker(void);

MUST_CHECK enum err_code duck_open(const struct duck_options *opt, struct store **out,
    struct err *err);

#endif
