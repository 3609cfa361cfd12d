/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows by themselves and among one another, and the blocks that they are in.
 *
 * What needs a table of all rows in memory (is a place, is a span there twice?) is asked for a part of them
 * at a time, by a hash of what is asked for, so that memory does not grow with the rows: PART_ROWS of them, some
 * 500 MiB at most. Each part reads the same few columns again, which costs little beside the grouping.
 */
#include "duck/duck_check_priv.h"

#include "base/limits.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>

enum { PART_ROWS = 6000000 };

static const struct {
	enum table_id id;
	const char *column;
	char kind; /* of weir_is_typed() */
	const char *where; /* NULL: of all rows */
} json_columns[] = {
    {TABLE_SPANS, "attributes", '{', NULL},
    {TABLE_SPANS, "events", '[', NULL},
    {TABLE_SPANS, "links", '[', NULL},
    {TABLE_LOGS, "attributes", '{', NULL},
    {TABLE_LOGS, "body", 'v', "body_kind = 2"},
    {TABLE_POINTS, "attributes", '{', NULL},
    {TABLE_POINTS, "metadata", '{', NULL},
    {TABLE_POINTS, "exemplars", '[', NULL},
    {TABLE_RESOURCES, "attributes", '{', NULL},
    {TABLE_RESOURCES, "entity_refs", '[', NULL},
    {TABLE_SCOPES, "attributes", '{', NULL},
};

_Static_assert(LOG_BODY_TYPED == 2, "as the condition on body says");

/* ---- blocks */

static enum err_code
check_json(struct check *c, struct check_table *t, size_t i, struct duck_sql *sql, struct err *err)
{
	bool dictionary = t->id >= SIGNAL_TABLES;
	const char *column = json_columns[i].column, *where = json_columns[i].where;
	buf_printf(&sql->text,
	    "SELECT '%s', '%s of %s is no JSON of weir, and cannot be shown' FROM %s WHERE NOT"
	    " weir_is_typed(%s, '%c')%s%s",
	    t->name, column,
	    dictionary ? "' || id || ' of tenant ' || tenant || '"
	               : "the row of record ' || seq || ', item ' || ord || '",
	    t->name, column, json_columns[i].kind, where ? " AND " : "", where ? where : "");
	return duck_check_say(c, FINDING_JSON_MALFORMED, t, sql, err);
}

/* Each column once: those with JSON are looked into, of the others a hash is made. */
static enum err_code
read_all(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	uint64_t ignored;
	enum err_code code = ERR_OK;
	size_t n = 0;
	buf_str(&sql->text, STR("SELECT bit_xor(hash(*COLUMNS(*"));
	for (size_t i = 0; i < ARRAY_LEN(json_columns); i++)
		if (json_columns[i].id == t->id && !json_columns[i].where)
			buf_printf(&sql->text, "%s%s", n++ > 0 ? ", " : " EXCLUDE (",
			    json_columns[i].column);
	buf_printf(&sql->text, "%s)))::UBIGINT FROM %s", n > 0 ? ")" : "", t->name);
	code = duck_check_number(c, t, sql, &ignored, err);
	for (size_t i = 0; i < ARRAY_LEN(json_columns) && code == ERR_OK; i++)
		if (json_columns[i].id == t->id && !t->damaged && !c->over)
			code = check_json(c, t, i, sql, err);
	return code;
}

