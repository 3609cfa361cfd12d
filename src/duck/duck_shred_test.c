/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_shred.h"

#include "duck/duck_kit_test.h"
#include "model/typed.h"
#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A row as text, to compare with what is written below: "0=text:x 3=int:-7 | rest | order". */
static void
show(const struct shred_plan *p, const struct shred_row *row, struct buf *out)
{
	for (unsigned i = 0; i < p->count; i++) {
		const struct shred_value *v = &row->values[i];
		if (!v->set)
			continue;
		buf_printf(out, "%u=", i);
		switch (p->columns[i].type) {
		case SHRED_TEXT: buf_printf(out, "text:%.*s ", STR_ARG(v->text)); break;
		case SHRED_INT: buf_printf(out, "int:%lld ", (long long)v->i64); break;
		case SHRED_DOUBLE: buf_printf(out, "double:%.17g ", v->f64); break;
		case SHRED_BOOL: buf_printf(out, "bool:%d ", v->boolean); break;
		case SHRED_SHARED: buf_printf(out, "shared:%.*s ", STR_ARG(v->text)); break;
		case SHRED_TYPES: fail();
		}
	}
	buf_str(out, STR("| "));
	buf_str(out, row->rest.ptr ? row->rest : STR("NULL"));
	buf_str(out, STR(" | "));
	buf_str(out, row->order.ptr ? row->order : STR("NULL"));
}

/* Split and merge; the text must come back. When out is given, show the row there. */
static void
round_trip(const struct shred_plan *p, struct str json, struct buf *shown)
{
	struct arena arena = {0};
	struct buf merged = {0};
	struct shred_row row;
	memset(&row, 0xAB, sizeof(row));
	assert_true(shred_split(p, SHRED_ALL_LIVE, json, &arena, &row, NULL, NULL));
	if (shown)
		show(p, &row, shown);
	shred_merge(p->columns, row.values, p->count, row.rest, row.order, &merged);
	if (!str_eq(buf_view(&merged), json))
		fail_msg("'%.*s' came back as '%.*s'", STR_ARG(json), STR_ARG(buf_view(&merged)));
	buf_fini(&merged);
	arena_fini(&arena);
}

static void
plan_abcd(struct shred_plan *p)
{
	*p = (struct shred_plan){0};
	assert_true(shred_plan_add(p, STR("a"), SHRED_TEXT));
	assert_true(shred_plan_add(p, STR("b"), SHRED_INT));
	assert_true(shred_plan_add(p, STR("c"), SHRED_DOUBLE));
	assert_true(shred_plan_add(p, STR("d"), SHRED_BOOL));
}

