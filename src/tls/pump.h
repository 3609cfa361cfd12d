/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls/pump.h - TLS in front of a server that speaks plain bytes: one thread ends TLS on the clients' descriptors and moves what
 * they hold through pairs of sockets, the far ends of which the server has for its connections.
 *
 *     client ── TLS ── [ pump: at most PUMP_PART_BYTES held each way ] ── pair of sockets ── server
 *
 * The far end behaves as the client's own descriptor would:
 *   - Bytes: in order, and none is read from either side before the other has taken what was read before (back-pressure).
 *   - The client has sent all (close_notify or FIN): so has the far end, behind the last byte. The other direction goes on.
 *   - The client is gone (reset, nonsense instead of a record): the far end is closed both ways.
 *   - The server shuts its side or closes: the client gets what was written before, then close_notify and FIN; and
 *     a client that is still sending gets time to read it (sys/linger.h).
 *   - The server reads no more: neither does the pump.
 *
 * A connection comes to the server when its handshake is done, for which it has handshake_timeout_ms. A client that speaks no TLS
 * is told so (tls_conn_plain_answer()). What a server has left behind is tried to be delivered for flush_timeout_ms.
 *
 * Counted: STATS_CONNS_TIMED_OUT, STATS_CONNS_REFUSED when no pair of sockets is to be had; failed handshakes, by the context.
 *
 * Threading: tls_pump_add() any thread; start, stop and free: the owner. Callbacks on the pump's thread.
 */
#ifndef TLS_PUMP_H
#define TLS_PUMP_H

#include "base/stats.h"
#include "sys/linger.h"
#include "tls/tls.h"

struct tls_pump;

enum { PUMP_PART_BYTES = 64 * 1024, PUMP_SOCKET_BYTES = 256 * 1024 };

struct tls_pump_options {
	const char *thread_name;
	struct tls_context *tls; /* borrowed */
	enum tls_port port;
	struct lingerers *lingerers; /* borrowed */
	struct stats *stats; /* borrowed, NULL allowed */
	uint64_t handshake_timeout_ms, flush_timeout_ms;
	/* Here is a connection: the descriptor is the server's from now on, also when it wants none (false). */
	bool (*opened)(void *ctx, int fd);
	/* One that was added is over, or does nothing any more but wait for the client to have read the end. */
	void (*closed)(void *ctx);
	void *ctx;
};

MUST_CHECK enum err_code tls_pump_start(const struct tls_pump_options *opt, struct tls_pump **out,
    struct err *err);
/* Takes the descriptor. Not after the stop. */
void tls_pump_add(struct tls_pump *p, int fd);
/* Handshakes under way are cut; what servers have left behind is delivered until the deadline. Ends the thread and frees all:
 * every connection is closed. NULL allowed. */
void tls_pump_stop(struct tls_pump *p, uint64_t deadline_mono_ns);

#endif
