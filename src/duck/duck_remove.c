/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing a piece of what is kept no longer (duck_retain_priv.h), in a transaction with a generation of its own
 * (duck_seal_change()): readers see all of it or nothing, and the catalog says until which generation tables and seals
 * were there. What is counted and said of it, and what memory knows of the rows, follows after the commit.
 *
 * Which tenants a seal has rows of, and how many, is in seal_services; its sums are what is left in the seal.
 */
#include "duck/duck_retain_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <inttypes.h>

enum { LEFTOVER_SEALS = 8 };

static void
put_gens(struct duck_sql *sql, const struct duck_piece *p)
{
	for (size_t i = 0; i < p->count; i++)
		buf_printf(&sql->text, "%s%" PRIu64 "::UBIGINT", i > 0 ? ", " : "(",
		    p->table->seals[p->places[i]].gen);
	buf_char(&sql->text, ')');
}

static enum err_code
run(struct duck *d, struct duck_sql *sql, uint64_t *changed_out, struct err *err)
{
	duckdb_result result;
	enum err_code code = duck_run(d, d->keeper.con, sql, UINT64_MAX, &result, err);
	if (code == ERR_OK) {
		if (changed_out)
			*changed_out = duckdb_rows_changed(&result);
		duckdb_destroy_result(&result);
	}
	duck_sql_reset(sql);
	return code;
}

static enum err_code
drop_table(struct duck *d, struct duck_piece *p, uint64_t gen, struct duck_sql *sql,
    struct err *err)
{
	static const char *const catalogs[] = {"partitions", "shreds", "seals"};
	struct duck_table *t = p->table;
	char name[DUCK_TABLE_NAME_BYTES];
	enum err_code code;
	duck_schema_table_name(&table_defs[t->id], t->day, name);
	buf_printf(&sql->text, "DROP TABLE %s", name);
	code = run(d, sql, NULL, err);
	for (size_t i = 0; i < ARRAY_LEN(catalogs) && code == ERR_OK; i++) {
		buf_printf(&sql->text, "DELETE FROM %s WHERE base = '%s' AND day = %" PRId64,
		    catalogs[i], table_defs[t->id].name, t->day);
		code = run(d, sql, NULL, err);
	}
	/* Where rows of that day were sealed up to is only needed for what the log will give again. */
	buf_printf(&sql->text,
	    "DELETE FROM positions WHERE base = '%s' AND day = %" PRId64
	    "::UBIGINT AND seq <= %" PRIu64 "::UBIGINT",
	    table_defs[t->id].name, t->day, d->keeper.floor);
	if (code == ERR_OK)
		code = run(d, sql, NULL, err);
	p->removed = duck_catalog_rows(t);
	if (code == ERR_OK)
		duck_catalog_drop_table(&d->catalog, t, gen);
	return code;
}

static enum err_code
delete_seals(struct duck *d, struct duck_piece *p, uint64_t gen, struct duck_sql *sql,
    struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES];
	duck_schema_table_name(&table_defs[p->table->id], p->table->day, name);
	buf_printf(&sql->text, "DELETE FROM %s WHERE seal IN ", name);
	put_gens(sql, p);
	enum err_code code = run(d, sql, &p->removed, err);
	if (code != ERR_OK)
		return code;
	buf_str(&sql->text, STR("DELETE FROM seals WHERE gen IN "));
	put_gens(sql, p);
	code = run(d, sql, NULL, err);
	for (size_t i = 0; i < p->count && code == ERR_OK; i++)
		duck_catalog_drop_seal(&d->catalog, p->table, p->places[i], gen);
	return code;
}

/* What a tenant's rows added to what is known of the seals' services. */
static enum err_code
delete_services(struct duck *d, const struct duck_piece *p, struct duck_sql *sql, struct err *err)
{
	static const char *const values[] = {"seal_hashes", "seal_words"};
	static const char *const own[] = {"seal_parts", "seal_services"};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(values) && code == ERR_OK; i++) {
		buf_printf(&sql->text, "DELETE FROM %s WHERE gen IN ", values[i]);
		put_gens(sql, p);
		buf_str(&sql->text,
		    STR(" AND (gen, number) IN (SELECT (gen, number) FROM seal_parts WHERE tenant = "));
		duck_sql_text(sql, p->tenant);
		buf_str(&sql->text, STR(" AND gen IN "));
		put_gens(sql, p);
		buf_char(&sql->text, ')');
		code = run(d, sql, NULL, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(own) && code == ERR_OK; i++) {
		buf_printf(&sql->text, "DELETE FROM %s WHERE tenant = ", own[i]);
		duck_sql_text(sql, p->tenant);
		buf_str(&sql->text, STR(" AND gen IN "));
		put_gens(sql, p);
		code = run(d, sql, NULL, err);
	}
	return code;
}