static const struct {
	const char *json, *want;
} split_cases[] = {
    {"{\"b\":1,\"a\":\"x\",\"c\":[2]}", "0=text:x 1=int:1 | {\"c\":[2]} | \"!#"},
    {"{\"a\":\"\",\"b\":0,\"c\":0.0,\"d\":false}",
        "0=text: 1=int:0 2=double:0 3=bool:0 | NULL | NULL"},
    {"{\"d\":true,\"c\":-0.0}", "3=bool:1 | {\"c\":-0.0} | \"!"},
    /* nothing taken: the text as it is, unsorted too */
    {"{\"z\":1,\"y\":2}", "| {\"z\":1,\"y\":2} | NULL"},
    {"{}", "| {} | NULL"},
    {"", "|  | NULL"},
    /* the rest is sorted */
    {"{\"z\":1,\"a\":\"x\",\"y\":{\"a\":\"q\"}}",
        "0=text:x | {\"y\":{\"a\":\"q\"},\"z\":1} | #!\""},
    /* only the first of equal keys, and it only if it can */
    {"{\"a\":\"1\",\"a\":\"2\",\"a\":\"1\"}", "0=text:1 | {\"a\":\"2\",\"a\":\"1\"} | NULL"},
    {"{\"a\":1,\"a\":\"2\",\"b\":3}", "1=int:3 | {\"a\":1,\"a\":\"2\"} | NULL"},
    /* another type */
    {"{\"a\":1,\"b\":\"1\",\"c\":1,\"d\":null}",
        "| {\"a\":1,\"b\":\"1\",\"c\":1,\"d\":null} | NULL"},
    {"{\"a\":true,\"b\":1.0,\"c\":true,\"d\":1}",
        "| {\"a\":true,\"b\":1.0,\"c\":true,\"d\":1} | NULL"},
    {"{\"c\":{\"$double\":\"NaN\"},\"a\":{\"$bytes\":\"AQ==\"}}",
        "| {\"c\":{\"$double\":\"NaN\"},\"a\":{\"$bytes\":\"AQ==\"}} | NULL"},
    /* escapes of ours, and others */
    {"{\"a\":\"q\\\" \\\\ \\b\\f\\n\\r\\t \\u001b\"}",
        "0=text:q\" \\ \b\f\n\r\t \x1b | NULL | NULL"},
    {"{\"a\":\"/\",\"b\":1}", "0=text:/ 1=int:1 | NULL | NULL"},
    {"{\"a\":\"\\/\",\"b\":1}", "1=int:1 | {\"a\":\"\\/\"} | NULL"},
    {"{\"a\":\"\\u0041\",\"b\":1}", "1=int:1 | {\"a\":\"\\u0041\"} | NULL"},
    {"{\"a\":\"\\u001B\",\"b\":1}", "1=int:1 | {\"a\":\"\\u001B\"} | NULL"},
    {"{\"a\":\"\\u000a\",\"b\":1}", "1=int:1 | {\"a\":\"\\u000a\"} | NULL"},
    {"{\"a\":\"\\u0000\",\"b\":1}", "1=int:1 | {\"a\":\"\\u0000\"} | NULL"},
    {"{\"a\":\"\\u00\",\"b\":1}", "1=int:1 | {\"a\":\"\\u00\"} | NULL"},
    {"{\"a\":\"\\x\",\"b\":1}", "1=int:1 | {\"a\":\"\\x\"} | NULL"},
    {"{\"a\":\"\n\",\"b\":1}", "1=int:1 | {\"a\":\"\n\"} | NULL"},
    {"{\"a\":\"x\" ,\"b\":1}", "1=int:1 | {\"a\":\"x\" } | NULL"},
    {"{\"a\":\"x\"\"y\",\"b\":1}", "1=int:1 | {\"a\":\"x\"\"y\"} | NULL"},
    {"{\"a\":\"\\\"\",\"b\":1}", "0=text:\" 1=int:1 | NULL | NULL"},
    {"{\"a\":\xc3\xbc,\"b\":1}", "1=int:1 | {\"a\":\xc3\xbc} | NULL"},
    {"{\"a\":\"\xc3\xbc\xf0\x9f\x98\x80\"}", "0=text:\xc3\xbc\xf0\x9f\x98\x80 | NULL | NULL"},
    /* no map, not only a map, or one cut short */
    {"[\"a\"]", "| [\"a\"] | NULL"},
    {"null", "| null | NULL"},
    {"{\"b\":1", "| {\"b\":1 | NULL"},
    {"{\"b\":1,", "| {\"b\":1, | NULL"},
    {"{\"b\":1,}", "| {\"b\":1,} | NULL"},
    {"{,\"b\":1}", "| {,\"b\":1} | NULL"},
    {"{\"b\":1}}", "| {\"b\":1}} | NULL"},
    {"{\"b\":1} ", "| {\"b\":1}  | NULL"},
    {" {\"b\":1}", "|  {\"b\":1} | NULL"},
    {"{ \"b\":1}", "| { \"b\":1} | NULL"},
    {"{\"b\" :1}", "| {\"b\" :1} | NULL"},
    {"{\"b\":}", "| {\"b\":} | NULL"},
    {"{\"b\":1,\"a", "| {\"b\":1,\"a | NULL"},
    {"{\"b\":1,\"a\\", "| {\"b\":1,\"a\\ | NULL"},
    {"{\"b\":1,\"x\":[}", "| {\"b\":1,\"x\":[} | NULL"},
    {"{\"b\":1,\"x\":[}}", "1=int:1 | {\"x\":[}} | NULL"},
    {"{\"b\":1,\"x\":]}", "| {\"b\":1,\"x\":]} | NULL"},
};

TEST(duck, shred_takes_apart_what_it_can_write_again)
{
	struct shred_plan p;
	struct buf shown = {0};
	plan_abcd(&p);
	for (size_t i = 0; i < ARRAY_LEN(split_cases); i++) {
		buf_reset(&shown);
		round_trip(&p, str_from(split_cases[i].json), &shown);
		if (!str_eq(buf_view(&shown), str_from(split_cases[i].want)))
			fail_msg("%s: '%.*s', not '%s'", split_cases[i].json,
			    STR_ARG(buf_view(&shown)), split_cases[i].want);
	}
	buf_fini(&shown);
	shred_plan_fini(&p);
}

