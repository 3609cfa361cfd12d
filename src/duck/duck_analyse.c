/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_analyse(): rows and sums of rows become a partial.
 *
 *     seals, slices that are wholly in a window    their sums (duck_parts.h)
 *     the hot tail                                 its rows, counted here
 *     slices that an end of a window cuts, seals without sums, rows of before there were seals, the
 *     catch-all                                    their rows, read by SQL and counted here
 *
 * Services and hashes of a slice stand or fall together, operations have slices of their own; so rows of a cut are counted
 * for what was cut only (partial.counted). Cuts that are of the same times and for the same are one statement,
 * and as the bounds of slices are multiples of few widths, these are few, however many seals are cut.
 */
#include "duck/duck_parts.h"
#include "duck/duck_query_priv.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "store/partial_rows.h"

#include <stdlib.h>

enum {
	BYTES_AT_ONCE = 4 << 20, /* of maps, as they are read */
	OF_SPANS = PARTIAL_SPANS | PARTIAL_TRACES | PARTIAL_TRACES_BY_SERVICE,
};

/* A part that is wholly in a window. */
struct taking {
	uint64_t gen, items;
	uint32_t number;
	enum duck_part_kind kind;
	unsigned window;
	struct str service; /* of hashes: in names */
	size_t at, words; /* where its bytes go, and how many came */
};

/* Rows of a seal that are to be read. */
struct cut {
	size_t unit;
	uint64_t from_ns, last_ns; /* inclusive */
	unsigned counted;
};

struct analysing {
	struct duck_question *ask;
	struct partial *p;
	struct partial_counter counter;
	enum table_id id;
	unsigned services, operations; /* what is wanted of the signal, by where it is */
	struct duck_units units;
	struct map unit_of; /* gen of a seal with sums -> place in units */
	struct buf takes; /* of struct taking */
	struct buf cuts; /* of struct cut */
	struct map take_of; /* gen << bits | number -> place in takes */
	struct buf bytes; /* of maps that are being read */
	size_t first, end; /* the takes that they are of */
	struct arena names;
	const struct cut *reading; /* whose rows are being read; NULL: of whole units */
};

static uint64_t
last_of(const struct partial_span *s)
{
	return s->to_ns == UINT64_MAX ? UINT64_MAX : s->to_ns - 1;
}

static size_t
take_count(const struct analysing *a)
{
	return a->takes.len / sizeof(struct taking);
}

static struct taking *
take_at(struct analysing *a, size_t i)
{
	void *list = a->takes.ptr;
	CHECK(i < take_count(a));
	return (struct taking *)list + i;
}

static enum err_code
too_many(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "too many seals: ask for a shorter time");
}

/* ---- which parts, and what they leave over */

struct part_row {
	uint64_t gen, first_ns, last_ns, items;
	uint32_t number, width_s;
	enum duck_part_kind kind;
	struct str service;
};

static unsigned
counted_of(const struct analysing *a, enum duck_part_kind kind)
{
	return kind == PART_OPERATIONS ? a->operations : a->services;
}

static void
add_cut(struct analysing *a, const struct part_row *r, const struct partial_span *window)
{
	struct cut c = {.from_ns = window->from_ns, .last_ns = last_of(window)};
	const uint64_t *unit = map_get(&a->unit_of, r->gen);
	CHECK(unit);
	c.unit = (size_t)*unit;
	c.counted = counted_of(a, r->kind);
	if (r->items > 0) { /* else all that the seal has in the window */
		uint64_t width_ns = (uint64_t)r->width_s * NS_PER_S;
		uint64_t start = width_ns > 0 ? r->first_ns - r->first_ns % width_ns : 0;
		uint64_t end = start <= UINT64_MAX - width_ns ? start + width_ns - 1 : UINT64_MAX;
		c.from_ns = start > c.from_ns ? start : c.from_ns;
		c.last_ns = end < c.last_ns && width_ns > 0 ? end : c.last_ns;
	}
	buf_append(&a->cuts, &c, sizeof(c));
}

