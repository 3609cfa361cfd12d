/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/json_fields.h"
#include "otlp/json_number.h"
#include "otlp/otlp.h"
#include "wire/pb.h"

#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct limits limits;

static void
put_json(enum signal_kind signal, struct str json, struct buf *out)
{
	struct err err = {0};
	limits = limits_default();
	if (otlp_from_json(signal, json, &limits, out, &err) != ERR_OK)
		fail_msg("%.*s: %s", STR_ARG(json), err.message);
}

/* ---- the tables, against the descriptors of opentelemetry-proto */

static const char *const type_names[] = {[OTLP_JSON_STRING] = "string",
    [OTLP_JSON_BYTES] = "bytes",
    [OTLP_JSON_ID] = "id",
    [OTLP_JSON_BOOL] = "bool",
    [OTLP_JSON_ENUM] = "enum",
    [OTLP_JSON_INT64] = "int64",
    [OTLP_JSON_UINT32] = "uint32",
    [OTLP_JSON_UINT64] = "uint64",
    [OTLP_JSON_SINT32] = "sint32",
    [OTLP_JSON_FIXED32] = "fixed32",
    [OTLP_JSON_FIXED64] = "fixed64",
    [OTLP_JSON_SFIXED64] = "sfixed64",
    [OTLP_JSON_DOUBLE] = "double"};

static void
put_line(struct buf *b, const struct otlp_json_message *m, const struct otlp_json_field *f)
{
	buf_printf(b, "%s.%.*s %u %s%s", m->name, STR_ARG(f->name), f->number,
	    f->message ? f->message->name : type_names[f->type], f->repeated ? " repeated" : "");
}

struct listing {
	const struct otlp_json_message *seen[64];
	size_t seen_count;
	size_t lines_found;
	const char *want; /* fields.txt, which begins with a newline here */
};

static void
check_fields(struct listing *l, const struct otlp_json_message *m)
{
	for (size_t i = 0; i < l->seen_count; i++)
		if (l->seen[i] == m)
			return;
	assert_true(l->seen_count < ARRAY_LEN(l->seen));
	l->seen[l->seen_count++] = m;
	for (size_t i = 0; i < m->field_count; i++) {
		struct buf line = {0};
		buf_char(&line, '\n');
		put_line(&line, m, &m->fields[i]);
		buf_char(&line, '\0');
		const char *found = strstr(l->want, line.ptr);
		const char *rest = found ? found + line.len - 1 : "?";
		if (*rest != '\n' && strncmp(rest, " presence\n", 10) != 0)
			fail_msg("not in fields.txt:%s", line.ptr);
		l->lines_found++;
		buf_fini(&line);
		if (m->fields[i].message)
			check_fields(l, m->fields[i].message);
	}
}

/* The listing with a newline in front, and a NUL behind. */
static void
read_fields(struct buf *b)
{
	size_t len;
	const char *text = test_golden_read("otlp-json/fields.txt", &len);
	buf_char(b, '\n');
	buf_append(b, text, len + 1);
}

TEST(otlp, json_tables_are_those_of_opentelemetry_proto)
{
	struct buf want = {0};
	read_fields(&want);
	struct listing l = {.want = want.ptr};
	check_fields(&l, otlp_json_request(SIGNAL_TRACES));
	check_fields(&l, otlp_json_request(SIGNAL_METRICS));
	check_fields(&l, otlp_json_request(SIGNAL_LOGS));
	size_t lines = 0;
	for (const char *p = want.ptr; *p; p++)
		lines += *p == '\n';
	assert_int_equal(l.lines_found, lines - 1);
	buf_fini(&want);
}

/* ---- canonical text of a message: fields by number, defaults that cannot be told from absence
 * left out, lists of numbers unpacked */

static void canon(const struct otlp_json_message *m, struct str pb, struct buf *out);

static bool
has_presence(const struct otlp_json_message *m, const struct otlp_json_field *f)
{
	struct buf line = {0}, fields = {0};
	read_fields(&fields);
	buf_char(&line, '\n');
	put_line(&line, m, f);
	buf_str(&line, STR(" presence"));
	buf_char(&line, '\0');
	bool has = strstr(fields.ptr, line.ptr);
	buf_fini(&line);
	buf_fini(&fields);
	return has;
}