/* a: typed, text; 1: keys b, c'; 2: key d. */
static void
plan_shared(struct shred_plan *p)
{
	*p = (struct shred_plan){0};
	assert_true(shred_plan_add(p, STR("a"), SHRED_TEXT));
	assert_true(shred_plan_add_shared(p, 1, STR("b")));
	assert_true(shred_plan_add_shared(p, 1, STR("c'")));
	assert_true(shred_plan_add_shared(p, 2, STR("d")));
}

static const struct {
	const char *json, *want;
} shared_cases[] = {
    {"{\"b\":1,\"a\":\"x\"}", "0=text:x 1=shared:!1 | NULL | \"!"},
    {"{\"c'\":\"x\\n\",\"d\":null}", "1=shared:\"\"x\\n\" 2=shared:!null | NULL | NULL"},
    {"{\"b\":{\"$double\":\"NaN\"},\"d\":[1,\"}\",{}]}",
        "1=shared:!{\"$double\":\"NaN\"} 2=shared:![1,\"}\",{}] | NULL | NULL"},
    {"{\"b\":-0.0,\"d\":1.50e3}", "1=shared:!-0.0 2=shared:!1.50e3 | NULL | NULL"},
    /* the first in the row has the column */
    {"{\"b\":1,\"c'\":2,\"d\":3}", "1=shared:!1 2=shared:!3 | {\"c'\":2} | NULL"},
    {"{\"c'\":2,\"b\":1}", "1=shared:\"2 | {\"b\":1} | \"!"},
    /* the first of equal keys, and it only if it can */
    {"{\"b\":1,\"b\":2}", "1=shared:!1 | {\"b\":2} | NULL"},
    {"{\"c'\":0,\"b\":1,\"b\":2}", "1=shared:\"0 | {\"b\":1,\"b\":2} | #!\""},
    {"{\"b\":\"\\u0041\",\"b\":2,\"d\":1}", "2=shared:!1 | {\"b\":\"\\u0041\",\"b\":2} | NULL"},
    /* a string that is not written as we do */
    {"{\"d\":\"\\/\",\"b\":[\"\\/\"]}", "1=shared:![\"\\/\"] | {\"d\":\"\\/\"} | \"!"},
    {"{\"d\":\"\\u0000\",\"b\":1}", "1=shared:!1 | {\"d\":\"\\u0000\"} | \"!"},
    {"{\"d\":\"x\"y,\"b\":1}", "1=shared:!1 | {\"d\":\"x\"y} | \"!"},
    {"{\"b\":1", "| {\"b\":1 | NULL"},
};

TEST(duck, shred_shares_a_column_between_keys)
{
	struct shred_plan p;
	struct buf shown = {0};
	plan_shared(&p);
	for (size_t i = 0; i < ARRAY_LEN(shared_cases); i++) {
		buf_reset(&shown);
		round_trip(&p, str_from(shared_cases[i].json), &shown);
		if (!str_eq(buf_view(&shown), str_from(shared_cases[i].want)))
			fail_msg("%s: '%.*s', not '%s'", shared_cases[i].json,
			    STR_ARG(buf_view(&shown)), shared_cases[i].want);
	}
	buf_fini(&shown);
	shred_plan_fini(&p);
}

TEST(duck, shred_leaves_long_values_and_columns_that_are_not_live_to_the_rest)
{
	char json[SHRED_SHARED_BYTES_MAX + 20];
	struct shred_plan p;
	struct shred_row row;
	struct arena arena = {0};
	plan_shared(&p);
	for (int len = SHRED_SHARED_BYTES_MAX; len <= SHRED_SHARED_BYTES_MAX + 1; len++) {
		int n = snprintf(json, sizeof(json), "{\"d\":1,\"b\":\"%0*d\"}", len - 2, 7);
		struct str text = str_of(json, (size_t)n);
		round_trip(&p, text, NULL);
		assert_true(shred_split(&p, SHRED_ALL_LIVE, text, &arena, &row, NULL, NULL));
		assert_int_equal(row.values[1].set, len == SHRED_SHARED_BYTES_MAX);
	}
	struct str all = STR("{\"b\":1,\"a\":\"x\",\"d\":2}");
	assert_true(shred_split(&p, 5, all, &arena, &row, NULL, NULL));
	assert_false(row.values[1].set);
	assert_true(row.values[0].set && row.values[2].set);
	assert_true(str_eq(row.rest, STR("{\"b\":1}")));
	assert_true(shred_split(&p, 0, all, &arena, &row, NULL, NULL));
	assert_true(str_eq(row.rest, all));
	assert_int_equal(shred_plan_columns_of(&p, all), 7);
	assert_int_equal(shred_plan_columns_of(&p, STR("{\"c'\":1,\"x\":1}")), 2);
	assert_int_equal(shred_plan_columns_of(&p, STR("{}")), 0);
	arena_fini(&arena);
	shred_plan_fini(&p);
}

