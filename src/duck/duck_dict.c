/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources and scopes: each distinct one is a row of its table once, named by its id, which is a
 * 64-bit hash of its content.
 *
 * Known ones are remembered in a map that is a cache: what is not in it is looked up in the table,
 * inside the append's transaction, with one query for all of a batch. So nothing has to be read at
 * the start and memory is bounded however many there are.
 *
 * A hash can collide, and whoever chooses content can make it. The map and the table are therefore
 * keyed by (tenant, id): a tenant can only spoil its own entries. And each entry is remembered with
 * a second, differently seeded hash of its whole content: where the id is there with another
 * content, the new one gets another id, the next of a fixed sequence of hashes that is free or has
 * the same content, and the rows of the batch that name it are changed on their way in.
 */
#include "duck/duck_priv.h"

#include "base/hash.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	KNOWN_MAX = 1 << 18, /* about 9 MiB each */
	PROBES_MAX = 16,
	ID_COL = 0,
	TENANT_COL = 1,
};

_Static_assert((int)RESOURCE_ID == ID_COL && (int)SCOPE_ID == ID_COL, "both begin with the id");
_Static_assert((int)RESOURCE_TENANT == TENANT_COL && (int)SCOPE_TENANT == TENANT_COL,
    "then the tenant");

struct plan {
	struct duck *d;
	duckdb_connection con;
	struct duck_dict *dict;
	const struct table *t;
	struct map found; /* (tenant, id) -> content, in the table, as far as it was asked */
	struct map added; /* the same, of this batch's new rows */
};

static uint64_t
key_of(const struct table *t, size_t row, uint64_t id)
{
	return batch_dict_key(table_str(t, row, TENANT_COL), id);
}

/* Of all columns but the id; NULL and empty differ. Never 0. */
static uint64_t
content_of(const struct table *t, size_t row, uint64_t seed)
{
	uint64_t h = seed;
	for (size_t c = TENANT_COL; c < t->def->col_count; c++) {
		int col = (int)c;
		CHECK(t->def->cols[c].kind == COL_STR || t->def->cols[c].kind == COL_U32);
		if (t->def->cols[c].kind == COL_STR && table_is_null(t, row, col)) {
			h = hash_u64_seed(STR("NULL"), ~h);
		} else if (t->def->cols[c].kind == COL_STR) {
			h = hash_u64_seed(table_str(t, row, col), h);
		} else {
			uint32_t v = table_u32(t, row, col);
			h = hash_u64_seed(str_of(&v, sizeof(v)), h);
		}
	}
	return h != 0 ? h : 1;
}

/* Learn what the table has of these ids, whoever's they are. `in` is "id, id, ..". */
static enum err_code
look_up(struct plan *p, struct str in, struct err *err)
{
	struct duck_sql sql;
	struct arena arena;
	struct table rows;
	arena_init(&arena, 0, 0);
	table_init(&rows, p->dict->id, &arena);
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("SELECT "));
	duck_read_columns(&sql, p->t->def);
	buf_printf(&sql.text, " FROM %s WHERE id IN (", p->t->def->name);
	buf_str(&sql.text, in);
	buf_char(&sql.text, ')');
	duck_gate_pass(&p->d->gate);
	enum err_code code = duck_read(p->d, p->con, &sql, UINT64_MAX, &rows, err);
	duck_gate_passed(&p->d->gate);
	for (size_t i = 0; i < rows.row_count && code == ERR_OK; i++)
		if (!map_put(&p->found, key_of(&rows, i, table_u64(&rows, i, ID_COL)),
		        content_of(&rows, i, 0)))
			code = err_set(err, ERR_BUSY, "no memory for a dictionary");
	duck_sql_fini(&sql);
	arena_fini(&arena);
	return code;
}

static enum err_code
look_up_unknown(struct plan *p, struct err *err)
{
	struct buf in = {0};
	enum err_code code = ERR_OK;
	for (size_t row = 0; row < p->t->row_count; row++) {
		uint64_t id = table_u64(p->t, row, ID_COL);
		if (!map_get(&p->dict->known, key_of(p->t, row, id)))
			buf_printf(&in, "%s%" PRIu64 "::UBIGINT", in.len > 0 ? ", " : "", id);
	}
	if (in.len > 0)
		code = look_up(p, buf_view(&in), err);
	buf_fini(&in);
	return code;
}

