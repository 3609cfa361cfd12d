/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/test.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 20000 };

static uint64_t
patience(void)
{
	return clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
}

TEST(sys, addresses_are_host_and_port)
{
	static const char *const good[] = {"127.0.0.1:4317", "[::1]:4317", ":4317", "*:0",
	    "localhost:1", "a.b-c.example:65535", "[::]:80", "[fe80::1]:443"};
	static const char *const bad[] = {"", "127.0.0.1", "::1:4317", "[::1]", "[::1]4317",
	    "x:65536", "x:", "x:-1", "x:+1", "x: 1", "x:1 ", "[127.0.0.1]:1", "[]:1", "a b:1",
	    "http://x:1", "x:000080", "[::1:1", "::1]:1"};
	struct err err = {0};
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (tcp_address_check(str_from(good[i]), &err) != ERR_OK)
			fail_msg("%s", err.message);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(tcp_address_check(str_from(bad[i]), &err), ERR_INVALID);
		assert_non_null(strstr(err.message, bad[i]));
	}
	assert_int_equal(tcp_address_check(str_of("a\0b:1", 5), &err), ERR_INVALID);
}

TEST(sys, only_addresses_of_this_machine_are_loopback)
{
	static const char *const yes[] = {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "localhost:1",
	    "LocalHost:1", "[::ffff:127.0.0.1]:1"};
	static const char *const no[] = {":1", "*:1", "0.0.0.0:1", "[::]:1", "128.0.0.1:1",
	    "10.0.0.1:1", "localhost.example:1", "[::2]:1", "[::ffff:10.0.0.1]:1", "127.0.0.1",
	    "127.0.0.1.example:1", "example:1"};
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(tcp_is_loopback(str_from(yes[i])));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(tcp_is_loopback(str_from(no[i])));
}

static int
accept_one(int listener)
{
	int fd = -1;
	while (fd < 0) {
		assert_true(tcp_wait(listener, false, patience()));
		assert_int_equal(tcp_accept(listener, &fd, NULL), ERR_OK);
	}
	return fd;
}

static void
send_all(int fd, const char *bytes, size_t len)
{
	for (size_t n, off = 0; off < len; off += n)
		if (tcp_write(fd, bytes + off, len - off, &n) == TCP_WAIT_WRITE)
			assert_true(tcp_wait(fd, true, patience()));
}

static void
connect_and_talk(const char *listen_on, const char *host)
{
	int listener, a, b;
	char address[64], bytes[8];
	size_t n;
	struct err err = {0};
	if (tcp_listen(str_from(listen_on), &listener, &err) != ERR_OK)
		fail_msg("%s", err.message);
	assert_true(tcp_port(listener) != 0);
	snprintf(address, sizeof(address), "%s:%u", host, tcp_port(listener));
	if (tcp_connect(str_from(address), PATIENCE_MS, &a, &err) != ERR_OK)
		fail_msg("%s", err.message);
	b = accept_one(listener);
	assert_int_equal(tcp_read(b, bytes, sizeof(bytes), &n), TCP_WAIT_READ);
	send_all(a, "ping", 4);
	assert_true(tcp_wait(b, false, patience()));
	assert_int_equal(tcp_read(b, bytes, sizeof(bytes), &n), TCP_OK);
	assert_int_equal(n, 4);
	tcp_shutdown_write(a);
	assert_true(tcp_wait(b, false, patience()));
	assert_int_equal(tcp_read(b, bytes, sizeof(bytes), &n), TCP_END);
	tcp_close(a);
	tcp_close(b);
	tcp_close(listener);
}

TEST(sys, what_listens_can_be_connected_to)
{
	connect_and_talk("127.0.0.1:0", "127.0.0.1");
	connect_and_talk("localhost:0", "localhost");
	connect_and_talk(":0", "127.0.0.1");
	connect_and_talk("*:0", "");
	connect_and_talk("0.0.0.0:0", "127.0.0.1");
}

TEST(sys, every_interface_takes_ipv6_too)
{
	int probe;
	if (tcp_listen(STR("[::1]:0"), &probe, NULL) != ERR_OK)
		test_skip("this machine has no IPv6");
	tcp_close(probe);
	connect_and_talk(":0", "[::1]");
	connect_and_talk("[::1]:0", "[::1]");
}

