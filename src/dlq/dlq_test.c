/* SPDX-License-Identifier: Apache-2.0 */
/* A letter's life; what is on disk is asked for by opening again. */
#include "dlq/dlq_priv.h"
#include "dlq/kit_test.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "sys/file.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

TEST(dlq, a_letter_is_there_after_a_restart_with_all_it_had)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	assert_int_equal(kit_files(dir, "dlq", ""), 0);
	assert_int_equal(kit_put(d, 7, 3, KIT_T0), ERR_OK);
	kit_expect(d, 7, 3, DLQ_WAITING, 0);
	kit_reopen(&d, dir);
	kit_expect(d, 7, 3, DLQ_WAITING, 0);
	struct dlq_letter l;
	char id[DLQ_ID_BYTES];
	kit_id(7, 3, id);
	assert_int_equal(dlq_show(d, id, &l, NULL, NULL), ERR_OK);
	assert_int_equal(l.created_ns, KIT_T0);
	assert_int_equal(l.last_ns, KIT_T0);
	assert_int_equal(l.next_ns, KIT_T0 + KIT_S(1));
	assert_string_equal(l.error, "it does not fit");
	dlq_close(d);
}

TEST(dlq, the_same_part_put_again_is_left_as_it_is)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	assert_int_equal(kit_put(d, 7, 3, KIT_T0), ERR_OK);
	assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	assert_int_equal(dlq_failed(d, l.id, "no", KIT_T0 + KIT_S(1), NULL), ERR_OK);
	assert_int_equal(kit_put(d, 7, 3, KIT_T0 + KIT_S(9)), ERR_OK);
	kit_expect(d, 7, 3, DLQ_WAITING, 1);
	/* Nor is one that is done with put again: the replay of its record leaves that part out. */
	assert_int_equal(dlq_drop(d, l.id, NULL), ERR_OK);
	assert_int_equal(kit_put(d, 7, 3, KIT_T0 + KIT_S(9)), ERR_OK);
	assert_int_equal(dlq_show(d, l.id, &l, NULL, NULL), ERR_NOT_FOUND);
	assert_int_equal(kit_files(dir, "dlq", ".letter"), 0);
	dlq_close(d);
}

TEST(dlq, attempts_back_off_over_restarts_and_end_in_quarantine)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	struct buf payload = {0};
	uint64_t now = KIT_T0, next;
	static const unsigned pauses[] = {1, 2, 4};
	assert_int_equal(kit_put(d, 1, 0, now), ERR_OK);
	for (unsigned i = 0; i < ARRAY_LEN(pauses); i++) {
		kit_reopen(&d, dir);
		kit_expect(d, 1, 0, DLQ_WAITING, i);
		uint64_t due = now + KIT_S(pauses[i]);
		assert_int_equal(dlq_due(d, due - 1, &l, &payload, &next, NULL), ERR_NOT_FOUND);
		assert_int_equal(next, due);
		assert_true(kit_due(d, due, &l));
		kit_expect(d, 1, 0, DLQ_RUNNING, i);
		assert_false(kit_due(d, due, &l)); /* handed out once */
		char id[DLQ_ID_BYTES];
		kit_id(1, 0, id);
		now = due;
		assert_int_equal(dlq_failed(d, id, "still not", now, NULL), ERR_OK);
	}
	kit_expect(d, 1, 0, DLQ_QUARANTINED, 3);
	kit_reopen(&d, dir);
	kit_expect(d, 1, 0, DLQ_QUARANTINED, 3);
	assert_int_equal(dlq_due(d, UINT64_MAX / 2, &l, &payload, &next, NULL), ERR_NOT_FOUND);
	assert_int_equal(next, UINT64_MAX);
	assert_int_equal(kit_files(dir, "dlq", ""), 0);
	assert_int_equal(kit_files(dir, "quarantine", ""), 1);
	buf_fini(&payload);
	dlq_close(d);
}

