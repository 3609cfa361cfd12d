/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of the check: opening, asking, and what a failure says.
 *
 * A statement that fails is not the end: DuckDB refuses what it cannot read of one column, and the rest of the file
 * may be fine. So the columns of the table are read one by one, to name those that are damaged; what is asked of the
 * others is answered all the same. Out of memory, or cancelled, is another matter: then nothing can be said.
 */
#include "duck/duck_check.h"

#include "duck/duck_check_priv.h"

#include "base/limits.h"
#include "model/typed.h"
#include "sys/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	EXAMPLES_MAX = 10, /* of a kind and statement that are said; of the others the number */
	KEPT_MAX = 4096,
	TRIES = 3, /* before commits are kept out */
};

/* ---- what a statement gave */

struct said {
	struct buf texts; /* place NUL text NUL, KEPT_MAX at most */
	uint64_t count;
};

static enum err_code
take_said(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	struct said *said = ctx;
	(void)err;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++) {
		if (said->count++ >= KEPT_MAX)
			continue;
		for (idx_t col = 0; col < 2; col++) {
			buf_str(&said->texts, duck_chunk_text(chunk, col, i));
			buf_char(&said->texts, '\0');
		}
	}
	return ERR_OK;
}

static void
forget_said(void *ctx)
{
	struct said *said = ctx;
	buf_reset(&said->texts);
	said->count = 0;
}

/* ---- a statement that failed */

static enum err_code
begin(struct check *c, struct err *err)
{
	struct err ignored;
	if (duck_exec(c->d, c->con, "ROLLBACK", &ignored) != ERR_OK)
		err_clear(&ignored); /* there was none */
	return duck_exec(c->d, c->con, "BEGIN TRANSACTION READ ONLY", err);
}

static bool
is_about_the_file(enum err_code code)
{
	return code == ERR_IO || code == ERR_CORRUPT || code == ERR_INTERNAL ||
	    code == ERR_UNAVAILABLE;
}

/* Columns of a table that DuckDB cannot read. */
static enum err_code
read_each_column(struct check *c, struct check_table *t, const struct said *columns,
    uint64_t *found_out, struct err *err)
{
	const char *at = columns->texts.ptr;
	enum err_code code = ERR_OK;
	*found_out = 0;
	for (uint64_t i = 0; i < columns->count && code == ERR_OK && !c->over; i++) {
		char sql[200];
		uint64_t ignored;
		struct err why = {0};
		snprintf(sql, sizeof(sql), "SELECT bit_xor(hash(\"%.60s\"))::UBIGINT FROM %s", at,
		    t->name);
		if (duck_number(c->d, c->con, sql, &ignored, &why) != ERR_OK) {
			++*found_out;
			finding_say(c->opt->sink, FINDING_STORE_BLOCK, t->name,
			    "column %s cannot be read: %s; values of this table are lost: restore a backup",
			    at, why.message);
			c->over = atomic_load(&c->d->broken);
			code = c->over ? ERR_OK : begin(c, err);
		}
		at += strlen(at) + 2; /* and an empty text */
	}
	return code;
}

static enum err_code
name_columns(struct check *c, struct check_table *t, const struct err *why, struct err *err)
{
	struct duck_sql sql;
	struct said columns = {0};
	uint64_t found = 0;
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT column_name, '' FROM duckdb_columns() WHERE table_name = '%s' AND"
	    " database_name = current_database() ORDER BY column_index",
	    t->name);
	enum err_code code =
	    duck_read_chunks(c->d, c->con, &sql, UINT64_MAX, take_said, &columns, err);
	/* Not even that can be read, perhaps. */
	if (code != ERR_OK && is_about_the_file(code))
		code = begin(c, err);
	else if (code == ERR_OK)
		code = read_each_column(c, t, &columns, &found, err);
	if (code == ERR_OK && found == 0)
		finding_say(c->opt->sink, FINDING_STORE_BLOCK, t->name, "it cannot be read: %s",
		    why->message);
	t->damaged = found == 0;
	buf_fini(&columns.texts);
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
failed(struct check *c, struct check_table *t, struct err *err)
{
	struct err why = *err;
	if (!is_about_the_file(why.code))
		return why.code;
	c->refused = true;
	bool known = t && t->said;
	if (t)
		t->said = true;
	c->over = atomic_load(&c->d->broken);
	if (c->over) {
		finding_say(c->opt->sink, FINDING_STORE_UNREADABLE, t ? t->name : DUCK_FILE,
		    "%s; what comes behind it was not checked", why.message);
		return ERR_OK;
	}
	enum err_code code = begin(c, err);
	if (code == ERR_OK && known)
		return ERR_OK;
	if (code == ERR_OK && t)
		return name_columns(c, t, &why, err);
	if (code == ERR_OK)
		finding_say(c->opt->sink, FINDING_STORE_BLOCK, DUCK_FILE, "it cannot be read: %s",
		    why.message);
	return code;
}

