/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/sql.h - SQL of users: one SELECT over the views that the store documents, of one tenant, which changes nothing.
 *
 * What it may take of time, memory and disk the store was told when it was opened. Threading: any thread; may block until the
 * deadline. Errors: those of store_ops.sql in store.h.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "store/store.h"

enum store_sql_format { STORE_SQL_JSON, STORE_SQL_NDJSON, STORE_SQL_CSV, STORE_SQL_PARQUET };

struct store_sql {
	struct str tenant; /* required */
	struct str text; /* UTF-8 is checked */
	enum store_sql_format format;
	uint64_t row_max; /* required; the answer is cut behind so many rows, */
	uint64_t bytes_max; /* or before it is longer than this, but for Parquet: ERR_TOO_LARGE */
	uint64_t now_unix_ns; /* what now() is */
	uint64_t deadline_mono_ns; /* ERR_DEADLINE beyond it */
	bool (*gone)(void
	        *ctx); /* asked now and then: nobody waits any more. NULL: somebody does */
	void *gone_ctx;
};

struct store_sql_answer {
	struct buf *out; /* what was appended on an error is to be thrown away */
	uint64_t rows;
	bool truncated;
};

struct store_sql_column {
	const char *name, *type, *help;
};

struct store_sql_view {
	const char *name, *help;
	const struct store_sql_column *columns; /* ends with a NULL name */
};

/* The views a statement may name, the list ends with a NULL name; NULL: there is no SQL. */
static inline const struct store_sql_view *
store_sql_views(const struct store *s)
{
	return s->ops->sql_views;
}

static inline enum err_code MUST_CHECK
store_sql(struct store *s, const struct store_sql *q, struct store_sql_answer *out, struct err *err)
{
	CHECK(q->tenant.len > 0);
	CHECK(q->row_max > 0);
	if (!s->ops->sql)
		return err_set(err, ERR_UNIMPLEMENTED, "a store of the kind %s has no SQL",
		    s->ops->name);
	return s->ops->sql(s, q, out, err);
}

#endif
