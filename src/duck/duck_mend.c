/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mending the store's file. Nobody has it open, and there is a copy.
 *
 * Each step finds for itself what is to be done, and does it in one statement or transaction, so that they can be in
 * any state before and a step that fails spoils nothing. Their order is that of what depends on what: tables
 * and columns, rows that are too many, the dictionaries, seals by what rows there are, services by what seals there
 * are. Nothing is thrown away that is not somewhere else or lost already.
 *
 * An attribute column that has gone comes back empty, rather than that its keys go: columns are counted,
 * and those behind it would no longer be what the list of keys says. A seal without rows is forgotten, but the last one,
 * which says how far the log is not needed, stays as one that brought nothing.
 */
#include "duck/duck_check_priv.h"
#include "duck/duck_parts.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CUTS_MAX = 100 };

struct mending {
	struct check c;
	struct duck_sql sql;
	void (*done)(void *ctx, const char *text);
	void *ctx;
};

static void say(struct mending *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
say(struct mending *m, const char *fmt, ...)
{
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	m->done(m->ctx, text);
}

/* A step that fails is said, and the others go on. */
static enum err_code
give_up(struct mending *m, const char *place, struct err *err)
{
	if (atomic_load(&m->c.d->broken) || err->code == ERR_BUSY)
		return err_wrap(err, "%s could not be mended, nor what comes behind it", place);
	say(m, "%s could not be mended: %s", place, err->message);
	return ERR_OK;
}

/* Run m->sql; what it has changed is said as "<place>: <rows> <what>". */
static enum err_code
change(struct mending *m, const char *place, const char *what, struct err *err)
{
	duckdb_result result;
	enum err_code code = duck_run(m->c.d, m->c.con, &m->sql, UINT64_MAX, &result, err);
	duck_sql_reset(&m->sql);
	if (code != ERR_OK)
		return give_up(m, place, err);
	uint64_t rows = duckdb_rows_changed(&result);
	duckdb_destroy_result(&result);
	if (rows > 0 && what)
		say(m, "%s: %" PRIu64 " %s", place, rows, what);
	return ERR_OK;
}

static enum err_code
run_sql(struct mending *m, const char *place, const char *what, const char *sql, struct err *err)
{
	buf_str(&m->sql.text, str_from(sql));
	return change(m, place, what, err);
}

/* ---- lists */

struct list {
	struct buf texts; /* two of each row, with their NULs */
	size_t count;
};

static enum err_code
take_list(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct list *l = ctx;
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++, l->count++)
		for (idx_t col = 0; col < 2; col++) {
			buf_str(&l->texts, duck_chunk_text(chunk, col, i));
			buf_char(&l->texts, '\0');
		}
	return ERR_OK;
}

/* For each row of m->sql, (VARCHAR, VARCHAR). */
static enum err_code
for_each(struct mending *m,
    enum err_code (*each)(struct mending *m, const char *a, const char *b, struct err *err),
    struct err *err)
{
	struct list l = {0};
	enum err_code code =
	    duck_read_chunks(m->c.d, m->c.con, &m->sql, UINT64_MAX, take_list, &l, err);
	const char *at = l.texts.ptr;
	duck_sql_reset(&m->sql);
	for (size_t i = 0; i < l.count && code == ERR_OK; i++) {
		const char *a = at, *b = a + strlen(a) + 1;
		at = b + strlen(b) + 1;
		code = each(m, a, b, err);
	}
	buf_fini(&l.texts);
	return code;
}

/* ---- tables and columns */

#define THERE                                                                                      \
	"(SELECT 1 FROM duckdb_tables() t WHERE t.database_name = current_database() AND"          \
	" t.schema_name = 'main' AND t.table_name = "