/* ---- asking */

enum err_code
duck_check_read(struct check *c, struct check_table *t, struct duck_sql *sql,
    enum err_code (*take)(void *ctx, duckdb_data_chunk chunk, struct err *err),
    void (*forget)(void *ctx), void *ctx, struct err *err)
{
	struct duck_gate *gate = &c->d->gate;
	c->refused = false;
	for (unsigned tries = 0; !c->over; tries++) {
		uint64_t commits = 0;
		bool held = c->live && tries == TRIES && !c->any_answer;
		bool in_time = true;
		forget(ctx);
		if (held)
			in_time = duck_gate_hold(gate, UINT64_MAX);
		else if (c->live)
			in_time = duck_gate_look(gate, UINT64_MAX, &commits);
		CHECK(in_time);
		enum err_code code =
		    duck_read_chunks(c->d, c->con, sql, UINT64_MAX, take, ctx, err);
		if (held)
			duck_gate_release(gate);
		if (code != ERR_OK) {
			forget(ctx); /* a part of an answer is none */
			return failed(c, t, err);
		}
		if (!c->live || held || c->any_answer || duck_gate_same(gate, commits))
			return ERR_OK;
		if (take == take_said && ((struct said *)ctx)->count == 0)
			return ERR_OK; /* too little was seen, perhaps, but nothing wrong in it */
	}
	return ERR_OK;
}

enum err_code
duck_check_say(struct check *c, enum finding_kind kind, struct check_table *t, struct duck_sql *sql,
    struct err *err)
{
	struct said said = {0};
	enum err_code code = duck_check_read(c, t, sql, take_said, forget_said, &said, err);
	const char *at = said.texts.ptr;
	for (uint64_t i = 0; i < said.count && i < KEPT_MAX && code == ERR_OK; i++) {
		const char *place = at, *text = at + strlen(at) + 1;
		at = text + strlen(text) + 1;
		/* What its columns are not can be asked no more. */
		for (size_t k = 0; k < c->count && kind == FINDING_COLUMN_WRONG; k++)
			c->tables[k].damaged =
			    c->tables[k].damaged || strcmp(c->tables[k].name, place) == 0;
		if (i < EXAMPLES_MAX)
			finding_say(c->opt->sink, kind, place, "%s", text);
		else if (i == EXAMPLES_MAX)
			finding_say(c->opt->sink, kind, place,
			    "and so on: %" PRIu64 " more like the one before",
			    said.count - EXAMPLES_MAX);
	}
	buf_fini(&said.texts);
	duck_sql_reset(sql);
	return code;
}

static enum err_code
take_number(void *ctx, duckdb_data_chunk chunk, struct err *err)
{
	(void)err;
	duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
	uint64_t *out = ctx;
	if (duckdb_data_chunk_get_size(chunk) > 0 &&
	    duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), 0))
		*out = ((const uint64_t *)duckdb_vector_get_data(v))[0];
	return ERR_OK;
}

static void
forget_number(void *ctx)
{
	*(uint64_t *)ctx = 0;
}

enum err_code
duck_check_number(struct check *c, struct check_table *t, struct duck_sql *sql, uint64_t *out,
    struct err *err)
{
	*out = 0;
	enum err_code code = duck_check_read(c, t, sql, take_number, forget_number, out, err);
	duck_sql_reset(sql);
	return code;
}

/* ---- weir_is_typed() */

