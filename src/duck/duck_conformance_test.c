/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every store must do (store/conformance.h), of rows wherever they can be: in the hot tail, in day tables,
 * in catch-alls, moved from there to their day, and in every mixture of them.
 */
#include "duck/duck_kit_test.h"

#include "base/limits.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

static struct store *
open_hot(void)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	return duck_kit_open(&opt);
}

/* Whole groups are sealed while the test goes on; what is left of the older batches goes to the
 * catch-alls, and from there in groups of 64 to the days. */
static struct store *
open_churning(uint64_t seal_rows)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = seal_rows;
	opt.log_bytes_max = 3000;
	return duck_kit_churn(duck_kit_open(&opt), 1000, 0);
}

/* Only rows of the last batch that make no group stay in memory: everything else is in the file before the
 * next question. */
static struct store *
open_sealed(uint64_t seal_rows)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = seal_rows;
	opt.log_bytes_max = 1;
	return duck_kit_churn(duck_kit_open(&opt), 1000, 1);
}

/* To wait for the file after each of the many batches, or rows, of these would take long and show nothing new. */
static struct store *
open_sealed_for(const char *claim)
{
	static const char *const many_batches[] = {"readers_see_whole_batches",
	    "arrivals_that_are_left_are_counted", "positions_never_move_back"};
	static const char *const many_rows[] = {"arrivals_come_once_each_in_order_while_more_come",
	    "arrivals_go_on_behind_any_place", "sums_are_those_of_the_rows",
	    "rare_traces_are_found_among_many"};
	for (size_t i = 0; i < ARRAY_LEN(many_batches); i++)
		if (strcmp(claim, many_batches[i]) == 0)
			return open_churning(64);
	for (size_t i = 0; i < ARRAY_LEN(many_rows) && !test_is_thorough(); i++)
		if (strcmp(claim, many_rows[i]) == 0)
			return open_sealed(64);
	return open_sealed(8);
}

#define X(claim)                                                                                   \
	TEST(duck_hot, claim)                                                                      \
	{                                                                                          \
		struct store *s = open_hot();                                                      \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}                                                                                          \
	TEST(duck_sealed, claim)                                                                   \
	{                                                                                          \
		struct store *s = open_sealed_for(#claim);                                         \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}                                                                                          \
	TEST(duck_churn, claim)                                                                    \
	{                                                                                          \
		struct store *s = open_churning(16);                                               \
		store_conformance_##claim(s);                                                      \
		store_close(s);                                                                    \
	}
STORE_CONFORMANCE(X)
STORE_CONFORMANCE_IDENTITY(X)
STORE_CONFORMANCE_SEARCH(X)
STORE_CONFORMANCE_ARRIVALS(X)
STORE_CONFORMANCE_SUMS(X)
STORE_CONFORMANCE_SERIES(X)
STORE_CONFORMANCE_PULLS(X)
#undef X

/* ---- random */

typedef void (*compare_fn)(struct store *a, struct store *b, uint64_t seed, size_t batches,
    size_t questions);

static size_t
rounds(size_t thorough)
{
	return test_is_thorough() ? thorough : thorough / 2;
}

static void
same(compare_fn compare, struct store *s, uint64_t seed, size_t batches, size_t questions)
{
	struct store *reference = store_mem_new();
	compare(s, reference, seed, batches, questions);
	store_close(s);
	store_close(reference);
}

TEST(duck_hot, searches_as_the_store_in_memory_does)
{
	same(store_conformance_same_search, open_hot(), 21, 10, 400);
}

TEST(duck_sealed, searches_as_the_store_in_memory_does)
{
	same(store_conformance_same_search, open_sealed(64), 22, rounds(20), rounds(300));
	same(store_conformance_same_search, open_sealed(2048), 23, rounds(20), rounds(200));
}

TEST(duck_churn, searches_as_the_store_in_memory_does)
{
	same(store_conformance_same_search, open_churning(64), 24, rounds(30), rounds(300));
}

TEST(duck_hot, answers_random_questions_as_the_store_in_memory_does)
{
	same(store_conformance_same, open_hot(), 1, 10, 100);
	same(store_conformance_same_identity, open_hot(), 2, 10, 100);
}

TEST(duck_churn, answers_random_questions_as_the_store_in_memory_does)
{
	same(store_conformance_same, open_churning(64), 3, rounds(30), 60);
	same(store_conformance_same, open_churning(2048), 4, rounds(30), 60);
}

TEST(duck_churn, answers_as_the_store_in_memory_does_when_much_repeats)
{
	same(store_conformance_same_identity, open_churning(64), 5, rounds(30), 60);
	same(store_conformance_same_identity, open_churning(2048), 6, rounds(30), 60);
}

TEST(duck_sealed, answers_random_questions_as_the_store_in_memory_does)
{
	same(store_conformance_same, open_sealed(64), 7, rounds(20), 60);
	same(store_conformance_same, open_sealed(2048), 8, rounds(20), 60);
}

TEST(duck_sealed, answers_as_the_store_in_memory_does_when_much_repeats)
{
	same(store_conformance_same_identity, open_sealed(64), 9, rounds(20), 60);
	same(store_conformance_same_identity, open_sealed(2048), 10, rounds(20), 60);
}

/* ---- sums */

static void
same_sums(struct store *a, struct store *b, struct store *c, uint64_t seed, size_t batches)
{
	struct store *parts[] = {a, b, c}, *whole = store_mem_new();
	store_conformance_same_sums(parts, c ? 3 : b ? 2 : 1, whole, seed, batches, 3 * batches);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		store_close(parts[i]);
	store_close(whole);
}

TEST(duck_hot, sums_are_those_of_the_store_in_memory)
{
	same_sums(open_hot(), NULL, NULL, 21, 30);
}

TEST(duck_churn, sums_are_those_of_the_store_in_memory)
{
	same_sums(open_churning(64), NULL, NULL, 22, 40);
	same_sums(open_churning(2048), NULL, NULL, 23, 60);
}

TEST(duck_sealed, sums_are_those_of_the_store_in_memory)
{
	same_sums(open_sealed(64), NULL, NULL, 24, 10);
	same_sums(open_sealed(512), NULL, NULL, 25, 10);
}

TEST(duck_churn, sums_of_parts_add_up_to_those_of_the_whole)
{
	same_sums(open_churning(64), open_hot(), store_mem_new(), 26, 30);
	same_sums(open_sealed(32), open_churning(16), NULL, 27, 10);
}

/* Memory for half of the rows: it is what makes the seals. */
TEST(duck_churn, answers_as_ever_while_memory_is_short)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.hot_bytes_max = LIMIT_MIB;
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	for (uint64_t to = 200; to <= 1000; to += 200) {
		duck_kit_load(s, to, to);
		duck_kit_load(reference, to, to);
		duck_kit_same(s, reference);
	}
	struct store_status status;
	store_status(s, &status);
	assert_true(status.seals > 0);
	store_close(s);
	store_close(reference);
}
