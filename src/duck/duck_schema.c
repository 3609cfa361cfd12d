/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_parts.h"
#include "duck/duck_priv.h"
#include "duck/duck_services.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>

/* migrations[n] brings a file from version n to n + 1, in a transaction of its own that also
 * writes the new version. They are never changed once released, only added to. */
static enum err_code
create_first_tables(struct duck *d, duckdb_connection con, struct err *err)
{
	static const enum table_id dictionaries[] = {TABLE_RESOURCES, TABLE_SCOPES};
	enum err_code code = duck_exec(d, con,
	    "CREATE TABLE positions(seq UBIGINT NOT NULL);"
	    "CREATE TABLE partitions(base VARCHAR NOT NULL, day BIGINT NOT NULL)",
	    err);
	struct buf sql = {0};
	for (size_t i = 0; i < ARRAY_LEN(dictionaries) && code == ERR_OK; i++) {
		const struct table_def *def = &table_defs[dictionaries[i]];
		buf_reset(&sql);
		duck_schema_create(&sql, def->name, def);
		buf_char(&sql, '\0');
		CHECK(!sql.failed);
		code = duck_exec(d, con, sql.ptr, err);
	}
	buf_fini(&sql);
	return code;
}

/* From here on rows come in seals. What the days' tables have is kept as it is: seal 0. */
static enum err_code
add_seals(struct duck *d, duckdb_connection con, struct err *err)
{
	struct duck_sql sql;
	struct buf words = {0};
	enum err_code code = duck_exec(d, con,
	    "CREATE TABLE seals(gen UBIGINT NOT NULL, base VARCHAR NOT NULL, day BIGINT NOT NULL,"
	    " rows UBIGINT NOT NULL, time_min UBIGINT NOT NULL, time_max UBIGINT NOT NULL,"
	    " floor UBIGINT NOT NULL, traces BLOB, attrs BLOB);"
	    "CREATE TABLE shreds(base VARCHAR NOT NULL, day BIGINT NOT NULL, number INTEGER NOT NULL,"
	    " key VARCHAR NOT NULL, type INTEGER NOT NULL, code INTEGER NOT NULL);"
	    "CREATE TABLE requests(hi UBIGINT NOT NULL, lo UBIGINT NOT NULL, seq UBIGINT NOT NULL,"
	    " received_ns UBIGINT NOT NULL);" DUCK_SERVICES_TABLES ";" DUCK_OLD_TRACES_TABLE ";"
	    "INSERT INTO seals SELECT 1::UBIGINT, '', -1, 0::UBIGINT, 0::UBIGINT, 0::UBIGINT,"
	    " coalesce(max(seq), 0::UBIGINT), NULL, NULL FROM positions;"
	    "DROP TABLE positions;"
	    "CREATE TABLE positions(gen UBIGINT NOT NULL, base VARCHAR NOT NULL,"
	    " day UBIGINT NOT NULL, seq UBIGINT NOT NULL, ord UINTEGER NOT NULL)",
	    err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++) {
		duck_sql_init(&sql);
		buf_reset(&words);
		buf_printf(&sql.text, "SELECT day FROM partitions WHERE base = '%s'",
		    table_defs[id].name);
		code = duck_read_words(d, con, &sql, UINT64_MAX, &words, err);
		duck_sql_fini(&sql);
		for (size_t i = 0; i < words.len / sizeof(int64_t) && code == ERR_OK; i++) {
			int64_t day;
			char name[DUCK_TABLE_NAME_BYTES], alter[200];
			memcpy(&day, words.ptr + i * sizeof(day), sizeof(day));
			duck_schema_table_name(&table_defs[id], day, name);
			snprintf(alter, sizeof(alter),
			    "ALTER TABLE %s ADD COLUMN seal UBIGINT DEFAULT 0;"
			    "ALTER TABLE %s ADD COLUMN attribute_order VARCHAR",
			    name, name);
			code = duck_exec(d, con, alter, err);
		}
	}
	buf_fini(&words);
	return code;
}

/* Comments: their tables are made with the first seal that has some, as those of other signals are. A weir that does not
 * know them must not open the file, and so it has this version. */
static enum err_code
add_comments(struct duck *d, duckdb_connection con, struct err *err)
{
	(void)d;
	(void)con;
	(void)err;
	return ERR_OK;
}

/* Sums that seals write down. Those of before have none, and their rows are read, until duck_resum.c has caught up. */
static enum err_code
add_parts(struct duck *d, duckdb_connection con, struct err *err)
{
	return duck_exec(d, con, "DROP TABLE seal_traces;" DUCK_PARTS_TABLES, err);
}

/* What questions need. */
static enum err_code
add_questions(struct duck *d, duckdb_connection con, struct err *err)
{
	enum err_code code = add_comments(d, con, err);
	return code == ERR_OK ? add_parts(d, con, err) : code;
}

/* How far sources have been pulled. */
static enum err_code
add_pulls(struct duck *d, duckdb_connection con, struct err *err)
{
	return duck_exec(d, con, DUCK_PULLS_TABLE, err);
}

typedef enum err_code (*migration)(struct duck *d, duckdb_connection con, struct err *err);

static const migration migrations[] = {create_first_tables, add_seals, add_questions, add_pulls};

#define SCHEMA_VERSION ARRAY_LEN(migrations)

_Static_assert(SCHEMA_VERSION == DUCK_SCHEMA_VERSION, "what duck_check_schema.c goes by");

