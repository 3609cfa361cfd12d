/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "tests/test.h"

#include <errno.h>
#include <string.h>

TEST(base, err_carries_code_and_message)
{
	struct err err;
	assert_int_equal(err_set(&err, ERR_BUSY, "lag is %d", 7), ERR_BUSY);
	assert_int_equal(err.code, ERR_BUSY);
	assert_string_equal(err.message, "lag is 7");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

TEST(base, err_errno_text_is_appended)
{
	struct err err;
	err_set_errno(&err, ERR_IO, ENOSPC, "cannot write %s", "a.wal");
	assert_int_equal(err.os_errno, ENOSPC);
	assert_string_equal(err.message, "cannot write a.wal: No space left on device");
}

TEST(base, err_wrap_puts_context_in_front_and_cuts_the_end)
{
	struct err err;
	char longer[2 * ERR_MESSAGE_BYTES];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, ERR_INVALID, "inner");
	assert_int_equal(err_wrap(&err, "outer %d", 1), ERR_INVALID);
	assert_string_equal(err.message, "outer 1: inner");
	err_set(&err, ERR_INVALID, "%s", longer);
	err_wrap(&err, "outer");
	assert_int_equal(strlen(err.message), ERR_MESSAGE_BYTES - 1);
	assert_memory_equal(err.message, "outer: xxx", 10);
}

TEST(base, err_every_code_has_a_name_and_statuses)
{
	for (int i = 0; i < ERR_COUNT; i++) {
		enum err_code code = (enum err_code)i;
		int http = err_http_status(code);
		assert_true(strlen(err_name(code)) > 1);
		assert_true(strlen(err_text(code)) > 1);
		assert_true(http >= 200 && http < 600);
		assert_true(err_grpc_status(code) >= 0 && err_grpc_status(code) <= 16);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(err_name(code), err_name((enum err_code)k));
	}
}
