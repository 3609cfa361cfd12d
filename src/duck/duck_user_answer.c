/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statement runs, and its rows become the answer. The text of JSON, NDJSON and CSV is written here and sent in pieces.
 * Parquet is DuckDB's: COPY reads the rows of the running statement through a function, weir_result(), and writes them to a
 * file in memory. So the user's text is never part of another statement, and what COPY may write to is that one file.
 */
#include "duck/duck_priv.h"
#include "duck/duck_user_worker.h"

#include "wire/json_read.h"
#include "wire/json_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SEND_BYTES = 1 << 20,
	END_BYTES = 64, /* what comes behind the last row */
	ANSWER_COLUMNS_MAX = 10000,
};

struct answer {
	struct worker *worker;
	duckdb_connection con;
	duckdb_prepared_statement statement;
	duckdb_pending_result pending;
	duckdb_result result;
	bool running; /* there is a result */
	idx_t column_count;
	duckdb_logical_type *types;
	char **names; /* all different */
	struct buf out;
	uint64_t rows;
	bool truncated;
};

/* ---- errors, in the words of whoever wrote the statement */

/* Line and column of a place in the text, counted from 1. */
static void
place_of(const struct worker *w, uint64_t at, unsigned *line, unsigned *column)
{
	const char *s = w->query.sql ? w->query.sql : "";
	*line = 1;
	*column = 1;
	for (uint64_t i = 0; i < at && s[i]; i++) {
		*line += s[i] == '\n';
		*column = s[i] == '\n' ? 1 : *column + ((s[i] & 0xc0) != 0x80);
	}
}

bool
worker_fail_at(struct worker *w, struct str message, struct str position, size_t skip)
{
	char text[ERR_MESSAGE_BYTES], place[48] = "";
	size_t n = 0;
	uint64_t at;
	unsigned line, column;
	/* One line; what DuckDB lists below it (candidates) belongs to it, an excerpt of the statement does not, nor which
	 * setting would help. */
	for (size_t i = 0; i < message.len && n + 1 < sizeof(text); i++) {
		if (str_starts(str_skip(message, i), STR("\n\nLINE ")) ||
		    str_starts(str_skip(message, i), STR("\nLINE ")) ||
		    str_starts(str_skip(message, i), STR(" Use \"SET ")))
			break;
		char c = message.ptr[i];
		if (c == '\n' || c == '\t')
			c = ' ';
		if (!(c == ' ' && n > 0 && text[n - 1] == ' '))
			text[n++] = c;
	}
	text[n] = '\0';
	if (str_to_u64(position, &at) && skip != SIZE_MAX && at >= skip) {
		place_of(w, at - skip, &line, &column);
		snprintf(place, sizeof(place), " (line %u, column %u)", line, column);
	}
	size_t room = ERR_MESSAGE_BYTES - 1 - strlen(place);
	return worker_fail(w, ERR_INVALID, "%.*s%s", (int)(n < room ? n : room), text, place);
}

static bool
is_about_memory(struct str type, struct str message)
{
	return str_eq(type, STR("Out of Memory")) ||
	    memmem(message.ptr, message.len, "bad_alloc", 9) ||
	    memmem(message.ptr, message.len, "Out of Memory", 13) ||
	    memmem(message.ptr, message.len, "failed to allocate", 18) ||
	    memmem(message.ptr, message.len, "could not allocate", 18);
}

static bool
fail_by_type(struct worker *w, struct str type, struct str message, struct str position,
    size_t skip)
{
	if (is_about_memory(type, message))
		return worker_fail(w, ERR_TOO_LARGE,
		    "the query needs more than the %" PRIu64 " MiB of memory and %" PRIu64
		    " MiB of disk that it may have: ask for less, with bounds on the time or fewer columns",
		    w->memory_bytes >> 20, w->temp_bytes >> 20);
	if (str_eq(type, STR("INTERNAL")) || str_eq(type, STR("FATAL")))
		return worker_fail(w, ERR_INTERNAL, "the database failed at this query: %.*s",
		    (int)(message.len < 100 ? message.len : 100), message.ptr);
	if (str_eq(type, STR("IO")))
		return worker_fail(w, ERR_TOO_LARGE, "the query needs more disk than it may have");
	if (str_eq(type, STR("Permission")))
		return worker_fail(w, ERR_INVALID, "files and the like cannot be read here");
	return worker_fail_at(w, message, position, skip);
}

