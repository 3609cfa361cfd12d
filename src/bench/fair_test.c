/* SPDX-License-Identifier: Apache-2.0 */
/* What rounds come to; that they run, and that their sums agree, is in tests/scenario. */
#include "bench/fair.h"

#include "tests/test.h"

#include "base/arena.h"
#include "base/timefmt.h"

#include <math.h>
#include <stdlib.h>

/* n acks of 1 ms to n ms, and as many questions of each kind ten times as long. */
static void
add_round(struct fair_result *r, bool beside, uint64_t n)
{
	struct fair_round *round = &r->rounds[r->round_count++];
	round->beside = beside;
	for (uint64_t i = 1; i <= n; i++) {
		latency_add(&round->modest.acks, i * NS_PER_MS);
		for (int q = 0; q < FAIR_QUESTIONS; q++)
			latency_add(&round->modest.questions[q], 10 * i * NS_PER_MS);
	}
}

TEST(bench_fair, quantiles_are_of_all_rounds_of_a_kind)
{
	struct fair_result *r = xcalloc(1, sizeof(*r));
	add_round(r, false, 100);
	add_round(r, true, 200);
	add_round(r, false, 300);
	add_round(r, true, 200);
	assert_float_equal(fair_quantile(r, false, true, 0.5), 100, 1e-9);
	assert_float_equal(fair_quantile(r, true, true, 0.5), 100, 1e-9);
	assert_float_equal(fair_quantile(r, true, true, 0.99), 198, 1e-9);
	assert_float_equal(fair_quantile(r, true, false, 0.99), 1980, 1e-9);
	assert_float_equal(fair_round_quantile(&r->rounds[2], true, 0.99), 297, 1e-9);
	assert_float_equal(fair_round_quantile(&r->rounds[0], false, 1), 1000, 1e-9);
	fair_result_fini(r);
	free(r);
}

TEST(bench_fair, what_was_due_and_not_answered_rightly_is_slower_than_all_else)
{
	struct fair_result *r = xcalloc(1, sizeof(*r));
	add_round(r, true, 98);
	r->rounds[0].modest.acks_missing = 2;
	assert_float_equal(fair_quantile(r, true, true, 0.98), 98, 1e-9);
	assert_true(isnan(fair_quantile(r, true, true, 0.99)));
	/* 294 right ones, 3 wrong, 3 never asked. */
	r->rounds[0].modest.wrong[FAIR_SERVICE] = 3;
	r->rounds[0].modest.questions_missing = 3;
	assert_float_equal(fair_quantile(r, true, false, 0.98), 980, 1e-9);
	assert_true(isnan(fair_quantile(r, true, false, 0.99)));
	assert_true(isnan(fair_quantile(r, false, true, 0.5)));
	fair_result_fini(r);
	free(r);
}

TEST(bench_fair, ratios_are_of_neighbours_and_a_pair_without_one_is_the_largest)
{
	struct fair_result *r = xcalloc(1, sizeof(*r));
	assert_true(isnan(fair_pair_ratio(r, true, 0.99, 0.5)));
	for (uint64_t i = 1; i <= 3; i++) { /* 1x, 2x, 3x */
		add_round(r, false, 100);
		add_round(r, true, 100 * i);
	}
	assert_float_equal(fair_pair_ratio(r, true, 0.99, 0), 1, 1e-9);
	assert_float_equal(fair_pair_ratio(r, false, 0.99, 0.5), 2, 1e-9);
	assert_float_equal(fair_pair_ratio(r, true, 0.99, 1), 3, 1e-9);
	r->rounds[1].modest.acks_missing = 50; /* its p99 is not known */
	assert_float_equal(fair_pair_ratio(r, true, 0.99, 0), 2, 1e-9);
	assert_float_equal(fair_pair_ratio(r, true, 0.99, 0.5), 3, 1e-9);
	assert_true(isnan(fair_pair_ratio(r, true, 0.99, 1)));
	fair_result_fini(r);
	free(r);
}
