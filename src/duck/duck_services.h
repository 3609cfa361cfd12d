/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_services.h - what a seal writes down about services, so that "which services are there"
 * need not read the rows again.
 *
 *     seal_services   a row for each (tenant, service) of a seal: counts, sums, first and last time.
 *                     They add up, over whatever seals lie in a window.
 *     seal_traces     distinct traces do not add up, for a trace may be in two seals. So each (service, trace)
 *                     of a seal stands here once, as a hash: 8 bytes, where the rows have it again for each
 *                     span. A count over a window is a count of distinct hashes.
 *
 * A hash is of (tenant, service, trace id): 64 bits of XXH3, so that counts are exact but for a
 * collision by chance, one in 10^5 windows of ten million traces. Whoever makes them collide on purpose
 * counts his own traces wrong, nobody else's.
 *
 * Both tables are written in the transaction of a seal into a day's table, with its generation, and
 * never changed. When such a table is dropped the rows of its seals go with it.
 */
#ifndef DUCK_DUCK_SERVICES_H
#define DUCK_DUCK_SERVICES_H

#include "duck/duck_seal.h"

/* Part of the schema, as of the version that has seals. */
#define DUCK_SERVICES_TABLES                                                                       \
	"CREATE TABLE seal_services(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"               \
	" tenant VARCHAR NOT NULL, service VARCHAR NOT NULL, rows UBIGINT NOT NULL,"               \
	" traces UBIGINT NOT NULL, errors UBIGINT NOT NULL, ended UBIGINT NOT NULL,"               \
	" duration_sum HUGEINT NOT NULL, first_ns UBIGINT NOT NULL, last_ns UBIGINT NOT NULL);"    \
	"CREATE TABLE seal_traces(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"                 \
	" pair UBIGINT NOT NULL)"

/* What the rows of a seal add to the two tables, in the transaction of con. Rows of one trace
 * should stand together, as duck_sort() has them; it is only slower when they do not. */
MUST_CHECK enum err_code duck_services_write(struct duck *d, duckdb_connection con,
    enum table_id id, uint64_t gen, const struct seal_row *rows, size_t count, struct err *err);

/* ---- for duck_services.c and duck_services_read.c */

__extension__ typedef __int128 duck_int128;

struct duck_service {
	struct str tenant, name;
	uint64_t hash; /* of both */
	uint64_t rows[SIGNAL_TABLES], traces, errors, ended, first_ns, last_ns;
	duck_int128 duration_ns;
	uint64_t last_pair; /* writing: the one before is often the same */
};

struct duck_service_list {
	struct duck_service *items;
	size_t count, cap;
	struct map by_hash;
};

void duck_service_list_fini(struct duck_service_list *l);
/* The place of a service, which is added when it is new; strings are borrowed. */
size_t duck_service_find(struct duck_service_list *l, struct str tenant, struct str name);
/* Count one row of a table; its pair goes to *pair_out, false: it has none. */
bool duck_service_count(struct duck_service_list *l, enum table_id id, const struct table *t,
    size_t row, size_t *place_out, uint64_t *pair_out);
uint64_t duck_service_pair(uint64_t service_hash, uint64_t trace_hi, uint64_t trace_lo);

#endif
