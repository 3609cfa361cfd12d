/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_files.h"

#include "base/limits.h"
#include "duck/duck_priv.h"
#include "model/typed.h"
#include "otlp/plain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NAMES_MAX = 512, /* columns of a source that are looked at */
	EXTRAS = 7,
	TABLES = 3,
	MEMORY_MIB = 512,
};

enum source_kind { SOURCE_WEIR, SOURCE_PARQUET, SOURCE_SEED };

struct duck_files {
	struct duck duck; /* what statements need of one: no file, no threads */
	duckdb_connection con;
	const struct table
	    *tables[TABLES]; /* what weir_rows(0), (1) and (2) give: rows, resources, scopes */
	enum source_kind kind;
	enum table_id signal;
	char *from; /* what stands behind FROM */
	struct str names[NAMES_MAX];
	unsigned char used[NAMES_MAX];
	size_t name_count;
	struct arena arena; /* of the names */
};

static enum err_code
exec(struct duck_files *f, const char *sql, struct err *err)
{
	return duck_exec(&f->duck, f->con, sql, err);
}

/* ---- rows as a table of SQL: weir_rows(n) */

struct rows_state {
	size_t next;
	idx_t count;
	idx_t cols[];
};

static void
bind_rows(duckdb_bind_info info)
{
	struct duck_files *f = duckdb_bind_get_extra_info(info);
	duckdb_value v = duckdb_bind_get_parameter(info, 0);
	int32_t n = duckdb_get_int32(v);
	duckdb_destroy_value(&v);
	if (n < 0 || n >= TABLES || !f->tables[n]) {
		duckdb_bind_set_error(info, "there are no such rows");
		return;
	}
	const struct table *t = f->tables[n];
	for (size_t c = 0; c < t->def->col_count; c++) {
		duckdb_logical_type type = duck_logical_type(t->def->cols[c].kind);
		duckdb_bind_add_result_column(info, t->def->cols[c].name, type);
		duckdb_destroy_logical_type(&type);
	}
	duckdb_bind_set_cardinality(info, t->row_count, true);
	duckdb_bind_set_bind_data(info, (void *)(uintptr_t)t, NULL);
}

static void
init_rows(duckdb_init_info info)
{
	idx_t count = duckdb_init_get_column_count(info);
	struct rows_state *s = xcalloc(1, sizeof(*s) + count * sizeof(idx_t));
	s->count = count;
	for (idx_t i = 0; i < count; i++)
		s->cols[i] = duckdb_init_get_column_index(info, i);
	duckdb_init_set_max_threads(info, 1);
	duckdb_init_set_init_data(info, s, free);
}

static void
give_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
	const struct table *t = duckdb_function_get_bind_data(info);
	struct rows_state *s = duckdb_function_get_init_data(info);
	size_t left = t->row_count - s->next;
	struct hot_slice slice = {.rows = t,
	    .first = (uint32_t)s->next,
	    .count = (uint32_t)(left < DUCK_CHUNK_ROWS ? left : DUCK_CHUNK_ROWS)};
	if (slice.count > 0 && !duck_view_give(chunk, &slice, s->cols, s->count)) {
		duckdb_function_set_error(info, "no memory for lists");
		slice.count = 0;
	}
	s->next += slice.count;
	duckdb_data_chunk_set_size(chunk, slice.count);
}

static enum err_code
register_rows(struct duck_files *f, struct err *err)
{
	duckdb_table_function fn = duckdb_create_table_function();
	duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_INTEGER);
	duckdb_table_function_set_name(fn, "weir_rows");
	duckdb_table_function_add_parameter(fn, type);
	duckdb_destroy_logical_type(&type);
	duckdb_table_function_set_extra_info(fn, f, NULL);
	duckdb_table_function_set_bind(fn, bind_rows);
	duckdb_table_function_set_init(fn, init_rows);
	duckdb_table_function_set_function(fn, give_rows);
	duckdb_table_function_supports_projection_pushdown(fn, true);
	bool good = duckdb_register_table_function(f->con, fn) == DuckDBSuccess;
	duckdb_destroy_table_function(&fn);
	return good ? ERR_OK
	            : err_set(err, ERR_UNAVAILABLE, "libduckdb does not take a table function");
}