static enum err_code
add_take(struct analysing *a, const struct part_row *r, unsigned window, struct err *err)
{
	struct taking t = {.gen = r->gen,
	    .items = r->items,
	    .number = r->number,
	    .kind = r->kind,
	    .window = window};
	/* Only its times were of interest. */
	if (a->id == TABLE_SPANS && r->kind == PART_SERVICES && !(a->services & PARTIAL_SPANS))
		return ERR_OK;
	if (r->kind == PART_HASHES) {
		t.service = arena_str(&a->names, r->service);
		if (!t.service.ptr)
			return too_many(err);
	}
	buf_append(&a->takes, &t, sizeof(t));
	return a->takes.failed ? too_many(err) : ERR_OK;
}

/* Hashes of a slice that is cut come with its rows. */
static enum err_code
place_part(struct analysing *a, const struct part_row *r, struct err *err)
{
	for (unsigned i = 0; i < a->p->scope.window_count; i++) {
		const struct partial_span *w = &a->p->scope.windows[i];
		uint64_t last_ns = last_of(w);
		if (r->last_ns < w->from_ns || r->first_ns > last_ns || w->to_ns == 0)
			continue;
		bool whole = r->first_ns >= w->from_ns && r->last_ns <= last_ns && r->items > 0;
		if (whole)
			return add_take(a, r, i, err);
		if (r->kind != PART_HASHES)
			add_cut(a, r, w);
	}
	return a->cuts.failed ? too_many(err) : ERR_OK;
}

static enum err_code
take_parts(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct analysing *a = ctx;
	enum { GEN, NUMBER, KIND, SERVICE, WIDTH, FIRST, LAST, ITEMS };
	enum err_code code = ERR_OK;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk) && code == ERR_OK; i++) {
		struct part_row r = {
		    .gen = duck_chunk_words(chunk, GEN)[i],
		    .first_ns = duck_chunk_words(chunk, FIRST)[i],
		    .last_ns = duck_chunk_words(chunk, LAST)[i],
		    .items = duck_chunk_words(chunk, ITEMS)[i],
		    .number = ((const uint32_t *)duck_chunk_column(chunk, NUMBER))[i],
		    .width_s = ((const uint32_t *)duck_chunk_column(chunk, WIDTH))[i],
		    .kind =
		        (enum duck_part_kind)((const int32_t *)duck_chunk_column(chunk, KIND))[i],
		    .service = duck_chunk_text(chunk, SERVICE, i),
		};
		if (r.number >= 1 << DUCK_PART_NUMBER_BITS)
			return err_set(err, ERR_CORRUPT, "the sums of a seal have no such number");
		if (map_get(&a->unit_of, r.gen))
			code = place_part(a, &r, err);
	}
	return code;
}

/* The kinds that are wanted. */
static void
put_kinds(const struct analysing *a, struct duck_sql *sql)
{
	unsigned hashes = PARTIAL_TRACES | PARTIAL_TRACES_BY_SERVICE | PARTIAL_POINTS;
	buf_str(&sql->text, STR(" AND kind IN (0"));
	if (a->services != 0)
		buf_printf(&sql->text, ", %d", PART_SERVICES);
	if (a->operations != 0)
		buf_printf(&sql->text, ", %d", PART_OPERATIONS);
	if (a->services & hashes)
		buf_printf(&sql->text, ", %d", PART_HASHES);
	buf_char(&sql->text, ')');
}

/* Of the seals that have sums; these are no longer chosen. */
static enum err_code
find_parts(struct analysing *a, unsigned char *chosen, struct err *err)
{
	struct duck_question *ask = a->ask;
	struct duck_sql *sql = &ask->sql;
	uint64_t min = UINT64_MAX, max = 0;
	for (size_t i = 0; i < a->units.count; i++) {
		const struct duck_unit *unit = &a->units.list[i];
		if (unit->kind != UNIT_SEAL || !unit->summed)
			continue;
		chosen[i] = 0;
		min = unit->gen < min ? unit->gen : min;
		max = unit->gen > max ? unit->gen : max;
		if (!map_put(&a->unit_of, unit->gen, i))
			return too_many(err);
	}
	if (min > max)
		return ERR_OK;
	duck_sql_reset(sql);
	buf_str(&sql->text,
	    STR("SELECT gen, number, kind, service, width_s, first_ns, last_ns, items FROM seal_parts"
	        " WHERE tenant = "));
	duck_sql_text(sql, ask->q->tenant);
	buf_str(&sql->text, STR(" AND "));
	duck_sql_gens(sql, min, max);
	put_kinds(a, sql);
	if (ask->q->service.len > 0) {
		buf_printf(&sql->text, " AND (kind <> %d OR service = ", PART_HASHES);
		duck_sql_text(sql, ask->q->service);
		buf_char(&sql->text, ')');
	}
	return duck_read_chunks(ask->d, ask->view.con, sql, ask->q->deadline_mono_ns, take_parts, a,
	    err);
}

