/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of traces.
 *
 * Spans that meet the conditions are found as those of a list are, newest first, with the trace each is of. The traces
 * that come new are candidates, in the order of their place, which is their newest such span. Of these, some hundred
 * at a time, all spans are read, from the seals whose filters may have one of them, and summed up here:
 *
 *     keys      12:07:31 trace 7   12:07:30 trace 4   12:07:30 trace 7   12:07:28 trace 9 ..
 *     candidates   7, 4, 9 ..
 *     spans     SELECT ids, times, service .., (the conditions) AS m WHERE weir_picked(..7, 4, 9 ..)
 *
 * A candidate is in the answer when it meets the conditions on traces, and when its newest span of those with m is
 * the one it was found by: otherwise that one came before the cursor, and the trace was on an earlier page. It goes on
 * with more and more keys at a time until there are enough traces.
 *
 * When a thousand traces have been looked at and most did not meet the conditions on traces, those that do are rare, and
 * to step over all others would take for ever. Then all traces are tallied at once (duck_traces_select()), which tells
 * the ones that are wanted.
 */
#include "duck/duck_traces.h"

#include "model/typed.h"

#include <stdlib.h>

enum {
	KEYS_MIN = 256, /* at a time */
	KEYS_MAX = 16384,
	TRACES_AT_ONCE = 500, /* of one statement */
	TRACES_STEPPED = 1000, /* before all are tallied, where there are conditions on traces */
};

struct listing {
	struct duck_question *ask;
	struct store_query spans; /* the conditions on spans */
	struct duck_traces seen;
	size_t done,
	    end; /* of seen: those before have been summed up, those from there on will be */
	bool more;
	bool selected; /* seen are those that are wanted */
};

/* ---- candidates */

static bool
is_place(const struct duck_trace *t, const struct duck_key *k)
{
	return t->place_ns == k->time_ns && t->place_seq == k->seq && t->place_ord == k->ord;
}

static enum err_code
take_candidates(struct listing *l, const struct buf *keys, struct err *err)
{
	for (size_t at = 0; at < keys->len; at += sizeof(struct duck_key)) {
		struct duck_key k;
		bool is_new;
		memcpy(&k, keys->ptr + at, sizeof(k));
		struct duck_trace *t = duck_traces_add(&l->seen, k.trace_hi, k.trace_lo, &is_new);
		if (!t)
			return duck_traces_too_many(err);
		if (is_new)
			t->found = k;
	}
	return ERR_OK;
}

/* ---- their spans */

enum {
	COL_HI,
	COL_LO,
	COL_SPAN,
	COL_PARENT,
	COL_START,
	COL_DURATION,
	COL_ROW_SEQ,
	COL_ROW_ORD,
	COL_KIND,
	COL_STATUS,
	COL_SERVICE,
	COL_NAME,
	COL_MATCHES,
	COL_COUNT
};

static void
span_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	const struct listing *l = ask->callback_ctx;
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text,
	    STR("trace_hi, trace_lo, span_id, parent_id, start_ns, duration_ns, seq, ord::UBIGINT,"
	        " kind, status_code, service, name, coalesce(true"));
	duck_where(ask, &l->spans, TABLE_SPANS, source, FORM_ALL);
	buf_str(&ask->sql.text, STR(", false)"));
}

static enum err_code
take_spans(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct listing *l = ctx;
	const void *cols[COL_COUNT];
	for (idx_t c = 0; c < COL_COUNT; c++)
		cols[c] = duck_chunk_column(chunk, c);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		struct duck_trace_span s = {
		    .span_id = ((const uint64_t *)cols[COL_SPAN])[i],
		    .parent_id = ((const uint64_t *)cols[COL_PARENT])[i],
		    .start_ns = ((const uint64_t *)cols[COL_START])[i],
		    .duration_ns = ((const int64_t *)cols[COL_DURATION])[i],
		    .seq = ((const uint64_t *)cols[COL_ROW_SEQ])[i],
		    .ord = ((const uint64_t *)cols[COL_ROW_ORD])[i],
		    .kind = ((const int32_t *)cols[COL_KIND])[i],
		    .status_code = ((const int32_t *)cols[COL_STATUS])[i],
		    .service = duck_text_at(cols[COL_SERVICE], i),
		    .name = duck_text_at(cols[COL_NAME], i),
		    .matches = ((const bool *)cols[COL_MATCHES])[i],
		};
		struct duck_trace *t = duck_traces_get(&l->seen,
		    ((const uint64_t *)cols[COL_HI])[i], ((const uint64_t *)cols[COL_LO])[i]);
		/* Of another one: a commit fell into the question. */
		if (!t || t < l->seen.list + l->done || t >= l->seen.list + l->end)
			continue;
		if (!duck_trace_take(&l->seen, t, &s))
			return duck_traces_too_many(err);
	}
	return ERR_OK;
}

static struct duck_pick *
pick_candidates(const struct listing *l)
{
	struct duck_pick *pick =
	    duck_pick_begin(&l->ask->d->picks, DUCK_PICK_TRACES, l->end - l->done);
	for (size_t i = l->done; i < l->end; i++)
		duck_pick_add(pick, l->seen.list[i].hi, l->seen.list[i].lo, l->seen.list[i].lo);
	return pick;
}