TEST(duck, shred_merge_leaves_out_what_is_no_shared_value)
{
	static const char *const bad[] = {
	    "", "!", "#1", " 1", "\1771", "\3771", "!1,\"x\":2", "!}", "!\"x", "![1", "!]", "!1}"};
	struct shred_plan p;
	struct buf b = {0};
	plan_shared(&p);
	struct shred_value values[3] = {{.set = true, .text = STR("x")}, {.set = true}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_reset(&b);
		values[1].text = str_from(bad[i]);
		shred_merge(p.columns, values, p.count, STR("{\"z\":1}"), STR_EMPTY, &b);
		buf_char(&b, '\0');
		assert_string_equal(b.ptr, "{\"a\":\"x\",\"z\":1}");
	}
	buf_fini(&b);
	shred_plan_fini(&p);
}

TEST(duck, shred_plan_has_so_many_shared_keys_and_no_more)
{
	struct shred_plan p = {0};
	char key[16];
	unsigned added = 0;
	assert_true(shred_plan_add(&p, STR("typed"), SHRED_INT));
	assert_false(shred_plan_add_shared(&p, 0, STR("k"))); /* not a shared one */
	assert_false(shred_plan_add_shared(&p, 2, STR("k"))); /* not the next one */
	assert_false(shred_plan_add_shared(&p, 1, STR("typed")));
	assert_int_equal(p.count, 1);
	for (unsigned c = 1; c < SHRED_COLUMNS; c++)
		for (unsigned i = 0; i <= SHRED_CODES; i++) {
			int n = snprintf(key, sizeof(key), "k%u.%u", c, i);
			bool good = shred_plan_add_shared(&p, c, str_of(key, (size_t)n));
			assert_int_equal(good, i < SHRED_CODES && added < SHRED_SHARED_KEYS);
			if (!good)
				continue;
			const struct shred_key *k = shred_plan_find(&p, str_of(key, (size_t)n));
			assert_int_equal(k->column, c);
			assert_int_equal(k->code, i);
			assert_true(str_eq(p.columns[c].keys[i], k->key));
			added++;
		}
	assert_int_equal(added, SHRED_SHARED_KEYS);
	assert_int_equal(p.count, 4);
	assert_int_equal(p.shared_count, 3);
	shred_plan_fini(&p);
}

static bool
taken(const struct shred_plan *p, const char *key, const char *text)
{
	char json[400];
	struct buf shown = {0};
	snprintf(json, sizeof(json), "{\"%s\":%s,\"k\":1}", key, text);
	round_trip(p, str_from(json), &shown);
	bool yes = shown.ptr[0] != '|';
	buf_fini(&shown);
	return yes;
}