static enum pb_wire
wire_of(enum otlp_json_type type)
{
	switch (type) {
	case OTLP_JSON_MESSAGE:
	case OTLP_JSON_STRING:
	case OTLP_JSON_BYTES:
	case OTLP_JSON_ID: return PB_BYTES;
	case OTLP_JSON_BOOL:
	case OTLP_JSON_ENUM:
	case OTLP_JSON_INT64:
	case OTLP_JSON_UINT32:
	case OTLP_JSON_UINT64:
	case OTLP_JSON_SINT32: return PB_VARINT;
	case OTLP_JSON_FIXED32: return PB_FIXED32;
	case OTLP_JSON_FIXED64:
	case OTLP_JSON_SFIXED64:
	case OTLP_JSON_DOUBLE: return PB_FIXED64;
	}
	return PB_GROUP_END;
}

static void
canon_field(const struct otlp_json_message *m, const struct otlp_json_field *f,
    const struct pb_field *got, struct buf *out)
{
	enum pb_wire wire = wire_of(f->type);
	if (wire != PB_BYTES) {
		struct pb_packed p;
		uint64_t v;
		assert_true(got->wire == wire || (f->repeated && got->wire == PB_BYTES));
		pb_packed_init(&p, got, wire);
		while (pb_packed_next(&p, &v))
			if (v != 0 || f->repeated || has_presence(m, f))
				buf_printf(out, "%.*s=%llu ", STR_ARG(f->name),
				    (unsigned long long)v);
		assert_null(p.error);
		return;
	}
	assert_int_equal(got->wire, PB_BYTES);
	if (f->message) {
		buf_printf(out, "%.*s{", STR_ARG(f->name));
		canon(f->message, got->bytes, out);
		buf_str(out, STR("} "));
	} else if (got->bytes.len > 0 || f->repeated || has_presence(m, f)) {
		buf_printf(out, "%.*s='", STR_ARG(f->name));
		for (size_t i = 0; i < got->bytes.len; i++)
			buf_printf(out, "%02x", (unsigned char)got->bytes.ptr[i]);
		buf_str(out, STR("' "));
	}
}

static void
canon(const struct otlp_json_message *m, struct str pb, struct buf *out)
{
	for (size_t number = 1; number <= 16; number++) {
		struct pb_reader r;
		struct pb_field got;
		pb_reader_init(&r, pb);
		while (pb_next(&r, &got)) {
			const struct otlp_json_field *f = m->fields, *end = f + m->field_count;
			while (f < end && f->number != got.number)
				f++;
			if (f == end)
				fail_msg("%s has no field %u", m->name, got.number);
			if (got.number == number)
				canon_field(m, f, &got, out);
		}
		assert_false(pb_failed(&r));
	}
}

static void
assert_same(enum signal_kind signal, struct str got, struct str want, const char *what)
{
	struct buf got_text = {0}, want_text = {0};
	canon(otlp_json_request(signal), got, &got_text);
	canon(otlp_json_request(signal), want, &want_text);
	if (!str_eq(buf_view(&got_text), buf_view(&want_text)))
		fail_msg("%s\ngot  %.*s\nwant %.*s", what, STR_ARG(buf_view(&got_text)),
		    STR_ARG(buf_view(&want_text)));
	buf_fini(&got_text);
	buf_fini(&want_text);
}

TEST(otlp, json_means_what_another_implementation_says)
{
	static const struct {
		const char *name;
		enum signal_kind signal;
	} cases[] = {
	    {"example-trace", SIGNAL_TRACES},
	    {"example-logs", SIGNAL_LOGS},
	    {"example-events", SIGNAL_LOGS},
	    {"example-metrics", SIGNAL_METRICS},
	    {"all-traces", SIGNAL_TRACES},
	    {"all-logs", SIGNAL_LOGS},
	    {"all-metrics", SIGNAL_METRICS},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[100];
		struct buf out = {0};
		size_t json_len, pb_len;
		snprintf(name, sizeof(name), "otlp-json/%s.json", cases[i].name);
		const char *json = test_golden_read(name, &json_len);
		snprintf(name, sizeof(name), "otlp-json/%s.pb", cases[i].name);
		const char *pb = test_golden_read(name, &pb_len);
		put_json(cases[i].signal, str_of(json, json_len), &out);
		assert_same(cases[i].signal, buf_view(&out), str_of(pb, pb_len), name);
		buf_fini(&out);
	}
}

/* ---- spellings, one by one: what is accepted, what is refused, and with which words */

