/* SPDX-License-Identifier: Apache-2.0 */
/* Once is once: spans by their ids, requests by their identity, everything else as it came. */
#include "store/conformance.h"

#include "base/buf.h"

#include "base/timefmt.h"
#include "tests/test.h"

#include <string.h>

#define NOW CONFORMANCE_NOW_NS

struct span {
	const char *tenant;
	uint64_t hi, lo, id;
	const char *name;
	uint64_t time_ns;
};

static void
begin(struct batch *b, uint64_t seq)
{
	batch_reset(b);
	b->last_seq = seq;
}

static struct batch_request *
add_request(struct batch *b, uint64_t seq, uint64_t identity)
{
	struct batch_request *r = batch_request_add(b);
	assert_non_null(r);
	r->seq = seq;
	r->identity = (struct hash128){identity, ~identity};
	r->received_ns = NOW;
	r->tenant = STR("acme");
	r->signal = SIGNAL_TRACES;
	return r;
}

static void
add_span(struct batch *b, uint64_t seq, uint32_t ord, const struct span *span)
{
	struct table *t = &b->tables[TABLE_SPANS];
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, SPAN_TENANT, str_from(span->tenant));
	table_set_u64(t, row, SPAN_SEQ, seq);
	table_set_u32(t, row, SPAN_ORD, ord);
	table_set_u64(t, row, SPAN_TRACE_HI, span->hi);
	table_set_u64(t, row, SPAN_TRACE_LO, span->lo);
	table_set_u64(t, row, SPAN_SPAN_ID, span->id);
	table_set_str(t, row, SPAN_NAME, str_from(span->name));
	table_set_str(t, row, SPAN_SERVICE, STR("cart"));
	table_set_u64(t, row, SPAN_START_NS, span->time_ns);
}

/* The rows of a batch that did not become visible, by their bits. */
static unsigned
hidden_of(const struct batch *b)
{
	unsigned mask = 0;
	for (size_t row = 0; row < b->tables[TABLE_SPANS].row_count; row++)
		if (b->hidden[TABLE_SPANS] && b->hidden[TABLE_SPANS][row])
			mask |= 1U << row;
	assert_null(b->hidden[TABLE_LOGS]);
	assert_null(b->hidden[TABLE_POINTS]);
	return mask;
}

/* All spans of acme, by name, each once: what `names` says, in any order. */
static void
check_names(struct store *s, const char *tenant, const char *const *names, size_t count)
{
	struct arena arena = {0};
	struct store_result r;
	struct store_query q = store_conformance_question(STORE_SPANS, tenant);
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, count);
	for (size_t i = 0; i < count; i++) {
		size_t found = 0;
		for (size_t row = 0; row < r.rows.row_count; row++)
			found += str_eq(table_str(&r.rows, row, SPAN_NAME), str_from(names[i]));
		if (found != 1)
			fail_msg("%s: span %s is there %zu times", tenant, names[i], found);
	}
	q = store_conformance_question(STORE_SERVICES, tenant);
	store_conformance_ask(s, &q, &arena, &r);
	uint64_t counted = r.rows.row_count > 0 ? table_u64(&r.rows, 0, SERVICE_SPANS) : 0;
	assert_int_equal(counted, count);
	arena_fini(&arena);
}

static void
check_row_count(struct store *s, uint64_t count)
{
	struct store_status status;
	store_status(s, &status);
	assert_int_equal(status.row_count, count);
}

void
store_conformance_span_twice_in_a_batch_is_one_row(struct store *s)
{
	static const struct span spans[] = {
	    {"acme", 1, 1, 1, "first", NOW},
	    {"acme", 1, 1, 1, "same time", NOW},
	    {"acme", 1, 1, 2, "other", NOW},
	    {"acme", 1, 1, 1, "other day", NOW - 3 * NS_PER_DAY},
	    {"acme", 1, 1, 2, "again", NOW},
	};
	struct batch b;
	batch_init(&b, 0);
	begin(&b, 7);
	struct batch_request *r = add_request(&b, 7, 1);
	r->duplicates = 99;
	for (uint32_t i = 0; i < ARRAY_LEN(spans); i++)
		add_span(&b, 7, i, &spans[i]);
	store_conformance_put(s, &b);
	assert_int_equal(hidden_of(&b), 0x1A);
	assert_int_equal(b.requests[0].duplicates, 3);
	check_names(s, "acme", (const char *[]){"first", "other"}, 2);
	check_row_count(s, 2);
	struct store_query q = store_conformance_question(STORE_TRACE, "acme");
	q.has_trace_id = true;
	q.trace_hi = q.trace_lo = 1;
	assert_int_equal(store_conformance_mask(s, &q), 0x05);
	batch_fini(&b);
}

