/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows can a statement need? DuckDB's optimizer knows: it pushes conditions down to the tables, through views, joins,
 * subqueries and WITH, computes constants such as now() - INTERVAL 1 HOUR, and removes what cannot have a row. A function
 * that gives rows is not told any of that; so it is asked another way.
 *
 * The plan of the statement has the constants in its text: times, ids, names. They are only a hint where to look, and may
 * be anything. Then each view is made anew as a UNION ALL of functions, one for each case that the constants tell apart,
 * all with the condition of their case:
 *
 *     start_time <= T    T <= start_time    trace_id <> 'X'    trace_id = 'X'    service <> 'S'   ...
 *
 * and the plan of that is made. A case whose function is not in it cannot matter, says the optimizer: so there are the
 * bounds in time, and, if nothing but trace_id = 'X' is left of trace ids, the trace. What is found only makes less be read;
 * the statement itself is run with its own conditions. Two plans take some milliseconds.
 *
 * A column that may be NULL has a case for that too, in which NULL stands in its place: that compares to nothing.
 */
#include "duck/duck_priv.h"
#include "duck/duck_user_worker.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "wire/json_read.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	TIMES_MAX = 8,
	TEXTS_MAX = 8,
	PLAN_BYTES_MAX = 32 << 20,
	TEXT_SCAN_MAX = 1 << 20, /* of the plan, for constants */
};

/* Constants that the plan has. */
struct constants {
	uint64_t times[TIMES_MAX]; /* ns, sorted */
	size_t time_count;
	struct str texts[TEXTS_MAX];
	size_t text_count;
};

enum case_kind { CASE_TIME, CASE_NANO, CASE_PIN, CASE_PIN_REST, CASE_PIN_NULL };
enum pin { PIN_TRACE, PIN_SERVICE, PIN_NAME, PIN_STATUS, PIN_KIND, PINS };

/* What a probe function stands for. */
struct probe {
	enum case_kind kind;
	enum pin pin;
	size_t place; /* of the constant; of times: the number of the interval */
};

struct probes {
	struct probe list[USER_PROBES_MAX];
	size_t count;
};

/* ---- constants */

static void
add_time(struct constants *c, uint64_t ns)
{
	size_t at = 0;
	while (at < c->time_count && c->times[at] < ns)
		at++;
	if ((at < c->time_count && c->times[at] == ns) || c->time_count == TIMES_MAX)
		return;
	memmove(&c->times[at + 1], &c->times[at], (c->time_count - at) * sizeof(c->times[0]));
	c->times[at] = ns;
	c->time_count++;
}

static void
add_text(struct constants *c, struct arena *arena, struct str text)
{
	if (text.len == 0 || text.len > USER_PIN_BYTES_MAX || c->text_count == TEXTS_MAX)
		return;
	for (size_t i = 0; i < c->text_count; i++)
		if (str_eq(c->texts[i], text))
			return;
	struct str copy = arena_str(arena, text);
	if (copy.ptr)
		c->texts[c->text_count++] = copy;
}

/* A time as DuckDB writes it: 2026-11-29 04:00:00.123456. */
static bool
is_time(struct str text, uint64_t *ns)
{
	char copy[40];
	if (text.len < 10 || text.len >= sizeof(copy) || text.ptr[4] != '-' || text.ptr[7] != '-')
		return false;
	memcpy(copy, text.ptr, text.len);
	for (size_t i = 0; i < text.len; i++)
		copy[i] = copy[i] == ' ' ? 'T' : copy[i];
	return time_parse(str_of(copy, text.len), ns);
}

