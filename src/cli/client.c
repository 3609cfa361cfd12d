/* SPDX-License-Identifier: Apache-2.0 */
/* A client command: ask the server, show the answer in the format asked for. */
#include "cli/cli_priv.h"

#include "cli/analysis.h"

#include "http/client.h"

#include <jansson.h>
#include <stdlib.h>

/* Of an operation that is asked by POST: it has its parameters in the body. */
static bool
has_body(const struct cli_request *req)
{
	return !req->method && req->op->method == OP_POST;
}

static void
build_body(struct buf *body, const struct cli_request *req)
{
	const struct op_param *in_path = cli_positional(req->op);
	json_t *object = json_object();
	for (size_t i = 0; i < req->value_count; i++) {
		const struct op_value *v = &req->values[i];
		char name[64];
		if (in_path && str_eq(v->name, str_from(in_path->name)))
			continue;
		snprintf(name, sizeof name, "%.*s", STR_ARG(v->name));
		json_t *all = json_object_get(object, name);
		json_t *value = json_stringn(v->value.ptr, v->value.len);
		if (!all)
			json_object_set_new(object, name, value);
		else if (json_is_array(all))
			json_array_append_new(all, value);
		else
			json_object_set_new(object, name, json_pack("[O, o]", all, value));
	}
	char *text = json_dumps(object, JSON_COMPACT);
	if (text)
		buf_str(body, str_from(text));
	free(text);
	json_decref(object);
}

void
cli_build_path(struct buf *path, const struct cli_request *req, struct str cursor)
{
	const struct op_param *in_path = cli_positional(req->op);
	struct str template = str_from(req->op->path);
	buf_str(path, (struct str){template.ptr, str_find(template, '{')});
	/* A value that belongs into the path is a checked id: nothing to encode. */
	for (size_t i = 0; i < req->value_count; i++)
		if (in_path && str_eq(req->values[i].name, str_from(in_path->name)))
			buf_str(path, req->values[i].value);
	buf_str(path, str_skip(template, str_find(template, '}') + 1));
	if (has_body(req))
		return;
	for (size_t i = 0; i < req->value_count; i++) {
		bool done = in_path && str_eq(req->values[i].name, str_from(in_path->name));
		bool replaced = cursor.len > 0 && str_eq(req->values[i].name, STR("cursor"));
		if (!done && !replaced)
			http_client_add_param(path, req->values[i].name, req->values[i].value);
	}
	if (cursor.len > 0)
		http_client_add_param(path, STR("cursor"), cursor);
}

static int
exit_code_of(int status, const char *code)
{
	if (strcmp(code, "not_found") == 0)
		return CLI_NOT_FOUND;
	return status == 400 ? CLI_USAGE : CLI_ERROR;
}

/* Say what the server said. Its error text, when it is one of weir's; else what came. */
/* "parameter min_duration_ms: ..." is "--min-duration-ms: ..." on a command line. */
static void
put_message(struct err *e, const struct op *op, const char *message)
{
	static const char prefix[] = "parameter ";
	const char *name = message + sizeof prefix - 1, *colon = strchr(message, ':');
	struct cli_flag flags[CLI_FLAGS_MAX];
	size_t count = cli_flags(op, NULL, flags);
	bool named = strncmp(message, prefix, sizeof prefix - 1) == 0 && colon && colon > name;
	for (size_t i = 0; i < count && named; i++) {
		struct str want = {name, (size_t)(colon - name)};
		if (!flags[i].param || !str_eq(str_from(flags[i].param->name), want))
			continue;
		err_set(e, ERR_INVALID, "--%s%s", flags[i].o.name, colon);
		return;
	}
	err_set(e, ERR_INVALID, "%s", message);
}