/* Of the attribute value (an AnyValue) that the JSON text stands for. */
static void
assert_value(const char *json, const char *want)
{
	struct buf request = {0}, out = {0}, text = {0}, want_text = {0};
	buf_printf(&request,
	    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":%s}]}]}]}", json);
	put_json(SIGNAL_LOGS, buf_view(&request), &out);
	canon(otlp_json_request(SIGNAL_LOGS), buf_view(&out), &text);
	buf_printf(&want_text, "resourceLogs{scopeLogs{logRecords{body{%s} } } } ", want);
	if (!str_eq(buf_view(&text), buf_view(&want_text)))
		fail_msg("%s: %.*s", json, STR_ARG(buf_view(&text)));
	buf_fini(&request);
	buf_fini(&out);
	buf_fini(&text);
	buf_fini(&want_text);
}

TEST(otlp, json_integers_may_be_spelled_with_point_and_exponent)
{
	assert_value("{\"intValue\":1e3}", "intValue=1000 ");
	assert_value("{\"intValue\":\"1E3\"}", "intValue=1000 ");
	assert_value("{\"intValue\":1.0}", "intValue=1 ");
	assert_value("{\"intValue\":-0}", "intValue=0 ");
	assert_value("{\"intValue\":1.5e1}", "intValue=15 ");
	assert_value("{\"intValue\":150e-1}", "intValue=15 ");
	assert_value("{\"intValue\":0e999999999999999999999}", "intValue=0 ");
	assert_value("{\"intValue\":9.223372036854775807e18}", "intValue=9223372036854775807 ");
	/* JavaScript's SDK writes whole numbers beyond 64 bits so. */
	assert_value("{\"intValue\":1e300}", "doubleValue=9094988921128908188 ");
	assert_value("{\"intValue\":-1}", "intValue=18446744073709551615 ");
}

TEST(otlp, json_last_member_of_a_oneof_or_scalar_counts)
{
	/* Both are written, in order, which is what "the last one wins" means on the wire. */
	struct buf out = {0};
	put_json(SIGNAL_LOGS,
	    STR("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":"
	        "{\"intValue\":1,\"stringValue\":\"b\",\"boolValue\":null}}]}]}]}"),
	    &out);
	struct str tail = STR("\x2a\x85\x80\x80\x00\x18\x01\x0a\x01"
	                      "b");
	assert_true(out.len > tail.len);
	assert_memory_equal(out.ptr + out.len - tail.len, tail.ptr, tail.len);
	buf_fini(&out);
}

TEST(otlp, json_names_are_exact_and_unknown_ones_are_skipped)
{
	assert_value(
	    "{\"string_value\":\"x\",\"StringValue\":1,\"stringvalue\":{},\"\":[],\"stringValue2\":0}",
	    "");
	assert_value("{\"string\\u0056alue\":\"x\"}", "stringValue='78' ");
	assert_value("{\"stringValueStrindex\":1,\"intValue\":2}", "intValue=2 ");
	assert_value("{\"a\":{\"b\":[{\"stringValue\":3},[]]},\"stringValue\":\"\\u0000\"}",
	    "stringValue='00' ");
}

static void
assert_id(const char *json, const char *want)
{
	struct buf request = {0}, out = {0}, text = {0}, want_text = {0};
	buf_printf(&request,
	    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"%s\"}]}]}]}", json);
	put_json(SIGNAL_LOGS, buf_view(&request), &out);
	canon(otlp_json_request(SIGNAL_LOGS), buf_view(&out), &text);
	buf_printf(&want_text, "resourceLogs{scopeLogs{logRecords{%s} } } ", want);
	if (!str_eq(buf_view(&text), buf_view(&want_text)))
		fail_msg("%s: %.*s", json, STR_ARG(buf_view(&text)));
	buf_fini(&request);
	buf_fini(&out);
	buf_fini(&text);
	buf_fini(&want_text);
}

