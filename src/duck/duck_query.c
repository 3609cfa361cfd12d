/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question is one read transaction: DuckDB takes its snapshot with the first statement, which
 * reads the list of day tables, so list and rows are of one moment.
 *
 * Rows in order. Days are visited newest first (a trace: oldest first), and only until there are
 * enough rows: first one day, then 2, 4, .. up to STEP_DAYS_MAX in one statement, so that a common
 * service is answered from today's table and a rare one does not pay for hundreds of statements.
 * The catch-all table may hold rows of any day. It is made part of every step with the bounds of
 * that step in time; together the steps cover all of time, so that the order is right throughout:
 *
 *     days 20 19 | 15 14 13      steps, newest first:  [day 19, end of time)
 *                                                      [0, day 19) with the tables 15 14 13
 *
 * One row more than was asked for is fetched, to know whether there are more.
 */
#include "duck/duck_priv.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STEP_DAYS_MAX = 32, IDS_AT_ONCE = 10000, SIGNALS = TABLE_RESOURCES };

/* The tables of one signal that a question may have to read. */
struct days {
	int64_t *day; /* in the order they are visited */
	size_t count;
	bool other;
};

struct question {
	struct duck *d;
	duckdb_connection con;
	const struct store_query *q;
	struct store_result *result;
	enum table_id id;
	struct duck_sql sql;
	struct duck_ids ids[STORE_ATTRS_MAX];
};