/* Texts between quotes, and long numbers. */
static void
scan_text(struct constants *c, struct arena *arena, struct str s)
{
	struct buf literal = {0};
	size_t i = 0;
	while (i < s.len) {
		uint64_t ns;
		if (s.ptr[i] >= '0' && s.ptr[i] <= '9') {
			size_t from = i;
			while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
				i++;
			if (i - from >= 16 && str_to_u64(str_of(s.ptr + from, i - from), &ns))
				add_time(c, ns);
			continue;
		}
		if (s.ptr[i++] != '\'')
			continue;
		buf_reset(&literal);
		while (i < s.len && (s.ptr[i] != '\'' || (i + 1 < s.len && s.ptr[i + 1] == '\''))) {
			i += s.ptr[i] == '\'';
			buf_char(&literal, s.ptr[i++]);
		}
		i++;
		if (is_time(buf_view(&literal), &ns))
			add_time(c, ns);
		add_text(c, arena, buf_view(&literal));
	}
	buf_fini(&literal);
}

static void
find_constants(struct constants *c, struct arena *arena, struct str plan)
{
	struct json_reader r;
	enum json_token t;
	jsonr_begin(&r, plan);
	while ((t = jsonr_next(&r)) != JSON_END && t != JSON_ERROR) {
		if (t != JSON_STRING)
			continue;
		struct str s = jsonr_string(&r, arena);
		if (s.ptr)
			scan_text(c, arena, s);
	}
}

/* ---- cases */

static const char *
pin_column(const struct user_view *v, enum pin pin)
{
	switch (pin) {
	case PIN_TRACE: return v->has_trace_id ? "trace_id" : NULL;
	case PIN_SERVICE: return v->has_service ? "service" : NULL;
	case PIN_NAME: return v->name_col;
	case PIN_STATUS: return v->has_status ? "status" : NULL;
	case PIN_KIND: return v->kind_col;
	case PINS: break;
	}
	return NULL;
}

static int32_t
word_number(struct str text, const char *const *words, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (str_eq(str_from(words[i]), text))
			return i;
	return -1;
}

static bool
is_trace_id(struct str text, uint64_t *hi, uint64_t *lo)
{
	/* The column has lower-case digits. */
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
			return false;
	return text.len == 32 && hex_to_u64(text.ptr, 16, hi) &&
	    hex_to_u64(text.ptr + 16, 16, lo) && (*hi != 0 || *lo != 0);
}

/* Can a constant be a value of this column that bounds can name? */
static bool
fits_pin(enum user_view_id view, enum pin pin, struct str text)
{
	uint64_t hi, lo;
	switch (pin) {
	case PIN_TRACE: return is_trace_id(text, &hi, &lo);
	case PIN_STATUS: return word_number(text, user_statuses, USER_STATUSES) >= 0;
	case PIN_KIND:
		return view == VIEW_METRICS
		    ? word_number(text, user_point_types, USER_POINT_TYPES) > 0
		    : word_number(text, user_kinds, USER_KINDS) >= 0;
	case PIN_SERVICE:
	case PIN_NAME: return true;
	case PINS: break;
	}
	return false;
}

static void
put_literal(struct buf *out, struct str s)
{
	buf_char(out, '\'');
	duck_sql_quoted(out, s);
	buf_char(out, '\'');
}

/* Begin the branch of another case; false: there are enough. */
static bool
begin_case(struct buf *sql, struct probes *p, enum user_view_id view, const struct probe *probe,
    const char *replaced)
{
	if (p->count == USER_PROBES_MAX)
		return false;
	buf_printf(sql, "%sSELECT * EXCLUDE (" USER_NO_COLUMN ")",
	    p->count > 0 ? " UNION ALL " : "");
	if (replaced)
		buf_printf(sql, " REPLACE (NULL::VARCHAR AS %s)", replaced);
	buf_printf(sql, " FROM weir_probe_%s_%zu()", duck_user_views[view].name, p->count);
	p->list[p->count++] = *probe;
	return true;
}

static void
put_time(struct buf *sql, enum case_kind kind, uint64_t ns)
{
	if (kind == CASE_NANO)
		buf_printf(sql, "%" PRIu64 "::UBIGINT", ns);
	else
		buf_printf(sql, "make_timestamp_ns(%" PRIu64 ")",
		    ns < (uint64_t)INT64_MAX ? ns : (uint64_t)INT64_MAX - 1);
}

