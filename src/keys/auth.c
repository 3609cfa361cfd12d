/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/auth.h"

#include "tenant/tenant.h"

/* "Bearer KEY": the scheme in any case (RFC 9110 section 11.1). Another scheme is no key. */
static struct str
bearer_of(struct str value)
{
	static const struct str scheme = STR_INIT("Bearer ");
	struct str head = {value.ptr, value.len < scheme.len ? value.len : scheme.len};
	return str_eq_nocase(head, scheme) ? str_trim(str_skip(value, scheme.len)) : STR_EMPTY;
}

static enum err_code
find_token(const struct auth_fields *f, struct str *out, struct err *err)
{
	struct str given[] = {
	    bearer_of(f->authorization), str_trim(f->api_key), str_trim(f->junjo_key)};
	*out = STR_EMPTY;
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		if (given[i].len == 0)
			continue;
		if (out->len > 0 && !str_eq(*out, given[i]))
			return err_set(err, ERR_UNAUTHENTICATED,
			    "the request has several keys that differ");
		*out = given[i];
	}
	if (out->len > 0)
		return ERR_OK;
	return err_set(err, ERR_UNAUTHENTICATED,
	    "a key is needed: Authorization: Bearer KEY, x-api-key or x-junjo-api-key");
}

static enum err_code
choose(const struct auth_fields *f, struct auth_grant *out, struct err *err)
{
	struct str tenant;
	enum err_code code = tenant_choose(f->tenant_1, f->tenant_2, &tenant, err);
	if (code != ERR_OK)
		return code;
	CHECK(tenant.len < sizeof(out->tenant));
	memcpy(out->tenant, tenant.ptr, tenant.len);
	out->tenant[tenant.len] = '\0';
	out->named = f->tenant_1.len > 0 || f->tenant_2.len > 0;
	return ERR_OK;
}

/* The tenant, for a key that is good. */
static enum err_code
choose_with_key(const struct auth_fields *f, const struct key *key, struct auth_grant *out,
    struct err *err)
{
	enum err_code code = choose(f, out, err);
	if (code != ERR_OK || out->any_tenant)
		return code;
	if (out->named && strcmp(out->tenant, key->tenant) != 0)
		return err_set(err, ERR_FORBIDDEN,
		    "the key is for another tenant than the one that the request names");
	memcpy(out->tenant, key->tenant, sizeof(out->tenant));
	out->named = true;
	return ERR_OK;
}

enum err_code
auth_check(struct keys *keys, const struct auth_fields *fields, unsigned right,
    uint64_t now_unix_ns, struct auth_grant *out, struct err *err)
{
	struct key key = {0};
	struct str token;
	*out = (struct auth_grant){0};
	if (!keys || !keys_required(keys)) {
		out->any_tenant = true;
		out->rights = KEY_INGEST | KEY_READ | KEY_ADMIN;
		return choose(fields, out, err);
	}
	enum err_code code = find_token(fields, &token, err);
	if (code == ERR_OK)
		code = keys_find(keys, token, now_unix_ns, &key, err);
	if (code != ERR_OK)
		return code;
	out->any_tenant = strcmp(key.tenant, KEYS_ANY_TENANT) == 0;
	out->rights = key.rights;
	memcpy(out->key_id, key.id, sizeof(out->key_id));
	memcpy(out->key_name, key.name, sizeof(out->key_name));
	if (right != 0 && !(key.rights & right))
		return err_set(err, ERR_FORBIDDEN, "the key has not the right to this: %s",
		    key_right_name((enum key_right)right));
	return choose_with_key(fields, &key, out, err);
}
