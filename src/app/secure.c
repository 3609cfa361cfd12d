/* SPDX-License-Identifier: Apache-2.0 */
#include "app/secure.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/log.h"

enum err_code
secure_check(const struct config *c, struct err *err)
{
	if (c->tls_cert.len > 0 && c->tls_key.len == 0)
		return err_set(err, ERR_INVALID, "--tls-cert needs --tls-key");
	if (c->tls_key.len > 0 && c->tls_cert.len == 0)
		return err_set(err, ERR_INVALID, "--tls-key needs --tls-cert");
	if (c->tls_client_ca.len > 0 && c->tls_cert.len == 0)
		return err_set(err, ERR_INVALID, "--tls-client-ca needs --tls-cert and --tls-key");
	return ERR_OK;
}

void
secure_look(struct tls_context *t)
{
	struct tls_certificate c;
	struct err text;
	if (!t)
		return;
	tls_context_certificate(t, &c);
	if (tls_certificate_trouble(&c, clock_unix_ns(), &text))
		log_warn("tls", "%s", text.message);
}

static void
say(struct tls_context *t, const char *how)
{
	struct tls_certificate c;
	char until[TIME_RFC3339_BYTES];
	tls_context_certificate(t, &c);
	time_rfc3339(c.not_after_s > 0 ? (uint64_t)c.not_after_s * NS_PER_S : 0, until);
	log_info("tls", "certificate %s: subject %s, issuer %s, not after %.10s%s", how, c.subject,
	    c.issuer, until,
	    tls_context_wants_client(t) ? "; clients must show one of the client CA" : "");
	secure_look(t);
}

enum err_code
secure_open(const struct config *c, struct tls_context **out, struct err *err)
{
	const struct tls_files files = {
	    .cert = c->tls_cert, .key = c->tls_key, .client_ca = c->tls_client_ca};
	*out = NULL;
	if (c->tls_cert.len == 0)
		return ERR_OK;
	enum err_code code = tls_context_open(&files, out, err);
	if (code == ERR_OK)
		say(*out, "loaded");
	return code;
}

void
secure_reload(struct tls_context *t)
{
	struct err err = {0};
	if (!t)
		return;
	if (tls_context_reload(t, &err) == ERR_OK)
		say(t, "loaded again");
	else
		log_error("tls", "the certificate stays as it was: %s", err.message);
}
