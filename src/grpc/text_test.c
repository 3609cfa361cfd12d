/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "grpc/text.h"

#include <string.h>

TEST(grpc, messages_are_percent_encoded_and_decoded)
{
	static const struct {
		const char *plain, *encoded;
	} cases[] = {{"", ""}, {"all is well ~", "all is well ~"}, {"100%", "100%25"},
	    {"a\nb\x7f", "a%0Ab%7F"}, {"schl\xc3\xbcssel", "schl%C3%BCssel"}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf encoded = {0}, decoded = {0};
		grpc_text_percent_encode(str_from(cases[i].plain), &encoded);
		assert_true(str_eq(buf_view(&encoded), str_from(cases[i].encoded)));
		grpc_text_percent_decode(buf_view(&encoded), &decoded);
		assert_true(str_eq(buf_view(&decoded), str_from(cases[i].plain)));
		buf_fini(&encoded);
		buf_fini(&decoded);
	}
}

TEST(grpc, a_percent_sign_that_escapes_nothing_stands_for_itself)
{
	static const char *const texts[] = {"%", "%4", "%zz", "a%g1", "5% of"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf decoded = {0};
		grpc_text_percent_decode(str_from(texts[i]), &decoded);
		assert_true(str_eq(buf_view(&decoded), str_from(texts[i])));
		buf_fini(&decoded);
	}
}

TEST(grpc, timeouts_have_a_unit_and_at_most_eight_digits)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {{"0S", 0}, {"1n", 1}, {"7u", 7000}, {"10m", 10000000}, {"2S", 2000000000},
	    {"3M", UINT64_C(180000000000)}, {"1H", UINT64_C(3600000000000)},
	    {"99999999S", UINT64_C(99999999000000000)}, {"99999999H", UINT64_MAX}};
	static const char *const bad[] = {
	    "", "S", "1", "1s", "1 S", "-1S", "+1S", "123456789S", "1.5S"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t ns = 1234;
		assert_true(grpc_text_timeout(str_from(good[i].text), &ns));
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t ns;
		assert_false(grpc_text_timeout(str_from(bad[i]), &ns));
	}
}

TEST(grpc, only_grpc_of_protobuf_is_a_content_type)
{
	static const char *const good[] = {"application/grpc", "application/grpc+proto",
	    "Application/gRPC", "application/grpc;charset=utf-8", "application/grpc+proto ; a=b"};
	static const char *const bad[] = {"", "application/grpc-web", "application/grpc+json",
	    "application/json", "application/grp", "application/x-protobuf"};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(grpc_text_is_grpc(str_from(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(grpc_text_is_grpc(str_from(bad[i])));
}
