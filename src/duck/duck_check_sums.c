/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What seals say of their rows in sums (duck_parts.h), against the rows.
 *
 * That the pieces are all there is asked in SQL. Whether they are right is seen by making them again, of the rows of one
 * seal at a time: a tenant's parts depend on nothing but its rows, so they must be the same bytes. Compared are
 * digests, which are the same in any order of the parts.
 */
#include "duck/duck_check_priv.h"
#include "duck/duck_parts.h"

#include "base/bits.h"
#include "base/hash.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROWS_BYTES_MAX = 1 << 30 };

/* ---- the rows of a seal, as far as they are summed up */

struct reading {
	struct arena arena;
	struct table rows;
	enum table_id id;
};

static void
forget_rows(void *ctx)
{
	struct reading *r = ctx;
	arena_reset(&r->arena);
	table_init(&r->rows, r->id, &r->arena);
}

static enum err_code
take_rows(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct reading *r = ctx;
	return duck_copy_chunk(chunk, 0, &r->rows, err);
}

static enum err_code
read_seal(struct check *c, struct check_table *t, uint64_t gen, struct reading *r, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("SELECT "));
	duck_parts_columns(&sql, t->id);
	buf_printf(&sql.text, " FROM %s WHERE seal = %" PRIu64 "::UBIGINT", t->name, gen);
	arena_init(&r->arena, ROWS_BYTES_MAX, 0);
	r->id = t->id;
	forget_rows(r);
	enum err_code code = duck_check_read(c, t, &sql, take_rows, forget_rows, r, err);
	duck_sql_fini(&sql);
	return code;
}

enum err_code
duck_check_build_sums(struct check *c, struct check_table *t, uint64_t gen,
    enum err_code (*use)(void *ctx, const struct seal_row *rows, size_t count, struct err *err),
    void *ctx, struct err *err)
{
	struct reading r = {0};
	enum err_code code = read_seal(c, t, gen, &r, err);
	size_t count = code == ERR_OK ? r.rows.row_count : 0;
	struct seal_row *rows = xcalloc(count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct seal_row){&r.rows, (uint32_t)i};
	/* What cannot be read has been said; then these are not all rows. */
	if (code == ERR_OK && !c->over && !c->refused && !t->said)
		code = use(ctx, rows, count, err);
	free(rows);
	arena_fini(&r.arena);
	return code;
}

/* ---- digests */

static uint64_t
digest_part(const struct duck_part *p, struct str content)
{
	uint64_t numbers[] = {(uint64_t)p->kind, p->width_s, p->first_ns, p->last_ns, p->items};
	uint64_t hash = hash_u64_seed(str_of(numbers, sizeof(numbers)), 3);
	hash = hash_u64_seed(p->tenant, hash);
	hash = hash_u64_seed(p->service, hash);
	return hash_u64_seed(content, hash);
}

static size_t
padded(uint64_t items)
{
	return ((size_t)items + DUCK_PART_WORD - 1) / DUCK_PART_WORD * DUCK_PART_WORD;
}

static uint64_t
digest(const struct duck_parts *p)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < duck_parts_count(p); i++) {
		const struct duck_part *part = duck_parts_at(p, i);
		bool hashes = part->kind == PART_HASHES;
		size_t unit = hashes ? sizeof(uint64_t) : 1;
		const char *from = hashes ? p->hashes.ptr : p->bytes.ptr;
		size_t len = hashes ? (size_t)part->items * unit : padded(part->items);
		sum += digest_part(part,
		    len > 0 ? (struct str){from + part->at * unit, len} : STR_EMPTY);
	}
	return sum;
}

struct comparing {
	enum table_id id;
	uint64_t digest;
};

static enum err_code
digest_rows(void *ctx, const struct seal_row *rows, size_t count, struct err *err)
{
	struct comparing *out = ctx;
	struct duck_parts parts;
	(void)err;
	duck_parts_build(out->id, rows, count, &parts);
	out->digest = digest(&parts);
	duck_parts_fini(&parts);
	return ERR_OK;
}

/* ---- what is in the file */

struct stored {
	struct duck_parts parts;
	struct arena names;
	struct map place_of; /* number -> place in the list */
	uint64_t words, hashes; /* rows there are, of whatever part */
};

static void
forget_parts(void *ctx)
{
	struct stored *s = ctx;
	buf_reset(&s->parts.list);
	buf_reset(&s->parts.bytes);
	buf_reset(&s->parts.hashes);
	arena_reset(&s->names);
	map_clear(&s->place_of);
}

