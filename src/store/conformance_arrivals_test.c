/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in the order of their arrival, against lists that are kept and sorted here. */
#include "store/conformance.h"

#include "base/timefmt.h"
#include "tests/random.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

enum { ARRIVALS_MAX = 4000, BATCHES = 25, BATCH_ROWS_MAX = 80 };

static const char *const tenants[] = {"acme", "globex"};

/* A span that was given to the store. */
struct arrival {
	uint64_t seq, span_id, start_ns;
	uint32_t ord;
	const char *tenant;
};

struct arrivals {
	struct arrival list[ARRIVALS_MAX];
	size_t count;
};

static int
by_place(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return (x->ord > y->ord) - (x->ord < y->ord);
}

static void
remember(struct arrivals *all, const struct batch *b)
{
	const struct table *t = &b->tables[TABLE_SPANS];
	for (size_t row = 0; row < t->row_count; row++) {
		bool first = str_eq(table_str(t, row, SPAN_TENANT), str_from(tenants[0]));
		assert_true(all->count < ARRIVALS_MAX);
		all->list[all->count++] = (struct arrival){table_u64(t, row, SPAN_SEQ),
		    table_u64(t, row, SPAN_SPAN_ID), table_u64(t, row, SPAN_START_NS),
		    table_u32(t, row, SPAN_ORD), tenants[first ? 0 : 1]};
	}
	qsort(all->list, all->count, sizeof(all->list[0]), by_place);
}

/* Is it one that a reader at this place is to get? */
static bool
is_behind(const struct arrival *a, const char *tenant, const struct store_cursor *place)
{
	const struct arrival at = {.seq = place->seq, .ord = place->ord};
	return strcmp(a->tenant, tenant) == 0 && (!place->set || by_place(a, &at) > 0);
}

/* A page behind a place is what the list says, and so are the place it ends at and what is left. Moves on. */
static void
read_page(struct store *s, const struct arrivals *all, const char *tenant, size_t row_max,
    struct store_cursor *place)
{
	struct store_query q = store_conformance_question(STORE_ARRIVALS, tenant);
	struct arena arena = {0};
	struct store_result r;
	size_t row = 0, left = 0;
	q.row_max = row_max;
	q.after = *place;
	q.after.time_ns = 12345; /* means nothing */
	store_conformance_ask(s, &q, &arena, &r);
	for (size_t i = 0; i < all->count; i++) {
		const struct arrival *a = &all->list[i];
		if (!is_behind(a, tenant, &q.after))
			continue;
		if (row == row_max) {
			left++;
			continue;
		}
		assert_in_range(row, 0, r.rows.row_count - 1);
		assert_int_equal(table_u64(&r.rows, row, SPAN_SEQ), a->seq);
		assert_int_equal(table_u32(&r.rows, row, SPAN_ORD), a->ord);
		assert_int_equal(table_u64(&r.rows, row, SPAN_SPAN_ID), a->span_id);
		assert_int_equal(table_u64(&r.rows, row, SPAN_START_NS), a->start_ns);
		assert_true(store_find_id(&r.resources,
		                table_u64(&r.rows, row, SPAN_RESOURCE_ID)) != SIZE_MAX);
		*place = (struct store_cursor){0, a->seq, a->ord, true};
		row++;
	}
	assert_int_equal(r.rows.row_count, row);
	assert_int_equal(r.remaining, left);
	assert_int_equal(r.more, left > 0);
	if (r.more)
		assert_true(r.next.set && r.next.seq == place->seq && r.next.ord == place->ord);
	arena_fini(&arena);
}

static void
put_random(struct store *s, struct arrivals *all, struct rng *r, struct batch *b)
{
	uint64_t seq = store_applied(s) + 1 + rng_below(r, 3);
	store_conformance_batch(b, rng_next(r), seq, 1 + rng_below(r, BATCH_ROWS_MAX));
	remember(all, b);
	store_conformance_put(s, b);
}

