/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/keys.c - keys for administrators, below /api/v1/keys.
 *
 * An administrator of one tenant sees and changes the keys of that tenant; of all tenants, all, and keys for all
 * tenants too. A key's text is in the answer that made it, and in no other.
 *
 * DELETE of a key revokes it, as often as it is asked for; what is left of it is its record, which has a path of its own.
 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/timefmt.h"
#include "http/uri.h"
#include "sys/log.h"

#define KEYS_PATH "/api/v1/keys"

static const struct rest_context *
context_of(const struct op_context *ctx)
{
	return (const struct rest_context *)ctx;
}

/* ---- writing */

static void
write_rights(struct json_writer *w, unsigned rights)
{
	static const enum key_right all[] = {KEY_INGEST, KEY_READ, KEY_ADMIN};
	jsonw_key(w, "rights");
	jsonw_array(w);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (rights & all[i])
			jsonw_str(w, str_from(key_right_name(all[i])));
	jsonw_array_end(w);
}

/* The members of a key, inside its object. */
static void
write_key(struct json_writer *w, const struct key *k, uint64_t now_unix_ns)
{
	rest_write_text(w, "id", k->id);
	rest_write_text(w, "name", k->name);
	rest_write_text(w, "tenant", k->tenant);
	write_rights(w, k->rights);
	rest_write_text(w, "state", key_state(k, now_unix_ns));
	rest_write_time(w, "created", "created_unix_nano", k->created_ns);
	rest_write_time(w, "rotated", "rotated_unix_nano", k->rotated_ns);
	rest_write_time(w, "expires", "expires_unix_nano", k->expires_ns);
	rest_write_time(w, "revoked", "revoked_unix_nano", k->revoked_ns);
	rest_write_time(w, "old_until", "old_until_unix_nano",
	    k->old_until_ns > now_unix_ns ? k->old_until_ns : 0);
}

/* token NULL: it is not shown. */
static void
answer_key(struct buf *json, const struct key *k, const char *token, uint64_t now_unix_ns)
{
	struct json_writer w;
	json_writer_init(&w, json);
	jsonw_object(&w);
	if (token)
		rest_write_text(&w, "key", token);
	write_key(&w, k, now_unix_ns);
	rest_write_end(&w);
}

static void
answer_deleted(struct buf *json, const struct key *k, uint64_t now_unix_ns)
{
	struct json_writer w;
	json_writer_init(&w, json);
	jsonw_object(&w);
	write_key(&w, k, now_unix_ns);
	jsonw_key(&w, "deleted");
	jsonw_bool(&w, true);
	rest_write_end(&w);
}

/* ---- handlers */

static void
say(const struct rest_context *c, const struct key *k, const char *what)
{
	const char *by = c->grant->key_id;
	if (c->request)
		log_info("keys", "key %s of tenant %s was %s with %s%s", k->id, k->tenant, what,
		    by[0] ? "key " : "no key, for none is needed", by);
}

/* Whether the asker may know of it. */
static bool
is_visible(const struct rest_context *c, const struct key *k)
{
	return c->grant->any_tenant || str_eq(str_from(k->tenant), c->op.tenant);
}

static enum err_code
find_key(const struct rest_context *c, const struct op_value *values, size_t count, struct key *out,
    struct err *err)
{
	struct str id = rest_value(values, count, "id");
	enum err_code code = keys_get(c->rest->opt.keys, id, out, err);
	if (code != ERR_OK || is_visible(c, out))
		return code;
	return err_set(err, ERR_NOT_FOUND, "there is no key with the id \"%.*s\"",
	    (int)(id.len < 40 ? id.len : 40), id.ptr);
}

static enum err_code
handle_list(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct str asked = rest_value(values, count, "tenant"), tenant = STR_EMPTY;
	struct key *keys;
	struct json_writer w;
	size_t n, shown = 0;
	(void)op;
	enum err_code code = asked.len > 0 ? rest_asked_tenant(c, asked, &tenant, err) : ERR_OK;
	if (code == ERR_OK)
		code = keys_list(c->rest->opt.keys, ctx->arena, &keys, &n, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "keys");
	jsonw_array(&w);
	for (size_t i = 0; i < n; i++) {
		if (!is_visible(c, &keys[i]) ||
		    (tenant.len > 0 && !str_eq(tenant, str_from(keys[i].tenant))))
			continue;
		jsonw_object(&w);
		write_key(&w, &keys[i], ctx->now_unix_ns);
		jsonw_object_end(&w);
		shown++;
	}
	jsonw_array_end(&w);
	rest_write_number(&w, "count", shown, true);
	rest_write_end(&w);
	return ERR_OK;
}