static enum err_code
mend_lists(struct mending *m, struct err *err)
{
	static const char *const catalogs[] = {"shreds", "partitions"};
	enum err_code code = run_sql(m, "partitions", "entries that were there twice were removed",
	    "DELETE FROM partitions WHERE rowid NOT IN (SELECT min(rowid) FROM partitions GROUP BY base, day)",
	    err);
	for (size_t i = 0; i < ARRAY_LEN(catalogs) && code == ERR_OK; i++) {
		buf_printf(&m->sql.text,
		    "DELETE FROM %s WHERE NOT EXISTS " THERE CHECK_NAME_SQL ")", catalogs[i]);
		code = change(m, catalogs[i], "entries of tables that have gone were removed", err);
	}
	return code;
}

/* Whether the table is as its name says, and the keys of its columns are known. */
static enum err_code
is_adoptable(struct mending *m, const struct table_def *def, const char *name, const char *day,
    bool *out, struct err *err)
{
	uint64_t good = 0, unknown = 0;
	buf_printf(&m->sql.text,
	    "SELECT count(*)::UBIGINT FROM duckdb_columns() WHERE table_name = '%s' AND (column_name, data_type) IN"
	    " (('seal', 'UBIGINT'), ('attribute_order', 'VARCHAR')",
	    name);
	for (size_t i = 0; i < def->col_count; i++)
		buf_printf(&m->sql.text, ", ('%s', '%s')", def->cols[i].name,
		    duck_schema_type(def->cols[i].kind));
	buf_str(&m->sql.text, STR(")"));
	enum err_code code = duck_check_number(&m->c, NULL, &m->sql, &good, err);
	buf_printf(&m->sql.text,
	    "SELECT count(*)::UBIGINT FROM duckdb_columns() WHERE table_name = '%s' AND"
	    " regexp_full_match(column_name, 'a[0-9]+') AND column_name NOT IN (SELECT 'a' || number FROM"
	    " shreds WHERE base = '%s' AND day = %s)",
	    name, def->name, day);
	if (code == ERR_OK)
		code = duck_check_number(&m->c, NULL, &m->sql, &unknown, err);
	*out = good == def->col_count + 2 && unknown == 0;
	return code;
}

static enum err_code
adopt_table(struct mending *m, const char *name, const char *day, struct err *err)
{
	const struct table_def *def = NULL;
	bool adoptable = false;
	for (int id = 0; id < SIGNAL_TABLES; id++)
		if (str_starts(str_from(name), str_from(table_defs[id].name)))
			def = &table_defs[id];
	CHECK(def != NULL);
	enum err_code code = is_adoptable(m, def, name, day, &adoptable, err);
	if (code != ERR_OK)
		return give_up(m, name, err);
	if (adoptable)
		buf_printf(&m->sql.text, "INSERT INTO partitions VALUES ('%s', %s)", def->name,
		    day);
	else
		buf_printf(&m->sql.text, "ALTER TABLE %s RENAME TO damaged_%s", name, name);
	if (!adoptable)
		say(m, "%s: the table is not as it should be, it was renamed to damaged_%s", name,
		    name);
	return change(m, name, adoptable ? "table is in the list of tables again" : NULL, err);
}

static enum err_code
add_column(struct mending *m, const char *name, const char *what, struct err *err)
{
	buf_printf(&m->sql.text, "ALTER TABLE %s ADD COLUMN %s", name, what);
	say(m, "%s: column %s is there again, empty", name, what);
	return change(m, name, NULL, err);
}

static enum err_code
mend_tables(struct mending *m, struct err *err)
{
	buf_str(&m->sql.text,
	    STR("WITH parts AS (SELECT " CHECK_NAME_SQL
	        " AS name FROM partitions), have AS (SELECT table_name AS"
	        " name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name ="
	        " 'main') SELECT name, CASE WHEN name LIKE '%\\_other' ESCAPE '\\' THEN '-1' ELSE"
	        " (strptime(name[-8:], '%Y%m%d')::DATE - DATE '1970-01-01')::VARCHAR END FROM have ANTI"
	        " JOIN parts USING (name) WHERE regexp_full_match(name, '(spans|logs|points|comments)_([0-9]{8}|other)')"));
	enum err_code code = for_each(m, adopt_table, err);
	buf_str(&m->sql.text,
	    STR("WITH keys AS (SELECT DISTINCT number, type, " CHECK_NAME_SQL
	        " AS name FROM shreds) SELECT"
	        " name, 'a' || number || ' ' || ['VARCHAR', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'VARCHAR'][type + 1]"
	        " FROM keys WHERE NOT EXISTS (SELECT 1 FROM duckdb_columns() WHERE table_name = name AND"
	        " database_name = current_database() AND column_name = 'a' || number) ORDER BY number"));
	return code == ERR_OK ? for_each(m, add_column, err) : code;
}

