/* SPDX-License-Identifier: Apache-2.0 */
/* Search: conditions on attributes, words, the list of traces, counts over time. What they find is for the tests of
 * stores; here is what they mean as text. */
#include "ops/fake_test.h"
#include "ops/ops_priv.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdlib.h>

/* ---- conditions on attributes */

#define ANY STORE_ATTR_OF_ANY
#define ITEM STORE_ATTR_OF_ITEM
#define RES STORE_ATTR_OF_RESOURCE

TEST(ops, a_condition_on_an_attribute_says_of_what_which_key_how_and_what)
{
	static const struct {
		const char *text;
		enum store_attr_of of;
		const char *key;
		bool negated;
		enum store_attr_op op;
		const char *value;
	} rows[] = {
	    {"k=v", ANY, "k", false, STORE_ATTR_EQ, "v"},
	    {"k=", ANY, "k", false, STORE_ATTR_EQ, ""},
	    {"k!=v", ANY, "k", true, STORE_ATTR_EQ, "v"},
	    {"k!=", ANY, "k", true, STORE_ATTR_EQ, ""},
	    {"k==v", ANY, "k", false, STORE_ATTR_EQ, "=v"},
	    {"k=~v", ANY, "k", false, STORE_ATTR_EQ, "~v"},
	    {"k=!v", ANY, "k", false, STORE_ATTR_EQ, "!v"},
	    {"k~v", ANY, "k", false, STORE_ATTR_MATCH, "v"},
	    {"k~", ANY, "k", false, STORE_ATTR_MATCH, ""},
	    {"k~=v", ANY, "k", false, STORE_ATTR_MATCH, "=v"},
	    {"k!~^a|b$", ANY, "k", true, STORE_ATTR_MATCH, "^a|b$"},
	    {"k>=5", ANY, "k", false, STORE_ATTR_GE, "5"},
	    {"k>-1.5", ANY, "k", false, STORE_ATTR_GT, "-1.5"},
	    {"k<=1e-7", ANY, "k", false, STORE_ATTR_LE, "1e-7"},
	    {"k<0", ANY, "k", false, STORE_ATTR_LT, "0"},
	    {"k", ANY, "k", false, STORE_ATTR_HAS, ""},
	    {"!k", ANY, "k", true, STORE_ATTR_HAS, ""},
	    {"a b", ANY, "a b", false, STORE_ATTR_HAS, ""},
	    {"k!", ANY, "k!", false, STORE_ATTR_HAS, ""},
	    {"k!x=v", ANY, "k!x", false, STORE_ATTR_EQ, "v"},
	    {"k!>5", ANY, "k!", false, STORE_ATTR_GT, "5"},
	    {"item:k=v", ITEM, "k", false, STORE_ATTR_EQ, "v"},
	    {"resource:host.name!~^h", RES, "host.name", true, STORE_ATTR_MATCH, "^h"},
	    {"!resource:k", RES, "k", true, STORE_ATTR_HAS, ""},
	    {"scope:k", STORE_ATTR_OF_SCOPE, "k", false, STORE_ATTR_HAS, ""},
	    {"item:item:k", ITEM, "item:k", false, STORE_ATTR_HAS, ""},
	    {"Resource:k=v", ANY, "Resource:k", false, STORE_ATTR_EQ, "v"},
	    {"resourcek=v", ANY, "resourcek", false, STORE_ATTR_EQ, "v"},
	    {"\"item:k\"=v", ANY, "item:k", false, STORE_ATTR_EQ, "v"},
	    {"\"a=b\"=v", ANY, "a=b", false, STORE_ATTR_EQ, "v"},
	    {"\"!a\"", ANY, "!a", false, STORE_ATTR_HAS, ""},
	    {"!\"!a\"", ANY, "!a", true, STORE_ATTR_HAS, ""},
	    {"item:\"a>5\">5", ITEM, "a>5", false, STORE_ATTR_GT, "5"},
	    {"k\"q\"=v", ANY, "k\"q\"", false, STORE_ATTR_EQ, "v"},
	    {"\xc3\xbc~\xc3\xa9", ANY, "\xc3\xbc", false, STORE_ATTR_MATCH, "\xc3\xa9"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_attr a;
		struct err err = {0};
		if (ops_parse_attr(str_from(rows[i].text), &a, &err))
			fail_msg("%s: %s", rows[i].text, err.message);
		if (a.of != rows[i].of || a.op != rows[i].op || a.negated != rows[i].negated ||
		    !str_eq(a.key, str_from(rows[i].key)) ||
		    !str_eq(a.value, str_from(rows[i].value)))
			fail_msg("%s: of %d, \"%.*s\", %d%s, \"%.*s\"", rows[i].text, (int)a.of,
			    STR_ARG(a.key), (int)a.op, a.negated ? " negated" : "",
			    STR_ARG(a.value));
	}
}

TEST(ops, a_malformed_condition_says_what_would_be_one)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
	    {"", "no key before the condition: \"\""},
	    {"!", "no key"},
	    {"=v", "no key"},
	    {"!=v", "no key"},
	    {"~v", "no key"},
	    {"item:", "no key"},
	    {"resource:=v", "no key"},
	    {"\"\"", "no key"},
	    {"\"\"=v", "no key"},
	    {"!k=v", "no such attribute, and no value follows: \"!k=v\""},
	    {"!k>5", "no value follows"},
	    {"!item:k~v", "no value follows"},
	    {"!!k", "a key that begins with ! stands in double quotes: \"!!k\""},
	    {"\"k", "the quote that begins the key is not closed: \"\"k\""},
	    {"item:\"k=v", "not closed"},
	    {"\"k\"v", "behind a key in quotes stands = != > >= < <= ~ or !~: \"\"k\"v\""},
	    {"\"k\" =v", "behind a key in quotes"},
	    {"\"k\"!", "behind a key in quotes"},
	    {"k>abc", "compare with a number, like 1.5: \"k>abc\""},
	    {"k<=1.", "compare with a number"},
	    {"k~(", "regular expression"},
	    {"k~a**", "regular expression"},
	    {"k!~[z-a]", "regular expression"},
	    {"k~\\pL", "regular expression"},
	    {"k~(?=a)", "regular expression"},
	    {"k~(a)\\1", "regular expression"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_attr a;
		struct err err = {0};
		assert_int_equal(ops_parse_attr(str_from(rows[i].text), &a, &err), ERR_INVALID);
		if (!strstr(err.message, rows[i].message))
			fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].text, err.message,
			    rows[i].message);
	}
}

