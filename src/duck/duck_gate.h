/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_gate.h - commits and those who read the file keep out of each other's way.
 *
 * While a transaction commits rows into a table that a checkpoint has just written, DuckDB (1.5.6) for a
 * moment shows none of the rows in the row group they go to: a statement that falls into that moment
 * answers without them, and without an error, whatever its snapshot. Seen with DuckDB alone, in
 * tables of a few rows, one thread that inserts, commits and checkpoints and two that read: 17 of 12,000
 * statements; without the checkpoints none, and none of 57,000 while no statement ran beside a commit.
 *
 * So whoever reads the file does it in one of three ways:
 *
 *     a question     looks when it begins and when it ends; if there was a commit in between its
 *                    answer is thrown away. That costs nobody anything, and commits are rare and short
 *     the same again holds the gate during each statement: a commit waits for its end. So a question
 *                    that takes longer than it is from one commit to the next is answered too
 *     an append      passes: a statement of a few ms that a commit waits for. It waits itself while
 *                    a commit runs, but not while that waits for questions, which may take seconds
 *
 * A commit is in no hurry, and a question that is thrown away takes twice as long: so it waits for the end of those that
 * are under way, for as long as its patience lasts; not for those that come meanwhile, or it might wait for ever.
 *
 * The sealer's own statements are never beside its commits. Threads: one closes (the sealer), any number
 * do the rest.
 */
#ifndef DUCK_DUCK_GATE_H
#define DUCK_DUCK_GATE_H

#include "sys/thread.h"

struct duck_gate {
	struct mutex lock; /* leaf */
	struct cond changed;
	uint64_t commits; /* that have begun */
	unsigned questions, appends; /* inside */
	unsigned under_way[2]; /* questions, by the side they came to */
	unsigned side; /* where those come to that a commit need not wait for */
	bool wanted; /* a commit waits for those inside, or runs */
	bool closed; /* it runs */
};

void duck_gate_init(struct duck_gate *g);
void duck_gate_fini(struct duck_gate *g);

/* The sealer, around a COMMIT. close() waits for those under way, at most so long, and then for those inside. */
void duck_gate_close(struct duck_gate *g, uint64_t patience_ns);
void duck_gate_open(struct duck_gate *g);

/* When no commit runs: how many there have been. False: it is time. */
MUST_CHECK bool duck_gate_look(struct duck_gate *g, uint64_t deadline_mono_ns,
    uint64_t *commits_out);
/* No commit has begun since: what was read is true. */
MUST_CHECK bool duck_gate_same(struct duck_gate *g, uint64_t commits);

/* A question is under way, from before it looks until it ends: what enter() gave is for leave(). */
unsigned duck_gate_enter(struct duck_gate *g);
void duck_gate_leave(struct duck_gate *g, unsigned side);

/* No commit until release(). False: it is time, and nothing is held. */
MUST_CHECK bool duck_gate_hold(struct duck_gate *g, uint64_t deadline_mono_ns);
void duck_gate_release(struct duck_gate *g);

/* No commit until passed(), which is soon. */
void duck_gate_pass(struct duck_gate *g);
void duck_gate_passed(struct duck_gate *g);

#endif