/* ---- rows that are too many */

/* twice: the places (or identities) that come more than once, and which row stays: in a day's table rather than in the
 * catch-all; of an identity the first. */
static enum err_code
find_twice(struct mending *m, enum table_id id, const struct check_identity *identity,
    struct err *err)
{
	const char *by = identity ? identity->by : "seq, ord";
	size_t n = 0;
	buf_printf(&m->sql.text, "CREATE OR REPLACE TEMP TABLE twice AS SELECT %s, %s FROM (", by,
	    identity ? "min(seq) AS seq, arg_min(ord, row(seq, ord)) AS ord" : "min(k) AS keep");
	for (size_t i = 0; i < m->c.count; i++) {
		const struct check_table *t = &m->c.tables[i];
		size_t rank = t->day == DUCK_DAY_OTHER ? m->c.count + i : i;
		if (t->id == id)
			buf_printf(&m->sql.text, "%sSELECT %s%s, %zu AS k FROM %s",
			    n++ > 0 ? " UNION ALL " : "", by, identity ? ", seq, ord" : "", rank,
			    t->name);
	}
	buf_printf(&m->sql.text, ") GROUP BY %s HAVING count(*) > 1", by);
	CHECK(n > 0);
	return change(m, table_defs[id].name, NULL, err);
}

/* identity NULL: by place. */
static enum err_code
remove_twice(struct mending *m, enum table_id id, const struct check_identity *identity,
    struct err *err)
{
	bool some = false;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < m->c.count; i++)
		some = some || m->c.tables[i].id == id;
	if (some)
		code = find_twice(m, id, identity, err);
	for (size_t i = 0; i < m->c.count && code == ERR_OK && some; i++) {
		const struct check_table *t = &m->c.tables[i];
		size_t rank = t->day == DUCK_DAY_OTHER ? m->c.count + i : i;
		if (t->id != id)
			continue;
		buf_printf(&m->sql.text,
		    "DELETE FROM %s WHERE rowid IN (SELECT r FROM (SELECT t.rowid AS r, ", t->name);
		if (identity)
			buf_printf(&m->sql.text,
			    "t.seq <> w.seq OR t.ord <> w.ord AS goes FROM %s t JOIN twice w USING (%s))"
			    " WHERE goes)",
			    t->name, identity->by);
		else
			buf_printf(&m->sql.text,
			    "keep, row_number() OVER (PARTITION BY seq, ord ORDER BY t.rowid) AS n FROM %s t"
			    " JOIN twice w USING (seq, ord)) WHERE n > 1 OR keep <> %zu)",
			    t->name, rank);
		code = change(m, t->name,
		    identity ? identity->mended : "rows that were there twice were removed", err);
	}
	return code;
}

/* ---- dictionaries */

