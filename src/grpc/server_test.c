/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, answers and refusals, through the client of this folder or a peer of raw bytes. */
#include "grpc/kit_test.h"

#include "tests/test.h"

#include "base/bits.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"
#include "wire/inflate.h"
#include "wire/pb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct str
pattern(struct buf *b, size_t n)
{
	buf_reset(b);
	for (size_t i = 0; i < n; i++)
		buf_char(b, (char)(i * 131 + (i >> 8)));
	return buf_view(b);
}

TEST(grpc, a_call_reaches_the_handler_and_its_answer_the_client)
{
	/* Around the frame size, the initial windows, the first piece of a growing body. */
	static const size_t sizes[] = {
	    0, 1, 5, 16379, 16384, 65535, 65536, 131072, 131073, 1 << 20, (1 << 20) + 1, 3000001};
	struct kit *k = kit_new();
	struct buf body = {0};
	kit_start(k);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct kit_reply r;
		assert_int_equal(kit_call(k, KIT_PATH, pattern(&body, sizes[i]), false, NULL, &r),
		    0);
		assert_true(str_eq(buf_view(&r.message), buf_view(&body)));
		kit_reply_fini(&r);
	}
	assert_int_equal(stats_get(&k->stats, STATS_REQUESTS_GRPC), ARRAY_LEN(sizes));
	assert_int_equal(stats_get(&k->stats, STATS_BODY_BYTES),
	    stats_get(&k->stats, STATS_INFLATED_BYTES));
	buf_fini(&body);
	kit_free(k);
}

TEST(grpc, metadata_reaches_the_handler)
{
	static const char *const headers[] = {"x-other: 1", "x-answer: said in a header", NULL};
	struct kit *k = kit_new();
	struct kit_reply r;
	kit_start(k);
	assert_int_equal(kit_call(k, KIT_PATH, STR("body"), false, headers, &r), 0);
	assert_true(str_eq(buf_view(&r.message), STR("said in a header")));
	kit_reply_fini(&r);
	kit_free(k);
}

TEST(grpc, an_error_arrives_with_its_text_and_details)
{
	struct kit *k = kit_new();
	struct kit_reply r;
	k->fail_text = STR("schl\xc3\xbcssel: 100% missing\n");
	k->fail_details = STR("\x08\x0e\x12\x01x\x00\xff");
	kit_start(k);
	assert_int_equal(kit_call(k, KIT_PATH_FAIL, STR("x"), false, NULL, &r), 14);
	assert_string_equal(r.text.ptr, k->fail_text.ptr);
	assert_true(str_eq(buf_view(&r.details), k->fail_details));
	assert_int_equal(atomic_load(&k->stats.refused[ERR_UNAVAILABLE]), 1);
	kit_reply_fini(&r);
	kit_free(k);
}

TEST(grpc, a_text_beyond_the_limit_is_cut_and_details_are_left_out)
{
	struct kit *k = kit_new();
	struct kit_reply r;
	struct buf text = {0};
	for (int i = 0; i < 10000; i++)
		buf_char(&text, 'x');
	k->fail_text = k->fail_details = buf_view(&text);
	kit_start(k);
	assert_int_equal(kit_call(k, KIT_PATH_FAIL, STR("x"), false, NULL, &r), 14);
	assert_int_equal(strlen(r.text.ptr), 1024);
	assert_int_equal(r.details.len, 0);
	kit_reply_fini(&r);
	buf_fini(&text);
	kit_free(k);
}

/* ---- other threads */

struct answerer {
	struct kit *kit;
	struct thread thread;
	size_t count;
};

static void
answer_held(void *ctx)
{
	struct answerer *a = ctx;
	for (size_t i = 0; i < a->count; i++) {
		kit_wait_held(a->kit, 1);
		mutex_lock(&a->kit->mutex);
		struct grpc_call *call =
		    a->kit->held_count ? a->kit->held[--a->kit->held_count] : NULL;
		mutex_unlock(&a->kit->mutex);
		if (!call) {
			i--;
			continue;
		}
		struct grpc_answer answer = {.message = buf_view(grpc_call_message(call))};
		grpc_respond(call, &answer);
	}
}

