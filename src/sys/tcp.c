/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/tcp.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	HOST_BYTES_MAX = 253, /* of a name in the DNS */
	LISTEN_BACKLOG = 1024,
};

/* Host and port as text, NUL-terminated, which is what getaddrinfo() wants. */
struct endpoint {
	char host[HOST_BYTES_MAX + 1]; /* empty: every interface */
	char port[6];
};

static enum err_code
bad_address(struct str address, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "address \"%.*s\": %s", STR_ARG(address), why);
}

static enum err_code
parse_port(struct str address, struct str port, struct endpoint *out, struct err *err)
{
	uint64_t n;
	if (port.len == 0 || port.len > 5 || !str_to_u64(port, &n) || n > UINT16_MAX)
		return bad_address(address, "the port must be a number from 0 to 65535", err);
	snprintf(out->port, sizeof(out->port), "%u", (unsigned)n);
	return ERR_OK;
}

/* "[v6]" without its brackets; a colon outside brackets would be ambiguous. */
static enum err_code
parse_host(struct str address, struct str host, struct endpoint *out, struct err *err)
{
	unsigned char v6[16];
	bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
	if (bracketed)
		host = str_of(host.ptr + 1, host.len - 2);
	if (host.len > HOST_BYTES_MAX || memchr(host.ptr ? host.ptr : "", '\0', host.len))
		return bad_address(address, "the host is no name", err);
	if (!bracketed && str_find(host, ':') < host.len)
		return bad_address(address, "an IPv6 address stands in [brackets]", err);
	if (str_eq(host, STR("*")))
		host = STR_EMPTY;
	if (host.len)
		memcpy(out->host, host.ptr, host.len);
	if (bracketed && inet_pton(AF_INET6, out->host, v6) != 1)
		return bad_address(address, "no IPv6 address in the brackets", err);
	for (const char *c = out->host; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/@[]", *c))
			return bad_address(address, "the host is no name", err);
	return ERR_OK;
}

static enum err_code
parse(struct str address, struct endpoint *out, struct err *err)
{
	size_t colon = address.len;
	*out = (struct endpoint){.host = ""};
	while (colon > 0 && address.ptr[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return bad_address(address, "no port; write host:port", err);
	enum err_code code = parse_port(address, str_skip(address, colon), out, err);
	return code ? code : parse_host(address, str_of(address.ptr, colon - 1), out, err);
}

/* "fd:3": a listening socket that is open already. */
static bool
is_fd(struct str address, int *fd_out)
{
	uint64_t n;
	if (!str_starts(address, STR("fd:")) || !str_to_u64(str_skip(address, 3), &n) ||
	    n > INT_MAX)
		return false;
	*fd_out = (int)n;
	return true;
}

static enum err_code
adopt(struct str address, int fd, struct err *err)
{
	int listening = 0;
	socklen_t len = sizeof(listening);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
		return err_set(err, ERR_INVALID, "%.*s is no socket that listens",
		    STR_ARG(address));
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_set_errno(err, ERR_UNAVAILABLE, errno, "cannot listen on %.*s",
		    STR_ARG(address));
	return ERR_OK;
}

static bool
fd_is_loopback(int fd)
{
	struct sockaddr_storage any = {0};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	socklen_t len = sizeof(any);
	if (getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		return false;
	memcpy(&v4, &any, sizeof(v4));
	memcpy(&v6, &any, sizeof(v6));
	if (any.ss_family == AF_INET)
		return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
	return any.ss_family == AF_UNIX ||
	    (any.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr));
}

enum err_code
tcp_address_check(struct str address, struct err *err)
{
	struct endpoint e;
	int fd;
	return is_fd(address, &fd) ? ERR_OK : parse(address, &e, err);
}

static bool
is_localhost(const struct endpoint *e)
{
	return str_eq_nocase(str_from(e->host), STR("localhost"));
}

bool
tcp_is_loopback(struct str address)
{
	static const unsigned char mapped[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
	struct endpoint e;
	unsigned char v4[4], v6[16];
	int fd;
	if (is_fd(address, &fd))
		return fd_is_loopback(fd);
	if (parse(address, &e, NULL) != ERR_OK)
		return false;
	if (is_localhost(&e))
		return true;
	if (inet_pton(AF_INET, e.host, v4) == 1)
		return v4[0] == 127;
	if (inet_pton(AF_INET6, e.host, v6) != 1)
		return false;
	return memcmp(v6, &in6addr_loopback, sizeof(v6)) == 0 ||
	    memcmp(v6, mapped, sizeof(mapped)) == 0;
}

/* All socket addresses of an endpoint; the caller frees the list with freeaddrinfo(). */
static enum err_code
resolve(struct str address, const char *host, const char *port, int flags, struct addrinfo **out,
    struct err *err)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
	int rc = getaddrinfo(host, port, &hints, out);
	if (rc == 0)
		return ERR_OK;
	if (rc == EAI_SYSTEM)
		return err_set_errno(err, ERR_UNAVAILABLE, errno, "cannot resolve %.*s",
		    STR_ARG(address));
	return err_set(err, ERR_UNAVAILABLE, "cannot resolve %.*s: %s", STR_ARG(address),
	    gai_strerror(rc));
}

/* A bound, listening socket for one address, or -1 with errno. */
static int
listen_one(const struct addrinfo *a)
{
	const int on = 1, off = 0;
	int fd =
	    socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

enum err_code
tcp_listen(struct str address, int *fd_out, struct err *err)
{
	struct endpoint e;
	struct addrinfo *list = NULL;
	int fd;
	*fd_out = -1;
	if (is_fd(address, &fd)) {
		enum err_code code = adopt(address, fd, err);
		*fd_out = code == ERR_OK ? fd : -1;
		return code;
	}
	enum err_code code = parse(address, &e, err);
	if (code)
		return code;
	/* Every interface is [::], which takes IPv4 too, or 0.0.0.0 on a system without IPv6. */
	const char *hosts[] = {e.host[0] ? e.host : "::", e.host[0] ? NULL : "0.0.0.0"};
	if (is_localhost(&e))
		hosts[0] = "127.0.0.1";
	int why = 0;
	for (size_t i = 0; *fd_out < 0 && i < ARRAY_LEN(hosts) && hosts[i]; i++) {
		code = resolve(address, hosts[i], e.port, AI_PASSIVE, &list, err);
		if (code)
			return code;
		for (struct addrinfo *a = list; a && *fd_out < 0; a = a->ai_next) {
			*fd_out = listen_one(a);
			why = errno;
		}
		freeaddrinfo(list);
		if (*fd_out < 0 && why == EADDRINUSE)
			break;
	}
	if (*fd_out >= 0)
		return ERR_OK;
	return err_set_errno(err, ERR_UNAVAILABLE, why, "cannot listen on %.*s", STR_ARG(address));
}

uint16_t
tcp_port(int fd)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	struct sockaddr_storage any = {0};
	socklen_t len = sizeof(any);
	if (getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		return 0;
	memcpy(&v4, &any, sizeof(v4));
	memcpy(&v6, &any, sizeof(v6));
	if (any.ss_family == AF_INET)
		return ntohs(v4.sin_port);
	return any.ss_family == AF_INET6 ? ntohs(v6.sin6_port) : 0;
}

static void
set_nodelay(int fd)
{
	const int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

enum err_code
tcp_accept(int listen_fd, int *fd_out, struct err *err)
{
	for (;;) {
		*fd_out = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (*fd_out >= 0) {
			set_nodelay(*fd_out);
			return ERR_OK;
		}
		switch (errno) {
		case EAGAIN: return ERR_OK;
		case EBADF:
		case EINVAL:
		case ENOTSOCK:
			return err_set_errno(err, ERR_IO, errno, "cannot accept a connection");
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			return err_set_errno(err, ERR_BUSY, errno, "cannot accept a connection");
		default: break; /* that one connection failed: accept(2) says to go on */
		}
	}
}

/* Wait for the end of a connect() that has begun; 0, or what it failed with. */
static int
connect_result(int fd, uint64_t deadline_mono_ns)
{
	int why = 0;
	socklen_t len = sizeof(why);
	if (!tcp_wait(fd, true, deadline_mono_ns))
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 ? why : errno;
}

static int
connect_one(const struct addrinfo *a, uint64_t deadline_mono_ns)
{
	int fd =
	    socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
	if (fd < 0)
		return -1;
	int why = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (why == EINPROGRESS)
		why = connect_result(fd, deadline_mono_ns);
	if (why == 0) {
		set_nodelay(fd);
		return fd;
	}
	close(fd);
	errno = why;
	return -1;
}

enum err_code
tcp_connect(struct str address, uint64_t timeout_ms, int *fd_out, struct err *err)
{
	struct endpoint e;
	struct addrinfo *list = NULL;
	uint64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
	*fd_out = -1;
	enum err_code code = parse(address, &e, err);
	if (code)
		return code;
	const char *hosts[] = {e.host[0] ? e.host : "127.0.0.1", NULL};
	if (is_localhost(&e) || !e.host[0]) {
		hosts[0] = "127.0.0.1";
		hosts[1] = "::1";
	}
	int why = 0;
	for (size_t i = 0; *fd_out < 0 && i < ARRAY_LEN(hosts) && hosts[i]; i++) {
		code = resolve(address, hosts[i], e.port, 0, &list, err);
		if (code)
			return code;
		for (struct addrinfo *a = list; a && *fd_out < 0; a = a->ai_next) {
			*fd_out = connect_one(a, deadline);
			why = *fd_out < 0 && why != ECONNREFUSED ? errno : why;
		}
		freeaddrinfo(list);
	}
	if (*fd_out >= 0)
		return ERR_OK;
	return err_set_errno(err, ERR_UNAVAILABLE, why, "cannot connect to %.*s", STR_ARG(address));
}

enum err_code
tcp_pair(size_t buffer_bytes, int fd_out[2], struct err *err)
{
	/* The system doubles it, for what it needs itself. */
	const int half = (int)(buffer_bytes / 2);
	CHECK(buffer_bytes <= INT_MAX);
	fd_out[0] = fd_out[1] = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd_out) != 0)
		return err_set_errno(err, ERR_BUSY, errno, "cannot make a pair of sockets");
	for (int i = 0; i < 2; i++)
		(void)setsockopt(fd_out[i], SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
	return ERR_OK;
}

/* What a failed read or write means. */
static enum tcp_io
io_failure(enum tcp_io wait)
{
	return errno == EAGAIN || errno == EINTR ? wait : TCP_FAILED;
}

enum tcp_io
tcp_read(int fd, void *bytes, size_t size, size_t *n_out)
{
	ssize_t n = recv(fd, bytes, size, 0);
	*n_out = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return TCP_OK;
	return n == 0 ? TCP_END : io_failure(TCP_WAIT_READ);
}

enum tcp_io
tcp_write(int fd, const void *bytes, size_t size, size_t *n_out)
{
	ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
	*n_out = n > 0 ? (size_t)n : 0;
	return n >= 0 ? TCP_OK : io_failure(TCP_WAIT_WRITE);
}

enum tcp_io
tcp_write_parts(int fd, const struct str *parts, size_t count, size_t *n_out)
{
	struct iovec iov[TCP_PARTS_MAX];
	size_t used = count < TCP_PARTS_MAX ? count : TCP_PARTS_MAX;
	for (size_t i = 0; i < used; i++) {
		/* sendmsg() does not write through it, but takes no const. */
		memcpy(&iov[i].iov_base, &parts[i].ptr, sizeof(void *));
		iov[i].iov_len = parts[i].len;
	}
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = used};
	ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
	*n_out = n > 0 ? (size_t)n : 0;
	return n >= 0 ? TCP_OK : io_failure(TCP_WAIT_WRITE);
}

bool
tcp_wait(int fd, bool writing, uint64_t deadline_mono_ns)
{
	struct pollfd p = {.fd = fd, .events = (short)(writing ? POLLIN | POLLOUT : POLLIN)};
	for (;;) {
		uint64_t now = clock_mono_ns();
		uint64_t left = deadline_mono_ns > now ? deadline_mono_ns - now : 0;
		struct timespec ts = {.tv_sec = (time_t)(left / NS_PER_S % INT32_MAX),
		    .tv_nsec = (long)(left % NS_PER_S)};
		int rc = ppoll(&p, 1, &ts, NULL);
		if (rc > 0)
			return true;
		if (rc == 0 && left == 0)
			return false;
	}
}

enum tcp_peer
tcp_peer(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	if (poll(&p, 1, 0) <= 0)
		return TCP_PEER_THERE;
	if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
		return TCP_PEER_GONE;
	return p.revents & POLLRDHUP ? TCP_PEER_DONE : TCP_PEER_THERE;
}

void
tcp_shutdown_write(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

void
tcp_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
