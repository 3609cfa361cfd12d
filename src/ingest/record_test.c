/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"

#include "base/arena.h"
#include "base/bits.h"

#include <stdlib.h>

#include "tests/test.h"

static const struct record sample = {.signal = SIGNAL_LOGS,
    .item_count = 70000,
    .received_ns = UINT64_C(1795187531000000042),
    .hash = {.hi = 0x0102030405060708, .lo = 0x1112131415161718},
    .tenant = {"acme", 4},
    .part_count = RECORD_ALL,
    .limits = {.items_max = 10000000,
        .attributes_max = 1,
        .value_bytes_max = 1 << 26,
        .name_bytes_max = 16,
        .list_items_max = 5,
        .depth_max = 100}};

static struct record
sample_part(void)
{
	struct record r = sample;
	r.letter = STR("00000000000002f1-00000007");
	r.part_first = 7;
	r.part_count = 3;
	return r;
}

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
	} changes[] = {{0, 0}, {0, 3}, {0, 4}, {1, 0}, {1, 5}, {1, -1}, {2, 0}, {2, 65}, {2, 12},
	    {3, 1}, {53, 4}};
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

TEST(ingest, record_of_a_part_is_as_the_header_says_and_comes_back)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record r, part = sample_part();
	size_t n = record_write_head(&part, b);
	assert_int_equal(n, 64 + 4 + 25);
	memcpy(b + n, "payload", 7);
	assert_memory_equal(b, "\2\3\4\31", 4);
	assert_int_equal(get_u32le(b + 56), 7);
	assert_int_equal(get_u32le(b + 60), 3);
	assert_memory_equal(b + 64, "acme00000000000002f1-00000007payload", 36);
	assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_OK);
	assert_true(str_eq(r.letter, part.letter));
	assert_true(str_eq(r.tenant, STR("acme")));
	assert_true(str_eq(r.body, STR("payload")));
	assert_int_equal(r.part_first, 7);
	assert_int_equal(r.part_count, 3);
	assert_int_equal(r.item_count, 70000);
	assert_memory_equal(&r.limits, &sample.limits, sizeof(r.limits));
	for (size_t len = 0; len < n; len++)
		assert_int_equal(record_read(str_of(b, len), &r, NULL), ERR_CORRUPT);
	for (int i = 0; i < 2; i++) { /* no letter, or one that is too long */
		b[3] = i ? RECORD_LETTER_BYTES_MAX + 1 : 0;
		assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_CORRUPT);
	}
	b[3] = (char)part.letter.len;
	put_u32le(b + 60, 0); /* nothing of it */
	assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_CORRUPT);
	b[0] = 1; /* version 1 has no letters */
	assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_CORRUPT);
}

static struct record
sample_pulled(void)
{
	struct record r = sample;
	r.item_count = 0;
	r.source = STR("10.0.0.7_50052");
	r.position = str_of("\0\1\xFF"
	                    "abcdefghijklm",
	    16);
	return r;
}

TEST(ingest, record_of_what_was_pulled_is_as_the_header_says_and_comes_back)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record r, pulled = sample_pulled();
	size_t n = record_write_head(&pulled, b);
	assert_int_equal(n, 64 + 4 + 14 + 16);
	memcpy(b + n, "payload", 7);
	assert_memory_equal(b, "\3\3\4\0", 4);
	assert_memory_equal(b + 56,
	    "\16\20\0\0\0\0\0\0acme10.0.0.7_50052\0\1\xFF"
	    "abc",
	    28);
	assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_OK);
	assert_true(str_eq(r.tenant, STR("acme")));
	assert_true(str_eq(r.source, pulled.source));
	assert_true(str_eq(r.position, pulled.position));
	assert_int_equal(r.letter.len, 0);
	assert_int_equal(r.part_count, RECORD_ALL);
	assert_true(str_eq(r.body, STR("payload")));
	assert_int_equal(record_identity(&r).lo, sample.hash.lo);
	assert_int_equal(record_read(str_of(b, n), &r, NULL), ERR_OK); /* of nothing */
	assert_int_equal(r.body.len, 0);
	for (size_t len = 0; len < n; len++)
		assert_int_equal(record_read(str_of(b, len), &r, NULL), ERR_CORRUPT);
	static const struct {
		size_t off;
		char value;
	} changes[] = {{56, 0}, {56, 65}, {57, 0}, {57, 65}, {56, 60}, {68, '/'}, {68, 0}, {3, 1}};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		char was = b[changes[i].off];
		b[changes[i].off] = changes[i].value;
		assert_int_equal(record_read(str_of(b, n + 7), &r, NULL), ERR_CORRUPT);
		b[changes[i].off] = was;
	}
}

