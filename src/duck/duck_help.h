/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_help.h - threads that help with large statements, and leave small ones alone.
 *
 * DuckDB gives its own threads a part of every statement. A question about one trace, 5 ms of work, then
 * takes 1 to 2 ms longer: threads wake up, take what its caller was about to do, and the caller waits for
 * them. So DuckDB is told to have none (external_threads), each statement is worked on by the thread that runs
 * it, and those here join in while somebody says that there is much to do.
 *
 * Who joins in works on whatever DuckDB has to do meanwhile, of others too.
 *
 * Threading: begin() and end() from any thread, in pairs; start() and stop() from the owner of the
 * database, with no pair open at stop().
 */
#ifndef DUCK_DUCK_HELP_H
#define DUCK_DUCK_HELP_H

#include "base/err.h"
#include "sys/thread.h"

#include <duckdb.h>

struct duck_shift;

struct duck_help {
	struct mutex lock; /* leaf */
	struct cond changed;
	struct thread *threads;
	unsigned count;
	duckdb_database db; /* borrowed */
	struct duck_shift *shift; /* under way; NULL: nobody wants help */
	struct duck_shift *leaving; /* has ended, and helpers are still in it */
	unsigned wanted; /* pairs that are open */
	bool stop;
};

void duck_help_init(struct duck_help *h);
void duck_help_fini(struct duck_help *h);

MUST_CHECK enum err_code duck_help_start(struct duck_help *h, duckdb_database db, unsigned count,
    struct err *err);
void duck_help_stop(struct duck_help *h); /* before the database is closed; not started: fine */

void duck_help_begin(struct duck_help *h);
void duck_help_end(struct duck_help *h);

#endif
