/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_query_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <stdlib.h>

_Static_assert(STORE_ATTRS_MAX *FORM_BITS <= 64, "the forms of all conditions fit");

enum { PICKED_FILTERED_MAX = 1000 };

/* ---- finding them */

static void
add_unit(struct duck_units *u, const struct duck_unit *unit)
{
	if (u->count == u->cap) {
		u->cap = u->cap ? u->cap * 2 : 64;
		u->list = xrealloc(u->list, u->cap * sizeof(*u->list));
	}
	u->list[u->count++] = *unit;
}

static void
add_source(struct duck_units *u, const struct duck_table *t, uint64_t gen)
{
	struct duck_source *s = &u->sources[u->source_count++];
	*s = (struct duck_source){.id = t->id, .day = t->day};
	duck_schema_table_name(&table_defs[t->id], t->day, s->name);
	while (s->column_count < t->plan.count && t->column_since[s->column_count] <= gen) {
		s->columns[s->column_count] = t->plan.columns[s->column_count];
		s->column_count++;
	}
}

struct bounds {
	uint64_t from, last; /* inclusive */
};

static bool
meets(const struct bounds *b, uint64_t min, uint64_t max)
{
	return max >= b->from && min <= b->last;
}

/* Points belong to none. */
static bool
by_trace(const struct store_query *q, enum table_id id)
{
	return q->has_trace_id && duck_trace_col(id) >= 0;
}

/* NULL: it is not by traces that something was picked. */
static const struct duck_pick *
picked_traces(const struct duck_question *ask)
{
	const struct duck_pick *pick = ask->pick;
	return pick && duck_pick_is_of(pick) == DUCK_PICK_TRACES ? pick : NULL;
}

/* May it have one of the traces that were picked? A filter is wrong for one of a hundred: of many it says nothing. */
static bool
seal_may_have(const struct duck_question *ask, const struct duck_seal_info *s)
{
	const struct duck_pick *pick = picked_traces(ask);
	if (!pick || !s->traces.ptr || duck_pick_count(pick) > PICKED_FILTERED_MAX)
		return true;
	for (size_t i = 0; i < duck_pick_count(pick); i++)
		if (bloom_maybe(s->traces, duck_pick_trace_hash(pick, i)))
			return true;
	return false;
}

static bool
part_may_have(const struct duck_question *ask, const struct hot_view_part *part)
{
	const struct duck_pick *pick = picked_traces(ask);
	bool found = !pick;
	int col = duck_trace_col(part->table);
	for (size_t i = 0; i < part->slice_count && !found; i++) {
		const struct hot_slice *s = &part->slices[i];
		const uint64_t *hi = s->rows->cols[col].u64, *lo = s->rows->cols[col + 1].u64;
		for (uint32_t row = s->first; row < s->first + s->count && !found; row++)
			found = duck_pick_has(pick, hi[row], lo[row]);
	}
	return found;
}

static void
add_seals(struct duck_question *ask, struct duck_units *u, const struct duck_table *t,
    const struct bounds *b)
{
	const struct store_query *q = ask->q;
	bool filtered = by_trace(q, t->id);
	uint64_t trace = filtered ? duck_trace_hash(q->trace_hi, q->trace_lo) : 0;
	for (size_t i = 0; i < t->seal_count; i++) {
		const struct duck_seal_info *s = &t->seals[i];
		uint64_t min = s->time_min, max = s->time_max;
		if (ask->arrivals)
			duck_arrivals_bounds(ask, s, &min, &max);
		if (s->gen > ask->view.gen || s->until <= ask->view.gen || !meets(b, min, max))
			continue;
		if ((filtered && s->traces.ptr && !bloom_maybe(s->traces, trace)) ||
		    !seal_may_have(ask, s))
			continue;
		add_unit(u,
		    &(struct duck_unit){UNIT_SEAL, (uint32_t)u->source_count - 1, (uint32_t)i,
		        s->gen, min, max, s->rows, s->summed_since <= ask->view.gen, FORM_ALL});
	}
}

