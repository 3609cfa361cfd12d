/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes of docs/api.md, member by member. Rows are set by hand, the answer is parsed with
 * jansson and compared with JSON written by hand; equal means the same members, types and values.
 */
#include "base/timefmt.h"
#include "ops/fake_test.h"
#include "tests/test.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define RESOURCE                                                                                   \
	"\"resource\":{\"attributes\":{\"service.name\":\"shop\"},\"dropped_attributes_count\":4," \
	"\"schema_url\":\"http://schema/r\"}"
#define SCOPE                                                                                      \
	"\"scope\":{\"name\":\"lib\",\"version\":\"1.2\",\"attributes\":{\"a\":[1,true]},"         \
	"\"dropped_attributes_count\":5,\"schema_url\":\"http://schema/s\"}"

/* Compare an item of the answer with the JSON it should be. */
static void
expect_json(const json_t *got, const char *want_text)
{
	json_error_t error;
	json_t *want = json_loads(want_text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!want)
		fail_msg("the test's JSON: %s", error.text);
	if (!json_equal(got, want)) {
		char *got_text = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_INDENT(1));
		char *sorted = json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_INDENT(1));
		fail_msg("got %s\nwant %s", got_text, sorted);
	}
	json_decref(want);
}

static void
expect_answer(struct fake *f, const char *op, const char *params, const char *want)
{
	json_t *answer = fake_get(f, op, params);
	expect_json(answer, want);
	json_decref(answer);
}

static size_t
add_item(struct fake *f, int resource_col, int scope_col)
{
	size_t row = fake_row(f);
	table_set_u64(&f->rows, row, resource_col, 7);
	table_set_u64(&f->rows, row, scope_col, 9);
	return row;
}

/* ---- spans */

static size_t
add_span(struct fake *f)
{
	return add_item(f, SPAN_RESOURCE_ID, SPAN_SCOPE_ID);
}

static void
fill_span(struct table *t, size_t row)
{
	table_set_u64(t, row, SPAN_TRACE_HI, 0x5b8aa5a2d2c872e8);
	table_set_u64(t, row, SPAN_TRACE_LO, 0x321cf37308d69df2);
	table_set_u64(t, row, SPAN_SPAN_ID, 0xff);
	table_set_u64(t, row, SPAN_PARENT_ID, 0xabcdef0123456789);
	table_set_u64(t, row, SPAN_START_NS, UINT64_C(1795187531000000042));
	table_set_i64(t, row, SPAN_DURATION_NS, 1250000);
	table_set_str(t, row, SPAN_SERVICE, STR("checkout"));
	table_set_str(t, row, SPAN_NAME, STR("GET \"/cart\"\n"));
	table_set_i32(t, row, SPAN_KIND, 2);
	table_set_i32(t, row, SPAN_STATUS_CODE, 2);
	table_set_str(t, row, SPAN_STATUS_MESSAGE, STR("bad"));
	table_set_str(t, row, SPAN_TRACE_STATE, STR("a=b"));
	table_set_u32(t, row, SPAN_FLAGS, 0x101);
	table_set_str(t, row, SPAN_ATTRIBUTES,
	    STR("{\"i\":12,\"big\":9007199254740993,\"neg\":-9223372036854775808,\"d\":1.0,"
	        "\"nan\":{\"$double\":\"NaN\"},\"b\":{\"$bytes\":\"AP8=\"},\"$$k\":null,"
	        "\"l\":[true,{\"x\":\"y\"}]}"));
	table_set_u32(t, row, SPAN_DROPPED_ATTRIBUTES, 1);
	table_set_u32(t, row, SPAN_DROPPED_EVENTS, 2);
	table_set_u32(t, row, SPAN_DROPPED_LINKS, 3);
	table_set_str(t, row, SPAN_EVENTS,
	    STR("[{\"t\":1795187531000000043,\"name\":\"exception\",\"attributes\":{\"m\":\"}]\"},"
	        "\"dropped\":6},{\"t\":0,\"name\":\"\"}]"));
	table_set_str(t, row, SPAN_LINKS,
	    STR("[{\"trace_id\":\"000102030405060708090a0b0c0d0e0f\",\"span_id\":"
	        "\"0001020304050607\",\"trace_state\":\"c=\\\"d\\\"\",\"attributes\":{\"n\":"
	        "9007199254740993},\"dropped\":7,\"flags\":257},{\"trace_id\":"
	        "\"000102030405060708090a0b0c0d0e0f\",\"span_id\":\"0001020304050607\"}]"));
}

