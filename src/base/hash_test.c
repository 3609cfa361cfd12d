/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/limits.h"
#include "base/stats.h"
#include "tests/test.h"

/* RFC 3720 appendix B.4, and the check value of the CRC catalogue. */
TEST(base, crc32c_has_the_published_values)
{
	unsigned char bytes[32] = {0};
	assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(hash_crc32c(0, bytes, 32), 0x8a9136aau);
	memset(bytes, 0xff, 32);
	assert_int_equal(hash_crc32c(0, bytes, 32), 0x62a8ab43u);
	for (int i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(hash_crc32c(0, bytes, 32), 0x46dd794eu);
	for (size_t cut = 0; cut <= 32; cut++)
		assert_int_equal(hash_crc32c(hash_crc32c(0, bytes, cut), bytes + cut, 32 - cut),
		    0x46dd794eu);
}

TEST(base, request_identity_depends_on_tenant_signal_and_body)
{
	struct hash128 h[] = {
	    hash_request(STR("a"), 1, STR("body")),
	    hash_request(STR("b"), 1, STR("body")),
	    hash_request(STR("a"), 2, STR("body")),
	    hash_request(STR("a"), 1, STR("bodx")),
	    hash_request(STR("ab"), 1, STR("ody")),
	    hash_request(STR("a"), 1, STR_EMPTY),
	};
	for (size_t i = 0; i < sizeof(h) / sizeof(h[0]); i++)
		for (size_t k = 0; k < i; k++)
			assert_false(h[i].hi == h[k].hi && h[i].lo == h[k].lo);
	struct hash128 again = hash_request(STR("a"), 1, STR("body"));
	assert_true(again.hi == h[0].hi && again.lo == h[0].lo);
}

TEST(base, stats_print_one_head_per_family)
{
	struct stats s = {0};
	struct buf out = {0};
	stats_add(&s, STATS_SPANS_ACKED, 3);
	stats_add(&s, STATS_SPANS_ACKED, 4);
	stats_set(&s, STATS_LAG_BYTES, -1);
	stats_refused(&s, ERR_TOO_LARGE);
	stats_add(NULL, STATS_SPANS_ACKED, 1);
	stats_add(&s, STATS_QUERY_NS, 1500000000);
	stats_print(&s, &out);
	buf_char(&out, '\0');
	assert_non_null(strstr(out.ptr, "\nweir_items_acked_total{signal=\"traces\"} 7\n"));
	assert_non_null(strstr(out.ptr, "\nweir_lag_bytes -1\n"));
	assert_non_null(strstr(out.ptr, "\nweir_query_seconds_total 1.500000000\n"));
	assert_non_null(strstr(out.ptr, "weir_requests_refused_total{code=\"too_large\"} 1\n"));
	const char *head = strstr(out.ptr, "# TYPE weir_items_acked_total counter\n");
	assert_non_null(head);
	assert_null(strstr(head + 1, "# TYPE weir_items_acked_total"));
	buf_fini(&out);
}

TEST(base, limits_defaults_lie_within_their_bounds)
{
	struct limits l = limits_default();
#define X(option, field, dflt, min, max, help) assert_in_range(l.field, (min), (max));
	LIMIT_TABLE(X)
#undef X
	assert_int_equal(l.depth_max, 64);
	assert_int_equal(l.items_max, 100000);
}

TEST(hash, pieces_hash_as_the_whole)
{
	static char bytes[100000];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 + i / 255);
	static const size_t wholes[] = {0, 1, 16, 17, 240, 241, 1024, 65537, sizeof(bytes)};
	for (size_t w = 0; w < ARRAY_LEN(wholes); w++) {
		struct hash128 once = hash_u128(str_of(bytes, wholes[w]));
		for (size_t step = 1; step <= 70000; step = step * 7 + 1) {
			struct hash_stream *h = hash_stream_new();
			for (size_t at = 0; at < wholes[w]; at += step)
				hash_stream_add(h, bytes + at,
				    wholes[w] - at < step ? wholes[w] - at : step);
			struct hash128 again = hash_stream_end(h);
			assert_true(once.hi == again.hi && once.lo == again.lo);
		}
	}
}