static enum err_code
read_wish(const struct rest_context *c, const struct op_value *values, size_t count,
    struct key_wish *out, struct err *err)
{
	struct str asked = rest_value(values, count, "tenant"), tenant = c->op.tenant;
	struct str expires = rest_value(values, count, "expires");
	uint64_t span = 0;
	*out = (struct key_wish){.name = rest_value(values, count, "name")};
	if (asked.len > 0 && rest_asked_tenant(c, asked, &tenant, err) != ERR_OK)
		return err->code;
	out->tenant = tenant.len > 0 ? tenant : STR(KEYS_ANY_TENANT);
	for (size_t i = 0; i < count; i++)
		if (str_eq(values[i].name, STR("right")))
			out->rights |= key_right_parse(values[i].value);
	if (out->rights == 0)
		return err_set(err, ERR_INVALID,
		    "parameter right: missing: ingest, read or admin; repeat it for more");
	if (expires.len > 0 && !time_parse_span(expires, &span))
		return err_set(err, ERR_INVALID, "parameter expires: not a length of time");
	if (span > UINT64_MAX - c->op.now_unix_ns)
		return err_set(err, ERR_INVALID, "parameter expires: too far away");
	out->expires_ns = span > 0 ? c->op.now_unix_ns + span : 0;
	return ERR_OK;
}

static enum err_code
handle_create(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	char token[KEY_TOKEN_BYTES];
	struct key_wish wish;
	struct key key;
	(void)op;
	enum err_code code = read_wish(c, values, count, &wish, err);
	if (code == ERR_OK)
		code = keys_create(c->rest->opt.keys, &wish, ctx->now_unix_ns, &key, token, err);
	if (code != ERR_OK)
		return code;
	say(c, &key, "made");
	answer_key(json, &key, token, ctx->now_unix_ns);
	return ERR_OK;
}

static enum err_code
handle_rotate(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct str grace = rest_value(values, count, "grace");
	char token[KEY_TOKEN_BYTES];
	uint64_t grace_ns = 0;
	struct key key;
	(void)op;
	if (grace.len > 0 && !str_eq(grace, STR("0")) && !time_parse_span(grace, &grace_ns))
		return err_set(err, ERR_INVALID, "parameter grace: not a length of time");
	enum err_code code = find_key(c, values, count, &key, err);
	if (code == ERR_OK)
		code = keys_rotate(c->rest->opt.keys, str_from(key.id), grace_ns, ctx->now_unix_ns,
		    &key, token, err);
	if (code != ERR_OK)
		return code;
	say(c, &key, "rotated");
	answer_key(json, &key, token, ctx->now_unix_ns);
	return ERR_OK;
}

static enum err_code
handle_revoke(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct key key;
	(void)op;
	enum err_code code = find_key(c, values, count, &key, err);
	if (code == ERR_OK)
		code =
		    keys_revoke(c->rest->opt.keys, str_from(key.id), ctx->now_unix_ns, &key, err);
	if (code != ERR_OK)
		return code;
	say(c, &key, "revoked");
	answer_key(json, &key, NULL, ctx->now_unix_ns);
	return ERR_OK;
}

static enum err_code
handle_delete(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	struct key key;
	(void)op;
	enum err_code code = find_key(c, values, count, &key, err);
	if (code == ERR_OK)
		code =
		    keys_delete(c->rest->opt.keys, str_from(key.id), ctx->now_unix_ns, &key, err);
	if (code != ERR_OK)
		return code;
	say(c, &key, "deleted");
	answer_deleted(json, &key, ctx->now_unix_ns);
	return ERR_OK;
}

/* ---- routes */

#define PARAM_ID {.name = "id", .type = OP_TEXT, .in_path = true, .help = "as list shows it"}