static const char full_span[] =
    "{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"span_id\":\"00000000000000ff\","
    "\"parent_span_id\":\"abcdef0123456789\",\"service\":\"checkout\","
    "\"operation\":\"GET \\\"/cart\\\"\\n\",\"kind\":\"server\","
    "\"start_time\":\"2026-11-20T15:12:11.000000042Z\","
    "\"start_time_unix_nano\":\"1795187531000000042\","
    "\"end_time\":\"2026-11-20T15:12:11.001250042Z\","
    "\"end_time_unix_nano\":\"1795187531001250042\",\"duration_ms\":1.25,\"duration_nano\":1250000,"
    "\"status\":\"error\",\"status_message\":\"bad\",\"trace_state\":\"a=b\",\"flags\":257,"
    "\"attributes\":{\"i\":12,\"big\":\"9007199254740993\",\"neg\":\"-9223372036854775808\","
    "\"d\":1.0,\"nan\":\"NaN\",\"b\":{\"$bytes\":\"AP8=\"},\"$k\":null,\"l\":[true,{\"x\":\"y\"}]},"
    "\"dropped_attributes_count\":1,"
    "\"events\":[{\"name\":\"exception\",\"timestamp\":\"2026-11-20T15:12:11.000000043Z\","
    "\"time_unix_nano\":\"1795187531000000043\",\"attributes\":{\"m\":\"}]\"},"
    "\"dropped_attributes_count\":6},{\"name\":\"\",\"timestamp\":"
    "\"1970-01-01T00:00:00.000000000Z\",\"time_unix_nano\":\"0\",\"attributes\":{},"
    "\"dropped_attributes_count\":0}],\"dropped_events_count\":2,"
    "\"links\":[{\"trace_id\":\"000102030405060708090a0b0c0d0e0f\",\"span_id\":"
    "\"0001020304050607\",\"trace_state\":\"c=\\\"d\\\"\",\"attributes\":{\"n\":"
    "\"9007199254740993\"},\"dropped_attributes_count\":7,\"flags\":257},"
    "{\"trace_id\":\"000102030405060708090a0b0c0d0e0f\",\"span_id\":\"0001020304050607\","
    "\"trace_state\":\"\",\"attributes\":{},\"dropped_attributes_count\":0,\"flags\":0}],"
    "\"dropped_links_count\":3," RESOURCE "," SCOPE "}";

static const char empty_span[] =
    "{\"trace_id\":null,\"span_id\":null,\"parent_span_id\":null,\"service\":\"\","
    "\"operation\":\"\",\"kind\":77,\"start_time\":\"1970-01-01T00:00:00.000000000Z\","
    "\"start_time_unix_nano\":\"0\",\"end_time\":\"2554-07-21T23:34:33.709551615Z\","
    "\"end_time_unix_nano\":\"18446744073709551615\",\"duration_ms\":-0.000001,"
    "\"duration_nano\":-1,\"status\":-4,\"status_message\":\"\",\"trace_state\":\"\",\"flags\":0,"
    "\"attributes\":{},\"dropped_attributes_count\":0,\"events\":[],\"dropped_events_count\":0,"
    "\"links\":[],\"dropped_links_count\":0," RESOURCE "," SCOPE "}";

