/* SPDX-License-Identifier: Apache-2.0 */
/* Single claims of hot.h; what random operations do is in random_test.c. */
#include "hot/kit_test.h"
#include "tests/test.h"

#include <stdlib.h>

/* `rows` spans of one request on a day. */
static void
append_spans(struct hot *h, struct batch *b, uint64_t seq, int64_t day, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++)
		kit_add_row(b, TABLE_SPANS, seq, i, day);
	kit_append(h, b, seq);
}

static void
seal(struct hot *h, enum table_id table, int64_t day, uint64_t rows)
{
	struct hot_seal s;
	hot_seal_begin(h, table, day, rows, &s);
	hot_seal_done(h);
}

struct world {
	struct hot *h;
	struct batch b;
	uint64_t seq;
};

static void
open_world(struct world *w)
{
	*w = (struct world){.h = hot_new()};
	batch_init(&w->b, 0);
}

static void
close_world(struct world *w)
{
	hot_free(w->h);
	batch_fini(&w->b);
}

static size_t
view_rows(struct hot *h, uint64_t generation)
{
	struct kit_keys keys = {0};
	assert_true(kit_read_view(h, generation, &keys));
	size_t count = keys.count;
	kit_keys_fini(&keys);
	return count;
}

static bool
is_busy(struct hot *h, uint64_t generation)
{
	struct kit_keys keys = {0};
	bool busy = !kit_read_view(h, generation, &keys);
	kit_keys_fini(&keys);
	return busy;
}

TEST(hot, days_near_today_have_parts_of_their_own_and_few_late_rows_share_one)
{
	struct world w;
	open_world(&w);
	for (uint32_t i = 0; i < 5; i++)
		kit_add_row(&w.b, TABLE_SPANS, 1, i, KIT_DAY - 2 + i);
	kit_append(w.h, &w.b, 1);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, HOT_MIXED), 2);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, KIT_DAY - 1), 1);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, KIT_DAY), 1);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, KIT_DAY + 1), 1);
	close_world(&w);
}

TEST(hot, a_late_day_with_many_rows_at_once_gets_its_own_part_unless_it_waits_in_the_mixed_one)
{
	struct world w;
	open_world(&w);
	append_spans(w.h, &w.b, 1, 5, HOT_OWN_DAY_ROWS - 1);
	append_spans(w.h, &w.b, 2, 6, HOT_OWN_DAY_ROWS);
	append_spans(w.h, &w.b, 3, 5, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, HOT_MIXED), 2 * HOT_OWN_DAY_ROWS - 1);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 6), HOT_OWN_DAY_ROWS);
	/* All of it has left but one row: still no part of its own. */
	seal(w.h, TABLE_SPANS, HOT_MIXED, 2 * HOT_OWN_DAY_ROWS - 2);
	append_spans(w.h, &w.b, 4, 5, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 5), 0);
	seal(w.h, TABLE_SPANS, HOT_MIXED, HOT_OWN_DAY_ROWS + 1);
	append_spans(w.h, &w.b, 5, 5, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, HOT_MIXED), 0);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 5), HOT_OWN_DAY_ROWS);
	close_world(&w);
}

TEST(hot, distant_days_leave_room_for_those_near_today_and_empty_ones_are_given_up)
{
	struct world w;
	open_world(&w);
	for (int i = 0; i < HOT_OWN_DAYS_MAX; i++)
		append_spans(w.h, &w.b, (uint64_t)i + 1, 100 + i, HOT_OWN_DAY_ROWS);
	for (int i = 0; i < HOT_OWN_DAYS_MAX; i++)
		assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 100 + i),
		    i < HOT_DISTANT_DAYS_MAX ? HOT_OWN_DAY_ROWS : 0);
	for (int i = -1; i <= 1; i++)
		append_spans(w.h, &w.b, (uint64_t)i + 21, KIT_DAY + i, 1);
	for (int i = -1; i <= 1; i++)
		assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, KIT_DAY + i), 1);
	append_spans(w.h, &w.b, 31, 200, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 200), 0);
	seal(w.h, TABLE_SPANS, 102, HOT_OWN_DAY_ROWS);
	append_spans(w.h, &w.b, 32, 201, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 201), HOT_OWN_DAY_ROWS);
	/* A reader of the files before the seal still has the day whose part is gone. */
	assert_int_equal(view_rows(w.h, 0), view_rows(w.h, 1) + HOT_OWN_DAY_ROWS);
	close_world(&w);
}

