/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters, the query they make, and cursors. */
#include "base/timefmt.h"
#include "ops/fake_test.h"
#include "tests/test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void
expect_refused(const char *op, const char *params, const char *text)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	assert_int_equal(fake_run(&f, op, params), ERR_INVALID);
	if (!strstr(f.err.message, text))
		fail_msg("%s?%s: \"%s\" does not say \"%s\"", op, params, f.err.message, text);
	assert_int_equal(f.ask_count, 0);
	fake_fini(&f);
}

TEST(ops, a_malformed_parameter_is_named_with_what_is_expected)
{
	static const struct {
		const char *op, *params, *text;
	} rows[] = {
	    {"traces", "min_duration_ms=abc",
	        "parameter min_duration_ms: neither a number of milliseconds nor"},
	    {"traces", "min_duration_ms=nan", "parameter min_duration_ms: neither a number"},
	    {"traces", "min_duration_ms=-1", "min_duration_ms: must not be negative: \"-1\""},
	    {"traces", "min_duration_ms=-0.5s", "parameter min_duration_ms: neither a number"},
	    {"traces", "min_duration_ms=1e300", "parameter min_duration_ms: out of range"},
	    {"traces", "max_duration_ms=", "parameter max_duration_ms: neither a number"},
	    {"traces", "max_duration_ms=inf", "parameter max_duration_ms: neither a number"},
	    {"traces", "status=bad", "parameter status: must be one of ok, error, unset: \"bad\""},
	    {"traces", "status=", "parameter status: must be one of"},
	    {"traces", "status=ok|error", "parameter status: must be one of"},
	    {"traces", "kind=serv", "parameter kind: must be one of unspecified, internal"},
	    {"traces", "attribute==v", "parameter attribute: no key before the condition: \"=v\""},
	    {"traces", "attribute=<5", "parameter attribute: no key before the condition"},
	    {"traces", "attribute=k>=", "parameter attribute: <, <=, > and >= compare with a"},
	    {"traces", "attribute=k>abc", "compare with a number, like 1.5: \"k>abc\""},
	    {"traces", "attribute=k<1.", "compare with a number"},
	    {"traces", "attribute=k<.5", "compare with a number"},
	    {"traces", "attribute=k<01", "compare with a number"},
	    {"traces", "attribute=k<%2B1", "compare with a number"},
	    {"traces", "attribute=k<1e", "compare with a number"},
	    {"traces", "attribute=k<-", "compare with a number"},
	    {"traces", "attribute=k>5=6", "compare with a number"},
	    {"traces", "attribute=k<inf", "compare with a number"},
	    {"traces", "attribute=k<=NaN", "compare with a number"},
	    {"logs", "attribute=k<1 ", "compare with a number"},
	    {"traces", "trace_id=12",
	        "parameter trace_id: a trace id is 32 hex digits, this has 2 characters: \"12\""},
	    {"traces", "trace_id=0123456789abcdef0123456789abcdeg",
	        "parameter trace_id: a trace id is 32 hex digits: "},
	    {"traces", "trace_id=00000000000000000000000000000000",
	        "parameter trace_id: a trace id is not all zeros"},
	    {"traces", "roots=yes", "parameter roots: must be true or false: \"yes\""},
	    {"traces", "from=tomorrow", "parameter from: not a time"},
	    {"traces", "to=2026-13-01T00:00:00Z", "parameter to: not a time"},
	    {"traces", "last=5 minutes", "parameter last: not a length of time"},
	    {"traces", "last=0", "parameter last: not a length of time"},
	    {"traces", "limit=ten", "parameter limit: not an integer: \"ten\""},
	    {"traces", "limit=0", "parameter limit: must be 1 to 10000"},
	    {"traces", "limit=-1", "parameter limit: must be 1 to 10000"},
	    {"traces", "limit=10001", "parameter limit: must be 1 to 10000"},
	    {"traces", "limit=99999999999999999999", "parameter limit: not an integer"},
	    {"traces", "cursor=abc", "parameter cursor: not a cursor of this server"},
	    {"traces", "service=", "parameter service: is empty"},
	    {"traces", "operation=\xff", "parameter operation: not UTF-8"},
	    {"trace", "trace_id=xyz", "parameter trace_id: a trace id is 32 hex digits"},
	    {"trace", "limit=5", "parameter trace_id: missing"},
	    {"logs", "severity=errors", "parameter severity: must be one of trace, debug"},
	    {"logs", "min_severity=17", "parameter min_severity: must be one of"},
	    {"logs", "body_contains=", "parameter body_contains: is empty"},
	    {"logs", "event_name=", "parameter event_name: is empty"},
	    {"logs", "span_id=12", "parameter span_id: a span id is 16 hex digits: \"12\""},
	    {"logs", "span_id=0000000000000000", "parameter span_id: a span id is not all zeros"},
	    {"metrics", "name=", "parameter name: is empty"},
	    {"metrics", "metric_type=counter", "parameter metric_type: must be one of gauge"},
	    {"services", "last=x", "parameter last: not a length of time"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_refused(rows[i].op, rows[i].params, rows[i].text);
}

TEST(ops, unknown_repeated_and_contradicting_parameters_are_refused)
{
	expect_refused("traces", "servcie=a", "parameter servcie: unknown; traces takes service,");
	expect_refused("services", "service=a", "parameter service: unknown");
	expect_refused("services", "cursor=a", "parameter cursor: unknown");
	expect_refused("traces", "service=a&service=a", "parameter service: given 2 times");
	expect_refused("traces", "last=5m&from=1", "parameter last: not together with from or to");
	expect_refused("traces", "to=1&last=5m", "parameter last: not together with from or to");
	expect_refused("traces", "from=20&to=20", "parameter to: must be later than from");
}

TEST(ops, a_long_hostile_value_is_cut_in_the_error_between_characters)
{
	char params[4096] = "limit=";
	for (size_t at = 6; at + 3 < sizeof params; at += 2)
		memcpy(params + at, "\xc3\xa9", 3); /* e with an acute */
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
	assert_true(strlen(f.err.message) < 100);
	const char *end = f.err.message + strlen(f.err.message);
	assert_string_equal(end - 6, "\xc3\xa9\"...");
	fake_fini(&f);
}

TEST(ops, attributes_may_repeat_up_to_the_bound)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	char params[2048] = "";
	for (int i = 0; i < STORE_ATTRS_MAX; i++)
		snprintf(params + strlen(params), sizeof params - strlen(params),
		    "attribute=k%d=v=%d&", i, i);
	assert_int_equal(fake_run(&f, "traces", params), ERR_OK);
	assert_int_equal(f.asked.attr_count, STORE_ATTRS_MAX);
	snprintf(params + strlen(params), sizeof params - strlen(params), "attribute=k=v");
	assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
	assert_string_equal(f.err.message, "parameter attribute: given more than 32 times");
	fake_fini(&f);
}

static void ask(struct fake *f, const char *op, const char *params);

TEST(ops, an_attribute_is_compared_by_its_first_operator)
{
	static const struct {
		const char *params;
		enum store_attr_op op;
		size_t key_len, value_len;
	} rows[] = {
	    {"attribute=k=", STORE_ATTR_EQ, 1, 0},
	    {"attribute=k=a=b", STORE_ATTR_EQ, 1, 3},
	    {"attribute=k==b", STORE_ATTR_EQ, 1, 2},
	    {"attribute=k=>5", STORE_ATTR_EQ, 1, 2},
	    {"attribute=k=a<b>=c", STORE_ATTR_EQ, 1, 6},
	    {"attribute=http.status_code>=500", STORE_ATTR_GE, 16, 3},
	    {"attribute=k>-1.5", STORE_ATTR_GT, 1, 4},
	    {"attribute=k<=1e-7", STORE_ATTR_LE, 1, 4},
	    {"attribute=k<0", STORE_ATTR_LT, 1, 1},
	};
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&f, "traces", rows[i].params);
		assert_int_equal(f.asked.attr_count, 1);
		assert_int_equal(f.asked.attrs[0].op, rows[i].op);
		assert_int_equal(f.asked.attrs[0].key.len, rows[i].key_len);
		assert_int_equal(f.asked.attrs[0].value.len, rows[i].value_len);
	}
	fake_fini(&f);
}