TEST(otlp, json_ids_are_hex_and_others_get_a_length_that_no_id_has)
{
	assert_id("", "");
	assert_id("0aFF", "traceId='0aff' ");
	assert_id("\\u0030a", "traceId='0a' ");
	assert_id("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	    "traceId='000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' ");
	struct buf out = {0};
	static const char *const bad[] = {"5b8efff798038103d269b633813fc60",
	    "5b8efff798038103d269b633813fc60g", "W47/95gDgQPSabYzgT/GDA==", "0x01",
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", "\\u00e9"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf request = {0};
		buf_printf(&request,
		    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"%s\"}]}]}]}",
		    bad[i]);
		put_json(SIGNAL_LOGS, buf_view(&request), &out);
		assert_memory_equal(out.ptr + out.len - 3, "\x4a\x01", 2); /* field 9, one byte */
		buf_fini(&request);
	}
	buf_fini(&out);
}

#define IN_SPAN(text) "{\"resourceSpans\":[{\"scopeSpans\":[{},{\"spans\":[{},{" text "}]}]}]}"
#define SPAN "resourceSpans[0].scopeSpans[1].spans[1]."
#define IN_VALUE(text) IN_SPAN("\"attributes\":[{\"key\":\"k\",\"value\":{" text "}}]")
#define VALUE SPAN "attributes[0].value."

TEST(otlp, json_errors_name_the_place)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
	    {"", "the JSON is malformed at byte 0: the text ends too early"},
	    {"[]", "the request is not a JSON object"},
	    {"null", "the request is not a JSON object"},
	    {"{} {}",
	        "the JSON is malformed at byte 3: something stands behind the end of the value"},
	    {"{\"resourceSpans\":[{},",
	        "the JSON is malformed at byte 21: the text ends too early"},
	    {"{\"x\":[1,}", "the JSON is malformed at byte 8: a value is expected here"},
	    {"{\"resourceSpans\":{}}", "resourceSpans: not an array"},
	    {"{\"resourceSpans\":[{},1]}", "resourceSpans[1]: not an object"},
	    {"{\"resourceSpans\":[null]}", "resourceSpans[0]: null, which a list may not hold"},
	    {"{\"resourceSpans\":[{\"resource\":[]}]}", "resourceSpans[0].resource: not an object"},
	    {IN_SPAN("\"startTimeUnixNano\":\"x\""),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":-1"),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":18446744073709551616"),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":\"\""),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":\" 1\""),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":1.5"),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"startTimeUnixNano\":true"),
	        SPAN "startTimeUnixNano: not an unsigned 64-bit integer"},
	    {IN_SPAN("\"droppedLinksCount\":4294967296"),
	        SPAN "droppedLinksCount: not an unsigned 32-bit integer"},
	    {IN_SPAN("\"flags\":4294967296"), SPAN "flags: not an unsigned 32-bit integer"},
	    {IN_SPAN("\"kind\":\"SPAN_KIND_SERVER\""),
	        SPAN "kind: not an integer, as enum values must be in OTLP/JSON"},
	    {IN_SPAN("\"kind\":2147483648"), SPAN "kind: not a 32-bit integer"},
	    {IN_SPAN("\"name\":1"), SPAN "name: not a string"},
	    {IN_SPAN("\"traceId\":5"), SPAN "traceId: not a string"},
	    {IN_SPAN("\"links\":[{},{\"flags\":{}}]"),
	        SPAN "links[1].flags: not an unsigned 32-bit integer"},
	    {IN_VALUE("\"intValue\":1e400"), VALUE "intValue: out of the range of a double"},
	    {IN_VALUE("\"intValue\":\"9223372036854775808\""),
	        VALUE "intValue: not a 64-bit integer"},
	    {IN_VALUE("\"boolValue\":\"true\""), VALUE "boolValue: not a boolean"},
	    {IN_VALUE("\"doubleValue\":\"nan\""), VALUE "doubleValue: not a number"},
	    {IN_VALUE("\"doubleValue\":\"0x1p3\""), VALUE "doubleValue: not a number"},
	    {IN_VALUE("\"doubleValue\":[]"), VALUE "doubleValue: not a number"},
	    {IN_VALUE("\"doubleValue\":1e999"), VALUE "doubleValue: out of the range of a double"},
	    {IN_VALUE("\"bytesValue\":\"a\""), VALUE "bytesValue: not base64"},
	    {IN_VALUE("\"arrayValue\":{\"values\":[{},{\"kvlistValue\":1}]}"),
	        VALUE "arrayValue.values[1].kvlistValue: not an object"},
	};
	struct buf out = {0};
	limits = limits_default();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		assert_int_equal(otlp_from_json(SIGNAL_TRACES, str_from(cases[i].json), &limits,
		                     &out, &err),
		    ERR_INVALID);
		assert_string_equal(err.message, cases[i].message);
		assert_int_equal(otlp_from_json(SIGNAL_TRACES, str_from(cases[i].json), &limits,
		                     &out, NULL),
		    ERR_INVALID);
	}
	buf_fini(&out);
}

/* ---- depth, size, truncation */

