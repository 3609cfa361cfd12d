/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/client.h - gRPC client on libnghttp2, for what weir itself sends and fetches: unary calls, and calls
 * whose reply is many messages (server streaming); one connection, one thread, many calls in flight.
 *
 * A message goes from the caller's memory to the socket without a copy; a call costs no allocation
 * once there have been as many in flight before. Calls beyond what the server takes at a time wait
 * inside. Replies are bounded (GRPC_CLIENT_REPLY_BYTES_MAX, struct grpc_stream).
 *
 * Threading: one owner. Callbacks run inside grpc_client_run(), or grpc_client_close(); they may
 * start calls, and nothing else.
 */
#ifndef GRPC_CLIENT_H
#define GRPC_CLIENT_H

#include "base/err.h"
#include "base/str.h"
#include "tls/tls.h"

struct grpc_client;

enum { GRPC_CLIENT_REPLY_BYTES_MAX = 4 << 20 };

/* text and message are valid in the callback only. */
struct grpc_reply {
	int status; /* grpc-status; 14 when the connection failed */
	bool
	    lost; /* it is 14, and the server has said nothing of this call: it may be sent again, on another connection */
	struct str text; /* grpc-message, percent-decoded */
	struct str message; /* response message */
	struct str details; /* google.rpc.Status of grpc-status-details-bin; may be empty */
};

struct grpc_client_options {
	/* "host:port" or "http://host:port": clear text; "https://host:port": TLS, and the server's certificate must be for
	 * this host. */
	struct str address;
	uint64_t timeout_ms; /* to connect */
	struct tls_client_files tls; /* for https:// */
};

/* Connects, blocking. ERR_UNAVAILABLE says why not. */
MUST_CHECK enum err_code grpc_client_open(const struct grpc_client_options *opt,
    struct grpc_client **out, struct err *err);
/* Calls in flight get status 14. NULL allowed. */
void grpc_client_close(struct grpc_client *c);

/* Start a call; grpc_client_run() sends it. `message` is borrowed until the reply (pre-encoded
 * payloads are not copied); gzip: it is gzipped already. headers: "name: value", names in lower
 * case, NULL-terminated, may be NULL. ERR_UNAVAILABLE: the connection has ended or the server is
 * going away; ERR_INVALID: a header is malformed; `done` is then not called. */
MUST_CHECK enum err_code grpc_client_call(struct grpc_client *c, const char *path,
    struct str message, bool gzip, const char *const *headers,
    void (*done)(void *ctx, const struct grpc_reply *reply), void *ctx, struct err *err);

/* What the messages of one reply are given to. */
struct grpc_stream {
	/* One message, whole, in the order they were sent; the bytes are valid in the callback only. They arrive as they come,
	 * long before `done`, and also when the call fails in the end: what was given stays given. False: no more of
	 * this; the stream is reset and `done` gets status 1, CANCELLED. Inside grpc_client_run() only. */
	bool (*message)(void *ctx, struct str message);
	/* Once, after the last message; reply->message is empty. */
	void (*done)(void *ctx, const struct grpc_reply *reply);
	void *ctx;
	/* Of the whole reply, with 5 bytes for each message. More than that ends the call with status 8, RESOURCE_EXHAUSTED; no
	 * message is held that could not fit. */
	size_t bytes_max;
};

/* As grpc_client_call(), for a reply of any number of messages, none among them. `stream` is copied. A reply that ends
 * inside a message, or has a compressed one, which is not asked for, has status 13. */
MUST_CHECK enum err_code grpc_client_call_stream(struct grpc_client *c, const char *path,
    struct str message, const char *const *headers, const struct grpc_stream *stream,
    struct err *err);
/* Send and receive until no call is in flight beyond `inflight_max`, or the deadline
 * (clock_mono_ns); what can be done at once is done in any case. ERR_DEADLINE, ERR_UNAVAILABLE
 * (the connection has failed; every call in flight got status 14). */
MUST_CHECK enum err_code grpc_client_run(struct grpc_client *c, size_t inflight_max,
    uint64_t deadline_mono_ns, struct err *err);
/* Calls whose `done` is still to come. */
size_t grpc_client_inflight(const struct grpc_client *c);
/* No call can be started any more: the connection has failed, or the server is going away. */
bool grpc_client_ended(const struct grpc_client *c);

#endif
