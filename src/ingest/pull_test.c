/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that somebody pulls: once, in order, with the bad records put aside. */
#include "ingest/pull.h"

#include "ingest/kit_test.h"

#include "base/bits.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>

static struct ingest_test t;

static uint64_t
soon(void)
{
	return clock_mono_ns() + UINT64_C(20000000000);
}

/* ---- batches */

static void
put_resource(struct buf *b, uint32_t number, const char *service)
{
	size_t resource = pb_open(b, number), attribute = pb_open(b, 1);
	pb_put_bytes(b, 1, STR("service.name"));
	size_t value = pb_open(b, 2);
	pb_put_bytes(b, 1, str_from(service));
	pb_close(b, value);
	pb_close(b, attribute);
	pb_close(b, resource);
}

/* A record of span k; of k = 0 one without ids. */
static void
put_record(struct buf *b, uint64_t k, const char *service)
{
	char trace[16] = {0}, span[8];
	trace[15] = (char)(k > 0);
	put_u64be(span, k);
	size_t record = pb_open(b, 3);
	pb_put_bytes(b, 1, str_of(span, 8));
	size_t body = pb_open(b, 2);
	pb_put_bytes(b, 1, str_of(trace, 16));
	pb_put_bytes(b, 2, str_of(span, 8));
	pb_put_bytes(b, 5, STR("op"));
	pb_put_fixed64(b, 7, CONFORMANCE_NOW_NS + k);
	pb_put_fixed64(b, 8, CONFORMANCE_NOW_NS + k);
	pb_close(b, body);
	put_resource(b, 3, service);
	pb_close(b, record);
}

static void
put_raw(struct buf *b, const char *key, struct str span, struct str resource)
{
	size_t record = pb_open(b, 3);
	pb_put_bytes(b, 1, str_from(key));
	pb_put_bytes(b, 2, span);
	pb_put_bytes(b, 3, resource);
	pb_close(b, record);
}

static void
begin(struct buf *b, const char *after, const char *position)
{
	buf_reset(b);
	pb_put_bytes(b, 1, str_from(after));
	pb_put_bytes(b, 2, str_from(position));
}

static enum err_code
bring(const char *source, struct buf *b, struct ingest_pulled *out, struct err *err)
{
	assert_false(b->failed);
	return ingest_pull(t.in,
	    &(struct ingest_pull){.tenant = STR("acme"),
	        .source = str_from(source),
	        .batch = buf_view(b),
	        .received_ns = CONFORMANCE_NOW_NS},
	    soon(), out, err);
}

/* Spans first .. last. */
static enum err_code
bring_spans(const char *source, const char *after, const char *position, uint64_t first,
    uint64_t last, struct err *err)
{
	struct buf b = {0};
	struct ingest_pulled out;
	begin(&b, after, position);
	for (uint64_t k = first; k <= last; k++)
		put_record(&b, k, k % 2 ? "odd" : "even");
	enum err_code code = bring(source, &b, &out, err);
	if (code == ERR_OK) {
		assert_int_equal(out.accepted, last - first + 1);
		assert_int_equal(out.rejected, 0);
		assert_true(str_eq(str_of((char *)out.now.position, out.now.position_len),
		    str_from(position)));
	}
	buf_fini(&b);
	return code;
}

static void
expect_position(const char *source, const char *position)
{
	struct store_pull now;
	struct err err = {0};
	assert_int_equal(ingest_pull_position(t.in, STR("acme"), str_from(source), &now, &err),
	    ERR_OK);
	assert_string_equal(now.source, source);
	assert_true(str_eq(str_of((char *)now.position, now.position_len), str_from(position)));
}

/* Spans 1 .. count are there, once, each of its own service. */
static void
expect_spans(struct store *s, uint64_t count)
{
	struct store_query q = store_conformance_question(STORE_SPANS, "acme");
	struct arena arena = {0};
	struct store_result r;
	uint64_t sum = 0;
	assert_true(ingest_test_wait_level(&t));
	store_conformance_ask(s, &q, &arena, &r);
	assert_int_equal(r.rows.row_count, count);
	for (size_t row = 0; row < r.rows.row_count; row++) {
		uint64_t k = table_u64(&r.rows, row, SPAN_SPAN_ID);
		assert_in_range(k, 1, count);
		assert_true(str_eq(table_str(&r.rows, row, SPAN_SERVICE),
		    k % 2 ? STR("odd") : STR("even")));
		sum += k;
	}
	assert_int_equal(sum, count * (count + 1) / 2);
	arena_fini(&arena);
}