/* The intervals between the times, their ends in both of their neighbours. */
static void
put_times(struct buf *sql, struct probes *p, enum user_view_id view, enum case_kind kind,
    const struct constants *c)
{
	const struct user_view *v = &user_views[view];
	const char *column = kind == CASE_NANO ? v->nano_col : v->time_col;
	for (size_t i = 0; i <= c->time_count && c->time_count > 0; i++) {
		struct probe probe = {.kind = kind, .place = i};
		if (!begin_case(sql, p, view, &probe, NULL))
			return;
		if (i > 0) {
			buf_printf(sql, " WHERE %s >= ", column);
			put_time(sql, kind, c->times[i - 1]);
		}
		if (i < c->time_count) {
			buf_printf(sql, "%s%s <= ", i > 0 ? " AND " : " WHERE ", column);
			put_time(sql, kind, c->times[i]);
		}
	}
}

static void
put_pin(struct buf *sql, struct probes *p, enum user_view_id view, enum pin pin,
    const struct constants *c)
{
	const char *column = pin_column(&user_views[view], pin);
	size_t fitting = 0;
	for (size_t i = 0; i < c->text_count && column; i++)
		fitting += fits_pin(view, pin, c->texts[i]);
	/* All of a column's cases, or none. */
	if (fitting == 0 || p->count + fitting + 2 > USER_PROBES_MAX)
		return;
	(void)begin_case(sql, p, view, &(struct probe){.kind = CASE_PIN_REST, .pin = pin}, NULL);
	for (size_t i = 0, n = 0; i < c->text_count; i++) {
		if (!fits_pin(view, pin, c->texts[i]))
			continue;
		buf_printf(sql, "%s%s <> ", n++ == 0 ? " WHERE " : " AND ", column);
		put_literal(sql, c->texts[i]);
	}
	if (pin == PIN_TRACE && view == VIEW_LOGS)
		(void)begin_case(sql, p, view, &(struct probe){.kind = CASE_PIN_NULL, .pin = pin},
		    column);
	for (size_t i = 0; i < c->text_count; i++) {
		if (!fits_pin(view, pin, c->texts[i]))
			continue;
		struct probe probe = {.kind = CASE_PIN, .pin = pin, .place = i};
		(void)begin_case(sql, p, view, &probe, NULL);
		buf_printf(sql, " WHERE %s = ", column);
		put_literal(sql, c->texts[i]);
	}
}

static void
make_cases(struct buf *sql, struct probes *p, enum user_view_id view, const struct constants *c)
{
	put_times(sql, p, view, CASE_TIME, c);
	put_times(sql, p, view, CASE_NANO, c);
	for (enum pin pin = 0; pin < PINS; pin++)
		put_pin(sql, p, view, pin, c);
}

/* ---- what is left of them */

static bool
is_in_plan(struct str plan, enum user_view_id view, size_t n)
{
	char name[64];
	int len =
	    snprintf(name, sizeof(name), "weir_probe_%s_%zu\"", duck_user_views[view].name, n);
	for (int i = 0; i < len; i++)
		if (name[i] >= 'a' && name[i] <= 'z')
			name[i] = (char)(name[i] - 32);
	return memmem(plan.ptr, plan.len, name, (size_t)len) != NULL;
}

static void
set_pin(struct user_bounds *b, enum user_view_id view, enum pin pin, struct str text)
{
	switch (pin) {
	case PIN_TRACE: b->has_trace = is_trace_id(text, &b->trace_hi, &b->trace_lo); return;
	case PIN_SERVICE: b->service = text; return;
	case PIN_NAME: b->name = text; return;
	case PIN_STATUS:
		b->has_status = true;
		b->status = word_number(text, user_statuses, USER_STATUSES);
		return;
	case PIN_KIND:
		b->has_kind = true;
		b->kind = view == VIEW_METRICS
		    ? word_number(text, user_point_types, USER_POINT_TYPES)
		    : word_number(text, user_kinds, USER_KINDS);
		return;
	case PINS: return;
	}
}