static enum err_code
mend_dictionary(struct mending *m, const struct check_table *t, struct err *err)
{
	buf_printf(&m->sql.text,
	    "INSERT INTO resources SELECT id, tenant, service, '{\"service.name\":' || to_json(service)::VARCHAR ||"
	    " ',\"weir.lost\":true}', 0, '', NULL FROM (SELECT resource_id AS id, tenant, min(service) AS"
	    " service FROM %s GROUP BY ALL) r WHERE NOT EXISTS (SELECT 1 FROM resources d WHERE d.id = r.id"
	    " AND d.tenant = r.tenant)",
	    t->name);
	enum err_code code =
	    change(m, t->name, "resources that were lost have a place-holder (weir.lost)", err);
	buf_printf(&m->sql.text,
	    "INSERT INTO scopes SELECT id, tenant, 'lost', '', '{\"weir.lost\":true}', 0, '' FROM (SELECT DISTINCT"
	    " scope_id AS id, tenant FROM %s) r WHERE NOT EXISTS (SELECT 1 FROM scopes d WHERE d.id = r.id AND"
	    " d.tenant = r.tenant)",
	    t->name);
	return code == ERR_OK
	    ? change(m, t->name, "scopes that were lost have a place-holder (weir.lost)", err)
	    : code;
}

static enum err_code
mend_dictionaries(struct mending *m, struct err *err)
{
	static const char *const names[] = {"resources", "scopes"};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(names) && code == ERR_OK; i++) {
		const char *name = names[i];
		buf_printf(&m->sql.text,
		    "DELETE FROM %s WHERE rowid NOT IN (SELECT min(rowid) FROM %s GROUP BY tenant, id)",
		    name, name);
		code = change(m, name, "entries that were there twice were removed", err);
	}
	for (size_t i = 0; i < m->c.count && code == ERR_OK; i++)
		if (duck_has_services(m->c.tables[i].id))
			code = mend_dictionary(m, &m->c.tables[i], err);
	return code;
}

/* ---- seals */

static const char *
time_of(const struct check_table *t)
{
	return table_defs[t->id].cols[table_defs[t->id].time_col].name;
}

/* Rows of a seal that is not there get one; should another table have its number, they count as rows of before. */
static enum err_code
mend_orphans(struct mending *m, const struct check_table *t, struct err *err)
{
	const char *base = table_defs[t->id].name, *time = time_of(t);
	buf_printf(&m->sql.text,
	    "UPDATE %s SET seal = 0 WHERE seal IS NULL OR (seal <> 0 AND seal IN (SELECT gen FROM seals) AND seal NOT"
	    " IN (SELECT gen FROM seals WHERE base = '%s' AND day = %" PRId64 "))",
	    t->name, base, t->day);
	enum err_code code =
	    change(m, t->name, "rows count as rows of before there were seals", err);
	buf_printf(&m->sql.text,
	    "INSERT INTO seals SELECT seal, '%s', %" PRId64
	    ", n, a, z, greatest(coalesce((SELECT max(floor) FROM seals s WHERE s.gen < r.seal), 0),"
	    " coalesce((SELECT max(seq) FROM pulls p WHERE p.gen <= r.seal), 0)), NULL, NULL FROM (SELECT"
	    " seal, count(*) AS n, min(%s) AS a, max(%s) AS z FROM %s WHERE seal <> 0 AND seal NOT IN"
	    " (SELECT gen FROM seals) GROUP BY seal) r",
	    base, t->day, time, time, t->name);
	return code == ERR_OK ? change(m, t->name, "seals were made for rows that had none", err)
	                      : code;
}

static enum err_code
mend_counts(struct mending *m, const struct check_table *t, struct err *err)
{
	const char *base = table_defs[t->id].name, *time = time_of(t);
	buf_printf(&m->sql.text,
	    "UPDATE seals SET rows = n, time_min = least(time_min, a), time_max = greatest(time_max, z) FROM (SELECT"
	    " seal, count(*) AS n, min(%s) AS a, max(%s) AS z FROM %s WHERE seal <> 0 GROUP BY seal) r WHERE"
	    " base = '%s' AND day = %" PRId64
	    " AND gen = r.seal AND (rows <> n OR a < time_min OR z > time_max)",
	    time, time, t->name, base, t->day);
	enum err_code code = change(m, t->name, "seals count the rows that there are", err);
	buf_printf(&m->sql.text,
	    "UPDATE seals SET base = '', day = -1, rows = 0, traces = NULL, attrs = NULL WHERE base = '%s' AND day = %" PRId64
	    " AND gen NOT IN (SELECT seal FROM %s WHERE seal IS NOT NULL)",
	    base, t->day, t->name);
	return code == ERR_OK ? change(m, t->name, "seals without rows were forgotten", err) : code;
}

