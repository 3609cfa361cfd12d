/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "bench/report.h"

#include <math.h>
#include <string.h>

static const char *
text_of(struct buf *b)
{
	buf_char(b, '\0');
	return b->ptr;
}

TEST(bench_report, what_is_not_known_is_a_dash_with_its_reason_and_null)
{
	struct report r = {0};
	struct buf text = {0}, json = {0};
	report_set(&r, FIGURE_SPANS, 1200);
	report_set(&r, FIGURE_CPU, 12.345);
	report_unknown(&r, FIGURE_RSS_PEAK, "needs --server-pid");
	report_set(&r, FIGURE_ACKED_RATE, 5 / 0.0);
	report_set(&r, FIGURE_LOADED_RATE, NAN);
	report_condition(&r, "payload", "%s, \"%d\"", "sdk", 64);
	report_print_text(&r, &text);
	report_print_json(&r, &json);
	assert_non_null(strstr(text_of(&text), "        1200  spans acknowledged\n"));
	assert_non_null(strstr(text.ptr, "       12.35  server CPU, all in, us/span\n"));
	assert_non_null(strstr(text.ptr, "  -  server RSS at its peak, MiB: needs --server-pid\n"));
	assert_non_null(strstr(text.ptr, "  -  spans/s acknowledged, durable: there is nothing"));
	assert_null(strstr(text.ptr, "visible p99"));
	assert_string_equal(text_of(&json),
	    "{\"conditions\":{\"payload\":\"sdk, \\\"64\\\"\"},"
	    "\"figures\":{\"spans\":1200.0,\"acked_spans_per_s\":null,\"loaded_spans_per_s\":null,"
	    "\"cpu_us_per_span\":12.345,\"rss_peak_mib\":null},"
	    "\"unknown\":{\"acked_spans_per_s\":\"there is nothing to divide by\","
	    "\"loaded_spans_per_s\":\"there is nothing to divide by\","
	    "\"rss_peak_mib\":\"needs --server-pid\"},\"cpu_us_per_span_by_thread\":{}}\n");
	buf_fini(&text);
	buf_fini(&json);
}

TEST(bench_report, a_quantile_of_nothing_is_not_known)
{
	struct report r = {0};
	struct latency l = {0};
	report_set_quantile(&r, FIGURE_ACK_P99, &l, 0.99, "nothing came");
	assert_false(r.figures[FIGURE_ACK_P99].known);
	assert_string_equal(r.figures[FIGURE_ACK_P99].why, "nothing came");
	latency_add(&l, 2500000);
	report_set_quantile(&r, FIGURE_ACK_P99, &l, 0.99, "nothing came");
	assert_true(r.figures[FIGURE_ACK_P99].known);
	assert_float_equal(r.figures[FIGURE_ACK_P99].value, 2.5, 1e-9);
	latency_fini(&l);
}

TEST(bench_report, cpu_time_is_added_up_by_the_name_of_threads)
{
	struct report r = {0};
	const struct measure_thread before[] = {
	    {10, "grpc-0", 1000000}, {11, "loader", 5000000}, {12, "gone", 7000000}};
	const struct measure_thread after[] = {{10, "grpc-0", 2000000}, {20, "grpc-12", 3000000},
	    {11, "loader", 13000000}, {30, "42", 500000}, {31, "idle", 0}};
	/* 12.5 ms in the threads that are there, 15 in all, 100 spans. */
	report_threads(&r, before, 3, after, 5, 15000000, 100);
	assert_int_equal(r.thread_count, 4);
	assert_string_equal(r.threads[0].name, "loader");
	assert_float_equal(r.threads[0].cpu_us_per_span, 80, 1e-6);
	assert_string_equal(r.threads[1].name, "grpc");
	assert_float_equal(r.threads[1].cpu_us_per_span, 40, 1e-6);
	assert_string_equal(r.threads[2].name, "ended");
	assert_float_equal(r.threads[2].cpu_us_per_span, 25, 1e-6);
	assert_string_equal(r.threads[3].name, "42");
}