static void
ask(struct fake *f, const char *op, const char *params)
{
	if (fake_run(f, op, params))
		fail_msg("%s: %s", params, f->err.message);
}

/* The texts point into the parameters, which are gone: lengths and numbers only. */
TEST(ops, span_parameters_reach_the_query)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	ask(&f, "traces", "");
	assert_int_equal(f.asked.kind, STORE_SPANS);
	assert_int_equal(f.asked.row_max, 100);
	assert_true(f.asked.from_ns == 0 && f.asked.to_ns == UINT64_MAX);
	assert_int_equal(f.asked.deadline_mono_ns, 99);
	assert_false(f.asked.has_status || f.asked.has_kind || f.asked.has_trace_id);
	ask(&f, "traces",
	    "service=abc&operation=defg&status=error&kind=client&min_duration_ms=2.01&"
	    "max_duration_ms=1.5s&attribute=key=a=b&trace_id=0123456789ABCDEF00000000000000fF&roots=&"
	    "from=1970-01-01T00:00:01Z&to=2&limit=10000");
	assert_int_equal(f.asked.service.len, 3);
	assert_int_equal(f.asked.operation.len, 4);
	assert_true(f.asked.has_status && f.asked.status_code == 2);
	assert_true(f.asked.has_kind && f.asked.span_kind == 3);
	assert_true(f.asked.has_duration_min && f.asked.duration_min_ns == 2010000);
	assert_true(f.asked.has_duration_max && f.asked.duration_max_ns == 1500000000);
	assert_int_equal(f.asked.attrs[0].key.len, 3);
	assert_int_equal(f.asked.attrs[0].value.len, 3);
	assert_true(f.asked.has_trace_id && f.asked.trace_hi == 0x0123456789abcdef);
	assert_true(f.asked.trace_lo == 0xff && f.asked.roots_only);
	assert_true(f.asked.from_ns == NS_PER_S && f.asked.to_ns == 2 * NS_PER_S);
	assert_int_equal(f.asked.row_max, 10000);
	ask(&f, "traces", "status=unset&kind=unspecified&roots=false&limit=1");
	assert_true(f.asked.has_status && f.asked.status_code == 0);
	assert_true(f.asked.has_kind && f.asked.span_kind == 0 && !f.asked.roots_only);
	ask(&f, "traces", "status=ERROR&kind=Server&min_duration_ms=250us");
	assert_true(f.asked.status_code == 2 && f.asked.span_kind == 2);
	assert_true(f.asked.duration_min_ns == 250000);
	ask(&f, "traces", "max_duration_ms=0ms");
	assert_true(f.asked.has_duration_max && f.asked.duration_max_ns == 0);
	ask(&f, "traces", "from=2026-11-20&to=2026-11-20T16:00");
	assert_true(f.asked.from_ns == 20777 * NS_PER_DAY);
	assert_true(f.asked.to_ns == 20777 * NS_PER_DAY + 16 * 3600 * NS_PER_S);
	ask(&f, "traces", "last=1.5h");
	assert_true(f.asked.from_ns == f.now_ns - 5400 * NS_PER_S);
	ask(&f, "traces", "last=15m");
	assert_true(f.asked.from_ns == f.now_ns - 900 * NS_PER_S && f.asked.to_ns == UINT64_MAX);
	ask(&f, "traces", "last=9000w");
	assert_true(f.asked.from_ns == 0);
	fake_fini(&f);
}