static void
learn(struct plan *p, uint64_t key, uint64_t content)
{
	p->dict->learn[p->dict->learn_count++] = (struct map_entry){key, content};
}

/* Whether the id is free for this content (*fits, and *is_new) or taken by it (*fits). */
static enum err_code
try_id(struct plan *p, size_t row, uint64_t id, unsigned probe, bool *fits, bool *is_new,
    struct err *err)
{
	uint64_t key = key_of(p->t, row, id);
	uint64_t content = content_of(p->t, row, 0);
	const uint64_t *there = map_get(&p->dict->known, key);
	if (!there)
		there = map_get(&p->added, key);
	if (!there && probe > 0) {
		char in[40];
		int n = snprintf(in, sizeof(in), "%" PRIu64 "::UBIGINT", id);
		enum err_code code = look_up(p, str_of(in, (size_t)n), err);
		if (code != ERR_OK)
			return code;
	}
	if (!there)
		there = map_get(&p->found, key);
	*fits = !there || *there == content;
	*is_new = !there;
	if (*fits && !map_get(&p->dict->known, key))
		learn(p, key, content);
	if (*is_new && !map_put(&p->added, key, content))
		return err_set(err, ERR_BUSY, "no memory for a dictionary");
	return ERR_OK;
}

static enum err_code
place(struct plan *p, size_t row, struct err *err)
{
	uint64_t own = table_u64(p->t, row, ID_COL);
	uint64_t id = own;
	bool fits = false, is_new = false;
	for (unsigned probe = 0; probe < PROBES_MAX && !fits; probe++) {
		if (probe > 0)
			id = content_of(p->t, row, probe);
		enum err_code code = try_id(p, row, id, probe, &fits, &is_new, err);
		if (code != ERR_OK)
			return code;
	}
	if (!fits)
		return err_set(err, ERR_INTERNAL, "%s: %d ids of one entry are taken",
		    p->t->def->name, PROBES_MAX);
	if (is_new)
		p->dict->new_rows[p->dict->new_count++] = (uint32_t)row;
	if (id == own)
		return ERR_OK;
	if (is_new)
		log_warn("duck",
		    "%s: id %016" PRIx64 " has two contents, the second is %016" PRIx64,
		    p->t->def->name, own, id);
	if (!map_put(&p->dict->ids, key_of(p->t, row, own), id))
		return err_set(err, ERR_BUSY, "no memory for a dictionary");
	return ERR_OK;
}

enum err_code
duck_dict_plan(struct duck *d, duckdb_connection con, struct duck_dict *dict, const struct table *t,
    struct arena *scratch, struct err *err)
{
	struct plan p = {.d = d, .con = con, .dict = dict, .t = t};
	dict->new_count = dict->learn_count = 0;
	map_clear(&dict->ids);
	if (t->row_count == 0)
		return ERR_OK;
	dict->new_rows = arena_array(scratch, t->row_count, sizeof(*dict->new_rows));
	dict->learn = arena_array(scratch, t->row_count, sizeof(*dict->learn));
	if (!dict->new_rows || !dict->learn)
		return err_set(err, ERR_BUSY, "no memory for a dictionary");
	enum err_code code = look_up_unknown(&p, err);
	for (size_t row = 0; row < t->row_count && code == ERR_OK; row++)
		code = place(&p, row, err);
	map_fini(&p.found);
	map_fini(&p.added);
	return code;
}

void
duck_dict_committed(struct duck_dict *dict)
{
	if (dict->known.count + dict->learn_count > KNOWN_MAX)
		map_clear(&dict->known);
	/* What does not fit is looked up again. */
	for (size_t i = 0; i < dict->learn_count && dict->known.count < KNOWN_MAX; i++)
		if (!map_put(&dict->known, dict->learn[i].key, dict->learn[i].value))
			break;
	dict->learn_count = dict->new_count = 0;
}

void
duck_dict_fini(struct duck_dict *dict)
{
	map_fini(&dict->known);
	map_fini(&dict->ids);
}