TEST(ops, a_span_has_all_members_whatever_its_values)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	fill_span(&f.rows, add_span(&f));
	size_t row = add_span(&f); /* all else zero or absent; it ends before it starts */
	table_set_i32(&f.rows, row, SPAN_KIND, 77);
	table_set_i32(&f.rows, row, SPAN_STATUS_CODE, -4);
	table_set_i64(&f.rows, row, SPAN_DURATION_NS, -1);
	json_t *answer = fake_get(&f, "traces", "");
	const json_t *spans = json_object_get(answer, "spans");
	expect_json(json_array_get(spans, 0), full_span);
	expect_json(json_array_get(spans, 1), empty_span);
	assert_int_equal(json_object_size(answer), 2);
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), 2);
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, a_duration_beyond_javascript_is_a_string)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	table_set_i64(&f.rows, add_span(&f), SPAN_DURATION_NS, INT64_C(9007199254740992));
	json_t *answer = fake_get(&f, "traces", "");
	const json_t *span = json_array_get(json_object_get(answer, "spans"), 0);
	assert_string_equal(json_string_value(json_object_get(span, "duration_nano")),
	    "9007199254740992");
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, an_empty_list_is_an_answer)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	expect_answer(&f, "traces", "", "{\"spans\":[],\"count\":0}");
	expect_answer(&f, "logs", "", "{\"logs\":[],\"count\":0}");
	expect_answer(&f, "metrics", "", "{\"metrics\":[],\"count\":0}");
	expect_answer(&f, "services", "", "{\"services\":[],\"count\":0,\"truncated\":false}");
	fake_fini(&f);
}

TEST(ops, an_entity_reference_shows_in_the_resource)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	add_span(&f);
	table_set_str(&f.resources, 0, RESOURCE_ENTITY_REFS,
	    STR("[{\"schema_url\":\"s\",\"type\":\"host\",\"id_keys\":[\"host.id\"],"
	        "\"description_keys\":[]}]"));
	json_t *answer = fake_get(&f, "traces", "");
	const json_t *span = json_array_get(json_object_get(answer, "spans"), 0);
	expect_json(json_object_get(json_object_get(span, "resource"), "entity_refs"),
	    "[{\"schema_url\":\"s\",\"type\":\"host\",\"id_keys\":[\"host.id\"],"
	    "\"description_keys\":[]}]");
	json_decref(answer);
	fake_fini(&f);
}

/* ---- one trace */

#define TRACE "trace_id=5B8AA5A2D2C872E8321CF37308D69DF2"

static void
add_trace_span(struct fake *f, const char *service, uint64_t start_ns, int64_t duration_ns,
    int status)
{
	size_t row = add_span(f);
	table_set_str(&f->rows, row, SPAN_SERVICE, str_from(service));
	table_set_u64(&f->rows, row, SPAN_START_NS, start_ns);
	table_set_i64(&f->rows, row, SPAN_DURATION_NS, duration_ns);
	table_set_i32(&f->rows, row, SPAN_STATUS_CODE, status);
}

TEST(ops, a_trace_is_summed_up_over_its_spans)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	add_trace_span(&f, "b", 1000000, 2000000, 0);
	add_trace_span(&f, "a", 2000000, 11500000, 2); /* ends last */
	add_trace_span(&f, "b", 500000, -400000, 1); /* begins first, ends before that */
	json_t *answer = fake_get(&f, "trace", TRACE);
	assert_int_equal(json_array_size(json_object_get(answer, "spans")), 3);
	json_object_del(answer, "spans");
	expect_json(answer,
	    "{\"trace_id\":\"5b8aa5a2d2c872e8321cf37308d69df2\",\"span_count\":3,"
	    "\"services\":[\"a\",\"b\"],\"start_time\":\"1970-01-01T00:00:00.000500000Z\","
	    "\"start_time_unix_nano\":\"500000\",\"end_time\":\"1970-01-01T00:00:00.013500000Z\","
	    "\"end_time_unix_nano\":\"13500000\",\"duration_ms\":13.0,\"error_count\":1,"
	    "\"truncated\":false}");
	json_decref(answer);
	/* The latest end is then a start: nothing of the trace is after its end. */
	add_trace_span(&f, "b", 20000000, -1000000, 0);
	answer = fake_get(&f, "trace", TRACE);
	assert_string_equal(json_string_value(json_object_get(answer, "end_time_unix_nano")),
	    "20000000");
	json_decref(answer);
	answer = fake_get(&f, "trace", TRACE "&limit=2");
	assert_true(json_is_true(json_object_get(answer, "truncated")));
	assert_int_equal(json_integer_value(json_object_get(answer, "span_count")), 2);
	json_decref(answer);
	fake_fini(&f);
}

