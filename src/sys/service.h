/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys/service.h - being run by systemd, or by what speaks its protocols: readiness, signs of life, sockets that
 * are open already. Sources: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). Without the library: each is a
 * variable and a few bytes.
 *
 * Threading: the main thread.
 */
#ifndef SYS_SERVICE_H
#define SYS_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Send a state ("READY=1", lines) to $NOTIFY_SOCKET. False: nobody wants to know, or it cannot be reached. */
bool service_notify(const char *state);
/* Within this time "WATCHDOG=1" is awaited again; 0: it is not. */
uint64_t service_watchdog_ns(void);

enum { SERVICE_SOCKETS_MAX = 16, SERVICE_NAME_BYTES = 64 };

struct service_socket {
	int fd;
	char name
	    [SERVICE_NAME_BYTES]; /* FileDescriptorName= of the socket unit; "unknown" when it has none */
};

/* Sockets that were handed over to this process, and how many. They are closed on exec from now on. */
unsigned service_sockets(struct service_socket out[SERVICE_SOCKETS_MAX]);

#endif
