/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and requests as bytes, and what a store can do to an answer. The rest is tests/scenario/33-read-spans. */
#include "reads/reads_priv.h"

#include "base/arena.h"
#include "base/bits.h"
#include "base/timefmt.h"
#include "grpc/client.h"
#include "store/conformance.h"
#include "store/mem.h"
#include "sys/clock.h"
#include "tests/random.h"
#include "tests/test.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

/* ---- bytes */

TEST(reads, keys_compare_as_bytes_as_their_places_do)
{
	static const uint64_t odd[] = {0, 1, 255, 256, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
	struct rng r = {1};
	for (int i = 0; i < 20000; i++) {
		uint64_t seq[2];
		uint32_t ord[2];
		char key[2][READS_KEY_BYTES];
		for (int k = 0; k < 2; k++) {
			seq[k] = rng_one_in(&r, 2) ? RNG_PICK(&r, odd) : rng_next(&r);
			ord[k] = rng_one_in(&r, 2) ? (uint32_t)RNG_PICK(&r, odd)
			                           : (uint32_t)rng_next(&r);
			reads_key_write(seq[k], ord[k], key[k]);
		}
		if (rng_one_in(&r, 3)) {
			seq[1] = seq[0];
			reads_key_write(seq[1], ord[1], key[1]);
		}
		int want = seq[0] != seq[1] ? (seq[0] < seq[1] ? -1 : 1)
		                            : (ord[0] > ord[1]) - (ord[0] < ord[1]);
		int is = memcmp(key[0], key[1], READS_KEY_BYTES);
		assert_int_equal((is > 0) - (is < 0), want);
	}
}

/* Field 1: bytes, and field 2: a number, unless it is 0. */
static struct buf
request_of(struct str key, uint64_t batch)
{
	struct buf b = {0};
	if (key.ptr)
		pb_put_bytes(&b, 1, key);
	if (batch > 0)
		pb_put_u64(&b, 2, batch);
	return b;
}

TEST(reads, a_request_is_read_with_a_key_or_none_and_whatever_else_is_in_it)
{
	struct reads_request q;
	struct err err;
	char key[READS_KEY_BYTES];
	reads_key_write(7, 9, key);
	struct buf b = request_of(str_of(key, sizeof(key)), 1000);
	pb_put_bytes(&b, 99, STR("a field of later"));
	assert_int_equal(reads_request_read(buf_view(&b), 7, &q, &err), ERR_OK);
	assert_true(q.after.set && q.after.seq == 7 && q.after.ord == 9);
	assert_int_equal(q.batch_size, 1000);
	buf_fini(&b);
	assert_int_equal(reads_request_read(STR_EMPTY, 0, &q, &err), ERR_OK);
	assert_false(q.after.set);
	assert_int_equal(q.batch_size, 0);
	/* Behind all of a record. */
	memset(key + 8, 0xff, 8);
	b = request_of(str_of(key, sizeof(key)), 0);
	assert_int_equal(reads_request_read(buf_view(&b), 7, &q, &err), ERR_OK);
	assert_int_equal(q.after.ord, UINT32_MAX);
	buf_fini(&b);
}

TEST(reads, a_key_of_a_wrong_length_or_of_another_server_is_invalid)
{
	struct reads_request q;
	struct err err;
	char key[64] = {0};
	for (size_t len = 0; len <= sizeof(key); len++) {
		struct buf b = request_of(str_of(key, len), 5);
		bool good = len == 0 || len == READS_KEY_BYTES;
		assert_int_equal(reads_request_read(buf_view(&b), 100, &q, &err),
		    good ? ERR_OK : ERR_INVALID);
		buf_fini(&b);
	}
	reads_key_write(101, 0, key);
	struct buf b = request_of(str_of(key, READS_KEY_BYTES), 0);
	assert_int_equal(reads_request_read(buf_view(&b), 101, &q, &err), ERR_OK);
	assert_int_equal(reads_request_read(buf_view(&b), 100, &q, &err), ERR_INVALID);
	assert_non_null(strstr(err.message, "another server"));
	/* Cut off anywhere, it is no message, or one without the key. */
	for (size_t len = 1; len < b.len; len++)
		assert_int_equal(reads_request_read(str_of(b.ptr, len), 101, &q, &err),
		    ERR_INVALID);
	buf_fini(&b);
	struct str token;
	assert_int_equal(reads_key_request_read(STR("\x0a\x03"
	                                            "abc"),
	                     &token, &err),
	    ERR_OK);
	assert_true(str_eq(token, STR("abc")));
	assert_int_equal(reads_key_request_read(STR("\x0a\x04"
	                                            "abc"),
	                     &token, &err),
	    ERR_INVALID);
}

/* ---- a store that does what a test wants, before one in memory */

struct odd_store {
	struct store store;
	struct store *inside;
	struct mutex lock;
	struct cond changed;
	bool closed; /* lock: questions wait */
	size_t waiting; /* lock */
	_Atomic size_t row_max; /* more than that is too large; 0: anything is */
};

static enum err_code
odd_query(struct store *s, const struct store_query *q, struct store_result *result,
    struct err *err)
{
	struct odd_store *o = (struct odd_store *)s;
	mutex_lock(&o->lock);
	o->waiting++;
	cond_broadcast(&o->changed);
	while (o->closed)
		cond_wait(&o->changed, &o->lock);
	mutex_unlock(&o->lock);
	if (q->row_max > atomic_load(&o->row_max))
		return err_set(err, ERR_TOO_LARGE, "too large for the test");
	return store_query(o->inside, q, result->arena, result, err);
}

static const struct store_ops odd_ops = {.name = "odd", .query = odd_query};

struct fixture {
	struct odd_store odd;
	struct limits limits;
	struct stats stats;
	struct reads *reads;
	struct grpc_server *grpc;
	struct grpc_client *client;
	_Atomic bool catching_up;
};

static bool
catches_up(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES])
{
	struct fixture *f = ctx;
	snprintf(text, LIMIT_CHECK_TEXT_BYTES, "3 of 9 MiB");
	return f->catching_up;
}