/* ---- logs */

static void
fill_log(struct table *t, size_t row)
{
	table_set_u64(t, row, LOG_EVENT_NS, 3);
	table_set_u64(t, row, LOG_TIME_NS, 0);
	table_set_u64(t, row, LOG_OBSERVED_NS, 3);
	table_set_u64(t, row, LOG_TRACE_LO, 1);
	table_set_u64(t, row, LOG_SPAN_ID, 2);
	table_set_str(t, row, LOG_SERVICE, STR("shop"));
	table_set_i32(t, row, LOG_SEVERITY_NUMBER, 17);
	table_set_str(t, row, LOG_SEVERITY_TEXT, STR("ERROR"));
	table_set_str(t, row, LOG_BODY, STR("{\"$bytes\":\"not typed JSON\"}"));
	table_set_i32(t, row, LOG_BODY_KIND, LOG_BODY_STRING);
	table_set_str(t, row, LOG_EVENT_NAME, STR("ev"));
	table_set_u32(t, row, LOG_FLAGS, 1);
	table_set_str(t, row, LOG_ATTRIBUTES, STR("{\"k\":-0.0}"));
	table_set_u32(t, row, LOG_DROPPED_ATTRIBUTES, 8);
}

TEST(ops, a_log_record_has_all_members)
{
	struct fake f;
	fake_init(&f, TABLE_LOGS);
	fill_log(&f.rows, add_item(&f, LOG_RESOURCE_ID, LOG_SCOPE_ID));
	size_t row = add_item(&f, LOG_RESOURCE_ID, LOG_SCOPE_ID);
	table_set_u64(&f.rows, row, LOG_EVENT_NS, 9);
	json_t *answer = fake_get(&f, "logs", "");
	const json_t *logs = json_object_get(answer, "logs");
	expect_json(json_array_get(logs, 0),
	    "{\"timestamp\":\"1970-01-01T00:00:00.000000003Z\",\"event_time_unix_nano\":\"3\","
	    "\"time_unix_nano\":\"0\",\"observed_timestamp\":\"1970-01-01T00:00:00.000000003Z\","
	    "\"observed_time_unix_nano\":\"3\",\"trace_id\":\"00000000000000000000000000000001\","
	    "\"span_id\":\"0000000000000002\",\"severity\":\"error\",\"severity_number\":17,"
	    "\"severity_text\":\"ERROR\",\"body\":\"{\\\"$bytes\\\":\\\"not typed JSON\\\"}\","
	    "\"event_name\":\"ev\",\"service\":\"shop\",\"attributes\":{\"k\":-0.0},"
	    "\"dropped_attributes_count\":8,\"flags\":1," RESOURCE "," SCOPE "}");
	expect_json(json_array_get(logs, 1),
	    "{\"timestamp\":\"1970-01-01T00:00:00.000000009Z\",\"event_time_unix_nano\":\"9\","
	    "\"time_unix_nano\":\"0\",\"observed_timestamp\":null,"
	    "\"observed_time_unix_nano\":\"0\",\"trace_id\":null,"
	    "\"span_id\":null,\"severity\":\"unspecified\",\"severity_number\":0,"
	    "\"severity_text\":\"\",\"body\":null,"
	    "\"event_name\":\"\",\"service\":\"\",\"attributes\":{},"
	    "\"dropped_attributes_count\":0,\"flags\":0," RESOURCE "," SCOPE "}");
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, a_log_body_may_be_any_value)
{
	static const char *const typed[][2] = {
	    {"{\"a\":[1,null]}", "{\"a\":[1,null]}"},
	    {"12", "12"},
	    {"9007199254740993", "\"9007199254740993\""},
	    {"{\"$double\":\"-Infinity\"}", "\"-Infinity\""},
	    {"{\"$bytes\":\"AA==\"}", "{\"$bytes\":\"AA==\"}"},
	    {"false", "false"},
	    {"[]", "[]"},
	};
	struct fake f;
	fake_init(&f, TABLE_LOGS);
	for (size_t i = 0; i < ARRAY_LEN(typed); i++) {
		size_t row = add_item(&f, LOG_RESOURCE_ID, LOG_SCOPE_ID);
		table_set_str(&f.rows, row, LOG_BODY, str_from(typed[i][0]));
		table_set_i32(&f.rows, row, LOG_BODY_KIND, LOG_BODY_TYPED);
	}
	json_t *answer = fake_get(&f, "logs", "");
	for (size_t i = 0; i < ARRAY_LEN(typed); i++)
		expect_json(json_object_get(json_array_get(json_object_get(answer, "logs"), i),
		                "body"),
		    typed[i][1]);
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, severity_names_follow_the_number)
{
	static const struct {
		int32_t number;
		const char *name;
	} rows[] = {{-1, "unspecified"}, {0, "unspecified"}, {1, "trace"}, {4, "trace"},
	    {5, "debug"}, {8, "debug"}, {9, "info"}, {12, "info"}, {13, "warn"}, {16, "warn"},
	    {17, "error"}, {20, "error"}, {21, "fatal"}, {24, "fatal"}, {25, "unspecified"}};
	struct fake f;
	fake_init(&f, TABLE_LOGS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		table_set_i32(&f.rows, add_item(&f, LOG_RESOURCE_ID, LOG_SCOPE_ID),
		    LOG_SEVERITY_NUMBER, rows[i].number);
	json_t *answer = fake_get(&f, "logs", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const json_t *log = json_array_get(json_object_get(answer, "logs"), i);
		assert_string_equal(json_string_value(json_object_get(log, "severity")),
		    rows[i].name);
	}
	json_decref(answer);
	fake_fini(&f);
}

/* ---- points */

#define POINT_HEAD                                                                                 \
	"\"timestamp\":\"1970-01-01T00:00:00.000000005Z\",\"time_unix_nano\":\"5\","               \
	"\"start_time_unix_nano\":\"4\",\"service\":\"shop\",\"name\":\"n\",\"description\":"      \
	"\"d\",\"unit\":\"ms\",\"flags\":0,\"attributes\":{\"k\":1},\"metadata\":{\"m\":true},"    \
	"\"exemplars\":[]," RESOURCE "," SCOPE ","

static size_t
add_point(struct fake *f, enum point_type type, int temporality)
{
	size_t row = add_item(f, POINT_RESOURCE_ID, POINT_SCOPE_ID);
	struct table *t = &f->rows;
	table_set_u64(t, row, POINT_TIME_NS, 5);
	table_set_u64(t, row, POINT_START_NS, 4);
	table_set_str(t, row, POINT_SERVICE, STR("shop"));
	table_set_str(t, row, POINT_NAME, STR("n"));
	table_set_str(t, row, POINT_DESCRIPTION, STR("d"));
	table_set_str(t, row, POINT_UNIT, STR("ms"));
	table_set_str(t, row, POINT_ATTRIBUTES, STR("{\"k\":1}"));
	table_set_str(t, row, POINT_METADATA, STR("{\"m\":true}"));
	table_set_i32(t, row, POINT_TYPE, (int32_t)type);
	table_set_i32(t, row, POINT_TEMPORALITY, temporality);
	return row;
}

static void
expect_point(struct fake *f, const char *want)
{
	json_t *answer = fake_get(f, "metrics", "");
	expect_json(json_array_get(json_object_get(answer, "metrics"), 0), want);
	json_decref(answer);
	table_truncate(&f->rows, 0);
}

TEST(ops, a_gauge_or_sum_keeps_the_type_of_its_number)
{
	struct fake f;
	fake_init(&f, TABLE_POINTS);
	table_set_f64(&f.rows, add_point(&f, POINT_GAUGE, 0), POINT_VALUE, 1.0);
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"gauge\",\"temporality\":null,\"is_monotonic\":false,"
	    "\"value_type\":\"double\",\"value\":1.0}");
	size_t row = add_point(&f, POINT_SUM_TYPE, 2);
	table_set_i64(&f.rows, row, POINT_VALUE_INT, INT64_MIN);
	table_set_bool(&f.rows, row, POINT_MONOTONIC, true);
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"sum\",\"temporality\":\"cumulative\","
	    "\"is_monotonic\":true,\"value_type\":\"int\",\"value\":\"-9223372036854775808\"}");
	table_set_f64(&f.rows, add_point(&f, POINT_GAUGE, 0), POINT_VALUE, (double)NAN);
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"gauge\",\"temporality\":null,\"is_monotonic\":false,"
	    "\"value_type\":\"double\",\"value\":\"NaN\"}");
	add_point(&f, POINT_SUM_TYPE, 9);
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"sum\",\"temporality\":9,\"is_monotonic\":false,"
	    "\"value_type\":null,\"value\":null}");
	fake_fini(&f);
}

