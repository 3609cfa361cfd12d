/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duck/duck_user_priv.h - the views of users' SQL, and the steps of a statement in the worker. What the two processes say
 * to each other: duck_user_wire.h.
 */
#ifndef DUCK_DUCK_USER_PRIV_H
#define DUCK_DUCK_USER_PRIV_H

#include "duck/duck_user.h"
#include "duck/duck_user_wire.h"

#include "duck/duck_sql.h"

#include <duckdb.h>

enum { USER_PROBES_MAX = 48 /* of a view */ };

/* Columns of a chunk as an 'R' frame. `cols` says which columns of the table its vectors are: duck_user_wire.c. */
void user_put_chunk(struct buf *b, uint32_t scan, duckdb_data_chunk chunk,
    const struct table_def *def, const uint8_t *cols, size_t col_count);

/* ---- the views: duck_user_views.c */

enum user_how {
	HOW_RAW, /* as it is stored */
	HOW_TRACE_ID, /* of hi and lo; NULL when they are 0 */
	HOW_SPAN_ID, /* NULL when it is 0 */
	HOW_TIME, /* the last moment that TIMESTAMP_NS has stands for all that is later */
	HOW_TIME_OR_NULL, /* 0: NULL */
	HOW_END_TIME, /* of start and duration */
	HOW_END_NS,
	HOW_MS, /* of nanoseconds */
	HOW_WORD, /* or the number when there is none for it */
	HOW_TEMPORALITY, /* NULL for what has none */
	HOW_SEVERITY,
	HOW_OBJECT, /* typed JSON; {} when NULL */
	HOW_ARRAY, /* [] when NULL */
	HOW_BODY,
	HOW_VALUE, /* the double, or the integer as one, or the sum */
	HOW_RESOURCE, /* attributes of the resource that has this id */
	HOW_SCOPE_NAME,
	HOW_SCOPE_VERSION,
};

enum { USER_RAW_MAX = 3, USER_COLUMNS_MAX = 64 };

struct user_source { /* what a column of a view is made of */
	enum user_how how;
	int raw[USER_RAW_MAX]; /* columns of the table; -1: none */
};

struct user_view {
	enum table_id table;
	/* Columns that bounds of a scan can be about; NULL: there is none of the kind. */
	const char *time_col, *nano_col;
	bool has_trace_id, has_service, has_status;
	const char *name_col, *kind_col;
	const char *sql; /* of the view; NULL: all columns of its function, weir_<name>() */
	const char *sql_end; /* goes on with it: a literal has 4095 bytes at most */
	/* Where `sql` is too much for a plan that is asked for bounds (duck_user_plan.c): a select list over the function
	 * that has the view's columns, those that bounds are about as they are, of the others none that would compare
	 * to a constant before there are rows. Without texts of its own: they would be taken for the statement's. */
	const char *probe_sql;
	enum user_need need;
	const struct store_sql_column
	    *functions_columns; /* where they are not those of the view; or NULL */
	const struct user_source *sources; /* of the function's columns */
};

enum user_view_id {
	VIEW_SPANS,
	VIEW_LOGS,
	VIEW_METRICS,
	VIEW_RESOURCES,
	VIEW_SCOPES,
	VIEW_SERVICES,
	VIEW_TRACES,
	VIEW_COMMENTS,
	VIEW_JUNJO_SPANS,
	VIEW_STATE_PATCHES,
	VIEW_LLM_CALLS,
	USER_VIEWS
};

extern const struct user_view user_views[USER_VIEWS];

/* Views that are made of spans by more than their columns: duck_user_derived.c. */
extern const struct store_sql_column user_junjo_columns[], user_state_columns[], user_llm_columns[];
extern const char user_junjo_sql[], user_state_sql[], user_llm_sql[], user_llm_sql_end[];
extern const char user_junjo_probe_sql[], user_state_probe_sql[], user_llm_probe_sql[];

/* What else a view's function can be asked for, beside weir_<view>(). */
enum user_part {
	PART_OWN,
	PART_OWNERS, /* weir_<view>_owners(): Junjo's spans in reach of the view's own ones */
	PART_CHAIN, /* weir_<view>_chain(): all spans in reach */
	USER_PARTS
};
/* What is in reach of a span: what began so much before it, or after it. */
#define USER_REACH_BACK_NS (UINT64_C(86400) * 1000000000)
#define USER_REACH_ON_NS (UINT64_C(60) * 1000000000)
/* The bounds of a part. */
struct user_bounds user_part_bounds(const struct user_bounds *own, enum user_part part);

/* The words that stand for numbers; the first is that of 0. */
extern const char *const user_kinds[], *const user_statuses[], *const user_point_types[],
                                                                   *const user_temporalities[];
enum { USER_KINDS = 6, USER_STATUSES = 3, USER_POINT_TYPES = 6, USER_TEMPORALITIES = 3 };

/* The columns of a view's function. */
static inline const struct store_sql_column *
user_columns(enum user_view_id id)
{
	return user_views[id].functions_columns ? user_views[id].functions_columns
	                                        : duck_user_views[id].columns;
}

/* ---- the worker */

struct worker;

/* duck_user_check.c: the statement is one SELECT that names nothing but views and functions it may. */
MUST_CHECK bool user_check(struct worker *w, struct str sql);
/* duck_user_plan.c: make the views anew; bounds[] of each. */
MUST_CHECK bool user_plan(struct worker *w, struct str sql);

/* duck_user_table.c */
MUST_CHECK bool user_register(struct worker *w);

/* duck_user_answer.c: run the statement and send its answer. */
MUST_CHECK bool user_answer(struct worker *w, struct str sql);

#endif
