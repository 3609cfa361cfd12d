/* SPDX-License-Identifier: Apache-2.0 */
/* SQL of users, against a store whose rows are everywhere; and what the two processes say to each other. */
#include "duck/duck_kit_test.h"
#include "duck/duck_user_priv.h"
#include "duck/duck_user_worker.h"

#include "base/arena.h"
#include "base/limits.h"
#include "store/conformance.h"
#include "sys/clock.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECONDS = 50, LINE_BYTES = 2048, ROUNDS = 120, BATCHES = 12, BATCH_ROWS = 40 };

static enum err_code
ask(struct store *s, const char *tenant, const char *text, enum store_sql_format format,
    struct buf *out, struct store_sql_answer *answer, struct err *err)
{
	const struct store_sql q = {.tenant = str_from(tenant),
	    .text = str_from(text),
	    .format = format,
	    .row_max = 100000,
	    .bytes_max = 64 << 20,
	    .now_unix_ns = CONFORMANCE_NOW_NS,
	    .deadline_mono_ns = clock_mono_ns() + SECONDS * (uint64_t)1000000000};
	*answer = (struct store_sql_answer){.out = out};
	return store_sql(s, &q, answer, err);
}

/* As CSV, without the line of names. */
static char *
rows(struct store *s, const char *tenant, const char *text)
{
	struct buf out = {0};
	struct store_sql_answer answer;
	struct err err = {0};
	if (ask(s, tenant, text, STORE_SQL_CSV, &out, &answer, &err) != ERR_OK)
		fail_msg("%s: %s", text, err.message);
	buf_char(&out, '\0');
	char *begin = strchr(out.ptr, '\n') + 1;
	memmove(out.ptr, begin, strlen(begin) + 1);
	return out.ptr;
}

static void
expect(struct store *s, const char *text, const char *want)
{
	char *got = rows(s, "acme", text);
	assert_string_equal(got, want);
	free(got);
}

static void
refuse(struct store *s, const char *text, enum err_code want, const char *message)
{
	struct buf out = {0};
	struct store_sql_answer answer;
	struct err err = {0};
	enum err_code code = ask(s, "acme", text, STORE_SQL_JSON, &out, &answer, &err);
	if (code != want || !strstr(err.message, message))
		fail_msg("%s: %d %s", text, code, err.message);
	buf_fini(&out);
}

/* Rows of acme and globex, sealed in small pieces, the last ones in memory. */
static struct store *
store_with_rows(void)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	opt.seal_rows = 16;
	opt.log_bytes_max = 0;
	struct store *s = duck_kit_open(&opt);
	for (uint64_t i = 0; i < BATCHES; i++) {
		struct batch b;
		batch_init(&b, 0);
		store_conformance_batch(&b, 7 + i, i + 1, BATCH_ROWS);
		store_conformance_put(s, &b);
		batch_fini(&b);
	}
	duck_kit_wait_quiet(s);
	return s;
}

/* ---- answers */

TEST(duck_user, statement_is_answered_and_what_is_none_is_refused)
{
	struct store *s = duck_kit_open(&(struct duck_options){
	    .data_dir = str_from(test_tmp_dir()), .threads = 2, .now_unix_ns = duck_kit_now});
	expect(s, "SELECT 1 AS a, 'x' AS b", "1,x\r\n");
	expect(s, "SELECT count(*) FROM spans", "0\r\n");
	expect(s, "SELECT now(), today(), ago('1 hour')",
	    "2026-11-20T12:00:00.000000000Z,2026-11-20,2026-11-20T11:00:00.000000000Z\r\n");
	expect(s, "SELECT CURRENT_DATE, CURRENT_TIMESTAMP = now()", "2026-11-20,true\r\n");
	refuse(s, "SELECT * FROM nothing", ERR_INVALID, "there is no table nothing");
	refuse(s, "SELECT 1; SELECT 2", ERR_INVALID, "one statement at a time");
	refuse(s, "CREATE TABLE x (a INT)", ERR_INVALID, "only SELECT can be run");
	refuse(s, "SELECT read_text('/etc/passwd')", ERR_INVALID, "the function read_text()");
	refuse(s, "SELECT\n nothing", ERR_INVALID, "(line 2, column 2)");
	refuse(s, "\xff", ERR_INVALID, "UTF-8");
	store_close(s);
}