static bool
has_part(struct hot *h, enum table_id table, int64_t day)
{
	struct hot_info info;
	hot_info(h, &info);
	for (size_t i = 0; i < info.part_count; i++)
		if (info.parts[i].table == table && info.parts[i].day == day)
			return true;
	return false;
}

TEST(hot, an_empty_part_of_a_day_near_today_is_not_given_up)
{
	struct world w;
	open_world(&w);
	for (int i = -1; i <= 1; i++)
		append_spans(w.h, &w.b, (uint64_t)i + 2, KIT_DAY + i, 1);
	for (int i = 0; i < HOT_DISTANT_DAYS_MAX; i++)
		append_spans(w.h, &w.b, (uint64_t)i + 11, 100 + i, HOT_OWN_DAY_ROWS);
	for (int i = -1; i <= 1; i++)
		seal(w.h, TABLE_SPANS, KIT_DAY + i, 1);
	seal(w.h, TABLE_SPANS, 101, HOT_OWN_DAY_ROWS);
	append_spans(w.h, &w.b, 21, 201, HOT_OWN_DAY_ROWS);
	assert_int_equal(kit_part_rows(w.h, TABLE_SPANS, 201), HOT_OWN_DAY_ROWS);
	assert_false(has_part(w.h, TABLE_SPANS, 101));
	for (int i = -1; i <= 1; i++)
		assert_true(has_part(w.h, TABLE_SPANS, KIT_DAY + i));
	close_world(&w);
}

TEST(hot, a_segment_that_is_being_written_to_is_not_taken_away)
{
	struct world w;
	open_world(&w);
	append_spans(w.h, &w.b, 1, KIT_DAY, 1);
	const struct hot_part *part = hot_find_part(w.h, TABLE_SPANS, KIT_DAY);
	w.h->appending = true; /* as in the middle of an append */
	seal(w.h, TABLE_SPANS, KIT_DAY, 1);
	hot_tidy(w.h, 1);
	assert_non_null(part->open);
	w.h->appending = false;
	hot_tidy(w.h, 1);
	assert_null(part->open);
	close_world(&w);
}

TEST(hot, a_reader_gets_what_goes_with_its_generation_or_is_told_to_begin_again)
{
	struct world w;
	struct hot_seal s;
	open_world(&w);
	hot_start(w.h, 1000, 7);
	assert_int_equal(hot_applied(w.h), 1000);
	append_spans(w.h, &w.b, 1001, KIT_DAY, 10);
	assert_int_equal(view_rows(w.h, 7), 10);
	assert_true(is_busy(w.h, 6));
	assert_true(is_busy(w.h, 8));
	hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, 4, &s);
	assert_int_equal(s.generation, 8);
	append_spans(w.h, &w.b, 1002, KIT_DAY, 1);
	assert_int_equal(view_rows(w.h, 7), 11);
	assert_int_equal(view_rows(w.h, 8), 7);
	assert_true(is_busy(w.h, 9));
	hot_seal_failed(w.h);
	assert_true(is_busy(w.h, 8));
	assert_int_equal(view_rows(w.h, 7), 11);
	seal(w.h, TABLE_SPANS, KIT_DAY, 5);
	assert_int_equal(view_rows(w.h, 7), 11);
	assert_int_equal(view_rows(w.h, 8), 6);
	hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, 6, &s);
	assert_int_equal(view_rows(w.h, 7), 11);
	hot_seal_done(w.h);
	assert_true(is_busy(w.h, 7));
	assert_int_equal(view_rows(w.h, 8), 6);
	assert_int_equal(view_rows(w.h, 9), 0);
	close_world(&w);
}

TEST(hot, what_a_seal_took_is_kept_a_tenth_of_a_second_for_slow_readers)
{
	struct world w;
	open_world(&w);
	append_spans(w.h, &w.b, 1, KIT_DAY, 10);
	seal(w.h, TABLE_SPANS, KIT_DAY, 10);
	const uint64_t tenth = 100000000;
	hot_tidy(w.h, 5 * tenth);
	hot_tidy(w.h, 6 * tenth);
	assert_int_equal(view_rows(w.h, 0), 10);
	hot_tidy(w.h, 6 * tenth + 1);
	assert_true(is_busy(w.h, 0));
	assert_int_equal(view_rows(w.h, 1), 0);
	close_world(&w);
}