TEST(duck, shred_takes_integers_and_doubles_only_as_they_are_written)
{
	static const char *const ints[] = {"0", "1", "-1", "9", "10", "9223372036854775807",
	    "-9223372036854775808", "9223372036854775806", "-9223372036854775807"};
	static const char *const no_ints[] = {"-0", "00", "01", "-01", "+1", "-", "--1", "1 ", " 1",
	    "9223372036854775808", "-9223372036854775809", "18446744073709551616",
	    "99999999999999999999999999", "1a", "0x1", "1e1", "1.", "- 1", "inf"};
	static const char *const doubles[] = {"0.0", "1.0", "0.1", "12.5", "-12.5", "1e+15",
	    "1.5e-07", "2.5e-07", "123456789012345.0", "0.0001", "1e-05", "5e-324", "-5e-324",
	    "1.7976931348623157e+308", "2.2250738585072014e-308", "2.225073858507201e-308",
	    "0.30000000000000004", "1e+400"};
	static const char *const no_doubles[] = {"-0.0", "1.00", "01.0", "1.", ".5", "-.5", "1e15",
	    "1E+15", "1.50e3", "1500.00", "0.00001", "1e+400", "-1e+400", "1e-400", "nan", "inf",
	    "Infinity", "0x1.8p3", "-", "-nan", "1.0 ", "1.0.0", "1e", "1e+",
	    "100000000000000000.0", "0.1000000000000000055511151231257827021181583404541015625",
	    "-00.5", "--1.5", "+1.5"};
	struct shred_plan p;
	plan_abcd(&p);
	for (size_t i = 0; i < ARRAY_LEN(ints); i++)
		if (!taken(&p, "b", ints[i]))
			fail_msg("%s stays", ints[i]);
	for (size_t i = 0; i < ARRAY_LEN(no_ints); i++)
		if (taken(&p, "b", no_ints[i]))
			fail_msg("%s is taken", no_ints[i]);
	for (size_t i = 0; i + 1 < ARRAY_LEN(doubles); i++)
		if (!taken(&p, "c", doubles[i]))
			fail_msg("%s stays", doubles[i]);
	for (size_t i = 0; i < ARRAY_LEN(no_doubles); i++)
		if (taken(&p, "c", no_doubles[i]))
			fail_msg("%s is taken", no_doubles[i]);
	shred_plan_fini(&p);
}

/* All powers of two and ten, and their neighbours, as our writer writes them. */
TEST(duck, shred_takes_every_double_and_integer_that_is_written)
{
	struct shred_plan p;
	struct buf b = {0};
	plan_abcd(&p);
	for (int e = -1074; e < 1024; e++) {
		double v = ldexp(1, e);
		double near[] = {v, -v, nextafter(v, 0), nextafter(v, INFINITY), v * 1.1, v / 3};
		for (size_t i = 0; i < ARRAY_LEN(near); i++) {
			buf_reset(&b);
			typed_put_double(&b, near[i]);
			buf_char(&b, '\0');
			if (isfinite(near[i]) != taken(&p, "c", b.ptr))
				fail_msg("%s", b.ptr);
		}
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		for (int d = -2; d <= 2; d++) {
			buf_reset(&b);
			buf_i64(&b, (int64_t)((UINT64_C(1) << bit) + (uint64_t)(int64_t)d));
			buf_char(&b, '\0');
			if (!taken(&p, "b", b.ptr))
				fail_msg("%s", b.ptr);
		}
	}
	buf_fini(&b);
	shred_plan_fini(&p);
}

TEST(duck, shred_plan_has_each_key_once_and_refuses_what_is_no_key)
{
	struct shred_plan p = {0};
	char key[SHRED_KEY_BYTES_MAX + 2];
	memset(key, 'k', sizeof(key));
	assert_false(shred_plan_add(&p, str_of(key, SHRED_KEY_BYTES_MAX + 1), SHRED_TEXT));
	assert_true(shred_plan_add(&p, str_of(key, SHRED_KEY_BYTES_MAX), SHRED_TEXT));
	assert_false(shred_plan_add(&p, str_of(key, SHRED_KEY_BYTES_MAX), SHRED_INT));
	assert_false(shred_plan_add(&p, STR("a\nb"), SHRED_TEXT));
	assert_false(shred_plan_add(&p, STR("a\"b"), SHRED_TEXT));
	assert_false(shred_plan_add(&p, STR("a\\"), SHRED_TEXT));
	assert_false(shred_plan_add(&p, STR("\xff"), SHRED_TEXT));
	assert_true(shred_plan_add(&p, STR("a\\nb"), SHRED_BOOL));
	assert_true(shred_plan_add(&p, STR(""), SHRED_BOOL));
	for (unsigned i = 0; p.count < SHRED_COLUMNS; i++) {
		int n = snprintf(key, sizeof(key), "some.longer.key.%u", i);
		assert_true(shred_plan_add(&p, str_of(key, (size_t)n), SHRED_INT));
	}
	assert_false(shred_plan_add(&p, STR("one too many"), SHRED_TEXT));
	for (unsigned i = 0; i < p.count; i++) {
		assert_int_equal(p.columns[i].number, i);
		assert_int_equal(shred_plan_find(&p, p.columns[i].key)->column, i);
	}
	assert_null(shred_plan_find(&p, STR("some.longer.key.")));
	assert_null(shred_plan_find(&p, STR("one too many")));
	shred_plan_fini(&p);
	assert_null(shred_plan_find(&p, STR("")));
}

