/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All traces of which a span meets the conditions, each at its newest such span: how many there are over time, or
 * which of them meet the conditions on traces when those are few.
 *
 * What the spans say is tallied here, a trace after the other: in a seal the spans of a trace stand together, so
 * that as a rule one look into the table is enough for all of them. With conditions on the traces themselves, all
 * spans there are, whatever the window, are read in a second pass, for the traces of the first one.
 */
#include "duck/duck_traces.h"

#include "base/hash.h"

#include <stdlib.h>

enum { TALLIES_FIRST = 4096, TALLIES_BYTES_MAX = 256 << 20 };

struct tally {
	uint64_t hi, lo;
	uint64_t newest_ns, newest_seq; /* its place, with newest_ord */
	uint64_t start_ns, end_ns;
	uint32_t newest_ord;
	uint32_t spans; /* + 1; 0: an empty slot */
	uint32_t errors; /* these two stop at their most */
};

struct tallies {
	struct duck_question *ask;
	struct store_query q; /* the conditions on spans */
	struct tally *slots;
	size_t cap, count, cap_max;
	bool places; /* seq and ord count */
	bool summing; /* the second pass */
};

static void
tallies_init(struct tallies *t, struct duck_question *ask)
{
	size_t bytes_max = ask->result->arena->bytes_max;
	if (bytes_max == 0 || bytes_max > TALLIES_BYTES_MAX)
		bytes_max = TALLIES_BYTES_MAX;
	*t =
	    (struct tallies){.ask = ask, .q = *ask->q, .cap_max = bytes_max / sizeof(struct tally)};
	t->q.kind = STORE_SPANS;
	t->q.after = (struct store_cursor){0};
}

/* ---- the table */

static struct tally *
slot_of(struct tally *slots, size_t cap, uint64_t hi, uint64_t lo)
{
	size_t at = (size_t)hash_keyed_u128(hi, lo) & (cap - 1);
	while (slots[at].spans != 0 && (slots[at].hi != hi || slots[at].lo != lo))
		at = (at + 1) & (cap - 1);
	return &slots[at];
}

static bool
grow(struct tallies *t)
{
	size_t cap = t->cap ? 2 * t->cap : TALLIES_FIRST;
	if (cap > t->cap_max)
		return false;
	struct tally *slots = xcalloc(cap, sizeof(*slots));
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].spans != 0)
			*slot_of(slots, cap, t->slots[i].hi, t->slots[i].lo) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->cap = cap;
	return true;
}

static bool
is_newer(const struct tally *a, const struct tally *b)
{
	if (a->newest_ns != b->newest_ns)
		return a->newest_ns > b->newest_ns;
	if (a->newest_seq != b->newest_seq)
		return a->newest_seq > b->newest_seq;
	return a->newest_ord > b->newest_ord;
}

static bool
note_match(struct tallies *t, const struct tally *match)
{
	if (3 * (t->count + 1) > 2 * t->cap && !grow(t))
		return false;
	struct tally *s = slot_of(t->slots, t->cap, match->hi, match->lo);
	if (s->spans == 0) {
		*s = *match;
		s->start_ns = UINT64_MAX;
		s->spans = 1;
		t->count++;
	} else if (is_newer(match, s)) {
		s->newest_ns = match->newest_ns;
		s->newest_seq = match->newest_seq;
		s->newest_ord = match->newest_ord;
	}
	return true;
}

/* ---- the passes */

static enum err_code
take_matches(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct tallies *t = ctx;
	idx_t count = duckdb_data_chunk_get_size(chunk);
	const uint64_t *cols[5] = {0};
	struct tally best = {0};
	for (idx_t c = 0; c < (t->places ? 5 : 3); c++)
		cols[c] = duck_chunk_column(chunk, c);
	for (idx_t i = 0; i < count; i++) {
		struct tally match = {.hi = cols[0][i], .lo = cols[1][i], .newest_ns = cols[2][i]};
		if (t->places) {
			match.newest_seq = cols[3][i];
			match.newest_ord = (uint32_t)cols[4][i];
		}
		bool same = i > 0 && match.hi == best.hi && match.lo == best.lo;
		if (i > 0 && !same && !note_match(t, &best))
			return duck_traces_too_many(err);
		if (!same || is_newer(&match, &best))
			best = match;
	}
	return count == 0 || note_match(t, &best) ? ERR_OK : duck_traces_too_many(err);
}

static enum err_code
take_sums(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct tallies *t = ctx;
	(void)err;
	const uint64_t *cols[4];
	for (idx_t c = 0; c < ARRAY_LEN(cols); c++)
		cols[c] = duck_chunk_column(chunk, c);
	const int32_t *status = duck_chunk_column(chunk, 4);
	struct tally *s = NULL;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		if (!s || s->hi != cols[0][i] || s->lo != cols[1][i])
			s = slot_of(t->slots, t->cap, cols[0][i], cols[1][i]);
		if (s->spans == 0) {
			s = NULL;
			continue;
		}
		uint64_t start_ns = cols[2][i],
		         end_ns = start_ns + cols[3][i]; /* wraps as it is stored */
		s->start_ns = start_ns < s->start_ns ? start_ns : s->start_ns;
		s->end_ns = start_ns > s->end_ns ? start_ns : s->end_ns;
		s->end_ns = end_ns > s->end_ns ? end_ns : s->end_ns;
		s->spans += s->spans < UINT32_MAX;
		s->errors += status[i] == 2 && s->errors < UINT32_MAX;
	}
	return ERR_OK;
}

