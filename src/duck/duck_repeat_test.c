/* SPDX-License-Identifier: Apache-2.0 */
/* What was there before is recognised: in memory, in the file, after a start, and when memory forgets. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <inttypes.h>
#include <stdio.h>

enum { AT_ONCE = 4000, FILTER_BYTES_MIN = 64 << 10 };

/* Spans [first, first + count) of a day so many back, as one request. */
static void
put_spans(struct batch *b, uint64_t seq, uint64_t first, uint32_t count, uint64_t days_back)
{
	duck_kit_begin(b, seq);
	struct batch_request *r = batch_request_add(b);
	assert_non_null(r);
	r->seq = seq;
	r->identity = (struct hash128){seq, ~seq};
	r->received_ns = duck_kit_now();
	r->rows = count;
	struct table *t = &b->tables[TABLE_SPANS];
	for (uint32_t i = 0; i < count; i++) {
		uint64_t start = CONFORMANCE_NOW_NS - days_back * NS_PER_DAY - first - i;
		size_t row = duck_kit_span(b, seq, i, first + i + 1, start);
		table_set_u64(t, row, SPAN_TRACE_HI, duck_kit_random((first + i) / 10, 1, 0));
		table_set_u64(t, row, SPAN_TRACE_LO, 5);
	}
}

/* All of them again: how many of them are recognised. */
static uint64_t
repeats(struct store *s, uint64_t spans, uint64_t days_back)
{
	struct batch b;
	uint64_t n = 0;
	batch_init(&b, 0);
	for (uint64_t first = 0; first < spans; first += AT_ONCE) {
		put_spans(&b, store_applied(s) + 1, first, AT_ONCE, days_back);
		store_conformance_put(s, &b);
		n += b.requests[0].duplicates;
	}
	batch_fini(&b);
	return n;
}

static uint64_t
spans_of(struct store *s)
{
	return duck_kit_count(s, STORE_SPANS, "acme");
}

/* In memory, half and half, in the file, and after a start. */
static void
recognised_everywhere(uint64_t spans, uint64_t days_back, uint64_t identity_bytes_max, bool forgets)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = 6000;
	opt.log_bytes_max = 1000 * KIT_REQUEST_BYTES;
	opt.identity_bytes_max = identity_bytes_max;
	struct store *s = duck_kit_open(&opt);
	struct store_status status;
	assert_int_equal(repeats(s, spans, days_back), 0);
	assert_int_equal(repeats(s, spans, days_back), spans);
	duck_kit_flush(s);
	assert_int_equal(repeats(s, spans, days_back), spans);
	for (int i = 0; i < 2; i++) {
		store_close(s);
		s = duck_kit_open(&opt);
		assert_int_equal(repeats(s, spans, days_back), spans);
		assert_int_equal(spans_of(s), spans);
		store_status(s, &status);
		assert_int_equal(status.identities_forgotten > 0, forgets);
		duck_kit_flush(s);
	}
	store_close(s);
}

TEST(duck, span_of_today_is_recognised_wherever_it_is)
{
	recognised_everywhere(3 * AT_ONCE, 0, 0, false);
}

TEST(duck, span_of_a_day_the_filter_does_not_cover_is_recognised_wherever_it_is)
{
	recognised_everywhere(3 * AT_ONCE, 10, 0, false);
}

TEST(duck, span_too_old_for_a_day_of_its_own_is_recognised_wherever_it_is)
{
	recognised_everywhere(AT_ONCE, 500, 0, false);
}

/* The filter forgets when its memory is used up: then the file is asked about every span. */
TEST(duck, span_that_the_filter_has_forgotten_is_recognised_all_the_same)
{
	recognised_everywhere(20 * AT_ONCE, 0, FILTER_BYTES_MIN, true);
}

/* ---- comments */

/* [first, first + count), each of a request of its own would be a thousand appends: one request. */
static void
put_comments(struct batch *b, uint64_t seq, uint64_t first, uint32_t count, uint64_t days_back)
{
	duck_kit_begin(b, seq);
	struct batch_request *r = batch_request_add(b);
	assert_non_null(r);
	*r = (struct batch_request){.seq = seq,
	    .identity = {seq, ~seq},
	    .received_ns = duck_kit_now(),
	    .signal = SIGNAL_COMMENTS,
	    .rows = count};
	struct table *t = &b->tables[TABLE_COMMENTS];
	for (uint32_t i = 0; i < count; i++) {
		char id[32];
		snprintf(id, sizeof(id), "comment-%" PRIu64, first + i);
		size_t row = duck_kit_comment(b, seq, i, id,
		    CONFORMANCE_NOW_NS - days_back * NS_PER_DAY - first - i);
		table_set_u64(t, row, COMMENT_TRACE_LO, 1 + (first + i) % 7);
		table_set_str(t, row, COMMENT_AUTHOR, STR("ada"));
		table_set_str(t, row, COMMENT_BODY, STR("text"));
	}
}

