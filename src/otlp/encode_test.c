/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of each signal with every field the encoder can write. The golden rows were made by
 * another program (tests/golden/otlp/make.py) from these very bytes, read with Google's protobuf
 * runtime: so they prove the encoder and, once more, the decoder.
 */
#include "otlp/encode.h"

#include "otlp/dump_test.h"
#include "tests/test.h"

#include <math.h>

static void
put_all_kinds(struct otlp_encoder *e)
{
	const struct otlp_attr inner[] = {
	    {STR("x"), otlp_value_bytes(STR("\0\1"))},
	    {STR("$y"), {.kind = OTLP_UNSET}},
	};
	const struct otlp_value items[] = {
	    otlp_value_str(STR("in \"list\"")),
	    otlp_value_kvlist(inner, ARRAY_LEN(inner)),
	    otlp_value_array(NULL, 0),
	};
	otlp_encode_attr(e, STR("s"), otlp_value_str(STR("text")));
	otlp_encode_attr(e, STR("empty"), otlp_value_str(STR_EMPTY));
	otlp_encode_attr(e, STR("yes"), otlp_value_bool(true));
	otlp_encode_attr(e, STR("no"), otlp_value_bool(false));
	otlp_encode_attr(e, STR("zero"), otlp_value_int(0));
	otlp_encode_attr(e, STR("min"), otlp_value_int(INT64_MIN));
	otlp_encode_attr(e, STR("max"), otlp_value_int(INT64_MAX));
	otlp_encode_attr(e, STR("d"), otlp_value_double(-2.5));
	otlp_encode_attr(e, STR("d0"), otlp_value_double(0));
	otlp_encode_attr(e, STR("nan"), otlp_value_double(NAN));
	otlp_encode_attr(e, STR("b"), otlp_value_bytes(STR("\xff\xfe")));
	otlp_encode_attr(e, STR("list"), otlp_value_array(items, ARRAY_LEN(items)));
	otlp_encode_attr(e, STR("map"), otlp_value_kvlist(inner, ARRAY_LEN(inner)));
	otlp_encode_attr(e, STR("none"), (struct otlp_value){.kind = OTLP_UNSET});
	otlp_encode_attr(e, STR_EMPTY, otlp_value_int(-1));
}

static void
put_heads(struct otlp_encoder *e)
{
	otlp_encode_resource(e, STR("resource-url"));
	otlp_encode_attr(e, STR("service.name"), otlp_value_str(STR("shop")));
	otlp_encode_scope(e, STR("lib"), STR("1.0"), STR("scope-url"));
	otlp_encode_attr(e, STR("in.scope"), otlp_value_int(1));
}

static void
build_traces(struct buf *b)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, b);
	put_heads(&e);
	otlp_encode_span(&e,
	    &(struct otlp_span){.trace_hi = 0x0102030405060708,
	        .trace_lo = 9,
	        .span_id = 0xfffefdfcfbfaf9f8,
	        .parent_id = 1,
	        .start_ns = 1795187531000000042,
	        .end_ns = 1795187531000000043,
	        .name = STR("op"),
	        .trace_state = STR("a=1"),
	        .status_message = STR("oh"),
	        .kind = 3,
	        .status_code = 2,
	        .flags = 0x301,
	        .dropped_attributes = 1,
	        .dropped_events = 200,
	        .dropped_links = 70000});
	put_all_kinds(&e);
	otlp_encode_event(&e, 77, STR("first"), 5);
	put_all_kinds(&e);
	otlp_encode_link(&e,
	    &(struct otlp_link){.trace_hi = 1,
	        .trace_lo = 2,
	        .span_id = 3,
	        .trace_state = STR("z=1"),
	        .dropped = 4,
	        .flags = 5});
	otlp_encode_attr(&e, STR("of"), otlp_value_str(STR("link")));
	otlp_encode_event(&e, 0, STR_EMPTY, 0);
	otlp_encode_span(&e, &(struct otlp_span){.trace_lo = 1, .span_id = 1, .kind = -1});
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = 2, .status_code = 1});
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR("only-url"));
	otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = 3});
	otlp_encode_end(&e);
}

static void
build_logs(struct buf *b)
{
	struct otlp_encoder e;
	const struct otlp_attr member = {STR("k"), otlp_value_double(1)};
	const struct otlp_value bodies[] = {
	    otlp_value_str(STR("text")),
	    otlp_value_kvlist(&member, 1),
	    {.kind = OTLP_UNSET},
	    otlp_value_array(&member.value, 1),
	};
	otlp_encode_begin(&e, SIGNAL_LOGS, b);
	put_heads(&e);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		otlp_encode_log(&e,
		    &(struct otlp_log){.time_ns = i, .observed_ns = 5, .body = &bodies[i]});
	otlp_encode_log(&e,
	    &(struct otlp_log){.time_ns = 1,
	        .observed_ns = 2,
	        .trace_hi = 3,
	        .trace_lo = 4,
	        .span_id = 5,
	        .severity = 17,
	        .severity_text = STR("ERROR"),
	        .event_name = STR("device.app"),
	        .flags = 1,
	        .dropped = 6});
	put_all_kinds(&e);
	otlp_encode_end(&e);
}