static enum err_code
mend_seals(struct mending *m, struct err *err)
{
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < m->c.count && code == ERR_OK; i++)
		code = mend_orphans(m, &m->c.tables[i], err);
	for (size_t i = 0; i < m->c.count && code == ERR_OK; i++)
		if (m->c.tables[i].day != DUCK_DAY_OTHER)
			code = mend_counts(m, &m->c.tables[i], err);
	if (code == ERR_OK)
		code = run_sql(m, "seals", "seals of tables that have gone were forgotten",
		    "UPDATE seals SET base = '', day = -1, rows = 0, traces = NULL, attrs = NULL WHERE base <> '' AND"
		    " NOT EXISTS (SELECT 1 FROM partitions p WHERE p.base = seals.base AND p.day = seals.day)",
		    err);
	if (code == ERR_OK)
		code = run_sql(m, "seals", NULL,
		    "DELETE FROM seals WHERE base = '' AND gen < (SELECT max(gen) FROM seals)",
		    err);
	return code;
}

/* ---- services */

struct summing {
	struct mending *m;
	enum table_id id;
	uint64_t gen;
};

static enum err_code
write_sums(void *ctx, const struct seal_row *rows, size_t count, struct err *err)
{
	const struct summing *s = ctx;
	return duck_sums_write(s->m->c.d, s->m->c.con, s->id, s->gen, rows, count, err);
}

static enum err_code
count_again(struct mending *m, const char *name, const char *gen, struct err *err)
{
	struct check_table *t = NULL;
	char sql[300];
	struct err ignored;
	for (size_t i = 0; i < m->c.count; i++)
		if (strcmp(m->c.tables[i].name, name) == 0)
			t = &m->c.tables[i];
	if (!t)
		return ERR_OK;
	snprintf(sql, sizeof(sql),
	    "DELETE FROM seal_services WHERE gen = %s; DELETE FROM seal_parts WHERE gen = %s;"
	    "DELETE FROM seal_words WHERE gen = %s; DELETE FROM seal_hashes WHERE gen = %s",
	    gen, gen, gen, gen);
	struct summing s = {m, t->id, strtoull(gen, NULL, 10)};
	enum err_code code = duck_exec(m->c.d, m->c.con, "BEGIN TRANSACTION", err);
	if (code == ERR_OK)
		code = duck_exec(m->c.d, m->c.con, sql, err);
	if (code == ERR_OK)
		code = duck_check_build_sums(&m->c, t, s.gen, write_sums, &s, err);
	if (code == ERR_OK)
		code = duck_exec(m->c.d, m->c.con, "COMMIT", err);
	if (code == ERR_OK) {
		say(m, "%s: the rows of seal %s were counted again", name, gen);
		return ERR_OK;
	}
	if (duck_exec(m->c.d, m->c.con, "ROLLBACK", &ignored) != ERR_OK)
		err_clear(&ignored);
	return give_up(m, name, err);
}

static enum err_code
mend_sums(void *ctx, struct check_table *t, uint64_t gen, struct err *err)
{
	struct mending *m = ctx;
	char text[24];
	bool same = true;
	enum err_code code = duck_check_compare_sums(&m->c, t, gen, &same, err);
	snprintf(text, sizeof(text), "%" PRIu64, gen);
	return code == ERR_OK && !same ? count_again(m, t->name, text, err) : code;
}

