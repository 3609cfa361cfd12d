/* SPDX-License-Identifier: Apache-2.0 */
/* SQL over the views of the tenant, and which views there are. */
#include "ops/ops_priv.h"

#include "store/sql.h"

/* In the order of "format": how it is called in Accept, how it is answered. */
static const struct {
	enum store_sql_format format;
	const char *media_type;
	const char *content_type; /* NULL: JSON as everywhere */
} formats[] = {
    {STORE_SQL_JSON, "application/json", NULL},
    {STORE_SQL_NDJSON, "application/x-ndjson", "application/x-ndjson; charset=utf-8"},
    {STORE_SQL_CSV, "text/csv", "text/csv; charset=utf-8; header=present"},
    {STORE_SQL_PARQUET, "application/vnd.apache.parquet", "application/vnd.apache.parquet"},
};

/* The first media type of Accept that is known decides, whatever its weight; nothing said: JSON. */
static size_t
format_of_accept(struct str accept)
{
	for (struct str rest = accept; rest.len > 0;) {
		size_t end = str_find(rest, ',');
		struct str one = str_of(rest.ptr, end);
		one.len = str_find(one, ';');
		one = str_trim(one);
		for (size_t i = 0; i < ARRAY_LEN(formats); i++)
			if (str_eq_nocase(one, str_from(formats[i].media_type)))
				return i;
		rest = str_skip(rest, end + 1);
	}
	return 0;
}

struct asked {
	struct str text;
	size_t format; /* place in formats */
	uint64_t row_max;
};

static enum err_code
take_value(const struct op *op, const struct op_value *v, struct asked *a, bool *format_given,
    struct err *err)
{
	const struct op_param *p = ops_find_param(op, v->name);
	struct ops_parsed parsed = {0};
	if (ops_parse(p, v->value, &parsed, err) != ERR_OK)
		return err_wrap(err, "parameter %s", p->name);
	if (strcmp(p->name, "limit") == 0) {
		a->row_max = (uint64_t)parsed.i64;
		return ERR_OK;
	}
	if (strcmp(p->name, "format") == 0) {
		*format_given = true;
		a->format = (size_t)parsed.i64;
		CHECK(a->format < ARRAY_LEN(formats));
		return ERR_OK;
	}
	a->text = v->value;
	return ERR_OK;
}

static enum err_code
read_values(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct asked *a, struct err *err)
{
	bool format_given = false;
	enum err_code code = ERR_OK;
	*a = (struct asked){.row_max = ctx->limits->results_max};
	for (size_t i = 0; i < value_count && code == ERR_OK; i++)
		code = take_value(op, &values[i], a, &format_given, err);
	if (code != ERR_OK)
		return code;
	if (!format_given)
		a->format = format_of_accept(ctx->accept);
	CHECK(a->text.ptr != NULL); /* it is required */
	if (a->row_max < 1 || a->row_max > ctx->limits->results_max)
		return err_set(err, ERR_INVALID, "parameter limit: must be 1 to %llu",
		    (unsigned long long)ctx->limits->results_max);
	if (a->text.len > ctx->limits->sql_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "the query has %zu bytes, more than the %llu it may have", a->text.len,
		    (unsigned long long)ctx->limits->sql_bytes_max);
	return ERR_OK;
}

enum err_code
ops_sql(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *out, struct err *err)
{
	struct asked a;
	enum err_code code = read_values(ctx, op, values, value_count, &a, err);
	if (code != ERR_OK)
		return code;
	bool plain = !formats[a.format].content_type;
	if (!plain && !ctx->reply)
		return err_set(err, ERR_INVALID, "parameter format: only json is answered here");
	uint64_t room = out->bytes_max > 0 ? out->bytes_max : UINT64_MAX;
	struct ops_stop stop = {ctx, UINT64_MAX}; /* the store has an eye on the time itself */
	struct store_sql q = {.tenant = ctx->tenant,
	    .text = a.text,
	    .format = formats[a.format].format,
	    .row_max = a.row_max,
	    .bytes_max =
	        room < ctx->limits->result_bytes_max ? room : ctx->limits->result_bytes_max,
	    .now_unix_ns = ctx->now_unix_ns,
	    .deadline_mono_ns = ctx->deadline_mono_ns,
	    .gone = ops_should_stop,
	    .gone_ctx = &stop};
	struct store_sql_answer answer = {.out = out};
	code = store_sql(ctx->store, &q, &answer, err);
	if (code == ERR_OK && !plain) {
		ctx->reply->content_type = formats[a.format].content_type;
		ctx->reply->truncated = answer.truncated;
	}
	return code;
}

static void
write_view(struct json_writer *w, const struct store_sql_view *view)
{
	jsonw_object(w);
	ops_write_text(w, "name", str_from(view->name));
	ops_write_text(w, "description", str_from(view->help));
	jsonw_key(w, "columns");
	jsonw_array(w);
	for (const struct store_sql_column *c = view->columns; c->name; c++) {
		jsonw_object(w);
		ops_write_text(w, "name", str_from(c->name));
		ops_write_text(w, "type", str_from(c->type));
		ops_write_text(w, "description", str_from(c->help));
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
	jsonw_object_end(w);
}

enum err_code
ops_sql_schema(const struct op_context *ctx, const struct op *op, const struct op_value *values,
    size_t value_count, struct buf *json_out, struct err *err)
{
	const struct store_sql_view *view = store_sql_views(ctx->store);
	struct json_writer w;
	(void)op;
	(void)values;
	(void)value_count;
	if (!view)
		return err_set(err, ERR_UNIMPLEMENTED, "this store has no SQL");
	json_writer_init(&w, json_out);
	jsonw_object(&w);
	jsonw_key(&w, "views");
	jsonw_array(&w);
	for (; view->name; view++)
		write_view(&w, view);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	return ERR_OK;
}
