/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/http.h - HTTP/1.1 server on libmicrohttpd: buffers a request within limits, hands it over
 * whole, sends the answer. Knows no telemetry. Source: RFC 9110, RFC 9112.
 *
 * The handler runs on the server's thread and must not block; it answers at once or later, from
 * any thread, with exactly one http_respond(): the connection is suspended meanwhile. It may do so
 * when the client has gone, and after http_server_stop() and http_server_free() too: what the
 * request needs of the server lives as long as the request. One request of a connection at a time
 * is with the handler; pipelined ones wait.
 *
 * Time. libmicrohttpd's own time-out counts silence only, so a reaper of ours measures totals:
 *   - a header: header_timeout_ms, from the start of the connection, or on a kept-alive one from
 *     the end of the request line, which itself must be there within idle_timeout_ms. 408.
 *   - a body: body_rate_min on average once body_grace_ms have passed. 408.
 *   - silence between requests: idle_timeout_ms. Closed.
 *   - the client's reading of the answer: answer_rate_min on average once body_grace_ms have
 *     passed, and never idle_timeout_ms without any. Closed. (What sockets buffer counts as read.)
 *
 * Admission. `admit` is asked when the header is complete: a request that is refused then has cost no body, and the
 * connection is closed. Retry-After is err->retry_ms, in whole seconds, upwards. Every answer of 401 has WWW-Authenticate,
 * as RFC 9110 asks.
 *
 * Size. More than connections_max: 503 and close, at once, from the acceptor. Content-Length beyond
 * wire_bytes_max, or what `body_max` says, is answered 413 before the body is read (and before 100 Continue); a chunked body
 * as soon as it passes it. Bodies in flight are counted as they arrive against
 * inflight_bytes_max: 429. Header fields beyond header_bytes_max: 431 (414 while still in the
 * request line); so are more than HTTP_HEADERS_MAX fields.
 *
 * Refused with 400: both Content-Length and Transfer-Encoding, several Content-Length, not exactly
 * one Host in HTTP/1.1, a malformed field name, a target with %00, a bad escape or text that is
 * not UTF-8. A transfer coding other than chunked: 501.
 *
 * Left to libmicrohttpd (0.9.75), which offers no say in it. It answers by itself, and closes, what
 * is not HTTP at all, a malformed Content-Length (400; the head of that answer goes out twice) and
 * a chunk extension that its buffer cannot hold (500). It takes a bare LF for the end of a line of
 * the header or of a chunk, and cuts the value of a field at a zero byte before we see it. None of
 * this makes one request two: the connection is closed, or all of the line is consumed.
 *
 * TLS, when options.tls says so, is ended in front of libmicrohttpd by a thread of its own (tls/pump.h), and all that is said here
 * holds just as well; a handshake has header_timeout_ms before the header has them, what exceeds connections_max is closed
 * without a word, and a client that speaks no TLS gets a 400 in clear text. "What sockets buffer" is then more: up to
 * 300 KiB.
 *
 * After an error that leaves input unread the connection is closed, but lingers until the client
 * has had time to read the answer.
 *
 * Streams. An answer without an end (http_respond_stream()) is pulled from its source as the client takes it, chunk by
 * chunk; while the source has nothing the connection is suspended and costs no more than its memory. What holds of time then:
 * a client that takes nothing of what there is for it for idle_timeout_ms is cut, however slowly others read; silence of the
 * source is no fault of the client's. One that has gone, or closed its side, is noticed by the reaper, within a quarter of a
 * second, though nothing is sent. At http_server_stop() a source that has nothing more is at its end.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/budget.h"
#include "base/limits.h"
#include "base/stats.h"
#include "tls/tls.h"

struct http_server;
struct http_request;

struct http_server_options {
	struct str address; /* as in grpc/grpc.h */
	const char *name; /* "http" or "api": thread names, log lines, the stats row */
	unsigned thread_count; /* 0: 1 */
	struct tls_context *tls; /* borrowed; NULL: clear text */
	enum tls_port tls_port;
	const struct limits *limits; /* borrowed */
	/* What bodies are charged to, together with other servers: borrowed. NULL: one of its own, of
	 * limits.inflight_bytes_max. */
	struct budget *budget;
	struct stats *stats; /* borrowed, NULL allowed */
	enum stats_id stats_requests, stats_connections;
	/* On a server thread; must not block. The request is the handler's until http_respond(). */
	void (*handle)(void *ctx, struct http_request *req);
	/* On a server thread, before the body is read; must not block. NULL: all are let in. */
	enum err_code (*admit)(void *ctx, const struct http_request *req, struct err *err);
	/* On a server thread, before `admit`: bytes that the body of this request, whose method, path and fields are known, may
	 * have. NULL: limits.wire_bytes_max, of all. */
	uint64_t (*body_max)(void *ctx, const struct http_request *req);
	/* What 401 is answered with: "Bearer realm=\"weir\"". NULL: no such field. */
	const char *challenge;
	/* Body of an error that the server itself answers (413, 408, 503 ...): content type returned,
	 * body appended. Any server thread. `req` tells what the client sent; it is NULL when that is
	 * not known yet. No callback: plain text. */
	const char *(*error_body)(void *ctx, struct http_request *req, const struct err *err,
	    struct buf *out);
	void *ctx;
};

