/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which services there are in a window, from four sources:
 *
 *     seals that are wholly in it    what they wrote down (duck_services.h, hashes of duck_parts.h)
 *     the hot tail                   its rows, counted here
 *     seals that its ends cut, or that have no sums, rows of before there were seals, the catch-all      their
 *                                    rows, in SQL, grouped by (service, trace)
 *
 * Distinct traces are counted in a set of hashes. That of the whole seals is remembered, so that the next
 * question has only the newer ones to add (duck_services_memo.c). Where there are more than a set of bounded size
 * holds, the hashes are counted in ranges, one after the other.
 */
#include "duck/duck_services.h"

#include "duck/duck_parts.h"
#include "duck/duck_query_priv.h"
#include "store/partial.h"

#include <stdlib.h>

#define RANGE_PAIRS_MAX (UINT64_C(4) << 20) /* the set takes 16 bytes for each */

struct pair_of {
	uint64_t pair, service; /* place in the list */
};

struct counting {
	struct duck_question *ask;
	struct duck_service_list services;
	struct arena names;
	struct buf pairs; /* of struct pair_of: from rows */
	struct map
	    numbers; /* gen << DUCK_PART_NUMBER_BITS | number -> place in the list: whole seals */
	struct map whole; /* gen -> place of its unit; UINT64_MAX: it has no hashes */
	struct buf gens; /* of uint64_t: whole seals of spans, ascending */
	uint64_t sealed_pairs;
	enum table_id id; /* the signal being read */
};

/* `name` is copied when it is new. */
static size_t
service_of(struct counting *c, struct str name)
{
	size_t before = c->services.count;
	size_t place = duck_service_find(&c->services, c->ask->q->tenant, name);
	if (c->services.count > before)
		c->services.items[place].name = arena_str(&c->names, name);
	return place;
}

static duck_int128
sum_at(duckdb_data_chunk chunk, idx_t col, idx_t row)
{
	const duckdb_hugeint *sums = duck_chunk_column(chunk, col);
	return (duck_int128)sums[row].upper << 64 | sums[row].lower;
}

static void
widen(struct duck_service *s, uint64_t first_ns, uint64_t last_ns)
{
	s->first_ns = first_ns < s->first_ns ? first_ns : s->first_ns;
	s->last_ns = last_ns > s->last_ns ? last_ns : s->last_ns;
}

/* ---- whole seals */

static bool
is_whole(const struct counting *c, uint64_t gen)
{
	const uint64_t *place = map_get(&c->whole, gen);
	return place && *place != UINT64_MAX;
}

static enum err_code
take_services(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct counting *c = ctx;
	enum { GEN, SERVICE, ROWS, ERRORS, ENDED, SUM, FIRST, LAST };
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		if (!is_whole(c, duck_chunk_words(chunk, GEN)[i]))
			continue;
		size_t place = service_of(c, duck_chunk_text(chunk, SERVICE, i));
		struct duck_service *s = &c->services.items[place];
		s->rows[c->id] += duck_chunk_words(chunk, ROWS)[i];
		s->errors += duck_chunk_words(chunk, ERRORS)[i];
		s->ended += duck_chunk_words(chunk, ENDED)[i];
		s->duration_ns += sum_at(chunk, SUM, i);
		widen(s, duck_chunk_words(chunk, FIRST)[i], duck_chunk_words(chunk, LAST)[i]);
	}
	return ERR_OK;
}

