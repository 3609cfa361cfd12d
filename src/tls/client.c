/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_priv.h"

#include "sys/clock.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { HOST_BYTES = 256, NAME_BYTES = 4096, ALPN_BYTES = 32 };

/* Of "host:port", without the brackets of an IPv6 address; nothing, or *: this machine. */
static bool
host_of(struct str address, char out[HOST_BYTES])
{
	struct str host = address;
	while (host.len > 0 && host.ptr[host.len - 1] != ':')
		host.len--;
	if (host.len > 0)
		host.len--;
	if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		host = str_of(host.ptr + 1, host.len - 2);
	if (host.len == 0 || str_eq(host, STR("*")))
		host = STR("localhost");
	int n = snprintf(out, HOST_BYTES, "%.*s", STR_ARG(host));
	return n > 0 && n < HOST_BYTES;
}

static enum err_code
file_name(struct str name, char out[NAME_BYTES], struct err *err)
{
	if (name.len >= NAME_BYTES)
		return err_set(err, ERR_INVALID, "the name of a file is too long");
	snprintf(out, NAME_BYTES, "%.*s", STR_ARG(name));
	return ERR_OK;
}

static enum err_code
load(SSL_CTX *ssl, const struct tls_client_options *opt, struct err *err)
{
	char cert[NAME_BYTES], key[NAME_BYTES];
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if (opt->files.ca.len > 0) {
		if (file_name(opt->files.ca, cert, err) != ERR_OK ||
		    tls_load_cas(ssl, cert, "CA", false, err) != ERR_OK)
			return err->code;
	} else if (SSL_CTX_set_default_verify_paths(ssl) != 1) {
		return err_set(err, ERR_UNAVAILABLE, "cannot read the system's CAs: %s",
		    tls_reason());
	}
	if (opt->files.cert.len == 0 && opt->files.key.len == 0)
		return ERR_OK;
	if (opt->files.cert.len == 0 || opt->files.key.len == 0)
		return err_set(err, ERR_INVALID,
		    "a client certificate and its key are needed together");
	if (file_name(opt->files.cert, cert, err) != ERR_OK ||
	    file_name(opt->files.key, key, err) != ERR_OK)
		return err->code;
	return tls_load_identity(ssl, cert, key, err);
}

/* Whose certificate it must be. Only names are sent (SNI): RFC 6066 has no addresses there. */
static void
expect_host(SSL *ssl, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
		return;
	ERR_clear_error();
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	CHECK(SSL_set1_host(ssl, host) == 1);
	CHECK(SSL_set_tlsext_host_name(ssl, host) == 1);
}

static void
offer_alpn(SSL *ssl, const char *alpn)
{
	unsigned char list[ALPN_BYTES];
	size_t n = alpn ? strlen(alpn) : 0;
	CHECK(n < ALPN_BYTES);
	list[0] = (unsigned char)n;
	if (n > 0) {
		memcpy(list + 1, alpn, n);
		CHECK(SSL_set_alpn_protos(ssl, list, (unsigned)n + 1) == 0);
	}
}

static enum err_code
explain(const struct tls_conn *c, struct str address, struct err *err)
{
	long verified = SSL_get_verify_result(c->ssl);
	switch (verified) {
	case X509_V_OK: break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return err_set(err, ERR_UNAVAILABLE, "the certificate of %.*s is not for that host",
		    STR_ARG(address));
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return err_set(err, ERR_UNAVAILABLE,
		    "the certificate of %.*s is of a CA that is not known here: name its file with --ca",
		    STR_ARG(address));
	default:
		return err_set(err, ERR_UNAVAILABLE, "the certificate of %.*s is not good: %s",
		    STR_ARG(address), X509_verify_cert_error_string(verified));
	}
	return err_set(err, ERR_UNAVAILABLE, "no TLS with %.*s: %s", STR_ARG(address),
	    c->why[0] ? c->why : "the server closed the connection");
}

static enum err_code
shake_hands(struct tls_conn *c, struct str address, uint64_t deadline_ns, struct err *err)
{
	for (;;) {
		enum tcp_io io = tls_conn_handshake(c);
		if (io == TCP_OK)
			return ERR_OK;
		if (io != TCP_WAIT_READ && io != TCP_WAIT_WRITE)
			return explain(c, address, err);
		if (!tcp_wait(c->fd, io == TCP_WAIT_WRITE, deadline_ns))
			return err_set(err, ERR_UNAVAILABLE, "no TLS with %.*s in time",
			    STR_ARG(address));
	}
}

enum err_code
tls_conn_connect(const struct tls_client_options *opt, int fd, uint64_t deadline_mono_ns,
    struct tls_conn **out, struct err *err)
{
	char host[HOST_BYTES];
	SSL_CTX *ssl = tls_ssl_new(TLS_client_method());
	enum err_code code = load(ssl, opt, err);
	*out = NULL;
	if (code == ERR_OK && !host_of(opt->address, host))
		code = err_set(err, ERR_INVALID, "the host of %.*s is too long",
		    STR_ARG(opt->address));
	if (code != ERR_OK) {
		SSL_CTX_free(ssl);
		tcp_close(fd);
		return code;
	}
	struct tls_conn *c = tls_conn_of(SSL_new(ssl), fd);
	SSL_CTX_free(ssl);
	SSL_set_connect_state(c->ssl);
	expect_host(c->ssl, host);
	offer_alpn(c->ssl, opt->alpn);
	code = shake_hands(c, opt->address, deadline_mono_ns, err);
	if (code != ERR_OK) {
		tls_conn_close(c);
		return code;
	}
	*out = c;
	return ERR_OK;
}
