/* SPDX-License-Identifier: Apache-2.0 */
#include "comment/comment.h"

#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <string.h>

static const struct comment sample = {.id = STR_INIT("6f1c2b3a-0000-4000-8000-00000000000a"),
    .trace_hi = UINT64_C(0x4bf92f3577b34da6),
    .trace_lo = UINT64_C(0xa3ce929d0e0e4736),
    .span_id = UINT64_C(0x00f067aa0ba902b7),
    .created_ns = UINT64_C(1795187531000000042),
    .author = STR_INIT("ada"),
    .body = STR_INIT("retries \"hide\" the cause\n\xF0\x9F\x9B\x92")};

static enum err_code
check(const struct comment *c, char message[ERR_MESSAGE_BYTES])
{
	struct limits limits = limits_default();
	struct err err = {0};
	enum err_code code = comment_check(c, &limits, &err);
	snprintf(message, ERR_MESSAGE_BYTES, "%s", err.message);
	return code;
}

TEST(comment, what_is_not_good_is_refused_by_name)
{
	static char long_text[(64 << 10) + 1];
	memset(long_text, 'x', sizeof(long_text));
	const struct {
		struct str id, author, body;
		uint64_t trace_lo;
		enum err_code code;
		const char *says;
	} cases[] = {
	    {STR("a"), STR("b"), STR("c"), 1, ERR_OK, ""},
	    {STR("A-z.0_9:"), STR("\xC3\xA9"), str_of(long_text, 64 << 10), 1, ERR_OK, ""},
	    {str_of(long_text, 128), str_of(long_text, 256), STR("c"), 1, ERR_OK, ""},
	    {STR(""), STR("b"), STR("c"), 1, ERR_INVALID, "id of a comment is empty"},
	    {STR("a b"), STR("b"), STR("c"), 1, ERR_INVALID, "made of A-Z"},
	    {STR("\xC3\xA9"), STR("b"), STR("c"), 1, ERR_INVALID, "made of A-Z"},
	    {STR("'"), STR("b"), STR("c"), 1, ERR_INVALID, "made of A-Z"},
	    {str_of("a\0", 2), STR("b"), STR("c"), 1, ERR_INVALID, "made of A-Z"},
	    {str_of(long_text, 129), STR("b"), STR("c"), 1, ERR_TOO_LARGE,
	        "id of a comment has 129"},
	    {STR("a"), STR(""), STR("c"), 1, ERR_INVALID, "author of a comment is empty"},
	    {STR("a"), str_of(long_text, 257), STR("c"), 1, ERR_TOO_LARGE, "author"},
	    {STR("a"), STR("\xFF"), STR("c"), 1, ERR_INVALID, "author of a comment is not UTF-8"},
	    {STR("a"), STR("b"), STR(""), 1, ERR_INVALID, "body of a comment is empty"},
	    {STR("a"), STR("b"), STR("\xED\xA0\x80"), 1, ERR_INVALID,
	        "body of a comment is not UTF-8"},
	    {STR("a"), STR("b"), str_of(long_text, sizeof(long_text)), 1, ERR_TOO_LARGE,
	        "body of a comment has 65537 bytes, at most 65536"},
	    {STR("a"), STR("b"), STR("c"), 0, ERR_INVALID, "of a trace"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char message[ERR_MESSAGE_BYTES];
		struct comment c = {.id = cases[i].id,
		    .author = cases[i].author,
		    .body = cases[i].body,
		    .trace_lo = cases[i].trace_lo};
		enum err_code code = check(&c, message);
		if (code != cases[i].code || !strstr(message, cases[i].says))
			fail_msg("case %zu: %s \"%s\"", i, err_name(code), message);
	}
}

TEST(comment, a_request_is_the_protobuf_that_the_header_says)
{
	static const char bytes[] = "\x0a"; /* field 1 of Comments */
	struct buf request = {0};
	struct pb_reader r;
	struct pb_field f;
	comment_put(&sample, &request);
	assert_memory_equal(request.ptr, bytes, 1);
	pb_reader_init(&r, buf_view(&request));
	assert_true(pb_next(&r, &f));
	pb_reader_init(&r, f.bytes);
	static const struct {
		uint32_t number;
		enum pb_wire wire;
		size_t len;
	} fields[] = {{1, PB_BYTES, 36}, {2, PB_BYTES, 16}, {3, PB_BYTES, 8}, {4, PB_FIXED64, 0},
	    {5, PB_BYTES, 3}, {6, PB_BYTES, 29}};
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		assert_true(pb_next(&r, &f));
		assert_int_equal(f.number, fields[i].number);
		assert_int_equal(f.wire, fields[i].wire);
		assert_int_equal(f.bytes.len, fields[i].len);
		if (f.number == 2)
			assert_memory_equal(f.bytes.ptr,
			    "\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36", 16);
	}
	assert_false(pb_next(&r, &f));
	buf_fini(&request);
}

