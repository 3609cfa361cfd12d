/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals against the rows that they brought, and positions.
 *
 * Of a day's table every row names the seal that brought it (0: it was there before seals were), and each seal says how
 * many rows it has, of which times, and of which services. What is kept no longer (duck_remove.c) is taken from
 * all of them in one transaction, so that they agree at every moment; a seal's times may reach further than what is left of
 * its rows, and services of seals that have gone stay for a while. Of the catch-all a seal says only what came
 * with it, for its rows move on.
 */
#include "duck/duck_check_priv.h"

#include "base/timefmt.h"

#include <inttypes.h>
#include <stdio.h>

static const char *
time_of(const struct check_table *t)
{
	const struct table_def *def = &table_defs[t->id];
	return def->cols[def->time_col].name;
}

/* "base = 'spans' AND day = 20000" */
static void
put_place(struct duck_sql *sql, const struct check_table *t)
{
	buf_printf(&sql->text, "base = '%s' AND day = %" PRId64, table_defs[t->id].name, t->day);
}

static enum err_code
check_orphans(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	buf_printf(&sql->text,
	    "SELECT '%s', count(*) || ' rows are of seal ' || coalesce(seal::VARCHAR, 'NULL') || ', which the list"
	    " of seals does not have for this table: questions for one trace do not find them' FROM %s WHERE"
	    " seal IS NULL OR (seal <> 0 AND seal NOT IN (SELECT gen FROM seals WHERE ",
	    t->name, t->name);
	put_place(sql, t);
	buf_str(&sql->text, STR(")) GROUP BY seal ORDER BY seal"));
	return duck_check_say(c, FINDING_ROWS_ORPHAN, t, sql, err);
}

/* r: what the seals have in the table; s: what they say. */
static void
put_both(struct duck_sql *sql, const struct check_table *t)
{
	buf_printf(&sql->text,
	    "WITH r AS (SELECT seal AS gen, count(*) AS n, min(%s) AS a, max(%s) AS z FROM %s WHERE"
	    " seal <> 0 GROUP BY seal), s AS (SELECT gen, rows, time_min, time_max FROM seals WHERE ",
	    time_of(t), time_of(t), t->name);
	put_place(sql, t);
	buf_printf(&sql->text, ") SELECT '%s', 'seal ' || s.gen ", t->name);
}

static enum err_code
check_counts(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	put_both(sql, t);
	buf_str(&sql->text,
	    STR("|| ' should have ' || rows || ' rows, and none is there: they are lost, restore a backup'"
	        " FROM s ANTI JOIN r USING (gen) WHERE rows > 0 ORDER BY gen"));
	enum err_code code = duck_check_say(c, FINDING_SEAL_EMPTY, t, sql, err);
	if (code != ERR_OK || t->damaged)
		return code;
	put_both(sql, t);
	buf_str(&sql->text,
	    STR("|| ' should have ' || rows || ' rows, and ' || n || ' are there' || CASE WHEN n < rows"
	        " THEN ': the others are lost, restore a backup' ELSE '' END FROM s JOIN r USING (gen)"
	        " WHERE n <> rows ORDER BY gen"));
	code = duck_check_say(c, FINDING_SEAL_COUNT, t, sql, err);
	if (code != ERR_OK || t->damaged)
		return code;
	put_both(sql, t);
	buf_str(&sql->text,
	    STR("|| ' should have rows of times ' || time_min || ' to ' || time_max || ', and they are of ' ||"
	        " a || ' to ' || z || ': questions about a time may leave some out' FROM s JOIN r USING"
	        " (gen) WHERE a < time_min OR z > time_max ORDER BY gen"));
	return duck_check_say(c, FINDING_SEAL_TIMES, t, sql, err);
}

