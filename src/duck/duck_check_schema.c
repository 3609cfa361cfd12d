/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and columns: what should be there against what is.
 *
 * What should be is said in SQL, as lists of values made from the same definitions that tables are created from, and
 * joined with what DuckDB says of itself: so each question is one statement, however many days there are.
 */
#include "duck/duck_check_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* Tables of the catalog and their columns, beside the dictionaries. */
static const struct {
	const char *table, *column, *type;
} catalog_columns[] = {
    {"meta", "name", "VARCHAR"},
    {"meta", "value", "UBIGINT"},
    {"partitions", "base", "VARCHAR"},
    {"partitions", "day", "BIGINT"},
    {"seals", "gen", "UBIGINT"},
    {"seals", "base", "VARCHAR"},
    {"seals", "day", "BIGINT"},
    {"seals", "rows", "UBIGINT"},
    {"seals", "time_min", "UBIGINT"},
    {"seals", "time_max", "UBIGINT"},
    {"seals", "floor", "UBIGINT"},
    {"seals", "traces", "BLOB"},
    {"seals", "attrs", "BLOB"},
    {"positions", "gen", "UBIGINT"},
    {"positions", "base", "VARCHAR"},
    {"positions", "day", "UBIGINT"},
    {"positions", "seq", "UBIGINT"},
    {"positions", "ord", "UINTEGER"},
    {"shreds", "base", "VARCHAR"},
    {"shreds", "day", "BIGINT"},
    {"shreds", "number", "INTEGER"},
    {"shreds", "key", "VARCHAR"},
    {"shreds", "type", "INTEGER"},
    {"shreds", "code", "INTEGER"},
    {"requests", "hi", "UBIGINT"},
    {"requests", "lo", "UBIGINT"},
    {"requests", "seq", "UBIGINT"},
    {"requests", "received_ns", "UBIGINT"},
    {"pulls", "gen", "UBIGINT"},
    {"pulls", "tenant", "VARCHAR"},
    {"pulls", "source", "VARCHAR"},
    {"pulls", "position", "BLOB"},
    {"pulls", "seq", "UBIGINT"},
    {"pulls", "received_ns", "UBIGINT"},
    {"pulls", "spans", "UBIGINT"},
    {"seal_services", "gen", "UBIGINT"},
    {"seal_services", "number", "UINTEGER"},
    {"seal_services", "tenant", "VARCHAR"},
    {"seal_services", "service", "VARCHAR"},
    {"seal_services", "rows", "UBIGINT"},
    {"seal_services", "traces", "UBIGINT"},
    {"seal_services", "errors", "UBIGINT"},
    {"seal_services", "ended", "UBIGINT"},
    {"seal_services", "duration_sum", "HUGEINT"},
    {"seal_services", "first_ns", "UBIGINT"},
    {"seal_services", "last_ns", "UBIGINT"},
    {"seal_parts", "gen", "UBIGINT"},
    {"seal_parts", "number", "UINTEGER"},
    {"seal_parts", "tenant", "VARCHAR"},
    {"seal_parts", "kind", "INTEGER"},
    {"seal_parts", "service", "VARCHAR"},
    {"seal_parts", "width_s", "UINTEGER"},
    {"seal_parts", "first_ns", "UBIGINT"},
    {"seal_parts", "last_ns", "UBIGINT"},
    {"seal_parts", "items", "UBIGINT"},
    {"seal_words", "gen", "UBIGINT"},
    {"seal_words", "number", "UINTEGER"},
    {"seal_words", "kind", "INTEGER"},
    {"seal_words", "place", "UINTEGER"},
    {"seal_words", "word", "UBIGINT"},
    {"seal_hashes", "gen", "UBIGINT"},
    {"seal_hashes", "number", "UINTEGER"},
    {"seal_hashes", "hash", "UBIGINT"},
};

#define HAVE_TABLES                                                                                \
	"have AS (SELECT table_name AS name FROM duckdb_tables() WHERE database_name ="            \
	" current_database() AND schema_name = 'main')"
#define HAVE_COLUMNS                                                                               \
	"cols AS (SELECT table_name AS name, column_name AS col, data_type AS type FROM"           \
	" duckdb_columns() WHERE database_name = current_database() AND schema_name = 'main')"
#define PARTS "parts AS (SELECT DISTINCT base, day, " CHECK_NAME_SQL " AS name FROM partitions)"
#define IS_DAY_TABLE "regexp_full_match(name, '(spans|logs|points|comments)_([0-9]{8}|other)')"