static void
decode(struct str request, struct batch *b, size_t rows)
{
	struct err err = {0};
	batch_init(b, 0);
	assert_int_equal(comment_decode(request, STR("acme"), 7, b, &err), ERR_OK);
	assert_int_equal(b->tables[TABLE_COMMENTS].row_count, rows);
}

TEST(comment, what_is_put_is_scanned_and_decoded_whole)
{
	struct limits limits = limits_default();
	struct comment second = sample, got;
	struct buf request = {0};
	struct batch b;
	uint64_t count;
	struct err err;
	second.id = STR("2");
	second.span_id = 0;
	comment_put(&sample, &request);
	comment_put(&second, &request);
	/* Fields of a later weir are skipped, outside and inside. */
	pb_put_u64(&request, 9, 5);
	assert_int_equal(comment_scan(buf_view(&request), &limits, &count, &err), ERR_OK);
	assert_int_equal(count, 2);
	decode(buf_view(&request), &b, 2);
	const struct table *t = &b.tables[TABLE_COMMENTS];
	got = comment_of_row(t, 0);
	assert_true(str_eq(got.id, sample.id) && str_eq(got.author, sample.author));
	assert_true(str_eq(got.body, sample.body) && got.created_ns == sample.created_ns);
	assert_true(got.trace_hi == sample.trace_hi && got.trace_lo == sample.trace_lo);
	assert_true(got.span_id == sample.span_id);
	assert_true(str_eq(table_str(t, 0, COMMENT_TENANT), STR("acme")));
	assert_int_equal(table_u64(t, 1, COMMENT_SEQ), 7);
	assert_int_equal(table_u32(t, 1, COMMENT_ORD), 1);
	assert_int_equal(table_u64(t, 1, COMMENT_SPAN_ID), 0);
	limits.items_max = 1;
	assert_int_equal(comment_scan(buf_view(&request), &limits, &count, &err), ERR_TOO_LARGE);
	batch_fini(&b);
	buf_fini(&request);
}

TEST(comment, a_request_is_known_by_its_ids_and_tenant_alone)
{
	struct comment other = sample;
	struct buf a = {0}, b = {0}, c = {0};
	other.body = STR("something else");
	other.author = STR("eve");
	comment_put(&sample, &a);
	comment_put(&other, &b);
	other.id = STR("other");
	comment_put(&other, &c);
	struct hash128 x = comment_request_hash(STR("acme"), buf_view(&a));
	struct hash128 y = comment_request_hash(STR("acme"), buf_view(&b));
	assert_true(x.hi == y.hi && x.lo == y.lo);
	y = comment_request_hash(STR("acme"), buf_view(&c));
	assert_false(x.hi == y.hi && x.lo == y.lo);
	y = comment_request_hash(STR("zeta"), buf_view(&a));
	assert_false(x.hi == y.hi && x.lo == y.lo);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&c);
}

TEST(comment, scan_and_decode_agree_on_damaged_requests)
{
	struct limits widest = limits_widest();
	struct buf request = {0};
	comment_put(&sample, &request);
	for (size_t at = 0; at < request.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			struct batch b;
			struct err err;
			uint64_t count;
			request.ptr[at] = (char)(request.ptr[at] ^ 1 << bit);
			enum err_code scanned =
			    comment_scan(buf_view(&request), &widest, &count, &err);
			batch_init(&b, 0);
			enum err_code decoded =
			    comment_decode(buf_view(&request), STR("acme"), 1, &b, &err);
			/* One without any comment is refused, and decoded to nothing. */
			if (count > 0 || decoded != ERR_OK)
				assert_int_equal(scanned == ERR_OK, decoded == ERR_OK);
			batch_fini(&b);
			request.ptr[at] = (char)(request.ptr[at] ^ 1 << bit);
		}
	for (size_t len = 0; len < request.len; len++) {
		uint64_t count;
		struct err err;
		assert_int_not_equal(comment_scan(str_of(request.ptr, len), &widest, &count, &err),
		    ERR_OK);
	}
	buf_fini(&request);
}

TEST(comment, json_escapes_what_could_move_a_cursor)
{
	struct comment c = sample;
	struct buf request = {0}, json = {0};
	struct err err;
	c.body = STR("a\x1b[2J\x7f\xC2\x9b");
	c.span_id = 0;
	comment_put(&c, &request);
	assert_int_equal(comment_to_json(buf_view(&request), &json, &err), ERR_OK);
	buf_char(&json, '\0');
	assert_string_equal(json.ptr,
	    "{\"comments\":[{\"id\":\"6f1c2b3a-0000-4000-8000-00000000000a\","
	    "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":null,\"author\":\"ada\","
	    "\"body\":\"a\\u001b[2J\\u007f\\u009b\",\"created_at\":\"2026-11-20T15:12:11.000000042Z\","
	    "\"created_unix_nano\":\"1795187531000000042\"}]}");
	buf_fini(&json);
	buf_fini(&request);
}
