/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/live.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/kit_server_test.h"
#include "sys/clock.h"

#include <string.h>

TEST(bench_live, it_goes_on_at_its_rate_until_it_is_stopped)
{
	struct kit_server *s = kit_server_start(50);
	struct live *live;
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_JAEGER,
	    .spans = 50,
	    .connections = 2,
	    .first_client = 5,
	    .inflight = 4,
	    .salt = 77};
	struct load_result r = {0};
	struct err err = {0};
	assert_int_equal(live_start(&opt, 10000, &live, &err), ERR_OK);
	clock_sleep_ns(300 * NS_PER_MS);
	uint64_t begun = load_started_spans(live_load(live));
	assert_true(begun > 0 && begun <= 3500);
	assert_int_equal(live_stop(live, &r, &err), ERR_OK);
	double seconds = (double)(r.end_mono_ns - r.start_mono_ns) / 1e9;
	assert_true((double)r.spans <= 10000 * seconds + 100);
	assert_true(r.spans >= begun && r.requests == r.latency.count);
	assert_int_equal(s->spans.count, r.spans);
	assert_false(s->broken);
	load_result_fini(&r);
	/* What ended it before is told in the end. */
	s->answer = KIT_ANSWER_FAIL;
	assert_int_equal(live_start(&opt, 10000, &live, &err), ERR_OK);
	clock_sleep_ns(50 * NS_PER_MS);
	assert_int_equal(live_stop(live, &r, &err), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.message, "not now"));
	load_result_fini(&r);
	memset(&r, 0, sizeof(r));
	assert_int_equal(live_stop(NULL, &r, &err), ERR_OK);
	kit_server_stop(s);
}

TEST(bench_live, what_was_due_when_it_was_stopped_and_not_sent_is_counted)
{
	struct kit_server *s = kit_server_start(50);
	struct live *live;
	struct load_options opt = {.grpc = str_from(s->address),
	    .payload = PAYLOAD_JAEGER,
	    .spans = 50,
	    .connections = 1,
	    .inflight = 1,
	    .salt = 77};
	struct load_result r = {0};
	struct err err = {0};
	s->hold_ns = 100 * NS_PER_MS;
	assert_int_equal(live_start(&opt, 10000, &live, &err), ERR_OK);
	clock_sleep_ns(400 * NS_PER_MS);
	assert_int_equal(live_stop(live, &r, &err), ERR_OK);
	assert_true(r.requests >= 1 && r.requests <= 8);
	assert_true(r.unsent_requests >= 30);
	load_result_fini(&r);
	kit_server_stop(s);
}
