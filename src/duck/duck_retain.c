/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept no longer (store/retain.h). The sealer's thread asks for a piece of it at a time:
 *
 *     a day's table, dropped       when all in it is too old, or everybody has too much
 *     seals of a day               the same of a few of them: whole row groups
 *     a tenant's rows in them      when the others keep theirs
 *     rows of a catch-all          too old ones, a row group's worth at most
 *     leftovers                    what the seals that have gone wrote down about services
 *
 * Here it is chosen, by the rules: what is too old, and what is too much of all there is or of a tenant's.
 * duck_remove.c removes it. Seals bound the work of a piece: PIECE_SEALS of them, half a million rows. After a
 * checkpoint DuckDB writes over what was freed, and cuts the end of the file off when that is free; what is free
 * elsewhere duck_trim.c gives back.
 */
#include "duck/duck_retain_priv.h"

#include "base/hash.h"
#include "base/limits.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PIECE_ROWS = SEAL_ROWS, /* of a catch-all */
	MEASURE_AGAIN = 8, /* when a table has grown by this part */
	SMALL_PART =
	    20, /* of a size limit: removed in one go rather than leave so little of a day */
};

/* Rows of a tenant in a seal; place SIZE_MAX: in no seal. */
struct share {
	size_t place;
	struct str tenant; /* in the arena */
	uint64_t rows;
};

struct retaining {
	struct duck *d;
	uint64_t now_ns;
	struct arena arena;
	struct share *shares; /* of one table */
	size_t share_count, share_cap;
	struct duck_table *reading;
};

static uint64_t
day_start(const struct duck_table *t)
{
	return (uint64_t)t->day * NS_PER_DAY;
}

static uint64_t
day_end(const struct duck_table *t)
{
	return ((uint64_t)t->day + 1) * NS_PER_DAY;
}

static bool
is_day(const struct duck_table *t, enum table_id id)
{
	return t->id == id && t->day != DUCK_DAY_OTHER && t->until == UINT64_MAX;
}

/* The oldest day's table of a signal after this day. */
static struct duck_table *
next_day(const struct duck *d, enum table_id id, int64_t after)
{
	struct duck_table *next = NULL;
	for (size_t i = 0; i < d->catalog.count; i++) {
		struct duck_table *t = d->catalog.tables[i];
		if (is_day(t, id) && t->day > after && (!next || t->day < next->day))
			next = t;
	}
	return next;
}

/* ---- whose rows a table has */

static size_t
place_of(const struct duck_table *t, uint64_t gen)
{
	size_t low = 0, high = t->seal_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (t->seals[mid].gen < gen)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->seal_count && t->seals[low].gen == gen && duck_catalog_has_seal(t, low)
	    ? low
	    : SIZE_MAX;
}

/* gen (0: no seal), rows, tenant */
static enum err_code
take_shares(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct retaining *r = ctx;
	const uint64_t *gens = duck_chunk_words(chunk, 0);
	const uint64_t *rows = duck_chunk_words(chunk, 1);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		size_t place = gens[i] > 0 ? place_of(r->reading, gens[i]) : SIZE_MAX;
		if (gens[i] > 0 && place == SIZE_MAX)
			continue;
		if (r->share_count == r->share_cap) {
			r->share_cap = r->share_cap ? 2 * r->share_cap : 64;
			r->shares = xrealloc(r->shares, r->share_cap * sizeof(*r->shares));
		}
		struct str copy = arena_str(&r->arena, duck_chunk_text(chunk, 2, i));
		if (!copy.ptr)
			return err_set(err, ERR_BUSY, "no memory for the names of tenants");
		r->shares[r->share_count++] = (struct share){place, copy, rows[i]};
	}
	return ERR_OK;
}

static enum err_code
read_shares(struct retaining *r, struct duck_table *t, struct err *err)
{
	struct duck *d = r->d;
	struct duck_sql sql;
	char name[DUCK_TABLE_NAME_BYTES];
	enum err_code code = ERR_OK;
	r->share_count = 0;
	arena_reset(&r->arena);
	r->reading = t;
	duck_sql_init(&sql);
	if (t->seal_count > 0) {
		buf_printf(&sql.text,
		    "SELECT gen, sum(rows)::UBIGINT, tenant FROM seal_services WHERE gen BETWEEN %" PRIu64
		    "::UBIGINT AND %" PRIu64 "::UBIGINT GROUP BY gen, tenant ORDER BY gen, tenant",
		    t->seals[0].gen, t->seals[t->seal_count - 1].gen);
		code = duck_read_chunks(d, d->keeper.con, &sql, UINT64_MAX, take_shares, r, err);
	}
	if (code == ERR_OK && t->loose_rows > 0) {
		duck_schema_table_name(&table_defs[t->id], t->day, name);
		duck_sql_reset(&sql);
		buf_printf(&sql.text,
		    "SELECT 0::UBIGINT, count(*)::UBIGINT, tenant FROM %s WHERE seal = 0 GROUP BY tenant",
		    name);
		code = duck_read_chunks(d, d->keeper.con, &sql, UINT64_MAX, take_shares, r, err);
	}
	duck_sql_fini(&sql);
	return code;
}