/* Whose hashes are under which number, and which seals have none. */
static enum err_code
take_parts(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct counting *c = ctx;
	enum { GEN, NUMBER, HASHES, ITEMS, SERVICE };
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		uint64_t gen = duck_chunk_words(chunk, GEN)[i],
		         number = duck_chunk_words(chunk, NUMBER)[i];
		uint64_t items = duck_chunk_words(chunk, ITEMS)[i];
		bool fits = true;
		if (!map_get(&c->whole, gen))
			continue;
		CHECK(number < 1 << DUCK_PART_NUMBER_BITS);
		if (duck_chunk_words(chunk, HASHES)[i] == 0) {
			fits = items > 0 || map_put(&c->whole, gen, UINT64_MAX);
		} else {
			c->sealed_pairs += items;
			fits = map_put(&c->numbers, gen << DUCK_PART_NUMBER_BITS | number,
			    service_of(c, duck_chunk_text(chunk, SERVICE, i)));
		}
		if (!fits)
			return err_set(err, ERR_TOO_LARGE, "too many seals");
	}
	return ERR_OK;
}

static void
put_whose(struct counting *c, const char *else_of, uint64_t min, uint64_t max)
{
	struct duck_sql *sql = &c->ask->sql;
	buf_str(&sql->text, STR(" WHERE tenant = "));
	duck_sql_text(sql, c->ask->q->tenant);
	if (c->ask->q->service.len > 0) {
		buf_printf(&sql->text, " AND (%sservice = ", else_of);
		duck_sql_text(sql, c->ask->q->service);
		buf_char(&sql->text, ')');
	}
	buf_str(&sql->text, STR(" AND "));
	duck_sql_gens(sql, min, max);
}

/* Seals that have hashes, of those between the two. */
static enum err_code
find_hashes(struct counting *c, const struct duck_units *u, unsigned char *chosen, uint64_t min,
    uint64_t max, struct err *err)
{
	struct duck_question *ask = c->ask;
	duck_sql_reset(&ask->sql);
	buf_printf(&ask->sql.text,
	    "SELECT gen, number::UBIGINT, (kind = %d)::UBIGINT, items, service FROM seal_parts",
	    PART_HASHES);
	put_whose(c, "service = '' OR ", min, max);
	buf_printf(&ask->sql.text, " AND kind IN (%d, %d)", PART_SERVICES, PART_HASHES);
	enum err_code code = duck_read_chunks(ask->d, ask->view.con, &ask->sql,
	    ask->q->deadline_mono_ns, take_parts, c, err);
	for (size_t i = 0; i < u->count && code == ERR_OK; i++) {
		const struct duck_unit *unit = &u->list[i];
		if (unit->kind != UNIT_SEAL || !map_get(&c->whole, unit->gen))
			continue;
		chosen[i] = !is_whole(c, unit->gen);
		if (!chosen[i])
			buf_append(&c->gens, &unit->gen, sizeof(unit->gen));
	}
	return code;
}

/* Takes the whole seals out of the chosen ones. */
static enum err_code
count_seals(struct counting *c, const struct duck_units *u, unsigned char *chosen, uint64_t from,
    uint64_t last, struct err *err)
{
	struct duck_question *ask = c->ask;
	uint64_t min = UINT64_MAX, max = 0;
	enum err_code code = ERR_OK;
	map_clear(&c->whole);
	for (size_t i = 0; i < u->count; i++) {
		const struct duck_unit *unit = &u->list[i];
		if (unit->kind != UNIT_SEAL || unit->time_min < from || unit->time_max > last ||
		    (c->id == TABLE_SPANS && !unit->summed))
			continue;
		chosen[i] = 0;
		min = unit->gen < min ? unit->gen : min;
		max = unit->gen > max ? unit->gen : max;
		if (!map_put(&c->whole, unit->gen, i))
			return err_set(err, ERR_TOO_LARGE, "too many seals");
	}
	if (min > max)
		return ERR_OK;
	if (c->id == TABLE_SPANS)
		code = find_hashes(c, u, chosen, min, max, err);
	if (code != ERR_OK)
		return code;
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text,
	    STR("SELECT gen, service, rows, errors, ended, duration_sum, first_ns, last_ns"
	        " FROM seal_services"));
	put_whose(c, "", min, max);
	return duck_read_chunks(ask->d, ask->view.con, &ask->sql, ask->q->deadline_mono_ns,
	    take_services, c, err);
}

