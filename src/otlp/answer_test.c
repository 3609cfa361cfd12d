/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp/otlp.h"

#include "tests/test.h"
#include "wire/pb.h"

static void
assert_json(struct buf *b, const char *want)
{
	buf_char(b, '\0');
	assert_string_equal(b->ptr, want);
	buf_reset(b);
}

/* The message's field `number`, which must be there once. */
static struct pb_field
field(struct str message, uint32_t number)
{
	struct pb_reader r;
	struct pb_field f, found = {0};
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		if (f.number != number)
			continue;
		assert_int_equal(found.number, 0);
		found = f;
	}
	assert_false(pb_failed(&r));
	return found;
}

TEST(otlp, a_full_success_is_an_empty_message)
{
	struct buf b = {0};
	struct otlp_counts counts = {.accepted = 5};
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
		otlp_write_response((enum signal_kind)s, &counts, false, &b);
		assert_int_equal(b.len, 0);
		otlp_write_response((enum signal_kind)s, &counts, true, &b);
		assert_json(&b, "{}");
	}
	buf_fini(&b);
}

TEST(otlp, a_partial_success_tells_how_many_and_why)
{
	struct buf b = {0};
	struct otlp_counts counts = {.accepted = 5, .rejected = 3, .reason = "span 1: \"bad\""};
	otlp_write_response(SIGNAL_TRACES, &counts, false, &b);
	struct str partial = field(buf_view(&b), 1).bytes;
	assert_int_equal(field(partial, 1).value, 3);
	assert_int_equal(field(partial, 1).wire, PB_VARINT);
	assert_true(str_eq(field(partial, 2).bytes, STR("span 1: \"bad\"")));
	buf_reset(&b);
	otlp_write_response(SIGNAL_TRACES, &counts, true, &b);
	assert_json(&b,
	    "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":"
	    "\"span 1: \\\"bad\\\"\"}}");
	counts = (struct otlp_counts){.rejected = 1, .reason = "r"};
	otlp_write_response(SIGNAL_LOGS, &counts, true, &b);
	assert_json(&b,
	    "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"r\"}}");
	otlp_write_response(SIGNAL_METRICS, &counts, true, &b);
	assert_json(&b,
	    "{\"partialSuccess\":{\"rejectedDataPoints\":\"1\",\"errorMessage\":\"r\"}}");
	buf_fini(&b);
}

TEST(otlp, a_status_has_the_grpc_code_and_the_message)
{
	struct buf b = {0};
	otlp_write_status(ERR_INVALID, STR("no good"), 0, false, &b);
	assert_int_equal(field(buf_view(&b), 1).value, 3);
	assert_true(str_eq(field(buf_view(&b), 2).bytes, STR("no good")));
	assert_int_equal(field(buf_view(&b), 3).number, 0);
	buf_reset(&b);
	otlp_write_status(ERR_INVALID, STR("no \"good\""), 0, true, &b);
	assert_json(&b, "{\"code\":3,\"message\":\"no \\\"good\\\"\"}");
	otlp_write_status(ERR_TOO_LARGE, STR(""), 0, true, &b);
	assert_json(&b, "{\"code\":8,\"message\":\"\"}");
	/* A protobuf string may not hold what is not UTF-8. */
	otlp_write_status(ERR_INVALID,
	    STR("abc\xff"
	        "def"),
	    0, false, &b);
	assert_true(str_eq(field(buf_view(&b), 2).bytes, STR("abc")));
	buf_fini(&b);
}

static void
assert_retry(uint64_t ms, uint64_t seconds, uint64_t nanos)
{
	struct buf b = {0};
	otlp_write_status(ERR_BUSY, STR("later"), ms, false, &b);
	assert_int_equal(field(buf_view(&b), 1).value, 8);
	struct str any = field(buf_view(&b), 3).bytes;
	assert_true(str_eq(field(any, 1).bytes, STR("type.googleapis.com/google.rpc.RetryInfo")));
	struct str delay = field(field(any, 2).bytes, 1).bytes;
	assert_int_equal(field(delay, 1).value, seconds);
	assert_int_equal(field(delay, 2).value, nanos);
	buf_fini(&b);
}

TEST(otlp, a_status_that_asks_to_retry_has_retry_info)
{
	struct buf b = {0};
	assert_retry(1500, 1, 500000000);
	assert_retry(2000, 2, 0);
	assert_retry(7, 0, 7000000);
	otlp_write_status(ERR_BUSY, STR("later"), 1500, true, &b);
	assert_json(&b,
	    "{\"code\":8,\"message\":\"later\",\"details\":[{\"@type\":"
	    "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.500s\"}]}");
	otlp_write_status(ERR_UNAVAILABLE, STR("x"), 2000, true, &b);
	assert_json(&b,
	    "{\"code\":14,\"message\":\"x\",\"details\":[{\"@type\":"
	    "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"2s\"}]}");
	otlp_write_status(ERR_BUSY, STR("x"), 7, true, &b);
	assert_json(&b,
	    "{\"code\":8,\"message\":\"x\",\"details\":[{\"@type\":"
	    "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"0.007s\"}]}");
	buf_fini(&b);
}
