/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_check.h - is the store's file whole, and mending what can be mended of it.
 *
 * What is checked (the kinds are in base/finding.h):
 *     the schema        tables and columns, the list of partitions against the tables there are, the keys of
 *                       attribute columns against the columns
 *     seals             rows against seals, counts, times and services, both ways; positions
 *     rows              places in the log that come twice, spans that come twice, resources and scopes that
 *                       rows name and nobody has, attributes that cannot be read, impossible values
 *     blocks            every column of every table is read once, for DuckDB compares a block's checksum when
 *                       it reads it from the disk; left out of a quick check
 *
 * A file that nobody has open is opened read-only by itself: nothing is migrated, mended or checkpointed, and
 * DuckDB's log is replayed in memory only. Of one that is in use all is read in one transaction, that is
 * of one moment; what a statement beside a commit did not see (duck_gate.h) is asked again, and at last with
 * commits kept out. Rows of the hot tail are not in the file, and blocks that DuckDB has in its memory
 * are not read from the disk again.
 *
 * Memory. What DuckDB may take, as for questions; what grows with the rows (is a span there twice?) is asked
 * for a part of them at a time.
 */
#ifndef DUCK_DUCK_CHECK_H
#define DUCK_DUCK_CHECK_H

#include "base/finding.h"
#include "duck/duck.h"

struct duck_check_options {
	bool quick; /* leave out what has to read every column */
	uint64_t memory_bytes_max; /* of a file that nobody has open; 0: 1 GiB */
	unsigned threads; /* the same; 0: the processors */
	const struct finding_sink *sink;
	/* Rows of a day (DUCK_DAY_OTHER's have the day of their time) and tenant; NULL: not wanted. */
	void (*count)(void *ctx, enum table_id id, uint64_t day, struct str tenant, uint64_t rows);
	void *count_ctx;
};

struct duck_checked {
	bool is_there; /* the file */
	bool readable; /* far enough to know what follows */
	uint64_t floor; /* the log is not needed up to it */
	uint64_t last_seq; /* the last record that any row, position or request is of */
	uint64_t rows[SIGNAL_TABLES];
	uint64_t tables, seals;
};

/* An error: it could not be checked. What is wrong with the file is a finding. */
MUST_CHECK enum err_code duck_check_file(struct str data_dir, const struct duck_check_options *opt,
    struct duck_checked *out, struct err *err);
/* Of the store that is open. Any thread; ends early with ERR_DEADLINE when the store is cancelled. */
MUST_CHECK enum err_code duck_check_store(struct store *s, const struct duck_check_options *opt,
    struct duck_checked *out, struct err *err);

/* Mend what finding_mends() says of a file that nobody has open and that has been copied; `done` is told of
 * each thing. What stands in it beyond that is left as it is. */
MUST_CHECK enum err_code duck_mend_file(struct str data_dir, const struct duck_check_options *opt,
    void (*done)(void *ctx, const char *text), void *ctx, struct err *err);

#endif