static struct store *
up(void)
{
	struct store *s = store_mem_new();
	ingest_test_init(&t, test_tmp_dir());
	t.use = s;
	ingest_test_up(&t);
	return s;
}

/* Killed and started again: the store has to be told everything by the log. */
static struct store *
again(struct store *s)
{
	ingest_test_down(&t, 20000);
	store_close(s);
	s = store_mem_new();
	t.use = s;
	ingest_test_up(&t);
	assert_true(ingest_test_wait_level(&t));
	return s;
}

static void
down(struct store *s)
{
	ingest_test_down(&t, 20000);
	ingest_test_fini(&t);
	store_close(s);
}

TEST(ingest, pulled_batches_go_on_where_the_last_one_ended)
{
	struct err err = {0};
	struct store *s = up();
	expect_position("a", "");
	assert_int_equal(bring_spans("a", "", "p1", 1, 10, &err), ERR_OK);
	expect_position("a", "p1"); /* at once, loaded or not */
	assert_int_equal(bring_spans("a", "p1", "p2", 11, 11, &err), ERR_OK);
	expect_position("a", "p2");
	expect_position("b", "");
	expect_spans(s, 11);
	expect_position("a", "p2");
	s = again(s);
	expect_position("a", "p2");
	expect_spans(s, 11);
	assert_int_equal(bring_spans("a", "p2", "p3", 12, 20, &err), ERR_OK);
	expect_spans(s, 20);
	down(s);
}

TEST(ingest, pulled_batch_that_comes_twice_or_out_of_turn_is_taken_once)
{
	struct err err = {0};
	struct store *s = up();
	assert_int_equal(bring_spans("a", "p0", "p1", 1, 2, &err), ERR_CONFLICT);
	expect_position("a", "");
	assert_int_equal(bring_spans("a", "", "p1", 1, 2, &err), ERR_OK);
	assert_int_equal(bring_spans("a", "", "p1", 1, 2, &err), ERR_CONFLICT);
	assert_int_equal(bring_spans("a", "p2", "p3", 5, 6, &err), ERR_CONFLICT);
	assert_int_equal(bring_spans("a", "p", "p3", 5, 6, &err), ERR_CONFLICT);
	expect_spans(s, 2);
	assert_int_equal(bring_spans("a", "", "p1", 1, 2, &err), ERR_CONFLICT);
	/* Another source with the same spans: a repeat that moves that one. */
	assert_int_equal(bring_spans("b", "", "q1", 1, 2, &err), ERR_OK);
	expect_spans(s, 2);
	expect_position("b", "q1");
	s = again(s);
	expect_position("b", "q1");
	expect_position("a", "p1");
	down(s);
}

#define BAD_SPAN "\x0a\x10too short"

TEST(ingest, pulled_records_that_are_no_spans_are_in_quarantine_and_the_others_are_there)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct dlq_letter letters[8];
	size_t count;
	bool more;
	struct store *s = up();
	begin(&b, "", "p1");
	put_record(&b, 1, "odd");
	put_raw(&b, "k1", STR(BAD_SPAN), STR_EMPTY);
	put_record(&b, 2, "even");
	put_record(&b, 0, "nobody"); /* without ids */
	put_raw(&b, "k2", STR_EMPTY, STR_EMPTY);
	put_record(&b, 3, "odd");
	for (int round = 0; round < 2; round++) { /* taken, and when it comes once more */
		assert_int_equal(bring("a", &b, &out, &err), round ? ERR_CONFLICT : ERR_OK);
		if (round == 0) {
			assert_int_equal(out.accepted, 3);
			assert_int_equal(out.rejected, 3);
			assert_true(out.reason[0]);
		}
		expect_position("a", "p1");
		expect_spans(s, 3);
		assert_int_equal(ingest_test_letters(&t, DLQ_QUARANTINED), 3);
		assert_int_equal(ingest_test_letters(&t, DLQ_WAITING), 0);
		s = again(s);
	}
	struct dlq_query q = {.tenant = STR("acme")};
	assert_int_equal(dlq_list(t.dlq, &q, letters, 8, &count, &more, &err), ERR_OK);
	assert_int_equal(count, 3);
	bool found = false;
	for (size_t i = 0; i < count; i++) {
		struct buf payload = {0};
		assert_non_null(strstr(letters[i].error, "pulled from a: "));
		assert_int_equal(letters[i].item_count, 1);
		assert_int_equal(dlq_show(t.dlq, letters[i].id, &letters[i], &payload, &err),
		    ERR_OK);
		for (size_t k = 0; k + sizeof(BAD_SPAN) - 1 <= payload.len; k++)
			found =
			    found || memcmp(payload.ptr + k, BAD_SPAN, sizeof(BAD_SPAN) - 1) == 0;
		buf_fini(&payload);
	}
	assert_true(found);
	buf_fini(&b);
	down(s);
}

