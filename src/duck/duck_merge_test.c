/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_kit_test.h"

#include "duck/duck_number.h"
#include "duck/duck_shred.h"
#include "tests/test.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct store *
open_store(void)
{
	struct duck_options opt = {.data_dir = str_from(test_tmp_dir()), .threads = 1};
	return duck_kit_open(&opt);
}

/* The first value of a query as text, "NULL" for NULL; the error when there is one. */
static void
ask(struct store *s, const char *sql, struct buf *out)
{
	duckdb_result result;
	buf_reset(out);
	if (duckdb_query(duck_of(s)->writer.con, sql, &result) != DuckDBSuccess) {
		buf_str(out, str_from(duckdb_result_error(&result)));
		duckdb_destroy_result(&result);
		return;
	}
	duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
	assert_non_null(chunk);
	buf_str(out, duck_chunk_is_null(chunk, 0, 0) ? STR("NULL") : duck_chunk_text(chunk, 0, 0));
	duckdb_destroy_data_chunk(&chunk);
	duckdb_destroy_result(&result);
}

static void
assert_gives(struct store *s, const char *expression, const char *want)
{
	struct buf out = {0};
	char sql[2000];
	snprintf(sql, sizeof(sql), "SELECT (%s)::VARCHAR", expression);
	ask(s, sql, &out);
	if (!str_eq(buf_view(&out), str_from(want)))
		fail_msg("%s gives '%.*s', not '%s'", expression, STR_ARG(buf_view(&out)), want);
	buf_fini(&out);
}

static void
assert_refused(struct store *s, const char *expression, const char *part)
{
	struct buf out = {0};
	char sql[2000];
	snprintf(sql, sizeof(sql), "SELECT (%s)::VARCHAR", expression);
	ask(s, sql, &out);
	buf_char(&out, '\0');
	if (!strstr(out.ptr, part))
		fail_msg("%s gives '%s', not '%s'", expression, out.ptr, part);
	buf_fini(&out);
}

TEST(duck, weir_attributes_puts_a_row_together)
{
	static const struct {
		const char *args, *want;
	} cases[] = {
	    {"'ta' || chr(10) || 'ib', '{\"c\":[2]}', '\"!#', 'x', 1::BIGINT",
	        "{\"b\":1,\"a\":\"x\",\"c\":[2]}"},
	    {"'ib' || chr(10) || 'ta', '{\"c\":[2]}', '\"!#', 1::BIGINT, 'x'",
	        "{\"b\":1,\"a\":\"x\",\"c\":[2]}"},
	    {"'dd' || chr(10) || 'bb', NULL, NULL, 1.0::DOUBLE, true", "{\"b\":true,\"d\":1.0}"},
	    {"'dd' || chr(10) || 'bb', NULL, NULL, 'nan'::DOUBLE, NULL",
	        "{\"d\":{\"$double\":\"NaN\"}}"},
	    {"'dd' || chr(10) || 'bb', NULL, NULL, NULL, NULL", "NULL"},
	    {"'dd' || chr(10) || 'bb', NULL, '!', NULL::DOUBLE, NULL::BOOLEAN", "NULL"},
	    {"'dd', '{\"z\":1,\"a\":1}', 'garbage', NULL", "{\"z\":1,\"a\":1}"},
	    {"'', NULL, NULL", "NULL"},
	    {"'', '{\"z\":1}', NULL", "{\"z\":1}"},
	    {"'', '', NULL", ""},
	    {"'t', NULL, NULL, 'the empty key'", "{\"\":\"the empty key\"}"},
	    {"'t\xc3\xbc\\\"', NULL, NULL, 'q\"' || chr(10) || '\xc3\xbc'",
	        "{\"\xc3\xbc\\\"\":\"q\\\"\\n\xc3\xbc\"}"},
	    {"'ta', '[1', chr(0) || chr(1114111), 'x'", "{\"a\":\"x\"}"},
	    {"'ta', '{\"a\":1,\"a\":2}', '#\"!', 'x'", "{\"a\":2,\"a\":1,\"a\":\"x\"}"},
	    {"'ta' || chr(10) || 'ta', NULL, NULL, 'x', 'y'", "{\"a\":\"x\",\"a\":\"y\"}"},
	    {"'sb' || chr(9) || 'c' || chr(10) || 'ta', NULL, NULL, '\"[1]', 'x'",
	        "{\"a\":\"x\",\"c\":[1]}"},
	    {"'sb' || chr(9) || 'c' || chr(10) || 'sd', NULL, '\"!', '!1', '!\"y\"'",
	        "{\"d\":\"y\",\"b\":1}"},
	    {"'ta' || chr(10) || 'sb', '{\"c\":2}', NULL, NULL, '\"1'", "{\"c\":2}"},
	    {"'s', NULL, NULL, '!1'", "{\"\":1}"},
	    {"'sb' || chr(9), NULL, NULL, '\"1'", "{\"\":1}"},
	};
	struct store *s = open_store();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expression[1000];
		snprintf(expression, sizeof(expression), "weir_attributes(%s)", cases[i].args);
		assert_gives(s, expression, cases[i].want);
	}
	store_close(s);
}