TEST(ops, limits_and_kinds_are_those_of_each_operation)
{
	struct fake f;
	fake_init(&f, TABLE_SPANS);
	f.limits.results_max = 50;
	ask(&f, "traces", "");
	assert_int_equal(f.asked.row_max, 50);
	ask(&f, "logs", "event_name=abc&body_contains=ab&span_id=00000000000000ff");
	assert_true(f.asked.kind == STORE_LOGS && f.asked.name.len == 3);
	assert_true(f.asked.body_contains.len == 2 && f.asked.span_id == 255);
	ask(&f, "metrics", "name=abcd&metric_type=summary");
	assert_true(f.asked.kind == STORE_POINTS && f.asked.name.len == 4);
	assert_int_equal(f.asked.point_type, POINT_SUMMARY);
	ask(&f, "metrics", "metric_type=gauge");
	assert_int_equal(f.asked.point_type, POINT_GAUGE);
	f.limits.results_max = 5000;
	ask(&f, "traces", "");
	assert_int_equal(f.asked.row_max, 100);
	ask(&f, "metrics", "");
	assert_int_equal(f.asked.row_max, 500);
	ask(&f, "services", "");
	assert_true(f.asked.kind == STORE_SERVICES && f.asked.row_max == 5000);
	assert_int_equal(fake_run(&f, "trace", "trace_id=00000000000000000000000000000001"),
	    ERR_NOT_FOUND);
	assert_true(f.asked.kind == STORE_TRACE && f.asked.row_max == 5000);
	assert_string_equal(f.err.message, "no trace with id 00000000000000000000000000000001");
	fake_fini(&f);
}