bool
worker_fail_duck(struct worker *w, const char *text, size_t skip)
{
	struct json_reader r;
	struct arena arena = {0};
	struct str key = STR_EMPTY, type = STR_EMPTY, message = STR_EMPTY, position = STR_EMPTY;
	struct str all = str_from(text ? text : "no reason given");
	enum json_token t;
	jsonr_begin(&r, all);
	while ((t = jsonr_next(&r)) != JSON_END && t != JSON_ERROR) {
		if (t == JSON_KEY)
			key = jsonr_string(&r, &arena);
		if (t != JSON_STRING)
			continue;
		struct str value = jsonr_string(&r, &arena);
		if (str_eq(key, STR("exception_type")))
			type = value;
		else if (str_eq(key, STR("exception_message")))
			message = value;
		else if (str_eq(key, STR("position")))
			position = value;
	}
	if (!message.ptr)
		message = all;
	fail_by_type(w, type, message, position, skip);
	arena_fini(&arena);
	return false;
}

/* ---- the statement */

static bool
fail_result(struct answer *a)
{
	return worker_fail_duck(a->worker, duckdb_result_error(&a->result), 0);
}

static bool
begin(struct answer *a, struct str sql)
{
	struct worker *w = a->worker;
	(void)sql;
	if (duckdb_connect(w->db, &a->con) != DuckDBSuccess)
		return worker_fail(w, ERR_INTERNAL, "the database gives no connection");
	if (duckdb_prepare(a->con, w->query.sql, &a->statement) != DuckDBSuccess)
		return worker_fail_duck(w, duckdb_prepare_error(a->statement), 0);
	/* What the tree said, once more. */
	if (duckdb_prepared_statement_type(a->statement) != DUCKDB_STATEMENT_TYPE_SELECT)
		return worker_fail(w, ERR_INVALID, "only SELECT can be run");
	if (duckdb_pending_prepared_streaming(a->statement, &a->pending) != DuckDBSuccess)
		return worker_fail_duck(w, duckdb_pending_error(a->pending), 0);
	a->running = true;
	if (duckdb_execute_pending(a->pending, &a->result) != DuckDBSuccess)
		return fail_result(a);
	return true;
}

static void
end(struct answer *a)
{
	if (a->running)
		duckdb_destroy_result(&a->result);
	duckdb_destroy_pending(&a->pending);
	duckdb_destroy_prepare(&a->statement);
	if (a->con)
		duckdb_disconnect(&a->con);
	for (idx_t c = 0; c < a->column_count; c++) {
		duckdb_destroy_logical_type(&a->types[c]);
		free(a->names[c]);
	}
	free(a->types);
	free(a->names);
	buf_fini(&a->out);
}

static bool
is_taken(const struct answer *a, idx_t before, const char *name)
{
	for (idx_t i = 0; i < before; i++)
		if (strcmp(a->names[i], name) == 0)
			return true;
	return false;
}

/* A second "n" is "n_2", or the next number that is free. */
static char *
own_name(const struct answer *a, idx_t column)
{
	const char *name = duckdb_column_name((duckdb_result *)(uintptr_t)&a->result, column);
	size_t size = strlen(name ? name : "") + 16;
	char *own = xcalloc(size, 1);
	snprintf(own, size, "%s", name ? name : "");
	for (unsigned n = 2; is_taken(a, column, own); n++)
		snprintf(own, size, "%s_%u", name ? name : "", n);
	return own;
}

static bool
look_at_columns(struct answer *a)
{
	idx_t count = duckdb_column_count(&a->result);
	if (count > ANSWER_COLUMNS_MAX)
		return worker_fail(a->worker, ERR_TOO_LARGE, "more than %d columns",
		    ANSWER_COLUMNS_MAX);
	a->types = xcalloc(count + 1, sizeof(duckdb_logical_type));
	a->names = xcalloc(count + 1, sizeof(char *));
	for (idx_t c = 0; c < count; c++) {
		a->types[c] = duckdb_column_logical_type(&a->result, c);
		a->names[c] = own_name(a, c);
		a->column_count = c + 1;
		if (!worker_knows_type(a->types[c]))
			return worker_fail(a->worker, ERR_INVALID,
			    "column %.60s is of a type that has no form in an answer: cast it, like \"%.60s\"::VARCHAR",
			    a->names[c], a->names[c]);
	}
	return true;
}