TEST(ingest, pulled_batch_of_nothing_good_moves_the_position)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	char position[16] = "", after[16] = "";
	struct store *s = up();
	for (int i = 0; i < 5; i++) { /* none of them is a repeat of another */
		memcpy(after, position, sizeof(after));
		snprintf(position, sizeof(position), "p%d", i);
		begin(&b, after, position);
		if (i % 2)
			put_raw(&b, position, STR(BAD_SPAN), STR_EMPTY);
		assert_int_equal(bring("a", &b, &out, &err), ERR_OK);
		assert_int_equal(out.accepted, 0);
		assert_int_equal(out.rejected, i % 2);
		expect_position("a", position);
	}
	s = again(s);
	expect_position("a", "p4");
	expect_spans(s, 0);
	assert_int_equal(ingest_test_letters(&t, DLQ_QUARANTINED), 2);
	buf_fini(&b);
	down(s);
}

TEST(ingest, many_bad_records_of_a_batch_share_a_letter)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct dlq_letter letters[64];
	size_t count;
	bool more;
	uint64_t items = 0;
	struct store *s = up();
	begin(&b, "", "p1");
	for (int i = 0; i < 500; i++) {
		char key[16];
		snprintf(key, sizeof(key), "k%d", i);
		put_raw(&b, key, STR(BAD_SPAN), STR_EMPTY);
	}
	assert_int_equal(bring("a", &b, &out, &err), ERR_OK);
	assert_int_equal(out.rejected, 500);
	struct dlq_query q = {.tenant = STR("acme")};
	assert_int_equal(dlq_list(t.dlq, &q, letters, 64, &count, &more, &err), ERR_OK);
	assert_int_equal(count, 32);
	for (size_t i = 0; i < count; i++)
		items += letters[i].item_count;
	assert_int_equal(items, 500);
	buf_fini(&b);
	down(s);
}

/* What was too large that day: an operator says so, and it is tried by the limits of now. */
TEST(ingest, letter_of_a_pulled_record_is_tried_again_by_the_limits_of_now)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct dlq_letter letter;
	size_t count;
	bool more;
	struct store *s = up();
	t.limits.name_bytes_max = 16;
	begin(&b, "", "p1");
	put_record(&b, 1, "odd");
	size_t record = pb_open(&b, 3), span = pb_open(&b, 2);
	pb_put_bytes(&b, 1, STR("0123456789abcdef"));
	pb_put_bytes(&b, 2, STR("\0\0\0\0\0\0\0\2"));
	pb_put_bytes(&b, 5, STR("a name of more than sixteen bytes"));
	pb_put_fixed64(&b, 7, CONFORMANCE_NOW_NS);
	pb_close(&b, span);
	put_resource(&b, 3, "even");
	pb_close(&b, record);
	assert_int_equal(bring("a", &b, &out, &err), ERR_OK);
	assert_int_equal(out.rejected, 1);
	struct dlq_query q = {.tenant = STR("acme")};
	assert_int_equal(dlq_list(t.dlq, &q, &letter, 1, &count, &more, &err), ERR_OK);
	assert_int_equal(count, 1);
	/* No better today: it says why, and nothing of it is lost. */
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 1));
	assert_int_equal(dlq_show(t.dlq, letter.id, &letter, NULL, &err), ERR_OK);
	assert_non_null(strstr(letter.error, "name"));
	expect_spans(s, 1);
	t.limits.name_bytes_max = 64;
	assert_int_equal(bring_spans("a", "p1", "p2", 3, 3, &err), ERR_OK);
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	expect_spans(s, 3);
	expect_position("a", "p2"); /* a letter moves nothing */
	assert_true(ingest_test_wait_letters(&t, DLQ_QUARANTINED, 0));
	assert_true(ingest_test_wait_letters(&t, DLQ_WAITING, 0));
	s = again(s);
	expect_spans(s, 3);
	expect_position("a", "p2");
	buf_fini(&b);
	down(s);
}

