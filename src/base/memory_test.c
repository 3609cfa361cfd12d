/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "tests/test.h"

TEST(base, arena_keeps_to_its_budget_and_starts_again)
{
	struct arena a;
	arena_init(&a, 1000, 1 << 20);
	for (int round = 0; round < 3; round++) {
		unsigned char *p = arena_alloc(&a, 500);
		assert_non_null(p);
		for (int i = 0; i < 500; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xee, 500);
		assert_non_null(arena_alloc(&a, 480));
		assert_null(arena_alloc(&a, 100));
		assert_null(arena_array(&a, SIZE_MAX / 2, 3));
		assert_null(arena_alloc(&a, SIZE_MAX));
		arena_reset(&a);
	}
	arena_fini(&a);
	arena_fini(NULL);
}

TEST(base, arena_goes_back_to_a_mark_and_keeps_what_was_before_it)
{
	struct arena a;
	arena_init(&a, 300000, 0);
	struct arena_mark empty = arena_mark(&a);
	struct str kept = arena_str(&a, STR("kept"));
	struct arena_mark mark = arena_mark(&a);
	for (int i = 0; i < 5; i++) {
		char *p = arena_alloc(&a, 200000); /* two of them would be too much */
		assert_non_null(p);
		memset(p, 'x', 200000);
		assert_non_null(arena_alloc(&a, 10));
		arena_rewind(&a, mark);
		assert_int_equal(a.used_bytes, mark.used_bytes);
	}
	assert_true(str_eq(kept, STR("kept")));
	char *zeroed = arena_alloc(&a, 16);
	for (int i = 0; i < 16; i++)
		assert_int_equal(zeroed[i], 0);
	arena_rewind(&a, empty);
	assert_int_equal(a.used_bytes, 0);
	assert_non_null(arena_alloc(&a, 300000 - 16));
	arena_fini(&a);
}

TEST(base, arena_allocations_do_not_overlap)
{
	struct arena a;
	unsigned char *p[200];
	arena_init(&a, 0, 0);
	for (int i = 0; i < 200; i++) {
		p[i] = arena_alloc(&a, (size_t)i * 7 + 1);
		assert_true(((uintptr_t)p[i] & 15) == 0);
		memset(p[i], i, (size_t)i * 7 + 1);
	}
	for (int i = 0; i < 200; i++)
		for (int k = 0; k < i * 7 + 1; k++)
			assert_int_equal(p[i][k], i);
	struct str s = arena_printf(&a, "%s-%d", "x", 5);
	assert_string_equal(s.ptr, "x-5");
	arena_fini(&a);
}

TEST(base, buf_error_is_sticky_and_bounded)
{
	struct buf b;
	buf_init(&b, 300);
	for (int i = 0; i < 100; i++)
		buf_str(&b, STR("abcdefg"));
	assert_true(b.failed);
	assert_int_equal(b.len, 294);
	buf_char(&b, 'x');
	assert_int_equal(b.len, 294);
	buf_reset(&b);
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_printf(&b, " %d", 0);
	assert_false(b.failed);
	assert_true(str_eq(buf_view(&b), STR("-9223372036854775808 18446744073709551615 0")));
	buf_fini(&b);
}

TEST(base, map_finds_what_was_put_and_nothing_else)
{
	struct map m = {0};
	assert_null(map_get(&m, 0));
	for (uint64_t i = 0; i < 10000; i++)
		assert_true(map_put(&m, i * UINT64_C(0x100000000), i));
	assert_true(map_put(&m, 0, 77));
	assert_int_equal(m.count, 10000);
	for (uint64_t i = 1; i < 10000; i++) {
		assert_true(*map_get(&m, i * UINT64_C(0x100000000)) == i);
		assert_null(map_get(&m, i * UINT64_C(0x100000000) + 1));
	}
	assert_true(*map_get(&m, 0) == 77);
	map_clear(&m);
	assert_null(map_get(&m, 0));
	map_fini(&m);
}

TEST(base, map_refuses_beyond_its_bound)
{
	struct map m = {.count_max = 3};
	for (uint64_t i = 0; i < 3; i++)
		assert_true(map_put(&m, i, i));
	assert_false(map_put(&m, 9, 9));
	assert_true(map_put(&m, 2, 5));
	map_fini(&m);
}