static uint64_t
repeated_comments(struct store *s, uint32_t count, uint64_t days_back)
{
	struct batch b;
	batch_init(&b, 0);
	put_comments(&b, store_applied(s) + 1, 0, count, days_back);
	store_conformance_put(s, &b);
	uint64_t n = b.requests[0].duplicates;
	batch_fini(&b);
	return n;
}

/* In memory, in the file, after starts; the catch-all and days of their own; whatever else the filter has forgotten. */
static void
comments_recognised(uint32_t count, uint64_t days_back, uint64_t identity_bytes_max)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	opt.seal_rows = 600;
	opt.log_bytes_max = 1000 * KIT_REQUEST_BYTES;
	opt.identity_bytes_max = identity_bytes_max;
	struct store *s = duck_kit_open(&opt);
	assert_int_equal(repeated_comments(s, count, days_back), 0);
	assert_int_equal(repeated_comments(s, count, days_back + 1), count);
	if (identity_bytes_max > 0)
		(void)repeats(s, 20 * AT_ONCE, 0);
	duck_kit_flush(s);
	assert_int_equal(repeated_comments(s, count, days_back), count);
	for (int i = 0; i < 2; i++) {
		store_close(s);
		s = duck_kit_open(&opt);
		assert_int_equal(repeated_comments(s, count, days_back), count);
		assert_int_equal(duck_kit_count(s, STORE_COMMENTS, "acme"), count);
	}
	/* One more than there was is one more. */
	assert_int_equal(repeated_comments(s, count + 1, days_back), count);
	store_close(s);
}

TEST(duck, comment_is_recognised_wherever_it_is)
{
	comments_recognised(100, 0, 0);
	comments_recognised(2500, 0, 0);
}

TEST(duck, comment_of_long_ago_is_recognised_wherever_it_is)
{
	comments_recognised(1500, 30, 0);
	comments_recognised(100, 3000, 0);
}

TEST(duck, comment_that_the_filter_has_forgotten_is_recognised_all_the_same)
{
	comments_recognised(1500, 0, FILTER_BYTES_MIN);
}

/* ---- requests */

static void
put_requests(struct store *s, uint64_t count, uint64_t received_ns)
{
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t seq = store_applied(s) + 1;
		put_spans(&b, seq, seq * 2, 2, 0);
		b.requests[0].received_ns = received_ns;
		store_conformance_put(s, &b);
	}
	batch_fini(&b);
}

static uint64_t
known(struct store *s, uint64_t first, uint64_t last)
{
	uint64_t n = 0;
	for (uint64_t seq = first; seq <= last; seq++) {
		uint64_t as = store_knows(s, (struct hash128){seq, ~seq});
		assert_true(as == 0 || as == seq);
		n += as != 0;
	}
	return n;
}

TEST(duck, file_keeps_no_more_requests_than_are_recognised)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	opt.request_count_max = 400;
	struct store *s = duck_kit_open(&opt);
	for (int i = 0; i < 20; i++) {
		put_requests(s, 200, CONFORMANCE_NOW_NS);
		duck_kit_wait_quiet(s);
		assert_in_range(duck_kit_number(s, "SELECT count(*)::UBIGINT FROM requests"), 0,
		    400 + 400 / 8);
	}
	assert_int_equal(known(s, 3601, 4000), 400);
	duck_kit_flush(s);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(known(s, 1, 4000), 400);
	assert_int_equal(known(s, 3601, 4000), 400);
	store_close(s);
}

TEST(duck, requests_are_known_after_a_start_for_their_age_and_up_to_their_number)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	opt.request_age_ns = NS_PER_DAY;
	opt.request_count_max = 100;
	struct store *s = duck_kit_open(&opt);
	put_requests(s, 20, CONFORMANCE_NOW_NS - NS_PER_DAY + NS_PER_S); /* 1 - 20: will age */
	put_requests(s, 40, CONFORMANCE_NOW_NS);
	assert_int_equal(known(s, 1, 60), 60);
	duck_kit_flush(s); /* 61 */
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(known(s, 1, 60), 60);
	duck_kit_set_now(CONFORMANCE_NOW_NS + 2 * NS_PER_S);
	put_requests(s, 1, CONFORMANCE_NOW_NS); /* 62 */
	assert_int_equal(known(s, 1, 20), 0);
	assert_int_equal(known(s, 21, 60), 40);
	put_requests(s, 80, CONFORMANCE_NOW_NS); /* 63 - 142: too many */
	assert_int_equal(known(s, 63, 142), 80);
	assert_int_equal(known(s, 1, 142), 100);
	duck_kit_flush(s);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(known(s, 1, 142), 100);
	assert_int_equal(known(s, 63, 142), 80);
	store_close(s);
}
