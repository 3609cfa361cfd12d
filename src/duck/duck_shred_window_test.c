/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_shred_priv.h"

#include "base/arena.h"
#include "tests/test.h"

#include <stdio.h>

static void
put(struct buf *b, const char *key, unsigned n, const char *value)
{
	buf_printf(b, "%c\"%s%u\":%s", b->len == 0 ? '{' : ',', key, n, value);
}

static void
count(struct shred_window *w, struct buf *row)
{
	buf_char(row, '}');
	shred_window_count(w, buf_view(row));
	buf_reset(row);
}

static void
count_text(struct shred_window *w, const char *json, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		shred_window_count(w, str_from(json));
}

/* "key:type key:type" of what a window chooses for an empty plan. */
static void
assert_chosen(const struct shred_window *w, const char *want)
{
	struct shred_plan p = {0};
	struct buf b = {0};
	unsigned n = shred_window_choose(w, &p);
	assert_int_equal(n, p.count);
	for (unsigned i = 0; i < n; i++)
		buf_printf(&b, "%s%.*s:%d", i ? " " : "", STR_ARG(p.columns[i].key),
		    (int)p.columns[i].type);
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, want);
	buf_fini(&b);
	shred_plan_fini(&p);
}

TEST(duck, window_chooses_by_frequency_then_by_key)
{
	struct shred_window *w = shred_window_new();
	assert_chosen(w, "");
	count_text(w, "{\"m\":1,\"b\":\"x\",\"c\":true}", 10);
	count_text(w, "{\"b\":\"x\",\"a\":1.5}", 10);
	assert_chosen(w, "b:0 a:2 c:3 m:1");
	count_text(w, "{\"z\":1,\"z\":1,\"z\":1,\"z\":1}", 11); /* equal keys are one */
	assert_chosen(w, "b:0 z:1 a:2 c:3 m:1");
	shred_window_free(w);
}

TEST(duck, window_gives_a_key_its_most_frequent_type)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{\"k\":1,\"o\":[1],\"n\":null,\"d\":{\"$double\":\"NaN\"}}", 10);
	count_text(w, "{\"k\":\"1\",\"d\":0.5,\"o\":{\"a\":1}}", 11);
	count_text(w, "{\"k\":false}", 9);
	assert_chosen(w, "d:2 k:0");
	count_text(w, "{\"k\":1}", 1); /* as many: the type that comes first in the enum */
	assert_chosen(w, "d:2 k:0");
	count_text(w, "{\"k\":-1}", 1);
	assert_chosen(w, "k:1 d:2");
	shred_window_free(w);
}

TEST(duck, window_leaves_out_what_fewer_than_two_percent_have)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{}", 960);
	count_text(w, "{\"a\":1}", 1);
	count_text(w, "{\"a\":1,\"b\":1}", 19);
	count_text(w, "", 20);
	assert_chosen(w, "a:1"); /* 20 and 19 of 1,000 */
	count_text(w, "{\"b\":1}", 1);
	assert_chosen(w, ""); /* 20 of 1,001, both */
	shred_window_free(w);
}

TEST(duck, window_forgets_by_halves)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{\"old\":1}", 1000);
	shred_window_age(w);
	count_text(w, "{\"new\":1}", 501);
	assert_chosen(w, "new:1 old:1");
	for (int i = 0; i < 4; i++) {
		shred_window_age(w);
		count_text(w, "{\"new\":1}", 1000);
	}
	assert_chosen(w, "new:1"); /* old: 31 of about 1,900 */
	shred_window_free(w);
}

