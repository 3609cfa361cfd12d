/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/linger.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/tcp.h"
#include "sys/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that sends without end gets no more than this of a turn. */
enum { DRAIN_BYTES = 16 * 1024, DRAIN_ROUNDS = 16 };

struct lingerer {
	int fd;
	uint64_t deadline_ns;
};

struct lingerers {
	struct mutex lock;
	struct lingerer *added; /* lock: not yet taken over by the thread */
	size_t added_count; /* lock */
	bool stopping; /* lock */
	size_t count_max;
	uint64_t time_max_ns;
	int wake_fd;
	struct thread thread;
	struct lingerer *own; /* thread: oldest first */
	struct pollfd *polls; /* thread */
	size_t own_count; /* thread */
};

int
linger_dup(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

bool
linger_at_end(int fd)
{
	char next;
	return recv(fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void
linger_cut(int fd)
{
	(void)shutdown(fd, SHUT_RDWR);
}

static void
wake(struct lingerers *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof(one));
	(void)n; /* full: it is awake already */
}

void
linger_add(struct lingerers *l, int fd)
{
	if (fd < 0)
		return;
	bool taken = false;
	tcp_shutdown_write(fd);
	mutex_lock(&l->lock);
	if (!l->stopping && l->added_count < l->count_max) {
		l->added[l->added_count++] =
		    (struct lingerer){.fd = fd, .deadline_ns = clock_mono_ns() + l->time_max_ns};
		taken = true;
	}
	mutex_unlock(&l->lock);
	if (taken)
		wake(l);
	else
		tcp_close(fd);
}

/* False when the peer has closed. */
static bool
drain(int fd)
{
	char scrap[DRAIN_BYTES];
	size_t n;
	for (int i = 0; i < DRAIN_ROUNDS; i++) {
		enum tcp_io io = tcp_read(fd, scrap, sizeof(scrap), &n);
		if (io != TCP_OK)
			return io == TCP_WAIT_READ || io == TCP_WAIT_WRITE;
	}
	return true;
}

/* False when it is time to end. */
static bool
take_over(struct lingerers *l)
{
	mutex_lock(&l->lock);
	for (size_t i = 0; i < l->added_count; i++) {
		if (l->own_count == l->count_max) {
			tcp_close(l->own[0].fd);
			memmove(l->own, l->own + 1, --l->own_count * sizeof(*l->own));
		}
		l->own[l->own_count++] = l->added[i];
	}
	l->added_count = 0;
	bool go_on = !l->stopping;
	mutex_unlock(&l->lock);
	return go_on;
}

/* Drain those that poll() found readable, close the finished and the overdue. */
static void
serve(struct lingerers *l, uint64_t now_ns)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->own_count; i++) {
		bool ready = l->polls[i + 1].revents != 0;
		if (now_ns >= l->own[i].deadline_ns || (ready && !drain(l->own[i].fd)))
			tcp_close(l->own[i].fd);
		else
			l->own[kept++] = l->own[i];
	}
	l->own_count = kept;
}

static int
wait_ms(const struct lingerers *l, uint64_t now_ns)
{
	if (l->own_count == 0)
		return -1;
	/* All linger equally long: the oldest is due first. */
	uint64_t due = l->own[0].deadline_ns;
	return due <= now_ns ? 0 : (int)((due - now_ns) / NS_PER_MS + 1);
}

static void
linger_main(void *ctx)
{
	struct lingerers *l = ctx;
	while (take_over(l)) {
		l->polls[0] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
		for (size_t i = 0; i < l->own_count; i++)
			l->polls[i + 1] = (struct pollfd){.fd = l->own[i].fd, .events = POLLIN};
		if (poll(l->polls, l->own_count + 1, wait_ms(l, clock_mono_ns())) < 0)
			continue;
		uint64_t count;
		if (l->polls[0].revents != 0)
			CHECK(read(l->wake_fd, &count, sizeof(count)) == (ssize_t)sizeof(count));
		serve(l, clock_mono_ns());
	}
	for (size_t i = 0; i < l->own_count; i++)
		tcp_close(l->own[i].fd);
}

static void
lingerers_free(struct lingerers *l)
{
	tcp_close(l->wake_fd);
	mutex_fini(&l->lock);
	free(l->polls);
	free(l->own);
	free(l->added);
	free(l);
}

enum err_code
linger_start(const char *thread_name, size_t count_max, uint64_t time_max_ms,
    struct lingerers **out, struct err *err)
{
	CHECK(count_max > 0);
	struct lingerers *l = xcalloc(1, sizeof(*l));
	*out = NULL;
	mutex_init(&l->lock);
	l->count_max = count_max;
	l->time_max_ns = time_max_ms * NS_PER_MS;
	l->added = xcalloc(count_max, sizeof(*l->added));
	l->own = xcalloc(count_max, sizeof(*l->own));
	l->polls = xcalloc(count_max + 1, sizeof(*l->polls));
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	enum err_code code = ERR_OK;
	if (l->wake_fd < 0)
		code =
		    err_set_errno(err, ERR_UNAVAILABLE, errno, "cannot make an event descriptor");
	else
		code = thread_start(&l->thread, thread_name, linger_main, l, err);
	if (code != ERR_OK) {
		lingerers_free(l);
		return code;
	}
	*out = l;
	return ERR_OK;
}

void
linger_stop(struct lingerers *l)
{
	if (!l)
		return;
	mutex_lock(&l->lock);
	l->stopping = true;
	mutex_unlock(&l->lock);
	wake(l);
	thread_join(&l->thread);
	lingerers_free(l);
}
