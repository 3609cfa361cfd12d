/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_parts.h"
#include "duck/duck_priv.h"

#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_BYTES_MAX = 1 << 30 };

struct resumming {
	struct duck_table *table;
	size_t place; /* of the seal */
};

/* Readers do not change the catalog, so its owner looks without the lock. */
static bool
find_seal(struct duck *d, struct resumming *out)
{
	const struct duck_catalog *c = &d->catalog;
	uint64_t newest = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct duck_table *t = c->tables[i];
		if (t->day == DUCK_DAY_OTHER || t->until != UINT64_MAX || !duck_has_services(t->id))
			continue;
		for (size_t k = 0; k < t->seal_count; k++) {
			const struct duck_seal_info *s = &t->seals[k];
			if (s->summed_since != UINT64_MAX || s->until != UINT64_MAX ||
			    s->gen < newest)
				continue;
			newest = s->gen;
			*out = (struct resumming){t, k};
		}
	}
	return newest > 0;
}

static enum err_code
read_rows(struct duck *d, const struct resumming *r, uint64_t seal, struct table *out,
    struct err *err)
{
	char name[DUCK_TABLE_NAME_BYTES];
	struct duck_sql sql;
	duck_sql_init(&sql);
	duck_schema_table_name(&table_defs[r->table->id], r->table->day, name);
	buf_str(&sql.text, STR("SELECT "));
	duck_parts_columns(&sql, r->table->id);
	buf_printf(&sql.text, " FROM %s WHERE seal = %" PRIu64 "::UBIGINT", name, seal);
	enum err_code code = duck_read(d, d->keeper.con, &sql, UINT64_MAX, out, err);
	duck_sql_fini(&sql);
	return code;
}

/* Should some be there, of a transaction of which nobody knew how it ended. */
static enum err_code
delete_parts(struct duck *d, uint64_t seal, struct err *err)
{
	static const char *const tables[] = {"seal_parts", "seal_words", "seal_hashes"};
	char sql[100];
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(tables) && code == ERR_OK; i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE gen = %" PRIu64 "::UBIGINT",
		    tables[i], seal);
		code = duck_exec(d, d->keeper.con, sql, err);
	}
	return code;
}

static enum err_code
sum_up(struct duck *d, uint64_t gen, void *ctx, struct err *err)
{
	const struct resumming *r = ctx;
	uint64_t seal = r->table->seals[r->place].gen;
	struct arena arena;
	struct table table;
	struct duck_parts parts;
	arena_init(&arena, ROWS_BYTES_MAX, 0);
	table_init(&table, r->table->id, &arena);
	enum err_code code = read_rows(d, r, seal, &table, err);
	size_t count = code == ERR_OK ? table.row_count : 0;
	struct seal_row *rows = xcalloc(count + 1, sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct seal_row){&table, (uint32_t)i};
	duck_parts_build(r->table->id, rows, count, &parts);
	if (code == ERR_OK)
		code = delete_parts(d, seal, err);
	if (code == ERR_OK)
		code = duck_parts_write(d, d->keeper.con, seal, &parts, err);
	if (code == ERR_OK)
		duck_catalog_sum_seal(&d->catalog, r->table, r->place, gen);
	duck_parts_fini(&parts);
	free(rows);
	arena_fini(&arena);
	return code;
}

enum err_code
duck_resum(struct duck *d, bool *done_out, struct err *err)
{
	struct resumming r;
	*done_out = find_seal(d, &r);
	if (!*done_out)
		return ERR_OK;
	enum err_code code = duck_seal_change(d, sum_up, &r, err);
	if (code == ERR_OK && !find_seal(d, &r))
		log_info("duck", "all seals have sums of their rows now: analyses are fast");
	return code;
}