static bool
is_typed(struct str text, struct str kind, struct buf *scratch)
{
	char first = text.len > 0 ? text.ptr[0] : '\0';
	buf_reset(scratch);
	if (kind.len == 1 && kind.ptr[0] != 'v' && kind.ptr[0] != first)
		return false;
	return typed_write_api(text, scratch, NULL) == ERR_OK;
}

static void
run_is_typed(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
	struct buf scratch = {0};
	uint64_t *valid = duckdb_vector_get_validity(duckdb_data_chunk_get_vector(in, 0));
	bool *result = duckdb_vector_get_data(out);
	(void)info;
	for (idx_t i = 0; i < duckdb_data_chunk_get_size(in); i++)
		result[i] = !duckdb_validity_row_is_valid(valid, i) ||
		    is_typed(duck_chunk_text(in, 0, i), duck_chunk_text(in, 1, i), &scratch);
	buf_fini(&scratch);
}

enum err_code
duck_check_register(struct duck *d, duckdb_connection con, struct err *err)
{
	static const struct duck_function typed = {
	    "weir_is_typed", DUCKDB_TYPE_VARCHAR, 2, DUCKDB_TYPE_BOOLEAN, run_is_typed};
	return duck_functions_register(d, con, &typed, 1, err);
}

/* ---- a file that nobody has open */

static struct duck *
make_shell(struct str data_dir, const struct duck_check_options *opt)
{
	struct duck *d = xcalloc(1, sizeof(*d));
	unsigned cpus = thread_cpu_count();
	d->opt.memory_bytes_max = opt->memory_bytes_max ? opt->memory_bytes_max : LIMIT_GIB;
	d->opt.temp_bytes_max = 16 * LIMIT_GIB;
	d->opt.threads = opt->threads ? opt->threads : cpus < 16 ? cpus : 16;
	d->dir = xcalloc(data_dir.len + 1, 1);
	if (data_dir.len > 0)
		memcpy(d->dir, data_dir.ptr, data_dir.len);
	mutex_init(&d->text_lock);
	duck_gate_init(&d->gate);
	return d;
}

static void
free_shell(struct duck *d)
{
	if (d->db)
		duckdb_close(&d->db);
	duck_gate_fini(&d->gate);
	mutex_fini(&d->text_lock);
	free(d->dir);
	free(d);
}

static void
say_unopened(struct check *c, const char *why)
{
	static const char words[] = "byte position ";
	const char *at = strstr(why, words);
	bool of_before = duck_log_is_of_before(why);
	c->log_at = of_before ? 0 : at ? strtoull(at + sizeof(words) - 1, NULL, 10) : UINT64_MAX;
	if (of_before)
		finding_say(c->opt->sink, FINDING_STORE_LOG, DUCK_FILE ".wal",
		    "DuckDB's own log is of before the last checkpoint, and its end is missing: the next start "
		    "keeps a copy and empties it, for the file has what was in it");
	else if (strstr(why, "orrupt WAL") || strstr(why, "replaying WAL"))
		finding_say(c->opt->sink, FINDING_STORE_LOG, DUCK_FILE ".wal",
		    "DuckDB's own log is damaged: %.300s; the next start keeps a copy and cuts it there, and "
		    "the log of weir has what was behind",
		    why);
	else if (strstr(why, "newer version") || strstr(why, "storage version"))
		finding_say(c->opt->sink, FINDING_STORE_UNREADABLE, DUCK_FILE,
		    "DuckDB does not know the file's version: %.300s", why);
	else
		finding_say(c->opt->sink, FINDING_STORE_UNREADABLE, DUCK_FILE,
		    "DuckDB cannot open the file: %.300s; restore a backup", why);
}