/* want(name, col, type) of the catalog. */
static void
put_catalog(struct buf *out)
{
	static const enum table_id dictionaries[] = {TABLE_RESOURCES, TABLE_SCOPES};
	buf_str(out, STR("want(name, col, type) AS (VALUES "));
	for (size_t i = 0; i < ARRAY_LEN(catalog_columns); i++)
		buf_printf(out, "('%s', '%s', '%s'), ", catalog_columns[i].table,
		    catalog_columns[i].column, catalog_columns[i].type);
	for (size_t i = 0; i < ARRAY_LEN(dictionaries); i++) {
		const struct table_def *def = &table_defs[dictionaries[i]];
		for (size_t col = 0; col < def->col_count; col++)
			buf_printf(out, "%s('%s', '%s', '%s')", i + col > 0 ? ", " : "", def->name,
			    def->cols[col].name, duck_schema_type(def->cols[col].kind));
	}
	buf_char(out, ')');
}

/* should(base, col, type): columns of a day's table and the catch-all. */
static void
put_signals(struct buf *out)
{
	buf_str(out, STR("should(base, col, type) AS (VALUES "));
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		const struct table_def *def = &table_defs[id];
		for (size_t col = 0; col < def->col_count; col++)
			buf_printf(out, "('%s', '%s', '%s'), ", def->name, def->cols[col].name,
			    duck_schema_type(def->cols[col].kind));
		buf_printf(out, "('%s', 'seal', 'UBIGINT'), ('%s', 'attribute_order', 'VARCHAR')%s",
		    def->name, def->name, id + 1 < SIGNAL_TABLES ? ", " : ")");
	}
}

static enum err_code
count_missing(struct check *c, struct duck_sql *sql, const char *which, uint64_t *out,
    struct err *err)
{
	buf_str(&sql->text, STR("WITH " HAVE_COLUMNS ", "));
	put_catalog(&sql->text);
	buf_printf(&sql->text,
	    " SELECT count(*)::UBIGINT FROM want LEFT JOIN cols USING (name, col) WHERE"
	    " cols.type IS DISTINCT FROM want.type AND %s",
	    which);
	return duck_check_number(c, NULL, sql, out, err);
}

/* *usable_out: all of it is there. */
static enum err_code
check_catalog(struct check *c, struct duck_sql *sql, bool *usable_out, struct err *err)
{
	uint64_t missing = 0;
	enum err_code code = count_missing(c, sql, "true", &missing, err);
	*usable_out = code == ERR_OK && missing == 0 && !c->over && !c->refused;
	if (code != ERR_OK || missing == 0)
		return code;
	buf_str(&sql->text, STR("WITH " HAVE_TABLES ", "));
	put_catalog(&sql->text);
	buf_str(&sql->text,
	    STR(" SELECT DISTINCT name, 'the table ' || name || ' has gone, without which weir does not"
	        " start: restore a backup' FROM want ANTI JOIN have USING (name)"));
	code = duck_check_say(c, FINDING_TABLE_MISSING, NULL, sql, err);
	buf_str(&sql->text, STR("WITH " HAVE_TABLES ", " HAVE_COLUMNS ", "));
	put_catalog(&sql->text);
	buf_str(&sql->text,
	    STR(" SELECT name, 'column ' || col || ' should be ' || want.type || ', and is ' ||"
	        " coalesce(cols.type, 'not there') || ': restore a backup' FROM want SEMI JOIN have USING"
	        " (name) LEFT JOIN cols USING (name, col) WHERE cols.type IS DISTINCT FROM want.type"));
	return code == ERR_OK ? duck_check_say(c, FINDING_COLUMN_WRONG, NULL, sql, err) : code;
}

/* A file of another version has another schema. */
static enum err_code
check_version(struct check *c, struct duck_sql *sql, bool *known_out, struct err *err)
{
	uint64_t there = 0, version = 0;
	*known_out = false;
	buf_str(&sql->text,
	    STR("WITH " HAVE_TABLES " SELECT count(*)::UBIGINT FROM have WHERE name = 'meta'"));
	enum err_code code = duck_check_number(c, NULL, sql, &there, err);
	if (code != ERR_OK || c->over || c->refused)
		return code;
	if (there == 0) {
		finding_say(c->opt->sink, FINDING_TABLE_MISSING, "meta",
		    "the table meta, which says what version the file has, has gone: this is no file of "
		    "weir, or it is damaged; restore a backup");
		return ERR_OK;
	}
	buf_str(&sql->text,
	    STR("SELECT max(value)::UBIGINT FROM meta WHERE name = 'schema_version'"));
	code = duck_check_number(c, NULL, sql, &version, err);
	if (code == ERR_OK && c->refused)
		version = DUCK_SCHEMA_VERSION; /* as a rule, and the rest shows it */
	if (code == ERR_OK && !c->over && version > DUCK_SCHEMA_VERSION)
		finding_say(c->opt->sink, FINDING_STORE_NEWER, DUCK_FILE,
		    "its schema is of version %" PRIu64
		    ", this weir knows up to %d: use a newer weir",
		    version, (int)DUCK_SCHEMA_VERSION);
	else if (code == ERR_OK && !c->over && version < DUCK_SCHEMA_VERSION)
		finding_say(c->opt->sink, FINDING_STORE_OLDER, DUCK_FILE,
		    "its schema is of version %" PRIu64
		    ", which the next start brings to %d: what is in it "
		    "can be checked after that",
		    version, (int)DUCK_SCHEMA_VERSION);
	*known_out = version == DUCK_SCHEMA_VERSION;
	return code;
}