/* ---- nothing left */

/* Days that are over and have no rows any more. */
static void
find_empty(const struct retaining *r, enum table_id id, struct duck_piece *p)
{
	for (struct duck_table *t = next_day(r->d, id, -1); t && day_end(t) <= r->now_ns;
	    t = next_day(r->d, id, t->day))
		if (duck_catalog_rows(t) == 0) {
			*p = (struct duck_piece){.kind = PIECE_TABLE, .table = t};
			return;
		}
}

/* ---- too old */

/* The last moment of a share's rows. */
static uint64_t
share_end(const struct retaining *r, const struct share *s)
{
	return s->place == SIZE_MAX ? day_end(r->reading) - 1
	                            : r->reading->seals[s->place].time_max;
}

static bool
share_is_old(const struct retaining *r, const struct share *s)
{
	return share_end(r, s) < retain_cutoff(&r->d->retain, r->reading->id, s->tenant, r->now_ns);
}

/* Nothing of a seal is kept. Shares of a seal stand together. */
static bool
seal_is_old(const struct retaining *r, size_t first, size_t *end_out)
{
	size_t end = first;
	bool old = true;
	for (; end < r->share_count && r->shares[end].place == r->shares[first].place; end++)
		old = old && share_is_old(r, &r->shares[end]);
	*end_out = end;
	return old;
}

static bool
table_is_old(const struct retaining *r)
{
	bool old = r->share_count > 0;
	for (size_t i = 0; i < r->share_count && old; i++)
		old = day_end(r->reading) <=
		    retain_cutoff(&r->d->retain, r->reading->id, r->shares[i].tenant, r->now_ns);
	return old;
}

static void
take_old_seals(const struct retaining *r, struct duck_piece *p)
{
	for (size_t i = 0, end; i < r->share_count && p->count < PIECE_SEALS; i = end) {
		if (!seal_is_old(r, i, &end) || r->shares[i].place == SIZE_MAX)
			continue;
		p->kind = PIECE_SEALS_WHOLE;
		p->places[p->count++] = r->shares[i].place;
	}
}

/* Of the first tenant that has any. */
static void
take_old_shares(const struct retaining *r, struct duck_piece *p)
{
	for (size_t i = 0; i < r->share_count && p->count < PIECE_SEALS; i++) {
		const struct share *s = &r->shares[i];
		if (s->place == SIZE_MAX || !share_is_old(r, s) ||
		    (p->count > 0 && !str_eq(s->tenant, p->tenant)))
			continue;
		p->kind = PIECE_TENANT;
		p->tenant = s->tenant;
		p->places[p->count] = s->place;
		p->rows[p->count++] = s->rows;
	}
}

/* What a table with these seals looked like to these rules: as long as it is the same, nothing is to be done. */
static uint64_t
look_of(const struct retaining *r, const struct duck_table *t)
{
	uint64_t words[2 + RETAIN_TENANTS_MAX];
	const struct retain *rules = &r->d->retain;
	uint64_t end = t->day == DUCK_DAY_OTHER ? UINT64_MAX : day_end(t);
	size_t n = 0;
	words[n++] = t->changes;
	words[n++] = retain_cutoff(rules, t->id, STR_EMPTY, r->now_ns);
	for (size_t i = 0; i < rules->tenant_count; i++)
		words[n++] = retain_cutoff(rules, t->id, rules->tenants[i].tenant, r->now_ns);
	for (size_t i = 1; i < n; i++)
		words[i] = words[i] < end ? words[i] : end;
	return hash_u64(str_of(words, n * sizeof(*words))) | 1;
}

static enum err_code
find_old_in_day(struct retaining *r, struct duck_table *t, struct duck_piece *p, struct err *err)
{
	uint64_t look = look_of(r, t);
	if (t->size.looked == look)
		return ERR_OK;
	enum err_code code = read_shares(r, t, err);
	if (code != ERR_OK)
		return code;
	p->table = t;
	if (table_is_old(r))
		p->kind = PIECE_TABLE;
	if (p->kind == PIECE_NONE)
		take_old_seals(r, p);
	if (p->kind == PIECE_NONE)
		take_old_shares(r, p);
	if (p->kind == PIECE_NONE)
		t->size.looked = look;
	return ERR_OK;
}