void
store_conformance_arrivals_come_once_each_in_order_while_more_come(struct store *s)
{
	static const size_t page_rows[] = {1, 7, 1000};
	struct store_cursor places[ARRAY_LEN(page_rows)][ARRAY_LEN(tenants)] = {{{0}}};
	struct arrivals *all = calloc(1, sizeof(*all));
	struct rng r = {81};
	struct batch b;
	assert_non_null(all);
	batch_init(&b, 0);
	for (size_t i = 0; i < BATCHES; i++) {
		put_random(s, all, &r, &b);
		/* Some readers are slow. */
		for (size_t p = 0; p < ARRAY_LEN(page_rows); p++)
			for (size_t n = rng_below(&r, 3); n > 0; n--) {
				size_t t = rng_below(&r, ARRAY_LEN(tenants));
				read_page(s, all, tenants[t], page_rows[p], &places[p][t]);
			}
	}
	for (size_t p = 1; p < ARRAY_LEN(page_rows); p++)
		for (size_t n = 0; n <= all->count / page_rows[p] + 1; n++)
			read_page(s, all, tenants[n % 2], page_rows[p], &places[p][n % 2]);
	/* The rows are those of any other question. */
	struct arena arena = {0}, other = {0};
	struct store_result spans, arrivals;
	struct store_query q = store_conformance_question(STORE_ARRIVALS, tenants[0]);
	store_conformance_all(s, STORE_SPANS, str_from(tenants[0]), &arena, &spans);
	store_conformance_ask(s, &q, &other, &arrivals);
	assert_int_equal(spans.rows.row_count, arrivals.rows.row_count);
	for (size_t a = 0; a < arrivals.rows.row_count; a++) {
		size_t x = 0;
		while (table_u64(&spans.rows, x, SPAN_SPAN_ID) !=
		    table_u64(&arrivals.rows, a, SPAN_SPAN_ID))
			x++;
		store_conformance_same_row(&arrivals.rows, a, &spans.rows, x);
	}
	arena_fini(&arena);
	arena_fini(&other);
	batch_fini(&b);
	free(all);
}

void
store_conformance_arrivals_go_on_behind_any_place(struct store *s)
{
	struct arrivals *all = calloc(1, sizeof(*all));
	struct rng r = {82};
	struct batch b;
	assert_non_null(all);
	batch_init(&b, 0);
	for (size_t i = 0; i < BATCHES; i++)
		put_random(s, all, &r, &b);
	for (size_t i = 0; i < 60; i++) {
		struct store_cursor place = {0,
		    rng_one_in(&r, 10) ? UINT64_MAX : rng_below(&r, 3 * BATCHES),
		    rng_one_in(&r, 4) ? UINT32_MAX : (uint32_t)rng_below(&r, BATCH_ROWS_MAX), true};
		const char *tenant = tenants[rng_below(&r, 2)];
		read_page(s, all, tenant, 1 + rng_below(&r, 30), &place);
		read_page(s, all, tenant, 1 + rng_below(&r, 30), &place);
	}
	struct store_cursor nowhere = {0};
	read_page(s, all, "nobody", 10, &nowhere);
	batch_fini(&b);
	free(all);
}

void
store_conformance_arrivals_that_are_left_are_counted(struct store *s)
{
	enum { ROWS = STORE_REMAINING_MAX + 10 };
	struct store_result result;
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = 1;
	for (size_t i = 0; i < ROWS; i++) {
		size_t row = store_conformance_row(&b, TABLE_SPANS, "acme", i,
		    CONFORMANCE_NOW_NS - i % 3 * NS_PER_DAY);
		table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_SPAN_ID, i + 1);
		table_set_u64(&b.tables[TABLE_SPANS], row, SPAN_TRACE_HI, i % 100 + 1);
	}
	store_conformance_put(s, &b);
	static const size_t pages[] = {1, 9, 10, 11, 100, ROWS - 1, ROWS};
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct arena arena = {0};
		size_t left = ROWS - pages[i];
		struct store_query q = store_conformance_question(STORE_ARRIVALS, "acme");
		q.row_max = pages[i];
		store_conformance_ask(s, &q, &arena, &result);
		assert_int_equal(result.rows.row_count, pages[i]);
		assert_int_equal(result.more, left > 0);
		assert_int_equal(result.remaining,
		    left < STORE_REMAINING_MAX ? left : STORE_REMAINING_MAX);
		arena_fini(&arena);
	}
	batch_fini(&b);
}
