/* SPDX-License-Identifier: Apache-2.0 */
/* Positions of sources in the file: with their rows, never before them, and few of them. */
#include "duck/duck_kit_test.h"

#include "base/timefmt.h"
#include "store/conformance.h"
#include "tests/test.h"

#include <stdio.h>

/* One request of `rows` spans that was pulled from `source`; its position is its seq. */
static void
pull(struct store *s, struct batch *b, const char *source, uint64_t rows)
{
	uint64_t seq = store_applied(s) + 1;
	duck_kit_begin(b, seq);
	struct batch_request *r = batch_request_add(b);
	assert_non_null(r);
	r->seq = seq;
	r->identity = (struct hash128){seq, seq};
	r->tenant = STR("acme");
	r->signal = SIGNAL_TRACES;
	r->rows = (uint32_t)rows;
	r->source = str_from(source);
	r->position = arena_printf(&b->arena, "%llu", (unsigned long long)seq);
	for (uint32_t ord = 0; ord < rows; ord++)
		duck_kit_span(b, seq, ord, ord + 1, CONFORMANCE_NOW_NS + seq);
	for (size_t row = 0; row < rows; row++)
		table_set_u64(&b->tables[TABLE_SPANS], row, SPAN_TRACE_LO, seq);
	store_conformance_put(s, b);
}

/* 0: there is none. */
static uint64_t
position_of(struct store *s, const char *source)
{
	struct store_pull p;
	uint64_t seq = 0;
	if (!store_pulled(s, STR("acme"), str_from(source), &p))
		return 0;
	assert_true(str_to_u64(str_of((const char *)p.position, p.position_len), &seq));
	assert_int_equal(seq, p.seq);
	return seq;
}

TEST(duck, pulled_position_is_in_the_file_when_all_its_rows_are_and_not_before)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_options(dir);
	struct batch b;
	uint64_t position = 0;
	batch_init(&b, 0);
	opt.seal_rows = 64;
	struct store *s = duck_kit_open(&opt);
	pull(s, &b, "a", 40);
	pull(s, &b, "a", 40); /* the seal of 64 rows takes a part of it */
	duck_kit_wait_quiet(s);
	assert_int_equal(position_of(s, "a"), 2);
	store_close(s);
	size_t n = duck_kit_numbers_on_file(dir, "SELECT max(seq) FROM pulls", &position, 1);
	assert_int_equal(n, 1);
	assert_int_equal(position, 1);
	s = duck_kit_open(&opt); /* the log brings the rest */
	assert_int_equal(store_position(s), 1);
	assert_int_equal(position_of(s, "a"), 1);
	pull(s, &b, "a", 40);
	assert_int_equal(position_of(s, "a"), 2);
	duck_kit_flush(s);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(position_of(s, "a"), 2);
	store_close(s);
	batch_fini(&b);
}

/* Every request moves the source, so that the file has the position of exactly what it says the log is not needed for. */
TEST(duck, pulled_position_without_rows_is_in_the_file_before_the_log_is_not_needed)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_options(dir);
	struct batch b;
	batch_init(&b, 0);
	opt.idle_ms = 1;
	struct store *s = duck_kit_open(&opt);
	for (int i = 0; i < 2000; i++) {
		pull(s, &b, "a", 0);
		if (i % 7 == 0)
			duck_keep_ring(duck_of(s));
		if (i % 100 != 0)
			continue;
		duck_kit_wait_quiet(s);
		const char *copy = duck_kit_copy(dir);
		uint64_t floor = 0, seq = 0;
		size_t n =
		    duck_kit_numbers_on_file(copy, "SELECT max(floor) FROM seals", &floor, 1);
		assert_int_equal(n, 1);
		n = duck_kit_numbers_on_file(copy, "SELECT max(seq) FROM pulls", &seq, 1);
		assert_int_equal(n, 1);
		assert_true(floor > 0);
		assert_int_equal(floor, seq);
	}
	store_close(s);
	duck_kit_whole(dir);
	batch_fini(&b);
}

/* Those of one source are thinned out, that of the other stays. */
TEST(duck, positions_that_wait_for_the_file_are_few_and_the_newest_ones_among_them)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_options(dir);
	struct batch b;
	batch_init(&b, 0);
	struct store *s = duck_kit_open(&opt);
	pull(s, &b, "b", 1);
	for (int i = 0; i < 10000; i++) {
		pull(s, &b, "a", i == 0);
		assert_in_range(duck_of(s)->pulls.pending_count, 1, 4097);
	}
	assert_int_equal(position_of(s, "a"), 10001);
	assert_int_equal(position_of(s, "b"), 1);
	duck_kit_flush(s);
	assert_int_equal(duck_of(s)->pulls.pending_count, 0);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(position_of(s, "a"), 10001);
	assert_int_equal(position_of(s, "b"), 1);
	store_close(s);
	batch_fini(&b);
}

TEST(duck, positions_of_before_are_deleted_from_the_file)
{
	const char *dir = test_tmp_dir();
	struct duck_options opt = duck_kit_options(dir);
	struct batch b;
	batch_init(&b, 0);
	opt.seal_rows = 8;
	struct store *s = duck_kit_open(&opt);
	pull(s, &b, "b", 8);
	const uint64_t pulls = 120; /* more than the file may have positions */
	for (uint64_t i = 0; i < pulls; i++) {
		pull(s, &b, "a", 8);
		duck_kit_wait_quiet(s);
		assert_in_range(duck_kit_number(s, "SELECT count(*)::UBIGINT FROM pulls"), 1, 80);
	}
	assert_int_equal(duck_of(s)->pulls.file_rows,
	    duck_kit_number(s, "SELECT count(*)::UBIGINT FROM pulls"));
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(position_of(s, "a"), pulls + 1);
	assert_int_equal(position_of(s, "b"), 1);
	store_close(s);
	batch_fini(&b);
}
