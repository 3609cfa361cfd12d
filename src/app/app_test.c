/* SPDX-License-Identifier: Apache-2.0 */
#include "app/app.h"

#include "base/hash.h"
#include "tests/test.h"

/* The constants that tests have are known to everybody. */
TEST(app, each_process_hashes_with_a_secret_of_its_own)
{
	char *argv[] = {"weir", "--version", NULL};
	uint64_t before = hash_keyed_u64(1), first;
	assert_int_equal(app_main(2, argv), 0);
	first = hash_keyed_u64(1);
	assert_true(first != before);
	assert_int_equal(app_main(2, argv), 0);
	assert_true(hash_keyed_u64(1) != first);
}
