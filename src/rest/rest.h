/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/rest.h - the REST face of weir: ops_table over HTTP, dead letters, keys, backups, what is pulled, and /, /healthz,
 * /readyz, /metrics.
 * docs/api.md is the contract. No query logic here.
 *
 * Who may (access.c). Once there are keys, questions need the right to read, dead letters and keys that to administer, and
 * /metrics, which names tenants, and backups a key for all tenants. /, /healthz and the status of /readyz are everybody's.
 *
 * Plug rest_admit(), rest_body_max(), rest_handle() and rest_error_body() into struct http_server_options, ctx being the struct
 * rest. An operation is put into a bounded queue and run by one of the reader threads, each with
 * an arena bounded by limits.result_bytes_max; more than limits.queries_max waiting or running
 * are answered 429. Its time (limits.query_timeout_ms) runs from its arrival. The other paths
 * are answered on the server's thread: they work while all readers are busy.
 *
 * Memory. A query that runs holds at most 2 * result_bytes_max: rows and JSON (one in PromQL up to 3.5 times: also the
 * points that are read, and one series that is prepared). The rows are given
 * back before the answer is sent; the JSON is charged to one budget, limits.answer_bytes_max,
 * until it has been read. A query whose answer finds no room there is answered 429, and stops as
 * soon as that is clear. Answers of up to REST_SMALL_BYTES are not counted: they are answered
 * whatever others leave unread. The most there can be, all told:
 *     thread_count * 3.5 * result_bytes_max + answer_bytes_max + connections_max * REST_SMALL_BYTES
 *
 * Heavy operations (SQL) have a queue and threads of their own, and limits.sql_timeout_ms: however long they take, readers
 * are there for the others. Whether their clients are still there is looked at while they run.
 *
 * After a start. A question waits until the store has all that was in the log at the start (opt.catches_up): an answer
 * without what a client has been told is kept would be wrong. Those that come in the first REST_CATCH_UP_MS wait in a reader,
 * until then at most; later ones are answered 503 at once, with how far it is. Prometheus does the same with its log.
 *
 * What takes long, like a backup, has a thread of its own and no deadline; there is one such work at a time.
 *
 * Clients that leave. When its turn comes, a query whose connection was reset is not run, nor is
 * one whose client has closed its side while at least as many others wait as there are readers:
 * such a client has most likely gone (ERR_CANCELLED). It may be half-closed and reading, so it is
 * served when there is no rush, as far as libmicrohttpd lets us: http.h. A query that runs is not
 * stopped.
 *
 * Streams (follow.c) have no place in the queue and no thread: limits.live_readers_max of them, and what each may hold, are
 * tail/tail.h's. Whether its key is still good is asked a few times a second.
 *
 * Order of the end: tail_stop(), which ends the streams; http_server_stop(), while the readers still answer; then rest_stop(); then
 * the store may close.
 */
#ifndef REST_REST_H
#define REST_REST_H

#include "base/limits.h"
#include "http/http.h"

struct dlq;
struct keys;
struct tail;
struct ops_writer;
struct rest;
struct store;

enum { REST_CHECKS_MAX = 16 };

struct rest_check {
	const char *name; /* "wal" */
	bool ok;
	char text[LIMIT_CHECK_TEXT_BYTES]; /* for people: what is, or why it is not ok */
};

/* Backups, made by somebody who knows of what. Called on a thread that may block, create and remove one at a time; both
 * have to end soon after store_cancel(). Each appends the JSON of its answer. */
struct rest_backups {
	enum err_code (*create)(void *ctx, struct str name, uint64_t now_unix_ns, struct buf *json,
	    struct err *err); /* name empty: one of its choice */
	enum err_code (*list)(void *ctx, struct buf *json, struct err *err);
	enum err_code (*remove)(void *ctx, struct str name, struct err *err);
	void *ctx;
};

