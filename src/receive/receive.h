/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive/receive.h - OTLP over gRPC and over HTTP: from a request to ingest, and back from its
 * outcome to the answer the OTLP specification asks for.
 *
 * Plug receive_grpc_paths, receive_grpc_admit() and receive_grpc() into struct grpc_server_options, receive_http_admit(),
 * receive_http() and receive_http_error() into struct http_server_options, ctx being the struct receive.
 *
 * Who may. Once there are keys, a request needs one with the right to ingest (keys/auth.h): asked before its body is
 * received, and once more when it is there, for a large body takes long.
 *
 * Answers. Success: Export*ServiceResponse, with partial_success when items were refused. Errors:
 * google.rpc.Status; over HTTP as the request was, protobuf or JSON (JSON when it was neither).
 * A refusal that may be retried says when: RetryInfo, over HTTP a Retry-After header too, in whole seconds and so
 * later rather than sooner. A tenant over its limit hears the time that it owes (quota_look()). What can
 * never succeed (too large, malformed) does not say when, which is what tells clients so. What
 * fails on this side once a request was taken (the log cannot be written, say) is UNAVAILABLE,
 * never INTERNAL: the client must keep its data and try again.
 *
 * HTTP: POST to /v1/traces, /v1/logs, /v1/metrics (404, 405 with Allow); application/x-protobuf or
 * application/json, parameters allowed (415); Content-Encoding gzip, zstd, deflate, identity (415
 * with Accept-Encoding); inflated within limits.body_bytes_max (413).
 *
 * Counted here: body bytes of HTTP, refusals over HTTP. What was acknowledged ingest counts, the
 * rest the servers.
 *
 * Threading: the handlers run on server threads, many at once; answers leave from the thread that
 * calls ingest's `done`. Stop both servers before receive_free().
 */
#ifndef RECEIVE_RECEIVE_H
#define RECEIVE_RECEIVE_H

#include "grpc/grpc.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "keys/auth.h"

struct receive;

/* Where requests go: ingest_submit(), ingest_admits() and ingest_retry_after_ms(), or what a test puts there. */
struct receive_sink {
	enum err_code (*submit)(struct ingest *in, struct ingest_request *req, struct err *err);
	enum err_code (*admits)(struct ingest *in, struct str tenant, struct err *err);
	uint64_t (*retry_after_ms)(const struct ingest *in, enum err_code code);
};

struct receive_options {
	struct ingest *ingest; /* borrowed */
	const struct receive_sink *sink; /* borrowed; NULL: ingest itself */
	struct keys *keys; /* borrowed; NULL: none are needed */
	const struct limits *limits; /* borrowed */
	struct stats *stats; /* borrowed, NULL allowed */
};

struct receive *receive_new(const struct receive_options *opt);
void receive_free(struct receive *r); /* NULL allowed */

/* What grpc_call_path() indexes; ends with NULL. */
extern const char *const receive_grpc_paths[];
enum err_code receive_grpc_admit(void *ctx, const struct grpc_call *call, struct err *err);
void receive_grpc(void *ctx, struct grpc_call *call);

enum err_code receive_http_admit(void *ctx, const struct http_request *req, struct err *err);
void receive_http(void *ctx, struct http_request *req);
const char *receive_http_error(void *ctx, struct http_request *req, const struct err *err,
    struct buf *out);

#endif
