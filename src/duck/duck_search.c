/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in order are found in two passes. The first one reads only what says which rows they are: time, seq, ord, and
 * the unit (duck_query_priv.h). It visits units by their newest time, newest first (a trace: oldest first), STEP_UNITS,
 * then as many as are likely to do, until there are enough rows and no unit that is left can have a newer one:
 *
 *     unit     hot   catch-all   seal 81   seal 80   seal 79 ...
 *     newest   12:09   11:58      12:07     12:06     12:05
 *     visited  hot, 81, 80; 100 rows found, the last of them of 12:06: 79 and the rest are not asked
 *
 * so a common service is answered from the last seal or two, and a rare one does not pay for hundreds of
 * statements. The second pass fetches the rows themselves, from the units they are in. Whole rows are dear
 * (they are compressed for size), and sorting them drags all of their columns along.
 *
 * Of arrivals seqs take the place of times, and the first pass looks at the rows of a window of seqs, then of the next:
 * all of a window come before all of the next one, so that no unit is sorted for the few rows that are wanted of it. More keys are looked for than rows are wanted: so it is known
 * how many are behind them (STORE_REMAINING_MAX).
 *
 * Spans of traces that have other spans (store_query.beside) are found as others are; then those of other traces are
 * dropped from what a step has found. A step that finds too many, or too few that stay, has all traces looked for that have
 * such a span, once, and from there on that set tells.
 *
 * Where there is little to read, or a trace is asked for, which is little too, one pass does.
 */
#include "duck/duck_query_priv.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	STEP_UNITS = 4,
	STEP_UNITS_MAX = 512,
	WINDOW_SEQS = 64, /* of arrivals, when nothing is known */
	/* Fewer rows than this part of a seal are read in one pass. */
	FEW_ROWS_PART = 32,
	/* Keys of a step whose traces are looked at; and, when all such traces are known, that are kept unsorted. */
	LOOSE_KEYS_MAX = 65536,
	BESIDE_STEP_GROWS_MAX = 4,
};

#define WINDOW_SEQS_MAX (UINT64_C(1) << 60)
#define WINDOW_SPARE 1.25

/* `unit` of a key: the seal's generation, or this and the unit's place. */
#define UNIT_BY_PLACE (UINT64_C(1) << 63)

struct search {
	struct duck_question *ask;
	struct duck_units units;
	unsigned char *chosen; /* a unit */
	size_t key_max; /* row_max, or more */
	struct buf keys; /* of struct duck_key, in order; at most key_max + 1 */
	struct buf
	    loose; /* of struct duck_key: found in a step, whose traces have not been looked at */
	bool too_loose;
	struct duck_beside *beside; /* all traces that ask->q->beside is about; NULL: not known */
	struct map by_gen; /* generation -> place in units */
};

static bool
upwards(const struct search *s)
{
	return store_query_is_upwards(s->ask->q);
}

static size_t
key_count(const struct search *s)
{
	return s->keys.len / sizeof(struct duck_key);
}

static struct duck_key *
keys_of(const struct search *s)
{
	void *bytes = s->keys.ptr;
	return bytes;
}

/* ---- the window */

/* Both ends inclusive; empty when from > last. */
static void
window_of(const struct store_query *q, uint64_t *from_out, uint64_t *last_out)
{
	bool up = store_query_is_upwards(q);
	*from_out = q->from_ns;
	*last_out = q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1;
	if (q->to_ns == 0) {
		*from_out = 1;
		*last_out = 0;
		return;
	}
	if (q->after.set && up && q->after.time_ns > *from_out)
		*from_out = q->after.time_ns;
	if (q->after.set && !up && q->after.time_ns < *last_out)
		*last_out = q->after.time_ns;
}

/* ---- statements */

/* The column whose values are the order. */
static int
place_col(const struct duck_question *ask)
{
	return ask->arrivals ? duck_seq_col(ask->id) : table_defs[ask->id].time_col;
}

static const char *
time_name(const struct duck_question *ask)
{
	return table_defs[ask->id].cols[place_col(ask)].name;
}

static void
put_order(struct duck_question *ask, size_t limit)
{
	const char *dir = store_query_is_upwards(ask->q) ? "ASC" : "DESC";
	buf_printf(&ask->sql.text, ") ORDER BY %s %s, seq %s, ord %s LIMIT %zu", time_name(ask),
	    dir, dir, dir, limit);
}

