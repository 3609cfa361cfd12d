/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that nobody sends by accident. */
#include "otlp/dump_test.h"
#include "otlp/encode.h"

#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- deep nesting */

/* Length of n as a varint, and the varint written to the end at `end`; returns where it starts. */
static unsigned char *
varint_before(unsigned char *end, uint64_t v)
{
	unsigned char text[10];
	size_t n = 0;
	do {
		text[n++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
	} while (v);
	memcpy(end - n, text, n);
	return end - n;
}

/* `levels` messages in one another, each field `keys[i % count]` of the one around it. Built from
 * the inside out, into the end of a buffer of `size` bytes. */
static struct str
nest(unsigned char *buffer, size_t size, size_t levels, const unsigned char *keys, size_t count)
{
	unsigned char *end = buffer + size, *p = end;
	for (size_t i = levels; i-- > 0;) {
		p = varint_before(p, (uint64_t)(end - p));
		*--p = keys[i % count];
		assert_true(p > buffer + 16);
	}
	return str_of(p, (size_t)(end - p));
}

static void
assert_deep(enum signal_kind signal, struct str path, const unsigned char *keys, size_t count)
{
	enum { LEVELS = 500000, SIZE = LEVELS * 6 };
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct batch b;
	limits.value_bytes_max = UINT64_MAX; /* the depth must stop it */
	unsigned char *buffer = malloc(SIZE);
	assert_non_null(buffer);
	struct str body = nest(buffer, SIZE, LEVELS, keys, count);
	unsigned char *p = buffer + (body.ptr - (char *)buffer);
	for (size_t i = path.len; i-- > 0;) {
		p = varint_before(p, (uint64_t)(buffer + SIZE - p));
		*--p = (unsigned char)path.ptr[i];
	}
	body = str_of(p, (size_t)(buffer + SIZE - p));
	batch_init(&b, 0);
	dump_agree(signal, body, &limits, &b);
	assert_int_equal(otlp_scan(signal, body, &limits, &counts, NULL), ERR_OK);
	assert_int_equal(counts.accepted, 0);
	assert_int_equal(counts.rejected, 1);
	assert_non_null(strstr(counts.reason, "nested deeper than 64 levels"));
	batch_fini(&b);
	free(buffer);
}

TEST(otlp, a_value_nested_half_a_million_levels_deep_costs_only_its_item)
{
	static const unsigned char arrays[] = {0x0a, 0x2a}; /* values = 1, array_value = 5 */
	static const unsigned char kvlists[] = {
	    0x0a, 0x12, 0x32}; /* values, value = 2, kvlist = 6 */
	/* resource_logs, scope_logs, log_records, body, array_value | kvlist_value */
	assert_deep(SIGNAL_LOGS, STR("\x0a\x12\x12\x2a\x2a"), arrays, sizeof(arrays));
	assert_deep(SIGNAL_LOGS, STR("\x0a\x12\x12\x2a\x32"), kvlists, sizeof(kvlists));
	/* ... attributes, value, array_value */
	assert_deep(SIGNAL_LOGS, STR("\x0a\x12\x12\x32\x12\x2a"), arrays, sizeof(arrays));
	assert_deep(SIGNAL_TRACES, STR("\x0a\x12\x12\x4a\x12\x2a"), arrays, sizeof(arrays));
}

TEST(otlp, groups_nested_half_a_million_levels_deep_are_malformed)
{
	enum { LEVELS = 500000 };
	struct limits limits = limits_default();
	struct batch b;
	struct err err = {0};
	struct otlp_counts counts;
	char *groups = malloc(LEVELS);
	assert_non_null(groups);
	memset(groups, 0x0b, LEVELS);
	batch_init(&b, 0);
	dump_agree(SIGNAL_TRACES, str_of(groups, LEVELS), &limits, &b);
	assert_int_equal(otlp_scan(SIGNAL_TRACES, str_of(groups, LEVELS), &limits, &counts, &err),
	    ERR_INVALID);
	assert_non_null(strstr(err.message, "nested too deeply"));
	batch_fini(&b);
	free(groups);
}

/* ---- many small things */

TEST(otlp, millions_of_empty_messages_take_no_memory)
{
	enum { COUNT = 2000000 };
	struct limits limits = limits_default();
	struct batch b;
	char *body = malloc((size_t)COUNT * 2);
	assert_non_null(body);
	for (size_t i = 0; i < COUNT; i++) {
		body[2 * i] = 0x0a;
		body[2 * i + 1] = 0;
	}
	batch_init(&b, 1024 * 1024);
	for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
		dump_agree((enum signal_kind)s, str_of(body, (size_t)COUNT * 2), &limits, &b);
		assert_true(b.arena.used_bytes < 4096);
	}
	batch_fini(&b);
	free(body);
}

