/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/linger.h - close connections without losing the last answer.
 *
 * When a socket is closed while input is still unread, the kernel sends a reset, and a client
 * that is still sending loses the answer it was just given. A lingering socket is shut for writing,
 * and its input is read and thrown away until the peer closes, or the time is up. One thread
 * serves all; at most `count_max` linger, the oldest gives way.
 *
 * Threading: any thread, except start and stop (the owner); nothing here blocks.
 */
#ifndef SYS_LINGER_H
#define SYS_LINGER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct lingerers;

MUST_CHECK enum err_code linger_start(const char *thread_name, size_t count_max,
    uint64_t time_max_ms, struct lingerers **out, struct err *err);
void linger_stop(struct lingerers *l); /* NULL allowed; closes what still lingers */
void linger_add(struct lingerers *l, int fd); /* takes the descriptor; -1 allowed */

/* Another descriptor for the same connection, so that it outlives the close of the first; or -1. */
int linger_dup(int fd);
/* All input has been read and the peer will send no more? Consumes nothing. */
bool linger_at_end(int fd);
/* End a connection both ways: whoever reads it finds the end of input. On a listening socket:
 * whoever waits there wakes, and nobody can connect any more. */
void linger_cut(int fd);

#endif