MUST_CHECK enum err_code http_server_start(const struct http_server_options *opt,
    struct http_server **out, struct err *err);
uint16_t http_server_port(const struct http_server *s);
/* Stop listening, wait for requests in the handler's hands until the deadline (those that are left
 * are answered 503), let answers leave, close, join. New requests meanwhile: 503. Nothing that was
 * lent to the server is used afterwards. */
void http_server_stop(struct http_server *s, uint64_t deadline_mono_ns);
void http_server_free(struct http_server *s); /* NULL allowed; stops it when that is not done */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};

enum http_method http_request_method(const struct http_request *r);
struct str http_request_path(const struct http_request *r); /* percent-decoded, valid UTF-8 */
/* Header value or empty; any case. Lives as long as the request. */
struct str http_request_header(const struct http_request *r, const char *name);
/* The idx-th query parameter in the order given, percent-decoded; false when there is none. */
bool http_request_param(const struct http_request *r, size_t idx, struct str *name_out,
    struct str *value_out);
struct buf *http_request_body(struct http_request *r); /* as it came (not inflated); may be taken */
/* Count more bytes against inflight_bytes_max until the answer: what the body inflates to. Only
 * inside handle(). ERR_BUSY when the budget is spent. */
MUST_CHECK enum err_code http_request_charge(struct http_request *r, uint64_t bytes,
    struct err *err);
uint64_t http_request_received_ns(const struct http_request *r);
bool http_request_chunked(const struct http_request *r);
bool http_request_has_body(const struct http_request *r); /* by its header; an empty one is none */

struct http_header {
	const char *name;
	const char *value;
};

struct http_answer {
	int status;
	const char *content_type;
	struct buf body; /* ownership moves to the server */
	struct http_header headers[4]; /* extra ones, copied; ends with a NULL name */
	/* What the body was charged to (or NULL): given back when it has been sent or thrown away.
	 * Must live until http_server_free() has been called and every request answered. */
	struct budget *budget;
	uint64_t budget_bytes;
};

enum http_peer {
	HTTP_PEER_THERE,
	/* Has sent all it will. A client that has gone looks so, until something is sent to it, and
	 * so does one that closed its side only and still reads. libmicrohttpd closes without the
	 * answer if it meets the end of input before the answer has begun: mostly it does not. */
	HTTP_PEER_DONE,
	HTTP_PEER_GONE,
};

/* The value of Retry-After: whole seconds, upwards. */
enum { HTTP_RETRY_AFTER_BYTES = 24 };
void http_retry_after(uint64_t retry_ms, char out[HTTP_RETRY_AFTER_BYTES]);

/* Any thread, before http_respond(): does somebody still wait? */
enum http_peer http_request_peer(const struct http_request *r);

/* Exactly once per request, which is gone afterwards. Any thread; does not block. HEAD: give the
 * body all the same; its length is sent, it is not. Every answer gets X-Content-Type-Options. */
void http_respond(struct http_request *r, struct http_answer *answer);

/* ---- an answer without an end */

enum { HTTP_STREAM_END = -1 };

struct http_stream {
	int status;
	const char *content_type;
	struct http_header headers[4]; /* copied; ends with a NULL name */
	/* On the connection's thread; must not block. How many bytes it has put into out, at most max; 0: nothing now,
	 * it is asked again after http_stream_wake(); HTTP_STREAM_END: nothing ever. */
	ptrdiff_t (*read)(void *ctx, char *out, size_t max);
	/* Exactly once, on a server thread or inside http_respond_stream(): read is not called any more. */
	void (*closed)(void *ctx);
	void *ctx;
};

/* Instead of http_respond(). HEAD: the header alone, read is never called. The request lives, with its header fields and
 * parameters, until http_stream_release(), which may come after `closed` only. */
void http_respond_stream(struct http_request *r, const struct http_stream *stream);
/* There is something to read, or the end. Any thread, until http_stream_release(); before http_respond_stream() too. Does
 * not block. */
void http_stream_wake(struct http_request *r);
void http_stream_release(struct http_request *r);

#endif
