/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer/transfer_priv.h"

#include "base/arena.h"
#include "ops/ops.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

/* ---- out of a server */

/* From the value that begins with the token just read to its end, as it stands in the text. */
static struct str
value_text(struct json_reader *r, enum json_token first)
{
	const char *start = r->at - 1;
	return jsonr_skip(r, first) ? str_of(start, (size_t)(r->at - start)) : STR_EMPTY;
}

/* Each object of the list, on a line of its own. False: it is no list of objects. */
static bool
put_lines(struct json_reader *r, struct buf *lines, uint64_t *count)
{
	enum json_token tok;
	if (jsonr_next(r) != JSON_ARRAY)
		return false;
	while ((tok = jsonr_next(r)) == JSON_OBJECT) {
		struct str text = value_text(r, tok);
		if (text.len == 0)
			return false;
		buf_str(lines, text);
		buf_char(lines, '\n');
		++*count;
	}
	return tok == JSON_ARRAY_END;
}

static bool
take_cursor(struct json_reader *r, char out[TRANSFER_CURSOR_BYTES])
{
	if (jsonr_next(r) != JSON_STRING || r->escaped || r->raw.len >= TRANSFER_CURSOR_BYTES)
		return false;
	memcpy(out, r->raw.ptr, r->raw.len);
	out[r->raw.len] = '\0';
	return true;
}

enum err_code
transfer_comment_lines(struct str page, struct buf *lines, uint64_t *count_out,
    char cursor_out[TRANSFER_CURSOR_BYTES], struct err *err)
{
	struct json_reader r;
	enum json_token tok = JSON_ERROR;
	bool good = true, listed = false;
	*count_out = 0;
	cursor_out[0] = '\0';
	jsonr_begin(&r, page);
	good = jsonr_next(&r) == JSON_OBJECT;
	while (good && (tok = jsonr_next(&r)) == JSON_KEY) {
		if (str_eq(r.raw, STR("comments")) && !listed) {
			good = listed = put_lines(&r, lines, count_out);
		} else if (str_eq(r.raw, STR("next_cursor"))) {
			good = take_cursor(&r, cursor_out);
		} else {
			good = jsonr_skip(&r, jsonr_next(&r));
		}
	}
	if (lines->failed)
		return err_set(err, ERR_BUSY, "no memory for a page of comments");
	if (good && listed && tok == JSON_OBJECT_END)
		return ERR_OK;
	return err_set(err, ERR_CORRUPT,
	    "the answer is no list of comments: is this the API of a weir that has them?");
}

/* ---- into a server */

/* What is sent of a comment. ptr NULL: it is not there. */
struct line {
	struct str id, trace_id, span_id, author, body, created_at;
};

static struct str *
member_of(struct line *c, struct str name)
{
	const struct {
		const char *name;
		struct str *to;
	} members[] = {{"id", &c->id}, {"trace_id", &c->trace_id}, {"span_id", &c->span_id},
	    {"author", &c->author}, {"body", &c->body}, {"created_at", &c->created_at}};
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (str_eq(name, str_from(members[i].name)))
			return members[i].to;
	return NULL;
}

/* The members of an object that has begun; NULL, or why it is none. */
static const char *
read_line(struct json_reader *r, struct arena *arena, struct line *c)
{
	enum json_token tok;
	bool strings = true;
	*c = (struct line){0};
	while ((tok = jsonr_next(r)) == JSON_KEY) {
		struct str *to = member_of(c, r->raw);
		tok = jsonr_next(r);
		if (to && tok == JSON_STRING) {
			*to = jsonr_string(r, arena);
		} else {
			strings = strings && (!to || tok == JSON_NULL);
			if (!jsonr_skip(r, tok))
				return "a comment that is no JSON";
		}
	}
	if (tok != JSON_OBJECT_END)
		return "a comment that is no JSON";
	if (!strings)
		return "a comment whose members are not strings";
	/* Without an id of its own it would be there twice when it is sent twice. */
	if (c->id.len == 0 || c->trace_id.len == 0 || c->author.len == 0 || c->body.len == 0 ||
	    c->created_at.len == 0)
		return "a comment without id, trace_id, author, body or created_at";
	return NULL;
}

static void
put_body(struct buf *out, const struct line *c)
{
	const struct {
		const char *name;
		struct str value;
	} members[] = {{"id", c->id}, {"span_id", c->span_id}, {"author", c->author},
	    {"created", c->created_at}, {"body", c->body}};
	struct json_writer w;
	json_writer_init(&w, out);
	jsonw_object(&w);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (members[i].value.len == 0)
			continue;
		jsonw_key(&w, members[i].name);
		jsonw_str(&w, members[i].value);
	}
	jsonw_object_end(&w);
}

