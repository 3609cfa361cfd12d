/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bloom.h"

#include "base/hash.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
hash_of(uint64_t kind, uint64_t n)
{
	uint64_t words[2] = {kind, n};
	return hash_u64(str_of(words, sizeof(words)));
}

static void
fill(struct bloom_builder *b, uint64_t kind, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++)
		bloom_add(b, hash_of(kind, n));
}

static uint64_t
count_maybe(struct str filter, uint64_t kind, uint64_t count)
{
	uint64_t maybe = 0;
	for (uint64_t n = 0; n < count; n++)
		maybe += bloom_maybe(filter, hash_of(kind, n));
	return maybe;
}

TEST(base, bloom_has_what_was_added_and_little_else)
{
	static const uint64_t counts[] = {1, 2, 25, 26, 100, 1000, 20000};
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 20000);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		bloom_reset(&b);
		buf_reset(&out);
		buf_str(&out, STR("before"));
		fill(&b, 1, counts[i]);
		fill(&b, 1, counts[i]); /* no new ones */
		assert_int_equal(bloom_count(&b), counts[i]);
		assert_false(b.overflow);
		bloom_finish(&b, 10, 1 << 20, &out);
		struct str filter = str_skip(buf_view(&out), 6);
		assert_int_equal(filter.len, 8 + (counts[i] * 10 + 255) / 256 * 32);
		assert_int_equal(count_maybe(filter, 1, counts[i]), counts[i]);
		assert_in_range(count_maybe(filter, 2, 20000), 0, 20000 * 2 / 100);
	}
	bloom_fini(&b);
	bloom_fini(NULL);
	buf_fini(&out);
}

TEST(base, bloom_with_more_bits_is_wrong_less_often)
{
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 20000);
	fill(&b, 1, 20000);
	bloom_finish(&b, 20, 1 << 20, &out);
	assert_int_equal(out.len, 8 + (20000 * 20 + 255) / 256 * 32);
	assert_int_equal(count_maybe(buf_view(&out), 1, 20000), 20000);
	assert_in_range(count_maybe(buf_view(&out), 2, 1000000), 0, 1000000 / 2000);
	bloom_fini(&b);
	buf_fini(&out);
}

TEST(base, bloom_of_nothing_is_nothing)
{
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 10);
	bloom_finish(&b, 10, 1000, &out);
	assert_int_equal(out.len, 0);
	assert_false(bloom_maybe(buf_view(&out), 5));
	fill(&b, 1, 5);
	bloom_reset(&b);
	bloom_finish(&b, 10, 1000, &out);
	assert_int_equal(out.len, 0);
	bloom_fini(&b);
	buf_fini(&out);
}

TEST(base, bloom_keeps_hash_zero)
{
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 10);
	bloom_add(&b, 0);
	bloom_add(&b, 0);
	assert_int_equal(bloom_count(&b), 1);
	bloom_finish(&b, 10, 1000, &out);
	assert_true(bloom_maybe(buf_view(&out), 0));
	assert_false(bloom_maybe(buf_view(&out), hash_of(1, 1)));
	bloom_fini(&b);
	buf_fini(&out);
}

TEST(base, bloom_beyond_its_limits_says_perhaps)
{
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 1000);
	fill(&b, 1, 1000);
	assert_false(b.overflow);
	/* Less room than it wants: never "no" of what it has, "perhaps" of more. */
	for (size_t bytes_max = 8; bytes_max < 1500; bytes_max++) {
		buf_reset(&out);
		bloom_finish(&b, 10, bytes_max, &out);
		assert_in_range(out.len, 8, bytes_max);
		assert_int_equal(count_maybe(buf_view(&out), 1, 1000), 1000);
	}
	fill(&b, 1, 1001);
	assert_true(b.overflow);
	assert_int_equal(bloom_count(&b), 1000);
	buf_reset(&out);
	bloom_finish(&b, 10, 1 << 20, &out);
	assert_int_equal(count_maybe(buf_view(&out), 3, 1000), 1000);
	assert_int_equal(out.len, 8);
	bloom_reset(&b);
	assert_false(b.overflow);
	bloom_fini(&b);
	buf_fini(&out);
}

/* The bytes are a format: written down here once, so that no change goes unseen. */
TEST(base, bloom_bytes_are_those_of_parquet_behind_a_head)
{
	static const unsigned char want[] = {1, 0, 0, 0, 1, 0, 0, 0};
	static const uint32_t salts[] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
	    0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
	struct bloom_builder b;
	struct buf out = {0};
	uint32_t x = 0xdeadbeefU;
	bloom_init(&b, 10);
	bloom_add(&b, UINT64_C(0xffffffff00000000) | x);
	bloom_finish(&b, 10, 1000, &out);
	assert_int_equal(out.len, 40);
	assert_memory_equal(out.ptr, want, 8);
	for (int word = 0; word < 8; word++) {
		unsigned bit = (x * salts[word]) >> 27;
		for (unsigned byte = 0; byte < 4; byte++)
			assert_int_equal((unsigned char)out.ptr[8 + word * 4 + (int)byte],
			    bit / 8 == byte ? 1U << bit % 8 : 0);
	}
	bloom_fini(&b);
	buf_fini(&out);
}

/* Each copy stands in memory of its own size, so that a sanitizer sees a read beyond it. */
static bool
maybe_of_copy(struct str bytes, uint64_t hash)
{
	char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes.ptr, bytes.len);
	bool maybe = bloom_maybe(str_of(copy, bytes.len), hash);
	free(copy);
	return maybe;
}

TEST(base, bloom_of_damaged_bytes_says_perhaps)
{
	struct bloom_builder b;
	struct buf out = {0};
	bloom_init(&b, 1000);
	fill(&b, 1, 200);
	bloom_finish(&b, 10, 4096, &out);
	struct str whole = buf_view(&out);
	for (size_t len = 1; len < whole.len; len++)
		for (uint64_t n = 0; n < 3; n++)
			assert_true(maybe_of_copy(str_of(whole.ptr, len), hash_of(2, n)));
	/* Every byte of the head set to anything else. */
	for (size_t at = 0; at < 8; at++)
		for (int value = 0; value < 256; value++) {
			char old = out.ptr[at];
			out.ptr[at] = (char)value;
			if (out.ptr[at] != old)
				assert_true(maybe_of_copy(whole, hash_of(2, 1)));
			out.ptr[at] = old;
		}
	/* Bits that are set beyond what was added never turn "perhaps" into "no". */
	for (size_t at = 8; at < whole.len; at += 3) {
		out.ptr[at] = (char)(out.ptr[at] | 0x55);
		assert_int_equal(count_maybe(whole, 1, 200), 200);
	}
	bloom_fini(&b);
	buf_fini(&out);
}

TEST(base, bloom_of_random_bytes_reads_nothing_beyond_them)
{
	for (uint64_t round = 0; round < 20000; round++) {
		char bytes[200];
		for (size_t i = 0; i < sizeof(bytes); i += 8) {
			uint64_t word = hash_of(round, i);
			memcpy(bytes + i, &word, 8);
		}
		size_t len = (size_t)hash_of(round, 1000) % sizeof(bytes);
		/* Half of them begin like a filter, some with the right number of blocks. */
		if (round % 2 && len >= 8) {
			memcpy(bytes, "\1\0\0\0", 4);
			len = round % 4 == 1 ? 8 + len / 32 * 32 : len;
			memset(bytes + 5, 0, 3);
			bytes[4] = (char)(len / 32 + round % 8 / 4);
		}
		maybe_of_copy(str_of(bytes, len), hash_of(round, 2000));
	}
}