/* ---- open and close */

enum err_code
duck_files_open(struct duck_files **out, struct err *err)
{
	struct duck_files *f = xcalloc(1, sizeof(*f));
	enum err_code code = ERR_OK;
	char sql[200];
	*out = NULL;
	mutex_init(&f->duck.text_lock);
	f->duck.opt.memory_bytes_max = MEMORY_MIB * LIMIT_MIB;
	if (duckdb_open(NULL, &f->duck.db) != DuckDBSuccess ||
	    duckdb_connect(f->duck.db, &f->con) != DuckDBSuccess)
		code = err_set(err, ERR_UNAVAILABLE, "libduckdb gives no database in memory");
	/* One thread keeps the order of rows, and there is time. Nothing is ever fetched from a network. */
	snprintf(sql, sizeof(sql),
	    "SET threads = 1; SET memory_limit = '%dMiB'; SET autoinstall_known_extensions = false;"
	    " SET autoload_known_extensions = false; SET TimeZone = 'UTC'",
	    MEMORY_MIB);
	if (code == ERR_OK)
		code = exec(f, sql, err);
	if (code == ERR_OK)
		code = register_rows(f, err);
	if (code != ERR_OK) {
		duck_files_close(f);
		return code;
	}
	*out = f;
	return ERR_OK;
}

void
duck_files_close(struct duck_files *f)
{
	if (!f)
		return;
	if (f->con)
		duckdb_disconnect(&f->con);
	if (f->duck.db)
		duckdb_close(&f->duck.db);
	mutex_fini(&f->duck.text_lock);
	arena_fini(&f->arena);
	free(f->from);
	free(f);
}

/* ---- writing */

static void
put_path(struct buf *out, const char *path)
{
	buf_char(out, '\'');
	duck_sql_quoted(out, str_from(path));
	buf_char(out, '\'');
}

static bool
is_left_out(const char *name)
{
	return strcmp(name, "seq") == 0 || strcmp(name, "ord") == 0;
}

/* The columns of a dictionary but its id and tenant, which stand in the row already. */
static void
put_dict(struct buf *out, const struct table_def *def, char letter, const char *prefix)
{
	for (size_t i = 0; i < def->col_count; i++)
		if (strcmp(def->cols[i].name, "id") != 0 &&
		    strcmp(def->cols[i].name, "tenant") != 0)
			buf_printf(out, ", %c.\"%s\" AS %s_%s", letter, def->cols[i].name, prefix,
			    def->cols[i].name);
}

static void
put_copy(struct buf *out, const struct table_def *def, const char *path)
{
	const char *time = def->cols[def->time_col].name;
	buf_printf(out,
	    "COPY (SELECT CASE WHEN r.%s <= 9223372036854775807 THEN make_timestamp_ns(r.%s::BIGINT) END"
	    " AS time",
	    time, time);
	if (def != &table_defs[TABLE_POINTS])
		buf_str(out, STR(", format('{:016x}{:016x}', r.trace_hi, r.trace_lo) AS trace_id"));
	for (size_t i = 0; i < def->col_count; i++)
		if (!is_left_out(def->cols[i].name))
			buf_printf(out, ", r.\"%s\"", def->cols[i].name);
	put_dict(out, &table_defs[TABLE_RESOURCES], 'd', "resource");
	put_dict(out, &table_defs[TABLE_SCOPES], 's', "scope");
	buf_str(out,
	    STR(" FROM weir_rows(0) r LEFT JOIN (SELECT DISTINCT ON (id) * FROM weir_rows(1)) d ON "
	        "d.id = r.resource_id LEFT JOIN (SELECT DISTINCT ON (id) * FROM weir_rows(2)) s ON s.id = "
	        "r.scope_id) TO "));
	put_path(out, path);
	buf_printf(out,
	    " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d, KV_METADATA {weir: '%s'})",
	    SEAL_ROWS, def->name);
}