TEST(hot, the_floor_is_below_a_request_that_is_half_sealed)
{
	struct world w;
	struct hot_seal s;
	struct hot_info info;
	open_world(&w);
	append_spans(w.h, &w.b, 10, KIT_DAY, 4);
	append_spans(w.h, &w.b, 20, KIT_DAY, 4);
	kit_add_row(&w.b, TABLE_LOGS, 25, 0, KIT_DAY);
	kit_append(w.h, &w.b, 25);
	hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, 3, &s);
	assert_int_equal(s.floor_seq, 9);
	hot_seal_failed(w.h);
	hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, 4, &s);
	assert_int_equal(s.floor_seq, 19);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 9);
	hot_seal_done(w.h);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 19);
	hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, 4, &s);
	assert_int_equal(s.floor_seq, 24);
	hot_seal_done(w.h);
	seal(w.h, TABLE_LOGS, KIT_DAY, 1);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 25);
	/* A batch without rows moves it too. */
	kit_append(w.h, &w.b, 30);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 30);
	close_world(&w);
}

TEST(hot, new_dictionary_rows_hold_the_floor_down_until_any_seal_takes_them)
{
	struct world w;
	struct hot_info info;
	struct hot_seal s;
	open_world(&w);
	kit_append(w.h, &w.b, 10);
	kit_add_dict(&w.b, TABLE_SCOPES, 5);
	batch_request_add(&w.b)->seq = 15;
	kit_append(w.h, &w.b, 16);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 14);
	hot_seal_begin(w.h, TABLE_STORED_COUNT, 0, 0, &s);
	assert_int_equal(s.floor_seq, 16);
	assert_int_equal(s.slice_count, 0);
	assert_int_equal(s.dict_slice_count[0], 0);
	assert_int_equal(s.dict_slice_count[1], 1);
	kit_add_dict(&w.b, TABLE_SCOPES, 6);
	kit_append(w.h, &w.b, 17);
	hot_seal_done(w.h);
	assert_int_equal(kit_part_rows(w.h, TABLE_SCOPES, 0), 1);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 16);
	close_world(&w);
}

TEST(hot, a_discarded_row_is_in_no_new_view_and_no_seal_wherever_it_stands)
{
	enum { ROWS = 5 };
	for (uint32_t gone = 0; gone < ROWS; gone++) {
		struct world w;
		struct hot_seal s;
		struct kit_keys want = {0}, got = {0}, sealed = {0};
		open_world(&w);
		append_spans(w.h, &w.b, 1, KIT_DAY, ROWS);
		struct hot_view *before;
		assert_int_equal(hot_view_take(w.h, 0, &before, NULL), ERR_OK);
		hot_discard(w.h, TABLE_SPANS, 1, gone);
		hot_discard(w.h, TABLE_SPANS, 1, gone); /* again: nothing */
		hot_discard(w.h, TABLE_LOGS, 1, gone);
		append_spans(w.h, &w.b, 2, KIT_DAY, 1);
		assert_int_equal(before->parts[0].rows, ROWS);
		hot_view_free(before);
		for (uint32_t i = 0; i < ROWS; i++)
			if (i != gone)
				kit_keys_add(&want, kit_key(TABLE_SPANS, 1, i));
		kit_keys_add(&want, kit_key(TABLE_SPANS, 2, 0));
		assert_true(kit_read_view(w.h, 0, &got));
		kit_assert_same(&got, &want);
		hot_seal_begin(w.h, TABLE_SPANS, KIT_DAY, ROWS, &s);
		kit_read_slices(s.slices, s.slice_count, &sealed);
		hot_seal_done(w.h);
		kit_assert_same(&sealed, &want);
		kit_keys_fini(&want);
		kit_keys_fini(&got);
		kit_keys_fini(&sealed);
		close_world(&w);
	}
}

TEST(hot, hidden_rows_are_left_out_and_ids_are_written_in_place_of_others)
{
	struct world w;
	struct map others = {0};
	open_world(&w);
	uint64_t old_id = kit_mix(kit_key(TABLE_LOGS, 3, 1), LOG_RESOURCE_ID);
	for (uint32_t i = 0; i < 3; i++)
		kit_add_row(&w.b, TABLE_LOGS, 3, i, KIT_DAY);
	struct str tenant = table_str(&w.b.tables[TABLE_LOGS], 1, LOG_TENANT);
	assert_true(map_put(&others, batch_dict_key(tenant, old_id), 4711));
	assert_true(map_put(&others, batch_dict_key(STR("another"), old_id), 4712));
	unsigned char hidden[3] = {1, 0, 1};
	w.b.hidden[TABLE_LOGS] = hidden;
	w.b.last_seq = 3;
	struct hot_append a = {.batch = &w.b, .resource_ids = &others, .today = KIT_DAY};
	assert_int_equal(hot_append(w.h, &a, NULL), ERR_OK);
	struct hot_view *v;
	assert_int_equal(hot_view_take(w.h, 0, &v, NULL), ERR_OK);
	assert_int_equal(v->part_count, 1);
	assert_int_equal(v->parts[0].rows, 1);
	const struct hot_slice *slice = &v->parts[0].slices[0];
	assert_int_equal(table_u32(slice->rows, slice->first, LOG_ORD), 1);
	assert_int_equal(table_u64(slice->rows, slice->first, LOG_RESOURCE_ID), 4711);
	hot_view_free(v);
	map_fini(&others);
	close_world(&w);
}

