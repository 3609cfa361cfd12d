/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/tcp.h - TCP: addresses, listening, connecting, reading and writing without blocking.
 *
 * An address is text: "127.0.0.1:4317", "[::1]:4317", "localhost:4317", "host.example:4317", or
 * ":4317" (also "*:4317"), which is every interface, IPv6 and IPv4 where the system has both.
 * To connect to, ":4317" is this machine. The port is decimal, 0 to 65535; to listen on port 0 means any free one (tcp_port() tells).
 * "fd:3" is a socket that listens already, handed over by whoever started the process: it is the listener's from then on.
 * "localhost" is the loopback address itself, whatever the system's files say about that name.
 *
 * (The file is not called socket.h because it would then hide the system header of that name.)
 *
 * Descriptors are non-blocking and close on exec; connections have TCP_NODELAY. SIGPIPE is never
 * raised. Error texts name the address: "cannot listen on 127.0.0.1:4317: Address already in use".
 *
 * Threading: any thread; a descriptor has one user at a time. tcp_listen() and
 * tcp_connect() may ask a name server, which blocks; numeric addresses and localhost do not.
 */
#ifndef SYS_TCP_H
#define SYS_TCP_H

#include "base/err.h"
#include "base/str.h"

enum { TCP_PARTS_MAX = 64 };

/* ERR_INVALID says what is wrong with the text. Looks nothing up. */
MUST_CHECK enum err_code tcp_address_check(struct str address, struct err *err);
/* Can only this machine reach what listens there? False for names (other than localhost), for
 * every interface, and for text that is no address. */
bool tcp_is_loopback(struct str address);

/* ERR_INVALID (text), ERR_UNAVAILABLE (system). */
MUST_CHECK enum err_code tcp_listen(struct str address, int *fd_out, struct err *err);
/* The local port of a socket; 0 when it has none. */
uint16_t tcp_port(int fd);
/* The next connection; -1 with ERR_OK when nobody is waiting. ERR_BUSY when the process or the
 * system is out of descriptors or memory: the connection still waits, try again later. */
MUST_CHECK enum err_code tcp_accept(int listen_fd, int *fd_out, struct err *err);
/* Tries each address a name has, all within timeout_ms. ERR_INVALID, ERR_UNAVAILABLE. */
MUST_CHECK enum err_code tcp_connect(struct str address, uint64_t timeout_ms, int *fd_out,
    struct err *err);

/* Two ends of a connection inside this process, each as tcp_accept() gives them; no port. What is written may wait
 * in the system up to about buffer_bytes, each way. ERR_BUSY: out of descriptors or memory. */
MUST_CHECK enum err_code tcp_pair(size_t buffer_bytes, int fd_out[2], struct err *err);

enum tcp_io {
	TCP_OK, /* at least one byte */
	TCP_WAIT_READ, /* nothing now: wait until it can be read */
	TCP_WAIT_WRITE, /* nothing now: wait until it can be written */
	TCP_END, /* the peer has sent all it will */
	TCP_FAILED, /* reset, timed out, gone */
};

enum tcp_io tcp_read(int fd, void *bytes, size_t size, size_t *n_out);
enum tcp_io tcp_write(int fd, const void *bytes, size_t size, size_t *n_out);
/* Gathers up to TCP_PARTS_MAX parts into one write. */
enum tcp_io tcp_write_parts(int fd, const struct str *parts, size_t count, size_t *n_out);
/* Wait until it can be read (or, with `writing`, also written) or has failed. False when the
 * deadline (clock_mono_ns) passed first; a deadline in the past only looks. */
bool tcp_wait(int fd, bool writing, uint64_t deadline_mono_ns);

enum tcp_peer {
	TCP_PEER_THERE,
	TCP_PEER_DONE, /* has sent all it will: it waits for an answer, or it has gone: who knows */
	TCP_PEER_GONE, /* reset, or closed both ways */
};

/* Look, without waiting and without reading: what is there to be read may stand before the end. */
enum tcp_peer tcp_peer(int fd);

/* Tell the peer that nothing more will come; reading goes on. */
void tcp_shutdown_write(int fd);
void tcp_close(int fd); /* -1 is fine */

#endif