/* From the first interval that is there to the last one. */
static void
narrow_time(struct user_bounds *b, const struct probes *p, const bool *there, enum case_kind kind,
    const struct constants *c)
{
	size_t first = SIZE_MAX, last = 0, cases = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].kind != kind)
			continue;
		cases++;
		if (!there[i])
			continue;
		first = first == SIZE_MAX ? p->list[i].place : first;
		last = p->list[i].place;
	}
	if (cases != c->time_count + 1)
		return; /* there was no room for all of them */
	uint64_t from = first == SIZE_MAX ? UINT64_MAX : first == 0 ? 0 : c->times[first - 1];
	uint64_t to = first == SIZE_MAX        ? 0
	    : last == c->time_count            ? UINT64_MAX
	    : c->times[last] >= UINT64_MAX - 1 ? UINT64_MAX
	                                       : c->times[last] + 1;
	/* Later times than TIMESTAMP_NS has are all its last one. */
	if (kind == CASE_TIME && to >= (uint64_t)INT64_MAX)
		to = UINT64_MAX;
	if (kind == CASE_TIME && from >= (uint64_t)INT64_MAX - 1 && from != UINT64_MAX)
		from = (uint64_t)INT64_MAX - 1;
	b->from_ns = from > b->from_ns ? from : b->from_ns;
	b->to_ns = to < b->to_ns ? to : b->to_ns;
}

static void
narrow_pin(struct user_bounds *b, enum user_view_id view, const struct probes *p, const bool *there,
    enum pin pin, const struct constants *c)
{
	size_t cases = 0, left = 0;
	struct str only = STR_EMPTY;
	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].kind < CASE_PIN || p->list[i].pin != pin)
			continue;
		cases++;
		if (!there[i])
			continue;
		left += p->list[i].kind == CASE_PIN ? 1 : 2;
		only = c->texts[p->list[i].place];
	}
	if (cases > 0 && left == 1)
		set_pin(b, view, pin, only);
}

static void
narrow(struct worker *w, enum user_view_id view, const struct probes *p, struct str plan,
    const struct constants *c)
{
	bool there[USER_PROBES_MAX];
	for (size_t i = 0; i < p->count; i++)
		there[i] = is_in_plan(plan, view, i);
	narrow_time(&w->bounds[view], p, there, CASE_TIME, c);
	narrow_time(&w->bounds[view], p, there, CASE_NANO, c);
	for (enum pin pin = 0; pin < PINS; pin++)
		narrow_pin(&w->bounds[view], view, p, there, pin, c);
}

/* ---- views */

/* For asking about, or for running: these are the same, but for views that have a probe_sql. */
enum purpose { TO_ASK, TO_RUN };

static bool
make_view(struct worker *w, enum user_view_id view, enum purpose purpose, const struct buf *cases)
{
	const struct user_view *v = &user_views[view];
	bool probed = purpose == TO_ASK && v->probe_sql;
	struct buf sql = {0};
	buf_printf(&sql, "CREATE OR REPLACE VIEW %s AS ", duck_user_views[view].name);
	if (probed)
		buf_printf(&sql, "%s FROM (", v->probe_sql);
	if (cases && cases->len > 0)
		buf_str(&sql, buf_view(cases));
	else if (v->sql && !probed)
		buf_printf(&sql, "%s%s", v->sql, v->sql_end ? v->sql_end : "");
	else
		buf_printf(&sql, "SELECT * EXCLUDE (" USER_NO_COLUMN ") FROM weir_%s()",
		    duck_user_views[view].name);
	if (probed)
		buf_char(&sql, ')');
	buf_char(&sql, '\0');
	bool good = !sql.failed && worker_exec(w, sql.ptr);
	buf_fini(&sql);
	return good;
}