static void
add_table(struct duck_question *ask, struct duck_units *u, const struct duck_table *t,
    const struct bounds *b)
{
	struct duck_unit unit = {
	    .source = (uint32_t)u->source_count, .time_max = UINT64_MAX, .form = FORM_ALL};
	if (t->day == DUCK_DAY_OTHER) {
		add_source(u, t, ask->view.gen);
		unit.kind = UNIT_OTHER;
		unit.rows = ask->d->opt.seal_rows;
		add_unit(u, &unit);
		return;
	}
	uint64_t first = (uint64_t)t->day * NS_PER_DAY, last = first + (NS_PER_DAY - 1);
	if (ask->arrivals) {
		first = 0;
		last = UINT64_MAX;
	}
	if (!meets(b, first, last))
		return;
	add_source(u, t, ask->view.gen);
	add_seals(ask, u, t, b);
	if (!t->loose)
		return;
	unit.kind = UNIT_LOOSE;
	unit.time_min = first;
	unit.time_max = last;
	unit.rows = t->loose_rows;
	add_unit(u, &unit);
}

/* Rows of a part ascend by seq. */
static void
bound_by_seq(const struct hot_view_part *part, struct duck_unit *unit)
{
	int col = duck_seq_col(part->table);
	const struct hot_slice *last = &part->slices[part->slice_count - 1];
	unit->time_min = table_u64(part->slices[0].rows, part->slices[0].first, col);
	unit->time_max = table_u64(last->rows, last->first + last->count - 1, col);
}

static void
add_part(const struct duck_question *ask, struct duck_units *u, const struct hot_view_part *part,
    uint32_t place, const struct bounds *b)
{
	struct duck_unit unit = {.kind = UNIT_HOT,
	    .place = place,
	    .time_min = UINT64_MAX,
	    .rows = part->rows,
	    .form = FORM_ALL};
	for (size_t i = 0; i < part->slice_count; i++) {
		const struct hot_slice *s = &part->slices[i];
		unit.time_min = s->time_min < unit.time_min ? s->time_min : unit.time_min;
		unit.time_max = s->time_max > unit.time_max ? s->time_max : unit.time_max;
	}
	if (part->rows > 0 && ask->arrivals)
		bound_by_seq(part, &unit);
	if (part->rows == 0 || !meets(b, unit.time_min, unit.time_max))
		return;
	const struct store_query *q = ask->q;
	if ((!by_trace(q, part->table) || duck_view_has_trace(part, q->trace_hi, q->trace_lo)) &&
	    part_may_have(ask, part))
		add_unit(u, &unit);
}

static int
newest_first(const void *a, const void *b)
{
	const struct duck_unit *x = a, *y = b;
	return (x->time_max < y->time_max) - (x->time_max > y->time_max);
}

static int
oldest_first(const void *a, const void *b)
{
	const struct duck_unit *x = a, *y = b;
	return (x->time_min > y->time_min) - (x->time_min < y->time_min);
}

void
duck_units_find(struct duck_question *ask, enum table_id id, uint64_t from_ns, uint64_t last_ns,
    struct duck_units *out)
{
	struct duck_catalog *c = &ask->d->catalog;
	struct bounds b = {from_ns, last_ns};
	*out = (struct duck_units){0};
	if (from_ns > last_ns)
		return;
	mutex_lock(&c->lock);
	out->sources = xcalloc(c->count + 1, sizeof(*out->sources));
	for (size_t i = 0; i < c->count; i++)
		if (c->tables[i]->id == id && c->tables[i]->since <= ask->view.gen &&
		    ask->view.gen < c->tables[i]->until)
			add_table(ask, out, c->tables[i], &b);
	mutex_unlock(&c->lock);
	for (size_t i = 0; i < ask->view.hot->part_count; i++)
		if (ask->view.hot->parts[i].table == id)
			add_part(ask, out, &ask->view.hot->parts[i], (uint32_t)i, &b);
	if (out->count > 0)
		qsort(out->list, out->count, sizeof(*out->list),
		    store_query_is_upwards(ask->q) ? oldest_first : newest_first);
}

void
duck_units_fini(struct duck_units *u)
{
	free(u->sources);
	free(u->list);
	*u = (struct duck_units){0};
}

/* ---- filters of attributes */