enum err_code
duck_files_write(struct duck_files *f, const struct table *rows, const struct table *resources,
    const struct table *scopes, const char *path, struct err *err)
{
	struct buf sql = {0};
	if (file_exists(path))
		return err_set(err, ERR_EXISTS, "%s is there already", path);
	f->tables[0] = rows;
	f->tables[1] = resources;
	f->tables[2] = scopes;
	put_copy(&sql, rows->def, path);
	buf_char(&sql, '\0');
	enum err_code code = sql.failed ? err_set(err, ERR_BUSY, "no memory for a statement")
	                                : exec(f, sql.ptr, err);
	buf_fini(&sql);
	memset(f->tables, 0, sizeof(f->tables));
	return code == ERR_OK ? code : err_wrap(err, "cannot write %s", path);
}

/* ---- what there is to read */

static enum err_code
take_names(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct duck_files *f = ctx;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		if (f->name_count == NAMES_MAX)
			return err_set(err, ERR_INVALID, "it has more than %d columns", NAMES_MAX);
		f->names[f->name_count++] = arena_str(&f->arena, duck_chunk_text(chunk, 0, i));
	}
	return ERR_OK;
}

static enum err_code
read_names(struct duck_files *f, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	buf_printf(&sql.text, "SELECT column_name FROM (DESCRIBE SELECT * FROM %s)", f->from);
	enum err_code code =
	    duck_read_chunks(&f->duck, f->con, &sql, UINT64_MAX, take_names, f, err);
	duck_sql_fini(&sql);
	return code;
}

static bool
has(struct duck_files *f, const char *name)
{
	for (size_t i = 0; i < f->name_count; i++)
		if (str_eq_nocase(f->names[i], str_from(name))) {
			f->used[i] = 1;
			return true;
		}
	return false;
}

static char *
copy_text(const struct buf *text)
{
	char *copy = xcalloc(text->len + 1, 1);
	memcpy(copy, text->ptr ? text->ptr : "", text->len);
	return copy;
}

/* No file is opened any more but this one; of a database the name must be that of a table. */
static enum err_code
close_up(struct duck_files *f, const char *path, bool parquet, struct err *err)
{
	struct buf sql = {0};
	uint64_t tables = 1;
	if (parquet) {
		buf_str(&sql, STR("SET allowed_paths = ["));
		put_path(&sql, path);
		buf_str(&sql, STR("]; "));
	}
	buf_str(&sql, STR("SET temp_directory = ''; SET enable_external_access = false"));
	buf_char(&sql, '\0');
	enum err_code code = exec(f, sql.ptr, err);
	buf_fini(&sql);
	if (code == ERR_OK && !parquet)
		code = duck_number(&f->duck, f->con,
		    "SELECT count(*)::UBIGINT FROM duckdb_tables() WHERE database_name = 'src' AND"
		    " schema_name = 'main' AND table_name = 'spans'",
		    &tables, err);
	if (code == ERR_OK && tables != 1)
		return err_set(err, ERR_INVALID, "it has no table spans");
	return code;
}

/* f->from, for a file of either kind. */
static enum err_code
attach(struct duck_files *f, const char *path, bool parquet, struct err *err)
{
	struct buf text = {0};
	enum err_code code = ERR_OK;
	if (parquet) {
		buf_str(&text, STR("read_parquet("));
		put_path(&text, path);
		buf_str(&text, STR(", hive_partitioning = false)"));
	} else {
		buf_str(&text, STR("ATTACH "));
		put_path(&text, path);
		buf_str(&text, STR(" AS src (READ_ONLY)"));
		buf_char(&text, '\0');
		code = exec(f, text.ptr, err);
		buf_reset(&text);
		buf_str(&text, STR("src.main.spans"));
	}
	/* What the file has of views and macros reaches no other file. */
	if (code == ERR_OK)
		code = close_up(f, path, parquet, err);
	if (code == ERR_OK)
		f->from = copy_text(&text);
	buf_fini(&text);
	return code == ERR_OK ? code : err_wrap(err, "cannot read %s", path);
}