/* Span k with an attribute of so many bytes. */
static void
put_large(struct buf *b, uint64_t k, size_t bytes)
{
	char span[8], *text = xcalloc(1, bytes);
	put_u64be(span, k);
	memset(text, 'x', bytes);
	size_t record = pb_open(b, 3);
	pb_put_bytes(b, 1, str_of(span, 8));
	size_t body = pb_open(b, 2);
	pb_put_bytes(b, 1, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"));
	pb_put_bytes(b, 2, str_of(span, 8));
	pb_put_fixed64(b, 7, CONFORMANCE_NOW_NS + k);
	pb_put_fixed64(b, 8, CONFORMANCE_NOW_NS + k);
	size_t attribute = pb_open(b, 9);
	pb_put_bytes(b, 1, STR("large"));
	size_t value = pb_open(b, 2);
	pb_put_bytes(b, 1, str_of(text, bytes));
	pb_close(b, value);
	pb_close(b, attribute);
	pb_close(b, body);
	put_resource(b, 3, k % 2 ? "odd" : "even");
	pb_close(b, record);
	free(text);
}

static void
only_letter(struct dlq_letter *out)
{
	struct dlq_query q = {.tenant = STR("acme")};
	struct err err = {0};
	size_t count;
	bool more;
	assert_int_equal(dlq_list(t.dlq, &q, out, 1, &count, &more, &err), ERR_OK);
	assert_int_equal(count, 1);
	assert_false(more);
}

/* By itself; with others it costs the batch, so that whoever brings it brings less. */
TEST(ingest, pulled_record_that_is_larger_than_is_taken_at_once_is_a_letter_and_holds_nothing_up)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct dlq_letter letter;
	struct store *s = up();
	for (int round = 0; round < 2; round++) { /* by either limit */
		*(round ? &t.limits.body_bytes_max : &t.limits.wire_bytes_max) = 2000;
		*(round ? &t.limits.wire_bytes_max : &t.limits.body_bytes_max) = 100000;
		const char *after = round ? "p1" : "", *at = round ? "p2" : "p1";
		begin(&b, after, at);
		put_large(&b, 2, 3000);
		put_record(&b, 1, "odd");
		assert_int_equal(bring("a", &b, &out, &err), round ? ERR_OK : ERR_TOO_LARGE);
		expect_position("a", round ? "p2" : "");
		if (round)
			break;
		begin(&b, after, at);
		put_large(&b, 2, 3000);
		assert_int_equal(bring("a", &b, &out, &err), ERR_OK);
		assert_int_equal(out.accepted, 0);
		assert_int_equal(out.rejected, 1);
		assert_non_null(strstr(out.reason, "more than --max-wire-bytes"));
		expect_position("a", at);
		s = again(s);
		expect_position("a", at);
		assert_int_equal(bring("a", &b, &out, &err), ERR_CONFLICT);
		only_letter(&letter);
		assert_non_null(strstr(letter.error, "pulled from a: it has 31"));
	}
	assert_non_null(strstr(out.reason, "more than --max-body-bytes"));
	assert_int_equal(out.accepted, 1);
	assert_int_equal(out.rejected, 1);
	/* The same record: the same letter. */
	only_letter(&letter);
	assert_int_equal(letter.bytes > 3000, true);
	expect_spans(s, 1);
	/* It is whole, and loaded when somebody says so. */
	t.limits.body_bytes_max = 100000;
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	expect_spans(s, 2);
	expect_position("a", "p2");
	assert_int_equal(stats_get(&t.stats, STATS_PULL_LEFT_OUT), 0);
	buf_fini(&b);
	down(s);
}