struct filtering {
	struct duck_question *ask;
	struct duck_units *units;
	struct map by_gen; /* gen -> place in units */
	struct duck_attr_probe probes[STORE_ATTRS_MAX];
};

static void
set_form(struct filtering *f, uint64_t gen, struct str filter)
{
	const uint64_t *place = map_get(&f->by_gen, gen);
	if (!place)
		return;
	uint64_t form = 0;
	for (size_t i = 0; i < f->ask->q->attr_count; i++)
		form |= (uint64_t)duck_attr_probe(&f->probes[i], filter) << (i * FORM_BITS);
	f->units->list[*place].form = form;
}

static enum err_code
take_filters(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct filtering *f = ctx;
	(void)err;
	const uint64_t *gens = duck_chunk_words(chunk, 0);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
		if (!duck_chunk_is_null(chunk, 1, i))
			set_form(f, gens[i], duck_chunk_text(chunk, 1, i));
	return ERR_OK;
}

enum err_code
duck_units_filter(struct duck_question *ask, struct duck_units *u, size_t first, size_t end,
    struct err *err)
{
	struct filtering f = {.ask = ask, .units = u};
	uint64_t min = UINT64_MAX, max = 0;
	for (size_t i = first; i < end; i++) {
		const struct duck_unit *unit = &u->list[i];
		if (unit->kind != UNIT_SEAL)
			continue;
		bool put = map_put(&f.by_gen, unit->gen, i);
		CHECK(put);
		min = unit->gen < min ? unit->gen : min;
		max = unit->gen > max ? unit->gen : max;
	}
	if (min > max || ask->q->attr_count == 0) {
		map_fini(&f.by_gen);
		return ERR_OK;
	}
	for (size_t i = 0; i < ask->q->attr_count; i++)
		duck_attr_probe_init(&f.probes[i], &ask->q->attrs[i]);
	duck_sql_reset(&ask->sql);
	buf_printf(&ask->sql.text, "SELECT gen, attrs FROM seals WHERE base = '%s' AND ",
	    table_defs[ask->id].name);
	duck_sql_gens(&ask->sql, min, max);
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, take_filters, &f, err);
	map_fini(&f.by_gen);
	return code;
}

/* ---- as SQL */

/* Chosen units that are asked by one SELECT: seals of a table that have the same form. */
static bool
same_branch(const struct duck_unit *a, const struct duck_unit *b)
{
	return a->kind == UNIT_SEAL && b->kind == UNIT_SEAL && a->source == b->source &&
	    a->form == b->form;
}

bool
duck_units_is_led(const struct duck_units *u, const size_t *leaders, size_t count, size_t place)
{
	for (size_t i = 0; i < count; i++)
		if (same_branch(&u->list[leaders[i]], &u->list[place]))
			return true;
	return false;
}

size_t
duck_units_branches(const struct duck_units *u, const unsigned char *chosen)
{
	size_t count = 0, *leaders = xcalloc(u->count + 1, sizeof(*leaders));
	for (size_t i = 0; i < u->count; i++)
		if (chosen[i] && !duck_units_is_led(u, leaders, count, i))
			leaders[count++] = i;
	free(leaders);
	return count;
}

enum err_code
duck_units_choose(struct duck_question *ask, struct duck_units *u, size_t first, size_t end,
    unsigned char *chosen, size_t *end_out, struct err *err)
{
	size_t leaders[DUCK_BRANCHES_MAX], branches = 0;
	memset(chosen, 0, u->count);
	enum err_code code = duck_units_filter(ask, u, first, end, err);
	for (size_t i = first; i < end && code == ERR_OK; i++) {
		const struct duck_unit *unit = &u->list[i];
		if (duck_where_never(ask, unit->kind == UNIT_HOT ? NULL : &u->sources[unit->source],
		        unit->form))
			continue;
		bool led = duck_units_is_led(u, leaders, branches, i);
		if (!led && branches == DUCK_BRANCHES_MAX) {
			end = i;
			break;
		}
		if (!led)
			leaders[branches++] = i;
		chosen[i] = 1;
	}
	*end_out = end;
	return code;
}

static int
by_place(const void *a, const void *b)
{
	const struct duck_unit *const *x = a, *const *y = b;
	return ((*x)->place > (*y)->place) - ((*x)->place < (*y)->place);
}

