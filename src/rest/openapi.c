/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/openapi.h"

#include "rest/rest_priv.h"

#include <stdio.h>

#define FORM "application/x-www-form-urlencoded"
#define OPENAPI_PATH "/api/v1/openapi.json"

enum { ENTRIES_MAX = 128 };

struct entry { /* one operation, from whichever table */
	const char *path;
	enum http_method method;
	const struct op *op;
	unsigned right;
	struct str tag;
	const char *tenantless; /* as in struct rest_routes */
	bool slow;
};

struct document {
	struct json_writer w;
	const struct limits *limits;
	struct entry entries[ENTRIES_MAX];
	size_t count;
};

/* ---- pieces of JSON */

static void
put_text(struct json_writer *w, const char *key, const char *text)
{
	jsonw_key(w, key);
	jsonw_str(w, str_from(text));
}

static void
put_ref(struct json_writer *w, const char *kind, const char *name)
{
	char ref[128];
	snprintf(ref, sizeof(ref), "#/components/%s/%s", kind, name);
	put_text(w, "$ref", ref);
}

static void
put_ref_object(struct json_writer *w, const char *kind, const char *name)
{
	jsonw_object(w);
	put_ref(w, kind, name);
	jsonw_object_end(w);
}

static struct str
part(const char *name)
{
	const struct embedded_text *p = rest_openapi_parts;
	while (p->name && strcmp(p->name, name) != 0)
		p++;
	CHECK(p->name != NULL);
	return str_from(p->text);
}

/* The members of a part, inside an object. */
static void
put_members(struct json_writer *w, const char *name)
{
	struct str text = part(name);
	CHECK(text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}');
	jsonw_raw(w, (struct str){text.ptr + 1, text.len - 2});
}

/* ---- parameters */

static const char *
schema_of_type(enum op_param_type type)
{
	switch (type) {
	case OP_DURATION_MS: return "Milliseconds";
	case OP_TIME: return "Time";
	case OP_SPAN: return "TimeSpan";
	case OP_TRACE_ID: return "TraceId";
	case OP_SPAN_ID: return "SpanId";
	case OP_ATTR: return "AttributeCondition";
	case OP_WORDS: return "Words";
	case OP_CURSOR: return "Cursor";
	case OP_UNIX_TIME: return "PrometheusTime";
	case OP_PROM_SPAN: return "PrometheusSpan";
	case OP_TEXT:
	case OP_INT:
	case OP_ENUM:
	case OP_BOOL: break;
	}
	return NULL;
}

static void
put_choices(struct json_writer *w, const char *choices)
{
	struct str rest = str_from(choices);
	jsonw_key(w, "enum");
	jsonw_array(w);
	while (rest.len > 0) {
		size_t bar = str_find(rest, '|');
		jsonw_str(w, (struct str){rest.ptr, bar});
		rest = str_skip(rest, bar + 1);
	}
	jsonw_array_end(w);
}

static void
put_bounds(struct document *d, const struct op_param *p)
{
	int64_t min = p->results ? 1 : p->min;
	int64_t max = p->results ? (int64_t)d->limits->results_max : p->max;
	put_text(&d->w, "type", "integer");
	put_text(&d->w, "format", "int64");
	if (max == 0)
		return;
	jsonw_key(&d->w, "minimum");
	jsonw_i64(&d->w, min);
	jsonw_key(&d->w, "maximum");
	jsonw_i64(&d->w, max);
}

/* Of one value, inside its object. */
static void
put_type(struct document *d, const struct op_param *p)
{
	const char *name = schema_of_type(p->type);
	if (name) {
		put_ref(&d->w, "schemas", name);
	} else if (p->type == OP_INT) {
		put_bounds(d, p);
	} else if (p->type == OP_BOOL) {
		put_text(&d->w, "type", "boolean");
	} else {
		put_text(&d->w, "type", "string");
		if (p->type == OP_ENUM) {
			put_choices(&d->w, p->choices);
		} else {
			jsonw_key(&d->w, "minLength");
			jsonw_u64(&d->w, 1);
		}
	}
}

static void
put_default(struct json_writer *w, const struct op_param *p)
{
	struct str text = str_from(p->fallback);
	int64_t n;
	jsonw_key(w, "default");
	if (p->type == OP_BOOL || (p->type == OP_INT && str_to_i64(text, &n)))
		jsonw_raw(w, text);
	else
		jsonw_str(w, text);
}

