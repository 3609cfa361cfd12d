/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/shop.h"

#include "base/timefmt.h"
#include "otlp/otlp.h"
#include "tests/test.h"

#include <stdlib.h>

static const uint64_t now_ns = UINT64_C(1795187531000000000);

static uint64_t
accepted(enum signal_kind signal, const struct buf *body)
{
	struct limits limits = limits_default();
	struct otlp_counts counts;
	struct err err;
	assert_false(body->failed);
	assert_int_equal(otlp_scan(signal, buf_view(body), &limits, &counts, &err), ERR_OK);
	assert_int_equal(counts.rejected, 0);
	return counts.accepted;
}

TEST(demo, every_story_is_valid_otlp_and_nothing_of_it_is_refused)
{
	struct shop shop;
	struct shop_story *story = xcalloc(1, sizeof(*story));
	struct buf body = {0};
	shop_init(&shop, 7, 99, now_ns - NS_PER_DAY);
	for (int i = 0; i < 500; i++) {
		shop_play(&shop, now_ns + (uint64_t)i, story);
		shop_encode_spans(story, &body);
		assert_int_equal(accepted(SIGNAL_TRACES, &body), story->span_count);
		shop_encode_logs(story, &body);
		assert_int_equal(accepted(SIGNAL_LOGS, &body), story->log_count);
	}
	shop_story_fini(story);
	free(story);
	buf_fini(&body);
}

static const struct shop_span *
find_span(const struct shop_story *story, uint64_t span_id)
{
	for (size_t i = 0; i < story->span_count; i++)
		if (story->spans[i].span.span_id == span_id)
			return &story->spans[i];
	return NULL;
}

TEST(demo, a_story_is_one_tree_that_ends_when_it_was_told_to)
{
	struct shop shop;
	struct shop_story *story = xcalloc(1, sizeof(*story));
	uint64_t errors = 0, agents = 0, logs = 0;
	shop_init(&shop, 1, 2, now_ns - NS_PER_DAY);
	for (int i = 0; i < 300; i++) {
		shop_play(&shop, now_ns, story);
		for (size_t k = 0; k < story->span_count; k++) {
			const struct otlp_span *s = &story->spans[k].span;
			const struct shop_span *parent = find_span(story, s->parent_id);
			assert_true((k == 0) == (s->parent_id == 0));
			assert_true(s->start_ns <= s->end_ns && s->end_ns <= now_ns);
			assert_true(k == 0 || parent != NULL);
			assert_true(k == 0 ||
			    (s->start_ns >= parent->span.start_ns &&
			        s->end_ns <= parent->span.end_ns));
			errors += s->status_code == 2;
			agents += str_starts(s->name, STR("invoke_agent"));
		}
		for (size_t k = 0; k < story->log_count; k++)
			assert_non_null(find_span(story, story->logs[k].log.span_id));
		logs += story->log_count;
		assert_true(story->spans[0].span.end_ns == now_ns);
	}
	assert_in_range(errors, 10, 2000);
	assert_in_range(agents, 10, 100);
	assert_true(logs > 50);
	shop_story_fini(story);
	free(story);
}

TEST(demo, metrics_are_of_every_kind)
{
	struct shop shop;
	struct shop_story *story = xcalloc(1, sizeof(*story));
	struct limits limits = limits_default();
	struct otlp_origin origin = {.tenant = STR("t"), .seq = 1, .received_ns = now_ns};
	struct buf body = {0};
	struct batch batch;
	struct err err;
	bool seen[POINT_SUMMARY + 1] = {0};
	shop_init(&shop, 3, 4, now_ns - NS_PER_DAY);
	for (int i = 0; i < 100; i++)
		shop_play(&shop, now_ns, story);
	shop_encode_metrics(&shop, now_ns, &body);
	batch_init(&batch, 0);
	assert_int_equal(otlp_decode(SIGNAL_METRICS, buf_view(&body), &limits, &origin, &batch,
	                     &err),
	    ERR_OK);
	const struct table *points = &batch.tables[TABLE_POINTS];
	assert_true(points->row_count > 20);
	for (size_t i = 0; i < points->row_count; i++)
		seen[table_i32(points, i, POINT_TYPE)] = true;
	for (int type = POINT_GAUGE; type <= POINT_SUMMARY; type++)
		assert_true(seen[type]);
	batch_fini(&batch);
	buf_fini(&body);
	shop_story_fini(story);
	free(story);
}

TEST(demo, the_same_seed_plays_the_same_shop)
{
	struct shop shops[2];
	struct shop_story *story = xcalloc(1, sizeof(*story));
	struct buf bodies[2] = {{0}};
	for (int i = 0; i < 2; i++) {
		shop_init(&shops[i], 5, 6, now_ns - NS_PER_DAY);
		for (int k = 0; k < 20; k++)
			shop_play(&shops[i], now_ns, story);
		shop_encode_spans(story, &bodies[i]);
	}
	assert_true(str_eq(buf_view(&bodies[0]), buf_view(&bodies[1])));
	buf_fini(&bodies[0]);
	buf_fini(&bodies[1]);
	shop_story_fini(story);
	free(story);
}

TEST(demo, a_story_that_is_to_fail_fails_at_its_root)
{
	struct shop shop;
	struct shop_story *story = xcalloc(1, sizeof(*story));
	for (uint64_t seed = 0; seed < 50; seed++) {
		shop_init(&shop, seed, 1, now_ns - NS_PER_DAY);
		shop.next_fails = true;
		shop_play(&shop, now_ns, story);
		assert_int_equal(story->spans[0].span.status_code, 2);
		assert_false(shop.next_fails);
	}
	shop_story_fini(story);
	free(story);
}