TEST(grpc, answers_may_come_from_any_thread_in_any_order)
{
	enum { CALLS = 900, CLIENTS = 3, THREADS = 3 };
	struct kit *k = kit_new();
	struct answerer threads[THREADS] = {{0}};
	struct grpc_client *clients[CLIENTS];
	struct kit_reply *replies = calloc(CALLS, sizeof(*replies));
	char texts[CALLS][16];
	kit_start(k);
	for (size_t i = 0; i < THREADS; i++) {
		threads[i].kit = k;
		threads[i].count = CALLS / THREADS;
		assert_int_equal(thread_start(&threads[i].thread, "answer", answer_held,
		                     &threads[i], NULL),
		    ERR_OK);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i] = kit_client(k);
	for (size_t i = 0; i < CALLS; i++) {
		snprintf(texts[i], sizeof(texts[i]), "call %zu", i);
		kit_begin(clients[i % CLIENTS], KIT_PATH_HOLD, str_from(texts[i]), false, NULL,
		    &replies[i]);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		struct err err;
		assert_int_equal(grpc_client_run(clients[i], SIZE_MAX, 0, &err), ERR_OK);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		kit_finish(clients[i]);
		grpc_client_close(clients[i]);
	}
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(replies[i].status, 0);
		assert_true(str_eq(buf_view(&replies[i].message), str_from(texts[i])));
		kit_reply_fini(&replies[i]);
	}
	for (size_t i = 0; i < THREADS; i++)
		thread_join(&threads[i].thread);
	free(replies);
	kit_free(k);
}

/* ---- what the header may say */

TEST(grpc, an_unknown_path_is_unimplemented)
{
	struct kit *k = kit_new();
	struct kit_reply r;
	kit_start(k);
	assert_int_equal(kit_call(k, "/kit.Service/Ech", STR("x"), false, NULL, &r), 12);
	assert_string_equal(r.text.ptr, "no such method: /kit.Service/Ech");
	kit_reply_fini(&r);
	kit_free(k);
}

TEST(grpc, what_is_not_grpc_gets_an_http_status)
{
	static const struct {
		const char *extra, *status, *allow;
	} cases[] = {{":method: GET", "405", "POST"}, {":method: PUT", "405", "POST"},
	    {"content-type: application/json", "415", ""},
	    {"content-type: application/grpc-web", "415", ""}};
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		kit_put_request(&p, (int32_t)(2 * i + 1), NULL, cases[i].extra,
		    NGHTTP2_FLAG_END_STREAM);
		assert_true(kit_send(&p));
		assert_true(kit_next(&p, NGHTTP2_HEADERS, &f));
		assert_string_equal(kit_value(&p, ":status"), cases[i].status);
		assert_string_equal(kit_value(&p, "allow"), cases[i].allow);
	}
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_refusal_before_the_body_leaves_whole_and_then_stops_the_stream)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, "/unknown", NULL, 0);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 12);
	assert_true(kit_next(&p, NGHTTP2_RST_STREAM, &f));
	assert_int_equal(f.stream_id, 1);
	assert_int_equal(get_u32be(f.payload.ptr), NGHTTP2_NO_ERROR);
	/* The body was on the way; the connection goes on. */
	kit_put_message(&p, 1, 0, 3, STR("abc"), NGHTTP2_FLAG_END_STREAM);
	kit_put_request(&p, 3, NULL, NULL, 0);
	kit_put_message(&p, 3, 0, 3, STR("abc"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 3), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, te_trailers_may_be_missing_and_request_trailers_are_ignored)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct buf block = {0};
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 2, STR("ok"), 0);
	kit_field(&block, STR("x-answer"), STR("a trailer"));
	kit_put_frame(&p, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1,
	    buf_view(&block));
	assert_true(kit_send(&p));
	struct kit_frame f;
	assert_true(kit_next(&p, NGHTTP2_DATA, &f));
	assert_true(str_eq(f.payload, STR("\0\0\0\0\x02ok")));
	assert_int_equal(kit_status(&p, 1), 0);
	buf_fini(&block);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, an_unknown_encoding_is_refused_with_those_that_are_known)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, "grpc-encoding: snappy", NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 12);
	const char *accepted = kit_value(&p, "grpc-accept-encoding");
	assert_non_null(strstr(accepted, "identity,gzip"));
	assert_null(strchr(accepted, ' '));
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_malformed_timeout_is_invalid)
{
	static const char *const headers[] = {"grpc-timeout: soon", NULL};
	struct kit *k = kit_new();
	kit_start(k);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, headers, NULL), 3);
	kit_free(k);
}

