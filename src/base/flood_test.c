/* SPDX-License-Identifier: Apache-2.0 */
/* What clients choose does not crowd one place of a table. */
#include "tests/flood.h"

#include "base/bloom.h"
#include "base/distinct.h"
#include "base/hash.h"
#include "base/map.h"
#include "tests/test.h"

TEST(base, a_map_spreads_keys_that_were_chosen_to_crowd_it)
{
	struct map m = {0};
	for (uint64_t i = 0; i < FLOOD_KEYS; i++)
		assert_true(map_put(&m, flood_multiplied(i), i));
	assert_true(flood_longest_run(m.used, m.cap, 1) < FLOOD_RUN_MAX);
	for (uint64_t i = 0; i < FLOOD_KEYS; i++)
		assert_true(*map_get(&m, flood_multiplied(i)) == i);
	map_fini(&m);
}

TEST(base, sets_of_hashes_spread_those_that_were_chosen_to_crowd_them)
{
	struct distinct d;
	struct bloom_builder b;
	distinct_init(&d, SIZE_MAX);
	bloom_init(&b, SIZE_MAX);
	for (uint64_t i = 1; i <= FLOOD_KEYS; i++) {
		distinct_add(&d, flood_folded(i));
		bloom_add(&b, flood_folded(i));
	}
	assert_true(distinct_count(&d) == FLOOD_KEYS);
	assert_int_equal(bloom_count(&b), FLOOD_KEYS);
	assert_true(flood_longest_run(d.slots, d.mask + 1, sizeof(*d.slots)) < FLOOD_RUN_MAX);
	assert_true(flood_longest_run(b.hashes, b.cap, sizeof(*b.hashes)) < FLOOD_RUN_MAX);
	distinct_fini(&d);
	bloom_fini(&b);
}

/* The attacks of other tests are worth something only while these are right. */
TEST(base, texts_and_ids_can_be_made_for_a_hash_without_a_secret)
{
	char text[8] = {0};
	size_t found = 0;
	for (uint64_t i = 1; i <= FLOOD_KEYS; i++) {
		uint64_t id[2], hash = i * UINT64_C(0xD6E8FEB86659FD93);
		flood_trace(i << 32, &id[0], &id[1]);
		assert_true(hash_u64(str_of(id, sizeof(id))) == i << 32);
		if (!flood_text(hash, i, text))
			continue;
		assert_true(hash_u64_seed(str_of(text, sizeof(text)), i) == hash);
		found++;
	}
	assert_true(found > 0);
}

TEST(base, keyed_hashes_are_others_with_another_secret)
{
	static const uint64_t secret[HASH_SECRET_WORDS] = {1, 2, 3, 4};
	const uint64_t before[] = {hash_keyed_u64(0), hash_keyed_u128(0, 0),
	    hash_keyed_str(STR(""), 0), hash_keyed_str(STR("a name"), 7)};
	assert_true(hash_keyed_str(STR("a name"), 7) == before[3]);
	assert_true(hash_keyed_str(STR("a name"), 8) != before[3]);
	hash_secret_set(secret);
	assert_true(hash_keyed_u64(0) != before[0]);
	assert_true(hash_keyed_u128(0, 0) != before[1]);
	assert_true(hash_keyed_str(STR(""), 0) != before[2]);
	assert_true(hash_keyed_str(STR("a name"), 7) != before[3]);
	assert_true(hash_u64(STR("a name")) == hash_u64_seed(STR("a name"), 0));
}

/* Each bit of the key turns over about half the bits of the hash, whatever the secret. */
TEST(base, every_bit_of_a_key_counts_in_its_hash)
{
	uint64_t secret[HASH_SECRET_WORDS];
	for (uint64_t turn = 0; turn < 20; turn++) {
		for (size_t i = 0; i < HASH_SECRET_WORDS; i++)
			secret[i] = (turn * 4 + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
		hash_secret_set(secret);
		for (unsigned bit = 0; bit < 64; bit++) {
			size_t turned = 0, low = 0;
			for (uint64_t key = 0; key < 256; key++) {
				uint64_t d =
				    hash_keyed_u64(key) ^ hash_keyed_u64(key ^ UINT64_C(1) << bit);
				turned += (size_t)__builtin_popcountll(d);
				low += (d & 0xFFFF) == 0;
			}
			assert_in_range(turned, 256 * 28, 256 * 36);
			assert_true(low < 4);
		}
	}
}
