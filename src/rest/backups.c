/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/backups.c - backups for administrators, below /api/v1/backups.
 *
 * A backup has every tenant's data, so the right to administer is not enough: the key must be for all tenants. A
 * client says what it is called, never where it goes.
 */
#include "rest/rest_priv.h"

#include "sys/log.h"

#define BACKUPS_PATH "/api/v1/backups"

static const struct rest_context *
context_of(const struct op_context *ctx)
{
	return (const struct rest_context *)ctx;
}

static void
say(const struct rest_context *c, struct str name, const char *what)
{
	const char *by = c->grant->key_id;
	log_info("backup", "%s%s%.*s is asked for with %s%s", what, name.len > 0 ? " " : "",
	    (int)(name.len < 64 ? name.len : 64), name.len > 0 ? name.ptr : "",
	    by[0] ? "key " : "no key, for none is needed", by);
}

static enum err_code
handle_list(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_backups *b = context_of(ctx)->rest->opt.backups;
	(void)op;
	(void)values;
	(void)count;
	return b->list(b->ctx, json, err);
}

static enum err_code
handle_create(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	const struct rest_backups *b = c->rest->opt.backups;
	struct str name = rest_value(values, count, "name");
	(void)op;
	say(c, name, "a backup");
	return b->create(b->ctx, name, ctx->now_unix_ns, json, err);
}

static enum err_code
handle_delete(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	const struct rest_backups *b = c->rest->opt.backups;
	struct str name = rest_value(values, count, "name");
	struct json_writer w;
	(void)op;
	say(c, name, "the end of backup");
	enum err_code code = b->remove(b->ctx, name, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "name");
	jsonw_str(&w, name);
	jsonw_key(&w, "deleted");
	jsonw_bool(&w, true);
	rest_write_end(&w);
	return ERR_OK;
}

static const struct op_param no_params[] = {{.name = NULL}};
static const struct op_param create_params[] = {
    {.name = "name", .type = OP_TEXT, .help = "what it is called, else the time"},
    {.name = NULL},
};
static const struct op_param one_params[] = {
    {.name = "name", .type = OP_TEXT, .in_path = true, .help = "as list shows it"},
    {.name = NULL},
};

static const struct rest_route routes[] = {
    {HTTP_GET, "", NULL,
        {.name = "backups_list",
            .path = BACKUPS_PATH,
            .help = "list backups",
            .list = "backups",
            .answer = "BackupList",
            .params = no_params,
            .handle = handle_list}},
    {HTTP_POST, "", NULL,
        {.name = "backups_create",
            .method = OP_POST,
            .path = BACKUPS_PATH,
            .help = "make a backup of everything",
            .answer = "Backup",
            .errors = "409",
            .params = create_params,
            .handle = handle_create}},
    {HTTP_DELETE, "/", "",
        {.name = "backups_delete",
            .path = BACKUPS_PATH "/{name}",
            .help = "delete a backup for good",
            .answer = "BackupDeleted",
            .params = one_params,
            .handle = handle_delete}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	return r->opt.backups != NULL;
}

const struct rest_routes rest_backups_routes = {.path = STR_INIT(BACKUPS_PATH),
    .routes = routes,
    .right = KEY_ADMIN,
    .slow = 1u << HTTP_POST | 1u << HTTP_DELETE,
    .tenantless = "a backup has the data of all tenants: that needs a key for all tenants",
    .is_served = is_served,
    .absent = "this weir makes no backups"};