/* ---- words */

TEST(ops, words_stand_between_blanks_and_phrases_in_quotes)
{
	static const struct {
		const char *text;
		const char *words[4];
	} rows[] = {
	    {"card", {"card"}},
	    {"  card\texpired \n", {"card", "expired"}},
	    {"\"card expired\" visa", {"card expired", "visa"}},
	    {"\" a \"", {" a "}},
	    {"it's 5\" wide", {"it's", "5\"", "wide"}},
	    {"a\"b c\"", {"a\"b", "c\""}},
	    {"\"say \\\"no\\\"\"", {"say \"no\""}},
	    {"\"a\\\\b\" c\\d", {"a\\b", "c\\d"}},
	    {"\"a\\nb\"", {"a\\nb"}},
	    {"-x OR *", {"-x", "OR", "*"}},
	    {"\xc3\xbc\xc2\xa0z", {"\xc3\xbc\xc2\xa0z"}},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str words[STORE_WORDS_MAX];
		struct arena arena = {0};
		struct err err = {0};
		size_t count = 0, want = 0;
		if (ops_parse_words(str_from(rows[i].text), &arena, words, &count, &err))
			fail_msg("%s: %s", rows[i].text, err.message);
		while (want < 4 && rows[i].words[want])
			want++;
		assert_int_equal(count, want);
		for (size_t w = 0; w < count; w++)
			if (!str_eq(words[w], str_from(rows[i].words[w])))
				fail_msg("%s: word %zu is \"%.*s\"", rows[i].text, w,
				    STR_ARG(words[w]));
		arena_fini(&arena);
	}
}

static void
expect_no_words(struct str text, const char *message)
{
	struct err err = {0};
	assert_int_equal(ops_parse_words(text, NULL, NULL, NULL, &err), ERR_INVALID);
	if (!strstr(err.message, message))
		fail_msg("%.*s: \"%s\" does not say \"%s\"", STR_ARG(text), err.message, message);
}

TEST(ops, malformed_words_are_refused_with_their_place)
{
	char text[1024] = "";
	expect_no_words(STR(""), "is empty");
	expect_no_words(STR(" \t "), "is empty");
	expect_no_words(STR("a \"b"), "a quote is not closed, at character 3");
	expect_no_words(STR("\xc3\xbc \"b\\\""), "a quote is not closed, at character 3");
	expect_no_words(STR("a \"\""), "a phrase is empty, at character 3");
	expect_no_words(STR("\"a\"b"), "behind a phrase in quotes must be a blank, at character 4");
	memset(text, 'x', STORE_WORD_BYTES_MAX + 1);
	expect_no_words(str_from(text), "a word is longer than 512 bytes, at character 1");
	for (size_t i = 0; i < 17; i++)
		memcpy(text + 2 * i, "a ", 3);
	expect_no_words(str_from(text), "there are more than 16 words, at character 33");
}

