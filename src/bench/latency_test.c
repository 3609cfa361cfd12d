/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/check.h"
#include "bench/latency.h"

/* By the definition: the smallest value that so many do not exceed. */
static uint64_t
quantile_by_counting(const uint64_t *values, size_t n, double share)
{
	uint64_t best = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		size_t at_most = 0;
		for (size_t k = 0; k < n; k++)
			at_most += values[k] <= values[i];
		if ((double)at_most >= share * (double)n && values[i] < best)
			best = values[i];
	}
	return best;
}

TEST(latency, quantiles_are_exact)
{
	static const double shares[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
	static const size_t counts[] = {1, 2, 3, 99, 100, 101, 1500};
	uint64_t values[1500], state = 1;
	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		struct latency l = {0};
		for (size_t i = 0; i < counts[c]; i++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			values[i] = state >> 33 & (i % 3 ? 0xff : 0xffffff);
			latency_add(&l, values[i]);
		}
		for (size_t s = 0; s < ARRAY_LEN(shares); s++)
			assert_int_equal(latency_quantile(&l, shares[s]),
			    quantile_by_counting(values, counts[c], shares[s]));
		latency_fini(&l);
	}
}

TEST(latency, what_is_added_after_a_quantile_counts)
{
	struct latency a = {0}, b = {0};
	latency_add(&a, 30);
	latency_add(&a, 10);
	assert_int_equal(latency_quantile(&a, 1), 30);
	latency_add(&a, 20);
	assert_int_equal(latency_quantile(&a, 0.5), 20);
	latency_add(&b, 5);
	latency_merge(&a, &b);
	assert_int_equal(latency_quantile(&a, 0), 5);
	assert_int_equal(a.count, 4);
	latency_clear(&a);
	latency_merge(&a, &b);
	assert_int_equal(latency_quantile(&a, 1), 5);
	latency_fini(&a);
	latency_fini(&b);
}

static void
quantile_of_nothing(void *ctx)
{
	struct latency l = {0};
	(void)ctx;
	(void)latency_quantile(&l, 0.5);
}

TEST(latency, nothing_has_no_quantile)
{
	test_dies(quantile_of_nothing, NULL);
}

TEST(latency, what_is_missing_is_slower_than_all)
{
	struct latency l = {0};
	uint64_t ns = 7;
	assert_false(latency_quantile_with(&l, 0, 0.5, &ns));
	assert_false(latency_quantile_with(&l, 3, 0, &ns));
	for (uint64_t i = 1; i <= 99; i++)
		latency_add(&l, 100 - i);
	assert_true(latency_quantile_with(&l, 0, 0.99, &ns));
	assert_int_equal(ns, 99);
	/* 99 of 100 are known, and those are 99 %. */
	assert_true(latency_quantile_with(&l, 1, 0.99, &ns));
	assert_int_equal(ns, 99);
	assert_false(latency_quantile_with(&l, 1, 1, &ns));
	assert_false(latency_quantile_with(&l, 2, 0.99, &ns));
	assert_true(latency_quantile_with(&l, 2, 0.98, &ns));
	/* The median of 99 and 101 more is one of those. */
	assert_true(latency_quantile_with(&l, 99, 0.5, &ns));
	assert_int_equal(ns, 99);
	assert_false(latency_quantile_with(&l, 101, 0.5, &ns));
	latency_fini(&l);
}
