/* SPDX-License-Identifier: Apache-2.0 */
/* What a scan says that decoding would take: never too little, and not much too much. */
#include "otlp/dump_test.h"
#include "otlp/encode.h"

#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

/* What is in a request of the kinds that grow most: of each, `count` items with `parts` parts. */
enum grows {
	EVENTS,
	EVENT_ATTRIBUTES,
	LINKS,
	CONTROLS,
	NULLS,
	QUANTILES,
	BUCKETS,
	EXEMPLARS,
	KINDS
};

static struct otlp_encoder enc;

static void
put_parts(struct buf *b, uint32_t field, struct str part, size_t parts)
{
	for (size_t i = 0; i < parts; i++)
		pb_put_bytes(b, field, part);
}

static void
put_grown_span(struct buf *b, enum grows kind, size_t parts)
{
	otlp_encode_span(&enc, &(struct otlp_span){.trace_hi = 1, .span_id = 1});
	if (kind == EVENTS)
		put_parts(b, 11, STR_EMPTY, parts);
	if (kind == EVENT_ATTRIBUTES)
		put_parts(b, 11, STR("\x1a\x00\x1a\x00\x1a\x00"), parts);
	if (kind == LINKS)
		put_parts(b, 13, STR_EMPTY, parts);
	char *text = malloc(parts + 1);
	assert_non_null(text);
	memset(text, 1, parts);
	if (kind == CONTROLS)
		otlp_encode_attr(&enc, STR("k"), otlp_value_str(str_of(text, parts)));
	free(text);
	struct otlp_value *nulls = calloc(parts + 1, sizeof(*nulls));
	assert_non_null(nulls);
	if (kind == NULLS)
		otlp_encode_attr(&enc, STR("k"), otlp_value_array(nulls, parts));
	free(nulls);
}

static void
put_grown_point(struct buf *b, enum grows kind, size_t parts)
{
	static const uint64_t zeros[65536];
	CHECK(parts <= ARRAY_LEN(zeros));
	struct otlp_point p = {0};
	if (kind == BUCKETS)
		p.positive.counts = (struct u64s){zeros, parts};
	otlp_encode_point(&enc, &p);
	if (kind == QUANTILES)
		put_parts(b, 6, STR_EMPTY, parts);
	if (kind == EXEMPLARS)
		put_parts(b, 5, STR_EMPTY, parts);
}

static enum signal_kind
build(struct buf *b, enum grows kind, size_t count, size_t parts)
{
	static const enum point_type types[KINDS] = {[QUANTILES] = POINT_SUMMARY,
	    [BUCKETS] = POINT_EXP_HISTOGRAM,
	    [EXEMPLARS] = POINT_GAUGE};
	enum signal_kind signal = types[kind] ? SIGNAL_METRICS : SIGNAL_TRACES;
	buf_reset(b);
	otlp_encode_begin(&enc, signal, b);
	otlp_encode_resource(&enc, STR_EMPTY);
	otlp_encode_scope(&enc, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	if (signal == SIGNAL_METRICS)
		otlp_encode_metric(&enc, &(struct otlp_metric){.type = types[kind]});
	for (size_t i = 0; i < count; i++) {
		if (signal == SIGNAL_METRICS)
			put_grown_point(b, kind, parts);
		else
			put_grown_span(b, kind, parts);
	}
	otlp_encode_end(&enc);
	return signal;
}

static enum err_code
scan(enum signal_kind signal, const struct buf *b, const struct limits *limits,
    struct otlp_counts *counts)
{
	struct err err = {0};
	enum err_code code = otlp_scan(signal, buf_view(b), limits, counts, &err);
	assert_true(code == ERR_OK || strstr(err.message, "--max-decoded-bytes") != NULL);
	return code;
}

TEST(otlp, what_grows_most_decodes_within_the_weight_that_the_scan_tells)
{
	static const size_t counts[] = {1, 2, 65, 300}, parts[] = {0, 1, 2, 17, 900, 20000};
	struct limits limits = limits_default();
	struct otlp_counts seen;
	struct buf body = {0};
	struct batch b;
	batch_init(&b, 0);
	limits.decoded_bytes_max = UINT64_MAX / 2;
	for (int kind = 0; kind < KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_LEN(counts) * ARRAY_LEN(parts); i++) {
			size_t n = counts[i % ARRAY_LEN(counts)], m = parts[i / ARRAY_LEN(counts)];
			if (n * m > 40000)
				continue;
			enum signal_kind signal = build(&body, (enum grows)kind, n, m);
			dump_agree(signal, buf_view(&body), &limits, &b);
			/* At its own weight it is still taken, and now what is escaped is counted. */
			assert_int_equal(scan(signal, &body, &limits, &seen), ERR_OK);
			limits.decoded_bytes_max = seen.decoded_bytes;
			assert_int_equal(scan(signal, &body, &limits, &seen), ERR_OK);
			limits.decoded_bytes_max = UINT64_MAX / 2;
			assert_int_equal(seen.accepted, n);
			/* Far from the rows' base it is not far off: within twice as much, and half. */
			assert_true(n * m < 17000 ||
			    seen.decoded_bytes < 3 * (uint64_t)b.arena.used_bytes + (1 << 19));
		}
	}
	batch_fini(&b);
	buf_fini(&body);
}