TEST(otlp, a_scanned_body_decodes_within_the_memory_that_otlp_h_promises)
{
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_encoder e;
	/* The three that grow most: a character that becomes six, an event of two bytes that becomes
	 * 18, a packed count of one byte that becomes eight. */
	for (int kind = 0; kind < 3; kind++) {
		struct batch b;
		batch_init(&b, 0);
		buf_reset(&body);
		otlp_encode_begin(&e, kind == 2 ? SIGNAL_METRICS : SIGNAL_TRACES, &body);
		otlp_encode_resource(&e, STR_EMPTY);
		otlp_encode_scope(&e, STR_EMPTY, STR_EMPTY, STR_EMPTY);
		if (kind == 2) {
			static const uint64_t zeros[60000];
			otlp_encode_metric(&e, &(struct otlp_metric){.type = POINT_EXP_HISTOGRAM});
			otlp_encode_point(&e,
			    &(struct otlp_point){
			        .positive = {0, {zeros, 60000}}, .negative = {0, {zeros, 60000}}});
		} else {
			otlp_encode_span(&e, &(struct otlp_span){.trace_hi = 1, .span_id = 1});
		}
		static char ones[500000];
		memset(ones, 1, sizeof(ones));
		if (kind == 0)
			otlp_encode_attr(&e, STR("k"), otlp_value_str(str_of(ones, sizeof(ones))));
		for (int i = 0; kind == 1 && i < 60000; i++)
			pb_put_bytes(&body, 11, STR_EMPTY);
		otlp_encode_end(&e);
		dump_agree(e.signal, buf_view(&body), &limits, &b);
		assert_int_equal(batch_row_count(&b), 1);
		assert_true(b.arena.used_bytes <= OTLP_DECODE_BYTES_MAX(body.len, 1));
		assert_true(b.arena.used_bytes > body.len * 5);
		batch_fini(&b);
	}
	buf_fini(&body);
}

/* Rows just beyond a doubling of their columns, each with a resource and a scope of its own. */
TEST(otlp, the_smallest_items_decode_within_the_memory_that_otlp_h_promises)
{
	enum { ITEMS = 4097 };
	struct limits limits = limits_default();
	struct buf body = {0};
	struct otlp_encoder e;
	struct batch b;
	otlp_encode_begin(&e, SIGNAL_METRICS, &body);
	for (int i = 0; i < ITEMS; i++) {
		char text[8];
		int n = snprintf(text, sizeof(text), "%d", i);
		otlp_encode_resource(&e, str_of(text, (size_t)n));
		otlp_encode_scope(&e, str_of(text, (size_t)n), STR_EMPTY, STR_EMPTY);
		otlp_encode_metric(&e, &(struct otlp_metric){.type = POINT_SUMMARY});
		otlp_encode_point(&e, &(struct otlp_point){0});
	}
	otlp_encode_end(&e);
	batch_init(&b, 0);
	dump_agree(SIGNAL_METRICS, buf_view(&body), &limits, &b);
	assert_int_equal(batch_row_count(&b), ITEMS);
	assert_int_equal(b.tables[TABLE_RESOURCES].row_count, ITEMS);
	assert_true(b.arena.used_bytes <= OTLP_DECODE_BYTES_MAX(body.len, ITEMS));
	batch_fini(&b);
	buf_fini(&body);
}

/* ---- random requests, changed */

static uint64_t random_state;

