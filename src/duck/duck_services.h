/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_services.h - which services a seal has rows of, and which there are in a window.
 *
 *     seal_services   a row for each (tenant, service) of a seal: counts, sums, first and last time.
 *                     They add up, over whatever seals lie in a window.
 *
 * Distinct traces do not add up, for a trace may be in two seals. They are counted by their hashes, which are among
 * the seal's sums (duck_parts.h): a pair is a trace's hash with its service's worked in, and a count over a window is a
 * count of distinct pairs, exact but for a collision by chance, one in 10^5 windows of ten million traces. Whoever
 * makes them collide on purpose counts his own traces wrong, nobody else's.
 *
 * The table is written in the transaction of a seal into a day's table, with its generation. When rows of a seal
 * are removed because they are not kept any longer (duck_remove.c), so is what they added; when the whole seal or
 * its table goes, soon after.
 */
#ifndef DUCK_DUCK_SERVICES_H
#define DUCK_DUCK_SERVICES_H

#include "duck/duck_seal.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "sys/thread.h"

/* Part of the schema, as of the version that has seals. */
#define DUCK_SERVICES_TABLES                                                                       \
	"CREATE TABLE seal_services(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"               \
	" tenant VARCHAR NOT NULL, service VARCHAR NOT NULL, rows UBIGINT NOT NULL,"               \
	" traces UBIGINT NOT NULL, errors UBIGINT NOT NULL, ended UBIGINT NOT NULL,"               \
	" duration_sum HUGEINT NOT NULL, first_ns UBIGINT NOT NULL, last_ns UBIGINT NOT NULL)"
/* Of that version: what went when the hashes became sums. */
#define DUCK_OLD_TRACES_TABLE                                                                      \
	"CREATE TABLE seal_traces(gen UBIGINT NOT NULL, number UINTEGER NOT NULL,"                 \
	" pair UBIGINT NOT NULL)"

/* What the rows of a seal add to the table, in the transaction of con. Rows of one trace
 * should stand together, as duck_sort() has them; it is only slower when they do not. */
MUST_CHECK enum err_code duck_services_write(struct duck *d, duckdb_connection con,
    enum table_id id, uint64_t gen, const struct seal_row *rows, size_t count, struct err *err);

/* ---- for duck_services.c and its readers */

__extension__ typedef __int128 duck_int128;

struct duck_service {
	struct str tenant, name;
	uint64_t hash; /* of both: hash_keyed_str() */
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
uint64_t duck_service_pair(uint64_t service_hash, uint64_t trace_hash);

/* ---- duck_services_memo.c: sets of pairs, and what was counted of whole seals before */

struct duck_pair_set {
	uint64_t *slots; /* 0: empty */
	size_t mask, count;
};

void duck_pair_reserve(struct duck_pair_set *s, size_t more); /* before so many are added */
void duck_pair_add_soon(const struct duck_pair_set *s, uint64_t pair); /* a hint */
bool duck_pair_add(struct duck_pair_set *s, uint64_t pair); /* false: it was there */
bool duck_pair_has(const struct duck_pair_set *s, uint64_t pair);
void duck_pair_clear(struct duck_pair_set *s);
void duck_pair_fini(struct duck_pair_set *s);

/* Seals do not change, and people ask for their services again and again: the pairs of those that were asked for
 * last are kept, up to DUCK_MEMO_PAIRS_MAX (8 to 16 bytes each: 32 MiB), for a minute after they were used. A question that has
 * the same seals, or the same and newer ones, goes on from there. One at a time has it. */
#define DUCK_MEMO_PAIRS_MAX (UINT64_C(3) << 20)
#define DUCK_MEMO_IDLE_NS (60 * (uint64_t)NS_PER_S)

struct duck_services_memo {
	struct str tenant; /* in names */
	struct arena names;
	struct duck_service_list services; /* of `traces` only */
	struct buf gens; /* of uint64_t, ascending: the seals whose pairs these are */
	struct duck_pair_set pairs;
	uint64_t used_ns;
};

struct duck_memo_slot {
	struct mutex lock; /* leaf */
	struct duck_services_memo *memo;
};

void duck_memo_init(struct duck_memo_slot *slot);
void duck_memo_fini(struct duck_memo_slot *slot);
/* The caller owns what he takes. One for this tenant and the first of these seals; if there is none, an empty one. */
struct duck_services_memo *duck_memo_take(struct duck_memo_slot *slot, struct str tenant,
    const uint64_t *gens, size_t gen_count);
void duck_memo_give(struct duck_memo_slot *slot, struct duck_services_memo *memo, uint64_t now_ns);
void duck_memo_free(struct duck_services_memo *memo); /* NULL allowed */
/* Free it, unless somebody has taken it. */
void duck_memo_drop(struct duck_memo_slot *slot);
/* Free what has not been used for long. */
void duck_memo_tidy(struct duck_memo_slot *slot, uint64_t now_ns);

#endif