TEST(sys, errors_name_the_address)
{
	int listener, fd;
	char address[64], text[128];
	struct err err = {0};
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &listener, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", tcp_port(listener));
	assert_int_equal(tcp_listen(str_from(address), &fd, &err), ERR_UNAVAILABLE);
	assert_int_equal(fd, -1);
	snprintf(text, sizeof(text), "cannot listen on %s: Address already in use", address);
	assert_string_equal(err.message, text);
	tcp_close(listener);
	assert_int_equal(tcp_connect(str_from(address), PATIENCE_MS, &fd, &err), ERR_UNAVAILABLE);
	assert_int_equal(fd, -1);
	snprintf(text, sizeof(text), "cannot connect to %s: Connection refused", address);
	assert_string_equal(err.message, text);
	assert_int_equal(tcp_listen(STR("nonsense"), &fd, &err), ERR_INVALID);
	assert_int_equal(tcp_connect(STR("nonsense"), 1, &fd, &err), ERR_INVALID);
}

TEST(sys, nobody_waiting_is_no_error_and_a_closed_listener_is)
{
	int listener, fd;
	struct err err = {0};
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &listener, &err), ERR_OK);
	assert_int_equal(tcp_accept(listener, &fd, &err), ERR_OK);
	assert_int_equal(fd, -1);
	assert_false(tcp_wait(listener, false, 0));
	tcp_close(listener);
	assert_int_equal(tcp_accept(listener, &fd, &err), ERR_IO);
	tcp_close(-1);
}

TEST(sys, parts_are_written_in_order_and_a_full_socket_says_so)
{
	int listener, a;
	struct err err = {0};
	char address[64];
	static char big[1 << 20];
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &listener, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", tcp_port(listener));
	assert_int_equal(tcp_connect(str_from(address), PATIENCE_MS, &a, &err), ERR_OK);
	int b = accept_one(listener);
	struct str parts[3] = {STR("one "), STR(""), STR("two")};
	size_t n;
	assert_int_equal(tcp_write_parts(a, parts, 3, &n), TCP_OK);
	assert_int_equal(n, 7);
	assert_true(tcp_wait(b, false, patience()));
	assert_int_equal(tcp_read(b, big, sizeof(big), &n), TCP_OK);
	assert_memory_equal(big, "one two", 7);
	enum tcp_io io;
	do
		io = tcp_write(a, big, sizeof(big), &n);
	while (io == TCP_OK);
	assert_int_equal(io, TCP_WAIT_WRITE);
	assert_int_equal(n, 0);
	tcp_close(b); /* with unread bytes: a reset */
	uint64_t deadline = patience();
	do
		io = tcp_write(a, big, sizeof(big), &n);
	while (io != TCP_FAILED && clock_mono_ns() < deadline);
	assert_int_equal(io, TCP_FAILED);
	tcp_close(a);
	tcp_close(listener);
}

TEST(sys, tcp_pair_is_connected_bounded_and_tells_of_ends)
{
	int fd[2];
	struct err err = {0};
	static char big[1 << 20];
	size_t n, sent = 0;
	assert_int_equal(tcp_pair(256 * 1024, fd, &err), ERR_OK);
	assert_int_equal(tcp_read(fd[0], big, 1, &n), TCP_WAIT_READ);
	while (tcp_write(fd[0], big, sizeof(big), &n) == TCP_OK)
		sent += n;
	assert_in_range(sent, 64 * 1024, 300 * 1024);
	assert_int_equal(tcp_peer(fd[1]), TCP_PEER_THERE);
	tcp_shutdown_write(fd[0]);
	assert_int_equal(tcp_peer(fd[1]), TCP_PEER_DONE);
	assert_int_equal(tcp_write(fd[1], "back", 4, &n), TCP_OK);
	tcp_close(fd[0]);
	assert_int_equal(tcp_peer(fd[1]), TCP_PEER_GONE);
	/* What was written before is still there. */
	for (size_t got = 0; got < sent; got += n)
		assert_int_equal(tcp_read(fd[1], big, sizeof(big), &n), TCP_OK);
	assert_int_not_equal(tcp_read(fd[1], big, sizeof(big), &n), TCP_OK);
	assert_int_equal(tcp_write(fd[1], "x", 1, &n), TCP_FAILED);
	tcp_close(fd[1]);
}