/* Which rows are read is another matter than which count: a condition in FILTER bounds nothing. */
static void
same_either_way(struct store *s, const char *view, const char *condition)
{
	char bounded[LINE_BYTES * 2], whole[LINE_BYTES * 2];
	snprintf(bounded, sizeof(bounded), "SELECT count(*) FROM %s WHERE %s", view, condition);
	snprintf(whole, sizeof(whole), "SELECT count(*) FILTER (WHERE %s) FROM %s", condition,
	    view);
	char *a = rows(s, "acme", bounded), *b = rows(s, "acme", whole);
	if (strcmp(a, b) != 0)
		fail_msg("%s: %s with bounds, %s without", condition, a, b);
	free(a);
	free(b);
}

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Comparisons with values that there are, as SQL. */
static const char atoms_sql[] =
    "SELECT DISTINCT c FROM (SELECT unnest(["
    " 'start_unix_nano >= ' || start_unix_nano, 'start_unix_nano < ' || start_unix_nano,"
    " 'start_unix_nano = ' || start_unix_nano, start_unix_nano || ' > start_unix_nano',"
    " 'start_time > ''' || start_time || '''', 'start_time <= ''' || start_time || '''',"
    " 'start_time BETWEEN ''' || start_time || ''' AND ''' || (start_time::TIMESTAMP + INTERVAL 1 HOUR) || '''',"
    " 'trace_id = ''' || trace_id || '''', 'trace_id <> ''' || trace_id || '''',"
    " 'trace_id IN (''' || trace_id || ''', ''00000000000000000000000000000001'')',"
    " 'upper(trace_id) = upper(''' || trace_id || ''')',"
    " 'service = ''' || replace(service, '''', '''''') || '''',"
    " 'service LIKE ''' || replace(left(service, 2), '''', '''''') || '%'' AND service <> ''x''',"
    " 'name = ''' || replace(name, '''', '''''') || '''', 'name > ''' || replace(name, '''', '''''') || '''',"
    " 'status = ''' || status || '''', 'status IN (''ok'', ''error'')', 'kind = ''' || kind || '''',"
    " 'kind IS NOT NULL', 'parent_span_id IS NULL', 'duration_ms > ' || duration_ms, 'status = ''nothing''',"
    " 'start_time > now() - INTERVAL 1 DAY', '1 = 0', 'true']) AS c FROM (FROM spans WHERE start_unix_nano < 9000000000000000000 ORDER BY span_id LIMIT 12))"
    " WHERE c IS NOT NULL AND c NOT LIKE '%' || chr(10) || '%' AND c NOT LIKE '%\"%' AND length(c) < 300"
    " AND NOT regexp_matches(c, '[\\x00-\\x1f]') ORDER BY hash(c)";

static size_t
split(char *text, char **lines, size_t max)
{
	size_t n = 0;
	for (char *at = text; *at && n < max; n++) {
		char *end = strstr(at, "\r\n");
		*end = '\0';
		/* A field with a comma is in quotes. */
		if (*at == '"') {
			at++;
			end[-1] = '\0';
		}
		lines[n] = at;
		at = end + 2;
	}
	return n;
}

TEST(duck_user, bounds_that_the_plan_gives_never_lose_a_row)
{
	static const char *const shapes[] = {"%s", "NOT (%s)", "(%s) AND (%s)", "(%s) OR (%s)",
	    "(%s) AND NOT (%s)", "(%s) OR NOT (%s)", "CASE WHEN %s THEN %s ELSE false END",
	    "coalesce(%s, %s)", "((%s) OR (%s)) AND start_unix_nano > 5"};
	struct store *s = store_with_rows();
	char *atoms[512], condition[LINE_BYTES];
	char *text = rows(s, "acme", atoms_sql);
	size_t count = split(text, atoms, ARRAY_LEN(atoms));
	uint64_t state = 42;
	assert_true(count > 60);
	for (size_t i = 0; i < ROUNDS; i++) {
		const char *shape = shapes[next_random(&state) % ARRAY_LEN(shapes)];
		const char *a = atoms[next_random(&state) % count],
		           *b = atoms[next_random(&state) % count];
		const char *gap = strstr(shape, "%s");
		int head = (int)(gap - shape);
		const char *gap2 = strstr(gap + 2, "%s");
		if (gap2)
			snprintf(condition, sizeof(condition), "%.*s%s%.*s%s%s", head, shape, a,
			    (int)(gap2 - gap - 2), gap + 2, b, gap2 + 2);
		else
			snprintf(condition, sizeof(condition), "%.*s%s%s", head, shape, a, gap + 2);
		same_either_way(s, "spans", condition);
	}
	free(text);
	store_close(s);
}

TEST(duck_user, null_is_not_lost_where_ids_are_compared)
{
	struct store *s = store_with_rows();
	static const char *const conditions[] = {"trace_id = '00000000000000000000000000000001'",
	    "trace_id IS NULL", "trace_id IS DISTINCT FROM '00000000000000000000000000000001'",
	    "(trace_id = '00000000000000000000000000000001') IS NULL",
	    "coalesce(trace_id, 'x') = 'x'", "trace_id IS NULL OR severity = 'error'"};
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		same_either_way(s, "logs", conditions[i]);
	store_close(s);
}

