/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/grpc_priv.h - how the server's files share its objects.
 *
 *     server.c   start, stop, the acceptor, the shared budget
 *     worker.c   one loop and its connections, drain
 *     conn.c     one connection: its life, reading, flushing, time limits
 *     transport.[ch]  its bytes: clear text or TLS
 *     session.c  nghttp2 callbacks: frames and headers to calls; floods
 *     call.c     one call: its header, its message, the handler
 *     answer.c   from grpc_respond() to frames
 *
 * Ownership. The server owns its workers, a worker its connections, a connection its nghttp2
 * session. A call has up to two owners: its stream (`stream_open`) and the handler
 * (`with_handler`); it is freed when it has neither. A call whose connection has gone has
 * conn == NULL. Nobody but the worker's thread touches a connection, nor a call, except that the
 * handler reads its call's header and message, and grpc_respond() writes its answer and posts it.
 *
 * A connection is destroyed only by the worker's `after` hook: anything else that finds it beyond
 * help marks it CONN_DEAD and touches it. So no callback ever returns into freed memory.
 *
 * The server's memory, and that of its loops, lives until the owner has freed it and the last
 * call that was handed out has been answered (`refs`).
 */
#ifndef GRPC_GRPC_PRIV_H
#define GRPC_GRPC_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "grpc/grpc.h"
#include "grpc/transport.h"
#include "sys/loop.h"
#include "sys/thread.h"
#include "wire/inflate.h"

#include <nghttp2/nghttp2.h>
#include <stdatomic.h>

enum {
	GRPC_PREFIX_BYTES = 5, /* flag, length: PROTOCOL-HTTP2 "Length-Prefixed-Message" */
	GRPC_READ_BYTES = 256 * 1024, /* one recv(2) */
	GRPC_WRITE_BYTES = 64 * 1024, /* one send(2) */
	GRPC_READS_PER_TURN = 4, /* then the others have their turn */
	GRPC_FRAME_BYTES_MAX = 64 * 1024, /* SETTINGS_MAX_FRAME_SIZE */
	GRPC_STREAM_WINDOW = 1 << 20,
	GRPC_CONN_WINDOW = 8 << 20,
	GRPC_LINGER_MS = 500, /* for the peer to close after our last byte */
	GRPC_DRAIN_NOTICE_MS = 100, /* between the first GOAWAY and the one that counts */
	GRPC_TEXT_BYTES_MAX = 1024, /* of a grpc-message; longer ones are cut */
	GRPC_DETAILS_BYTES_MAX = 4096, /* of grpc-status-details-bin; longer ones are left out */
	/* Control frames (PING, RST_STREAM, ...) a peer may send at once, a second, for each call. */
	GRPC_CONTROL_BURST = 1000,
	GRPC_CONTROL_PER_SECOND = 100,
	GRPC_CONTROL_PER_CALL = 10,
	GRPC_CONTROL_PER_BYTES = 1024, /* of answers: who reads much opens windows often */
	GRPC_USELESS_BYTES_MAX = 1 << 20, /* of frames that are ignored, one after another */
};

struct grpc_worker;
struct grpc_conn;

struct grpc_server {
	struct grpc_server_options opt;
	struct limits limits;
	struct str *paths;
	size_t path_count;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *session_options;
	_Atomic(uint64_t) refs; /* the owner's, and one for each call a handler has */
	struct budget own_budget, *budget;
	_Atomic(uint64_t) conn_count;

	int listen_fd;
	uint16_t port;
	struct loop *accept_loop; /* the acceptor's thread has all below */
	struct thread accept_thread;
	struct loop_watch accept_watch;
	struct loop_timer accept_retry;
	struct loop_task accept_stop;
	bool accept_failing;
	struct grpc_worker *workers;
	unsigned worker_count;
	bool stopped;
};