static enum err_code
take_parts(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	enum { TENANT, SERVICE, NUMBER, KIND, WIDTH, FIRST, LAST, ITEMS };
	struct stored *s = ctx;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		struct duck_part p = {
		    .kind = (enum duck_part_kind)duck_chunk_words(chunk, KIND)[i],
		    .width_s = (uint32_t)duck_chunk_words(chunk, WIDTH)[i],
		    .tenant = arena_str(&s->names, duck_chunk_text(chunk, TENANT, i)),
		    .service = arena_str(&s->names, duck_chunk_text(chunk, SERVICE, i)),
		    .first_ns = duck_chunk_words(chunk, FIRST)[i],
		    .last_ns = duck_chunk_words(chunk, LAST)[i],
		    .items = duck_chunk_words(chunk, ITEMS)[i],
		};
		bool hashes = p.kind == PART_HASHES;
		struct buf *room = hashes ? &s->parts.hashes : &s->parts.bytes;
		if (p.items > ROWS_BYTES_MAX)
			return ERR_OK; /* it cannot be, and the digest will show it */
		size_t len = hashes ? (size_t)p.items * sizeof(uint64_t) : padded(p.items);
		p.at = room->len / (hashes ? sizeof(uint64_t) : 1);
		char *at = buf_reserve(room, len + 1);
		if (!at ||
		    !map_put(&s->place_of, duck_chunk_words(chunk, NUMBER)[i],
		        duck_parts_count(&s->parts)))
			return err_set(err, ERR_BUSY, "no memory for the sums of a seal");
		memset(at, 0, len);
		room->len += len;
		buf_append(&s->parts.list, &p, sizeof(p));
	}
	return ERR_OK;
}

/* Columns number, place, word: of words and of hashes alike. */
static void
take_values(struct stored *s, duckdb_data_chunk chunk, bool hashes)
{
	*(hashes ? &s->hashes : &s->words) += duckdb_data_chunk_get_size(chunk);
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		const uint64_t *at = map_get(&s->place_of, duck_chunk_words(chunk, 0)[i]);
		if (!at)
			continue;
		const struct duck_part *p = duck_parts_at(&s->parts, (size_t)*at);
		uint64_t place = duck_chunk_words(chunk, 1)[i],
		         word = duck_chunk_words(chunk, 2)[i];
		size_t count = hashes ? (size_t)p->items : padded(p->items) / DUCK_PART_WORD;
		if ((p->kind == PART_HASHES) != hashes || place >= count)
			continue;
		if (hashes)
			memcpy(s->parts.hashes.ptr + (p->at + place) * sizeof(word), &word,
			    sizeof(word));
		else
			put_u64le(s->parts.bytes.ptr + p->at + place * DUCK_PART_WORD, word);
	}
}

static enum err_code
take_words(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	(void)err;
	take_values(ctx, chunk, false);
	return ERR_OK;
}

static enum err_code
take_hashes(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	(void)err;
	take_values(ctx, chunk, true);
	return ERR_OK;
}

/* Values are put where they belong, so that what was read before it was asked again does no harm. */
static void
forget_words(void *ctx)
{
	((struct stored *)ctx)->words = 0;
}

static void
forget_hashes(void *ctx)
{
	((struct stored *)ctx)->hashes = 0;
}

/* c->refused: some of it cannot be read, which has been said. */
static enum err_code
read_stored(struct check *c, uint64_t gen, struct stored *s, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT tenant, service, number::UBIGINT, kind::UBIGINT, width_s::UBIGINT, first_ns, last_ns,"
	    " items FROM seal_parts WHERE gen = %" PRIu64 "::UBIGINT",
	    gen);
	enum err_code code = duck_check_read(c, NULL, &sql, take_parts, forget_parts, s, err);
	duck_sql_reset(&sql);
	buf_printf(&sql.text,
	    "SELECT number::UBIGINT, place::UBIGINT, word FROM seal_words WHERE gen = %" PRIu64
	    "::UBIGINT",
	    gen);
	if (code == ERR_OK && !c->refused)
		code = duck_check_read(c, NULL, &sql, take_words, forget_words, s, err);
	duck_sql_reset(&sql);
	buf_printf(&sql.text,
	    "SELECT number::UBIGINT, (row_number() OVER (PARTITION BY number ORDER BY hash) - 1)::UBIGINT,"
	    " hash FROM seal_hashes WHERE gen = %" PRIu64 "::UBIGINT",
	    gen);
	if (code == ERR_OK && !c->refused)
		code = duck_check_read(c, NULL, &sql, take_hashes, forget_hashes, s, err);
	duck_sql_fini(&sql);
	return code;
}

/* Neither fewer nor more than its parts say. */
static bool
has_its_values(const struct stored *s)
{
	uint64_t words = 0, hashes = 0;
	for (size_t i = 0; i < duck_parts_count(&s->parts); i++) {
		const struct duck_part *p = duck_parts_at(&s->parts, i);
		if (p->kind == PART_HASHES)
			hashes += p->items;
		else
			words += padded(p->items) / DUCK_PART_WORD;
	}
	return words == s->words && hashes == s->hashes;
}