TEST(duck_user, tenant_sees_its_rows_whatever_the_other_has)
{
	struct store *s = store_with_rows();
	struct arena arena = {0};
	struct store_result all;
	static const char *const tenants[] = {"acme", "globex", "default", "nobody"};
	for (size_t i = 0; i < ARRAY_LEN(tenants); i++) {
		char want[32];
		store_conformance_all(s, STORE_SPANS, str_from(tenants[i]), &arena, &all);
		snprintf(want, sizeof(want), "%zu\r\n", all.rows.row_count);
		char *got = rows(s, tenants[i], "SELECT count(*) FROM spans");
		assert_string_equal(got, want);
		free(got);
	}
	arena_fini(&arena);
	store_close(s);
}

TEST(duck_user, what_takes_too_long_is_ended_and_its_place_is_free)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.sql_runs_max = 1;
	struct store *s = duck_kit_open(&opt);
	struct buf out = {0};
	struct err err = {0};
	struct store_sql_answer answer = {.out = &out};
	struct store_sql q = {.tenant = STR("acme"),
	    .text = STR("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"),
	    .row_max = 1,
	    .bytes_max = 1 << 20,
	    .deadline_mono_ns = clock_mono_ns() + 300 * UINT64_C(1000000)};
	assert_int_equal(store_sql(s, &q, &answer, &err), ERR_DEADLINE);
	expect(s, "SELECT 1", "1\r\n");
	store_close(s);
	buf_fini(&out);
}

/* ---- names */

TEST(duck_user, list_of_functions_is_sorted_so_that_each_is_found)
{
	for (int tables = 0; tables < 2; tables++) {
		const char *before = "";
		for (size_t i = 0; user_callable(i, tables != 0); i++) {
			const char *name = user_callable(i, tables != 0);
			assert_true(strcmp(before, name) < 0);
			before = name;
			assert_true(user_may_call(str_from(name), tables != 0));
		}
	}
	assert_true(user_may_call(STR("COUNT"), false));
	assert_false(user_may_call(STR(""), false));
	assert_false(user_may_call(STR("count\0x"), false));
	assert_false(user_may_call(STR("read_csv"), true));
	assert_false(user_may_call(STR("weir_spans"), true));
}