/* ---- maps */

static int
by_gen(const void *a, const void *b)
{
	const struct taking *x = a, *y = b;
	if (x->gen != y->gen)
		return x->gen < y->gen ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

struct looked_up {
	uint64_t key;
	struct taking *taking;
};

/* What takes a value of this part; NULL: nothing does. Values of a part stand together as a rule. */
static struct taking *
taking_of(struct analysing *a, uint64_t gen, uint32_t number, struct looked_up *last)
{
	uint64_t key = gen << DUCK_PART_NUMBER_BITS | number;
	if (key != last->key) {
		const uint64_t *place = map_get(&a->take_of, key);
		*last = (struct looked_up){key, place ? take_at(a, (size_t)*place) : NULL};
	}
	return last->taking;
}

static enum err_code
take_words(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct analysing *a = ctx;
	enum { GEN, NUMBER, PLACE, WORD };
	const uint64_t *gens = duck_chunk_words(chunk, GEN), *words = duck_chunk_words(chunk, WORD);
	const uint32_t *numbers = duck_chunk_column(chunk, NUMBER),
	               *places = duck_chunk_column(chunk, PLACE);
	struct looked_up last = {.key = UINT64_MAX};
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		struct taking *t = taking_of(a, gens[i], numbers[i], &last);
		if (!t)
			continue;
		size_t at = (size_t)places[i] * DUCK_PART_WORD;
		if (at >= t->items)
			return err_set(err, ERR_CORRUPT, "the sums of seal %llu are damaged",
			    (unsigned long long)gens[i]);
		put_u64le(a->bytes.ptr + t->at + at, words[i]);
		t->words++;
	}
	return ERR_OK;
}

static size_t
padded(uint64_t items)
{
	return ((size_t)items + DUCK_PART_WORD - 1) / DUCK_PART_WORD * DUCK_PART_WORD;
}

/* The takes [first, end) are maps. */
static enum err_code
read_words(struct analysing *a, struct err *err)
{
	struct duck_question *ask = a->ask;
	struct duck_sql *sql = &ask->sql;
	duck_sql_reset(sql);
	buf_str(&sql->text, STR("SELECT gen, number, place, word FROM seal_words WHERE "));
	duck_sql_gens(sql, take_at(a, a->first)->gen, take_at(a, a->end - 1)->gen);
	put_kinds(a, sql);
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, sql, ask->q->deadline_mono_ns,
	    take_words, a, err);
	for (size_t i = a->first; i < a->end && code == ERR_OK; i++) {
		const struct taking *t = take_at(a, i);
		struct str bytes = {a->bytes.ptr + t->at, (size_t)t->items};
		if (t->words != padded(t->items) / DUCK_PART_WORD)
			return err_set(err, ERR_CORRUPT,
			    "the sums of seal %llu are incomplete: weir check --repair counts them again",
			    (unsigned long long)t->gen);
		code = partial_unpack_map(a->p, t->window, bytes, err);
		if (code == ERR_CORRUPT)
			err_wrap(err, "seal %llu", (unsigned long long)t->gen);
	}
	return code;
}