TEST(ingest, record_of_the_longest_names_fits_its_head)
{
	char b[RECORD_HEAD_BYTES_MAX], text[64];
	struct record r, pulled = sample_pulled();
	memset(text, 'x', sizeof(text));
	pulled.tenant = pulled.source = pulled.position = str_of(text, sizeof(text));
	assert_int_equal(record_write_head(&pulled, b), RECORD_HEAD_BYTES_MAX);
	assert_int_equal(record_read(str_of(b, sizeof(b)), &r, NULL), ERR_OK);
	assert_true(str_eq(r.position, pulled.position));
	struct record part = sample_part();
	part.tenant = pulled.tenant;
	part.letter = str_of(text, RECORD_LETTER_BYTES_MAX);
	assert_true(record_write_head(&part, b) <= sizeof(b));
}

TEST(ingest, record_of_version_1_stands_for_its_whole_request)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record r;
	size_t n = write_sample(b);
	assert_int_equal(record_read(str_of(b, n), &r, NULL), ERR_OK);
	assert_int_equal(r.part_first, 0);
	assert_int_equal(r.part_count, RECORD_ALL);
	assert_int_equal(r.letter.len, 0);
	assert_true(record_has(&r, 0));
	assert_true(record_has(&r, UINT32_MAX - 1));
	struct hash128 id = record_identity(&r);
	assert_int_equal(id.hi, sample.hash.hi);
	assert_int_equal(id.lo, sample.hash.lo);
}

TEST(ingest, record_parts_have_identities_of_their_own)
{
	static const uint32_t parts[][2] = {
	    {0, 1}, {1, 1}, {0, 2}, {7, 3}, {3, 7}, {0, RECORD_ALL}, {1, RECORD_ALL}};
	struct hash128 ids[ARRAY_LEN(parts) + 1] = {sample.hash};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct record r = sample_part();
		r.part_first = parts[i][0];
		r.part_count = parts[i][1];
		ids[i + 1] = record_identity(&r);
		assert_int_equal(record_has(&r, 6), i != 0 && i != 1 && i != 2 && i != 3);
		assert_int_equal(record_has(&r, 9), i == 3 || i == 4 || i == 5 || i == 6);
		assert_int_equal(record_has(&r, 10), i == 5 || i == 6);
		for (size_t k = 0; k <= i; k++)
			assert_true(ids[k].hi != ids[i + 1].hi && ids[k].lo != ids[i + 1].lo);
	}
	/* What is in logs and letters: it must never change. */
	struct hash128 id = record_part_identity((struct hash128){1, 2}, 3, 4);
	struct hash128 want =
	    hash_u128(str_of("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\4\0\0\0", 24));
	assert_int_equal(id.hi, want.hi);
	assert_int_equal(id.lo, want.lo);
}

TEST(ingest, record_head_with_any_byte_changed_reads_within_its_bounds)
{
	char b[RECORD_HEAD_BYTES_MAX + 8];
	struct record kinds[] = {sample, sample_part(), sample_pulled()};
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		struct record r;
		size_t n = record_write_head(&kinds[kind], b);
		for (size_t at = 0; at < n; at++)
			for (int value = 0; value < 256; value++) {
				char was = b[at];
				b[at] = (char)value;
				/* An allocation of its own, so that an overrun is seen. */
				char *copy = xcalloc(1, n);
				memcpy(copy, b, n);
				if (record_read(str_of(copy, n), &r, NULL) == ERR_OK) {
					assert_true(r.tenant.ptr >= copy);
					assert_true(r.letter.ptr >= r.tenant.ptr + r.tenant.len);
					assert_true(r.source.ptr == r.letter.ptr + r.letter.len);
					assert_true(r.position.ptr == r.source.ptr + r.source.len);
					assert_true(r.body.ptr == r.position.ptr + r.position.len);
					assert_true(r.body.ptr + r.body.len == copy + n);
				}
				free(copy);
				b[at] = was;
			}
	}
}