static enum err_code
nest(size_t levels, const char *open, const char *inner, const char *close, struct buf *out,
    struct err *err)
{
	struct buf json = {0};
	limits = limits_default();
	buf_str(&json, STR("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":"));
	for (size_t i = 0; i < levels; i++)
		buf_str(&json, str_from(open));
	buf_str(&json, str_from(inner));
	for (size_t i = 0; i < levels; i++)
		buf_str(&json, str_from(close));
	buf_str(&json, STR("}]}]}]}"));
	enum err_code code = otlp_from_json(SIGNAL_LOGS, buf_view(&json), &limits, out, err);
	buf_fini(&json);
	return code;
}

TEST(otlp, json_passes_on_deeper_values_than_any_limit_allows)
{
	/* The scan refuses the item then, not the request. max-depth is 100 at most. */
	static const char *const opens[] = {"{\"arrayValue\":{\"values\":[",
	    "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":"};
	static const char *const closes[] = {"]}}", "}]}}"};
	for (size_t kind = 0; kind < 2; kind++) {
		for (size_t levels = 100; levels <= 120; levels += 20) {
			struct buf out = {0}, text = {0};
			struct err err = {0};
			assert_int_equal(nest(levels, opens[kind], "{\"boolValue\":true}",
			                     closes[kind], &out, &err),
			    ERR_OK);
			canon(otlp_json_request(SIGNAL_LOGS), buf_view(&out), &text);
			size_t values = 0;
			buf_char(&text, '\0');
			for (const char *p = text.ptr; (p = strstr(p, "values{")); p++)
				values++;
			assert_int_equal(values, levels);
			assert_non_null(strstr(text.ptr, "boolValue=1"));
			buf_fini(&out);
			buf_fini(&text);
		}
	}
}

TEST(otlp, json_that_is_deeper_than_the_reader_goes_is_malformed)
{
	struct buf out = {0};
	struct err err = {0};
	assert_int_equal(nest(100000, "{\"arrayValue\":{\"values\":[", "{}", "]}}", &out, &err),
	    ERR_INVALID);
	assert_non_null(strstr(err.message, "nested too deeply"));
	assert_int_equal(nest(100000, "[", "1", "]", &out, &err), ERR_INVALID);
	/* A place that is too long for the message keeps both its ends. */
	assert_int_equal(nest(100, "{\"arrayValue\":{\"values\":[", "{\"intValue\":\"x\"}", "]}}",
	                     &out, &err),
	    ERR_INVALID);
	assert_non_null(strstr(err.message, "resourceLogs[0].scopeLogs[0]."));
	assert_non_null(strstr(err.message, "..."));
	assert_non_null(strstr(err.message, "values[0].intValue: not a 64-bit integer"));
	buf_fini(&out);
}

TEST(otlp, json_output_is_bounded)
{
	struct buf json = {0}, out = {0};
	struct err err = {0};
	limits = limits_default();
	limits.body_bytes_max = 100000;
	buf_str(&json,
	    STR("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":"
	        "{\"dataPoints\":[{\"bucketCounts\":[0"));
	for (size_t i = 0; i < 40000; i++)
		buf_str(&json, STR(",0"));
	buf_str(&json, STR("]}]}}]}]}]}"));
	assert_true(json.len < limits.body_bytes_max);
	assert_int_equal(otlp_from_json(SIGNAL_METRICS, buf_view(&json), &limits, &out, &err),
	    ERR_TOO_LARGE);
	assert_true(out.cap <= 2 * limits.body_bytes_max);
	limits = limits_default();
	assert_int_equal(otlp_from_json(SIGNAL_METRICS, buf_view(&json), &limits, &out, &err),
	    ERR_OK);
	assert_true(out.len > 320000);
	assert_int_equal(out.bytes_max, 0);
	buf_fini(&json);
	buf_fini(&out);
}

TEST(otlp, json_is_refused_at_every_truncation)
{
	size_t len;
	const char *json = test_golden_read("otlp-json/all-traces.json", &len);
	struct buf out = {0};
	limits = limits_default();
	while (len > 0 && json[len - 1] != '}')
		len--;
	for (size_t n = 0; n < len; n++) {
		char *copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, json, n);
		assert_int_equal(otlp_from_json(SIGNAL_TRACES, str_of(copy, n), &limits, &out,
		                     NULL),
		    ERR_INVALID);
		free(copy);
	}
	buf_fini(&out);
}

/* ---- numbers by themselves */

TEST(otlp, json_number_integers_are_exact_and_bounded)
{
	static const struct {
		const char *text;
		enum number_result result;
		uint64_t value;
	} cases[] = {
	    {"0", NUMBER_OK, 0},
	    {"18446744073709551615", NUMBER_OK, UINT64_MAX},
	    {"18446744073709551616", NUMBER_OUT_OF_RANGE, 0},
	    {"1.8446744073709551615e19", NUMBER_OK, UINT64_MAX},
	    {"184467440737095516150e-1", NUMBER_OK, UINT64_MAX},
	    {"1.8446744073709551616e19", NUMBER_OUT_OF_RANGE, 0},
	    {"10000000000000000000", NUMBER_OK, UINT64_C(10000000000000000000)},
	    {"1e19", NUMBER_OK, UINT64_C(10000000000000000000)},
	    {"1e20", NUMBER_OUT_OF_RANGE, 0},
	    {"1e99999999999999999999", NUMBER_OUT_OF_RANGE, 0},
	    {"1e-99999999999999999999", NUMBER_NOT_INTEGER, 0},
	    {"0.1", NUMBER_NOT_INTEGER, 0},
	    {"0.1e1", NUMBER_OK, 1},
	    {"0.000", NUMBER_OK, 0},
	    {"-0.0e5", NUMBER_OK, 0},
	    {"-1", NUMBER_OUT_OF_RANGE, 0},
	    {"100.00e-2", NUMBER_OK, 1},
	    {"0.00012300e7", NUMBER_OK, 1230},
	    {"1.0000000000000000000000000000000000000001", NUMBER_NOT_INTEGER, 0},
	    {"1.0000000000000000000000000000000000000000", NUMBER_OK, 1},
	    {"", NUMBER_MALFORMED, 0},
	    {"-", NUMBER_MALFORMED, 0},
	    {"+1", NUMBER_MALFORMED, 0},
	    {"1 ", NUMBER_MALFORMED, 0},
	    {" 1", NUMBER_MALFORMED, 0},
	    {"1.", NUMBER_MALFORMED, 0},
	    {".5", NUMBER_MALFORMED, 0},
	    {"0x10", NUMBER_MALFORMED, 0},
	    {"1,2", NUMBER_MALFORMED, 0},
	    {"nan", NUMBER_MALFORMED, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 0;
		if (json_number_u64(str_from(cases[i].text), UINT64_MAX, &v) != cases[i].result)
			fail_msg("%s", cases[i].text);
		if (cases[i].result == NUMBER_OK)
			assert_true(v == cases[i].value);
	}
}

TEST(otlp, json_number_signed_integers_reach_both_ends)
{
	int64_t v;
	assert_int_equal(json_number_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v),
	    NUMBER_OK);
	assert_true(v == INT64_MIN);
	assert_int_equal(json_number_i64(STR("-9.223372036854775808E18"), INT64_MIN, INT64_MAX, &v),
	    NUMBER_OK);
	assert_true(v == INT64_MIN);
	assert_int_equal(json_number_i64(STR("-9223372036854775809"), INT64_MIN, INT64_MAX, &v),
	    NUMBER_OUT_OF_RANGE);
	assert_int_equal(json_number_i64(STR("9223372036854775808.0"), INT64_MIN, INT64_MAX, &v),
	    NUMBER_OUT_OF_RANGE);
	assert_int_equal(json_number_i64(STR("-2147483649"), INT32_MIN, INT32_MAX, &v),
	    NUMBER_OUT_OF_RANGE);
	assert_int_equal(json_number_i64(STR("-2147483648.0"), INT32_MIN, INT32_MAX, &v),
	    NUMBER_OK);
	assert_int_equal(json_number_i64(STR("-0.5"), INT64_MIN, INT64_MAX, &v),
	    NUMBER_NOT_INTEGER);
}

TEST(otlp, json_number_doubles_of_any_length_are_read)
{
	double v;
	char text[2000];
	assert_int_equal(json_number_f64(STR("-0"), &v), NUMBER_OK);
	assert_true(v == 0 && signbit(v));
	assert_int_equal(json_number_f64(STR("1e-400"), &v), NUMBER_OK);
	assert_true(v == 0);
	assert_int_equal(json_number_f64(STR("1e309"), &v), NUMBER_OUT_OF_RANGE);
	assert_int_equal(json_number_f64(STR("inf"), &v), NUMBER_MALFORMED);
	memset(text, '0', sizeof(text));
	memcpy(text, "0.", 2);
	memcpy(text + sizeof(text) - 6, "1e1998", 6); /* 10^-1993 times 10^1998 */
	assert_int_equal(json_number_f64(str_of(text, sizeof(text)), &v), NUMBER_OK);
	assert_true(v == 1e5);
}