static bool
all_columns(struct duck_files *f, enum table_id id)
{
	const struct table_def *def = &table_defs[id];
	bool all = true;
	for (size_t i = 0; i < def->col_count && all; i++)
		all = is_left_out(def->cols[i].name) || has(f, def->cols[i].name);
	return all && has(f, "resource_service") && has(f, "scope_name");
}

static enum err_code
recognise(struct duck_files *f, const char *path, struct duck_files_source *out, struct err *err)
{
	static const struct {
		enum source_kind kind;
		const char *needs[6];
		const char *words;
	} kinds[] = {
	    {SOURCE_SEED,
	        {"trace_id", "span_id", "service_name", "start_time", "attributes_json", NULL},
	        "a database with a table spans (attributes_json)"},
	    {SOURCE_PARQUET,
	        {"trace_id", "span_id", "service_name", "start_time", "attributes", NULL},
	        "Parquet of spans"},
	};
	for (int id = TABLE_SPANS; id <= TABLE_POINTS; id++) {
		if (!all_columns(f, (enum table_id)id))
			continue;
		f->kind = SOURCE_WEIR;
		f->signal = (enum table_id)id;
		snprintf(out->kind, sizeof(out->kind), "%s as weir writes them",
		    table_defs[id].name);
		return ERR_OK;
	}
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		bool all = true;
		for (size_t i = 0; kinds[k].needs[i] && all; i++)
			all = has(f, kinds[k].needs[i]);
		if (!all)
			continue;
		f->kind = kinds[k].kind;
		f->signal = TABLE_SPANS;
		snprintf(out->kind, sizeof(out->kind), "%s", kinds[k].words);
		return ERR_OK;
	}
	return err_set(err, ERR_INVALID,
	    "%s holds no telemetry that weir knows: it has neither the columns that `weir export` writes "
	    "nor trace_id, span_id, service_name, start_time and attributes or attributes_json",
	    path);
}

static void put_select(struct duck_files *f, struct buf *out);

static enum err_code
count_repeats(struct duck_files *f, struct buf *sql, uint64_t *out, struct err *err)
{
	const char *tenant = has(f, "tenant") ? "tenant" : has(f, "tenant_id") ? "tenant_id" : "''";
	buf_reset(sql);
	buf_printf(sql,
	    "SELECT coalesce(sum(n - 1), 0)::UBIGINT FROM (SELECT count(*) AS n FROM %s"
	    " GROUP BY %s, trace_id, span_id)",
	    f->from, tenant);
	buf_char(sql, '\0');
	return duck_number(&f->duck, f->con, sql->ptr, out, err);
}

enum err_code
duck_files_source(struct duck_files *f, const char *path, bool parquet,
    struct duck_files_source *out, struct err *err)
{
	struct buf sql = {0};
	*out = (struct duck_files_source){0};
	if (!file_exists(path))
		return err_set(err, ERR_NOT_FOUND, "there is no file %s", path);
	enum err_code code = attach(f, path, parquet, err);
	if (code == ERR_OK && read_names(f, err) != ERR_OK)
		code = err_wrap(err, "cannot read %s", path);
	if (code != ERR_OK)
		return code;
	code = recognise(f, path, out, err);
	if (code != ERR_OK)
		return code;
	out->signal = f->signal;
	/* Which columns are used shows when they are named. */
	memset(f->used, 0, sizeof(f->used));
	put_select(f, &sql);
	for (size_t i = 0; i < f->name_count; i++)
		out->unknown_columns += !f->used[i];
	buf_reset(&sql);
	buf_printf(&sql, "SELECT count(*)::UBIGINT FROM %s", f->from);
	buf_char(&sql, '\0');
	code = duck_number(&f->duck, f->con, sql.ptr, &out->rows, err);
	/* Only said to people. */
	struct err ignored;
	if (code == ERR_OK && f->signal == TABLE_SPANS &&
	    count_repeats(f, &sql, &out->repeats, &ignored) != ERR_OK)
		out->repeats = 0;
	buf_fini(&sql);
	return code;
}