static const struct op_param list_params[] = {
    {.name = "tenant", .type = OP_TEXT, .help = "of this tenant; *: of all that may be seen"},
    {.name = NULL},
};
static const struct op_param create_params[] = {
    {.name = "name", .type = OP_TEXT, .help = "what it is for"},
    {.name = "tenant", .type = OP_TEXT, .help = "whose telemetry; *: of all tenants"},
    {.name = "right",
        .type = OP_ENUM,
        .repeat = true,
        .required = true,
        .choices = "ingest|read|admin",
        .help = "it may do this"},
    {.name = "expires", .type = OP_SPAN, .help = "valid so long, else for ever"},
    {.name = NULL},
};
static const struct op_param rotate_params[] = {
    PARAM_ID,
    {.name = "grace", .type = OP_TEXT, .help = "the old text stays valid so long", .fallback = "0"},
    {.name = NULL},
};
static const struct op_param one_params[] = {PARAM_ID, {.name = NULL}};

static const struct rest_route routes[] = {
    {HTTP_GET, "", NULL,
        {.name = "keys_list",
            .path = KEYS_PATH,
            .help = "list keys, without their texts",
            .list = "keys",
            .answer = "KeyList",
            .params = list_params,
            .handle = handle_list}},
    {HTTP_POST, "", NULL,
        {.name = "keys_create",
            .method = OP_POST,
            .path = KEYS_PATH,
            .help = "make a key; its text is in the answer only",
            .answer = "KeyWithText",
            .errors = "409",
            .params = create_params,
            .handle = handle_create}},
    {HTTP_POST, "/", "/rotate",
        {.name = "keys_rotate",
            .method = OP_POST,
            .path = KEYS_PATH "/{id}/rotate",
            .help = "give a key a new text",
            .answer = "KeyWithText",
            .params = rotate_params,
            .handle = handle_rotate}},
    {HTTP_DELETE, "/", "",
        {.name = "keys_revoke",
            .path = KEYS_PATH "/{id}",
            .help = "revoke a key for good",
            .answer = "Key",
            .params = one_params,
            .handle = handle_revoke}},
    {HTTP_DELETE, "/", "/record",
        {.name = "keys_delete",
            .path = KEYS_PATH "/{id}/record",
            .help = "forget a key that is revoked or expired",
            .answer = "KeyDeleted",
            .errors = "409",
            .params = one_params,
            .handle = handle_delete}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	return r->opt.keys != NULL;
}

const struct rest_routes rest_keys_routes = {.path = STR_INIT(KEYS_PATH),
    .routes = routes,
    .right = KEY_ADMIN,
    .is_served = is_served,
    .absent = "this weir keeps no keys"};

/* ---- without a server */

static enum err_code
run_offline(struct rest *r, const struct http_uri *uri, const char *method, uint64_t now_unix_ns,
    struct arena *arena, struct buf *json, struct err *err)
{
	static const struct auth_grant all = {
	    .tenant = "default", .any_tenant = true, .rights = KEY_INGEST | KEY_READ | KEY_ADMIN};
	struct op_value id;
	const struct rest_route *route =
	    rest_routes_match(&rest_keys_routes, method, uri->path, &id.value);
	struct limits limits = limits_default();
	struct rest_context ctx = {.grant = &all,
	    .op = {.limits = &limits,
	        .tenant = str_from(all.tenant),
	        .now_unix_ns = now_unix_ns,
	        .deadline_mono_ns = UINT64_MAX,
	        .arena = arena}};
	struct op_value values[HTTP_PARAMS_MAX + 1];
	size_t n = 0;
	if (!route)
		return err_set(err, ERR_NOT_FOUND, "no such path below " KEYS_PATH);
	for (; n < uri->param_count && n < HTTP_PARAMS_MAX; n++)
		values[n] = (struct op_value){uri->params[n].name, uri->params[n].value};
	if (route->suffix)
		values[n++] = (struct op_value){STR("id"), id.value};
	ctx.rest = r;
	return ops_run(&route->op, &ctx.op, values, n, json, err);
}

enum err_code
rest_keys_offline(struct keys *keys, const char *method, struct str path, uint64_t now_unix_ns,
    struct buf *json_out, struct err *err)
{
	struct arena arena;
	struct http_uri uri;
	struct rest r = {.opt = {.keys = keys}};
	arena_init(&arena, 0, 0);
	enum err_code code = http_uri_parse(path, &arena, &uri, err);
	if (code == ERR_OK)
		code = run_offline(&r, &uri, method, now_unix_ns, &arena, json_out, err);
	arena_fini(&arena);
	return code;
}