/* ---- the hot tail */

static void
add_pair(struct counting *c, uint64_t pair, size_t place)
{
	struct pair_of p = {pair, place};
	buf_append(&c->pairs, &p, sizeof(p));
}

static void
count_slice(struct counting *c, const struct hot_slice *slice, uint64_t from, uint64_t last)
{
	const struct table *t = slice->rows;
	const struct store_query *q = c->ask->q;
	const uint64_t *times = t->cols[t->def->time_col].u64;
	const struct str *tenants = t->cols[0].str;
	int service_col = c->id == TABLE_SPANS ? SPAN_SERVICE
	    : c->id == TABLE_LOGS              ? (int)LOG_SERVICE
	                                       : (int)POINT_SERVICE;
	const struct str *names = t->cols[service_col].str;
	size_t place = 0;
	for (uint32_t row = slice->first; row < slice->first + slice->count; row++) {
		uint64_t pair = 0;
		if (times[row] < from || times[row] > last || !str_eq(tenants[row], q->tenant) ||
		    (q->service.len > 0 && !str_eq(names[row], q->service)))
			continue;
		if (!duck_service_count(&c->services, c->id, t, row, &place, &pair))
			continue;
		struct duck_service *s = &c->services.items[place];
		if (s->last_pair != pair)
			add_pair(c, pair, place);
		s->last_pair = pair;
	}
}

static void
count_hot(struct counting *c, const struct duck_units *u, unsigned char *chosen, uint64_t from,
    uint64_t last)
{
	for (size_t i = 0; i < u->count; i++) {
		if (u->list[i].kind != UNIT_HOT)
			continue;
		const struct hot_view_part *part = &c->ask->view.hot->parts[u->list[i].place];
		for (size_t k = 0; k < part->slice_count; k++)
			count_slice(c, &part->slices[k], from, last);
		chosen[i] = 0;
	}
}

/* ---- rows of tables */

static enum err_code
take_groups(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct counting *c = ctx;
	enum { SERVICE, ROWS, FIRST, LAST, HI, LO, ERRORS, ENDED, SUM };
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		size_t place = service_of(c, duck_chunk_text(chunk, SERVICE, i));
		struct duck_service *s = &c->services.items[place];
		s->rows[c->id] += duck_chunk_words(chunk, ROWS)[i];
		widen(s, duck_chunk_words(chunk, FIRST)[i], duck_chunk_words(chunk, LAST)[i]);
		if (c->id != TABLE_SPANS)
			continue;
		s->errors += duck_chunk_words(chunk, ERRORS)[i];
		s->ended += duck_chunk_words(chunk, ENDED)[i];
		s->duration_ns += sum_at(chunk, SUM, i);
		add_pair(c,
		    duck_service_pair(s->hash,
		        partial_trace_hash(duck_chunk_words(chunk, HI)[i],
		            duck_chunk_words(chunk, LO)[i])),
		    place);
	}
	return ERR_OK;
}

static void
group_columns(struct duck_question *ask, const struct duck_source *source,
    const struct duck_unit *unit, size_t place)
{
	(void)unit;
	(void)place;
	CHECK(source);
	static const char *const columns[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = "service, start_ns AS t, trace_hi, trace_lo, status_code, duration_ns",
	    [TABLE_LOGS] = "service, event_ns AS t",
	    [TABLE_POINTS] = "service, time_ns AS t",
	};
	buf_str(&ask->sql.text, str_from(columns[source->id]));
}

