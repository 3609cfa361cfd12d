/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_query_priv.h - what the files that answer questions share.
 *
 *     duck_query.c     steps over units, pages, dictionaries       duck_units.c   which units there are
 *     duck_where.c     conditions                                  duck_services_read.c   services
 *
 * Rows are in units: one seal of a day's table, what a day's table has from before there were seals, the
 * catch-all table, or one part of the hot tail. Of each it is known between which times its rows
 * are; so those with the newest rows are asked first, and as soon as there are enough rows, and none
 * of the units that are left can have newer ones, that is the answer.
 *
 * Threading: a question belongs to its thread. What it borrows of the catalog stays while its
 * connection is taken from the pool.
 */
#ifndef DUCK_DUCK_QUERY_PRIV_H
#define DUCK_DUCK_QUERY_PRIV_H

#include "duck/duck_priv.h"
#include "duck/duck_view.h"

/* A table as of the generation of the view. */
struct duck_source {
	enum table_id id;
	int64_t day; /* or DUCK_DAY_OTHER */
	char name[DUCK_TABLE_NAME_BYTES];
	struct shred_column columns[SHRED_COLUMNS];
	unsigned column_count;
};

enum duck_unit_kind { UNIT_SEAL, UNIT_LOOSE, UNIT_OTHER, UNIT_HOT };

/* What a unit's attributes (those that are not in columns) may hold of each condition: two bits of
 * a form for each, by its place in the question. */
enum { FORM_KEY = 1, FORM_MATCH = 2, FORM_BITS = 2 };
#define FORM_ALL UINT64_MAX

struct duck_unit {
	enum duck_unit_kind kind;
	uint32_t source; /* place in sources; not of UNIT_HOT */
	uint32_t place; /* UNIT_SEAL: among the table's seals; UNIT_HOT: part of the view */
	uint64_t gen; /* UNIT_SEAL */
	uint64_t time_min, time_max;
	uint64_t rows; /* about */
	uint64_t form; /* FORM_ALL until the seal's filter has been read */
};

struct duck_units {
	struct duck_source *sources;
	size_t source_count;
	struct duck_unit *list; /* in the order they are asked */
	size_t count, cap;
};

/* The resources that have an attribute: a list of ids, or too many for one. */
struct duck_ids {
	struct buf list; /* "id, id, .." */
	bool many;
};

struct duck_question {
	struct duck *d;
	struct duck_view view;
	const struct store_query *q;
	struct store_result *result;
	enum table_id id;
	struct duck_sql sql;
	struct duck_ids ids[STORE_ATTRS_MAX];
	struct duck_services_memo *memo; /* to be given back if what was read is true; NULL: none */
};

/* ---- duck_units.c */

/* What has a table's rows in [from, last] (inclusive), sorted by their newest time, newest first; a trace's
 * by their oldest, oldest first. Seals that cannot have the trace asked for are left out. */
void duck_units_find(struct duck_question *ask, enum table_id id, uint64_t from_ns,
    uint64_t last_ns, struct duck_units *out);
void duck_units_fini(struct duck_units *u);
/* Read the filters of these seals and set their forms. */
MUST_CHECK enum err_code duck_units_filter(struct duck_question *ask, struct duck_units *u,
    size_t first, size_t end, struct err *err);
/* Whether one of these units leads the branch that a unit belongs to. */
bool duck_units_is_led(const struct duck_units *u, const size_t *leaders, size_t count,
    size_t place);
/* How many branches the chosen ones need; a unit is chosen when chosen[its place] is not 0. */
size_t duck_units_branches(const struct duck_units *u, const unsigned char *chosen);
/* SELECT columns FROM .. WHERE .. for the chosen ones, joined by UNION ALL; false: there are none.
 * `columns` writes the list for a unit. */
bool duck_units_put(struct duck_question *ask, const struct store_query *q,
    const struct duck_units *u, const unsigned char *chosen,
    void (*columns)(struct duck_question *ask, const struct duck_source *source,
        const struct duck_unit *unit, size_t place));

/* ---- duck_attr_hash.c */

/* The hashes that stand in a seal's filter when an attribute meets a condition, or has its key. */
struct duck_attr_probe {
	bool range;
	uint64_t key[2];
	uint64_t match[6];
};
void duck_attr_probe_init(struct duck_attr_probe *p, const struct store_attr *a);
unsigned duck_attr_probe(const struct duck_attr_probe *p, struct str filter); /* FORM_ bits */

/* ---- duck_where.c */

/* " AND .." for every condition of q that applies to the table, time bounds included, but not
 * the tenant. source NULL: attributes are whole. */
void duck_where(struct duck_question *ask, const struct store_query *q, enum table_id id,
    const struct duck_source *source, uint64_t form);
/* Can no row that has this form in this table meet the conditions on attributes? */
bool duck_where_never(const struct duck_question *ask, const struct duck_source *source,
    uint64_t form);
MUST_CHECK enum err_code duck_where_resources(struct duck_question *ask, size_t attr,
    struct err *err);

/* ---- duck_services_read.c */

MUST_CHECK enum err_code duck_services_answer(struct duck_question *ask, struct err *err);

#endif