static const uint64_t counts[] = {0, 1, 127, 128, UINT64_MAX};
static const double numbers[] = {-1.5, 0, 0.5, INFINITY};

static void
put_exemplars(struct otlp_encoder *e)
{
	otlp_encode_exemplar(e,
	    &(struct otlp_exemplar){.time_ns = 9,
	        .trace_hi = 1,
	        .trace_lo = 2,
	        .span_id = 3,
	        .is_int = true,
	        .i64 = -4});
	otlp_encode_attr(e, STR("of"), otlp_value_str(STR("exemplar")));
	otlp_encode_exemplar(e, &(struct otlp_exemplar){.f64 = 0.25});
}

/* Every kind of point is given everything: each takes what it has. */
static void
put_points(struct otlp_encoder *e)
{
	struct otlp_point p = {.time_ns = 2,
	    .start_ns = 1,
	    .flags = 1,
	    .has_double = true,
	    .f64 = 1.5,
	    .count = 18,
	    .has_sum = true,
	    .has_min = true,
	    .has_max = true,
	    .sum = 0,
	    .min = -2,
	    .max = 3.5,
	    .bounds = {numbers, 3},
	    .counts = {counts, ARRAY_LEN(counts)},
	    .scale = -3,
	    .zero_count = 7,
	    .zero_threshold = 0.125,
	    .positive = {-5, {counts, ARRAY_LEN(counts)}},
	    .negative = {6, {counts, 0}},
	    .quantiles = {numbers, ARRAY_LEN(numbers)},
	    .values = {numbers, ARRAY_LEN(numbers)}};
	otlp_encode_point(e, &p);
	put_all_kinds(e);
	if (e->metric.type != POINT_SUMMARY)
		put_exemplars(e);
	otlp_encode_point(e, &(struct otlp_point){.has_int = true, .i64 = 0});
	otlp_encode_point(e, &(struct otlp_point){.time_ns = 3});
}

static void
build_metrics(struct buf *b)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_METRICS, b);
	put_heads(&e);
	for (int type = POINT_GAUGE; type <= POINT_SUMMARY; type++) {
		otlp_encode_metric(&e,
		    &(struct otlp_metric){.name = STR("m"),
		        .unit = STR("ms"),
		        .description = STR("what"),
		        .type = (enum point_type)type,
		        .temporality = 2,
		        .monotonic = true});
		if (type % 2)
			otlp_encode_attr(&e, STR("meta"), otlp_value_int(type));
		put_points(&e);
	}
	otlp_encode_metric(&e,
	    &(struct otlp_metric){.name = STR("no points"), .type = POINT_GAUGE});
	otlp_encode_end(&e);
}

static void
check(enum signal_kind signal, void (*build)(struct buf *), const char *pb, const char *rows)
{
	struct limits limits = limits_default();
	struct buf body = {0}, text = {0};
	struct batch b;
	build(&body);
	test_golden(pb, body.ptr, body.len);
	batch_init(&b, 0);
	struct otlp_counts c = dump_decode(signal, buf_view(&body), &limits, &b);
	assert_int_equal(c.rejected, 0);
	dump_batch(&b, &text);
	test_golden(rows, text.ptr, text.len);
	batch_fini(&b);
	buf_fini(&body);
	buf_fini(&text);
}

TEST(otlp, encoded_spans_are_what_another_parser_reads)
{
	check(SIGNAL_TRACES, build_traces, "otlp/encoded_traces.pb", "otlp/encoded_traces.txt");
}

TEST(otlp, encoded_logs_are_what_another_parser_reads)
{
	check(SIGNAL_LOGS, build_logs, "otlp/encoded_logs.pb", "otlp/encoded_logs.txt");
}

TEST(otlp, encoded_metrics_are_what_another_parser_reads)
{
	check(SIGNAL_METRICS, build_metrics, "otlp/encoded_metrics.pb", "otlp/encoded_metrics.txt");
}

static void
attribute_of_nothing(void *ctx)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, ctx);
	otlp_encode_attr(&e, STR("k"), otlp_value_int(1));
}

static void
span_without_scope(void *ctx)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, ctx);
	otlp_encode_resource(&e, STR_EMPTY);
	otlp_encode_end(&e);
	otlp_encode_span(&e, &(struct otlp_span){0});
}

static void
log_among_spans(void *ctx)
{
	struct otlp_encoder e;
	otlp_encode_begin(&e, SIGNAL_TRACES, ctx);
	put_heads(&e);
	otlp_encode_log(&e, &(struct otlp_log){0});
}

TEST(otlp, the_wrong_order_of_encoder_calls_is_a_failed_check)
{
	struct buf b = {0};
	test_dies(attribute_of_nothing, &b);
	test_dies(span_without_scope, &b);
	test_dies(log_among_spans, &b);
	buf_fini(&b);
}