static enum err_code
mend_services(struct mending *m, struct err *err)
{
	static const char *const tables[] = {
	    "seal_hashes", "seal_words", "seal_parts", "seal_services"};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(tables) && code == ERR_OK; i++) {
		buf_printf(&m->sql.text,
		    "DELETE FROM %s WHERE gen NOT IN (SELECT gen FROM seals WHERE base <> '')",
		    tables[i]);
		code = change(m, tables[i], "rows of seals that have gone were removed", err);
	}
	for (size_t i = 0; i < m->c.count && code == ERR_OK; i++) {
		char select[100];
		if (m->c.tables[i].day == DUCK_DAY_OTHER)
			continue;
		snprintf(select, sizeof(select), "SELECT DISTINCT '%s', gen::VARCHAR",
		    m->c.tables[i].name);
		buf_str(&m->sql.text, STR("SELECT * FROM ("));
		duck_check_put_services(&m->sql, &m->c.tables[i], select);
		buf_char(&m->sql.text, ')');
		code = for_each(m, count_again, err);
	}
	for (size_t i = 0; i < m->c.count && code == ERR_OK; i++)
		if (m->c.tables[i].day != DUCK_DAY_OTHER)
			code = duck_check_each_sum(&m->c, &m->c.tables[i], mend_sums, m, err);
	return code;
}

/* ---- all of it */

static enum err_code
mend_all(struct mending *m, struct err *err)
{
	enum err_code code = mend_lists(m, err);
	if (code == ERR_OK)
		code = mend_tables(m, err);
	if (code == ERR_OK)
		code = duck_check_load(&m->c, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = remove_twice(m, (enum table_id)id, NULL, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		if (duck_check_identity((enum table_id)id))
			code = remove_twice(m, (enum table_id)id,
			    duck_check_identity((enum table_id)id), err);
	if (code == ERR_OK)
		code = mend_dictionaries(m, err);
	if (code == ERR_OK)
		code = mend_seals(m, err);
	if (code == ERR_OK)
		code = mend_services(m, err);
	return code == ERR_OK ? duck_exec(m->c.d, m->c.con, "CHECKPOINT", err) : code;
}

/* Each cut leaves less of DuckDB's log. */
static enum err_code
open_to_mend(struct mending *m, struct str data_dir, const struct duck_check_options *opt,
    struct err *err)
{
	char mark[FILE_PATH_BYTES];
	enum err_code code = file_join(data_dir, STR(DUCK_FILE ".checkpoint"), mark, err);
	if (code == ERR_OK && file_exists(mark)) {
		say(m,
		    DUCK_FILE
		    " is left as it is: weir was stopped in the middle of a checkpoint, which its next start mends. "
		    "Start and stop it once, then repair what is left");
		m->c.over = true;
		return ERR_OK;
	}
	if (code == ERR_OK)
		code = duck_check_open(data_dir, opt, false, &m->c, err);
	for (int i = 0; i < CUTS_MAX && code == ERR_OK && m->c.over && m->c.log_at != UINT64_MAX;
	    i++) {
		uint64_t at = m->c.log_at;
		code = duck_repair_log(m->c.d, at, err);
		if (code == ERR_OK && at == 0)
			say(m,
			    DUCK_FILE
			    ".wal was emptied; the file or the log of weir has what was in it");
		else if (code == ERR_OK)
			say(m,
			    DUCK_FILE ".wal was cut at byte %" PRIu64
			              "; the log of weir has what was behind",
			    at);
		duck_check_close(&m->c);
		if (code == ERR_OK)
			code = duck_check_open(data_dir, opt, false, &m->c, err);
	}
	return code;
}

enum err_code
duck_mend_file(struct str data_dir, const struct duck_check_options *opt,
    void (*done)(void *ctx, const char *text), void *ctx, struct err *err)
{
	struct mending m = {.done = done, .ctx = ctx};
	struct duck_checked ignored = {0};
	duck_sql_init(&m.sql);
	enum err_code code = open_to_mend(&m, data_dir, opt, err);
	m.c.out = &ignored;
	if (code == ERR_OK && !m.c.over)
		code = mend_all(&m, err);
	duck_sql_fini(&m.sql);
	if (m.c.d)
		duck_check_close(&m.c);
	return code;
}
