/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_priv.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	SQL_BYTES_MAX = 64 << 20,
	LITERAL_BYTES_MAX = 256,
	/* What a query that has nothing to do for the moment sleeps: grows to the second. */
	WAIT_NS_MIN = 20000,
	WAIT_NS_MAX = 1000000,
};

void
duck_sql_init(struct duck_sql *q)
{
	*q = (struct duck_sql){0};
	buf_init(&q->text, SQL_BYTES_MAX);
}

void
duck_sql_fini(struct duck_sql *q)
{
	buf_fini(&q->text);
}

void
duck_sql_reset(struct duck_sql *q)
{
	buf_reset(&q->text);
	q->param_count = 0;
	q->failed = false;
}

static bool
same_place(struct str a, struct str b)
{
	return a.ptr == b.ptr && a.len == b.len;
}

void
duck_sql_quoted(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\'')
			buf_char(out, '\'');
		buf_char(out, s.ptr[i]);
	}
}

void
duck_sql_text(struct duck_sql *q, struct str value)
{
	size_t i = 0;
	while (i < q->param_count && !same_place(q->params[i], value))
		i++;
	if (i == q->param_count && !utf8_valid(value)) {
		q->failed = true;
		return;
	}
	/* A statement with parameters is planned twice: 0.4 ms for a trace. The parser ends at a NUL. */
	if (value.len <= LITERAL_BYTES_MAX &&
	    (value.len == 0 || !memchr(value.ptr, 0, value.len))) {
		buf_char(&q->text, '\'');
		duck_sql_quoted(&q->text, value);
		buf_str(&q->text, STR("'::VARCHAR"));
		return;
	}
	if (i == DUCK_PARAMS_MAX) {
		q->failed = true;
		return;
	}
	if (i == q->param_count)
		q->params[q->param_count++] = value;
	buf_printf(&q->text, "$%zu::VARCHAR", i + 1);
}

/* Without the cast a literal beyond INT64_MAX is a HUGEINT, and then no zone map is used. */
void
duck_sql_u64(struct duck_sql *q, uint64_t v)
{
	buf_printf(&q->text, "%" PRIu64 "::UBIGINT", v);
}

void
duck_sql_i64(struct duck_sql *q, int64_t v)
{
	/* In quotes, for -9223372036854775808 unquoted is minus a HUGEINT. */
	buf_printf(&q->text, "'%" PRId64 "'::BIGINT", v);
}

void
duck_sql_gens(struct duck_sql *q, uint64_t min, uint64_t max)
{
	buf_str(&q->text, STR("gen >= "));
	duck_sql_u64(q, min);
	buf_str(&q->text, STR(" AND gen <= "));
	duck_sql_u64(q, max);
}

static void
mark_broken(struct duck *d, const char *text)
{
	mutex_lock(&d->text_lock);
	if (!atomic_load(&d->broken))
		snprintf(d->text, sizeof(d->text), "the database must be opened anew: %.120s",
		    text);
	mutex_unlock(&d->text_lock);
	atomic_store(&d->broken, true);
}

/* One line of it, without the folder: some errors are shown to clients. */
static void
first_line(const struct duck *d, const char *text, char *out, size_t n)
{
	size_t used = 0, dir = d->dir ? strlen(d->dir) : 0; /* one in memory has no folder */
	if (!text || !*text)
		text = "no reason given";
	/* What follows the first line is an excerpt of our own SQL. */
	while (*text && *text != '\r' && *text != '\n' && used + 1 < n) {
		if (dir > 0 && strncmp(text, d->dir, dir) == 0 && text[dir] == '/')
			text += dir + 1;
		else
			out[used++] = *text++;
	}
	out[used] = '\0';
}

/* A COMMIT that fails for whatever reason is a transaction error; of the reason there is only the text. */
static bool
is_about_memory(const char *text)
{
	return text &&
	    (strstr(text, "Out of Memory") || strstr(text, "could not allocate") ||
	        strstr(text, "failed to allocate") || strstr(text, "failed to pin"));
}

static bool
is_about_files(const char *text)
{
	return text &&
	    (strstr(text, " file \"") || strstr(text, "nput/output error") ||
	        strstr(text, "fsync"));
}