TEST(hot, a_batch_whose_rows_are_all_hidden_only_moves_the_position)
{
	struct world w;
	open_world(&w);
	kit_add_row(&w.b, TABLE_SPANS, 3, 0, KIT_DAY);
	unsigned char hidden[1] = {1};
	w.b.hidden[TABLE_SPANS] = hidden;
	kit_append(w.h, &w.b, 3);
	assert_int_equal(hot_applied(w.h), 3);
	assert_int_equal(view_rows(w.h, 0), 0);
	close_world(&w);
}

TEST(hot, texts_that_begin_at_one_place_and_long_ones_are_copied_as_they_are)
{
	enum { ROWS = 24, LONG = 1024 * 1024 };
	struct world w;
	open_world(&w);
	char *text = xcalloc(1, LONG);
	memset(text, 'x', LONG);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		for (uint32_t i = 0; i < ROWS / 2; i++) {
			struct table *t = &w.b.tables[TABLE_SPANS];
			kit_add_row(&w.b, TABLE_SPANS, seq, i, KIT_DAY);
			table_set_str(t, i, SPAN_NAME, str_of(text, i % 4));
			table_set_str(t, i, SPAN_ATTRIBUTES, str_of(text, LONG - i / 3));
		}
		kit_append(w.h, &w.b, seq);
	}
	memset(text, 'y', LONG);
	struct hot_view *v;
	assert_int_equal(hot_view_take(w.h, 0, &v, NULL), ERR_OK);
	uint32_t row = 0;
	for (size_t s = 0; s < v->parts[0].slice_count; s++) {
		const struct hot_slice *slice = &v->parts[0].slices[s];
		for (uint32_t r = slice->first; r < slice->first + slice->count; r++, row++) {
			uint32_t i = row % (ROWS / 2);
			struct str name = table_str(slice->rows, r, SPAN_NAME);
			struct str attributes = table_str(slice->rows, r, SPAN_ATTRIBUTES);
			assert_true(str_eq(name, str_of("xxx", i % 4)));
			assert_int_equal(attributes.len, LONG - i / 3);
			assert_int_equal(str_find(attributes, 'y'), attributes.len);
		}
	}
	assert_int_equal(row, ROWS);
	hot_view_free(v);
	free(text);
	close_world(&w);
}

TEST(hot, dictionary_rows_are_found_by_tenant_and_id_however_many_there_are)
{
	struct world w;
	open_world(&w);
	for (uint64_t count = 3; count <= 3000; count *= 10) {
		uint64_t base = count * 1000;
		for (uint64_t i = 0; i < count; i++)
			kit_add_dict(&w.b, TABLE_RESOURCES, base + i);
		kit_append(w.h, &w.b, count);
		struct hot_view *v;
		assert_int_equal(hot_view_take(w.h, 0, &v, NULL), ERR_OK);
		for (uint64_t i = 0; i <= count; i++) {
			const struct table *rows = NULL;
			size_t row = 0;
			char buf[16];
			bool there = hot_view_dict(v, TABLE_RESOURCES, kit_tenant(base + i, buf),
			    base + i, &rows, &row);
			assert_int_equal(there, i < count);
			if (there)
				assert_true(kit_check_row(rows, row) ==
				    kit_key(TABLE_RESOURCES, base + i, 0));
			assert_false(hot_view_dict(v, TABLE_RESOURCES,
			    kit_tenant(base + i + 1, buf), base + i, &rows, &row));
			assert_false(hot_view_dict(v, TABLE_SCOPES, kit_tenant(base + i, buf),
			    base + i, &rows, &row));
		}
		hot_view_free(v);
	}
	close_world(&w);
}