static enum err_code
admit(void *ctx, const struct grpc_call *call, struct err *err)
{
	struct fixture *f = ctx;
	return reads_grpc_admit(f->reads, call, err);
}

static void
handle(void *ctx, struct grpc_call *call)
{
	struct fixture *f = ctx;
	reads_grpc(f->reads, call);
}

/* Spans of one batch, of "default"; the JSON of those whose place is in the mask is damaged. */
static void
put_spans(struct store *s, uint64_t seq, size_t count, unsigned damaged)
{
	struct batch b;
	batch_init(&b, 0);
	b.last_seq = seq;
	store_conformance_dict(&b, TABLE_RESOURCES, 1, "default", NULL);
	store_conformance_dict(&b, TABLE_SCOPES, 2, "default", NULL);
	for (size_t i = 0; i < count; i++) {
		struct table *t = &b.tables[TABLE_SPANS];
		size_t row =
		    store_conformance_row(&b, TABLE_SPANS, "default", i, CONFORMANCE_NOW_NS);
		table_set_u64(t, row, SPAN_TRACE_LO, 5);
		table_set_u64(t, row, SPAN_SPAN_ID, seq * 1000 + i);
		table_set_u64(t, row, SPAN_RESOURCE_ID, 1);
		table_set_u64(t, row, SPAN_SCOPE_ID, 2);
		if (i < 32 && damaged >> i & 1)
			table_set_str(t, row, SPAN_ATTRIBUTES, STR("{\"a\":"));
	}
	store_conformance_put(s, &b);
	batch_fini(&b);
}