enum err_code
duck_fail(struct duck *d, duckdb_error_type type, const char *text, struct err *err)
{
	char line[160];
	first_line(d, text, line, sizeof(line));
	if (type == DUCKDB_ERROR_FATAL || type == DUCKDB_ERROR_INTERNAL ||
	    strstr(line, "database has been invalidated")) {
		mark_broken(d, line);
		return err_set(err, ERR_UNAVAILABLE, "the database must be opened anew: %s", line);
	}
	if (text && strstr(text, "No space left on device"))
		return err_set(err, ERR_BUSY, "disk full: %s", line);
	if (type == DUCKDB_ERROR_INTERRUPT)
		return err_set(err, ERR_DEADLINE, "the query was interrupted");
	if (type == DUCKDB_ERROR_OUT_OF_MEMORY ||
	    (type == DUCKDB_ERROR_TRANSACTION && is_about_memory(text)))
		return err_set(err, ERR_TOO_LARGE, "the database's memory limit was reached: %s",
		    line);
	if (type == DUCKDB_ERROR_IO || (type == DUCKDB_ERROR_TRANSACTION && is_about_files(text)))
		return err_set(err, ERR_IO, "database: %s", line);
	return err_set(err, ERR_INTERNAL, "database: %s", line);
}

/* The C interface gives a pending query's error as text only. */
static duckdb_error_type
type_of_text(const char *text)
{
	static const struct {
		const char *prefix;
		duckdb_error_type type;
	} types[] = {
	    {"Out of Memory Error", DUCKDB_ERROR_OUT_OF_MEMORY},
	    {"INTERRUPT Error", DUCKDB_ERROR_INTERRUPT},
	    {"IO Error", DUCKDB_ERROR_IO},
	    {"TransactionContext Error", DUCKDB_ERROR_TRANSACTION},
	    {"FATAL Error", DUCKDB_ERROR_FATAL},
	    {"INTERNAL Error", DUCKDB_ERROR_INTERNAL},
	};
	for (size_t i = 0; text && i < ARRAY_LEN(types); i++)
		if (strncmp(text, types[i].prefix, strlen(types[i].prefix)) == 0)
			return types[i].type;
	return text && strstr(text, "bad_alloc") ? DUCKDB_ERROR_OUT_OF_MEMORY
	                                         : DUCKDB_ERROR_INVALID;
}

enum err_code
duck_fail_query(struct duck *d, duckdb_error_type type, const char *text, struct err *err)
{
	/* A query that is fetched from after another thread of it failed: the cause comes second. */
	const char *cause = text ? strstr(text, "\nError: ") : NULL;
	if (cause)
		text = cause + strlen("\nError: ");
	if (cause || type == DUCKDB_ERROR_INVALID || type == DUCKDB_ERROR_UNKNOWN_TYPE)
		type = type_of_text(text);
	if (type != DUCKDB_ERROR_OUT_OF_MEMORY)
		return duck_fail(d, type, text, err);
	return err_set(err, ERR_TOO_LARGE,
	    "the query needs more memory than the %" PRIu64
	    " MiB the database may use: ask for less, with a smaller limit, a filter or a shorter "
	    "time",
	    d->opt.memory_bytes_max / LIMIT_MIB);
}

enum err_code
duck_fail_append(struct duck *d, duckdb_appender app, struct err *err)
{
	duckdb_error_data data = duckdb_appender_error_data(app);
	enum err_code code =
	    duck_fail(d, duckdb_error_data_error_type(data), duckdb_error_data_message(data), err);
	duckdb_destroy_error_data(&data);
	return code;
}

enum err_code
duck_append_each(struct duck *d, duckdb_connection con, const char *table, size_t count,
    bool (*append)(duckdb_appender app, const void *ctx, size_t i), const void *ctx,
    struct err *err)
{
	duckdb_appender app = NULL;
	enum err_code code = ERR_OK;
	bool ok = duckdb_appender_create(con, NULL, table, &app) == DuckDBSuccess;
	for (size_t i = 0; i < count && ok; i++)
		ok = append(app, ctx, i);
	if (ok)
		ok = duckdb_appender_close(app) == DuckDBSuccess;
	if (!ok)
		code = duck_fail_append(d, app, err);
	duckdb_appender_destroy(&app);
	return code;
}

enum err_code
duck_exec(struct duck *d, duckdb_connection con, const char *sql, struct err *err)
{
	duckdb_result result = {0};
	enum err_code code = ERR_OK;
	if (duckdb_query(con, sql, &result) != DuckDBSuccess)
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_destroy_result(&result);
	return code;
}

bool
duck_time_is_up(const struct duck *d, uint64_t deadline_mono_ns)
{
	return atomic_load_explicit(&d->cancelled, memory_order_relaxed) ||
	    clock_mono_ns() >= deadline_mono_ns;
}