TEST(duck, weir_attributes_refuses_a_call_that_makes_no_sense)
{
	static const struct {
		const char *args, *part;
	} cases[] = {
	    {"NULL, NULL, NULL, 'x'", "no columns"},
	    {"'ta', NULL, NULL", "more columns than values"},
	    {"'ta', NULL, NULL, 'x', 'y'", "more values than columns"},
	    {"'', NULL, NULL, 'x'", "more values than columns"},
	    {"'ta' || chr(10), NULL, NULL, 'x', 'y'", "at number 2"},
	    {"'xa', NULL, NULL, 'x'", "at number 1"},
	    {"chr(10) || chr(10), NULL, NULL, 'x'", "at number 1"},
	    {"'ta\"', NULL, NULL, 'x'", "no key of a column: number 1"},
	    {"'sa' || chr(9) || 'b\"', NULL, NULL, 'x'", "no key of a column: number 1"},
	    {"'sa', NULL, NULL, 1::BIGINT", "another type than its column: number 1"},
	    {"'s' || repeat('k' || chr(9), 256), NULL, NULL, 'x'", "more keys than shared columns"},
	    {"'ta' || chr(1), NULL, NULL, 'x'", "no key of a column: number 1"},
	    {"'ta\\', NULL, NULL, 'x'", "no key of a column: number 1"},
	    {"'ta', NULL, NULL, 1::BIGINT", "another type than its column: number 1"},
	    {"'ia', NULL, NULL, 'x'", "another type than its column: number 1"},
	    {"'ia', NULL, NULL, 1::INTEGER", "another type than its column: number 1"},
	    {"'ta', NULL, NULL, ['x']", "another type than its column: number 1"},
	    {"'ta', NULL, NULL, {'x': 1}", "another type than its column: number 1"},
	    {"'ta', NULL, NULL, 'x'::BLOB", "another type than its column: number 1"},
	    {"'da', NULL, NULL, 1.5::DECIMAL(10, 2)", "another type than its column: number 1"},
	    {"'ta', NULL", ""}, /* DuckDB says it in its own words */
	};
	struct store *s = open_store();
	struct buf many = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expression[1000];
		snprintf(expression, sizeof(expression), "weir_attributes(%s)", cases[i].args);
		assert_refused(s, expression, cases[i].part);
	}
	buf_str(&many, STR("weir_attributes('ta', NULL, NULL"));
	for (int i = 0; i <= SHRED_COLUMNS; i++)
		buf_str(&many, STR(", 'x'"));
	buf_append(&many, ")", 2);
	assert_refused(s, many.ptr, "more values than columns can be, which is 32");
	assert_gives(s, "1", "1"); /* the connection lives */
	buf_fini(&many);
	store_close(s);
}

/* More rows than a chunk, columns that are no constant, NULLs here and there, a filter before it. */
TEST(duck, weir_attributes_works_on_many_rows)
{
	struct store *s = open_store();
	assert_gives(s,
	    "SELECT count(*) FILTER (got = want) FROM (SELECT"
	    " weir_attributes('in' || chr(10) || 'ts', CASE WHEN i % 5 = 0 THEN '{\"r\":[' || i || ']}' END,"
	    "  CASE WHEN i % 5 = 0 THEN '#\"!' WHEN i % 3 = 0 THEN '\"!' END,"
	    "  i, CASE WHEN i % 5 = 0 OR i % 3 = 0 THEN 'text ' || i END) AS got,"
	    " CASE WHEN i % 5 = 0 THEN '{\"s\":\"text ' || i || '\",\"r\":[' || i || '],\"n\":' || i || '}'"
	    "  WHEN i % 3 = 0 THEN '{\"s\":\"text ' || i || '\",\"n\":' || i || '}'"
	    "  ELSE '{\"n\":' || i || '}' END AS want"
	    " FROM range(10000) t(i) WHERE i % 7 <> 0)",
	    "8571");
	assert_gives(s,
	    "SELECT string_agg(weir_attributes(c, NULL, NULL, 'v'), ' ') FROM"
	    " (VALUES ('ta'), ('tb'), ('ta and a longer one'), ('ta and a longer one')) t(c)",
	    "{\"a\":\"v\"} {\"b\":\"v\"} {\"a and a longer one\":\"v\"} {\"a and a longer one\":\"v\"}");
	store_close(s);
}

