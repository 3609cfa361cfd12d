/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include "tests/test.h"

/* RFC 4648 section 10. */
static const struct {
	struct str bytes, text;
} rfc[] = {
    {STR_INIT(""), STR_INIT("")},
    {STR_INIT("f"), STR_INIT("Zg==")},
    {STR_INIT("fo"), STR_INIT("Zm8=")},
    {STR_INIT("foo"), STR_INIT("Zm9v")},
    {STR_INIT("foob"), STR_INIT("Zm9vYg==")},
    {STR_INIT("fooba"), STR_INIT("Zm9vYmE=")},
    {STR_INIT("foobar"), STR_INIT("Zm9vYmFy")},
    {STR_INIT("\xfb\xef\xff\xfe"), STR_INIT("++///g==")},
};

TEST(base, base64_writes_the_vectors_of_the_rfc)
{
	for (size_t i = 0; i < ARRAY_LEN(rfc); i++) {
		struct buf b = {0};
		base64_write(&b, rfc[i].bytes);
		assert_true(str_eq(buf_view(&b), rfc[i].text));
		buf_fini(&b);
	}
}

static void
assert_reads(struct str text, struct str want)
{
	struct buf b = {0};
	buf_str(&b, STR("x"));
	if (!base64_read(text, &b))
		fail_msg("'%.*s' is refused", STR_ARG(text));
	assert_int_equal(b.len, want.len + 1);
	if (want.len)
		assert_memory_equal(b.ptr + 1, want.ptr, want.len);
	buf_fini(&b);
}

TEST(base, base64_reads_both_alphabets_padded_or_not)
{
	for (size_t i = 0; i < ARRAY_LEN(rfc); i++) {
		assert_reads(rfc[i].text, rfc[i].bytes);
		struct str bare = rfc[i].text;
		bare.len = str_find(bare, '=');
		assert_reads(bare, rfc[i].bytes);
	}
	assert_reads(STR("--___g"), STR("\xfb\xef\xff\xfe"));
	assert_reads(STR("--___g=="), STR("\xfb\xef\xff\xfe"));
	assert_reads(STR("AAAA"), STR("\0\0\0"));
}

TEST(base, base64_refuses_what_is_malformed)
{
	static const char *const cases[] = {"Z", "Zg=", "Zm9vY", "Z===", "=",
	    "==", "====", "Zg==Zg==", "Zm9v=", "Zm9v==", "Zm9v====", "Zm=8", "Zm 8", "Zm8\n",
	    "Zm8.", "\xc3\xa9", "Zm\x80w"};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};
		if (base64_read(str_from(cases[i]), &b))
			fail_msg("'%s' is accepted", cases[i]);
		assert_int_equal(b.len, 0);
		buf_fini(&b);
	}
}

TEST(base, base64_comes_back_for_every_length_and_byte)
{
	unsigned char bytes[300];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf text = {0}, back = {0};
		base64_write(&text, str_of(bytes, n));
		assert_true(base64_read(buf_view(&text), &back));
		assert_true(str_eq(buf_view(&back), str_of(bytes, n)));
		buf_fini(&text);
		buf_fini(&back);
	}
}