static enum err_code
bind_all(struct duck *d, duckdb_prepared_statement st, const struct duck_sql *q, struct err *err)
{
	CHECK(duckdb_nparams(st) == q->param_count);
	for (size_t i = 0; i < q->param_count; i++) {
		struct str s = q->params[i];
		if (duckdb_bind_varchar_length(st, i + 1, s.ptr ? s.ptr : "", s.len) !=
		    DuckDBSuccess)
			return duck_fail(d, DUCKDB_ERROR_INVALID, duckdb_prepare_error(st), err);
	}
	return ERR_OK;
}

/* Work on the query in this thread and look at the clock in between: a task is a few milliseconds
 * at most. There is nothing to do while the threads of DuckDB hold all that is left of it. Those do
 * not stop by themselves when the query is thrown away, only when it is interrupted. */
static enum err_code
drive(struct duck *d, duckdb_connection con, duckdb_pending_result pending,
    uint64_t deadline_mono_ns, duckdb_result *result, struct err *err)
{
	uint64_t wait_ns = WAIT_NS_MIN;
	for (;;) {
		duckdb_pending_state state = duckdb_pending_execute_task(pending);
		/* To execute it all the same would only say that it has failed, not why. */
		if (state == DUCKDB_PENDING_ERROR)
			return duck_fail_query(d, DUCKDB_ERROR_INVALID,
			    duckdb_pending_error(pending), err);
		if (duckdb_pending_execution_is_finished(state))
			break;
		if (duck_time_is_up(d, deadline_mono_ns)) {
			duckdb_interrupt(con);
			return err_set(err, ERR_DEADLINE, "the query did not end in its time");
		}
		if (state != DUCKDB_PENDING_NO_TASKS_AVAILABLE)
			continue;
		clock_sleep_ns(wait_ns);
		wait_ns = wait_ns * 2 < WAIT_NS_MAX ? wait_ns * 2 : WAIT_NS_MAX;
	}
	if (duckdb_execute_pending(pending, result) == DuckDBSuccess)
		return ERR_OK;
	enum err_code code =
	    duck_fail_query(d, duckdb_result_error_type(result), duckdb_result_error(result), err);
	duckdb_destroy_result(result);
	return code;
}

enum err_code
duck_run(struct duck *d, duckdb_connection con, struct duck_sql *q, uint64_t deadline_mono_ns,
    duckdb_result *result, struct err *err)
{
	buf_char(&q->text, '\0');
	if (q->failed)
		return err_set(err, ERR_INVALID,
		    "a filter is not valid UTF-8, or there are too many");
	if (q->text.failed)
		return err_set(err, ERR_TOO_LARGE, "the query is too long");
	*result = (duckdb_result){0};
	duckdb_prepared_statement st = NULL;
	duckdb_pending_result pending = NULL;
	enum err_code code = ERR_OK;
	if (duckdb_prepare(con, q->text.ptr, &st) != DuckDBSuccess)
		code = duck_fail_query(d, DUCKDB_ERROR_INVALID, duckdb_prepare_error(st), err);
	if (code == ERR_OK)
		code = bind_all(d, st, q, err);
	/* Streaming: the rows are not copied once more before we copy them. */
	if (code == ERR_OK && duckdb_pending_prepared_streaming(st, &pending) != DuckDBSuccess)
		code = duck_fail_query(d, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), err);
	if (code == ERR_OK)
		code = drive(d, con, pending, deadline_mono_ns, result, err);
	duckdb_destroy_pending(&pending);
	duckdb_destroy_prepare(&st);
	return code;
}

enum err_code
duck_number(struct duck *d, duckdb_connection con, const char *sql, uint64_t *out, struct err *err)
{
	duckdb_result result = {0};
	enum err_code code = ERR_OK;
	*out = 0;
	if (duckdb_query(con, sql, &result) != DuckDBSuccess)
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_data_chunk chunk = code == ERR_OK ? duckdb_fetch_chunk(result) : NULL;
	if (chunk && duckdb_data_chunk_get_size(chunk) > 0) {
		CHECK(duckdb_column_type(&result, 0) == DUCKDB_TYPE_UBIGINT);
		duckdb_vector v = duckdb_data_chunk_get_vector(chunk, 0);
		if (duckdb_validity_row_is_valid(duckdb_vector_get_validity(v), 0))
			*out = ((const uint64_t *)duckdb_vector_get_data(v))[0];
	}
	duckdb_destroy_data_chunk(&chunk);
	duckdb_destroy_result(&result);
	return code;
}
