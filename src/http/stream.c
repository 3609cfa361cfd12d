/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/stream.c - answers without an end.
 *
 * libmicrohttpd asks for the next chunk when the one before has left. When the source has none, its connection is
 * suspended, from within that very call, and resumed when somebody says that there is more: `parked` tells the two apart,
 * `woken` remembers what was said while the source was being asked. From the stop on nothing is parked any more.
 */
#include "http/http_priv.h"

#include "sys/clock.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 16 * 1024 };

struct streaming {
	struct http_stream stream;
	struct http_request *request; /* lives while read_stream() is called: no reference */
};

void
http_conn_wake(struct http_conn *c)
{
	if (c->parked)
		MHD_resume_connection(c->mhd);
	c->woken = !c->parked;
	c->parked = false;
}

enum verdict { ASK_AGAIN, PARKED, ENDED, CUT };

/* The source has nothing. */
static enum verdict
park(struct http_request *r)
{
	struct http_server *s = r->server;
	enum verdict v = PARKED;
	mutex_lock(&s->lock);
	struct http_conn *c = r->conn;
	CHECK(c != NULL);
	if (c->phase == CONN_DEAD)
		v = CUT;
	else if (c->woken)
		v = ASK_AGAIN;
	else if (atomic_load(&s->stopping))
		v = ENDED;
	c->woken = false;
	if (v == PARKED) {
		c->parked = true;
		MHD_suspend_connection(c->mhd);
	}
	mutex_unlock(&s->lock);
	return v;
}

static ssize_t
read_stream(void *ctx, uint64_t at, char *out, size_t max)
{
	struct streaming *st = ctx;
	for (;;) {
		ptrdiff_t n = st->stream.read(st->stream.ctx, out, max);
		CHECK(n <= (ptrdiff_t)max);
		if (n > 0)
			http_request_progress(st->request, at + (uint64_t)n);
		if (n > 0)
			return n;
		if (n == HTTP_STREAM_END)
			return MHD_CONTENT_READER_END_OF_STREAM;
		switch (park(st->request)) {
		case ASK_AGAIN: break;
		case PARKED: return 0;
		case ENDED: return MHD_CONTENT_READER_END_OF_STREAM;
		case CUT: return MHD_CONTENT_READER_END_WITH_ERROR;
		}
	}
}

static void
end_stream(void *ctx)
{
	struct streaming *st = ctx;
	st->stream.closed(st->stream.ctx);
	free(st);
}

/* libmicrohttpd (0.9.75) would send the end of a chunked body to HEAD, into the answer that follows. */
static struct MHD_Response *
response_of(const struct http_request *r, struct streaming *st)
{
	if (r->method != HTTP_HEAD)
		return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK_BYTES, read_stream,
		    st, end_stream);
	static char nothing;
	return MHD_create_response_from_buffer_with_free_callback_cls(0, &nothing, end_stream, st);
}

void
http_respond_stream(struct http_request *r, const struct http_stream *stream)
{
	struct http_server *s = r->server;
	struct streaming *st = xcalloc(1, sizeof(*st));
	*st = (struct streaming){*stream, r};
	http_request_ref(r); /* whoever closes the stream may let go of it at once */
	struct MHD_Response *response =
	    http_answer_head(response_of(r, st), stream->content_type, stream->headers);
	mutex_lock(&s->lock);
	bool wanted = !r->disowned;
	if (wanted) {
		if (r->conn->phase != CONN_DEAD)
			r->conn->phase = CONN_STREAM;
		r->conn->answer_moved_ns = clock_mono_ns();
		http_request_settle(r, response, stream->status);
	}
	mutex_unlock(&s->lock);
	if (!wanted)
		MHD_destroy_response(response);
	cond_signal(&s->settled);
	http_request_unref(r);
}

void
http_stream_wake(struct http_request *r)
{
	struct http_server *s = r->server;
	mutex_lock(&s->lock);
	if (r->conn)
		http_conn_wake(r->conn);
	mutex_unlock(&s->lock);
}

void
http_stream_release(struct http_request *r)
{
	http_request_unref(r);
}
