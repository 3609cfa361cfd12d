/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the catch-all to the days. Rows that could not wait for a whole row group of their day are in
 * the catch-all of their signal, in one row group that is rewritten now and then; when those of one day there
 * make a whole row group they are moved to the day's table, in one transaction and with a generation of their
 * own, as a seal is. Should the catch-all become large with no such day, the day with most rows is moved.
 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"
#include "sys/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	GROUPS_MAX = 4, /* of a catch-all, before smaller parts are moved */
	ROWS_BYTES_MAX = 1 << 30,
};

/* The day of a catch-all with most rows, of those that may have a table. */
static enum err_code
fullest_day(struct duck *d, enum table_id id, uint64_t *day_out, uint64_t *rows_out,
    struct err *err)
{
	const struct table_def *def = &table_defs[id];
	const char *time = def->cols[def->time_col].name;
	int64_t today = (int64_t)(d->opt.now_unix_ns() / NS_PER_DAY);
	uint64_t from = today > (int64_t)d->opt.days_back ? (uint64_t)today - d->opt.days_back : 0;
	struct duck_sql sql;
	struct buf words = {0};
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT (%s // %" PRIu64
	    ")::UBIGINT AS day, count(*)::UBIGINT AS n FROM %s_other WHERE %s BETWEEN %" PRIu64
	    "::UBIGINT AND %" PRIu64 "::UBIGINT GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1",
	    time, (uint64_t)NS_PER_DAY, def->name, time, from * NS_PER_DAY,
	    ((uint64_t)today + d->opt.days_ahead + 1) * NS_PER_DAY - 1);
	enum err_code code = duck_read_words(d, d->keeper.con, &sql, UINT64_MAX, &words, err);
	duck_sql_fini(&sql);
	*rows_out = 0;
	if (code == ERR_OK && words.len == 2 * sizeof(uint64_t)) {
		memcpy(day_out, words.ptr, sizeof(*day_out));
		memcpy(rows_out, words.ptr + sizeof(*day_out), sizeof(*rows_out));
	}
	buf_fini(&words);
	return code;
}

static void
put_day(struct duck_sql *sql, enum table_id id, uint64_t day)
{
	const struct table_def *def = &table_defs[id];
	buf_printf(&sql->text,
	    " FROM %s_other WHERE %s BETWEEN %" PRIu64 "::UBIGINT AND %" PRIu64 "::UBIGINT",
	    def->name, def->cols[def->time_col].name, day * NS_PER_DAY,
	    day * NS_PER_DAY + (NS_PER_DAY - 1));
}

static enum err_code
delete_moved(struct duck *d, enum table_id id, uint64_t day, const struct table *rows,
    struct err *err)
{
	struct duck_sql sql;
	duckdb_result result;
	size_t last = rows->row_count - 1;
	uint64_t seq = table_u64(rows, last, duck_seq_col(id));
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("DELETE"));
	put_day(&sql, id, day);
	buf_printf(&sql.text,
	    " AND (seq < %" PRIu64 "::UBIGINT OR (seq = %" PRIu64 "::UBIGINT AND ord <= %" PRIu32
	    "))",
	    seq, seq, table_u32(rows, last, duck_seq_col(id) + 1));
	enum err_code code = duck_run(d, d->keeper.con, &sql, UINT64_MAX, &result, err);
	if (code == ERR_OK)
		duckdb_destroy_result(&result);
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
read_oldest(struct duck *d, enum table_id id, uint64_t day, uint64_t count, struct table *rows,
    struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_str(&sql.text, STR("SELECT "));
	duck_read_columns(&sql, &table_defs[id]);
	put_day(&sql, id, day);
	buf_printf(&sql.text, " ORDER BY seq, ord LIMIT %" PRIu64, count);
	enum err_code code = duck_read(d, d->keeper.con, &sql, UINT64_MAX, rows, err);
	duck_sql_fini(&sql);
	if (code == ERR_OK && rows->row_count == 0)
		code = err_set(err, ERR_INTERNAL, "%s_other has lost the rows of a day",
		    table_defs[id].name);
	return code;
}

static enum err_code
move(struct duck *d, enum table_id id, uint64_t day, uint64_t count, struct err *err)
{
	struct arena arena;
	struct table rows;
	arena_init(&arena, ROWS_BYTES_MAX, 0);
	table_init(&rows, id, &arena);
	enum err_code code = read_oldest(d, id, day, count, &rows, err);
	if (code == ERR_OK)
		code = duck_seal_moved(d, id, (int64_t)day, &rows, delete_moved, err);
	if (code == ERR_OK)
		log_debug("duck", "%zu rows of %s moved from the catch-all to their day",
		    rows.row_count, table_defs[id].name);
	arena_fini(&arena);
	return code;
}

enum err_code
duck_stage_move(struct duck *d, bool *moved_out, struct err *err)
{
	*moved_out = false;
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		struct duck_table *t =
		    duck_catalog_find(&d->catalog, (enum table_id)id, DUCK_DAY_OTHER);
		uint64_t day, rows;
		/* Counting is dear beside what comes between two looks: only when there is news. */
		if (!t || t->loose_rows < d->opt.seal_rows || t->loose_rows == t->counted_rows)
			continue;
		t->counted_rows = t->loose_rows;
		enum err_code code = fullest_day(d, (enum table_id)id, &day, &rows, err);
		if (code != ERR_OK)
			return code;
		bool large = t->loose_rows > GROUPS_MAX * d->opt.seal_rows;
		if (rows == 0 || (rows < d->opt.seal_rows && !large))
			continue;
		uint64_t count = rows < d->opt.seal_rows ? rows : d->opt.seal_rows;
		code = move(d, (enum table_id)id, day, count, err);
		if (code != ERR_OK) {
			t->counted_rows = 0; /* look again */
			return code;
		}
		duck_catalog_count_loose(&d->catalog, t, -(int64_t)count);
		*moved_out = true;
		return ERR_OK;
	}
	return ERR_OK;
}