TEST(grpc, a_deadline_that_passes_is_answered_and_the_late_answer_dropped)
{
	static const char *const headers[] = {"grpc-timeout: 50m", NULL};
	static const char *const at_once[] = {"grpc-timeout: 0n", NULL};
	struct kit *k = kit_new();
	kit_start(k);
	uint64_t start = clock_mono_ns();
	assert_int_equal(kit_call(k, KIT_PATH_HOLD, STR("x"), false, headers, NULL), 4);
	assert_true(kit_waited(start, 50));
	kit_wait_held(k, 1);
	kit_release_one(k);
	assert_int_equal(kit_call(k, KIT_PATH, STR("x"), false, at_once, NULL), 4);
	assert_int_equal(kit_handled(k), 1);
	kit_free(k);
}

/* ---- what the message may be */

TEST(grpc, a_length_prefix_that_lies_is_invalid)
{
	static const struct {
		unsigned flag;
		uint32_t len;
		const char *bytes;
		int status;
	} cases[] = {{0, 3, "abc", 0}, {0, 4, "abc", 3}, {0, 2, "abc", 3}, {0, 0, "", 0},
	    {0, 0, "a", 3}, {2, 3, "abc", 3}, {255, 0, "", 3},
	    {1, 3, "abc", 13}, /* compressed, and no grpc-encoding */
	    {0, 1, "a\0\0\0\0", 3}};
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int32_t id = (int32_t)(2 * i + 1);
		size_t len = i == ARRAY_LEN(cases) - 1 ? 6 : strlen(cases[i].bytes);
		kit_put_request(&p, id, NULL, NULL, 0);
		kit_put_message(&p, id, cases[i].flag, cases[i].len, str_of(cases[i].bytes, len),
		    NGHTTP2_FLAG_END_STREAM);
		assert_true(kit_send(&p));
		assert_int_equal(kit_status(&p, id), cases[i].status);
	}
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_call_without_a_whole_prefix_is_invalid)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, NGHTTP2_FLAG_END_STREAM);
	kit_put_request(&p, 3, NULL, NULL, 0);
	kit_put_frame(&p, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, str_of("\0\0\0\0", 4));
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 3);
	assert_int_equal(kit_status(&p, 3), 3);
	assert_int_equal(kit_handled(k), 0);
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_message_in_pieces_of_one_byte_is_put_together)
{
	static const char bytes[] = "\0\0\0\0\x05hello";
	struct kit *k = kit_new();
	struct kit_peer p;
	struct kit_frame f;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, 0);
	for (size_t i = 0; i < 10; i++)
		kit_put_frame(&p, NGHTTP2_DATA, i == 9, 1, str_of(bytes + i, 1));
	assert_true(kit_send(&p));
	assert_true(kit_next(&p, NGHTTP2_DATA, &f));
	assert_true(str_eq(f.payload, str_of(bytes, 10)));
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, a_message_over_the_wire_limit_is_refused_by_its_prefix)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.wire_bytes_max = 1000;
	k->limits.body_bytes_max = 2000;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, NULL, NULL, 0);
	kit_put_message(&p, 1, 0, 1001, STR_EMPTY, 0); /* nothing of it is sent */
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 1), 8);
	assert_string_equal(kit_value(&p, "grpc-status-details-bin"), ""); /* never retry */
	assert_int_equal(stats_get(&k->stats, STATS_INFLIGHT_BYTES), 0);
	kit_peer_close(&p);
	struct buf body = {0};
	assert_int_equal(kit_call(k, KIT_PATH, pattern(&body, 1000), false, NULL, NULL), 0);
	buf_fini(&body);
	kit_free(k);
}

