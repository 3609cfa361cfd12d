/* SPDX-License-Identifier: Apache-2.0 */
/* Every filter of a query, alone: which rows it selects. */
#include "store/conformance.h"

#include "tests/test.h"

#include <string.h>

#define NOW CONFORMANCE_NOW_NS

static const struct str some_services[] = {{"alpha", 5}, {"", 0}, {"nobody's", 8}};

/* Eight spans, logs, points and comments; the bit i of a filter's mask says whether row i
 * (its ord) is to be there. */
static void
add_eight(struct batch *b)
{
	static const char *const eight[] = {
	    "alpha", "alphabet", "Alpha", "a%b", "a_b", "", "\xC3\xA9", "b"};
	static const int32_t severities[] = {0, 1, 4, 5, 9, 17, 24, -1};
	/* The last one only looks as if: it may be found. */
	static const char *const links[] = {
	    "[{\"trace_id\":\"00000000000000070000000000000009\",\"span_id\":\"0000000000000001\"}]",
	    "[{\"trace_id\":\"00000000000000090000000000000007\",\"span_id\":\"0000000000000001\"}]",
	    "[{\"trace_id\":\"00000000000000010000000000000001\",\"span_id\":\"0000000000000001\"},"
	    "{\"trace_id\":\"00000000000000070000000000000009\",\"span_id\":\"0000000000000002\"}]",
	    "[{\"trace_id\":\"00000000000000010000000000000001\",\"span_id\":\"0000000000000001\","
	    "\"attributes\":{\"a\":\"\\\"trace_id\\\":\\\"00000000000000070000000000000009\\\"\"}}]"};
	batch_reset(b);
	b->last_seq = 1;
	for (uint32_t i = 0; i < 8; i++) {
		struct table *t = &b->tables[TABLE_SPANS];
		size_t row = store_conformance_row(b, TABLE_SPANS, "acme", i, NOW + i);
		struct str text = str_from(eight[i]);
		table_set_u64(t, row, SPAN_TRACE_HI, i / 4);
		table_set_u64(t, row, SPAN_TRACE_LO, i / 2);
		table_set_u64(t, row, SPAN_SPAN_ID, i + 1);
		table_set_u64(t, row, SPAN_PARENT_ID, i % 2);
		table_set_i64(t, row, SPAN_DURATION_NS, (int64_t)i * 10 - 10);
		table_set_str(t, row, SPAN_SERVICE, text);
		table_set_str(t, row, SPAN_NAME, text);
		table_set_i32(t, row, SPAN_KIND, (int32_t)i % 3);
		table_set_i32(t, row, SPAN_STATUS_CODE, (int32_t)i % 4);
		if (i % 2 == 1)
			table_set_str(t, row, SPAN_LINKS, str_from(links[i / 2]));
		t = &b->tables[TABLE_LOGS];
		row = store_conformance_row(b, TABLE_LOGS, "acme", i, NOW + i);
		table_set_u64(t, row, LOG_TRACE_LO, i / 2);
		table_set_u64(t, row, LOG_SPAN_ID, i / 4);
		table_set_i32(t, row, LOG_SEVERITY_NUMBER, severities[i]);
		if (i != 5)
			table_set_str(t, row, LOG_BODY, text);
		table_set_str(t, row, LOG_EVENT_NAME, text);
		table_set_str(t, row, LOG_SERVICE, text);
		t = &b->tables[TABLE_POINTS];
		row = store_conformance_row(b, TABLE_POINTS, "acme", i, NOW + i);
		table_set_i32(t, row, POINT_TYPE, (int32_t)i % 5 + 1);
		table_set_str(t, row, POINT_NAME, text);
		table_set_str(t, row, POINT_SERVICE, text);
		t = &b->tables[TABLE_COMMENTS];
		row = store_conformance_row(b, TABLE_COMMENTS, "acme", i, NOW + i);
		table_set_u64(t, row, COMMENT_TRACE_LO, i / 2);
		table_set_u64(t, row, COMMENT_SPAN_ID, i / 4);
		table_set_str(t, row, COMMENT_ID, str_of(&"abcdefgh"[i], 1));
		table_set_str(t, row, COMMENT_AUTHOR, text);
		table_set_str(t, row, COMMENT_BODY, text);
	}
}

