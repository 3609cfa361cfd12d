/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pb.h"

#include "base/limits.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

/* ---- what is accepted, what is refused */

struct walk_case {
	struct str message;
	const char *want; /* "number:wire=value" of each field, or "error" at the end */
};

/* The encodings are written by hand from the specification, none of them by pb_put_...(). */
static const struct walk_case walk_cases[] = {
    {{NULL, 0}, ""},
    {STR_INIT("\x08\x96\x01"), "1:0=150 "},
    {STR_INIT("\x08\x00"), "1:0=0 "},
    {STR_INIT("\x08\x80\x80\x00"), "1:0=0 "}, /* padded */
    {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1:0=18446744073709551615 "},
    {STR_INIT("\x11\x01\x02\x03\x04\x05\x06\x07\x08"), "2:1=578437695752307201 "},
    {STR_INIT("\x1d\x01\x02\x03\x04"), "3:5=67305985 "},
    {STR_INIT("\x22\x03"
              "abc"),
        "4:2=abc "},
    {STR_INIT("\x22\x83\x80\x80\x00"
              "abc"),
        "4:2=abc "}, /* padded, as pb_close() writes */
    {STR_INIT("\x22\x00"), "4:2= "},
    {STR_INIT("\x88\x00\x01"), "1:0=1 "}, /* a padded key */
    {STR_INIT("\xf8\xff\xff\xff\x0f\x07"), "536870911:0=7 "},
    {STR_INIT("\x08\x01\x10\x02\x08\x03"), "1:0=1 2:0=2 1:0=3 "},
    /* groups are skipped, and what stands behind them is read */
    {STR_INIT("\x0b\x0c\x10\x05"), "1:3= 2:0=5 "},
    {STR_INIT("\x0b\x10\x01\x1a\x02xy\x0c\x10\x05"), "1:3= 2:0=5 "},
    {STR_INIT("\x0b\x13\x1b\x1c\x14\x0c\x10\x05"), "1:3= 2:0=5 "},
    {STR_INIT("\x0b"), "error"},
    {STR_INIT("\x0c"), "error"},
    {STR_INIT("\x0b\x14"), "error"},
    {STR_INIT("\x0b\x13\x0c\x14"), "error"},
    {STR_INIT("\x0b\x08\x0c"), "error"}, /* the end is eaten by the varint field: no end */
    {STR_INIT("\x0b\x22\x05\x0c"),
        "error"}, /* a length inside that passes the end of the message */
    {STR_INIT("\x0b\x0e\x0c"), "error"},
    {STR_INIT("\x10\x02\x0c"), "2:0=2 error"},
    /* cut short */
    {STR_INIT("\x08"), "error"},
    {STR_INIT("\x08\x80"), "error"},
    {STR_INIT("\x88"), "error"},
    {STR_INIT("\x11\x01\x02\x03\x04\x05\x06\x07"), "error"},
    {STR_INIT("\x1d\x01\x02\x03"), "error"},
    {STR_INIT("\x22"), "error"},
    {STR_INIT("\x22\x04"
              "abc"),
        "error"},
    {STR_INIT("\x22\x83\x80\x80"), "error"},
    /* varints of eleven bytes, and of ten with bits beyond the 64th */
    {STR_INIT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "error"},
    {STR_INIT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), "error"},
    {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "error"},
    /* lengths of 2^63 and 2^64 - 1 */
    {STR_INIT("\x22\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
              "abc"),
        "error"},
    {STR_INIT("\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "abc"),
        "error"},
    /* field number 0, and above 2^29 - 1 */
    {STR_INIT("\x00\x01"), "error"},
    {STR_INIT("\x05\x01\x02\x03\x04"), "error"},
    {STR_INIT("\x80\x80\x80\x80\x10\x01"), "error"},
    /* wire types 6 and 7 */
    {STR_INIT("\x0e\x01"), "error"},
    {STR_INIT("\x0f\x01"), "error"},
    {STR_INIT("\x08\x01\x0e\x01"), "1:0=1 error"},
};

static void
walk(struct str message, struct buf *out)
{
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		buf_printf(out, "%u:%d=", f.number, (int)f.wire);
		if (f.wire == PB_BYTES)
			buf_str(out, f.bytes);
		else if (f.wire != PB_GROUP)
			buf_u64(out, f.value);
		buf_char(out, ' ');
	}
	if (pb_failed(&r))
		buf_str(out, STR("error"));
	assert_false(pb_next(&r, &f)); /* the end and an error are for good */
}