TEST(ops, a_histogram_has_its_buckets)
{
	static const double bounds[] = {0.5, 10.0};
	static const uint64_t counts[] = {1, UINT64_MAX, 3};
	struct fake f;
	fake_init(&f, TABLE_POINTS);
	size_t row = add_point(&f, POINT_HISTOGRAM, 1);
	table_set_u64(&f.rows, row, POINT_COUNT, 4);
	table_set_f64(&f.rows, row, POINT_SUM, 12.5);
	table_set_f64(&f.rows, row, POINT_MAX, (double)INFINITY);
	table_set_f64s(&f.rows, row, POINT_BOUNDS, (struct f64s){bounds, 2});
	table_set_u64s(&f.rows, row, POINT_BUCKETS, (struct u64s){counts, 3});
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"histogram\",\"temporality\":\"delta\","
	    "\"is_monotonic\":false,\"value\":12.5,\"count\":4,\"sum\":12.5,\"min\":null,"
	    "\"max\":\"Infinity\",\"explicit_bounds\":[0.5,10.0],"
	    "\"bucket_counts\":[1,\"18446744073709551615\",3]}");
	add_point(&f, POINT_HISTOGRAM, 0);
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"histogram\",\"temporality\":\"unspecified\","
	    "\"is_monotonic\":false,\"value\":null,\"count\":null,\"sum\":null,\"min\":null,"
	    "\"max\":null,\"explicit_bounds\":[],\"bucket_counts\":[]}");
	fake_fini(&f);
}