TEST(dlq, pauses_never_exceed_the_longest)
{
	const char *dir = test_tmp_dir();
	struct dlq_options opt = {.data_dir = str_from(dir),
	    .attempts_max = 70,
	    .backoff_ms = 1000,
	    .backoff_max_ms = 5000};
	struct dlq *d;
	struct dlq_letter l;
	uint64_t now = KIT_T0;
	assert_int_equal(dlq_open(&opt, &d, NULL), ERR_OK);
	assert_int_equal(kit_put(d, 1, 0, now), ERR_OK);
	for (unsigned i = 0; i < 69; i++) {
		now += KIT_S(5);
		assert_true(kit_due(d, now, &l));
		assert_int_equal(dlq_failed(d, l.id, "no", now, NULL), ERR_OK);
	}
	kit_expect(d, 1, 0, DLQ_WAITING, 69);
	dlq_close(d);
}

TEST(dlq, a_clock_that_is_set_back_does_not_make_letters_wait_for_ever)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	/* Within the longest pause it waits, for that is what a pause looks like. */
	assert_false(kit_due(d, KIT_T0 - KIT_S(3000), &l));
	assert_true(kit_due(d, KIT_T0 - KIT_S(86400), &l));
	dlq_close(d);
}

TEST(dlq, one_that_was_not_tried_is_as_it_was)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	dlq_put_back(d, l.id);
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	/* One that was running when the process ended is tried again, and has not failed. */
	kit_reopen(&d, dir);
	assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	assert_int_equal(l.attempts, 0);
	dlq_close(d);
}

TEST(dlq, retry_forgets_the_attempts_and_leaves_quarantine)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	uint64_t now = KIT_T0;
	assert_int_equal(kit_put(d, 1, 0, now), ERR_OK);
	for (int i = 0; i < 3; i++) {
		now += KIT_S(3600);
		assert_true(kit_due(d, now, &l));
		assert_int_equal(dlq_failed(d, l.id, "no", now, NULL), ERR_OK);
	}
	kit_expect(d, 1, 0, DLQ_QUARANTINED, 3);
	assert_int_equal(dlq_retry(d, l.id, now, NULL), ERR_OK);
	kit_reopen(&d, dir);
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	assert_int_equal(kit_files(dir, "quarantine", ""), 0);
	assert_true(kit_due(d, now, &l));
	assert_string_equal(l.error, "no");
	assert_int_equal(dlq_retry(d, l.id, now, NULL), ERR_BUSY);
	dlq_close(d);
}

TEST(dlq, what_is_done_or_dropped_is_covered_until_the_log_has_lost_it)
{
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter l;
	assert_int_equal(kit_put(d, 5, 2, KIT_T0), ERR_OK);
	assert_int_equal(kit_put(d, 6, 0, KIT_T0), ERR_OK);
	assert_true(kit_due(d, KIT_T0 + KIT_S(1), &l));
	assert_int_equal(l.seq, 5);
	assert_int_equal(dlq_done(d, l.id, NULL), ERR_OK);
	kit_id(6, 0, l.id);
	assert_int_equal(dlq_drop(d, l.id, NULL), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_true(dlq_covers(d, 5, 2) && dlq_covers(d, 6, 0));
		assert_false(dlq_covers(d, 5, 1) || dlq_covers(d, 5, 3) || dlq_covers(d, 6, 1));
		assert_true(dlq_covers_any(d, 5) && dlq_covers_any(d, 6));
		assert_false(dlq_covers_any(d, 4) || dlq_covers_any(d, 7));
		assert_int_equal(kit_files(dir, "dlq", ""), 2);
		kit_reopen(&d, dir);
	}
	dlq_trim(d, 5);
	assert_false(dlq_covers(d, 5, 2));
	assert_true(dlq_covers(d, 6, 0));
	assert_int_equal(kit_files(dir, "dlq", ""), 1);
	dlq_trim(d, 100);
	assert_int_equal(kit_files(dir, "dlq", ""), 0);
	/* A record that the log has lost needs no mark. */
	assert_int_equal(kit_put(d, 50, 0, KIT_T0), ERR_OK);
	dlq_trim(d, 100);
	kit_expect(d, 50, 0, DLQ_WAITING, 0); /* is a letter still */
	kit_id(50, 0, l.id);
	assert_int_equal(dlq_drop(d, l.id, NULL), ERR_OK);
	assert_int_equal(kit_files(dir, "dlq", ""), 0);
	dlq_close(d);
}

