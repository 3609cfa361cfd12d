/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/harness_test.h - for the tests of the HTTP server: a server whose handler does as the path
 * says, and a client that can do wrong.
 *
 * With WEIR_TEST_TLS in the environment all of it goes over TLS.
 *
 * The handler: a request to /hold... is put into `held` for the test to answer; so is one to
 * /block, whose handler then does not return; /large gets 32 MiB; all others an echo of what the
 * server understood. A body to /wide may have twice as many bytes as others. Errors of the server itself read "E <code> <message> (<x-probe header>)".
 */
#ifndef HTTP_HARNESS_TEST_H
#define HTTP_HARNESS_TEST_H

#include "http/http.h"

#include "base/buf.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/queue.h"
#include "sys/tcp.h"
#include "tls/conn.h"

#include <stdatomic.h>

/* Far beyond what anything here takes: only a failure waits so long. */
#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

struct ht_server {
	struct http_server *server;
	struct tls_context *tls; /* NULL: clear text */
	struct limits limits;
	struct stats stats;
	struct queue *held; /* requests to /hold, for the test to answer */
	struct queue *gate; /* /block waits for a ticket from here, on the server's thread */
	_Atomic int handled;
};

struct ht_client {
	int fd;
	struct tls_conn *tls; /* NULL: clear text */
	struct buf in; /* read and not yet taken */
	bool ended, failed;
};

struct ht_reply {
	int status;
	struct buf text; /* head and body, NUL-terminated */
	size_t head_len;
};

void ht_respond_text(struct http_request *r, int status, struct str text);
/* Default limits, changed by `adjust` (may be NULL). */
struct ht_server *ht_start(void (*adjust)(struct limits *), unsigned threads);
struct ht_server *ht_start_tls(void (*adjust)(struct limits *), unsigned threads);
/* Stop and free; nothing may be left of the gauges. */
void ht_finish(struct ht_server *f);
/* The next request to /hold. */
struct http_request *ht_held(struct ht_server *f);
struct ht_client ht_dial_plain(const struct ht_server
        *f); /* in clear text, whatever the server speaks */
struct ht_client ht_dial(const struct ht_server *f);
void ht_hang_up(struct ht_client *c);
void ht_shut(struct ht_client *c); /* it will send no more */
/* False when the server no longer wants it. */
bool ht_try_send(struct ht_client *c, struct str s);
void ht_say(struct ht_client *c, const char *text);
/* Read more; false at the end. */
bool ht_more(struct ht_client *c);
bool ht_reply_has(const struct ht_reply *r, const char *text);
size_t ht_content_length(const char *head);
/* The next answer; status 0: the connection ended first. */
struct ht_reply ht_hear(struct ht_client *c, bool without_body);
/* Hear an answer with this status and, unless NULL, this text in it. */
void ht_expect(struct ht_client *c, int status, const char *text);
/* Nothing more comes. */
void ht_expect_end(struct ht_client *c);
/* Send, get one answer, see the connection closed without a reset. */
void ht_refused(const struct ht_server *f, const char *request, int status, const char *text);
/* Send, get one answer. */
void ht_answered(const struct ht_server *f, const char *request, int status, const char *text);

#endif