static struct fixture *
start(void)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};
	char address[32];
	f->limits = limits_default();
	f->odd =
	    (struct odd_store){.store = {&odd_ops}, .inside = store_mem_new(), .row_max = SIZE_MAX};
	mutex_init(&f->odd.lock);
	cond_init(&f->odd.changed);
	const struct reads_options opt = {.store = &f->odd.store,
	    .limits = &f->limits,
	    .stats = &f->stats,
	    .catches_up = catches_up,
	    .ctx = f};
	const struct grpc_server_options grpc = {.address = STR("127.0.0.1:0"),
	    .loop_count = 1,
	    .limits = &f->limits,
	    .stats = &f->stats,
	    .paths = reads_grpc_paths,
	    .admit = admit,
	    .handle = handle,
	    .ctx = f};
	assert_int_equal(reads_start(&opt, &f->reads, &err), ERR_OK);
	assert_int_equal(grpc_server_start(&grpc, &f->grpc, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", grpc_server_port(f->grpc));
	const struct grpc_client_options client = {
	    .address = str_from(address), .timeout_ms = 10000};
	if (grpc_client_open(&client, &f->client, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return f;
}

static void
finish(struct fixture *f)
{
	grpc_client_close(f->client);
	grpc_server_stop(f->grpc, clock_mono_ns() + PATIENCE_NS);
	reads_stop(f->reads);
	grpc_server_free(f->grpc);
	reads_free(f->reads); /* looks at the budget */
	store_close(f->odd.inside);
	cond_fini(&f->odd.changed);
	mutex_fini(&f->odd.lock);
	free(f);
}

/* What came of one ReadSpans. */
struct got {
	int status; /* -1: none yet */
	bool says_when; /* RetryInfo */
	char text[192];
	size_t messages, spans;
	uint64_t seq, ord, remaining; /* of the last message */
	struct buf request;
};

static bool
on_message(void *ctx, struct str message)
{
	struct got *g = ctx;
	struct pb_reader r;
	struct pb_field f;
	g->messages++;
	g->remaining = 0;
	pb_reader_init(&r, message);
	while (pb_next(&r, &f)) {
		g->spans += f.number == 2;
		if (f.number == 4)
			g->remaining = f.value;
		if (f.number != 1)
			continue;
		assert_int_equal(f.bytes.len, READS_KEY_BYTES);
		g->seq = get_u64be(f.bytes.ptr);
		g->ord = get_u64be(f.bytes.ptr + 8);
	}
	assert_false(pb_failed(&r));
	return true;
}

static bool
has(struct str s, struct str part)
{
	for (; s.len >= part.len; s = str_skip(s, 1))
		if (memcmp(s.ptr, part.ptr, part.len) == 0)
			return true;
	return false;
}

static void
on_done(void *ctx, const struct grpc_reply *reply)
{
	struct got *g = ctx;
	g->status = reply->status;
	g->says_when = has(reply->details, STR("RetryInfo"));
	snprintf(g->text, sizeof(g->text), "%.*s", STR_ARG(reply->text));
	buf_fini(&g->request);
}

/* Behind this place; seq 0: from the oldest. */
static void
begin_read(struct fixture *f, struct got *g, uint64_t seq, uint32_t ord, uint64_t batch)
{
	char key[READS_KEY_BYTES];
	struct err err = {0};
	*g = (struct got){.status = -1};
	const struct grpc_stream to = {on_message, on_done, g, SIZE_MAX};
	reads_key_write(seq, ord, key);
	g->request = request_of(seq > 0 ? str_of(key, sizeof(key)) : STR_EMPTY, batch);
	if (grpc_client_call_stream(f->client, reads_grpc_paths[0], buf_view(&g->request), NULL,
	        &to, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

static void
end_reads(struct fixture *f)
{
	struct err err = {0};
	if (grpc_client_run(f->client, 0, clock_mono_ns() + PATIENCE_NS, &err) != ERR_OK)
		fail_msg("%s", err.message);
}

static struct got
read_spans(struct fixture *f, uint64_t seq, uint32_t ord, uint64_t batch)
{
	struct got g;
	begin_read(f, &g, seq, ord, batch);
	end_reads(f);
	return g;
}

TEST(reads, the_last_message_has_no_span_but_a_key_and_what_remains)
{
	struct fixture *f = start();
	struct got g = read_spans(f, 0, 0, 0);
	assert_int_equal(g.status, 0);
	assert_true(g.messages == 1 && g.spans == 0 && g.seq == 0 && g.remaining == 0);
	put_spans(f->odd.inside, 3, 250, 0);
	g = read_spans(f, 0, 0, 0);
	assert_int_equal(g.spans, READS_BATCH);
	assert_int_equal(g.messages, READS_BATCH + 1);
	assert_true(g.seq == 3 && g.ord == READS_BATCH - 1 && g.remaining == 150);
	g = read_spans(f, 3, 248, 10);
	assert_true(g.spans == 1 && g.seq == 3 && g.ord == 249 && g.remaining == 0);
	g = read_spans(f, 3, 249, 10);
	assert_true(g.messages == 1 && g.seq == 3 && g.ord == 249 && g.remaining == 0);
	assert_int_equal(stats_get(&f->stats, STATS_READ_SPANS), READS_BATCH + 1);
	finish(f);
}

TEST(reads, damaged_spans_are_left_out_and_counted_and_the_key_steps_past_them)
{
	struct fixture *f = start();
	put_spans(f->odd.inside, 1, 4, 0x5); /* the first and the third */
	put_spans(f->odd.inside, 2, 3, 0x7);
	struct got g = read_spans(f, 0, 0, 5);
	assert_int_equal(g.status, 0);
	assert_int_equal(g.spans, 2);
	assert_true(g.seq == 2 && g.ord == 0 && g.remaining == 2);
	g = read_spans(f, 2, 0, 5);
	assert_true(g.spans == 0 && g.seq == 2 && g.ord == 2 && g.remaining == 0);
	assert_int_equal(stats_get(&f->stats, STATS_READ_DAMAGED), 5);
	finish(f);
}

TEST(reads, what_does_not_fit_into_memory_comes_in_smaller_answers)
{
	struct fixture *f = start();
	put_spans(f->odd.inside, 1, 100, 0);
	atomic_store(&f->odd.row_max, 10);
	struct got g = read_spans(f, 0, 0, 100);
	assert_int_equal(g.status, 0);
	assert_in_range(g.spans, 1, 10);
	assert_int_equal(g.ord, g.spans - 1);
	assert_int_equal(g.remaining, 100 - g.spans);
	atomic_store(&f->odd.row_max, 0);
	g = read_spans(f, 0, 0, 100);
	assert_int_equal(g.status, 8);
	assert_false(g.says_when); /* it will not be better later */
	finish(f);
}

TEST(reads, more_than_may_wait_are_told_when_to_come_back_and_the_others_are_served)
{
	enum { CALLS = READS_WAITING_MAX + READS_THREADS };
	struct fixture *f = start();
	struct got *g = xcalloc(CALLS + 1, sizeof(*g));
	struct err err = {0};
	put_spans(f->odd.inside, 1, 5, 0);
	f->odd.closed = true;
	/* The threads take theirs first, so that the queue is empty when it is filled. */
	for (size_t i = 0; i < CALLS + 1; i++) {
		begin_read(f, &g[i], 0, 0, 10);
		if (i + 1 != READS_THREADS)
			continue;
		assert_int_equal(grpc_client_run(f->client, SIZE_MAX, 0, &err), ERR_OK);
		mutex_lock(&f->odd.lock);
		bool in_time = true;
		while (f->odd.waiting < READS_THREADS && in_time)
			in_time = cond_wait_until(&f->odd.changed, &f->odd.lock,
			    clock_mono_ns() + PATIENCE_NS);
		mutex_unlock(&f->odd.lock);
		assert_true(in_time);
	}
	assert_int_equal(grpc_client_run(f->client, CALLS, clock_mono_ns() + PATIENCE_NS, &err),
	    ERR_OK);
	assert_int_equal(g[CALLS].status, 8);
	assert_true(g[CALLS].says_when);
	mutex_lock(&f->odd.lock);
	f->odd.closed = false;
	mutex_unlock(&f->odd.lock);
	cond_broadcast(&f->odd.changed);
	end_reads(f);
	for (size_t i = 0; i < CALLS; i++)
		assert_true(g[i].status == 0 && g[i].spans == 5);
	free(g);
	finish(f);
}

TEST(reads, answers_that_nobody_reads_leave_no_room_for_more)
{
	struct fixture *f = start();
	put_spans(f->odd.inside, 1, 50, 0);
	/* As if others held it. */
	CHECK(budget_take(&f->reads->answers, f->limits.answer_bytes_max - 100));
	struct got g = read_spans(f, 0, 0, 10);
	assert_int_equal(g.status, 8);
	assert_true(g.says_when);
	budget_give(&f->reads->answers, f->limits.answer_bytes_max - 100);
	assert_int_equal(read_spans(f, 0, 0, 10).spans, 10);
	finish(f);
}

TEST(reads, after_the_stop_a_call_is_told_that_the_server_stops)
{
	struct fixture *f = start();
	put_spans(f->odd.inside, 1, 5, 0);
	reads_stop(f->reads);
	struct got g = read_spans(f, 0, 0, 10);
	assert_int_equal(g.status, 14);
	assert_string_equal(g.text, "the server is stopping");
	finish(f);
}

TEST(reads, until_the_store_has_what_was_kept_before_the_start_nobody_is_told_that_there_is_no_more)
{
	struct fixture *f = start();
	put_spans(f->odd.inside, 1, 5, 0);
	f->catching_up = true;
	struct got g = read_spans(f, 0, 0, 10);
	assert_int_equal(g.status, 14);
	assert_true(g.messages == 0 && g.says_when);
	assert_non_null(strstr(g.text, "weir has just started"));
	assert_non_null(strstr(g.text, "3 of 9 MiB"));
	f->catching_up = false;
	g = read_spans(f, 0, 0, 10);
	assert_true(g.status == 0 && g.spans == 5);
	finish(f);
}