static void
key_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	buf_printf(&ask->sql.text, "%s%s, seq, ord::UBIGINT AS ord, ", time_name(ask),
	    ask->arrivals ? " AS place" : "");
	if (unit->kind == UNIT_SEAL)
		buf_str(&ask->sql.text, STR("seal AS unit"));
	else
		buf_printf(&ask->sql.text, "%" PRIu64 "::UBIGINT AS unit",
		    UNIT_BY_PLACE | (uint64_t)place);
	if (ask->with_traces)
		buf_str(&ask->sql.text, STR(", trace_hi, trace_lo"));
}

static void
put_column_keys(struct buf *text, const struct shred_column *c)
{
	buf_char(text, SHRED_LETTERS[c->type]);
	duck_sql_quoted(text, c->key);
	for (unsigned i = 0; i < c->key_count; i++) {
		if (i > 0)
			buf_char(text, '\t');
		duck_sql_quoted(text, c->keys[i]);
	}
}

/* The attributes as they came, from the columns they are in. */
static void
put_attributes(struct duck_question *ask, const struct duck_source *source)
{
	struct buf *text = &ask->sql.text;
	buf_str(text, STR("weir_attributes('"));
	for (unsigned i = 0; i < source->column_count; i++) {
		if (i > 0)
			buf_char(text, '\n');
		put_column_keys(text, &source->columns[i]);
	}
	buf_str(text, STR("', attributes, attribute_order"));
	for (unsigned i = 0; i < source->column_count; i++)
		buf_printf(text, ", a%u", source->columns[i].number);
	buf_str(text, STR(") AS attributes"));
}

void
duck_query_column(struct duck_question *ask, const struct duck_source *source,
    const struct table_def *def, size_t col)
{
	if (source && source->column_count > 0 && (int)col == duck_attributes_col(source->id))
		put_attributes(ask, source);
	else
		buf_printf(&ask->sql.text, "\"%s\"", def->cols[col].name);
}

static void
row_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	const struct table_def *def = &table_defs[ask->id];
	(void)unit;
	(void)place;
	for (size_t i = 0; i < def->col_count; i++) {
		if (i > 0)
			buf_str(&ask->sql.text, STR(", "));
		duck_query_column(ask, source, def, i);
	}
}

/* Rows of the chosen units. */
static enum err_code
read_rows(struct search *s, const struct store_query *q, size_t limit, struct err *err)
{
	struct duck_question *ask = s->ask;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT * FROM ("));
	if (!duck_units_put(ask, q, &s->units, s->chosen, row_columns))
		return ERR_OK;
	put_order(ask, limit);
	return duck_read(ask->d, ask->view.con, &ask->sql, q->deadline_mono_ns, &ask->result->rows,
	    err);
}

/* ---- the first pass: which rows */

static int
compare_up(const void *a, const void *b)
{
	const struct duck_key *x = a, *y = b;
	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->ord > y->ord) - (x->ord < y->ord);
}

static int
compare_down(const void *a, const void *b)
{
	return compare_up(b, a);
}

/* In order, and no more than are wanted. */
static void
keep_first(struct search *s)
{
	size_t limit = s->key_max + 1;
	if (s->keys.len == 0)
		return;
	qsort(s->keys.ptr, key_count(s), sizeof(struct duck_key),
	    upwards(s) ? compare_up : compare_down);
	if (key_count(s) > limit)
		s->keys.len = limit * sizeof(struct duck_key);
}

static enum err_code
take_keys(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct search *s = ctx;
	idx_t count = duckdb_data_chunk_get_size(chunk);
	bool with_traces = s->ask->with_traces;
	bool is_loose = s->ask->q->beside && !s->beside;
	struct buf *out = is_loose ? &s->loose : &s->keys;
	const uint64_t *cols[6];
	for (idx_t c = 0; c < (with_traces ? 6 : 4); c++)
		cols[c] = duck_chunk_column(chunk, c);
	for (idx_t i = 0; i < count; i++) {
		struct duck_key k = {cols[0][i], cols[1][i], cols[2][i], cols[3][i],
		    with_traces ? cols[4][i] : 0, with_traces ? cols[5][i] : 0};
		if (!s->beside || duck_beside_has(s->beside, k.trace_hi, k.trace_lo))
			buf_append(out, &k, sizeof(k));
	}
	s->too_loose = is_loose && out->len > LOOSE_KEYS_MAX * sizeof(struct duck_key);
	if (s->too_loose)
		return err_set(err, ERR_TOO_LARGE, "more rows than whose traces are looked at");
	if (s->beside && key_count(s) > s->ask->q->row_max + LOOSE_KEYS_MAX)
		keep_first(s);
	return out->failed ? err_set(err, ERR_TOO_LARGE, "too many rows") : ERR_OK;
}