const char *
duck_schema_type(enum col_kind kind)
{
	switch (kind) {
	case COL_U64: return "UBIGINT";
	case COL_I64: return "BIGINT";
	case COL_U32: return "UINTEGER";
	case COL_I32: return "INTEGER";
	case COL_F64: return "DOUBLE";
	case COL_BOOL: return "BOOLEAN";
	case COL_STR: return "VARCHAR";
	case COL_U64S: return "UBIGINT[]";
	case COL_F64S: return "DOUBLE[]";
	}
	CHECK(false);
	return "";
}

/* Long texts of JSON: ZSTD is a third of what DuckDB takes by itself, at half its cost; but it takes two
 * blocks of the file for a row group, 4 bytes a row, also where hardly any row has a value. For other
 * columns DuckDB's own choice is as good as any. */
bool
duck_schema_is_long_text(const char *name)
{
	return strcmp(name, "attributes") == 0 || strcmp(name, "events") == 0 ||
	    strcmp(name, "body") == 0;
}

static void
put_columns(struct buf *out, const char *name, const struct table_def *def, uint64_t sparse)
{
	CHECK(def->col_count <= 64);
	buf_printf(out, "CREATE TABLE %s(", name);
	for (size_t i = 0; i < def->col_count; i++) {
		bool zstd = duck_schema_is_long_text(def->cols[i].name) && !(sparse >> i & 1);
		buf_printf(out, "%s\"%s\" %s%s%s", i > 0 ? ", " : "", def->cols[i].name,
		    duck_schema_type(def->cols[i].kind), def->cols[i].nullable ? "" : " NOT NULL",
		    zstd ? " USING COMPRESSION zstd" : "");
	}
}

void
duck_schema_create(struct buf *out, const char *name, const struct table_def *def)
{
	put_columns(out, name, def, 0);
	buf_char(out, ')');
}

/* Shared columns are compressed as DuckDB chooses, which is dict_fsst. Naming it saves 5 % of a seal, but in
 * a file that was made for an older storage version it is an error. */
const char *
duck_schema_shred_type(enum shred_type type)
{
	static const char *const types[] = {
	    [SHRED_TEXT] = "VARCHAR",
	    [SHRED_INT] = "BIGINT",
	    [SHRED_DOUBLE] = "DOUBLE",
	    [SHRED_BOOL] = "BOOLEAN",
	    [SHRED_SHARED] = "VARCHAR",
	};
	CHECK(type < SHRED_TYPES);
	return types[type];
}

void
duck_schema_create_day(struct buf *out, const char *name, const struct table_def *def,
    const struct shred_plan *plan, uint64_t sparse)
{
	put_columns(out, name, def, sparse);
	buf_str(out, STR(", seal UBIGINT, attribute_order VARCHAR"));
	for (unsigned i = 0; i < plan->count; i++)
		buf_printf(out, ", a%u %s", i, duck_schema_shred_type(plan->columns[i].type));
	buf_char(out, ')');
}

void
duck_schema_table_name(const struct table_def *def, int64_t day, char out[DUCK_TABLE_NAME_BYTES])
{
	char text[8] = "other";
	int len = 5;
	CHECK(day == DUCK_DAY_OTHER || (day >= 0 && day <= (int64_t)(UINT64_MAX / NS_PER_DAY)));
	if (day != DUCK_DAY_OTHER) {
		time_day_text((uint32_t)day, text);
		len = 8;
	}
	int n = snprintf(out, DUCK_TABLE_NAME_BYTES, "%s_%.*s", def->name, len, text);
	CHECK(n > 0 && n < DUCK_TABLE_NAME_BYTES);
}

static enum err_code
version_of(struct duck *d, duckdb_connection con, uint64_t *version, struct err *err)
{
	enum err_code code = duck_exec(d, con,
	    "CREATE TABLE IF NOT EXISTS meta(name VARCHAR NOT NULL, value UBIGINT NOT NULL,"
	    " written TIMESTAMP NOT NULL)",
	    err);
	if (code == ERR_OK)
		code = duck_number(d, con,
		    "SELECT max(value) FROM meta WHERE name = 'schema_version'", version, err);
	return code;
}

static enum err_code
migrate_one(struct duck *d, duckdb_connection con, uint64_t version, struct err *err)
{
	char sql[128];
	snprintf(sql, sizeof(sql),
	    "INSERT INTO meta SELECT 'schema_version', %" PRIu64 ", now()::TIMESTAMP", version + 1);
	enum err_code code = duck_exec(d, con, "BEGIN TRANSACTION", err);
	if (code != ERR_OK)
		return code;
	code = migrations[version](d, con, err);
	if (code == ERR_OK)
		code = duck_exec(d, con, sql, err);
	if (code == ERR_OK)
		code = duck_exec(d, con, "COMMIT", err);
	if (code == ERR_OK)
		return ERR_OK;
	struct err ignored;
	if (duck_exec(d, con, "ROLLBACK", &ignored) != ERR_OK)
		err_wrap(err, "rollback failed too");
	return err_wrap(err, "cannot bring the schema to version %" PRIu64, version + 1);
}

enum err_code
duck_schema_migrate(struct duck *d, duckdb_connection con, struct err *err)
{
	uint64_t version = 0;
	enum err_code code = version_of(d, con, &version, err);
	if (code == ERR_OK && version > SCHEMA_VERSION)
		return err_set(err, ERR_UNAVAILABLE,
		    "%s has schema version %" PRIu64
		    ", this weir knows versions up to %zu: start a newer "
		    "weir, nothing was changed",
		    DUCK_FILE, version, SCHEMA_VERSION);
	for (; code == ERR_OK && version < SCHEMA_VERSION; version++)
		code = migrate_one(d, con, version, err);
	return code;
}

uint64_t
duck_schema_version(void)
{
	return SCHEMA_VERSION;
}
