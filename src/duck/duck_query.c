/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question is one moment of the store (duck_view.h). Rows in order are found in two passes. The
 * first one reads only what says which rows they are: time, seq, ord, and the unit (duck_query_priv.h).
 * It visits units by their newest time, newest first (a trace: oldest first), STEP_UNITS, then as many
 * as are likely to do, until there are enough rows and no unit that is left can have a newer one:
 *
 *     unit     hot   catch-all   seal 81   seal 80   seal 79 ...
 *     newest   12:09   11:58      12:07     12:06     12:05
 *     visited  hot, 81, 80; 100 rows found, the last of them of 12:06: 79 and the rest are not asked
 *
 * so a common service is answered from the last seal or two, and a rare one does not pay for hundreds of
 * statements. The second pass fetches the rows themselves, from the units they are in. Whole rows are dear
 * (they are compressed for size), and sorting them drags all of their columns along.
 *
 * Where there is little to read, or a trace is asked for, which is little too, one pass does.
 */
#include "duck/duck_query_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdlib.h>

_Static_assert(STORE_ATTRS_MAX *FORM_BITS <= 64, "the forms of all conditions fit");

enum {
	STEP_UNITS = 4,
	STEP_UNITS_MAX = 512,
	BRANCHES_MAX = 32, /* of one statement */
	IDS_AT_ONCE = 10000,
	/* Fewer rows than this part of a seal are read in one pass. */
	FEW_ROWS_PART = 32,
};

#define UNIT_BY_PLACE (UINT64_C(1) << 63)

/* A row that was found: the words of the first pass. */
struct key {
	uint64_t time_ns, seq, ord;
	uint64_t unit; /* the seal's generation, or UNIT_BY_PLACE | place */
};

struct search {
	struct duck_question *ask;
	struct duck_units units;
	unsigned char *chosen; /* a unit */
	struct buf keys; /* of struct key, in order; at most row_max + 1 */
	struct map by_gen; /* generation -> place in units */
};

static bool
upwards(const struct search *s)
{
	return s->ask->q->kind == STORE_TRACE;
}

static size_t
key_count(const struct search *s)
{
	return s->keys.len / sizeof(struct key);
}

static struct key *
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
	bool up = q->kind == STORE_TRACE;
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

static const char *
time_name(const struct duck_question *ask)
{
	const struct table_def *def = &table_defs[ask->id];
	return def->cols[def->time_col].name;
}

static void
put_order(struct duck_question *ask, size_t limit)
{
	const char *dir = ask->q->kind == STORE_TRACE ? "ASC" : "DESC";
	buf_printf(&ask->sql.text, ") ORDER BY %s %s, seq %s, ord %s LIMIT %zu", time_name(ask),
	    dir, dir, dir, limit);
}

static void
key_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)source;
	buf_printf(&ask->sql.text, "%s, seq, ord::UBIGINT AS ord, ", time_name(ask));
	if (unit->kind == UNIT_SEAL)
		buf_str(&ask->sql.text, STR("seal AS unit"));
	else
		buf_printf(&ask->sql.text, "%" PRIu64 "::UBIGINT AS unit",
		    UNIT_BY_PLACE | (uint64_t)place);
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

static void
row_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	const struct table_def *def = &table_defs[ask->id];
	int attributes = duck_attributes_col(ask->id);
	(void)unit;
	(void)place;
	for (size_t i = 0; i < def->col_count; i++) {
		if (i > 0)
			buf_str(&ask->sql.text, STR(", "));
		if ((int)i == attributes && source && source->column_count > 0)
			put_attributes(ask, source);
		else
			buf_printf(&ask->sql.text, "\"%s\"", def->cols[i].name);
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

static enum err_code
take_keys(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct search *s = ctx;
	idx_t count = duckdb_data_chunk_get_size(chunk);
	const uint64_t *cols[4];
	for (idx_t c = 0; c < ARRAY_LEN(cols); c++)
		cols[c] = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, c));
	for (idx_t i = 0; i < count; i++) {
		struct key k = {cols[0][i], cols[1][i], cols[2][i], cols[3][i]};
		buf_append(&s->keys, &k, sizeof(k));
	}
	return s->keys.failed ? err_set(err, ERR_TOO_LARGE, "too many rows") : ERR_OK;
}

