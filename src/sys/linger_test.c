/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/linger.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/tcp.h"
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS (UINT64_C(30) * NS_PER_S)

static void
connect_pair(int *server_out, int *client_out)
{
	int listener;
	char address[32];
	struct err err;
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &listener, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", tcp_port(listener));
	assert_int_equal(tcp_connect(str_from(address), 30000, client_out, &err), ERR_OK);
	assert_true(tcp_wait(listener, false, clock_mono_ns() + PATIENCE_NS));
	assert_int_equal(tcp_accept(listener, server_out, &err), ERR_OK);
	tcp_close(listener);
}

static enum tcp_io
read_to_end(int fd, size_t *total_out)
{
	char scrap[1000];
	size_t n;
	*total_out = 0;
	for (;;) {
		enum tcp_io io = tcp_read(fd, scrap, sizeof(scrap), &n);
		if (io == TCP_OK)
			*total_out += n;
		else if (io == TCP_WAIT_READ)
			assert_true(tcp_wait(fd, false, clock_mono_ns() + PATIENCE_NS));
		else
			return io;
	}
}

/* Closing at once would reset the connection: there is input nobody has read. */
TEST(linger, the_last_answer_arrives_although_input_was_unread)
{
	struct lingerers *l;
	struct err err;
	int server, client;
	size_t n;
	assert_int_equal(linger_start("linger", 4, 30000, &l, &err), ERR_OK);
	connect_pair(&server, &client);
	assert_int_equal(tcp_write(client, "unread", 6, &n), TCP_OK);
	assert_true(tcp_wait(server, false, clock_mono_ns() + PATIENCE_NS));
	assert_int_equal(tcp_write(server, "answer", 6, &n), TCP_OK);
	linger_add(l, server);
	assert_int_equal(tcp_write(client, "more", 4, &n), TCP_OK);
	assert_int_equal(read_to_end(client, &n), TCP_END);
	assert_int_equal(n, 6);
	tcp_close(client);
	linger_stop(l);
}

/* The peer neither reads nor closes; a write to it fails once it has been closed. */
static void
wait_closed(int client)
{
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	size_t n;
	while (tcp_write(client, "x", 1, &n) != TCP_FAILED)
		assert_true(clock_mono_ns() < deadline);
}

TEST(linger, time_and_number_are_limited)
{
	struct lingerers *l;
	struct err err;
	int server[3], client[3];
	assert_int_equal(linger_start("linger", 4, 50, &l, &err), ERR_OK);
	connect_pair(&server[0], &client[0]);
	linger_add(l, server[0]);
	wait_closed(client[0]);
	tcp_close(client[0]);
	linger_stop(l);
	/* Without end of time, but only two: the first gives way to the third. */
	assert_int_equal(linger_start("linger", 2, 1000000, &l, &err), ERR_OK);
	for (int i = 0; i < 3; i++) {
		connect_pair(&server[i], &client[i]);
		linger_add(l, server[i]);
		clock_sleep_ns(20 * NS_PER_MS); /* so that it is taken over; else it is closed */
	}
	wait_closed(client[0]);
	linger_stop(l);
	wait_closed(client[1]);
	wait_closed(client[2]);
	for (int i = 0; i < 3; i++)
		tcp_close(client[i]);
}

TEST(linger, an_end_is_seen_only_when_all_has_been_read)
{
	int server, client;
	char c;
	size_t n;
	connect_pair(&server, &client);
	assert_false(linger_at_end(server));
	assert_int_equal(tcp_write(client, "a", 1, &n), TCP_OK);
	tcp_shutdown_write(client);
	assert_true(tcp_wait(server, false, clock_mono_ns() + PATIENCE_NS));
	assert_false(linger_at_end(server));
	assert_int_equal(tcp_read(server, &c, 1, &n), TCP_OK);
	uint64_t deadline = clock_mono_ns() + PATIENCE_NS;
	while (!linger_at_end(server))
		assert_true(clock_mono_ns() < deadline);
	tcp_close(server);
	tcp_close(client);
}

TEST(process, usage_is_about_this_process)
{
	struct process_usage u, v;
	process_usage(&u);
	assert_true(u.resident_bytes > 100 * 1024);
	assert_true(u.virtual_bytes >= u.resident_bytes);
	assert_true(u.threads >= 1); /* a sanitizer may have its own */
	uint64_t now = clock_unix_ns();
	assert_true(u.start_unix_ns <= now + NS_PER_S);
	assert_true(u.start_unix_ns + 3600 * NS_PER_S > now);
	int fd = dup(STDERR_FILENO);
	process_usage(&v);
	assert_int_equal(v.open_fds, u.open_fds + 1);
	assert_true(v.max_fds >= v.open_fds);
	assert_true(v.cpu_seconds >= u.cpu_seconds);
	close(fd);
}