static enum err_code
count_groups(struct counting *c, const struct duck_units *u, const unsigned char *chosen,
    struct err *err)
{
	struct duck_question *ask = c->ask;
	struct duck_sql *sql = &ask->sql;
	bool spans = c->id == TABLE_SPANS;
	duck_sql_reset(sql);
	buf_str(&sql->text, STR("SELECT service, count(*)::UBIGINT, min(t), max(t)"));
	if (spans)
		buf_str(&sql->text,
		    STR(", trace_hi, trace_lo,"
		        " (count(*) FILTER (WHERE status_code = 2))::UBIGINT,"
		        " (count(*) FILTER (WHERE duration_ns >= 0))::UBIGINT,"
		        " sum(greatest(duration_ns, 0))::HUGEINT"));
	buf_str(&sql->text, STR(" FROM ("));
	if (!duck_units_put(ask, ask->q, u, chosen, group_columns))
		return ERR_OK;
	buf_str(&sql->text, STR(") GROUP BY service"));
	if (spans)
		buf_str(&sql->text, STR(", trace_hi, trace_lo"));
	return duck_read_chunks(ask->d, ask->view.con, sql, ask->q->deadline_mono_ns, take_groups,
	    c, err);
}

static enum err_code
count_signal(struct counting *c, enum table_id id, struct err *err)
{
	const struct store_query *q = c->ask->q;
	struct duck_units u;
	uint64_t last = q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1;
	if (q->to_ns == 0)
		return ERR_OK;
	c->id = id;
	duck_units_find(c->ask, id, q->from_ns, last, &u);
	unsigned char *chosen = xcalloc(u.count + 1, 1);
	memset(chosen, 1, u.count);
	enum err_code code = count_seals(c, &u, chosen, q->from_ns, last, err);
	count_hot(c, &u, chosen, q->from_ns, last);
	if (code == ERR_OK)
		code = count_groups(c, &u, chosen, err);
	free(chosen);
	duck_units_fini(&u);
	return code;
}

/* ---- distinct traces */

/* Pairs of seals on their way into a set. */
struct adding {
	struct counting *c;
	struct duck_pair_set *set;
	struct duck_services_memo *memo; /* NULL: counted in c->services */
	uint64_t low, high; /* the pairs that are wanted */
	uint64_t number_key; /* the last one that was looked up */
	struct duck_service *service; /* its; NULL: none that is asked for */
	uint64_t hash; /* of the service */
};

static void
look_up(struct adding *a, uint64_t number_key)
{
	struct counting *c = a->c;
	const uint64_t *place = map_get(&c->numbers, number_key);
	a->number_key = number_key;
	a->service = place ? &c->services.items[*place] : NULL;
	a->hash = place ? a->service->hash : 0;
	if (!place || !a->memo)
		return;
	struct duck_service_list *l = &a->memo->services;
	size_t before = l->count;
	size_t own = duck_service_find(l, a->memo->tenant, a->service->name);
	if (l->count > before)
		l->items[own].name = arena_str(&a->memo->names, a->service->name);
	a->service = &l->items[own];
}

static enum err_code
take_pairs(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct adding *a = ctx;
	(void)err;
	idx_t count = duckdb_data_chunk_get_size(chunk);
	const uint64_t *gens = duck_chunk_words(chunk, 0), *hashes = duck_chunk_words(chunk, 2);
	uint64_t pairs[DUCK_CHUNK_ROWS];
	CHECK(count <= DUCK_CHUNK_ROWS);
	const uint32_t *numbers = duck_chunk_column(chunk, 1);
	duck_pair_reserve(a->set, count);
	for (idx_t i = 0; i < count; i++) {
		uint64_t key = gens[i] << DUCK_PART_NUMBER_BITS | numbers[i];
		if (key != a->number_key)
			look_up(a, key);
		pairs[i] = a->service ? duck_service_pair(a->hash, hashes[i]) : 0;
		if (pairs[i] < a->low || pairs[i] > a->high)
			pairs[i] = 0;
		duck_pair_add_soon(a->set, pairs[i]);
	}
	a->number_key = UINT64_MAX;
	for (idx_t i = 0; i < count; i++) {
		uint64_t key = gens[i] << DUCK_PART_NUMBER_BITS | numbers[i];
		if (key != a->number_key)
			look_up(a, key);
		if (pairs[i] != 0 && a->service && duck_pair_add(a->set, pairs[i]))
			a->service->traces++;
	}
	return ERR_OK;
}