/* LONG: a table. */
void
store_conformance_each_filter_selects_its_rows(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	add_eight(&b);
	store_conformance_put(s, &b);
	static const struct {
		struct store_query q;
		unsigned mask;
	} cases[] = {
	    {{.kind = STORE_SPANS}, 0xFF},
	    {{.kind = STORE_SPANS, .service = {"alpha", 5}}, 0x01},
	    {{.kind = STORE_SPANS, .service = {"Alph", 4}}, 0x00},
	    {{.kind = STORE_SPANS, .services = some_services, .service_count = 2}, 0x21},
	    {{.kind = STORE_SPANS, .services = some_services + 1, .service_count = 2}, 0x20},
	    {{.kind = STORE_SPANS,
	         .services = some_services,
	         .service_count = 2,
	         .service = {"alphabet", 8}},
	        0x00},
	    {{.kind = STORE_LOGS, .services = some_services, .service_count = 1}, 0x01},
	    {{.kind = STORE_POINTS, .services = some_services, .service_count = 2}, 0x21},
	    {{.kind = STORE_SPANS, .has_link = true, .link_hi = 7, .link_lo = 9}, 0x22},
	    {{.kind = STORE_SPANS, .has_link = true, .link_hi = 9, .link_lo = 7}, 0x08},
	    {{.kind = STORE_SPANS, .has_link = true, .link_hi = 7, .link_lo = 8}, 0x00},
	    {{.kind = STORE_SPANS, .operation = {"alpha", 5}}, 0x03},
	    {{.kind = STORE_SPANS, .operation = {"lpha", 4}}, 0x07},
	    {{.kind = STORE_SPANS, .operation = {"%", 1}}, 0x08},
	    {{.kind = STORE_SPANS, .operation = {"_", 1}}, 0x10},
	    {{.kind = STORE_SPANS, .operation = {"\xC3\xA9", 2}}, 0x40},
	    {{.kind = STORE_SPANS, .has_trace_id = true, .trace_hi = 0, .trace_lo = 1}, 0x0C},
	    {{.kind = STORE_SPANS, .has_trace_id = true, .trace_hi = 1, .trace_lo = 1}, 0x00},
	    {{.kind = STORE_TRACE, .has_trace_id = true, .trace_hi = 1, .trace_lo = 3}, 0xC0},
	    {{.kind = STORE_SPANS, .span_id = 3}, 0x04},
	    {{.kind = STORE_SPANS, .has_duration_min = true, .duration_min_ns = 0}, 0xFE},
	    {{.kind = STORE_SPANS, .has_duration_max = true, .duration_max_ns = 0}, 0x03},
	    {{.kind = STORE_SPANS, .has_duration_max = true, .duration_max_ns = -1}, 0x01},
	    {{.kind = STORE_SPANS, .has_status = true, .status_code = 0}, 0x11},
	    {{.kind = STORE_SPANS, .has_status = true, .status_code = 2}, 0x44},
	    {{.kind = STORE_SPANS, .has_kind = true, .span_kind = 1}, 0x92},
	    {{.kind = STORE_SPANS, .roots_only = true}, 0x55},
	    {{.kind = STORE_SPANS, .roots_only = true, .has_status = true, .status_code = 2}, 0x44},
	    {{.kind = STORE_LOGS}, 0xFF},
	    {{.kind = STORE_LOGS, .service = {"b", 1}}, 0x80},
	    {{.kind = STORE_LOGS, .name = {"a_b", 3}}, 0x10},
	    {{.kind = STORE_LOGS, .body_contains = {"alpha", 5}}, 0x03},
	    {{.kind = STORE_LOGS, .severity_min = 5}, 0x78},
	    {{.kind = STORE_LOGS, .severity_max = 4}, 0x87},
	    {{.kind = STORE_LOGS, .severity_min = 1, .severity_max = 4}, 0x06},
	    {{.kind = STORE_LOGS, .severity_unspecified = true}, 0x81},
	    {{.kind = STORE_LOGS, .has_trace_id = true, .trace_lo = 3}, 0xC0},
	    {{.kind = STORE_LOGS, .span_id = 1}, 0xF0},
	    {{.kind = STORE_POINTS}, 0xFF},
	    {{.kind = STORE_POINTS, .name = {"Alpha", 5}}, 0x04},
	    {{.kind = STORE_POINTS, .point_type = POINT_GAUGE}, 0x21},
	    {{.kind = STORE_POINTS, .point_type = POINT_SUMMARY, .service = {"a_b", 3}}, 0x10},
	    {{.kind = STORE_COMMENTS}, 0xFF},
	    {{.kind = STORE_COMMENTS, .oldest_first = true}, 0xFF},
	    {{.kind = STORE_COMMENTS, .comment_id = {"c", 1}}, 0x04},
	    {{.kind = STORE_COMMENTS, .comment_id = {"C", 1}}, 0x00},
	    {{.kind = STORE_COMMENTS, .author = {"Alpha", 5}}, 0x04},
	    {{.kind = STORE_COMMENTS, .body_contains = {"alpha", 5}}, 0x03},
	    {{.kind = STORE_COMMENTS, .body_contains = {"%", 1}}, 0x08},
	    {{.kind = STORE_COMMENTS, .has_trace_id = true, .trace_lo = 3}, 0xC0},
	    {{.kind = STORE_COMMENTS, .span_id = 1}, 0xF0},
	    {{.kind = STORE_COMMENTS, .span_id = 1, .has_trace_id = true, .trace_lo = 2}, 0x30},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_query common = store_conformance_question(cases[i].q.kind, "acme");
		struct store_query q = cases[i].q;
		q.tenant = common.tenant;
		q.to_ns = common.to_ns;
		q.row_max = common.row_max;
		q.deadline_mono_ns = common.deadline_mono_ns;
		unsigned mask = store_conformance_mask(s, &q);
		if (mask != cases[i].mask)
			fail_msg("filter %zu gives %02x, not %02x", i, mask, cases[i].mask);
	}
	batch_fini(&b);
}