static void
gzipped(struct str s, struct buf *out)
{
	struct buf one = {0};
	assert_int_equal(inflate_gzip(s, 6, &one, NULL), ERR_OK);
	buf_str(out, buf_view(&one));
	buf_fini(&one);
}

TEST(grpc, a_gzipped_message_is_inflated_whatever_its_members)
{
	static const size_t sizes[] = {0, 1, 1000, 70000, 1000000};
	struct kit *k = kit_new();
	struct buf body = {0};
	kit_start(k);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		/* The second member's size hints at far too little for both. */
		for (int members = 1; members <= 2; members++) {
			struct buf zipped = {0};
			struct kit_reply r;
			struct str all = pattern(&body, sizes[i]);
			gzipped(str_of(all.ptr, members == 2 ? all.len - all.len / 8 : all.len),
			    &zipped);
			if (members == 2)
				gzipped(str_skip(all, all.len - all.len / 8), &zipped);
			assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, &r),
			    0);
			assert_true(str_eq(buf_view(&r.message), buf_view(&body)));
			kit_reply_fini(&r);
			buf_fini(&zipped);
		}
	}
	buf_fini(&body);
	kit_free(k);
}

TEST(grpc, an_inflated_message_over_the_limit_is_refused)
{
	struct kit *k = kit_new();
	struct buf body = {0}, zipped = {0};
	k->limits.body_bytes_max = 100000;
	kit_start(k);
	gzipped(pattern(&body, 100000), &zipped);
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 0);
	buf_reset(&zipped);
	gzipped(pattern(&body, 100001), &zipped);
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 8);
	/* A bomb that lies about its size, at its end. */
	buf_reset(&zipped);
	gzipped(pattern(&body, 5000000), &zipped);
	gzipped(STR("x"), &zipped);
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 8);
	assert_int_equal(kit_handled(k), 1);
	/* Not compressed it is limited as well. */
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&body), false, NULL, NULL), 8);
	buf_fini(&body);
	buf_fini(&zipped);
	kit_free(k);
}

TEST(grpc, damaged_gzip_is_invalid)
{
	struct kit *k = kit_new();
	struct buf zipped = {0};
	kit_start(k);
	assert_int_equal(kit_call(k, KIT_PATH, STR("no gzip at all, is it?"), true, NULL, NULL), 3);
	gzipped(STR("hello hello hello"), &zipped);
	zipped.ptr[zipped.len - 6] ^= 1; /* the checksum */
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 3);
	zipped.len -= 3;
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 3);
	assert_int_equal(kit_call(k, KIT_PATH, STR_EMPTY, true, NULL, NULL), 3);
	buf_fini(&zipped);
	kit_free(k);
}

/* ---- the budget */

/* retry_delay of the first RetryInfo of a google.rpc.Status, in milliseconds. */
static uint64_t
retry_ms(struct str status)
{
	/* Status.details, Any.value, RetryInfo.retry_delay, then Duration. */
	static const uint32_t way[] = {3, 2, 1};
	struct pb_reader r;
	struct pb_field f;
	uint64_t ms = 0;
	for (size_t i = 0; i < ARRAY_LEN(way); i++) {
		bool found = false;
		pb_reader_init(&r, status);
		while (!found && pb_next(&r, &f))
			found = f.number == way[i];
		assert_true(found);
		status = f.bytes;
	}
	pb_reader_init(&r, status);
	while (pb_next(&r, &f))
		ms += f.number == 1 ? f.value * 1000 : f.value / NS_PER_MS;
	assert_false(pb_failed(&r));
	return ms;
}