/* All spans of the candidates from l->done to l->end, whatever the window. */
static enum err_code
sum_up(struct listing *l, struct err *err)
{
	struct duck_question *ask = l->ask;
	struct duck_units u;
	struct store_query all = {
	    .kind = STORE_SPANS, .tenant = ask->q->tenant, .to_ns = UINT64_MAX};
	enum err_code code = ERR_OK;
	struct duck_pick *pick = pick_candidates(l);
	ask->pick = pick;
	duck_units_find(ask, TABLE_SPANS, 0, UINT64_MAX, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	memset(chosen, 1, u.count);
	duck_sql_reset(&ask->sql);
	if (duck_units_put(ask, &all, &u, chosen, span_columns))
		code = duck_read_chunks(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns,
		    take_spans, l, err);
	ask->pick = NULL;
	duck_pick_end(pick);
	free(chosen);
	duck_units_fini(&u);
	return code;
}

/* ---- the answer */

static bool
is_wanted(const struct listing *l, const struct duck_trace *t)
{
	return t->spans > 0 && is_place(t, &t->found) &&
	    duck_trace_is_wanted(l->ask->q, t->end_ns - t->start_ns, t->spans, t->errors);
}

/* Candidates that have been summed up, to the answer, until it is full. */
static enum err_code
give(struct listing *l, struct err *err)
{
	struct store_result *r = l->ask->result;
	for (; l->done < l->end && !l->more; l->done++) {
		const struct duck_trace *t = &l->seen.list[l->done];
		if (!is_wanted(l, t))
			continue;
		if (r->rows.row_count == l->ask->q->row_max) {
			l->more = true;
			break;
		}
		if (!duck_trace_put(&l->seen, t, &r->rows))
			return err_set(err, ERR_TOO_LARGE,
			    "the answer is larger than %zu bytes: ask for less, with a limit",
			    r->arena->bytes_max);
		r->next =
		    (struct store_cursor){t->place_ns, t->place_seq, (uint32_t)t->place_ord, true};
	}
	duck_traces_forget(&l->seen);
	return ERR_OK;
}

/* So many were not wanted that the others are better looked for by themselves. */
static bool
is_rare(const struct listing *l)
{
	return !l->selected && l->done >= TRACES_STEPPED &&
	    l->done > 4 * l->ask->result->rows.row_count && duck_trace_has_conditions(l->ask->q);
}

static enum err_code
give_candidates(struct listing *l, struct err *err)
{
	enum err_code code = ERR_OK;
	while (l->done < l->seen.count && !l->more && code == ERR_OK && !is_rare(l)) {
		/* No more than are likely to do, to begin with. */
		size_t missing = l->ask->q->row_max + 1 - l->ask->result->rows.row_count;
		size_t some = l->done == 0 && missing < TRACES_AT_ONCE ? missing : TRACES_AT_ONCE;
		l->end = l->seen.count - l->done < some ? l->seen.count : l->done + some;
		code = sum_up(l, err);
		if (code == ERR_OK)
			code = give(l, err);
	}
	return code;
}

/* All that are missing. */
static enum err_code
give_rare(struct listing *l, struct err *err)
{
	const struct duck_key *last = &l->seen.list[l->done - 1].found;
	struct store_cursor after = {last->time_ns, last->seq, (uint32_t)last->ord, true};
	struct buf keys = {0};
	size_t missing = l->ask->q->row_max + 1 - l->ask->result->rows.row_count;
	enum err_code code = duck_traces_select(l->ask, &after, missing, &keys, err);
	duck_traces_fini(&l->seen);
	duck_traces_init(&l->seen, l->ask->result->arena->bytes_max);
	l->done = 0;
	l->end = 0;
	l->selected = true;
	if (code == ERR_OK)
		code = take_candidates(l, &keys, err);
	if (code == ERR_OK)
		code = give_candidates(l, err);
	buf_fini(&keys);
	return code;
}

/* The next keys behind the last ones; *all: there were no more. */
static enum err_code
next_keys(struct listing *l, size_t count, struct buf *keys, bool *all, struct err *err)
{
	struct duck_question *ask = l->ask;
	const struct store_query *asked = ask->q;
	struct store_query q = l->spans;
	struct duck_key last;
	if (keys->len > 0) {
		memcpy(&last, keys->ptr + keys->len - sizeof(last), sizeof(last));
		q.after = (struct store_cursor){last.time_ns, last.seq, (uint32_t)last.ord, true};
	} else {
		q.after = asked->after;
	}
	q.row_max = count - 1;
	buf_reset(keys);
	ask->q = &q;
	ask->id = TABLE_SPANS;
	ask->with_traces = true;
	enum err_code code = duck_find_keys(ask, keys, err);
	ask->with_traces = false;
	ask->id = TABLE_TRACES;
	ask->q = asked;
	*all = keys->len / sizeof(last) < count;
	return code;
}

enum err_code
duck_traces_answer(struct duck_question *ask, struct err *err)
{
	struct listing l = {.ask = ask, .spans = *ask->q};
	struct buf keys = {0};
	bool all = false;
	enum err_code code = ERR_OK;
	size_t count = 2 * (ask->q->row_max + 1);
	count = count < KEYS_MIN ? KEYS_MIN : count > KEYS_MAX ? KEYS_MAX : count;
	l.spans.kind = STORE_SPANS;
	l.spans.after = (struct store_cursor){0};
	ask->callback_ctx = &l;
	duck_traces_init(&l.seen, ask->result->arena->bytes_max);
	while (!all && !l.more && code == ERR_OK) {
		code = next_keys(&l, count, &keys, &all, err);
		if (code == ERR_OK)
			code = take_candidates(&l, &keys, err);
		if (code == ERR_OK)
			code = give_candidates(&l, err);
		if (code == ERR_OK && !l.more && is_rare(&l))
			code = give_rare(&l, err);
		all = all || l.selected;
		count = count * 4 < KEYS_MAX ? count * 4 : KEYS_MAX;
	}
	ask->result->more = l.more;
	if (!l.more)
		ask->result->next = (struct store_cursor){0};
	duck_traces_fini(&l.seen);
	buf_fini(&keys);
	return code;
}