/* One span for each of `maps`, its ord the place in it; the resource of all has `resource`. */
static void
put_maps(struct store *s, const char *resource, const char *const *maps, size_t count)
{
	struct batch b;
	bool added;
	batch_init(&b, 0);
	b.last_seq = 1;
	struct table *resources = &b.tables[TABLE_RESOURCES];
	size_t res = batch_resource(&b, STR("acme"), 99, &added);
	table_set_str(resources, res, RESOURCE_ATTRIBUTES, str_from(resource));
	for (uint32_t i = 0; i < count; i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row = table_add_row(t);
		table_set_str(t, row, SPAN_TENANT, STR("acme"));
		table_set_u64(t, row, SPAN_SEQ, 1);
		table_set_u32(t, row, SPAN_ORD, i);
		table_set_u64(t, row, SPAN_SPAN_ID, i + 1);
		table_set_u64(t, row, SPAN_START_NS, NOW);
		table_set_str(t, row, SPAN_ATTRIBUTES, str_from(maps[i]));
		table_set_u64(t, row, SPAN_RESOURCE_ID, 99);
	}
	store_conformance_put(s, &b);
	batch_fini(&b);
}

/* Bit i: span i of put_maps(). */
struct attr_case {
	const char *key;
	struct str value;
	unsigned mask;
};

static void
check_attr(struct store *s, const struct attr_case *c, enum store_attr_op op)
{
	static const char *const signs[] = {"=", ">=", ">", "<=", "<"};
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	q.attr_count = 1;
	q.attrs[0] = (struct store_attr){.key = str_from(c->key), .value = c->value, .op = op};
	unsigned mask = store_conformance_mask(s, &q);
	if (mask != c->mask)
		fail_msg("%s %s %.*s gives %04x, not %04x", c->key, signs[op], STR_ARG(c->value),
		    mask, c->mask);
}