/* ---- text */

static void
send_out(struct answer *a)
{
	struct worker *w = a->worker;
	struct buf frame = {0};
	if (a->out.len == 0)
		return;
	size_t place = user_begin(&frame, 'B');
	buf_str(&frame, buf_view(&a->out));
	user_finish(&frame, place);
	worker_send(w, &frame);
	w->sent_bytes += a->out.len;
	buf_fini(&frame);
	buf_reset(&a->out);
}

static void
put_columns(struct answer *a)
{
	struct json_writer w;
	struct buf type = {0};
	json_writer_init(&w, &a->out);
	jsonw_object(&w);
	jsonw_key(&w, "columns");
	jsonw_array(&w);
	for (idx_t c = 0; c < a->column_count; c++) {
		buf_reset(&type);
		worker_put_type(&type, a->types[c]);
		jsonw_object(&w);
		jsonw_key(&w, "name");
		jsonw_str(&w, str_from(a->names[c]));
		jsonw_key(&w, "type");
		jsonw_str(&w, buf_view(&type));
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	buf_str(&a->out, STR(",\"rows\":["));
	buf_fini(&type);
}

static void
put_object(struct answer *a, duckdb_data_chunk chunk, idx_t row)
{
	struct json_writer w;
	buf_char(&a->out, '{');
	for (idx_t c = 0; c < a->column_count; c++) {
		if (c > 0)
			buf_char(&a->out, ',');
		json_writer_init(&w, &a->out);
		jsonw_str(&w, str_from(a->names[c]));
		buf_char(&a->out, ':');
		worker_put_json(&a->out, a->types[c], duckdb_data_chunk_get_vector(chunk, c), row);
	}
	buf_char(&a->out, '}');
}

/* RFC 4180: quotes where they are needed. An empty text is "", NULL is nothing at all. */
static void
put_field(struct buf *out, struct str text, bool is_null)
{
	bool plain = text.len > 0 && text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ';
	for (size_t i = 0; i < text.len && plain; i++)
		plain = !strchr("\",\r\n", text.ptr[i]) || text.ptr[i] == '\0';
	if (plain || is_null) {
		buf_str(out, text);
		return;
	}
	buf_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"')
			buf_char(out, '"');
		buf_char(out, text.ptr[i]);
	}
	buf_char(out, '"');
}

static void
put_fields(struct answer *a, duckdb_data_chunk chunk, idx_t row)
{
	struct buf text = {0};
	for (idx_t c = 0; c < a->column_count; c++) {
		if (c > 0)
			buf_char(&a->out, ',');
		buf_reset(&text);
		duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
		bool is_null = duckdb_get_type_id(a->types[c]) == DUCKDB_TYPE_SQLNULL ||
		    !duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), row);
		worker_put_csv(&text, a->types[c], v, row);
		put_field(&a->out, buf_view(&text), is_null);
	}
	buf_str(&a->out, STR("\r\n"));
	buf_fini(&text);
}

static void
put_header(struct answer *a)
{
	if (a->worker->query.format == STORE_SQL_JSON)
		put_columns(a);
	if (a->worker->query.format != STORE_SQL_CSV)
		return;
	for (idx_t c = 0; c < a->column_count; c++) {
		if (c > 0)
			buf_char(&a->out, ',');
		put_field(&a->out, str_from(a->names[c]), false);
	}
	buf_str(&a->out, STR("\r\n"));
}

/* False: it does not fit any more. */
static bool
put_row(struct answer *a, duckdb_data_chunk chunk, idx_t row)
{
	struct worker *w = a->worker;
	size_t before = a->out.len;
	if (w->query.format == STORE_SQL_CSV) {
		put_fields(a, chunk, row);
	} else {
		if (w->query.format == STORE_SQL_JSON && a->rows > 0)
			buf_char(&a->out, ',');
		put_object(a, chunk, row);
		if (w->query.format == STORE_SQL_NDJSON)
			buf_char(&a->out, '\n');
	}
	if (w->sent_bytes + a->out.len + END_BYTES <= w->query.bytes_max && !a->out.failed) {
		a->rows++;
		return true;
	}
	a->out.len = before;
	a->out.failed = false;
	return false;
}