TEST(grpc, a_spent_budget_is_busy_with_a_hint_and_recovers)
{
	struct kit *k = kit_new();
	struct kit_reply held, r;
	struct buf body = {0};
	k->limits.inflight_bytes_max = 100000;
	kit_start(k);
	struct grpc_client *c = kit_client(k);
	pattern(&body, 90000);
	kit_begin(c, KIT_PATH_HOLD, buf_view(&body), false, NULL, &held);
	struct err err;
	assert_int_equal(grpc_client_run(c, SIZE_MAX, 0, &err), ERR_OK);
	while (kit_held(k) == 0) {
		(void)!grpc_client_run(c, 0, clock_mono_ns() + NS_PER_MS, &err);
	}
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&body), false, NULL, &r), 8);
	assert_int_equal(retry_ms(buf_view(&r.details)), 1500);
	assert_true(stats_get(&k->stats, STATS_INFLIGHT_BYTES) >= 90000);
	kit_reply_fini(&r);
	kit_release_one(k);
	kit_finish(c);
	assert_int_equal(held.status, 0);
	kit_wait_stat(k, STATS_INFLIGHT_BYTES, 0);
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&body), false, NULL, NULL), 0);
	assert_int_equal(atomic_load(&k->stats.refused[ERR_BUSY]), 1);
	kit_reply_fini(&held);
	grpc_client_close(c);
	buf_fini(&body);
	kit_free(k);
}

TEST(grpc, what_inflating_takes_is_charged_too)
{
	struct kit *k = kit_new();
	struct buf body = {0}, zipped = {0};
	k->limits.inflight_bytes_max = 100000;
	kit_start(k);
	gzipped(pattern(&body, 200000), &zipped);
	assert_true(zipped.len < 50000);
	assert_int_equal(kit_call(k, KIT_PATH, buf_view(&zipped), true, NULL, NULL), 8);
	assert_int_equal(atomic_load(&k->stats.refused[ERR_BUSY]), 1);
	buf_fini(&body);
	buf_fini(&zipped);
	kit_free(k);
}

TEST(grpc, a_claim_without_bytes_takes_nothing_of_the_budget)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	k->limits.inflight_bytes_max = 20 * LIMIT_MIB;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int32_t id = 1; id < 40; id += 2) {
		kit_put_request(&p, id, NULL, NULL, 0);
		kit_put_message(&p, id, 0, 16 << 20, STR("x"), 0);
	}
	kit_put_request(&p, 41, "/unknown", NULL, NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_status(&p, 41), 12); /* all before it has been read */
	assert_true(stats_get(&k->stats, STATS_INFLIGHT_BYTES) < 4 * (int64_t)LIMIT_MIB);
	assert_int_equal(atomic_load(&k->stats.refused[ERR_BUSY]), 0);
	kit_peer_close(&p);
	kit_wait_stat(k, STATS_INFLIGHT_BYTES, 0);
	kit_free(k);
}

/* ---- ends */

TEST(grpc, an_answer_to_a_peer_that_has_gone_is_dropped)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	kit_put_request(&p, 3, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 3, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	kit_put_frame(&p, NGHTTP2_RST_STREAM, 0, 3, str_of("\0\0\0\x08", 4));
	assert_true(kit_send(&p));
	kit_wait_held(k, 2);
	kit_peer_close(&p);
	kit_wait_stat(k, STATS_CONNS_GRPC, 0);
	kit_release_one(k);
	kit_release_one(k);
	kit_wait_stat(k, STATS_INFLIGHT_BYTES, 0);
	kit_free(k);
}

