/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/conformance.h - what every store must do, as tests (in conformance_*test.c). A backend's
 * tests call each with a new, empty store, which the caller closes.
 *
 * A store that decides by the clock must take CONFORMANCE_NOW_NS for now.
 */
#ifndef STORE_CONFORMANCE_H
#define STORE_CONFORMANCE_H

#include "store/store.h"

/* 2026-11-20 12:00 UTC */
#define CONFORMANCE_NOW_NS (UINT64_C(20777) * 86400 * 1000000000 + UINT64_C(43200) * 1000000000)

/* X(claim): void store_conformance_<claim>(struct store *s) */
#define STORE_CONFORMANCE(X)                                                                       \
	X(empty_store_answers_with_nothing)                                                        \
	X(every_kind_of_value_comes_back)                                                          \
	X(position_follows_batches_without_rows_too)                                               \
	X(each_filter_selects_its_rows)                                                            \
	X(attribute_filters_are_exact)                                                             \
	X(time_bounds_are_half_open)                                                               \
	X(pages_cover_all_rows_once_in_order)                                                      \
	X(tenants_do_not_see_each_other)                                                           \
	X(result_has_only_the_dictionary_rows_it_names)                                            \
	X(services_are_counted_exactly)                                                            \
	X(hostile_text_is_only_text)                                                               \
	X(answer_beyond_the_budget_is_too_large)                                                   \
	X(readers_see_whole_batches)

/* The same, about what is there already, and ranges of attributes. In those a stored number is the
 * decimal of its typed JSON, `value` one as JSON writes numbers; NaN and the infinities are none. */
#define STORE_CONFORMANCE_IDENTITY(X)                                                              \
	X(attribute_ranges_are_exact)                                                              \
	X(span_twice_in_a_batch_is_one_row)                                                        \
	X(span_in_a_later_batch_keeps_its_first_content)                                           \
	X(span_identity_is_all_of_tenant_trace_and_span)                                           \
	X(equal_logs_and_points_are_as_many_rows)                                                  \
	X(duplicates_are_counted_for_their_request)                                                \
	X(known_request_is_known_by_its_first_seq)                                                 \
	X(repeated_request_moves_the_position_only)                                                \
	X(positions_never_move_back)

#define X(claim) void store_conformance_##claim(struct store *s);
STORE_CONFORMANCE(X)
STORE_CONFORMANCE_IDENTITY(X)
#undef X

/* Random batches into both, random questions to both: every answer must be the same. */
void store_conformance_same(struct store *s, struct store *reference, uint64_t seed, size_t batches,
    size_t questions);

/* The same, where spans and requests repeat, batches are of several requests, and ranges are asked
 * for; both stores must be new. What they are to recognise is told by lists of what was sent. */
void store_conformance_same_identity(struct store *s, struct store *reference, uint64_t seed,
    size_t batches, size_t questions);

/* A question without conditions, limit or urgency. */
struct store_query store_conformance_question(enum store_query_kind kind, const char *tenant);
/* These fail the test when the store does. */
void store_conformance_ask(struct store *s, const struct store_query *q, struct arena *arena,
    struct store_result *out);
void store_conformance_put(struct store *s, struct batch *b);

/* Bit i: the answer has the row whose ord is i. No row comes twice. */
unsigned store_conformance_mask(struct store *s, const struct store_query *q);

/* One random batch, last_seq and all rows of it at `seq`. No two spans share their ids, also those
 * of batches with different seqs. */
void store_conformance_batch(struct batch *b, uint64_t seed, uint64_t seq, size_t rows);
/* All rows of a signal that `tenant` has, in the order of the store. */
void store_conformance_all(struct store *s, enum store_query_kind kind, struct str tenant,
    struct arena *arena, struct store_result *out);
/* These fail the test with the place where two rows or tables differ. */
void store_conformance_same_row(const struct table *a, size_t row, const struct table *b,
    size_t b_row);
void store_conformance_same_table(const struct table *a, const struct table *b);

#endif