static enum err_code
find_old(struct retaining *r, enum table_id id, struct duck_piece *p, struct err *err)
{
	uint64_t cutoff = retain_cutoff_max(&r->d->retain, id, r->now_ns);
	enum err_code code = ERR_OK;
	for (struct duck_table *t = next_day(r->d, id, -1); t && day_start(t) < cutoff;
	    t = next_day(r->d, id, t->day)) {
		code = find_old_in_day(r, t, p, err);
		if (code != ERR_OK || p->kind != PIECE_NONE)
			return code;
	}
	return code;
}

/* ---- the catch-all */

void
duck_retain_put_old(struct duck_sql *sql, const struct duck *d, enum table_id id, uint64_t now_ns)
{
	const struct retain *rules = &d->retain;
	const struct table_def *def = &table_defs[id];
	const char *time = def->cols[def->time_col].name;
	buf_printf(&sql->text, "%s < CASE tenant", time);
	for (size_t i = 0; i < rules->tenant_count; i++) {
		if (!rules->tenants[i].age_said[id])
			continue;
		buf_str(&sql->text, STR(" WHEN '"));
		duck_sql_quoted(&sql->text, rules->tenants[i].tenant);
		buf_printf(&sql->text, "' THEN %" PRIu64 "::UBIGINT",
		    retain_cutoff(rules, id, rules->tenants[i].tenant, now_ns));
	}
	buf_printf(&sql->text, " WHEN '' THEN 0::UBIGINT ELSE %" PRIu64 "::UBIGINT END",
	    retain_cutoff(rules, id, STR_EMPTY, now_ns));
}

static enum err_code
find_old_in_other(struct retaining *r, enum table_id id, struct duck_piece *p, struct err *err)
{
	struct duck *d = r->d;
	struct duck_table *t = duck_catalog_find(&d->catalog, id, DUCK_DAY_OTHER);
	struct duck_sql sql;
	struct buf words = {0};
	uint64_t rows = 0;
	if (!t || t->loose_rows == 0 || retain_cutoff_max(&d->retain, id, r->now_ns) == 0)
		return ERR_OK;
	uint64_t look = look_of(r, t);
	if (t->size.looked == look)
		return ERR_OK;
	duck_sql_init(&sql);
	buf_printf(&sql.text, "SELECT count(*)::UBIGINT FROM %s_other WHERE ", table_defs[id].name);
	duck_retain_put_old(&sql, d, id, r->now_ns);
	enum err_code code = duck_read_words(d, d->keeper.con, &sql, UINT64_MAX, &words, err);
	duck_sql_fini(&sql);
	if (code == ERR_OK && words.len == sizeof(rows))
		memcpy(&rows, words.ptr, sizeof(rows));
	buf_fini(&words);
	if (code == ERR_OK && rows > 0)
		*p = (struct duck_piece){
		    .kind = PIECE_OTHER, .table = t, .old_at_ns = r->now_ns, .row_max = PIECE_ROWS};
	else if (code == ERR_OK)
		t->size.looked = look;
	return code;
}

/* ---- too much */

/* Blocks that a table has in the file; small ones are shared with other tables, and are counted in part only. */
static enum err_code
measure(struct duck *d, struct duck_table *t, struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES], sql[300];
	uint64_t rows = duck_catalog_rows(t);
	if (t->size.rows > 0 && rows < t->size.rows + t->size.rows / MEASURE_AGAIN)
		return ERR_OK;
	duck_schema_table_name(&table_defs[t->id], t->day, name);
	snprintf(sql, sizeof(sql),
	    "SELECT (count(DISTINCT b) * (SELECT block_size FROM pragma_database_size()))::UBIGINT"
	    " FROM (SELECT block_id AS b FROM pragma_storage_info('%s') UNION ALL"
	    " SELECT unnest(additional_block_ids) FROM pragma_storage_info('%s')) WHERE b >= 0",
	    name, name);
	enum err_code code = duck_number(d, d->keeper.con, sql, &t->size.bytes, err);
	/* Before its first checkpoint it has no blocks. */
	if (code == ERR_OK && t->size.bytes > 0)
		t->size.rows = rows;
	return code;
}

/* Bytes of so many rows of a table. */
static uint64_t
bytes_of(const struct duck_table *t, uint64_t rows)
{
	return t->size.rows == 0
	    ? 0
	    : (uint64_t)((double)t->size.bytes * (double)rows / (double)t->size.rows);
}

