/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/trace.h"

#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

TEST(trace, spans_are_taken_in_order_and_those_too_many_are_counted)
{
	struct trace_span s, *out = calloc(TRACE_RING, sizeof(*out));
	uint64_t lost;
	trace_begin(&s, "before it is on", TRACE_INTERNAL);
	trace_end(&s, ERR_OK, "");
	trace_turn(true);
	assert_int_equal(trace_take(out, TRACE_RING, &lost), 0);
	for (int i = 0; i < TRACE_RING + 3; i++) {
		trace_begin(&s, "work", TRACE_INTERNAL);
		trace_number(&s, "n", i);
		trace_end(&s, i == 1 ? ERR_IO : ERR_OK, "it broke");
	}
	assert_int_equal(trace_take(out, TRACE_RING, &lost), TRACE_RING);
	assert_int_equal(lost, 3);
	for (int i = 0; i < TRACE_RING; i++) {
		assert_int_equal(out[i].attrs[0].number, i);
		assert_int_equal(out[i].failed, i == 1);
		assert_true(out[i].span_id != 0 && out[i].trace_lo != 0);
	}
	assert_string_equal(out[1].message, "it broke");
	assert_int_equal(trace_take(out, 1, &lost), 0);
	free(out);
}

TEST(trace, a_traceparent_is_joined_and_what_is_none_is_not)
{
	static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	static const char *const bad[] = {"",
	    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
	    "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	    "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	    "00-00000000000000000000000000000000-b7ad6b7169203331-01"};
	struct trace_span s;
	trace_turn(true);
	trace_begin(&s, "GET", TRACE_SERVER);
	trace_join(&s, good, strlen(good));
	assert_int_equal(s.trace_hi, UINT64_C(0x0af7651916cd43dd));
	assert_int_equal(s.trace_lo, UINT64_C(0x8448eb211c80319c));
	assert_int_equal(s.parent_id, UINT64_C(0xb7ad6b7169203331));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		trace_begin(&s, "GET", TRACE_SERVER);
		trace_join(&s, bad[i], strlen(bad[i]));
		assert_int_equal(s.parent_id, 0);
	}
	trace_begin(&s,
	    "a name that is longer than what a span has room for, which is cut off somewhere",
	    TRACE_SERVER);
	trace_text(&s, "k", good, 7);
	assert_string_equal(s.attrs[0].text, "00-0af7");
}
