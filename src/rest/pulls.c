/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest/pulls.c - spans that somebody pulls out of another service and brings (ingest/pull.h), below /api/v1/pulls.
 *
 * All of it needs the right to ingest, for who brings a batch has to know where its source stands. The body of a batch is
 * protobuf, whatever the Content-Type of it may be called as long as it says so; a reader thread waits for the log, as it does for
 * a comment. A batch of one record may be as large as a request that is inflated, for a record that is larger than what is taken
 * at once must not hold up its source: it becomes a dead letter.
 */
#include "rest/rest_priv.h"

#include "base/arena.h"
#include "base/bits.h"

#define PULLS_PATH "/api/v1/pulls"

static const struct rest_context *
context_of(const struct op_context *ctx)
{
	return (const struct rest_context *)ctx;
}

static void
write_position(struct json_writer *w, const unsigned char *position, size_t len)
{
	char hex[2 * LIMIT_POSITION_BYTES];
	CHECK(len <= LIMIT_POSITION_BYTES);
	hex_encode(position, len, hex);
	jsonw_key(w, "position");
	jsonw_str(w, str_of(hex, 2 * len));
}

/* The members of one, inside its object. */
static void
write_pull(struct json_writer *w, const struct store_pull *p)
{
	rest_write_text(w, "source", p->source);
	write_position(w, p->position, p->position_len);
	rest_write_number(w, "spans", p->spans, true);
	rest_write_time(w, "pulled", "pulled_unix_nano", p->received_ns);
}

static enum err_code
handle_list(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	struct json_writer w;
	struct store_pull *all = arena_array(ctx->arena, LIMIT_TENANT_SOURCES, sizeof(*all));
	(void)op;
	(void)values;
	(void)count;
	if (!all)
		return err_set(err, ERR_TOO_LARGE, "no memory for a list of sources");
	size_t n = store_pulls(ctx->store, ctx->tenant, STR_EMPTY, all, LIMIT_TENANT_SOURCES);
	json_writer_init(&w, json);
	jsonw_object(&w);
	jsonw_key(&w, "pulls");
	jsonw_array(&w);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(&w);
		write_pull(&w, &all[i]);
		jsonw_object_end(&w);
	}
	jsonw_array_end(&w);
	rest_write_number(&w, "count", n, true);
	rest_write_end(&w);
	return ERR_OK;
}

static enum err_code
handle_show(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_puller *puller = context_of(ctx)->rest->opt.puller;
	struct json_writer w;
	struct store_pull now;
	(void)op;
	enum err_code code = puller->position(puller->ctx, ctx->tenant,
	    rest_value(values, count, "source"), &now, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	write_pull(&w, &now);
	rest_write_end(&w);
	return ERR_OK;
}

static enum err_code
check_type(const struct http_request *req, struct err *err)
{
	struct str type = http_request_header(req, "content-type");
	struct str coding = str_trim(http_request_header(req, "content-encoding"));
	type.len = str_find(type, ';');
	if (!str_eq_nocase(str_trim(type), STR(REST_PROTOBUF)))
		return err_set(err, ERR_MEDIA_TYPE, "a batch is " REST_PROTOBUF);
	if (coding.len > 0 && !str_eq_nocase(coding, STR("identity")))
		return err_set(err, ERR_MEDIA_TYPE, "a batch is not compressed here");
	return ERR_OK;
}

/* What the client has to know besides that it was too late, or too early. */
static enum err_code
say_conflict(const struct rest_pulled *now, struct err *err)
{
	char hex[2 * LIMIT_POSITION_BYTES + 1];
	hex_encode(now->position, now->position_len, hex);
	hex[2 * now->position_len] = '\0';
	return err_set(err, ERR_CONFLICT,
	    "the source is at position \"%s\", the batch begins elsewhere", hex);
}

static enum err_code
handle_bring(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t count, struct buf *json, struct err *err)
{
	const struct rest_context *c = context_of(ctx);
	const struct rest_puller *puller = c->rest->opt.puller;
	struct rest_pulled pulled = {0};
	struct json_writer w;
	(void)op;
	enum err_code code = check_type(c->request, err);
	if (code == ERR_OK)
		code = puller->bring(puller->ctx, ctx->tenant, rest_value(values, count, "source"),
		    buf_view(http_request_body(c->request)), ctx->deadline_mono_ns, &pulled, err);
	if (code == ERR_CONFLICT)
		return say_conflict(&pulled, err);
	if (code != ERR_OK)
		return code;
	json_writer_init(&w, json);
	jsonw_object(&w);
	rest_write_number(&w, "accepted", pulled.accepted, true);
	rest_write_number(&w, "rejected", pulled.rejected, true);
	rest_write_text(&w, "reason", pulled.reason);
	write_position(&w, pulled.position, pulled.position_len);
	rest_write_end(&w);
	return ERR_OK;
}

uint64_t
rest_body_max(void *ctx, const struct http_request *req)
{
	const struct rest *r = ctx;
	const struct limits *limits = r->opt.limits;
	uint64_t max = limits->wire_bytes_max;
	if (!r->opt.puller || http_request_method(req) != HTTP_POST ||
	    !str_starts(http_request_path(req), STR(PULLS_PATH "/")))
		return max;
	if (max < limits->body_bytes_max)
		max = limits->body_bytes_max;
	return max < limits->inflight_bytes_max ? max : limits->inflight_bytes_max;
}

static const struct op_param no_params[] = {{.name = NULL}};
static const struct op_param one_params[] = {
    {.name = "source", .type = OP_TEXT, .in_path = true, .help = "what it is called"},
    {.name = NULL},
};

static const struct rest_route routes[] = {
    {HTTP_GET, "", NULL,
        {.name = "pulls_list",
            .path = PULLS_PATH,
            .help = "list sources that spans were pulled from",
            .list = "pulls",
            .answer = "PullList",
            .params = no_params,
            .handle = handle_list}},
    {HTTP_GET, "/", "",
        {.name = "pulls_show",
            .path = PULLS_PATH "/{source}",
            .help = "show how far a source was pulled",
            .answer = "Pull",
            .params = one_params,
            .handle = handle_show}},
    {HTTP_POST, "/", "",
        {.name = "pulls_bring",
            .method = OP_POST,
            .path = PULLS_PATH "/{source}",
            .help = "bring what comes next of a source",
            .body = REST_PROTOBUF,
            .answer = "PullTaken",
            .errors = "409 415",
            .params = one_params,
            .handle = handle_bring}},
    {.op = {.name = NULL}},
};

static bool
is_served(const struct rest *r)
{
	return r->opt.puller != NULL;
}

const struct rest_routes rest_pulls_routes = {.path = STR_INIT(PULLS_PATH),
    .routes = routes,
    .right = KEY_INGEST,
    .is_served = is_served,
    .absent = "nothing can be pulled into this weir"};