int
cli_refused(const struct cli_io *io, const struct cli_request *req, int status, struct buf *body)
{
	struct err e = {0};
	json_t *answer = cli_json_load(body);
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	int exit_code = CLI_ERROR;
	if (code && message) {
		put_message(&e, req->op, message);
		exit_code = exit_code_of(status, code);
	} else {
		err_set(&e, ERR_INVALID, "%.*s answered with HTTP status %d, and not as weir does",
		    STR_ARG(req->server.url), status);
	}
	json_decref(answer);
	return cli_fail(io, exit_code, &e);
}

int
cli_unreachable(const struct cli_io *io, const struct err *err)
{
	cli_fail(io, CLI_ERROR, err);
	if (err->code == ERR_UNAVAILABLE)
		fprintf(io->err, "start one with: weir serve; or name one: --url or $WEIR_URL\n");
	return CLI_ERROR;
}

int
cli_fetch(const struct cli_io *io, const struct cli_request *req, struct str cursor,
    struct buf *body)
{
	struct err e = {0};
	struct buf path, json;
	buf_init(&path, LIMIT_MIB);
	buf_init(&json, CLI_ANSWER_BYTES_MAX);
	cli_build_path(&path, req, cursor);
	if (req->json.len > 0)
		buf_str(&json, req->json);
	else if (has_body(req))
		build_body(&json, req);
	int status = 0;
	enum err_code code = path.failed || json.failed
	    ? err_set(&e, ERR_TOO_LARGE, "the options are too long")
	    : json.len > 0 ? io->post(io->ctx, &req->server, buf_view(&path), buf_view(&json),
	                         &status, req->truncated_out, body, &e)
	    : req->method
	    ? io->send(io->ctx, &req->server, req->method, buf_view(&path), &status, body, &e)
	    : io->get(io->ctx, &req->server, buf_view(&path), &status, body, &e);
	buf_fini(&path);
	buf_fini(&json);
	if (code)
		return cli_unreachable(io, &e);
	return status == 200 || status == 201 ? CLI_OK : cli_refused(io, req, status, body);
}

bool
cli_is_meant(const struct cli_io *io, const struct cli_request *req, const char *question)
{
	char line[16];
	if (req->yes || !io->in_is_tty)
		return true;
	fputs(question, io->err);
	fflush(io->err);
	return io->read_line(io->ctx, line, sizeof line) &&
	    (str_eq_nocase(str_from(line), STR("y")) || str_eq_nocase(str_from(line), STR("yes")));
}

enum err_code
cli_check_id(const struct cli_request *req, const char *of, struct err *err)
{
	struct str id = STR_EMPTY;
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, STR("id")))
			id = req->values[i].value;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
			return err_set(err, ERR_INVALID, "not the id of %s: \"%.*s\"", of,
			    id.len < 48 ? (int)id.len : 48, id.ptr);
	}
	return ERR_OK;
}

struct cli_style
cli_style_of(const struct cli_io *io, const struct cli_request *req)
{
	const char *no_color = io->env("NO_COLOR");
	const char *term = io->env("TERM");
	const char *columns = io->env("COLUMNS");
	const char *locale = io->env("LC_ALL");
	if (!locale || !*locale)
		locale = io->env("LC_CTYPE");
	if (!locale || !*locale)
		locale = io->env("LANG");
	bool dumb = term && strcmp(term, "dumb") == 0;
	struct cli_style style = {
	    .width = io->out_is_tty ? io->width : 0, .now_unix_ns = io->now_unix_ns};
	style.color = req->color == WHEN_ALWAYS ||
	    (req->color == WHEN_AUTO && io->out_is_tty && !dumb && !(no_color && *no_color));
	style.utf8 = locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8"));
	uint64_t n;
	if (style.width == 0 && columns && str_to_u64(str_from(columns), &n) && n <= 10000)
		style.width = (unsigned)n;
	else if (style.width == 0 && io->out_is_tty)
		style.width = 80;
	return style;
}

enum cli_format
cli_format_of(const struct cli_io *io, const struct cli_request *req)
{
	if (req->format != FORMAT_AUTO)
		return req->format;
	return io->out_is_tty ? FORMAT_TABLE : FORMAT_JSON;
}