static enum err_code
delete_tenant(struct duck *d, struct duck_piece *p, uint64_t gen, struct duck_sql *sql,
    struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES];
	duck_schema_table_name(&table_defs[p->table->id], p->table->day, name);
	buf_printf(&sql->text, "DELETE FROM %s WHERE tenant = ", name);
	duck_sql_text(sql, p->tenant);
	buf_str(&sql->text, STR(" AND seal IN "));
	put_gens(sql, p);
	enum err_code code = run(d, sql, &p->removed, err);
	if (code == ERR_OK)
		code = delete_services(d, p, sql, err);
	for (size_t i = 0; i < p->count && code == ERR_OK; i++) {
		const struct duck_seal_info *s = &p->table->seals[p->places[i]];
		bool whole = p->rows[i] >= s->rows;
		if (whole)
			buf_printf(&sql->text, "DELETE FROM seals");
		else
			buf_printf(&sql->text,
			    "UPDATE seals SET rows = rows - %" PRIu64 "::UBIGINT", p->rows[i]);
		buf_printf(&sql->text, " WHERE gen = %" PRIu64 "::UBIGINT", s->gen);
		code = run(d, sql, NULL, err);
		if (code == ERR_OK && whole)
			duck_catalog_drop_seal(&d->catalog, p->table, p->places[i], gen);
	}
	return code;
}

static enum err_code
delete_other(struct duck *d, struct duck_piece *p, struct duck_sql *sql, struct err *err)
{
	const struct table_def *def = &table_defs[p->table->id];
	buf_printf(&sql->text,
	    "DELETE FROM %s_other WHERE rowid IN (SELECT rowid FROM %s_other WHERE ", def->name,
	    def->name);
	if (p->for_size)
		buf_printf(&sql->text, "true ORDER BY %s", def->cols[def->time_col].name);
	else
		duck_retain_put_old(sql, d, p->table->id, p->old_at_ns);
	buf_printf(&sql->text, " LIMIT %" PRIu64 ")", p->row_max);
	return run(d, sql, &p->removed, err);
}

/* Seals without rows, of before the one that is made now: they are only there for their floor. */
static enum err_code
forget_floors(struct duck *d, struct duck_sql *sql, struct err *err)
{
	buf_str(&sql->text, STR("DELETE FROM seals WHERE base = ''"));
	return run(d, sql, NULL, err);
}

static enum err_code
remove_piece(struct duck *d, uint64_t gen, void *ctx, struct err *err)
{
	struct duck_piece *p = ctx;
	struct duck_sql sql;
	enum err_code code = ERR_OK;
	duck_sql_init(&sql);
	code = forget_floors(d, &sql, err);
	if (code == ERR_OK && p->kind == PIECE_TABLE)
		code = drop_table(d, p, gen, &sql, err);
	if (code == ERR_OK && p->kind == PIECE_SEALS_WHOLE)
		code = delete_seals(d, p, gen, &sql, err);
	if (code == ERR_OK && p->kind == PIECE_TENANT)
		code = delete_tenant(d, p, gen, &sql, err);
	if (code == ERR_OK && p->kind == PIECE_OTHER)
		code = delete_other(d, p, &sql, err);
	duck_sql_fini(&sql);
	return code;
}

/* ---- afterwards */

static void
say(const struct duck_piece *p, uint64_t took_ns)
{
	char name[DUCK_TABLE_NAME_BYTES], took[32];
	duck_schema_table_name(&table_defs[p->table->id], p->table->day, name);
	took[time_span_text(took_ns, took, sizeof(took) - 1)] = '\0';
	const char *why = p->for_size ? "there is more than is to be kept" : "they are too old";
	if (p->kind == PIECE_TABLE)
		log_info("retain", "%s dropped with %" PRIu64 " rows in %s: %s", name, p->removed,
		    took, why);
	else
		log_info("retain", "%" PRIu64 " rows of %s%s%.*s removed in %s: %s", p->removed,
		    name, p->kind == PIECE_TENANT ? ", tenant " : "",
		    STR_ARG(p->kind == PIECE_TENANT ? p->tenant : STR_EMPTY), took, why);
}