static void
remember_left(void *ctx, struct str key, struct str value)
{
	buf_printf(ctx, "%.*s=%.*s;", STR_ARG(key), STR_ARG(value));
}

/* A filter made of it must know of all that weir_attr_is() can find in the rest. */
TEST(duck, shred_tells_what_stays_also_of_a_text_that_is_no_map)
{
	static const struct {
		const char *json, *left;
	} cases[] = {
	    {"{\"b\":1,\"z\":[\"x\",2],\"a\":\"x\",\"y\":\"u\"}", "z=[\"x\",2];y=\"u\";"},
	    {"{\"b\":1}", ""},
	    {"{\"z\":1}", "z=1;"},
	    {"{\"b\":1,\"z\":2,", "b=1;z=2;"},
	    {"{\"b\":1,\"z\":2", "b=1;z=2;"},
	    {"[1]", ""},
	};
	struct shred_plan p, none = {0};
	plan_abcd(&p);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena arena = {0};
		struct buf left = {0};
		struct shred_row row;
		assert_true(shred_split(&p, SHRED_ALL_LIVE, str_from(cases[i].json), &arena, &row,
		    remember_left, &left));
		buf_char(&left, '\0');
		assert_string_equal(left.ptr, cases[i].left);
		buf_fini(&left);
		arena_fini(&arena);
	}
	struct buf left = {0};
	struct shred_row row;
	assert_true(shred_split(&none, SHRED_ALL_LIVE, STR("{\"b\":1}"), NULL, &row, remember_left,
	    &left));
	assert_true(str_eq(buf_view(&left), STR("b=1;")));
	assert_true(str_eq(row.rest, STR("{\"b\":1}")));
	buf_fini(&left);
	assert_true(shred_split(&p, SHRED_ALL_LIVE, STR_EMPTY, NULL, &row, NULL, NULL));
	assert_null(row.rest.ptr);
	assert_null(row.order.ptr);
	shred_plan_fini(&p);
}

TEST(duck, shred_split_says_when_the_arena_is_spent)
{
	struct shred_plan p;
	struct str json = STR("{\"b\":1,\"a\":\"x\\n\",\"z\":1}");
	plan_abcd(&p);
	bool good = false;
	for (size_t max = 1; !good; max++) {
		struct arena arena;
		struct shred_row row;
		assert_in_range(max, 1, 4096);
		arena_init(&arena, max, 0);
		good = shred_split(&p, SHRED_ALL_LIVE, json, &arena, &row, NULL, NULL);
		if (good)
			assert_true(max > 24);
		arena_fini(&arena);
	}
	shred_plan_fini(&p);
}

TEST(duck, shred_merge_gives_something_for_parts_that_do_not_fit)
{
	static const struct {
		const char *rest, *order, *want;
	} cases[] = {
	    {NULL, NULL, "{\"a\":\"x\",\"b\":7}"},
	    {NULL, "\"!", "{\"b\":7,\"a\":\"x\"}"},
	    {"{\"aa\":1}", "#\"!", "{\"b\":7,\"aa\":1,\"a\":\"x\"}"},
	    {"{\"aa\":1}", "#\"", "{\"a\":\"x\",\"aa\":1,\"b\":7}"}, /* too short */
	    {"{\"aa\":1}", "#\"!!", "{\"a\":\"x\",\"aa\":1,\"b\":7}"}, /* too long */
	    {"{\"aa\":1}", "#\"\"", "{\"a\":\"x\",\"aa\":1,\"b\":7}"}, /* one twice */
	    {"{\"aa\":1}", "#\"$", "{\"a\":\"x\",\"aa\":1,\"b\":7}"}, /* out of range */
	    {"{\"aa\":1}", " \"!", "{\"a\":\"x\",\"aa\":1,\"b\":7}"},
	    {"{\"aa\":1}", "\xf4\x8f\xbf\xbf!\"", "{\"a\":\"x\",\"aa\":1,\"b\":7}"},
	    {"{\"aa\":1}", "\xf4\x8f\xbf", "{\"a\":\"x\",\"aa\":1,\"b\":7}"}, /* no UTF-8 */
	    {"{\"aa\":1}", "", "{\"a\":\"x\",\"aa\":1,\"b\":7}"},
	    {"{\"aa\":1", NULL, "{\"a\":\"x\",\"b\":7}"}, /* no map */
	    {"", NULL, "{\"a\":\"x\",\"b\":7}"},
	    {"{}", NULL, "{\"a\":\"x\",\"b\":7}"},
	    {"[1]", NULL, "{\"a\":\"x\",\"b\":7}"},
	    {"{\"b\":1,\"a\":2}", NULL, "{\"a\":\"x\",\"a\":2,\"b\":7,\"b\":1}"},
	};
	struct shred_plan p;
	struct buf b = {0};
	plan_abcd(&p);
	struct shred_value values[4] = {{.set = true, .text = STR("x")}, {.set = true, .i64 = 7}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		shred_merge(p.columns, values, p.count, str_from(cases[i].rest),
		    str_from(cases[i].order), &b);
		buf_char(&b, '\0');
		assert_string_equal(b.ptr, cases[i].want);
	}
	buf_fini(&b);
	shred_plan_fini(&p);
}

