/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of Google's protobuf runtime for Python with the messages of opentelemetry-proto 1.45, and
 * the rows that the same program, not weir, says they are: tests/golden/otlp/make.py.
 */
#include "otlp/dump_test.h"

#include "tests/test.h"

static void
check(enum signal_kind signal, const char *pb_name, const char *text_name)
{
	size_t len;
	struct limits limits = limits_default();
	struct batch b;
	struct buf out = {0};
	const char *body = test_golden_read(pb_name, &len);
	batch_init(&b, 0);
	struct otlp_counts counts = dump_decode(signal, str_of(body, len), &limits, &b);
	assert_int_equal(counts.rejected, 0);
	dump_batch(&b, &out);
	test_golden(text_name, out.ptr, out.len);
	buf_fini(&out);
	batch_fini(&b);
}

TEST(otlp, spans_of_another_implementation_come_in_field_by_field)
{
	check(SIGNAL_TRACES, "otlp/traces.pb", "otlp/traces.txt");
}

TEST(otlp, logs_of_another_implementation_come_in_field_by_field)
{
	check(SIGNAL_LOGS, "otlp/logs.pb", "otlp/logs.txt");
}

TEST(otlp, metrics_of_another_implementation_come_in_field_by_field)
{
	check(SIGNAL_METRICS, "otlp/metrics.pb", "otlp/metrics.txt");
}
