/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_check_priv.h - what the files of the check share.
 *
 *     duck_check.c         opening, asking, what a failure says    duck_check_schema.c  tables and columns
 *     duck_check_seals.c   seals and positions                     duck_check_rows.c    rows
 *     duck_check_sums.c    sums of seals
 *     duck_mend.c          mending
 */
#ifndef DUCK_DUCK_CHECK_PRIV_H
#define DUCK_DUCK_CHECK_PRIV_H

#include "duck/duck_check.h"
#include "duck/duck_priv.h"

struct check_table {
	enum table_id id;
	int64_t day;
	char name[DUCK_TABLE_NAME_BYTES];
	bool damaged; /* it cannot be asked: it has been said why */
	bool said; /* which of its columns cannot be read */
	uint64_t rows;
};

struct check {
	struct duck *d;
	duckdb_connection con;
	bool live; /* commits happen meanwhile */
	bool over; /* DuckDB gives no more answers */
	bool refused; /* nor did it to the last question */
	bool
	    any_answer; /* only whether there is one counts: what a commit falls into is not asked again */
	uint64_t
	    log_at; /* byte at which DuckDB's log is damaged; UINT64_MAX: it is not, or nobody says */
	const struct duck_check_options *opt;
	struct duck_checked *out;
	struct check_table *tables;
	size_t count;
};

/* ---- duck_check.c */

/* The file by itself; *d_out is a store only so far as statements need one. */
MUST_CHECK enum err_code duck_check_open(struct str data_dir, const struct duck_check_options *opt,
    bool read_only, struct check *c, struct err *err);
void duck_check_close(struct check *c);

/* Each row (place VARCHAR, text VARCHAR) of the answer is a finding. t: the table that is asked; NULL: several. */
MUST_CHECK enum err_code duck_check_say(struct check *c, enum finding_kind kind,
    struct check_table *t, struct duck_sql *sql, struct err *err);
/* Give each chunk of the answer to `take`, after `forget`, once it is certain. */
MUST_CHECK enum err_code duck_check_read(struct check *c, struct check_table *t,
    struct duck_sql *sql,
    enum err_code (*take)(void *ctx, duckdb_data_chunk chunk, struct err *err),
    void (*forget)(void *ctx), void *ctx, struct err *err);
MUST_CHECK enum err_code duck_check_number(struct check *c, struct check_table *t,
    struct duck_sql *sql, uint64_t *out, struct err *err);

/* By what rows of a signal are told apart, besides their place in the log. SQL: the columns, those of them that are hashed,
 * what a row is called; and what is said when the others have been removed. NULL: they are not. */
struct check_identity {
	enum finding_kind kind;
	const char *by, *hashed, *said, *mended;
};
const struct check_identity *duck_check_identity(enum table_id id);

/* "SELECT .." of r and s: services of a table's seals, as rows have them and as they were counted, where the two differ. */
void duck_check_put_services(struct duck_sql *sql, const struct check_table *t, const char *select);

/* ---- the parts, in this order */

/* Fills in c->tables. *usable_out: the catalog is whole enough to go on. */
MUST_CHECK enum err_code duck_check_load(struct check *c, struct err *err); /* the tables alone */
MUST_CHECK enum err_code duck_check_schema(struct check *c, bool *usable_out, struct err *err);
MUST_CHECK enum err_code duck_check_blocks(struct check *c, struct err *err);
MUST_CHECK enum err_code duck_check_seals(struct check *c, struct err *err);
MUST_CHECK enum err_code duck_check_rows(struct check *c, struct err *err);
MUST_CHECK enum err_code duck_check_sums(struct check *c, struct err *err);

/* ---- duck_check_sums.c, for mending, too */

/* The rows of a seal, as far as they are summed up. */
MUST_CHECK enum err_code duck_check_build_sums(struct check *c, struct check_table *t, uint64_t gen,
    enum err_code (*use)(void *ctx, const struct seal_row *rows, size_t count, struct err *err),
    void *ctx, struct err *err);
MUST_CHECK enum err_code duck_check_compare_sums(struct check *c, struct check_table *t,
    uint64_t gen, bool *same_out, struct err *err);
MUST_CHECK enum err_code duck_check_each_sum(struct check *c, struct check_table *t,
    enum err_code (*each)(void *ctx, struct check_table *t, uint64_t gen, struct err *err),
    void *ctx, struct err *err);

/* The name of a table, of columns base and day. */
#define CHECK_NAME_SQL                                                                             \
	"base || '_' || CASE day WHEN -1 THEN 'other' ELSE"                                        \
	" replace((DATE '1970-01-01' + day::INTEGER)::VARCHAR, '-', '') END"

#endif