TEST(ops, an_exponential_histogram_has_both_sides)
{
	static const uint64_t counts[] = {7, 0, 1};
	struct fake f;
	fake_init(&f, TABLE_POINTS);
	size_t row = add_point(&f, POINT_EXP_HISTOGRAM, 2);
	table_set_u64(&f.rows, row, POINT_COUNT, 8);
	table_set_f64(&f.rows, row, POINT_MIN, -1.5);
	table_set_i32(&f.rows, row, POINT_SCALE, -3);
	table_set_u64(&f.rows, row, POINT_ZERO_COUNT, 2);
	table_set_f64(&f.rows, row, POINT_ZERO_THRESHOLD, 1e-9);
	table_set_i32(&f.rows, row, POINT_POS_OFFSET, -10);
	table_set_u64s(&f.rows, row, POINT_POS_COUNTS, (struct u64s){counts, 3});
	expect_point(&f,
	    "{" POINT_HEAD "\"metric_type\":\"exponential_histogram\",\"temporality\":"
	    "\"cumulative\",\"is_monotonic\":false,\"value\":null,\"count\":8,\"sum\":null,"
	    "\"min\":-1.5,\"max\":null,\"scale\":-3,\"zero_count\":2,\"zero_threshold\":1e-9,"
	    "\"positive\":{\"offset\":-10,\"bucket_counts\":[7,0,1]},\"negative\":null}");
	fake_fini(&f);
}

