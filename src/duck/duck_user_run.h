/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_user_run.h - one statement of a user, as this process sees it: duck_user_run.c talks to the worker,
 * duck_user_scan.c reads what it asks for.
 *
 * Rows are read in pieces, a statement each, a few seals of a table. What was read is only true when no commit ran
 * meanwhile (duck_gate.h), so a piece waits in `out` until that is known; a commit fell into it: it is thrown away and read
 * anew with the gate held. A piece that is larger than HELD_BYTES (and the first one of a scan, for a statement with a limit
 * shall not wait for it) is sent while it is read; should it turn out not to be true the worker begins anew.
 *
 * All of it is one thread's. Nobody waits with the gate held but for a piece that was read twice and is large.
 */
#ifndef DUCK_DUCK_USER_RUN_H
#define DUCK_DUCK_USER_RUN_H

#include "duck/duck_query_priv.h"
#include "duck/duck_user_priv.h"

struct user_scan {
	struct duck_question ask; /* first: duck_units_put() gives it back */
	struct store_query q; /* what of its bounds the store can look for */
	uint32_t id;
	enum table_id table;
	uint8_t cols[USER_COLUMNS_MAX];
	size_t col_count;
	struct duck_units units;
	size_t next; /* unit */
	uint64_t piece_rows; /* of the next piece, about */
	uint64_t not_taken; /* bytes that were sent */
	bool begun, finished;
};

struct user_run {
	struct duck *d;
	const struct store_sql *q;
	struct store_sql_answer *answer;
	size_t answer_start; /* in its buffer */
	struct child child;
	struct buf in; /* of the worker, from in_off on */
	size_t in_off;
	struct buf out; /* for the worker, from out_off on; only what is before `ready` may go */
	size_t out_off, ready;
	struct user_scan **scans; /* by place; never more than USER_SCANS_MAX */
	size_t scan_count;
	struct arena arena; /* texts of bounds, services */
	duckdb_connection con; /* NULL: no rows were asked for */
	struct duck_view view;
	bool careful; /* from now on every piece is read with the gate held */
	unsigned begun_anew;
	uint64_t next_look_ns; /* at the worker's memory */
	bool done; /* code says how */
	enum err_code code;
	bool worker_failed; /* it is not to be used again */
	struct err err;
};

/* Send what may be sent and take what came, without waiting; `wait`: until there is something to do, a moment at most.
 * False: it is over. */
bool user_io(struct user_run *r, bool wait);
/* It is over, so. */
void user_end(struct user_run *r, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- duck_user_scan.c */

enum { USER_OUT_BYTES_MAX = 8 << 20 };

/* The body of an 'S' frame; what makes no sense ends the run. */
void user_scan_begin(struct user_run *r, struct user_reader *body);
struct user_scan *user_scan_find(struct user_run *r, uint32_t id);
/* Read the next piece of a scan that the worker waits for; false: there is none. */
bool user_scan_some(struct user_run *r);
/* All scans end, and their connection goes back. */
void user_scan_fini(struct user_run *r);

#endif
