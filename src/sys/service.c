/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/service.h"

#include "base/check.h"
#include "base/str.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

bool
service_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	if (len == 0 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* an abstract one: unix(7) */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
	return n == (ssize_t)strlen(state);
}

/* The number in a variable; false: there is none. */
static bool
number_of(const char *name, uint64_t *out)
{
	const char *text = getenv(name);
	return text && str_to_u64(str_from(text), out);
}

static bool
is_for_us(const char *name)
{
	uint64_t pid;
	return number_of(name, &pid) && pid == (uint64_t)getpid();
}

uint64_t
service_watchdog_ns(void)
{
	uint64_t us;
	/* Without WATCHDOG_PID it is for whoever has the variable. */
	if (!number_of("WATCHDOG_USEC", &us) || us > UINT64_MAX / 1000)
		return 0;
	return !getenv("WATCHDOG_PID") || is_for_us("WATCHDOG_PID") ? us * 1000 : 0;
}

/* The n-th of the names, which stand between colons. */
static void
name_of(unsigned n, char out[SERVICE_NAME_BYTES])
{
	struct str names = str_from(getenv("LISTEN_FDNAMES"));
	for (unsigned i = 0; i < n; i++)
		names = str_skip(names, str_find(names, ':') + 1);
	struct str name = {names.ptr, str_find(names, ':')};
	if (name.len == 0 || name.len >= SERVICE_NAME_BYTES)
		name = STR("unknown");
	snprintf(out, SERVICE_NAME_BYTES, "%.*s", STR_ARG(name));
}

unsigned
service_sockets(struct service_socket out[SERVICE_SOCKETS_MAX])
{
	uint64_t count;
	if (!is_for_us("LISTEN_PID") || !number_of("LISTEN_FDS", &count))
		return 0;
	unsigned n = count < SERVICE_SOCKETS_MAX ? (unsigned)count : SERVICE_SOCKETS_MAX;
	for (unsigned i = 0; i < n; i++) {
		out[i].fd = FIRST_FD + (int)i;
		name_of(i, out[i].name);
		(void)fcntl(out[i].fd, F_SETFD, FD_CLOEXEC);
	}
	return n;
}
