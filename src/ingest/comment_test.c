/* SPDX-License-Identifier: Apache-2.0 */
/* Comments through the log: acknowledged when durable, there once after a crash, put aside when they cannot be loaded. */
#include "ingest/kit_test.h"

#include "comment/comment.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/file_fault.h"
#include "tests/test.h"

#include <errno.h>

static struct ingest_test t;

static enum err_code
add(const char *id, const char *body, bool *visible, struct err *err)
{
	struct comment c = {.id = str_from(id),
	    .trace_hi = 1,
	    .trace_lo = 2,
	    .created_ns = CONFORMANCE_NOW_NS,
	    .author = STR("ada"),
	    .body = str_from(body)};
	struct ingest_request req = {
	    .signal = SIGNAL_COMMENTS, .tenant = STR("acme"), .received_ns = clock_unix_ns()};
	comment_put(&c, &req.body);
	enum err_code code = ingest_submit_and_wait(t.in, &req,
	    clock_mono_ns() + UINT64_C(20000000000), visible, err);
	buf_fini(&req.body);
	return code;
}

/* The bodies, oldest first, joined by blanks. */
static void
expect(struct store *s, const char *bodies)
{
	struct store_query q = store_conformance_question(STORE_COMMENTS, "acme");
	struct arena arena = {0};
	struct store_result r;
	struct buf got = {0};
	q.oldest_first = true;
	store_conformance_ask(s, &q, &arena, &r);
	for (size_t row = 0; row < r.rows.row_count; row++)
		buf_printf(&got, "%s%.*s", row > 0 ? " " : "",
		    STR_ARG(table_str(&r.rows, row, COMMENT_BODY)));
	buf_char(&got, '\0');
	assert_string_equal(got.ptr, bodies);
	buf_fini(&got);
	arena_fini(&arena);
}

TEST(ingest, comment_is_visible_when_it_is_answered_and_there_once_after_any_crash)
{
	struct err err;
	bool visible;
	struct store *s = store_mem_new();
	ingest_test_init(&t, test_tmp_dir());
	t.use = s;
	ingest_test_up(&t);
	assert_int_equal(add("a", "one", &visible, &err), ERR_OK);
	assert_true(visible);
	expect(s, "one");
	assert_int_equal(add("b", "two", &visible, &err), ERR_OK);
	assert_int_equal(add("a", "one", &visible, &err), ERR_OK); /* a retry */
	assert_int_equal(add("b", "other", &visible, &err), ERR_OK); /* the first one stays */
	expect(s, "one two");
	assert_int_equal(stats_get(&t.stats, STATS_COMMENTS_ACKED), 4);
	ingest_test_down(&t, 10000);
	/* The store has lost everything; the log has not. */
	store_close(s);
	t.use = s = store_mem_new();
	ingest_test_up(&t);
	assert_true(ingest_test_wait_level(&t));
	expect(s, "one two");
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
	store_close(s);
}

TEST(ingest, R29_comment_is_no_when_the_disk_says_no)
{
	struct err err = {0};
	bool visible;
	struct store *s = store_mem_new();
	ingest_test_init(&t, test_tmp_dir());
	t.use = s;
	ingest_test_up(&t);
	assert_int_equal(add("a", "one", &visible, &err), ERR_OK);
	file_fault_begin(&(struct file_fault_plan){.op = FILE_OP_SYNC, .nth = 1, .os_errno = EIO});
	assert_int_equal(add("b", "two", &visible, &err), ERR_UNAVAILABLE);
	file_fault_end();
	assert_false(visible);
	assert_non_null(strstr(err.message, "cannot be written"));
	assert_int_equal(add("c", "three", &visible, &err), ERR_UNAVAILABLE);
	expect(s, "one");
	ingest_test_down(&t, 1000);
	ingest_test_fini(&t);
	store_close(s);
}

TEST(ingest, comment_that_is_not_good_is_not_logged)
{
	struct err err = {0};
	bool visible;
	ingest_test_init(&t, test_tmp_dir());
	ingest_test_up(&t);
	uint64_t before = wal_durable_seq(t.wal);
	assert_int_equal(add("a b", "x", &visible, &err), ERR_INVALID);
	assert_int_equal(add("a", "\xFF", &visible, &err), ERR_INVALID);
	struct ingest_request req = {.signal = SIGNAL_COMMENTS, .tenant = STR("acme")};
	assert_int_equal(ingest_submit_and_wait(t.in, &req, clock_mono_ns() + UINT64_C(20000000000),
	                     &visible, &err),
	    ERR_INVALID);
	assert_int_equal(wal_durable_seq(t.wal), before);
	ingest_test_down(&t, 1000);
	ingest_test_fini(&t);
}

/* The store of the kit does not take a row whose name is "poison"; a comment's body is its name. */
TEST(ingest, comment_that_cannot_be_loaded_is_a_letter_and_comes_back)
{
	struct err err;
	bool visible;
	ingest_test_init(&t, test_tmp_dir());
	t.backoff_ms = 1;
	t.attempts_max = 1000000;
	ingest_test_up(&t);
	assert_int_equal(add("a", "poison", &visible, &err), ERR_OK);
	assert_true(ingest_test_wait_loaded(&t, 1));
	assert_true(visible); /* it has had its turn */
	assert_int_equal(t.store.row_count, 0);
	assert_int_equal(ingest_test_letters(&t, DLQ_WAITING) +
	        ingest_test_letters(&t, DLQ_RUNNING),
	    1);
	ingest_test_heal(&t, true);
	assert_true(ingest_test_wait_stat(&t, STATS_LETTERS_APPLIED, 1));
	assert_int_equal(t.store.row_count, 1);
	ingest_test_down(&t, 10000);
	ingest_test_fini(&t);
}