TEST(ops, a_summary_has_its_quantiles)
{
	static const double quantiles[] = {0.5, 0.99}, values[] = {1.0, 250.0};
	struct fake f;
	fake_init(&f, TABLE_POINTS);
	size_t row = add_point(&f, POINT_SUMMARY, 0);
	table_set_u64(&f.rows, row, POINT_COUNT, 3);
	table_set_f64(&f.rows, row, POINT_SUM, 4.0);
	table_set_f64s(&f.rows, row, POINT_QUANTILES, (struct f64s){quantiles, 2});
	table_set_f64s(&f.rows, row, POINT_QUANTILE_VALUES, (struct f64s){values, 2});
	expect_point(&f,
	    "{" POINT_HEAD
	    "\"metric_type\":\"summary\",\"temporality\":null,\"is_monotonic\":false,"
	    "\"value\":4.0,\"count\":3,\"sum\":4.0,\"quantile_values\":[{\"quantile\":0.5,\"value\":"
	    "1.0},{\"quantile\":0.99,\"value\":250.0}]}");
	fake_fini(&f);
}

TEST(ops, exemplars_keep_their_number_and_ids)
{
	struct fake f;
	fake_init(&f, TABLE_POINTS);
	size_t row = add_point(&f, POINT_GAUGE, 0);
	table_set_str(&f.rows, row, POINT_EXEMPLARS,
	    STR("[{\"t\":1,\"value\":9007199254740993,\"trace_id\":"
	        "\"000102030405060708090a0b0c0d0e0f\",\"span_id\":\"0001020304050607\","
	        "\"attributes\":{\"a\":1.5}},{\"t\":2,\"value\":{\"$double\":\"NaN\"}},{\"t\":3}]"));
	json_t *answer = fake_get(&f, "metrics", "");
	const json_t *point = json_array_get(json_object_get(answer, "metrics"), 0);
	expect_json(json_object_get(point, "exemplars"),
	    "[{\"timestamp\":\"1970-01-01T00:00:00.000000001Z\",\"time_unix_nano\":\"1\",\"value\":"
	    "\"9007199254740993\",\"trace_id\":\"000102030405060708090a0b0c0d0e0f\",\"span_id\":"
	    "\"0001020304050607\",\"attributes\":{\"a\":1.5}},"
	    "{\"timestamp\":\"1970-01-01T00:00:00.000000002Z\",\"time_unix_nano\":\"2\",\"value\":"
	    "\"NaN\",\"trace_id\":null,\"span_id\":null,\"attributes\":{}},"
	    "{\"timestamp\":\"1970-01-01T00:00:00.000000003Z\",\"time_unix_nano\":\"3\",\"value\":"
	    "null,\"trace_id\":null,\"span_id\":null,\"attributes\":{}}]");
	json_decref(answer);
	fake_fini(&f);
}

/* ---- services */

TEST(ops, services_have_rates_and_averages)
{
	struct fake f;
	fake_init(&f, TABLE_SERVICES);
	size_t row = fake_row(&f);
	table_set_str(&f.rows, row, SERVICE_NAME, STR("checkout"));
	table_set_u64(&f.rows, row, SERVICE_SPANS, 10);
	table_set_u64(&f.rows, row, SERVICE_TRACES, 4);
	table_set_u64(&f.rows, row, SERVICE_ERRORS, 1);
	table_set_u64(&f.rows, row, SERVICE_ENDED, 8); /* two spans are still open */
	table_set_f64(&f.rows, row, SERVICE_DURATION_SUM_NS, 32e6);
	table_set_u64(&f.rows, row, SERVICE_LAST_NS, 1);
	row = fake_row(&f);
	table_set_str(&f.rows, row, SERVICE_NAME, STR("quiet"));
	table_set_u64(&f.rows, row, SERVICE_LOGS, 2);
	table_set_u64(&f.rows, row, SERVICE_POINTS, 7);
#define TIMES(last)                                                                                \
	"\"first_seen\":\"1970-01-01T00:00:00.000000000Z\",\"first_seen_unix_nano\":\"0\","        \
	"\"last_seen\":\"1970-01-01T00:00:00.00000000" last "Z\",\"last_seen_unix_nano\":\"" last  \
	"\""
	expect_answer(&f, "services", "",
	    "{\"services\":[{\"name\":\"checkout\",\"span_count\":10,\"trace_count\":4,"
	    "\"error_count\":1,\"error_rate\":0.1,\"avg_duration_ms\":4.0,\"log_count\":0,"
	    "\"point_count\":0," TIMES(
	        "1") "},{\"name\":\"quiet\",\"span_count\":0,"
	             "\"trace_count\":0,\"error_count\":0,\"error_rate\":0.0,\"avg_duration_ms\":null,"
	             "\"log_count\":2,\"point_count\":7," TIMES(
	                 "0") "}],\"count\":2,\"truncated\":false}");
	json_t *answer = fake_get(&f, "services", "limit=1");
	assert_true(json_is_true(json_object_get(answer, "truncated")));
	json_decref(answer);
	fake_fini(&f);
}

