/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/quota.h"

#include "base/timefmt.h"
#include "tests/test.h"

#include <stdio.h>

#define T0 (UINT64_C(1000) * NS_PER_S)

static struct quota *
new_quota(uint64_t bytes, uint64_t items, uint64_t lag_max)
{
	struct limits limits = limits_default();
	limits.tenant_bytes_rate = bytes;
	limits.tenant_items_rate = items;
	limits.lag_bytes_max = lag_max;
	limits.tenant_lag_percent = 50;
	return quota_new(&limits);
}

static enum err_code
look(struct quota *q, const char *tenant, uint64_t at_ms)
{
	struct err err;
	return quota_look(q, str_from(tenant), T0 + at_ms * NS_PER_MS, &err);
}

/* Send requests of so many bytes and items whenever it may, looked at every ms: how many went. */
static uint64_t
send_for(struct quota *q, const char *tenant, uint64_t from_ms, uint64_t ms, uint64_t bytes,
    uint64_t items)
{
	uint64_t n = 0;
	for (uint64_t t = from_ms; t < from_ms + ms; t++) {
		if (look(q, tenant, t) != ERR_OK)
			continue;
		quota_pay(q, str_from(tenant), bytes, items, T0 + t * NS_PER_MS);
		n++;
	}
	return n;
}

TEST(ingest, quota_lets_a_tenant_send_at_its_rate_and_a_second_at_once)
{
	struct quota *q = new_quota(100000, 0, 1000);
	/* 10 s at 100,000 bytes a second, and the second that the bucket holds. */
	assert_in_range(send_for(q, "acme", 0, 10000, 1000, 7), 1098, 1102);
	/* After a rest of any length: a second's worth at once, no more. */
	uint64_t n = 0;
	while (look(q, "acme", 100000) == ERR_OK && n < 1000) {
		quota_pay(q, STR("acme"), 1000, 1, T0 + 100000 * NS_PER_MS);
		n++;
	}
	assert_int_equal(n, 100);
	quota_free(q);
	q = new_quota(0, 50, 1000);
	assert_in_range(send_for(q, "acme", 0, 10000, 1000000, 5), 109, 111);
	quota_free(q);
}

TEST(ingest, quota_lets_a_large_request_in_and_makes_the_next_wait_for_it)
{
	struct quota *q = new_quota(1000, 0, 1000);
	struct err err;
	assert_int_equal(look(q, "acme", 0), ERR_OK);
	quota_pay(q, STR("acme"), 5000, 1, T0);
	assert_int_equal(quota_look(q, STR("acme"), T0 + NS_PER_S, &err), ERR_BUSY);
	assert_in_range(err.retry_ms, 3000, 3001);
	assert_non_null(strstr(err.message, "1000 bytes a second (--tenant-bytes-per-s)"));
	assert_int_equal(look(q, "acme", 3990), ERR_BUSY);
	assert_int_equal(look(q, "acme", 4010), ERR_OK);
	quota_free(q);
}

TEST(ingest, quota_says_a_wait_after_which_it_lets_in)
{
	struct quota *q = new_quota(1000, 10, 1000);
	struct err err;
	/* Owes for 1 s by bytes and for 6 s by items, then the other way round. */
	quota_pay(q, STR("acme"), 2000, 70, T0);
	assert_int_equal(quota_look(q, STR("acme"), T0, &err), ERR_BUSY);
	assert_in_range(err.retry_ms, 6000, 6001);
	assert_non_null(strstr(err.message, "10 items a second"));
	assert_int_equal(look(q, "acme", err.retry_ms), ERR_OK);
	quota_pay(q, STR("zeta"), 9000, 20, T0);
	assert_int_equal(quota_look(q, STR("zeta"), T0, &err), ERR_BUSY);
	assert_in_range(err.retry_ms, 8000, 8001);
	assert_non_null(strstr(err.message, "1000 bytes a second"));
	assert_int_equal(look(q, "zeta", err.retry_ms), ERR_OK);
	/* The log's share: a time, for want of a better one. */
	quota_logged(q, STR("slow"), 501);
	assert_int_equal(quota_look(q, STR("slow"), T0, &err), ERR_BUSY);
	assert_int_equal(err.retry_ms, 1000);
	quota_free(q);
}

TEST(ingest, quota_of_one_tenant_is_nothing_to_another)
{
	struct quota *q = new_quota(0, 100, 1000);
	struct buf out = {0};
	assert_in_range(send_for(q, "greedy", 0, 5000, 1, 100), 6, 7);
	assert_int_equal(look(q, "acme", 1), ERR_OK);
	assert_in_range(send_for(q, "acme", 0, 5000, 1, 1), 598, 602);
	/* And of the log that waits. */
	for (int i = 0; i < 6; i++)
		quota_logged(q, STR("slow"), 100);
	assert_int_equal(look(q, "slow", 6000), ERR_BUSY);
	assert_int_equal(look(q, "acme", 60000), ERR_OK);
	quota_loaded(q, STR("slow"), 100);
	assert_int_equal(look(q, "slow", 6000), ERR_OK);
	quota_loaded(q, STR("slow"), 100000); /* of before the start */
	quota_logged(q, STR("slow"), 501);
	assert_int_equal(look(q, "slow", 6000), ERR_BUSY);
	quota_print(q, &out);
	buf_char(&out, '\0');
	assert_non_null(strstr(out.ptr,
	    "weir_tenant_refused_total{tenant=\"slow\",limit=\"lag\"} 2\n"));
	assert_non_null(strstr(out.ptr, "{tenant=\"greedy\",limit=\"items\"}"));
	buf_fini(&out);
	quota_free(q);
}

TEST(ingest, quota_may_be_another_for_some)
{
	struct quota *q = new_quota(1000, 10, 1000);
	struct err err;
	assert_int_equal(quota_override(q, STR(" acme:bytes=2k, items=0 ;zeta:items=20;"), &err),
	    ERR_OK);
	assert_in_range(send_for(q, "acme", 0, 10000, 1024, 1000), 21, 23);
	assert_in_range(send_for(q, "zeta", 0, 10000, 1, 1), 218, 222);
	assert_in_range(send_for(q, "other one", 0, 10000, 1, 1), 108, 112);
	static const char *const bad[] = {"acme", "acme:", ":bytes=1", "acme:bytes",
	    "acme:bytes=", "acme:bytes=-1", "acme:bytes=1x", "acme:bites=1", "a/b:bytes=1",
	    "acme:bytes=99999999999999999999", "acme:bytes=99999999999999999g",
	    "acme:bytes=1 zeta:bytes=1"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (quota_override(q, str_from(bad[i]), &err) != ERR_INVALID)
			fail_msg("%s is taken", bad[i]);
		assert_non_null(strstr(err.message, "is not like acme:bytes=10m,items=5000"));
	}
	quota_free(q);
}

TEST(ingest, quota_tells_so_many_tenants_apart_and_the_rest_share)
{
	struct quota *q = new_quota(0, 10, 1000);
	char name[32];
	for (int i = 0; i < QUOTA_TENANTS_MAX + 100; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		(void)look(q, name, 0);
	}
	quota_pay(q, str_from(name), 1, 100, T0);
	assert_int_equal(look(q, "yet-another", 1), ERR_BUSY);
	assert_int_equal(look(q, "t0", 1), ERR_OK);
	quota_free(q);
}