static enum err_code
check_partitions(struct check *c, struct duck_sql *sql, struct err *err)
{
	buf_str(&sql->text,
	    STR("SELECT " CHECK_NAME_SQL
	        ", 'it is in the list of tables ' || count(*) || ' times' FROM"
	        " partitions GROUP BY base, day HAVING count(*) > 1"));
	enum err_code code = duck_check_say(c, FINDING_PARTITION_TWICE, NULL, sql, err);
	buf_str(&sql->text,
	    STR("WITH " HAVE_TABLES ", " PARTS
	        " SELECT name, 'the table has gone, and with it all ' ||"
	        " coalesce((SELECT sum(rows)::VARCHAR || ' ' FROM seals s WHERE s.base = parts.base AND"
	        " s.day = parts.day), '') || 'rows: restore a backup, or weir does not start; --repair"
	        " forgets the table' FROM parts ANTI JOIN have USING (name)"));
	if (code == ERR_OK)
		code = duck_check_say(c, FINDING_PARTITION_EMPTY, NULL, sql, err);
	buf_str(&sql->text,
	    STR("WITH " HAVE_TABLES ", " PARTS
	        " SELECT name, 'the table is there, but not in the list of"
	        " tables, so that nobody sees its rows' FROM have ANTI JOIN parts USING (name) WHERE"
	        " " IS_DAY_TABLE));
	if (code == ERR_OK)
		code = duck_check_say(c, FINDING_TABLE_ORPHAN, NULL, sql, err);
	buf_str(&sql->text, STR("WITH " HAVE_TABLES ", "));
	put_catalog(&sql->text);
	buf_str(&sql->text,
	    STR(" SELECT name, 'weir has not made this table, and leaves it alone' FROM have ANTI JOIN"
	        " want USING (name) WHERE NOT " IS_DAY_TABLE));
	return code == ERR_OK ? duck_check_say(c, FINDING_TABLE_FOREIGN, NULL, sql, err) : code;
}

static enum err_code
take_days(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	(void)err;
	buf_append(ctx, duck_chunk_column(chunk, 0),
	    (size_t)duckdb_data_chunk_get_size(chunk) * sizeof(int64_t));
	return ERR_OK;
}

static void
forget_days(void *ctx)
{
	buf_reset(ctx);
}

/* The tables that there are. */
static enum err_code
load_tables(struct check *c, struct duck_sql *sql, enum table_id id, struct err *err)
{
	struct buf days = {0};
	buf_printf(&sql->text,
	    "WITH " HAVE_TABLES ", " PARTS
	    " SELECT day FROM parts SEMI JOIN have USING (name) WHERE base = '%s' ORDER BY day",
	    table_defs[id].name);
	enum err_code code = duck_check_read(c, NULL, sql, take_days, forget_days, &days, err);
	size_t count = days.len / sizeof(int64_t);
	duck_sql_reset(sql);
	if (code == ERR_OK && count > 0)
		c->tables = xrealloc(c->tables, (c->count + count) * sizeof(*c->tables));
	for (size_t i = 0; i < count && code == ERR_OK; i++) {
		struct check_table *t = &c->tables[c->count++];
		*t = (struct check_table){.id = id};
		memcpy(&t->day, days.ptr + i * sizeof(t->day), sizeof(t->day));
		duck_schema_table_name(&table_defs[id], t->day, t->name);
	}
	buf_fini(&days);
	return code;
}

static enum err_code
check_columns(struct check *c, struct duck_sql *sql, struct err *err)
{
	buf_str(&sql->text, STR("WITH " HAVE_TABLES ", " HAVE_COLUMNS ", " PARTS ", "));
	put_signals(&sql->text);
	buf_str(&sql->text,
	    STR(" SELECT p.name, 'column ' || should.col || ' should be ' || should.type || ', and is ' ||"
	        " coalesce(cols.type, 'not there') || ': restore a backup' FROM (SELECT base, name FROM"
	        " parts SEMI JOIN have USING (name)) p JOIN should USING (base) LEFT JOIN cols ON"
	        " cols.name = p.name AND cols.col = should.col WHERE cols.type IS DISTINCT FROM"
	        " should.type"));
	return duck_check_say(c, FINDING_COLUMN_WRONG, NULL, sql, err);
}