TEST(hot, parts_say_how_old_their_oldest_row_is)
{
	struct world w;
	struct hot_info info;
	open_world(&w);
	append_spans(w.h, &w.b, 5, KIT_DAY, 3);
	append_spans(w.h, &w.b, 6, KIT_DAY, 3);
	seal(w.h, TABLE_SPANS, KIT_DAY, 4);
	hot_info(w.h, &info);
	assert_int_equal(info.rows[TABLE_SPANS], 2);
	assert_int_equal(info.applied_log_bytes, 600);
	bool found = false;
	for (size_t i = 0; i < info.part_count; i++) {
		const struct hot_part_info *part = &info.parts[i];
		bool is = part->table == TABLE_SPANS && part->day == KIT_DAY;
		found |= is;
		assert_int_equal(part->first_seq, is ? 6 : 0);
		assert_int_equal(part->first_log_bytes, is ? 600 : 0);
		assert_true(is ? part->bytes > 0 && part->bytes <= info.bytes : part->bytes == 0);
	}
	assert_true(found);
	close_world(&w);
}

/* A batch that goes to every kind of part and fills segments. */
static void
add_much(struct world *w, uint64_t seq)
{
	for (uint32_t i = 0; i < 700; i++) {
		enum table_id table = (enum table_id)(i % 3);
		kit_add_row(&w->b, table, seq, i, i % 11 == 0 ? 300 + i % 5 : KIT_DAY);
	}
	kit_add_dict(&w->b, TABLE_RESOURCES, seq);
	kit_add_dict(&w->b, TABLE_SCOPES, seq);
	batch_request_add(&w->b)->seq = seq;
}

TEST(hot, memory_goes_back_when_all_is_sealed_and_nobody_looks)
{
	struct world w;
	struct hot_info info;
	struct hot_view *v;
	open_world(&w);
	for (uint64_t seq = 1; seq <= 20; seq++) {
		add_much(&w, seq);
		kit_append(w.h, &w.b, seq);
	}
	hot_info(w.h, &info);
	assert_true(info.bytes > 20 * 700 * 200);
	assert_int_equal(hot_view_take(w.h, 0, &v, NULL), ERR_OK);
	for (size_t i = 0; i < info.part_count; i++)
		if (!hot_is_dict(info.parts[i].table) && info.parts[i].rows > 0)
			seal(w.h, info.parts[i].table, info.parts[i].day, info.parts[i].rows);
	hot_tidy(w.h, 1);
	hot_tidy(w.h, UINT64_C(3) * HOT_RETIRED_NS);
	hot_info(w.h, &info);
	assert_int_equal(info.floor_seq, 20);
	/* The view still has it all. */
	assert_true(info.bytes > 20 * 700 * 200);
	hot_view_free(v);
	kit_append(w.h, &w.b, 21); /* the appender learns what has left */
	hot_info(w.h, &info);
	assert_true(info.bytes < 1024);
	close_world(&w);
}

/* The n-th allocation of an append fails, for every n that it reaches. */
TEST(hot, an_append_that_fails_leaves_everything_as_it_was)
{
	struct world w;
	struct kit_keys before = {0}, after = {0};
	open_world(&w);
	uint64_t seq = 1;
	for (; seq <= 3; seq++) {
		add_much(&w, seq);
		kit_append(w.h, &w.b, seq);
	}
	assert_true(kit_read_view(w.h, 0, &before));
	struct hot_info then, now;
	hot_info(w.h, &then);
	add_much(&w, seq);
	w.b.last_seq = seq;
	static const uint32_t zero[1] = {0};
	struct hot_append a = {
	    .batch = &w.b, .new_rows = {zero, zero}, .new_count = {1, 1}, .today = KIT_DAY};
	uint64_t failures = 0;
	for (;; failures++) {
		struct err err = {0};
		w.h->memory.fail_in = failures + 1;
		enum err_code code = hot_append(w.h, &a, &err);
		w.h->memory.fail_in = 0;
		if (code == ERR_OK)
			break;
		assert_int_equal(code, ERR_TOO_LARGE);
		hot_info(w.h, &now);
		assert_memory_equal(&then, &now, sizeof(then));
		after.count = 0;
		assert_true(kit_read_view(w.h, 0, &after));
		kit_assert_same(&after, &before);
	}
	assert_true(failures > 10);
	assert_int_equal(view_rows(w.h, 0), before.count + 702);
	kit_keys_fini(&before);
	kit_keys_fini(&after);
	close_world(&w);
}
