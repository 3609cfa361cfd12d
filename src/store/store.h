/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/store.h - the seam between telemetry and where it is kept.
 *
 * Backends: duck (embedded DuckDB), mem (tests); later remote, fanout, clickhouse. Each begins with
 * a struct store and has one const table of operations. Callers use the inline wrappers, which
 * CHECK the preconditions for all backends.
 *
 * Writing. One thread, the loader, appends. A batch becomes visible whole or not at all.
 * store_applied() is the log position up to which everything is visible; store_position() the one up
 * to which the store keeps everything by itself, so that the log is no longer needed for it: at a
 * start the loader goes on from there, and what the store has beyond it is recognised by (seq, ord)
 * and not shown twice. The two are equal in a store without a memory of its own.
 *
 * Once is once. A span whose (tenant, trace id, span id) is there already is not added: the first one
 * wins. A request whose identity is known (store_knows()) has no rows in a batch, but stands in
 * batch->requests, so that the positions move over it. Rows of logs and points have no identity but
 * their request's. A comment whose (tenant, id) is there already is not added either, however long ago it came.
 *
 * What is pulled comes with a position (store/pull.h), which is visible with its rows, and kept with them.
 *
 * Reading. Any thread, in parallel, one call a thread at a time; may block on disk until
 * query->deadline_mono_ns. A query sees a state that some store_append() left: never half a batch.
 * Every query names its tenant and sees nothing of another.
 *
 * Results are rows in the caller's arena (its budget bounds them: ERR_TOO_LARGE), with the
 * resources and scopes they name. Order of spans, logs, points and comments: newest first by their time
 * column, then by descending (seq, ord), which makes it total; of a trace, and where it is asked for: oldest first. The
 * cursor is the place of the last row returned. Spans in the order of their arrival: STORE_ARRIVALS in store/query.h. Traces are in the order of their newest span that meets
 * the conditions, which is their place; on a later page those of which such a span came before the cursor are
 * left out, for an earlier page had them.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "store/partial.h"
#include "store/pull.h"
#include "store/query.h"

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

struct store_status {
	bool ok;
	char text[LIMIT_CHECK_TEXT_BYTES]; /* why not, for /readyz; or what is under way */
	bool
	    keeps_waiting; /* appends may wait for minutes: it is reading its file, or opening it again */
	uint64_t row_count; /* of all signals, approximately */
	uint64_t disk_bytes;
	uint64_t hot_rows[SIGNAL_TABLES]; /* visible, and not in the files yet */
	uint64_t hot_bytes; /* memory they take */
	uint64_t identity_bytes; /* memory for recognising repeats */
	uint64_t identities; /* spans and requests it recognises */
	uint64_t identities_forgotten; /* for lack of it */
	uint64_t seals, seal_rows, seal_failures; /* moves of rows from memory to files */
	uint64_t seal_ns;
	uint64_t checkpoints, checkpoint_ns, reopened;
	/* What is kept no longer (store/retain.h): days' tables that were dropped, rows that were removed (those of
	 * the days among them), time it took; of the dropped days the longest. */
	uint64_t removed_days[SIGNAL_TABLES], removed_rows[SIGNAL_TABLES];
	uint64_t retain_ns, retain_longest_day_ns;
	uint64_t signal_bytes[SIGNAL_TABLES]; /* of the files, about; 0: not measured */
	uint64_t sources; /* that something was pulled from, of all tenants */
};

struct store_sql; /* store/sql.h */
struct store_sql_answer;
struct store_sql_view;

struct store_files; /* store/hold.h */
typedef enum err_code (*store_files_fn)(void *ctx, const struct store_files *f, struct err *err);

/* A row that cannot be kept in the files, whatever is tried: what a store says about it. */
typedef enum err_code (*store_poison_fn)(void *ctx, enum table_id table, uint64_t seq, uint32_t ord,
    const struct err *why, struct err *err);

struct store;

