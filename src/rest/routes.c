/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/routes.c - paths that are not in ops_table, for they are not the store's: dead letters, keys, backups, what is pulled, whether the
 * data folder is whole. Run by the readers, like queries, or, those that are slow, by a thread of their own.
 */
#include "rest/rest_priv.h"

#include "tenant/tenant.h"

static const struct rest_routes *const all_routes[] = {&rest_dlq_routes, &rest_keys_routes,
    &rest_backups_routes, &rest_pulls_routes, &rest_check_routes, &rest_openapi_routes};

const struct rest_routes *
rest_routes_nth(size_t i)
{
	return i < ARRAY_LEN(all_routes) ? all_routes[i] : NULL;
}

static const char *
method_name(enum http_method m)
{
	return m == HTTP_POST ? "POST" : m == HTTP_DELETE ? "DELETE" : "GET";
}

void
rest_routes_index(const struct rest *r, struct buf *out)
{
	for (size_t n = 0; n < ARRAY_LEN(all_routes); n++) {
		const struct rest_route *route = all_routes[n]->routes;
		for (; route->op.name && all_routes[n]->is_served(r); route++) {
			const char *method = method_name(route->method);
			buf_printf(out, "%s %-*s %s\n", method, 35 - (int)strlen(method),
			    route->op.path, route->op.help);
		}
	}
}

const struct rest_routes *
rest_routes_find(struct str path)
{
	for (size_t n = 0; n < ARRAY_LEN(all_routes); n++) {
		struct str rest = str_skip(path, all_routes[n]->path.len);
		if (str_starts(path, all_routes[n]->path) && (rest.len == 0 || rest.ptr[0] == '/'))
			return all_routes[n];
	}
	return NULL;
}

static bool
matches(const struct rest_route *route, struct str rest, struct str *id_out)
{
	struct str prefix = str_from(route->prefix);
	*id_out = STR_EMPTY;
	if (!route->suffix)
		return str_eq(rest, prefix);
	if (!str_starts(rest, prefix))
		return false;
	rest = str_skip(rest, prefix.len);
	*id_out = (struct str){rest.ptr, str_find(rest, '/')};
	return id_out->len > 0 && str_eq(str_skip(rest, id_out->len), str_from(route->suffix));
}

const struct rest_route *
rest_routes_match(const struct rest_routes *all, const char *method, struct str path,
    struct str *id_out)
{
	const struct rest_route *route = all->routes;
	struct str rest = str_skip(path, all->path.len);
	while (route->op.name &&
	    (strcmp(method_name(route->method), method) != 0 || !matches(route, rest, id_out)))
		route++;
	return route->op.name && str_starts(path, all->path) ? route : NULL;
}

enum err_code
rest_check_origin(const struct http_request *req, struct err *err)
{
	struct str origin = http_request_header(req, "origin");
	struct str host = http_request_header(req, "host");
	if (str_starts(origin, STR("http://")))
		origin = str_skip(origin, 7);
	else if (str_starts(origin, STR("https://")))
		origin = str_skip(origin, 8);
	if (origin.len == 0 || str_eq_nocase(origin, host))
		return ERR_OK;
	return err_set(err, ERR_FORBIDDEN,
	    "a page of another site may not ask for this (the Origin is not this server)");
}

static void
refuse_path(struct rest *r, struct http_request *req, const struct rest_routes *all,
    const struct buf *allowed)
{
	struct err err;
	if (allowed->len == 0) {
		(void)err_set(&err, ERR_NOT_FOUND, "no such path below %.*s (GET / lists them)",
		    STR_ARG(all->path));
		rest_respond_error(r, req, ERR_NOT_FOUND, err.message);
		return;
	}
	(void)err_set(&err, ERR_METHOD, "only %.*s is served here", STR_ARG(buf_view(allowed)));
	rest_respond_method(r, req, allowed->ptr, err.message);
}

static struct str
name_in_path(const struct op *op)
{
	const struct op_param *p = op->params;
	while (p->name && !p->in_path)
		p++;
	return p->name ? str_from(p->name) : STR_EMPTY;
}

void
rest_routes_run(struct rest *r, struct http_request *req, const struct rest_routes *all,
    const struct auth_grant *grant)
{
	struct str rest = str_skip(http_request_path(req), all->path.len);
	enum http_method method = http_request_method(req);
	struct buf allowed = {0};
	struct err err;
	if (method == HTTP_HEAD)
		method = HTTP_GET;
	if (!all->is_served(r)) {
		rest_respond_error(r, req, ERR_NOT_FOUND, all->absent);
		return;
	}
	for (const struct rest_route *route = all->routes; route->op.name; route++) {
		struct op_value id = {.name = name_in_path(&route->op)};
		if (!matches(route, rest, &id.value))
			continue;
		buf_printf(&allowed, "%s%s", allowed.len > 0 ? ", " : "",
		    route->method == HTTP_GET ? "GET, HEAD" : method_name(route->method));
		if (route->method != method)
			continue;
		buf_fini(&allowed);
		if (rest_check_origin(req, &err) != ERR_OK)
			rest_respond_error(r, req, err.code, err.message);
		else
			(all->slow & 1u << method ? rest_run_slow : rest_run)(r, req, &route->op,
			    &id, route->suffix ? 1 : 0, grant);
		return;
	}
	if (allowed.len > 0)
		buf_char(&allowed, '\0');
	refuse_path(r, req, all, &allowed);
	buf_fini(&allowed);
}

struct str
rest_value(const struct op_value *values, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(values[i].name, str_from(name)))
			return values[i].value;
	return STR_EMPTY;
}

enum err_code
rest_asked_tenant(const struct rest_context *ctx, struct str asked, struct str *out,
    struct err *err)
{
	bool all = str_eq(asked, STR("*"));
	if (!all && !tenant_name_valid(asked))
		return err_set(err, ERR_INVALID, "parameter tenant: neither the name of one nor *");
	if (!ctx->grant->any_tenant && !str_eq(asked, ctx->op.tenant))
		return err_set(err, ERR_FORBIDDEN,
		    "parameter tenant: the key is for another tenant");
	*out = all ? STR_EMPTY : asked;
	return ERR_OK;
}