TEST(dlq, answers_about_ids_that_are_not_there_change_nothing)
{
	struct dlq *d = kit_open(test_tmp_dir());
	struct dlq_letter l;
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	static const char *const ids[] = {"", "x", "0000000000000002-00000000",
	    "000000000000000A-00000000", "0000000000000001-0000000", "../../etc/passwd",
	    "unreadable-0000000000000000", "unreadable-"};
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_int_equal(dlq_done(d, ids[i], NULL), ERR_OK);
		assert_int_equal(dlq_failed(d, ids[i], "no", KIT_T0, NULL), ERR_OK);
		dlq_put_back(d, ids[i]);
		assert_int_equal(dlq_show(d, ids[i], &l, NULL, NULL), ERR_NOT_FOUND);
		assert_int_equal(dlq_retry(d, ids[i], KIT_T0, NULL), ERR_NOT_FOUND);
		assert_int_equal(dlq_drop(d, ids[i], NULL), ERR_NOT_FOUND);
	}
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	/* Nor of one that does not run. */
	kit_id(1, 0, l.id);
	assert_int_equal(dlq_done(d, l.id, NULL), ERR_OK);
	kit_expect(d, 1, 0, DLQ_WAITING, 0);
	dlq_close(d);
}

TEST(dlq, covers_agrees_with_a_plain_search_also_when_parts_overlap)
{
	enum { SEQS = 5, ITEMS = 64, STEPS = 400 };
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	unsigned char first_of[SEQS][ITEMS] = {{0}}; /* the letter's length, 0: none */
	uint32_t random = 1;
	for (int step = 0; step < STEPS; step++) {
		random = random * 1664525u + 1013904223u;
		uint32_t seq = random >> 8 & 3, first = random >> 12 & 31,
		         count = 1 + (random >> 20 & 7);
		struct dlq_letter l = {.seq = seq, .item_first = first, .item_count = count};
		char id[DLQ_ID_BYTES];
		kit_id(seq, first, id);
		if (random >> 28 < 10 && !first_of[seq][first]) {
			assert_int_equal(dlq_put(d, &l, STR("x"), KIT_T0, NULL), ERR_OK);
			first_of[seq][first] = (unsigned char)count;
		}
		if (random >> 28 >= 10 && first_of[seq][first]) {
			dlq_trim(d, SEQS); /* so that what is dropped is gone */
			assert_int_equal(dlq_drop(d, id, NULL), ERR_OK);
			first_of[seq][first] = 0;
		}
		for (uint32_t s = 0; s < SEQS; s++) {
			bool any = false;
			for (uint32_t i = 0; i < ITEMS; i++) {
				bool want = false;
				for (uint32_t f = 0; f <= i; f++)
					want = want || f + first_of[s][f] > i;
				any = any || want;
				assert_int_equal(dlq_covers(d, s, i), want);
			}
			assert_int_equal(dlq_covers_any(d, s), any);
		}
		if (step % 50 == 0)
			kit_reopen(&d, dir);
	}
	dlq_close(d);
}