/* The pairs of the seals from the one at `first` in c->gens on. */
static enum err_code
read_pairs(struct adding *a, size_t first, struct err *err)
{
	struct counting *c = a->c;
	struct duck_sql *sql = &c->ask->sql;
	const void *bytes = c->gens.ptr;
	const uint64_t *gens = bytes;
	size_t count = c->gens.len / sizeof(*gens);
	if (first == count)
		return ERR_OK;
	duck_sql_reset(sql);
	buf_str(&sql->text, STR("SELECT gen, number, hash FROM seal_hashes WHERE "));
	duck_sql_gens(sql, gens[first], gens[count - 1]);
	return duck_read_chunks(c->ask->d, c->ask->view.con, sql, c->ask->q->deadline_mono_ns,
	    take_pairs, a, err);
}

/* Pairs of rows, those in [low, high], that are in neither set; they go to `set`. */
static void
count_loose(struct counting *c, struct duck_pair_set *set, const struct duck_pair_set *sealed,
    uint64_t low, uint64_t high)
{
	const void *bytes = c->pairs.ptr;
	const struct pair_of *pairs = bytes;
	size_t count = c->pairs.len / sizeof(*pairs);
	duck_pair_reserve(set, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t pair = pairs[i].pair;
		if (pair < low || pair > high || (sealed && duck_pair_has(sealed, pair)))
			continue;
		if (duck_pair_add(set, pair))
			c->services.items[pairs[i].service].traces++;
	}
}

/* In ranges that a set has room for. */
static enum err_code
count_in_ranges(struct counting *c, struct err *err)
{
	uint64_t total = c->sealed_pairs + c->pairs.len / sizeof(struct pair_of);
	uint64_t ranges = total / RANGE_PAIRS_MAX + 1, width = UINT64_MAX / ranges;
	struct duck_pair_set set = {0};
	enum err_code code = ERR_OK;
	duck_pair_reserve(&set, total / ranges);
	for (uint64_t i = 0; i < ranges && total > 0 && code == ERR_OK; i++) {
		uint64_t low = i * width + (i > 0);
		uint64_t high = i + 1 == ranges ? UINT64_MAX : (i + 1) * width;
		struct adding a = {
		    .c = c, .set = &set, .low = low, .high = high, .number_key = UINT64_MAX};
		duck_pair_clear(&set);
		count_loose(c, &set, NULL, low, high);
		if (c->sealed_pairs > 0)
			code = read_pairs(&a, 0, err);
	}
	duck_pair_fini(&set);
	return code;
}

/* From what was counted before on. */
static enum err_code
count_from_memo(struct counting *c, struct err *err)
{
	struct duck *d = c->ask->d;
	const void *bytes = c->gens.ptr;
	size_t count = c->gens.len / sizeof(uint64_t);
	struct duck_services_memo *memo =
	    duck_memo_take(&d->services_memo, c->ask->q->tenant, bytes, count);
	struct adding a = {.c = c,
	    .set = &memo->pairs,
	    .memo = memo,
	    .high = UINT64_MAX,
	    .number_key = UINT64_MAX};
	size_t known = memo->gens.len / sizeof(uint64_t);
	enum err_code code = read_pairs(&a, known, err);
	if (code == ERR_OK)
		buf_append(&memo->gens, c->gens.ptr + memo->gens.len, c->gens.len - memo->gens.len);
	if (code != ERR_OK || memo->gens.failed) {
		duck_memo_free(memo); /* some of a seal's pairs, not all */
		return code == ERR_OK ? duck_answer_too_large(c->ask->result->arena, err) : code;
	}
	for (size_t i = 0; i < memo->services.count; i++) {
		const struct duck_service *s = &memo->services.items[i];
		c->services.items[service_of(c, s->name)].traces += s->traces;
	}
	struct duck_pair_set loose = {0};
	count_loose(c, &loose, &memo->pairs, 0, UINT64_MAX);
	duck_pair_fini(&loose);
	c->ask->memo = memo; /* should a commit have fallen into this, it is not to be kept */
	return ERR_OK;
}