TEST(ingest, pulled_record_that_cannot_even_be_brought_is_noted_and_counted)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct dlq_letter letter;
	struct store *s = up();
	begin(&b, "", "p1");
	put_record(&b, 1, "odd");
	size_t record = pb_open(&b, 3);
	pb_put_bytes(&b, 1, STR("k"));
	put_resource(&b, 3, "even");
	pb_put_u64(&b, 7, 300000000);
	pb_put_bytes(&b, 8, STR("0123456789abcdef"));
	pb_put_bytes(&b, 9, STR("01234567"));
	pb_close(&b, record);
	put_record(&b, 2, "even");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(bring("a", &b, &out, &err), round ? ERR_CONFLICT : ERR_OK);
		if (round == 0) {
			assert_int_equal(out.accepted, 2);
			assert_int_equal(out.rejected, 1);
		}
		expect_position("a", "p1");
		expect_spans(s, 2);
		only_letter(&letter);
		assert_non_null(strstr(letter.error,
		    "it has 300000000 bytes, more than --max-body-bytes: only the source has it, span "
		    "3031323334353637 of trace 30313233343536373839616263646566"));
		assert_int_equal(stats_get(&t.stats, STATS_PULL_LEFT_OUT), 1);
		s = again(s);
	}
	/* What is not there never becomes a span. */
	assert_int_equal(dlq_retry(t.dlq, letter.id, clock_unix_ns(), &err), ERR_OK);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_FAILED, 1));
	expect_spans(s, 2);
	buf_fini(&b);
	down(s);
}

TEST(ingest, body_that_is_no_batch_changes_nothing)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum err_code code;
	} cases[] = {
	    {"", 0, ERR_INVALID}, /* without a position */
	    {"\x0a\0", 2, ERR_INVALID},
	    {"\x12\0", 2, ERR_INVALID},
	    {"\x12\5abc", 5, ERR_INVALID},
	    {"\x12\1p\x1a\2\x12\5", 7, ERR_INVALID}, /* half a record */
	    {"\x12\1p\x1a\5\x12\1x", 7, ERR_INVALID},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, ERR_INVALID},
	    {"{\"after\":\"\"}", 12, ERR_INVALID},
	};
	struct err err = {0};
	struct ingest_pulled out;
	struct store *s = up();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = {0};
		buf_append(&b, cases[i].bytes, cases[i].len);
		assert_int_equal(bring("a", &b, &out, &err), cases[i].code);
		buf_fini(&b);
	}
	char text[66];
	memset(text, 'x', sizeof(text));
	text[65] = '\0';
	assert_int_equal(bring_spans("a", "", text, 1, 1, &err), ERR_INVALID);
	assert_int_equal(bring_spans("a", text, "p", 1, 1, &err), ERR_INVALID);
	assert_int_equal(bring_spans(text, "", "p", 1, 1, &err), ERR_INVALID);
	assert_int_equal(bring_spans("a b", "", "p", 1, 1, &err), ERR_INVALID);
	assert_int_equal(bring_spans("..", "", "p", 1, 1, &err), ERR_INVALID);
	assert_int_equal(bring_spans("a", "", "", 1, 1, &err), ERR_INVALID);
	t.limits.items_max = 3;
	assert_int_equal(bring_spans("a", "", "p", 1, 4, &err), ERR_TOO_LARGE);
	assert_int_equal(wal_durable_seq(t.wal), 0);
	assert_int_equal(bring_spans("a", "", "p", 1, 3, &err), ERR_OK);
	expect_spans(s, 3);
	down(s);
}

/* ---- several at once */

enum { PULLERS = 4, BATCHES = 60, EACH = 3 };

struct puller {
	struct thread thread;
	uint64_t taken;
	char what[200]; /* went wrong */
};

