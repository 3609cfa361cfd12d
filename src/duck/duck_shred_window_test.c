/* SPDX-License-Identifier: Apache-2.0 */
#include "duck/duck_shred_priv.h"

#include "base/arena.h"
#include "duck/duck_kit_test.h"
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

static void
show_column(const struct shred_column *c, struct buf *out)
{
	if (c->type != SHRED_SHARED)
		buf_printf(out, "%.*s:%d", STR_ARG(c->key), (int)c->type);
	for (unsigned i = 0; i < c->key_count; i++)
		buf_printf(out, "%c%.*s", i ? ',' : '(', STR_ARG(c->keys[i]));
	if (c->type == SHRED_SHARED)
		buf_char(out, ')');
}

/* "key:type key:type (shared,shared) (shared)" of what a window chooses for an empty plan. */
static void
assert_chosen(const struct shred_window *w, const char *want)
{
	struct shred_plan p = {0};
	struct buf b = {0};
	unsigned n = shred_window_choose(w, &p);
	assert_int_equal(n, p.key_count);
	for (unsigned i = 0; i < p.count; i++) {
		buf_str(&b, i ? STR(" ") : STR(""));
		show_column(&p.columns[i], &b);
	}
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
	count_text(w, "{\"b\":\"x\",\"z\":1,\"z\":1,\"z\":1,\"z\":1}", 20); /* equal keys are one */
	assert_chosen(w, "b:0 z:1 (a,c) (m)");
	shred_window_free(w);
}

TEST(duck, window_gives_a_key_its_most_frequent_type)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{\"k\":1,\"o\":[1],\"n\":null,\"d\":{\"$double\":\"NaN\"}}", 10);
	count_text(w, "{\"k\":\"1\",\"d\":0.5,\"o\":{\"a\":1}}", 11);
	assert_chosen(w, "d:2 k:0 (o) (n)");
	/* As many: the type that comes first in the enum. */
	count_text(w, "{\"k\":1,\"d\":1.5}", 1);
	assert_chosen(w, "d:2 k:0 (o) (n)");
	count_text(w, "{\"k\":-1,\"d\":1.5}", 1);
	assert_chosen(w, "d:2 k:1 (o) (n)");
	/* None of its types is in half of the rows. */
	count_text(w, "{\"k\":true,\"d\":1.5}", 2);
	assert_chosen(w, "d:2 (k) (o) (n)");
	shred_window_free(w);
}

TEST(duck, window_types_what_half_have_and_shares_what_two_percent_have)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{}", 350);
	count_text(w, "{\"a\":1}", 500);
	count_text(w, "{\"b\":1}", 110);
	count_text(w, "{\"c\":1}", 20);
	count_text(w, "{\"d\":1}", 19);
	count_text(w, "", 1);
	assert_chosen(w, "a:1 (b,c)"); /* 500, 110, 20 and 19 of 1,000 */
	count_text(w, "{\"d\":1}", 1);
	assert_chosen(w, "(a,b)"); /* c and d: 20 of 1,001 */
	shred_window_free(w);
}

TEST(duck, window_makes_no_column_for_less_than_five_percent)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{}", 381);
	count_text(w, "{\"a\":1}", 9);
	count_text(w, "{\"b\":1}", 10);
	assert_chosen(w, ""); /* 4.75 % */
	count_text(w, "{\"b\":1}", 2);
	assert_chosen(w, "(b,a)");
	shred_window_free(w);
}

