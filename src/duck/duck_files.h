/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_files.h - telemetry in files: Parquet out, Parquet and databases of other programs in. It has nothing to
 * do with the store: a DuckDB in memory reads and writes the files.
 *
 * What is written. One row an item: the columns of model/columns.h under their names, those of its resource and scope as
 * resource_* and scope_*, "time" as a timestamp and, of spans and logs, "trace_id" as 32 hex digits, for who reads it
 * with other programs. seq and ord are left out. Compressed with zstd.
 *
 * What is read.
 *     Parquet as it is written here, of each signal
 *     Parquet of spans with the columns span_id, trace_id, service_name, name, start_time .. (ids as hex digits, attributes,
 *         events and resource_attributes as plain JSON)
 *     a DuckDB database with a table `spans` of columns trace_id, span_id, parent_span_id, service_name .. attributes_json,
 *         events_json, junjo_*: those that were taken out of the attributes are put back
 * A column `tenant` (or tenant_id) says whose a row is, when there is one. Columns that are not known are counted.
 *
 * Threading: one owner; blocks on disk. Errors: ERR_INVALID (not such a file: the message says what is missing),
 * ERR_NOT_FOUND, ERR_IO.
 */
#ifndef DUCK_DUCK_FILES_H
#define DUCK_DUCK_FILES_H

#include "base/err.h"
#include "model/table.h"

struct duck_files;

MUST_CHECK enum err_code duck_files_open(struct duck_files **out, struct err *err);
void duck_files_close(struct duck_files *f); /* NULL allowed */

/* Rows, and the resources and scopes that they name, become a file, which must not be there yet. */
MUST_CHECK enum err_code duck_files_write(struct duck_files *f, const struct table *rows,
    const struct table *resources, const struct table *scopes, const char *path, struct err *err);

struct duck_files_source {
	enum table_id signal; /* TABLE_SPANS .. TABLE_POINTS */
	uint64_t rows;
	uint64_t unknown_columns; /* that are left out */
	uint64_t repeats; /* spans with the ids of another one */
	char kind[64]; /* for people: "Parquet of weir's" */
};

/* What to read: a file of Parquet, or a database. */
MUST_CHECK enum err_code duck_files_source(struct duck_files *f, const char *path, bool parquet,
    struct duck_files_source *out, struct err *err);

/* Rows of the source, with a resource and a scope each (equal ones have equal ids), in the order of the file. They live
 * during the call. bad_json: so many attributes, events or links of them were no JSON, and are left out. */
typedef enum err_code (*duck_files_take)(void *ctx, const struct table *rows,
    const struct table *resources, const struct table *scopes, uint64_t bad_json, struct err *err);
/* All rows behind the first `skip`. What `take` fails with ends it. */
MUST_CHECK enum err_code duck_files_read(struct duck_files *f, uint64_t skip, duck_files_take take,
    void *ctx, struct err *err);

#endif
