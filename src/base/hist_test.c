/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hist.h"

#include "base/arena.h"
#include "base/distinct.h"
#include "tests/random.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double
unit(struct rng *r)
{
	return ((double)(rng_next(r) >> 11) + 0.5) * 0x1p-53;
}

/* ---- which bucket */

TEST(hist, bucket_is_a_32nd_of_a_doubling)
{
	struct rng r = {1};
	assert_int_equal(hist_bucket(0), 0);
	for (int i = 0; i < 200000; i++) {
		uint64_t v = rng_next(&r) >> (1 + rng_next(&r) % 63);
		v = v > 0 ? v : 1;
		unsigned b = hist_bucket(v);
		long double low = exp2l((long double)(b - 1) / 32);
		long double high = exp2l((long double)b / 32);
		assert_true((long double)v >= low * (1 - 1e-18L));
		assert_true((long double)v < high * (1 + 1e-18L));
		assert_true(fabs(hist_bucket_middle(b) - (double)v) <= HIST_ERROR * (double)v);
	}
}

TEST(hist, buckets_ascend_with_the_value_at_every_bound)
{
	unsigned last = hist_bucket(0);
	for (uint64_t v = 1; v < 5000; v++) {
		assert_true(hist_bucket(v) >= last);
		last = hist_bucket(v);
	}
	for (unsigned b = last + 1; b < HIST_BUCKETS; b++) {
		/* The first value of it, by halving. */
		uint64_t low = 0, high = INT64_MAX;
		while (low < high) {
			uint64_t mid = low + (high - low) / 2;
			if (hist_bucket(mid) < b)
				low = mid + 1;
			else
				high = mid;
		}
		assert_int_equal(hist_bucket(low), b);
		assert_int_equal(hist_bucket(low - 1), b - 1);
		assert_true(fabsl((long double)low - exp2l((long double)(b - 1) / 32)) <=
		    1 + 1e-18L * low);
	}
	assert_int_equal(hist_bucket(INT64_MAX), HIST_BUCKETS - 1);
}

/* ---- quantiles */

static uint64_t
draw(struct rng *r, int shape, size_t i)
{
	switch (shape) {
	case 0: return (uint64_t)(unit(r) * 1e9); /* uniform to a second */
	case 1: return (uint64_t)(-log(unit(r)) * 1e7); /* exponential, 10 ms */
	case 2: /* log-normal, wide */
		return (uint64_t)exp(15 + 3 * sqrt(-2 * log(unit(r))) * cos(6.2831853 * unit(r)));
	case 3: return (uint64_t)(1e6 / pow(unit(r), 1.2)); /* Pareto: a heavy tail */
	case 4:
		return rng_next(r) % 10 < 9 ? 1000 + rng_next(r) % 100
		                            : 2000000000 + rng_next(r) % 1000;
	case 5: return 10000000; /* all the same */
	case 6: return rng_next(r) % 3; /* zeros, ones, twos */
	case 7: return rng_next(r) >> (1 + rng_next(r) % 63); /* all magnitudes there are */
	case 8: return i; /* ascending */
	default: return i % 2 ? INT64_MAX : 0;
	}
}

static int
ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The ceil(q * n)th smallest, by sorting. */
static uint64_t
exact(const uint64_t *sorted, size_t n, unsigned thousandths)
{
	size_t rank = (n * thousandths + 999) / 1000;
	return sorted[rank > 0 ? rank - 1 : 0];
}

TEST(hist, quantiles_are_within_the_stated_error_of_the_exact_ones)
{
	static const unsigned asked[] = {0, 1, 10, 250, 500, 750, 900, 950, 990, 999, 1000};
	static const size_t sizes[] = {1, 2, 3, 10, 99, 1000, 20000};
	struct rng r = {2};
	uint64_t *values = xcalloc(20000, sizeof(*values));
	for (int shape = 0; shape < 10; shape++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			struct hist h = {0};
			long double sum = 0;
			for (size_t i = 0; i < sizes[s]; i++) {
				values[i] = draw(&r, shape, i);
				hist_add(&h, values[i]);
				sum += (long double)values[i];
			}
			qsort(values, sizes[s], sizeof(*values), ascending);
			for (size_t q = 0; q < sizeof(asked) / sizeof(asked[0]); q++) {
				double want = (double)exact(values, sizes[s], asked[q]);
				double got = hist_quantile(&h, asked[q]);
				if (fabs(got - want) > HIST_ERROR * want)
					fail_msg("shape %d, %zu values, %u: %f, not %f", shape,
					    sizes[s], asked[q], got, want);
				assert_true(got >= (double)values[0]);
				assert_true(got <= (double)values[sizes[s] - 1]);
			}
			assert_int_equal(h.count, sizes[s]);
			assert_true(h.min == values[0] && h.max == values[sizes[s] - 1]);
			assert_true(fabsl(hist_mean(&h) - sum / sizes[s]) <= 1e-12L * sum);
			hist_fini(&h);
		}
	free(values);
}