/* Where neither the span nor its resource has a key, it does not match; code of the resource is 7. */
void
store_conformance_attribute_filters_are_exact(struct store *s)
{
	static const char *const maps[] = {
	    "{\"code\":200,\"k\":\"v\"}",
	    "{\"code\":\"200\",\"k\":\"v\\\"\"}",
	    "{\"n\":{\"code\":200,\"host\":\"n\"},\"l\":[{\"code\":200}],\"d\":2.5e-7}",
	    "{\"$$code\":200,\"a.b\":\"1\",\"x\":\"code\\\":200\",\"$$\":1}",
	    "{\"y\":{\"$bytes\":\"AQID\"},\"i\":3,\"f\":3.0}",
	    "{\"host\":\"own\",\"code\":null,\"s\":\"\\u0000\\t\\ud83d\\ude00\"}",
	};
	static const struct attr_case cases[] = {
	    {"code", {"200", 3}, 0x03},
	    {"code", {"7", 1}, 0x1C}, /* the resource's, where the span has none */
	    {"code", {"null", 4}, 0x20},
	    {"host", {"h1", 2}, 0x1F},
	    {"host", {"own", 3}, 0x20},
	    {"host", {"n", 1}, 0x00},
	    {"k", {"v", 1}, 0x01},
	    {"k", {"v\"", 2}, 0x02},
	    {"n.code", {"200", 3}, 0x00},
	    {"$.code", {"200", 3}, 0x00},
	    {"/code", {"200", 3}, 0x00},
	    {"$code", {"200", 3}, 0x08},
	    {"$", {"1", 1}, 0x08},
	    {"a.b", {"1", 1}, 0x08},
	    {"d", {"2.5e-7", 6}, 0x04},
	    {"d", {"0.00000025", 10}, 0x00},
	    {"s", {"\0\t\xF0\x9F\x98\x80", 6}, 0x20},
	    {"s", {"\0", 1}, 0x00},
	    {"l", {"[{\"code\":200}]", 14}, 0x04},
	    {"cod", {"200", 3}, 0x00},
	    {"", {"", 0}, 0x00},
	    {"y", {"AQID", 4}, 0x10},
	    {"y", {"{\"$bytes\":\"AQID\"}", 17}, 0x00},
	    {"i", {"3", 1}, 0x10},
	    {"i", {"3.0", 3}, 0x00},
	    {"f", {"3.0", 3}, 0x10},
	    {"f", {"3", 1}, 0x00},
	};
	put_maps(s, "{\"host\":\"h1\",\"code\":7}", maps, ARRAY_LEN(maps));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_attr(s, &cases[i], STORE_ATTR_EQ);
}

static const char *const range_maps[] = {
    "{\"n\":1,\"b\":9007199254740993}",
    "{\"n\":2.0,\"b\":9007199254740992}",
    "{\"n\":-3,\"b\":9223372036854775807}",
    "{\"n\":0.1,\"b\":-9223372036854775808}",
    "{\"n\":-0.0,\"b\":9007199254740992.0}",
    "{\"n\":2.5e-07,\"b\":1e+20}",
    "{\"n\":\"2\",\"b\":1.7976931348623157e+308}",
    "{\"n\":true,\"b\":5e-324}",
    "{\"n\":{\"$double\":\"Infinity\"},\"b\":{\"$double\":\"NaN\"}}",
    "{\"n\":[2],\"b\":null}",
    "{\"n\":{\"$bytes\":\"Mg==\"},\"m\":2}", /* b is the resource's from here on */
    "{\"n\":2,\"n\":1000}",
    "{\"$$n\":9000}",
};