TEST(ops, no_operation_gives_more_results_than_the_server_does)
{
	struct fake f;
	size_t checked = 0;
	fake_init(&f, TABLE_SPANS);
	f.limits.results_max = 50;
	for (const struct op *op = ops_table; op->name; op++) {
		static const char *const bad[] = {"0", "-1", "51", "9223372036854775807"};
		const struct op_param *p = op->params;
		while (p->name && !p->results)
			p++;
		for (size_t i = 0; p->name && i < ARRAY_LEN(bad); i++) {
			char params[80], wanted[80];
			snprintf(params, sizeof params, "%s=%s", p->name, bad[i]);
			snprintf(wanted, sizeof wanted, "parameter %s: must be 1 to 50: \"%s\"",
			    p->name, bad[i]);
			assert_int_equal(fake_run(&f, op->name, params), ERR_INVALID);
			assert_string_equal(f.err.message, wanted);
			checked++;
		}
	}
	assert_true(checked >= 5 * 4);
	assert_int_equal(f.ask_count, 0);
	assert_int_equal(fake_run(&f, "traces", "limit=50"), ERR_OK);
	assert_int_equal(f.asked.row_max, 50);
	fake_fini(&f);
}

TEST(ops, severities_are_buckets_of_four_numbers)
{
	static const struct {
		const char *params;
		int min, max;
		bool unspecified;
	} rows[] = {
	    {"severity=trace", 1, 4, false},
	    {"severity=debug", 5, 8, false},
	    {"severity=info", 9, 12, false},
	    {"severity=warn", 13, 16, false},
	    {"severity=error", 17, 20, false},
	    {"severity=fatal", 21, 24, false},
	    {"severity=Warning", 13, 16, false},
	    {"severity=ERR", 17, 20, false},
	    {"severity=ERROR", 17, 20, false},
	    {"severity=unspecified", 0, 0, true},
	    {"min_severity=trace", 1, 24, false},
	    {"min_severity=warn", 13, 24, false},
	    {"min_severity=unspecified", 0, 0, false},
	    {"min_severity=unspecified&severity=unspecified", 0, 0, true},
	    {"min_severity=warn&severity=error", 17, 20, false},
	};
	struct fake f;
	fake_init(&f, TABLE_LOGS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&f, "logs", rows[i].params);
		assert_int_equal(f.asked.severity_min, rows[i].min);
		assert_int_equal(f.asked.severity_max, rows[i].max);
		assert_int_equal(f.asked.severity_unspecified, rows[i].unspecified);
	}
	fake_fini(&f);
}

TEST(ops, contradicting_severities_ask_for_an_empty_range)
{
	static const char *const rows[] = {
	    "severity=info&min_severity=error",
	    "severity=trace&min_severity=debug",
	    "severity=unspecified&min_severity=trace",
	    "severity=unspecified&min_severity=fatal",
	};
	struct fake f;
	fake_init(&f, TABLE_LOGS);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&f, "logs", rows[i]);
		assert_true(f.asked.severity_max != 0);
		assert_true(f.asked.severity_min > f.asked.severity_max);
		assert_false(f.asked.severity_unspecified);
	}
	fake_fini(&f);
}

TEST(ops, paths_find_their_operation_and_give_what_stands_in_them)
{
	static const char *const none[] = {"/api/v1/traces/", "/api/v1/traces/a/b", "/api/v1/trace",
	    "/api/v1/services/", "", "/otel/trace/1/span/", "/otel/trace//span/2",
	    "/otel/trace/1/span/2/3", "/otel/service//root_spans", "/otel/service/root_spans"};
	struct ops_path p;
	assert_string_equal(ops_find_path(OP_GET, STR("/api/v1/traces"), &p)->name, "traces");
	assert_int_equal(p.value_count, 0);
	assert_string_equal(ops_find_path(OP_GET, STR("/api/v1/traces/a%20b"), &p)->name, "trace");
	assert_true(p.value_count == 1 && str_eq(p.values[0].name, STR("trace_id")) &&
	    str_eq(p.values[0].value, STR("a%20b")));
	assert_non_null(ops_find_path(OP_GET, STR("/otel/trace/1/span/2"), &p));
	assert_true(p.value_count == 2 && str_eq(p.values[0].value, STR("1")) &&
	    str_eq(p.values[1].name, STR("span_id")) && str_eq(p.values[1].value, STR("2")));
	assert_non_null(ops_find_path(OP_GET, STR("/otel/service/a/b/root_spans"), &p));
	assert_true(p.value_count == 1 && str_eq(p.values[0].value, STR("a/b")));
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_null(ops_find_path(OP_GET, str_from(none[i]), &p));
		assert_int_equal(p.methods, 0);
	}
	assert_null(ops_find_path(OP_POST, STR("/api/v1/traces"), &p));
	assert_int_equal(p.methods, 1u << OP_GET);
	assert_null(ops_find_name(STR("nothing")));
}