/* False: the last row has been written. */
static bool
put_chunk(struct answer *a, duckdb_data_chunk chunk)
{
	idx_t count = duckdb_data_chunk_get_size(chunk);
	for (idx_t row = 0; row < count && !a->truncated; row++) {
		a->truncated = a->rows == a->worker->query.row_max || !put_row(a, chunk, row);
		if (a->out.len >= SEND_BYTES)
			send_out(a);
	}
	return !a->truncated;
}

static bool
write_text(struct answer *a)
{
	bool more = true;
	put_header(a);
	while (more) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(a->result);
		if (!chunk)
			break;
		more = put_chunk(a, chunk);
		duckdb_destroy_data_chunk(&chunk);
	}
	const char *text = more ? duckdb_result_error(&a->result) : NULL;
	if (text && *text)
		return fail_result(a);
	if (a->truncated && a->rows == 0)
		return worker_fail(a->worker, ERR_TOO_LARGE,
		    "the first row is larger than the %" PRIu64 " bytes an answer may have",
		    a->worker->query.bytes_max);
	if (a->worker->query.format == STORE_SQL_JSON)
		buf_printf(&a->out, "],\"count\":%" PRIu64 ",\"truncated\":%s}\n", a->rows,
		    a->truncated ? "true" : "false");
	return true;
}

/* ---- Parquet */

static void
bind_result(duckdb_bind_info info)
{
	struct worker *w = duckdb_bind_get_extra_info(info);
	const struct answer *a = w->answer;
	if (!a) {
		duckdb_bind_set_error(info, "there is no result");
		return;
	}
	for (idx_t c = 0; c < a->column_count; c++)
		duckdb_bind_add_result_column(info, a->names[c], a->types[c]);
}

static void
init_result(duckdb_init_info info)
{
	duckdb_init_set_max_threads(info, 1);
	duckdb_init_set_init_data(info, xcalloc(1, 1), free);
}

static void
give_result(duckdb_function_info info, duckdb_data_chunk out)
{
	struct worker *w = duckdb_function_get_extra_info(info);
	struct answer *a = w->answer;
	duckdb_data_chunk chunk = a->truncated ? NULL : duckdb_fetch_chunk(a->result);
	duckdb_data_chunk_set_size(out, 0);
	if (!chunk) {
		const char *text = a->truncated ? NULL : duckdb_result_error(&a->result);
		if (text && *text) {
			fail_result(a);
			duckdb_function_set_error(info, "the query failed");
		}
		return;
	}
	idx_t count = duckdb_data_chunk_get_size(chunk);
	if (a->rows + count > w->query.row_max) {
		count = w->query.row_max - a->rows;
		a->truncated = true;
	}
	for (idx_t c = 0; c < a->column_count; c++)
		duckdb_vector_reference_vector(duckdb_data_chunk_get_vector(out, c),
		    duckdb_data_chunk_get_vector(chunk, c));
	duckdb_data_chunk_set_size(out, count);
	a->rows += count;
	duckdb_destroy_data_chunk(&chunk);
}

bool
user_register_result(struct worker *w)
{
	duckdb_table_function f = duckdb_create_table_function();
	duckdb_table_function_set_name(f, "weir_result");
	duckdb_table_function_set_extra_info(f, w, NULL);
	duckdb_table_function_set_bind(f, bind_result);
	duckdb_table_function_set_init(f, init_result);
	duckdb_table_function_set_function(f, give_result);
	bool good = duckdb_register_table_function(w->con, f) == DuckDBSuccess;
	duckdb_destroy_table_function(&f);
	return good || worker_fail(w, ERR_INTERNAL, "the function of results cannot be made");
}

static bool has_type(duckdb_logical_type type, duckdb_type a, duckdb_type b);

/* `child` is let go of. */
static bool
child_has_type(duckdb_logical_type child, duckdb_type a, duckdb_type b)
{
	bool has = has_type(child, a, b);
	duckdb_destroy_logical_type(&child);
	return has;
}

