/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_retain_priv.h - a piece of what is kept no longer: duck_retain.c chooses it, duck_remove.c removes it.
 *
 * Threading: the sealer's.
 */
#ifndef DUCK_DUCK_RETAIN_PRIV_H
#define DUCK_DUCK_RETAIN_PRIV_H

#include "duck/duck_priv.h"

enum { PIECE_SEALS = 4 };

enum duck_piece_kind {
	PIECE_NONE,
	PIECE_TABLE, /* all of a day */
	PIECE_SEALS_WHOLE, /* some of its seals */
	PIECE_TENANT, /* a tenant's rows in some of its seals */
	PIECE_OTHER, /* rows of a catch-all */
};

struct duck_piece {
	enum duck_piece_kind kind;
	struct duck_table *table;
	struct str tenant; /* PIECE_TENANT */
	size_t places[PIECE_SEALS]; /* of seals in the table's list */
	uint64_t rows[PIECE_SEALS]; /* of the tenant */
	size_t count;
	bool for_size; /* not for its age */
	uint64_t old_at_ns; /* PIECE_OTHER, for its age: at this time the rows are too old */
	uint64_t row_max; /* PIECE_OTHER */
	uint64_t bytes; /* about */
	uint64_t removed; /* out: rows */
};

/* ---- duck_retain.c */

/* The condition on a row that it is too old: by the tenant's own rule, or by everybody's. */
void duck_retain_put_old(struct duck_sql *sql, const struct duck *d, enum table_id id,
    uint64_t now_ns);

/* ---- duck_remove.c */

/* On failure the piece is all there, and may be removed later. */
MUST_CHECK enum err_code duck_remove(struct duck *d, struct duck_piece *p, struct err *err);
/* What a few of the seals that have gone wrote down about services; *done_out is set when there was something. */
MUST_CHECK enum err_code duck_remove_leftovers(struct duck *d, bool *done_out, struct err *err);

#endif