void
duck_check_put_services(struct duck_sql *sql, const struct check_table *t, const char *select)
{
	bool spans = t->id == TABLE_SPANS;
	buf_printf(&sql->text,
	    "WITH r AS (SELECT seal AS gen, tenant, %s service, count(*) AS n, min(%s) AS a, max(%s) AS z, %s"
	    " FROM %s WHERE seal <> 0 GROUP BY ALL), s AS (SELECT gen, tenant, service, rows AS n,"
	    " first_ns AS a, last_ns AS z, errors AS e, ended AS d, duration_sum AS t FROM seal_services"
	    " WHERE gen IN (SELECT gen FROM seals WHERE ",
	    duck_has_services(t->id) ? "" : "'' AS", time_of(t), time_of(t),
	    spans
	        ? "count(*) FILTER (status_code = 2) AS e, count(*) FILTER (duration_ns >= 0) AS d,"
	          " coalesce(sum(duration_ns) FILTER (duration_ns >= 0), 0) AS t"
	        : "0 AS e, 0 AS d, 0 AS t",
	    t->name);
	put_place(sql, t);
	buf_printf(&sql->text,
	    ")) %s FROM r FULL JOIN s USING (gen, tenant, service) WHERE gen IN (SELECT gen FROM seals"
	    " WHERE ",
	    select);
	put_place(sql, t);
	buf_str(&sql->text,
	    STR(") AND (r.n IS DISTINCT FROM s.n OR r.a <> s.a OR r.z <> s.z OR r.e <> s.e OR r.d <> s.d OR"
	        " r.t <> s.t) ORDER BY gen"));
}

static enum err_code
check_services(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	char select[500];
	snprintf(select, sizeof(select),
	    "SELECT '%s', 'of seal ' || gen || ', service ' || service || ' of tenant ' || tenant || ', ' ||"
	    " coalesce(s.n, 0) || ' rows are counted, and ' || coalesce(r.n, 0) || ' are there' || CASE WHEN"
	    " s.n IS NOT DISTINCT FROM r.n THEN ', but their times, errors or durations are not what was"
	    " counted' ELSE '' END",
	    t->name);
	duck_check_put_services(sql, t, select);
	return duck_check_say(c, FINDING_SEAL_SERVICES, t, sql, err);
}

static enum err_code
check_day(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	const char *time = time_of(t);
	uint64_t from = (uint64_t)t->day * NS_PER_DAY;
	buf_printf(&sql->text,
	    "SELECT '%s', n || ' rows are of another day, from ' || a || ' to ' || z || ' ns: questions about"
	    " that day do not find them' FROM (SELECT count(*) AS n, min(%s) AS a, max(%s) AS z FROM %s"
	    " WHERE %s < %" PRIu64 "::UBIGINT OR %s > %" PRIu64 "::UBIGINT) WHERE n > 0",
	    t->name, time, time, t->name, time, from, time, from + (NS_PER_DAY - 1));
	return duck_check_say(c, FINDING_ROWS_DAY, t, sql, err);
}

/* Rows behind what their day's position says are read from the log once more. */
static enum err_code
check_places(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	buf_printf(&sql->text,
	    "WITH r AS (SELECT %s // %" PRIu64
	    "::UBIGINT AS day, max(seq) AS seq FROM %s GROUP BY 1),"
	    " p AS (SELECT day, max(seq) AS seq FROM positions WHERE base = '%s' GROUP BY day)"
	    " SELECT '%s', 'there are rows of record ' || r.seq || ', but the file says that it ends at ' ||"
	    " greatest(coalesce(p.seq, 0), %" PRIu64
	    ") || ': the log gives them again at the next start, and"
	    " what has no identity is then there twice' FROM r LEFT JOIN p USING (day) WHERE"
	    " r.seq > greatest(coalesce(p.seq, 0), %" PRIu64 "::UBIGINT) ORDER BY r.day",
	    time_of(t), (uint64_t)NS_PER_DAY, t->name, table_defs[t->id].name, t->name,
	    c->out->floor, c->out->floor);
	return duck_check_say(c, FINDING_ROWS_AHEAD, t, sql, err);
}

static enum err_code
check_table(struct check *c, struct check_table *t, struct duck_sql *sql, struct err *err)
{
	static enum err_code (*const checks[])(struct check *c, struct check_table *t,
	    struct duck_sql *sql, struct err *err) = {
	    check_orphans, check_places, check_counts, check_services, check_day};
	size_t count = t->day == DUCK_DAY_OTHER ? 2 : ARRAY_LEN(checks);
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < count && code == ERR_OK && !t->damaged && !c->over; i++)
		code = checks[i](c, t, sql, err);
	return code;
}

/* ---- what is about no table's rows */