enum err_code
duck_check_compare_sums(struct check *c, struct check_table *t, uint64_t gen, bool *same_out,
    struct err *err)
{
	struct comparing made = {.id = t->id};
	struct stored s = {0};
	*same_out = true;
	enum err_code code = duck_check_build_sums(c, t, gen, digest_rows, &made, err);
	bool known = code == ERR_OK && !c->over && !c->refused && !t->said;
	if (known)
		code = read_stored(c, gen, &s, err);
	if (known && code == ERR_OK && !c->over && !c->refused)
		*same_out = digest(&s.parts) == made.digest && has_its_values(&s);
	duck_parts_fini(&s.parts);
	arena_fini(&s.names);
	map_fini(&s.place_of);
	return code;
}

/* ---- all seals of a table that have sums */

static enum err_code
take_gens(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	(void)err;
	buf_append(ctx, duck_chunk_words(chunk, 0),
	    (size_t)duckdb_data_chunk_get_size(chunk) * sizeof(uint64_t));
	return ERR_OK;
}

static void
forget_gens(void *ctx)
{
	buf_reset(ctx);
}

enum err_code
duck_check_each_sum(struct check *c, struct check_table *t,
    enum err_code (*each)(void *ctx, struct check_table *t, uint64_t gen, struct err *err),
    void *ctx, struct err *err)
{
	struct duck_sql sql;
	struct buf gens = {0};
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT gen FROM seals WHERE base = '%s' AND day = %" PRId64
	    " AND gen IN (SELECT gen FROM seal_parts UNION SELECT gen FROM seal_words UNION SELECT gen"
	    " FROM seal_hashes) ORDER BY gen",
	    table_defs[t->id].name, t->day);
	enum err_code code = duck_check_read(c, t, &sql, take_gens, forget_gens, &gens, err);
	duck_sql_fini(&sql);
	for (size_t i = 0; i < gens.len && code == ERR_OK && !c->over && !t->said;
	    i += sizeof(uint64_t)) {
		uint64_t gen;
		memcpy(&gen, gens.ptr + i, sizeof(gen));
		code = each(ctx, t, gen, err);
	}
	buf_fini(&gens);
	return code;
}

static enum err_code
check_seal(void *ctx, struct check_table *t, uint64_t gen, struct err *err)
{
	struct check *c = ctx;
	bool same = true;
	enum err_code code = duck_check_compare_sums(c, t, gen, &same, err);
	if (code == ERR_OK && !same)
		finding_say(c->opt->sink, FINDING_SEAL_SUMS, t->name,
		    "the sums of seal %" PRIu64
		    " are not those of its rows: analyses of its time are wrong",
		    gen);
	return code;
}

/* Pieces that are missing, or belong to nothing. */
static const char pieces[] =
    "SELECT 'seal_parts', 'of seal ' || gen || ', part ' || number || ', there should be ' || want || ' '"
    " || what || ', and there are ' || coalesce(n, 0) || ': analyses of its time fail, or are wrong'"
    " FROM (SELECT gen, number, CASE kind WHEN 3 THEN 'hashes' ELSE 'words' END AS what,"
    " CASE kind WHEN 3 THEN items ELSE (items + 7) // 8 END AS want FROM seal_parts"
    " WHERE gen IN (SELECT gen FROM seals)) LEFT JOIN (SELECT gen, number, 'words' AS what,"
    " count(*) AS n FROM seal_words GROUP BY ALL UNION ALL SELECT gen, number, 'hashes', count(*)"
    " FROM seal_hashes GROUP BY ALL) USING (gen, number, what) WHERE coalesce(n, 0) <> want ORDER BY"
    " gen, number";
static const char strays[] =
    "SELECT what, n || ' rows of seals that are there belong to none of their parts' FROM (SELECT"
    " 'seal_words' AS what, count(*) AS n FROM seal_words ANTI JOIN seal_parts USING (gen, number)"
    " WHERE gen IN (SELECT gen FROM seals) UNION ALL SELECT 'seal_hashes', count(*) FROM seal_hashes"
    " ANTI JOIN seal_parts USING (gen, number) WHERE gen IN (SELECT gen FROM seals)) WHERE n > 0";

enum err_code
duck_check_sums(struct check *c, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_str(&sql.text, str_from(pieces));
	enum err_code code = duck_check_say(c, FINDING_SEAL_SUMS, NULL, &sql, err);
	buf_str(&sql.text, str_from(strays));
	if (code == ERR_OK && !c->over)
		code = duck_check_say(c, FINDING_SEAL_SUMS, NULL, &sql, err);
	duck_sql_fini(&sql);
	for (size_t i = 0; i < c->count && code == ERR_OK && !c->opt->quick && !c->over; i++)
		if (c->tables[i].day != DUCK_DAY_OTHER && !c->tables[i].said)
			code = duck_check_each_sum(c, &c->tables[i], check_seal, c, err);
	return code;
}