static int
by_gen(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static enum err_code
count_traces(struct counting *c, struct err *err)
{
	if (c->pairs.failed || c->gens.failed)
		return err_set(err, ERR_TOO_LARGE,
		    "too many traces to count: ask for a shorter time");
	if (c->gens.len > 0)
		qsort(c->gens.ptr, c->gens.len / sizeof(uint64_t), sizeof(uint64_t), by_gen);
	if (c->sealed_pairs > 0 && c->sealed_pairs <= DUCK_MEMO_PAIRS_MAX &&
	    c->ask->q->service.len == 0)
		return count_from_memo(c, err);
	return count_in_ranges(c, err);
}

/* ---- the answer */

static int
most_spans_first(const void *a, const void *b)
{
	const struct duck_service *x = a, *y = b;
	uint64_t nx = x->rows[TABLE_LOGS] + x->rows[TABLE_POINTS];
	uint64_t ny = y->rows[TABLE_LOGS] + y->rows[TABLE_POINTS];
	if (x->rows[TABLE_SPANS] != y->rows[TABLE_SPANS])
		return x->rows[TABLE_SPANS] > y->rows[TABLE_SPANS] ? -1 : 1;
	if (nx != ny)
		return nx > ny ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static bool
put_service(struct table *out, const struct duck_service *s)
{
	size_t row = table_add_row(out);
	struct str name = {0};
	if (row != SIZE_MAX)
		name = arena_str(out->arena, s->name.ptr ? s->name : STR(""));
	if (!name.ptr)
		return false;
	table_set_str(out, row, SERVICE_NAME, name);
	table_set_u64(out, row, SERVICE_SPANS, s->rows[TABLE_SPANS]);
	table_set_u64(out, row, SERVICE_TRACES, s->traces);
	table_set_u64(out, row, SERVICE_ERRORS, s->errors);
	table_set_u64(out, row, SERVICE_ENDED, s->ended);
	table_set_f64(out, row, SERVICE_DURATION_SUM_NS, (double)s->duration_ns);
	table_set_u64(out, row, SERVICE_LOGS, s->rows[TABLE_LOGS]);
	table_set_u64(out, row, SERVICE_POINTS, s->rows[TABLE_POINTS]);
	table_set_u64(out, row, SERVICE_FIRST_NS, s->first_ns);
	table_set_u64(out, row, SERVICE_LAST_NS, s->last_ns);
	return true;
}

enum err_code
duck_services_answer(struct duck_question *ask, struct err *err)
{
	struct counting c = {.ask = ask};
	struct store_result *r = ask->result;
	enum err_code code = ERR_OK;
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		if (duck_has_services((enum table_id)id))
			code = count_signal(&c, (enum table_id)id, err);
	if (code == ERR_OK)
		code = count_traces(&c, err);
	if (code == ERR_OK && c.services.count > 0)
		qsort(c.services.items, c.services.count, sizeof(*c.services.items),
		    most_spans_first);
	r->more = c.services.count > ask->q->row_max;
	for (size_t i = 0; i < c.services.count && i < ask->q->row_max && code == ERR_OK; i++)
		if (!put_service(&r->rows, &c.services.items[i]))
			code = duck_answer_too_large(c.ask->result->arena, err);
	duck_service_list_fini(&c.services);
	map_fini(&c.numbers);
	map_fini(&c.whole);
	buf_fini(&c.pairs);
	buf_fini(&c.gens);
	arena_fini(&c.names);
	return code;
}