void
store_conformance_span_in_a_later_batch_keeps_its_first_content(struct store *s)
{
	static const struct span first[] = {
	    {"acme", 1, 2, 3, "one", NOW},
	    {"acme", 1, 2, 4, "two", NOW - 40 * NS_PER_DAY},
	};
	static const struct span later[] = {
	    {"acme", 1, 2, 4, "two, moved", NOW},
	    {"acme", 1, 2, 5, "three", NOW},
	    {"acme", 1, 2, 3, "one, years later", NOW - 700 * NS_PER_DAY},
	    {"acme", 1, 2, 5, "three again", NOW},
	};
	struct batch b;
	batch_init(&b, 0);
	begin(&b, 1);
	for (uint32_t i = 0; i < ARRAY_LEN(first); i++)
		add_span(&b, 1, i, &first[i]);
	store_conformance_put(s, &b);
	assert_null(b.hidden[TABLE_SPANS]);
	for (uint64_t seq = 2; seq <= 4; seq++) {
		begin(&b, seq);
		for (uint32_t i = 0; i < ARRAY_LEN(later); i++)
			add_span(&b, seq, i, &later[i]);
		store_conformance_put(s, &b);
		assert_int_equal(hidden_of(&b), seq == 2 ? 0x0D : 0x0F);
		check_names(s, "acme", (const char *[]){"one", "two", "three"}, 3);
		check_row_count(s, 3);
	}
	batch_fini(&b);
}

void
store_conformance_span_identity_is_all_of_tenant_trace_and_span(struct store *s)
{
	/* Those of a pair differ in one number or in the tenant; halves are swapped too. */
	static const struct span spans[] = {
	    {"acme", 1, 2, 3, "a", NOW},
	    {"acme", 9, 2, 3, "b", NOW},
	    {"acme", 1, 9, 3, "c", NOW},
	    {"acme", 1, 2, 9, "d", NOW},
	    {"acme", 2, 1, 3, "e", NOW},
	    {"acme", 1, 3, 2, "f", NOW},
	    {"acme", 1, 2, UINT64_MAX, "g", NOW},
	    {"acme", UINT64_MAX, UINT64_MAX, UINT64_MAX, "h", NOW},
	    {"acme", 1, 2, UINT64_C(3) << 32, "i", NOW},
	    {"globex", 1, 2, 3, "a", NOW},
	    {"acm", 1, 2, 3, "a", NOW},
	    {"acmee", 1, 2, 3, "a", NOW},
	};
	static const char *const others[] = {"globex", "acm", "acmee"};
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		begin(&b, seq);
		for (uint32_t i = 0; i < ARRAY_LEN(spans); i++)
			add_span(&b, seq, i, &spans[i]);
		store_conformance_put(s, &b);
		assert_int_equal(hidden_of(&b), seq == 1 ? 0 : 0xFFF);
		check_names(s, "acme",
		    (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h", "i"}, 9);
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			check_names(s, others[i], (const char *[]){"a"}, 1);
	}
	batch_fini(&b);
}

static void
add_log_and_point(struct batch *b, uint64_t seq, uint32_t ord)
{
	struct table *t = &b->tables[TABLE_LOGS];
	size_t row = table_add_row(t);
	table_set_str(t, row, LOG_TENANT, STR("acme"));
	table_set_u64(t, row, LOG_SEQ, seq);
	table_set_u32(t, row, LOG_ORD, ord);
	table_set_u64(t, row, LOG_EVENT_NS, NOW);
	table_set_u64(t, row, LOG_TRACE_LO, 1);
	table_set_u64(t, row, LOG_SPAN_ID, 1);
	table_set_str(t, row, LOG_BODY, STR("out of paper"));
	t = &b->tables[TABLE_POINTS];
	row = table_add_row(t);
	table_set_str(t, row, POINT_TENANT, STR("acme"));
	table_set_u64(t, row, POINT_SEQ, seq);
	table_set_u32(t, row, POINT_ORD, ord);
	table_set_u64(t, row, POINT_TIME_NS, NOW);
	table_set_u64(t, row, POINT_SERIES_ID, 5);
	table_set_i64(t, row, POINT_VALUE_INT, 1);
}

void
store_conformance_equal_logs_and_points_are_as_many_rows(struct store *s)
{
	static const enum store_query_kind kinds[] = {STORE_LOGS, STORE_POINTS};
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		begin(&b, seq);
		add_request(&b, seq, seq);
		for (uint32_t ord = 0; ord < 2; ord++)
			add_log_and_point(&b, seq, ord);
		store_conformance_put(s, &b);
		assert_int_equal(hidden_of(&b), 0);
		assert_int_equal(b.requests[0].duplicates, 0);
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			struct arena arena = {0};
			struct store_result r;
			store_conformance_all(s, kinds[i], STR("acme"), &arena, &r);
			assert_int_equal(r.rows.row_count, 2 * seq);
			arena_fini(&arena);
		}
	}
	check_row_count(s, 8);
	batch_fini(&b);
}