enum err_code
duck_check_blocks(struct check *c, struct err *err)
{
	static const enum table_id dictionaries[] = {TABLE_RESOURCES, TABLE_SCOPES};
	static const char *const others[] = {"meta", "partitions", "seals", "positions", "shreds",
	    "requests", "pulls", "seal_services", "seal_parts", "seal_words", "seal_hashes"};
	struct duck_sql sql;
	enum err_code code = ERR_OK;
	uint64_t ignored;
	duck_sql_init(&sql);
	for (size_t i = 0; i < ARRAY_LEN(others) && code == ERR_OK && !c->over; i++) {
		struct check_table t = {.id = TABLE_STORED_COUNT};
		snprintf(t.name, sizeof(t.name), "%s", others[i]);
		buf_printf(&sql.text, "SELECT bit_xor(hash(*COLUMNS(*)))::UBIGINT FROM %s", t.name);
		code = duck_check_number(c, &t, &sql, &ignored, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(dictionaries) && code == ERR_OK && !c->over; i++) {
		struct check_table t = {.id = dictionaries[i]};
		snprintf(t.name, sizeof(t.name), "%s", table_defs[t.id].name);
		code = read_all(c, &t, &sql, err);
	}
	for (size_t i = 0; i < c->count && code == ERR_OK && !c->over; i++)
		if (!c->tables[i].damaged)
			code = read_all(c, &c->tables[i], &sql, err);
	duck_sql_fini(&sql);
	return code;
}

/* ---- rows by themselves */

static enum err_code
check_values(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	static const char *const impossible[SIGNAL_TABLES] = {
	    [TABLE_SPANS] = "seq = 0",
	    [TABLE_LOGS] = "seq = 0 OR body_kind NOT BETWEEN 0 AND 2",
	    [TABLE_POINTS] = "seq = 0 OR type NOT BETWEEN 1 AND 5",
	    [TABLE_COMMENTS] = "seq = 0 OR id = '' OR (trace_hi = 0 AND trace_lo = 0)",
	};
	buf_printf(&sql->text,
	    "SELECT '%s', 'the row of record ' || seq || ', item ' || ord || ' has a value that weir never"
	    " writes (%s)' FROM %s WHERE %s",
	    t->name, impossible[t->id], t->name, impossible[t->id]);
	enum err_code code = duck_check_say(c, FINDING_VALUE_WRONG, t, sql, err);
	if (code != ERR_OK || t->damaged)
		return code;
	buf_printf(&sql->text,
	    "SELECT '%s', n || ' rows are of a tenant whose name cannot be, \"' || tenant[:80] || '\": nobody can"
	    " ask for them' FROM (SELECT tenant, count(*) AS n FROM %s GROUP BY tenant) WHERE NOT"
	    " regexp_full_match(tenant, '[A-Za-z0-9._-]{1,%d}') ORDER BY tenant",
	    t->name, t->name, LIMIT_TENANT_BYTES);
	return duck_check_say(c, FINDING_TENANT_WRONG, t, sql, err);
}

static enum err_code
check_names(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	static const struct {
		const char *column, *dictionary, *what;
		enum finding_kind kind;
	} names[] = {
	    {"resource_id", "resources", "resource", FINDING_RESOURCE_MISSING},
	    {"scope_id", "scopes", "scope", FINDING_SCOPE_MISSING},
	};
	enum err_code code = ERR_OK;
	if (!duck_has_services(t->id))
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(names) && code == ERR_OK && !t->damaged; i++) {
		buf_printf(&sql->text,
		    "SELECT '%s', n || ' rows of tenant ' || tenant || ' name %s ' || id || ', which is not"
		    " there: its attributes are lost' FROM (SELECT tenant, %s AS id, count(*) AS n FROM %s"
		    " GROUP BY ALL) r WHERE NOT EXISTS (SELECT 1 FROM %s d WHERE d.id = r.id AND d.tenant ="
		    " r.tenant) ORDER BY id",
		    t->name, names[i].what, names[i].column, t->name, names[i].dictionary);
		code = duck_check_say(c, names[i].kind, t, sql, err);
	}
	return code;
}

struct counting {
	struct check *c;
	struct check_table *t;
	struct buf rows; /* of struct counted; the tenant's text is in names */
	struct buf names;
	uint64_t last_seq;
};

struct counted {
	uint64_t day, rows;
	size_t name, name_len;
};

static enum err_code
take_counts(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct counting *n = ctx;
	const uint64_t *days = duck_chunk_words(chunk, 0);
	const uint64_t *rows = duck_chunk_words(chunk, 1);
	const uint64_t *seqs = duck_chunk_words(chunk, 3);
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		struct str name = duck_chunk_text(chunk, 2, i);
		struct counted one = {days[i], rows[i], n->names.len, name.len};
		buf_str(&n->names, name);
		buf_append(&n->rows, &one, sizeof(one));
		n->last_seq = seqs[i] > n->last_seq ? seqs[i] : n->last_seq;
	}
	return ERR_OK;
}

static void
forget_counts(void *ctx)
{
	struct counting *n = ctx;
	buf_reset(&n->rows);
	buf_reset(&n->names);
	n->last_seq = 0;
}

static enum err_code
count_rows(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	struct counting n = {.c = c, .t = t};
	const struct table_def *def = &table_defs[t->id];
	buf_printf(&sql->text,
	    "SELECT (%s // %" PRIu64
	    ")::UBIGINT, count(*)::UBIGINT, tenant, max(seq)::UBIGINT FROM %s GROUP BY 1, 3 ORDER BY 1, 3",
	    def->cols[def->time_col].name, (uint64_t)NS_PER_DAY, t->name);
	enum err_code code = duck_check_read(c, t, sql, take_counts, forget_counts, &n, err);
	duck_sql_reset(sql);
	for (size_t i = 0; i < n.rows.len && code == ERR_OK && !t->damaged;
	    i += sizeof(struct counted)) {
		struct counted one;
		memcpy(&one, n.rows.ptr + i, sizeof(one));
		t->rows += one.rows;
		if (c->opt->count)
			c->opt->count(c->opt->count_ctx, t->id, one.day,
			    str_of(n.names.ptr + one.name, one.name_len), one.rows);
	}
	c->out->rows[t->id] += t->rows;
	if (n.last_seq > c->out->last_seq)
		c->out->last_seq = n.last_seq;
	buf_fini(&n.rows);
	buf_fini(&n.names);
	return code;
}

/* ---- rows among one another */

/* The columns of all whole tables of a signal, with the number of the table as k, one part of `parts` of them. */
static void
put_union(const struct check *c, struct duck_sql *sql, enum table_id id, const char *columns,
    const char *hashed, uint64_t part, uint64_t parts)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++) {
		if (c->tables[i].id != id || c->tables[i].damaged || c->tables[i].said)
			continue;
		buf_printf(&sql->text, "%sSELECT %s, %zu AS k FROM %s",
		    n++ > 0 ? " UNION ALL " : "", columns, i, c->tables[i].name);
		if (parts > 1)
			buf_printf(&sql->text,
			    " WHERE hash(%s) %% %" PRIu64 "::UBIGINT = %" PRIu64 "::UBIGINT",
			    hashed, parts, part);
	}
}

