/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/plain.h"

#include "tests/test.h"

#include <string.h>

static void
becomes(bool (*fn)(struct str json, struct buf *out), const char *plain, const char *typed)
{
	struct buf out = {0};
	if (!fn(str_from(plain), &out))
		fail_msg("%s was refused", plain);
	buf_char(&out, '\0');
	assert_string_equal(out.ptr, typed);
	buf_fini(&out);
}

TEST(otlp, plain_json_becomes_typed_json)
{
	becomes(otlp_plain_attributes,
	    "{\"a\": 1, \"b\" : \"t\\u0041\", \"c\":[1, 2.5,{\"$x\":null}]}",
	    "{\"a\":1,\"b\":\"tA\",\"c\":[1,2.5,{\"$$x\":null}]}");
	becomes(otlp_plain_attributes, "{\"big\": 18446744073709551615, \"e\":1e3, \"m\":-0.0}",
	    "{\"big\":1.8446744073709552e+19,\"e\":1000.0,\"m\":-0.0}");
	becomes(otlp_plain_attributes, "{}", "");
	becomes(otlp_plain_attributes, "null", "");
	becomes(otlp_plain_attributes, " ", "");
	becomes(otlp_plain_events,
	    "[{\"name\":\"set_state\",\"timeUnixNano\":1700000000000000001,\"droppedAttributesCount\":2,"
	    "\"attributes\":{\"id\":\"x\"}},{\"timeUnixNano\":\"5\",\"more\":{\"a\":[]}}]",
	    "[{\"t\":1700000000000000001,\"name\":\"set_state\",\"attributes\":{\"id\":\"x\"},"
	    "\"dropped\":2},{\"t\":5,\"name\":\"\"}]");
	becomes(otlp_plain_events, "[]", "");
	becomes(otlp_plain_links,
	    "[{\"traceId\":\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":\"0102030405060708\","
	    "\"traceState\":\"\",\"attributes\":{},\"droppedAttributesCount\":0,\"flags\":257}]",
	    "[{\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"0102030405060708\","
	    "\"flags\":257}]");
}

TEST(otlp, what_is_no_plain_json_of_that_shape_is_refused)
{
	static const char *const bad[] = {"{", "[1]", "{\"a\":}", "{} {}", "NaN", "{\"a\":NaN}"};
	static const char *const bad_lists[] = {"{}", "[1]", "[{\"timeUnixNano\":-1}]",
	    "[{\"timeUnixNano\":[]}]", "[{\"attributes\":3}]", "[{}", "[{}] 1"};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (otlp_plain_attributes(str_from(bad[i]), &out))
			fail_msg("%s was taken", bad[i]);
	for (size_t i = 0; i < sizeof(bad_lists) / sizeof(*bad_lists); i++)
		if (otlp_plain_events(str_from(bad_lists[i]), &out))
			fail_msg("%s was taken", bad_lists[i]);
	buf_fini(&out);
}