/* ---- cursors */

/* The cursor of a first page, as a string of the caller. */
static char *
first_cursor(struct fake *f, const char *params)
{
	json_t *answer = fake_get(f, "traces", params);
	const char *cursor = json_string_value(json_object_get(answer, "next_cursor"));
	assert_non_null(cursor);
	char *copy = strdup(cursor);
	json_decref(answer);
	return copy;
}

static void
start_pages(struct fake *f)
{
	fake_init(f, TABLE_SPANS);
	for (int i = 0; i < 3; i++) {
		size_t row = fake_row(f);
		table_set_u64(&f->rows, row, SPAN_RESOURCE_ID, 7);
		table_set_u64(&f->rows, row, SPAN_SCOPE_ID, 9);
	}
}

TEST(ops, a_cursor_leads_to_the_place_behind_the_page)
{
	struct fake f;
	char params[256];
	start_pages(&f);
	char *cursor = first_cursor(&f, "attribute=a=1&attribute=b=2&limit=2");
	assert_int_equal(strlen(cursor),
	    strspn(cursor,
	        "abcdefghijklmnopqrstuvwxyz"
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"));
	/* Order does not matter, nor does another limit. */
	snprintf(params, sizeof params, "cursor=%s&limit=3&attribute=b=2&attribute=a=1", cursor);
	json_t *answer = fake_get(&f, "traces", params);
	assert_true(f.asked.after.set);
	assert_true(f.asked.after.time_ns == 111 && f.asked.after.seq == 222);
	assert_int_equal(f.asked.after.ord, 333);
	assert_null(json_object_get(answer, "next_cursor"));
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), 3);
	json_decref(answer);
	free(cursor);
	fake_fini(&f);
}

TEST(ops, last_means_the_moment_of_the_first_page_on_all_pages)
{
	struct fake f;
	char params[256];
	start_pages(&f);
	char *cursor = first_cursor(&f, "last=1h&limit=2");
	uint64_t from_ns = f.asked.from_ns;
	assert_true(from_ns == f.now_ns - 3600 * NS_PER_S);
	f.now_ns += 60 * NS_PER_S;
	snprintf(params, sizeof params, "last=1h&limit=2&cursor=%s", cursor);
	ask(&f, "traces", params);
	assert_true(f.asked.from_ns == from_ns);
	free(cursor);
	fake_fini(&f);
}

TEST(ops, a_cursor_with_any_character_changed_is_refused)
{
	struct fake f;
	char params[256];
	start_pages(&f);
	char *cursor = first_cursor(&f, "limit=2");
	for (size_t i = 0; cursor[i]; i++) {
		char was = cursor[i];
		cursor[i] = was == 'A' ? 'B' : 'A';
		snprintf(params, sizeof params, "limit=2&cursor=%s", cursor);
		assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
		assert_non_null(strstr(f.err.message, "parameter cursor: not a cursor"));
		cursor[i] = was;
	}
	cursor[strlen(cursor) - 1] = '\0';
	snprintf(params, sizeof params, "limit=2&cursor=%s", cursor);
	assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
	free(cursor);
	fake_fini(&f);
}

TEST(ops, a_cursor_of_other_parameters_operation_or_tenant_is_refused)
{
	struct fake f;
	char params[256];
	static const char other[] = "parameter cursor: made for other parameters or another tenant";
	start_pages(&f);
	char *cursor = first_cursor(&f, "service=a&limit=2");
	static const char *const changes[] = {
	    "service=b&", "", "service=a&roots=1&", "operation=a&"};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		snprintf(params, sizeof params, "%scursor=%s", changes[i], cursor);
		assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
		assert_non_null(strstr(f.err.message, other));
	}
	snprintf(params, sizeof params, "service=a&cursor=%s", cursor);
	assert_int_equal(fake_run(&f, "logs", params), ERR_INVALID);
	assert_non_null(strstr(f.err.message, other));
	f.tenant = STR("somebody");
	assert_int_equal(fake_run(&f, "traces", params), ERR_INVALID);
	assert_non_null(strstr(f.err.message, other));
	free(cursor);
	fake_fini(&f);
}