struct cli_json_style
cli_json_style_of(const struct cli_io *io, const struct cli_style *style)
{
	return (struct cli_json_style){
	    .pretty = io->out_is_tty, .safe = io->out_is_tty, .color = style->color};
}

int
cli_write_out(const struct cli_io *io, const struct buf *text)
{
	struct err e = {0};
	if (text->len > 0 && fwrite(text->ptr, 1, text->len, io->out) != text->len)
		return cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_IO, "cannot write the output"), &e));
	if (fflush(io->out) != 0)
		return cli_fail(io, CLI_ERROR,
		    (err_set(&e, ERR_IO, "cannot write the output"), &e));
	return CLI_OK;
}

/* ---- tables */

static void
put_more(struct buf *out, size_t count, bool has_pages, const struct cli_style *style)
{
	struct buf line = {0};
	buf_printf(&line, "the first %zu, there are more: -n N%s", count,
	    has_pages ? ", or --all for all as ndjson" : "");
	text_color_on(out, style, COLOR_DIM);
	text_fit(out, buf_view(&line), style->width > 0 ? style->width : SIZE_MAX, style->utf8);
	text_color_off(out, style, COLOR_DIM);
	buf_char(out, '\n');
	buf_fini(&line);
}

static bool
is_given(const void *ctx, const char *param)
{
	const struct cli_request *req = ctx;
	for (size_t i = 0; i < req->value_count; i++)
		if (str_eq(req->values[i].name, str_from(param)))
			return true;
	return false;
}

static void
draw_list(struct buf *out, const struct cli_request *req, const json_t *answer,
    const struct cli_style *style)
{
	const struct table_view *view = cli_view_of(req->op->name);
	const json_t *items = json_object_get(answer, req->op->list);
	CHECK(view != NULL);
	size_t count = json_array_size(items);
	cli_draw_histogram(out, json_object_get(answer, "histogram"), style);
	bool more = json_object_get(answer, "next_cursor") ||
	    json_is_true(json_object_get(answer, "truncated"));
	if (count == 0)
		buf_printf(out, "no %s\n", view->noun);
	else
		table_draw(out, view, items, style, is_given, req);
	if (count > 0 && view->below)
		view->below(out, items, style);
	if (more)
		put_more(out, count, cli_has_pages(req->op), style);
}

static enum err_code
draw(const struct cli_io *io, struct buf *out, const struct cli_request *req, struct buf *body,
    const struct cli_style *style, struct err *err)
{
	json_t *answer = cli_json_load(body);
	if (!req->op->list) {
		enum err_code code = cli_draw_whole(out, req->op, answer, style, err);
		json_decref(answer);
		return code;
	}
	if (!json_is_array(json_object_get(answer, req->op->list))) {
		json_decref(answer);
		return err_set(err, ERR_CORRUPT, "the server's answer has no list of %s",
		    req->op->list);
	}
	draw_list(out, req, answer, style);
	if (json_array_size(json_object_get(answer, req->op->list)) == 0)
		cli_hint_services(io, req, out, style);
	json_decref(answer);
	return ERR_OK;
}

/* ---- partial answers */

int
cli_warn_if_partial(const struct cli_io *io, struct buf *body)
{
	static const char mark[] = "\"partial\"";
	if (!body->ptr || !memmem(body->ptr, body->len, mark, sizeof mark - 1))
		return CLI_OK;
	json_t *answer = cli_json_load(body);
	bool partial = json_is_true(json_object_get(answer, "partial"));
	const json_t *failed = json_object_get(json_object_get(answer, "shards"), "failed");
	struct err e = {0};
	if (partial && json_array_size(failed) == 0) {
		struct str why = cli_item_str(answer, "partial_reason");
		err_set(&e, ERR_UNAVAILABLE, "the answer is partial%s%.*s", why.len ? ": " : "",
		    STR_ARG(why));
		cli_fail(io, 0, &e);
	}
	for (size_t i = 0; partial && i < json_array_size(failed); i++) {
		const json_t *shard = json_array_get(failed, i);
		struct str name = cli_item_str(shard, "shard"), why = cli_item_str(shard, "error");
		err_set(&e, ERR_UNAVAILABLE, "the answer is partial: shard %.*s: %.*s",
		    STR_ARG(name), STR_ARG(why));
		cli_fail(io, 0, &e);
	}
	json_decref(answer);
	return partial ? CLI_PARTIAL : CLI_OK;
}