TEST(duck, window_forgets_by_halves)
{
	struct shred_window *w = shred_window_new();
	count_text(w, "{\"old\":1}", 1000);
	shred_window_age(w);
	count_text(w, "{\"new\":1}", 500);
	assert_chosen(w, "new:1 old:1");
	for (int i = 0; i < 4; i++) {
		shred_window_age(w);
		count_text(w, "{\"new\":1}", 1000);
	}
	assert_chosen(w, "new:1"); /* old: 31 of about 1,900 */
	count_text(w, "{\"old\":1}", 200);
	assert_chosen(w, "new:1 (old)");
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
	assert_true(shred_plan_add_shared(&p, 2, STR("k13")));
	assert_int_equal(shred_window_choose(w, &p), SHRED_COLUMNS - 3);
	assert_int_equal(p.count, SHRED_COLUMNS);
	assert_int_equal(p.columns[1].type, SHRED_TEXT);
	assert_true(str_eq(p.columns[2].keys[0], STR("k13")));
	assert_true(str_eq(p.columns[3].key, STR("k10")));
	assert_true(str_eq(p.columns[5].key, STR("k14")));
	assert_true(str_eq(p.columns[SHRED_TYPED_COLUMNS].key, STR("k33")));
	/* They all come together: each shared one is alone in its column. */
	for (unsigned i = SHRED_TYPED_COLUMNS + 1; i < SHRED_COLUMNS; i++) {
		assert_int_equal(p.columns[i].type, SHRED_SHARED);
		assert_int_equal(p.columns[i].key_count, 1);
	}
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
	assert_int_equal(shred_window_choose(w, &p), REAL);
	for (unsigned i = 0; i < p.key_count; i++)
		assert_true(str_starts(p.keys[i].key, STR("real.")));
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

/* ---- sharing out */

/* A row with `each` of `keys` keys that follow one another in a ring. */
static void
put_ring(struct buf *b, struct duck_kit_dice *d, unsigned keys, unsigned each)
{
	unsigned first = (unsigned)duck_kit_roll(d, keys);
	for (unsigned i = 0; i < each; i++)
		put(b, "ring.", (first + i) % keys, "1");
}

/* Members that do not find their column free, of 1,000. */
static unsigned
left_over(const struct shred_plan *p, unsigned keys, unsigned each)
{
	struct duck_kit_dice d = {99};
	struct buf b = {0};
	uint64_t left = 0;
	for (unsigned row = 0; row < 2000; row++) {
		struct arena arena = {0};
		struct shred_row out;
		buf_reset(&b);
		put_ring(&b, &d, keys, each);
		buf_char(&b, '}');
		assert_true(shred_split(p, SHRED_ALL_LIVE, buf_view(&b), &arena, &out, NULL, NULL));
		unsigned taken = 0;
		for (unsigned i = 0; i < p->count; i++)
			taken += out.values[i].set;
		left += each - taken;
		arena_fini(&arena);
	}
	buf_fini(&b);
	return (unsigned)(left * 1000 / (2000 * each));
}

/* Of n keys in a ring, e in each row, n / e fit into a column at most. */
TEST(duck, window_shares_out_a_ring_of_keys_to_few_columns)
{
	static const struct {
		unsigned keys, each, columns_max;
	} rings[] = {{97, 11, 14}, {97, 1, 2}, {40, 8, 8}, {56, 13, 16}, {60, 7, 9}, {256, 2, 3}};
	for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
		struct shred_window *w = shred_window_new();
		struct shred_plan p = {0};
		struct buf b = {0};
		struct duck_kit_dice d = {5 + i};
		for (unsigned row = 0; row < 8000; row++) {
			put_ring(&b, &d, rings[i].keys, rings[i].each);
			count(w, &b);
		}
		bool all =
		    rings[i].each * 100 >= rings[i].keys * 3; /* not so few that some are rare */
		unsigned n = shred_window_choose(w, &p);
		if (all)
			assert_int_equal(n, rings[i].keys);
		if (p.count > rings[i].columns_max)
			fail_msg("%u keys, %u each: %u columns", rings[i].keys, rings[i].each,
			    p.count);
		if (all)
			assert_in_range(left_over(&p, rings[i].keys, rings[i].each), 0, 5);
		buf_fini(&b);
		shred_plan_fini(&p);
		shred_window_free(w);
	}
}

/* Whatever the order that rows come in: of each kind of row the sample has some. */
TEST(duck, window_keeps_keys_apart_that_only_every_nth_row_has_together)
{
	for (unsigned period = 2; period <= 16; period++) {
		struct shred_window *w = shred_window_new();
		struct shred_plan p = {0};
		struct buf b = {0};
		for (unsigned row = 0; row < 16000; row++) {
			put(&b, "a", row % period, "1");
			put(&b, "b", row % period, "1");
			count(w, &b);
		}
		assert_int_equal(shred_window_choose(w, &p), 2 * period);
		for (unsigned k = 0; k < period; k++) {
			char key[2][8];
			const struct shred_key *found[2];
			for (int i = 0; i < 2; i++) {
				int n = snprintf(key[i], sizeof(key[i]), "%c%u", "ab"[i], k);
				found[i] = shred_plan_find(&p, str_of(key[i], (size_t)n));
				assert_non_null(found[i]);
			}
			assert_int_not_equal(found[0]->column, found[1]->column);
		}
		buf_fini(&b);
		shred_plan_fini(&p);
		shred_window_free(w);
	}
}