static bool
enough(const struct search *s)
{
	return key_count(s) > s->key_max;
}

/* Can this unit have a row that comes before the last one that was found? */
static bool
still_matters(const struct search *s, const struct duck_unit *unit)
{
	if (!enough(s))
		return true;
	uint64_t last = keys_of(s)[key_count(s) - 1].time_ns;
	return upwards(s) ? unit->time_min <= last : unit->time_max >= last;
}

/* Choose units from `first` on; the end of those that were looked at. */
static enum err_code
choose(struct search *s, size_t first, size_t step, size_t *end_out, struct err *err)
{
	struct duck_question *ask = s->ask;
	struct duck_units *u = &s->units;
	size_t end = first;
	while (end < u->count && end - first < step && still_matters(s, &u->list[end]))
		end++;
	return duck_units_choose(ask, u, first, end, s->chosen, end_out, err);
}

/* The bound that rows found so far give. */
static struct store_query
narrowed(const struct search *s)
{
	struct store_query q = *s->ask->q;
	if (!enough(s))
		return q;
	uint64_t last = keys_of(s)[key_count(s) - 1].time_ns;
	if (!upwards(s) && last > q.from_ns)
		q.from_ns = last;
	if (upwards(s) && last < UINT64_MAX && last + 1 < q.to_ns)
		q.to_ns = last + 1;
	return q;
}

