/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_query_priv.h - what the files that answer questions share.
 *
 *     duck_query.c     from the question to its answer; dictionaries
 *     duck_search.c    rows: steps over units, pages              duck_units.c   which units there are
 *     duck_where.c     conditions                                 duck_where_attr.c   those on attributes
 *     duck_traces.c    the list of traces                         duck_counts.c  how many, over time
 *     duck_arrivals.c  spans in the order of their arrival
 *     duck_series.c    points as metrics, series and samples      duck_services_read.c   services
 *     duck_analyse.c   sums                                       duck_beside.c  traces that have other spans
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
	bool summed; /* UNIT_SEAL: its sums are in the file */
	uint64_t form; /* FORM_ALL until the seal's filter has been read */
};

struct duck_units {
	struct duck_source *sources;
	size_t source_count;
	struct duck_unit *list; /* in the order they are asked */
	size_t count, cap;
};

/* The resources, or scopes, that meet a condition were it not negated: a list of ids, or too many for one. */
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
	struct buf folded; /* what the words are in */
	struct str words[STORE_WORDS_MAX]; /* of q, folded, the longest first */
	/* What is left of every unit, and units that cannot have any of it are left out; NULL: all. */
	const struct duck_pick *pick;
	void *callback_ctx; /* for the `columns` of duck_units_put() */
	bool with_traces; /* keys have the trace they are of */
	struct partial *partial; /* it is an analysis: its answer; NULL: it is not */
	struct duck_arrivals *arrivals; /* of STORE_ARRIVALS; else NULL */
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

/* Choose units from `first` to `end` whose filters and columns let them have rows that meet the conditions, as many as
 * one statement takes; the end of those that were looked at goes to *end_out. */
MUST_CHECK enum err_code duck_units_choose(struct duck_question *ask, struct duck_units *u,
    size_t first, size_t end, unsigned char *chosen, size_t *end_out, struct err *err);
enum { DUCK_BRANCHES_MAX = 32 }; /* of one statement */

/* ---- duck_search.c */

struct duck_key {
	uint64_t time_ns, seq, ord;
	uint64_t unit; /* duck_search.c knows */
	uint64_t trace_hi, trace_lo; /* when ask->with_traces */
};

/* Keys of the first row_max + 1 rows that ask->q is about, in order, appended to `keys`. */
MUST_CHECK enum err_code duck_find_keys(struct duck_question *ask, struct buf *keys,
    struct err *err);
/* The rows themselves, a page of them. Of STORE_ARRIVALS the seq takes the part of time: in the question's window and cursor
 * (duck_arrivals_answer() sees to that), in keys, and in the units' bounds. */
MUST_CHECK enum err_code duck_search(struct duck_question *ask, struct err *err);
/* Append a column of a table as it came in; source NULL: attributes are whole. */
void duck_query_column(struct duck_question *ask, const struct duck_source *source,
    const struct table_def *def, size_t col);

/* ---- duck_beside.c: traces in which a span meets ask->q->beside */

struct duck_beside;
/* Of all traces there are, or of those of `keys` (NULL: all). To be freed on an error too. */
MUST_CHECK enum err_code duck_beside_find(struct duck_question *ask, const struct duck_key *keys,
    size_t key_count, struct duck_beside **out, struct err *err);
void duck_beside_free(struct duck_beside *set); /* NULL allowed */
bool duck_beside_has(const struct duck_beside *set, uint64_t hi, uint64_t lo);

/* ---- duck_arrivals.c */

/* What was found out of seals while a question is answered: to be kept when no commit fell into it. */
struct duck_arrivals {
	struct buf list; /* of struct duck_seqs */
	struct map by_gen; /* generation -> place in the list */
};

MUST_CHECK enum err_code duck_arrivals_answer(struct duck_question *ask, struct err *err);
/* Between which seqs its rows are, as far as is known. */
void duck_arrivals_bounds(const struct duck_question *ask, const struct duck_seal_info *seal,
    uint64_t *min_out, uint64_t *max_out);
void duck_arrivals_settle(struct duck_question *ask, bool is_true);

/* ---- duck_traces.c, duck_counts.c */

MUST_CHECK enum err_code duck_traces_answer(struct duck_question *ask, struct err *err);
/* The STORE_COUNTS of traces. duck_trace_count.c */
MUST_CHECK enum err_code duck_traces_count(struct duck_question *ask, struct err *err);
MUST_CHECK enum err_code duck_counts_answer(struct duck_question *ask, struct err *err);

/* ---- duck_query.c */

/* Ask, and ask again what a commit fell into; partial NULL: it is no analysis. */
MUST_CHECK enum err_code duck_ask(struct store *s, const struct store_query *q,
    struct store_result *result, struct partial *partial, struct err *err);
/* The entries of a dictionary that column `col` of the answer names. */
MUST_CHECK enum err_code duck_read_dict(struct duck_question *ask, int col, struct table *out,
    struct err *err);
/* The services there are, in the view that was begun; with the gate held when ask->sql.gate is set. */
MUST_CHECK enum err_code duck_query_services(struct duck_question *ask, struct store_result *result,
    struct err *err);

/* ---- duck_attr_hash.c */

/* The hashes that stand in a seal's filter when an attribute meets a condition, or has its key. */
struct duck_attr_probe {
	bool by_key; /* any value may meet it */
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
/* " AND .." for the conditions on attributes. duck_where_attr.c, as the next two. */
void duck_where_attrs(struct duck_question *ask, const struct duck_source *source, uint64_t form);
/* Can no row that has this form in this table meet the conditions on attributes? */
bool duck_where_never(const struct duck_question *ask, const struct duck_source *source,
    uint64_t form);
/* Which resources or scopes meet it, to ask->ids. */
MUST_CHECK enum err_code duck_where_dicts(struct duck_question *ask, size_t attr, struct err *err);

/* ---- duck_series.c */

MUST_CHECK enum err_code duck_series_answer(struct duck_question *ask, struct err *err);

/* ---- duck_services_read.c */

MUST_CHECK enum err_code duck_services_answer(struct duck_question *ask, struct err *err);

/* ---- duck_analyse.c */

MUST_CHECK enum err_code duck_analysis(struct duck_question *ask, struct err *err);

#endif