TEST(hist, one_value_is_every_quantile_of_itself)
{
	struct hist h = {0};
	assert_true(hist_quantile(&h, 500) == 0 && hist_mean(&h) == 0);
	for (int i = 0; i < 3; i++)
		hist_add(&h, 10000000);
	for (unsigned q = 0; q <= 1000; q += 50)
		assert_true(hist_quantile(&h, q) == 1e7);
	hist_fini(&h);
}

/* ---- merging */

static void
pack_again(const struct hist *h, struct buf *out)
{
	buf_reset(out);
	hist_pack(h, out);
	assert_false(out->failed);
}

TEST(hist, any_split_merged_in_any_order_has_the_bytes_of_the_whole)
{
	struct rng r = {3};
	struct buf a = {0}, b = {0};
	for (int round = 0; round < 200; round++) {
		size_t parts = 1 + rng_next(&r) % 8, n = rng_next(&r) % 2000;
		struct hist whole = {0}, part[8] = {{0}}, merged = {0};
		for (size_t i = 0; i < n; i++) {
			uint64_t v = draw(&r, (int)(rng_next(&r) % 10), i);
			hist_add(&whole, v);
			hist_add(&part[rng_next(&r) % parts], v);
		}
		for (size_t left = parts, at; left > 0; left--) {
			at = rng_next(&r) % left;
			if (rng_next(&r) % 2) {
				hist_merge(&merged, &part[at]);
			} else { /* by way of bytes */
				pack_again(&part[at], &b);
				struct pack_reader in = pack_read_begin(buf_view(&b));
				assert_true(hist_unpack(&merged, &in) && pack_read_end(&in));
			}
			hist_fini(&part[at]);
			part[at] = part[left - 1];
			part[left - 1] = (struct hist){0};
		}
		pack_again(&whole, &a);
		pack_again(&merged, &b);
		assert_true(str_eq(buf_view(&a), buf_view(&b)));
		assert_true(whole.sum == merged.sum);
		hist_fini(&whole);
		hist_fini(&merged);
	}
	buf_fini(&a);
	buf_fini(&b);
}

/* Whatever is taken is written back as it was read. */
static bool
taken(struct str bytes)
{
	struct hist h = {0};
	struct pack_reader in = pack_read_begin(bytes);
	bool good = hist_unpack(&h, &in) && pack_read_end(&in);
	struct buf again = {0};
	hist_pack(&h, &again);
	if (good)
		assert_true(str_eq(buf_view(&again), bytes));
	buf_fini(&again);
	hist_fini(&h);
	return good;
}

TEST(hist, damaged_bytes_are_refused_or_mean_something)
{
	struct rng r = {4};
	struct hist h = {0};
	struct buf bytes = {0};
	for (size_t i = 0; i < 40; i++)
		hist_add(&h, draw(&r, 1, i));
	pack_again(&h, &bytes);
	assert_true(taken(buf_view(&bytes)));
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_false(taken((struct str){bytes.ptr, cut}));
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
		(void)taken(buf_view(&bytes));
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
	}
	buf_fini(&bytes);
	hist_fini(&h);
}

TEST(hist, counts_that_are_too_large_stay_at_the_largest)
{
	struct hist h = {0}, more = {0};
	hist_add(&h, INT64_MAX);
	for (int i = 0; i < 70; i++) {
		struct buf bytes = {0};
		hist_pack(&h, &bytes);
		struct pack_reader in = pack_read_begin(buf_view(&bytes));
		assert_true(hist_unpack(&more, &in));
		hist_merge(&h, &more);
		buf_fini(&bytes);
	}
	assert_true(h.count == UINT64_MAX);
	assert_true(hist_quantile(&h, 500) == (double)INT64_MAX);
	hist_fini(&h);
	hist_fini(&more);
}

/* ---- how many different ones */