/* ---- the columns, as those of our tables */

/* The first of these whose column is there; {NULL, expr}: in any case. */
struct choice {
	const char *column, *expr;
};

#define HEX(column, at)                                                                            \
	"coalesce(CASE WHEN length(\"" column "\") = 32 THEN try_cast('0x' || substr(\"" column    \
	"\", " at ", 16) AS UBIGINT) END, 0)"
#define HEX_SPAN(column)                                                                           \
	"coalesce(CASE WHEN length(\"" column "\") = 16 THEN try_cast('0x' || \"" column           \
	"\" AS UBIGINT) END, 0)"
#define NANOS(column) "coalesce(try_cast(TRY(epoch_ns(\"" column "\")) AS UBIGINT), 0)"

enum { CHOICES = 4 };

/* The seed and the Parquet of spans say the same under other names. Kinds of the seed are the ones that its writers had,
 * which took CLIENT for INTERNAL and the other way round. */
static const struct {
	int col;
	struct choice choices[CHOICES];
} span_choices[] = {
    {SPAN_TENANT,
        {{"tenant", "coalesce(tenant, '')::VARCHAR"},
            {"tenant_id", "coalesce(tenant_id, '')::VARCHAR"}, {NULL, "''"}}},
    {SPAN_SEQ, {{NULL, "0"}}},
    {SPAN_ORD, {{NULL, "0"}}},
    {SPAN_TRACE_HI, {{"trace_id", HEX("trace_id", "1")}}},
    {SPAN_TRACE_LO, {{"trace_id", HEX("trace_id", "17")}}},
    {SPAN_SPAN_ID, {{"span_id", HEX_SPAN("span_id")}}},
    {SPAN_PARENT_ID, {{"parent_span_id", HEX_SPAN("parent_span_id")}, {NULL, "0"}}},
    {SPAN_START_NS, {{"start_time", NANOS("start_time")}}},
    {SPAN_DURATION_NS,
        {{"duration_ns", "coalesce(try_cast(duration_ns AS BIGINT), 0)"},
            {"end_time", "coalesce(TRY(epoch_ns(end_time) - epoch_ns(start_time)), 0)"},
            {NULL, "0"}}},
    {SPAN_SERVICE, {{"service_name", "coalesce(service_name, '')::VARCHAR"}}},
    {SPAN_NAME, {{"name", "coalesce(name, '')::VARCHAR"}, {NULL, "''"}}},
    {SPAN_KIND,
        {{"span_kind", "coalesce(try_cast(span_kind AS INTEGER), 0)"},
            {"kind",
                "CASE upper(kind::VARCHAR) WHEN 'CLIENT' THEN 1 WHEN 'SERVER' THEN 2 WHEN "
                "'INTERNAL' THEN 3 WHEN 'PRODUCER' THEN 4 WHEN 'CONSUMER' THEN 5 ELSE 0 END"},
            {NULL, "0"}}},
    {SPAN_STATUS_CODE,
        {{"status_code",
             "CASE WHEN status_code::VARCHAR IN ('1', 'OK', "
             "'STATUS_CODE_OK') THEN 1 WHEN status_code::VARCHAR IN ('2', "
             "'ERROR', 'STATUS_CODE_ERROR') THEN 2 ELSE 0 END"},
            {NULL, "0"}}},
    {SPAN_STATUS_MESSAGE,
        {{"status_message", "coalesce(status_message, '')::VARCHAR"}, {NULL, "''"}}},
    {SPAN_TRACE_STATE, {{"trace_state", "coalesce(trace_state, '')::VARCHAR"}, {NULL, "''"}}},
    {SPAN_FLAGS, {{"trace_flags", "coalesce(try_cast(trace_flags AS UINTEGER), 0)"}, {NULL, "0"}}},
    {SPAN_ATTRIBUTES,
        {{"attributes_json", "attributes_json::VARCHAR"}, {"attributes", "attributes::VARCHAR"}}},
    {SPAN_DROPPED_ATTRIBUTES,
        {{"dropped_attributes_count",
             "coalesce(try_cast(dropped_attributes_count AS UINTEGER), 0)"},
            {NULL, "0"}}},
    {SPAN_EVENTS,
        {{"events_json", "events_json::VARCHAR"}, {"events", "events::VARCHAR"}, {NULL, "NULL"}}},
    {SPAN_DROPPED_EVENTS,
        {{"dropped_events_count", "coalesce(try_cast(dropped_events_count AS UINTEGER), 0)"},
            {NULL, "0"}}},
    {SPAN_LINKS,
        {{"links_json", "links_json::VARCHAR"}, {"links", "links::VARCHAR"}, {NULL, "NULL"}}},
    {SPAN_DROPPED_LINKS,
        {{"dropped_links_count", "coalesce(try_cast(dropped_links_count AS UINTEGER), 0)"},
            {NULL, "0"}}},
    {SPAN_RESOURCE_ID,
        {{"resource_attributes", "hash(coalesce(service_name, ''), resource_attributes::VARCHAR)"},
            {NULL, "hash(coalesce(service_name, ''))"}}},
    {SPAN_SCOPE_ID, {{NULL, "0"}}},
};