/* ---- the question */

static void
ask(struct fake *f, const char *op, const char *params)
{
	if (fake_run(f, op, params))
		fail_msg("%s: %s", params, f->err.message);
}

TEST(ops, search_parameters_reach_the_query)
{
	struct fake f;
	fake_init(&f, TABLE_TRACES);
	ask(&f, "search", "");
	assert_int_equal(f.asked.kind, STORE_TRACES);
	assert_int_equal(f.asked.row_max, 100);
	assert_int_equal(f.ask_count, 1);
	assert_false(f.asked.has_trace_duration_min || f.asked.has_trace_duration_max ||
	    f.asked.has_trace_errors || f.asked.trace_spans_min);
	ask(&f, "search",
	    "name=abc&operation=de&text=a \"b c\"&min_trace_duration_ms=2.5&max_trace_duration_ms=2s&"
	    "min_spans=7&errors=&attribute=k!=v&attribute=!j&attribute=scope:s~^x");
	assert_true(f.asked.name.len == 3 && f.asked.operation.len == 2);
	assert_true(f.asked.word_count == 2 && f.asked.words[1].len == 3);
	assert_true(f.asked.has_trace_duration_min && f.asked.trace_duration_min_ns == 2500000);
	assert_true(f.asked.has_trace_duration_max && f.asked.trace_duration_max_ns == 2000000000);
	assert_true(f.asked.trace_spans_min == 7);
	assert_true(f.asked.has_trace_errors && f.asked.trace_errors);
	assert_int_equal(f.asked.attr_count, 3);
	assert_true(f.asked.attrs[0].negated && f.asked.attrs[0].op == STORE_ATTR_EQ);
	assert_true(f.asked.attrs[1].negated && f.asked.attrs[1].op == STORE_ATTR_HAS);
	assert_true(f.asked.attrs[2].of == STORE_ATTR_OF_SCOPE);
	ask(&f, "search", "errors=false");
	assert_true(f.asked.has_trace_errors && !f.asked.trace_errors);
	ask(&f, "logs", "text=card");
	assert_true(f.asked.kind == STORE_LOGS && f.asked.word_count == 1);
	ask(&f, "traces", "text=card&name=x");
	assert_true(f.asked.kind == STORE_SPANS && f.asked.word_count == 1);
	fake_fini(&f);
}

TEST(ops, a_histogram_is_a_second_question_about_the_same)
{
	static const struct {
		const char *op;
		enum store_query_kind kind;
	} rows[] = {{"search", STORE_TRACES}, {"traces", STORE_SPANS}, {"logs", STORE_LOGS},
	    {"metrics", STORE_POINTS}};
	struct fake f;
	fake_init(&f, TABLE_BUCKETS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		f.ask_count = 0;
		ask(&f, rows[i].op, "service=abc&histogram=50&last=1h");
		assert_int_equal(f.ask_count, 2);
		assert_int_equal(f.asked.kind, STORE_COUNTS);
		assert_int_equal(f.asked.counted, rows[i].kind);
		assert_int_equal(f.asked.bucket_count, 50);
		assert_int_equal(f.asked.service.len, 3);
		assert_true(f.asked.until_ns == f.now_ns && f.asked.from_ns < f.now_ns);
		assert_int_equal(fake_run(&f, rows[i].op, "histogram=0"), ERR_INVALID);
		assert_int_equal(fake_run(&f, rows[i].op, "histogram=1001"), ERR_INVALID);
		assert_string_equal(f.err.message,
		    "parameter histogram: must be 1 to 1000: \"1001\"");
	}
	fake_fini(&f);
}

/* ---- answers */