TEST(distinct, count_is_exact_up_to_the_limit_and_near_beyond)
{
	struct rng r = {5};
	for (size_t n = 1; n <= 2000000; n = n * 3 + 1) {
		struct distinct d;
		distinct_init(&d, 1000);
		for (size_t i = 0; i < n; i++) {
			uint64_t hash = rng_next(&r);
			distinct_add(&d, hash);
			if (i % 7 == 0)
				distinct_add(&d, hash); /* again */
		}
		assert_int_equal(distinct_is_exact(&d), n <= 1000);
		double off = fabs((double)distinct_count(&d) - (double)n) / (double)n;
		assert_true(n <= 1000 ? off == 0 : off < 4 * DISTINCT_ERROR);
		distinct_fini(&d);
	}
}

TEST(distinct, any_split_merged_in_any_order_has_the_bytes_of_the_whole)
{
	struct rng r = {6};
	struct buf a = {0}, b = {0};
	for (int round = 0; round < 60; round++) {
		size_t parts = 1 + rng_next(&r) % 8, n = rng_next(&r) % 300,
		       different = 1 + rng_next(&r) % 200;
		struct distinct whole, merged, part[8];
		distinct_init(&whole, 100);
		distinct_init(&merged, 100);
		for (size_t i = 0; i < parts; i++)
			distinct_init(&part[i], 100);
		for (size_t i = 0; i < n; i++) {
			uint64_t hash = rng_next(&r) % different * UINT64_C(0x9E3779B97F4A7C15);
			distinct_add(&whole, hash);
			distinct_add(&part[rng_next(&r) % parts], hash);
		}
		for (size_t i = 0; i < parts; i++) {
			size_t at = (i * 5 + (size_t)round) % parts;
			bool turn = parts % 5 != 0;
			at = turn ? at : i;
			if (rng_next(&r) % 2) {
				distinct_merge(&merged, &part[at]);
				continue;
			}
			buf_reset(&b);
			distinct_pack(&part[at], &b);
			struct pack_reader in = pack_read_begin(buf_view(&b));
			assert_true(distinct_unpack(&merged, &in) && pack_read_end(&in));
		}
		buf_reset(&a);
		buf_reset(&b);
		distinct_pack(&whole, &a);
		distinct_pack(&merged, &b);
		assert_true(str_eq(buf_view(&a), buf_view(&b)));
		distinct_fini(&whole);
		distinct_fini(&merged);
		for (size_t i = 0; i < parts; i++)
			distinct_fini(&part[i]);
	}
	buf_fini(&a);
	buf_fini(&b);
}

TEST(distinct, bytes_that_are_none_are_refused)
{
	struct distinct d;
	struct buf bytes = {0};
	distinct_init(&d, 3);
	static const struct {
		uint64_t count, hashes[4];
	} bad[] = {{5, {1, 2, 3, 4}}, {3, {2, 1}}, {3, {1, 1}}, {2, {0}}, {4, {1, 2}}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_reset(&bytes);
		pack_u64(&bytes, bad[i].count);
		for (size_t k = 0; k < 4 && (k == 0 || bad[i].hashes[k]); k++)
			pack_word(&bytes, bad[i].hashes[k]);
		struct pack_reader in = pack_read_begin(buf_view(&bytes));
		assert_false(distinct_unpack(&d, &in));
	}
	buf_reset(&bytes);
	pack_u64(&bytes, 0);
	for (size_t i = 0; i < DISTINCT_REGISTERS; i++)
		buf_char(&bytes,
		    i == 77 ? 50 : 0); /* there are 48 bits behind the register's number */
	struct pack_reader in = pack_read_begin(buf_view(&bytes));
	assert_false(distinct_unpack(&d, &in));
	in = pack_read_begin((struct str){bytes.ptr, 1000});
	assert_false(distinct_unpack(&d, &in));
	buf_fini(&bytes);
	distinct_fini(&d);
}

/* ---- numbers */

TEST(pack, numbers_have_one_form)
{
	static const uint64_t numbers[] = {
	    0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};
	struct buf bytes = {0};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		buf_reset(&bytes);
		pack_u64(&bytes, numbers[i]);
		struct pack_reader in = pack_read_begin(buf_view(&bytes));
		assert_true(pack_read_u64(&in) == numbers[i] && pack_read_end(&in));
		in = pack_read_begin((struct str){bytes.ptr, bytes.len - 1});
		(void)pack_read_u64(&in);
		assert_true(in.failed);
	}
	static const struct {
		char bytes[12];
		size_t len;
	} bad[] = {{"\x80\x00", 2}, {"\xff\x80\x00", 3},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
	    {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pack_reader in = pack_read_begin((struct str){bad[i].bytes, bad[i].len});
		assert_true(pack_read_u64(&in) == 0 && in.failed);
		assert_true(pack_read_text(&in, 10).len == 0 && pack_read_word(&in) == 0);
	}
	buf_fini(&bytes);
}