/* Brings what comes next, whoever brought what was before, until the end. */
static void
puller_main(void *ctx)
{
	struct puller *p = ctx;
	for (;;) {
		struct store_pull now;
		struct err err = {0};
		uint64_t n = 0;
		char after[16], position[16];
		if (ingest_pull_position(t.in, STR("acme"), STR("a"), &now, &err) != ERR_OK)
			break;
		if (now.position_len > 0 &&
		    !str_to_u64(str_of((char *)now.position, now.position_len), &n))
			break;
		if (n == BATCHES)
			return;
		snprintf(after, sizeof(after), "%.*s", (int)now.position_len, now.position);
		snprintf(position, sizeof(position), "%llu", (unsigned long long)n + 1);
		enum err_code code =
		    bring_spans("a", after, position, n * EACH + 1, (n + 1) * EACH, &err);
		p->taken += code == ERR_OK;
		if (code != ERR_OK && code != ERR_CONFLICT && code != ERR_BUSY) {
			snprintf(p->what, sizeof(p->what), "%s", err.message);
			return;
		}
	}
	snprintf(p->what, sizeof(p->what), "the position cannot be asked");
}

TEST(ingest, several_who_pull_one_source_bring_each_batch_once)
{
	static struct puller pullers[PULLERS];
	struct err err = {0};
	uint64_t taken = 0;
	struct store *s = up();
	memset(pullers, 0, sizeof(pullers));
	for (int i = 0; i < PULLERS; i++)
		assert_int_equal(thread_start(&pullers[i].thread, "puller", puller_main,
		                     &pullers[i], &err),
		    ERR_OK);
	for (int i = 0; i < PULLERS; i++) {
		thread_join(&pullers[i].thread);
		assert_string_equal(pullers[i].what, "");
		taken += pullers[i].taken;
	}
	assert_int_equal(taken, BATCHES);
	assert_int_equal(wal_durable_seq(t.wal), BATCHES);
	expect_spans(s, BATCHES * EACH);
	down(s);
}

/* ---- when the log does not answer, or has not been read */

TEST(ingest, batch_whose_answer_came_too_late_is_known_by_the_position)
{
	struct err err = {0};
	struct buf b = {0};
	struct ingest_pulled out;
	struct store *s = up();
	uint64_t end = soon();
	begin(&b, "", "p1");
	put_record(&b, 1, "odd");
	enum err_code code = ingest_pull(t.in,
	    &(struct ingest_pull){.tenant = STR("acme"), .source = STR("a"), .batch = buf_view(&b)},
	    1, &out, &err);
	assert_true(code == ERR_DEADLINE || code == ERR_OK);
	/* Until it is settled, the next is told to wait, and no other is taken in its place. */
	do
		code = bring("a", &b, &out, &err);
	while (code == ERR_BUSY && clock_mono_ns() < end);
	assert_int_equal(code, ERR_CONFLICT);
	expect_position("a", "p1");
	assert_int_equal(bring_spans("a", "p1", "p2", 2, 2, &err), ERR_OK);
	expect_spans(s, 2);
	buf_fini(&b);
	down(s);
}

TEST(ingest, nothing_is_pulled_before_the_log_of_the_start_is_loaded)
{
	struct err err = {0};
	struct store_pull now;
	ingest_test_init(&t, test_tmp_dir());
	t.store.hot = true;
	ingest_test_up(&t);
	assert_int_equal(bring_spans("a", "", "p1", 1, 2, &err), ERR_OK);
	assert_true(ingest_test_wait_level(&t));
	ingest_test_down(&t, 20000);
	ingest_test_forget(&t);
	ingest_test_fail_next(&t, UINT64_MAX, ERR_UNAVAILABLE, false);
	ingest_test_up(&t);
	assert_int_equal(ingest_pull_position(t.in, STR("acme"), STR("a"), &now, &err),
	    ERR_UNAVAILABLE);
	assert_int_equal(bring_spans("a", "", "p1", 1, 2, &err), ERR_UNAVAILABLE);
	ingest_test_fail_next(&t, 0, ERR_OK, false);
	assert_true(ingest_test_wait_level(&t));
	assert_int_equal(ingest_pull_position(t.in, STR("acme"), STR("a"), &now, &err), ERR_OK);
	ingest_test_down(&t, 20000);
	ingest_test_fini(&t);
}