static uint64_t
size_of(struct duck *d, enum table_id id)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < d->catalog.count; i++) {
		const struct duck_table *t = d->catalog.tables[i];
		if (t->id == id && t->until == UINT64_MAX)
			bytes += bytes_of(t, duck_catalog_rows(t));
	}
	return bytes;
}

static enum err_code
measure_all(struct duck *d, enum table_id id, uint64_t *bytes_out, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < d->catalog.count && code == ERR_OK; i++)
		if (d->catalog.tables[i]->id == id && d->catalog.tables[i]->until == UINT64_MAX)
			code = measure(d, d->catalog.tables[i], err);
	*bytes_out = size_of(d, id);
	atomic_store(&d->removed.bytes[id], *bytes_out);
	return code;
}

/* The seal of a table that ends first, of those that are not in the piece yet. */
static size_t
oldest_seal(const struct duck_table *t, const struct duck_piece *p)
{
	size_t oldest = SIZE_MAX;
	for (size_t i = 0; i < t->seal_count; i++) {
		bool taken = !duck_catalog_has_seal(t, i);
		for (size_t k = 0; k < p->count && !taken; k++)
			taken = p->places[k] == i;
		if (!taken &&
		    (oldest == SIZE_MAX || t->seals[i].time_max < t->seals[oldest].time_max))
			oldest = i;
	}
	return oldest;
}

/* Has the catch-all rows that are older than the oldest day's table? */
static enum err_code
other_is_older(struct retaining *r, enum table_id id, const struct duck_table *oldest, bool *out,
    struct err *err)
{
	const struct table_def *def = &table_defs[id];
	const struct duck_table *t = duck_catalog_find(&r->d->catalog, id, DUCK_DAY_OTHER);
	uint64_t first = 0;
	char sql[120];
	*out = false;
	if (!t || t->loose_rows == 0)
		return ERR_OK;
	*out = !oldest;
	if (!oldest)
		return ERR_OK;
	snprintf(sql, sizeof(sql), "SELECT min(%s)::UBIGINT FROM %s_other",
	    def->cols[def->time_col].name, def->name);
	enum err_code code = duck_number(r->d, r->d->keeper.con, sql, &first, err);
	*out = code == ERR_OK && first < day_start(oldest);
	return code;
}

/* So many of its oldest rows as are too much. */
static void
take_of_other(const struct retaining *r, enum table_id id, uint64_t excess, struct duck_piece *p)
{
	struct duck_table *t = duck_catalog_find(&r->d->catalog, id, DUCK_DAY_OTHER);
	uint64_t all = bytes_of(t, t->loose_rows), rows = PIECE_ROWS;
	if (all == 0)
		return; /* not measured yet */
	if (excess < all)
		rows = (uint64_t)((double)t->loose_rows * (double)excess / (double)all) + 1;
	*p = (struct duck_piece){.kind = PIECE_OTHER,
	    .table = t,
	    .for_size = true,
	    .row_max = rows < PIECE_ROWS ? rows : PIECE_ROWS};
}

/* Of the oldest day so much as there is too much. */
static enum err_code
find_excess(struct retaining *r, enum table_id id, struct duck_piece *p, struct err *err)
{
	uint64_t bytes, max = r->d->retain.all.bytes[id];
	enum err_code code = measure_all(r->d, id, &bytes, err);
	struct duck_table *t = next_day(r->d, id, -1);
	bool other = false;
	if (code != ERR_OK || max == 0 || bytes <= max)
		return code;
	code = other_is_older(r, id, t, &other, err);
	if (code != ERR_OK)
		return code;
	if (other) {
		take_of_other(r, id, bytes - max, p);
		return ERR_OK;
	}
	if (!t)
		return ERR_OK;
	uint64_t all = bytes_of(t, duck_catalog_rows(t)), excess = bytes - max;
	if (all == 0 && duck_catalog_rows(t) > 0)
		return ERR_OK; /* not measured yet */
	*p = (struct duck_piece){.kind = PIECE_SEALS_WHOLE, .table = t, .for_size = true};
	while (p->count < PIECE_SEALS && p->bytes < excess) {
		size_t place = oldest_seal(t, p);
		if (place == SIZE_MAX)
			break;
		p->bytes += bytes_of(t, t->seals[place].rows);
		p->places[p->count++] = place;
	}
	if (all <= excess + max / SMALL_PART || p->count == 0)
		*p = (struct duck_piece){
		    .kind = PIECE_TABLE, .table = t, .for_size = true, .bytes = all};
	return ERR_OK;
}