TEST(dlq, a_million_questions_of_cover_are_nothing)
{
	enum { LETTERS = 20000, QUESTIONS = 1000000 };
	const char *dir = test_tmp_dir();
	char path[FILE_PATH_BYTES], name[DLQ_NAME_BYTES], id[DLQ_ID_BYTES];
	kit_path(dir, "dlq", "", path);
	assert_int_equal(file_mkdir(path, NULL, NULL), ERR_OK);
	/* All of one record: were each looked at, this would outlast the time that a test has. */
	for (uint32_t i = 0; i < LETTERS; i++) {
		unsigned char raw[DLQ_HEAD_BYTES];
		struct dlq_head h = {.kind = DLQ_KIND_MARK, .revision = 1};
		h.letter.seq = 1000;
		h.letter.item_first = i * 2;
		h.letter.item_count = 1;
		dlq_head_write(&h, raw);
		kit_id(1000, i * 2, id);
		snprintf(name, sizeof(name), "%s.done", id);
		kit_path(dir, "dlq", name, path);
		kit_write(path, raw, sizeof(raw));
	}
	struct dlq *d = kit_open(dir);
	unsigned yes = 0;
	for (uint32_t i = 0; i < QUESTIONS; i++)
		yes += dlq_covers(d, 1000, i % (LETTERS * 2));
	assert_int_equal(yes, QUESTIONS / 2);
	for (uint32_t i = 0; i < QUESTIONS; i++)
		yes -= dlq_covers_any(d, i);
	assert_int_equal(yes, QUESTIONS / 2 - 1);
	dlq_close(d);
}

TEST(dlq, lists_are_pages_in_order_that_survive_changes)
{
	enum { LETTERS = 25, PAGE = 4 };
	const char *dir = test_tmp_dir();
	struct dlq *d = kit_open(dir);
	struct dlq_letter page[PAGE];
	size_t count, seen = 0;
	bool more = true;
	char after[DLQ_ID_BYTES] = "";
	for (uint32_t i = LETTERS; i > 0; i--)
		assert_int_equal(kit_put(d, i / 3, i % 3, KIT_T0), ERR_OK);
	while (more) {
		struct dlq_query q = {.tenant = STR("acme"), .after = str_from(after)};
		assert_int_equal(dlq_list(d, &q, page, PAGE, &count, &more, NULL), ERR_OK);
		assert_true(count == PAGE || !more);
		for (size_t i = 0; i < count; i++) {
			seen++;
			assert_int_equal(page[i].seq * 3 + page[i].item_first, seen);
		}
		snprintf(after, sizeof(after), "%s", page[count - 1].id);
		/* The place stays when what it names is dropped. */
		assert_int_equal(dlq_drop(d, after, NULL), ERR_OK);
	}
	assert_int_equal(seen, LETTERS);
	struct dlq_query other = {.tenant = STR("zeta")};
	assert_int_equal(dlq_list(d, &other, page, PAGE, &count, &more, NULL), ERR_OK);
	assert_true(count == 0 && !more);
	struct dlq_query bad = {.after = STR("0000000000000002")};
	assert_int_equal(dlq_list(d, &bad, page, PAGE, &count, &more, NULL), ERR_INVALID);
	struct dlq_query quarantined = {.states = 1u << DLQ_QUARANTINED};
	assert_int_equal(dlq_list(d, &quarantined, page, PAGE, &count, &more, NULL), ERR_OK);
	assert_int_equal(count, 0);
	dlq_close(d);
}

static void
ring(void *ctx)
{
	++*(unsigned *)ctx;
}

TEST(dlq, the_bell_rings_when_one_is_due_earlier_than_was_said)
{
	struct dlq *d = kit_open(test_tmp_dir());
	struct dlq_letter l;
	unsigned rung = 0;
	dlq_on_change(d, ring, &rung);
	assert_false(kit_due(d, KIT_T0, &l)); /* never, it says */
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	assert_int_equal(rung, 1);
	assert_int_equal(kit_put(d, 2, 0, KIT_T0), ERR_OK); /* not before the other */
	assert_int_equal(rung, 1);
	assert_false(kit_due(d, KIT_T0, &l));
	kit_id(2, 0, l.id);
	assert_int_equal(dlq_retry(d, l.id, KIT_T0, NULL), ERR_OK);
	assert_int_equal(rung, 2);
	assert_true(kit_due(d, KIT_T0, &l));
	assert_int_equal(l.seq, 2);
	dlq_close(d);
}