static void
count(struct duck *d, const struct duck_piece *p, uint64_t took_ns)
{
	enum table_id id = p->table->id;
	struct duck_removed *c = &d->removed;
	atomic_fetch_add(&c->rows[id], p->removed);
	atomic_fetch_add(&c->ns, took_ns);
	atomic_fetch_sub(&d->row_count, p->removed);
	if (p->kind != PIECE_TABLE)
		return;
	atomic_fetch_add(&c->days[id], 1);
	if (took_ns > atomic_load(&c->longest_day_ns))
		atomic_store(&c->longest_day_ns, took_ns);
}

static void
settle(struct duck *d, const struct duck_piece *p)
{
	uint64_t gen = atomic_load(&d->generation);
	atomic_store(&d->removed_gen, gen);
	d->keeper.removed_gen = gen;
	d->keeper.retainer.trim = true;
	if (p->kind == PIECE_TABLE || p->kind == PIECE_SEALS_WHOLE)
		d->keeper.retainer.leftovers = true;
	if (p->kind == PIECE_TENANT)
		for (size_t i = 0; i < p->count; i++)
			if (duck_catalog_has_seal(p->table, p->places[i]))
				duck_catalog_shrink_seal(&d->catalog, p->table, p->places[i],
				    p->rows[i]);
	if (p->kind == PIECE_OTHER)
		duck_catalog_count_loose(&d->catalog, p->table, -(int64_t)p->removed);
	duck_memo_drop(&d->services_memo);
}

enum err_code
duck_remove(struct duck *d, struct duck_piece *p, struct err *err)
{
	uint64_t start_ns = clock_mono_ns();
	enum err_code code = duck_seal_change(d, remove_piece, p, err);
	if (code != ERR_OK)
		return code;
	uint64_t took_ns = clock_mono_ns() - start_ns;
	settle(d, p);
	count(d, p, took_ns);
	say(p, took_ns);
	return ERR_OK;
}

/* ---- leftovers */

static enum err_code
find_leftovers(struct duck *d, struct buf *gens, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT gen FROM (SELECT gen FROM seal_services UNION SELECT gen FROM seal_parts)"
	    " WHERE gen NOT IN (SELECT gen FROM seals) ORDER BY gen LIMIT %d",
	    LEFTOVER_SEALS);
	enum err_code code = duck_read_words(d, d->keeper.con, &sql, UINT64_MAX, gens, err);
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
delete_leftovers(struct duck *d, uint64_t gen, void *ctx, struct err *err)
{
	static const char *const tables[] = {
	    "seal_hashes", "seal_words", "seal_parts", "seal_services"};
	const struct buf *gens = ctx;
	struct duck_sql sql;
	enum err_code code = ERR_OK;
	(void)gen;
	duck_sql_init(&sql);
	code = forget_floors(d, &sql, err);
	for (size_t t = 0; t < ARRAY_LEN(tables) && code == ERR_OK; t++) {
		buf_printf(&sql.text, "DELETE FROM %s WHERE gen IN (", tables[t]);
		for (size_t i = 0; i < gens->len; i += sizeof(uint64_t)) {
			uint64_t one;
			memcpy(&one, gens->ptr + i, sizeof(one));
			buf_printf(&sql.text, "%s%" PRIu64 "::UBIGINT", i > 0 ? ", " : "", one);
		}
		buf_char(&sql.text, ')');
		code = run(d, &sql, NULL, err);
	}
	duck_sql_fini(&sql);
	return code;
}

enum err_code
duck_remove_leftovers(struct duck *d, bool *done_out, struct err *err)
{
	struct buf gens = {0};
	enum err_code code = find_leftovers(d, &gens, err);
	if (code == ERR_OK && gens.len == 0)
		d->keeper.retainer.leftovers = false;
	if (code == ERR_OK && gens.len > 0) {
		code = duck_seal_change(d, delete_leftovers, &gens, err);
		*done_out = code == ERR_OK;
	}
	buf_fini(&gens);
	return code;
}