/* ---- too much of one tenant */

static uint64_t
tenant_bytes(const struct retaining *r, struct str tenant)
{
	uint64_t rows = 0;
	for (size_t i = 0; i < r->share_count; i++)
		if (str_eq(r->shares[i].tenant, tenant))
			rows += r->shares[i].rows;
	return bytes_of(r->reading, rows);
}

static void
take_tenant(struct retaining *r, struct str tenant, uint64_t excess, struct duck_piece *p)
{
	struct duck_table *t = r->reading;
	*p = (struct duck_piece){
	    .kind = PIECE_TENANT, .table = t, .tenant = tenant, .for_size = true};
	for (size_t i = 0; i < r->share_count && p->count < PIECE_SEALS && p->bytes < excess; i++) {
		const struct share *s = &r->shares[i];
		if (s->place == SIZE_MAX || !str_eq(s->tenant, tenant))
			continue;
		p->bytes += bytes_of(t, s->rows);
		p->places[p->count] = s->place;
		p->rows[p->count++] = s->rows;
	}
	if (p->count == 0)
		p->kind = PIECE_NONE;
}

/* Days from the newest to the oldest: where the sum passes the limit, the rest is too much, and the oldest of it
 * goes first. Few tenants have such a rule, and few tables are many. */
static enum err_code
find_tenant_excess(struct retaining *r, enum table_id id, const struct retain_rule *rule,
    struct duck_piece *p, struct err *err)
{
	uint64_t bytes = 0;
	struct duck_table *oldest = NULL;
	enum err_code code = ERR_OK;
	for (struct duck_table *t = next_day(r->d, id, -1); t && code == ERR_OK;
	    t = next_day(r->d, id, t->day)) {
		code = read_shares(r, t, err);
		uint64_t here = code == ERR_OK ? tenant_bytes(r, rule->tenant) : 0;
		bytes += here;
		if (here > 0 && !oldest)
			oldest = t;
	}
	if (code != ERR_OK || bytes <= rule->bytes[id])
		return code;
	for (struct duck_table *t = oldest; t && code == ERR_OK && p->kind == PIECE_NONE;
	    t = next_day(r->d, id, t->day)) {
		code = read_shares(r, t, err);
		if (code == ERR_OK)
			take_tenant(r, rule->tenant, bytes - rule->bytes[id], p);
	}
	return code;
}

/* ---- what to do */

static enum err_code
find_piece(struct retaining *r, enum table_id id, struct duck_piece *p, struct err *err)
{
	const struct retain *rules = &r->d->retain;
	enum err_code code = ERR_OK;
	find_empty(r, id, p);
	if (p->kind == PIECE_NONE)
		code = find_old(r, id, p, err);
	if (code == ERR_OK && p->kind == PIECE_NONE)
		code = find_old_in_other(r, id, p, err);
	if (code == ERR_OK && p->kind == PIECE_NONE)
		code = find_excess(r, id, p, err);
	for (size_t i = 0; i < rules->tenant_count; i++)
		if (code == ERR_OK && p->kind == PIECE_NONE && rules->tenants[i].bytes[id] > 0)
			code = find_tenant_excess(r, id, &rules->tenants[i], p, err);
	return code;
}

enum err_code
duck_retain(struct duck *d, bool *done_out, struct err *err)
{
	struct retaining r = {.d = d, .now_ns = d->opt.now_unix_ns()};
	struct duck_piece piece = {0};
	enum err_code code = ERR_OK;
	*done_out = false;
	if (clock_mono_ns() < d->keeper.retainer.next_ns)
		return ERR_OK;
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK && piece.kind == PIECE_NONE; id++)
		if (retain_is_set(&d->retain, (enum table_id)id))
			code = find_piece(&r, (enum table_id)id, &piece, err);
	if (code == ERR_OK && piece.kind != PIECE_NONE) {
		code = duck_remove(d, &piece, err);
		*done_out = code == ERR_OK;
	} else if (code == ERR_OK && d->keeper.retainer.leftovers) {
		code = duck_remove_leftovers(d, done_out, err);
	}
	if (code == ERR_OK && !*done_out) {
		d->keeper.retainer.next_ns = clock_mono_ns() + d->opt.retain_look_ms * NS_PER_MS;
		d->keeper.trim = d->keeper.trim || d->keeper.retainer.trim;
		d->keeper.dirty = d->keeper.dirty || d->keeper.trim;
		d->keeper.retainer.trim = false;
	}
	free(r.shares);
	arena_fini(&r.arena);
	return code;
}