static enum err_code
read_maps(struct analysing *a, size_t count, struct err *err)
{
	enum err_code code = ERR_OK;
	for (a->first = 0; a->first < count && code == ERR_OK; a->first = a->end) {
		size_t bytes = 0;
		for (a->end = a->first; a->end < count; a->end++) {
			struct taking *t = take_at(a, a->end);
			if (a->end > a->first && bytes + padded(t->items) > BYTES_AT_ONCE)
				break;
			t->at = bytes;
			bytes += padded(t->items);
			if (!map_put(&a->take_of, t->gen << DUCK_PART_NUMBER_BITS | t->number,
			        a->end))
				return too_many(err);
		}
		buf_reset(&a->bytes);
		if (!buf_reserve(&a->bytes, bytes))
			return too_many(err);
		code = read_words(a, err);
		map_clear(&a->take_of);
	}
	return code;
}

/* ---- hashes */

static enum err_code
take_hashes(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct analysing *a = ctx;
	const uint64_t *gens = duck_chunk_words(chunk, 0), *hashes = duck_chunk_words(chunk, 2);
	const uint32_t *numbers = duck_chunk_column(chunk, 1);
	bool by_service = a->services & PARTIAL_TRACES_BY_SERVICE;
	bool distinct = a->services & (PARTIAL_TRACES | PARTIAL_POINTS);
	struct looked_up last = {.key = UINT64_MAX};
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		const struct taking *t = taking_of(a, gens[i], numbers[i], &last);
		if (!t)
			continue;
		struct partial_window *w = &a->p->windows[t->window];
		if (distinct)
			distinct_add(a->id == TABLE_SPANS ? &w->traces : &w->names, hashes[i]);
		if (by_service)
			partial_count_pair(&a->counter, t->window, t->service, hashes[i]);
	}
	return ERR_OK;
}

/* The takes from `first` on are hashes. */
static enum err_code
read_hashes(struct analysing *a, size_t first, struct err *err)
{
	struct duck_question *ask = a->ask;
	struct duck_sql *sql = &ask->sql;
	if (first == take_count(a))
		return ERR_OK;
	map_clear(&a->take_of);
	for (size_t i = first; i < take_count(a); i++) {
		const struct taking *t = take_at(a, i);
		if (!map_put(&a->take_of, t->gen << DUCK_PART_NUMBER_BITS | t->number, i))
			return too_many(err);
	}
	duck_sql_reset(sql);
	buf_str(&sql->text, STR("SELECT gen, number, hash FROM seal_hashes WHERE "));
	duck_sql_gens(sql, take_at(a, first)->gen, take_at(a, take_count(a) - 1)->gen);
	return duck_read_chunks(ask->d, ask->view.con, sql, ask->q->deadline_mono_ns, take_hashes,
	    a, err);
}

/* ---- rows */

static void
put_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	static const char *const columns[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = "start_ns, service, status_code, name, duration_ns, trace_hi, trace_lo",
	    [TABLE_LOGS] = "event_ns, service, severity_number",
	    [TABLE_POINTS] = "time_ns, service, type, name",
	};
	(void)unit;
	(void)place;
	CHECK(source);
	buf_str(&ask->sql.text, str_from(columns[source->id]));
}

/* Columns that are not counted are not read. */
static void
count_chunk_row(struct analysing *a, duckdb_data_chunk chunk, idx_t i, unsigned window)
{
	enum { TIME, SERVICE, CODE, NAME, DURATION, HI, LO };
	struct partial_row r = {.time_ns = duck_chunk_words(chunk, TIME)[i],
	    .service = duck_chunk_text(chunk, SERVICE, i),
	    .code = ((const int32_t *)duck_chunk_column(chunk, CODE))[i]};
	if (a->id != TABLE_LOGS)
		r.name = duck_chunk_text(chunk, NAME, i);
	if (a->id == TABLE_LOGS) {
		partial_add_log(a->p, window, &r);
	} else if (a->id == TABLE_POINTS) {
		partial_add_point(a->p, window, &r);
	} else {
		r.duration_ns = (int64_t)duck_chunk_words(chunk, DURATION)[i];
		r.hash = partial_trace_hash(duck_chunk_words(chunk, HI)[i],
		    duck_chunk_words(chunk, LO)[i]);
		partial_count_span(&a->counter, window, &r);
	}
}

static enum err_code
take_rows(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct analysing *a = ctx;
	const uint64_t *times = duck_chunk_words(chunk, 0);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		int window = partial_window_of(a->p, times[i]);
		bool asked = !a->reading ||
		    (times[i] >= a->reading->from_ns && times[i] <= a->reading->last_ns);
		if (window >= 0 && asked)
			count_chunk_row(a, chunk, i, (unsigned)window);
	}
	return partial_fits(a->p, err);
}