static void
expect_json(const json_t *got, const char *want_text)
{
	json_t *want = json_loads(want_text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(want);
	if (!json_equal(got, want))
		fail_msg("got %s\nwant %s", json_dumps(got, JSON_SORT_KEYS | JSON_INDENT(1)),
		    json_dumps(want, JSON_SORT_KEYS | JSON_INDENT(1)));
	json_decref(want);
}

static void
fill_trace(struct table *t, size_t row)
{
	table_set_u64(t, row, TRACE_HI, 0x5b8aa5a2d2c872e8);
	table_set_u64(t, row, TRACE_LO, 0x321cf37308d69df2);
	table_set_u64(t, row, TRACE_START_NS, UINT64_C(1795187531000000042));
	table_set_u64(t, row, TRACE_END_NS, UINT64_C(1795187531001250042));
	table_set_u64(t, row, TRACE_SPAN_COUNT, 3);
	table_set_u64(t, row, TRACE_ERROR_COUNT, 1);
	table_set_u64(t, row, TRACE_MATCHED, 2);
	table_set_bool(t, row, TRACE_ROOT_MISSING, true);
	table_set_u64(t, row, TRACE_ROOT_ID, 0xff);
	table_set_i32(t, row, TRACE_ROOT_KIND, 2);
	table_set_i32(t, row, TRACE_ROOT_STATUS, 2);
	table_set_str(t, row, TRACE_ROOT_SERVICE, STR("shop"));
	table_set_str(t, row, TRACE_ROOT_NAME, STR("GET \"/\"\n"));
	table_set_str(t, row, TRACE_SERVICES,
	    STR("[{\"name\":\"shop\",\"span_count\":3,\"error_count\":1}]"));
}

TEST(ops, a_trace_of_a_search_has_all_members)
{
	struct fake f;
	fake_init(&f, TABLE_TRACES);
	fill_trace(&f.rows, fake_row(&f));
	json_t *answer = fake_get(&f, "search", "");
	expect_json(answer,
	    "{\"count\":1,\"traces\":[{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\","
	    "\"root\":{\"service\":\"shop\",\"operation\":\"GET \\\"/\\\"\\n\","
	    "\"span_id\":\"00000000000000ff\",\"kind\":\"server\",\"status\":\"error\"},"
	    "\"root_missing\":true,\"start_time\":\"2026-11-20T15:12:11.000000042Z\","
	    "\"start_time_unix_nano\":\"1795187531000000042\","
	    "\"end_time\":\"2026-11-20T15:12:11.001250042Z\","
	    "\"end_time_unix_nano\":\"1795187531001250042\",\"duration_ms\":1.25,"
	    "\"span_count\":3,\"error_count\":1,\"matched_spans\":2,"
	    "\"services\":[{\"name\":\"shop\",\"span_count\":3,\"error_count\":1}]}]}");
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, pages_of_a_search_go_on_behind_the_newest_match)
{
	struct fake f;
	char params[256];
	fake_init(&f, TABLE_TRACES);
	for (size_t i = 0; i < 3; i++)
		fill_trace(&f.rows, fake_row(&f));
	json_t *answer = fake_get(&f, "search", "limit=2&errors=");
	const char *cursor = json_string_value(json_object_get(answer, "next_cursor"));
	assert_non_null(cursor);
	snprintf(params, sizeof params, "errors=&limit=3&histogram=5&cursor=%s", cursor);
	json_t *second = fake_get(&f, "search", params);
	assert_int_equal(f.asked.kind, STORE_COUNTS); /* of all pages */
	assert_false(f.asked.after.set);
	json_decref(second);
	snprintf(params, sizeof params, "errors=&cursor=%s", cursor);
	ask(&f, "search", params);
	assert_true(f.asked.after.set && f.asked.after.seq == 222);
	/* A place among spans, but of another list. */
	assert_int_equal(fake_run(&f, "traces", strstr(params, "cursor=")), ERR_INVALID);
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, a_histogram_has_its_bounds_and_a_count_a_bucket)
{
	static const uint64_t counts[] = {1, 0, UINT64_C(9007199254740993)};
	struct buf out = {0};
	struct json_writer w;
	struct arena arena = {0};
	struct table t;
	table_init(&t, TABLE_BUCKETS, &arena);
	json_writer_init(&w, &out);
	jsonw_object(&w);
	ops_histogram_write(&w, "empty", &t);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		size_t row = table_add_row(&t);
		table_set_u64(&t, row, BUCKET_FROM_NS, 1000 + 10 * i);
		table_set_u64(&t, row, BUCKET_TO_NS, 1010 + 10 * i);
		table_set_u64(&t, row, BUCKET_COUNT, counts[i]);
	}
	ops_histogram_write(&w, "full", &t);
	jsonw_object_end(&w);
	json_t *got = json_loadb(out.ptr, out.len, 0, NULL);
	expect_json(got,
	    "{\"empty\":null,\"full\":{\"from\":\"1970-01-01T00:00:00.000001000Z\",\"from_unix_nano\":\"1000\","
	    "\"to\":\"1970-01-01T00:00:00.000001030Z\",\"to_unix_nano\":\"1030\",\"interval_ns\":10,"
	    "\"total\":\"9007199254740994\",\"buckets\":[1,0,\"9007199254740993\"]}}");
	json_decref(got);
	buf_fini(&out);
	arena_fini(&arena);
}