TEST(dlq, the_error_is_made_fit_for_showing)
{
	struct dlq *d = kit_open(test_tmp_dir());
	struct dlq_letter l = {.seq = 1, .item_count = 1}, got;
	char want[DLQ_ERROR_BYTES];
	snprintf(l.error, sizeof(l.error), "a\x1b[31m b\n\xff\xc3\xa4\xc2\x9b.");
	assert_int_equal(dlq_put(d, &l, STR("x"), KIT_T0, NULL), ERR_OK);
	kit_id(1, 0, l.id);
	assert_int_equal(dlq_show(d, l.id, &got, NULL, NULL), ERR_OK);
	assert_string_equal(got.error, "a [31m b ?\xc3\xa4 .");
	/* One that is too long ends between characters. */
	struct buf payload = {0};
	uint64_t next;
	char why[1000];
	for (size_t i = 0; i + 2 < sizeof(why); i += 2)
		memcpy(why + i, "\xc3\xa4", 3);
	assert_int_equal(dlq_due(d, KIT_T0 + KIT_S(1), &got, &payload, &next, NULL), ERR_OK);
	assert_int_equal(dlq_failed(d, l.id, why, KIT_T0, NULL), ERR_OK);
	assert_int_equal(dlq_show(d, l.id, &got, NULL, NULL), ERR_OK);
	memcpy(want, why, 254);
	want[254] = '\0';
	assert_string_equal(got.error, want);
	assert_true(utf8_valid(str_from(got.error)));
	buf_fini(&payload);
	dlq_close(d);
}

TEST(dlq, what_an_earlier_weir_put_aside_is_quarantined)
{
	const char *dir = test_tmp_dir();
	char path[FILE_PATH_BYTES];
	struct dlq *d = kit_open(dir);
	assert_int_equal(kit_put(d, 1, 0, KIT_T0), ERR_OK);
	struct dlq_letter l;
	struct buf payload = {0};
	uint64_t next;
	kit_path(dir, "quarantine", "", path);
	assert_int_equal(file_mkdir(path, NULL, NULL), ERR_OK);
	for (int i = 10; i <= 12; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%016x.rec", (unsigned)i);
		kit_path(dir, "quarantine", name, path);
		kit_write(path, "old record", 10);
	}
	kit_reopen(&d, dir);
	assert_int_equal(kit_count(d, DLQ_QUARANTINED), 3);
	kit_id(10, 0, l.id);
	assert_int_equal(dlq_show(d, l.id, &l, &payload, NULL), ERR_OK);
	assert_int_equal(l.state, DLQ_QUARANTINED);
	assert_int_equal(l.item_count, DLQ_ALL_ITEMS);
	assert_true(str_eq(buf_view(&payload), STR("old record")));
	assert_true(dlq_covers(d, 10, 0) && dlq_covers(d, 10, 99999));
	/* Retried it is a letter like the others, with the same payload. */
	assert_int_equal(dlq_retry(d, l.id, KIT_T0, NULL), ERR_OK);
	kit_id(11, 0, l.id);
	assert_int_equal(dlq_drop(d, l.id, NULL), ERR_OK);
	assert_int_equal(kit_files(dir, "quarantine", ".rec"), 1);
	kit_reopen(&d, dir);
	assert_int_equal(kit_count(d, DLQ_QUARANTINED), 1);
	buf_reset(&payload);
	assert_int_equal(dlq_due(d, KIT_T0, &l, &payload, &next, NULL), ERR_OK);
	assert_int_equal(l.seq, 10);
	assert_true(str_eq(buf_view(&payload), STR("old record")));
	assert_int_equal(dlq_done(d, l.id, NULL), ERR_OK);
	kit_reopen(&d, dir);
	assert_true(dlq_covers(d, 10, 7) && dlq_covers(d, 11, 7));
	buf_fini(&payload);
	dlq_close(d);
}