void
store_conformance_duplicates_are_counted_for_their_request(struct store *s)
{
	/* Requests 11, 12 (no spans), 13 and 15 of one batch; ids by request. */
	static const struct {
		uint64_t seq, id;
	} rows[] = {
	    {11, 1}, {11, 2}, {11, 1}, {13, 2}, {13, 3}, {15, 1}, {15, 2}, {15, 3}, {15, 4}};
	static const uint64_t seqs[] = {11, 12, 13, 15};
	static const uint32_t first[] = {1, 0, 1, 3}, second[] = {3, 0, 2, 4};
	struct batch b;
	batch_init(&b, 0);
	for (uint64_t add = 0; add <= 10; add += 10) {
		begin(&b, 15 + add);
		for (size_t i = 0; i < ARRAY_LEN(seqs); i++)
			add_request(&b, seqs[i] + add, seqs[i] + add);
		for (uint32_t i = 0; i < ARRAY_LEN(rows); i++)
			add_span(&b, rows[i].seq + add, i,
			    &(struct span){"acme", 1, 1, rows[i].id, "x", NOW});
		store_conformance_put(s, &b);
		assert_int_equal(hidden_of(&b), add == 0 ? 0xEC : 0x1FF);
		for (size_t i = 0; i < ARRAY_LEN(seqs); i++)
			assert_int_equal(b.requests[i].duplicates, add == 0 ? first[i] : second[i]);
	}
	check_row_count(s, 4);
	batch_fini(&b);
}

static uint64_t
knows(struct store *s, uint64_t identity)
{
	return store_knows(s, (struct hash128){identity, ~identity});
}

void
store_conformance_known_request_is_known_by_its_first_seq(struct store *s)
{
	struct batch b;
	batch_init(&b, 0);
	assert_int_equal(knows(s, 1), 0);
	begin(&b, 4);
	add_request(&b, 3, 1); /* has no rows: an empty request, or all of it was refused */
	add_request(&b, 4, 2);
	add_span(&b, 4, 0, &(struct span){"acme", 1, 1, 1, "x", NOW});
	assert_int_equal(knows(s, 1), 0);
	store_conformance_put(s, &b);
	assert_int_equal(knows(s, 1), 3);
	assert_int_equal(knows(s, 2), 4);
	assert_int_equal(knows(s, 3), 0);
	/* Both halves count. */
	assert_int_equal(store_knows(s, (struct hash128){1, 1}), 0);
	assert_int_equal(store_knows(s, (struct hash128){2, ~UINT64_C(2) - 1}), 0);
	for (uint64_t seq = 5; seq < 300; seq++) {
		begin(&b, seq);
		add_request(&b, seq, seq % 2 ? 1 : 1000 + seq)->repeat = seq % 2;
		store_conformance_put(s, &b);
		assert_int_equal(knows(s, 1), 3);
	}
	for (uint64_t seq = 6; seq < 300; seq += 2)
		assert_int_equal(knows(s, 1000 + seq), seq);
	batch_fini(&b);
}

void
store_conformance_repeated_request_moves_the_position_only(struct store *s)
{
	static const struct span span = {"acme", 1, 1, 1, "x", NOW};
	struct batch b;
	batch_init(&b, 0);
	begin(&b, 1);
	add_request(&b, 1, 77)->rows = 2;
	add_span(&b, 1, 0, &span);
	add_log_and_point(&b, 1, 1);
	store_conformance_put(s, &b);
	for (uint64_t seq = 2; seq <= 20; seq++) {
		begin(&b, seq);
		assert_int_equal(knows(s, 77), 1);
		add_request(&b, seq, 77)->repeat = true;
		store_conformance_put(s, &b);
		assert_int_equal(store_applied(s), seq);
		assert_int_equal(b.requests[0].duplicates, 0);
		check_row_count(s, 3);
	}
	check_names(s, "acme", (const char *[]){"x"}, 1);
	batch_fini(&b);
}

void
store_conformance_positions_never_move_back(struct store *s)
{
	struct batch b;
	uint64_t position = 0, seq = 0;
	batch_init(&b, 0);
	assert_int_equal(store_applied(s), 0);
	for (uint64_t i = 1; i <= 200; i++) {
		seq += i % 7 * i + 1;
		store_conformance_batch(&b, i, seq, i % 3 * 20);
		add_request(&b, seq, i);
		store_conformance_put(s, &b);
		assert_int_equal(store_applied(s), seq);
		assert_in_range(store_position(s), position, seq);
		position = store_position(s);
	}
	batch_fini(&b);
}

