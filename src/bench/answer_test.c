/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/answer.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

static const struct payload jaeger = {PAYLOAD_JAEGER, 2, 512, 99};

/* A trace's answer: the spans of these positions, `count` said. */
static void
write_trace(struct buf *out, uint64_t trace, const uint64_t *positions, size_t n, uint64_t count)
{
	char id[33] = {0}, span[17] = {0};
	struct payload_trace_id t = payload_trace_id(&jaeger, trace);
	hex_u64(t.hi, id);
	hex_u64(t.lo, id + 16);
	buf_reset(out);
	buf_printf(out, "{\"trace_id\":\"%s\",\"span_count\":%llu,\"services\":[\"a\"],\"spans\":[",
	    id, (unsigned long long)count);
	for (size_t i = 0; i < n; i++) {
		hex_u64(payload_span_id(&jaeger, trace * 10 + positions[i]), span);
		buf_printf(out,
		    "%s{\"trace_id\":\"%s\",\"span_id\":\"%s\",\"attributes\":{\"k\":[1]}}",
		    i ? "," : "", id, span);
	}
	buf_str(out, STR("],\"truncated\":false}"));
}

TEST(bench_answer, a_trace_is_all_its_spans_once_in_any_order)
{
	static const uint64_t whole[] = {9, 0, 1, 2, 3, 4, 5, 6, 7, 8},
	                      twice[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 8},
	                      one_more[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9},
	                      another[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10};
	struct buf b = {0};
	struct err err = {0};
	write_trace(&b, 77, whole, 10, 10);
	assert_true(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 78, &err));
	write_trace(&b, 77, whole, 9, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "missing"));
	write_trace(&b, 77, whole, 10, 11);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	write_trace(&b, 77, twice, 10, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "comes twice"));
	write_trace(&b, 77, one_more, 11, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	write_trace(&b, 77, another, 10, 10);
	assert_false(answer_is_trace(buf_view(&b), &jaeger, 77, &err));
	assert_non_null(strstr(err.message, "another's or comes twice"));
	write_trace(&b, 77, whole, 10, 10);
	for (size_t cut = 0; cut < b.len - strlen("],\"truncated\":false}"); cut++)
		assert_false(answer_is_trace(str_of(b.ptr, cut), &jaeger, 77, &err));
	buf_fini(&b);
}

TEST(bench_answer, spans_have_what_was_asked_for_newest_first)
{
#define SPAN(service, start, attributes)                                                           \
	"{\"trace_id\":\"t\",\"span_id\":\"s\",\"service\":\"" service                             \
	"\",\"start_time_unix_nano\":\"" start "\",\"attributes\":{" attributes                    \
	"},\"resource\":{\"attributes\":{\"k\":\"v\"}}}"
	static const struct {
		const char *spans;
		const char *said; /* NULL: right */
	} cases[] = {
	    {SPAN("a", "9", "\"x\":1,\"k\":\"v\"") "," SPAN("a", "9", "\"k\":\"v\""), NULL},
	    {SPAN("a", "9", "\"k\":\"v\""), "1 spans instead of 2"},
	    {"", "0 spans instead of 2"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("b", "9", "\"k\":\"v\""),
	        "another service: \"b\""},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"k\":\"w\""), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"j\":\"v\""), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "9", "\"k\":3"), "another value"},
	    {SPAN("a", "9", "\"k\":\"v\"") "," SPAN("a", "10", "\"k\":\"v\""), "not newest first"},
	    {SPAN("a", "7", "\"k\":\"v\"") "," SPAN("a", "6", "\"k\":\"v\""), "there are newer"},
	    {SPAN("a", "x", "\"k\":\"v\""), "not the JSON"},
	    {"3", "not the JSON"},
	};
	struct answer_spans want = {.count = 2,
	    .service = STR("a"),
	    .key = STR("k"),
	    .value = STR("v"),
	    .newest_min_ns = 8};
	struct buf b = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		buf_reset(&b);
		buf_printf(&b, "{\"spans\":[%s],\"count\":2}", cases[i].spans);
		bool right = answer_is_spans(buf_view(&b), &want, &err);
		if (right != !cases[i].said)
			fail_msg("%s: %s", cases[i].spans, err.message);
		if (cases[i].said && !strstr(err.message, cases[i].said))
			fail_msg("%s: \"%s\"", cases[i].spans, err.message);
	}
#undef SPAN
	buf_fini(&b);
}

TEST(bench_answer, nothing_asked_for_is_any_span)
{
	struct answer_spans want = {.count = 1}, none = {.count = 0};
	struct err err = {0};
	struct str one = STR("{\"spans\":[{\"start_time_unix_nano\":\"1\"}]}");
	assert_true(answer_is_spans(one, &want, &err));
	assert_false(answer_is_spans(one, &none, &err));
	assert_true(answer_is_spans(STR("{\"spans\":[]}"), &none, &err));
	assert_false(answer_is_spans(STR("{\"count\":0}"), &none, &err));
	assert_false(answer_is_spans(STR_EMPTY, &none, &err));
}

TEST(bench_answer, services_are_counted_with_their_spans)
{
	struct err err = {0};
	struct str json =
	    STR("{\"services\":[{\"name\":\"a\",\"span_count\":7,\"x\":{\"span_count\":1}},"
	        "{\"span_count\":5}],\"count\":2}");
	assert_true(answer_is_services(json, 2, 12, &err));
	assert_false(answer_is_services(json, 2, 13, &err));
	assert_false(answer_is_services(json, 3, 12, &err));
	assert_non_null(strstr(err.message, "2 services with 12 spans instead of 3 with 12"));
	assert_false(answer_is_services(STR("{\"services\":{}}"), 0, 0, &err));
	assert_false(answer_is_services(STR("{\"services\":[{\"span_count\":7]"), 1, 7, &err));
}