static int
compare_up(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
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

static bool
enough(const struct search *s)
{
	return key_count(s) > s->ask->q->row_max;
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
	size_t end = first, leaders[BRANCHES_MAX], branches = 0;
	memset(s->chosen, 0, u->count);
	while (end < u->count && end - first < step && still_matters(s, &u->list[end]))
		end++;
	enum err_code code = duck_units_filter(ask, u, first, end, err);
	for (size_t i = first; i < end && code == ERR_OK; i++) {
		const struct duck_unit *unit = &u->list[i];
		if (duck_where_never(ask, unit->kind == UNIT_HOT ? NULL : &u->sources[unit->source],
		        unit->form))
			continue;
		bool led = duck_units_is_led(u, leaders, branches, i);
		if (!led && branches == BRANCHES_MAX) {
			end = i;
			break;
		}
		if (!led)
			leaders[branches++] = i;
		s->chosen[i] = 1;
	}
	*end_out = end;
	return code;
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
find_in_chosen(struct search *s, struct err *err)
{
	struct duck_question *ask = s->ask;
	size_t limit = ask->q->row_max + 1;
	struct store_query q = narrowed(s);
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT * FROM ("));
	if (!duck_units_put(ask, &q, &s->units, s->chosen, key_columns))
		return ERR_OK;
	put_order(ask, limit);
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql, q.deadline_mono_ns,
	    take_keys, s, err);
	if (code != ERR_OK || s->keys.len == 0)
		return code;
	qsort(s->keys.ptr, key_count(s), sizeof(struct key),
	    upwards(s) ? compare_up : compare_down);
	if (key_count(s) > limit)
		s->keys.len = limit * sizeof(struct key);
	return ERR_OK;
}

/* As many units as are likely to have the rest, should they be like those that were asked. */
static size_t
next_step(const struct search *s, size_t asked)
{
	size_t found = key_count(s), wanted = s->ask->q->row_max + 1;
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
unit_of(const struct search *s, const struct key *k)
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
		if (++units > BRANCHES_MAX &&
		    duck_units_branches(&s->units, s->chosen) > BRANCHES_MAX) {
			s->chosen[place] = 0;
			return i;
		}
	}
	return end;
}

static enum err_code
fetch_block(struct search *s, size_t first, size_t end, struct err *err)
{
	const struct key *keys = keys_of(s);
	struct store_query q = *s->ask->q;
	uint64_t a = keys[first].time_ns, b = keys[end - 1].time_ns;
	uint64_t last = upwards(s) ? b : a;
	q.from_ns = upwards(s) ? a : b;
	q.to_ns = last == UINT64_MAX ? UINT64_MAX : last + 1;
	if (first > 0)
		q.after = (struct store_cursor){keys[first - 1].time_ns, keys[first - 1].seq,
		    (uint32_t)keys[first - 1].ord, true};
	size_t before = s->ask->result->rows.row_count;
	enum err_code code = read_rows(s, &q, end - first, err);
	if (code == ERR_OK && s->ask->result->rows.row_count - before != end - first)
		return err_set(err, ERR_INTERNAL, "%zu rows were found, but %zu read", end - first,
		    s->ask->result->rows.row_count - before);
	return code;
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
	for (size_t first = 0, end; first < count && code == ERR_OK; first = end) {
		end = block_of(s, first, count);
		code = end > first
		    ? fetch_block(s, first, end, err)
		    : err_set(err, ERR_UNAVAILABLE, "a commit fell into the question");
	}
	r->more = key_count(s) > q->row_max;
	if (r->more) {
		const struct key *k = &keys_of(s)[count - 1];
		r->next = (struct store_cursor){k->time_ns, k->seq, (uint32_t)k->ord, true};
	}
	return code;
}

/* ---- one pass */

static void
sort_rows(struct search *s)
{
	struct table *rows = &s->ask->result->rows;
	int time = table_defs[s->ask->id].time_col, seq = duck_seq_col(s->ask->id);
	struct key *keys = xcalloc(rows->row_count + 1, sizeof(*keys));
	uint32_t *order = xcalloc(rows->row_count + 1, sizeof(*order));
	for (size_t i = 0; i < rows->row_count; i++)
		keys[i] = (struct key){table_u64(rows, i, time), table_u64(rows, i, seq),
		    table_u32(rows, i, seq + 1), i};
	qsort(keys, rows->row_count, sizeof(*keys), upwards(s) ? compare_up : compare_down);
	for (size_t i = 0; i < rows->row_count; i++)
		order[i] = (uint32_t)keys[i].unit;
	table_reorder(rows, order);
	free(keys);
	free(order);
}

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
	    .time_ns = table_u64(&r->rows, last, table_defs[ask->id].time_col),
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
	for (size_t i = 0; i < u->count; i++)
		rows += u->list[i].rows;
	if (!q->has_trace_id && rows > s->ask->d->opt.seal_rows / FEW_ROWS_PART)
		return false;
	memset(s->chosen, 1, u->count);
	if (u->count > STEP_UNITS_MAX || duck_units_branches(u, s->chosen) > BRANCHES_MAX)
		return false;
	if (q->has_trace_id && read_few(s, code, err))
		return true;
	*code = read_rows(s, q, q->row_max + 1, err);
	if (*code == ERR_OK)
		cut_page(s->ask);
	return true;
}

