/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_parts.h - sums that a seal writes down of its rows, so that an analysis (store/partial.h) need not read
 * them again.
 *
 * The rows of a tenant in a seal are cut into slices of time, and of each slice there are, as parts:
 *
 *     services     the map of services of a partial: spans with their durations, log records, or points
 *     operations   of spans: the map of operations
 *     hashes       for each service: of its traces (spans), or of the names of its metrics (points)
 *
 * An analysis merges the parts of slices that are wholly in its window, and reads rows only of those that an end of the
 * window cuts: of a seal or three, for a seal holds seconds to hours. A straggler that stretches a seal's time
 * costs a slice of its own, not the reading of the seal.
 *
 *     seal_parts(gen, number, tenant, kind, service, width_s, first_ns, last_ns, items)
 *                  a row for each part. width_s: of the slice, whose bounds are multiples of it; first_ns, last_ns: of the
 *                  tenant's rows in the slice; service: of hashes. items: bytes of the map, or hashes; 0: there was too much
 *                  for a map, read the rows of these times
 *     seal_words(gen, number, kind, place, word)    bytes of maps, eight in a word
 *     seal_hashes(gen, number, hash)
 *
 * Why words. DuckDB rewrites a row group that is not full at each checkpoint. Few rows with large values never fill
 * one: all that they ever held would be written again at each seal. Words of eight bytes fill a group every few seals.
 *
 * The width. Slices are a minute wide, unless that makes more than DUCK_PART_BYTES for each row: then 10 minutes, an
 * hour, a day. What is too much for a day's slice is left out. A tenant's parts depend on nothing but its own rows.
 *
 * Written in the transaction of a seal, removed as duck_services.h says.
 */
#ifndef DUCK_DUCK_PARTS_H
#define DUCK_DUCK_PARTS_H

#include "duck/duck_seal.h"
#include "duck/duck_sql.h"

#include "base/arena.h"
#include "base/buf.h"

/* Part of the schema, as of version 3. */
#define DUCK_PARTS_TABLES                                                                          \
	"CREATE TABLE seal_parts(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"                  \
	" tenant VARCHAR NOT NULL, kind INTEGER NOT NULL, service VARCHAR NOT NULL,"               \
	" width_s UINTEGER NOT NULL, first_ns UBIGINT NOT NULL, last_ns UBIGINT NOT NULL,"         \
	" items UBIGINT NOT NULL);"                                                                \
	"CREATE TABLE seal_words(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"                  \
	" kind INTEGER NOT NULL, place UINTEGER NOT NULL, word UBIGINT NOT NULL);"                 \
	"CREATE TABLE seal_hashes(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"                 \
	" hash UBIGINT NOT NULL)"

enum duck_part_kind { PART_SERVICES = 1, PART_OPERATIONS, PART_HASHES };

enum {
	DUCK_PART_BYTES = 1, /* for each row, at most: of services and operations each */
	DUCK_PART_BYTES_MIN = 4096, /* what a tenant may have in any case */
	DUCK_PART_WORD = 8,
	DUCK_PART_NUMBER_BITS =
	    24, /* 5 for each row of the largest seal: duck_parts_build() makes no more */
};

struct duck_part {
	enum duck_part_kind kind;
	uint32_t width_s;
	struct str tenant, service; /* borrowed of the rows */
	uint64_t first_ns, last_ns;
	uint64_t items;
	size_t at; /* in bytes, or, in places of 8 bytes, in hashes */
};

struct duck_parts {
	struct buf list; /* of struct duck_part */
	struct buf bytes; /* of maps, each begins at a multiple of DUCK_PART_WORD */
	struct buf hashes; /* of uint64_t, ascending in each part */
};

/* Of the rows of one seal, of any tenants; of a signal that has services. */
void duck_parts_build(enum table_id id, const struct seal_row *rows, size_t count,
    struct duck_parts *out);
void duck_parts_fini(struct duck_parts *p);
size_t duck_parts_count(const struct duck_parts *p);
const struct duck_part *duck_parts_at(const struct duck_parts *p, size_t i);

/* The columns of a table, for duck_read(): those that are not summed up are not read, in their place stands a value of
 * their type. */
void duck_parts_columns(struct duck_sql *sql, enum table_id id);

/* All that is written down of the rows of a seal: seal_services and these. */
MUST_CHECK enum err_code duck_sums_write(struct duck *d, duckdb_connection con, enum table_id id,
    uint64_t gen, const struct seal_row *rows, size_t count, struct err *err);
MUST_CHECK enum err_code duck_parts_write(struct duck *d, duckdb_connection con, uint64_t gen,
    const struct duck_parts *p, struct err *err);

/* duck_resum.c, on the sealer's thread: sums for a seal that has none, because it was written by a weir of before; the
 * newest first. Until it has them its rows are read. *done_out: there was one. */
MUST_CHECK enum err_code duck_resum(struct duck *d, bool *done_out, struct err *err);

#endif