/* Seals that follow one another in the table are a range, others a list: both prune whole row groups,
 * while ranges joined by OR do not. */
static void
put_seals(struct duck_question *ask, const struct duck_units *u, const unsigned char *chosen,
    size_t place)
{
	struct duck_sql *sql = &ask->sql;
	const struct duck_unit **list = xcalloc(u->count, sizeof(*list));
	size_t count = 0;
	for (size_t i = place; i < u->count; i++)
		if (chosen[i] && same_branch(&u->list[i], &u->list[place]))
			list[count++] = &u->list[i];
	qsort(list, count, sizeof(*list), by_place);
	if (list[count - 1]->place - list[0]->place == count - 1) {
		buf_str(&sql->text, STR(" AND seal >= "));
		duck_sql_u64(sql, list[0]->gen);
		buf_str(&sql->text, STR(" AND seal <= "));
		duck_sql_u64(sql, list[count - 1]->gen);
	} else {
		for (size_t i = 0; i < count; i++) {
			buf_str(&sql->text, i == 0 ? STR(" AND seal IN (") : STR(", "));
			duck_sql_u64(sql, list[i]->gen);
		}
		buf_char(&sql->text, ')');
	}
	free(list);
}

/* Only what was picked. The function of one column is what the scan itself looks at. */
static void
put_pick(struct duck_question *ask, enum table_id id)
{
	struct buf *text = &ask->sql.text;
	uint64_t number = duck_pick_number(ask->pick);
	const struct column_def *cols = table_defs[id].cols;
	int a = duck_seq_col(id), hint = ask->arrivals ? a : table_defs[id].time_col;
	if (duck_pick_is_of(ask->pick) == DUCK_PICK_TRACES) {
		a = duck_trace_col(id);
		hint = a + 1;
	}
	buf_printf(text, " AND weir_picked(%" PRIu64 ", %s)", number, cols[hint].name);
	buf_printf(text, " AND weir_picked_pair(%" PRIu64 ", %s, %s::UBIGINT)", number,
	    cols[a].name, cols[a + 1].name);
}

static void
put_branch(struct duck_question *ask, const struct store_query *q, const struct duck_units *u,
    const unsigned char *chosen, size_t place,
    void (*columns)(struct duck_question *ask, const struct duck_source *source,
        const struct duck_unit *unit, size_t place))
{
	struct duck_sql *sql = &ask->sql;
	const struct duck_unit *unit = &u->list[place];
	const struct duck_source *source =
	    unit->kind == UNIT_HOT ? NULL : &u->sources[unit->source];
	enum table_id id = source ? source->id : ask->view.hot->parts[unit->place].table;
	buf_str(&sql->text, STR("SELECT "));
	columns(ask, source, unit, place);
	if (source) {
		buf_printf(&sql->text, " FROM %s", source->name);
	} else {
		buf_str(&sql->text, STR(" FROM "));
		duck_view_put(sql, &ask->view, unit->place, q, ask->pick);
	}
	buf_str(&sql->text, STR(" WHERE tenant = "));
	duck_sql_text(sql, q->tenant);
	if (unit->kind == UNIT_SEAL)
		put_seals(ask, u, chosen, place);
	if (unit->kind == UNIT_LOOSE)
		buf_str(&sql->text, STR(" AND seal = 0::UBIGINT"));
	duck_where(ask, q, id, source, unit->form);
	if (ask->pick)
		put_pick(ask, id);
}

bool
duck_units_put(struct duck_question *ask, const struct store_query *q, const struct duck_units *u,
    const unsigned char *chosen,
    void (*columns)(struct duck_question *ask, const struct duck_source *source,
        const struct duck_unit *unit, size_t place))
{
	size_t count = 0, *leaders = xcalloc(u->count + 1, sizeof(*leaders));
	for (size_t i = 0; i < u->count; i++) {
		if (!chosen[i] || duck_units_is_led(u, leaders, count, i))
			continue;
		if (count > 0)
			buf_str(&ask->sql.text, STR(" UNION ALL "));
		put_branch(ask, q, u, chosen, i, columns);
		leaders[count++] = i;
	}
	free(leaders);
	return count > 0;
}