/* What is pulled and brought, ingest/pull.h. Reader threads; both may block, until the deadline. */
struct store_pull;
struct rest_pulled {
	uint64_t accepted, rejected;
	char reason[160]; /* why the first one was rejected; empty: none was */
	unsigned char position[LIMIT_POSITION_BYTES]; /* where the source stands now */
	size_t position_len;
};
struct rest_puller {
	enum err_code (*position)(void *ctx, struct str tenant, struct str source,
	    struct store_pull *out, struct err *err);
	/* ERR_CONFLICT: out->position says where the source stands. */
	enum err_code (*bring)(void *ctx, struct str tenant, struct str source, struct str batch,
	    uint64_t deadline_mono_ns, struct rest_pulled *out, struct err *err);
	void *ctx;
};

enum {
	REST_THREADS_DEFAULT = 4,
	REST_SMALL_BYTES = 64 * 1024,
	REST_CATCH_UP_MS = 5000, /* what is asked so soon after the start waits for the log */
};

struct prices; /* agent/prices.h */

struct rest_options {
	struct store *store; /* borrowed */
	struct keys *keys; /* borrowed; NULL: none are needed, nor can any be made */
	const struct ops_writer *writer; /* borrowed; NULL: operations add nothing (ops/ops.h) */
	struct tail
	    *tail; /* borrowed, until the server is freed; NULL: nothing can be followed, 404 */
	struct dlq *dlq; /* borrowed; NULL: there are no dead letters, which is answered 404 */
	/* What is in a letter's payload, as JSON, appended. NULL, or an error: it is shown as base64. */
	enum err_code (*dlq_to_json)(struct str payload, struct buf *json, struct err *err);
	const struct rest_backups
	    *backups; /* borrowed; NULL: none are made, which is answered 404 */
	const struct rest_puller
	    *puller; /* borrowed; NULL: nothing can be pulled, which is answered 404 */
	const struct limits *limits; /* borrowed */
	struct stats *stats; /* borrowed, NULL allowed */
	/* Borrowed; NULL: no table. Another one may be put there at any time; what stood there lives until the server
	 * is freed. */
	const struct prices *_Atomic *prices;
	unsigned thread_count; /* readers; 0: REST_THREADS_DEFAULT */
	unsigned heavy_count; /* threads for heavy operations, SQL; 0: 1 */
	/* What /readyz says: fills up to `max` rows, returns how many. Server threads; must not
	 * block. NULL: no checks, always ready. */
	size_t (*checks)(void *ctx, struct rest_check *out, size_t max);
	/* Whether the store is still being given what was kept before the start, and in words how far that is. Any thread;
	 * must not block. NULL: it has everything. */
	bool (*catches_up)(void *ctx, char text[LIMIT_CHECK_TEXT_BYTES]);
	void *checks_ctx; /* of both */
	/* Appends to what /metrics says: numbers that are taken when somebody asks, in the text format
	 * (stats_print_family()). Server threads; must not block. NULL: none. */
	void (*metrics)(void *ctx, struct buf *out);
	void *metrics_ctx;
	/* Whether what is on the disk is whole, as JSON, appended. A reader thread; may take minutes. NULL: it cannot be
	 * asked here. */
	enum err_code (*check)(void *ctx, bool quick, struct buf *json, struct err *err);
	void *check_ctx;
};

MUST_CHECK enum err_code rest_start(const struct rest_options *opt, struct rest **out,
    struct err *err);
/* What is still queued is answered 503, what runs is cancelled in the store. Joins the readers. To
 * let queries finish, give http_server_stop() the time for it: it comes first. */
void rest_stop(struct rest *r);
void rest_free(struct rest *r); /* NULL allowed; stops it when that is not done */

enum err_code rest_admit(void *ctx, const struct http_request *req, struct err *err);
/* limits.wire_bytes_max, but for a record that is pulled and larger than that: it is taken whole into the dead letters. */
uint64_t rest_body_max(void *ctx, const struct http_request *req);
void rest_handle(void *ctx, struct http_request *req);
/* What DELETE, GET or POST of a path below /api/v1/keys does for whoever may do everything, without a server. */
MUST_CHECK enum err_code rest_keys_offline(struct keys *keys, const char *method, struct str path,
    uint64_t now_unix_ns, struct buf *json_out, struct err *err);
const char *rest_error_body(void *ctx, struct http_request *req, const struct err *err,
    struct buf *out);

#endif
