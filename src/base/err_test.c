/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "base/utf8.h"
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
	err_set_retry(NULL, 1);
}

TEST(base, err_says_when_to_come_back_until_it_is_another)
{
	struct err err;
	memset(&err, 0xff, sizeof(err));
	err_set(&err, ERR_BUSY, "full");
	assert_int_equal(err.retry_ms, 0);
	err_set_retry(&err, 700);
	err_wrap(&err, "acme");
	assert_int_equal(err.retry_ms, 700);
	assert_int_equal(err_set(&err, ERR_BUSY, "full again"), ERR_BUSY);
	assert_int_equal(err.retry_ms, 0);
}

TEST(base, err_errno_text_is_appended)
{
	struct err err;
	err_set_errno(&err, ERR_IO, ENOSPC, "cannot write %s", "a.wal");
	assert_int_equal(err.os_errno, ENOSPC);
	assert_string_equal(err.message, "cannot write a.wal: No space left on device");
}

/* The beginning and the end are there, what is between is not. */
static void
expect_ends(const struct err *err, const char *head, const char *tail)
{
	size_t len = strlen(err->message);
	assert_true(len < ERR_MESSAGE_BYTES);
	assert_true(len > ERR_MESSAGE_BYTES - 12); /* characters of several bytes are not cut */
	assert_memory_equal(err->message, head, strlen(head));
	assert_string_equal(err->message + len - strlen(tail), tail);
	assert_non_null(strstr(err->message, " ... "));
	assert_true(utf8_valid((struct str){err->message, len}));
}

TEST(base, err_too_long_says_what_and_why_whatever_stands_between)
{
	struct err err;
	static char path[4 * ERR_MESSAGE_BYTES];
	const char *fills[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	for (size_t f = 0; f < ARRAY_LEN(fills); f++)
		for (size_t len = ERR_MESSAGE_BYTES; len < sizeof(path) - 8; len += 7) {
			path[0] = '\0';
			for (size_t n = 0; n < len; n += strlen(fills[f]))
				memcpy(path + n, fills[f], strlen(fills[f]) + 1);
			err_set_errno(&err, ERR_BUSY, ENOSPC, "cannot write %s", path);
			expect_ends(&err, "cannot write ", "No space left on device");
		}
}

TEST(base, err_wrap_puts_context_in_front_and_keeps_the_cause)
{
	struct err err;
	char longer[2 * ERR_MESSAGE_BYTES];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, ERR_INVALID, "inner");
	assert_int_equal(err_wrap(&err, "outer %d", 1), ERR_INVALID);
	assert_string_equal(err.message, "outer 1: inner");
	for (int depth = 1; depth < 9; depth++) {
		err_set_errno(&err, ERR_IO, EIO, "cannot read %.180s", longer);
		for (int i = 0; i < depth; i++)
			err_wrap(&err, "outer");
		expect_ends(&err, "outer: ", "Input/output error");
	}
	err_set(&err, ERR_IO, "inner");
	err_wrap(&err, "%s", longer);
	expect_ends(&err, "xxx", "xxx: inner");
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