static void
put_schema(struct document *d, const struct op_param *p, bool described)
{
	struct json_writer *w = &d->w;
	jsonw_object(w);
	if (described)
		put_text(w, "description", p->help);
	if (p->repeat) {
		put_text(w, "type", "array");
		if (p->repeat_max > 0) {
			jsonw_key(w, "maxItems");
			jsonw_u64(w, p->repeat_max);
		}
		jsonw_key(w, "items");
		jsonw_object(w);
		put_type(d, p);
		jsonw_object_end(w);
	} else {
		put_type(d, p);
	}
	if (p->fallback)
		put_default(w, p);
	if (p->sample) {
		jsonw_key(w, "examples");
		jsonw_array(w);
		jsonw_str(w, str_from(p->sample));
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

static void
put_parameter(struct document *d, const struct op_param *p)
{
	struct json_writer *w = &d->w;
	jsonw_object(w);
	put_text(w, "name", p->name);
	put_text(w, "in", p->in_path ? "path" : "query");
	put_text(w, "description", p->help);
	if (p->in_path || p->required) {
		jsonw_key(w, "required");
		jsonw_bool(w, true);
	}
	if (p->repeat) {
		put_text(w, "style", "form");
		jsonw_key(w, "explode");
		jsonw_bool(w, true);
	}
	if (p->type == OP_BOOL) {
		jsonw_key(w, "allowEmptyValue");
		jsonw_bool(w, true);
	}
	jsonw_key(w, "schema");
	put_schema(d, p, false);
	jsonw_object_end(w);
}

static void
put_parameters(struct document *d, const struct entry *e)
{
	struct json_writer *w = &d->w;
	jsonw_key(w, "parameters");
	jsonw_array(w);
	for (const struct op_param *p = e->op->params; p->name; p++)
		if (p->in_path || e->method != HTTP_POST)
			put_parameter(d, p);
	put_ref_object(w, "parameters", "ScopeOrgId");
	put_ref_object(w, "parameters", "TenantId");
	put_ref_object(w, "parameters", "TraceParent");
	jsonw_array_end(w);
}

static bool
has_body(const struct entry *e)
{
	const struct op_param *p = e->op->params;
	while (p->name && p->in_path)
		p++;
	return e->method == HTTP_POST && (p->name || e->op->body);
}

static bool
needs_body(const struct op *op)
{
	const struct op_param *p = op->params;
	while (p->name && (p->in_path || !p->required))
		p++;
	return p->name != NULL;
}

static void
put_required(struct json_writer *w, const struct op *op)
{
	jsonw_key(w, "required");
	jsonw_array(w);
	for (const struct op_param *p = op->params; p->name; p++)
		if (p->required && !p->in_path)
			jsonw_str(w, str_from(p->name));
	jsonw_array_end(w);
}

static void
put_raw_body(struct json_writer *w, const char *media)
{
	jsonw_key(w, "requestBody");
	jsonw_object(w);
	jsonw_key(w, "required");
	jsonw_bool(w, true);
	jsonw_key(w, "content");
	jsonw_object(w);
	jsonw_key(w, media);
	jsonw_object(w);
	jsonw_key(w, "schema");
	jsonw_object(w);
	put_text(w, "type", "string");
	put_text(w, "contentMediaType", media);
	for (int i = 0; i < 4; i++)
		jsonw_object_end(w);
}

static void
put_body(struct document *d, const struct entry *e)
{
	struct json_writer *w = &d->w;
	if (e->op->body) {
		put_raw_body(w, e->op->body);
		return;
	}
	jsonw_key(w, "requestBody");
	jsonw_object(w);
	jsonw_key(w, "required");
	jsonw_bool(w, needs_body(e->op));
	jsonw_key(w, "content");
	jsonw_object(w);
	jsonw_key(w, e->op->prometheus ? FORM : "application/json");
	jsonw_object(w);
	jsonw_key(w, "schema");
	jsonw_object(w);
	put_text(w, "type", "object");
	jsonw_key(w, "additionalProperties");
	jsonw_bool(w, e->op->prometheus);
	if (needs_body(e->op))
		put_required(w, e->op);
	jsonw_key(w, "properties");
	jsonw_object(w);
	for (const struct op_param *p = e->op->params; p->name; p++) {
		if (p->in_path)
			continue;
		jsonw_key(w, p->name);
		put_schema(d, p, true);
	}
	for (int i = 0; i < 5; i++)
		jsonw_object_end(w);
}

/* ---- answers */

static struct str
next_word(struct str *rest)
{
	struct str word = {rest->ptr, str_find(*rest, ' ')};
	*rest = str_skip(*rest, word.len + 1);
	return word;
}

static void
put_media(struct json_writer *w, const struct op *op)
{
	struct str rest = str_from(op->also ? op->also : ""), word;
	jsonw_key(w, "content");
	jsonw_object(w);
	if (op->answer) {
		jsonw_key(w, "application/json");
		jsonw_object(w);
		jsonw_key(w, "schema");
		put_ref_object(w, "schemas", op->answer);
		jsonw_object_end(w);
	}
	while ((word = next_word(&rest)).len > 0) {
		jsonw_key_str(w, word);
		jsonw_object(w);
		jsonw_key(w, "schema");
		jsonw_object(w);
		put_text(w, "type", "string");
		jsonw_key(w, "contentMediaType");
		jsonw_str(w, word);
		jsonw_object_end(w);
		jsonw_object_end(w);
	}
	jsonw_object_end(w);
}

static bool
has_pages_in_protobuf(const struct op *op)
{
	const struct op_param *p = op->params;
	while (p->name && p->type != OP_CURSOR)
		p++;
	return p->name && op->also && strstr(op->also, REST_PROTOBUF);
}

static void
put_success(struct json_writer *w, const struct op *op)
{
	char status[8];
	snprintf(status, sizeof(status), "%d", op->status ? op->status : 200);
	jsonw_key(w, status);
	jsonw_object(w);
	put_text(w, "description", op->help);
	if (has_pages_in_protobuf(op)) {
		jsonw_key(w, "headers");
		jsonw_object(w);
		jsonw_key(w, "X-Weir-Next-Cursor");
		jsonw_raw(w,
		    STR("{\"description\":\"Of application/x-protobuf: where the next page begins.\","
		        "\"schema\":{\"$ref\":\"#/components/schemas/Cursor\"}}"));
		jsonw_object_end(w);
	}
	put_media(w, op);
	jsonw_object_end(w);
}

static void
put_error(struct json_writer *w, const struct op *op, struct str status)
{
	char name[32];
	snprintf(name, sizeof(name), "Error%.*s", STR_ARG(status));
	if (op->prometheus)
		snprintf(name, sizeof(name), "PrometheusError");
	jsonw_key_str(w, status);
	put_ref_object(w, "responses", name);
}

static void
put_responses(struct json_writer *w, const struct op *op)
{
	struct str usual = STR("400 401 403 413 429 500 503 504");
	struct str own = str_from(op->errors ? op->errors : ""), word;
	bool in_path = strchr(op->path, '{') != NULL;
	jsonw_key(w, "responses");
	jsonw_object(w);
	put_success(w, op);
	while ((word = next_word(&usual)).len > 0)
		put_error(w, op, word);
	if (in_path)
		put_error(w, op, STR("404"));
	while ((word = next_word(&own)).len > 0)
		put_error(w, op, word);
	jsonw_key(w, "default");
	put_ref_object(w, "responses", op->prometheus ? "PrometheusError" : "Error");
	jsonw_object_end(w);
}

/* ---- operations */

static const char *
method_key(enum http_method m)
{
	return m == HTTP_POST ? "post" : m == HTTP_DELETE ? "delete" : "get";
}

static void
put_description(struct json_writer *w, const struct entry *e)
{
	char text[256];
	snprintf(text, sizeof(text), "Needs a key with the right %s%s.",
	    key_right_name((enum key_right)e->right), e->tenantless ? ", for all tenants" : "");
	put_text(w, "description", text);
	put_text(w, "x-weir-right", key_right_name((enum key_right)e->right));
	if (e->slow) {
		jsonw_key(w, "x-weir-slow");
		jsonw_bool(w, true);
	}
	if (e->op->prometheus) {
		jsonw_key(w, "x-weir-ignores-unknown");
		jsonw_bool(w, true);
	}
	if (e->op->stream) {
		jsonw_key(w, "x-weir-stream");
		jsonw_bool(w, true);
	}
	if (e->op->example)
		put_text(w, "x-weir-example", e->op->example);
}

static void
put_operation(struct document *d, const struct entry *e)
{
	struct json_writer *w = &d->w;
	jsonw_key(w, method_key(e->method));
	jsonw_object(w);
	put_text(w, "operationId", e->op->name);
	put_text(w, "summary", e->op->help);
	put_description(w, e);
	jsonw_key(w, "tags");
	jsonw_array(w);
	jsonw_str(w, e->tag);
	jsonw_array_end(w);
	put_parameters(d, e);
	if (has_body(e))
		put_body(d, e);
	put_responses(w, e->op);
	jsonw_object_end(w);
}

static void
put_paths(struct document *d)
{
	struct json_writer *w = &d->w;
	jsonw_key(w, "paths");
	jsonw_object(w);
	put_members(w, "paths");
	for (size_t i = 0; i < d->count; i++) {
		size_t first = 0;
		while (strcmp(d->entries[first].path, d->entries[i].path) != 0)
			first++;
		if (first < i)
			continue;
		jsonw_key(w, d->entries[i].path);
		jsonw_object(w);
		for (size_t k = i; k < d->count; k++)
			if (strcmp(d->entries[k].path, d->entries[i].path) == 0)
				put_operation(d, &d->entries[k]);
		jsonw_object_end(w);
	}
	jsonw_object_end(w);
}

static void
put_components(struct json_writer *w)
{
	static const char *const parts[][2] = {{"responses", "responses"},
	    {"parameters", "parameters"}, {"securitySchemes", "security"}};
	jsonw_key(w, "components");
	jsonw_object(w);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		jsonw_key(w, parts[i][0]);
		jsonw_raw(w, part(parts[i][1]));
	}
	jsonw_key(w, "schemas");
	jsonw_object(w);
	for (const struct embedded_text *s = ops_schemas; s->name; s++) {
		jsonw_key(w, s->name);
		jsonw_raw(w, str_from(s->text));
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

static void
put_head(struct json_writer *w)
{
	put_text(w, "openapi", "3.1.0");
	jsonw_key(w, "info");
	jsonw_object(w);
	put_text(w, "version", WEIR_VERSION);
	put_members(w, "info");
	jsonw_object_end(w);
	jsonw_key(w, "servers");
	jsonw_raw(w, STR("[{\"url\":\"/\"}]"));
	/* None of them while there are no keys. */
	jsonw_key(w, "security");
	jsonw_raw(w, STR("[{},{\"bearer\":[]},{\"apiKey\":[]},{\"junjoKey\":[]}]"));
}

/* ---- all of it */

static void
add_entry(struct document *d, struct entry e)
{
	CHECK(d->count < ENTRIES_MAX);
	d->entries[d->count++] = e;
}

static void
gather(struct document *d)
{
	static const char *const tags[] = {[OP_ASK] = "ask",
	    [OP_ANALYSE] = "analyse",
	    [OP_CHANGE] = "change",
	    [OP_ADMINISTRATE] = "administrate",
	    [OP_RUN] = "run"};
	const struct rest_routes *all;
	for (const struct op *op = ops_table; op->name; op++)
		add_entry(d,
		    (struct entry){.path = op->path,
		        .method = op->method == OP_POST ? HTTP_POST : HTTP_GET,
		        .op = op,
		        .right = op->writes ? KEY_INGEST : KEY_READ,
		        .tag = str_from(tags[op->section])});
	for (size_t i = 0; (all = rest_routes_nth(i)) != NULL; i++)
		for (const struct rest_route *r = all->routes; r->op.name; r++)
			add_entry(d,
			    (struct entry){.path = r->op.path,
			        .method = r->method,
			        .op = &r->op,
			        .right = all->right,
			        .tag = str_skip(all->path, strlen("/api/v1/")),
			        .tenantless = all->tenantless,
			        .slow = all->slow & 1u << r->method});
}

void
rest_openapi_write(const struct limits *limits, struct buf *out)
{
	struct document d = {.limits = limits};
	json_writer_init(&d.w, out);
	gather(&d);
	jsonw_object(&d.w);
	put_head(&d.w);
	put_paths(&d);
	put_components(&d.w);
	rest_write_end(&d.w);
}

/* ---- its own path */

static enum err_code
handle_openapi(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	(void)op;
	(void)values;
	(void)count;
	(void)err;
	rest_openapi_write(ctx->limits, json);
	return ERR_OK;
}

static const struct op_param no_params[] = {{.name = NULL}};

static const struct rest_route routes[] = {
    {HTTP_GET, "", NULL,
        {.name = "openapi",
            .path = OPENAPI_PATH,
            .help = "describe all of this as an OpenAPI 3.1 document",
            .answer = "OpenApi",
            .params = no_params,
            .handle = handle_openapi}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	(void)r;
	return true;
}

const struct rest_routes rest_openapi_routes = {.path = STR_INIT(OPENAPI_PATH),
    .routes = routes,
    .right = KEY_READ,
    .is_served = is_served,
    .absent = ""};