/* ---- one answer, or all pages */

int
cli_show(const struct cli_io *io, const struct cli_request *req, enum cli_format format,
    struct buf *body)
{
	struct err e = {0};
	struct buf out;
	buf_init(&out, 0);
	struct cli_style style = cli_style_of(io, req);
	struct cli_json_style json_style = cli_json_style_of(io, &style);
	enum err_code code;
	json_style.pretty = json_style.pretty && format != FORMAT_NDJSON;
	if (format == FORMAT_TABLE)
		code = draw(io, &out, req, body, &style, &e);
	else if (format == FORMAT_NDJSON && req->op->list)
		code = cli_json_lines(&out, buf_view(body), req->op->list, json_style, NULL, &e);
	else
		code = cli_json_print(&out, buf_view(body), json_style, &e);
	int exit_code = code ? cli_fail(io, CLI_ERROR, &e) : cli_write_out(io, &out);
	buf_fini(&out);
	return exit_code ? exit_code : cli_warn_if_partial(io, body);
}

static int
ask_once(const struct cli_io *io, const struct cli_request *req)
{
	struct buf body;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	int exit_code = cli_fetch(io, req, STR_EMPTY, &body);
	if (exit_code == CLI_OK)
		exit_code = cli_show(io, req, cli_format_of(io, req), &body);
	buf_fini(&body);
	return exit_code;
}

/* One page: fetched, written, and the cursor of the next one left in *cursor. */
static int
walk_page(const struct cli_io *io, const struct cli_request *req, struct buf *body,
    struct buf *cursor)
{
	struct err e = {0};
	struct buf out, next;
	buf_init(&out, 0);
	buf_init(&next, 4096);
	buf_reset(body);
	struct cli_style style = cli_style_of(io, req);
	int exit_code = cli_fetch(io, req, buf_view(cursor), body);
	if (exit_code == CLI_OK &&
	    cli_json_lines(&out, buf_view(body), req->op->list, cli_json_style_of(io, &style),
	        &next, &e))
		exit_code = cli_fail(io, CLI_ERROR, &e);
	if (exit_code == CLI_OK)
		exit_code = cli_write_out(io, &out);
	if (exit_code == CLI_OK)
		exit_code = cli_warn_if_partial(io, body);
	if (next.len > 0 && str_eq(buf_view(&next), buf_view(cursor))) {
		err_set(&e, ERR_CORRUPT, "the server gives the same page again and again");
		exit_code = cli_fail(io, CLI_ERROR, &e);
	}
	buf_fini(cursor);
	*cursor = next;
	buf_fini(&out);
	return exit_code;
}

static int
ask_all(const struct cli_io *io, const struct cli_request *req)
{
	struct buf body, cursor;
	buf_init(&body, CLI_ANSWER_BYTES_MAX);
	buf_init(&cursor, 4096);
	int exit_code = CLI_OK;
	do {
		int page = walk_page(io, req, &body, &cursor);
		exit_code = page != CLI_OK ? page : exit_code;
	} while ((exit_code == CLI_OK || exit_code == CLI_PARTIAL) && cursor.len > 0);
	buf_fini(&cursor);
	buf_fini(&body);
	return exit_code;
}

int
cli_ask(const struct cli_io *io, const struct cli_request *req)
{
	if (req->op == ops_find_name(STR("trace")))
		return cli_ask_trace(io, req);
	return req->all ? ask_all(io, req) : ask_once(io, req);
}
