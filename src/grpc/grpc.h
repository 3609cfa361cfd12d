/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/grpc.h - gRPC over HTTP/2 on libnghttp2 and our own epoll loops: calls of one message, answered by one
 * (unary) or by any number of them (server streaming).
 * Source: the gRPC over HTTP/2 protocol description (PROTOCOL-HTTP2), RFC 9113.
 *
 * Server. One acceptor hands connections to N loops (threads), each with its sessions. A call is
 * buffered whole within limits (checked on the length prefix, before buffering), inflated, and
 * given to `handle` on the loop's thread; the handler answers at once or later, from any thread,
 * with exactly one grpc_respond(). A peer that goes away meanwhile is the server's
 * problem, not the handler's. An answer is given whole, one of many messages too, so that it is as large as the
 * handler bounds it, and leaves as the peer's windows allow. Answers carry grpc-status, percent-encoded grpc-message and, when there
 * are details, grpc-status-details-bin.
 *
 * Time: grpc-timeout counts from the end of the header; when it passes while the handler has the
 * call, the client is answered, and the handler's answer, which is still due, is dropped. An answer must have left
 * body_grace_ms after it was given, and as long again as it takes at answer_rate_min; else its stream is reset.
 *
 * Counted here (options.stats): REQUESTS_GRPC and `refused` for every answer, the handler's too,
 * BODY_BYTES, INFLATED_BYTES, INFLIGHT_BYTES, CONNS_*. REQUESTS_ACKED is not: only the log knows.
 *
 * TLS, when options.tls says so: the handshake is part of the preface and its time limit, who is one too many is closed without
 * a word, who speaks no TLS is told so in HTTP/1.1 or HTTP/2.
 *
 * Limits: connections, streams per connection, header bytes, wire and inflated body bytes, bytes in
 * flight over all, time for preface and headers, body rate, idle time, pings and resets (floods
 * get GOAWAY ENHANCE_YOUR_CALM). A client that is refused goes on, on the same connection, however often: bodies that were on
 * their way to a call that was answered early, and resets of it, are no flood. Refusals by gRPC status: unknown path UNIMPLEMENTED, not POST
 * or not application/grpc: HTTP 405 / 415, too large RESOURCE_EXHAUSTED, no memory budget
 * RESOURCE_EXHAUSTED + RetryInfo, unknown grpc-encoding UNIMPLEMENTED with grpc-accept-encoding,
 * malformed message INVALID_ARGUMENT / INTERNAL, grpc-timeout passed DEADLINE_EXCEEDED.
 */
#ifndef GRPC_GRPC_H
#define GRPC_GRPC_H

#include "base/budget.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/stats.h"
#include "tls/tls.h"

struct grpc_server;
struct grpc_call;

struct grpc_server_options {
	struct str address; /* "127.0.0.1:4317", "[::1]:4317", ":4317"; port 0: any free one */
	unsigned loop_count; /* 0: as many as processors, at most 4 */
	struct tls_context *tls; /* borrowed; NULL: clear text */
	const struct limits *limits; /* copied */
	/* What bodies are charged to, together with other servers: borrowed. NULL: one of its own, of
	 * limits.inflight_bytes_max. */
	struct budget *budget;
	struct stats *stats; /* borrowed, NULL allowed */
	/* Paths that are served ("/opentelemetry...TraceService/Export"), NULL-terminated. */
	const char *const *paths;
	/* On a loop's thread; must not block. Owns the call until it has responded, and must
	 * respond, however late: also after the server was stopped or freed. */
	void (*handle)(void *ctx, struct grpc_call *call);
	void *ctx;
	/* On a loop's thread, when the header is complete: whether the message is worth receiving. Must not block.
	 * ERR_BUSY is answered with err->retry_ms. NULL: always. */
	enum err_code (*admit)(void *ctx, const struct grpc_call *call, struct err *err);
	/* Milliseconds for RetryInfo when the memory budget is spent, or `admit` does not say. */
	uint64_t busy_retry_ms;
};

MUST_CHECK enum err_code grpc_server_start(const struct grpc_server_options *opt,
    struct grpc_server **out, struct err *err);
/* Port that was bound. */
uint16_t grpc_server_port(const struct grpc_server *s);
/* Close the listener, tell the clients (GOAWAY, twice, 100 ms apart), let calls in flight finish
 * until the deadline, close everything, join. A second call does nothing. */
void grpc_server_stop(struct grpc_server *s, uint64_t deadline_mono_ns);
/* Stops at once if that was not done. NULL allowed. */
void grpc_server_free(struct grpc_server *s);

/* Index into options.paths. */
size_t grpc_call_path(const struct grpc_call *c);
/* Value of the first field of this name, or empty; also ":path" and the like. Name in lower case.
 * Lives as long as the call. */
struct str grpc_call_header(const struct grpc_call *c, struct str name);
/* The request message, inflated. Take it (ownership) or leave it; it dies with the answer. */
struct buf *grpc_call_message(struct grpc_call *c);
uint64_t grpc_call_received_ns(const struct grpc_call *c); /* unix time of the last byte */

struct grpc_answer {
	enum err_code code; /* ERR_OK: message, or messages, with grpc-status 0 */
	struct str message; /* response message, protobuf (ERR_OK only); copied */
	/* ERR_OK: in place of message the answer of a server-streaming call, all its messages, each between
	 * grpc_message_begin() and _end(). The memory is taken, and given back with so many bytes of `budget` (borrowed; NULL:
	 * none) when the answer has left, or nobody is there for it. NULL: one message. */
	struct buf *messages;
	struct budget *budget;
	uint64_t budget_bytes;
	struct str text; /* grpc-message (errors); copied */
	struct str
	    details; /* google.rpc.Status for grpc-status-details-bin; may be empty; copied */
};

/* A message of a stream is what is written to b between the two. A buffer that has turned `failed` stays so. */
size_t grpc_message_begin(struct buf *b);
void grpc_message_end(struct buf *b, size_t begun);

/* Any thread, exactly once per call; the call is gone afterwards. */
void grpc_respond(struct grpc_call *c, const struct grpc_answer *answer);

#endif