enum err_code
duck_check_open(struct str data_dir, const struct duck_check_options *opt, bool read_only,
    struct check *c, struct err *err)
{
	char path[FILE_PATH_BYTES], temp[FILE_PATH_BYTES], *why = NULL;
	duckdb_config config = NULL;
	*c = (struct check){.opt = opt, .d = make_shell(data_dir, opt)};
	enum err_code code = file_join(data_dir, STR(DUCK_FILE), path, err);
	if (code == ERR_OK)
		code = file_join(data_dir, STR("tmp"), temp, err);
	if (code == ERR_OK && duckdb_create_config(&config) != DuckDBSuccess)
		code = err_set(err, ERR_UNAVAILABLE, "libduckdb gives no configuration");
	if (code == ERR_OK)
		code = duck_configure(config, &c->d->opt, temp, err);
	if (code == ERR_OK && read_only &&
	    duckdb_set_config(config, "access_mode", "READ_ONLY") != DuckDBSuccess)
		code = err_set(err, ERR_UNAVAILABLE, "libduckdb opens no file read-only");
	if (code == ERR_OK && duckdb_open_ext(path, &c->d->db, config, &why) != DuckDBSuccess) {
		say_unopened(c, why ? why : "no reason given");
		c->over = true;
	}
	duckdb_free(why);
	duckdb_destroy_config(&config);
	if (code == ERR_OK && !c->over && duckdb_connect(c->d->db, &c->con) != DuckDBSuccess)
		code = err_set(err, ERR_UNAVAILABLE, "the database gives no connection");
	if (code == ERR_OK && !c->over)
		code = duck_check_register(c->d, c->con, err);
	return code;
}

void
duck_check_close(struct check *c)
{
	if (c->con)
		duckdb_disconnect(&c->con);
	free_shell(c->d);
	free(c->tables);
	*c = (struct check){0};
}

/* ---- all of it */

/* It is read, whatever it says. */
static enum err_code
read_blocks(struct check *c, struct err *err)
{
	c->any_answer = true;
	enum err_code code = duck_check_blocks(c, err);
	c->any_answer = false;
	return code;
}

static enum err_code
run_parts(struct check *c, struct err *err)
{
	bool usable = false;
	enum err_code code = begin(c, err);
	if (code == ERR_OK)
		code = duck_check_schema(c, &usable, err);
	if (code == ERR_OK && usable && !c->opt->quick)
		code = read_blocks(c, err);
	if (code == ERR_OK && usable)
		code = duck_check_seals(c, err);
	if (code == ERR_OK && usable)
		code = duck_check_rows(c, err);
	if (code == ERR_OK && usable)
		code = duck_check_sums(c, err);
	struct err ignored;
	if (!c->over && duck_exec(c->d, c->con, "ROLLBACK", &ignored) != ERR_OK)
		err_clear(&ignored);
	return code;
}

enum err_code
duck_check_file(struct str data_dir, const struct duck_check_options *opt, struct duck_checked *out,
    struct err *err)
{
	char path[FILE_PATH_BYTES], mark[FILE_PATH_BYTES];
	struct check c;
	*out = (struct duck_checked){0};
	enum err_code code = file_join(data_dir, STR(DUCK_FILE), path, err);
	if (code == ERR_OK)
		code = file_join(data_dir, STR(DUCK_FILE ".checkpoint"), mark, err);
	out->is_there = code == ERR_OK && file_exists(path);
	if (code != ERR_OK || !out->is_there)
		return code;
	if (file_exists(mark))
		finding_say(opt->sink, FINDING_STORE_INTERRUPTED, DUCK_FILE,
		    "weir was stopped in the middle of a checkpoint: what that left half written is mended by "
		    "the next start, and is perhaps said to be damaged here");
	code = duck_check_open(data_dir, opt, true, &c, err);
	c.out = out;
	if (code == ERR_OK && !c.over)
		code = run_parts(&c, err);
	duck_check_close(&c);
	return code;
}

enum err_code
duck_check_store(struct store *s, const struct duck_check_options *opt, struct duck_checked *out,
    struct err *err)
{
	struct duck *d = duck_of(s);
	struct check c = {.d = d, .opt = opt, .out = out, .live = true};
	*out = (struct duck_checked){.is_there = true};
	enum err_code code = duck_pool_take(d, UINT64_MAX, &c.con, err);
	if (code != ERR_OK)
		return code;
	/* Until it ends nothing is removed from the file, and nothing that was is written over. */
	atomic_store(&d->check_gen, atomic_load(&d->generation));
	code = run_parts(&c, err);
	atomic_store(&d->check_gen, UINT64_MAX);
	duck_pool_give(d, c.con, c.over || code != ERR_OK);
	free(c.tables);
	return code;
}