struct grpc_worker {
	struct grpc_server *server;
	struct loop *loop;
	struct thread thread;
	_Atomic(uint64_t) load; /* connections it has or is about to get */
	struct inflate *inflate;
	unsigned char *read_bytes; /* GRPC_READ_BYTES */
	unsigned char *write_bytes; /* GRPC_WRITE_BYTES */
	struct grpc_conn *conns;
	struct grpc_conn *touched; /* to be flushed at the end of this turn */
	struct loop_task stop_task;
	struct loop_timer drain_timer;
	uint64_t stop_deadline_ns;
	bool draining; /* stop was asked for */
	bool goaway_sent; /* the final one */
};

enum grpc_conn_state {
	CONN_OPEN,
	CONN_LINGER, /* said all; reads and throws away until the peer closes */
	CONN_DEAD, /* to be destroyed at the end of this turn */
};

struct grpc_conn {
	struct grpc_worker *worker;
	struct grpc_conn *prev, *next; /* of the worker's */
	struct grpc_conn *touched_next;
	bool touched;
	enum grpc_conn_state state;
	struct grpc_transport io;
	struct loop_watch watch;
	struct loop_timer timer; /* the earliest of all limits here */
	struct loop_task arrive; /* then: read on */
	bool task_posted;
	unsigned also_wants; /* TLS: a read that must write first, or the reverse */
	nghttp2_session *session; /* NULL in CONN_LINGER and CONN_DEAD */
	struct grpc_call *calls; /* with a stream, or with a handler, or both */
	size_t call_count;
	struct buf out; /* what the socket did not take */
	size_t out_off;
	size_t preface_len; /* bytes of the client's preface seen so far */
	bool settings_seen; /* the preface is complete */
	uint64_t opened_ns;
	uint64_t header_since_ns; /* a header block is coming in since then; 0: none */
	uint64_t frame_ns; /* the last complete frame */
	uint64_t blocked_ns; /* output waits since then; 0: none does */
	uint64_t linger_until_ns;
	int64_t control_credit; /* see GRPC_CONTROL_BURST; in thousandths of a frame */
	uint64_t control_ns; /* when it was last topped up */
	size_t useless_bytes; /* received since the last request or DATA */
	size_t late_bytes; /* so many more are no flood: grpc_conn_expect_late() */
};

enum grpc_call_state {
	CALL_HEADER, /* its header is coming in */
	CALL_BODY,
	CALL_HANDLED, /* the handler's move */
	CALL_ANSWERED, /* submitted; what still comes in is thrown away */
};

struct grpc_call {
	struct grpc_server *server;
	struct grpc_worker *worker;
	struct grpc_conn *conn; /* NULL: gone */
	struct grpc_call *prev, *next; /* of the connection's */
	int32_t stream_id;
	enum grpc_call_state state;
	bool stream_open, with_handler;

	/* The header: pairs of u32 name length, u32 value length, name, value. */
	struct buf header;
	size_t header_bytes; /* as RFC 9113 section 6.5.2 counts them */
	size_t path_idx;
	enum err_code refusal; /* what is wrong with the header; ERR_OK: nothing */
	struct err refusal_text;
	bool post, grpc_type, path_known, coding_named;
	enum inflate_coding coding;
	uint64_t timeout_ns; /* grpc-timeout; UINT64_MAX: none */

	unsigned char prefix[GRPC_PREFIX_BYTES];
	size_t prefix_len;
	bool compressed;
	size_t message_len; /* as the prefix says */
	struct buf message;
	size_t body_bytes; /* received, with the prefix */
	size_t charged; /* to the budget */

	uint64_t since_ns; /* the header was complete */
	uint64_t answer_due_ns; /* the last byte of the answer must have left by then */
	uint64_t check_ns; /* when the body's rate is looked at next */
	uint64_t deadline_ns; /* from grpc-timeout; UINT64_MAX: none */
	uint64_t received_unix_ns;

	struct loop_task task; /* brings the answer home */
	enum err_code answer_code;
	char *answer_bytes; /* message, text, details, one behind the other */
	size_t answer_message_len, answer_text_len, answer_details_len;
	bool answer_framed; /* the message is several, with their prefixes */
	struct budget *answer_budget; /* what the answer holds of it; NULL: nothing */
	uint64_t answer_budget_bytes;
	size_t answer_off; /* of prefix and message, sent so far */
};

