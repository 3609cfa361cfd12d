/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/http_priv.h - inside the HTTP server: connections, requests, and who may touch what.
 *
 * Threads. libmicrohttpd's own (1 to N; a connection stays with one), the acceptor, which
 * refuses what is beyond connections_max, the reaper, which enforces time, with TLS the pump, and any thread that
 * calls http_respond().
 *
 * One lock per server guards the list of connections, their phase and deadline, and the state of
 * requests. A connection's descriptor is valid while it is in the list: libmicrohttpd closes it
 * only after conn_closed() has taken it out under the lock. Calls that only mark things inside
 * libmicrohttpd (suspend, resume) and dup() are made under it, for just that reason.
 *
 * Life of a request: made when the request line is complete (state RECEIVING), handed to the
 * handler (HANDLING), suspended when the handler has not answered before it returned (SUSPENDED),
 * answered (ANSWERED). Two references: libmicrohttpd's, until the request is completed, and the
 * handler's, until http_respond(). At the end of http_server_stop() requests that are still with
 * the handler are answered 503 in its stead; what it says later is thrown away.
 */
#ifndef HTTP_HTTP_PRIV_H
#define HTTP_HTTP_PRIV_H

#include "http/http.h"

#include "base/arena.h"
#include "base/buf.h"
#include "http/uri.h"
#include "sys/linger.h"
#include "sys/thread.h"
#include "tls/pump.h"

#include <microhttpd.h>
#include <stdatomic.h>

enum { HTTP_HEADERS_MAX = 100 };

enum conn_phase {
	CONN_HEADER, /* until the header is complete; deadline */
	CONN_IDLE, /* kept alive; deadline */
	CONN_BODY, /* body is coming; measured by rate */
	CONN_HANDLER, /* the handler's; no time limit of ours */
	CONN_ANSWER, /* the answer is being sent; a large one measured by rate, others deadline */
	CONN_STREAM, /* an answer without an end; measured by whether it moves */
	CONN_DEAD, /* cut; libmicrohttpd will notice */
};

struct http_conn {
	struct http_server *server;
	struct http_conn *prev, *next; /* lock */
	struct MHD_Connection *mhd;
	int fd;
	enum conn_phase phase; /* lock */
	uint64_t deadline_ns; /* lock; HEADER, IDLE, ANSWER */
	uint64_t body_start_ns; /* lock; BODY */
	uint64_t body_bytes; /* lock; BODY */
	/* lock; STREAM: suspended, for there is nothing to send; it was told that there is */
	bool parked, woken;
	/* lock; ANSWER, of one that is sent in parts; STREAM */
	uint64_t answer_start_ns, answer_moved_ns;
	uint64_t answer_bytes; /* handed to the socket */
	struct http_request *request; /* lock; the one under way */
	bool linger; /* its thread: the client may still be sending when it is closed */
};

enum request_state { REQUEST_RECEIVING, REQUEST_HANDLING, REQUEST_SUSPENDED, REQUEST_ANSWERED };

struct http_request {
	_Atomic int refs;
	struct http_server *server; /* counted reference */
	struct http_conn *conn; /* lock; NULL when libmicrohttpd is done with it */
	enum request_state state; /* lock */
	bool disowned; /* lock: answered in the handler's stead */
	struct MHD_Response *response; /* lock */
	int status; /* lock */
	/* Below: written by the connection's thread before the handler sees it. */
	bool begun; /* the header has been looked at */
	struct arena arena;
	struct str uri; /* as it came */
	enum http_method method;
	struct str path;
	struct http_param *params;
	size_t param_count;
	struct http_field {
		struct str name, value;
	} *headers;
	size_t header_count;
	bool chunked, has_length;
	uint64_t body_bytes_max;
	struct buf body;
	_Atomic uint64_t charged_bytes; /* of the server's budget */
	uint64_t received_ns;
};

struct http_server {
	_Atomic int refs; /* the owner's, and one of each request */
	struct http_server_options opt; /* address points nowhere after the start */
	struct limits limits; /* copied: requests may outlive what the caller lent */
	struct stats *stats; /* NULL once stopped: likewise */
	int listen_fd;
	uint16_t port;
	struct MHD_Daemon *daemon;
	struct lingerers *lingerers;
	struct tls_pump *pump; /* NULL: clear text */
	struct mutex
	    door; /* guards door_shut, and libmicrohttpd's against the pump while it stops */
	bool door_shut; /* door: nothing more comes from the pump */
	struct thread acceptor, reaper;
	bool stopped; /* owner */
	struct budget own_budget, *budget;
	_Atomic int64_t conn_count; /* accepted and not yet closed */
	_Atomic bool stopping;

	struct mutex lock;
	struct cond conn_came; /* for the reaper, which sleeps while there is none */
	struct cond settled; /* for stop: a request was answered or completed */
	struct http_conn *conns; /* lock */
	size_t handler_count; /* lock: requests in the handler's hands */
	bool reaper_stop; /* lock */
	bool disowning; /* lock: the handler gets nothing more */
};

/* server.c */
void http_server_unref(struct http_server *s);
/* A connection that was counted is over. */
void http_server_conn_over(struct http_server *s);

/* daemon.c */
MUST_CHECK enum err_code http_daemon_start(struct http_server *s, struct err *err);
/* Under the lock: answer in the handler's stead; the connection's thread finds no response and
 * says 503. */
void http_request_disown(struct http_server *s, struct http_request *r);
/* Under the lock: this is the answer, of a request that nobody has disowned and whose connection is in its phase already. It counts
 * no longer, and the connection's thread goes on. */
void http_request_settle(struct http_request *r, struct MHD_Response *response, int status);

/* request.c */
struct http_request *http_request_new(struct http_server *s, struct http_conn *c, const char *uri);
void http_request_ref(struct http_request *r);
void http_request_unref(struct http_request *r);
/* Copy and check the header. An error is to be answered, and the connection closed. */
MUST_CHECK enum err_code http_request_begin(struct http_request *r, struct MHD_Connection *mhd,
    const char *method, const char *version, struct err *err);
MUST_CHECK enum err_code http_request_add_body(struct http_request *r, const char *bytes, size_t n,
    struct err *err);
/* Give back what it holds of the budget. */
void http_request_discharge(struct http_request *r);

/* answer.c */
/* An error of the server itself. r may be NULL. */
struct MHD_Response *http_answer_error(struct http_server *s, struct http_request *r,
    const struct err *why);
/* The same as bytes for the wire, for when libmicrohttpd cannot answer any more. */
void http_answer_raw(struct http_server *s, struct http_request *r, const struct err *why,
    struct buf *out);
/* The content type and the fields that every answer has. */
struct MHD_Response *http_answer_head(struct MHD_Response *response, const char *content_type,
    const struct http_header headers[4]);
/* Takes the body. A large one is sent in parts, and http_request_progress() called for each on the connection's
 * thread while the request is under way. */
struct MHD_Response *http_answer_response(struct http_answer *answer, struct http_request *r);
bool http_answer_in_parts(const struct http_answer *answer);

/* daemon.c: so much of the answer has left. */
void http_request_progress(struct http_request *r, uint64_t bytes);

/* stream.c, under the lock: go on with a connection that may be suspended for want of something to send. */
void http_conn_wake(struct http_conn *c);

/* reaper.c */
void http_reaper_main(void *ctx);
/* Send what fits into the socket at once: a short last answer, which nothing follows. */
void http_answer_last_words(int fd, struct str bytes);

#endif