static enum err_code
read_rows(struct analysing *a, const unsigned char *chosen, uint64_t from_ns, uint64_t last_ns,
    unsigned counted, struct err *err)
{
	struct duck_question *ask = a->ask;
	struct store_query q = *ask->q;
	q.from_ns = from_ns;
	q.to_ns = last_ns == UINT64_MAX ? UINT64_MAX : last_ns + 1;
	duck_sql_reset(&ask->sql);
	if (!duck_units_put(ask, &q, &a->units, chosen, put_columns))
		return ERR_OK;
	a->p->counted = counted;
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql, q.deadline_mono_ns,
	    take_rows, a, err);
	a->p->counted = a->p->scope.want;
	return code;
}

static int
by_times(const void *a, const void *b)
{
	const struct cut *x = a, *y = b;
	if (x->from_ns != y->from_ns)
		return x->from_ns < y->from_ns ? -1 : 1;
	if (x->last_ns != y->last_ns)
		return x->last_ns < y->last_ns ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->counted > y->counted) - (x->counted < y->counted);
}

static bool
same_times(const struct cut *a, const struct cut *b)
{
	return a->from_ns == b->from_ns && a->last_ns == b->last_ns;
}

/* Cuts of the same rows become one, for all that is counted of them. Returns how many are left. */
static size_t
join_cuts(struct cut *cuts, size_t count)
{
	size_t kept = 0;
	if (count > 0)
		qsort(cuts, count, sizeof(*cuts), by_times);
	for (size_t i = 0; i < count; i++) {
		struct cut *last = kept > 0 ? &cuts[kept - 1] : NULL;
		if (last && same_times(last, &cuts[i]) && last->unit == cuts[i].unit)
			last->counted |= cuts[i].counted;
		else
			cuts[kept++] = cuts[i];
	}
	return kept;
}

static enum err_code
read_cuts(struct analysing *a, struct err *err)
{
	void *list = a->cuts.ptr;
	struct cut *cuts = list;
	size_t count = join_cuts(cuts, a->cuts.len / sizeof(*cuts));
	unsigned char *chosen = xcalloc(a->units.count + 1, 1), *done = xcalloc(count + 1, 1);
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		if (done[i])
			continue;
		memset(chosen, 0, a->units.count);
		for (size_t k = i; k < count && same_times(&cuts[i], &cuts[k]); k++) {
			if (cuts[k].counted != cuts[i].counted)
				continue;
			chosen[cuts[k].unit] = 1;
			done[k] = 1;
		}
		a->reading = &cuts[i];
		code = read_rows(a, chosen, cuts[i].from_ns, cuts[i].last_ns, cuts[i].counted, err);
		a->reading = NULL;
	}
	free(chosen);
	free(done);
	return code;
}

/* ---- the hot tail */

static enum err_code
count_hot(struct analysing *a, unsigned char *chosen, struct err *err)
{
	const struct store_query *q = a->ask->q;
	for (size_t i = 0; i < a->units.count; i++) {
		const struct duck_unit *unit = &a->units.list[i];
		if (unit->kind != UNIT_HOT)
			continue;
		const struct hot_view_part *part = &a->ask->view.hot->parts[unit->place];
		chosen[i] = 0;
		for (size_t k = 0; k < part->slice_count; k++) {
			const struct hot_slice *s = &part->slices[k];
			if (s->time_max < q->from_ns || s->time_min > q->to_ns)
				continue;
			partial_count_rows(&a->counter, s->rows, s->first, s->count);
			if (duck_time_is_up(a->ask->d, q->deadline_mono_ns))
				return err_set(err, ERR_DEADLINE,
				    "the query did not end in its time");
		}
	}
	return partial_fits(a->p, err);
}

/* ---- a signal */

static void
forget_signal(struct analysing *a)
{
	duck_units_fini(&a->units);
	map_clear(&a->unit_of);
	map_clear(&a->take_of);
	buf_reset(&a->takes);
	buf_reset(&a->cuts);
}

