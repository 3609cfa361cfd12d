/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory has to know of spans and requests in the file before the first append: read once, on the
 * sealer's thread, while the listeners are open already.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <inttypes.h>

enum { KEYS_AT_ONCE = DUCK_CHUNK_ROWS, COVERED_DAYS_BACK = 1 };

/* tenant, trace_hi, trace_lo, span_id */
static void
add_spans(duckdb_data_chunk chunk, struct ident_set *set, struct ident_filter *filter)
{
	struct hash128 keys[KEYS_AT_ONCE];
	const void *tenants = duck_chunk_column(chunk, 0);
	const uint64_t *hi = duck_chunk_words(chunk, 1), *lo = duck_chunk_words(chunk, 2),
	               *id = duck_chunk_words(chunk, 3);
	idx_t n = duckdb_data_chunk_get_size(chunk);
	CHECK(n <= KEYS_AT_ONCE);
	for (idx_t row = 0; row < n; row++) {
		keys[row] = ident_span(duck_text_at(tenants, row), hi[row], lo[row], id[row]);
		if (set)
			(void)ident_set_add(set, keys[row], 0, 0);
	}
	if (filter)
		ident_filter_add(filter, keys, n);
}

enum err_code
duck_ident_read(struct duck *d, duckdb_connection con, struct duck_sql *sql, struct ident_set *set,
    struct ident_filter *filter, struct err *err)
{
	duckdb_result result;
	enum err_code code = duck_run(d, con, sql, UINT64_MAX, &result, err);
	if (code != ERR_OK)
		return code;
	while (code == ERR_OK) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
		if (!chunk || duckdb_data_chunk_get_size(chunk) == 0) {
			duckdb_destroy_data_chunk(&chunk);
			break;
		}
		add_spans(chunk, set, filter);
		duckdb_destroy_data_chunk(&chunk);
		if (atomic_load(&d->cancelled))
			code = err_set(err, ERR_CANCELLED, "weir is stopping");
	}
	if (code == ERR_OK && duckdb_result_error(&result))
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_destroy_result(&result);
	return code;
}

static enum err_code
read_table(struct duck *d, duckdb_connection con, const struct duck_table *t, struct err *err)
{
	struct duck_sql sql;
	char name[DUCK_TABLE_NAME_BYTES];
	duck_sql_init(&sql);
	duck_schema_table_name(&table_defs[TABLE_SPANS], t->day, name);
	buf_printf(&sql.text, "SELECT tenant, trace_hi, trace_lo, span_id FROM %s", name);
	enum err_code code = duck_ident_read(d, con, &sql, NULL, d->writer.filter, err);
	duck_sql_fini(&sql);
	return code;
}

static enum err_code
read_requests(struct duck *d, duckdb_connection con, struct err *err)
{
	struct duck_sql sql;
	duckdb_result result;
	uint64_t now = d->opt.now_unix_ns();
	uint64_t since = now > d->opt.request_age_ns ? now - d->opt.request_age_ns : 0;
	duck_sql_init(&sql);
	buf_printf(&sql.text,
	    "SELECT hi, lo, seq, received_ns FROM (SELECT * FROM requests WHERE received_ns >= %" PRIu64
	    "::UBIGINT ORDER BY seq DESC LIMIT %" PRIu64 ") ORDER BY seq",
	    since, d->opt.request_count_max);
	enum err_code code = duck_run(d, con, &sql, UINT64_MAX, &result, err);
	duck_sql_fini(&sql);
	if (code != ERR_OK)
		return code;
	for (;;) {
		duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
		idx_t n = chunk ? duckdb_data_chunk_get_size(chunk) : 0;
		for (idx_t row = 0; row < n; row++)
			ident_requests_add(d->writer.requests,
			    &(struct ident_request){
			        {duck_chunk_words(chunk, 0)[row], duck_chunk_words(chunk, 1)[row]},
			        duck_chunk_words(chunk, 2)[row], duck_chunk_words(chunk, 3)[row]});
		duckdb_destroy_data_chunk(&chunk);
		if (n == 0)
			break;
	}
	if (duckdb_result_error(&result))
		code = duck_fail(d, duckdb_result_error_type(&result), duckdb_result_error(&result),
		    err);
	duckdb_destroy_result(&result);
	return code;
}

/* The first day with a table from `day` on. Days to come are among them when the clock was put back. */
static const struct duck_table *
next_table(const struct duck_catalog *c, int64_t day)
{
	const struct duck_table *next = NULL;
	for (size_t i = 0; i < c->count; i++) {
		const struct duck_table *t = c->tables[i];
		if (t->id == TABLE_SPANS && t->day >= day && (!next || t->day < next->day))
			next = t;
	}
	return next;
}

/* Oldest days first: should the memory not be enough, they are what is forgotten. */
enum err_code
duck_ident_rebuild(struct duck *d, duckdb_connection con, struct err *err)
{
	uint64_t start_ns = clock_mono_ns();
	int64_t today = (int64_t)(d->opt.now_unix_ns() / NS_PER_DAY);
	struct duck_writer *w = &d->writer;
	w->covered_from = today - COVERED_DAYS_BACK;
	enum err_code code = read_requests(d, con, err);
	const struct duck_table *t = duck_catalog_find(&d->catalog, TABLE_SPANS, DUCK_DAY_OTHER);
	int64_t day = w->covered_from > 0 ? w->covered_from : 0;
	if (t && code == ERR_OK)
		code = read_table(d, con, t, err);
	while (code == ERR_OK && (t = next_table(&d->catalog, day))) {
		code = read_table(d, con, t, err);
		day = t->day + 1;
	}
	if (code == ERR_OK)
		code = duck_ident_read_comments(d, con, err);
	if (code == ERR_OK)
		log_info("duck",
		    "%" PRIu64 " spans and %zu requests are recognised when they come again, read "
		    "in %" PRIu64 " ms",
		    ident_filter_count(w->filter), ident_requests_count(w->requests),
		    (clock_mono_ns() - start_ns) / NS_PER_MS);
	return code;
}