static int
oldest_first(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int
newest_first(const void *a, const void *b)
{
	return oldest_first(b, a);
}

/* The days that have a table and meet [from, to), as narrowed by the cursor. */
static enum err_code
days_of(struct question *ask, enum table_id id, struct days *out, struct err *err)
{
	const struct store_query *q = ask->q;
	struct buf words = {0};
	bool up = q->kind == STORE_TRACE;
	uint64_t from = q->from_ns, last = q->to_ns == UINT64_MAX ? UINT64_MAX : q->to_ns - 1;
	*out = (struct days){0};
	if (q->to_ns == 0)
		return ERR_OK;
	if (q->after.set && up && q->after.time_ns > from)
		from = q->after.time_ns;
	if (q->after.set && !up && q->after.time_ns < last)
		last = q->after.time_ns;
	duck_sql_reset(&ask->sql);
	buf_printf(&ask->sql.text, "SELECT day FROM partitions WHERE base = '%s'",
	    table_defs[id].name);
	enum err_code code =
	    duck_read_words(ask->d, ask->con, &ask->sql, q->deadline_mono_ns, &words, err);
	size_t count = code == ERR_OK ? words.len / sizeof(int64_t) : 0;
	out->day = xcalloc(count + 1, sizeof(*out->day));
	for (size_t i = 0; i < count; i++) {
		int64_t day;
		memcpy(&day, words.ptr + i * sizeof(day), sizeof(day));
		out->other = out->other || day == DUCK_DAY_OTHER;
		if (day >= (int64_t)(from / NS_PER_DAY) && day <= (int64_t)(last / NS_PER_DAY))
			out->day[out->count++] = day;
	}
	buf_fini(&words);
	if (out->count > 0)
		qsort(out->day, out->count, sizeof(*out->day), up ? oldest_first : newest_first);
	return code;
}

static void
days_fini(struct days *days)
{
	free(days->day);
}

/* SELECT columns FROM table WHERE what was asked; NULL: all columns */
static void
put_branch(struct question *ask, enum table_id id, int64_t day, const char *columns)
{
	char name[DUCK_TABLE_NAME_BYTES];
	duck_schema_table_name(&table_defs[id], day, name);
	buf_str(&ask->sql.text, STR("SELECT "));
	if (columns)
		buf_str(&ask->sql.text, str_from(columns));
	else
		duck_read_columns(&ask->sql, &table_defs[id]);
	buf_printf(&ask->sql.text, " FROM %s WHERE tenant = ", name);
	duck_sql_text(&ask->sql, ask->q->tenant);
	duck_where(&ask->sql, ask->q, id, ask->ids);
}

static void
put_bound(struct question *ask, const char *op, uint64_t time_ns)
{
	const struct table_def *def = &table_defs[ask->id];
	buf_printf(&ask->sql.text, " AND %s %s ", def->cols[def->time_col].name, op);
	duck_sql_u64(&ask->sql, time_ns);
}

/* The catch-all between where the step before ended and where this one does. */
static void
put_other(struct question *ask, const struct days *days, size_t first, size_t end)
{
	bool up = ask->q->kind == STORE_TRACE;
	bool last = end == days->count;
	put_branch(ask, ask->id, DUCK_DAY_OTHER, NULL);
	if (first > 0 && up)
		put_bound(ask, ">=", (uint64_t)(days->day[first - 1] + 1) * NS_PER_DAY);
	if (!last && up)
		put_bound(ask, "<", (uint64_t)(days->day[end - 1] + 1) * NS_PER_DAY);
	if (first > 0 && !up)
		put_bound(ask, "<", (uint64_t)days->day[first - 1] * NS_PER_DAY);
	if (!last && !up)
		put_bound(ask, ">=", (uint64_t)days->day[end - 1] * NS_PER_DAY);
}

/* The tables days->day[first..end) and their part of the catch-all. */
static void
put_step(struct question *ask, const struct days *days, size_t first, size_t end)
{
	const struct table_def *def = &table_defs[ask->id];
	const char *time = def->cols[def->time_col].name;
	const char *dir = ask->q->kind == STORE_TRACE ? "ASC" : "DESC";
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT * FROM ("));
	for (size_t i = first; i < end; i++) {
		if (i > first)
			buf_str(&ask->sql.text, STR(" UNION ALL "));
		put_branch(ask, ask->id, days->day[i], NULL);
	}
	if (days->other && end > first)
		buf_str(&ask->sql.text, STR(" UNION ALL "));
	if (days->other)
		put_other(ask, days, first, end);
	buf_printf(&ask->sql.text, ") ORDER BY %s %s, seq %s, ord %s LIMIT %zu", time, dir, dir,
	    dir, ask->q->row_max + 1 - ask->result->rows.row_count);
}

static enum err_code
read_steps(struct question *ask, const struct days *days, struct err *err)
{
	struct table *rows = &ask->result->rows;
	/* A trace is read whole as a rule. */
	size_t step = ask->q->kind == STORE_TRACE ? STEP_DAYS_MAX : 1;
	size_t first = 0;
	enum err_code code = ERR_OK;
	if (days->count == 0 && !days->other)
		return ERR_OK;
	do {
		size_t end = days->count - first > step ? first + step : days->count;
		put_step(ask, days, first, end);
		code = duck_read(ask->d, ask->con, &ask->sql, ask->q->deadline_mono_ns, rows, err);
		first = end;
		step = step * 2 < STEP_DAYS_MAX ? step * 2 : STEP_DAYS_MAX;
	} while (code == ERR_OK && first < days->count && rows->row_count <= ask->q->row_max);
	return code;
}

/* Take the row too many off and say where the next page begins. */
static void
cut_page(struct question *ask)
{
	/* The first columns of the three tables, in the order the cursor has them. */
	static const struct {
		int time, seq, ord;
	} place[] = {
	    [TABLE_SPANS] = {SPAN_START_NS, SPAN_SEQ, SPAN_ORD},
	    [TABLE_LOGS] = {LOG_EVENT_NS, LOG_SEQ, LOG_ORD},
	    [TABLE_POINTS] = {POINT_TIME_NS, POINT_SEQ, POINT_ORD},
	};
	struct store_result *r = ask->result;
	r->more = r->rows.row_count > ask->q->row_max;
	if (!r->more)
		return;
	table_truncate(&r->rows, ask->q->row_max);
	size_t last = r->rows.row_count - 1;
	r->next = (struct store_cursor){
	    .time_ns = table_u64(&r->rows, last, place[ask->id].time),
	    .seq = table_u64(&r->rows, last, place[ask->id].seq),
	    .ord = table_u32(&r->rows, last, place[ask->id].ord),
	    .set = true,
	};
}

static enum err_code
read_ids(struct question *ask, struct str ids, struct table *out, struct err *err)
{
	duck_sql_reset(&ask->sql);
	buf_str(&ask->sql.text, STR("SELECT "));
	duck_read_columns(&ask->sql, out->def);
	buf_printf(&ask->sql.text, " FROM %s WHERE tenant = ", out->def->name);
	duck_sql_text(&ask->sql, ask->q->tenant);
	buf_str(&ask->sql.text, STR(" AND id IN ("));
	buf_str(&ask->sql.text, ids);
	buf_char(&ask->sql.text, ')');
	return duck_read(ask->d, ask->con, &ask->sql, ask->q->deadline_mono_ns, out, err);
}

/* The entries of a dictionary that column `col` of the answer names. */
static enum err_code
read_dict(struct question *ask, int col, struct table *out, struct err *err)
{
	const struct table *rows = &ask->result->rows;
	struct map seen = {0};
	struct buf ids = {0};
	enum err_code code = ERR_OK;
	size_t count = 0;
	for (size_t i = 0; i < rows->row_count && code == ERR_OK; i++) {
		uint64_t id = table_u64(rows, i, col);
		if (map_get(&seen, id))
			continue;
		bool put = map_put(&seen, id, 1);
		CHECK(put);
		buf_printf(&ids, "%s%" PRIu64 "::UBIGINT", count > 0 ? ", " : "", id);
		if (++count < IDS_AT_ONCE)
			continue;
		code = read_ids(ask, buf_view(&ids), out, err);
		buf_reset(&ids);
		count = 0;
	}
	if (code == ERR_OK && count > 0)
		code = read_ids(ask, buf_view(&ids), out, err);
	buf_fini(&ids);
	map_fini(&seen);
	return code;
}

static enum err_code
answer_rows(struct question *ask, struct err *err)
{
	struct days days = {0};
	enum err_code code = days_of(ask, ask->id, &days, err);
	if (code == ERR_OK)
		code = read_steps(ask, &days, err);
	days_fini(&days);
	if (code != ERR_OK)
		return code;
	cut_page(ask);
	code = read_dict(ask, duck_fill_resource_col(ask->id), &ask->result->resources, err);
	if (code == ERR_OK)
		code = read_dict(ask, duck_fill_scope_col(ask->id), &ask->result->scopes, err);
	return code;
}

/* Each signal gives rows (service, spans, traces, errors, ended, duration, logs, points, first,
 * last); only spans of duration >= 0 have ended.
 * Spans are first counted per trace: so the traces of a service are counted exactly, over days. */
static void
put_signal(struct question *ask, enum table_id id, const struct days *days)
{
	static const char *const columns[] = {
	    [TABLE_SPANS] = "service, trace_hi, trace_lo, status_code, duration_ns, start_ns",
	    [TABLE_LOGS] = "service, event_ns",
	    [TABLE_POINTS] = "service, time_ns",
	};
	static const char *const head[] = {
	    [TABLE_SPANS] =
	        "SELECT service, sum(n), count(*), sum(e), sum(g), sum(d), 0, 0, min(f),"
	        " max(l) FROM (SELECT service, count(*) AS n,"
	        " count(*) FILTER (WHERE status_code = 2) AS e,"
	        " count(*) FILTER (WHERE duration_ns >= 0) AS g,"
	        " sum(greatest(duration_ns, 0)) AS d, min(start_ns) AS f,"
	        " max(start_ns) AS l FROM (",
	    [TABLE_LOGS] =
	        "SELECT service, 0, 0, 0, 0, 0, count(*), 0, min(event_ns), max(event_ns)"
	        " FROM (",
	    [TABLE_POINTS] =
	        "SELECT service, 0, 0, 0, 0, 0, 0, count(*), min(time_ns), max(time_ns)"
	        " FROM (",
	};
	struct buf *text = &ask->sql.text;
	buf_str(text, str_from(head[id]));
	for (size_t i = 0; i < days->count; i++) {
		if (i > 0)
			buf_str(text, STR(" UNION ALL "));
		put_branch(ask, id, days->day[i], columns[id]);
	}
	if (days->other && days->count > 0)
		buf_str(text, STR(" UNION ALL "));
	if (days->other)
		put_branch(ask, id, DUCK_DAY_OTHER, columns[id]);
	buf_str(text, STR(") GROUP BY service"));
	if (id == TABLE_SPANS)
		buf_str(text, STR(", trace_hi, trace_lo) GROUP BY service"));
}

/* False: there is no table to ask. */
static bool
put_services(struct question *ask, const struct days days[SIGNALS])
{
	static const char head[] =
	    "SELECT service, sum(n)::UBIGINT, sum(t)::UBIGINT, sum(e)::UBIGINT, sum(g)::UBIGINT,"
	    " sum(d)::DOUBLE, sum(o)::UBIGINT, sum(p)::UBIGINT, min(f), max(l) FROM (";
	struct buf *text = &ask->sql.text;
	bool any = false;
	duck_sql_reset(&ask->sql);
	buf_str(text, str_from(head));
	for (int id = 0; id < SIGNALS; id++) {
		if (days[id].count == 0 && !days[id].other)
			continue;
		if (any)
			buf_str(text, STR(" UNION ALL "));
		put_signal(ask, (enum table_id)id, &days[id]);
		any = true;
	}
	buf_printf(text,
	    ") AS x(service, n, t, e, g, d, o, p, f, l) GROUP BY service"
	    " ORDER BY sum(n) DESC, sum(o) + sum(p) DESC, service LIMIT %zu",
	    ask->q->row_max + 1);
	return any;
}

static enum err_code
answer_services(struct question *ask, struct err *err)
{
	struct days days[SIGNALS] = {0};
	enum err_code code = ERR_OK;
	for (int id = 0; id < SIGNALS && code == ERR_OK; id++)
		code = days_of(ask, (enum table_id)id, &days[id], err);
	if (code == ERR_OK && put_services(ask, days))
		code = duck_read(ask->d, ask->con, &ask->sql, ask->q->deadline_mono_ns,
		    &ask->result->rows, err);
	for (int id = 0; id < SIGNALS; id++)
		days_fini(&days[id]);
	ask->result->more = ask->result->rows.row_count > ask->q->row_max;
	if (ask->result->more)
		table_truncate(&ask->result->rows, ask->q->row_max);
	return code;
}

static enum err_code
answer(struct question *ask, struct err *err)
{
	const struct store_query *q = ask->q;
	if (q->kind == STORE_SERVICES)
		return answer_services(ask, err);
	for (size_t i = 0; i < q->attr_count; i++) {
		enum err_code code =
		    duck_where_resources(ask->d, ask->con, q, &q->attrs[i], &ask->ids[i], err);
		if (code != ERR_OK)
			return code;
	}
	return answer_rows(ask, err);
}

/* A transaction that only reads ends with ROLLBACK as well as with COMMIT. */
static enum err_code
ask_in_transaction(struct question *ask, struct err *err)
{
	struct err ignored;
	enum err_code code = duck_exec(ask->d, ask->con, "BEGIN TRANSACTION READ ONLY", err);
	bool reusable = code == ERR_OK;
	if (code == ERR_OK) {
		code = answer(ask, err);
		reusable = duck_exec(ask->d, ask->con, "ROLLBACK", &ignored) == ERR_OK;
	}
	duck_pool_give(ask->d, ask->con, !reusable);
	return code;
}

static enum table_id
table_of(enum store_query_kind kind)
{
	switch (kind) {
	case STORE_SPANS:
	case STORE_TRACE: return TABLE_SPANS;
	case STORE_LOGS: return TABLE_LOGS;
	case STORE_POINTS: return TABLE_POINTS;
	case STORE_SERVICES: return TABLE_SERVICES;
	}
	CHECK(false);
	return TABLE_SERVICES;
}

enum err_code
duck_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct duck *d = duck_of(s);
	/* Of services only what is meant for them is looked at. */
	struct store_query services = {
	    .kind = q->kind,
	    .tenant = q->tenant,
	    .from_ns = q->from_ns,
	    .to_ns = q->to_ns,
	    .row_max = q->row_max,
	    .deadline_mono_ns = q->deadline_mono_ns,
	    .service = q->service,
	};
	struct question ask = {
	    .d = d,
	    .q = q->kind == STORE_SERVICES ? &services : q,
	    .result = result,
	    .id = table_of(q->kind),
	};
	table_init(&result->rows, ask.id, result->arena);
	table_init(&result->resources, TABLE_RESOURCES, result->arena);
	table_init(&result->scopes, TABLE_SCOPES, result->arena);
	enum err_code code = duck_pool_take(d, q->deadline_mono_ns, &ask.con, err);
	if (code != ERR_OK)
		return code;
	duck_sql_init(&ask.sql);
	code = ask_in_transaction(&ask, err);
	duck_sql_fini(&ask.sql);
	for (size_t i = 0; i < q->attr_count; i++)
		buf_fini(&ask.ids[i].list);
	return code;
}