/* Itself, or in it: what Parquet would lose digits of. */
static bool
has_type(duckdb_logical_type type, duckdb_type a, duckdb_type b)
{
	duckdb_type id = duckdb_get_type_id(type);
	bool has = id == a || id == b;
	if (id == DUCKDB_TYPE_LIST)
		return child_has_type(duckdb_list_type_child_type(type), a, b);
	if (id == DUCKDB_TYPE_ARRAY)
		return child_has_type(duckdb_array_type_child_type(type), a, b);
	if (id == DUCKDB_TYPE_MAP)
		return child_has_type(duckdb_map_type_key_type(type), a, b) ||
		    child_has_type(duckdb_map_type_value_type(type), a, b);
	for (idx_t i = 0;
	    id == DUCKDB_TYPE_STRUCT && !has && i < duckdb_struct_type_child_count(type); i++)
		has = child_has_type(duckdb_struct_type_child_type(type, i), a, b);
	for (idx_t i = 0;
	    id == DUCKDB_TYPE_UNION && !has && i < duckdb_union_type_member_count(type); i++)
		has = child_has_type(duckdb_union_type_member_type(type, i), a, b);
	return has;
}

static void
put_identifier(struct buf *sql, const char *name)
{
	buf_char(sql, '"');
	for (; *name; name++) {
		if (*name == '"')
			buf_char(sql, '"');
		buf_char(sql, *name);
	}
	buf_char(sql, '"');
}

/* HUGEINT and UHUGEINT would become DOUBLE, INTERVAL would lose what is below a millisecond. */
static bool
put_parquet_column(struct answer *a, struct buf *sql, idx_t c)
{
	duckdb_type id = duckdb_get_type_id(a->types[c]);
	bool huge = id == DUCKDB_TYPE_HUGEINT || id == DUCKDB_TYPE_UHUGEINT;
	bool as_text = id == DUCKDB_TYPE_INTERVAL || id == DUCKDB_TYPE_TIME_TZ ||
	    id == DUCKDB_TYPE_BIT || id == DUCKDB_TYPE_SQLNULL;
	if (!huge && has_type(a->types[c], DUCKDB_TYPE_HUGEINT, DUCKDB_TYPE_UHUGEINT))
		return worker_fail(a->worker, ERR_INVALID,
		    "column %.60s has HUGEINT inside, which Parquet would round: cast it to BIGINT, DECIMAL or VARCHAR",
		    a->names[c]);
	buf_str(sql, c > 0 ? STR(", ") : STR(""));
	put_identifier(sql, a->names[c]);
	if (!huge && !as_text)
		return true;
	buf_str(sql, huge ? STR("::DECIMAL(38,0) AS ") : STR("::VARCHAR AS "));
	put_identifier(sql, a->names[c]);
	return true;
}

static bool
take_file(void *ctx, const void *bytes, size_t n)
{
	struct answer *a = ctx;
	buf_append(&a->out, bytes, n);
	if (a->out.len >= SEND_BYTES)
		send_out(a);
	return !a->out.failed;
}

static bool
write_parquet(struct answer *a)
{
	struct worker *w = a->worker;
	struct buf sql = {0};
	bool good = true;
	buf_str(&sql, STR("COPY (SELECT "));
	for (idx_t c = 0; c < a->column_count && good; c++)
		good = put_parquet_column(a, &sql, c);
	buf_printf(&sql,
	    " FROM weir_result()) TO '/proc/self/fd/%d' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
	    w->result_fd);
	buf_char(&sql, '\0');
	child_empty_file(w->result_fd);
	w->answer = a;
	good = good && !sql.failed && worker_exec(w, sql.ptr);
	w->answer = NULL;
	if (good && !child_read_file(w->result_fd, take_file, a))
		good = worker_fail(w, ERR_INTERNAL, "the answer's file cannot be read");
	child_empty_file(w->result_fd);
	buf_fini(&sql);
	return good;
}

/* ---- */

static void
say_done(const struct answer *a)
{
	struct buf frame = {0};
	size_t place = user_begin(&frame, 'D');
	user_put_u64(&frame, a->rows);
	user_put_u8(&frame, a->truncated);
	user_finish(&frame, place);
	worker_send(a->worker, &frame);
	buf_fini(&frame);
}

bool
user_answer(struct worker *w, struct str sql)
{
	struct answer a = {.worker = w};
	buf_init(&a.out, w->query.bytes_max + SEND_BYTES);
	bool good = begin(&a, sql) && look_at_columns(&a);
	if (good)
		good = w->query.format == STORE_SQL_PARQUET ? write_parquet(&a) : write_text(&a);
	if (good)
		send_out(&a);
	/* Its threads end before the other side hears that no more rows are needed. */
	struct answer told = a;
	end(&a);
	if (good)
		say_done(&told);
	return good;
}