_Static_assert(ARRAY_LEN(span_choices) == SPAN_COL_COUNT, "every column has its choices");

static const char *
chosen(struct duck_files *f, const struct choice *choices)
{
	for (size_t i = 0; i < CHOICES && choices[i].expr; i++)
		if (!choices[i].column || has(f, choices[i].column))
			return choices[i].expr;
	return "NULL";
}

static void
put_span_columns(struct duck_files *f, struct buf *out)
{
	const struct table_def *def = &table_defs[TABLE_SPANS];
	(void)has(f, "end_time");
	for (size_t i = 0; i < ARRAY_LEN(span_choices); i++) {
		CHECK(span_choices[i].col == (int)i);
		buf_printf(out, "%s(%s)::%s", i > 0 ? ", " : "", chosen(f, span_choices[i].choices),
		    duck_schema_type(def->cols[i].kind));
	}
	/* The resource: id, tenant, service, attributes, dropped, schema URL, entities. Then the scope. */
	buf_printf(out,
	    ", (%s)::UBIGINT, '', coalesce(service_name, '')::VARCHAR, %s, %s::UINTEGER, '', NULL::VARCHAR",
	    chosen(f, span_choices[SPAN_RESOURCE_ID].choices),
	    has(f, "resource_attributes") ? "resource_attributes::VARCHAR"
	                                  : "json_object('service.name', service_name)::VARCHAR",
	    has(f, "resource_dropped_attributes_count")
	        ? "coalesce(try_cast(resource_dropped_attributes_count AS UINTEGER), 0)"
	        : "0");
	buf_str(out, STR(", 0::UBIGINT, '', '', '', NULL::VARCHAR, 0::UINTEGER, ''"));
}

/* What was taken out of the attributes by who wrote the seed, under the names it had. State and graph were texts. */
static const struct {
	const char *column, *key;
	bool of_workflows; /* "{}" and "" stand for nothing, and other spans have none */
} extras[EXTRAS] = {
    {"junjo_id", "junjo.id", false},
    {"junjo_parent_id", "junjo.parent_id", false},
    {"junjo_span_type", "junjo.span_type", false},
    {"junjo_wf_state_start", "junjo.workflow.state.start", true},
    {"junjo_wf_state_end", "junjo.workflow.state.end", true},
    {"junjo_wf_graph_structure", "junjo.workflow.graph_structure", true},
    {"junjo_wf_store_id", "junjo.workflow.store.id", true},
};

