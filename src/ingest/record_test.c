/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include "base/bits.h"

#include "tests/test.h"

static const struct record sample = {.signal = SIGNAL_LOGS,
    .item_count = 70000,
    .received_ns = UINT64_C(1795187531000000042),
    .hash = {.hi = 0x0102030405060708, .lo = 0x1112131415161718},
    .tenant = {"acme", 4},
    .limits = {.items_max = 10000000,
        .attributes_max = 1,
        .value_bytes_max = 1 << 26,
        .name_bytes_max = 16,
        .list_items_max = 5,
        .depth_max = 100}};

static size_t
write_sample(char out[RECORD_HEAD_BYTES_MAX + 8])
{
	size_t n = record_write_head(&sample, out);
	memcpy(out + n, "payload", 7);
	return n + 7;
}

TEST(ingest, record_head_is_as_the_header_says)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	assert_int_equal(write_sample(b), 56 + 4 + 7);
	assert_memory_equal(b, "\1\3\4\0", 4);
	assert_int_equal(get_u32le(b + 4), 70000);
	assert_int_equal(get_u64le(b + 8), UINT64_C(1795187531000000042));
	assert_int_equal(get_u64le(b + 16), 0x0102030405060708);
	assert_int_equal(get_u64le(b + 24), 0x1112131415161718);
	static const uint32_t limits[] = {10000000, 1, 1 << 26, 16, 5, 100};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		assert_int_equal(get_u32le(b + 32 + 4 * i), limits[i]);
	assert_memory_equal(b + 56, "acmepayload", 11);
}

TEST(ingest, record_comes_back_as_it_was)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record r;
	size_t n = write_sample(b);
	assert_int_equal(record_read(str_of(b, n), &r, NULL), ERR_OK);
	assert_int_equal(r.signal, SIGNAL_LOGS);
	assert_int_equal(r.item_count, 70000);
	assert_int_equal(r.received_ns, sample.received_ns);
	assert_int_equal(r.hash.hi, sample.hash.hi);
	assert_int_equal(r.hash.lo, sample.hash.lo);
	assert_memory_equal(&r.limits, &sample.limits, sizeof(r.limits));
	assert_true(str_eq(r.tenant, STR("acme")));
	assert_true(str_eq(r.body, STR("payload")));
	assert_int_equal(record_read(str_of(b, n - 7), &r, NULL), ERR_OK);
	assert_int_equal(r.body.len, 0);
}

TEST(ingest, record_that_is_none_is_refused)
{
	static const struct {
		size_t off;
		char value;
	} changes[] = {
	    {0, 0}, {0, 2}, {1, 0}, {1, 4}, {1, -1}, {2, 0}, {2, 65}, {2, 12}, {3, 1}, {53, 4}};
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record r;
	struct err err;
	size_t n = write_sample(b);
	for (size_t len = 0; len < 60; len++)
		assert_int_equal(record_read(str_of(b, len), &r, &err), ERR_CORRUPT);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		char was = b[changes[i].off];
		b[changes[i].off] = changes[i].value;
		assert_int_equal(record_read(str_of(b, n), &r, &err), ERR_CORRUPT);
		b[changes[i].off] = was;
	}
	assert_int_equal(record_read(str_of(b, n), &r, &err), ERR_OK);
}