/* ---- comparing */

TEST(duck, weir_attr_cmp_compares_numbers)
{
	static const struct {
		const char *attributes, *op, *value, *want;
	} cases[] = {
	    {"{\"k\":5}", ">=", "5", "true"},
	    {"{\"k\":5}", ">", "5", "false"},
	    {"{\"k\":5}", "<=", "5.0", "true"},
	    {"{\"k\":5}", "<", "5.000001", "true"},
	    {"{\"k\":5}", "<", "5e0", "false"},
	    {"{\"k\":-5}", "<", "-4.5", "true"},
	    {"{\"k\":-5}", ">", "-5.5", "true"},
	    {"{\"k\":1.5}", ">", "1.25", "true"},
	    {"{\"k\":0.1}", "<=", "0.1", "true"},
	    {"{\"k\":0.1}", ">=", "0.1", "true"},
	    {"{\"k\":-0.0}", ">=", "0", "true"},
	    {"{\"k\":{\"$double\":\"Infinity\"}}", ">", "1e300", "false"},
	    {"{\"k\":{\"$double\":\"-Infinity\"}}", "<", "-1e300", "false"},
	    {"{\"k\":{\"$double\":\"NaN\"}}", ">=", "0", "false"},
	    {"{\"k\":{\"$double\":\"NaN\"}}", "<", "0", "false"},
	    {"{\"k\":{\"$bytes\":\"AQ==\"}}", "<", "1000", "false"},
	    {"{\"k\":\"5\"}", ">=", "5", "false"},
	    {"{\"k\":true}", ">=", "0", "false"},
	    {"{\"k\":null}", ">=", "0", "false"},
	    {"{\"k\":[5]}", ">=", "5", "false"},
	    {"{\"j\":5}", ">=", "5", "NULL"},
	    {"[]", ">=", "5", "NULL"},
	    {"", ">=", "5", "NULL"},
	    {"{\"k\":1,\"k\":9}", ">=", "5", "false"},
	    {"{\"k\":5}", ">=", "five", "false"},
	    {"{\"k\":5}", "<", "", "false"},
	};
	struct store *s = open_store();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expression[400];
		snprintf(expression, sizeof(expression), "weir_attr_cmp('%s', 'k', '%s', '%s')",
		    cases[i].attributes, cases[i].op, cases[i].value);
		assert_gives(s, expression, cases[i].want);
	}
	assert_gives(s, "weir_attr_cmp(NULL, 'k', '>', '1')", "NULL");
	assert_gives(s, "weir_attr_cmp('{\"k\":5}', 'k', NULL, '1')", "NULL");
	assert_refused(s, "weir_attr_cmp('{\"k\":5}', 'k', '=', '1')", "the operator is none of");
	assert_gives(s,
	    "SELECT count(*) FROM range(5000) t(i) WHERE weir_attr_cmp('{\"k\":' || i || '}', 'k',"
	    " CASE WHEN i < 1000 THEN '<' ELSE '>=' END, (i // 2 * 2 + 0.5)::VARCHAR)",
	    "2500");
	store_close(s);
}

TEST(duck, weir_code_cmp_compares_what_is_behind_the_code)
{
	static const struct {
		const char *text, *op, *value, *want;
	} cases[] = {
	    {"#5", ">=", "5", "true"},
	    {"#5", ">", "5", "false"},
	    {"#1.5", "<", "2", "true"},
	    {"#\"5\"", "<", "6", "false"},
	    {"#null", "<", "6", "false"},
	    {"!5", ">=", "5", "NULL"},
	    {"$5", ">=", "5", "NULL"},
	    {"#", ">=", "5", "NULL"},
	    {"", ">=", "5", "NULL"},
	    {"#5", ">=", "five", "false"},
	};
	struct store *s = open_store();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char expression[200];
		snprintf(expression, sizeof(expression), "weir_code_cmp('%s', '#', '%s', '%s')",
		    cases[i].text, cases[i].op, cases[i].value);
		assert_gives(s, expression, cases[i].want);
	}
	assert_gives(s, "weir_code_cmp(NULL, '#', '>', '1')", "NULL");
	assert_refused(s, "weir_code_cmp('#5', '#', '=', '1')", "the operator is none of");
	store_close(s);
}

static enum duck_order
order_of(const char *value, const char *decimal)
{
	struct duck_decimal d;
	assert_true(duck_decimal_parse(str_from(decimal), &d));
	return duck_number_cmp(str_from(value), &d);
}

