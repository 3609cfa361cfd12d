/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_seal.h - moving rows from memory to the file, and the thread that does it.
 *
 * A seal is one transaction: the table, when it is new; the first rows of one part of the hot tail,
 * sorted; what dictionaries and request identities have gained; one row in `seals`; the
 * positions. Then the hot tail lets go of the rows, the catalog learns of the seal, and, with the
 * next checkpoint, the log is no longer needed for them.
 *
 * When. Row groups of DuckDB have SEAL_ROWS rows, and only whole ones are cheap: a table whose last
 * group is not full has it rewritten at the next checkpoint. So as a rule a part is sealed when it
 * has SEAL_ROWS rows, whatever its age, for the log keeps them. What does not get that far (late rows,
 * a signal with little traffic beside one with much) is put into the catch-all table of its signal when
 * it has kept too much of the log alive (log_bytes_max) or memory is short (hot_bytes_max). From there
 * it is moved to its day's table when that makes a whole row group (duck_stage.c). Small row groups are
 * thus written in one table for each signal only.
 *
 * When it fails. All is rolled back and tried again, after a pause that grows. What can not pass by
 * itself is bisected: smaller and smaller prefixes are tried until one row is left, which goes to
 * whoever asked for such rows (store_on_poison()) and is left out. Without anybody to take it, it stays, and so
 * does the log.
 */
#ifndef DUCK_DUCK_SEAL_H
#define DUCK_DUCK_SEAL_H

#include "hot/hot.h"

#include "base/bloom.h"
#include "base/err.h"

#include <duckdb.h>

struct duck;
struct duck_table;

enum { SEAL_ROWS = 122880, SEAL_SORT_BUCKET_S = 600 };

/* A row of the hot tail, or of the catch-all. */
struct seal_row {
	const struct table *rows;
	uint32_t row;
};

/* ---- duck_sort.c */

/* The rows of the slices in the order they are stored: spans by (10 minutes, trace, start), logs by
 * (10 minutes, service, time), points by (10 minutes, name, series, time). Malloc'd; count rows. */
struct seal_row *duck_sort(enum table_id id, const struct hot_slice *slices, size_t slice_count,
    size_t count);

/* ---- duck_write.c */

struct seal_filters {
	struct bloom_builder traces, attrs;
};

/* Append sorted rows to table `name` in the transaction of con. `table`: its columns of attributes, of which
 * those whose bits are in `live` are used; NULL: whole attributes (the catch-all). Fills in the filters. */
MUST_CHECK enum err_code duck_write_rows(struct duck *d, duckdb_connection con, const char *name,
    const struct duck_table *table, uint32_t live, enum table_id id, uint64_t gen,
    const struct seal_row *rows, size_t count, struct seal_filters *filters, struct err *err);
/* Rows of a dictionary, as they stand. */
MUST_CHECK enum err_code duck_write_dict(struct duck *d, duckdb_connection con, enum table_id id,
    const struct hot_slice *slices, size_t slice_count, struct err *err);

/* ---- duck_seal.c: one seal, on the sealer's thread */

enum seal_into { SEAL_INTO_DAY, SEAL_INTO_OTHER };

/* The first `rows` rows of a part. Generation, hot tail and catalog are moved on when it succeeds.
 * table TABLE_STORED_COUNT: no rows, only dictionaries, identities and the floor. */
MUST_CHECK enum err_code duck_seal(struct duck *d, enum table_id table, int64_t day, uint64_t rows,
    enum seal_into into, struct err *err);

/* The same for rows that are in the catch-all: delete_moved runs in the transaction. */
typedef enum err_code (*duck_delete_fn)(struct duck *d, enum table_id id, uint64_t day,
    const struct table *rows, struct err *err);
MUST_CHECK enum err_code duck_seal_moved(struct duck *d, enum table_id table, int64_t day,
    const struct table *rows, duck_delete_fn delete_moved, struct err *err);

/* No rows: what `change` does to the file is done in the transaction, with a generation of its own. */
typedef enum err_code (*duck_change_fn)(struct duck *d, uint64_t gen, void *ctx, struct err *err);
MUST_CHECK enum err_code duck_seal_change(struct duck *d, duck_change_fn change, void *ctx,
    struct err *err);

/* Delete the identities of requests of smaller seqs. */
MUST_CHECK enum err_code duck_forget_requests(struct duck *d, uint64_t below_seq, struct err *err);

/* ---- duck_stage.c */

/* Move a whole row group of one day from a catch-all to the day's table, if there is one. */
MUST_CHECK enum err_code duck_stage_move(struct duck *d, bool *moved_out, struct err *err);

#endif
