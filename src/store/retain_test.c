/* SPDX-License-Identifier: Apache-2.0 */
#include "store/retain.h"

#include "base/timefmt.h"
#include "tests/test.h"

#define NOW (UINT64_C(20777) * NS_PER_DAY + NS_PER_DAY / 2)
#define HOUR (NS_PER_DAY / 24)

static enum err_code
parse(const char *all, const char *tenants, struct arena *arena, struct retain *r)
{
	struct err err;
	return retain_parse(str_from(all), str_from(tenants), arena, r, &err);
}

TEST(retain, a_tenants_own_rule_goes_before_everybodys)
{
	struct arena arena = {0};
	struct retain r;
	assert_int_equal(parse("traces=30d, logs = 12h,metrics-bytes=2g",
	                     "acme: traces=7d; zeta:traces=0,logs=90d ;", &arena, &r),
	    ERR_OK);
	assert_int_equal(r.tenant_count, 2);
	assert_int_equal(r.all.bytes[TABLE_POINTS], UINT64_C(2) << 30);
	uint64_t midnight = NOW / NS_PER_DAY * NS_PER_DAY;
	assert_int_equal(retain_cutoff(&r, TABLE_SPANS, STR("x"), NOW), midnight - 30 * NS_PER_DAY);
	assert_int_equal(retain_cutoff(&r, TABLE_SPANS, STR("acme"), NOW),
	    midnight - 7 * NS_PER_DAY);
	assert_int_equal(retain_cutoff(&r, TABLE_SPANS, STR("zeta"), NOW), 0);
	assert_int_equal(retain_cutoff(&r, TABLE_LOGS, STR("acme"), NOW), NOW - 12 * HOUR);
	assert_int_equal(retain_cutoff(&r, TABLE_LOGS, STR("zeta"), NOW),
	    midnight - 90 * NS_PER_DAY);
	assert_int_equal(retain_cutoff(&r, TABLE_POINTS, STR("acme"), NOW), 0);
	assert_int_equal(retain_cutoff_max(&r, TABLE_SPANS, NOW), midnight - 7 * NS_PER_DAY);
	assert_int_equal(retain_cutoff_max(&r, TABLE_LOGS, NOW), NOW - 12 * HOUR);
	assert_true(retain_is_set(&r, TABLE_POINTS));
	assert_false(retain_is_set(&r, TABLE_COMMENTS));
	assert_int_equal(parse("comments=90d,traces=1d", "", &arena, &r), ERR_OK);
	assert_int_equal(retain_cutoff(&r, TABLE_COMMENTS, STR("acme"), NOW),
	    midnight - 90 * NS_PER_DAY);
	arena_fini(&arena);
}

TEST(retain, without_rules_everything_is_kept)
{
	struct arena arena = {0};
	struct retain r;
	assert_int_equal(parse("", "", &arena, &r), ERR_OK);
	for (int id = 0; id < SIGNAL_TABLES; id++) {
		assert_false(retain_is_set(&r, (enum table_id)id));
		assert_int_equal(retain_cutoff(&r, (enum table_id)id, STR("acme"), NOW), 0);
	}
	/* An age beyond 1970 keeps everything too. */
	assert_int_equal(parse("traces=30000d", "", &arena, &r), ERR_OK);
	assert_int_equal(retain_cutoff(&r, TABLE_SPANS, STR("acme"), NOW), 0);
	arena_fini(&arena);
}

TEST(retain, what_is_no_rule_is_refused)
{
	static const char *const bad[] = {"traces", "traces=", "traces=-1d", "traces=30x",
	    "spans=3d", "traces=59m", "traces-bytes=x", "traces-bytes=99999999999g", "=3d",
	    "acme:traces=1d", "traces=3d logs=4d"};
	static const char *const bad_tenants[] = {
	    "acme", "acme:", ":traces=3d", "acme:traces", "acme;traces=3d", "acme:traces=1s"};
	struct arena arena = {0};
	struct retain r;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i], "", &arena, &r) != ERR_INVALID)
			fail_msg("\"%s\" was taken", bad[i]);
	for (size_t i = 0; i < sizeof(bad_tenants) / sizeof(*bad_tenants); i++)
		if (parse("", bad_tenants[i], &arena, &r) != ERR_INVALID)
			fail_msg("\"%s\" was taken", bad_tenants[i]);
	arena_fini(&arena);
}