/* One moment is now for the whole statement, without a time zone, as the views' times are. */
static bool
make_now(struct worker *w)
{
	static const char *const names[] = {
	    "now", "get_current_timestamp", "transaction_timestamp", "current_localtimestamp"};
	static const char *const days[] = {"today", "current_date"};
	char sql[256];
	uint64_t us = w->query.now_ns / 1000;
	bool good = true;
	for (size_t i = 0; i < ARRAY_LEN(names) && good; i++) {
		snprintf(sql, sizeof(sql),
		    "CREATE OR REPLACE MACRO %s() AS make_timestamp(%" PRIu64 ")", names[i], us);
		good = worker_exec(w, sql);
	}
	for (size_t i = 0; i < ARRAY_LEN(days) && good; i++) {
		snprintf(sql, sizeof(sql),
		    "CREATE OR REPLACE MACRO %s() AS make_timestamp(%" PRIu64 ")::DATE", days[i],
		    us);
		good = worker_exec(w, sql);
	}
	snprintf(sql, sizeof(sql),
	    "CREATE OR REPLACE MACRO ago(i) AS make_timestamp(%" PRIu64 ") - i::INTERVAL", us);
	return good && worker_exec(w, sql);
}

static bool
explain(struct worker *w, struct str sql, struct buf *plan)
{
	static const char before[] = "EXPLAIN (FORMAT json) ";
	struct buf text = {0};
	buf_init(plan, PLAN_BYTES_MAX);
	buf_str(&text, str_from(before));
	buf_str(&text, sql);
	buf_char(&text, '\0');
	bool good = !text.failed && worker_text(w, text.ptr, NULL, sizeof(before) - 1, plan);
	buf_fini(&text);
	return good;
}

static bool
mentions(struct str text, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i + n <= text.len; i++)
		if (str_eq_nocase(str_of(text.ptr + i, n), str_of(name, n)))
			return true;
	return false;
}

/* Views that are asked about in another form than they are run in cost something: a statement that does not name one
 * does without it. */
static bool
is_needed(int view, struct str sql)
{
	return !user_views[view].probe_sql || mentions(sql, duck_user_views[view].name);
}

static bool
make_plain(struct worker *w, struct str sql)
{
	bool good = true;
	for (int v = 0; v < USER_VIEWS && good; v++)
		good = !is_needed(v, sql) || make_view(w, (enum user_view_id)v, TO_ASK, NULL);
	return good;
}

static bool
make_to_run(struct worker *w, struct str sql)
{
	bool good = true;
	for (int v = 0; v < USER_VIEWS && good; v++)
		if (user_views[v].probe_sql && is_needed(v, sql))
			good = make_view(w, (enum user_view_id)v, TO_RUN, NULL);
	return good;
}

static bool
probe(struct worker *w, struct str sql, const struct constants *c)
{
	struct probes probes[USER_VIEWS] = {{.count = 0}};
	struct buf plan = {0};
	bool good = true;
	for (int v = 0; v < USER_VIEWS && good; v++) {
		struct buf cases = {0};
		if (!user_views[v].time_col || !is_needed(v, sql))
			continue;
		make_cases(&cases, &probes[v], (enum user_view_id)v, c);
		good = !cases.failed && make_view(w, (enum user_view_id)v, TO_ASK, &cases);
		buf_fini(&cases);
	}
	/* What cannot be planned so is run without bounds. */
	if (good && explain(w, sql, &plan))
		for (int v = 0; v < USER_VIEWS; v++)
			narrow(w, (enum user_view_id)v, &probes[v], buf_view(&plan), c);
	buf_fini(&plan);
	if (good) {
		w->code = ERR_OK;
		w->why[0] = '\0';
	}
	return make_plain(w, sql);
}

bool
user_plan(struct worker *w, struct str sql)
{
	struct constants c = {.time_count = 0};
	struct buf plan = {0};
	for (int v = 0; v < USER_VIEWS; v++)
		w->bounds[v] =
		    (struct user_bounds){.to_ns = UINT64_MAX, .need = (uint8_t)user_views[v].need};
	bool good = make_now(w) && make_plain(w, sql) && explain(w, sql, &plan);
	if (good && plan.len <= TEXT_SCAN_MAX)
		find_constants(&c, &w->arena, buf_view(&plan));
	buf_fini(&plan);
	if (good && (c.time_count > 0 || c.text_count > 0))
		good = probe(w, sql, &c);
	return good && make_to_run(w, sql);
}