/* ---- a damaged store, an answer that is too large */

TEST(ops, damaged_text_in_the_store_is_an_error_that_names_the_row)
{
	static const struct {
		int col;
		const char *text;
	} rows[] = {
	    {SPAN_ATTRIBUTES, "{\"a\":"},
	    {SPAN_EVENTS, "{}"},
	    {SPAN_EVENTS, "[{\"t\":-1}]"},
	    {SPAN_EVENTS, "[{\"t\":1,\"name\":5}]"},
	    {SPAN_EVENTS, "[{\"t\":1,\"name\":\"a\"}"},
	    {SPAN_EVENTS, "[1]"},
	    {SPAN_EVENTS, "[{\"t\":1,\"attributes\":[]}]"},
	    {SPAN_LINKS, "[{\"flags\":\"1\"}]"},
	    {SPAN_LINKS, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake f;
		fake_init(&f, TABLE_SPANS);
		size_t row = add_span(&f);
		table_set_u64(&f.rows, row, SPAN_SPAN_ID, 0xab);
		table_set_str(&f.rows, row, rows[i].col, str_from(rows[i].text));
		assert_int_equal(fake_run(&f, "traces", ""), ERR_CORRUPT);
		assert_non_null(strstr(f.err.message, "span 00000000000000ab: "));
		fake_fini(&f);
	}
}

TEST(ops, a_missing_resource_is_an_error)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	table_set_u64(&f.rows, add_span(&f), SPAN_RESOURCE_ID, 8);
	assert_int_equal(fake_run(&f, "traces", ""), ERR_CORRUPT);
	assert_non_null(strstr(f.err.message, "resource 0000000000000008 is not in the store"));
	fake_fini(&f);
}

TEST(ops, members_of_a_newer_store_are_skipped)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	table_set_str(&f.rows, add_span(&f), SPAN_EVENTS,
	    STR("[{\"new\":[{\"t\":9}],\"t\":1,\"name\":\"e\"}]"));
	json_t *answer = fake_get(&f, "traces", "");
	const json_t *span = json_array_get(json_object_get(answer, "spans"), 0);
	expect_json(json_object_get(span, "events"),
	    "[{\"name\":\"e\",\"timestamp\":\"1970-01-01T00:00:00.000000001Z\","
	    "\"time_unix_nano\":\"1\",\"attributes\":{},\"dropped_attributes_count\":0}]");
	json_decref(answer);
	fake_fini(&f);
}

TEST(ops, an_answer_beyond_its_limit_is_too_large)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	for (int i = 0; i < 10; i++)
		add_span(&f);
	f.answer_bytes_max = 3000;
	assert_int_equal(fake_run(&f, "traces", ""), ERR_TOO_LARGE);
	assert_non_null(strstr(f.err.message, "larger than 3000 bytes; ask for less with limit"));
	assert_int_equal(fake_run(&f, "traces", "limit=1"), ERR_OK);
	fake_fini(&f);
}

TEST(ops, a_query_out_of_memory_is_too_large_and_not_damage)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	table_set_str(&f.rows, add_span(&f), SPAN_EVENTS,
	    STR("[{\"t\":1,\"name\":\"\\n0123456789012345678901234567890123456789\"}]"));
	assert_int_equal(fake_run(&f, "traces", ""), ERR_OK);
	f.arena_bytes_max = 16;
	assert_int_equal(fake_run(&f, "traces", ""), ERR_TOO_LARGE);
	assert_non_null(strstr(f.err.message, "ask for less with limit"));
	fake_fini(&f);
}