/* ['spans_20261129', ..][k + 1] */
static void
put_names(const struct check *c, struct duck_sql *sql, const char *k)
{
	for (size_t i = 0; i < c->count; i++)
		buf_printf(&sql->text, "%s'%s'", i > 0 ? ", " : "[", c->tables[i].name);
	buf_printf(&sql->text, "][%s + 1]", k);
}

const struct check_identity *
duck_check_identity(enum table_id id)
{
	static const struct check_identity spans = {.kind = FINDING_SPAN_TWICE,
	    .by = "tenant, trace_hi, trace_lo, span_id",
	    .hashed = "trace_lo, span_id",
	    .said =
	        "'span ' || lpad(lower(hex(span_id)), 16, '0') || ' of trace ' ||"
	        " lpad(lower(hex(trace_hi)), 16, '0') || lpad(lower(hex(trace_lo)), 16, '0') || ' of"
	        " tenant ' || tenant",
	    .mended = "repeats of spans were removed"};
	static const struct check_identity comments = {.kind = FINDING_COMMENT_TWICE,
	    .by = "tenant, id",
	    .hashed = "id",
	    .said = "'comment ' || id || ' of tenant ' || tenant",
	    .mended = "repeats of comments were removed"};
	return id == TABLE_SPANS ? &spans : id == TABLE_COMMENTS ? &comments : NULL;
}

static const struct check_identity places = {.kind = FINDING_ROW_TWICE,
    .by = "seq, ord",
    .hashed = "seq, ord",
    .said = "'the row of record ' || seq || ', item ' || ord"};

static enum err_code
check_twice(struct check *c, const struct check_identity *what, enum table_id id, uint64_t part,
    uint64_t parts, struct duck_sql *sql, struct err *err)
{
	buf_str(&sql->text, STR("SELECT "));
	put_names(c, sql, "a");
	buf_printf(&sql->text,
	    ", %s || ' is there ' || n || ' times' || CASE WHEN a <> z THEN ', also in ' || ",
	    what->said);
	put_names(c, sql, "z");
	buf_printf(&sql->text,
	    " ELSE '' END FROM (SELECT %s, count(*) AS n, min(k) AS a, max(k) AS z FROM (",
	    what->by);
	put_union(c, sql, id, what->by, what->hashed, part, parts);
	buf_printf(&sql->text, ") GROUP BY %s HAVING count(*) > 1) ORDER BY %s", what->by,
	    what->by);
	return duck_check_say(c, what->kind, NULL, sql, err);
}

static bool
has_table(const struct check *c, enum table_id id)
{
	bool has = false;
	for (size_t i = 0; i < c->count; i++)
		has = has || (c->tables[i].id == id && !c->tables[i].damaged && !c->tables[i].said);
	return has;
}

static enum err_code
check_among(struct check *c, enum table_id id, struct duck_sql *sql, struct err *err)
{
	uint64_t parts = 1 + c->out->rows[id] / PART_ROWS;
	const struct check_identity *identity = duck_check_identity(id);
	enum err_code code = ERR_OK;
	for (uint64_t part = 0; part < parts && code == ERR_OK && !c->over && has_table(c, id);
	    part++) {
		code = check_twice(c, &places, id, part, parts, sql, err);
		if (code == ERR_OK && identity && !c->over)
			code = check_twice(c, identity, id, part, parts, sql, err);
	}
	return code;
}

static enum err_code
check_dictionaries(struct check *c, struct duck_sql *sql, struct err *err)
{
	static const char *const names[] = {"resources", "scopes"};
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(names) && code == ERR_OK && !c->over; i++) {
		buf_printf(&sql->text,
		    "SELECT '%s', id || ' of tenant ' || tenant || ' is there ' || count(*) || ' times' FROM %s"
		    " GROUP BY tenant, id HAVING count(*) > 1 ORDER BY id",
		    names[i], names[i]);
		code = duck_check_say(c, FINDING_DICTIONARY_TWICE, NULL, sql, err);
	}
	return code;
}

enum err_code
duck_check_rows(struct check *c, struct err *err)
{
	static enum err_code (*const checks[])(struct check *c, struct check_table *t,
	    struct duck_sql *sql, struct err *err) = {count_rows, check_values, check_names};
	struct duck_sql sql;
	enum err_code code = ERR_OK;
	duck_sql_init(&sql);
	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(checks) && code == ERR_OK; k++)
			if (!c->tables[i].damaged && !c->over)
				code = checks[k](c, &c->tables[i], &sql, err);
	if (code == ERR_OK)
		code = check_dictionaries(c, &sql, err);
	for (int id = 0; id < SIGNAL_TABLES && code == ERR_OK; id++)
		code = check_among(c, (enum table_id)id, &sql, err);
	duck_sql_fini(&sql);
	return code;
}