/* The operation's path with the id of a trace in it, which must be one. */
static enum err_code
put_path(struct buf *path, const struct op *op, struct str trace_id, struct err *err)
{
	struct str template = str_from(op->path);
	const struct op_param *p = op->params;
	while (p->name && !p->in_path)
		p++;
	CHECK(p->name != NULL);
	enum err_code code = ops_check_value(p, trace_id, err);
	if (code != ERR_OK)
		return err_wrap(err, "a comment whose trace_id is none");
	buf_str(path, (struct str){template.ptr, str_find(template, '{')});
	buf_str(path, trace_id);
	buf_str(path, str_skip(template, str_find(template, '}') + 1));
	return ERR_OK;
}

/* {"error":{"code","message"}}: its message. */
static void
refuse_by(struct upload *u, int status)
{
	struct json_reader r;
	struct arena arena = {.bytes_max = 1 << 20};
	char why[200] = "";
	enum json_token tok;
	bool is_message = false;
	jsonr_begin(&r, buf_view(&u->answer));
	while ((tok = jsonr_next(&r)) != JSON_END && tok != JSON_ERROR) {
		if (tok == JSON_STRING && is_message)
			snprintf(why, sizeof(why), "%.*s", STR_ARG(jsonr_string(&r, &arena)));
		is_message = tok == JSON_KEY && str_eq(r.raw, STR("message"));
	}
	if (!why[0])
		snprintf(why, sizeof(why), "the server answered %d", status);
	transfer_refuse(u, 1, why);
	arena_fini(&arena);
}

static enum err_code
post(struct upload *u, struct http_client *api, const struct http_client_request *req,
    struct err *err)
{
	struct http_client_answer answer = {.body = &u->answer};
	for (int i = 0; i < TRANSFER_TRIES_MAX; i++) {
		enum err_code code = http_client_exchange(api, req, &answer, err);
		if (code != ERR_OK)
			return code;
		if (answer.status == 201) {
			u->accepted++;
			return ERR_OK;
		}
		if (answer.status == 401 || answer.status == 403 || answer.status == 404)
			return err_set(err, ERR_FORBIDDEN, "the server answered %d: %.*s",
			    answer.status, (int)(u->answer.len < 300 ? u->answer.len : 300),
			    u->answer.ptr);
		if (!transfer_comes_again(answer.status)) {
			refuse_by(u, answer.status);
			return ERR_OK;
		}
		transfer_wait(&answer);
	}
	return err_set(err, ERR_BUSY, "the server has been too busy for too long");
}

static enum err_code
send_line(struct upload *u, struct http_client *api, const struct line *c, struct str tenant,
    struct err *err)
{
	const struct op *op = ops_find_name(STR("comment_add"));
	struct buf path = {0}, body = {0};
	CHECK(op != NULL);
	enum err_code code = put_path(&path, op, c->trace_id, err);
	if (code != ERR_OK) {
		transfer_refuse(u, 1, err->message);
		code = ERR_OK;
	} else {
		put_body(&body, c);
		code = body.failed || path.failed
		    ? err_set(err, ERR_BUSY, "no memory for a comment")
		    : post(u, api,
		          &(struct http_client_request){.method = "POST",
		              .path_and_query = buf_view(&path),
		              .accept = "application/json",
		              .content_type = "application/json",
		              .body = buf_view(&body),
		              .tenant = tenant,
		              .wanted = "Retry-After"},
		          err);
	}
	buf_fini(&path);
	buf_fini(&body);
	return code;
}

/* An object that has begun. */
static enum err_code
send_object(struct upload *u, struct http_client *api, struct json_reader *r, struct str tenant,
    struct err *err)
{
	struct arena arena = {0};
	struct line c;
	enum err_code code = ERR_OK;
	const char *why = read_line(r, &arena, &c);
	if (why)
		transfer_refuse(u, 1, why);
	else
		code = send_line(u, api, &c, tenant, err);
	arena_fini(&arena);
	return code;
}

/* The value of a page's list comes next in the reader; false: it is no page. */
static bool
find_list(struct json_reader *r, struct str json)
{
	jsonr_begin(r, json);
	if (jsonr_next(r) != JSON_OBJECT)
		return false;
	while (jsonr_next(r) == JSON_KEY) {
		if (str_eq(r->raw, STR("comments")))
			return true;
		if (!jsonr_skip(r, jsonr_next(r)))
			return false;
	}
	return false;
}

enum err_code
transfer_send_comments(struct upload *u, struct http_client *api, struct str json,
    struct str tenant, struct err *err)
{
	struct json_reader r;
	enum err_code code = ERR_OK;
	enum json_token tok;
	if (!find_list(&r, json)) {
		jsonr_begin(&r, json);
		tok = jsonr_next(&r);
		CHECK(tok == JSON_OBJECT);
		return send_object(u, api, &r, tenant, err);
	}
	tok = jsonr_next(&r);
	while (tok == JSON_ARRAY && code == ERR_OK && (tok = jsonr_next(&r)) == JSON_OBJECT) {
		code = send_object(u, api, &r, tenant, err);
		tok = JSON_ARRAY;
	}
	if (code == ERR_OK && tok != JSON_ARRAY_END)
		transfer_refuse(u, 0, "a list of comments that is none");
	return code;
}
