/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_priv.h"

#include "base/arena.h"
#include "base/stats.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAY_EVERY_S = 10, SECONDS_PER_DAY = 86400 };

static const struct {
	const char *name;
	const char *alpn; /* as on the wire: a length before the name */
} ports[TLS_PORTS] = {
    [TLS_GRPC] = {"grpc", "\x02h2"},
    [TLS_HTTP] = {"http", "\x08http/1.1"},
    [TLS_API] = {"api", "\x08http/1.1"},
};

struct str
tls_alpn(enum tls_port port)
{
	return str_from(ports[port].alpn);
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offer,
    unsigned offer_len, void *ctx)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	struct str ours = tls_alpn(c->port);
	unsigned char *chosen;
	(void)ctx;
	int rc = SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours.ptr,
	    (unsigned)ours.len, offer, offer_len);
	*out = chosen;
	return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- reading the files */

static int64_t
unix_seconds(const ASN1_TIME *t)
{
	int days = 0, seconds = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	CHECK(epoch != NULL);
	if (!ASN1_TIME_diff(&days, &seconds, epoch, t))
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	return (int64_t)days * SECONDS_PER_DAY + seconds;
}

static void
name_text(const X509_NAME *name, char out[TLS_NAME_BYTES])
{
	BIO *bio = BIO_new(BIO_s_mem());
	CHECK(bio != NULL);
	(void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
	int n = BIO_read(bio, out, TLS_NAME_BYTES - 1);
	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

static void
describe(const X509 *x, struct tls_certificate *out)
{
	name_text(X509_get_subject_name(x), out->subject);
	name_text(X509_get_issuer_name(x), out->issuer);
	out->not_before_s = unix_seconds(X509_get0_notBefore(x));
	out->not_after_s = unix_seconds(X509_get0_notAfter(x));
}

static enum err_code
load(const struct tls_context *t, SSL_CTX **out, struct err *err)
{
	static const unsigned char id[] = "weir";
	SSL_CTX *ssl = tls_ssl_new(TLS_server_method());
	enum err_code code = tls_load_identity(ssl, t->cert, t->key, err);
	if (code == ERR_OK && t->client_ca)
		code = tls_load_cas(ssl, t->client_ca, "client CA", true, err);
	*out = ssl;
	if (code != ERR_OK) {
		SSL_CTX_free(ssl);
		ERR_clear_error();
		*out = NULL;
		return code;
	}
	CHECK(SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1) == 1);
	CHECK(SSL_CTX_set_num_tickets(ssl, t->client_ca ? 0 : 1) == 1);
	SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
	if (t->client_ca) {
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return ERR_OK;
}

enum err_code
tls_context_reload(struct tls_context *t, struct err *err)
{
	SSL_CTX *ssl;
	struct tls_certificate certificate;
	enum err_code code = load(t, &ssl, err);
	if (code != ERR_OK)
		return code;
	describe(SSL_CTX_get0_certificate(ssl), &certificate);
	mutex_lock(&t->lock);
	SSL_CTX *before = t->ssl;
	t->ssl = ssl;
	t->certificate = certificate;
	mutex_unlock(&t->lock);
	SSL_CTX_free(before);
	return ERR_OK;
}

static char *
copy_name(struct str name)
{
	if (name.len == 0)
		return NULL;
	char *copy = xcalloc(1, name.len + 1);
	memcpy(copy, name.ptr, name.len);
	return copy;
}

enum err_code
tls_context_open(const struct tls_files *files, struct tls_context **out, struct err *err)
{
	CHECK(files->cert.len > 0);
	CHECK(files->key.len > 0);
	struct tls_context *t = xcalloc(1, sizeof(*t));
	mutex_init(&t->lock);
	t->cert = copy_name(files->cert);
	t->key = copy_name(files->key);
	t->client_ca = copy_name(files->client_ca);
	*out = NULL;
	enum err_code code = tls_context_reload(t, err);
	if (code != ERR_OK) {
		tls_context_close(t);
		return code;
	}
	*out = t;
	return ERR_OK;
}

void
tls_context_close(struct tls_context *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ssl);
	mutex_fini(&t->lock);
	free(t->cert);
	free(t->key);
	free(t->client_ca);
	free(t);
}

bool
tls_context_wants_client(const struct tls_context *t)
{
	return t->client_ca != NULL;
}

/* ---- what it says of itself */

void
tls_context_certificate(struct tls_context *t, struct tls_certificate *out)
{
	mutex_lock(&t->lock);
	*out = t->certificate;
	mutex_unlock(&t->lock);
}

bool
tls_certificate_trouble(const struct tls_certificate *c, uint64_t now_unix_ns, struct err *text_out)
{
	int64_t now_s = (int64_t)(now_unix_ns / NS_PER_S), left_s = c->not_after_s - now_s;
	if (left_s <= 0)
		err_set(text_out, ERR_INVALID,
		    "the certificate of %s has expired, %lld days ago: clients refuse it",
		    c->subject, (long long)(-left_s / SECONDS_PER_DAY));
	else if (now_s < c->not_before_s)
		err_set(text_out, ERR_INVALID,
		    "the certificate of %s is not valid yet: clients refuse it", c->subject);
	else if (left_s <= (int64_t)TLS_WARN_DAYS * SECONDS_PER_DAY)
		err_set(text_out, ERR_INVALID,
		    "the certificate of %s expires in %lld days: put another into its place and send "
		    "SIGHUP",
		    c->subject, (long long)(left_s / SECONDS_PER_DAY));
	else
		return false;
	return true;
}

static const char *const failure_names[TLS_FAILURES] = {
    [TLS_FINE] = "fine",
    [TLS_NOT_TLS] = "not_tls",
    [TLS_PROTOCOL] = "protocol",
    [TLS_CLIENT_CERTIFICATE] = "client_certificate",
    [TLS_SERVER_CERTIFICATE] = "server_certificate",
    [TLS_UNFINISHED] = "unfinished",
};

/* Counted each; logged for all to see now and then, because anybody can make one. */
void
tls_count_failure(struct tls_conn *c)
{
	struct tls_context *t = c->context;
	if (!t || c->up || c->counted || c->failure == TLS_FINE)
		return;
	c->counted = true;
	atomic_fetch_add_explicit(&t->failures[c->port][c->failure], 1, memory_order_relaxed);
	uint64_t now = clock_mono_ns();
	uint64_t said = atomic_load_explicit(&t->said_ns[c->port], memory_order_relaxed);
	bool loud = c->failure != TLS_UNFINISHED &&
	    (said == 0 || now - said >= SAY_EVERY_S * NS_PER_S) &&
	    atomic_compare_exchange_strong(&t->said_ns[c->port], &said, now);
	log_write(loud ? LOG_INFO : LOG_DEBUG, ports[c->port].name, "a TLS handshake failed: %s",
	    c->why);
}

void
tls_context_metrics(struct tls_context *t, struct buf *out)
{
	static const char until[] = "weir_tls_certificate_not_after_seconds";
	static const char failed[] = "weir_tls_handshake_failures_total";
	struct tls_certificate c;
	char labels[80];
	tls_context_certificate(t, &c);
	stats_print_family(out, until, STATS_GAUGE,
	    "Unix time until which the server's certificate is valid.");
	stats_print_sample(out, until, STATS_GAUGE, "", c.not_after_s);
	stats_print_family(out, failed, STATS_COUNTER,
	    "TLS handshakes that failed, by listener and reason.");
	for (int p = 0; p < TLS_PORTS; p++)
		for (int f = TLS_FINE + 1; f < TLS_FAILURES; f++) {
			snprintf(labels, sizeof(labels), "listener=\"%s\",reason=\"%s\"",
			    ports[p].name, failure_names[f]);
			stats_print_sample(out, failed, STATS_COUNTER, labels,
			    atomic_load_explicit(&t->failures[p][f], memory_order_relaxed));
		}
}
