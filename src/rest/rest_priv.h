/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/rest_priv.h - shared by the files of the REST face.
 */
#ifndef REST_REST_PRIV_H
#define REST_REST_PRIV_H

#include "rest/rest.h"

#include "keys/auth.h"

#include "ops/ops.h"
#include "sys/queue.h"
#include "sys/thread.h"
#include "wire/json_write.h"

#include <stdatomic.h>

#define REST_JSON "application/json; charset=utf-8"
#define REST_PROTOBUF "application/x-protobuf"
#define REST_TEXT "text/plain; charset=utf-8"

struct rest {
	struct rest_options opt;
	struct queue *jobs; /* struct job, run.c */
	struct budget answers; /* not read yet */
	_Atomic uint64_t query_count; /* waiting or running */
	_Atomic bool stopping;
	struct thread *readers;
	struct queue *heavy_jobs; /* SQL: it waits here, not in the way of others */
	struct thread *heavies;
	struct queue *slow_jobs; /* of one at most */
	_Atomic bool slow_busy; /* there is one, waiting or under way */
	struct thread slow;
	uint64_t start_unix_ns; /* of the process */
	uint64_t wait_mono_ns; /* until then questions wait for the store to catch up */
};

/* Takes the body. GET and HEAD alike. */
void rest_respond(struct http_request *req, int status, const char *content_type, struct buf *body);
void rest_respond_error(struct rest *r, struct http_request *req, enum err_code code,
    const char *message);
/* In the shape that the operation has for errors. */
void rest_respond_op_error(struct rest *r, struct http_request *req, const struct op *op,
    enum err_code code, const char *message);
/* 405, with the methods that are served. */
void rest_respond_method(struct rest *r, struct http_request *req, const char *allowed,
    const char *message);

/* What an operation's handler gets: those of this module may look at the rest of it. */
struct rest_context {
	struct op_context op; /* first */
	struct rest *rest;
	struct http_request *request;
	const struct auth_grant *grant;
	bool heavy; /* the operation is */
};

/* run.c: put the operation into the queue; it will be answered. */
void rest_run(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant);
/* The same for a question to the store: it waits until that has what was in the log at the start. */
void rest_ask(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant);
/* The same as rest_run() for one that takes as long as it takes: it has a thread of its own and no deadline, and there is one at a
 * time of all of them (else 429). Its handler has to end soon after store_cancel(). That its client leaves does not stop it. */
void rest_run_slow(struct rest *r, struct http_request *req, const struct op *op,
    const struct op_value *path_values, size_t path_value_count, const struct auth_grant *grant);
/* follow.c: an operation that is a stream, at once. */
void rest_follow(struct rest *r, struct http_request *req, const struct op *op,
    const struct auth_grant *grant);
void rest_reader_main(void *ctx);
void rest_slow_main(void *ctx);
void rest_heavy_main(void *ctx);

/* routes.c */
struct rest_route {
	enum http_method method;
	const char *prefix, *suffix; /* what stands between them is the id; suffix NULL: no id */
	struct op op;
};

struct rest_routes {
	struct str path; /* "/api/v1/dlq": all below it is theirs */
	const struct rest_route *routes; /* ends with an op without a name */
	unsigned right; /* enum key_right */
	unsigned slow; /* bits 1 << enum http_method: those go to rest_run_slow() */
	const char
	    *tenantless; /* what is said to a key that is not for all tenants; NULL: it may */
	bool (*is_served)(const struct rest *r);
	const char *absent; /* what is said when there are none in this server */
};

extern const struct rest_routes rest_dlq_routes; /* dlq.c */
extern const struct rest_routes rest_keys_routes; /* keys.c */
extern const struct rest_routes rest_backups_routes; /* backups.c */
extern const struct rest_routes rest_pulls_routes; /* pulls.c */
extern const struct rest_routes rest_check_routes; /* check.c */
extern const struct rest_routes rest_openapi_routes; /* openapi.c */

const struct rest_routes *rest_routes_nth(size_t i); /* NULL: there are no more */

/* The route of a method's name and a path, and the id in it; NULL: there is none. */
const struct rest_route *rest_routes_match(const struct rest_routes *all, const char *method,
    struct str path, struct str *id_out);
const struct rest_routes *rest_routes_find(struct str path); /* NULL: none of these */
void rest_routes_run(struct rest *r, struct http_request *req, const struct rest_routes *all,
    const struct auth_grant *grant);
void rest_routes_index(const struct rest *r, struct buf *out); /* their lines of / */
/* Before something is done that is not only read: a browser must not do it for a page of somebody else's. */
MUST_CHECK enum err_code rest_check_origin(const struct http_request *req, struct err *err);
/* A parameter's value, or empty. */
struct str rest_value(const struct op_value *values, size_t count, const char *name);
/* What the parameter `tenant` asks for, if the key is for it; empty: all of them. */
MUST_CHECK enum err_code rest_asked_tenant(const struct rest_context *ctx, struct str asked,
    struct str *out, struct err *err);

/* write.c: members of an object. A time of 0 and an empty text are null. */
void rest_write_time(struct json_writer *w, const char *key, const char *nano_key,
    uint64_t unix_ns);
void rest_write_text(struct json_writer *w, const char *key, const char *text);
void rest_write_number(struct json_writer *w, const char *key, uint64_t v, bool known);
void rest_write_end(struct json_writer *w); /* of the answer, with a line end */

/* rest/body.h, of a request's body. */
MUST_CHECK enum err_code rest_read_body(struct http_request *req, struct arena *arena,
    struct op_value **values_out, size_t *count_out, struct err *err);
/* The same of a form (application/x-www-form-urlencoded). */
MUST_CHECK enum err_code rest_read_form(struct http_request *req, struct arena *arena,
    struct op_value **values_out, size_t *count_out, struct err *err);

/* access.c: who may. 0: everybody. */
unsigned rest_right_of(enum http_method method, struct str path);
MUST_CHECK enum err_code rest_check_key(const struct rest *r, const struct http_request *req,
    unsigned right, struct auth_grant *out, struct err *err);

/* system.c: answered at once */
void rest_index(struct rest *r, struct http_request *req, const struct auth_grant *grant);
void rest_healthz(struct rest *r, struct http_request *req, const struct auth_grant *grant);
void rest_readyz(struct rest *r, struct http_request *req, const struct auth_grant *grant);
void rest_metrics(struct rest *r, struct http_request *req, const struct auth_grant *grant);

#endif
