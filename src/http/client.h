/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client.h - blocking HTTP client on libcurl, for the CLI (later shards and ClickHouse).
 *
 * No proxies from the environment for loopback, no redirects, body bounded, signals off.
 * Threading: one owner.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "tls/tls.h"

struct http_client;

struct http_client_options {
	struct str base_url; /* "http://127.0.0.1:7700", or https:// */
	struct tls_client_files tls; /* for https:// */
	uint64_t connect_timeout_ms;
	uint64_t timeout_ms;
	uint64_t body_bytes_max;
	struct str token; /* Authorization: Bearer; may be empty */
	struct str tenant; /* X-Scope-OrgID; may be empty */
};

MUST_CHECK enum err_code http_client_open(const struct http_client_options *opt,
    struct http_client **out, struct err *err);
void http_client_close(struct http_client *c);
/* GET base_url + path_and_query. ERR_OK for any HTTP answer (status_out says which); errors are
 * those of the connection. */
MUST_CHECK enum err_code http_client_get(struct http_client *c, struct str path_and_query,
    int *status_out, struct buf *body_out, struct err *err);
/* The same with another method: "POST" (with an empty body) or "DELETE". */
MUST_CHECK enum err_code http_client_send(struct http_client *c, const char *method,
    struct str path_and_query, int *status_out, struct buf *body_out, struct err *err);

struct http_client_request {
	const char *method; /* "POST" */
	struct str path_and_query;
	const char *accept, *content_type; /* NULL: not sent */
	struct str body; /* of a POST; borrowed */
	struct str
	    tenant; /* X-Scope-OrgID of this request, instead of that of the options; may be empty */
	const char *wanted; /* a header field of the answer; NULL: none */
};

enum { HTTP_CLIENT_FIELD_BYTES = 512 };

struct http_client_answer {
	int status;
	struct buf *body; /* the caller's; emptied first */
	char field
	    [HTTP_CLIENT_FIELD_BYTES]; /* the one that is wanted; empty: it was not there, or is longer */
};

/* The same with more say. */
MUST_CHECK enum err_code http_client_exchange(struct http_client *c,
    const struct http_client_request *req, struct http_client_answer *answer, struct err *err);
/* ---- an answer without an end (http_respond_stream()) */

struct http_client_follower {
	bool (*take)(void *ctx, struct str bytes); /* of a 200's body; false: enough */
	bool (*go_on)(void *ctx); /* asked several times a second; false: enough */
	void *ctx;
	uint64_t silence_max_ms; /* so long without a byte: ERR_DEADLINE */
};

/* GET, without a limit of time. ERR_OK: the answer has ended, or it was enough. *status_out 0: enough before there was one;
 * an answer that is no 200 is in body_out, as with http_client_get(). */
MUST_CHECK enum err_code http_client_follow(struct http_client *c, struct str path_and_query,
    const struct http_client_follower *f, int *status_out, struct buf *body_out, struct err *err);
/* Append name=value, percent-encoded, with the right separator to a path. */
void http_client_add_param(struct buf *path, struct str name, struct str value);

#endif
