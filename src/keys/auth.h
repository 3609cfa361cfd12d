/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/auth.h - from the header fields of a request to the tenant it is about, if it may be.
 *
 * The key: "Authorization: Bearer KEY", x-api-key or x-junjo-api-key; several only when they say the same. The
 * tenant: that of the key. With a key for all tenants, or while no keys are needed, the one that X-Scope-OrgID
 * or X-Tenant-ID names, else "default". A key is refused when the request names another tenant than its own.
 *
 * What is refused says nothing about what there is: an unknown, an expired and a revoked key get one answer.
 *
 * Threading: any thread; never blocks.
 */
#ifndef KEYS_AUTH_H
#define KEYS_AUTH_H

#include "keys/keys.h"

/* Values of header fields; empty: not given. */
struct auth_fields {
	struct str authorization, api_key, junjo_key;
	struct str tenant_1, tenant_2; /* TENANT_HEADER_1 and _2 */
};

#define AUTH_HEADER "authorization"
#define AUTH_HEADER_API_KEY "x-api-key"
#define AUTH_HEADER_JUNJO_KEY "x-junjo-api-key"
/* What an answer with 401 has to say: RFC 9110 section 11.6.1. */
#define AUTH_CHALLENGE_HEADER "WWW-Authenticate"
#define AUTH_CHALLENGE "Bearer realm=\"weir\""

struct auth_grant {
	char tenant[LIMIT_TENANT_BYTES + 1];
	bool named; /* the request says which one */
	bool any_tenant; /* it may be about others too */
	unsigned rights; /* enum key_right */
	char key_id[KEY_ID_BYTES]; /* empty: no keys are needed */
	char key_name[KEY_NAME_BYTES];
};

/* keys NULL: none are needed. `right` 0: any key will do. ERR_UNAUTHENTICATED, ERR_FORBIDDEN, ERR_INVALID (a
 * malformed tenant). */
MUST_CHECK enum err_code auth_check(struct keys *keys, const struct auth_fields *fields,
    unsigned right, uint64_t now_unix_ns, struct auth_grant *out, struct err *err);

#endif
