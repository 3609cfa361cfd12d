/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/arena.h"
#include "bench/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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
	    "\"rss_peak_mib\":\"needs --server-pid\"},\"cpu_us_per_span_by_thread\":{},\"rounds\":[],\"fair\":[],\"queries\":[]}\n");
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

TEST(bench_report, rounds_and_queries_are_printed_with_what_is_not_known)
{
	struct report *r = xcalloc(1, sizeof(*r));
	struct buf text = {0}, json = {0};
	struct latency l = {0}, none = {0};
	struct report_round first = {.spans = 10,
	    .total_spans = 10,
	    .acked_rate = 4,
	    .loaded_rate = NAN,
	    .cpu_us_per_span = 6.5,
	    .ack_p99_ms = 2,
	    .rss_mib = 50,
	    .unsealed_before = NAN,
	    .unsealed_after = 3};
	struct report_round second = first;
	second.cpu_us_per_span = NAN;
	second.total_spans = 20;
	snprintf(second.why, sizeof(second.why), "it was busy");
	report_round(r, &first);
	report_print_text(r, &text);
	assert_null(strstr(text_of(&text), "in all spans")); /* one is in the figures */
	report_round(r, &second);
	for (uint64_t i = 1; i <= 200; i++)
		latency_add(&l, i * 1000000);
	struct report_query trace = {.key = "trace", .label = "a trace", .cpu_ms = 1.5},
	                    services = {.key = "services",
	                        .label = "all services",
	                        .live = true,
	                        .wrong = 4,
	                        .cpu_ms = NAN,
	                        .why = "3 instead of 4"};
	report_query(r, &trace, &l);
	report_query(r, &services, &none);
	buf_reset(&text);
	report_print_text(r, &text);
	report_print_json(r, &json);
	assert_non_null(strstr(text_of(&text),
	    "            20            -          4          -"));
	assert_non_null(strstr(text.ptr, " it was busy\n"));
	assert_non_null(strstr(text.ptr,
	    "CPU ms\n       200        0   100.00   198.00   200.00     1.50  a trace\n"));
	assert_non_null(strstr(text.ptr,
	    "while spans are sent\n         0        4        -        -        -        -  all services: 3 instead"));
	assert_non_null(strstr(text_of(&json),
	    "{\"query\":\"trace\",\"label\":\"a trace\",\"live\":false,\"right\":200.0,\"wrong\":0.0,"
	    "\"p50_ms\":100.0,\"p99_ms\":198.0,\"max_ms\":200.0,\"cpu_ms\":1.5,\"why\":\"\"},"
	    "{\"query\":\"services\",\"label\":\"all services\",\"live\":true,\"right\":0.0,\"wrong\":4.0,"
	    "\"p50_ms\":null,\"p99_ms\":null,\"max_ms\":null,\"cpu_ms\":null,\"why\":\"3 instead of 4\"}]}\n"));
	assert_non_null(strstr(json.ptr,
	    "\"loaded_spans_per_s\":null,\"cpu_us_per_span\":null,\"ack_p99_ms\":2.0,"
	    "\"rss_mib\":50.0,\"unsealed_rows_before\":null,\"unsealed_rows_after\":3.0,"
	    "\"why\":\"it was busy\"}]"));
	latency_fini(&l);
	buf_fini(&text);
	buf_fini(&json);
	free(r);
}

TEST(bench_report, rounds_beside_another_tenant_are_rows_and_what_is_not_known_is_null)
{
	struct report r = {0};
	struct buf text = {0}, json = {0};
	report_fair(&r,
	    &(struct report_fair){.acks = 800,
	        .ack_p50_ms = 1.5,
	        .ack_p99_ms = 9,
	        .ask_p50_ms = 4,
	        .ask_p99_ms = NAN,
	        .greedy_spans_per_s = NAN,
	        .refused_per_s = NAN,
	        .server_cores = 0.25,
	        .generator_cores = 0.125});
	report_fair(&r, &(struct report_fair){.beside = true, .refused_per_s = 1900});
	report_print_text(&r, &text);
	report_print_json(&r, &json);
	assert_non_null(strstr(text_of(&text), "\n  alone       800    1.50    9.00"));
	assert_non_null(strstr(text.ptr, "\n  beside        0    0.00"));
	assert_non_null(strstr(text_of(&json),
	    "\"fair\":[{\"round\":\"alone\",\"acks\":800.0,\"ack_p50_ms\":1.5,\"ack_p99_ms\":9.0,"
	    "\"question_p50_ms\":4.0,\"question_p99_ms\":null,\"greedy_spans_per_s\":null,"
	    "\"greedy_refused_per_s\":null,\"server_cores\":0.25,\"generator_cores\":0.125},"
	    "{\"round\":\"beside\""));
	buf_fini(&text);
	buf_fini(&json);
}