static void
tally_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	const struct tallies *t = ask->callback_ctx;
	(void)source;
	(void)unit;
	(void)place;
	buf_str(&ask->sql.text,
	    t->summing      ? STR("trace_hi, trace_lo, start_ns, duration_ns, status_code")
	        : t->places ? STR("trace_hi, trace_lo, start_ns, seq, ord::UBIGINT")
	                    : STR("trace_hi, trace_lo, start_ns"));
}

static enum err_code
pass(struct tallies *t, const struct store_query *q, uint64_t first, uint64_t last, struct err *err)
{
	struct duck_question *ask = t->ask;
	struct duck_units u;
	enum err_code code = ERR_OK;
	duck_units_find(ask, TABLE_SPANS, first, last, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	for (size_t at = 0, end; at < u.count && code == ERR_OK; at = end) {
		if (t->summing) {
			memset(chosen, 1, u.count);
			end = u.count;
		} else {
			code = duck_units_choose(ask, &u, at, u.count, chosen, &end, err);
		}
		duck_sql_reset(&ask->sql);
		if (code == ERR_OK && duck_units_put(ask, q, &u, chosen, tally_columns))
			code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
			    ask->q->deadline_mono_ns, t->summing ? take_sums : take_matches, t,
			    err);
	}
	free(chosen);
	duck_units_fini(&u);
	return code;
}

/* ---- the answer */

static bool
is_wanted(const struct tallies *t, const struct tally *s)
{
	return s->spans != 0 &&
	    (!t->summing ||
	        duck_trace_is_wanted(t->ask->q, s->end_ns - s->start_ns, s->spans - 1, s->errors));
}

static enum err_code
put_counts(const struct tallies *t, struct err *err)
{
	const struct store_query *q = t->ask->q;
	struct table *out = &t->ask->result->rows;
	uint64_t first = UINT64_MAX, last = 0;
	for (size_t i = 0; i < t->cap; i++) {
		if (!is_wanted(t, &t->slots[i]))
			continue;
		first = t->slots[i].newest_ns < first ? t->slots[i].newest_ns : first;
		last = t->slots[i].newest_ns > last ? t->slots[i].newest_ns : last;
	}
	if (!store_count_bounds(q, &first, &last))
		return ERR_OK;
	if (!store_buckets_init(out, first, last, q->bucket_count))
		return err_set(err, ERR_TOO_LARGE,
		    "the buckets do not fit the memory of one query");
	for (size_t i = 0; i < t->cap; i++) {
		if (!is_wanted(t, &t->slots[i]))
			continue;
		size_t row = store_bucket_of(out, t->slots[i].newest_ns);
		table_set_u64(out, row, BUCKET_COUNT, table_u64(out, row, BUCKET_COUNT) + 1);
	}
	return ERR_OK;
}

bool
duck_trace_has_conditions(const struct store_query *q)
{
	return q->has_trace_duration_min || q->has_trace_duration_max || q->trace_spans_min > 1 ||
	    q->has_trace_errors;
}

/* Both passes, as far as they are needed. */
static enum err_code
tally(struct tallies *t, struct err *err)
{
	const struct store_query *q = t->ask->q;
	struct store_query all = {.kind = STORE_SPANS, .tenant = q->tenant, .to_ns = UINT64_MAX};
	if (q->to_ns == 0 || (q->to_ns != UINT64_MAX && q->from_ns >= q->to_ns))
		return ERR_OK;
	enum err_code code =
	    pass(t, &t->q, q->from_ns, q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1, err);
	if (code != ERR_OK || t->cap == 0 || !duck_trace_has_conditions(q))
		return code;
	t->summing = true;
	return pass(t, &all, 0, UINT64_MAX, err);
}

enum err_code
duck_traces_count(struct duck_question *ask, struct err *err)
{
	struct tallies t;
	tallies_init(&t, ask);
	ask->id = TABLE_SPANS;
	ask->callback_ctx = &t;
	enum err_code code = tally(&t, err);
	if (code == ERR_OK)
		code = put_counts(&t, err);
	ask->id = TABLE_BUCKETS;
	free(t.slots);
	return code;
}

/* ---- the newest that are wanted */

static int
newest_first(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;
	return is_newer(y, x) - is_newer(x, y);
}

/* Those that are wanted and behind the place, to the head of the slots; returns how many. */
static size_t
gather(struct tallies *t, const struct store_cursor *after)
{
	struct tally place = {
	    .newest_ns = after->time_ns, .newest_seq = after->seq, .newest_ord = after->ord};
	size_t count = 0;
	for (size_t i = 0; i < t->cap; i++)
		if (is_wanted(t, &t->slots[i]) && (!after->set || is_newer(&place, &t->slots[i])))
			t->slots[count++] = t->slots[i];
	if (count > 0)
		qsort(t->slots, count, sizeof(*t->slots), newest_first);
	return count;
}

enum err_code
duck_traces_select(struct duck_question *ask, const struct store_cursor *after, size_t max,
    struct buf *keys, struct err *err)
{
	struct tallies t;
	tallies_init(&t, ask);
	t.places = true;
	void *ctx = ask->callback_ctx;
	ask->id = TABLE_SPANS;
	ask->callback_ctx = &t;
	enum err_code code = tally(&t, err);
	size_t count = code == ERR_OK ? gather(&t, after) : 0;
	for (size_t i = 0; i < count && i < max; i++) {
		const struct tally *s = &t.slots[i];
		const struct duck_key k = {.time_ns = s->newest_ns,
		    .seq = s->newest_seq,
		    .ord = s->newest_ord,
		    .trace_hi = s->hi,
		    .trace_lo = s->lo};
		buf_append(keys, (const char *)&k, sizeof(k));
	}
	ask->callback_ctx = ctx;
	ask->id = TABLE_TRACES;
	free(t.slots);
	return code;
}
