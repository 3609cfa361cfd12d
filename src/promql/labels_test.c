/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/flood.h"

#include "base/hash.h"
#include "promql/eval.h"
#include "tests/test.h"

#include <stdlib.h>

/* Values so that the hashes of all label sets end in the same bits, as far as they have no secret. */
TEST(promql, a_set_of_label_sets_spreads_values_that_were_chosen_to_crowd_it)
{
	enum { SETS = 1000 };
	struct arena arena = {0};
	struct label_set set = {.arena = &arena};
	uint64_t seed = hash_u64_seed(STR("x"), 0);
	char(*values)[8] = xcalloc(SETS, sizeof(*values));
	size_t found = 0;
	for (uint64_t i = 1; found < SETS; i++)
		found += flood_text(i * UINT64_C(0xD6E8FEB86659FD93) << 16, seed, values[found]);
	for (size_t i = 0; i < SETS; i++) {
		struct promql_label *items = arena_array(&arena, 1, sizeof(*items));
		bool added;
		assert_non_null(items);
		*items = (struct promql_label){STR("x"), str_of(values[i], 8)};
		struct promql_labels l = promql_labels_make(items, 1);
		assert_int_equal(promql_set_add(&set, &l, &added), i);
		assert_true(added);
	}
	assert_true(flood_longest_run(set.slots, set.mask + 1, sizeof(*set.slots)) < FLOOD_RUN_MAX);
	free(values);
	arena_fini(&arena);
}