TEST(grpc, answers_after_stop_and_after_free_are_safe)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	for (int32_t id = 1; id < 7; id += 2) {
		kit_put_request(&p, id, KIT_PATH_HOLD, NULL, 0);
		kit_put_message(&p, id, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	}
	assert_true(kit_send(&p));
	kit_wait_held(k, 3);
	grpc_server_stop(k->server, clock_mono_ns());
	kit_release_one(k);
	grpc_server_free(k->server);
	k->server = NULL;
	kit_release_one(k);
	assert_true(grpc_call_header(k->held[0], STR(":path")).len > 0);
	kit_release_one(k);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	kit_free(k);
}

struct stopper {
	struct kit *kit;
	struct thread thread;
	uint64_t deadline_ns;
	_Atomic(bool) done;
};

static void
stop_server(void *ctx)
{
	struct stopper *s = ctx;
	grpc_server_stop(s->kit->server, s->deadline_ns);
	atomic_store(&s->done, true);
}

static void
begin_stop(struct stopper *s, struct kit *k, uint64_t deadline_ns)
{
	*s = (struct stopper){.kit = k, .deadline_ns = deadline_ns};
	assert_int_equal(thread_start(&s->thread, "stop", stop_server, s, NULL), ERR_OK);
}

TEST(grpc, stop_lets_calls_in_flight_finish_and_takes_no_connections)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	struct stopper s;
	int32_t last;
	int fd;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	kit_wait_held(k, 1);
	begin_stop(&s, k, kit_deadline());
	/* A notice that names no stream as the last, so that one on the way is still taken. */
	assert_int_equal(kit_goaway(&p, &last), NGHTTP2_NO_ERROR);
	assert_int_equal(last, INT32_MAX);
	kit_put_request(&p, 3, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 3, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	assert_int_equal(kit_goaway(&p, &last), NGHTTP2_NO_ERROR);
	assert_int_equal(last, 3);
	assert_int_not_equal(tcp_connect(str_from(k->address), KIT_PATIENCE_MS, &fd, NULL), ERR_OK);
	assert_false(atomic_load(&s.done));
	kit_wait_held(k, 2);
	kit_release_one(k);
	assert_int_equal(kit_status(&p, 1), 0);
	kit_release_one(k);
	assert_int_equal(kit_status(&p, 3), 0);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	thread_join(&s.thread);
	kit_free(k);
}

TEST(grpc, stop_ends_at_its_deadline_whatever_is_in_flight)
{
	struct kit *k = kit_new();
	struct kit_peer p;
	kit_start(k);
	kit_peer_hello(&p, k);
	kit_put_request(&p, 1, KIT_PATH_HOLD, NULL, 0);
	kit_put_message(&p, 1, 0, 1, STR("x"), NGHTTP2_FLAG_END_STREAM);
	assert_true(kit_send(&p));
	kit_wait_held(k, 1);
	uint64_t start = clock_mono_ns();
	grpc_server_stop(k->server, start + 300 * NS_PER_MS);
	assert_true(clock_mono_ns() - start >= 300 * NS_PER_MS);
	assert_true(kit_closed(&p));
	kit_peer_close(&p);
	kit_free(k);
}

TEST(grpc, an_address_in_use_is_named)
{
	struct kit *k = kit_new();
	struct grpc_server *second;
	struct err err = {0};
	static const char *const no_paths[] = {NULL};
	kit_start(k);
	struct grpc_server_options opt = {.address = str_from(k->address),
	    .limits = &k->limits,
	    .paths = no_paths,
	    .handle = (void (*)(void *, struct grpc_call *))abort};
	assert_int_equal(grpc_server_start(&opt, &second, &err), ERR_UNAVAILABLE);
	assert_null(second);
	assert_non_null(strstr(err.message, k->address));
	assert_non_null(strstr(err.message, "Address already in use"));
	kit_free(k);
}