/* ---- comments */

static void
add_comment(struct batch *b, const char *tenant, uint64_t seq, uint32_t ord, const char *id,
    uint64_t created_ns, const char *body)
{
	struct table *t = &b->tables[TABLE_COMMENTS];
	size_t row = table_add_row(t);
	assert_true(row != SIZE_MAX);
	table_set_str(t, row, COMMENT_TENANT, str_from(tenant));
	table_set_u64(t, row, COMMENT_SEQ, seq);
	table_set_u32(t, row, COMMENT_ORD, ord);
	table_set_u64(t, row, COMMENT_CREATED_NS, created_ns);
	table_set_u64(t, row, COMMENT_TRACE_LO, 7);
	table_set_str(t, row, COMMENT_ID, str_from(id));
	table_set_str(t, row, COMMENT_AUTHOR, STR("ada"));
	table_set_str(t, row, COMMENT_BODY, str_from(body));
}

/* The bodies in the order of the answer, joined by blanks. */
static void
check_bodies(struct store *s, const struct store_query *q, const char *expected)
{
	struct arena arena = {0};
	struct store_result r;
	struct buf got = {0};
	store_conformance_ask(s, q, &arena, &r);
	for (size_t row = 0; row < r.rows.row_count; row++) {
		if (row > 0)
			buf_char(&got, ' ');
		buf_str(&got, table_str(&r.rows, row, COMMENT_BODY));
	}
	buf_char(&got, '\0');
	assert_string_equal(got.ptr, expected);
	buf_fini(&got);
	arena_fini(&arena);
}

void
store_conformance_comment_keeps_its_first_content_at_any_distance(struct store *s)
{
	struct batch b;
	struct store_query q = store_conformance_question(STORE_COMMENTS, "acme");
	batch_init(&b, 0);
	begin(&b, 1);
	add_comment(&b, "acme", 1, 0, "a", NOW - 40 * NS_PER_DAY, "one");
	add_comment(&b, "acme", 1, 1, "a", NOW, "one-again");
	add_comment(&b, "globex", 1, 2, "a", NOW, "others");
	add_comment(&b, "acme", 1, 3, "b", NOW, "two");
	store_conformance_put(s, &b);
	assert_int_equal(b.hidden[TABLE_COMMENTS][0], 0);
	assert_int_equal(b.hidden[TABLE_COMMENTS][1], 1);
	assert_int_equal(b.hidden[TABLE_COMMENTS][2], 0);
	check_bodies(s, &q, "two one");
	for (uint64_t seq = 2; seq <= 4; seq++) {
		begin(&b, seq);
		add_request(&b, seq, seq);
		add_comment(&b, "acme", seq, 0, "b", NOW - 700 * NS_PER_DAY, "moved");
		add_comment(&b, "acme", seq, 1, "a", NOW, "moved");
		add_comment(&b, "acme", seq, 2, "A", NOW + 1, "three");
		store_conformance_put(s, &b);
		assert_int_equal(b.hidden[TABLE_COMMENTS][0], 1);
		assert_int_equal(b.hidden[TABLE_COMMENTS][1], 1);
		assert_int_equal(b.hidden[TABLE_COMMENTS][2], seq > 2);
		assert_int_equal(b.requests[0].duplicates, seq > 2 ? 3 : 2);
		check_bodies(s, &q, "three two one");
	}
	q.tenant = STR("globex");
	check_bodies(s, &q, "others");
	check_row_count(s, 4);
	batch_fini(&b);
}

void
store_conformance_comments_come_in_either_order_page_by_page(struct store *s)
{
	static const char *const bodies[] = {"a", "b", "c", "d", "e"};
	static const char *const pages[2][3] = {{"e d", "c b", "a"}, {"a b", "c d", "e"}};
	struct batch b;
	batch_init(&b, 0);
	begin(&b, 1);
	for (uint32_t i = 0; i < ARRAY_LEN(bodies); i++) /* two of one time: then by place */
		add_comment(&b, "acme", 1, i, bodies[i], NOW + i / 2, bodies[i]);
	store_conformance_put(s, &b);
	for (int up = 0; up < 2; up++) {
		struct store_query q = store_conformance_question(STORE_COMMENTS, "acme");
		q.oldest_first = up;
		q.row_max = 2;
		for (size_t page = 0; page < 3; page++) {
			struct arena arena = {0};
			struct store_result r;
			check_bodies(s, &q, pages[up][page]);
			store_conformance_ask(s, &q, &arena, &r);
			assert_int_equal(r.more, page < 2);
			q.after = r.next;
			arena_fini(&arena);
		}
	}
	batch_fini(&b);
}
