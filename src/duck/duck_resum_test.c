/* SPDX-License-Identifier: Apache-2.0 */
/* Seals without sums, as a weir of before wrote them. */
#include "duck/duck_kit_test.h"
#include "duck/duck_parts.h"

#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

#include <stdlib.h>

enum { REQUESTS_THOROUGH = 400, REQUESTS = 120 };

static void
same_analysis(struct store *s, struct store *reference, unsigned want)
{
	static const struct partial_span windows[] = {{0, UINT64_MAX},
	    {CONFORMANCE_NOW_NS - UINT64_C(3600000000000), UINT64_MAX},
	    {CONFORMANCE_NOW_NS - UINT64_C(90000000000000), CONFORMANCE_NOW_NS}};
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		struct partial got, right;
		struct buf a = {0}, b = {0};
		struct partial_scope scope = {
		    .want = want, .windows = {windows[i]}, .window_count = 1};
		partial_init(&got, &scope, 0);
		partial_init(&right, &scope, 0);
		store_conformance_analyse(s, "acme", &got);
		store_conformance_analyse(reference, "acme", &right);
		partial_pack(&got, &a);
		partial_pack(&right, &b);
		assert_true(str_eq(buf_view(&a), buf_view(&b)));
		buf_fini(&a);
		buf_fini(&b);
		partial_fini(&got);
		partial_fini(&right);
	}
}

static uint64_t
digest_of_sums(struct store *s)
{
	return duck_kit_number(s,
	    "SELECT (SELECT coalesce(sum(hash(gen, tenant, kind, service, width_s, first_ns, last_ns, items)"
	    " % 1000000007), 0) FROM seal_parts)::UBIGINT + (SELECT coalesce(sum(hash(gen, kind, place,"
	    " word) % 1000000007), 0) FROM seal_words)::UBIGINT + (SELECT coalesce(sum(hash(gen, hash)"
	    " % 1000000007), 0) FROM seal_hashes)::UBIGINT");
}

TEST(duck, seals_of_before_get_the_sums_they_would_have_been_given)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_eager(dir);
	struct store *s = duck_kit_open(&opt), *reference = store_mem_new();
	uint64_t requests = test_is_thorough() ? REQUESTS_THOROUGH : REQUESTS;
	duck_kit_load(s, requests, 3);
	duck_kit_load(reference, requests, 3);
	duck_kit_flush(s);
	duck_kit_wait_quiet(s);
	uint64_t digest = digest_of_sums(s);
	uint64_t seals = duck_kit_number(s, "SELECT count(DISTINCT gen)::UBIGINT FROM seal_parts");
	assert_true(seals > 10);
	store_close(s);
	/* One that lost only some is not one of before, which has none. */
	duck_kit_sql_on_file(dir,
	    "DELETE FROM seal_parts; DELETE FROM seal_words; DELETE FROM seal_hashes");
	s = duck_kit_open(&opt);
	/* Right, whether they have them yet or not. */
	for (int i = 0; i < (test_is_thorough() ? 8 : 4); i++)
		same_analysis(s, reference, PARTIAL_ALL);
	duck_kit_wait_quiet(s);
	assert_int_equal(duck_kit_number(s, "SELECT count(DISTINCT gen)::UBIGINT FROM seal_parts"),
	    seals);
	assert_true(digest_of_sums(s) == digest);
	same_analysis(s, reference, PARTIAL_ALL);
	store_close(s);
	duck_kit_whole(dir);
	s = duck_kit_open(&opt);
	duck_kit_wait_quiet(s);
	assert_true(digest_of_sums(s) == digest);
	same_analysis(s, reference, PARTIAL_ALL);
	store_close(s);
	store_close(reference);
}
