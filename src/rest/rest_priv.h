/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/rest_priv.h - shared by the files of the REST face.
 */
#ifndef REST_REST_PRIV_H
#define REST_REST_PRIV_H

#include "rest/rest.h"

#include "ops/ops.h"
#include "sys/queue.h"
#include "sys/thread.h"

#include <stdatomic.h>

#define REST_JSON "application/json; charset=utf-8"
#define REST_TEXT "text/plain; charset=utf-8"

struct rest {
	struct rest_options opt;
	struct queue *jobs; /* struct job, run.c */
	struct budget answers; /* not read yet */
	_Atomic uint64_t query_count; /* waiting or running */
	_Atomic bool stopping;
	struct thread *readers;
	uint64_t start_unix_ns; /* of the process */
};

/* Takes the body. GET and HEAD alike. */
void rest_respond(struct http_request *req, int status, const char *content_type, struct buf *body);
void rest_respond_error(struct rest *r, struct http_request *req, enum err_code code,
    const char *message);
/* 405, with the methods that are served. */
void rest_respond_method(struct rest *r, struct http_request *req, const char *allowed,
    const char *message);

/* What an operation's handler gets: those of this module may look at the rest of it. */
struct rest_context {
	struct op_context op; /* first */
	struct rest *rest;
	struct http_request *request;
};

/* run.c: put the operation into the queue; it will be answered. */
void rest_run(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_value);
void rest_reader_main(void *ctx);

/* dlq.c: all paths below /api/v1/dlq */
bool rest_dlq_is_path(struct str path);
void rest_dlq(struct rest *r, struct http_request *req);
void rest_dlq_index(struct buf *out); /* its lines of / */

/* system.c: answered at once */
void rest_index(struct rest *r, struct http_request *req);
void rest_healthz(struct rest *r, struct http_request *req);
void rest_readyz(struct rest *r, struct http_request *req);
void rest_metrics(struct rest *r, struct http_request *req);

#endif