static void
put_extras(struct duck_files *f, struct buf *out)
{
	bool typed = has(f, "junjo_span_type");
	for (size_t i = 0; i < EXTRAS; i++) {
		if (f->kind != SOURCE_SEED || !has(f, extras[i].column))
			buf_str(out, STR(", NULL::VARCHAR"));
		else if (extras[i].of_workflows && typed)
			buf_printf(out,
			    ", CASE WHEN junjo_span_type IN ('workflow', 'subflow') THEN nullif(nullif(%s::VARCHAR, '{}'), '') END",
			    extras[i].column);
		else
			buf_printf(out, ", nullif(%s::VARCHAR, '')", extras[i].column);
	}
}

/* As weir wrote it. */
static void
put_own(struct duck_files *f, struct buf *out, const struct table_def *def, const char *prefix)
{
	for (size_t i = 0; i < def->col_count; i++) {
		const struct column_def *c = &def->cols[i];
		char name[80];
		bool id = *prefix && strcmp(c->name, "id") == 0;
		snprintf(name, sizeof(name), "%s%s", strcmp(c->name, "tenant") == 0 ? "" : prefix,
		    c->name);
		buf_printf(out, "%s", out->len > 7 ? ", " : "");
		if (!id && (is_left_out(c->name) || !has(f, name)))
			buf_printf(out, c->nullable ? "NULL::%s" : "%s'0'::%s",
			    c->nullable ? duck_schema_type(c->kind) : "",
			    duck_schema_type(c->kind));
		else if (c->nullable)
			buf_printf(out, "\"%s\"::%s", name, duck_schema_type(c->kind));
		else
			buf_printf(out, "coalesce(\"%s\"%s::%s, %s)", name, "",
			    duck_schema_type(c->kind),
			    c->kind == COL_STR        ? "''"
			        : c->kind == COL_BOOL ? "false"
			                              : "0");
	}
}

static void
put_select(struct duck_files *f, struct buf *out)
{
	buf_str(out, STR("SELECT "));
	if (f->kind == SOURCE_WEIR) {
		put_own(f, out, &table_defs[f->signal], "");
		put_own(f, out, &table_defs[TABLE_RESOURCES], "resource_");
		put_own(f, out, &table_defs[TABLE_SCOPES], "scope_");
		(void)has(f, "time");
		(void)has(f, "trace_id");
	} else {
		put_span_columns(f, out);
	}
	put_extras(f, out);
	buf_printf(out, " FROM %s", f->from);
}

/* ---- reading */

struct reading {
	struct duck_files *f;
	struct table tables[TABLES];
	struct arena arena;
	uint64_t skip;
	uint64_t bad_json;
	duck_files_take take;
	void *ctx;
};

/* Plain JSON of a column becomes typed JSON. */
static bool
convert(struct reading *r, struct table *t, size_t row, int col,
    bool (*fn)(struct str json, struct buf *out))
{
	struct buf out = {0};
	struct str text = STR_EMPTY;
	bool good = fn(table_str(t, row, col), &out);
	r->bad_json += !good;
	if (good && out.len > 0) {
		text = arena_str(&r->arena, buf_view(&out));
		good = text.ptr != NULL;
	}
	table_set_str(t, row, col, text);
	buf_fini(&out);
	return good || r->bad_json > 0;
}