static const struct {
	enum finding_kind kind;
	const char *sql;
} lists[] = {
    {FINDING_SEAL_TWICE,
        "SELECT 'seals', 'seal ' || gen || ' is there ' || count(*) || ' times' FROM seals GROUP BY gen"
        " HAVING count(*) > 1 ORDER BY gen"},
    {FINDING_SEAL_HOMELESS,
        "SELECT 'seals', 'seal ' || gen || ' is of ' || base || ' of day ' || day || ', of which there"
        " is no table' FROM seals WHERE base <> '' AND NOT EXISTS (SELECT 1 FROM partitions p WHERE"
        " p.base = seals.base AND p.day = seals.day) ORDER BY gen"},
    {FINDING_FLOOR_WRONG,
        "SELECT 'seals', 'seal ' || gen || ' says that the log is not needed up to record ' || floor ||"
        " ', and a later one says ' || later FROM (SELECT gen, floor, min(floor) OVER (ORDER BY gen"
        " DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later FROM seals) WHERE"
        " floor > later ORDER BY gen"},
    {FINDING_POSITION_HOMELESS,
        "SELECT 'positions', 'the position of ' || base || ' of day ' || day || ', record ' || seq || ',"
        " is of seal ' || gen || ', and the last one is ' || coalesce((SELECT max(gen) FROM seals), 0)"
        " FROM positions WHERE gen > coalesce((SELECT max(gen) FROM seals), 0) ORDER BY gen"},
    {FINDING_PULL_WRONG,
        "SELECT 'pulls', 'the position of source ' || source || ' of tenant ' || tenant || ', record ' || seq ||"
        " ', is of seal ' || pulls.gen || CASE WHEN floor IS NULL THEN ', and the last one is ' ||"
        " coalesce((SELECT max(gen) FROM seals), 0) ELSE ', which has the log up to ' || floor || ': what lies"
        " between may be missing' END FROM pulls ASOF LEFT JOIN seals s ON pulls.gen <= s.gen"
        " WHERE s.floor IS NULL OR pulls.seq > s.floor ORDER BY ALL"},
    {FINDING_SEAL_LEFTOVERS,
        "SELECT 'seal_services', 'sums of ' || n || ' seals that have gone are still there; weir removes"
        " them by and by' FROM (SELECT count(*) AS n FROM (SELECT gen FROM seal_services UNION SELECT"
        " gen FROM seal_parts UNION SELECT gen FROM seal_words UNION SELECT gen FROM seal_hashes)"
        " WHERE gen NOT IN (SELECT gen FROM seals)) WHERE n > 0"},
};

static enum err_code
read_numbers(struct check *c, struct duck_sql *sql, struct err *err)
{
	struct {
		const char *sql;
		uint64_t *out;
	} numbers[] = {
	    {"SELECT floor FROM seals ORDER BY gen DESC LIMIT 1", &c->out->floor},
	    {"SELECT count(*)::UBIGINT FROM seals WHERE base <> ''", &c->out->seals},
	    {"SELECT greatest((SELECT max(seq) FROM positions), (SELECT max(seq) FROM requests),"
	     " (SELECT max(floor) FROM seals))::UBIGINT",
	        &c->out->last_seq},
	};
	bool known = true;
	enum err_code code = ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(numbers) && code == ERR_OK; i++) {
		buf_str(&sql->text, str_from(numbers[i].sql));
		code = duck_check_number(c, NULL, sql, numbers[i].out, err);
		known = known && !c->refused;
	}
	c->out->readable = code == ERR_OK && !c->over && known;
	return code;
}

enum err_code
duck_check_seals(struct check *c, struct err *err)
{
	struct duck_sql sql;
	duck_sql_init(&sql);
	enum err_code code = read_numbers(c, &sql, err);
	for (size_t i = 0; i < ARRAY_LEN(lists) && code == ERR_OK && !c->over; i++) {
		buf_str(&sql.text, str_from(lists[i].sql));
		code = duck_check_say(c, lists[i].kind, NULL, &sql, err);
	}
	for (size_t i = 0; i < c->count && code == ERR_OK && !c->over; i++)
		code = check_table(c, &c->tables[i], &sql, err);
	duck_sql_fini(&sql);
	return code;
}
