/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters in the body of a POST: the members of a JSON object, or a form. */
#include "rest/body.h"

#include "http/uri.h"
#include "rest/rest_priv.h"
#include "wire/json_read.h"

struct body_reader {
	struct json_reader json;
	struct arena *arena;
	struct op_value *values; /* REST_BODY_VALUES_MAX */
	size_t count;
};

static enum err_code
bad_body(const struct body_reader *b, struct err *err)
{
	return err_set(err, ERR_INVALID, "the body is not JSON: %s at byte %zu",
	    b->json.error ? b->json.error : "it ends too early", b->json.error_at);
}

/* One string, number or boolean. */
static enum err_code
add_value(struct body_reader *b, struct str name, enum json_token token, struct err *err)
{
	struct str value = b->json.raw;
	if (token == JSON_ERROR || token == JSON_END)
		return bad_body(b, err);
	if (token == JSON_STRING)
		value = jsonr_string(&b->json, b->arena);
	else if (token == JSON_TRUE)
		value = STR("true");
	else if (token == JSON_FALSE)
		value = STR("false");
	else if (token != JSON_NUMBER)
		return err_set(err, ERR_INVALID,
		    "parameter %.*s: in the body it is a string, a number, true or false",
		    (int)(name.len < 32 ? name.len : 32), name.ptr);
	if (!value.ptr || b->count == REST_BODY_VALUES_MAX)
		return err_set(err, ERR_TOO_LARGE, "too many parameters in the body");
	b->values[b->count++] = (struct op_value){name, value};
	return ERR_OK;
}

/* null is as if it were not there. */
static enum err_code
add_member(struct body_reader *b, struct str name, struct err *err)
{
	enum json_token token = jsonr_next(&b->json);
	enum err_code code = ERR_OK;
	if (token == JSON_NULL)
		return ERR_OK;
	if (token != JSON_ARRAY)
		return add_value(b, name, token, err);
	while (code == ERR_OK && (token = jsonr_next(&b->json)) != JSON_ARRAY_END)
		code = add_value(b, name, token, err);
	return code;
}

enum err_code
rest_parse_body(struct str text, struct arena *arena, struct op_value **values_out,
    size_t *count_out, struct err *err)
{
	struct body_reader b = {.arena = arena};
	enum err_code code = ERR_OK;
	enum json_token token;
	*count_out = 0;
	*values_out = NULL;
	if (text.len == 0)
		return ERR_OK;
	b.values = arena_array(arena, REST_BODY_VALUES_MAX, sizeof(*b.values));
	if (!b.values)
		return err_set(err, ERR_TOO_LARGE, "no memory for the parameters in the body");
	jsonr_begin(&b.json, text);
	token = jsonr_next(&b.json);
	if (token == JSON_ERROR)
		return bad_body(&b, err);
	if (token != JSON_OBJECT)
		return err_set(err, ERR_INVALID, "the body is not a JSON object");
	while (code == ERR_OK && (token = jsonr_next(&b.json)) == JSON_KEY) {
		struct str name = jsonr_string(&b.json, arena);
		code = name.ptr ? add_member(&b, name, err)
		                : err_set(err, ERR_TOO_LARGE, "too many parameters in the body");
	}
	if (code == ERR_OK && (token != JSON_OBJECT_END || jsonr_next(&b.json) != JSON_END))
		code = bad_body(&b, err);
	*values_out = b.values;
	*count_out = b.count;
	return code;
}

enum err_code
rest_read_body(struct http_request *req, struct arena *arena, struct op_value **values_out,
    size_t *count_out, struct err *err)
{
	return rest_parse_body(buf_view(http_request_body(req)), arena, values_out, count_out, err);
}

/* A form is written as a query is. */
enum err_code
rest_read_form(struct http_request *req, struct arena *arena, struct op_value **values_out,
    size_t *count_out, struct err *err)
{
	struct str body = buf_view(http_request_body(req));
	struct str type = http_request_header(req, "content-type");
	struct http_uri uri = {0};
	*count_out = 0;
	*values_out = NULL;
	if (body.len == 0)
		return ERR_OK;
	type.len = str_find(type, ';');
	if (!str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded")))
		return err_set(err, ERR_MEDIA_TYPE,
		    "the body is to be a form: application/x-www-form-urlencoded");
	struct str target = arena_printf(arena, "/?%.*s", STR_ARG(body));
	if (!target.ptr)
		return err_set(err, ERR_TOO_LARGE, "no memory for the form in the body");
	if (http_uri_parse(target, arena, &uri, err) != ERR_OK)
		return err_wrap(err, "the form in the body");
	*values_out = arena_array(arena, uri.param_count + 1, sizeof(**values_out));
	if (!*values_out)
		return err_set(err, ERR_TOO_LARGE, "no memory for the form in the body");
	for (size_t i = 0; i < uri.param_count; i++)
		(*values_out)[(*count_out)++] =
		    (struct op_value){uri.params[i].name, uri.params[i].value};
	return ERR_OK;
}
