/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/service.h"

#include "base/timefmt.h"
#include "sys/tcp.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
notified_at(const struct sockaddr_un *at, socklen_t len, const char *variable)
{
	char got[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)at, len), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", variable, 1), 0);
	assert_true(service_notify("READY=1\nSTATUS=here"));
	ssize_t n = recv(fd, got, sizeof(got), 0);
	assert_int_equal(n, 19);
	assert_memory_equal(got, "READY=1\nSTATUS=here", 19);
	close(fd);
	assert_false(service_notify("READY=1")); /* gone */
}

TEST(sys, service_says_that_it_is_ready)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char path[sizeof(at.sun_path)];
	unsetenv("NOTIFY_SOCKET");
	assert_false(service_notify("READY=1"));
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	assert_false(service_notify("READY=1"));
	snprintf(path, sizeof(path), "/tmp/weir-notify-%d", (int)getpid());
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	notified_at(&at, sizeof(at), path);
	unlink(path);
	int n = snprintf(path, sizeof(path), "@weir-notify-%d", (int)getpid());
	memcpy(at.sun_path, path, (size_t)n);
	at.sun_path[0] = '\0';
	notified_at(&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n), path);
	unsetenv("NOTIFY_SOCKET");
}

TEST(sys, watchdog_is_for_the_process_it_names)
{
	char pid[16];
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(service_watchdog_ns(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(service_watchdog_ns(), 30 * NS_PER_S);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(service_watchdog_ns(), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(service_watchdog_ns(), 30 * NS_PER_S);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(service_watchdog_ns(), 0);
}

TEST(sys, sockets_are_those_handed_to_this_process)
{
	struct service_socket s[SERVICE_SOCKETS_MAX];
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES",
	    "grpc::a-name-that-is-much-longer-than-any-that-somebody-would-give-a-socket", 1);
	setenv("LISTEN_PID", "1", 1);
	assert_int_equal(service_sockets(s), 0);
	setenv("LISTEN_PID", pid, 1);
	assert_int_equal(service_sockets(s), 3);
	assert_int_equal(s[0].fd, 3);
	assert_string_equal(s[0].name, "grpc");
	assert_int_equal(s[2].fd, 5);
	assert_string_equal(s[1].name, "unknown");
	assert_string_equal(s[2].name, "unknown");
	setenv("LISTEN_FDS", "4000000000", 1);
	unsetenv("LISTEN_FDNAMES");
	assert_int_equal(service_sockets(s), SERVICE_SOCKETS_MAX);
	assert_string_equal(s[15].name, "unknown");
}

TEST(sys, socket_that_is_open_already_is_an_address)
{
	int fd, again, client;
	char address[32], to[32];
	struct err err;
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &fd, &err), ERR_OK);
	/* As it is inherited: blocking. */
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	snprintf(address, sizeof(address), "fd:%d", fd);
	assert_int_equal(tcp_address_check(str_from(address), &err), ERR_OK);
	assert_true(tcp_is_loopback(str_from(address)));
	assert_int_equal(tcp_listen(str_from(address), &again, &err), ERR_OK);
	assert_int_equal(again, fd);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	snprintf(to, sizeof(to), "127.0.0.1:%u", tcp_port(fd));
	assert_int_equal(tcp_connect(str_from(to), 30000, &client, &err), ERR_OK);
	/* A connection is no listener; nor is nothing. */
	snprintf(address, sizeof(address), "fd:%d", client);
	assert_int_equal(tcp_listen(str_from(address), &again, &err), ERR_INVALID);
	assert_int_equal(again, -1);
	tcp_close(client);
	tcp_close(fd);
	assert_int_equal(tcp_listen(STR("fd:4999"), &again, &err), ERR_INVALID);
	assert_int_equal(tcp_address_check(STR("fd:"), &err), ERR_INVALID);
	assert_int_equal(tcp_address_check(STR("fd:-1"), &err), ERR_INVALID);
	assert_int_equal(tcp_address_check(STR("fd:x"), &err), ERR_INVALID);
	assert_int_equal(tcp_listen(STR("0.0.0.0:0"), &fd, &err), ERR_OK);
	snprintf(address, sizeof(address), "fd:%d", fd);
	assert_false(tcp_is_loopback(str_from(address)));
	tcp_close(fd);
}