TEST(wire, pb_reads_what_is_valid_and_refuses_the_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(walk_cases); i++) {
		struct buf out = {0};
		/* A copy of the exact size, so that the sanitizer sees a read behind it. */
		struct str m = walk_cases[i].message;
		char *copy = malloc(m.len + (m.len == 0));
		assert_non_null(copy);
		if (m.len)
			memcpy(copy, m.ptr, m.len);
		walk(str_of(copy, m.len), &out);
		if (!str_eq(buf_view(&out), str_from(walk_cases[i].want)))
			fail_msg("case %zu: '%.*s' instead of '%s'", i, STR_ARG(buf_view(&out)),
			    walk_cases[i].want);
		free(copy);
		buf_fini(&out);
	}
}

TEST(wire, pb_refuses_every_truncation_inside_a_field)
{
	/* One field of each wire type and a group. Valid prefixes end where a field does. */
	static const char message[] = "\x08\x96\x01"
	                              "\x11"
	                              "12345678"
	                              "\x22\x03"
	                              "abc"
	                              "\x1d"
	                              "1234"
	                              "\x2b\x08\x01\x2c";
	static const size_t ends[] = {0, 3, 12, 17, 22, 26};
	size_t next = 0;
	for (size_t n = 0; n < sizeof(message); n++) {
		struct pb_reader r;
		struct pb_field f;
		pb_reader_init(&r, str_of(message, n));
		while (pb_next(&r, &f))
			continue;
		bool whole = next < ARRAY_LEN(ends) && ends[next] == n;
		assert_int_equal(pb_failed(&r), !whole);
		next += whole;
	}
	assert_int_equal(next, ARRAY_LEN(ends));
}

/* `levels` group starts of field 1, then as many ends. */
static bool
nested_groups_are_valid(size_t levels)
{
	struct pb_reader r;
	struct pb_field f;
	char *message = malloc(2 * levels);
	assert_non_null(message);
	memset(message, 0x0b, levels);
	memset(message + levels, 0x0c, levels);
	pb_reader_init(&r, str_of(message, 2 * levels));
	while (pb_next(&r, &f))
		assert_int_equal(f.wire, PB_GROUP);
	free(message);
	return !pb_failed(&r);
}

TEST(wire, pb_groups_are_bounded_in_depth)
{
	assert_true(nested_groups_are_valid(1));
	assert_true(nested_groups_are_valid(LIMIT_MESSAGE_DEPTH));
	assert_false(nested_groups_are_valid(LIMIT_MESSAGE_DEPTH + 1));
	assert_false(nested_groups_are_valid(100000));
}

TEST(wire, pb_skips_many_groups_in_linear_time)
{
	/* A million sibling groups inside one, and outside: each byte is looked at once. */
	enum { PAIRS = 1000000 };
	char *message = malloc(2 * PAIRS + 2);
	assert_non_null(message);
	message[0] = 0x0b;
	for (size_t i = 0; i < PAIRS; i++)
		memcpy(message + 1 + 2 * i, "\x13\x14", 2);
	message[2 * PAIRS + 1] = 0x0c;
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, str_of(message, 2 * PAIRS + 2));
	assert_true(pb_next(&r, &f));
	assert_false(pb_next(&r, &f));
	assert_false(pb_failed(&r));
	free(message);
}

/* ---- repeated numbers */

static void
packed(struct pb_packed *p, struct buf *out)
{
	uint64_t v;
	while (pb_packed_next(p, &v)) {
		buf_u64(out, v);
		buf_char(out, ' ');
	}
	if (p->error)
		buf_str(out, STR("error"));
}

TEST(wire, pb_packed_and_single_elements_mix)
{
	/* 3: packed {3, 270, 86942}, then 5 by itself, then a fixed32, which is an unknown field */
	struct str m = STR("\x1a\x06\x03\x8e\x02\x9e\xa7\x05"
	                   "\x18\x05"
	                   "\x1d\x01\x02\x03\x04"
	                   "\x1a\x00");
	struct buf out = {0};
	struct pb_reader r;
	struct pb_field f;
	pb_reader_init(&r, m);
	while (pb_next(&r, &f)) {
		struct pb_packed p;
		pb_packed_init(&p, &f, PB_VARINT);
		packed(&p, &out);
	}
	assert_false(pb_failed(&r));
	assert_true(str_eq(buf_view(&out), STR("3 270 86942 5 ")));
	buf_fini(&out);
}

