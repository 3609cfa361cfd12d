/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc/kit_test.h - for the tests of this folder: a server whose handler echoes, fails or holds
 * calls; calls through the client; and a peer that sends whatever bytes a test wants.
 *
 * With WEIR_TEST_TLS in the environment all of it goes over TLS.
 *
 * Waits end after KIT_PATIENCE_MS, which no test reaches unless it fails.
 */
#ifndef GRPC_KIT_TEST_H
#define GRPC_KIT_TEST_H

#include "base/buf.h"
#include "grpc/client.h"
#include "grpc/grpc.h"
#include "sys/thread.h"
#include "tls/conn.h"

#include <nghttp2/nghttp2.h>

#define KIT_PATH "/kit.Service/Echo"
#define KIT_PATH_FAIL "/kit.Service/Fail"
#define KIT_PATH_HOLD "/kit.Service/Hold"
#define KIT_PATH_STREAM "/kit.Service/Stream"

enum { KIT_PATIENCE_MS = 20000, KIT_HELD_MAX = 4096 };

struct kit {
	struct limits limits; /* change after kit_init(), before kit_start() */
	struct stats stats;
	struct grpc_server *server;
	bool over_tls; /* change before kit_start(); true from the environment, too */
	struct tls_context *tls; /* NULL: clear text */
	char address[32];
	struct mutex mutex;
	struct cond cond;
	struct grpc_call *held[KIT_HELD_MAX]; /* of KIT_PATH_HOLD, oldest first */
	size_t held_count;
	/* Of KIT_PATH_STREAM: so many messages of so many bytes, "0..", "1.." .. in turn. */
	size_t stream_messages, stream_bytes;
	struct budget stream_budget;
	size_t handled; /* calls the handler has seen */
	struct str fail_text; /* of KIT_PATH_FAIL */
	struct str fail_details;
};

struct kit *kit_new(void);
void kit_start(struct kit *k);
/* Answers what is held, stops the server at once, frees all. */
void kit_free(struct kit *k);
/* Wait until n calls are held. */
void kit_wait_held(struct kit *k, size_t n);
/* Was a limit of so many ms waited for since start_ns, and not cut short? Half of it will do: the server's clock is that of its loop's turn, which
 * on a busy machine has begun long before what it handles was sent. */
bool kit_waited(uint64_t start_ns, uint64_t ms);
size_t kit_held(struct kit *k);
size_t kit_handled(struct kit *k);
/* Answer the oldest held call with ERR_OK. */
void kit_release_one(struct kit *k);
/* Wait until a counter or gauge has this value. */
void kit_wait_stat(struct kit *k, enum stats_id id, int64_t value);
uint64_t kit_deadline(void); /* KIT_PATIENCE_MS from now */

/* ---- calls through the client */

struct kit_reply {
	int status; /* -1: none yet */
	bool lost;
	struct buf text, message, details;
};

struct grpc_client *kit_client(const struct kit *k);
void kit_begin(struct grpc_client *c, const char *path, struct str message, bool gzip,
    const char *const *headers, struct kit_reply *reply);
void kit_finish(struct grpc_client *c); /* until none is in flight */
void kit_reply_fini(struct kit_reply *r);
/* One call on a connection of its own: its status. reply may be NULL. */
int kit_call(const struct kit *k, const char *path, struct str message, bool gzip,
    const char *const *headers, struct kit_reply *reply);

/* ---- a peer of raw bytes */

struct kit_frame {
	unsigned type, flags;
	int32_t stream_id;
	struct str payload; /* until the next call */
};

struct kit_peer {
	int fd;
	struct tls_conn *tls; /* NULL: clear text */
	struct buf out; /* composed, not sent */
	struct buf in;
	size_t in_off;
	nghttp2_hd_inflater *hpack;
	struct buf fields; /* of the last HEADERS: "name: value\n"... */
	bool ended; /* the server closed */
};

void kit_peer_plain(struct kit_peer *p,
    const struct kit *k); /* in clear text, whatever the server speaks */
void kit_peer_open(struct kit_peer *p, const struct kit *k); /* says nothing, but TLS's hello */
void kit_peer_hello(struct kit_peer *p, const struct kit *k); /* preface, SETTINGS, ACK */
void kit_peer_close(struct kit_peer *p);
void kit_put_frame(struct kit_peer *p, unsigned type, unsigned flags, int32_t stream_id,
    struct str payload);
/* HEADERS of a good request; path NULL: KIT_PATH. extra: "name: value" lines, or NULL. */
void kit_put_request(struct kit_peer *p, int32_t stream_id, const char *path, const char *extra,
    unsigned flags);
void kit_field(struct buf *block, struct str name, struct str value); /* HPACK literal */
/* DATA with a prefix of this flag and length, and then bytes. */
void kit_put_message(struct kit_peer *p, int32_t stream_id, unsigned flag, uint32_t len,
    struct str bytes, unsigned flags);
/* As of sys/tcp.h. */
enum tcp_io kit_peer_write(struct kit_peer *p, const void *bytes, size_t size, size_t *n_out);
enum tcp_io kit_peer_read(struct kit_peer *p, void *bytes, size_t size, size_t *n_out);
/* Send what was composed. False when the server has gone. */
bool kit_send(struct kit_peer *p);
/* The next frame of this type (others are passed over). False when the connection ended. */
bool kit_next(struct kit_peer *p, unsigned type, struct kit_frame *frame_out);
/* Of the last HEADERS; empty when it is not there. The string lives until the next call. */
const char *kit_value(struct kit_peer *p, const char *name);
/* Reads HEADERS until one ends this stream: its grpc-status, or -1. */
int kit_status(struct kit_peer *p, int32_t stream_id);
/* The error of the next GOAWAY; -1: closed without one. */
int kit_goaway(struct kit_peer *p, int32_t *last_stream_out);
/* Read until the server closes; true when it does. */
bool kit_closed(struct kit_peer *p);

#endif