TEST(duck, integers_are_compared_exactly_with_decimals)
{
	static const struct {
		const char *value, *decimal;
		enum duck_order want;
	} cases[] = {
	    {"9007199254740993", "9007199254740992.5", DUCK_GREATER},
	    {"9007199254740993", "9007199254740993", DUCK_EQUAL},
	    {"9007199254740993", "9007199254740993.00000000000000000001", DUCK_LESS},
	    {"9223372036854775807", "9223372036854775807", DUCK_EQUAL},
	    {"9223372036854775807", "9223372036854775806.9", DUCK_GREATER},
	    {"9223372036854775807", "9223372036854775807.1", DUCK_LESS},
	    {"9223372036854775807", "9223372036854775808", DUCK_LESS},
	    {"-9223372036854775808", "-9223372036854775808", DUCK_EQUAL},
	    {"-9223372036854775808", "-9223372036854775808.5", DUCK_GREATER},
	    {"-9223372036854775808", "-9223372036854775807.5", DUCK_LESS},
	    {"-9223372036854775808", "-1e19", DUCK_GREATER},
	    {"9223372036854775807", "18446744073709551615", DUCK_LESS},
	    {"9223372036854775807", "1844674407370955161600000", DUCK_LESS},
	    {"9223372036854775807", "9223372036854775807e-1", DUCK_GREATER},
	    {"1", "1e99999999999999999999", DUCK_LESS},
	    {"1", "-1e99999999999999999999", DUCK_GREATER},
	    {"1", "1e-99999999999999999999", DUCK_GREATER},
	    {"0", "1e-99999999999999999999", DUCK_LESS},
	    {"0", "-1e-99999999999999999999", DUCK_GREATER},
	    {"0", "0e99999999999999999999", DUCK_EQUAL},
	    {"0", "-0.000e5", DUCK_EQUAL},
	    {"0", "-0.0", DUCK_EQUAL},
	    {"-1", "0", DUCK_LESS},
	    {"-1", "-0.999", DUCK_LESS},
	    {"-1", "-1.001", DUCK_GREATER},
	    {"12", "0.12e2", DUCK_EQUAL},
	    {"12", "1200.0E-2", DUCK_EQUAL},
	    {"12", "12.0000000000000000000000000000000", DUCK_EQUAL},
	    {"120", "12e1", DUCK_EQUAL},
	    {"12.5", "12.5", DUCK_EQUAL},
	    {"0.30000000000000004", "0.3", DUCK_GREATER},
	    {"1e+300", "1e400", DUCK_LESS},
	    {"5e-324", "0", DUCK_GREATER},
	    {"nan", "0", DUCK_NO_NUMBER},
	    {"0x10", "0", DUCK_NO_NUMBER},
	    {"", "0", DUCK_NO_NUMBER},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (order_of(cases[i].value, cases[i].decimal) != cases[i].want)
			fail_msg("%s with %s", cases[i].value, cases[i].decimal);
}

TEST(duck, decimals_are_decimal)
{
	static const char *const bad[] = {"", " 1", "1 ", "+", "-", ".", "e5", "1e", "1e+", "1e5.",
	    "0x1", "nan", "inf", "1,5", "1_000", "--1", "1.2.3", "\xd9\xa1"};
	struct duck_decimal d;
	char text[DUCK_DECIMAL_BYTES_MAX + 1];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (duck_decimal_parse(str_from(bad[i]), &d))
			fail_msg("'%s' is read", bad[i]);
	memset(text, '9', sizeof(text));
	assert_false(duck_decimal_parse(str_of(text, sizeof(text)), &d));
	assert_true(duck_decimal_parse(str_of(text, sizeof(text) - 1), &d));
	assert_true(isinf(d.f64));
	assert_true(d.whole == UINT64_MAX);
}

__extension__ typedef __int128 wide;

/* Against another way: halves of 64-bit integers as 128-bit ones. */
TEST(duck, comparing_integers_agrees_with_wider_integers)
{
	uint64_t state = 9;
	for (int i = 0; i < 20000; i++) {
		char decimal[64];
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		int64_t v = (int64_t)state >> (1 + i % 63);
		int64_t whole = v + (i / 64 % 5 - 2) * ((v > -100 && v < 100) ? 1 : v / 90);
		if (i % 3 == 0)
			whole = v + i % 2;
		bool half = i % 7 < 3;
		wide twice = (wide)whole * 2 + (!half ? 0 : whole < 0 ? -1 : 1);
		snprintf(decimal, sizeof(decimal), "%" PRId64 "%s", whole, half ? ".5" : "");
		struct duck_decimal d;
		assert_true(duck_decimal_parse(str_from(decimal), &d));
		wide mine = (wide)v * 2;
		enum duck_order want = mine < twice ? DUCK_LESS
		    : mine > twice                  ? DUCK_GREATER
		                                    : DUCK_EQUAL;
		if (duck_number_cmp_i64(v, &d) != want)
			fail_msg("%" PRId64 " with %s", v, decimal);
	}
}