static const struct {
	enum store_attr_op op;
	struct attr_case c;
} range_cases[] = {
    {STORE_ATTR_GE, {"n", STR_INIT("2"), 0x1802}},
    {STORE_ATTR_GT, {"n", STR_INIT("2"), 0x1000}},
    {STORE_ATTR_LE, {"n", STR_INIT("2"), 0x083F}},
    {STORE_ATTR_LT, {"n", STR_INIT("2"), 0x003D}},
    {STORE_ATTR_GE, {"n", STR_INIT("2.00"), 0x1802}},
    {STORE_ATTR_GT, {"n", STR_INIT("2.00"), 0x1000}},
    {STORE_ATTR_LE, {"n", STR_INIT("2.00"), 0x083F}},
    {STORE_ATTR_LT, {"n", STR_INIT("2.00"), 0x003D}},
    {STORE_ATTR_GE, {"n", STR_INIT("-0"), 0x183B}},
    {STORE_ATTR_GT, {"n", STR_INIT("-0"), 0x182B}},
    {STORE_ATTR_LE, {"n", STR_INIT("-0"), 0x0014}},
    {STORE_ATTR_LT, {"n", STR_INIT("-0"), 0x0004}},
    {STORE_ATTR_GE, {"n", STR_INIT("0.1"), 0x180B}},
    {STORE_ATTR_GT, {"n", STR_INIT("0.1"), 0x1803}},
    {STORE_ATTR_LE, {"n", STR_INIT("0.1"), 0x003C}},
    {STORE_ATTR_LT, {"n", STR_INIT("0.1"), 0x0034}},
    {STORE_ATTR_GE, {"n", STR_INIT("-3"), 0x183F}},
    {STORE_ATTR_GT, {"n", STR_INIT("-3"), 0x183B}},
    {STORE_ATTR_LE, {"n", STR_INIT("-3"), 0x0004}},
    {STORE_ATTR_LT, {"n", STR_INIT("-3"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("0.10000000000000001"), 0x1803}},
    {STORE_ATTR_LT, {"n", STR_INIT("0.10000000000000001"), 0x003C}},
    {STORE_ATTR_LE, {"n", STR_INIT("0.09999999999999999"), 0x0034}},
    {STORE_ATTR_GT, {"n", STR_INIT("2.5e-7"), 0x180B}},
    {STORE_ATTR_GE, {"n", STR_INIT("25E-8"), 0x182B}},
    {STORE_ATTR_LE, {"n", STR_INIT("0.00000025"), 0x0034}},
    {STORE_ATTR_LT, {"n", STR_INIT("40"), 0x083F}},
    {STORE_ATTR_LE, {"n", STR_INIT("40"), 0x183F}},
    {STORE_ATTR_GE, {"n", STR_INIT("40"), 0x1000}},
    {STORE_ATTR_GT, {"n", STR_INIT("1e3"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("-1e3"), 0x183F}},
    {STORE_ATTR_LE, {"n", STR_INIT("1E+03"), 0x183F}},
    {STORE_ATTR_GE, {"b", STR_INIT("9007199254740993"), 0x0065}},
    {STORE_ATTR_GT, {"b", STR_INIT("9007199254740993"), 0x0064}},
    {STORE_ATTR_LE, {"b", STR_INIT("9007199254740993"), 0x1C9B}},
    {STORE_ATTR_LT, {"b", STR_INIT("9007199254740993"), 0x1C9A}},
    {STORE_ATTR_GT, {"b", STR_INIT("9007199254740992"), 0x0065}},
    {STORE_ATTR_GE, {"b", STR_INIT("9007199254740992.5"), 0x0065}},
    {STORE_ATTR_LT, {"b", STR_INIT("9007199254740992.5"), 0x1C9A}},
    {STORE_ATTR_GE, {"b", STR_INIT("9223372036854775807"), 0x0064}},
    {STORE_ATTR_GT, {"b", STR_INIT("9223372036854775807"), 0x0060}},
    {STORE_ATTR_GT, {"b", STR_INIT("9223372036854775806.999"), 0x0064}},
    {STORE_ATTR_LE, {"b", STR_INIT("-9223372036854775808"), 0x0008}},
    {STORE_ATTR_LT, {"b", STR_INIT("-9223372036854775808"), 0x0000}},
    {STORE_ATTR_LE, {"b", STR_INIT("-9223372036854775807.5"), 0x0008}},
    {STORE_ATTR_GE, {"b", STR_INIT("100000000000000000000"), 0x0060}},
    {STORE_ATTR_GT, {"b", STR_INIT("100000000000000000000"), 0x0040}},
    {STORE_ATTR_GE, {"b", STR_INIT("1.7976931348623157e308"), 0x0040}},
    {STORE_ATTR_LT, {"b", STR_INIT("5e-324"), 0x0008}},
    {STORE_ATTR_LE, {"b", STR_INIT("5e-324"), 0x0088}},
    {STORE_ATTR_GE, {"b", STR_INIT("1e400"), 0x0000}},
    {STORE_ATTR_LE, {"b", STR_INIT("1e400"), 0x1CFF}},
    {STORE_ATTR_GE, {"b", STR_INIT("-1e400"), 0x1CFF}},
    {STORE_ATTR_LE, {"b", STR_INIT("-1e400"), 0x0000}},
    {STORE_ATTR_GE, {"b", STR_INIT("1e-400"), 0x1CF7}},
    {STORE_ATTR_LE, {"b", STR_INIT("1e-400"), 0x0008}},
    {STORE_ATTR_GE, {"b", STR_INIT("1e999999999999999999999"), 0x0000}},
    {STORE_ATTR_LE, {"b", STR_INIT("1e999999999999999999999"), 0x1CFF}},
    {STORE_ATTR_GE, {"b", STR_INIT("-1e999999999999999999999"), 0x1CFF}},
    {STORE_ATTR_LE, {"b", STR_INIT("-1e999999999999999999999"), 0x0000}},
    {STORE_ATTR_GE, {"b", STR_INIT("1e-999999999999999999999"), 0x1CF7}},
    {STORE_ATTR_LE, {"b", STR_INIT("1e-999999999999999999999"), 0x0008}},
    {STORE_ATTR_GE, {"b", STR_INIT("0e999999999999999999999"), 0x1CF7}},
    {STORE_ATTR_LE, {"b", STR_INIT("0e999999999999999999999"), 0x0008}},
    {STORE_ATTR_GE, {"n", STR_INIT(""), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT(" "), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("two"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("0x10"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1e"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("e1"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1."), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT(".5"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("+1"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT(" 1"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1 "), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("01"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("-"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("--1"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1,5"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("NaN"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("Infinity"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("-Infinity"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("true"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("null"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("\"1\""), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1e5.0"), 0x0000}},
    {STORE_ATTR_GE, {"n", STR_INIT("1_000"), 0x0000}},
    {STORE_ATTR_GE, {"$n", STR_INIT("1"), 0x1000}},
    {STORE_ATTR_GE, {"host", STR_INIT("0"), 0x0000}},
    {STORE_ATTR_LE, {"host", STR_INIT("0"), 0x0000}},
    {STORE_ATTR_GE, {"m", STR_INIT("2"), 0x0400}},
    {STORE_ATTR_GT, {"missing", STR_INIT("-1e300"), 0x0000}},
};

/* A stored number is the decimal it is written as (model/typed.h): a double the shortest one that reads
 * back to it, so that what "=" finds, ">=" and "<=" find too. */
void
store_conformance_attribute_ranges_are_exact(struct store *s)
{
	put_maps(s, "{\"host\":\"h1\",\"n\":40,\"b\":50.5}", range_maps, ARRAY_LEN(range_maps));
	for (size_t i = 0; i < ARRAY_LEN(range_cases); i++)
		check_attr(s, &range_cases[i].c, range_cases[i].op);
	/* Several are ANDed. */
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	q.attr_count = 3;
	q.attrs[0] = (struct store_attr){.key = STR("n"), .value = STR("0"), .op = STORE_ATTR_GE};
	q.attrs[1] = (struct store_attr){.key = STR("n"), .value = STR("2"), .op = STORE_ATTR_LT};
	q.attrs[2] = (struct store_attr){.key = STR("b"), .value = STR("1"), .op = STORE_ATTR_GT};
	assert_int_equal(store_conformance_mask(s, &q), 0x0031);
}
