/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/newest.h"

#include "tests/test.h"

#include "bench/payload_priv.h"

#include <stdlib.h>

static int
later_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x < *y) - (*x > *y);
}

TEST(bench_newest, the_newest_of_many_are_kept_in_order_and_all_counted)
{
	uint64_t times[500], random = 3;
	for (size_t n = 0; n <= 500; n += n < 5 ? 1 : 99) {
		struct newest got = {0};
		for (size_t i = 0; i < n; i++) {
			times[i] = payload_random(&random) % 300; /* many are equal */
			newest_offer(&got, (struct newest_item){times[i], 1, times[i] * 2});
		}
		qsort(times, n, sizeof(times[0]), later_first);
		assert_int_equal(got.total, n);
		assert_int_equal(got.count, n < NEWEST_MAX ? n : NEWEST_MAX);
		for (size_t i = 0; i < got.count; i++) {
			assert_int_equal(got.items[i].time_ns, times[i]);
			assert_int_equal(got.items[i].number, 2 * times[i]);
		}
	}
}
