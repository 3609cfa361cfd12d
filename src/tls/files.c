/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_priv.h"

#include "sys/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Otherwise OpenSSL would ask at the terminal. */
static int
no_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

const char *
tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(e);
	return text ? text : "no reason is known";
}

SSL_CTX *
tls_ssl_new(const SSL_METHOD *method)
{
	SSL_CTX *ssl = SSL_CTX_new(method);
	CHECK(ssl != NULL);
	CHECK(SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1);
	SSL_CTX_set_options(ssl,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	        SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 1); /* a record in one read, not its head and then its body */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	return ssl;
}

/* The file in memory, for OpenSSL to read. */
static enum err_code
open_file(const char *file, const char *what, struct buf *bytes, BIO **out, struct err *err)
{
	*bytes = (struct buf){.bytes_max = TLS_FILE_BYTES_MAX};
	if (file_read_all(file, TLS_FILE_BYTES_MAX, bytes, err) != ERR_OK) {
		buf_fini(bytes);
		return err_wrap(err, "the %s", what);
	}
	*out = BIO_new_mem_buf(bytes->ptr ? bytes->ptr : "", (int)bytes->len);
	CHECK(*out != NULL);
	ERR_clear_error();
	return ERR_OK;
}

static void
close_file(struct buf *bytes, BIO *bio)
{
	BIO_free(bio);
	if (bytes->ptr)
		OPENSSL_cleanse(bytes->ptr, bytes->cap);
	buf_fini(bytes);
}

/* Behind the last certificate there is none: that is the end, and no error. */
static bool
at_end_of_pem(void)
{
	unsigned long e = ERR_peek_last_error();
	bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
	if (end)
		ERR_clear_error();
	return end;
}

static enum err_code
use_chain(SSL_CTX *ssl, BIO *bio, const char *file, struct err *err)
{
	X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	if (!x)
		return err_set(err, ERR_INVALID,
		    "there is no certificate in %s: it must be PEM, the server's own first", file);
	int ok = SSL_CTX_use_certificate(ssl, x);
	X509_free(x);
	if (!ok)
		return err_set(err, ERR_INVALID, "the certificate in %s cannot be used: %s", file,
		    tls_reason());
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (!SSL_CTX_add0_chain_cert(ssl, x)) {
			X509_free(x);
			break;
		}
	if (!at_end_of_pem())
		return err_set(err, ERR_INVALID, "a certificate in %s is damaged: %s", file,
		    tls_reason());
	return ERR_OK;
}

static enum err_code
use_key(SSL_CTX *ssl, BIO *bio, const char *file, const char *cert, struct err *err)
{
	bool locked = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &locked);
	if (!key)
		return locked
		    ? err_set(err, ERR_INVALID,
		          "the key in %s has a passphrase: only one without can be used", file)
		    : err_set(err, ERR_INVALID, "there is no private key in %s: it must be PEM",
		          file);
	enum err_code code = ERR_OK;
	if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1)
		code = err_set(err, ERR_INVALID,
		    "the key does not belong to the certificate: %s, %s", file, cert);
	else if (SSL_CTX_use_PrivateKey(ssl, key) != 1)
		code = err_set(err, ERR_INVALID, "the key in %s cannot be used: %s", file,
		    tls_reason());
	EVP_PKEY_free(key);
	return code;
}

enum err_code
tls_load_identity(SSL_CTX *ssl, const char *cert, const char *key, struct err *err)
{
	struct buf bytes;
	BIO *bio = NULL;
	enum err_code code = open_file(cert, "certificate", &bytes, &bio, err);
	if (code == ERR_OK) {
		code = use_chain(ssl, bio, cert, err);
		close_file(&bytes, bio);
	}
	if (code == ERR_OK)
		code = open_file(key, "key", &bytes, &bio, err);
	if (code == ERR_OK) {
		code = use_key(ssl, bio, key, cert, err);
		close_file(&bytes, bio);
	}
	return code;
}

/* How many there were; -1: OpenSSL did not take one. */
static int
add_cas(SSL_CTX *ssl, BIO *bio, bool named)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509 *x;
	int count = 0;
	while ((x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
		bool ok = X509_STORE_add_cert(store, x) == 1 &&
		    (!named || SSL_CTX_add_client_CA(ssl, x) == 1);
		X509_free(x);
		if (!ok)
			return -1;
		count++;
	}
	return at_end_of_pem() ? count : -1;
}

enum err_code
tls_load_cas(SSL_CTX *ssl, const char *file, const char *what, bool named, struct err *err)
{
	struct buf bytes;
	BIO *bio = NULL;
	enum err_code code = open_file(file, what, &bytes, &bio, err);
	if (code != ERR_OK)
		return code;
	int count = add_cas(ssl, bio, named);
	if (count < 0)
		code = err_set(err, ERR_INVALID, "a certificate in %s is damaged: %s", file,
		    tls_reason());
	else if (count == 0)
		code = err_set(err, ERR_INVALID, "there is no certificate in %s: it must be PEM",
		    file);
	close_file(&bytes, bio);
	return code;
}
