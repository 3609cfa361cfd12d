/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_kit_test.h - what the tests of the DuckDB store share: opening it, waiting for its sealer,
 * a log of made-up requests that can be read again from any place, and comparing what two stores have.
 *
 * The made-up log. Request `seq` is the same whenever it is asked for: up to KIT_ROWS_MAX rows of all
 * three signals and two tenants, most of them of the last two days, some of any of 60 days, of 400, or
 * of times far away. One span in six has the ids and the time of another one, and one request in seven
 * is one that was sent before; two in five were pulled, from three sources. A store in memory that is given the same log says what is to be seen.
 */
#ifndef DUCK_DUCK_KIT_TEST_H
#define DUCK_DUCK_KIT_TEST_H

#include "duck/duck_priv.h"

enum {
	KIT_ROWS_MAX = 40,
	KIT_REQUEST_BYTES = 1000,
	KIT_REPEAT_EVERY = 7,
	KIT_REPEAT_OF = 3,
	KIT_SOURCES_MAX = 8
};

/* What the store takes for now: CONFORMANCE_NOW_NS, unless a test sets the clock. */
uint64_t duck_kit_now(void);
void duck_kit_set_now(uint64_t unix_ns);

/* Two threads, the clock above, and a first pause of 1 ms after a seal that failed. */
struct duck_options duck_kit_options(const char *dir);
/* The same, and everything that makes seals frequent and small: groups of 64 rows, and catch-alls for
 * what is older than 20 requests of the log. */
struct duck_options duck_kit_eager(const char *dir);
/* It fails the test when the store does. */
struct store *duck_kit_open(const struct duck_options *opt);
/* With duck_kit_options() and these. */
struct store *duck_kit_open_small(const char *dir, uint64_t seal_rows, uint64_t hot_bytes_max);

/* The first number of a statement's answer, which is a UBIGINT. */
uint64_t duck_kit_number(struct store *s, const char *sql);
/* On a file that nobody has open; the second one gives the first column of the answer, `most` rows at most. */
void duck_kit_sql_on_file(const char *dir, const char *sql);
size_t duck_kit_numbers_on_file(const char *dir, const char *sql, uint64_t *out, size_t most);

/* Until the sealer has looked at everything and found nothing to do. */
void duck_kit_wait_quiet(struct store *s);
/* Append nothing but log bytes, so many that all rows there are must leave memory, and wait. The batch
 * takes the position after the last one. */
void duck_kit_flush(struct store *s);

/* A store in front of it (closed with it) whose batches bring bytes of the log, and which waits
 * for the sealer after each `quiet_every`th of them (0: never). */
struct store *duck_kit_churn(struct store *duck, uint64_t batch_bytes, uint64_t quiet_every);

/* ---- the made-up log */

/* Requests first .. last, as one batch. */
void duck_kit_batch(struct batch *b, uint64_t first, uint64_t last);
/* What the loader does: append (last) .. `to` of the log in batches of a few requests, and check that
 * repeated requests are known. From store_applied() on. */
void duck_kit_load(struct store *s, uint64_t to, uint64_t seed);
struct hash128 duck_kit_identity(uint64_t seq);
uint64_t duck_kit_random(uint64_t a, uint64_t b, uint64_t c);
/* The same numbers for the same state: 0 .. n - 1. */
struct duck_kit_dice {
	uint64_t state;
};
uint64_t duck_kit_roll(struct duck_kit_dice *d, uint64_t n);

/* ---- batches made by hand */

/* Empty; it is request `seq` of a log, each of KIT_REQUEST_BYTES. */
void duck_kit_begin(struct batch *b, uint64_t seq);
/* One span, or comment, of "acme"; the caller may set more of its row, which is given back. */
size_t duck_kit_span(struct batch *b, uint64_t seq, uint32_t ord, uint64_t span_id,
    uint64_t start_ns);
size_t duck_kit_comment(struct batch *b, uint64_t seq, uint32_t ord, const char *id,
    uint64_t created_ns);

/* ---- comparing */

/* All rows of both tenants and the dictionary rows they name, and how far sources were pulled; fails the test where they differ. */
void duck_kit_same(struct store *s, struct store *reference);
/* Read the log again up to `to`, compare; sometimes seal all of it and compare again. */
void duck_kit_catch_up(struct store *s, uint64_t to, uint64_t seed, struct store *reference);
/* Open it again, without faults, and compare: it is at the same position. Closes both. */
void duck_kit_same_reopened(struct store *s, const struct duck_options *opt,
    struct store *reference);
/* How many rows of a kind `tenant` sees, all different by (seq, ord). */
size_t duck_kit_count(struct store *s, enum store_query_kind kind, const char *tenant);

/* Fails the test when the check finds damage in a file that nobody has open. */
void duck_kit_whole(const char *dir);

/* Copy the files of a folder to a new one: what a process that is killed now leaves. */
const char *duck_kit_copy(const char *dir);

#endif
