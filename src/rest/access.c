/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what. Everything that is not named here needs the right to read, also what does not exist. */
#include "rest/rest_priv.h"

#include "sys/clock.h"
#include "tenant/tenant.h"

static bool
is_open(struct str path)
{
	return str_eq(path, STR("/")) || str_eq(path, STR("/healthz")) ||
	    str_eq(path, STR("/readyz"));
}

unsigned
rest_right_of(enum http_method method, struct str path)
{
	const struct rest_routes *all = rest_routes_find(path);
	struct ops_path ignored;
	if (is_open(path))
		return 0;
	if (all)
		return all->right;
	const struct op *op = method == HTTP_POST ? ops_find_path(OP_POST, path, &ignored) : NULL;
	return op && op->writes ? KEY_INGEST : KEY_READ;
}

static struct auth_fields
fields_of(const struct http_request *req)
{
	return (struct auth_fields){.authorization = http_request_header(req, AUTH_HEADER),
	    .api_key = http_request_header(req, AUTH_HEADER_API_KEY),
	    .junjo_key = http_request_header(req, AUTH_HEADER_JUNJO_KEY),
	    .tenant_1 = http_request_header(req, TENANT_HEADER_1),
	    .tenant_2 = http_request_header(req, TENANT_HEADER_2)};
}

/* Why a key of one tenant will not do there; NULL: it will. */
static const char *
tenantless_at(struct str path)
{
	const struct rest_routes *all = rest_routes_find(path);
	if (str_eq(path, STR("/metrics")))
		return "the numbers name all tenants: that needs a key for all tenants";
	return all ? all->tenantless : NULL;
}

enum err_code
rest_check_key(const struct rest *r, const struct http_request *req, unsigned right,
    struct auth_grant *out, struct err *err)
{
	struct auth_fields fields = fields_of(req);
	struct str path = http_request_path(req);
	enum err_code code = auth_check(r->opt.keys, &fields, right, clock_unix_ns(), out, err);
	if (is_open(path)) {
		/* Nobody is sent away here; who has a key may see more. */
		if (code != ERR_OK)
			*out = (struct auth_grant){0};
		return ERR_OK;
	}
	const char *tenantless = tenantless_at(path);
	if (code == ERR_OK && tenantless && !out->any_tenant)
		return err_set(err, ERR_FORBIDDEN, "%s", tenantless);
	return code;
}

enum err_code
rest_admit(void *ctx, const struct http_request *req, struct err *err)
{
	struct auth_grant grant;
	struct str path = http_request_path(req);
	/* What has no body to be spared is answered by rest_handle(), which keeps the connection. */
	if (!http_request_has_body(req))
		return ERR_OK;
	if (is_open(path))
		return err_set(err, ERR_INVALID, "nothing is sent to this path");
	return rest_check_key(ctx, req, rest_right_of(http_request_method(req), path), &grant, err);
}
