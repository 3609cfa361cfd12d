/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_user_worker.h - the process that runs users' SQL, from inside (duck_user.h).
 *
 * One statement at a time. Several threads of its DuckDB ask for rows at once; one of them reads the socket and gives
 * each frame to the scan it is for, the others wait for it.
 *
 * Limits that DuckDB keeps are errors and have a sentence; what it does not keep (a text of gigabytes, a stack that ends)
 * is the end of this process, which the other one notices.
 */
#ifndef DUCK_DUCK_USER_WORKER_H
#define DUCK_DUCK_USER_WORKER_H

#include "duck/duck_user_priv.h"

#include "base/arena.h"
#include "base/map.h"
#include "sys/thread.h"

struct user_frame { /* rows that came and were not taken yet */
	struct user_frame *next;
	size_t len;
	char bytes[];
};

struct worker_scan {
	uint32_t id;
	struct user_frame *first, **last;
	uint32_t taken_bytes; /* not told yet */
	bool ended;
	struct worker_scan *next;
};

/* What an id stands for: texts that columns of spans, logs and points name. */
struct worker_dict {
	bool loaded;
	struct map place; /* id -> place in texts */
	struct str *texts[2]; /* a resource: its attributes; a scope: name, version */
	size_t count, cap;
};

struct worker_query {
	uint64_t number, now_ns, row_max, bytes_max;
	enum store_sql_format format;
	char *sql; /* NUL-terminated, owned */
};

struct worker {
	duckdb_database db;
	duckdb_connection con;
	uint64_t memory_bytes, temp_bytes, file_bytes;
	uint32_t threads;
	int result_fd; /* where Parquet goes */
	struct worker_query query;
	struct user_bounds bounds[USER_VIEWS];
	uint64_t sent_bytes; /* of the answer */
	enum err_code code; /* of what went wrong first */
	char why[ERR_MESSAGE_BYTES];

	struct mutex lock;
	struct cond changed;
	bool reading; /* one thread is at the socket */
	bool again; /* begin anew */
	bool scan_failed; /* the other process could not read; code and why say so */
	struct buf in;
	size_t in_off;
	struct worker_scan *scans;
	uint32_t last_scan;
	struct mutex out_lock; /* of what is written */

	struct mutex dict_lock;
	struct worker_dict dicts[2];
	struct arena arena; /* of the dictionaries and bounds, of one query */
	void *infos[USER_VIEWS][USER_PARTS];
	struct answer *answer; /* what weir_result() reads */
};

/* Set what went wrong, unless something did already; false, for `return`. */
bool worker_fail(struct worker *w, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What DuckDB said, as JSON (errors_as_json) or text: in a sentence without names that are not the user's. `skip`: so many
 * bytes before the user's text. */
bool worker_fail_duck(struct worker *w, const char *text, size_t skip);
/* The same when message and place (decimal; empty: not known) are apart already. */
bool worker_fail_at(struct worker *w, struct str message, struct str position, size_t skip);
/* All of a buffer; the other side gone is the end of this process. */
void worker_send(struct worker *w, const struct buf *frame);

/* Ask for rows; the scan's number. */
struct worker_scan *worker_open_scan(struct worker *w, enum table_id table, const uint8_t *cols,
    size_t col_count, const struct user_bounds *bounds);
/* The next rows of a scan, to be freed; NULL: there are no more, or *failed. Any thread of DuckDB. */
struct user_frame *worker_next(struct worker *w, struct worker_scan *s, bool *failed);
void worker_forget_scans(struct worker *w);

/* A statement without an answer. */
MUST_CHECK bool worker_exec(struct worker *w, const char *sql);
/* The only text that a statement answers with, appended; `skip` as above. Parameter: NULL, or $1. */
MUST_CHECK bool worker_text(struct worker *w, const char *sql, const struct str *parameter,
    size_t skip, struct buf *out);

/* The function that COPY reads an answer by. */
MUST_CHECK bool user_register_result(struct worker *w);

/* One value of an answer, duck_user_value.c: as JSON; as the text that CSV has. */
void worker_put_json(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row);
void worker_put_csv(struct buf *out, duckdb_logical_type type, duckdb_vector v, idx_t row);
void worker_put_type(struct buf *out, duckdb_logical_type type);
/* Can it be shown as it is? Else it is asked for as VARCHAR. */
bool worker_knows_type(duckdb_logical_type type);

#endif
