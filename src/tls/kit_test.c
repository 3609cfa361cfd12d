/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/kit_test.h"

#include "tests/test.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

struct tls_files
tls_kit_files(const char *cert, const char *key)
{
	static char names[2][100];
	snprintf(names[0], sizeof(names[0]), TLS_GOLDEN "%s", cert);
	snprintf(names[1], sizeof(names[1]), TLS_GOLDEN "%s", key);
	return (struct tls_files){.cert = str_from(names[0]), .key = str_from(names[1])};
}

struct tls_context *
tls_kit_context(const char *client_ca)
{
	char name[100];
	struct tls_context *t;
	struct err err = {0};
	struct tls_files files = tls_kit_files("server.pem", "server.key");
	if (client_ca) {
		snprintf(name, sizeof(name), TLS_GOLDEN "%s", client_ca);
		files.client_ca = str_from(name);
	}
	if (tls_context_open(&files, &t, &err) != ERR_OK)
		fail_msg("%s", err.message);
	return t;
}

void
tls_kit_tcp(int fd_out[2])
{
	struct err err = {0};
	char address[32];
	int listener;
	uint64_t deadline = clock_mono_ns() + TLS_PATIENCE_NS;
	assert_int_equal(tcp_listen(STR("127.0.0.1:0"), &listener, &err), ERR_OK);
	snprintf(address, sizeof(address), "127.0.0.1:%u", tcp_port(listener));
	assert_int_equal(tcp_connect(str_from(address), 10000, &fd_out[0], &err), ERR_OK);
	assert_true(tcp_wait(listener, false, deadline));
	assert_int_equal(tcp_accept(listener, &fd_out[1], &err), ERR_OK);
	assert_true(fd_out[1] >= 0);
	tcp_close(listener);
}

void
tls_kit_blocking(int fd)
{
	struct timeval patience = {.tv_sec = 30};
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

bool
tls_kit_connect(struct tls_kit_client *c, int fd, const struct tls_kit_wish *wish)
{
	static const struct tls_kit_wish none;
	char name[100];
	unsigned char alpn[40];
	if (!wish)
		wish = &none;
	*c = (struct tls_kit_client){.fd = fd, .ctx = SSL_CTX_new(TLS_client_method())};
	tls_kit_blocking(fd);
	assert_int_equal(SSL_CTX_load_verify_locations(c->ctx, TLS_GOLDEN "ca.pem", NULL), 1);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_security_level(c->ctx, wish->version_max ? 0 : 2);
	if (wish->version_max) {
		SSL_CTX_set_min_proto_version(c->ctx, 0);
		SSL_CTX_set_max_proto_version(c->ctx, wish->version_max);
	}
	if (wish->cert) {
		snprintf(name, sizeof(name), TLS_GOLDEN "%s.pem", wish->cert);
		assert_int_equal(SSL_CTX_use_certificate_chain_file(c->ctx, name), 1);
		snprintf(name, sizeof(name), TLS_GOLDEN "%s.key", wish->cert);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(c->ctx, name, SSL_FILETYPE_PEM), 1);
	}
	c->ssl = SSL_new(c->ctx);
	if (wish->alpn) {
		size_t n = strlen(wish->alpn);
		alpn[0] = (unsigned char)n;
		memcpy(alpn + 1, wish->alpn, n);
		assert_int_equal(SSL_set_alpn_protos(c->ssl, alpn, (unsigned)n + 1), 0);
	}
	SSL_set_fd(c->ssl, fd);
	if (wish->descriptors_max) {
		struct rlimit few;
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
		few.rlim_cur = (rlim_t)wish->descriptors_max;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	}
	return SSL_connect(c->ssl) == 1;
}

void
tls_kit_close(struct tls_kit_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	tcp_close(c->fd);
	buf_fini(&c->in);
}

bool
tls_kit_send(struct tls_kit_client *c, const char *bytes, size_t n)
{
	size_t m;
	return n == 0 || (SSL_write_ex(c->ssl, bytes, n, &m) == 1 && m == n);
}

bool
tls_kit_hear(struct tls_kit_client *c, size_t max)
{
	size_t until = max < SIZE_MAX - c->in.len ? c->in.len + max : SIZE_MAX;
	while (c->in.len < until) {
		char part[16384];
		size_t n, left = until - c->in.len;
		int rc = SSL_read_ex(c->ssl, part, left < sizeof(part) ? left : sizeof(part), &n);
		if (rc != 1)
			return SSL_get_error(c->ssl, rc) == SSL_ERROR_ZERO_RETURN;
		buf_append(&c->in, part, n);
	}
	return true;
}