static uint64_t
pick(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static struct str
random_text(void)
{
	static const char text[] = "name \"q\" \xc3\xbc \xf0\x9f\x98\x80 \\ \x01$";
	size_t from = pick(sizeof(text) - 1);
	return str_of(text + from, pick(sizeof(text) - from));
}

static void
put_random_attr(struct otlp_encoder *e)
{
	const struct otlp_value items[] = {otlp_value_str(random_text()), otlp_value_double(0.1)};
	const struct otlp_attr member = {random_text(), otlp_value_array(items, pick(3))};
	switch (pick(7)) {
	case 0: otlp_encode_attr(e, random_text(), otlp_value_str(random_text())); return;
	case 1:
		otlp_encode_attr(e, random_text(), otlp_value_int((int64_t)pick(UINT64_MAX)));
		return;
	case 2: otlp_encode_attr(e, random_text(), otlp_value_bytes(random_text())); return;
	case 3: otlp_encode_attr(e, random_text(), otlp_value_kvlist(&member, pick(2))); return;
	case 4: otlp_encode_attr(e, random_text(), otlp_value_array(items, 2)); return;
	case 5: otlp_encode_attr(e, random_text(), otlp_value_bool(true)); return;
	default:
		otlp_encode_attr(e, random_text(), otlp_value_double((double)pick(99) / 7));
		return;
	}
}

static void
put_random_attrs(struct otlp_encoder *e)
{
	for (uint64_t n = pick(3); n > 0; n--)
		put_random_attr(e);
}

static void
put_random_span(struct otlp_encoder *e)
{
	otlp_encode_span(e,
	    &(struct otlp_span){.trace_hi = pick(9),
	        .trace_lo = 1,
	        .span_id = pick(9),
	        .parent_id = pick(2),
	        .name = random_text(),
	        .start_ns = pick(UINT64_MAX),
	        .status_code = (int32_t)pick(3),
	        .trace_state = random_text()});
	put_random_attrs(e);
	otlp_encode_event(e, pick(9), random_text(), (uint32_t)pick(2));
	put_random_attrs(e);
	otlp_encode_link(e, &(struct otlp_link){.trace_hi = pick(2), .span_id = pick(2)});
	put_random_attrs(e);
}

static void
put_random_metric(struct otlp_encoder *e)
{
	static const uint64_t counts[] = {1, 0, 300};
	static const double numbers[] = {1, 0.5, -3};
	enum point_type type = (enum point_type)(POINT_GAUGE + pick(5));
	struct otlp_point p = {.time_ns = pick(9),
	    .has_int = pick(2),
	    .has_double = true,
	    .has_sum = pick(2),
	    .bounds = {numbers, pick(4)},
	    .counts = {counts, pick(4)},
	    .positive = {-1, {counts, pick(4)}},
	    .quantiles = {numbers, 2},
	    .values = {numbers, 2}};
	otlp_encode_metric(e, &(struct otlp_metric){.name = random_text(), .type = type});
	put_random_attrs(e);
	otlp_encode_point(e, &p);
	put_random_attrs(e);
	if (type != POINT_SUMMARY)
		otlp_encode_exemplar(e, &(struct otlp_exemplar){.f64 = 1, .trace_hi = pick(2)});
	put_random_attrs(e);
}

static void
build_random(enum signal_kind signal, struct buf *body)
{
	struct otlp_encoder e;
	buf_reset(body);
	otlp_encode_begin(&e, signal, body);
	otlp_encode_resource(&e, random_text());
	put_random_attrs(&e);
	otlp_encode_scope(&e, random_text(), random_text(), random_text());
	put_random_attrs(&e);
	for (uint64_t n = pick(3); n > 0; n--) {
		struct otlp_value text = otlp_value_str(random_text());
		if (signal == SIGNAL_TRACES) {
			put_random_span(&e);
		} else if (signal == SIGNAL_METRICS) {
			put_random_metric(&e);
		} else {
			otlp_encode_log(&e, &(struct otlp_log){.body = &text, .span_id = pick(2)});
			put_random_attrs(&e);
		}
	}
	otlp_encode_end(&e);
}

/* In an allocation of exactly its size, so that AddressSanitizer sees a read beyond it. */
static void
try_bytes(enum signal_kind signal, const char *bytes, size_t len, struct batch *b)
{
	struct limits limits = limits_default();
	char *exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, bytes, len);
	dump_agree(signal, str_of(exact, len), &limits, b);
	free(exact);
}

static void
try_changes(enum signal_kind signal, struct buf *body, struct batch *b)
{
	static const unsigned char masks[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80, 0xff};
	for (size_t n = 0; n <= body->len; n++)
		try_bytes(signal, body->ptr, n, b);
	for (size_t at = 0; at < body->len; at++) {
		char was = body->ptr[at];
		for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
			body->ptr[at] = (char)(was ^ (char)masks[i]);
			try_bytes(signal, body->ptr, body->len, b);
		}
		body->ptr[at] = was;
	}
}

TEST(otlp, scan_and_decode_agree_on_requests_changed_or_cut_at_every_byte)
{
	struct buf body = {0};
	struct batch b;
	batch_init(&b, 0);
	random_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 5; round++) {
		for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++) {
			build_random((enum signal_kind)s, &body);
			try_changes((enum signal_kind)s, &body, &b);
		}
	}
	/* The right bytes under the wrong signal. */
	for (int round = 0; round < 100; round++) {
		build_random((enum signal_kind)(1 + round % 3), &body);
		for (int s = SIGNAL_TRACES; s <= SIGNAL_LOGS; s++)
			try_bytes((enum signal_kind)s, body.ptr, body.len, &b);
	}
	batch_fini(&b);
	buf_fini(&body);
}
