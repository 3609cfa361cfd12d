/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/watch.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "bench/kit_server_test.h"

/* Runs with a watch on every request. */
static void
run_watched_looks(struct kit_server *s, uint64_t requests, uint64_t looks, uint64_t give_up_ns,
    struct watch_result *out)
{
	struct load *l = kit_load(s, PAYLOAD_JAEGER, (uint32_t)s->expected, false);
	struct watch *w = NULL;
	struct load_result r = {0};
	struct err err = {0};
	struct watch_options opt = {.api = str_from(s->url),
	    .share = 1,
	    .poll_ns = NS_PER_MS,
	    .looks = looks,
	    .give_up_ns = give_up_ns};
	if (watch_start(&opt, &w, &err) != ERR_OK)
		fail_msg("%s", err.message);
	struct load_plan plan = {.requests_max = requests, .on_ack = watch_offer, .ctx = w};
	assert_int_equal(load_run(l, &plan, &r, &err), ERR_OK);
	watch_stop(w, out);
	load_free(l);
	load_result_fini(&r);
}

static void
run_watched(struct kit_server *s, uint64_t requests, uint64_t give_up_ns, struct watch_result *out)
{
	run_watched_looks(s, requests, 0, give_up_ns, out);
}

TEST(bench_watch, some_traces_of_a_request_are_its_first_and_its_last)
{
	struct kit_server *s = kit_server_start(60);
	struct watch_result out = {0};
	run_watched_looks(s, 3, 2, 60 * NS_PER_S, &out);
	assert_int_equal(out.visible.count, 3);
	/* One request of each of three clients, six traces in it. */
	assert_int_equal(s->polls.count, 6);
	for (uint32_t client = 0; client < 3; client++) {
		struct payload p = {PAYLOAD_JAEGER, client, 60, 77};
		assert_non_null(map_get(&s->polls, payload_trace_id(&p, 0).lo));
		assert_non_null(map_get(&s->polls, payload_trace_id(&p, 5).lo));
	}
	watch_result_fini(&out);
	/* More than there are is all; one is one. */
	run_watched_looks(s, 3, 100, 60 * NS_PER_S, &out);
	assert_int_equal(out.visible.count, 3);
	watch_result_fini(&out);
	run_watched_looks(s, 3, 1, 60 * NS_PER_S, &out);
	assert_int_equal(out.visible.count, 3);
	watch_result_fini(&out);
	kit_server_stop(s);
}

TEST(bench_watch, a_request_is_visible_when_all_its_traces_are_whole)
{
	struct kit_server *s = kit_server_start(20);
	struct watch_result out = {0};
	s->polls_until_visible = 3; /* 404, then two answers with one span of ten */
	run_watched(s, 30, 60 * NS_PER_S, &out);
	assert_int_equal(out.err.code, ERR_OK);
	assert_int_equal(out.visible.count + out.not_followed, 30);
	assert_int_equal(out.not_followed, 0);
	assert_int_equal(out.never_seen, 0);
	/* Two traces a request, each asked for until its fourth answer; the last answer of the first
	 * trace and the first one of the second are one look. */
	assert_int_equal(s->polls.count, 60);
	for (size_t i = 0; i < s->polls.cap; i++)
		if (s->polls.used[i])
			assert_int_equal(s->polls.entries[i].value, 4);
	assert_int_equal(out.gaps.count, 30 * 6);
	assert_true(latency_quantile(&out.gaps, 0) >= NS_PER_MS);
	assert_true(latency_quantile(&out.visible, 0) >= 6 * NS_PER_MS);
	watch_result_fini(&out);
	kit_server_stop(s);
}

TEST(bench_watch, what_never_shows_is_counted_and_does_not_hang)
{
	struct kit_server *s = kit_server_start(20);
	struct watch_result out = {0};
	s->polls_until_visible = 1000000;
	run_watched(s, 5, 20 * NS_PER_MS, &out);
	assert_int_equal(out.never_seen, 5);
	assert_int_equal(out.visible.count, 0);
	watch_result_fini(&out);
	kit_server_stop(s);
}

TEST(bench_watch, the_span_count_is_that_of_the_top_level)
{
	assert_int_equal(watch_span_count(STR("{\"span_count\":7,\"x\":1}")), 7);
	assert_int_equal(watch_span_count(STR("{\"spans\":[{\"span_count\":3}],\"span_count\":8}")),
	    8);
	assert_int_equal(watch_span_count(STR("{\"spans\":[{\"span_count\":3}]}")), 0);
	assert_int_equal(watch_span_count(STR("{\"span_count\":\"7\"}")), 0);
	assert_int_equal(watch_span_count(STR("[{\"span_count\":7}]")), 0);
	assert_int_equal(watch_span_count(STR("{\"span_count")), 0);
	assert_int_equal(watch_span_count(STR_EMPTY), 0);
}
