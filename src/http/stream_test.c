/* SPDX-License-Identifier: Apache-2.0 */
#include "http/harness_test.h"

#include "sys/thread.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a source of what the test puts into it */

struct source {
	struct mutex lock;
	struct buf waiting; /* lock */
	bool ended; /* lock */
	bool endless; /* gives as much as is taken, of one letter */
	const char *late; /* lock; put just after it was found to be empty */
	uint64_t given; /* lock */
	int closed; /* lock */
	struct cond told;
	struct http_request *request;
};

static ptrdiff_t
source_read(void *ctx, char *out, size_t max)
{
	struct source *s = ctx;
	mutex_lock(&s->lock);
	size_t n = s->endless ? max : s->waiting.len < max ? s->waiting.len : max;
	if (s->endless) {
		memset(out, 'x', n);
	} else if (n > 0) {
		memcpy(out, s->waiting.ptr, n);
		memmove(s->waiting.ptr, s->waiting.ptr + n, s->waiting.len - n);
		s->waiting.len -= n;
	}
	s->given += n;
	bool over = n == 0 && s->ended;
	const char *late = n == 0 ? s->late : NULL;
	s->late = n == 0 ? NULL : s->late;
	assert_int_equal(s->closed, 0);
	if (late)
		buf_str(&s->waiting, str_from(late));
	mutex_unlock(&s->lock);
	if (late)
		http_stream_wake(s->request);
	return over ? HTTP_STREAM_END : (ptrdiff_t)n;
}

static void
source_closed(void *ctx)
{
	struct source *s = ctx;
	mutex_lock(&s->lock);
	s->closed++;
	cond_signal(&s->told); /* under the lock: who waits may take all of it away */
	mutex_unlock(&s->lock);
}

static void
source_put(struct source *s, const char *text)
{
	mutex_lock(&s->lock);
	buf_str(&s->waiting, str_from(text));
	mutex_unlock(&s->lock);
	http_stream_wake(s->request);
}

static void
source_end(struct source *s)
{
	mutex_lock(&s->lock);
	s->ended = true;
	mutex_unlock(&s->lock);
	http_stream_wake(s->request);
}

static void
source_wait_closed(struct source *s)
{
	mutex_lock(&s->lock);
	while (s->closed == 0)
		assert_true(cond_wait_until(&s->told, &s->lock, clock_mono_ns() + PATIENCE_NS));
	assert_int_equal(s->closed, 1);
	mutex_unlock(&s->lock);
}

/* It has been closed: nothing of it is used any more. */
static void
source_release(struct source *s)
{
	source_wait_closed(s);
	http_stream_release(s->request);
	buf_fini(&s->waiting);
}

static void
source_answer(struct source *s, struct ht_server *f)
{
	mutex_init(&s->lock);
	cond_init(&s->told);
	s->request = ht_held(f);
	http_respond_stream(s->request,
	    &(struct http_stream){.status = 200,
	        .content_type = "text/event-stream",
	        .headers = {{"X-Extra", "yes"}},
	        .read = source_read,
	        .closed = source_closed,
	        .ctx = s});
}

/* Read until the text has come, whatever stands before it. */
static void
hear_text(struct ht_client *c, const char *text)
{
	while (!memmem(c->in.ptr ? c->in.ptr : "", c->in.len, text, strlen(text)))
		if (!ht_more(c))
			fail_msg("the stream ended before \"%s\": %.*s", text,
			    STR_ARG(buf_view(&c->in)));
}

static void
dial_stream(struct ht_server *f, struct ht_client *c, struct source *s)
{
	*c = ht_dial(f);
	ht_say(c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	source_answer(s, f);
}

/* ---- the promises */

TEST(http, a_stream_is_sent_chunk_by_chunk_as_it_comes)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source s = {0};
	struct ht_client c;
	dial_stream(f, &c, &s);
	struct ht_reply r = ht_hear(&c, true);
	assert_int_equal(r.status, 200);
	assert_true(ht_reply_has(&r, "\r\nTransfer-Encoding: chunked\r\n"));
	assert_true(ht_reply_has(&r, "\r\nX-Extra: yes\r\n"));
	assert_true(ht_reply_has(&r, "\r\nX-Content-Type-Options: nosniff\r\n"));
	buf_fini(&r.text);
	source_put(&s, "one");
	hear_text(&c, "3\r\none\r\n");
	source_put(&s, "twelve bytes");
	hear_text(&c, "C\r\ntwelve bytes\r\n");
	source_end(&s);
	hear_text(&c, "\r\n0\r\n\r\n");
	source_release(&s);
	/* The connection goes on. */
	buf_reset(&c.in);
	ht_say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	ht_expect(&c, 200, "path=/next\n");
	ht_hang_up(&c);
	assert_int_equal(stats_get(&f->stats, STATS_REQUESTS_HTTP), 2);
	ht_finish(f);
}