TEST(duck_user, tree_of_a_statement_is_judged_by_what_it_names)
{
	static const struct {
		const char *json;
		bool good;
	} cases[] = {
	    {"{\"error\":false,\"statements\":[{\"node\":{\"type\":\"SELECT_NODE\"}}]}", true},
	    {"{\"error\":false,\"statements\":[]}", false},
	    {"{\"error\":false,\"statements\":[{},{}]}", false},
	    {"{\"statements\":[{\"from_table\":{\"type\":\"BASE_TABLE\",\"table_name\":\"SPANS\"}}]}",
	        true},
	    {"{\"statements\":[{\"from_table\":{\"type\":\"BASE_TABLE\",\"table_name\":\"x\"}}]}",
	        false},
	    {"{\"statements\":[{\"from_table\":{\"type\":\"BASE_TABLE\",\"schema_name\":\"main\",\"table_name\":\"spans\"}}]}",
	        false},
	    {"{\"statements\":[{\"a\":{\"function_name\":\"count_star\"}}]}", true},
	    {"{\"statements\":[{\"a\":{\"function_name\":\"getenv\"}}]}", false},
	    {"{\"statements\":[{\"type\":\"TABLE_FUNCTION\",\"function\":{\"function_name\":\"range\"}}]}",
	        true},
	    {"{\"statements\":[{\"type\":\"TABLE_FUNCTION\",\"function\":{\"function_name\":\"read_csv\"}}]}",
	        false},
	    {"{\"statements\":[{\"cte_map\":{\"map\":[{\"key\":\"x\"}]},\"from_table\":{\"type\":\"BASE_TABLE\",\"table_name\":\"X\"}}]}",
	        true},
	    {"{\"statements\":[{\"cte_map\":{\"map\":[{\"key\":\"duckdb_tables\"}]}}]}", false},
	    {"{\"statements\":[{\"named_param_map\":[{\"key\":\"1\"}]}]}", false},
	    {"{\"statements\":[", false},
	    {"", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		if (user_check_tree(str_from(cases[i].json), &err) != cases[i].good)
			fail_msg("%s: %s", cases[i].json, err.message);
	}
}

/* ---- frames */

TEST(duck_user, columns_come_out_of_frames_as_they_went_in)
{
	struct batch b;
	struct buf frame = {0};
	uint8_t cols[USER_COLUMNS_MAX];
	batch_init(&b, 0);
	store_conformance_batch(&b, 5, 1, 300);
	const struct table *t = &b.tables[TABLE_SPANS];
	size_t count = t->def->col_count;
	for (size_t i = 0; i < count; i++)
		cols[i] = (uint8_t)i;
	user_put_rows(&frame, 9, t, 0, t->row_count, cols, count);
	char type;
	bool bad;
	struct str body;
	assert_true(user_next(buf_view(&frame), &type, &body, &bad));
	struct user_reader r = {.rest = body};
	assert_int_equal(type, 'R');
	assert_int_equal(user_get_u32(&r), 9);
	assert_int_equal(user_get_u32(&r), t->row_count);
	for (size_t c = 0; c < count; c++) {
		struct user_values v;
		user_get_values(&r, t->def->cols[c].kind, (uint32_t)t->row_count, &v);
		assert_false(r.failed);
		for (uint32_t row = 0; row < t->row_count; row++)
			assert_int_equal(user_is_null(&v, row),
			    t->def->cols[c].nullable && table_is_null(t, row, (int)c));
	}
	assert_int_equal(r.rest.len, 0);
	/* Cut anywhere it is not whole, and its columns are refused. */
	for (size_t len = 0; len < frame.len; len += 1 + frame.len / 500)
		assert_false(user_next(str_of(frame.ptr, len), &type, &body, &bad));
	buf_fini(&frame);
	batch_fini(&b);
}

TEST(duck_user, json_of_attributes_is_natural_in_sql)
{
	static const struct {
		const char *typed, *natural;
		bool list;
	} cases[] = {
	    {"{\"a\":1,\"b\":1.5,\"c\":\"x\"}", "{\"a\":1,\"b\":1.5,\"c\":\"x\"}", false},
	    {"{\"a\":{\"$double\":\"NaN\"}}", "{\"a\":\"NaN\"}", false},
	    {"{\"$$a\":1}", "{\"$a\":1}", false},
	    {"[{\"name\":\"e\",\"t\":\"5\",\"dropped\":1,\"attributes\":{\"t\":2}}]",
	        "[{\"name\":\"e\",\"time_unix_nano\":\"5\",\"dropped_attributes_count\":1,\"attributes\":{\"t\":2}}]",
	        true},
	    {"{\"a\":\"\\\"$double\\\":\"}", "{\"a\":\"\\\"$double\\\":\"}", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		worker_natural_json(&out, str_from(cases[i].typed), cases[i].list);
		buf_char(&out, '\0');
		assert_string_equal(out.ptr, cases[i].natural);
		buf_fini(&out);
	}
}

/* What is above a span began before it, by whatever service, under whatever name. */
TEST(duck_user, spans_in_reach_are_those_of_the_trace_around_the_time)
{
	struct user_bounds own = {.from_ns = 3 * USER_REACH_BACK_NS,
	    .to_ns = 4 * USER_REACH_BACK_NS,
	    .has_trace = true,
	    .trace_hi = 1,
	    .trace_lo = 2,
	    .service = STR("web"),
	    .name = STR("x"),
	    .has_status = true,
	    .has_kind = true,
	    .need = NEED_STATE};
	struct user_bounds b = user_part_bounds(&own, PART_CHAIN);
	assert_int_equal(b.from_ns, 2 * USER_REACH_BACK_NS);
	assert_int_equal(b.to_ns, own.to_ns + USER_REACH_ON_NS);
	assert_true(b.has_trace && b.trace_hi == 1 && b.trace_lo == 2);
	assert_true(b.service.len == 0 && b.name.len == 0 && !b.has_status && !b.has_kind);
	assert_int_equal(b.need, NEED_ALL);
	assert_int_equal(user_part_bounds(&own, PART_OWNERS).need, NEED_JUNJO);
	assert_int_equal(user_part_bounds(&own, PART_OWN).need, NEED_STATE);
	own.from_ns = 5;
	own.to_ns = UINT64_MAX;
	b = user_part_bounds(&own, PART_OWNERS);
	assert_int_equal(b.from_ns, 0);
	assert_true(b.to_ns == UINT64_MAX);
}

TEST(duck_user, views_made_of_attributes_say_the_same_with_bounds_and_without)
{
	static const char *const views[] = {"junjo_spans", "state_patches", "llm_calls"};
	struct store *s = store_with_rows();
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		char text[LINE_BYTES];
		snprintf(text, sizeof(text), "SELECT count(*) FROM %s", views[i]);
		expect(s, text, "0\r\n");
		same_either_way(s, views[i], "start_time > ago('1 hour')");
		same_either_way(s, views[i], "trace_id = '000000000000000a000000000000000b'");
		snprintf(text, sizeof(text),
		    "SELECT \"%s\".span_id FROM \"%s\" WHERE span_id = 'x'", views[i], views[i]);
		expect(s, text, "");
	}
	store_close(s);
}