static enum err_code
search_rows(struct duck_question *ask, struct err *err)
{
	struct search s = {.ask = ask};
	uint64_t from, last;
	enum err_code code = ERR_OK;
	window_of(ask->q, &from, &last);
	duck_units_find(ask, ask->id, from, last, &s.units);
	s.chosen = xcalloc(s.units.count + 1, 1);
	if (!answered_at_once(&s, &code, err)) {
		code = find_keys(&s, err);
		if (code == ERR_OK)
			code = fetch_rows(&s, err);
	}
	map_fini(&s.by_gen);
	buf_fini(&s.keys);
	free(s.chosen);
	duck_units_fini(&s.units);
	return code;
}

/* ---- dictionaries */

static enum err_code
read_ids(struct duck_question *ask, struct str ids, struct table *out, struct err *err)
{
	enum table_id dict = (enum table_id)(out->def - table_defs);
	size_t before = out->row_count;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT "));
	duck_read_columns(&ask->sql, out->def);
	buf_printf(&ask->sql.text, " FROM %s WHERE tenant = ", out->def->name);
	duck_sql_text(&ask->sql, ask->q->tenant);
	buf_str(&ask->sql.text, STR(" AND id IN ("));
	buf_str(&ask->sql.text, ids);
	buf_char(&ask->sql.text, ')');
	enum err_code code =
	    duck_read(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns, out, err);
	for (size_t row = before; row < out->row_count && code == ERR_OK; row++)
		duck_recall_put(&ask->d->recall, dict, out, row);
	return code;
}

/* One that is not in the file yet, else its id goes to the list. */
static enum err_code
add_hot_or_list(struct duck_question *ask, uint64_t id, struct table *out, struct buf *ids,
    size_t *count, struct err *err)
{
	const struct table *rows;
	size_t row;
	enum table_id dict = (enum table_id)(out->def - table_defs);
	if (!hot_view_dict(ask->view.hot, dict, ask->q->tenant, id, &rows, &row)) {
		size_t before = out->row_count;
		if (duck_recall_get(&ask->d->recall, dict, ask->q->tenant, id, out))
			return ERR_OK;
		table_truncate(out, before);
		buf_printf(ids, "%s%" PRIu64 "::UBIGINT", *count > 0 ? ", " : "", id);
		++*count;
		return ERR_OK;
	}
	if (duck_copy_dict_row(rows, row, out))
		return ERR_OK;
	return err_set(err, ERR_TOO_LARGE,
	    "the answer is larger than %zu bytes: ask for less, with a limit, a filter or a "
	    "shorter time",
	    out->arena->bytes_max);
}

/* The entries of a dictionary that column `col` of the answer names. */
static enum err_code
read_dict(struct duck_question *ask, int col, struct table *out, struct err *err)
{
	const struct table *rows = &ask->result->rows;
	struct map seen = {0};
	struct buf ids = {0};
	enum err_code code = ERR_OK;
	size_t count = 0;
	for (size_t i = 0; i < rows->row_count && code == ERR_OK; i++) {
		uint64_t id = table_u64(rows, i, col);
		if (map_get(&seen, id))
			continue;
		bool put = map_put(&seen, id, 1);
		CHECK(put);
		code = add_hot_or_list(ask, id, out, &ids, &count, err);
		if (count < IDS_AT_ONCE || code != ERR_OK)
			continue;
		code = read_ids(ask, buf_view(&ids), out, err);
		buf_reset(&ids);
		count = 0;
	}
	if (code == ERR_OK && count > 0)
		code = read_ids(ask, buf_view(&ids), out, err);
	buf_fini(&ids);
	map_fini(&seen);
	return code;
}

/* ---- answers */

static enum err_code
answer(struct duck_question *ask, struct err *err)
{
	const struct store_query *q = ask->q;
	enum err_code code = ERR_OK;
	if (q->kind == STORE_SERVICES)
		return duck_services_answer(ask, err);
	for (size_t i = 0; i < q->attr_count && code == ERR_OK; i++)
		code = duck_where_resources(ask, i, err);
	if (code == ERR_OK)
		code = search_rows(ask, err);
	if (code == ERR_OK)
		code =
		    read_dict(ask, duck_fill_resource_col(ask->id), &ask->result->resources, err);
	if (code == ERR_OK)
		code = read_dict(ask, duck_fill_scope_col(ask->id), &ask->result->scopes, err);
	return code;
}