static bool
add_extras(struct reading *r, duckdb_data_chunk chunk, idx_t first, idx_t row)
{
	struct table *t = &r->tables[0];
	struct str attributes = table_str(t, row, SPAN_ATTRIBUTES);
	struct buf out = {0};
	if (attributes.len > 1)
		buf_str(&out, str_of(attributes.ptr, attributes.len - 1)); /* without its brace */
	for (idx_t i = 0; i < EXTRAS; i++) {
		struct str text = duck_chunk_is_null(chunk, first + i, row)
		    ? STR_EMPTY
		    : duck_chunk_text(chunk, first + i, row);
		if (text.len == 0)
			continue;
		buf_char(&out, out.len == 0 ? '{' : ',');
		typed_put_key(&out, str_from(extras[i].key));
		typed_put_string(&out, text);
	}
	if (out.len > 0)
		buf_char(&out, '}');
	struct str copy = arena_str(&r->arena, buf_view(&out));
	bool fits = out.len == 0 || copy.ptr;
	if (out.len > 0 && copy.ptr)
		table_set_str(t, row, SPAN_ATTRIBUTES, copy);
	buf_fini(&out);
	return fits;
}

static bool
convert_spans(struct reading *r, duckdb_data_chunk chunk, idx_t extras_at)
{
	bool fits = true;
	for (size_t row = 0; row < r->tables[0].row_count && fits; row++) {
		fits = convert(r, &r->tables[0], row, SPAN_ATTRIBUTES, otlp_plain_attributes) &&
		    convert(r, &r->tables[0], row, SPAN_EVENTS, otlp_plain_events) &&
		    convert(r, &r->tables[0], row, SPAN_LINKS, otlp_plain_links) &&
		    convert(r, &r->tables[1], row, RESOURCE_ATTRIBUTES, otlp_plain_attributes) &&
		    add_extras(r, chunk, extras_at, row);
	}
	return fits;
}

static enum err_code
take_chunk(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	static const enum table_id dicts[] = {TABLE_RESOURCES, TABLE_SCOPES};
	struct reading *r = ctx;
	enum table_id ids[TABLES] = {r->f->signal, dicts[0], dicts[1]};
	idx_t at = 0;
	enum err_code code = ERR_OK;
	arena_reset(&r->arena);
	r->bad_json = 0;
	for (size_t i = 0; i < TABLES && code == ERR_OK; i++) {
		table_init(&r->tables[i], ids[i], &r->arena);
		code = duck_copy_chunk(chunk, at, &r->tables[i], err);
		at += table_defs[ids[i]].col_count;
	}
	if (code == ERR_OK && r->f->kind != SOURCE_WEIR && !convert_spans(r, chunk, at))
		code = err_set(err, ERR_BUSY, "no memory for rows");
	if (code != ERR_OK)
		return code;
	return r->take(r->ctx, &r->tables[0], &r->tables[1], &r->tables[2], r->bad_json, err);
}

static enum err_code
check_all(struct reading *r, duckdb_result *result, struct err *err)
{
	enum table_id ids[TABLES] = {r->f->signal, TABLE_RESOURCES, TABLE_SCOPES};
	idx_t at = 0;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < TABLES && code == ERR_OK; i++) {
		code = duck_check_types(result, at, &table_defs[ids[i]], err);
		at += table_defs[ids[i]].col_count;
	}
	return code;
}

enum err_code
duck_files_read(struct duck_files *f, uint64_t skip, duck_files_take take, void *ctx,
    struct err *err)
{
	struct reading r = {.f = f, .take = take, .ctx = ctx};
	struct duck_sql sql;
	duckdb_result result;
	duck_sql_init(&sql);
	put_select(f, &sql.text);
	if (skip > 0)
		buf_printf(&sql.text, " OFFSET %" PRIu64, skip);
	enum err_code code = duck_run(&f->duck, f->con, &sql, UINT64_MAX, &result, err);
	if (code == ERR_OK) {
		code = check_all(&r, &result, err);
		while (code == ERR_OK) {
			duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
			if (!chunk)
				break;
			code = take_chunk(&r, chunk, err);
			duckdb_destroy_data_chunk(&chunk);
		}
		const char *text = code == ERR_OK ? duckdb_result_error(&result) : NULL;
		if (text && *text)
			code =
			    duck_fail_query(&f->duck, duckdb_result_error_type(&result), text, err);
		duckdb_destroy_result(&result);
	}
	duck_sql_fini(&sql);
	arena_fini(&r.arena);
	return code;
}
