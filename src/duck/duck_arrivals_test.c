/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in the order of their arrival across starts, which conformance_arrivals_test.c has nothing of. */
#include "duck/duck_kit_test.h"

#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

enum { REQUESTS = 200, PAGE_ROWS = 17 };

struct follower {
	struct store_cursor place;
	struct buf spans; /* of uint64_t: seq, ord, span id */
};

/* All there is behind its place. */
static void
follow(struct store *s, struct follower *f)
{
	struct store_query q = store_conformance_question(STORE_ARRIVALS, "acme");
	bool more = true;
	q.row_max = PAGE_ROWS;
	while (more) {
		struct arena arena = {0};
		struct store_result r;
		q.after = f->place;
		store_conformance_ask(s, &q, &arena, &r);
		for (size_t row = 0; row < r.rows.row_count; row++) {
			f->place = (struct store_cursor){0, table_u64(&r.rows, row, SPAN_SEQ),
			    table_u32(&r.rows, row, SPAN_ORD), true};
			uint64_t span[] = {
			    f->place.seq, f->place.ord, table_u64(&r.rows, row, SPAN_SPAN_ID)};
			buf_append(&f->spans, span, sizeof(span));
		}
		more = r.more;
		arena_fini(&arena);
	}
}

static void
same_spans(const struct follower *a, const struct follower *b)
{
	assert_int_equal(a->spans.len, b->spans.len);
	assert_memory_equal(a->spans.ptr, b->spans.ptr, a->spans.len);
}

/* Seals whose seqs are known, of all there are. */
static size_t
known_seals(struct store *s, size_t *all_out)
{
	const struct duck_catalog *c = &duck_of(s)->catalog;
	size_t known = 0;
	*all_out = 0;
	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; c->tables[i]->id == TABLE_SPANS && k < c->tables[i]->seal_count;
		    k++) {
			known += c->tables[i]->seals[k].seq_max > 0;
			++*all_out;
		}
	return known;
}

/* Whatever of the log is in the files at a start, and whatever of it comes back first. */
static void
follow_across_starts(uint64_t seal_rows, uint64_t restart_every)
{
	struct duck_options opt = duck_kit_options(test_tmp_dir());
	struct follower f = {0}, expected = {0};
	struct store *reference = store_mem_new(), *s;
	bool ahead = false; /* files had rows beyond what a start had */
	opt.seal_rows = seal_rows;
	duck_kit_load(reference, REQUESTS, 1);
	follow(reference, &expected);
	for (uint64_t to = restart_every; to <= REQUESTS; to += restart_every) {
		s = duck_kit_open(&opt);
		uint64_t in_files = duck_kit_number(s,
		    "SELECT coalesce(max(seq), 0::UBIGINT) FROM positions WHERE base = 'spans'");
		ahead |= in_files > store_applied(s);
		/* It is behind by half of what came when the next run begins. */
		for (uint64_t n = 0; store_applied(s) < to; n++) {
			if (store_applied(s) + restart_every / 2 < to)
				follow(s, &f);
			duck_kit_load(s,
			    store_applied(s) + 1 + n % 4 < to ? store_applied(s) + 1 + n % 4 : to,
			    7);
		}
		duck_kit_wait_quiet(s);
		store_close(s);
	}
	assert_true(ahead);
	s = duck_kit_open(&opt);
	follow(s, &f);
	duck_kit_load(s, REQUESTS, 8);
	follow(s, &f);
	same_spans(&f, &expected);
	struct follower again = {0};
	follow(s, &again);
	same_spans(&again, &expected);
	size_t all;
	size_t known = known_seals(s, &all);
	assert_int_equal(known, all);
	assert_true(all > 0);
	store_close(s);
	store_close(reference);
	buf_fini(&f.spans);
	buf_fini(&again.spans);
	buf_fini(&expected.spans);
}

TEST(duck, arrivals_are_followed_across_starts_without_a_gap)
{
	follow_across_starts(64, 40);
}

TEST(duck, arrivals_are_followed_across_starts_of_large_seals_too)
{
	follow_across_starts(200, 66);
}

TEST(duck, arrivals_know_the_seqs_of_seals_of_this_run_and_of_earlier_ones)
{
	struct duck_options opt = duck_kit_eager(test_tmp_dir());
	struct store *s = duck_kit_open(&opt);
	size_t all;
	duck_kit_load(s, REQUESTS, 1);
	duck_kit_flush(s);
	size_t known = known_seals(s, &all);
	assert_int_equal(known, all);
	assert_true(all > 3);
	struct follower before = {0}, after = {0};
	follow(s, &before);
	store_close(s);
	s = duck_kit_open(&opt);
	assert_int_equal(known_seals(s, &all), 0);
	follow(s, &after);
	same_spans(&before, &after);
	known = known_seals(s, &all);
	assert_int_equal(known, all);
	struct duck_catalog *c = &duck_of(s)->catalog;
	for (size_t i = 0; i < c->count; i++)
		for (size_t k = 0; c->tables[i]->id == TABLE_SPANS && k < c->tables[i]->seal_count;
		    k++) {
			char name[DUCK_TABLE_NAME_BYTES], sql[160];
			const struct duck_seal_info *seal = &c->tables[i]->seals[k];
			duck_schema_table_name(&table_defs[TABLE_SPANS], c->tables[i]->day, name);
			snprintf(sql, sizeof(sql), "SELECT min(seq) FROM %s WHERE seal = %llu",
			    name, (unsigned long long)seal->gen);
			assert_int_equal(duck_kit_number(s, sql), seal->seq_min);
			snprintf(sql, sizeof(sql), "SELECT max(seq) FROM %s WHERE seal = %llu",
			    name, (unsigned long long)seal->gen);
			assert_int_equal(duck_kit_number(s, sql), seal->seq_max);
		}
	store_close(s);
	buf_fini(&before.spans);
	buf_fini(&after.spans);
}
