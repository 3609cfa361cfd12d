/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_user.h - SQL of users: read-only, of one tenant, and what it does to the machine is bounded.
 *
 * A statement of DuckDB can take all memory with one call of a function, which nothing interrupts; its errors can make a
 * database unusable; and in the file are the tables of all tenants. So a user's SQL never meets the database that has the
 * telemetry. It runs in another process of this program (sys/child.h), the *worker*, in a DuckDB of its own that is
 * empty: its only tables are functions that ask this process for rows, over a pair of sockets.
 *
 *     this process                                      worker (weir sql-worker), confined
 *     duck_user_run.c   gives it the statement,   ───►  duck_user_check.c  one SELECT, of views and functions
 *       kills it when time is up,                         that are on a list
 *       the client gone, memory taken                   duck_user_plan.c   which times, traces, services it needs
 *     duck_user_scan.c  reads the tenant's rows:  ◄───  duck_user_table.c  asks for columns within those bounds
 *       one moment of hot tail and file           ───►    and makes the views' columns of them
 *     passes the answer on                        ◄───  duck_user_answer.c JSON, NDJSON, CSV or Parquet
 *
 * What the worker says is taken as hostile as the user's text: it can name columns of the signals' tables, bounds, and
 * nothing else; the tenant is never its to say. It serves one tenant, and is thrown away when anything was unusual.
 *
 * The views and their columns are in duck_user_views.c; docs/sql.md describes them.
 *
 * Threading: run() from any thread, up to d->opt.sql_runs_max at once. Worker processes that wait for the next
 * statement belong to struct duck_user_pool, whose lock is a leaf.
 */
#ifndef DUCK_DUCK_USER_H
#define DUCK_DUCK_USER_H

#include "store/sql.h"

#include "sys/child.h"
#include "sys/thread.h"

struct duck;

enum { DUCK_USER_IDLE_MAX = 4 };

struct duck_user_idle {
	struct child child;
	char *tenant; /* whose statements it has run; owned */
	uint64_t since_mono_ns;
	uint32_t runs;
};

struct duck_user_pool {
	struct mutex lock;
	struct duck_user_idle idle[DUCK_USER_IDLE_MAX];
	size_t idle_count;
	unsigned running;
	uint64_t life; /* when it began */
	bool swept; /* files of workers that were killed in an earlier life are gone */
};

void duck_user_init(struct duck_user_pool *p);
void duck_user_fini(struct duck *d);
/* End the workers that nobody has asked for a while. */
void duck_user_tidy(struct duck *d, uint64_t now_mono_ns);

extern const struct store_sql_view duck_user_views[]; /* ends with a NULL name */

MUST_CHECK enum err_code duck_user_run(struct store *s, const struct store_sql *q,
    struct store_sql_answer *out, struct err *err);

#endif
