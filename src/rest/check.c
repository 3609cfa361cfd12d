/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/check.c - POST /api/v1/check: is the data folder whole? For administrators of all tenants, since the answer
 * names all of them. It takes seconds to minutes, on the thread for what is slow, and has no deadline: the store ends it
 * when weir stops.
 */
#include "rest/rest_priv.h"

#define CHECK_PATH "/api/v1/check"

static enum err_code
handle_check(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = (const struct rest_context *)ctx;
	struct str quick = rest_value(values, count, "quick");
	bool given = false;
	(void)op;
	for (size_t i = 0; i < count; i++)
		given = given || str_eq(values[i].name, STR("quick"));
	bool is_quick = given && !str_eq(quick, STR("false")) && !str_eq(quick, STR("0"));
	return c->rest->opt.check(c->rest->opt.check_ctx, is_quick, json, err);
}

static const struct op_param check_params[] = {
    {.name = "quick", .type = OP_BOOL, .help = "without reading every column", .fallback = "false"},
    {.name = NULL},
};

static const struct rest_route routes[] = {
    {HTTP_POST, "", NULL,
        {.name = "check",
            .method = OP_POST,
            .path = CHECK_PATH,
            .answer = "Check",
            .help = "find out whether the data folder is whole",
            .params = check_params,
            .handle = handle_check}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	return r->opt.check != NULL;
}

const struct rest_routes rest_check_routes = {.path = STR_INIT(CHECK_PATH),
    .routes = routes,
    .right = KEY_ADMIN,
    .slow = 1u << HTTP_POST,
    .tenantless = "a check names all tenants: that needs a key for all tenants",
    .is_served = is_served,
    .absent = "this weir has no data folder that could be checked"};
