/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/test.h - how a unit test is written.
 *
 *     #include "tests/test.h"
 *
 *     TEST(wal, torn_tail_is_cut_and_reported)
 *     {
 *             const char *dir = test_tmp_dir();
 *             ...
 *             assert_int_equal(records, 3);
 *     }
 *
 * TEST defines and registers a test; there is no list to keep. Its name is the claim it makes and
 * reads wal/torn_tail_is_cut_and_reported. `build/weir-test wal/` runs the tests whose names begin
 * so, `build/weir-test --help` tells the rest. The assertions are cmocka's.
 *
 * Every test runs in a process of its own: one that crashes, aborts, hangs (300 s; TEST_SECONDS) or
 * leaks under a sanitizer fails alone and is named. What a test prints is shown when it fails, or
 * with -v. Threads are fine: the process is single-threaded when a test begins.
 *
 * The current folder is the root of the source tree, whatever it was when weir-test was started.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

/* clang-format off: cmocka.h needs these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdbool.h>

struct test_case {
	const char *name; /* module/claim */
	void (*run)(void);
	struct test_case *next;
};

#define TEST(module, claim)                                                                        \
	static void test_##module##_##claim(void);                                                 \
	static struct test_case test_case_##module##_##claim = {                                   \
	    #module "/" #claim, test_##module##_##claim, NULL};                                    \
	__attribute__((constructor)) static void test_register_##module##_##claim(void)            \
	{                                                                                          \
		test_register(&test_case_##module##_##claim);                                      \
	}                                                                                          \
	static void test_##module##_##claim(void)

/* Add to the list of tests; called before main() by TEST. */
void test_register(struct test_case *t);

/* Is there time? With TEST_THOROUGH in the environment (`make fault`) what is tried many times at random is tried more
 * often. */
bool test_is_thorough(void);

/* A new empty folder for the running test, inside the build folder, on a real disk. Deleted when
 * the test has passed, kept for a look when it has failed. The string lives as long as the test. */
const char *test_tmp_dir(void);

/* Compare with the file tests/golden/<name>, byte for byte; fails, with both shown, if they differ.
 * With UPDATE=1 in the environment the file is written instead. */
void test_golden(const char *name, const void *data, size_t len);

/* Read the whole file tests/golden/<name>; fails when there is none. The bytes live as long as the
 * test and are followed by a NUL. */
const char *test_golden_read(const char *name, size_t *len_out);

/* End the test here as skipped: counted, named with its reason, neither passed nor failed. */
_Noreturn void test_skip(const char *why);

/* Run f(ctx) in a process of its own and require that it dies of a failed CHECK (an abort). */
void test_dies(void (*f)(void *ctx), void *ctx);

#endif