TEST(http, a_stream_over_http_1_0_ends_with_the_connection)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source s = {0};
	struct ht_client c = ht_dial(f);
	ht_say(&c, "GET /hold HTTP/1.0\r\n\r\n");
	source_answer(&s, f);
	source_put(&s, "all");
	hear_text(&c, "\r\n\r\nall");
	source_end(&s);
	while (ht_more(&c))
		continue;
	assert_false(c.failed);
	source_release(&s);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, head_of_a_stream_reads_nothing_of_it)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source s = {.endless = true};
	struct ht_client c = ht_dial(f);
	ht_say(&c, "HEAD /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	source_answer(&s, f);
	struct ht_reply r = ht_hear(&c, true);
	assert_int_equal(r.status, 200);
	buf_fini(&r.text);
	source_release(&s);
	assert_int_equal(s.given, 0);
	ht_say(&c, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
	ht_expect(&c, 200, "path=/next\n");
	ht_hang_up(&c);
	ht_finish(f);
}

static void
short_idle(struct limits *l)
{
	l->idle_timeout_ms = 200;
	l->body_grace_ms = 100;
	l->header_timeout_ms = 5000;
}

TEST(http, a_silent_stream_outlives_every_time_out)
{
	struct ht_server *f = ht_start(short_idle, 1);
	struct source s = {0};
	struct ht_client c;
	dial_stream(f, &c, &s);
	source_put(&s, "before");
	hear_text(&c, "before");
	clock_sleep_ns(800 * NS_PER_MS);
	source_put(&s, "after");
	hear_text(&c, "after");
	assert_int_equal(s.closed, 0);
	ht_hang_up(&c);
	source_release(&s);
	ht_finish(f);
}

TEST(http, a_client_that_takes_nothing_of_a_stream_is_cut)
{
	struct ht_server *f = ht_start(short_idle, 1);
	struct source s = {.endless = true};
	struct ht_client c;
	dial_stream(f, &c, &s);
	source_release(&s); /* what sockets buffer is full some time */
	assert_int_equal(stats_get(&f->stats, STATS_CONNS_TIMED_OUT), 1);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, a_client_that_leaves_a_silent_stream_is_noticed)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source gone = {0}, half = {0};
	struct ht_client c, d;
	dial_stream(f, &c, &gone);
	dial_stream(f, &d, &half);
	source_put(&gone, "a");
	source_put(&half, "b");
	hear_text(&c, "a");
	hear_text(&d, "b");
	ht_hang_up(&c);
	source_release(&gone);
	ht_shut(&d);
	source_release(&half);
	ht_hang_up(&d);
	ht_finish(f);
}

TEST(http, streams_end_when_the_server_stops)
{
	struct ht_server *f = ht_start(NULL, 2);
	enum { COUNT = 20 };
	static struct source s[COUNT];
	struct ht_client c[COUNT];
	for (int i = 0; i < COUNT; i++)
		dial_stream(f, &c[i], &s[i]);
	for (int i = 0; i < COUNT; i++) {
		source_put(&s[i], "last words");
		hear_text(&c[i], "last words");
	}
	http_server_stop(f->server, clock_mono_ns() + PATIENCE_NS);
	for (int i = 0; i < COUNT; i++) {
		hear_text(&c[i], "\r\n0\r\n\r\n");
		source_put(&s[i], "too late"); /* nobody is there, and it does no harm */
		source_release(&s[i]);
		ht_hang_up(&c[i]);
	}
	ht_finish(f);
}

TEST(http, a_stop_does_not_wait_for_a_client_that_takes_nothing)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source s = {.endless = true};
	struct ht_client c;
	dial_stream(f, &c, &s);
	uint64_t before_ns = clock_mono_ns();
	http_server_stop(f->server, clock_mono_ns() + PATIENCE_NS);
	assert_true(clock_mono_ns() - before_ns < PATIENCE_NS);
	source_release(&s);
	ht_hang_up(&c);
	ht_finish(f);
}

TEST(http, what_is_put_into_a_stream_while_it_is_asked_is_not_forgotten)
{
	struct ht_server *f = ht_start(NULL, 1);
	struct source s = {.late = "in between"};
	struct ht_client c;
	dial_stream(f, &c, &s);
	hear_text(&c, "in between");
	ht_hang_up(&c);
	source_release(&s);
	ht_finish(f);
}

/* ---- wakes from other threads, clients that come and go */

struct racing {
	struct ht_server *f;
	_Atomic bool over;
	struct mutex lock;
	struct source *now; /* lock */
};

static void
waker_main(void *ctx)
{
	struct racing *r = ctx;
	while (!atomic_load(&r->over)) {
		mutex_lock(&r->lock);
		if (r->now)
			source_put(r->now, "x");
		mutex_unlock(&r->lock);
	}
}

TEST(http, nothing_put_into_a_stream_is_forgotten_however_it_is_woken)
{
	struct racing r = {.f = ht_start(NULL, 2)};
	struct thread wakers[2] = {{0}};
	struct err err;
	mutex_init(&r.lock);
	for (int i = 0; i < 2; i++)
		assert_int_equal(thread_start(&wakers[i], "waker", waker_main, &r, &err), ERR_OK);
	for (int i = 0; i < 100; i++) {
		struct source s = {0};
		struct ht_client c;
		dial_stream(r.f, &c, &s);
		mutex_lock(&r.lock);
		r.now = &s;
		mutex_unlock(&r.lock);
		hear_text(&c, "x");
		mutex_lock(&r.lock);
		r.now = NULL;
		mutex_unlock(&r.lock);
		if (i % 2) {
			source_put(&s, "the last");
			hear_text(&c, "the last");
			source_end(&s);
			hear_text(&c, "\r\n0\r\n\r\n");
		}
		ht_hang_up(&c);
		source_release(&s);
	}
	atomic_store(&r.over, true);
	for (int i = 0; i < 2; i++)
		thread_join(&wakers[i]);
	ht_finish(r.f);
}