/* Maps first, then hashes, both by generation. */
static enum err_code
read_parts(struct analysing *a, struct err *err)
{
	size_t count = take_count(a), maps = 0;
	struct taking *sorted = xcalloc(count + 1, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		if (take_at(a, i)->kind != PART_HASHES)
			sorted[maps++] = *take_at(a, i);
	for (size_t i = 0, n = maps; i < count; i++)
		if (take_at(a, i)->kind == PART_HASHES)
			sorted[n++] = *take_at(a, i);
	qsort(sorted, maps, sizeof(*sorted), by_gen);
	qsort(sorted + maps, count - maps, sizeof(*sorted), by_gen);
	if (count > 0)
		memcpy(a->takes.ptr, sorted, count * sizeof(*sorted));
	free(sorted);
	map_clear(&a->take_of);
	enum err_code code = read_maps(a, maps, err);
	return code == ERR_OK ? read_hashes(a, maps, err) : code;
}

static enum err_code
analyse_signal(struct analysing *a, enum table_id id, struct err *err)
{
	const struct store_query *q = a->ask->q;
	unsigned want = a->p->scope.want;
	uint64_t last_ns = q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1;
	a->id = id;
	a->services = want &
	    (id == TABLE_SPANS         ? (unsigned)OF_SPANS
	            : id == TABLE_LOGS ? PARTIAL_LOGS
	                               : PARTIAL_POINTS);
	a->operations = id == TABLE_SPANS ? want & PARTIAL_OPERATIONS : 0;
	if (a->services == 0 && a->operations == 0)
		return ERR_OK;
	duck_units_find(a->ask, id, q->from_ns, last_ns, &a->units);
	unsigned char *chosen = xcalloc(a->units.count + 1, 1);
	memset(chosen, 1, a->units.count);
	enum err_code code = find_parts(a, chosen, err);
	if (code == ERR_OK)
		code = count_hot(a, chosen, err);
	if (code == ERR_OK)
		code = read_parts(a, err);
	if (code == ERR_OK)
		code = read_cuts(a, err);
	if (code == ERR_OK)
		code = read_rows(a, chosen, q->from_ns, last_ns, want, err);
	free(chosen);
	forget_signal(a);
	return code;
}

enum err_code
duck_analysis(struct duck_question *ask, struct err *err)
{
	struct analysing a = {.ask = ask, .p = ask->partial};
	enum err_code code = ERR_OK;
	partial_counter_init(&a.counter, a.p, ask->q->tenant);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK && ask->q->to_ns > 0; id++)
		if (duck_has_services((enum table_id)id))
			code = analyse_signal(&a, (enum table_id)id, err);
	if (code == ERR_OK)
		code = partial_fits(a.p, err);
	partial_counter_fini(&a.counter);
	map_fini(&a.unit_of);
	map_fini(&a.take_of);
	buf_fini(&a.takes);
	buf_fini(&a.cuts);
	buf_fini(&a.bytes);
	arena_fini(&a.names);
	return code;
}

/* The times that its windows are in. */
static void
set_times(const struct partial_scope *s, struct store_query *q)
{
	q->from_ns = s->windows[0].from_ns;
	q->to_ns = s->windows[0].to_ns;
	for (unsigned i = 1; i < s->window_count; i++) {
		q->from_ns =
		    s->windows[i].from_ns < q->from_ns ? s->windows[i].from_ns : q->from_ns;
		q->to_ns = s->windows[i].to_ns > q->to_ns ? s->windows[i].to_ns : q->to_ns;
	}
}

enum err_code
duck_analyse(struct store *s, struct str tenant, uint64_t deadline_mono_ns, struct partial *p,
    struct err *err)
{
	struct arena arena = {0};
	struct store_result nothing = {.arena = &arena};
	struct store_query q = {
	    .kind = STORE_SERVICES,
	    .tenant = tenant,
	    .service = p->scope.service,
	    .row_max = 1,
	    .deadline_mono_ns = deadline_mono_ns,
	};
	set_times(&p->scope, &q);
	enum err_code code = duck_ask(s, &q, &nothing, p, err);
	arena_fini(&arena);
	return code;
}