TEST(duck, shred_merge_takes_columns_in_any_order)
{
	struct shred_plan p;
	struct buf b = {0};
	plan_abcd(&p);
	struct shred_column columns[3] = {p.columns[3], p.columns[0], p.columns[1]};
	struct shred_value values[3] = {
	    {.set = true, .boolean = true}, {.set = true, .text = STR("\"")}, {.set = false}};
	shred_merge(columns, values, 3, STR("{\"c\":[]}"), STR("#!\""), &b);
	assert_true(str_eq(buf_view(&b), STR("{\"d\":true,\"a\":\"\\\"\",\"c\":[]}")));
	buf_fini(&b);
	shred_plan_fini(&p);
}

static void
put_numbered(struct buf *json, struct duck_kit_dice *d, size_t count)
{
	buf_reset(json);
	for (size_t i = 0; i < count; i++)
		buf_printf(json, "%c\"k%u\":%d", i ? ',' : '{',
		    (unsigned)duck_kit_roll(d, count + 1), (int)duck_kit_roll(d, 10));
	buf_char(json, '}');
}

/* Around every bound: one character of the order, the near arrays, the members that are taken apart. */
TEST(duck, shred_gives_back_maps_of_any_number_of_members)
{
	static const size_t wide[] = {255, 256, 257, 1023, 1024, 1025, 2015, 2016, 2017, 4063, 4064,
	    4065, 4095, 4096, 4097, 5000};
	struct shred_plan p = {0};
	struct duck_kit_dice d = {1};
	struct buf json = {0}, shown = {0};
	assert_true(shred_plan_add(&p, STR("k1"), SHRED_INT));
	assert_true(shred_plan_add(&p, STR("k3"), SHRED_INT));
	for (size_t n = 1; n <= 200; n++) {
		put_numbered(&json, &d, n);
		round_trip(&p, buf_view(&json), NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
		put_numbered(&json, &d, wide[i]);
		buf_reset(&shown);
		json.ptr[2] = 'k', json.ptr[3] = '1', json.ptr[4] = '"', json.ptr[5] = ':';
		json.ptr[6] = '1';
		for (size_t at = 7; json.ptr[at] != ','; at++)
			json.ptr[at] = '0';
		round_trip(&p, buf_view(&json), &shown);
		assert_int_equal(shown.ptr[0] != '|', wide[i] <= 4096);
	}
	buf_fini(&json);
	buf_fini(&shown);
	shred_plan_fini(&p);
}

/* What is in the rest and the columns is found there as it was in the text. */
TEST(duck, shred_keeps_which_value_of_a_key_counts)
{
	struct shred_plan p;
	struct arena arena = {0};
	struct shred_row row;
	plan_abcd(&p);
	struct str json = STR("{\"a\":[],\"a\":\"x\",\"b\":1,\"b\":2}");
	assert_true(shred_split(&p, SHRED_ALL_LIVE, json, &arena, &row, NULL, NULL));
	assert_false(row.values[0].set);
	assert_int_equal(row.values[1].i64, 1);
	assert_int_equal(duck_attr_is(row.rest, STR("a"), STR("x")), DUCK_ATTR_DIFFERENT);
	arena_fini(&arena);
	shred_plan_fini(&p);
}
