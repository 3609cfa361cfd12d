/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/tenant.h"

#include "tests/test.h"

TEST(tenant, names_are_short_and_plain)
{
	char longest[LIMIT_TENANT_BYTES + 1];
	memset(longest, 'a', sizeof(longest));
	assert_true(tenant_name_valid(STR("a")));
	assert_true(tenant_name_valid(STR("Team-1_x.y")));
	assert_true(tenant_name_valid(STR("...")));
	assert_true(tenant_name_valid(str_of(longest, LIMIT_TENANT_BYTES)));
	assert_false(tenant_name_valid(str_of(longest, LIMIT_TENANT_BYTES + 1)));
	assert_false(tenant_name_valid(STR("")));
	assert_false(tenant_name_valid(STR(".")));
	assert_false(tenant_name_valid(STR("..")));
	assert_false(tenant_name_valid(STR("a b")));
	assert_false(tenant_name_valid(STR("a/b")));
	assert_false(tenant_name_valid(STR("a\0b")));
	assert_false(tenant_name_valid(STR("\xc3\xa9")));
}

static void
chosen(const char *header_1, const char *header_2, const char *want)
{
	struct str name;
	struct err err;
	assert_int_equal(tenant_choose(str_from(header_1), str_from(header_2), &name, &err),
	    ERR_OK);
	assert_true(str_eq(name, str_from(want)));
}

TEST(tenant, either_header_names_it_and_none_is_default)
{
	struct str name;
	struct err err;
	chosen(NULL, NULL, "default");
	chosen("a", NULL, "a");
	chosen(NULL, "b", "b");
	chosen("c", "c", "c");
	assert_int_equal(tenant_choose(STR("a"), STR("b"), &name, &err), ERR_INVALID);
	assert_int_equal(tenant_choose(STR("a/"), STR_EMPTY, &name, &err), ERR_INVALID);
}
