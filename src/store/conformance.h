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
	X(comment_keeps_its_first_content_at_any_distance)                                         \
	X(comments_come_in_either_order_page_by_page)                                              \
	X(known_request_is_known_by_its_first_seq)                                                 \
	X(repeated_request_moves_the_position_only)                                                \
	X(positions_never_move_back)

/* Of search (conformance_search_test.c, conformance_traces_test.c). */
#define STORE_CONFORMANCE_SEARCH(X)                                                                \
	X(conditions_on_attributes_and_their_negations)                                            \
	X(words_are_found_where_they_count)                                                        \
	X(traces_are_in_the_order_of_their_newest_match)                                           \
	X(traces_are_summed_up_whole)                                                              \
	X(rare_traces_are_found_among_many)                                                        \
	X(counts_over_time_add_up)

/* Of who follows what comes (conformance_arrivals_test.c). */
#define STORE_CONFORMANCE_ARRIVALS(X)                                                              \
	X(arrivals_come_once_each_in_order_while_more_come)                                        \
	X(arrivals_go_on_behind_any_place)                                                         \
	X(arrivals_that_are_left_are_counted)

/* Points as series. */
#define STORE_CONFORMANCE_SERIES(X)                                                                \
	X(metrics_are_counted_exactly)                                                             \
	X(series_are_what_their_points_are)                                                        \
	X(samples_are_what_their_points_are)

/* Positions of sources (conformance_pulls_test.c). */
#define STORE_CONFORMANCE_PULLS(X)                                                                 \
	X(position_of_a_source_is_the_newest_of_its_tenant)                                        \
	X(position_moves_without_rows_and_with_repeats)                                            \
	X(sources_are_listed_by_name)

#define X(claim) void store_conformance_##claim(struct store *s);
STORE_CONFORMANCE(X)
STORE_CONFORMANCE_PULLS(X)
STORE_CONFORMANCE_SERIES(X)
STORE_CONFORMANCE_IDENTITY(X)
STORE_CONFORMANCE_SEARCH(X)
STORE_CONFORMANCE_ARRIVALS(X)
#undef X

/* Sums (store/partial.h). */
#define STORE_CONFORMANCE_SUMS(X)                                                                  \
	X(sums_are_those_of_the_rows)                                                              \
	X(sums_of_nothing_are_empty)                                                               \
	X(sums_are_of_one_tenant_and_service)

#define X(claim) void store_conformance_##claim(struct store *s);
STORE_CONFORMANCE_SUMS(X)
#undef X

/* What a store gives for an analysis; it fails the test when the store does. */
void store_conformance_analyse(struct store *s, const char *tenant, struct partial *p);
/* Random batches spread over the stores, which are new, and all of them into `whole`: analyses of any windows,
 * merged in any order, must be the same bytes. */
void store_conformance_same_sums(struct store **parts, size_t count, struct store *whole,
    uint64_t seed, size_t batches, size_t questions);

/* Random batches into both, random questions to both: every answer must be the same. */
void store_conformance_same(struct store *s, struct store *reference, uint64_t seed, size_t batches,
    size_t questions);

/* The same, where spans and requests repeat, batches are of several requests, and ranges are asked
 * for; both stores must be new. What they are to recognise is told by lists of what was sent. */
void store_conformance_same_identity(struct store *s, struct store *reference, uint64_t seed,
    size_t batches, size_t questions);

/* The same for search: traces, counts, conditions of all kinds. */
void store_conformance_same_search(struct store *s, struct store *reference, uint64_t seed,
    size_t batches, size_t questions);
/* Fails the test when the two do not answer this alike. */
void store_conformance_same_answer(struct store *a, struct store *b, const struct store_query *q);

/* A question without conditions, limit or urgency. */
struct store_query store_conformance_question(enum store_query_kind kind, const char *tenant);
/* These fail the test when the store does. */
void store_conformance_ask(struct store *s, const struct store_query *q, struct arena *arena,
    struct store_result *out);
void store_conformance_put(struct store *s, struct batch *b);

/* A new row of a signal that is otherwise empty: whose it is, its place (the batch's last_seq, ord), its time. */
size_t store_conformance_row(struct batch *b, enum table_id id, const char *tenant, size_t ord,
    uint64_t time_ns);
/* A resource or a scope with these attributes (NULL: none). */
void store_conformance_dict(struct batch *b, enum table_id id, uint64_t key, const char *tenant,
    const char *json);

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