static enum err_code
ask_in_view(struct duck_question *ask, duckdb_connection con, bool *reusable, struct err *err)
{
	struct duck_gate *gate = ask->sql.gate;
	if (gate && !duck_gate_hold(gate, ask->q->deadline_mono_ns))
		return err_set(err, ERR_DEADLINE, "the query did not end in its time");
	enum err_code code = duck_view_begin(ask->d, con, gate != NULL, &ask->view, err);
	if (gate)
		duck_gate_release(gate);
	*reusable = code == ERR_BUSY;
	if (code == ERR_OK) {
		code = answer(ask, err);
		ask->view.left = code != ERR_OK;
		*reusable = duck_view_end(ask->d, &ask->view);
	}
	return code;
}

static void
begin_answer(struct duck_question *ask)
{
	struct store_result *r = ask->result;
	table_init(&r->rows, ask->id, r->arena);
	table_init(&r->resources, TABLE_RESOURCES, r->arena);
	table_init(&r->scopes, TABLE_SCOPES, r->arena);
	r->more = false;
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++) {
		buf_reset(&ask->ids[i].list);
		ask->ids[i].many = false;
	}
}

static void
settle_memo(struct duck_question *ask, bool is_true)
{
	/* Rows of a seal it counts may have been removed since. */
	bool current = ask->view.gen >= atomic_load(&ask->d->removed_gen);
	if (ask->memo && is_true && current)
		duck_memo_give(&ask->d->services_memo, ask->memo, clock_mono_ns());
	else
		duck_memo_free(ask->memo);
	ask->memo = NULL;
}

/* What a commit fell into is not true, be it an answer or an error: duck_gate.h. */
static enum err_code
ask_beside_commits(struct duck_question *ask, duckdb_connection con, bool *reusable,
    struct err *err)
{
	struct duck_gate *gate = &ask->d->gate;
	struct arena_mark mark = arena_mark(ask->result->arena);
	uint64_t commits;
	if (duck_gate_look(gate, ask->q->deadline_mono_ns, &commits)) {
		enum err_code code = ask_in_view(ask, con, reusable, err);
		bool same = duck_gate_same(gate, commits);
		settle_memo(ask, same && code == ERR_OK);
		if (same || (code != ERR_OK && !*reusable))
			return code;
		if (!*reusable)
			return err_set(err, ERR_UNAVAILABLE, "a read transaction cannot be ended");
	}
	atomic_fetch_add(&ask->d->asked_again, 1);
	arena_rewind(ask->result->arena, mark);
	begin_answer(ask);
	ask->sql.gate = gate;
	enum err_code code = ask_in_view(ask, con, reusable, err);
	settle_memo(ask, code == ERR_OK);
	return code;
}

static enum table_id
table_of(enum store_query_kind kind)
{
	switch (kind) {
	case STORE_SPANS:
	case STORE_TRACE: return TABLE_SPANS;
	case STORE_LOGS: return TABLE_LOGS;
	case STORE_POINTS: return TABLE_POINTS;
	case STORE_SERVICES: return TABLE_SERVICES;
	}
	CHECK(false);
	return TABLE_SERVICES;
}

enum err_code
duck_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct duck *d = duck_of(s);
	duckdb_connection con;
	/* Of services only what is meant for them is looked at. */
	struct store_query services = {
	    .kind = q->kind,
	    .tenant = q->tenant,
	    .from_ns = q->from_ns,
	    .to_ns = q->to_ns,
	    .row_max = q->row_max,
	    .deadline_mono_ns = q->deadline_mono_ns,
	    .service = q->service,
	};
	struct duck_question ask = {
	    .d = d,
	    .q = q->kind == STORE_SERVICES ? &services : q,
	    .result = result,
	    .id = table_of(q->kind),
	};
	bool reusable = true;
	begin_answer(&ask);
	enum err_code code = duck_pool_take(d, q->deadline_mono_ns, &con, err);
	if (code != ERR_OK)
		return code;
	duck_sql_init(&ask.sql);
	bool large = !q->has_trace_id;
	if (large)
		duck_help_begin(&d->help);
	code = ask_beside_commits(&ask, con, &reusable, err);
	if (large)
		duck_help_end(&d->help);
	duck_pool_give(d, con, !reusable);
	duck_sql_fini(&ask.sql);
	for (size_t i = 0; i < STORE_ATTRS_MAX; i++)
		buf_fini(&ask.ids[i].list);
	return code;
}