TEST(wire, pb_packed_runs_that_are_malformed_say_so)
{
	static const struct {
		struct str run;
		enum pb_wire element;
		const char *want;
	} cases[] = {
	    {STR_INIT("\x01\x02"), PB_VARINT, "1 2 "},
	    {STR_INIT("\x01\x80"), PB_VARINT, "1 error"},
	    {STR_INIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), PB_VARINT, "error"},
	    {STR_INIT("\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"), PB_FIXED64, "1 2 "},
	    {STR_INIT("\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0"), PB_FIXED64, "1 error"},
	    {STR_INIT("\x01\0\0\0\x02\0\0\0"), PB_FIXED32, "1 2 "},
	    {STR_INIT("\x01\0\0\0\x02\0\0"), PB_FIXED32, "1 error"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = {0};
		struct pb_field f = {.number = 1, .wire = PB_BYTES, .bytes = cases[i].run};
		struct pb_packed p;
		uint64_t v;
		pb_packed_init(&p, &f, cases[i].element);
		packed(&p, &out);
		assert_false(pb_packed_next(&p, &v));
		if (!str_eq(buf_view(&out), str_from(cases[i].want)))
			fail_msg("case %zu: %.*s", i, STR_ARG(buf_view(&out)));
		buf_fini(&out);
	}
}

/* ---- writing */

static void
assert_bytes(const struct buf *b, struct str want)
{
	assert_false(b->failed);
	assert_int_equal(b->len, want.len);
	assert_memory_equal(b->ptr, want.ptr, want.len);
}

TEST(wire, pb_writes_what_the_specification_shows)
{
	struct buf b = {0};
	pb_put_u64(&b, 1, 150);
	pb_put_bytes(&b, 2, STR("testing"));
	pb_put_sint(&b, 3, -2);
	pb_put_fixed32(&b, 4, 1);
	pb_put_fixed64(&b, 5, 2);
	pb_put_double(&b, 6, 1.5);
	pb_put_u64(&b, 16, UINT64_MAX);
	assert_bytes(&b,
	    STR("\x08\x96\x01"
	        "\x12\x07testing"
	        "\x18\x03"
	        "\x25\x01\0\0\0"
	        "\x29\x02\0\0\0\0\0\0\0"
	        "\x31\0\0\0\0\0\0\xf8\x3f"
	        "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	buf_fini(&b);
}

TEST(wire, pb_nested_messages_get_a_padded_length)
{
	struct buf b = {0};
	size_t outer = pb_open(&b, 1);
	size_t inner = pb_open(&b, 2);
	pb_put_bytes(&b, 3, STR("abc"));
	pb_close(&b, inner);
	pb_close(&b, pb_open(&b, 4));
	pb_close(&b, outer);
	assert_bytes(&b,
	    STR("\x0a\x8f\x80\x80\x00"
	        "\x12\x85\x80\x80\x00"
	        "\x1a\x03"
	        "abc"
	        "\x22\x80\x80\x80\x00"));
	buf_fini(&b);
}

TEST(wire, pb_varints_and_zigzag_come_back)
{
	for (unsigned shift = 0; shift < 64; shift++) {
		for (int delta = -1; delta <= 1; delta++) {
			uint64_t v = (UINT64_C(1) << shift) + (uint64_t)(int64_t)delta;
			struct buf b = {0};
			struct pb_reader r;
			struct pb_field f;
			pb_put_u64(&b, 1, v);
			pb_put_sint(&b, 2, (int64_t)v);
			pb_reader_init(&r, buf_view(&b));
			assert_true(pb_next(&r, &f));
			assert_true(f.value == v);
			assert_true(pb_next(&r, &f));
			assert_true(pb_zigzag(f.value) == (int64_t)v);
			assert_false(pb_next(&r, &f));
			assert_false(pb_failed(&r));
			buf_fini(&b);
		}
	}
	assert_int_equal(pb_zigzag(UINT64_MAX), INT64_MIN);
	assert_int_equal(pb_zigzag(UINT64_MAX - 1), INT64_MAX);
	assert_true(isinf(pb_double(UINT64_C(0x7ff0000000000000))));
}

TEST(wire, pb_writing_stops_at_the_limit_of_the_buffer)
{
	struct buf b;
	buf_init(&b, 12);
	size_t mark = pb_open(&b, 1);
	pb_put_u64(&b, 1, UINT64_C(1) << 35); /* 5 + 1 + 6 bytes: fits exactly */
	pb_close(&b, mark);
	assert_false(b.failed);
	pb_put_varint(&b, 0);
	assert_true(b.failed);
	pb_close(&b, pb_open(&b, 2));
	assert_int_equal(b.len, 12);
	buf_fini(&b);
}