struct store_ops {
	const char *name;
	/* Loader thread; may block on disk; all or nothing. Of the batch only what is said to be the
	 * store's to set is written. On an error nothing changed and the same batch may be appended
	 * again. ERR_TOO_LARGE: there is no memory for so much at once, parts of it may fit. */
	enum err_code (*append)(struct store *s, struct batch *batch, struct err *err);
	/* Loader thread: whether append() would take this batch; nothing changes. So the loader finds
	 * out what is wrong with a request without showing a part of it. NULL: it cannot say. */
	enum err_code (*check)(struct store *s, struct batch *batch, struct err *err);
	/* Any thread; never blocks. See above; 0: nothing. */
	uint64_t (*position)(struct store *s);
	/* The same; NULL: as position. */
	uint64_t (*applied)(struct store *s);
	/* Loader thread: the seq under which this identity was applied, 0: not known. It is known
	 * from the append of its request on, for --retry-hours and a bounded number. NULL: never. */
	uint64_t (*knows)(struct store *s, struct hash128 identity);
	/* Any thread; never blocks on disk: the tenant's sources in the order of their names, from this name on, at most `max`;
	 * how many they are. NULL: it keeps none, and nothing can be pulled. */
	size_t (*pulls)(struct store *s, struct str tenant, struct str from, struct store_pull *out,
	    size_t max);
	/* Before the first append: whom to ask about rows that cannot be kept. It runs on a thread of
	 * the store and may block on disk; when it says ERR_OK the row has been put aside and the
	 * store leaves it out. NULL: such a store has none. */
	void (*on_poison)(struct store *s, store_poison_fn fn, void *ctx);
	/* Any thread; may block. On success result->rows/resources/scopes are set. */
	enum err_code (*query)(struct store *s, const struct store_query *q,
	    struct store_result *result, struct err *err);
	/* Any thread; may block. Counts what this store has of a tenant into p (store/partial.h), which is about something
	 * already and has nothing in it; of one moment, as query. On an error p is to be thrown away. */
	enum err_code (*analyse)(struct store *s, struct str tenant, uint64_t deadline_mono_ns,
	    struct partial *p, struct err *err);
	/* Any thread; may block until the deadline. ERR_INVALID: the statement is not one it runs, or it failed, which the
	 * message says for whoever wrote it. ERR_TOO_LARGE: it needs more than it may have. ERR_BUSY: as many as may
	 * are running. NULL: there is no SQL. */
	enum err_code (*sql)(struct store *s, const struct store_sql *q,
	    struct store_sql_answer *out, struct err *err);
	const struct store_sql_view *sql_views; /* ends with a NULL name; NULL: there is no SQL */
	/* Any thread; never blocks on disk. */
	void (*status)(struct store *s, struct store_status *out);
	/* store/hold.h. NULL: there is no file to copy. */
	enum err_code (*hold)(struct store *s, store_files_fn fn, void *ctx, struct err *err);
	/* Any thread; never blocks: queries, those under way too, end soon with an error. NULL: there
	 * is nothing to wait for. */
	void (*cancel)(struct store *s);
	/* Owner, after all other calls have returned. */
	void (*close)(struct store *s);
};

struct store {
	const struct store_ops *ops;
};

static inline uint64_t
store_position(struct store *s)
{
	return s->ops->position(s);
}

static inline uint64_t
store_applied(struct store *s)
{
	return s->ops->applied ? s->ops->applied(s) : s->ops->position(s);
}

static inline enum err_code MUST_CHECK
store_append(struct store *s, struct batch *batch, struct err *err)
{
	CHECK(batch->last_seq > store_applied(s));
	return s->ops->append(s, batch, err);
}

static inline bool
store_can_check(const struct store *s)
{
	return s->ops->check != NULL;
}

static inline enum err_code MUST_CHECK
store_check(struct store *s, struct batch *batch, struct err *err)
{
	CHECK(batch->last_seq > store_applied(s));
	return s->ops->check(s, batch, err);
}

static inline uint64_t
store_knows(struct store *s, struct hash128 identity)
{
	return s->ops->knows ? s->ops->knows(s, identity) : 0;
}

static inline size_t
store_pulls(struct store *s, struct str tenant, struct str from, struct store_pull *out, size_t max)
{
	CHECK(tenant.len > 0);
	return s->ops->pulls ? s->ops->pulls(s, tenant, from, out, max) : 0;
}

/* False: nothing has been pulled from it yet. */
static inline bool
store_pulled(struct store *s, struct str tenant, struct str source, struct store_pull *out)
{
	CHECK(source.len > 0);
	return store_pulls(s, tenant, source, out, 1) == 1 && str_eq(str_from(out->source), source);
}

static inline void
store_on_poison(struct store *s, store_poison_fn fn, void *ctx)
{
	if (s->ops->on_poison)
		s->ops->on_poison(s, fn, ctx);
}

/* `arena` holds the result. */
static inline enum err_code MUST_CHECK
store_query(struct store *s, const struct store_query *q, struct arena *arena,
    struct store_result *result, struct err *err)
{
	CHECK(q->tenant.len > 0);
	CHECK(q->row_max > 0 || q->kind == STORE_COUNTS);
	CHECK(q->attr_count <= STORE_ATTRS_MAX && q->any_count <= q->attr_count);
	CHECK(!q->beside ||
	    (q->kind == STORE_SPANS && !q->beside->beside && q->beside->word_count == 0 &&
	        q->beside->attr_count <= STORE_ATTRS_MAX));
	CHECK(q->word_count <= STORE_WORDS_MAX);
	CHECK(q->kind != STORE_COUNTS ||
	    (q->bucket_count > 0 && q->bucket_count <= STORE_BUCKETS_MAX && !q->after.set));
	CHECK(q->service_count <= STORE_SERVICES_MAX);
	CHECK(q->kind != STORE_TRACE || q->has_trace_id);
	CHECK(q->kind != STORE_ARRIVALS || (q->from_ns == 0 && q->to_ns == UINT64_MAX));
	*result = (struct store_result){.arena = arena};
	return s->ops->query(s, q, result, err);
}

static inline enum err_code MUST_CHECK
store_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	CHECK(tenant.len > 0);
	return s->ops->analyse(s, tenant, deadline_mono_ns, p, err);
}

static inline void
store_status(struct store *s, struct store_status *out)
{
	s->ops->status(s, out);
}

/* For the stop: it cannot be taken back. */
static inline void
store_cancel(struct store *s)
{
	if (s->ops->cancel)
		s->ops->cancel(s);
}

static inline void
store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

enum { STORE_LINK_BYTES = 45 };
/* What stands in the typed JSON of the links of a span that is linked to this trace. */
struct str store_link_text(uint64_t trace_hi, uint64_t trace_lo, char out[STORE_LINK_BYTES]);
/* Row of the dictionary table that has this id, or SIZE_MAX. */
size_t store_find_id(const struct table *dict, uint64_t id);

#endif