TEST(duck, window_refuses_keys_that_cannot_be_columns)
{
	struct shred_window *w = shred_window_new();
	struct buf b = {0};
	for (int i = 0; i < 5; i++) {
		buf_printf(&b, "{\"%0*d\":1,\"%0*d\":1,\"a\\/b\":1,\"\\u0041\":1,\"ok\":1,\"\":1}",
		    SHRED_KEY_BYTES_MAX + 1, 0, SHRED_KEY_BYTES_MAX + 1, 1);
		shred_window_count(w, buf_view(&b));
		buf_reset(&b);
	}
	buf_fini(&b);
	assert_chosen(w, ":1 ok:1");
	shred_window_free(w);
}

TEST(duck, window_counts_a_text_up_to_where_it_goes_wrong)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{\"a\":1,\"b\":1,x\"c\":1,\"d\":1}", 3);
	count_text(w, "{\"a\":1,\"b\"\"c\":1}", 1);
	count_text(w, "{\"a\":1,\"b\":\"c", 1);
	assert_chosen(w, "a:1 b:1");
	shred_window_free(w);
}

/* The plan's own columns stay, what is chosen fills it up. */
TEST(duck, window_fills_a_plan_up)
{
	struct shred_window *w = shred_window_new();
	struct shred_plan p = {0};
	struct buf b = {0};
	for (unsigned i = 0; i < 50; i++)
		put(&b, "k", 10 + i, "1");
	count(w, &b);
	buf_fini(&b);
	assert_true(shred_plan_add(&p, STR("mine"), SHRED_BOOL));
	assert_true(shred_plan_add(&p, STR("k12"), SHRED_TEXT));
	assert_int_equal(shred_window_choose(w, &p), SHRED_COLUMNS - 2);
	assert_int_equal(p.count, SHRED_COLUMNS);
	assert_int_equal(p.columns[1].type, SHRED_TEXT);
	assert_true(str_eq(p.columns[2].key, STR("k10")));
	assert_true(str_eq(p.columns[4].key, STR("k13")));
	assert_true(str_eq(p.columns[SHRED_COLUMNS - 1].key, STR("k40")));
	assert_int_equal(shred_window_choose(w, &p), 0);
	shred_plan_fini(&p);
	shred_window_free(w);
}

enum { REAL = 100, EACH = 40 }; /* real keys, each in one row of 40: 2.5 % */

static void
put_real(struct buf *b, unsigned row)
{
	for (unsigned k = 0; k < REAL; k++)
		if ((row + k * 7) % EACH == 0)
			put(b, "real.", k, "\"x\"");
}

/* Among the real keys such as never come again; `seen_min` is in how many of the rows that had it a
 * key must have been counted, in percent. */
static void
flood(unsigned rows, unsigned random_keys, bool real_first, unsigned seen_min)
{
	struct shred_window *w = shred_window_new();
	struct buf b = {0};
	unsigned fresh = 0;
	for (unsigned row = 0; row < rows; row++) {
		if (real_first)
			put_real(&b, row);
		for (unsigned i = 0; i < random_keys; i++)
			put(&b, i % 3 ? "a" : "random.", fresh++, "1");
		if (!real_first)
			put_real(&b, row);
		count(w, &b);
	}
	for (unsigned k = 0; k < REAL; k++) {
		char key[16];
		int n = snprintf(key, sizeof(key), "real.%u", k);
		uint64_t seen = shred_window_seen(w, str_of(key, (size_t)n));
		assert_in_range(seen, rows / EACH * seen_min / 100, rows / EACH + 1);
	}
	struct shred_plan p = {0};
	assert_int_equal(shred_window_choose(w, &p), SHRED_COLUMNS);
	for (unsigned i = 0; i < p.count; i++)
		assert_true(str_starts(p.columns[i].key, STR("real.")));
	shred_plan_fini(&p);
	buf_fini(&b);
	shred_window_free(w);
}

TEST(duck, window_keeps_frequent_keys_in_a_flood_of_random_ones)
{
	flood(20000, 50, false, 95);
}

TEST(duck, window_keeps_frequent_keys_in_a_flood_of_wide_rows)
{
	flood(2000, 500, false, 50);
	flood(2000, 500, true, 50);
}