TEST(otlp, small_body_that_would_become_gigabytes_is_refused_as_too_large)
{
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct buf body = {0};
	limits.decoded_bytes_max = 8 * LIMIT_MIB; /* as 192 MiB are to 64 MiB */
	for (int kind = 0; kind < KINDS; kind++) {
		size_t parts = kind == LINKS || kind == EXEMPLARS ? 65536 : 30000;
		enum signal_kind signal = build(&body, (enum grows)kind, 60, parts);
		assert_true(body.len < 16 * LIMIT_MIB);
		assert_int_equal(scan(signal, &body, &limits, &counts), ERR_TOO_LARGE);
		signal = build(&body, (enum grows)kind, 60, 100);
		assert_int_equal(scan(signal, &body, &limits, &counts), ERR_OK);
	}
	buf_fini(&body);
}

static void
put_text_span(const char *text, size_t len)
{
	otlp_encode_span(&enc, &(struct otlp_span){.trace_hi = 1, .span_id = 1});
	otlp_encode_attr(&enc, STR("k"), otlp_value_str(str_of(text, len)));
}

TEST(otlp, long_texts_are_refused_only_if_their_escapes_do_not_fit)
{
	enum { LEN = 500000, COUNT = 8 };
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct buf body = {0};
	char *text = malloc(LEN);
	assert_non_null(text);
	limits.decoded_bytes_max = 6 * LIMIT_MIB; /* 4 MB as they are, 24 MB at worst */
	for (int lines = 0; lines < 2; lines++) {
		for (size_t i = 0; i < LEN; i++)
			text[i] = lines && i % 50 == 0 ? '\n' : 'x';
		otlp_encode_begin(&enc, SIGNAL_TRACES, &body);
		otlp_encode_resource(&enc, STR_EMPTY);
		otlp_encode_scope(&enc, STR_EMPTY, STR_EMPTY, STR_EMPTY);
		for (int i = 0; i < COUNT; i++)
			put_text_span(text, LEN);
		otlp_encode_end(&enc);
		assert_int_equal(scan(SIGNAL_TRACES, &body, &limits, &counts), ERR_OK);
		assert_true(counts.decoded_bytes < 5 * LIMIT_MIB);
		buf_reset(&body);
	}
	memset(text, 2, LEN);
	otlp_encode_begin(&enc, SIGNAL_TRACES, &body);
	otlp_encode_resource(&enc, STR_EMPTY);
	otlp_encode_scope(&enc, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	for (int i = 0; i < COUNT; i++)
		put_text_span(text, LEN);
	otlp_encode_end(&enc);
	assert_int_equal(scan(SIGNAL_TRACES, &body, &limits, &counts), ERR_TOO_LARGE);
	buf_fini(&body);
	free(text);
}

TEST(otlp, refused_items_empty_resources_and_text_bodies_weigh_nothing)
{
	enum { LEN = 900000 };
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct buf body = {0};
	char *text = malloc(LEN);
	assert_non_null(text);
	memset(text, 1, LEN);
	limits.decoded_bytes_max = LIMIT_MIB;
	struct otlp_value value = otlp_value_str(str_of(text, LEN));
	otlp_encode_begin(&enc, SIGNAL_LOGS, &body);
	for (int i = 0; i < 5000; i++)
		otlp_encode_resource(&enc, STR_EMPTY);
	otlp_encode_scope(&enc, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	otlp_encode_log(&enc, &(struct otlp_log){.body = &value});
	otlp_encode_end(&enc);
	assert_int_equal(scan(SIGNAL_LOGS, &body, &limits, &counts), ERR_OK);
	assert_int_equal(counts.accepted, 1);
	buf_reset(&body);
	otlp_encode_begin(&enc, SIGNAL_TRACES, &body);
	otlp_encode_resource(&enc, STR_EMPTY);
	otlp_encode_scope(&enc, STR_EMPTY, STR_EMPTY, STR_EMPTY);
	for (int i = 0; i < 5; i++) {
		otlp_encode_span(&enc, &(struct otlp_span){.trace_hi = 1}); /* no span id */
		otlp_encode_attr(&enc, STR("k"), value);
	}
	otlp_encode_end(&enc);
	assert_int_equal(scan(SIGNAL_TRACES, &body, &limits, &counts), ERR_OK);
	assert_int_equal(counts.rejected, 5);
	buf_fini(&body);
	free(text);
}

/* As an SDK makes them, as large as a body may be. */
TEST(otlp, largest_ordinary_request_is_accepted)
{
	enum { SPANS = 100000, ATTRIBUTES = 11 };
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct buf body = {0};
	otlp_encode_begin(&enc, SIGNAL_TRACES, &body);
	otlp_encode_resource(&enc, STR_EMPTY);
	otlp_encode_scope(&enc, STR("lib"), STR("1"), STR_EMPTY);
	for (uint64_t i = 0; i < SPANS; i++) {
		otlp_encode_span(&enc,
		    &(struct otlp_span){.trace_hi = i + 1,
		        .span_id = i + 1,
		        .start_ns = UINT64_C(1795187531000000000) + i,
		        .end_ns = UINT64_C(1795187532000000000) + i,
		        .name = STR("GET /cart")});
		for (int a = 0; a < ATTRIBUTES; a++)
			otlp_encode_attr(&enc, STR("http.request.header.some"),
			    a < 3 ? otlp_value_int((int64_t)i)
			          : otlp_value_str(STR("a value of \"some\" length\n")));
	}
	otlp_encode_end(&enc);
	assert_in_range(body.len, 55 * LIMIT_MIB, limits.body_bytes_max);
	assert_int_equal(scan(SIGNAL_TRACES, &body, &limits, &counts), ERR_OK);
	assert_int_equal(counts.accepted, SPANS);
	buf_fini(&body);
}