/* Attribute columns and their keys. */
static enum err_code
check_shreds(struct check *c, struct duck_sql *sql, struct err *err)
{
	buf_str(&sql->text,
	    STR("WITH " HAVE_COLUMNS ", keys AS (SELECT DISTINCT base, day, number, " CHECK_NAME_SQL
	        " AS name FROM shreds) SELECT name, 'the keys of column a' || number || ' are known, but"
	        " the column has gone, and with it the values of these attributes: restore a backup, or"
	        " weir cannot read the table' FROM keys WHERE NOT EXISTS (SELECT 1 FROM cols WHERE"
	        " cols.name = keys.name AND col = 'a' || number)"));
	enum err_code code = duck_check_say(c, FINDING_SHRED_EMPTY, NULL, sql, err);
	buf_str(&sql->text,
	    STR("WITH " HAVE_COLUMNS ", keys AS (SELECT DISTINCT number, " CHECK_NAME_SQL
	        " AS name FROM shreds) SELECT name, 'of column ' || col || ' the keys are not known, so that"
	        " its values mean nothing: restore a backup' FROM cols WHERE " IS_DAY_TABLE
	        " AND regexp_full_match(col, 'a[0-9]+') AND NOT EXISTS (SELECT 1 FROM keys WHERE"
	        " keys.name = cols.name AND 'a' || number = col)"));
	if (code == ERR_OK)
		code = duck_check_say(c, FINDING_SHRED_ORPHAN, NULL, sql, err);
	buf_printf(&sql->text,
	    "WITH one AS (SELECT base, day, number, count(*) AS n, count(DISTINCT code) AS codes,"
	    " max(code) AS code, min(code) AS first, min(type) AS type, max(type) AS type2 FROM shreds"
	    " GROUP BY ALL), bad AS (SELECT base, day, 'column a' || number AS what FROM one WHERE"
	    " number NOT BETWEEN 0 AND %d OR type NOT BETWEEN 0 AND %d OR type <> type2 OR first <> 0"
	    " OR codes <> n OR code + 1 <> n OR code >= %d OR (type <> %d AND n > 1) UNION ALL"
	    " SELECT base, day, 'the order of the columns' FROM one GROUP BY ALL HAVING"
	    " max(number) + 1 <> count(*) UNION ALL SELECT base, day, 'the key ' || key FROM shreds"
	    " GROUP BY base, day, key HAVING count(*) > 1) SELECT " CHECK_NAME_SQL
	    ", 'what is known of the keys of attribute columns makes no sense (' || what || '), and weir"
	    " does not start with it: restore a backup' FROM bad",
	    SHRED_COLUMNS - 1, SHRED_TYPES - 1, SHRED_CODES, SHRED_SHARED);
	if (code == ERR_OK)
		code = duck_check_say(c, FINDING_SHRED_MALFORMED, NULL, sql, err);
	buf_str(&sql->text, STR("WITH " HAVE_COLUMNS ", types(type, word) AS (VALUES "));
	for (int t = 0; t < SHRED_TYPES; t++)
		buf_printf(&sql->text, "%s(%d, '%s')", t > 0 ? ", " : "", t,
		    duck_schema_shred_type((enum shred_type)t));
	buf_str(&sql->text,
	    STR("), keys AS (SELECT DISTINCT number, type, " CHECK_NAME_SQL " AS name FROM shreds)"
	        " SELECT keys.name, 'column a' || number || ' should be ' || word || ', and is ' ||"
	        " cols.type || ': restore a backup' FROM keys JOIN types USING (type) JOIN cols ON"
	        " cols.name = keys.name AND col = 'a' || number WHERE cols.type <> word"));
	return code == ERR_OK ? duck_check_say(c, FINDING_COLUMN_WRONG, NULL, sql, err) : code;
}

enum err_code
duck_check_load(struct check *c, struct err *err)
{
	struct duck_sql sql;
	enum err_code code = ERR_OK;
	c->count = 0;
	duck_sql_init(&sql);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = load_tables(c, &sql, (enum table_id)id, err);
	duck_sql_fini(&sql);
	return code;
}

enum err_code
duck_check_schema(struct check *c, bool *usable_out, struct err *err)
{
	struct duck_sql sql;
	bool known = false;
	*usable_out = false;
	duck_sql_init(&sql);
	enum err_code code = check_version(c, &sql, &known, err);
	if (code == ERR_OK && known && !c->over)
		code = check_catalog(c, &sql, usable_out, err);
	if (code == ERR_OK && *usable_out)
		code = duck_check_load(c, err);
	if (code == ERR_OK && *usable_out)
		code = check_partitions(c, &sql, err);
	if (code == ERR_OK && *usable_out)
		code = check_columns(c, &sql, err);
	if (code == ERR_OK && *usable_out)
		code = check_shreds(c, &sql, err);
	duck_sql_fini(&sql);
	c->out->tables = c->count;
	*usable_out = *usable_out && !c->over;
	return code;
}