/* ---- server.c */
/* Take n bytes of the budget, or nothing: false. */
MUST_CHECK bool grpc_server_charge(struct grpc_server *s, size_t n);
void grpc_server_discharge(struct grpc_server *s, size_t n);
void grpc_server_ref(struct grpc_server *s);
void grpc_server_unref(struct grpc_server *s);

/* ---- worker.c */
MUST_CHECK enum err_code grpc_worker_init(struct grpc_worker *w, struct grpc_server *s,
    struct err *err);
void grpc_worker_fini(struct grpc_worker *w);
void grpc_worker_run(void *worker); /* its thread */
/* Any thread: notice, final GOAWAY, end at the deadline or when all is done. */
void grpc_worker_stop(struct grpc_worker *w, uint64_t deadline_mono_ns);

/* ---- conn.c */
void grpc_conn_start(struct grpc_worker *w, int fd); /* acceptor's thread; owns fd */
void grpc_conn_touch(struct grpc_conn *c); /* flush it at the end of this turn */
void grpc_conn_flush(struct grpc_conn *c); /* end of a turn: send, or destroy when it is done for */
void grpc_conn_kill(struct grpc_conn *c); /* no more words */
/* GOAWAY with this code at once; calls without an answer are cut off. */
void grpc_conn_terminate(struct grpc_conn *c, uint32_t http2_error);
void grpc_conn_retire(struct grpc_conn *c); /* GOAWAY; the calls there are may finish */
/* Something may run out at due_ns: see that the timer fires by then. */
void grpc_conn_arm(struct grpc_conn *c, uint64_t due_ns);
/* Pay for a control frame (too many terminate the connection); a call was completed. */
void grpc_conn_spend(struct grpc_conn *c);
void grpc_conn_earn(struct grpc_conn *c);
void grpc_conn_earn_bytes(struct grpc_conn *c, size_t n); /* of an answer, that left */
void grpc_conn_expect_late(struct grpc_conn *c); /* a call was answered before its body ended */
void grpc_conn_earn_early(struct grpc_conn *c); /* and the answer has left */

/* ---- session.c */
nghttp2_session_callbacks *grpc_session_callbacks(void);
nghttp2_option *grpc_session_options(void);
/* A new session with our SETTINGS and windows submitted. */
nghttp2_session *grpc_session_new(struct grpc_conn *c);

/* ---- call.c */
struct grpc_call *grpc_call_new(struct grpc_conn *c, int32_t stream_id);
void grpc_call_stream_gone(struct grpc_call *call); /* or its connection */
void grpc_call_release(struct grpc_call *call); /* frees it, unless it has an owner */
/* Header and message memory and their budget, when nobody will look at them again. */
void grpc_call_drop_request(struct grpc_call *call);
void grpc_call_field(struct grpc_call *call, struct str name, struct str value);
void grpc_call_header_done(struct grpc_call *call);
void grpc_call_data(struct grpc_call *call, const unsigned char *bytes, size_t n);
void grpc_call_end(struct grpc_call *call); /* END_STREAM */
/* Look at its time limits; returns when to look again. */
uint64_t grpc_call_check(struct grpc_call *call, uint64_t now_ns);

/* ---- answer.c */
/* On the worker's thread, for a call the handler does not have (or no longer). */
void grpc_answer_error(struct grpc_call *call, enum err_code code, const char *text);
/* The same, busy: with RetryInfo. */
void grpc_answer_busy(struct grpc_call *call, const char *text, uint64_t retry_ms);
/* HTTP 405 or 415, no gRPC status: the peer does not speak gRPC. */
void grpc_answer_http(struct grpc_call *call, enum err_code code);
void grpc_answer_drop(struct grpc_call *call); /* its memory and its part of a budget */
void grpc_answer_sent(struct grpc_call *call); /* HEADERS with END_STREAM has left */

#endif