static enum err_code
read_keys(struct search *s, struct err *err)
{
	struct duck_question *ask = s->ask;
	size_t limit = s->key_max + 1;
	struct store_query q = narrowed(s);
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT * FROM ("));
	if (!duck_units_put(ask, &q, &s->units, s->chosen, key_columns))
		return ERR_OK;
	if (ask->q->beside)
		buf_char(&ask->sql.text, ')');
	else
		put_order(ask, limit);
	return duck_read_chunks(ask->d, ask->view.con, &ask->sql, q.deadline_mono_ns, take_keys, s,
	    err);
}

/* Of the keys whose traces have not been looked at, those stay that belong. */
static enum err_code
sift(struct search *s, struct err *err)
{
	const struct duck_key *keys = (const void *)s->loose.ptr;
	size_t count = s->loose.len / sizeof(*keys);
	struct duck_beside *among = NULL;
	enum err_code code =
	    count > 0 ? duck_beside_find(s->ask, keys, count, &among, err) : ERR_OK;
	for (size_t i = 0; i < count && code == ERR_OK; i++)
		if (duck_beside_has(among, keys[i].trace_hi, keys[i].trace_lo))
			buf_append(&s->keys, &keys[i], sizeof(*keys));
	duck_beside_free(among);
	buf_reset(&s->loose);
	if (code == ERR_OK && s->keys.failed)
		code = err_set(err, ERR_TOO_LARGE, "too many rows");
	return code;
}

static enum err_code
find_in_chosen(struct search *s, struct err *err)
{
	s->too_loose = false;
	enum err_code code = read_keys(s, err);
	if (s->too_loose) {
		buf_reset(&s->loose);
		s->too_loose = false;
		code = duck_beside_find(s->ask, NULL, 0, &s->beside, err);
		if (code == ERR_OK)
			code = read_keys(s, err);
	} else if (code == ERR_OK && s->ask->q->beside && !s->beside) {
		code = sift(s, err);
	}
	if (code == ERR_OK)
		keep_first(s);
	return code;
}

/* As many units as are likely to have the rest, should they be like those that were asked. */
static size_t
next_step(const struct search *s, size_t asked)
{
	size_t found = key_count(s), wanted = s->key_max + 1;
	size_t step = asked * 3;
	if (found > 0 && wanted > found && (wanted - found) / found < 3)
		step = asked * (wanted - found) / found + asked / 4 + 1;
	return step < STEP_UNITS_MAX ? step : STEP_UNITS_MAX;
}

static enum err_code
find_keys(struct search *s, struct err *err)
{
	enum err_code code = ERR_OK;
	size_t step = STEP_UNITS;
	for (size_t first = 0, end; first < s->units.count && code == ERR_OK; first = end) {
		if (!still_matters(s, &s->units.list[first]))
			break;
		code = choose(s, first, step, &end, err);
		if (code == ERR_OK)
			code = find_in_chosen(s, err);
		step = next_step(s, end);
		if (s->ask->q->beside && !s->beside && !enough(s) && code == ERR_OK &&
		    end < s->units.count && step > BESIDE_STEP_GROWS_MAX * STEP_UNITS)
			code = duck_beside_find(s->ask, NULL, 0, &s->beside, err);
	}
	return code;
}

/* ---- the same, of arrivals */

/* How many seqs from `lo` on are likely to have the keys that are wanted, should it go on as in the seal that has them. */
static uint64_t
likely_width(const struct search *s, uint64_t lo)
{
	uint64_t wanted = s->key_max + 1;
	for (size_t i = 0; i < s->units.count; i++) {
		const struct duck_unit *u = &s->units.list[i];
		if (u->kind != UNIT_SEAL || u->time_max < lo || u->rows == 0)
			continue;
		double seqs = (double)(u->time_max - u->time_min) + 1;
		double width = seqs / (double)u->rows * (double)wanted * WINDOW_SPARE;
		return width < (double)WINDOW_SEQS_MAX ? (uint64_t)width + 1 : WINDOW_SEQS_MAX;
	}
	return WINDOW_SEQS;
}

/* Rows of seqs in [lo, hi): those of the units that can have such. */
static enum err_code
find_in_window(struct search *s, uint64_t lo, uint64_t hi, struct err *err)
{
	const struct store_query *whole = s->ask->q;
	struct store_query q = *whole;
	struct duck_units *u = &s->units;
	enum err_code code = ERR_OK;
	size_t end = 0, all = 0;
	while (all < u->count && u->list[all].time_min < hi)
		all++;
	q.from_ns = lo;
	q.to_ns = hi;
	s->ask->q = &q;
	for (size_t first = 0; first < all && code == ERR_OK; first = end) {
		for (; first < all && u->list[first].time_max < lo; first++)
			;
		code = first < all ? duck_units_choose(s->ask, u, first, all, s->chosen, &end, err)
		                   : ERR_OK;
		for (size_t i = first; i < all; i++)
			if (u->list[i].time_max < lo)
				s->chosen[i] = 0;
		if (code == ERR_OK && first < all)
			code = find_in_chosen(s, err);
		else
			break;
	}
	s->ask->q = whole;
	return code;
}

/* Window after window, each four times the last: to find the next thousand rows of many millions is not to sort a seal. */
static enum err_code
find_arrivals(struct search *s, uint64_t lo, uint64_t last, struct err *err)
{
	enum err_code code = ERR_OK;
	uint64_t width = likely_width(s, lo);
	while (lo <= last && !enough(s) && code == ERR_OK) {
		uint64_t hi = last - lo < width ? last + 1 : lo + width, next = UINT64_MAX;
		code = find_in_window(s, lo, hi, err);
		lo = hi;
		for (size_t i = 0; i < s->units.count; i++)
			if (s->units.list[i].time_max >= lo && s->units.list[i].time_min < next)
				next = s->units.list[i].time_min;
		lo = next > lo ? next : lo; /* what has nothing is passed over */
		width = width < WINDOW_SEQS_MAX ? width * 4 : width;
	}
	return code;
}

/* ---- the second pass: the rows */

static bool
index_seals(struct search *s)
{
	for (size_t i = 0; i < s->units.count; i++)
		if (s->units.list[i].kind == UNIT_SEAL &&
		    !map_put(&s->by_gen, s->units.list[i].gen, i))
			return false;
	return true;
}

/* SIZE_MAX: it is in none of them. Beside a commit a statement may answer with rows that it did not ask for: it was
 * planned by statistics of before, and is run in a transaction of its own. */
static size_t
unit_of(const struct search *s, const struct duck_key *k)
{
	if (k->unit & UNIT_BY_PLACE)
		return (size_t)(k->unit & ~UNIT_BY_PLACE);
	const uint64_t *place = map_get(&s->by_gen, k->unit);
	CHECK(place || !s->ask->view.transaction);
	return place ? (size_t)*place : SIZE_MAX;
}

/* How many of the keys from `first` on are in so few branches that one statement does; `first`: one is in no unit. */
static size_t
block_of(struct search *s, size_t first, size_t end)
{
	size_t units = 0;
	memset(s->chosen, 0, s->units.count);
	for (size_t i = first; i < end; i++) {
		size_t place = unit_of(s, &keys_of(s)[i]);
		if (place == SIZE_MAX)
			return first;
		if (s->chosen[place])
			continue;
		s->chosen[place] = 1;
		if (++units > DUCK_BRANCHES_MAX &&
		    duck_units_branches(&s->units, s->chosen) > DUCK_BRANCHES_MAX) {
			s->chosen[place] = 0;
			return i;
		}
	}
	return end;
}

/* In any order. */
static enum err_code
read_picked(struct search *s, struct err *err)
{
	struct duck_question *ask = s->ask;
	duck_sql_reset(&ask->sql);
	if (!duck_units_put(ask, ask->q, &s->units, s->chosen, row_columns))
		return ERR_OK;
	return duck_read(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns,
	    &ask->result->rows, err);
}

/* Their keys say which rows they are, and nothing else is looked at. */
static enum err_code
fetch_block(struct search *s, size_t first, size_t end, struct err *err)
{
	const struct duck_key *keys = keys_of(s);
	struct duck_question *ask = s->ask;
	const struct store_query *asked = ask->q;
	uint64_t a = keys[first].time_ns, b = keys[end - 1].time_ns;
	uint64_t last = upwards(s) ? b : a;
	struct store_query q = {
	    .kind = asked->kind,
	    .tenant = asked->tenant,
	    .oldest_first = asked->oldest_first,
	    .from_ns = upwards(s) ? a : b,
	    .to_ns = last == UINT64_MAX ? UINT64_MAX : last + 1,
	    .deadline_mono_ns = asked->deadline_mono_ns,
	};
	size_t before = ask->result->rows.row_count;
	struct duck_pick *pick = duck_pick_begin(&ask->d->picks, DUCK_PICK_ROWS, end - first);
	for (size_t i = first; i < end; i++)
		duck_pick_add(pick, keys[i].seq, keys[i].ord, keys[i].time_ns);
	ask->pick = pick;
	ask->q = &q;
	enum err_code code = read_picked(s, err);
	ask->q = asked;
	ask->pick = NULL;
	duck_pick_end(pick);
	if (code == ERR_OK && s->ask->result->rows.row_count - before != end - first)
		return err_set(err, ERR_INTERNAL, "%zu rows were found, but %zu read", end - first,
		    s->ask->result->rows.row_count - before);
	return code;
}

static void
sort_rows(struct search *s)
{
	struct table *rows = &s->ask->result->rows;
	int time = place_col(s->ask), seq = duck_seq_col(s->ask->id);
	struct duck_key *keys = xcalloc(rows->row_count + 1, sizeof(*keys));
	uint32_t *order = xcalloc(rows->row_count + 1, sizeof(*order));
	for (size_t i = 0; i < rows->row_count; i++)
		keys[i] = (struct duck_key){table_u64(rows, i, time), table_u64(rows, i, seq),
		    table_u32(rows, i, seq + 1), i, 0, 0};
	qsort(keys, rows->row_count, sizeof(*keys), upwards(s) ? compare_up : compare_down);
	for (size_t i = 0; i < rows->row_count; i++)
		order[i] = (uint32_t)keys[i].unit;
	table_reorder(rows, order);
	free(keys);
	free(order);
}

static enum err_code
fetch_rows(struct search *s, struct err *err)
{
	const struct store_query *q = s->ask->q;
	struct store_result *r = s->ask->result;
	size_t count = key_count(s) < q->row_max ? key_count(s) : q->row_max;
	enum err_code code = ERR_OK;
	bool indexed = index_seals(s);
	CHECK(indexed);
	/* What a seal may hold of the conditions parts no branches any more. */
	for (size_t i = 0; i < s->units.count; i++)
		s->units.list[i].form = FORM_ALL;
	for (size_t first = 0, end; first < count && code == ERR_OK; first = end) {
		end = block_of(s, first, count);
		code = end > first
		    ? fetch_block(s, first, end, err)
		    : err_set(err, ERR_UNAVAILABLE, "a commit fell into the question");
	}
	if (code == ERR_OK)
		sort_rows(s);
	r->more = key_count(s) > q->row_max;
	if (s->ask->arrivals)
		r->remaining = key_count(s) - count;
	if (r->more) {
		const struct duck_key *k = &keys_of(s)[count - 1];
		r->next = (struct store_cursor){k->time_ns, k->seq, (uint32_t)k->ord, true};
	}
	return code;
}

/* ---- one pass */

/* The rows of a trace are few as a rule, and cheaper sorted here: in SQL, ORDER BY and LIMIT over all the columns
 * take 3 of 8 ms. False: they are not few, and nothing was read. */
static bool
read_few(struct search *s, enum err_code *code, struct err *err)
{
	struct duck_question *ask = s->ask;
	struct table *rows = &ask->result->rows;
	struct arena_mark mark = arena_mark(rows->arena);
	bool more = false;
	duck_sql_reset(&ask->sql);
	if (!duck_units_put(ask, ask->q, &s->units, s->chosen, row_columns))
		return true;
	*code = duck_read_few(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns,
	    ask->q->row_max, rows, &more, err);
	if (*code == ERR_OK && !more) {
		sort_rows(s);
		return true;
	}
	if (*code != ERR_OK && *code != ERR_TOO_LARGE)
		return true;
	arena_rewind(rows->arena, mark);
	table_init(rows, ask->id, ask->result->arena);
	return false;
}

/* Take the row too many off and say where the next page begins. */
static void
cut_page(struct duck_question *ask)
{
	struct store_result *r = ask->result;
	int seq = duck_seq_col(ask->id);
	r->more = r->rows.row_count > ask->q->row_max;
	if (!r->more)
		return;
	table_truncate(&r->rows, ask->q->row_max);
	size_t last = r->rows.row_count - 1;
	r->next = (struct store_cursor){
	    .time_ns = table_u64(&r->rows, last, place_col(ask)),
	    .seq = table_u64(&r->rows, last, seq),
	    .ord = table_u32(&r->rows, last, seq + 1),
	    .set = true,
	};
}

/* True: it has been answered, or has failed. */
static bool
answered_at_once(struct search *s, enum err_code *code, struct err *err)
{
	const struct duck_units *u = &s->units;
	const struct store_query *q = s->ask->q;
	uint64_t rows = 0;
	if (s->ask->q->beside || s->ask->arrivals)
		return false;
	for (size_t i = 0; i < u->count; i++)
		rows += u->list[i].rows;
	if (!q->has_trace_id && rows > s->ask->d->opt.seal_rows / FEW_ROWS_PART)
		return false;
	memset(s->chosen, 1, u->count);
	if (u->count > STEP_UNITS_MAX || duck_units_branches(u, s->chosen) > DUCK_BRANCHES_MAX)
		return false;
	if (q->has_trace_id && read_few(s, code, err))
		return true;
	*code = read_rows(s, q, q->row_max + 1, err);
	if (*code == ERR_OK)
		cut_page(s->ask);
	return true;
}

enum err_code
duck_search(struct duck_question *ask, struct err *err)
{
	struct search s = {.ask = ask, .key_max = ask->q->row_max};
	uint64_t from, last;
	enum err_code code = ERR_OK;
	if (ask->arrivals && s.key_max < SIZE_MAX - STORE_REMAINING_MAX)
		s.key_max += STORE_REMAINING_MAX - 1;
	ask->with_traces = ask->q->beside != NULL;
	window_of(ask->q, &from, &last);
	duck_units_find(ask, ask->id, from, last, &s.units);
	s.chosen = xcalloc(s.units.count + 1, 1);
	if (!answered_at_once(&s, &code, err)) {
		code = ask->arrivals ? find_arrivals(&s, from, last, err) : find_keys(&s, err);
		if (code == ERR_OK)
			code = fetch_rows(&s, err);
	}
	ask->with_traces = false;
	map_fini(&s.by_gen);
	buf_fini(&s.keys);
	buf_fini(&s.loose);
	duck_beside_free(s.beside);
	free(s.chosen);
	duck_units_fini(&s.units);
	return code;
}

enum err_code
duck_find_keys(struct duck_question *ask, struct buf *keys, struct err *err)
{
	struct search s = {.ask = ask, .key_max = ask->q->row_max};
	uint64_t from, last;
	window_of(ask->q, &from, &last);
	duck_units_find(ask, ask->id, from, last, &s.units);
	s.chosen = xcalloc(s.units.count + 1, 1);
	enum err_code code = find_keys(&s, err);
	if (code == ERR_OK && s.keys.len > 0)
		buf_append(keys, s.keys.ptr, s.keys.len);
	if (code == ERR_OK && keys->failed)
		code = err_set(err, ERR_TOO_LARGE, "too many rows");
	buf_fini(&s.keys);
	free(s.chosen);
	duck_units_fini(&s.units);
	return code;
}