static void
count_varied(struct shred_window *w, unsigned rows, unsigned values)
{
	struct buf b = {0};
	struct duck_kit_dice d = {3};
	for (unsigned row = 0; row < rows; row++) {
		buf_printf(&b, "{\"key\":\"value-%u\"", (unsigned)duck_kit_roll(&d, values));
		if (row % 2)
			buf_reset(&b), buf_str(&b, STR("{\"other\":1"));
		if (row % 8 > 1)
			buf_reset(&b), buf_char(&b, '{');
		count(w, &b);
	}
	buf_fini(&b);
}

/* 1,920 of 15,360 sampled rows have the key. */
TEST(duck, window_leaves_out_keys_whose_values_are_nearly_all_different)
{
	static const struct {
		unsigned values;
		bool shared;
	} cases[] = {
	    {2, true}, {100, true}, {1000, true}, {4000, true}, {40000, false}, {100000000, false}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct shred_window *w = shred_window_new();
		count_varied(w, 15360, cases[i].values);
		assert_chosen(w, cases[i].shared ? "(key,other)" : "(other)");
		shred_window_age(w); /* that is forgotten, and with few values nothing is said */
		count_varied(w, 60, cases[i].values);
		assert_chosen(w, "(key,other)");
		shred_window_free(w);
	}
}

TEST(duck, window_leaves_out_keys_whose_values_are_long)
{
	struct shred_window *w = shred_window_new();
	struct buf b = {0};
	for (int i = 0; i < 100; i++) {
		buf_printf(&b, "{\"%s\":\"%0*d\"",
		    i % 5       ? "x"
		        : i % 2 ? "short"
		                : "long",
		    i % 2 ? SHRED_SHARED_BYTES_MAX - 2 : SHRED_SHARED_BYTES_MAX - 1, 7);
		count(w, &b);
	}
	buf_fini(&b);
	assert_chosen(w, "x:0 (short)");
	shred_window_free(w);
}

/* The second seal of a table: what it has stays as it is, new keys go where there is room for them. */
TEST(duck, window_adds_keys_to_the_columns_of_a_table)
{
	struct shred_window *w = shred_window_new();
	struct shred_plan p = {0}, copy = {0};
	struct buf b = {0};
	for (int i = 0; i < 500; i++)
		count_text(w, i % 5 ? i % 5 == 1 ? "{\"c\":1}" : "{}" : "{\"a\":1,\"b\":1}", 1);
	assert_int_equal(shred_window_choose(w, &p), 3);
	assert_true(shred_plan_copy(&copy, &p));
	shred_window_age(w);
	for (int i = 0; i < 500; i++)
		count_text(w,
		    i % 5 ? i % 5 == 1 ? "{\"c\":1,\"d\":1,\"e\":1}" : "{}"
		          : "{\"a\":1,\"b\":1,\"f\":1}",
		    1);
	assert_int_equal(shred_window_choose(w, &p), 3);
	assert_int_equal(shred_window_choose(w, &copy), 3);
	for (unsigned i = 0; i < p.count; i++) {
		buf_str(&b, i ? STR(" ") : STR(""));
		show_column(&p.columns[i], &b);
	}
	buf_char(&b, '\0');
	assert_string_equal(b.ptr, "(a,c) (b,d) (e,f)");
	for (unsigned i = 0; i < p.key_count; i++) {
		assert_true(str_eq(p.keys[i].key, copy.keys[i].key));
		assert_int_equal(p.keys[i].column, copy.keys[i].column);
		assert_int_equal(p.keys[i].code, copy.keys[i].code);
	}
	buf_fini(&b);
	shred_plan_fini(&copy);
	shred_plan_fini(&p);
	shred_window_free(w);
}

TEST(duck, window_shares_out_no_more_keys_than_fit)
{
	struct shred_window *w = shred_window_new();
	struct shred_plan p = {0};
	struct buf b = {0};
	struct duck_kit_dice d = {8};
	for (unsigned row = 0; row < 20000; row++) { /* each of 1,000 keys in 3 % of the rows */
		for (unsigned i = 0; i < 30; i++)
			put(&b, "k", (unsigned)duck_kit_roll(&d, 1000), "1");
		count(w, &b);
	}
	(void)shred_window_choose(w, &p);
	assert_in_range(p.key_count, SHRED_SHARED_COLUMNS, SHRED_SHARED_KEYS);
	assert_int_equal(p.count, SHRED_SHARED_COLUMNS);
	unsigned first = p.key_count;
	assert_in_range(first + shred_window_choose(w, &p), first, SHRED_SHARED_KEYS);
	assert_int_equal(p.count, SHRED_SHARED_COLUMNS);
	buf_fini(&b);
	shred_plan_fini(&p);
	shred_window_free(w);
}
